import type { Device } from "../api/types";
import { whole } from "../ui/Time";

/** What its Endpoint ID rests on. */
function identityOf({ proven }: Device): string | null {
  if (proven === undefined) return null;
  return proven ? "proved by a certificate" : "its word: no certificate has ever proved it";
}

/** What the inventory knows about a device. */
export function About({ device }: { device: Device }) {
  const facts: [string, string | null][] = [
    ["Endpoint ID", device.endpoint_id],
    ["Identity", identityOf(device)],
    ["Alias", device.alias],
    ["State", device.state === "pending" ? "waits for approval" : (device.state ?? null)],
    ["Manufacturer", device.manufacturer],
    ["OUI", device.oui],
    ["Product class", device.product_class],
    ["Serial number", device.serial_number],
    ["Hardware version", device.hardware_version],
    ["Software version", device.software_version],
    ["Protocol", device.protocol.toUpperCase()],
    ["Protocol versions", device.protocol_versions?.replaceAll(",", ", ") ?? null],
    ["Address", device.remote_address],
    ["Transport", device.last_mtp],
    ["First seen", whole(device.first_seen)],
    ["Last seen", device.online ? "online now" : whole(device.last_seen)],
    ["Tags", device.tags && device.tags.length > 0 ? device.tags.join(", ") : "none"],
    ["Subscriptions of the server", device.subscriptions ?? "not looked at yet"],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value === null || value === "" ? <span className="muted">not told</span> : value}</dd>
        </div>
      ))}
    </dl>
  );
}

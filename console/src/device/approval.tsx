/** A device that the server does not know waits until somebody lets it in. */

import { useMutation, useQueryClient } from "@tanstack/react-query";

import type { Device } from "../api/types";
import { useApi } from "../session";
import { wordsOf } from "../ui/Note";

/** Lets devices in, by their Endpoint IDs. `onApproved` takes the focus from a button that goes. */
export function useApprove(onApproved: () => void) {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.approve(id),
    onSuccess: (approved) => {
      queries.setQueryData(["device", approved.endpoint_id], approved);
      void queries.invalidateQueries({ queryKey: ["devices"], refetchType: "none" });
      void queries.invalidateQueries({ queryKey: ["devices-in-view"] });
      void queries.invalidateQueries({ queryKey: ["server"] });
      onApproved();
    },
  });
}

/** What is known of the Endpoint ID of a device that waits. */
const PROVED = "A certificate proves the Endpoint ID; nobody has checked the rest.";
const WORD = "Nobody has checked that: no certificate proves it, and an approval does not bind the Endpoint ID to this device.";

/** Who a device says that it is, and whether it is let in. */
export function Waiting({ device }: { device: Device }) {
  const approve = useApprove(() => document.getElementById("main")?.focus());
  const facts = [
    [device.manufacturer, device.product_class].filter(Boolean).join(" "),
    device.serial_number ? `serial number ${device.serial_number}` : "",
    device.remote_address ? `at ${device.remote_address}` : "",
  ].filter(Boolean);
  return (
    <section className="waiting" aria-label="Waiting for approval">
      <h2>This device waits for approval</h2>
      <p>
        It calls itself <code>{device.endpoint_id}</code>
        {facts.map((fact) => `, ${fact}`)}. {device.proven ? PROVED : WORD} Until it is let in it is asked for nothing more, and
        what it says is not taken.
      </p>
      <div className="actions">
        <button type="button" className="primary" disabled={approve.isPending} onClick={() => approve.mutate(device.endpoint_id)}>
          Approve
        </button>
        <span className="muted">Once you know that it is who it says.</span>
      </div>
      {approve.error && (
        <p className="complaint" role="alert">
          {wordsOf(approve.error)}
        </p>
      )}
    </section>
  );
}

/** Whether a device can be asked now: told by shape and word, not by colour alone. */
export function Presence({ online }: { online: boolean }) {
  return <span className={online ? "presence on" : "presence"}>{online ? "online" : "offline"}</span>;
}

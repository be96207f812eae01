/** Whether a device can be asked now: told by shape and word, not by colour alone. */
export function Presence({ online, state }: { online: boolean; state: string | undefined }) {
  if (!online) return <span className="presence">offline</span>;
  if (state === "pending") return <span className="presence waits">waiting</span>;
  return <span className="presence on">online</span>;
}

/** Names of reasons, as people write them. */

const WORDS: Record<string, string> = { ca: "CA", http: "HTTP", id: "ID", socket: "Socket", tls: "TLS", web: "Web" };

/** `tls_at_plain_door` is “TLS at plain door”. */
export function reasonName(reason: string): string {
  const words = reason.split("_").map((word) => WORDS[word] ?? word);
  return words.join(" ").replace("Web Socket", "WebSocket").replace("to ID", "to_id");
}

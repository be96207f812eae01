/** What a Record is, in a few words. */
export function kindOf(record: unknown): string {
  const fields = object(record);
  const payload = object(object(fields?.no_session_context)?.payload);
  const header = object(payload?.header);
  if (header) return `${text(header.msg_type) || "Message"} ${text(header.msg_id)}`.trim();
  if (fields?.no_session_context) return "a payload that is no Message";
  const type = Object.keys(fields ?? {}).find((name) => /connect|session_context/.test(name));
  return type === undefined ? "Record" : type.replaceAll("_", " ");
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

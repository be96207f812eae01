/** Server-sent events, read from a stream of bytes. `EventSource` cannot send a token. */

export interface SseEvent {
  /** `message` where the server gave no name. */
  name: string;
  /** The event's own ID, if it has one. */
  id: string | undefined;
  data: string;
}

/** Characters of one event that are kept; a stream that never ends a line must not fill the memory. */
const EVENT_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Takes text as it comes, in any pieces, and gives the events that are complete. */
export class SseParser {
  private rest = "";
  private name = "";
  private id: string | undefined;
  private data: string[] = [];
  private size = 0;

  push(text: string): SseEvent[] {
    this.rest += text;
    if (this.rest.length > EVENT_CHARACTERS_MAX) throw new Error("a line of the stream is too long");
    const events: SseEvent[] = [];
    let begin = 0;
    for (;;) {
      const end = lineEnd(this.rest, begin);
      if (end === undefined) break;
      const event = this.line(this.rest.slice(begin, end.at));
      if (event) events.push(event);
      begin = end.next;
    }
    this.rest = this.rest.slice(begin);
    return events;
  }

  private line(line: string): SseEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "data") {
      this.size += value.length;
      if (this.size > EVENT_CHARACTERS_MAX) throw new Error("an event of the stream is too long");
      this.data.push(value);
    }
    return undefined;
  }

  private dispatch(): SseEvent | undefined {
    const event = { name: this.name || "message", id: this.id, data: this.data.join("\n") };
    const isEmpty = this.data.length === 0;
    this.name = "";
    this.id = undefined;
    this.data = [];
    this.size = 0;
    return isEmpty ? undefined : event;
  }
}

/** Where a line ends and the next begins. A CR at the very end may be half of a CR LF. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\n") return { at, next: at + 1 };
    if (character !== "\r") continue;
    if (at + 1 === text.length) return undefined;
    return { at, next: text[at + 1] === "\n" ? at + 2 : at + 1 };
  }
  return undefined;
}

/** The events of a stream, until it ends. */
export async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

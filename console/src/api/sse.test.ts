import { describe, expect, it } from "vitest";

import { events, SseParser } from "./sse";

describe("server-sent events", () => {
  it("are the same however the stream is cut", () => {
    const text = ': hello\n\nid: 7\ndata: {"a":1}\n\nevent: presence\r\ndata:x\r\ndata: y\r\n\r\nid\ndata\n\n';
    const expected = [
      { name: "message", id: "7", data: '{"a":1}' },
      { name: "presence", id: undefined, data: "x\ny" },
      { name: "message", id: "", data: "" },
    ];
    expect(new SseParser().push(text)).toEqual(expected);
    for (let size = 1; size < text.length; size += 1) {
      const parser = new SseParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual(expected);
    }
  });

  it("that have no data or no end are not told", () => {
    expect(new SseParser().push("event: presence\nid: 1\n\ndata: half\n")).toEqual([]);
  });

  it("that never end do not fill the memory", () => {
    const parser = new SseParser();
    const line = `data: ${"x".repeat(1 << 20)}\n`;
    expect(() => {
      for (let lines = 0; lines < 20; lines += 1) parser.push(line);
    }).toThrow("too long");
  });

  it("come from bytes, characters cut in two included", async () => {
    const bytes = new TextEncoder().encode("data: Küche\n\n");
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const found = [];
    for await (const event of events(stream)) found.push(event.data);
    expect(found).toEqual(["Küche"]);
  });
});

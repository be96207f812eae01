/** What the server and the device say to each other, the newest first, while the page is open. */

import { useEffect, useState } from "react";

import { events } from "../api/sse";
import type { LogLine } from "../api/types";
import { kindOf } from "../model/record";
import { useApi } from "../session";
import { Empty, wordsOf } from "../ui/Note";
import { Clock } from "../ui/Time";

/** Lines that are shown; older ones are dropped. */
const LINES_MAX = 200;
/** Pause before the stream is opened again, in milliseconds. */
const PAUSE = 2_000;

interface Line extends LogLine {
  number: number;
}

export function Log({ device }: { device: string }) {
  const { lines, complaint, isOpen, clear } = useLog(device);
  return (
    <section className="events" aria-label="Log">
      <div className="tools">
        <span className={isOpen ? "tag good" : "tag"} role="status">
          {isOpen ? "live" : complaint === "" ? "connecting …" : "connection lost, trying again …"}
        </span>
        {complaint !== "" && <span className="muted">{complaint}</span>}
        <button type="button" onClick={clear} disabled={lines.length === 0}>
          Clear the list
        </button>
      </div>
      {lines.length === 0 ? (
        <Empty title="Nothing yet">
          <p>Records that go between the server and the device are shown here as they go, without their secrets. Nothing is kept.</p>
        </Empty>
      ) : (
        <ol className="event-list log">
          {lines.map((line) => (
            <li key={line.number}>
              <Clock at={line.at} />
              <span className="tag">{DIRECTIONS[line.type]}</span>
              <span className="what">
                <What line={line} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

const DIRECTIONS: Record<LogLine["type"], string> = { missed: "missed", note: "note", received: "received", sent: "sent" };

function What({ line }: { line: LogLine }) {
  if (line.type === "missed") return <>{line.count} Records came faster than they could be shown</>;
  if (line.record === undefined) return <>{line.note}</>;
  return (
    <details>
      <summary>{kindOf(line.record)}</summary>
      <pre className="exact">{JSON.stringify(line.record, undefined, 2)}</pre>
    </details>
  );
}

function useLog(device: string) {
  const api = useApi();
  const [lines, setLines] = useState<Line[]>([]);
  const [isOpen, setIsOpen] = useState(false);
  const [complaint, setComplaint] = useState("");
  useEffect(() => {
    const ended = new AbortController();
    let number = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const follow = async () => {
      try {
        const stream = await api.log(device, ended.signal);
        setIsOpen(true);
        setComplaint("");
        for await (const event of events(stream)) {
          number += 1;
          const line: Line = { ...(JSON.parse(event.data) as LogLine), number };
          setLines((before) => [line, ...before].slice(0, LINES_MAX));
        }
        setComplaint("the stream ended");
      } catch (error) {
        if (ended.signal.aborted) return;
        setComplaint(wordsOf(error));
      }
      setIsOpen(false);
      if (!ended.signal.aborted) timer = setTimeout(() => void follow(), PAUSE);
    };
    void follow();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [api, device]);
  return { lines, isOpen, complaint, clear: () => setLines([]) };
}

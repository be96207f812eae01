/** What the device said, the newest first, and what it was asked to tell. */

import type { DeviceEvent, Values } from "../api/types";
import { Clock } from "../ui/Time";
import { Clipped } from "../ui/Clipped";
import { Empty, wordsOf } from "../ui/Note";
import { type Stream, useLive } from "./live";
import { useUnwatch, useWatches } from "./watches";

const STREAMS: Record<Stream, string> = { connecting: "connecting …", live: "live", lost: "connection lost, trying again …" };

export function Events({ device }: { device: string }) {
  const { events, stream, complaint, clear } = useLive();
  return (
    <section className="events" aria-label="Events">
      <div className="tools">
        <span className={stream === "live" ? "tag good" : "tag"} role="status">
          {STREAMS[stream]}
        </span>
        {stream === "lost" && complaint && <span className="muted">{wordsOf(complaint)}</span>}
        <Watches device={device} />
        <button type="button" onClick={clear} disabled={events.length === 0}>
          Clear the list
        </button>
      </div>
      {events.length === 0 ? (
        <Empty title="Nothing yet">
          <p>
            A device tells what it was asked to tell. Choose an object or a table under <em>Data model</em> and press{" "}
            <em>Watch</em>: changes of values, and rows that come and go, are shown here.
          </p>
        </Empty>
      ) : (
        <ol className="event-list">
          {events.map((event) => (
            <li key={event.id}>
              <Clock at={event.at} />
              <span className="tag">{event.type}</span>
              <span className="what">
                <What event={event} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Watches({ device }: { device: string }) {
  const { data } = useWatches(device);
  const unwatch = useUnwatch(device);
  if (!data || data.length === 0) return null;
  return (
    <ul className="watches" aria-label="Watched objects">
      {data.map((watch) => (
        <li key={watch.path}>
          <code>{watch.path}</code>
          <button type="button" className="link" aria-label={`Watch ${watch.path} no longer`} disabled={unwatch.isPending} onClick={() => unwatch.mutate(watch)}>
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function What({ event }: { event: DeviceEvent }) {
  switch (event.type) {
    case "ValueChange":
      return (
        <>
          <code>{event.path}</code> <span className="muted">is now</span> <code className="exact">{event.value ? <Clipped text={event.value} /> : "(empty)"}</code>
        </>
      );
    case "Event":
      return (
        <>
          <code>
            {event.path}
            {event.event}
          </code>
          <Arguments values={event.arguments} />
        </>
      );
    case "OperationComplete":
      return (
        <>
          <code>
            {event.path}
            {event.command}
          </code>{" "}
          {event.failed ? (
            <span className="complaint">
              {event.failed.code}: {event.failed.text}
            </span>
          ) : (
            <Arguments values={event.completed} />
          )}
        </>
      );
    case "OnBoardRequest":
      return (
        <>
          {event.oui} {event.product_class} {event.serial_number}
        </>
      );
    default:
      return (
        <>
          <code>{event.path}</code>
          <Arguments values={event.unique_keys} />
        </>
      );
  }
}

function Arguments({ values }: { values: Values | undefined }) {
  return Object.entries(values ?? {}).map(([name, value]) => (
    <span key={name} className="argument">
      <span className="muted">{name}</span> {value === "" ? "(empty)" : <Clipped text={value} />}
    </span>
  ));
}

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { Problem } from "../api/client";
import type { Contact } from "../api/types";
import { reasonName } from "../model/reason";
import { go, href } from "../route";
import { useServer } from "../server";
import { useApi } from "../session";
import { Empty, ProblemNote, Words } from "../ui/Note";
import { Presence } from "../ui/Presence";
import { Ago } from "../ui/Time";
import { useNow } from "../ui/hooks";

/** How often failed contacts are asked for again, in milliseconds. */
const INTERVAL = 5_000;
/** How long somebody pauses before what was typed is looked for, in milliseconds. */
const PAUSE = 300;

/** Who tried to connect and did not get in, why, and what to do about it. */
export function Doctor({ device }: { device: string }) {
  const api = useApi();
  const wanted = device.trim();
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ["contacts", wanted],
    queryFn: ({ pageParam, signal }) => api.contacts(wanted, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (query.state.error ? false : INTERVAL),
  });
  const contacts = data?.pages.flatMap((page) => page.contacts) ?? [];
  const now = useNow(INTERVAL);
  return (
    <div className="page">
      <div className="list-head">
        <h1>Doctor</h1>
        <Search device={device} />
      </div>
      <p className="muted">
        Contacts with the server that failed, each with its cause and what mends it. <Door />
      </p>
      {wanted !== "" && <Known device={wanted} />}
      {error instanceof Problem && error.status === 404 ? (
        <Empty title="This server keeps no refused contacts">
          <p>
            Its version does not have that yet. The reason why a device was refused stands in the server’s log, and in
            that of the device.
          </p>
        </Empty>
      ) : error && !data ? (
        <ProblemNote error={error} retry={() => void refetch()} />
      ) : !isPending && contacts.length === 0 ? (
        <Nobody device={wanted} />
      ) : (
        <ul className="contacts">
          {contacts.map((contact) => (
            <One key={contact.id} contact={contact} now={now} wanted={wanted} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          More
        </button>
      )}
    </div>
  );
}

function Search({ device }: { device: string }) {
  const [text, setText] = useState(device);
  const [shown, setShown] = useState(device);
  // A link may have led elsewhere meanwhile.
  if (shown !== device) {
    setShown(device);
    setText(device);
  }
  useEffect(() => {
    if (text === device) return;
    const timer = setTimeout(() => go({ page: "doctor", device: text }, true), PAUSE);
    return () => clearTimeout(timer);
  }, [text, device]);
  return (
    <input
      type="search"
      aria-label="Look for a device"
      placeholder="Endpoint ID, alias, or address"
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

/** Where devices are to connect, and to whom. */
function Door() {
  const { data } = useServer();
  if (!data) return null;
  return (
    <>
      Devices connect at <code>{data.ws}</code> to the Controller <code>{data.endpoint_id}</code>.
    </>
  );
}

/** How a device is that is looked for, where the inventory has it. */
function Known({ device }: { device: string }) {
  const api = useApi();
  const { data } = useQuery({
    queryKey: ["device", device],
    queryFn: ({ signal }) => api.device(device, signal),
    refetchInterval: (query) => (query.state.error ? false : INTERVAL),
  });
  const now = useNow(INTERVAL);
  if (!data) return null;
  return (
    <p className="known">
      <a href={placeOf(data.endpoint_id)}>{data.alias ?? data.endpoint_id}</a>
      <Presence online={data.online} state={data.state} />
      {!data.online && (
        <span className="muted">
          last seen <Ago at={data.last_seen} now={now} />
        </span>
      )}
    </p>
  );
}

function placeOf(id: string): string {
  return href({ page: "device", id, tab: "model", path: "Device." });
}

function One({ contact, now, wanted }: { contact: Contact; now: number; wanted: string }) {
  const { endpoint_id: id } = contact;
  return (
    <li>
      <p className="contact-head">
        <span className="tag bad">{reasonName(contact.reason)}</span>
        <Ago at={contact.at} now={now} />
        <code>{contact.remote}</code>
        <span>{contact.mtp}</span>
        {id && id !== wanted && (
          <a href={href({ page: "doctor", device: id })} title="Only what concerns this device">
            <code>{id}</code>
          </a>
        )}
        {contact.count > 1 && (
          <span className="muted">
            {contact.count.toLocaleString("en")} times, first <Ago at={contact.first} now={now} />
          </span>
        )}
      </p>
      <p>
        <Words text={contact.detail} />
      </p>
      <p className="advice">
        <Words text={contact.advice} />
        {id && contact.reason === "not_approved" && (
          <>
            {" "}
            <a href={placeOf(id)}>Look at the device</a>
          </>
        )}
      </p>
    </li>
  );
}

function Nobody({ device }: { device: string }) {
  return (
    <Empty title={device === "" ? "Nobody was refused" : "Nothing is known of such a contact"}>
      <p>A device that is missing here has not reached the server at all: look at its address for the server, its network and its log.</p>
    </Empty>
  );
}

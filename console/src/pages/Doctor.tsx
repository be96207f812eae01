import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { Problem } from "../api/client";
import type { Contact } from "../api/types";
import { go, href } from "../route";
import { useApi } from "../session";
import { Empty, ProblemNote } from "../ui/Note";
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
      <p className="muted">Contacts with the server that failed, each with its cause and what mends it.</p>
      {error instanceof Problem && error.status === 404 ? (
        <Empty title="This server keeps no refused contacts">
          <p>
            Its version does not have that yet. The reason why a device was refused stands in the server’s log, and in
            that of the device.
          </p>
        </Empty>
      ) : error ? (
        <ProblemNote error={error} retry={() => void refetch()} />
      ) : !isPending && contacts.length === 0 ? (
        <Nobody device={wanted} />
      ) : (
        <ul className="contacts">
          {contacts.map((contact) => (
            <One key={contact.id} contact={contact} now={now} />
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

function One({ contact, now }: { contact: Contact; now: number }) {
  const { endpoint_id: id } = contact;
  return (
    <li>
      <p className="contact-head">
        <span className="tag bad">{contact.reason.replaceAll("_", " ")}</span>
        <Ago at={contact.at} now={now} />
        <code>{contact.remote}</code>
        <span>{contact.mtp}</span>
        {id && (
          <a href={href({ page: "doctor", device: id })}>
            <code>{id}</code>
          </a>
        )}
        {contact.count > 1 && (
          <span className="muted">
            {contact.count.toLocaleString("en")} times, first <Ago at={contact.first} now={now} />
          </span>
        )}
      </p>
      <p>{contact.detail}</p>
      <p className="advice">{contact.advice}</p>
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

import { useInfiniteQuery } from "@tanstack/react-query";

import { Problem } from "../api/client";
import { useApi } from "../session";
import { Empty, ProblemNote } from "../ui/Note";
import { Clock } from "../ui/Time";

/** How often refused contacts are asked for again, in milliseconds. */
const INTERVAL = 10_000;

/** Who tried to connect and was refused, why, and what to do about it. */
export function Doctor() {
  const api = useApi();
  const { data, error, isPending, hasNextPage, fetchNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ["contacts"],
    queryFn: ({ pageParam, signal }) => api.contacts(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    refetchInterval: (query) => (query.state.error ? false : INTERVAL),
  });
  const contacts = data?.pages.flatMap((page) => page.contacts) ?? [];
  return (
    <div className="page">
      <h1>Doctor</h1>
      <p className="muted">Contacts that the server refused, each with its cause and what mends it.</p>
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
        <Empty title="Nobody was refused">
          <p>A device that is missing here has not reached the server at all: look at its address, network and log.</p>
        </Empty>
      ) : (
        <ul className="contacts">
          {contacts.map((contact) => (
            <li key={contact.id}>
              <p className="contact-head">
                <Clock at={contact.at} />
                <code>{contact.remote}</code>
                <span>{contact.mtp}</span>
                {contact.endpoint_id && <code>{contact.endpoint_id}</code>}
                <span className="tag bad">{contact.reason.replaceAll("_", " ")}</span>
              </p>
              <p>{contact.detail}</p>
              <p className="advice">{contact.advice}</p>
            </li>
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

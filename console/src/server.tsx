/** What is told of the server itself: how many devices are there, and whether it is. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { Problem } from "./api/client";
import { ALL_DEVICES, href } from "./route";
import { useApi } from "./session";
import { wordsOf } from "./ui/Note";

/** How often the server is asked for what it is, and while it does not answer, in milliseconds. */
const INTERVAL = { there: 5_000, gone: 2_000 };

export function useServer() {
  const api = useApi();
  return useQuery({
    queryKey: ["server"],
    queryFn: ({ signal }) => api.server(signal),
    retry: false,
    refetchInterval: (query) => (query.state.error ? INTERVAL.gone : INTERVAL.there),
  });
}

/** The numbers in the bar. */
export function Summary() {
  const { data } = useServer();
  if (!data) return <p className="summary" />;
  return (
    <p className="summary" title={`${data.endpoint_id}, version ${data.version}`}>
      {data.pending > 0 && (
        <a href={href({ ...ALL_DEVICES, show: "pending" })}>
          {data.pending.toLocaleString("en")} {data.pending === 1 ? "waits" : "wait"} for approval
        </a>
      )}
      <span>
        {data.online.toLocaleString("en")} of {data.devices.toLocaleString("en")} online
      </span>
    </p>
  );
}

/** Says above every page that the server is gone, or cannot work. What failed meanwhile is asked for again when it is back. */
export function Trouble() {
  const queries = useQueryClient();
  const { data, error, dataUpdatedAt } = useServer();
  const wasGone = useRef(false);
  useEffect(() => {
    if (error) {
      wasGone.current = true;
    } else if (wasGone.current) {
      wasGone.current = false;
      void queries.invalidateQueries();
    }
  }, [error, dataUpdatedAt, queries]);
  const words = error ? wordsOfGone(error) : data && data.store !== "ok" ? STORE[data.store] : undefined;
  return (
    <div role="status">
      {words !== undefined && <p className="trouble">{words}</p>}
    </div>
  );
}

const STORE: Record<string, string> = {
  full: "The disk of the server is full: nothing is kept until there is room.",
  failed: "The server cannot write to its database: nothing is kept. Its log says why.",
  slow: "The server takes long to write to its database.",
};

function wordsOfGone(error: unknown): string {
  const isGone = !(error instanceof Problem) || error.status === 0 || error.status >= 502;
  if (isGone) return "The server does not answer. What you see may be old; it is taken up again when the server is back.";
  return `${wordsOf(error)}.`;
}

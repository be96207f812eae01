/** What the console has a device tell: changes of values, and rows that come and go, for a day. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { useApi } from "../session";
import { wordsOf } from "../ui/Note";
import { OURS, subscribe, SUBSCRIPTIONS, unsubscribe } from "./subscriptions";

/** How long a watch lasts unless it is ended, in seconds. */
const DAY = 86_400;

/** What is told of an object, and of a table. */
const KINDS = { values: ["ValueChange"], rows: ["ObjectCreation", "ObjectDeletion"] } as const;

/** Subscriptions of the console to one path. */
export interface Watch {
  path: string;
  rows: string[];
}

/** What the console watches on a device. */
export function useWatches(device: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["watches", device],
    queryFn: async ({ signal }) => {
      const result = (await api.get(device, [SUBSCRIPTIONS], 2, signal)).results[0];
      const watches = new Map<string, Watch>();
      for (const { path: row, parameters } of result?.found ?? []) {
        // The ends of commands are waited for where these were run.
        if (!parameters.ID?.startsWith(OURS) || parameters.NotifType === "OperationComplete") continue;
        const path = parameters.ReferenceList ?? "";
        watches.set(path, { path, rows: [...(watches.get(path)?.rows ?? []), row] });
      }
      return [...watches.values()];
    },
  });
}

export function useUnwatch(device: string) {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (watch: Watch) => Promise.all(watch.rows.map((row) => unsubscribe(api, device, row))),
    onSettled: () => queries.invalidateQueries({ queryKey: ["watches", device] }),
  });
}

/** Turns the watch on an object or a table on and off. */
export function WatchSwitch({ device, path, kind }: { device: string; path: string; kind: keyof typeof KINDS }) {
  const api = useApi();
  const queries = useQueryClient();
  const watches = useWatches(device);
  const unwatch = useUnwatch(device);
  const watch = useMutation({
    mutationFn: () => Promise.all(KINDS[kind].map((each) => subscribe(api, device, each, path, DAY))),
    onSettled: () => queries.invalidateQueries({ queryKey: ["watches", device] }),
  });
  const known = watches.data?.find((each) => each.path === path);
  const error = watch.error ?? unwatch.error;
  return (
    <>
      <button
        type="button"
        aria-pressed={known !== undefined}
        disabled={watches.isPending || watch.isPending || unwatch.isPending}
        title="Has the device tell of changes here, on the page Events, for a day"
        onClick={() => (known ? unwatch.mutate(known) : watch.mutate())}
      >
        {known ? "Watched" : "Watch"}
      </button>
      {error && (
        <span className="complaint" role="alert">
          {wordsOf(error)}
        </span>
      )}
    </>
  );
}

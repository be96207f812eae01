/** Commands that were run from this page, and how they ended. */

import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useRef, useState } from "react";

import type { Failure, Values } from "../api/types";
import { useApi } from "../session";
import { wordsOf } from "../ui/Note";
import { useLive } from "./live";
import { subscribe, unsubscribe } from "./subscriptions";

/** Runs that are shown of all commands together. */
const RUNS_MAX = 20;
/** How long the device remembers to tell of the end of a command, in seconds. */
const LEASE = 900;

export interface Run {
  key: string;
  command: string;
  at: number;
  state: "sent" | "running" | "completed" | "failed";
  outputs?: Values;
  failure?: Failure;
  /** Why there is no answer, or none to wait for. */
  note?: string;
}

interface Runs {
  runs: Run[];
  start: (command: string, isLong: boolean, args: Values) => Promise<void>;
}

const Context = createContext<Runs | undefined>(undefined);

export function useRuns(): Runs {
  const runs = use(Context);
  if (!runs) throw new Error("used outside of a device's page");
  return runs;
}

export function RunsProvider({ device, children }: { device: string; children: ReactNode }) {
  const api = useApi();
  const { events } = useLive();
  const [started, setStarted] = useState<Run[]>([]);
  /** The Subscriptions that wait for the end of a run, by its key. */
  const waiting = useRef(new Map<string, string>());

  const start = useCallback(
    async (command: string, isLong: boolean, args: Values) => {
      const key = `console-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
      const update = (change: Partial<Run>) => setStarted((before) => before.map((run) => (run.key === key ? { ...run, ...change } : run)));
      const first: Run = { key, command, at: Date.now(), state: "sent" };
      setStarted((before) => [first, ...before].slice(0, RUNS_MAX));
      let missing = "";
      try {
        // Where the server hears of the end itself, that comes with the events; otherwise we have to ask for it.
        if (isLong && (await api.device(device)).subscriptions !== "kept") {
          // Before it is run, so that its end is not missed.
          const row = await subscribe(api, device, "OperationComplete", command, LEASE).catch((error: unknown) => {
            missing = `The device will not tell of the end: ${wordsOf(error)}`;
          });
          if (row) waiting.current.set(key, row);
        }
        const result = (await api.operate(device, command, key, args)).results[0];
        if (result?.failed) update({ state: "failed", failure: result.failed });
        else if (result?.completed) update({ state: "completed", outputs: result.completed });
        else if (result?.started !== undefined) update({ state: "running", note: missing });
        else update({ state: "failed", note: "The device did not say what it did." });
        if (result?.started === undefined) forget(key);
      } catch (error) {
        update({ state: "failed", note: wordsOf(error) });
        forget(key);
      }
      function forget(ended: string) {
        const row = waiting.current.get(ended);
        waiting.current.delete(ended);
        if (row) void unsubscribe(api, device, row).catch(() => undefined);
      }
    },
    [api, device],
  );

  const runs = useMemo(
    () =>
      started.map((run): Run => {
        if (run.state !== "running" && run.state !== "sent") return run;
        const end = events.find((event) => event.type === "OperationComplete" && event.command_key === run.key);
        if (!end) return run;
        return end.failed ? { ...run, state: "failed", failure: end.failed } : { ...run, state: "completed", outputs: end.completed ?? {} };
      }),
    [started, events],
  );
  useEffect(() => {
    for (const run of runs) {
      const row = waiting.current.get(run.key);
      if (row === undefined || (run.state !== "completed" && run.state !== "failed")) continue;
      waiting.current.delete(run.key);
      void unsubscribe(api, device, row).catch(() => undefined);
    }
  }, [api, device, runs]);

  const value = useMemo(() => ({ runs, start }), [runs, start]);
  return <Context value={value}>{children}</Context>;
}

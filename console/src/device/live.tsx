/** What one device says, as it says it: one stream for its whole page, taken up again when it is cut. */

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";

import { Problem } from "../api/client";
import { events } from "../api/sse";
import type { DeviceEvent } from "../api/types";
import { parentOf } from "../model/path";
import { useApi } from "../session";

/** Events that are shown; older ones are dropped. */
const EVENTS_MAX = 500;
/** Pauses between two tries to take up the stream, in milliseconds. */
const PAUSE = { first: 500, most: 5_000, refused: 15_000 };

/** The first words of the keys of what is asked of a device. */
const ASKED = ["schema", "get", "instances", "watches"];

export type Stream = "connecting" | "live" | "lost";

export interface Live {
  /** The newest first. */
  events: DeviceEvent[];
  stream: Stream;
  /** Whether the device can be asked; unknown until the stream has told. */
  online: boolean | undefined;
  /** Why there is no stream. */
  complaint: string;
  clear: () => void;
}

const Context = createContext<Live | undefined>(undefined);

export function useLive(): Live {
  const live = use(Context);
  if (!live) throw new Error("used outside of a device's page");
  return live;
}

export function LiveProvider({ device, children }: { device: string; children: ReactNode }) {
  const api = useApi();
  const queries = useQueryClient();
  const [told, setTold] = useState<DeviceEvent[]>([]);
  const [stream, setStream] = useState<Stream>("connecting");
  const [online, setOnline] = useState<boolean>();
  const [complaint, setComplaint] = useState("");

  useEffect(() => {
    const ended = new AbortController();
    // What is kept from before comes first; after a cut, what came meanwhile.
    let last = 0;
    let pause = PAUSE.first;
    let wasAway = false;

    const follow = async (signal: AbortSignal) => {
      for await (const event of events(await api.live(device, last, signal))) {
        setStream("live");
        setComplaint("");
        pause = PAUSE.first;
        if (event.name === "presence") {
          const isOnline = (JSON.parse(event.data) as { online: boolean }).online;
          setOnline(isOnline);
          if (isOnline && wasAway) {
            // It may be another by now: new firmware, other rows, no Subscription of ours.
            for (const asked of ASKED) void queries.invalidateQueries({ queryKey: [asked, device] });
          }
          wasAway = !isOnline;
          void queries.invalidateQueries({ queryKey: ["device", device] });
        } else if (event.name === "reset") {
          // The server was put back to a backup: its numbers begin again from there.
          last = (JSON.parse(event.data) as { last: number }).last;
          setTold([]);
        } else if (event.name === "message") {
          const heard = JSON.parse(event.data) as DeviceEvent;
          last = Math.max(last, heard.id);
          setTold((before) => (before.some((each) => each.id === heard.id) ? before : [heard, ...before].slice(0, EVENTS_MAX)));
          refresh(heard);
        }
      }
    };
    /** What is on the screen and no longer true is read anew. */
    const refresh = (event: DeviceEvent) => {
      const object = event.path === undefined ? undefined : parentOf(event.path);
      if (object === undefined) return;
      if (event.type === "ValueChange") void queries.invalidateQueries({ queryKey: ["get", device, object] });
      if (event.type.startsWith("Object")) void queries.invalidateQueries({ queryKey: ["instances", device, object] });
    };
    const isOver = () => ended.signal.aborted;
    const keepFollowing = async () => {
      for (;;) {
        await shown(ended.signal);
        // A browser has few connections to one server: a page that nobody sees gives its one back.
        const hidden = new AbortController();
        const onChange = () => document.hidden && hidden.abort();
        document.addEventListener("visibilitychange", onChange);
        try {
          await follow(AbortSignal.any([ended.signal, hidden.signal]));
        } catch (error) {
          if (isOver()) return;
          if (hidden.signal.aborted) continue;
          setComplaint(error instanceof Error ? error.message : String(error));
          // The token is gone, or the device is.
          if (error instanceof Problem && [401, 403, 404].includes(error.status)) pause = PAUSE.refused;
        } finally {
          document.removeEventListener("visibilitychange", onChange);
        }
        if (isOver()) return;
        setStream("lost");
        await sleep(pause, ended.signal);
        if (isOver()) return;
        pause = Math.min(pause * 2, PAUSE.most);
      }
    };
    void keepFollowing();
    return () => ended.abort();
  }, [api, device, queries]);

  const live = useMemo(
    () => ({ events: told, stream, online, complaint, clear: () => setTold([]) }),
    [told, stream, online, complaint],
  );
  return <Context value={live}>{children}</Context>;
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** Waits until the page is seen. */
function shown(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const onChange = () => {
      document.removeEventListener("visibilitychange", onChange);
      resolve();
    };
    document.addEventListener("visibilitychange", onChange);
    signal.addEventListener("abort", onChange, { once: true });
  });
}

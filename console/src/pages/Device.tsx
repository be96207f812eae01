/** One device: who it is, its data model, what it says. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, type ReactNode, useState } from "react";

import { Problem } from "../api/client";
import type { Device } from "../api/types";
import { About } from "../device/About";
import { Waiting } from "../device/approval";
import { Events } from "../device/Events";
import { LiveProvider, useLive } from "../device/live";
import { Log } from "../device/Log";
import { Model } from "../device/Model";
import { RunsProvider } from "../device/runs";
import { EditTags, Tags } from "../device/Tags";
import { ALL_DEVICES, go, href, type Route, type Tab } from "../route";
import { useApi } from "../session";
import { Dialog } from "../ui/Dialog";
import { Empty, ProblemNote, wordsOf } from "../ui/Note";
import { Presence } from "../ui/Presence";

/** How often a device is asked for that waits, and any other, in milliseconds. */
const INTERVAL = { waiting: 2_000, known: 10_000 };

type Place = Extract<Route, { page: "device" }>;

const TABS: [Tab, string][] = [
  ["model", "Data model"],
  ["events", "Events"],
  ["log", "Log"],
  ["about", "About"],
];

export function DevicePage({ route }: { route: Place }) {
  const api = useApi();
  const { data, error, refetch } = useQuery({
    queryKey: ["device", route.id],
    queryFn: ({ signal }) => api.device(route.id, signal),
    refetchInterval: ({ state }) => (state.error ? false : state.data?.state === "pending" ? INTERVAL.waiting : INTERVAL.known),
  });
  if (error instanceof Problem && error.status === 404) {
    return (
      <div className="page">
        <Empty title="No such device">
          <p>
            <code>{route.id}</code> is not in the inventory. It comes back when it connects.{" "}
            <a href={href({ page: "doctor", device: route.id })}>Why is it not there?</a>{" "}
            <a href={href(ALL_DEVICES)}>All devices</a>
          </p>
        </Empty>
      </div>
    );
  }
  if (error && !data) {
    return (
      <div className="page">
        <ProblemNote error={error} retry={() => void refetch()} />
      </div>
    );
  }
  if (!data) return <div className="page" aria-busy="true" />;
  const isWaiting = data.state === "pending";
  return (
    <LiveProvider device={data.endpoint_id}>
      <RunsProvider device={data.endpoint_id}>
        <div className="page fill device">
          <Head device={data} />
          <nav className="tabs" aria-label="Parts of the device">
            {TABS.map(([tab, name]) => (
              <a key={tab} href={href({ ...route, tab, path: "Device." })} aria-current={route.tab === tab ? "page" : undefined}>
                {name}
                {tab === "events" && <EventCount />}
              </a>
            ))}
          </nav>
          {isWaiting && <Waiting device={data} />}
          {route.tab === "model" && !isWaiting && <Model device={data.endpoint_id} path={route.path} />}
          {route.tab === "events" && !isWaiting && <Events device={data.endpoint_id} />}
          {route.tab === "log" && <Log device={data.endpoint_id} />}
          {route.tab === "about" && <About device={data} />}
        </div>
      </RunsProvider>
    </LiveProvider>
  );
}

function EventCount() {
  const { events } = useLive();
  if (events.length === 0) return null;
  return (
    <>
      {" "}
      <span className="count">{events.length}</span>
    </>
  );
}

function Head({ device }: { device: Device }) {
  const live = useLive();
  const isOnline = live.online ?? device.online;
  const [open, setOpen] = useState<"rename" | "tags" | "remove">();
  const close = () => setOpen(undefined);
  return (
    <header className="device-head">
      <div>
        <h1>{device.alias ?? device.endpoint_id}</h1>
        <p className="muted">
          <Presence online={isOnline} state={device.state} />
          {!isOnline && <a href={href({ page: "doctor", device: device.endpoint_id })}>Why?</a>}
          {device.alias !== null && <code>{device.endpoint_id}</code>}
        </p>
        <Tags device={device} />
      </div>
      <div className="actions">
        <button type="button" onClick={() => setOpen("rename")}>
          Rename
        </button>
        <button type="button" onClick={() => setOpen("tags")}>
          Tags
        </button>
        <button type="button" onClick={() => setOpen("remove")}>
          Remove
        </button>
      </div>
      {open === "rename" && <Rename device={device} onClose={close} />}
      {open === "tags" && <EditTags device={device} onClose={close} />}
      {open === "remove" && <Remove device={device} onClose={close} />}
    </header>
  );
}

function Rename({ device, onClose }: { device: Device; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [alias, setAlias] = useState(device.alias ?? "");
  const rename = useMutation({
    mutationFn: () => api.rename(device.endpoint_id, alias.trim() === "" ? null : alias.trim()),
    onSuccess: (renamed) => {
      queries.setQueryData(["device", device.endpoint_id], renamed);
      void queries.invalidateQueries({ queryKey: ["devices"] });
      onClose();
    },
  });
  return (
    <Dialog title="Rename the device" onClose={onClose}>
      <Question act="Rename" isBusy={rename.isPending} error={rename.error} onClose={onClose} onAct={() => rename.mutate()}>
        <label htmlFor="alias">Alias</label>
        <input id="alias" value={alias} maxLength={64} autoFocus onChange={(event) => setAlias(event.target.value)} />
        <p className="muted">A name that stands for the Endpoint ID, here and on the command line. Empty for none.</p>
      </Question>
    </Dialog>
  );
}

function Remove({ device, onClose }: { device: Device; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => api.remove(device.endpoint_id),
    onSuccess: () => {
      queries.removeQueries({ queryKey: ["device", device.endpoint_id] });
      void queries.resetQueries({ queryKey: ["devices"] });
      go(ALL_DEVICES);
    },
  });
  return (
    <Dialog title="Remove the device?" onClose={onClose}>
      <Question act="Remove" isGrave isBusy={remove.isPending} error={remove.error} onClose={onClose} onAct={() => remove.mutate()}>
        <p>
          The server forgets <code>{device.endpoint_id}</code> with its alias and events, and ends its connection. The
          device itself is not changed: it is listed anew when it connects the next time.
        </p>
      </Question>
    </Dialog>
  );
}

function Question(props: {
  act: string;
  isGrave?: boolean;
  isBusy: boolean;
  error: unknown;
  onClose: () => void;
  onAct: () => void;
  children: ReactNode;
}) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    props.onAct();
  };
  return (
    <form onSubmit={submit}>
      {props.children}
      <p className="complaint" role="alert">
        {props.error ? wordsOf(props.error) : ""}
      </p>
      <div className="actions">
        <button type="button" onClick={props.onClose}>
          Cancel
        </button>
        <button type="submit" className={props.isGrave ? "primary grave" : "primary"} disabled={props.isBusy}>
          {props.act}
        </button>
      </div>
    </form>
  );
}

/** The list of devices: searched and paged by the server, of which only the visible rows are drawn. */

import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";

import type { Device } from "../api/types";
import { merged, type Pages } from "../model/pages";
import { go, href } from "../route";
import { useApi } from "../session";
import { Empty, ProblemNote } from "../ui/Note";
import { Presence } from "../ui/Presence";
import { Ago } from "../ui/Time";
import { useMedia, useNow } from "../ui/hooks";

/** Devices of one page of the API. */
const PAGE = 500;
/** How often the devices in view are asked for again, in milliseconds. */
const INTERVAL = 5_000;
/** How long somebody pauses before what was typed is searched for, in milliseconds. */
const PAUSE = 200;
/** Heights of a row, in pixels, as the style sheet has them. */
const ROW = { wide: 34, narrow: 60 };

interface Filter {
  search: string;
  online: boolean | undefined;
}

export function Devices({ search, online }: Filter) {
  return (
    <div className="page fill">
      <div className="list-head">
        <h1>Devices</h1>
        <Search search={search} online={online} />
        <div className="choice" role="group" aria-label="Presence">
          {([undefined, true, false] as const).map((choice) => (
            <button
              key={String(choice)}
              type="button"
              aria-pressed={online === choice}
              onClick={() => go({ page: "devices", search, online: choice })}
            >
              {choice === undefined ? "All" : choice ? "Online" : "Offline"}
            </button>
          ))}
        </div>
      </div>
      <List search={search} online={online} />
    </div>
  );
}

function Search({ search, online }: Filter) {
  const [text, setText] = useState(search);
  useEffect(() => {
    if (text === search) return;
    const timer = setTimeout(() => go({ page: "devices", search: text, online }, true), PAUSE);
    return () => clearTimeout(timer);
  }, [text, search, online]);
  return (
    <input
      type="search"
      aria-label="Search devices"
      placeholder="Endpoint ID, alias, product, serial number, address"
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

function List({ search, online }: Filter) {
  const api = useApi();
  const queries = useQueryClient();
  const query = useMemo(() => ({ search: search.trim(), ...(online === undefined ? {} : { online }) }), [search, online]);
  const key = useMemo(() => ["devices", query], [query]);
  const { data, error, isPending, isPlaceholderData, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => api.devices(query, pageParam, PAGE, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    // To compare all that was loaded with itself, on each page, takes longer than to draw what is visible.
    structuralSharing: false,
  });
  const devices = useMemo(() => data?.pages.flatMap((page) => page.devices) ?? [], [data]);

  const scroller = useRef<HTMLDivElement>(null);
  const height = useMedia("(max-width: 720px)") ? ROW.narrow : ROW.wide;
  const rows = useVirtualizer({
    count: devices.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });
  useEffect(() => rows.measure(), [height, rows]);
  const shown = rows.getVirtualItems();
  const first = shown[0]?.index ?? 0;
  const last = shown.at(-1)?.index ?? 0;

  const isNearEnd = last >= devices.length - PAGE / 2;
  useEffect(() => {
    if (isNearEnd && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [isNearEnd, hasNextPage, isFetchingNextPage, fetchNextPage]);

  // Only the pages in view are kept live, however many were scrolled through.
  const pages = data?.pageParams.slice(Math.floor(first / PAGE), Math.floor(last / PAGE) + 1) ?? [];
  useQuery({
    queryKey: ["devices-in-view", query, pages],
    enabled: !isPending && !isPlaceholderData,
    refetchInterval: INTERVAL,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const fresh: Pages = await Promise.all(
        pages.map(async (after) => ({ after: after as string | undefined, page: await api.devices(query, after as string | undefined, PAGE, signal) })),
      );
      queries.setQueryData<typeof data>(key, (old) => old && merged(old, fresh));
      return Date.now();
    },
  });

  const now = useNow(INTERVAL);
  if (error && !data) return <ProblemNote error={error} retry={() => void refetch()} />;
  if (data && devices.length === 0 && !hasNextPage) return <NoDevices isFiltered={query.search !== "" || online !== undefined} />;
  return (
    <>
      <div className="table" role="table" aria-label="Devices" aria-rowcount={hasNextPage ? -1 : devices.length + 1} aria-busy={isPending || isPlaceholderData}>
        <div role="rowgroup">
          <div className="row head" role="row" aria-rowindex={1}>
            <span role="columnheader">Device</span>
            <span role="columnheader">Presence</span>
            <span role="columnheader">Product</span>
            <span role="columnheader">Serial number</span>
            <span role="columnheader">Software</span>
            <span role="columnheader">Address</span>
            <span role="columnheader">Last seen</span>
          </div>
        </div>
        <div className="scroll" role="rowgroup" ref={scroller} tabIndex={-1}>
          <div className="spacer" role="presentation" style={{ height: rows.getTotalSize() }}>
            {shown.map(({ index, start }) => {
              const device = devices[index];
              return device && <Row key={device.endpoint_id} device={device} index={index} top={start} now={now} />;
            })}
          </div>
        </div>
      </div>
      <p className="foot muted" role="status">
        {isPending ? "Loading …" : countOf(devices.length, hasNextPage)}
      </p>
    </>
  );
}

function Row({ device, index, top, now }: { device: Device; index: number; top: number; now: number }) {
  const to = href({ page: "device", id: device.endpoint_id, tab: "model", path: "Device." });
  return (
    <div className="row" role="row" aria-rowindex={index + 2} style={{ transform: `translateY(${top}px)` }}>
      <span role="cell" className="who">
        <a href={to}>{device.alias ?? device.endpoint_id}</a>
        {device.alias !== null && <code>{device.endpoint_id}</code>}
      </span>
      <span role="cell">
        <Presence online={device.online} />
      </span>
      <span role="cell" className="product">
        {productOf(device)}
      </span>
      <span role="cell" className="wide-only">
        {device.serial_number}
      </span>
      <span role="cell" className="wide-only">
        {device.software_version}
      </span>
      <span role="cell" className="wide-only">
        {device.remote_address}
      </span>
      <span role="cell" className="seen">
        {device.online ? "now" : <Ago at={device.last_seen} now={now} />}
      </span>
    </div>
  );
}

function NoDevices({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No device fits">
        <p>
          <a href={href({ page: "devices", search: "", online: undefined })}>Show all devices</a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No device has connected yet">
      <p>
        Start an Agent that knows this server, for example <code>usphere agent --controller ID=URL</code>. One that is
        refused is told on the page <a href={href({ page: "doctor", device: "" })}>Doctor</a>.
      </p>
    </Empty>
  );
}

function productOf(device: Device): string {
  const parts = [device.manufacturer, device.product_class].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : (device.oui ?? "");
}

function countOf(count: number, hasMore: boolean): string {
  const number = count.toLocaleString("en");
  if (hasMore) return `${number} devices so far; more come as you scroll`;
  return count === 1 ? "1 device" : `${number} devices`;
}

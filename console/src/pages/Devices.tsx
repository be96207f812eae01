/** The list of devices: searched and paged by the server, of which only the visible rows are drawn. */

import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";

import type { DeviceQuery } from "../api/client";
import type { Device } from "../api/types";
import { merged, type Pages } from "../model/pages";
import { useApprove } from "../device/approval";
import { ALL_DEVICES, go, href, type Route, type Show } from "../route";
import { useServer } from "../server";
import { useApi } from "../session";
import { Empty, ProblemNote, wordsOf } from "../ui/Note";
import { Presence } from "../ui/Presence";
import { Ago } from "../ui/Time";
import { useMedia, useNow } from "../ui/hooks";

/** Devices of one page of the API. */
const PAGE = 500;
/** How often the devices in view are asked for again, in milliseconds. */
const INTERVAL = 5_000;
/** How long somebody pauses before what was typed is searched for, in milliseconds. */
const PAUSE = 200;
/** Tags that are shown in a row. */
const TAGS = 2;
/** Heights of a row, in pixels, as the style sheet has them. */
const ROW = { wide: 34, narrow: 60 };

type Filter = Omit<Extract<Route, { page: "devices" }>, "page">;

const CHOICES: [Show, string][] = [
  [undefined, "All"],
  ["online", "Online"],
  ["offline", "Offline"],
  ["pending", "Waiting"],
];

export function Devices({ search, show, tag }: Filter) {
  const waiting = useServer().data?.pending ?? 0;
  return (
    <div className="page fill">
      <div className="list-head">
        <h1>Devices</h1>
        <Search search={search} show={show} tag={tag} />
        <div className="choice" role="group" aria-label="Which devices">
          {CHOICES.map(([choice, name]) => (
            <button key={name} type="button" aria-pressed={show === choice} onClick={() => go({ page: "devices", search, show: choice, tag })}>
              {name}
              {choice === "pending" && waiting > 0 && (
                <>
                  {" "}
                  <span className="count">{waiting.toLocaleString("en")}</span>
                </>
              )}
            </button>
          ))}
        </div>
        {tag !== "" && (
          <span className="tag narrowed">
            tag {tag}
            <a href={href({ page: "devices", search, show, tag: "" })} aria-label={`Not only those with the tag ${tag}`}>
              ×
            </a>
          </span>
        )}
      </div>
      <List search={search} show={show} tag={tag} />
    </div>
  );
}

function Search({ search, show, tag }: Filter) {
  const [text, setText] = useState(search);
  const [shown, setShown] = useState(search);
  // A link may have led elsewhere meanwhile.
  if (shown !== search) {
    setShown(search);
    setText(search);
  }
  useEffect(() => {
    if (text === search) return;
    const timer = setTimeout(() => go({ page: "devices", search: text, show, tag }, true), PAUSE);
    return () => clearTimeout(timer);
  }, [text, search, show, tag]);
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

function List({ search, show, tag }: Filter) {
  const api = useApi();
  const queries = useQueryClient();
  const query = useMemo(() => queryOf({ search, show, tag }), [search, show, tag]);
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

  const approve = useApprove(() => scroller.current?.focus({ preventScroll: true }));
  const now = useNow(INTERVAL);
  if (error && !data) return <ProblemNote error={error} retry={() => void refetch()} />;
  if (data && devices.length === 0 && !hasNextPage) return <NoDevices search={query.search} show={show} tag={tag} />;
  return (
    <>
      {approve.error && (
        <p className="note bad" role="alert">
          {wordsOf(approve.error)}
        </p>
      )}
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
              return device && <Row key={device.endpoint_id} device={device} index={index} top={start} now={now} approve={approve} />;
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

interface RowProps {
  device: Device;
  index: number;
  top: number;
  now: number;
  approve: ReturnType<typeof useApprove>;
}

function Row({ device, index, top, now, approve }: RowProps) {
  const to = href({ page: "device", id: device.endpoint_id, tab: "model", path: "Device." });
  const tags = device.tags ?? [];
  return (
    <div className="row" role="row" aria-rowindex={index + 2} style={{ transform: `translateY(${top}px)` }}>
      <span role="cell" className="who">
        <a href={to}>{device.alias ?? device.endpoint_id}</a>
        {device.alias !== null && <code>{device.endpoint_id}</code>}
        {tags.slice(0, TAGS).map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
        {tags.length > TAGS && <span className="tag">+{tags.length - TAGS}</span>}
      </span>
      <span role="cell">
        <Presence online={device.online} state={device.state} />
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
        {device.state === "pending" ? (
          <button
            type="button"
            aria-label={`Approve ${device.endpoint_id}`}
            disabled={approve.isPending && approve.variables === device.endpoint_id}
            onClick={() => approve.mutate(device.endpoint_id)}
          >
            Approve
          </button>
        ) : device.online ? (
          "now"
        ) : (
          <Ago at={device.last_seen} now={now} />
        )}
      </span>
    </div>
  );
}

function NoDevices({ search, show, tag }: Filter) {
  const server = useServer().data;
  if (show === "pending" && search === "" && tag === "") {
    return (
      <Empty title="No device waits for approval">
        <p>
          One that comes for the first time waits here, unless the server’s policy lets it in at once (<code>first_contact</code>{" "}
          in its configuration).
        </p>
      </Empty>
    );
  }
  if (search !== "" || show !== undefined || tag !== "") {
    return (
      <Empty title="No device fits">
        <p>
          <a href={href(ALL_DEVICES)}>Show all devices</a>
        </p>
      </Empty>
    );
  }
  const door = server ? `${server.endpoint_id}=${server.ws}` : "ID=URL";
  return (
    <Empty title="No device has connected yet">
      <p>Make this host one, or simulate some:</p>
      <pre>
        {`usphere agent --controller ${door}\nusphere sim usp --count 5 --server ${door}`}
      </pre>
      <p>
        One that is refused is told on the page <a href={href({ page: "doctor", device: "" })}>Doctor</a>, with what mends it.
      </p>
    </Empty>
  );
}

function queryOf({ search, show, tag }: Filter): DeviceQuery & { search: string } {
  return {
    search: search.trim(),
    ...(show === "online" || show === "offline" ? { online: show === "online" } : {}),
    ...(show === "pending" ? { state: show } : {}),
    ...(tag === "" ? {} : { tag }),
  };
}

function productOf(device: Device): string {
  const parts = [device.manufacturer, device.product_class].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : device.oui ? `OUI ${device.oui}` : "";
}

function countOf(count: number, hasMore: boolean): string {
  const number = count.toLocaleString("en");
  if (hasMore) return `${number} devices so far; more come as you scroll`;
  return count === 1 ? "1 device" : `${number} devices`;
}

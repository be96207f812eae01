/** Where in the console somebody is. It stands behind the `#`, so that the server need not know the pages. */

import { useSyncExternalStore } from "react";

export type Tab = "model" | "events" | "log" | "about";

/** What narrows the list of devices, beside the words that are searched for. */
export type Show = "online" | "offline" | "pending" | undefined;

export type Route =
  | { page: "devices"; search: string; show: Show; tag: string }
  | { page: "device"; id: string; tab: Tab; path: string }
  | { page: "doctor"; device: string };

/** The list of all devices. */
export const ALL_DEVICES: Extract<Route, { page: "devices" }> = { page: "devices", search: "", show: undefined, tag: "" };

const TABS: readonly string[] = ["model", "events", "log", "about"] satisfies Tab[];

/** Reads what stands behind the `#`. What makes no sense leads to the list of devices. */
export function parseRoute(hash: string): Route {
  const [place = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [page, id, tab] = place.split("/").map(decoded);
  const words = new URLSearchParams(query);
  if (page === "doctor") return { page, device: words.get("device") ?? "" };
  if (page === "devices" && id) {
    const known = tab !== undefined && TABS.includes(tab) ? (tab as Tab) : "model";
    return { page: "device", id, tab: known, path: words.get("path") ?? "Device." };
  }
  return { page: "devices", search: words.get("search") ?? "", show: shownBy(words), tag: words.get("tag") ?? "" };
}

function shownBy(words: URLSearchParams): Show {
  if (words.get("state") === "pending") return "pending";
  const online = words.get("online");
  if (online === null) return undefined;
  return online === "true" ? "online" : "offline";
}

/** The address of a place. */
export function href(route: Route): string {
  const words = new URLSearchParams();
  switch (route.page) {
    case "doctor":
      if (route.device) words.set("device", route.device);
      return `#/doctor${query(words)}`;
    case "devices":
      if (route.search) words.set("search", route.search);
      if (route.tag) words.set("tag", route.tag);
      if (route.show === "pending") words.set("state", "pending");
      else if (route.show) words.set("online", String(route.show === "online"));
      return `#/devices${query(words)}`;
    case "device":
      if (route.tab === "model" && route.path !== "Device.") words.set("path", route.path);
      return `#/devices/${encodeURIComponent(route.id)}/${route.tab}${query(words)}`;
  }
}

/** Goes somewhere. `replace` leaves no step to go back to, for what changes while somebody types. */
export function go(route: Route, replace = false): void {
  if (!replace) {
    window.location.hash = href(route);
    return;
  }
  window.history.replaceState(null, "", href(route));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

function query(words: URLSearchParams): string {
  const text = words.toString();
  return text === "" ? "" : `?${text}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where in the console somebody is. It stands behind the `#`, so that the server need not know the pages. */

import { useSyncExternalStore } from "react";

export type Tab = "model" | "events" | "log" | "about";

export type Route =
  | { page: "devices"; search: string; online: boolean | undefined }
  | { page: "device"; id: string; tab: Tab; path: string }
  | { page: "doctor"; device: string };

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
  const online = words.get("online");
  return { page: "devices", search: words.get("search") ?? "", online: online === null ? undefined : online === "true" };
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
      if (route.online !== undefined) words.set("online", String(route.online));
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

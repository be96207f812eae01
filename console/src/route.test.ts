import { describe, expect, it } from "vitest";

import { ALL_DEVICES, href, parseRoute, type Route } from "./route";

describe("addresses", () => {
  const places: Route[] = [
    ALL_DEVICES,
    { page: "devices", search: "a b&c", show: "offline", tag: "site=attic" },
    { page: "devices", search: "", show: "online", tag: "" },
    { page: "devices", search: "", show: "pending", tag: "" },
    { page: "device", id: "os::00 %/é", tab: "model", path: "Device." },
    { page: "device", id: "uuid::1", tab: "model", path: "Device.IP.Interface.1." },
    { page: "device", id: "uuid::1", tab: "events", path: "Device." },
    { page: "device", id: "uuid::1", tab: "log", path: "Device." },
    { page: "doctor", device: "" },
    { page: "doctor", device: "os::00 %/é" },
  ];

  it.each(places)("lead back to where they came from: $page", (place) => {
    expect(parseRoute(href(place))).toEqual(place);
  });

  it("that make no sense lead to the devices", () => {
    for (const hash of ["", "#", "#/", "#/nowhere", "#/devices/"]) expect(parseRoute(hash).page).toBe("devices");
    expect(parseRoute("#/devices/a/nonsense")).toEqual({ page: "device", id: "a", tab: "model", path: "Device." });
    expect(parseRoute("#/devices/%E0%A4%A/model")).toMatchObject({ page: "device", id: "%E0%A4%A" });
  });
});

import { expect, it } from "vitest";

import type { Device, DevicePage } from "../api/types";
import { merged } from "./pages";

function page(ids: string, next?: string): DevicePage {
  const devices = ids.split("").map((endpoint_id) => ({ endpoint_id }) as Device);
  return next === undefined ? { devices } : { devices, next };
}

const loaded = { pages: [page("ab", "b"), page("cd", "d"), page("ef")], pageParams: [undefined, "b", "d"] };

it("fresh pages stand in the place of old ones", () => {
  const fresh = merged(loaded, [{ after: "b", page: page("CD", "d") }]);
  expect(fresh.pages.map((each) => each.devices.map((device) => device.endpoint_id).join(""))).toEqual(["ab", "CD", "ef"]);
});

it("a page that ends elsewhere takes those after it away", () => {
  const fresh = merged(loaded, [{ after: undefined, page: page("aB", "B") }]);
  expect(fresh.pageParams).toEqual([undefined]);
  expect(merged(loaded, [{ after: "b", page: page("c") }]).pages).toHaveLength(2);
});

it("the last page may grow, and what is not loaded is passed over", () => {
  expect(merged(loaded, [{ after: "d", page: page("efg", "g") }]).pages).toHaveLength(3);
  expect(merged(loaded, [{ after: "x", page: page("y") }])).toEqual(loaded);
});

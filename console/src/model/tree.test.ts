import { describe, expect, it } from "vitest";

import type { SupportedObject } from "../api/types";
import { isObjectPath, lineage, parentOf, supportedPath, typedPath } from "./path";
import { childObjects, kindOf, objectOf, rowNodes, type TreeNode, visibleLines } from "./tree";

function object(path: string): SupportedObject {
  return { path, access: "read_only", multi_instance: path.endsWith("{i}.") };
}

describe("paths", () => {
  it("become those of the supported model", () => {
    expect(supportedPath("Device.IP.Interface.12.IPv4Address.3.")).toBe("Device.IP.Interface.{i}.IPv4Address.{i}.");
    expect(supportedPath("Device.X_A1.")).toBe("Device.X_A1.");
  });

  it("have parents up to the root", () => {
    expect(lineage("Device.IP.Interface.1.")).toEqual(["Device.", "Device.IP.", "Device.IP.Interface.", "Device.IP.Interface.1."]);
    expect(parentOf("Device.Time.Enable")).toBe("Device.Time.");
    expect(parentOf("Device.")).toBeUndefined();
  });

  it("are taken as people type them", () => {
    expect(typedPath(" Device.Time. ")).toBe("Device.Time.");
    expect(typedPath("Device.Time.Enable")).toBe("Device.Time.");
    expect(typedPath("Device.Reboot()")).toBe("Device.");
    for (const wrong of ["", "Time.", "Device.IP.*.", "Device.0.", "Device.{i}.", "<b>"]) expect(typedPath(wrong)).toBeUndefined();
    expect(isObjectPath("Device.IP.Interface.1.")).toBe(true);
  });
});

describe("the tree", () => {
  const objects = ["Device.IP.", "Device.IP.Interface.{i}.", "Device.IP.Diagnostics.", "Device.IPsec.", "Device.IP.A.B."].map(object);

  it("has what is right below an object, parents that were not told included", () => {
    expect(childObjects(objects, "Device.IP.").map((node) => [node.name, node.kind])).toEqual([
      ["A", "object"],
      ["Diagnostics", "object"],
      ["Interface", "table"],
    ]);
  });

  it("has below a row what is below every row", () => {
    const rows = ["Device.IP.Interface.{i}.", "Device.IP.Interface.{i}.Stats.", "Device.IP.Interface.{i}.IPv4Address.{i}."].map(object);
    expect(childObjects(rows, "Device.IP.Interface.7.").map((node) => node.path)).toEqual([
      "Device.IP.Interface.7.IPv4Address.",
      "Device.IP.Interface.7.Stats.",
    ]);
  });

  it("tells tables, rows and objects apart", () => {
    expect(kindOf("Device.IP.Interface.", objects)).toBe("table");
    expect(kindOf("Device.IP.Interface.1.", objects)).toBe("row");
    expect(kindOf("Device.IP.", objects)).toBe("object");
    expect(objectOf(objects, "Device.IP.Interface.")?.path).toBe("Device.IP.Interface.{i}.");
    expect(objectOf(objects, "Device.IP.Interface.3.")?.path).toBe("Device.IP.Interface.{i}.");
    expect(objectOf(objects, "Device.Wifi.")).toBeUndefined();
  });

  it("orders rows by number and names them by what people know", () => {
    const rows = rowNodes([
      { path: "Device.A.10.", unique_keys: { Alias: "ten", Name: "x" } },
      { path: "Device.A.9.", unique_keys: { Alias: "cpe-9", Name: "eth0", Type: "" } },
      { path: "Device.A.11.", unique_keys: { Alias: "cpe-11" } },
    ]);
    expect(rows.map((row) => [row.name, row.hint])).toEqual([
      ["9", "eth0"],
      ["10", "ten"],
      ["11", "cpe-11"],
    ]);
  });

  it("shows what is open, and that something may be below what is not loaded", () => {
    const children = (node: TreeNode) => (node.path === "Device." ? childObjects(objects.slice(0, 4), "Device.") : undefined);
    const lines = visibleLines(new Set(["Device.", "Device.IP."]), children);
    expect(lines.map((line) => [line.node.path, line.depth, line.isOpen, line.canOpen])).toEqual([
      ["Device.", 0, true, true],
      ["Device.IP.", 1, true, true],
      ["Device.IPsec.", 1, false, true],
    ]);
  });
});

/** The tree of objects: built from the supported model and the instances that are known, both piece by piece. */

import type { SupportedObject } from "../api/types";
import { nameOf, ROOT, segments, supportedPath } from "./path";

export type NodeKind = "object" | "table" | "row";

/** One object, table or row. */
export interface TreeNode {
  path: string;
  kind: NodeKind;
  /** What is shown: the name, or the instance number. */
  name: string;
  /** What tells a row from others, where it is known. */
  hint: string;
  /** The unique keys of a row. */
  keys?: Record<string, string>;
}

/** A node as one line of the shown tree. */
export interface Line {
  node: TreeNode;
  depth: number;
  isOpen: boolean;
  /** Whether something may be below. */
  canOpen: boolean;
}

/** Where a tree begins. */
export const ROOT_NODE: TreeNode = { path: ROOT, kind: "object", name: "Device", hint: "" };

/** The object itself in what the device told of it. */
export function objectOf(objects: readonly SupportedObject[], path: string): SupportedObject | undefined {
  const supported = supportedPath(path);
  return objects.find((object) => object.path === supported || object.path === `${supported}{i}.`);
}

/** The objects and tables right below an object or row, in the order of their names. */
export function childObjects(objects: readonly SupportedObject[], path: string): TreeNode[] {
  const above = supportedPath(path);
  const found = new Map<string, TreeNode>();
  for (const object of objects) {
    if (!object.path.startsWith(above) || object.path === above) continue;
    const [name, instance] = segments(object.path.slice(above.length));
    if (name === undefined || name === "{i}" || found.has(name)) continue;
    const kind = instance === "{i}" ? "table" : "object";
    found.set(name, { path: `${path}${name}.`, kind, name, hint: "" });
  }
  return [...found.values()].sort((one, other) => one.name.localeCompare(other.name));
}

/** The rows of a table, by number. */
export function rowNodes(instances: readonly { path: string; unique_keys: Record<string, string> }[]): TreeNode[] {
  const rows = instances.map(({ path, unique_keys }): TreeNode => ({ path, kind: "row", name: nameOf(path), hint: rowHint(unique_keys), keys: unique_keys }));
  return rows.sort((one, other) => Number(one.name) - Number(other.name));
}

/** What a person knows a row by: an alias that a person gave, else its other keys, else the alias that it has. */
export function rowHint(keys: Record<string, string>): string {
  const { Alias: alias = "", ...others } = keys;
  const isMade = alias === "" || alias.startsWith("cpe-");
  if (!isMade) return alias;
  return Object.values(others).filter((value) => value !== "").join(" · ") || alias;
}

/** The lines of a tree of which some nodes are open. `childrenOf` has none for what is not loaded. */
export function visibleLines(open: ReadonlySet<string>, childrenOf: (node: TreeNode) => readonly TreeNode[] | undefined): Line[] {
  const lines: Line[] = [];
  const walk = (node: TreeNode, depth: number) => {
    const isOpen = open.has(node.path);
    const children = childrenOf(node);
    lines.push({ node, depth, isOpen, canOpen: children === undefined || children.length > 0 });
    if (isOpen) for (const child of children ?? []) walk(child, depth + 1);
  };
  walk(ROOT_NODE, 0);
  return lines;
}

/** What a path is, by its own words: a number at the end is a row. The schema tells tables from objects. */
export function kindOf(path: string, objects: readonly SupportedObject[] | undefined): NodeKind {
  const supported = supportedPath(path);
  if (supported.endsWith("{i}.")) return "row";
  const isTable = objects?.some((object) => object.path === `${supported}{i}.`) ?? false;
  return isTable ? "table" : "object";
}

/** What is asked of a device. What it refuses becomes a `Problem` with its code and text. */

import type { UseQueryOptions } from "@tanstack/react-query";

import { type Api, Problem } from "../api/client";
import type { Failure, ObjectValues, SupportedObject } from "../api/types";
import { ROOT, supportedPath } from "../model/path";
import { rowNodes, type TreeNode } from "../model/tree";

/** A failure in the device's words. */
export function refused(failure: Failure): Problem {
  return new Problem(422, `${failure.code}: ${failure.text}`, failure);
}

/** The whole supported model: it changes with the firmware only, and is asked for once. */
export function schemaQuery(api: Api, device: string) {
  return {
    queryKey: ["schema", device],
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const outcome = await api.schema(device, ROOT, signal);
      const result = outcome.results[0];
      if (result?.failed) throw refused(result.failed);
      return result?.supported?.objects ?? [];
    },
  } satisfies UseQueryOptions<SupportedObject[]>;
}

/** The values of one object or row; none where it has none. */
export function valuesQuery(api: Api, device: string, path: string) {
  return {
    queryKey: ["get", device, path],
    queryFn: async ({ signal }) => {
      const outcome = await api.get(device, [path], 1, signal);
      const result = outcome.results[0];
      if (result?.failed) throw refused(result.failed);
      return result?.found?.find((object) => object.path === path) ?? { path, parameters: {} };
    },
  } satisfies UseQueryOptions<ObjectValues>;
}

/** The rows of a table. */
export function instancesQuery(api: Api, device: string, path: string) {
  return {
    queryKey: ["instances", device, path],
    queryFn: async ({ signal }) => {
      const outcome = await api.instances(device, path, signal);
      const result = outcome.results[0];
      if (result?.failed) throw refused(result.failed);
      const depth = supportedPath(path).length + "{i}.".length;
      // Some Agents also tell what is below the rows.
      return rowNodes((result?.found ?? []).filter((row) => supportedPath(row.path).length === depth));
    },
  } satisfies UseQueryOptions<TreeNode[]>;
}

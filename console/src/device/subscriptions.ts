/** Subscriptions that the console makes on a device. They do not outlive a restart of it, and have an end. */

import type { Api } from "../api/client";
import { Problem } from "../api/client";
import { refused } from "./queries";

export const SUBSCRIPTIONS = "Device.LocalAgent.Subscription.";

/** What the IDs of ours begin with. */
export const OURS = "console-";

export type WatchKind = "ObjectCreation" | "ObjectDeletion" | "OperationComplete" | "ValueChange";

/** Has the device tell of something, and gives the row that says so. */
export async function subscribe(api: Api, device: string, kind: WatchKind, path: string, seconds: number): Promise<string> {
  const id = `${OURS}${crypto.getRandomValues(new Uint32Array(2)).join("-")}-${kind}`;
  const values = { Enable: "true", ID: id, NotifType: kind, ReferenceList: path, Persistent: "false", TimeToLive: String(seconds), NotifRetry: "true" };
  const settings = Object.entries(values).map(([name, value]) => ({ name, value }));
  const result = (await api.add(device, SUBSCRIPTIONS, settings)).results[0];
  if (result?.failed) throw refused(result.failed);
  if (!result?.created) throw new Problem(0, "the device did not say what it did");
  return result.created.path;
}

export async function unsubscribe(api: Api, device: string, row: string): Promise<void> {
  const result = (await api.delete(device, row)).results[0];
  if (result?.failed) throw refused(result.failed);
}

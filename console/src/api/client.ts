/** The one way to the API: adds the token, and turns what is not an answer into a `Problem`. */

import type {
  AddOutcome,
  ContactPage,
  DeleteOutcome,
  Device,
  DevicePage,
  Failure,
  GetOutcome,
  InstancesOutcome,
  OperateOutcome,
  ParameterFailure,
  SchemaOutcome,
  Server,
  SetOutcome,
} from "./types";

/** An error as the API tells it (RFC 9457). `status` is 0 where no answer came at all. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    /** With what the device refused, where it did. */
    readonly refusal?: Failure & { parameters?: ParameterFailure[] },
  ) {
    super(detail);
    this.name = "Problem";
  }
}

export type Verb = "get" | "set" | "add" | "delete" | "instances" | "operate" | "schema";

/** What is asked of the API for one page of devices. */
export interface DeviceQuery {
  search?: string;
  online?: boolean;
  state?: "approved" | "pending";
  tag?: string;
}

/** A setting of one parameter. */
export interface Setting {
  name: string;
  value: string;
  required?: boolean;
}

/** A client with a token. What is refused for the token's sake is told to `onRefused`. */
export class Api {
  constructor(
    readonly token: string,
    private readonly onRefused: () => void = () => undefined,
  ) {}

  server = (signal?: AbortSignal) => this.json<Server>("GET", "/server", undefined, signal);

  devices = (query: DeviceQuery, after: string | undefined, limit: number, signal?: AbortSignal) => {
    const words = new URLSearchParams({ limit: String(limit) });
    if (after !== undefined) words.set("after", after);
    if (query.search) words.set("search", query.search);
    if (query.online !== undefined) words.set("online", String(query.online));
    if (query.state) words.set("state", query.state);
    if (query.tag) words.set("tag", query.tag);
    return this.json<DevicePage>("GET", `/devices?${words}`, undefined, signal);
  };

  device = (id: string, signal?: AbortSignal) =>
    this.json<Device>("GET", at(id), undefined, signal);

  rename = (id: string, alias: string | null) => this.json<Device>("PATCH", at(id), { alias });

  approve = (id: string) => this.json<Device>("POST", `${at(id)}/approve`);

  addTag = (id: string, tag: string) => this.json<Device>("PUT", `${at(id)}/tags/${encodeURIComponent(tag)}`);

  removeTag = (id: string, tag: string) => this.json<Device>("DELETE", `${at(id)}/tags/${encodeURIComponent(tag)}`);

  remove = (id: string) => this.json<undefined>("DELETE", at(id));

  /** Contacts that failed: of a device, known or not, or an address, or all. */
  contacts = (device: string, after: string | undefined, signal?: AbortSignal) => {
    const words = new URLSearchParams();
    if (device !== "") words.set("device", device);
    if (after !== undefined) words.set("after", after);
    const query = words.toString();
    return this.json<ContactPage>("GET", `/contacts${query === "" ? "" : `?${query}`}`, undefined, signal);
  };

  get = (id: string, paths: string[], maxDepth: number, signal?: AbortSignal) =>
    this.verb<GetOutcome>(id, "get", { paths, max_depth: maxDepth }, signal);

  schema = (id: string, path: string, signal?: AbortSignal) =>
    this.verb<SchemaOutcome>(id, "schema", { paths: [path] }, signal);

  instances = (id: string, path: string, signal?: AbortSignal) =>
    this.verb<InstancesOutcome>(id, "instances", { paths: [path], first_level_only: true }, signal);

  set = (id: string, path: string, parameters: Setting[]) =>
    this.verb<SetOutcome>(id, "set", { objects: [{ path, parameters }] });

  add = (id: string, path: string, parameters: Setting[]) =>
    this.verb<AddOutcome>(id, "add", { objects: [{ path, parameters }] });

  delete = (id: string, path: string) => this.verb<DeleteOutcome>(id, "delete", { paths: [path] });

  operate = (id: string, command: string, key: string, args: Record<string, string>) =>
    this.verb<OperateOutcome>(id, "operate", { command, command_key: key, arguments: args });

  /** The events of a device as they come, after the one with the number `after`. */
  async live(id: string, after: number | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (after !== undefined) headers["Last-Event-ID"] = String(after);
    const response = await this.fetch("GET", `${at(id)}/events/live`, { headers, signal });
    if (!response.body) throw new Problem(0, "the stream of events is empty");
    return response.body;
  }

  /** What the server and a device say to each other, from now on. */
  async log(id: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = { Accept: "text/event-stream" };
    const response = await this.fetch("GET", `${at(id)}/log/live`, { headers, signal });
    if (!response.body) throw new Problem(0, "the log is empty");
    return response.body;
  }

  private verb<T>(id: string, verb: Verb, body: unknown, signal?: AbortSignal) {
    return this.json<T>("POST", `${at(id)}/${verb}`, body, signal);
  }

  private async json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const init: RequestInit = signal ? { signal } : {};
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { "Content-Type": "application/json" };
    }
    const response = await this.fetch(method, path, init);
    if (response.status === 204) return undefined as T;
    try {
      return (await response.json()) as T;
    } catch {
      throw new Problem(0, "the answer of the server was cut off");
    }
  }

  private async fetch(method: string, path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${this.token}`);
    let response: Response;
    try {
      response = await fetch(`/api/v1${path}`, { ...init, method, headers, cache: "no-store" });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Problem(0, "the server does not answer");
    }
    if (response.ok) return response;
    if (response.status === 401) this.onRefused();
    throw await problemOf(response);
  }
}

/** The address of a device. */
function at(id: string): string {
  return `/devices/${encodeURIComponent(id)}`;
}

async function problemOf(response: Response): Promise<Problem> {
  let told: { detail?: unknown; code?: unknown; text?: unknown; parameters?: ParameterFailure[] } = {};
  try {
    told = (await response.json()) as typeof told;
  } catch {
    // Not from the API, but from something in between.
  }
  const detail = typeof told.detail === "string" ? told.detail : `the server answers ${response.status} ${response.statusText}`;
  if (typeof told.code !== "number") return new Problem(response.status, detail);
  const refusal = { code: told.code, text: String(told.text) };
  return new Problem(response.status, detail, told.parameters ? { ...refusal, parameters: told.parameters } : refusal);
}

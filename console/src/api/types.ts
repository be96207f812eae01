/** The JSON of the API, as far as the console uses it. Texts of devices are never more than texts. */

export interface Server {
  endpoint_id: string;
  version: string;
  api: string;
  ws: string;
  started: number;
  devices: number;
  online: number;
  /** How many of the devices wait to be approved. */
  pending: number;
  /** `ok`, or why what is written is not kept. */
  store: string;
}

export interface Device {
  endpoint_id: string;
  alias: string | null;
  protocol: string;
  manufacturer: string | null;
  oui: string | null;
  product_class: string | null;
  serial_number: string | null;
  hardware_version: string | null;
  software_version: string | null;
  protocol_versions: string | null;
  first_seen: number;
  last_seen: number;
  remote_address: string | null;
  last_mtp: string | null;
  online: boolean;
  tags?: string[];
  state?: string;
  /** Whether a certificate has ever proved its Endpoint ID. */
  proven?: boolean;
  /** `kept` where the device tells the server, among other things, how commands end. */
  subscriptions?: string | null;
}

export interface DevicePage {
  devices: Device[];
  next?: string;
}

/** Why one thing failed, in the device's words. */
export interface Failure {
  code: number;
  text: string;
}

export interface ParameterFailure extends Failure {
  parameter: string;
}

export type Values = Record<string, string>;

export interface ObjectValues {
  path: string;
  parameters: Values;
}

export interface GetOutcome {
  results: { requested: string; failed?: Failure; found?: ObjectValues[] }[];
}

export interface SetOutcome {
  results: {
    requested: string;
    failed?: Failure & { objects?: { path: string; failures: ParameterFailure[] }[] };
    updated?: { path: string; parameters: Values; failures?: ParameterFailure[] }[];
  }[];
}

export interface AddOutcome {
  results: {
    requested: string;
    failed?: Failure;
    created?: { path: string; unique_keys: Values; failures?: ParameterFailure[] };
  }[];
}

export interface DeleteOutcome {
  results: {
    requested: string;
    failed?: Failure;
    deleted?: { paths: string[]; failures?: (Failure & { path: string })[] };
  }[];
}

export interface InstancesOutcome {
  results: {
    requested: string;
    failed?: Failure;
    found?: { path: string; unique_keys: Values }[];
  }[];
}

export interface OperateOutcome {
  results: {
    command: string;
    completed?: Values;
    failed?: Failure;
    /** The path of the Request object of a command that takes a while. */
    started?: string;
  }[];
}

export type ParameterKind =
  | "base64"
  | "boolean"
  | "dateTime"
  | "decimal"
  | "hexBinary"
  | "int"
  | "long"
  | "string"
  | "unknown"
  | "unsignedInt"
  | "unsignedLong";

export interface SupportedParameter {
  name: string;
  access: "read_only" | "read_write" | "write_only";
  type: ParameterKind;
  value_change: "allowed" | "unknown" | "will_ignore";
}

export interface SupportedCommand {
  name: string;
  kind: "async" | "sync" | "unknown";
  inputs: string[];
  outputs: string[];
}

export interface SupportedObject {
  path: string;
  access: "add_delete" | "add_only" | "delete_only" | "read_only";
  multi_instance: boolean;
  parameters?: SupportedParameter[];
  commands?: SupportedCommand[];
  events?: { name: string; arguments: string[] }[];
  unique_keys?: string[][];
}

export interface SchemaOutcome {
  results: {
    requested: string;
    failed?: Failure;
    supported?: { model_uri: string; objects: SupportedObject[] };
  }[];
}

/** What a device said, with when. Which fields there are depends on `type`. */
export interface DeviceEvent {
  id: number;
  device: string;
  at: number;
  subscription: string;
  type: string;
  path?: string;
  value?: string;
  event?: string;
  arguments?: Values;
  unique_keys?: Values;
  command?: string;
  command_key?: string;
  completed?: Values;
  failed?: Failure;
  oui?: string;
  product_class?: string;
  serial_number?: string;
  versions?: string[];
}

/** A contact that the server refused, and why. */
export interface Contact {
  id: number;
  /** When it last came. */
  at: number;
  /** When it first came. */
  first: number;
  count: number;
  remote: string;
  mtp: string;
  endpoint_id?: string;
  reason: string;
  detail: string;
  advice: string;
}

/** A line of the log of a device. A Record is shown as it is. */
export interface LogLine {
  at: number;
  type: "missed" | "note" | "received" | "sent";
  count?: number;
  note?: string;
  record?: unknown;
}

export interface ContactPage {
  contacts: Contact[];
  next?: string;
}

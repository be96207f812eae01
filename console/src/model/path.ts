/** Path names of the data model: `Device.IP.Interface.1.` and, for what there can be, `Device.IP.Interface.{i}.` */

/** Where every tree begins. */
export const ROOT = "Device.";

/** The parts of a path, without the dots. */
export function segments(path: string): string[] {
  return path.split(".").filter((part) => part !== "");
}

export function isInstanceNumber(segment: string): boolean {
  return /^[1-9][0-9]*$/.test(segment);
}

/** The path in the supported data model: instance numbers become `{i}`. */
export function supportedPath(path: string): string {
  const parts = segments(path).map((part) => (isInstanceNumber(part) ? "{i}" : part));
  return `${parts.join(".")}.`;
}

/** The object around an object, table, row, parameter, command or event; none around the root. */
export function parentOf(path: string): string | undefined {
  const parts = segments(path);
  return parts.length < 2 ? undefined : `${parts.slice(0, -1).join(".")}.`;
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return segments(path).at(-1) ?? path;
}

/** All objects from the root down to this one, itself included. */
export function lineage(path: string): string[] {
  const parts = segments(path);
  return parts.map((_, at) => `${parts.slice(0, at + 1).join(".")}.`);
}

/** Whether it is an object's path with instance numbers, such as a person may type to go there. */
export function isObjectPath(path: string): boolean {
  return /^Device\.([A-Za-z_][A-Za-z0-9_-]*\.|[1-9][0-9]*\.)*$/.test(path);
}

/** Makes what a person typed into an object's path: a parameter, command or event leads to its object. */
export function typedPath(text: string): string | undefined {
  const path = text.trim();
  const element = /^(.*\.)[A-Za-z_][A-Za-z0-9_-]*(\(\)|!)?$/.exec(path);
  const object = element?.[1] ?? path;
  return isObjectPath(object) ? object : undefined;
}

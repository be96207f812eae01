/** Values in their TR-106 text form: what a person may type for each type. */

import type { ParameterKind } from "../api/types";

const RANGES: Partial<Record<ParameterKind, readonly [bigint, bigint]>> = {
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
  unsignedInt: [0n, 2n ** 32n - 1n],
  unsignedLong: [0n, 2n ** 64n - 1n],
};

/** Why a text cannot be a value of this type; nothing where it can. The device has the last word. */
export function complaint(kind: ParameterKind, text: string): string | undefined {
  const range = RANGES[kind];
  if (range) return wholeNumber(text, range);
  switch (kind) {
    case "boolean":
      return isBoolean(text) ? undefined : "true or false is expected";
    case "decimal":
      return /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$/.test(text) ? undefined : "a decimal number is expected, such as 1.5";
    case "dateTime":
      return isDateTime(text) ? undefined : "a time is expected, such as 2026-11-23T06:00:00Z";
    case "hexBinary":
      return /^([0-9A-Fa-f]{2})*$/.test(text) ? undefined : "pairs of hexadecimal digits are expected";
    case "base64":
      return isBase64(text) ? undefined : "base64 is expected";
    default:
      return undefined;
  }
}

/** TR-106 takes 1 and 0 for true and false. */
export function isBoolean(text: string): boolean {
  return ["true", "false", "1", "0"].includes(text);
}

export function isTrue(text: string): boolean {
  return text === "true" || text === "1";
}

/** The keyboard that a phone shows for a type. */
export function inputMode(kind: ParameterKind): "numeric" | "decimal" | "text" {
  if (kind === "unsignedInt" || kind === "unsignedLong") return "numeric";
  return kind === "decimal" ? "decimal" : "text";
}

function wholeNumber(text: string, [least, most]: readonly [bigint, bigint]): string | undefined {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return "a whole number is expected";
  const value = BigInt(text.replace(/^\+/, ""));
  return value < least || value > most ? `${least} to ${most} is expected` : undefined;
}

function isDateTime(text: string): boolean {
  const shape = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?$/;
  const found = shape.exec(text);
  if (!found) return false;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  // The year 0001 is how TR-106 says that a time is unknown.
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

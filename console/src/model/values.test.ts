import { describe, expect, it } from "vitest";

import type { ParameterKind } from "../api/types";
import { complaint, isTrue } from "./values";

describe("values", () => {
  const cases: [ParameterKind, string[], string[]][] = [
    ["boolean", ["true", "false", "1", "0"], ["", "yes", "TRUE", "2"]],
    ["int", ["0", "-2147483648", "2147483647", "+7"], ["", "1.5", "2147483648", "-2147483649", "0x1", " 1"]],
    ["unsignedInt", ["0", "4294967295"], ["-1", "4294967296", "one"]],
    ["long", ["-9223372036854775808", "9223372036854775807"], ["9223372036854775808"]],
    ["unsignedLong", ["18446744073709551615"], ["18446744073709551616", "-1"]],
    ["decimal", ["1", "-0.5", ".5", "3."], ["", ".", "1e3", "1,5"]],
    ["dateTime", ["2026-11-23T06:00:00Z", "0001-01-01T00:00:00Z", "2028-02-29T23:59:59.5+01:00"], ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23", "2026-11-23T24:00:00Z"]],
    ["hexBinary", ["", "00fF"], ["0", "0x00", "gg"]],
    ["base64", ["", "YQ==", "YWJj"], ["YQ", "Y===", "a b="]],
    ["string", ["", "anything <b>"], []],
    ["unknown", ["", "anything"], []],
  ];

  it.each(cases)("of type %s are told from others", (kind, good, bad) => {
    for (const text of good) expect(complaint(kind, text), text).toBeUndefined();
    for (const text of bad) expect(complaint(kind, text), text).toBeTypeOf("string");
  });

  it("out of range are told the range", () => {
    expect(complaint("unsignedInt", "-1")).toBe("0 to 4294967295 is expected");
  });

  it("that are true are true in both forms", () => {
    expect([isTrue("1"), isTrue("true"), isTrue("0"), isTrue("")]).toEqual([true, true, false, false]);
  });
});

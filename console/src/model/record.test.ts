import { expect, it } from "vitest";

import { kindOf } from "./record";

it("names what a Record carries", () => {
  const message = { no_session_context: { payload: { header: { msg_id: "7", msg_type: "GET" }, body: {} } } };
  expect(kindOf(message)).toBe("GET 7");
  expect(kindOf({ no_session_context: { payload: "" } })).toBe("a payload that is no Message");
  expect(kindOf({ version: "1.4", websocket_connect: {} })).toBe("websocket connect");
  expect(kindOf({ disconnect: { reason: "" } })).toBe("disconnect");
  expect(kindOf(null)).toBe("Record");
});

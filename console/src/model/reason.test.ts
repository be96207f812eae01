import { expect, it } from "vitest";

import { reasonName } from "./reason";

it.each([
  ["tls_at_plain_door", "TLS at plain door"],
  ["not_web_socket", "not WebSocket"],
  ["server_ca_unknown", "server CA unknown"],
  ["invalid_endpoint_id", "invalid endpoint ID"],
  ["wrong_path", "wrong path"],
  ["wrong_to_id", "wrong to_id"],
])("%s is called “%s”", (reason, name) => expect(reasonName(reason)).toBe(name));

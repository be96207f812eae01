use std::collections::BTreeMap;

use super::*;
use crate::msg::{GetResp, RequestedPathResult, ResolvedPathResult};
use crate::record::SessionContext;
use crate::{EndpointId, ErrorCode};

fn ids() -> (EndpointId, EndpointId) {
    (
        EndpointId::parse("os::00256D-1").unwrap(),
        EndpointId::parse("self::controller").unwrap(),
    )
}

#[test]
fn a_record_reads_from_envelope_to_values() {
    let (to, from) = ids();
    let values = BTreeMap::from([("Manufacturer".to_owned(), "Ac\"me\n\u{1b}[31m".to_owned())]);
    let found = RequestedPathResult {
        requested_path: "Device.DeviceInfo.".into(),
        resolved_path_results: vec![ResolvedPathResult {
            resolved_path: "Device.DeviceInfo.".into(),
            result_params: values,
        }],
        ..RequestedPathResult::default()
    };
    let missing = RequestedPathResult {
        requested_path: "Device.Nothing.".into(),
        err_code: 7026,
        err_msg: "no such object".into(),
        ..RequestedPathResult::default()
    };
    let msg = Msg::response(
        "42",
        GetResp {
            req_path_results: vec![found, missing],
        },
    );
    insta::assert_snapshot!(Record::no_session(&to, &from, msg.into_payload()).to_text(), @r#"
Record
  version: "1.4"
  to_id: "os::00256D-1"
  from_id: "self::controller"
  payload_security: PLAINTEXT
  no_session_context
    payload: Msg
      header
        msg_id: "42"
        msg_type: GET_RESP
      body
        response
          get_resp
            req_path_results[0]
              requested_path: "Device.DeviceInfo."
              resolved_path_results[0]
                resolved_path: "Device.DeviceInfo."
                result_params
                  "Manufacturer" = "Ac\"me\n\u{1b}[31m"
            req_path_results[1]
              requested_path: "Device.Nothing."
              err_code: 7026 (Invalid path)
              err_msg: "no such object"
"#);
}

#[test]
fn codes_have_names() {
    let (to, from) = ids();
    insta::assert_snapshot!(Record::disconnect(&to, &from, ErrorCode::SessionContextTerminated, "bye").to_text(), @r#"
Record
  version: "1.4"
  to_id: "os::00256D-1"
  from_id: "self::controller"
  payload_security: PLAINTEXT
  disconnect
    reason: "bye"
    reason_code: 7105 (Session Context terminated)
"#);
    insta::assert_snapshot!(Msg::error("1", 7801_u32, "out of tea", Vec::new()).to_text(), @r#"
Msg
  header
    msg_id: "1"
    msg_type: ERROR
  body
    error
      err_code: 7801 (vendor defined)
      err_msg: "out of tea"
"#);
}

#[test]
fn bytes_are_shown_in_part_and_unknown_values_as_numbers() {
    let (to, from) = ids();
    let context = SessionContext {
        session_id: 5,
        payload_sar_state: 9,
        payload: vec![vec![0xff; 40].into(), vec![].into()],
        ..SessionContext::default()
    };
    insta::assert_snapshot!(Record::session(&to, &from, context).to_text(), @r#"
Record
  version: "1.4"
  to_id: "os::00256D-1"
  from_id: "self::controller"
  payload_security: PLAINTEXT
  session_context
    session_id: 5
    payload_sar_state: 9 (unknown, highest known is 3)
    payloadrec_sar_state: NONE
    payload[0]: 40 bytes, ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff…
    payload[1]: 0 bytes
"#);
}

#[test]
fn a_payload_of_another_encoding_is_shown_twice() {
    let (to, from) = ids();
    let mut payload = vec![0x12, 2, 0x1a, 0];
    payload.extend([0x0a, 3, 0x0a, 1, b'1']);
    insta::assert_snapshot!(Record::no_session(&to, &from, payload).to_text(), @r#"
Record
  version: "1.4"
  to_id: "os::00256D-1"
  from_id: "self::controller"
  payload_security: PLAINTEXT
  no_session_context
    payload: 9 bytes, 12021a000a030a0131
    payload decoded: Msg
      header
        msg_id: "1"
        msg_type: ERROR
      body
        error
"#);
}

//! The schema of Records: 1.4 and the two fields of 1.5.

use super::Kind::{Bytes, Enum, Fixed32, Message, String, Uint64};
use super::{EnumType, MessageType, member, message, repeated, single, with_oneof};

pub(crate) static RECORD: MessageType = with_oneof(
    "Record",
    "record_type",
    &[
        single(1, "version", String),
        single(2, "to_id", String),
        single(3, "from_id", String),
        single(
            4,
            "payload_security",
            Enum(&EnumType {
                values: &["PLAINTEXT", "TLS12"],
            }),
        ),
        single(5, "mac_signature", Bytes),
        single(6, "sender_cert", Bytes),
        member(7, "no_session_context", Message(&NO_SESSION_CONTEXT)),
        member(8, "session_context", Message(&SESSION_CONTEXT)),
        member(
            9,
            "websocket_connect",
            Message(&message("WebSocketConnectRecord", &[])),
        ),
        member(10, "mqtt_connect", Message(&MQTT_CONNECT)),
        member(11, "stomp_connect", Message(&STOMP_CONNECT)),
        member(12, "disconnect", Message(&DISCONNECT)),
        member(
            13,
            "uds_connect",
            Message(&message("UDSConnectRecord", &[])),
        ),
        single(14, "originator_id", String),
        single(15, "destination_id", String),
    ],
);

static NO_SESSION_CONTEXT: MessageType =
    message("NoSessionContextRecord", &[single(2, "payload", Bytes)]);

static SESSION_CONTEXT: MessageType = message(
    "SessionContextRecord",
    &[
        single(1, "session_id", Uint64),
        single(2, "sequence_id", Uint64),
        single(3, "expected_id", Uint64),
        single(4, "retransmit_id", Uint64),
        single(5, "payload_sar_state", Enum(&SAR_STATE)),
        single(6, "payloadrec_sar_state", Enum(&SAR_STATE)),
        repeated(7, "payload", Bytes),
    ],
);

static SAR_STATE: EnumType = EnumType {
    values: &["NONE", "BEGIN", "INPROCESS", "COMPLETE"],
};

static MQTT_CONNECT: MessageType = message(
    "MQTTConnectRecord",
    &[
        single(
            1,
            "version",
            Enum(&EnumType {
                values: &["V3_1_1", "V5"],
            }),
        ),
        single(2, "subscribed_topic", String),
    ],
);

static STOMP_CONNECT: MessageType = message(
    "STOMPConnectRecord",
    &[
        single(1, "version", Enum(&EnumType { values: &["V1_2"] })),
        single(2, "subscribed_destination", String),
    ],
);

static DISCONNECT: MessageType = message(
    "DisconnectRecord",
    &[
        single(1, "reason", String),
        single(2, "reason_code", Fixed32),
    ],
);

//! The Record: the envelope that an MTP carries from one Endpoint to another.
//!
//! Field numbers follow the USP Record schema 1.4 and the two fields that 1.5 adds.
//! This module holds words only; it must never judge a Record (see `validate`) nor read raw bytes
//! (see `codec`).

use bytes::Bytes;

/// The envelope of a USP Message, or of a connect or disconnect notice. (TR-369, Record Definition)
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Record {
    /// Version of USP that the sender speaks, "major.minor". Required.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Endpoint ID of the receiver. Required.
    #[prost(string, tag = "2")]
    pub to_id: String,
    /// Endpoint ID of the sender. Required.
    #[prost(string, tag = "3")]
    pub from_id: String,
    /// How the payload is protected; a [`PayloadSecurity`].
    #[prost(enumeration = "PayloadSecurity", tag = "4")]
    pub payload_security: i32,
    /// MAC or signature over the fields outside the payload; empty when there is none.
    #[prost(bytes = "bytes", tag = "5")]
    pub mac_signature: Bytes,
    /// PEM certificate, or chain, that belongs to `mac_signature`; empty when there is none.
    #[prost(bytes = "bytes", tag = "6")]
    pub sender_cert: Bytes,
    /// What the Record carries. Required; `None` violates R-ENC.3.
    #[prost(oneof = "RecordType", tags = "7, 8, 9, 10, 11, 12, 13")]
    pub record_type: Option<RecordType>,
    /// USP 1.5: Endpoint ID of the first sender, where Records are proxied; empty when unused.
    #[prost(string, tag = "14")]
    pub originator_id: String,
    /// USP 1.5: Endpoint ID of the last receiver, where Records are proxied; empty when unused.
    #[prost(string, tag = "15")]
    pub destination_id: String,
}

/// The kinds of Record.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum RecordType {
    /// A Message outside of any session context.
    #[prost(message, tag = "7")]
    NoSessionContext(NoSessionContext),
    /// A datagram of a session context.
    #[prost(message, tag = "8")]
    SessionContext(SessionContext),
    /// First Record on a WebSocket.
    #[prost(message, tag = "9")]
    WebSocketConnect(WebSocketConnect),
    /// First Record over MQTT.
    #[prost(message, tag = "10")]
    MqttConnect(MqttConnect),
    /// First Record over STOMP.
    #[prost(message, tag = "11")]
    StompConnect(StompConnect),
    /// Notice that the sender ends the communication.
    #[prost(message, tag = "12")]
    Disconnect(Disconnect),
    /// First Record on a Unix domain socket.
    #[prost(message, tag = "13")]
    UdsConnect(UdsConnect),
}

/// Protection of the payload of a Record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum PayloadSecurity {
    /// The payload is the encoded Message.
    Plaintext = 0,
    /// The payload is protected by TLS 1.2 or later.
    Tls12 = 1,
}

/// A Message outside of any session context. (R-E2E.26)
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NoSessionContext {
    /// The encoded Message. Required.
    #[prost(bytes = "bytes", tag = "2")]
    pub payload: Bytes,
}

/// A datagram of a session context.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SessionContext {
    /// Names the session context. Required.
    #[prost(uint64, tag = "1")]
    pub session_id: u64,
    /// Number of this Record, the first is 1. Required.
    #[prost(uint64, tag = "2")]
    pub sequence_id: u64,
    /// Number of the Record that the sender expects next. Required.
    #[prost(uint64, tag = "3")]
    pub expected_id: u64,
    /// Number of the Record to send again; 0 asks for none.
    #[prost(uint64, tag = "4")]
    pub retransmit_id: u64,
    /// Where the payload stands in its segmentation; a [`PayloadSarState`].
    #[prost(enumeration = "PayloadSarState", tag = "5")]
    pub payload_sar_state: i32,
    /// Where the payload's TLS record stands in its segmentation; a [`PayloadSarState`].
    #[prost(enumeration = "PayloadSarState", tag = "6")]
    pub payloadrec_sar_state: i32,
    /// The datagrams.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub payload: Vec<Bytes>,
}

/// Place of a datagram in a segmented payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum PayloadSarState {
    /// Not segmented.
    None = 0,
    /// The first segment.
    Begin = 1,
    /// A segment between the first and the last.
    InProcess = 2,
    /// The last segment.
    Complete = 3,
}

/// First Record on a WebSocket; it has no fields.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct WebSocketConnect {}

/// First Record over MQTT.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MqttConnect {
    /// The sender's version of MQTT; an [`MqttVersion`]. Required.
    #[prost(enumeration = "MqttVersion", tag = "1")]
    pub version: i32,
    /// A topic, without wildcards, on which the sender is reached. Required.
    #[prost(string, tag = "2")]
    pub subscribed_topic: String,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    V311 = 0,
    /// MQTT 5.
    V5 = 1,
}

/// First Record over STOMP.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StompConnect {
    /// The sender's version of STOMP; a [`StompVersion`]. Required.
    #[prost(enumeration = "StompVersion", tag = "1")]
    pub version: i32,
    /// A destination on which the sender is reached. Required.
    #[prost(string, tag = "2")]
    pub subscribed_destination: String,
}

/// Version of STOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum StompVersion {
    /// STOMP 1.2.
    V12 = 0,
}

/// First Record on a Unix domain socket; it has no fields.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct UdsConnect {}

/// Notice that the sender ends the communication. (R-MTP.7, R-MTP.9)
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Disconnect {
    /// Why, for people.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Why, as one of the codes 7100 to 7199; 0 when none is given.
    #[prost(fixed32, tag = "2")]
    pub reason_code: u32,
}

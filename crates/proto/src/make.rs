//! Constructors and views of Records and Messages.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{self, WireType};

use crate::EndpointId;
use crate::msg::{
    Body, CommandFailure, Error, Header, Msg, MsgBody, MsgType, OperationFailure, ParamError,
    ParameterError, Request, RequestType, Response, ResponseType,
};
use crate::record::{
    Disconnect, MqttConnect, MqttVersion, NoSessionContext, Record, RecordType, SessionContext,
    StompConnect, UdsConnect, WebSocketConnect,
};

/// Numbers of the fields around a response, as [`crate::msg`] declares them.
mod tags {
    pub(super) const HEADER: u32 = 1;
    pub(super) const BODY: u32 = 2;
    pub(super) const RESPONSE: u32 = 2;
}

/// The version of USP that our Records name.
pub const VERSION: &str = "1.4";

impl Msg {
    /// A request.
    pub fn request(msg_id: impl Into<String>, request: impl Into<RequestType>) -> Self {
        let request = request.into();
        let kind = request.kind();
        Self::new(
            msg_id,
            kind,
            MsgBody::Request(Request {
                req_type: Some(request),
            }),
        )
    }

    /// A response to the request named `msg_id`. (R-MSG.9)
    pub fn response(msg_id: impl Into<String>, response: impl Into<ResponseType>) -> Self {
        let response = response.into();
        let kind = response.kind();
        Self::new(
            msg_id,
            kind,
            MsgBody::Response(Response {
                resp_type: Some(response),
            }),
        )
    }

    /// The error that the request named `msg_id` came to. (R-MSG.9)
    pub fn error(
        msg_id: impl Into<String>,
        code: impl Into<u32>,
        text: impl Into<String>,
        param_errs: Vec<ParamError>,
    ) -> Self {
        let error = Error {
            err_code: code.into(),
            err_msg: text.into(),
            param_errs,
        };
        Self::new(msg_id, MsgType::Error, MsgBody::Error(error))
    }

    /// The message ID, empty where the header is missing.
    pub fn msg_id(&self) -> &str {
        self.header.as_ref().map_or("", |header| &header.msg_id)
    }

    /// The kind of Message, by its body; the header's `msg_type` is not asked. (R-MSG.10)
    pub fn kind(&self) -> Option<MsgType> {
        match self.content()? {
            MsgBody::Request(request) => request.req_type.as_ref().map(RequestType::kind),
            MsgBody::Response(response) => response.resp_type.as_ref().map(ResponseType::kind),
            MsgBody::Error(_) => Some(MsgType::Error),
        }
    }

    /// The kind that the header names, where it differs from [`Msg::kind`]: worth a line in a log. (R-MSG.10)
    pub fn misnamed_as(&self) -> Option<i32> {
        let named = self.header.as_ref()?.msg_type;
        (named != self.kind()? as i32).then_some(named)
    }

    /// Whether the body is a request, known or not.
    pub fn is_request(&self) -> bool {
        matches!(self.content(), Some(MsgBody::Request(_)))
    }

    /// Whether the body is a response, known or not.
    pub fn is_response(&self) -> bool {
        matches!(self.content(), Some(MsgBody::Response(_)))
    }

    /// Whether the body is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.content(), Some(MsgBody::Error(_)))
    }

    /// The request, if it is one.
    pub fn as_request(&self) -> Option<&RequestType> {
        match self.content()? {
            MsgBody::Request(request) => request.req_type.as_ref(),
            _ => None,
        }
    }

    /// The response, if it is one.
    pub fn as_response(&self) -> Option<&ResponseType> {
        match self.content()? {
            MsgBody::Response(response) => response.resp_type.as_ref(),
            _ => None,
        }
    }

    /// The error, if it is one.
    pub fn as_error(&self) -> Option<&Error> {
        match self.content()? {
            MsgBody::Error(error) => Some(error),
            _ => None,
        }
    }

    /// What the body holds.
    pub fn content(&self) -> Option<&MsgBody> {
        self.body.as_ref()?.msg_body.as_ref()
    }

    /// What the body holds, taken out.
    pub fn into_content(self) -> Option<MsgBody> {
        self.body?.msg_body
    }

    /// The encoded Message, the payload of a Record.
    ///
    /// It takes the Message, so that the many texts of a large answer are freed here too: this crate is built
    /// for speed, even where its users are built for size.
    pub fn into_payload(self) -> Bytes {
        match self.as_response() {
            Some(response) => wrap(self.header.as_ref(), response.encoded_len(), |payload| {
                response.encode(payload);
            }),
            None => self.encode_to_vec(),
        }
        .into()
    }

    fn new(msg_id: impl Into<String>, kind: MsgType, body: MsgBody) -> Self {
        Self {
            header: Some(Header {
                msg_id: msg_id.into(),
                msg_type: kind as i32,
            }),
            body: Some(Body {
                msg_body: Some(body),
            }),
        }
    }
}

impl Record {
    /// A Record outside of any session context; `payload` is an encoded Message and not empty. (R-E2E.26)
    pub fn no_session(to: &EndpointId, from: &EndpointId, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        debug_assert!(!payload.is_empty(), "R-E2E.26: a payload is not empty");
        Self::new(
            to,
            from,
            RecordType::NoSessionContext(NoSessionContext { payload }),
        )
    }

    /// A Record of a session context.
    pub fn session(to: &EndpointId, from: &EndpointId, context: SessionContext) -> Self {
        Self::new(to, from, RecordType::SessionContext(context))
    }

    /// The first Record on a WebSocket.
    pub fn websocket_connect(to: &EndpointId, from: &EndpointId) -> Self {
        Self::new(to, from, RecordType::WebSocketConnect(WebSocketConnect {}))
    }

    /// The first Record on a Unix domain socket.
    pub fn uds_connect(to: &EndpointId, from: &EndpointId) -> Self {
        Self::new(to, from, RecordType::UdsConnect(UdsConnect {}))
    }

    /// The first Record over MQTT; `topic` is where the sender is reached, without wildcards.
    pub fn mqtt_connect(
        to: &EndpointId,
        from: &EndpointId,
        version: MqttVersion,
        topic: impl Into<String>,
    ) -> Self {
        let connect = MqttConnect {
            version: version as i32,
            subscribed_topic: topic.into(),
        };
        Self::new(to, from, RecordType::MqttConnect(connect))
    }

    /// The first Record over STOMP 1.2; `destination` is where the sender is reached.
    pub fn stomp_connect(
        to: &EndpointId,
        from: &EndpointId,
        destination: impl Into<String>,
    ) -> Self {
        let connect = StompConnect {
            version: 0,
            subscribed_destination: destination.into(),
        };
        Self::new(to, from, RecordType::StompConnect(connect))
    }

    /// The notice that the sender ends the communication, with a code of 7100 to 7199 and a text. (R-MTP.9)
    pub fn disconnect(
        to: &EndpointId,
        from: &EndpointId,
        code: impl Into<u32>,
        text: impl Into<String>,
    ) -> Self {
        let disconnect = Disconnect {
            reason: text.into(),
            reason_code: code.into(),
        };
        Self::new(to, from, RecordType::Disconnect(disconnect))
    }

    /// The payload of a Record outside of any session context.
    pub fn payload(&self) -> Option<&Bytes> {
        match self.record_type.as_ref()? {
            RecordType::NoSessionContext(record) => Some(&record.payload),
            _ => None,
        }
    }

    /// Whether it is one of the connect Records. (R-MTP.6)
    pub fn is_connect(&self) -> bool {
        matches!(
            self.record_type,
            Some(
                RecordType::MqttConnect(_)
                    | RecordType::StompConnect(_)
                    | RecordType::UdsConnect(_)
                    | RecordType::WebSocketConnect(_)
            )
        )
    }

    /// The encoded Record.
    pub fn to_bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    fn new(to: &EndpointId, from: &EndpointId, record_type: RecordType) -> Self {
        Self {
            version: VERSION.to_owned(),
            to_id: to.as_str().to_owned(),
            from_id: from.as_str().to_owned(),
            record_type: Some(record_type),
            ..Self::default()
        }
    }
}

/// A Message around a response, which is by far the most of it: `write` adds its `length` bytes, with its own key. Each
/// wrapper would find out anew how long it is; their lengths follow from one.
pub(crate) fn wrap(
    header: Option<&Header>,
    length: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let body = field_length(length);
    let header_length = header.map_or(0, |header| field_length(header.encoded_len()));
    let mut payload = Vec::with_capacity(header_length + field_length(body));
    if let Some(header) = header {
        encoding::message::encode(tags::HEADER, header, &mut payload);
    }
    for (tag, length) in [(tags::BODY, body), (tags::RESPONSE, length)] {
        encoding::encode_key(tag, WireType::LengthDelimited, &mut payload);
        encoding::encode_varint(length as u64, &mut payload);
    }
    write(&mut payload);
    payload
}

/// Bytes of a field with a small number that holds so many.
pub(crate) fn field_length(content: usize) -> usize {
    1 + encoding::encoded_len_varint(content as u64) + content
}

impl ParamError {
    /// An error of the object or parameter at `path`.
    pub fn new(path: impl Into<String>, code: impl Into<u32>, text: impl Into<String>) -> Self {
        Self {
            param_path: path.into(),
            err_code: code.into(),
            err_msg: text.into(),
        }
    }
}

impl ParameterError {
    /// An error of the parameter named `param`.
    pub fn new(param: impl Into<String>, code: impl Into<u32>, text: impl Into<String>) -> Self {
        Self {
            param: param.into(),
            err_code: code.into(),
            err_msg: text.into(),
        }
    }
}

impl OperationFailure {
    /// A failure with a code and a text.
    pub fn new(code: impl Into<u32>, text: impl Into<String>) -> Self {
        Self {
            err_code: code.into(),
            err_msg: text.into(),
        }
    }
}

impl CommandFailure {
    /// A failure with a code and a text.
    pub fn new(code: impl Into<u32>, text: impl Into<String>) -> Self {
        Self {
            err_code: code.into(),
            err_msg: text.into(),
        }
    }
}

macro_rules! kinds {
    ($oneof:ident: $($variant:ident => $kind:ident,)*) => {
        impl $oneof {
            /// The kind of Message that this makes.
            pub fn kind(&self) -> MsgType {
                match self {
                    $(Self::$variant(_) => MsgType::$kind,)*
                }
            }
        }

        $(impl From<crate::msg::$variant> for $oneof {
            fn from(content: crate::msg::$variant) -> Self {
                Self::$variant(content)
            }
        })*
    };
}

kinds! { RequestType:
    Add => Add,
    Delete => Delete,
    Deregister => Deregister,
    Get => Get,
    GetInstances => GetInstances,
    GetSupportedDm => GetSupportedDm,
    GetSupportedProtocol => GetSupportedProto,
    Notify => Notify,
    Operate => Operate,
    Register => Register,
    Set => Set,
}

kinds! { ResponseType:
    AddResp => AddResp,
    DeleteResp => DeleteResp,
    DeregisterResp => DeregisterResp,
    GetInstancesResp => GetInstancesResp,
    GetResp => GetResp,
    GetSupportedDmResp => GetSupportedDmResp,
    GetSupportedProtocolResp => GetSupportedProtoResp,
    NotifyResp => NotifyResp,
    OperateResp => OperateResp,
    RegisterResp => RegisterResp,
    SetResp => SetResp,
}

impl MsgType {
    /// Whether Messages of this kind ask for something.
    pub fn is_request(self) -> bool {
        match self {
            Self::Add
            | Self::Delete
            | Self::Deregister
            | Self::Get
            | Self::GetInstances
            | Self::GetSupportedDm
            | Self::GetSupportedProto
            | Self::Notify
            | Self::Operate
            | Self::Register
            | Self::Set => true,
            Self::AddResp
            | Self::DeleteResp
            | Self::DeregisterResp
            | Self::Error
            | Self::GetInstancesResp
            | Self::GetResp
            | Self::GetSupportedDmResp
            | Self::GetSupportedProtoResp
            | Self::NotifyResp
            | Self::OperateResp
            | Self::RegisterResp
            | Self::SetResp => false,
        }
    }
}

//! The server's end of MQTT 5 and 3.1.1: bytes in, what was said and what to answer out.

use bytes::Bytes;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, GenericEvent};
use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, ContentType, Packet, Properties, Property, Qos, ResponseInformation,
    ResponseTopic, ServerKeepAlive, SubEntry, UserProperty, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::prelude::*;
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, SubackReasonCode,
    SubackReturnCode, UnsubackReasonCode,
};
use mqtt_protocol_core::mqtt::role::Server;
use mqtt_protocol_core::mqtt::{Connection, Version};
use usphere_proto::record::MqttVersion;
use usphere_proto::{Record, RecordType};

use super::{Answers, Does, Half};
use crate::brokered::{MqttAnswers, MqttConnect, MqttHow, MqttPublish, MqttSaid};
use crate::limits::{DECODING, MQTT_PACKET_BYTES_MAX};
use crate::peer::{Seat, What};

/// What stands before the reply topic in a Topic Name of MQTT 3.1.1. (R-MQTT.24)
const REPLY_TO: &str = "/reply-to=";

/// The server's end of a connection.
pub(super) struct Mqtt {
    connection: Connection<Server>,
    /// Filters that the Agent is subscribed to, with the QoS that it wants.
    topics: Vec<(String, u8)>,
    /// Where the Agent wants to be reached.
    agent_topic: Option<String>,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            connection: connection(),
            topics: Vec::new(),
            agent_topic: None,
        }
    }
}

fn connection() -> Connection<Server> {
    let options = ConnectionOptions::new().maximum_packet_size_recv(MQTT_PACKET_BYTES_MAX);
    let mut connection = Connection::with_options(Version::Undetermined, options);
    connection.set_auto_pub_response(true);
    connection.set_auto_ping_response(true);
    connection
}

impl Half for Mqtt {
    fn open(&mut self) {
        self.connection = connection();
        self.topics.clear();
        self.agent_topic = None;
    }

    fn take(&mut self, bytes: &[u8], answers: &Answers) -> Vec<Does> {
        let mut cursor = Cursor::new(bytes);
        let mut does = Vec::new();
        while cursor.position() < bytes.len() as u64 {
            let events = self.connection.recv(&mut cursor);
            for event in events {
                self.happened(event, &answers.mqtt, &mut does);
            }
            if matches!(does.last(), Some(Does::End(_))) {
                break;
            }
        }
        does
    }

    fn carry(&mut self, record: &Bytes, reply_to: &str) -> Option<Bytes> {
        self.published(record, reply_to, &MqttHow::default())
    }

    fn farewell(&mut self) -> Bytes {
        if self.connection.get_protocol_version() != Version::V5_0 {
            return Bytes::new();
        }
        let packet = v5_0::Disconnect::builder()
            .reason_code(DisconnectReasonCode::ServerShuttingDown)
            .build();
        match packet {
            Ok(packet) => self.bytes_of(packet.into()),
            Err(_) => Bytes::new(),
        }
    }
}

impl Mqtt {
    /// The filters that the Agent is subscribed to.
    pub(super) fn topics(&self) -> Vec<String> {
        self.topics.iter().map(|(topic, _)| topic.clone()).collect()
    }

    /// A PUBLISH to the Agent; `None` where it has no topic.
    pub(super) fn published(
        &mut self,
        record: &Bytes,
        reply_to: &str,
        how: &MqttHow,
    ) -> Option<Bytes> {
        let topic = match &how.topic {
            Some(topic) => topic.clone(),
            None => self.topic()?,
        };
        let qos = self.granted(&topic);
        let packet = match self.connection.get_protocol_version() {
            Version::V5_0 => self.publish_5(topic, record, reply_to, how, qos),
            _ => self.publish_311(topic, record, reply_to, qos),
        };
        let bytes = packet.map(|packet| self.bytes_of(packet)).ok()?;
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Where the Agent is reached: as it has said, or by its first topic.
    fn topic(&self) -> Option<String> {
        let first = self.topics.first().map(|(filter, _)| filter.as_str());
        let plain = |filter: &str| {
            let stem = filter.trim_end_matches('#').trim_end_matches('/');
            stem.replace('+', "conformance")
        };
        self.agent_topic.clone().or_else(|| first.map(plain))
    }

    /// The QoS by which something on this topic comes to the Agent.
    fn granted(&self, topic: &str) -> u8 {
        let is_of = |filter: &str| {
            let stem = filter.strip_suffix("/#");
            filter == topic || stem.is_some_and(|stem| topic.starts_with(stem))
        };
        let found = self.topics.iter().find(|(filter, _)| is_of(filter));
        found.map_or(0, |(_, qos)| (*qos).min(1))
    }

    fn publish_5(
        &mut self,
        topic: String,
        record: &Bytes,
        reply_to: &str,
        how: &MqttHow,
        qos: u8,
    ) -> Result<Packet, MqttError> {
        let props: Properties = vec![
            ContentType::new(how.content_type.as_str())?.into(),
            ResponseTopic::new(reply_to)?.into(),
        ];
        let packet = v5_0::Publish::builder()
            .topic_name(topic)?
            .payload(record.to_vec())
            .props(props);
        let packet = match qos {
            0 => packet.qos(Qos::AtMostOnce),
            _ => packet
                .qos(Qos::AtLeastOnce)
                .packet_id(self.connection.acquire_packet_id()?),
        };
        packet.build().map(Into::into)
    }

    fn publish_311(
        &mut self,
        topic: String,
        record: &Bytes,
        reply_to: &str,
        qos: u8,
    ) -> Result<Packet, MqttError> {
        let reply_to = reply_to.replace('/', "%2F");
        let packet = v3_1_1::Publish::builder()
            .topic_name(format!("{topic}{REPLY_TO}{reply_to}"))?
            .payload(record.to_vec());
        let packet = match qos {
            0 => packet.qos(Qos::AtMostOnce),
            _ => packet
                .qos(Qos::AtLeastOnce)
                .packet_id(self.connection.acquire_packet_id()?),
        };
        packet.build().map(Into::into)
    }

    /// What a packet of ours is on the wire; nothing where it may not be sent now.
    fn bytes_of(&mut self, packet: Packet) -> Bytes {
        let mut bytes = Vec::new();
        for event in self.connection.send(packet) {
            match event {
                GenericEvent::RequestSendPacket { packet, .. } => {
                    bytes.extend(packet.to_continuous_buffer());
                }
                GenericEvent::NotifyError(error) => tracing::debug!(%error, "nothing was sent"),
                _ => {}
            }
        }
        bytes.into()
    }

    fn answer(&mut self, packet: Result<impl Into<Packet>, MqttError>, does: &mut Vec<Does>) {
        match packet {
            Ok(packet) => does.push(Does::Send(self.bytes_of(packet.into()))),
            Err(error) => tracing::debug!(%error, "there is no answer"),
        }
    }

    fn happened(&mut self, event: GenericEvent<u16>, answers: &MqttAnswers, does: &mut Vec<Does>) {
        match event {
            GenericEvent::NotifyPacketReceived(packet) => self.obey(packet, answers, does),
            GenericEvent::RequestSendPacket { packet, .. } => {
                does.push(Does::Send(packet.to_continuous_buffer().into()));
            }
            GenericEvent::NotifyError(error) => {
                does.push(Does::End(format!("what came is no good MQTT: {error}")));
            }
            _ => {}
        }
    }

    fn obey(&mut self, packet: Packet, answers: &MqttAnswers, does: &mut Vec<Does>) {
        let say = |said| Does::Say(What::Mqtt(said));
        match packet {
            Packet::V5_0Connect(packet) => {
                let connect = connect_5(&packet);
                let answer = connack_5(&connect, answers);
                does.push(say(MqttSaid::Connect(connect)));
                self.answer(answer, does);
            }
            Packet::V3_1_1Connect(packet) => {
                let connect = MqttConnect {
                    version: MqttVersion::V311,
                    client_id: packet.client_id().to_owned(),
                    keep_alive: packet.keep_alive(),
                    user_name: packet.user_name().map(str::to_owned),
                    has_password: packet.password_flag(),
                    user_properties: Vec::new(),
                    wants_response_information: false,
                };
                does.push(say(MqttSaid::Connect(connect)));
                let answer = v3_1_1::Connack::builder()
                    .session_present(false)
                    .return_code(ConnectReturnCode::Accepted)
                    .build();
                self.answer(answer, does);
            }
            Packet::V5_0Subscribe(packet) => {
                let topics = self.subscribed(packet.entries(), answers, does);
                let codes = topics.iter().map(|(_, qos)| match (answers.grants, qos) {
                    (false, _) => SubackReasonCode::NotAuthorized,
                    (true, 0) => SubackReasonCode::GrantedQos0,
                    (true, _) => SubackReasonCode::GrantedQos1,
                });
                let answer = v5_0::Suback::builder()
                    .packet_id(packet.packet_id())
                    .reason_codes(codes.collect())
                    .build();
                self.answer(answer, does);
                up(answers, does);
            }
            Packet::V3_1_1Subscribe(packet) => {
                let topics = self.subscribed(packet.entries(), answers, does);
                let codes = topics.iter().map(|(_, qos)| match (answers.grants, qos) {
                    (false, _) => SubackReturnCode::Failure,
                    (true, 0) => SubackReturnCode::SuccessMaximumQos0,
                    (true, _) => SubackReturnCode::SuccessMaximumQos1,
                });
                let answer = v3_1_1::Suback::builder()
                    .packet_id(packet.packet_id())
                    .return_codes(codes.collect())
                    .build();
                self.answer(answer, does);
                up(answers, does);
            }
            Packet::V5_0Unsubscribe(packet) => {
                let topics: Vec<String> = packet
                    .entries()
                    .iter()
                    .map(|one| one.as_str().to_owned())
                    .collect();
                let codes = vec![UnsubackReasonCode::Success; topics.len()];
                self.unsubscribed(topics, does);
                let answer = v5_0::Unsuback::builder()
                    .packet_id(packet.packet_id())
                    .reason_codes(codes)
                    .build();
                self.answer(answer, does);
            }
            Packet::V3_1_1Unsubscribe(packet) => {
                let topics: Vec<String> = packet
                    .entries()
                    .iter()
                    .map(|one| one.as_str().to_owned())
                    .collect();
                self.unsubscribed(topics, does);
                let answer = v3_1_1::Unsuback::builder()
                    .packet_id(packet.packet_id())
                    .build();
                self.answer(answer, does);
            }
            Packet::V5_0Publish(packet) => {
                let payload = Bytes::copy_from_slice(packet.payload().as_slice());
                let publish =
                    publish_of(packet.topic_name(), packet.qos(), packet.props(), &payload);
                does.push(say(MqttSaid::Publish(publish)));
                self.record(payload, does);
            }
            Packet::V3_1_1Publish(packet) => {
                let payload = Bytes::copy_from_slice(packet.payload().as_slice());
                let none = Properties::new();
                let publish = publish_of(packet.topic_name(), packet.qos(), &none, &payload);
                does.push(say(MqttSaid::Publish(publish)));
                self.record(payload, does);
            }
            Packet::V5_0Pingreq(_) | Packet::V3_1_1Pingreq(_) => does.push(say(MqttSaid::Ping)),
            Packet::V5_0Disconnect(packet) => {
                let code = packet.reason_code().map(|code| code as u8);
                does.push(say(MqttSaid::Disconnect(code)));
                does.push(Does::End("the Agent has ended the session".to_owned()));
            }
            Packet::V3_1_1Disconnect(_) => {
                does.push(say(MqttSaid::Disconnect(None)));
                does.push(Does::End("the Agent has ended the session".to_owned()));
            }
            _ => {}
        }
    }

    fn subscribed(
        &mut self,
        entries: &[SubEntry],
        answers: &MqttAnswers,
        does: &mut Vec<Does>,
    ) -> Vec<(String, u8)> {
        let topics = entries
            .iter()
            .map(|one| (one.topic_filter().to_owned(), one.sub_opts().qos() as u8));
        let topics: Vec<(String, u8)> = topics.collect();
        does.push(Does::Say(What::Mqtt(MqttSaid::Subscribe(topics.clone()))));
        if answers.grants {
            self.topics.extend(topics.iter().cloned());
        }
        topics
    }

    fn unsubscribed(&mut self, topics: Vec<String>, does: &mut Vec<Does>) {
        self.topics.retain(|(topic, _)| !topics.contains(topic));
        does.push(Does::Say(What::Mqtt(MqttSaid::Unsubscribe(topics))));
    }

    fn record(&mut self, payload: Bytes, does: &mut Vec<Does>) {
        if let Ok(record) = Record::decode_bounded(payload.clone(), &DECODING)
            && let Some(RecordType::MqttConnect(connect)) = record.record_type
        {
            self.agent_topic = Some(connect.subscribed_topic);
        }
        does.push(Does::Record(payload));
    }
}

fn up(answers: &MqttAnswers, does: &mut Vec<Does>) {
    if answers.grants {
        does.push(Does::Up);
    }
}

fn connack_5(connect: &MqttConnect, answers: &MqttAnswers) -> Result<v5_0::Connack, MqttError> {
    let mut props = Properties::new();
    let assigned = answers.client_id.as_deref();
    if let Some(id) = assigned.filter(|_| connect.client_id.is_empty()) {
        props.push(AssignedClientIdentifier::new(id)?.into());
    }
    if let Some(seconds) = answers.keep_alive {
        props.push(ServerKeepAlive::new(seconds)?.into());
    }
    let information = answers.response_information.as_deref();
    if let Some(topic) = information.filter(|_| connect.wants_response_information) {
        props.push(ResponseInformation::new(topic)?.into());
    }
    if let Some(topic) = &answers.subscribe_topic {
        props.push(UserProperty::new("subscribe-topic", topic.as_str())?.into());
    }
    v5_0::Connack::builder()
        .session_present(false)
        .reason_code(ConnectReasonCode::Success)
        .props(props)
        .build()
}

fn connect_5(packet: &v5_0::Connect) -> MqttConnect {
    let mut user_properties = Vec::new();
    let mut wants_response_information = false;
    for property in packet.props().iter() {
        match property {
            Property::UserProperty(one) => {
                user_properties.push((one.key().to_owned(), one.val().to_owned()));
            }
            Property::RequestResponseInformation(one) => {
                wants_response_information = one.val() == 1;
            }
            _ => {}
        }
    }
    MqttConnect {
        version: MqttVersion::V5,
        client_id: packet.client_id().to_owned(),
        keep_alive: packet.keep_alive(),
        user_name: packet.user_name().map(str::to_owned),
        has_password: packet.password_flag(),
        user_properties,
        wants_response_information,
    }
}

fn publish_of(topic: &str, qos: Qos, props: &Properties, payload: &Bytes) -> MqttPublish {
    let mut publish = MqttPublish {
        topic: topic.to_owned(),
        qos: qos as u8,
        response_topic: None,
        content_type: None,
        bytes: payload.len(),
    };
    for property in props.iter() {
        match property {
            Property::ContentType(one) => publish.content_type = Some(one.val().to_owned()),
            Property::ResponseTopic(one) => publish.response_topic = Some(one.val().to_owned()),
            _ => {}
        }
    }
    publish
}

/// The topic for the answers to a Controller.
pub(super) fn reply_to(seat: Seat) -> &'static str {
    match seat {
        Seat::Primary | Seat::Twin => "usphere/conformance/controller",
        Seat::Second => "usphere/conformance/controller-2",
    }
}

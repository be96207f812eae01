//! Agents that are reached through a server, which is the bench: what is seen and done of MQTT and STOMP.

use std::fmt;

use bytes::Bytes;
use usphere_proto::record::MqttVersion;

use crate::peer::{Seat, Trouble};

/// What can only be done where we are the Agent's MQTT server.
pub trait MqttServer {
    /// How the Agent is answered from now on. It is as it was at the beginning once a test sets it back.
    fn answers(&mut self) -> &mut MqttAnswers;

    /// Publishes a Record of this Controller to the Agent, as told.
    ///
    /// # Errors
    /// The Agent is not connected, or has no such topic.
    fn publish(&mut self, seat: Seat, record: Bytes, how: &MqttHow) -> Result<(), Trouble>;

    /// Ends the session by a DISCONNECT, which only MQTT 5 has, and the connection.
    ///
    /// # Errors
    /// The Agent is not connected.
    fn disconnect(&mut self) -> Result<(), Trouble>;

    /// The topic on which the answers to this Controller are to be published.
    fn reply_topic(&self, seat: Seat) -> String;

    /// The topics that the Agent is subscribed to.
    fn topics(&self) -> Vec<String>;

    /// Whether the link runs over TLS.
    fn is_tls(&self) -> bool;
}

/// How an MQTT server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MqttAnswers {
    /// Whether it takes connections; they are turned away otherwise.
    pub is_there: bool,
    /// The Assigned Client Identifier of its CONNACK, for a client that leaves it open.
    pub client_id: Option<String>,
    /// The Server Keep Alive of its CONNACK, in seconds.
    pub keep_alive: Option<u16>,
    /// The Response Information of its CONNACK, for a client that wants it.
    pub response_information: Option<String>,
    /// The User Property `subscribe-topic` of its CONNACK.
    pub subscribe_topic: Option<String>,
    /// Whether subscriptions are granted; each fails otherwise.
    pub grants: bool,
}

impl Default for MqttAnswers {
    fn default() -> Self {
        Self {
            is_there: true,
            client_id: Some("usphere-conformance-client".to_owned()),
            keep_alive: None,
            response_information: Some("usphere/conformance/agent".to_owned()),
            // So that an Agent whose own topics a test has taken away can be reached to give them back.
            subscribe_topic: Some("usphere/conformance/agent".to_owned()),
            grants: true,
        }
    }
}

/// How a Record is published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MqttHow {
    /// The topic; the one that the Agent has named otherwise.
    pub topic: Option<String>,
    /// The Content Type.
    pub content_type: String,
}

impl Default for MqttHow {
    fn default() -> Self {
        Self {
            topic: None,
            content_type: "usp.msg".to_owned(),
        }
    }
}

/// What an Agent says to its MQTT server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MqttSaid {
    /// A CONNECT.
    Connect(MqttConnect),
    /// A DISCONNECT, with its reason code where it has one.
    Disconnect(Option<u8>),
    /// A PINGREQ.
    Ping,
    /// A PUBLISH.
    Publish(MqttPublish),
    /// A SUBSCRIBE: topics, and their QoS.
    Subscribe(Vec<(String, u8)>),
    /// An UNSUBSCRIBE: topics.
    Unsubscribe(Vec<String>),
}

/// A CONNECT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MqttConnect {
    /// The version of MQTT.
    pub version: MqttVersion,
    /// Client Identifier.
    pub client_id: String,
    /// Keep Alive, in seconds.
    pub keep_alive: u16,
    /// User Name.
    pub user_name: Option<String>,
    /// Whether it has a Password.
    pub has_password: bool,
    /// User Properties.
    pub user_properties: Vec<(String, String)>,
    /// Request Response Information.
    pub wants_response_information: bool,
}

/// A PUBLISH.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MqttPublish {
    /// Topic Name.
    pub topic: String,
    /// QoS.
    pub qos: u8,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Bytes of its payload.
    pub bytes: usize,
}

/// What can only be done where we are the Agent's STOMP server.
pub trait StompServer {
    /// How the Agent is answered from now on.
    fn answers(&mut self) -> &mut StompAnswers;

    /// Ends the connection by an ERROR.
    ///
    /// # Errors
    /// The Agent is not connected.
    fn disconnect(&mut self) -> Result<(), Trouble>;

    /// Whether the link runs over TLS.
    fn is_tls(&self) -> bool;
}

/// How a STOMP server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StompAnswers {
    /// Whether it takes connections; they are turned away otherwise.
    pub is_there: bool,
    /// The header `subscribe-dest` of its CONNECTED.
    pub subscribe_dest: Option<String>,
    /// How often it can send heart-beats and wants them, in milliseconds.
    pub heart_beat: (u32, u32),
}

impl Default for StompAnswers {
    fn default() -> Self {
        Self {
            is_there: true,
            subscribe_dest: Some("/usphere/conformance/agent".to_owned()),
            heart_beat: (0, 0),
        }
    }
}

/// What an Agent says to its STOMP server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StompSaid {
    /// A frame.
    Frame(StompFrame),
    /// An end of line between frames.
    HeartBeat,
}

/// A frame of STOMP.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StompFrame {
    /// Its command.
    pub command: String,
    /// Its headers, in order.
    pub headers: Vec<(String, String)>,
    /// Bytes of its body.
    pub bytes: usize,
}

impl StompFrame {
    /// The value of a header; the first counts.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for MqttSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(connect) => write!(f, "MQTT CONNECT of {:?}", connect.client_id),
            Self::Disconnect(None) => f.write_str("MQTT DISCONNECT"),
            Self::Disconnect(Some(code)) => write!(f, "MQTT DISCONNECT, reason code {code:#04x}"),
            Self::Ping => f.write_str("MQTT PINGREQ"),
            Self::Publish(publish) => write!(f, "MQTT PUBLISH to {}", publish.topic),
            Self::Subscribe(topics) => {
                let topics: Vec<&str> = topics.iter().map(|(topic, _)| topic.as_str()).collect();
                write!(f, "MQTT SUBSCRIBE to {}", topics.join(", "))
            }
            Self::Unsubscribe(topics) => write!(f, "MQTT UNSUBSCRIBE from {}", topics.join(", ")),
        }
    }
}

impl fmt::Display for StompSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeartBeat => f.write_str("STOMP heart-beat"),
            Self::Frame(frame) => match frame.header("destination") {
                None => write!(f, "STOMP {}", frame.command),
                Some(to) => write!(f, "STOMP {} of {to}", frame.command),
            },
        }
    }
}

//! The Agent under test, as the bench sees it: bytes out, bytes in, and time.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use usphere_proto::EndpointId;

use crate::brokered::{MqttSaid, MqttServer, StompSaid, StompServer};
use crate::credentials::Credentials;
use crate::network::{Network, Sighting};
use crate::publications::{Publication, Publications};
use crate::tries::{Tries, Try};
use crate::web::{Web, WebRequest};

/// Which of the bench's Controllers something is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Seat {
    /// The Controller that the Agent knows from the start, with full access.
    Primary,
    /// Another one, which tests introduce.
    Second,
    /// A second connection of the first one.
    Twin,
}

impl Seat {
    /// Every seat.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Second, Self::Twin];
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "the Controller",
            Self::Second => "the second Controller",
            Self::Twin => "the Controller's second connection",
        })
    }
}

/// Where an Agent finds a Controller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path, with its leading `/`.
    pub path: String,
    /// Whether it runs over TLS.
    pub encryption: bool,
}

/// Where an Agent reaches a Controller through its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// The protocol, and the object below the row in the Controller's table of MTPs.
    pub protocol: &'static str,
    /// The parameter of that object.
    pub parameter: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// Something that happened at one of the bench's Controllers.
#[derive(Clone, Debug)]
pub struct Happening {
    /// Which one.
    pub seat: Seat,
    /// When, since the peer's beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum What {
    /// The link has ended with a closing handshake, the Agent's status code if it gave one.
    Closed {
        /// The status code.
        code: Option<u16>,
        /// Its text.
        text: String,
    },
    /// The link has ended without a word.
    Lost(String),
    /// One message, which should be a Record.
    Message(Bytes),
    /// Somebody who has tried to connect came to nothing: why.
    NotLetIn(String),
    /// Something that no test looks for and people may want to know.
    Noted(String),
    /// The Agent has said something to its MQTT server, which we are.
    Mqtt(MqttSaid),
    /// A link is there.
    Opened,
    /// The Agent has sent a Ping.
    Ping(Bytes),
    /// The Agent has sent a Pong.
    Pong(Bytes),
    /// The Agent has published something at our MQTT server.
    Published(Box<Publication>),
    /// The Agent has asked for something at our web server.
    Requested(Box<WebRequest>),
    /// The Agent was seen doing something in the network around it.
    Sighted(Box<Sighting>),
    /// The Agent has said something to its STOMP server, which we are.
    Stomp(StompSaid),
    /// A text message, which nobody may send.
    Text(String),
    /// The Agent has sent a datagram to the host that says nothing.
    Tried(Try),
    /// The Agent has tried to connect, and was turned away as the test wanted it.
    TurnedAway,
}

/// Why the bench cannot do what a test wants.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// Nobody is at the other end: the reason.
    #[error("{0}")]
    Gone(String),
    /// This way of reaching the Agent does not allow it: why.
    #[error("{0}")]
    Impossible(String),
}

/// One Agent under test, however it is reached.
pub trait Peer: Send {
    /// How it is reached, for the report.
    fn way(&self) -> String;

    /// Who the Controller is.
    fn endpoint_id(&self, seat: Seat) -> EndpointId;

    /// Where the Agent is to dial this Controller; `None` where the bench dials the Agent.
    fn address(&self, seat: Seat) -> Option<Address>;

    /// Where the Agent is to reach this Controller through its server; `None` where there is none between.
    fn destination(&self, _: Seat) -> Option<Destination> {
        None
    }

    /// Time since the beginning.
    fn now(&self) -> Duration;

    /// The next thing that happens, `None` when nothing did until then. Time passes meanwhile.
    fn next(&mut self, until: Duration) -> Option<Happening>;

    /// Sends bytes as one message on the link of this Controller.
    ///
    /// # Errors
    /// There is no link.
    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble>;

    /// Sees to it that this Controller gets a link if it has none: dials, or opens its door.
    /// [`What::Opened`] tells when it is there.
    ///
    /// # Errors
    /// It cannot be had; a dial that fails will be tried again by the next call.
    fn connect(&mut self, seat: Seat) -> Result<(), Trouble>;

    /// Ends the link without a word, as a cable that is cut.
    fn drop_link(&mut self, seat: Seat);

    /// Takes the power from the Agent and gives it back.
    ///
    /// # Errors
    /// It is not in our hands.
    fn restart(&mut self) -> Result<(), Trouble>;

    /// Whether the Agent is as good as dead, and [`Peer::restart`] can help.
    fn can_restart(&self) -> bool;

    /// What the IDs of session contexts begin at: another number in each run.
    fn sessions_from(&self) -> u64 {
        1
    }

    /// What the Controller proves by certificates within Records.
    fn credentials(&self) -> Option<&Credentials> {
        None
    }

    /// What can only be done with a real WebSocket.
    fn websocket(&mut self) -> Option<&mut dyn WebSocket> {
        None
    }

    /// A web server that the Agent can reach.
    fn web(&mut self) -> Option<&mut dyn Web> {
        None
    }

    /// An MQTT server that the Agent can reach.
    fn publications(&mut self) -> Option<&mut dyn Publications> {
        None
    }

    /// A host that the Agent can reach and that says nothing.
    fn tries(&mut self) -> Option<&mut dyn Tries> {
        None
    }

    /// The network around the Agent.
    fn network(&mut self) -> Option<&mut dyn Network> {
        None
    }

    /// What can only be done where we are the Agent's MQTT server.
    fn mqtt(&mut self) -> Option<&mut dyn MqttServer> {
        None
    }

    /// What can only be done where we are the Agent's STOMP server.
    fn stomp(&mut self) -> Option<&mut dyn StompServer> {
        None
    }
}

/// What can only be done with a real WebSocket.
pub trait WebSocket {
    /// Sends a Ping.
    ///
    /// # Errors
    /// There is no link.
    fn ping(&mut self, seat: Seat, payload: Bytes) -> Result<(), Trouble>;

    /// Sends a Pong that nobody asked for.
    ///
    /// # Errors
    /// There is no link.
    fn pong(&mut self, seat: Seat, payload: Bytes) -> Result<(), Trouble>;

    /// Begins the closing handshake.
    ///
    /// # Errors
    /// There is no link.
    fn close(&mut self, seat: Seat, code: u16) -> Result<(), Trouble>;

    /// Sends one message in several frames.
    ///
    /// # Errors
    /// There is no link.
    fn send_fragmented(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble>;

    /// From now on turns everybody away who wants to connect, or nobody any more.
    ///
    /// # Errors
    /// The bench dials the Agent.
    fn turn_away(&mut self, all: bool) -> Result<(), Trouble>;

    /// From now on tells who it is by the extension of USP before 1.3, or does not.
    fn tell_extension(&mut self, told: bool);

    /// Whether the link runs over TLS.
    fn is_tls(&self) -> bool;

    /// Makes a certificate for the Controller that the Agent has not seen and nobody vouches for: PEM.
    ///
    /// # Errors
    /// TLS is not spoken.
    fn make_certificate(&mut self) -> Result<String, Trouble>;

    /// Presents that certificate from the next handshake on, or the usual one again.
    ///
    /// # Errors
    /// There is none.
    fn present_made(&mut self, made: bool) -> Result<(), Trouble>;
}

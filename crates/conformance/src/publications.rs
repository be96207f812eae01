//! An MQTT server that the Agent can reach, in the bench's hands, where bulk data is published.
//!
//! It is another one than that over which Records go. What is published happens like all else
//! ([`What::Published`](crate::peer::What)).

use bytes::Bytes;

use crate::peer::{Address, Trouble};

/// Something that the Agent has published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publication {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
}

/// An MQTT server that the Agent can reach.
pub trait Publications {
    /// From now on tells of what is published on this topic: where the Agent finds the server. Clients need no
    /// name and no password.
    ///
    /// # Errors
    /// There can be no such server.
    fn follow(&mut self, topic: &str) -> Result<Address, Trouble>;
}

//! A host that the Agent can reach and that says nothing, in the bench's hands: what is sent to it by way of trial.

use std::net::IpAddr;

use crate::peer::Trouble;

/// A datagram by which the Agent has tried to find the way to the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Try {
    /// How many hops it could still have gone; tries of the same distance have the same.
    pub hops_left: u8,
}

/// A host that says nothing.
pub trait Tries {
    /// From now on says nothing to datagrams of UDP at the ports that routes are traced with, and tells of each
    /// ([`What::Tried`](crate::peer::What)): where the Agent finds the host.
    ///
    /// # Errors
    /// There can be no such host.
    fn keep_silent(&mut self) -> Result<IpAddr, Trouble>;

    /// From now on the host answers as hosts do at whose ports nobody listens.
    fn answer_again(&mut self);
}

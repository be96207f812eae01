//! What an Agent is made with.

use usphere_proto::EndpointId;

/// What an Agent is made with. All but the first two only seeds rows that are not there yet: what
/// was Set later is never overwritten.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Agent's Endpoint ID.
    pub endpoint_id: EndpointId,
    /// The Agent's software version, at most 64 characters.
    pub software_version: String,
    /// Controllers with full access.
    pub controllers: Vec<KnownController>,
    /// Where Controllers may dial in.
    pub listen: Option<Target>,
}

/// A Controller that is known from the start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownController {
    /// Its Endpoint ID.
    pub endpoint_id: EndpointId,
    /// Where its WebSocket is dialled; `None` when it dials in.
    pub target: Option<Target>,
}

/// Where a WebSocket is reached or offered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Name or address, an IPv6 address without brackets. Empty for a place to listen at: the
    /// driver knows its addresses.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path, with the query if there is one; usually starts with `/`.
    pub path: String,
    /// Whether it runs over TLS.
    pub encryption: bool,
}

//! What an Agent is made with.

use usphere_proto::EndpointId;
use usphere_trust::{AllowedUses, Certificate, RevocationList};

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
    /// Whom the Agent trusts over TLS.
    pub trust: TrustConfig,
}

/// Whom the Agent trusts over TLS. A certificate is seeded once: when somebody has deleted it since, it
/// does not come back.
#[derive(Clone, Debug, Default)]
pub struct TrustConfig {
    /// Certificates whose owners vouch for others.
    pub authorities: Vec<Authority>,
    /// The certificates that Controllers are known by.
    pub pins: Vec<Pin>,
    /// Certificates that are trusted no more. They are not kept: each start has to bring them.
    pub revocation_lists: Vec<RevocationList>,
    /// Whether peers whom nobody vouches for are let in with the untrusted role. Counts at the first start
    /// only.
    pub on_first_use: bool,
}

/// A certificate whose owner vouches for others.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The certificate.
    pub certificate: Certificate,
    /// What its owner is trusted to vouch for.
    pub allowed_uses: AllowedUses,
    /// Whether the Controllers that it vouches for may do everything; otherwise they may do what they
    /// were given one by one.
    pub full_access: bool,
}

/// The certificate that a Controller is known by.
#[derive(Clone, Debug)]
pub struct Pin {
    /// The Controller; one that is not known gets no row by this.
    pub endpoint_id: EndpointId,
    /// Its certificate.
    pub certificate: Certificate,
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

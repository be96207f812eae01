//! The network around the Agent, where that is in the bench's hands: who gives leases and names there, and what
//! the Agent asks and tells.
//!
//! Nothing in this crate offers one yet; the tests of section 8 are written against it. What is seen happens like
//! all else ([`What::Sighted`](crate::peer::What)).

use std::net::IpAddr;

use bytes::Bytes;

use crate::peer::Trouble;

/// The enterprise number of the Broadband Forum. (R-DIS.1)
pub const BROADBAND_FORUM: u32 = 3561;

/// Something that the Agent was seen doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// It asks for a lease, by DHCPv4 or DHCPv6, as a member of these classes.
    Lease(Vec<VendorClass>),
    /// It wants to know something about a name.
    Question {
        /// The name, without a dot at its end.
        name: String,
        /// Whether it asks everybody (mDNS), or a server.
        is_multicast: bool,
    },
    /// It tells everybody what is known of names (mDNS).
    Answer {
        /// What is known.
        records: Vec<Resource>,
        /// Whether somebody has asked for it.
        is_solicited: bool,
    },
}

/// A class of vendors that an Agent says it belongs to. (RFC 3925, RFC 8415)
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VendorClass {
    /// The enterprise number.
    pub enterprise: u32,
    /// What belongs to it, each for itself.
    pub data: Vec<Bytes>,
}

/// A resource record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// Its name, without a dot at its end.
    pub name: String,
    /// What it says.
    pub data: ResourceData,
}

/// What a resource record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ResourceData {
    /// A or AAAA.
    Address(IpAddr),
    /// PTR.
    Pointer(String),
    /// SRV.
    Service {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// TXT: attributes, with their values where they have one. (RFC 6763, 6.3)
    Text(Vec<(String, Option<String>)>),
    /// Another one.
    Other,
}

/// What is given with each lease of a Controller, as it stands in the option. (R-DIS.1a to R-DIS.1c)
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LeaseOptions {
    /// URL or FQDN of the Controller.
    pub url: Option<Bytes>,
    /// The provisioning code.
    pub provisioning_code: Option<Bytes>,
    /// Who the Controller is.
    pub endpoint_id: Option<Bytes>,
}

/// The network around the Agent.
pub trait Network {
    /// From now on gives these options with each lease.
    ///
    /// # Errors
    /// It cannot.
    fn lease(&mut self, options: LeaseOptions) -> Result<(), Trouble>;

    /// From now on answers questions for this name by the address of the Controller, by DNS, and by mDNS for a
    /// name that ends with `.local`.
    ///
    /// # Errors
    /// It cannot.
    fn name(&mut self, name: &str) -> Result<(), Trouble>;

    /// Asks everybody (mDNS) who a PTR record of this name points at.
    ///
    /// # Errors
    /// It cannot.
    fn ask(&mut self, name: &str) -> Result<(), Trouble>;
}

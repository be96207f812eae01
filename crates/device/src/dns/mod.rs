//! The Domain Name System: the servers that the host asks, and asking them.

mod client;
mod lookup;
mod message;
mod resolv_conf;
mod resolver;

pub(crate) use client::{CLIENT, DNS, DnsClient, Origins, SERVER, UNIT};
pub(crate) use lookup::{DNS_DIAGNOSTICS, Lookup};
pub(crate) use resolver::Resolver;

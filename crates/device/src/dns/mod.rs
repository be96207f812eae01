//! The Domain Name System: the servers that the host asks, and asking them.

mod client;
mod resolv_conf;

pub(crate) use client::{CLIENT, DNS, DnsClient, Origins, SERVER, UNIT};

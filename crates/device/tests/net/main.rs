//! The network of namespaces made for it, compared with what iproute2 says of them.

mod chance;
mod counters;
mod diagnosing;
mod facts;
mod inside;
mod mistakes;
mod namespace;
mod neighbours;
mod ports;
mod reading;
mod scene;
mod sysfs;
mod uml;
mod vlans;
mod writing;

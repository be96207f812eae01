//! The network of namespaces made for it, compared with what iproute2 says of them.

mod chance;
mod facts;
mod inside;
mod mistakes;
mod namespace;
mod neighbours;
mod ports;
mod reading;
mod scene;
mod uml;
mod writing;

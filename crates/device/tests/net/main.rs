//! The network of namespaces made for it, compared with what iproute2 says of them.

mod facts;
mod namespace;
mod reading;
mod scene;
mod uml;
mod writing;

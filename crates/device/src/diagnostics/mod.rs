//! Diagnostics of IP: commands that take their time and can be cancelled.

mod echo;
mod ping;
mod socket;
pub(crate) mod target;
#[cfg(test)]
mod tests;
mod trace_route;

use std::time::Duration;

use usphere_datamodel::declare::{BOOLEAN, Object, object, parameter};

pub(crate) use ping::Ping;
pub(crate) use trace_route::TraceRoute;

/// What can be found out over IP. (TR-181 2.19)
pub(crate) const IP_DIAGNOSTICS: Object = object("Device.IP.Diagnostics.")
    .parameters(&[
        parameter("IPv4PingSupported", BOOLEAN).default("true"),
        parameter("IPv6PingSupported", BOOLEAN).default("true"),
        parameter("IPv4TraceRouteSupported", BOOLEAN).default("true"),
        parameter("IPv6TraceRouteSupported", BOOLEAN).default("true"),
    ])
    .commands(&[ping::IP_PING, trace_route::TRACE_ROUTE]);

/// How soon a command that is cancelled stops.
const CANCEL_PERIOD: Duration = Duration::from_millis(100);

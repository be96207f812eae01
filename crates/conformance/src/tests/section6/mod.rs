//! Section 6: STOMP. The suite is the Agent's STOMP server, and so sees all that it says. (R-STOMP.0 ff.)

mod connect;
mod destination;
mod message;

use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, equal, same_value, value_in};
use crate::stop::{Done, Stop};
use crate::tests::section11::supports;

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[
    &[test(6, 1, profiles)],
    connect::TESTS,
    message::TESTS,
    destination::TESTS,
];

const CONNECTIONS: &str = "Device.STOMP.Connection.";
const MTPS: &str = "Device.LocalAgent.MTP.";
const DEVICE_INFO: &str = "Device.DeviceInfo.";
const LOCAL_AGENT: &str = "Device.LocalAgent.";

/// What 6.1 asks for.
const REQUIRED: [(&str, &[&str]); 3] = [
    (
        "Device.LocalAgent.Controller.{i}.MTP.{i}.STOMP.",
        &["Reference", "Destination"],
    ),
    ("Device.STOMP.", &["ConnectionNumberOfEntries"]),
    (
        "Device.STOMP.Connection.{i}.",
        &[
            "Alias",
            "Enable",
            "Status",
            "Host",
            "Port",
            "VirtualHost",
            "ServerRetryInitialInterval",
            "ServerRetryIntervalMultiplier",
            "ServerRetryMaxInterval",
        ],
    ),
];

/// 6.1
fn profiles(bench: &mut Bench) -> Done {
    bench.step("Ask for the supported data model of STOMP and of the Agent");
    supports(bench, &["Device.STOMP.", "Device.LocalAgent."], &REQUIRED)
}

/// The row of the connection by which the Agent is connected to us.
fn connection(bench: &mut Bench) -> Result<String, Stop> {
    bench.stomp()?;
    let values = bench.values(CONNECTIONS)?;
    let rows = bench.rows(CONNECTIONS)?;
    let is = |row: &&String, name: &str, value: &str| {
        let came = values.get(&format!("{row}{name}"));
        came.is_some_and(|came| same_value(came, value))
    };
    let active = rows.iter().find(|row| is(row, "Status", "Enabled"));
    let active = active.or_else(|| rows.iter().find(|row| is(row, "Enable", "true")));
    active.or(rows.first()).cloned().ok_or_else(|| {
        Stop::failed(format_args!(
            "{CONNECTIONS} has no row, and the Agent is connected"
        ))
    })
}

/// The parameter that names the destination of the Agent.
fn destination_parameter(bench: &mut Bench) -> Result<String, Stop> {
    bench.stomp()?;
    let values = bench.values(MTPS)?;
    let rows = bench.rows(MTPS)?;
    let row = rows.iter().find(|row| {
        let protocol = values.get(&format!("{row}Protocol"));
        protocol.is_some_and(|protocol| protocol == "STOMP")
    });
    let row =
        row.ok_or_else(|| Stop::failed(format_args!("{MTPS} has no row with the Protocol STOMP")))?;
    Ok(format!("{row}STOMP.Destination"))
}

/// The shortest wait before the server is tried again, and by how much it may grow.
fn intervals(bench: &mut Bench, connection: &str) -> Result<(Duration, f64), Stop> {
    let values = bench.values(connection)?;
    let number = |name: &str| {
        let path = format!("{connection}ServerRetry{name}");
        let value = value_in(&values, &path)?.parse::<u32>();
        value.map_err(|_| Stop::Failed(format!("{path}: a number was expected")))
    };
    let min = Duration::from_secs(number("InitialInterval")?.into());
    Ok((min, f64::from(number("IntervalMultiplier")?) / 1000.0))
}

/// Waits until the Agent has subscribed: to which destination.
fn subscribed(bench: &mut Bench) -> Result<String, Stop> {
    let frame = bench.await_stomp(&["SUBSCRIBE"])?;
    let destination = frame.header("destination");
    destination.map(str::to_owned).ok_or_else(|| {
        Stop::failed("a SUBSCRIBE with the header destination was expected, it has none")
    })
}

/// The Agent answers a Get, and names this destination as its own.
fn answers_from(bench: &mut Bench, destination: &str) -> Done {
    bench.step("Send a Get, and wait for the SEND of its answer");
    bench.forget_said();
    bench.get(&[object(bench)])?.response()?;
    let frame = bench.await_stomp(&["SEND"])?;
    equal(
        "the header reply-to-dest",
        &frame.header("reply-to-dest"),
        &Some(destination),
    )
}

fn object(bench: &Bench) -> &'static str {
    match bench.features().has(DEVICE_INFO) {
        true => DEVICE_INFO,
        false => LOCAL_AGENT,
    }
}

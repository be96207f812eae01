//! Section 11: MQTT. The suite is the Agent's MQTT server, and so sees all that it says. (R-MQTT.1 ff.)

mod connect;
mod publish;
mod retry;
mod subscribe;

use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, SupportedDmOptions, ensure, same_value, value_in};
use crate::peer::Seat;
use crate::stop::{Done, Stop};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[
    &[test(11, 1, profiles)],
    connect::TESTS,
    subscribe::TESTS,
    publish::TESTS,
    retry::TESTS,
];

const CLIENTS: &str = "Device.MQTT.Client.";

/// How far the times between attempts may be off.
const SLACK: Duration = Duration::from_secs(1);

/// What the profiles MQTTClientCon:1, MQTTClientSubscribe:1, MQTTAgent:1 and MQTTController:1 have.
const REQUIRED: [(&str, &[&str]); 6] = [
    ("Device.MQTT.", &["ClientNumberOfEntries"]),
    (
        "Device.MQTT.Capabilities.",
        &["ProtocolVersionsSupported", "TransportProtocolSupported"],
    ),
    (
        "Device.MQTT.Client.{i}.",
        &[
            "Enable",
            "Status",
            "ProtocolVersion",
            "BrokerAddress",
            "BrokerPort",
            "CleanSession",
            "KeepAliveTime",
            "Name",
            "ClientID",
            "Username",
            "Password",
            "TransportProtocol",
            "ConnectRetryTime",
            "ConnectRetryIntervalMultiplier",
            "ConnectRetryMaxInterval",
            "ResponseInformation",
            "SubscriptionNumberOfEntries",
        ],
    ),
    (
        "Device.MQTT.Client.{i}.Subscription.{i}.",
        &["Topic", "QoS", "Enable"],
    ),
    (
        "Device.LocalAgent.MTP.{i}.MQTT.",
        &[
            "Reference",
            "ResponseTopicConfigured",
            "ResponseTopicDiscovered",
        ],
    ),
    ("Device.LocalAgent.Controller.{i}.MTP.{i}.MQTT.", &["Topic"]),
];

/// 11.1
fn profiles(bench: &mut Bench) -> Done {
    bench.step("Ask for the supported data model of MQTT and of the Agent");
    let paths = ["Device.MQTT.", "Device.LocalAgent."];
    supports(bench, &paths, &REQUIRED)
}

/// The Agent's supported data model has these parameters.
pub(super) fn supports(bench: &mut Bench, paths: &[&str], required: &[(&str, &[&str])]) -> Done {
    let answer = bench.supported_dm(paths, false, SupportedDmOptions::All)?;
    let results = answer.response()?.req_obj_results;
    let objects = results.iter().flat_map(|result| &result.supported_objs);
    let names: Vec<String> = objects
        .flat_map(|object| {
            let path = &object.supported_obj_path;
            let params = object.supported_params.iter();
            params.map(move |param| format!("{path}{}", param.param_name))
        })
        .collect();
    let wanted = required.iter().flat_map(|(object, params)| {
        let params = params.iter();
        params.map(move |param| format!("{object}{param}"))
    });
    let missing: Vec<String> = wanted.filter(|path| !names.contains(path)).collect();
    ensure(missing.is_empty(), || {
        format!("the supported data model lacks {}", missing.join(", "))
    })
}

/// The row of the client by which the Agent is connected to us.
fn client(bench: &mut Bench) -> Result<String, Stop> {
    bench.mqtt()?;
    let values = bench.values(CLIENTS)?;
    let rows = bench.rows(CLIENTS)?;
    let is = |row: &&String, name: &str, value: &str| {
        let came = values.get(&format!("{row}{name}"));
        came.is_some_and(|came| same_value(came, value))
    };
    let connected = rows.iter().find(|row| is(row, "Status", "Connected"));
    let active = connected.or_else(|| rows.iter().find(|row| is(row, "Enable", "true")));
    let row = active.or(rows.first());
    row.cloned().ok_or_else(|| {
        Stop::failed(format_args!(
            "{CLIENTS} has no row, and the Agent is connected"
        ))
    })
}

/// Whether the client speaks MQTT 5.
fn speaks_5(bench: &mut Bench, client: &str) -> Result<bool, Stop> {
    Ok(bench.value(&format!("{client}ProtocolVersion"))? == "5.0")
}

/// The test does not apply to clients that do not speak MQTT 5.
fn needs_5(bench: &mut Bench, client: &str) -> Done {
    match speaks_5(bench, client)? {
        true => Ok(()),
        false => Err(Stop::NotApplicable(format!(
            "{client}ProtocolVersion is not 5.0"
        ))),
    }
}

/// The shortest wait before the server is tried again, and by how much it may grow.
fn intervals(bench: &mut Bench, client: &str) -> Result<(Duration, f64), Stop> {
    let values = bench.values(client)?;
    let number = |name: &str| {
        let path = format!("{client}{name}");
        let value = value_in(&values, &path)?.parse::<u32>();
        value.map_err(|_| Stop::Failed(format!("{path}: a number was expected")))
    };
    let min = Duration::from_secs(number("ConnectRetryTime")?.into());
    let multiplier = f64::from(number("ConnectRetryIntervalMultiplier")?) / 1000.0;
    Ok((min, multiplier))
}

/// An attempt came when it should.
pub(super) fn is_between(passed: Duration, least: Duration, most: Duration) -> Done {
    ensure(passed + SLACK >= least && passed <= most + SLACK, || {
        format!("an attempt was expected after {least:?} to {most:?}, it came after {passed:?}")
    })
}

/// The Agent tries twice more after its first attempt, each time after a wait between these two.
pub(super) fn tries_again(bench: &mut Bench, waits: [(Duration, Duration); 2]) -> Done {
    let patience = bench.profile().connect_patience();
    let mut last = bench
        .next_try(patience)
        .ok_or_else(|| Stop::failed("an attempt to connect was expected, none came"))?;
    for ((least, most), time) in waits.into_iter().zip(["second", "third"]) {
        bench.step(format_args!("Wait for the {time} attempt"));
        let next = bench.next_try(most + SLACK + SLACK).ok_or_else(|| {
            Stop::Failed(format!(
                "a {time} attempt was expected within {most:?}, none came"
            ))
        })?;
        is_between(next.saturating_sub(last), least, most)?;
        last = next;
    }
    Ok(())
}

/// Changes a parameter of what the Agent is connected by until the test ends. It may connect anew before it answers.
fn changed_anew(bench: &mut Bench, path: &str, before: &str, value: &str) -> Done {
    bench.undo({
        let (path, before) = (path.to_owned(), before.to_owned());
        move |bench| written_anew(bench, &path, &before)
    });
    written_anew(bench, path, value)
}

fn written_anew(bench: &mut Bench, path: &str, value: &str) -> Done {
    if let Err(stop) = bench.write(path, value) {
        if bench.is_connected(Seat::Primary) {
            return Err(stop);
        }
        bench.note("the Agent connects anew before it answers");
    }
    // The answer may be there before it ends its session.
    bench.pass(SLACK);
    bench.connect(Seat::Primary)
}

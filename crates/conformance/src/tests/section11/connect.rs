//! CONNECT, and what keeps a session alive.

use std::time::Duration;

use super::{Test, changed_anew, client, needs_5, test};
use crate::bench::{Bench, ensure, equal};
use crate::brokered::MqttSaid;
use crate::stop::{Done, Stop};
use usphere_proto::record::MqttVersion;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(11, 2, established),
    test(11, 3, over_tls),
    test(11, 4, assigned_id),
    test(11, 5, same_id),
    test(11, 7, keep_alive),
];

/// The User Property by which an Agent says who it is. (R-MQTT.13)
const ENDPOINT_PROPERTY: &str = "usp-endpoint-id";

/// The times of 11.7, in seconds: what the client wants, what the server wants.
const KEEP_ALIVE: (u16, u16) = (60, 30);

/// How soon a PINGREQ has to come then.
const PING: Duration = Duration::from_secs(45);

/// 11.2
fn established(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    bench.step("Give the client a user name and a password");
    let user = format!("{client}Username");
    let before = bench.value(&user)?;
    changed_anew(bench, &user, &before, "conformance")?;
    // Nobody can read the one before.
    changed_anew(bench, &format!("{client}Password"), "", "conformance")?;
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    if connect.version == MqttVersion::V5 {
        let agent = bench.agent()?;
        let told = connect.user_properties.iter();
        let told: Vec<&str> = told
            .filter(|(name, _)| name == ENDPOINT_PROPERTY)
            .map(|(_, value)| value.as_str())
            .collect();
        equal(
            "the User Property usp-endpoint-id",
            told.as_slice(),
            &[agent.as_str()],
        )?;
    }
    equal(
        "User Name",
        &connect.user_name.as_deref(),
        &Some("conformance"),
    )?;
    ensure(connect.has_password, || {
        "a Password was expected in the CONNECT, it has none".to_owned()
    })?;
    bench.await_return()
}

/// 11.3
fn over_tls(bench: &mut Bench) -> Done {
    if !bench.mqtt()?.is_tls() {
        let reason =
            "the Agent is reached without TLS; --listen mqtts://HOST:PORT reaches it with TLS";
        return Err(Stop::not_runnable(reason));
    }
    bench.step("Restart the Agent, and wait until it is connected over TLS");
    bench.restart_agent()?;
    super::publish::answers(bench)
}

/// 11.4
fn assigned_id(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    needs_5(bench, &client)?;
    let path = format!("{client}ClientID");
    bench.step("Leave the Client Identifier open");
    let before = bench.value(&path)?;
    changed_anew(bench, &path, &before, "")?;
    let assigned = bench.mqtt()?.answers().client_id.clone();
    let assigned = assigned.unwrap_or_default();
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    equal("the Client Identifier", connect.client_id.as_str(), "")?;
    bench.await_return()?;
    bench.step("Read the Client Identifier that was assigned by the CONNACK");
    equal(&path, bench.value(&path)?.as_str(), &assigned)
}

/// 11.5
fn same_id(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    bench.step("Read the Client Identifier");
    let id = bench.value(&format!("{client}ClientID"))?;
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    equal("the Client Identifier", connect.client_id.as_str(), &id)?;
    bench.await_return()
}

/// 11.7
fn keep_alive(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    needs_5(bench, &client)?;
    let (wanted, told) = KEEP_ALIVE;
    bench.step("Have the client want a Keep Alive of 60 s, and the server one of 30 s");
    let path = format!("{client}KeepAliveTime");
    let before = bench.value(&path)?;
    changed_anew(bench, &path, &before, &wanted.to_string())?;
    bench.mqtt_answers(|answers| answers.keep_alive = Some(told))?;
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    equal("Keep Alive", &connect.keep_alive, &wanted)?;
    bench.await_return()?;
    bench.step("Say nothing, and wait for a PINGREQ");
    let ping = bench.mqtt_said(PING, |said| matches!(said, MqttSaid::Ping).then_some(()));
    ensure(ping.is_some(), || {
        "a PINGREQ was expected within 45 s, none came".to_owned()
    })
}

//! SUBSCRIBE: what an Agent subscribes to, and what it does where it cannot.

use std::time::Duration;

use super::{Test, changed_anew, client, needs_5, speaks_5, test};
use crate::bench::{Bench, ensure, equal};
use crate::brokered::MqttSaid;
use crate::stop::{Done, Stop};
use crate::tests::common::subscription_to;
use crate::tests::section11::publish::{answers_on, subscription};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(11, 8, fields),
    test(11, 9, another_topic),
    test(11, 10, no_topic),
    test(11, 11, refused),
];

const TICK: &str = "Device.LocalAgent.Periodic!";
const TOPIC: &str = "newTopic-11-9";

/// How long an Agent that could not subscribe is listened to.
const LISTENED: Duration = Duration::from_secs(120);

/// 11.8
fn fields(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    needs_5(bench, &client)?;
    let (topic, response) = (
        "usphere/conformance/118",
        "usphere/conformance/118-response",
    );
    bench.step("Have the server name a topic, and Response Information");
    bench.mqtt_answers(|answers| {
        answers.subscribe_topic = Some(topic.to_owned());
        answers.response_information = Some(response.to_owned());
    })?;
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    equal(
        "Request Response Information",
        &connect.wants_response_information,
        &true,
    )?;
    bench.step("Wait until it has subscribed to both");
    let mut wanted = vec![topic, response];
    while !wanted.is_empty() {
        let missing = |stop: Stop| stop.of(format_args!("a SUBSCRIBE to {}", wanted.join(", ")));
        let topics = bench.await_mqtt_subscribe().map_err(missing)?;
        wanted.retain(|one| !topics.iter().any(|(topic, _)| topic == one));
    }
    bench.await_return()
}

/// 11.9
fn another_topic(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    let table = format!("{client}Subscription.");
    bench.needs_addable(&table)?;
    let filter = match speaks_5(bench, &client)? {
        true => TOPIC.to_owned(),
        false => format!("{TOPIC}/#"),
    };
    bench.step("Add a topic");
    bench.forget_said();
    let row = bench.added(subscription(&table, &filter, None))?;
    bench.step("Wait until the Agent has subscribed to it");
    let topics = bench.await_mqtt_subscribe()?;
    ensure(topics.iter().any(|(topic, _)| *topic == filter), || {
        format!("a SUBSCRIBE to {filter} was expected, one to {topics:?} came")
    })?;
    bench.step("Publish a Get on it");
    answers_on(bench, TOPIC, &row)?;
    bench.step("Disable it, and wait for the UNSUBSCRIBE");
    bench.forget_said();
    bench.write(&format!("{row}Enable"), "false")?;
    let patience = bench.profile().connect_patience();
    let gone = bench.mqtt_said(patience, |said| match said {
        MqttSaid::Unsubscribe(topics) if topics.contains(&filter) => Some(()),
        _ => None,
    });
    ensure(gone.is_some(), || {
        format!("an UNSUBSCRIBE from {filter} was expected, none came")
    })
}

/// 11.10
fn no_topic(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    needs_5(bench, &client)?;
    bench.step("Have the Agent know no topic of its own");
    without_topics(bench, &client)?;
    bench.step("Have the server name none");
    bench.mqtt_answers(|answers| {
        answers.subscribe_topic = None;
        answers.response_information = None;
    })?;
    bench.step("Restart the Agent, and wait for its CONNECT and its DISCONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    bench.await_mqtt_connect()?;
    await_disconnect(bench, bench.profile().connect_patience())
}

/// 11.11
fn refused(bench: &mut Bench) -> Done {
    client(bench)?;
    let interval = format!("{}PeriodicNotifInterval", bench.controller_path());
    bench.needs(&interval)?;
    bench.step("Subscribe to Periodic!, which comes every minute");
    bench.added(subscription_to("refused1111", "Event", TICK))?;
    bench.changed(&interval, "60")?;
    bench.step("Have the server refuse every topic");
    bench.mqtt_answers(|answers| answers.grants = false)?;
    bench.step("Restart the Agent, and wait for its SUBSCRIBE");
    bench.forget_said();
    bench.begin_restart()?;
    let topics = bench.await_mqtt_subscribe()?;
    bench.step("Listen for two minutes");
    let began = bench.now();
    await_disconnect(bench, LISTENED)?;
    let left = LISTENED.saturating_sub(bench.now().saturating_sub(began));
    let published = bench.mqtt_said(left, |said| match said {
        MqttSaid::Publish(publish) if topics.iter().any(|(one, _)| *one == publish.topic) => {
            Some(publish.topic.clone())
        }
        _ => None,
    });
    match published {
        None => Ok(()),
        Some((_, topic)) => Err(Stop::Failed(format!(
            "nothing was to be published to {topic}, to which the Agent could not subscribe; something was"
        ))),
    }
}

fn await_disconnect(bench: &mut Bench, patience: Duration) -> Done {
    let came = bench.mqtt_said(patience, |said| {
        matches!(said, MqttSaid::Disconnect(_)).then_some(())
    });
    ensure(came.is_some(), || {
        format!(
            "an MQTT DISCONNECT was expected within {} s, none came",
            patience.as_secs()
        )
    })
}

/// Takes every topic from the Agent that it knows by itself, until the test ends.
fn without_topics(bench: &mut Bench, client: &str) -> Done {
    let table = format!("{client}Subscription.");
    for row in bench.rows(&table)? {
        let values = bench.values(&row)?;
        if values
            .get(&format!("{row}Enable"))
            .is_some_and(|value| value == "true" || value == "1")
        {
            changed_anew(bench, &format!("{row}Enable"), "true", "false")?;
        }
    }
    let mtps = "Device.LocalAgent.MTP.";
    for row in bench.rows(mtps)? {
        let configured = format!("{row}MQTT.ResponseTopicConfigured");
        let protocol = bench.value(&format!("{row}Protocol"))?;
        let topic = bench.value(&configured)?;
        if protocol == "MQTT" && !topic.is_empty() {
            changed_anew(bench, &configured, &topic, "")?;
        }
    }
    Ok(())
}

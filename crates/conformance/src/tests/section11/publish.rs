//! PUBLISH: where Records go, and what is said beside them.

use super::{Test, changed_anew, client, needs_5, speaks_5, test};
use crate::bench::{Bench, Settings, create, ensure, equal};
use crate::brokered::MqttHow;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use usphere_proto::msg::{CreateObject, Get, RequestType};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(11, 12, packet),
    test(11, 13, qualities),
    test(11, 14, reply_topic),
    test(11, 15, content_types),
];

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const LOCAL_AGENT: &str = "Device.LocalAgent.";

/// What a Record's Content Type is. (R-MQTT.27)
const CONTENT_TYPE: &str = "usp.msg";

/// What stands before the reply topic in a Topic Name of MQTT 3.1.1. (R-MQTT.24)
const REPLY_TO: &str = "/reply-to=";

/// 11.12
fn packet(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    let is_5 = speaks_5(bench, &client)?;
    let flag = format!("{client}RequestResponseInfo");
    if is_5 && bench.features().has(&flag) {
        bench.step("Have the client ask for Response Information");
        let before = bench.value(&flag)?;
        changed_anew(bench, &flag, &before, "true")?;
    }
    let response = "usphere/conformance/1112-response";
    bench.mqtt_answers(|answers| answers.response_information = Some(response.to_owned()))?;
    bench.step("Restart the Agent, and wait until it is connected");
    bench.restart_agent()?;
    bench.step("Publish a Get, and wait for the PUBLISH of its answer");
    bench.forget_said();
    answers(bench)?;
    let publish = bench.await_mqtt_publish()?;
    match is_5 {
        true => {
            equal(
                "Response Topic",
                &publish.response_topic.as_deref(),
                &Some(response),
            )?;
            equal(
                "Content Type",
                &publish.content_type.as_deref(),
                &Some(CONTENT_TYPE),
            )
        }
        false => names_reply_topic(&publish.topic).map(drop),
    }
}

/// 11.13
fn qualities(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    let table = format!("{client}Subscription.");
    bench.needs_addable(&table)?;
    let is_5 = speaks_5(bench, &client)?;
    let mut rows = Vec::new();
    for qos in ["0", "1"] {
        let topic = format!("newTopic-11-13-QoS{qos}");
        let filter = match is_5 {
            true => topic.clone(),
            false => format!("{topic}/#"),
        };
        bench.step(format_args!("Add a topic with QoS {qos}"));
        bench.forget_said();
        let row = bench.added(subscription(&table, &filter, Some(qos)))?;
        let topics = bench.await_mqtt_subscribe()?;
        let asked = topics.iter().find(|(one, _)| *one == filter);
        let asked = asked.map(|(_, qos)| qos.to_string());
        equal("the QoS of the SUBSCRIBE", &asked.as_deref(), &Some(qos))?;
        rows.push((topic, row));
    }
    for (topic, row) in rows {
        bench.step(format_args!("Publish a Get on {topic}"));
        answers_on(bench, &topic, &row)?;
    }
    Ok(())
}

/// 11.14
fn reply_topic(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    let is_5 = speaks_5(bench, &client)?;
    bench.step("Publish a Get, and wait for the PUBLISH of its answer");
    bench.forget_said();
    answers(bench)?;
    let publish = bench.await_mqtt_publish()?;
    let wanted = bench.mqtt()?.reply_topic(Seat::Primary);
    if !is_5 {
        let topic = names_reply_topic(&publish.topic)?;
        return equal("Topic Name", topic, &wanted);
    }
    equal("Topic Name", publish.topic.as_str(), &wanted)?;
    ensure(publish.response_topic.is_some(), || {
        "a Response Topic was expected in the PUBLISH, it has none".to_owned()
    })
}

/// 11.15
fn content_types(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    needs_5(bench, &client)?;
    for content_type in [CONTENT_TYPE, "application/vnd.bbf.usp.msg"] {
        bench.step(format_args!(
            "Publish a Get with the Content Type {content_type}"
        ));
        let how = MqttHow {
            topic: None,
            content_type: content_type.to_owned(),
        };
        answered(bench, object(bench), &how)?;
    }
    Ok(())
}

/// What stands before the reply topic; there is one, whose slashes are written as `%2F`.
fn names_reply_topic(topic: &str) -> Result<&str, Stop> {
    let parts = topic.split_once(REPLY_TO);
    match parts.filter(|(_, reply)| !reply.is_empty() && !reply.contains('/')) {
        Some((before, _)) => Ok(before),
        None => Err(Stop::Failed(format!(
            "Topic Name: one that ends with {REPLY_TO} and a topic without slashes was expected, {topic:?} came"
        ))),
    }
}

/// A topic for the Agent to subscribe to.
pub(super) fn subscription(table: &str, topic: &str, qos: Option<&str>) -> CreateObject {
    let row = create(table).with("Enable", "true").must("Topic", topic);
    match qos {
        None => row,
        Some(qos) => row.with("QoS", qos),
    }
}

/// The Agent answers a Get on this topic.
pub(super) fn answers_on(bench: &mut Bench, topic: &str, path: &str) -> Done {
    let how = MqttHow {
        topic: Some(topic.to_owned()),
        ..MqttHow::default()
    };
    answered(bench, path, &how)
}

/// The Agent answers a Get.
pub(super) fn answers(bench: &mut Bench) -> Done {
    let object = object(bench);
    bench.get(&[object])?.response().map(drop)
}

fn answered(bench: &mut Bench, path: &str, how: &MqttHow) -> Done {
    let question = RequestType::Get(Get {
        param_paths: vec![path.to_owned()],
        max_depth: 0,
    });
    let (record, msg_id) = bench.record_of(question)?;
    bench.publish(&record, how)?;
    let answered = bench.await_answer_record(&msg_id)?;
    ensure(answered.msg.is_response(), || {
        "a GetResp was expected, an Error came".to_owned()
    })
}

fn object(bench: &Bench) -> &'static str {
    match bench.features().has(DEVICE_INFO) {
        true => DEVICE_INFO,
        false => LOCAL_AGENT,
    }
}

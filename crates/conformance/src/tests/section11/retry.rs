//! Connections that fail or end, and the Connect Record after them.

use std::time::Duration;

use super::{SLACK, Test, client, intervals, is_between, test, tries_again};
use crate::bench::{Bench, Said, ensure, equal, gone};
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use usphere_proto::RecordType;
use usphere_proto::record::MqttConnect;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(11, 6, not_there),
    test(11, 16, ended),
    test(11, 17, connect_record),
];

/// How long a Connect Record may take.
const CONNECT_RECORD: Duration = Duration::from_secs(30);

/// 11.6
fn not_there(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    bench.step("Read how long the Agent waits before it tries again");
    let (min, multiplier) = intervals(bench, &client)?;
    bench.step("Restart the Agent, and turn it away");
    bench.forget_said();
    bench.mqtt_answers(|answers| answers.is_there = false)?;
    bench.begin_restart()?;
    let least = |time: i32| min.mul_f64(multiplier.powi(time));
    tries_again(bench, [(least(0), least(1)), (least(1), least(2))])
}

/// 11.16
fn ended(bench: &mut Bench) -> Done {
    let client = client(bench)?;
    bench.step("Read how long the Agent waits before it tries again");
    let (min, multiplier) = intervals(bench, &client)?;
    bench.step("End the session by a DISCONNECT");
    bench.forget_said();
    let ended = bench.now();
    bench.mqtt()?.disconnect().map_err(gone)?;
    bench.step("Wait for the next CONNECT");
    let most = min.mul_f64(multiplier);
    let next = bench.next_try(most + SLACK + SLACK).ok_or_else(|| {
        Stop::Failed(format!("a CONNECT was expected within {most:?}, none came"))
    })?;
    is_between(next.saturating_sub(ended), min, most)
}

/// 11.17
fn connect_record(bench: &mut Bench) -> Done {
    client(bench)?;
    bench.step("Restart the Agent, and wait for its CONNECT");
    bench.forget_said();
    bench.begin_restart()?;
    let connect = bench.await_mqtt_connect()?;
    bench.step("Wait for its Connect Record");
    let until = bench.now() + CONNECT_RECORD;
    let record = bench.find(Seat::Primary, until, |heard| match &heard.said {
        Said::Record(record) => match &record.record_type {
            Some(RecordType::MqttConnect(connect)) => Some(connect.clone()),
            _ => None,
        },
        _ => None,
    });
    let Some(MqttConnect {
        version,
        subscribed_topic,
    }) = record
    else {
        return Err(Stop::failed(
            "an MQTTConnectRecord was expected within 30 s, none came",
        ));
    };
    equal("version", &version, &(connect.version as i32))?;
    let topics = bench.mqtt()?.topics();
    let is_one = |filter: &String| {
        let stem = filter.strip_suffix('#');
        *filter == subscribed_topic || stem.is_some_and(|stem| subscribed_topic.starts_with(stem))
    };
    ensure(topics.iter().any(is_one), || {
        format!("subscribed_topic: one of {topics:?} was expected, {subscribed_topic:?} came")
    })
}

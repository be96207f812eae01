//! Sessions of STOMP: how they begin, what keeps them alive, and what comes after them.

use std::time::Duration;

use super::{LOCAL_AGENT, Test, connection, intervals, subscribed, test};
use crate::bench::{Bench, Said, ensure, equal};
use crate::brokered::StompSaid;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::section11::tries_again;
use usphere_proto::RecordType;
use usphere_proto::record::{StompConnect, StompVersion};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(6, 2, established),
    test(6, 3, not_there),
    test(6, 8, heart_beats),
    test(6, 11, over_tls),
    test(6, 12, connect_record),
];

/// The commands by which a session begins.
const BEGINNINGS: [&str; 2] = ["STOMP", "CONNECT"];

/// How long a Connect Record may take.
const CONNECT_RECORD: Duration = Duration::from_secs(30);

/// The times of 6.8, in milliseconds: what the Agent can do, what it wants.
const BEATS: (u32, u32) = (15_000, 10_000);

/// How long heart-beats are listened to.
const LISTENED: Duration = Duration::from_secs(60);

/// How far they may be off.
const SLACK: Duration = Duration::from_secs(2);

/// 6.2
fn established(bench: &mut Bench) -> Done {
    connection(bench)?;
    bench.step("Restart the Agent, and wait until it begins a session");
    bench.forget_said();
    bench.begin_restart()?;
    bench.await_stomp(&BEGINNINGS)?;
    bench.step("Wait until it has subscribed to a destination");
    subscribed(bench)?;
    bench.await_return()
}

/// 6.3
fn not_there(bench: &mut Bench) -> Done {
    let connection = connection(bench)?;
    bench.step("Read how long the Agent waits before it tries again");
    let (min, multiplier) = intervals(bench, &connection)?;
    bench.step("Restart the Agent, and turn it away");
    bench.forget_said();
    bench.stomp_answers(|answers| answers.is_there = false)?;
    bench.begin_restart()?;
    // Anything up to the interval, which grows with each. (TR-181, ServerRetryIntervalMultiplier)
    let waits = [min, min.mul_f64(multiplier)].map(|most| (Duration::ZERO, most));
    tries_again(bench, waits)
}

/// 6.8
fn heart_beats(bench: &mut Bench) -> Done {
    let connection = connection(bench)?;
    bench.needs(&format!("{connection}EnableHeartbeats"))?;
    let (outgoing, incoming) = BEATS;
    bench.step("Have the Agent send a heart-beat every 15 s, and want one every 10 s");
    bench.changed(
        &format!("{connection}IncomingHeartbeat"),
        &incoming.to_string(),
    )?;
    bench.changed(
        &format!("{connection}OutgoingHeartbeat"),
        &outgoing.to_string(),
    )?;
    bench.changed(&format!("{connection}EnableHeartbeats"), "true")?;
    bench.stomp_answers(|answers| answers.heart_beat = (incoming, outgoing))?;
    bench.step("Restart the Agent, and wait until it begins a session");
    bench.forget_said();
    bench.begin_restart()?;
    let frame = bench.await_stomp(&BEGINNINGS)?;
    let told = frame
        .header("heart-beat")
        .map(|value| value.replace(' ', ""));
    equal(
        "the header heart-beat",
        &told.as_deref(),
        &Some(format!("{outgoing},{incoming}").as_str()),
    )?;
    bench.await_return()?;
    bench.step("Listen to its heart-beats for a minute");
    let every = Duration::from_millis(outgoing.into());
    let until = bench.now() + LISTENED;
    let mut last = bench.now();
    while last + every + SLACK < until {
        // Whatever is sent in time does for a heart-beat.
        let beat = bench.stomp_said(every + SLACK, |said| match said {
            StompSaid::HeartBeat => Some(()),
            StompSaid::Frame(_) => Some(()),
        });
        let Some((at, ())) = beat else {
            return Err(Stop::Failed(format!(
                "a heart-beat was expected every 15 s, none came for {} s",
                (bench.now() - last).as_secs()
            )));
        };
        last = at.max(last + Duration::from_millis(1));
    }
    Ok(())
}

/// 6.11
fn over_tls(bench: &mut Bench) -> Done {
    if !bench.stomp()?.is_tls() {
        let reason =
            "the Agent is reached without TLS; --listen stomps://HOST:PORT reaches it with TLS";
        return Err(Stop::not_runnable(reason));
    }
    bench.step("Restart the Agent, and wait until it is connected over TLS");
    bench.restart_agent()?;
    bench.step("See that it answers a Get");
    bench.get(&[LOCAL_AGENT])?.response().map(drop)
}

/// 6.12
fn connect_record(bench: &mut Bench) -> Done {
    connection(bench)?;
    bench.step("Restart the Agent, and wait until it has subscribed");
    bench.forget_said();
    bench.begin_restart()?;
    let destination = subscribed(bench)?;
    bench.step("Wait for its Connect Record");
    let until = bench.now() + CONNECT_RECORD;
    let record = bench.find(Seat::Primary, until, |heard| match &heard.said {
        Said::Record(record) => match &record.record_type {
            Some(RecordType::StompConnect(connect)) => Some(connect.clone()),
            _ => None,
        },
        _ => None,
    });
    let Some(StompConnect {
        version,
        subscribed_destination,
    }) = record
    else {
        return Err(Stop::failed(
            "a STOMPConnectRecord was expected within 30 s, none came",
        ));
    };
    equal("version", &version, &(StompVersion::V12 as i32))?;
    ensure(subscribed_destination == destination, || {
        format!(
            "subscribed_destination: {destination:?} was expected, {subscribed_destination:?} came"
        )
    })
}

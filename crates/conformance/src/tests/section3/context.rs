//! Session contexts whose payloads are plain. (R-E2E.3 to R-E2E.25)

use std::time::Duration;

use super::{Test, test};
use crate::bench::{
    Answered, Bench, FoundResult, Kind, Notified, Settings, context_of, ensure, equal, only, update,
};
use crate::limits::NOTIFY_PATIENCE;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::{ENDPOINT_ID, SOFTWARE_VERSION, subscription_to, without_subscriptions};
use usphere_proto::msg::{Get, RequestType, ResponseType, Set};
use usphere_proto::{MsgType, Record};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(3, 8, established),
    test(3, 9, another_id),
    test(3, 10, expired),
    test(3, 11, numbers),
    test(3, 12, preserved),
    test(3, 14, sent_again),
    test(3, 15, repeated),
];

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const LOCAL_AGENT: &str = "Device.LocalAgent.";
const TICK: &str = "Device.LocalAgent.Periodic!";

/// How often the Agent tells Periodic!, in seconds.
const INTERVAL: u64 = 10;

/// How long a Record has to be kept at least.
const KEPT: Duration = Duration::from_secs(60);

/// How often a Record may be asked for again in 3.14.
const TRIES: usize = 2;

/// 3.8
fn established(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    let id = bench.start_session()?;
    bench.step("Send a Get as the first Record of a session context");
    let answered = ask(bench)?;
    is_numbered(&answered, id, 1)
}

/// 3.9
fn another_id(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    bench.start_session()?;
    bench.step("Send a Get in a session context");
    ask(bench)?;
    bench.step(
        "Send one in a session context with another ID, its sequence_id and expected_id are 1",
    );
    let id = bench.start_session()?;
    let (record, msg_id) = bench.numbered(1, get(object(bench)))?;
    let answered = exchange(bench, &record, &msg_id)?;
    is_numbered(&answered, id, 1)
}

/// 3.10
fn expired(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    let expiration = format!("{}SessionExpiration", bench.session_path());
    bench.needs(&expiration)?;
    let interval = format!("{}PeriodicNotifInterval", bench.controller_path());
    bench.needs(&interval)?;
    bench.start_session()?;
    bench.step("Subscribe to Periodic!");
    bench.added(subscription_to("expired310", "Event", TICK))?;
    bench.step("Have session contexts last a minute, and Periodic! come every ten seconds");
    bench.changed(&expiration, "60")?;
    bench.changed(&interval, &INTERVAL.to_string())?;
    let ids = sessions_of_ticks(bench)?;
    ensure(ids.iter().all(|id| *id == ids[0]), || {
        format!("one session context was expected for all three, they came in {ids:?}")
    })?;
    bench.step("Have session contexts last five seconds");
    bench.write(&expiration, "5")?;
    let ids = sessions_of_ticks(bench)?;
    let differ = ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2];
    ensure(differ, || {
        format!("a session context for each was expected, they came in {ids:?}")
    })
}

/// Waits for three times Periodic!: the IDs of the session contexts that they came in.
fn sessions_of_ticks(bench: &mut Bench) -> Result<Vec<u64>, Stop> {
    bench.step("Wait for Periodic! three times");
    let patience = Duration::from_secs(INTERVAL) + NOTIFY_PATIENCE;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let Notified { record, .. } = bench.await_notify(Kind::Event, "expired310", patience)?;
        let context = context_of(&record).ok_or_else(|| {
            Stop::failed("Periodic! was expected in a session context, it came outside of one")
        })?;
        ids.push(context.session_id);
    }
    Ok(ids)
}

/// 3.11
fn numbers(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    let [first, second, fourth] = parameters(bench);
    without_subscriptions(bench)?;
    let id = bench.start_session()?;
    bench.step("Send a Get in the Record with the sequence_id 1");
    let (record, msg_id) = bench.numbered(1, get(first))?;
    let answered = exchange(bench, &record, &msg_id)?;
    tells(&answered, id, 1, first)?;
    bench.step("Send a Get in the Record with the sequence_id 4");
    let (record, early) = bench.numbered(4, get(fourth))?;
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&early)?;
    bench.step("Send a Get in the Record with the sequence_id 2");
    let (record, msg_id) = bench.numbered(2, get(second))?;
    let answered = exchange(bench, &record, &msg_id)?;
    tells(&answered, id, 2, second)?;
    bench.step("Send a Get in the Record with the sequence_id 3");
    let (record, msg_id) = bench.numbered(3, get(second))?;
    let answered = exchange(bench, &record, &msg_id)?;
    tells(&answered, id, 3, second)?;
    bench.step("See that the Get that came early is answered now");
    let answered = bench.await_answer_record(&early)?;
    tells(&answered, id, 4, fourth)
}

/// 3.12
fn preserved(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    let id = bench.start_session()?;
    bench.step("Send a Get as the first Record of a session context");
    let answered = ask(bench)?;
    is_numbered(&answered, id, 1)?;
    bench.step("Wait for a minute");
    bench.pass(KEPT);
    bench.step("Ask for the Record with the answer once more");
    bench.ask_again(1)?;
    comes_again(bench, &answered, 1)
}

/// 3.14
fn sent_again(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    let tries = format!("{}MaxRetransmitTries", bench.session_path());
    bench.needs(&tries)?;
    let id = bench.start_session()?;
    bench.step("Have Records be sent again two times at most");
    let before = bench.value(&tries)?;
    let path = tries.clone();
    bench.undo(move |bench| bench.write(&path, &before));
    let settings = update(&bench.session_path()).must("MaxRetransmitTries", &TRIES.to_string());
    let set = Set {
        allow_partial: false,
        update_objs: vec![settings],
    };
    let (record, msg_id) = bench.record_of(RequestType::Set(set))?;
    let answered = exchange(bench, &record, &msg_id)?;
    equal("the answer", &answered.msg.kind(), &Some(MsgType::SetResp))?;
    let context = answered.context()?.clone();
    equal("session_id", &context.session_id, &id)?;
    for time in 1..=TRIES {
        bench.step(format_args!(
            "Ask for the SetResp once more: time {time} of {TRIES}"
        ));
        bench.ask_again(context.sequence_id)?;
        comes_again(bench, &answered, time)?;
    }
    bench.step("Ask for it once more than may be");
    bench.ask_again(context.sequence_id)?;
    bench.await_new_session(id, bench.profile().answer_patience())?;
    let again = bench.session_record(Duration::ZERO, |one| {
        (one.session_id, one.sequence_id) == (id, context.sequence_id)
    });
    ensure(again.is_none(), || {
        "the SetResp was not to come once more, it came".to_owned()
    })
}

/// 3.15
fn repeated(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    bench.start_session()?;
    bench.step("Send a Get in a session context");
    let (record, msg_id) = bench.record_of(get(ENDPOINT_ID))?;
    exchange(bench, &record, &msg_id)?;
    bench.step("Send the same Record three times more");
    for _ in 0..3 {
        bench.send_record(Seat::Primary, &record)?;
    }
    bench.expect_no_answer(&msg_id)
}

/// The same Record comes again.
fn comes_again(bench: &mut Bench, answered: &Answered, time: usize) -> Done {
    let context = answered.context()?.clone();
    let again = bench.session_record(bench.profile().answer_patience(), |one| {
        (one.session_id, one.sequence_id) == (context.session_id, context.sequence_id)
    });
    let Some((_, again)) = again else {
        return Err(Stop::Failed(format!(
            "Record {} of the session context {} was expected once more, it did not come (time {time} of those asked for)",
            context.sequence_id, context.session_id
        )));
    };
    let same = context_of(&again).is_some_and(|one| one.payload == context.payload);
    ensure(same, || {
        "the same payload was expected in the Record that came again, another came".to_owned()
    })
}

/// Asks for what every Agent has, and awaits the answer.
fn ask(bench: &mut Bench) -> Result<Answered, Stop> {
    let (record, msg_id) = bench.record_of(get(object(bench)))?;
    exchange(bench, &record, &msg_id)
}

fn exchange(bench: &mut Bench, record: &Record, msg_id: &str) -> Result<Answered, Stop> {
    bench.send_record(Seat::Primary, record)?;
    let answered = bench.await_answer_record(msg_id)?;
    ensure(!answered.msg.is_error(), || {
        "a response was expected, an Error came".to_owned()
    })?;
    Ok(answered)
}

fn get(path: &str) -> RequestType {
    RequestType::Get(Get {
        param_paths: vec![path.to_owned()],
        max_depth: 0,
    })
}

fn is_numbered(answered: &Answered, id: u64, number: u64) -> Done {
    let context = answered.context()?;
    equal("session_id", &context.session_id, &id)?;
    equal("sequence_id", &context.sequence_id, &number)
}

/// The Record has this number, and tells this parameter.
fn tells(answered: &Answered, id: u64, number: u64, path: &str) -> Done {
    is_numbered(answered, id, number)?;
    let Some(ResponseType::GetResp(got)) = answered.msg.as_response() else {
        return Err(Stop::failed(
            "a GetResp was expected, another response came",
        ));
    };
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), path)
}

/// Three parameters that the Agent has.
fn parameters(bench: &Bench) -> [&'static str; 3] {
    let three = ["ModelNumber", "HardwareVersion", "SoftwareVersion"];
    let all = three
        .iter()
        .all(|name| bench.features().has(&format!("{DEVICE_INFO}{name}")));
    match all {
        true => [
            "Device.DeviceInfo.ModelNumber",
            "Device.DeviceInfo.HardwareVersion",
            "Device.DeviceInfo.SoftwareVersion",
        ],
        false => [
            ENDPOINT_ID,
            SOFTWARE_VERSION,
            "Device.LocalAgent.SupportedProtocols",
        ],
    }
}

fn object(bench: &Bench) -> &'static str {
    match bench.features().has(DEVICE_INFO) {
        true => DEVICE_INFO,
        false => LOCAL_AGENT,
    }
}

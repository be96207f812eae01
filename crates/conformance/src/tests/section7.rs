//! Section 7: WebSocket. (R-WS.0 to R-WS.22)

use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, Heard, Said, ensure, equal, same_value};
use crate::peer::{Seat, Trouble};
use crate::stop::{Done, Stop};
use usphere_proto::msg::{Get, RequestType};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[&[
    test(7, 1, established),
    test(7, 2, one_alone),
    test(7, 4, closed),
    test(7, 6, no_record),
    test(7, 7, ping_and_pong),
    test(7, 8, again),
    test(7, 9, over_tls),
    test(7, 10, connect_record),
    test(7, 11, without_extension),
    test(7, 12, fragments),
]];

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const LOCAL_AGENT: &str = "Device.LocalAgent.";

/// How long a Pong may take, and a Close frame.
const PONG: Duration = Duration::from_secs(60);

/// How long a Connect Record may take after the Agent has connected.
const CONNECT_RECORD: Duration = Duration::from_secs(30);

/// The shortest wait before the first attempt that the test sets, in seconds.
const WAIT_LEAST: &str = "5";

/// How far the times between attempts may be off.
const SLACK: Duration = Duration::from_secs(1);

/// 7.1
fn established(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.step("Restart the Agent, and wait until it is connected");
    bench.restart_agent()?;
    answers(bench)
}

/// 7.2
fn one_alone(bench: &mut Bench) -> Done {
    bench.websocket()?;
    answers(bench)?;
    bench.step("Open a second WebSocket as the same Controller");
    bench.undo(|bench| {
        bench.drop_link(Seat::Twin);
        Ok(())
    });
    if !bench.try_to_connect(Seat::Twin)? {
        bench.note("the second WebSocket was rejected");
        return answers(bench);
    }
    bench.step("See that one of the two is closed");
    bench.pass(bench.profile().silence());
    let both = bench.is_connected(Seat::Primary) && bench.is_connected(Seat::Twin);
    ensure(!both, || {
        "one WebSocket was expected to be closed, both are open".to_owned()
    })?;
    if bench.is_connected(Seat::Twin) {
        bench.speak_as(Seat::Twin);
    }
    answers(bench)
}

/// 7.4
fn closed(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.connect(Seat::Primary)?;
    bench.step("Send a Close frame");
    bench
        .websocket()?
        .close(Seat::Primary, 1000)
        .map_err(gone)?;
    bench.step("Wait for the Agent's Close frame");
    await_close(bench).map(drop)
}

/// 7.6
fn no_record(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.connect(Seat::Primary)?;
    bench.step("Send something that is no Record");
    bench.send_bytes(Seat::Primary, b"\xff\xffThis is no Record.\xff")?;
    bench.step("Wait for the Agent's Close frame with the status 1003");
    let code = await_close(bench)?;
    equal("the status code", &code, &Some(1003))
}

/// 7.7
fn ping_and_pong(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.connect(Seat::Primary)?;
    bench.step("Send a Ping");
    let payload = bytes::Bytes::from_static(b"conformance");
    let sent = payload.clone();
    bench.websocket()?.ping(Seat::Primary, sent).map_err(gone)?;
    let until = bench.now() + PONG;
    let pong = bench.find(Seat::Primary, until, |heard| match &heard.said {
        Said::Pong(came) if *came == payload => Some(()),
        _ => None,
    });
    ensure(pong.is_some(), || {
        "a Pong with the Ping's payload was expected within 60 s, none came".to_owned()
    })?;
    bench.step("Send a Pong that nobody has asked for");
    bench
        .websocket()?
        .pong(Seat::Primary, payload)
        .map_err(gone)?;
    bench.pass(bench.profile().silence());
    bench.step("See that the WebSocket is still open");
    ensure(bench.is_connected(Seat::Primary), || {
        "the WebSocket was to stay open, it is closed".to_owned()
    })?;
    answers(bench)
}

/// 7.8
fn again(bench: &mut Bench) -> Done {
    bench.websocket()?;
    let row = mtp_row(bench)?;
    bench.step("Have it wait long enough that an immediate attempt is told from one in time");
    let path = format!("{row}WebSocket.SessionRetryMinimumWaitInterval");
    bench.changed(&path, WAIT_LEAST)?;
    // Some connect anew when their MTP changes.
    bench.pass(2 * SLACK);
    bench.connect(Seat::Primary)?;
    let (min, multiplier) = intervals(bench, &row)?;
    ensure(min >= 3 * SLACK, || {
        format!("{path}: {WAIT_LEAST} was expected, {} came", min.as_secs())
    })?;
    bench.step("Turn the Agent away, and cut its link");
    bench.undo(|bench| {
        bench
            .websocket()?
            .turn_away(false)
            .map_err(Stop::not_runnable)
    });
    bench
        .websocket()?
        .turn_away(true)
        .map_err(Stop::not_runnable)?;
    let cut = bench.now();
    bench.drop_link(Seat::Primary);
    bench.step("Wait for the first attempt");
    let longest = min.mul_f64(multiplier) + SLACK;
    let first = bench.find(Seat::Primary, cut + longest, |heard: &Heard| {
        match heard.said {
            Said::TurnedAway => Some(heard.at),
            _ => None,
        }
    });
    let Some(first) = first else {
        return Err(Stop::Failed(format!(
            "an attempt was expected within {longest:?}, none came"
        )));
    };
    is_between(first.saturating_sub(cut), min, min.mul_f64(multiplier))?;
    bench.step("Let the Agent in, and wait for the second attempt");
    bench
        .websocket()?
        .turn_away(false)
        .map_err(Stop::not_runnable)?;
    let longest = min.mul_f64(multiplier * multiplier) + SLACK;
    let second = bench.find(
        Seat::Primary,
        first + longest,
        |heard: &Heard| match heard.said {
            Said::Opened => Some(heard.at),
            _ => None,
        },
    );
    let Some(second) = second else {
        return Err(Stop::Failed(format!(
            "a second attempt was expected within {longest:?}, none came"
        )));
    };
    let passed = second.saturating_sub(first);
    is_between(
        passed,
        min.mul_f64(multiplier),
        min.mul_f64(multiplier * multiplier),
    )
}

/// 7.9
fn over_tls(bench: &mut Bench) -> Done {
    if !bench.websocket()?.is_tls() {
        let reason = "the Agent is reached without TLS; a URL with wss:// reaches it with TLS";
        return Err(Stop::not_runnable(reason));
    }
    established(bench)
}

/// 7.10
fn connect_record(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.step("Restart the Agent, and wait until it is connected");
    bench.restart_agent_until_connected()?;
    bench.step("Wait for its Connect Record");
    bench.await_connect_record(CONNECT_RECORD)
}

/// 7.11
fn without_extension(bench: &mut Bench) -> Done {
    bench.undo(|bench| {
        bench.websocket()?.tell_extension(true);
        Ok(())
    });
    bench.step("Do not tell the extension bbf-usp-protocol any more");
    bench.websocket()?.tell_extension(false);
    established(bench)
}

/// 7.12
fn fragments(bench: &mut Bench) -> Done {
    bench.websocket()?;
    bench.connect(Seat::Primary)?;
    let object = object(bench).to_owned();
    let question = RequestType::Get(Get {
        param_paths: vec![object],
        max_depth: 0,
    });
    let (record, msg_id) = bench.record_of(question)?;
    bench.step("Send a Get in several frames");
    let bytes = record.to_bytes();
    bench
        .websocket()?
        .send_fragmented(Seat::Primary, bytes)
        .map_err(gone)?;
    let until = bench.now() + bench.profile().answer_patience();
    let answer = bench.find(Seat::Primary, until, |heard| match &heard.said {
        Said::Message(message) if message.1.msg_id() == msg_id => Some(message.1.is_response()),
        _ => None,
    });
    equal("whether a GetResp came", &answer, &Some(true))
}

/// What every device has, or at least every Agent.
fn object(bench: &Bench) -> &'static str {
    match bench.features().has(DEVICE_INFO) {
        true => DEVICE_INFO,
        false => LOCAL_AGENT,
    }
}

fn answers(bench: &mut Bench) -> Done {
    bench.step("See that the Agent answers a Get");
    let object = object(bench);
    bench.get(&[object])?.response().map(drop)
}

/// Waits for a Close frame: its status code.
fn await_close(bench: &mut Bench) -> Result<Option<u16>, Stop> {
    let until = bench.now() + PONG;
    let end = bench.find(Seat::Primary, until, |heard| match heard.said {
        Said::Closed(code) => Some(Ok(code)),
        Said::Lost => Some(Err("the connection ended without one")),
        _ => None,
    });
    let end = end.unwrap_or(Err("none came within 60 s"));
    end.map_err(|what| Stop::Failed(format!("a Close frame was expected, {what}")))
}

/// The row of the MTP by which the Agent dials us.
fn mtp_row(bench: &mut Bench) -> Result<String, Stop> {
    let table = format!("{}MTP.", bench.controller_path());
    let values = bench.values(&table)?;
    let rows = bench.rows(&table)?;
    let is_used = |row: &&String| {
        let says = |name: &str, value: &str| {
            values
                .get(&format!("{row}{name}"))
                .is_some_and(|came| same_value(came, value))
        };
        says("Enable", "true") && says("Protocol", "WebSocket")
    };
    rows.iter().find(is_used).cloned().ok_or_else(|| {
        let reason = format!("{table} has no enabled row by which the Agent dials us");
        Stop::NotRunnable(reason)
    })
}

/// The shortest wait of this MTP before it is tried again, and by how much it may grow.
fn intervals(bench: &mut Bench, row: &str) -> Result<(Duration, f64), Stop> {
    let values = bench.values(row)?;
    let number = |name: &str| {
        let path = format!("{row}WebSocket.SessionRetry{name}");
        let value = values
            .get(&path)
            .and_then(|value| value.parse::<u32>().ok());
        value.ok_or_else(|| Stop::Failed(format!("{path}: a number was expected")))
    };
    let min = Duration::from_secs(number("MinimumWaitInterval")?.into());
    Ok((min, f64::from(number("IntervalMultiplier")?) / 1000.0))
}

fn is_between(passed: Duration, least: Duration, most: Duration) -> Done {
    ensure(passed + SLACK >= least && passed <= most + SLACK, || {
        format!("an attempt was expected after {least:?} to {most:?}, it came after {passed:?}")
    })
}

fn gone(trouble: Trouble) -> Stop {
    Stop::failed(trouble)
}

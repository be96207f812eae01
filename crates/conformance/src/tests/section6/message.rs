//! Records in frames of STOMP.

use std::time::Duration;

use super::{LOCAL_AGENT, Test, connection, object, test};
use crate::bench::{Bench, ensure, equal};
use crate::peer::Seat;
use crate::stop::Done;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[test(6, 4, headers), test(6, 9, malformed)];

/// What a Record's content-type is. (R-STOMP.20)
const CONTENT_TYPE: &str = "application/vnd.bbf.usp.msg";

/// How long an answer to what is no Record may take.
const ANSWER: Duration = Duration::from_secs(60);

/// 6.4
fn headers(bench: &mut Bench) -> Done {
    connection(bench)?;
    bench.step("Send a Get, and wait for the SEND of its answer");
    bench.forget_said();
    bench.get(&[object(bench)])?.response()?;
    let frame = bench.await_stomp(&["SEND"])?;
    let length = frame.bytes.to_string();
    equal(
        "the header content-length",
        &frame.header("content-length"),
        &Some(length.as_str()),
    )?;
    equal(
        "the header content-type",
        &frame.header("content-type"),
        &Some(CONTENT_TYPE),
    )?;
    let own = frame.header("reply-to-dest").unwrap_or_default();
    ensure(!own.is_empty(), || {
        "the header reply-to-dest with the Agent's destination was expected, it is not there"
            .to_owned()
    })
}

/// 6.9
fn malformed(bench: &mut Bench) -> Done {
    connection(bench)?;
    bench.step("Send something that is no Record");
    bench.send_bytes(Seat::Primary, b"\xff\xffThis is no Record.\xff")?;
    bench.step("Listen for a minute: it may be ignored, or answered by an error");
    bench.pass(ANSWER);
    bench.step("See that the Agent still answers");
    bench.get(&[LOCAL_AGENT])?.response().map(drop)
}

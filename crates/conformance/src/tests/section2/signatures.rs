//! What protects Records, and the certificates behind it. (R-E2E.30, R-E2E.43, R-SEC.4)

use super::{Test, test};
use crate::bench::{Bench, Handshake, Signature};
use crate::credentials::Shown;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::ENDPOINT_ID;
use crate::tests::section3::{secured_answer, unanswered};
use usphere_proto::msg::{Get, RequestType};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(2, 6, without_time),
    test(2, 7, wrong_signature),
    test(2, 8, expired),
];

const CLOCK: &str = "Device.Time.CurrentLocalTime";

/// What TR-181 says of a time that is not known.
const UNKNOWN_TIME: &str = "0001-01-01T";

/// 2.6
fn without_time(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    if knows_the_time(bench)? {
        return Err(Stop::not_runnable(
            "the Agent knows the time; the test wants one that was started where it cannot",
        ));
    }
    bench.step("Begin a session context with TLS, and show a certificate whose time is over");
    bench.start_secure(Shown::Expired, Signature::Right)?;
    match bench.handshake(bench.profile().answer_patience()) {
        Handshake::Done => {}
        other => {
            return Err(Stop::Failed(format!(
                "the certificate was to be taken by an Agent that does not know the time, the handshake ended as {other:?}"
            )));
        }
    }
    bench.step("Send a Get");
    secured_answer(bench, "Device.LocalAgent.").map(drop)
}

/// 2.7
fn wrong_signature(bench: &mut Bench) -> Done {
    bench.needs_sessions()?;
    bench.start_session()?;
    bench.step("Send a Get in a Record whose mac_signature is wrong");
    let question = RequestType::Get(Get {
        param_paths: vec![ENDPOINT_ID.to_owned()],
        max_depth: 0,
    });
    let (mut record, msg_id) = bench.record_of(question)?;
    record.mac_signature = vec![0x5a; 64].into();
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)
}

/// 2.8
fn expired(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    if !knows_the_time(bench)? {
        return Err(Stop::not_runnable("the Agent does not know the time"));
    }
    bench.step("Begin a session context with TLS, and show a certificate whose time is over");
    bench.start_secure(Shown::Expired, Signature::Right)?;
    if bench.handshake(bench.profile().answer_patience()) == Handshake::Done {
        bench.step("See that it does not answer a Get");
        return unanswered(bench);
    }
    Ok(())
}

/// Whether the Agent says what time it is. One that does not say is taken to know.
fn knows_the_time(bench: &mut Bench) -> Result<bool, Stop> {
    if !bench.features().has(CLOCK) {
        return Ok(true);
    }
    Ok(!bench.value(CLOCK)?.starts_with(UNKNOWN_TIME))
}

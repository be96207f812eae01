//! TLS within Records. (R-E2E.28 to R-E2E.43)

use super::{Test, test};
use crate::bench::{Bench, Handshake, Signature, ensure};
use crate::credentials::Shown;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::ENDPOINT_ID;
use usphere_proto::msg::{Get, RequestType};
use usphere_proto::record::{RecordType, SessionContext};
use usphere_proto::{Msg, Record};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(3, 2, unprotected),
    test(3, 3, wrong_signature),
    test(3, 4, mac),
    test(3, 6, renegotiation),
    test(3, 7, certificates),
    test(3, 13, another_security),
];

/// 3.2
fn unprotected(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    if bench.websocket()?.is_tls() {
        let reason =
            "the MTP protects Records here; the test wants one without TLS, a URL with ws://";
        return Err(Stop::not_runnable(reason));
    }
    bench.start_session()?;
    bench.step("Send a Get that nothing protects, over an MTP that does not protect it either");
    let (record, msg_id) = bench.record_of(question())?;
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)
}

/// 3.3
fn wrong_signature(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    bench.step("Begin a session context with TLS by a Record whose signature is wrong");
    bench.start_secure(Shown::Usual, Signature::Wrong)?;
    match bench.handshake(bench.profile().silence()) {
        Handshake::Done => Err(Stop::failed(
            "the handshake was not to go on after a wrong signature, it came to its end",
        )),
        Handshake::Refused(_) | Handshake::Unanswered => Ok(()),
    }
}

/// 3.4
fn mac(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    bench.step("Begin a session context with TLS");
    bench.secure_session()?;
    bench.step("Send a Get, and await the answer");
    let answered = secured_answer(bench, "Device.LocalAgent.")?;
    ensure(!answered.mac_signature.is_empty(), || {
        "a mac_signature was expected in the Record of the answer, it has none".to_owned()
    })?;
    bench.step("Compute its mac_signature anew, and compare");
    bench.macs_are_right()
}

/// 3.6
fn renegotiation(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    Err(Stop::not_runnable(
        "TLS here is TLS 1.3, which has no renegotiation, or a TLS 1.2 of ours that cannot ask for it",
    ))
}

/// 3.7
fn certificates(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    bench.step("Begin a session context with TLS, and show a certificate of somebody else");
    bench.start_secure(Shown::SomebodyElses, Signature::Right)?;
    let handshake = bench.handshake(bench.profile().answer_patience());
    if handshake == Handshake::Unanswered {
        return Err(Stop::failed(
            "a certificate of the Agent was expected, the handshake was not answered",
        ));
    }
    bench.step("See that its own certificate names it, and that it has asked for ours");
    bench.agent_certificate_is_its_own()?;
    ensure(bench.was_asked_for_certificate(), || {
        "the Agent was to ask for our certificate, and has not".to_owned()
    })?;
    bench.step("See that it does not answer a Get");
    unanswered(bench)
}

/// 3.13
fn another_security(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    bench.step("Begin a session context with TLS");
    let id = bench.secure_session()?;
    secured_answer(bench, ENDPOINT_ID)?;
    bench.step("Send a Get in the same session context, plain");
    let (mut record, msg_id) = bench.record_of(question())?;
    let payload = Msg::request(msg_id.clone(), question()).into_payload();
    if let Some(RecordType::SessionContext(context)) = &mut record.record_type {
        context.payload = vec![payload];
    }
    bench.sign(&mut record)?;
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)?;
    bench.step("Wait until the Agent begins another session context");
    bench
        .await_new_session(id, bench.profile().answer_patience())
        .map(drop)
}

/// Asks within TLS: the Record of the answer.
pub(in crate::tests) fn secured_answer(bench: &mut Bench, path: &str) -> Result<Record, Stop> {
    let request = RequestType::Get(Get {
        param_paths: vec![path.to_owned()],
        max_depth: 0,
    });
    let (record, msg_id) = bench.record_of(request)?;
    bench.send_record(Seat::Primary, &record)?;
    let answered = bench.await_answer_record(&msg_id)?;
    answered.context().map(|_: &SessionContext| ())?;
    Ok(answered.record)
}

/// A Get in the session context is not answered, if it can be sent at all.
pub(in crate::tests) fn unanswered(bench: &mut Bench) -> Done {
    if bench.hears_refusal(bench.profile().silence()) {
        bench.note("the Agent has ended the session context");
        return Ok(());
    }
    let (record, msg_id) = bench.record_of(question())?;
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)
}

fn question() -> RequestType {
    RequestType::Get(Get {
        param_paths: vec![ENDPOINT_ID.to_owned()],
        max_depth: 0,
    })
}

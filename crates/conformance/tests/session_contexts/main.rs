//! The tests of session contexts against an Agent that has them, and against such as do one thing wrong.

mod agent;

use usphere_conformance::{Outcome, Profile, Verdict, run};

use self::agent::{Fault, Talking};

fn outcome(fault: Fault, id: &str) -> Outcome {
    let only = id.parse().expect("a test");
    let peer = Box::new(Talking::new(fault));
    let report = run(peer, Profile::default(), &only, &mut ());
    report.expect("the Agent is there").outcomes.remove(0)
}

/// The tests that can be passed, and what each notices.
const CASES: [(&str, Fault, &str); 12] = [
    ("2.7", Fault::AnySignature, "no answer was expected"),
    ("2.8", Fault::AnyCertificate, "no answer was expected"),
    ("3.3", Fault::AnySignature, "came to its end"),
    ("3.4", Fault::WrongMac, "mac_signature"),
    ("3.7", Fault::AnyCertificate, "no answer was expected"),
    (
        "3.8",
        Fault::Second,
        "sequence_id: 1 was expected within 10 s, 2 came",
    ),
    ("3.9", Fault::Faithful, "none came"),
    (
        "3.10",
        Fault::Endless,
        "a session context for each was expected",
    ),
    ("3.11", Fault::Hasty, "no answer was expected"),
    ("3.12", Fault::Forgetful, "it did not come"),
    ("3.14", Fault::Patient, "begin another session context"),
    ("3.15", Fault::Duplicates, "no answer was expected"),
];

/// An Agent that has session contexts passes the tests of them.
#[test]
fn an_agent_with_session_contexts_passes() {
    for id in CASES.map(|(id, ..)| id).into_iter().chain(["3.13"]) {
        let outcome = outcome(Fault::None, id);
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
    }
}

/// Each test notices the fault that it is about.
#[test]
fn what_is_wrong_with_session_contexts_is_noticed() {
    for (id, fault, expected) in CASES {
        let outcome = outcome(fault, id);
        assert_eq!(outcome.result, Verdict::Failed, "{id}: {}", outcome.reason);
        assert!(
            outcome.reason.contains(expected),
            "{id}: {}",
            outcome.reason
        );
    }
}

/// Plain payloads in a session context with TLS are noticed where they are taken.
#[test]
fn another_payload_security_is_noticed() {
    let outcome = outcome(Fault::Lenient, "3.13");
    assert_eq!(outcome.result, Verdict::Failed, "{}", outcome.reason);
    assert!(
        outcome.reason.contains("no answer was expected"),
        "{}",
        outcome.reason
    );
}

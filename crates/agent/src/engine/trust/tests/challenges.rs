//! RequestChallenge() and ChallengeResponse().

use std::time::Duration;

use super::*;
use crate::scene::request_record;

const REQUEST: &str = "Device.LocalAgent.ControllerTrust.RequestChallenge()";
const RESPOND: &str = "Device.LocalAgent.ControllerTrust.ChallengeResponse()";
const CHALLENGE: &str = "Device.LocalAgent.ControllerTrust.Challenge.1.";

const DENIED: u32 = 7002;
const INVALID_VALUE: u32 = 7012;
const COMMAND_FAILED: u32 = 7022;
const INVALID_ARGUMENTS: u32 = 7027;

/// "open sesame", and what is near it.
const RIGHT: &str = "b3BlbiBzZXNhbWU=";
const WRONG: &str = "b3BlbiBzYWxhZA==";

thread_local! {
    static CA: Authority = authority("CA");
}

/// Guests that may take a challenge for full access, which may be failed twice.
fn challenged() -> LiveAgent {
    let trust = CA.with(|ca| trusting(ca, false));
    let mut live = operated(TrustConfig {
        on_first_use: true,
        ..trust
    });
    let permission = [
        ("Enable", "true"),
        ("Order", "5"),
        (
            "Targets",
            "Device.LocalAgent.ControllerTrust.RequestChallenge(),\
             Device.LocalAgent.ControllerTrust.ChallengeResponse(),\
             Device.LocalAgent.ControllerTrust.Challenge.1.Description",
        ),
        ("Param", "r---"),
        ("CommandEvent", "r-x-"),
    ];
    added(&mut live, &format!("{UNTRUSTED}.Permission."), &permission);
    for _ in 0..2 {
        let values = [
            ("Enable", "true"),
            ("Description", "Everything"),
            ("Role", FULL_ACCESS),
            ("Type", "Passphrase"),
            ("Value", RIGHT),
            ("ValueType", "text/plain"),
            ("Instruction", "U2F5IGl0"),
            ("InstructionType", "text/plain"),
            ("Retries", "2"),
            ("LockoutPeriod", "60"),
        ];
        added(&mut live, &format!("{TRUST}Challenge."), &values);
    }
    come(&mut live, "operator");
    come(&mut live, "guest");
    live
}

/// A Controller comes in by a certificate of its own.
fn come(live: &mut LiveAgent, name: &str) -> LinkId {
    CA.with(|ca| live.arrive_over_tls(Some(name), &[&issued(name, ca)]))
        .unwrap()
}

fn request(live: &mut LiveAgent, name: &str) -> Result<String, u32> {
    let outputs = operate(live, name, REQUEST, &[("ChallengeRef", CHALLENGE)])?;
    Ok(outputs["ChallengeID"].clone())
}

fn respond(live: &mut LiveAgent, name: &str, challenge: &str, value: &str) -> Result<(), u32> {
    let arguments = [("ChallengeID", challenge), ("Value", value)];
    operate(live, name, RESPOND, &arguments).map(drop)
}

/// Requests the challenge and answers it.
fn attempt(live: &mut LiveAgent, name: &str, value: &str) -> Result<(), u32> {
    let challenge = request(live, name)?;
    respond(live, name, &challenge, value)
}

/// No challenge comes from the factory, so none is shared by Agents or to be guessed from what they tell.
///
/// Proves: R-SEC.14, R-SEC.15
#[test]
fn an_agent_starts_without_a_challenge() {
    let mut live = operated(TrustConfig::default());
    let count = live.value("operator", &format!("{TRUST}ChallengeNumberOfEntries"));
    assert_eq!(count, "0");
    assert!(live.store.keys().all(|key| !key.contains("Challenge")));
}

/// Proves: R-SEC.7
#[test]
fn the_right_answer_gives_the_role_in_place_of_the_untrusted_one() {
    let mut live = challenged();
    assert!(!can_read(&mut live, "guest", CODE_1));
    let outputs = operate(&mut live, "guest", REQUEST, &[("ChallengeRef", CHALLENGE)]).unwrap();
    assert_eq!(outputs["Instruction"], "U2F5IGl0");
    assert_eq!(outputs["InstructionType"], "text/plain");
    assert_eq!(outputs["ValueType"], "text/plain");
    respond(&mut live, "guest", &outputs["ChallengeID"], RIGHT).unwrap();
    assert_eq!(row_of(&mut live, "guest")["AssignedRole"], FULL_ACCESS);
    assert!(can_read(&mut live, "guest", CODE_1));
    // The answer was for once.
    assert_eq!(
        respond(&mut live, "guest", &outputs["ChallengeID"], RIGHT),
        Err(INVALID_VALUE)
    );
    // It outlives a restart.
    let mut live = live.restart();
    come(&mut live, "guest");
    assert!(can_read(&mut live, "guest", CODE_1));
}

#[test]
fn a_role_is_added_to_others_once() {
    let mut live = challenged();
    let role = added(
        &mut live,
        &format!("{TRUST}Role."),
        &[("Name", "More"), ("Enable", "true")],
    );
    let role = role.trim_end_matches('.').to_owned();
    let roles = format!("{role},{UNTRUSTED}");
    live.response(
        "operator",
        set(
            "Device.LocalAgent.Controller.2.",
            &[("AssignedRole", &roles)],
        ),
    );
    attempt(&mut live, "guest", RIGHT).unwrap();
    let both = format!("{role},{FULL_ACCESS}");
    assert_eq!(row_of(&mut live, "guest")["AssignedRole"], both);
    attempt(&mut live, "guest", RIGHT).unwrap();
    assert_eq!(row_of(&mut live, "guest")["AssignedRole"], both);
}

/// The value is for nobody to read.
#[test]
fn the_value_of_a_challenge_reads_as_empty() {
    let mut live = challenged();
    assert_eq!(live.value("operator", &format!("{CHALLENGE}Value")), "");
    assert!(
        live.values("guest", &format!("{CHALLENGE}Value"))
            .is_empty()
    );
    assert_eq!(
        live.value("guest", &format!("{CHALLENGE}Description")),
        "Everything"
    );
}

/// Wrong answers are counted over all Controllers, and lock everybody out for the period, whatever they
/// answer then.
///
/// Proves: R-SEC.16, R-SEC.17
#[test]
fn too_many_wrong_answers_lock_the_challenge_for_everybody() {
    let mut live = challenged();
    come(&mut live, "other");
    let waiting = request(&mut live, "other").unwrap();
    assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    assert_eq!(
        respond(&mut live, "other", &waiting, WRONG),
        Err(COMMAND_FAILED)
    );
    assert_eq!(request(&mut live, "guest"), Err(DENIED));
    assert_eq!(request(&mut live, "operator"), Err(DENIED));
    live.wait(Duration::from_secs(59));
    assert_eq!(request(&mut live, "guest"), Err(DENIED));
    live.wait(Duration::from_secs(1));
    // The count begins anew.
    assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    assert_eq!(attempt(&mut live, "guest", RIGHT), Ok(()));
    // And after a success.
    assert_eq!(attempt(&mut live, "other", WRONG), Err(COMMAND_FAILED));
    assert_eq!(attempt(&mut live, "other", RIGHT), Ok(()));
}

/// A challenge that was requested before the lockout is not answered during it.
///
/// Proves: R-SEC.16, R-SEC.17
#[test]
fn a_challenge_that_was_requested_before_is_locked_too() {
    let mut live = challenged();
    come(&mut live, "other");
    let waiting = request(&mut live, "other").unwrap();
    for _ in 0..2 {
        assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    }
    assert_eq!(respond(&mut live, "other", &waiting, RIGHT), Err(DENIED));
    assert!(!can_read(&mut live, "other", CODE_1));
    live.wait(Duration::from_secs(60));
    assert_eq!(respond(&mut live, "other", &waiting, RIGHT), Ok(()));
}

/// Without a lockout each request is good for so many answers.
///
/// Proves: R-SEC.16
#[test]
fn without_a_lockout_the_challenge_has_to_be_requested_again() {
    let mut live = challenged();
    live.response("operator", set(CHALLENGE, &[("LockoutPeriod", "0")]));
    let challenge = request(&mut live, "guest").unwrap();
    for _ in 0..2 {
        assert_eq!(
            respond(&mut live, "guest", &challenge, WRONG),
            Err(COMMAND_FAILED)
        );
    }
    assert_eq!(
        respond(&mut live, "guest", &challenge, RIGHT),
        Err(INVALID_VALUE)
    );
    assert_eq!(attempt(&mut live, "guest", RIGHT), Ok(()));
}

/// Pulling the plug buys no further tries: the count is kept before the answer is told to be wrong, and the
/// lockout begins anew.
///
/// Proves: R-SEC.16, R-SEC.17
#[test]
fn a_restart_buys_no_further_tries() {
    let mut live = challenged();
    assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    live = live.restart();
    come(&mut live, "guest");
    assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    for _ in 0..3 {
        live = live.restart();
        come(&mut live, "guest");
        assert_eq!(attempt(&mut live, "guest", RIGHT), Err(DENIED));
        live.wait(Duration::from_secs(59));
        assert_eq!(attempt(&mut live, "guest", RIGHT), Err(DENIED));
    }
    live.wait(Duration::from_secs(1));
    assert_eq!(attempt(&mut live, "guest", RIGHT), Ok(()));
}

/// Without Retries there is one try, and nobody is locked out who has not had it.
///
/// Proves: R-SEC.16
#[test]
fn without_retries_there_is_one_try_also_after_a_restart() {
    let mut live = challenged();
    live.response("operator", set(CHALLENGE, &[("Retries", "0")]));
    let mut live = live.restart();
    come(&mut live, "guest");
    assert_eq!(attempt(&mut live, "guest", WRONG), Err(COMMAND_FAILED));
    assert_eq!(attempt(&mut live, "guest", RIGHT), Err(DENIED));
    live.wait(Duration::from_secs(60));
    assert_eq!(attempt(&mut live, "guest", RIGHT), Ok(()));
}

/// Nothing is told of an answer before it is counted for good, and nothing at all when that fails.
///
/// Proves: R-SEC.16
#[test]
fn an_answer_that_cannot_be_counted_is_not_judged() {
    for value in [RIGHT, WRONG] {
        let mut live = challenged();
        let challenge = request(&mut live, "guest").unwrap();
        let link = live.link("guest");
        live.take(link);
        live.hold();
        let operate = Operate {
            command: RESPOND.to_owned(),
            command_key: String::new(),
            send_resp: true,
            input_args: [("ChallengeID", &*challenge), ("Value", value)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        live.send(link, request_record("guest", "1", operate));
        assert_eq!(live.take(link), [], "not before it is kept");
        live.fail("the disk is full");
        let answers = live.take_messages(link);
        let [answer] = &answers[..] else {
            panic!("{answers:?}")
        };
        let told = format!("{answer:?}");
        assert!(told.contains("7003") || told.contains("7022"), "{told}");
        assert!(!told.contains("wrong"), "{told}");
        let mut live = live.restart();
        come(&mut live, "guest");
        assert!(!can_read(&mut live, "guest", CODE_1));
    }
}

#[test]
fn each_controller_has_one_challenge_at_a_time_and_answers_its_own() {
    let mut live = challenged();
    come(&mut live, "other");
    let first = request(&mut live, "guest").unwrap();
    assert_eq!(
        request(&mut live, "guest"),
        Ok(first.clone()),
        "the same again"
    );
    assert_eq!(
        respond(&mut live, "other", &first, RIGHT),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        respond(&mut live, "guest", "nonsense", RIGHT),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        respond(&mut live, "guest", &first, "not base64!"),
        Err(INVALID_ARGUMENTS)
    );
    let second = format!("{TRUST}Challenge.2");
    let other = [("ChallengeRef", &*second)];
    let operator = request(&mut live, "operator").unwrap();
    assert_eq!(operate(&mut live, "operator", REQUEST, &other), Err(DENIED));
    assert_eq!(respond(&mut live, "operator", &operator, RIGHT), Ok(()));
    assert!(operate(&mut live, "operator", REQUEST, &other).is_ok());
    // One that the Controller may not see is none.
    assert_eq!(respond(&mut live, "guest", &first, RIGHT), Ok(()));
    assert_eq!(
        operate(&mut live, "other", REQUEST, &other),
        Err(INVALID_VALUE)
    );
    for none in [
        "",
        "nonsense",
        "Device.LocalAgent.Controller.1.",
        "Device.LocalAgent.ControllerTrust.Challenge.9.",
    ] {
        let outcome = operate(&mut live, "other", REQUEST, &[("ChallengeRef", none)]);
        assert_eq!(outcome, Err(INVALID_VALUE), "{none}");
    }
    live.response("operator", set(CHALLENGE, &[("Enable", "false")]));
    assert_eq!(request(&mut live, "other"), Err(INVALID_VALUE));
}

#[test]
fn a_request_expires_when_it_says_so() {
    let mut live = challenged();
    let ask = |live: &mut LiveAgent, seconds: &str| {
        let arguments = [("ChallengeRef", CHALLENGE), ("RequestExpiration", seconds)];
        operate(live, "guest", REQUEST, &arguments).map(|outputs| outputs["ChallengeID"].clone())
    };
    for wrong in ["-1", "soon"] {
        assert_eq!(ask(&mut live, wrong), Err(INVALID_ARGUMENTS));
    }
    let brief = ask(&mut live, "10").unwrap();
    live.wait(Duration::from_secs(10));
    assert_eq!(
        respond(&mut live, "guest", &brief, RIGHT),
        Err(INVALID_VALUE)
    );
    let usual = request(&mut live, "guest").unwrap();
    live.wait(Duration::from_secs(899));
    assert_eq!(
        respond(&mut live, "guest", &usual, WRONG),
        Err(COMMAND_FAILED)
    );
    live.wait(Duration::from_secs(1));
    assert_eq!(
        respond(&mut live, "guest", &usual, RIGHT),
        Err(INVALID_VALUE)
    );
    let endless = ask(&mut live, "0").unwrap();
    live.wait(Duration::from_secs(1_000_000));
    assert_eq!(respond(&mut live, "guest", &endless, RIGHT), Ok(()));
}

/// A challenge without a value has no right answer.
#[test]
fn an_empty_value_is_never_the_right_answer() {
    let mut live = challenged();
    live.response("operator", set(CHALLENGE, &[("Value", "")]));
    assert_eq!(attempt(&mut live, "guest", ""), Err(COMMAND_FAILED));
}

/// Where anybody can claim to be anybody, nobody gains a role for another: neither off loopback nor on it, nor
/// where the Agent has dialled without TLS.
///
/// Proves: R-SEC.0
#[test]
fn there_are_no_challenges_through_an_unprotected_door() {
    for channel in [Channel::PlainInsecure, Channel::PlainLoopback] {
        let mut live = challenged();
        let guest = live.link("guest");
        live.cut(guest);
        let link = live.arrive(Some("guest"), channel);
        live.take(link);
        assert_eq!(request(&mut live, "guest"), Err(DENIED));
    }
}

//! Challenges: RequestChallenge() and ChallengeResponse(). Who has the answer gets the role.
//! (TR-181 2.19; TR-369, R-SEC.16, R-SEC.17)
//!
//! A wrong answer is counted before it is told to be wrong, and the count is kept with the challenge: it is the
//! same for all Controllers and outlives a restart. A right answer is compared only after that as well,
//! so a store that fails tells nothing about it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usphere_datamodel::model::Outputs;
use usphere_datamodel::types::list;
use usphere_datamodel::{Fault, FaultKind, Moment, ObjectId, Transaction};

use super::Caller;
use super::shared::is_readable;
use crate::engine::seed::assign;
use crate::objects::{CHALLENGED, FAILURES, LOCKED_UNTIL};

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CHALLENGES: &str = "Device.LocalAgent.ControllerTrust.Challenge.";

/// What a Controller has requested and not yet answered.
#[derive(Debug)]
struct Challenged {
    id: String,
    challenge: String,
}

/// Begins a challenge of the Controller that asks.
pub(super) fn request(
    transaction: &mut Transaction<'_>,
    command: &str,
    arguments: &BTreeMap<String, String>,
    caller: &Caller,
) -> Result<Outputs, Fault> {
    let controller = controller(transaction, command, caller)?;
    let expiration: u32 = argument(arguments, "RequestExpiration")
        .parse()
        .map_err(|_| {
            let text = "RequestExpiration is a number of seconds, 0 for ever";
            Fault::new(FaultKind::ArgumentInvalid, command, text)
        })?;
    let reference = argument(arguments, "ChallengeRef").trim_end_matches('.');
    let challenge = enabled(transaction, reference)
        .filter(|challenge| may_see(transaction, *challenge, caller))
        .ok_or_else(|| {
            let text = "ChallengeRef is no challenge that this Controller can request";
            Fault::new(FaultKind::ValueInvalid, command, text)
        })?;
    refuse_locked(transaction, challenge, command)?;
    let now = transaction.now();
    let id = match outstanding(transaction, controller) {
        Some(same) if same.challenge == reference => same.id,
        Some(_) => {
            let text = "another challenge is requested already: answer it, or let it expire";
            return Err(Fault::new(FaultKind::Denied, command, text));
        }
        None => format!(
            "{}-{}-{:x}",
            transaction.instance(controller),
            transaction.instance(challenge),
            now.as_micros()
        ),
    };
    let until = now + Duration::from_secs(expiration.into());
    let noted = match expiration {
        0 => format!("{id} {reference}"),
        _ => format!("{id} {reference} {}", until.as_micros()),
    };
    assign(transaction, controller, CHALLENGED, &noted)?;
    let mut outputs = Outputs::from([("ChallengeID".to_owned(), id)]);
    for name in ["Instruction", "InstructionType", "ValueType"] {
        outputs.insert(
            name.to_owned(),
            transaction.text(challenge, name).to_owned(),
        );
    }
    Ok(outputs)
}

/// What came of an answer.
#[derive(Debug)]
pub(super) enum Response {
    /// It is right: the Controller has the role.
    Right,
    /// It is wrong, and that was counted: what has changed has to stay.
    Wrong(Fault),
}

/// Takes the answer of the Controller that was challenged.
pub(super) fn respond(
    transaction: &mut Transaction<'_>,
    command: &str,
    arguments: &BTreeMap<String, String>,
    caller: &Caller,
) -> Result<Response, Fault> {
    let controller = controller(transaction, command, caller)?;
    let answer = STANDARD.decode(argument(arguments, "Value")).map_err(|_| {
        let text = "Value is not base64";
        Fault::new(FaultKind::ArgumentInvalid, command, text)
    })?;
    let id = argument(arguments, "ChallengeID");
    let challenged = outstanding(transaction, controller)
        .filter(|challenged| challenged.id == id)
        .ok_or_else(|| {
            let text = "ChallengeID is none of an outstanding challenge of this Controller";
            Fault::new(FaultKind::ValueInvalid, command, text)
        })?;
    let Some(challenge) = enabled(transaction, &challenged.challenge) else {
        assign(transaction, controller, CHALLENGED, "")?;
        let text = "the challenge is there no more, request another";
        return Ok(Response::Wrong(Fault::new(
            FaultKind::CommandFailed,
            command,
            text,
        )));
    };
    refuse_locked(transaction, challenge, command)?;
    let failures = number(transaction, challenge, FAILURES).saturating_add(1);
    assign(transaction, challenge, FAILURES, &failures.to_string())?;
    let expected = STANDARD.decode(transaction.text(challenge, "Value"));
    let right = expected.is_ok_and(|expected| !expected.is_empty() && is_same(&expected, &answer));
    if right {
        assign(transaction, challenge, FAILURES, "0")?;
        assign(transaction, controller, CHALLENGED, "")?;
        give_role(transaction, controller, challenge)?;
        return Ok(Response::Right);
    }
    if failures >= tries(transaction, challenge) {
        assign(transaction, controller, CHALLENGED, "")?;
        if !lock_if_due(transaction, challenge)? {
            assign(transaction, challenge, FAILURES, "0")?;
        }
    }
    let text = "the answer to the challenge is wrong";
    Ok(Response::Wrong(Fault::new(
        FaultKind::CommandFailed,
        command,
        text,
    )))
}

/// Locks a challenge that was failed too often for its LockoutPeriod, counted from now; whether it did.
pub(crate) fn lock_if_due(
    transaction: &mut Transaction<'_>,
    challenge: ObjectId,
) -> Result<bool, Fault> {
    let period = number(transaction, challenge, "LockoutPeriod");
    let due = number(transaction, challenge, FAILURES) >= tries(transaction, challenge);
    if !due || period == 0 {
        return Ok(false);
    }
    let until = transaction.now() + Duration::from_secs(period.into());
    assign(
        transaction,
        challenge,
        LOCKED_UNTIL,
        &until.as_micros().to_string(),
    )?;
    Ok(true)
}

/// The row of who asks. Where anybody can claim to be it, there are no challenges.
fn controller(
    transaction: &mut Transaction<'_>,
    command: &str,
    caller: &Caller,
) -> Result<ObjectId, Fault> {
    let row = transaction.find(&caller.controller);
    row.filter(|_| caller.authenticated).ok_or_else(|| {
        let text = "challenges are for Controllers whose connection proves who they are";
        Fault::new(FaultKind::Denied, command, text)
    })
}

/// The enabled challenge at this path, without a dot at its end.
fn enabled(transaction: &mut Transaction<'_>, path: &str) -> Option<ObjectId> {
    let instance = path.strip_prefix(CHALLENGES)?;
    instance.parse::<u32>().ok()?;
    let row = transaction.find(&format!("{path}."))?;
    (transaction.text(row, "Enable") == "true").then_some(row)
}

/// Whether the Controller may know of the challenge: it may read what it is called by. (TR-369, Challenges)
fn may_see(transaction: &mut Transaction<'_>, challenge: ObjectId, caller: &Caller) -> bool {
    ["Alias", "Description"].into_iter().any(|name| {
        transaction
            .parameter(challenge, name)
            .is_some_and(|node| is_readable(transaction, &caller.access, challenge, node))
    })
}

/// Ends a lockout whose time is over; while it is not, nothing succeeds.
fn refuse_locked(
    transaction: &mut Transaction<'_>,
    challenge: ObjectId,
    command: &str,
) -> Result<(), Fault> {
    let until: u64 = transaction
        .text(challenge, LOCKED_UNTIL)
        .parse()
        .unwrap_or_default();
    if until == 0 {
        return Ok(());
    }
    if transaction.now().as_micros() < until {
        let text = "the challenge was failed too often, try again after its LockoutPeriod";
        return Err(Fault::new(FaultKind::Denied, command, text));
    }
    assign(transaction, challenge, FAILURES, "0")?;
    assign(transaction, challenge, LOCKED_UNTIL, "0")
}

/// What the Controller has requested, while it has not expired.
fn outstanding(transaction: &mut Transaction<'_>, controller: ObjectId) -> Option<Challenged> {
    let noted = transaction.text(controller, CHALLENGED).to_owned();
    let mut parts = noted.split(' ');
    let (id, challenge) = (parts.next()?, parts.next()?);
    let until = parts
        .next()
        .and_then(|micros| micros.parse().ok())
        .map(Moment::from_micros);
    let holds = until.is_none_or(|until| transaction.now() < until)
        && enabled(transaction, challenge).is_some();
    holds.then(|| Challenged {
        id: id.to_owned(),
        challenge: challenge.to_owned(),
    })
}

/// The roles of the challenge take the place of the UntrustedRole, and come on top of any others.
fn give_role(
    transaction: &mut Transaction<'_>,
    controller: ObjectId,
    challenge: ObjectId,
) -> Result<(), Fault> {
    let untrusted = match transaction.find(TRUST) {
        Some(trust) => transaction.text(trust, "UntrustedRole").to_owned(),
        None => String::new(),
    };
    let assigned = transaction.text(controller, "AssignedRole").to_owned();
    let given = transaction.text(challenge, "Role").to_owned();
    let mut roles: Vec<_> = list::items(&assigned)
        .filter(|role| *role != untrusted || list::items(&given).any(|given| given == *role))
        .collect();
    for role in list::items(&given) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    let roles = list::join(roles.iter().map(|role| &**role));
    assign(transaction, controller, "AssignedRole", &roles)
}

/// How many wrong answers in a row lock the challenge: one at the least.
fn tries(transaction: &mut Transaction<'_>, challenge: ObjectId) -> u32 {
    number(transaction, challenge, "Retries").max(1)
}

fn number(transaction: &mut Transaction<'_>, object: ObjectId, name: &str) -> u32 {
    transaction.text(object, name).parse().unwrap_or_default()
}

/// Compares all of it, so that the time taken does not tell how much was right.
fn is_same(expected: &[u8], given: &[u8]) -> bool {
    let pairs = expected.iter().zip(given);
    let differences = pairs.fold(0, |differences, (a, b)| differences | (a ^ b));
    expected.len() == given.len() && differences == 0
}

fn argument<'a>(arguments: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    arguments.get(name).map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_when_all_of_it_is() {
        assert!(is_same(b"", b"") && is_same(b"secret", b"secret"));
        for wrong in [
            "", "s", "secre", "secrets", "Secret", "publik", "tecres", "terces",
        ] {
            assert!(!is_same(b"secret", wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_same(b"ab", b"ba"));
    }
}

//! Asynchronous commands: a Request row for each, until it has ended. (R-OPR.0, R-OPR.2)

use std::collections::BTreeMap;

use usphere_datamodel::limits::Clipped;
use usphere_datamodel::model::Outputs;
use usphere_datamodel::schema::CommandNode;
use usphere_datamodel::{Fault, FaultKind, ObjectId, Transaction};
use usphere_proto::msg::{Operate, OperationOutcome};

use super::{Caller, Done, Effect};
use crate::clock::date_time;
use crate::engine::seed::assign;
use crate::handlers::Begun;
use crate::limits::{REQUEST_BYTES_MAX, REQUESTS_BEGUN_MAX, REQUESTS_BEGUN_PER_CONTROLLER_MAX};
use crate::objects::{DELAY_SECONDS, DUE, OWNER, REQUESTS};

/// Accepts the asynchronous command at `path`: it has a row from now on, and begins when that is durable.
///
/// # Errors
/// [`FaultKind::ArgumentInvalid`], and [`FaultKind::ResourcesExceeded`] where too many run already or
/// the same Controller runs the same command with the same command_key.
pub(super) fn begin(
    transaction: &mut Transaction<'_>,
    path: &str,
    command: &CommandNode,
    arguments: BTreeMap<String, String>,
    request: &Operate,
    caller: &Caller,
) -> Result<Done, Fault> {
    let own = *command.owner == *OWNER;
    let delay = own.then(|| delay_of(path, &arguments)).transpose()?;
    let originator = originator(transaction, caller);
    is_small(path, &request.command_key, &arguments)?;
    let row = add_row(transaction, path, command.at_once, &originator)?;
    let values = [
        ("Originator", &*originator),
        ("Command", path),
        ("CommandKey", &*request.command_key),
    ];
    for (name, value) in values {
        assign(transaction, row, name, value)?;
    }
    if let Some(delay) = delay {
        assign(transaction, row, DELAY_SECONDS, &delay.to_string())?;
        if caller.utc.reliable {
            // Never too early: the fraction of a second counts as a whole one.
            let due = caller.utc.unix_micros + i64::from(delay) * 1_000_000 + 999_999;
            assign(transaction, row, DUE, &date_time(due))?;
        }
    }
    transaction.finish_row(row).map_err(|fault| match fault.kind {
        FaultKind::UniqueKeyConflict => Fault::new(
            FaultKind::ResourcesExceeded,
            path,
            "the Controller runs this command with the same command_key already, give it another one",
        ),
        _ => fault,
    })?;
    let begun = Begun {
        instance: transaction.instance(row),
        owner: command.owner.to_string(),
        command: path.to_owned(),
        command_key: request.command_key.clone(),
        arguments,
        delay_seconds: delay,
    };
    Ok(Done {
        outcome: OperationOutcome::ReqObjPath(transaction.path(row).to_owned()),
        effect: Some(Effect::Begin(begun)),
    })
}

/// Asks for the end of the command of the Request `row`: it is Canceling from now on. (R-OPR.3)
///
/// # Errors
/// When nothing may be written.
pub(super) fn cancel(transaction: &mut Transaction<'_>, row: ObjectId) -> Result<Done, Fault> {
    assign(transaction, row, "Status", "Canceling")?;
    Ok(Done {
        effect: Some(Effect::Cancel(transaction.instance(row))),
        ..Done::from(Outputs::new())
    })
}

/// A new row, if one more may run. (TR-369, Concurrent Operations)
fn add_row(
    transaction: &mut Transaction<'_>,
    path: &str,
    at_once: u32,
    originator: &str,
) -> Result<ObjectId, Fault> {
    let agent = transaction.find("Device.LocalAgent.");
    let place = agent.and_then(|agent| Some((agent, transaction.member(agent, "Request")?)));
    let Some((agent, table)) = place else {
        return Err(Fault::new(
            FaultKind::Internal,
            REQUESTS,
            "this is not declared",
        ));
    };
    let view = transaction.view();
    let node_of = |path: &str| view.find(path).map(|node| node.id);
    let rows = transaction.rows(agent, table)?;
    let (mut of_it, mut of_caller) = (0, 0);
    for row in &rows {
        of_it += u32::from(node_of(transaction.text(*row, "Command")) == node_of(path));
        of_caller += usize::from(transaction.text(*row, "Originator") == originator);
    }
    let refusal = if of_it >= at_once {
        format!("this command runs {at_once} times already, which is as often as it can")
    } else if of_caller >= REQUESTS_BEGUN_PER_CONTROLLER_MAX {
        format!("the Controller has {of_caller} commands running already, which is all that it may")
    } else if rows.len() >= REQUESTS_BEGUN_MAX {
        format!("{} commands run already, which is all that can", rows.len())
    } else {
        return transaction.add_row(agent, table);
    };
    Err(Fault::new(FaultKind::ResourcesExceeded, path, refusal))
}

/// The seconds that `Device.ScheduleTimer()` is to run, the one asynchronous command that is our own.
fn delay_of(path: &str, arguments: &BTreeMap<String, String>) -> Result<u32, Fault> {
    let given = arguments.get("DelaySeconds").map_or("", String::as_str);
    let delay = given.parse().ok().filter(|delay| *delay > 0);
    delay.ok_or_else(|| {
        let given = Clipped::new(given);
        let text = format!("DelaySeconds: {given} is not a number of seconds from 1 to 4294967295");
        Fault::new(FaultKind::ArgumentInvalid, path, text)
    })
}

fn is_small(path: &str, key: &str, arguments: &BTreeMap<String, String>) -> Result<(), Fault> {
    let arguments = arguments.iter();
    let size = arguments.fold(key.len(), |size, (name, value)| {
        size + name.len() + value.len()
    });
    if size <= REQUEST_BYTES_MAX {
        return Ok(());
    }
    let text = format!(
        "arguments and command_key have {size} bytes together, at most {REQUEST_BYTES_MAX} are kept"
    );
    Err(Fault::new(FaultKind::ResourcesExceeded, path, text))
}

fn originator(transaction: &mut Transaction<'_>, caller: &Caller) -> String {
    let row = transaction.find(&caller.controller);
    row.map(|row| transaction.text(row, "EndpointID").to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_request_is_counted_as_a_whole() {
        let arguments = |bytes: usize| BTreeMap::from([("Word".to_owned(), "x".repeat(bytes))]);
        let most = REQUEST_BYTES_MAX - "key".len() - "Word".len();
        assert_eq!(is_small("Device.", "key", &arguments(most)), Ok(()));
        for bytes in [most + 1, most + 2] {
            let fault = is_small("Device.", "key", &arguments(bytes)).unwrap_err();
            assert_eq!(fault.kind, FaultKind::ResourcesExceeded);
        }
    }
}

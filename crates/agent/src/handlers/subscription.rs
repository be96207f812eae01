//! What a Subscription may say, beyond the types of its parameters. (TR-181 2.19, Device.LocalAgent.Subscription.{i}.)
//!
//! Whether its recipient may be told what it is about is judged when that happens: the roles may be others
//! by then, and TP-469 2.20 expects such a Subscription to be accepted.

use usphere_datamodel::limits::Clipped;
use usphere_datamodel::path::{End, Path};
use usphere_datamodel::types::list;
use usphere_datamodel::{Fault, FaultKind, NodeId, ObjectId, Transaction};

use super::Caller;
use crate::engine::notify::{Kind, Reference};
use crate::limits::{REFERENCES_MAX, SUBSCRIPTIONS_MAX};

const SUBSCRIPTION: &str = "Device.LocalAgent.Subscription.{i}.";

/// Checks a value that a parameter is to get, where it is one of a Subscription.
///
/// # Errors
/// [`FaultKind::NotWritable`] for an ID or a ReferenceList that is there already, [`FaultKind::ValueInvalid`] for
/// what makes no sense.
pub(crate) fn check(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    parameter: NodeId,
    value: &str,
) -> Result<(), Fault> {
    let node = transaction.node(parameter);
    let Some(name) = node.path.strip_prefix(SUBSCRIPTION) else {
        return Ok(());
    };
    let outcome = match name {
        "NotifType" => {
            let references = transaction.text(object, "ReferenceList").to_owned();
            references_fit(transaction, &references, Kind::parse(value))
        }
        // A key that is not functional. (R-KEY.1)
        "ID" => {
            let before = transaction.text(object, "ID");
            if !before.is_empty() && before != value {
                return Err(unchangeable(transaction, object, "ID"));
            }
            Ok(())
        }
        "ReferenceList" => {
            let before = transaction.text(object, "ReferenceList");
            if !before.is_empty() && !list::items(before).eq(list::items(value)) {
                return Err(unchangeable(transaction, object, "ReferenceList"));
            }
            let kind = Kind::parse(transaction.text(object, "NotifType"));
            references_fit(transaction, value, kind)
        }
        "TriggerConfigSettings" => list::items(value).try_for_each(|item| {
            let outcome = setting(&item).map(drop);
            outcome.map_err(|reason| format!("{}: {reason}", Clipped::new(&item)))
        }),
        _ => Ok(()),
    };
    outcome.map_err(|text| {
        let path = format!("{}{name}", transaction.path(object));
        Fault::new(FaultKind::ValueInvalid, path, text)
    })
}

fn unchangeable(transaction: &Transaction<'_>, object: ObjectId, name: &str) -> Fault {
    let path = format!("{}{name}", transaction.path(object));
    let text = "it cannot be changed: delete the Subscription and add another";
    Fault::new(FaultKind::NotWritable, path, text)
}

/// Completes a new row with what only the Agent knows.
///
/// # Errors
/// When there are too many.
pub(super) fn complete(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    caller: &Caller,
) -> Result<(), Fault> {
    let node = transaction.node_of(row);
    if *node.path != *SUBSCRIPTION {
        return Ok(());
    }
    let table = transaction.parent(row).map(|above| (above, node.id));
    let count = match table {
        Some((above, table)) => transaction.rows(above, table)?.len(),
        None => 0,
    };
    check_count(count, transaction.path(row))?;
    match transaction.parameter(row, "CreationDate") {
        Some(created) => transaction.assign(row, created, &caller.utc.date_time()),
        None => Ok(()),
    }
}

/// Whether there may be `count` Subscriptions, of which that at `path` is the newest.
fn check_count(count: usize, path: &str) -> Result<(), Fault> {
    if count <= SUBSCRIPTIONS_MAX {
        return Ok(());
    }
    let text = format!("there are {SUBSCRIPTIONS_MAX} Subscriptions already");
    Err(Fault::new(FaultKind::ResourcesExceeded, path, text))
}

/// An item of a TriggerConfigSettings: the path of a parameter and the value that it gets. Texts may be
/// quoted.
///
/// # Errors
/// Why it is none, for people.
pub(crate) fn setting(item: &str) -> Result<(Path, &str), String> {
    // A search in the path has signs of equality of its own.
    let mut depth = 0_usize;
    let sign = item.bytes().position(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        byte == b'=' && depth == 0
    });
    let (path, value) = sign
        .and_then(|at| Some((item.get(..at)?, item.get(at + 1..)?)))
        .ok_or("each entry is the path of a parameter, \"=\" and its value")?;
    let path = Path::parse(path.trim()).map_err(|error| error.to_string())?;
    if !matches!(path.end, End::Parameter(_)) {
        return Err(format!("{path} is not the path of a parameter"));
    }
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    Ok((path, quoted.unwrap_or(value)))
}

fn references_fit(
    transaction: &Transaction<'_>,
    references: &str,
    kind: Option<Kind>,
) -> Result<(), String> {
    if list::items(references).count() > REFERENCES_MAX {
        return Err(format!("at most {REFERENCES_MAX} entries are allowed"));
    }
    list::items(references).try_for_each(|entry| {
        let outcome = match kind {
            Some(kind) => Reference::compile(&entry, kind, transaction.view()).map(drop),
            None => Path::parse(&entry)
                .map(drop)
                .map_err(|error| error.to_string()),
        };
        outcome.map_err(|reason| format!("{}: {reason}", Clipped::new(&entry)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_may_be_so_many_subscriptions_and_no_more() {
        assert_eq!(check_count(SUBSCRIPTIONS_MAX, SUBSCRIPTION), Ok(()));
        for count in [SUBSCRIPTIONS_MAX + 1, SUBSCRIPTIONS_MAX + 2] {
            let fault = check_count(count, SUBSCRIPTION).unwrap_err();
            assert_eq!(fault.kind, FaultKind::ResourcesExceeded);
        }
    }
}

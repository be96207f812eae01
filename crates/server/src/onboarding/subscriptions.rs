//! The server's own Subscriptions on a device: what they have to be, and what mends them.
//!
//! They are known by their ID, which begins with [`PREFIX`], and by their Recipient, which is this server. Nothing
//! else on a device is touched. This module never asks anybody; it says what has to be asked.

use std::collections::BTreeSet;

use usphere_datamodel::operation::{
    Add, AddOutcome, AddStatus, Delete, DeleteOutcome, DeleteStatus, ObjectSettings, ObjectValues,
    Operation, Outcome, Set, SetOutcome, SetStatus, Setting,
};

use crate::limits::OWN_SUBSCRIPTIONS_BYTES_MAX;

/// Where devices keep Subscriptions.
pub(super) const TABLE: &str = "Device.LocalAgent.Subscription.";

/// What their IDs begin with.
const PREFIX: &str = "usphere:";

/// What has become of them when all is well.
pub(super) const KEPT: &str = "kept";

/// Failures that are told; more of them say nothing new.
const FAILURES_TOLD_MAX: usize = 3;

/// What one is known by and compared by, beside its settings.
const LOOKED_AT: [&str; 4] = ["ID", "NotifType", "Recipient", "ReferenceList"];

/// What every one of them is like, beside its type and its references.
const SETTINGS: [(&str, &str); 5] = [
    ("Enable", "true"),
    ("Persistent", "true"),
    ("TimeToLive", "0"),
    ("NotifRetry", "true"),
    ("NotifExpiration", "0"),
];

/// A Subscription that every device is to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// As TR-181 names it.
    pub(crate) notif_type: String,
    pub(crate) references: Vec<String>,
}

/// What a device has.
#[derive(Debug)]
pub(super) struct Found {
    /// The path of this server's row among the device's Controllers; none where the device does not tell.
    pub(super) recipient: Option<String>,
    pub(super) rows: Vec<ObjectValues>,
}

/// The rows that may be this server's, with what is looked at of each and nothing else: they are held while the device is
/// asked to mend them.
///
/// # Errors
/// That they are too many or too large to be looked at.
pub(super) fn perhaps_ours(rows: &[ObjectValues]) -> Result<Vec<ObjectValues>, String> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for row in rows {
        if !value(row, "ID").is_some_and(|id| id.starts_with(PREFIX)) {
            continue;
        }
        let names = LOOKED_AT.into_iter().chain(SETTINGS.map(|(name, _)| name));
        let told = names.filter_map(|name| Some((name.to_owned(), value(row, name)?.to_owned())));
        let row = ObjectValues {
            path: row.path.clone(),
            parameters: told.collect(),
        };
        let texts = row.parameters.iter();
        bytes += row.path.len()
            + texts
                .map(|(name, text)| name.len() + text.len())
                .sum::<usize>();
        if bytes > OWN_SUBSCRIPTIONS_BYTES_MAX {
            return Err(format!(
                "there are more whose ID begins with {PREFIX} than are looked at"
            ));
        }
        found.push(row);
    }
    Ok(found)
}

/// What mends them, in the order in which it has to be asked.
pub(super) fn mending(wanted: &[Wanted], found: &Found) -> Vec<Operation> {
    let ours = ours(wanted, found);
    let (mut delete, mut set, mut add) = (Vec::new(), Vec::new(), Vec::new());
    let is_wanted = |row: &ObjectValues| wanted.iter().any(|each| each.is(row));
    delete.extend(ours.iter().filter(|row| !is_wanted(row)).map(path));
    for each in wanted {
        let mut rows = ours.iter().filter(|row| each.is(row));
        let Some(row) = rows.next() else {
            add.push(each.row());
            continue;
        };
        if !each.tells_the_same(row) {
            delete.push(path(row));
            add.push(each.row());
        } else if let Some(settings) = amended(row) {
            set.push(settings);
        }
    }
    let mut mending = Vec::new();
    if !delete.is_empty() {
        mending.push(Operation::Delete(Delete {
            paths: delete,
            allow_partial: true,
        }));
    }
    if !set.is_empty() {
        mending.push(Operation::Set(Set {
            objects: set,
            allow_partial: true,
        }));
    }
    if !add.is_empty() {
        mending.push(Operation::Add(Add {
            objects: add,
            allow_partial: true,
        }));
    }
    mending
}

/// What went wrong, if anything did.
pub(super) fn failures(outcome: &Outcome) -> Option<String> {
    let failed = match outcome {
        Outcome::Add(outcome) => added(outcome),
        Outcome::Delete(outcome) => deleted(outcome),
        Outcome::Set(outcome) => written(outcome),
        _ => Vec::new(),
    };
    let told: Vec<String> = failed.into_iter().take(FAILURES_TOLD_MAX).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Those that are this server's. Where the device does not tell who it is there, only those it wants are.
fn ours<'f>(wanted: &[Wanted], found: &'f Found) -> Vec<&'f ObjectValues> {
    let rows = found.rows.iter().filter(|row| {
        let id = value(row, "ID").unwrap_or_default();
        let recipient = value(row, "Recipient").map(plain);
        match found.recipient.as_deref().map(plain).zip(recipient) {
            Some((us, recipient)) => us == recipient && id.starts_with(PREFIX),
            None => wanted.iter().any(|each| each.id() == id),
        }
    });
    rows.collect()
}

impl Wanted {
    pub(crate) fn id(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    fn is(&self, row: &ObjectValues) -> bool {
        value(row, "ID") == Some(&self.id())
    }

    /// Whether it is about the same; these parameters cannot be changed. What is not told is as it should be.
    fn tells_the_same(&self, row: &ObjectValues) -> bool {
        let list = self.reference_list();
        let is_same_list = |text: &str| items(text) == items(&list);
        value(row, "NotifType").is_none_or(|kind| kind == self.notif_type)
            && value(row, "ReferenceList").is_none_or(is_same_list)
    }

    fn row(&self) -> ObjectSettings {
        let (id, list) = (self.id(), self.reference_list());
        let own = [
            ("ID", id.as_str()),
            ("NotifType", &self.notif_type),
            ("ReferenceList", &list),
        ];
        let parameters = own.into_iter().chain(SETTINGS);
        ObjectSettings {
            path: TABLE.to_owned(),
            parameters: parameters
                .map(|(name, value)| Setting::required(name, value))
                .collect(),
        }
    }

    /// A list as TR-106 writes it: a comma in an item is escaped.
    fn reference_list(&self) -> String {
        let item = |path: &String| match path.contains(',') {
            true => path.replace('%', "%25").replace(',', "%2C"),
            false => path.clone(),
        };
        let items: Vec<String> = self.references.iter().map(item).collect();
        items.join(",")
    }
}

/// What has to be written to a row so that it is as all are; none where it is.
fn amended(row: &ObjectValues) -> Option<ObjectSettings> {
    let differs = |(name, wanted): &(&str, &str)| {
        value(row, name).is_some_and(|value| match *wanted {
            "true" => !matches!(value, "true" | "1"),
            wanted => value != wanted,
        })
    };
    let parameters: Vec<Setting> = SETTINGS
        .into_iter()
        .filter(differs)
        .map(|(name, value)| Setting::required(name, value))
        .collect();
    (!parameters.is_empty()).then(|| ObjectSettings {
        path: row.path.clone(),
        parameters,
    })
}

fn added(outcome: &AddOutcome) -> Vec<String> {
    let failed = outcome.results.iter().filter_map(|result| {
        let (code, text) = match &result.status {
            AddStatus::Created(created) => {
                let first = created.failures.first()?;
                (first.code, &first.text)
            }
            AddStatus::Failed(failure) => (failure.code, &failure.text),
        };
        Some(format!("not added: {text} ({code})"))
    });
    failed.collect()
}

fn deleted(outcome: &DeleteOutcome) -> Vec<String> {
    let failed = outcome
        .results
        .iter()
        .filter_map(|result| match &result.status {
            DeleteStatus::Deleted(_) => None,
            DeleteStatus::Failed(failure) => Some(format!(
                "{} not deleted: {} ({})",
                result.requested, failure.text, failure.code
            )),
        });
    failed.collect()
}

fn written(outcome: &SetOutcome) -> Vec<String> {
    let failed = outcome
        .results
        .iter()
        .filter_map(|result| match &result.status {
            SetStatus::Updated(_) => None,
            SetStatus::Failed(failure) => Some(format!(
                "{} not mended: {} ({})",
                result.requested, failure.text, failure.code
            )),
        });
    failed.collect()
}

fn value<'r>(row: &'r ObjectValues, name: &str) -> Option<&'r str> {
    row.parameters.get(name).map(String::as_str)
}

fn path(row: &&ObjectValues) -> String {
    row.path.clone()
}

/// A reference to a row, with or without its last dot.
fn plain(path: &str) -> &str {
    path.trim_end_matches('.')
}

fn items(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).collect()
}

#[cfg(test)]
mod tests;

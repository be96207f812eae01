//! Subscriptions as their rows say. (TR-181 2.19, Device.LocalAgent.Subscription.{i}.)

use std::time::Duration;

use usphere_datamodel::types::list;
use usphere_datamodel::{ObjectId, Transaction};

use super::matter::Kind;
use super::reference::Reference;
use crate::objects::SUBSCRIPTIONS;

/// A Subscription that is enabled and makes sense.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The instance number of its row.
    pub(super) instance: u32,
    /// The instance number of the Controller that is told.
    pub(super) recipient: u32,
    /// What the Controller calls it.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) references: Vec<Reference>,
    pub(super) action: Action,
    /// Whether a Notify is sent again until it is answered.
    pub(super) retry: bool,
    /// After how long that ends; `None` for never.
    pub(super) expiration: Option<Duration>,
}

/// What is done when what it is about happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Action {
    /// Whether its recipient is told.
    pub(super) notify: bool,
    /// What is set, parameter paths with values.
    pub(super) settings: Vec<String>,
}

/// What the row of a Subscription says.
#[derive(Debug)]
pub(super) struct Row {
    /// `None` where it is disabled, or makes no sense.
    pub(super) subscription: Option<Subscription>,
    /// How long after its creation it goes; `None` for never.
    pub(super) time_to_live: Option<Duration>,
    /// When it was made, as the model writes it.
    pub(super) created: String,
}

/// The path of the row of a Subscription.
pub(super) fn path_of(instance: u32) -> String {
    format!("{SUBSCRIPTIONS}{instance}.")
}

/// The instance number of the Subscription whose row `path` is, or is in.
pub(super) fn instance_in(path: &str) -> Option<u32> {
    instance_of(path, SUBSCRIPTIONS)
}

/// The instance number behind `table` in `path`.
pub(super) fn instance_of(path: &str, table: &str) -> Option<u32> {
    let rest = path.strip_prefix(table)?;
    rest.split('.').next()?.parse().ok()
}

/// Reads the row of a Subscription.
pub(super) fn read(transaction: &mut Transaction<'_>, row: ObjectId) -> Row {
    let seconds = |text: &str| match text.parse() {
        Ok(0) | Err(_) => None,
        Ok(seconds) => Some(Duration::from_secs(seconds)),
    };
    Row {
        time_to_live: seconds(transaction.text(row, "TimeToLive")),
        created: transaction.text(row, "CreationDate").to_owned(),
        subscription: enabled(transaction, row, seconds),
    }
}

fn enabled(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    seconds: impl Fn(&str) -> Option<Duration>,
) -> Option<Subscription> {
    if transaction.text(row, "Enable") != "true" {
        return None;
    }
    let kind = Kind::parse(transaction.text(row, "NotifType"))?;
    let recipient = recipient(transaction, row)?;
    let references = references(transaction, row, kind);
    if references.is_empty() {
        return None;
    }
    let action = transaction.text(row, "TriggerAction").to_owned();
    let settings = list::items(transaction.text(row, "TriggerConfigSettings"));
    let settings = settings.map(|setting| setting.into_owned()).collect();
    Some(Subscription {
        instance: transaction.instance(row),
        recipient,
        id: transaction.text(row, "ID").to_owned(),
        kind,
        references,
        action: Action {
            notify: action != "Config",
            settings: if action == "Notify" {
                Vec::new()
            } else {
                settings
            },
        },
        retry: transaction.text(row, "NotifRetry") == "true",
        expiration: seconds(transaction.text(row, "NotifExpiration")),
    })
}

fn recipient(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<u32> {
    let recipient = transaction.text(row, "Recipient");
    instance_of(recipient, "Device.LocalAgent.Controller.")
}

/// The entries of the ReferenceList. One that was accepted and makes no sense by now covers nothing.
fn references(transaction: &mut Transaction<'_>, row: ObjectId, kind: Kind) -> Vec<Reference> {
    let view = transaction.view();
    list::items(transaction.text(row, "ReferenceList"))
        .filter_map(|text| Reference::compile(&text, kind, view).ok())
        .collect()
}

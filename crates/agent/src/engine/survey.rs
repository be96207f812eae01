//! What the engine needs to know of the data model: which Controllers there are, what they may do, how
//! they are reached, and where they may dial in.
//!
//! It is read in one plan whenever something of it has changed, so the engine follows what is durable
//! and never what may yet be taken back.

use std::sync::Arc;
use std::time::Duration;

use usphere_datamodel::model::Change;
use usphere_datamodel::types::{list, unix_micros};
use usphere_datamodel::{Access, ObjectId, SchemaView, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::Store;

use super::notify::Boarding;
use super::operations::Schedule;
use super::trust::store;
use crate::config::Target;
use crate::dialling::{Retry, Way};
use crate::event::ListenerId;
use crate::objects::WEBSOCKET;
use crate::roles;

const LOCAL_AGENT: &str = "Device.LocalAgent.";

/// What has changed since the last survey.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stale {
    /// Nothing.
    #[default]
    Nothing,
    /// How Controllers are reached, or reach the Agent.
    Ways,
    /// That, and perhaps what they may do.
    Rights,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) controllers: Vec<KnownController>,
    pub(crate) listeners: Vec<(ListenerId, Offer)>,
    /// The rights of Controllers whose identity is not known; `None` when they did not change.
    pub(crate) untrusted: Option<Arc<Access>>,
    /// What is trusted; `None` when it did not change.
    pub(crate) trust: Option<Store>,
}

/// A Controller that is enabled, not banned, and can be addressed.
#[derive(Debug)]
pub(crate) struct KnownController {
    pub(crate) instance: u32,
    pub(crate) path: String,
    pub(crate) id: EndpointId,
    /// `None` when it did not change.
    pub(crate) access: Option<Arc<Access>>,
    pub(crate) ways: Vec<Way>,
    /// How a Notify is sent again. (R-NOT.1)
    pub(crate) notif_retry: Retry,
    pub(crate) boarding: Boarding,
    pub(super) schedule: Schedule,
}

/// Where Controllers may dial in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Offer {
    pub(crate) target: Target,
    pub(crate) ping_interval: Duration,
}

/// How much the changes matter.
pub(crate) fn weigh(changes: &[Change], view: &SchemaView) -> Stale {
    let weigh = |change: &Change| match change {
        change if roles::concern(change, view) => Stale::Rights,
        change => weight(&view.node(change.node()).path).unwrap_or_default(),
    };
    changes.iter().map(weigh).max().unwrap_or_default()
}

/// How much a change of the node at `path` matters, if it does and is no matter of roles.
fn weight(path: &str) -> Option<Stale> {
    let rest = path.strip_prefix(LOCAL_AGENT)?;
    if rest.ends_with(".CurrentRetryCount") || rest.ends_with(".Status") {
        return None;
    }
    match rest {
        "Controller.{i}.Enable" | "Controller.{i}.EndpointID" => Some(Stale::Rights),
        "Controller.{i}.OnBoardingComplete"
        | "Controller.{i}.OnBoardingRestartTime"
        | "Controller.{i}.USPNotifRetryMinimumWaitInterval"
        | "Controller.{i}.USPNotifRetryIntervalMultiplier" => Some(Stale::Ways),
        "Controller.{i}.PeriodicNotifInterval" | "Controller.{i}.PeriodicNotifTime" => {
            Some(Stale::Ways)
        }
        _ if rest.starts_with("Controller.{i}.MTP.") || rest.starts_with("MTP.") => {
            Some(Stale::Ways)
        }
        _ => None,
    }
}

/// Reads it all; the rights only where `rights` asks for them.
pub(crate) fn survey(transaction: &mut Transaction<'_>, rights: bool) -> Survey {
    let mut found = Survey {
        controllers: Vec::new(),
        listeners: Vec::new(),
        untrusted: None,
        trust: None,
    };
    let Some(agent) = transaction.find(LOCAL_AGENT) else {
        return found;
    };
    let banned = banned_role(transaction, agent);
    for row in rows(transaction, agent, "Controller") {
        found
            .controllers
            .extend(controller(transaction, row, &banned, rights));
    }
    found.listeners = listeners(transaction, agent);
    if rights {
        found.untrusted = Some(Arc::new(roles::untrusted(transaction)));
        found.trust = Some(store::compile(transaction));
    }
    found
}

fn controller(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    banned: &str,
    rights: bool,
) -> Option<KnownController> {
    let is_banned = !banned.is_empty() && {
        let assigned = transaction.text(row, "AssignedRole");
        list::items(assigned).any(|role| role == banned)
    };
    if is_banned || transaction.text(row, "Enable") != "true" {
        return None;
    }
    let id = EndpointId::from_wire(transaction.text(row, "EndpointID")).ok()?;
    let path = transaction.path(row).to_owned();
    Some(KnownController {
        instance: transaction.instance(row),
        access: rights.then(|| Arc::new(roles::access_of(transaction, &path))),
        ways: ways(transaction, row),
        notif_retry: Retry {
            minimum_seconds: number(transaction, row, "USPNotifRetryMinimumWaitInterval"),
            multiplier: number(transaction, row, "USPNotifRetryIntervalMultiplier"),
        },
        boarding: Boarding {
            complete: transaction.text(row, "OnBoardingComplete") == "true",
            restart: Some(seconds(transaction, row, "OnBoardingRestartTime"))
                .filter(|restart| !restart.is_zero()),
        },
        schedule: Schedule {
            interval_seconds: number(transaction, row, "PeriodicNotifInterval"),
            reference: unix_micros(transaction.text(row, "PeriodicNotifTime")),
        },
        path,
        id,
    })
}

/// How the Controller of this row is reached.
pub(crate) fn ways(transaction: &mut Transaction<'_>, row: ObjectId) -> Vec<Way> {
    let ways = rows(transaction, row, "MTP").into_iter();
    ways.filter_map(|way| self::way(transaction, way)).collect()
}

/// Where Controllers may dial in.
pub(crate) fn listeners(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
) -> Vec<(ListenerId, Offer)> {
    let offers = rows(transaction, agent, "MTP").into_iter();
    offers
        .filter_map(|row| listener(transaction, row))
        .collect()
}

fn way(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<Way> {
    let socket = enabled_websocket(transaction, row)?;
    let target = Target {
        host: transaction.text(socket, "Host").to_owned(),
        ..place(transaction, socket)
    };
    if target.host.is_empty() {
        return None;
    }
    Some(Way {
        instance: transaction.instance(row),
        order: number(transaction, row, "Order"),
        target,
        ping_interval: seconds(transaction, socket, "KeepAliveInterval"),
        retry: Retry {
            minimum_seconds: number(transaction, socket, "SessionRetryMinimumWaitInterval"),
            multiplier: number(transaction, socket, "SessionRetryIntervalMultiplier"),
        },
    })
}

fn listener(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<(ListenerId, Offer)> {
    let socket = enabled_websocket(transaction, row)?;
    let offer = Offer {
        target: place(transaction, socket),
        ping_interval: seconds(transaction, socket, "KeepAliveInterval"),
    };
    Some((ListenerId(transaction.instance(row)), offer))
}

/// The WebSocket object of an MTP row of either table, where the row is enabled and speaks WebSocket.
fn enabled_websocket(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<ObjectId> {
    let enabled = transaction.text(row, "Enable") == "true";
    if !enabled || transaction.text(row, "Protocol") != WEBSOCKET {
        return None;
    }
    let node = transaction.member(row, "WebSocket")?;
    transaction.single(row, node)
}

fn place(transaction: &mut Transaction<'_>, socket: ObjectId) -> Target {
    Target {
        host: String::new(),
        port: number(transaction, socket, "Port") as u16,
        path: transaction.text(socket, "Path").to_owned(),
        encryption: transaction.text(socket, "EnableEncryption") == "true",
    }
}

fn banned_role(transaction: &mut Transaction<'_>, agent: ObjectId) -> String {
    let trust = transaction
        .member(agent, "ControllerTrust")
        .and_then(|node| transaction.single(agent, node));
    trust
        .map(|trust| transaction.text(trust, "BannedRole").to_owned())
        .unwrap_or_default()
}

/// The rows of a table, in the order of their numbers.
pub(crate) fn rows(
    transaction: &mut Transaction<'_>,
    parent: ObjectId,
    table: &str,
) -> Vec<ObjectId> {
    let table = transaction.member(parent, table);
    table
        .and_then(|table| transaction.rows(parent, table).ok())
        .unwrap_or_default()
}

fn number(transaction: &mut Transaction<'_>, object: ObjectId, name: &str) -> u32 {
    transaction.text(object, name).parse().unwrap_or_default()
}

fn seconds(transaction: &mut Transaction<'_>, object: ObjectId, name: &str) -> Duration {
    Duration::from_secs(number(transaction, object, name).into())
}

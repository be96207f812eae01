//! What each Controller hears of what the others do: all subscribe to everything, and only what the Role
//! lets through arrives.

use std::collections::BTreeSet;

use tokio::time::timeout;
use usphere_datamodel::operation::{Notification, ParameterAccess};
use usphere_runtime::controller_host::Notifications;

use crate::common::PATIENCE;
use crate::oracle::{Guest, Kind};
use crate::stage::{Controller, Stage};
use crate::{END_USER, Facts, VENDOR, add, delete, object_of, set};

const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";

/// Tables to which the operator adds a row that it deletes again.
const TABLES: [&str; 3] = [
    "Device.LocalAgent.ControllerTrust.Role.",
    "Device.LocalAgent.Controller.",
    SUBSCRIPTIONS,
];

/// Somebody who listens.
struct Listener<'a> {
    controller: &'a Controller,
    notifications: Notifications,
    /// What says that all before it has been heard: a parameter of its own Subscription.
    last: String,
    /// How often it has set that.
    times: u32,
}

/// Proves: R-SEC.1, R-NOT.0
#[tokio::test(flavor = "multi_thread")]
async fn each_hears_of_others_what_its_role_lets_through() {
    let stage = Stage::set(&[VENDOR, END_USER]).await;
    let facts = Facts::gather(&stage.operator).await;
    let mut listeners = Vec::new();
    for (guest, controller) in &stage.guests {
        listeners.push((*guest, Listener::subscribe(controller).await));
    }
    for (_, listener) in &mut listeners {
        // Of the Subscriptions that were made meanwhile.
        listener.hear().await;
    }
    let happened = stir(&stage.operator, &facts).await;
    assert!(happened.len() > 6, "{happened:?}");
    for (guest, listener) in &mut listeners {
        let heard = listener.hear().await;
        let expected = happened.iter().filter(|what| may_hear(guest, what));
        let expected: BTreeSet<Happening> = expected.cloned().collect();
        assert!(!expected.is_empty(), "{} hears something", guest.role);
        assert_eq!(heard, expected, "{}", guest.role);
    }
    stage.end().await;
}

/// One thing that was done.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happening {
    Added(String),
    Deleted(String),
    Set(String),
}

/// Every parameter that can be set to something else, and a row for each of some tables.
async fn stir(operator: &Controller, facts: &Facts) -> BTreeSet<Happening> {
    let mut happened = BTreeSet::new();
    for (path, value) in facts.lasting() {
        let harmless = !path.starts_with("Device.LocalAgent.");
        if facts.access(path) != ParameterAccess::ReadWrite || !harmless {
            continue;
        }
        for other in ["true", "false", "other", "17", "2"] {
            if other != value && operator.sets(&set(path, other)).await {
                happened.insert(Happening::Set(path.clone()));
                break;
            }
        }
    }
    for table in TABLES {
        let row = add(operator, table).await.unwrap();
        delete(operator, &row).await.unwrap();
        happened.extend([Happening::Added(row.clone()), Happening::Deleted(row)]);
    }
    happened
}

fn may_hear(guest: &Guest, what: &Happening) -> bool {
    match what {
        Happening::Added(row) => {
            let table = row.trim_end_matches('.').rfind('.').map(|end| &row[..=end]);
            guest.may('n', Kind::Object, table.unwrap_or(row))
        }
        Happening::Deleted(row) => guest.may('n', Kind::Instance, row),
        Happening::Set(path) => guest.may('n', Kind::Parameter, path),
    }
}

impl<'a> Listener<'a> {
    /// Subscribes to all changes, additions and deletions that there can be.
    async fn subscribe(controller: &'a Controller) -> Self {
        let everything =
            "Device.DeviceInfo.,Device.Time.,Device.Hosts.,Device.DNS.,Device.LocalAgent.";
        let tables = TABLES.join(",");
        let mut last = String::new();
        for (kind, paths) in [
            ("ObjectCreation", &*tables),
            ("ObjectDeletion", &*tables),
            ("ValueChange", everything),
        ] {
            let row = controller
                .add(
                    SUBSCRIPTIONS,
                    &[
                        ("ID", kind),
                        ("NotifType", kind),
                        ("ReferenceList", paths),
                        ("Enable", "true"),
                    ],
                )
                .await;
            last = format!("{row}NotifExpiration");
        }
        Self {
            controller,
            notifications: controller.notifications(),
            last,
            times: 0,
        }
    }

    /// Everything up to now, the Subscriptions' own parameters left out.
    async fn hear(&mut self) -> BTreeSet<Happening> {
        self.times += 1;
        let request = set(&self.last, &self.times.to_string());
        assert!(self.controller.sets(&request).await);
        let mut heard = BTreeSet::new();
        loop {
            let delivery = timeout(PATIENCE, self.notifications.next()).await;
            let delivery = delivery.expect("it hears of its own change").unwrap();
            let notification = delivery.notified.notification.clone();
            delivery.taken();
            match notification {
                Notification::ValueChange { path, .. } if path == self.last => return heard,
                Notification::ValueChange { path, .. }
                    if object_of(&path).starts_with(SUBSCRIPTIONS) => {}
                Notification::ValueChange { path, .. } => {
                    heard.insert(Happening::Set(path));
                }
                Notification::ObjectCreation { path, .. } => {
                    heard.insert(Happening::Added(path));
                }
                Notification::ObjectDeletion { path } => {
                    heard.insert(Happening::Deleted(path));
                }
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }
}

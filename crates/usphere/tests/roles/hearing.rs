//! What each Controller hears of what the others do: all subscribe to everything, at once and thing by thing,
//! and only what the Role lets through arrives.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::timeout;
use usphere_datamodel::operation::{
    CommandKind, Notification, Operate, OperateStatus, Operation, Outcome, ParameterAccess,
    SupportedCommand,
};

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

/// Each Controller is told this in its own time.
const PERIODIC: &str = "Device.LocalAgent.Periodic!";

/// What the Agent tells when it has started anew.
const BOOT: &str = "Device.Boot!";

/// What asynchronous commands are given so that they begin, and end soon.
const ARGUMENTS: [(&str, &str); 7] = [
    ("DataBlockSize", "32"),
    ("DelaySeconds", "1"),
    ("Host", "127.0.0.1"),
    ("HostName", "localhost"),
    ("NumberOfRepetitions", "1"),
    ("ProtocolVersion", "IPv4"),
    ("Timeout", "200"),
];

/// How often each Controller is told that.
const INTERVAL: &str = "PeriodicNotifInterval";

/// Seconds between two of them, while they are waited for and afterwards.
const OFTEN: u32 = 1;
const SELDOM: u32 = 86_400;

/// Values that tell one change from another.
static MARKS: AtomicU32 = AtomicU32::new(1);

/// Changes, rows that come and go, the ends of asynchronous commands and events, Boot! among them.
///
/// Proves: R-SEC.1, R-NOT.0
#[tokio::test(flavor = "multi_thread")]
async fn each_hears_of_others_what_its_role_lets_through() {
    let mut stage = Stage::set(&[VENDOR, END_USER]).await;
    let facts = Facts::gather(&stage.operator).await;
    let asked = subscriptions(&facts);
    // The operator hears every end and every event, and so knows when all have happened.
    let ends: Vec<Subscription> = asked
        .iter()
        .filter(|each| each.is_of_ends())
        .cloned()
        .collect();
    let mut last = vec![subscribe(&stage.operator, &ends).await];
    for (_, controller) in &stage.guests {
        last.push(subscribe(controller, &asked).await);
    }
    let mut listeners = Listeners::of(&stage, &last);
    // Of the Subscriptions that were made meanwhile.
    listeners.all_hear().await;
    let happened = stir(&stage, &facts).await;
    listeners.compare(&ends, &asked, &happened).await;

    drop(listeners);
    stage.set_for_everybody(INTERVAL, SELDOM).await;
    stage.reboot().await;
    let happened = BTreeSet::from([Happening::Event(BOOT.to_owned())]);
    Listeners::of(&stage, &last)
        .compare(&ends, &asked, &happened)
        .await;
    stage.end().await;
}

/// What somebody wants to hear of.
#[derive(Clone, Debug)]
struct Subscription {
    id: String,
    kind: &'static str,
    paths: Vec<String>,
}

/// One thing that was done or happened.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happening {
    Added(String),
    Completed(String),
    Deleted(String),
    Event(String),
    Set(String),
}

/// What was heard, by the ID of the Subscription.
type Heard = BTreeSet<(String, Happening)>;

/// Everything of each kind; and, where there are few, each thing by itself. What a Role holds back may be
/// asked for all the same.
fn subscriptions(facts: &Facts) -> Vec<Subscription> {
    let subscription = |id: &str, kind, paths: &[&str]| Subscription {
        id: id.to_owned(),
        kind,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    };
    let parts = [
        "Device.DeviceInfo.",
        "Device.Time.",
        "Device.Hosts.",
        "Device.DNS.",
        "Device.LocalAgent.",
    ];
    let mut all = vec![
        subscription("ObjectCreation", "ObjectCreation", &TABLES),
        subscription("ObjectDeletion", "ObjectDeletion", &TABLES),
        subscription("ValueChange", "ValueChange", &parts),
        subscription("OperationComplete", "OperationComplete", &["Device."]),
        subscription("Event", "Event", &["Device."]),
    ];
    for (path, _) in long_commands(facts) {
        all.push(subscription(&path, "OperationComplete", &[&path]));
    }
    for path in events(facts) {
        all.push(subscription(&path, "Event", &[&path]));
    }
    all
}

/// Every asynchronous command, on one object that has it.
fn long_commands(facts: &Facts) -> Vec<(String, &SupportedCommand)> {
    let mut found = Vec::new();
    for object in &facts.model {
        let long = object.commands.iter();
        for command in long.filter(|command| command.kind == CommandKind::Asynchronous) {
            if let Some(instance) = facts.instance_of(object) {
                found.push((format!("{instance}{}", command.name), command));
            }
        }
    }
    found
}

fn events(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for object in &facts.model {
        for event in &object.events {
            if let Some(instance) = facts.instance_of(object) {
                found.push(format!("{instance}{}", event.name));
            }
        }
    }
    found
}

/// Subscribes, in a way that outlives a restart of the Agent, and gives the last row.
async fn subscribe(controller: &Controller, all: &[Subscription]) -> String {
    let mut last = String::new();
    for subscription in all {
        let paths = subscription.paths.join(",");
        let values = [
            ("ID", &*subscription.id),
            ("NotifType", subscription.kind),
            ("ReferenceList", &*paths),
            ("Persistent", "true"),
            ("Enable", "true"),
        ];
        last = controller.add(SUBSCRIPTIONS, &values).await;
    }
    last
}

/// Every parameter that can be set to something else, a row for each of some tables, every asynchronous
/// command and a periodic event for everybody.
async fn stir(stage: &Stage, facts: &Facts) -> BTreeSet<Happening> {
    let operator = &stage.operator;
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
    for (path, command) in long_commands(facts) {
        start(operator, &path, command).await;
        happened.insert(Happening::Completed(path));
    }
    for path in stage.set_for_everybody(INTERVAL, OFTEN).await {
        happened.insert(Happening::Set(path));
    }
    happened.insert(Happening::Event(PERIODIC.to_owned()));
    happened
}

/// Begins an asynchronous command.
async fn start(operator: &Controller, path: &str, command: &SupportedCommand) {
    let fitting = ARGUMENTS
        .iter()
        .filter(|(name, _)| command.inputs.iter().any(|input| input == name));
    let mut operate = Operate::new(path);
    operate.arguments = fitting
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let outcome = operator.ask(Operation::Operate(operate)).await;
    let Ok(Outcome::Operate(outcome)) = outcome else {
        panic!("{path}: {outcome:?}");
    };
    let status = &outcome.results[0].status;
    assert!(
        matches!(status, OperateStatus::Started(_)),
        "{path}: {status:?}"
    );
}

/// What whoever has subscribed like this hears of what happened, if it may hear of it.
fn told(
    asked: &[Subscription],
    happened: &BTreeSet<Happening>,
    may_hear: impl Fn(&Happening) -> bool,
) -> Heard {
    let mut told = Heard::new();
    for what in happened.iter().filter(|what| may_hear(what)) {
        let about = asked.iter().filter(|each| each.is_about(what));
        told.extend(about.map(|each| (each.id.clone(), what.clone())));
    }
    told
}

fn may_hear(guest: &Guest, what: &Happening) -> bool {
    match what {
        Happening::Added(row) => {
            let table = row.trim_end_matches('.').rfind('.').map(|end| &row[..=end]);
            guest.may('n', Kind::Object, table.unwrap_or(row))
        }
        Happening::Deleted(row) => guest.may('n', Kind::Instance, row),
        Happening::Completed(path) | Happening::Event(path) => {
            guest.may('n', Kind::CommandOrEvent, path)
        }
        Happening::Set(path) => guest.may('n', Kind::Parameter, path),
    }
}

impl Happening {
    /// Whether it is told by the right to commands and events.
    fn is_end(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Event(_))
    }

    fn is_change(&self) -> bool {
        !self.is_end()
    }
}

impl Subscription {
    fn is_of_ends(&self) -> bool {
        matches!(self.kind, "Event" | "OperationComplete")
    }

    fn is_about(&self, what: &Happening) -> bool {
        let (kind, at) = match what {
            Happening::Added(path) => ("ObjectCreation", path),
            Happening::Completed(path) => ("OperationComplete", path),
            Happening::Deleted(path) => ("ObjectDeletion", path),
            Happening::Event(path) => ("Event", path),
            Happening::Set(path) => ("ValueChange", path),
        };
        let mut paths = self.paths.iter();
        let covers = |path: &String| path == at || path.ends_with('.') && at.starts_with(path);
        self.kind == kind && paths.any(covers)
    }
}

/// Everybody who listens.
struct Listeners<'a> {
    operator: Listener<'a>,
    guests: Vec<(&'static Guest, Listener<'a>)>,
}

/// Somebody who listens.
struct Listener<'a> {
    controller: &'a Controller,
    /// What says that all before it has been heard: a parameter of its own Subscription.
    last: String,
}

impl<'a> Listeners<'a> {
    /// By the last of the operator's Subscriptions, and of each guest's.
    fn of(stage: &'a Stage, subscriptions: &[String]) -> Self {
        let everybody = stage.everybody().zip(subscriptions);
        let mut listeners = everybody.map(|(controller, last)| Listener::of(controller, last));
        let operator = listeners.next().expect("the operator is the first");
        let guests = stage.guests.iter().map(|(guest, _)| *guest);
        Self {
            operator,
            guests: guests.zip(listeners).collect(),
        }
    }

    async fn all_hear(&mut self) {
        for (_, listener) in &mut self.guests {
            listener.hear().await;
        }
    }

    /// All have heard of what happened, the guests what their Roles let through, and something was held back.
    async fn compare(
        &mut self,
        ends: &[Subscription],
        asked: &[Subscription],
        happened: &BTreeSet<Happening>,
    ) {
        let ended = told(ends, happened, |_| true);
        assert_eq!(self.operator.hear_all(&ended).await, ended);
        for what in [Happening::is_end, Happening::is_change] {
            let happened: Vec<&Happening> = happened.iter().filter(|each| what(each)).collect();
            let may = |guest: &Guest| happened.iter().filter(|each| may_hear(guest, each)).count();
            let may: Vec<usize> = self.guests.iter().map(|(guest, _)| may(guest)).collect();
            let all = happened.len();
            let is_telling =
                all == 0 || may.iter().any(|few| *few > 0) && may.iter().any(|few| *few < all);
            assert!(is_telling, "{may:?} of {happened:?}");
        }
        for (guest, listener) in &mut self.guests {
            let expected = told(asked, happened, |what| may_hear(guest, what));
            assert_eq!(listener.hear().await, expected, "{}", guest.role);
        }
    }
}

impl<'a> Listener<'a> {
    fn of(controller: &'a Controller, subscription: &str) -> Self {
        Self {
            controller,
            last: format!("{subscription}NotifExpiration"),
        }
    }

    /// Everything up to now, the Subscriptions' own parameters left out.
    async fn hear(&mut self) -> Heard {
        let mark = MARKS.fetch_add(1, Ordering::Relaxed).to_string();
        assert!(self.controller.sets(&set(&self.last, &mark)).await);
        let mut heard = Heard::new();
        loop {
            let news = timeout(PATIENCE, self.next()).await;
            match news.expect("it hears of its own change") {
                (_, Happening::Set(path)) if path == self.last => return heard,
                (_, Happening::Set(path)) if object_of(&path).starts_with(SUBSCRIPTIONS) => {}
                news => {
                    heard.insert(news);
                }
            }
        }
    }

    /// Listens until it has heard all of this.
    async fn hear_all(&mut self, all: &Heard) -> Heard {
        let mut heard = Heard::new();
        while !heard.is_superset(all) {
            let news = timeout(PATIENCE, self.next()).await;
            let missing = || all.difference(&heard).collect::<Vec<_>>();
            let news = news.unwrap_or_else(|_| panic!("not heard: {:?}", missing()));
            heard.insert(news);
        }
        heard
    }

    async fn next(&mut self) -> (String, Happening) {
        let notified = self.controller.notified().await;
        let what = match notified.notification {
            Notification::Event { path, event, .. } => Happening::Event(path + &event),
            Notification::ObjectCreation { path, .. } => Happening::Added(path),
            Notification::ObjectDeletion { path } => Happening::Deleted(path),
            Notification::OperationComplete { path, command, .. } => {
                Happening::Completed(path + &command)
            }
            Notification::ValueChange { path, .. } => Happening::Set(path),
            Notification::OnBoardRequest { .. } => panic!("everybody has it on board"),
        };
        (notified.subscription, what)
    }
}

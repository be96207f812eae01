//! Subscriptions that live as long as a command does.
//!
//! They are not persistent and have a TimeToLive, which is moved on while the command lives: what is killed
//! without a chance to clean up leaves nothing behind for long.

use std::time::Duration;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::time::Instant;
use usphere_datamodel::operation::{
    Add, AddStatus, Delete, DeleteStatus, Failure, Get, GetStatus, NotificationKind, Notified,
    ObjectSettings, Operation, OperationError, Outcome, Refusal, Set, Setting,
};

use crate::transport::{AskError, Transport};

const TABLE: &str = "Device.LocalAgent.Subscription.";

/// Random characters that tell our Subscriptions from those of others.
const RANDOM_LENGTH: usize = 8;

/// What the device was asked to tell us.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    wanted: Vec<Wanted>,
    lease: Duration,
    /// When they were made, if they were.
    made: Option<Instant>,
    /// When they have to be moved on.
    due: Instant,
}

#[derive(Debug)]
struct Wanted {
    id: String,
    kind: NotificationKind,
    paths: Vec<String>,
}

impl Subscriptions {
    /// One for each kind, on all paths. The device forgets them when it hears nothing more for `lease`.
    pub(crate) fn new(kinds: &[NotificationKind], paths: &[String], lease: Duration) -> Self {
        let random: String = rand::rng()
            .sample_iter(Alphanumeric)
            .take(RANDOM_LENGTH)
            .map(char::from)
            .collect();
        let wanted = kinds.iter().map(|kind| Wanted {
            id: format!("usphere-{random}-{kind}"),
            kind: *kind,
            paths: paths.to_vec(),
        });
        Self {
            wanted: wanted.collect(),
            lease,
            made: None,
            due: Instant::now() + lease / 2,
        }
    }

    /// Whether one of them brought this.
    pub(crate) fn brought(&self, notified: &Notified) -> bool {
        let mut ours = self.wanted.iter();
        ours.any(|wanted| wanted.id == notified.subscription)
    }

    /// Whether the device may have them.
    pub(crate) fn are_made(&self) -> bool {
        self.made.is_some()
    }

    /// When they have to be moved on.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Makes them on the device: all, or none.
    pub(crate) async fn make(&mut self, transport: &mut Transport) -> Result<(), AskError> {
        // From here on the device may have them, whatever is heard of it.
        let now = Instant::now();
        self.made = Some(now);
        self.due = now + self.lease / 2;
        let added = self.add(transport, |_| true).await;
        if matches!(added, Err(AskError::Operation(OperationError::Refused(_)))) {
            self.made = None;
        }
        added
    }

    /// Makes those anew that the device has forgotten, and gives all another lease.
    pub(crate) async fn renew(&mut self, transport: &mut Transport) -> Result<(), AskError> {
        self.due = Instant::now() + self.lease / 2;
        let paths = self.wanted.iter().map(|wanted| wanted.row() + "ID");
        let outcome = transport
            .execute(Operation::Get(Get::all(paths.collect::<Vec<_>>())))
            .await?;
        let Outcome::Get(outcome) = outcome else {
            return Ok(());
        };
        let is_there = |wanted: &Wanted| {
            let path = wanted.row() + "ID";
            outcome.results.iter().any(|result| {
                let found = matches!(&result.status, GetStatus::Found(rows) if !rows.is_empty());
                result.requested == path && found
            })
        };
        let missing: Vec<bool> = self.wanted.iter().map(|wanted| !is_there(wanted)).collect();
        if missing.contains(&true) {
            let mut missing = missing.into_iter();
            self.add(transport, |_| missing.next().unwrap_or_default())
                .await?;
        }
        self.extend(transport).await
    }

    /// Takes them away again, as far as they are there.
    pub(crate) async fn remove(&mut self, transport: &mut Transport) -> Result<(), AskError> {
        let paths = self.wanted.iter().map(Wanted::row);
        let delete = Operation::Delete(Delete {
            paths: paths.collect(),
            allow_partial: true,
        });
        if let Outcome::Delete(outcome) = transport.execute(delete).await? {
            for result in outcome.results {
                if let DeleteStatus::Failed(failure) = result.status {
                    return Err(refused(failure));
                }
            }
        }
        self.made = None;
        Ok(())
    }

    async fn add(
        &self,
        transport: &mut Transport,
        mut which: impl FnMut(&Wanted) -> bool,
    ) -> Result<(), AskError> {
        let objects = self.wanted.iter().filter(|wanted| which(wanted));
        let add = Operation::Add(Add {
            objects: objects.map(|wanted| wanted.settings(self.lease)).collect(),
            allow_partial: false,
        });
        if let Outcome::Add(outcome) = transport.execute(add).await? {
            for result in outcome.results {
                if let AddStatus::Failed(failure) = result.status {
                    return Err(refused(failure));
                }
            }
        }
        Ok(())
    }

    /// TimeToLive counts from the creation on, so it has to grow.
    async fn extend(&mut self, transport: &mut Transport) -> Result<(), AskError> {
        let age = self.made.map(|made| made.elapsed()).unwrap_or_default();
        let seconds = (age + self.lease).as_secs();
        let objects = self.wanted.iter().map(|wanted| ObjectSettings {
            path: wanted.row(),
            parameters: vec![Setting::required("TimeToLive", seconds.to_string())],
        });
        let set = Operation::Set(Set {
            objects: objects.collect(),
            allow_partial: true,
        });
        transport.execute(set).await.map(drop)
    }
}

impl Wanted {
    /// The row, by its ID: the instance number may be another after a restart of the device.
    fn row(&self) -> String {
        format!("{TABLE}[ID==\"{}\"].", self.id)
    }

    fn settings(&self, lease: Duration) -> ObjectSettings {
        let seconds = lease.as_secs().to_string();
        let parameters = [
            ("Enable", "true"),
            ("ID", &self.id),
            ("NotifType", self.kind.as_str()),
            ("ReferenceList", &references(&self.paths)),
            ("Persistent", "false"),
            ("TimeToLive", &seconds),
            ("NotifRetry", "true"),
        ];
        ObjectSettings {
            path: TABLE.to_owned(),
            parameters: parameters
                .map(|(name, value)| Setting::required(name, value))
                .into(),
        }
    }
}

/// A list as TR-106 writes it: a comma in an item is escaped.
fn references(paths: &[String]) -> String {
    let item = |path: &String| match path.contains(',') {
        true => path.replace('%', "%25").replace(',', "%2C"),
        false => path.clone(),
    };
    paths.iter().map(item).collect::<Vec<_>>().join(",")
}

fn refused(failure: Failure) -> AskError {
    AskError::Operation(OperationError::Refused(Refusal {
        code: failure.code,
        text: failure.text,
        parameters: Vec::new(),
    }))
}

//! What somebody else owns: what owners are asked, what they said, and what a plan remembers of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::PlanId;
use crate::fault::{Fault, FaultKind};
use crate::moment::Moment;
use crate::schema::{SchemaView, UnitId};

/// Names a question to an owner until it is answered or its deadline has passed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// What an owner says of a unit: every object of it that there is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// The objects, parents before their children.
    pub objects: Vec<SnapshotObject>,
}

/// One object of a snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotObject {
    /// The supported path, `Device.DeviceInfo.ProcessStatus.Process.{i}.`
    pub path: Cow<'static, str>,
    /// The owner's name for each row on the way, one for each `{i}`.
    pub keys: Vec<String>,
    /// Parameter names and canonical values. What is left out has its default.
    pub values: Vec<(Cow<'static, str>, String)>,
}

/// Why an owner could not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct OwnerError {
    /// The class of the failure, where it is one that the asker can do something about.
    pub kind: FaultKind,
    /// What happened, for people.
    pub text: String,
}

impl OwnerError {
    /// The owner tried and failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::OwnerFailed,
            text: text.into(),
        }
    }

    /// The owner did not answer before its deadline.
    pub fn silent(owner: &str) -> Self {
        Self {
            kind: FaultKind::OwnerSilent,
            text: format!("{owner} did not answer in time"),
        }
    }

    pub(super) fn at(&self, path: &str) -> Fault {
        Fault::new(self.kind, path, self.text.clone())
    }
}

/// A change that an owner is asked to check, to apply or to undo.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum OwnedChange {
    /// Add a row to the table at this path; its values follow as changes of their own. In snapshots the
    /// owner names the row by its instance number.
    Add {
        /// `Device.Bridging.Bridge.`
        table: String,
        /// The instance number that it has.
        instance: u32,
    },
    /// Delete the row at this path.
    Delete {
        /// `Device.Bridging.Bridge.1.`
        path: String,
    },
    /// Give a parameter another value.
    Set {
        /// The parameter's path.
        path: String,
        /// The value it gets.
        value: String,
        /// The value it had, which undoing gives it again.
        previous: String,
    },
}

impl OwnedChange {
    /// The path that it changes.
    pub fn path(&self) -> &str {
        match self {
            Self::Add { table, .. } => table,
            Self::Delete { path } | Self::Set { path, .. } => path,
        }
    }
}

/// What is done with changes. A request that spans several owners is checked with all of them before
/// it is applied to any, and undone on those applied when one fails.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Make them real.
    Apply,
    /// Say whether they could be.
    Check,
    /// Take them back; the last resort, so its failure is only noted.
    Undo,
}

/// Output arguments of a command.
pub type Outputs = BTreeMap<String, String>;

/// What a plan learnt from owners; it survives from one run of the plan to the next.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Units that were fetched for this plan, and how that went.
    pub(super) units: BTreeMap<UnitId, Result<(), OwnerError>>,
    pub(super) checked: BTreeMap<OwnedChange, Result<(), OwnerError>>,
    pub(super) applied: BTreeMap<OwnedChange, Result<(), OwnerError>>,
    /// What was applied, or may have been, in the order in which it was.
    pub(super) done: Vec<OwnedChange>,
    pub(super) operated: BTreeMap<Invocation, Result<Outputs, OwnerError>>,
    /// Set when writing is out of the question: why.
    pub(super) refusal: Option<(FaultKind, String)>,
    pub(super) rounds: u32,
    /// Set when what owners said last will do, however old it is.
    pub(super) as_known: bool,
}

/// A command to run.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Invocation {
    pub(super) owner: String,
    pub(super) command: String,
    pub(super) arguments: BTreeMap<String, String>,
}

/// What a run of a plan found missing.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) units: Vec<UnitId>,
    pub(super) operations: Vec<Invocation>,
    /// Not missing: units that were fresh, and count as such until the plan is through.
    pub(super) fresh: Vec<UnitId>,
}

impl Needs {
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty() && self.operations.is_empty()
    }
}

/// How fresh each unit is.
#[derive(Debug, Default)]
pub(super) struct Units {
    states: BTreeMap<UnitId, UnitState>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnitState {
    pub(super) fetched: Option<Moment>,
    pub(super) in_flight: Option<Ticket>,
    /// How often in a row it could not be got.
    pub(super) failures: u32,
    /// The last question that changes something of it: what was asked for before may not show it.
    pub(super) changed: Option<Ticket>,
    /// The last question that there was when the owner said that the unit has changed.
    pub(super) disturbed: Option<Ticket>,
    /// Whether there was a snapshot since the start, so that what differs from it is news.
    pub(super) known: bool,
}

impl UnitState {
    /// Whether a request changed the unit after the question `ticket` went out.
    pub(super) fn is_overtaken(&self, ticket: Ticket) -> bool {
        self.changed.is_some_and(|change| change > ticket)
    }

    /// Whether the unit may be another since the question `ticket` went out.
    pub(super) fn is_outdated(&self, ticket: Ticket) -> bool {
        self.is_overtaken(ticket) || self.disturbed.is_some_and(|last| last >= ticket)
    }
}

/// A question for a unit.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) unit: UnitId,
    /// Plans that came when the answer was outdated already: they need another one.
    pub(super) late: Vec<PlanId>,
    /// Whether another answer is wanted though no plan waits for it.
    pub(super) again: bool,
    /// How often its answer was overtaken and asked for anew.
    pub(super) overtaken: u32,
}

impl Units {
    /// Forgets what is known of a mounted part.
    pub(super) fn forget_part(&mut self, part: usize) {
        self.states.retain(|unit, _| unit.part() != part);
    }

    pub(super) fn state(&self, unit: UnitId) -> UnitState {
        self.states.get(&unit).copied().unwrap_or_default()
    }

    pub(super) fn state_mut(&mut self, unit: UnitId) -> &mut UnitState {
        self.states.entry(unit).or_default()
    }

    /// Whether what is known of the unit may answer a request at `now`.
    pub(super) fn is_fresh(&self, view: &SchemaView, unit: UnitId, now: Moment) -> bool {
        let Some(fetched) = self.state(unit).fetched else {
            return false;
        };
        view.unit(unit)
            .is_some_and(|spec| now.since(fetched) <= spec.max_age)
    }
}

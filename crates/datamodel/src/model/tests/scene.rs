//! A small home: a tree that the model owns, a sensor and a bridge that somebody else owns.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::declare::{
    BOOLEAN, INT, Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, command, object, one_of,
    parameter, strong_reference, weak_reference,
};
use crate::model::{
    Change, Gather, Model, ModelInput, ModelOutput, OwnedChange, OwnerError, Phase, PlanId,
    Setting, Sight, Snapshot, SnapshotObject, Ticket, Transaction,
};
use crate::schema::UnitId;
use crate::{Access, Entry, Fault, FaultKind, Moment, Schema, SchemaView};

const SENSOR: Unit = Unit {
    name: "sensor",
    owner: "host",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Kept,
    announced: false,
    poll: Duration::from_secs(10),
};

const BRIDGE: Unit = Unit {
    name: "bridge",
    owner: "switch",
    ..SENSOR
};

const ROOM: Object = object("Device.Room.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Floor", "Name"]])
    .parameters(&[
        parameter("Alias", STRING.max(64)).write_once().assigned(),
        parameter("Name", STRING.max(20)).writable(),
        parameter("Floor", INT).writable(),
        parameter("Kind", one_of(&["Living", "Sleeping"]))
            .writable()
            .default("Living"),
        parameter("Next", strong_reference("Device.Room.{i}.")).writable(),
        parameter("Doors", strong_reference("Device.Room.{i}.").list()).writable(),
        parameter("Probes", strong_reference("Device.Sensor.{i}.").list()).writable(),
        parameter("Hint", weak_reference("Device.Room.{i}.")).writable(),
        parameter("Size", UNSIGNED_INT),
        parameter("LampNumberOfEntries", UNSIGNED_INT).counts("Lamp"),
    ]);

const LAMP: Object = object("Device.Room.{i}.Lamp.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[
        parameter("On", BOOLEAN).writable(),
        parameter("Mood", STRING).writable().volatile(),
    ]);

const SENSORS: Object = object("Device.Sensor.{i}.").live(&SENSOR).parameters(&[
    parameter("Name", STRING),
    parameter("Degrees", INT),
    parameter("Target", INT).writable(),
]);

const BRIDGES: Object = object("Device.Bridge.")
    .live(&BRIDGE)
    .parameters(&[parameter("Speed", UNSIGNED_INT).writable()])
    .commands(&[command("Ping()").by("switch").output(&["Time"])]);

const DEVICE: Object = object("Device.").parameters(&[
    parameter("NightLight", strong_reference("Device.Room.{i}.Lamp.{i}.")).writable(),
    parameter("RoomNumberOfEntries", UNSIGNED_INT).counts("Room"),
    parameter("SensorNumberOfEntries", UNSIGNED_INT).counts("Sensor"),
]);

pub(super) fn view() -> SchemaView {
    SchemaView::new(Schema::build(&[&DEVICE, &ROOM, &LAMP, &SENSORS, &BRIDGES]).unwrap())
}

/// What a plan of the tests answers.
pub(super) type Answer = Result<Vec<String>, Fault>;

/// A model with a clock of its own.
pub(super) struct Scene {
    pub(super) model: Model<Answer>,
    pub(super) now: Moment,
    pub(super) store: BTreeMap<String, String>,
    pub(super) asked: Vec<Asked>,
    pub(super) commits: Vec<(u64, Vec<Entry>)>,
    pub(super) done: Vec<(PlanId, Answer, Vec<Change>)>,
    pub(super) changed: Vec<Vec<Change>>,
    pub(super) troubles: Vec<String>,
}

/// A question to an owner.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    Apply(Ticket, String, Phase, Vec<OwnedChange>),
    Fetch(Ticket, String),
    Operate(Ticket, String),
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::from_store(BTreeMap::new())
    }

    pub(super) fn from_store(store: BTreeMap<String, String>) -> Self {
        let entries = store
            .iter()
            .map(|(key, value)| Entry::put(key, value))
            .collect();
        let (model, problems) = Model::new(view(), entries);
        assert_eq!(problems, []);
        Self {
            model,
            now: Moment::ORIGIN,
            store,
            asked: Vec::new(),
            commits: Vec::new(),
            done: Vec::new(),
            changed: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// The same device after a power cut.
    pub(super) fn restarted(self) -> Self {
        Self::from_store(self.store)
    }

    pub(super) fn submit(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static,
    ) -> PlanId {
        let id = self.model.submit(Box::new(work), self.now);
        self.drain();
        id
    }

    /// Submits, commits at once and returns the answer.
    pub(super) fn run(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static,
    ) -> Answer {
        let id = self.submit(work);
        self.commit();
        self.answer(id).expect("the plan waits for somebody")
    }

    pub(super) fn answer(&mut self, id: PlanId) -> Option<Answer> {
        let at = self.done.iter().position(|(plan, ..)| *plan == id)?;
        Some(self.done.remove(at).1)
    }

    pub(super) fn tell(&mut self, input: ModelInput) {
        self.model.handle(input, self.now);
        self.drain();
    }

    pub(super) fn commit(&mut self) {
        for (sequence, entries) in std::mem::take(&mut self.commits) {
            for entry in entries {
                match entry.value {
                    Some(value) => self.store.insert(entry.key, value),
                    None => self.store.remove(&entry.key),
                };
            }
            self.tell(ModelInput::Committed { sequence });
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.tell(ModelInput::Tick);
    }

    /// Answers the oldest open question about a unit.
    pub(super) fn give(&mut self, result: Result<Snapshot, OwnerError>) {
        let Asked::Fetch(ticket, _) = self.asked.remove(0) else {
            panic!("not a fetch")
        };
        self.tell(ModelInput::Fetched { ticket, result });
    }

    /// Answers the oldest open question about changes with the same for all of them.
    pub(super) fn apply(&mut self, expected: Phase, result: Result<(), OwnerError>) {
        let Asked::Apply(ticket, _, phase, changes) = self.asked.remove(0) else {
            panic!("not a change")
        };
        assert_eq!(phase, expected);
        self.tell(ModelInput::Applied {
            ticket,
            results: vec![result; changes.len()],
        });
    }

    /// Asks for a unit that no plan wants.
    pub(super) fn refresh(&mut self, unit: &str) {
        let id = self.unit(unit);
        self.model.refresh(id, self.now);
        self.drain();
    }

    pub(super) fn unit(&self, name: &str) -> UnitId {
        let mut units = self.model.view().units();
        units.find(|(_, unit)| &*unit.name == name).unwrap().0
    }

    /// What is told since the last time, by requests and owners: `+ row`, `- row`, `path: old -> new`.
    pub(super) fn told(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.changed);
        let lines = told.iter().flatten().map(|change| match change {
            Change::Added { path, .. } => format!("+ {path}"),
            Change::Deleted { path, .. } => format!("- {path}"),
            Change::Set {
                object,
                node,
                old,
                new,
            } => {
                let name = &self.model.view().node(*node).name;
                format!("{object}{name}: {old} -> {new}")
            }
        });
        lines.collect()
    }

    fn drain(&mut self) {
        while let Some(output) = self.model.poll() {
            match output {
                ModelOutput::Apply {
                    ticket,
                    owner,
                    phase,
                    changes,
                    ..
                } => {
                    self.asked.push(Asked::Apply(ticket, owner, phase, changes));
                }
                ModelOutput::Changed { changes } => self.changed.push(changes),
                ModelOutput::Commit { sequence, entries } => self.commits.push((sequence, entries)),
                ModelOutput::Done {
                    plan,
                    answer,
                    changes,
                } => {
                    if !changes.is_empty() {
                        self.changed.push(changes.clone());
                    }
                    self.done.push((plan, answer, changes));
                }
                ModelOutput::Fetch { ticket, unit, .. } => {
                    self.asked.push(Asked::Fetch(ticket, unit))
                }
                ModelOutput::Operate {
                    ticket, command, ..
                } => self.asked.push(Asked::Operate(ticket, command)),
                ModelOutput::Unfetched { .. } => {}
                ModelOutput::Trouble { owner, text } => {
                    self.troubles.push(format!("{owner}: {text}"))
                }
            }
        }
    }
}

/// `Path=value` of everything at or below `path`.
pub(super) fn get(
    path: &'static str,
) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        let resolved = transaction.resolve_text(path, Sight::Everything)?;
        let mut found = Lines::default();
        for target in resolved.targets {
            if let Some(parameter) = transaction
                .node(target.node)
                .parameter()
                .map(|_| target.node)
            {
                let object = transaction.path(target.object).to_owned();
                let name = transaction.node(parameter).name.clone();
                let value = transaction.value(target.object, parameter)?;
                found.lines.push(format!("{object}{name}={value}"));
            } else {
                transaction.visit(target.object, 0, &Access::unrestricted(), &mut found)?;
            }
        }
        Ok(found.lines)
    }
}

/// The paths that `path` resolves to.
pub(super) fn paths(
    path: &'static str,
) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        let resolved = transaction.resolve_text(path, Sight::Everything)?;
        Ok(resolved
            .targets
            .iter()
            .map(|target| transaction.path(target.object).to_owned())
            .collect())
    }
}

pub(super) fn set(
    path: &'static str,
    value: &'static str,
) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        let resolved = transaction.resolve_text(path, Sight::Everything)?;
        for target in resolved.targets {
            transaction.set(target.object, target.node, value, Setting::Update)?;
            transaction.check_unique(target.object)?;
        }
        Ok(Vec::new())
    }
}

/// Adds a room and answers with its path; takes it back when a value or a key is at fault.
pub(super) fn add_room(
    values: &'static [(&'static str, &'static str)],
) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        let before = transaction.savepoint();
        let added = try_add_room(transaction, values);
        if added.is_err() {
            transaction.rollback(before);
        }
        added
    }
}

pub(super) fn try_add_room(transaction: &mut Transaction<'_>, values: &[(&str, &str)]) -> Answer {
    let root = transaction.root();
    let table = transaction.member(root, "Room").unwrap();
    let row = transaction.add(root, table)?;
    for (name, value) in values {
        let unknown = || Fault::new(FaultKind::ParameterUnsupported, *name, "unknown");
        let parameter = transaction.parameter(row, name).ok_or_else(unknown)?;
        transaction.set(row, parameter, value, Setting::Initial)?;
    }
    transaction.finish_row(row)?;
    Ok(vec![transaction.path(row).to_owned()])
}

pub(super) fn delete(
    path: &'static str,
) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        for target in transaction.resolve_text(path, Sight::Everything)?.targets {
            transaction.delete(target.object)?;
        }
        Ok(Vec::new())
    }
}

/// What the host says of its sensors.
pub(super) fn sensors(rows: &[(&str, &str)]) -> Snapshot {
    let row = |(name, degrees): &(&str, &str)| SnapshotObject {
        path: "Device.Sensor.{i}.".into(),
        keys: vec![(*name).to_owned()],
        values: vec![
            ("Name".into(), (*name).to_owned()),
            ("Degrees".into(), (*degrees).to_owned()),
        ],
    };
    Snapshot {
        objects: rows.iter().map(row).collect(),
    }
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    object: String,
}

impl Gather for Lines {
    fn object(&mut self, path: &str) {
        path.clone_into(&mut self.object);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{}{name}={value}", self.object));
    }
}

//! Plans in any order, with a store and owners that do what they like, against a model that is simple
//! enough to be right: a plan happens as a whole when its answer comes out, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::home::{Home, Op, without_probes};
use super::scene::{Asked, Scene, get, sensors};
use crate::model::{Change, ModelInput, OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject};
use crate::{FaultKind, PlanId};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// One of the open questions is answered, in one of several ways.
    Answer(usize, Manner),
    /// The first so many commits that wait are kept.
    Commit(usize),
    /// What was confirmed is confirmed again.
    CommitAgain,
    /// An owner says that its unit has changed, and perhaps it is asked.
    Disturb(&'static str, &'static str, bool),
    /// The commits that wait are lost.
    Fail,
    /// Seconds pass.
    Pass(u64),
    Plan(Op),
}

/// How an owner answers.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// It did it, and says nothing.
    DoneInSilence,
    Error,
    Ok,
    /// Somebody else was asked, or something else.
    OtherQuestion,
    /// It says nothing.
    Silence,
}

fn step() -> impl Strategy<Value = Step> {
    let manner = prop_oneof![
        6 => Just(Manner::Ok),
        2 => Just(Manner::Error),
        1 => Just(Manner::Silence),
        1 => Just(Manner::DoneInSilence),
        1 => Just(Manner::OtherQuestion),
    ];
    prop_oneof![
        12 => Op::any().prop_map(Step::Plan),
        4 => (0_usize..4, manner).prop_map(|(at, manner)| Step::Answer(at, manner)),
        3 => (1_usize..5).prop_map(Step::Commit),
        1 => Just(Step::CommitAgain),
        1 => Just(Step::Fail),
        1 => any::<bool>().prop_map(|ask| Step::Disturb("host", "sensor", ask)),
        1 => any::<bool>().prop_map(|ask| Step::Disturb("switch", "bridge", ask)),
        1 => (1_u64..8).prop_map(Step::Pass),
    ]
}

/// The scene, what really is where others own it, and everything that was durable once.
struct World {
    scene: Scene,
    /// The states that were durable, in order.
    history: Vec<Home>,
    open: BTreeMap<PlanId, (Op, usize, usize)>,
    failures: usize,
    confirmed: u64,
    speed: String,
    targets: BTreeMap<String, String>,
    present: Vec<&'static str>,
    numbers: BTreeMap<String, String>,
    /// What somebody knows who believes what is told: rows, and values by path.
    rows: BTreeSet<String>,
    values: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        Self {
            scene: Scene::new(),
            history: vec![Home::default()],
            open: BTreeMap::new(),
            failures: 0,
            confirmed: 0,
            speed: "10".to_owned(),
            targets: BTreeMap::new(),
            present: vec!["in", "out"],
            numbers: BTreeMap::new(),
            rows: BTreeSet::new(),
            values: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Answer(at, manner) => self.answer(at, manner),
            Step::Commit(count) => self.commit(count),
            Step::CommitAgain => {
                let sequence = self.confirmed;
                self.scene.tell(ModelInput::Committed { sequence });
            }
            Step::Disturb(owner, unit, ask) => {
                self.scene.tell(ModelInput::Disturbed {
                    owner: owner.to_owned(),
                    unit: unit.to_owned(),
                });
                if ask {
                    self.scene.refresh(unit);
                }
            }
            Step::Fail => {
                self.scene.commits.clear();
                self.failures += 1;
                let reason = "the disk is full".to_owned();
                self.scene.tell(ModelInput::CommitFailed { reason });
            }
            Step::Pass(seconds) => {
                // Sensors come and go.
                self.present = match seconds % 4 {
                    0 => vec!["in"],
                    1 => vec!["out", "in"],
                    2 => vec!["roof", "out"],
                    _ => vec!["in", "out", "roof"],
                };
                self.scene.pass(seconds);
            }
            Step::Plan(op) => {
                let id = self.scene.submit(op.work());
                self.open
                    .insert(id, (op, self.history.len() - 1, self.failures));
            }
        }
        self.judge();
    }

    fn commit(&mut self, count: usize) {
        let count = count.min(self.scene.commits.len());
        let mut last = None;
        for (sequence, entries) in self.scene.commits.drain(..count) {
            for entry in entries {
                match entry.value {
                    Some(value) => self.scene.store.insert(entry.key, value),
                    None => self.scene.store.remove(&entry.key),
                };
            }
            last = Some(sequence);
        }
        if let Some(sequence) = last {
            self.confirmed = sequence;
            self.scene.tell(ModelInput::Committed { sequence });
        }
    }

    fn answer(&mut self, at: usize, manner: Manner) {
        if self.scene.asked.is_empty() {
            return;
        }
        let asked = self.scene.asked.remove(at % self.scene.asked.len());
        let input = match (asked, manner) {
            (Asked::Fetch(ticket, unit), Manner::Ok) => ModelInput::Fetched {
                ticket,
                result: Ok(self.snapshot(&unit)),
            },
            (Asked::Fetch(ticket, _), Manner::Error) => ModelInput::Fetched {
                ticket,
                result: Err(OwnerError::failed("no")),
            },
            (Asked::Apply(ticket, _, phase, changes), Manner::Ok) => {
                self.really(phase, &changes);
                ModelInput::Applied {
                    ticket,
                    results: vec![Ok(()); changes.len()],
                }
            }
            (Asked::Apply(_, _, phase, changes), Manner::DoneInSilence) => {
                self.really(phase, &changes);
                return;
            }
            (Asked::Apply(ticket, _, _, changes), Manner::Error) => ModelInput::Applied {
                ticket,
                results: vec![Err(OwnerError::failed("no")); changes.len()],
            },
            (Asked::Apply(ticket, ..), Manner::OtherQuestion) => ModelInput::Fetched {
                ticket,
                result: Ok(Snapshot::default()),
            },
            (Asked::Fetch(ticket, _), Manner::OtherQuestion) => ModelInput::Applied {
                ticket,
                results: vec![],
            },
            (Asked::Operate(..), _) => panic!("nobody operates here"),
            (_, Manner::Silence | Manner::DoneInSilence) => return,
        };
        self.scene.tell(input);
    }

    /// What an owner does that does what it is asked.
    fn really(&mut self, phase: Phase, changes: &[OwnedChange]) {
        for change in changes {
            let OwnedChange::Set {
                path,
                value,
                previous,
            } = change
            else {
                panic!("nobody adds or deletes sensors")
            };
            let value = match phase {
                Phase::Apply => value,
                Phase::Check => continue,
                Phase::Undo => previous,
            };
            if path == "Device.Bridge.Speed" {
                self.speed = value.clone();
            } else {
                self.targets.insert(path.clone(), value.clone());
            }
        }
    }

    fn snapshot(&self, unit: &str) -> Snapshot {
        if unit == "bridge" {
            let values = vec![("Speed".into(), self.speed.clone())];
            let object = SnapshotObject {
                path: "Device.Bridge.".into(),
                keys: vec![],
                values,
            };
            return Snapshot {
                objects: vec![object],
            };
        }
        let rows: Vec<(&str, &str)> = self.present.iter().map(|key| (*key, "20")).collect();
        sensors(&rows)
    }

    /// Every answer that came out says what was durable while its plan was open, and every plan that
    /// changed something did so to the last durable state.
    fn judge(&mut self) {
        self.listen();
        for (id, answer, changes) in std::mem::take(&mut self.scene.done) {
            let (op, since, failures) = self.open.remove(&id).expect("answered once");
            let answer = answer.map_err(|fault| fault.kind);
            if op.reads_sensors() {
                self.check_numbers(answer.as_deref().unwrap_or_default());
            }
            if !changes.is_empty() {
                let mut now = self.history.last().unwrap().clone();
                let expected = now.apply(&op);
                assert_eq!(answer, expected, "{op:?} changed {changes:?}");
                self.history.push(now);
                continue;
            }
            let excused = match &answer {
                Err(FaultKind::NotDurable) => self.failures > failures && op.writes(),
                Err(FaultKind::OwnerFailed | FaultKind::OwnerSilent) => op.asks_owners(),
                _ => false,
            };
            let as_once = self.history[since..].iter().any(|state| {
                let mut now = state.clone();
                let expected = now.apply(&op);
                now == *state && op.is_right(&answer, &expected)
            });
            assert!(
                excused || as_once,
                "{op:?} was answered {answer:?}, which was never durable: {:#?}",
                &self.history[since..]
            );
        }
    }

    /// Believes what is told.
    fn listen(&mut self) {
        for change in self.scene.changed.drain(..).flatten() {
            match change {
                Change::Added { path, .. } => {
                    self.rows.insert(path);
                }
                Change::Deleted { path, .. } => {
                    self.values.retain(|value, _| !value.starts_with(&path));
                    self.rows.remove(&path);
                }
                Change::Set {
                    object, node, new, ..
                } => {
                    let name = &self.scene.model.view().node(node).name;
                    self.values.insert(format!("{object}{name}"), new);
                }
            }
        }
    }

    /// Whoever believed what was told knows what is.
    fn compare_with_told(&mut self) {
        self.listen();
        let (tree, view) = (self.scene.model.tree(), self.scene.model.view());
        for row in &self.rows {
            assert!(tree.find(view, row).is_some(), "{row} is gone, untold");
        }
        for (path, told) in &self.values {
            let (object, name) = path.rsplit_once('.').unwrap();
            let id = tree.find(view, &format!("{object}."));
            let id = id.unwrap_or_else(|| panic!("{object} is gone, untold"));
            let node = view.member(tree.object(id).node, name, None).unwrap();
            assert_eq!(tree.value(view, id, node), told, "{path} is other, untold");
        }
        let room = view.find("Device.Room.{i}.").unwrap().id;
        for room in tree.instances(view, room) {
            let path = &*tree.object(room).path;
            assert!(self.rows.contains(path), "{path} came untold");
        }
    }

    /// A row of an owner has one number for ever.
    fn check_numbers(&mut self, lines: &[String]) {
        for line in lines {
            let Some((path, name)) = line.split_once(".Name=") else {
                continue;
            };
            if path.starts_with("Device.Sensor.") {
                let known = self.numbers.entry(name.to_owned());
                let known = known.or_insert_with(|| path.to_owned());
                assert_eq!(known, path, "{name} has another number");
            }
        }
    }

    /// Lets everything come to its end.
    fn settle(&mut self) {
        for _ in 0..200 {
            while !self.scene.asked.is_empty() {
                self.answer(0, Manner::Ok);
                self.judge();
            }
            self.commit(usize::MAX);
            self.judge();
            if self.scene.asked.is_empty() && self.scene.model.waiting() == 0 {
                return;
            }
            self.scene.pass(1);
        }
        panic!("{} plans wait for ever", self.scene.model.waiting());
    }
}

fn play(steps: Vec<Step>) {
    let mut world = World::new();
    for step in steps {
        world.take(step);
    }
    world.settle();
    assert!(world.open.is_empty());
    // Numbers that a failed commit lost go with the next one.
    world.take(Step::Plan(Op::Nudge));
    world.settle();
    world.scene.pass(20);
    // Who was silent is asked again where its unit has changed since.
    world.settle_quietly();

    world.compare_with_told();

    let home = world.history.last().unwrap().clone();
    assert_eq!(dump(&mut world.scene), home.dump(), "the Tree");
    assert_eq!(world.scene.model.deadline(), None);
    let live = world.scene.submit(get("Device.Bridge.Speed"));
    world.settle_quietly();
    let speed = format!("Device.Bridge.Speed={}", world.speed);
    assert_eq!(world.scene.answer(live), Some(Ok(vec![speed])));
    assert_eq!(
        world.scene.model.tree().len(),
        home.objects() + world.sensors(),
        "objects are neither lost nor left in memory"
    );

    let World {
        mut scene, numbers, ..
    } = world;
    let probes = scene.run(get("Device.Room.*.Probes")).unwrap();
    let mut scene = scene.restarted();
    assert_eq!(scene.run(get("Device.Room.*.Probes")).unwrap(), probes);
    assert_eq!(
        dump(&mut scene),
        home.restarted().dump(),
        "the Tree after a restart"
    );
    scene.submit(get("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("roof", "1"), ("out", "1"), ("in", "1")])));
    scene.commit();
    for (name, path) in numbers {
        let number: u32 = path.rsplit('.').next().unwrap().parse().unwrap();
        let lines = scene.run(get("Device.Sensor.*.")).unwrap();
        let line = format!("Device.Sensor.{number}.Name={name}");
        assert!(lines.contains(&line), "{line} is not among {lines:#?}");
    }
}

impl World {
    fn settle_quietly(&mut self) {
        while !self.scene.asked.is_empty() {
            self.answer(0, Manner::Ok);
        }
        self.commit(usize::MAX);
    }

    /// How many sensors the Tree has at the moment.
    fn sensors(&self) -> usize {
        let tree = self.scene.model.tree();
        let view = self.scene.model.view();
        let table = view.find("Device.Sensor.{i}.").unwrap().id;
        tree.instances(view, table).len()
    }
}

fn dump(scene: &mut Scene) -> Vec<String> {
    let mut lines = without_probes(scene.run(get("Device.Room.*.")).unwrap());
    lines.extend(scene.run(get("Device.RoomNumberOfEntries")).unwrap());
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever the store and the owners do, answers tell of durable states only, and in the end the
    /// Tree, the store and a simple map agree.
    ///
    /// Proves: R-ARC.8, R-ARC.12, R-KEY.2
    #[test]
    fn any_schedule_tells_only_what_was_kept(steps in prop::collection::vec(step(), 1..70)) {
        play(steps);
    }
}

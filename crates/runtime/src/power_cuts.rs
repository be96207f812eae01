//! The whole Agent on a disk that loses what was not synced: Set, Add and Delete through the engine,
//! with the power cut at any operation of the disk.
//!
//! A second Agent on a perfect store, the oracle, is asked the same and tells what the data model looks
//! like after each request. What is found after a cut has to be one of these states, no older than what
//! any Controller had been told.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use usphere_agent::Input;
use usphere_agent::scene::{LiveAgent, Scene, values_of};
use usphere_proto::msg::{
    Add, CreateObject, CreateParamSetting, Delete, Get, RequestType, Set, UpdateObject,
    UpdateParamSetting,
};

use crate::agent_store::AgentStore;
use crate::agent_store::simulated::SimulatedDisk;

const WRITER: &str = "writer";
const READER: &str = "reader";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
const SHOWN: &str = "Device.LocalAgent.ControllerTrust.";

type Dump = BTreeMap<String, String>;

/// `USPHERE_POWER_CUTS` asks for more, `USPHERE_SEED` for one schedule again.
///
/// What was answered is there after the cut, what was not is wholly there or wholly absent, and no
/// Controller had seen a change that was lost.
#[test]
fn a_power_cut_loses_nothing_that_any_controller_was_told() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let cuts = number("USPHERE_POWER_CUTS").unwrap_or(150);
    let first = number("USPHERE_SEED").unwrap_or(1);
    let mut tally = Tally::default();
    for seed in first..first + cuts {
        if let Err(error) = Life::new(seed).until_the_power_goes(&mut tally) {
            panic!("USPHERE_SEED={seed}: {error}");
        }
    }
    println!("{cuts} power cuts: {tally:?}");
    assert!(
        tally.answered > cuts,
        "too few requests were answered to prove anything: {tally:?}"
    );
    assert!(
        tally.unanswered > 0 && tally.seen > 0,
        "the schedules are too tame: {tally:?}"
    );
}

#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    refused_by_the_disk: u64,
    unanswered: u64,
    survived_unanswered: u64,
    seen: u64,
}

struct Asked {
    msg_id: String,
    request: RequestType,
    answered: bool,
}

/// One Agent from its first start to its power cut.
struct Life {
    random: StdRng,
    disk: SimulatedDisk,
    store: AgentStore,
    live: LiveAgent,
    /// Requests that were answered well or not at all, in the order in which they were carried out.
    requests: Vec<Asked>,
    /// What the reader was shown.
    seen: Vec<Dump>,
    count: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed);
        let opened = AgentStore::open_on(disk.clone()).expect("an empty disk opens");
        let mut live = scene().agent_on_a_slow_store();
        let mut store = opened.store;
        keep_all(&mut live, &mut store);
        live.connect(WRITER);
        live.connect(READER);
        keep_all(&mut live, &mut store);
        Self {
            random: StdRng::seed_from_u64(!seed),
            disk,
            store,
            live,
            requests: Vec::new(),
            seen: Vec::new(),
            count: 0,
        }
    }

    fn until_the_power_goes(mut self, tally: &mut Tally) -> Result<(), String> {
        self.disk.cut_at(self.random.random_range(0..60));
        while self.disk.powered() {
            match self.random.random_range(0..10) {
                0..=5 => self.write(),
                6..=7 => self.read(),
                _ => self.commit(tally),
            }
            self.collect()?;
        }
        let answered = self.requests.iter().filter(|asked| asked.answered).count();
        tally.answered += answered as u64;
        tally.unanswered += (self.requests.len() - answered) as u64;
        tally.seen += self.seen.len() as u64;
        self.judge(tally)
    }

    fn write(&mut self) {
        self.count += 1;
        let msg_id = format!("write {}", self.count);
        let request = self.request();
        self.requests.push(Asked {
            msg_id: msg_id.clone(),
            request: request.clone(),
            answered: false,
        });
        self.live.request(WRITER, &msg_id, request);
    }

    fn read(&mut self) {
        self.count += 1;
        self.live
            .request(READER, &format!("read {}", self.count), get());
    }

    /// The store takes some of what waits, in one transaction.
    fn commit(&mut self, tally: &mut Tally) {
        if self.live.commits.is_empty() {
            return;
        }
        self.disk
            .fail_syncs(u32::from(self.random.random_bool(0.05)));
        let many = self.random.random_range(1..=self.live.commits.len());
        let batches: Vec<_> = self.live.commits.drain(..many).collect();
        let sequence = batches.last().map_or(0, |(sequence, _)| *sequence);
        match self.store.commit(&batches) {
            Ok(()) => self.live.tell(Input::Committed { sequence }),
            Err(error) if self.disk.powered() => {
                tally.refused_by_the_disk += 1;
                self.live.fail(&error.to_string());
            }
            Err(_) => {}
        }
    }

    /// Takes in what the Agent said.
    fn collect(&mut self) -> Result<(), String> {
        let writer = self.live.link(WRITER);
        for answer in self.live.take_messages(writer) {
            let at = self
                .requests
                .iter()
                .position(|asked| asked.msg_id == answer.msg_id() && !asked.answered);
            let at = at.ok_or_else(|| format!("{} was answered twice", answer.msg_id()))?;
            if answer.is_error() {
                self.requests.remove(at);
            } else {
                self.requests[at].answered = true;
            }
        }
        let reader = self.live.link(READER);
        self.seen
            .extend(self.live.take_messages(reader).iter().map(values_of));
        Ok(())
    }

    /// Compares what is found after the cut with what there can be.
    fn judge(self, tally: &mut Tally) -> Result<(), String> {
        let states = self.states();
        // What changes nothing is not bound to any turn.
        let changes = |at: usize| states[at] != states[at + 1];
        let told = (0..self.requests.len()).rfind(|at| self.requests[*at].answered && changes(*at));
        let mut least = told.map_or(0, |last| last + 1);
        let early = (0..least).find(|at| !self.requests[*at].answered && changes(*at));
        if let Some(early) = early {
            return Err(format!("{} was overtaken", self.requests[early].msg_id));
        }
        for seen in &self.seen {
            let state = states.iter().position(|state| state == seen);
            least = least.max(state.ok_or("the reader saw a state that never was")?);
        }
        self.disk.reopen();
        self.disk.fail_syncs(0);
        let opened = AgentStore::open_on(self.disk.clone()).map_err(|error| error.to_string())?;
        let kept = opened
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.key, entry.value?)));
        let mut live = scene().store(kept.collect()).agent();
        live.connect(READER);
        let found = live.values(READER, SHOWN);
        let state = states[least..].iter().position(|state| *state == found);
        let Some(beyond) = state else {
            let older = states.iter().rposition(|state| *state == found);
            return Err(match older {
                Some(state) => format!("state {least} was told, state {state} is there"),
                None => "what is there was never the state of the Agent".to_owned(),
            });
        };
        tally.survived_unanswered += beyond as u64;
        Ok(())
    }

    /// What the data model looks like before and after each request.
    fn states(&self) -> Vec<Dump> {
        let mut oracle = scene().agent();
        oracle.connect(WRITER);
        let mut states = vec![oracle.values(WRITER, SHOWN)];
        for asked in &self.requests {
            oracle.ask(WRITER, asked.request.clone());
            states.push(oracle.values(WRITER, SHOWN));
        }
        states
    }

    fn request(&mut self) -> RequestType {
        let number = self.count;
        match self.random.random_range(0..10) {
            0..=2 => add(
                ROLES,
                &[("Name", &format!("role {number}")), ("Enable", "true")],
            ),
            3..=4 => {
                let targets = format!("Device.DeviceInfo.,Device.X{number}.");
                let role = self.random.random_range(3..8);
                let values = [
                    ("Targets", &*targets),
                    ("Order", &*number.to_string()),
                    ("Param", "r--n"),
                ];
                add(&format!("{ROLES}{role}.Permission."), &values)
            }
            5..=7 => {
                let role = self.random.random_range(3..8);
                let (name, path) = (format!("name {number}"), format!("{ROLES}{role}."));
                if number.is_multiple_of(3) {
                    set(&format!("{ROLES}*."), "Enable", "true")
                } else {
                    set(&path, "Name", &name)
                }
            }
            _ => {
                let role = self.random.random_range(3..8);
                RequestType::Delete(Delete {
                    allow_partial: false,
                    obj_paths: vec![format!("{ROLES}{role}.")],
                })
            }
        }
    }
}

fn scene() -> Scene {
    Scene::new().controller(WRITER).controller(READER)
}

fn keep_all(live: &mut LiveAgent, store: &mut AgentStore) {
    while !live.commits.is_empty() {
        let batches: Vec<_> = live.commits.drain(..).collect();
        store.commit(&batches).expect("the disk is whole");
        let sequence = batches.last().map_or(0, |(sequence, _)| *sequence);
        live.tell(Input::Committed { sequence });
    }
}

fn get() -> RequestType {
    RequestType::Get(Get {
        param_paths: vec![SHOWN.to_owned()],
        max_depth: 0,
    })
}

fn add(path: &str, values: &[(&str, &str)]) -> RequestType {
    let setting = |(param, value): &(&str, &str)| CreateParamSetting {
        param: (*param).to_owned(),
        value: (*value).to_owned(),
        required: true,
    };
    let object = CreateObject {
        obj_path: path.to_owned(),
        param_settings: values.iter().map(setting).collect(),
    };
    RequestType::Add(Add {
        allow_partial: false,
        create_objs: vec![object],
    })
}

fn set(path: &str, param: &str, value: &str) -> RequestType {
    let setting = UpdateParamSetting {
        param: param.to_owned(),
        value: value.to_owned(),
        required: true,
    };
    let object = UpdateObject {
        obj_path: path.to_owned(),
        param_settings: vec![setting],
    };
    RequestType::Set(Set {
        allow_partial: false,
        update_objs: vec![object],
    })
}

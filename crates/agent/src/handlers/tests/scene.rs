//! A device with its owners and Controllers, driven in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;

use usphere_datamodel::model::{
    Model, ModelInput, ModelOutput, OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject, Work,
};
use usphere_datamodel::{Access, Entry, Moment};
use usphere_proto::msg::RequestType;
use usphere_proto::{Limits, Msg};

use super::device::{CONTROLLERS, ROLES, view};
use super::requests::{Reading, Writing, add, get, instances, texts};
use crate::handlers::{Answer, Caller, plan};
use crate::roles;

/// Somebody whose connection proves who it is.
fn caller(controller: String, access: Arc<Access>) -> Caller {
    Caller {
        controller,
        access,
        authenticated: true,
        utc: crate::clock::Utc::default(),
    }
}

/// What its receiver makes of an answer.
fn received(answer: Answer) -> Answer {
    let Answer::GetResp(response) = answer else {
        return answer;
    };
    let payload = response.into_payload("1");
    let message = Msg::decode_bounded(payload, &Limits::DEFAULT).expect("within the limits");
    Answer::Response(message.as_response().expect("a response").clone())
}

/// How the owners of the radio and of the hosts behave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owners {
    /// They do what they are asked.
    Prompt,
    /// They answer with errors.
    Failing,
    /// They never answer.
    Silent,
    /// They answer with what makes no sense.
    Wrong,
}

pub(super) struct Scene {
    pub(super) owners: Owners,
    /// What the radio is tuned to.
    pub(super) channel: String,
    /// The hosts that there are.
    pub(super) hosts: Vec<String>,
    /// Commands that were run, with their arguments.
    pub(super) commands: Vec<(String, BTreeMap<String, String>)>,
    /// How many questions went to owners.
    pub(super) asked: usize,
    model: Model<Answer>,
    now: Moment,
    store: BTreeMap<String, String>,
    callers: BTreeMap<String, String>,
}

impl Scene {
    /// A device with one Controller, which may do everything.
    pub(super) fn new() -> Self {
        let mut scene = Self::load(BTreeMap::new());
        scene.done(add(CONTROLLERS).with("EndpointID", "proto::operator"));
        scene.done_with(Box::new(|transaction| {
            let root = transaction.root();
            let slots = transaction.member(root, "Slot").expect("declared");
            let row = transaction.add_row(root, slots).expect("added");
            transaction.finish_row(row).expect("finished");
            Answer::Silence
        }));
        scene
    }

    fn load(store: BTreeMap<String, String>) -> Self {
        let entries = store.iter().map(|(key, value)| Entry::put(key, value));
        let (model, problems) = Model::new(view(), entries.collect());
        assert_eq!(problems, []);
        Self {
            owners: Owners::Prompt,
            channel: "6".to_owned(),
            hosts: vec!["aa".to_owned(), "bb".to_owned()],
            commands: Vec::new(),
            asked: 0,
            model,
            now: Moment::from_micros(1),
            store,
            callers: BTreeMap::new(),
        }
    }

    /// The same device after its power was cut.
    pub(super) fn restarted(self) -> Self {
        Self {
            callers: self.callers,
            ..Self::load(self.store)
        }
    }

    /// With a Controller that has one role with these permissions: targets, the four rights together, order.
    pub(super) fn guest(mut self, name: &str, permissions: &[(&str, &str, u32)]) -> Self {
        let controller = self.done(add(CONTROLLERS).required("EndpointID", name));
        self.callers.insert(name.to_owned(), controller.clone());
        let role = self.role(permissions);
        self.assign(&controller, &[&role]);
        self
    }

    /// Adds an enabled role and returns its path.
    pub(super) fn role(&mut self, permissions: &[(&str, &str, u32)]) -> String {
        let role = self.done(add(ROLES).required("Enable", "true"));
        for (targets, rights, order) in permissions {
            let rights: Vec<&str> = rights.split(' ').collect();
            let request = add(&format!("{role}Permission."))
                .required("Enable", "true")
                .required("Targets", targets)
                .required("Order", &order.to_string())
                .required("Param", rights[0])
                .required("Obj", rights[1])
                .required("InstantiatedObj", rights[2])
                .required("CommandEvent", rights[3]);
            self.done(request);
        }
        role
    }

    pub(super) fn assign(&mut self, controller: &str, roles: &[&str]) {
        let request = super::requests::set(controller).required("AssignedRole", &roles.join(","));
        assert!(self.ask(request).updated()[0].is_ok());
    }

    /// The path of a guest's row.
    pub(super) fn row_of(&self, guest: &str) -> String {
        self.callers[guest].clone()
    }

    /// What the operator is answered.
    pub(super) fn ask(&mut self, request: impl Into<RequestType>) -> Answer {
        let access = Arc::new(Access::unrestricted());
        let controller = format!("{CONTROLLERS}1.");
        let mut plan = plan(request.into(), caller(controller, access));
        received(self.done_with(Box::new(move |transaction| plan(transaction).answer)))
    }

    /// What a guest is answered, with the rights that it has now.
    pub(super) fn ask_as(&mut self, guest: &str, request: impl Into<RequestType>) -> Answer {
        let controller = self.row_of(guest);
        let access = Arc::new(self.access_of(&controller));
        let mut plan = plan(request.into(), caller(controller, access));
        received(self.done_with(Box::new(move |transaction| plan(transaction).answer)))
    }

    /// Adds one object and returns its path.
    pub(super) fn done(&mut self, request: impl Into<RequestType>) -> String {
        let added = self.ask(request).added();
        added[0].as_ref().expect("added").instantiated_path.clone()
    }

    /// The paths of the rows at and below a table.
    pub(super) fn rows(&mut self, table: &str) -> Vec<String> {
        let found = self.ask(instances(&[table])).instances().remove(0);
        let rows = found.expect("a table").into_iter();
        rows.map(|row| row.instantiated_obj_path).collect()
    }

    /// The value of one parameter.
    pub(super) fn value(&mut self, path: &str) -> String {
        let lines = self.ask(get(&[path])).values().remove(0).expect("a value");
        assert_eq!(lines.len(), 1, "{path}");
        lines[0].split_once('=').expect("a value").1.to_owned()
    }

    /// Everything that is kept.
    pub(super) fn kept(&self) -> BTreeMap<String, String> {
        self.store.clone()
    }

    /// Mounts one object with one parameter at `root`.
    pub(super) fn mount(&mut self, root: &str) {
        use usphere_datamodel::declare::{STRING, object, parameter};
        use usphere_datamodel::schema::ObjectSpec;

        const PART: usphere_datamodel::declare::Object =
            object("").parameters(&[parameter("Brand", STRING).default("none")]);
        let spec = ObjectSpec {
            path: root.to_owned(),
            ..ObjectSpec::from(&PART)
        };
        self.model.mount(root, vec![spec]).expect("mounted");
    }

    fn access_of(&mut self, controller: &str) -> Access {
        let found = Arc::new(std::sync::Mutex::new(None));
        let (place, controller) = (Arc::clone(&found), controller.to_owned());
        self.done_with(Box::new(move |transaction| {
            let access = roles::access_of(transaction, &controller);
            *place.lock().expect("unpoisoned") = Some(access);
            Answer::Silence
        }));
        let mut found = found.lock().expect("unpoisoned");
        found.take().expect("compiled")
    }

    fn done_with(&mut self, work: Work<Answer>) -> Answer {
        let plan = self.model.submit(work, self.now);
        loop {
            let mut progress = false;
            while let Some(output) = self.model.poll() {
                progress = true;
                if let ModelOutput::Done {
                    plan: done, answer, ..
                } = output
                {
                    assert_eq!(done, plan);
                    return answer;
                }
                if let Some(input) = self.serve(output) {
                    self.model.handle(input, self.now);
                }
            }
            if !progress {
                self.now = self.model.deadline().expect("the plan waits for nobody");
                self.model.handle(ModelInput::Tick, self.now);
            }
        }
    }

    fn serve(&mut self, output: ModelOutput<Answer>) -> Option<ModelInput> {
        if !matches!(
            output,
            ModelOutput::Changed { .. }
                | ModelOutput::Commit { .. }
                | ModelOutput::Trouble { .. }
                | ModelOutput::Unfetched { .. }
        ) {
            self.asked += 1;
            if self.owners == Owners::Silent {
                return None;
            }
        }
        let failing = self.owners == Owners::Failing;
        match output {
            ModelOutput::Apply {
                ticket,
                phase,
                changes,
                ..
            } => {
                let results = changes.iter().map(|change| self.change(phase, change));
                let results = results.collect();
                Some(ModelInput::Applied { ticket, results })
            }
            ModelOutput::Commit { sequence, entries } => {
                for Entry { key, value } in entries {
                    match value {
                        Some(value) => self.store.insert(key, value),
                        None => self.store.remove(&key),
                    };
                }
                Some(ModelInput::Committed { sequence })
            }
            ModelOutput::Fetch { ticket, unit, .. } => {
                let result = match failing {
                    true => Err(OwnerError::failed("out of order")),
                    false => Ok(self.snapshot(&unit)),
                };
                Some(ModelInput::Fetched { ticket, result })
            }
            ModelOutput::Operate {
                ticket,
                command,
                arguments,
                ..
            } => {
                self.commands.push((command, arguments));
                let result = match failing {
                    true => Err(OwnerError::failed("out of order")),
                    false => Ok(texts(&[("Status", "Complete")])),
                };
                Some(ModelInput::Operated { ticket, result })
            }
            ModelOutput::Changed { .. }
            | ModelOutput::Done { .. }
            | ModelOutput::Trouble { .. }
            | ModelOutput::Unfetched { .. } => None,
        }
    }

    fn change(&mut self, phase: Phase, change: &OwnedChange) -> Result<(), OwnerError> {
        let OwnedChange::Set {
            path,
            value,
            previous,
        } = change
        else {
            return Err(OwnerError::failed("rows cannot be changed"));
        };
        assert_eq!(path, "Device.Radio.Channel");
        match phase {
            Phase::Check if self.owners == Owners::Failing => {
                return Err(OwnerError::failed("the channel is taken"));
            }
            Phase::Check => {}
            Phase::Apply => self.channel.clone_from(value),
            Phase::Undo => self.channel.clone_from(previous),
        }
        Ok(())
    }

    fn snapshot(&self, unit: &str) -> Snapshot {
        let value = |name: &'static str, value: &str| (name.into(), value.to_owned());
        if self.owners == Owners::Wrong {
            let nonsense = SnapshotObject {
                path: "Device.Nowhere.".into(),
                keys: Vec::new(),
                values: vec![value("Channel", "blue")],
            };
            return Snapshot {
                objects: vec![nonsense],
            };
        }
        let objects = match unit {
            "radio" => vec![SnapshotObject {
                path: "Device.Radio.".into(),
                keys: Vec::new(),
                values: vec![value("Channel", &self.channel), value("Noise", "-90")],
            }],
            _ => self
                .hosts
                .iter()
                .map(|mac| SnapshotObject {
                    path: "Device.Hosts.Host.{i}.".into(),
                    keys: vec![mac.clone()],
                    values: vec![value("MACAddress", mac), value("Active", "true")],
                })
                .collect(),
        };
        Snapshot { objects }
    }
}

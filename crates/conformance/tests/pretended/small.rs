//! A small Agent that says what it is told to: for tests of features that no Agent we have has.
//!
//! Its data model is a table of paths and values. It takes every Add, Set and Delete, tells nothing by itself, and
//! leaves its commands to a [`Role`]. Time is virtual.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::network::Network;
use usphere_conformance::peer::{Address, Happening, Peer, Seat, Trouble, What};
use usphere_conformance::publications::Publications;
use usphere_conformance::web::Web;
use usphere_conformance::{Outcome, Profile, run};
use usphere_proto::msg::*;
use usphere_proto::{EndpointId, Msg, Record};

/// How long it is away when it starts anew.
const AWAY: Duration = Duration::from_secs(3);

/// What the small Agent does beyond answering.
pub(crate) trait Role: Send + Sized {
    /// Paths of the data model with `{i}`: objects end with a dot, commands with `()`, events with `!`.
    fn supported(&self) -> Vec<&'static str>;

    /// What is there at first.
    fn values(&self) -> Vec<(&'static str, &'static str)>;

    /// A command was called.
    fn operate(&mut self, _: &Operate, _: &mut Stage) -> OperationOutcome {
        OperationOutcome::ReqOutputArgs(OutputArgs::default())
    }

    /// When it does something next.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// Does what is due.
    fn act(&mut self, _: &mut Stage) {}

    /// It has started anew.
    fn started(&mut self, _: &mut Stage) {}

    /// The Web, where it takes part in one.
    fn web(&mut self) -> Option<&mut dyn Web> {
        None
    }

    /// The network around it.
    fn network(&mut self) -> Option<&mut dyn Network> {
        None
    }

    /// Where it publishes.
    fn publications(&mut self) -> Option<&mut dyn Publications> {
        None
    }
}

/// What a role can do.
pub(crate) struct Stage {
    pub(crate) now: Duration,
    pub(crate) model: BTreeMap<String, String>,
    happened: VecDeque<Happening>,
    told: u64,
    /// When it is back, where it is away.
    back: Option<Duration>,
    open: BTreeSet<Seat>,
}

/// The small Agent.
pub(crate) struct Small<R> {
    role: R,
    stage: Stage,
}

fn agent() -> EndpointId {
    "self::small".parse().expect("an ID")
}

fn controller(seat: Seat) -> EndpointId {
    let id = match seat {
        Seat::Second => "self::conformance-2",
        _ => "self::conformance",
    };
    id.parse().expect("an ID")
}

impl Stage {
    /// Something happens.
    pub(crate) fn happen(&mut self, seat: Seat, what: What) {
        let at = self.now;
        self.happened.push_back(Happening { seat, at, what });
    }

    /// Goes away, and comes back.
    pub(crate) fn reboot(&mut self) {
        for seat in std::mem::take(&mut self.open) {
            self.happen(seat, What::Lost("it reboots".to_owned()));
        }
        self.back = Some(self.now + AWAY);
    }

    /// Tells an event to whoever has subscribed to it.
    pub(crate) fn tell(&mut self, event: &str, params: &[(&str, &str)]) {
        let (object, name) = event.rsplit_once('.').expect("a path");
        let params = params.iter();
        let params = params.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let event_of = Event {
            obj_path: format!("{object}."),
            event_name: name.to_owned(),
            params: params.collect(),
        };
        self.notify(event, Notification::Event(event_of));
    }

    /// Tells of a command that has ended.
    pub(crate) fn end(&mut self, command: &str, key: &str, outcome: CompletionOutcome) {
        let (object, name) = command.rsplit_once('.').expect("a path");
        let complete = OperationComplete {
            obj_path: format!("{object}."),
            command_name: name.to_owned(),
            command_key: key.to_owned(),
            operation_resp: Some(outcome),
        };
        self.notify(command, Notification::OperComplete(complete));
    }

    fn notify(&mut self, of: &str, notification: Notification) {
        let references = self.model.iter();
        let references = references
            .filter(|(path, value)| path.ends_with(".ReferenceList") && value.as_str() == of);
        let rows: Vec<String> = references
            .map(|(path, _)| path.replace("ReferenceList", "ID"))
            .collect();
        for row in rows {
            self.told += 1;
            let notify = Notify {
                subscription_id: self.model[&row].clone(),
                send_resp: true,
                notification: Some(notification.clone()),
            };
            let msg = Msg::request(format!("told-{}", self.told), notify);
            self.say(Seat::Primary, msg);
        }
    }

    fn say(&mut self, seat: Seat, msg: Msg) {
        let record = Record::no_session(&controller(seat), &agent(), msg.into_payload());
        self.happen(seat, What::Message(record.to_bytes()));
    }

    fn open(&mut self, seat: Seat) {
        if self.back.is_none() && self.open.insert(seat) {
            self.happen(seat, What::Opened);
            let record = Record::websocket_connect(&controller(seat), &agent());
            self.happen(seat, What::Message(record.to_bytes()));
        }
    }

    fn get(&self, path: &str) -> RequestedPathResult {
        let mut objects: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (full, value) in self.model.iter().filter(|(full, _)| is_at(full, path)) {
            let at = full.rfind('.').expect("a path") + 1;
            let values = objects.entry(full[..at].to_owned()).or_default();
            values.insert(full[at..].to_owned(), value.clone());
        }
        let objects = objects.into_iter();
        RequestedPathResult {
            requested_path: path.to_owned(),
            resolved_path_results: objects
                .map(|(resolved_path, result_params)| ResolvedPathResult {
                    resolved_path,
                    result_params,
                })
                .collect(),
            ..RequestedPathResult::default()
        }
    }

    fn rows(&self, table: &str) -> BTreeSet<u32> {
        let below = self
            .model
            .keys()
            .filter_map(|path| path.strip_prefix(table));
        below
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect()
    }

    fn add(&mut self, row: &CreateObject) -> CreatedObjectResult {
        let number = self.rows(&row.obj_path).last().unwrap_or(&0) + 1;
        let path = format!("{}{number}.", row.obj_path);
        for setting in &row.param_settings {
            let full = format!("{path}{}", setting.param);
            self.model.insert(full, setting.value.clone());
        }
        let success = AddSuccess {
            instantiated_path: path,
            ..AddSuccess::default()
        };
        CreatedObjectResult::success(&row.obj_path, success)
    }

    fn set(&mut self, object: &UpdateObject) -> UpdatedObjectResult {
        let mut updated = UpdatedInstanceResult {
            affected_path: object.obj_path.clone(),
            ..UpdatedInstanceResult::default()
        };
        for setting in &object.param_settings {
            let full = format!("{}{}", object.obj_path, setting.param);
            self.model.insert(full, setting.value.clone());
            let value = setting.value.clone();
            updated.updated_params.insert(setting.param.clone(), value);
        }
        let success = SetSuccess {
            updated_inst_results: vec![updated],
        };
        UpdatedObjectResult::success(&object.obj_path, success)
    }

    fn delete(&mut self, path: &str) -> DeletedObjectResult {
        let before = self.model.len();
        self.model.retain(|full, _| !full.starts_with(path));
        let gone = self.model.len() < before;
        let success = DeleteSuccess {
            affected_paths: gone.then(|| path.to_owned()).into_iter().collect(),
            ..DeleteSuccess::default()
        };
        DeletedObjectResult::success(path, success)
    }
}

/// Whether a value is at a path, in which `*` stands for any row.
fn is_at(full: &str, path: &str) -> bool {
    let (full, path): (Vec<&str>, Vec<&str>) =
        (full.split('.').collect(), path.split('.').collect());
    let is_partial = path.last() == Some(&"");
    let wanted = if is_partial {
        &path[..path.len() - 1]
    } else {
        &path[..]
    };
    let fits = |(one, other): (&&str, &&str)| one == other || *other == "*";
    (full.len() == wanted.len() || is_partial && full.len() > wanted.len())
        && full.iter().zip(wanted).all(fits)
}

impl<R: Role> Small<R> {
    pub(crate) fn new(role: R) -> Self {
        let values = [
            ("Device.LocalAgent.EndpointID", "self::small"),
            ("Device.LocalAgent.SoftwareVersion", "1"),
            ("Device.LocalAgent.SupportedProtocols", "WebSocket"),
            (
                "Device.LocalAgent.Controller.1.EndpointID",
                "self::conformance",
            ),
            ("Device.LocalAgent.Controller.1.AssignedRole", ""),
            ("Device.LocalAgent.Controller.1.ProvisioningCode", ""),
        ];
        let values = values.into_iter().chain(role.values());
        let model = values.map(|(path, value)| (path.to_owned(), value.to_owned()));
        let stage = Stage {
            now: Duration::ZERO,
            model: model.collect(),
            happened: VecDeque::new(),
            told: 0,
            back: None,
            open: BTreeSet::new(),
        };
        Self { role, stage }
    }

    /// Runs one test against it.
    pub(crate) fn only(self, id: &str, profile: Profile) -> Outcome
    where
        R: 'static,
    {
        let id = id.parse().expect("a test");
        let report = run(Box::new(self), profile, &id, &mut ());
        report.expect("the Agent is there").outcomes.remove(0)
    }

    fn supported_dm(&self) -> GetSupportedDmResp {
        let usual = [
            "Device.Reboot()",
            "Device.LocalAgent.Controller.{i}.ProvisioningCode",
            "Device.LocalAgent.Controller.{i}.MTP.{i}.",
            "Device.LocalAgent.Subscription.{i}.",
        ];
        let mut objects: BTreeMap<String, SupportedObjectResult> = BTreeMap::new();
        for path in usual.into_iter().chain(self.role.supported()) {
            let at = path.rfind('.').expect("a path") + 1;
            let object = objects.entry(path[..at].to_owned()).or_default();
            path[..at].clone_into(&mut object.supported_obj_path);
            object.is_multi_instance = path[..at].ends_with("{i}.");
            object.access = ObjAccessType::AddDelete as i32;
            let name = path[at..].to_owned();
            if name.ends_with('!') {
                object.supported_events.push(SupportedEventResult {
                    event_name: name,
                    ..SupportedEventResult::default()
                });
            } else if name.ends_with("()") {
                object.supported_commands.push(SupportedCommandResult {
                    command_name: name,
                    command_type: CmdType::Async as i32,
                    ..SupportedCommandResult::default()
                });
            } else if !name.is_empty() {
                object.supported_params.push(SupportedParamResult {
                    param_name: name,
                    ..SupportedParamResult::default()
                });
            }
        }
        GetSupportedDmResp {
            req_obj_results: vec![RequestedObjectResult {
                req_obj_path: "Device.".to_owned(),
                supported_objs: objects.into_values().collect(),
                ..RequestedObjectResult::default()
            }],
        }
    }

    fn answer(&mut self, request: &RequestType) -> Option<ResponseType> {
        let stage = &mut self.stage;
        Some(match request {
            RequestType::Add(add) => ResponseType::AddResp(AddResp {
                created_obj_results: add.create_objs.iter().map(|row| stage.add(row)).collect(),
            }),
            RequestType::Delete(delete) => ResponseType::DeleteResp(DeleteResp {
                deleted_obj_results: delete
                    .obj_paths
                    .iter()
                    .map(|path| stage.delete(path))
                    .collect(),
            }),
            RequestType::Get(get) => ResponseType::GetResp(GetResp {
                req_path_results: get.param_paths.iter().map(|path| stage.get(path)).collect(),
            }),
            RequestType::GetInstances(instances) => {
                let results = instances
                    .obj_paths
                    .iter()
                    .map(|table| RequestedInstancesResult {
                        requested_path: table.clone(),
                        curr_insts: stage
                            .rows(table)
                            .into_iter()
                            .map(|row| CurrInstance {
                                instantiated_obj_path: format!("{table}{row}."),
                                ..CurrInstance::default()
                            })
                            .collect(),
                        ..RequestedInstancesResult::default()
                    });
                ResponseType::GetInstancesResp(GetInstancesResp {
                    req_path_results: results.collect(),
                })
            }
            RequestType::GetSupportedDm(_) => ResponseType::GetSupportedDmResp(self.supported_dm()),
            RequestType::GetSupportedProtocol(_) => {
                ResponseType::GetSupportedProtocolResp(GetSupportedProtocolResp {
                    agent_supported_protocol_versions: "1.3".to_owned(),
                })
            }
            RequestType::Operate(operate) => {
                let outcome = self.role.operate(operate, stage);
                ResponseType::OperateResp(OperateResp {
                    operation_results: vec![OperationResult {
                        executed_command: operate.command.clone(),
                        operation_resp: Some(outcome),
                    }],
                })
            }
            RequestType::Set(set) => ResponseType::SetResp(SetResp {
                updated_obj_results: set.update_objs.iter().map(|one| stage.set(one)).collect(),
            }),
            _ => return None,
        })
    }
}

impl<R: Role> Peer for Small<R> {
    fn way(&self) -> String {
        "a small Agent in virtual time".to_owned()
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        controller(seat)
    }

    fn address(&self, _: Seat) -> Option<Address> {
        Some(Address {
            host: "controller.example".to_owned(),
            port: 80,
            path: "/usp".to_owned(),
            encryption: false,
        })
    }

    fn now(&self) -> Duration {
        self.stage.now
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        loop {
            if let Some(happening) = self.stage.happened.pop_front() {
                return Some(happening);
            }
            let due = self.role.due().into_iter().chain(self.stage.back).min();
            let Some(due) = due.filter(|due| *due <= until) else {
                self.stage.now = self.stage.now.max(until);
                return None;
            };
            self.stage.now = self.stage.now.max(due);
            if self.stage.back.is_some_and(|back| back <= self.stage.now) {
                self.stage.back = None;
                self.stage.open(Seat::Primary);
                self.role.started(&mut self.stage);
            } else {
                self.role.act(&mut self.stage);
            }
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        if !self.stage.open.contains(&seat) {
            return Err(Trouble::Gone("there is no link".to_owned()));
        }
        let record = Record::decode_bounded(message, &Default::default()).expect("a Record");
        let Some(payload) = record.payload().cloned() else {
            return Ok(());
        };
        let msg = Msg::decode_bounded(payload, &Default::default()).expect("a Message");
        let Some(request) = msg.as_request() else {
            return Ok(());
        };
        let is_reboot =
            matches!(request, RequestType::Operate(one) if one.command == "Device.Reboot()");
        if let Some(response) = self.answer(request) {
            self.stage.say(seat, Msg::response(msg.msg_id(), response));
        }
        if is_reboot {
            self.stage.reboot();
        }
        Ok(())
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        self.stage.open(seat);
        Ok(())
    }

    fn drop_link(&mut self, seat: Seat) {
        self.stage.open.remove(&seat);
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.stage.reboot();
        Ok(())
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn web(&mut self) -> Option<&mut dyn Web> {
        self.role.web()
    }

    fn network(&mut self) -> Option<&mut dyn Network> {
        self.role.network()
    }

    fn publications(&mut self) -> Option<&mut dyn Publications> {
        self.role.publications()
    }
}

//! Three Controllers on one Agent at once, over wss with certificates, each with the rights of its Role:
//! every message type against every parameter, object, command and event that the Agent has. What each
//! Controller is to see and may do is worked out from the Roles ([`oracle`]), not written by hand.

#[path = "../common/mod.rs"]
mod common;
mod hearing;
mod oracle;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use usphere_datamodel::operation::{
    Add, AddStatus, Delete, DeleteStatus, Get, GetStatus, Instances, InstancesStatus, ObjectAccess,
    ObjectSettings, Operate, OperateStatus, Operation, Outcome, ParameterAccess, Set, SetStatus,
    Setting, SupportedModel, SupportedModelStatus, SupportedObject, SupportedProtocol,
};

use crate::oracle::{Grant, Guest, Kind};
use crate::stage::{Controller, Stage};

/// The vendor: the device's description and firmware, one part and one parameter of it excepted.
const VENDOR: Guest = Guest {
    controller: "self::vendor",
    role: "vendor",
    grants: &[
        Grant {
            order: 1,
            target: "Device.DeviceInfo.",
            rights: "rw-n rw-n rw-n r-xn",
        },
        Grant {
            order: 2,
            target: "Device.DeviceInfo.ProcessStatus.",
            rights: "---- ---- ---- ----",
        },
        Grant {
            order: 3,
            target: "Device.DeviceInfo.SerialNumber",
            rights: "---- ---- ---- ----",
        },
        Grant {
            order: 4,
            target: "Device.LocalAgent.Subscription.",
            rights: "rw-n rw-n rw-- ----",
        },
        Grant {
            order: 5,
            target: "Device.SelfTestDiagnostics()",
            rights: "---- ---- ---- r-xn",
        },
        Grant {
            order: 6,
            target: "Device.ScheduleTimer()",
            rights: "---- ---- ---- r-x-",
        },
        Grant {
            order: 7,
            target: "Device.Boot!",
            rights: "---- ---- ---- ---n",
        },
    ],
};

/// The end user: the hosts and the time of the house, most of it to look at.
const END_USER: Guest = Guest {
    controller: "self::end-user",
    role: "end user",
    grants: &[
        Grant {
            order: 1,
            target: "Device.Hosts.",
            rights: "r--n r--n r--n r--n",
        },
        Grant {
            order: 2,
            target: "Device.Time.",
            rights: "rw-n rw-n rw-n r-xn",
        },
        Grant {
            order: 3,
            target: "Device.Time.LocalTimeZone",
            rights: "r--- ---- ---- ----",
        },
        Grant {
            order: 4,
            target: "Device.LocalAgent.Subscription.",
            rights: "rw-n rw-- rw-n ----",
        },
        Grant {
            order: 5,
            target: "Device.IP.Diagnostics.",
            rights: "r--- r--- ---- r-xn",
        },
        Grant {
            order: 6,
            target: "Device.IP.Diagnostics.TraceRoute()",
            rights: "---- ---- ---- r-x-",
        },
        Grant {
            order: 7,
            target: "Device.ScheduleTimer()",
            rights: "---- ---- ---- ---n",
        },
        Grant {
            order: 8,
            target: "Device.LocalAgent.Periodic!",
            rights: "---- ---- ---- r--n",
        },
        Grant {
            order: 9,
            target: "Device.Boot!",
            rights: "---- ---- ---- r-x-",
        },
    ],
};

/// What nobody runs here: it would end the session or the Agent under test.
const ENDS_THE_TEST: [&str; 3] = ["Reboot()", "FactoryReset()", "Reset()"];

const PERMISSION_DENIED: u32 = 7006;

/// Invalid path: what may not be read is not there. (R-GET.1)
const NOT_THERE: u32 = 7026;

/// Proves: R-SEC.1, R-SEC.1a, R-GET.1, R-GET.4, R-GSP.0
#[tokio::test(flavor = "multi_thread")]
async fn each_sees_sets_runs_and_is_refused_as_its_role_says() {
    let stage = Stage::set(&[VENDOR, END_USER]).await;
    let facts = Facts::gather(&stage.operator).await;
    assert!(facts.values.len() > 100, "{}", facts.values.len());
    for (guest, controller) in &stage.guests {
        let matrix = Matrix {
            guest,
            controller,
            operator: &stage.operator,
            facts: &facts,
        };
        matrix.learns_the_versions().await;
        matrix.gets_what_it_may_read().await;
        matrix.is_told_nothing_of_what_it_may_not_read().await;
        matrix.lists_what_it_may_list().await;
        matrix.learns_of_the_model_what_it_may_read().await;
        matrix.sets_what_it_may_write().await;
        matrix.adds_and_deletes_where_it_may().await;
        matrix.runs_what_it_may().await;
    }
    stage.end().await;
}

/// What the Agent has, as the operator sees it.
struct Facts {
    /// Every parameter with its value, by its path.
    values: BTreeMap<String, String>,
    objects: BTreeSet<String>,
    model: Vec<SupportedObject>,
}

/// One guest against everything that there is.
struct Matrix<'a> {
    guest: &'a Guest,
    controller: &'a Controller,
    operator: &'a Controller,
    facts: &'a Facts,
}

impl Facts {
    async fn gather(operator: &Controller) -> Self {
        let found = get(operator, vec!["Device.".to_owned()]).await.remove(0);
        let found = found.expect("the operator reads everything");
        Self {
            objects: found
                .keys()
                .map(|path| object_of(path).to_owned())
                .collect(),
            values: found,
            model: model(operator, "Device.").await.unwrap(),
        }
    }

    /// A parameter with a path that will be there when it is asked for; processes come and go.
    fn lasting(&self) -> impl Iterator<Item = (&String, &String)> {
        self.values.iter().filter(|(path, _)| lasts(path))
    }

    /// A lasting object of a kind, if there is one.
    fn instance_of<'a>(&'a self, kind: &'a SupportedObject) -> Option<&'a str> {
        if !kind.path.contains("{i}") {
            return Some(&kind.path);
        }
        let mut objects = self.objects.iter();
        let found = objects.find(|path| generic(path) == kind.path && lasts(path));
        found.map(String::as_str)
    }

    fn access(&self, path: &str) -> ParameterAccess {
        let generic = generic(object_of(path));
        let object = self.model.iter().find(|object| object.path == generic);
        let name = &path[object_of(path).len()..];
        let parameter = object
            .and_then(|object| object.parameters.iter().find(|each| each.name == name))
            .unwrap_or_else(|| panic!("{path} is not in the supported model"));
        parameter.access
    }
}

impl Matrix<'_> {
    fn may(&self, letter: char, kind: Kind, path: &str) -> bool {
        self.guest.may(letter, kind, path)
    }

    fn may_get(&self, path: &str) -> bool {
        self.may('r', Kind::Parameter, path) && self.may('r', Kind::Object, object_of(path))
    }

    /// Every object shows exactly what may be read in it and below it; one that may not be read is not there.
    async fn gets_what_it_may_read(&self) {
        let objects: Vec<&String> = self
            .facts
            .objects
            .iter()
            .filter(|path| self.is_steady(path))
            .collect();
        let mut seen_at_all = 0;
        for objects in objects.chunks(20) {
            let paths = objects.iter().map(|path| (*path).clone()).collect();
            for (object, result) in objects.iter().zip(get(self.controller, paths).await) {
                let seen = match result {
                    Ok(found) => found.into_keys().collect(),
                    Err(code) => {
                        assert_eq!(code, NOT_THERE, "{}: {object}", self.guest.role);
                        assert!(
                            !self.may('r', Kind::Object, object),
                            "{}: {object}",
                            self.guest.role
                        );
                        continue;
                    }
                };
                let below = self
                    .facts
                    .lasting()
                    .filter(|(path, _)| path.starts_with(*object));
                let expected = below.filter(|(path, _)| self.may_get(path));
                let expected: BTreeSet<String> = expected.map(|(path, _)| path.clone()).collect();
                let steady = |paths: BTreeSet<String>| -> BTreeSet<String> {
                    paths
                        .into_iter()
                        .filter(|path| self.is_steady(path))
                        .collect()
                };
                seen_at_all += expected.len();
                assert_eq!(
                    steady(seen),
                    steady(expected),
                    "{}: {object}",
                    self.guest.role
                );
            }
        }
        assert!(seen_at_all > 0, "{} sees something", self.guest.role);
    }

    /// Each parameter by its name: its value, or 7026 as if it were not there.
    async fn is_told_nothing_of_what_it_may_not_read(&self) {
        let paths: Vec<String> = self.facts.lasting().map(|(path, _)| path.clone()).collect();
        for paths in paths.chunks(200) {
            let results = get(self.controller, paths.to_vec()).await;
            for (path, result) in paths.iter().zip(results) {
                let role = self.guest.role;
                match result {
                    Ok(found) => assert!(
                        self.may('r', Kind::Parameter, path) && found.contains_key(path),
                        "{role} reads {path}: {found:?}"
                    ),
                    Err(code) => {
                        assert!(
                            !self.may('r', Kind::Parameter, path),
                            "{role}: {path}: {code}"
                        );
                        assert_eq!(code, NOT_THERE, "{role}: {path}");
                    }
                }
            }
        }
    }

    /// GetInstances of every table: the rows that may be listed.
    async fn lists_what_it_may_list(&self) {
        for table in self
            .facts
            .model
            .iter()
            .filter(|object| object.multi_instance)
        {
            let Some(path) = table.path.strip_suffix("{i}.") else {
                continue;
            };
            if path.contains("{i}") || !lasts(path) {
                continue;
            }
            let rows = self.facts.objects.iter();
            let expected: BTreeSet<&str> = rows
                .filter_map(|object| Some((object, object.strip_prefix(path)?)))
                .filter(|(_, rest)| rest.matches('.').count() == 1)
                .filter(|(object, _)| self.may('r', Kind::Instance, object))
                .map(|(object, _)| &**object)
                .collect();
            let asked = Instances {
                paths: vec![path.to_owned()],
                first_level_only: true,
            };
            let outcome = self.controller.ask(Operation::Instances(asked)).await;
            let Ok(Outcome::Instances(mut outcome)) = outcome else {
                panic!("{path}: {outcome:?}");
            };
            match outcome.results.remove(0).status {
                InstancesStatus::Found(found) => {
                    let found: BTreeSet<&str> = found.iter().map(|row| &*row.path).collect();
                    let steady = |path: &&str| self.is_steady(path);
                    let found: BTreeSet<&str> = found.into_iter().filter(steady).collect();
                    let expected: BTreeSet<&str> = expected.into_iter().filter(steady).collect();
                    assert_eq!(found, expected, "{}: {path}", self.guest.role);
                }
                InstancesStatus::Failed(failure) => {
                    assert!(
                        expected.is_empty(),
                        "{}: {path}: {failure:?}",
                        self.guest.role
                    );
                }
            }
        }
    }

    /// GetSupportedDM of every object: what is in it and below it, each by its own right.
    async fn learns_of_the_model_what_it_may_read(&self) {
        let may_know = |path: &str| {
            let kind = match path {
                path if path.ends_with('.') => Kind::Object,
                path if path.ends_with("()") || path.ends_with('!') => Kind::CommandOrEvent,
                _ => Kind::Parameter,
            };
            let in_sight = path.ends_with('.') || self.may('r', Kind::Object, object_of(path));
            in_sight && self.may('r', kind, path)
        };
        let all = names(&self.facts.model);
        let objects: Vec<&String> = all.iter().filter(|path| path.ends_with('.')).collect();
        for object in objects {
            let seen = match model(self.controller, object).await {
                Ok(model) => names(&model),
                Err(code) => {
                    assert_eq!(code, NOT_THERE, "{}: {object}", self.guest.role);
                    assert!(!may_know(object), "{}: {object}", self.guest.role);
                    continue;
                }
            };
            let expected = all
                .iter()
                .filter(|path| path.starts_with(object) && may_know(path));
            let expected: BTreeSet<String> = expected.cloned().collect();
            assert_eq!(seen, expected, "{}: {object}", self.guest.role);
        }
    }

    /// What is spoken is told to everybody alike.
    async fn learns_the_versions(&self) {
        let ask = Operation::SupportedProtocol(SupportedProtocol::default());
        let told = self.controller.ask(ask.clone()).await.unwrap();
        assert_eq!(told, self.operator.ask(ask).await.unwrap());
    }

    /// Every parameter is set to the value that it has: denied where the Role denies it, and never else.
    async fn sets_what_it_may_write(&self) {
        for (path, value) in self.facts.lasting() {
            let writable = self.facts.access(path) == ParameterAccess::ReadWrite;
            let may = self.may('w', Kind::Parameter, path);
            let outcome = self.controller.ask(Operation::Set(set(path, value))).await;
            let Ok(Outcome::Set(mut outcome)) = outcome else {
                panic!("{path}: {outcome:?}");
            };
            let codes = match outcome.results.remove(0).status {
                SetStatus::Updated(_) => {
                    assert!(writable && may, "{} sets {path}", self.guest.role);
                    continue;
                }
                SetStatus::Failed(failure) => {
                    let inner = failure.objects.iter().flat_map(|object| &object.failures);
                    let mut codes = vec![failure.code];
                    codes.extend(inner.map(|failure| failure.code));
                    codes
                }
            };
            let denied = codes.contains(&PERMISSION_DENIED);
            assert!(!(may && denied), "{}: {path}: {codes:?}", self.guest.role);
            if writable && !may && self.may_get(path) {
                assert!(denied, "{}: {path}: {codes:?}", self.guest.role);
            }
        }
    }

    /// Every table that anybody can add to: the row is there, or it was denied; the same for its deletion.
    async fn adds_and_deletes_where_it_may(&self) {
        for object in &self.facts.model {
            let Some(table) = object.path.strip_suffix("{i}.") else {
                continue;
            };
            let (addable, deletable) = match object.access {
                ObjectAccess::AddDelete => (true, true),
                ObjectAccess::AddOnly => (true, false),
                _ => continue,
            };
            if table.contains("{i}") || !addable {
                continue;
            }
            let added = add(self.controller, table).await;
            match &added {
                Ok(_) => assert!(
                    self.may('w', Kind::Object, table),
                    "{} adds to {table}",
                    self.guest.role
                ),
                Err(code) => assert_eq!(
                    *code == PERMISSION_DENIED,
                    !self.may('w', Kind::Object, table),
                    "{}: {table}: {code}",
                    self.guest.role
                ),
            }
            let Ok(row) = (match added {
                Ok(row) => Ok(row),
                Err(_) => add(self.operator, table).await,
            }) else {
                continue;
            };
            if !deletable {
                continue;
            }
            let may = self.may('w', Kind::Instance, &row);
            match delete(self.controller, &row).await {
                Ok(()) => assert!(may, "{} deletes {row}", self.guest.role),
                Err(code) => {
                    assert!(
                        !may && code == PERMISSION_DENIED,
                        "{}: {row}: {code}",
                        self.guest.role
                    );
                    delete(self.operator, &row).await.unwrap();
                }
            }
        }
    }

    /// Every command of every object: denied where the Role denies it, and never else.
    async fn runs_what_it_may(&self) {
        for object in &self.facts.model {
            for command in &object.commands {
                let Some(instance) = self.facts.instance_of(object) else {
                    continue;
                };
                let path = format!("{instance}{}", command.name);
                let may = self.may('x', Kind::CommandOrEvent, &path);
                if may && ENDS_THE_TEST.contains(&&*command.name) {
                    continue;
                }
                let outcome = self
                    .controller
                    .ask(Operation::Operate(Operate::new(&path)))
                    .await;
                let Ok(Outcome::Operate(mut outcome)) = outcome else {
                    panic!("{path}: {outcome:?}");
                };
                let denied = match outcome.results.remove(0).status {
                    OperateStatus::Failed(failure) => failure.code == PERMISSION_DENIED,
                    OperateStatus::Completed(_) | OperateStatus::Started(_) => false,
                };
                assert_eq!(denied, !may, "{}: {path}", self.guest.role);
            }
        }
    }

    /// Rows that this test or the Agent itself makes and takes away while others look.
    fn is_steady(&self, path: &str) -> bool {
        !path.starts_with("Device.LocalAgent.Subscription.") && lasts(path)
    }
}

/// Processes and neighbours come and go as they like.
fn lasts(path: &str) -> bool {
    !path.starts_with("Device.DeviceInfo.ProcessStatus.Process.")
        && !path.starts_with("Device.Hosts.Host.")
        && !path.starts_with("Device.LocalAgent.Request.")
}

fn object_of(path: &str) -> &str {
    let end = path.strip_suffix('.').unwrap_or(path).rfind('.');
    match path.ends_with('.') {
        true => path,
        false => end.map_or(path, |end| &path[..=end]),
    }
}

/// The path with `{i}` for its instance numbers.
fn generic(path: &str) -> String {
    let steps = path.split('.').map(|step| {
        let number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        if number { "{i}" } else { step }
    });
    steps.collect::<Vec<_>>().join(".")
}

/// Each thing of the model by its path.
fn names(model: &[SupportedObject]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for object in model {
        let members = object.parameters.iter().map(|each| &each.name);
        let members = members.chain(object.commands.iter().map(|each| &each.name));
        let members = members.chain(object.events.iter().map(|each| &each.name));
        names.extend(members.map(|name| format!("{}{name}", object.path)));
        names.insert(object.path.clone());
    }
    names
}

async fn get(
    controller: &Controller,
    paths: Vec<String>,
) -> Vec<Result<BTreeMap<String, String>, u32>> {
    let outcome = controller.ask(Operation::Get(Get::all(paths))).await;
    let Ok(Outcome::Get(outcome)) = outcome else {
        panic!("{outcome:?}");
    };
    let results = outcome
        .results
        .into_iter()
        .map(|result| match result.status {
            GetStatus::Failed(failure) => Err(failure.code),
            GetStatus::Found(objects) => Ok(objects
                .into_iter()
                .flat_map(|object| {
                    let path = object.path;
                    object
                        .parameters
                        .into_iter()
                        .map(move |(name, value)| (format!("{path}{name}"), value))
                })
                .collect()),
        });
    results.collect()
}

async fn model(controller: &Controller, path: &str) -> Result<Vec<SupportedObject>, u32> {
    let outcome = controller
        .ask(Operation::SupportedModel(SupportedModel::all([path])))
        .await;
    let Ok(Outcome::SupportedModel(mut outcome)) = outcome else {
        panic!("{path}: {outcome:?}");
    };
    match outcome.results.remove(0).status {
        SupportedModelStatus::Supported(supported) => Ok(supported.objects),
        SupportedModelStatus::Failed(failure) => Err(failure.code),
    }
}

fn set(path: &str, value: &str) -> Set {
    let object = object_of(path);
    Set {
        objects: vec![ObjectSettings {
            path: object.to_owned(),
            parameters: vec![Setting::required(&path[object.len()..], value)],
        }],
        allow_partial: true,
    }
}

async fn add(controller: &Controller, table: &str) -> Result<String, u32> {
    let request = Add {
        objects: vec![ObjectSettings {
            path: table.to_owned(),
            parameters: Vec::new(),
        }],
        allow_partial: true,
    };
    let outcome = controller.ask(Operation::Add(request)).await;
    let Ok(Outcome::Add(mut outcome)) = outcome else {
        panic!("{outcome:?}");
    };
    match outcome.results.remove(0).status {
        AddStatus::Created(created) => Ok(created.path),
        AddStatus::Failed(failure) => Err(failure.code),
    }
}

async fn delete(controller: &Controller, row: &str) -> Result<(), u32> {
    let request = Delete {
        paths: vec![row.to_owned()],
        allow_partial: true,
    };
    let outcome = controller.ask(Operation::Delete(request)).await;
    let Ok(Outcome::Delete(mut outcome)) = outcome else {
        panic!("{outcome:?}");
    };
    match outcome.results.remove(0).status {
        DeleteStatus::Deleted(deleted) if deleted.paths == [row] => Ok(()),
        DeleteStatus::Deleted(deleted) => Err(deleted.failures.first().map_or(0, |each| each.code)),
        DeleteStatus::Failed(failure) => Err(failure.code),
    }
}

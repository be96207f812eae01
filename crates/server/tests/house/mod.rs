//! A device that keeps Subscriptions, as tests of coming on board need it, and when it was checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use usphere_proto::msg::{
    Add, AddResp, AddSuccess, CreatedObjectResult, Delete, DeleteResp, DeleteSuccess,
    DeletedObjectResult, Get, GetResp, GetSupportedDmResp, RequestType, RequestedObjectResult,
    RequestedPathResult, ResolvedPathResult, Set, SetResp, SetSuccess, SupportedObjectResult,
    UpdatedObjectResult,
};
use usphere_server::Server;

use crate::support::{PATIENCE, Played, Reply, get, polite, until};

const TABLE: &str = "Device.LocalAgent.Subscription.";
const US: &str = "Device.LocalAgent.Controller.3.";

/// A device that keeps Subscriptions, and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct House(pub(crate) Arc<Mutex<Inside>>);

#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) software: String,
    pub(crate) rows: BTreeMap<u32, BTreeMap<String, String>>,
    last: u32,
    /// The kinds of the requests.
    pub(crate) asked: Vec<&'static str>,
}

impl House {
    pub(crate) fn new(software: &str) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            software: software.into(),
            ..Inside::default()
        })))
    }

    pub(crate) async fn connect(&self, server: &Server, name: &str) -> Played {
        let inside = Arc::clone(&self.0);
        Played::connect(server, name, move |request| {
            inside.lock().unwrap().answer(request)
        })
        .await
    }

    /// Connects, and waits until it has been checked and what came of that is kept.
    pub(crate) async fn settled(&self, server: &Server, name: &str) -> Played {
        let before = checks(server).await;
        let played = self.connect(server, name).await;
        checked(server, before).await;
        let software = self.0.lock().unwrap().software.clone();
        let path = format!("/api/v1/devices/{name}");
        until(server, &path, |device| {
            device["software_version"] == software.as_str()
        })
        .await;
        played
    }

    pub(crate) fn asked(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn forget_asked(&self) {
        self.0.lock().unwrap().asked.clear();
    }

    /// The Subscriptions by ID.
    pub(crate) fn subscriptions(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let inside = self.0.lock().unwrap();
        let rows = inside.rows.values();
        rows.map(|row| (row["ID"].clone(), row.clone())).collect()
    }

    /// Removes one of its own accord; the path that it had.
    pub(crate) fn take_away(&self, id: &str) -> String {
        let mut inside = self.0.lock().unwrap();
        let found = inside.rows.iter().find(|(_, row)| row["ID"] == id);
        let instance = *found.unwrap().0;
        inside.rows.remove(&instance);
        format!("Device.LocalAgent.Subscription.{instance}.")
    }

    pub(crate) fn alter(&self, id: &str, name: &str, value: &str) {
        let mut inside = self.0.lock().unwrap();
        let mut rows = inside.rows.values_mut();
        let row = rows.find(|row| row["ID"] == id).unwrap();
        row.insert(name.into(), value.into());
    }
}

impl Inside {
    pub(crate) fn answer(&mut self, request: RequestType) -> Reply {
        self.asked.push(match &request {
            RequestType::Add(_) => "add",
            RequestType::Delete(_) => "delete",
            RequestType::Get(_) => "get",
            RequestType::GetSupportedDm(_) => "schema",
            RequestType::GetSupportedProtocol(_) => "protocol",
            RequestType::Set(_) => "set",
            _ => "other",
        });
        match request {
            RequestType::Add(add) => Reply::Response(self.add(add).into()),
            RequestType::Delete(delete) => Reply::Response(self.delete(delete).into()),
            RequestType::Get(get) => Reply::Response(self.get(get).into()),
            RequestType::GetSupportedDm(dm) => {
                let object = |path: &str| SupportedObjectResult {
                    supported_obj_path: path.into(),
                    is_multi_instance: path.ends_with("{i}."),
                    ..SupportedObjectResult::default()
                };
                let results = dm.obj_paths.into_iter().map(|path| RequestedObjectResult {
                    req_obj_path: path,
                    data_model_inst_uri: "urn:test".into(),
                    supported_objs: vec![object("Device."), object("Device.A.{i}.")],
                    ..RequestedObjectResult::default()
                });
                let req_obj_results = results.collect();
                Reply::Response(GetSupportedDmResp { req_obj_results }.into())
            }
            RequestType::Set(set) => Reply::Response(self.set(set).into()),
            other => polite(other),
        }
    }

    fn get(&self, get: Get) -> GetResp {
        let one = |path: &str, name: &str, value: &str| ResolvedPathResult {
            resolved_path: path.into(),
            result_params: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        };
        let results = get.param_paths.into_iter().map(|path| {
            let found = match path.as_str() {
                "Device.DeviceInfo.SoftwareVersion" => {
                    vec![one("Device.DeviceInfo.", "SoftwareVersion", &self.software)]
                }
                TABLE => {
                    let rows = self.rows.iter().map(|(number, row)| ResolvedPathResult {
                        resolved_path: format!("{TABLE}{number}."),
                        result_params: row.clone(),
                    });
                    rows.collect()
                }
                path if path.starts_with("Device.LocalAgent.Controller.[EndpointID==") => {
                    vec![one(US, "EndpointID", "self::server")]
                }
                path => {
                    let name = path.strip_prefix("Device.DeviceInfo.").unwrap();
                    vec![one("Device.DeviceInfo.", name, &format!("the {name}"))]
                }
            };
            RequestedPathResult {
                requested_path: path,
                resolved_path_results: found,
                ..RequestedPathResult::default()
            }
        });
        GetResp {
            req_path_results: results.collect(),
        }
    }

    fn add(&mut self, add: Add) -> AddResp {
        let results = add.create_objs.into_iter().map(|object| {
            assert_eq!(object.obj_path, TABLE);
            self.last += 1;
            let settings = object.param_settings.into_iter();
            let mut row: BTreeMap<_, _> = settings
                .map(|setting| (setting.param, setting.value))
                .collect();
            row.insert("Recipient".into(), US.trim_end_matches('.').into());
            self.rows.insert(self.last, row);
            let success = AddSuccess {
                instantiated_path: format!("{TABLE}{}.", self.last),
                ..AddSuccess::default()
            };
            CreatedObjectResult::success(object.obj_path, success)
        });
        AddResp {
            created_obj_results: results.collect(),
        }
    }

    fn delete(&mut self, delete: Delete) -> DeleteResp {
        let results = delete.obj_paths.into_iter().map(|path| {
            self.rows.remove(&number(&path)).unwrap();
            let success = DeleteSuccess {
                affected_paths: vec![path.clone()],
                ..DeleteSuccess::default()
            };
            DeletedObjectResult::success(path, success)
        });
        DeleteResp {
            deleted_obj_results: results.collect(),
        }
    }

    fn set(&mut self, set: Set) -> SetResp {
        let results = set.update_objs.into_iter().map(|object| {
            let row = self.rows.get_mut(&number(&object.obj_path)).unwrap();
            for setting in object.param_settings {
                row.insert(setting.param, setting.value);
            }
            UpdatedObjectResult::success(object.obj_path, SetSuccess::default())
        });
        SetResp {
            updated_obj_results: results.collect(),
        }
    }
}

/// How many checks of devices have ended.
pub(crate) async fn checks(server: &Server) -> u64 {
    let metrics = get(server, "/metrics").await.body;
    let lines = metrics.as_str().unwrap().lines();
    let counts = lines.filter(|line| line.starts_with("usphere_checks_total{"));
    let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

/// Waits until more checks of devices have ended than `before`.
pub(crate) async fn checked(server: &Server, before: u64) {
    eventually("a check ends", async || checks(server).await > before).await;
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

fn number(path: &str) -> u32 {
    let number = path
        .strip_prefix(TABLE)
        .and_then(|rest| rest.strip_suffix('.'));
    number.unwrap().parse().unwrap()
}

//! An Agent with three Controllers connected: its operator, who may do everything and has made the Roles
//! of the guests, and the guests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use usphere_datamodel::operation::{
    Add, AddStatus, Notified, ObjectSettings, Operate, Operation, OperationError, Outcome, Set,
    SetStatus, Setting,
};
use usphere_mtp::websocket::{Door, ListenerLimits, Target};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost, Notifications};
use usphere_runtime::{ControllerTls, TlsFiles};

use crate::common::{PATIENCE, Program, free_port, ran, usphere};
use crate::oracle::Guest;

const AGENT: &str = "self::roles-agent";
const OPERATOR: &str = "self::operator";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

pub(crate) struct Stage {
    pub(crate) operator: Controller,
    pub(crate) guests: Vec<(&'static Guest, Controller)>,
    url: String,
    certificates: Certificates,
    _agent: Program,
    _folder: TempDir,
}

/// A CA, and a certificate of it for everybody.
struct Certificates {
    folder: PathBuf,
}

/// A Controller that is connected to the Agent.
pub(crate) struct Controller {
    host: ControllerHost,
    agent: EndpointId,
    notifications: Mutex<Notifications>,
}

impl Stage {
    pub(crate) async fn set(guests: &'static [Guest]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guest_ids = guests.iter().map(|guest| guest.controller);
        let certificates = Certificates::made(folder.path(), guest_ids);
        let url = format!("wss://127.0.0.1:{}/usp", free_port());
        let own = certificates.of(AGENT);
        let mut command = usphere();
        command
            .args(["agent", "--endpoint-id", AGENT, "--controller", OPERATOR])
            .args(["--listen", &url, "--data"])
            .arg(folder.path().join("agent"))
            .args(["--tls-cert".as_ref(), own.certificate.as_os_str()])
            .args(["--tls-key".as_ref(), own.key.as_os_str()])
            .args(["--tls-ca".as_ref(), own.authorities.as_os_str()]);
        let mut agent = Program::start(&mut command, folder.path().join("agent.log"));
        agent.wait_for("listening");
        let operator = Controller::connect(OPERATOR, &url, &certificates).await;
        for guest in guests {
            operator.admit(guest).await;
        }
        let mut connected = Vec::new();
        for guest in guests {
            let controller = Controller::connect(guest.controller, &url, &certificates).await;
            connected.push((guest, controller));
        }
        Self {
            operator,
            guests: connected,
            url,
            certificates,
            _agent: agent,
            _folder: folder,
        }
    }

    /// The operator, and then the guests in their order.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = &Controller> {
        let guests = self.guests.iter().map(|(_, controller)| controller);
        std::iter::once(&self.operator).chain(guests)
    }

    /// Sets a parameter of every Controller's row; gives the paths of all.
    pub(crate) async fn set_for_everybody(&self, name: &str, value: u32) -> Vec<String> {
        let request = Set {
            objects: vec![ObjectSettings {
                path: "Device.LocalAgent.Controller.*.".to_owned(),
                parameters: vec![Setting::required(name, value.to_string())],
            }],
            allow_partial: false,
        };
        let outcome = self.operator.ask(Operation::Set(request)).await;
        let Ok(Outcome::Set(mut outcome)) = outcome else {
            panic!("{outcome:?}");
        };
        match outcome.results.remove(0).status {
            SetStatus::Updated(rows) => rows
                .iter()
                .map(|row| format!("{}{name}", row.path))
                .collect(),
            SetStatus::Failed(failure) => panic!("{failure:?}"),
        }
    }

    /// Starts the Agent anew, and has everybody connected again.
    pub(crate) async fn reboot(&mut self) {
        let operate = Operation::Operate(Operate::new("Device.Reboot()"));
        self.operator.ask(operate).await.unwrap();
        for controller in self.everybody() {
            controller.loses_the_agent().await;
        }
        self.operator = Controller::connect(OPERATOR, &self.url, &self.certificates).await;
        for (guest, controller) in &mut self.guests {
            *controller =
                Controller::connect(guest.controller, &self.url, &self.certificates).await;
        }
    }

    pub(crate) async fn end(mut self) {
        for (_, controller) in &mut self.guests {
            controller.host.shutdown().await;
        }
        self.operator.host.shutdown().await;
    }
}

impl Controller {
    async fn connect(id: &str, url: &str, certificates: &Certificates) -> Self {
        let tls = ControllerTls::open(certificates.of(id)).unwrap().tls();
        let id: EndpointId = id.parse().unwrap();
        let target: Target = url.parse().unwrap();
        let config = ControllerConfig {
            msg_id_prefix: format!("{id}-"),
            endpoint_id: id,
        };
        // It has a door only so that it listens before it dials, and misses nothing.
        let door = Door {
            address: ([127, 0, 0, 1], 0).into(),
            path: "/usp".to_owned(),
            tls: false,
            insecure: false,
        };
        let host = ControllerHost::listen(door, ListenerLimits::default(), config, Some(tls));
        let host = host.await.unwrap();
        let notifications = host.handle().notifications();
        let dialling = async {
            // An Agent that starts anew is not there at once.
            while host.connect(&target).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, dialling).await.unwrap();
        let agent = host.wait_for_agent(PATIENCE).await.unwrap();
        Self {
            host,
            agent,
            notifications: Mutex::new(notifications),
        }
    }

    async fn loses_the_agent(&self) {
        let mut events = self.host.handle().events();
        let gone = async {
            while !self.host.handle().online().is_empty() {
                events.next().await;
            }
        };
        timeout(PATIENCE, gone).await.unwrap();
    }

    pub(crate) async fn ask(&self, operation: Operation) -> Result<Outcome, OperationError> {
        self.host
            .handle()
            .request(&self.agent, operation, PATIENCE)
            .await
    }

    /// Whether the Agent does what `request` says.
    pub(crate) async fn sets(&self, request: &Set) -> bool {
        let outcome = self.ask(Operation::Set(request.clone())).await;
        let Ok(Outcome::Set(outcome)) = outcome else {
            panic!("{request:?}: {outcome:?}");
        };
        let mut results = outcome.results.iter();
        results.all(|result| matches!(&result.status, SetStatus::Updated(all) if all.iter().all(|each| each.failures.is_empty())))
    }

    /// What the Agent says next of its own accord.
    pub(crate) async fn notified(&self) -> Notified {
        let mut notifications = self.notifications.lock().await;
        let delivery = notifications.next().await.unwrap();
        let notified = delivery.notified.clone();
        delivery.taken();
        notified
    }

    /// Makes the guest's Role, and the guest a Controller that has it.
    async fn admit(&self, guest: &Guest) {
        let role = self
            .add(ROLES, &[("Name", guest.role), ("Enable", "true")])
            .await;
        for grant in guest.grants {
            let rights: Vec<&str> = grant.rights.split(' ').collect();
            let permission = [
                ("Enable", "true"),
                ("Order", &*grant.order.to_string()),
                ("Targets", grant.target),
                ("Param", rights[0]),
                ("Obj", rights[1]),
                ("InstantiatedObj", rights[2]),
                ("CommandEvent", rights[3]),
            ];
            self.add(&format!("{role}Permission."), &permission).await;
        }
        let controller = [
            ("EndpointID", guest.controller),
            ("AssignedRole", role.trim_end_matches('.')),
            ("OnBoardingComplete", "true"),
            ("Enable", "true"),
        ];
        self.add("Device.LocalAgent.Controller.", &controller).await;
    }

    /// Adds a row with these values.
    pub(crate) async fn add(&self, table: &str, parameters: &[(&str, &str)]) -> String {
        let parameters = parameters.iter();
        let request = Add {
            objects: vec![ObjectSettings {
                path: table.to_owned(),
                parameters: parameters
                    .map(|(name, value)| Setting::required(*name, *value))
                    .collect(),
            }],
            allow_partial: false,
        };
        let outcome = self.ask(Operation::Add(request)).await;
        let Ok(Outcome::Add(mut outcome)) = outcome else {
            panic!("{table}: {outcome:?}");
        };
        match outcome.results.remove(0).status {
            AddStatus::Created(created) => created.path,
            AddStatus::Failed(failure) => panic!("{table}: {failure:?}"),
        }
    }
}

impl Certificates {
    fn made<'a>(folder: &Path, guests: impl Iterator<Item = &'a str>) -> Self {
        let folder = folder.join("certs");
        ran(usphere().args(["certs", "ca", "--dir"]).arg(&folder)).ended(0);
        let mut issue = usphere();
        issue.args(["certs", "issue", AGENT, OPERATOR]);
        ran(issue.args(guests).arg("--dir").arg(&folder)).ended(0);
        Self { folder }
    }

    fn of(&self, id: &str) -> TlsFiles {
        let name = id.replace(':', "_");
        TlsFiles {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
            authorities: self.folder.join("ca.pem"),
        }
    }
}

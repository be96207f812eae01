//! The Agents that are measured: started, connected to, prepared, asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use usphere_mtp::websocket::{Link, LinkEvent, Settings, Target, dial};
use usphere_proto::msg::{RequestType, Set, UpdateObject, UpdateParamSetting};
use usphere_proto::{EndpointId, Msg, Record};

use crate::{OUTSTANDING, Result, TREE, TREE_PARAMETERS, get_of};

pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) links: Vec<Link>,
    pub(crate) agent: EndpointId,
    pub(crate) sent: u64,
    log: Option<PathBuf>,
}

/// Who asks.
pub(crate) const CONTROLLERS: [&str; 2] = ["self::usphere-load", "self::usphere-load-restricted"];

impl Peer {
    pub(crate) fn usphere(binary: &Path, data: &Path) -> Result<Self> {
        let port = free_port()?;
        let log = data.with_extension("log");
        let child = usphere(binary, data)
            .args(["--listen", &format!("ws://127.0.0.1:{port}/usp")])
            .args([
                "--controller",
                CONTROLLERS[0],
                "--controller",
                CONTROLLERS[1],
            ])
            .stderr(fs::File::create(&log)?)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut peer = Self::new("usphere", child, port, "self::usphere-load-agent")?;
        peer.log = Some(log);
        Ok(peer)
    }

    pub(crate) fn obuspa(binary: &Path, data: &Path) -> Result<Self> {
        let port = free_port()?;
        fs::create_dir_all(data)?;
        let settings = [
            (
                "Device.LocalAgent.EndpointID",
                "self::obuspa-load-agent".to_owned(),
            ),
            ("Device.LocalAgent.Controller.1.Alias", "cpe-1".to_owned()),
            ("Device.LocalAgent.Controller.1.Enable", "true".to_owned()),
            (
                "Device.LocalAgent.Controller.1.EndpointID",
                CONTROLLERS[0].to_owned(),
            ),
            (
                "Device.LocalAgent.Controller.1.AssignedRole",
                "Device.LocalAgent.ControllerTrust.Role.1".to_owned(),
            ),
            ("Device.LocalAgent.MTP.1.Alias", "cpe-1".to_owned()),
            ("Device.LocalAgent.MTP.1.Enable", "true".to_owned()),
            ("Device.LocalAgent.MTP.1.Protocol", "WebSocket".to_owned()),
            ("Device.LocalAgent.MTP.1.WebSocket.Port", port.to_string()),
            ("Device.LocalAgent.MTP.1.WebSocket.Path", "/usp".to_owned()),
            (
                "Device.LocalAgent.MTP.1.WebSocket.EnableEncryption",
                "false".to_owned(),
            ),
            ("Internal.Reboot.Cause", "LocalFactoryReset".to_owned()),
        ];
        let lines: Vec<String> = settings
            .iter()
            .map(|(path, value)| format!("{path} \"{value}\"\n"))
            .collect();
        fs::write(data.join("reset.txt"), lines.concat())?;
        let child = obuspa(binary, data)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        Self::new("obuspa", child, port, "self::obuspa-load-agent")
    }

    fn new(name: &'static str, child: Child, port: u16, agent: &str) -> Result<Self> {
        Ok(Self {
            name,
            child,
            port,
            links: Vec::new(),
            agent: EndpointId::parse(agent)?,
            sent: 0,
            log: None,
        })
    }

    pub(crate) async fn connect(&mut self) -> Result<()> {
        let controllers = if self.name == "usphere" {
            &CONTROLLERS[..]
        } else {
            &CONTROLLERS[..1]
        };
        for controller in controllers {
            let mut settings = Settings::new(EndpointId::parse(controller)?);
            settings.queue_records_max = 4 * OUTSTANDING;
            let target: Target = format!("ws://127.0.0.1:{}/usp", self.port).parse()?;
            let mut link = retry(|| dial(&target, &settings)).await?;
            let first = tokio::time::timeout(Duration::from_secs(5), link.receiver.recv()).await?;
            match first {
                Some(LinkEvent::Record(record, _)) if record.is_connect() => {}
                other => {
                    return Err(format!("{}: not a Connect Record: {other:?}", self.name).into());
                }
            }
            self.links.push(link);
        }
        Ok(())
    }

    /// Makes the fixed tree large enough, and gives the restricted Controller its role.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        while self.elements(0, get_of(TREE)).await? < TREE_PARAMETERS {
            let order = self.sent + 1000;
            self.add(
                &format!("{TREE}Permission."),
                &[
                    ("Order", &order.to_string()),
                    ("Targets", "Device.DeviceInfo."),
                ],
            )
            .await?;
        }
        if self.name == "usphere" {
            self.restrict().await?;
        }
        Ok(())
    }

    async fn restrict(&mut self) -> Result<()> {
        let role = self
            .add(
                "Device.LocalAgent.ControllerTrust.Role.",
                &[("Name", "load"), ("Enable", "true")],
            )
            .await?;
        let targets = [
            "Device.",
            "Device.DeviceInfo.",
            "Device.DeviceInfo.MemoryStatus.",
            "Device.DeviceInfo.ProcessStatus.",
            "Device.DeviceInfo.ProcessStatus.Process.*.",
            "Device.LocalAgent.",
            "Device.LocalAgent.Controller.*.",
            "Device.LocalAgent.Controller.1.",
            "Device.LocalAgent.Controller.2.",
            "Device.LocalAgent.MTP.*.",
            "Device.LocalAgent.Controller.[EndpointID==\"self::usphere-load\"].",
            "Device.LocalAgent.ControllerTrust.",
            "Device.LocalAgent.ControllerTrust.Role.*.",
            "Device.LocalAgent.ControllerTrust.Role.1.",
            "Device.LocalAgent.ControllerTrust.Role.[Name==\"load\"].",
            "Device.LocalAgent.ControllerTrust.Role.*.Permission.[Order>2].",
            "Device.Time.",
            "Device.DeviceInfo.ProcessStatus.Process.[CPUTime>=0].",
            "Device.DeviceInfo.SerialNumber",
            "Device.LocalAgent.Controller.*.MTP.*.",
        ];
        for (order, target) in targets.iter().enumerate() {
            let rights = [
                ("Param", "r---"),
                ("Obj", "r---"),
                ("InstantiatedObj", "r---"),
                ("CommandEvent", "r---"),
            ];
            let order = order.to_string();
            let mut values = vec![("Enable", "true"), ("Order", &*order), ("Targets", *target)];
            values.extend(rights);
            self.add(&format!("{role}Permission."), &values).await?;
        }
        let request = RequestType::Set(Set {
            allow_partial: false,
            update_objs: vec![UpdateObject {
                obj_path: format!(
                    "Device.LocalAgent.Controller.[EndpointID==\"{}\"].",
                    CONTROLLERS[1]
                ),
                param_settings: vec![UpdateParamSetting {
                    param: "AssignedRole".to_owned(),
                    value: role.trim_end_matches('.').to_owned(),
                    required: true,
                }],
            }],
        });
        self.ask(0, request).await?;
        Ok(())
    }

    async fn add(&mut self, path: &str, values: &[(&str, &str)]) -> Result<String> {
        use usphere_proto::msg::{Add, AddOutcome, CreateObject, CreateParamSetting, ResponseType};
        let setting = |(param, value): &(&str, &str)| CreateParamSetting {
            param: (*param).to_owned(),
            value: (*value).to_owned(),
            required: true,
        };
        let object = CreateObject {
            obj_path: path.to_owned(),
            param_settings: values.iter().map(setting).collect(),
        };
        let answer = self
            .ask(
                0,
                RequestType::Add(Add {
                    allow_partial: false,
                    create_objs: vec![object],
                }),
            )
            .await?;
        let Some(ResponseType::AddResp(response)) = answer.as_response() else {
            return Err(format!("{}: {path}: {answer:?}", self.name).into());
        };
        match response
            .created_obj_results
            .first()
            .and_then(|result| result.outcome())
        {
            Some(AddOutcome::OperSuccess(success)) => Ok(success.instantiated_path.clone()),
            other => Err(format!("{}: {path}: {other:?}", self.name).into()),
        }
    }

    /// How many parameters, commands and events an answer has.
    pub(crate) async fn elements(&mut self, link: usize, request: RequestType) -> Result<usize> {
        use usphere_proto::msg::ResponseType;
        let answer = self.ask(link, request).await?;
        Ok(match answer.as_response() {
            Some(ResponseType::GetResp(response)) => response
                .req_path_results
                .iter()
                .flat_map(|result| &result.resolved_path_results)
                .map(|object| object.result_params.len())
                .sum(),
            Some(ResponseType::GetSupportedDmResp(response)) => response
                .req_obj_results
                .iter()
                .flat_map(|result| &result.supported_objs)
                .map(|object| {
                    1 + object.supported_params.len()
                        + object.supported_commands.len()
                        + object.supported_events.len()
                })
                .sum(),
            Some(_) => 1,
            None => return Err(format!("{}: {answer:?}", self.name).into()),
        })
    }

    pub(crate) async fn ask(&mut self, link: usize, request: RequestType) -> Result<Msg> {
        self.sent += 1;
        let msg_id = format!("load-{}", self.sent);
        self.send(link, &msg_id, request)?;
        loop {
            let event =
                tokio::time::timeout(Duration::from_secs(10), self.links[link].receiver.recv())
                    .await?;
            let Some(LinkEvent::Record(record, _)) = event else {
                return Err(format!("{}: {event:?}", self.name).into());
            };
            let Some(payload) = record.payload() else {
                continue;
            };
            let msg = Msg::decode_bounded(payload.clone(), &Default::default())?;
            if msg.msg_id() == msg_id {
                return Ok(msg);
            }
        }
    }

    pub(crate) fn send(&self, link: usize, msg_id: &str, request: RequestType) -> Result<()> {
        let controller = EndpointId::parse(CONTROLLERS[link])?;
        let record = Record::no_session(
            &self.agent,
            &controller,
            Msg::request(msg_id, request).into_payload(),
        );
        self.links[link].sender.try_send(&record)?;
        Ok(())
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text
                .split(' ')
                .next()
                .and_then(|ran| ran.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn status(&self, field: &str) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .ok_or("no such field")?;
        Ok(line.trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
    }

    pub(crate) fn resident(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    pub(crate) fn threads(&self) -> Result<u64> {
        self.status("Threads:")
    }
}

impl Peer {
    /// Ends the Agent as its user would, and returns what its log says of its life: commits and syncs.
    pub(crate) fn farewell(&mut self) -> Result<String> {
        let Some(log) = &self.log else {
            return Ok(String::new());
        };
        stop(&mut self.child)?;
        let log = fs::read_to_string(log)?;
        let line = log.lines().find(|line| line.contains("commits"));
        let fields = line.and_then(|line| line.split_once("of this life"));
        Ok(fields
            .map(|(_, fields)| fields.trim().to_owned())
            .unwrap_or_default())
    }
}

/// Asks a child to end, and waits until it has.
pub(crate) fn stop(child: &mut Child) -> Result<()> {
    kill_process(Pid::from_child(child), Signal::TERM)?;
    child.wait()?;
    Ok(())
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It is a measurement's child: nothing of it is kept, so nothing is lost by a plain kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn usphere(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .arg("--data")
        .arg(data)
        .args(["--endpoint-id", "self::usphere-load-agent"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn obuspa(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(data).args([
        "-i",
        "lo",
        "-f",
        "data.db",
        "-s",
        "cli.sock",
        "-r",
        "reset.txt",
        "-p",
        "-v",
        "0",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn retry<F, T, E>(mut attempt: impl FnMut() -> F) -> std::result::Result<T, E>
where
    F: Future<Output = std::result::Result<T, E>>,
{
    for _ in 0..100 {
        if let Ok(done) = attempt().await {
            return Ok(done);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    attempt().await
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}

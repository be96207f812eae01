//! `cargo xtask schemathesis`: the API is asked all that its document allows, and much that it does not.
//!
//! [Schemathesis](https://schemathesis.io) makes the requests from `/api/v1/openapi.json` and judges the answers by it:
//! none of 500, none that is not told of, nothing that is refused though it is allowed, or taken though it is not, nobody
//! let in without a token. Before it stands a server on loopback with simulated devices, so that the answers are real.
//! Nothing outside a temporary folder is changed.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;

use crate::process::{Child, StopSignal};
use crate::project::Project;
use crate::{Outcome, shell};

/// Exit code when this machine cannot do it.
const CANNOT: u8 = 2;

/// Names the program where it is not found by itself.
const VARIABLE: &str = "SCHEMATHESIS";

/// The version whose findings are mended.
const VERSION: &str = "4.32.5";

/// The configuration of the server: it takes requests as fast as they come.
const SERVER: &str = "[rate]\ntoken_per_second = 1000000\ntoken_burst = 1000000\n\
    address_per_second = 1000000\naddress_burst = 1000000\n";

/// How answers are judged.
const SETTINGS: &str = include_str!("settings.toml");

/// Most requests ask the devices that there are for what they have.
const DEVICES_AND_OTHERS: &str = r#"
[dictionaries.device]
values = ["os::012345-SIM000001", "os::012345-SIM000002", "SIM000003", "os::012345-GONE000001"]

[dictionaries.doomed]
values = ["os::012345-SIM000004", "os::012345-SIM000005"]

[dictionaries.path]
values = [
    "Device.", "Device.DeviceInfo.", "Device.LocalAgent.Subscription.", "Device.LocalAgent.Subscription.1.",
    "Device.LocalAgent.Subscription.*.ID", "Device.LocalAgent.Controller.[Enable==true].", "Device.DeviceInfo.SerialNumber",
]

[dictionaries.command]
values = ["Device.ScheduleTimer()", "Device.LocalAgent.Controller.1.SendOnBoardRequest()"]

[dictionaries.element]
values = ["Device.DeviceInfo", "Device.LocalAgent", "Device.LocalAgent.Subscription", "Device.LocalAgent.Controller"]

[dictionaries.parameter]
values = ["Alias", "Enable", "ID", "NotifType", "ReferenceList"]

[parameters]
"path.device" = { dictionary = "device", probability = 0.8 }
"path.endpointID" = { dictionary = "device", probability = 0.8 }
"query.device" = { dictionary = "device", probability = 0.5 }
"body.paths[*]" = { dictionary = "path", probability = 0.7 }
"body.objects[*].path" = { dictionary = "path", probability = 0.7 }
"body.objects[*].parameters[*].name" = { dictionary = "parameter", probability = 0.5 }

[[operations]]
include-method = "DELETE"
include-path = ["/api/v1/devices/{device}", "/bbf/v2/agents/{endpointID}"]

[operations.parameters]
"path.device" = { dictionary = "doomed", probability = 0.8 }
"path.endpointID" = { dictionary = "doomed", probability = 0.8 }

[[operations]]
include-path-regex = "/(operate|commands)$"

[operations.parameters]
"body.command" = { dictionary = "command", probability = 0.7 }
"body.name" = { dictionary = "command", probability = 0.7 }

[[operations]]
include-path-regex = "serviceElements/"
parameters = { "path.name" = { dictionary = "element", probability = 0.7 } }
"#;

/// Every request asks one device that is there: what is tried methodically names no real one by itself.
const ONE_DEVICE: &str = r#"
[parameters]
"path.device" = "os::012345-SIM000001"
"path.endpointID" = "os::012345-SIM000001"
"#;

/// How many simulated devices there are.
const DEVICES: &str = "5";

/// How long the device that goes away again stays.
const GONE_AFTER_SECONDS: &str = "3";

/// How long the server may take to be there.
const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Options {
    /// How long each of the three further looks may take: methodically at all devices, by chance, by chains of requests
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u32,
    /// What chance is made of: the same number makes the same requests
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Builds and starts the server, lets schemathesis ask it, and ends it.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    let program = env::var(VARIABLE).unwrap_or_else(|_| "schemathesis".to_owned());
    if !shell::works(&program, &["--version"]) {
        eprintln!(
            "left out: `{program}` does not run here. To have it:\n\n    python3 -m venv schemathesis\n    \
             schemathesis/bin/pip install schemathesis=={VERSION}\n    \
             {VARIABLE}=$PWD/schemathesis/bin/schemathesis cargo xtask schemathesis"
        );
        return Ok(ExitCode::from(CANNOT));
    }
    shell::step("the program", || project.build_usphere())?;
    let folder = env::temp_dir().join(format!("usphere-schemathesis-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let tested = Tested {
        binary: project.target.join("debug/usphere"),
        api: free()?,
        ws: free()?,
        folder,
        program,
    };
    tested.serve(options).map_err(|error| {
        let folder = tested.folder.display();
        format!("{error}\nthe logs and reports are in {folder}")
    })?;
    fs::remove_dir_all(&tested.folder).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// What is tested, and with what.
struct Tested {
    binary: PathBuf,
    program: String,
    folder: PathBuf,
    api: SocketAddr,
    ws: SocketAddr,
}

impl Tested {
    /// Starts the server and its devices, and asks.
    fn serve(&self, options: &Options) -> Result<(), String> {
        let stop = StopSignal::listen()?;
        self.write("server.toml", SERVER)?;
        let data = self.folder.join("server");
        let mut command = self.usphere("server");
        command.arg("--config").arg(self.folder.join("server.toml"));
        command.arg("--data").arg(&data);
        command.args(["--api", &self.api.to_string(), "--ws", &self.ws.to_string()]);
        let mut server = Child::start("server", command, &self.folder.join("server.log"))?;
        let (id, token) = self.wait(&stop, &mut server, &data)?;
        let mut gone = self.devices(&id, "gone", &["1", "--prefix", "os::012345-GONE"])?;
        let mut devices = self.devices(&id, "devices", &[DEVICES])?;
        gone.wait();
        let asked = self.ask(options, &token);
        server.check()?;
        devices.check()?;
        devices.stop();
        server.stop();
        asked?;
        self.is_sound()
    }

    /// Simulated devices of the server `id`. Those that are told to go are there long enough to be known.
    fn devices(&self, id: &str, name: &'static str, count: &[&str]) -> Result<Child, String> {
        let mut command = self.usphere("sim");
        command.args(["usp", "--count"]).args(count);
        command.args(["--server", &format!("{id}=ws://{}/usp", self.ws)]);
        if name == "gone" {
            command.args(["--seconds", GONE_AFTER_SECONDS]);
        }
        Child::start(name, command, &self.folder.join(format!("{name}.log")))
    }

    /// All that is tried methodically, on one device and on all; then what chance gives. Each in a process of its own: what
    /// breaks one leaves the others whole.
    fn ask(&self, options: &Options, token: &str) -> Result<(), String> {
        let seconds = options.seconds.max(1).to_string();
        let bound = ["--max-time", seconds.as_str()];
        let passes: [(&str, &str, &str, &[&str]); 4] = [
            ("one", ONE_DEVICE, "examples,coverage", &[]),
            ("all", DEVICES_AND_OTHERS, "examples,coverage", &bound),
            ("chance", DEVICES_AND_OTHERS, "fuzzing", &bound),
            ("states", DEVICES_AND_OTHERS, "stateful", &bound),
        ];
        let mut failed = Vec::new();
        for (name, values, phases, more) in passes {
            let settings = format!("{name}.toml");
            self.write(&settings, &format!("{SETTINGS}{values}"))?;
            let asked = shell::step(&format!("schemathesis, {name}"), || {
                let mut command = Command::new(&self.program);
                command.args(["--config-file", &settings, "run"]);
                command.arg(format!("http://{}/api/v1/openapi.json", self.api));
                command.args(["--phases", phases]).args(more);
                if let Some(seed) = options.seed {
                    command.args(["--seed", &seed.to_string()]);
                }
                command.env("USPHERE_TOKEN", token);
                shell::run(command.current_dir(&self.folder))
            });
            failed.extend(asked.err());
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("\n")),
        }
    }

    /// The server has said of nothing that it broke.
    fn is_sound(&self) -> Result<(), String> {
        let path = self.folder.join("server.log");
        let log = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        match log.lines().find(|line| line.contains("panicked")) {
            Some(line) => Err(format!("the server: {line}")),
            None => Ok(()),
        }
    }

    /// Who the server is and its token, when it is there.
    fn wait(
        &self,
        stop: &StopSignal,
        server: &mut Child,
        data: &Path,
    ) -> Result<(String, String), String> {
        let started = Instant::now();
        while started.elapsed() < START_MAX && !stop.was_given() {
            server.check()?;
            let read = |name: &str| fs::read_to_string(data.join(name)).unwrap_or_default();
            let (id, token) = (read("endpoint-id"), read("token"));
            let is_told = !id.trim().is_empty() && !token.trim().is_empty();
            if is_told && TcpStream::connect(self.api).is_ok() {
                return Ok((id.trim().to_owned(), token.trim().to_owned()));
            }
            std::thread::sleep(POLL);
        }
        Err(format!("the server is not there\n{}", server.last_words()))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn usphere(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(verb);
        for inherited in ["USPHERE_API", "USPHERE_DATA", "USPHERE_TOKEN"] {
            command.env_remove(inherited);
        }
        command
    }
}

/// An address that nobody listens at.
fn free() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| format!("no free port: {error}"))
}

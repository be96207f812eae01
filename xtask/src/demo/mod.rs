//! `cargo xtask demo`: a server and an Agent for this host on loopback, and a short tour.
//!
//! Everything is done through the `usphere` command line, as a user would. The state stays in `.demo`, so
//! a second start finds the first one's. Nothing outside that folder is changed.

mod tour;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use crate::process::{Child, StopSignal};
use crate::project::Project;
use crate::shell;
use crate::{Outcome, console};

/// Where the state of the demo lies, below the root.
const FOLDER: &str = ".demo";

/// The server's files, below its data folder.
const ENDPOINT_ID_FILE: &str = "endpoint-id";
const TOKEN_FILE: &str = "token";

/// How long the server may take to be there, and the Agent to be on board.
const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Options {
    /// End after the tour
    #[arg(long)]
    once: bool,
    /// Where the server's API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    api: SocketAddr,
    /// Where the server waits for Agents
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    ws: SocketAddr,
}

/// What the steps of the demo share.
pub(crate) struct Demo {
    /// Whether the server has the web console.
    has_console: bool,
    root: PathBuf,
    folder: PathBuf,
    binary: PathBuf,
    api: SocketAddr,
    ws: SocketAddr,
}

/// Builds, starts both, shows the tour, and waits for Ctrl-C unless told to end.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    for (name, address) in [("api", options.api), ("ws", options.ws)] {
        check_free(name, address)?;
    }
    println!("building usphere (the first time takes some minutes)");
    project.build_usphere()?;
    let has_console = build_console(project);
    let demo = Demo {
        has_console,
        root: project.root.clone(),
        folder: project.root.join(FOLDER),
        binary: project.target.join("debug/usphere"),
        api: options.api,
        ws: options.ws,
    };
    fs::create_dir_all(&demo.folder).map_err(|error| format!("{FOLDER}: {error}"))?;
    let stop = StopSignal::listen()?;
    let mut server = demo.start_server()?;
    let result = demo.agent_and_tour(&mut server, &stop, options.once);
    server.stop();
    match result {
        Err(_) if stop.was_given() => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

impl Demo {
    fn start_server(&self) -> Result<Child, String> {
        let mut command = self.command();
        command
            .arg("server")
            .arg("--data")
            .arg(self.folder.join("server"));
        command.args(["--api", &self.api.to_string(), "--ws", &self.ws.to_string()]);
        Child::start("server", command, &self.folder.join("server.log"))
    }

    fn agent_and_tour(
        &self,
        server: &mut Child,
        stop: &StopSignal,
        once: bool,
    ) -> Result<(), String> {
        let endpoint_id = self.wait_for_server(server, stop)?;
        println!("server  {endpoint_id}");
        println!(
            "        API http://{}, Agents at {}, log {FOLDER}/server.log",
            self.api,
            self.url()
        );
        let mut agent = self.start_agent(&endpoint_id)?;
        let result = self.with_agent(server, &mut agent, stop, once);
        agent.stop();
        result
    }

    fn start_agent(&self, controller: &str) -> Result<Child, String> {
        let mut command = self.command();
        command
            .arg("agent")
            .arg("--data")
            .arg(self.folder.join("agent"));
        command.args(["--controller", &format!("{controller}={}", self.url())]);
        Child::start("agent", command, &self.folder.join("agent.log"))
    }

    fn with_agent(
        &self,
        server: &mut Child,
        agent: &mut Child,
        stop: &StopSignal,
        once: bool,
    ) -> Result<(), String> {
        let device = wait(stop, "the Agent to be on board", || {
            server.check()?;
            agent.check()?;
            Ok(self.device_on_board())
        })
        .map_err(|error| with_last_words(error, agent))?;
        println!("agent   {device}");
        println!("        log {FOLDER}/agent.log\n");
        tour::run(self, &device)?;
        if once {
            return Ok(());
        }
        println!("Both are running; in another terminal:\n");
        for line in self.next_commands(&device) {
            println!("    {line}");
        }
        println!("\nCtrl-C ends both.\n");
        if self.has_console {
            println!("The console, in a browser:\n");
            println!("    http://{}/", self.api);
            println!("    the token to log in with: {FOLDER}/server/{TOKEN_FILE}");
        } else {
            println!(
                "There is no web console at http://{}/; that page says how to get it.",
                self.api
            );
        }
        while !stop.was_given() {
            server.check()?;
            agent.check()?;
            std::thread::sleep(POLL);
        }
        println!("\nending both");
        Ok(())
    }

    /// The server is there when it has said who it is and its API answers.
    fn wait_for_server(&self, server: &mut Child, stop: &StopSignal) -> Result<String, String> {
        let file = self.folder.join("server").join(ENDPOINT_ID_FILE);
        wait(stop, "the server to answer", || {
            server.check()?;
            let endpoint_id = fs::read_to_string(&file)
                .unwrap_or_default()
                .trim()
                .to_owned();
            let is_there = !endpoint_id.is_empty() && self.devices().is_some();
            Ok(is_there.then_some(endpoint_id))
        })
        .map_err(|error| with_last_words(error, server))
    }

    fn devices(&self) -> Option<serde_json::Value> {
        let mut command = self.verb(&["devices", "list", "--json"]);
        let output = command
            .stdin(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        serde_json::from_slice(&output.stdout).ok()
    }

    fn device_on_board(&self) -> Option<String> {
        on_board(&self.devices()?)
    }

    /// A command line against the demo's server. Its address and token go through the environment, so that
    /// what is shown is what a user types.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command
            .args(arguments)
            .env("USPHERE_API", format!("http://{}", self.api))
            .env("USPHERE_DATA", self.folder.join("server"));
        command
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.root);
        for inherited in ["USPHERE_API", "USPHERE_DATA", "USPHERE_TOKEN"] {
            command.env_remove(inherited);
        }
        command
    }

    fn url(&self) -> String {
        format!("ws://{}/usp", self.ws)
    }

    fn next_commands(&self, device: &str) -> Vec<String> {
        let binary = self
            .binary
            .strip_prefix(&self.root)
            .unwrap_or(&self.binary)
            .display()
            .to_string();
        let short = device.rsplit_once(':').map_or(device, |(_, id)| id);
        let folder = |name: &str| format!("{FOLDER}/server{name}");
        vec![
            format!(
                "export PATH=$PWD/{}:$PATH",
                binary.trim_end_matches("/usphere")
            ),
            format!(
                "export USPHERE_API=http://{} USPHERE_DATA={}",
                self.api,
                folder("")
            ),
            "usphere devices list".to_owned(),
            format!("usphere get {short} Device.DeviceInfo.MemoryStatus. Device.Time."),
            format!("usphere schema {short} Device.LocalAgent."),
            format!(
                "curl -H \"Authorization: Bearer $(cat {})\" http://{}/api/v1/devices",
                folder(&format!("/{TOKEN_FILE}")),
                self.api
            ),
        ]
    }
}

/// The console is built where that can be done; without it the demo shows the rest.
fn build_console(project: &Project) -> bool {
    let built = console::check_node().and_then(|()| {
        println!("building the web console");
        console::build(project)
    });
    if let Err(error) = built {
        println!("the web console was not built: {error}");
    }
    console::is_built(project)
}

/// The endpoint ID of the first device that is connected, in what `devices list --json` prints.
fn on_board(devices: &serde_json::Value) -> Option<String> {
    let list = devices
        .as_array()
        .or_else(|| devices.get("devices")?.as_array())?;
    let is_online = |device: &&serde_json::Value| {
        ["online", "connected"]
            .iter()
            .any(|key| device.get(*key).and_then(serde_json::Value::as_bool) == Some(true))
    };
    let device = list.iter().find(is_online)?;
    Some(device.get("endpoint_id")?.as_str()?.to_owned())
}

/// An error with the end of a program's log, unless it shows that already, as it does of a program that ended.
fn with_last_words(error: String, child: &Child) -> String {
    let last_words = child.last_words();
    match error.contains(&last_words) {
        true => error,
        false => format!("{error}\n{last_words}"),
    }
}

fn check_free(name: &str, address: SocketAddr) -> Result<(), String> {
    TcpListener::bind(address).map(drop).map_err(|error| {
        format!(
            "{address} cannot be used: {error}. If another demo or server runs there, end it, or give \
             another address: cargo xtask demo --{name} 127.0.0.1:PORT"
        )
    })
}

/// Asks again and again until there is an answer, an error, a signal to stop, or no time left.
fn wait<T>(
    stop: &StopSignal,
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let started = Instant::now();
    while started.elapsed() < START_MAX {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if stop.was_given() {
            return Err("interrupted".to_owned());
        }
        std::thread::sleep(POLL);
    }
    Err(format!("waited {} for {what}", shell::seconds(START_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_on_board_when_it_is_connected() {
        let list = |text: &str| on_board(&serde_json::from_str(text).unwrap());
        assert_eq!(list("[]"), None);
        assert_eq!(list(r#"[{"endpoint_id":"os::1","online":false}]"#), None);
        let two =
            r#"[{"endpoint_id":"os::1","online":false},{"endpoint_id":"os::2","online":true}]"#;
        assert_eq!(list(two).as_deref(), Some("os::2"));
        assert_eq!(
            list(&format!("{{\"devices\":{two}}}")).as_deref(),
            Some("os::2")
        );
    }

    #[test]
    fn a_taken_port_is_told_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let message = check_free("api", taken.local_addr().unwrap()).unwrap_err();
        assert!(message.contains("--api 127.0.0.1:PORT"), "{message}");
    }
}

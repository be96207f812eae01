//! The programs that are measured, and what they cost.

use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

use super::api::Api;
use super::{BESIDE, Done, PREFIX, SERVER};

/// How long a program may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that is kept, and where the programs find each other.
pub(crate) struct Folder {
    folder: TempDir,
    count: u32,
    api: SocketAddr,
    /// Where devices come in.
    pub(crate) ws: SocketAddr,
    pub(crate) tls: bool,
}

impl Folder {
    pub(crate) fn new(count: u32, tls: bool) -> Done<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            count,
            api: free()?,
            ws: free()?,
            tls,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the server know the devices, before it is started.
    pub(crate) fn fill(&self) -> Done {
        super::search::fill(&self.path("server").join("server.db"), self.count)
    }

    /// Starts a server whose only setting that matters is that all devices come from one address.
    pub(crate) fn server(&self, binary: &Path) -> Done<Running> {
        let all = self.count + 64;
        let config = format!(
            "connections_max = {all}\nconnections_per_source_max = {all}\n\
             [links]\naccepts_per_source_per_second = 500\nhandshakes_per_source_max = 2048\n\
             [rate]\ntoken_per_second = 1000000\ntoken_burst = 1000000\n"
        );
        self.server_with(binary, &config)
    }

    /// Starts a server with this configuration, and TLS where it is wanted.
    pub(crate) fn server_with(&self, binary: &Path, config: &str) -> Done<Running> {
        let mut config = config.to_owned();
        if self.tls {
            self.certify(binary, &[])?;
            let file = |name: &str| self.path("certs").join(name).display().to_string();
            let own = SERVER.replace(':', "_");
            config = format!(
                "tls_cert = {:?}\ntls_key = {:?}\ntls_ca = {:?}\n{config}",
                file(&format!("{own}.pem")),
                file(&format!("{own}.key")),
                file("ca.pem")
            );
        }
        fs::write(self.path("server.toml"), config)?;
        let mut command = Command::new(binary);
        command
            .args(["server", "--endpoint-id", SERVER, "--config"])
            .arg(self.path("server.toml"))
            .arg("--data")
            .arg(self.path("server"))
            .args(["--api", &self.api.to_string(), "--ws", &self.ws.to_string()]);
        Running::start(&mut command, self.path("server.log"))
    }

    /// Makes a CA, and certificates for the server and for `others`, where there are none yet.
    pub(crate) fn certify(&self, binary: &Path, others: &[String]) -> Done {
        let folder = self.path("certs");
        if folder.exists() {
            return Ok(());
        }
        let ca = vec!["ca"];
        let server = vec!["issue", SERVER, "--dns", "127.0.0.1"];
        let mut all = vec![ca, server];
        if !others.is_empty() {
            let others = others.iter().map(String::as_str);
            all.push(["issue"].into_iter().chain(others).collect());
        }
        for arguments in all {
            let mut command = Command::new(binary);
            command
                .arg("certs")
                .args(&arguments)
                .arg("--dir")
                .arg(&folder);
            let ended = command.stdout(Stdio::null()).status()?;
            if !ended.success() {
                return Err(format!("certs {arguments:?}: {ended}").into());
            }
        }
        Ok(())
    }

    /// The API of `server`, once it answers.
    pub(crate) async fn api(&self, server: &Running) -> Done<Api> {
        let mut api = Api {
            address: self.api,
            token: String::new(),
        };
        let began = Instant::now();
        while api.get("/api/v1/health").await.is_err() {
            if began.elapsed() > PATIENCE {
                return Err(format!("the server does not answer: {}", server.log()).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        api.token = fs::read_to_string(self.path("server").join("token"))?
            .trim()
            .to_owned();
        Ok(api)
    }

    /// Starts a server and its devices in one process.
    pub(crate) fn within(&self, binary: &Path, rate: u32) -> Done<Running> {
        let mut command = Command::new(binary);
        command
            .args(["sim", "usp", "--count", &self.count.to_string(), "--within"])
            .arg(self.path("server"))
            .args(["--api", &self.api.to_string()])
            .args(["--prefix", PREFIX, "--rate", &rate.to_string(), "--json"]);
        Running::start(&mut command, self.path("server.log"))
    }

    /// Starts the devices.
    pub(crate) fn simulator(&self, binary: &Path, rate: u32) -> Done<Running> {
        self.simulate(binary, (self.count, PREFIX), rate, "simulator.log")
    }

    /// Starts the device that has a simulator to itself.
    pub(crate) fn witness(&self, binary: &Path) -> Done<Running> {
        self.simulate(binary, (1, BESIDE), 1, "witness.log")
    }

    fn simulate(
        &self,
        binary: &Path,
        (count, prefix): (u32, &str),
        rate: u32,
        log: &str,
    ) -> Done<Running> {
        let scheme = if self.tls { "wss" } else { "ws" };
        let mut command = Command::new(binary);
        command
            .args(["sim", "usp", "--count", &count.to_string()])
            .args(["--server", &format!("{SERVER}={scheme}://{}/usp", self.ws)])
            .args(["--prefix", prefix, "--rate", &rate.to_string(), "--json"]);
        if self.tls {
            command.arg("--certs").arg(self.path("certs"));
        }
        Running::start(&mut command, self.path(log))
    }
}

/// A port that nobody listens on just now.
fn free() -> Done<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A program that runs until this is dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(command: &mut Command, log: PathBuf) -> Done<Self> {
        let file = fs::File::create(&log)?;
        let copy = file.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = child
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        Ok(Self { child, log })
    }

    /// The end of what it has said.
    fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// An error where it has ended.
    pub(crate) fn lives(&mut self) -> Done {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("it ended with {status}:\n{}", self.log()).into()),
        }
    }

    /// Lets it end in its own way.
    pub(crate) async fn terminate(&mut self) -> Done {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                return Err(format!("it does not end:\n{}", self.log()).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends it; the last that it said.
    pub(crate) async fn summary(&mut self) -> Done<String> {
        self.terminate().await?;
        Ok(self.log().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What it has cost so far.
    pub(crate) fn cost(&self) -> Done<Cost> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next());
        let stat = fs::read_to_string(proc.join("stat"))?;
        // The name, in brackets, may hold anything.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = |field: usize| -> Done<u64> {
            let text = fields.split(' ').nth(field).ok_or("a short stat")?;
            Ok(text.parse()?)
        };
        // Hundredths of a second on every Linux there is.
        let cpu = Duration::from_millis(10 * (ticks(11)? + ticks(12)?));
        Ok(Cost {
            resident_kib: resident.ok_or("no VmRSS")?.parse()?,
            cpu,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has cost so far.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) resident_kib: u64,
    cpu: Duration,
}

/// What it cost in some time.
pub(crate) struct Spent {
    cpu: Duration,
    took: Duration,
    pub(crate) resident_kib: u64,
}

impl Cost {
    pub(crate) fn between(before: &Self, after: &Self, took: Duration) -> Spent {
        Spent {
            cpu: after.cpu.saturating_sub(before.cpu),
            took,
            resident_kib: after.resident_kib,
        }
    }
}

impl Spent {
    /// Of one core, in hundredths.
    pub(crate) fn share(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.took.as_secs_f64().max(0.001)
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.share();
        write!(
            f,
            "the server took {:.1} s of CPU ({share:.0} % of a core), {} KiB resident",
            self.cpu.as_secs_f64(),
            self.resident_kib
        )
    }
}

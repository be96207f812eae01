//! `usphere conformance`: the certification tests of USP Agents, listed and run.

use std::io::{self, IsTerminal, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use usphere_conformance::catalogue::{CATALOGUE, Entry, Selection};
use usphere_conformance::sockets::broker::{Broker, BrokerSetup, BrokerUrl, BrokerUrlError};
use usphere_conformance::sockets::{
    Listen, Reach, Setup, Sockets, SocketsError, Spawn, unix_seconds,
};
use usphere_conformance::{Credentials, Outcome, Peer, Profile, Progress, Report};
use usphere_mtp::tls::Identity;
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::{ControllerTls, TlsFiles};

use super::{block_on, certs};
use crate::defaults::{CONFORMANCE_ID, CONFORMANCE_PATH};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::signals::Signals;
use crate::tls::TlsOptions;

/// What stands below the help of `run`.
const EXAMPLES: &str = "\
Examples:
  An Agent whose process the suite starts, and that dials it:
    usphere conformance run --spawn \"my-agent --controller {controller} --url {url}\" --report out
  One that has been told to dial this host, with certificates on both ends:
    usphere certs ca
    usphere certs issue self::usphere-conformance self::usphere-conformance-2 --dns 192.0.2.1
    usphere conformance run --listen wss://192.0.2.1:9001/usp --report out
  One that listens, and only some tests:
    usphere conformance run --agent ws://192.0.2.7:9002/usp --only 1.1-1.20,7.*
  One whose MQTT server the suite is:
    usphere conformance run --listen mqtt://192.0.2.1:1883

Exit codes: 0 when all was run and no test has failed, 1 when one has or the Agent was lost, 3 when it was not there at
all, 130 after Ctrl-C. A whole run takes about 40 minutes where the Agent has all that is asked for, most of it waiting.";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the tests: ID, level, transport, title, and of which Agents they are asked
    List(List),
    /// Run tests against one Agent that knows us as a Controller with full access
    ///
    /// The Agent has to know the endpoint ID of --as as a Controller with full access. Some tests add a second Controller,
    /// whose endpoint ID ends with -2. Tests delete Subscriptions, change their own Controller's row and restart the Agent: do
    /// not use one that somebody needs. docs/conformance.md tells more.
    #[command(after_long_help = EXAMPLES)]
    Run(Box<Run>),
}

#[derive(Args, Debug)]
struct List {
    /// Only these: IDs, ranges and sections, such as 1.1-1.20,7.*
    #[arg(long, value_name = "TESTS")]
    only: Option<Selection>,
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Run {
    /// Start the Agent by this command of the shell, and again whenever a test needs it; {controller} in it stands
    /// for our endpoint ID and {url} for the address at which the Agent is to dial us. What is kept across its
    /// restarts is the command's business
    #[arg(long, value_name = "COMMAND")]
    spawn: Option<String>,
    /// Wait here for the Agent to dial in: ws://ADDRESS:PORT/PATH or wss://…; the second Controller is at the next port. Or
    /// be the Agent's server here: mqtt://ADDRESS:PORT, mqtts://…, stomp://… or stomps://…
    /// [default with --spawn alone: ws://127.0.0.1/usp at a port that is free]
    #[arg(long, value_name = "URL", conflicts_with = "agent")]
    listen: Option<Door>,
    /// Dial the Agent here: ws://HOST:PORT/PATH or wss://…
    #[arg(long, value_name = "URL")]
    agent: Option<Target>,
    /// Only these tests: IDs, ranges and sections, such as 1.1-1.20,7.*
    #[arg(long, value_name = "TESTS")]
    only: Option<Selection>,
    /// Write report.json, report.xml (JUnit) and report.html into this folder, and agent.log with --spawn
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// What of the Agent to use where the plan leaves a choice; see docs/conformance.md
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Print the report in JSON instead of the summary; its shape stands in docs/cli.md
    #[arg(long)]
    json: bool,
    /// Who we are to that Agent
    #[arg(long = "as", value_name = "ENDPOINT-ID", default_value = CONFORMANCE_ID)]
    own: EndpointId,
    /// A folder of `usphere certs` with a certificate for us and one for the second Controller: for wss://, mqtts:// and
    /// stomps://, instead of --tls-cert, --tls-key and --tls-ca, which are the same for both; for the tests of TLS within
    /// Records, over any transport; and for the web server to which bulk data is sent over https://, which shows our
    /// certificate: it has to name the address that the Agent is given, as `usphere certs issue … --dns 127.0.0.1` makes it
    #[arg(long, value_name = "DIR", help_heading = "TLS (wss://, mqtts://, stomps://)", conflicts_with_all = ["certificate", "key", "authorities"])]
    certs: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsOptions,
}

/// Where the Agent finds us.
#[derive(Clone, Debug)]
enum Door {
    /// A server of MQTT or STOMP.
    Broker(BrokerUrl),
    /// A WebSocket.
    WebSocket(Target),
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_broker = ["mqtt", "stomp"].iter().any(|one| text.starts_with(one));
        match is_broker {
            true => text
                .parse()
                .map(Self::Broker)
                .map_err(|error: BrokerUrlError| error.to_string()),
            false => text
                .parse::<Target>()
                .map(Self::WebSocket)
                .map_err(|error| error.to_string()),
        }
    }
}

/// What reaches the Agent, ready to be started.
enum Start {
    Broker(BrokerSetup),
    Sockets(Setup),
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::List(list) => list.run(),
            What::Run(run) => run.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<Exit, Failure> {
        let only = self.only.unwrap_or_else(Selection::all);
        let chosen = CATALOGUE.iter().filter(|entry| only.has(entry.id));
        if self.json {
            let all: Vec<Value> = chosen.map(listed).collect();
            return print::json(&all);
        }
        let rows = chosen.map(|entry| {
            let level = entry.level.name().to_owned();
            let transport = entry.transport().unwrap_or("any").to_owned();
            let (title, condition) = (entry.title.to_owned(), entry.condition.to_owned());
            vec![entry.id.to_string(), level, transport, title, condition]
        });
        print::text(&print::columns(
            &["TEST", "LEVEL", "MTP", "TITLE", "CONDITION"],
            rows,
        ))
    }
}

/// A test as JSON.
fn listed(entry: &Entry) -> Value {
    json!({
        "id": entry.id.to_string(),
        "title": entry.title,
        "section": entry.section,
        "level": entry.level.name(),
        "condition": entry.condition,
        "mtp": entry.transport(),
    })
}

impl Run {
    fn run(self) -> Result<Exit, Failure> {
        let profile = match &self.profile {
            None => Profile::default(),
            Some(path) => Profile::read(path).map_err(Failure::usage)?,
        };
        let second = format!("{}-2", self.own);
        let second = EndpointId::parse(&second).map_err(Failure::usage)?;
        if let Some(folder) = &self.report {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::local(format_args!("{}: {error}", folder.display())))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let setup = match &self.listen {
            Some(Door::Broker(url)) => Start::Broker(BrokerSetup {
                tls: self.tls(url.tls, &self.own)?,
                url: url.clone(),
                primary: self.own.clone(),
                second,
                credentials: self.credentials()?,
                web: self.web_files()?,
                spawn: self.spawned(),
                stop: Arc::clone(&stop),
            }),
            _ => {
                let reach = self.reach()?;
                let is_tls = match &reach {
                    Reach::Dial(target) => target.tls,
                    Reach::Listen(listen) => listen.tls,
                };
                Start::Sockets(Setup {
                    reach,
                    tls: self.tls(is_tls, &self.own)?,
                    second_tls: self.tls(is_tls, &second)?,
                    primary: self.own.clone(),
                    second,
                    web: self.web_files()?,
                    credentials: self.credentials()?,
                    spawn: self.spawned(),
                    stop: Arc::clone(&stop),
                })
            }
        };
        let only = self.only.clone().unwrap_or_else(Selection::all);
        let (report, is_interrupted) = block_on(ran(setup, profile, only, stop))?;
        let exit = self.conclude(&report)?;
        match is_interrupted {
            true => Err(Failure::new(Exit::Interrupted, "ended by a signal")),
            false => Ok(exit),
        }
    }

    fn reach(&self) -> Result<Reach, Failure> {
        let (target, spawn) = match (&self.agent, &self.listen, &self.spawn) {
            (Some(target), ..) => return Ok(Reach::Dial(target.clone())),
            (None, Some(Door::WebSocket(target)), _) => (Some(target), None),
            (None, _, spawn) => (None, spawn.as_ref()),
        };
        let Some(target) = target else {
            let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
            return match spawn {
                Some(_) => Ok(Reach::Listen(Listen {
                    address: loopback,
                    path: CONFORMANCE_PATH.to_owned(),
                    tls: false,
                })),
                None => Err(Failure::usage("--spawn, --listen or --agent is needed").advise(
                    "--spawn COMMAND starts an Agent that dials us, --listen URL waits for one, --agent URL dials one",
                )),
            };
        };
        let host: IpAddr = target.host.parse().map_err(|_| {
            Failure::usage(format_args!(
                "--listen {target}: an address of this host is expected"
            ))
            .advise("such as ws://127.0.0.1:9001/usp")
        })?;
        Ok(Reach::Listen(Listen {
            address: SocketAddr::new(host, target.port),
            path: target.path.clone(),
            tls: target.tls,
        }))
    }

    /// The Agent's process, where it is ours.
    fn spawned(&self) -> Option<Spawn> {
        let command = self.spawn.clone()?;
        let log = self.report.as_ref().map(|folder| folder.join("agent.log"));
        Some(Spawn { command, log })
    }

    fn tls(&self, is_wanted: bool, own: &EndpointId) -> Result<Option<ControllerTls>, Failure> {
        if !is_wanted {
            return Ok(None);
        }
        let files = match &self.certs {
            None => self.tls.clone().or_kept(own)?,
            Some(folder) => files_in(folder, own),
        };
        ControllerTls::open(files).map(Some).map_err(Failure::local)
    }

    /// What the suite's web server speaks TLS with, also where the Agent is reached without.
    fn web_files(&self) -> Result<Option<TlsFiles>, Failure> {
        match &self.certs {
            None => self.tls.clone().over(certs::kept(&self.own)),
            Some(folder) => Ok(Some(files_in(folder, &self.own))),
        }
    }

    /// What we prove by certificates within Records, where a folder of them is named.
    fn credentials(&self) -> Result<Option<Credentials>, Failure> {
        let Some(folder) = &self.certs else {
            return Ok(None);
        };
        let (certificate, key) = certs::files(folder, &self.own);
        let identity = Identity::from_files(&certificate, &key).map_err(Failure::local)?;
        let shown = std::fs::read_to_string(&certificate)
            .map_err(|error| Failure::local(format_args!("{}: {error}", certificate.display())))?;
        let authority = certs::authority(folder)?.map(|(authority, _)| authority);
        let own = self.own.clone();
        Ok(Some(Credentials::new(
            own,
            identity,
            shown,
            authority,
            unix_seconds(),
        )))
    }

    fn conclude(&self, report: &Report) -> Result<Exit, Failure> {
        if let Some(folder) = &self.report {
            let written = report.write(folder);
            written
                .map_err(|error| Failure::local(format_args!("{}: {error}", folder.display())))?;
        }
        if self.json {
            print::json(&report.to_json())?;
        } else {
            print::text(&report.to_text())?;
        }
        Ok(match report.is_good() {
            true => Exit::Done,
            false => Exit::Refused,
        })
    }
}

fn files_in(folder: &Path, own: &EndpointId) -> TlsFiles {
    let (certificate, key) = certs::files(folder, own);
    TlsFiles {
        certificate,
        key,
        authorities: certs::ca_certificate(folder),
    }
}

/// Runs the suite on a thread of its own, until its end or a signal: the report of what was run, and whether there
/// was a signal.
async fn ran(
    setup: Start,
    profile: Profile,
    only: Selection,
    stop: Arc<AtomicBool>,
) -> Result<(Report, bool), Failure> {
    let mut signals = Signals::listen()?;
    let (told, mut end) = oneshot::channel();
    let mut shown = Shown {
        stop: Arc::clone(&stop),
        is_terminal: io::stderr().is_terminal(),
    };
    thread::spawn(move || {
        let report = start(setup, profile, &only, &mut shown);
        // Nobody is told who has gone already.
        drop(told.send(report));
    });
    let (report, is_interrupted) = tokio::select! {
        report = &mut end => (report, false),
        () = signals.wait() => {
            stop.store(true, Ordering::Relaxed);
            (signals.say_farewell(end).await, true)
        }
    };
    match report {
        Ok(Ok(report)) => Ok((report, is_interrupted)),
        // Before the first test there is nothing to report.
        _ if is_interrupted => Err(Failure::new(Exit::Interrupted, "ended by a signal")),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::local("the suite has ended by a fault of its own")),
    }
}

fn start(
    setup: Start,
    profile: Profile,
    only: &Selection,
    shown: &mut Shown,
) -> Result<Report, Failure> {
    let own = match &setup {
        Start::Broker(setup) => setup.primary.clone(),
        Start::Sockets(setup) => setup.primary.clone(),
    };
    let peer: Result<Box<dyn Peer>, SocketsError> = match setup {
        Start::Broker(setup) => Broker::start(setup).map(|peer| Box::new(peer) as _),
        Start::Sockets(setup) => Sockets::start(setup).map(|peer| Box::new(peer) as _),
    };
    let peer = peer.map_err(|error| match error {
        SocketsError::NoTls => Failure::usage(error),
        error => Failure::local(error),
    })?;
    let report = usphere_conformance::run(peer, profile, only, shown);
    report.map_err(|error| {
        Failure::new(Exit::Absent, error).advise(format!(
            "the Agent has to reach us or be reached by us, and to know {own} as a Controller with full access; --as says \
             another endpoint ID\n  over TLS it has to show a certificate of a CA that we trust, and to trust ours: --certs, or --tls-cert, --tls-key and --tls-ca\n  an Agent that has kept our address from an earlier run needs a --listen with the same port, or new data"
        ))
    })
}

/// Says how far the run is.
struct Shown {
    stop: Arc<AtomicBool>,
    is_terminal: bool,
}

impl Progress for Shown {
    fn waits(&mut self, way: &str) {
        eprintln!("waiting for the Agent: {}", print::clean(way));
    }

    fn begins(&mut self, entry: &Entry, number: usize, of: usize) {
        if self.is_terminal {
            let mut stderr = io::stderr();
            // A terminal that is gone needs no progress.
            let _ = write!(stderr, "\r\x1b[K{number}/{of} {} {}", entry.id, entry.title)
                .and_then(|()| stderr.flush());
        }
    }

    fn ended(&mut self, outcome: &Outcome) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        let reason = match outcome.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", print::clean(reason)),
        };
        let (id, result) = (outcome.id.to_string(), outcome.result.name());
        eprintln!("{clear}{id:<6} {result:<14} {}{reason}", outcome.title);
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

//! `usphere sim`: fleets of simulated devices against a real server.

mod within;

use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::runtime;
use tokio::time::{interval, sleep};
use usphere_agent::{Authority, Target, TrustConfig};
use usphere_mtp::tls::{Identity, authorities};
use usphere_mtp::websocket;
use usphere_proto::EndpointId;
use usphere_runtime::{Trusted, descriptors};
use usphere_sim::limits::{DESCRIPTORS_BESIDE, DEVICES_MAX, STARTS_PER_SECOND};
use usphere_sim::{
    Counts, Fleet, Identities, Kit, Plan, PlanError, Rates, Sockets, Way, controller_at,
};
use usphere_trust::{AllowedUses, Certificate};

use super::certs;
use crate::defaults::{SIM_API, SIM_PREFIX, SIM_PROGRESS, STORE_THREADS};
use crate::failure::{Exit, Failure};
use crate::memory;
use crate::print;
use crate::signals::Signals;
use crate::tls::{ADVICE, TlsOptions};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run many USP Agents, each a small home gateway on the real engine, until Ctrl-C or --seconds
    Usp(Usp),
}

#[derive(Args, Debug)]
struct Usp {
    /// How many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(DEVICES_MAX)))]
    count: u32,
    /// Where they connect: ws://HOST:PORT/PATH or wss://…; ENDPOINT-ID= before it says who is there, where the
    /// server does not tell by itself
    #[arg(long, value_name = "[ENDPOINT-ID=]URL", value_parser = read_server, required_unless_present = "within")]
    server: Option<Server>,
    /// Instead of --server, start a server in the same process, with its data in this folder, and links that
    /// are queues instead of sockets: for more devices than there may be open files
    #[arg(long, value_name = "DIR", conflicts_with_all = ["server", "certs", "certificate", "key", "authorities"])]
    within: Option<PathBuf>,
    /// Where the API of that server listens
    #[arg(long, value_name = "ADDRESS", default_value = SIM_API, requires = "within")]
    api: SocketAddr,
    /// What their endpoint IDs begin with; a number of six digits or more follows
    #[arg(long, value_name = "TEXT", default_value = SIM_PREFIX)]
    prefix: String,
    /// What chance is made of: the same number gives the same devices and the same lives
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many begin per second
    #[arg(long, value_name = "N", default_value_t = STARTS_PER_SECOND, value_parser = read_rate)]
    rate: f64,
    /// How many values change by themselves on each device per minute, in the mean
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = read_rate)]
    changes_per_minute: f64,
    /// How often each device loses its link per hour, in the mean
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = read_rate)]
    link_loss_per_hour: f64,
    /// How often the power of each device goes per hour, in the mean; it is back after 3 to 15 s
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = read_rate)]
    reboots_per_hour: f64,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Print a summary in JSON at the end; its shape stands in docs/cli.md
    #[arg(long)]
    json: bool,
    /// A folder of `usphere certs`: devices with a certificate there use it, all others get one from the
    /// CA there, in memory. For wss://, instead of --tls-cert and --tls-key, which are one certificate for
    /// all devices, with a wildcard in it
    #[arg(long, value_name = "DIR", help_heading = "TLS (wss://)", conflicts_with_all = ["certificate", "key"])]
    certs: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsOptions,
}

/// Where the devices connect.
#[derive(Clone, Debug)]
struct Server {
    id: Option<EndpointId>,
    target: websocket::Target,
}

/// Where the devices find their server.
struct Place {
    controller: EndpointId,
    target: Target,
    way: Way,
    /// Where it is in this process.
    server: Option<usphere_server::Server>,
}

/// What is printed at the end.
#[derive(Serialize)]
struct Summary {
    server: EndpointId,
    devices: u32,
    seed: u64,
    seconds: f64,
    /// Seconds until all were online for the first time.
    all_online_after: Option<f64>,
    #[serde(flatten)]
    counts: Counts,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let What::Usp(usp) = self.what;
        memory::prefer_small_pages();
        runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(STORE_THREADS)
            .build()
            .map_err(|error| {
                Failure::local(format_args!("the runtime cannot be started: {error}"))
            })?
            .block_on(usp.run())
    }
}

impl Usp {
    async fn run(self) -> Result<Exit, Failure> {
        let mut signals = Signals::listen()?;
        let Place {
            controller,
            target,
            way,
            server,
        } = self.place().await?;
        let plan = self.plan(controller.clone(), target)?;
        let started = Instant::now();
        let fleet = Fleet::start(plan, way).map_err(unplanned)?;
        let ending = async {
            match self.seconds {
                Some(seconds) => sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let mut watched = Watched::default();
        tokio::select! {
            () = signals.wait() => {}
            () = ending => {}
            () = watched.watch(&fleet, self.count, started) => {}
        }
        watched.end();
        let summary = Summary {
            server: controller,
            devices: self.count,
            seed: self.seed,
            seconds: seconds(started.elapsed()),
            all_online_after: watched.all_online.map(seconds),
            counts: fleet.counts(),
        };
        let farewell = async {
            fleet.stop().await;
            if let Some(server) = server {
                server.shutdown().await;
            }
        };
        signals.say_farewell(farewell).await;
        if self.json {
            print::json(&summary)?;
        } else {
            print::text(&summary.text())?;
        }
        if summary.counts.links == 0 {
            let text = "no device got a link";
            return Err(Failure::new(Exit::Absent, text)
                .advise("USPHERE_LOG=usphere_sim=debug shows why; is the server there, and does it let them in?"));
        }
        Ok(Exit::Done)
    }

    /// Says what the system allows, where that is not enough.
    fn check_descriptors(&self) -> Result<(), Failure> {
        let count = u64::from(self.count);
        let given = descriptors::raise(count + DESCRIPTORS_BESIDE);
        match given.saturating_sub(DESCRIPTORS_BESIDE) {
            enough if enough >= count => Ok(()),
            allowed => Err(Failure::local(format_args!(
                "{} devices need as many open files, and this process may have {allowed} beside its own",
                self.count
            ))
            .advise(format!(
                "--count {allowed} fits; more where the limit is higher (ulimit -Hn, LimitNOFILE= of systemd), or in several processes"
            ))),
        }
    }

    /// Where the devices find their server; one in this process is started.
    async fn place(&self) -> Result<Place, Failure> {
        if let Some(folder) = &self.within {
            let server = within::start(folder, self.api).await?;
            return Ok(Place {
                controller: server.endpoint_id().clone(),
                target: within::target(),
                way: Way::Within(server.controller().dialler()),
                server: Some(server),
            });
        }
        let Some(server) = &self.server else {
            return Err(Failure::usage("--server or --within is needed"));
        };
        self.check_descriptors()?;
        let target = Target {
            host: server.target.host.clone(),
            port: server.target.port,
            path: server.target.path.clone(),
            encryption: server.target.tls,
        };
        let sockets = self.sockets()?;
        let nobody = EndpointId::parse("self::nobody").map_err(Failure::local)?;
        let plan = self.plan(nobody, target.clone())?;
        Ok(Place {
            controller: who_is(server, &plan, &sockets).await?,
            target,
            way: Way::Sockets(sockets),
            server: None,
        })
    }

    fn plan(&self, controller: EndpointId, target: Target) -> Result<Plan, Failure> {
        Ok(Plan {
            prefix: self.prefix.clone(),
            trust: self.trust()?,
            seed: self.seed,
            starts_per_second: self.rate,
            rates: Rates {
                changes_per_minute: self.changes_per_minute,
                link_losses_per_hour: self.link_loss_per_hour,
                reboots_per_hour: self.reboots_per_hour,
            },
            ..Plan::new(self.count, controller, target)
        })
    }

    /// Whether the server is reached over TLS.
    fn is_tls(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.target.tls)
    }

    /// The CAs that vouch for the server.
    fn authorities(&self) -> Result<Vec<Certificate>, Failure> {
        if !self.is_tls() {
            return Ok(Vec::new());
        }
        let file = self.tls.authorities.clone();
        let file = file.unwrap_or_else(|| certs::ca_certificate(&self.folder()));
        authorities(&file).map_err(|error| Failure::local(error).advise(ADVICE))
    }

    fn trust(&self) -> Result<TrustConfig, Failure> {
        let authorities = self.authorities()?.into_iter();
        let authorities = authorities.map(|certificate| Authority {
            certificate,
            allowed_uses: AllowedUses::MtpAndUsp,
            full_access: false,
        });
        Ok(TrustConfig {
            authorities: authorities.collect(),
            ..TrustConfig::default()
        })
    }

    fn sockets(&self) -> Result<Sockets, Failure> {
        if !self.is_tls() {
            return Ok(Sockets::default());
        }
        let trusted = Trusted::new(self.authorities()?);
        trusted.set_time_is_known(true);
        Ok(Sockets {
            identities: Some(Arc::new(self.identities()?)),
            trusted: Some(trusted),
        })
    }

    fn identities(&self) -> Result<Identities, Failure> {
        match (&self.tls.certificate, &self.tls.key) {
            (Some(certificate), Some(key)) => {
                let identity = Identity::from_files(certificate, key).map_err(Failure::local)?;
                Ok(Identities::Shared(identity))
            }
            (None, None) => issued(&self.folder()),
            _ => Err(Failure::usage("--tls-cert and --tls-key go together").advise(ADVICE)),
        }
    }

    fn folder(&self) -> PathBuf {
        certs::folder(self.certs.clone())
    }
}

/// Who the server is: as the command line says, or else as the server itself does.
async fn who_is(server: &Server, plan: &Plan, sockets: &Sockets) -> Result<EndpointId, Failure> {
    if let Some(id) = &server.id {
        return Ok(id.clone());
    }
    let kit = Kit::new(Plan {
        count: 1,
        ..plan.clone()
    });
    let first = kit.and_then(|kit| kit.endpoint_id(0)).map_err(unplanned)?;
    let told = controller_at(&server.target, &first, sockets).await;
    let told = told
        .map_err(|error| Failure::new(Exit::Absent, format_args!("{}: {error}", server.target)))?;
    told.ok_or_else(|| {
        let text = format!("{}: this server does not tell who it is", server.target);
        Failure::new(Exit::Absent, text).advise("--server ENDPOINT-ID=URL says it")
    })
}

/// The certificates of the devices in a folder of `usphere certs`, or those that its CA makes.
fn issued(folder: &Path) -> Result<Identities, Failure> {
    let of = folder.to_owned();
    Ok(Identities::Own {
        files: Box::new(move |id| certs::files(&of, id)),
        authority: certs::authority(folder)?.map(Box::new),
    })
}

/// What is seen of a fleet while it runs.
#[derive(Default)]
struct Watched {
    all_online: Option<Duration>,
    printed: bool,
}

impl Watched {
    /// Watches until this is dropped; shows it where there is a terminal.
    async fn watch(&mut self, fleet: &Fleet, devices: u32, started: Instant) {
        let mut ticks = interval(Duration::from_millis(100));
        let each = SIM_PROGRESS.as_millis() / ticks.period().as_millis().max(1);
        let mut before = (Instant::now(), Counts::default());
        let shown = io::stderr().is_terminal();
        for tick in 1.. {
            ticks.tick().await;
            let counts = fleet.counts();
            if self.all_online.is_none() && counts.online >= u64::from(devices) {
                self.all_online = Some(started.elapsed());
            }
            if shown && tick % each == 0 {
                let now = Instant::now();
                let line = line(counts, before.1, devices, now - before.0);
                let mut stderr = io::stderr();
                // A terminal that is gone needs no progress.
                let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
                before = (now, counts);
                self.printed = true;
            }
        }
    }

    fn end(&self) {
        if self.printed {
            eprintln!();
        }
    }
}

fn line(now: Counts, before: Counts, devices: u32, passed: Duration) -> String {
    let messages = |counts: Counts| counts.received + counts.sent;
    let per_second = (messages(now) - messages(before)) as f64 / passed.as_secs_f64().max(0.001);
    format!(
        "{} of {devices} online, {} connecting, {per_second:.0} messages/s, {} notifies sent, {} refused, {} lost, {} errors",
        now.online, now.connecting, now.notifies, now.refused, now.lost, now.errors
    )
}

impl Summary {
    fn text(&self) -> String {
        let counts = self.counts;
        let all = match self.all_online_after {
            Some(seconds) => format!(", all of them after {seconds} s"),
            None => String::new(),
        };
        format!(
            "{} of {} devices online at {} after {} s{all}\n\
             {} links, {} refused, {} lost; {} Records received, {} sent, {} notifies\n\
             {} values changed, {} links cut, {} restarts; {} errors\n",
            counts.online,
            self.devices,
            self.server,
            self.seconds,
            counts.links,
            counts.refused,
            counts.lost,
            counts.received,
            counts.sent,
            counts.notifies,
            counts.changes,
            counts.losses,
            counts.reboots,
            counts.errors,
        )
    }
}

/// In tenths.
fn seconds(passed: Duration) -> f64 {
    (passed.as_secs_f64() * 10.0).round() / 10.0
}

fn unplanned(error: PlanError) -> Failure {
    Failure::usage(error)
}

fn read_server(text: &str) -> Result<Server, String> {
    let is_url = ["ws://", "wss://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    let (id, url) = match text.split_once('=').filter(|_| !is_url) {
        Some((id, url)) => (Some(id), url),
        None => (None, text),
    };
    let id = id.map(EndpointId::parse).transpose();
    Ok(Server {
        id: id.map_err(|error| error.to_string())?,
        target: url.parse().map_err(|error| format!("{url}: {error}"))?,
    })
}

fn read_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    match rate.is_finite() && rate >= 0.0 {
        true => Ok(rate),
        false => Err(format!("{text:?}: 0 or more is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_named() {
        let named = read_server("self::server=ws://127.0.0.1:8081/usp").unwrap();
        assert_eq!(named.id, Some("self::server".parse().unwrap()));
        let unnamed = read_server("wss://host:1/a?b=ws").unwrap();
        assert!(unnamed.id.is_none() && unnamed.target.tls);
        assert!(read_server("http://host").is_err());
    }

    #[test]
    fn rates_are_numbers_that_are_not_negative() {
        assert_eq!(read_rate("0.5"), Ok(0.5));
        for wrong in ["-1", "NaN", "inf", "x"] {
            assert!(read_rate(wrong).is_err(), "{wrong}");
        }
    }
}

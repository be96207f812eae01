//! The network of this host: interfaces, addresses, routes and bridges, read and written by rtnetlink, and
//! the hosts and ports of it, which are only read.
//!
//! [`Net`] is an owner of its own. What the kernel has is the truth; what Controllers have configured is
//! kept beside it (`state`) and made so in the kernel when it can be. It must never change anything unless
//! [`NetConfig::write`] says so, never touch a protected device, and never leave half of a change behind.

mod config;
mod counters;
mod draft;
mod ethtool;
mod facts;
mod goal;
mod hands;
mod losses;
pub(crate) mod namespace;
mod neighbours;
mod objects;
mod plan;
mod ports;
mod row;
mod socket;
mod sources;
mod state;
mod step;
mod uapi;
mod watch;
mod wishes;
mod world;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};
use usphere_runtime::{Announcer, Owner};

pub use config::NetConfig;
pub use objects::{OWNER, objects};

use crate::clock::Clock;
use crate::config::HostPaths;
use counters::Since;
use draft::Removed;
use ethtool::Ethtool;
use facts::Facts;
use neighbours::{Presences, Seen};
use objects::{COUNTERS, INTERFACES, NEIGHBOURS, PORTS, ROUTES};
use row::Row;
use socket::{KernelError, Netlink};
use sources::Sources;
use state::State;
use watch::{Restore, Task, Watch};
use world::{Lifetimes, World};

/// The owner of this host's network. It answers for every unit of [`objects`].
pub struct Net {
    config: NetConfig,
    sources: Sources,
    kernel: Option<Netlink>,
    ethtool: Option<Ethtool>,
    state: State,
    /// Whether `state` is what was kept; until then it is nothing.
    is_read: bool,
    lifetimes: Lifetimes,
    since: Since,
    presences: Presences,
    /// Rows that were deleted of late, for requests that are taken back.
    removed: BTreeMap<Row, Removed>,
    /// Whether it was said already that the state cannot be kept.
    is_unkept: bool,
    announcer: Option<Announcer>,
    /// Ends when what was configured earlier is restored.
    restoring: Option<Receiver<()>>,
    /// Kept for its thread, which ends with it.
    _watch: Option<Watch>,
}

impl Net {
    /// The network as `config` says; the files beside netlink are below `paths`. Nothing is asked of the
    /// kernel yet.
    pub fn new(config: NetConfig, paths: &HostPaths) -> Self {
        Self {
            sources: Sources::new(paths, config.namespace.is_some()),
            kernel: None,
            ethtool: None,
            state: State::default(),
            is_read: false,
            lifetimes: Lifetimes::default(),
            since: Since::default(),
            presences: Presences::default(),
            removed: BTreeMap::new(),
            is_unkept: false,
            announcer: None,
            restoring: None,
            _watch: None,
            config,
        }
    }

    /// The kernel, from the owner's own thread: it enters the namespace that is served.
    fn kernel(&mut self) -> Result<&mut Netlink, OwnerError> {
        if let Some(restoring) = self.restoring.take() {
            // Until it hangs up: what is changed now comes after what was configured earlier.
            let _ = restoring.recv();
        }
        if self.kernel.is_none() {
            if let Some(namespace) = &self.config.namespace {
                namespace::enter(namespace).map_err(|error| {
                    let namespace = namespace.display();
                    OwnerError::failed(format!("the network namespace {namespace}: {error}"))
                })?;
            }
            let opened = Netlink::open();
            self.kernel = Some(opened.map_err(|error| unanswered(&error.into()))?);
            self.ethtool = Ethtool::open();
        }
        self.kernel
            .as_mut()
            .ok_or_else(|| OwnerError::failed("there is no kernel to ask"))
    }

    /// Reads what was kept, once. Without it nothing is told, for the numbers would be others, and nothing is
    /// changed or kept.
    fn read_state(&mut self) -> Result<(), OwnerError> {
        if self.is_read {
            return Ok(());
        }
        let kept = State::load(self.config.state_file.as_ref());
        self.state = kept.map_err(|error| {
            let file = self.config.state_file.as_deref().unwrap_or(Path::new(""));
            let file = file.display();
            OwnerError::failed(format!("{file}, what is kept of the network: {error}"))
        })?;
        self.is_read = true;
        Ok(())
    }

    /// Everything that there is now.
    fn look(&mut self) -> Result<(Facts, World), OwnerError> {
        self.read_state()?;
        let mut facts = match Facts::read(self.kernel()?) {
            Ok(facts) => facts,
            Err(error) => {
                // Another socket may do better.
                self.kernel = None;
                return Err(unanswered(&error));
            }
        };
        if let Some(ethtool) = &mut self.ethtool {
            ethtool.note_modes(&mut facts.links);
        }
        self.sources.complete(&mut facts)?;
        self.lifetimes.begin();
        let world = World::build(&facts, &mut self.state, &mut self.lifetimes);
        self.since.note(&world, Instant::now());
        self.config.interfaces.set(world.ip_interfaces(&facts));
        self.keep_numbers();
        Ok((facts, world))
    }

    fn neighbours(&mut self) -> Result<Snapshot, OwnerError> {
        let (facts, world) = self.look()?;
        let seen = match Seen::read(self.kernel()?, &facts) {
            Ok(seen) => seen,
            Err(error) => {
                self.kernel = None;
                return Err(unanswered(&error));
            }
        };
        let leases = self.sources.leases(&self.config.leases);
        let now = Clock::utc_now();
        let hosts = self.presences.hosts(&seen, &leases, (&facts, &world), &now);
        Ok(hosts?)
    }

    /// Numbers that are told should be the same after a restart. A full disk is no reason to tell nothing: what
    /// could not be kept is tried again at the next look.
    fn keep_numbers(&mut self) {
        let kept = self.state.save(self.config.state_file.as_ref());
        match &kept {
            Err(error) if !self.is_unkept => {
                tracing::error!("the instance numbers of the network cannot be kept: {error}");
            }
            _ => {}
        }
        self.is_unkept = kept.is_err();
    }

    fn counters(&mut self) -> Result<Snapshot, OwnerError> {
        // Which rows there are is told by the other unit; here only what they have counted.
        let links = match facts::read_links(self.kernel()?, 0) {
            Ok(links) => links,
            Err(error) => {
                self.kernel = None;
                return Err(unanswered(&error));
            }
        };
        Ok(self.since.counters(&links, Instant::now()))
    }
}

impl Owner for Net {
    fn name(&self) -> &str {
        OWNER
    }

    fn announcer(&mut self, announcer: Announcer) {
        if let Err(error) = self.read_state() {
            tracing::error!("{}", error.text);
        }
        let restore = (self.config.write && self.is_read).then(|| Restore {
            state: self.state.clone(),
            sources: self.sources.clone(),
            protected: self.config.protected.clone(),
        });
        let task = Task {
            namespace: self.config.namespace.clone(),
            announcer: announcer.clone(),
            restore,
            leases: self.sources.leases(&self.config.leases),
        };
        match Watch::start(task) {
            Ok((watch, restoring)) => {
                self._watch = Some(watch);
                self.restoring = Some(restoring);
            }
            Err(error) => tracing::error!("changes of the network are not announced: {error}"),
        }
        self.announcer = Some(announcer);
    }

    fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError> {
        match unit {
            name if name == INTERFACES.name => Ok(self.look()?.1.interfaces()),
            name if name == ROUTES.name => Ok(self.look()?.1.routes()),
            name if name == COUNTERS.name => self.counters(),
            name if name == NEIGHBOURS.name => self.neighbours(),
            name if name == PORTS.name => {
                // Where this thread is, there are the ports.
                self.kernel()?;
                ports::fetch(&self.sources)
            }
            _ => Err(OwnerError::failed(format!(
                "the network knows nothing of {unit}"
            ))),
        }
    }

    fn apply(&mut self, phase: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
        self.change(phase, changes)
    }

    fn operate(
        &mut self,
        command: &str,
        _: &BTreeMap<String, String>,
    ) -> Result<Outputs, OwnerError> {
        Err(OwnerError::failed(format!(
            "the network has no command {command}"
        )))
    }
}

fn unanswered(error: &KernelError) -> OwnerError {
    OwnerError::failed(format!("the kernel does not tell: {error}"))
}

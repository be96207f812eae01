//! The owner: which unit is read where, and what of the host may be changed.

use std::collections::BTreeMap;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};
use usphere_runtime::{Announcer, Cancelled, CommandWork, Owner};

use crate::clock::{self, Clock, unix_now};
use crate::config::{ConfigError, DeviceConfig, HostPaths};
use crate::cpu::Cpu;
use crate::dhcp::Leases;
use crate::diagnostics::{Ping, TraceRoute, target};
use crate::dns::{DnsClient, Lookup, Resolver};
use crate::first_use::FirstUse;
use crate::net::namespace;
use crate::objects::{CLOCK, CPU, IDENTITY, MEMORY, OWNER, PROCESSES, SYSTEM};
use crate::processes::Processes;
use crate::time::TimeClients;
use crate::{
    dhcp, dns, host_name, identity, memory, network_properties, security, self_test, system, time,
    users, watcher,
};

/// This host. It answers for every unit of [`objects`](crate::objects), each within a millisecond or a few.
#[derive(Debug)]
pub struct Host {
    config: DeviceConfig,
    paths: HostPaths,
    clock: Clock,
    cpu: Cpu,
    dns: DnsClient,
    first_use: FirstUse,
    processes: Processes,
    time: TimeClients,
}

impl Host {
    /// The host below `paths`, with what `config` knows better. Nothing is read yet.
    ///
    /// # Errors
    /// When a configured value does not fit its parameter.
    pub fn new(config: DeviceConfig, paths: HostPaths) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            clock: Clock::new(config.clock_marker.clone()),
            cpu: Cpu::default(),
            dns: DnsClient::new(config.dns.write_to.clone(), config.rows_file.clone()).map_err(
                |unread| ConfigError {
                    name: "rows_file".to_owned(),
                    reason: unread.to_string(),
                },
            )?,
            first_use: FirstUse::new(config.first_use_file.clone()),
            processes: Processes::new(&paths.proc),
            time: TimeClients::new(&config.time, &paths)?,
            config,
            paths,
        })
    }

    fn change(&mut self, phase: Phase, change: &OwnedChange) -> Result<(), OwnerError> {
        if change.path().starts_with(time::TABLE) {
            return self.time.change(&self.paths, phase, change);
        }
        match change.path() {
            path if path.starts_with("Device.DHCP") => return Err(dhcp::refusal()),
            path if path.starts_with(users::TABLE) => return Err(users::refusal()),
            path if path.starts_with(security::TABLE) => return security::change(phase, change),
            _ => {}
        }
        let OwnedChange::Set {
            path,
            value,
            previous,
            ..
        } = change
        else {
            return Err(OwnerError::failed(
                "rows of the host cannot be added or deleted",
            ));
        };
        let value = if phase == Phase::Undo {
            previous
        } else {
            value
        };
        match path.as_str() {
            "Device.DeviceInfo.HostName" => self.change_name(phase, value),
            "Device.Time.Enable" => self.change_client(phase, value),
            "Device.Time.LocalTimeZone" => self.change_zone(phase, value),
            _ => Err(OwnerError::failed(
                "the host has nothing that this would change",
            )),
        }
    }

    fn change_name(&self, phase: Phase, name: &str) -> Result<(), OwnerError> {
        self.allowed()?;
        host_name::check(name)?;
        match phase {
            Phase::Check => Ok(()),
            Phase::Apply | Phase::Undo => host_name::write(&self.paths, name),
        }
    }

    fn change_zone(&self, phase: Phase, zone: &str) -> Result<(), OwnerError> {
        self.allowed()?;
        clock::check_zone(&self.paths, zone)?;
        match phase {
            Phase::Check => Ok(()),
            Phase::Apply | Phase::Undo => clock::write_zone(&self.paths, zone),
        }
    }

    /// The time client is not ours to start or stop: only what is so already can be wished.
    fn change_client(&self, phase: Phase, enable: &str) -> Result<(), OwnerError> {
        let is_kept = self.clock.is_kept(&self.paths);
        match phase {
            Phase::Undo => Ok(()),
            Phase::Apply | Phase::Check if enable == is_kept.to_string() => Ok(()),
            Phase::Apply | Phase::Check => Err(OwnerError::failed(
                "the time client is started and stopped by the host itself, not by this Agent",
            )),
        }
    }

    /// The network device that the argument `Interface` names.
    fn device_of(&self, interface: &str) -> Result<String, OwnerError> {
        let device = self.config.interfaces.device(interface);
        device.ok_or_else(|| {
            let text = format!("{interface} is no interface that datagrams could leave through");
            target::wrong("Interface", &text)
        })
    }

    /// Work of a command that sends datagrams; it runs in a thread of its own, which enters the network that
    /// is served.
    fn in_namespace(&self, work: impl FnOnce() -> Outputs + Send + 'static) -> CommandWork {
        let namespace = self.config.namespace.clone();
        Box::new(move || {
            if let Some(path) = namespace {
                namespace::enter(&path)
                    .map_err(|error| OwnerError::failed(format!("{}: {error}", path.display())))?;
            }
            Ok(work())
        })
    }

    fn allowed(&self) -> Result<(), OwnerError> {
        if self.config.allow_host_writes {
            return Ok(());
        }
        Err(OwnerError {
            kind: FaultKind::WriteForbidden,
            text: "this Agent is configured not to change its host (allow_host_writes is off)"
                .to_owned(),
        })
    }
}

impl Owner for Host {
    fn name(&self) -> &str {
        OWNER
    }

    fn announcer(&mut self, announcer: Announcer) {
        if let Err(error) = watcher::start(&self.paths, announcer) {
            tracing::warn!("changes of the host's files are noticed late: {error}");
        }
    }

    fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError> {
        match unit {
            name if name == IDENTITY.name => Ok(identity::fetch(&self.config, &self.paths)?),
            name if name == SYSTEM.name => {
                system::fetch(&self.paths, &self.clock, &mut self.first_use)
            }
            name if name == MEMORY.name => memory::fetch(&self.paths.proc),
            name if name == CPU.name => self.cpu.fetch(&self.paths.proc),
            name if name == PROCESSES.name => self.processes.fetch(),
            name if name == CLOCK.name => Ok(self.clock.fetch(&self.paths)?),
            name if name == dns::UNIT.name => {
                let now = unix_now();
                let origins = dhcp::origins(&Leases::read(&self.paths, now)?, now);
                self.dns.fetch(&self.paths, &origins)
            }
            name if name == dhcp::UNIT.name => {
                let now = unix_now();
                let leases = Leases::read(&self.paths, now)?;
                Ok(dhcp::fetch(&leases, &self.config.interfaces, now))
            }
            name if name == network_properties::UNIT.name => {
                Ok(network_properties::fetch(&self.paths.proc)?)
            }
            name if name == security::UNIT.name => {
                Ok(security::fetch(&self.config.security.certificates)?)
            }
            name if name == time::UNIT.name => Ok(self.time.fetch(&self.paths, &self.clock)?),
            name if name == users::UNIT.name => users::fetch(&self.paths),
            _ => Err(OwnerError::failed(format!(
                "the host knows nothing of {unit}"
            ))),
        }
    }

    fn apply(&mut self, phase: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
        let is_dns = |change: &OwnedChange| change.path().starts_with(dns::CLIENT.path);
        let mut results = Vec::with_capacity(changes.len());
        // What is in one file is written at once.
        for together in changes.chunk_by(|one, other| is_dns(one) && is_dns(other)) {
            if together.iter().all(is_dns) {
                results.extend(self.dns.change(phase, together));
            } else {
                results.extend(together.iter().map(|change| self.change(phase, change)));
            }
        }
        results
    }

    fn begin(
        &mut self,
        command: &str,
        arguments: &BTreeMap<String, String>,
        cancelled: Cancelled,
    ) -> Result<CommandWork, OwnerError> {
        let device = match arguments.get("Interface").map(String::as_str) {
            None | Some("") => None,
            Some(interface) => Some(self.device_of(interface)?),
        };
        let ended = cancelled.clone();
        let work: CommandWork = match command {
            "Device.DNS.Diagnostics.NSLookupDiagnostics()" => {
                let lookup = Lookup::read(arguments, device)?;
                let resolver = Resolver::of(&self.paths)?;
                self.in_namespace(move || lookup.run(&resolver, &|| cancelled.is_set()))
            }
            "Device.IP.Diagnostics.IPPing()" => {
                let ping = Ping::read(arguments, device)?;
                self.in_namespace(move || ping.run(&|| cancelled.is_set()))
            }
            "Device.IP.Diagnostics.TraceRoute()" => {
                let trace = TraceRoute::read(arguments, device)?;
                let resolver = Resolver::of(&self.paths)?;
                self.in_namespace(move || trace.run(&resolver, &|| cancelled.is_set()))
            }
            "Device.SelfTestDiagnostics()" => {
                let (config, paths) = (self.config.clone(), self.paths.clone());
                Box::new(move || Ok(self_test::run(&config, &paths, &|| cancelled.is_set())))
            }
            _ => return Err(no_command(command)),
        };
        // What is there until then is not what was asked for.
        Ok(Box::new(move || match (work(), ended.is_set()) {
            (Ok(_), true) => Err(OwnerError::failed("it was canceled")),
            (outputs, _) => outputs,
        }))
    }

    fn operate(
        &mut self,
        command: &str,
        _: &BTreeMap<String, String>,
    ) -> Result<Outputs, OwnerError> {
        Err(no_command(command))
    }
}

fn no_command(command: &str) -> OwnerError {
    OwnerError::failed(format!("the host has no command {command}"))
}

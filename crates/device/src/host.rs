//! The owner: which unit is read where, and what of the host may be changed.

use std::collections::BTreeMap;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};
use usphere_runtime::Owner;

use crate::clock::{self, Clock};
use crate::config::{ConfigError, DeviceConfig, HostPaths};
use crate::cpu::Cpu;
use crate::first_use::FirstUse;
use crate::objects::{CLOCK, CPU, IDENTITY, MEMORY, OWNER, PROCESSES, SYSTEM};
use crate::processes::Processes;
use crate::{host_name, identity, memory, system};

/// This host. It answers for every unit of [`objects`](crate::objects), each within a millisecond or a few.
#[derive(Debug)]
pub struct Host {
    config: DeviceConfig,
    paths: HostPaths,
    clock: Clock,
    cpu: Cpu,
    first_use: FirstUse,
    processes: Processes,
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
            first_use: FirstUse::new(config.first_use_file.clone()),
            processes: Processes::new(&paths.proc),
            config,
            paths,
        })
    }

    fn change(&self, phase: Phase, change: &OwnedChange) -> Result<(), OwnerError> {
        let OwnedChange::Set {
            path,
            value,
            previous,
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

    fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError> {
        match unit {
            name if name == IDENTITY.name => Ok(identity::fetch(&self.config, &self.paths)),
            name if name == SYSTEM.name => {
                Ok(system::fetch(&self.paths, &self.clock, &mut self.first_use))
            }
            name if name == MEMORY.name => memory::fetch(&self.paths.proc),
            name if name == CPU.name => self.cpu.fetch(&self.paths.proc),
            name if name == PROCESSES.name => self.processes.fetch(),
            name if name == CLOCK.name => Ok(self.clock.fetch(&self.paths)),
            _ => Err(OwnerError::failed(format!(
                "the host knows nothing of {unit}"
            ))),
        }
    }

    fn apply(&mut self, phase: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
        changes
            .iter()
            .map(|change| self.change(phase, change))
            .collect()
    }

    fn operate(
        &mut self,
        command: &str,
        _: &BTreeMap<String, String>,
    ) -> Result<Outputs, OwnerError> {
        Err(OwnerError::failed(format!(
            "the host has no command {command}"
        )))
    }
}

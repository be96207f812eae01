//! The host's time clients, and the file in which Controllers may name their servers.

mod clients;
mod reload;

use core::time::Duration;

use usphere_datamodel::FaultKind;
use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, Rows, STRING, Unit, object, one_of, parameter,
};
use usphere_datamodel::model::{OwnedChange, OwnerError, Phase, Snapshot};
use usphere_datamodel::types::{ALIAS, list};

use crate::clock::Clock;
use crate::config::{ConfigError, HostPaths, TimeConfig};
use crate::edited::Edited;
use crate::files::Unread;
use crate::objects::SYSTEM;
use crate::row_numbers;
use crate::snapshot::{row, value};

use clients::is_server;
use reload::Reload;

pub(crate) use clients::TimeClient;

/// What the files of time clients say, and whether they run.
pub(crate) const UNIT: Unit = Unit {
    name: "host.time-clients",
    max_age: Duration::from_secs(5),
    numbering: Numbering::Given,
    poll: Duration::from_secs(30),
    ..SYSTEM
};

/// One time client that the host has. Its servers can be written where that is configured. (TR-181 2.19)
pub(crate) const TIME_CLIENT: Object = object("Device.Time.Client.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter(
            "Status",
            one_of(&[
                "Disabled",
                "Unsynchronized",
                "Synchronized",
                "Error_FailedToSynchronize",
            ]),
        )
        .default("Disabled"),
        parameter("Servers", STRING.list()).writable(),
    ]);

/// Where the rows are.
pub(crate) const TABLE: &str = "Device.Time.Client.";

/// The clients, with the file that may be changed.
#[derive(Debug)]
pub(crate) struct TimeClients {
    edited: Option<(TimeClient, Edited)>,
    reload: Reload,
}

impl TimeClients {
    /// With the file that Controllers may change, if there is one, and what is run then.
    ///
    /// # Errors
    /// When no client that is known here would read that file.
    pub(crate) fn new(config: &TimeConfig, paths: &HostPaths) -> Result<Self, ConfigError> {
        let reload = Reload::new(&config.reload);
        let Some(file) = config.write_to.clone() else {
            return Ok(Self {
                edited: None,
                reload,
            });
        };
        let client = TimeClient::ALL
            .into_iter()
            .find(|client| client.reads(paths, &file))
            .ok_or_else(|| ConfigError {
                name: "time.write_to".to_owned(),
                reason: format!(
                    "{} is not read by any time client that is known here",
                    file.display()
                ),
            })?;
        Ok(Self {
            edited: Some((client, Edited::new(file))),
            reload,
        })
    }

    /// Every client that runs or has files.
    ///
    /// # Errors
    /// When a file of one cannot be read.
    pub(crate) fn fetch(&self, paths: &HostPaths, clock: &Clock) -> Result<Snapshot, Unread> {
        let is_right = clock.is_right(paths);
        let mut objects = Vec::new();
        for client in TimeClient::ALL {
            let sources = client.sources(paths)?;
            let is_running = client.is_running(paths);
            if sources.is_empty() && !is_running {
                continue;
            }
            let status = match (is_running, is_right) {
                (false, _) => "Disabled",
                (true, false) => "Unsynchronized",
                (true, true) => "Synchronized",
            };
            let servers = client.servers(&sources);
            objects.push(row(
                &TIME_CLIENT,
                vec![client.number().to_string()],
                vec![
                    value("Alias", format!("cpe-{}", client.number())),
                    value("Enable", is_running.to_string()),
                    value("Status", status),
                    value("Servers", list::join(servers.iter().map(String::as_str))),
                ],
            ));
        }
        Ok(Snapshot { objects })
    }

    /// Checks, makes or takes back one change of a row.
    ///
    /// # Errors
    /// When it is not to be changed, or the host does not let us.
    pub(crate) fn change(
        &mut self,
        paths: &HostPaths,
        phase: Phase,
        change: &OwnedChange,
    ) -> Result<(), OwnerError> {
        let OwnedChange::Set {
            path,
            value,
            previous,
            ..
        } = change
        else {
            return Err(OwnerError::failed(
                "time clients are installed and removed by the host itself, not by this Agent",
            ));
        };
        let number = row_numbers::instance(path, TABLE);
        let mut clients = TimeClient::ALL.into_iter();
        let client = clients.find(|client| Some(client.number()) == number);
        let client = client.ok_or_else(|| OwnerError::failed("there is no such time client"))?;
        let parameter = path.rsplit('.').next().unwrap_or_default();
        match (parameter, phase) {
            ("Servers", Phase::Undo) => self.undo(paths, client, change, previous),
            ("Servers", Phase::Apply | Phase::Check) => {
                self.set_servers(paths, phase, client, change, value)
            }
            (_, Phase::Undo) => Ok(()),
            ("Enable", _) if *value == client.is_running(paths).to_string() => Ok(()),
            _ => Err(OwnerError::failed(
                "time clients are started and stopped by the host itself, not by this Agent",
            )),
        }
    }

    fn undo(
        &mut self,
        paths: &HostPaths,
        client: TimeClient,
        change: &OwnedChange,
        previous: &str,
    ) -> Result<(), OwnerError> {
        let (_, edited) = self.edited_of(client)?;
        if edited.take_back(std::slice::from_ref(change))? {
            self.reload.run();
            return Ok(());
        }
        self.set_servers(paths, Phase::Undo, client, change, previous)
    }

    fn set_servers(
        &mut self,
        paths: &HostPaths,
        phase: Phase,
        client: TimeClient,
        change: &OwnedChange,
        servers: &str,
    ) -> Result<(), OwnerError> {
        let wanted: Vec<String> = list::items(servers).map(|item| item.into_owned()).collect();
        if let Some(wrong) = wanted.iter().find(|server| !is_server(server)) {
            return Err(OwnerError {
                kind: FaultKind::ValueInvalid,
                text: format!("{wrong:?} is neither an IP address nor the name of a host"),
            });
        }
        let (client, edited) = self.edited_of(client)?;
        let text = client.rewritten(paths, edited.path(), &edited.read()?, &wanted);
        let sources = client.with(paths, client.sources(paths)?, edited.path(), text.clone());
        let found = client.servers(&sources);
        if found != wanted {
            return Err(OwnerError::failed(format!(
                "other files of {} name servers as well, so that with any change of {} they would be {}",
                client.name(),
                edited.path().display(),
                found.join(", ")
            )));
        }
        match phase {
            Phase::Check => Ok(()),
            Phase::Apply | Phase::Undo => {
                edited.write(std::slice::from_ref(change), text)?;
                self.reload.run();
                Ok(())
            }
        }
    }

    fn edited_of(&mut self, client: TimeClient) -> Result<(TimeClient, &mut Edited), OwnerError> {
        match &mut self.edited {
            Some((known, edited)) if *known == client => Ok((client, edited)),
            _ => Err(OwnerError {
                kind: FaultKind::WriteForbidden,
                text: format!(
                    "this Agent is configured not to change the servers of {} (time.write_to names none of its files)",
                    client.name()
                ),
            }),
        }
    }
}

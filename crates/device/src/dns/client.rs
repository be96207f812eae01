//! The DNS servers that the host asks, and the file in which Controllers may change them.

use core::time::Duration;
use std::net::IpAddr;
use std::path::PathBuf;

use usphere_datamodel::FaultKind;
use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, Rows, UNSIGNED_INT, Unit, object, one_of, parameter,
};
use usphere_datamodel::model::{OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject};
use usphere_datamodel::types::{ALIAS, IP_ADDRESS};

use super::resolv_conf::{ResolvConf, Server};
use crate::config::HostPaths;
use crate::edited::Edited;
use crate::files::{self, Unread};
use crate::objects::SYSTEM;
use crate::row_numbers::{self, RowNumbers};
use crate::snapshot::{row, single, value};

/// What the resolver's files say.
pub(crate) const UNIT: Unit = Unit {
    name: "host.dns",
    max_age: Duration::from_secs(5),
    numbering: Numbering::Given,
    poll: Duration::from_secs(30),
    ..SYSTEM
};

/// The record types that the host's resolver asks for.
pub(crate) const DNS: Object = object("Device.DNS.").parameters(&[parameter(
    "SupportedRecordTypes",
    one_of(&["A", "AAAA", "SRV", "PTR"]).list(),
)
.default("A,AAAA,SRV,PTR")]);

/// The resolver of the host. (TR-181 2.19)
pub(crate) const CLIENT: Object = object("Device.DNS.Client.").parameters(&[
    parameter("Enable", BOOLEAN).writable().live(&UNIT),
    parameter("Status", one_of(&["Disabled", "Enabled", "Error"]))
        .default("Disabled")
        .live(&UNIT),
    parameter("ServerNumberOfEntries", UNSIGNED_INT).counts("Server"),
]);

/// One server that the resolver asks. Those of the file that is configured for it can be written.
pub(crate) const SERVER: Object = object("Device.DNS.Client.Server.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["DNSServer"], &["Alias"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Enable", BOOLEAN).writable(),
        parameter("Status", one_of(&["Disabled", "Enabled", "Error"])).default("Disabled"),
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("DNSServer", IP_ADDRESS).writable(),
        parameter(
            "Type",
            one_of(&[
                "DHCPv4",
                "DHCPv6",
                "RouterAdvertisement",
                "IPCP",
                "3GPP-NAS",
                "Static",
            ]),
        )
        .default("Static"),
    ]);

/// The resolver's file, and the one that may be changed.
#[derive(Debug)]
pub(crate) struct DnsClient {
    edited: Option<Edited>,
    numbers: RowNumbers,
    /// What was deleted last, for the case that it is undone.
    deleted: Vec<(usize, Server)>,
}

/// Where the servers come from that are not in the file that may be changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    /// Those that a server of DHCPv4 named.
    pub(crate) dhcpv4: Vec<IpAddr>,
    /// Those that a server of DHCPv6 named.
    pub(crate) dhcpv6: Vec<IpAddr>,
}

impl Origins {
    fn of(&self, address: IpAddr) -> &'static str {
        if self.dhcpv4.contains(&address) {
            "DHCPv4"
        } else if self.dhcpv6.contains(&address) {
            "DHCPv6"
        } else {
            "Static"
        }
    }
}

impl DnsClient {
    /// `write_to` is in the form of `resolv.conf`; without it nothing can be changed. The numbers of rows
    /// are kept in the file `numbers`.
    ///
    /// # Errors
    /// When that file cannot be read.
    pub(crate) fn new(write_to: Option<PathBuf>, numbers: Option<PathBuf>) -> Result<Self, Unread> {
        Ok(Self {
            edited: write_to.map(Edited::new),
            numbers: RowNumbers::load(numbers)?,
            deleted: Vec::new(),
        })
    }

    /// Every server that the resolver asks, and those that it could.
    ///
    /// # Errors
    /// When a file cannot be read, or the numbers of new rows cannot be kept.
    pub(crate) fn fetch(
        &mut self,
        paths: &HostPaths,
        origins: &Origins,
    ) -> Result<Snapshot, OwnerError> {
        let used = in_use(paths)?;
        let mut rows = self.rows(&used, origins)?;
        let mut objects = Vec::with_capacity(rows.len() + 1);
        let is_used = used.servers().any(Server::is_used);
        objects.push(single(
            &CLIENT,
            vec![
                value("Enable", "true"),
                value("Status", if is_used { "Enabled" } else { "Error" }),
            ],
        ));
        for known in &mut rows {
            known.number = self.numbers.number(&known.name);
        }
        let names: Vec<String> = rows.iter().map(|known| known.name.clone()).collect();
        self.numbers.keep(&names)?;
        objects.extend(rows.into_iter().map(Row::show));
        Ok(Snapshot { objects })
    }

    /// First those of the file that may be changed, then what is asked beside them; each address once.
    fn rows(&self, used: &ResolvConf, origins: &Origins) -> Result<Vec<Row>, OwnerError> {
        let ours = match &self.edited {
            Some(edited) => edited.read()?,
            None => String::new(),
        };
        let ours = ResolvConf::parse(&ours);
        let is_asked = |server: &Server| {
            let mut asked = used.servers().filter(|asked| asked.is_used());
            server.is_used() && asked.any(|asked| asked.address == server.address)
        };
        let mut rows: Vec<Row> = Vec::new();
        let is_new = |rows: &[Row], server: &Server| {
            let mut known = rows.iter().map(|row| row.server.address);
            server.address.is_none() || known.all(|known| known != server.address)
        };
        for server in ours.servers() {
            if is_new(&rows, server) {
                rows.push(Row {
                    name: server.name.clone(),
                    number: 0,
                    is_asked: is_asked(server),
                    origin: "Static",
                    server: server.clone(),
                });
            }
        }
        for server in used.servers() {
            let Some(address) = server.address.filter(|_| is_new(&rows, server)) else {
                continue;
            };
            rows.push(Row {
                name: format!("{OF_HOST}{address}"),
                number: 0,
                is_asked: server.is_used(),
                origin: origins.of(address),
                server: server.clone(),
            });
        }
        Ok(rows)
    }

    /// Checks, makes or takes back `changes`, each of the client or a row of it. One result for each.
    pub(crate) fn change(
        &mut self,
        phase: Phase,
        changes: &[OwnedChange],
    ) -> Vec<Result<(), OwnerError>> {
        match self.try_change(phase, changes) {
            Ok(results) => results,
            Err(error) => vec![Err(error); changes.len()],
        }
    }

    fn try_change(
        &mut self,
        phase: Phase,
        changes: &[OwnedChange],
    ) -> Result<Vec<Result<(), OwnerError>>, OwnerError> {
        let Some(edited) = &mut self.edited else {
            return Ok(changes.iter().map(without_file).collect());
        };
        if phase == Phase::Undo && edited.take_back(changes)? {
            return Ok(vec![Ok(()); changes.len()]);
        }
        let mut conf = ResolvConf::parse(&edited.read()?);
        let mut deleted = self.deleted.clone();
        let numbers = &self.numbers;
        let results: Vec<_> = changes
            .iter()
            .map(|change| edit(&mut conf, &mut deleted, numbers, phase, change))
            .collect();
        // A request whose changes are not all possible is taken back as a whole, which costs a second
        // writing of the file: so it is not written at all.
        if phase == Phase::Check || results.iter().any(Result::is_err) && phase == Phase::Apply {
            let refused = || OwnerError::failed("another change of the same request is refused");
            let is_check = phase == Phase::Check;
            let results = results.into_iter();
            return Ok(results
                .map(|result| result.and(if is_check { Ok(()) } else { Err(refused()) }))
                .collect());
        }
        edited.write(changes, conf.to_string())?;
        for change in changes {
            if let OwnedChange::Add { instance, .. } = change {
                self.numbers.take(*instance, &added(*instance));
            }
        }
        deleted.drain(..deleted.len().saturating_sub(DELETED_MAX));
        self.deleted = deleted;
        Ok(results)
    }
}

/// Begins the names of rows that the file which may be changed does not have.
const OF_HOST: &str = "host ";

/// Most servers that can be put back where they were.
const DELETED_MAX: usize = 64;

/// What the resolver reads. Behind the door of systemd-resolved are the servers that it asks itself.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn in_use(paths: &HostPaths) -> Result<ResolvConf, Unread> {
    let conf = files::text(&paths.etc.join("resolv.conf"))?.unwrap_or_default();
    let conf = ResolvConf::parse(&conf);
    let door = [[127, 0, 0, 53], [127, 0, 0, 54]].map(|door| Some(IpAddr::from(door)));
    let is_door = |server: &Server| door.contains(&server.address);
    if conf.servers().next().is_none() || !conf.servers().all(is_door) {
        return Ok(conf);
    }
    let behind = files::text(&paths.run.join("systemd/resolve/resolv.conf"))?;
    Ok(behind.map_or(conf, |behind| ResolvConf::parse(&behind)))
}

/// One server as it is shown.
struct Row {
    name: String,
    number: u32,
    is_asked: bool,
    origin: &'static str,
    server: Server,
}

impl Row {
    fn show(self) -> SnapshotObject {
        let server = self.server;
        let alias = server
            .alias
            .unwrap_or_else(|| format!("cpe-{}", self.number));
        let address = server.address.map(|address| address.to_string());
        let status = match (self.is_asked, server.enable) {
            (true, _) => "Enabled",
            // It is to be asked, and the resolver does not.
            (false, true) => "Error",
            (false, false) => "Disabled",
        };
        row(
            &SERVER,
            vec![self.number.to_string()],
            vec![
                value("Enable", server.enable.to_string()),
                value("Status", status),
                value("Alias", alias),
                value("DNSServer", address.unwrap_or_default()),
                value("Type", self.origin),
            ],
        )
    }
}

/// What a change comes to where no file may be changed.
fn without_file(change: &OwnedChange) -> Result<(), OwnerError> {
    match change {
        OwnedChange::Set { path, value, .. } if path == CLIENT_ENABLE => client_enable(value),
        _ => Err(OwnerError {
            kind: FaultKind::WriteForbidden,
            text: "this Agent is configured not to change DNS servers (dns.write_to names no file)"
                .to_owned(),
        }),
    }
}

const SERVER_TABLE: &str = "Device.DNS.Client.Server.";
const CLIENT_ENABLE: &str = "Device.DNS.Client.Enable";

/// The resolver is part of every program: it cannot be switched off.
fn client_enable(value: &str) -> Result<(), OwnerError> {
    if value == "true" {
        return Ok(());
    }
    Err(OwnerError::failed(
        "the resolver of the host cannot be switched off; its servers can",
    ))
}

/// How a row that a Controller adds is called from then on.
fn added(instance: u32) -> String {
    format!("#{instance}")
}

fn edit(
    conf: &mut ResolvConf,
    deleted: &mut Vec<(usize, Server)>,
    numbers: &RowNumbers,
    phase: Phase,
    change: &OwnedChange,
) -> Result<(), OwnerError> {
    let is_undo = phase == Phase::Undo;
    let name = || {
        let instance = row_numbers::instance(change.path(), SERVER_TABLE);
        let new = instance.map(added);
        // Within one request a row is known to no snapshot yet.
        let new = new.filter(|name| conf.find(name).is_some());
        let known = instance.and_then(|instance| numbers.name(instance));
        new.or_else(|| known.map(str::to_owned)).unwrap_or_default()
    };
    match change {
        OwnedChange::Set { path, value, .. } if path == CLIENT_ENABLE => {
            client_enable(if is_undo { "true" } else { value })
        }
        OwnedChange::Add { instance, .. } if is_undo => {
            conf.remove(&added(*instance));
            Ok(())
        }
        OwnedChange::Add { instance, .. } => {
            let has_room = conf.add(&added(*instance));
            let full = || OwnerError::failed("there are too many DNS servers already");
            has_room.then_some(()).ok_or_else(full)
        }
        OwnedChange::Delete { .. } if is_undo => {
            let name = name();
            if let Some(at) = deleted.iter().rposition(|(_, server)| server.name == name) {
                let (at, server) = deleted.remove(at);
                conf.insert(at, server);
            }
            Ok(())
        }
        OwnedChange::Delete { .. } => {
            let name = name();
            deleted.push(conf.remove(&name).ok_or_else(|| not_ours(&name))?);
            Ok(())
        }
        OwnedChange::Set {
            path,
            value,
            previous,
            ..
        } => {
            let name = name();
            let server = conf.find_mut(&name).ok_or_else(|| not_ours(&name))?;
            set(server, path, if is_undo { previous } else { value })
        }
    }
}

fn set(server: &mut Server, path: &str, value: &str) -> Result<(), OwnerError> {
    match path.rsplit('.').next().unwrap_or_default() {
        "Enable" => server.enable = value == "true",
        "Alias" => server.alias = Some(value.to_owned()).filter(|alias| !alias.is_empty()),
        "DNSServer" => {
            server.zone = None;
            server.address = match value {
                "" => None,
                text => Some(text.parse().map_err(|_| OwnerError {
                    kind: FaultKind::ValueInvalid,
                    text: format!("{text:?} is not an IP address"),
                })?),
            };
        }
        _ => return Err(OwnerError::failed("nothing of a DNS server")),
    }
    Ok(())
}

fn not_ours(name: &str) -> OwnerError {
    let address = name.strip_prefix(OF_HOST).unwrap_or(name);
    OwnerError {
        kind: FaultKind::WriteForbidden,
        text: format!(
            "{address} comes from the host's own configuration, not from the file that dns.write_to names"
        ),
    }
}

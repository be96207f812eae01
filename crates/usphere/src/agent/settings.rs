//! What the Agent is to be: flags over configuration file over defaults.

use std::fs::DirBuilder;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use usphere_agent::{Authority, KnownController};
use usphere_device::net::NetConfig;
use usphere_device::{DeviceConfig, DnsConfig, Interfaces, SecurityConfig, TimeConfig};
use usphere_mtp::tls::{Identity, authorities};
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::agent_host::HostCommands;
use usphere_trust::AllowedUses;

use super::Options;
use crate::defaults::{AGENT_ROLE, ENDPOINT_ID_FILE, IDENTITY_FILE};
use crate::failure::Failure;
use crate::tls::{ADVICE, TlsOptions};
use crate::{config_file, data};

/// The keys of the configuration file.
const KEYS: [&str; 13] = [
    "controllers",
    "data",
    "device",
    "endpoint_id",
    "factory_reset_command",
    "insecure",
    "listen",
    "log",
    "network",
    "reboot_command",
    "tls_ca",
    "tls_cert",
    "tls_key",
];

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    controllers: Vec<String>,
    data: Option<PathBuf>,
    device: Device,
    endpoint_id: Option<String>,
    factory_reset_command: Vec<String>,
    insecure: bool,
    listen: Option<String>,
    log: Option<String>,
    network: Network,
    reboot_command: Vec<String>,
    tls_ca: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
}

/// What Controllers may do with the network of this host.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Network {
    namespace: Option<PathBuf>,
    protected: Vec<String>,
    state_file: Option<PathBuf>,
    write: bool,
}

/// What is known better than the host tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Device {
    allow_host_writes: bool,
    clock_marker: Option<PathBuf>,
    description: Option<String>,
    device_category: Vec<String>,
    dns: Dns,
    first_use_file: Option<PathBuf>,
    hardware_version: Option<String>,
    hosts: Hosts,
    manufacturer: Option<String>,
    manufacturer_oui: Option<String>,
    model_name: Option<String>,
    model_number: Option<String>,
    product_class: Option<String>,
    security: Security,
    serial_number: Option<String>,
    software_version: Option<String>,
    time: Time,
}

/// What a Controller may change of the DNS client.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dns {
    write_to: Option<PathBuf>,
}

/// What is known of the neighbourhood.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Hosts {
    leases: Vec<PathBuf>,
}

/// Which certificates are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Security {
    certificates: Vec<PathBuf>,
}

/// What a Controller may change of the time client.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Time {
    reload: Vec<String>,
    write_to: Option<PathBuf>,
}

/// What the Agent is to be.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) data: PathBuf,
    pub(super) controllers: Vec<Seed>,
    pub(super) listen: Option<Target>,
    pub(super) insecure: bool,
    pub(super) log: Option<String>,
    pub(super) device: DeviceConfig,
    pub(super) network: NetConfig,
    pub(super) host_commands: HostCommands,
    endpoint_id: Option<EndpointId>,
    tls: TlsOptions,
}

/// A Controller as it is typed: `ENDPOINT-ID[=URL]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Seed {
    endpoint_id: EndpointId,
    target: Option<Target>,
}

impl Settings {
    pub(super) fn gather(options: Options) -> Result<Self, Failure> {
        let file = match &options.config {
            Some(path) => config_file::read(path, &KEYS)?,
            None => File::default(),
        };
        Self::merge(options, file)
    }

    fn merge(options: Options, file: File) -> Result<Self, Failure> {
        let controllers = match options.controller.is_empty() {
            true => each(&file.controllers, "controllers")?,
            false => options.controller,
        };
        let listen = match options.listen {
            Some(listen) => Some(listen),
            None => file.listen.map(|text| read(&text, "listen")).transpose()?,
        };
        let endpoint_id = match options.endpoint_id {
            Some(id) => Some(id),
            None => file
                .endpoint_id
                .map(|text| read(&text, "endpoint_id"))
                .transpose()?,
        };
        let tls = TlsOptions {
            certificate: options.tls.certificate.or(file.tls_cert),
            key: options.tls.key.or(file.tls_key),
            authorities: options.tls.authorities.or(file.tls_ca),
        };
        if tls.certificate.is_some() != tls.key.is_some() {
            return Err(Failure::usage("--tls-cert and --tls-key go together").advise(ADVICE));
        }
        let settings = Self {
            data: options
                .data
                .or(file.data)
                .unwrap_or_else(|| data::default_folder(AGENT_ROLE)),
            controllers,
            listen,
            insecure: file.insecure,
            log: file.log,
            network: NetConfig {
                leases: file.device.hosts.leases.clone(),
                ..file.network.into()
            },
            device: file.device.into(),
            host_commands: HostCommands {
                reboot: file.reboot_command,
                factory_reset: file.factory_reset_command,
            },
            endpoint_id,
            tls,
        };
        settings.listen_address()?;
        Ok(settings)
    }

    /// Whether there are files of TLS that can change.
    pub(super) fn has_tls_files(&self) -> bool {
        self.tls.certificate.is_some()
    }

    /// Who we are to those who speak TLS: what is given, or what is kept, or a new self-signed
    /// certificate that is kept from now on.
    pub(super) fn identity(&self, endpoint_id: &EndpointId) -> Result<Identity, Failure> {
        let identity = match (&self.tls.certificate, &self.tls.key) {
            (Some(certificate), Some(key)) => Identity::from_files(certificate, key),
            _ => Identity::kept(&self.data.join(IDENTITY_FILE), endpoint_id),
        };
        identity.map_err(Failure::local)
    }

    /// Who vouches for connections and for who Controllers are, from the start. What each of them may do
    /// is its own matter: a CA vouches for devices too.
    pub(super) fn authorities(&self) -> Result<Vec<Authority>, Failure> {
        let Some(file) = &self.tls.authorities else {
            return Ok(Vec::new());
        };
        let found = authorities(file).map_err(Failure::local)?.into_iter();
        Ok(found
            .map(|certificate| Authority {
                certificate,
                allowed_uses: AllowedUses::MtpAndUsp,
                full_access: false,
            })
            .collect())
    }

    /// Where to listen: loopback, unless TLS is spoken or the file asks for an insecure door.
    pub(super) fn listen_address(&self) -> Result<IpAddr, Failure> {
        let Some(target) = &self.listen else {
            return Ok(Ipv4Addr::LOCALHOST.into());
        };
        let address = match target.host.as_str() {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            host => host.parse::<IpAddr>().map_err(|_| {
                Failure::usage(format_args!(
                    "--listen {target}: {host} is not an IP address"
                ))
                .advise("name an address of this host, such as ws://127.0.0.1:9002/usp")
            })?,
        };
        if !address.is_loopback() && !target.tls && !self.insecure {
            return Err(Failure::usage(format_args!(
                "--listen {target}: not a loopback address, and without TLS anyone there could read and change what is said"
            ))
            .advise("use wss://, listen on 127.0.0.1 or [::1], or set `insecure = true` in the configuration file to accept that"));
        }
        Ok(address)
    }

    /// Who we are: what is given, or what is kept, or a new ID. It is kept from now on.
    pub(super) fn endpoint_id(&self) -> Result<EndpointId, Failure> {
        let at = |path: &std::path::Path, error: std::io::Error| {
            Failure::local(format_args!("{}: {error}", path.display()))
                .advise("--data DIR names another data folder")
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data)
            .map_err(|error| at(&self.data, error))?;
        let path = self.data.join(ENDPOINT_ID_FILE);
        let kept = data::read_line(&path).map_err(|error| at(&path, error))?;
        let id = match (&self.endpoint_id, &kept) {
            (Some(given), _) => given.clone(),
            (None, Some(kept)) => EndpointId::parse(kept).map_err(|error| {
                Failure::local(format_args!("{}: {error}", path.display()))
                    .advise("give one with --endpoint-id, or remove the file for a new one")
            })?,
            (None, None) => EndpointId::parse(&new_id(rand::random())).map_err(Failure::local)?,
        };
        if kept.as_deref() != Some(id.as_str()) {
            data::write_line(&path, id.as_str()).map_err(|error| at(&path, error))?;
        }
        Ok(id)
    }
}

impl Seed {
    /// As the engine wants it.
    pub(super) fn known(&self) -> KnownController {
        KnownController {
            endpoint_id: self.endpoint_id.clone(),
            target: self.target.as_ref().map(|target| usphere_agent::Target {
                host: target.host.clone(),
                ..place(target)
            }),
        }
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, url) = match text.split_once('=') {
            Some((id, url)) => (id, Some(url)),
            None => (text, None),
        };
        Ok(Self {
            endpoint_id: EndpointId::parse(id).map_err(|error| error.to_string())?,
            target: url
                .map(|url| url.parse::<Target>().map_err(|error| error.to_string()))
                .transpose()?,
        })
    }
}

/// A place to listen at, as the engine wants it: its address is the host's business.
pub(super) fn place(target: &Target) -> usphere_agent::Target {
    usphere_agent::Target {
        host: String::new(),
        port: target.port,
        path: target.path.clone(),
        encryption: target.tls,
    }
}

impl From<Network> for NetConfig {
    fn from(network: Network) -> Self {
        Self {
            write: network.write,
            protected: network.protected,
            state_file: network.state_file,
            namespace: network.namespace,
            leases: Vec::new(),
            interfaces: Interfaces::default(),
        }
    }
}

impl From<Device> for DeviceConfig {
    fn from(device: Device) -> Self {
        Self {
            device_category: device.device_category,
            manufacturer: device.manufacturer,
            manufacturer_oui: device.manufacturer_oui,
            model_name: device.model_name,
            model_number: device.model_number,
            description: device.description,
            product_class: device.product_class,
            serial_number: device.serial_number,
            hardware_version: device.hardware_version,
            software_version: device.software_version,
            allow_host_writes: device.allow_host_writes,
            clock_marker: device.clock_marker,
            first_use_file: device.first_use_file,
            rows_file: None,
            dns: DnsConfig {
                write_to: device.dns.write_to,
            },
            interfaces: Interfaces::default(),
            // It is known where the network is configured.
            namespace: None,
            security: SecurityConfig {
                certificates: device.security.certificates,
            },
            time: TimeConfig {
                reload: device.time.reload,
                write_to: device.time.write_to,
            },
        }
    }
}

/// `uuid::` and a random UUID. (RFC 9562, version 4)
fn new_id(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    format!(
        "uuid::{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

fn each<T: FromStr<Err: std::fmt::Display>>(
    texts: &[String],
    key: &str,
) -> Result<Vec<T>, Failure> {
    texts.iter().map(|text| read(text, key)).collect()
}

fn read<T: FromStr<Err: std::fmt::Display>>(text: &str, key: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format_args!("{key} in the configuration file: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(options: Options, file: &str) -> Result<Settings, Failure> {
        Settings::merge(options, toml::from_str(file).unwrap())
    }

    #[test]
    fn flags_override_the_file() {
        let file = "endpoint_id = \"self::file\"\ncontrollers = [\"self::c=ws://h:1/usp\"]\nlisten = \"ws://[::1]:2/usp\"\n";
        let settings = merge(Options::default(), file).unwrap();
        assert_eq!(
            settings.controllers,
            ["self::c=ws://h:1/usp".parse().unwrap()]
        );
        assert_eq!(settings.listen_address().unwrap().to_string(), "::1");
        let options = Options {
            endpoint_id: Some("self::flag".parse().unwrap()),
            controller: vec!["self::d".parse().unwrap()],
            ..Options::default()
        };
        let settings = merge(options, file).unwrap();
        assert_eq!(settings.endpoint_id.unwrap().as_str(), "self::flag");
        assert_eq!(settings.controllers, ["self::d".parse().unwrap()]);
    }

    /// Proves: R-MTP.0
    #[test]
    fn a_plain_door_off_loopback_has_to_be_asked_for() {
        let open = "listen = \"ws://0.0.0.0:9002/usp\"\n";
        let failure = merge(Options::default(), open).unwrap_err();
        assert!(failure.to_string().contains("insecure = true"), "{failure}");
        merge(Options::default(), &format!("insecure = true\n{open}")).unwrap();
        assert!(merge(Options::default(), "listen = \"ws://host.example:1/usp\"\n").is_err());
        merge(Options::default(), "listen = \"wss://0.0.0.0:9002/usp\"\n").unwrap();
        let half = merge(Options::default(), "tls_cert = \"a\"\n").unwrap_err();
        assert!(half.to_string().contains("go together"), "{half}");
    }

    #[test]
    fn an_endpoint_id_is_made_once_and_a_given_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |id: Option<&str>| {
            let options = Options {
                data: Some(folder.path().join("agent")),
                endpoint_id: id.map(|id| id.parse().unwrap()),
                ..Options::default()
            };
            merge(options, "").unwrap()
        };
        let made = settings(None).endpoint_id().unwrap();
        assert!(made.as_str().starts_with("uuid::"));
        assert_eq!(settings(None).endpoint_id().unwrap(), made);
        settings(Some("self::given")).endpoint_id().unwrap();
        assert_eq!(
            settings(None).endpoint_id().unwrap().as_str(),
            "self::given"
        );
        std::fs::write(folder.path().join("agent/endpoint-id"), "nonsense").unwrap();
        assert!(settings(None).endpoint_id().is_err());
    }

    #[test]
    fn the_configuration_that_the_book_shows_names_every_key() {
        let book = include_str!("../../../../docs/cli.md");
        let shown = book.split("```toml agent\n").nth(1).unwrap();
        let shown = shown.split("```").next().unwrap();
        merge(Options::default(), shown).unwrap();
        let table: toml::Table = toml::from_str(shown).unwrap();
        let missing = KEYS.iter().filter(|key| !table.contains_key(**key));
        assert_eq!(missing.count(), 0);
    }

    #[test]
    fn a_made_id_is_a_uuid_of_version_4() {
        assert_eq!(
            new_id(u128::MAX),
            "uuid::ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(new_id(0), "uuid::00000000-0000-4000-8000-000000000000");
    }
}

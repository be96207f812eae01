//! A believable home gateway, in a few dozen bytes.
//!
//! Nearly everything that it says of itself follows from the fleet's seed and its own number; only
//! what has changed is held. It answers at once, so no gateway needs a thread.

mod objects;

use std::borrow::Cow;

use usphere_agent::date_time;
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject};
use usphere_proto::EndpointId;

use self::objects::{COUNTERS, IDENTITY, INTERFACES, NEIGHBOURS, WIRELESS};
use crate::chance::{Chance, fact};

pub(crate) use self::objects::OWNER;
pub use self::objects::objects;

/// Stations of the wireless network that there can be.
const STATIONS_MAX: usize = 4;

/// Values that were set and differ from what follows from the seed, at most; the flash is small.
const SETTINGS_MAX: usize = 256;

/// Hosts on a wire.
const WIRED: usize = 2;

const RADIOS: usize = 2;

/// The channels that a radio may use, by radio.
const CHANNELS: [&[u32]; RADIOS] = [&[1, 6, 11], &[36, 40, 44, 48, 100, 104]];

const MODELS: [(&str, &str); 3] = [
    ("HomeGateway 2", "1.4.2"),
    ("HomeGateway 3", "2.0.7"),
    ("HomeGateway 3 Pro", "2.1.0"),
];

const DEVICES: [&str; 8] = [
    "phone",
    "laptop",
    "tablet",
    "tv",
    "printer",
    "console",
    "thermostat",
    "camera",
];

/// What is so at the moment of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Seconds since the device has started.
    pub(crate) uptime_seconds: u64,
    /// The wall clock, in microseconds since 1970.
    pub(crate) unix_micros: i64,
}

/// One gateway: what of it is other than its number says.
#[derive(Debug)]
pub(crate) struct Gateway {
    seed: u64,
    index: u32,
    stations: [Station; STATIONS_MAX],
    /// How often each radio has moved on to its next channel.
    moves: [u8; RADIOS],
    /// What was Set, by path. It outlives restarts, as flash does.
    settings: Vec<(Box<str>, Box<str>)>,
}

#[derive(Clone, Copy, Debug)]
struct Station {
    is_here: bool,
    /// How much weaker than at its best it is received, in dB.
    fading: u8,
}

impl Gateway {
    pub(crate) fn new(seed: u64, index: u32) -> Self {
        let mut stations = [Station {
            is_here: false,
            fading: 0,
        }; STATIONS_MAX];
        let here = 2 + fact(seed, index, 1) as usize % (STATIONS_MAX - 1);
        stations[..here]
            .iter_mut()
            .for_each(|station| station.is_here = true);
        Self {
            seed,
            index,
            stations,
            moves: [0; RADIOS],
            settings: Vec::new(),
        }
    }

    /// Everything of a unit as it is now.
    ///
    /// # Errors
    /// There is no such unit.
    pub(crate) fn fetch(
        &self,
        unit: &str,
        id: &EndpointId,
        now: Situation,
    ) -> Result<Snapshot, OwnerError> {
        let mut objects = match unit {
            _ if unit == IDENTITY.name => self.identity(id),
            _ if unit == INTERFACES.name => self.interfaces(),
            _ if unit == WIRELESS.name => self.wireless(),
            _ if unit == NEIGHBOURS.name => self.hosts(),
            _ if unit == COUNTERS.name => self.counters(now),
            _ => return Err(OwnerError::failed(format!("there is no unit {unit}"))),
        };
        self.put_settings(&mut objects);
        Ok(Snapshot { objects })
    }

    /// Checks, applies or undoes what a Controller writes. Rows cannot be added or deleted.
    pub(crate) fn apply(
        &mut self,
        phase: Phase,
        changes: &[OwnedChange],
    ) -> Vec<Result<(), OwnerError>> {
        let each = changes.iter().map(|change| match change {
            OwnedChange::Set {
                path,
                value,
                previous,
            } => match phase {
                Phase::Apply => self.set(path, value),
                Phase::Check => Ok(()),
                Phase::Undo => self.set(path, previous),
            },
            OwnedChange::Add { table: path, .. } | OwnedChange::Delete { path } => Err(
                OwnerError::failed(format!("{path}: the rows of this device are what they are")),
            ),
        });
        each.collect()
    }

    /// There are no commands of its own.
    pub(crate) fn operate(&self, command: &str) -> Result<Outputs, OwnerError> {
        Err(OwnerError::failed(format!(
            "{command}: there is no such command"
        )))
    }

    /// Back to what it was when it was made.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.seed, self.index);
    }

    /// Something changes by itself. The name of its unit.
    pub(crate) fn change(&mut self, chance: &mut Chance) -> &'static str {
        let station = chance.below(STATIONS_MAX as u32) as usize;
        match chance.below(10) {
            0 => {
                let radio = chance.below(RADIOS as u32) as usize;
                self.moves[radio] = self.moves[radio].wrapping_add(1);
                WIRELESS.name
            }
            1 | 2 => {
                self.stations[station].is_here ^= true;
                NEIGHBOURS.name
            }
            _ => {
                let station = &mut self.stations[station];
                // Always another than before.
                station.fading = (station.fading + 1 + chance.below(29) as u8) % 30;
                WIRELESS.name
            }
        }
    }

    fn set(&mut self, path: &str, value: &str) -> Result<(), OwnerError> {
        if let Some((_, known)) = self.settings.iter_mut().find(|(known, _)| **known == *path) {
            *known = value.into();
        } else if self.settings.len() < SETTINGS_MAX {
            self.settings.push((path.into(), value.into()));
        } else {
            return Err(OwnerError::failed("the flash is full"));
        }
        Ok(())
    }

    fn put_settings(&self, objects: &mut [SnapshotObject]) {
        for (path, setting) in &self.settings {
            let Some((object, name)) = path.rsplit_once('.') else {
                continue;
            };
            let of = objects.iter_mut().find(|known| is_at(known, object));
            let Some(of) = of else { continue };
            let known = of.values.iter_mut().find(|(known, _)| *known == *name);
            match known {
                Some((_, value)) => *value = setting.to_string(),
                None => of
                    .values
                    .push((Cow::Owned(name.to_owned()), setting.to_string())),
            }
        }
    }

    fn fact(&self, what: u64) -> u64 {
        fact(self.seed, self.index, what)
    }

    fn mac(&self, what: u64) -> String {
        let [a, b, c, d, ..] = self.fact(0x3a00 + what).to_be_bytes();
        // Locally administered, and so nobody's in truth.
        format!("02:53:{a:02X}:{b:02X}:{c:02X}:{d:02X}")
    }

    fn channel(&self, radio: usize) -> u32 {
        let first = self.fact(0x40 + radio as u64) as usize;
        let channels = CHANNELS[radio];
        channels[(first % channels.len() + usize::from(self.moves[radio])) % channels.len()]
    }

    fn identity(&self, id: &EndpointId) -> Vec<SnapshotObject> {
        let (model, version) = MODELS[self.fact(2) as usize % MODELS.len()];
        let (oui, serial) = manufactured(id);
        vec![one(
            "Device.DeviceInfo.",
            vec![
                ("Manufacturer", "Example Networks".to_owned()),
                ("ManufacturerOUI", oui.unwrap_or("000000").to_owned()),
                ("ModelName", model.to_owned()),
                ("Description", format!("{model}, simulated")),
                ("ProductClass", "Gateway".to_owned()),
                ("SerialNumber", serial.chars().take(64).collect()),
                ("HardwareVersion", "B1".to_owned()),
                ("SoftwareVersion", version.to_owned()),
                ("HostName", "gateway".to_owned()),
            ],
        )]
    }

    fn interfaces(&self) -> Vec<SnapshotObject> {
        let mut all = vec![one("Device.IP.", vec![("IPv4Capable", "true".to_owned())])];
        for (number, name) in [(1, "wan"), (2, "lan1"), (3, "lan2")] {
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Up".to_owned()),
                ("Alias", format!("cpe-{name}")),
                ("Name", name.to_owned()),
                ("Upstream", (number == 1).to_string()),
                ("MACAddress", self.mac(number)),
                ("CurrentBitRate", "1000".to_owned()),
            ];
            all.push(row("Device.Ethernet.Interface.{i}.", &[number], values));
        }
        let wan = self.fact(3).to_be_bytes();
        let wan = format!("100.{}.{}.{}", 64 + wan[0] % 64, wan[1], 1 + wan[2] % 254);
        let both = [
            (1, "wan", wan, "255.192.0.0", "DHCP"),
            (
                2,
                "lan",
                "192.168.1.1".to_owned(),
                "255.255.255.0",
                "Static",
            ),
        ];
        for (number, name, address, mask, origin) in both {
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Up".to_owned()),
                ("Alias", format!("cpe-ip-{name}")),
                ("Name", format!("ip-{name}")),
                ("LowerLayers", format!("Device.Ethernet.Interface.{number}")),
            ];
            all.push(row("Device.IP.Interface.{i}.", &[number], values));
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Alias", format!("cpe-{name}-1")),
                ("IPAddress", address),
                ("SubnetMask", mask.to_owned()),
                ("AddressingType", origin.to_owned()),
            ];
            let path = "Device.IP.Interface.{i}.IPv4Address.{i}.";
            all.push(row(path, &[number, 1], values));
        }
        all
    }

    fn wireless(&self) -> Vec<SnapshotObject> {
        let mut all = Vec::new();
        for (radio, band) in ["2.4GHz", "5GHz"].into_iter().enumerate() {
            let number = radio as u64 + 1;
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Up".to_owned()),
                ("Alias", format!("cpe-radio{number}")),
                ("Name", format!("wl{radio}")),
                ("SupportedFrequencyBands", band.to_owned()),
                ("OperatingFrequencyBand", band.to_owned()),
                ("Channel", self.channel(radio).to_string()),
                ("AutoChannelSupported", "true".to_owned()),
                ("AutoChannelEnable", "true".to_owned()),
                ("TransmitPower", "100".to_owned()),
            ];
            all.push(row("Device.WiFi.Radio.{i}.", &[number], values));
        }
        for number in 1..=RADIOS as u64 {
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Up".to_owned()),
                ("Alias", format!("cpe-ssid{number}")),
                ("Name", format!("wl{}.0", number - 1)),
                ("LowerLayers", format!("Device.WiFi.Radio.{number}")),
                ("BSSID", self.mac(0x10 + number)),
                ("SSID", format!("home-{:04X}", self.fact(4) & 0xffff)),
            ];
            all.push(row("Device.WiFi.SSID.{i}.", &[number], values));
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Enabled".to_owned()),
                ("Alias", format!("cpe-ap{number}")),
                ("SSIDReference", format!("Device.WiFi.SSID.{number}")),
                ("SSIDAdvertisementEnabled", "true".to_owned()),
            ];
            all.push(row("Device.WiFi.AccessPoint.{i}.", &[number], values));
            let values = vec![
                ("ModeEnabled", "WPA2-Personal".to_owned()),
                ("KeyPassphrase", format!("{:016x}", self.fact(5))),
            ];
            let path = "Device.WiFi.AccessPoint.{i}.Security.";
            all.push(row(path, &[number], values));
        }
        for (at, station) in self.here() {
            let best = 38 + (self.fact(0x50 + at) % 20) as i32;
            let values = vec![
                ("MACAddress", self.station_mac(at)),
                ("AuthenticationState", "true".to_owned()),
                ("LastDataDownlinkRate", "433000".to_owned()),
                ("LastDataUplinkRate", "200000".to_owned()),
                (
                    "SignalStrength",
                    (-best - i32::from(station.fading)).to_string(),
                ),
                ("Active", "true".to_owned()),
            ];
            let path = "Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.";
            let access_point = at % RADIOS as u64 + 1;
            all.push(row(path, &[access_point, at + 1], values));
        }
        all
    }

    /// Who is in the house now or was: a host that goes stays known.
    fn hosts(&self) -> Vec<SnapshotObject> {
        let wired = (0..WIRED as u64).map(|at| (at + 1, self.mac(0x80 + at), "Ethernet", true));
        let wireless = self.stations.iter().enumerate().map(|(at, station)| {
            let at = at as u64;
            let number = at + 1 + WIRED as u64;
            (number, self.station_mac(at), "Wi-Fi", station.is_here)
        });
        let each = wired.chain(wireless).map(|(number, mac, over, is_here)| {
            let name = DEVICES[self.fact(0x60 + number) as usize % DEVICES.len()];
            let values = vec![
                ("PhysAddress", mac),
                ("IPAddress", format!("192.168.1.{}", 99 + number)),
                ("InterfaceType", over.to_owned()),
                ("HostName", format!("{name}-{number}")),
                ("Active", is_here.to_string()),
            ];
            row("Device.Hosts.Host.{i}.", &[number], values)
        });
        each.collect()
    }

    fn counters(&self, now: Situation) -> Vec<SnapshotObject> {
        let total = 524_288;
        let mut all = vec![
            one(
                "Device.DeviceInfo.",
                vec![("UpTime", now.uptime_seconds.to_string())],
            ),
            one(
                "Device.DeviceInfo.MemoryStatus.",
                vec![
                    ("Total", total.to_string()),
                    (
                        "Free",
                        (total / 3 + now.uptime_seconds.wrapping_mul(977) % (total / 8))
                            .to_string(),
                    ),
                ],
            ),
            one(
                "Device.Time.",
                vec![
                    ("Status", "Synchronized".to_owned()),
                    ("CurrentLocalTime", date_time(now.unix_micros)),
                ],
            ),
        ];
        for number in 1..=3 {
            let values = self.traffic(number, now);
            let path = "Device.Ethernet.Interface.{i}.Stats.";
            all.push(row(path, &[number], values));
        }
        for number in 1..=2 {
            let values = self.traffic(number, now);
            all.push(row("Device.IP.Interface.{i}.Stats.", &[number], values));
        }
        all
    }

    /// What went through an interface: the same every second.
    fn traffic(&self, number: u64, now: Situation) -> Vec<(&'static str, String)> {
        let count = |what: u64, least: u64, spread: u64| {
            let rate = least + self.fact(0x70 + 8 * number + what) % spread;
            rate.wrapping_mul(now.uptime_seconds).to_string()
        };
        vec![
            ("BytesSent", count(0, 2_000, 60_000)),
            ("BytesReceived", count(1, 10_000, 900_000)),
            ("PacketsSent", count(2, 10, 90)),
            ("PacketsReceived", count(3, 20, 700)),
        ]
    }

    fn station_mac(&self, at: u64) -> String {
        self.mac(0x20 + at)
    }

    fn here(&self) -> impl Iterator<Item = (u64, Station)> + '_ {
        let all = (0..).zip(self.stations.iter().copied());
        all.filter(|(_, station)| station.is_here)
    }
}

/// The OUI and the serial number in an Endpoint ID: of the schemes that have both, both.
fn manufactured(id: &EndpointId) -> (Option<&str>, &str) {
    let is_oui =
        |text: &&str| text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match id.instance_id().split_once('-') {
        Some((oui, serial)) if is_oui(&oui) => (Some(oui), serial),
        _ => (Some(id.authority_id()).filter(is_oui), id.instance_id()),
    }
}

fn one(path: &'static str, values: Vec<(&'static str, String)>) -> SnapshotObject {
    row(path, &[], values)
}

/// A row, by its instance numbers; the gateway numbers its rows itself.
fn row(path: &'static str, rows: &[u64], values: Vec<(&'static str, String)>) -> SnapshotObject {
    let values = values.into_iter();
    SnapshotObject {
        path: path.into(),
        keys: rows.iter().map(u64::to_string).collect(),
        values: values.map(|(name, value)| (name.into(), value)).collect(),
    }
}

/// Whether the instance path `wanted`, without the dot at its end, is that of the object.
fn is_at(object: &SnapshotObject, wanted: &str) -> bool {
    let mut keys = object.keys.iter();
    let mut wanted = wanted.split('.');
    let steps = object.path.trim_end_matches('.').split('.');
    for step in steps {
        let step = match step {
            "{i}" => keys.next().map_or(step, String::as_str),
            step => step,
        };
        if wanted.next() != Some(step) {
            return false;
        }
    }
    wanted.next().is_none()
}

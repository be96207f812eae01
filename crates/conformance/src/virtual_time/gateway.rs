//! The device behind the Agent in virtual time: who it is, a ping, a traceroute, and a user with a password.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, Command, Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, command, object,
    parameter,
};
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Snapshot, SnapshotObject};
use usphere_datamodel::types::{ALIAS, Pattern};
use usphere_datamodel::{Moment, Ticket};

const OWNER: &str = "gateway";

/// How long it takes that nobody answers a ping or a try of a traceroute, unless it is told otherwise.
const TIMEOUT_MILLIS: &str = "5000";

const IDENTITY: Unit = Unit {
    name: "gateway.identity",
    owner: OWNER,
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Given,
    announced: false,
    poll: Duration::from_secs(60),
};

const DEVICE_INFO: Object = object("Device.DeviceInfo.").parameters(&[
    parameter("Manufacturer", STRING.max(64)).live(&IDENTITY),
    parameter("ManufacturerOUI", STRING.size(6, 6).pattern(Pattern::Oui))
        .default("000000")
        .live(&IDENTITY),
    parameter("ModelName", STRING.max(64)).live(&IDENTITY),
    parameter("ProductClass", STRING.max(64)).live(&IDENTITY),
    parameter("SerialNumber", STRING.max(64)).live(&IDENTITY),
    parameter("HardwareVersion", STRING.max(64)).live(&IDENTITY),
    parameter("SoftwareVersion", STRING.max(64)).live(&IDENTITY),
    parameter("ProvisioningCode", STRING.max(64)).writable(),
    parameter("UpTime", UNSIGNED_INT)
        .unannounced()
        .live(&IDENTITY),
]);

const IP: Object = object("Device.IP.");

const TRACE_ROUTE: Command = command("TraceRoute()")
    .asynchronous()
    .by(OWNER)
    .input(&[
        "ProtocolVersion",
        "Host",
        "NumberOfTries",
        "Timeout",
        "MaxHopCount",
    ])
    .mandatory(&["ProtocolVersion", "Host"])
    .defaults(&[
        ("NumberOfTries", "3"),
        ("Timeout", TIMEOUT_MILLIS),
        ("MaxHopCount", "30"),
    ])
    .output(&[
        "Status",
        "IPAddressUsed",
        "ResponseTime",
        "RouteHops.{i}.Host",
        "RouteHops.{i}.HostAddress",
        "RouteHops.{i}.ErrorCode",
        "RouteHops.{i}.RTTimes",
    ]);

const IP_PING: Command = command("IPPing()")
    .asynchronous()
    .by(OWNER)
    .input(&[
        "ProtocolVersion",
        "Host",
        "NumberOfRepetitions",
        "Timeout",
        "DataBlockSize",
    ])
    .mandatory(&[
        "ProtocolVersion",
        "Host",
        "NumberOfRepetitions",
        "Timeout",
        "DataBlockSize",
    ])
    .output(&["Status", "SuccessCount", "FailureCount"]);

const DIAGNOSTICS: Object = object("Device.IP.Diagnostics.").commands(&[IP_PING, TRACE_ROUTE]);

const USERS: Object =
    object("Device.Users.")
        .parameters(&[parameter("UserNumberOfEntries", UNSIGNED_INT).counts("User")]);

const USER: Object = object("Device.Users.User.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Username"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Username", STRING.max(64)).writable().assigned(),
        parameter("Password", STRING.max(64)).writable().secured(),
    ]);

/// Its objects, parents before children.
pub(super) fn objects() -> Vec<&'static Object> {
    vec![&DEVICE_INFO, &IP, &DIAGNOSTICS, &USERS, &USER]
}

/// The device: the commands that run.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    running: Vec<Running>,
}

/// A command that runs.
#[derive(Debug)]
struct Running {
    ticket: Ticket,
    ends: Moment,
    result: Result<Outputs, OwnerError>,
    /// What it sends meanwhile to a host that does not answer.
    trace: Option<Trace>,
}

/// The tries of a traceroute.
#[derive(Debug)]
struct Trace {
    next: Moment,
    sent: u64,
    tries: u64,
    each: Duration,
}

impl Gateway {
    /// Everything of a unit.
    pub(super) fn fetch(&self, unit: &str, up: Duration) -> Result<Snapshot, OwnerError> {
        if unit != IDENTITY.name {
            return Err(OwnerError::failed(format!("there is no unit {unit}")));
        }
        let values = [
            ("Manufacturer", "Example Networks"),
            ("ManufacturerOUI", "012345"),
            ("ModelName", "Gateway"),
            ("ProductClass", "Gateway"),
            ("SerialNumber", "0001"),
            ("HardwareVersion", "1"),
            ("SoftwareVersion", "1.0"),
        ];
        let values = values.map(|(name, value)| (name.into(), value.to_owned()));
        let up = ("UpTime".into(), up.as_secs().to_string());
        Ok(Snapshot {
            objects: vec![SnapshotObject {
                path: "Device.DeviceInfo.".into(),
                keys: Vec::new(),
                values: values.into_iter().chain([up]).collect(),
            }],
        })
    }

    /// Nothing that it owns can be written.
    pub(super) fn apply(&self, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
        let refused = |_| Err(OwnerError::failed("it is what it is"));
        changes.iter().map(refused).collect()
    }

    /// It has no command that ends at once.
    pub(super) fn operate(&self, command: &str) -> Result<Outputs, OwnerError> {
        Err(OwnerError::failed(format!(
            "{command}: there is no such command"
        )))
    }

    /// Begins a diagnostic. Hosts of loopback answer in a millisecond, others never.
    pub(super) fn begin(
        &mut self,
        ticket: Ticket,
        command: &str,
        arguments: &BTreeMap<String, String>,
        now: Moment,
    ) {
        let number = |name: &str| {
            arguments
                .get(name)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let host = arguments.get("Host").map_or("", String::as_str);
        let is_here = host.starts_with("127.") || host == "::1";
        let is_ping = command.ends_with("IPPing()");
        let tries = number(if is_ping {
            "NumberOfRepetitions"
        } else {
            "NumberOfTries"
        });
        let tries = tries.unwrap_or(1);
        let hops = if is_ping {
            1
        } else {
            number("MaxHopCount").unwrap_or(1)
        };
        let each = if is_here {
            1
        } else {
            number("Timeout").unwrap_or(1000)
        };
        let hops_taken = if is_here { 1 } else { hops };
        let ends = now + Duration::from_millis(tries * hops_taken * each);
        let outputs = match (is_ping, is_here) {
            (true, _) => vec![
                ("Status", "Complete".to_owned()),
                ("SuccessCount", if is_here { tries } else { 0 }.to_string()),
                ("FailureCount", if is_here { 0 } else { tries }.to_string()),
            ],
            (false, true) => vec![
                ("Status", "Complete".to_owned()),
                ("IPAddressUsed", host.to_owned()),
                ("ResponseTime", "1".to_owned()),
                (
                    "RouteHops.1.RTTimes",
                    vec!["1"; tries.min(16) as usize].join(","),
                ),
            ],
            (false, false) => vec![("Status", "Error_MaxHopCountExceeded".to_owned())],
        };
        let outputs = outputs.into_iter();
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
        let trace = Trace {
            next: now,
            sent: 0,
            tries: tries.max(1),
            each: Duration::from_millis(each.max(1)),
        };
        self.running.push(Running {
            ticket,
            ends,
            result: Ok(outputs.collect()),
            trace: (!is_ping && !is_here).then_some(trace),
        });
    }

    /// The tries that are due: how far each goes.
    pub(super) fn tried(&mut self, now: Moment) -> Vec<u8> {
        let mut all = Vec::new();
        for trace in self.running.iter_mut().filter_map(|one| one.trace.as_mut()) {
            while trace.next <= now {
                let hop = trace.sent / trace.tries + 1;
                all.push(u8::try_from(hop).unwrap_or(u8::MAX));
                trace.sent += 1;
                trace.next = trace.next + trace.each;
            }
        }
        all
    }

    /// The hosts that did not answer do so when they are tried next, and traceroutes to them end.
    pub(super) fn be_answered(&mut self) {
        for one in &mut self.running {
            if let Some(trace) = one.trace.take() {
                one.ends = trace.next;
                let status = ("Status".to_owned(), "Complete".to_owned());
                one.result = Ok([status].into_iter().collect());
            }
        }
    }

    /// Ends a command at once.
    pub(super) fn cancel(&mut self, ticket: Ticket, now: Moment) {
        let running = self.running.iter_mut().find(|one| one.ticket == ticket);
        if let Some(one) = running {
            one.ends = now;
            one.trace = None;
            one.result = Err(OwnerError::failed("cancelled"));
        }
    }

    /// Everything that runs is forgotten.
    pub(super) fn stop(&mut self) {
        self.running.clear();
    }

    /// When the next command ends, or tries something.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let tries = self.running.iter().filter_map(|one| one.trace.as_ref());
        let tries = tries.map(|trace| trace.next);
        self.running.iter().map(|one| one.ends).chain(tries).min()
    }

    /// The commands that have ended.
    pub(super) fn ended(&mut self, now: Moment) -> Vec<(Ticket, Result<Outputs, OwnerError>)> {
        let running = std::mem::take(&mut self.running).into_iter();
        let (ended, running): (Vec<_>, _) = running.partition(|one| one.ends <= now);
        self.running = running;
        let ended = ended.into_iter();
        ended.map(|one| (one.ticket, one.result)).collect()
    }
}

//! What the host declares of Device:2, in the order and words of TR-181 2.19.

use core::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Numbering, Object, STRING, UNSIGNED_INT, Unit, object, one_of, parameter,
};
use usphere_datamodel::types::{Pattern, ValueType};

use crate::{dhcp, diagnostics, dns, network_properties, security, self_test, time, users};

/// The name by which the declarations call the [`Host`](crate::Host).
pub const OWNER: &str = "host";

/// Every object of this host, parents before children. Of the root it has only what the host adds.
pub fn objects() -> Vec<&'static Object> {
    vec![
        &self_test::ROOT,
        &DEVICE_INFO,
        &MEMORY_STATUS,
        &PROCESS_STATUS,
        &PROCESS,
        &network_properties::NETWORK_PROPERTIES,
        &TIME,
        &time::TIME_CLIENT,
        &dns::DNS,
        &dns::CLIENT,
        &dns::SERVER,
        &dns::DNS_DIAGNOSTICS,
        &dhcp::DHCPV4,
        &dhcp::DHCPV4_CLIENT,
        &dhcp::DHCPV6,
        &dhcp::DHCPV6_CLIENT,
        &diagnostics::IP_DIAGNOSTICS,
        &users::USERS,
        &users::USER,
        &security::SECURITY,
        &security::CERTIFICATE,
    ]
}

/// What the host is; changes with an upgrade at most.
pub(crate) const IDENTITY: Unit = Unit {
    name: "host.identity",
    max_age: Duration::from_secs(60),
    ..SYSTEM
};

/// What the host as a whole is at.
pub(crate) const SYSTEM: Unit = Unit {
    name: "host.system",
    owner: OWNER,
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Fresh,
    announced: false,
    poll: Duration::from_secs(10),
};

/// How much memory there is.
pub(crate) const MEMORY: Unit = Unit {
    name: "host.memory",
    ..SYSTEM
};

/// How busy the processors are.
pub(crate) const CPU: Unit = Unit {
    name: "host.cpu",
    ..SYSTEM
};

/// Every process.
pub(crate) const PROCESSES: Unit = Unit {
    name: "host.processes",
    ..SYSTEM
};

/// The clock and its zone.
pub(crate) const CLOCK: Unit = Unit {
    name: "host.time",
    ..SYSTEM
};

/// A text of at most 64 characters, as most of DeviceInfo is.
const SHORT: ValueType = STRING.max(64);

/// What this device is, and the little that can be set about it.
pub(crate) const DEVICE_INFO: Object = object("Device.DeviceInfo.").parameters(&[
    parameter("DeviceCategory", STRING.list()).live(&IDENTITY),
    parameter("Manufacturer", SHORT).live(&IDENTITY),
    parameter("ManufacturerOUI", STRING.size(6, 6).pattern(Pattern::Oui))
        .default(OUI_UNKNOWN)
        .live(&IDENTITY),
    parameter("ModelName", SHORT).live(&IDENTITY),
    parameter("ModelNumber", SHORT).live(&IDENTITY),
    parameter("Description", STRING.max(256)).live(&IDENTITY),
    parameter("ProductClass", SHORT).live(&IDENTITY),
    parameter("SerialNumber", SHORT).live(&IDENTITY),
    parameter("HardwareVersion", SHORT).live(&IDENTITY),
    parameter("SoftwareVersion", SHORT).live(&IDENTITY),
    parameter("AdditionalHardwareVersion", VERSIONS).live(&IDENTITY),
    parameter("AdditionalSoftwareVersion", VERSIONS).live(&IDENTITY),
    parameter("ProvisioningCode", SHORT).writable(),
    parameter("UpTime", UNSIGNED_INT)
        .unannounced()
        .live(&SYSTEM),
    parameter("FirstUseDate", DATE_TIME).live(&SYSTEM),
    parameter("HostName", STRING.max(255))
        .writable()
        .live(&SYSTEM),
    parameter("FriendlyName", STRING.max(32)).writable(),
]);

/// Stands where no manufacturer is known; the parameter has to have six digits.
pub(crate) const OUI_UNKNOWN: &str = "000000";

/// A list of versions, at most 64 characters together.
pub(crate) const VERSIONS: ValueType = STRING.list_max(VERSIONS_MAX);
pub(crate) const VERSIONS_MAX: u32 = 64;

/// Working memory, in KiB.
pub(crate) const MEMORY_STATUS: Object = object("Device.DeviceInfo.MemoryStatus.")
    .live(&MEMORY)
    .parameters(&[
        parameter("Total", UNSIGNED_INT),
        parameter("Free", UNSIGNED_INT).unannounced(),
    ]);

/// How busy the device is, and with how many processes.
pub(crate) const PROCESS_STATUS: Object = object("Device.DeviceInfo.ProcessStatus.").parameters(&[
    parameter("CPUUsage", UNSIGNED_INT.at_most(100))
        .unannounced()
        .live(&CPU),
    parameter("ProcessNumberOfEntries", UNSIGNED_INT).counts("Process"),
]);

/// One process. Its instance number lasts as long as it does.
pub(crate) const PROCESS: Object = object("Device.DeviceInfo.ProcessStatus.Process.{i}.")
    .unique(&[&["PID"]])
    .live(&PROCESSES)
    .parameters(&[
        parameter("PID", UNSIGNED_INT),
        parameter("Command", STRING.max(COMMAND_MAX)),
        parameter("Size", UNSIGNED_INT),
        parameter("Priority", UNSIGNED_INT.at_most(99)),
        parameter("CPUTime", UNSIGNED_INT).unannounced(),
        parameter(
            "State",
            one_of(&[
                "Running",
                "Sleeping",
                "Stopped",
                "Idle",
                "Uninterruptible",
                "Zombie",
            ]),
        )
        .default("Sleeping"),
    ]);

pub(crate) const COMMAND_MAX: u32 = 256;

/// The clock, its zone, and whether it is right.
pub(crate) const TIME: Object = object("Device.Time.").live(&CLOCK).parameters(&[
    parameter("Enable", BOOLEAN).writable(),
    parameter(
        "Status",
        one_of(&["Disabled", "Unsynchronized", "Synchronized", "Error"]),
    )
    .default("Disabled"),
    parameter("CurrentLocalTime", DATE_TIME).unannounced(),
    parameter("LocalTimeZone", STRING.max(256)).writable(),
    parameter("ClientNumberOfEntries", UNSIGNED_INT).counts("Client"),
]);

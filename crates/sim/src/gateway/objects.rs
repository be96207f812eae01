//! What a simulated gateway declares of Device:2, in the order and words of TR-181 2.19.

use core::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, INT, Numbering, Object, Parameter, Rows, STRING, UNSIGNED_INT,
    UNSIGNED_LONG, Unit, object, one_of, parameter, strong_reference,
};
use usphere_datamodel::types::{ALIAS, IP_ADDRESS, IPV4_ADDRESS, MAC_ADDRESS, Pattern, ValueType};

/// The name by which the declarations call the gateway.
pub(crate) const OWNER: &str = "gateway";

/// Every object of a simulated gateway, parents before children; the Agent's own are not among them.
pub fn objects() -> Vec<&'static Object> {
    vec![
        &DEVICE_INFO,
        &MEMORY_STATUS,
        &TIME,
        &ETHERNET,
        &ETHERNET_INTERFACE,
        &ETHERNET_STATS,
        &IP,
        &IP_INTERFACE,
        &IP_ADDRESS_ROW,
        &IP_STATS,
        &WIFI,
        &RADIO,
        &SSID,
        &ACCESS_POINT,
        &SECURITY,
        &ASSOCIATED_DEVICE,
        &HOSTS,
        &HOST,
    ]
}

/// What it is: never other than it was.
pub(crate) const IDENTITY: Unit = Unit {
    name: "gateway.identity",
    owner: OWNER,
    max_age: Duration::from_secs(24 * 3600),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Given,
    announced: true,
    poll: Duration::ZERO,
};

/// Its wired and IP interfaces.
pub(crate) const INTERFACES: Unit = Unit {
    name: "gateway.interfaces",
    ..IDENTITY
};

/// Its radios and all that is about them.
pub(crate) const WIRELESS: Unit = Unit {
    name: "gateway.wifi",
    ..IDENTITY
};

/// Who is in the house.
pub(crate) const NEIGHBOURS: Unit = Unit {
    name: "gateway.hosts",
    ..IDENTITY
};

/// What it is at, and what it has counted.
pub(crate) const COUNTERS: Unit = Unit {
    name: "gateway.counters",
    max_age: Duration::from_secs(1),
    announced: false,
    poll: Duration::from_secs(60),
    ..IDENTITY
};

const SHORT: ValueType = STRING.max(64);
const ENABLE: Parameter = parameter("Enable", BOOLEAN).writable();
const ALIAS_OF_ROW: Parameter = parameter("Alias", ALIAS).write_once().assigned();
const NAME: Parameter = parameter("Name", SHORT);
const UP_DOWN: Parameter = parameter(
    "Status",
    one_of(&[
        "Up",
        "Down",
        "Unknown",
        "Dormant",
        "NotPresent",
        "LowerLayerDown",
        "Error",
    ]),
)
.default("Down");
const LOWER_LAYERS: Parameter =
    parameter("LowerLayers", strong_reference("").list().list_max(1024)).writable();

/// Counters of an interface.
const STATS: [Parameter; 4] = [
    parameter("BytesSent", UNSIGNED_LONG).unannounced(),
    parameter("BytesReceived", UNSIGNED_LONG).unannounced(),
    parameter("PacketsSent", UNSIGNED_LONG).unannounced(),
    parameter("PacketsReceived", UNSIGNED_LONG).unannounced(),
];

const DEVICE_INFO: Object = object("Device.DeviceInfo.").parameters(&[
    parameter("Manufacturer", SHORT).live(&IDENTITY),
    parameter("ManufacturerOUI", STRING.size(6, 6).pattern(Pattern::Oui))
        .default("000000")
        .live(&IDENTITY),
    parameter("ModelName", SHORT).live(&IDENTITY),
    parameter("Description", STRING.max(256)).live(&IDENTITY),
    parameter("ProductClass", SHORT).live(&IDENTITY),
    parameter("SerialNumber", SHORT).live(&IDENTITY),
    parameter("HardwareVersion", SHORT).live(&IDENTITY),
    parameter("SoftwareVersion", SHORT).live(&IDENTITY),
    parameter("ProvisioningCode", SHORT).writable(),
    parameter("UpTime", UNSIGNED_INT)
        .unannounced()
        .live(&COUNTERS),
    parameter("HostName", STRING.max(255))
        .writable()
        .live(&IDENTITY),
    parameter("FriendlyName", STRING.max(32)).writable(),
]);

const MEMORY_STATUS: Object = object("Device.DeviceInfo.MemoryStatus.")
    .live(&COUNTERS)
    .parameters(&[
        parameter("Total", UNSIGNED_INT),
        parameter("Free", UNSIGNED_INT).unannounced(),
    ]);

const TIME: Object = object("Device.Time.").parameters(&[
    parameter("Enable", BOOLEAN).writable().default("true"),
    parameter(
        "Status",
        one_of(&["Disabled", "Unsynchronized", "Synchronized", "Error"]),
    )
    .default("Disabled")
    .live(&COUNTERS),
    parameter("CurrentLocalTime", DATE_TIME)
        .unannounced()
        .live(&COUNTERS),
    parameter("LocalTimeZone", STRING.max(256)).writable(),
]);

const ETHERNET: Object =
    object("Device.Ethernet.")
        .parameters(&[parameter("InterfaceNumberOfEntries", UNSIGNED_INT).counts("Interface")]);

const ETHERNET_INTERFACE: Object = object("Device.Ethernet.Interface.{i}.")
    .unique(&[&["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        parameter("Upstream", BOOLEAN),
        parameter("MACAddress", MAC_ADDRESS),
        parameter("CurrentBitRate", UNSIGNED_INT),
    ]);

const ETHERNET_STATS: Object = object("Device.Ethernet.Interface.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);

const IP: Object = object("Device.IP.").parameters(&[
    parameter("IPv4Capable", BOOLEAN).live(&INTERFACES),
    parameter("InterfaceNumberOfEntries", UNSIGNED_INT).counts("Interface"),
]);

const IP_INTERFACE: Object = object("Device.IP.Interface.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LOWER_LAYERS,
        parameter("MaxMTUSize", UNSIGNED_INT.range(64, 65_535))
            .writable()
            .default("1500"),
        parameter(
            "Type",
            one_of(&["Normal", "Loopback", "Tunnel", "Tunneled"]),
        )
        .default("Normal"),
        parameter("IPv4AddressNumberOfEntries", UNSIGNED_INT).counts("IPv4Address"),
    ]);

const IP_ADDRESS_ROW: Object = object("Device.IP.Interface.{i}.IPv4Address.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["IPAddress", "SubnetMask"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        ALIAS_OF_ROW,
        parameter("IPAddress", IPV4_ADDRESS).writable(),
        parameter("SubnetMask", IPV4_ADDRESS).writable(),
        parameter(
            "AddressingType",
            one_of(&["DHCP", "IKEv2", "AutoIP", "IPCP", "Static", "3GPP-NAS"]),
        )
        .default("Static"),
    ]);

const IP_STATS: Object = object("Device.IP.Interface.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);

const WIFI: Object = object("Device.WiFi.").parameters(&[
    parameter("RadioNumberOfEntries", UNSIGNED_INT).counts("Radio"),
    parameter("SSIDNumberOfEntries", UNSIGNED_INT).counts("SSID"),
    parameter("AccessPointNumberOfEntries", UNSIGNED_INT).counts("AccessPoint"),
]);

const BANDS: [&str; 3] = ["2.4GHz", "5GHz", "6GHz"];

const RADIO: Object = object("Device.WiFi.Radio.{i}.")
    .unique(&[&["Alias"], &["Name"]])
    .live(&WIRELESS)
    .parameters(&[
        ENABLE,
        UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        parameter("SupportedFrequencyBands", one_of(&BANDS).list()),
        parameter("OperatingFrequencyBand", one_of(&BANDS))
            .writable()
            .default("2.4GHz"),
        parameter("Channel", UNSIGNED_INT.range(1, 255))
            .writable()
            .default("1"),
        parameter("AutoChannelSupported", BOOLEAN),
        parameter("AutoChannelEnable", BOOLEAN).writable(),
        parameter("TransmitPower", INT.range(-1, 100))
            .writable()
            .default("100"),
    ]);

const SSID: Object = object("Device.WiFi.SSID.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Name"], &["BSSID"]])
    .live(&WIRELESS)
    .parameters(&[
        ENABLE,
        UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LOWER_LAYERS,
        parameter("BSSID", MAC_ADDRESS),
        parameter("SSID", STRING.max(32)).writable(),
    ]);

const ACCESS_POINT: Object = object("Device.WiFi.AccessPoint.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["SSIDReference"]])
    .live(&WIRELESS)
    .parameters(&[
        ENABLE,
        parameter(
            "Status",
            one_of(&["Disabled", "Enabled", "Error_Misconfigured", "Error"]),
        )
        .default("Disabled"),
        ALIAS_OF_ROW,
        parameter(
            "SSIDReference",
            strong_reference("Device.WiFi.SSID.{i}.").max(256),
        )
        .writable(),
        parameter("SSIDAdvertisementEnabled", BOOLEAN).writable(),
        parameter("AssociatedDeviceNumberOfEntries", UNSIGNED_INT).counts("AssociatedDevice"),
    ]);

const SECURITY: Object = object("Device.WiFi.AccessPoint.{i}.Security.")
    .live(&WIRELESS)
    .parameters(&[
        parameter("ModeEnabled", one_of(&MODES))
            .writable()
            .default("None"),
        parameter("KeyPassphrase", STRING.max(63))
            .writable()
            .secured(),
    ]);

const MODES: [&str; 3] = ["None", "WPA2-Personal", "WPA3-Personal"];

const ASSOCIATED_DEVICE: Object = object("Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.")
    .unique(&[&["MACAddress"]])
    .live(&WIRELESS)
    .parameters(&[
        parameter("MACAddress", MAC_ADDRESS),
        parameter("AuthenticationState", BOOLEAN),
        parameter("LastDataDownlinkRate", UNSIGNED_INT.at_least(1_000)).default("1000"),
        parameter("LastDataUplinkRate", UNSIGNED_INT.at_least(1_000)).default("1000"),
        parameter("SignalStrength", INT.range(-200, 0)),
        parameter("Active", BOOLEAN),
    ]);

const HOSTS: Object =
    object("Device.Hosts.")
        .parameters(&[parameter("HostNumberOfEntries", UNSIGNED_INT).counts("Host")]);

const HOST: Object = object("Device.Hosts.Host.{i}.")
    .unique(&[&["PhysAddress"]])
    .live(&NEIGHBOURS)
    .parameters(&[
        parameter("PhysAddress", SHORT),
        parameter("IPAddress", IP_ADDRESS),
        parameter(
            "InterfaceType",
            one_of(&[
                "Ethernet", "G.hn", "HPNA", "HomePlug", "MoCA", "UPA", "Wi-Fi", "Other",
            ]),
        )
        .default("Other"),
        parameter("HostName", SHORT),
        parameter("Active", BOOLEAN),
    ]);

//! What is declared of the network, in the order and words of TR-181 2.19.
//!
//! What the interfaces are and hold ([`INTERFACES`]), the routes ([`ROUTES`]), the counters ([`COUNTERS`]),
//! the hosts around this one ([`NEIGHBOURS`]) and the ports of TCP ([`PORTS`]). The kernel announces changes of
//! the first two.

mod bridging;
mod ethernet;
mod hosts;
mod ip;
mod routing;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, Parameter, STRING, UNSIGNED_INT, UNSIGNED_LONG, Unit, object,
    one_of, parameter, strong_reference,
};
use usphere_datamodel::types::{ALIAS, ValueType};

pub(super) use hosts::{HOST, HOST_IPV4, HOST_IPV6};
pub(super) use ip::ACTIVE_PORT;

use super::row::Table;

/// The name by which the declarations call [`Net`](super::Net).
pub const OWNER: &str = "network";

/// Every object of the network, parents before their children. Of the root, what is the network's.
pub fn objects() -> Vec<&'static Object> {
    let mut all = vec![&ROOT];
    all.extend(bridging::OBJECTS);
    all.extend(ethernet::OBJECTS);
    all.extend(ip::OBJECTS);
    all.push(&STACK);
    all.extend(routing::OBJECTS);
    all.extend(hosts::OBJECTS);
    all
}

/// The parameter `name` of a row of `table`, as it is declared.
pub(super) fn declared(table: Table, name: &str) -> Option<&'static Parameter> {
    static BY_PATH: LazyLock<BTreeMap<&str, &Object>> = LazyLock::new(|| {
        let all = objects().into_iter();
        all.map(|object| (object.path, object)).collect()
    });
    let mut parameters = BY_PATH.get(table.supported())?.parameters.iter();
    parameters.find(|parameter| parameter.name == name)
}

/// Interfaces of every layer, how they are stacked, and their addresses.
pub(super) const INTERFACES: Unit = Unit {
    name: "network.interfaces",
    owner: OWNER,
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Given,
    announced: true,
    poll: Duration::ZERO,
};

/// The main routing table.
pub(super) const ROUTES: Unit = Unit {
    name: "network.routes",
    ..INTERFACES
};

/// What the interfaces have counted.
pub(super) const COUNTERS: Unit = Unit {
    name: "network.counters",
    announced: false,
    poll: Duration::from_secs(30),
    ..INTERFACES
};

/// The hosts around this one. The kernel announces whom it sees; leases lie in files, of which not all need be
/// where they can be watched.
pub(super) const NEIGHBOURS: Unit = Unit {
    name: "network.neighbours",
    announced: false,
    numbering: Numbering::Kept,
    poll: Duration::from_secs(30),
    ..INTERFACES
};

/// Who listens, and which connections there are. They come and go by themselves: what somebody who has
/// subscribed to them misses in between is of no use later.
pub(super) const PORTS: Unit = Unit {
    name: "network.ports",
    announced: false,
    numbering: Numbering::Fresh,
    poll: Duration::from_secs(60),
    ..INTERFACES
};

const ROOT: Object =
    object("Device.").parameters(&[
        parameter("InterfaceStackNumberOfEntries", UNSIGNED_INT).counts("InterfaceStack")
    ]);

const STACK: Object = object("Device.InterfaceStack.{i}.")
    .unique(&[&["HigherLayer", "LowerLayer"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("HigherLayer", ROW),
        parameter("LowerLayer", ROW),
        parameter("HigherAlias", STRING.max(64)),
        parameter("LowerAlias", STRING.max(64)),
    ]);

/// The path of a row of any table.
const ROW: ValueType = strong_reference("").max(256);

/// What an interface can be stacked on.
const LAYERS: ValueType = strong_reference("").list().list_max(1024);

/// Status of an interface.
const OPERATION: ValueType = one_of(&[
    "Up",
    "Down",
    "Unknown",
    "Dormant",
    "NotPresent",
    "LowerLayerDown",
    "Error",
]);

/// Status of something that is an interface to nobody.
const STATUS: ValueType = one_of(&["Disabled", "Enabled", "Error"]);

/// The same where the settings may be at fault.
const STATUS_OF_SETTINGS: ValueType =
    one_of(&["Disabled", "Enabled", "Error_Misconfigured", "Error"]);

const ENABLE: Parameter = parameter("Enable", BOOLEAN).writable();
const STATUS_UP_DOWN: Parameter = parameter("Status", OPERATION).default("Down");
const ALIAS_OF_ROW: Parameter = parameter("Alias", ALIAS).write_once().assigned();
const NAME: Parameter = parameter("Name", STRING.max(64));
const LAST_CHANGE: Parameter = parameter("LastChange", UNSIGNED_INT)
    .unannounced()
    .live(&COUNTERS);
const LOWER_LAYERS: Parameter = parameter("LowerLayers", LAYERS).writable();

/// Counters of an interface.
const STATS: [Parameter; 10] = [
    parameter("BytesSent", UNSIGNED_LONG).unannounced(),
    parameter("BytesReceived", UNSIGNED_LONG).unannounced(),
    parameter("PacketsSent", UNSIGNED_LONG).unannounced(),
    parameter("PacketsReceived", UNSIGNED_LONG).unannounced(),
    parameter("ErrorsSent", UNSIGNED_INT).unannounced(),
    parameter("ErrorsReceived", UNSIGNED_INT).unannounced(),
    parameter("DiscardPacketsSent", UNSIGNED_INT).unannounced(),
    parameter("DiscardPacketsReceived", UNSIGNED_INT).unannounced(),
    parameter("MulticastPacketsReceived", UNSIGNED_LONG).unannounced(),
    parameter("UnknownProtoPacketsReceived", UNSIGNED_INT).unannounced(),
];

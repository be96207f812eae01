//! The device of the tests: what its Agent owns, and a radio and hosts that somebody else owns.

use core::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, command, event, object, one_of,
    parameter, strong_reference, weak_reference,
};
use usphere_datamodel::types::{ALIAS, DATE_TIME, INT};
use usphere_datamodel::{Schema, SchemaView};

pub(super) const CONTROLLERS: &str = "Device.LocalAgent.Controller.";
pub(super) const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";
pub(super) const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

const ANY_ROWS: Rows = Rows::ADDABLE.and(Rows::DELETABLE);

const AGENT: Object = object("Device.LocalAgent.")
    .parameters(&[
        parameter("EndpointID", STRING).default("proto::agent"),
        parameter("SoftwareVersion", STRING).default("1"),
        parameter("ControllerNumberOfEntries", UNSIGNED_INT).counts("Controller"),
        parameter("SubscriptionNumberOfEntries", UNSIGNED_INT).counts("Subscription"),
    ])
    .commands(&[command("AddCertificate()")
        .asynchronous()
        .input(&["Alias"])
        .by("host")])
    .events(&[
        event("Periodic!"),
        event("Boot!").args(&["Cause", "Parameter.{i}.Path"]),
    ]);

const TRUST: Object = object("Device.LocalAgent.ControllerTrust.").parameters(&[parameter(
    "SecuredRoles",
    strong_reference("Device.LocalAgent.ControllerTrust.Role.{i}.").list(),
)
.writable()]);

const ROLE: Object = object("Device.LocalAgent.ControllerTrust.Role.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["Name"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("Name", STRING).writable().assigned(),
    ]);

const PERMISSION: Object = object("Device.LocalAgent.ControllerTrust.Role.{i}.Permission.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["Order"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("Order", UNSIGNED_INT).writable(),
        parameter("Targets", STRING.list()).writable(),
        parameter("Param", STRING.size(4, 4))
            .writable()
            .default("----"),
        parameter("Obj", STRING.size(4, 4))
            .writable()
            .default("----"),
        parameter("InstantiatedObj", STRING.size(4, 4))
            .writable()
            .default("----"),
        parameter("CommandEvent", STRING.size(4, 4))
            .writable()
            .default("----"),
    ]);

const CONTROLLER: Object = object("Device.LocalAgent.Controller.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["EndpointID"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("EndpointID", STRING).writable().assigned(),
        parameter("AssignedRole", strong_reference(ROLE.path).list()).writable(),
        parameter("InheritedRole", strong_reference(ROLE.path).list()),
        parameter("ProvisioningCode", STRING.max(64)).writable(),
        parameter("PeriodicNotifTime", DATE_TIME).writable(),
        parameter("Password", STRING).writable().secured(),
        parameter("BootParameterNumberOfEntries", UNSIGNED_INT).counts("BootParameter"),
    ])
    .commands(&[command("SendOnBoardRequest()").by("host")]);

const BOOT_PARAMETER: Object = object("Device.LocalAgent.Controller.{i}.BootParameter.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["ParameterName"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("ParameterName", STRING).writable().assigned(),
    ]);

const SUBSCRIPTION: Object = object("Device.LocalAgent.Subscription.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["Alias"], &["Recipient", "ID"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("Recipient", strong_reference(CONTROLLER.path)),
        parameter("ID", STRING.max(64)).write_once().assigned(),
        parameter("NotifType", one_of(&["ValueChange", "Event"]))
            .writable()
            .default("Event"),
        parameter("NotifRetry", BOOLEAN).writable(),
        parameter("NotifExpiration", UNSIGNED_INT).writable(),
    ]);

/// Rows that point at rows.
const LINK: Object = object("Device.Link.{i}.")
    .rows(ANY_ROWS)
    .unique(&[&["Name"]])
    .parameters(&[
        parameter("Name", STRING.max(16)).writable().assigned(),
        parameter("Upper", strong_reference("Device.Link.{i}.")).writable(),
        parameter("Lower", strong_reference("Device.Link.{i}.").list()).writable(),
        parameter("Hint", weak_reference("Device.Link.{i}.")).writable(),
        parameter("Level", INT).writable(),
        parameter("Tags", STRING.list()).writable(),
        parameter("Since", DATE_TIME).writable(),
    ]);

const LINK_STATS: Object = object("Device.Link.{i}.Stats.").parameters(&[
    parameter("Sent", UNSIGNED_INT),
    parameter("Interval", UNSIGNED_INT.range(1, 60))
        .writable()
        .default("10"),
]);

/// Rows that come with the device.
const SLOT: Object = object("Device.Slot.{i}.")
    .rows(Rows::FIXED)
    .parameters(&[parameter("Label", STRING).writable()]);

const SPARE: Object = object("Device.Spare.{i}.")
    .rows(Rows::ADDABLE)
    .parameters(&[parameter("Label", STRING).writable()]);

const EMPTY: Object = object("Device.Empty.");

pub(super) const RADIO_UNIT: Unit = Unit {
    name: "radio",
    owner: "radio",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Kept,
    announced: false,
    poll: Duration::from_secs(10),
};

const HOSTS_UNIT: Unit = Unit {
    name: "hosts",
    owner: "host",
    ..RADIO_UNIT
};

const RADIO: Object = object("Device.Radio.")
    .live(&RADIO_UNIT)
    .parameters(&[
        parameter("Channel", UNSIGNED_INT.range(1, 13)).writable(),
        parameter("Noise", INT),
    ])
    .commands(&[command("Scan()")
        .by("radio")
        .input(&["Band", "Width", "List.{i}.Name"])
        .mandatory(&["Band"])
        .defaults(&[("Width", "20")])
        .output(&["Status"])]);

const HOST: Object = object("Device.Hosts.Host.{i}.")
    .live(&HOSTS_UNIT)
    .unique(&[&["MACAddress"]])
    .parameters(&[
        parameter("MACAddress", STRING),
        parameter("Active", BOOLEAN),
    ])
    .commands(&[
        command("Block()")
            .by("host")
            .input(&["From", "Until"])
            .mandatory(&["From", "Until"]),
        command("Wake()").by("host").output(&["Status"]),
    ]);

pub(super) fn view() -> SchemaView {
    let objects = [
        &AGENT,
        &TRUST,
        &ROLE,
        &PERMISSION,
        &CONTROLLER,
        &BOOT_PARAMETER,
        &SUBSCRIPTION,
        &LINK,
        &LINK_STATS,
        &SLOT,
        &SPARE,
        &EMPTY,
        &RADIO,
        &HOST,
    ];
    SchemaView::new(Schema::build(&objects).expect("the declarations fit together"))
}

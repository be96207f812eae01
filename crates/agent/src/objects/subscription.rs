//! What Controllers want to be told.

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Object, Rows, STRING, UNSIGNED_INT, object, one_of, parameter,
    strong_reference,
};
use usphere_datamodel::types::ALIAS;

/// The path of the table.
pub(crate) const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";

/// One row is one thing that one Controller wants to be told, or to have done. (TR-181 2.19; TR-369, R-NOT.0)
pub(super) const SUBSCRIPTION: Object = object("Device.LocalAgent.Subscription.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Recipient", "ID"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter(
            "Recipient",
            strong_reference("Device.LocalAgent.Controller.{i}."),
        )
        .cascading(),
        parameter(
            "TriggerAction",
            one_of(&["Notify", "Config", "NotifyAndConfig"]),
        )
        .writable()
        .default("Notify"),
        parameter("TriggerConfigSettings", STRING.list_of(0, 16)).writable(),
        parameter("ID", STRING.size(1, 64)).writable().assigned(),
        parameter("CreationDate", DATE_TIME),
        parameter(
            "NotifType",
            one_of(&[
                "ValueChange",
                "ObjectCreation",
                "ObjectDeletion",
                "OperationComplete",
                "Event",
            ]),
        )
        .writable(),
        // Immutable once it is given.
        parameter("ReferenceList", STRING.max(256).list()).writable(),
        parameter("Persistent", BOOLEAN).writable().default("false"),
        parameter("TimeToLive", UNSIGNED_INT)
            .writable()
            .default("0"),
        parameter("NotifRetry", BOOLEAN).writable().default("false"),
        parameter("NotifExpiration", UNSIGNED_INT)
            .writable()
            .default("0"),
    ]);

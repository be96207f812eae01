//! Asynchronous commands that are in progress.

use usphere_datamodel::declare::{
    DATE_TIME, Object, STRING, UNSIGNED_INT, command, object, one_of, parameter,
};
use usphere_datamodel::types::ALIAS;

/// The path of the table.
pub(crate) const REQUESTS: &str = "Device.LocalAgent.Request.";

/// How long a timer was to run, in seconds; 0 in the row of any other command.
pub(crate) const DELAY_SECONDS: &str = "X_USPHERE_DelaySeconds";

/// When a timer ends; the Unknown Time while the clock is not known to be right.
pub(crate) const DUE: &str = "X_USPHERE_Due";

/// One row is one asynchronous command, from its acceptance to its end. (TR-181 2.19; TR-369, R-OPR.0, R-OPR.2)
pub(super) const REQUEST: Object = object("Device.LocalAgent.Request.{i}.")
    .unique(&[&["Originator", "Command", "CommandKey"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Originator", STRING),
        parameter("Command", STRING),
        parameter("CommandKey", STRING),
        // Nothing that is in progress outlives a restart, timers excepted, which begin anew.
        parameter(
            "Status",
            one_of(&[
                "Requested",
                "Active",
                "Canceling",
                "Canceled",
                "Success",
                "Error",
            ]),
        )
        .volatile()
        .default("Requested"),
        // Ours: by these a timer goes on after a restart.
        parameter(DELAY_SECONDS, UNSIGNED_INT),
        parameter(DUE, DATE_TIME),
    ])
    .commands(&[command("Cancel()")]);

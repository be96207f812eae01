//! The root.

use usphere_datamodel::declare::{Object, STRING, command, event, object, parameter};
use usphere_datamodel::types::Pattern;

/// Timers that may run at the same time.
const TIMERS_MAX: u32 = 32;

/// Everything the device has. (TR-181 2.19)
pub(super) const DEVICE: Object = object("Device.")
    .parameters(&[parameter(
        "RootDataModelVersion",
        STRING.max(32).pattern(Pattern::Version),
    )
    .default("2.19")])
    .commands(&[
        command("Reboot()")
            .input(&["Cause", "Reason"])
            .defaults(&[("Cause", "RemoteReboot"), ("Reason", "Unknown")]),
        command("FactoryReset()")
            .input(&["Cause", "Reason"])
            .defaults(&[("Cause", "RemoteFactoryReset"), ("Reason", "Unknown")]),
        command("ScheduleTimer()")
            .asynchronous()
            .at_once(TIMERS_MAX)
            .input(&["DelaySeconds"])
            .mandatory(&["DelaySeconds"]),
    ])
    .events(&[event("Boot!").args(&[
        "CommandKey",
        "Cause",
        "Reason",
        "FirmwareUpdated",
        "ParameterMap",
    ])]);

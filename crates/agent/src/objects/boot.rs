//! What the next Boot! tells, kept across the restart that it tells of.

use usphere_datamodel::declare::{BOOLEAN, Object, STRING, object, parameter};

/// The path of the object.
pub(crate) const NEXT_BOOT: &str = "Device.LocalAgent.X_USPHERE_NextBoot.";

/// Whether the next start begins with an empty data model.
pub(crate) const FACTORY_RESET: &str = "FactoryReset";

/// Ours: why the Agent starts next, if that is known, and with which version it started last.
pub(super) const BOOT: Object = object(NEXT_BOOT).parameters(&[
    parameter("Cause", STRING),
    parameter("CommandKey", STRING),
    parameter("Reason", STRING),
    parameter(FACTORY_RESET, BOOLEAN),
    parameter("SoftwareVersion", STRING),
]);

//! The root.

use usphere_datamodel::declare::{Object, STRING, object, parameter};
use usphere_datamodel::types::Pattern;

/// Everything the device has. (TR-181 2.19)
pub(super) const DEVICE: Object = object("Device.").parameters(&[parameter(
    "RootDataModelVersion",
    STRING.max(32).pattern(Pattern::Version),
)
.default("2.19")]);

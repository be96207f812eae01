//! Reboot() and FactoryReset(): why the Agent starts again is kept first, so that Boot! can tell it.

use std::collections::BTreeMap;

use usphere_datamodel::model::Outputs;
use usphere_datamodel::{Fault, FaultKind, Transaction};

use super::{Done, Effect};
use crate::engine::seed::{assign, find};
use crate::event::RestartAction;
use crate::limits::BOOT_TEXT_BYTES_MAX;
use crate::objects::{FACTORY_RESET, NEXT_BOOT};

/// Keeps cause, reason and key of the restart that the command at `path` asks for.
///
/// # Errors
/// [`FaultKind::ArgumentInvalid`] when the Cause is none of this command.
pub(super) fn restart(
    transaction: &mut Transaction<'_>,
    path: &str,
    arguments: &BTreeMap<String, String>,
    command_key: &str,
) -> Result<Done, Fault> {
    let (action, causes) = if path.ends_with(".FactoryReset()") {
        let causes = ["LocalFactoryReset", "RemoteFactoryReset"];
        (RestartAction::FactoryReset, causes)
    } else {
        (RestartAction::Reboot, ["LocalReboot", "RemoteReboot"])
    };
    let argument = |name| arguments.get(name).map_or("", String::as_str);
    let (cause, reason) = (argument("Cause"), argument("Reason"));
    if !causes.contains(&cause) {
        let text = format!("Cause has to be {} or {}", causes[0], causes[1]);
        return Err(Fault::new(FaultKind::ArgumentInvalid, path, text));
    }
    if command_key.len() > BOOT_TEXT_BYTES_MAX || reason.len() > BOOT_TEXT_BYTES_MAX {
        let text = format!(
            "command_key and Reason may have {BOOT_TEXT_BYTES_MAX} bytes each, to be told by Boot!"
        );
        return Err(Fault::new(FaultKind::ResourcesExceeded, path, text));
    }
    let resets = action == RestartAction::FactoryReset;
    let values = [
        ("Cause", cause),
        ("CommandKey", command_key),
        ("Reason", reason),
        (FACTORY_RESET, if resets { "true" } else { "false" }),
    ];
    let done = Done {
        effect: Some(Effect::Restart(action)),
        ..Done::from(Outputs::new())
    };
    let boot = find(transaction, NEXT_BOOT)?;
    if !resets && transaction.text(boot, FACTORY_RESET) == "true" {
        // A reset that was promised stays.
        return Ok(done);
    }
    for (name, value) in values {
        assign(transaction, boot, name, value)?;
    }
    Ok(done)
}

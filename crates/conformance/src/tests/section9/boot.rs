//! What is told of a boot.

use serde_json::Value;

use super::{Test, test};
use crate::bench::{AllowPartial, Bench, CreatedResult, Kind, Settings, create, exactly, value_in};
use crate::limits::NOTIFY_PATIENCE;
use crate::stop::{Done, Stop};
use crate::tests::common::subscription_to;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[test(9, 10, with_parameters)];

const BOOT: &str = "Device.Boot!";
const IMAGE: &str = "Device.DeviceInfo.BootFirmwareImage";

/// 9.10
fn with_parameters(bench: &mut Bench) -> Done {
    let command = bench.profile().reboot.command.clone();
    bench.needs(&command)?;
    bench.needs(BOOT)?;
    bench.needs(IMAGE)?;
    let table = format!("{}BootParameter.", bench.controller_path());
    bench.needs_addable(&table)?;
    bench.step("Subscribe to boots, and have them tell which firmware is booted");
    let parameter = create(&table)
        .with("Enable", "true")
        .must("ParameterName", IMAGE);
    let rows = [subscription_to("boot910", "Event", BOOT), parameter];
    let added = bench.add(AllowPartial::No, rows)?.response()?;
    exactly("created_obj_results", &added.created_obj_results, 2)?;
    for result in &added.created_obj_results {
        result.created()?;
    }
    bench.step("Have the Agent reboot");
    bench.reboot("test910")?;
    bench.await_return()?;
    bench.step("Wait for the event, and look at its parameters");
    let notified = bench.await_notify(Kind::Event, "boot910", NOTIFY_PATIENCE)?;
    let map = value_in(&notified.event()?.params, "ParameterMap")?;
    let read: Option<Value> = serde_json::from_str(map).ok();
    match read.as_ref().and_then(|map| map.get(IMAGE)) {
        Some(_) => Ok(()),
        None => Err(Stop::Failed(format!(
            "ParameterMap was to be an object with {IMAGE}, {map:?} came"
        ))),
    }
}

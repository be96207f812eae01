//! OnBoardRequests. (R-NOT.5, R-NOT.6)

use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, Kind, Notified, ensure, equal, operate};
use crate::limits::NOTIFY_PATIENCE;
use crate::stop::{Done, Stop};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 60, on_request),
    test(1, 101, not_complete),
    test(1, 102, again_until_complete),
    test(1, 103, once),
];

const PRODUCT_CLASS: &str = "Device.DeviceInfo.ProductClass";
const COMPLETE: &str = "OnBoardingComplete";
const RESTART_TIME: &str = "OnBoardingRestartTime";

/// After how long it is sent again where the test wants that, and how far that may be off.
const AGAIN: Duration = Duration::from_secs(60);
const SLACK: Duration = Duration::from_secs(4);

/// 1.60
fn on_request(bench: &mut Bench) -> Done {
    let notified = requested(bench, "test60")?;
    let request = notified.on_board()?;
    let is_oui =
        request.oui.len() == 6 && request.oui.bytes().all(|digit| digit.is_ascii_hexdigit());
    ensure(is_oui, || {
        format!(
            "oui: six hexadecimal digits were expected, {:?} came",
            request.oui
        )
    })?;
    for (name, value) in [
        ("serial_number", &request.serial_number),
        (
            "agent_supported_protocol_versions",
            &request.agent_supported_protocol_versions,
        ),
    ] {
        ensure(!value.is_empty(), || {
            format!("{name}: a value was expected, none came")
        })?;
    }
    // It may be empty, if it is so in the data model.
    if bench.features().has(PRODUCT_CLASS) {
        let expected = bench.value(PRODUCT_CLASS)?;
        equal("product_class", request.product_class.as_str(), &expected)?;
    }
    Ok(())
}

/// 1.101
fn not_complete(bench: &mut Bench) -> Done {
    needs_both(bench)?;
    let us = bench.controller_path();
    requested(bench, "test101")?;
    bench.step("See that it is not complete");
    bench.expect_values(&us, &[(COMPLETE, "false")])?;
    bench.step("Say that it is");
    bench.write(&format!("{us}{COMPLETE}"), "true")
}

/// 1.102
fn again_until_complete(bench: &mut Bench) -> Done {
    needs_both(bench)?;
    let us = bench.controller_path();
    bench.step("Have it sent again after a minute, as long as it is not complete");
    bench.changed(&format!("{us}{RESTART_TIME}"), "60")?;
    let first = requested(bench, "test102")?;
    bench.step("Wait for it to be sent again");
    let second = bench.await_notify(Kind::OnBoardRequest, "", AGAIN + SLACK)?;
    let passed = second.at.saturating_sub(first.at);
    ensure(passed + SLACK >= AGAIN, || {
        format!("it was to be sent again after 60 s, it came after {passed:?}")
    })?;
    bench.step("Say that it is complete, and hear nothing for more than a minute");
    bench.write(&format!("{us}{COMPLETE}"), "true")?;
    bench.expect_silence(Kind::OnBoardRequest, "", AGAIN + SLACK)
}

/// 1.103
fn once(bench: &mut Bench) -> Done {
    needs_both(bench)?;
    let us = bench.controller_path();
    bench.step("Do not have it sent again");
    bench.changed(&format!("{us}{RESTART_TIME}"), "0")?;
    requested(bench, "test103")?;
    bench.step("Hear nothing for a minute");
    bench.expect_silence(Kind::OnBoardRequest, "", AGAIN)
}

/// Asks for an OnBoardRequest, and gets it.
fn requested(bench: &mut Bench, key: &str) -> Result<Notified, Stop> {
    let command = format!("{}SendOnBoardRequest()", bench.controller_path());
    bench.needs(&command)?;
    settled(bench)?;
    bench.step("Ask for an OnBoardRequest");
    bench.operate_unanswered(operate(&command, key, &Default::default()))?;
    bench.await_notify(Kind::OnBoardRequest, "", NOTIFY_PATIENCE)
}

fn needs_both(bench: &Bench) -> Done {
    let us = bench.controller_path();
    bench.needs(&format!("{us}{COMPLETE}"))?;
    bench.needs(&format!("{us}{RESTART_TIME}"))
}

/// We have taken the Agent on board, and it wants nothing any more. It does so again when the test ends: as long
/// as it is not on board, an Agent asks of its own accord.
fn settled(bench: &mut Bench) -> Done {
    let path = format!("{}{COMPLETE}", bench.controller_path());
    if !bench.features().has(&path) {
        return Ok(());
    }
    bench.step("Say that the Agent is on board, and let it settle");
    bench.undo({
        let path = path.clone();
        move |bench| bench.write(&path, "true")
    });
    bench.write(&path, "true")?;
    bench.pass(Duration::from_secs(1));
    while bench
        .notified(Kind::OnBoardRequest, "", Duration::ZERO)
        .is_some()
    {}
    Ok(())
}

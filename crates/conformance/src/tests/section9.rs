//! Section 9: Functionality.

mod boot;
mod firmware;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, CONTROLLERS, Kind, OperatedResult, equal, operate};
use crate::limits::NOTIFY_PATIENCE;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::{completed, subscription_to};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[
    &[
        test(9, 2, another_certificate),
        test(9, 9, a_new_controller),
        test(9, 11, timer),
    ],
    boot::TESTS,
    firmware::TESTS,
];

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const ALIAS: &str = "addedCert";
const TIMER: &str = "Device.ScheduleTimer()";
const DELAY: Duration = Duration::from_secs(60);

/// 9.2
fn another_certificate(bench: &mut Bench) -> Done {
    let command = format!("{LOCAL_AGENT}AddCertificate()");
    bench.needs(&command)?;
    let made = bench.websocket()?.make_certificate();
    let certificate = made.map_err(Stop::not_runnable)?;
    bench.step("Have the Agent add a certificate that it has not seen");
    let arguments = [("Alias", ALIAS), ("Certificate", &certificate)];
    let arguments = arguments.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let operated = bench.operate(operate(&command, "test92", &arguments.into()))?;
    operated.response()?.outputs_of(&command)?;
    let row = certificate_row(bench)?;
    bench.undo({
        let delete = operate(&format!("{row}Delete()"), "", &BTreeMap::new());
        move |bench| bench.operate(delete.clone()).map(drop)
    });
    bench.step("Make it a credential of ours, and connect with it");
    let credential = format!("{}Credential", bench.controller_path());
    if bench.features().has(&credential) {
        bench.changed(&credential, row.trim_end_matches('.'))?;
    }
    bench.undo(|bench| {
        let back = bench.websocket()?.present_made(false);
        bench.drop_link(Seat::Primary);
        back.map_err(Stop::not_runnable)
    });
    let presented = bench.websocket()?.present_made(true);
    presented.map_err(Stop::not_runnable)?;
    bench.drop_link(Seat::Primary);
    bench.connect(Seat::Primary)?;
    bench.step("Read the certificates of the Agent");
    certificate_row(bench)?;
    bench.step("Have it deleted");
    let delete = operate(&format!("{row}Delete()"), "test92-2", &BTreeMap::new());
    bench.operate(delete)?.response().map(drop)
}

/// The row of the certificate that was added.
fn certificate_row(bench: &mut Bench) -> Result<String, Stop> {
    let values = bench.values(&format!("{LOCAL_AGENT}Certificate."))?;
    let alias = values
        .iter()
        .find(|(path, value)| path.ends_with(".Alias") && *value == ALIAS);
    let (path, _) = alias.ok_or_else(|| {
        Stop::Failed(format!(
            "a certificate with the Alias {ALIAS} was expected, there is none"
        ))
    })?;
    Ok(path.trim_end_matches("Alias").to_owned())
}

/// 9.9
fn a_new_controller(bench: &mut Bench) -> Done {
    bench.needs_addable(CONTROLLERS)?;
    let command = "Device.LocalAgent.Controller.{i}.SendOnBoardRequest()";
    bench.needs(command)?;
    bench.step("Introduce a second Controller, and wait until it is connected");
    let second = bench.meet_second()?;
    bench.step("Have the Agent send it an OnBoardRequest");
    let command = format!("{}SendOnBoardRequest()", second.path);
    bench
        .operate(operate(&command, "test99", &BTreeMap::new()))?
        .response()?;
    bench.step("Wait for it, and answer it");
    bench.speak_as(Seat::Second);
    bench
        .await_notify(Kind::OnBoardRequest, "", NOTIFY_PATIENCE)
        .map(drop)
}

/// 9.11
fn timer(bench: &mut Bench) -> Done {
    bench.needs(TIMER)?;
    bench.step("Subscribe to the end of the command");
    bench.added(subscription_to("timer911", "OperationComplete", TIMER))?;
    bench.step("Start a timer of a minute");
    let arguments = [("DelaySeconds".to_owned(), "60".to_owned())].into();
    let operated = bench
        .operate(operate(TIMER, "test911", &arguments))?
        .response()?;
    operated.of(TIMER)?;
    let notified = completed(bench, "timer911", "test911", DELAY + NOTIFY_PATIENCE)?;
    equal(
        "command_name",
        notified.completion()?.command_name.as_str(),
        "ScheduleTimer()",
    )
}

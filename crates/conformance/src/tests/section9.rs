//! Section 9: Functionality.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, CONTROLLERS, Kind, OperatedResult, equal, operate};
use crate::limits::NOTIFY_PATIENCE;
use crate::peer::Seat;
use crate::stop::Done;
use crate::tests::common::{completed, subscription_to};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[&[test(9, 9, a_new_controller), test(9, 11, timer)]];

const TIMER: &str = "Device.ScheduleTimer()";
const DELAY: Duration = Duration::from_secs(60);

/// 9.9
fn a_new_controller(bench: &mut Bench) -> Done {
    bench.needs_addable(CONTROLLERS)?;
    let command = "Device.LocalAgent.Controller.{i}.SendOnBoardRequest()";
    bench.needs(command)?;
    bench.step("Introduce a second Controller, and wait until it is connected");
    let second = bench.meet_second()?;
    bench.step("Have the Agent send it an OnBoardRequest");
    let command = format!("{}SendOnBoardRequest()", second.path);
    bench.operate(operate(&command, "test99", &BTreeMap::new()))?.response()?;
    bench.step("Wait for it, and answer it");
    bench.speak_as(Seat::Second);
    bench.await_notify(Kind::OnBoardRequest, "", NOTIFY_PATIENCE).map(drop)
}

/// 9.11
fn timer(bench: &mut Bench) -> Done {
    bench.needs(TIMER)?;
    bench.step("Subscribe to the end of the command");
    bench.added(subscription_to("timer911", "OperationComplete", TIMER))?;
    bench.step("Start a timer of a minute");
    let arguments = [("DelaySeconds".to_owned(), "60".to_owned())].into();
    let operated = bench.operate(operate(TIMER, "test911", &arguments))?.response()?;
    operated.of(TIMER)?;
    let notified = completed(bench, "timer911", "test911", DELAY + NOTIFY_PATIENCE)?;
    equal("command_name", notified.completion()?.command_name.as_str(), "ScheduleTimer()")
}

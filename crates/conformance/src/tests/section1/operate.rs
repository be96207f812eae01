//! Operate. (R-OPR.0 to R-OPR.6)

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, Kind, Notified, OperatedResult, ensure, equal, operate};
use crate::limits::NOTIFY_PATIENCE;
use crate::profile::Call;
use crate::stop::{Done, Stop};
use crate::tests::common::{completed, subscription_to};
use crate::tries::Try;
use usphere_proto::msg::CompletionOutcome;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 61, reboot_answered),
    test(1, 62, reboot_unanswered),
    test(1, 64, asynchronous_answered),
    test(1, 65, asynchronous_unanswered),
    test(1, 79, with_arguments),
    test(1, 91, with_an_unknown_argument),
    test(1, 92, with_default_arguments),
    test(1, 100, without_a_mandatory_argument),
];

const TIMER: &str = "Device.ScheduleTimer()";

/// How often a TraceRoute() tries each hop by default. (TR-181)
const TRIES: usize = 3;

/// How long it waits for an answer to each try by default. (TR-181)
const TIMEOUT: Duration = Duration::from_secs(5);

/// How far the plan lets the time between tries be off, in hundredths of it.
const PERCENT: u32 = 1;

/// How much later a try may seem to come than it was sent, where there is much else to do.
const LATENESS: Duration = Duration::from_millis(250);

/// 1.61
fn reboot_answered(bench: &mut Bench) -> Done {
    let call = reboot(bench)?;
    let life = bench.remember_life()?;
    bench.step("Have the Agent reboot, and say so");
    let operated = bench.operate(operate(&call.command, "test61", &call.arguments))?;
    let outputs = operated.response()?;
    let outputs = outputs.outputs_of(&call.command)?;
    equal("output_args", outputs, &BTreeMap::new())?;
    bench.step("Wait until it is back");
    bench.await_new_life(&life)
}

/// 1.62
fn reboot_unanswered(bench: &mut Bench) -> Done {
    let call = reboot(bench)?;
    let life = bench.remember_life()?;
    bench.step("Have the Agent reboot, without an answer");
    bench.operate_unanswered(operate(&call.command, "test62", &call.arguments))?;
    bench.step("Wait until it is back");
    bench.await_new_life(&life)
}

/// 1.64
fn asynchronous_answered(bench: &mut Bench) -> Done {
    let call = asynchronous(bench)?;
    subscribed(bench, "operate64", &call.command)?;
    bench.step("Run the command");
    let operated = bench.operate(operate(&call.command, "test64", &call.arguments))?;
    is_request(operated.response()?.request_of(&call.command)?)?;
    ended(bench, "operate64", &call, "test64").map(drop)
}

/// 1.65
fn asynchronous_unanswered(bench: &mut Bench) -> Done {
    let call = asynchronous(bench)?;
    subscribed(bench, "operate65", &call.command)?;
    bench.step("Run the command, without an answer");
    let msg_id = bench.operate_unanswered(operate(&call.command, "test65", &call.arguments))?;
    ended(bench, "operate65", &call, "test65")?;
    bench.step("See that there was no answer");
    bench.expect_no_answer(&msg_id)
}

/// 1.79
fn with_arguments(bench: &mut Bench) -> Done {
    let call = timer(bench, 30)?;
    subscribed(bench, "operate79", TIMER)?;
    bench.step("Start a timer of 30 s");
    let operated = bench.operate(operate(TIMER, "test79", &call.arguments))?;
    is_request(operated.response()?.request_of(TIMER)?)?;
    let started = bench.now();
    let last = ended(bench, "operate79", &call, "test79")?;
    let passed = last.at.saturating_sub(started);
    ensure(passed >= Duration::from_secs(29), || {
        format!("the timer was to end after 30 s, it ended after {passed:?}")
    })
}

/// 1.91
fn with_an_unknown_argument(bench: &mut Bench) -> Done {
    let mut call = timer(bench, 10)?;
    let unknown = ("InvalidArgument".to_owned(), "2".to_owned());
    call.arguments.extend([unknown]);
    bench.step("Start a timer with an argument that there is not");
    let operated = bench.operate(operate(TIMER, "test91", &call.arguments))?;
    let operated = operated.response()?;
    match operated.request_of(TIMER) {
        Ok(path) => is_request(path),
        Err(stop) => operated.outputs_of(TIMER).map(drop).map_err(|_| stop),
    }
}

/// 1.92. What the plan sees on the network, the host sees here to which the way is to be found.
fn with_default_arguments(bench: &mut Bench) -> Done {
    let call = bench.profile().defaulted.clone();
    bench.needs(&call.command)?;
    if !call.command.ends_with(".TraceRoute()") {
        let reason = "the defaults of TraceRoute() alone can be told from what it does, and the profile names another command";
        return Err(Stop::not_runnable(reason));
    }
    subscribed(bench, "operate92", &call.command)?;
    bench.step(
        "Look for the way to a host that says nothing, without the arguments that have defaults",
    );
    let host = bench.keep_silent()?;
    let mut arguments = call.arguments.clone();
    arguments.insert("Host".to_owned(), host.to_string());
    let operated = bench.operate(operate(&call.command, "test92", &arguments))?;
    is_request(operated.response()?.request_of(&call.command)?)?;
    bench.step("See that it tries three times, and waits 5 s each time");
    let Some(first) = bench.tried(Duration::from_secs(call.seconds)) else {
        if let Ok(end) = completed(bench, "operate92", "test92", Duration::ZERO)
            && let Some(CompletionOutcome::CmdFailure(failure)) = &end.completion()?.operation_resp
        {
            let text = format!(
                "the command has failed: {} {}",
                failure.err_code, failure.err_msg
            );
            return Err(Stop::Failed(text));
        }
        let reason = "no try was seen: only datagrams of UDP to the ports from 33434 on are";
        return Err(Stop::not_runnable(reason));
    };
    as_by_default(bench, first)?;
    bench.step("Have the host answer, and wait for the end of the command");
    bench.answer_tries();
    ended(bench, "operate92", &call, "test92").map(drop)
}

/// After the first try come those of the same distance that are the default, each in its time.
fn as_by_default(bench: &mut Bench, (began, first): (Duration, Try)) -> Done {
    let early = TIMEOUT * PERCENT / 100;
    let mut last = began;
    for number in 2..=TRIES + 1 {
        let next = bench.tried(TIMEOUT + early + LATENESS);
        // One of the next distance.
        let next = next.filter(|(_, one)| one.hops_left == first.hops_left);
        if number > TRIES {
            return ensure(next.is_none(), || {
                format!("{TRIES} tries were expected for one distance, there was one more")
            });
        }
        let Some((at, _)) = next else {
            return Err(Stop::Failed(format!(
                "{TRIES} tries were expected for one distance, {TIMEOUT:?} after one another; try {number} did not come"
            )));
        };
        let passed = at.saturating_sub(last);
        ensure(passed + early + LATENESS >= TIMEOUT, || {
            format!(
                "try {number} was expected {TIMEOUT:?} after the one before, it came after {passed:?}"
            )
        })?;
        last = at;
    }
    Ok(())
}

/// 1.100
fn without_a_mandatory_argument(bench: &mut Bench) -> Done {
    timer(bench, 0)?;
    subscribed(bench, "operate100", TIMER)?;
    bench.step("Start a timer without its delay");
    let operated = bench.operate(operate(TIMER, "test100", &BTreeMap::new()))?;
    equal("err_code", &operated.response()?.failure_of(TIMER)?, &7027)?;
    bench.step("Hear of no such timer for two minutes");
    let until = bench.now() + Duration::from_secs(120);
    loop {
        // Another test's timer may end meanwhile.
        let patience = until.saturating_sub(bench.now());
        let Some(notified) = bench.notified(Kind::OperationComplete, "operate100", patience) else {
            return Ok(());
        };
        let key = &notified.completion()?.command_key;
        ensure(key != "test100", || {
            "no OperationComplete was expected, one came".to_owned()
        })?;
    }
}

/// The command that reboots the Agent.
fn reboot(bench: &Bench) -> Result<Call, Stop> {
    let call = bench.profile().reboot.clone();
    bench.needs(&call.command)?;
    Ok(call)
}

/// The asynchronous command of the profile.
fn asynchronous(bench: &Bench) -> Result<Call, Stop> {
    let call = bench.profile().asynchronous.clone();
    if call.command.is_empty() {
        let reason = "the Agent has no asynchronous command that is known to do no harm; the profile can name one";
        return Err(Stop::NotApplicable(reason.to_owned()));
    }
    bench.needs(&call.command)?;
    Ok(call)
}

/// A timer.
fn timer(bench: &Bench, seconds: u64) -> Result<Call, Stop> {
    bench.needs(TIMER)?;
    Ok(Call {
        command: TIMER.to_owned(),
        arguments: [("DelaySeconds".to_owned(), seconds.to_string())].into(),
        seconds,
    })
}

fn subscribed(bench: &mut Bench, id: &str, command: &str) -> Done {
    bench.step("Subscribe to the end of the command");
    bench
        .added(subscription_to(id, "OperationComplete", command))
        .map(drop)
}

fn is_request(path: &str) -> Done {
    ensure(path.starts_with("Device.LocalAgent.Request."), || {
        format!("req_obj_path: the path of a Request was expected, {path:?} came")
    })
}

/// Waits for the command to end.
fn ended(bench: &mut Bench, id: &str, call: &Call, key: &str) -> Result<Notified, Stop> {
    let patience = Duration::from_secs(call.seconds) + NOTIFY_PATIENCE;
    let notified = completed(bench, id, key, patience)?;
    let completion = notified.completion()?;
    let command = format!("{}{}", completion.obj_path, completion.command_name);
    equal("obj_path and command_name", command.as_str(), &call.command)?;
    Ok(notified)
}

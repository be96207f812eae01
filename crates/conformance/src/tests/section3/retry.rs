//! Session contexts that cannot be established. (R-E2E.10 to R-E2E.12)

use std::time::Duration;

use super::{Test, test};
use crate::bench::{Bench, Signature, ensure};
use crate::credentials::Shown;
use crate::limits::NOTIFY_PATIENCE;
use crate::stop::{Done, Stop};
use crate::tests::common::subscription_to;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[test(3, 5, no_tls)];

const TICK: &str = "Device.LocalAgent.Periodic!";

/// How often the Agent tells Periodic!, by which it has a reason to begin a session context.
const INTERVAL: Duration = Duration::from_secs(60);

/// How far the time between attempts may be off.
const SLACK: Duration = Duration::from_secs(1);

/// 3.5
fn no_tls(bench: &mut Bench) -> Done {
    bench.needs_secure_messages()?;
    let interval = format!("{}PeriodicNotifInterval", bench.controller_path());
    bench.needs(&interval)?;
    bench.step("Subscribe to Periodic!, which comes every minute");
    bench.added(subscription_to("failing35", "Event", TICK))?;
    bench.changed(&interval, &INTERVAL.as_secs().to_string())?;
    bench.step("Read how long the Agent waits before it tries again");
    let (min, multiplier) = intervals(bench)?;
    bench.step("Begin a session context with TLS, and break the handshake off by an alert");
    bench.start_secure(Shown::Usual, Signature::Right)?;
    bench.break_off()?;
    bench.step("Wait until the Agent begins a session context, and break that off too");
    bench.answer_handshakes(false);
    let first = bench.await_client_hello(INTERVAL + NOTIFY_PATIENCE)?;
    bench.break_off()?;
    bench.step("Let the next one come about, and wait for it");
    bench.answer_handshakes(true);
    // The first handshake may count as the first failure, or may not.
    let longest = min.mul_f64(multiplier * multiplier);
    let second = bench.await_client_hello(longest + SLACK)?;
    let passed = second.saturating_sub(first);
    ensure(passed + SLACK >= min && passed <= longest + SLACK, || {
        format!(
            "the next session context was expected after {min:?} to {longest:?}, it came after {passed:?}"
        )
    })
}

/// The shortest wait before a session context is tried again, and by how much it may grow.
fn intervals(bench: &mut Bench) -> Result<(Duration, f64), Stop> {
    let path = bench.session_path();
    let mut number = |name: &str| {
        let path = format!("{path}SessionRetry{name}");
        bench.needs(&path)?;
        let value = bench.value(&path)?.parse::<u32>();
        value.map_err(|_| Stop::Failed(format!("{path}: a number was expected")))
    };
    let min = Duration::from_secs(number("MinimumWaitInterval")?.into());
    Ok((min, f64::from(number("IntervalMultiplier")?) / 1000.0))
}

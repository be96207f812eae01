//! Notify. (R-NOT.0 to R-NOT.9)

use std::time::Duration;

use super::{Test, test};
use crate::bench::{
    AllowPartial, Bench, Kind, Notified, SUBSCRIPTIONS, SetResult, Settings, ensure, equal, only,
    update, value_in,
};
use crate::limits::NOTIFY_PATIENCE;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::{nested_row, subscription, subscription_to};
use usphere_proto::msg::CreateObject;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 52, a_value_changes),
    test(1, 53, until_the_subscription_goes),
    test(1, 54, again_until_answered),
    test(1, 55, until_the_subscription_expires),
    test(1, 56, until_the_notification_expires),
    test(1, 57, a_row_comes),
    test(1, 58, a_row_goes),
    test(1, 59, every_so_often),
    test(1, 78, until_the_controller_goes),
    test(1, 84, by_search),
    test(1, 93, config),
    test(1, 94, notify_and_config),
];

/// How far what is timed may be off: the way there and back, and a device that has something else to do.
const SLACK: Duration = Duration::from_secs(1);

const RETRY_MIN: &str = "USPNotifRetryMinimumWaitInterval";

/// 1.52
fn a_value_changes(bench: &mut Bench) -> Done {
    let row = value_change(bench, "notify52")?;
    bench.added(row)?;
    notified_of(bench, "notify52", "TestValue52").map(drop)
}

/// 1.53
fn until_the_subscription_goes(bench: &mut Bench) -> Done {
    let row = value_change(bench, "notify53")?;
    let row = bench.added(row)?;
    notified_of(bench, "notify53", "TestValue53")?;
    bench.step("Delete the Subscription");
    bench.delete(AllowPartial::No, &[&row])?.response()?;
    bench.step("Set the parameter again, and hear nothing for 20 s");
    let parameter = parameter(bench);
    bench.write(&parameter, "notify53-2")?;
    bench.expect_silence(Kind::ValueChange, "notify53", Duration::from_secs(20))
}

/// 1.54
fn again_until_answered(bench: &mut Bench) -> Done {
    usual_retries(bench)?;
    let row = value_change(bench, "notify54")?;
    bench.added(row)?;
    bench.leave_unanswered();
    let first = notified_of(bench, "notify54", "TestValue54")?;
    bench.step("Wait for it to come again, after 5 to 10 s");
    let again = |bench: &mut Bench, last: Duration, from: u64, to: u64| {
        let until = last + Duration::from_secs(to) + SLACK;
        let patience = until.saturating_sub(bench.now());
        let next = bench.await_notify(Kind::ValueChange, "notify54", patience)?;
        let passed = next.at.saturating_sub(last);
        ensure(passed + SLACK >= Duration::from_secs(from), || {
            format!("the Notify was to come again after {from} to {to} s, it came after {passed:?}")
        })?;
        Ok::<_, Stop>(next)
    };
    let second = again(bench, first.at, 5, 10)?;
    bench.step("Wait for it to come once more, after 10 to 20 s");
    let third = again(bench, second.at, 10, 20)?;
    bench.step("Answer it");
    bench.answer(&third)
}

/// 1.55
fn until_the_subscription_expires(bench: &mut Bench) -> Done {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.TimeToLive"))?;
    let row = value_change(bench, "notify55")?.with("TimeToLive", "20");
    let row = bench.added(row)?;
    notified_of(bench, "notify55", "TestValue55")?;
    bench.step("Wait until the Subscription has expired");
    bench.pass(Duration::from_secs(20) + SLACK);
    let rows = bench.rows(SUBSCRIPTIONS)?;
    ensure(!rows.contains(&row), || {
        format!("{row} was to be gone after its TimeToLive of 20 s, and is there")
    })?;
    bench.step("Set the parameter again, and hear nothing for 10 s");
    let parameter = parameter(bench);
    bench.write(&parameter, "TestValue55-2")?;
    bench.expect_silence(Kind::ValueChange, "notify55", Duration::from_secs(10))
}

/// 1.56
fn until_the_notification_expires(bench: &mut Bench) -> Done {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.NotifExpiration"))?;
    usual_retries(bench)?;
    let row = value_change(bench, "notify56")?.with("NotifExpiration", "20");
    bench.added(row)?;
    bench.leave_unanswered();
    let first = notified_of(bench, "notify56", "TestValue56")?;
    bench.step("Wait for it to come again within 20 s, and no more after that");
    let expires = first.at + Duration::from_secs(20) + SLACK;
    let end = first.at + Duration::from_secs(60);
    let mut again = 0;
    loop {
        let patience = end.saturating_sub(bench.now());
        let Some(next) = bench.notified(Kind::ValueChange, "notify56", patience) else {
            break;
        };
        let passed = next.at.saturating_sub(first.at);
        ensure(next.at <= expires, || {
            format!("the Notify was not to come again after 20 s, it came after {passed:?}")
        })?;
        again += 1;
    }
    ensure(again > 0, || {
        "the Notify was to come again within 20 s, it did not".to_owned()
    })
}

/// 1.57
fn a_row_comes(bench: &mut Bench) -> Done {
    bench.step("Subscribe to new Subscriptions");
    bench.added(subscription_to("notify57", "ObjectCreation", SUBSCRIPTIONS))?;
    bench.step("Add a Subscription");
    let reference = parameter(bench);
    let row = bench.added(subscription_to("notify57-2", "ValueChange", &reference))?;
    bench.step("Wait for the Notify");
    let notified = bench.await_notify(Kind::ObjectCreation, "notify57", NOTIFY_PATIENCE)?;
    let creation = notified.creation()?;
    equal("obj_path", creation.obj_path.as_str(), &row)?;
    equal("ID", value_in(&creation.unique_keys, "ID")?, "notify57-2")?;
    let recipient = value_in(&creation.unique_keys, "Recipient")?;
    let us = bench.controller_path();
    equal(
        "Recipient",
        recipient.trim_end_matches('.'),
        us.trim_end_matches('.'),
    )
}

/// 1.58
fn a_row_goes(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to delete");
    let row = bench.added(subscription("notify58-2"))?;
    bench.step("Subscribe to Subscriptions that go");
    bench.added(subscription_to("notify58", "ObjectDeletion", SUBSCRIPTIONS))?;
    bench.step("Delete the first");
    bench.delete(AllowPartial::No, &[&row])?.response()?;
    bench.step("Wait for the Notify");
    let notified = bench.await_notify(Kind::ObjectDeletion, "notify58", NOTIFY_PATIENCE)?;
    equal("obj_path", notified.deletion()?.obj_path.as_str(), &row)
}

/// 1.59
fn every_so_often(bench: &mut Bench) -> Done {
    let us = bench.controller_path();
    bench.needs(&format!("{us}PeriodicNotifTime"))?;
    bench.needs("Device.LocalAgent.Periodic!")?;
    for name in ["PeriodicNotifInterval", "PeriodicNotifTime"] {
        let path = format!("{us}{name}");
        let before = bench.value(&path)?;
        bench.undo(move |bench| bench.write(&path, &before));
    }
    bench.step("Have the event happen every minute");
    let change = update(&us)
        .with("PeriodicNotifInterval", "60")
        .with("PeriodicNotifTime", "2019-01-01T00:00:00Z");
    let set = bench.set(AllowPartial::No, [change])?.response()?;
    only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    bench.step("Subscribe to it");
    let row = subscription_to("sub-103", "Event", "Device.LocalAgent.Periodic!");
    bench.added(row)?;
    let mut next = |text| {
        bench.step(text);
        let notified = bench.await_notify(Kind::Event, "sub-103", Duration::from_secs(70))?;
        equal(
            "event_name",
            notified.event()?.event_name.as_str(),
            "Periodic!",
        )?;
        Ok::<_, Stop>(notified.at)
    };
    let first = next("Wait for the first event")?;
    let second = next("Wait for the second event")?;
    let passed = second.saturating_sub(first).as_secs_f64();
    ensure((56.0..=64.0).contains(&passed), || {
        format!(
            "the second event was expected 60 s after the first, at most 4 s off; it came after {passed:.1} s"
        )
    })
}

/// 1.78
fn until_the_controller_goes(bench: &mut Bench) -> Done {
    bench.step("Introduce a second Controller, which adds a Subscription");
    let second = bench.meet_second()?;
    bench.speak_as(Seat::Second);
    let row = bench.added(subscription("notify78"))?;
    bench.step("The first Controller deletes the second one's row");
    bench.speak_as(Seat::Primary);
    bench
        .delete(AllowPartial::No, &[&second.path])?
        .response()?;
    bench.step("See that its Subscription is gone with it");
    let rows = bench.rows(SUBSCRIPTIONS)?;
    ensure(!rows.contains(&row), || {
        format!("{row} was to be gone, and is there")
    })
}

/// 1.84
fn by_search(bench: &mut Bench) -> Done {
    let table = bench.nested_table()?;
    bench.step("Add two enabled rows to a table within the row that is us");
    let row = nested_row(bench, &table, 0, "true")?;
    let row = bench.added(row)?;
    let other = nested_row(bench, &table, 1, "true")?;
    bench.added(other)?;
    bench.step("Subscribe to changes of any row by a wildcard");
    let reference = format!("{table}*.Enable");
    bench.added(subscription_to("notify84", "ValueChange", &reference))?;
    bench.step("Change one row");
    let path = format!("{row}Enable");
    bench.write(&path, "false")?;
    bench.step("Wait for the Notify");
    let notified = bench.await_notify(Kind::ValueChange, "notify84", NOTIFY_PATIENCE)?;
    let change = notified.value_change()?;
    equal("param_path", change.param_path.as_str(), &path)?;
    ensure(
        crate::bench::same_value(&change.param_value, "false"),
        || {
            format!(
                "param_value: false was expected, {:?} came",
                change.param_value
            )
        },
    )
}

/// 1.93
fn config(bench: &mut Bench) -> Done {
    let row = triggered(bench, "notify93", "Config")?;
    bench.step("Set the parameter");
    let parameter = parameter(bench);
    bench.write(&parameter, "TestValue93")?;
    is_disabled(bench, &row)
}

/// 1.94
fn notify_and_config(bench: &mut Bench) -> Done {
    let row = triggered(bench, "notify94", "NotifyAndConfig")?;
    notified_of(bench, "notify94", "TestValue94")?;
    is_disabled(bench, &row)
}

/// A Subscription that disables itself when the value changes.
fn triggered(bench: &mut Bench, id: &str, action: &str) -> Result<String, Stop> {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.TriggerAction"))?;
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.TriggerConfigSettings"))?;
    let row = value_change(bench, id)?.with("TriggerAction", action);
    let row = bench.added(row)?;
    bench.step("Have it disable itself when that happens");
    bench.write(
        &format!("{row}TriggerConfigSettings"),
        &format!("{row}Enable=false"),
    )?;
    Ok(row)
}

/// The Subscription gets disabled, now or within a moment.
fn is_disabled(bench: &mut Bench, row: &str) -> Done {
    bench.step("See that the Subscription is disabled");
    let path = format!("{row}Enable");
    let until = bench.now() + NOTIFY_PATIENCE;
    while !crate::bench::same_value(&bench.value(&path)?, "false") && bench.now() < until {
        bench.pass(Duration::from_secs(1));
    }
    bench.expect_values(row, &[("Enable", "false")])
}

/// The parameter whose value the tests change.
fn parameter(bench: &Bench) -> String {
    bench.filled_in(&bench.profile().value_change)
}

/// A Subscription to the parameter whose value the tests change, which is not what they change it to.
fn value_change(bench: &mut Bench, id: &str) -> Result<CreateObject, Stop> {
    let parameter = parameter(bench);
    if !bench.features().has(&parameter) {
        let reason =
            format!("the Agent has no {parameter} to change; the profile can name another");
        return Err(Stop::NotRunnable(reason));
    }
    bench.step("Set the parameter to what it will not be, and subscribe to its changes");
    bench.changed(&parameter, "Arbitrary")?;
    Ok(subscription_to(id, "ValueChange", &parameter))
}

/// Changes the parameter, and is notified of it.
fn notified_of(bench: &mut Bench, id: &str, value: &str) -> Result<Notified, Stop> {
    let parameter = parameter(bench);
    bench.step("Set the parameter, and wait for the Notify");
    bench.write(&parameter, value)?;
    let notified = bench.await_notify(Kind::ValueChange, id, NOTIFY_PATIENCE)?;
    let change = notified.value_change()?;
    equal("param_path", change.param_path.as_str(), &parameter)?;
    equal("param_value", change.param_value.as_str(), value)?;
    Ok(notified)
}

/// Notifications are tried again as they are by default.
fn usual_retries(bench: &mut Bench) -> Done {
    let path = format!("{}{RETRY_MIN}", bench.controller_path());
    if bench.features().has(&path) && bench.value(&path)? != "5" {
        bench.changed(&path, "5")?;
    }
    Ok(())
}

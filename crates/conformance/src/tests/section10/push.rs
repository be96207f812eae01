//! Bulk data by an event.

use super::{
    Collected, Encoding, Report, TRANSFERS, Test, UP_TIME, boot_parameters, has_only, has_prefix,
    has_rows, needed, profile, test,
};
use crate::bench::{Bench, CONTROLLERS, Kind, equal, value_in};
use crate::stop::Done;
use crate::tests::common::subscription_to;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(10, 10, up_time),
    test(10, 11, by_wildcard),
    test(10, 12, whole_objects),
];

/// 10.10
fn up_time(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "USPEventNotif", None)?;
    bench.needs(UP_TIME)?;
    pushed(bench, "push10", encoding, &Collected::UP_TIME, |report| {
        has_only(report, Collected::UP_TIME.name)
    })
}

/// 10.11
fn by_wildcard(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "USPEventNotif", None)?;
    let collected = boot_parameters(bench)?;
    pushed(bench, "push11", encoding, &collected, |report| {
        has_rows(report, collected.name)
    })
}

/// 10.12
fn whole_objects(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "USPEventNotif", None)?;
    let collected = Collected {
        name: "Controller",
        reference: CONTROLLERS,
    };
    pushed(bench, "push12", encoding, &collected, |report| {
        has_prefix(report, collected.name)
    })
}

fn pushed(
    bench: &mut Bench,
    id: &str,
    encoding: Encoding,
    collected: &Collected<'_>,
    judge: impl Fn(&Report) -> Done,
) -> Done {
    let collection = profile(bench, "USPEventNotif", encoding, &[], collected)?;
    bench.step("Subscribe to its event");
    let event = format!("{}Push!", collection.path);
    bench.added(subscription_to(id, "Event", &event))?;
    collection.enable(bench)?;
    let patience = collection.patience();
    bench.step(format_args!(
        "Wait {} s for {TRANSFERS} events, and look at each",
        patience.as_secs()
    ));
    let until = bench.now() + patience;
    for _ in 0..TRANSFERS {
        let left = until.saturating_sub(bench.now());
        let notified = bench.await_notify(Kind::Event, id, left)?;
        let event = notified.event()?;
        equal("obj_path", event.obj_path.as_str(), &collection.path)?;
        equal("event_name", event.event_name.as_str(), "Push!")?;
        let data = value_in(&event.params, "Data")?;
        collection.judge(data.as_bytes(), &judge)?;
    }
    Ok(())
}

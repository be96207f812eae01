//! Bulk data to a collector of ours. (R-BULK.0 to R-BULK.8)

use std::time::Duration;

use super::{
    Collected, Collection, Encoding, Report, SLACK, TRANSFERS, Test, UP_TIME, added_whole,
    boot_parameters, has_only, has_prefix, has_rows, needed, profile, test,
};
use crate::bench::{Bench, Requested, Settings, create, ensure, equal};
use crate::stop::{Done, Stop};
use crate::tests::common::ENDPOINT_ID;
use crate::web::{Reply, WebRequest};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(10, 1, json),
    test(10, 2, json_over_tls),
    test(10, 3, csv),
    test(10, 4, csv_over_tls),
    test(10, 5, in_the_query),
    test(10, 6, in_the_query_over_tls),
    test(10, 7, again_until_taken),
    test(10, 8, by_wildcard),
    test(10, 9, whole_object),
];

/// The page of the collector.
const PAGE: &str = "/bulk-data";

/// Where the plan's three tries again fall, after the one before. (R-BULK.2)
const RETRIES: [(u64, u64); 3] = [(5, 10), (10, 20), (20, 40)];

/// How much later than that the plan still takes one.
const LATE: Duration = Duration::from_secs(3);

/// 10.1
fn json(bench: &mut Bench) -> Done {
    up_time(bench, Encoding::Json, false)
}

/// 10.2
fn json_over_tls(bench: &mut Bench) -> Done {
    up_time(bench, Encoding::Json, true)
}

/// 10.3
fn csv(bench: &mut Bench) -> Done {
    up_time(bench, Encoding::Csv, false)
}

/// 10.4
fn csv_over_tls(bench: &mut Bench) -> Done {
    up_time(bench, Encoding::Csv, true)
}

/// 10.5
fn in_the_query(bench: &mut Bench) -> Done {
    with_a_parameter(bench, false)
}

/// 10.6
fn in_the_query_over_tls(bench: &mut Bench) -> Done {
    with_a_parameter(bench, true)
}

fn up_time(bench: &mut Bench, encoding: Encoding, is_secure: bool) -> Done {
    let encoding = needed(bench, "HTTP", Some(encoding))?;
    bench.needs(UP_TIME)?;
    let collection = collect(bench, encoding, is_secure, &Collected::UP_TIME)?;
    collection.enable(bench)?;
    let transfers = transfers(bench, &collection)?;
    judged(bench, &collection, &transfers, |report| {
        has_only(report, Collected::UP_TIME.name)
    })
}

fn with_a_parameter(bench: &mut Bench, is_secure: bool) -> Done {
    let encoding = needed(bench, "HTTP", None)?;
    bench.needs(UP_TIME)?;
    let collection = collect(bench, encoding, is_secure, &Collected::UP_TIME)?;
    bench.step("Have it send a parameter in the query");
    let row = create(&format!("{}HTTP.RequestURIParameter.", collection.path))
        .with("Name", "UpTime")
        .with("Reference", "Device.LocalAgent.UpTime");
    added_whole(bench, row)?;
    collection.enable(bench)?;
    let transfers = transfers(bench, &collection)?;
    bench.step("See that the parameter is in the query, and who the Agent is");
    for Requested { request, .. } in &transfers {
        let value = request.parameter("UpTime").unwrap_or_default();
        ensure(value.parse::<u64>().is_ok(), || {
            let query = &request.query;
            format!("a number for UpTime was expected in the query, {query:?} came")
        })?;
    }
    judged(bench, &collection, &transfers, |_| Ok(()))
}

/// 10.7
fn again_until_taken(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "HTTP", None)?;
    bench.needs(UP_TIME)?;
    let url = bench.serve(PAGE, false, Reply::status(503))?;
    let settings = [
        ("HTTP.URL", url.as_str()),
        ("HTTP.RetryEnable", "true"),
        ("HTTP.RetryMinimumWaitInterval", "5"),
        ("HTTP.RetryIntervalMultiplier", "2000"),
    ];
    let collection = profile(bench, "HTTP", encoding, &settings, &Collected::UP_TIME)?;
    collection.enable(bench)?;
    bench.step("Wait for the first attempt, which the collector refuses");
    let first = bench.await_request(PAGE, collection.interval + SLACK)?;
    let mut all = vec![first];
    for (number, (from, to)) in (1..).zip(RETRIES) {
        if number == RETRIES.len() {
            bench.step("From now on the collector takes what comes");
            bench.serve(PAGE, false, Reply::status(200))?;
        }
        bench.step(format_args!(
            "Wait for it to come again, after {from} to {to} s"
        ));
        let next = again(bench, &collection, &all, (from, to))?;
        all.push(next);
    }
    bench.step("See that it does not come again before the next report is due");
    let patience = collection.interval + SLACK;
    let next = bench.await_request(PAGE, patience)?;
    ensure(collection.is_report(&all[0], &next), || {
        let passed = next.at.saturating_sub(all[all.len() - 1].at);
        format!("nothing was to come again after it was taken, it came after {passed:.1?}")
    })?;
    all.push(next);
    judged(bench, &collection, &all, |report| {
        has_only(report, Collected::UP_TIME.name)
    })
}

/// The next attempt, which comes when it should. The next report may come instead, which ends the attempts to send
/// the one before it. (R-BULK.3)
fn again(
    bench: &mut Bench,
    collection: &Collection,
    all: &[Requested],
    (from, to): (u64, u64),
) -> Result<Requested, Stop> {
    let last = all[all.len() - 1].at;
    let latest = last + Duration::from_secs(to) + LATE;
    let patience = latest.saturating_sub(bench.now());
    let next = bench.await_request(PAGE, patience)?;
    let passed = next.at.saturating_sub(last);
    let is_due = passed + Duration::from_secs(1) >= Duration::from_secs(from);
    ensure(is_due || collection.is_report(&all[0], &next), || {
        format!("it was to come again after {from} to {to} s, it came after {passed:.1?}")
    })?;
    Ok(next)
}

/// 10.8
fn by_wildcard(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "HTTP", None)?;
    let collected = boot_parameters(bench)?;
    let collection = collect(bench, encoding, false, &collected)?;
    collection.enable(bench)?;
    let transfers = transfers(bench, &collection)?;
    judged(bench, &collection, &transfers, |report| {
        has_rows(report, collected.name)
    })
}

/// 10.9
fn whole_object(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "HTTP", None)?;
    let us = bench.controller_path();
    let collected = Collected {
        name: "TestController",
        reference: &us,
    };
    let collection = collect(bench, encoding, false, &collected)?;
    collection.enable(bench)?;
    let transfers = transfers(bench, &collection)?;
    bench.step("Read what should be in the reports");
    let values = bench.values(&us)?;
    let names = values.keys().filter_map(|path| path.strip_prefix(&us));
    let expected: Vec<String> = names
        .map(|name| format!("{}.{name}", collected.name))
        .collect();
    judged(bench, &collection, &transfers, |report| {
        has_prefix(report, collected.name)?;
        match expected.iter().find(|name| !report.contains_key(*name)) {
            None => Ok(()),
            Some(missing) => Err(Stop::Failed(format!(
                "{missing} was expected in the report, it is not there"
            ))),
        }
    })
}

/// A profile that sends to our collector, which takes all.
fn collect(
    bench: &mut Bench,
    encoding: Encoding,
    is_secure: bool,
    collected: &Collected<'_>,
) -> Result<Collection, Stop> {
    let url = bench.serve(PAGE, is_secure, Reply::status(200))?;
    let settings = [("HTTP.URL", url.as_str())];
    profile(bench, "HTTP", encoding, &settings, collected)
}

impl Collection {
    /// Whether a transfer came when a report was due, counted from the first one.
    fn is_report(&self, first: &Requested, this: &Requested) -> bool {
        let passed = this.at.saturating_sub(first.at).as_secs_f64();
        let interval = self.interval.as_secs_f64();
        let off = passed.rem_euclid(interval);
        passed >= interval / 2.0 && off.min(interval - off) <= LATE.as_secs_f64()
    }
}

/// The transfers that the plan waits for.
fn transfers(bench: &mut Bench, collection: &Collection) -> Result<Vec<Requested>, Stop> {
    let patience = collection.patience();
    bench.step(format_args!(
        "Wait {} s for {TRANSFERS} transfers",
        patience.as_secs()
    ));
    let until = bench.now() + patience;
    let mut all = Vec::new();
    while all.len() < TRANSFERS {
        let left = until.saturating_sub(bench.now());
        match bench.requested(PAGE, left) {
            Some(transfer) => all.push(transfer),
            None => {
                return Err(Stop::Failed(format!(
                    "{TRANSFERS} transfers were expected within {} s, {} came",
                    patience.as_secs(),
                    all.len()
                )));
            }
        }
    }
    Ok(all)
}

/// Each transfer is what it says it is, says whom it is of, and holds what it should.
fn judged(
    bench: &mut Bench,
    collection: &Collection,
    transfers: &[Requested],
    judge: impl Fn(&Report) -> Done,
) -> Done {
    bench.step("Look at each transfer: whom it is of, and what is in it");
    let identity = Identity::of(bench)?;
    for Requested { request, .. } in transfers {
        ensure(["POST", "PUT"].contains(&request.method.as_str()), || {
            format!("a POST was expected, {} came", request.method)
        })?;
        identity.is_in(request)?;
        let media_type = request.media_type().unwrap_or_default();
        equal(
            "the media type in Content-Type",
            media_type.as_str(),
            collection.encoding.media_type(),
        )?;
        collection.judge(&request.body, &judge)?;
    }
    Ok(())
}

/// Who the Agent is in the query of a transfer. (R-BULK.1)
struct Identity {
    endpoint: (&'static str, String),
    device: Vec<(&'static str, String)>,
}

impl Identity {
    fn of(bench: &mut Bench) -> Result<Self, Stop> {
        let endpoint = ("eid", bench.value(ENDPOINT_ID)?);
        let names = [
            ("oui", "ManufacturerOUI"),
            ("pc", "ProductClass"),
            ("sn", "SerialNumber"),
        ];
        let mut device = Vec::new();
        for (short, name) in names {
            let path = format!("Device.DeviceInfo.{name}");
            if bench.features().has(&path) {
                device.push((short, bench.value(&path)?));
            }
        }
        Ok(Self { endpoint, device })
    }

    fn is_in(&self, request: &WebRequest) -> Done {
        let says = |(name, value): &(&str, String)| request.parameter(name) == Some(value.as_str());
        let whole = self.device.len() == 3 && self.device.iter().all(says);
        ensure(whole || says(&self.endpoint), || {
            format!(
                "the query was to say who the Agent is by {:?} or by {:?}, it says {:?}",
                self.device, self.endpoint, request.query
            )
        })
    }
}

//! Section 10: Bulk data. (R-BULK.0 to R-BULK.13)

mod http;
mod mqtt;
mod push;
mod report;

use std::time::Duration;

use super::common::{ENDPOINT_ID, SOFTWARE_VERSION};
use super::{Test, test};
use crate::bench::{AllowPartial, Bench, SetResult, Settings, create, ensure, exactly, update};
use crate::stop::{Done, Stop};
use report::{Encoding, Report};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[http::TESTS, push::TESTS, mqtt::TESTS];

const BULK_DATA: &str = "Device.BulkData.";
const PROFILES: &str = "Device.BulkData.Profile.";
const UP_TIME: &str = "Device.DeviceInfo.UpTime";

/// The shortest interval of reports that the plan asks for.
const INTERVAL: Duration = Duration::from_secs(60);

/// What the plan grants the second report beyond two intervals.
const SLACK: Duration = Duration::from_secs(10);

/// How many transfers are waited for.
const TRANSFERS: usize = 2;

/// A profile of bulk data, not enabled yet.
struct Collection {
    /// Its row.
    path: String,
    encoding: Encoding,
    interval: Duration,
}

/// What is collected: the name that it is to have, and what it is.
struct Collected<'a> {
    name: &'a str,
    reference: &'a str,
}

impl Collected<'_> {
    const UP_TIME: Self = Collected {
        name: "UpTime",
        reference: UP_TIME,
    };
}

/// The Agent carries bulk data in this way, and in this encoding; the encoding is any that it has where the plan
/// leaves it open.
fn needed(bench: &mut Bench, protocol: &str, encoding: Option<Encoding>) -> Result<Encoding, Stop> {
    bench.needs(PROFILES_ROW)?;
    bench.needs_addable(PROFILES)?;
    let lists = |bench: &mut Bench, name: &str| {
        let value = bench.value(&format!("{BULK_DATA}{name}"))?;
        let items = value.split(',').map(|item| item.trim().to_owned());
        Ok::<Vec<String>, Stop>(items.collect())
    };
    let without = |what: &str| {
        let reason = format!("the Agent does not offer {what} for bulk data");
        Stop::NotApplicable(reason)
    };
    if !lists(bench, "Protocols")?
        .iter()
        .any(|item| item == protocol)
    {
        return Err(without(protocol));
    }
    let encodings = lists(bench, "EncodingTypes")?;
    let wanted = encoding.map_or(vec![Encoding::Json, Encoding::Csv], |one| vec![one]);
    let found = wanted
        .into_iter()
        .find(|one| encodings.iter().any(|item| item == one.name()));
    found.ok_or_else(|| without(encoding.map_or("JSON or CSV", Encoding::name)))
}

const PROFILES_ROW: &str = "Device.BulkData.Profile.{i}.";

/// Adds a profile, and what it collects.
fn profile(
    bench: &mut Bench,
    protocol: &str,
    encoding: Encoding,
    settings: &[(&str, &str)],
    collected: &Collected<'_>,
) -> Result<Collection, Stop> {
    let least = bench.value(&format!("{BULK_DATA}MinReportingInterval"))?;
    let least = Duration::from_secs(least.parse().unwrap_or_default());
    let interval = INTERVAL.max(least);
    bench.step(format_args!(
        "Add a profile for {} over {protocol}",
        encoding.name()
    ));
    let seconds = interval.as_secs().to_string();
    let mut row = create(PROFILES)
        .with("Protocol", protocol)
        .with("EncodingType", encoding.name())
        .with("ReportingInterval", &seconds);
    for (name, value) in settings {
        row = row.with(name, value);
    }
    let path = added_whole(bench, row)?;
    bench.step(format_args!("Have it collect {}", collected.reference));
    let row = create(&format!("{path}Parameter."))
        .with("Name", collected.name)
        .with("Reference", collected.reference);
    added_whole(bench, row)?;
    Ok(Collection {
        path,
        encoding,
        interval,
    })
}

/// Adds a row none of whose values may be refused.
fn added_whole(
    bench: &mut Bench,
    mut row: usphere_proto::msg::CreateObject,
) -> Result<String, Stop> {
    for setting in &mut row.param_settings {
        setting.required = true;
    }
    bench.added(row)
}

impl Collection {
    /// Has the Agent begin.
    fn enable(&self, bench: &mut Bench) -> Done {
        bench.step("Enable bulk data, and the profile");
        let whole = format!("{BULK_DATA}Enable");
        let before = bench.value(&whole)?;
        bench.undo(move |bench| bench.write(&whole, &before));
        let changes = [BULK_DATA, &self.path].map(|path| update(path).with("Enable", "true"));
        let set = bench.set(AllowPartial::No, changes)?.response()?;
        exactly("updated_obj_results", &set.updated_obj_results, 2)?;
        for result in &set.updated_obj_results {
            result.updated()?;
        }
        Ok(())
    }

    /// Until when, from now, the plan waits for its transfers.
    fn patience(&self) -> Duration {
        self.interval * 2 + SLACK
    }

    /// What is in a transfer: at least one report, each of which satisfies `judge`.
    fn judge(&self, body: &[u8], judge: impl Fn(&Report) -> Done) -> Done {
        let name = self.encoding.name();
        let reports = self.encoding.reports(body);
        let reports = reports.map_err(|error| {
            Stop::Failed(format!("the transfer is no report in {name}: {error}"))
        })?;
        ensure(!reports.is_empty(), || {
            format!("a report in {name} was expected, the transfer has none")
        })?;
        reports.iter().try_for_each(judge)
    }
}

/// The report holds just this one.
fn has_only(report: &Report, name: &str) -> Done {
    let names: Vec<&str> = report.keys().map(String::as_str).collect();
    crate::bench::equal("the names in the report", names.as_slice(), &[name])
}

/// The report holds two or more of the rows, each named by the numbers of its rows. (R-BULK.9)
fn has_rows(report: &Report, name: &str) -> Done {
    let is_number = |step: &str| {
        !step.starts_with('0') && !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_one = |reported: &&String| {
        let steps = reported.strip_prefix(name);
        let steps = steps.and_then(|steps| steps.strip_prefix('.')).into_iter();
        let steps: Vec<&str> = steps.flat_map(|steps| steps.split('.')).collect();
        steps.len() == 2 && steps.into_iter().all(is_number)
    };
    let those = report.keys().filter(is_one).count();
    ensure(those >= 2, || {
        let names: Vec<&String> = report.keys().collect();
        format!("two or more of {name}.<row>.<row> were expected, {names:?} came")
    })
}

/// All that is in the report is named after its collection. (R-BULK.10)
fn has_prefix(report: &Report, name: &str) -> Done {
    ensure(!report.is_empty(), || {
        format!("names that begin with {name}. were expected, the report is empty")
    })?;
    let prefix = format!("{name}.");
    match report
        .keys()
        .find(|reported| !reported.starts_with(&prefix))
    {
        None => Ok(()),
        Some(other) => Err(Stop::Failed(format!(
            "only names that begin with {prefix} were expected, {other} came"
        ))),
    }
}

/// Two rows of our own boot parameters, for what is collected by wildcards: what collects them.
fn boot_parameters(bench: &mut Bench) -> Result<Collected<'static>, Stop> {
    let table = format!("{}BootParameter.", bench.controller_path());
    bench.needs_addable(&table)?;
    if bench.rows(&table)?.len() < 2 {
        bench.step("Add two boot parameters");
        for name in [SOFTWARE_VERSION, ENDPOINT_ID] {
            let row = create(&table).with("Enable", "true");
            bench.added(row.must("ParameterName", name))?;
        }
    }
    Ok(Collected {
        name: "Enabled",
        reference: "Device.LocalAgent.Controller.*.BootParameter.*.Enable",
    })
}

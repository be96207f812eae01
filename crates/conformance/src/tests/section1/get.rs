//! Get. (R-GET.0 to R-GET.5)

use super::{Test, test};
use crate::bench::{
    Bench, FoundResult, SUBSCRIPTIONS, Settings, create, ensure, equal, exactly, only, same_value,
    value_in,
};
use crate::stop::{Done, Stop};
use crate::tests::common::{
    ENDPOINT_ID, SOFTWARE_VERSION, by_key, subscription, without, without_subscriptions,
};
use usphere_proto::msg::RequestedPathResult;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 36, one_parameter),
    test(1, 37, two_parameters),
    test(1, 38, parameters_of_two_objects),
    test(1, 39, an_object),
    test(1, 40, a_row),
    test(1, 41, no_such_parameter),
    test(1, 42, a_parameter_and_no_such),
    test(1, 43, by_unique_key),
    test(1, 44, a_parameter_of_all_rows),
    test(1, 45, all_rows),
    test(1, 46, rows_that_equal),
    test(1, 47, rows_that_do_not_equal),
    test(1, 48, rows_that_are_greater),
    test(1, 49, rows_that_are_less),
    test(1, 50, rows_that_are_greater_or_equal),
    test(1, 51, rows_that_are_less_or_equal),
    test(1, 82, a_search_in_an_empty_table),
    test(1, 86, a_search_that_finds_nothing),
    test(1, 87, an_empty_table),
    test(1, 89, some_levels),
];

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const INVALID_PARAMETER: &str = "Device.LocalAgent.InvalidParameter";
const EXPIRATION: &str = "NotifExpiration";

/// 1.36
fn one_parameter(bench: &mut Bench) -> Done {
    bench.step("Get one parameter");
    let got = bench.get(&[ENDPOINT_ID])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?;
    is_endpoint_id(bench, result)
}

/// 1.37
fn two_parameters(bench: &mut Bench) -> Done {
    bench.step("Get two parameters of one object");
    let got = bench.get(&[ENDPOINT_ID, SOFTWARE_VERSION])?.response()?;
    exactly("req_path_results", &got.req_path_results, 2)?;
    is_endpoint_id(bench, of(&got.req_path_results, ENDPOINT_ID)?)?;
    let version = of(&got.req_path_results, SOFTWARE_VERSION)?;
    version
        .one_value(SOFTWARE_VERSION, LOCAL_AGENT, "SoftwareVersion")
        .map(drop)
}

/// 1.38
fn parameters_of_two_objects(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to read");
    let row = bench.added(subscription("get38"))?;
    let enable = format!("{row}Enable");
    bench.step("Get parameters of two objects");
    let got = bench.get(&[ENDPOINT_ID, &enable])?.response()?;
    exactly("req_path_results", &got.req_path_results, 2)?;
    is_endpoint_id(bench, of(&got.req_path_results, ENDPOINT_ID)?)?;
    let value = of(&got.req_path_results, &enable)?.one_value(&enable, &row, "Enable")?;
    is_true(&enable, value)
}

/// 1.39
fn an_object(bench: &mut Bench) -> Done {
    bench.step("Get an object and all that is below it");
    let got = bench.get(&[LOCAL_AGENT])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal(
        "requested_path",
        result.requested_path.as_str(),
        LOCAL_AGENT,
    )?;
    let paths = paths(result);
    ensure(paths.contains(&LOCAL_AGENT), || {
        format!("resolved_path: {LOCAL_AGENT} was expected, only {paths:?} came")
    })?;
    let us = bench.controller_path();
    ensure(paths.contains(&us.as_str()), || {
        format!("resolved_path: {us}, which is below the object, was expected, only {paths:?} came")
    })?;
    result.names_are_relative()
}

/// 1.40
fn a_row(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to read");
    let row = bench.added(subscription("get40"))?;
    bench.step("Get all of it");
    let got = bench.get(&[&row])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), &row)?;
    let object = only("resolved_path_results", &result.resolved_path_results)?;
    equal("resolved_path", object.resolved_path.as_str(), &row)?;
    value_in(&object.result_params, "Enable")?;
    result.names_are_relative()
}

/// 1.41
fn no_such_parameter(bench: &mut Bench) -> Done {
    bench.step("Get a parameter that there is not");
    let got = bench.get(&[INVALID_PARAMETER])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?;
    equal(
        "requested_path",
        result.requested_path.as_str(),
        INVALID_PARAMETER,
    )?;
    result.failure().map(drop)
}

/// 1.42
fn a_parameter_and_no_such(bench: &mut Bench) -> Done {
    bench.step("Get a parameter that there is, and one that there is not");
    let got = bench.get(&[ENDPOINT_ID, INVALID_PARAMETER])?.response()?;
    exactly("req_path_results", &got.req_path_results, 2)?;
    is_endpoint_id(bench, of(&got.req_path_results, ENDPOINT_ID)?)?;
    of(&got.req_path_results, INVALID_PARAMETER)?
        .failure()
        .map(drop)
}

/// 1.43
fn by_unique_key(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to read");
    let row = bench.added(subscription("get43"))?;
    let path = format!("{}Enable", by_key(bench, &row)?);
    bench.step("Get a parameter of the Subscription that unique keys name");
    let got = bench.get(&[&path])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?;
    is_true(&path, result.one_value(&path, &row, "Enable")?)
}

/// 1.44
fn a_parameter_of_all_rows(bench: &mut Bench) -> Done {
    let rows = two_rows(bench)?;
    let path = format!("{SUBSCRIPTIONS}*.Enable");
    bench.step("Get one parameter of all Subscriptions by a wildcard");
    let got = bench.get(&[&path])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), &path)?;
    are_among(&rows, result)?;
    for object in &result.resolved_path_results {
        let names: Vec<&str> = object.result_params.keys().map(String::as_str).collect();
        equal(&object.resolved_path, names.as_slice(), &["Enable"])?;
    }
    Ok(())
}

/// 1.45
fn all_rows(bench: &mut Bench) -> Done {
    let rows = two_rows(bench)?;
    let path = format!("{SUBSCRIPTIONS}*.");
    bench.step("Get all Subscriptions by a wildcard");
    let got = bench.get(&[&path])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), &path)?;
    are_among(&rows, result)?;
    result.names_are_relative()
}

/// 1.46
fn rows_that_equal(bench: &mut Bench) -> Done {
    let (on, off) = enabled_and_disabled(bench)?;
    searched(bench, "Enable==true", &[on], &[off])
}

/// 1.47
fn rows_that_do_not_equal(bench: &mut Bench) -> Done {
    let (on, off) = enabled_and_disabled(bench)?;
    searched(bench, "Enable!=true", &[off], &[on])
}

/// 1.48
fn rows_that_are_greater(bench: &mut Bench) -> Done {
    let [_, ten, twenty] = expiring(bench)?;
    searched(bench, "NotifExpiration>10", &[twenty], &[ten])
}

/// 1.49
fn rows_that_are_less(bench: &mut Bench) -> Done {
    let [five, ten, twenty] = expiring(bench)?;
    searched(bench, "NotifExpiration<10", &[five], &[ten, twenty])
}

/// 1.50
fn rows_that_are_greater_or_equal(bench: &mut Bench) -> Done {
    let [five, ten, twenty] = expiring(bench)?;
    searched(bench, "NotifExpiration>=10", &[ten, twenty], &[five])
}

/// 1.51
fn rows_that_are_less_or_equal(bench: &mut Bench) -> Done {
    let [five, ten, twenty] = expiring(bench)?;
    searched(bench, "NotifExpiration<=10", &[five, ten], &[twenty])
}

/// 1.82
fn a_search_in_an_empty_table(bench: &mut Bench) -> Done {
    without_subscriptions(bench)?;
    finds_nothing(bench, &format!("{SUBSCRIPTIONS}[Enable==true]."))
}

/// 1.86
fn a_search_that_finds_nothing(bench: &mut Bench) -> Done {
    without(bench, "[Enable==true]")?;
    bench.step("Add a Subscription that is not enabled");
    bench.added(
        create(SUBSCRIPTIONS)
            .with("Enable", "false")
            .with("ID", "get86"),
    )?;
    finds_nothing(bench, &format!("{SUBSCRIPTIONS}[Enable==true]."))
}

/// 1.87
fn an_empty_table(bench: &mut Bench) -> Done {
    without_subscriptions(bench)?;
    finds_nothing(bench, SUBSCRIPTIONS)
}

fn finds_nothing(bench: &mut Bench, path: &str) -> Done {
    bench.step("Get what is not there");
    let got = bench.get(&[path])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), path)?;
    exactly("resolved_path_results", &result.resolved_path_results, 0)
}

/// 1.89
fn some_levels(bench: &mut Bench) -> Done {
    let us = bench.controller_path();
    let one = to_depth(bench, 1)?;
    let two = to_depth(bench, 2)?;
    let all = to_depth(bench, 0)?;
    bench.step("See that each answer goes as deep as it should");
    exactly("resolved_path_results to depth 1", &paths(&one), 1)?;
    // Names below the object; a row of a table is no level of its own.
    let names = |path: &str| {
        let below = path[LOCAL_AGENT.len()..].split('.');
        let is_name = |part: &&str| !part.is_empty() && part.parse::<u32>().is_err();
        below.filter(is_name).count()
    };
    let of_all = paths(&all);
    let outside = of_all.iter().find(|path| !path.starts_with(LOCAL_AGENT));
    ensure(outside.is_none(), || {
        format!("objects of {LOCAL_AGENT} were expected, {outside:?} came")
    })?;
    let mut children: Vec<&str> = of_all.into_iter().filter(|path| names(path) < 2).collect();
    let mut came = paths(&two);
    children.sort_unstable();
    came.sort_unstable();
    equal("resolved_path to depth 2", &came, &children)?;
    let below_us = format!("{us}MTP.");
    for path in [us.as_str(), below_us.as_str()] {
        let is_there = paths(&all).iter().any(|came| came.starts_with(path));
        let is_wanted = path == us || !bench.rows(path)?.is_empty();
        ensure(is_there || !is_wanted, || {
            format!("resolved_path to depth 0: {path} was expected, it did not come")
        })?;
    }
    // Of an object come all its parameters, however deep the answer goes.
    for object in one
        .resolved_path_results
        .iter()
        .chain(&two.resolved_path_results)
    {
        let path = object.resolved_path.as_str();
        let same = all.resolved_path_results.iter();
        let same = same.filter(|other| other.resolved_path == path);
        let expected: Vec<&String> = same.flat_map(|other| other.result_params.keys()).collect();
        let came: Vec<&String> = object.result_params.keys().collect();
        equal(
            &format!("the names in result_params of {path}"),
            &came,
            &expected,
        )?;
    }
    Ok(())
}

/// The result of a Get of the object that goes so deep, and what is true of each.
fn to_depth(bench: &mut Bench, depth: u32) -> Result<RequestedPathResult, Stop> {
    bench.step(format_args!("Get an object with max_depth {depth}"));
    let got = bench.get_to_depth(&[LOCAL_AGENT], depth)?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal(
        "requested_path",
        result.requested_path.as_str(),
        LOCAL_AGENT,
    )?;
    result.names_are_relative()?;
    let paths = paths(result);
    ensure(paths.contains(&LOCAL_AGENT), || {
        format!("resolved_path: {LOCAL_AGENT} was expected, only {paths:?} came")
    })?;
    for object in &result.resolved_path_results {
        let nested = object.result_params.keys().find(|name| name.contains('.'));
        ensure(nested.is_none(), || {
            let path = &object.resolved_path;
            format!("{path}: its own parameters alone were expected, {nested:?} came")
        })?;
    }
    Ok(result.clone())
}

/// The result for a path, whatever its place.
fn of<'a>(results: &'a [RequestedPathResult], path: &str) -> Result<&'a RequestedPathResult, Stop> {
    let found = results.iter().find(|result| result.requested_path == path);
    found.ok_or_else(|| {
        Stop::Failed(format!(
            "requested_path: {path} was expected, it did not come"
        ))
    })
}

fn is_endpoint_id(bench: &Bench, result: &RequestedPathResult) -> Done {
    let value = result.one_value(ENDPOINT_ID, LOCAL_AGENT, "EndpointID")?;
    equal(ENDPOINT_ID, value, bench.agent()?.as_str())
}

fn is_true(what: &str, value: &str) -> Done {
    ensure(same_value(value, "true"), || {
        format!("{what}: true was expected, {value:?} came")
    })
}

fn paths(result: &RequestedPathResult) -> Vec<&str> {
    let objects = result.resolved_path_results.iter();
    objects
        .map(|object| object.resolved_path.as_str())
        .collect()
}

fn are_among(rows: &[String], result: &RequestedPathResult) -> Done {
    let paths = paths(result);
    for row in rows {
        ensure(paths.contains(&row.as_str()), || {
            format!("resolved_path: {row} was expected, only {paths:?} came")
        })?;
    }
    Ok(())
}

fn two_rows(bench: &mut Bench) -> Result<[String; 2], Stop> {
    bench.step("Add two Subscriptions to read");
    let first = bench.added(subscription("get-first"))?;
    let second = bench.added(subscription("get-second"))?;
    Ok([first, second])
}

fn enabled_and_disabled(bench: &mut Bench) -> Result<(String, String), Stop> {
    bench.step("Add an enabled and a disabled Subscription");
    let on = bench.added(subscription("get-on"))?;
    let off = create(SUBSCRIPTIONS)
        .with("Enable", "false")
        .with("ID", "get-off");
    let off = off
        .with("NotifType", "ValueChange")
        .with("ReferenceList", SOFTWARE_VERSION);
    Ok((on, bench.added(off)?))
}

/// Subscriptions whose notifications expire after 5, 10 and 20 seconds.
fn expiring(bench: &mut Bench) -> Result<[String; 3], Stop> {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.{EXPIRATION}"))?;
    bench.step("Add Subscriptions whose notifications expire after 5, 10 and 20 seconds");
    let mut add = |seconds: &str| {
        let row = subscription(&format!("get-{seconds}"));
        bench.added(row.must(EXPIRATION, seconds))
    };
    Ok([add("5")?, add("10")?, add("20")?])
}

/// The search finds these Subscriptions, and not those.
fn searched(bench: &mut Bench, expression: &str, these: &[String], not_those: &[String]) -> Done {
    let path = format!("{SUBSCRIPTIONS}[{expression}].");
    bench.step(format_args!(
        "Get the Subscriptions that a search expression finds: {expression}"
    ));
    let got = bench.get(&[&path])?.response()?;
    let result = only("req_path_results", &got.req_path_results)?.found()?;
    equal("requested_path", result.requested_path.as_str(), &path)?;
    result.names_are_relative()?;
    are_among(these, result)?;
    let paths = paths(result);
    for row in not_those {
        ensure(!paths.contains(&row.as_str()), || {
            format!("resolved_path: {row} was not expected with {expression}, it came")
        })?;
    }
    Ok(())
}

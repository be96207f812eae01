//! Set. (R-SET.0 to R-SET.4, R-KEY.1)

use super::{Test, test};
use crate::bench::{
    AllowPartial, Bench, SUBSCRIPTIONS, SetResult, Settings, UpdatedResult, appropriate, create,
    ensure, equal, exactly, only, update, value_in,
};
use crate::stop::Done;
use crate::tests::common::{by_key, subscription};
use usphere_proto::MsgType;
use usphere_proto::msg::SetResp;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 11, one_object_or_nothing),
    test(1, 12, one_object_in_part),
    test(1, 13, two_objects),
    test(1, 14, a_required_parameter_fails),
    test(1, 15, a_required_parameter_of_one_object_fails),
    test(1, 16, in_part_one_of_two_objects_fails),
    test(1, 17, in_part_an_optional_parameter_fails),
    test(1, 18, by_unique_key),
    test(1, 19, all_objects),
    test(1, 20, all_objects_fail),
    test(1, 21, in_part_all_objects_fail),
    test(1, 22, by_search),
    test(1, 23, a_search_that_finds_nothing),
    test(1, 96, a_key_is_fixed),
    test(1, 104, written_once),
];

const RETRY: &str = "NotifRetry";
const INVALID: &str = "InvalidParameter";

/// 1.11
fn one_object_or_nothing(bench: &mut Bench) -> Done {
    one_object(bench, AllowPartial::No)
}

/// 1.12
fn one_object_in_part(bench: &mut Bench) -> Done {
    one_object(bench, AllowPartial::Yes)
}

fn one_object(bench: &mut Bench, partial: AllowPartial) -> Done {
    bench.step("Add a Subscription to change");
    let row = bench.added(subscription("set1"))?;
    bench.step("Set one parameter of it");
    let set = bench
        .set(partial, [update(&row).must(RETRY, "true")])?
        .response()?;
    is_updated(&set, &row)?;
    bench.step("Read it back");
    bench.expect_values(&row, &[(RETRY, "true")])
}

/// 1.13
fn two_objects(bench: &mut Bench) -> Done {
    let [first, second] = two_rows(bench)?;
    bench.step("Set one parameter of each, all or nothing");
    let both = [&first, &second].map(|row| update(row).must(RETRY, "true"));
    let set = bench.set(AllowPartial::No, both)?.response()?;
    exactly("updated_obj_results", &set.updated_obj_results, 2)?;
    for (result, row) in set.updated_obj_results.iter().zip([&first, &second]) {
        let updated = only(
            "updated_inst_results",
            &result.updated()?.updated_inst_results,
        )?;
        updated.is_only(row, RETRY)?;
    }
    bench.step("Read both back");
    bench.expect_values(&first, &[(RETRY, "true")])?;
    bench.expect_values(&second, &[(RETRY, "true")])
}

/// 1.14
fn a_required_parameter_fails(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to change");
    let row = bench.added(subscription("set14"))?;
    bench.step("Set a parameter that there is not, all or nothing");
    let wrong = update(&row).must(INVALID, "IrrelevantValue");
    let error = bench.set(AllowPartial::No, [wrong])?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal(
        "param_path",
        wrong.param_path.as_str(),
        &format!("{row}{INVALID}"),
    )?;
    bench.step("See that it has not come to be");
    lacks_the_invalid(bench, &row)
}

/// 1.15
fn a_required_parameter_of_one_object_fails(bench: &mut Bench) -> Done {
    let [first, second] = two_rows(bench)?;
    bench.step("Set a parameter of one, and one that there is not of the other, all or nothing");
    let good = update(&first).must(RETRY, "true");
    let bad = update(&second).must(INVALID, "IrrelevantValue");
    let error = bench.set(AllowPartial::No, [good, bad])?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal(
        "param_path",
        wrong.param_path.as_str(),
        &format!("{second}{INVALID}"),
    )?;
    bench.step("See that nothing has changed");
    lacks_the_invalid(bench, SUBSCRIPTIONS)?;
    bench.expect_values(&first, &[(RETRY, "false")])
}

/// 1.16
fn in_part_one_of_two_objects_fails(bench: &mut Bench) -> Done {
    let [first, second] = two_rows(bench)?;
    bench.step("Set a parameter of one, and one that there is not of the other, in part");
    let good = update(&first).must(RETRY, "true");
    let bad = update(&second).must(INVALID, "IrrelevantValue");
    let set = bench.set(AllowPartial::Yes, [good, bad])?.response()?;
    exactly("updated_obj_results", &set.updated_obj_results, 2)?;
    let updated = set.updated_obj_results[0].updated()?;
    only("updated_inst_results", &updated.updated_inst_results)?.is_only(&first, RETRY)?;
    let failed = set.updated_obj_results[1].failure()?;
    let failed = only("updated_inst_failures", &failed.updated_inst_failures)?;
    equal("affected_path", failed.affected_path.as_str(), &second)?;
    let wrong = only("param_errs", &failed.param_errs)?;
    equal("param", wrong.param.as_str(), INVALID)?;
    appropriate(wrong.err_code, MsgType::Set)?;
    bench.step("Read the first back");
    bench.expect_values(&first, &[(RETRY, "true")])
}

/// 1.17
fn in_part_an_optional_parameter_fails(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to change");
    let row = bench.added(subscription("set17"))?;
    bench.step("Set a parameter that there is and one that there is not, none required, in part");
    let both = update(&row)
        .with(RETRY, "true")
        .with(INVALID, "IrrelevantValue");
    let set = bench.set(AllowPartial::Yes, [both])?.response()?;
    let result = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    let updated = only("updated_inst_results", &result.updated_inst_results)?;
    updated.is_only(&row, RETRY)?;
    let wrong = only("param_errs", &updated.param_errs)?;
    equal("param", wrong.param.as_str(), INVALID)?;
    appropriate(wrong.err_code, MsgType::Set)?;
    bench.step("Read it back");
    bench.expect_values(&row, &[(RETRY, "true")])
}

/// 1.18
fn by_unique_key(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to change");
    let row = bench.added(subscription("set18"))?;
    let by_key = by_key(bench, &row)?;
    bench.step("Set a parameter of the Subscription that unique keys name");
    let change = update(&by_key).must(RETRY, "true");
    let set = bench.set(AllowPartial::No, [change])?.response()?;
    is_updated(&set, &row)?;
    bench.step("Read it back");
    bench.expect_values(&row, &[(RETRY, "true")])
}

/// 1.19
fn all_objects(bench: &mut Bench) -> Done {
    let added = two_rows(bench)?;
    let rows = bench.rows(SUBSCRIPTIONS)?;
    keep_retries(bench, &rows, &added)?;
    bench.step("Set a parameter of all Subscriptions by a wildcard, all or nothing");
    let all = update(&format!("{SUBSCRIPTIONS}*.")).must(RETRY, "true");
    let set = bench.set(AllowPartial::No, [all])?.response()?;
    let result = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    exactly(
        "updated_inst_results",
        &result.updated_inst_results,
        rows.len(),
    )?;
    for updated in &result.updated_inst_results {
        let path = &updated.affected_path;
        ensure(rows.contains(path), || {
            format!("affected_path: one of {rows:?} was expected, {path} came")
        })?;
        updated.is_only(path, RETRY)?;
    }
    bench.step("Read them back");
    for row in &added {
        bench.expect_values(row, &[(RETRY, "true")])?;
    }
    Ok(())
}

/// 1.20
fn all_objects_fail(bench: &mut Bench) -> Done {
    two_rows(bench)?;
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Set a parameter that there is not of all Subscriptions, all or nothing");
    let all = update(&format!("{SUBSCRIPTIONS}*.")).must(INVALID, "IrrelevantValue");
    let error = bench.set(AllowPartial::No, [all])?.error()?;
    ensure(!error.param_errs.is_empty(), || {
        "param_errs: at least one was expected, none came".to_owned()
    })?;
    for wrong in &error.param_errs {
        let path = &wrong.param_path;
        let row = path.strip_suffix(INVALID).unwrap_or_default();
        ensure(rows.iter().any(|known| known == row), || {
            format!("param_path: {INVALID} of a Subscription was expected, {path} came")
        })?;
    }
    bench.step("See that it has not come to be");
    lacks_the_invalid(bench, SUBSCRIPTIONS)
}

/// 1.21
fn in_part_all_objects_fail(bench: &mut Bench) -> Done {
    two_rows(bench)?;
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Set a required parameter of all Subscriptions to an invalid value, in part");
    let all = update(&format!("{SUBSCRIPTIONS}*.")).must("Enable", "InvalidValue");
    let set = bench.set(AllowPartial::Yes, [all])?.response()?;
    let failed = only("updated_obj_results", &set.updated_obj_results)?.failure()?;
    ensure(!failed.updated_inst_failures.is_empty(), || {
        "updated_inst_failures: at least one was expected, none came".to_owned()
    })?;
    for failed in &failed.updated_inst_failures {
        let path = &failed.affected_path;
        ensure(rows.contains(path), || {
            format!("affected_path: one of {rows:?} was expected, {path} came")
        })?;
        let wrong = only("param_errs", &failed.param_errs)?;
        ensure(wrong.param.ends_with("Enable"), || {
            format!("param: Enable was expected, {:?} came", wrong.param)
        })?;
        appropriate(wrong.err_code, MsgType::Set)?;
    }
    bench.step("See that no Subscription has that value");
    let values = bench.values(SUBSCRIPTIONS)?;
    let has_it = values.iter().find(|(_, value)| *value == "InvalidValue");
    ensure(has_it.is_none(), || {
        format!("no such value was expected, {has_it:?} came")
    })
}

/// 1.22
fn by_search(bench: &mut Bench) -> Done {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.NotifExpiration"))?;
    bench.step("Add a Subscription whose notifications expire");
    let row = bench.added(subscription("set22").must("NotifExpiration", "10"))?;
    let others = bench.rows(SUBSCRIPTIONS)?;
    keep_retries(bench, &others, std::slice::from_ref(&row))?;
    bench.step(
        "Set a parameter of all Subscriptions whose notifications expire, by a search expression",
    );
    let found = update(&format!("{SUBSCRIPTIONS}[NotifExpiration>0].")).must(RETRY, "true");
    let set = bench.set(AllowPartial::No, [found])?.response()?;
    let result = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    let updated = result.updated_inst_results.iter();
    let mut updated = updated.filter(|updated| updated.affected_path == row);
    match updated.next() {
        None => ensure(false, || {
            format!("affected_path: {row} was expected, it did not come")
        })?,
        Some(updated) => updated.is_only(&row, RETRY)?,
    }
    bench.step("Read it back");
    bench.expect_values(&row, &[(RETRY, "true")])
}

/// 1.23
fn a_search_that_finds_nothing(bench: &mut Bench) -> Done {
    bench.step("Set a parameter of the Subscriptions of nobody");
    let path = format!("{SUBSCRIPTIONS}[Recipient==\"InvalidValue\"].");
    let set = bench.set(AllowPartial::Yes, [update(&path).must(RETRY, "true")])?;
    let set = set.response()?;
    let result = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    exactly("updated_inst_results", &result.updated_inst_results, 0)
}

/// 1.96
fn a_key_is_fixed(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription");
    let row = bench.added(create(SUBSCRIPTIONS).with("ID", "add96"))?;
    bench.expect_values(&row, &[("ID", "add96")])?;
    bench.step("Set its ID, a unique key that is not functional");
    let change = update(&row).must("ID", "add96-NEW");
    bench.set(AllowPartial::No, [change])?.error()?;
    bench.step("See that it is what it was");
    bench.expect_values(&row, &[("ID", "add96")])
}

/// 1.104
fn written_once(bench: &mut Bench) -> Done {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.Alias"))?;
    bench.step("Add a Subscription with an Alias");
    let row = bench.added(create(SUBSCRIPTIONS).with("Alias", "test-1-104"))?;
    bench.step("Set the Alias, which is written once");
    let change = update(&row).must("Alias", "test-1-104-new-alias");
    bench.set(AllowPartial::No, [change])?.error()?;
    bench.step("See that it is what it was");
    bench.expect_values(&row, &[("Alias", "test-1-104")])
}

/// The one result is that NotifRetry of this row was changed.
fn is_updated(set: &SetResp, row: &str) -> Done {
    let result = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    let updated = only("updated_inst_results", &result.updated_inst_results)?;
    updated.is_only(row, RETRY)?;
    exactly("param_errs", &updated.param_errs, 0)?;
    value_in(&updated.updated_params, RETRY).map(drop)
}

fn two_rows(bench: &mut Bench) -> Result<[String; 2], crate::Stop> {
    bench.step("Add two Subscriptions to change");
    let first = bench.added(subscription("set-first"))?;
    let second = bench.added(subscription("set-second"))?;
    Ok([first, second])
}

/// The rows that are not the test's own get back what they had.
fn keep_retries(bench: &mut Bench, rows: &[String], own: &[String]) -> Done {
    for row in rows.iter().filter(|row| !own.contains(row)) {
        let path = format!("{row}{RETRY}");
        let before = bench.value(&path)?;
        bench.undo(move |bench| bench.write(&path, &before));
    }
    Ok(())
}

fn lacks_the_invalid(bench: &mut Bench, path: &str) -> Done {
    let values = bench.values(path)?;
    let found = values.keys().find(|path| path.ends_with(INVALID));
    ensure(found.is_none(), || {
        format!("no {INVALID} was expected, {found:?} came")
    })
}

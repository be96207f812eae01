//! Delete. (R-DEL.0 to R-DEL.4)

use super::{Test, test};
use crate::bench::{
    AllowPartial, Bench, DeletedResult, SUBSCRIPTIONS, ensure, equal, exactly, only, value_in,
};
use crate::stop::{Done, Stop};
use crate::tests::common::{INVALID_OBJECT, nested_row, subscription, us_by_key, without};
use usphere_proto::msg::DeletedObjectResult;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 24, one_row),
    test(1, 25, a_row_that_is_not_there),
    test(1, 26, no_such_object),
    test(1, 27, two_rows),
    test(1, 28, a_row_and_no_object),
    test(1, 29, in_part_a_row_that_is_not_there),
    test(1, 30, in_part_no_such_object),
    test(1, 31, in_part_a_row_and_no_object),
    test(1, 32, in_part_a_row_and_one_that_is_not_there),
    test(1, 33, by_unique_key),
    test(1, 34, all_rows),
    test(1, 35, by_search),
    test(1, 90, a_search_that_finds_nothing),
];

/// 1.24
fn one_row(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to delete");
    let row = bench.added(subscription("delete24"))?;
    bench.step("Delete it");
    let deleted = bench.delete(AllowPartial::No, &[&row])?.response()?;
    is_deleted(
        only("deleted_obj_results", &deleted.deleted_obj_results)?,
        &row,
        &row,
    )?;
    bench.step("See that it is gone");
    are_gone(bench, &[row])
}

/// 1.25
fn a_row_that_is_not_there(bench: &mut Bench) -> Done {
    nothing_to_delete(bench, AllowPartial::No)
}

/// 1.26
fn no_such_object(bench: &mut Bench) -> Done {
    bench.step("Delete an object that there is not, all or nothing");
    let error = bench.delete(AllowPartial::No, &[INVALID_OBJECT])?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal("param_path", wrong.param_path.as_str(), INVALID_OBJECT)
}

/// 1.27
fn two_rows(bench: &mut Bench) -> Done {
    bench.step("Add two Subscriptions to delete");
    let first = bench.added(subscription("delete27-1"))?;
    let second = bench.added(subscription("delete27-2"))?;
    bench.step("Delete both, all or nothing");
    let deleted = bench
        .delete(AllowPartial::No, &[&first, &second])?
        .response()?;
    exactly("deleted_obj_results", &deleted.deleted_obj_results, 2)?;
    is_deleted(&deleted.deleted_obj_results[0], &first, &first)?;
    is_deleted(&deleted.deleted_obj_results[1], &second, &second)?;
    bench.step("See that both are gone");
    are_gone(bench, &[first, second])
}

/// 1.28
fn a_row_and_no_object(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to delete");
    let row = bench.added(subscription("delete28"))?;
    bench.step("Delete it and an object that there is not, all or nothing");
    let error = bench
        .delete(AllowPartial::No, &[&row, INVALID_OBJECT])?
        .error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal("param_path", wrong.param_path.as_str(), INVALID_OBJECT)?;
    bench.step("See that it is still there");
    bench.expect_values(&row, &[("ID", "delete28")])
}

/// 1.29
fn in_part_a_row_that_is_not_there(bench: &mut Bench) -> Done {
    nothing_to_delete(bench, AllowPartial::Yes)
}

fn nothing_to_delete(bench: &mut Bench, partial: AllowPartial) -> Done {
    let row = absent_row(bench)?;
    bench.step("Delete a Subscription that is not there");
    let deleted = bench.delete(partial, &[&row])?.response()?;
    is_empty(only("deleted_obj_results", &deleted.deleted_obj_results)?)
}

/// 1.30
fn in_part_no_such_object(bench: &mut Bench) -> Done {
    bench.step("Delete an object that there is not, in part");
    let deleted = bench
        .delete(AllowPartial::Yes, &[INVALID_OBJECT])?
        .response()?;
    let result = only("deleted_obj_results", &deleted.deleted_obj_results)?;
    equal(
        "requested_path",
        result.requested_path.as_str(),
        INVALID_OBJECT,
    )?;
    result.failure().map(drop)
}

/// 1.31
fn in_part_a_row_and_no_object(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to delete");
    let row = bench.added(subscription("delete31"))?;
    bench.step("Delete it and an object that there is not, in part");
    let deleted = bench
        .delete(AllowPartial::Yes, &[&row, INVALID_OBJECT])?
        .response()?;
    exactly("deleted_obj_results", &deleted.deleted_obj_results, 2)?;
    is_deleted(&deleted.deleted_obj_results[0], &row, &row)?;
    deleted.deleted_obj_results[1].failure()?;
    bench.step("See that the row is gone");
    are_gone(bench, &[row])
}

/// 1.32
fn in_part_a_row_and_one_that_is_not_there(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription to delete");
    let row = bench.added(subscription("delete32"))?;
    let absent = absent_row(bench)?;
    bench.step("Delete it and one that is not there, in part");
    let deleted = bench
        .delete(AllowPartial::Yes, &[&row, &absent])?
        .response()?;
    exactly("deleted_obj_results", &deleted.deleted_obj_results, 2)?;
    is_deleted(&deleted.deleted_obj_results[0], &row, &row)?;
    is_empty(&deleted.deleted_obj_results[1])?;
    bench.step("See that the row is gone");
    are_gone(bench, &[row])
}

/// 1.33
fn by_unique_key(bench: &mut Bench) -> Done {
    let table = bench.nested_table()?;
    let row = nested_row(bench, &table, 0, "true")?;
    bench.step("Add a row to delete to a table within the row that is us");
    let row = bench.added(row)?;
    let inner = row
        .strip_prefix(&bench.controller_path())
        .unwrap_or_default();
    let by_key = format!("{}{inner}", us_by_key(bench)?);
    bench.step("Delete it, by the unique keys of the row that is us");
    let deleted = bench.delete(AllowPartial::No, &[&by_key])?.response()?;
    is_deleted(
        only("deleted_obj_results", &deleted.deleted_obj_results)?,
        &by_key,
        &row,
    )?;
    bench.step("See that it is gone");
    let rows = bench.rows(&table)?;
    lack(&rows, &row)
}

/// 1.34
fn all_rows(bench: &mut Bench) -> Done {
    bench.step("Add two Subscriptions to delete");
    bench.added(subscription("delete34-1"))?;
    bench.added(subscription("delete34-2"))?;
    let rows = bench.rows(SUBSCRIPTIONS)?;
    let all = format!("{SUBSCRIPTIONS}*.");
    bench.step("Delete all Subscriptions by a wildcard");
    let deleted = bench.delete(AllowPartial::No, &[&all])?.response()?;
    let result = only("deleted_obj_results", &deleted.deleted_obj_results)?;
    equal("requested_path", result.requested_path.as_str(), &all)?;
    let affected = &result.deleted()?.affected_paths;
    for row in &rows {
        ensure(affected.contains(row), || {
            format!("affected_paths: {row} was expected, only {affected:?} came")
        })?;
    }
    bench.step("See that they are gone");
    are_gone(bench, &rows)
}

/// 1.35
fn by_search(bench: &mut Bench) -> Done {
    let table = bench.nested_table()?;
    bench.step("Add an enabled and a disabled row to a table within the row that is us");
    let enabled = nested_row(bench, &table, 0, "true")?;
    let enabled = bench.added(enabled)?;
    let disabled = nested_row(bench, &table, 1, "false")?;
    let disabled = bench.added(disabled)?;
    bench.step("Delete all enabled rows by a search expression");
    let search = format!("{table}[Enable==true].");
    let deleted = bench.delete(AllowPartial::No, &[&search])?.response()?;
    let result = only("deleted_obj_results", &deleted.deleted_obj_results)?;
    equal("requested_path", result.requested_path.as_str(), &search)?;
    let affected = &result.deleted()?.affected_paths;
    ensure(affected.contains(&enabled), || {
        format!("affected_paths: {enabled} was expected, only {affected:?} came")
    })?;
    bench.step("See that the enabled rows are gone, and the disabled one is not");
    let values = bench.values(&table)?;
    let enabled = values
        .iter()
        .find(|(path, value)| path.ends_with(".Enable") && *value == "true");
    ensure(enabled.is_none(), || {
        format!("no enabled row was expected, {enabled:?} came")
    })?;
    value_in(&values, &format!("{disabled}Enable")).map(drop)
}

/// 1.90
fn a_search_that_finds_nothing(bench: &mut Bench) -> Done {
    without(bench, "[Enable==false]")?;
    bench.step("Delete all disabled Subscriptions, of which there are none");
    let search = format!("{SUBSCRIPTIONS}[Enable==false].");
    let deleted = bench.delete(AllowPartial::No, &[&search])?.response()?;
    is_empty(only("deleted_obj_results", &deleted.deleted_obj_results)?)
}

/// A Subscription that is not there.
fn absent_row(bench: &mut Bench) -> Result<String, Stop> {
    let rows = bench.rows(SUBSCRIPTIONS)?;
    let number = |row: &String| {
        row.trim_end_matches('.')
            .rsplit('.')
            .next()?
            .parse::<u32>()
            .ok()
    };
    let last = rows.iter().filter_map(number).max().unwrap_or_default();
    Ok(format!("{SUBSCRIPTIONS}{}.", last.saturating_add(1000)))
}

/// The path was asked for, and this row is what it was.
fn is_deleted(result: &DeletedObjectResult, requested: &str, row: &str) -> Done {
    equal("requested_path", result.requested_path.as_str(), requested)?;
    let deleted = result.deleted()?;
    equal(
        "affected_paths",
        deleted.affected_paths.as_slice(),
        &[row.to_owned()],
    )?;
    exactly("unaffected_path_errs", &deleted.unaffected_path_errs, 0)
}

/// Nothing was deleted, and nothing is wrong with that.
fn is_empty(result: &DeletedObjectResult) -> Done {
    let deleted = result.deleted()?;
    exactly("affected_paths", &deleted.affected_paths, 0)?;
    exactly("unaffected_path_errs", &deleted.unaffected_path_errs, 0)
}

fn are_gone(bench: &mut Bench, rows: &[String]) -> Done {
    let there = bench.rows(SUBSCRIPTIONS)?;
    rows.iter().try_for_each(|row| lack(&there, row))
}

fn lack(rows: &[String], row: &str) -> Done {
    ensure(!rows.iter().any(|there| there == row), || {
        format!("{row} was to be gone, and is there")
    })
}

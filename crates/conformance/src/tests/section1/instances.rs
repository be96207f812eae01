//! GetInstances. (R-GIN.0)

use super::{Test, test};
use crate::bench::{Bench, CONTROLLERS, create, ensure, equal, exactly, only};
use crate::stop::{Done, Stop};
use crate::tests::common::nested_row;
use usphere_proto::msg::RequestedInstancesResult;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 66, one_level),
    test(1, 67, all_levels),
    test(1, 68, two_objects),
    test(1, 70, by_wildcard),
    test(1, 71, by_search),
    test(1, 83, a_search_that_finds_nothing),
];

const MTPS: &str = "Device.LocalAgent.MTP.";

/// 1.66
fn one_level(bench: &mut Bench) -> Done {
    bench.step("List the Controllers alone");
    let listed = bench.instances(&[CONTROLLERS], true)?.response()?;
    let rows = rows(
        only("req_path_results", &listed.req_path_results)?,
        CONTROLLERS,
    )?;
    let us = bench.controller_path();
    has(&rows, &us)?;
    let deep = rows.iter().find(|row| !is_row(row, CONTROLLERS));
    ensure(deep.is_none(), || {
        format!("rows of {CONTROLLERS} alone were expected, {deep:?} came")
    })
}

/// 1.67
fn all_levels(bench: &mut Bench) -> Done {
    let inner = inner_row(bench)?;
    bench.step("List the Controllers and all rows below them");
    let listed = bench.instances(&[CONTROLLERS], false)?.response()?;
    let rows = rows(
        only("req_path_results", &listed.req_path_results)?,
        CONTROLLERS,
    )?;
    has(&rows, &bench.controller_path())?;
    has(&rows, &inner)
}

/// 1.68
fn two_objects(bench: &mut Bench) -> Done {
    if bench.rows(MTPS)?.is_empty() {
        bench.step("Add an MTP to list");
        bench.added(create(MTPS))?;
    }
    bench.step("List the rows of two tables");
    let listed = bench.instances(&[CONTROLLERS, MTPS], true)?.response()?;
    exactly("req_path_results", &listed.req_path_results, 2)?;
    for (result, table) in listed.req_path_results.iter().zip([CONTROLLERS, MTPS]) {
        rows(result, table)?;
    }
    Ok(())
}

/// 1.70
fn by_wildcard(bench: &mut Bench) -> Done {
    let table = format!("{}MTP.", bench.controller_path());
    if bench.rows(&table)?.is_empty() {
        bench.step("Add an MTP of ours to list");
        bench.added(create(&table))?;
    }
    let all = format!("{CONTROLLERS}*.MTP.");
    bench.step("List the MTPs of all Controllers by a wildcard");
    let listed = bench.instances(&[&all], true)?.response()?;
    let mut found = listed
        .req_path_results
        .iter()
        .flat_map(|result| &result.curr_insts);
    let found = found.find(|row| is_row(&row.instantiated_obj_path, &table));
    ensure(found.is_some(), || {
        format!("a row of {table} was expected, none came")
    })
}

/// 1.71
fn by_search(bench: &mut Bench) -> Done {
    let inner = inner_row(bench)?;
    let alias = format!("{}Alias", bench.controller_path());
    bench.needs(&alias)?;
    let alias = bench.value(&alias)?;
    let table = &bench.profile().nested.table;
    let search = format!("{CONTROLLERS}[Alias==\"{alias}\"].{table}");
    bench.step(
        "List the rows of a table within the row that is us, which a search expression finds",
    );
    let listed = bench.instances(&[&search], false)?.response()?;
    let mut found = listed
        .req_path_results
        .iter()
        .flat_map(|result| &result.curr_insts);
    let found = found.find(|row| row.instantiated_obj_path == inner);
    ensure(found.is_some(), || {
        format!("{inner} was expected, it did not come")
    })
}

/// 1.83
fn a_search_that_finds_nothing(bench: &mut Bench) -> Done {
    bench.nested_table()?;
    let table = &bench.profile().nested.table;
    let search = format!("{CONTROLLERS}[Alias==\"no-such-alias\"].{table}");
    bench.step("List rows that a search expression does not find");
    let listed = bench.instances(&[&search], false)?.response()?;
    let result = only("req_path_results", &listed.req_path_results)?;
    equal("err_code", &result.err_code, &0)?;
    equal("requested_path", result.requested_path.as_str(), &search)?;
    exactly("curr_insts", &result.curr_insts, 0)
}

/// A row below the one that is us.
fn inner_row(bench: &mut Bench) -> Result<String, Stop> {
    let table = bench.nested_table()?;
    bench.step("Add a row to a table within the row that is us");
    let row = nested_row(bench, &table, 0, "true")?;
    bench.added(row)
}

/// The rows of a result, of which there are some, and which is for this path.
fn rows(result: &RequestedInstancesResult, path: &str) -> Result<Vec<String>, Stop> {
    equal("err_code", &result.err_code, &0)?;
    equal("requested_path", result.requested_path.as_str(), path)?;
    let rows = result.curr_insts.iter();
    let rows: Vec<String> = rows.map(|row| row.instantiated_obj_path.clone()).collect();
    ensure(!rows.is_empty(), || {
        format!("{path}: at least one row was expected, none came")
    })?;
    Ok(rows)
}

fn has(rows: &[String], row: &str) -> Done {
    ensure(rows.iter().any(|there| there == row), || {
        format!("{row} was expected, only {rows:?} came")
    })
}

/// Whether it is a row of just this table.
fn is_row(row: &str, table: &str) -> bool {
    let number = row
        .strip_prefix(table)
        .and_then(|rest| rest.strip_suffix('.'));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

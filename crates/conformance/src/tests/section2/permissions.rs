//! What Roles permit. (R-SEC.3 and the Permission table of TR-181)
//!
//! The plan gives Permissions to the Role of the Controller that it tests with. Here that is a second Controller
//! with a Role of its own.

use std::time::Duration;

use super::guest::{ALL, Guest};
use super::{Test, test};
use crate::bench::{
    AllowPartial, Bench, CONTROLLERS, CreatedResult, DeletedResult, FoundResult, Kind,
    OperatedResult, SUBSCRIPTIONS, SetResult, Settings, create, ensure, equal, exactly, only,
    operate, update, value_in,
};
use crate::limits::NOTIFY_PATIENCE;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::{SOFTWARE_VERSION, no_subscription, subscription, subscription_to};
use usphere_proto::msg::Error;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(2, 11, adding_is_permitted),
    test(2, 12, adding_is_not),
    test(2, 13, deleting_is_permitted),
    test(2, 14, deleting_is_not),
    test(2, 15, setting_is_permitted),
    test(2, 16, setting_is_not),
    test(2, 17, operating_is_permitted),
    test(2, 18, operating_is_not),
    test(2, 19, being_told_is_permitted),
    test(2, 20, being_told_is_not),
    test(2, 21, the_largest_order_counts),
    test(2, 22, what_may_not_be_read_is_left_out),
    test(2, 23, adding_by_search_in_part),
    test(2, 24, adding_by_search_or_nothing),
    test(2, 25, a_parameter_is_omitted),
    test(2, 26, a_parameter_is_included),
];

const DENIED: u32 = 7006;
const ENABLES: &str = "Device.LocalAgent.Subscription.*.Enable";
const INTERVAL: &str = "PeriodicNotifInterval";

/// 2.11
fn adding_is_permitted(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, SUBSCRIPTIONS, ["rwxn", "rw--", "rwxn", "rwxn"])?;
    bench.step("Add a Subscription");
    bench.added(create(SUBSCRIPTIONS)).map(drop)
}

/// 2.12
fn adding_is_not(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, SUBSCRIPTIONS, ["rwxn", "r---", "rwxn", "rwxn"])?;
    bench.step("Add a Subscription, which is refused");
    let refused = bench
        .add(AllowPartial::No, [create(SUBSCRIPTIONS)])?
        .error()?;
    is_denied(&refused)
}

/// 2.13
fn deleting_is_permitted(bench: &mut Bench) -> Done {
    let (mut guest, row) = guest_and_row(bench)?;
    guest.permit(bench, SUBSCRIPTIONS, ["rwxn", "rwxn", "rw--", "rwxn"])?;
    bench.step("Delete the Subscription");
    let deleted = bench.delete(AllowPartial::No, &[&row])?.response()?;
    let deleted = only("deleted_obj_results", &deleted.deleted_obj_results)?.deleted()?;
    equal("affected_paths", deleted.affected_paths.as_slice(), &[row])
}

/// 2.14
fn deleting_is_not(bench: &mut Bench) -> Done {
    let (mut guest, row) = guest_and_row(bench)?;
    guest.permit(bench, SUBSCRIPTIONS, ["rwxn", "rwxn", "r---", "rwxn"])?;
    bench.step("Delete the Subscription, which is refused");
    let refused = bench.delete(AllowPartial::No, &[&row])?.error()?;
    is_denied(&refused)
}

/// 2.15
fn setting_is_permitted(bench: &mut Bench) -> Done {
    let (mut guest, row) = guest_and_row(bench)?;
    guest.permit(bench, &row, ["rw--", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Set a parameter of the Subscription");
    let change = update(&row).must("Enable", "false");
    let set = bench.set(AllowPartial::No, [change])?.response()?;
    let set = only("updated_obj_results", &set.updated_obj_results)?.updated()?;
    let updated = only("updated_inst_results", &set.updated_inst_results)?;
    value_in(&updated.updated_params, "Enable").map(drop)
}

/// 2.16
fn setting_is_not(bench: &mut Bench) -> Done {
    let (mut guest, row) = guest_and_row(bench)?;
    guest.permit(bench, &row, ["r---", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Set a parameter of the Subscription, which is refused");
    let change = update(&row).must("Enable", "false");
    let refused = bench.set(AllowPartial::No, [change])?.error()?;
    is_denied(&refused)
}

/// 2.17
fn operating_is_permitted(bench: &mut Bench) -> Done {
    let call = bench.profile().reboot.clone();
    bench.needs(&call.command)?;
    let life = bench.remember_life()?;
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, &call.command, ["rwxn", "rwxn", "rwxn", "r-x-"])?;
    bench.step("Have the Agent reboot");
    let operated = bench.operate(operate(&call.command, "test217", &call.arguments))?;
    operated.response()?.outputs_of(&call.command)?;
    bench.step("Wait until it is back");
    bench.speak_as(Seat::Primary);
    bench.await_new_life(&life)
}

/// 2.18
fn operating_is_not(bench: &mut Bench) -> Done {
    let call = bench.profile().reboot.clone();
    bench.needs(&call.command)?;
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, &call.command, ["rwxn", "rwxn", "rwxn", "r---"])?;
    bench.step("Have the Agent reboot, which is refused");
    let operated = bench.operate(operate(&call.command, "test218", &call.arguments))?;
    match operated.either() {
        Ok(operated) => operated.failure_of(&call.command).map(drop),
        // USP 1.3 and before had an Error here.
        Err(error) => ensure(!speaks_1_4(bench), || {
            format!(
                "cmd_failure was expected, an Error {} {} came",
                error.err_code, error.err_msg
            )
        }),
    }
}

/// 2.19
fn being_told_is_permitted(bench: &mut Bench) -> Done {
    let path = interval_changes(bench, "told219", "rw-n")?;
    bench.step("Wait for the Notify");
    let notified = bench.await_notify(Kind::ValueChange, "told219", NOTIFY_PATIENCE)?;
    equal(
        "param_path",
        notified.value_change()?.param_path.as_str(),
        &path,
    )
}

/// 2.20
fn being_told_is_not(bench: &mut Bench) -> Done {
    interval_changes(bench, "told220", "rw--")?;
    bench.step("Hear nothing for 30 s");
    bench.expect_silence(Kind::ValueChange, "told220", Duration::from_secs(30))
}

/// 2.21
fn the_largest_order_counts(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    let (row, key) = inner_row(bench, &guest.path)?;
    let table = format!("{}{}", guest.path, bench.profile().nested.table);
    guest.permit(bench, &row, ["----", "rwxn", "rwxn", "rwxn"])?;
    guest.permit(bench, &row, ["rw--", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Read the table: the row is there");
    let values = bench.values(&table)?;
    value_in(&values, &format!("{row}{key}"))?;
    guest.permit(bench, &row, ["----", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Read the table: the row is not there");
    let got = bench.get(&[&table])?.response()?;
    let values = only("req_path_results", &got.req_path_results)?.values();
    let found = values.keys().find(|path| path.starts_with(&row));
    ensure(found.is_none(), || {
        format!("nothing of {row} was expected, {found:?} came")
    })
}

/// 2.22
fn what_may_not_be_read_is_left_out(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    let (row, key) = inner_row(bench, &guest.path)?;
    guest.permit(bench, &row, ["rw--", "rwxn", "rwxn", "rwxn"])?;
    guest.permit(
        bench,
        &format!("{row}{key}"),
        ["----", "rwxn", "rwxn", "rwxn"],
    )?;
    bench.step("Read the row");
    let values = bench.values(&row)?;
    value_in(&values, &format!("{row}Enable"))?;
    ensure(!values.contains_key(&format!("{row}{key}")), || {
        format!("{row}{key} was not expected, it came")
    })
}

/// 2.23
fn adding_by_search_in_part(bench: &mut Bench) -> Done {
    let (guest, obj_path, rows) = two_tables(bench)?;
    bench.step("Add a row to each, in part");
    let added = bench
        .add(
            AllowPartial::Yes,
            [create(&obj_path).must("Enable", "false")],
        )?
        .response()?;
    exactly("created_obj_results", &added.created_obj_results, rows)?;
    let mut created = 0;
    for result in &added.created_obj_results {
        match result.created() {
            Ok(success) => {
                created += 1;
                ensure(success.instantiated_path.starts_with(&guest.path), || {
                    format!(
                        "a row of {} alone was expected, {} came",
                        guest.path, success.instantiated_path
                    )
                })?;
            }
            Err(_) => equal("err_code", &result.failure()?.err_code, &DENIED)?,
        }
    }
    equal("the number of rows that were created", &created, &1)
}

/// 2.24
fn adding_by_search_or_nothing(bench: &mut Bench) -> Done {
    let (_, obj_path, _) = two_tables(bench)?;
    bench.speak_as(Seat::Primary);
    let before = bench.get(&[&obj_path])?.response()?;
    bench.speak_as(Seat::Second);
    bench.step("Add a row to each, all or nothing");
    let refused = bench
        .add(
            AllowPartial::No,
            [create(&obj_path).must("Enable", "false")],
        )?
        .error()?;
    equal("err_code", &refused.err_code, &DENIED)?;
    let wrong = only("param_errs", &refused.param_errs)?;
    equal("err_code of param_errs", &wrong.err_code, &DENIED)?;
    let table = format!(
        "{}{}",
        bench.controller_path(),
        bench.profile().nested.table
    );
    let table = table.trim_end_matches('.');
    ensure(wrong.param_path.starts_with(table), || {
        format!(
            "param_path: {table} was expected, {} came",
            wrong.param_path
        )
    })?;
    bench.step("See that nothing was created");
    bench.speak_as(Seat::Primary);
    let after = bench.get(&[&obj_path])?.response()?;
    let values = |of: &usphere_proto::msg::GetResp| {
        let results = of.req_path_results.iter();
        results
            .flat_map(|result| result.values().into_keys())
            .collect::<Vec<_>>()
    };
    equal("the rows", &values(&after), &values(&before))
}

/// 2.25
fn a_parameter_is_omitted(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, ENABLES, ["r---", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Add a Subscription without the parameter that may not be written");
    let row = create(SUBSCRIPTIONS)
        .with("ID", "add225")
        .with("NotifType", "ValueChange")
        .must("ReferenceList", SOFTWARE_VERSION);
    let row = bench.added(row)?;
    bench.step("Read the parameter");
    bench.expect_values(&row, &[("Enable", "false")])
}

/// 2.26
fn a_parameter_is_included(bench: &mut Bench) -> Done {
    let mut guest = Guest::arrive(bench)?;
    guest.permit(bench, ENABLES, ["r---", "rwxn", "rwxn", "rwxn"])?;
    bench.step("Add a Subscription with the parameter that may not be written, which is refused");
    let row = create(SUBSCRIPTIONS)
        .with("ID", "add226")
        .with("NotifType", "ValueChange")
        .must("ReferenceList", SOFTWARE_VERSION)
        .must("Enable", "true");
    let added = bench.add(AllowPartial::Yes, [row])?.response()?;
    let failure = only("created_obj_results", &added.created_obj_results)?.failure()?;
    equal("err_code", &failure.err_code, &DENIED)?;
    bench.step("See that nothing was created");
    no_subscription(bench, &["add226"])
}

/// The Error says that it is not permitted, for the whole or for what failed.
fn is_denied(error: &Error) -> Done {
    let codes = error.param_errs.iter().map(|wrong| wrong.err_code);
    let codes: Vec<u32> = [error.err_code].into_iter().chain(codes).collect();
    ensure(codes.contains(&DENIED), || {
        format!("err_code: {DENIED} was expected, {codes:?} came")
    })
}

fn speaks_1_4(bench: &Bench) -> bool {
    let minor = |version: &str| version.trim().split_once('.')?.1.parse::<u16>().ok();
    bench
        .features()
        .versions
        .split(',')
        .filter_map(minor)
        .any(|minor| minor >= 4)
}

/// A guest, and a Subscription of the first Controller that it may do something with.
fn guest_and_row(bench: &mut Bench) -> Result<(Guest, String), Stop> {
    bench.step("Add a Subscription");
    let row = bench.added(subscription("permission"))?;
    Ok((Guest::arrive(bench)?, row))
}

/// A guest subscribes to a parameter for which it has these rights, and it changes: the path.
fn interval_changes(bench: &mut Bench, id: &str, rights: &str) -> Result<String, Stop> {
    let mut guest = Guest::arrive(bench)?;
    let path = format!("{}{INTERVAL}", guest.path);
    bench.needs(&path)?;
    guest.permit(bench, &path, [rights, "rwxn", "rwxn", "rwxn"])?;
    bench.step("Subscribe to the parameter");
    bench.added(subscription_to(id, "ValueChange", &path))?;
    bench.step("Set it");
    bench.write(&path, "4321")?;
    Ok(path)
}

/// A row of a table within the row of the guest, added by the first Controller, and its key.
fn inner_row(bench: &mut Bench, controller: &str) -> Result<(String, String), Stop> {
    let table = format!("{controller}{}", bench.profile().nested.table);
    bench.needs_addable(&table)?;
    bench.speak_as(Seat::Primary);
    let row = with_key(bench, &table);
    let row = bench.added(row)?;
    bench.speak_as(Seat::Second);
    Ok((row, bench.profile().nested.key.clone()))
}

/// A disabled row for the nested table of a Controller, with the first of its keys.
fn with_key(bench: &Bench, table: &str) -> usphere_proto::msg::CreateObject {
    let nested = &bench.profile().nested;
    let value = nested.values.first().map_or("", String::as_str);
    create(table)
        .must("Enable", "false")
        .with(&nested.key, value)
}

/// A guest that may write the rows of a table of its own and not those of other Controllers, the path that
/// finds the tables of all Controllers, and how many there are.
fn two_tables(bench: &mut Bench) -> Result<(Guest, String, usize), Stop> {
    let mut guest = Guest::arrive(bench)?;
    let table = bench.profile().nested.table.clone();
    bench.needs_addable(&format!("{}{table}", guest.path))?;
    let others = format!("{CONTROLLERS}*.{table}");
    guest.permit(bench, &others, ["r---", ALL[1], ALL[2], ALL[3]])?;
    let own = format!("{}{table}", guest.path);
    guest.permit(bench, &own, ["rw--", ALL[1], ALL[2], ALL[3]])?;
    bench.speak_as(Seat::Primary);
    let count = bench.rows(CONTROLLERS)?.len();
    bench.speak_as(Seat::Second);
    Ok((guest, others, count))
}

//! Add. (R-ADD.0 to R-ADD.6, R-KEY.1)

use super::{Test, test};
use crate::bench::{
    AllowPartial, Bench, CONTROLLERS, CreatedResult, SUBSCRIPTIONS, Settings, create, ensure,
    equal, exactly, only, value_in,
};
use crate::stop::Done;
use crate::tests::common::{
    ENDPOINT_ID, INVALID_OBJECT, SOFTWARE_VERSION, nested_row, no_subscription, subscription,
    subscription_in, subscription_values, us_by_key, whole,
};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 1, one_row_or_nothing),
    test(1, 2, one_row_in_part),
    test(1, 3, a_required_parameter_fails),
    test(1, 4, no_such_object),
    test(1, 5, two_rows),
    test(1, 6, two_rows_one_of_no_object),
    test(1, 7, two_rows_one_with_a_failing_parameter),
    test(1, 8, in_part_one_row_fails),
    test(1, 9, in_part_one_of_two_rows_fails),
    test(1, 10, by_unique_key),
    test(1, 81, keys_are_assigned),
    test(1, 88, an_invalid_key),
    test(1, 95, by_search),
];

const KEYS: [&str; 2] = ["Recipient", "ID"];

/// 1.1
fn one_row_or_nothing(bench: &mut Bench) -> Done {
    one_row(bench, AllowPartial::No, "add1")
}

/// 1.2
fn one_row_in_part(bench: &mut Bench) -> Done {
    one_row(bench, AllowPartial::Yes, "add2")
}

fn one_row(bench: &mut Bench, partial: AllowPartial, id: &str) -> Done {
    bench.step("Add a Subscription of which everything is acceptable");
    let added = bench.add(partial, [subscription(id)])?.response()?;
    let created = only("created_obj_results", &added.created_obj_results)?.created()?;
    whole(bench, created, SUBSCRIPTIONS, &KEYS)?;
    bench.step("Read what was created");
    bench.expect_values(&created.instantiated_path, &subscription_values(id))
}

/// 1.3
fn a_required_parameter_fails(bench: &mut Bench) -> Done {
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Add a Subscription with a required value that is invalid, all or nothing");
    let row = create(SUBSCRIPTIONS)
        .must("Enable", "InvalidValue")
        .with("ID", "add3")
        .with("NotifType", "ValueChange")
        .with("ReferenceList", SOFTWARE_VERSION);
    let error = bench.add(AllowPartial::No, [row])?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    names_enable(&wrong.param_path)?;
    bench.step("See that nothing was created");
    bench.expect_rows(SUBSCRIPTIONS, &rows)
}

/// 1.4
fn no_such_object(bench: &mut Bench) -> Done {
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Add a row to an object that there is not");
    let row = subscription_in(INVALID_OBJECT, "add4");
    let error = bench.add(AllowPartial::No, [row])?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal("param_path", wrong.param_path.as_str(), INVALID_OBJECT)?;
    bench.step("See that nothing was created");
    bench.expect_rows(SUBSCRIPTIONS, &rows)
}

/// 1.5
fn two_rows(bench: &mut Bench) -> Done {
    bench.step("Add two Subscriptions, all or nothing");
    let second = create(SUBSCRIPTIONS)
        .with("Enable", "true")
        .with("ID", "add52")
        .with("NotifType", "ValueChange")
        .must("ReferenceList", ENDPOINT_ID);
    let added = bench
        .add(AllowPartial::No, [subscription("add51"), second])?
        .response()?;
    exactly("created_obj_results", &added.created_obj_results, 2)?;
    let mut expected = subscription_values("add51");
    for (result, (id, of)) in added
        .created_obj_results
        .iter()
        .zip([("add51", SOFTWARE_VERSION), ("add52", ENDPOINT_ID)])
    {
        let created = result.created()?;
        whole(bench, created, SUBSCRIPTIONS, &KEYS)?;
        bench.step(format_args!("Read {}", created.instantiated_path));
        expected[1].1 = id;
        expected[3].1 = of;
        bench.expect_values(&created.instantiated_path, &expected)?;
    }
    Ok(())
}

/// 1.6
fn two_rows_one_of_no_object(bench: &mut Bench) -> Done {
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Add a Subscription and a row of an object that there is not, all or nothing");
    let both = [
        subscription("add61"),
        subscription_in(INVALID_OBJECT, "add62"),
    ];
    let error = bench.add(AllowPartial::No, both)?.error()?;
    let wrong = only("param_errs", &error.param_errs)?;
    equal("param_path", wrong.param_path.as_str(), INVALID_OBJECT)?;
    bench.step("See that nothing was created");
    bench.expect_rows(SUBSCRIPTIONS, &rows)
}

/// 1.7
fn two_rows_one_with_a_failing_parameter(bench: &mut Bench) -> Done {
    bench.step("Add two Subscriptions, one with a required value that is invalid, all or nothing");
    let first = create(SUBSCRIPTIONS)
        .must("Enable", "InvalidValue")
        .with("ID", "add71")
        .with("NotifType", "ValueChange")
        .must("ReferenceList", SOFTWARE_VERSION);
    let second = create(SUBSCRIPTIONS)
        .with("Enable", "true")
        .with("ID", "add72")
        .with("NotifType", "ValueChange");
    let error = bench.add(AllowPartial::No, [first, second])?.error()?;
    names_enable(&only("param_errs", &error.param_errs)?.param_path)?;
    bench.step("See that neither was created");
    no_subscription(bench, &["add71", "add72"])
}

/// 1.8
fn in_part_one_row_fails(bench: &mut Bench) -> Done {
    bench.step("Add a Subscription with a required value that is invalid, in part");
    let row = create(SUBSCRIPTIONS)
        .must("Enable", "InvalidValue")
        .with("ID", "add8")
        .with("NotifType", "ValueChange")
        .must("ReferenceList", SOFTWARE_VERSION);
    let added = bench.add(AllowPartial::Yes, [row])?.response()?;
    only("created_obj_results", &added.created_obj_results)?.failure()?;
    bench.step("See that nothing was created");
    no_subscription(bench, &["add8"])
}

/// 1.9
fn in_part_one_of_two_rows_fails(bench: &mut Bench) -> Done {
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Add two Subscriptions, one with a required parameter that there is not, in part");
    let good = create(SUBSCRIPTIONS)
        .with("Enable", "true")
        .with("ID", "add91")
        .with("NotifType", "ValueChange")
        .with("ReferenceList", SOFTWARE_VERSION);
    let bad = good.clone().must("InvalidParameter", "IrrelevantValue");
    let added = bench.add(AllowPartial::Yes, [good, bad])?.response()?;
    exactly("created_obj_results", &added.created_obj_results, 2)?;
    let created = added.created_obj_results[0].created()?;
    whole(bench, created, SUBSCRIPTIONS, &KEYS)?;
    added.created_obj_results[1].failure()?;
    bench.step("See that the first was created, and the second was not");
    let path = created.instantiated_path.clone();
    bench.expect_rows(SUBSCRIPTIONS, &[rows, vec![path.clone()]].concat())?;
    bench.expect_values(&path, &subscription_values("add91"))
}

/// 1.10
fn by_unique_key(bench: &mut Bench) -> Done {
    let table = bench.nested_table()?;
    let row = nested_row(bench, &table, 0, "true")?;
    let (key, value) = key_of(bench);
    bench.step("Add a row to a table within the row that is us, which unique keys name");
    let by_key = format!("{}{}", us_by_key(bench)?, bench.profile().nested.table);
    let by_key = usphere_proto::msg::CreateObject {
        obj_path: by_key,
        ..row
    };
    let added = bench.add(AllowPartial::No, [by_key])?.response()?;
    let created = only("created_obj_results", &added.created_obj_results)?.created()?;
    whole(bench, created, &table, &[&key])?;
    bench.step("Read what was created");
    let expected = [("Enable", "true"), (key.as_str(), value.as_str())];
    bench.expect_values(&created.instantiated_path, &expected)
}

/// 1.81
fn keys_are_assigned(bench: &mut Bench) -> Done {
    bench.step("Add two Subscriptions without their unique keys");
    let row = |of| {
        let row = create(SUBSCRIPTIONS).with("Enable", "true");
        row.with("NotifType", "ValueChange")
            .with("ReferenceList", of)
    };
    let both = [row(SOFTWARE_VERSION), row(ENDPOINT_ID)];
    let added = bench.add(AllowPartial::No, both)?.response()?;
    exactly("created_obj_results", &added.created_obj_results, 2)?;
    let first = added.created_obj_results[0].created()?;
    let second = added.created_obj_results[1].created()?;
    whole(bench, first, SUBSCRIPTIONS, &KEYS)?;
    whole(bench, second, SUBSCRIPTIONS, &KEYS)?;
    for (name, value) in &first.unique_keys {
        let other = value_in(&second.unique_keys, name)?;
        let differ = value != other;
        ensure(differ == (name != "Recipient"), || {
            let expected = if differ { "one value" } else { "two values" };
            format!("{name}: {expected} for both rows were expected, {value:?} and {other:?} came")
        })?;
    }
    Ok(())
}

/// 1.88
fn an_invalid_key(bench: &mut Bench) -> Done {
    bench.needs(&format!("{SUBSCRIPTIONS}{{i}}.Alias"))?;
    let rows = bench.rows(SUBSCRIPTIONS)?;
    bench.step("Add a Subscription with an Alias that begins with a digit, all or nothing");
    let row = create(SUBSCRIPTIONS)
        .with("Enable", "true")
        .with("Alias", "88InvalidAlias")
        .with("NotifType", "ValueChange")
        .with("ReferenceList", SOFTWARE_VERSION);
    bench.add(AllowPartial::No, [row])?.error()?;
    bench.step("See that nothing was created");
    bench.expect_rows(SUBSCRIPTIONS, &rows)
}

/// 1.95
fn by_search(bench: &mut Bench) -> Done {
    let table = bench.nested_table()?;
    let row = nested_row(bench, &table, 0, "true")?;
    if bench.rows(CONTROLLERS)?.len() < 2 {
        bench.introduce_second()?;
    }
    bench.step(
        "Add a row to a table within every enabled Controller, which a search expression finds",
    );
    let inner = bench.profile().nested.table.clone();
    let obj_path = format!("{CONTROLLERS}[Enable==true].{inner}");
    let row = usphere_proto::msg::CreateObject { obj_path, ..row };
    let added = bench.add(AllowPartial::No, [row])?.response()?;
    let mut created = Vec::new();
    for result in &added.created_obj_results {
        created.push(result.created()?.instantiated_path.clone());
    }
    ensure(!created.is_empty(), || {
        "created_obj_results: at least one was expected, none came".to_owned()
    })?;
    bench.step("Read the rows of all Controllers");
    let values = bench.values(&format!("{CONTROLLERS}*.{inner}"))?;
    let (key, value) = key_of(bench);
    for path in created {
        equal(&path, value_in(&values, &format!("{path}{key}"))?, &value)?;
    }
    Ok(())
}

/// The unique key of the nested table, and its first value.
fn key_of(bench: &Bench) -> (String, String) {
    let nested = &bench.profile().nested;
    (
        nested.key.clone(),
        nested.values.first().cloned().unwrap_or_default(),
    )
}

/// A param_path that is about Enable.
fn names_enable(path: &str) -> Done {
    ensure(path == "Enable" || path.ends_with(".Enable"), || {
        format!("param_path: one that ends with Enable was expected, {path:?} came")
    })
}

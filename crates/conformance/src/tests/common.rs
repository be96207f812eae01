//! What many tests begin with.

use std::time::Duration;

use usphere_proto::msg::{AddSuccess, CreateObject};

use crate::bench::{
    AllowPartial, Bench, Kind, Notified, SUBSCRIPTIONS, Settings, create, equal, only, value_in,
};
use crate::stop::{Done, Stop};

/// A parameter that every Agent has.
pub(super) const SOFTWARE_VERSION: &str = "Device.LocalAgent.SoftwareVersion";

/// Another one.
pub(super) const ENDPOINT_ID: &str = "Device.LocalAgent.EndpointID";

/// An object that no Agent has.
pub(super) const INVALID_OBJECT: &str = "Device.LocalAgent.InvalidObject.";

/// What a Subscription to a change of the software's version says.
pub(super) fn subscription_values(id: &str) -> [(&str, &str); 4] {
    [
        ("Enable", "true"),
        ("ID", id),
        ("NotifType", "ValueChange"),
        ("ReferenceList", SOFTWARE_VERSION),
    ]
}

/// A Subscription to a change of the software's version, in any table that is said to be one.
pub(super) fn subscription_in(table: &str, id: &str) -> CreateObject {
    let row = create(table);
    let row = row.with("Enable", "true").with("ID", id);
    row.with("NotifType", "ValueChange")
        .must("ReferenceList", SOFTWARE_VERSION)
}

/// A Subscription to a change of the software's version.
pub(super) fn subscription(id: &str) -> CreateObject {
    subscription_in(SUBSCRIPTIONS, id)
}

/// A Subscription of another kind, which is tried again until it is answered.
pub(super) fn subscription_to(id: &str, kind: &str, reference: &str) -> CreateObject {
    let row = create(SUBSCRIPTIONS);
    let row = row.with("Enable", "true").with("ID", id);
    row.with("NotifType", kind)
        .must("ReferenceList", reference)
        .with("NotifRetry", "true")
}

/// A row was created without a complaint, and all its unique keys are told: `keys`, and the Alias where the
/// Agent has one.
pub(super) fn whole(bench: &Bench, created: &AddSuccess, table: &str, keys: &[&str]) -> Done {
    equal("param_errs", created.param_errs.as_slice(), &[])?;
    let mut expected = keys.to_vec();
    if bench.features().has(&format!("{table}{{i}}.Alias")) {
        expected.push("Alias");
    }
    expected.sort_unstable();
    let told: Vec<&str> = created.unique_keys.keys().map(String::as_str).collect();
    equal("the names in unique_keys", &told, &expected)
}

/// No Subscription with such an ID is there.
pub(super) fn no_subscription(bench: &mut Bench, ids: &[&str]) -> Done {
    let values = bench.values(SUBSCRIPTIONS)?;
    let is_one =
        |(path, value): &(&String, &String)| path.ends_with(".ID") && ids.contains(&value.as_str());
    match values.iter().find(is_one) {
        None => Ok(()),
        Some((path, value)) => Err(Stop::Failed(format!(
            "no Subscription with the ID {value} was to be created, {path} is there"
        ))),
    }
}

/// Deletes every Subscription, for tests that want none.
pub(super) fn without_subscriptions(bench: &mut Bench) -> Done {
    without(bench, "*")
}

/// Deletes the Subscriptions that the search finds, for tests that want none of them.
pub(super) fn without(bench: &mut Bench, search: &str) -> Done {
    let these = format!("{SUBSCRIPTIONS}{search}.");
    bench.step(format_args!("Delete {these}"));
    bench.delete(AllowPartial::Yes, &[&these])?.response()?;
    let left = bench.instances(&[&these], true)?.response()?;
    let left = only("req_path_results", &left.req_path_results)?;
    match left.curr_insts.first() {
        None => Ok(()),
        Some(row) => Err(Stop::not_runnable(format_args!(
            "the test wants an Agent without {these}, and {} cannot be deleted",
            row.instantiated_obj_path
        ))),
    }
}

/// A row for the nested table of the profile, with the so-manieth of its keys.
pub(super) fn nested_row(
    bench: &Bench,
    table: &str,
    number: usize,
    enable: &str,
) -> Result<CreateObject, Stop> {
    let nested = &bench.profile().nested;
    let Some(value) = nested.values.get(number) else {
        return Err(Stop::not_runnable(format_args!(
            "the profile names too few values for {table}{{i}}.{}",
            nested.key
        )));
    };
    Ok(create(table)
        .with("Enable", enable)
        .with(&nested.key, value))
}

/// A path to a Subscription by its unique key.
pub(super) fn by_key(bench: &mut Bench, subscription: &str) -> Result<String, Stop> {
    let values = bench.values(subscription)?;
    let recipient = value_in(&values, &format!("{subscription}Recipient"))?;
    let id = value_in(&values, &format!("{subscription}ID"))?;
    Ok(format!(
        "{SUBSCRIPTIONS}[Recipient==\"{recipient}\"&&ID==\"{id}\"]."
    ))
}

/// A path to our own row by its unique keys.
pub(super) fn us_by_key(bench: &mut Bench) -> Result<String, Stop> {
    let ours = bench.controller_path();
    let id = bench.endpoint_id(crate::peer::Seat::Primary);
    let alias = format!("{ours}Alias");
    let alias = match bench.features().has(&alias) {
        true => format!("&&Alias==\"{}\"", bench.value(&alias)?),
        false => String::new(),
    };
    let table = crate::bench::CONTROLLERS;
    Ok(format!("{table}[EndpointID==\"{id}\"{alias}]."))
}

/// Waits for the end of a command that was started with this key; others may end meanwhile.
pub(super) fn completed(
    bench: &mut Bench,
    id: &str,
    key: &str,
    patience: Duration,
) -> Result<Notified, Stop> {
    bench.step("Wait for the command to end");
    let until = bench.now() + patience;
    loop {
        let left = until.saturating_sub(bench.now());
        let notified = bench.await_notify(Kind::OperationComplete, id, left)?;
        if notified.completion()?.command_key == key {
            return Ok(notified);
        }
    }
}

//! Asynchronous commands, restarts, Boot! and Periodic!, in virtual time.

mod boot;
mod periodic;
mod requests;
mod timers;

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::declare::{Object, command, object};
use usphere_proto::msg::{
    CompletionOutcome, Notification, Notify, Operate, OperateResp, OperationOutcome,
    OperationResult, RequestType, ResponseType,
};

use super::{add, set};
use crate::scene::{LiveAgent, Scene};

const REQUESTS: &str = "Device.LocalAgent.Request.";
const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";
const PING: &str = "Device.X_Net.Ping()";

/// What takes its time on the host.
const NET: Object = object("Device.X_Net.").commands(&[
    command("Ping()")
        .asynchronous()
        .by("host")
        .at_once(3)
        .input(&["Host", "Count"])
        .mandatory(&["Host"])
        .defaults(&[("Count", "3")])
        .output(&["Replies"]),
    command("Trace()").asynchronous().by("host").at_once(1_000),
]);

/// An Agent with two Controllers that are connected; `a` has subscribed to everything that ends or happens.
fn scene() -> LiveAgent {
    let mut live = Scene::new()
        .host(&[&NET])
        .controller("a")
        .controller("b")
        .agent();
    live.connect("a");
    live.connect("b");
    subscribe(&mut live, "a", "OperationComplete", "Device.");
    live
}

/// Adds a Subscription that outlives restarts.
fn subscribe(live: &mut LiveAgent, name: &str, kind: &str, what: &str) {
    let values = [
        ("Enable", "true"),
        ("ID", kind),
        ("NotifType", kind),
        ("ReferenceList", what),
        ("Persistent", "true"),
    ];
    live.response(name, add(SUBSCRIPTIONS, &values));
}

fn operation(command: &str, key: &str, arguments: &[(&str, &str)]) -> Operate {
    let arguments = arguments.iter();
    Operate {
        command: command.to_owned(),
        command_key: key.to_owned(),
        send_resp: true,
        input_args: arguments
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// Runs a command and gives its results.
fn operate(live: &mut LiveAgent, name: &str, operate: Operate) -> Vec<OperationResult> {
    let response = live.response(name, operate);
    let ResponseType::OperateResp(OperateResp { operation_results }) = response else {
        panic!("not an OperateResp: {response:?}")
    };
    operation_results
}

/// Runs a command on one object: the path of its Request, or the code of its failure.
fn begin(live: &mut LiveAgent, name: &str, request: Operate) -> Result<String, u32> {
    let mut results = operate(live, name, request);
    assert_eq!(results.len(), 1, "{results:?}");
    match results.remove(0).operation_resp {
        Some(OperationOutcome::ReqObjPath(path)) => Ok(path),
        Some(OperationOutcome::CmdFailure(failure)) => Err(failure.err_code),
        other => panic!("neither begun nor failed: {other:?}"),
    }
}

/// Runs a synchronous command on one object, which succeeds.
fn run(live: &mut LiveAgent, name: &str, command: &str) {
    let results = operate(live, name, operation(command, "", &[]));
    let outcome = results[0].operation_resp.as_ref();
    assert!(
        matches!(outcome, Some(OperationOutcome::ReqOutputArgs(_))),
        "{results:?}"
    );
}

/// The Notify Messages among what has come for `name` since it was looked at last.
fn notified(live: &mut LiveAgent, name: &str) -> Vec<Notify> {
    let link = live.link(name);
    let messages = live.take_messages(link).into_iter();
    let notified = messages.filter_map(|message| match message.as_request() {
        Some(RequestType::Notify(notify)) => Some(notify.clone()),
        _ => None,
    });
    notified.collect()
}

/// The end of a command: path, key, and the outputs or the code.
type Completed = (String, String, Result<BTreeMap<String, String>, u32>);

/// The ends of commands that `name` was told of.
fn completed(live: &mut LiveAgent, name: &str) -> Vec<Completed> {
    let notified = notified(live, name).into_iter();
    let completed = notified.filter_map(|notify| match notify.notification {
        Some(Notification::OperComplete(complete)) => {
            let command = format!("{}{}", complete.obj_path, complete.command_name);
            let result = match complete.operation_resp {
                Some(CompletionOutcome::ReqOutputArgs(outputs)) => Ok(outputs.output_args),
                Some(CompletionOutcome::CmdFailure(failure)) => Err(failure.err_code),
                None => panic!("no outcome"),
            };
            Some((command, complete.command_key, result))
        }
        _ => None,
    });
    completed.collect()
}

/// The events that `name` was told of: path, and arguments.
fn events(live: &mut LiveAgent, name: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let notified = notified(live, name).into_iter();
    let events = notified.filter_map(|notify| match notify.notification {
        Some(Notification::Event(event)) => Some((
            format!("{}{}", event.obj_path, event.event_name),
            event.params,
        )),
        _ => None,
    });
    events.collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How many Requests there are, and how many rows of them are kept.
fn requests(live: &mut LiveAgent) -> (usize, usize) {
    let shown = live.values("a", REQUESTS);
    let shown = shown.keys().filter(|path| path.ends_with(".Command"));
    let kept = live.store.keys();
    let kept = kept.filter(|key| key.starts_with(REQUESTS) && key.ends_with('.'));
    (shown.count(), kept.count())
}

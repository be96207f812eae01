//! Subscriptions and notifications.

mod basics;
mod corners;
mod live;
mod lives;
mod onboard;
mod order;
mod retries;
mod rights;
mod soak;
mod triggers;

use std::time::Duration;

use usphere_datamodel::declare::{Object, event, object};
use usphere_proto::Msg;
use usphere_proto::msg::{
    AddOutcome, AddResp, Notification, Notify, NotifyResp, RequestType, ResponseType,
};
use usphere_proto::{EndpointId, Record};

use super::{CONTROLLER_1, add, set};
use crate::LinkId;
use crate::scene::{LiveAgent, Scene, id};

const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";
/// A host with events.
const EVENTFUL: Object =
    object("Device.X_Eventful.").events(&[event("Happened!").args(&["Why"]), event("Other!")]);

const CODE_1: &str = "Device.LocalAgent.Controller.1.ProvisioningCode";

/// Adds a Subscription that is enabled, and gives the path of its row.
fn subscribe(live: &mut LiveAgent, name: &str, values: &[(&str, &str)]) -> String {
    let mut all = vec![("Enable", "true")];
    all.extend_from_slice(values);
    let response = live.response(name, add(SUBSCRIPTIONS, &all));
    added(&response)
}

/// Subscribes to the ProvisioningCode of the first Controller.
fn subscribe_to_code(live: &mut LiveAgent, name: &str, values: &[(&str, &str)]) -> String {
    let mut all = vec![("NotifType", "ValueChange"), ("ReferenceList", CODE_1)];
    all.extend_from_slice(values);
    subscribe(live, name, &all)
}

/// The path of the row that was added.
fn added(response: &ResponseType) -> String {
    let ResponseType::AddResp(AddResp {
        created_obj_results,
    }) = response
    else {
        panic!("not an AddResp: {response:?}")
    };
    let outcome = created_obj_results[0]
        .oper_status
        .as_ref()
        .and_then(|status| status.oper_status.as_ref());
    match outcome {
        Some(AddOutcome::OperSuccess(success)) => success.instantiated_path.clone(),
        other => panic!("not added: {other:?}"),
    }
}

/// The Notify Messages among what has come for `name` since it was looked at last, with their message IDs.
fn notified(live: &mut LiveAgent, name: &str) -> Vec<(String, Notify)> {
    let link = live.link(name);
    notified_on(live, link)
}

fn notified_on(live: &mut LiveAgent, link: LinkId) -> Vec<(String, Notify)> {
    let messages = live.take_messages(link).into_iter();
    messages
        .filter_map(|message| match message.as_request() {
            Some(RequestType::Notify(notify)) => {
                Some((message.msg_id().to_owned(), notify.clone()))
            }
            _ => None,
        })
        .collect()
}

/// What each Notify tells, in short, after the ID of its Subscription.
fn told(live: &mut LiveAgent, name: &str) -> Vec<String> {
    let notified = notified(live, name).into_iter();
    notified.map(|(_, notify)| short(&notify)).collect()
}

fn short(notify: &Notify) -> String {
    let what = match notify.notification.as_ref() {
        Some(Notification::ValueChange(change)) => {
            format!("{}={}", change.param_path, change.param_value)
        }
        Some(Notification::ObjCreation(created)) => format!("+{}", created.obj_path),
        Some(Notification::ObjDeletion(deleted)) => format!("-{}", deleted.obj_path),
        Some(Notification::Event(event)) => format!("{}{}", event.obj_path, event.event_name),
        Some(Notification::OperComplete(complete)) => {
            format!("{}{}", complete.obj_path, complete.command_name)
        }
        Some(Notification::OnBoardReq(_)) => "OnBoardRequest".to_owned(),
        None => "nothing".to_owned(),
    };
    format!("{}: {what}", notify.subscription_id)
}

/// The Controller `name` answers the Notify `msg_id`.
fn acknowledge(live: &mut LiveAgent, name: &str, msg_id: &str) {
    let link = live.link(name);
    let response = NotifyResp {
        subscription_id: "whatever".to_owned(),
    };
    live.send(link, reply(&id(name), &Msg::response(msg_id, response)));
}

fn reply(from: &EndpointId, message: &Msg) -> Record {
    Record::no_session(&id("agent"), from, message.clone().into_payload())
}

/// Changes what Subscriptions of these tests are about.
fn provision(live: &mut LiveAgent, by: &str, value: &str) {
    live.response(by, set(CONTROLLER_1, &[("ProvisioningCode", value)]));
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

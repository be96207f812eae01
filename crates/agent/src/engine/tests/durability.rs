//! What is answered is durable, and what is not durable is seen by nobody.

use super::{CONTROLLER_1, add, delete, get, set};
use crate::Notice;
use crate::scene::{Scene, values_of};

const CODE: &str = "Device.LocalAgent.Controller.1.ProvisioningCode";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

#[test]
fn nobody_sees_a_change_before_it_is_kept() {
    let mut live = Scene::new()
        .controller("writer")
        .controller("reader")
        .agent();
    let (writer, reader) = (live.connect("writer"), live.connect("reader"));
    live.hold();
    live.request(
        "writer",
        "w",
        set(CONTROLLER_1, &[("ProvisioningCode", "new")]),
    );
    live.request("reader", "r", get(&[CODE]));
    live.request("reader", "unrelated", get(&["Device.RootDataModelVersion"]));
    assert_eq!(live.take(writer), [], "not answered before it is kept");
    let early = live.take_messages(reader);
    assert_eq!(
        early.len(),
        1,
        "only what does not depend on the change is answered"
    );
    assert_eq!(early[0].msg_id(), "unrelated");
    live.keep();
    assert!(live.take_messages(writer)[0].is_response());
    let late = live.take_messages(reader);
    assert_eq!(late.len(), 1);
    assert_eq!(values_of(&late[0])[CODE], "new");
    assert_eq!(live.store[CODE], "new");
}

#[test]
fn a_change_that_cannot_be_kept_is_answered_with_an_error_and_never_happened() {
    let mut live = Scene::new()
        .controller("writer")
        .controller("reader")
        .agent();
    let (writer, reader) = (live.connect("writer"), live.connect("reader"));
    live.response("writer", set(CONTROLLER_1, &[("ProvisioningCode", "old")]));
    live.hold();
    live.request(
        "writer",
        "w1",
        set(CONTROLLER_1, &[("ProvisioningCode", "new")]),
    );
    live.request("writer", "w2", add(ROLES, &[("Name", "lost")]));
    live.request("reader", "r", get(&[CODE]));
    live.fail("the disk is full");
    let answers = live.take_messages(writer);
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let error = answer.as_error().unwrap_or_else(|| panic!("{answer:?}"));
        let texts = error
            .param_errs
            .iter()
            .map(|error| &*error.err_msg)
            .chain([&*error.err_msg]);
        assert!(
            texts
                .into_iter()
                .any(|text| text.contains("the disk is full")),
            "{error:?}"
        );
    }
    assert_eq!(values_of(&live.take_messages(reader)[0])[CODE], "old");
    live.keep();
    assert_eq!(live.store[CODE], "old");
    assert_eq!(
        live.value(
            "reader",
            "Device.LocalAgent.ControllerTrust.RoleNumberOfEntries"
        ),
        "2"
    );
    live.response(
        "writer",
        set(CONTROLLER_1, &[("ProvisioningCode", "newer")]),
    );
    assert_eq!(
        live.value("reader", CODE),
        "newer",
        "the Agent goes on when the disk does"
    );
}

/// Rights follow what is durable: a Controller that was disabled keeps its session until that is
/// kept, and for good when it cannot be.
#[test]
fn the_engine_itself_acts_on_nothing_that_may_be_taken_back() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    live.connect("operator");
    live.connect("other");
    live.hold();
    live.request("other", "1", set(CONTROLLER_1, &[("Enable", "false")]));
    assert_eq!(live.hangups, []);
    live.fail("no");
    live.keep();
    assert_eq!(live.hangups, []);
    assert_eq!(
        live.value("operator", "Device.LocalAgent.Controller.1.Enable"),
        "true"
    );
    live.hold();
    live.request("other", "2", set(CONTROLLER_1, &[("Enable", "false")]));
    live.keep();
    assert_eq!(live.hangups.len(), 1);
}

#[test]
fn what_was_answered_is_there_after_a_power_cut_and_what_was_not_is_wholly_absent() {
    let mut live = Scene::new().controller("operator").agent();
    live.connect("operator");
    live.response(
        "operator",
        set(CONTROLLER_1, &[("ProvisioningCode", "kept")]),
    );
    live.response("operator", add(ROLES, &[("Name", "kept")]));
    live.response("operator", add(ROLES, &[("Name", "deleted")]));
    live.response(
        "operator",
        delete("Device.LocalAgent.ControllerTrust.Role.4."),
    );
    live.hold();
    live.request(
        "operator",
        "1",
        set(CONTROLLER_1, &[("ProvisioningCode", "lost")]),
    );
    live.request("operator", "2", add(ROLES, &[("Name", "lost")]));
    let mut live = live.restart();
    live.connect("operator");
    assert_eq!(live.value("operator", CODE), "kept");
    let names = live.values("operator", "Device.LocalAgent.ControllerTrust.Role.*.Name");
    let names: Vec<&str> = names.values().map(String::as_str).collect();
    assert_eq!(names, ["Full access", "Untrusted", "kept"]);
    live.response("operator", add(ROLES, &[("Name", "next")]));
    assert_eq!(
        live.value("operator", "Device.LocalAgent.ControllerTrust.Role.5.Name"),
        "next",
        "the number of the deleted row is not used again"
    );
}

#[test]
fn an_entry_that_has_no_place_is_told_and_left_out() {
    let mut store = Scene::new().controller("operator").agent().store;
    store.insert("Device.NoSuch.1.".to_owned(), String::new());
    store.insert(
        "Device.LocalAgent.Controller.1.Enable".to_owned(),
        "perhaps".to_owned(),
    );
    let live = Scene::new().store(store).agent();
    let problems = live
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::NotLoaded(_)));
    assert_eq!(problems.count(), 2, "{:?}", live.notices);
}

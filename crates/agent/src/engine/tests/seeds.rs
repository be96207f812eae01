//! What a first start puts into the data model, and that later starts leave alone what was made of it.

use super::{CONTROLLER_1, delete, set};
use crate::Notice;
use crate::scene::{Scene, id};

#[test]
fn a_first_start_seeds_roles_controllers_and_mtps() {
    let mut live = Scene::new().dialled("operator", "there").agent();
    live.pick_up();
    let values = live.values("operator", "Device.LocalAgent.");
    for (path, value) in [
        ("EndpointID", "self::agent"),
        ("SoftwareVersion", "1.2.3"),
        ("SupportedProtocols", "WebSocket"),
        ("MTPNumberOfEntries", "1"),
        ("ControllerNumberOfEntries", "1"),
        ("MTP.1.Enable", "true"),
        ("MTP.1.Protocol", "WebSocket"),
        ("MTP.1.WebSocket.Port", "9002"),
        ("MTP.1.WebSocket.Path", "/usp"),
        ("MTP.1.WebSocket.EnableEncryption", "false"),
        ("Controller.1.EndpointID", "self::operator"),
        ("Controller.1.Enable", "true"),
        (
            "Controller.1.AssignedRole",
            "Device.LocalAgent.ControllerTrust.Role.1",
        ),
        ("Controller.1.MTP.1.Enable", "true"),
        ("Controller.1.MTP.1.WebSocket.Host", "there"),
        ("Controller.1.MTP.1.WebSocket.Port", "8081"),
        (
            "ControllerTrust.UntrustedRole",
            "Device.LocalAgent.ControllerTrust.Role.2",
        ),
        ("ControllerTrust.Role.1.Permission.1.Targets", "Device."),
        ("ControllerTrust.Role.1.Permission.1.CommandEvent", "r-xn"),
    ] {
        assert_eq!(
            values[&format!("Device.LocalAgent.{path}")],
            value,
            "{path}"
        );
    }
}

#[test]
fn nobody_is_dialled_before_the_seeds_are_kept() {
    let mut live = Scene::new()
        .dialled("operator", "there")
        .agent_on_a_slow_store();
    assert!(live.dials.is_empty() && live.listeners.is_empty());
    assert_eq!(live.commits.len(), 1, "everything is kept at once");
    live.keep();
    assert_eq!((live.dials.len(), live.listeners.len()), (1, 1));
}

#[test]
fn a_store_that_cannot_keep_the_seeds_is_survived() {
    let mut live = Scene::new().controller("operator").agent_on_a_slow_store();
    live.fail("the disk is full");
    let failures = live
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::NotSeeded { .. }));
    assert!(failures.count() > 0);
    assert!(live.store.is_empty());
}

#[test]
fn what_was_set_is_not_seeded_again() {
    let scene = Scene::new()
        .dialled("operator", "there")
        .controller("other");
    let mut live = scene.agent();
    live.pick_up();
    live.response(
        "operator",
        set(
            &format!("{CONTROLLER_1}MTP.1.WebSocket."),
            &[("Host", "elsewhere")],
        ),
    );
    live.pick_up();
    live.response(
        "operator",
        set("Device.LocalAgent.MTP.1.WebSocket.", &[("Port", "1")]),
    );
    live.response("operator", set(CONTROLLER_1, &[("AssignedRole", "")]));
    let live = live.restart();
    assert_eq!(live.dials.len(), 1);
    assert_eq!(live.dials[0].target.host, "elsewhere");
    assert_eq!(live.listeners.values().next().unwrap().port, 1);
    assert!(!live.store.contains_key("Device.LocalAgent.Controller.3."));
    assert_eq!(
        live.store["Device.LocalAgent.Controller.1.AssignedRole"],
        ""
    );
    assert!(live.commits.is_empty());
}

#[test]
fn a_restart_with_nothing_new_keeps_nothing() {
    let live = Scene::new().dialled("operator", "there").agent();
    let before = live.store.clone();
    let restarted = Scene::new()
        .dialled("operator", "there")
        .store(before)
        .agent_on_a_slow_store();
    assert!(restarted.commits.is_empty());
    assert_eq!(restarted.dials.len(), 1, "and so it dials at once");
}

#[test]
fn a_controller_that_is_configured_later_is_seeded_then() {
    let store = Scene::new().controller("operator").agent().store;
    let mut live = Scene::new()
        .controller("operator")
        .controller("second")
        .store(store)
        .agent();
    live.connect("second");
    assert_eq!(
        live.value("second", "Device.LocalAgent.Controller.2.EndpointID"),
        id("second").as_str()
    );
    live.response(
        "second",
        delete("Device.LocalAgent.ControllerTrust.Role.2."),
    );
    let mut live = live.restart();
    live.connect("operator");
    assert_eq!(
        live.value(
            "operator",
            "Device.LocalAgent.ControllerTrust.RoleNumberOfEntries"
        ),
        "1",
        "the untrusted role was deleted for good"
    );
}

/// What is wrong in the configuration is told, and nothing else fails for it.
#[test]
fn what_cannot_be_seeded_leaves_the_rest_whole() {
    let mut live = Scene::new()
        .dialled("far", &"x".repeat(300))
        .controller("operator")
        .agent();
    let failures = live
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::NotSeeded { .. }));
    assert_eq!(failures.count(), 1);
    live.connect("operator");
    assert_eq!(
        live.value("operator", "Device.LocalAgent.ControllerNumberOfEntries"),
        "1"
    );
}

/// Whom another Controller has deleted, a restart with the same configuration does not bring back.
#[test]
fn a_controller_that_was_deleted_stays_deleted_and_that_is_told() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("second")
        .agent();
    live.connect("operator");
    live.response("operator", delete("Device.LocalAgent.Controller.2."));
    let mut live = live.restart();
    live.connect("operator");
    let count = live.value("operator", "Device.LocalAgent.ControllerNumberOfEntries");
    assert_eq!(count, "1");
    assert!(told(&live.notices, "self::second was deleted"));
}

/// The role of seeded Controllers is known by what it is, not by what it is called.
#[test]
fn a_renamed_role_of_full_access_is_not_made_again() {
    let mut live = Scene::new().controller("operator").agent();
    live.connect("operator");
    let role = "Device.LocalAgent.ControllerTrust.Role.1.";
    live.response("operator", set(role, &[("Name", "root")]));
    let store = live.store;
    let mut live = Scene::new()
        .controller("operator")
        .controller("second")
        .store(store)
        .agent();
    live.connect("operator");
    assert_eq!(
        live.value("operator", "Device.LocalAgent.Controller.2.AssignedRole"),
        role.trim_end_matches('.')
    );
}

/// An address in the configuration that has no effect, because the data model says otherwise, is told.
#[test]
fn a_configured_address_without_effect_is_told() {
    let store = Scene::new().dialled("cloud", "here").agent().store;
    let live = Scene::new()
        .dialled("cloud", "there")
        .store(store.clone())
        .agent();
    assert!(told(&live.notices, "this row says here:8081/usp"));
    assert_eq!(live.dials[0].target.host, "here");
    let live = Scene::new().dialled("cloud", "here").store(store).agent();
    assert!(!told(&live.notices, "no effect"));
}

fn told(notices: &[Notice], text: &str) -> bool {
    notices.iter().any(|notice| {
        matches!(notice, Notice::NotSeeded { .. }) && notice.to_string().contains(text)
    })
}

//! Reboot(), FactoryReset() and Boot!.

use super::*;
use crate::RestartAction;

const BOOT_PARAMETERS: &str = "Device.LocalAgent.Controller.1.BootParameter.";

/// An Agent whose Controller `a` hears of starts.
fn booting() -> LiveAgent {
    let mut live = scene();
    subscribe(&mut live, "a", "Event", "Device.Boot!");
    live
}

/// The Agent starts again, `a` connects, and hears why it did.
fn boot_after(live: LiveAgent) -> (LiveAgent, BTreeMap<String, String>) {
    let mut live = live.restart();
    live.connect("a");
    let mut events = events(&mut live, "a");
    assert_eq!(events.len(), 1, "{events:?}");
    let (event, arguments) = events.remove(0);
    assert_eq!(event, "Device.Boot!");
    (live, arguments)
}

fn arguments(arguments: &BTreeMap<String, String>) -> [&str; 5] {
    [
        "Cause",
        "CommandKey",
        "Reason",
        "FirmwareUpdated",
        "ParameterMap",
    ]
    .map(|name| arguments[name].as_str())
}

/// The answer is sent before anything ends.
///
/// Proves: TP-469 1.61
#[test]
fn a_reboot_is_answered_and_then_done_and_told_of() {
    let mut live = booting();
    let results = operate(&mut live, "a", operation("Device.Reboot()", "test61", &[]));
    assert_eq!(results[0].executed_command, "Device.Reboot()");
    let Some(OperationOutcome::ReqOutputArgs(outputs)) = &results[0].operation_resp else {
        panic!("{results:?}")
    };
    assert!(outputs.output_args.is_empty());
    assert_eq!(live.restarts, [], "the answer leaves first");
    live.wait(Duration::from_millis(100));
    assert_eq!(live.restarts, [RestartAction::Reboot]);
    let (live, boot) = boot_after(live);
    assert_eq!(
        arguments(&boot),
        ["RemoteReboot", "test61", "Unknown", "false", "{}"]
    );
    let (_, boot) = boot_after(live);
    assert_eq!(
        arguments(&boot),
        ["LocalReboot", "", "Unknown", "false", "{}"],
        "nobody asked for the next one"
    );
}

/// Proves: TP-469 1.62
#[test]
fn a_reboot_without_an_answer_is_done_as_well() {
    let mut live = booting();
    let link = live.link("a");
    let request = Operate {
        send_resp: false,
        ..operation("Device.Reboot()", "test62", &[])
    };
    live.request("a", "1", request);
    live.wait(seconds(1));
    assert_eq!(live.take_messages(link), []);
    assert_eq!(live.restarts, [RestartAction::Reboot]);
    let (_, boot) = boot_after(live);
    assert_eq!(boot["CommandKey"], "test62");
}

#[test]
fn cause_and_reason_are_told_as_they_were_given() {
    let mut live = booting();
    let given = [("Cause", "LocalReboot"), ("Reason", "overheat")];
    operate(&mut live, "a", operation("Device.Reboot()", "", &given));
    let (_, boot) = boot_after(live);
    assert_eq!(
        arguments(&boot),
        ["LocalReboot", "", "overheat", "false", "{}"]
    );
}

#[test]
fn a_cause_that_is_none_is_refused() {
    let mut live = booting();
    for (command, cause) in [
        ("Device.Reboot()", "RemoteFactoryReset"),
        ("Device.Reboot()", ""),
        ("Device.FactoryReset()", "RemoteReboot"),
    ] {
        let request = operation(command, "", &[("Cause", cause)]);
        assert_eq!(begin(&mut live, "a", request), Err(7027));
    }
    live.wait(seconds(1));
    assert_eq!(live.restarts, []);
}

/// A reboot is promised when its cause is durable.
#[test]
fn a_reboot_that_cannot_be_kept_is_refused() {
    let mut live = booting();
    live.hold();
    live.request("a", "1", operation("Device.Reboot()", "", &[]));
    live.wait(seconds(1));
    assert_eq!(live.restarts, []);
    live.fail("the disk is full");
    live.keep();
    live.wait(seconds(1));
    assert_eq!(live.restarts, []);
}

/// Everything goes but the identity, and what the configuration seeds comes back.
#[test]
fn a_factory_reset_begins_with_what_the_configuration_seeds() {
    let mut live = booting();
    live.response("b", super::super::delete("Device.LocalAgent.Controller.1."));
    live.response(
        "b",
        set(
            "Device.LocalAgent.Controller.2.",
            &[("ProvisioningCode", "x")],
        ),
    );
    live.response(
        "b",
        add(
            "Device.LocalAgent.Controller.",
            &[("EndpointID", "self::c")],
        ),
    );
    operate(
        &mut live,
        "b",
        operation("Device.FactoryReset()", "fresh", &[]),
    );
    live.wait(seconds(1));
    assert_eq!(live.restarts, [RestartAction::FactoryReset]);
    let mut live = live.restart();
    live.connect("a");
    let controllers = live.values("a", "Device.LocalAgent.Controller.*.EndpointID");
    let ids: Vec<&str> = controllers.values().map(String::as_str).collect();
    assert_eq!(ids, ["self::a", "self::b"]);
    assert_eq!(
        live.value("a", "Device.LocalAgent.Controller.2.ProvisioningCode"),
        ""
    );
    assert_eq!(
        live.value("a", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
    assert_eq!(live.values("a", SUBSCRIPTIONS), BTreeMap::new());
    assert_eq!(
        live.value("a", "Device.LocalAgent.ControllerTrust.UntrustedRole"),
        "Device.LocalAgent.ControllerTrust.Role.2"
    );
    let (_, boot) = boot_after({
        subscribe(&mut live, "a", "Event", "Device.Boot!");
        live
    });
    assert_eq!(
        boot["Cause"], "LocalReboot",
        "the reset is told once, and done once"
    );
}

/// A Reboot() that comes on top of a FactoryReset() takes nothing back.
#[test]
fn a_reset_that_was_promised_stays() {
    let mut live = booting();
    for command in ["Device.FactoryReset()", "Device.Reboot()"] {
        operate(&mut live, "a", operation(command, "", &[]));
    }
    live.wait(seconds(1));
    assert_eq!(live.restarts, [RestartAction::FactoryReset]);
    let mut live = live.restart();
    live.connect("a");
    assert_eq!(live.values("a", SUBSCRIPTIONS), BTreeMap::new());
}

/// Each Controller is told what its own rows name and its role may read.
///
/// Proves: TP-469 9.10
#[test]
fn boot_tells_the_parameters_that_were_asked_for() {
    let mut live = booting();
    for (name, enable) in [
        ("Device.LocalAgent.Controller.*.Enable", "true"),
        ("Device.LocalAgent.SoftwareVersion", "true"),
        ("Device.LocalAgent.EndpointID", "false"),
        ("Device.Nothing.Of.This", "true"),
        ("Device.LocalAgent.Controller.[", "true"),
        ("Device.LocalAgent.", "true"),
    ] {
        let values = [("ParameterName", name), ("Enable", enable)];
        live.response("a", add(BOOT_PARAMETERS, &values));
    }
    subscribe(&mut live, "b", "Event", "Device.Boot!");
    let (mut live, boot) = boot_after(live);
    assert_eq!(
        boot["ParameterMap"],
        "{\"Device.LocalAgent.Controller.1.Enable\":\"true\",\
         \"Device.LocalAgent.Controller.2.Enable\":\"true\",\
         \"Device.LocalAgent.SoftwareVersion\":\"1.2.3\"}"
    );
    live.connect("b");
    assert_eq!(events(&mut live, "b")[0].1["ParameterMap"], "{}");
}

#[test]
fn boot_tells_nothing_that_its_recipient_may_not_read() {
    let mut live = booting();
    let hidden = "Device.LocalAgent.ControllerTrust.Role.1.Name";
    for name in [hidden, "Device.LocalAgent.SoftwareVersion"] {
        let values = [("ParameterName", name), ("Enable", "true")];
        live.response(
            "a",
            add("Device.LocalAgent.Controller.2.BootParameter.", &values),
        );
    }
    // The role of `b` shrinks to reading three parameters and hearing of Boot!.
    let role = "Device.LocalAgent.ControllerTrust.Role.2.";
    let heard = [
        ("Enable", "true"),
        ("Order", "9"),
        ("Targets", "Device.Boot!"),
        ("CommandEvent", "r--n"),
    ];
    live.response("a", add(&format!("{role}Permission."), &heard));
    subscribe(&mut live, "b", "Event", "Device.Boot!");
    live.response(
        "a",
        set("Device.LocalAgent.Controller.2.", &[("AssignedRole", role)]),
    );
    let mut live = live.restart();
    live.connect("b");
    assert_eq!(
        events(&mut live, "b")[0].1["ParameterMap"],
        "{\"Device.LocalAgent.SoftwareVersion\":\"1.2.3\"}"
    );
}

#[test]
fn a_new_version_is_told_once() {
    let live = booting();
    let mut live = live.restart_with(|scene| scene.version("2.0"));
    live.connect("a");
    assert_eq!(events(&mut live, "a")[0].1["FirmwareUpdated"], "true");
    let (_, boot) = boot_after(live);
    assert_eq!(boot["FirmwareUpdated"], "false");
}

/// What the next Boot! tells is kept, and so has a bound.
#[test]
fn the_reason_of_a_reboot_is_of_a_bearable_length() {
    let mut live = booting();
    let most = "x".repeat(crate::limits::BOOT_TEXT_BYTES_MAX);
    for more in ["y", "yy"] {
        let long = format!("{most}{more}");
        for (key, reason) in [(&*long, "r"), ("k", &*long)] {
            let reboot = operation("Device.Reboot()", key, &[("Reason", reason)]);
            let results = operate(&mut live, "a", reboot);
            let Some(OperationOutcome::CmdFailure(failure)) = &results[0].operation_resp else {
                panic!("{results:?}")
            };
            assert_eq!(failure.err_code, 7005);
        }
    }
    let reboot = operation("Device.Reboot()", &most, &[("Reason", &most)]);
    operate(&mut live, "a", reboot);
    live.wait(Duration::from_millis(100));
    assert_eq!(live.restarts, [RestartAction::Reboot]);
}

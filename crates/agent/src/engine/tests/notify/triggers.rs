//! What Subscriptions set.

use super::super::delete;
use super::*;
use crate::Notice;
use crate::limits::TRIGGER_TARGETS_MAX;

const CODE: &str = "Device.LocalAgent.Controller.1.ControllerCode";

fn untriggered(live: &LiveAgent) -> Vec<&str> {
    let reasons = live.notices.iter().filter_map(|notice| match notice {
        Notice::NotTriggered { reason, .. } => Some(&**reason),
        _ => None,
    });
    reasons.collect()
}

/// Proves: R-NOT.0, TP-469 1.93
#[test]
fn a_subscription_may_set_instead_of_telling() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let values = [
        ("ID", "notify93"),
        ("TriggerAction", "Config"),
        ("NotifRetry", "true"),
    ];
    let row = subscribe_to_code(&mut live, "a", &values);
    let off = format!("{row}Enable=false");
    live.response("a", set(&row, &[("TriggerConfigSettings", &off)]));
    provision(&mut live, "a", "TestValue93");
    assert_eq!(live.value("a", &format!("{row}Enable")), "false");
    assert_eq!(notified(&mut live, "a"), []);
}

/// Proves: R-NOT.0, TP-469 1.94
#[test]
fn a_subscription_may_set_and_tell() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let values = [("ID", "notify94"), ("TriggerAction", "NotifyAndConfig")];
    let row = subscribe_to_code(&mut live, "a", &values);
    let off = format!("{row}Enable=false,{CODE}=\"a%2C b\"");
    live.response("a", set(&row, &[("TriggerConfigSettings", &off)]));
    provision(&mut live, "a", "TestValue94");
    assert_eq!(
        told(&mut live, "a"),
        [format!("notify94: {CODE_1}=TestValue94")]
    );
    assert_eq!(live.value("a", &format!("{row}Enable")), "false");
    assert_eq!(live.value("a", CODE), "a, b");
    assert_eq!(untriggered(&live), [""; 0]);
}

/// An entry that cannot be set leaves the others alone, and the log says why.
#[test]
fn what_cannot_be_set_is_told_to_the_log() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let settings = format!(
        "Device.LocalAgent.Controller.9.ControllerCode=x,{CODE}=set,Device.LocalAgent.EndpointID=x,\
         Device.LocalAgent.Controller.1.Enable=perhaps"
    );
    let values = [
        ("TriggerAction", "Config"),
        ("TriggerConfigSettings", &settings),
    ];
    subscribe_to_code(&mut live, "a", &values);
    provision(&mut live, "a", "now");
    assert_eq!(live.value("a", CODE), "set");
    assert_eq!(untriggered(&live).len(), 3, "{:?}", untriggered(&live));
}

/// Two Subscriptions that undo each other's work come to an end.
#[test]
fn an_endless_row_of_triggers_ends() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    for value in ["on", "off"] {
        let settings = format!("{CODE_1}={value}");
        let values = [
            ("ID", value),
            ("TriggerAction", "Config"),
            ("TriggerConfigSettings", &*settings),
        ];
        subscribe_to_code(&mut live, "a", &values);
    }
    provision(&mut live, "a", "start");
    let reasons = untriggered(&live);
    assert!(!reasons.is_empty());
    assert!(
        reasons.iter().all(|reason| reason.contains("in a row")),
        "{reasons:?}"
    );
}

/// Eight Subscriptions may trigger each other in a row, the ninth may not.
#[test]
fn eight_triggers_in_a_row_are_the_most() {
    let names: Vec<String> = (1..=10).map(|number| format!("c{number}")).collect();
    let scene = names
        .iter()
        .fold(Scene::new(), |scene, name| scene.controller(name));
    let mut live = scene.agent();
    live.connect("c1");
    let code = |number| format!("Device.LocalAgent.Controller.{number}.ProvisioningCode");
    for number in 1..=9 {
        let values = [
            ("NotifType", "ValueChange"),
            ("ReferenceList", &*code(number)),
            ("TriggerAction", "Config"),
            ("TriggerConfigSettings", &*format!("{}=x", code(number + 1))),
        ];
        subscribe(&mut live, "c1", &values);
    }
    provision(&mut live, "c1", "x");
    assert_eq!(live.value("c1", &code(9)), "x");
    assert_eq!(live.value("c1", &code(10)), "");
    assert_eq!(
        untriggered(&live),
        ["8 Subscriptions have triggered each other in a row"]
    );
}

/// What makes no sense is refused when it is set.
#[test]
fn settings_are_pairs_of_parameters_and_values() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[]);
    for settings in ["nonsense", "Device.LocalAgent.=x", "=x", "Device..x=1"] {
        let error = live.error("a", set(&row, &[("TriggerConfigSettings", settings)]));
        let refusal = &error.param_errs[0];
        assert_eq!(refusal.err_code, 7012, "{settings}: {error:?}");
        assert!(
            refusal.err_msg.contains(&format!("\"{settings}\"")),
            "{error:?}"
        );
    }
    let search = "Device.LocalAgent.Controller.[EndpointID==\"self::a\"].ControllerCode=by key";
    live.response(
        "a",
        set(
            &row,
            &[
                ("TriggerConfigSettings", search),
                ("TriggerAction", "Config"),
            ],
        ),
    );
    provision(&mut live, "a", "now");
    assert_eq!(live.value("a", CODE), "by key");
    live.response("a", delete(&row));
}

/// A ReferenceList is given once, and has to fit the NotifType.
///
/// Proves: R-NOT.0
#[test]
fn a_reference_list_is_given_once_and_fits() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe(
        &mut live,
        "a",
        &[("ID", "later"), ("NotifType", "ValueChange")],
    );
    live.response("a", set(&row, &[("ReferenceList", CODE_1)]));
    live.response("a", set(&row, &[("ReferenceList", CODE_1)]));
    let error = live.error("a", set(&row, &[("ReferenceList", CODE)]));
    assert_eq!(error.param_errs[0].err_code, 7013, "{error:?}");
    for (kind, references) in [
        ("ValueChange", "Device.LocalAgent.Controller.1.Nonsense"),
        ("ValueChange", "Device.LocalAgent.Periodic()"),
        ("ValueChange", "Device.LocalAgent.Controller.{i}.Enable"),
        (
            "ValueChange",
            "Device.LocalAgent.Controller.[Nonsense==1].Enable",
        ),
        (
            "ValueChange",
            "Device.LocalAgent.Controller.[Enable>true].Enable",
        ),
        ("ObjectCreation", "Device.LocalAgent."),
        ("ObjectDeletion", CODE_1),
        ("OperationComplete", CODE_1),
        ("Event", CODE_1),
        ("Event", "not a path!!"),
    ] {
        let values = [("NotifType", kind), ("ReferenceList", references)];
        let error = live.error("a", add(SUBSCRIPTIONS, &values));
        assert_eq!(
            error.param_errs[0].err_code, 7012,
            "{kind} {references}: {error:?}"
        );
        let turned = [("ReferenceList", references), ("NotifType", kind)];
        live.error("a", add(SUBSCRIPTIONS, &turned));
    }
}

/// The ID belongs to a unique key that is not functional: given or made, it stays.
///
/// Proves: R-KEY.1, TP-469 1.96
#[test]
fn an_id_is_given_once() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let given = subscribe(&mut live, "a", &[("ID", "add96")]);
    let made = subscribe(&mut live, "a", &[]);
    for row in [given, made] {
        let path = format!("{row}ID");
        let id = live.value("a", &path);
        live.response("a", set(&row, &[("ID", &id)]));
        let error = live.error("a", set(&row, &[("ID", "add96-NEW")]));
        assert_eq!(error.param_errs[0].err_code, 7013, "{error:?}");
        assert_eq!(live.value("a", &path), id);
    }
}

/// A ReferenceList has 64 entries at the most.
#[test]
fn a_reference_list_is_bounded() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    for (count, is_taken) in [(64, true), (65, false)] {
        let paths =
            (1..=count).map(|number| format!("Device.LocalAgent.Controller.{number}.Enable"));
        let paths = paths.collect::<Vec<_>>().join(",");
        let values = [("NotifType", "ValueChange"), ("ReferenceList", &*paths)];
        if is_taken {
            subscribe(&mut live, "a", &values);
            continue;
        }
        let error = live.error("a", add(SUBSCRIPTIONS, &values));
        let [failed] = &error.param_errs[..] else {
            panic!("{error:?}")
        };
        assert_eq!(failed.err_code, 7012);
        assert!(failed.err_msg.contains("at most 64"), "{failed:?}");
    }
}

/// One entry sets so many objects and no more.
#[test]
fn a_trigger_sets_a_thousand_objects_at_most() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let table = "Device.LocalAgent.Controller.1.BootParameter.";
    let settings = format!("{table}*.Enable=true");
    let values = [
        ("TriggerAction", "Config"),
        ("TriggerConfigSettings", &*settings),
    ];
    subscribe_to_code(&mut live, "a", &values);
    let mut rows = 0;
    let mut grow = |live: &mut LiveAgent, number: usize| {
        let mut all = add(table, &[]);
        all.create_objs.clear();
        for _ in 0..number {
            rows += 1;
            let one = add(table, &[("ParameterName", &format!("Device.X_{rows}"))]);
            all.create_objs.extend(one.create_objs);
        }
        live.response("a", all);
        provision(live, "a", &rows.to_string());
        live.value("a", &format!("{table}{rows}.Enable"))
    };
    assert_eq!(grow(&mut live, TRIGGER_TARGETS_MAX), "true");
    for _ in 0..2 {
        assert_eq!(grow(&mut live, 1), "false");
    }
    assert!(untriggered(&live)[1].contains("too many objects"));
}

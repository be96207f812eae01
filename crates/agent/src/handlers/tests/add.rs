//! Add.

use super::device::{CONTROLLERS, SUBSCRIPTIONS};
use super::requests::{Reading, Writing, add, get, pairs, set};
use super::scene::Scene;

/// Required values are set, keys that were left out are assigned, and the one who adds is the recipient.
///
/// Proves: R-ADD.5, R-MSG.3, TP-469 1.1, TP-469 1.2
#[test]
fn an_object_is_added_with_its_values_and_keys() {
    let mut scene = Scene::new();
    for request in [add(SUBSCRIPTIONS), add(SUBSCRIPTIONS).partial()] {
        let request = request
            .required("NotifType", "ValueChange")
            .required("Enable", "1");
        let answer = scene.ask(request).added().remove(0).unwrap();
        assert_eq!(answer.param_errs, []);
        let row = answer.instantiated_path;
        let number = row.trim_end_matches('.').rsplit_once('.').unwrap().1;
        let assigned = format!("cpe-{number}");
        let keys = [
            ("Alias", &*assigned),
            ("ID", &assigned),
            ("Recipient", "Device.LocalAgent.Controller.1"),
        ];
        assert_eq!(pairs(&answer.unique_keys), keys);
        assert_eq!(scene.value(&format!("{row}NotifType")), "ValueChange");
        assert_eq!(scene.value(&format!("{row}Enable")), "true");
    }
}

/// One failing required parameter leaves nothing behind.
///
/// Proves: R-ADD.1, R-ADD.3, TP-469 1.3, TP-469 1.7
#[test]
fn add_is_all_or_nothing_when_a_required_parameter_fails() {
    let mut scene = Scene::new();
    let before = scene.kept();
    let request = add(SUBSCRIPTIONS)
        .required("ID", "good")
        .and(SUBSCRIPTIONS)
        .required("NotifType", "Nonsense");
    let (code, errors) = scene.ask(request).error();
    assert_eq!(code, 7012);
    assert_eq!(
        errors,
        [(
            "Device.LocalAgent.Subscription.{i}.NotifType".to_owned(),
            7012
        )]
    );
    assert_eq!(scene.rows(SUBSCRIPTIONS), [""; 0]);
    assert_eq!(scene.kept(), before);
}

/// An object that is not supported fails the whole, and is named.
///
/// Proves: R-ADD.1, TP-469 1.4, TP-469 1.6
#[test]
fn one_unsupported_object_fails_its_siblings() {
    let mut scene = Scene::new();
    let invalid = "Device.LocalAgent.InvalidObject.";
    for request in [add(invalid), add(SUBSCRIPTIONS).and(invalid)] {
        let (code, errors) = scene.ask(request).error();
        assert_eq!(code, 7026);
        assert_eq!(errors, [(invalid.to_owned(), 7026)]);
        assert_eq!(scene.rows(SUBSCRIPTIONS), [""; 0]);
    }
}

/// With allow_partial every object stands for itself.
///
/// Proves: R-ADD.0, TP-469 1.8, TP-469 1.9
#[test]
fn partial_add_makes_what_it_can() {
    let mut scene = Scene::new();
    let request = add(SUBSCRIPTIONS)
        .required("ID", "good")
        .and(SUBSCRIPTIONS)
        .required("Enable", "perhaps")
        .and("Device.LocalAgent.Nothing.")
        .and(SUBSCRIPTIONS)
        .required("ID", "behind")
        .partial();
    let outcomes = scene.ask(request).added();
    assert_eq!(
        outcomes[0].as_ref().unwrap().instantiated_path,
        "Device.LocalAgent.Subscription.1."
    );
    assert_eq!(outcomes[1].as_ref().unwrap_err().err_code, 7011);
    assert!(outcomes[1].as_ref().unwrap_err().err_msg.contains("Enable"));
    assert_eq!(outcomes[2].as_ref().unwrap_err().err_code, 7026);
    assert!(outcomes[3].is_ok(), "{outcomes:?}");
    assert_eq!(
        scene.rows(SUBSCRIPTIONS),
        [
            "Device.LocalAgent.Subscription.1.",
            "Device.LocalAgent.Subscription.2."
        ]
    );
}

/// Two good objects in one request.
///
/// Proves: TP-469 1.5, TP-469 1.81
#[test]
fn two_objects_get_keys_that_differ() {
    let mut scene = Scene::new();
    let outcomes = scene.ask(add(SUBSCRIPTIONS).and(SUBSCRIPTIONS)).added();
    let [Ok(first), Ok(second)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    for key in ["Alias", "ID"] {
        assert_ne!(first.unique_keys[key], second.unique_keys[key]);
    }
    assert_eq!(
        first.unique_keys["Recipient"],
        second.unique_keys["Recipient"]
    );
}

/// What was not required and failed is told; the rest of the object stands.
///
/// Proves: R-ADD.4
#[test]
fn a_failed_optional_parameter_is_listed() {
    let mut scene = Scene::new();
    let request = add(SUBSCRIPTIONS)
        .with("NotifType", "Nonsense")
        .with("Nothing", "1")
        .with("NotifExpiration", "many")
        .required("NotifRetry", "true");
    let success = scene.ask(request).added().remove(0).unwrap();
    let errors: Vec<(&str, u32)> = success
        .param_errs
        .iter()
        .map(|error| (&*error.param, error.err_code))
        .collect();
    assert_eq!(
        errors,
        [
            ("NotifType", 7012),
            ("Nothing", 7010),
            ("NotifExpiration", 7011)
        ]
    );
    let retry = format!("{}NotifRetry", success.instantiated_path);
    assert_eq!(scene.value(&retry), "true");
}

/// A unique key counts as required whatever the flag says.
///
/// Proves: R-ADD.3, TP-469 1.88
#[test]
fn a_unique_key_that_is_given_is_required() {
    let mut scene = Scene::new();
    let request = add(SUBSCRIPTIONS).with("Alias", "88InvalidAlias");
    let (code, errors) = scene.ask(request).error();
    assert_eq!((code, errors.len()), (7012, 1));
    assert_eq!(scene.rows(SUBSCRIPTIONS), [""; 0]);
}

/// No two rows have the same unique key, compound ones included.
///
/// Proves: R-ADD.1, R-KEY.2
#[test]
fn a_unique_key_that_is_taken_fails_the_object() {
    let mut scene = Scene::new();
    scene.done(
        add(SUBSCRIPTIONS)
            .required("ID", "one")
            .required("Alias", "first"),
    );
    let request = add(SUBSCRIPTIONS).required("ID", "one");
    assert_eq!(scene.ask(request.clone()).error().0, 7025);
    let failure = scene.ask(request.partial()).added().remove(0).unwrap_err();
    assert_eq!(failure.err_code, 7025);
    assert_eq!(
        scene
            .ask(add(SUBSCRIPTIONS).required("Alias", "first"))
            .error()
            .0,
        7025
    );
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 1);
}

/// The parent may be named by a unique key; the answer has numbers.
///
/// Proves: R-MSG.3, TP-469 1.10
#[test]
fn a_parent_may_be_addressed_by_its_key() {
    let mut scene = Scene::new();
    let path = r#"Device.LocalAgent.Controller.[EndpointID=="proto::operator"].BootParameter."#;
    let success = scene
        .ask(add(path).required("ParameterName", "Device.X"))
        .added()
        .remove(0)
        .unwrap();
    assert_eq!(
        success.instantiated_path,
        "Device.LocalAgent.Controller.1.BootParameter.1."
    );
    assert_eq!(
        pairs(&success.unique_keys),
        [("Alias", "cpe-1"), ("ParameterName", "Device.X")]
    );
}

/// A search adds one row below each match, and none below no match.
///
/// Proves: R-MSG.4a, R-ADD.0, R-ARC.10, TP-469 1.95
#[test]
fn a_search_path_adds_below_every_match() {
    let mut scene = Scene::new();
    scene.done(add(CONTROLLERS).with("EndpointID", "other"));
    let outcomes = scene
        .ask(add("Device.LocalAgent.Controller.*.BootParameter"))
        .added();
    let paths: Vec<&str> = outcomes
        .iter()
        .map(|outcome| &*outcome.as_ref().unwrap().instantiated_path)
        .collect();
    assert_eq!(
        paths,
        [
            "Device.LocalAgent.Controller.1.BootParameter.1.",
            "Device.LocalAgent.Controller.2.BootParameter.1."
        ]
    );
    let nobody = r#"Device.LocalAgent.Controller.[EndpointID=="nobody"].BootParameter."#;
    let empty = scene.ask(add(nobody)).added();
    assert_eq!(empty, [Ok(Default::default())]);
}

/// Where one match of a search fails, nothing changes without allow_partial.
///
/// Proves: R-ADD.2a
#[test]
fn a_failure_at_one_match_of_a_search_takes_all_back() {
    let mut scene = Scene::new();
    scene.done(add(CONTROLLERS).with("EndpointID", "other"));
    scene.done(add("Device.LocalAgent.Controller.2.BootParameter.").with("ParameterName", "taken"));
    let request =
        add("Device.LocalAgent.Controller.*.BootParameter.").required("ParameterName", "taken");
    let (code, errors) = scene.ask(request.clone()).error();
    assert_eq!(code, 7025);
    assert_eq!(
        errors,
        [(
            "Device.LocalAgent.Controller.2.BootParameter.".to_owned(),
            7025
        )]
    );
    assert_eq!(
        scene.rows("Device.LocalAgent.Controller.1.BootParameter."),
        [""; 0]
    );
    let outcomes = scene.ask(request.partial()).added();
    assert!(outcomes[0].is_ok() && outcomes[1].is_err());
}

/// Only tables take rows, and only those that are declared so.
#[test]
fn what_cannot_be_added_to_says_why() {
    let mut scene = Scene::new();
    for (path, code) in [
        ("Device.Slot.", 7019),
        ("Device.LocalAgent.", 7018),
        ("Device.LocalAgent.Controller.1.", 7018),
        ("Device.LocalAgent.Controller.9.BootParameter.", 7016),
        ("Device.LocalAgent.EndpointID", 7026),
        ("Device.LocalAgent..", 7008),
        ("Device.LocalAgent.Controller.{i}.BootParameter.", 7008),
        ("", 7008),
    ] {
        assert_eq!(scene.ask(add(path)).error().0, code, "{path}");
    }
}

/// Parameters of single objects below the row can be given with it.
#[test]
fn values_of_objects_below_are_given_with_the_row() {
    let mut scene = Scene::new();
    let row = scene.done(add("Device.Link.").required("Stats.Interval", "20"));
    assert_eq!(scene.value(&format!("{row}Stats.Interval")), "20");
    assert_eq!(
        scene
            .ask(add("Device.Link.").required("Stats.Sent", "1"))
            .error()
            .0,
        7013
    );
}

/// A reference is written by key and read by number; a strong one has to exist, a weak one does not.
///
/// Proves: R-ARC.11, R-ARC.12
#[test]
fn references_are_checked_and_kept_by_number() {
    let mut scene = Scene::new();
    scene.done(add("Device.Link.").with("Name", "wan"));
    let row = scene.done(
        add("Device.Link.")
            .required("Upper", r#"Device.Link.[Name=="wan"]."#)
            .required("Lower", r#"Device.Link.[Name=="wan"].,Device.Link.1"#)
            .required("Hint", "Device.Link.77."),
    );
    assert_eq!(scene.value(&format!("{row}Upper")), "Device.Link.1");
    assert_eq!(
        scene.value(&format!("{row}Lower")),
        "Device.Link.1,Device.Link.1"
    );
    assert_eq!(scene.value(&format!("{row}Hint")), "Device.Link.77");
    for dangling in ["Device.Link.77.", "Device.LocalAgent.", "nonsense"] {
        assert_eq!(
            scene
                .ask(add("Device.Link.").required("Upper", dangling))
                .error()
                .0,
            7012
        );
    }
}

/// Numbers outlive a restart and are not used again.
///
/// Proves: R-ARC.8
#[test]
fn instance_numbers_survive_a_restart_and_are_not_reused() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.done(add("Device.Link."));
    }
    scene
        .ask(super::requests::delete(&[
            "Device.Link.1.",
            "Device.Link.3.",
        ]))
        .deleted();
    let mut scene = scene.restarted();
    assert_eq!(scene.rows("Device.Link."), ["Device.Link.2."]);
    assert_eq!(scene.done(add("Device.Link.")), "Device.Link.4.");
    assert_eq!(scene.value("Device.Link.2.Name"), "cpe-2");
    let renumbered = scene.ask(set("Device.Link.2.").required("2", "9")).error();
    assert_eq!(renumbered.0, 7021);
    assert_eq!(scene.ask(get(&["Device.Link.9."])).values(), [Err(7026)]);
}

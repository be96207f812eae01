//! Set.

use super::device::{CONTROLLERS, SUBSCRIPTIONS};
use super::requests::{Reading, Writing, add, pairs, set};
use super::scene::Scene;

const FIRST: &str = "Device.LocalAgent.Subscription.1.";
const SECOND: &str = "Device.LocalAgent.Subscription.2.";

fn with_subscriptions() -> Scene {
    let mut scene = Scene::new();
    scene.done(
        add(SUBSCRIPTIONS)
            .required("ID", "one")
            .required("Alias", "a-1"),
    );
    scene.done(
        add(SUBSCRIPTIONS)
            .required("ID", "two")
            .required("Alias", "a-2"),
    );
    scene
}

/// The path with the instance number and the new value come back, whichever way the object was named.
///
/// Proves: R-MSG.3, TP-469 1.11, TP-469 1.12, TP-469 1.18
#[test]
fn a_value_is_set_and_told() {
    let mut scene = with_subscriptions();
    let by_key = r#"Device.LocalAgent.Subscription.[Alias=="a-1"]."#;
    for path in [FIRST, "Device.LocalAgent.Subscription.1", by_key] {
        for request in [set(path), set(path).partial()] {
            let answer = scene.ask(request.required("NotifExpiration", "+007"));
            let success = answer.updated().remove(0).unwrap();
            let [result] = &success.updated_inst_results[..] else {
                panic!("{success:?}")
            };
            assert_eq!(result.affected_path, FIRST);
            assert_eq!(pairs(&result.updated_params), [("NotifExpiration", "7")]);
            assert_eq!(result.param_errs, []);
        }
    }
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.1.NotifExpiration"),
        "7"
    );
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.2.NotifExpiration"),
        "0"
    );
}

/// The value that was there already is told too.
///
/// Proves: R-SET.3
#[test]
fn the_same_value_is_still_listed() {
    let mut scene = with_subscriptions();
    for _ in 0..2 {
        let answer = scene.ask(set(FIRST).required("NotifRetry", "true"));
        let success = answer.updated().remove(0).unwrap();
        let told = &success.updated_inst_results[0].updated_params;
        assert_eq!(pairs(told), [("NotifRetry", "true")]);
    }
}

/// One failing object takes all others back.
///
/// Proves: R-SET.1, R-SET.2, TP-469 1.13, TP-469 1.14, TP-469 1.15
#[test]
fn set_is_all_or_nothing_without_allow_partial() {
    let mut scene = with_subscriptions();
    let good = set(FIRST)
        .required("NotifRetry", "true")
        .and(SECOND)
        .required("NotifRetry", "true");
    assert_eq!(scene.ask(good).updated().len(), 2);
    let before = scene.kept();
    let request = set(FIRST)
        .required("NotifRetry", "false")
        .and(SECOND)
        .required("InvalidParameter", "1");
    let (code, errors) = scene.ask(request).error();
    assert_eq!(code, 7021);
    assert_eq!(
        errors,
        [(
            "Device.LocalAgent.Subscription.2.InvalidParameter".to_owned(),
            7010
        )]
    );
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.1.NotifRetry"),
        "true"
    );
    assert_eq!(scene.kept(), before);
}

/// With allow_partial the good object is updated and the other says what failed.
///
/// Proves: R-SET.0, TP-469 1.16
#[test]
fn partial_set_updates_what_it_can() {
    let mut scene = with_subscriptions();
    let request = set(FIRST)
        .required("NotifRetry", "true")
        .and(SECOND)
        .required("NotifRetry", "true")
        .required("InvalidParameter", "1")
        .partial();
    let outcomes = scene.ask(request).updated();
    let told = &outcomes[0].as_ref().unwrap().updated_inst_results;
    assert_eq!(pairs(&told[0].updated_params), [("NotifRetry", "true")]);
    let failure = outcomes[1].as_ref().unwrap_err();
    assert_eq!(failure.err_code, 7021);
    let [instance] = &failure.updated_inst_failures[..] else {
        panic!("{failure:?}")
    };
    assert_eq!(instance.affected_path, SECOND);
    let [error] = &instance.param_errs[..] else {
        panic!("{instance:?}")
    };
    assert_eq!((&*error.param, error.err_code), ("InvalidParameter", 7010));
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.2.NotifRetry"),
        "false"
    );
    // What comes behind a failure is updated as well.
    let request = set(SECOND)
        .required("InvalidParameter", "1")
        .and(FIRST)
        .required("NotifExpiration", "7")
        .partial();
    let outcomes = scene.ask(request).updated();
    assert!(outcomes[0].is_err() && outcomes[1].is_ok(), "{outcomes:?}");
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.1.NotifExpiration"),
        "7"
    );
}

/// A parameter that was not required may fail by itself.
///
/// Proves: TP-469 1.17
#[test]
fn a_failed_optional_parameter_is_told_beside_the_others() {
    let mut scene = with_subscriptions();
    let request = set(FIRST)
        .required("NotifRetry", "true")
        .with("InvalidParameter", "1")
        .partial();
    let success = scene.ask(request).updated().remove(0).unwrap();
    let [result] = &success.updated_inst_results[..] else {
        panic!("{success:?}")
    };
    assert_eq!(pairs(&result.updated_params), [("NotifRetry", "true")]);
    let [error] = &result.param_errs[..] else {
        panic!("{result:?}")
    };
    assert_eq!((&*error.param, error.err_code), ("InvalidParameter", 7010));
}

/// Every match of a wildcard or expression is updated.
///
/// Proves: R-ARC.9, R-ARC.10, TP-469 1.19, TP-469 1.22
#[test]
fn a_search_path_updates_every_match() {
    let mut scene = with_subscriptions();
    let request = set("Device.LocalAgent.Subscription.*.").required("NotifRetry", "true");
    let success = scene.ask(request).updated().remove(0).unwrap();
    let paths: Vec<&str> = success
        .updated_inst_results
        .iter()
        .map(|result| &*result.affected_path)
        .collect();
    assert_eq!(paths, [FIRST, SECOND]);
    let request = set(r#"Device.LocalAgent.Subscription.[ID=="two"]."#).required("NotifRetry", "0");
    let success = scene.ask(request).updated().remove(0).unwrap();
    assert_eq!(success.updated_inst_results.len(), 1);
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.1.NotifRetry"),
        "true"
    );
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.2.NotifRetry"),
        "false"
    );
}

/// A search path is all or nothing even with allow_partial; other paths are not touched by that.
///
/// Proves: R-SET.2a, TP-469 1.20, TP-469 1.21
#[test]
fn a_search_path_is_all_or_nothing_whatever_the_flag() {
    let mut scene = with_subscriptions();
    scene.done(add("Device.Link.").with("Name", "one"));
    scene.done(add("Device.Link.").with("Name", "two"));
    // The new name fits the first match alone.
    let everyone = set("Device.Link.*.")
        .required("Name", "three")
        .required("Level", "5");
    let (code, errors) = scene.ask(everyone.clone()).error();
    assert_eq!(code, 7025);
    assert!(
        errors.contains(&("Device.Link.2.Name".to_owned(), 7025)),
        "{errors:?}"
    );
    let request = everyone.and(FIRST).required("NotifRetry", "true").partial();
    let outcomes = scene.ask(request).updated();
    let failure = outcomes[0].as_ref().unwrap_err();
    assert!(!failure.updated_inst_failures.is_empty());
    assert!(outcomes[1].is_ok());
    assert_eq!(scene.value("Device.Link.1.Name"), "one");
    assert_eq!(scene.value("Device.Link.1.Level"), "0");
    assert_eq!(
        scene.value("Device.LocalAgent.Subscription.1.NotifRetry"),
        "true"
    );

    let wrong = set("Device.LocalAgent.Subscription.*.").required("Enable", "InvalidValue");
    assert_eq!(scene.ask(wrong.clone()).error().0, 7021);
    let failure = scene.ask(wrong.partial()).updated().remove(0).unwrap_err();
    assert_eq!(failure.updated_inst_failures.len(), 2);
    assert_eq!(
        failure.updated_inst_failures[0].param_errs[0].err_code,
        7011
    );
}

/// One object that cannot be updated takes back what the others of its path were given, wherever it stands.
///
/// Proves: R-SET.2a
#[test]
fn no_object_of_a_path_keeps_what_another_was_refused() {
    let (first, second) = ("Device.Link.1.", "Device.Link.2.");
    for (allowed, refused) in [(first, second), (second, first)] {
        let mut scene = Scene::new().guest(
            "guest",
            &[
                ("Device.", "r--- r--- r--- ----", 1),
                (allowed, "rw-- r--- r--- ----", 2),
            ],
        );
        scene.done(add("Device.Link."));
        scene.done(add("Device.Link."));
        let request = set("Device.Link.*.").required("Level", "5");
        let (code, errors) = scene.ask_as("guest", request.clone()).error();
        assert_eq!(code, 7006);
        assert_eq!(errors, [(format!("{refused}Level"), 7006)]);
        let answer = scene.ask_as("guest", request.partial());
        let failure = answer.updated().remove(0).unwrap_err();
        let told = failure.updated_inst_failures.iter();
        let told: Vec<&str> = told.map(|it| &*it.affected_path).collect();
        assert_eq!(told, [refused]);
        for row in [first, second] {
            assert_eq!(scene.value(&format!("{row}Level")), "0", "{row}");
        }
    }
}

/// No match is an empty success.
///
/// Proves: R-MSG.4a, TP-469 1.23
#[test]
fn a_search_without_a_match_is_an_empty_success() {
    let mut scene = with_subscriptions();
    let request =
        set(r#"Device.LocalAgent.Subscription.[ID=="none"]."#).required("NotifRetry", "1");
    assert_eq!(scene.ask(request).updated(), [Ok(Default::default())]);
}

/// Keys that are not functional never change, whoever asks and however.
///
/// Proves: R-KEY.1, TP-469 1.96, TP-469 1.104
#[test]
fn what_can_be_written_once_is_not_written_again() {
    let mut scene = with_subscriptions();
    for (name, value) in [("Alias", "a-9"), ("ID", "nine"), ("Recipient", "")] {
        let (code, errors) = scene.ask(set(FIRST).required(name, value)).error();
        assert_eq!(code, 7021);
        assert_eq!(errors, [(format!("{FIRST}{name}"), 7013)]);
    }
    assert_eq!(scene.value("Device.LocalAgent.Subscription.1.Alias"), "a-1");
    assert_eq!(scene.value("Device.LocalAgent.Subscription.1.ID"), "one");
}

/// Functional keys change, but never to one that is taken; two rows may swap theirs in one request.
///
/// Proves: R-KEY.2
#[test]
fn functional_keys_stay_unique_after_the_whole_request() {
    let mut scene = Scene::new();
    let first = scene.done(add("Device.Link.").with("Name", "one"));
    let second = scene.done(add("Device.Link.").with("Name", "two"));
    let (code, errors) = scene.ask(set(&first).required("Name", "two")).error();
    assert_eq!(
        (code, &*errors),
        (7025, &[(format!("{first}Name"), 7025)][..])
    );
    let swap = set(&first)
        .required("Name", "two")
        .and(&second)
        .required("Name", "one");
    assert!(scene.ask(swap).updated().iter().all(Result::is_ok));
    assert_eq!(scene.value(&format!("{first}Name")), "two");
    // The second cannot have what the first keeps; the first is not hindered by that.
    let partial = set(&first)
        .required("Level", "3")
        .and(&second)
        .required("Name", "two")
        .partial();
    let outcomes = scene.ask(partial).updated();
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().err_code, 7025);
    assert_eq!(scene.value(&format!("{first}Level")), "3");
    assert_eq!(scene.value(&format!("{second}Name")), "one");
}

/// Each way a value can be wrong has its code.
#[test]
fn a_wrong_value_has_the_code_of_what_is_wrong() {
    let mut scene = with_subscriptions();
    scene.done(add("Device.Link."));
    for (object, name, value, code) in [
        (FIRST, "Enable", "maybe", 7011),
        (FIRST, "NotifExpiration", "-1", 7012),
        (FIRST, "NotifExpiration", "many", 7011),
        (FIRST, "NotifType", "Other", 7012),
        (FIRST, "Nothing", "", 7010),
        (FIRST, "", "", 7010),
        ("Device.LocalAgent.", "EndpointID", "x", 7013),
        ("Device.LocalAgent.", "ControllerTrust.", "x", 7010),
        ("Device.Link.1.", "Stats.Interval", "61", 7012),
        ("Device.Link.1.", "Stats.Nothing", "61", 7010),
        ("Device.Link.1.", "Name", "longer than sixteen", 7012),
        ("Device.Link.1.", "Since", "yesterday", 7011),
    ] {
        let (_, errors) = scene.ask(set(object).required(name, value)).error();
        assert_eq!(errors, [(format!("{object}{name}"), code)]);
    }
}

/// Each way a path can be wrong has its code.
#[test]
fn a_wrong_path_has_the_code_of_what_is_wrong() {
    let mut scene = with_subscriptions();
    for (path, code) in [
        ("Device.LocalAgent.Nothing.", 7026),
        ("Device.LocalAgent.EndpointID", 7026),
        ("Device.LocalAgent.Subscription.9.", 7016),
        (SUBSCRIPTIONS, 7008),
        ("Device.LocalAgent.Subscription.[ID=].", 7008),
        ("Device.LocalAgent.AddCertificate()", 7008),
        ("Service.", 7026),
    ] {
        let request = set(path).required("Enable", "true");
        let (found, errors) = scene.ask(request.clone()).error();
        assert_eq!((found, errors.len()), (code, 1), "{path}");
        let failure = scene
            .ask(request.partial())
            .updated()
            .remove(0)
            .unwrap_err();
        assert_eq!(failure.err_code, code, "{path}");
    }
}

/// A strong reference cannot be set to what is not there; a weak one can.
///
/// Proves: R-ARC.11, R-ARC.12
#[test]
fn references_are_checked_when_they_are_set() {
    let mut scene = Scene::new();
    let link = scene.done(add("Device.Link.").with("Name", "wan"));
    let dangling = set(&link).required("Upper", "Device.Link.9.");
    assert_eq!(scene.ask(dangling).error().1[0].1, 7012);
    let request = set(&link)
        .required("Upper", r#"Device.Link.[Name=="wan"]."#)
        .required("Hint", "Device.Link.9.");
    let success = scene.ask(request).updated().remove(0).unwrap();
    let told = pairs(&success.updated_inst_results[0].updated_params);
    assert_eq!(
        told,
        [("Hint", "Device.Link.9"), ("Upper", "Device.Link.1")]
    );
}

/// The instance number is no parameter and cannot be altered.
///
/// Proves: R-ARC.8
#[test]
fn an_object_keeps_its_number_whatever_is_set() {
    let mut scene = Scene::new();
    scene
        .ask(set("Device.LocalAgent.Controller.1.").required("EndpointID", "proto::renamed"))
        .updated();
    assert_eq!(scene.rows(CONTROLLERS), ["Device.LocalAgent.Controller.1."]);
    let scene = &mut scene.restarted();
    assert_eq!(
        scene.value("Device.LocalAgent.Controller.1.EndpointID"),
        "proto::renamed"
    );
}

/// Of those who want one key the last give way first, and after eight of them all of them do.
#[test]
fn of_those_who_want_one_key_the_first_gets_it() {
    for (number, first_gets_it) in [(2, true), (9, true), (10, false)] {
        let mut scene = Scene::new();
        let row = |number: usize| add("Device.Link.").with("Name", &number.to_string());
        let rows: Vec<String> = (0..number).map(|number| scene.done(row(number))).collect();
        let begun = set(&rows[0]).required("Name", "same");
        let request = rows[1..].iter().fold(begun, |request, row| {
            request.and(row).required("Name", "same")
        });
        let outcomes = scene.ask(request.partial()).updated();
        assert_eq!(outcomes[0].is_ok(), first_gets_it, "{number}");
        assert!(outcomes[1..].iter().all(Result::is_err), "{number}");
    }
}

#[test]
fn who_sets_no_key_is_not_to_blame_for_one_that_is_taken() {
    let mut scene = Scene::new();
    let first = scene.done(add("Device.Link.").with("Name", "one"));
    let second = scene.done(add("Device.Link.").with("Name", "two"));
    let partial = set(&first)
        .required("Name", "two")
        .and(&second)
        .required("Level", "3")
        .partial();
    let outcomes = scene.ask(partial).updated();
    let failure = outcomes[0].as_ref().unwrap_err();
    assert!(
        failure.err_msg.contains(&format!("{first}Name: ")),
        "{failure:?}"
    );
    assert!(outcomes[1].is_ok());
}

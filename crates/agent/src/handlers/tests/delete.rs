//! Delete.

use usphere_proto::msg::DeleteSuccess;

use super::device::SUBSCRIPTIONS;
use super::requests::{Reading, Writing, add, delete, get};
use super::scene::Scene;

const FIRST: &str = "Device.LocalAgent.Subscription.1.";
const SECOND: &str = "Device.LocalAgent.Subscription.2.";

fn with_subscriptions() -> Scene {
    let mut scene = Scene::new();
    scene.done(
        add(SUBSCRIPTIONS)
            .required("ID", "one")
            .required("Enable", "true"),
    );
    scene.done(add(SUBSCRIPTIONS).required("ID", "two"));
    scene
}

fn partial(paths: &[&str]) -> usphere_proto::msg::Delete {
    let mut request = delete(paths);
    request.allow_partial = true;
    request
}

fn affected(paths: &[&str]) -> DeleteSuccess {
    DeleteSuccess {
        affected_paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        unaffected_path_errs: Vec::new(),
    }
}

/// One and two instances, by number, by key and without the dot at the end.
///
/// Proves: R-MSG.3, TP-469 1.24, TP-469 1.27, TP-469 1.33
#[test]
fn instances_are_deleted_and_told_by_number() {
    let by_key = r#"Device.LocalAgent.Subscription.[Alias=="cpe-1"]."#;
    for path in [FIRST, "Device.LocalAgent.Subscription.1", by_key] {
        let mut scene = with_subscriptions();
        assert_eq!(
            scene.ask(delete(&[path])).deleted(),
            [Ok(affected(&[FIRST]))]
        );
        assert_eq!(scene.rows(SUBSCRIPTIONS), [SECOND]);
        assert_eq!(
            scene
                .ask(get(&["Device.LocalAgent.Subscription.1.ID"]))
                .values(),
            [Err(7026)]
        );
    }
    let mut scene = with_subscriptions();
    let outcomes = scene.ask(delete(&[FIRST, SECOND])).deleted();
    assert_eq!(outcomes, [Ok(affected(&[FIRST])), Ok(affected(&[SECOND]))]);
    assert_eq!(scene.rows(SUBSCRIPTIONS), [""; 0]);
}

/// What is not there is gone already, allow_partial or not.
///
/// Proves: R-DEL.2a, R-MSG.4a, TP-469 1.25, TP-469 1.29, TP-469 1.32, TP-469 1.90
#[test]
fn a_valid_path_to_nothing_is_an_empty_success() {
    let mut scene = with_subscriptions();
    let nothing = "Device.LocalAgent.Subscription.9.";
    let unmatched = r#"Device.LocalAgent.Subscription.[ID=="none"]."#;
    let below = "Device.LocalAgent.Controller.9.BootParameter.1.";
    for path in [nothing, unmatched, below] {
        assert_eq!(
            scene.ask(delete(&[path])).deleted(),
            [Ok(affected(&[]))],
            "{path}"
        );
        assert_eq!(
            scene.ask(partial(&[path])).deleted(),
            [Ok(affected(&[]))],
            "{path}"
        );
    }
    let outcomes = scene.ask(partial(&[FIRST, nothing])).deleted();
    assert_eq!(outcomes, [Ok(affected(&[FIRST])), Ok(affected(&[]))]);
}

/// Anything that is no deletable instance fails the whole.
///
/// Proves: R-DEL.1, TP-469 1.26, TP-469 1.28
#[test]
fn delete_is_all_or_nothing_without_allow_partial() {
    let mut scene = with_subscriptions();
    scene.done(add("Device.Spare."));
    let before = scene.kept();
    for (path, code) in [
        ("Device.LocalAgent.InvalidObject.", 7026),
        ("Device.LocalAgent.", 7018),
        ("Device.Slot.1.", 7024),
        ("Device.Spare.1.", 7024),
        (SUBSCRIPTIONS, 7008),
        ("Device.LocalAgent.Subscription.1.ID", 7026),
        ("Device..", 7008),
    ] {
        let (found, errors) = scene.ask(delete(&[FIRST, path])).error();
        assert_eq!(found, code, "{path}");
        assert_eq!(errors.len(), 1, "{path}");
        assert!(
            errors[0].0.starts_with(path) && errors[0].1 == code,
            "{errors:?}"
        );
        assert_eq!(scene.kept(), before, "{path}");
    }
}

/// With allow_partial every entry stands for itself.
///
/// Proves: R-DEL.0, TP-469 1.30, TP-469 1.31
#[test]
fn partial_delete_removes_what_it_can() {
    let mut scene = with_subscriptions();
    let outcomes = scene
        .ask(partial(&["Device.LocalAgent.InvalidObject.", FIRST]))
        .deleted();
    assert_eq!(outcomes[0].as_ref().unwrap_err().err_code, 7026);
    assert_eq!(outcomes[1], Ok(affected(&[FIRST])));
    assert_eq!(scene.rows(SUBSCRIPTIONS), [SECOND]);
}

/// An instance that is there and stays is listed with its reason.
///
/// Proves: R-DEL.3
#[test]
fn matched_instances_that_stay_are_listed() {
    let mut scene = with_subscriptions();
    for path in ["Device.Slot.*.", "Device.Slot.1."] {
        let success = scene.ask(partial(&[path])).deleted().remove(0).unwrap();
        assert_eq!(success.affected_paths, [""; 0]);
        let [error] = &success.unaffected_path_errs[..] else {
            panic!("{success:?}")
        };
        assert_eq!(
            (&*error.unaffected_path, error.err_code),
            ("Device.Slot.1.", 7024)
        );
    }
}

/// A wildcard takes all, an expression what it matches.
///
/// Proves: R-ARC.9, R-ARC.10, TP-469 1.34, TP-469 1.35
#[test]
fn a_search_path_deletes_every_match() {
    let mut scene = with_subscriptions();
    let matching = "Device.LocalAgent.Subscription.[Enable==true]";
    assert_eq!(
        scene.ask(delete(&[matching])).deleted(),
        [Ok(affected(&[FIRST]))]
    );
    let all = "Device.LocalAgent.Subscription.*.";
    assert_eq!(
        scene.ask(delete(&[all])).deleted(),
        [Ok(affected(&[SECOND]))]
    );
    assert_eq!(scene.rows(SUBSCRIPTIONS), [""; 0]);
}

/// What is below goes along; asking for it in the same request is no error.
#[test]
fn what_is_below_an_instance_goes_with_it() {
    let mut scene = Scene::new();
    scene.done(add("Device.LocalAgent.Controller.").with("EndpointID", "other"));
    scene.done(add("Device.LocalAgent.Controller.2.BootParameter."));
    let paths = [
        "Device.LocalAgent.Controller.2.",
        "Device.LocalAgent.Controller.2.BootParameter.1.",
    ];
    let outcomes = scene.ask(delete(&paths)).deleted();
    assert_eq!(outcomes, [Ok(affected(&[paths[0]])), Ok(affected(&[]))]);
    assert!(
        scene.kept().keys().all(|key| !key.starts_with(paths[0])),
        "{:?}",
        scene.kept()
    );
}

/// Strong references to it are emptied or pruned, weak ones stay.
///
/// Proves: R-ARC.12
#[test]
fn strong_references_go_with_what_they_refer_to() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        scene.done(add("Device.Link."));
    }
    scene.done(
        add("Device.Link.")
            .required("Upper", "Device.Link.1.")
            .required("Lower", "Device.Link.1.,Device.Link.2.")
            .required("Hint", "Device.Link.1."),
    );
    scene.ask(delete(&["Device.Link.1."])).deleted();
    assert_eq!(scene.value("Device.Link.3.Upper"), "");
    assert_eq!(scene.value("Device.Link.3.Lower"), "Device.Link.2");
    assert_eq!(scene.value("Device.Link.3.Hint"), "Device.Link.1");
}

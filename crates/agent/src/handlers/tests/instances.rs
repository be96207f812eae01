//! GetInstances.

use usphere_proto::msg::ResponseType;

use super::device::{CONTROLLERS, SUBSCRIPTIONS};
use super::requests::{Reading, Writing, add, instances, pairs};
use super::scene::Scene;
use crate::handlers::Answer;

const BOOT: &str = "Device.LocalAgent.Controller.1.BootParameter.";

fn with_boot_parameters() -> Scene {
    let mut scene = Scene::new();
    scene.done(add(BOOT).with("ParameterName", "Device.X"));
    scene.done(add(CONTROLLERS).with("EndpointID", "other"));
    scene
}

fn paths(scene: &mut Scene, path: &str, first_level_only: bool) -> Result<Vec<String>, u32> {
    let mut request = instances(&[path]);
    request.first_level_only = first_level_only;
    let found = scene.ask(request).instances().remove(0)?;
    Ok(found
        .into_iter()
        .map(|row| row.instantiated_obj_path)
        .collect())
}

/// The rows of the table alone, or with those of every table below.
///
/// Proves: R-MSG.3, TP-469 1.66, TP-469 1.67
#[test]
fn rows_are_listed_with_or_without_those_below() {
    let mut scene = with_boot_parameters();
    let [first, second] = [
        "Device.LocalAgent.Controller.1.",
        "Device.LocalAgent.Controller.2.",
    ];
    let boot = "Device.LocalAgent.Controller.1.BootParameter.1.";
    let mut listed = |path, first_level| paths(&mut scene, path, first_level).unwrap();
    assert_eq!(listed(CONTROLLERS, true), [first, second]);
    assert_eq!(listed(CONTROLLERS, false), [first, boot, second]);
    assert_eq!(listed(first, true), [first]);
    assert_eq!(listed(first, false), [first, boot]);
}

/// Unique keys come with their values.
///
/// Proves: TP-469 1.68
#[test]
fn rows_come_with_their_unique_keys() {
    let mut scene = with_boot_parameters();
    let found = scene.ask(instances(&[BOOT, SUBSCRIPTIONS])).instances();
    let keys = &found[0].as_ref().unwrap()[0].unique_keys;
    assert_eq!(
        pairs(keys),
        [("Alias", "cpe-1"), ("ParameterName", "Device.X")]
    );
    assert_eq!(found[1], Ok(vec![]));
}

/// Wildcards and expressions find rows; none is an empty success.
///
/// Proves: R-MSG.4a, R-ARC.9, R-ARC.10, TP-469 1.70, TP-469 1.71, TP-469 1.83
#[test]
fn searches_find_tables_and_rows() {
    let mut scene = with_boot_parameters();
    let second = "Device.LocalAgent.Controller.2.BootParameter.";
    for (table, name) in [(BOOT, "Device.Y"), (second, "Device.X")] {
        scene.done(add(table).with("ParameterName", name));
    }
    let first = format!("{BOOT}1.");
    let (other, second) = (format!("{BOOT}2."), format!("{second}1."));
    for (path, found) in [
        (
            "Device.LocalAgent.Controller.*.BootParameter.",
            vec![&first, &other, &second],
        ),
        (
            r#"Device.LocalAgent.Controller.[EndpointID=="proto::operator"].BootParameter."#,
            vec![&first, &other],
        ),
        (
            r#"Device.LocalAgent.Controller.*.BootParameter.[ParameterName=="Device.X"]."#,
            vec![&first, &second],
        ),
    ] {
        let listed = paths(&mut scene, path, false).unwrap();
        assert_eq!(listed.iter().collect::<Vec<_>>(), found, "{path}");
    }
    let unmatched = r#"Device.LocalAgent.Controller.[Alias=="none"].BootParameter."#;
    assert_eq!(paths(&mut scene, unmatched, false), Ok(vec![]));
}

/// Each way a path can be wrong has its code.
#[test]
fn what_has_no_instances_says_why() {
    let mut scene = with_boot_parameters();
    for (path, code) in [
        ("Device.LocalAgent.Nothing.", 7026),
        ("Device.LocalAgent.", 7018),
        ("Device.LocalAgent.Controller.9.", 7016),
        ("Device.LocalAgent.Controller.9.BootParameter.", 7016),
        ("Device.LocalAgent.Controller.[", 7008),
    ] {
        assert_eq!(paths(&mut scene, path, true), Err(code), "{path}");
    }
}

/// Rows that somebody else owns are listed like any other.
#[test]
fn rows_of_an_owner_are_listed() {
    let mut scene = Scene::new();
    let found = paths(&mut scene, "Device.Hosts.Host.", true);
    assert_eq!(
        found.unwrap(),
        ["Device.Hosts.Host.1.", "Device.Hosts.Host.2."]
    );
}

/// Who asks wrongly is told what was asked, and what is wrong with it.
#[test]
fn a_failed_result_names_its_path_and_the_reason() {
    let mut scene = Scene::new();
    let answer = scene.ask(instances(&["Device.Nothing."]));
    let Answer::Response(ResponseType::GetInstancesResp(response)) = answer else {
        panic!("{answer:?}")
    };
    let result = &response.req_path_results[0];
    assert_eq!(
        (&*result.requested_path, result.err_code),
        ("Device.Nothing.", 7026)
    );
    assert!(result.err_msg.contains("Nothing"), "{}", result.err_msg);
}

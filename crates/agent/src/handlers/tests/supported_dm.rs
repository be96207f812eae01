//! GetSupportedDM.

use usphere_proto::msg::{
    CmdType, GetSupportedDm, ObjAccessType, ParamAccessType, ParamValueType, SupportedObjectResult,
    ValueChangeType,
};

use super::requests::{Reading, Writing, add, schema};
use super::scene::Scene;

fn objects(scene: &mut Scene, request: GetSupportedDm) -> Vec<SupportedObjectResult> {
    let result = scene.ask(request).supported().remove(0);
    assert_eq!((result.err_code, &*result.err_msg), (0, ""));
    assert!(
        result
            .data_model_inst_uri
            .starts_with("urn:broadband-forum-org:tr-181-2-19")
    );
    result.supported_objs
}

fn paths(objects: &[SupportedObjectResult]) -> Vec<&str> {
    objects
        .iter()
        .map(|object| &*object.supported_obj_path)
        .collect()
}

fn key_sets(object: &SupportedObjectResult) -> Vec<String> {
    object
        .unique_key_sets
        .iter()
        .map(|key| key.key_names.join("+"))
        .collect()
}

/// Everything below the object: rows, parameters with type and access, commands, events and keys.
///
/// Proves: TP-469 1.72, TP-469 1.76, TP-469 1.97, TP-469 1.98, TP-469 1.99
#[test]
fn everything_below_an_object_is_described() {
    let mut scene = Scene::new();
    let agent = objects(&mut scene, schema(&["Device.LocalAgent."]));
    assert_eq!(
        paths(&agent),
        [
            "Device.LocalAgent.",
            "Device.LocalAgent.ControllerTrust.",
            "Device.LocalAgent.ControllerTrust.Role.{i}.",
            "Device.LocalAgent.ControllerTrust.Role.{i}.Permission.{i}.",
            "Device.LocalAgent.Controller.{i}.",
            "Device.LocalAgent.Controller.{i}.BootParameter.{i}.",
            "Device.LocalAgent.Subscription.{i}.",
        ]
    );
    let subscription = &agent[6];
    assert!(subscription.is_multi_instance && !agent[0].is_multi_instance);
    assert_eq!(subscription.access, ObjAccessType::AddDelete as i32);
    assert_eq!(key_sets(subscription), ["Alias", "Recipient+ID"]);
    let parameters: Vec<(&str, i32, i32, i32)> = subscription
        .supported_params
        .iter()
        .map(|param| {
            (
                &*param.param_name,
                param.access,
                param.value_type,
                param.value_change,
            )
        })
        .collect();
    let (read, write) = (
        ParamAccessType::ReadOnly as i32,
        ParamAccessType::ReadWrite as i32,
    );
    let told = ValueChangeType::Allowed as i32;
    let expected = [
        ("Alias", write, ParamValueType::String),
        ("Enable", write, ParamValueType::Boolean),
        ("Recipient", read, ParamValueType::String),
        ("ID", write, ParamValueType::String),
        ("NotifType", write, ParamValueType::String),
        ("NotifRetry", write, ParamValueType::Boolean),
        ("NotifExpiration", write, ParamValueType::UnsignedInt),
    ];
    assert_eq!(
        parameters,
        expected.map(|(name, access, base)| (name, access, base as i32, told))
    );
    let [command] = &agent[0].supported_commands[..] else {
        panic!()
    };
    assert_eq!(command.command_name, "AddCertificate()");
    assert_eq!(command.command_type, CmdType::Async as i32);
    assert_eq!(command.input_arg_names, ["Alias"]);
    let boot = &agent[0].supported_events[1];
    assert_eq!(boot.event_name, "Boot!");
    assert_eq!(boot.arg_names, ["Cause", "Parameter.{i}.Path"]);
    let radio = objects(&mut scene, schema(&["Device.Radio."]));
    let [scan] = &radio[0].supported_commands[..] else {
        panic!()
    };
    assert_eq!(scan.command_type, CmdType::Sync as i32);
    assert_eq!(scan.output_arg_names, ["Status"]);
    let slot = &objects(&mut scene, schema(&["Device.Slot."]))[0];
    assert_eq!(
        (slot.access, slot.is_multi_instance),
        (ObjAccessType::ReadOnly as i32, true)
    );
    let spare = &objects(&mut scene, schema(&["Device.Spare.{i}."]))[0];
    assert_eq!(spare.access, ObjAccessType::AddOnly as i32);
    assert_eq!(objects(&mut scene, schema(&["Device."])).len(), 16);
}

/// Of the children only the paths and unique keys are told.
///
/// Proves: TP-469 1.73, TP-469 1.75
#[test]
fn first_level_only_tells_the_children_by_name() {
    let mut scene = Scene::new();
    let request = GetSupportedDm {
        first_level_only: true,
        ..schema(&["Device.LocalAgent."])
    };
    let found = objects(&mut scene, request);
    assert_eq!(
        paths(&found),
        [
            "Device.LocalAgent.",
            "Device.LocalAgent.ControllerTrust.",
            "Device.LocalAgent.Controller.{i}.",
            "Device.LocalAgent.Subscription.{i}.",
        ]
    );
    assert!(!found[0].supported_params.is_empty() && !found[0].supported_events.is_empty());
    for child in &found[1..] {
        assert!(child.supported_params.is_empty());
        assert!(child.supported_commands.is_empty() && child.supported_events.is_empty());
    }
    assert_eq!(key_sets(&found[3]), ["Alias", "Recipient+ID"]);
}

/// Each flag brings its own, and none brings nothing.
///
/// Proves: TP-469 1.74
#[test]
fn only_what_was_asked_for_is_told() {
    let mut scene = Scene::new();
    let none = GetSupportedDm {
        obj_paths: vec!["Device.".to_owned()],
        ..GetSupportedDm::default()
    };
    let mut counts = |request: GetSupportedDm| {
        let found = objects(&mut scene, request);
        let sum =
            |count: fn(&SupportedObjectResult) -> usize| found.iter().map(count).sum::<usize>();
        [
            sum(|object| object.supported_params.len()) > 0,
            sum(|object| object.supported_commands.len()) > 0,
            sum(|object| object.supported_events.len()) > 0,
            sum(|object| object.unique_key_sets.len()) > 0,
        ]
    };
    assert_eq!(counts(none.clone()), [false; 4]);
    let params = GetSupportedDm {
        return_params: true,
        ..none.clone()
    };
    assert_eq!(counts(params), [true, false, false, false]);
    let commands = GetSupportedDm {
        return_commands: true,
        ..none.clone()
    };
    assert_eq!(counts(commands), [false, true, false, false]);
    let events = GetSupportedDm {
        return_events: true,
        ..none.clone()
    };
    assert_eq!(counts(events), [false, false, true, false]);
    let keys = GetSupportedDm {
        return_unique_key_sets: true,
        ..none
    };
    assert_eq!(counts(keys), [false, false, false, true]);
}

/// Tables may be named with or without the last `{i}`, and by an instance that exists.
#[test]
fn a_table_is_named_in_three_ways() {
    let mut scene = Scene::new();
    scene.done(add("Device.LocalAgent.Controller.1.BootParameter."));
    let boot = "Device.LocalAgent.Controller.{i}.BootParameter.{i}.";
    for path in [
        boot,
        "Device.LocalAgent.Controller.{i}.BootParameter.",
        "Device.LocalAgent.Controller.1.BootParameter.",
        "Device.LocalAgent.Controller.1.BootParameter.1.",
        "Device.LocalAgent.Controller.*.BootParameter.",
    ] {
        let found = objects(&mut scene, schema(&[path]));
        assert_eq!(paths(&found), [boot], "{path}");
        assert_eq!(found[0].supported_params.len(), 3, "{path}");
    }
}

/// What is not supported, not there or not well formed has its code; the others are answered.
///
/// Proves: TP-469 1.77
#[test]
fn an_unsupported_path_has_a_code() {
    let mut scene = Scene::new();
    for (path, code) in [
        ("Device.Nothing.", 7026),
        ("Device.LocalAgent.Nothing", 7026),
        ("Device.LocalAgent.Controller.BootParameter.", 7026),
        ("Device.LocalAgent.Controller.9.", 7016),
        ("Device.LocalAgent.Controller.{i}.BootParameter.1.", 7008),
        ("Device.LocalAgent.{i}.", 7026),
        ("", 7008),
    ] {
        let results = scene.ask(schema(&[path, "Device.Radio."])).supported();
        assert_eq!(
            (results[0].err_code, results[0].supported_objs.len()),
            (code, 0),
            "{path}"
        );
        assert_eq!(results[0].req_obj_path, path);
        assert_eq!(results[1].supported_objs.len(), 1);
    }
}

/// A command, event or parameter is answered alone, whatever the flags say.
///
/// Proves: TP-469 1.105, TP-469 1.106, TP-469 1.107
#[test]
fn a_member_is_answered_alone() {
    let mut scene = Scene::new();
    let mut ask = |path: &str| {
        let bare = GetSupportedDm {
            obj_paths: vec![path.to_owned()],
            ..GetSupportedDm::default()
        };
        let [object] = &objects(&mut scene, bare)[..] else {
            panic!("{path}")
        };
        let mut all = schema(&[path]);
        all.first_level_only = true;
        assert_eq!(
            &objects(&mut scene, all)[..],
            core::slice::from_ref(object),
            "{path}"
        );
        let counts = [
            object.supported_params.len(),
            object.supported_commands.len(),
            object.supported_events.len(),
            object.unique_key_sets.len(),
        ];
        (object.supported_obj_path.clone(), counts)
    };
    let agent = "Device.LocalAgent.".to_owned();
    let row = "Device.LocalAgent.Controller.{i}.".to_owned();
    assert_eq!(
        ask("Device.LocalAgent.AddCertificate()"),
        (agent.clone(), [0, 1, 0, 0])
    );
    assert_eq!(ask("Device.LocalAgent.Boot!"), (agent, [0, 0, 1, 0]));
    assert_eq!(
        ask("Device.LocalAgent.Controller.{i}.Alias"),
        (row.clone(), [1, 0, 0, 0])
    );
    assert_eq!(
        ask("Device.LocalAgent.Controller.1.Alias"),
        (row, [1, 0, 0, 0])
    );
}

/// Where one instance supports more than the others, its path is told and nothing below.
#[test]
fn a_divergent_instance_is_asked_by_its_own_path() {
    let mut scene = Scene::new();
    scene.done(add("Device.Link."));
    scene.done(add("Device.Link."));
    scene.mount("Device.Link.2.Vendor.");
    let found = objects(&mut scene, schema(&["Device.Link."]));
    let [link] = &found[..] else {
        panic!("{:?}", paths(&found))
    };
    assert_eq!(link.divergent_paths, ["Device.Link.2."]);
    assert!(link.is_multi_instance && link.supported_params.is_empty());
    let second = objects(&mut scene, schema(&["Device.Link.2."]));
    assert_eq!(second[0].divergent_paths, [""; 0]);
    assert_eq!(second[0].supported_params.len(), 7);
    assert_eq!(second.len(), 3);
    assert_eq!(second[2].supported_params[0].param_name, "Brand");
    assert_eq!(objects(&mut scene, schema(&["Device.Link.1."])).len(), 2);
}

/// What differs may be further below: in an object of the instance, or in rows of a table of it.
#[test]
fn an_instance_tells_what_differs_below_it() {
    let mut scene = Scene::new();
    let link = scene.done(add("Device.Link."));
    scene.mount(&format!("{link}Stats.Vendor."));
    let found = objects(&mut scene, schema(&[&link]));
    let vendor = format!("{link}Stats.Vendor.");
    assert!(paths(&found).contains(&&*vendor), "{found:?}");
    let table = "Device.LocalAgent.Controller.1.BootParameter.";
    let row = scene.done(add(table).with("ParameterName", "Device.X"));
    scene.mount(&format!("{row}Vendor."));
    for above in [table, "Device.LocalAgent.Controller.1."] {
        let found = objects(&mut scene, schema(&[above]));
        let divergent = found.iter().flat_map(|object| &object.divergent_paths);
        assert_eq!(divergent.collect::<Vec<_>>(), [&row], "{above}");
    }
}

/// Every version is told, whatever the Controller speaks.
///
/// Proves: TP-469 1.80
#[test]
fn the_versions_of_usp_are_told() {
    let mut scene = Scene::new();
    let answer = scene.ask(usphere_proto::msg::GetSupportedProtocol::default());
    let expected = usphere_proto::msg::GetSupportedProtocolResp {
        agent_supported_protocol_versions: "1.0,1.1,1.2,1.3,1.4".to_owned(),
    };
    assert_eq!(answer, expected.into());
}

/// Who asks wrongly is told what was asked, and what is wrong with it.
#[test]
fn a_failed_result_names_its_path_and_the_reason() {
    let mut scene = Scene::new();
    let result = scene
        .ask(schema(&["Device.Nothing."]))
        .supported()
        .remove(0);
    assert_eq!(
        (&*result.req_obj_path, result.err_code),
        ("Device.Nothing.", 7026)
    );
    assert!(result.err_msg.contains("Nothing"), "{}", result.err_msg);
}

/// What a search finds many of is described once.
#[test]
fn rows_that_are_alike_are_described_once() {
    let mut scene = Scene::new();
    for name in ["one", "two"] {
        scene.done(add("Device.Link.").with("Name", name));
    }
    let found = objects(&mut scene, schema(&["Device.Link.[Name!=\"three\"]."]));
    let links = paths(&found).into_iter();
    assert_eq!(links.filter(|path| *path == "Device.Link.{i}.").count(), 1);
}

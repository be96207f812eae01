//! What a Controller may do: roles in the Tree, and what every handler makes of them.

use super::device::{CONTROLLERS, SUBSCRIPTIONS};
use super::requests::{Reading, Writing, add, delete, get, instances, operate, pairs, schema, set};
use super::scene::Scene;

const READER: &str = "r--- r--- r--- r---";
const EVERYTHING: &str = "rwxn rwxn rwxn rwxn";
const NOTHING: &str = "---- ---- ---- ----";

/// Adding needs the right to write the table.
///
/// Proves: R-SEC.1, TP-469 2.10, TP-469 2.11, TP-469 2.12
#[test]
fn adding_needs_the_right() {
    let mut scene = Scene::new()
        .guest("may", &[(SUBSCRIPTIONS, "rw-- -w-- ---- ----", 1)])
        .guest("may not", &[(SUBSCRIPTIONS, "rwxn r-xn rwxn rwxn", 1)]);
    assert!(scene.ask_as("may", add(SUBSCRIPTIONS)).added()[0].is_ok());
    let (code, errors) = scene.ask_as("may not", add(SUBSCRIPTIONS)).error();
    assert_eq!(
        (code, &*errors),
        (7006, &[(SUBSCRIPTIONS.to_owned(), 7006)][..])
    );
    let failure = scene
        .ask_as("may not", add(SUBSCRIPTIONS).partial())
        .added()
        .remove(0);
    assert_eq!(failure.unwrap_err().err_code, 7006);
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 1);
}

/// Deleting needs the right on the instance.
///
/// Proves: R-SEC.1, R-DEL.1, TP-469 2.13, TP-469 2.14
#[test]
fn deleting_needs_the_right() {
    let mut scene = Scene::new()
        .guest("may", &[(SUBSCRIPTIONS, "---- r--- -w-- ----", 1)])
        .guest("may not", &[(SUBSCRIPTIONS, "rwxn rwxn r-xn rwxn", 1)]);
    let row = scene.done(add(SUBSCRIPTIONS));
    let (code, errors) = scene.ask_as("may not", delete(&[&row])).error();
    assert_eq!((code, &*errors), (7006, &[(row.clone(), 7006)][..]));
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 1);
    let success = scene
        .ask_as("may", delete(&[&row]))
        .deleted()
        .remove(0)
        .unwrap();
    assert_eq!(success.affected_paths, [row]);
}

/// Objects that may not be read are not named among those deleted or not deleted.
///
/// Proves: R-DEL.2, R-DEL.3, R-DEL.4
#[test]
fn what_may_not_be_read_is_not_named_when_deleted() {
    let mut scene = Scene::new()
        .guest("blind", &[(SUBSCRIPTIONS, "---- ---- -w-- ----", 1)])
        .guest("idle", &[(SUBSCRIPTIONS, "---- r--- ---- ----", 1)])
        .guest("nobody", &[(SUBSCRIPTIONS, NOTHING, 1)]);
    scene.done(add(SUBSCRIPTIONS));
    scene.done(add(SUBSCRIPTIONS));
    let all = "Device.LocalAgent.Subscription.*.";
    let one = "Device.LocalAgent.Subscription.1.";
    let two = "Device.LocalAgent.Subscription.2.";
    let partial = |path: &str| {
        let mut request = delete(&[path]);
        request.allow_partial = true;
        request
    };
    let success = scene
        .ask_as("idle", partial(all))
        .deleted()
        .remove(0)
        .unwrap();
    let told = success.unaffected_path_errs.iter();
    let told: Vec<_> = told
        .map(|error| (&*error.unaffected_path, error.err_code))
        .collect();
    assert_eq!(told, [(one, 7006), (two, 7006)]);
    assert_eq!(
        scene.ask_as("nobody", partial(all)).deleted(),
        [Ok(Default::default())]
    );
    let failure = scene
        .ask_as("nobody", partial(one))
        .deleted()
        .remove(0)
        .unwrap_err();
    assert_eq!(failure.err_code, 7006);
    let (code, errors) = scene.ask_as("nobody", delete(&[all])).error();
    assert_eq!((code, &*errors), (7006, &[(all.to_owned(), 7006)][..]));
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 2);
    assert_eq!(
        scene.ask_as("blind", delete(&[all])).deleted(),
        [Ok(Default::default())]
    );
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 0);
}

/// Setting needs the right on the parameter, and shows only what may be read.
///
/// Proves: R-SEC.1, R-SET.3, TP-469 2.15, TP-469 2.16
#[test]
fn setting_needs_the_right() {
    let enable = "Device.LocalAgent.Subscription.*.Enable";
    let mut scene = Scene::new()
        .guest("may", &[(SUBSCRIPTIONS, EVERYTHING, 1)])
        .guest("may not", &[(SUBSCRIPTIONS, READER, 1)])
        .guest(
            "blind",
            &[
                (SUBSCRIPTIONS, EVERYTHING, 1),
                (enable, "-w-- ---- ---- ----", 2),
            ],
        );
    let row = scene.done(add(SUBSCRIPTIONS));
    let request = || {
        set(&row)
            .required("Enable", "true")
            .required("NotifRetry", "true")
    };
    let (code, errors) = scene.ask_as("may not", request()).error();
    assert_eq!(code, 7006);
    assert_eq!(
        errors,
        [
            (format!("{row}Enable"), 7006),
            (format!("{row}NotifRetry"), 7006)
        ]
    );
    assert_eq!(scene.value(&format!("{row}Enable")), "false");
    let success = scene.ask_as("may", request()).updated().remove(0).unwrap();
    let told = &success.updated_inst_results[0].updated_params;
    assert_eq!(pairs(told), [("Enable", "true"), ("NotifRetry", "true")]);
    let success = scene
        .ask_as("blind", request())
        .updated()
        .remove(0)
        .unwrap();
    let told = &success.updated_inst_results[0].updated_params;
    assert_eq!(pairs(told), [("NotifRetry", "true")]);
}

/// Running a command needs the right; the refusal is a result.
///
/// Proves: R-SEC.1, R-OPR.1, TP-469 2.17, TP-469 2.18
#[test]
fn running_needs_the_right() {
    let mut scene = Scene::new()
        .guest("may", &[("Device.Radio.Scan()", "---- ---- ---- --x-", 1)])
        .guest("may not", &[("Device.", "rwxn rwxn rwxn rw-n", 1)]);
    let request = || operate("Device.Radio.Scan()", &[("Band", "2")]);
    let results = scene.ask_as("may not", request()).operated();
    assert_eq!(results, [("Device.Radio.Scan()".to_owned(), Err(7006))]);
    assert_eq!(scene.commands, []);
    assert!(scene.ask_as("may", request()).operated()[0].1.is_ok());
    assert_eq!(scene.commands.len(), 1);
}

/// Among permissions of one role that overlap the larger Order wins.
///
/// Proves: TP-469 2.21
#[test]
fn the_larger_order_wins() {
    let boot = "Device.LocalAgent.Controller.1.BootParameter.";
    let mut scene = Scene::new()
        .guest("sees", &[(boot, NOTHING, 1), ("Device.", READER, 2)])
        .guest("does not", &[("Device.", READER, 1), (boot, NOTHING, 2)]);
    let row = scene.done(add(boot));
    assert!(scene.ask_as("sees", get(&[&row])).values()[0].is_ok());
    let paths = [
        &*row,
        &format!("{row}Enable"),
        "Device.LocalAgent.EndpointID",
    ];
    let found = scene.ask_as("does not", get(&paths)).values();
    assert_eq!((&found[0], &found[1]), (&Err(7026), &Err(7026)));
    assert!(found[2].is_ok());
    let all = scene
        .ask_as("does not", get(&["Device.LocalAgent.Controller."]))
        .values()
        .remove(0);
    assert!(
        all.unwrap()
            .iter()
            .all(|line| !line.contains(".BootParameter.1."))
    );
}

/// Roles add up, inherited or assigned; what is disabled does not count.
///
/// Proves: R-SEC.1
#[test]
fn roles_are_united() {
    let agent = "Device.LocalAgent.EndpointID";
    let slot = "Device.Slot.1.Label";
    let mut scene = Scene::new().guest("guest", &[(agent, READER, 1), (slot, NOTHING, 9)]);
    let ask = |scene: &mut Scene| {
        let found = scene.ask_as("guest", get(&[agent, slot])).values();
        [found[0].is_ok(), found[1].is_ok()]
    };
    assert_eq!(ask(&mut scene), [true, false]);
    let second = scene.role(&[("Device.Slot.", READER, 1)]);
    let row = scene.row_of("guest");
    scene.assign(&row, &["Device.LocalAgent.ControllerTrust.Role.1", &second]);
    assert_eq!(ask(&mut scene), [true, true]);
    scene
        .ask(set(&second).required("Enable", "false"))
        .updated();
    assert_eq!(ask(&mut scene), [true, false]);
    let permission = "Device.LocalAgent.ControllerTrust.Role.1.Permission.1.";
    scene
        .ask(set(permission).required("Enable", "false"))
        .updated();
    assert_eq!(ask(&mut scene), [false, false]);
}

/// A target may be a row, a wildcard, an expression, a list, or an object without its last dot.
///
/// Proves: R-SEC.1
#[test]
fn targets_are_paths_of_every_kind() {
    let paths = [
        "Device.Link.1.Level",
        "Device.Link.2.Level",
        "Device.Slot.1.Label",
    ];
    for (targets, seen) in [
        ("Device.Link.", [true, true, false]),
        ("Device.Link.2.", [false, true, false]),
        ("Device.Link.*.Level", [true, true, false]),
        (r#"Device.Link.[Name=="one"]."#, [true, false, false]),
        ("Device.Link.[Level>5].", [false, true, false]),
        ("Device.Link.2,Device.Slot", [false, true, true]),
        ("Device.Nothing.,Device.Link.1.", [true, false, false]),
        ("not a path,Device.Slot.1.Label", [false, false, true]),
    ] {
        let mut scene = Scene::new().guest("guest", &[(targets, READER, 1)]);
        scene.done(add("Device.Link.").with("Name", "one"));
        scene.done(add("Device.Link.").with("Name", "two").with("Level", "7"));
        let found = scene.ask_as("guest", get(&paths)).values();
        let found: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(found, seen, "{targets}");
    }
}

/// What may not be read is left out of an object, and is invalid where it is asked for by name.
///
/// Proves: R-GET.1, R-GET.4, TP-469 2.22
#[test]
fn what_may_not_be_read_is_absent_from_a_get() {
    let name = "Device.LocalAgent.Controller.*.BootParameter.*.ParameterName";
    let only_objects = "---- r--- ---- ----";
    let mut scene = Scene::new()
        .guest("guest", &[("Device.", READER, 1), (name, NOTHING, 2)])
        .guest("outside", &[("Device.", only_objects, 1)]);
    let row = scene.done(add("Device.LocalAgent.Controller.1.BootParameter."));
    let paths = [
        &*row,
        &format!("{row}ParameterName"),
        name,
        "Device.LocalAgent.Controller.1.",
    ];
    let found = scene.ask_as("guest", get(&paths)).values();
    assert_eq!(
        found[0],
        Ok(vec![
            format!("{row}Alias=cpe-1"),
            format!("{row}Enable=false")
        ])
    );
    assert_eq!((&found[1], &found[2]), (&Err(7026), &Err(7026)));
    assert!(
        found[3]
            .as_ref()
            .unwrap()
            .iter()
            .all(|line| !line.contains(".ParameterName="))
    );
    assert_eq!(
        scene.ask_as("outside", get(&[&row])).values(),
        [Ok(vec![row])]
    );
}

/// Without the right to read instances, or the parameter searched for, there are none.
///
/// Proves: R-GIN.0, R-GIN.1, R-SEC.1
#[test]
fn what_may_not_be_read_is_absent_from_get_instances() {
    let name = "Device.Link.*.Name";
    let mut scene = Scene::new()
        .guest("some", &[("Device.Link.", READER, 1), (name, NOTHING, 2)])
        .guest("none", &[("Device.Link.", "r--- r--- ---- ----", 1)]);
    scene.done(add("Device.Link.").with("Name", "one"));
    let search = r#"Device.Link.[Name=="one"]."#;
    let paths = ["Device.Link.", search, "Device.Link.[Level==0]."];
    let found = scene.ask_as("some", instances(&paths)).instances();
    let counts: Vec<usize> = found
        .iter()
        .map(|rows| rows.as_ref().unwrap().len())
        .collect();
    assert_eq!(counts, [1, 0, 1]);
    assert_eq!(pairs(&found[0].as_ref().unwrap()[0].unique_keys), []);
    let found = scene
        .ask_as("none", instances(&["Device.Link.", "Device.Link.1."]))
        .instances();
    assert_eq!(found, [Ok(vec![]), Err(7016)]);
}

/// The supported model has only what may be read.
///
/// Proves: R-GSP.0
#[test]
fn what_may_not_be_read_is_absent_from_the_supported_model() {
    let mut scene = Scene::new().guest(
        "guest",
        &[
            ("Device.LocalAgent.", READER, 1),
            (CONTROLLERS, NOTHING, 2),
            ("Device.LocalAgent.Boot!", NOTHING, 3),
            ("Device.LocalAgent.AddCertificate()", NOTHING, 4),
            ("Device.LocalAgent.Subscription.*.Recipient", NOTHING, 5),
        ],
    );
    let result = scene
        .ask_as("guest", schema(&["Device.LocalAgent."]))
        .supported()
        .remove(0);
    let objects = &result.supported_objs;
    assert!(
        objects
            .iter()
            .all(|object| !object.supported_obj_path.starts_with(CONTROLLERS))
    );
    assert_eq!(objects[0].supported_commands, []);
    assert_eq!(objects[0].supported_events.len(), 1);
    let subscription = objects.last().unwrap();
    assert_eq!(subscription.supported_params.len(), 6);
    assert_eq!(subscription.unique_key_sets.len(), 1);
    for path in [
        CONTROLLERS,
        "Device.",
        "Device.LocalAgent.Boot!",
        "Device.LocalAgent.Subscription.{i}.Recipient",
    ] {
        let result = scene.ask_as("guest", schema(&[path])).supported().remove(0);
        assert_eq!(
            (result.err_code, result.supported_objs.len()),
            (7026, 0),
            "{path}"
        );
    }
}

/// Where only some parents of a search may be added to: the others fail, or all do.
///
/// Proves: R-ADD.0, R-ADD.2a, TP-469 2.23, TP-469 2.24
#[test]
fn a_search_adds_where_it_may() {
    let mut scene = Scene::new().guest(
        "guest",
        &[
            ("Device.", EVERYTHING, 1),
            ("Device.LocalAgent.Controller.1.BootParameter.", READER, 2),
        ],
    );
    let request = add("Device.LocalAgent.Controller.*.BootParameter").required("Enable", "false");
    let (code, errors) = scene.ask_as("guest", request.clone()).error();
    let refused = "Device.LocalAgent.Controller.1.BootParameter.".to_owned();
    assert_eq!((code, errors), (7006, vec![(refused, 7006)]));
    let outcomes = scene.ask_as("guest", request.partial()).added();
    assert_eq!(outcomes[0].as_ref().unwrap_err().err_code, 7006);
    let made = &outcomes[1].as_ref().unwrap().instantiated_path;
    assert_eq!(made, "Device.LocalAgent.Controller.2.BootParameter.1.");
}

/// A parameter that may not be written keeps its default where it is left out, and fails where it is given.
///
/// Proves: R-ADD.3, TP-469 2.25, TP-469 2.26
#[test]
fn unwritable_parameters_of_a_new_object_keep_their_defaults() {
    let enable = "Device.LocalAgent.Subscription.*.Enable";
    let permissions = [(SUBSCRIPTIONS, EVERYTHING, 1), (enable, READER, 2)];
    let mut scene = Scene::new().guest("guest", &permissions);
    let request = add(SUBSCRIPTIONS).required("NotifRetry", "true");
    let success = scene
        .ask_as("guest", request.clone())
        .added()
        .remove(0)
        .unwrap();
    assert_eq!(
        scene.value(&format!("{}Enable", success.instantiated_path)),
        "false"
    );
    assert_eq!(
        pairs(&success.unique_keys)[2],
        ("Recipient", "Device.LocalAgent.Controller.2")
    );
    let request = request.required("Enable", "true").partial();
    let failure = scene
        .ask_as("guest", request)
        .added()
        .remove(0)
        .unwrap_err();
    assert_eq!(failure.err_code, 7006);
    assert_eq!(scene.rows(SUBSCRIPTIONS).len(), 1);
}

/// Unique keys that may not be read are not returned.
///
/// Proves: R-ADD.6
#[test]
fn unreadable_keys_of_a_new_object_are_not_told() {
    let id = "Device.LocalAgent.Subscription.*.ID";
    let permissions = [
        (SUBSCRIPTIONS, EVERYTHING, 1),
        (id, "-w-- ---- ---- ----", 2),
    ];
    let mut scene = Scene::new().guest("guest", &permissions);
    let success = scene
        .ask_as("guest", add(SUBSCRIPTIONS))
        .added()
        .remove(0)
        .unwrap();
    let names: Vec<&str> = success.unique_keys.keys().map(String::as_str).collect();
    assert_eq!(names, ["Alias", "Recipient"]);
}

/// Secured values read as empty, found by no search, unless one of the roles is secured.
///
/// Proves: TP-469 2.27
#[test]
fn secured_values_need_a_secured_role() {
    let mut scene = Scene::new().guest("guest", &[("Device.", EVERYTHING, 1)]);
    let row = scene.row_of("guest");
    scene
        .ask(set(&row).required("Password", "secret"))
        .updated();
    let search = r#"Device.LocalAgent.Controller.[Password=="secret"].Password"#;
    let request = || get(&[&format!("{row}Password"), search]);
    let shown = |value: &str| Ok(vec![format!("{row}Password={value}")]);
    assert_eq!(
        scene.ask_as("guest", request()).values(),
        [shown(""), Ok(vec![])]
    );
    let told = scene
        .ask_as("guest", set(&row).required("Password", "secret"))
        .updated()
        .remove(0);
    assert_eq!(
        told.unwrap().updated_inst_results[0].updated_params["Password"],
        ""
    );
    let whole = scene
        .ask_as("guest", get(&[&row]))
        .values()
        .remove(0)
        .unwrap();
    assert!(whole.contains(&format!("{row}Password=")));
    let secured = set("Device.LocalAgent.ControllerTrust.")
        .required("SecuredRoles", "Device.LocalAgent.ControllerTrust.Role.1");
    assert!(scene.ask(secured).updated()[0].is_ok());
    assert_eq!(
        scene.ask_as("guest", request()).values(),
        [shown("secret"), shown("secret")]
    );
}

/// A Controller without a role may do nothing, and learns nothing of what there is.
///
/// Proves: R-SEC.1, R-GET.1
#[test]
fn without_a_role_there_is_nothing() {
    let mut scene = Scene::new().guest("guest", &[]);
    let paths = ["Device.", "Device.LocalAgent.EndpointID", "Device.Nothing"];
    assert_eq!(
        scene.ask_as("guest", get(&paths)).values(),
        vec![Err(7026); 3]
    );
    assert_eq!(scene.ask_as("guest", add("Device.Link.")).error().0, 7006);
    assert_eq!(
        scene
            .ask_as("guest", delete(&["Device.LocalAgent.Controller.1."]))
            .error()
            .0,
        7006
    );
}

//! Get.

use super::device::SUBSCRIPTIONS;
use super::requests::{Reading, Writing, add, get};
use super::scene::Scene;

fn lines(lines: &[&str]) -> Result<Vec<String>, u32> {
    Ok(lines.iter().map(|line| (*line).to_owned()).collect())
}

/// Three links, of levels 1 to 3; the second points at the first, the third at both.
fn with_links() -> Scene {
    let mut scene = Scene::new();
    scene.done(
        add("Device.Link.")
            .with("Name", "one")
            .with("Level", "1")
            .with("Tags", "red,blue"),
    );
    scene.done(
        add("Device.Link.")
            .with("Name", "two")
            .with("Level", "2")
            .with("Upper", "Device.Link.1"),
    );
    let third = add("Device.Link.")
        .with("Name", "say %22 \"")
        .with("Level", "3");
    let third = third.with("Since", "2026-01-01T00:00:00Z");
    scene.done(third.with("Lower", "Device.Link.1,Device.Link.2"));
    scene
}

/// A parameter: its object, and nothing else of it. One result per path, in the order asked.
///
/// Proves: R-GET.2, R-GET.3, TP-469 1.36, TP-469 1.37, TP-469 1.38
#[test]
fn a_parameter_is_answered_alone() {
    let mut scene = Scene::new();
    scene.done(add(SUBSCRIPTIONS));
    let paths = [
        "Device.LocalAgent.Subscription.1.Enable",
        "Device.LocalAgent.EndpointID",
        "Device.LocalAgent.SoftwareVersion",
    ];
    assert_eq!(
        scene.ask(get(&paths)).values(),
        [
            lines(&["Device.LocalAgent.Subscription.1.Enable=false"]),
            lines(&["Device.LocalAgent.EndpointID=proto::agent"]),
            lines(&["Device.LocalAgent.SoftwareVersion=1"]),
        ]
    );
}

/// An object comes with everything below it, each object by itself and names relative to it.
///
/// Proves: TP-469 1.39, TP-469 1.40
#[test]
fn an_object_is_answered_with_all_below_it() {
    let mut scene = with_links();
    let found = scene
        .ask(get(&["Device.Link.1."]))
        .values()
        .remove(0)
        .unwrap();
    assert!(found.contains(&"Device.Link.1.Name=one".to_owned()));
    assert!(found.contains(&"Device.Link.1.Stats.Interval=10".to_owned()));
    assert_eq!(found.len(), 9);
    let table = scene
        .ask(get(&["Device.Link."]))
        .values()
        .remove(0)
        .unwrap();
    assert_eq!(table.len(), 27);
}

/// max_depth counts levels of objects from the path on.
///
/// Proves: R-GET.5, TP-469 1.89
#[test]
fn max_depth_limits_the_levels() {
    let mut scene = Scene::new();
    scene.done(add("Device.LocalAgent.Controller.1.BootParameter."));
    let mut objects = |path: &str, max_depth: u32| {
        let request = usphere_proto::msg::Get {
            max_depth,
            ..get(&[path])
        };
        let lines = scene.ask(request).values().remove(0).unwrap();
        let mut objects: Vec<String> = lines
            .iter()
            .map(|line| {
                line.split('=')
                    .next()
                    .unwrap_or(line)
                    .rsplit_once('.')
                    .unwrap()
                    .0
                    .to_owned()
            })
            .collect();
        objects.dedup();
        objects
    };
    let agent = "Device.LocalAgent";
    let trust = "Device.LocalAgent.ControllerTrust";
    let controller = "Device.LocalAgent.Controller.1";
    let boot = "Device.LocalAgent.Controller.1.BootParameter.1";
    assert_eq!(objects("Device.LocalAgent.", 1), [agent]);
    assert_eq!(objects("Device.LocalAgent.", 2), [agent, trust, controller]);
    assert_eq!(
        objects("Device.LocalAgent.", 3),
        [agent, trust, controller, boot]
    );
    assert_eq!(
        objects("Device.LocalAgent.", 0),
        [agent, trust, controller, boot]
    );
    assert_eq!(objects("Device.LocalAgent.Controller.", 1), [controller]);
    assert_eq!(
        objects("Device.LocalAgent.Controller.*.", 2),
        [controller, boot]
    );
}

/// A path that is not a search and leads to nothing is 7026, the missing instance included; so is a search
/// for what is not supported.
///
/// Proves: R-GET.0, TP-469 1.41, TP-469 1.42
#[test]
fn what_is_not_there_is_an_invalid_path() {
    let mut scene = Scene::new();
    let paths = [
        "Device.LocalAgent.InvalidParameter",
        "Device.LocalAgent.EndpointID",
        "Device.LocalAgent.Subscription.1.",
        "Device.LocalAgent.Subscription.1.Enable",
        "Device.LocalAgent.Subscription.*.Nothing",
        "Device.LocalAgent.Nothing.*.",
        "Device.LocalAgent.Subscription.[Nothing==1].",
        "Nowhere.",
    ];
    let answer = scene.ask(get(&paths)).values();
    let found: Vec<u32> = answer
        .iter()
        .filter_map(|result| result.as_ref().err().copied())
        .collect();
    assert_eq!(found, [7026; 7]);
    assert_eq!(
        answer[1],
        lines(&["Device.LocalAgent.EndpointID=proto::agent"])
    );
}

/// A search without a match, an empty table and an empty object are empty successes.
///
/// Proves: R-GET.1a, R-GET.1b, R-MSG.4a, TP-469 1.82, TP-469 1.86, TP-469 1.87
#[test]
fn nothing_found_is_a_success() {
    let mut scene = Scene::new();
    let paths = [
        "Device.LocalAgent.Subscription.[Enable==true].",
        "Device.LocalAgent.Subscription.*.Enable",
        "Device.LocalAgent.Subscription.",
        "Device.Empty.",
        "Device.Link.*.Upper+.Name",
    ];
    assert_eq!(scene.ask(get(&paths)).values(), vec![lines(&[]); 5]);
}

/// Keys, wildcards and expressions resolve to every match and are answered by number.
///
/// Proves: R-MSG.3, R-ARC.9, R-ARC.10, TP-469 1.43, TP-469 1.44, TP-469 1.45
#[test]
fn searches_are_answered_by_number() {
    let mut scene = with_links();
    let paths = [
        r#"Device.Link.[Name=="two"].Level"#,
        "Device.Link.*.Level",
        "Device.Link.[Level>=2].Level",
    ];
    assert_eq!(
        scene.ask(get(&paths)).values(),
        [
            lines(&["Device.Link.2.Level=2"]),
            lines(&[
                "Device.Link.1.Level=1",
                "Device.Link.2.Level=2",
                "Device.Link.3.Level=3"
            ]),
            lines(&["Device.Link.2.Level=2", "Device.Link.3.Level=3"]),
        ]
    );
    assert_eq!(
        scene.ask(get(&["Device.Link.*."])).values()[0]
            .as_ref()
            .unwrap()
            .len(),
        27
    );
}

/// Operators compare by type; blanks are tolerated; escapes are read; conditions are joined by AND.
///
/// Proves: R-ARC.7, R-ARC.9, R-ARC.9a, TP-469 1.46, TP-469 1.47, TP-469 1.48, TP-469 1.49, TP-469 1.50, TP-469 1.51
#[test]
fn operators_are_typed() {
    let mut scene = with_links();
    scene.done(
        add(SUBSCRIPTIONS)
            .with("NotifExpiration", "9")
            .with("Enable", "true"),
    );
    scene.done(add(SUBSCRIPTIONS).with("NotifExpiration", "10"));
    scene.done(add(SUBSCRIPTIONS).with("NotifExpiration", "100"));
    let mut matches = |table: &str, expression: &str| -> Result<String, u32> {
        let path = format!("{table}[{expression}].");
        let request = usphere_proto::msg::Get {
            max_depth: 1,
            ..get(&[&path])
        };
        let lines = scene.ask(request).values().remove(0)?;
        let mut rows: Vec<String> = lines
            .iter()
            .filter_map(|line| {
                line.strip_prefix(table)?
                    .split('.')
                    .next()
                    .map(str::to_owned)
            })
            .collect();
        rows.dedup();
        Ok(rows.join(" "))
    };
    for (expression, rows) in [
        ("Enable==true", "1"),
        ("Enable==1", "1"),
        ("Enable!=true", "2 3"),
        ("NotifExpiration>10", "3"),
        ("NotifExpiration<10", "1"),
        ("NotifExpiration>=10", "2 3"),
        ("NotifExpiration<=10", "1 2"),
        ("NotifExpiration == 10", "2"),
        ("NotifExpiration>5&&NotifExpiration<50&&Enable==false", "2"),
        (r#"NotifType=="Event"&&Enable==true"#, "1"),
    ] {
        assert_eq!(
            matches(SUBSCRIPTIONS, expression),
            Ok(rows.to_owned()),
            "{expression}"
        );
    }
    for (expression, rows) in [
        (r#"Tags~="blue""#, "1"),
        (r#"Tags~="green""#, ""),
        (r#"Name=="say %2522 %22""#, "3"),
        ("Stats.Interval==10", "1 2 3"),
        (r#"Upper+.Name=="one""#, "2"),
        (r#"Lower#2+.Name=="two""#, "3"),
        (r#"Lower#*+.Name=="two""#, "3"),
        ("Since>2025-12-31T23:59:59Z", "3"),
    ] {
        assert_eq!(
            matches("Device.Link.", expression),
            Ok(rows.to_owned()),
            "{expression}"
        );
    }
    for wrong in [
        r#"Name<"two""#,
        r#"Name~="two""#,
        "Tags==1",
        r#"Level=="1""#,
        r#"Name=="a"||Name=="b""#,
        "Name==two",
    ] {
        assert_eq!(matches("Device.Link.", wrong), Err(7008), "{wrong}");
    }
    assert_eq!(matches(SUBSCRIPTIONS, "Enable>false"), Err(7008));
}

/// References are followed to the objects that they name.
///
/// Proves: R-ARC.7, R-ARC.11, R-MSG.4a
#[test]
fn references_are_followed() {
    let mut scene = with_links();
    let paths = [
        "Device.Link.2.Upper+.Name",
        "Device.Link.3.Lower#2+.Name",
        "Device.Link.3.Lower#*+.Name",
        "Device.Link.*.Upper+.Name",
        "Device.Link.1.Upper+.Name",
    ];
    assert_eq!(
        scene.ask(get(&paths)).values(),
        [
            lines(&["Device.Link.1.Name=one"]),
            lines(&["Device.Link.2.Name=two"]),
            lines(&["Device.Link.1.Name=one", "Device.Link.2.Name=two"]),
            lines(&["Device.Link.1.Name=one"]),
            lines(&[]),
        ]
    );
}

/// What is written as no path is told so.
#[test]
fn a_malformed_path_has_a_code_of_its_own() {
    let mut scene = Scene::new();
    let paths = [
        "",
        "Device..",
        "Device.Link.[Name==\"one].",
        "Device.Link.{i}.Name",
        "Device.Radio.Scan()",
        "Device.LocalAgent.Boot!",
        "Device.Link.0.",
    ];
    assert_eq!(scene.ask(get(&paths)).values(), vec![Err(7008); 7]);
}

/// More than an answer can hold is refused path by path, and does not grow.
#[test]
fn an_answer_has_an_end() {
    let mut scene = with_links();
    let long = "x".repeat(64 * 1024);
    scene
        .ask(super::requests::set("Device.Slot.1.").required("Label", &long))
        .updated();
    let paths = vec!["Device.Slot.1.Label"; 200];
    let answer = scene.ask(get(&paths)).values();
    let whole = answer.iter().filter(|result| result.is_ok()).count();
    assert!((90..100).contains(&whole), "{whole}");
    assert!(answer.iter().skip(whole).all(|result| *result == Err(7005)));
    let many = vec!["Device.Link.1.Name"; 10_001];
    assert_eq!(scene.ask(get(&many)).error().0, 7005);
}

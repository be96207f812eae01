//! Operate, and the requests that this Agent does not serve.

use usphere_proto::msg::{Deregister, Notify, Operate, Register, ResponseType};

use super::requests::{Reading, Writing, operate, pairs, texts};
use super::scene::{Owners, Scene};
use crate::handlers::Answer;

fn silent(request: Operate) -> Operate {
    Operate {
        send_resp: false,
        ..request
    }
}

/// The owner runs it and its outputs come back; unknown arguments do not reach it, optional ones may be missing.
///
/// Proves: R-OPR.6, TP-469 1.91
#[test]
fn a_command_is_run_with_the_arguments_it_knows() {
    let mut scene = Scene::new();
    let given = [
        ("Band", "5GHz"),
        ("List.1.Name", "x"),
        ("List.x.Name", "y"),
        ("Colour", "red"),
    ];
    let results = scene.ask(operate("Device.Radio.Scan()", &given)).operated();
    let [(command, Ok(outputs))] = &results[..] else {
        panic!("{results:?}")
    };
    assert_eq!(command, "Device.Radio.Scan()");
    assert_eq!(pairs(outputs), [("Status", "Complete")]);
    let known = texts(&[("Band", "5GHz"), ("List.1.Name", "x"), ("Width", "20")]);
    assert_eq!(scene.commands, [("Device.Radio.Scan()".to_owned(), known)]);
}

/// An optional argument that is left out has its default, one that is given keeps its value.
///
/// Proves: R-OPR.7
#[test]
fn an_omitted_argument_has_its_default() {
    for (given, width) in [
        (&[("Band", "5GHz")][..], "20"),
        (&[("Band", "5GHz"), ("Width", "80")], "80"),
    ] {
        let mut scene = Scene::new();
        scene.ask(operate("Device.Radio.Scan()", given)).operated();
        assert_eq!(scene.commands[0].1["Width"], width);
    }
}

/// A name that only begins or ends like a known one is unknown.
///
/// Proves: R-OPR.6
#[test]
fn an_argument_is_known_by_its_whole_name() {
    let mut scene = Scene::new();
    let given = [
        ("Band", "5GHz"),
        ("Band.1", "x"),
        ("List.1.Name.2", "x"),
        ("List.1", "x"),
        ("List..Name", "x"),
        ("1.Name", "x"),
    ];
    scene.ask(operate("Device.Radio.Scan()", &given)).operated();
    let known = texts(&[("Band", "5GHz"), ("Width", "20")]);
    assert_eq!(scene.commands, [("Device.Radio.Scan()".to_owned(), known)]);
}

/// Without a mandatory argument nothing is run.
///
/// Proves: R-OPR.5, TP-469 1.100
#[test]
fn a_missing_mandatory_argument_stops_the_command() {
    let mut scene = Scene::new();
    let results = scene
        .ask(operate("Device.Radio.Scan()", &[("Width", "20")]))
        .operated();
    assert_eq!(results, [("Device.Radio.Scan()".to_owned(), Err(7027))]);
    assert_eq!(scene.commands, []);
}

/// One mandatory argument does not stand for the other.
///
/// Proves: R-OPR.5
#[test]
fn every_mandatory_argument_has_to_be_there() {
    let mut scene = Scene::new();
    let command = "Device.Hosts.Host.1.Block()";
    let (from, until) = (("From", "8"), ("Until", "9"));
    for given in [&[][..], &[from], &[until]] {
        let results = scene.ask(operate(command, given)).operated();
        assert_eq!(results, [(command.to_owned(), Err(7027))], "{given:?}");
    }
    assert_eq!(scene.commands, []);
    scene.ask(operate(command, &[from, until])).operated();
    let both = texts(&[from, until]);
    assert_eq!(scene.commands, [(command.to_owned(), both)]);
}

/// One result per object that the path matches; none for no match.
///
/// Proves: R-OPR.1, R-MSG.3, R-MSG.4a
#[test]
fn a_search_path_runs_the_command_on_every_match() {
    let mut scene = Scene::new();
    let results = scene
        .ask(operate("Device.Hosts.Host.*.Wake()", &[]))
        .operated();
    let commands: Vec<&str> = results.iter().map(|(command, _)| &**command).collect();
    assert_eq!(
        commands,
        ["Device.Hosts.Host.1.Wake()", "Device.Hosts.Host.2.Wake()"]
    );
    assert!(results.iter().all(|(_, outcome)| outcome.is_ok()));
    let unmatched = r#"Device.Hosts.Host.[MACAddress=="zz"].Wake()"#;
    assert_eq!(scene.ask(operate(unmatched, &[])).operated(), []);
    scene.owners = Owners::Failing;
    let results = scene
        .ask(operate("Device.Hosts.Host.*.Wake()", &[]))
        .operated();
    assert!(
        results.iter().all(|(_, outcome)| *outcome == Err(7022)),
        "{results:?}"
    );
    assert_eq!(results.len(), 2);
}

/// Whatever goes wrong is said in the result, never in an Error Message.
///
/// Proves: R-OPR.1
#[test]
fn failures_are_results() {
    let mut scene = Scene::new();
    for (command, code) in [
        ("Device.Radio.Nothing()", 7026),
        ("Device.Radio.Channel", 7008),
        ("Device.Hosts.Host.9.Wake()", 7016),
        ("Device.Radio.Scan(", 7008),
    ] {
        let results = scene.ask(operate(command, &[])).operated();
        assert_eq!(results, [(command.to_owned(), Err(code))]);
    }
    scene.owners = Owners::Silent;
    let results = scene
        .ask(operate("Device.Radio.Scan()", &[("Band", "2")]))
        .operated();
    assert_eq!(results[0].1, Err(7022));
}

/// Who wants no response gets none, unless something failed.
///
/// Proves: R-OPR.4
#[test]
fn a_response_is_sent_only_where_it_is_wanted() {
    let mut scene = Scene::new();
    let request = silent(operate("Device.Radio.Scan()", &[("Band", "2")]));
    assert_eq!(scene.ask(request), Answer::Silence);
    assert_eq!(scene.commands.len(), 1);
    let failing = silent(operate("Device.Radio.Scan()", &[]));
    assert_eq!(scene.ask(failing).operated()[0].1, Err(7027));
}

/// A Register is refused, a Deregister answered path by path, a Notify is not for an Agent.
///
/// Proves: R-MSG.1
#[test]
fn requests_for_others_are_refused() {
    let mut scene = Scene::new();
    assert_eq!(scene.ask(Register::default()).error().0, 7001);
    assert_eq!(scene.ask(Notify::default()).error().0, 7001);
    let request = Deregister {
        paths: vec!["Device.WiFi.".to_owned()],
    };
    let Answer::Response(ResponseType::DeregisterResp(response)) = scene.ask(request) else {
        panic!("not a DeregisterResp")
    };
    assert_eq!(response.deregistered_path_results.len(), 1);
    let nothing = scene
        .ask(super::requests::add("Device.Link.").partial())
        .added();
    assert!(nothing[0].is_ok());
}

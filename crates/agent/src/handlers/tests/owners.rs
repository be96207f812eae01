//! Requests on what somebody else owns, who answers, fails, is silent or talks nonsense.

use super::requests::{Reading, Writing, add, get, set};
use super::scene::{Owners, Scene};

/// A value is fetched once while it is fresh, and applied by its owner before it is told.
#[test]
fn an_owners_value_is_read_and_set() {
    let mut scene = Scene::new();
    assert_eq!(scene.value("Device.Radio.Channel"), "6");
    assert_eq!(scene.value("Device.Radio.Noise"), "-90");
    assert_eq!(scene.asked, 1);
    let success = scene
        .ask(set("Device.Radio.").required("Channel", "11"))
        .updated()
        .remove(0);
    assert_eq!(
        success.unwrap().updated_inst_results[0].updated_params["Channel"],
        "11"
    );
    assert_eq!(scene.channel, "11");
}

/// Whatever an owner does instead of answering costs its own paths an error, and no others.
#[test]
fn an_owner_that_does_not_answer_fails_its_own_paths() {
    for owners in [Owners::Failing, Owners::Silent, Owners::Wrong] {
        let mut scene = Scene::new();
        scene.owners = owners;
        let paths = [
            "Device.Radio.Channel",
            "Device.Hosts.Host.",
            "Device.LocalAgent.EndpointID",
        ];
        let found = scene.ask(get(&paths)).values();
        assert_eq!(found[0], Err(7003), "{owners:?}");
        assert_eq!(found[1], Err(7003), "{owners:?}");
        assert!(found[2].is_ok(), "{owners:?}");
        let whole = scene.ask(get(&["Device."])).values().remove(0).unwrap();
        assert!(
            whole
                .iter()
                .any(|line| line.starts_with("Device.LocalAgent.EndpointID="))
        );
        assert!(
            whole.contains(&"Device.Radio.".to_owned()),
            "its values are left out: {owners:?}"
        );
    }
}

/// A refused value is a failed parameter: the whole request without allow_partial, its object with it.
///
/// Proves: R-SET.0, R-SET.1
#[test]
fn an_owners_refusal_is_a_failed_parameter() {
    for owners in [Owners::Failing, Owners::Silent] {
        let mut scene = Scene::new();
        let link = scene.done(add("Device.Link."));
        let request = set(&link)
            .required("Level", "4")
            .and("Device.Radio.")
            .required("Channel", "11");
        scene.value("Device.Radio.Channel");
        scene.owners = owners;
        let (code, errors) = scene.ask(request.clone()).error();
        assert_eq!(code, 7021, "{owners:?}");
        assert_eq!(
            errors,
            [("Device.Radio.Channel".to_owned(), 7009)],
            "{owners:?}"
        );
        assert_eq!(scene.value(&format!("{link}Level")), "0");
        let outcomes = scene.ask(request.partial()).updated();
        assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{owners:?}");
        assert_eq!(scene.value(&format!("{link}Level")), "4");
        assert_eq!(scene.channel, "6");
        let optional = set("Device.Radio.").with("Channel", "11");
        let success = scene.ask(optional).updated().remove(0).unwrap();
        assert_eq!(
            success.updated_inst_results[0].param_errs[0].err_code, 7009,
            "{owners:?}"
        );
    }
}

/// What fails elsewhere is not applied by an owner that would have.
///
/// Proves: R-SET.1
#[test]
fn an_owner_does_not_apply_what_failed_elsewhere() {
    let mut scene = Scene::new();
    let request = set("Device.Radio.")
        .required("Channel", "11")
        .and("Device.LocalAgent.")
        .required("EndpointID", "x");
    assert_eq!(scene.ask(request).error().0, 7021);
    assert_eq!(scene.channel, "6");
    assert_eq!(scene.value("Device.Radio.Channel"), "6");
}

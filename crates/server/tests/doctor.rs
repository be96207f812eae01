//! Faults made on purpose, over real sockets: the doctor names each, and says what mends it.

mod faults;
mod support;

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{get, polite};
use usphere_server::{FirstContact, Reason};

use self::faults::{House, Ward};

/// What the doctor is to find.
struct Expected {
    /// The reason that the only contact from there has.
    reason: &'static str,
    /// Whether it is known who came.
    is_named: bool,
    /// A part of what was wrong with it, as it is told.
    detail: &'static str,
    /// A part of what is to be done.
    advice: &'static str,
}

const NOBODY: bool = false;
const NAMED: bool = true;

fn expect(
    reason: &'static str,
    is_named: bool,
    detail: &'static str,
    advice: &'static str,
) -> Expected {
    Expected {
        reason,
        is_named,
        detail,
        advice,
    }
}

/// A fault that was made, and what has to stay open until it is found.
struct Made {
    ward: Ward,
    expected: Expected,
    _kept: Box<dyn Any>,
}

/// Checks that each fault is found, and returns the reasons.
async fn found(house: &House, made: Vec<Made>) -> BTreeSet<&'static str> {
    for Made { ward, .. } in &made {
        house.contacts(ward).await;
    }
    house.settle().await;
    for Made { ward, expected, .. } in &made {
        check(ward, &house.contacts(ward).await, expected);
    }
    made.iter().map(|made| made.expected.reason).collect()
}

/// Checks that one fault, and nothing else, is told of the address that it was made from.
fn check(ward: &Ward, contacts: &[Value], expected: &Expected) {
    let Expected {
        reason,
        is_named,
        detail,
        advice,
    } = expected;
    let [contact] = contacts else {
        panic!("{reason}: one contact is expected: {contacts:#?}")
    };
    assert_eq!(contact["reason"], *reason, "{contact:#}");
    let text = |field: &str| contact[field].as_str().unwrap_or_default().to_owned();
    assert!(text("detail").contains(detail), "{detail}: {contact:#}");
    assert!(text("advice").contains(advice), "{advice}: {contact:#}");
    let endpoint_id = is_named.then_some(ward.agent.as_str());
    assert_eq!(contact["endpoint_id"].as_str(), endpoint_id, "{contact:#}");
    let remote = format!("{}:", ward.address);
    assert!(text("remote").starts_with(&remote), "{contact:#}");
    assert_eq!(contact["mtp"], "WebSocket");
    assert!(contact["at"].as_i64() >= contact["first"].as_i64());
}

#[track_caller]
fn assert_advises(contact: &Value, advice: &str) {
    let told = contact["advice"].as_str().unwrap_or_default();
    assert!(told.contains(advice), "{contact:#}");
}

/// Makes a fault: what makes it, the reason, whether it is known who came, parts of the detail and the advice.
macro_rules! fault {
    ($made:ident, $house:ident, $make:expr => $reason:literal, $is_named:expr, $detail:literal, $advice:literal) => {
        let ward = $house.ward();
        let kept = $make(&ward).await;
        $made.push(Made {
            ward,
            expected: expect($reason, $is_named, $detail, $advice),
            _kept: Box::new(kept),
        });
    };
}

/// What is wrong before a WebSocket is open, at a door without TLS.
#[tokio::test]
async fn faults_at_a_plain_door_are_named() {
    let house = House::plain().await;
    let mut made = Vec::new();
    fault!(made, house, faults::wrong_path => "wrong_path", NAMED,
        "it asked for /ws; Agents connect at /usp", "WebSocket.Path");
    fault!(made, house, faults::no_subprotocol => "no_subprotocol", NAMED,
        "offers no WebSocket subprotocol, v1.usp", "Sec-WebSocket-Protocol: v1.usp");
    fault!(made, house, faults::other_subprotocol => "no_subprotocol", NAMED,
        "the WebSocket subprotocol mqtt", "Sec-WebSocket-Protocol: v1.usp");
    fault!(made, house, faults::browser => "not_web_socket", NOBODY, "upgrade", "another port");
    fault!(made, house, faults::post => "not_web_socket", NOBODY, "", "another port");
    fault!(made, house, faults::mqtt => "not_http", NOBODY, "", "another MTP");
    fault!(made, house, faults::old_web_socket => "web_socket_version", NAMED, "", "Sec-WebSocket-Version: 13");
    fault!(made, house, faults::large_request => "request_too_large", NOBODY, "8192 bytes", "headers");
    fault!(made, house, faults::tls_hello => "tls_at_plain_door", NOBODY, "no TLS is spoken here", "tls_cert");
    fault!(made, house, faults::bad_eid => "invalid_endpoint_id", NOBODY, "nonsense", "EndpointID");
    fault!(made, house, faults::vanishes => "connection_lost", NOBODY, "awaited", "network");
    let found = found(&house, made).await;
    assert_eq!(found.len(), 9, "{found:?}");

    let ward = house.ward();
    let _link = faults::own_id(&ward).await;
    let contacts = house.contacts(&ward).await;
    assert_eq!(contacts[0]["reason"], "own_endpoint_id", "{contacts:#?}");
    let controller = house.server.endpoint_id().as_str();
    assert_eq!(contacts[0]["endpoint_id"], controller);
    assert_advises(&contacts[0], "an ID of its own");
    house.server.shutdown().await;
}

/// What is wrong with what is said over an open WebSocket.
#[tokio::test]
async fn faults_of_records_are_named() {
    let house = House::plain().await;
    let mut made = Vec::new();
    fault!(made, house, faults::endpoint_mismatch => "endpoint_mismatch", NAMED,
        "but the peer opened the link as self::claimed", "`eid`");
    fault!(made, house, faults::wrong_to_id => "wrong_to_id", NAMED,
        "self::elsewhere", "Controller.{i}.EndpointID");
    fault!(made, house, faults::not_a_record => "not_a_record", NAMED, "", "one Record");
    fault!(made, house, faults::text_message => "text_message", NAMED, "", "binary");
    fault!(made, house, faults::large_record => "record_too_large", NAMED, "8388608", "for less");
    fault!(made, house, faults::unmasked => "web_socket_protocol", NAMED, "mask", "proxy");
    fault!(made, house, faults::before_connect => "before_connect", NAMED, "", "WebSocketConnectRecord");
    fault!(made, house, faults::wrong_connect => "wrong_connect", NAMED, "another MTP", "WebSocketConnectRecord");
    fault!(made, house, faults::bad_version => "unknown_version", NAMED, "two", "1.0 to 1.4");
    fault!(made, house, faults::future_version => "unknown_version", NAMED, "9.0", "1.0 to 1.4");
    fault!(made, house, faults::bad_from_id => "invalid_endpoint_id", NAMED, "from_id", "EndpointID");
    fault!(made, house, faults::signed => "signed_record", NAMED, "signed", "mac_signature");
    fault!(made, house, faults::session_context => "session_context", NAMED, "7106", "session contexts off");
    fault!(made, house, faults::bad_request => "bad_request", NAMED, "70", "usphere log");
    fault!(made, house, faults::says_goodbye => "disconnected_by_device", NAMED, "7101", "device's log");
    fault!(made, house, faults::closes_with_error => "closed_by_device", NAMED, "1008", "Controller table");
    fault!(made, house, faults::shows_nothing => "untrusted_role", NAMED,
        "Device.DeviceInfo.", "AssignedRole");
    let found = found(&house, made).await;
    assert_eq!(found.len(), 16, "{found:?}");

    // From two addresses in one name; and in two names over one connection.
    let (one, other) = (house.ward(), house.ward());
    let _first = faults::online(&one).await;
    let _second = faults::online_as(&other, &one.agent).await;
    let contacts = house.contacts(&other).await;
    assert_eq!(contacts[0]["reason"], "endpoint_id_in_use", "{contacts:#?}");
    assert_eq!(contacts[0]["endpoint_id"], one.agent.as_str());
    assert_advises(&contacts[0], "two devices have one Endpoint ID");
    let two = house.ward();
    let _link = faults::other_agent(&two).await;
    let contacts = house.contacts(&two).await;
    assert_eq!(contacts[0]["reason"], "other_agent", "{contacts:#?}");
    assert_eq!(contacts[0]["endpoint_id"], "self::other");
    assert_advises(&contacts[0], "a connection of its own");
    house.server.shutdown().await;
}

/// What is wrong with TLS, on either side.
#[tokio::test]
async fn faults_at_a_tls_door_are_named() {
    let house = House::tls().await;
    let mut made = Vec::new();
    fault!(made, house, faults::plain => "plain_at_tls_door", NOBODY, "does not speak TLS", "wss://");
    fault!(made, house, faults::old_tls => "tls_version", NOBODY, "1.2", "Update");
    fault!(made, house, faults::unknown_ca => "unknown_ca", NAMED, "issued by CN=Another CA", "tls_ca");
    fault!(made, house, faults::self_signed => "self_signed", NAMED, "", "certs issue");
    fault!(made, house, faults::expired => "certificate_expired", NAMED, "to 2002-01-01", "certs issue");
    fault!(made, house, faults::not_yet_valid => "certificate_not_yet_valid", NAMED, "from 2099-", "clock");
    fault!(made, house, faults::no_certificate => "no_certificate", NOBODY, "no certificate", "certs issue");
    fault!(made, house, faults::others_certificate => "certificate_mismatch", NAMED,
        "does not authenticate", "urn:bbf:usp:id:");
    fault!(made, house, faults::does_not_know_our_ca => "server_ca_unknown", NOBODY,
        "does not trust the CA", "Install the CA");
    fault!(made, house, faults::wants_another_name => "server_name_mismatch", NOBODY,
        "certificate bad", "--dns");
    fault!(made, house, faults::has_a_wrong_clock => "server_certificate_dates", NOBODY, "expired", "clock");
    let found = found(&house, made).await;
    assert_eq!(found.len(), 11, "{found:?}");
    house.server.shutdown().await;
}

/// One more connection than an address may have.
#[tokio::test]
async fn a_full_house_is_named() {
    let house = House::of_one().await;
    let ward = house.ward();
    let _first = faults::online(&ward).await;
    let _second = faults::browser(&ward).await;
    let contacts = house.contacts(&ward).await;
    let expected = expect(
        "too_many_connections_of_address",
        NOBODY,
        "from this address",
        "connections_per_source_max",
    );
    check(&ward, &contacts, &expected);
    house.server.shutdown().await;
}

/// Whoever waits to be approved is told of with how to do it.
#[tokio::test]
async fn who_waits_to_be_approved_is_named() {
    let house = House::with(|config| config.onboarding.first_contact = FirstContact::Approval);
    let house = house.await;
    let ward = house.ward();
    let _agent = faults::served(&ward, polite).await;
    let contacts = house.contacts(&ward).await;
    let expected = expect(
        "not_approved",
        NAMED,
        "waits to be approved",
        "devices approve",
    );
    check(&ward, &contacts, &expected);
    house.server.shutdown().await;
}

/// A device is found by the name that it claimed although nobody let it in; by its address; and page by page.
#[tokio::test]
async fn contacts_are_counted_filtered_and_kept() {
    let house = House::plain().await;
    let (one, other) = (house.ward(), house.ward());
    for _ in 0..3 {
        faults::wrong_path(&one).await;
    }
    faults::no_subprotocol(&one).await;
    faults::browser(&other).await;
    let server = &house.server;
    support::until(server, "/api/v1/contacts", |page| {
        let contacts = page["contacts"].as_array().unwrap();
        contacts.len() == 3
            && contacts
                .iter()
                .any(|contact| contact["reason"] == "wrong_path" && contact["count"] == 3)
    })
    .await;
    let part = &one.agent.as_str()[..one.agent.as_str().len() - 1];
    for (query, count) in [
        (format!("device={}", one.agent), 2),
        (format!("device={part}"), 2),
        (format!("device={}", other.address), 1),
        ("device=os::nobody".to_owned(), 0),
    ] {
        let page = get(server, &format!("/api/v1/contacts?{query}")).await;
        let contacts = page.body["contacts"].as_array().unwrap();
        assert_eq!(contacts.len(), count, "{query}: {contacts:#?}");
    }
    let first = get(server, "/api/v1/contacts?limit=2").await.body;
    let next = first["next"].as_str().unwrap();
    let second = get(server, &format!("/api/v1/contacts?limit=2&after={next}")).await;
    assert_eq!(second.body["contacts"].as_array().unwrap().len(), 1);
    assert!(second.body.get("next").is_none());
    for wrong in ["after=x", "limit=-1", "devise=a"] {
        let refused = get(server, &format!("/api/v1/contacts?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }

    // A device that is known is told of what came from its address without a name, too.
    let _online = faults::served(&other, polite).await;
    let path = format!("/api/v1/contacts?device={}", other.agent);
    support::until(server, &path, |page| {
        page["contacts"][0]["reason"] == "not_web_socket"
    })
    .await;

    let House { server, data, .. } = house;
    server.shutdown().await;
    let again = support::server(data.path()).await;
    let kept = get(&again, "/api/v1/contacts").await.body;
    assert_eq!(kept["contacts"].as_array().unwrap().len(), 3, "{kept:#}");
    again.shutdown().await;
}

/// `UPDATE_DOCS=1` writes what has changed.
#[test]
fn the_table_of_reasons_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- begin reasons -->\n", "<!-- end reasons -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    let mut table = String::from("\n| reason | means | what to do |\n|---|---|---|\n");
    for reason in Reason::ALL {
        let (name, means, advice) = (reason.name(), reason.description(), reason.advice());
        table += &format!("| `{name}` | {means} | {} |\n", advice.replace('|', "\\|"));
    }
    table += "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, table, "docs/doctor.md: run with UPDATE_DOCS=1");
    }
}

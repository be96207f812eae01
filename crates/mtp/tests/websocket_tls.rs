//! WebSocket over TLS: who gets in, who does not, and what each end is told.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use usphere_mtp::tls::{Identity, IdentityError, Issued, Tls, TlsError};
use usphere_mtp::websocket::{
    BindError, CloseReason, DialError, Door, Link, Listener, ListenerLimits, Settings, Target, dial,
};
use usphere_trust::{Channel, Store};

use common::tls::{EXPIRED, House, VALID, changing, with};
use common::{
    CLIENT, SERVER, end, id, listen, listen_within, next_record, pair, record, settings, soon,
};

/// Both ends of a link whose client reaches the server by TLS, or why there is none.
async fn meet(client: &Settings, server: Settings) -> Result<(Link, Link), String> {
    let mut listener = listen(server).await;
    let dialled = reach(&listener, client).await?;
    Ok((dialled, soon(listener.accept()).await.unwrap()))
}

async fn reach(listener: &Listener, client: &Settings) -> Result<Link, String> {
    let dialled = soon(dial(&common::target(listener), client)).await;
    dialled.map_err(|error| error.to_string())
}

/// The Endpoint IDs that a peer has proven.
fn proven(link: &Link) -> Vec<String> {
    let Channel::Tls(session) = &link.peer.channel else {
        panic!("{:?}", link.peer)
    };
    let leaf = session.chain().leaf();
    leaf.endpoint_names()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Proves: R-WS.22, R-MTP.0, R-MTP.1
#[tokio::test]
async fn both_ends_know_each_other_by_their_certificates() {
    let house = House::new("house");
    let (mut dialled, mut accepted) = pair(house.member(CLIENT), house.member(SERVER)).await;
    assert_eq!(proven(&dialled), [SERVER]);
    assert_eq!(proven(&accepted), [CLIENT]);
    assert_eq!(accepted.peer.endpoint_id, Some(id(CLIENT)));
    for bytes in [1, 5_000, 300_000] {
        let (there, back) = (record(CLIENT, SERVER, bytes), record(SERVER, CLIENT, bytes));
        dialled.sender.try_send(&there).unwrap();
        let server = async {
            assert_eq!(next_record(&mut accepted.receiver).await, there);
            accepted.sender.try_send(&back).unwrap();
            tokio::time::timeout(Duration::from_millis(200), accepted.receiver.recv()).await
        };
        let client = next_record(&mut dialled.receiver);
        let (client, server) = tokio::join!(client, server);
        assert_eq!(client, back);
        assert!(server.is_err(), "{server:?}");
    }
    dialled.sender.close(1000, "done");
    let (ours, theirs) = tokio::join!(end(&mut dialled.receiver), end(&mut accepted.receiver));
    assert!(
        matches!(ours, CloseReason::ByUs { code: 1000, .. }),
        "{ours}"
    );
    assert!(
        matches!(
            theirs,
            CloseReason::ByPeer {
                code: Some(1000),
                ..
            }
        ),
        "{theirs}"
    );
}

/// Proves: R-MTP.1, R-MTP.4
#[tokio::test]
async fn a_client_is_told_why_it_is_refused() {
    let (house, other) = (House::new("house"), House::new("other"));
    let stranger = Issued::self_signed(&id(CLIENT), VALID).unwrap();
    for (identity, words) in [
        (None, "it demands a certificate, and got none"),
        (
            Some(other.identity(CLIENT)),
            "it does not trust the CA of our certificate",
        ),
        (
            Some(house.keep(&stranger)),
            "it does not trust the CA of our certificate",
        ),
        (
            Some(house.keep(&house.issue(CLIENT, EXPIRED))),
            "our certificate has expired",
        ),
    ] {
        let client = with(CLIENT, identity, house.store());
        let refused = meet(&client, house.member(SERVER)).await.unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

/// Proves: R-MTP.3, R-MTP.4
#[tokio::test]
async fn a_server_is_refused_for_what_is_wrong_with_it() {
    let (house, other) = (House::new("house"), House::new("other"));
    let stranger = Issued::self_signed(&id(SERVER), VALID).unwrap();
    for (identity, words) in [
        (other.identity(SERVER), "nobody who is trusted vouches for"),
        (house.keep(&stranger), "nobody who is trusted vouches for"),
        (
            house.keep(&house.issue(SERVER, EXPIRED)),
            "is not valid now",
        ),
        (
            house.identity("self::somebody"),
            "neither for the host 127.0.0.1 nor for self::server",
        ),
    ] {
        let server = with(SERVER, Some(identity), house.store());
        let refused = meet(&house.member(CLIENT), server).await.unwrap_err();
        assert!(
            refused.contains("the certificate of the peer is not trusted"),
            "{refused}"
        );
        assert!(refused.contains(words), "{refused}");
    }
}

#[tokio::test]
async fn who_speaks_tls_at_a_plain_door_or_the_other_way_round_is_told() {
    let house = House::new("house");
    let plain = listen(settings(SERVER)).await;
    let secret = listen(house.member(SERVER)).await;
    let url = |listener: &Listener, scheme| -> Target {
        format!("{scheme}://{}/usp", listener.local_addr())
            .parse()
            .unwrap()
    };
    let member = house.member(CLIENT);
    let error = soon(dial(&url(&plain, "wss"), &member)).await.unwrap_err();
    assert!(matches!(error, DialError::Tls(TlsError::NotTls)), "{error}");
    let error = soon(dial(&url(&secret, "ws"), &member)).await.unwrap_err();
    assert!(error.to_string().contains("use wss://"), "{error}");
    let error = soon(dial(&url(&secret, "wss"), &settings(CLIENT)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, DialError::TlsNotConfigured { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_tls_door_may_be_off_loopback_but_needs_an_identity() {
    let house = House::new("house");
    let door = || Door {
        address: "0.0.0.0:0".parse().unwrap(),
        path: "/usp".to_owned(),
        tls: true,
        insecure: false,
    };
    let limits = ListenerLimits::default();
    Listener::bind(door(), house.member(SERVER), limits)
        .await
        .unwrap();
    for settings in [settings(SERVER), with(SERVER, None, house.store())] {
        let error = Listener::bind(door(), settings, limits).await.unwrap_err();
        assert!(matches!(error, BindError::NoIdentity { .. }), "{error}");
    }
}

/// Whoever opens connections and says nothing, or half of it, is gone after a while, and counts
/// until then.
#[tokio::test]
async fn a_handshake_that_is_not_finished_ends_in_time_and_counts() {
    let house = House::new("house");
    let mut server = house.member(SERVER);
    server.handshake_timeout = Duration::from_millis(600);
    let limits = ListenerLimits {
        connections_max: 2,
        ..ListenerLimits::default()
    };
    let mut listener = listen_within(server, limits).await;
    let silent = TcpStream::connect(listener.local_addr()).await.unwrap();
    let mut half = TcpStream::connect(listener.local_addr()).await.unwrap();
    // The beginning of a record that holds a ClientHello.
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    reach(&listener, &house.member(CLIENT)).await.unwrap_err();
    for mut slow in [silent, half] {
        let mut rest = Vec::new();
        // An alert or nothing, then the end.
        let _ = soon(slow.read_to_end(&mut rest)).await;
    }
    reach(&listener, &house.member(CLIENT)).await.unwrap();
    soon(listener.accept()).await.unwrap();
}

/// A link that stands is not harmed by another certificate, and neither is the door.
#[tokio::test]
async fn a_certificate_is_replaced_without_dropping_links() {
    let house = House::new("house");
    let server = house.member(SERVER);
    let tls = Arc::clone(server.tls.as_ref().unwrap());
    let mut listener = listen(server).await;
    let client = house.member(CLIENT);
    let mut before = reach(&listener, &client).await.unwrap();
    let mut accepted = soon(listener.accept()).await.unwrap();
    tls.set_identity(house.identity(SERVER));
    let after = reach(&listener, &client).await.unwrap();
    let serial = |link: &Link| {
        let Channel::Tls(session) = &link.peer.channel else {
            panic!("{:?}", link.peer)
        };
        session.chain().leaf().der().to_vec()
    };
    assert_ne!(serial(&before), serial(&after));
    let hello = record(CLIENT, SERVER, 9);
    before.sender.try_send(&hello).unwrap();
    let (received, _) = tokio::join!(
        next_record(&mut accepted.receiver),
        tokio::time::timeout(Duration::from_millis(200), before.receiver.recv())
    );
    assert_eq!(received, hello);
}

/// An old session is worth what it would be worth today.
///
/// Proves: R-SEC.21
#[tokio::test]
async fn a_ca_that_is_not_trusted_any_more_lets_nobody_in_by_an_old_session() {
    let house = House::new("house");
    let trusted = Arc::new(Mutex::new(house.store()));
    let mut server = house.member(SERVER);
    let identity = house.identity(SERVER);
    server.tls = Some(Arc::new(Tls::new(
        Some(identity),
        changing(Arc::clone(&trusted)),
    )));
    let mut listener = listen(server).await;
    let client = house.member(CLIENT);
    for _ in 0..2 {
        let mut link = reach(&listener, &client).await.unwrap();
        let mut accepted = soon(listener.accept()).await.unwrap();
        assert_eq!(proven(&accepted), [CLIENT]);
        link.sender.close(1000, "");
        tokio::join!(end(&mut link.receiver), end(&mut accepted.receiver));
    }
    *trusted.lock().unwrap() = Store::default();
    reach(&listener, &client).await.unwrap_err();
}

#[test]
fn an_identity_is_refused_with_what_is_wrong_with_its_files() {
    let house = House::new("house");
    let (certificate, key) = house.files(&house.issue(SERVER, VALID));
    let words = |result: Result<Identity, IdentityError>| result.map(drop).unwrap_err().to_string();
    let missing = house.folder.path().join("missing");
    assert!(words(Identity::from_files(&missing, &key)).contains("missing: No such file"));
    assert!(words(Identity::from_files(&key, &key)).contains("no certificate in PEM form"));
    assert!(words(Identity::from_files(&certificate, &certificate)).contains("mode is 0644"));
    let other = house.folder.path().join("ca.key");
    let mismatch = words(Identity::from_files(&certificate, &other));
    assert!(
        mismatch.contains("not the key of the certificate in"),
        "{mismatch}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let open = words(Identity::from_files(&certificate, &key));
    assert!(
        open.contains("mode is 0640") && open.contains("chmod 600"),
        "{open}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(
        &certificate,
        "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(words(Identity::from_files(&certificate, &key)).contains("one.pem"));
    fs::write(&certificate, vec![b'x'; 300_000]).unwrap();
    assert!(words(Identity::from_files(&certificate, &key)).contains("more than"));
}

/// Proves: R-SEC.5, R-SEC.10
#[tokio::test]
async fn an_endpoint_makes_itself_a_certificate_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.pem");
    let made = Identity::kept(&path, &id(SERVER)).unwrap();
    let kept = Identity::kept(&path, &id(SERVER)).unwrap();
    assert_eq!(made.certificates().unwrap(), kept.certificates().unwrap());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let renamed = Identity::kept(&path, &id("self::server2")).unwrap();
    assert_ne!(
        renamed.certificates().unwrap(),
        kept.certificates().unwrap()
    );
    // An ID that another one begins with is another one.
    let shorter = Identity::kept(&path, &id(SERVER)).unwrap();
    assert_ne!(
        shorter.certificates().unwrap(),
        renamed.certificates().unwrap()
    );

    let house = House::new("house");
    let anyone = Store {
        tofu_allowed: true,
        ..Store::default()
    };
    let (dialled, _) = meet(
        &with(CLIENT, Some(house.identity(CLIENT)), anyone),
        with(SERVER, Some(shorter), house.store()),
    )
    .await
    .unwrap();
    assert_eq!(proven(&dialled), [SERVER]);
}

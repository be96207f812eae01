//! The opening handshake, over real sockets on loopback.

mod common;

use std::time::{Duration, Instant};

use common::*;
use tokio::io::AsyncWriteExt;
use usphere_mtp::websocket::{
    BindError, DialError, DialStep, Door, Listener, ListenerLimits, dial,
};
use usphere_trust::Channel;

/// Our two ends find each other, tell who they are, and carry a Record each way.
///
/// Proves: R-WS.5, R-WS.6, R-WS.10, R-WS.11
#[tokio::test]
async fn a_client_and_a_server_exchange_records() {
    let mut client = settings(CLIENT);
    client.legacy_extension = true;
    let (mut client, mut server) = pair(client, settings(SERVER)).await;
    assert_eq!(server.peer.endpoint_id, Some(id(CLIENT)));
    assert_eq!(server.peer.channel, Channel::PlainLoopback);
    assert_eq!(client.peer.endpoint_id, Some(id(SERVER)));

    let question = record(CLIENT, SERVER, 10);
    client.sender.try_send(&question).unwrap();
    let (received, _) = tokio::join!(
        next_record(&mut server.receiver),
        tokio::time::timeout(Duration::from_millis(200), client.receiver.recv()),
    );
    assert_eq!(received, question);

    let answer = record(SERVER, CLIENT, 20);
    server.sender.try_send(&answer).unwrap();
    let (received, _) = tokio::join!(
        next_record(&mut client.receiver),
        tokio::time::timeout(Duration::from_millis(200), server.receiver.recv()),
    );
    assert_eq!(received, answer);
}

/// Proves: R-WS.9, R-WS.11
#[tokio::test]
async fn the_subprotocol_is_found_among_several_and_echoed_alone() {
    let mut listener = listen(settings(SERVER)).await;
    for offer in [
        "Sec-WebSocket-Protocol: v1.usp\r\n",
        "Sec-WebSocket-Protocol: v2.usp, chat,v1.usp\r\n",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: v1.usp\r\n",
    ] {
        let mut raw = Raw::connect(&listener).await;
        let head = raw.exchange(&request("/usp?eid=self::raw", offer)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(header(&head, "Sec-WebSocket-Protocol"), Some("v1.usp"));
        assert_eq!(
            header(&head, "Sec-WebSocket-Accept"),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert_eq!(header(&head, "Sec-WebSocket-Extensions"), None);
        soon(listener.accept()).await.unwrap();
    }
}

/// Whoever comes by way of a proxy on this host is not on this host.
#[tokio::test]
async fn what_a_proxy_passes_on_does_not_come_from_within() {
    let mut listener = listen(settings(SERVER)).await;
    for (told, channel) in [
        ("", Channel::PlainLoopback),
        ("X-Forwarded-For: 192.0.2.7\r\n", Channel::PlainInsecure),
        ("Forwarded: for=127.0.0.1\r\n", Channel::PlainInsecure),
        ("X-Real-IP: ::1\r\n", Channel::PlainInsecure),
        ("Via: 1.1 front\r\n", Channel::PlainInsecure),
    ] {
        let mut raw = Raw::connect(&listener).await;
        let headers = format!("{told}{OFFER}");
        let head = raw.exchange(&request("/usp?eid=self::raw", &headers)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let link = soon(listener.accept()).await.unwrap();
        assert_eq!(link.peer.channel, channel, "{told}");
    }
}

/// Proves: R-WS.12a
#[tokio::test]
async fn a_request_without_the_subprotocol_is_refused_with_the_reason() {
    let listener = listen(settings(SERVER)).await;
    for offer in ["", "Sec-WebSocket-Protocol: v1.usp.x, V1.USP\r\n"] {
        let raw = Raw::connect(&listener).await;
        let answer = raw.refused(&request("/usp", offer)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains("Sec-WebSocket-Protocol has to offer v1.usp"),
            "{answer}"
        );
    }
}

/// A request without the legacy extension is as good as one with it.
///
/// Proves: R-WS.11c
#[tokio::test]
async fn the_server_reads_the_endpoint_id_from_the_query() {
    let mut listener = listen(settings(SERVER)).await;
    for (query, expected) in [
        ("?eid=oui:00AABB:my%252Dunit", Some("oui:00AABB:my%2Dunit")),
        ("?a=1&eid=self%3A%3Ab&c", Some("self::b")),
        ("?a=1", None),
        ("", None),
    ] {
        let mut raw = Raw::connect(&listener).await;
        raw.exchange(&request(&format!("/usp{query}"), OFFER)).await;
        let link = soon(listener.accept()).await.unwrap();
        assert_eq!(link.peer.endpoint_id, expected.map(id), "{query}");
    }
    for query in ["?eid=", "?eid=nobody", "?eid=%F", "?eid=self::%00"] {
        let raw = Raw::connect(&listener).await;
        let answer = raw.refused(&request(&format!("/usp{query}"), OFFER)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{query}: {answer}");
    }
}

/// Proves: R-WS.11a
#[tokio::test]
async fn the_server_answers_the_legacy_extension_where_it_is_offered() {
    let mut listener = listen(settings(SERVER)).await;
    for (path, extension, claimed) in [
        (
            "/usp",
            "bbf-usp-protocol; eid=\"self::old\"",
            Some("self::old"),
        ),
        (
            "/usp",
            "permessage-deflate, bbf-usp-protocol;eid=self::old",
            Some("self::old"),
        ),
        (
            "/usp?eid=self::new",
            "bbf-usp-protocol; eid=\"self::old\"",
            Some("self::new"),
        ),
        (
            "/usp",
            "permessage-deflate\r\nSec-WebSocket-Extensions: bbf-usp-protocol; eid=\"self::old\"",
            Some("self::old"),
        ),
        ("/usp", "bbf-usp-protocol", None),
    ] {
        let mut raw = Raw::connect(&listener).await;
        let headers = format!("{OFFER}Sec-WebSocket-Extensions: {extension}\r\n");
        let head = raw.exchange(&request(path, &headers)).await;
        let answer = header(&head, "Sec-WebSocket-Extensions");
        assert_eq!(answer, Some("bbf-usp-protocol; eid=\"self::server\""));
        let link = soon(listener.accept()).await.unwrap();
        assert_eq!(link.peer.endpoint_id, claimed.map(id));
    }
}

/// Proves: R-WS.1, R-WS.2, R-WS.7, R-WS.10, R-WS.10b, R-WS.10c
#[tokio::test]
async fn the_client_sends_a_whole_handshake() {
    let (target, server) = raw_server("101 Switching Protocols", OFFER).await;
    let link = soon(dial(&target, &settings(CLIENT))).await.unwrap();
    let (request, _raw) = soon(server).await.unwrap();
    let line = request.lines().next().unwrap();
    assert_eq!(line, "GET /usp?x=1&eid=oui:00AABB:client%252D1 HTTP/1.1");
    assert_eq!(header(&request, "Host"), Some(target.authority().as_str()));
    assert_eq!(header(&request, "Upgrade"), Some("websocket"));
    assert_eq!(header(&request, "Connection"), Some("Upgrade"));
    assert_eq!(header(&request, "Sec-WebSocket-Version"), Some("13"));
    assert_eq!(header(&request, "Sec-WebSocket-Protocol"), Some("v1.usp"));
    assert_eq!(header(&request, "Sec-WebSocket-Extensions"), None);
    assert_eq!(link.peer.endpoint_id, None);
}

/// A server may answer the legacy extension, or send it unasked as some do, or send nonsense in it.
///
/// Proves: R-WS.11b
#[tokio::test]
async fn the_client_takes_any_extension_or_none() {
    for (headers, legacy, claimed) in [
        ("Sec-WebSocket-Protocol: v1.usp\r\n", true, None),
        (
            "Sec-WebSocket-Protocol: v1.usp\r\n\
             Sec-WebSocket-Extensions: bbf-usp-protocol; eid=\"proto::peer\"\r\n",
            true,
            Some("proto::peer"),
        ),
        (
            "Sec-WebSocket-Protocol: v1.usp\r\n\
             Sec-WebSocket-Extensions: bbf-usp-protocol;eid=proto::peer\r\n",
            false,
            Some("proto::peer"),
        ),
        (
            "Sec-WebSocket-Protocol: v1.usp\r\n\
             Sec-WebSocket-Extensions: bbf-usp-protocol; eid=\"what\"\r\n",
            true,
            None,
        ),
    ] {
        let (target, server) = raw_server("101 Switching Protocols", headers).await;
        let mut settings = settings(CLIENT);
        settings.legacy_extension = legacy;
        let link = soon(dial(&target, &settings)).await.unwrap();
        assert_eq!(link.peer.endpoint_id, claimed.map(id));
        let (request, _) = soon(server).await.unwrap();
        let expected = legacy.then_some("bbf-usp-protocol; eid=\"oui:00AABB:client%2D1\"");
        assert_eq!(header(&request, "Sec-WebSocket-Extensions"), expected);
    }
}

/// Proves: R-WS.12
#[tokio::test]
async fn the_client_gives_up_without_the_subprotocol() {
    for headers in [
        "",
        "Sec-WebSocket-Protocol: v2.usp\r\n",
        "Sec-WebSocket-Protocol: v1.usp, v2.usp\r\n",
        "Sec-WebSocket-Protocol: v1.usp\r\nSec-WebSocket-Protocol: v2.usp\r\n",
    ] {
        let (target, server) = raw_server("101 Switching Protocols", headers).await;
        let error = soon(dial(&target, &settings(CLIENT))).await.unwrap_err();
        assert!(
            matches!(error, DialError::NoSubprotocol),
            "{headers}: {error}"
        );
        let (_, mut raw) = soon(server).await.unwrap();
        assert!(raw.is_closed().await);
    }
}

/// Every way in which dialling fails has its own error.
#[tokio::test]
async fn the_client_says_which_step_failed() {
    let mut settings = settings(CLIENT);
    settings.handshake_timeout = Duration::from_millis(100);
    let failure = async |target: &str| {
        soon(dial(&target.parse().unwrap(), &settings))
            .await
            .unwrap_err()
    };

    let error = failure("wss://127.0.0.1:1/usp").await;
    assert!(
        matches!(error, DialError::TlsNotConfigured { .. }),
        "{error}"
    );
    let error = failure(&format!("ws://{}.invalid/usp", "a".repeat(70))).await;
    assert!(matches!(error, DialError::Resolve { .. }), "{error}");

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let error = failure(&format!("ws://{address}/usp")).await;
    assert!(
        matches!(
            error,
            DialError::Timeout {
                step: DialStep::Handshake
            }
        ),
        "{error}"
    );
    drop(silent);
    let error = failure(&format!("ws://{address}/usp")).await;
    assert!(matches!(error, DialError::Connect { .. }), "{error}");

    let listener = listen(common::settings(SERVER)).await;
    let error = failure(&format!("ws://{}/other", listener.local_addr())).await;
    assert_eq!(
        error.to_string(),
        "the server refused with HTTP status 404: no USP Endpoint at this path, use /usp"
    );
    let (target, _server) = raw_server("200 OK", OFFER).await;
    let error = failure(&target.to_string()).await;
    assert!(
        matches!(error, DialError::Refused { status: 200, .. }),
        "{error}"
    );
}

/// As browsers call themselves.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0\r\n";

/// Proves: R-WS.2, R-WS.7
#[tokio::test]
async fn requests_that_are_no_websocket_handshake_of_ours_get_their_status() {
    let listener = listen(settings(SERVER)).await;
    let good = request("/usp", OFFER);
    for (request, status) in [
        (good.replace("/usp", "/"), "404"),
        (good.replace("/usp", "/usp/"), "404"),
        (good.replace("GET", "POST"), "405"),
        (good.replace("HTTP/1.1", "HTTP/1.0"), "505"),
        (good.replace("Upgrade: websocket", "Upgrade: h2c"), "426"),
        (
            good.replace("Connection: Upgrade", "Connection: close"),
            "426",
        ),
        (good.replace("Version: 13", "Version: 8"), "426"),
        (
            good.replace("Host:", &format!("Origin: null\r\n{BROWSER}Host:")),
            "403",
        ),
        (good.replace("Sec-WebSocket-Key", "X-Key"), "400"),
        (good.replace("Host:", "Ho st:"), "400"),
        ("\0\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        (
            good.replace("Host:", &format!("X: {}\r\nHost:", "y".repeat(9000))),
            "431",
        ),
        (
            good.replace("Host:", &format!("{}Host:", "x: y\r\n".repeat(200))),
            "400",
        ),
    ] {
        let raw = Raw::connect(&listener).await;
        let answer = raw.refused(&request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:.200}\n{answer}"
        );
    }
    // Agents that are made with some libraries name an origin.
    let names_an_origin = good.replace("Host:", "Origin: http://server\r\nHost:");
    for good in [good, names_an_origin] {
        let mut raw = Raw::connect(&listener).await;
        assert!(raw.exchange(&good).await.starts_with("HTTP/1.1 101 "));
    }
}

/// A client that sends its request byte by byte succeeds in time, and is cut when it is not.
#[tokio::test]
async fn a_slow_handshake_is_bounded_in_time() {
    let mut slow = settings(SERVER);
    slow.handshake_timeout = Duration::from_secs(1);
    let mut listener = listen(slow).await;
    let mut patient = Raw::connect(&listener).await;
    for byte in request("/usp", OFFER).into_bytes() {
        patient.stream.write_all(&[byte]).await.unwrap();
    }
    assert!(patient.head().await.starts_with("HTTP/1.1 101 "));
    soon(listener.accept()).await.unwrap();

    let started = Instant::now();
    let mut loris = Raw::connect(&listener).await;
    loris
        .stream
        .write_all(b"GET /usp HTTP/1.1\r\n")
        .await
        .unwrap();
    assert!(loris.is_closed().await);
    assert!(started.elapsed() >= Duration::from_millis(990));
}

/// The limit holds for connections in handshake and for open links, and ends with them.
#[tokio::test]
async fn connections_are_limited() {
    let limits = ListenerLimits {
        connections_per_source_max: 2,
        ..ListenerLimits::default()
    };
    let mut listener = listen_within(settings(SERVER), limits).await;
    let (_first, link) = Raw::client(&mut listener).await;
    let _second = Raw::connect(&listener).await;
    let mut third = Raw::connect(&listener).await;
    let answer = third.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");

    drop(link);
    let (_fourth, _link) = Raw::client(&mut listener).await;
}

/// Connections beyond the rate wait their turn, they are not refused.
#[tokio::test]
async fn the_rate_of_accepting_is_limited() {
    let limits = ListenerLimits {
        accepts_per_second: 10,
        accept_burst: 2,
        ..ListenerLimits::default()
    };
    let mut listener = listen_within(settings(SERVER), limits).await;
    let started = Instant::now();
    let mut peers = Vec::new();
    for _ in 0..5 {
        peers.push(Raw::client(&mut listener).await);
    }
    assert!(
        started.elapsed() >= Duration::from_millis(190),
        "{:?}",
        started.elapsed()
    );
}

/// A plain door off loopback has to be asked for by name.
///
/// Proves: R-MTP.0
#[tokio::test]
async fn plain_doors_are_on_loopback_unless_asked_otherwise() {
    let open = async |address: &str, insecure| {
        let door = Door {
            address: address.parse().unwrap(),
            path: "/usp".to_owned(),
            tls: false,
            insecure,
        };
        Listener::bind(door, settings(SERVER), ListenerLimits::default()).await
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = open(address, false).await.unwrap_err();
        assert!(matches!(error, BindError::NotLoopback { .. }));
        assert!(error.to_string().starts_with(address), "{error}");
    }
    open("127.0.0.1:0", false).await.unwrap();
    let listener = open("0.0.0.0:0", true).await.unwrap();
    let error = open(&format!("0.0.0.0:{}", listener.local_addr().port()), true).await;
    assert!(matches!(error, Err(BindError::Address { .. })));
}

/// A listener that is gone leaves nobody waiting; a link that came out of it lives on.
#[tokio::test]
async fn dropping_the_listener_closes_the_door_and_keeps_the_links() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, mut link) = Raw::client(&mut listener).await;
    let mut waiting = Raw::connect(&listener).await;
    waiting.stream.write_all(b"GET /usp").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(listener);
    assert!(waiting.is_closed().await);
    raw.send(BINARY, &record("self::raw", SERVER, 1).to_bytes())
        .await;
    next_record(&mut link.receiver).await;
}

//! An open link, over real sockets on loopback: frames, bad input, deadlines, closing.

mod common;

use std::time::Duration;

use common::*;
use tokio::io::AsyncReadExt;
use tokio::time::sleep;
use usphere_mtp::websocket::{CloseReason, Link, LinkEvent, SendError, close_code};
use usphere_proto::Record;

/// Polls a link until it ends, as a host does.
fn drive(mut link: Link) -> tokio::task::JoinHandle<CloseReason> {
    tokio::spawn(async move {
        loop {
            match link.receiver.recv().await {
                Some(LinkEvent::Closed(reason)) => return reason,
                Some(_) => {}
                None => panic!("no reason was given"),
            }
        }
    })
}

/// One Record is one binary message in one unfragmented frame.
///
/// Proves: R-WS.14, R-WS.14a, R-WS.15
#[tokio::test]
async fn a_record_is_one_binary_frame() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, link) = Raw::client(&mut listener).await;
    let sender = link.sender.clone();
    let _driver = drive(link);
    for bytes in [1, 200, 70_000, 1_000_000] {
        let record = record(SERVER, "self::raw", bytes);
        sender.try_send(&record).unwrap();
        let (first, payload) = raw.receive().await;
        assert_eq!(first, BINARY);
        assert_eq!(payload, record.to_bytes());
    }
}

/// Proves: R-WS.14b
#[tokio::test]
async fn fragments_are_put_together_with_pings_between_them() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, mut link) = Raw::client(&mut listener).await;
    let record = record("self::raw", SERVER, 1000);
    let bytes = record.to_bytes();
    raw.send(0x02, &bytes[..10]).await;
    raw.send(0x00, &bytes[10..500]).await;
    raw.send(PING, b"between").await;
    raw.send(0x00, b"").await;
    raw.send(0x80, &bytes[500..]).await;
    assert_eq!(next_record(&mut link.receiver).await, record);
    let _driver = drive(link);
    assert_eq!(raw.receive().await, (PONG, b"between".to_vec()));
}

/// Proves: R-WS.13, R-WS.17
#[tokio::test]
async fn a_ping_is_answered_with_its_own_bytes() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, link) = Raw::client(&mut listener).await;
    let _driver = drive(link);
    raw.send(PING, b"12345").await;
    assert_eq!(raw.receive().await, (PONG, b"12345".to_vec()));
    raw.send(PONG, b"unasked").await;
    raw.send(PING, b"").await;
    assert_eq!(raw.receive().await, (PONG, Vec::new()));
}

/// Both ends Ping at their interval; while Pongs come the link stays, without them it ends.
///
/// Proves: R-WS.13, R-WS.17, R-WS.18
#[tokio::test]
async fn pings_come_at_the_interval_and_a_silent_peer_is_given_up() {
    let mut fast = settings(SERVER);
    fast.ping_interval = Duration::from_millis(60);
    fast.pong_timeout = Duration::from_secs(1);
    let mut listener = listen(fast.clone()).await;
    let (mut raw, link) = Raw::client(&mut listener).await;
    let driver = drive(link);
    let started = std::time::Instant::now();
    for _ in 0..5 {
        let (first, payload) = raw.receive().await;
        assert_eq!(first, PING);
        raw.send(PONG, &payload).await;
    }
    assert!(
        started.elapsed() >= Duration::from_millis(290),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(soon(driver).await.unwrap(), CloseReason::Silent);

    let (target, server) = raw_server("101 Switching Protocols", OFFER).await;
    let link = usphere_mtp::websocket::dial(&target, &fast).await.unwrap();
    let (_, mut raw) = soon(server).await.unwrap();
    let driver = drive(link);
    assert_eq!(raw.receive().await.0, PING);
    assert_eq!(soon(driver).await.unwrap(), CloseReason::Silent);
}

/// Two of our own ends keep each other alive.
///
/// Proves: R-WS.17
#[tokio::test]
async fn two_quiet_ends_keep_their_link() {
    let quick = |id| {
        let mut settings = settings(id);
        settings.ping_interval = Duration::from_millis(20);
        settings.pong_timeout = Duration::from_secs(2);
        settings
    };
    let (client, server) = pair(quick(CLIENT), quick(SERVER)).await;
    let (client, server) = (drive(client), drive(server));
    sleep(Duration::from_secs(3)).await;
    assert!(!client.is_finished() && !server.is_finished());
}

/// Proves: R-WS.16, TP-469 7.6
#[tokio::test]
async fn what_is_not_a_record_ends_the_link_with_1003() {
    let mut listener = listen(settings(SERVER)).await;
    let good = record("self::raw", SERVER, 100).to_bytes();
    let not_utf8 = [&[0x0A, 2, 0xFF, 0xFE][..], &good].concat();
    for (first, payload) in [
        (TEXT, &b"hello"[..]),
        (TEXT, b""),
        (TEXT, b"\xFF\xFE"),
        (BINARY, b"\xFF\xFF\xFF\xFF"),
        (BINARY, &good[..good.len() - 1]),
        (BINARY, &not_utf8),
    ] {
        let (mut raw, link) = Raw::client(&mut listener).await;
        let driver = drive(link);
        raw.send(first, payload).await;
        assert_eq!(raw.receive_close().await, 1003, "{payload:?}");
        raw.send(CLOSE, &1003_u16.to_be_bytes()).await;
        assert!(raw.is_closed().await);
        let reason = soon(driver).await.unwrap();
        assert!(matches!(reason, CloseReason::NotARecord(_)), "{reason:?}");
    }
}

/// The client end answers garbage the same way.
///
/// Proves: R-WS.16
#[tokio::test]
async fn the_client_too_ends_with_1003() {
    let (target, server) = raw_server("101 Switching Protocols", OFFER).await;
    let link = usphere_mtp::websocket::dial(&target, &settings(CLIENT))
        .await
        .unwrap();
    let (_, mut raw) = soon(server).await.unwrap();
    let driver = drive(link);
    raw.send(TEXT, b"{}").await;
    assert_eq!(raw.receive_close().await, 1003);
    drop(raw);
    assert!(matches!(
        soon(driver).await.unwrap(),
        CloseReason::NotARecord(_)
    ));
}

/// What decodes and breaks a rule is handed up with its refusal, and the link goes on.
#[tokio::test]
async fn a_record_that_breaks_a_rule_leaves_the_link_open() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, mut link) = Raw::client(&mut listener).await;
    raw.send(BINARY, b"").await;
    let event = soon(link.receiver.recv()).await;
    assert!(matches!(event, Some(LinkEvent::Refused(_))), "{event:?}");
    let good = record("self::raw", SERVER, 1);
    raw.send(BINARY, &good.to_bytes()).await;
    assert_eq!(next_record(&mut link.receiver).await, good);
}

/// A large message ends its own link with 1009, before it is held, and no other.
#[tokio::test]
async fn a_message_that_is_too_large_ends_its_link_with_1009() {
    let mut small = settings(SERVER);
    small.record_bytes_max = 1_000_000;
    let mut listener = listen(small).await;
    let (mut other, other_link) = Raw::client(&mut listener).await;
    let other_sender = other_link.sender.clone();
    let _other = drive(other_link);
    let half = vec![7; 600_000];
    for frames in [
        vec![(BINARY, vec![7; 10 << 20])],
        vec![(0x02, half.clone()), (0x00, half)],
    ] {
        let (raw, link) = Raw::client(&mut listener).await;
        let driver = drive(link);
        let (mut read, mut write) = raw.stream.into_split();
        let writer = tokio::spawn(async move {
            for (first, payload) in frames {
                let bytes = frame(first, &payload, true);
                let _ = tokio::io::AsyncWriteExt::write_all(&mut write, &bytes).await;
            }
            write
        });
        let mut answer = Vec::new();
        soon(read.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer[0], CLOSE);
        assert_eq!(answer[2..4], close_code::TOO_BIG.to_be_bytes());
        drop(soon(writer).await.unwrap());
        assert_eq!(
            soon(driver).await.unwrap(),
            CloseReason::TooLarge { max: 1_000_000 }
        );
    }
    let record = record(SERVER, "self::raw", 1);
    other_sender.try_send(&record).unwrap();
    assert_eq!(other.receive().await.1, record.to_bytes());
}

/// Proves: R-WS.13, R-WS.15
#[tokio::test]
async fn broken_frames_end_the_link_with_1002() {
    let mut listener = listen(settings(SERVER)).await;
    for bytes in [
        frame(BINARY, b"", false),
        frame(0xC2, b"", true),
        frame(0x83, b"", true),
        frame(0x80, b"", true),
        frame(0x09, b"", true),
        frame(PING, &[0; 126], true),
    ] {
        let (mut raw, link) = Raw::client(&mut listener).await;
        let driver = drive(link);
        tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &bytes)
            .await
            .unwrap();
        assert_eq!(raw.receive_close().await, close_code::PROTOCOL, "{bytes:?}");
        drop(raw);
        let reason = soon(driver).await.unwrap();
        assert!(matches!(reason, CloseReason::Protocol(_)), "{reason:?}");
    }
}

/// A peer that never reads is cut in time, and what is held for it is bounded until then.
#[tokio::test]
async fn a_peer_that_never_reads_is_cut() {
    let mut strict = settings(SERVER);
    strict.write_timeout = Duration::from_millis(300);
    strict.queue_bytes_max = 1 << 20;
    strict.queue_records_max = 8;
    let mut listener = listen(strict).await;
    let (mut flood, link) = Raw::client(&mut listener).await;
    let sender = link.sender.clone();
    let driver = drive(link);
    // It floods meanwhile: Pings that all want an answer.
    let flooder = tokio::spawn(async move {
        let ping = frame(PING, &[1; 125], true).repeat(100);
        while tokio::io::AsyncWriteExt::write_all(&mut flood.stream, &ping)
            .await
            .is_ok()
        {}
    });
    let big = record(SERVER, "self::raw", 500_000);
    let mut accepted = 0;
    while !driver.is_finished() {
        match sender.try_send(&big) {
            Ok(()) => accepted += 1,
            Err(SendError::Full) => sleep(Duration::from_millis(5)).await,
            Err(error) => assert_eq!(error, SendError::Closed),
        }
        tokio::task::yield_now().await;
        assert!(
            accepted < 100,
            "the system's buffers hold a few megabytes at most"
        );
    }
    assert_eq!(driver.await.unwrap(), CloseReason::SlowReader);
    assert_eq!(sender.try_send(&big), Err(SendError::Closed));
    soon(flooder).await.unwrap();
}

/// Pings alone, never read the answers: bounded and cut as well.
#[tokio::test]
async fn a_flood_of_pings_whose_answers_are_not_read_is_cut() {
    let mut strict = settings(SERVER);
    strict.write_timeout = Duration::from_millis(300);
    strict.queue_bytes_max = 64 * 1024;
    let mut listener = listen(strict).await;
    let (mut flood, link) = Raw::client(&mut listener).await;
    let driver = drive(link);
    let flooder = tokio::spawn(async move {
        let ping = frame(PING, &[1; 125], true).repeat(100);
        while tokio::io::AsyncWriteExt::write_all(&mut flood.stream, &ping)
            .await
            .is_ok()
        {}
    });
    assert_eq!(soon(driver).await.unwrap(), CloseReason::SlowReader);
    soon(flooder).await.unwrap();
}

/// A slow reader that makes progress is not cut.
#[tokio::test]
async fn a_large_record_may_take_longer_than_one_timeout() {
    let mut strict = settings(SERVER);
    strict.write_timeout = Duration::from_millis(400);
    let mut listener = listen(strict).await;
    let (mut raw, link) = Raw::client(&mut listener).await;
    let sender = link.sender.clone();
    let driver = drive(link);
    let big = record(SERVER, "self::raw", 8_000_000);
    sender.try_send(&big).unwrap();
    let mut space = vec![0; 400_000];
    let mut left = big.to_bytes().len() + 10;
    while left > 0 {
        sleep(Duration::from_millis(40)).await;
        left -= soon(raw.stream.read(&mut space)).await.unwrap().min(left);
    }
    assert!(!driver.is_finished());
}

/// What was queued before a close still arrives, then both sides agree on the end.
///
/// Proves: R-WS.8, R-WS.13
#[tokio::test]
async fn closing_is_a_handshake_between_our_two_ends() {
    for by_client in [true, false] {
        let (client, server) = pair(settings(CLIENT), settings(SERVER)).await;
        let (closer, mut other) = if by_client {
            (client, server)
        } else {
            (server, client)
        };
        let last = record(CLIENT, SERVER, 10);
        closer.sender.try_send(&last).unwrap();
        closer.sender.close(close_code::GOING_AWAY, "shutting down");
        assert_eq!(closer.sender.try_send(&last), Err(SendError::Closed));
        assert!(closer.sender.is_closed());
        let closer = drive(closer);
        assert_eq!(next_record(&mut other.receiver).await, last);
        let text = "shutting down".to_owned();
        assert_eq!(
            end(&mut other.receiver).await,
            CloseReason::ByPeer {
                code: Some(1001),
                text: text.clone()
            }
        );
        assert!(soon(other.receiver.recv()).await.is_none());
        assert_eq!(other.sender.try_send(&last), Err(SendError::Closed));
        assert_eq!(
            soon(closer).await.unwrap(),
            CloseReason::ByUs { code: 1001, text }
        );
    }
}

/// Proves: R-WS.8, R-WS.13
#[tokio::test]
async fn a_close_frame_is_answered_and_the_server_closes_the_connection() {
    let mut listener = listen(settings(SERVER)).await;
    for (payload, code) in [(&b"\x03\xE8bye"[..], Some(1000)), (b"", None)] {
        let (mut raw, link) = Raw::client(&mut listener).await;
        let driver = drive(link);
        raw.send(CLOSE, payload).await;
        assert_eq!(raw.receive().await, (CLOSE, payload.to_vec()));
        assert!(raw.is_closed().await);
        let CloseReason::ByPeer { code: found, .. } = soon(driver).await.unwrap() else {
            panic!()
        };
        assert_eq!(found, code);
    }
}

/// A peer that does not answer a Close frame, or sends on for ever, does not hold the link.
///
/// Proves: R-WS.8
#[tokio::test]
async fn the_closing_handshake_has_a_deadline() {
    let mut listener = listen(settings(SERVER)).await;
    let (mut raw, link) = Raw::client(&mut listener).await;
    let sender = link.sender.clone();
    let driver = drive(link);
    sender.close(close_code::NORMAL, "");
    assert_eq!(raw.receive_close().await, 1000);
    let chatter = tokio::spawn(async move {
        let bytes = frame(BINARY, &record("self::raw", SERVER, 100).to_bytes(), true);
        while tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &bytes)
            .await
            .is_ok()
        {}
    });
    let text = String::new();
    assert_eq!(
        soon(driver).await.unwrap(),
        CloseReason::ByUs { code: 1000, text }
    );
    soon(chatter).await.unwrap();
}

/// A close that was asked for while the peer does not read ends in time as well.
#[tokio::test]
async fn a_close_behind_a_blocked_write_has_a_deadline() {
    let mut listener = listen(settings(SERVER)).await;
    let (_raw, link) = Raw::client(&mut listener).await;
    let sender = link.sender.clone();
    let driver = drive(link);
    let big = record(SERVER, "self::raw", 7_000_000);
    for _ in 0..4 {
        let _ = sender.try_send(&big);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(sender.try_send(&big), Err(SendError::Full));
    sender.close(close_code::GOING_AWAY, "enough");
    let text = "enough".to_owned();
    assert_eq!(
        soon(driver).await.unwrap(),
        CloseReason::ByUs { code: 1001, text }
    );
}

/// A connection that breaks is told from one that is closed.
#[tokio::test]
async fn a_lost_connection_is_reported() {
    let mut listener = listen(settings(SERVER)).await;
    let (raw, mut link) = Raw::client(&mut listener).await;
    drop(raw);
    let reason = end(&mut link.receiver).await;
    assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
    assert!(soon(link.receiver.recv()).await.is_none());
}

/// Events come in batches, in order, and none is lost between `recv_many` and `recv`.
#[tokio::test]
async fn events_are_taken_in_batches() {
    let (client, mut server) = pair(settings(CLIENT), settings(SERVER)).await;
    let records: Vec<Record> = (1..100)
        .map(|bytes| record(CLIENT, SERVER, bytes))
        .collect();
    for record in &records {
        client.sender.try_send(record).unwrap();
    }
    let _client = drive(client);
    let mut events = Vec::new();
    while events.len() < records.len() {
        let before = events.len();
        let count = soon(server.receiver.recv_many(&mut events, 10)).await;
        assert!((1..=10).contains(&count) && events.len() == before + count);
    }
    for (event, expected) in events.iter().zip(&records) {
        let LinkEvent::Record(record, bytes) = event else {
            panic!("{event:?}")
        };
        assert_eq!((record, *bytes), (expected, expected.to_bytes().len()));
    }
}

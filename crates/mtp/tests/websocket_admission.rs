//! A door that more want to pass than it can let in: who waits, who makes room, and who is told to come
//! back, and when.

mod common;

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use usphere_mtp::limits::{HANDSHAKE_GRACE, RETRY_AFTER_MAX, RETRY_AFTER_MIN};
use usphere_mtp::websocket::{CloseReason, DialError, DoorCounts, ListenerLimits, dial};

use common::tls::House;
use common::{
    BINARY, CLIENT, OFFER, Raw, SERVER, end, listen_within, next_record, record, request, settings,
    soon, target,
};

const ONE: ListenerLimits = ListenerLimits {
    connections_max: 1,
    connections_per_source_max: 1,
    accepts_per_second: 1_000,
    accept_burst: 1_000,
    accepts_per_source_per_second: 1_000,
    handshakes_max: 100,
    handshakes_per_source_max: 100,
    begun_bytes_max: 1 << 20,
};

/// Whoever finds no place hears it as HTTP has it, with a time that is not everybody's.
#[tokio::test]
async fn who_finds_no_place_is_told_when_to_come_back() {
    let mut listener = listen_within(settings(SERVER), ONE).await;
    let (_first, link) = Raw::client(&mut listener).await;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let refused = soon(dial(&target(&listener), &settings(CLIENT))).await;
        let error = refused.unwrap_err();
        assert!(
            matches!(error, DialError::Refused { status: 503, .. }),
            "{error}"
        );
        waits.push(error.retry_after().unwrap());
    }
    let range = RETRY_AFTER_MIN..=RETRY_AFTER_MAX;
    assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    let counts = listener.watch().counts();
    let expected = DoorCounts {
        connections: 1,
        opened: 1,
        turned_away: 20,
        ..DoorCounts::default()
    };
    assert_eq!(counts, expected);

    drop(link);
    soon(async {
        while dial(&target(&listener), &settings(CLIENT)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn over_tls_too() {
    let house = House::new("house");
    let mut listener = listen_within(house.member(SERVER), ONE).await;
    let client = house.member(CLIENT);
    let first = soon(dial(&target(&listener), &client)).await.unwrap();
    let _link = soon(listener.accept()).await.unwrap();
    let error = soon(dial(&target(&listener), &client)).await.unwrap_err();
    assert!(
        matches!(error, DialError::Refused { status: 503, .. }),
        "{error}"
    );
    assert!(error.retry_after().unwrap() >= RETRY_AFTER_MIN);
    drop(first);
}

/// A crowd that never goes on keeps nobody out: the oldest of it leaves.
#[tokio::test]
async fn handshakes_that_do_not_go_on_make_room() {
    let limits = ListenerLimits {
        connections_max: 100,
        connections_per_source_max: 100,
        handshakes_max: 3,
        ..ONE
    };
    let mut listener = listen_within(settings(SERVER), limits).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(&listener).await;
        raw.stream.write_all(b"GET /usp").await.unwrap();
        silent.push(raw);
    }
    let watch = listener.watch();
    soon(async {
        while watch.counts().handshakes < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // As long as they may still be about to go on, the others are put off.
    let early = soon(dial(&target(&listener), &settings(CLIENT))).await;
    assert!(
        matches!(early, Err(DialError::Refused { status: 503, .. })),
        "{early:?}"
    );
    tokio::time::sleep(HANDSHAKE_GRACE).await;
    let started = Instant::now();
    let (_client, _link) = Raw::client(&mut listener).await;
    // Those who are silent have ten seconds where there is room.
    assert!(started.elapsed() < Duration::from_secs(8));
    assert!(silent[0].is_closed().await);
    assert_eq!(listener.watch().counts().evicted, 1);
    // The others may still go on.
    let rest = request("/usp", OFFER);
    let rest = rest.strip_prefix("GET /usp").unwrap();
    assert!(silent[1].exchange(rest).await.starts_with("HTTP/1.1 101 "));
}

/// Whoever hammers is kept to its share, and the links that there are go on.
#[tokio::test]
async fn a_source_beyond_its_pace_is_turned_away() {
    let limits = ListenerLimits {
        connections_max: 1_000,
        connections_per_source_max: 1_000,
        accepts_per_source_per_second: 10,
        ..ONE
    };
    let mut listener = listen_within(settings(SERVER), limits).await;
    let mut waiting = Vec::new();
    for _ in 0..60 {
        waiting.push(Raw::connect(&listener).await);
    }
    let watch = listener.watch();
    soon(async {
        while watch.counts().turned_away < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Ten at once, and those whose turn comes within three seconds.
    let connections = watch.counts().connections;
    assert!((38..=42).contains(&connections), "{connections}");
    assert!(
        waiting[0]
            .exchange(&request("/usp", OFFER))
            .await
            .starts_with("HTTP/1.1 101 ")
    );
    let _link = soon(listener.accept()).await.unwrap();
    let told = waiting
        .pop()
        .unwrap()
        .refused(&request("/usp", OFFER))
        .await;
    assert!(
        told.starts_with("HTTP/1.1 503 ") && told.contains("\r\nRetry-After: "),
        "{told}"
    );
}

/// Many large Records that are begun and not finished are too much together; small ones and whole ones go on.
#[tokio::test]
async fn large_records_that_are_not_finished_are_bounded_together() {
    let limits = ListenerLimits {
        connections_max: 100,
        connections_per_source_max: 100,
        ..ONE
    };
    let mut listener = listen_within(settings(SERVER), limits).await;
    let mut dribbling = Vec::new();
    let mut ends = JoinSet::new();
    for _ in 0..20 {
        let (mut raw, mut link) = Raw::client(&mut listener).await;
        ends.spawn(async move { end(&mut link.receiver).await });
        let head = [&[0x82, 0xff][..], &(4_u64 << 20).to_be_bytes(), &[0; 4]].concat();
        raw.stream.write_all(&head).await.unwrap();
        raw.stream.write_all(&[0; 100 << 10]).await.unwrap();
        dribbling.push(raw);
    }
    // Ten of them fit.
    for _ in 0..10 {
        let reason = soon(ends.join_next()).await.unwrap().unwrap();
        assert!(
            matches!(reason, CloseReason::ByUs { code: 1008, .. }),
            "{reason:?}"
        );
    }
    assert!(ends.try_join_next().is_none());
    let (mut raw, mut link) = Raw::client(&mut listener).await;
    let bytes = record(CLIENT, SERVER, 10_000).to_bytes();
    for _ in 0..50 {
        raw.send(BINARY, &bytes).await;
        next_record(&mut link.receiver).await;
    }
}

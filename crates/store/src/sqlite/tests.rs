//! What the store promises, on SQLite.

use std::fs;
use std::thread;

use super::*;
use crate::limits::{PAGE_DEVICES_MAX, TEXT_BYTES_MAX};
use crate::{Described, Description, DeviceState, Protocol, Store};

mod access;
mod copies;
mod files;
mod harm;
mod onboarding;
mod poison;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("server.db")).unwrap()
}

fn sighting(id: &str, at: i64) -> Sighting {
    Sighting {
        endpoint_id: id.to_owned(),
        protocol: Protocol::Usp,
        at,
        remote_address: Some("192.0.2.1:40000".to_owned()),
        mtp: Some("websocket".to_owned()),
        state: DeviceState::Approved,
        proven: false,
    }
}

fn describe(store: &Store, id: &str, description: Description) {
    let described = Described {
        endpoint_id: id.to_owned(),
        description,
        subscriptions: None,
    };
    store.describe(vec![described]).unwrap();
}

fn ids(listing: &Listing) -> Vec<&str> {
    listing
        .devices
        .iter()
        .map(|device| device.endpoint_id.as_str())
        .collect()
}

#[test]
fn a_new_store_is_empty_and_private() {
    let folder = folder();
    let path = folder.path().join("data/server.db");
    let store = Store::open(&path).unwrap();
    store.seen(vec![sighting("os::1", 1)]).unwrap();
    for file in fs::read_dir(folder.path().join("data")).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mode = fs::metadata(folder.path().join("data"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_search_finds_all_words_anywhere_page_by_page() {
    let folder = folder();
    let store = store(&folder);
    let names = ["os::A-1", "os::A-2", "os::B-1", "os::B-2"];
    store
        .seen(names.iter().map(|name| sighting(name, 1)).collect())
        .unwrap();
    store.set_alias("os::B-2", Some("Kitchen 100%")).unwrap();
    let said = Description {
        manufacturer: Some("Acme".to_owned()),
        ..Description::default()
    };
    describe(&store, "os::A-2", said.clone());
    describe(&store, "os::B-2", said);
    let search = |text: &str, after: Option<&str>, limit: u32| {
        let keep = |id: &str| id != "os::A-1";
        let filter = Filter {
            text,
            keep: &keep,
            fields: &[],
            tags: &[],
        };
        store.list(after, limit, &filter).unwrap()
    };
    assert_eq!(ids(&search("", None, 9)), names[1..]);
    assert_eq!(ids(&search(" acme  KITCHEN ", None, 9)), ["os::B-2"]);
    assert_eq!(
        ids(&search("192.0.2.1 b-", None, 9)),
        ["os::B-1", "os::B-2"]
    );
    // No character means anything else than itself, and no word spans two fields.
    assert_eq!(ids(&search("100%", None, 9)), ["os::B-2"]);
    assert_eq!(ids(&search("%", None, 9)), ["os::B-2"]);
    assert_eq!(ids(&search("_", None, 9)), [] as [&str; 0]);

    let first = search("acme", None, 1);
    assert_eq!(
        (ids(&first), first.next.as_deref()),
        (vec!["os::A-2"], Some("os::A-2"))
    );
    let last = search("acme", first.next.as_deref(), 1);
    assert_eq!((ids(&last), &last.next), (vec!["os::B-2"], &None));
}

#[test]
fn every_connection_is_durable_and_bounded_in_patience() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let _store = Store::open(&path).unwrap();
    let connection = Place(path).connect().unwrap();
    let number = |pragma: &str| -> i64 {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("synchronous"), 2);
    assert_eq!(number("foreign_keys"), 1);
    assert_eq!(number("busy_timeout"), 10_000);
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_device_is_kept_with_all_that_is_known() {
    let folder = folder();
    let said = Description {
        manufacturer: Some("Maker".to_owned()),
        oui: Some("0044FF".to_owned()),
        product_class: Some("Box".to_owned()),
        serial_number: Some("S1".to_owned()),
        hardware_version: Some("h1".to_owned()),
        software_version: Some("s1".to_owned()),
        protocol_versions: Some("1.3,1.4".to_owned()),
    };
    let store = store(&folder);
    store.seen(vec![sighting("os::0044FF-S1", 10)]).unwrap();
    describe(&store, "os::0044FF-S1", said.clone());
    let update = Description {
        software_version: Some("s2".to_owned()),
        ..Description::default()
    };
    describe(&store, "os::0044FF-S1", update);
    store.set_alias("os::0044FF-S1", Some("Küche")).unwrap();
    drop(store);
    let expected = Device {
        endpoint_id: "os::0044FF-S1".to_owned(),
        alias: Some("Küche".to_owned()),
        protocol: Protocol::Usp,
        description: Description {
            software_version: Some("s2".to_owned()),
            ..said
        },
        first_seen: 10,
        last_seen: 10,
        remote_address: Some("192.0.2.1:40000".to_owned()),
        last_mtp: Some("websocket".to_owned()),
        state: DeviceState::Approved,
        proven: false,
        subscriptions: None,
        tags: Vec::new(),
    };
    let store = self::store(&folder);
    assert_eq!(store.find("Küche").unwrap(), expected);
    // One that was removed meanwhile stays away.
    describe(&store, "os::nobody", Description::default());
    assert_eq!(store.count().unwrap(), 1);
}

#[test]
fn a_late_sighting_does_not_overwrite_a_newer_one() {
    let folder = folder();
    let store = store(&folder);
    store.seen(vec![sighting("os::1", 100)]).unwrap();
    let late = Sighting {
        remote_address: Some("late".to_owned()),
        ..sighting("os::1", 50)
    };
    let silent = Sighting {
        remote_address: None,
        mtp: None,
        ..sighting("os::1", 200)
    };
    store.seen(vec![late, silent]).unwrap();
    let device = store.find("os::1").unwrap();
    assert_eq!((device.first_seen, device.last_seen), (50, 200));
    assert_eq!(device.remote_address.as_deref(), Some("192.0.2.1:40000"));
    assert_eq!(device.last_mtp.as_deref(), Some("websocket"));
}

#[test]
fn leaving_adds_nobody_and_changes_only_the_time() {
    let folder = folder();
    let store = store(&folder);
    store
        .seen(vec![sighting("os::1", 100), sighting("os::2", 100)])
        .unwrap();
    let before = store.find("os::1").unwrap();
    store.remove("os::2").unwrap();
    store.left_soon("os::1", 150, || ()).unwrap();
    store.left_soon("os::2", 150, || ()).unwrap();
    let all = ["os::1", "os::2", "os::3"].map(str::to_owned);
    store.left(all.to_vec(), 140).unwrap();
    let left = Device {
        last_seen: 150,
        ..before
    };
    assert_eq!(store.list(None, 10, &Filter::ALL).unwrap().devices, [left]);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let folder = folder();
    let store = store(&folder);
    store
        .seen(
            (0..25)
                .map(|n| sighting(&format!("os::{n:02}"), n))
                .collect(),
        )
        .unwrap();
    let first = store.list(None, 10, &Filter::ALL).unwrap();
    assert_eq!(ids(&first).len(), 10);
    // What comes and goes between pages does not disturb the others.
    store.remove("os::03").unwrap();
    store.remove("os::09").unwrap();
    let second = store.list(first.next.as_deref(), 10, &Filter::ALL).unwrap();
    assert_eq!(ids(&second).first(), Some(&"os::10"));
    let third = store
        .list(second.next.as_deref(), 10, &Filter::ALL)
        .unwrap();
    assert_eq!(
        ids(&third),
        ["os::20", "os::21", "os::22", "os::23", "os::24"]
    );
    assert_eq!(third.next, None);
    assert_eq!(store.list(None, 23, &Filter::ALL).unwrap().next, None);
    assert_eq!(store.list(None, 0, &Filter::ALL).unwrap().devices.len(), 1);
    assert_eq!(store.count().unwrap(), 23);
}

#[test]
fn a_page_is_bounded() {
    let folder = folder();
    let store = store(&folder);
    let many = i64::from(PAGE_DEVICES_MAX) + 5;
    store
        .seen(
            (0..many)
                .map(|n| sighting(&format!("os::{n:05}"), n))
                .collect(),
        )
        .unwrap();
    let page = store.list(None, u32::MAX, &Filter::ALL).unwrap();
    assert_eq!(page.devices.len(), PAGE_DEVICES_MAX as usize);
    assert!(page.next.is_some());
}

#[test]
fn a_device_is_found_by_id_then_alias_then_part() {
    let folder = folder();
    let store = store(&folder);
    let ids = ["os::AA-1", "os::AA-11", "os::BB-2", "alias"];
    store.seen(ids.map(|id| sighting(id, 1)).to_vec()).unwrap();
    store.set_alias("os::BB-2", Some("AA")).unwrap();
    store.set_alias("os::AA-11", Some("alias")).unwrap();
    let found = |text: &str| store.find(text).map(|device| device.endpoint_id);
    assert_eq!(found("os::AA-1").unwrap(), "os::AA-1");
    assert_eq!(found("AA").unwrap(), "os::BB-2");
    assert_eq!(found("alias").unwrap(), "alias");
    assert_eq!(found("bb-").unwrap(), "os::BB-2");
    for nobody in ["", "%", "_", "*", "AA-111", "'"] {
        let error = found(nobody).unwrap_err();
        assert!(
            matches!(error, StoreError::NotFound(_)),
            "{nobody:?}: {error}"
        );
    }
    let error = found("AA-").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"AA-\" fits 2 devices: os::AA-1, os::AA-11; give more of the Endpoint ID"
    );
}

#[test]
fn an_ambiguous_search_names_some_and_counts_all() {
    let folder = folder();
    let store = store(&folder);
    store
        .seen(
            (0..30)
                .map(|n| sighting(&format!("os::{n:02}"), n))
                .collect(),
        )
        .unwrap();
    let error = store.find("os").unwrap_err();
    let StoreError::Ambiguous {
        candidates, count, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((candidates.len(), *count), (10, 30));
    assert!(error.to_string().contains("os::09 and 20 more;"), "{error}");
}

#[test]
fn an_alias_belongs_to_one_device() {
    let folder = folder();
    let store = store(&folder);
    store
        .seen(vec![sighting("os::1", 1), sighting("os::2", 1)])
        .unwrap();
    store.set_alias("os::1", Some("home")).unwrap();
    store.set_alias("os::1", Some("home")).unwrap();
    let error = store.set_alias("os::2", Some("home")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the alias \"home\" belongs to os::1; take it away there first, or choose another"
    );
    store.set_alias("os::1", None).unwrap();
    store.set_alias("os::2", Some("home")).unwrap();
    let missing = store.set_alias("os::3", Some("away")).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound(_)), "{missing}");
    for alias in ["", " a", "a ", "a\u{0}b", "a\nb", &"x".repeat(65)] {
        let error = store.set_alias("os::1", Some(alias)).unwrap_err();
        assert!(
            matches!(error, StoreError::Invalid(_)),
            "{alias:?}: {error}"
        );
    }
}

#[test]
fn a_removed_device_is_gone_until_it_is_seen_again() {
    let folder = folder();
    let store = store(&folder);
    store.seen(vec![sighting("os::1", 1)]).unwrap();
    store.set_alias("os::1", Some("home")).unwrap();
    store.remove("os::1").unwrap();
    assert!(matches!(store.find("os::1"), Err(StoreError::NotFound(_))));
    assert!(matches!(
        store.remove("os::1"),
        Err(StoreError::NotFound(_))
    ));
    store.seen(vec![sighting("os::1", 9)]).unwrap();
    let device = store.find("os::1").unwrap();
    assert_eq!((device.alias, device.first_seen), (None, 9));
}

#[test]
fn hostile_texts_are_only_texts() {
    let folder = folder();
    let store = store(&folder);
    let hostile = [
        "'; DROP TABLE devices; --",
        "\"quoted\"",
        "nul\u{0}inside",
        "%_[]*?\\",
        "\u{202E}turned \u{1F4A3}",
        "line\nbreak\r\t",
        &"x".repeat(500),
    ];
    for text in hostile {
        let said = Description {
            manufacturer: Some(text.to_owned()),
            ..Description::default()
        };
        store.seen(vec![sighting(text, 1)]).unwrap();
        describe(&store, text, said);
        store.set_setting(text, Some(text)).unwrap();
        let device = store.find(text).unwrap();
        assert_eq!(device.endpoint_id, text);
        assert_eq!(device.description.manufacturer.as_deref(), Some(text));
        assert_eq!(store.setting(text).unwrap().as_deref(), Some(text));
    }
    assert_eq!(store.count().unwrap(), hostile.len() as u64);
    for text in ["", &"x".repeat(513)] {
        let error = store
            .seen(vec![sighting("os::fine", 1), sighting(text, 1)])
            .unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    }
    assert!(store.find("os::fine").is_err());
}

#[test]
fn a_boast_is_cut_between_characters() {
    let folder = folder();
    let store = store(&folder);
    let boast = format!("a{}", "ü".repeat(1_000_000));
    store.seen(vec![sighting("os::1", 1)]).unwrap();
    let said = Description {
        manufacturer: Some(boast),
        ..Description::default()
    };
    describe(&store, "os::1", said);
    let kept = store
        .find("os::1")
        .unwrap()
        .description
        .manufacturer
        .unwrap();
    assert_eq!(kept.len(), TEXT_BYTES_MAX - 1);
    assert!(kept.ends_with('ü'));
}

fn event(device: &str, msg_id: &str, content: &str) -> NewEvent {
    NewEvent {
        device: device.to_owned(),
        at: 1,
        msg_id: msg_id.to_owned(),
        content: content.to_owned(),
    }
}

#[test]
fn an_event_is_kept_once_and_under_a_number_of_its_own() {
    let folder = folder();
    let store = store(&folder);
    assert_eq!(store.last_event().unwrap(), 0);
    let given = vec![
        event("os::1", "a", "x"),
        event("os::2", "a", "x"),
        event("os::1", "a", "x"),
        event("os::1", "a", "y"),
    ];
    let kept = store.add_events(given).unwrap();
    assert_eq!(kept, [Some(1), Some(2), None, Some(3)]);
    drop(store);
    // A restart forgets none of it.
    let store = self::store(&folder);
    let again = store.add_events(vec![event("os::1", "a", "x")]).unwrap();
    assert_eq!(again, [None]);
    let contents = |device: &str, after| -> Vec<String> {
        let events = store.events(device, after, 10).unwrap().into_iter();
        events.map(|event| event.content).collect()
    };
    assert_eq!(contents("os::1", 0), ["x", "y"]);
    assert_eq!(contents("os::1", 1), ["y"]);
    assert_eq!(contents("os::2", 0), ["x"]);
    // Long after, it is another event that happens to look the same.
    let late = NewEvent {
        at: 1 + crate::limits::REPEATED_TIME,
        ..event("os::1", "a", "x")
    };
    assert_eq!(store.add_events(vec![late]).unwrap(), [Some(4)]);
    store.seen(vec![sighting("os::1", 1)]).unwrap();
    store.remove("os::1").unwrap();
    assert!(contents("os::1", 0).is_empty());
    assert_eq!(contents("os::2", 0), ["x"]);
    assert_eq!(store.last_event().unwrap(), 4);
}

#[test]
fn old_events_give_way_by_number_and_by_size() {
    use crate::limits::{EVENT_BYTES_PER_DEVICE_MAX, EVENTS_PER_DEVICE_MAX};
    let folder = folder();
    let store = store(&folder);
    let many = (0..EVENTS_PER_DEVICE_MAX + 5).map(|n| event("os::1", &n.to_string(), "x"));
    store.add_events(many.collect()).unwrap();
    let kept = store.events("os::1", 0, u32::MAX).unwrap();
    assert_eq!(kept.len() as u32, EVENTS_PER_DEVICE_MAX);
    assert_eq!(kept[0].id, 6);
    // One that is larger than all there may be is kept all the same, alone.
    let large = "x".repeat(EVENT_BYTES_PER_DEVICE_MAX as usize + 1);
    store
        .add_events(vec![event("os::1", "large", &large)])
        .unwrap();
    assert_eq!(store.events("os::1", 0, 10).unwrap().len(), 1);
    store
        .add_events(vec![event("os::1", "after", "x")])
        .unwrap();
    let kept = store.events("os::1", 0, 10).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].content, "x");
}

#[test]
fn a_setting_is_made_once() {
    let folder = folder();
    let store = store(&folder);
    assert_eq!(store.setting("endpoint_id").unwrap(), None);
    assert_eq!(
        store.keep_setting("endpoint_id", "self::a").unwrap(),
        "self::a"
    );
    drop(store);
    let store = self::store(&folder);
    assert_eq!(
        store.keep_setting("endpoint_id", "self::b").unwrap(),
        "self::a"
    );
    store.set_setting("endpoint_id", Some("self::c")).unwrap();
    assert_eq!(
        store.setting("endpoint_id").unwrap().as_deref(),
        Some("self::c")
    );
    store.set_setting("endpoint_id", None).unwrap();
    assert_eq!(store.setting("endpoint_id").unwrap(), None);
}

#[test]
fn many_threads_write_and_read_at_once() {
    let folder = folder();
    let store = store(&folder);
    thread::scope(|scope| {
        for writer in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    store
                        .seen(vec![sighting(&format!("os::{writer}-{n:02}"), n)])
                        .unwrap();
                    // Everybody wants the same alias; one has it.
                    let id = format!("os::{writer}-{n:02}");
                    match store.set_alias(&id, Some("wanted")) {
                        Ok(()) | Err(StoreError::AliasTaken { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    assert_eq!(store.find(&id).unwrap().endpoint_id, id);
                }
            });
        }
        for _ in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                (0..100).for_each(|_| drop(store.list(None, 100, &Filter::ALL).unwrap()))
            });
        }
    });
    assert_eq!(store.count().unwrap(), 400);
    let named = store.list(None, 1000, &Filter::ALL).unwrap().devices;
    assert_eq!(
        named.iter().filter(|device| device.alias.is_some()).count(),
        1
    );
}

#[test]
fn sightings_that_nobody_waits_for_are_written_in_groups() {
    let folder = folder();
    let store = store(&folder);
    let mut busy = 0;
    for n in 0..20_000 {
        while let Err(error) = store.seen_soon(sighting(&format!("os::{}", n % 5000), n), || ()) {
            assert!(matches!(error, StoreError::Busy), "{error}");
            busy += 1;
            thread::yield_now();
        }
    }
    // A write that waits comes after all that was left before it.
    store.seen(vec![sighting("os::last", 1)]).unwrap();
    assert_eq!(store.count().unwrap(), 5001);
    assert_eq!(store.find("os::4999").unwrap().last_seen, 19_999);
    println!("busy {busy} times");
}

#[test]
fn dropping_the_store_finishes_what_was_left() {
    let folder = folder();
    let store = store(&folder);
    (0..100).for_each(|n| {
        store
            .seen_soon(sighting(&format!("os::{n}"), n), || ())
            .unwrap()
    });
    drop(store);
    assert_eq!(self::store(&folder).count().unwrap(), 100);
}

//! A database in which something is damaged is opened all the same, with what can be read.

use super::*;
use crate::{NewOperation, OperationProgress, OperationState, OperationWrite};

const DEVICES: usize = 300;

fn operation(number: i64) -> OperationWrite {
    OperationWrite::Add(NewOperation {
        number: number << 20,
        device: format!("os::{number}"),
        kind: "get".into(),
        request: format!("{{\"paths\":[\"Device.{}\"]}}", "x".repeat(200)),
        key: Some(format!("key-{number}")),
        command_key: None,
        is_read: false,
        is_awaited: false,
        patience: 1,
        created: number,
        expires: number,
        progress: OperationProgress {
            state: OperationState::Queued,
            updated: number,
            attempts: 0,
            outcome: None,
            outcome_bytes: 0,
            error: None,
        },
    })
}

/// A database with something of everything, as one file.
fn filled() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("server.db");
    let store = store(&folder);
    let devices = (0..DEVICES).map(|n| sighting(&format!("os::{n:04}"), 1));
    store.seen(devices.collect()).unwrap();
    let events = (0..DEVICES).map(|n| event("os::0001", &n.to_string(), &"c".repeat(300)));
    store.add_events(events.collect()).unwrap();
    store
        .write_operations((0..200).map(operation).collect())
        .unwrap();
    store
        .set_setting("endpoint_id", Some("self::server"))
        .unwrap();
    drop(store);
    let connection = Connection::open(&path).unwrap();
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(connection);
    fs::read(&path).unwrap()
}

/// What is there: devices, events, operations.
fn counts(store: &Store) -> [usize; 3] {
    let mut operations = 0;
    let mut query = OperationQuery::default();
    loop {
        let page = store.operations(&query, 1000).unwrap();
        operations += page.operations.len();
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let events = store.events("os::0001", 0, 1000).unwrap().len();
    [store.count().unwrap() as usize, events, operations]
}

/// One page in turn is garbage, empty, or cut off with all that follows.
#[test]
fn whichever_page_is_damaged_the_rest_is_there() {
    let sound = filled();
    let pages = sound.len() / 4096;
    assert!(pages > 50, "{pages}");
    let [mut salvaged, mut unharmed] = [0, 0];
    for page in 1..pages {
        // Each page in one way: that is enough for all kinds of pages to meet all kinds of damage.
        let fill = [Some(0x5a), Some(0), None][page % 3];
        let folder = folder();
        let path = folder.path().join("server.db");
        let mut bytes = sound.clone();
        match fill {
            Some(byte) => bytes[page * 4096..(page + 1) * 4096].fill(byte),
            None if page > pages / 2 => bytes.truncate(page * 4096),
            None => continue,
        }
        fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path).unwrap_or_else(|error| panic!("page {page}: {error}"));
        let counts = counts(&store);
        match store.salvaged() {
            Some(told) => {
                salvaged += 1;
                let aside = fs::read(&told.aside).unwrap();
                assert!(
                    aside == bytes,
                    "page {page}: the damaged file stays as it was"
                );
                assert_eq!(store.kept_aside(), std::slice::from_ref(&told.aside));
                let lost: usize = [DEVICES, DEVICES, 200]
                    .iter()
                    .zip(counts)
                    .map(|(was, is)| was - is)
                    .sum();
                let is_told = told.tables.iter().any(|table| !table.is_whole);
                let is_told = is_told || lost == 0;
                assert!(is_told, "page {page}: {told:?} {counts:?}");
            }
            None => unharmed += 1,
        }
        // It works, and next time nothing is wrong any more.
        store.seen(vec![sighting("os::new", 9)]).unwrap();
        store
            .add_events(vec![event("os::0001", "new", "n")])
            .unwrap();
        drop(store);
        let again = Store::open(&path).unwrap();
        assert_eq!(again.salvaged(), None);
        assert_eq!(again.count().unwrap() as usize, counts[0] + 1);
    }
    assert!(salvaged > 3 * unharmed, "{salvaged} {unharmed}");
}

/// One leaf of a table takes no more with it than its own rows, wherever it lies.
#[test]
fn a_leaf_takes_only_its_own_rows_with_it() {
    let sound = filled();
    let mut losses = Vec::new();
    for page in 1..sound.len() / 4096 {
        let folder = folder();
        let path = folder.path().join("server.db");
        let mut bytes = sound.clone();
        let content = &bytes[page * 4096..(page + 1) * 4096];
        // A leaf of a table is of the kind 13. The one of what tables there are takes them with it.
        if content[0] != 13 || content.windows(13).any(|part| part == b"CREATE TABLE ") {
            continue;
        }
        bytes[page * 4096..(page + 1) * 4096].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path).unwrap();
        let [devices, events, operations] = counts(&store);
        losses.push(DEVICES - devices + DEVICES - events + 200 - operations);
    }
    let most = losses.iter().max().copied().unwrap_or_default();
    assert!(losses.len() > 20 && most < 80, "{losses:?}");
}

/// Rows that no rule of this software allows do not keep it from anything.
#[test]
fn rows_that_make_no_sense_are_in_nobodys_way() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let first = store(&folder);
    first
        .seen((0..5).map(|n| sighting(&format!("os::{n}"), n)).collect())
        .unwrap();
    first.add_events(vec![event("os::1", "1", "{}")]).unwrap();
    first
        .write_operations((1..4).map(operation).collect())
        .unwrap();
    drop(first);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE devices SET protocol = 'semaphore' WHERE endpoint_id = 'os::1';
             UPDATE devices SET manufacturer = CAST(x'ff41fe' AS TEXT) WHERE endpoint_id = 'os::2';
             UPDATE events SET content = CAST(x'7b22ff' AS TEXT);
             UPDATE operations SET state = 'limbo', request = 'nonsense' WHERE number = 1 << 20;
             UPDATE operations SET attempts = -7, patience = -1 WHERE number = 2 << 20;",
        )
        .unwrap();
    drop(connection);
    let store = store(&folder);
    assert_eq!(store.salvaged(), None);
    let all = store.list(None, 10, &Filter::ALL).unwrap().devices;
    assert_eq!(all.len(), 5);
    assert_eq!(store.find("os::1").unwrap().protocol, Protocol::Usp);
    assert_eq!(store.events("os::1", 0, 10).unwrap().len(), 1);
    assert_eq!(store.open_operations(0, 10).unwrap().len(), 3);
}

/// A value of the wrong type, which only a foreign hand can put there, is left out and the rest taken over.
#[test]
fn a_value_of_the_wrong_type_is_left_aside() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let first = store(&folder);
    first
        .seen((0..5).map(|n| sighting(&format!("os::{n}"), n)).collect())
        .unwrap();
    drop(first);
    let connection = Connection::open(&path).unwrap();
    // The schema is made lax for a moment.
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'devices';",
        )
        .unwrap();
    drop(connection);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("UPDATE devices SET last_seen = 'yesterday' WHERE endpoint_id = 'os::3'; PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = rtrim(sql) || ' STRICT' WHERE name = 'devices';")
        .unwrap();
    drop(connection);
    let store = store(&folder);
    let told = store.salvaged().expect("it was found");
    let devices = told
        .tables
        .iter()
        .find(|table| table.name == "devices")
        .unwrap();
    assert_eq!((devices.kept, devices.refused), (4, 1));
    assert_eq!(store.count().unwrap(), 4);
}

/// A power cut between the steps of the exchange is made good at the next start.
#[test]
fn an_exchange_that_was_interrupted_is_ended() {
    let folder = folder();
    let path = folder.path().join("server.db");
    drop(store(&folder));
    let sound = filled();
    for step in 0..3 {
        let (whole, aside) = (
            folder.path().join("server.db.salvaged-7"),
            folder.path().join("server.db.damaged-7"),
        );
        drop(fs::remove_file(&aside));
        fs::write(&path, b"the damaged one").unwrap();
        fs::write(folder.path().join("server.db-wal"), b"its log").unwrap();
        fs::write(&whole, &sound).unwrap();
        if step > 0 {
            let log = folder.path().join("server.db.damaged-7-wal");
            fs::rename(folder.path().join("server.db-wal"), log).unwrap();
        }
        if step > 1 {
            fs::hard_link(&path, &aside).unwrap();
        }
        assert_eq!(
            store(&folder).count().unwrap() as usize,
            DEVICES,
            "step {step}"
        );
        assert_eq!(fs::read(&aside).unwrap(), b"the damaged one");
        assert!(!whole.exists());
        fs::remove_file(folder.path().join("server.db.damaged-7-wal")).unwrap();
    }
}

//! A database in which something is damaged is opened all the same, with what can be read.

use super::harm::{Harm, PAGE, harmed};
use super::*;
use crate::{NewOperation, OperationProgress, OperationState, OperationWrite, Soundness};

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

/// A folder in memory, where there is some: a disk would be busy for a minute.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder())
}

/// A database with something of everything, as one file, and its outline.
struct Filled {
    database: Vec<u8>,
    outline: Vec<u8>,
}

impl Filled {
    /// A folder with this file as its database, and the outline.
    fn with(&self, database: &[u8]) -> tempfile::TempDir {
        let folder = in_memory();
        fs::write(folder.path().join("server.db"), database).unwrap();
        fs::write(folder.path().join("server.db.outline"), &self.outline).unwrap();
        folder
    }

    /// Whether the schema is on a page, wholly or in part.
    fn is_of_schema(&self, page: usize) -> bool {
        let content = &self.database[page * PAGE..(page + 1) * PAGE];
        page == 0 || content.windows(13).any(|part| part == b"CREATE TABLE ")
    }
}

fn filled() -> Filled {
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
    Filled {
        database: fs::read(&path).unwrap(),
        outline: fs::read(folder.path().join("server.db.outline")).unwrap(),
    }
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

/// Each page in turn, those of the schema and the first of all among them, is empty, garbage, or cut off with all that
/// follows.
#[test]
fn whichever_page_is_damaged_the_rest_is_there() {
    let sound = filled();
    let pages = sound.database.len() / PAGE;
    assert!(pages > 50, "{pages}");
    let [mut salvaged, mut unharmed] = [0, 0];
    for (page, harm) in (0..pages)
        .flat_map(|page| [Harm::Zeroed, Harm::Random, Harm::CutOff].map(|harm| (page, harm)))
    {
        let bytes = harmed(&sound.database, page, harm);
        let folder = sound.with(&bytes);
        let path = folder.path().join("server.db");
        let at = format!("page {page} {harm:?}");
        let store = Store::open(&path).unwrap_or_else(|error| panic!("{at}: {error}"));
        let counts = counts(&store);
        match store.salvaged() {
            Some(told) => {
                salvaged += 1;
                let aside = fs::read(&told.aside).unwrap();
                assert!(aside == bytes, "{at}: the damaged file stays as it was");
                assert_eq!(store.kept_aside(), std::slice::from_ref(&told.aside));
                let lost: usize = [DEVICES, DEVICES, 200]
                    .iter()
                    .zip(counts)
                    .map(|(was, is)| was - is)
                    .sum();
                let is_told = told.tables.iter().any(|table| !table.is_whole);
                assert!(is_told || lost == 0, "{at}: {told:?} {counts:?}");
                if sound.is_of_schema(page) && harm != Harm::CutOff {
                    assert_eq!(lost, 0, "{at}: what is not on the page is there: {told:?}");
                    assert_eq!(
                        store.setting("endpoint_id").unwrap().as_deref(),
                        Some("self::server")
                    );
                }
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
        assert_eq!(journal(&path), "wal", "{at}");
        assert_eq!(again.count().unwrap() as usize, counts[0] + 1);
        let mut left = names(folder.path());
        left.retain(|name| !name.contains(".damaged-"));
        left.sort();
        let expected = [
            "server.db",
            "server.db-shm",
            "server.db-wal",
            "server.db.outline",
        ];
        assert_eq!(left, expected, "{at}");
    }
    assert!(salvaged > 3 * unharmed, "{salvaged} {unharmed}");
}

/// Without an outline, as an older version leaves it, what is lost with the schema stays where it is.
#[test]
fn without_an_outline_what_can_be_read_is_taken_over_or_nothing_is_touched() {
    let sound = filled();
    let pages = sound.database.len() / PAGE;
    for page in (0..pages).filter(|page| sound.is_of_schema(*page)) {
        let bytes = harmed(&sound.database, page, Harm::Random);
        let folder = sound.with(&bytes);
        fs::remove_file(folder.path().join("server.db.outline")).unwrap();
        let path = folder.path().join("server.db");
        match Store::open(&path) {
            Ok(store) => assert!(store.salvaged().is_some(), "page {page}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                assert_eq!(fs::read(&path).unwrap(), bytes);
            }
        }
    }
}

/// What was written last is in the log while the server runs, the first page perhaps among it.
#[test]
fn the_log_of_a_damaged_database_is_read_too() {
    let folder = in_memory();
    let path = folder.path().join("server.db");
    drop(store(&folder));
    let running = store(&folder);
    running
        .seen(
            (0..DEVICES)
                .map(|n| sighting(&format!("os::{n:04}"), 1))
                .collect(),
        )
        .unwrap();
    let [database, log, outline] = ["", "-wal", ".outline"]
        .map(|suffix| fs::read(folder.path().join(format!("server.db{suffix}"))).unwrap());
    drop(running);
    assert!(log.len() > 5 * PAGE);
    for page in 0..database.len() / PAGE {
        for harm in [Harm::Zeroed, Harm::Random, Harm::CutOff] {
            fs::write(&path, harmed(&database, page, harm)).unwrap();
            fs::write(folder.path().join("server.db-wal"), &log).unwrap();
            fs::write(folder.path().join("server.db.outline"), &outline).unwrap();
            drop(fs::remove_file(folder.path().join("server.db-shm")));
            let store = store(&folder);
            assert_eq!(
                store.count().unwrap() as usize,
                DEVICES,
                "page {page} {harm:?}"
            );
        }
    }
}

/// A table or an index that is not there any more is missed.
#[test]
fn what_is_missing_of_the_schema_is_made_again() {
    for what in ["TABLE tags", "TABLE devices", "INDEX events_of_device"] {
        let sound = filled();
        let folder = sound.with(&sound.database);
        let path = folder.path().join("server.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&format!("DROP {what}")).unwrap();
        drop(connection);
        let store = store(&folder);
        let told = store.salvaged().expect(what);
        assert!(told.reason.contains("is missing"), "{told:?}");
        assert_eq!(counts(&store)[1..], [DEVICES, 200], "{what}");
    }
}

fn journal(path: &std::path::Path) -> String {
    let connection = Connection::open(path).unwrap();
    let journal = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
    journal.unwrap()
}

/// A copy, as a restore puts it into its place, has no log of its own; without one readers and the writer would wait for
/// each other.
#[test]
fn a_copy_that_is_opened_has_a_log() {
    let folder = folder();
    let path = folder.path().join("server.db");
    drop(store(&folder));
    let to = folder.path().join("copy.db");
    Store::copy(&path, &to).unwrap();
    drop(Store::open(&to).unwrap());
    assert_eq!(journal(&to), "wal");
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// One leaf of a table takes no more with it than its own rows, wherever it lies.
#[test]
fn a_leaf_takes_only_its_own_rows_with_it() {
    let sound = filled();
    let mut losses = Vec::new();
    for page in 1..sound.database.len() / PAGE {
        // A leaf of a table is of the kind 13.
        if sound.database[page * PAGE] != 13 {
            continue;
        }
        let folder = sound.with(&harmed(&sound.database, page, Harm::Random));
        let store = store(&folder);
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
    let sound = filled().database;
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

/// A file that is too large to be looked through before it is used is looked through beside that. What is found then is
/// salvaged at the next start.
#[test]
fn a_large_file_is_looked_through_while_it_is_used() {
    let sound = filled();
    let found = |folder: &tempfile::TempDir| {
        let store = Sqlite::open_within(&folder.path().join("server.db"), Duration::ZERO).unwrap();
        let begun = std::time::Instant::now();
        while store.soundness() == Soundness::Unknown {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
            std::thread::sleep(Duration::from_millis(10));
        }
        (store.soundness(), store.salvaged().is_some())
    };
    let folder = sound.with(&sound.database);
    assert_eq!(found(&folder), (Soundness::Sound, false));
    let is_of_events = |page: &usize| {
        let content = &sound.database[page * PAGE..(page + 1) * PAGE];
        content[0] == 13 && content.windows(50).any(|part| part == [b'c'; 50])
    };
    let page = (1..sound.database.len() / PAGE).find(is_of_events).unwrap();
    let folder = sound.with(&harmed(&sound.database, page, Harm::Random));
    let (soundness, is_salvaged) = found(&folder);
    assert!(matches!(soundness, Soundness::Damaged(_)), "{soundness:?}");
    assert!(!is_salvaged);
    // Known by now, so that it is looked through to the end before it is used.
    assert_eq!(found(&folder), (Soundness::Sound, true));
    assert_eq!(found(&folder), (Soundness::Sound, false));
}

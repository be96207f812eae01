//! What the store promises of Operations.

use rusqlite::Connection;

use super::*;
use crate::limits::OPERATION_KEY_BYTES_MAX;
use crate::{Kept, KeptOperations, Store, StoreError};

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("server.db")).unwrap()
}

fn progress(state: OperationState, updated: i64) -> OperationProgress {
    OperationProgress {
        state,
        updated,
        attempts: 0,
        outcome: None,
        outcome_bytes: 0,
        error: None,
    }
}

fn new(number: i64, device: &str) -> NewOperation {
    NewOperation {
        number,
        device: device.to_owned(),
        kind: "get".to_owned(),
        request: "{}".to_owned(),
        key: None,
        command_key: None,
        is_awaited: false,
        is_read: false,
        patience: 1000,
        created: 5,
        expires: 10,
        progress: progress(OperationState::Queued, 5),
    }
}

fn add(store: &Store, operation: NewOperation) -> OperationWritten {
    let written = store.write_operations(vec![OperationWrite::Add(operation)]);
    written.unwrap().remove(0)
}

fn numbers(listing: &OperationListing) -> Vec<i64> {
    let operations = listing.operations.iter();
    operations.map(|operation| operation.number).collect()
}

#[test]
fn an_operation_is_kept_with_all_that_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let operation = NewOperation {
        command_key: Some("key".into()),
        ..new(7, "os::1")
    };
    assert_eq!(add(&store, operation), OperationWritten::Written);
    assert_eq!(store.last_operation().unwrap(), 7);
    let done = OperationProgress {
        attempts: 2,
        outcome: Some("out".into()),
        outcome_bytes: 3,
        ..progress(OperationState::Done, 9)
    };
    let unknown = OperationWrite::Change(8, done.clone());
    let writes = vec![OperationWrite::Change(7, done), unknown];
    store.write_operations(writes).unwrap();
    drop(store);
    let store = self::store(&folder);
    let kept = store.operation(7).unwrap().unwrap();
    assert_eq!(kept.state, Some(OperationState::Done));
    assert_eq!((kept.attempts, kept.updated, kept.created), (2, 9, 5));
    assert_eq!(kept.outcome.as_deref(), Some("out"));
    assert_eq!(kept.command_key.as_deref(), Some("key"));
    assert_eq!(store.operation(8).unwrap(), None);
    assert_eq!(store.open_operations(0, 10).unwrap(), []);
}

#[test]
fn a_key_belongs_to_one_operation() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let keyed = |number| NewOperation {
        key: Some("k".into()),
        ..new(number, "os::1")
    };
    add(&store, keyed(1));
    let OperationWritten::Known(known) = add(&store, keyed(2)) else {
        panic!("the key is taken")
    };
    assert_eq!(known.number, 1);
    assert_eq!(store.operation(2).unwrap(), None);
    let found = store.operation_by_key("k").unwrap();
    assert_eq!(found.map(|found| found.number), Some(1));
    let long = NewOperation {
        key: Some("k".repeat(OPERATION_KEY_BYTES_MAX + 1)),
        ..new(3, "os::1")
    };
    let refused = store.write_operations(vec![OperationWrite::Add(long)]);
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

#[test]
fn they_are_listed_page_by_page_by_device_and_by_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    for number in 1..=6 {
        add(&store, new(number, &format!("os::{}", number % 2)));
    }
    let failed = progress(OperationState::Failed, 6);
    store
        .write_operations(vec![OperationWrite::Change(3, failed)])
        .unwrap();
    let list = |device: Option<&str>, state, before| {
        let device = device.map(str::to_owned);
        let query = OperationQuery {
            device,
            state,
            before,
        };
        store.operations(&query, 2).unwrap()
    };
    let first = list(None, None, None);
    assert_eq!((numbers(&first), first.next), (vec![6, 5], Some(5)));
    assert_eq!(numbers(&list(None, None, first.next)), [4, 3]);
    let last = list(None, None, Some(3));
    assert_eq!((numbers(&last), last.next), (vec![2, 1], None));
    assert_eq!(numbers(&list(Some("os::1"), None, Some(5))), [3, 1]);
    let queued = Some(OperationState::Queued);
    assert_eq!(numbers(&list(Some("os::1"), queued, None)), [5, 1]);
    let failed = Some(OperationState::Failed);
    assert_eq!(numbers(&list(None, failed, None)), [3]);
    let open: Vec<_> = store.open_operations(2, 10).unwrap();
    let open: Vec<_> = open.iter().map(|operation| operation.number).collect();
    assert_eq!(open, [4, 5, 6]);
}

/// A page ends by its bytes too, however large what was asked and answered is.
#[test]
fn a_page_is_bounded_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    for number in 1..=4 {
        let request = "x".repeat(PAGE_OPERATIONS_BYTES * 2 / 3);
        add(
            &store,
            NewOperation {
                request,
                ..new(number, "os::1")
            },
        );
    }
    let page = store.operations(&OperationQuery::default(), 100).unwrap();
    assert_eq!((numbers(&page), page.next), (vec![4, 3], Some(3)));
}

fn ended(number: i64, at: i64) -> NewOperation {
    NewOperation {
        progress: progress(OperationState::Done, at),
        ..new(number, "os::1")
    }
}

fn bounds(since: i64, max: Option<u64>) -> KeptOperations {
    let kept = Kept { since, max };
    KeptOperations {
        changes: kept,
        reads: kept,
        keys_since: i64::MIN,
    }
}

fn all(store: &Store) -> Vec<i64> {
    numbers(&store.operations(&OperationQuery::default(), 1000).unwrap())
}

#[test]
fn those_that_ended_long_ago_give_way_and_those_that_live_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    add(&store, new(1, "os::1"));
    add(&store, ended(2, 100));
    add(&store, ended(3, 200));
    assert_eq!(store.prune_operations(bounds(150, None)).unwrap(), 1);
    assert_eq!(all(&store), [3, 1]);
    let many = 4..4 + i64::from(OPERATIONS_PER_DEVICE_MAX);
    let many = many.map(|number| OperationWrite::Add(ended(number, 200)));
    store.write_operations(many.collect()).unwrap();
    assert_eq!(store.operation(3).unwrap(), None);
    assert!(store.operation(4).unwrap().is_some());
    assert!(store.operation(1).unwrap().is_some());
    assert_eq!(store.prune_operations(bounds(200, None)).unwrap(), 0);
}

/// What is written looks at the Operations of its own device, and not at all there are.
#[test]
fn what_ended_of_a_device_is_found_by_the_device() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(&folder));
    let connection = Connection::open(folder.path().join("server.db")).unwrap();
    let mut explained = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {PRUNE_DEVICE}"))
        .unwrap();
    let rows = explained.query_map(params!["a", true, 1], |row| row.get(3));
    let steps: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
    let searches: Vec<_> = steps
        .iter()
        .filter(|step| step.contains("SEARCH"))
        .collect();
    assert_eq!(searches.len(), 2, "{steps:?}");
    for step in searches {
        assert!(step.contains("(device=? AND is_read=?"), "{steps:?}");
    }
}

/// However often somebody reads, what was changed is known as before, and so is what has a key.
#[test]
fn reads_push_out_no_change_and_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let keyed = |number: i64, at| NewOperation {
        key: Some(number.to_string()),
        ..ended(number, at)
    };
    let many = i64::from(OPERATIONS_PER_DEVICE_MAX) + 5;
    add(&store, ended(1, 100));
    add(&store, keyed(2, 100));
    add(&store, keyed(3, 180));
    let reads = (10..10 + many).map(|number| {
        OperationWrite::Add(NewOperation {
            is_read: true,
            ..ended(number, 200)
        })
    });
    store.write_operations(reads.collect()).unwrap();
    assert_eq!(all(&store).len(), 1000);
    assert!((1..=3).all(|number| store.operation(number).unwrap().is_some()));
    let kept = KeptOperations {
        keys_since: 150,
        ..bounds(0, Some(2))
    };
    assert_eq!(store.prune_operations(kept).unwrap(), 999);
    assert_eq!(all(&store), [1014, 1013, 3, 2]);
    let kept = KeptOperations {
        keys_since: 150,
        ..bounds(0, Some(0))
    };
    assert_eq!(store.prune_operations(kept).unwrap(), 3);
    assert_eq!(all(&store), [3]);
    assert_eq!(store.prune_operations(bounds(181, None)).unwrap(), 1);
    // As many changes of one device do not push out a key either.
    add(&store, keyed(5000, 300));
    let changes = (5001..5001 + many).map(|number| OperationWrite::Add(ended(number, 300)));
    store.write_operations(changes.collect()).unwrap();
    assert!(store.operation_by_key("5000").unwrap().is_some());
    assert!(store.operation(5001).unwrap().is_none());
}

/// Whatever somebody wrote into a row, the others are read, and so is it as far as it can be.
#[test]
fn a_poisoned_row_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let store = store(&folder);
    (1..=3).for_each(|number| drop(add(&store, new(number, "os::1"))));
    drop(store);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE operations SET state = 'nonsense', request = CAST(x'ff00fe' AS TEXT),
                attempts = -7, outcome = 'garbage', outcome_bytes = -1, kind = '', expires = -1
             WHERE number = 2",
        )
        .unwrap();
    drop(connection);
    let store = self::store(&folder);
    let query = OperationQuery::default();
    assert_eq!(numbers(&store.operations(&query, 10).unwrap()), [3, 2, 1]);
    let open = store.open_operations(0, 10).unwrap();
    assert_eq!(open.len(), 3);
    assert_eq!((open[1].state, open[1].request.chars().count()), (None, 3));
}

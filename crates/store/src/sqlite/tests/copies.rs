//! Copies of the database while it is in use, and ways between schema versions.

use super::*;
use crate::Migrated;

#[test]
fn a_copy_has_what_was_written_and_nothing_of_what_comes() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let store = store(&folder);
    store.seen(vec![sighting("os::1", 1)]).unwrap();
    let to = folder.path().join("copy.db");
    assert_eq!(Store::copy(&path, &to).unwrap(), schema::newest());
    store.seen(vec![sighting("os::2", 2)]).unwrap();
    assert_eq!(
        fs::metadata(&to).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(Store::examine(&to).unwrap(), schema::newest());
    assert_eq!(Store::open(&to).unwrap().count().unwrap(), 1);
    // What is there is not written over, and what is not there is not made.
    Store::copy(&path, &to).unwrap_err();
    assert_eq!(Store::open(&to).unwrap().count().unwrap(), 1);
    let absent = folder.path().join("absent.db");
    Store::copy(&absent, &folder.path().join("other.db")).unwrap_err();
    Store::examine(&absent).unwrap_err();
    assert!(!absent.exists());
}

#[test]
fn a_copy_is_of_one_moment_while_others_write() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let store = store(&folder);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for group in 0..100 {
                let group = (0..7).map(|n| sighting(&format!("os::{group}-{n}"), group));
                store.seen(group.collect()).unwrap();
            }
        });
        for copy in 0..5 {
            let to = folder.path().join(format!("{copy}.db"));
            Store::copy(&path, &to).unwrap();
            assert_eq!(Store::open(&to).unwrap().count().unwrap() % 7, 0);
        }
        writing.join().unwrap();
    });
}

#[test]
fn a_database_is_taken_back_and_forth_and_kept_as_it_was() {
    let folder = folder();
    let path = folder.path().join("server.db");
    let newest = schema::newest();
    store(&folder).seen(vec![sighting("os::1", 1)]).unwrap();
    for (to, text) in [(0, "1 to"), (newest + 1, "1 to")] {
        let error = Store::migrate(&path, Some(to), true).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let Migrated { from, to, copy } = Store::migrate(&path, Some(1), true).unwrap();
    assert_eq!((from, to), (newest, 1));
    assert_eq!(Store::examine(&copy.unwrap()).unwrap(), newest);
    assert_eq!(Store::examine(&path).unwrap(), 1);
    // It is brought up by itself, and kept as it was.
    assert_eq!(store(&folder).count().unwrap(), 1);
    let kept = folder.path().join("server.db.schema-1");
    assert_eq!(Store::examine(&kept).unwrap(), 1);
    assert_eq!(Store::examine(&path).unwrap(), newest);
    let same = Store::migrate(&path, None, true).unwrap();
    assert_eq!(same.copy, None, "nothing was to be done");
}

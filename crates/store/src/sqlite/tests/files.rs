//! What is in the files of the database, and what happens where they are damaged, foreign, older or cut.

use super::*;

#[test]
fn a_file_of_which_nothing_can_be_read_stops_the_server_and_stays() {
    let folder = folder();
    let path = folder.path().join("server.db");
    store(&folder)
        .seen(
            (0..2000)
                .map(|n| sighting(&format!("os::{n}"), n))
                .collect(),
        )
        .unwrap();
    let sound = fs::read(&path).unwrap();
    let mut headless = sound.clone();
    headless[..4096].fill(0x5a);
    for bytes in [b"garbage".repeat(1000), headless, sound[..5000].to_vec()] {
        fs::write(&path, &bytes).unwrap();
        // With one it would be known to be ours.
        drop(fs::remove_file(folder.path().join("server.db.outline")));
        let Err(error) = Store::open(&path) else {
            panic!("opened")
        };
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("restore this file from a backup"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert!(left <= 3, "{left} files");
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(store(&folder).count().unwrap(), 2000);
}

#[test]
fn a_newer_version_and_a_foreign_database_are_refused() {
    let folder = folder();
    let path = folder.path().join("server.db");
    drop(store(&folder));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let Err(error) = Store::open(&path) else {
        panic!("opened")
    };
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let before = fs::read(&foreign).unwrap();
    let Err(error) = Store::open(&foreign) else {
        panic!("opened")
    };
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&foreign).unwrap(), before);
}

#[test]
fn an_older_version_is_migrated_wholly_or_not() {
    const FIRST: &str = "CREATE TABLE a (x TEXT) STRICT; INSERT INTO a VALUES ('kept');";
    let folder = folder();
    let path = folder.path().join("server.db");
    fs::write(&path, []).unwrap();
    let place = Place(path);
    let mut connection = place.connect().unwrap();
    schema::prepare_with(&place, &mut connection, &[FIRST]).unwrap();
    let broken = [FIRST, "ALTER TABLE a ADD COLUMN y TEXT; nonsense"];
    schema::prepare_with(&place, &mut connection, &broken).unwrap_err();
    let sound = [FIRST, "ALTER TABLE a ADD COLUMN y TEXT DEFAULT 'new'"];
    for _ in 0..2 {
        schema::prepare_with(&place, &mut connection, &sound).unwrap();
        let row: (String, String) = connection
            .query_row("SELECT x, y FROM a", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, ("kept".to_owned(), "new".to_owned()));
    }
    let Err(StoreError::Newer {
        found: 2, known: 1, ..
    }) = schema::prepare_with(&place, &mut connection, &[FIRST])
    else {
        panic!("an older software took it")
    };
}

/// What a power cut leaves of the log is a prefix of it: every group is there or not, as a whole, in
/// order, and all of them when the log is whole.
#[test]
fn a_cut_log_gives_whole_groups() {
    const GROUPS: i64 = 20;
    let folder = folder();
    let path = folder.path().join("server.db");
    let store = store(&folder);
    for group in 0..GROUPS {
        store
            .seen(
                (0..7)
                    .map(|n| sighting(&format!("os::{group}-{n}"), group))
                    .collect(),
            )
            .unwrap();
    }
    let database = fs::read(&path).unwrap();
    let log = fs::read(folder.path().join("server.db-wal")).unwrap();
    assert!(log.len() > 4096 * GROUPS as usize);
    let mut counts = Vec::new();
    for cut in (0..=log.len()).step_by(3001).chain([log.len()]) {
        let after = tempfile::tempdir().unwrap();
        fs::write(after.path().join("server.db"), &database).unwrap();
        fs::write(after.path().join("server.db-wal"), &log[..cut]).unwrap();
        let store = Store::open(&after.path().join("server.db")).unwrap();
        let count = store.count().unwrap();
        assert_eq!(count % 7, 0, "cut at {cut}");
        counts.push(count);
    }
    assert!(counts.is_sorted());
    assert_eq!(counts.last(), Some(&(7 * GROUPS as u64)));
    assert!(counts.first() < counts.last());
}

#[test]
fn a_full_disk_refuses_the_group_and_passes() {
    let folder = folder();
    let path = folder.path().join("server.db");
    drop(store(&folder));
    let place = Place(path);
    let connection = place.connect().unwrap();
    let set_pages_max = |connection: &Connection, most: i64| {
        connection
            .query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))
            .unwrap();
    };
    set_pages_max(&connection, 1);
    let writer = Writer::spawn(place.clone(), connection).unwrap();
    let large = "x".repeat(100_000);
    for _ in 0..3 {
        let value = large.clone();
        let error = writer
            .write(move |connection| statements::set_setting(connection, "large", Some(&value)))
            .unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
        let trouble = writer.stats().trouble;
        assert!(
            matches!(trouble, Some(StoreError::DiskFull { .. })),
            "{trouble:?}"
        );
    }
    writer
        .write(move |connection| {
            set_pages_max(connection, 1_000_000);
            statements::set_setting(connection, "large", Some(&large))
        })
        .unwrap();
    let stats = writer.stats();
    assert!(stats.trouble.is_none(), "{stats:?}");
    assert_eq!((stats.writes, stats.waiting), (4, 0));
    assert_eq!(stats.commits.iter().sum::<u64>(), 4);
    assert!(stats.failures >= 3);
    drop(writer);
    assert_eq!(
        store(&folder).setting("large").unwrap().unwrap().len(),
        100_000
    );
}

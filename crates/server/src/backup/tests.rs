//! What a backup promises.

use usphere_store::{NewToken, Protocol, Scope, Sighting};

use super::*;

fn sighting(id: &str) -> Sighting {
    Sighting {
        state: usphere_store::DeviceState::Approved,
        proven: false,
        endpoint_id: id.to_owned(),
        protocol: Protocol::Usp,
        at: 1,
        remote_address: None,
        mtp: None,
    }
}

/// A data folder as a server leaves it, with this many devices.
fn data(path: &Path, devices: usize) -> (String, Store) {
    let folder = DataFolder::open(path).unwrap();
    let token = folder.token().unwrap().as_str().to_owned();
    fs::write(path.join(ENDPOINT_ID), "self::server\n").unwrap();
    let store = Store::open(&folder.database()).unwrap();
    let devices = (0..devices).map(|n| sighting(&format!("self::{n}")));
    store.seen(devices.collect()).unwrap();
    (token, store)
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_backed_up_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (
        folder.path().join("data"),
        folder.path().join("made/by/restore"),
    );
    let (token, store) = data(&from, 3);
    let file = folder.path().join("backup.tar");
    // The server runs, and goes on.
    for (name, expires) in [("ci", None), ("old", Some(1))] {
        let token = NewToken {
            name: name.into(),
            hash: [name.len() as u8; 32],
            scope: Scope::Read,
            created: 0,
            created_by: "root".into(),
            expires,
        };
        store.add_token(token).unwrap();
    }
    let made = backup(&from, &file).unwrap();
    store.remove_token("ci").unwrap();
    store.seen(vec![sighting("self::later")]).unwrap();
    assert_eq!(made.endpoint_id.as_deref(), Some("self::server"));
    assert_eq!(names(folder.path()), ["backup.tar", "data"]);
    assert_eq!(examine(&file).unwrap(), made);

    let restored = restore(&file, &to, false).unwrap();
    assert_eq!(restored.tokens, ["ci"]);
    assert_eq!((restored.manifest, restored.replaced), (made, None));
    assert_eq!(names(&to), ["endpoint-id", "lock", "server.db", "token"]);
    let folder = DataFolder::open(&to).unwrap();
    assert_eq!(folder.token().unwrap().as_str(), token);
    assert_eq!(Store::open(&folder.database()).unwrap().count().unwrap(), 3);
}

#[test]
fn what_is_there_is_replaced_only_when_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let file = folder.path().join("backup.tar");
    drop(data(&one, 1));
    let (_, store) = data(&other, 2);
    backup(&one, &file).unwrap();
    let error = backup(&one, &file).unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error}");
    let in_use = DataFolder::open(&other).unwrap();
    let error = restore(&file, &other, true).unwrap_err();
    assert!(
        matches!(error, BackupError::Data(DataError::InUse { .. })),
        "{error}"
    );
    drop((in_use, store));
    let error = restore(&file, &other, false).unwrap_err();
    assert!(error.to_string().contains("--replace"), "{error}");

    let count = |folder: &Path| {
        Store::open(&folder.join(DATABASE))
            .unwrap()
            .count()
            .unwrap()
    };
    assert_eq!(count(&other), 2);
    let replaced = restore(&file, &other, true).unwrap().replaced.unwrap();
    assert_eq!((count(&other), count(&replaced)), (1, 2));
}

#[test]
fn a_backup_that_is_not_whole_is_refused_wherever_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("data"), folder.path().join("to"));
    drop(data(&from, 50));
    let file = folder.path().join("backup.tar");
    backup(&from, &file).unwrap();
    let sound = fs::read(&file).unwrap();
    // The last two blocks of 512 bytes mark the end, and are nothing by themselves.
    let content = sound.len() - 1024;
    let damaged = folder.path().join("damaged.tar");
    for at in (0..content).step_by(997) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x01;
        fs::write(&damaged, &bytes).unwrap();
        // What fills a block up belongs to nothing.
        if let Ok(manifest) = restore(&damaged, &to, true) {
            assert_eq!(bytes[at], 0x01, "{at}: {manifest:?}");
        }
    }
    for cut in (0..content - 1024).step_by(4999) {
        fs::write(&damaged, &sound[..cut]).unwrap();
        restore(&damaged, &to, true).unwrap_err();
        examine(&damaged).unwrap_err();
    }
    fs::write(&damaged, b"garbage".repeat(1000)).unwrap();
    examine(&damaged).unwrap_err();
}

#[test]
fn a_restore_that_was_interrupted_keeps_the_server_out_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("data");
    drop(data(&from, 1));
    let file = folder.path().join("backup.tar");
    backup(&from, &file).unwrap();
    fs::create_dir(from.join("restoring")).unwrap();
    fs::remove_file(from.join(DATABASE)).unwrap();
    let error = DataFolder::open(&from).unwrap_err();
    assert!(error.to_string().contains("usphere restore"), "{error}");
    // Nor does a broken backup let it in.
    let broken = folder.path().join("broken.tar");
    fs::write(&broken, "garbage").unwrap();
    restore(&broken, &from, false).unwrap_err();
    DataFolder::open(&from).unwrap_err();
    restore(&file, &from, false).unwrap();
    DataFolder::open(&from).unwrap();
}

/// What lengthens a name is not read, however long it is, and says nothing of itself in the log.
#[test]
fn a_name_without_end_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long.tar");
    let name = "x".repeat(1 << 20);
    let mut archive = tar::Builder::new(fs::File::create(&long).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    archive
        .append_data(&mut header, &name, &mut io::empty())
        .unwrap();
    archive.finish().unwrap();
    let error = examine(&long).unwrap_err().to_string();
    assert!(error.len() < 1000, "{} bytes", error.len());
}

/// What would be done of itself to what is written, such as adding a token that `restore` has not named, is not ours.
#[test]
fn a_database_that_does_something_of_its_own_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("data");
    drop(data(&from, 1));
    let database = rusqlite::Connection::open(from.join(DATABASE)).unwrap();
    let trap = "CREATE TRIGGER trap AFTER INSERT ON events BEGIN DELETE FROM tokens; END";
    database.execute_batch(trap).unwrap();
    drop(database);
    let file = folder.path().join("backup.tar");
    backup(&from, &file).unwrap();
    let error = examine(&file).unwrap_err().to_string();
    assert!(error.contains("trap"), "{error}");
    restore(&file, &folder.path().join("to"), false).unwrap_err();
}

/// Checksums tell of accidents; whoever makes a backup up makes them up as well.
#[test]
fn what_somebody_made_up_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("data"), folder.path().join("to"));
    drop(data(&from, 1));
    let sound = folder.path().join("backup.tar");
    let manifest = serde_json::to_vec(&backup(&from, &sound).unwrap()).unwrap();
    let database = fs::read(from.join(DATABASE)).unwrap();
    let many = vec![b'x'; 1 << 20];
    for (name, files, why) in [
        (
            "empty",
            [(DATABASE, &[][..]), (TOKEN, b"x")],
            "schema version 0",
        ),
        (
            "large",
            [(DATABASE, &database), (TOKEN, &many)],
            "token is too large",
        ),
        (
            "other",
            [(DATABASE, &database), ("lock", b"x")],
            "not expected",
        ),
    ] {
        let made_up = folder.path().join(name);
        let file = fs::File::create(&made_up).unwrap();
        let mut writer = archive::Writer::new(&file, 1);
        writer
            .add(archive::MANIFEST, &mut manifest.as_slice())
            .unwrap();
        for (name, content) in files {
            writer.add(name, &mut &*content).unwrap();
        }
        writer.finish().unwrap();
        for error in [
            examine(&made_up).unwrap_err(),
            restore(&made_up, &to, true).unwrap_err(),
        ] {
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
        assert_eq!(names(&to), ["lock"]);
    }
}

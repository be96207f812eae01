//! What the store promises, on files and on the simulated disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::Duration;

use usphere_datamodel::Entry;

use super::simulated::{Report, SimulatedDisk, power_cut_schedule, power_cut_sweep};
use super::*;

fn put(key: &str, value: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        value: Some(value.to_owned()),
    }
}

fn delete(key: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        value: None,
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Commits one batch into a new store at `path` and closes it.
fn prepare(path: &Path, entries: Vec<Entry>) {
    let mut store = AgentStore::open(path).unwrap().store;
    store.commit(&[(1, entries)]).unwrap();
    store.close().unwrap();
}

/// A store that has kept that `a` is 1.
fn with_one_entry(seed: u64) -> (SimulatedDisk, AgentStore) {
    let disk = SimulatedDisk::new(seed);
    let mut store = AgentStore::open_on(disk.clone()).unwrap().store;
    store.commit(&[(1, vec![put("a", "1")])]).unwrap();
    (disk, store)
}

/// Commits what the disk is told to fail at.
fn refuse_a_change(store: &mut AgentStore) {
    let change = vec![put("a", "2"), put("b", "2")];
    assert!(store.commit(&[(2, change)]).is_err());
}

fn contents(disk: &SimulatedDisk) -> Vec<Entry> {
    let opened = AgentStore::open_on(disk.clone()).unwrap();
    assert_eq!(opened.notice, None);
    opened.entries
}

#[test]
fn a_new_store_is_empty_and_private() {
    let folder = folder();
    let path = folder.path().join("data/agent/agent.redb");
    let opened = AgentStore::open(&path).unwrap();
    assert_eq!(opened.entries, []);
    assert_eq!(opened.notice, None);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("data/agent")), 0o700);
    assert!(!path.with_extension("redb.new").exists());
}

#[test]
fn a_file_that_others_may_read_is_closed_to_them() {
    let folder = folder();
    let path = folder.path().join("agent.redb");
    prepare(&path, vec![put("a", "1")]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _opened = AgentStore::open(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn what_was_committed_comes_back_in_order_of_the_keys() {
    let folder = folder();
    let path = folder.path().join("agent.redb");
    let mut store = AgentStore::open(&path).unwrap().store;
    store
        .commit(&[
            (1, vec![put("b", "1"), put("a", "1"), put("gone", "x")]),
            (
                2,
                vec![
                    put("b", "2"),
                    delete("gone"),
                    delete("never"),
                    put("", "\u{0}\u{1F4E1}"),
                ],
            ),
        ])
        .unwrap();
    drop(store);
    let opened = AgentStore::open(&path).unwrap();
    assert_eq!(
        opened.entries,
        [put("", "\u{0}\u{1F4E1}"), put("a", "1"), put("b", "2")]
    );
}

#[test]
fn a_second_process_is_told_that_the_file_is_in_use() {
    let folder = folder();
    let path = folder.path().join("agent.redb");
    let first = AgentStore::open(&path).unwrap();
    let Err(error) = AgentStore::open(&path) else {
        panic!("two have it")
    };
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(
        error.to_string().contains("another process uses this file"),
        "{error}"
    );
    drop(first);
    AgentStore::open(&path).unwrap();
}

#[test]
fn an_older_version_is_migrated_once() {
    fn rename(entries: &[Entry]) -> Vec<Entry> {
        let mut changes = Vec::new();
        for entry in entries {
            if let Some(rest) = entry.key.strip_prefix("old.") {
                changes.push(Entry {
                    key: format!("new.{rest}"),
                    value: entry.value.clone(),
                });
                changes.push(delete(&entry.key));
            }
        }
        changes
    }
    fn count(entries: &[Entry]) -> Vec<Entry> {
        vec![put("count", &entries.len().to_string())]
    }
    const STEPS: &[Migration] = &[
        Migration {
            what: "rename",
            run: rename,
        },
        Migration {
            what: "count",
            run: count,
        },
    ];

    let disk = SimulatedDisk::new(1);
    let mut store = AgentStore::open_with(disk.clone(), &[]).unwrap().store;
    store
        .commit(&[(1, vec![put("old.a", "1"), put("other", "2")])])
        .unwrap();
    drop(store);
    let migrated = [put("count", "2"), put("new.a", "1"), put("other", "2")];
    for _ in 0..2 {
        let opened = AgentStore::open_with(disk.clone(), STEPS).unwrap();
        assert_eq!(opened.entries, migrated);
    }
    // A migration that the power ends is done again, or was done.
    let old = SimulatedDisk::new(2);
    let mut store = AgentStore::open_with(old.clone(), &[]).unwrap().store;
    store
        .commit(&[(1, vec![put("old.a", "1"), put("other", "2")])])
        .unwrap();
    drop(store);
    for operations in 0..40 {
        old.cut_at(operations);
        let _ = AgentStore::open_with(old.clone(), STEPS);
        old.reopen();
    }
    assert_eq!(AgentStore::open_with(old, STEPS).unwrap().entries, migrated);
}

#[test]
fn a_newer_version_is_refused_and_left_as_it_is() {
    fn nothing(_: &[Entry]) -> Vec<Entry> {
        Vec::new()
    }
    let disk = SimulatedDisk::new(1);
    let newer = &[Migration {
        what: "nothing",
        run: nothing,
    }];
    let mut store = AgentStore::open_with(disk.clone(), newer).unwrap().store;
    store.commit(&[(1, vec![put("a", "1")])]).unwrap();
    // Left without a close: even a repair must not write.
    disk.cut();
    disk.reopen();
    let (image, usage) = (disk.image(), disk.usage());
    let Err(error) = AgentStore::open_with(disk.clone(), &[]) else {
        panic!("opened")
    };
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("schema version 2"), "{error}");
    assert_eq!((disk.image(), disk.usage()), (image, usage));
}

#[test]
fn a_damaged_file_is_kept_aside_and_the_agent_starts_afresh() {
    let folder = folder();
    let path = folder.path().join("agent.redb");
    prepare(&path, vec![put("a", "1")]);
    let sound = fs::read(&path).unwrap();
    let damaged: [Vec<u8>; 6] = [
        Vec::new(),
        b"garbage".to_vec(),
        vec![0; sound.len()],
        sound[..sound.len() / 2].to_vec(),
        [b"xedb", &sound[4..]].concat(),
        b"SQLite format 3\0".repeat(4096),
    ];
    for (number, bytes) in damaged.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let opened = AgentStore::open(&path).unwrap();
        assert_eq!(opened.entries, []);
        let Some(Notice::SetAside { kept, .. }) = &opened.notice else {
            panic!("no notice")
        };
        let place = (number + 1).min(limits::KEPT_ASIDE_MAX as usize);
        assert!(
            kept.ends_with(&format!("agent.redb.corrupt-{place}")),
            "{kept}"
        );
        assert_eq!(&fs::read(kept).unwrap(), bytes);
        assert!(
            opened
                .notice
                .unwrap()
                .to_string()
                .contains("factory settings")
        );
        drop(opened.store);
        assert_eq!(AgentStore::open(&path).unwrap().notice, None);
    }
}

/// Whatever happens to a byte, the store opens, with what was there or afresh and with a notice.
#[test]
fn no_single_damaged_byte_is_believed() {
    let disk = SimulatedDisk::new(1);
    let entries: Vec<Entry> = (0..80)
        .map(|n| put(&format!("key {n:03}"), "value"))
        .collect();
    let mut store = AgentStore::open_on(disk.clone()).unwrap().store;
    store.commit(&[(1, entries.clone())]).unwrap();
    drop(store);
    let sound = disk.image();
    for at in (0..400).chain((400..sound.len()).step_by(977)) {
        disk.tamper(|bytes| {
            bytes.clone_from(&sound);
            bytes[at] ^= 0x41;
        });
        let opened = AgentStore::open_on(disk.clone()).unwrap();
        match opened.notice {
            None => assert_eq!(opened.entries, entries, "byte {at}"),
            Some(_) => assert_eq!(opened.entries, [], "byte {at}"),
        }
    }
    assert!(disk.kept_aside() > 20);
}

#[test]
fn a_full_disk_is_an_error_and_passes() {
    let (disk, mut store) = with_one_entry(1);
    disk.set_free(Some(0));
    let large = "x".repeat(300_000);
    for sequence in 2..5 {
        let error = store
            .commit(&[(sequence, vec![put("a", "2"), put("b", &large)])])
            .unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
    }
    disk.set_free(None);
    store.commit(&[(6, vec![put("c", "3")])]).unwrap();
    drop(store);
    disk.reopen();
    assert_eq!(contents(&disk), [put("a", "1"), put("c", "3")]);
}

/// A sync that failed may leave bytes that can be read and are lost with the power; what is
/// committed afterwards must not stand on them.
#[test]
fn a_failed_sync_takes_nothing_with_it() {
    for seed in 0..200 {
        let (disk, mut store) = with_one_entry(seed);
        disk.fail_syncs(1 + (seed % 3) as u32);
        refuse_a_change(&mut store);
        disk.fail_syncs(0);
        store.commit(&[(3, vec![put("c", "3")])]).unwrap();
        disk.cut();
        disk.reopen();
        assert_eq!(
            contents(&disk),
            [put("a", "1"), put("c", "3")],
            "seed {seed}"
        );
    }
}

/// What was refused is taken back before the refusal is known, not some time later.
#[test]
fn a_refused_commit_does_not_come_back_with_the_power() {
    for seed in 0..200 {
        let (disk, mut store) = with_one_entry(seed);
        disk.fail_syncs(1);
        refuse_a_change(&mut store);
        disk.cut();
        disk.reopen();
        assert_eq!(contents(&disk), [put("a", "1")], "seed {seed}");
    }
}

#[test]
fn a_failed_write_is_an_error_and_passes() {
    for seed in 0..50 {
        let (disk, mut store) = with_one_entry(seed);
        disk.fail_writes(1 + (seed % 4) as u32);
        refuse_a_change(&mut store);
        disk.fail_writes(0);
        store.commit(&[(3, vec![put("c", "3")])]).unwrap();
        disk.reopen();
        assert_eq!(
            contents(&disk),
            [put("a", "1"), put("c", "3")],
            "seed {seed}"
        );
    }
}

#[test]
fn a_commit_that_changes_nothing_writes_nothing() {
    let (disk, mut store) = with_one_entry(1);
    let usage = disk.usage();
    store
        .commit(&[(2, vec![put("a", "1"), delete("never")])])
        .unwrap();
    assert_eq!(disk.usage(), usage);
}

#[test]
fn commits_write_little() {
    const COMMITS: u64 = 50;
    let disk = SimulatedDisk::new(1);
    let mut store = AgentStore::open_on(disk.clone()).unwrap().store;
    let entries = (0..500)
        .map(|n| put(&format!("Device.Test.{n}.Value"), "value"))
        .collect();
    store.commit(&[(0, entries)]).unwrap();
    let before = disk.usage();
    for sequence in 0..COMMITS {
        let key = format!("Device.Test.{}.Value", sequence * 7 % 500);
        store
            .commit(&[(sequence, vec![put(&key, &sequence.to_string())])])
            .unwrap();
    }
    let after = disk.usage();
    let bytes = (after.bytes - before.bytes) / COMMITS;
    println!(
        "{bytes} bytes, {} syncs for a commit",
        (after.syncs - before.syncs) / COMMITS
    );
    // One each; the file may also grow, which it does seldom.
    assert!(after.syncs - before.syncs <= COMMITS + 2);
    assert!(bytes <= 32 * 1024, "{bytes} bytes for a commit");
    assert!(
        disk.image().len() <= 1024 * 1024,
        "{} bytes",
        disk.image().len()
    );
}

/// The power goes at every single operation of a schedule, and at random ones of many.
/// `USPHERE_POWER_CUTS` sets how many random ones there are.
#[test]
fn a_power_cut_loses_nothing_acknowledged_and_halves_nothing() {
    let cuts = std::env::var("USPHERE_POWER_CUTS")
        .ok()
        .and_then(|text| text.parse().ok());
    let first = std::env::var("USPHERE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let (cuts, first): (u64, u64) = (cuts.unwrap_or(400), first.unwrap_or(1));
    let mut report = power_cut_sweep(first, 5).unwrap();
    let mut random = Report::default();
    for seed in first.. {
        if random.cuts >= cuts {
            break;
        }
        random += power_cut_schedule(seed, 40.min(cuts - random.cuts)).unwrap();
    }
    report += random;
    println!("{report:?}");
    assert!(
        report.arrived_unacknowledged > 0,
        "the simulated disk is too kind: {report:?}"
    );
}

#[test]
fn the_committer_groups_what_waits() {
    let disk = SimulatedDisk::new(1);
    let store = AgentStore::open_on(disk.clone()).unwrap().store;
    let (answers, answered) = mpsc::channel();
    let (permit, permitted) = mpsc::channel::<()>();
    let mut committer = Committer::spawn(store, move |answer| {
        answers.send(answer).unwrap();
        let _ = permitted.recv();
    })
    .unwrap();
    committer.submit(1, vec![put("a", "1")]).unwrap();
    let next = || answered.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(next(), Answer::Committed { sequence: 1 });
    let syncs = disk.usage().syncs;
    for sequence in 2..100 {
        committer
            .submit(sequence, vec![put("a", &sequence.to_string())])
            .unwrap();
    }
    assert_eq!(committer.waiting(), 98);
    permit.send(()).unwrap();
    assert_eq!(next(), Answer::Committed { sequence: 99 });
    assert_eq!(disk.usage().syncs, syncs + 1);
    drop(permit);
    committer.close();
    assert_eq!(contents(&disk), [put("a", "99")]);
}

#[test]
fn after_a_failure_the_committer_waits_for_the_engine() {
    let disk = SimulatedDisk::new(1);
    let store = AgentStore::open_on(disk.clone()).unwrap().store;
    let (answers, answered) = mpsc::channel();
    let mut committer =
        Committer::spawn(store, move |answer| answers.send(answer).unwrap()).unwrap();
    let next = || answered.recv_timeout(Duration::from_secs(30)).unwrap();
    disk.set_free(Some(0));
    let large = "x".repeat(300_000);
    committer.submit(1, vec![put("a", &large)]).unwrap();
    let Answer::Failed { reason } = next() else {
        panic!("committed")
    };
    assert!(reason.contains("no space left"), "{reason}");
    disk.set_free(None);
    // Made by the engine before it knew.
    committer.submit(2, vec![put("stale", "2")]).unwrap();
    committer.failure_handled().unwrap();
    committer.submit(3, vec![put("fresh", "3")]).unwrap();
    assert_eq!(next(), Answer::Committed { sequence: 3 });
    assert_eq!(committer.waiting(), 0);
    committer.close();
    assert_eq!(contents(&disk), [put("fresh", "3")]);
}

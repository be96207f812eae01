//! The Agent's store: whatever lies in the file, it opens with what was kept, or sets the file aside
//! and says so; a power cut costs nothing that was acknowledged.
//!
//! The first byte of an input chooses what happens to the disk.

use std::collections::BTreeMap;

use usphere_datamodel::Entry;
use usphere_runtime::agent_store::simulated::SimulatedDisk;
use usphere_runtime::agent_store::{AgentStore, Opened, StoreError};

use crate::random::{Random, Script};
use crate::{Tally, mutate};

type Kept = BTreeMap<String, String>;

/// Most commits before the disk is damaged.
const COMMITS_MAX: usize = 6;
/// Most power cuts of one input.
const CUTS_MAX: usize = 4;

/// Takes `data` for the bytes of a file, for damage to a real one, or for a schedule of power cuts.
pub fn store(data: &[u8]) -> Tally {
    let mut script = Script::new(data);
    match script.byte() % 4 {
        0 => any_file(script.rest()),
        1 | 2 => damaged_file(&mut script),
        _ => power_cuts(&mut script),
    }
}

/// The next input.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    let length = 16 + random.below(200);
    let mut bytes = random.bytes(length);
    if random.chance(10) {
        bytes = disk_with(&mut Script::new(&bytes)).0.image();
        bytes.truncate(16 << 10);
        mutate::bytes(&mut bytes, &[], &[], random);
        bytes.insert(0, 0);
    }
    bytes
}

/// What fuzzing starts from.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut random = Random::new(0);
    let kinds = (0..4_u8).flat_map(|kind| (0..4).map(move |length| (kind, 32 * length)));
    kinds
        .map(|(kind, length)| [vec![kind], random.bytes(length)].concat())
        .collect()
}

/// Whatever the file holds, the store opens. What it gives then is kept by the next opening.
fn any_file(bytes: &[u8]) -> Tally {
    let disk = SimulatedDisk::new(1);
    drop(AgentStore::open_on(disk.clone()).map(|opened| opened.store.close()));
    disk.tamper(|file| *file = bytes.to_vec());
    let decoded = match AgentStore::open_on(disk.clone()) {
        Ok(opened) => check_life(opened, &disk),
        Err(StoreError::Newer { .. }) => false,
        Err(error) => panic!("neither opened nor set aside: {error}"),
    };
    Tally::one(decoded)
}

/// A store that was written in earnest, and then damaged: each entry is right or all are gone, aloud.
fn damaged_file(script: &mut Script<'_>) -> Tally {
    let (disk, kept) = disk_with(script);
    let before = disk.image();
    let mut random = script.random();
    disk.tamper(|file| damage(file, script, &mut random));
    let touched = disk.image() != before;
    let decoded = match AgentStore::open_on(disk.clone()) {
        Ok(opened) => {
            let found = kept_of(&opened.entries);
            match &opened.notice {
                None => assert_eq!(found, kept, "believed a damaged file"),
                Some(notice) => {
                    assert!(touched, "set a sound file aside: {notice}");
                    assert!(found.is_empty(), "set aside and yet believed: {notice}");
                }
            }
            check_life(opened, &disk)
        }
        Err(StoreError::Newer { .. }) => false,
        Err(error) => panic!("neither opened nor set aside: {error}"),
    };
    Tally::one(decoded)
}

fn damage(file: &mut Vec<u8>, script: &mut Script<'_>, random: &mut Random) {
    for _ in 0..=script.below(4) {
        let length = file.len();
        match script.below(6) {
            0 => file.truncate(random.below(length + 1)),
            1 => file.resize(length + random.below(8192), 0),
            2 => {
                // The header, where every byte matters.
                let at = random.below(length.min(512));
                if let Some(byte) = file.get_mut(at) {
                    *byte = script.byte();
                }
            }
            3 => {
                let start = random.below(length + 1) & !511;
                let end = (start + 512).min(length);
                file[start..end].fill(script.byte());
            }
            4 => {
                let from = random.below(length + 1) & !511;
                let to = random.below(length + 1) & !511;
                let count = 512.min(length - from.max(to));
                file.copy_within(from..from + count, to);
            }
            _ => {
                let at = random.below(length);
                if let Some(byte) = file.get_mut(at) {
                    *byte ^= 1 << script.below(8);
                }
            }
        }
    }
}

/// The power goes in operations of the script's choice; what was acknowledged is there afterwards, and
/// what was not is there as a whole or not at all.
fn power_cuts(script: &mut Script<'_>) -> Tally {
    let disk = SimulatedDisk::new(script.random().number());
    let mut kept = Kept::new();
    let mut possible = Kept::new();
    for _ in 0..=script.below(CUTS_MAX) {
        disk.cut_at(script.below(96) as u64);
        if let Ok(opened) = AgentStore::open_on(disk.clone()) {
            kept = check_found(&opened, &kept, &possible);
            possible = commit_until_cut(opened.store, &disk, &mut kept, script);
        }
        disk.reopen();
        let opened =
            AgentStore::open_on(disk.clone()).unwrap_or_else(|error| panic!("with power: {error}"));
        kept = check_found(&opened, &kept, &possible);
        possible = kept.clone();
        // Dropped without a close; the power goes once more.
        disk.reopen();
    }
    Tally::one(!kept.is_empty())
}

/// Returns what may be there instead of `kept`.
fn commit_until_cut(
    mut store: AgentStore,
    disk: &SimulatedDisk,
    kept: &mut Kept,
    script: &mut Script<'_>,
) -> Kept {
    while !script.is_over() {
        let changes = changes(script);
        let mut after = kept.clone();
        apply(&changes, &mut after);
        if script.chance(10) {
            disk.fail_syncs(1);
        }
        if script.chance(10) {
            disk.fail_writes(1);
        }
        let committed = store.commit(&[(1, changes)]);
        disk.fail_syncs(0);
        disk.fail_writes(0);
        match committed {
            Ok(()) => *kept = after,
            Err(_) if !disk.powered() => return after,
            // Refused for good, once the store has recovered; unless the power goes before.
            Err(_) => match store.commit(&[]) {
                Ok(()) => {}
                Err(_) if !disk.powered() => return after,
                Err(error) => panic!("it did not recover: {error}"),
            },
        }
    }
    kept.clone()
}

fn check_found(opened: &Opened, kept: &Kept, possible: &Kept) -> Kept {
    assert_eq!(opened.notice, None, "a power cut is no damage");
    let found = kept_of(&opened.entries);
    assert!(
        found == *kept || found == *possible,
        "found {found:?}, kept {kept:?}, in flight {possible:?}"
    );
    found
}

/// An opened store works: it keeps one more thing, and everything that was there.
fn check_life(opened: Opened, disk: &SimulatedDisk) -> bool {
    let believed = opened.notice.is_none();
    let mut kept = kept_of(&opened.entries);
    let mut store = opened.store;
    let entry = Entry {
        key: "after".into(),
        value: Some("1".into()),
    };
    if let Err(error) = store.commit(&[(1, vec![entry])]) {
        panic!("the store cannot be used: {error}");
    }
    drop(store);
    kept.insert("after".into(), "1".into());
    match AgentStore::open_on(disk.clone()) {
        Ok(opened) => {
            assert_eq!(opened.notice, None, "what it wrote itself is damaged");
            assert_eq!(kept_of(&opened.entries), kept);
        }
        Err(error) => panic!("it does not open again: {error}"),
    }
    believed
}

/// A disk on which some commits were made, and what they keep.
fn disk_with(script: &mut Script<'_>) -> (SimulatedDisk, Kept) {
    let disk = SimulatedDisk::new(script.random().number());
    let mut kept = Kept::new();
    match AgentStore::open_on(disk.clone()) {
        Ok(opened) => {
            let mut store = opened.store;
            for _ in 0..=script.below(COMMITS_MAX) {
                let changes = changes(script);
                apply(&changes, &mut kept);
                assert!(store.commit(&[(1, changes)]).is_ok());
            }
            if script.chance(50) {
                assert!(store.close().is_ok());
            }
        }
        Err(error) => panic!("a new store does not open: {error}"),
    }
    (disk, kept)
}

fn changes(script: &mut Script<'_>) -> Vec<Entry> {
    (0..=script.below(5)).map(|_| entry(script)).collect()
}

fn entry(script: &mut Script<'_>) -> Entry {
    let key = format!("Device.Test.{}.Value", script.below(12));
    let value = match script.below(8) {
        0 | 1 => None,
        2 => Some("x".repeat(script.below(9000))),
        _ => Some(script.byte().to_string()),
    };
    Entry { key, value }
}

fn apply(changes: &[Entry], kept: &mut Kept) {
    for Entry { key, value } in changes {
        match value {
            Some(value) => drop(kept.insert(key.clone(), value.clone())),
            None => drop(kept.remove(key)),
        }
    }
}

fn kept_of(entries: &[Entry]) -> Kept {
    let values = entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)));
    values.collect()
}

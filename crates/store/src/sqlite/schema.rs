//! The tables, and the way from each schema version to the next.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::down::DOWN;
use super::looking::{self, Look};
use super::{Place, files};
use crate::StoreError;

/// "usph": tells our databases from those of other programs.
const APPLICATION_ID: i64 = 0x7573_7068;

/// The steps from version 0, the empty file, upwards. A released step is never changed. [`DOWN`] has a step back for
/// each.
const STEPS: &[&str] = &[
    "
    CREATE TABLE devices (
        endpoint_id       TEXT PRIMARY KEY,
        alias             TEXT UNIQUE,
        protocol          TEXT NOT NULL,
        manufacturer      TEXT,
        oui               TEXT,
        product_class     TEXT,
        serial_number     TEXT,
        hardware_version  TEXT,
        software_version  TEXT,
        protocol_versions TEXT,
        first_seen        INTEGER NOT NULL,
        last_seen         INTEGER NOT NULL,
        remote_address    TEXT,
        last_mtp          TEXT
    ) STRICT;
    CREATE TABLE settings (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE events (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        device  TEXT NOT NULL,
        at      INTEGER NOT NULL,
        msg_id  TEXT NOT NULL,
        content TEXT NOT NULL,
        bytes   INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX events_of_device ON events (device, id, bytes);
    CREATE INDEX events_by_name ON events (device, msg_id);
",
    "
    CREATE TABLE operations (
        number          INTEGER PRIMARY KEY,
        device          TEXT NOT NULL,
        kind            TEXT NOT NULL,
        request         TEXT NOT NULL,
        idempotency_key TEXT UNIQUE,
        command_key     TEXT,
        is_awaited      INTEGER NOT NULL,
        patience        INTEGER NOT NULL,
        created         INTEGER NOT NULL,
        expires         INTEGER NOT NULL,
        state           TEXT NOT NULL,
        updated         INTEGER NOT NULL,
        ended           INTEGER,
        attempts        INTEGER NOT NULL,
        outcome         TEXT,
        outcome_bytes   INTEGER NOT NULL,
        error           TEXT,
        bytes           INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX operations_of_device ON operations (device, number);
    CREATE INDEX operations_by_state ON operations (state, number);
    CREATE INDEX operations_open ON operations (number) WHERE ended IS NULL;
    CREATE INDEX operations_ended ON operations (ended, number, bytes) WHERE ended IS NOT NULL;
",
    super::contacts::TABLES,
    ONBOARDING,
    include_str!("steps/api.sql"),
    include_str!("steps/search.sql"),
    include_str!("steps/reads.sql"),
    include_str!("steps/proven.sql"),
];

/// What a server keeps in order to take devices on board. Those that are known were let in.
const ONBOARDING: &str = "
    ALTER TABLE devices ADD COLUMN state TEXT NOT NULL DEFAULT 'approved';
    ALTER TABLE devices ADD COLUMN subscriptions TEXT;
    CREATE INDEX devices_pending ON devices (endpoint_id) WHERE state <> 'approved';
    CREATE TABLE subscriptions (
        name           TEXT PRIMARY KEY,
        notif_type     TEXT NOT NULL,
        reference_list TEXT NOT NULL,
        created        INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE models (
        manufacturer     TEXT NOT NULL,
        oui              TEXT NOT NULL,
        product_class    TEXT NOT NULL,
        software_version TEXT NOT NULL,
        device           TEXT NOT NULL,
        fetched          INTEGER NOT NULL,
        bytes            INTEGER NOT NULL,
        content          TEXT NOT NULL,
        PRIMARY KEY (manufacturer, oui, product_class, software_version)
    ) STRICT;
    CREATE INDEX models_by_age ON models (fetched, bytes);
";

/// The version of this software.
pub(super) fn newest() -> i64 {
    STEPS.len() as i64
}

/// Brings a file that was checked to the version of this software. An older one is copied before.
pub(super) fn prepare(place: &Place, connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(place, connection)?;
    if (1..newest()).contains(&found) {
        files::keep_copy(place, connection, found)?;
    }
    climb(place, connection, STEPS)
}

/// Refuses what is damaged, newer, or not ours. Nothing is written. Whether the file was looked through to its end, which
/// is so where there is no bound to the patience.
pub(super) fn check(
    place: &Place,
    connection: &Connection,
    patience: Option<Duration>,
) -> Result<bool, StoreError> {
    let is_whole = check_known(place, connection, newest(), patience)?;
    let failed = |error: rusqlite::Error| place.database("read it", &error);
    let wanted = names(&sample(version(place, connection)?).map_err(failed)?).map_err(failed)?;
    let there = names(connection).map_err(failed)?;
    match wanted.difference(&there).next() {
        Some((kind, name)) => Err(place.damaged(format!("the {kind} {name} is missing"))),
        None => Ok(is_whole),
    }
}

/// Whether nothing is in the file but tables and indices; no version has anything else.
pub(super) fn check_is_passive(place: &Place, connection: &Connection) -> Result<(), StoreError> {
    let other = connection
        .query_row(
            "SELECT type, name FROM sqlite_schema WHERE type NOT IN ('table', 'index')",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )
        .optional();
    match other.map_err(|error| place.database("read it", &error))? {
        Some((kind, name)) => Err(place.damaged(format!("the {kind} {name:?} is not expected"))),
        None => Ok(()),
    }
}

/// Whether all tables of this version are there.
pub(super) fn has_all_tables(connection: &Connection, version: i64) -> bool {
    let all = sample(version).and_then(|sample| Ok((names(&sample)?, names(connection)?)));
    all.is_ok_and(|(wanted, there)| {
        let mut tables = wanted.iter().filter(|(kind, _)| kind == "table");
        tables.all(|table| there.contains(table))
    })
}

/// A database of this version in memory, with nothing in it.
pub(super) fn sample(version: i64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    let steps = usize::try_from(version).unwrap_or_default();
    for step in STEPS.iter().take(steps) {
        connection.execute_batch(step)?;
    }
    Ok(connection)
}

/// The kinds and names of tables and indices.
fn names(connection: &Connection) -> rusqlite::Result<BTreeSet<(String, String)>> {
    let mut statement = connection
        .prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'index')")?;
    let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    names.collect()
}

/// The version of the file.
pub(super) fn version(place: &Place, connection: &Connection) -> Result<i64, StoreError> {
    number(connection, "user_version").map_err(|error| place.database("read it", &error))
}

/// The version of a file whose content may be damaged, where it is one of ours that this software knows.
pub(super) fn version_of_ours(place: &Place, connection: &Connection) -> Result<i64, StoreError> {
    check_version(place, connection, newest())?;
    let failed = |error: rusqlite::Error| place.database("read it", &error);
    match number(connection, "application_id").map_err(failed)? {
        APPLICATION_ID => version(place, connection),
        _ => Err(place.failed("use it", "it is the database of another program")),
    }
}

/// Makes an empty file a database of this version.
pub(super) fn build(
    place: &Place,
    connection: &mut Connection,
    version: i64,
) -> Result<(), StoreError> {
    let steps = usize::try_from(version).unwrap_or_default();
    climb(place, connection, STEPS.get(..steps).unwrap_or(STEPS))
}

/// Brings a file that was checked to this version, which is known, up or down, wholly or not at all.
pub(super) fn move_to(
    place: &Place,
    connection: &mut Connection,
    to: i64,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| place.database("migrate it", &error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .map_err(failed)?;
    let from = number(&transaction, "user_version").map_err(failed)?;
    let [from, to] = [from, to].map(|version| usize::try_from(version).unwrap_or_default());
    let up = STEPS.iter().take(to).skip(from);
    let down = DOWN.iter().take(from).skip(to).rev();
    let migrate = || -> rusqlite::Result<()> {
        for step in up.chain(down) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", to as i64)
    };
    migrate()
        .and_then(|()| transaction.commit())
        .map_err(failed)
}

/// As [`prepare`] for any steps, without a copy.
#[cfg(test)]
pub(super) fn prepare_with(
    place: &Place,
    connection: &mut Connection,
    steps: &[&str],
) -> Result<(), StoreError> {
    check_known(place, connection, steps.len() as i64, None)?;
    climb(place, connection, steps)
}

/// Takes the steps that a file that was checked has not taken yet.
fn climb(place: &Place, connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| place.database("prepare it", &error);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let is_there = number(connection, "user_version").map_err(failed)? == known
        && number(connection, "application_id").map_err(failed)? == APPLICATION_ID;
    if is_there {
        // One that was copied from a backup has no log yet. Else nothing is written, for the disk may be full; then it
        // does without.
        drop(connection.pragma_update(None, "journal_mode", "WAL"));
        return Ok(());
    }
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Asked again inside: another process may have migrated it meanwhile.
    check_version(place, &transaction, known)?;
    let done = number(&transaction, "user_version").map_err(failed)?;
    let migrate = || -> rusqlite::Result<()> {
        for step in steps
            .iter()
            .skip(usize::try_from(done).unwrap_or(usize::MAX))
        {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", known)
    };
    migrate()
        .and_then(|()| transaction.commit())
        .map_err(failed)
}

fn check_known(
    place: &Place,
    connection: &Connection,
    known: i64,
    patience: Option<Duration>,
) -> Result<bool, StoreError> {
    let failed = |error: rusqlite::Error| place.database("read it", &error);
    check_version(place, connection, known)?;
    let looked = match patience {
        None => looking::look(connection),
        Some(patience) => looking::look_for(connection, patience),
    };
    let is_whole = match looked.map_err(failed)? {
        Look::Damaged(reason) => return Err(place.damaged(reason)),
        Look::Interrupted => false,
        Look::Sound => true,
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables > 0 && number(connection, "application_id").map_err(failed)? != APPLICATION_ID {
        return Err(place.failed("use it", "it is the database of another program"));
    }
    Ok(is_whole)
}

fn check_version(place: &Place, connection: &Connection, known: i64) -> Result<(), StoreError> {
    let found = number(connection, "user_version");
    let found = found.map_err(|error| place.database("read it", &error))?;
    let ours = number(connection, "application_id");
    if found > known && ours.is_ok_and(|id| id == APPLICATION_ID) {
        return Err(StoreError::Newer {
            place: place.name(),
            found,
            known,
        });
    }
    Ok(())
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(connection: &Connection) -> Vec<(String, String)> {
        let mut statement = connection
            .prepare(
                "SELECT name, sql FROM sqlite_schema
                 WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
            )
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// From the newest to each older version, the file is as it was made by the software of that version.
    #[test]
    fn every_step_has_a_step_back() {
        assert_eq!(STEPS.len(), DOWN.len(), "a step back for each step");
        let folder = tempfile::tempdir().unwrap();
        for to in 1..=STEPS.len() {
            let shapes = [true, false].map(|is_from_above| {
                let path = folder.path().join(format!("{to}-{is_from_above}.db"));
                std::fs::write(&path, []).unwrap();
                let place = Place(path);
                let mut connection = place.connect().unwrap();
                if is_from_above {
                    prepare(&place, &mut connection).unwrap();
                    move_to(&place, &mut connection, to as i64).unwrap();
                } else {
                    prepare_with(&place, &mut connection, &STEPS[..to]).unwrap();
                }
                assert_eq!(version(&place, &connection).unwrap(), to as i64);
                shape(&connection)
            });
            assert_eq!(shapes[0], shapes[1], "version {to}");
        }
    }
}

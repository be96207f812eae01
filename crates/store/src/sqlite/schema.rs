//! The tables, and the way from each schema version to the next.

use rusqlite::{Connection, TransactionBehavior};

use super::Place;
use crate::StoreError;

/// "usph": tells our databases from those of other programs.
const APPLICATION_ID: i64 = 0x7573_7068;

/// The steps from version 0, the empty file, upwards. A released step is never changed.
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
    include_str!("steps/api.sql"),
];

/// Checks the file and brings it to the version of this software.
pub(super) fn prepare(place: &Place, connection: &mut Connection) -> Result<(), StoreError> {
    prepare_with(place, connection, STEPS)
}

pub(super) fn prepare_with(
    place: &Place,
    connection: &mut Connection,
    steps: &[&str],
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| place.database("prepare it", &error);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    check(place, connection, known)?;
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

/// Refuses what is damaged, newer, or not ours, before anything is written.
fn check(place: &Place, connection: &Connection, known: i64) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| place.database("read it", &error);
    check_version(place, connection, known)?;
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if verdict != "ok" {
        return Err(place.damaged(verdict));
    }
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables > 0 && number(connection, "application_id").map_err(failed)? != APPLICATION_ID {
        return Err(place.failed("use it", "it is the database of another program"));
    }
    Ok(())
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

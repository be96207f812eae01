//! The statements of events.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Rows, params};

use super::statements::{Done, text};
use crate::limits::{
    EVENT_BYTES_PER_DEVICE_MAX, EVENTS_PER_DEVICE_MAX, PAGE_EVENTS_BYTES, REPEATED_TIME,
};
use crate::{Event, NewEvent};

/// Keeps events, and lets older ones give way.
pub(super) fn add(connection: &Connection, events: &[NewEvent]) -> Done<Vec<Option<i64>>> {
    add_by(connection, events, add_one)
}

/// As [`add`], but what is about an unknown device is left out, and nothing else is.
pub(super) fn add_of_known(connection: &Connection, events: &[NewEvent]) -> Done<Vec<Option<i64>>> {
    add_by(connection, events, |connection, event| {
        let is_known = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE endpoint_id = ?1)")?
            .query_row([&event.device], |row| row.get(0))?;
        match is_known {
            true => insert(connection, event).map(Some),
            false => Ok(None),
        }
    })
}

fn add_by(
    connection: &Connection,
    events: &[NewEvent],
    add_one: impl Fn(&Connection, &NewEvent) -> Done<Option<i64>>,
) -> Done<Vec<Option<i64>>> {
    let mut ids = Vec::with_capacity(events.len());
    let mut devices = BTreeSet::new();
    for event in events {
        let id = add_one(connection, event)?;
        if id.is_some() {
            devices.insert(event.device.as_str());
        }
        ids.push(id);
    }
    for device in devices {
        prune(connection, device)?;
    }
    Ok(ids)
}

/// None where the same event was kept before.
fn add_one(connection: &Connection, event: &NewEvent) -> Done<Option<i64>> {
    let known: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM events
             WHERE device = ?1 AND msg_id = ?2 AND content = ?3 AND abs(at - ?4) < ?5",
        )?
        .query_row(
            params![
                event.device,
                event.msg_id,
                event.content,
                event.at,
                REPEATED_TIME
            ],
            |row| row.get(0),
        )
        .optional()?;
    match known {
        Some(_) => Ok(None),
        None => insert(connection, event).map(Some),
    }
}

fn insert(connection: &Connection, event: &NewEvent) -> Done<i64> {
    let bytes = i64::try_from(event.content.len()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO events (device, at, msg_id, content, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            event.device,
            event.at,
            event.msg_id,
            event.content,
            bytes
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Deletes the oldest events of a device that are too many or too much. The newest stays.
fn prune(connection: &Connection, device: &str) -> Done {
    connection
        .prepare_cached(
            "DELETE FROM events WHERE device = ?1 AND id <= (
                SELECT max(id) FROM (
                    SELECT id,
                        row_number() OVER newest AS place,
                        sum(bytes) OVER newest AS total
                    FROM events WHERE device = ?1
                    WINDOW newest AS (ORDER BY id DESC ROWS UNBOUNDED PRECEDING)
                ) WHERE place > ?2 OR (place > 1 AND total > ?3)
            )",
        )?
        .execute(params![
            device,
            EVENTS_PER_DEVICE_MAX,
            EVENT_BYTES_PER_DEVICE_MAX
        ])?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    device: &str,
    after: i64,
    limit: u32,
) -> Done<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, device, at, content FROM events
         WHERE device = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    page(statement.query(params![device, after, limit])?)
}

pub(super) fn list_all(connection: &Connection, after: i64, limit: u32) -> Done<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, device, at, content FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    page(statement.query(params![after, limit])?)
}

fn page(mut rows: Rows<'_>) -> Done<Vec<Event>> {
    let mut events = Vec::new();
    let mut bytes = 0;
    while bytes < PAGE_EVENTS_BYTES
        && let Some(row) = rows.next()?
    {
        let event = Event {
            id: row.get(0)?,
            device: text(row, 1)?,
            at: row.get(2)?,
            content: text(row, 3)?,
        };
        bytes += i64::try_from(event.content.len()).unwrap_or(i64::MAX);
        events.push(event);
    }
    Ok(events)
}

/// The number that was given last; it counts on when events are deleted.
pub(super) fn last(connection: &Connection) -> Done<i64> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or_default())
}

pub(super) fn remove(connection: &Connection, device: &str) -> Done {
    connection
        .prepare_cached("DELETE FROM events WHERE device = ?1")?
        .execute([device])?;
    Ok(())
}

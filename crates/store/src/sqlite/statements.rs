//! Every statement of the SQLite backend.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::Refusal;
use crate::limits::CANDIDATES_MAX;
use crate::{Description, Device, DeviceState, Milliseconds, Protocol, Sighting, StoreError};

pub(super) const COLUMNS: &str = "endpoint_id, alias, protocol, manufacturer, oui, product_class, \
    serial_number, hardware_version, software_version, protocol_versions, first_seen, last_seen, \
    remote_address, last_mtp, state, subscriptions, \
    (SELECT group_concat(tag, char(10)) FROM tags WHERE device = endpoint_id), proven";

pub(super) type Done<T = ()> = Result<T, Refusal>;

pub(super) fn seen(connection: &Connection, sighting: &Sighting) -> Done {
    connection
        .prepare_cached(
            "INSERT INTO devices
                (endpoint_id, protocol, first_seen, last_seen, remote_address, last_mtp, state, proven)
             VALUES (:id, :protocol, :at, :at, :remote, :mtp, :state, :proven)
             ON CONFLICT (endpoint_id) DO UPDATE SET
                protocol = CASE WHEN :at >= last_seen THEN :protocol ELSE protocol END,
                remote_address =
                    CASE WHEN :at >= last_seen THEN coalesce(:remote, remote_address)
                    ELSE remote_address END,
                last_mtp = CASE WHEN :at >= last_seen THEN coalesce(:mtp, last_mtp)
                    ELSE last_mtp END,
                proven = max(proven, :proven),
                first_seen = min(first_seen, :at),
                last_seen = max(last_seen, :at)",
        )?
        .execute(named_params! {
            ":id": sighting.endpoint_id,
            ":protocol": sighting.protocol.name(),
            ":at": sighting.at,
            ":remote": sighting.remote_address,
            ":mtp": sighting.mtp,
            ":state": sighting.state.name(),
            ":proven": sighting.proven,
        })?;
    Ok(())
}

/// An unknown device stays unknown.
pub(super) fn left(connection: &Connection, id: &str, at: Milliseconds) -> Done {
    connection
        .prepare_cached("UPDATE devices SET last_seen = max(last_seen, ?2) WHERE endpoint_id = ?1")?
        .execute(params![id, at])?;
    Ok(())
}

pub(super) fn set_alias(connection: &Connection, id: &str, alias: Option<&str>) -> Done {
    let owner: Option<String> = connection
        .prepare_cached("SELECT endpoint_id FROM devices WHERE alias = ?1 AND endpoint_id <> ?2")?
        .query_row(params![alias, id], |row| row.get(0))
        .optional()?;
    if let (Some(owner), Some(alias)) = (owner, alias) {
        return Err(StoreError::AliasTaken {
            alias: alias.to_owned(),
            owner,
        }
        .into());
    }
    let changed = connection
        .prepare_cached("UPDATE devices SET alias = ?2 WHERE endpoint_id = ?1")?
        .execute(params![id, alias])?;
    must_exist(id, changed)
}

pub(super) fn remove(connection: &Connection, id: &str) -> Done {
    super::events::remove(connection, id)?;
    let removed = connection
        .prepare_cached("DELETE FROM devices WHERE endpoint_id = ?1")?
        .execute([id])?;
    must_exist(id, removed)
}

pub(super) fn count(connection: &Connection) -> Done<u64> {
    let count: i64 = connection.query_row("SELECT count(*) FROM devices", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The device with exactly this Endpoint ID.
pub(super) fn known(connection: &Connection, id: &str) -> Done<Option<Device>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM devices WHERE endpoint_id = ?1"
        ))?
        .query_row([id], device)
        .optional()?)
}

pub(super) fn find(connection: &Connection, text: &str) -> Done<Device> {
    for column in ["endpoint_id", "alias"] {
        let found = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM devices WHERE {column} = ?1"
            ))?
            .query_row([text], device)
            .optional()?;
        if let Some(device) = found {
            return Ok(device);
        }
    }
    find_part(connection, text)
}

/// Plain containment: no character of the text means anything else than itself.
fn find_part(connection: &Connection, text: &str) -> Done<Device> {
    const FITS: &str = "?1 <> '' AND instr(lower(endpoint_id), lower(?1)) > 0";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM devices WHERE {FITS} ORDER BY endpoint_id LIMIT ?2"
    ))?;
    let mut fitting = statement
        .query_map(params![text, CANDIDATES_MAX], device)?
        .collect::<Result<Vec<_>, _>>()?;
    if fitting.len() > 1 {
        let count: i64 = connection
            .prepare_cached(&format!("SELECT count(*) FROM devices WHERE {FITS}"))?
            .query_row([text], |row| row.get(0))?;
        return Err(Refusal::Answer(StoreError::Ambiguous {
            text: text.to_owned(),
            candidates: fitting
                .into_iter()
                .map(|device| device.endpoint_id)
                .collect(),
            count: count.unsigned_abs(),
        }));
    }
    fitting
        .pop()
        .ok_or_else(|| StoreError::NotFound(text.to_owned()).into())
}

pub(super) fn setting(connection: &Connection, key: &str) -> Done<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT value FROM settings WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn set_setting(connection: &Connection, key: &str, value: Option<&str>) -> Done {
    match value {
        Some(value) => connection
            .prepare_cached(
                "INSERT INTO settings (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = ?2",
            )?
            .execute([key, value])?,
        None => connection
            .prepare_cached("DELETE FROM settings WHERE key = ?1")?
            .execute([key])?,
    };
    Ok(())
}

pub(super) fn probe(connection: &Connection) -> Done {
    connection
        .prepare_cached(
            "INSERT INTO settings (key, value) VALUES ('probe', hex(randomblob(8)))
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute([])?;
    Ok(())
}

pub(super) fn keep_setting(connection: &Connection, key: &str, value: &str) -> Done<String> {
    connection
        .prepare_cached("INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([key, value])?;
    Ok(setting(connection, key)?.unwrap_or_default())
}

pub(super) fn must_exist(id: &str, changed: usize) -> Done {
    if changed == 0 {
        return Err(StoreError::NotFound(id.to_owned()).into());
    }
    Ok(())
}

/// One row of [`COLUMNS`]. Whatever its texts are, they do not stand in the way of other devices.
pub(super) fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    let tags = text(row, 16)?;
    let mut tags: Vec<_> = tags.lines().map(str::to_owned).collect();
    tags.sort_unstable();
    Ok(Device {
        endpoint_id: text(row, 0)?,
        alias: optional_text(row, 1)?,
        // A protocol that this software does not know is that of another version: what is known here is shown.
        protocol: Protocol::named(&text(row, 2)?).unwrap_or(Protocol::Usp),
        description: Description {
            manufacturer: optional_text(row, 3)?,
            oui: optional_text(row, 4)?,
            product_class: optional_text(row, 5)?,
            serial_number: optional_text(row, 6)?,
            hardware_version: optional_text(row, 7)?,
            software_version: optional_text(row, 8)?,
            protocol_versions: optional_text(row, 9)?,
        },
        first_seen: row.get(10)?,
        last_seen: row.get(11)?,
        remote_address: optional_text(row, 12)?,
        last_mtp: optional_text(row, 13)?,
        state: DeviceState::named(&text(row, 14)?),
        subscriptions: optional_text(row, 15)?,
        tags,
        proven: row.get::<_, i64>(17)? != 0,
    })
}

/// A text, also where its bytes are none.
pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(optional_text(row, column)?.unwrap_or_default())
}

/// Also where its bytes are no text.
pub(super) fn optional_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null();
    let bytes = bytes.map_err(|error| {
        let reason = Box::new(error);
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason)
    })?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

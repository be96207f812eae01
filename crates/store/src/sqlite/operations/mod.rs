//! The statements of Operations.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params, params_from_iter};

use super::statements::{Done, optional_text, text};
use crate::limits::{OPERATIONS_PER_DEVICE_MAX, PAGE_OPERATIONS_BYTES};
use crate::{
    Milliseconds, NewOperation, Operation, OperationListing, OperationProgress, OperationQuery,
    OperationState, OperationWrite, OperationWritten,
};

const COLUMNS: &str = "number, device, kind, request, command_key, is_awaited, patience, created, \
    expires, state, updated, attempts, outcome, outcome_bytes, error";

/// Writes all, and lets what ended of the same devices before give way.
pub(super) fn write(
    connection: &Connection,
    writes: &[OperationWrite],
) -> Done<Vec<OperationWritten>> {
    let mut written = Vec::with_capacity(writes.len());
    let mut devices = BTreeSet::new();
    for write in writes {
        written.push(match write {
            OperationWrite::Add(operation) => {
                if operation.progress.state.is_end() {
                    devices.insert((operation.device.clone(), operation.is_read));
                }
                add(connection, operation)?
            }
            OperationWrite::Change(number, progress) => {
                let device = change(connection, *number, progress)?;
                devices.extend(device.filter(|_| progress.state.is_end()));
                OperationWritten::Written
            }
        });
    }
    for (device, is_read) in devices {
        prune_device(connection, &device, is_read)?;
    }
    Ok(written)
}

fn add(connection: &Connection, operation: &NewOperation) -> Done<OperationWritten> {
    let progress = &operation.progress;
    let added = connection
        .prepare_cached(
            "INSERT INTO operations (number, device, kind, request, idempotency_key, command_key,
                is_awaited, is_read, patience, created, expires, state, updated, ended, attempts,
                outcome, outcome_bytes, error, bytes)
             VALUES (:number, :device, :kind, :request, :key, :command_key, :is_awaited, :is_read,
                :patience, :created, :expires, :state, :updated, :ended, :attempts, :outcome, :outcome_bytes,
                :error, :bytes)
             ON CONFLICT (idempotency_key) DO NOTHING",
        )?
        .execute(named_params! {
            ":number": operation.number,
            ":device": operation.device,
            ":kind": operation.kind,
            ":request": operation.request,
            ":key": operation.key,
            ":command_key": operation.command_key,
            ":is_awaited": operation.is_awaited,
            ":is_read": operation.is_read,
            ":patience": operation.patience,
            ":created": operation.created,
            ":expires": operation.expires,
            ":state": progress.state.name(),
            ":updated": progress.updated,
            ":ended": ended(progress),
            ":attempts": progress.attempts,
            ":outcome": progress.outcome,
            ":outcome_bytes": signed(progress.outcome_bytes),
            ":error": progress.error,
            ":bytes": bytes(operation.request.len(), progress),
        })?;
    if added > 0 {
        return Ok(OperationWritten::Written);
    }
    let known = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM operations WHERE idempotency_key = ?1"
        ))?
        .query_row([&operation.key], operation_of)?;
    Ok(OperationWritten::Known(Box::new(known)))
}

/// The device and whether it reads, where the Operation is known.
fn change(
    connection: &Connection,
    number: i64,
    progress: &OperationProgress,
) -> Done<Option<(String, bool)>> {
    Ok(connection
        .prepare_cached(
            "UPDATE operations SET state = :state, updated = :updated, ended = :ended,
                attempts = :attempts, outcome = :outcome, outcome_bytes = :outcome_bytes,
                error = :error, bytes = length(request) + :bytes
             WHERE number = :number RETURNING device, is_read",
        )?
        .query_row(
            named_params! {
                ":number": number,
                ":state": progress.state.name(),
                ":updated": progress.updated,
                ":ended": ended(progress),
                ":attempts": progress.attempts,
                ":outcome": progress.outcome,
                ":outcome_bytes": signed(progress.outcome_bytes),
                ":error": progress.error,
                ":bytes": bytes(0, progress),
            },
            |row| Ok((text(row, 0)?, row.get::<_, i64>(1)? != 0)),
        )
        .optional()?)
}

/// Deletes the oldest Operations of a device that have ended and are too many. Those with a key are not counted:
/// somebody may ask for them again. The index is named: SQLite takes that of the keys for a better one, and would look
/// at all Operations that have none.
const PRUNE_DEVICE: &str = "
    DELETE FROM operations INDEXED BY operations_ended_of_device
    WHERE device = ?1 AND is_read = ?2 AND ended IS NOT NULL AND idempotency_key IS NULL AND number <= (
        SELECT number FROM operations INDEXED BY operations_ended_of_device
        WHERE device = ?1 AND is_read = ?2 AND ended IS NOT NULL AND idempotency_key IS NULL
        ORDER BY number DESC LIMIT 1 OFFSET ?3)";

fn prune_device(connection: &Connection, device: &str, is_read: bool) -> Done {
    connection.prepare_cached(PRUNE_DEVICE)?.execute(params![
        device,
        is_read,
        OPERATIONS_PER_DEVICE_MAX
    ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, number: i64) -> Done<Option<Operation>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM operations WHERE number = ?1"
        ))?
        .query_row([number], operation_of)
        .optional()?)
}

pub(super) fn find_key(connection: &Connection, key: &str) -> Done<Option<Operation>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM operations WHERE idempotency_key = ?1"
        ))?
        .query_row([key], operation_of)
        .optional()?)
}

/// The newest first.
pub(super) fn list(
    connection: &Connection,
    query: &OperationQuery,
    limit: u32,
) -> Done<OperationListing> {
    let mut wanted = vec!["number < ?1"];
    let mut values = vec![Value::Integer(query.before.unwrap_or(i64::MAX))];
    if let Some(device) = &query.device {
        wanted.push("device = ?2");
        values.push(Value::Text(device.clone()));
    }
    if let Some(state) = query.state {
        wanted.push(match query.device {
            Some(_) => "state = ?3",
            None => "state = ?2",
        });
        values.push(Value::Text(state.name().to_owned()));
    }
    let wanted = wanted.join(" AND ");
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM operations WHERE {wanted} ORDER BY number DESC"
    ))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut operations: Vec<Operation> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if operations.len() >= limit as usize || bytes >= PAGE_OPERATIONS_BYTES {
            // There is at least one more.
            let next = operations.last().map(|last| last.number);
            return Ok(OperationListing { operations, next });
        }
        let operation = operation_of(row)?;
        bytes += operation.request.len() + operation.outcome.as_ref().map_or(0, String::len);
        operations.push(operation);
    }
    Ok(OperationListing {
        operations,
        next: None,
    })
}

/// The oldest first.
pub(super) fn open(connection: &Connection, after: i64, limit: u32) -> Done<Vec<Operation>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM operations WHERE ended IS NULL AND number > ?1
         ORDER BY number LIMIT ?2"
    ))?;
    let operations = statement.query_map(params![after, limit], operation_of)?;
    Ok(operations.collect::<Result<_, _>>()?)
}

/// The highest number; 0 before the first.
pub(super) fn last(connection: &Connection) -> Done<i64> {
    let last = connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM operations")?
        .query_row([], |row| row.get(0))?;
    Ok(last)
}

/// One row of [`COLUMNS`], whatever is in it.
fn operation_of(row: &Row<'_>) -> rusqlite::Result<Operation> {
    Ok(Operation {
        number: row.get(0)?,
        device: text(row, 1)?,
        kind: text(row, 2)?,
        request: text(row, 3)?,
        command_key: optional_text(row, 4)?,
        is_awaited: row.get::<_, i64>(5)? != 0,
        patience: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        state: OperationState::named(&text(row, 9)?),
        updated: row.get(10)?,
        attempts: u32::try_from(row.get::<_, i64>(11)?).unwrap_or(u32::MAX),
        outcome: optional_text(row, 12)?,
        outcome_bytes: row.get::<_, i64>(13)?.unsigned_abs(),
        error: optional_text(row, 14)?,
    })
}

fn ended(progress: &OperationProgress) -> Option<Milliseconds> {
    progress.state.is_end().then_some(progress.updated)
}

fn bytes(request: usize, progress: &OperationProgress) -> i64 {
    let kept = [&progress.outcome, &progress.error];
    let kept = kept.into_iter().flatten().map(String::len);
    signed((request + kept.sum::<usize>()) as u64)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

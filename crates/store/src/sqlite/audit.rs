//! The statements of the audit.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::Sqlite;
use super::statements::Done;
use crate::{AuditEntry, AuditListing, AuditQuery, NewAuditEntry, StoreError};

impl Sqlite {
    pub(crate) fn begin_audit(&self, entry: NewAuditEntry) -> Result<i64, StoreError> {
        self.writer.write(move |connection| add(connection, &entry))
    }

    pub(crate) fn audit_soon(&self, entry: NewAuditEntry) -> Result<(), StoreError> {
        self.writer
            .write_soon(move |connection| add(connection, &entry).map(drop))
    }

    pub(crate) fn end_audit_soon(&self, id: i64, entry: NewAuditEntry) -> Result<(), StoreError> {
        self.writer.write_soon(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE audit SET target = ?2, what = ?3, operation = ?4, status = ?5
                     WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    entry.target,
                    entry.what,
                    entry.operation,
                    entry.status
                ])?;
            Ok(())
        })
    }

    pub(crate) fn audit(&self, query: &AuditQuery, limit: u32) -> Result<AuditListing, StoreError> {
        self.read(|connection| list(connection, query, limit))
    }
}

fn add(connection: &Connection, entry: &NewAuditEntry) -> Done<i64> {
    connection
        .prepare_cached(
            "INSERT INTO audit (at, actor, remote, action, target, what, operation, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            entry.at,
            entry.actor,
            entry.remote,
            entry.action,
            entry.target,
            entry.what,
            entry.operation,
            entry.status,
        ])?;
    Ok(connection.last_insert_rowid())
}

fn list(connection: &Connection, query: &AuditQuery, limit: u32) -> Done<AuditListing> {
    let filters = [
        ("actor", &query.actor),
        ("action", &query.action),
        ("target", &query.target),
    ];
    let wanted = filters
        .iter()
        .filter_map(|(name, text)| Some((name, text.as_ref()?)));
    let (mut conditions, mut values) = (String::from("id < ?"), Vec::new());
    values.push(Value::from(query.before.unwrap_or(i64::MAX)));
    for (name, text) in wanted {
        conditions += &format!(" AND {name} = ?");
        values.push(Value::from(text.clone()));
    }
    values.push(Value::from(i64::from(limit) + 1));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, at, actor, remote, action, target, what, operation, status
         FROM audit WHERE {conditions} ORDER BY id DESC LIMIT ?"
    ))?;
    let rows = statement.query_map(params_from_iter(values), entry)?;
    let mut entries = rows.collect::<Result<Vec<_>, _>>()?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|last| last.id);
    Ok(AuditListing { entries, next })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        entry: NewAuditEntry {
            at: row.get(1)?,
            actor: row.get(2)?,
            remote: row.get(3)?,
            action: row.get(4)?,
            target: row.get(5)?,
            what: row.get(6)?,
            operation: row.get(7)?,
            status: row.get(8)?,
        },
    })
}

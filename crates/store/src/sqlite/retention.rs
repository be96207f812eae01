//! What is forgotten: found by a reader, deleted by the writer in pieces, until somebody wants it to be left.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::statements::Done;
use crate::limits::{
    OPERATIONS_BYTES_MAX, OPERATIONS_KEYED_MAX, OPERATIONS_PRUNED_TOGETHER_MAX,
    PRUNED_TOGETHER_MAX, READS_BYTES_MAX,
};
use crate::{Kept, KeptOperations, Milliseconds, StoreError};

/// A table of what happened, in the order in which it was numbered.
#[derive(Clone, Copy)]
enum Log {
    Audit,
    Events,
}

/// The end of an Operation: when, and its number.
type Ended = (Milliseconds, i64);

impl Sqlite {
    pub(crate) fn leave_pruning(&self) {
        self.leaves_pruning.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.leaves_pruning.load(Ordering::Relaxed)
    }

    /// Where there are too many, those give way who have most: nobody pushes out what others have changed.
    pub(crate) fn prune_audit(&self, kept: Kept) -> Result<u64, StoreError> {
        let mut forgotten = self.prune_log(Log::Audit, Kept { max: None, ..kept })?;
        let Some(max) = kept.max else {
            return Ok(forgotten);
        };
        let surplus = self.read(|connection| match Log::Audit.surplus(connection, max)? {
            Some(_) => surplus_of_actors(connection, max),
            None => Ok(Vec::new()),
        })?;
        for (actor, mut surplus) in surplus {
            while surplus > 0 && self.goes_on() {
                let (actor, together) = (actor.clone(), surplus.min(PRUNED_TOGETHER_MAX.into()));
                let many = self
                    .writer
                    .write(move |connection| delete_of_actor(connection, &actor, together))?;
                forgotten += many as u64;
                surplus = if many == 0 { 0 } else { surplus - together };
            }
        }
        Ok(forgotten)
    }

    pub(crate) fn prune_events(&self, kept: Kept) -> Result<u64, StoreError> {
        self.prune_log(Log::Events, kept)
    }

    pub(crate) fn prune_operations(&self, kept: KeptOperations) -> Result<u64, StoreError> {
        let keys_since = kept.keys_since;
        let reads = self.prune_ended(true, kept.reads, READS_BYTES_MAX, keys_since)?;
        let changes = self.prune_ended(false, kept.changes, OPERATIONS_BYTES_MAX, keys_since)?;
        Ok(reads + changes)
    }

    fn prune_log(&self, log: Log, kept: Kept) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        while self.goes_on() {
            let since = kept.since;
            let old = self
                .writer
                .write(move |connection| log.delete_old(connection, since))?;
            forgotten += old as u64;
            if old == 0 {
                break;
            }
        }
        let Some(max) = kept.max else {
            return Ok(forgotten);
        };
        let Some(last) = self.read(|connection| log.surplus(connection, max))? else {
            return Ok(forgotten);
        };
        while self.goes_on() {
            let many = self
                .writer
                .write(move |connection| log.delete_to(connection, last))?;
            forgotten += many as u64;
            if many == 0 {
                break;
            }
        }
        Ok(forgotten)
    }

    fn prune_ended(
        &self,
        is_read: bool,
        kept: Kept,
        bytes_max: i64,
        keys_since: Milliseconds,
    ) -> Result<u64, StoreError> {
        let old = (kept.since, i64::MIN);
        let mut forgotten = self.delete_ended(is_read, old, Milliseconds::MAX)?;
        let max = kept.max.unwrap_or(u64::MAX);
        let cut = self.read(|connection| surplus(connection, is_read, max, bytes_max))?;
        let Some(cut) = cut else {
            return Ok(forgotten);
        };
        forgotten += self.delete_ended(is_read, cut, keys_since)?;
        let (max, bytes_max) = (
            max.saturating_add(OPERATIONS_KEYED_MAX),
            bytes_max.saturating_mul(2),
        );
        if let Some(cut) = self.read(|connection| surplus(connection, is_read, max, bytes_max))? {
            forgotten += self.delete_ended(is_read, cut, Milliseconds::MAX)?;
        }
        Ok(forgotten)
    }

    /// Deletes what ended at or before `last`, but for what has a key and ended since `keys_since`.
    fn delete_ended(
        &self,
        is_read: bool,
        last: Ended,
        keys_since: Milliseconds,
    ) -> Result<u64, StoreError> {
        let (mut after, mut forgotten) = ((Milliseconds::MIN, i64::MIN), 0);
        while self.goes_on() {
            let found = self
                .read(|connection| ended_between(connection, is_read, after, last, keys_since))?;
            let Some((ended, number)) = found.last().copied() else {
                return Ok(forgotten);
            };
            after = (ended, number);
            forgotten += found.len() as u64;
            self.writer.write(move |connection| {
                // What has ended does not begin again.
                let mut delete =
                    connection.prepare_cached("DELETE FROM operations WHERE number = ?1")?;
                for (_, number) in found {
                    delete.execute([number])?;
                }
                Ok(())
            })?;
        }
        Ok(forgotten)
    }
}

impl Log {
    const fn table(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Events => "events",
        }
    }

    /// Looks at the oldest only, so that it costs no index.
    fn delete_old(self, connection: &Connection, since: Milliseconds) -> Done<usize> {
        let table = self.table();
        let text = format!(
            "DELETE FROM {table}
             WHERE at < ?1 AND id IN (SELECT id FROM {table} ORDER BY id LIMIT ?2)"
        );
        let mut delete = connection.prepare_cached(&text)?;
        Ok(delete.execute(params![since, PRUNED_TOGETHER_MAX])?)
    }

    /// The newest of those that are too many, if any are. They are counted only where the numbers that they have do
    /// not say it already.
    fn surplus(self, connection: &Connection, max: u64) -> Done<Option<i64>> {
        let table = self.table();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let span: i64 = connection
            .prepare_cached(&format!(
                "SELECT coalesce((SELECT max(id) FROM {table}) - (SELECT min(id) FROM {table}) + 1, 0)"
            ))?
            .query_row([], |row| row.get(0))?;
        if span <= max {
            return Ok(None);
        }
        let count: i64 = connection
            .prepare_cached(&format!("SELECT count(*) FROM {table}"))?
            .query_row([], |row| row.get(0))?;
        if count <= max {
            return Ok(None);
        }
        let last = connection
            .prepare_cached(&format!(
                "SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET ?1"
            ))?
            .query_row([count - max - 1], |row| row.get(0))
            .optional()?;
        Ok(last)
    }

    fn delete_to(self, connection: &Connection, last: i64) -> Done<usize> {
        let table = self.table();
        let text = format!(
            "DELETE FROM {table}
             WHERE id IN (SELECT id FROM {table} WHERE id <= ?1 ORDER BY id LIMIT ?2)"
        );
        let mut delete = connection.prepare_cached(&text)?;
        Ok(delete.execute(params![last, PRUNED_TOGETHER_MAX])?)
    }
}

/// How many entries of the audit of whom are too many, where so many are kept of all: those who have few keep all, the
/// others have equal shares of the rest.
fn surplus_of_actors(connection: &Connection, max: u64) -> Done<Vec<(String, u64)>> {
    let mut all = connection
        .prepare_cached("SELECT actor, count(*) FROM audit GROUP BY actor ORDER BY count(*)")?;
    let counts = all.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    let counts: Vec<(String, u64)> = counts.collect::<Result<_, _>>()?;
    let (mut room, mut left) = (max, counts.len() as u64);
    let mut surplus = Vec::new();
    for (actor, count) in counts {
        let kept = count.min(room / left);
        (room, left) = (room - kept, left - 1);
        if count > kept {
            surplus.push((actor, count - kept));
        }
    }
    Ok(surplus)
}

fn delete_of_actor(connection: &Connection, actor: &str, count: u64) -> Done<usize> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM audit
         WHERE id IN (SELECT id FROM audit WHERE actor = ?1 ORDER BY id LIMIT ?2)",
    )?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(delete.execute(params![actor, count])?)
}

/// The last that ended of those that are too many or too much, if any are.
fn surplus(
    connection: &Connection,
    is_read: bool,
    max: u64,
    bytes_max: i64,
) -> Done<Option<Ended>> {
    let (count, bytes): (i64, f64) = connection
        .prepare_cached(
            "SELECT count(*), total(bytes) FROM operations
             WHERE is_read = ?1 AND ended IS NOT NULL",
        )?
        .query_row([is_read], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if count.unsigned_abs() <= max && bytes <= bytes_max as f64 {
        return Ok(None);
    }
    let mut newest = connection.prepare_cached(
        "SELECT ended, number, bytes FROM operations
         WHERE is_read = ?1 AND ended IS NOT NULL ORDER BY ended DESC, number DESC",
    )?;
    let mut rows = newest.query([is_read])?;
    let (mut count, mut bytes) = (0_u64, 0_i64);
    while let Some(row) = rows.next()? {
        count += 1;
        bytes = bytes.saturating_add(row.get(2)?);
        if count > max || bytes > bytes_max {
            return Ok(Some((row.get(0)?, row.get(1)?)));
        }
    }
    Ok(None)
}

fn ended_between(
    connection: &Connection,
    is_read: bool,
    after: Ended,
    last: Ended,
    keys_since: Milliseconds,
) -> Done<Vec<Ended>> {
    let mut found = connection.prepare_cached(
        "SELECT ended, number FROM operations
         WHERE is_read = ?1 AND ended IS NOT NULL
            AND (ended, number) > (?2, ?3) AND (ended, number) <= (?4, ?5)
            AND (idempotency_key IS NULL OR ended < ?6)
         ORDER BY ended, number LIMIT ?7",
    )?;
    let rows = found.query_map(
        params![
            is_read,
            after.0,
            after.1,
            last.0,
            last.1,
            keys_since,
            OPERATIONS_PRUNED_TOGETHER_MAX
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

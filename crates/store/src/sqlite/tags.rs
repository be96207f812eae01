//! The statements of tags.

use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::statements::{Done, must_exist};
use crate::limits::TAGS_PER_DEVICE_MAX;
use crate::{StoreError, tag};

impl Sqlite {
    pub(crate) fn add_tag(&self, id: String, tag: String) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            is_there(connection, &id)?;
            add(connection, &id, &tag)?;
            let count: i64 = connection
                .prepare_cached("SELECT count(*) FROM tags WHERE device = ?1")?
                .query_row([&id], |row| row.get(0))?;
            match count.unsigned_abs() > TAGS_PER_DEVICE_MAX as u64 {
                true => Err(tag::too_many().into()),
                false => Ok(()),
            }
        })
    }

    pub(crate) fn remove_tag(&self, id: String, tag: String) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            is_there(connection, &id)?;
            connection
                .prepare_cached("DELETE FROM tags WHERE device = ?1 AND tag = ?2")?
                .execute(params![id, tag])?;
            Ok(())
        })
    }

    pub(crate) fn tagged(&self, tag: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT device FROM tags WHERE tag = ?1 ORDER BY device LIMIT ?2",
            )?;
            let devices = statement.query_map(params![tag, limit], |row| row.get(0))?;
            Ok(devices.collect::<Result<_, _>>()?)
        })
    }
}

fn add(connection: &Connection, id: &str, tag: &str) -> Done {
    connection
        .prepare_cached("INSERT INTO tags (device, tag) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![id, tag])?;
    Ok(())
}

/// Gives a device these tags and no others.
pub(super) fn set(connection: &Connection, id: &str, tags: &[String]) -> Done {
    is_there(connection, id)?;
    connection
        .prepare_cached("DELETE FROM tags WHERE device = ?1")?
        .execute([id])?;
    tags.iter().try_for_each(|tag| add(connection, id, tag))
}

fn is_there(connection: &Connection, id: &str) -> Done {
    let found = connection
        .prepare_cached("SELECT 1 FROM devices WHERE endpoint_id = ?1")?
        .query_row([id], |_| Ok(()))
        .optional()?;
    must_exist(id, usize::from(found.is_some()))
}

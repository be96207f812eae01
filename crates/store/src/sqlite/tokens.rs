//! The statements of tokens.

use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::statements::Done;
use crate::limits::TOKENS_MAX;
use crate::{Milliseconds, NewToken, Scope, StoreError, Token};

impl Sqlite {
    pub(crate) fn add_token(&self, token: NewToken) -> Result<i64, StoreError> {
        self.writer.write(move |connection| add(connection, &token))
    }

    pub(crate) fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(list)
    }

    pub(crate) fn remove_token(&self, name: String) -> Result<i64, StoreError> {
        self.writer
            .write(move |connection| remove(connection, &name))
    }

    pub(crate) fn token_used_soon(&self, id: i64, at: Milliseconds) -> Result<(), StoreError> {
        self.writer.write_soon(move |connection| {
            connection
                .prepare_cached("UPDATE tokens SET last_used = ?2 WHERE id = ?1")?
                .execute(params![id, at])?;
            Ok(())
        })
    }
}

fn add(connection: &Connection, token: &NewToken) -> Done<i64> {
    let is_taken: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM tokens WHERE name = ?1)")?
        .query_row([&token.name], |row| row.get(0))?;
    if is_taken {
        let name = token.name.clone();
        return Err(StoreError::NameTaken { name }.into());
    }
    let count: i64 = connection.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
    if count >= TOKENS_MAX {
        return Err(StoreError::Full(format!(
            "there are {count} tokens, and more are not allowed; revoke those that nobody needs"
        ))
        .into());
    }
    connection
        .prepare_cached(
            "INSERT INTO tokens (name, hash, scope, created, created_by, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            token.name,
            token.hash,
            token.scope.name(),
            token.created,
            token.created_by,
            token.expires,
        ])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn list(connection: &Connection) -> Done<Vec<Token>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, hash, scope, created, created_by, expires, last_used
         FROM tokens ORDER BY id",
    )?;
    let tokens = statement.query_map([], |row| {
        let scope: String = row.get(3)?;
        let hash: Vec<u8> = row.get(2)?;
        Ok(Token {
            id: row.get(0)?,
            name: row.get(1)?,
            hash: hash.try_into().ok(),
            scope: Scope::named(&scope),
            created: row.get(4)?,
            created_by: row.get(5)?,
            expires: row.get(6)?,
            last_used: row.get(7)?,
        })
    })?;
    Ok(tokens.collect::<Result<_, _>>()?)
}

fn remove(connection: &Connection, name: &str) -> Done<i64> {
    connection
        .prepare_cached("DELETE FROM tokens WHERE name = ?1 RETURNING id")?
        .query_row([name], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::NoToken(name.to_owned()).into())
}

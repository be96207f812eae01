//! Tokens of the API: names, what they allow, and the hashes by which they are recognised.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits::TOKEN_NAME_BYTES_MAX;
use crate::{Backend, Milliseconds, Store, StoreError};

/// What a token allows; each allows what those before it do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To read the server's metrics.
    Metrics,
    /// To read what the server knows, and what devices say when they are asked.
    Read,
    /// To change devices.
    Operate,
    /// To change the server: its tokens, which devices it knows.
    Admin,
}

/// A token to be kept. Not the token itself: its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken {
    /// Its name, unique.
    pub name: String,
    /// The SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created: Milliseconds,
    /// Who made it.
    pub created_by: String,
    /// From when on it is not taken any more.
    pub expires: Option<Milliseconds>,
}

/// A token as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its number: none is used twice.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The SHA-256 of the token; none where that is damaged.
    pub hash: Option<[u8; 32]>,
    /// What it allows; none where that is not a scope.
    pub scope: Option<Scope>,
    /// When it was made.
    pub created: Milliseconds,
    /// Who made it.
    pub created_by: String,
    /// From when on it is not taken any more.
    pub expires: Option<Milliseconds>,
    /// When it was last used, give or take a minute.
    pub last_used: Option<Milliseconds>,
}

impl Scope {
    /// Every scope, the smallest first.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Read, Self::Operate, Self::Admin];

    /// The name under which it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl NewToken {
    /// Refuses a name that nobody can type.
    fn checked(self) -> Result<Self, StoreError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        match self.name.len() {
            1..=TOKEN_NAME_BYTES_MAX if self.name.bytes().all(is_plain) => Ok(self),
            _ => Err(StoreError::Invalid(format!(
                "the name {:?}: 1 to {TOKEN_NAME_BYTES_MAX} ASCII letters, digits and -_.@ are expected",
                self.name
            ))),
        }
    }
}

impl Store {
    /// Keeps a token, and says under which number.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::Full`] beyond
    /// [`limits::TOKENS_MAX`](crate::limits::TOKENS_MAX), [`StoreError::Invalid`] for an impossible name.
    pub fn add_token(&self, token: NewToken) -> Result<i64, StoreError> {
        let token = token.checked()?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_token(token),
        }
    }

    /// All tokens, in order of their numbers.
    ///
    /// # Errors
    /// What the backend says.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.tokens(),
        }
    }

    /// Forgets the token of this name, and says which number it had.
    ///
    /// # Errors
    /// [`StoreError::NoToken`] when there is none.
    pub fn remove_token(&self, name: &str) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove_token(name.to_owned()),
        }
    }

    /// Takes down that a token was used, without waiting for the disk.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits.
    pub fn token_used_soon(&self, id: i64, at: Milliseconds) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.token_used_soon(id, at),
        }
    }
}

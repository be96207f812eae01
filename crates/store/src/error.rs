//! What can go wrong with the platform's store, said so that the reader knows what to do.

use std::fmt;

/// Why the store could not be opened or did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The alias belongs to another device.
    #[error("the alias {alias:?} belongs to {owner}; take it away there first, or choose another")]
    AliasTaken {
        /// The alias.
        alias: String,
        /// The Endpoint ID of the device that has it.
        owner: String,
    },
    /// Several devices fit.
    #[error("{text:?} fits {}", Candidates(candidates, *count))]
    Ambiguous {
        /// What was looked for.
        text: String,
        /// The Endpoint IDs of the first that fit.
        candidates: Vec<String>,
        /// How many fit.
        count: u64,
    },
    /// More writes wait than are allowed.
    #[error("the store is busy, try again later")]
    Busy,
    /// The stored state contradicts itself. Nothing was changed.
    #[error(
        "{place}: the stored state is damaged ({reason}). Stop the server and restore this file \
         from a backup, or move it away together with the files of the same name that end in -wal \
         and -shm; the server then starts with an empty inventory. It does not do that by itself"
    )]
    Damaged {
        /// The file.
        place: String,
        /// What was found.
        reason: String,
    },
    /// The database refused or the system failed.
    #[error("{place}: cannot {action}: {reason}")]
    Failed {
        /// The file.
        place: String,
        /// What was attempted.
        action: &'static str,
        /// What was said.
        reason: String,
    },
    /// The disk, or the share of it that is allowed, is full. Nothing is written until there is room; what is there can
    /// be read.
    #[error(
        "{place}: cannot {action}: the disk is full; free some space there, nothing else has to be done"
    )]
    DiskFull {
        /// The file.
        place: String,
        /// What was attempted.
        action: &'static str,
    },
    /// What is there stays as it is.
    #[error("{0}")]
    Fixed(String),
    /// There are as many as may be.
    #[error("{0}")]
    Full(String),
    /// What was given is not allowed.
    #[error("{0}")]
    Invalid(String),
    /// Another token has this name.
    #[error("there is a token with the name {name:?}; revoke it first, or choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A newer version of the software wrote the state. It was not touched.
    #[error(
        "{place}: has schema version {found}, this software knows versions up to {known}; install \
         the newer software again or use another data folder (--data)"
    )]
    Newer {
        /// The file.
        place: String,
        /// The version found.
        found: i64,
        /// The highest version known here.
        known: i64,
    },
    /// No Subscription of the server has this name.
    #[error(
        "there is no Subscription with the name {0:?}; `usphere subscriptions list` shows them"
    )]
    NoSubscription(String),
    /// No token has this name.
    #[error("there is no token with the name {0:?}")]
    NoToken(String),
    /// No device fits.
    #[error("no device fits {0:?}")]
    NotFound(String),
}

/// The end of the sentence "… fits".
struct Candidates<'a>(&'a [String], u64);

impl fmt::Display for Candidates<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(candidates, count) = *self;
        write!(formatter, "{count} devices: {}", candidates.join(", "))?;
        match count.saturating_sub(candidates.len() as u64) {
            0 => {}
            more => write!(formatter, " and {more} more")?,
        }
        formatter.write_str("; give more of the Endpoint ID")
    }
}

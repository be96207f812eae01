//! What can go wrong with the Agent's store, said so that the reader knows what to do.

use std::fmt;
use std::io;

/// Why the store could not be opened, or why a commit did not take place.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The contents contradict themselves. On open such a file is set aside and never reported
    /// this way; on commit it means that the file was altered while the Agent ran.
    #[error("{place}: the stored state is damaged ({reason})")]
    Damaged {
        /// The file.
        place: String,
        /// What was found.
        reason: String,
    },
    /// There is no room for the change. It did not take place; it can be tried again.
    #[error("{place}: no space left on the device; free some and try again")]
    Full {
        /// The file.
        place: String,
    },
    /// Reading or writing failed. The change did not take place.
    #[error("{place}: cannot {action}: {source}")]
    Io {
        /// The file.
        place: String,
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error(
        "{place}: another process uses this file; stop the other Agent or give this one a \
         different data folder (--data)"
    )]
    Locked {
        /// The file.
        place: String,
    },
    /// A newer version of the software wrote the file. It was not touched.
    #[error(
        "{place}: has schema version {found}, this software knows versions up to {known}; \
         install the newer software again, or move the file away to start from factory settings"
    )]
    Newer {
        /// The file.
        place: String,
        /// The version in the file.
        found: u64,
        /// The highest version known here.
        known: u64,
    },
}

impl StoreError {
    /// An error of the system while attempting `action` on `place`.
    pub(super) fn io(place: &str, action: &'static str, source: io::Error) -> Self {
        let place = place.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { place },
            _ => Self::Io {
                place,
                action,
                source,
            },
        }
    }

    pub(super) fn damaged(place: &str, reason: impl fmt::Display) -> Self {
        Self::Damaged {
            place: place.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// An error of the database while attempting `action` on `place`.
    pub(super) fn database(
        place: &str,
        action: &'static str,
        error: impl Into<redb::Error>,
    ) -> Self {
        match error.into() {
            // What is no database, and what ends too early, comes as an error of the system.
            redb::Error::Io(source)
                if matches!(
                    source.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::damaged(place, source)
            }
            redb::Error::Io(source) => Self::io(place, action, source),
            redb::Error::PreviousIo => {
                Self::io(place, action, io::Error::other("an earlier access failed"))
            }
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Locked {
                place: place.to_owned(),
            },
            other => Self::damaged(place, other),
        }
    }
}

/// Something that the person who looks after the device should know about the opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The file could not be used. It was kept under another name, and the Agent starts from
    /// factory settings.
    SetAside {
        /// Where the file was.
        place: String,
        /// Where it is now.
        kept: String,
        /// What was wrong with it.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::SetAside {
            place,
            kept,
            reason,
        } = self;
        write!(
            formatter,
            "{place}: the stored state cannot be used ({reason}); it was kept as {kept} and the \
             Agent starts from factory settings"
        )
    }
}

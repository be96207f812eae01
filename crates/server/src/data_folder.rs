//! The folder of everything that a server keeps: one server at a time, its token, its Endpoint ID.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;
use rustix::fs::FlockOperation;
use usphere_mtp::files;
use usphere_proto::EndpointId;

use crate::limits::{TOKEN_BYTES, TOKEN_CHARACTERS_MIN};

/// Bytes of the small files that are read at most.
const FILE_BYTES_MAX: u64 = 4096;

/// The database, in a data folder.
pub(crate) const DATABASE: &str = "server.db";

/// The file of the Endpoint ID, in a data folder.
pub(crate) const ENDPOINT_ID: &str = "endpoint-id";

/// The file of the API's token, in a data folder.
pub(crate) const TOKEN: &str = "token";

/// An opened data folder. No other server opens it while this lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// What API clients show. It is never written into a log.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another server uses it.
    #[error("{}: another server uses this data folder; stop it, or give this one another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file or the folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What was expected, and what to do.
        reason: String,
    },
}

impl DataFolder {
    /// Opens the folder, and makes it where it is not there yet, for its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let folder = Self::open_unrestored(path)?;
        let restoring = folder.restoring();
        if restoring.exists() {
            return Err(DataError::Unusable {
                path: restoring,
                reason: "a restore was interrupted; run `usphere restore` again".to_owned(),
            });
        }
        Ok(folder)
    }

    /// As [`open`](Self::open), also where a restore was interrupted.
    pub(crate) fn open_unrestored(path: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Io {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let mode = fs::metadata(path).map_err(failed)?.mode();
        if mode & 0o002 != 0 {
            return Err(DataError::Unusable {
                path: path.to_owned(),
                reason: "everybody may write there, and so plant a token; \
                         run chmod o-w on it, or choose a folder of the server's own (--data)"
                    .to_owned(),
            });
        }
        let lock = path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock);
        let file = file.map_err(|source| DataError::Io {
            path: lock.clone(),
            source,
        })?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: file,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataError::InUse {
                path: path.to_owned(),
            }),
            Err(errno) => Err(DataError::Io {
                path: lock,
                source: errno.into(),
            }),
        }
    }

    /// Where the inventory is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Where a restore puts what it restores, until all of it is in its place.
    pub(crate) fn restoring(&self) -> PathBuf {
        self.path.join("restoring")
    }

    /// The token that API clients show, made at first start.
    pub(crate) fn token(&self) -> Result<Token, DataError> {
        let path = self.path.join(TOKEN);
        match self.read(&path)? {
            Some(text) => {
                let unusable = |reason: String| {
                    Err(DataError::Unusable {
                        path: path.clone(),
                        reason,
                    })
                };
                let mode = fs::metadata(&path)
                    .map_err(|source| DataError::Io {
                        path: path.clone(),
                        source,
                    })?
                    .mode();
                if mode & 0o077 != 0 {
                    let mode = mode & 0o777;
                    return unusable(format!(
                        "others may read the token (mode {mode:o}); run chmod 600 on it, or remove it and start again for a new one"
                    ));
                }
                if text.len() < TOKEN_CHARACTERS_MIN
                    || !text.bytes().all(|byte| byte.is_ascii_graphic())
                {
                    return unusable(format!(
                        "a token has at least {TOKEN_CHARACTERS_MIN} visible characters; remove the file and start again for a new one"
                    ));
                }
                Ok(Token(text))
            }
            None => {
                let token = hex(&random::<TOKEN_BYTES>()?);
                self.write(&path, &token, 0o600)?;
                Ok(Token(token))
            }
        }
    }

    /// Writes the Endpoint ID down where people and scripts find it. The store is what keeps it.
    pub(crate) fn publish_endpoint_id(&self, id: &EndpointId) -> Result<(), DataError> {
        let path = self.path.join(ENDPOINT_ID);
        if self.read(&path)?.as_deref() == Some(id.as_str()) {
            return Ok(());
        }
        self.write(&path, id.as_str(), 0o644)
    }

    /// The Endpoint ID that was written down, if there is one.
    pub(crate) fn published_endpoint_id(&self) -> Result<Option<EndpointId>, DataError> {
        let text = self.read(&self.path.join(ENDPOINT_ID))?;
        Ok(text.and_then(|text| EndpointId::parse(&text).ok()))
    }

    fn read(&self, path: &Path) -> Result<Option<String>, DataError> {
        let failed = |source| DataError::Io {
            path: path.to_owned(),
            source,
        };
        match files::read_text(path, FILE_BYTES_MAX) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes a file whole or not at all, durably.
    fn write(&self, path: &Path, text: &str, mode: u32) -> Result<(), DataError> {
        let write = || {
            let new = path.with_extension("new");
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(mode)
                .open(&new)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| DataError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

/// What every msg_id of one run starts with.
pub(crate) fn msg_id_prefix() -> Result<String, DataError> {
    Ok(hex(&random::<6>()?))
}

/// A new Endpoint ID: `uuid::` and a random UUID (RFC 9562, version 4).
pub(crate) fn made_endpoint_id() -> Result<String, DataError> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let [a, b, c, d, e] = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Ok(format!("uuid::{a}-{b}-{c}-{d}-{e}"))
}

/// A new token. Its beginning tells people and scanners of leaked secrets what it is.
pub(crate) fn made_token() -> Result<String, DataError> {
    Ok(format!("usphere_{}", hex(&random::<TOKEN_BYTES>()?)))
}

fn random<const N: usize>() -> Result<[u8; N], DataError> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| DataError::Random(error.to_string()))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let token = data.token().unwrap();
        assert_eq!(token.as_str().len(), 2 * TOKEN_BYTES);
        assert!(!format!("{token:?}").contains(token.as_str()));
        assert_eq!(
            fs::metadata(folder.path().join("token")).unwrap().mode() & 0o777,
            0o600
        );
        drop(data);
        let again = DataFolder::open(folder.path()).unwrap().token().unwrap();
        assert_eq!(again.as_str(), token.as_str());
    }

    #[test]
    fn a_made_endpoint_id_is_valid_and_published() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let id = EndpointId::parse(&made_endpoint_id().unwrap()).unwrap();
        assert_ne!(id.as_str(), made_endpoint_id().unwrap());
        assert_eq!(id.production_warning(), None);
        data.publish_endpoint_id(&id).unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("endpoint-id"))
                .unwrap()
                .trim(),
            id.as_str()
        );
    }

    #[test]
    fn a_token_that_others_can_read_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        data.token().unwrap();
        let path = folder.path().join("token");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(data.token().unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short\n").unwrap();
        assert!(
            data.token()
                .unwrap_err()
                .to_string()
                .contains("at least 32")
        );
    }

    /// Nobody writes to it: who opened it would wait for ever.
    #[test]
    fn a_token_that_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let mut made = std::process::Command::new("mkfifo");
        let made = made.arg(folder.path().join("token")).status();
        assert!(made.unwrap().success());
        let error = data.token().unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[test]
    fn a_folder_that_everybody_may_write_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let error = DataFolder::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("chmod o-w"), "{error}");
    }

    #[test]
    fn one_server_at_a_time_uses_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = DataFolder::open(folder.path()).unwrap();
        assert!(matches!(
            DataFolder::open(folder.path()),
            Err(DataError::InUse { .. })
        ));
    }
}

//! A configuration file that Controllers may change: read whole, replaced whole, and given back its old
//! content when a change is taken back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use usphere_datamodel::model::{OwnedChange, OwnerError};

use crate::files;
use crate::limits::{EDITS_MAX, FILE_BYTES_MAX};

/// The file, and what it was before the last changes.
#[derive(Debug)]
pub(crate) struct Edited {
    file: PathBuf,
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    changes: Vec<OwnedChange>,
    /// None where there was no file.
    before: Option<String>,
    after: String,
}

impl Edited {
    /// Nothing is read yet.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self {
            file,
            edits: Vec::new(),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// What is in it; empty where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or replacing it would lose something of it.
    pub(crate) fn read(&self) -> Result<String, OwnerError> {
        self.content().map(Option::unwrap_or_default)
    }

    /// Replaces it with `text`, because of `changes`.
    ///
    /// # Errors
    /// When the host does not let us; it has its old content then.
    pub(crate) fn write(
        &mut self,
        changes: &[OwnedChange],
        text: String,
    ) -> Result<(), OwnerError> {
        let before = self.content()?;
        if before.as_ref() == Some(&text) {
            return Ok(());
        }
        self.replace(&text)?;
        if self.edits.len() == EDITS_MAX {
            self.edits.remove(0);
        }
        self.edits.push(Edit {
            changes: sorted(changes),
            before,
            after: text,
        });
        Ok(())
    }

    /// Gives the file the content that it had before `changes`. False, and nothing is done, where others
    /// have changed it since, or it was not they who did.
    ///
    /// # Errors
    /// When the host does not let us.
    pub(crate) fn take_back(&mut self, changes: &[OwnedChange]) -> Result<bool, OwnerError> {
        let changes = sorted(changes);
        let Some(edit) = self.edits.last().filter(|edit| edit.changes == changes) else {
            return Ok(false);
        };
        if self.content()?.as_ref() != Some(&edit.after) {
            return Ok(false);
        }
        match &edit.before {
            Some(before) => self.replace(before)?,
            None => fs::remove_file(&self.file).map_err(|error| self.failed(&error))?,
        }
        self.edits.pop();
        Ok(true)
    }

    fn content(&self) -> Result<Option<String>, OwnerError> {
        match fs::metadata(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
            Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
                return Err(OwnerError::failed(format!(
                    "{} is longer than the {FILE_BYTES_MAX} bytes that are changed",
                    self.file.display()
                )));
            }
            Ok(_) => {}
        }
        fs::read_to_string(&self.file)
            .map(Some)
            .map_err(|error| self.failed(&error))
    }

    fn replace(&self, text: &str) -> Result<(), OwnerError> {
        files::replace_behind_link(&self.file, text).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> OwnerError {
        OwnerError::failed(format!("{}: {error}", self.file.display()))
    }
}

/// Changes are taken back in another order than they were made.
fn sorted(changes: &[OwnedChange]) -> Vec<OwnedChange> {
    let mut changes = changes.to_vec();
    changes.sort_unstable();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: &str) -> OwnedChange {
        OwnedChange::Set {
            path: "Device.DeviceInfo.HostName".to_owned(),
            value: value.to_owned(),
            previous: String::new(),
        }
    }

    #[test]
    fn the_last_change_is_taken_back_first_and_the_file_goes_that_was_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut edited = Edited::new(folder.path().join("conf"));
        edited
            .write(&[change("a"), change("b")], "1".into())
            .unwrap();
        edited.write(&[change("c")], "2".into()).unwrap();
        assert_eq!(edited.take_back(&[change("a")]), Ok(false));
        assert_eq!(edited.take_back(&[change("c")]), Ok(true));
        assert_eq!(edited.read().unwrap(), "1");
        assert_eq!(edited.take_back(&[change("b"), change("a")]), Ok(true));
        assert!(!edited.path().exists());
    }

    #[test]
    fn what_others_wrote_since_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut edited = Edited::new(folder.path().join("conf"));
        edited.write(&[change("a")], "1".into()).unwrap();
        fs::write(edited.path(), "3").unwrap();
        assert_eq!(edited.take_back(&[change("a")]), Ok(false));
        assert_eq!(edited.read().unwrap(), "3");
    }

    #[test]
    fn a_file_that_would_lose_something_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut edited = Edited::new(folder.path().join("conf"));
        fs::write(edited.path(), b"\xff").unwrap();
        assert!(edited.write(&[change("a")], "1".into()).is_err());
        let long = usize::try_from(FILE_BYTES_MAX).unwrap() + 1;
        fs::write(edited.path(), " ".repeat(long)).unwrap();
        assert!(edited.write(&[change("a")], "1".into()).is_err());
        assert_eq!(fs::read(edited.path()).unwrap().len(), long);
    }
}

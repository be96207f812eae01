//! When the device was first used: the first time that its clock was right, kept in a file.

use std::path::PathBuf;

use usphere_datamodel::model::OwnerError;
use usphere_datamodel::types::{DATE_TIME, UNKNOWN_TIME};

use crate::files;

/// The date, and where it is kept.
#[derive(Debug)]
pub(crate) struct FirstUse {
    file: Option<PathBuf>,
    known: Option<String>,
    failed: bool,
}

impl FirstUse {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            known: None,
            failed: false,
        }
    }

    /// The date that is kept. When there is none yet and the clock is right, `now` becomes it.
    ///
    /// # Errors
    /// When what is kept cannot be read, which must not be replaced then.
    pub(crate) fn date(
        &mut self,
        is_clock_right: bool,
        now: impl FnOnce() -> String,
    ) -> Result<String, OwnerError> {
        if self.known.is_none() {
            self.known = self.kept()?;
        }
        if self.known.is_none() && is_clock_right {
            self.keep(now());
        }
        let known = self.known.clone();
        Ok(known.unwrap_or_else(|| UNKNOWN_TIME.to_owned()))
    }

    fn kept(&self) -> Result<Option<String>, OwnerError> {
        let text = match &self.file {
            Some(file) => files::text(file)?.unwrap_or_default(),
            None => return Ok(None),
        };
        let date = DATE_TIME.canonical(text.trim()).ok();
        Ok(date.map(|date| date.into_owned()))
    }

    /// A date that cannot be kept is not told either, for it would be another one after a restart.
    fn keep(&mut self, date: String) {
        let Some(file) = &self.file else { return };
        match files::replace(file, &format!("{date}\n")) {
            Ok(()) => self.known = Some(date),
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::warn!(
                    "the date of first use cannot be kept in {}: {error}",
                    file.display()
                );
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_set_once_and_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(folder.path().join("first-use"));
        let mut first_use = FirstUse::new(file.clone());
        assert_eq!(
            first_use.date(false, || unreachable!()).unwrap(),
            UNKNOWN_TIME
        );
        assert_eq!(
            first_use
                .date(true, || "2026-01-02T03:04:05Z".into())
                .unwrap(),
            "2026-01-02T03:04:05Z"
        );
        assert_eq!(
            first_use.date(true, || unreachable!()).unwrap(),
            "2026-01-02T03:04:05Z"
        );
        assert_eq!(
            FirstUse::new(file).date(false, || unreachable!()).unwrap(),
            "2026-01-02T03:04:05Z"
        );
    }

    #[test]
    fn without_a_place_to_keep_it_stays_unknown() {
        let now = || "2026-01-02T03:04:05Z".to_owned();
        assert_eq!(FirstUse::new(None).date(true, now).unwrap(), UNKNOWN_TIME);
        assert_eq!(
            FirstUse::new(Some("/proc/none/first-use".into()))
                .date(true, now)
                .unwrap(),
            UNKNOWN_TIME
        );
    }

    #[test]
    fn a_spoilt_file_is_no_date() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("first-use");
        std::fs::write(&file, b"\xff yesterday").unwrap();
        let mut first_use = FirstUse::new(Some(file));
        assert_eq!(
            first_use.date(false, || unreachable!()).unwrap(),
            UNKNOWN_TIME
        );
        assert_eq!(
            first_use
                .date(true, || "2026-01-02T03:04:05Z".into())
                .unwrap(),
            "2026-01-02T03:04:05Z"
        );
    }
}

//! Instance numbers of rows that this owner numbers itself, kept in a file of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use usphere_datamodel::model::OwnerError;

use crate::files::{self, Unread};
use crate::limits::ROW_NUMBERS_MAX;

/// Numbers by the names that the host has for the rows of one table. A number is never given twice.
#[derive(Debug)]
pub(crate) struct RowNumbers {
    file: Option<PathBuf>,
    by_name: BTreeMap<String, u32>,
    next: u32,
    is_kept: bool,
}

impl RowNumbers {
    /// What was kept in `file`; lines that make no sense are left out. Without a file the numbers are
    /// others after a restart.
    ///
    /// # Errors
    /// When the file is there and cannot be read: its numbers would be given a second time.
    pub(crate) fn load(file: Option<PathBuf>) -> Result<Self, Unread> {
        let text = match &file {
            Some(file) => files::table(file)?.unwrap_or_default(),
            None => String::new(),
        };
        let mut numbers = Self {
            file,
            by_name: BTreeMap::new(),
            next: 1,
            is_kept: true,
        };
        for line in text.lines() {
            let Some((number, name)) = line.split_once(' ') else {
                continue;
            };
            let Some(number) = number.parse().ok().filter(|number| *number < u32::MAX) else {
                continue;
            };
            numbers.next = numbers.next.max(number);
            if name != NEXT {
                numbers.next = numbers.next.max(number + 1);
                numbers.by_name.insert(name.to_owned(), number);
            }
        }
        Ok(numbers)
    }

    /// The number of the row called `name`; a new one where it has none.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.next;
        self.take(number, name);
        number
    }

    /// Gives `number` to the row called `name`.
    pub(crate) fn take(&mut self, number: u32, name: &str) {
        self.by_name.retain(|_, known| *known != number);
        self.by_name.insert(name.to_owned(), number);
        self.next = self.next.max(number.saturating_add(1));
        self.is_kept = false;
    }

    /// What the host calls the row `number`.
    pub(crate) fn name(&self, number: u32) -> Option<&str> {
        let mut names = self.by_name.iter();
        let found = names.find(|(_, known)| **known == number);
        found.map(|(name, _)| name.as_str())
    }

    /// Keeps what is new. Of too many, those go that are not among `present`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn keep(&mut self, present: &[String]) -> Result<(), OwnerError> {
        if self.is_kept {
            return Ok(());
        }
        if self.by_name.len() > ROW_NUMBERS_MAX {
            self.by_name.retain(|name, _| present.contains(name));
        }
        if let Some(file) = &self.file {
            let mut text = format!("{} {NEXT}\n", self.next);
            for (name, number) in &self.by_name {
                text.push_str(&format!("{number} {name}\n"));
            }
            files::replace(file, &text).map_err(|error| {
                OwnerError::failed(format!(
                    "the instance numbers cannot be kept in {}: {error}",
                    file.display()
                ))
            })?;
        }
        self.is_kept = true;
        Ok(())
    }
}

/// The instance number of the row of `table` (`Device.DNS.Client.Server.`) that `path` is of, or is in.
pub(crate) fn instance(path: &str, table: &str) -> Option<u32> {
    path.strip_prefix(table)?.split('.').next()?.parse().ok()
}

/// Stands for the row that comes next.
const NEXT: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outlive_a_restart_and_are_not_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(folder.path().join("rows"));
        let mut numbers = RowNumbers::load(file.clone()).unwrap();
        assert_eq!((numbers.number("a"), numbers.number("b")), (1, 2));
        numbers.take(7, "c d");
        assert_eq!(numbers.number("a"), 1);
        numbers.keep(&[]).unwrap();
        let mut numbers = RowNumbers::load(file).unwrap();
        assert_eq!(numbers.name(7), Some("c d"));
        assert_eq!((numbers.number("b"), numbers.number("e")), (2, 8));
    }

    #[test]
    fn names_that_are_away_go_when_there_are_too_many() {
        let mut numbers = RowNumbers::load(None).unwrap();
        for index in 0..=ROW_NUMBERS_MAX {
            numbers.number(&index.to_string());
        }
        numbers.keep(&["5".to_owned()]).unwrap();
        assert_eq!(numbers.by_name.len(), 1);
        let next = u32::try_from(ROW_NUMBERS_MAX).unwrap() + 2;
        assert_eq!(numbers.number("0"), next);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_each_time() {
        let mut numbers = RowNumbers::load(Some("/proc/none/rows".into())).unwrap();
        numbers.number("a");
        assert!(numbers.keep(&[]).is_err());
        assert!(numbers.keep(&[]).is_err());
    }
}

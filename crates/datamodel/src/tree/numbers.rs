//! Which instance number an owner's row has, by the owner's key of the row. (R-ARC.8)
//!
//! Numbers are remembered apart from the objects: a row that comes back has its number again, and so
//! have the rows below it. Rows that are away are forgotten when there are too many of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Tree;
use crate::limits::NUMBERS_ABSENT_MAX;
use crate::schema::SchemaView;

/// The numbers of all tables that owners give, by the path of the table, `Device.A.1.B.`
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tables: BTreeMap<Box<str>, Numbered>,
    keys: usize,
}

#[derive(Debug, Default)]
struct Numbered {
    by_key: BTreeMap<Box<str>, u32>,
    used: BTreeSet<u32>,
    next: u32,
}

impl Numbers {
    /// The number that `key` has or had in `table`.
    pub(crate) fn of(&self, table: &str, key: &str) -> Option<u32> {
        self.tables.get(table)?.by_key.get(key).copied()
    }

    /// The number that no key of `table` ever had, as far as is remembered; 0 where none had one.
    pub(crate) fn next(&self, table: &str) -> u32 {
        self.tables.get(table).map_or(0, |table| table.next)
    }

    /// Remembers that no number below `next` may be given to a new key.
    pub(crate) fn raise(&mut self, table: &str, next: u32) {
        let table = self.tables.entry(table.into()).or_default();
        table.next = table.next.max(next);
    }

    /// Gives `number` to `key`, unless another key has it or `key` has another: then nothing happens
    /// and the answer is false.
    pub(crate) fn keep(&mut self, table: &str, key: &str, number: u32) -> bool {
        let table = self.tables.entry(table.into()).or_default();
        if table.by_key.contains_key(key) || !table.used.insert(number) {
            return false;
        }
        table.by_key.insert(key.into(), number);
        table.next = table.next.max(number.saturating_add(1));
        self.keys += 1;
        true
    }

    /// Forgets a key. Its number is not given again.
    pub(crate) fn forget(&mut self, table: &str, key: &str) {
        let Some(table) = self.tables.get_mut(table) else {
            return;
        };
        if let Some(number) = table.by_key.remove(key) {
            table.used.remove(&number);
            self.keys -= 1;
        }
    }

    /// Forgets all tables below the object at `path`, and gives their keys in the store.
    pub(crate) fn forget_below(&mut self, path: &str) -> Vec<String> {
        let below = self
            .tables
            .range::<str, _>((std::ops::Bound::Included(path), std::ops::Bound::Unbounded))
            .take_while(|(table, _)| table.starts_with(path));
        let tables: Vec<Box<str>> = below.map(|(table, _)| table.clone()).collect();
        let mut entries = Vec::new();
        for path in tables {
            if let Some(table) = self.tables.remove(&path) {
                self.keys -= table.by_key.len();
                entries.push(format!("{path}#"));
                entries.extend(table.by_key.keys().map(|key| format!("{path}#{key}")));
            }
        }
        entries
    }

    /// The keys in the store of all tables below the object at `path`.
    pub(crate) fn entries_below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = String> + 'a {
        let below = self
            .tables
            .range::<str, _>((std::ops::Bound::Included(path), std::ops::Bound::Unbounded))
            .take_while(move |(table, _)| table.starts_with(path));
        below.flat_map(|(path, table)| {
            let keys = table.by_key.keys().map(move |key| format!("{path}#{key}"));
            core::iter::once(format!("{path}#")).chain(keys)
        })
    }
}

/// What was forgotten of numbers: the keys that leave the store, and the next number of each table
/// that lost some.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) removed: Vec<String>,
    pub(crate) next: Vec<(String, u32)>,
}

impl Tree {
    /// Forgets rows that are away where there are more than [`NUMBERS_ABSENT_MAX`] of them, those with
    /// the smallest numbers first.
    pub(crate) fn trim_numbers(&mut self, view: &SchemaView) -> Forgotten {
        let mut forgotten = Forgotten::default();
        if self.numbers.keys <= NUMBERS_ABSENT_MAX {
            return forgotten;
        }
        let mut away: Vec<(u32, Box<str>, Box<str>)> = Vec::new();
        for (path, table) in &self.numbers.tables {
            for (key, number) in &table.by_key {
                if self.find(view, &format!("{path}{number}.")).is_none() {
                    away.push((*number, path.clone(), key.clone()));
                }
            }
        }
        if away.len() <= NUMBERS_ABSENT_MAX {
            return forgotten;
        }
        away.sort_unstable();
        // Some more than needed, so that the next row does not begin the search again.
        for (number, table, key) in &away[..away.len() - NUMBERS_ABSENT_MAX / 4 * 3] {
            self.numbers.forget(table, key);
            forgotten.removed.push(format!("{table}#{key}"));
            let below = self.numbers.forget_below(&format!("{table}{number}."));
            forgotten.removed.extend(below);
            forgotten
                .next
                .push((format!("{table}#"), self.numbers.next(table)));
        }
        forgotten.next.sort_unstable();
        forgotten.next.dedup();
        forgotten
    }
}

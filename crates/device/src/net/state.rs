//! What this owner keeps: the numbers of its rows, and what Controllers have configured.
//!
//! It is kept in a file of its own, in lines `KEY VALUE` with the keys that the Agent's store would have:
//!
//! | key | what it keeps |
//! |---|---|
//! | `Device.A.1.` | that a Controller made the row, or took it over from the host (`host`) |
//! | `Device.A.1.P` | what a Controller gave it |
//! | `Device.A.1.#` | the kernel's name of the device that it is |
//! | `Device.A.#` | the number that the next row gets |
//! | `Device.A.#key` | the number of the host's own row `key` |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::row::{Row, TABLES, Table};
use crate::files;
use crate::limits::{NET_NUMBERS_MAX, STATE_BYTES_MAX};

/// Where a table is: the table, and the row that it is below.
type Place = (Table, u32);

/// Everything that is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Rows that Controllers made or changed.
    pub(super) rows: BTreeMap<Row, Configured>,
    numbers: BTreeMap<Place, Numbers>,
    is_changed: bool,
}

/// A row that a Controller made, or a row of the host of which a Controller changed something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Configured {
    /// Whether it is there because a Controller wants it.
    pub(super) is_made: bool,
    /// The kernel's name of the device that the row is, once it has one.
    pub(super) device: Option<String>,
    /// What Controllers gave it, by parameter.
    pub(super) values: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    by_key: BTreeMap<String, u32>,
    /// Keys that were there when it was last looked.
    present: BTreeSet<String>,
    next: u32,
}

impl Configured {
    /// What a Controller gave `parameter`; empty where nobody did.
    pub(super) fn text(&self, parameter: &str) -> &str {
        self.values.get(parameter).map_or("", String::as_str)
    }

    pub(super) fn is_set(&self, parameter: &str) -> bool {
        self.text(parameter) == "true"
    }

    /// What the reference `parameter` names first.
    pub(super) fn reference(&self, parameter: &str) -> Option<Row> {
        Row::parse(self.text(parameter).split(',').next()?)
    }
}

impl State {
    /// The number of the host's own row `key`, and that the row is there.
    pub(super) fn number(&mut self, table: Table, parent: u32, key: &str) -> u32 {
        let numbers = self.numbers.entry((table, parent)).or_default();
        numbers.present.insert(key.to_owned());
        if let Some(number) = numbers.by_key.get(key) {
            return *number;
        }
        let number = numbers.next.max(1);
        numbers.next = number.saturating_add(1);
        numbers.by_key.insert(key.to_owned(), number);
        self.is_changed = true;
        number
    }

    /// The rows of `table` below the row `parent` that Controllers made or changed.
    pub(super) fn rows_below(
        &self,
        table: Table,
        parent: u32,
    ) -> impl Iterator<Item = (Row, &Configured)> {
        let all = Row::below(table, parent, 0)..=Row::below(table, parent, u32::MAX);
        let rows = self.rows.range(all);
        rows.map(|(row, configured)| (*row, configured))
    }

    /// The host's own name of a row, if it is one of the host's.
    pub(super) fn key(&self, row: Row) -> Option<&str> {
        let numbers = self.numbers.get(&(row.table, row.parent))?;
        let mut keys = numbers.by_key.iter();
        keys.find(|(_, number)| **number == row.number)
            .map(|(key, _)| key.as_str())
    }

    /// Begins to look anew which of the host's rows are there.
    pub(super) fn forget_presence(&mut self) {
        for numbers in self.numbers.values_mut() {
            numbers.present.clear();
        }
    }

    /// Gives the number of `row` to it alone: the model chose it for a row that a Controller adds.
    pub(super) fn take_number(&mut self, row: Row) {
        let numbers = self.numbers.entry((row.table, row.parent)).or_default();
        numbers.next = numbers.next.max(row.number.saturating_add(1));
        numbers.by_key.retain(|_, number| *number != row.number);
        self.is_changed = true;
    }

    /// Says that something was changed that has to be kept.
    pub(super) fn touch(&mut self) {
        self.is_changed = true;
    }

    /// What a row is called: as a Controller says, or after its number.
    pub(super) fn alias(&self, row: Row) -> String {
        let given = self.rows.get(&row).map_or("", |row| row.text("Alias"));
        if !given.is_empty() {
            return given.to_owned();
        }
        let mut number = row.number;
        loop {
            let alias = format!("cpe-{number}");
            if !self.is_taken(row, &alias) {
                return alias;
            }
            number = number.saturating_add(1);
        }
    }

    fn is_taken(&self, row: Row, alias: &str) -> bool {
        let beside =
            |other: &Row| *other != row && other.table == row.table && other.parent == row.parent;
        let mut given = self.rows.iter();
        given.any(|(other, configured)| beside(other) && configured.text("Alias") == alias)
    }

    /// Keeps what was changed, durably.
    ///
    /// # Errors
    /// When the file cannot be written, or would be longer than is read again; then it has what it had.
    pub(super) fn save(&mut self, file: Option<&PathBuf>) -> io::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let keys: usize = self.numbers.values().map(|table| table.by_key.len()).sum();
        if keys > NET_NUMBERS_MAX {
            self.trim();
        }
        if let Some(file) = file {
            files::replace(file, &self.bounded_text()?)?;
        }
        self.is_changed = false;
        Ok(())
    }

    /// What was kept in `file`; nothing where there is none. Lines that make no sense are left out, with a word
    /// in the log.
    ///
    /// # Errors
    /// When the file is there and cannot be read: it must not be taken for an empty one, nor replaced.
    pub(super) fn load(file: Option<&PathBuf>) -> io::Result<Self> {
        let mut state = Self::default();
        let Some(file) = file else { return Ok(state) };
        for line in files::kept_text(file, STATE_BYTES_MAX)?.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            if state.take_line(key, unescaped(value)).is_none() {
                tracing::warn!("left out of the kept network configuration: {key}");
            }
        }
        Ok(state)
    }

    fn take_line(&mut self, key: &str, value: String) -> Option<()> {
        if let Some((table, name)) = key.split_once(".#") {
            let table = format!("{table}.");
            if let Some(row) = Row::parse(&table) {
                self.rows.entry(row).or_default().device = Some(value);
                return Some(());
            }
            let place = Row::parse_table(&table)?;
            let numbers = self.numbers.entry(place).or_default();
            let number: u32 = value.parse().ok()?;
            if name.is_empty() {
                numbers.next = number;
            } else {
                numbers.by_key.insert(unescaped(name), number);
            }
            return Some(());
        }
        let (row, name) = Row::split(key)?;
        let configured = self.rows.entry(row).or_default();
        if name.is_empty() {
            configured.is_made = value != HOST;
        } else {
            configured.values.insert(name.to_owned(), value);
        }
        Some(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key} {}", escaped(value));
        };
        for ((table, parent), numbers) in &self.numbers {
            let path = table_path(*table, *parent);
            line(&format!("{path}#"), &numbers.next.to_string());
            for (key, number) in &numbers.by_key {
                line(&format!("{path}#{}", escaped(key)), &number.to_string());
            }
        }
        for (row, configured) in &self.rows {
            line(
                &format!("{row}."),
                if configured.is_made { "" } else { HOST },
            );
            if let Some(device) = &configured.device {
                line(&format!("{row}.#"), device);
            }
            for (name, value) in &configured.values {
                line(&format!("{row}.{name}"), value);
            }
        }
        text
    }

    /// What [`Self::load`] reads again.
    fn bounded_text(&mut self) -> io::Result<String> {
        let is_too_long = |text: &str| text.len() as u64 > STATE_BYTES_MAX;
        let mut text = self.text();
        if is_too_long(&text) {
            self.trim();
            text = self.text();
        }
        if is_too_long(&text) {
            let text = format!("it would be longer than {STATE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(text)
    }

    /// Forgets rows of the host that are away.
    fn trim(&mut self) {
        for numbers in self.numbers.values_mut() {
            let Numbers {
                by_key, present, ..
            } = numbers;
            by_key.retain(|key, _| present.contains(key));
        }
    }
}

/// Stands in the file for a row that the host has by itself.
const HOST: &str = "host";

fn table_path(table: Table, parent: u32) -> String {
    debug_assert!(TABLES.contains(&table));
    let row = Row {
        table,
        parent,
        number: 1,
    };
    let path = row.to_string();
    path[..path.len() - 1].to_owned()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            ' ' => escaped.push_str("\\s"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some('s') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            },
            (other, false) => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(state: &mut State) -> State {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("network");
        state.save(Some(&file)).unwrap();
        State::load(Some(&file)).unwrap()
    }

    #[test]
    fn everything_is_there_after_a_restart() {
        let mut state = State::default();
        state.take_number(Row::new(Table::VlanTermination, 3));
        assert_eq!(state.number(Table::IpInterface, 0, "eth0"), 1);
        assert_eq!(state.number(Table::Ipv6Address, 1, "fe80::1/64 x"), 1);
        assert_eq!(state.number(Table::IpInterface, 0, "eth1"), 2);
        let row = Row::new(Table::VlanTermination, 3);
        let configured = Configured {
            is_made: true,
            device: Some("vlan7".into()),
            values: [("Alias".to_owned(), "a b\\\nc".to_owned())].into(),
        };
        state.rows.insert(row, configured.clone());
        let host = Row::new(Table::EthernetInterface, 1);
        state.rows.insert(host, Configured::default());
        let mut again = kept(&mut state);
        assert_eq!(again.rows[&row], configured);
        assert_eq!(again.rows[&host], Configured::default());
        assert_eq!(again.number(Table::IpInterface, 0, "eth1"), 2);
        assert_eq!(again.number(Table::IpInterface, 0, "eth2"), 3);
        assert_eq!(again.number(Table::Ipv6Address, 1, "fe80::1/64 x"), 1);
        assert_eq!(again.number(Table::VlanTermination, 0, "eth0.9"), 4);
    }

    #[test]
    fn an_alias_that_was_given_is_not_made_up_again() {
        let mut state = State::default();
        let (one, two) = (Row::new(Table::Bridge, 1), Row::new(Table::Bridge, 2));
        let called = Configured {
            values: [("Alias".to_owned(), "cpe-2".to_owned())].into(),
            ..Configured::default()
        };
        state.rows.insert(one, called);
        assert_eq!(state.alias(one), "cpe-2");
        assert_eq!(state.alias(two), "cpe-3");
    }

    #[test]
    fn a_spoilt_line_costs_that_line_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("network");
        std::fs::write(
            &file,
            b"Device.IP.Interface.# x\nnonsense\n\xff\n\nDevice.IP.Interface.#eth0 4\n",
        )
        .unwrap();
        let mut state = State::load(Some(&file)).unwrap();
        assert_eq!(state.number(Table::IpInterface, 0, "eth0"), 4);
    }

    /// A state of more bytes than a file may have, in numbers of few rows.
    fn too_long() -> State {
        let mut state = State::default();
        for number in 0..=STATE_BYTES_MAX / 100_000 {
            let key = format!("{number}{}", "x".repeat(100_000));
            state.number(Table::IpInterface, 0, &key);
        }
        state
    }

    #[test]
    fn rows_that_are_away_give_way_before_the_file_is_too_long() {
        let mut state = too_long();
        state.forget_presence();
        let eth0 = state.number(Table::IpInterface, 0, "eth0");
        let mut again = kept(&mut state);
        assert_eq!(again.number(Table::IpInterface, 0, "eth0"), eth0);
        assert_eq!(again.number(Table::IpInterface, 0, "eth1"), eth0 + 1);
    }

    #[test]
    fn what_would_not_be_read_again_does_not_replace_what_would() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("network");
        let mut before = State::default();
        before.number(Table::IpInterface, 0, "eth0");
        before.save(Some(&file)).unwrap();
        let mut state = too_long();
        for _ in 0..2 {
            let error = state.save(Some(&file)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            let kept = State::load(Some(&file)).unwrap();
            assert_eq!(kept.text(), before.text());
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        State::load(Some(&folder.path().join("none"))).unwrap();
        // A folder can be opened and not read.
        State::load(Some(&folder.path().to_owned())).unwrap_err();
        let long = folder.path().join("long");
        let file = std::fs::File::create(&long).unwrap();
        file.set_len(STATE_BYTES_MAX + 1).unwrap();
        let error = State::load(Some(&long)).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}

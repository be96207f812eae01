//! The tests of the plan: what it calls them, and of whom it asks them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// The facts about the plan, a line each: ID, title, section, level, condition.
const FACTS: &str = include_str!("../../../docs/tp469.tsv");

/// The version of the plan that the facts are of.
pub const PLAN: &str = "TP-469 1.4.0";

/// Every test of the plan, in its order.
pub static CATALOGUE: LazyLock<Vec<Entry>> =
    LazyLock::new(|| FACTS.lines().skip(1).filter_map(Entry::read).collect());

/// What a test is called: its section, and its number there.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TestId {
    /// The section.
    pub section: u16,
    /// The number within it.
    pub number: u16,
}

/// One test of the plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What it is called.
    pub id: TestId,
    /// What it is about.
    pub title: &'static str,
    /// The section, with its title.
    pub section: &'static str,
    /// Of whom it is asked.
    pub level: Level,
    /// Of what kind of Agent it is asked; empty where it is asked of all.
    pub condition: &'static str,
}

/// Of whom a test is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Of Agents that have what the condition says.
    Conditional,
    /// Of nobody any more.
    Deprecated,
    /// Of every Agent.
    Mandatory,
    /// Of nobody yet.
    Placeholder,
}

impl TestId {
    /// The test `number` of `section`.
    pub const fn new(section: u16, number: u16) -> Self {
        Self { section, number }
    }

    /// What the catalogue says of it.
    pub fn entry(self) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.id == self)
    }
}

impl Entry {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let id = fields.next()?.parse().ok()?;
        let title = fields.next()?;
        let section = fields.next()?;
        let level = match fields.next()? {
            "conditional" => Level::Conditional,
            "deprecated" => Level::Deprecated,
            "mandatory" => Level::Mandatory,
            "placeholder" => Level::Placeholder,
            _ => return None,
        };
        Some(Self {
            id,
            title,
            section,
            level,
            condition: fields.next().unwrap_or_default(),
        })
    }

    /// The transport that the test is about, where it is about one.
    pub fn transport(&self) -> Option<&'static str> {
        match self.id.section {
            5 => Some("CoAP"),
            6 => Some("STOMP"),
            7 => Some("WebSocket"),
            11 => Some("MQTT"),
            _ => None,
        }
    }
}

impl Level {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conditional => "conditional",
            Self::Deprecated => "deprecated",
            Self::Mandatory => "mandatory",
            Self::Placeholder => "placeholder",
        }
    }
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.number)
    }
}

/// A text that names no test.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?}: {expected}")]
pub struct SelectionError {
    text: String,
    expected: &'static str,
}

impl FromStr for TestId {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        let read = || {
            let (section, number) = text.split_once('.')?;
            Some(Self::new(section.parse().ok()?, number.parse().ok()?))
        };
        read().ok_or_else(|| SelectionError {
            text: text.to_owned(),
            expected: "the ID of a test such as 1.17 is expected",
        })
    }
}

/// Some of the tests, as they are named on a command line: `1.1-1.20,7.*`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection(BTreeSet<TestId>);

impl Selection {
    /// Every test of the plan.
    pub fn all() -> Self {
        Self(CATALOGUE.iter().map(|entry| entry.id).collect())
    }

    /// Whether the test is among them.
    pub fn has(&self, id: TestId) -> bool {
        self.0.contains(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<TestId> for Selection {
    fn from_iter<I: IntoIterator<Item = TestId>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

impl FromStr for Selection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        let mut chosen = BTreeSet::new();
        for part in text.split(',').map(str::trim) {
            let ids = part_of(part)?;
            if ids.is_empty() {
                return Err(SelectionError {
                    text: part.to_owned(),
                    expected: "the plan has no such test; `usphere conformance list` shows them",
                });
            }
            chosen.extend(ids);
        }
        Ok(Self(chosen))
    }
}

/// One ID, a range of them, or a section.
fn part_of(part: &str) -> Result<Vec<TestId>, SelectionError> {
    let all = CATALOGUE.iter().map(|entry| entry.id);
    if let Some(section) = part.strip_suffix(".*") {
        let section: u16 = section.parse().map_err(|_| SelectionError {
            text: part.to_owned(),
            expected: "a section such as 7.* is expected",
        })?;
        return Ok(all.filter(|id| id.section == section).collect());
    }
    let (from, to) = part.split_once('-').unwrap_or((part, part));
    let (from, to): (TestId, TestId) = (from.parse()?, to.parse()?);
    Ok(all.filter(|id| (from..=to).contains(id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_plan_is_known() {
        assert_eq!(CATALOGUE.len(), FACTS.lines().count() - 1);
        assert_eq!(CATALOGUE.len(), 229);
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
    }

    #[test]
    fn tests_are_chosen_by_id_range_and_section() {
        let chosen: Selection = "1.1-1.3, 7.*,9.11".parse().unwrap();
        assert_eq!(chosen.len(), 3 + 12 + 1);
        assert!(chosen.has(TestId::new(1, 2)) && chosen.has(TestId::new(7, 12)));
        assert!(!chosen.has(TestId::new(1, 4)));
        for wrong in ["", "1", "1.999", "x.*", "1.1-", "12.*", "1.3-1.1"] {
            assert!(wrong.parse::<Selection>().is_err(), "{wrong}");
        }
    }
}

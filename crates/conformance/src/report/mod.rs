//! What came of a run, and how it is written down.

mod html;
mod json;
mod junit;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use crate::bench::Bench;
use crate::catalogue::{Level, TestId};
use usphere_agent::date_time;

use crate::profile::Profile;
use crate::sockets::unix_seconds;
use crate::stop::Stop;
use crate::transcript::Step;

/// What came of one test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The test.
    pub id: TestId,
    /// What it is about.
    pub title: &'static str,
    /// The section, with its title.
    pub section: &'static str,
    /// Of whom it is asked.
    pub level: Level,
    /// Of what kind of Agent it is asked; empty where it is asked of all.
    pub condition: &'static str,
    /// What came of it.
    pub result: Verdict,
    /// Why; empty where it has passed.
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
    /// What was done and said.
    pub steps: Vec<Step>,
}

/// What can come of a test.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    /// The Agent did what the plan expects.
    Passed,
    /// It did not.
    Failed,
    /// The plan does not ask it of such an Agent.
    NotApplicable,
    /// It could not be tried.
    NotRunnable,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The Agent's Endpoint ID.
    pub agent: String,
    /// Version of its software.
    pub software: String,
    /// Versions of USP that it speaks.
    pub versions: String,
    /// How it was reached.
    pub way: String,
    /// What of it was used.
    pub profile: Profile,
    /// What came of each test, in the plan's order.
    pub outcomes: Vec<Outcome>,
    /// Where the run was cut short, if it was.
    pub incomplete: Option<Incomplete>,
    /// When it began, in UTC.
    pub date: String,
}

/// That not all was run that was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incomplete {
    /// The first test that was not run.
    pub from: TestId,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, reason } = self;
        write!(f, "the run is incomplete from test {from} on: {reason}")
    }
}

/// Version of this suite.
pub const SUITE: &str = env!("CARGO_PKG_VERSION");

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [
        Self::Passed,
        Self::Failed,
        Self::NotApplicable,
        Self::NotRunnable,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotApplicable => "not-applicable",
            Self::NotRunnable => "not-runnable",
        }
    }

    pub(crate) fn of(stop: &Stop) -> Self {
        match stop {
            Stop::Failed(_) => Self::Failed,
            Stop::NotApplicable(_) => Self::NotApplicable,
            Stop::NotRunnable(_) => Self::NotRunnable,
        }
    }
}

impl Report {
    /// Of a run that begins, on an Agent that the bench knows.
    pub(crate) fn of(bench: &Bench) -> Self {
        let features = bench.features();
        let agent = bench.agent();
        Self {
            agent: agent.map_or_else(|_| String::new(), |agent| agent.to_string()),
            software: features.software.clone(),
            versions: features.versions.clone(),
            way: bench.way(),
            profile: bench.profile().clone(),
            outcomes: Vec::new(),
            incomplete: None,
            date: date_time(unix_seconds().saturating_mul(1_000_000)),
        }
    }

    /// The run is cut short: this test and those after it are not run. Only the first time counts.
    pub(crate) fn ends_before(&mut self, from: TestId, reason: &str) {
        let reason = reason.to_owned();
        self.incomplete.get_or_insert(Incomplete { from, reason });
    }

    /// Whether all was run that was chosen, and nothing has failed.
    pub fn is_good(&self) -> bool {
        self.incomplete.is_none() && self.count(Verdict::Failed) == 0
    }

    /// How many tests came to this.
    pub fn count(&self, verdict: Verdict) -> usize {
        let these = self.outcomes.iter();
        these.filter(|outcome| outcome.result == verdict).count()
    }

    /// How many tests came to what, by section.
    pub(crate) fn by_section(&self) -> BTreeMap<u16, (&'static str, [usize; 4])> {
        let mut sections: BTreeMap<u16, (&str, [usize; 4])> = BTreeMap::new();
        for outcome in &self.outcomes {
            let section = sections
                .entry(outcome.id.section)
                .or_insert((outcome.section, [0; 4]));
            section.1[outcome.result as usize] += 1;
        }
        sections
    }

    /// Writes `report.json`, `report.xml` and `report.html` into the folder, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(&self.to_json()).map_err(io::Error::other)?;
        std::fs::write(folder.join("report.json"), json + "\n")?;
        std::fs::write(folder.join("report.xml"), self.to_junit())?;
        std::fs::write(folder.join("report.html"), self.to_html())
    }
}

/// A text as content or attribute of XML and HTML; what XML cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            letter if letter.is_control() || "\u{fffe}\u{ffff}".contains(letter) => {
                safe.push('\u{fffd}');
            }
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

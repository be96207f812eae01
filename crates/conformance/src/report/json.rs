//! `report.json`.

use serde_json::{Map, Value, json};

use super::{Outcome, Report, Verdict};

impl Report {
    /// The report as JSON; `tests` has one object for each test that was chosen.
    pub fn to_json(&self) -> Value {
        let counts =
            Verdict::ALL.map(|verdict| (verdict.name().to_owned(), self.count(verdict).into()));
        let tests: Vec<Value> = self.outcomes.iter().map(Outcome::to_json).collect();
        json!({
            "plan": crate::catalogue::PLAN,
            "agent": self.agent,
            "software": self.software,
            "versions": self.versions,
            "way": self.way,
            "date": self.date,
            "suite": super::SUITE,
            "incomplete": self.incomplete.as_ref().map(|one| json!({
                "from": one.from.to_string(),
                "reason": one.reason,
            })),
            "summary": Map::from_iter(counts),
            "profile": self.profile,
            "tests": tests,
        })
    }
}

impl Outcome {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "title": self.title,
            "result": self.result.name(),
            "reason": self.reason,
            "section": self.section,
            "level": self.level.name(),
            "condition": self.condition,
            "seconds": (self.seconds * 1000.0).round() / 1000.0,
            "steps": self.steps,
        })
    }
}

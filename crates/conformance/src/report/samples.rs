//! A report for tests.

use super::{Outcome, Report, Verdict};
use crate::catalogue::TestId;
use crate::profile::Profile;
use crate::transcript::{Direction, Exchange, Step};

/// A report with one test of each verdict; the Agent has said hostile things.
pub(crate) fn report() -> Report {
    let of = |number, result, reason: &str| {
        let entry = TestId::new(1, number).entry().unwrap();
        Outcome {
            id: entry.id,
            title: entry.title,
            section: entry.section,
            level: entry.level,
            condition: entry.condition,
            result,
            reason: reason.to_owned(),
            seconds: 0.25,
            steps: vec![Step {
                text: "Get".to_owned(),
                at: 0.0,
                exchanges: vec![Exchange {
                    at: 0.001,
                    direction: Direction::Came,
                    title: "GetResp <b>".to_owned(),
                    text: "</pre><script>alert(1)</script>\u{1b}[31m".to_owned(),
                }],
            }],
        }
    };
    Report {
        agent: "self::<agent>".to_owned(),
        software: String::new(),
        versions: "1.4".to_owned(),
        way: "nothing".to_owned(),
        profile: Profile::default(),
        incomplete: None,
        date: "2026-11-23T00:00:00Z".to_owned(),
        outcomes: vec![
            of(1, Verdict::Passed, ""),
            of(2, Verdict::Failed, "\"<x>\" came\u{1b}"),
            of(10, Verdict::NotApplicable, "has none"),
            of(59, Verdict::NotRunnable, "cannot"),
        ],
    }
}

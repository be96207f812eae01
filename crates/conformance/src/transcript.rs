//! What was said and done in one test.

use std::time::Duration;

use serde::Serialize;

use crate::limits::{EXCHANGE_CHARACTERS_MAX, EXCHANGES_MAX};

/// One step of a test, and what was said in it.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What the test does.
    pub text: String,
    /// When, in seconds since the test began.
    pub at: f64,
    /// What was said meanwhile, in order.
    pub exchanges: Vec<Exchange>,
}

/// Something that was said, or happened.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// When, in seconds since the test began.
    pub at: f64,
    /// Who said it.
    pub direction: Direction,
    /// What it is, in a line.
    pub title: String,
    /// All of it, decoded, for people; may be empty.
    pub text: String,
}

/// Who said something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The Agent.
    Came,
    /// Nobody: it happened, or was seen.
    Note,
    /// The bench.
    Sent,
}

/// The transcript of the test that runs.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    began: Duration,
    steps: Vec<Step>,
    exchanges: usize,
}

impl Transcript {
    /// The one of a test that begins now.
    pub(crate) fn new(began: Duration) -> Self {
        Self {
            began,
            ..Self::default()
        }
    }

    pub(crate) fn step(&mut self, text: String, at: Duration) {
        let at = self.seconds(at);
        self.steps.push(Step {
            text,
            at,
            exchanges: Vec::new(),
        });
    }

    pub(crate) fn add(
        &mut self,
        direction: Direction,
        title: String,
        text: impl FnOnce() -> String,
        at: Duration,
    ) {
        if self.steps.is_empty() {
            self.step("Make ready".to_owned(), at);
        }
        self.exchanges += 1;
        let text = match self.exchanges <= EXCHANGES_MAX {
            true => cut(text()),
            false => String::new(),
        };
        let at = self.seconds(at);
        if let Some(step) = self.steps.last_mut() {
            step.exchanges.push(Exchange {
                at,
                direction,
                title,
                text,
            });
        }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    fn seconds(&self, at: Duration) -> f64 {
        (at.saturating_sub(self.began).as_secs_f64() * 1000.0).round() / 1000.0
    }
}

fn cut(mut text: String) -> String {
    if text.len() > EXCHANGE_CHARACTERS_MAX {
        let fits = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=EXCHANGE_CHARACTERS_MAX)
            .rev()
            .find(fits)
            .unwrap_or_default();
        let left = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n… {left} more bytes"));
    }
    text
}

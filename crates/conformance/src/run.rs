//! Running tests, one after the other, whatever the Agent does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bench::{Bench, NotFound, Survival};
use crate::catalogue::{CATALOGUE, Entry, Level, Selection};
use crate::peer::Peer;
use crate::profile::Profile;
use crate::report::{Outcome, Report, Verdict};
use crate::stop::{Done, Stop};
use crate::tests::{Procedure, procedure};

/// Why a run ends that is let go on no more.
const ENDED: &str = "it was ended from outside";

/// Who is told how far a run is.
pub trait Progress {
    /// The Agent is waited for, which is reached so.
    fn waits(&mut self, _way: &str) {}

    /// A test begins: the so-manieth of so many.
    fn begins(&mut self, entry: &Entry, number: usize, of: usize);

    /// A test has ended.
    fn ended(&mut self, outcome: &Outcome);

    /// Whether to go on; what is left is not run otherwise.
    fn goes_on(&self) -> bool {
        true
    }
}

/// Nobody is told.
impl Progress for () {
    fn begins(&mut self, _: &Entry, _: usize, _: usize) {}

    fn ended(&mut self, _: &Outcome) {}
}

/// Runs the chosen tests against the Agent behind `peer`, in the plan's order.
///
/// # Errors
/// The Agent is not there, or does not know us, so that nothing can be tested.
pub fn run(
    peer: Box<dyn Peer>,
    profile: Profile,
    selection: &Selection,
    progress: &mut dyn Progress,
) -> Result<Report, NotFound> {
    let mut bench = Bench::new(peer, profile);
    progress.waits(&bench.way());
    bench.discover()?;
    let chosen: Vec<&Entry> = CATALOGUE
        .iter()
        .filter(|entry| selection.has(entry.id))
        .collect();
    let mut report = Report::of(&bench);
    let mut gone: Option<String> = None;
    for (at, entry) in chosen.iter().enumerate() {
        if !progress.goes_on() {
            report.ends_before(entry.id, ENDED);
            break;
        }
        progress.begins(entry, at + 1, chosen.len());
        let outcome = match (&gone, ready(&bench, entry)) {
            (_, Err(stop)) => Outcome::of(entry, &Err(stop)),
            (Some(reason), Ok(_)) => {
                report.ends_before(entry.id, reason);
                Outcome::of(entry, &Err(Stop::not_runnable(reason)))
            }
            (None, Ok(procedure)) => {
                let outcome = try_one(&mut bench, entry, procedure);
                let survival = bench.recover();
                if let Survival::Gone(reason) = &survival {
                    gone = Some(format!("the Agent is gone since {}: {reason}", entry.id));
                }
                survived(outcome, survival)
            }
        };
        if !progress.goes_on() {
            // It was not let run to its end.
            report.ends_before(entry.id, ENDED);
            break;
        }
        progress.ended(&outcome);
        report.outcomes.push(outcome);
    }
    Ok(report)
}

/// The procedure of a test, where it has one that can be tried on this Agent.
fn ready(bench: &Bench, entry: &Entry) -> Result<Procedure, Stop> {
    match entry.level {
        Level::Deprecated => {
            let reason = "the plan asks it of nobody any more".to_owned();
            return Err(Stop::NotApplicable(reason));
        }
        Level::Placeholder => {
            let reason = "the plan only keeps the number free".to_owned();
            return Err(Stop::NotApplicable(reason));
        }
        Level::Conditional | Level::Mandatory => {}
    }
    let protocols = &bench.features().protocols;
    if let Some(transport) = entry
        .transport()
        .filter(|one| !protocols.iter().any(|has| has == one))
    {
        return Err(Stop::NotApplicable(format!(
            "the Agent does not speak {transport}"
        )));
    }
    procedure(entry.id).ok_or_else(|| Stop::not_runnable("this suite has no procedure for it"))
}

/// Runs one test, and cleans up after it.
fn try_one(bench: &mut Bench, entry: &Entry, procedure: Procedure) -> Outcome {
    bench.begin();
    let began = bench.now();
    let tried = catch_unwind(AssertUnwindSafe(|| procedure(bench)));
    let result = tried.unwrap_or_else(|panic| Err(Stop::Failed(panicked(&*panic))));
    let result = match result {
        Err(Stop::Failed(reason)) => Err(Stop::Failed(reason)),
        other => bench.has_stayed().and(other),
    };
    if let Err(Stop::Failed(reason)) = &result {
        bench.note(format_args!("the test has failed here: {reason}"));
    }
    let seconds = (bench.now() - began).as_secs_f64();
    // What a test leaves behind must not spoil the others, even where leaving it behind was a fault of ours.
    if catch_unwind(AssertUnwindSafe(|| bench.clean())).is_err() {
        bench.note("cleaning up has failed, which is a fault of this suite");
    }
    let (steps, violations) = bench.end();
    Outcome {
        steps,
        seconds,
        ..Outcome::of(entry, &with_universal(result, &violations))
    }
}

/// A test fails after which the Agent does not answer.
fn survived(outcome: Outcome, survival: Survival) -> Outcome {
    let reason = match survival {
        Survival::There => return outcome,
        _ if outcome.result == Verdict::Failed => return outcome,
        Survival::Returned(reason) => {
            format!("the Agent did not answer after the test, and was brought back: {reason}")
        }
        Survival::Gone(reason) => format!("the Agent did not answer after the test: {reason}"),
    };
    Outcome {
        result: Verdict::Failed,
        reason,
        ..outcome
    }
}

/// What was wrong with what came makes a test fail that has passed otherwise. (TP-469, universal test metrics)
fn with_universal(result: Done, violations: &[String]) -> Done {
    match (result, violations) {
        (Ok(()), [first, rest @ ..]) => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            Err(Stop::Failed(format!(
                "universal test metrics: {first}{more}"
            )))
        }
        (result, _) => result,
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a fault of this suite: {}", text.unwrap_or("it panicked"))
}

impl Outcome {
    fn of(entry: &Entry, result: &Done) -> Self {
        let (result, reason) = match result {
            Ok(()) => (Verdict::Passed, String::new()),
            Err(stop) => (Verdict::of(stop), stop.reason().to_owned()),
        };
        Self {
            id: entry.id,
            title: entry.title,
            section: entry.section,
            level: entry.level,
            condition: entry.condition,
            result,
            reason,
            seconds: 0.0,
            steps: Vec::new(),
        }
    }
}

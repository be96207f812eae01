//! A thread for each owner, so that one that blocks holds up nobody else, and one for each asynchronous
//! command.
//!
//! Owners outlive the engine, which is made anew at a restart. What they were asked by the engine before is
//! nothing to the one there is.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;

use usphere_datamodel::FaultKind;

use usphere_datamodel::Ticket;
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};

use crate::owner::Announcement;
use crate::{Announcer, Cancelled, CommandWork, Owner};

/// Most questions that wait for one owner.
const QUESTIONS_MAX: usize = 256;

/// Asynchronous commands that may run at the same time, those included that ignore that they were canceled.
const COMMANDS_MAX: usize = 256;

/// A question to an owner.
pub(super) enum Question {
    Apply {
        ticket: Ticket,
        phase: Phase,
        changes: Vec<OwnedChange>,
    },
    Begin {
        ticket: Ticket,
        command: String,
        arguments: BTreeMap<String, String>,
        cancelled: Cancelled,
    },
    Fetch {
        ticket: Ticket,
        unit: String,
    },
    Operate {
        ticket: Ticket,
        command: String,
        arguments: BTreeMap<String, String>,
    },
}

/// What an owner answered, or says without being asked.
pub(super) enum OwnerAnswer {
    Announced {
        owner: String,
        announcement: Announcement,
    },
    Applied {
        ticket: Ticket,
        results: Vec<Result<(), OwnerError>>,
    },
    Fetched {
        ticket: Ticket,
        result: Result<Snapshot, OwnerError>,
    },
    Operated {
        ticket: Ticket,
        result: Result<Outputs, OwnerError>,
    },
}

/// An answer with the engine that it is for: how many restarts came before it.
pub(super) struct Reply {
    life: u64,
    answer: OwnerAnswer,
}

/// All owners by name.
#[derive(Default)]
pub(super) struct Owners {
    by_name: BTreeMap<String, SyncSender<(u64, Question)>>,
    /// Asynchronous commands in progress.
    running: BTreeMap<Ticket, Cancelled>,
    /// Threads of asynchronous commands.
    threads: Arc<AtomicUsize>,
    life: u64,
}

impl Owners {
    /// Starts a thread for `owner`; `answer` is called on it.
    pub(super) fn start(
        &mut self,
        mut owner: Box<dyn Owner>,
        answer: impl Fn(Reply) + Clone + Send + Sync + 'static,
    ) -> io::Result<()> {
        let (sender, questions) = mpsc::sync_channel(QUESTIONS_MAX);
        let name = owner.name().to_owned();
        let (announce, whose) = (answer.clone(), name.clone());
        owner.announcer(Announcer::new(move |announcement| {
            let owner = whose.clone();
            announce(Reply {
                life: 0,
                answer: OwnerAnswer::Announced {
                    owner,
                    announcement,
                },
            });
        }));
        let threads = Arc::clone(&self.threads);
        thread::Builder::new()
            .name(format!("owner {name}"))
            .spawn(move || serve(owner, &questions, &threads, &answer))?;
        self.by_name.insert(name, sender);
        Ok(())
    }

    /// Asks `owner`. What cannot be asked is answered with an error at once.
    pub(super) fn ask(&mut self, owner: &str, question: Question) -> Option<Reply> {
        let life = self.life;
        if let Question::Begin {
            ticket, cancelled, ..
        } = &question
        {
            self.running.insert(*ticket, cancelled.clone());
        }
        let refused = |question, text| {
            Some(Reply {
                life,
                answer: refusal(question, text),
            })
        };
        let Some(sender) = self.by_name.get(owner) else {
            return refused(
                question,
                format!("nobody is there who answers for {owner:?}"),
            );
        };
        match sender.try_send((life, question)) {
            Ok(()) => None,
            Err(TrySendError::Full((_, question))) => refused(
                question,
                format!("{owner} has too many questions to answer already"),
            ),
            Err(TrySendError::Disconnected((_, question))) => {
                refused(question, format!("{owner} has stopped"))
            }
        }
    }

    /// Asks an asynchronous command to end.
    pub(super) fn cancel(&self, ticket: Ticket) {
        if let Some(cancelled) = self.running.get(&ticket) {
            cancelled.set();
        }
    }

    /// What a reply says to the engine that there is, if anything.
    pub(super) fn receive(&mut self, reply: Reply) -> Option<OwnerAnswer> {
        let Reply { life, answer } = reply;
        if matches!(answer, OwnerAnswer::Announced { .. }) {
            return Some(answer);
        }
        if life != self.life {
            return None;
        }
        if let OwnerAnswer::Operated { ticket, .. } = &answer {
            self.running.remove(ticket);
        }
        Some(answer)
    }

    /// The engine is made anew: what it has asked is to end, and is answered to nobody.
    pub(super) fn begin_anew(&mut self) {
        for cancelled in std::mem::take(&mut self.running).into_values() {
            cancelled.set();
        }
        self.life += 1;
    }
}

fn serve(
    mut owner: Box<dyn Owner>,
    questions: &Receiver<(u64, Question)>,
    threads: &Arc<AtomicUsize>,
    answer: &(impl Fn(Reply) + Clone + Send + 'static),
) {
    while let Ok((life, question)) = questions.recv() {
        let reply = move |answer| Reply { life, answer };
        answer(reply(match question {
            Question::Apply {
                ticket,
                phase,
                changes,
            } => {
                let results = unbroken(|| Ok(owner.apply(phase, &changes)));
                OwnerAnswer::Applied {
                    ticket,
                    results: results.unwrap_or_else(|error| vec![Err(error); changes.len()]),
                }
            }
            Question::Begin {
                ticket,
                command,
                arguments,
                cancelled,
            } => {
                let operated = move |result| reply(OwnerAnswer::Operated { ticket, result });
                let work = unbroken(|| owner.begin(&command, &arguments, cancelled));
                let answer = answer.clone();
                let done = move |result| answer(operated(result));
                match work.and_then(|work| start_command(work, threads, done)) {
                    Ok(()) => continue,
                    Err(error) => OwnerAnswer::Operated {
                        ticket,
                        result: Err(error),
                    },
                }
            }
            Question::Fetch { ticket, unit } => OwnerAnswer::Fetched {
                ticket,
                result: unbroken(|| owner.fetch(&unit)),
            },
            Question::Operate {
                ticket,
                command,
                arguments,
            } => OwnerAnswer::Operated {
                ticket,
                result: unbroken(|| owner.operate(&command, &arguments)),
            },
        }));
    }
}

/// What an owner says; an error where it panics, so that it is asked again all the same. What it has begun to change
/// of itself is its own affair.
fn unbroken<T>(say: impl FnOnce() -> Result<T, OwnerError>) -> Result<T, OwnerError> {
    let said = catch_unwind(AssertUnwindSafe(say));
    said.unwrap_or_else(|_| Err(OwnerError::failed("the owner broke off")))
}

/// Starts a thread for `work`; `done` is called on it.
fn start_command(
    work: CommandWork,
    threads: &Arc<AtomicUsize>,
    done: impl FnOnce(Result<Outputs, OwnerError>) + Send + 'static,
) -> Result<(), OwnerError> {
    let exhausted = |text: String| OwnerError {
        kind: FaultKind::ResourcesExceeded,
        text,
    };
    let seat = Seat::take(threads).ok_or_else(|| {
        exhausted(format!(
            "{COMMANDS_MAX} commands run already, which is all that can"
        ))
    })?;
    let builder = thread::Builder::new().name("command".to_owned());
    let spawned = builder.spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        drop(seat);
        done(result.unwrap_or_else(|_| Err(OwnerError::failed("the command broke off"))));
    });
    spawned
        .map(drop)
        .map_err(|error| exhausted(format!("no thread can be had: {error}")))
}

/// The place of one thread among [`COMMANDS_MAX`].
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(threads: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(Arc::clone(threads));
        (threads.fetch_add(1, Ordering::Relaxed) < COMMANDS_MAX).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refusal(question: Question, text: String) -> OwnerAnswer {
    let error = OwnerError::failed(text);
    match question {
        Question::Apply {
            ticket, changes, ..
        } => OwnerAnswer::Applied {
            ticket,
            results: vec![Err(error); changes.len()],
        },
        Question::Fetch { ticket, .. } => OwnerAnswer::Fetched {
            ticket,
            result: Err(error),
        },
        Question::Begin { ticket, .. } | Question::Operate { ticket, .. } => {
            OwnerAnswer::Operated {
                ticket,
                result: Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;

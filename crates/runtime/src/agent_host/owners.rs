//! A thread for each owner, so that one that blocks holds up nobody else.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;

use usphere_datamodel::Ticket;
use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};

use crate::owner::Announcement;
use crate::{Announcer, Owner};

/// Most questions that wait for one owner.
const QUESTIONS_MAX: usize = 256;

/// A question to an owner.
pub(super) enum Question {
    Apply {
        ticket: Ticket,
        phase: Phase,
        changes: Vec<OwnedChange>,
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

/// All owners by name.
#[derive(Default)]
pub(super) struct Owners {
    by_name: BTreeMap<String, SyncSender<Question>>,
}

impl Owners {
    /// Starts a thread for `owner`; `answer` is called on it.
    pub(super) fn start(
        &mut self,
        mut owner: Box<dyn Owner>,
        answer: impl Fn(OwnerAnswer) + Clone + Send + Sync + 'static,
    ) -> io::Result<()> {
        let (sender, questions) = mpsc::sync_channel(QUESTIONS_MAX);
        let name = owner.name().to_owned();
        let (announce, whose) = (answer.clone(), name.clone());
        owner.announcer(Announcer::new(move |announcement| {
            announce(OwnerAnswer::Announced {
                owner: whose.clone(),
                announcement,
            });
        }));
        thread::Builder::new()
            .name(format!("owner {name}"))
            .spawn(move || serve(owner, &questions, answer))?;
        self.by_name.insert(name, sender);
        Ok(())
    }

    /// Asks `owner`. What cannot be asked is answered with an error at once.
    pub(super) fn ask(&self, owner: &str, question: Question) -> Option<OwnerAnswer> {
        let Some(sender) = self.by_name.get(owner) else {
            return Some(refusal(
                question,
                format!("nobody is there who answers for {owner:?}"),
            ));
        };
        match sender.try_send(question) {
            Ok(()) => None,
            Err(TrySendError::Full(question)) => Some(refusal(
                question,
                format!("{owner} has too many questions to answer already"),
            )),
            Err(TrySendError::Disconnected(question)) => {
                Some(refusal(question, format!("{owner} has stopped")))
            }
        }
    }
}

fn serve(mut owner: Box<dyn Owner>, questions: &Receiver<Question>, answer: impl Fn(OwnerAnswer)) {
    while let Ok(question) = questions.recv() {
        answer(match question {
            Question::Apply {
                ticket,
                phase,
                changes,
            } => OwnerAnswer::Applied {
                ticket,
                results: owner.apply(phase, &changes),
            },
            Question::Fetch { ticket, unit } => OwnerAnswer::Fetched {
                ticket,
                result: owner.fetch(&unit),
            },
            Question::Operate {
                ticket,
                command,
                arguments,
            } => OwnerAnswer::Operated {
                ticket,
                result: owner.operate(&command, &arguments),
            },
        });
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
        Question::Operate { ticket, .. } => OwnerAnswer::Operated {
            ticket,
            result: Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Announcer;

    /// Says at once what it has to say, and goes on saying it from a thread of its own.
    struct Talkative;

    impl Owner for Talkative {
        fn name(&self) -> &str {
            "talkative"
        }

        fn announcer(&mut self, announcer: Announcer) {
            let again = announcer.clone();
            announcer.changed("weather");
            thread::spawn(move || {
                let why = BTreeMap::from([("Why".to_owned(), "rain".to_owned())]);
                again.event("Device.X_Weather.", "Changed!", why);
            });
        }

        fn fetch(&mut self, _: &str) -> Result<Snapshot, OwnerError> {
            Ok(Snapshot::default())
        }

        fn apply(&mut self, _: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
            vec![Ok(()); changes.len()]
        }

        fn operate(
            &mut self,
            _: &str,
            arguments: &BTreeMap<String, String>,
        ) -> Result<Outputs, OwnerError> {
            Ok(arguments.clone())
        }
    }

    #[test]
    fn an_owner_speaks_without_being_asked() {
        let (sender, answers) = mpsc::channel();
        let mut owners = Owners::default();
        let answer = move |answer| sender.send(answer).unwrap_or(());
        owners.start(Box::new(Talkative), answer).unwrap();
        let mut said = Vec::new();
        while said.len() < 2 {
            if let OwnerAnswer::Announced {
                owner,
                announcement,
            } = answers.recv().unwrap()
            {
                assert_eq!(owner, "talkative");
                said.push(announcement);
            }
        }
        let unit = "weather".to_owned();
        assert_eq!(said[0], Announcement::Changed { unit });
        assert!(matches!(&said[1], Announcement::Event { name, .. } if name == "Changed!"));
    }

    struct Slow;

    impl Owner for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError> {
            Err(OwnerError::failed(format!("no {unit} today")))
        }

        fn apply(&mut self, _: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
            vec![Ok(()); changes.len()]
        }

        fn operate(
            &mut self,
            _: &str,
            arguments: &BTreeMap<String, String>,
        ) -> Result<Outputs, OwnerError> {
            Ok(arguments.clone())
        }
    }

    #[test]
    fn an_owner_answers_on_its_own_thread_and_an_absent_one_is_answered_for() {
        let (sender, answers) = mpsc::channel();
        let mut owners = Owners::default();
        owners
            .start(Box::new(Slow), move |answer| {
                sender.send(answer).unwrap_or(())
            })
            .unwrap();
        let fetch = |ticket| Question::Fetch {
            ticket: Ticket(ticket),
            unit: "weather".to_owned(),
        };
        assert!(owners.ask("slow", fetch(1)).is_none());
        let Ok(OwnerAnswer::Fetched {
            ticket: Ticket(1),
            result,
        }) = answers.recv()
        else {
            panic!("no answer")
        };
        assert_eq!(result, Err(OwnerError::failed("no weather today")));
        let Some(OwnerAnswer::Fetched { result, .. }) = owners.ask("nobody", fetch(2)) else {
            panic!("no refusal")
        };
        assert_eq!(
            result,
            Err(OwnerError::failed(
                "nobody is there who answers for \"nobody\""
            ))
        );
    }
}

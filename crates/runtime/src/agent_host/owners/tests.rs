//! Owners on threads.

use std::time::Duration;

use super::*;

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
        } = owners.receive(answers.recv().unwrap()).unwrap()
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

    fn begin(
        &mut self,
        command: &str,
        arguments: &BTreeMap<String, String>,
        cancelled: Cancelled,
    ) -> Result<CommandWork, OwnerError> {
        let arguments = arguments.clone();
        match command {
            "Device.Echo()" => Ok(Box::new(move || Ok(arguments))),
            "Device.Panic()" => Ok(Box::new(|| panic!("on purpose"))),
            "Device.Sleep()" => Ok(Box::new(move || match cancelled.wait(PATIENCE) {
                true => Err(OwnerError::failed("woken up")),
                false => Ok(arguments),
            })),
            _ => Err(OwnerError::failed("no such command")),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

fn slow() -> (Owners, Receiver<Reply>) {
    let (sender, answers) = mpsc::channel();
    let mut owners = Owners::default();
    let answer = move |reply| sender.send(reply).unwrap_or(());
    owners.start(Box::new(Slow), answer).unwrap();
    (owners, answers)
}

fn begin(owners: &mut Owners, ticket: u64, command: &str) {
    let question = Question::Begin {
        ticket: Ticket(ticket),
        command: command.to_owned(),
        arguments: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
        cancelled: Cancelled::default(),
    };
    assert!(owners.ask("slow", question).is_none());
}

fn operated(owners: &mut Owners, answers: &Receiver<Reply>) -> (u64, Result<Outputs, OwnerError>) {
    match owners.receive(answers.recv().unwrap()) {
        Some(OwnerAnswer::Operated { ticket, result }) => (ticket.0, result),
        _ => panic!("no command has ended"),
    }
}

#[test]
fn commands_run_on_threads_of_their_own_until_they_end_or_are_canceled() {
    let (mut owners, answers) = slow();
    begin(&mut owners, 1, "Device.Sleep()");
    begin(&mut owners, 2, "Device.Echo()");
    let (ticket, result) = operated(&mut owners, &answers);
    assert_eq!(ticket, 2, "the one before holds nothing up");
    assert_eq!(result.unwrap()["A"], "1");
    owners.cancel(Ticket(1));
    let woken = Err(OwnerError::failed("woken up"));
    assert_eq!(operated(&mut owners, &answers), (1, woken));
    owners.cancel(Ticket(1));
}

#[test]
fn a_command_that_cannot_begin_or_breaks_off_is_answered_for() {
    let (mut owners, answers) = slow();
    begin(&mut owners, 1, "Device.Nothing()");
    assert!(operated(&mut owners, &answers).1.is_err());
    begin(&mut owners, 2, "Device.Panic()");
    let (_, result) = operated(&mut owners, &answers);
    assert_eq!(result, Err(OwnerError::failed("the command broke off")));
}

/// Panics whenever it is asked, but for the weather.
struct Fragile;

impl Owner for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }

    fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError> {
        assert_eq!(unit, "weather");
        Ok(Snapshot::default())
    }

    fn apply(&mut self, _: Phase, _: &[OwnedChange]) -> Vec<Result<(), OwnerError>> {
        panic!("on purpose")
    }

    fn operate(&mut self, _: &str, _: &BTreeMap<String, String>) -> Result<Outputs, OwnerError> {
        panic!("on purpose")
    }

    fn begin(
        &mut self,
        _: &str,
        _: &BTreeMap<String, String>,
        _: Cancelled,
    ) -> Result<CommandWork, OwnerError> {
        panic!("on purpose")
    }
}

#[test]
fn an_owner_that_panics_answers_with_an_error_and_goes_on() {
    let (sender, answers) = mpsc::channel();
    let mut owners = Owners::default();
    let answer = move |reply| sender.send(reply).unwrap_or(());
    owners.start(Box::new(Fragile), answer).unwrap();
    let fetch = |unit: &str| Question::Fetch {
        ticket: Ticket(1),
        unit: unit.to_owned(),
    };
    let set = OwnedChange::Delete {
        path: "Device.X.1.".to_owned(),
    };
    let apply = Question::Apply {
        ticket: Ticket(1),
        phase: Phase::Apply,
        changes: vec![set.clone(), set],
    };
    let operate = Question::Operate {
        ticket: Ticket(1),
        command: "Device.X()".to_owned(),
        arguments: BTreeMap::new(),
    };
    let begin = Question::Begin {
        ticket: Ticket(1),
        command: "Device.X()".to_owned(),
        arguments: BTreeMap::new(),
        cancelled: Cancelled::default(),
    };
    let error = || OwnerError::failed("the owner broke off");
    for question in [fetch("storm"), apply, operate, begin, fetch("weather")] {
        let is_weather = matches!(&question, Question::Fetch { unit, .. } if unit == "weather");
        assert!(owners.ask("fragile", question).is_none());
        let told = owners.receive(answers.recv().unwrap()).unwrap();
        match told {
            OwnerAnswer::Applied { results, .. } => {
                assert_eq!(results, [Err(error()), Err(error())])
            }
            OwnerAnswer::Fetched { result, .. } if is_weather => assert!(result.is_ok()),
            OwnerAnswer::Fetched { result, .. } => assert_eq!(result, Err(error())),
            OwnerAnswer::Operated { result, .. } => assert_eq!(result, Err(error())),
            OwnerAnswer::Announced { .. } => panic!("it says nothing by itself"),
        }
    }
}

/// An engine that is made anew uses the same tickets again.
#[test]
fn what_an_engine_asked_that_is_gone_is_told_to_nobody() {
    let (mut owners, answers) = slow();
    begin(&mut owners, 1, "Device.Sleep()");
    owners.begin_anew();
    let late = answers.recv().unwrap();
    assert!(owners.receive(late).is_none());
    begin(&mut owners, 1, "Device.Echo()");
    assert!(operated(&mut owners, &answers).1.is_ok());
}

#[test]
fn an_owner_answers_on_its_own_thread_and_an_absent_one_is_answered_for() {
    let (mut owners, answers) = slow();
    let fetch = |ticket| Question::Fetch {
        ticket: Ticket(ticket),
        unit: "weather".to_owned(),
    };
    assert!(owners.ask("slow", fetch(1)).is_none());
    let Some(OwnerAnswer::Fetched {
        ticket: Ticket(1),
        result,
    }) = owners.receive(answers.recv().unwrap())
    else {
        panic!("no answer")
    };
    assert_eq!(result, Err(OwnerError::failed("no weather today")));
    let refusal = owners.ask("nobody", fetch(2)).unwrap();
    let Some(OwnerAnswer::Fetched { result, .. }) = owners.receive(refusal) else {
        panic!("no refusal")
    };
    assert_eq!(
        result,
        Err(OwnerError::failed(
            "nobody is there who answers for \"nobody\""
        ))
    );
}

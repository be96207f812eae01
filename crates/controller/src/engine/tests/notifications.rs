//! Notifications: taken once, answered when they are safe.

use usphere_proto::msg::{CompletionOutcome, Event, OperationComplete, OutputArgs};

use super::*;
use crate::limits::{OFFERED_PER_AGENT_MAX, REMEMBERED_TIME};

impl Scene {
    /// An online Agent whose notifications nobody takes by itself.
    fn hesitant() -> Self {
        Self {
            takes: false,
            ..Self::online()
        }
    }

    fn take(&mut self) -> Happened {
        let notification = self.waiting.pop().expect("one waits");
        self.handle(Input::Taken { notification })
    }
}

fn request(msg_id: &str) -> Msg {
    Msg::request(msg_id, notify(true))
}

/// Proves: R-NOT.8, R-NOT.10, R-MSG.0, R-MSG.9, R-MSG.0a
#[test]
fn a_notify_is_acknowledged_only_where_the_agent_wants_it() {
    let mut scene = Scene::online();
    let happened = scene.say(1, &request("n-1"));
    assert_eq!(happened.notified, [(agent(), "n-1".into(), changed())]);
    assert!(matches!(
        happened.sent[0].1.record_type,
        Some(RecordType::NoSessionContext(_))
    ));
    let answer = happened.message();
    assert_eq!(answer.msg_id(), "n-1");
    let Some(ResponseType::NotifyResp(resp)) = answer.as_response() else {
        panic!("{answer:?}")
    };
    assert_eq!(resp.subscription_id, "sub-7");

    let happened = scene.say(1, &Msg::request("n-2", notify(false)));
    assert_eq!(happened.notified, [(agent(), "n-2".into(), changed())]);
    assert!(happened.sent.is_empty());
}

/// The answer promises that nothing is lost any more, so it waits for that; a retry meanwhile is not
/// handed up a second time, and one after it is only answered.
#[test]
fn a_notification_is_answered_when_it_is_taken_and_delivered_once() {
    let mut scene = Scene::hesitant();
    let happened = scene.say(1, &request("n-1"));
    assert_eq!(happened.notified.len(), 1);
    assert!(happened.sent.is_empty());
    let again = scene.say(1, &request("n-1"));
    assert_eq!(again.ignored(), &Ignored::Repeated("n-1".into()));

    assert_eq!(scene.take().message().msg_id(), "n-1");
    let again = scene.say(1, &request("n-1"));
    assert!(again.notified.is_empty());
    assert_eq!(again.message().msg_id(), "n-1");

    // The same msg_id with another content is another notification: the Agent counts from 1 again.
    let other = Notify {
        notification: Some(Notification::Event(Event::default())),
        ..notify(true)
    };
    assert_eq!(scene.say(1, &Msg::request("n-1", other)).notified.len(), 1);
}

#[test]
fn a_notification_that_is_declined_comes_again() {
    let mut scene = Scene::hesitant();
    scene.say(1, &request("n-1"));
    let notification = scene.waiting.pop().unwrap();
    let happened = scene.handle(Input::Declined { notification });
    assert!(matches!(
        happened.nothing_but_a_notice(),
        Notice::Untaken { .. }
    ));
    assert!(scene.handle(Input::Taken { notification }).sent.is_empty());
    assert_eq!(scene.say(1, &request("n-1")).notified.len(), 1);
}

/// What was taken while its Agent was away is not delivered again, and answered where the Agent is then.
#[test]
fn an_agent_that_comes_back_is_answered_on_its_new_connection() {
    let mut scene = Scene::hesitant();
    scene.say(1, &request("n-1"));
    scene.say(1, &request("n-2"));
    scene.handle(Input::Disconnected {
        link: LinkId(1),
        reason: "reset".into(),
    });
    assert!(scene.take().sent.is_empty());
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &agent()));
    let happened = scene.take();
    assert_eq!(happened.sent[0].0, LinkId(2));
    let again = scene.say(2, &request("n-2"));
    assert!(again.notified.is_empty());
    assert_eq!(again.message().msg_id(), "n-2");
}

/// An Agent that notifies and notifies fills neither the memory nor the place of others.
#[test]
fn what_waits_to_be_taken_is_bounded() {
    let mut scene = Scene::hesitant();
    for number in 0..OFFERED_PER_AGENT_MAX {
        scene.say(1, &request(&format!("n-{number}")));
    }
    let beyond = scene.say(1, &request("beyond"));
    assert!(matches!(
        beyond.nothing_but_a_notice(),
        Notice::Untaken { .. }
    ));
    assert_eq!(scene.waiting.len(), OFFERED_PER_AGENT_MAX);
    scene.take();
    assert_eq!(scene.say(1, &request("beyond")).notified.len(), 1);
}

#[test]
fn what_was_taken_is_forgotten_in_time() {
    let mut scene = Scene::online();
    scene.say(1, &request("n-1"));
    scene.wait(REMEMBERED_TIME - Duration::from_secs(1));
    assert!(scene.say(1, &request("n-1")).notified.is_empty());
    scene.wait(Duration::from_secs(1));
    assert_eq!(scene.say(1, &request("n-1")).notified.len(), 1);
}

#[test]
fn a_completed_command_is_told_whole() {
    let mut scene = Scene::online();
    let complete = OperationComplete {
        obj_path: "Device.".into(),
        command_name: "Test()".into(),
        command_key: "k".into(),
        operation_resp: Some(CompletionOutcome::ReqOutputArgs(OutputArgs {
            output_args: [("Result".to_owned(), "ok".to_owned())].into(),
        })),
    };
    let notify = Notify {
        notification: Some(Notification::OperComplete(complete)),
        ..notify(true)
    };
    let happened = scene.say(1, &Msg::request("n-1", notify));
    let told = operation::Notification::OperationComplete {
        path: "Device.".into(),
        command: "Test()".into(),
        command_key: "k".into(),
        completion: Completion::Completed([("Result".to_owned(), "ok".to_owned())].into()),
    };
    assert_eq!(happened.notified[0].2.notification, told);
}

/// An Agent that sends again what is not answered, over a connection that comes and goes, to a host that
/// takes, declines and hesitates at will: in the end each notification was taken once, and answered.
#[test]
fn whatever_is_lost_on_the_way_each_notification_is_taken_once() {
    for seed in 1..=200 {
        println!("seed {seed}");
        Unsteady::new(seed).run();
    }
}

struct Unsteady {
    scene: Scene,
    random: u64,
    link: Option<u64>,
    links: u64,
    sent: usize,
    /// Not answered, for all the Agent knows.
    unanswered: Vec<usize>,
    /// Handed up and neither taken nor declined.
    offered: Vec<(NotificationId, String)>,
    taken: Vec<String>,
}

impl Unsteady {
    fn new(seed: u64) -> Self {
        Self {
            scene: Scene {
                takes: false,
                ..Scene::new()
            },
            random: seed,
            link: None,
            links: 0,
            sent: 0,
            unanswered: Vec::new(),
            offered: Vec::new(),
            taken: Vec::new(),
        }
    }

    fn run(mut self) {
        for _ in 0..300 {
            match self.below(8) {
                0 => self.connect(),
                1 => self.lose(),
                2 => {
                    self.sent += 1;
                    self.unanswered.push(self.sent);
                    self.say(self.sent);
                }
                3 | 4 if !self.unanswered.is_empty() => {
                    let index = self.below(self.unanswered.len());
                    self.say(self.unanswered[index]);
                }
                5 => self.settle(|id| Input::Declined { notification: id }),
                _ => self.settle(|id| Input::Taken { notification: id }),
            }
        }
        self.connect();
        while let Some(number) = self.unanswered.first().copied() {
            self.say(number);
            while !self.offered.is_empty() {
                self.settle(|id| Input::Taken { notification: id });
            }
        }
        self.taken.sort_unstable();
        let mut all: Vec<String> = (1..=self.sent)
            .map(|number| format!("n-{number}"))
            .collect();
        all.sort_unstable();
        assert_eq!(self.taken, all);
    }

    fn connect(&mut self) {
        if self.link.is_none() {
            self.links += 1;
            self.link = Some(self.links);
            self.scene.connect(self.links);
            let connect = Record::websocket_connect(&ours(), &agent());
            self.scene.receive(self.links, connect);
        }
    }

    fn lose(&mut self) {
        if let Some(link) = self.link.take() {
            self.scene.handle(Input::Disconnected {
                link: LinkId(link),
                reason: "lost".into(),
            });
        }
    }

    fn say(&mut self, number: usize) {
        if let Some(link) = self.link {
            let happened = self.scene.say(link, &request(&format!("n-{number}")));
            self.happened(happened);
        }
    }

    /// The host makes up its mind about one that waits.
    fn settle(&mut self, verdict: impl Fn(NotificationId) -> Input) {
        if self.offered.is_empty() {
            return;
        }
        let index = self.below(self.offered.len());
        let (id, msg_id) = self.offered.swap_remove(index);
        let input = verdict(id);
        if matches!(input, Input::Taken { .. }) {
            self.taken.push(msg_id);
        }
        let happened = self.scene.handle(input);
        self.happened(happened);
    }

    fn happened(&mut self, happened: Happened) {
        let offered = happened.notified.into_iter().map(|(_, msg_id, _)| msg_id);
        self.offered
            .extend(self.scene.waiting.drain(..).zip(offered));
        for (link, record) in happened.sent {
            let answer = Msg::receive(record.payload().unwrap().clone(), &Limits::DEFAULT).unwrap();
            assert!(self.taken.iter().any(|taken| taken == answer.msg_id()));
            // One answer in four is lost on the way.
            if self.link == Some(link.0) && self.below(4) > 0 {
                let number: usize = answer.msg_id()[2..].parse().unwrap();
                self.unanswered.retain(|each| *each != number);
            }
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) as usize % limit
    }
}

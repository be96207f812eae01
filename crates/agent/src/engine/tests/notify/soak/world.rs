//! The Agent, its Controllers and what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::Moment;
use usphere_proto::Msg;
use usphere_proto::msg::{NotifyResp, Operate};
use usphere_trust::Channel;

use super::super::super::delete;
use super::super::*;
use super::oracle::{About, Happened, Oracle, Subscription, Tally};
use crate::random::Random;
use crate::{Input, LinkId};

/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;
/// Those that come and go; the operator before them stays.
const NAMES: [&str; 3] = ["anna", "bert", "cleo"];
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
const SUBSCRIPTIONS_PER_CONTROLLER: usize = 8;

pub(super) struct World {
    live: LiveAgent,
    random: Random,
    oracle: Oracle,
    /// The time that passed before the Agent was restarted last.
    before: Duration,
    controllers: [Controller; NAMES.len()],
    /// Answers that are on their way, by the second in which they arrive.
    answers: BTreeMap<u64, Vec<(usize, String)>>,
    roles: Vec<String>,
    count: u32,
    is_settling: bool,
}

#[derive(Clone, Copy, Debug)]
struct Controller {
    link: Option<LinkId>,
    /// Since when.
    since: Duration,
    enabled: bool,
    on_board: bool,
    watched: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut scene = Scene::new()
            .controller("operator")
            .host(&[&EVENTFUL])
            .seed(seed);
        for name in NAMES {
            scene = scene.controller(name);
        }
        let mut live = scene.agent();
        live.connect("operator");
        let controller = Controller {
            link: None,
            since: Duration::ZERO,
            enabled: true,
            on_board: true,
            watched: false,
        };
        let mut world = Self {
            live,
            random: Random::new(seed ^ 0x5eed),
            oracle: Oracle::default(),
            before: Duration::ZERO,
            controllers: [controller; NAMES.len()],
            answers: BTreeMap::new(),
            roles: Vec::new(),
            count: 0,
            is_settling: false,
        };
        world.tell_time();
        for controller in 0..NAMES.len() {
            world.connect(controller);
            for _ in 0..3 {
                world.subscribe(controller);
            }
        }
        world
    }

    /// Lets `seconds` pass, with something happening every few of them.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now() + Duration::from_secs(seconds);
        while self.now() < end {
            let pause = 1 + self.random.next() % 30;
            self.wait(pause);
            self.act();
            self.look();
        }
    }

    /// Everybody comes back and answers everything.
    pub(super) fn settle(&mut self) {
        self.is_settling = true;
        for controller in 0..NAMES.len() {
            if !self.controllers[controller].enabled {
                self.enable(controller, true);
            }
            if self.controllers[controller].link.is_none() {
                self.connect(controller);
            }
        }
        self.look();
        self.wait(3 * 60 * 60);
    }

    pub(super) fn finish(self) -> Tally {
        self.oracle.finish();
        self.oracle.tally
    }

    /// What happens next.
    fn act(&mut self) {
        let controller = (self.random.next() % NAMES.len() as u64) as usize;
        let row = controller as u32 + 2;
        match self.random.next() % 100 {
            0..20 => self.set(row, "ProvisioningCode"),
            20..32 => self.set(row, "ControllerCode"),
            32..40 => self.add_role(),
            40..48 => self.delete_role(),
            48..60 => self.raise(),
            60..69 => self.come_or_go(controller),
            69..73 => self.replace(controller),
            73..76 => self.knock(controller),
            76..89 => self.subscribe(controller),
            89..91 => self.unsubscribe(),
            91..93 => self.switch(),
            93 => self.fail_to_set(row),
            94 => self.on_board(controller),
            95 if self.one_in(4) || !self.controllers[controller].enabled => {
                self.enable(controller, !self.controllers[controller].enabled);
            }
            96 if self.one_in(8) => self.restart(),
            _ => self.set(row, "ProvisioningCode"),
        }
    }

    fn set(&mut self, row: u32, name: &'static str) {
        self.count += 1;
        let value = match self.random.next() % 3 {
            0 if name == "ControllerCode" => "watch".to_owned(),
            _ => format!("value {}", self.count),
        };
        let path = format!("Device.LocalAgent.Controller.{row}.");
        let before = self.live.value("operator", &format!("{path}{name}"));
        self.live
            .response("operator", set(&path, &[(name, &value)]));
        let controller = &mut self.controllers[row as usize - 2];
        if name == "ControllerCode" {
            controller.watched = value == "watch";
        }
        let watched = controller.watched;
        if value != before {
            self.happened(Happened::Set {
                row,
                name,
                value,
                watched,
            });
        }
    }

    /// A change that the store cannot keep: nobody is ever told of it.
    fn fail_to_set(&mut self, row: u32) {
        self.oracle.tally.commits_failed += 1;
        self.count += 1;
        let value = format!("lost {}", self.count);
        let path = format!("Device.LocalAgent.Controller.{row}.");
        self.live.hold();
        let msg_id = format!("lost-{}", self.count);
        self.live.request(
            "operator",
            &msg_id,
            set(&path, &[("ProvisioningCode", &value)]),
        );
        self.live.fail("the disk is full");
        self.live.keep();
    }

    fn add_role(&mut self) {
        let response = self.live.response("operator", add(ROLES, &[]));
        let row = added(&response);
        self.roles.push(row.clone());
        self.happened(Happened::Created(row));
    }

    fn delete_role(&mut self) {
        if let Some(row) = self.roles.pop() {
            self.live.response("operator", delete(&row));
            self.happened(Happened::Deleted(row));
        }
    }

    fn raise(&mut self) {
        self.count += 1;
        let name = ["Happened!", "Other!"][(self.random.next() % 2) as usize];
        let why = format!("why {}", self.count);
        self.live.tell(Input::Event {
            object: "Device.X_Eventful.".to_owned(),
            name: name.to_owned(),
            parameters: BTreeMap::from([("Why".to_owned(), why.clone())]),
        });
        self.happened(Happened::Event { name, why });
    }

    fn happened(&mut self, happened: Happened) {
        let enabled = self.controllers.map(|controller| controller.enabled);
        let now = self.now();
        self.oracle.happened(&happened, &enabled, now);
    }

    fn come_or_go(&mut self, controller: usize) {
        let stays_away = self.one_in(4);
        match self.controllers[controller].link {
            Some(link) => {
                // What has just been sent is lost with the connection, now and then.
                if self.one_in(2) {
                    self.raise();
                    self.collect(controller, link, true);
                }
                self.live.cut(link);
                self.controllers[controller].link = None;
            }
            // Some stay away for long.
            None if !stays_away => self.connect(controller),
            None => {}
        }
    }

    /// A Controller that lost its network comes back before the Agent notices.
    fn replace(&mut self, controller: usize) {
        if let Some(link) = self.controllers[controller].link {
            self.collect(controller, link, true);
            self.connect(controller);
        }
    }

    /// Somebody who may or may not be the Controller comes on a road that anybody can read.
    fn knock(&mut self, controller: usize) {
        if self.controllers[controller].link.is_some() {
            return;
        }
        let link = self
            .live
            .arrive(Some(NAMES[controller]), Channel::PlainInsecure);
        self.raise();
        assert_eq!(notified_on(&mut self.live, link), []);
        self.live.cut(link);
    }

    fn connect(&mut self, controller: usize) {
        if !self.controllers[controller].enabled {
            return;
        }
        self.oracle.tally.sessions += 1;
        let link = self.live.connect(NAMES[controller]);
        self.controllers[controller].link = Some(link);
        self.controllers[controller].since = self.now();
    }

    fn subscribe(&mut self, controller: usize) {
        let subscriptions = self.oracle.subscriptions.values();
        let own = subscriptions.filter(|subscription| subscription.controller == controller);
        if self.controllers[controller].link.is_none()
            || own.count() >= SUBSCRIPTIONS_PER_CONTROLLER
        {
            return;
        }
        self.count += 1;
        let id = format!("s{}", self.count);
        let one = (self.random.next() % 3) as u32 + 2;
        let about = [
            About::AnyProvisioning,
            About::Code(one),
            About::Controller(one),
            About::Created,
            About::Deleted,
            About::Event,
            About::Events,
            About::Watched,
        ][(self.random.next() % 8) as usize];
        let expiration = match self.random.next() % 3 {
            0 => 5 + self.random.next() % 600,
            _ => 0,
        };
        let time_to_live = match self.random.next() % 5 {
            0 => 60 + self.random.next() % 7_200,
            _ => 0,
        };
        let subscription = Subscription {
            row: String::new(),
            controller,
            about,
            enabled: true,
            retry: self.random.next() % 10 < 7,
            expiration,
            persistent: self.one_in(2),
            ends: (time_to_live > 0).then(|| self.now().as_secs() + time_to_live),
        };
        let (kind, references) = about.written();
        let values = [
            ("ID", &*id),
            ("NotifType", kind),
            ("ReferenceList", &*references),
            (
                "NotifRetry",
                if subscription.retry { "true" } else { "false" },
            ),
            ("NotifExpiration", &*expiration.to_string()),
            (
                "Persistent",
                if subscription.persistent {
                    "true"
                } else {
                    "false"
                },
            ),
            ("TimeToLive", &*time_to_live.to_string()),
        ];
        let row = subscribe(&mut self.live, NAMES[controller], &values);
        self.oracle.subscriptions.insert(
            id,
            Subscription {
                row,
                ..subscription
            },
        );
    }

    fn unsubscribe(&mut self) {
        let Some(id) = self.any_subscription() else {
            return;
        };
        let gone = self.oracle.subscriptions.remove(&id).unwrap();
        self.live.response("operator", delete(&gone.row));
        self.oracle.withdraw(&id);
    }

    /// Disables a Subscription, or enables it again.
    fn switch(&mut self) {
        let Some(id) = self.any_subscription() else {
            return;
        };
        let subscription = self.oracle.subscriptions.get_mut(&id).unwrap();
        subscription.enabled = !subscription.enabled;
        let enable = if subscription.enabled {
            "true"
        } else {
            "false"
        };
        self.live
            .response("operator", set(&subscription.row, &[("Enable", enable)]));
        if enable == "false" {
            self.oracle.withdraw(&id);
        }
    }

    fn any_subscription(&mut self) -> Option<String> {
        let count = self.oracle.subscriptions.len() as u64;
        let at = self.random.next().checked_rem(count)?;
        self.oracle.subscriptions.keys().nth(at as usize).cloned()
    }

    /// Disables or enables a Controller. The one that is disabled is still told so.
    fn enable(&mut self, controller: usize, enable: bool) {
        self.look();
        let row = controller as u32 + 2;
        let path = format!("Device.LocalAgent.Controller.{row}.");
        let value = if enable { "true" } else { "false" };
        let link = self.controllers[controller].link;
        self.live
            .response("operator", set(&path, &[("Enable", value)]));
        self.happened(Happened::Set {
            row,
            name: "Enable",
            value: value.to_owned(),
            watched: false,
        });
        if let Some(link) = link {
            self.collect(controller, link, true);
        }
        self.oracle.forget(controller);
        let known = &mut self.controllers[controller];
        (known.enabled, known.link) = (enable, None);
        if enable && !known.on_board {
            self.oracle.on_boarding(controller);
        }
    }

    fn on_board(&mut self, controller: usize) {
        if !self.controllers[controller].enabled {
            return;
        }
        self.look();
        let row = controller as u32 + 2;
        let operate = Operate {
            command: format!("Device.LocalAgent.Controller.{row}.SendOnBoardRequest()"),
            send_resp: true,
            ..Operate::default()
        };
        self.live.response("operator", operate);
        if std::mem::replace(&mut self.controllers[controller].on_board, false) {
            self.happened(Happened::Set {
                row,
                name: "OnBoardingComplete",
                value: "false".to_owned(),
                watched: false,
            });
        }
        self.oracle.on_boarding(controller);
    }

    /// The power goes and comes back.
    fn restart(&mut self) {
        self.look();
        self.oracle.tally.restarts += 1;
        self.before = self.now();
        let scene_start = Duration::from_secs(1);
        let live = std::mem::replace(&mut self.live, Scene::new().agent());
        self.live = live.restart();
        self.before -= scene_start;
        self.answers.clear();
        self.live.connect("operator");
        self.tell_time();
        self.oracle
            .subscriptions
            .retain(|_, subscription| subscription.persistent);
        for controller in 0..NAMES.len() {
            self.oracle.forget(controller);
            self.controllers[controller].link = None;
            if self.controllers[controller].enabled && !self.controllers[controller].on_board {
                self.oracle.on_boarding(controller);
            }
        }
    }

    fn tell_time(&mut self) {
        let passed = i64::try_from(self.now().as_micros()).unwrap();
        self.live.tell(Input::Clock {
            unix_micros: NEW_YEAR * 1_000_000 + passed,
            reliable: true,
        });
    }

    /// Lets whole seconds pass, looking at all that the Agent does meanwhile.
    fn wait(&mut self, seconds: u64) {
        let end = self.now() + Duration::from_secs(seconds);
        loop {
            let due = self.live.agent.deadline();
            let due = due.map(|due| self.before + due.since(Moment::ORIGIN));
            let answer = self.answers.keys().next().copied();
            let answer = answer.map(Duration::from_secs);
            let next = [due, answer].into_iter().flatten().min();
            let next = next.map_or(end, |next| next.min(end)).max(self.now());
            self.live.now = self.live.now + (next - self.now());
            self.end_subscriptions();
            self.oracle.advance(next);
            if due.is_some_and(|due| due <= next) {
                self.live.tell(Input::Tick);
                self.look();
                continue;
            }
            for (controller, msg_id) in self.answers.remove(&next.as_secs()).unwrap_or_default() {
                self.answer(controller, &msg_id);
            }
            if next == end {
                break;
            }
        }
    }

    fn end_subscriptions(&mut self) {
        let now = self.now();
        let over = |subscription: &Subscription| {
            let ends = subscription.ends.map(Duration::from_secs);
            ends.is_some_and(|ends| ends <= now)
        };
        let subscriptions = self.oracle.subscriptions.iter();
        let ended: Vec<String> = subscriptions
            .filter(|(_, subscription)| over(subscription))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ended {
            self.oracle.subscriptions.remove(&id);
            self.oracle.withdraw(&id);
        }
    }

    /// Reads what has come, and lets the Controllers do with it what they will.
    fn look(&mut self) {
        for controller in 0..NAMES.len() {
            if let Some(link) = self.controllers[controller].link {
                self.collect(controller, link, false);
            }
            assert!(self.oracle.waiting(controller) < crate::limits::PENDING_MAX);
        }
        let connected = self.controllers.map(|controller| controller.link.is_some());
        let now = self.now();
        self.oracle.check(&connected, now);
    }

    fn collect(&mut self, controller: usize, link: LinkId, lost: bool) {
        let (since, now) = (self.controllers[controller].since, self.now());
        for (msg_id, notify) in notified_on(&mut self.live, link) {
            self.oracle.sent(controller, &msg_id, &notify, since, now);
            if lost {
                self.oracle.tally.lost_on_the_way += 1;
            } else {
                self.react(controller, msg_id);
            }
        }
    }

    fn react(&mut self, controller: usize, msg_id: String) {
        if self.is_settling {
            return self.answer(controller, &msg_id);
        }
        match self.random.next() % 10 {
            0..3 => self.answer(controller, &msg_id),
            3 => {
                self.answer(controller, &msg_id);
                self.answer(controller, &msg_id);
            }
            4..6 => {
                let at = self.now().as_secs() + 1 + self.random.next() % 90;
                self.answers
                    .entry(at)
                    .or_default()
                    .push((controller, msg_id));
            }
            // It goes unanswered.
            _ => {}
        }
    }

    fn answer(&mut self, controller: usize, msg_id: &str) {
        let Some(link) = self.controllers[controller].link else {
            return;
        };
        let response = NotifyResp::default();
        let record = reply(&id(NAMES[controller]), &Msg::response(msg_id, response));
        self.live.send(link, record);
        self.oracle.answered(controller, msg_id);
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.random.next().is_multiple_of(times)
    }

    fn now(&self) -> Duration {
        self.before + self.live.now.since(Moment::ORIGIN)
    }
}

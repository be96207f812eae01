//! What has to be told, what may be, and what must not.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_proto::msg::{Notification, Notify};

/// A Notify that is not to be answered waits this long for its session.
const PATIENCE: u64 = 600;

/// What a Subscription is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum About {
    /// The ProvisioningCode of every Controller.
    AnyProvisioning,
    /// The ControllerCode of one Controller.
    Code(u32),
    /// Everything of one Controller.
    Controller(u32),
    Created,
    Deleted,
    /// The event `Happened!`.
    Event,
    /// All events of its object.
    Events,
    /// The ProvisioningCode of Controllers whose ControllerCode is `watch`.
    Watched,
}

impl About {
    /// NotifType and ReferenceList.
    pub(super) fn written(self) -> (&'static str, String) {
        const CONTROLLER: &str = "Device.LocalAgent.Controller.";
        const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
        match self {
            Self::AnyProvisioning => ("ValueChange", format!("{CONTROLLER}*.ProvisioningCode")),
            Self::Code(row) => ("ValueChange", format!("{CONTROLLER}{row}.ControllerCode")),
            Self::Controller(row) => ("ValueChange", format!("{CONTROLLER}{row}.")),
            Self::Created => ("ObjectCreation", ROLES.to_owned()),
            Self::Deleted => ("ObjectDeletion", format!("{ROLES}*.")),
            Self::Event => ("Event", "Device.X_Eventful.Happened!".to_owned()),
            Self::Events => ("Event", "Device.X_Eventful.".to_owned()),
            Self::Watched => (
                "ValueChange",
                format!("{CONTROLLER}[ControllerCode==\"watch\"].ProvisioningCode"),
            ),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Happened {
    Created(String),
    Deleted(String),
    Event {
        name: &'static str,
        why: String,
    },
    /// A parameter of a Controller.
    Set {
        row: u32,
        name: &'static str,
        value: String,
        /// Whether the ControllerCode of that Controller is `watch`.
        watched: bool,
    },
}

impl Happened {
    fn concerns(&self, about: About) -> bool {
        match (self, about) {
            (Self::Created(_), About::Created)
            | (Self::Deleted(_), About::Deleted)
            | (Self::Event { .. }, About::Events) => true,
            (Self::Event { name, .. }, About::Event) => *name == "Happened!",
            (Self::Set { name, .. }, About::AnyProvisioning) => *name == "ProvisioningCode",
            (Self::Set { name, watched, .. }, About::Watched) => {
                *name == "ProvisioningCode" && *watched
            }
            (Self::Set { row, name, .. }, About::Code(one)) => {
                *row == one && *name == "ControllerCode"
            }
            (Self::Set { row, .. }, About::Controller(one)) => *row == one,
            _ => false,
        }
    }

    fn content(&self) -> String {
        match self {
            Self::Created(row) => format!("+{row}"),
            Self::Deleted(row) => format!("-{row}"),
            Self::Event { name, why } => format!("{name} {why}"),
            Self::Set {
                row, name, value, ..
            } => format!("Device.LocalAgent.Controller.{row}.{name}={value}"),
        }
    }
}

/// What a Notify tells, as [`Happened::content`] writes it.
pub(super) fn content(notify: &Notify) -> String {
    match notify.notification.as_ref() {
        Some(Notification::Event(event)) => {
            format!("{} {}", event.event_name, event.params["Why"])
        }
        Some(Notification::ObjCreation(created)) => format!("+{}", created.obj_path),
        Some(Notification::ObjDeletion(deleted)) => format!("-{}", deleted.obj_path),
        Some(Notification::OnBoardReq(_)) => "OnBoardRequest".to_owned(),
        Some(Notification::ValueChange(change)) => {
            format!("{}={}", change.param_path, change.param_value)
        }
        other => panic!("nobody expects {other:?}"),
    }
}

/// A Subscription as it ought to be.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) row: String,
    pub(super) controller: usize,
    pub(super) about: About,
    pub(super) enabled: bool,
    pub(super) retry: bool,
    pub(super) expiration: u64,
    pub(super) persistent: bool,
    /// When it ends, in seconds.
    pub(super) ends: Option<u64>,
}

/// A notification that is due to one Controller.
#[derive(Debug)]
struct Due {
    controller: usize,
    /// The ID of its Subscription; empty for an OnBoardRequest.
    id: String,
    content: String,
    retry: bool,
    msg_id: Option<String>,
    /// When it was sent last, and how often.
    sent: Option<(Duration, u32)>,
    /// When it may no longer be sent.
    until: Option<Duration>,
    answered: bool,
    released: bool,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) notifications: u32,
    pub(super) sends: u32,
    pub(super) retries: u32,
    pub(super) longest_row: u32,
    pub(super) answered: u32,
    pub(super) late: u32,
    pub(super) expired: u32,
    pub(super) released: u32,
    pub(super) lost_on_the_way: u32,
    pub(super) restarts: u32,
    pub(super) sessions: u32,
    pub(super) commits_failed: u32,
    pub(super) on_boardings: u32,
}

impl Tally {
    /// Whether the day saw enough of everything.
    pub(super) fn is_worth_something(&self) -> bool {
        let all = [
            self.notifications / 500,
            self.retries / 200,
            self.longest_row / 6,
            self.answered / 300,
            self.late / 50,
            self.expired / 10,
            self.released / 20,
            self.lost_on_the_way / 20,
            self.restarts,
            self.sessions / 50,
            self.commits_failed / 10,
            self.on_boardings / 3,
        ];
        all.iter().all(|count| *count > 0)
    }
}

/// Who has to be told what.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    due: Vec<Due>,
    pub(super) tally: Tally,
}

impl Oracle {
    /// Something happened: whoever is subscribed and enabled is to be told.
    pub(super) fn happened(&mut self, happened: &Happened, enabled: &[bool], now: Duration) {
        for (id, subscription) in &self.subscriptions {
            let hears = subscription.enabled && enabled[subscription.controller];
            if !hears || !happened.concerns(subscription.about) {
                continue;
            }
            let patience = match (subscription.retry, subscription.expiration) {
                (false, _) => Some(PATIENCE),
                (true, 0) => None,
                (true, expiration) => Some(expiration),
            };
            self.tally.notifications += 1;
            self.due.push(Due {
                controller: subscription.controller,
                id: id.clone(),
                content: happened.content(),
                retry: subscription.retry,
                msg_id: None,
                sent: None,
                until: patience.map(|patience| now + Duration::from_secs(patience)),
                answered: false,
                released: false,
            });
        }
    }

    /// A Controller is to be asked to take the Agent on board; earlier requests are superseded.
    pub(super) fn on_boarding(&mut self, controller: usize) {
        self.release(|due| due.controller == controller && due.id.is_empty());
        self.tally.on_boardings += 1;
        self.due.push(Due {
            controller,
            id: String::new(),
            content: "OnBoardRequest".to_owned(),
            retry: true,
            msg_id: None,
            sent: None,
            until: None,
            answered: false,
            released: false,
        });
    }

    /// The Agent sent a Notify.
    pub(super) fn sent(
        &mut self,
        controller: usize,
        msg_id: &str,
        notify: &Notify,
        since: Duration,
        now: Duration,
    ) {
        self.tally.sends += 1;
        let content = content(notify);
        let what = format!(
            "{msg_id} to {controller} at {now:?}: {}: {content}",
            notify.subscription_id
        );
        let bound = self
            .due
            .iter()
            .position(|due| due.msg_id.as_deref() == Some(msg_id));
        let at = bound.or_else(|| {
            self.due.iter().position(|due| {
                due.msg_id.is_none()
                    && !due.released
                    && due.controller == controller
                    && due.id == notify.subscription_id
                    && due.content == content
            })
        });
        let Some(due) = at.map(|at| &mut self.due[at]) else {
            panic!("{what}: nobody is to be told this")
        };
        assert_eq!(
            (due.controller, &*due.id, &*due.content),
            (controller, &*notify.subscription_id, &*content),
            "{what}"
        );
        assert!(!due.answered, "{what}: it was answered already");
        assert!(!due.released, "{what}: it is over");
        assert!(
            due.until.is_none_or(|until| now < until),
            "{what}: it has expired at {:?}",
            due.until
        );
        assert_eq!(due.retry, notify.send_resp, "{what}");
        due.msg_id = Some(msg_id.to_owned());
        let Some((before, count)) = due.sent else {
            due.sent = Some((now, 1));
            due.released = !due.retry;
            return;
        };
        assert!(due.retry, "{what}: it was not to be sent again");
        let least = 5.0 * 2_f64.powi(count.min(10) as i32 - 1);
        let wait = (now - before).as_secs_f64();
        assert!(wait >= least - 1e-6, "{what}: retry {count} after {wait} s");
        // It may have had to wait for the session, but for nothing else.
        let could = (before + Duration::from_secs_f64(2.0 * least)).max(since);
        assert!(
            now <= could + Duration::from_micros(1),
            "{what}: retry {count} after {wait} s"
        );
        due.sent = Some((now, count + 1));
        self.tally.retries += 1;
        self.tally.longest_row = self.tally.longest_row.max(count);
    }

    /// The answer to a Notify has reached the Agent.
    pub(super) fn answered(&mut self, controller: usize, msg_id: &str) {
        let due = self
            .due
            .iter_mut()
            .find(|due| due.msg_id.as_deref() == Some(msg_id));
        if let Some(due) = due.filter(|due| due.controller == controller && due.retry)
            && !due.answered
            && !due.released
        {
            due.answered = true;
            self.tally.answered += 1;
            if due.sent.is_some_and(|(_, count)| count > 1) {
                self.tally.late += 1;
            }
        }
    }

    /// What fits is over: it may be sent no more, and need not be.
    fn release(&mut self, is_over: impl Fn(&Due) -> bool) {
        for due in &mut self.due {
            if !due.answered && !due.released && is_over(due) {
                due.released = true;
                self.tally.released += 1;
            }
        }
    }

    /// The Subscription is gone or disabled.
    pub(super) fn withdraw(&mut self, id: &str) {
        self.release(|due| due.id == id);
    }

    /// The Controller is disabled, or the Agent restarts.
    pub(super) fn forget(&mut self, controller: usize) {
        self.release(|due| due.controller == controller);
    }

    /// Moves on to `now`: what has expired by then is over.
    pub(super) fn advance(&mut self, now: Duration) {
        for due in &mut self.due {
            let over = due.until.is_some_and(|until| until <= now);
            if over && !due.answered && !due.released {
                due.released = true;
                self.tally.expired += 1;
            }
        }
        // Should it come again, nobody is to be told it.
        self.due.retain(|due| !due.answered && !due.released);
    }

    /// Checks that nothing is missing that could have been sent.
    pub(super) fn check(&self, connected: &[bool], now: Duration) {
        for due in &self.due {
            let missing = due.sent.is_none() && !due.released && connected[due.controller];
            assert!(
                !missing,
                "at {now:?} this was not sent though it could be: {due:?}"
            );
        }
    }

    /// Checks that everything is through.
    pub(super) fn finish(&self) {
        for due in &self.due {
            let is_through = due.answered || due.released;
            assert!(is_through, "lost: {due:?}");
        }
    }

    /// How many wait to be answered by `controller`.
    pub(super) fn waiting(&self, controller: usize) -> usize {
        let waiting = |due: &&Due| due.controller == controller && !due.answered && !due.released;
        self.due.iter().filter(waiting).count()
    }
}

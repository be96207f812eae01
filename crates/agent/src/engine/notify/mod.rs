//! Subscriptions and notifications: who is told what, and until when. (R-NOT.0 to R-NOT.9)
//!
//! What happened, by changes of the data model or otherwise, is worked through in the order in which it
//! became durable, one after the other and in turn with the survey: each piece is told by the
//! Subscriptions and rights as they were before it, and only then counts for what follows. So the last
//! notification of a Controller that is deleted or disabled still reaches it.
//!
//! | module | what it does |
//! |---|---|
//! | `matter` | what happened, and the Notify that tells of it |
//! | `reference` | entries of ReferenceLists, compiled |
//! | `subscription` | rows of Subscriptions |
//! | `index` | which Subscriptions may be about what happened |
//! | `judge` | which of them are, and who may hear of it |
//! | `post` | Notify Messages on their way, and retries |

mod index;
mod judge;
mod matter;
mod post;
mod reference;
mod subscription;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use usphere_datamodel::model::{Change, Outputs};
use usphere_datamodel::{Moment, Transaction};
use usphere_proto::msg::{Notification, Notify, ResponseType};
use usphere_proto::{EndpointId, Msg, Record};

use super::survey::Stale;
use super::{Agent, Conclusion};
use crate::event::{LinkId, Output};
use crate::links::{Link, Stage};
use crate::notice::Notice;

use crate::random::Random;
use index::Index;
use judge::{Candidate, Verdict};
use matter::Matter;
use post::{Answered, Due, Manner, Post};
use subscription::Row;

/// Something that happened, other than a change of the data model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Occurrence {
    /// An asynchronous command has ended. (OperationComplete)
    #[allow(
        dead_code,
        reason = "asynchronous commands come with the Request table"
    )]
    Complete {
        /// The path of its object.
        object: String,
        /// Its name with `()`.
        command: String,
        /// The key that the Operate gave.
        command_key: String,
        /// Its output arguments, or the error code and text.
        result: Result<Outputs, (u32, String)>,
    },
    /// An event of the data model.
    Event {
        /// The path of its object.
        object: String,
        /// Its name with `!`.
        name: String,
        /// Its arguments.
        parameters: BTreeMap<String, String>,
        /// The instance number of the one Controller that it is for; `None` for all.
        only: Option<u32>,
    },
    /// A Controller is to take the Agent on board. (R-NOT.5)
    #[allow(
        dead_code,
        reason = "OnBoardingComplete and SendOnBoardRequest() follow"
    )]
    OnBoard {
        /// Its instance number.
        controller: u32,
    },
}

/// What the engine knows of Subscriptions and notifications.
#[derive(Debug)]
pub(super) struct Notifier {
    jobs: VecDeque<Job>,
    /// The job that a plan works at.
    active: Option<Active>,
    index: Index,
    post: Post,
    random: Random,
}

/// What is to be worked through.
#[derive(Debug)]
enum Job {
    /// Changes that were made together, and how much they matter to the survey.
    Changes(Vec<Change>, Stale),
    /// All Subscriptions are to be read.
    Load,
    Occurrence(Occurrence),
}

#[derive(Debug)]
struct Active {
    /// How much it matters to the survey, once it is through.
    weight: Stale,
    /// The number of the first Notify that it may make.
    mark: u64,
}

/// What a plan found out about a job.
#[derive(Debug)]
pub(super) struct Findings {
    verdicts: Vec<Verdict>,
    /// Rows of Subscriptions that may have changed; `None` where there is none any more.
    rows: Vec<(u32, Option<Row>)>,
}

impl Notifier {
    /// Begins with reading the Subscriptions.
    pub(super) fn new(seed: u64) -> Self {
        // Retries of Notify Messages and of connections are not to go together.
        let mut random = Random::new(!seed);
        Self {
            jobs: VecDeque::from([Job::Load]),
            active: None,
            index: Index::default(),
            post: Post::new(&mut random),
            random,
        }
    }

    /// Whether a plan works at something.
    pub(super) fn is_busy(&self) -> bool {
        self.active.is_some()
    }

    /// Whether something waits here that the survey has not seen.
    pub(super) fn owes_survey(&self) -> bool {
        let active = self.active.iter().map(|active| active.weight);
        let waiting = self.jobs.iter().map(|job| match job {
            Job::Changes(_, weight) => *weight,
            Job::Load | Job::Occurrence(_) => Stale::Nothing,
        });
        active.chain(waiting).any(|weight| weight != Stale::Nothing)
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.post.deadline()
    }
}

/// What happened.
impl Agent {
    /// Something happened; whoever has subscribed to it is told.
    pub(crate) fn occurred(&mut self, occurrence: Occurrence) {
        self.notifier.jobs.push_back(Job::Occurrence(occurrence));
    }

    /// Something of the data model was changed, durably.
    pub(super) fn changed(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let weight = self.watch.weigh(&changes, self.model.view());
        self.notifier.jobs.push_back(Job::Changes(changes, weight));
    }

    /// Takes up what happened next. Whether there was something.
    pub(super) fn notify_next(&mut self, now: Moment) -> bool {
        let Some(job) = self.notifier.jobs.pop_front() else {
            return false;
        };
        let mut weight = Stale::Nothing;
        let mut rows = BTreeSet::new();
        let (matters, load) = match job {
            Job::Changes(changes, matters) => {
                weight = matters;
                rows = subscriptions_in(&changes);
                (Matter::of_changes(&changes, self.model.view()), false)
            }
            Job::Load => (Vec::new(), true),
            Job::Occurrence(occurrence) => {
                let matter = Matter::of(occurrence, self.model.view());
                (matter.into_iter().collect(), false)
            }
        };
        let candidates = self.candidates(matters);
        let mark = self.notifier.post.mark();
        if candidates.is_empty() && rows.is_empty() && !load {
            self.stale = self.stale.max(weight);
            return true;
        }
        self.notifier.active = Some(Active { weight, mark });
        let work = move |transaction: &mut Transaction<'_>| {
            let rows = if load {
                all_rows(transaction)
            } else {
                rows.iter().copied().collect()
            };
            Conclusion::Notify(find(transaction, &candidates, rows))
        };
        self.submit_own(Box::new(work), now);
        true
    }

    /// Tells what a plan found, and takes over what it read.
    pub(super) fn notify(&mut self, findings: Findings, now: Moment) {
        let Some(Active { weight, mark }) = self.notifier.active.take() else {
            return;
        };
        self.stale = self.stale.max(weight);
        for verdict in findings.verdicts {
            self.carry(verdict, now);
        }
        for (instance, row) in findings.rows {
            self.take_over(instance, row, mark);
        }
    }

    fn candidates(&self, matters: Vec<Matter>) -> Vec<Candidate> {
        let view = self.model.view();
        let mut candidates = Vec::new();
        for matter in matters {
            let place = &view.node(matter.node).path;
            let found = self.notifier.index.candidates(&matter, place);
            if found.is_empty() {
                continue;
            }
            let matter = Arc::new(matter);
            for subscription in found {
                // Who is not there, or disabled, is told nothing.
                if let Some(controller) = self.controllers.get(&subscription.recipient) {
                    candidates.push(Candidate {
                        matter: Arc::clone(&matter),
                        access: Arc::clone(&controller.access),
                        subscription,
                    });
                }
            }
        }
        candidates
    }

    fn take_over(&mut self, instance: u32, row: Option<Row>, mark: u64) {
        let subscription = row.and_then(|row| row.subscription);
        let Notifier { index, post, .. } = &mut self.notifier;
        match &subscription {
            Some(subscription) => {
                post.amend(
                    instance,
                    Manner {
                        subscription: Some(instance),
                        retry: subscription.retry,
                        expiration: subscription.expiration,
                    },
                );
            }
            None => post.withdraw(instance, mark),
        }
        index.put(instance, subscription);
    }
}

/// Notify Messages.
impl Agent {
    /// Makes a Notify of what was found, and sends it.
    fn carry(&mut self, verdict: Verdict, now: Moment) {
        let Verdict {
            subscription,
            matter,
            keys,
            hidden,
        } = verdict;
        if !subscription.action.notify {
            return;
        }
        let notification = matter.notification(self.model.view(), keys, hidden);
        let manner = Manner {
            subscription: Some(subscription.instance),
            retry: subscription.retry,
            expiration: subscription.expiration,
        };
        self.post_notify(
            subscription.recipient,
            subscription.id.clone(),
            notification,
            manner,
            now,
        );
    }

    fn post_notify(
        &mut self,
        controller: u32,
        subscription_id: String,
        notification: Notification,
        manner: Manner,
        now: Moment,
    ) {
        let post = &mut self.notifier.post;
        let (msg_id, number) = post.next();
        let notify = Notify {
            subscription_id,
            send_resp: manner.retry,
            notification: Some(notification),
        };
        let payload = Msg::request(msg_id, notify).to_payload();
        let dropped = post.put(controller, number, payload.clone(), manner, now);
        if dropped > 0
            && let Some(known) = self.controllers.get(&controller)
        {
            let controller = known.id.clone();
            self.note(Notice::NotDelivered {
                controller,
                reason: format!("too many wait, {dropped} of the oldest dropped"),
            });
        }
        if let Some(session) = self.session(controller) {
            self.send_notify(controller, &session, number, payload, now);
        }
    }

    /// Sends what has been waiting for a session of the Controller.
    pub(super) fn send_waiting(&mut self, controller: u32, now: Moment) {
        let Some(session) = self.session(controller) else {
            return;
        };
        for (number, payload) in self.notifier.post.ready(controller) {
            self.send_notify(controller, &session, number, payload, now);
        }
    }

    fn send_notify(
        &mut self,
        controller: u32,
        (link, to): &(LinkId, EndpointId),
        number: u64,
        payload: bytes::Bytes,
        now: Moment,
    ) {
        let Some(known) = self.controllers.get(&controller) else {
            return;
        };
        let record = Record::no_session(to, &self.own, payload);
        self.outputs.push_back(Output::Send {
            link: *link,
            record,
        });
        let retry = known.notif_retry;
        let Notifier { post, random, .. } = &mut self.notifier;
        post.sent(controller, number, retry, random, now);
    }

    /// Where a Controller can be told what it may hear: on no link that deserves less than its own rights.
    fn session(&self, controller: u32) -> Option<(LinkId, EndpointId)> {
        let link = self.controllers.get(&controller)?.link?;
        let known = self.links.get(&link).filter(|link| link.is_trusted())?;
        match &known.stage {
            Stage::Open(party) => Some((link, party.id.clone())),
            Stage::Parted { .. } | Stage::Unknown { .. } => None,
        }
    }

    /// Takes an answer to a Notify; whether it was one. What subscription it names does not matter.
    /// (R-NOT.9)
    pub(super) fn notify_answered(
        &mut self,
        link: LinkId,
        controller: u32,
        msg_id: &str,
        answer: NotifyAnswer,
    ) -> bool {
        if !self.links.get(&link).is_some_and(Link::is_trusted) {
            return false;
        }
        let refused = answer == NotifyAnswer::Error;
        match self.notifier.post.answered(controller, msg_id, refused) {
            None => false,
            Some(Answered::Notify | Answered::OnBoardRequest) => true,
        }
    }

    /// Does what is due.
    pub(super) fn notify_due(&mut self, now: Moment) {
        while let Some((controller, due)) = self.notifier.post.due(now) {
            match due {
                Due::Expired => {
                    if let Some(known) = self.controllers.get(&controller) {
                        let controller = known.id.clone();
                        let reason = "it was not delivered in time".to_owned();
                        self.note(Notice::NotDelivered { controller, reason });
                    }
                }
                Due::Send { number, payload } => {
                    if let Some(session) = self.session(controller) {
                        self.send_notify(controller, &session, number, payload, now);
                    }
                }
            }
        }
    }

    /// A Controller may not be spoken to any more.
    pub(super) fn forget_notifications(&mut self, controller: u32) {
        self.notifier.post.forget(controller);
    }
}

/// How a Controller answered a Notify.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotifyAnswer {
    /// By an Error Message: it has the Notify, and can do nothing with it.
    Error,
    Response,
}

impl NotifyAnswer {
    /// The answer that a response is, if it is one to a Notify.
    pub(super) fn of(response: Option<&ResponseType>) -> Option<Self> {
        matches!(response, Some(ResponseType::NotifyResp(_))).then_some(Self::Response)
    }
}

/// The Subscriptions whose rows are concerned.
fn subscriptions_in(changes: &[Change]) -> BTreeSet<u32> {
    let paths = changes.iter().map(|change| match change {
        Change::Added { path, .. } | Change::Deleted { path, .. } => path,
        Change::Set { object, .. } => object,
    });
    paths
        .filter_map(|path| subscription::instance_in(path))
        .collect()
}

fn all_rows(transaction: &mut Transaction<'_>) -> Vec<u32> {
    let Some(agent) = transaction.find("Device.LocalAgent.") else {
        return Vec::new();
    };
    let Some(table) = transaction.member(agent, "Subscription") else {
        return Vec::new();
    };
    let rows = transaction.rows(agent, table).unwrap_or_default();
    rows.into_iter()
        .map(|row| transaction.instance(row))
        .collect()
}

fn find(transaction: &mut Transaction<'_>, candidates: &[Candidate], rows: Vec<u32>) -> Findings {
    let verdicts = candidates
        .iter()
        .filter_map(|candidate| judge::judge(transaction, candidate))
        .collect();
    let read = rows.into_iter().map(|instance| {
        let row = transaction.find(&subscription::path_of(instance));
        (
            instance,
            row.map(|row| subscription::read(transaction, row)),
        )
    });
    let rows = read.collect();
    Findings { verdicts, rows }
}

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
//! | `tracking` | rows that only a search finds, remembered until they are gone |
//! | `deliver`, `post` | Notify Messages on their way, and retries |
//! | `trigger` | what Subscriptions set |
//! | `onboard` | OnBoardRequests |
//! | `watching` | live data that is asked for because somebody wants to hear of it |
//! | `upkeep` | how long Subscriptions live |

mod deliver;
mod index;
mod judge;
mod matter;
mod onboard;
mod post;
mod reference;
mod subscription;
mod tracking;
mod trigger;
mod upkeep;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use usphere_datamodel::model::{Change, ModelInput, Outputs};
use usphere_datamodel::schema::UnitId;
use usphere_datamodel::{Access, Moment, SchemaView, Transaction};

use super::survey::{self, Stale};
use super::{Agent, Conclusion};

use crate::limits::CANDIDATES_MAX;
use crate::notice::Notice;
use crate::objects::OWNER;
use crate::random::Random;
use index::Index;
use judge::{Candidate, Verdict};
use matter::Matter;
use onboard::Boardings;
use post::{Manner, Post};
use subscription::{Row, Subscription};
use tracking::{Tracking, Tracks};
use upkeep::Lives;
use watching::Watching;

pub(super) use deliver::NotifyAnswer;
pub(crate) use matter::Kind;
pub(crate) use onboard::Boarding;
pub(super) use onboard::Identity;
pub(crate) use reference::Reference;
pub(super) use upkeep::remove_transient;

/// Something that happened, other than a change of the data model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Occurrence {
    /// An asynchronous command has ended. (OperationComplete)
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
    OnBoard {
        /// Its instance number.
        controller: u32,
    },
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete {
                object, command, ..
            } => write!(f, "the end of {object}{command}"),
            Self::Event { object, name, .. } => write!(f, "{object}{name}"),
            Self::OnBoard { controller } => write!(f, "boarding of Controller {controller}"),
        }
    }
}

/// What the engine knows of Subscriptions and notifications.
#[derive(Debug)]
pub(super) struct Notifier {
    jobs: VecDeque<Job>,
    /// The job that a plan works at.
    active: Option<Active>,
    index: Index,
    tracking: Tracking,
    watching: Watching,
    lives: Lives,
    boardings: Boardings,
    post: Post,
    random: Random,
}

/// What is to be worked through.
#[derive(Debug)]
enum Job {
    /// Changes that were made together.
    Changes {
        changes: Vec<Change>,
        /// How much they matter to the survey.
        weight: Stale,
        /// How many Subscriptions in a row have triggered them.
        depth: u8,
    },
    /// What the Status of this Request has shown last is told, and the row may go.
    End(u32),
    /// All Subscriptions are to be read.
    Load,
    /// What Subscriptions to the deletion of rows are about is to be looked up.
    LookUp,
    Occurrence(Occurrence),
}

#[derive(Debug)]
struct Active {
    /// How much it matters to the survey, once it is through.
    weight: Stale,
    /// The number of the first Notify that it may make.
    mark: u64,
    /// Whether the Subscriptions that it reads were made in an earlier life.
    load: bool,
}

/// What a plan found out about a job.
#[derive(Debug)]
pub(super) struct Findings {
    verdicts: Vec<Verdict>,
    /// Rows of Subscriptions that may have changed; `None` where there is none any more.
    rows: Vec<(u32, Option<Row>)>,
    /// What Subscriptions to the deletion of rows are about now.
    tracks: Vec<(u32, Option<Tracks>)>,
}

/// What a plan is to find out.
#[derive(Debug, Default)]
struct Inquiry {
    candidates: Vec<Candidate>,
    /// Rows of Subscriptions to read.
    rows: BTreeSet<u32>,
    /// Whether to read all of them.
    all: bool,
    /// Subscriptions whose tracks are to be looked up.
    tracked: Vec<Arc<Subscription>>,
    /// What each Controller may do.
    accesses: BTreeMap<u32, Arc<Access>>,
}

impl Job {
    /// Whether it makes a difference to who is told what happened behind it.
    fn stands_alone(&self, tracking: &Tracking, view: &SchemaView) -> bool {
        match self {
            Self::Changes {
                changes, weight, ..
            } => {
                *weight != Stale::Nothing
                    || !subscriptions_in(changes).is_empty()
                    || tracking.stale(changes, view).next().is_some()
            }
            Self::End(_) | Self::Load | Self::LookUp => true,
            Self::Occurrence(_) => false,
        }
    }
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
            tracking: Tracking::default(),
            watching: Watching::default(),
            lives: Lives::default(),
            boardings: Boardings::default(),
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
            Job::Changes { weight, .. } => *weight,
            Job::End(_) | Job::Load | Job::LookUp | Job::Occurrence(_) => Stale::Nothing,
        });
        active.chain(waiting).any(|weight| weight != Stale::Nothing)
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let deadlines = [
            self.post.deadline(),
            self.watching.deadline(),
            self.lives.deadline(),
            self.boardings.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}

/// What happened.
impl Agent {
    /// Something happened; whoever has subscribed to it is told.
    pub(crate) fn occurred(&mut self, occurrence: Occurrence) {
        self.notifier.jobs.push_back(Job::Occurrence(occurrence));
    }

    /// The Status of a Request shows its end. The row stays until those who search for it by its values have
    /// been told.
    pub(super) fn end_was_shown(&mut self, request: u32) {
        self.notifier.jobs.push_back(Job::End(request));
    }

    /// Something of the data model was changed, durably; `depth` Subscriptions in a row have triggered it.
    pub(super) fn changed(&mut self, changes: Vec<Change>, depth: u8) {
        if changes.is_empty() {
            return;
        }
        let weight = survey::weigh(&changes, self.model.view());
        self.notifier.jobs.push_back(Job::Changes {
            changes,
            weight,
            depth,
        });
    }

    /// Controllers may do other things than before.
    pub(super) fn rights_changed(&mut self) {
        self.notifier.jobs.push_back(Job::LookUp);
    }

    /// Takes up what happened next, together with what happened behind it as long as it makes no difference
    /// to who is told what. Whether there was something.
    pub(super) fn notify_next(&mut self, now: Moment) -> bool {
        let mut active = Active {
            weight: Stale::Nothing,
            mark: self.notifier.post.mark(),
            load: false,
        };
        let mut inquiry = Inquiry::default();
        let mut count = 0;
        while inquiry.candidates.len() < CANDIDATES_MAX
            && let Some(job) = self.notifier.jobs.pop_front()
        {
            let stands_alone = job.stands_alone(&self.notifier.tracking, self.model.view());
            if stands_alone && count > 0 {
                self.notifier.jobs.push_front(job);
                break;
            }
            count += 1;
            self.take_up(job, &mut inquiry, &mut active, now);
            if stands_alone {
                break;
            }
        }
        if inquiry.is_empty() {
            self.stale = self.stale.max(active.weight);
            return count > 0;
        }
        let accesses = self.controllers.iter();
        let accesses = accesses.map(|(instance, of)| (*instance, Arc::clone(&of.access)));
        inquiry.accesses = accesses.collect();
        self.notifier.active = Some(active);
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Notify(inquiry.answer(transaction))
        };
        self.submit_consulting(Box::new(work), now);
        true
    }

    fn take_up(&mut self, job: Job, inquiry: &mut Inquiry, active: &mut Active, now: Moment) {
        let (view, index) = (self.model.view(), &self.notifier.index);
        let matters = match job {
            Job::Changes {
                changes,
                weight,
                depth,
            } => {
                active.weight = active.weight.max(weight);
                inquiry.rows.extend(subscriptions_in(&changes));
                let tracking = &self.notifier.tracking;
                let stale = tracking.stale(&changes, view);
                inquiry
                    .tracked
                    .extend(stale.filter_map(|of| index.get(of).cloned()));
                if index.is_empty() {
                    return;
                }
                Matter::of_changes(&changes, depth, view)
            }
            Job::End(request) => return self.keep_ending(request, now),
            Job::Load => {
                active.load = true;
                inquiry.all = true;
                return;
            }
            Job::LookUp => {
                let tracking = index.iter().filter(|of| of.is_tracking());
                inquiry.tracked.extend(tracking.cloned());
                return;
            }
            Job::Occurrence(Occurrence::OnBoard { controller }) => {
                return self.board(controller, now);
            }
            Job::Occurrence(occurrence) => match Matter::of(&occurrence, view) {
                Some(matter) => vec![matter],
                None => {
                    return self.note(Notice::Trouble {
                        owner: OWNER.to_owned(),
                        text: format!("nothing like this is declared: {occurrence}"),
                    });
                }
            },
        };
        inquiry.candidates.extend(self.candidates(matters));
    }

    /// Tells what a plan found, and takes over what it read.
    pub(super) fn notify(&mut self, findings: Findings, now: Moment) {
        let Some(active) = self.notifier.active.take() else {
            return;
        };
        self.stale = self.stale.max(active.weight);
        for verdict in findings.verdicts {
            let subscription = Arc::clone(&verdict.subscription);
            let depth = verdict.matter.depth;
            self.carry(verdict, now);
            self.trigger(&subscription, depth, now);
        }
        for (instance, row) in findings.rows {
            self.take_over(instance, row, &active, now);
        }
        for (instance, tracks) in findings.tracks {
            self.notifier.tracking.put(instance, tracks);
        }
    }

    /// An owner says that its unit has changed.
    pub(super) fn disturbed(&mut self, owner: String, unit: String, now: Moment) {
        let view = self.model.view();
        self.notifier.watching.disturbed(&owner, &unit, view, now);
        self.model
            .handle(ModelInput::Disturbed { owner, unit }, now);
    }

    /// A unit could not be got, `failures` times in a row.
    pub(super) fn unfetched(&mut self, unit: UnitId, failures: u32, now: Moment) {
        let view = self.model.view();
        self.notifier.watching.failed(unit, failures, view, now);
    }

    /// Asks for a unit that somebody watches. Whether there was one to ask for.
    pub(super) fn refresh_next(&mut self, now: Moment) -> bool {
        let due = self.notifier.watching.take_due(self.model.view(), now);
        if let Some(unit) = due {
            self.model.refresh(unit, now);
        }
        due.is_some()
    }

    /// The wall clock was set.
    pub(super) fn notify_clock_set(&mut self, now: Moment) {
        let utc = self.clock.at(now);
        self.notifier.lives.clock_set(utc, now);
    }

    /// Does what is due.
    pub(super) fn notify_due(&mut self, now: Moment) {
        self.deliver_due(now);
        self.board_due(now);
        while self.refresh_next(now) {}
        while let Some(instance) = self.notifier.lives.take_over(now) {
            let work = move |transaction: &mut Transaction<'_>| {
                if let Some(row) = transaction.find(&subscription::path_of(instance)) {
                    // It is tried again where it could not be kept.
                    let _ = transaction.delete_row(row);
                }
                Conclusion::Published
            };
            self.submit_own(Box::new(work), now);
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
                        tracks: self.notifier.tracking.get(subscription.instance).cloned(),
                        subscription,
                    });
                }
            }
        }
        candidates
    }

    fn take_over(&mut self, instance: u32, row: Option<Row>, active: &Active, now: Moment) {
        let (utc, view) = (self.clock.at(now), self.model.view());
        let Notifier {
            index,
            lives,
            post,
            watching,
            ..
        } = &mut self.notifier;
        lives.put(instance, row.as_ref(), active.load, utc, now);
        let subscription = row.and_then(|row| row.subscription);
        watching.put(instance, subscription.as_ref(), view, now);
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
            None => post.withdraw(instance, active.mark),
        }
        index.put(instance, subscription);
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

impl Inquiry {
    fn is_empty(&self) -> bool {
        self.candidates.is_empty() && self.rows.is_empty() && self.tracked.is_empty() && !self.all
    }

    fn answer(&self, transaction: &mut Transaction<'_>) -> Findings {
        let candidates = self.candidates.iter();
        let verdicts = candidates.filter_map(|candidate| judge::judge(transaction, candidate));
        let mut findings = Findings {
            verdicts: verdicts.collect(),
            rows: Vec::new(),
            tracks: Vec::new(),
        };
        let tracked = self.tracked.iter();
        let tracks = tracked.map(|of| (of.instance, self.tracks(transaction, of)));
        findings.tracks.extend(tracks);
        let rows = if self.all {
            all_rows(transaction)
        } else {
            self.rows.iter().copied().collect()
        };
        for instance in rows {
            let row = transaction.find(&subscription::path_of(instance));
            let row = row.map(|row| subscription::read(transaction, row));
            let subscription = row.as_ref().and_then(|row| row.subscription.as_ref());
            let tracks = subscription.and_then(|of| self.tracks(transaction, of));
            findings.rows.push((instance, row));
            findings.tracks.push((instance, tracks));
        }
        findings
    }

    fn tracks(&self, transaction: &mut Transaction<'_>, of: &Subscription) -> Option<Tracks> {
        let access = self.accesses.get(&of.recipient)?;
        Tracks::look_up(transaction, of, access)
    }
}

//! What a test works with: one or more Controllers that can say anything, ears, a clock, and a broom.
//!
//! The bench makes its Records by itself of the words of USP, so that it can make wrong ones. Whatever comes is
//! decoded, held against the plan's universal metrics, written into the transcript and kept until it is asked
//! for. What a test changed is undone when it ends, however it ends.

mod answers;
mod ask;
mod broker;
mod codes;
mod discover;
mod link;
mod notify;
mod raw;
mod restart;
mod second;
mod secure;
mod session;
mod web;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use usphere_proto::EndpointId;

use crate::features::Features;
use crate::limits::CLEANING;
use crate::peer::{Peer, Seat};
use crate::profile::Profile;
use crate::stop::{Done, Stop};
use crate::transcript::{Direction, Step, Transcript};

pub use answers::{
    CreatedResult, DeletedResult, FoundResult, OperatedResult, SetResult, UpdatedResult, ensure,
    equal, exactly, only, same_value, value_in,
};
pub use ask::{AllowPartial, Answer, Settings, SupportedDmOptions, create, operate, update};
pub use broker::gone;
pub use codes::appropriate;
pub use discover::NotFound;
pub(crate) use discover::Survival;
pub use link::{Heard, Said};
pub use notify::{Kind, Notified};
pub use restart::Life;
pub use second::SecondController;
pub use secure::{Handshake, Signature};
pub use session::{Answered, context_of};
pub use web::Requested;

/// The table of Subscriptions.
pub const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";

/// The table of Controllers.
pub const CONTROLLERS: &str = "Device.LocalAgent.Controller.";

type Undo = Box<dyn Fn(&mut Bench) -> Done + Send>;

/// What a test works with.
pub struct Bench {
    peer: Box<dyn Peer>,
    features: Features,
    profile: Profile,
    agent: Option<EndpointId>,
    places: BTreeMap<Seat, Place>,
    speaker: Seat,
    /// Whether Notify Messages are answered by themselves.
    answering: bool,
    /// Which ends of its link the test has given the Agent reason for.
    ends: Ends,
    /// How the Agent's link has ended first, for which there was no reason.
    ended: Option<String>,
    /// Why somebody who has tried to connect was not let in last.
    not_let_in: Option<String>,
    undo: Vec<Undo>,
    transcript: Transcript,
    /// What was wrong with what came, whatever is tested.
    violations: Vec<String>,
    asked: u64,
    /// What the IDs of session contexts begin at.
    sessions_from: u64,
    /// Whether the Agent takes part in session contexts, once that is known.
    sessions: Option<bool>,
    /// Whether the Agent speaks TLS within Records, once that is known.
    secure_messages: Option<bool>,
    /// Whether the Agent's handshakes within Records are answered.
    answers_handshakes: bool,
    /// When nothing more is tried; while cleaning up.
    until: Option<Duration>,
}

/// One of our Controllers.
#[derive(Default)]
struct Place {
    is_open: bool,
    /// Whether we have told on this link who we are.
    is_told: bool,
    heard: VecDeque<Heard>,
    /// The session context, where one has begun.
    talk: Option<session::Talk>,
}

/// Which ends of the Agent's link are no fault in themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ends {
    /// None.
    Unasked,
    /// Those that it tells of, as it may where it was sent nonsense.
    Told,
    /// All: it restarts, or the test ends links.
    Any,
}

impl Bench {
    /// A bench for the Agent behind `peer`. Nothing is said yet.
    pub fn new(peer: Box<dyn Peer>, profile: Profile) -> Self {
        let transcript = Transcript::new(peer.now());
        let sessions_from = peer.sessions_from();
        Self {
            peer,
            features: Features::default(),
            profile,
            agent: None,
            places: BTreeMap::new(),
            speaker: Seat::Primary,
            answering: true,
            ends: Ends::Unasked,
            ended: None,
            not_let_in: None,
            undo: Vec::new(),
            transcript,
            violations: Vec::new(),
            asked: 0,
            sessions_from,
            sessions: None,
            secure_messages: None,
            answers_handshakes: true,
            until: None,
        }
    }

    /// Says what the test does next, for the transcript.
    pub fn step(&mut self, text: impl fmt::Display) {
        let now = self.now();
        self.transcript.step(text.to_string(), now);
    }

    /// Writes something worth knowing into the transcript.
    pub fn note(&mut self, text: impl fmt::Display) {
        let now = self.now();
        self.transcript
            .add(Direction::Note, text.to_string(), String::new, now);
    }

    /// The test does not apply unless the Agent has this object, parameter, command or event.
    ///
    /// # Errors
    /// It has not.
    pub fn needs(&self, path: &str) -> Done {
        match self.features.has(path) {
            true => Ok(()),
            false => Err(Stop::NotApplicable(format!("the Agent has no {path}"))),
        }
    }

    /// The test does not apply unless Controllers may add rows to this table.
    ///
    /// # Errors
    /// They may not.
    pub fn needs_addable(&self, table: &str) -> Done {
        match self.features.can_add(table) {
            true => Ok(()),
            false => {
                let reason = format!("Controllers cannot add rows to {table} of this Agent");
                Err(Stop::NotApplicable(reason))
            }
        }
    }

    /// What the Agent has.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What the tests use where they may choose.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A path of the profile, with the row that is us filled in.
    pub fn filled_in(&self, path: &str) -> String {
        path.replace("{controller}", &self.features.controller)
    }

    /// The path of the row that is us, the Controller.
    pub fn controller_path(&self) -> String {
        format!("{CONTROLLERS}{}.", self.features.controller)
    }

    /// The table within a table that tests add rows to.
    ///
    /// # Errors
    /// The test does not apply to Agents without.
    pub fn nested_table(&self) -> Result<String, Stop> {
        let path = self.controller_path();
        let table = format!("{path}{}", self.profile.nested.table);
        self.needs_addable(&table)?;
        Ok(table)
    }

    /// A number that nothing else has had.
    pub fn fresh(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Who the Agent is.
    ///
    /// # Errors
    /// It has not told yet.
    pub fn agent(&self) -> Result<EndpointId, Stop> {
        self.agent
            .clone()
            .ok_or_else(|| Stop::failed("the Agent has not said who it is: no Connect Record came"))
    }

    /// Who the Controller of this seat is.
    pub fn endpoint_id(&self, seat: Seat) -> EndpointId {
        self.peer.endpoint_id(seat)
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        self.peer.now()
    }

    /// Has something done when the test ends, however it ends; what was asked for last is done first. What fails
    /// because the Agent is away is tried once more when it is back.
    pub fn undo(&mut self, what: impl Fn(&mut Bench) -> Done + Send + 'static) {
        self.undo.push(Box::new(what));
    }

    /// Requests come from this Controller from now on, until the test ends.
    pub fn speak_as(&mut self, seat: Seat) {
        self.speaker = seat;
    }

    /// Begins a transcript.
    pub(crate) fn begin(&mut self) {
        self.transcript = Transcript::new(self.now());
        self.violations.clear();
        self.ends = Ends::Unasked;
        self.ended = None;
        self.forget_heard();
    }

    /// The Agent has reason from now on to end its link with a Close frame or the like, until the test ends.
    pub fn may_take_leave(&mut self) {
        if self.ends == Ends::Unasked {
            self.ends = Ends::Told;
        }
    }

    /// Whatever ends the Agent's link, or has ended it, is no fault in itself, until the test ends.
    pub fn may_lose_link(&mut self) {
        self.ends = Ends::Any;
        self.ended = None;
    }

    /// The Agent has not ended its link in this test without a reason.
    ///
    /// # Errors
    /// It has, which is also what is seen of one that has crashed.
    pub(crate) fn has_stayed(&mut self) -> Done {
        self.pass(Duration::ZERO);
        match &self.ended {
            None => Ok(()),
            Some(how) => Err(Stop::Failed(format!(
                "the Agent has ended, or has dropped the link, without being asked to: {how}"
            ))),
        }
    }

    /// Undoes what the test has done. What cannot be undone is noted.
    pub(crate) fn clean(&mut self) {
        self.speak_as(Seat::Primary);
        self.answers_handshakes = true;
        if self.undo.is_empty() && self.answering {
            return;
        }
        self.step("Clean up");
        self.until = Some(self.now() + CLEANING);
        self.answer_again();
        while let Some(undo) = self.undo.pop() {
            self.speak_as(Seat::Primary);
            let mut undone = undo(self);
            if undone.is_err() && !self.is_connected(Seat::Primary) {
                self.speak_as(Seat::Primary);
                undone = self.connect(Seat::Primary).and_then(|()| undo(self));
            }
            if let Err(stop) = undone {
                self.note(format_args!("not cleaned up: {}", stop.reason()));
            }
        }
        self.until = None;
        self.speak_as(Seat::Primary);
    }

    /// The transcript of the test that has ended, and what was wrong with what came, whatever was tested.
    pub(crate) fn end(&mut self) -> (Vec<Step>, Vec<String>) {
        let transcript = std::mem::take(&mut self.transcript);
        (
            transcript.into_steps(),
            std::mem::take(&mut self.violations),
        )
    }

    /// How the Agent is reached.
    pub(crate) fn way(&self) -> String {
        self.peer.way()
    }

    /// When something that may take so long is given up.
    fn until(&self, patience: Duration) -> Duration {
        let until = self.now() + patience;
        self.until.map_or(until, |last| until.min(last))
    }

    fn place(&mut self, seat: Seat) -> &mut Place {
        self.places.entry(seat).or_default()
    }

    fn forget_heard(&mut self) {
        self.places
            .values_mut()
            .for_each(|place| place.heard.clear());
    }
}

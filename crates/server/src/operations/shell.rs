//! The async shell around the lives of Operations: it writes, asks devices, and tells those who wait.

mod asking;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use usphere_datamodel::operation::{Notification, Operation, OperationError, Outcome};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerEvent, ControllerHandle, Delivery, Events};
use usphere_store::{
    NewOperation, OperationListing, OperationQuery, OperationWritten, Store, StoreError,
};

use super::core::{Core, Full, Input, Output, Submission, Ticket};
use super::end::{self, CommandEnd, End, Failure};
use super::name::Number;
use super::request;
use super::writer::{self, Job, Queue, Written};
use crate::blocking::call;
use crate::inventory::now;
use crate::limits::{
    CLOCK_INTERVAL, READ_OUTCOME_BYTES_MAX, RECOVERED_TOGETHER_MAX, SETTLE_INTERVAL,
    SHUTDOWN_PATIENCE,
};
use crate::metrics::Counts;

/// The Operations of the server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Operations {
    shared: Arc<Shared>,
}

/// What all tasks share.
pub(super) struct Shared {
    state: Mutex<State>,
    controller: ControllerHandle,
    pub(super) store: Store,
    queue: Queue,
    /// Rung when the deadline may have changed.
    timer: Notify,
    counts: Counts,
}

#[derive(Default)]
struct State {
    core: Core,
    last: Number,
    /// Whether the server ends, and takes nothing more.
    is_shut: bool,
    accepting: HashMap<Number, oneshot::Sender<Result<Accepted, NotAccepted>>>,
    waiting: HashMap<Number, Vec<oneshot::Sender<Arc<End>>>>,
}

/// What somebody wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The device's Endpoint ID.
    pub(crate) device: EndpointId,
    pub(crate) operation: Operation,
    /// How long the answer may take.
    pub(crate) patience: Duration,
    /// How long it may wait to be sent; none where its caller waits for the answer, who is told at once that the
    /// device is away.
    pub(crate) expiry: Option<Duration>,
    pub(crate) key: Option<String>,
}

/// An Operation that is kept.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// It is a new one, and this is what comes of it.
    New(Number, oneshot::Receiver<Arc<End>>),
    /// It was accepted earlier under the same key.
    Known(Box<usphere_store::Operation>),
}

/// Why an Operation is not accepted.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    Full(Full),
    /// The device is away, and its caller does not want to wait for it.
    NotConnected,
    /// The key belongs to an Operation with another request.
    OtherRequest(Number),
    Shut,
    Store(StoreError),
}

impl From<StoreError> for NotAccepted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

impl Operations {
    /// Takes up what an earlier life of the server left behind, and carries Operations out from now on. The
    /// tasks go on until they are aborted.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn start(
        store: Store,
        controller: ControllerHandle,
        counts: Counts,
    ) -> Result<(Self, [JoinHandle<()>; 2]), StoreError> {
        let (queue, writer) = writer::queue();
        // First of all: whoever comes from now on is told of.
        let events = controller.events();
        let last = call(&store, |store| store.last_operation()).await?;
        let state = State {
            last: Number(last),
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            controller,
            store,
            queue,
            timer: Notify::new(),
            counts,
        });
        shared.recover().await?;
        let writing = tokio::spawn(writer.run(Arc::clone(&shared)));
        let keeping = tokio::spawn(keep(Arc::clone(&shared), events));
        Ok((Self { shared }, [writing, keeping]))
    }

    /// Asks a device to tell something, without the disk. It is recorded a moment after the answer.
    pub(crate) async fn read(&self, wanted: Wanted) -> (Number, Result<Outcome, OperationError>) {
        let (number, created, begun) = (self.shared.lock().number(), now(), Instant::now());
        let json = request::to_json(&wanted.operation).unwrap_or_default();
        let kind = wanted.operation.kind();
        let asked = self
            .shared
            .controller
            .ask(&wanted.device, wanted.operation, wanted.patience);
        let answer = asked.answer().await;
        self.shared.counts.answered(kind, &answer, begun);
        // Nothing was asked of anybody.
        if matches!(answer, Err(OperationError::NotConnected)) {
            return (number, answer);
        }
        let failure = answer.as_ref().err().cloned().map(Failure::Device);
        let end = match (&answer, &failure) {
            (Ok(outcome), _) => Ok(outcome),
            (Err(_), failure) => Err(failure.as_ref().unwrap_or(&Failure::Damaged)),
        };
        let record = NewOperation {
            number: number.0,
            device: wanted.device.as_str().to_owned(),
            kind: kind.as_str().to_owned(),
            request: json,
            key: None,
            command_key: None,
            is_awaited: true,
            is_read: true,
            patience: milliseconds(wanted.patience),
            created,
            expires: created.saturating_add(milliseconds(wanted.patience)),
            progress: end::progress(end, now(), 1, READ_OUTCOME_BYTES_MAX),
        };
        self.shared.queue.record(record).await;
        (number, answer)
    }

    /// Accepts an Operation, durably.
    pub(crate) async fn submit(&self, wanted: Wanted) -> Result<Accepted, NotAccepted> {
        let kind = wanted.operation.kind();
        let (key, device) = (wanted.key.clone(), wanted.device.clone());
        let json = request::to_json(&wanted.operation)
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        // Compared only under a key, for it can be long.
        let request = key.is_some().then(|| json.clone());
        let is_same = |row: &usphere_store::Operation| {
            request.as_ref() == Some(&row.request)
                && row.device == device.as_str()
                && row.kind == kind.as_str()
        };
        let known = match key {
            Some(key) => {
                call(&self.shared.store, move |store| {
                    store.operation_by_key(&key)
                })
                .await?
            }
            None => None,
        };
        let accepted = match known {
            Some(known) => Accepted::Known(Box::new(known)),
            None => {
                let accepted = self.shared.submit(wanted, json)?.await;
                accepted.unwrap_or(Err(NotAccepted::Shut))?
            }
        };
        match accepted {
            Accepted::Known(row) if !is_same(&row) => {
                Err(NotAccepted::OtherRequest(Number(row.number)))
            }
            accepted => Ok(accepted),
        }
    }

    /// What comes of an Operation; none where that is in its row.
    pub(crate) fn follow(&self, number: Number) -> Option<oneshot::Receiver<Arc<End>>> {
        let mut state = self.shared.lock();
        state.core.is_unanswered(number).then(|| state.wait(number))
    }

    pub(crate) async fn find(
        &self,
        number: Number,
    ) -> Result<Option<usphere_store::Operation>, StoreError> {
        call(&self.shared.store, move |store| store.operation(number.0)).await
    }

    pub(crate) async fn list(
        &self,
        query: OperationQuery,
        limit: u32,
    ) -> Result<OperationListing, StoreError> {
        call(&self.shared.store, move |store| {
            store.operations(&query, limit)
        })
        .await
    }

    /// Takes an Operation back, if it was not sent. Whether it was there to be taken back; that is durable.
    pub(crate) async fn cancel(&self, number: Number) -> bool {
        let ended = {
            let mut state = self.shared.lock();
            if state.core.is_queued(number) != Some(true) {
                return false;
            }
            let ended = state.wait(number);
            self.shared.drive(&mut state, Input::Cancelled(number));
            ended
        };
        ended.await.is_ok()
    }

    /// How many have not ended.
    pub(crate) fn count(&self) -> usize {
        self.shared.lock().core.count()
    }

    /// Takes back all that waits for a device.
    pub(crate) fn forget_device(&self, device: &str) {
        let mut state = self.shared.lock();
        self.shared
            .drive(&mut state, Input::Removed(device.to_owned()));
    }

    /// Takes down the ends of commands that devices tell. Whether that is durable, where they mean Operations.
    pub(crate) async fn heard(&self, deliveries: &[Delivery]) -> bool {
        let mut is_ours = false;
        for delivery in deliveries {
            let Notification::OperationComplete {
                path,
                command,
                command_key,
                completion,
            } = &delivery.notified.notification
            else {
                continue;
            };
            let mut state = self.shared.lock();
            if !state.core.expects(delivery.agent.as_str(), command_key) {
                continue;
            }
            is_ours = true;
            let input = Input::Completed {
                device: delivery.agent.as_str().to_owned(),
                key: command_key.clone(),
                end: CommandEnd {
                    command: format!("{path}{command}"),
                    completion: completion.clone(),
                },
            };
            self.shared.drive(&mut state, input);
        }
        !is_ours || self.shared.queue.flush().await
    }

    /// Takes and sends nothing more, and waits until what was asked is answered and written, but not for long. To be
    /// called while the devices are there.
    pub(crate) async fn settle(&self) {
        {
            let mut state = self.shared.lock();
            state.is_shut = true;
            state.core.hold();
        }
        if timeout(SHUTDOWN_PATIENCE, self.settled()).await.is_err() {
            tracing::warn!(
                "not all that was asked of devices is answered; of that it will not be known whether it was done"
            );
        }
    }

    async fn settled(&self) {
        while self.shared.lock().core.in_flight() > 0 {
            sleep(SETTLE_INTERVAL).await;
        }
    }

    /// To be called after that, when no device can be asked any more, so that all that was asked has an answer.
    pub(crate) async fn shutdown(&self) {
        let written = async {
            self.settled().await;
            self.shared.queue.flush().await
        };
        if timeout(SHUTDOWN_PATIENCE, written).await != Ok(true) {
            tracing::warn!("not all that came of operations is written");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        let (mut last, mut count) = (i64::MIN, 0_usize);
        loop {
            let rows = call(&self.store, move |store| {
                store.open_operations(last, RECOVERED_TOGETHER_MAX)
            });
            let rows = rows.await?;
            let Some(end) = rows.last().map(|row| row.number) else {
                break;
            };
            (last, count) = (end, count + rows.len());
            let mut state = self.lock();
            for row in rows {
                self.drive(&mut state, Input::Recovered(Box::new(row)));
            }
        }
        if count > 0 {
            tracing::info!(count, "operations taken up again");
        }
        Ok(())
    }

    fn submit(
        self: &Arc<Self>,
        wanted: Wanted,
        json: String,
    ) -> Result<oneshot::Receiver<Result<Accepted, NotAccepted>>, NotAccepted> {
        let mut state = self.lock();
        if state.is_shut {
            return Err(NotAccepted::Shut);
        }
        let device = wanted.device.as_str();
        state
            .core
            .room(device, json.len())
            .map_err(NotAccepted::Full)?;
        // Asked under the lock: who comes after this is told of by an event.
        let is_online = self.controller.is_online(&wanted.device);
        if wanted.expiry.is_none() && !is_online {
            return Err(NotAccepted::NotConnected);
        }
        let number = state.number();
        let (sender, accepted) = oneshot::channel();
        state.accepting.insert(number, sender);
        let submission = Submission {
            number,
            device: device.into(),
            request: wanted.operation,
            json,
            key: wanted.key,
            is_awaited: wanted.expiry.is_none(),
            patience: milliseconds(wanted.patience),
            expires: now().saturating_add(milliseconds(wanted.expiry.unwrap_or(wanted.patience))),
            is_online,
        };
        self.drive(&mut state, Input::Submitted(Box::new(submission)));
        Ok(accepted)
    }

    /// Hands one input to the engine and obeys it.
    fn drive(self: &Arc<Self>, state: &mut State, input: Input) {
        let before = state.core.deadline();
        state.core.handle(input, now());
        while let Some(output) = state.core.poll() {
            self.obey(state, output);
        }
        if state.core.deadline() != before {
            self.timer.notify_one();
        }
    }

    fn obey(self: &Arc<Self>, state: &mut State, output: Output) {
        match output {
            Output::Accepted(number) => {
                if let Some(accepting) = state.accepting.remove(&number) {
                    let accepted = Accepted::New(number, state.wait(number));
                    // Its caller may be gone; it is carried out all the same.
                    drop(accepting.send(Ok(accepted)));
                }
            }
            Output::Ended(number, end) => {
                for waiting in state.waiting.remove(&number).unwrap_or_default() {
                    drop(waiting.send(Arc::clone(&end)));
                }
            }
            Output::Send {
                number,
                device,
                request,
                command_key,
                patience,
            } => self.send(number, &device, request, command_key, patience),
            Output::Write(ticket, write) => self.queue.push(Job::Write(ticket, Box::new(write))),
        }
    }

    fn tell(self: &Arc<Self>, input: Input) {
        let mut state = self.lock();
        self.drive(&mut state, input);
    }

    /// Takes down what came of writes.
    pub(super) fn written(
        self: &Arc<Self>,
        tickets: Vec<Ticket>,
        written: Result<Vec<OperationWritten>, StoreError>,
    ) {
        let mut state = self.lock();
        let (all, mut each) = match written {
            Ok(written) => (None, written.into_iter()),
            Err(error) => (Some(error), Vec::new().into_iter()),
        };
        for ticket in tickets {
            let written: Written = match (&all, each.next()) {
                (None, Some(written)) => Ok(written),
                (Some(error), _) => Err(error.clone()),
                (None, None) => Err(StoreError::Busy),
            };
            let (input, refusal) = match written {
                Ok(OperationWritten::Written) => (Input::Stored(ticket), None),
                Ok(OperationWritten::Known(row)) => {
                    (Input::Known(ticket), Some(Ok(Accepted::Known(row))))
                }
                Err(error) => (Input::Unstored(ticket), Some(Err(error.into()))),
            };
            if let Some(refusal) = refusal
                && let Some(accepting) = state.accepting.remove(&ticket.number)
            {
                drop(accepting.send(refusal));
            }
            self.drive(&mut state, input);
        }
    }
}

impl State {
    fn number(&mut self) -> Number {
        self.last = Number::after(self.last, now());
        self.last
    }

    fn wait(&mut self, number: Number) -> oneshot::Receiver<Arc<End>> {
        let (sender, ended) = oneshot::channel();
        let waiting = self.waiting.entry(number).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        ended
    }
}

/// Follows the clock and the comings of devices.
async fn keep(shared: Arc<Shared>, mut events: Events) {
    loop {
        let deadline = shared.lock().core.deadline();
        tokio::select! {
            () = until(deadline) => shared.tell(Input::Tick),
            () = shared.timer.notified() => {}
            event = events.next() => match event {
                Some(ControllerEvent::Online(online)) => {
                    shared.tell(Input::Online(online.agent.as_str().to_owned()));
                }
                Some(ControllerEvent::Missed(_)) => call_the_roll(&shared),
                Some(ControllerEvent::Closed { .. } | ControllerEvent::Offline { .. }) => {}
                None => return,
            },
        }
    }
}

/// Events were lost: asks for each device that is waited for whether it is there.
fn call_the_roll(shared: &Arc<Shared>) {
    let awaited = shared.lock().core.awaited_devices();
    for device in awaited {
        if EndpointId::from_wire(&device).is_ok_and(|agent| shared.controller.is_online(&agent)) {
            shared.tell(Input::Online(device.as_ref().to_owned()));
        }
    }
}

/// Waits for a time, and looks at the clock now and then, which may be set.
async fn until(deadline: Option<i64>) {
    match deadline {
        None => std::future::pending().await,
        Some(deadline) => {
            let left = deadline.saturating_sub(now()).max(0).unsigned_abs();
            sleep(Duration::from_millis(left).min(CLOCK_INTERVAL)).await;
        }
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

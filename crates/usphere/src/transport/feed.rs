//! What a device says of its own accord, however it is reached.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use usphere_datamodel::operation::Notified;
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{
    ControllerEvent, ControllerHandle, Delivery, Dialler, Events, Notifications,
};

use super::api::Live;
use super::patiently;
use super::stream::EventStream;
use crate::clock::now;
use crate::failure::Failure;

/// Pauses between two tries to reach an Agent again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What a device says, from some moment on.
#[derive(Debug)]
pub(crate) enum Feed {
    /// We are its Controller.
    Direct(Box<Direct>),
    /// A server is.
    Server(Box<EventStream>),
}

/// Something that is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// The device can be asked again. What it said meanwhile follows, but it may have forgotten who wants to
    /// be told what.
    Back,
    /// The way to the device is lost, for this reason. It is looked for.
    Gone(String),
    /// The device said something.
    Heard(Box<Heard>),
}

/// Something that a device said.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Heard {
    /// When it came, in milliseconds since 1970.
    pub(crate) at: i64,
    /// The device's Endpoint ID.
    pub(crate) device: String,
    #[serde(flatten)]
    pub(crate) notified: Notified,
    /// Where it is ours to say that it arrived.
    #[serde(skip)]
    delivery: Option<Delivery>,
}

impl Feed {
    /// What a device of a server says, from now on.
    pub(crate) async fn of_server(live: Live) -> Result<Self, Failure> {
        let stream = patiently("waiting for the server", EventStream::open(live)).await?;
        Ok(Self::Server(Box::new(stream)))
    }

    /// What comes next. Cancelling loses nothing.
    ///
    /// # Errors
    /// The way is lost for good.
    pub(crate) async fn next(&mut self) -> Result<Told, Failure> {
        match self {
            Self::Direct(direct) => direct.next().await,
            Self::Server(stream) => stream.next().await,
        }
    }
}

impl Heard {
    /// It was shown: the device need not say it again. Without this it does, some time.
    pub(crate) fn taken(self) {
        if let Some(delivery) = self.delivery {
            delivery.taken();
        }
    }
}

/// The feed of a Controller of our own.
#[derive(Debug)]
pub(crate) struct Direct {
    agent: EndpointId,
    controller: ControllerHandle,
    notifications: Notifications,
    events: Events,
    /// What to dial when the connection is lost; an Agent that dials in comes by itself.
    redial: Option<(Dialler, Target)>,
    pause: Duration,
    /// When the next try is due, while there is no connection.
    retry: Option<Instant>,
}

impl Direct {
    pub(super) fn new(
        agent: EndpointId,
        controller: ControllerHandle,
        redial: Option<(Dialler, Target)>,
    ) -> Self {
        Self {
            notifications: controller.notifications(),
            events: controller.events(),
            agent,
            controller,
            redial,
            pause: PAUSE_MIN,
            retry: None,
        }
    }

    async fn next(&mut self) -> Result<Told, Failure> {
        let gone = || Failure::local("the Controller has ended");
        loop {
            tokio::select! {
                delivery = self.notifications.next() => {
                    let delivery = delivery.ok_or_else(gone)?;
                    if delivery.agent == self.agent {
                        return Ok(Told::Heard(Box::new(heard(delivery))));
                    }
                }
                event = self.events.next() => {
                    if let Some(told) = self.happened(event.ok_or_else(gone)?) {
                        return Ok(told);
                    }
                }
                () = until(self.retry) => self.dial().await,
            }
        }
    }

    fn happened(&mut self, event: ControllerEvent) -> Option<Told> {
        match event {
            ControllerEvent::Offline { agent, reason, .. } if agent == self.agent => {
                self.retry = self.redial.is_some().then(|| Instant::now() + self.pause);
                Some(Told::Gone(reason.to_string()))
            }
            ControllerEvent::Online(online) if online.agent == self.agent => {
                self.pause = PAUSE_MIN;
                self.retry = None;
                Some(Told::Back)
            }
            // A try that came to nothing: the connection opened and ended before the Agent said who it is.
            ControllerEvent::Closed { .. } if !self.controller.is_online(&self.agent) => {
                self.retry = self.redial.is_some().then(|| Instant::now() + self.pause);
                None
            }
            ControllerEvent::Closed { .. }
            | ControllerEvent::Missed(_)
            | ControllerEvent::Offline { .. }
            | ControllerEvent::Online(_) => None,
        }
    }

    /// Tries once, and comes again after a pause where that fails.
    async fn dial(&mut self) {
        self.retry = Some(Instant::now() + self.pause);
        self.pause = (2 * self.pause).min(PAUSE_MAX);
        if let Some((dialler, target)) = &self.redial {
            match dialler.connect(target).await {
                // The Agent comes online on it, or it ends.
                Ok(()) => self.retry = None,
                Err(error) => tracing::info!(%target, %error, "not reached again yet"),
            }
        }
    }
}

fn heard(delivery: Delivery) -> Heard {
    Heard {
        at: now(),
        device: delivery.agent.as_str().to_owned(),
        notified: delivery.notified.clone(),
        delivery: Some(delivery),
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

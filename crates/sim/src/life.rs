//! The life of one device: its one task, which moves Records and time and decides nothing.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use usphere_agent::{DialId, Input, LinkId, Origin};
use usphere_datamodel::Moment;
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::{Link, LinkEvent, LinkReceiver, LinkSender, close_code};

use crate::device::{Device, Want};
use crate::limits::{EVENTS_AT_ONCE, GOODBYE_MAX};
use crate::plan::Kit;
use crate::tally::Count;
use crate::way::{NoLink, Way};

/// A device and its links.
pub(crate) struct Life {
    device: Device,
    kit: Arc<Kit>,
    way: Arc<Way>,
    origin: Instant,
    tls: Option<Arc<Tls>>,
    links: Vec<Open>,
    dialling: Option<(DialId, Dialling)>,
    named: u64,
}

/// An attempt to connect; boxed, since it is large and rare.
type Dialling = Pin<Box<dyn Future<Output = Result<Link, NoLink>> + Send>>;

struct Open {
    id: LinkId,
    sender: LinkSender,
    receiver: LinkReceiver,
}

/// What a device waits for.
enum Event {
    Dialled(DialId, Result<Box<Link>, NoLink>),
    Link(LinkId, Vec<LinkEvent>),
    Stopped,
    Time,
}

impl Life {
    /// The life of `device`, whose moments count from `origin`.
    pub(crate) fn new(device: Device, kit: Arc<Kit>, way: Arc<Way>, origin: Instant) -> Self {
        Self {
            device,
            kit,
            way,
            origin,
            tls: None,
            links: Vec::new(),
            dialling: None,
            named: 0,
        }
    }

    /// Lives until it is `stopped`, then says goodbye.
    pub(crate) async fn live(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            self.obey();
            let deadline = self
                .device
                .deadline()
                .map(|deadline| self.instant(deadline));
            let event = tokio::select! {
                biased;
                event = self.next() => event,
                () = expire(deadline) => Event::Time,
                _ = stopped.wait_for(|stopped| *stopped) => Event::Stopped,
            };
            let now = self.now();
            match event {
                Event::Stopped => break,
                Event::Time => self.device.turn(now),
                event => self.happened(event, now),
            }
        }
        let now = self.now();
        self.device.shut_down(now);
        self.obey();
        let end = Instant::now() + GOODBYE_MAX;
        while !self.links.is_empty() {
            tokio::select! {
                event = self.next() => {
                    let now = self.now();
                    self.happened(event, now);
                    self.obey();
                }
                () = sleep_until(end) => break,
            }
        }
    }

    fn happened(&mut self, event: Event, now: Moment) {
        match event {
            Event::Dialled(dial, Ok(link)) => self.connected(dial, *link, now),
            Event::Dialled(dial, Err(error)) => {
                let reason = error.to_string();
                self.device.handle(Input::DialFailed { dial, reason }, now);
            }
            Event::Link(link, events) => {
                for event in events {
                    self.arrived(link, event, now);
                }
            }
            Event::Stopped | Event::Time => {}
        }
    }

    fn connected(&mut self, dial: DialId, link: Link, now: Moment) {
        self.named += 1;
        let id = LinkId(self.named);
        self.links.push(Open {
            id,
            sender: link.sender,
            receiver: link.receiver,
        });
        let input = Input::Connected {
            link: id,
            origin: Origin::Dialled(dial),
            peer: link.peer,
        };
        self.device.handle(input, now);
    }

    fn arrived(&mut self, link: LinkId, event: LinkEvent, now: Moment) {
        let input = match event {
            LinkEvent::Record(record, _) => Input::Received { link, record },
            LinkEvent::Refused(refusal) => Input::Refused { link, refusal },
            LinkEvent::Closed(reason) => {
                self.links.retain(|open| open.id != link);
                let reason = reason.to_string();
                Input::Disconnected { link, reason }
            }
        };
        self.device.handle(input, now);
    }

    fn obey(&mut self) {
        while let Some(want) = self.device.poll() {
            match want {
                Want::CancelDial { dial } => {
                    self.dialling.take_if(|(underway, _)| *underway == dial);
                }
                Want::Cut { link } => self.links.retain(|open| open.id != link),
                Want::Dial {
                    dial,
                    target,
                    ping_interval,
                } => self.dial(dial, target, ping_interval),
                Want::Hangup { link, code, reason } => {
                    if let Some(open) = self.links.iter().find(|open| open.id == link) {
                        open.sender.close(code, &reason.to_string());
                    }
                }
                Want::Send { link, record } => {
                    let open = self.links.iter().find(|open| open.id == link);
                    let Some(open) = open else { continue };
                    if open.sender.try_send(&record).is_err() {
                        self.kit.tally.add(Count::Errors);
                        let text = "too much waits to be read";
                        open.sender.close(close_code::POLICY, text);
                    }
                }
            }
        }
    }

    fn dial(
        &mut self,
        dial: DialId,
        target: usphere_agent::Target,
        ping_interval: std::time::Duration,
    ) {
        let id = self.device.endpoint_id().clone();
        if self.tls.is_none() {
            match self.way.tls(&id) {
                Ok(tls) => self.tls = tls,
                Err(error) => {
                    let failed = Box::pin(async move { Err(error) });
                    self.dialling = Some((dial, failed));
                    return;
                }
            }
        }
        let (way, tls) = (Arc::clone(&self.way), self.tls.clone());
        let controller = self.kit.plan.controller.clone();
        let dialling = Box::pin(async move {
            let linked = way.link(id, controller, target, ping_interval, tls).await;
            if let Some(wait) = linked.as_ref().err().and_then(NoLink::retry_after) {
                // The engine's own back-off begins when it hears of the refusal.
                sleep(wait).await;
            }
            linked
        });
        self.dialling = Some((dial, dialling));
    }

    async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        for open in &mut self.links {
            let mut events = Vec::new();
            let polled = open
                .receiver
                .poll_recv_many(cx, &mut events, EVENTS_AT_ONCE);
            if polled.is_ready() && !events.is_empty() {
                return Poll::Ready(Event::Link(open.id, events));
            }
        }
        let Some((dial, dialling)) = &mut self.dialling else {
            return Poll::Pending;
        };
        let dial = *dial;
        dialling.as_mut().poll(cx).map(|linked| {
            self.dialling = None;
            Event::Dialled(dial, linked.map(Box::new))
        })
    }

    fn now(&self) -> Moment {
        Moment::ORIGIN + self.origin.elapsed()
    }

    fn instant(&self, moment: Moment) -> Instant {
        self.origin + moment.since(Moment::ORIGIN)
    }
}

async fn expire(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

//! The open links of one Agent, polled together in the Agent's own task.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tracing::debug;
use usphere_agent::LinkId;
use usphere_mtp::websocket::{Link, LinkEvent, LinkReceiver, LinkSender, close_code};
use usphere_proto::{Record, Refusal};

/// Records that are taken from one link before the next is looked at.
const BATCH: usize = 64;

/// A burst of Notify Messages that the engine may have under way is not taken for a peer that does not read:
/// what bounds the queue of a link is its bytes.
const _: () = assert!(
    usphere_mtp::limits::QUEUE_RECORDS_MAX > 2 * usphere_agent::limits::PENDING_MAX
        && usphere_mtp::limits::QUEUE_BYTES_MAX >= 2 * usphere_agent::limits::PENDING_BYTES_MAX
);

/// What came on a link.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every arrival is a Record; a box would cost an allocation each"
)]
pub(super) enum Arrival {
    Closed(String),
    Record(Record),
    Refused(Box<Refusal>),
}

/// Few, since an Agent has few Controllers: each is looked at whenever one of them stirs.
#[derive(Default)]
pub(super) struct Links {
    open: Vec<Open>,
    events: Vec<LinkEvent>,
    /// Where to begin next, so that a link that floods does not keep the others waiting.
    turn: usize,
}

struct Open {
    id: LinkId,
    sender: LinkSender,
    receiver: LinkReceiver,
}

impl Links {
    pub(super) fn add(&mut self, id: LinkId, link: Link) {
        self.open.push(Open {
            id,
            sender: link.sender,
            receiver: link.receiver,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Queues a Record. A link that cannot take it is closed: its peer does not read.
    pub(super) fn send(&self, id: LinkId, record: &Record) {
        let Some(open) = self.open.iter().find(|open| open.id == id) else {
            return;
        };
        if let Err(error) = open.sender.try_send(record) {
            debug!(link = %id, "closing: {error}");
            open.sender
                .close(close_code::POLICY, "too much waits to be read");
        }
    }

    pub(super) fn close(&self, id: LinkId, code: u16, text: &str) {
        if let Some(open) = self.open.iter().find(|open| open.id == id) {
            open.sender.close(code, text);
        }
    }

    /// Waits until something comes on some link, and adds all that is there. Cancelling loses nothing.
    pub(super) async fn next(&mut self, arrivals: &mut Vec<(LinkId, Arrival)>) {
        poll_fn(|cx| self.poll(cx, arrivals)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>, arrivals: &mut Vec<(LinkId, Arrival)>) -> Poll<()> {
        let count = self.open.len();
        let mut ended = false;
        for at in 0..count {
            let open = &mut self.open[(self.turn + at) % count];
            let polled = open.receiver.poll_recv_many(cx, &mut self.events, BATCH);
            if let Poll::Ready(0) = polled {
                ended = true;
            }
            for event in self.events.drain(..) {
                let arrival = match event {
                    LinkEvent::Closed(reason) => {
                        ended = true;
                        Arrival::Closed(reason.to_string())
                    }
                    LinkEvent::Record(record, _) => Arrival::Record(record),
                    LinkEvent::Refused(refusal) => Arrival::Refused(refusal),
                };
                arrivals.push((open.id, arrival));
            }
        }
        self.turn = self.turn.wrapping_add(1);
        if ended {
            self.open.retain(|open| {
                !arrivals
                    .iter()
                    .any(|(id, arrival)| *id == open.id && matches!(arrival, Arrival::Closed(_)))
            });
        }
        if arrivals.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

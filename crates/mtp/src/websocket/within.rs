//! A link within this process: two ends, and nothing between them but two queues.
//!
//! What runs over it is what runs over a socket: encoded Records, decoded within the same limits, and a
//! farewell that is answered. What guards against networks and strangers has nothing to do here: there
//! are no Pings and no time-outs, so both ends have to be polled.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use usphere_proto::{EndpointId, Limits, Record};
use usphere_trust::{Channel, PeerIdentity};

use super::link::Link;
use super::queue::{Outgoing, Queue};
use super::{CloseReason, LinkEvent, LinkSender, Settings};

/// Two ends of a link within this process, each with the settings of its owner: what the first sends
/// comes to the second, and the other way round.
pub fn within_process(first: &Settings, second: &Settings) -> (Link, Link) {
    let (there, back) = (Queue::new(first), Queue::new(second));
    (
        link(first, &second.our_id, &there, &back),
        link(second, &first.our_id, &back, &there),
    )
}

fn link(
    settings: &Settings,
    peer: &EndpointId,
    outgoing: &Arc<Queue>,
    incoming: &Arc<Queue>,
) -> Link {
    let peer = PeerIdentity {
        endpoint_id: Some(peer.clone()),
        channel: Channel::PlainLoopback,
    };
    let end = End {
        outgoing: Arc::clone(outgoing),
        incoming: Arc::clone(incoming),
        our_id: settings.our_id.clone(),
        record_bytes_max: settings.record_bytes_max,
    };
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Link::new(peer, remote, LinkSender::new(Arc::clone(outgoing)), end)
}

/// One end. Dropping it cuts the link.
#[derive(Debug)]
pub(super) struct End {
    outgoing: Arc<Queue>,
    incoming: Arc<Queue>,
    our_id: EndpointId,
    record_bytes_max: usize,
}

impl End {
    /// The next event. After [`LinkEvent::Closed`] the end is to be dropped.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LinkEvent> {
        loop {
            if let Some(event) = self.ready_event() {
                return Poll::Ready(event);
            }
            if !self.incoming.park(cx.waker()) {
                if self.incoming.is_over() {
                    let why = "the other end is gone".to_owned();
                    return Poll::Ready(LinkEvent::Closed(CloseReason::Lost(why)));
                }
                return Poll::Pending;
            }
        }
    }

    /// An event that is there already.
    pub(super) fn ready_event(&mut self) -> Option<LinkEvent> {
        match self.incoming.pop()? {
            Outgoing::Record(bytes) => Some(self.received(bytes)),
            Outgoing::Farewell(farewell) => {
                let (code, text) = (farewell.code, farewell.text.clone());
                Some(LinkEvent::Closed(match self.outgoing.answer(farewell) {
                    true => CloseReason::ByPeer {
                        code: Some(code),
                        text,
                    },
                    false => CloseReason::ByUs { code, text },
                }))
            }
        }
    }

    fn received(&self, bytes: Bytes) -> LinkEvent {
        let limits = Limits {
            record_bytes_max: self.record_bytes_max,
            ..Limits::DEFAULT
        };
        let size = bytes.len();
        match Record::decode_bounded(bytes.clone(), &limits) {
            Ok(record) => LinkEvent::Record(record, size),
            Err(error) => match Record::receive(bytes, &self.our_id, &limits) {
                Err(refusal) if !error.is_unreadable() => LinkEvent::Refused(refusal),
                _ => LinkEvent::Closed(CloseReason::NotARecord(error.to_string())),
            },
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.incoming.shut();
        self.outgoing.abandon();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn ends() -> (Link, Link) {
        let settings = |id: &str| Settings::new(id.parse().unwrap());
        within_process(&settings("self::agent"), &settings("self::controller"))
    }

    fn record(link: &Link) -> Record {
        let agent = "self::agent".parse().unwrap();
        Record::websocket_connect(&agent, link.peer.endpoint_id.as_ref().unwrap_or(&agent))
    }

    async fn next(link: &mut Link) -> Option<LinkEvent> {
        timeout(Duration::from_secs(5), link.receiver.recv())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn records_go_both_ways_and_wake_who_waits() {
        let (mut agent, mut controller) = ends();
        assert_eq!(
            agent.peer.endpoint_id,
            Some("self::controller".parse().unwrap())
        );
        let sent = record(&agent);
        let (came, ()) = tokio::join!(next(&mut controller), async {
            tokio::task::yield_now().await;
            agent.sender.try_send(&sent).unwrap();
        });
        assert!(matches!(came, Some(LinkEvent::Record(came, _)) if came == sent));
        controller.sender.try_send(&sent).unwrap();
        assert!(matches!(
            next(&mut agent).await,
            Some(LinkEvent::Record(_, _))
        ));
    }

    #[tokio::test]
    async fn a_farewell_comes_after_what_was_sent_and_is_answered() {
        let (mut agent, mut controller) = ends();
        agent.sender.try_send(&record(&agent)).unwrap();
        agent.sender.close(1001, "bye");
        assert!(matches!(
            next(&mut controller).await,
            Some(LinkEvent::Record(_, _))
        ));
        let text = "bye".to_owned();
        let (code, by_peer) = (1001, text.clone());
        assert!(matches!(
            next(&mut controller).await,
            Some(LinkEvent::Closed(CloseReason::ByPeer { code: Some(1001), text })) if text == by_peer
        ));
        assert!(next(&mut controller).await.is_none());
        assert!(matches!(
            next(&mut agent).await,
            Some(LinkEvent::Closed(reason)) if reason == CloseReason::ByUs { code, text }
        ));
        assert!(controller.sender.try_send(&record(&agent)).is_err());
    }

    #[tokio::test]
    async fn an_end_that_is_dropped_ends_the_other() {
        let (agent, mut controller) = ends();
        let (came, ()) = tokio::join!(next(&mut controller), async {
            tokio::task::yield_now().await;
            drop(agent);
        });
        assert!(matches!(
            came,
            Some(LinkEvent::Closed(CloseReason::Lost(_)))
        ));
        assert!(controller.sender.is_closed());
    }

    #[tokio::test]
    async fn what_is_no_record_ends_the_link() {
        let (agent, mut controller) = ends();
        let nonsense = Bytes::from_static(b"\xff\xff\xff");
        agent.sender.try_send_encoded(nonsense).unwrap();
        assert!(matches!(
            next(&mut controller).await,
            Some(LinkEvent::Closed(CloseReason::NotARecord(_)))
        ));
    }
}

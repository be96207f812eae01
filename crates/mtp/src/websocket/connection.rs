//! The state of one open WebSocket, driven by polls of its receiver.
//!
//! Each round moves what is queued into the write buffer, takes what the socket holds, and flushes
//! when the socket holds no more. It must never wait in the middle of a round.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use usphere_proto::{EndpointId, Limits, Record};

use super::keepalive::{Due, KeepAlive};
use super::partial::{Begun, Partial};
use super::queue::{Farewell, Outgoing, Queue, close_text};
use super::{CloseReason, LinkEvent, Settings, close_code};
use crate::limits::EVENTS_BEFORE_FLUSH_MAX;
use crate::wire::Wire;

/// How long the timer sleeps when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// One open WebSocket.
#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocketStream<Wire>,
    queue: Arc<Queue>,
    phase: Phase,
    keepalive: KeepAlive,
    /// Runs at or before the next deadline.
    timer: Pin<Box<Sleep>>,
    our_id: EndpointId,
    limits: Limits,
    /// Whether something was written since the last flush that succeeded.
    unflushed: bool,
    /// Whether the socket took no more the last time.
    blocked: bool,
    /// Whether the queue knows whom to wake.
    parked: bool,
    events_since_flush: u32,
    /// What has come of a message that is not whole yet.
    partial: Partial,
}

#[derive(Debug)]
enum Phase {
    /// Records go both ways.
    Open,
    /// One side has sent a Close frame, the other is awaited.
    Closing(CloseReason),
    /// Our Close frame is the last thing that will be understood on this connection. What comes is
    /// thrown away, so that the peer gets to read that frame before it meets a reset.
    Draining { reason: CloseReason, shut: bool },
    /// Nothing more will happen.
    Ended(CloseReason),
}

impl Connection {
    pub(super) fn new(
        socket: WebSocketStream<Wire>,
        queue: Arc<Queue>,
        settings: &Settings,
        begun: Option<Arc<Begun>>,
    ) -> Self {
        let now = Instant::now();
        let keepalive = KeepAlive::new(settings, now);
        let timer = Box::pin(sleep_until(keepalive.deadline().unwrap_or(now + IDLE)));
        Self {
            socket,
            queue,
            phase: Phase::Open,
            keepalive,
            timer,
            our_id: settings.our_id.clone(),
            limits: Limits {
                record_bytes_max: settings.record_bytes_max,
                ..Limits::DEFAULT
            },
            unflushed: false,
            blocked: false,
            parked: false,
            events_since_flush: 0,
            partial: Partial::new(begun),
        }
    }

    /// The next event. After [`LinkEvent::Closed`] the connection is to be dropped.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LinkEvent> {
        loop {
            if let Some(event) = self.ready_event(cx) {
                return Poll::Ready(event);
            }
            if self.park(cx) {
                return Poll::Pending;
            }
        }
    }

    /// One round: an event that is there already.
    pub(super) fn ready_event(&mut self, cx: &mut Context<'_>) -> Option<LinkEvent> {
        if std::mem::take(&mut self.parked) {
            self.queue.unpark();
        }
        self.feed(cx);
        let record = self.read(cx);
        self.events_since_flush += 1;
        if record.is_none() || self.events_since_flush >= EVENTS_BEFORE_FLUSH_MAX {
            self.flush(cx);
            self.drain(cx);
        }
        match &self.phase {
            Phase::Ended(reason) if record.is_none() => Some(LinkEvent::Closed(reason.clone())),
            _ => record,
        }
    }

    /// Moves what is queued into the write buffer, as long as the socket takes it.
    fn feed(&mut self, cx: &mut Context<'_>) {
        while let Phase::Open = self.phase {
            if !self.takes_more(cx) {
                return self.hurry_farewell();
            }
            match self.queue.pop() {
                None => return,
                Some(Outgoing::Record(record)) => self.write(Message::Binary(record)),
                Some(Outgoing::Farewell(Farewell { code, text })) => {
                    self.close(code, Phase::Closing(CloseReason::ByUs { code, text }));
                }
            }
        }
    }

    /// Whether the write buffer has room, which it has unless the socket is blocked.
    fn takes_more(&mut self, cx: &mut Context<'_>) -> bool {
        if self.blocked {
            self.flush(cx);
            return !self.blocked;
        }
        match Pin::new(&mut self.socket).poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => self.lost(&error),
            Poll::Pending => self.write_blocked(),
        }
        !self.blocked
    }

    /// A close that was asked for is bounded in time even while it waits behind Records.
    fn hurry_farewell(&mut self) {
        if self.queue.waiting_farewell().is_some() {
            self.keepalive.closing();
        }
    }

    fn write(&mut self, message: Message) {
        self.unflushed = true;
        match Pin::new(&mut self.socket).start_send(message) {
            Ok(()) => {}
            Err(Error::WriteBufferFull(_)) => self.end(CloseReason::SlowReader),
            Err(error) => self.lost(&error),
        }
    }

    /// Takes messages from the socket until one of them is a Record.
    fn read(&mut self, cx: &mut Context<'_>) -> Option<LinkEvent> {
        while matches!(self.phase, Phase::Open | Phase::Closing(_)) {
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => return None,
                Poll::Ready(Some(Ok(message))) => {
                    if let Some(event) = self.received(message) {
                        return Some(event);
                    }
                }
                Poll::Ready(Some(Err(error))) => self.read_failed(error),
                Poll::Ready(None) => self.lost(&Error::ConnectionClosed),
            }
        }
        None
    }

    fn received(&mut self, message: Message) -> Option<LinkEvent> {
        self.keepalive.heard();
        // Control frames may come in the middle of a message.
        if message.is_binary() || message.is_text() {
            self.partial.whole(self.socket.get_ref().read());
        }
        match (message, &self.phase) {
            (Message::Binary(bytes), Phase::Open) => return self.received_bytes(bytes),
            (Message::Text(_), Phase::Open) => self.refuse_record("a text message".to_owned()),
            (Message::Close(frame), Phase::Open) => self.received_close(frame),
            // The answer is in the write buffer already.
            (Message::Ping(_), _) => self.unflushed = true,
            // Records are of no use once the end has begun; the second Close frame ends the stream.
            _ => {}
        }
        None
    }

    /// One binary message is one Record. (R-WS.14)
    fn received_bytes(&mut self, bytes: Bytes) -> Option<LinkEvent> {
        let size = bytes.len();
        let error = match Record::decode_bounded(bytes.clone(), &self.limits) {
            Ok(record) => return Some(LinkEvent::Record(record, size)),
            Err(error) => error,
        };
        if !error.is_unreadable()
            && let Err(refusal) = Record::receive(bytes, &self.our_id, &self.limits)
        {
            return Some(LinkEvent::Refused(refusal));
        }
        self.refuse_record(error.to_string());
        None
    }

    /// What came is not a Record. (R-WS.16)
    fn refuse_record(&mut self, what: String) {
        let reason = CloseReason::NotARecord(what);
        self.close(close_code::UNSUPPORTED, Phase::Closing(reason));
    }

    /// The peer begins the closing handshake; the answer is in the write buffer. (R-WS.8)
    fn received_close(&mut self, frame: Option<CloseFrame>) {
        let (code, text) = match frame {
            Some(frame) => (Some(frame.code.into()), frame.reason.as_str().to_owned()),
            None => (None, String::new()),
        };
        self.unflushed = true;
        self.begin_end(Phase::Closing(CloseReason::ByPeer { code, text }));
    }

    /// Nothing after an error of the stream can be understood.
    fn read_failed(&mut self, error: Error) {
        let (code, reason) = match error {
            Error::Capacity(_) => {
                let max = self.limits.record_bytes_max;
                (close_code::TOO_BIG, CloseReason::TooLarge { max })
            }
            Error::Utf8(_) => {
                let what = "a text message that is not UTF-8".to_owned();
                (close_code::UNSUPPORTED, CloseReason::NotARecord(what))
            }
            Error::Protocol(ref broken)
                if !matches!(broken, ProtocolError::ResetWithoutClosingHandshake) =>
            {
                let what = broken.to_string();
                (close_code::PROTOCOL, CloseReason::Protocol(what))
            }
            _ => return self.lost(&error),
        };
        match self.phase {
            Phase::Open => self.close(
                code,
                Phase::Draining {
                    reason,
                    shut: false,
                },
            ),
            _ => self.lost(&error),
        }
    }

    /// Sends a Close frame and enters `phase`.
    fn close(&mut self, code: u16, phase: Phase) {
        let text = match &phase {
            Phase::Closing(reason) | Phase::Draining { reason, .. } => reason.told(),
            Phase::Ended(_) | Phase::Open => String::new(),
        };
        let reason = Utf8Bytes::from(close_text(&text));
        let code = CloseCode::from(code);
        self.begin_end(phase);
        self.write(Message::Close(Some(CloseFrame { code, reason })));
    }

    fn begin_end(&mut self, phase: Phase) {
        self.keepalive.closing();
        self.queue.shut();
        self.phase = phase;
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        self.events_since_flush = 0;
        if !self.unflushed {
            return;
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                self.blocked = false;
                self.keepalive.write_done();
            }
            Poll::Ready(Err(error)) => self.lost(&error),
            Poll::Pending => self.write_blocked(),
        }
    }

    fn write_blocked(&mut self) {
        self.blocked = true;
        let written = self.socket.get_ref().written();
        self.keepalive.write_blocked(written);
    }

    /// Throws away what still comes, once our Close frame is out.
    fn drain(&mut self, cx: &mut Context<'_>) {
        let Phase::Draining { shut, .. } = &mut self.phase else {
            return;
        };
        if self.unflushed {
            return;
        }
        let stream = self.socket.get_mut();
        if !*shut {
            match Pin::new(&mut *stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => *shut = true,
                Poll::Ready(Err(error)) => return self.lost(&Error::Io(error)),
                Poll::Pending => return,
            }
        }
        let mut space = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return self.lost(&Error::ConnectionClosed),
                Poll::Pending => return,
            }
        }
    }

    /// The connection is gone, which is what an end that has begun was waiting for.
    fn lost(&mut self, error: &Error) {
        self.end(CloseReason::Lost(error.to_string()));
    }

    /// Ends the connection; a reason that was known before counts more than `reason`.
    fn end(&mut self, reason: CloseReason) {
        self.queue.shut();
        self.blocked = false;
        self.unflushed = false;
        let reason = match &self.phase {
            Phase::Open => reason,
            Phase::Closing(known) | Phase::Draining { reason: known, .. } | Phase::Ended(known) => {
                known.clone()
            }
        };
        self.phase = Phase::Ended(reason);
    }

    /// Arranges to be woken. `false` when there is something to do at once.
    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let socket = self.socket.get_ref();
        if self.partial.is_too_much(socket.read()) {
            self.begun_too_much();
            return false;
        }
        if let Some(due) = self.keepalive.due(now, socket.read(), socket.written()) {
            self.handle_due(due, now);
            return false;
        }
        // The timer may run early, never late: most deadlines are moved on before they are met.
        let deadline = self.keepalive.deadline().unwrap_or(now + IDLE);
        if deadline < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            return false;
        }
        self.parked = true;
        let waiting = self.queue.park(cx.waker());
        !waiting || self.blocked || !matches!(self.phase, Phase::Open)
    }

    /// Nothing of it is of use to anybody, and what it holds is.
    fn begun_too_much(&mut self) {
        self.end(CloseReason::ByUs {
            code: close_code::POLICY,
            text: "too many have begun large Records and not finished them".to_owned(),
        });
    }

    fn handle_due(&mut self, due: Due, now: Instant) {
        match due {
            Due::Blocked => self.end(CloseReason::SlowReader),
            Due::Close => self.end(match self.queue.waiting_farewell() {
                Some(Farewell { code, text }) => CloseReason::ByUs { code, text },
                None => CloseReason::Lost("the closing handshake took too long".to_owned()),
            }),
            Due::Ping => {
                self.write(Message::Ping(Bytes::new()));
                self.keepalive.pinged(now, self.socket.get_ref().read());
            }
            Due::Silent => self.end(CloseReason::Silent),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.queue.shut();
    }
}

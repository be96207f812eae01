//! One end of a session context: numbers, buffers, segments. (R-E2E.3 to R-E2E.25)
//!
//! It knows no link, no clock and no cipher: payloads in, contexts of Records out, and back. Either end can use
//! it. It must never send anything twice by itself, nor repair what the other end got wrong.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use usphere_proto::record::{PayloadSarState, SessionContext};

use crate::limits::{MESSAGE_BYTES_MAX, SESSION_RECORDS_MAX};

/// One end of a session context.
#[derive(Debug)]
pub struct Session {
    id: u64,
    /// Bytes of payload that fit into one Record.
    segment_bytes_max: usize,
    /// Number of the last Record sent.
    sent: u64,
    /// Number of the Record that is expected next.
    expected: u64,
    /// What was sent, until it is known to have come.
    outgoing: BTreeMap<u64, SessionContext>,
    /// What came too early.
    incoming: BTreeMap<u64, SessionContext>,
    /// The segments of a payload that is not whole yet.
    begun: Option<BytesMut>,
}

/// What comes of a Record that was taken in.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// Whole payloads, in order.
    pub payloads: Vec<Bytes>,
    /// What the other end wants to have once more.
    pub wanted: Vec<SessionContext>,
    /// Whether the Record had come before, and was ignored. (R-E2E.25)
    pub is_repeated: bool,
}

/// Why the session context cannot go on. (R-E2E.21)
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// A Record was asked for that is not kept.
    #[error("Record {0} is to be sent again, and is not kept")]
    NotKept(u64),
    /// Segments do not fit together.
    #[error(
        "Record {sequence_id} is {state} of its payload's segments, which does not fit what came before"
    )]
    Segments {
        /// The Record.
        sequence_id: u64,
        /// What it says of itself.
        state: &'static str,
    },
    /// Too many Records came before their time, or too long a payload.
    #[error("more is kept than may be")]
    TooMuch,
}

impl Session {
    /// One that begins, of this ID, which is greater than 1. (R-E2E.3, R-E2E.14)
    pub fn new(id: u64) -> Self {
        Self {
            id,
            segment_bytes_max: usize::MAX,
            sent: 0,
            expected: 1,
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            begun: None,
        }
    }

    /// The same, with no more bytes of payload in one Record.
    pub fn with_segments_of(mut self, bytes_max: usize) -> Self {
        self.segment_bytes_max = bytes_max.max(1);
        self
    }

    /// Its ID.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of the Record that is expected next.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The number of the first Record that came too early, and waits for those before it.
    pub fn waiting(&self) -> Option<u64> {
        self.incoming.keys().next().copied()
    }

    /// The number of the last Record that was sent; 0 when none was.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// One payload in as many Records as it takes; several parts stay several, as the records of TLS do.
    pub fn next(&mut self, parts: Vec<Bytes>) -> Vec<SessionContext> {
        let segments = segments(parts, self.segment_bytes_max);
        let contexts = segments.into_iter().map(|(payload, whole, part)| {
            let mut context = self.numbered(self.sent + 1);
            context.payload = payload;
            context.payload_sar_state = whole as i32;
            context.payloadrec_sar_state = part as i32;
            self.keep(context.clone());
            context
        });
        contexts.collect()
    }

    /// A Record of this number, right or not, that has no payload yet and is not kept.
    pub fn numbered(&self, sequence_id: u64) -> SessionContext {
        SessionContext {
            session_id: self.id,
            sequence_id,
            expected_id: self.expected,
            ..SessionContext::default()
        }
    }

    /// Remembers a Record that was sent.
    pub fn keep(&mut self, context: SessionContext) {
        self.sent = self.sent.max(context.sequence_id);
        self.outgoing.insert(context.sequence_id, context);
        while self.outgoing.len() > SESSION_RECORDS_MAX {
            self.outgoing.pop_first();
        }
    }

    /// Takes a Record of this session context in. (R-E2E.20)
    ///
    /// # Errors
    /// [`Broken`].
    pub fn take(&mut self, context: SessionContext) -> Result<Taken, Broken> {
        let mut taken = Taken::default();
        // What the other end does not expect any more has come there. (R-E2E.16)
        self.outgoing = self.outgoing.split_off(&context.expected_id);
        if context.sequence_id < self.expected {
            taken.is_repeated = true;
            return Ok(taken);
        }
        self.incoming.insert(context.sequence_id, context);
        if self.incoming.len() > SESSION_RECORDS_MAX {
            return Err(Broken::TooMuch);
        }
        while let Some(context) = self.incoming.remove(&self.expected) {
            self.expected += 1;
            let wanted = context.retransmit_id;
            taken.payloads.extend(self.joined(context)?);
            if wanted != 0 {
                let kept = self.outgoing.get(&wanted);
                let again = kept.cloned().ok_or(Broken::NotKept(wanted))?;
                taken.wanted.push(again);
            }
        }
        Ok(taken)
    }

    /// The payload that is whole with this Record, if one is.
    fn joined(&mut self, context: SessionContext) -> Result<Option<Bytes>, Broken> {
        use PayloadSarState::{Begin, Complete, InProcess, None as Whole};
        let state = PayloadSarState::try_from(context.payload_sar_state).unwrap_or(Whole);
        let payload = context.payload.concat();
        let odd = Broken::Segments {
            sequence_id: context.sequence_id,
            state: state_name(state),
        };
        match (state, self.begun.take()) {
            (Whole, None) => Ok((!payload.is_empty()).then(|| payload.into())),
            (Begin, None) => {
                self.begun = Some(payload.as_slice().into());
                Ok(None)
            }
            (InProcess | Complete, Some(mut begun)) => {
                if begun.len() + payload.len() > MESSAGE_BYTES_MAX {
                    return Err(Broken::TooMuch);
                }
                begun.extend_from_slice(&payload);
                if state == Complete {
                    return Ok(Some(begun.freeze()));
                }
                self.begun = Some(begun);
                Ok(None)
            }
            _ => Err(odd),
        }
    }
}

/// What a Record says of its place among the segments.
fn state_name(state: PayloadSarState) -> &'static str {
    match state {
        PayloadSarState::None => "the whole",
        PayloadSarState::Begin => "the first",
        PayloadSarState::InProcess => "one in the middle",
        PayloadSarState::Complete => "the last",
    }
}

type Segment = (Vec<Bytes>, PayloadSarState, PayloadSarState);

/// The parts of a payload, cut so that each piece fits: the pieces, the place of each in the payload, and in its
/// part.
fn segments(parts: Vec<Bytes>, bytes_max: usize) -> Vec<Segment> {
    let bytes: usize = parts.iter().map(Bytes::len).sum();
    if bytes <= bytes_max {
        return vec![(parts, PayloadSarState::None, PayloadSarState::None)];
    }
    let pieces: Vec<(Bytes, PayloadSarState)> = parts
        .into_iter()
        .flat_map(|part| {
            let count = part.len().div_ceil(bytes_max);
            (0..count).map(move |at| {
                let until = part.len().min((at + 1) * bytes_max);
                (part.slice(at * bytes_max..until), place(at, count))
            })
        })
        .collect();
    let count = pieces.len();
    let pieces = pieces.into_iter().enumerate();
    pieces
        .map(|(at, (piece, of_part))| (vec![piece], place(at, count), of_part))
        .collect()
}

fn place(at: usize, count: usize) -> PayloadSarState {
    match (at, count) {
        (_, 0 | 1) => PayloadSarState::None,
        (0, _) => PayloadSarState::Begin,
        (at, count) if at + 1 == count => PayloadSarState::Complete,
        _ => PayloadSarState::InProcess,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Vec<Bytes> {
        vec![Bytes::copy_from_slice(text.as_bytes())]
    }

    /// Segments come together again, in whatever order their Records come.
    #[test]
    fn segments_are_cut_and_joined() {
        let mut one = Session::new(7).with_segments_of(4);
        let mut other = Session::new(7);
        let records = one.next(whole("a payload of many"));
        assert_eq!(records.len(), 5);
        let states: Vec<i32> = records.iter().map(|one| one.payload_sar_state).collect();
        assert_eq!(states, [1, 2, 2, 2, 3]);
        let numbers: Vec<u64> = records.iter().map(|one| one.sequence_id).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        for at in [1, 4, 3, 0] {
            let taken = other.take(records[at].clone()).unwrap();
            assert_eq!(taken, Taken::default());
        }
        let taken = other.take(records[2].clone()).unwrap();
        assert_eq!(taken.payloads, whole("a payload of many"));
        assert_eq!(other.expected(), 6);
    }

    /// The parts of a payload are cut one by one, so that what belongs to one part is told.
    #[test]
    fn parts_are_cut_by_themselves() {
        let mut one = Session::new(7).with_segments_of(3);
        let records = one.next(vec![Bytes::from_static(b"abcd"), Bytes::from_static(b"ef")]);
        let states: Vec<(i32, i32)> = records
            .iter()
            .map(|one| (one.payload_sar_state, one.payloadrec_sar_state))
            .collect();
        assert_eq!(states, [(1, 1), (2, 3), (3, 0)]);
    }

    #[test]
    fn what_came_before_is_ignored() {
        let mut one = Session::new(2);
        let mut other = Session::new(2);
        let record = one.next(whole("once")).remove(0);
        assert_eq!(other.take(record.clone()).unwrap().payloads, whole("once"));
        let again = other.take(record).unwrap();
        assert!(again.is_repeated && again.payloads.is_empty());
    }

    /// What was sent is kept until the other end says that it has come, and sent again when it is wanted.
    #[test]
    fn what_was_sent_is_sent_again_until_it_has_come() {
        let mut one = Session::new(2);
        let mut other = Session::new(2);
        let sent = one.next(whole("first")).remove(0);
        let mut wish = other.numbered(1);
        wish.retransmit_id = 1;
        other.keep(wish.clone());
        assert_eq!(one.take(wish).unwrap().wanted, std::slice::from_ref(&sent));
        other.take(sent).unwrap();
        let mut late = other.numbered(2);
        late.retransmit_id = 1;
        assert_eq!(one.take(late), Err(Broken::NotKept(1)));
    }

    #[test]
    fn segments_that_do_not_fit_break_the_context() {
        let mut other = Session::new(2);
        let mut odd = Session::new(2).numbered(1);
        odd.payload_sar_state = PayloadSarState::Complete as i32;
        assert!(matches!(other.take(odd), Err(Broken::Segments { .. })));
    }
}

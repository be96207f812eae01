//! Asking the kernel by rtnetlink: one question at a time, each answered before the next.
//!
//! Of an answer only what is read here is decoded; what the kernel says beyond that is skipped, so a newer
//! kernel cannot make an interface disappear.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NlasIterator,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::limits::NETLINK_BYTES_MAX;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The table changed while it was read.
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_HEADER: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;
/// The error message has the request's header alone, not all of the request.
const NLM_F_CAPPED: u16 = 0x100;

/// How long the kernel may take. It takes microseconds, and the owner has seconds.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// How often a table is read again because it changed meanwhile.
const DUMPS_MAX: u32 = 5;

/// What the kernel refused, in its words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub(super) struct KernelError {
    /// The error number; 0 where there was no answer.
    pub(super) number: i32,
    pub(super) text: String,
}

impl From<io::Error> for KernelError {
    fn from(error: io::Error) -> Self {
        Self {
            number: error.raw_os_error().unwrap_or(0),
            text: plain(&error),
        }
    }
}

/// A connection to the kernel; it belongs to the namespace in which it was opened.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
    /// Of which tables it was said that something is left out.
    left_out: BTreeSet<&'static str>,
}

/// How much of a table is looked at.
#[derive(Clone, Copy)]
pub(super) struct Most {
    pub(super) entries: usize,
    /// What they are called in the log.
    pub(super) what: &'static str,
}

impl Netlink {
    /// # Errors
    /// When the process may have no netlink socket.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_to(NETLINK_ROUTE)
    }

    /// As [`Self::open`], to another part of the kernel.
    ///
    /// # Errors
    /// When the process may have no netlink socket.
    pub(super) fn open_to(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIME_MAX))?;
        // Older kernels have neither: their errors are a number without words.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(NETLINK_BYTES_MAX),
            left_out: BTreeSet::new(),
        })
    }

    /// What `read` makes of a table of the host's own. What is beyond `most` is left out, with one word in the
    /// log for each table.
    ///
    /// # Errors
    /// When the kernel refuses, or the table does not hold still.
    pub(super) fn dump<I: IntoIterator>(
        &mut self,
        kind: u16,
        header: &[u8],
        attributes: &[DefaultNla],
        most: Most,
        read: impl Fn(u16, &[u8]) -> I,
    ) -> Result<Vec<I::Item>, KernelError> {
        let Most { entries, what } = most;
        let one_more = entries.saturating_add(1);
        let mut found = self.dump_as(kind, header, attributes, one_more, read)?;
        if found.len() > entries {
            found.truncate(entries);
            if self.left_out.insert(what) {
                tracing::warn!("of more than {entries} {what} of this host the rest is left out");
            }
        }
        Ok(found)
    }

    /// The same of a table that others fill: of what `read` makes of its messages, the first `most`.
    ///
    /// # Errors
    /// When the kernel refuses, or the table does not hold still.
    pub(super) fn dump_as<I: IntoIterator>(
        &mut self,
        kind: u16,
        header: &[u8],
        attributes: &[DefaultNla],
        most: usize,
        read: impl Fn(u16, &[u8]) -> I,
    ) -> Result<Vec<I::Item>, KernelError> {
        for _ in 0..DUMPS_MAX {
            self.send(kind, NLM_F_REQUEST | NLM_F_DUMP, header, attributes)?;
            let mut found = Vec::new();
            let keep = |kind: u16, content: &[u8]| {
                let room = most - found.len();
                if room > 0 {
                    found.extend(read(kind, content).into_iter().take(room));
                }
            };
            if self.receive(keep)? {
                return Ok(found);
            }
        }
        Err(KernelError {
            number: 0,
            text: "the kernel's table changed again and again while it was read".to_owned(),
        })
    }

    /// Has the kernel change something.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn request(
        &mut self,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: &[DefaultNla],
    ) -> Result<(), KernelError> {
        self.send(kind, NLM_F_REQUEST | NLM_F_ACK | flags, header, attributes)?;
        self.receive(|_, _| ()).map(|_| ())
    }

    fn send(
        &mut self,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: &[DefaultNla],
    ) -> Result<(), KernelError> {
        self.sequence = self.sequence.wrapping_add(1);
        let attributes_length = attributes.buffer_len();
        let length = NLMSG_HEADER + header.len() + attributes_length;
        let mut message = vec![0; length];
        let mut head = NetlinkHeader::default();
        head.length = length as u32;
        head.message_type = kind;
        head.flags = flags;
        head.sequence_number = self.sequence;
        head.emit(&mut message);
        message[NLMSG_HEADER..NLMSG_HEADER + header.len()].copy_from_slice(header);
        attributes.emit(&mut message[NLMSG_HEADER + header.len()..]);
        self.socket.send(&message, 0)?;
        Ok(())
    }

    /// Takes in the answer to the last question; false where the table changed meanwhile.
    fn receive(&mut self, mut each: impl FnMut(u16, &[u8])) -> Result<bool, KernelError> {
        let mut is_whole = true;
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            let mut rest = &self.buffer[..];
            while !rest.is_empty() {
                let Ok(message) = NetlinkBuffer::new_checked(rest) else {
                    break;
                };
                let (kind, flags) = (message.message_type(), message.flags());
                let length = (message.length() as usize).next_multiple_of(4);
                let is_ours = message.sequence_number() == self.sequence;
                let content = message.payload();
                rest = rest.get(length..).unwrap_or_default();
                if !is_ours {
                    // Left over from a question whose answer was not waited for.
                    continue;
                }
                is_whole &= flags & NLM_F_DUMP_INTR == 0;
                match kind {
                    NLMSG_DONE => return Ok(is_whole),
                    NLMSG_ERROR => return refusal(content, flags).map_or(Ok(is_whole), Err),
                    _ => each(kind, content),
                }
            }
        }
    }
}

/// The attributes of a message after its header of `header` bytes.
pub(super) fn attributes(content: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let start = header.next_multiple_of(4);
    nested(content.get(start..).unwrap_or_default())
}

/// The attributes inside an attribute.
pub(super) fn nested(content: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    // After one that is spoilt there is nothing to be found.
    NlasIterator::new(content)
        .map_while(Result::ok)
        .map(|attribute| {
            let length = attribute.length() as usize;
            let value = attribute.into_inner().get(4..length).unwrap_or_default();
            (attribute.kind(), value)
        })
}

/// An attribute with attributes inside.
pub(super) fn nest(kind: u16, inner: &[DefaultNla]) -> DefaultNla {
    const NLA_F_NESTED: u16 = 1 << 15;
    let mut value = vec![0; inner.buffer_len()];
    inner.emit(&mut value);
    DefaultNla::new(kind | NLA_F_NESTED, value)
}

/// The error in an NLMSG_ERROR; none where it is an acknowledgement.
fn refusal(content: &[u8], flags: u16) -> Option<KernelError> {
    let number = i32::from_ne_bytes(content.get(..4)?.try_into().ok()?);
    if number == 0 {
        return None;
    }
    let error = io::Error::from_raw_os_error(-number);
    let mut text = plain(&error);
    let inner = content.get(4..8).and_then(|length| length.try_into().ok());
    let inner = if flags & NLM_F_CAPPED != 0 {
        NLMSG_HEADER
    } else {
        inner.map_or(0, u32::from_ne_bytes) as usize
    };
    let words = attributes(content, 4 + inner).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG);
    if let Some((_, words)) = words {
        let words = String::from_utf8_lossy(words);
        text = format!("{} ({text})", words.trim_end_matches(['\0', '.']));
    }
    Some(KernelError {
        number: -number,
        text,
    })
}

/// The words of an error without the number that the library adds.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::uapi::{AF_UNSPEC, RTM_GETLINK, RTM_NEWLINK};
    use super::*;

    #[test]
    fn of_a_table_that_is_too_long_the_rest_is_left_out() {
        let mut kernel = Netlink::open().unwrap();
        let mut header = [0; 16];
        header[0] = AF_UNSPEC;
        let mut dump = |entries| {
            let most = Most {
                entries,
                what: "links",
            };
            // Every host has a loopback; each link counts three times here.
            let read = |kind, _: &[u8]| [kind; 3];
            let found = kernel.dump(RTM_GETLINK, &header, &[], most, read);
            (found.unwrap(), kernel.left_out.contains("links"))
        };
        let (all, is_left_out) = dump(usize::MAX);
        assert!(all.len() >= 3 && !is_left_out, "{all:?}");
        assert_eq!(dump(all.len()), (all, false));
        assert_eq!(dump(2), (vec![RTM_NEWLINK; 2], true));
    }
}

//! A thread that hears what the kernel says of its own accord, and passes on that something changed.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use usphere_runtime::Announcer;

use super::facts::{Mac, neighbour, read_neighbours};
use super::objects::{INTERFACES, NEIGHBOURS, ROUTES};
use super::socket::Netlink;
use super::sources::Sources;
use super::state::State;
use super::uapi::*;
use super::{namespace, write};
use crate::limits::{NEIGHBOUR_ENTRIES_MAX, NETLINK_BYTES_MAX};
use crate::watcher::Folders;

/// For how long changes are gathered before they are passed on together.
const GATHERING: Duration = Duration::from_millis(15);

/// For how long nothing is done after a failure, the first time and at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What the kernel is asked to tell.
const GROUPS: [u32; 6] = [
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
];

/// What the thread is to do.
pub(super) struct Task {
    pub(super) namespace: Option<PathBuf>,
    pub(super) announcer: Announcer,
    /// What is to be made in the kernel first.
    pub(super) restore: Option<Restore>,
    /// The files of leases.
    pub(super) leases: Vec<PathBuf>,
}

/// What Controllers have configured earlier.
pub(super) struct Restore {
    pub(super) state: State,
    pub(super) sources: Sources,
    pub(super) protected: Vec<String>,
}

/// Ends the thread when dropped.
#[derive(Debug)]
pub(super) struct Watch {
    _end: PipeWriter,
}

impl Watch {
    /// Starts the thread. The receiver hangs up when what was configured earlier is in the kernel.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(mut task: Task) -> io::Result<(Self, Receiver<()>)> {
        let (ended, end) = io::pipe()?;
        let (restoring, restored) = mpsc::channel();
        thread::Builder::new()
            .name("network watch".to_owned())
            .spawn(move || {
                task.restore();
                drop(restoring);
                task.watch(&ended);
            })?;
        Ok((Self { _end: end }, restored))
    }
}

/// Which units a message is about.
#[derive(Clone, Copy, Debug, Default)]
struct Changed {
    interfaces: bool,
    neighbours: bool,
    routes: bool,
}

impl Task {
    /// Makes what Controllers configured earlier.
    fn restore(&mut self) {
        let Some(restore) = self.restore.take() else {
            return;
        };
        let restored = self.enter().and_then(|()| {
            let mut kernel = Netlink::open()?;
            write::restore(
                &mut kernel,
                &restore.state,
                &restore.sources,
                &restore.protected,
            );
            Ok(())
        });
        if let Err(error) = restored {
            tracing::error!("the network that Controllers configured is not restored: {error}");
        }
    }

    /// Listens until the end. After a failure it begins anew, and whatever was missed is announced.
    fn watch(&self, ended: &PipeReader) {
        let mut pause = PAUSE_MIN;
        loop {
            let began = Instant::now();
            let Err(error) = self.enter().and_then(|()| self.listen(ended)) else {
                return;
            };
            if began.elapsed() > PAUSE_MAX {
                pause = PAUSE_MIN;
            }
            tracing::error!(
                "changes of the network are not announced for {} s: {error}",
                pause.as_secs()
            );
            let mut end = [PollFd::new(ended, PollFlags::IN)];
            let timeout = Timespec {
                tv_sec: pause.as_secs() as i64,
                tv_nsec: 0,
            };
            if poll(&mut end, Some(&timeout)).is_ok_and(|ready| ready > 0) {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn enter(&self) -> io::Result<()> {
        self.namespace.as_deref().map_or(Ok(()), namespace::enter)
    }

    fn listen(&self, ended: &PipeReader) -> io::Result<()> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        // What happened before the first message can be heard.
        self.tell(Changed::ALL);
        let mut ear = Ear {
            buffer: Vec::with_capacity(NETLINK_BYTES_MAX),
            known: Known::read(),
        };
        let leases = Folders::of_files(&self.leases, NEIGHBOURS.name)?;
        loop {
            let mut polled = [
                PollFd::new(&socket, PollFlags::IN),
                PollFd::new(ended, PollFlags::IN),
                PollFd::new(&leases, PollFlags::IN),
            ];
            match poll(&mut polled, None) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            if !polled[1].revents().is_empty() {
                return Ok(());
            }
            let mut changed = ear.hear(&socket)?;
            changed.neighbours |= !leases.changed()?.is_empty();
            self.tell(changed);
            thread::sleep(GATHERING);
        }
    }

    fn tell(&self, changed: Changed) {
        if changed.interfaces {
            self.announcer.changed(INTERFACES.name);
        }
        if changed.neighbours {
            self.announcer.changed(NEIGHBOURS.name);
        }
        if changed.routes {
            self.announcer.changed(ROUTES.name);
        }
    }
}

impl Changed {
    const ALL: Self = Self {
        interfaces: true,
        neighbours: true,
        routes: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            interfaces: self.interfaces || other.interfaces,
            neighbours: self.neighbours || other.neighbours,
            routes: self.routes || other.routes,
        }
    }
}

/// Takes in what the kernel says.
struct Ear {
    buffer: Vec<u8>,
    known: Known,
}

/// The neighbours as they were told last: the kernel says much of them that makes no difference.
#[derive(Default)]
struct Known {
    by_address: BTreeMap<(u32, IpAddr), Mac>,
}

impl Ear {
    /// Takes in everything that was said.
    fn hear(&mut self, socket: &Socket) -> io::Result<Changed> {
        let mut changed = Changed::default();
        loop {
            self.buffer.clear();
            match socket.recv(&mut self.buffer, 0) {
                Ok(_) => changed = changed.and(self.read()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(changed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More was said than there is room for: all may have changed.
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    self.known = Known::read();
                    changed = Changed::ALL;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self) -> Changed {
        let mut changed = Changed::default();
        let mut rest = &self.buffer[..];
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            let (kind, content) = (message.message_type(), message.payload());
            let about = match kind {
                // The kernel takes routes away with a device without a word.
                RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => Changed::ALL,
                RTM_NEWROUTE | RTM_DELROUTE if content.first() == Some(&AF_INET) => Changed {
                    routes: true,
                    ..Changed::default()
                },
                // Prefixes are routes of IPv6.
                RTM_NEWROUTE | RTM_DELROUTE => Changed {
                    interfaces: true,
                    routes: true,
                    ..Changed::default()
                },
                _ => Changed {
                    neighbours: self.known.take(kind, content),
                    ..Changed::default()
                },
            };
            changed = changed.and(about);
            let length = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
        changed
    }
}

impl Known {
    /// Those that there are in the namespace of the calling thread. Without an answer, whoever is heard of is new.
    fn read() -> Self {
        let read = Netlink::open()
            .ok()
            .and_then(|mut kernel| read_neighbours(&mut kernel).ok());
        let neighbours = read.unwrap_or_default().into_iter();
        Self {
            by_address: neighbours
                .map(|known| ((known.index, known.address), known.mac))
                .collect(),
        }
    }

    /// Takes in a message; whether it says something new of a neighbour.
    fn take(&mut self, kind: u16, content: &[u8]) -> bool {
        match neighbour(kind, content) {
            None => false,
            Some((index, address, None)) => self.by_address.remove(&(index, address)).is_some(),
            Some((index, address, Some(mac))) => {
                let key = (index, address);
                let is_new = self.by_address.get(&key) != Some(&mac);
                if is_new && self.by_address.len() < NEIGHBOUR_ENTRIES_MAX {
                    self.by_address.insert(key, mac);
                }
                is_new
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message about 192.0.2.HOST at device 2.
    fn message(family: u8, state: u16, host: u8, mac: Option<Mac>) -> Vec<u8> {
        let mut content = vec![family, 0, 0, 0];
        content.extend(2_u32.to_ne_bytes());
        content.extend(state.to_ne_bytes());
        content.extend([0, 0]);
        let mut attribute = |kind: u16, value: &[u8]| {
            content.extend((4 + value.len() as u16).to_ne_bytes());
            content.extend(kind.to_ne_bytes());
            content.extend(value);
            content.resize(content.len().next_multiple_of(4), 0);
        };
        attribute(NDA_DST, &[192, 0, 2, host]);
        if let Some(mac) = mac {
            attribute(NDA_LLADDR, &mac);
        }
        content
    }

    #[test]
    fn only_what_is_new_of_a_neighbour_is_told() {
        let mac = Some([2, 0, 0, 0, 0, 7]);
        let other = Some([2, 0, 0, 0, 0, 8]);
        let mut known = Known::default();
        let mut take = |kind, state, host, mac| {
            let content = message(AF_INET, state, host, mac);
            known.take(kind, &content)
        };
        assert!(!take(RTM_NEWNEIGH, 1, 7, None), "asked for, not found yet");
        assert!(take(RTM_NEWNEIGH, NUD_REACHABLE, 7, mac));
        for state in [NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_REACHABLE] {
            assert!(!take(RTM_NEWNEIGH, state, 7, mac));
        }
        assert!(take(RTM_NEWNEIGH, NUD_REACHABLE, 7, other));
        assert!(take(RTM_NEWNEIGH, NUD_REACHABLE, 8, other));
        assert!(take(RTM_NEWNEIGH, 0x20, 7, None), "it failed");
        assert!(!take(RTM_DELNEIGH, 0x20, 7, None));
        assert!(take(RTM_DELNEIGH, NUD_STALE, 8, other));
    }

    #[test]
    fn what_bridges_learn_and_what_is_spoilt_is_no_neighbour() {
        let mac = Some([2, 0, 0, 0, 0, 7]);
        let mut known = Known::default();
        let whole = message(AF_INET, NUD_REACHABLE, 7, mac);
        assert!(!known.take(RTM_NEWNEIGH, &message(AF_BRIDGE, NUD_REACHABLE, 7, mac)));
        for length in 0..20 {
            assert!(!known.take(RTM_NEWNEIGH, &whole[..length]));
        }
        for group in [[1, 0, 0x5e, 0, 0, 1], [0xff; 6], [0; 6]] {
            let content = message(AF_INET, NUD_PERMANENT, 7, Some(group));
            assert!(!known.take(RTM_NEWNEIGH, &content));
        }
    }
}

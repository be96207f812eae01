//! A thread that hears what the kernel says of its own accord, and passes on that something changed.

use std::io::{self, PipeReader, PipeWriter};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, poll};
use usphere_runtime::Announcer;

use super::objects::{INTERFACES, ROUTES};
use super::socket::Netlink;
use super::sources::Sources;
use super::state::State;
use super::uapi::*;
use super::{namespace, write};
use crate::limits::NETLINK_BYTES_MAX;

/// For how long changes are gathered before they are passed on together.
const GATHERING: Duration = Duration::from_millis(15);

/// What the kernel is asked to tell.
const GROUPS: [u32; 5] = [
    RTNLGRP_LINK,
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
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(task: Task) -> io::Result<Self> {
        let (ended, end) = io::pipe()?;
        thread::Builder::new()
            .name("network watch".to_owned())
            .spawn(move || {
                if let Err(error) = task.run(&ended) {
                    tracing::error!("changes of the network are not announced: {error}");
                }
            })?;
        Ok(Self { _end: end })
    }
}

/// Which units a message is about.
#[derive(Clone, Copy, Debug, Default)]
struct Changed {
    interfaces: bool,
    routes: bool,
}

impl Task {
    fn run(self, ended: &PipeReader) -> io::Result<()> {
        if let Some(path) = &self.namespace {
            namespace::enter(path)?;
        }
        if let Some(restore) = &self.restore {
            let mut kernel = Netlink::open()?;
            write::restore(
                &mut kernel,
                &restore.state,
                &restore.sources,
                &restore.protected,
            );
        }
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        // What happened before the first message can be heard.
        self.tell(Changed::ALL);
        let mut buffer = Vec::with_capacity(NETLINK_BYTES_MAX);
        loop {
            let mut both = [
                PollFd::new(&socket, PollFlags::IN),
                PollFd::new(ended, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            if !both[1].revents().is_empty() {
                return Ok(());
            }
            self.tell(hear(&socket, &mut buffer)?);
            thread::sleep(GATHERING);
        }
    }

    fn tell(&self, changed: Changed) {
        if changed.interfaces {
            self.announcer.changed(INTERFACES.name);
        }
        if changed.routes {
            self.announcer.changed(ROUTES.name);
        }
    }
}

impl Changed {
    const ALL: Self = Self {
        interfaces: true,
        routes: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            interfaces: self.interfaces || other.interfaces,
            routes: self.routes || other.routes,
        }
    }
}

/// Takes in everything that was said.
fn hear(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<Changed> {
    let mut changed = Changed::default();
    loop {
        buffer.clear();
        match socket.recv(buffer, 0) {
            Ok(_) => changed = changed.and(read(buffer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(changed),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // More was said than there is room for: all may have changed.
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => changed = Changed::ALL,
            Err(error) => return Err(error),
        }
    }
}

const ENOBUFS: i32 = 105;

fn read(mut rest: &[u8]) -> Changed {
    let mut changed = Changed::default();
    while let Ok(message) = NetlinkBuffer::new_checked(rest) {
        let about = match message.message_type() {
            // The kernel takes routes away with a device without a word.
            RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => Changed::ALL,
            RTM_NEWROUTE | RTM_DELROUTE if message.payload().first() == Some(&AF_INET) => Changed {
                routes: true,
                ..Changed::default()
            },
            // Prefixes are routes of IPv6.
            RTM_NEWROUTE | RTM_DELROUTE => Changed::ALL,
            _ => Changed::default(),
        };
        changed = changed.and(about);
        let length = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    changed
}

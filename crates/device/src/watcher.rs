//! A thread that says which units have changed, as soon as the kernel tells that a file has.
//!
//! Folders are watched, not files, because a file that is replaced is another one. What is not there when the
//! Agent starts is not watched; such units are looked at now and then instead.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use usphere_runtime::Announcer;

use crate::config::HostPaths;
use crate::objects::{CLOCK, SYSTEM};
use crate::{dhcp, dns, time, users};

/// Begins to watch what the units are read from, and to tell it to `announcer`.
pub(crate) fn start(paths: &HostPaths, announcer: Announcer) -> io::Result<()> {
    let watched = Watched {
        folders: Folders::new(folders(paths))?,
        name: File::open(paths.proc.join("sys/kernel/hostname")).ok(),
    };
    thread::Builder::new()
        .name("host files".to_owned())
        .spawn(move || {
            let error = watched.watch(&announcer);
            tracing::warn!("files of the host are watched no more: {error}");
        })?;
    Ok(())
}

struct Watched {
    folders: Folders,
    /// Where the kernel has the name of the host, and how its changes are told.
    name: Option<File>,
}

/// The folders, and which file in each is of which units. It can be read from when something has changed.
pub(crate) struct Folders {
    inotify: OwnedFd,
    watched: Vec<(i32, Folder)>,
}

struct Folder {
    path: PathBuf,
    /// A name, or one that begins with it where it ends in `*`; and the units.
    files: Vec<(String, Vec<&'static str>)>,
}

impl Watched {
    /// Returns only when it cannot go on.
    fn watch(mut self, announcer: &Announcer) -> io::Error {
        loop {
            self.read_name();
            let mut polled = vec![PollFd::new(self.folders.as_fd(), PollFlags::POLLIN)];
            let name = self.name.as_ref();
            polled.extend(name.map(|name| PollFd::new(name.as_fd(), PollFlags::POLLPRI)));
            match poll(&mut polled, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return error.into(),
            }
            let is_renamed = polled
                .get(1)
                .and_then(|name| name.revents())
                .is_some_and(|events| events.contains(PollFlags::POLLPRI));
            if is_renamed {
                announcer.changed(SYSTEM.name);
            }
            match self.folders.changed() {
                Ok(units) => units.into_iter().for_each(|unit| announcer.changed(unit)),
                Err(error) => return error.into(),
            }
        }
    }

    /// What is read counts as known; only what changes afterwards is told.
    fn read_name(&mut self) {
        use std::io::Seek as _;
        if let Some(name) = &mut self.name {
            let mut text = [0; 256];
            let is_read = name.rewind().and_then(|()| name.read(&mut text)).is_ok();
            if !is_read {
                self.name = None;
            }
        }
    }
}

impl Folders {
    /// Watches these files, all of them of `unit`.
    pub(crate) fn of_files(files: &[PathBuf], unit: &'static str) -> io::Result<Self> {
        let folders = files.iter().filter_map(|file| {
            Some(Folder {
                path: file.parent()?.to_owned(),
                files: vec![(file.file_name()?.to_str()?.to_owned(), vec![unit])],
            })
        });
        Self::new(folders.collect())
    }

    fn new(folders: Vec<Folder>) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        let watched = folders.into_iter().filter_map(|folder| {
            let watch = inotify::add_watch(&inotify, &folder.path, flags).ok()?;
            Some((watch, folder))
        });
        let watched = watched.collect();
        Ok(Self { inotify, watched })
    }

    /// The units of all files that have changed, each once.
    pub(crate) fn changed(&self) -> Result<Vec<&'static str>, Errno> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut units = Vec::new();
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(error) => return Err(error),
            };
            let is_lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let name = event.file_name().map(|name| name.to_string_lossy());
            let name = name.unwrap_or_default();
            for (watch, folder) in &self.watched {
                for (file, of) in &folder.files {
                    if is_lost || *watch == event.wd() && matches(file, &name) {
                        units.extend(of);
                    }
                }
            }
        }
        units.sort_unstable();
        units.dedup();
        Ok(units)
    }
}

impl AsFd for Folders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn folders(paths: &HostPaths) -> Vec<Folder> {
    let dns = vec![dns::UNIT.name];
    let dhcp = vec![dhcp::UNIT.name, dns::UNIT.name];
    let clock = vec![CLOCK.name, SYSTEM.name, time::UNIT.name];
    let clients = vec![time::UNIT.name];
    let folder = |path: PathBuf, files: &[(&str, &Vec<&'static str>)]| Folder {
        path,
        files: files
            .iter()
            .map(|(name, units)| ((*name).to_owned(), (*units).clone()))
            .collect(),
    };
    let (etc, run, var) = (&paths.etc, &paths.run, &paths.var);
    vec![
        folder(
            etc.clone(),
            &[
                ("resolv.conf", &dns),
                ("TZ", &clock),
                ("localtime", &clock),
                ("passwd", &vec![users::UNIT.name]),
                ("ntp.conf", &clients),
                ("ntpd.conf", &clients),
                ("chrony.conf", &clients),
            ],
        ),
        folder(etc.join("chrony"), &[("*", &clients)]),
        folder(etc.join("chrony/conf.d"), &[("*", &clients)]),
        folder(etc.join("chrony/sources.d"), &[("*", &clients)]),
        folder(etc.join("ntpsec"), &[("*", &clients)]),
        folder(etc.join("openntpd"), &[("*", &clients)]),
        folder(etc.join("systemd"), &[("timesyncd.conf*", &clients)]),
        folder(etc.join("systemd/timesyncd.conf.d"), &[("*", &clients)]),
        folder(
            run.clone(),
            &[
                ("chronyd.pid", &clock),
                ("ntpd*", &clock),
                ("chrony", &clock),
            ],
        ),
        folder(run.join("chrony"), &[("chronyd.pid", &clock)]),
        folder(run.join("systemd"), &[("timesync", &clock)]),
        folder(run.join("systemd/timesync"), &[("synchronized", &clock)]),
        folder(run.join("systemd/resolve"), &[("resolv.conf", &dns)]),
        folder(run.join("systemd/netif/leases"), &[("*", &dhcp)]),
        folder(var.join("lib/dhcp"), &[("*", &dhcp)]),
        folder(var.join("lib/dhclient"), &[("*", &dhcp)]),
        folder(var.join("lib/NetworkManager"), &[("*", &dhcp)]),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::*;

    /// What is told within some time after `change`.
    fn told(watched: &Folders, change: impl FnOnce()) -> Vec<&'static str> {
        change();
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let units = watched.changed().unwrap();
            if !units.is_empty() || Instant::now() > end {
                return units;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_file_that_is_replaced_written_or_removed_is_told_as_its_units() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["etc", "run/systemd/netif/leases", "var", "proc"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("etc/resolv.conf"), "").unwrap();
        let paths = HostPaths {
            proc: at("proc"),
            sys: at("sys"),
            etc: at("etc"),
            run: at("run"),
            var: at("var"),
        };
        let watched = Folders::new(folders(&paths)).unwrap();
        let write = |name: &str| fs::write(at(name), "x").unwrap();
        assert_eq!(told(&watched, || write("etc/resolv.conf")), ["host.dns"]);
        let replaced = told(&watched, || {
            write("etc/new");
            fs::rename(at("etc/new"), at("etc/resolv.conf")).unwrap();
        });
        assert_eq!(replaced, ["host.dns"]);
        assert_eq!(told(&watched, || write("etc/passwd")), ["host.users"]);
        let leases = told(&watched, || write("run/systemd/netif/leases/2"));
        assert_eq!(leases, ["host.dhcp", "host.dns"]);
        let files = Folders::of_files(&[at("none/x"), at("leases")], "mine").unwrap();
        assert_eq!(told(&files, || write("leases")), ["mine"]);
        let removed = told(&watched, || {
            write("etc/else");
            fs::remove_file(at("etc/TZ")).unwrap_or(());
            fs::remove_file(at("etc/passwd")).unwrap();
        });
        assert_eq!(removed, ["host.users"]);
    }
}

//! The time clients that are known here: how each shows that it runs, and which servers its files name.

use std::path::{Path, PathBuf};

use crate::config::HostPaths;
use crate::files::{self, Unread, if_told};
use crate::limits::{FILES_MAX, TIME_SERVERS_MAX};

/// A program that keeps the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TimeClient {
    /// chrony
    Chrony,
    /// ntpd of the NTP project
    Ntp,
    /// ntpd of NTPsec
    NtpSec,
    /// ntpd of OpenBSD
    OpenNtp,
    /// systemd-timesyncd
    Timesyncd,
}

/// One file and what is in it.
pub(crate) type Source = (PathBuf, String);

impl TimeClient {
    /// All of them, by name.
    pub(crate) const ALL: [Self; 5] = [
        Self::Chrony,
        Self::Ntp,
        Self::NtpSec,
        Self::OpenNtp,
        Self::Timesyncd,
    ];

    /// The instance number of its row.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Chrony => 1,
            Self::Ntp => 2,
            Self::NtpSec => 3,
            Self::OpenNtp => 4,
            Self::Timesyncd => 5,
        }
    }

    /// How it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chrony => "chrony",
            Self::Ntp => "ntp",
            Self::NtpSec => "ntpsec",
            Self::OpenNtp => "openntpd",
            Self::Timesyncd => "timesyncd",
        }
    }

    /// Whether there are traces in `/run` that it runs.
    pub(crate) fn is_running(self, paths: &HostPaths) -> bool {
        let traces: &[&str] = match self {
            Self::Chrony => &["chrony/chronyd.pid", "chronyd.pid"],
            Self::Ntp => &["ntpd.pid", "ntpd/ntpd.pid"],
            Self::NtpSec => &["ntpsec/ntpd.pid"],
            Self::OpenNtp => &["ntpd.sock"],
            Self::Timesyncd => &["systemd/timesync"],
        };
        traces.iter().any(|trace| paths.run.join(trace).exists())
    }

    /// Its files, in the order in which it reads them.
    /// Those that are kept from this process are left out.
    ///
    /// # Errors
    /// When one cannot be read for another reason.
    pub(crate) fn sources(self, paths: &HostPaths) -> Result<Vec<Source>, Unread> {
        let mut sources = Vec::new();
        for file in self.files(paths)? {
            if let Some(text) = if_told(files::text(&file))? {
                sources.push((file, text));
            }
        }
        Ok(sources)
    }

    /// Whether it would read `file`, were it there.
    pub(crate) fn reads(self, paths: &HostPaths, file: &Path) -> bool {
        let in_folder = self.folders(paths).into_iter().any(|(folder, ending)| {
            file.parent() == Some(folder.as_path())
                && file.extension().is_some_and(|found| found == ending)
        });
        in_folder || self.mains(paths).iter().any(|main| main == file)
    }

    /// Puts `file` with `text` among `sources`, where the client would read it.
    pub(crate) fn with(
        self,
        paths: &HostPaths,
        mut sources: Vec<Source>,
        file: &Path,
        text: String,
    ) -> Vec<Source> {
        match sources.iter_mut().find(|(known, _)| known == file) {
            Some((_, known)) => *known = text,
            None => sources.push((file.to_owned(), text)),
        }
        let mains = self.mains(paths);
        let folders = self.folders(paths);
        // Those of folders come after the main file, folder by folder unless names alone decide.
        sources.sort_by_key(|(file, _)| {
            let main = mains.contains(file);
            let folder = folders
                .iter()
                .position(|(folder, _)| file.parent() == Some(folder.as_path()));
            let folder = folder.filter(|_| self != Self::Timesyncd);
            (!main, folder, file.file_name().map(ToOwned::to_owned))
        });
        sources
    }

    /// The servers that `sources` name, in order.
    pub(crate) fn servers(self, sources: &[Source]) -> Vec<String> {
        let texts = sources.iter().map(|(_, text)| text.as_str());
        let mut servers = match self {
            Self::Timesyncd => timesyncd_servers(texts),
            Self::Chrony | Self::Ntp | Self::NtpSec | Self::OpenNtp => {
                let lines = texts.flat_map(str::lines);
                let named = lines.filter_map(|line| self.server_of(line));
                named.map(str::to_owned).collect()
            }
        };
        servers.retain(|server| is_server(server));
        servers.truncate(TIME_SERVERS_MAX);
        servers
    }

    /// `text` changed so that it names `servers` and nobody else.
    pub(crate) fn rewritten(
        self,
        paths: &HostPaths,
        file: &Path,
        text: &str,
        servers: &[String],
    ) -> String {
        match self {
            Self::Timesyncd => {
                let is_main = self.mains(paths).iter().any(|main| main == file);
                timesyncd_rewritten(text, servers, !is_main)
            }
            Self::Chrony | Self::Ntp | Self::NtpSec | Self::OpenNtp => {
                self.directives_rewritten(text, servers)
            }
        }
    }

    fn files(self, paths: &HostPaths) -> Result<Vec<PathBuf>, Unread> {
        let mains = self.mains(paths).into_iter();
        let mut files: Vec<PathBuf> = mains.filter(|main| main.exists()).take(1).collect();
        let mut dropped: Vec<PathBuf> = Vec::new();
        for (folder, ending) in self.folders(paths) {
            let mut found = if_told(files::list(&folder, FILES_MAX))?;
            found.retain(|file| file.extension().is_some_and(|known| known == ending));
            // Of drop-ins with one name, the first folder's counts.
            found.retain(|file| {
                self != Self::Timesyncd
                    || dropped
                        .iter()
                        .all(|known| known.file_name() != file.file_name())
            });
            dropped.extend(found);
        }
        if self == Self::Timesyncd {
            dropped.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
        }
        files.extend(dropped);
        Ok(files)
    }

    /// The main file is the first of these that there is.
    fn mains(self, paths: &HostPaths) -> Vec<PathBuf> {
        let names: &[&str] = match self {
            Self::Chrony => &["chrony/chrony.conf", "chrony.conf"],
            Self::Ntp => &["ntp.conf"],
            Self::NtpSec => &["ntpsec/ntp.conf"],
            Self::OpenNtp => &["openntpd/ntpd.conf", "ntpd.conf"],
            Self::Timesyncd => &["systemd/timesyncd.conf"],
        };
        names.iter().map(|name| paths.etc.join(name)).collect()
    }

    /// Folders of further files, with the ending that counts.
    fn folders(self, paths: &HostPaths) -> Vec<(PathBuf, &'static str)> {
        match self {
            Self::Chrony => vec![
                (paths.etc.join("chrony/conf.d"), "conf"),
                (paths.run.join("chrony-dhcp"), "sources"),
                (paths.etc.join("chrony/sources.d"), "sources"),
            ],
            Self::Timesyncd => vec![
                (paths.etc.join("systemd/timesyncd.conf.d"), "conf"),
                (paths.run.join("systemd/timesyncd.conf.d"), "conf"),
            ],
            Self::Ntp | Self::NtpSec | Self::OpenNtp => Vec::new(),
        }
    }

    /// The server that a line of directives names.
    fn server_of(self, line: &str) -> Option<&str> {
        let mut words = line.split_ascii_whitespace();
        let directive = words.next()?;
        let names_server = match self {
            Self::OpenNtp => matches!(directive, "server" | "servers"),
            _ => matches!(directive, "peer" | "pool" | "server"),
        };
        words.next().filter(|_| names_server)
    }

    /// Lines of servers that stay are kept with their options; others go, and new ones come in their place.
    fn directives_rewritten(self, text: &str, servers: &[String]) -> String {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let mut lines: Vec<&str> = Vec::new();
        let mut first = None;
        for line in text.lines() {
            match self.server_of(line) {
                Some(server) => {
                    first.get_or_insert(lines.len());
                    found.push((server, line));
                }
                None => lines.push(line),
            }
        }
        let wanted = servers.iter().map(|server| {
            let kept = found.iter().find(|(known, _)| known == server);
            kept.map_or_else(|| self.directive(server), |(_, line)| (*line).to_owned())
        });
        let at = first.unwrap_or(lines.len());
        let mut rewritten = String::new();
        let before = lines[..at].iter().map(|line| (*line).to_owned());
        let after = lines[at..].iter().map(|line| (*line).to_owned());
        for line in before.chain(wanted).chain(after) {
            rewritten.push_str(&line);
            rewritten.push('\n');
        }
        rewritten
    }

    fn directive(self, server: &str) -> String {
        match self {
            Self::OpenNtp => format!("server {server}"),
            _ => format!("server {server} iburst"),
        }
    }
}

/// An address or a name, fit for one word of a configuration file.
pub(super) fn is_server(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_'))
        && !text.starts_with('-')
}

/// `NTP=` adds servers, and empties the list where nothing follows; without any, `FallbackNTP=` counts.
/// (timesyncd.conf(5))
fn timesyncd_servers<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut servers, mut fallback) = (Vec::new(), Vec::new());
    for text in texts {
        for (key, value) in settings_of_time(text) {
            let list = match key {
                "FallbackNTP" => &mut fallback,
                "NTP" => &mut servers,
                _ => continue,
            };
            if value.is_empty() {
                list.clear();
            }
            list.extend(value.split_ascii_whitespace().map(str::to_owned));
        }
    }
    if servers.is_empty() {
        fallback
    } else {
        servers
    }
}

/// The settings in the section `[Time]`.
fn settings_of_time(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut is_time = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with('[') {
            is_time = line == "[Time]";
        }
        let (key, value) = line.split_once('=').filter(|_| is_time)?;
        Some((key.trim_end(), value.trim_start()))
    })
}

fn timesyncd_rewritten(text: &str, servers: &[String], empties_list: bool) -> String {
    let is_ours = |line: &str| {
        let key = line.split_once('=').map(|(key, _)| key.trim());
        key == Some("NTP")
    };
    let mut lines: Vec<String> = Vec::new();
    let mut lines_of_ours = Vec::new();
    if empties_list {
        lines_of_ours.push("NTP=".to_owned());
    }
    lines_of_ours.push(format!("NTP={}", servers.join(" ")));
    let mut is_time = false;
    for line in text.lines() {
        let begins = line.trim().starts_with('[');
        if begins {
            is_time = line.trim() == "[Time]";
        }
        if is_time && is_ours(line) {
            continue;
        }
        lines.push(line.to_owned());
        if begins && is_time {
            lines.append(&mut lines_of_ours);
        }
    }
    if !lines_of_ours.is_empty() {
        lines.push("[Time]".to_owned());
        lines.append(&mut lines_of_ours);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(servers: &[&str]) -> Vec<String> {
        servers.iter().map(|server| (*server).to_owned()).collect()
    }

    fn source(text: &str) -> Vec<Source> {
        vec![("conf".into(), text.to_owned())]
    }

    #[test]
    fn servers_are_read_as_each_client_writes_them() {
        let chrony = "# pool no.example\npool 2.debian.pool.ntp.org iburst\nserver 192.0.2.1\npeer a.example\nmakestep 1 3\n";
        assert_eq!(
            TimeClient::Chrony.servers(&source(chrony)),
            ["2.debian.pool.ntp.org", "192.0.2.1", "a.example"]
        );
        let openntpd = "servers pool.ntp.org\nserver a.example weight 5\nlisten on *\nconstraints from \"https://x\"\n";
        assert_eq!(
            TimeClient::OpenNtp.servers(&source(openntpd)),
            ["pool.ntp.org", "a.example"]
        );
        let timesyncd = "[Other]\nNTP=no.example\n[Time]\n#NTP=no.example\nNTP=a.example b.example\nFallbackNTP=f.example\nNTP = c.example\n";
        assert_eq!(
            TimeClient::Timesyncd.servers(&source(timesyncd)),
            ["a.example", "b.example", "c.example"]
        );
        let emptied = timesyncd.to_owned() + "NTP=\n";
        assert_eq!(
            TimeClient::Timesyncd.servers(&source(&emptied)),
            ["f.example"]
        );
    }

    #[test]
    fn what_is_rewritten_names_the_servers_in_order_and_keeps_the_rest() {
        let paths = HostPaths::default();
        let wanted = names(&["c.example", "a.example"]);
        let chrony = "# top\nserver a.example minpoll 4\nserver b.example\nmakestep 1 3\n";
        let file = Path::new("/etc/chrony/chrony.conf");
        let text = TimeClient::Chrony.rewritten(&paths, file, chrony, &wanted);
        assert_eq!(
            text,
            "# top\nserver c.example iburst\nserver a.example minpoll 4\nmakestep 1 3\n"
        );
        for client in TimeClient::ALL {
            for text in ["", "[Time]\nNTP=x\nRootDistanceMaxSec=5\n", "server x\n"] {
                let rewritten = client.rewritten(&paths, Path::new("/other"), text, &wanted);
                assert_eq!(
                    client.servers(&source(&rewritten)),
                    wanted,
                    "{client:?} {text}"
                );
                let again = client.rewritten(&paths, Path::new("/other"), &rewritten, &wanted);
                assert_eq!(again, rewritten, "{client:?}");
            }
        }
    }
}

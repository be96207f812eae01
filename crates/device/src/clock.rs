//! The clock of the host: its time zone, whether something keeps it right, and whether it is.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tz::{TimeZone, TimeZoneSettings, UtcDateTime};
use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};
use usphere_datamodel::types::UNKNOWN_TIME;

use crate::config::HostPaths;
use crate::files::{self, Unread};
use crate::objects::TIME;
use crate::text::fit;
use crate::time::TimeClient;

/// Keeps the time zone, which is read again only when its file changes.
#[derive(Debug)]
pub(crate) struct Clock {
    marker: Option<PathBuf>,
    zone: Zone,
}

/// A time zone with the file that it was made from.
#[derive(Debug)]
struct Zone {
    source: Vec<u8>,
    posix: String,
    rules: TimeZone,
}

impl Clock {
    /// `marker` exists once the clock is right, for a time client that is not known here.
    pub(crate) fn new(marker: Option<PathBuf>) -> Self {
        Self {
            marker,
            zone: Zone::utc(Vec::new()),
        }
    }

    /// Everything about the clock.
    ///
    /// # Errors
    /// When the time zone cannot be read.
    pub(crate) fn fetch(&mut self, paths: &HostPaths) -> Result<Snapshot, Unread> {
        self.refresh(paths)?;
        let is_kept = self.is_kept(paths);
        let status = match (is_kept, self.is_right(paths)) {
            (false, _) => "Disabled",
            (true, false) => "Unsynchronized",
            (true, true) => "Synchronized",
        };
        let values = vec![
            ("Enable".into(), is_kept.to_string()),
            ("Status".into(), status.to_owned()),
            ("CurrentLocalTime".into(), self.zone.show(unix_now())),
            ("LocalTimeZone".into(), self.zone.posix.clone()),
        ];
        Ok(Snapshot {
            objects: vec![SnapshotObject {
                path: TIME.path.into(),
                keys: Vec::new(),
                values,
            }],
        })
    }

    /// Whether a time client that is known here runs.
    pub(crate) fn is_kept(&self, paths: &HostPaths) -> bool {
        self.marker.is_some()
            || TimeClient::ALL
                .iter()
                .any(|client| client.is_running(paths))
    }

    /// Whether a time client has set the clock.
    pub(crate) fn is_right(&self, paths: &HostPaths) -> bool {
        let told = self.marker.as_ref().is_some_and(|marker| marker.exists());
        told || paths.run.join(SYNCHRONIZED).exists()
    }

    /// The time now as a dateTime in UTC.
    pub(crate) fn utc_now() -> String {
        date_time(unix_now())
    }

    fn refresh(&mut self, paths: &HostPaths) -> Result<(), Unread> {
        let text = files::bytes(&paths.etc.join(ZONE_TEXT))?;
        let is_text = text.is_some();
        let source = match text {
            Some(text) => text,
            None => files::bytes(&paths.etc.join("localtime"))?.unwrap_or_default(),
        };
        if source != self.zone.source {
            let zone = if is_text {
                Zone::from_text(&source)
            } else {
                Zone::from_file(&source)
            };
            self.zone = zone.unwrap_or_else(|| Zone::utc(source));
        }
        Ok(())
    }
}

/// A time as a dateTime in UTC.
pub(crate) fn date_time(unix_seconds: i64) -> String {
    Zone::utc(Vec::new()).show(unix_seconds)
}

/// Whether `zone` could become the time zone of the host.
///
/// # Errors
/// Why not.
pub(crate) fn check_zone(paths: &HostPaths, zone: &str) -> Result<(), OwnerError> {
    if Zone::from_text(zone.as_bytes()).is_none() {
        let text =
            format!("{zone:?} is not a time zone of POSIX such as CET-1CEST,M3.5.0,M10.5.0/3");
        return Err(OwnerError {
            kind: FaultKind::ValueInvalid,
            text,
        });
    }
    if fs::exists(paths.etc.join(ZONE_TEXT)).unwrap_or(false) {
        Ok(())
    } else {
        Err(OwnerError::failed(format!(
            "this host has its time zone in {}, which no text of POSIX can be written to",
            paths.etc.join("localtime").display()
        )))
    }
}

/// Makes `zone` the time zone of the host.
///
/// # Errors
/// When the host does not let us.
pub(crate) fn write_zone(paths: &HostPaths, zone: &str) -> Result<(), OwnerError> {
    // OpenWrt keeps it in memory and has a link here, which has to stay one.
    let file = paths.etc.join(ZONE_TEXT);
    files::replace_behind_link(&file, &format!("{zone}\n"))
        .map_err(|error| OwnerError::failed(format!("{}: {error}", file.display())))
}

/// Below `/etc`, where there is no `localtime`: the time zone as POSIX writes it.
const ZONE_TEXT: &str = "TZ";

/// Below `/run`: made by systemd-timesyncd when it has set the clock.
const SYNCHRONIZED: &str = "systemd/timesync/synchronized";

impl Zone {
    fn utc(source: Vec<u8>) -> Self {
        Self {
            source,
            posix: "UTC0".to_owned(),
            rules: TimeZone::utc(),
        }
    }

    /// A text such as `EST5EDT,M3.2.0,M11.1.0`.
    fn from_text(source: &[u8]) -> Option<Self> {
        let posix = fit(source, 256);
        let is_posix = posix.starts_with(|first: char| first.is_ascii_alphabetic() || first == '<');
        let nowhere = TimeZoneSettings::new(&[], |_| Err("not a file".into()));
        let rules = nowhere.parse_posix_tz(&posix).ok().filter(|_| is_posix)?;
        Some(Self {
            source: source.to_owned(),
            posix,
            rules,
        })
    }

    /// A compiled file, whose last line is the text for the time after its table. (RFC 9636 3.3)
    fn from_file(source: &[u8]) -> Option<Self> {
        let rules = TimeZone::from_tz_data(source).ok()?;
        let mut lines = source.rsplit(|byte| *byte == b'\n');
        let last = lines.nth(1).filter(|last| !last.is_empty());
        let posix = last
            .and_then(Self::from_text)
            .map_or_else(|| "UTC0".to_owned(), |zone| zone.posix);
        Some(Self {
            source: source.to_owned(),
            posix,
            rules,
        })
    }

    /// A time as a dateTime of this zone.
    fn show(&self, unix_seconds: i64) -> String {
        const OFFSET_MINUTES_MAX: i32 = 14 * 60;
        let local = self.rules.find_local_time_type(unix_seconds);
        let offset = local.map_or(0, |local| local.ut_offset() / 60);
        // Further from UTC no dateTime goes.
        let offset = if offset.abs() > OFFSET_MINUTES_MAX {
            0
        } else {
            offset
        };
        let shown = unix_seconds.saturating_add(i64::from(offset) * 60);
        match UtcDateTime::from_timespec(shown, 0) {
            Ok(time) if (1..=9999).contains(&time.year()) => format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}",
                time.year(),
                time.month(),
                time.month_day(),
                time.hour(),
                time.minute(),
                time.second(),
                show_offset(offset)
            ),
            _ => UNKNOWN_TIME.to_owned(),
        }
    }
}

fn show_offset(minutes: i32) -> String {
    match minutes {
        0 => "Z".to_owned(),
        _ => {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use usphere_datamodel::types::DATE_TIME;

    use super::*;

    const WINTER: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z
    const SUMMER: i64 = 1_782_864_000; // 2026-07-01T00:00:00Z

    #[test]
    fn local_time_follows_the_zone_and_its_summer() {
        let zone = Zone::from_text(b"CET-1CEST,M3.5.0,M10.5.0/3\n").unwrap();
        assert_eq!(zone.show(WINTER), "2026-01-01T01:00:00+01:00");
        assert_eq!(zone.show(SUMMER), "2026-07-01T02:00:00+02:00");
        assert_eq!(
            Zone::from_text(b"<-0330>3:30").unwrap().show(WINTER),
            "2025-12-31T20:30:00-03:30"
        );
        assert_eq!(Zone::utc(Vec::new()).show(WINTER), "2026-01-01T00:00:00Z");
        assert_eq!(Zone::utc(Vec::new()).show(i64::MAX), UNKNOWN_TIME);
    }

    #[test]
    fn a_compiled_zone_tells_its_text() {
        let zone = Zone::from_file(&compiled("EST5EDT,M3.2.0,M11.1.0")).unwrap();
        assert_eq!(zone.posix, "EST5EDT,M3.2.0,M11.1.0");
        assert_eq!(zone.show(SUMMER), "2026-06-30T20:00:00-04:00");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for text in [
            "",
            "localtime",
            ":Europe/Berlin",
            "Europe/Berlin",
            "CET",
            "CET-1CEST,M13.5.0,M10.5.0/3",
            "\u{fffd}",
        ] {
            assert!(Zone::from_text(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(mut file in proptest::collection::vec(any::<u8>(), 0..200), at in 0..160_usize, byte: u8) {
            let _ = Zone::from_text(&file);
            let _ = Zone::from_file(&file);
            file = compiled("EST5EDT,M3.2.0,M11.1.0");
            let at = at.min(file.len() - 1);
            file[at] = byte;
            if let Some(zone) = Zone::from_file(&file) {
                prop_assert!(DATE_TIME.canonical(&zone.show(SUMMER)).is_ok());
            }
        }

        #[test]
        fn every_time_is_a_date_time(seconds: i64, hours in -24_i32..=24) {
            let zone = Zone::from_text(format!("<x>{hours}").as_bytes()).unwrap_or_else(|| Zone::utc(Vec::new()));
            prop_assert!(DATE_TIME.canonical(&zone.show(seconds)).is_ok());
        }
    }

    /// A version 2 file without a table: one kind of time, and the text.
    fn compiled(posix: &str) -> Vec<u8> {
        let mut file = Vec::new();
        for _ in 0..2 {
            file.extend(b"TZif2");
            file.extend([0; 15]);
            for count in [0_u32, 0, 0, 0, 1, 4] {
                file.extend(count.to_be_bytes());
            }
            file.extend((-18_000_i32).to_be_bytes());
            file.extend([0, 0]);
            file.extend(b"EST\0");
        }
        file.extend(format!("\n{posix}\n").as_bytes());
        file
    }
}

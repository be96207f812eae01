//! The deadlines of one link: when to Ping, and when to give up on a peer that is silent, does not
//! read, or does not finish closing. A pure function of the times and counts it is told.

use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use crate::limits::PROGRESS_BYTES_MIN;

/// The timing of one link.
#[derive(Debug)]
pub(super) struct KeepAlive {
    ping_interval: Duration,
    pong_timeout: Duration,
    write_timeout: Duration,
    close_timeout: Duration,
    ping_at: Option<Instant>,
    pong: Option<Watch>,
    write: Option<Watch>,
    close_at: Option<Instant>,
}

/// Something that must make progress in time.
#[derive(Clone, Copy, Debug)]
struct Watch {
    until: Instant,
    /// The count of bytes when the watch began.
    bytes: u64,
}

/// What a deadline that has passed asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The closing handshake took too long.
    Close,
    /// No sign of life since the last Ping.
    Silent,
    /// A write has been blocked for too long.
    Blocked,
    /// It is time for a Ping.
    Ping,
}

impl KeepAlive {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        let ping_interval = settings.ping_interval;
        Self {
            ping_interval,
            pong_timeout: settings.pong_timeout,
            write_timeout: settings.write_timeout,
            close_timeout: settings.close_timeout,
            ping_at: (!ping_interval.is_zero()).then(|| now + ping_interval),
            pong: None,
            write: None,
            close_at: None,
        }
    }

    /// When [`due`](Self::due) should be asked next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let watches = [self.pong, self.write]
            .into_iter()
            .flatten()
            .map(|watch| watch.until);
        watches.chain(self.ping_at).chain(self.close_at).min()
    }

    /// The next thing to do, if any; asked again until there is none. `read` and `written` count all
    /// bytes of the link so far.
    pub(super) fn due(&mut self, now: Instant, read: u64, written: u64) -> Option<Due> {
        if self.close_at.is_some_and(|at| at <= now) {
            return Some(Due::Close);
        }
        if is_stuck(&mut self.write, self.write_timeout, written, now) {
            return Some(Due::Blocked);
        }
        if is_stuck(&mut self.pong, self.pong_timeout, read, now) {
            return Some(Due::Silent);
        }
        let ping_at = self.ping_at.filter(|at| *at <= now)?;
        self.ping_at = Some((ping_at + self.ping_interval).max(now));
        // A Ping that waits for its Pong, or behind a blocked write, is enough.
        (self.pong.is_none() && self.write.is_none()).then_some(Due::Ping)
    }

    /// A Ping was sent, with `read` bytes read so far.
    pub(super) fn pinged(&mut self, now: Instant, read: u64) {
        self.pong = Some(Watch {
            until: now + self.pong_timeout,
            bytes: read,
        });
    }

    /// A whole message or a Pong came.
    pub(super) fn heard(&mut self) {
        self.pong = None;
    }

    /// The socket takes no more, with `written` bytes written so far.
    pub(super) fn write_blocked(&mut self, written: u64) {
        if self.write.is_none() {
            self.write = Some(Watch {
                until: Instant::now() + self.write_timeout,
                bytes: written,
            });
        }
    }

    /// Everything was written.
    pub(super) fn write_done(&mut self) {
        self.write = None;
    }

    /// Closing has begun; from now on only its own deadline counts, and that of a blocked write.
    pub(super) fn closing(&mut self) {
        self.ping_at = None;
        self.pong = None;
        if self.close_at.is_none() {
            self.close_at = Some(Instant::now() + self.close_timeout);
        }
    }
}

/// Whether `watch` has run out without progress. With progress it is prolonged.
fn is_stuck(watch: &mut Option<Watch>, timeout: Duration, bytes: u64, now: Instant) -> bool {
    let Some(current) = watch.as_mut().filter(|watch| watch.until <= now) else {
        return false;
    };
    if bytes.saturating_sub(current.bytes) < PROGRESS_BYTES_MIN {
        return true;
    }
    *current = Watch {
        until: now + timeout,
        bytes,
    };
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keepalive(now: Instant) -> KeepAlive {
        let mut settings = Settings::new("self::a".parse().unwrap());
        settings.ping_interval = Duration::from_secs(10);
        settings.pong_timeout = Duration::from_secs(4);
        settings.write_timeout = Duration::from_secs(5);
        KeepAlive::new(&settings, now)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Proves: R-WS.17, R-WS.18
    #[test]
    fn pings_come_at_the_configured_interval() {
        let start = Instant::now();
        let mut link = keepalive(start);
        assert_eq!(link.deadline(), Some(start + seconds(10)));
        assert_eq!(link.due(start + seconds(9), 0, 0), None);
        for count in 1..5 {
            let now = start + seconds(10 * count);
            assert_eq!(link.due(now, 0, 0), Some(Due::Ping));
            assert_eq!(link.due(now, 0, 0), None);
            link.pinged(now, 0);
            link.heard();
        }
    }

    #[test]
    fn a_ping_without_any_sign_of_life_ends_the_link() {
        let start = Instant::now();
        let mut link = keepalive(start);
        assert_eq!(link.due(start + seconds(10), 7, 0), Some(Due::Ping));
        link.pinged(start + seconds(10), 7);
        assert_eq!(link.due(start + seconds(13), 7, 0), None);
        assert_eq!(link.due(start + seconds(14), 8, 0), Some(Due::Silent));
    }

    #[test]
    fn a_large_message_that_is_still_coming_is_a_sign_of_life() {
        let start = Instant::now();
        let mut link = keepalive(start);
        link.pinged(start, 0);
        assert_eq!(link.due(start + seconds(4), PROGRESS_BYTES_MIN, 0), None);
        assert_eq!(
            link.due(start + seconds(8), PROGRESS_BYTES_MIN, 0),
            Some(Due::Silent)
        );
    }

    #[test]
    fn a_blocked_write_has_to_make_progress() {
        let now = Instant::now();
        let mut link = keepalive(now);
        link.write_blocked(100);
        let until = link.deadline().unwrap();
        assert_eq!(link.due(until, 0, 100 + PROGRESS_BYTES_MIN), None);
        assert_eq!(
            link.due(until + seconds(5), 0, 101 + PROGRESS_BYTES_MIN),
            Some(Due::Blocked)
        );
        link.write_done();
        assert_ne!(link.due(until + seconds(5), 0, 0), Some(Due::Blocked));
    }

    #[test]
    fn no_interval_means_no_pings_and_closing_ends_them() {
        let now = Instant::now();
        let mut settings = Settings::new("self::a".parse().unwrap());
        settings.ping_interval = Duration::ZERO;
        assert_eq!(KeepAlive::new(&settings, now).deadline(), None);
        let mut link = keepalive(now);
        link.closing();
        let until = link.deadline().unwrap();
        assert!(until >= now + crate::limits::CLOSE_TIMEOUT);
        assert_eq!(link.due(until, 0, 0), Some(Due::Close));
    }
}

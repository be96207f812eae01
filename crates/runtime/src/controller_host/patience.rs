//! How much one link may say unasked before it is read more slowly.

use std::time::Duration;

use tokio::time::Instant;
use usphere_controller::limits::OFFERED_PER_AGENT_MAX;

/// Records per second that are read of one link in the long run, where nobody asked for them.
const UNASKED_PER_SECOND: u32 = 200;

/// So many are read at once: as many notifications as may wait to be taken.
const UNASKED_AT_ONCE: u32 = OFFERED_PER_AGENT_MAX as u32;

/// A large Record counts as one more for so many bytes each.
const BYTES_OF_ONE: usize = 16 << 10;

const EACH: Duration = Duration::from_millis(1_000 / UNASKED_PER_SECOND as u64);

/// What is left of one link's share, as the moment at which it has all of it again.
#[derive(Debug)]
pub(super) struct Patience {
    whole_at: Instant,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self { whole_at: now }
    }

    /// A Record of so many bytes came unasked. When to go on reading, if not at once.
    pub(super) fn tried(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let count = u32::try_from(1 + bytes / BYTES_OF_ONE).unwrap_or(u32::MAX);
        self.whole_at = self.whole_at.max(now) + EACH.saturating_mul(count);
        let until = self.whole_at.checked_sub(EACH * UNASKED_AT_ONCE)?;
        (until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_read_at_once_and_a_flood_at_its_pace() {
        let now = Instant::now();
        let mut patience = Patience::new(now);
        for _ in 0..UNASKED_AT_ONCE {
            assert_eq!(patience.tried(100, now), None);
        }
        assert_eq!(patience.tried(100, now), Some(now + EACH));
        let later = now + Duration::from_secs(10);
        assert_eq!(patience.tried(100, later), None);
        // A megabyte is as good as 65.
        let mut large = (0..100).map_while(|_| match patience.tried(1 << 20, later) {
            None => Some(()),
            Some(_) => None,
        });
        assert_eq!(large.by_ref().count(), 3);
    }
}

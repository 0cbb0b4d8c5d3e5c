//! How far the wire is behind the kernel.
//!
//! ## Why by the clock
//! A pty takes 20 KB at once at any baud rate and says that its queue is empty, and USB adapters buffer alike. What was
//! handed over cannot be overtaken by a kick. So the line's own speed is counted here, and a piece is handed over only when
//! the wire is about to run dry.
use std::time::{Duration, Instant};

/// Timers are exact to a millisecond or so: handing over that much early keeps the wire busy.
const LEAD: Duration = Duration::from_millis(2);

/// A network takes a slip whole at once, and a kick then waits behind it in the printer. So a network counts as a wire of this
/// speed: slower than any, and faster than paper.
pub const NETWORK_BYTES_PER_SECOND: u64 = 20_000;

/// The wire of one link.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    bytes_per_second: u64,
    free_at: Instant,
}

impl Pace {
    /// An idle wire.
    #[must_use]
    pub fn new(now: Instant, bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: now }
    }
    /// Bytes were handed to the kernel.
    pub fn sent(&mut self, now: Instant, bytes: usize) {
        let count = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanos = count.saturating_mul(1_000_000_000) / self.bytes_per_second;
        self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
    }
    /// When the last byte is off the wire.
    #[must_use]
    pub fn free_at(&self) -> Instant {
        self.free_at
    }
    /// When the next piece may be handed over: `None` is now.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        let due = self.free_at.checked_sub(LEAD).unwrap_or(self.free_at);
        (due > now).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_piece_at_38400_baud_takes_its_time_and_pieces_queue_behind_each_other() {
        let now = clock::now();
        let mut pace = Pace::new(now, 3_840);
        assert_eq!(pace.wait(now), None);
        pace.sent(now, 64);
        assert_eq!(pace.free_at() - now, Duration::from_nanos(16_666_666));
        pace.sent(now, 64);
        assert_eq!(pace.free_at() - now, Duration::from_nanos(33_333_332));
        assert_eq!(pace.wait(now), Some(pace.free_at() - LEAD));
        assert_eq!(pace.wait(pace.free_at() - LEAD), None);
    }

    #[test]
    fn a_piece_on_a_network_is_on_its_way_for_some_ms_only() {
        let now = clock::now();
        let mut pace = Pace::new(now, NETWORK_BYTES_PER_SECOND);
        pace.sent(now, 64);
        assert!(pace.free_at() - now < Duration::from_millis(4));
    }
}

//! The time that bytes need on a serial wire: 10 bits each (8N1).
//!
//! ## Why groups
//! A timer is good to about a millisecond, a byte at 115 200 baud takes 87 µs. Bytes therefore travel in groups of about
//! two milliseconds. A group arrives when its last bit would, never earlier; the average rate is exactly the wire's.
use std::time::{Duration, Instant};

/// Bits on the wire for one byte: start, eight data bits, stop.
const BITS_PER_BYTE: u32 = 10;

/// How much of a wire's time one group takes.
const GROUP: Duration = Duration::from_millis(2);

/// How far a timer may be late without the wire losing time. Later than that, the device itself was not taking bytes.
const SLACK: Duration = Duration::from_millis(5);

/// One direction of a paced wire.
#[derive(Debug)]
pub(super) struct Pace {
    byte: Duration,
    group: usize,
    free_at: Option<Instant>,
}

impl Pace {
    /// A wire of `baud` bits a second.
    pub(super) fn new(baud: u32) -> Self {
        let byte = Duration::from_secs(1) * BITS_PER_BYTE / baud.max(1);
        let fits = GROUP.as_nanos() / byte.as_nanos().max(1);
        Self { byte, group: usize::try_from(fits).unwrap_or(1).max(1), free_at: None }
    }

    /// The most bytes that go as one group.
    pub(super) fn group(&self) -> usize {
        self.group
    }

    /// `bytes` were ready at `now`; `waited` is true if they had been ready before and only the wire held them back.
    /// Gives the moment their last bit is through.
    pub(super) fn pass(&mut self, now: Instant, bytes: usize, waited: bool) -> Instant {
        let earliest = if waited { now.checked_sub(SLACK).unwrap_or(now) } else { now };
        let start = self.free_at.map_or(earliest, |free| free.max(earliest));
        // Without an earlier group there is nothing to catch up with.
        let start = if self.free_at.is_none() { now } else { start };
        let done = start + self.byte * u32::try_from(bytes).unwrap_or(u32::MAX);
        self.free_at = Some(done);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilobyte_at_9600_baud_takes_its_second_however_late_the_timers_are() {
        let mut pace = Pace::new(9_600);
        let start = crate::line::now();
        let mut now = start;
        for n in 0..960 {
            // Each time the timer is 0.9 ms late.
            now = pace.pass(now, 1, n > 0).max(now) + Duration::from_micros(900);
        }
        let took = now - start;
        assert!(took >= Duration::from_millis(999), "{took:?}");
        assert!(took <= Duration::from_millis(1_010), "{took:?}");
    }

    #[test]
    fn a_wire_that_was_idle_gives_nothing_back() {
        let mut pace = Pace::new(38_400);
        let start = crate::line::now();
        pace.pass(start, 7, false);
        let later = start + Duration::from_secs(1);
        assert!(pace.pass(later, 7, false) >= later + Duration::from_micros(1_800));
    }

    #[test]
    fn groups_are_about_two_milliseconds() {
        assert_eq!([9_600, 19_200, 38_400, 115_200].map(|b| Pace::new(b).group()), [1, 3, 7, 23]);
    }
}

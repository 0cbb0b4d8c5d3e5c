//! When a count that was never sent is too old to be sent, and when its time is not to be believed.
//!
//! ## Why not by this PC's clock
//! It may jump at any time, and no decision may follow from that. In the run of the daemon that took the count, its age is
//! boot time. After a restart it is Shopify's `Date` less the time that the journal has, if a comparison has shown that this
//! PC's clock can be believed. Both are known only when Shopify answers, and only then a recount is of use.
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{CLOCKS_DIFFER, Opening, WallClock};

/// What is known of a count's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Born {
    /// It came onto the disk then.
    Now(Instant),
    /// Before this run of the daemon.
    Before,
}

impl Born {
    /// More time has passed since than [`Instant`] knows.
    pub(super) fn earlier(self, gap: Duration) -> Self {
        match self {
            // Before this boot nothing was counted in it.
            Self::Now(at) => at.checked_sub(gap).map_or(Self::Before, Self::Now),
            Self::Before => Self::Before,
        }
    }
}

impl Opening {
    /// Why the count is too old, if it is. `date`: Shopify's clock.
    pub(super) fn too_old(&self, now: Instant, date: Option<Timestamp>) -> Option<String> {
        let age = match self.born {
            Born::Now(at) => SignedDuration::try_from(now.saturating_duration_since(at)).ok()?,
            Born::Before if self.clock == WallClock::Trusted => date?.duration_since(self.counted.time.parse().ok()?),
            Born::Before => return None,
        };
        let limit = SignedDuration::try_from(self.rules.max_age).unwrap_or(SignedDuration::MAX);
        if age > limit {
            return Some(format!(
                "it was counted {} ago and never sent, and {} is the limit (max_age): count again",
                hours(age),
                hours(limit)
            ));
        }
        let date = date?;
        let counted_on = self.rules.business_day.of(date.checked_sub(age).ok()?);
        let today = self.rules.business_day.of(date);
        (counted_on < today)
            .then(|| format!("it was counted on {counted_on} and never sent, and {today} has begun: count again"))
    }
}

impl Opening {
    /// The clock that gave the count its time. That it is right now does not make it right then: somebody may have set it
    /// since. `date`: Shopify's clock. After a restart only a time in the future gives it away.
    pub(super) fn clock_at_count(&self, now: Instant, date: Option<Timestamp>) -> WallClock {
        let ahead_by = || {
            let said: Timestamp = self.counted.time.parse().ok()?;
            let since = match self.born {
                Born::Now(at) => SignedDuration::try_from(now.saturating_duration_since(at)).ok()?,
                Born::Before => SignedDuration::ZERO,
            };
            Some(said.duration_since(date?) + since)
        };
        let wrong = ahead_by().is_some_and(|ahead| match self.born {
            Born::Now(_) => ahead.abs() > CLOCKS_DIFFER,
            Born::Before => ahead > CLOCKS_DIFFER,
        });
        if wrong { WallClock::Wrong } else { self.clock }
    }
}

fn hours(age: SignedDuration) -> String {
    let minutes = age.as_secs() / 60;
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h {} min", minutes / 60, minutes % 60) }
}

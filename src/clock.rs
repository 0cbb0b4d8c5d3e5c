//! The only reader of clocks. Everything else is handed the time as an argument.
//!
//! ## Why two clocks
//! Decisions run on boot time (`std::time::Instant`, CLOCK_MONOTONIC on Linux), because the wall clock of a till PC may be
//! wrong or jump. The wall clock is used for what people and Shopify read, and for nothing else.
#![expect(clippy::disallowed_methods, reason = "this is the one file that may read a clock")]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Time since boot, for every wait and every decision.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// How long this PC has slept since it was booted: by so much boot time is ahead of [`now`], which stands still meanwhile.
#[must_use]
pub fn slept() -> Duration {
    let since_boot = |clock| {
        let at = clock_gettime(clock);
        let (seconds, nanoseconds) = (u64::try_from(at.tv_sec), u32::try_from(at.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
    };
    // In this order a moment between the two makes the sleep shorter, never longer.
    let with_sleep = since_boot(ClockId::Boottime);
    with_sleep.saturating_sub(since_boot(ClockId::Monotonic))
}

/// The wall clock, in UTC, for what people and Shopify read.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

//! The only reader of clocks. Everything else is handed the time as an argument.
//!
//! ## Why two clocks
//! Decisions run on boot time (`std::time::Instant`, CLOCK_MONOTONIC on Linux), because the wall clock of a till PC may be
//! wrong or jump. The wall clock is used for what people and Shopify read, and for nothing else.
#![expect(clippy::disallowed_methods, reason = "this is the one file that may read a clock")]

use std::time::Instant;

use jiff::Timestamp;

/// Time since boot, for every wait and every decision.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, in UTC, for what people and Shopify read.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

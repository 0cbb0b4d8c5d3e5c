//! What an answer's headers say of time: `Date`, compared with this PC's clock, and `Retry-After`.
use std::sync::atomic::{AtomicU8, Ordering};

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use tracing::{info, warn};

use crate::opening::WallClock;

/// Beyond this the wall clock is wrong and `time` is left out (design, "Exactly once").
const SKEW_LIMIT_SECONDS: i64 = 120;
const NEVER: u8 = 0;
const TRUSTED: u8 = 1;
const WRONG: u8 = 2;

/// This PC's wall clock against the `Date` of whatever answered last, the token endpoint included.
#[derive(Debug, Default)]
pub struct Skew(AtomicU8);

impl Skew {
    /// Compares; an answer without a readable `Date` changes nothing. Gives our clock less Shopify's, in seconds.
    pub fn compare(&self, headers: &HeaderMap, ours: Timestamp) -> Option<i64> {
        let theirs = date(headers)?;
        let skew_s = ours.as_second() - theirs.as_second();
        let new = if skew_s.abs() > SKEW_LIMIT_SECONDS { WRONG } else { TRUSTED };
        match (self.0.swap(new, Ordering::Relaxed), new) {
            (NEVER | TRUSTED, WRONG) => {
                warn!(skew_s, "this PC's clock is wrong: set it; until then Shopify's own time is used");
            }
            (WRONG, TRUSTED) => info!("this PC's clock agrees with Shopify's again"),
            (_, _) => {}
        }
        Some(skew_s)
    }

    /// How it stood at the last comparison.
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        match self.0.load(Ordering::Relaxed) {
            NEVER => WallClock::NeverCompared,
            WRONG => WallClock::Wrong,
            _ => WallClock::Trusted,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `Date`: Shopify's clock, in whole seconds.
#[must_use]
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text(headers, "date")?).ok().map(|at| at.timestamp())
}

/// Whole seconds of `Retry-After`, rounded up. Shopify writes a decimal (`2.0`); HTTP also allows a date, which counts from
/// the answer's own `Date`. `wall` stands in where that is missing. Source: RFC 9110, 10.2.3.
#[must_use]
pub fn retry_after(headers: &HeaderMap, wall: Timestamp) -> Option<u64> {
    let said = text(headers, "retry-after")?;
    if let Ok(seconds) = said.parse::<Decimal>() {
        return seconds.max(Decimal::ZERO).ceil().to_u64();
    }
    let until = jiff::fmt::rfc2822::parse(said).ok()?.timestamp();
    let from = date(headers).unwrap_or(wall);
    u64::try_from(until.as_second() - from.as_second()).ok().or(Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_clock_is_trusted_only_after_a_comparison_and_only_within_two_minutes() {
        let noon = headers(&[("date", "Mon, 23 Nov 2026 12:00:00 GMT")]);
        let skew = Skew::default();
        assert_eq!(skew.wall_clock(), WallClock::NeverCompared);
        skew.compare(&headers(&[("date", "yesterday")]), at("2020-01-01T00:00:00Z"));
        assert_eq!(skew.wall_clock(), WallClock::NeverCompared);
        skew.compare(&noon, at("2026-11-23T12:02:00Z"));
        assert_eq!(skew.wall_clock(), WallClock::Trusted);
        skew.compare(&noon, at("2026-11-23T12:02:01Z"));
        assert_eq!(skew.wall_clock(), WallClock::Wrong);
        skew.compare(&noon, at("2026-11-23T11:57:59Z"));
        assert_eq!(skew.wall_clock(), WallClock::Wrong);
        skew.compare(&noon, at("2026-11-23T11:59:00Z"));
        assert_eq!(skew.wall_clock(), WallClock::Trusted);
    }

    #[test]
    fn retry_after_is_read_as_seconds_as_a_decimal_and_as_a_date() {
        let wall = at("2026-11-23T12:00:00Z");
        let said = |value: &'static str| retry_after(&headers(&[("retry-after", value)]), wall);
        assert_eq!(said("7"), Some(7));
        assert_eq!(said(" 2.0 "), Some(2));
        assert_eq!(said("1.2"), Some(2));
        assert_eq!(said("-3"), Some(0));
        assert_eq!(said("Mon, 23 Nov 2026 12:00:30 GMT"), Some(30));
        assert_eq!(said("Mon, 23 Nov 2026 11:00:00 GMT"), Some(0));
        assert_eq!(said("soon"), None);
        let dated = headers(&[("date", "Mon, 23 Nov 2026 12:00:20 GMT"), ("retry-after", "Mon, 23 Nov 2026 12:00:30 GMT")]);
        assert_eq!(retry_after(&dated, at("2001-01-01T00:00:00Z")), Some(10), "by Shopify's clock, not by this PC's");
        assert_eq!(retry_after(&headers(&[]), wall), None);
    }
}

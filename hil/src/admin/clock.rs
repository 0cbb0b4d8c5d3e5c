//! The stand-in's only reader of the calendar: it plays a shop in real time. Moments are [`crate::line::now`]'s.
use jiff::Timestamp;

/// Seconds since 1970, by the shop's clock.
#[expect(clippy::disallowed_methods, reason = "the rule is the daemon's; a server has to stamp what arrives")]
pub fn shop_seconds(skew_s: i64) -> i64 {
    Timestamp::now().as_second().saturating_add(skew_s)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, IMF-fixdate).
pub fn http_date(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_has_whole_seconds_in_gmt() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}

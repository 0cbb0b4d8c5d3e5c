//! Shopify's search syntax, as far as the session filters go: `key:value` terms joined by spaces or `AND`.
//! Source: fact sheet of the Admin API, "Filters" (recorded answers).
//!
//! ## Why mistakes do not fail
//! The real API ignores what it does not know, answers with all rows, and says so in `extensions.search` only. A bridge
//! that does not look there takes another till's session for its own.
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::store::Session;

/// A query and what is wrong with it.
#[derive(Debug)]
pub struct Search {
    terms: Vec<Term>,
    warnings: Vec<Value>,
}

#[derive(Debug)]
struct Term {
    not: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Id(Compare, u64),
    Device(u64),
    Location(u64),
    Open(bool),
    Opened(Compare, i64),
    Closed(Compare, i64),
}

#[derive(Debug, Clone, Copy)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Compare::Equal => left == right,
            Compare::Less => left < right,
            Compare::LessOrEqual => left <= right,
            Compare::Greater => left > right,
            Compare::GreaterOrEqual => left >= right,
        }
    }
}

/// The location every device of the stand-in belongs to.
pub const LOCATION: u64 = 1;

/// The filter keys of `pointOfSaleDevicePaymentSessions`; there is none for the status.
pub const SESSIONS: &[&str] = &[
    "closing_date",
    "closing_time",
    "id",
    "is_open",
    "location_id",
    "opening_date",
    "opening_time",
    "point_of_sale_device_id",
];
/// The filter keys of `cashTrackingSessions`.
pub const OLD_SESSIONS: &[&str] =
    &["closing_time", "id", "location_id", "opening_time", "point_of_sale_device_ids", "status"];
/// The filter keys of `cashDrawers`.
pub const DRAWERS: &[&str] = &["id", "location_id"];

impl Search {
    /// Reads a query; `keys` are the filters there are, `zone` is the shop's.
    pub fn read(query: &str, keys: &[&str], zone: &TimeZone) -> Search {
        let mut search = Search { terms: Vec::new(), warnings: Vec::new() };
        let mut not = false;
        for word in words(query) {
            match word.text.as_str() {
                "AND" if !word.quoted => {}
                "NOT" if !word.quoted => not = true,
                _ => {
                    search.term(&word, not, keys, zone);
                    not = false;
                }
            }
        }
        search
    }

    pub fn matches(&self, session: &Session) -> bool {
        self.terms.iter().all(|term| {
            let holds = match term.test {
                Test::Id(how, id) => how.holds(session.id, id),
                Test::Device(id) => session.device == id,
                Test::Location(id) => id == LOCATION,
                Test::Open(open) => session.closing.is_none() == open,
                Test::Opened(how, at) => how.holds(session.opening_time, at),
                Test::Closed(how, at) => session.closing.as_ref().is_some_and(|end| how.holds(end.time, at)),
            };
            holds != term.not
        })
    }

    /// Whether a drawer fits; it has a number and a location.
    pub fn matches_drawer(&self, drawer: u64) -> bool {
        self.terms.iter().all(|term| {
            let holds = match term.test {
                Test::Id(how, id) => how.holds(drawer, id),
                Test::Location(id) => id == LOCATION,
                Test::Device(_) | Test::Open(_) | Test::Opened(..) | Test::Closed(..) => true,
            };
            holds != term.not
        })
    }

    /// The entry for `extensions.search`.
    pub fn told(&self, path: &str, query: &str) -> Value {
        let mut told = json!({"path": [path], "query": query, "parsed": {"and": self.terms.len()}});
        if !self.warnings.is_empty() {
            told["warnings"] = json!(self.warnings);
        }
        told
    }

    fn warn(&mut self, field: &str, code: &str, message: &str) {
        self.warnings.push(json!({"field": field, "message": message, "code": code}));
    }

    fn term(&mut self, word: &Word, not: bool, known: &[&str], zone: &TimeZone) {
        let (text, not) = match word.text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (word.text.as_str(), not),
        };
        let Some((key, value)) = text.split_once(':') else {
            self.warn(text, "missing_named_field", "Query terms without a field name are not supported.");
            return;
        };
        let (how, value) = comparison(value);
        if !known.contains(&key) {
            self.warn(key, "invalid_field", "Invalid search field for this query.");
            return;
        }
        let test = match key {
            "id" => number(value).map(|id| Test::Id(how, id)),
            "point_of_sale_device_id" | "point_of_sale_device_ids" => number(value).map(Test::Device),
            "location_id" => number(value).map(Test::Location),
            "is_open" | "status" => match value {
                "true" | "open" => Some(Test::Open(true)),
                "false" | "closed" => Some(Test::Open(false)),
                _ => None,
            },
            "opening_time" | "opening_date" => time(value, zone).map(|at| Test::Opened(how, at)),
            _ => time(value, zone).map(|at| Test::Closed(how, at)),
        };
        match test {
            Some(test) => self.terms.push(Term { not, test }),
            None => self.warn(key, "invalid_value", "Invalid search value for this field."),
        }
    }
}

struct Word {
    text: String,
    quoted: bool,
}

/// Splits at spaces outside quotes. An unquoted value is cut at its first colon, and the rest is a word of its own:
/// that is what happens to a time somebody forgot to quote.
fn words(query: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = Word { text: String::new(), quoted: false };
    let (mut quote, mut colons) = (None, 0);
    for c in query.chars().chain([' ']) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.text.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.quoted = true;
            }
            None if c.is_whitespace() || (c == ':' && colons == 1) => {
                colons = 0;
                if !word.text.is_empty() {
                    words.push(std::mem::replace(&mut word, Word { text: String::new(), quoted: false }));
                }
            }
            None => {
                colons += usize::from(c == ':');
                word.text.push(c);
            }
        }
    }
    words
}

fn comparison(value: &str) -> (Compare, &str) {
    let signs =
        [(">=", Compare::GreaterOrEqual), ("<=", Compare::LessOrEqual), (">", Compare::Greater), ("<", Compare::Less)];
    let found = signs.iter().find_map(|(sign, how)| value.strip_prefix(sign).map(|rest| (*how, rest)));
    found.unwrap_or((Compare::Equal, value))
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Seconds since 1970. Without a `Z` or an offset the shop's zone is meant.
fn time(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Ok(exact) = text.parse::<jiff::Timestamp>() {
        return Some(exact.as_second());
    }
    let civil = match text.split_once('T') {
        Some((date, hour)) if hour.len() == 2 => {
            date.parse::<Date>().ok()?.at(hour.parse().ok().filter(|hour| (0..24).contains(hour))?, 0, 0, 0)
        }
        Some(_) => text.parse::<DateTime>().ok()?,
        None => text.parse::<Date>().ok()?.at(0, 0, 0, 0),
    };
    zone.to_timestamp(civil).ok().map(|time| time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str) -> Value {
        Search::read(query, SESSIONS, &TimeZone::UTC).told("sessions", query)
    }

    #[test]
    fn good_terms_bring_no_warning() {
        let query = "point_of_sale_device_id:1 AND is_open:true opening_time:>='2026-01-01T00:00:00Z'";
        assert_eq!(told(query).get("warnings"), None);
        assert_eq!(told(query)["parsed"]["and"], 3);
    }

    #[test]
    fn an_unknown_key_is_only_warned_about() {
        assert_eq!(told("status:OPEN")["warnings"][0]["code"], "invalid_field");
        assert_eq!(told("is_open:maybe")["warnings"][0]["code"], "invalid_value");
        assert_eq!(told("register")["warnings"][0]["code"], "missing_named_field");
    }

    #[test]
    fn a_time_without_quotes_is_cut_and_its_rest_is_a_bogus_term() {
        let search = told("opening_time:>=2026-01-01T00:00:00Z");
        assert_eq!(search["parsed"]["and"], 1);
        assert_eq!(search["warnings"][0]["field"], "00");
    }
}

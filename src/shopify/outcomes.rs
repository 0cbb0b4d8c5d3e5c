//! What each kind of answer says of one mutation: the fact sheet's tables as one table. Whatever is not in it is unknown.
//!
//! [`super::classify`] reads an answer and looks its case up here; nothing else in the program knows a status or a code. The
//! sources are the sections of the Admin API fact sheet, with how sure each is: *doc* (documented by Shopify), *rec* (seen in
//! recorded answers), *sdl* (in the schema), *inf* (our inference).

/// What an answer is, as far as it matters for a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// An HTTP status other than 200.
    Http(u16),
    /// HTTP 200, `errors` with this code, and no `data`.
    NoData(&'static str),
    /// HTTP 200, `data.<root>` is null, and an error with this code has exactly the root as its path.
    NullRoot(&'static str),
    /// HTTP 200, and the payload has this user error and no session.
    UserError(&'static str),
    /// The connection was not made: name, TCP or TLS.
    NotConnected,
    /// The connection broke, or nothing came in time, after the first byte may have left.
    Lost,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Not executed; a new token may help, once.
    TokenRefused,
    /// Not executed; the same content goes out after the usual wait.
    NotExecuted,
    /// Not executed; Shopify says how long to wait.
    NotExecutedAsked,
    /// Not executed; the same content goes out when a person has mended something.
    NotExecutedPerson,
    /// Not executed, and this content never will be.
    Rejected,
    /// Executed as far as it could be, and refused.
    Refused,
    /// `ALREADY_OPEN`: this attempt did not run, and an open session may be an earlier one of ours.
    Fence,
    /// Nobody knows.
    Unknown,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What the answer is.
    pub case: Case,
    /// What follows.
    pub class: Class,
    /// What a person reads, with what to do; empty where Shopify's own words are shown.
    pub words: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

const fn row(case: Case, class: Class, words: &'static str, source: &'static str) -> Row {
    Row { case, class, words, source }
}

use Case::{Http, Lost, NoData, NotConnected, NullRoot, UserError};
use Class::{Fence, NotExecuted, NotExecutedAsked, NotExecutedPerson, Refused, Rejected, TokenRefused, Unknown};

const STATUSES: &str = "section 3, HTTP statuses [doc]";
const CODES: &str = "section 3, GraphQL errors without data [rec]";
const ROOTS: &str = "section 3, GraphQL errors with a null root [rec]";
const USER: &str = "section 6, user error codes [sdl]";

/// Every row, the sheet's order.
pub const TABLE: &[Row] = &[
    row(Http(400), Rejected, "Shopify calls the request malformed: please report this", STATUSES),
    row(Http(401), TokenRefused, "", STATUSES),
    row(Http(402), NotExecutedPerson, "the shop is frozen for an unpaid bill (402): pay it in the Shopify admin", STATUSES),
    row(Http(403), NotExecutedPerson, "the app may not do this (403): check its scopes and that it is installed", STATUSES),
    row(Http(404), Rejected, "no such shop or API path: check [shop] domain and api_version", STATUSES),
    row(Http(423), NotExecutedPerson, "the shop is locked (423): ask Shopify's support", STATUSES),
    row(Http(429), NotExecutedAsked, "Shopify asks to slow down (429)", STATUSES),
    row(Http(430), Rejected, "Shopify takes the requests for an attack", STATUSES),
    row(Http(500), Unknown, "", STATUSES),
    row(Http(501), Rejected, "the shop's plan has no cash tracking API", STATUSES),
    row(Http(502), Unknown, "", STATUSES),
    row(Http(503), Unknown, "", "section 3 [doc]: probably not executed, treated the same"),
    row(Http(504), Unknown, "", STATUSES),
    row(Http(530), Unknown, "", "section 3 [doc]: probably not executed, treated the same"),
    row(Http(540), Unknown, "", "section 3 [doc]: probably not executed, treated the same"),
    row(Lost, Unknown, "", "section 3, reset, timeout or close after the last byte was sent [doc]"),
    row(NotConnected, NotExecuted, "", "section 3, connect, TLS or DNS failure before anything was sent [doc]"),
    row(NoData("PARSE_ERROR"), Rejected, "", CODES),
    row(NoData("undefinedField"), Rejected, "", CODES),
    row(NoData("missingRequiredArguments"), Rejected, "", CODES),
    row(NoData("argumentLiteralsIncompatible"), Rejected, "", CODES),
    row(NoData("argumentNotAccepted"), Rejected, "", CODES),
    row(NoData("variableNotUsed"), Rejected, "", CODES),
    row(NoData("undefinedDirective"), Rejected, "", CODES),
    row(NoData("INVALID_VARIABLE"), Rejected, "", CODES),
    row(NoData("variableMismatch"), Rejected, "", "a validation error like those of section 3 [inf]"),
    row(NoData("THROTTLED"), NotExecutedAsked, "Shopify asks to slow down", "section 3, cost model [3p, two samples]"),
    row(NoData("MAX_COST_EXCEEDED"), Rejected, "", "section 3, cost model [3p]"),
    row(NoData("INTERNAL_SERVER_ERROR"), Unknown, "", "section 3 [rec]"),
    row(NoData("TIMEOUT"), Unknown, "", "section 3, not seen recorded [?]"),
    row(NoData("SHOP_INACTIVE"), Rejected, "", "section 3, not seen recorded [?]"),
    row(NullRoot("ACCESS_DENIED"), Rejected, "", ROOTS),
    row(NullRoot("BAD_REQUEST"), Rejected, "", ROOTS),
    row(NullRoot("RESOURCE_NOT_FOUND"), Rejected, "", ROOTS),
    row(NullRoot("INVALID_FIELD_ARGUMENTS"), Rejected, "", ROOTS),
    row(NullRoot("CURRENCY_CODE_INVALID"), Rejected, "", ROOTS),
    row(UserError("ALREADY_OPEN"), Fence, "", USER),
    row(UserError("POINT_OF_SALE_DEVICE_NOT_FOUND"), Refused, "", USER),
    row(UserError("NO_CASH_DRAWER_ASSOCIATED"), Refused, "", USER),
    row(UserError("NOT_SAVED"), Refused, "", USER),
    row(UserError("STAFF_MEMBER_NOT_FOUND"), Refused, "", USER),
    row(UserError("CURRENCY_MISMATCH"), Refused, "", USER),
    row(UserError("REASON_CODE_NOT_FOUND"), Refused, "", USER),
    row(UserError("PAYMENT_SESSION_NOT_FOUND"), Refused, "", USER),
    row(UserError("SESSION_ALREADY_CLOSED"), Refused, "", USER),
    row(UserError("TIME_BEFORE_SESSION_OPEN"), Refused, "", USER),
    row(UserError("FAILED_TO_RECORD_COUNT"), Refused, "", USER),
    row(UserError(ANY), Refused, "", "section 3, user errors: the request ran and was refused, code is nullable [sdl]"),
];

/// A user error whose code no row names, or that has none.
pub const ANY: &str = "*";

/// The row of an HTTP status.
#[must_use]
pub fn http(status: u16) -> Option<&'static Row> {
    find(|case| matches!(case, Http(listed) if *listed == status))
}

/// The row of an error without `data`.
#[must_use]
pub fn no_data(code: &str) -> Option<&'static Row> {
    find(|case| matches!(case, NoData(listed) if *listed == code))
}

/// The row of an error at a null root.
#[must_use]
pub fn null_root(code: &str) -> Option<&'static Row> {
    find(|case| matches!(case, NullRoot(listed) if *listed == code))
}

/// The row of a user error: there always is one.
#[must_use]
pub fn user_error(code: &str) -> Class {
    let named = find(|case| matches!(case, UserError(listed) if *listed == code));
    named.or_else(|| find(|case| matches!(case, UserError(ANY)))).map_or(Unknown, |row| row.class)
}

fn find(is: impl Fn(&Case) -> bool) -> Option<&'static Row> {
    TABLE.iter().find(|row| is(&row.case))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source_and_no_case_stands_twice() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(row.source.contains("section"), "{row:?}");
            assert!(!TABLE[..at].iter().any(|before| before.case == row.case), "{row:?}");
        }
    }

    #[test]
    fn whatever_a_person_has_to_mend_says_how() {
        for row in TABLE.iter().filter(|row| row.class == NotExecutedPerson) {
            assert!(row.words.contains(": "), "{row:?}");
        }
    }

    #[test]
    fn what_may_have_run_is_never_called_not_executed() {
        for status in [500, 502, 503, 504, 530, 540] {
            assert_eq!(http(status).map(|row| row.class), Some(Unknown), "{status}");
        }
        assert_eq!(http(599), None, "a status that is not listed has no row: unknown");
        assert_eq!(no_data("SOMETHING_NEW"), None);
    }
}

//! The ways an answer can go wrong, by name.
use std::time::Duration;

/// Which requests a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Documents with `pointOfSaleDevicePaymentSessionOpen`.
    Open,
    /// The other mutations: of a till, `pointOfSaleDevicePaymentSessionCount`.
    Count,
    /// Every query.
    Read,
    /// The token endpoint.
    Token,
    /// All of them.
    Any,
}

/// A fault and how often it strikes.
#[derive(Debug, Clone)]
pub struct FaultRule {
    /// Which requests.
    pub on: Operation,
    /// What happens to them.
    pub fault: Fault,
    /// How often; `u32::MAX` is for ever.
    pub times: u32,
}

/// What goes wrong. *Before*: the request is not carried out. *After*: it is, and the answer is lost or replaced.
/// Only requests with a good token use a rule up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not carried out; the connection is reset.
    DropBefore,
    /// Carried out; the connection is closed without an answer.
    DropAfter,
    /// Answered with this status.
    Http {
        /// The status, e.g. 502.
        status: u16,
        /// Carried out first.
        after: bool,
    },
    /// Silence, then the connection is closed without an answer.
    Stall {
        /// Carried out first.
        after: bool,
        /// How long the silence lasts.
        for_: Duration,
    },
    /// Not carried out; HTTP 200 with `THROTTLED`.
    Throttled,
    /// Not carried out; HTTP 429.
    TooMany {
        /// Value of `Retry-After`.
        retry_after_s: u32,
    },
    /// Carried out; HTTP 200 with a web page.
    Html,
    /// Carried out; the body ends in the middle, then the connection does.
    CutJson,
    /// Carried out; `{"data":null}`.
    DataNull,
    /// Not carried out; the root is null with `ACCESS_DENIED`. At the token endpoint: `shop_not_permitted`.
    AccessDenied,
    /// Carried out; one field inside the answer is null with `ACCESS_DENIED`, the rest is there.
    AccessDeniedAfter,
    /// Carried out; the payload's object is null all the same, and there is no user error.
    SessionNull,
    /// Not carried out; HTTP 200 with `MAX_COST_EXCEEDED`.
    MaxCost,
    /// Not carried out; HTTP 401. At the token endpoint: HTTP 400 `invalid_client`.
    Unauthorized,
    /// Not carried out; HTTP 200 with `INTERNAL_SERVER_ERROR`.
    InternalError,
    /// Carried out; HTTP 200 with `INTERNAL_SERVER_ERROR`.
    InternalErrorAfter,
    /// A mutation is refused with this user error code.
    UserError(String),
    /// Carried out; sessions in the answer show one unit of money more than was counted.
    WrongAmount,
    /// Carried out; HTTP 200, said to be JSON, is not.
    NotJson,
    /// A read does not show sessions younger than this, nor lines of a ledger.
    LagReads {
        /// The age from which they show.
        for_: Duration,
    },
    /// Silence; the mutation is carried out only after this long, whether or not anybody still waits for an answer, and
    /// there is none.
    Late {
        /// After how long it is carried out.
        for_: Duration,
    },
    /// Carried out twice, as when a proxy sends it again; the answer is the second one's.
    Twice,
}

/// What a request is, for picking a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    OtherMutation,
    Read,
    Token,
}

/// Longer than Shopify works on a request (10 s) and than any sensible client waits.
/// Source: fact sheet of the Admin API, HTTP statuses (504).
const STALL: Duration = Duration::from_secs(60);
/// A guess: read-after-write lag is not documented.
const LAG: Duration = Duration::from_secs(5);
/// As long as Shopify works on a request. Source: as for [`STALL`].
const LATE: Duration = Duration::from_secs(10);

impl Fault {
    /// Every name with what it means, for `--help` and for lists.
    pub const NAMES: &[(&str, &str)] = &[
        ("drop-before", "the connection is reset; the request was not carried out"),
        ("drop-after", "carried out, then the connection is closed without an answer"),
        ("500-before", "HTTP 500; not carried out"),
        ("500-after", "HTTP 500 although it was carried out"),
        ("502-before", "HTTP 502 from the gateway; not carried out"),
        ("502-after", "HTTP 502 from the gateway although it was carried out"),
        ("504-before", "HTTP 504 from the gateway; not carried out"),
        ("504-after", "HTTP 504 from the gateway although it was carried out"),
        ("stall-before", "silence, then the connection is closed; not carried out"),
        ("stall-after", "carried out, then silence until the connection is closed"),
        ("429", "HTTP 429 with Retry-After; not carried out"),
        ("throttled", "HTTP 200 with the GraphQL error THROTTLED; not carried out"),
        ("html", "carried out; the answer is a web page"),
        ("cut-json", "carried out; the answer ends in the middle"),
        ("data-null", "carried out; the answer says data: null and nothing else"),
        ("access-denied", "ACCESS_DENIED for the root field; not carried out"),
        ("access-denied-after", "carried out; ACCESS_DENIED for one field inside the answer, the rest is there"),
        ("session-null", "carried out, yet the payload's session is null and there is no user error"),
        ("max-cost-exceeded", "HTTP 200 with the GraphQL error MAX_COST_EXCEEDED; not carried out"),
        ("402", "HTTP 402: the shop is frozen for an unpaid bill; not carried out"),
        ("403", "HTTP 403: a scope is missing; not carried out"),
        ("423", "HTTP 423: the shop is locked; not carried out"),
        ("expired-token", "HTTP 401; not carried out"),
        ("internal-error", "HTTP 200 with INTERNAL_SERVER_ERROR; not carried out"),
        ("internal-error-after", "HTTP 200 with INTERNAL_SERVER_ERROR although it was carried out"),
        ("wrong-amount", "carried out; the answer shows another amount than was sent"),
        ("not-json", "carried out; the answer is not JSON"),
        ("lag-reads", "reads do not show sessions younger than 5 seconds, nor counts"),
        ("late", "silence; carried out 10 seconds later, when nobody waits any more"),
        ("twice", "carried out twice, as by a proxy; the answer is the second one's"),
        ("user-error-POINT_OF_SALE_DEVICE_NOT_FOUND", "refused: the device is not known"),
        ("user-error-NO_CASH_DRAWER_ASSOCIATED", "refused: the device has no cash drawer"),
        ("user-error-NOT_SAVED", "refused: not saved"),
        ("user-error-ALREADY_OPEN", "refused: a session is open, although none is"),
        ("user-error-STAFF_MEMBER_NOT_FOUND", "refused: the staff member is not known"),
        ("user-error-CURRENCY_MISMATCH", "refused: the currency is another one"),
        ("user-error-REASON_CODE_NOT_FOUND", "refused: the reason code is not known"),
    ];

    /// Reads a name. `user-error-CODE` takes any code in capitals. A number after a colon sets what has one:
    /// `429:5`, `stall-after:3`, `late:3`, `lag-reads:10` (seconds) or `stall-after:500ms`.
    pub fn from_name(name: &str) -> Option<Fault> {
        if let Some(code) = name.strip_prefix("user-error-") {
            let good = !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            return good.then(|| Fault::UserError(code.to_owned()));
        }
        let (name, value) = match name.split_once(':') {
            Some((name, value)) => (name, Some(duration(value)?)),
            None => (name, None),
        };
        let fault = match (name, value) {
            ("stall-before", value) => Fault::Stall { after: false, for_: value.unwrap_or(STALL) },
            ("stall-after", value) => Fault::Stall { after: true, for_: value.unwrap_or(STALL) },
            ("lag-reads", value) => Fault::LagReads { for_: value.unwrap_or(LAG) },
            ("late", value) => Fault::Late { for_: value.unwrap_or(LATE) },
            ("twice", None) => Fault::Twice,
            ("429", value) => {
                Fault::TooMany { retry_after_s: u32::try_from(value.map_or(1, |value| value.as_secs())).ok()? }
            }
            ("drop-before", None) => Fault::DropBefore,
            ("drop-after", None) => Fault::DropAfter,
            ("throttled", None) => Fault::Throttled,
            ("html", None) => Fault::Html,
            ("cut-json", None) => Fault::CutJson,
            ("data-null", None) => Fault::DataNull,
            ("access-denied", None) => Fault::AccessDenied,
            ("access-denied-after", None) => Fault::AccessDeniedAfter,
            ("session-null", None) => Fault::SessionNull,
            ("max-cost-exceeded", None) => Fault::MaxCost,
            ("402", None) => Fault::Http { status: 402, after: false },
            ("403", None) => Fault::Http { status: 403, after: false },
            ("423", None) => Fault::Http { status: 423, after: false },
            ("expired-token", None) => Fault::Unauthorized,
            ("internal-error", None) => Fault::InternalError,
            ("internal-error-after", None) => Fault::InternalErrorAfter,
            ("wrong-amount", None) => Fault::WrongAmount,
            ("not-json", None) => Fault::NotJson,
            (name, None) => {
                let (status, when) = name.split_once('-')?;
                let status = status.parse().ok().filter(|status| (500..600).contains(status))?;
                match when {
                    "before" => Fault::Http { status, after: false },
                    "after" => Fault::Http { status, after: true },
                    _ => return None,
                }
            }
            (_, Some(_)) => return None,
        };
        Some(fault)
    }

    /// Whether this fault means anything for such a request; if not, the rule waits for one where it does.
    pub(super) fn fits(&self, kind: Kind) -> bool {
        match self {
            Fault::DropBefore
            | Fault::DropAfter
            | Fault::Http { .. }
            | Fault::Stall { .. }
            | Fault::TooMany { .. }
            | Fault::Html
            | Fault::CutJson
            | Fault::NotJson
            | Fault::AccessDenied
            | Fault::Unauthorized => true,
            Fault::Throttled
            | Fault::MaxCost
            | Fault::DataNull
            | Fault::AccessDeniedAfter
            | Fault::InternalError
            | Fault::InternalErrorAfter
            | Fault::WrongAmount => kind != Kind::Token,
            Fault::UserError(_) | Fault::SessionNull | Fault::Late { .. } | Fault::Twice => {
                matches!(kind, Kind::Open | Kind::OtherMutation)
            }
            Fault::LagReads { .. } => kind == Kind::Read,
        }
    }

    /// Whether this fault can strike such a request.
    pub fn strikes(&self, on: Operation) -> bool {
        let kinds = [Kind::Open, Kind::OtherMutation, Kind::Read, Kind::Token];
        kinds.into_iter().any(|kind| on.covers(kind) && self.fits(kind))
    }

    /// Whether the request is carried out under this fault; late, too.
    pub fn executes(&self) -> bool {
        match self {
            Fault::DropAfter
            | Fault::Html
            | Fault::CutJson
            | Fault::DataNull
            | Fault::AccessDeniedAfter
            | Fault::SessionNull
            | Fault::InternalErrorAfter
            | Fault::UserError(_)
            | Fault::WrongAmount
            | Fault::NotJson
            | Fault::LagReads { .. }
            | Fault::Late { .. }
            | Fault::Twice => true,
            Fault::Http { after, .. } | Fault::Stall { after, .. } => *after,
            Fault::DropBefore
            | Fault::Throttled
            | Fault::MaxCost
            | Fault::TooMany { .. }
            | Fault::AccessDenied
            | Fault::Unauthorized
            | Fault::InternalError => false,
        }
    }
}

impl Operation {
    fn covers(self, kind: Kind) -> bool {
        match self {
            Operation::Open => kind == Kind::Open,
            Operation::Count => kind == Kind::OtherMutation,
            Operation::Read => kind == Kind::Read,
            Operation::Token => kind == Kind::Token,
            Operation::Any => true,
        }
    }
}

impl FaultRule {
    pub(super) fn matches(&self, kind: Kind) -> bool {
        self.on.covers(kind) && self.times > 0 && self.fault.fits(kind)
    }
}

/// `5`, `5s` or `500ms`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s').unwrap_or(text).parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_fault() {
        for (name, meaning) in Fault::NAMES {
            assert!(Fault::from_name(name).is_some(), "{name}");
            assert!(!meaning.is_empty());
        }
    }

    #[test]
    fn a_number_after_a_colon_sets_what_has_one() {
        assert_eq!(Fault::from_name("429:7"), Some(Fault::TooMany { retry_after_s: 7 }));
        assert_eq!(
            Fault::from_name("stall-after:250ms"),
            Some(Fault::Stall { after: true, for_: Duration::from_millis(250) })
        );
        assert_eq!(Fault::from_name("html:3"), None);
    }

    #[test]
    fn a_misspelt_name_is_no_fault() {
        for name in ["", "drop", "500", "200-after", "500-later", "user-error-", "user-error-lower", "DROP-AFTER"] {
            assert_eq!(Fault::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_rule_waits_for_a_request_it_means_something_for() {
        let lag = FaultRule { on: Operation::Any, fault: Fault::LagReads { for_: LAG }, times: 1 };
        assert!(lag.matches(Kind::Read));
        assert!(!lag.matches(Kind::Open));
        let late = FaultRule { on: Operation::Any, fault: Fault::Late { for_: LATE }, times: 1 };
        assert!(late.matches(Kind::OtherMutation) && !late.matches(Kind::Read));
        let count = FaultRule { on: Operation::Count, fault: Fault::Twice, times: 1 };
        assert!(count.matches(Kind::OtherMutation) && !count.matches(Kind::Open) && !count.matches(Kind::Read));
        let spent = FaultRule { on: Operation::Any, fault: Fault::Html, times: 0 };
        assert!(!spent.matches(Kind::Read));
    }
}

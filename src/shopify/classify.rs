//! What an answer of the Admin API means for one mutation: executed, not executed, or unknown. Pure.
//!
//! ## Why `data.<root>` decides, and not `errors`
//! A mutation can run and still answer with `errors` (a nested field was denied). An object under the root field means that
//! it ran; a null root with an error on exactly that path means that it did not. Source: Admin API fact sheet, 2 and 3.
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::Value;

use crate::{
    opening::{Outcome, Read, SessionList, Wait},
    shift::event::{Money, SessionFacts},
};

/// An answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in whole seconds.
    pub retry_after: Option<u64>,
    /// The body, at most [`super::BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
}

/// What follows from one answer to the mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// One of the three outcomes, or a refusal.
    Is(Outcome),
    /// 401: certainly not executed; a new token may help, once.
    TokenRefused,
}

/// GraphQL error codes with an absent `data` that say: refused before anything ran, and only a person can help.
/// Source: Admin API fact sheet 3, recorded answers.
const NEVER_RAN: [&str; 11] = [
    "PARSE_ERROR",
    "undefinedField",
    "missingRequiredArguments",
    "argumentLiteralsIncompatible",
    "argumentNotAccepted",
    "variableNotUsed",
    "undefinedDirective",
    "INVALID_VARIABLE",
    "MAX_COST_EXCEEDED",
    "SHOP_INACTIVE",
    "variableMismatch",
];
/// Codes that say "did not run" only beside a null root and a path of exactly the root field. Source: the same.
const NULL_ROOT: [&str; 5] =
    ["ACCESS_DENIED", "BAD_REQUEST", "RESOURCE_NOT_FOUND", "INVALID_FIELD_ARGUMENTS", "CURRENCY_CODE_INVALID"];

/// Judges the answer to the open mutation.
#[must_use]
pub fn mutation(answer: &Answer) -> Verdict {
    let rejected =
        |code: &str, message: &str| Verdict::Is(Outcome::Rejected { code: code.to_owned(), message: message.to_owned() });
    let waits = |why: String, wait: Wait| Verdict::Is(Outcome::NotExecuted { why, wait });
    // Source of each row: Admin API fact sheet 3, "HTTP statuses". What a person mends at Shopify without touching this
    // content (402, 403, 423) leaves a saved count waiting; nobody should have to count again for it.
    match answer.status {
        200 => Verdict::Is(graphql(&answer.body)),
        400 => rejected("HTTP_400", "Shopify calls the request malformed: please report this"),
        401 => Verdict::TokenRefused,
        402 | 403 | 423 => waits(status_in_words(answer.status), Wait::Longest),
        404 => rejected("HTTP_404", "no such shop or API path: check [shop] domain and api_version"),
        429 => waits(status_in_words(429), Wait::Asked(asked_wait(answer))),
        430 => rejected("HTTP_430", "Shopify takes the requests for an attack"),
        501 => rejected("HTTP_501", "the shop's plan has no cash tracking API"),
        // 500, 502, 503, 504, 530, 540 and anything not listed.
        status => unknown(status_in_words(status)),
    }
}

fn status_in_words(status: u16) -> String {
    match status {
        402 => "the shop is frozen for an unpaid bill (402): pay it in the Shopify admin".to_owned(),
        403 => "the app may not do this (403): check its scopes and that it is installed".to_owned(),
        423 => "the shop is locked (423): ask Shopify's support".to_owned(),
        429 => "Shopify asks to slow down (429)".to_owned(),
        status => format!("Shopify answered with HTTP {status}"),
    }
}

/// What a 429 asks for.
fn asked_wait(answer: &Answer) -> Duration {
    Duration::from_secs(answer.retry_after.unwrap_or(1).clamp(1, 3600))
}

fn unknown(why: String) -> Verdict {
    Verdict::Is(Outcome::Unknown { why })
}

fn graphql(body: &[u8]) -> Outcome {
    let unknown = |why: &str| Outcome::Unknown { why: why.to_owned() };
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return unknown("the answer is not JSON, or was cut off");
    };
    let errors = answer.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match answer.get("data") {
        Some(Value::Object(data)) => match data.get("opened") {
            Some(Value::Object(payload)) => payload_of(payload),
            Some(Value::Null) => errors.iter().find(|e| path_is_root(e)).map_or_else(
                || unknown("Shopify answered with an empty result"),
                |e| match code(e) {
                    c if NULL_ROOT.contains(&c) => Outcome::Rejected { code: c.to_owned(), message: message(e) },
                    c => unknown(&format!("Shopify failed ({c})")),
                },
            ),
            Some(_) | None => unknown("Shopify answered with something else than what was asked"),
        },
        None if !errors.is_empty() => {
            let codes: Vec<&str> = errors.iter().map(code).collect();
            if codes.iter().all(|c| *c == "THROTTLED") {
                let wait = Wait::Asked(throttle_wait(&answer));
                return Outcome::NotExecuted { why: "Shopify asks to slow down".to_owned(), wait };
            }
            match (codes.iter().all(|c| NEVER_RAN.contains(c)), errors.first()) {
                (true, Some(first)) => Outcome::Rejected { code: codes[0].to_owned(), message: message(first) },
                (true | false, _) => unknown(&format!("Shopify failed ({})", codes.join(", "))),
            }
        }
        Some(_) | None => unknown("Shopify answered without a result"),
    }
}

fn payload_of(payload: &serde_json::Map<String, Value>) -> Outcome {
    let session = payload.get("pointOfSaleDevicePaymentSession");
    let user_errors = payload.get("userErrors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match (session, user_errors.first()) {
        (Some(Value::Null) | None, Some(error)) => Outcome::Refused {
            code: error.get("code").and_then(Value::as_str).unwrap_or("UNKNOWN_CODE").to_owned(),
            message: message(error),
        },
        (Some(node @ Value::Object(_)), None) => session_facts(node).map_or_else(
            || Outcome::Unknown { why: "Shopify answered with a session that lacks what was asked".to_owned() },
            Outcome::Executed,
        ),
        // Both or neither: the schema allows it, nobody has seen it.
        (_, _) => Outcome::Unknown { why: "Shopify answered with neither a session nor a reason".to_owned() },
    }
}

/// Judges a read of the device's sessions: healthy only without errors and without search warnings, and in the order asked
/// for.
#[must_use]
pub fn sessions(answer: &Answer) -> Read {
    let failed = |why: String| Read::Failed { why, retry_after: None };
    if answer.status != 200 {
        let retry_after = (answer.status == 429).then(|| asked_wait(answer));
        return Read::Failed { why: status_in_words(answer.status), retry_after };
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return failed("the answer is not JSON, or was cut off".to_owned());
    };
    if let Some(errors) = body.get("errors").filter(|e| !e.as_array().is_some_and(Vec::is_empty)) {
        let first = errors.get(0);
        let throttled = first.is_some_and(|e| code(e) == "THROTTLED");
        return Read::Failed {
            why: format!("Shopify refused the reading: {}", first.map(message).unwrap_or_default()),
            retry_after: throttled.then(|| throttle_wait(&body)),
        };
    }
    let searches = body.pointer("/extensions/search").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if searches.iter().any(|s| s.get("warnings").is_some_and(|w| !w.as_array().is_some_and(Vec::is_empty))) {
        return failed("Shopify did not understand the filter".to_owned());
    }
    let Some(nodes) = body.pointer("/data/sessions/nodes").and_then(Value::as_array) else {
        return failed("Shopify answered without a list of sessions".to_owned());
    };
    let Some(more) = body.pointer("/data/sessions/pageInfo/hasNextPage").and_then(Value::as_bool) else {
        return failed("Shopify does not say whether there are more sessions".to_owned());
    };
    let Some(sessions) = nodes.iter().map(session_facts).collect::<Option<Vec<_>>>() else {
        return failed("a session in the answer lacks what was asked".to_owned());
    };
    if more && !newest_first(&sessions) {
        return failed("the sessions do not come in the order that was asked for".to_owned());
    }
    Read::Healthy(SessionList { sessions, complete: !more })
}

/// By the numbers of their ids, which rise with creation. A page in another order need not hold the newest.
fn newest_first(sessions: &[SessionFacts]) -> bool {
    let number = |s: &SessionFacts| s.id.rsplit('/').next().and_then(|n| n.parse::<u64>().ok());
    sessions.windows(2).all(|pair| match (number(&pair[0]), number(&pair[1])) {
        (Some(newer), Some(older)) => newer > older,
        (None, _) | (_, None) => false,
    })
}

fn session_facts(node: &Value) -> Option<SessionFacts> {
    let text = |name: &str| node.get(name).and_then(Value::as_str).map(str::to_owned);
    let money = |name: &str| {
        let of = node.get(name)?;
        let amount = of.get("amount")?.as_str()?;
        amount.parse::<Decimal>().ok()?;
        Some(Money { amount: amount.to_owned(), currency: of.get("currencyCode")?.as_str()?.to_owned() })
    };
    let id = text("id").filter(|id| id.starts_with("gid://shopify/PointOfSaleDevicePaymentSession/"))?;
    Some(SessionFacts {
        id,
        status: text("status")?,
        opening_time: text("openingTime").filter(|t| t.parse::<Timestamp>().is_ok())?,
        opening_note: text("openingNote"),
        counted: money("cashCountedAtOpen")?,
        expected: money("expectedCashAtOpen"),
    })
}

fn code(error: &Value) -> &str {
    error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or("no code")
}

/// Shopify's words, shortened: they go into a row and onto a slip.
fn message(error: &Value) -> String {
    error.get("message").and_then(Value::as_str).unwrap_or("no reason given").chars().take(300).collect()
}

fn path_is_root(error: &Value) -> bool {
    error.get("path").and_then(Value::as_array).is_some_and(|p| p.len() == 1 && p[0] == "opened")
}

/// (requested − available) / restore rate, at least a second. Cost figures may be written `1000.0`.
fn throttle_wait(answer: &Value) -> Duration {
    let number = |path: &str| answer.pointer(path).and_then(|n| n.to_string().parse::<Decimal>().ok());
    let wait = || {
        let requested = number("/extensions/cost/requestedQueryCost")?;
        let available = number("/extensions/cost/throttleStatus/currentlyAvailable")?;
        let rate = number("/extensions/cost/throttleStatus/restoreRate").filter(|r| *r > Decimal::ZERO)?;
        ((requested - available) / rate).ceil().to_u64()
    };
    Duration::from_secs(wait().unwrap_or(1).clamp(1, 60))
}

#[cfg(test)]
mod tests;

//! What an answer of the Admin API means for one mutation: executed, not executed, or unknown. Pure.
//!
//! ## Why `data.<root>` decides, and not `errors`
//! A mutation can run and still answer with `errors` (a nested field was denied). An object under the root field means that
//! it ran; a null root with an error on exactly that path means that it did not. Source: Admin API fact sheet, 2 and 3. Which
//! status and code means what stands in [`super::outcomes`].
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::Value;

use super::outcomes::{self, Class};
use crate::{
    opening::{Activities, ActivityRead, CountLineAt, Device, DrawerFacts, Outcome, Read, SessionList, Wait},
    shift::event::{Money, SessionFacts},
};

/// An answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in whole seconds.
    pub retry_after: Option<u64>,
    /// `X-Shopify-API-Version`.
    pub api_version: Option<String>,
    /// `Date`.
    pub date: Option<Timestamp>,
    /// This PC's clock less `Date`, in seconds.
    pub skew_s: Option<i64>,
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

/// Judges the answer to a mutation whose root is answered as `root`: `opened` or `counted`.
#[must_use]
pub fn mutation(answer: &Answer, root: &str) -> Verdict {
    if answer.status == 200 {
        return Verdict::Is(graphql(&answer.body, root));
    }
    let why = || status_in_words(answer.status);
    let Some(row) = outcomes::http(answer.status) else { return Verdict::Is(Outcome::Unknown { why: why() }) };
    let outcome = match row.class {
        Class::TokenRefused => return Verdict::TokenRefused,
        Class::Rejected => Outcome::Rejected { code: format!("HTTP_{}", answer.status), message: row.words.to_owned() },
        Class::NotExecuted => Outcome::NotExecuted { why: why(), wait: Wait::Usual },
        // What a person mends at Shopify without touching this content leaves a saved count waiting; nobody should have to
        // count again for it.
        Class::NotExecutedPerson => Outcome::NotExecuted { why: why(), wait: Wait::Longest },
        Class::NotExecutedAsked => Outcome::NotExecuted { why: why(), wait: Wait::Asked(asked_wait(answer)) },
        Class::Refused | Class::Fence | Class::Unknown => Outcome::Unknown { why: why() },
    };
    Verdict::Is(outcome)
}

fn status_in_words(status: u16) -> String {
    match outcomes::http(status).map(|row| row.words).filter(|words| !words.is_empty()) {
        Some(words) => words.to_owned(),
        None => format!("Shopify answered with HTTP {status}"),
    }
}

/// What a 429 asks for.
fn asked_wait(answer: &Answer) -> Duration {
    Duration::from_secs(answer.retry_after.unwrap_or(1).clamp(1, 3600))
}

fn graphql(body: &[u8], root: &str) -> Outcome {
    let unknown = |why: &str| Outcome::Unknown { why: why.to_owned() };
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return unknown("the answer is not JSON, or was cut off");
    };
    let errors = answer.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match answer.get("data") {
        Some(Value::Object(data)) => match data.get(root) {
            Some(Value::Object(payload)) => payload_of(payload),
            Some(Value::Null) => errors.iter().find(|e| path_is(e, root)).map_or_else(
                || unknown("Shopify answered with an empty result"),
                |e| match outcomes::null_root(code(e)).map(|row| row.class) {
                    Some(Class::Rejected) => Outcome::Rejected { code: code(e).to_owned(), message: message(e) },
                    Some(_) | None => unknown(&format!("Shopify failed ({})", code(e))),
                },
            ),
            Some(_) | None => unknown("Shopify answered with something else than what was asked"),
        },
        None => without_data(&answer, errors),
        Some(_) => unknown("Shopify answered without a result"),
    }
}

/// Certain only if every error says the same.
fn without_data(answer: &Value, errors: &[Value]) -> Outcome {
    let classes: Vec<Option<Class>> = errors.iter().map(|e| outcomes::no_data(code(e)).map(|row| row.class)).collect();
    let all = |class| !classes.is_empty() && classes.iter().all(|c| *c == Some(class));
    match errors.first() {
        Some(first) if all(Class::Rejected) => Outcome::Rejected { code: code(first).to_owned(), message: message(first) },
        Some(_) if all(Class::NotExecutedAsked) => {
            Outcome::NotExecuted { why: "Shopify asks to slow down".to_owned(), wait: Wait::Asked(throttle_wait(answer)) }
        }
        Some(_) => {
            let codes: Vec<&str> = errors.iter().map(code).collect();
            Outcome::Unknown { why: format!("Shopify failed ({})", codes.join(", ")) }
        }
        None => Outcome::Unknown { why: "Shopify answered without a result".to_owned() },
    }
}

fn payload_of(payload: &serde_json::Map<String, Value>) -> Outcome {
    let session = payload.get("pointOfSaleDevicePaymentSession");
    let user_errors = payload.get("userErrors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match (session, user_errors.first()) {
        (Some(Value::Null) | None, Some(error)) => {
            let code = error.get("code").and_then(Value::as_str).unwrap_or("UNKNOWN_CODE").to_owned();
            match outcomes::user_error(&code) {
                Class::Refused | Class::Fence => Outcome::Refused { code, message: message(error) },
                Class::TokenRefused
                | Class::NotExecuted
                | Class::NotExecutedAsked
                | Class::NotExecutedPerson
                | Class::Rejected
                | Class::Unknown => Outcome::Unknown { why: format!("Shopify answered with {code}") },
            }
        }
        (Some(node @ Value::Object(_)), None) => session_facts(node).map_or_else(
            || Outcome::Unknown { why: "Shopify answered with a session that lacks what was asked".to_owned() },
            Outcome::Executed,
        ),
        // Both or neither: the schema allows it, nobody has seen it.
        (_, _) => Outcome::Unknown { why: "Shopify answered with neither a session nor a reason".to_owned() },
    }
}

/// Why an answer to a read proves nothing.
struct Unhealthy {
    why: String,
    retry_after: Option<Duration>,
}

impl From<Unhealthy> for Read {
    fn from(Unhealthy { why, retry_after }: Unhealthy) -> Self {
        Self::Failed { why, retry_after }
    }
}

impl From<Unhealthy> for ActivityRead {
    fn from(Unhealthy { why, retry_after }: Unhealthy) -> Self {
        Self::Failed { why, retry_after }
    }
}

fn proves_nothing(why: &str) -> Unhealthy {
    Unhealthy { why: why.to_owned(), retry_after: None }
}

/// A read's body, if it is healthy: status 200, JSON, no search warnings, no errors. `may_be_denied`: an `ACCESS_DENIED`
/// there or below is a scope that is missing, and the rest of the answer holds (fact sheet 2, recorded).
fn healthy(answer: &Answer, may_be_denied: Option<&str>) -> Result<Value, Unhealthy> {
    if answer.status != 200 {
        let retry_after = (answer.status == 429).then(|| asked_wait(answer));
        return Err(Unhealthy { why: status_in_words(answer.status), retry_after });
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| proves_nothing("the answer is not JSON, or was cut off"))?;
    let below = |e: &Value, root: &str| e.pointer("/path/0").is_some_and(|first| first == root);
    let denied = |e: &Value| may_be_denied.is_some_and(|root| code(e) == "ACCESS_DENIED" && below(e, root));
    let errors = match body.get("errors") {
        None => &[][..],
        Some(Value::Array(errors)) => errors,
        Some(other) => std::slice::from_ref(other),
    };
    if let Some(first) = errors.iter().find(|e| !denied(e)) {
        let throttled = outcomes::no_data(code(first)).is_some_and(|row| row.class == Class::NotExecutedAsked);
        return Err(Unhealthy {
            why: format!("Shopify refused the reading: {}", message(first)),
            retry_after: throttled.then(|| throttle_wait(&body)),
        });
    }
    let searches = body.pointer("/extensions/search").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if searches.iter().any(|s| s.get("warnings").is_some_and(|w| !w.as_array().is_some_and(Vec::is_empty))) {
        return Err(proves_nothing("Shopify did not understand the filter"));
    }
    Ok(body)
}

/// Judges a read of the device's sessions: healthy only without errors and without search warnings, and in the order asked
/// for.
#[must_use]
pub fn sessions(answer: &Answer) -> Read {
    session_list(answer).map_or_else(Read::from, Read::Healthy)
}

fn session_list(answer: &Answer) -> Result<SessionList, Unhealthy> {
    let body = healthy(answer, Some("device"))?;
    let nodes = body.pointer("/data/sessions/nodes").and_then(Value::as_array);
    let nodes = nodes.ok_or_else(|| proves_nothing("Shopify answered without a list of sessions"))?;
    let more = body.pointer("/data/sessions/pageInfo/hasNextPage").and_then(Value::as_bool);
    let more = more.ok_or_else(|| proves_nothing("Shopify does not say whether there are more sessions"))?;
    let sessions = nodes.iter().map(session_facts).collect::<Option<Vec<_>>>();
    let sessions = sessions.ok_or_else(|| proves_nothing("a session in the answer lacks what was asked"))?;
    if more && !newest_first(&sessions) {
        return Err(proves_nothing("the sessions do not come in the order that was asked for"));
    }
    let device = device(&body).ok_or_else(|| proves_nothing("the device in the answer lacks what was asked"))?;
    let (date, skew_s, api_version) = (answer.date, answer.skew_s, answer.api_version.clone());
    Ok(SessionList { sessions, complete: !more, device, date, skew_s, api_version })
}

/// The device itself. Null without an error is a device that does not exist (fact sheet 5, recorded).
fn device(body: &Value) -> Option<Device> {
    let denied = body.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
    let node = match body.pointer("/data/device") {
        Some(_) if denied => return Some(Device::NotGranted),
        Some(Value::Null) => return Some(Device::Missing),
        Some(node @ Value::Object(_)) => node,
        Some(_) | None => return None,
    };
    let there = |name: &str| node.get(name).map(|value| Some(value).filter(|value| !value.is_null()));
    let drawer = there("cashDrawer")?.map(drawer_facts);
    let active = there("activePaymentSession")?.map(session_facts);
    if drawer == Some(None) || active == Some(None) {
        return None;
    }
    let (drawer, active) = (drawer.flatten(), active.flatten());
    Some(Device::Known { drawer, active })
}

fn drawer_facts(drawer: &Value) -> Option<DrawerFacts> {
    let id = |node: &Value| node.get("id").and_then(Value::as_str).map(str::to_owned);
    let devices = drawer.pointer("/pointOfSaleDevices/nodes").and_then(Value::as_array);
    let devices = devices.map_or(&[][..], Vec::as_slice).iter().map(id).collect::<Option<Vec<_>>>()?;
    Some(DrawerFacts { id: id(drawer)?, devices })
}

/// Judges a read of a session's ledger.
#[must_use]
pub fn activities(answer: &Answer) -> ActivityRead {
    ledger(answer).map_or_else(ActivityRead::from, ActivityRead::Healthy)
}

fn ledger(answer: &Answer) -> Result<Activities, Unhealthy> {
    let body = healthy(answer, None)?;
    let Some(session @ Value::Object(_)) = body.pointer("/data/session") else {
        return Err(proves_nothing("Shopify does not show the session"));
    };
    let lacks = || proves_nothing("the session's activities lack what was asked");
    let open = session.get("status").and_then(Value::as_str).ok_or_else(lacks)? == "OPEN";
    let nodes = session.pointer("/cashActivities/nodes").and_then(Value::as_array).ok_or_else(lacks)?;
    let more = session.pointer("/cashActivities/pageInfo/hasNextPage").and_then(Value::as_bool).ok_or_else(lacks)?;
    let time = |node: &Value| node.get("time")?.as_str()?.parse::<Timestamp>().ok();
    let (mut counts, mut oldest) = (Vec::new(), None);
    for node in nodes {
        let at = time(node).ok_or_else(lacks)?;
        oldest = Some(oldest.map_or(at, |before: Timestamp| before.min(at)));
        if node.get("countType").and_then(Value::as_str) == Some("MID_SESSION") {
            counts.push(CountLineAt { time: at, counted: money(node, "cashCounted").ok_or_else(lacks)? });
        }
    }
    Ok(Activities { counts, oldest, complete: !more, open, date: answer.date })
}

/// Judges the answer to the question who opened a session: name and id, or why nobody knows.
///
/// # Errors
/// In words. Most apps are not allowed to see staff (fact sheet 2, scopes).
pub fn opener(answer: &Answer) -> Result<String, String> {
    let body = healthy(answer, None).map_err(|unhealthy| unhealthy.why)?;
    let who = body.pointer("/data/session/openingStaffMember");
    let text = |name: &str| who.and_then(|who| who.get(name)).and_then(Value::as_str);
    match (text("name"), text("id")) {
        (Some(name), Some(id)) => Ok(format!("{name} ({})", id.trim_start_matches("gid://shopify/"))),
        (None, Some(id)) => Ok(id.trim_start_matches("gid://shopify/").to_owned()),
        (_, None) => Err("Shopify does not say by whom".to_owned()),
    }
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
    let id = text("id").filter(|id| id.starts_with("gid://shopify/PointOfSaleDevicePaymentSession/"))?;
    Some(SessionFacts {
        id,
        status: text("status")?,
        opening_time: text("openingTime").filter(|t| t.parse::<Timestamp>().is_ok())?,
        opening_note: text("openingNote"),
        counted: money(node, "cashCountedAtOpen")?,
        expected: money(node, "expectedCashAtOpen"),
    })
}

fn money(node: &Value, name: &str) -> Option<Money> {
    let of = node.get(name)?;
    let amount = of.get("amount")?.as_str()?;
    amount.parse::<Decimal>().ok()?;
    Some(Money { amount: amount.to_owned(), currency: of.get("currencyCode")?.as_str()?.to_owned() })
}

fn code(error: &Value) -> &str {
    error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or("no code")
}

/// Shopify's words, shortened: they go into a row and onto a slip.
fn message(error: &Value) -> String {
    error.get("message").and_then(Value::as_str).unwrap_or("no reason given").chars().take(300).collect()
}

fn path_is(error: &Value, root: &str) -> bool {
    error.get("path").and_then(Value::as_array).is_some_and(|p| p.len() == 1 && p[0] == root)
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

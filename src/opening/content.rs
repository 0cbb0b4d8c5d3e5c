//! What is sent, and what a cashier reads.
use jiff::Timestamp;
use serde_json::{Value, json};

use super::WallClock;
use crate::shift::event::{Counted, OpeningId, SessionFacts};

/// The open mutation's variables. The note ends in the reference; `time` is left out when the wall clock is wrong.
#[must_use]
pub fn variables(id: &OpeningId, counted: &Counted, clock: WallClock) -> Value {
    let time = match clock {
        WallClock::Trusted | WallClock::NeverCompared => Value::from(counted.time.clone()),
        WallClock::Wrong => Value::Null,
    };
    json!({
        "deviceId": counted.point_of_sale_device_id,
        "staffId": counted.staff_member_id,
        "balance": balance(counted),
        "time": time,
        "reasonCodeId": counted.reason_code_id,
        "note": note(counted, &format!("[db:{id}]")),
    })
}

/// The count mutation's variables: the same count, told of a session that somebody else opened. Its reference is one of its
/// own. A count is not told for a time before its session was opened (`TIME_BEFORE_SESSION_OPEN`); then `now`, Shopify's
/// time, is taken, and the note says when it was counted.
#[must_use]
pub fn count_variables(
    id: &OpeningId,
    counted: &Counted,
    into: &SessionFacts,
    clock: WallClock,
    now: Option<Timestamp>,
) -> Value {
    let reference = format!("[db:{id}/count]");
    let opened = into.opening_time.parse::<Timestamp>().ok();
    let ours = counted.time.parse::<Timestamp>().ok().filter(|_| clock != WallClock::Wrong);
    let (time, note) = match ours.filter(|ours| opened.is_some_and(|opened| *ours > opened)) {
        Some(_) => (Some(counted.time.clone()), note(counted, &reference)),
        None => (now.map(|at| at.to_string()), note(counted, &format!("counted {} {reference}", counted.time))),
    };
    json!({
        "sessionId": into.id,
        "staffId": counted.staff_member_id,
        "balance": balance(counted),
        "time": time,
        "reasonCodeId": counted.reason_code_id,
        "note": note,
    })
}

fn balance(counted: &Counted) -> Value {
    json!({ "amount": counted.balance.amount, "currencyCode": counted.balance.currency })
}

fn note(counted: &Counted, reference: &str) -> String {
    if counted.note.is_empty() { reference.to_owned() } else { format!("{} {reference}", counted.note) }
}

pub(super) fn prompt(upper: &str, lower: &str) -> [String; 2] {
    [upper.to_owned(), lower.to_owned()]
}

/// What a cashier reads when Shopify refuses. At most 20 characters a row.
#[must_use]
pub fn refusal_prompt(code: &str) -> [String; 2] {
    match code {
        "POINT_OF_SALE_DEVICE_NOT_FOUND" => prompt("TILL NOT AT SHOPIFY", "CALL THE MANAGER"),
        "NO_CASH_DRAWER_ASSOCIATED" => prompt("NO DRAWER AT SHOPIFY", "CALL THE MANAGER"),
        "STAFF_MEMBER_NOT_FOUND" => prompt("STAFF NOT AT SHOPIFY", "CALL THE MANAGER"),
        "CURRENCY_MISMATCH" => prompt("WRONG CURRENCY", "CALL THE MANAGER"),
        "REASON_CODE_NOT_FOUND" => prompt("REASON NOT FOUND", "CALL THE MANAGER"),
        "NOT_SAVED" => prompt("SHOPIFY DECLINED", "CALL THE MANAGER"),
        _ => prompt("REGISTER NOT OPENED", "CALL THE MANAGER"),
    }
}

//! How journal events and API answers are put for people: times, money and ids without JSON around them.
use serde_json::{Map, Value};

use crate::money::with_decimals;

/// Fields that stand at the line's beginning.
const AT_THE_FRONT: [&str; 4] = ["seq", "at", "till", "name"];

/// A text field, or nothing.
pub(super) fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `2026-11-24T12:24:54Z`: whole seconds, UTC.
pub(super) fn time(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(|_| at.to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// One event on one line: number, time, till, name, and the rest as `key=value`.
pub(super) fn event_line(event: &Value) -> String {
    let mut line = format!(
        "{:>6}  {}  {:<10} {:<24}",
        number(event),
        time(text(event, "at")),
        text(event, "till"),
        text(event, "name")
    );
    for (key, value) in rest(event) {
        let value = value_text(key, value);
        let quoted = value.contains([' ', '"', '=']);
        line.push_str(&if quoted {
            format!(" {key}=\"{}\"", value.replace('"', "\\\""))
        } else {
            format!(" {key}={value}")
        });
    }
    line.trim_end().to_owned()
}

/// One event with everything it holds, a field a line.
pub(super) fn event_block(event: &Value) -> Vec<String> {
    let mut lines = vec![
        format!("{} {}  {}  {}", number(event), text(event, "name"), time(text(event, "at")), text(event, "till"))
            .trim_end()
            .to_owned(),
    ];
    lines.extend(rest(event).map(|(key, value)| format!("  {key:<26} {}", value_text(key, value))));
    lines
}

fn number(event: &Value) -> String {
    event.get("seq").map(Value::to_string).unwrap_or_default()
}

fn rest(event: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let fields = event.as_object().into_iter().flatten();
    let empty = |value: &Value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
    fields.filter(move |(key, value)| !AT_THE_FRONT.contains(&key.as_str()) && !empty(value))
}

/// Money as `150.00 USD`, pieces as `5 x 20.00`, ids without `gid://shopify/`, and no braces. What a stranger wrote (Shopify's
/// texts, notes) cannot steer the terminal.
fn value_text(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) if key == "time" || key.ends_with("_time") => time(text),
        Value::String(text) => visible(text.strip_prefix("gid://shopify/").unwrap_or(text)),
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let between = if key == "prompt" { " / " } else { ", " };
            items.iter().map(|item| value_text(key, item)).collect::<Vec<_>>().join(between)
        }
        Value::Object(fields) => object_text(fields),
    }
}

fn object_text(fields: &Map<String, Value>) -> String {
    let field = |name: &str| fields.get(name).map(|value| value_text(name, value));
    if let (Some(amount), Some(currency)) = (field("amount"), field("currency").or_else(|| field("currencyCode"))) {
        return with_decimals(&amount, &currency);
    }
    if let (Some(face), Some(pieces)) = (field("denomination"), field("pieces")) {
        return format!("{pieces} x {face}");
    }
    let some = fields.iter().filter(|(_, value)| !value.is_null());
    some.map(|(key, value)| format!("{key} {}", value_text(key, value))).collect::<Vec<_>>().join(", ")
}

/// Where an opening's slip stands, when somebody may wonder: a printed one, or one that nobody owes, needs no word.
pub(super) fn slip(opening: &Value) -> Option<String> {
    match text(opening, "slip") {
        "owed" => Some("slip waits for the printer".to_owned()),
        "sending" => Some("slip is being printed".to_owned()),
        "not_proven" => {
            let id = visible(text(opening, "id"));
            Some(format!("slip not proven: look at the paper, else `drawerbridge reprint {id}`"))
        }
        _ => None,
    }
}

/// Whether somebody has to move about an opening, and how; where a person must decide, the command on a line of its own.
pub(super) fn what_to_do(opening: &Value) -> Vec<String> {
    let session = text(opening, "session_id").rsplit('/').next().filter(|n| !n.is_empty()).map(visible);
    let known = match text(opening, "state") {
        "started" => "to do: count at the till, or give it up with Clear",
        "counted" | "sending" => "nothing to do: Shopify is being asked",
        "waiting" => "nothing to do: it is sent as soon as Shopify can be reached; the shift may begin",
        "unknown" => "nothing to do: Shopify's sessions are read before anything is sent again",
        "refused" => "to do: mend what Shopify names, then open the drawer and count again",
        "cancelled" => "to do: open the drawer to begin again",
        "stale" => "to do: count again: the drawer's next opening asks for it",
        "recorded" => {
            let session = session.map(|n| format!(" {n}")).unwrap_or_default();
            return vec![format!("nothing to do: a mid-session count in session{session}, which somebody else opened")];
        }
        "needs_attention" => return decide(opening, session.as_deref()),
        _ => return vec![],
    };
    vec![known.to_owned()]
}

/// The decision that fits what is in the way, and the others.
fn decide(opening: &Value, session: Option<&str>) -> Vec<String> {
    let (first, said) = match (text(opening, "attention"), session) {
        ("foreign_session", Some(n)) => (
            format!("--record-count {n}"),
            format!("to do: decide: record it in session {n}, or --give-up, or --link {n} if it is this count's:"),
        ),
        ("ambiguous" | "duplicate", Some(n)) => (
            format!("--link {n}"),
            format!("to do: look at session {n}, then decide: link it if it is this count's, or --give-up:"),
        ),
        ("", _) => ("--give-up".to_owned(), "nothing is in the way any more, the session was closed; to say so:".to_owned()),
        (_, _) => {
            ("--give-up".to_owned(), "to do: decide: give it up, or --link SESSION if one is this count's:".to_owned())
        }
    };
    vec![said, format!("drawerbridge openings resolve {} {first} --why TEXT", visible(text(opening, "id")))]
}

/// Control characters become visible.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_with_money_times_and_ids_for_people() {
        let event = json!({
            "seq": 1005, "at": "2026-11-24T12:24:54.123456Z", "till": "front-1", "opening": "8R0NM4RDQ6", "name": "opening.counted",
            "staff_name": "Robin", "staff_member_id": "gid://shopify/StaffMember/1", "reason_code_id": null,
            "balance": { "amount": "150.00", "currency": "USD" },
            "lines": [{ "denomination": "20.00", "pieces": 5 }, { "denomination": "0.25", "pieces": 200 }],
            "time": "2026-11-24T12:24:54Z", "note": "from the safe",
        });
        assert_eq!(
            event_line(&event),
            "  1005  2026-11-24T12:24:54Z  front-1    opening.counted          opening=8R0NM4RDQ6 staff_name=Robin \
             staff_member_id=StaffMember/1 balance=\"150.00 USD\" lines=\"5 x 20.00, 200 x 0.25\" time=2026-11-24T12:24:54Z \
             note=\"from the safe\""
        );
        assert!(event_block(&event).contains(&format!("  {:<26} 150.00 USD", "balance")));
    }

    #[test]
    fn a_slip_is_spoken_of_until_it_is_printed() {
        let said = |state: &str| slip(&json!({ "id": "8R0NM4RDQ6", "slip": state }));
        assert_eq!(said("owed").unwrap(), "slip waits for the printer");
        assert_eq!(said("sending").unwrap(), "slip is being printed");
        assert_eq!(
            said("not_proven").unwrap(),
            "slip not proven: look at the paper, else `drawerbridge reprint 8R0NM4RDQ6`"
        );
        assert_eq!((said("none"), said("printed"), slip(&json!({ "id": "8R0NM4RDQ6" }))), (None, None, None));
    }

    #[test]
    fn what_needs_a_person_names_the_command_that_fits() {
        let of = |attention: &str, session: &str| {
            let session_id = Some(session).filter(|n| !n.is_empty()).map(|n| format!("gid://shopify/X/{n}"));
            let opening =
                json!({ "id": "8R0NM4RDQ6", "state": "needs_attention", "attention": attention, "session_id": session_id });
            what_to_do(&opening).pop().unwrap()
        };
        let command = |decision: &str| format!("drawerbridge openings resolve 8R0NM4RDQ6 {decision} --why TEXT");
        assert_eq!(of("foreign_session", "1001"), command("--record-count 1001"));
        assert_eq!(of("ambiguous", "1001"), command("--link 1001"));
        assert_eq!(of("duplicate", "1001"), command("--link 1001"));
        for kind in ["hidden_session", "attempts_used_up", "shared_drawer", "count_refused", "of_tomorrow", ""] {
            assert_eq!(of(kind, ""), command("--give-up"), "{kind}");
        }
        let todo = |state: &str| what_to_do(&json!({ "state": state })).join("");
        assert!(todo("stale").starts_with("to do: count again"));
        assert!(todo("recorded").starts_with("nothing to do"));
        assert_eq!(todo("given_up") + &todo("confirmed"), "");
    }

    #[test]
    fn nested_facts_have_no_braces_and_strangers_cannot_steer_the_terminal() {
        let event = json!({
            "seq": 7, "at": "nonsense", "lines": [], "note": "", "till": "", "name": "opening.refused",
            "message": "no \u{1b}[2Jway", "prompt": ["SHOPIFY DECLINED", "CALL THE MANAGER"],
            "variables": { "balance": { "amount": "1.0", "currencyCode": "USD" }, "note": "[db:0000000001]", "reasonCodeId": null },
        });
        let line = event_line(&event);
        assert!(!line.contains('\u{1b}') && !line.contains("{\""), "{line}");
        assert!(line.contains("message=\"no \\u{1b}[2Jway\""), "{line}");
        assert!(line.contains("\"SHOPIFY DECLINED / CALL THE MANAGER\""), "{line}");
        assert!(line.contains("\"balance 1.00 USD, note [db:0000000001]\""), "{line}");
    }
}

//! `drawerbridge status`: what the daemon knows of its tills, and since nothing is hidden, what it does not know.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{
    ConfigArg,
    client::Client,
    say, say_last,
    words::{slip, time, visible, what_to_do},
};

const LONG: &str = "\
For each till: the shift, drawer, printer, display, keypads and the newest opening, with the reason where something is
not as it should be, and what to do. \"unknown\" means that nothing tells; it does not mean closed.

Exit codes: 0 the daemon answered, whatever it says; 75 no daemon answers.

Examples:
  drawerbridge status
  drawerbridge status --json | jq -r '.tills[] | .name + \" \" + .drawer.state'";

/// Show the tills.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the daemon's answer: one JSON object with `tills`
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> ExitCode {
    shown(args).unwrap_or_else(|code| code)
}

fn shown(args: &StatusArgs) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let answer = client.ask(Method::GET, "/v1/tills", None)?;
    if args.json {
        return Ok(say_last(&answer, ExitCode::SUCCESS));
    }
    for till in answer.get("tills").and_then(Value::as_array).into_iter().flatten() {
        for line in lines(till) {
            say(line)?;
        }
    }
    let ready = client.send(Method::GET, "/readyz", None)?;
    if !ready.is_good() {
        say(format!("not ready: {}", visible(&ready.detail())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything known of one till.
fn lines(till: &Value) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", text(till, "/name"), shift(till))];
    let mut add = |what: &str, text: String| lines.push(format!("  {what:<8} {text}"));
    let drawer = text(till, "/drawer/state").replace('_', " ");
    add("drawer", format!("{drawer}{}{}", since(till, "/drawer"), because(till, "/drawer")));
    for (what, path) in [("printer", "/printer"), ("display", "/display")] {
        match till.pointer(path) {
            Some(Value::Object(_)) if what == "printer" => add(what, printer(till)),
            Some(Value::Object(_)) => add(what, link(till, path)),
            _ => add(what, "none in the configuration".to_owned()),
        }
    }
    let keypads = till.get("keypads").and_then(Value::as_array).map_or(0, Vec::len);
    if keypads == 0 {
        add("keypad", "none in the configuration".to_owned());
    }
    for n in 0..keypads {
        add("keypad", link(till, &format!("/keypads/{n}")));
    }
    match till.get("wrong_numbers").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(1) => add("staff", "a wrong staff number was keyed last".to_owned()),
        Some(n) => add("staff", format!("{n} wrong staff numbers in a row: keys are heard more slowly")),
    }
    match till.get("opening") {
        Some(opening @ Value::Object(_)) => {
            add("opening", opening_line(opening));
            let why = opening.get("why").and_then(Value::as_str).map(visible);
            let todo = what_to_do(opening);
            for more in why.into_iter().chain(todo).chain(slip(opening)) {
                add("", more);
            }
        }
        Some(_) | None => add("opening", "none yet: opening the drawer starts one".to_owned()),
    }
    lines
}

fn text(of: &Value, path: &str) -> String {
    of.pointer(path).and_then(Value::as_str).map(visible).unwrap_or_default()
}

/// `shift closed, asks for the staff number`.
fn shift(till: &Value) -> String {
    let doing = match text(till, "/phase").as_str() {
        "staff" => ", asks for a staff number",
        "count" => ", the float is being counted",
        "confirm" => ", asks whether the count is right",
        "saving" => ", the count is on its way to the disk",
        "saved" => ", the count is on disk and Shopify's answer outstanding",
        _ => "",
    };
    format!("shift {}{doing}", text(till, "/shift"))
}

fn because(of: &Value, path: &str) -> String {
    Some(text(of, &format!("{path}/why"))).filter(|w| !w.is_empty()).map(|w| format!(", because {w}")).unwrap_or_default()
}

fn since(of: &Value, path: &str) -> String {
    let since = of.pointer(&format!("{path}/since")).and_then(Value::as_str);
    since.map(|at| format!(" since {}", time(at))).unwrap_or_default()
}

fn link(of: &Value, path: &str) -> String {
    format!("{}{}{}", text(of, &format!("{path}/link")), since(of, path), because(of, path))
}

fn printer(till: &Value) -> String {
    let mut parts = vec![link(till, "/printer")];
    match till.pointer("/printer/online").and_then(Value::as_bool) {
        Some(true) => parts.push("online".to_owned()),
        Some(false) => parts.push("offline".to_owned()),
        None => {}
    }
    let paper = text(till, "/printer/paper");
    if !paper.is_empty() {
        parts.push(format!("paper {}", paper.replace('_', " ")));
    }
    if till.pointer("/printer/cover_open").and_then(Value::as_bool) == Some(true) {
        parts.push("cover open".to_owned());
    }
    parts.extend(["/printer/error", "/printer/identity"].map(|path| text(till, path)).into_iter().filter(|t| !t.is_empty()));
    parts.join(", ")
}

fn opening_line(opening: &Value) -> String {
    let field = |name: &str| Some(text(opening, name)).filter(|t| !t.is_empty());
    let mut parts = vec![text(opening, "/id"), text(opening, "/state").replace('_', " ")];
    if let (Some(total), Some(currency)) = (field("/total"), field("/currency")) {
        let by = field("/staff").map(|s| format!(" counted by {s}")).unwrap_or_default();
        let at = field("/counted_at").map(|at| format!(" at {}", time(&at))).unwrap_or_default();
        parts.push(format!("{total} {currency}{by}{at}"));
    }
    parts.extend(field("/session_id").and_then(|id| id.rsplit('/').next().map(|number| format!("session {number}"))));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_till_in_trouble_says_why_and_what_to_do() {
        let till = json!({
            "name": "front-1", "shift": "closed", "phase": "idle", "wrong_numbers": 4,
            "drawer": { "state": "unknown", "why": "the printer does not answer", "since": "2026-11-24T12:01:00Z" },
            "printer": { "link": "down", "why": "its cable is out", "since": "2026-11-24T12:01:00Z" },
            "display": null, "keypads": [{ "link": "up", "why": null, "since": "2026-11-24T11:00:00Z" }],
            "opening": { "id": "8R0NM4RDQ6", "state": "refused", "total": "150.00", "currency": "USD", "staff": "Robin",
                "why": "the currency is another one", "session_id": null, "slip": "not_proven" },
        });
        assert_eq!(
            lines(&till),
            [
                "front-1: shift closed",
                "  drawer   unknown since 2026-11-24T12:01:00Z, because the printer does not answer",
                "  printer  down since 2026-11-24T12:01:00Z, because its cable is out",
                "  display  none in the configuration",
                "  keypad   up since 2026-11-24T11:00:00Z",
                "  staff    4 wrong staff numbers in a row: keys are heard more slowly",
                "  opening  8R0NM4RDQ6, refused, 150.00 USD counted by Robin",
                "           the currency is another one",
                "           to do: mend what Shopify names, then open the drawer and count again",
                "           slip not proven: look at the paper, else `drawerbridge reprint 8R0NM4RDQ6`",
            ]
        );
    }

    #[test]
    fn a_till_at_rest_is_short() {
        let till = json!({
            "name": "front-1", "shift": "open", "phase": "open", "drawer": { "state": "closed", "why": null },
            "printer": { "link": "up", "why": null, "online": true, "paper": "near_end", "cover_open": false, "error": null,
                "identity": "EPSON TM-T88V" },
            "display": { "link": "up", "why": null }, "keypads": [{ "link": "up", "why": null }],
            "opening": { "id": "8R0NM4RDQ6", "state": "confirmed", "total": "150.00", "currency": "USD", "staff": "Robin",
                "counted_at": "2026-11-24T12:00:00Z", "session_id": "gid://shopify/PointOfSaleDevicePaymentSession/1001" },
        });
        assert_eq!(
            lines(&till),
            [
                "front-1: shift open",
                "  drawer   closed",
                "  printer  up, online, paper near end, EPSON TM-T88V",
                "  display  up",
                "  keypad   up",
                "  opening  8R0NM4RDQ6, confirmed, 150.00 USD counted by Robin at 2026-11-24T12:00:00Z, session 1001",
            ]
        );
    }
}

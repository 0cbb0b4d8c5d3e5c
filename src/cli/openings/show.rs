//! `drawerbridge openings show`: what proves that this count became that session, link by link.
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{counted, find, spelled};
use crate::{
    cli::{
        ConfigArg,
        client::Client,
        say, say_last,
        words::{slip, text, time, visible, what_to_do},
    },
    slip::wrap,
};

const LONG: &str = "\
Each link of the chain: when it happened (UTC), what happened, and what proves it: the drawer's sense line, Shopify's
answer, the printer's own word, a person's. Each is an event of the journal, named by its number and the beginning of its
hash; what is missing in the chain is said at the end.

Examples:
  drawerbridge openings show 8R0NM4RDQ6
  drawerbridge openings show 8R0NM4RDQ6 --json | jq '.evidence[] | .at + \" \" + .what'";

/// Column of the texts: a time, a step, and two blanks behind each.
const TEXT_AT: usize = 33;
/// A terminal has at least this many columns.
const COLUMNS: usize = 80;
/// As much of a hash as people compare.
const HASH: usize = 12;

/// Show one opening.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The ten characters on the slip and in Shopify's note
    id: String,
    /// Print the daemon's answer: one JSON object with `evidence`, `missing` and `events`
    #[arg(long)]
    json: bool,
}

pub(super) fn show(args: &ShowArgs) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let id = spelled(&args.id);
    let (till, found) = find(&client, &id)?;
    if args.json {
        return Ok(say_last(&found, ExitCode::SUCCESS));
    }
    for line in lines(&id, till, &found) {
        say(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(id: &str, till: &str, found: &Value) -> Vec<String> {
    let mut lines = vec![format!("{id} at {till}: {}", text(found, "state").replace('_', " "))];
    let counted = Some(counted(found)).filter(|c| !c.is_empty());
    let session = Some(text(found, "session_id")).filter(|id| !id.is_empty()).map(|id| format!("at Shopify: {id}"));
    let shown = counted.into_iter().chain(session).chain(what_to_do(found)).chain(slip(found));
    for line in shown.map(|line| visible(&line)) {
        // A command is copied, so it is not broken, however long the session's number is.
        let parts = if line.starts_with("drawerbridge ") { vec![line] } else { wrap(&line, COLUMNS - 2) };
        lines.extend(parts.iter().map(|part| format!("  {part}")));
    }
    lines.push(String::new());
    for step in found.get("evidence").and_then(Value::as_array).into_iter().flatten() {
        lines.extend(link(step));
    }
    lines.push(String::new());
    let missing: Vec<&str> =
        found.get("missing").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if missing.is_empty() {
        lines.push("nothing is missing in this chain".to_owned());
    } else {
        lines.push("missing in this chain:".to_owned());
        for what in missing {
            lines.extend(item(what, COLUMNS));
        }
    }
    lines.push("an event in full: `drawerbridge journal show NUMBER`; hashes: `journal verify`".to_owned());
    lines
}

/// One link: time and step in front, the text behind them, then the details and what proves it.
fn link(step: &Value) -> Vec<String> {
    let mut texts = wrap(&visible(text(step, "what")), COLUMNS - TEXT_AT);
    for detail in step.get("details").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        texts.extend(item(detail, COLUMNS - TEXT_AT));
    }
    let number = step.get("seq").map(Value::to_string).unwrap_or_default();
    let hash: String = text(step, "hash").chars().take(HASH).collect();
    let proof = Some(text(step, "proof")).filter(|proof| !proof.is_empty()).map(|proof| format!("proof: {proof}"));
    texts.extend(proof.iter().flat_map(|proof| wrap(proof, COLUMNS - TEXT_AT)));
    texts.push(if hash.is_empty() {
        format!("event {number}, without its hash")
    } else {
        format!("event {number}, hash {hash}")
    });
    let mut front = format!("{}  {:<9}  ", time(text(step, "at")), text(step, "step"));
    let mut lines = vec![];
    for text in texts {
        lines.push(format!("{front}{text}"));
        front = " ".repeat(TEXT_AT);
    }
    lines
}

/// An item of a list, its further lines below its first.
fn item(text: &str, width: usize) -> Vec<String> {
    let mut front = "- ";
    let lines = wrap(&visible(text), width - front.len());
    lines.iter().map(|line| format!("{}{line}", std::mem::replace(&mut front, "  "))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_chain_is_aligned_stays_within_a_terminal_and_says_what_is_missing() {
        let found = json!({
            "id": "8R0NM4RDQ6", "state": "needs_attention", "attention": "foreign_session", "total": "150.00",
            "currency": "USD", "staff": "Robin", "slip": "printed",
            "session_id": "gid://shopify/PointOfSaleDevicePaymentSession/1001",
            "evidence": [{
                "step": "counted", "at": "2026-11-24T12:24:54.123Z", "seq": 1005, "hash": "0123456789abcdef0123",
                "what": "Robin counted 150.00 USD", "proof": "on disk before the display said SAVED",
                "details": ["note: no \u{1b}[2Jway, and some more words of a note that is longer than a line"],
            }, { "step": "attention", "at": "2026-11-24T12:24:55Z", "seq": 1006, "hash": null, "what": "x", "proof": null,
                "details": [] }],
            "missing": ["no proof of the slip: look at the paper"],
        });
        assert_eq!(
            lines("8R0NM4RDQ6", "front-1", &found),
            [
                "8R0NM4RDQ6 at front-1: needs attention",
                "  150.00 USD counted by Robin",
                "  at Shopify: gid://shopify/PointOfSaleDevicePaymentSession/1001",
                "  to do: decide: record it in session 1001, or --give-up, or --link 1001 if it",
                "  is this count's:",
                "  drawerbridge openings resolve 8R0NM4RDQ6 --record-count 1001 --why TEXT",
                "",
                "2026-11-24T12:24:54Z  counted    Robin counted 150.00 USD",
                "                                 - note: no \\u{1b}[2Jway, and some more words of",
                "                                   a note that is longer than a line",
                "                                 proof: on disk before the display said SAVED",
                "                                 event 1005, hash 0123456789ab",
                "2026-11-24T12:24:55Z  attention  x",
                "                                 event 1006, without its hash",
                "",
                "missing in this chain:",
                "- no proof of the slip: look at the paper",
                "an event in full: `drawerbridge journal show NUMBER`; hashes: `journal verify`",
            ]
        );
    }
}

//! `drawerbridge openings`: the newest openings, the chain of evidence of one, and a person's way out of it.
mod resolve;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::{
    ConfigArg,
    client::{Client, segment},
    complain, say, say_last,
    words::{slip, text, time, visible, what_to_do},
};

const LONG: &str = "\
One line each: id, when it began, till, state, count, who counted, Shopify's session, what stands in the way, the slip when
it is not printed yet or nothing proves it, and the command to run next where a person must decide.
States: started, counted, sending, waiting (no network: it is sent by itself), unknown (Shopify is being read),
confirmed, refused, needs attention (a person must decide), recorded (as a mid-session count), stale (count again),
given up, cancelled.

Examples:
  drawerbridge openings
  drawerbridge openings list --till front-1 --json | jq '.[0].session_id'
  drawerbridge openings show 8R0NM4RDQ6
  drawerbridge openings resolve 8R0NM4RDQ6 --give-up --why \"counted again\"";

const LONG_LIST: &str = "\
Examples:
  drawerbridge openings list --limit 5
  drawerbridge openings list --till front-1 --json | jq '.[] | select(.attention) | .id'";

/// List openings, show the evidence of one, or decide about it.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = LONG)]
pub(super) struct OpeningsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum What {
    /// List openings, newest first; the same as without a word
    #[command(after_long_help = LONG_LIST)]
    List(List),
    /// Show the chain of evidence of one opening, from the key press to Shopify's id and the slip
    Show(show::ShowArgs),
    /// Decide about an opening that is in a person's hands: link it, record it as a count, or give it up
    Resolve(resolve::ResolveArgs),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    config: ConfigArg,
    /// Which till; all of them when not given
    #[arg(long)]
    till: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Print one JSON array, newest first, each opening with its `till`
    #[arg(long)]
    json: bool,
}

pub(super) fn openings(args: &OpeningsArgs) -> ExitCode {
    match &args.what {
        Some(What::List(args)) => list(args),
        Some(What::Show(args)) => show::show(args),
        Some(What::Resolve(args)) => resolve::resolve(args),
        None => list(&args.list),
    }
    .unwrap_or_else(|code| code)
}

/// An opening at whichever till it is: the till's name, and the daemon's answer.
fn find<'a>(client: &'a Client, id: &str) -> Result<(&'a str, Value), ExitCode> {
    for till in &client.tills {
        if let Some(found) = client.find(&path(till, id))? {
            return Ok((till, found));
        }
    }
    complain(format!("no till has an opening {id:?}: `drawerbridge openings` lists them"));
    Err(ExitCode::FAILURE)
}

fn path(till: &str, id: &str) -> String {
    format!("/v1/tills/{}/openings/{}", segment(till), segment(id))
}

/// As people type it: in small letters, with a blank from copying.
fn spelled(id: &str) -> String {
    id.trim().to_ascii_uppercase()
}

/// `150.00 USD counted by Robin`; empty until it is counted.
fn counted(opening: &Value) -> String {
    match (text(opening, "total"), text(opening, "currency"), text(opening, "staff")) {
        ("", _, _) => String::new(),
        (total, currency, staff) => format!("{total} {currency} counted by {}", visible(staff)),
    }
}

fn list(args: &List) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let named = args.till.as_deref().map(|t| client.till(Some(t))).transpose()?;
    let tills: Vec<&str> = named.map_or_else(|| client.tills.iter().map(String::as_str).collect(), |t| vec![t]);
    let mut all = Vec::new();
    for till in tills {
        let path = format!("/v1/tills/{}/openings?limit={}", segment(till), args.limit);
        let answer = client.ask(Method::GET, &path, None)?;
        for opening in answer.get("openings").and_then(Value::as_array).into_iter().flatten() {
            let mut opening = opening.clone();
            opening["till"] = Value::from(till);
            all.push(opening);
        }
    }
    newest_first(&mut all);
    all.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    if args.json {
        return Ok(say_last(Value::from(all), ExitCode::SUCCESS));
    }
    if all.is_empty() {
        return Ok(say_last("no openings yet", ExitCode::SUCCESS));
    }
    for opening in &all {
        say(line(opening))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each till's list comes sorted; several of them do not.
fn newest_first(openings: &mut [Value]) {
    let began = |o: &Value| text(o, "at").parse::<Timestamp>().unwrap_or(Timestamp::MIN);
    openings.sort_by_key(|o| std::cmp::Reverse(began(o)));
}

fn line(o: &Value) -> String {
    let total = format!("{} {}", text(o, "total"), text(o, "currency"));
    let session = text(o, "session_id").rsplit('/').next().filter(|n| !n.is_empty());
    let session = session.map(|number| format!("session {number}")).unwrap_or_default();
    let why = o.get("why").and_then(Value::as_str).map(|w| format!("  ({})", visible(w))).unwrap_or_default();
    let slip = slip(o).map(|s| format!("  ({s})")).unwrap_or_default();
    let asks = !text(o, "attention").is_empty();
    let next = Some(what_to_do(o).join(" ")).filter(|_| asks).map(|next| format!("  ({next})")).unwrap_or_default();
    let line = format!(
        "{}  {}  {:<10} {:<15} {:>14}  {:<12} {session}{why}{slip}{next}",
        text(o, "id"),
        time(text(o, "at")),
        text(o, "till"),
        text(o, "state").replace('_', " "),
        total.trim(),
        text(o, "staff"),
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn openings_of_several_tills_are_listed_by_their_beginning() {
        let mut all = vec![
            json!({ "id": "B", "at": "2026-11-24T12:00:00.5Z" }),
            json!({ "id": "D", "at": "2026-11-24T11:00:00Z" }),
            json!({ "id": "A", "at": "2026-11-24T13:00:00Z" }),
            json!({ "id": "C", "at": "2026-11-24T12:00:00Z" }),
        ];
        newest_first(&mut all);
        assert_eq!(all.iter().map(|o| text(o, "id")).collect::<String>(), "ABCD");
    }

    #[test]
    fn an_opening_is_one_line_with_what_stands_in_its_way() {
        let refused = json!({ "id": "8R0NM4RDQ6", "at": "2026-11-24T12:00:00.25Z", "till": "front-1", "state": "needs_attention",
            "total": "150.00", "currency": "USD", "staff": "Robin", "session_id": null, "why": "look at the register" });
        assert_eq!(
            line(&refused),
            "8R0NM4RDQ6  2026-11-24T12:00:00Z  front-1    needs attention     150.00 USD  Robin          (look at the register)"
        );
        let owed = json!({ "id": "8R0NM4RDQ6", "at": "2026-11-24T12:00:00Z", "till": "front-1", "state": "confirmed",
            "total": "150.00", "currency": "USD", "staff": "Robin", "why": null, "slip": "owed",
            "session_id": "gid://shopify/PointOfSaleDevicePaymentSession/1001" });
        let line = line(&owed);
        assert!(line.ends_with("Robin        session 1001  (slip waits for the printer)"), "{line}");
    }
}

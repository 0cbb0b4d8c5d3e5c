//! `drawerbridge openings`: the newest openings, or the whole story of one.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::{
    ConfigArg,
    client::{Client, segment},
    complain, say, say_last,
    words::{event_line, slip, text, time, visible},
};

const LONG: &str = "\
One line each: id, when it began, till, state, count, who counted, Shopify's session, what stands in the way, and the
slip when it is not printed yet or nothing proves it.
States: started, counted, sending, waiting (no network: it is sent by itself), unknown (Shopify is being read),
confirmed, refused, needs attention (a person must look), cancelled.

Examples:
  drawerbridge openings --limit 5
  drawerbridge openings --till front-1 --json | jq '.[0].session_id'
  drawerbridge openings show 8R0NM4RDQ6";

const LONG_SHOW: &str = "\
Examples:
  drawerbridge openings show 8R0NM4RDQ6
  drawerbridge openings show 8R0NM4RDQ6 --json | jq '.events[].name'";

/// List openings, newest first.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = LONG)]
pub(super) struct OpeningsArgs {
    #[command(subcommand)]
    one: Option<One>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum One {
    /// Show every event of one opening, from the drawer to Shopify's answer and the slip
    #[command(after_long_help = LONG_SHOW)]
    Show {
        #[command(flatten)]
        config: ConfigArg,
        /// The ten characters on the slip and in Shopify's note
        id: String,
        /// Print the daemon's answer: one JSON object with `events`
        #[arg(long)]
        json: bool,
    },
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
    match &args.one {
        Some(One::Show { config, id, json }) => show(config, id, *json),
        None => list(&args.list),
    }
    .unwrap_or_else(|code| code)
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
    let line = format!(
        "{}  {}  {:<10} {:<15} {:>14}  {:<12} {session}{why}{slip}",
        text(o, "id"),
        time(text(o, "at")),
        text(o, "till"),
        text(o, "state").replace('_', " "),
        total.trim(),
        text(o, "staff"),
    );
    line.trim_end().to_owned()
}

fn show(config: &ConfigArg, id: &str, json: bool) -> Result<ExitCode, ExitCode> {
    let client = Client::new(config)?;
    let id = id.trim().to_ascii_uppercase();
    for till in &client.tills {
        let Some(found) = client.find(&format!("/v1/tills/{}/openings/{}", segment(till), segment(&id)))? else { continue };
        if json {
            return Ok(say_last(&found, ExitCode::SUCCESS));
        }
        say(format!("{id} at {till}: {}", text(&found, "state").replace('_', " ")))?;
        if let Some(why) = found.get("why").and_then(Value::as_str) {
            say(format!("  {}", visible(why)))?;
        }
        if let Some(slip) = slip(&found) {
            say(format!("  {slip}"))?;
        }
        for event in found.get("events").and_then(Value::as_array).into_iter().flatten() {
            say(format!("  {}", event_line(event)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    complain(format!("no till has an opening {id:?}: `drawerbridge openings` lists them"));
    Err(ExitCode::FAILURE)
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

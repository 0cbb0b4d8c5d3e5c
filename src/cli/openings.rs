//! `drawerbridge openings`: the newest openings of a till, or the whole story of one.
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{ConfigArg, client::Client, complain, runtime, say};

/// List openings, newest first.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct OpeningsArgs {
    #[command(subcommand)]
    one: Option<One>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum One {
    /// Show every event of one opening, from the drawer to Shopify's answer and the slip
    Show {
        #[command(flatten)]
        config: ConfigArg,
        /// The ten characters on the slip and in Shopify's note
        id: String,
        /// Print the daemon's own answer
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
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print the daemon's own answer
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

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(args: &List) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let named = args.till.as_deref().map(|t| client.till(Some(t))).transpose()?;
    let tills: Vec<&str> = named.map_or_else(|| client.tills.iter().map(String::as_str).collect(), |t| vec![t]);
    let runtime = runtime()?;
    let mut all = Vec::new();
    for till in tills {
        let path = format!("/v1/tills/{till}/openings?limit={}", args.limit);
        let answer = runtime.block_on(client.ask(Method::GET, &path, None))?;
        for opening in answer.get("openings").and_then(Value::as_array).into_iter().flatten() {
            let mut opening = opening.clone();
            opening["till"] = Value::from(till);
            all.push(opening);
        }
    }
    if args.json {
        say(Value::from(all));
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        say("no openings yet");
    }
    for o in &all {
        let total = format!("{} {}", text(o, "total"), text(o, "currency"));
        let why = o.get("why").and_then(Value::as_str).map(|w| format!("  ({w})")).unwrap_or_default();
        let at = text(o, "at").get(..19).unwrap_or_default();
        say(format!(
            "{}  {at}Z  {:<10} {:<15} {:>14}  {:<12} {}{why}",
            text(o, "id"),
            text(o, "till"),
            text(o, "state").replace('_', " "),
            total.trim(),
            text(o, "staff"),
            text(o, "session_id"),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &ConfigArg, id: &str, json: bool) -> Result<ExitCode, ExitCode> {
    let client = Client::new(config)?;
    let runtime = runtime()?;
    let id = id.trim().to_ascii_uppercase();
    for till in &client.tills {
        let path = format!("/v1/tills/{till}/openings?limit=500");
        let answer = runtime.block_on(client.ask(Method::GET, &path, None))?;
        let here =
            answer.get("openings").and_then(Value::as_array).is_some_and(|all| all.iter().any(|o| text(o, "id") == id));
        if !here {
            continue;
        }
        let found = runtime.block_on(client.ask(Method::GET, &format!("/v1/tills/{till}/openings/{id}"), None))?;
        if json {
            say(&found);
            return Ok(ExitCode::SUCCESS);
        }
        say(format!("{id} at {till}: {}", text(&found, "state").replace('_', " ")));
        for event in found.get("events").and_then(Value::as_array).into_iter().flatten() {
            say(format!("  {}", super::journal::line(event)));
        }
        return Ok(ExitCode::SUCCESS);
    }
    complain(format!("no opening {id} among the newest: `drawerbridge openings` lists them"));
    Err(ExitCode::FAILURE)
}

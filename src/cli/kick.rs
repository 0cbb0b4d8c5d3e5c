//! `drawerbridge kick`: opens a drawer and says what is proven.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    ConfigArg,
    client::{Client, segment},
    say_last,
};

const LONG: &str = "\
Prints what the drawer's sense line proved within a second ([timing] kick_answer):
  opened         the drawer was shut and is open now
  already_open   the sense line says that it stands open, so no pulse was sent; if it is shut, open_when is the wrong
                 way round or nothing is wired
  not_proven     the pulse was sent, and nothing tells whether the drawer opened: it has no sensor, or the printer
                 says nothing about it; look at the drawer
  jammed         the pulse was sent and the drawer stayed shut: is it locked, or its cable loose?

Exit codes: 0 for the first three; 1 jammed, or this till has no drawer; 75 try again later: no daemon answers, the
printer is unreachable, or another kick is under way.

Examples:
  drawerbridge kick
  drawerbridge kick front-2 --reason \"change for a customer\"";

/// Open a till's drawer.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(super) struct KickArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Which till; not needed when there is one
    till: Option<String>,
    /// Why, for the journal
    #[arg(long, default_value = "command line")]
    reason: String,
    /// Print the daemon's answer: one JSON object with `outcome` and `remedy`
    #[arg(long)]
    json: bool,
}

pub(super) fn kick(args: &KickArgs) -> ExitCode {
    kicked(args).unwrap_or_else(|code| code)
}

fn kicked(args: &KickArgs) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let path = format!("/v1/tills/{}/drawer/kick", segment(client.till(args.till.as_deref())?));
    let answer = client.ask(Method::POST, &path, Some(&json!({ "reason": args.reason })))?;
    let outcome = answer.get("outcome").and_then(Value::as_str).unwrap_or_default();
    let code = if outcome == "jammed" { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    Ok(match (args.json, answer.get("remedy").and_then(Value::as_str)) {
        (true, _) => say_last(&answer, code),
        (false, Some(remedy)) => say_last(format!("{outcome}: {remedy}"), code),
        (false, None) => say_last(outcome, code),
    })
}

//! `drawerbridge kick`: opens a drawer and says what is proven.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ConfigArg, client::Client, runtime, say};

/// Open a till's drawer.
#[derive(Args)]
#[command(
    after_help = "Prints one of: opened, already_open, not_proven (nothing tells), jammed (it stayed shut; exit code 1)."
)]
pub(super) struct KickArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Which till; not needed when there is one
    till: Option<String>,
    /// Why, for the journal
    #[arg(long, default_value = "command line")]
    reason: String,
    /// Print the whole answer
    #[arg(long)]
    json: bool,
}

pub(super) fn kick(args: &KickArgs) -> ExitCode {
    let work = || -> Result<ExitCode, ExitCode> {
        let client = Client::new(&args.config)?;
        let path = format!("/v1/tills/{}/drawer/kick", client.till(args.till.as_deref())?);
        let answer = runtime()?.block_on(client.ask(Method::POST, &path, Some(json!({ "reason": args.reason }))))?;
        let outcome = answer.get("outcome").and_then(Value::as_str).unwrap_or_default();
        match (args.json, answer.get("remedy").and_then(Value::as_str)) {
            (true, _) => say(&answer),
            (false, Some(remedy)) => say(format!("{outcome}: {remedy}")),
            (false, None) => say(outcome),
        }
        Ok(if outcome == "jammed" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    };
    work().unwrap_or_else(|code| code)
}

//! `drawerbridge status`: what the daemon knows of its tills, and since nothing is hidden, what it does not know.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{ConfigArg, client::Client, runtime, say};

/// Show the tills.
#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the daemon's own answer
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> ExitCode {
    let work = || -> Result<ExitCode, ExitCode> {
        let client = Client::new(&args.config)?;
        let answer = runtime()?.block_on(client.ask(Method::GET, "/v1/tills", None))?;
        if args.json {
            say(&answer);
            return Ok(ExitCode::SUCCESS);
        }
        for till in answer.get("tills").and_then(Value::as_array).into_iter().flatten() {
            for line in lines(till) {
                say(line);
            }
        }
        Ok(ExitCode::SUCCESS)
    };
    work().unwrap_or_else(|code| code)
}

fn lines(till: &Value) -> Vec<String> {
    let text = |path: &str| till.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let because =
        |path: &str| till.pointer(path).and_then(Value::as_str).map(|why| format!(", because {why}")).unwrap_or_default();
    let mut lines = vec![format!("{}: shift {}", text("/name"), text("/shift"))];
    lines.push(format!("  drawer   {}{}", text("/drawer/state").replace('_', " "), because("/drawer/why")));
    if till.get("printer").is_some_and(Value::is_object) {
        let mut parts = vec![format!("{}{}", text("/printer/link"), because("/printer/why"))];
        match till.pointer("/printer/online").and_then(Value::as_bool) {
            Some(true) => parts.push("online".to_owned()),
            Some(false) => parts.push("offline".to_owned()),
            None => {}
        }
        let paper = text("/printer/paper");
        if !paper.is_empty() {
            parts.push(format!("paper {}", paper.replace('_', " ")));
        }
        if till.pointer("/printer/cover_open").and_then(Value::as_bool) == Some(true) {
            parts.push("cover open".to_owned());
        }
        parts.extend(Some(text("/printer/error")).filter(|e| !e.is_empty()));
        parts.extend(Some(text("/printer/identity")).filter(|e| !e.is_empty()));
        lines.push(format!("  printer  {}", parts.join(", ")));
    }
    if till.get("display").is_some_and(Value::is_object) {
        lines.push(format!("  display  {}{}", text("/display/link"), because("/display/why")));
    }
    for (n, _) in till.get("keypads").and_then(Value::as_array).into_iter().flatten().enumerate() {
        lines.push(format!("  keypad   {}{}", text(&format!("/keypads/{n}/link")), because(&format!("/keypads/{n}/why"))));
    }
    if till.get("opening").is_some_and(Value::is_object) {
        let total = format!("{} {}", text("/opening/total"), text("/opening/currency"));
        let session = text("/opening/session_id");
        let mut parts = vec![text("/opening/id"), text("/opening/state").replace('_', " ")];
        parts.extend(Some(total.trim().to_owned()).filter(|t| !t.is_empty()));
        parts.extend(Some(session).filter(|s| !s.is_empty()));
        lines.push(format!("  opening  {}{}", parts.join(", "), because("/opening/why")));
    }
    lines
}

//! `drawerbridge journal`: reads the record beside a running daemon, and checks its hash chain.
use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigArg, TRY_LATER, complain, say, settings, with_causes};
use crate::{
    api::row_json,
    journal::{self, JournalError, Row},
};

/// Read or check the journal.
#[derive(Args)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Args)]
struct Source {
    #[command(flatten)]
    config: ConfigArg,
    /// The journal's file, instead of the one named in the configuration
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// List events, oldest first
    List {
        #[command(flatten)]
        source: Source,
        /// Only events after this number
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Show one event with everything it holds
    Show {
        #[command(flatten)]
        source: Source,
        /// Its number
        seq: i64,
    },
    /// Follow the hash chain from the first row to the last
    Verify {
        #[command(flatten)]
        source: Source,
    },
}

/// Rows read at once.
const BATCH: u32 = 1000;

pub(super) fn journal(args: &JournalArgs) -> ExitCode {
    match &args.what {
        What::List { source, after } => list(source, *after),
        What::Show { source, seq } => show(source, *seq),
        What::Verify { source } => verify(source),
    }
    .unwrap_or_else(|code| code)
}

fn file(source: &Source) -> Result<PathBuf, ExitCode> {
    match &source.journal {
        Some(path) => Ok(path.clone()),
        None => Ok(settings(&source.config.config)?.journal),
    }
}

fn failed(error: &JournalError) -> ExitCode {
    complain(with_causes(error));
    if matches!(error, JournalError::Busy { .. }) { ExitCode::from(TRY_LATER) } else { ExitCode::FAILURE }
}

fn list(source: &Source, after: i64) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    let mut seq = after;
    loop {
        let rows = journal::read(&path, seq, BATCH).map_err(|e| failed(&e))?;
        let Some(last) = rows.last() else { return Ok(ExitCode::SUCCESS) };
        seq = last.seq;
        for row in &rows {
            print(row, source.json);
        }
    }
}

fn show(source: &Source, seq: i64) -> Result<ExitCode, ExitCode> {
    let rows = journal::read(&file(source)?, seq - 1, 1).map_err(|e| failed(&e))?;
    match rows.first().filter(|r| r.seq == seq) {
        Some(row) if source.json => say(row_json(row)),
        Some(row) => say(format!("{:#}", row_json(row))),
        None => {
            complain(format!("the journal has no event {seq}: `drawerbridge journal list` shows their numbers"));
            return Err(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(source: &Source) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    match journal::verify(&path) {
        Ok((rows, head)) => {
            let hex: String = head.iter().map(|b| format!("{b:02x}")).collect();
            if source.json {
                say(json!({ "ok": true, "rows": rows, "head": hex }));
            } else {
                say(format!("{}: {rows} events, none changed, none missing, none moved; head {hex}", path.display()));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(e) => {
            if source.json {
                say(json!({ "ok": false, "error": with_causes(&e) }));
            }
            Err(failed(&e))
        }
    }
}

fn print(row: &Row, json: bool) {
    if json { say(row_json(row)) } else { say(line(&row_json(row))) }
}

/// One event on one line for people: number, time, till, name, and the rest as `key=value`.
pub(super) fn line(event: &Value) -> String {
    let text = |name: &str| match event.get(name) {
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut out = format!(
        "{:>6}  {}  {:<10} {:<24}",
        text("seq"),
        text("at").get(..19).unwrap_or_default(),
        text("till"),
        text("name")
    );
    for (key, value) in event.as_object().into_iter().flatten() {
        if ["seq", "at", "till", "name"].contains(&key.as_str()) || value.is_null() {
            continue;
        }
        let value = match value {
            Value::String(s) => s.clone(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        };
        out.push_str(&format!(" {key}={value}"));
    }
    out
}

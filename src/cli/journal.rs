//! `drawerbridge journal`: reads the record beside a running daemon, and checks its hash chain.
use std::{collections::VecDeque, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    ConfigArg, TRY_LATER, complain, say, say_last, settings, with_causes,
    words::{event_block, event_line},
};
use crate::{
    api::row_json,
    journal::{self, JournalError, Row},
};

const LONG: &str = "\
The journal is read beside a running daemon; nothing is ever changed by reading. Times are UTC.

Examples:
  drawerbridge journal list --last 20
  drawerbridge journal show 1005
  drawerbridge journal verify";

const LONG_LIST: &str = "\
One event a line: number, time in UTC, till, name, and what it holds as key=value. Numbers rise and have gaps: each start
of the daemon skips ahead.

Examples:
  drawerbridge journal list --till front-1 --last 20
  drawerbridge journal list --opening 8R0NM4RDQ6 --json | jq .name";

const LONG_SHOW: &str = "\
Examples:
  drawerbridge journal show 1005
  drawerbridge journal show 1005 --json | jq .balance";

const LONG_VERIFY: &str = "\
Each event carries the hash of the one before it, so an event that was changed, moved or taken out of the middle is found.
Events cut off at the end leave a chain that is whole: against that, note the head that is printed somewhere else (on
paper, in another system), and give it to --head later.

Exit codes: 0 the chain holds (and has the head that was given); 1 it does not.

Examples:
  drawerbridge journal verify
  drawerbridge journal verify --journal /mnt/backup/journal.db --head 3fa9…";

/// Read or check the journal.
#[derive(Args)]
#[command(after_long_help = LONG)]
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
}

#[derive(Subcommand)]
enum What {
    /// List events, oldest first
    #[command(after_long_help = LONG_LIST)]
    List(ListArgs),
    /// Show one event with everything it holds
    #[command(after_long_help = LONG_SHOW)]
    Show {
        #[command(flatten)]
        source: Source,
        /// Its number
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        seq: i64,
        /// Print it as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Follow the hash chain from the first event to the last
    #[command(after_long_help = LONG_VERIFY)]
    Verify {
        #[command(flatten)]
        source: Source,
        /// A head noted earlier: the chain must contain it
        #[arg(long, value_name = "HEX")]
        head: Option<String>,
        /// Print one JSON object: `ok`, and `rows`, `last`, `head`, `head_found_at`, or `error`
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    source: Source,
    /// Only events after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// Only events of this till
    #[arg(long)]
    till: Option<String>,
    /// Only events of this opening
    #[arg(long, value_name = "ID")]
    opening: Option<String>,
    /// Only the last so many of them
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

/// Rows read at once.
const BATCH: u32 = 1000;

pub(super) fn journal(args: &JournalArgs) -> ExitCode {
    match &args.what {
        What::List(args) => list(args),
        What::Show { source, seq, json } => show(source, *seq, *json),
        What::Verify { source, head, json } => verify(source, head.as_deref(), *json),
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

fn list(args: &ListArgs) -> Result<ExitCode, ExitCode> {
    let path = file(&args.source)?;
    let opening = args.opening.as_ref().map(|id| id.trim().to_ascii_uppercase());
    let wanted = |row: &Row| {
        args.till.as_ref().is_none_or(|till| row.till == *till)
            && opening.as_ref().is_none_or(|id| row.opening.as_ref().is_some_and(|o| o.as_str() == id))
    };
    let print = |row: &Row| if args.json { say(row_json(row)) } else { say(event_line(&row_json(row))) };
    let mut kept: VecDeque<Row> = VecDeque::new();
    let mut seq = args.after;
    loop {
        let rows = journal::read(&path, seq, BATCH).map_err(|e| failed(&e))?;
        let Some(last) = rows.last() else { break };
        seq = last.seq;
        for row in rows.into_iter().filter(wanted) {
            let Some(last) = args.last else {
                print(&row)?;
                continue;
            };
            kept.push_back(row);
            if kept.len() > last {
                kept.pop_front();
            }
        }
    }
    kept.iter().try_for_each(print)?;
    Ok(ExitCode::SUCCESS)
}

fn show(source: &Source, seq: i64, json: bool) -> Result<ExitCode, ExitCode> {
    let rows = journal::read(&file(source)?, seq - 1, 1).map_err(|e| failed(&e))?;
    let Some(row) = rows.first().filter(|r| r.seq == seq) else {
        complain(format!("the journal has no event {seq}: `drawerbridge journal list` shows their numbers"));
        return Err(ExitCode::FAILURE);
    };
    let event = row_json(row);
    let text = if json { event.to_string() } else { event_block(&event).join("\n") };
    Ok(say_last(text, ExitCode::SUCCESS))
}

fn verify(source: &Source, head: Option<&str>, json: bool) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    let wanted = head.map(|h| h.trim().to_ascii_lowercase());
    let (mut last, mut found_at) = (None, None);
    let followed = journal::verify_each(&path, |seq, hash| {
        last = Some(seq);
        if wanted.as_ref().is_some_and(|wanted| *wanted == hex(hash)) {
            found_at = Some(seq);
        }
    });
    let (rows, now) = match followed {
        Ok(followed) => followed,
        Err(e) => {
            let code = failed(&e);
            return Ok(if json { say_last(json!({ "ok": false, "error": with_causes(&e) }), code) } else { code });
        }
    };
    let now = hex(&now);
    let missing = wanted.is_some() && found_at.is_none();
    let code = if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if missing {
        complain(format!(
            "{}: no event has the head that was given: events were cut off at the end, or it belongs to another journal",
            path.display()
        ));
    }
    if json {
        let mut said = json!({ "ok": !missing, "rows": rows, "last": last, "head": now, "head_found_at": found_at });
        if missing {
            said["error"] = Value::from("no event has the head that was given");
        }
        return Ok(say_last(said, code));
    }
    if missing {
        return Ok(code);
    }
    let Some(last) = last else { return Ok(say_last(format!("{}: no events yet", path.display()), code)) };
    say(format!("{}: {rows} events, none changed or moved up to event {last}", path.display()))?;
    say(format!("head {now}"))?;
    Ok(match found_at {
        Some(seq) if seq == last => {
            say_last("it is the head that was given: nothing is missing, and nothing came after it", code)
        }
        Some(seq) => say_last(format!("the head that was given is event {seq}: up to there nothing is missing"), code),
        None => say_last(
            "compare it with a head noted earlier (--head HEX): events cut off at the end leave no other trace",
            code,
        ),
    })
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

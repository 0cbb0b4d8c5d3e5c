//! `drawerbridge journal`: reads the record beside a running daemon, and checks its hash chain.
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    ConfigArg, TRY_LATER, complain, say, say_last, settings, with_causes,
    words::{event_block, event_line},
};
use crate::{
    api::row_json,
    clock,
    journal::{
        self, JournalError, Report, Row, SalvageError, Salvaged, StoredRow,
        chain::{self, hex, short},
    },
    shift::event::OpeningId,
};

const LONG: &str = "\
The journal is read beside a running daemon; nothing is ever changed by reading. Only salvage writes, and refuses beside a
daemon. Times are UTC.

Examples:
  drawerbridge journal list --last 20
  drawerbridge journal show 1005
  drawerbridge journal verify
  drawerbridge journal export > journal.jsonl";

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
Each event carries the hash of the one before it, so an event that was edited, moved or taken out of the middle is found and
named, as far as it can be told: who changes an event and computes its hash anew is found at the event after it. The table
of unsettled openings is compared with the events. Events cut off at the end leave a chain that is whole: against that, give
a head noted earlier to --head. Each slip has one beside \"Journal\", and /metrics has the newest.

Exit codes: 0 the chain holds (and has the head that was given); 1 it does not.

Examples:
  drawerbridge journal verify
  drawerbridge journal verify --head 3fa9-c1d2-77e0-a4b1
  drawerbridge journal verify --journal /mnt/backup/journal.db --json";

const LONG_EXPORT: &str = "\
One JSON object a line, oldest first: seq, at, till, opening (null where there is none), name, body (the event as the text
that is stored), prev and hash in hex. The chain can be checked without this program: prev is the hash of the line before, 64
zeros on the first, and

  hash = SHA-256( prev as 32 bytes, seq as 8 bytes,
                  and for each of at, till, opening, name, body: its length in bytes as 8 bytes, then its UTF-8 bytes )

with numbers big-endian, and a missing opening as a text of length 0. tests/verify_export.py does that.

Examples:
  drawerbridge journal export > journal.jsonl
  drawerbridge journal export --after 2000000 | jq -r .body";

const LONG_SALVAGE: &str = "\
For a journal that is damaged, so that the daemon does not start. A new journal is made of the events that are whole, with
the numbers they had, and takes the old one's place; the old one is kept beside it as journal.db.quarantine-TIME. What is
missing is said. Counts that are not settled are read at Shopify before anything is sent: among the lost events may be one
that says that a request left. Stop the daemon first.

Exit codes: 0 done; 1 nothing was done, for example because the journal is whole; 75 a daemon has it.

Examples:
  drawerbridge journal salvage --config drawerbridge.toml
  drawerbridge journal salvage --journal journal.db --to what-is-whole.db     leaves journal.db alone";

/// Read, check or mend the journal.
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
        /// A head noted earlier, or its beginning as a slip shows it: the chain must contain it
        #[arg(long, value_name = "HEX", value_parser = head_digits)]
        head: Option<String>,
        /// Print one JSON object: `ok`, `rows`, `last`, `head`, `head_found_at`, `findings`, and `error` when it is not
        #[arg(long)]
        json: bool,
    },
    /// Print every event as it is stored, with its hash, as JSON Lines
    #[command(after_long_help = LONG_EXPORT)]
    Export {
        #[command(flatten)]
        source: Source,
        /// Only events after this number
        #[arg(long, value_name = "SEQ", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        after: i64,
    },
    /// Make a new journal of what is whole in a damaged one
    #[command(after_long_help = LONG_SALVAGE)]
    Salvage {
        #[command(flatten)]
        source: Source,
        /// Write the new journal there, and leave the damaged one alone
        #[arg(long, value_name = "NEW")]
        to: Option<PathBuf>,
        /// Print one JSON object: `kept`, `head`, `copy`, `lost`, `unsettled`, `ended_unknown`, `without_count`
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
        What::Export { source, after } => export(source, *after),
        What::Salvage { source, to, json } => salvage(source, to.as_deref(), *json),
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

/// Fewer digits than this could be those of another event.
const HEAD_DIGITS: usize = 8;

/// A head as somebody noted it: with or without the strokes of a slip, in any case.
fn head_digits(given: &str) -> Result<String, String> {
    let digits: String = given.chars().filter(|c| !matches!(c, '-' | ' ')).collect::<String>().to_ascii_lowercase();
    let fine = digits.bytes().all(|b| b.is_ascii_hexdigit()) && (HEAD_DIGITS..=64).contains(&digits.len());
    let why = || format!("a head is {HEAD_DIGITS} to 64 digits of 0-9 and a-f, as on the slip: 3fa9-c1d2-77e0-a4b1");
    fine.then_some(digits).ok_or_else(why)
}

/// Where the head that was given was found.
#[derive(Clone, Copy)]
enum Found {
    NotAskedFor,
    Nowhere,
    At(i64),
    /// At several events.
    Ambiguous,
}

fn verify(source: &Source, head: Option<&str>, json: bool) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    let mut found = if head.is_some() { Found::Nowhere } else { Found::NotAskedFor };
    let examined = journal::examine(&path, |seq, hash| {
        if head.is_some_and(|head| hex(hash).starts_with(head)) {
            found = if matches!(found, Found::Nowhere) { Found::At(seq) } else { Found::Ambiguous };
        }
    });
    let report = match examined {
        Ok(report) => report,
        Err(e) => {
            let code = failed(&e);
            return Ok(if json { say_last(json!({ "ok": false, "error": with_causes(&e) }), code) } else { code });
        }
    };
    let mut wrong: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.more > 0 {
        wrong.push(format!("and {} more", report.more));
    }
    match found {
        Found::Nowhere => wrong.push(
            "no event has the head that was given: events were cut off at the end, or it belongs to another journal"
                .to_owned(),
        ),
        Found::Ambiguous => {
            wrong.push("several events have a hash that begins like the head that was given: give more of it".to_owned());
        }
        Found::NotAskedFor | Found::At(_) => {}
    }
    for text in &wrong {
        complain(format!("{}: {text}", path.display()));
    }
    if !report.findings.is_empty() {
        complain("keep the file as it is, and ask who could write to it; `journal export` shows every row");
    }
    let code = if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        return Ok(say_last(report_json(&report, found, wrong.first()), code));
    }
    if wrong.is_empty() { say_what_holds(&path, &report, found, code) } else { Ok(code) }
}

fn report_json(report: &Report, found: Found, error: Option<&String>) -> Value {
    let findings: Vec<Value> =
        report.findings.iter().map(|f| json!({ "wrong": f.wrong.name(), "seq": f.seq, "text": f.text })).collect();
    let found_at = if let Found::At(seq) = found { Some(seq) } else { None };
    let mut said = json!({
        "ok": error.is_none(), "rows": report.rows, "last": report.last, "head": hex(&report.head),
        "head_found_at": found_at, "findings": findings,
    });
    if let Some(error) = error {
        said["error"] = Value::from(error.clone());
    }
    said
}

fn say_what_holds(path: &Path, report: &Report, found: Found, code: ExitCode) -> Result<ExitCode, ExitCode> {
    let Some(last) = report.last else { return Ok(say_last(format!("{}: no events yet", path.display()), code)) };
    let rows = report.rows;
    say(format!("{}: {rows} events, none edited, removed or moved up to event {last}", path.display()))?;
    say(format!("head {} (on a slip: {})", hex(&report.head), short(&report.head)))?;
    Ok(match found {
        Found::At(seq) if seq == last => {
            say_last("it is the head that was given: nothing is missing, and nothing came after it", code)
        }
        Found::At(seq) => say_last(format!("the head that was given is event {seq}: up to there nothing is missing"), code),
        Found::NotAskedFor | Found::Nowhere | Found::Ambiguous => say_last(
            "compare it with a head noted earlier (--head HEX): events cut off at the end leave no other trace",
            code,
        ),
    })
}

fn export(source: &Source, after: i64) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    let mut seq = after;
    loop {
        let rows = journal::stored(&path, seq, BATCH).map_err(|e| failed(&e))?;
        let Some(last) = rows.last() else { return Ok(ExitCode::SUCCESS) };
        seq = last.fields.seq;
        let lines: Vec<String> = rows.iter().map(|row| exported(row).to_string()).collect();
        say(lines.join("\n"))?;
    }
}

fn exported(StoredRow { fields, prev, hash }: &StoredRow) -> Value {
    let chain::Fields { seq, at, till, opening, name, body } = fields;
    json!({
        "seq": seq, "at": at, "till": till, "opening": opening, "name": name, "body": body,
        "prev": hex(prev), "hash": hex(hash),
    })
}

fn salvage(source: &Source, to: Option<&Path>, json: bool) -> Result<ExitCode, ExitCode> {
    let path = file(source)?;
    let salvaged = match to {
        Some(to) => journal::salvage_to(&path, to, clock::wall()),
        None => journal::salvage(&path, clock::wall()),
    };
    let salvaged = salvaged.map_err(|e| {
        if let SalvageError::Journal(e) = &e {
            return failed(e);
        }
        complain(with_causes(&e));
        ExitCode::FAILURE
    })?;
    let Salvaged { kept, lost, unsettled, ended_unknown, without_count, head, copy } = &salvaged;
    if json {
        let ids = |ids: &[OpeningId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let said = json!({
            "kept": kept, "head": hex(head), "copy": copy, "lost": lost, "unsettled": ids(unsettled),
            "ended_unknown": ids(ended_unknown), "without_count": ids(without_count),
        });
        return Ok(say_last(said, ExitCode::SUCCESS));
    }
    match to {
        Some(to) => say(format!("{kept} events are whole, and are in {}", to.display()))?,
        None => say(format!("{}: {kept} events are whole, and make the new journal in its place", path.display()))?,
    }
    if let Some(copy) = copy {
        say(format!("the old one is kept as {}", copy.display()))?;
    }
    for text in lost {
        say(format!("missing: {text}"))?;
    }
    for id in unsettled {
        say(format!("{id}: counted and not settled: Shopify is read before anything is sent"))?;
    }
    for id in ended_unknown {
        say(format!("{id}: how it ended is lost: look for [db:{id}] in Shopify"))?;
    }
    for id in without_count {
        say(format!("{id}: it was sent, and its count is lost: look for [db:{id}] in Shopify"))?;
    }
    Ok(say_last(format!("head {}", hex(head)), ExitCode::SUCCESS))
}

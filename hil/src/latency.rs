//! How quick and how small the daemon is, each number beside the floor that the same machine reached in the same run.
//!
//! ## Why floors are measured
//! A millisecond on one till PC is a tenth on another. What a bare reader, a bare write or two bare commits take here and now
//! says what could be reached at all; the aims are multiples of that, with an upper limit in milliseconds.
mod floor;
mod process;
mod rows;
mod stats;
mod table;

use std::{path::PathBuf, time::Duration};

pub use stats::Distribution;
pub use table::{Aim, Row, Table, Verdict};

use crate::bench::{Bench, BenchSpec, client::EventLog, stage::Stage};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct LatencyOptions {
    /// Measurements per row.
    pub runs: usize,
    /// How long the idle daemon is watched.
    pub idle: Duration,
    /// The daemon's program.
    pub program: PathBuf,
}

/// Speed of the printer's line while measuring: the slip of 1.5 KB takes 0.4 s at it.
const BAUD: u32 = 38_400;
/// Starts and openings take most of a second each, so there are fewer of them.
const FEW: usize = 40;

/// Measures all rows. `doing` hears what is being measured. A row that cannot be measured says why in its place.
pub async fn measure(options: &LatencyOptions, mut doing: impl FnMut(&str)) -> Result<Table, String> {
    let few = options.runs.min(FEW);
    let mut table = Table { rows: Vec::new(), machine: process::machine(), program: options.program.display().to_string() };
    let mut stage = till(options, false).await?;
    let dir = stage.bench.dir().to_path_buf();
    doing("start of the process → ready");
    table.take(5, "start of the process → ready", process::starts(&options.program, &dir, few).await);
    rows::start(&mut stage).await?;
    doing("Enter on the confirmation → first byte of the mutation");
    table.take(4, rows::ENTER, rows::enter_to_mutation(&mut stage, few).await);
    rows::open_a_shift(&mut stage).await?;
    // From here on one client listens, as in a shop.
    stage.events = EventLog::default();
    doing("drawer's switch → event at a client");
    table.take(1, rows::SWITCH, rows::switch_to_event(&mut stage, options.runs).await);
    doing("kick asked for → last byte at the printer");
    table.take(2, rows::KICK, rows::kick(&mut stage, options.runs).await);
    doing("idle: memory and wake-ups");
    // Nobody listens any more, as at night.
    let daemon = stage.daemon.as_ref().ok_or("the daemon is gone")?;
    match process::idle(daemon.pid(), options.idle).await {
        Ok(rows) => table.rows.extend(rows),
        Err(why) => table.take(6, "resident memory and wake-ups, idle, one till", Err(why)),
    }
    stop(stage).await?;

    doing("a kick while a slip is being sent");
    let mut stage = till(options, true).await?;
    rows::start(&mut stage).await?;
    rows::open_a_shift(&mut stage).await?;
    table.take(3, rows::KICK_DURING_SLIP, rows::kick_during_slip(&mut stage, few).await);
    stop(stage).await?;
    table.rows.sort_by_key(|row| row.order);
    Ok(table)
}

/// A fresh till. On a paced line bytes take their time; where the daemon's own speed is measured, they do not.
async fn till(options: &LatencyOptions, paced: bool) -> Result<Stage, String> {
    let spec = BenchSpec {
        baud: BAUD,
        paced,
        bounce: 0,
        // As in a shop: nothing is polled while the printer tells changes by itself.
        timing: [
            ("confirm_pause", "0ms"),
            ("kick_answer", "1s"),
            ("poll", "15s"),
            ("reopen_first", "100ms"),
            ("print_proof", "10s"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec(),
        ..BenchSpec::default()
    };
    let bench = Bench::start(spec).await.map_err(|e| format!("the till cannot be brought up: {e}"))?;
    Ok(Stage::new(bench, Some(options.program.clone())))
}

async fn stop(mut stage: Stage) -> Result<(), String> {
    match stage.daemon.take() {
        Some(daemon) => daemon.stop().await.map(drop),
        None => Ok(()),
    }
}

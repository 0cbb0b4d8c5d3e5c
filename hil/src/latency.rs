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

use crate::bench::{Bench, BenchSpec, stage::Stage};

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

/// Measures all rows. `doing` hears what is being measured.
pub async fn measure(options: &LatencyOptions, mut doing: impl FnMut(&str)) -> Result<Table, String> {
    let spec = BenchSpec {
        baud: BAUD,
        bounce: 0,
        // As in a shop: nothing is polled while the printer tells changes by itself.
        timing: [("kick_answer", "1s"), ("poll", "15s"), ("reopen_first", "100ms"), ("print_proof", "10s")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec(),
        ..BenchSpec::default()
    };
    let bench = Bench::start(spec).await.map_err(|e| format!("the till cannot be brought up: {e}"))?;
    let mut rows = Vec::new();
    doing("start of the process → ready");
    rows.push(process::starts(&options.program, bench.dir(), options.runs.min(FEW)).await?);

    let mut stage = Stage::new(bench, Some(options.program.clone()));
    rows::start(&mut stage).await?;
    doing("Enter on the confirmation → first byte of the mutation");
    rows.push(rows::enter_to_mutation(&mut stage, options.runs.min(FEW)).await?);
    rows::open_a_shift(&mut stage).await?;
    doing("drawer's switch → event at a client");
    rows.push(rows::switch_to_event(&mut stage, options.runs).await?);
    doing("kick asked for → last byte at the printer");
    rows.push(rows::kick(&mut stage, options.runs).await?);
    doing("the same while a slip is being sent");
    rows.push(rows::kick_during_slip(&mut stage, options.runs.min(FEW)).await?);
    doing("idle: memory and wake-ups");
    let daemon = stage.daemon.as_ref().ok_or("the daemon is gone")?;
    let idle = process::idle(daemon.pid(), options.idle).await?;
    rows.extend(idle);
    rows.sort_by_key(|row| row.order);
    if let Some(daemon) = stage.daemon.take() {
        daemon.stop().await?;
    }
    Ok(Table { rows, machine: process::machine(), program: options.program.display().to_string() })
}

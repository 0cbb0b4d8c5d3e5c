//! The outcome matrix: every fault of the simulated Admin API × every state of the submission machine × many seeds. The real
//! machine, the real client over loopback HTTP, the real journal, the real simulated shop.
//!
//! ```text
//! cargo test --test matrix                                             each cell plain, and once more with a seed
//! cargo test --release --test matrix -- --seeds 50 --seed 7            the long one
//! cargo test --test matrix -- --one drop-after open-1 0                one run, told step by step
//! ```
//! Seed 0 of a cell is plain: nothing but the fault happens, and the end must be the one of the table in `cells.rs`. The
//! other seeds vary the amount, the shop's clock, scopes, rules, what colleagues do at the register, add a second fault and a
//! crash; of them it must be true what `check.rs` says.
#![allow(clippy::unwrap_used, reason = "a proof may stop at what it does not expect")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a proof names the events it looks for")]
#![expect(clippy::print_stdout, reason = "a proof says what it found")]

mod cells;
mod check;
#[path = "../power_loss/dice.rs"]
mod dice;
mod drive;
mod plan;

use std::{
    collections::BTreeMap,
    env,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use cells::{At, Cell, End};
use dice::Dice;
use drawerbridge::journal;
use drawerbridge_hil::progress::{Progress, grouped};
use drive::{Desk, Run};

/// Beside the plain one. `cargo test` is to stay quick.
const SEEDS: u64 = 1;
const SEED: u64 = 7;
/// Runs at a time: most of each is waiting, the more so the quicker the program is.
const DESKS: usize = if cfg!(debug_assertions) { 10 } else { 32 };
/// A run that is not as it must be, on a machine so busy that an answer came too late all by itself, is run again, this
/// often. A violation of what must never happen is told at once.
const AGAIN: u32 = 5;

/// What came of one run.
struct Report {
    cell: Cell,
    seed: u64,
    end: Result<End, String>,
    wrong: Vec<String>,
    struck: bool,
    mutations: usize,
    again: u32,
    trace: Vec<String>,
}

async fn once(desk: &mut Desk, cell: &Cell, seed: u64, traced: bool) -> Report {
    let mut again = 0;
    loop {
        let mut run = Run::new(desk, cell, seed, traced);
        let end = run.play().await;
        let mut wrong = Vec::new();
        match &end {
            Err(why) => wrong.push(why.clone()),
            Ok(end) => {
                wrong.extend(check::check(&run, end).await);
                if run.plan.plain && *end != cell.ends() {
                    wrong.push(format!("the end must be `{}`, and is `{end}`", cell.ends()));
                }
            }
        }
        let mutations = run.desk.api.requests().iter().filter(|row| row.operation.ends_with("Session")).count();
        if cell.at == At::Echo && end == Ok(End::Confirmed) {
            wrong.extend(run.echo().await.err());
        }
        if run.plan.plain && !run.struck {
            wrong.push("the fault did not strike: the state under test was not reached".to_owned());
        }
        let may_be_late = run.plan.plain || end.is_err();
        if !wrong.is_empty() && !wrong.iter().any(|w| is_a_violation(w)) && may_be_late && run.slow > 0 && again < AGAIN {
            again += 1;
            continue;
        }
        let (struck, trace) = (run.struck, run.trace.take().unwrap_or_default());
        return Report { cell: cell.clone(), seed, end, wrong, struck, mutations, again, trace };
    }
}

/// Whatever the machine is busy with: this must never be.
fn is_a_violation(wrong: &str) -> bool {
    wrong.chars().take_while(|c| *c != ':').all(|c| c.is_ascii_uppercase() || c == ' ')
}

fn command(report: &Report) -> String {
    format!("cargo test --test matrix -- --one {} {} {}", report.cell.trouble, report.cell.at.name(), report.seed)
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let after = |name: &str| args.iter().position(|arg| arg == name).map(|at| &args[at + 1..]);
    let number = |name: &str| {
        let value = after(name)?.first()?;
        Some(value.parse::<u64>().unwrap_or_else(|_| panic!("{name} {value}: a whole number is needed")))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(rest) = after("--one") {
        return runtime.block_on(replay(rest));
    }
    let (seeds, seed) = (number("--seeds").unwrap_or(SEEDS), number("--seed").unwrap_or(SEED));
    runtime.block_on(all(seeds, seed))
}

async fn replay(args: &[String]) -> ExitCode {
    let [trouble, at, seed, ..] = args else {
        println!("--one FAULT STATE SEED");
        return ExitCode::FAILURE;
    };
    let cell = Cell::all().into_iter().find(|cell| cell.trouble.is(trouble) && cell.at.name() == at.as_str());
    let (Some(cell), Ok(seed)) = (cell, seed.parse::<u64>()) else {
        let states = At::ALL.map(At::name).join(", ");
        println!("no such cell: a fault of `drawerbridge-hil faults` or api-down, one of {states}, and a number");
        return ExitCode::FAILURE;
    };
    let mut desk = Desk::new().await.unwrap();
    let report = once(&mut desk, &cell, seed, true).await;
    report.trace.iter().for_each(|line| println!("{line}"));
    let end = report.end.as_ref().map_or_else(Clone::clone, ToString::to_string);
    println!("matrix: {cell}, seed {seed}: {end}; {} mutations, {} violations", report.mutations, report.wrong.len());
    report.wrong.iter().for_each(|wrong| println!("  {wrong}"));
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn all(seeds: u64, seed: u64) -> ExitCode {
    let cells = Cell::all();
    let mut dice = Dice::new(seed);
    // Seeds run through all cells one after the other, so that slow cells are spread.
    let jobs: Vec<(Cell, u64)> = (0..=seeds)
        .flat_map(|n| cells.iter().cloned().map(move |cell| (cell, n)))
        .map(|(cell, n)| (cell, if n == 0 { 0 } else { dice.next() | 1 }))
        .collect();
    let (jobs, next) = (Arc::new(jobs), Arc::new(AtomicUsize::new(0)));
    let progress = Arc::new(Progress::new("matrix", u64::try_from(jobs.len()).unwrap()));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let mut desks = tokio::task::JoinSet::new();
    for _ in 0..DESKS {
        let (jobs, next, progress, reports) = (jobs.clone(), next.clone(), progress.clone(), reports.clone());
        desks.spawn(async move {
            let mut desk = Desk::new().await.map_err(|e| e.to_string())?;
            while let Some((cell, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let report = once(&mut desk, cell, *seed, false).await;
                if !report.wrong.is_empty() {
                    progress.note(&format!("{cell}, seed {seed}: {}", report.wrong.join("; ")));
                }
                reports.lock().unwrap().push(report);
                progress.step(1);
            }
            let file = desk.journal_file();
            journal::verify(&file).map(|_| ()).map_err(|e| e.to_string())
        });
    }
    let mut broken = Vec::new();
    while let Some(ended) = desks.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(why)) => broken.push(why),
            Err(panic) => broken.push(panic.to_string()),
        }
    }
    progress.finish();
    let reports = std::mem::take(&mut *reports.lock().unwrap());
    tell(&cells, &reports, &broken, seed, progress.elapsed().as_secs())
}

fn tell(cells: &[Cell], reports: &[Report], broken: &[String], seed: u64, seconds: u64) -> ExitCode {
    let mut ends = BTreeMap::new();
    for report in reports {
        let end = report.end.as_ref().map_or_else(|why| format!("no end: {why}"), ToString::to_string);
        *ends.entry(end).or_insert(0_usize) += 1;
    }
    let ends: Vec<String> = ends.into_iter().map(|(end, n)| format!("{end} {n}")).collect();
    println!("matrix: {}", ends.join(", "));
    let mut struck: BTreeMap<String, usize> = BTreeMap::new();
    for report in reports {
        *struck.entry(report.cell.to_string()).or_default() += usize::from(report.struck);
    }
    let least = struck.values().min().copied().unwrap_or_default();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let count = |is: fn(&str) -> bool| reports.iter().filter(|r| r.wrong.iter().any(|w| is(w))).count();
    println!(
        "matrix: {} cells (faults × states), {} runs, seed {seed}, {} mutations at the shop, {} runs reached their state (at \
         least {least} in each cell), {} duplicates, {} false confirmations, {} resends without proof, {} violations in all, {} runs again because this \
         machine was busy, {seconds} s",
        cells.len(),
        grouped(u64::try_from(reports.len()).unwrap()),
        grouped(u64::try_from(sum(|r| r.mutations)).unwrap()),
        sum(|r| usize::from(r.struck)),
        count(|w| w.starts_with("DUPLICATE")),
        count(|w| w.starts_with("FALSE CONFIRMATION")),
        count(|w| w.starts_with("RESENT WITHOUT PROOF") || w.starts_with("WRONG PROOF") || w.starts_with("NO INTENT")),
        sum(|r| r.wrong.len()) + broken.len(),
        sum(|r| usize::try_from(r.again).unwrap()),
    );
    broken.iter().for_each(|why| println!("a desk failed: {why}"));
    for report in reports.iter().filter(|r| !r.wrong.is_empty()).take(20) {
        println!("{}, seed {}: {}", report.cell, report.seed, report.wrong.join("; "));
        println!("  again: {}", command(report));
    }
    if broken.is_empty() && reports.iter().all(|r| r.wrong.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

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
//! crash; of them it must be true what `check.rs` says. What is varied may keep the fault from striking: the cell then goes on
//! with further seeds, until `--seeds` of its runs were struck beside the plain one.
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
/// A cell that needs more runs than this for each that is struck, or in all, is not reached as it is meant to be.
const TRIES: u64 = 4;
const TRIES_AT_LEAST: u64 = 20;
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
                wrong.extend(check::check(&mut run, end).await);
                if run.plan.plain && *end != cell.ends() {
                    wrong.push(format!("the end must be `{}`, and is `{end}`", cell.ends()));
                }
            }
        }
        let mutations = run.desk.api.requests().iter().filter(|row| row.operation.ends_with("Session")).count();
        if cell.at == At::Echo && end == Ok(End::Confirmed) {
            wrong.extend(run.echo().await.err());
        }
        if run.plan.plain && !run.hit {
            wrong.push("the fault did not strike: the state under test was not reached".to_owned());
        }
        let may_be_late = run.plan.plain || end.is_err();
        if !wrong.is_empty() && !wrong.iter().any(|w| is_a_violation(w)) && may_be_late && run.slow > 0 && again < AGAIN {
            again += 1;
            continue;
        }
        let (struck, trace) = (run.hit, run.trace.take().unwrap_or_default());
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
    let struck = if report.struck { "struck" } else { "not struck" };
    println!(
        "matrix: {cell}, seed {seed}, {struck}: {end}; {} mutations, {} violations",
        report.mutations,
        report.wrong.len()
    );
    report.wrong.iter().for_each(|wrong| println!("  {wrong}"));
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn all(seeds: u64, seed: u64) -> ExitCode {
    assert!(check::finds_two_in_doubt(), "a proof must be able to fail");
    let series: Arc<Vec<Series>> = Arc::new(Cell::all().into_iter().map(|cell| Series::new(cell, seeds, seed)).collect());
    // One struck run of each cell after the other, so that slow cells are spread.
    let goals = series.len() * usize::try_from(seeds + 1).unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let progress = Arc::new(Progress::new("matrix", u64::try_from(goals).unwrap()));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let mut desks = tokio::task::JoinSet::new();
    for _ in 0..DESKS {
        let (series, next, progress, reports) = (series.clone(), next.clone(), progress.clone(), reports.clone());
        desks.spawn(async move {
            let mut desk = Desk::new().await.map_err(|e| e.to_string())?;
            loop {
                let goal = next.fetch_add(1, Ordering::Relaxed);
                if goal >= goals {
                    break;
                }
                let of = &series[goal % series.len()];
                while let Some(seed) = of.next_seed() {
                    let report = once(&mut desk, &of.cell, seed, false).await;
                    if !report.wrong.is_empty() {
                        progress.note(&format!("{}, seed {seed}: {}", of.cell, report.wrong.join("; ")));
                    }
                    let struck = report.struck;
                    reports.lock().unwrap().push(report);
                    // What is wrong is not made right by another seed.
                    if struck || seed == 0 {
                        break;
                    }
                }
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
    tell(&series, &reports, &broken, (seeds, seed), progress.elapsed().as_secs())
}

/// The runs of one cell.
struct Series {
    cell: Cell,
    seeds: Vec<u64>,
    next: AtomicUsize,
}

impl Series {
    /// The plain one first. Which seeds follow depends on the cell and the seed of the whole alone.
    fn new(cell: Cell, seeds: u64, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ plan::name_hash(&cell.to_string()));
        let varied = if seeds == 0 { 0 } else { (TRIES * seeds).max(TRIES_AT_LEAST) };
        let seeds = std::iter::once(0).chain((0..varied).map(|_| dice.next() | 1)).collect();
        Self { cell, seeds, next: AtomicUsize::new(0) }
    }

    /// `None`: there have been too many.
    fn next_seed(&self) -> Option<u64> {
        self.seeds.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }
}

fn tell(series: &[Series], reports: &[Report], broken: &[String], (seeds, seed): (u64, u64), seconds: u64) -> ExitCode {
    let mut ends = BTreeMap::new();
    for report in reports {
        let end = report.end.as_ref().map_or_else(|why| format!("no end: {why}"), ToString::to_string);
        *ends.entry(end).or_insert(0_usize) += 1;
    }
    let ends: Vec<String> = ends.into_iter().map(|(end, n)| format!("{end} {n}")).collect();
    println!("matrix: {}", ends.join(", "));
    let mut struck: BTreeMap<String, u64> = BTreeMap::new();
    for report in reports {
        *struck.entry(report.cell.to_string()).or_default() += u64::from(report.struck);
    }
    let least = struck.values().min().copied().unwrap_or_default();
    let missed: Vec<String> = struck.iter().filter(|(_, n)| **n <= seeds).map(|(cell, n)| format!("{cell} ({n})")).collect();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let count = |is: fn(&str) -> bool| reports.iter().filter(|r| r.wrong.iter().any(|w| is(w))).count();
    println!(
        "matrix: {} cells (faults × states), {} runs, seed {seed}, {} struck, at least {least} in each cell; {} mutations at \
         the shop, {} duplicates, {} false confirmations, {} resends without proof, {} devices with two openings in doubt, \
         {} violations in all, {} runs again because this machine was busy, {seconds} s",
        series.len(),
        grouped(u64::try_from(reports.len()).unwrap()),
        grouped(u64::try_from(sum(|r| usize::from(r.struck))).unwrap()),
        grouped(u64::try_from(sum(|r| r.mutations)).unwrap()),
        count(|w| w.starts_with("DUPLICATE")),
        count(|w| w.starts_with("FALSE CONFIRMATION")),
        count(|w| w.starts_with("RESENT WITHOUT PROOF") || w.starts_with("WRONG PROOF") || w.starts_with("NO INTENT")),
        count(|w| w.starts_with("TWO IN DOUBT")),
        sum(|r| r.wrong.len()) + broken.len(),
        sum(|r| usize::try_from(r.again).unwrap()),
    );
    for cell in &missed {
        println!("not struck often enough, {} runs are needed: {cell}", seeds + 1);
    }
    if !missed.is_empty() {
        println!("  again: cargo test --test matrix -- --seeds {seeds} --seed {seed}");
    }
    broken.iter().for_each(|why| println!("a desk failed: {why}"));
    for report in reports.iter().filter(|r| !r.wrong.is_empty()).take(20) {
        println!("{}, seed {}: {}", report.cell, report.seed, report.wrong.join("; "));
        println!("  again: {}", command(report));
    }
    if broken.is_empty() && missed.is_empty() && reports.iter().all(|r| r.wrong.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

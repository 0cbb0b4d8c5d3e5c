//! The simulation of issue 3: openings in worlds of faults, and the invariants that hold in all of them.
//!
//! ```text
//! cargo test --test simulation                                             10,000 openings
//! cargo test --release --test simulation -- --openings 1000000 --seed 7    the long one
//! cargo test --test simulation -- --one SEED [--trace]                     one world, step by step
//! ```
#![allow(clippy::unwrap_used, reason = "a proof may stop at what it does not expect")]
#![expect(clippy::print_stdout, reason = "a proof says what it found")]

#[path = "mod.rs"]
mod simulation;

use std::{env, process::ExitCode};

// The daemon's `records.rs` and `session_watch.rs` are compiled here as they stand: their paths lead into the library.
use drawerbridge::{clock, journal, opening, shift};

const OPENINGS: u64 = 10_000;
const SEED: u64 = 7;
/// Steps that are shown of a world that broke a rule.
const SHOWN: usize = 60;

fn main() -> ExitCode {
    // What `cargo test` hands to every target (filters, --nocapture and the like) is no concern of this one.
    let args: Vec<_> = env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let given = |name: &str| {
        let value = args.iter().skip_while(|arg| *arg != name).nth(1)?;
        Some(value.parse::<u64>().unwrap_or_else(|_| panic!("{name} {value}: a whole number is needed")))
    };
    let seed = given("--seed").unwrap_or(SEED);
    if let Some(world) = given("--one") {
        return replay(world, args.iter().any(|arg| arg == "--trace"));
    }
    let openings = given("--openings").unwrap_or(OPENINGS);
    let start = clock::now();
    let outcome = with_progress(openings, seed);
    let seconds = clock::now().duration_since(start).as_secs();
    println!(
        "simulation: {} openings, seed {seed}, {seconds} s: {} violations ({})",
        outcome.tally.of("openings"),
        outcome.violations.len(),
        outcome.tally
    );
    if let Some((n, violation)) = outcome.violations.first() {
        println!("world {n} of seed {seed}:");
        return replay(violation.world, false);
    }
    // The same seed, the same worlds, to the last event.
    for n in 0..5 {
        let world = simulation::world_seed(seed, n);
        let (one, other) = (simulation::one(world, false), simulation::one(world, true));
        if (one.hash, one.steps, &one.tally) != (other.hash, other.steps, &other.tally) {
            println!("simulation: world {world} is not the same twice: {} and {}", one.hash, other.hash);
            return ExitCode::FAILURE;
        }
    }
    let missing = outcome.tally.missing();
    if openings >= OPENINGS && !missing.is_empty() {
        println!("simulation: proves nothing of what never happened: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(feature = "demo")]
fn with_progress(openings: u64, seed: u64) -> simulation::Outcome {
    let progress = drawerbridge_hil::progress::Progress::new("simulation", openings);
    let outcome = simulation::run(openings, seed, &|n| progress.step(n));
    progress.finish();
    outcome
}

#[cfg(not(feature = "demo"))]
fn with_progress(openings: u64, seed: u64) -> simulation::Outcome {
    simulation::run(openings, seed, &|_| {})
}

/// One world again, with what happened in it.
fn replay(world: u64, whole: bool) -> ExitCode {
    let ended = simulation::one(world, true);
    let from = if whole { 0 } else { ended.trace.len().saturating_sub(SHOWN) };
    ended.trace[from..].iter().for_each(|line| println!("{line}"));
    println!("world {world}: {} steps, hash {:016x}: {}", ended.steps, ended.hash, ended.tally);
    let Some(violation) = ended.violation else { return ExitCode::SUCCESS };
    println!("world {world} breaks \"{}\" in step {}: {}", violation.rule, violation.step, violation.what);
    println!("again: cargo test --test simulation -- --one {world} --trace");
    ExitCode::FAILURE
}

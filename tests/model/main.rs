//! The model check of the submission machine: every world within the bounds, with the real machine in it.
//!
//! ```text
//! cargo test --test model                          the short one: the same worlds, fewer faults
//! cargo test --release --test model -- --full      everything
//! cargo test --release --test model -- --full --only "two daemons, two devices"
//! ```
//!
//! What is assumed of the network stands in `world.rs`. Besides:
//! - Who decides has looked at Shopify. A person who lets a count be recorded although an attempt of it stands in that very
//!   ledger, after `ambiguous`, makes a second line; nothing but that look could prevent it.
//! - A copy of a journal (`Clones`) and a request that a proxy delivers twice can make two sessions of one count where a
//!   person closes the first one in between. There it is checked that never two are open, and that the story does not end with
//!   a confirmation that nobody doubts.
//! - With two devices, all faults of a story together are three at most.
#![allow(clippy::unwrap_used, reason = "a proof may stop at what it does not expect")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a proof names what it looks for")]
#![expect(clippy::print_stdout, reason = "a proof says what it found")]

mod attempts;
mod check;
mod expected;
mod few;
mod mind;
mod play;
mod runs;
mod search;
mod shop;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::ExitCode,
    sync::Mutex,
};

use drawerbridge::clock;
use drawerbridge_hil::progress::grouped;

use crate::{
    runs::{Setup, runs},
    search::{Found, bounds, explore},
};

/// As many as a small machine has cores.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    // What `cargo test` hands to every target (filters, --nocapture and the like) is no concern of this one.
    let args: Vec<_> = env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let full = args.iter().any(|arg| arg == "--full");
    let only = args.iter().skip_while(|arg| *arg != "--only").nth(1);
    let setups: Vec<Setup> = runs(full).into_iter().filter(|s| only.is_none_or(|only| s.name == only)).collect();
    let start = clock::now();
    let (waiting, done) = (Mutex::new(setups.iter()), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(setup) = waiting.lock().unwrap().next() else { return };
                    let found = explore(setup);
                    say(setup, &found);
                    done.lock().unwrap().push(found);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let worlds: usize = done.iter().map(|f| f.worlds).sum();
    let edges: u64 = done.iter().map(|f| f.edges).sum();
    let depth = done.iter().map(|f| f.depth).max().unwrap_or(0);
    let violations = done.iter().filter(|f| f.counterexample.is_some()).count();
    let missed = if only.is_none() { coverage(&done) } else { 0 };
    println!(
        "model: {} worlds, {} edges, {} states, depth {depth}, {violations} violations, {missed} not as expected, {} s",
        setups.len(),
        grouped(edges),
        grouped(u64::try_from(worlds).unwrap_or(u64::MAX)),
        clock::now().duration_since(start).as_secs()
    );
    if violations == 0 && missed == 0 {
        return ExitCode::SUCCESS;
    }
    println!(
        "again: cargo test{} --test model --{}",
        if full { " --release" } else { "" },
        if full { " --full" } else { "" }
    );
    ExitCode::FAILURE
}

/// One run's line, at once: the whole takes minutes.
fn say(setup: &Setup, found: &Found) {
    let ms = found.took.as_millis();
    println!(
        "model: {}: {} states, {} edges, depth {}, {} machines, {}.{} s ({})",
        setup.name,
        grouped(u64::try_from(found.worlds).unwrap_or(u64::MAX)),
        grouped(found.edges),
        found.depth,
        grouped(u64::try_from(found.machines).unwrap_or(u64::MAX)),
        ms / 1000,
        ms % 1000 / 100,
        bounds(setup)
    );
    if let Some(way) = &found.counterexample {
        println!("{way}");
    }
}

/// The table of what was reached, and how many things of it are not as they should be.
fn coverage(done: &[Found]) -> usize {
    let (mut states, mut ends) = (BTreeSet::new(), BTreeSet::new());
    let mut edges: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut tested: BTreeMap<&str, u64> = BTreeMap::new();
    for found in done {
        states.extend(found.reached.states.keys().map(String::as_str));
        ends.extend(found.reached.ends.iter().map(String::as_str));
        for ((from, to), n) in &found.reached.edges {
            *edges.entry((from, to)).or_default() += n;
        }
        for (property, n) in &found.reached.tested {
            *tested.entry(property).or_default() += n;
        }
    }
    for (property, n) in &tested {
        println!("model: held {:>14} times: {property}", grouped(*n));
    }
    println!("model: {} states of the machine, {} edges between them", states.len(), edges.len());
    // Lists of both kinds are sorted, so a table reads the same every time.
    let mut by_state: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        by_state.entry(from).or_default().push(to);
    }
    for (from, to) in &by_state {
        println!("    {from} → {}", to.join(", "));
    }
    println!("model: ends: {}", ends.iter().copied().collect::<Vec<_>>().join(", "));
    expected::missed(&states, &by_state, &ends, &tested)
}

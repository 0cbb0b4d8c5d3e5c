//! The deterministic simulation: the real machines of a till in a modelled world, on virtual time.
//!
//! [`world`] lives one seed; [`till`] is the wiring, close to the daemon's; [`journal`], [`server`], [`network`] and [`people`]
//! are models; [`assumptions`] says within which bounds; [`rules`] has the invariants; [`tally`] counts what happened.
#![allow(clippy::wildcard_enum_match_arm, reason = "a rule names what it looks for")]

pub mod assumptions;
#[path = "../power_loss/dice.rs"]
pub mod dice;
pub mod journal;
pub mod network;
pub mod people;
/// The daemon's own files: pure, and private to the daemon.
#[path = "../../src/daemon/records.rs"]
#[allow(unused_imports, dead_code, reason = "its own tests run with the library")]
mod records;
pub mod rules;
pub mod server;
/// The same.
#[path = "../../src/daemon/session_watch.rs"]
#[allow(unused_imports, dead_code, reason = "its own tests run with the library")]
mod session_watch;
pub mod tally;
pub mod till;
pub mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use drawerbridge::clock;

use dice::Dice;
use tally::Tally;
use world::{Ended, OPENINGS, Violation, World};

/// Both cores of a small machine.
const THREADS: usize = 2;

/// What many worlds came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub tally: Tally,
    pub worlds: u64,
    pub hash: u64,
    /// By the number of the world.
    pub violations: Vec<(u64, Violation)>,
}

/// The seed of a world.
pub fn world_seed(seed: u64, n: u64) -> u64 {
    Dice::new(seed ^ Dice::new(n).next()).next()
}

/// One world. A panic of a machine is a violation, too.
pub fn one(seed: u64, trace: bool) -> Ended {
    let base = clock::now();
    catch_unwind(AssertUnwindSafe(|| World::live(seed, base, trace))).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let what = what.unwrap_or_default();
        let violation = Some(Violation { world: seed, step: 0, rule: "nothing panics", what });
        Ended { tally: Tally::default(), hash: 0, steps: 0, violation, trace: Vec::new() }
    })
}

/// So many openings, in worlds of [`OPENINGS`] each. Stops at the first worlds that hold no more.
pub fn run(openings: u64, seed: u64, step: &(dyn Fn(u64) + Sync)) -> Outcome {
    let worlds = openings.div_ceil(u64::from(OPENINGS));
    let (next, stop, outcome) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Outcome::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut mine = Outcome::default();
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= worlds {
                        break;
                    }
                    let ended = one(world_seed(seed, n), false);
                    mine.worlds += 1;
                    mine.hash ^= Dice::new(ended.hash ^ n).next();
                    mine.tally.merge(&ended.tally);
                    if let Some(violation) = ended.violation {
                        mine.violations.push((n, violation));
                        stop.store(true, Ordering::Relaxed);
                    }
                    step(u64::from(OPENINGS));
                }
                let mut all = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                all.tally.merge(&mine.tally);
                all.worlds += mine.worlds;
                all.hash ^= mine.hash;
                all.violations.extend(mine.violations);
            });
        }
    });
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.violations.sort_by_key(|(n, _)| *n);
    outcome
}

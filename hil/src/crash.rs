//! Proofs that the daemon's process may end at any moment: `kill -9` at random ([`kill`]), and at, around
//! and inside every system call that leaves something behind ([`syscalls`]).
//!
//! Both play openings at a whole simulated till, keep books of what was acknowledged to people, and hold the journal, the
//! shop, the display and the paper against them ([`books`]). Neither knows anything of how the daemon does it.
//!
//! ## What a seed repeats
//! The choices: what is counted, which faults strike, at which moments the process ends. Not the race between two processes.
//! A failure that depends on microseconds may need its command several times.
mod books;
mod hand;
pub mod kill;
mod rng;
pub mod syscalls;
mod till;
mod trace;

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
};

/// A seed that nobody has asked for. Short, because people copy it.
#[must_use]
pub fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000
}

/// Something that must never happen, with what is needed to look at it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where: `till 3, opening 17`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// Configuration, journal and slips of the till.
    pub folder: PathBuf,
    /// The command that does the same again.
    pub again: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, folder, again } = self;
        write!(f, "FAILED at {place}: {what}\n  kept in {}\n  again: {again}", folder.display())
    }
}

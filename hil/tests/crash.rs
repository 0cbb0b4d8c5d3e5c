//! The short versions of `drawerbridge-hil kill` and `drawerbridge-hil syscalls`, against the real daemon process.
//!
//! The seeds are fixed, so that a change is held against the same choices; the long versions take fresh ones.
use std::{io::Write as _, path::PathBuf};

use drawerbridge_hil::{
    bench::{
        self,
        daemon::{find_program, refuse_stale},
    },
    crash::{
        kill::{self, KillOptions},
        syscalls::{self, SyscallOptions},
    },
};

fn program() -> PathBuf {
    let program = find_program(None).unwrap_or_else(|why| panic!("{why}"));
    refuse_stale(&program).unwrap_or_else(|why| panic!("{why}"));
    bench::patience().unwrap_or_else(|why| panic!("{why}"));
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_sixty_moments_it_loses_and_doubles_nothing() {
    let options = KillOptions { cycles: 60, seed: 1_042, jobs: 8, till: None, program: program() };
    let report = kill::run(&options).await;
    println!("{report}");
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.ok() && report.cycles == options.cycles, "{}\n{report}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_or_refused_at_a_dozen_system_calls_it_loses_and_doubles_nothing() {
    if let Some(why) = syscalls::missing() {
        // Past the test harness, which swallows what a passing test prints.
        let line = "!".repeat(90);
        let text =
            format!("\n{line}\n!!! SKIPPED: {why}\n!!! Untested now: that the daemon may end at any system call.\n{line}\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return;
    }
    let options = SyscallOptions { runs: Some(14), only: None, seed: 1_042, jobs: 4, program: program() };
    let report = syscalls::run(&options).await.unwrap_or_else(|why| panic!("{why}"));
    println!("{report}");
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.ok(), "{}\n{report}", failures.join("\n"));
}

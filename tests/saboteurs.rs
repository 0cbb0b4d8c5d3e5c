//! Proofs that can fail: with a deliberate mistake switched on, each of them finds violations; without it, none.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests may stop the test and say why")]
#![allow(clippy::duplicate_mod, reason = "two proofs throw the same dice, and each is a target of its own, too")]

mod power_loss;
#[allow(dead_code, reason = "a single world is replayed by the simulation's own target")]
mod simulation;

use std::{
    env,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

// The simulation compiles the daemon's `session_watch.rs` as it stands: its paths lead into the library.
use drawerbridge::{
    clock, journal, opening,
    saboteur::{self, Saboteur, VARIABLE},
    shift,
};
use drawerbridge_hil::crash::syscalls::{self, SyscallOptions};
use power_loss::{NoProof, Outcome, Spec, prove, was_the_writer};

/// Not a test of anything: the process that the power-loss proof records is this one, asked for nothing else.
#[test]
fn the_writer_of_the_power_loss_proof() {
    was_the_writer();
}

/// Set where strace cannot be had: what needs it is then skipped.
const WITHOUT_STRACE: &str = "DRAWERBRIDGE_WITHOUT_STRACE";

/// A proof that was not made has proven nothing: it passes only where somebody knows that.
fn skip_if_allowed(why: &str) {
    let allowed = env::var_os(WITHOUT_STRACE).is_some_and(|set| !set.is_empty());
    assert!(allowed, "nothing is proven: {why}; or set {WITHOUT_STRACE}=1 to go without this proof");
    println!("SKIPPED, nothing is proven: {why}");
}

/// `None` where the machine cannot record, and that is allowed.
fn power_loss_with(saboteur: Option<Saboteur>) -> Option<Outcome> {
    let writer = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["the_writer_of_the_power_loss_proof", "--exact"]);
        command.env(VARIABLE, saboteur.map_or("", Saboteur::name));
        command
    };
    match prove(&Spec { seed: 7, images: 400, only: None }, &writer, &|| {}) {
        Ok(outcome) => Some(outcome),
        Err(NoProof::NoRecorder(why)) => {
            skip_if_allowed(&why);
            None
        }
        Err(NoProof::Failed(why)) => panic!("no proof: {why}"),
    }
}

#[test]
fn with_synchronous_off_the_power_loss_proof_finds_lost_rows_and_without_it_none() {
    let Some(honest) = power_loss_with(None) else { return };
    assert_eq!(honest.images, 400);
    assert!(honest.violations.is_empty(), "{:?}", honest.violations);
    let sabotaged = power_loss_with(Some(Saboteur::SynchronousOff)).unwrap();
    let lost = sabotaged.violations.iter().filter(|v| v.what.contains("rows were called durable")).count();
    println!("synchronous = OFF: {} of {} images broken, {lost} lost rows", sabotaged.violations.len(), sabotaged.images);
    sabotaged.violations.iter().take(3).for_each(|violation| println!("  {violation}"));
    assert!(lost > 20, "{lost} of {} images", sabotaged.images);
}

/// The program with this mistake switched on, for a rig that starts it as it starts any other.
fn sabotaged_daemon(folder: &Path, saboteur: Saboteur) -> PathBuf {
    let script = folder.join("drawerbridge");
    let daemon = env!("CARGO_BIN_EXE_drawerbridge");
    let text = format!("#!/bin/sh\nexport {VARIABLE}={}\nexec '{daemon}' \"$@\"\n", saboteur.name());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn with_saved_shown_before_the_commit_the_system_calls_find_a_lost_count_and_without_it_none() {
    if let Some(why) = syscalls::missing() {
        return skip_if_allowed(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    let play = async |program| {
        let options = SyscallOptions { runs: Some(10), only: Some("cut short".into()), seed: 7, jobs: 10, program };
        syscalls::run(&options).await.unwrap()
    };
    let honest = play(PathBuf::from(env!("CARGO_BIN_EXE_drawerbridge"))).await;
    assert!(honest.ok(), "{honest}");
    let sabotaged = play(sabotaged_daemon(folder.path(), Saboteur::SavedBeforeCommit)).await;
    println!("SAVED before the commit: {sabotaged}");
    // Not only that something went wrong: this mistake was found.
    // The till calls the count saved, and the journal never gets it.
    let lost = ["is not in the journal", "cannot be counted: saved"];
    let found = sabotaged.failures.iter().filter(|failure| lost.iter().any(|what| failure.what.contains(what))).count();
    assert!(found > 0, "{sabotaged}");
    // What a failure leaves to be looked at; here it was wanted.
    sabotaged.failures.iter().for_each(|failure| std::fs::remove_dir_all(&failure.folder).unwrap());
}

#[test]
fn with_a_resend_without_reading_the_simulation_finds_a_violation_and_without_it_none() {
    const OPENINGS: u64 = 2000;
    let honest = simulation::run(OPENINGS, 7, &|_| {});
    assert!(honest.violations.is_empty(), "{:?}", honest.violations);
    assert_eq!(honest.tally.of("openings"), OPENINGS);
    saboteur::switch_on(Saboteur::ResendWithoutReading);
    let sabotaged = simulation::run(OPENINGS, 7, &|_| {});
    saboteur::off();
    let rules: Vec<_> = sabotaged.violations.iter().map(|(_, violation)| violation.rule).collect();
    println!("a resend without reading, after {} openings: {rules:?}", sabotaged.tally.of("openings"));
    assert!(rules.contains(&"a resend follows a proof of absence"), "{rules:?}");
}

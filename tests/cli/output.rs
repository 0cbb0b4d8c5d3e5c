//! Standard output that ends early, or cannot be written.
use std::{fs::File, io::pipe, process::Stdio};

use super::{Ran, program, run};

/// Commands that need nothing but themselves.
const RESULTS: [&[&str]; 6] = [
    &["--help"],
    &["--version"],
    &["completions", "bash"],
    &["completions", "zsh"],
    &["config", "example"],
    #[cfg(feature = "demo")]
    &["demo", "--fault", "list"],
    #[cfg(not(feature = "demo"))]
    &["run", "--help"],
];

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    for args in RESULTS {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = program(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        Ran::of(output).ended(0, &[], &[]);
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_with_a_text() {
    for args in RESULTS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = program(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        Ran::of(output).ended(1, &[], &["could not be written to stdout", "No space left"]);
    }
}

#[test]
fn a_wrong_configuration_stays_wrong_when_nobody_reads_why() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let args = ["config", "check", "--json", "--config", "/nowhere/drawerbridge.toml"];
    Ran::of(program(&args).stdout(writer).stderr(Stdio::piped()).output().unwrap()).ended(78, &[], &[]);
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let commands: [&[&str]; 16] = [
        &["run"],
        &["kick"],
        &["status"],
        &["openings"],
        &["openings", "list"],
        &["openings", "show"],
        &["openings", "resolve"],
        &["reprint"],
        &["journal"],
        &["journal", "list"],
        &["journal", "show"],
        &["journal", "verify"],
        &["config"],
        &["config", "check"],
        &["config", "example"],
        &["completions"],
    ];
    for command in commands {
        let help = run(&[command, &["--help"]].concat()).ended(0, &["Examples:\n  drawerbridge "], &[]);
        let examples = help.stdout.split("Examples:").nth(1).unwrap().trim().lines().count();
        assert!(examples >= 2, "{command:?} has {examples} examples");
    }
    run(&["run", "--help"]).ended(
        0,
        &["DRAWERBRIDGE_LOG", "SIGTERM", "journal.db.lock", "journal.db.addr", "api-token", "75", "78"],
        &[],
    );
    run(&["kick", "--help"]).ended(
        0,
        &["not_proven", "nothing tells whether the drawer opened", "so no pulse was sent", "75"],
        &[],
    );
    #[cfg(feature = "demo")]
    run(&["demo", "--help"]).ended(0, &["Examples:", "--fault drop-after", "--interactive"], &[]);
}

#[test]
fn a_command_line_that_makes_no_sense_is_answered_with_2() {
    run(&["kik"]).ended(2, &[], &["kick"]);
    run(&["journal", "show", "0"]).ended(2, &[], &["0"]);
    run(&["openings", "--limit", "0"]).ended(2, &[], &["1..=500"]);
    #[cfg(feature = "demo")]
    run(&["demo", "--fault", "drop"]).ended(2, &[], &["no fault \"drop\"", "--fault list"]);
}

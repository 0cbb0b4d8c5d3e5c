//! `config example`: it loads as it is, and its remarks are true.
use std::process::ExitCode;

use drawerbridge::{
    cli::config::{check, example},
    config::{self, EXAMPLE, Timing},
};

use crate::folder;

fn here(text: &str) -> String {
    text.replace("/etc/drawerbridge/", "").replace("/var/lib/drawerbridge/", "")
}

#[test]
fn the_example_loads() {
    let folder = folder();
    let settings = config::load_text("example", &here(EXAMPLE), folder.path()).unwrap();
    assert_eq!((settings.tills.len(), settings.staff.len()), (1, 2));
    let till = &settings.tills[0];
    assert!(till.printer.is_some() && till.drawer.is_some() && till.display.is_some() && till.keypads.len() == 1);
}

#[test]
fn every_remark_with_a_key_is_a_key_that_works() {
    let folder = folder();
    crate::secret(&folder.path().join("client-secret"), 0o600);
    std::fs::create_dir(folder.path().join("devices")).unwrap();
    let mut tried = 0;
    for (n, line) in EXAMPLE.lines().enumerate() {
        let Some(key) = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")).map(|(key, _)| key) else {
            continue;
        };
        if key.contains(' ') {
            continue;
        }
        // The line without its mark; for the first key of a table in remarks, the table's line too.
        let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
        let header = (0..n).rev().take_while(|m| lines[*m].starts_with("# ")).find(|m| lines[*m].starts_with("# ["));
        for m in header.into_iter().chain([n]) {
            lines[m] = lines[m][2..].to_owned();
        }
        match config::load_text("example", &here(&lines.join("\n")), folder.path()) {
            Ok(_) => {}
            Err(problems) => {
                // Alternatives cannot stand beside each other; that is the only complaint there may be.
                let other = ["in two places", "has both", "has no `client_", "without `pulse_on_ms`"];
                let fine = problems.iter().all(|problem| other.iter().any(|part| problem.what.contains(part)));
                assert!(fine, "line {}: {line}\n{problems}", n + 1);
            }
        }
        tried += 1;
    }
    assert!(tried > 20, "{tried} remarks were tried");
}

#[test]
fn the_waits_in_the_remarks_are_the_defaults() {
    let folder = folder();
    let start = EXAMPLE.find("# [timing]").unwrap();
    let timing: Vec<&str> = EXAMPLE[start..].lines().map(|line| line.trim_start_matches("# ")).collect();
    let text = here(&format!("{}{}", &EXAMPLE[..start], timing.join("\n")));
    assert_eq!(config::load_text("example", &text, folder.path()).unwrap().timing, Timing::default());
    assert_eq!(timing.len(), 14);
}

#[test]
fn check_says_by_its_exit_code_what_it_found() {
    let folder = folder();
    let file = folder.path().join("drawerbridge.toml");
    assert_eq!(check(&file, false), ExitCode::from(78));
    std::fs::write(&file, here(EXAMPLE)).unwrap();
    for json in [false, true] {
        assert_eq!(check(&file, json), ExitCode::SUCCESS);
    }
    std::fs::write(&file, here(EXAMPLE).replace("USD", "usd")).unwrap();
    for json in [false, true] {
        assert_eq!(check(&file, json), ExitCode::from(78));
    }
    assert_eq!(example(), ExitCode::SUCCESS);
}

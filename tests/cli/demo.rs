//! `drawerbridge demo`, as a newcomer plays it.
use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::Stdio,
    thread,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Ran, program, run, run_with_input};

/// Plays a run to its end in a folder of its own.
fn play(folder: &Path, more: &[&str]) -> Ran {
    run(&[&["demo", "--dir", folder.to_str().unwrap()], more].concat())
}

#[test]
fn the_smooth_run_and_the_worst_faults_end_as_they_must_without_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let faults: [(&[&str], &[&str]); 6] = [
        (&[], &["CONFIRMED by the shop's answer", "1 mutation arrived, 1 session: 1001 with 150.00 USD"]),
        (&["--denominations"], &["20.00 USD x", "80 x  0.25"]),
        (&["--fault", "drop-after"], &["answer is lost on the way", "nobody knows", "it is ours: nothing is sent again"]),
        (&["--fault", "lag-reads:1"], &["… and reads", "it is ours", "1 mutation arrived, 1 session"]),
        (&["--fault", "api-down"], &["NOT SENT", "network  is back", "WILL SEND LATER"]),
        (&["--fault", "user-error-CURRENCY_MISMATCH"], &["WRONG CURRENCY", "REFUSED", "calls the manager", "0 sessions"]),
    ];
    thread::scope(|scope| {
        for (n, (more, told)) in faults.into_iter().enumerate() {
            let dir = folder.path().join(n.to_string());
            scope.spawn(move || {
                let ran = play(&dir, more).ended(0, &["It ended as it must."], &[]).ended(0, told, &[]);
                assert!(!ran.stdout.contains("TROUBLE"), "{more:?}\n{}", ran.stdout);
                // The last frame is the idle text: nothing of the amount stays on the display.
                let last = ran.stdout.rsplit("display  ┌").next().unwrap();
                assert!(last.contains("│ RIG STORE            │"), "{more:?}\n{}", ran.stdout);
                assert!(ran.stdout.lines().count() <= 200, "{more:?} takes {} lines", ran.stdout.lines().count());
                let slip = fs::read_to_string(dir.join("slip.txt")).unwrap();
                assert!(slip.contains("150.00"), "{slip}");
                assert!(fs::read(dir.join("slip.png")).unwrap().starts_with(b"\x89PNG"));
                let journal = dir.join("journal.db");
                run(&["journal", "verify", "--journal", journal.to_str().unwrap()]).ended(
                    0,
                    &["none edited, removed or moved"],
                    &[],
                );
                // A folder is not played in twice.
                play(&dir, more).ended(1, &[], &["holds a journal already"]);
            });
        }
    });
}

/// All of them, four at a time: minutes. `cargo test --test cli -- --ignored every_fault`.
#[test]
#[ignore = "takes minutes; the worst faults are played above"]
fn every_fault_that_can_be_named_is_told_and_ends_as_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let list = run(&["demo", "--fault", "list"]);
    let text = format!("{}{}", list.stdout, list.stderr);
    let names: Vec<&str> = drawerbridge_hil::admin::Fault::NAMES.iter().map(|(name, _)| *name).chain(["api-down"]).collect();
    assert!(names.len() > 35 && names.iter().all(|name| text.contains(name)), "{text}");
    let next = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let ran = play(&folder.path().join(name), &["--fault", name]).ended(0, &["It ended as it must."], &[]);
                    assert!(!ran.stdout.contains("TROUBLE"), "{name}\n{}", ran.stdout);
                    println!(
                        "{name}: {}",
                        ran.stdout.lines().rev().find(|line| line.contains("mutation")).unwrap_or_default()
                    );
                }
            });
        }
    });
}

#[test]
fn a_pipe_can_be_the_cashier() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (smooth, away, left) = (at("smooth"), at("away"), at("left"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let args = ["demo", "--interactive", "--dir", &smooth];
            run_with_input(&args, "ob15000\n\ns").ended(
                0,
                &["o = open the drawer", "scan Robin's badge", "CONFIRMED", "It is settled, and the slip says how."],
                &[],
            );
        });
        scope.spawn(|| {
            let args = ["demo", "--interactive", "--fault", "api-down", "--dir", &away];
            run_with_input(&args, "o1042\n\x1b[A15000\r\n\nspnp").ended(
                0,
                &["NOT SENT", "take the paper out", "paper out", "network  is back", "CONFIRMED"],
                &[],
            );
        });
        scope.spawn(|| {
            let args = ["demo", "--interactive", "--fault", "api-down", "--dir", &left];
            run_with_input(&args, "uuo1042\n15000\n\nq").ended(
                0,
                &["pull the printer's cable", "printer  down", "You left before it was settled", "not settled"],
                &[],
            );
        });
    });
}

#[test]
fn a_demo_whose_reader_leaves_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let dir = folder.path().join("unread");
    let output = super::program(&["demo", "--dir", dir.to_str().unwrap()]).stdout(writer).output().unwrap();
    Ran::of(output).ended(0, &[], &[]);
}

#[test]
fn a_log_on_a_terminal_is_the_same_plain_text_as_in_a_file() {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(terminal).unwrap();
    let mut demo = program(&["demo", "--log"]);
    let mut child = demo.stdout(Stdio::null()).stderr(terminal).spawn().unwrap();
    // The command holds the terminal open too; without it the end of the program is the end of the text.
    drop(demo);
    let mut log = Vec::new();
    // A terminal that nobody has open any more ends with an error instead of an end of file.
    let end = File::from(master).read_to_end(&mut log).unwrap_err();
    let log = String::from_utf8(log).unwrap();
    assert_eq!(end.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()), "{end}: {log}");
    assert!(child.wait().unwrap().success(), "{log}");
    assert!(log.contains(" INFO ") && !log.contains('\u{1b}'), "{log}");
}

//! Plays scenarios: a fresh bench and a real daemon process for each, several at a time.
use std::{collections::HashMap, path::PathBuf, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    expect::{Mismatch, draw},
    parse::{Scenario, Step, step},
    perform::{Manner, Play},
    report::{Failure, Report, StepReport},
    verb::{Action, Verb},
};
use crate::bench::{Bench, now, slips, stage::Stage};

/// Events, log lines and frames that a failure's report shows.
const TAIL: usize = 15;

/// How scenarios are played.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The daemon's program.
    pub program: PathBuf,
    /// Every folder stays, with the slips in it. That of a failed scenario stays in any case.
    pub keep: bool,
}

/// Plays all, at most `jobs` at a time; reports come in the order of `scenarios`. `done` hears of each as it ends.
pub async fn play_all(
    scenarios: Vec<Scenario>,
    options: &RunOptions,
    jobs: usize,
    mut done: impl FnMut(&Report),
) -> Vec<Report> {
    let room = Arc::new(Semaphore::new(jobs.max(1)));
    let mut running = JoinSet::new();
    let mut names = HashMap::new();
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let (room, options) = (room.clone(), options.clone());
        let unplayed = Report::new(&scenario);
        let task = running.spawn(async move {
            let place = room.acquire_owned().await;
            let report = play(&scenario, &options).await;
            drop(place);
            report
        });
        names.insert(task.id(), (number, unplayed));
    }
    let mut reports = Vec::new();
    while let Some(ended) = running.join_next_with_id().await {
        let (id, report) = match ended {
            Ok((id, report)) => (id, Ok(report)),
            Err(e) => (e.id(), Err(e)),
        };
        let Some((number, unplayed)) = names.remove(&id) else { continue };
        let report = report.unwrap_or_else(|e| panicked(unplayed, e));
        done(&report);
        reports.push((number, report));
    }
    reports.sort_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// The rig itself has failed in this scenario; the others go on.
fn panicked(mut report: Report, e: tokio::task::JoinError) -> Report {
    let words = match e.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "something without words".to_owned()),
        Err(e) => e.to_string(),
    };
    report.failure =
        Some(Failure::bare(Mismatch { expected: "a rig that plays it".into(), seen: format!("it panicked: {words}") }));
    report
}

/// Plays one.
pub async fn play(scenario: &Scenario, options: &RunOptions) -> Report {
    let start = now();
    let mut report = Report::new(scenario);
    let bench = match Bench::start(scenario.till.clone()).await {
        Ok(bench) => bench,
        Err(e) => {
            let mismatch = Mismatch { expected: "a bench".into(), seen: e.to_string() };
            report.failure = Some(Failure::bare(mismatch));
            return report;
        }
    };
    let mut stage = Stage::new(bench, Some(options.program.clone()));
    let mut play = Play::new(&stage, Manner::Scenario);
    for step in beginning(&scenario.steps).iter().chain(&scenario.steps) {
        let result = match stage.daemon_lives() {
            Ok(()) => play.perform(&mut stage, step).await,
            Err(seen) => Err(Mismatch { expected: format!("a daemon that lives, for `{}`", step.text), seen }),
        };
        let mut step_report =
            StepReport { line: step.line, text: step.text.clone(), at: start.elapsed(), ok: result.is_ok() };
        if step.line == 0 {
            step_report.text = format!("({})", step.text);
        }
        report.steps.push(step_report);
        if let Err(mismatch) = result {
            report.failure = Some(failure(&mut stage, usize::from(step.second_till), mismatch).await);
            break;
        }
    }
    if report.ok()
        && let Err(seen) = stage.daemon_lives()
    {
        let mismatch = Mismatch { expected: "a daemon that lives to the end".into(), seen };
        report.failure = Some(failure(&mut stage, 0, mismatch).await);
    }
    report.took = start.elapsed();
    // Gone before the folder is: a daemon that outlives its journal would complain for nothing.
    if let Some(daemon) = stage.daemon.take()
        && let Err(why) = daemon.kill().await
    {
        stage.log.note(format!("-- {why}"));
    }
    if options.keep || !report.ok() {
        report.dir = Some(keep(&mut stage));
    }
    report
}

/// The folder stays, with everything that came out of the printers and the daemon's log.
fn keep(stage: &mut Stage) -> PathBuf {
    let dir = stage.bench.keep().to_path_buf();
    let saved = stage.bench.tills.iter().try_for_each(|till| slips::save_all(&dir, till));
    let saved = saved.and_then(|()| std::fs::write(dir.join("daemon.log"), stage.log.lines().join("\n") + "\n"));
    if let Err(e) = saved {
        stage.log.note(format!("-- {}: not everything could be kept: {e}", dir.display()));
    }
    dir
}

/// The daemon is started first, unless the scenario does that itself.
fn beginning(steps: &[Step]) -> Vec<Step> {
    let first = steps.iter().find_map(|s| match &s.verb {
        Verb::Do(a @ (Action::DaemonStarts | Action::DaemonKilled | Action::DaemonStopped)) => Some(a),
        Verb::Do(_) | Verb::See(_) => None,
    });
    if first == Some(&Action::DaemonStarts) {
        return Vec::new();
    }
    let said = |line| step(0, line).expect("these two lines are sentences of the table");
    vec![said("daemon starts"), said("till is ready within 10s")]
}

async fn failure(stage: &mut Stage, till: usize, mismatch: Mismatch) -> Failure {
    fn tail<T>(all: Vec<T>) -> Vec<T> {
        let skip = all.len().saturating_sub(TAIL);
        all.into_iter().skip(skip).collect()
    }
    if let Some(daemon) = &mut stage.daemon
        && daemon.ended().is_some()
    {
        daemon.last_words().await;
    }
    let display = stage.till(till).ok().and_then(|rig| rig.shown(0).pop()).map(|shown| draw(&shown.rows));
    Failure {
        mismatch,
        display,
        events: tail(stage.events.all()).iter().map(|e| e.data.to_string()).collect(),
        log: tail(stage.log.lines()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    #[test]
    fn the_daemon_is_started_first_unless_the_scenario_does_so() {
        let steps = |text| parse("a.scenario", text).unwrap().steps;
        assert_eq!(beginning(&steps("drawer opened with key\ndaemon killed\ndaemon starts")).len(), 2);
        assert!(beginning(&steps("printer unplugged\ndaemon starts\nprinter is down")).is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_that_cannot_start_is_the_first_line_that_went_wrong_and_its_folder_stays() {
        let scenario = parse("no-daemon.scenario", "drawer opened with key\n").unwrap();
        let options = RunOptions { program: "/bin/false".into(), keep: false };
        let report = play(&scenario, &options).await;
        assert!(!report.ok());
        let text = report.to_string();
        assert!(text.contains("✗") && text.contains("(daemon starts)") && text.contains("ended at its start"), "{text}");
        assert!(!text.contains("drawer opened with key"), "{text}");
        let dir = report.dir.expect("the folder of a failed scenario stays");
        assert!(dir.join("config.toml").is_file() && dir.join("daemon.log").is_file());
        assert!(text.contains(&format!("folder   {}", dir.display())), "{text}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    /// A daemon as far as its start goes, and then `rest`.
    fn fake(dir: &std::path::Path, rest: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = dir.join("daemon.sh");
        let up = "echo t > \"$(dirname \"$3\")/api-token\"; echo 127.0.0.1:1 > \"$(dirname \"$3\")/journal.db.addr\"";
        std::fs::write(&path, format!("#!/bin/sh\n{up}\n{rest}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_that_dies_or_panics_is_noticed_where_nothing_asks_it() {
        let dir = tempfile::tempdir().unwrap();
        let scenario = parse("quiet.scenario", "daemon starts\nwait 300ms\ndrawer opened with key\n").unwrap();
        for (rest, said) in [
            ("sleep 0.1; exit 3", "the daemon ended by itself"),
            ("sleep 0.1; echo \"thread 'till' panicked at src/x.rs:1:1:\" >&2; exec sleep 5", "panicked at src/x.rs"),
        ] {
            let options = RunOptions { program: fake(dir.path(), rest), keep: false };
            let report = play(&scenario, &options).await;
            let text = report.to_string();
            assert!(text.contains(said), "{text}");
            assert_eq!(report.steps.last().map(|step| (step.line, step.ok)), Some((3, false)), "{text}");
            std::fs::remove_dir_all(report.dir.unwrap()).unwrap();
        }
        let scenario = parse("quiet.scenario", "daemon starts\nwait 300ms\n").unwrap();
        let options = RunOptions { program: fake(dir.path(), "sleep 0.1; exit 3"), keep: false };
        let report = play(&scenario, &options).await;
        assert!(report.to_string().contains("lives to the end"), "{report}");
        std::fs::remove_dir_all(report.dir.unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_panic_of_the_rig_is_a_failed_report_of_that_scenario() {
        let scenario = parse("odd.scenario", "title odd\ndrawer opened with key\n").unwrap();
        let mut running = JoinSet::new();
        running.spawn(async { panic!("no such till") });
        let e: Result<(), _> = running.join_next().await.unwrap();
        let e = e.unwrap_err();
        let report = panicked(Report::new(&scenario), e);
        assert!(!report.ok() && report.to_string().contains("it panicked: no such till"), "{report}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_simulated_till_alone_can_be_looked_at() {
        let bench = Bench::start(crate::bench::BenchSpec::default()).await.unwrap();
        let mut stage = Stage::new(bench, None);
        let mut play = Play::new(&stage, Manner::Scenario);
        for line in [
            "no session within 50ms",
            "drawer opened with key",
            "drawer stands open",
            "api session opened by someone else for 10.00",
            "sessions 1",
            "display now does not show \"STAFF\"",
        ] {
            play.perform(&mut stage, &step(1, line).unwrap()).await.unwrap_or_else(|m| panic!("{line}: {m:?}"));
        }
        let wrong = play.perform(&mut stage, &step(1, "session open with 10.00 within 20ms").unwrap()).await.unwrap_err();
        assert!(wrong.seen.contains("elsewhere"), "{}", wrong.seen);
        let wrong = play.perform(&mut stage, &step(1, "second till: drawer opened with key").unwrap()).await.unwrap_err();
        assert!(wrong.seen.contains("till second till"), "{}", wrong.seen);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_drawn_before_a_key_is_no_answer_to_it_but_still_stands() {
        let bench = Bench::start(crate::bench::BenchSpec::default()).await.unwrap();
        let mut stage = Stage::new(bench, None);
        let mut play = Play::new(&stage, Manner::Scenario);
        let display = stage.bench.tills[0].display.clone().unwrap();
        let shows = step(1, "display shows \"HELLO\" within 300ms").unwrap();
        display.feed(b"\x0CHELLO");
        play.perform(&mut stage, &shows).await.unwrap();
        play.perform(&mut stage, &shows).await.expect("nothing was done meanwhile");
        play.perform(&mut stage, &step(1, "press Enter").unwrap()).await.unwrap();
        assert!(play.perform(&mut stage, &shows).await.unwrap_err().seen.contains("no new frame"));
        play.perform(&mut stage, &step(1, "display now shows \"HELLO\"").unwrap()).await.unwrap();
        display.feed(b"\x0CHELLO");
        play.perform(&mut stage, &shows).await.expect("the same, drawn again, is an answer");
    }
}

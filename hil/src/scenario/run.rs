//! Plays scenarios: a fresh bench and a real daemon process for each, several at a time.
use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{
    expect::{Mismatch, draw, look},
    parse::{Scenario, Step, step},
    report::{Failure, Report, StepReport},
    verb::{Action, Verb},
};
use crate::bench::{Bench, now, stage::Stage};

/// An expectation without `within` is given up after this.
const WITHIN: Duration = Duration::from_secs(5);
/// Between two looks. A look is a read of lists, or one request to the daemon.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Events, log lines and frames that a failure's report shows.
const TAIL: usize = 15;

/// How scenarios are played.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The daemon's program.
    pub program: PathBuf,
    /// Folders of failed scenarios stay (all folders with `true`).
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
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let (room, options) = (room.clone(), options.clone());
        running.spawn(async move {
            let place = room.acquire_owned().await;
            let report = play(&scenario, &options).await;
            drop(place);
            (number, report)
        });
    }
    let mut reports = Vec::new();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok((number, report)) => {
                done(&report);
                reports.push((number, report));
            }
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            Err(_) => {}
        }
    }
    reports.sort_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
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
    let mut shown = vec![0; stage.bench.tills.len()];
    for step in beginning(&scenario.steps).iter().chain(&scenario.steps) {
        if let Some(wait) = step.at.and_then(|at| at.checked_sub(start.elapsed())) {
            sleep(wait).await;
        }
        let result = perform(&mut stage, step, &mut shown).await;
        let mut step_report =
            StepReport { line: step.line, text: step.text.clone(), at: start.elapsed(), ok: result.is_ok() };
        if step.line == 0 {
            step_report.text = format!("({})", step.text);
        }
        report.steps.push(step_report);
        if let Err(mismatch) = result {
            report.failure = Some(failure(&stage, usize::from(step.second_till), mismatch));
            break;
        }
    }
    report.took = start.elapsed();
    // Gone before the folder is: a daemon that outlives its journal would complain for nothing.
    if let Some(daemon) = stage.daemon.take()
        && let Err(why) = daemon.kill().await
    {
        stage.log.note(format!("-- {why}"));
    }
    if options.keep {
        report.dir = Some(stage.bench.keep().to_path_buf());
    }
    report
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

async fn perform(stage: &mut Stage, step: &Step, shown: &mut [usize]) -> Result<(), Mismatch> {
    let till = usize::from(step.second_till);
    match &step.verb {
        Verb::Do(action) => stage
            .act(till, action)
            .await
            .map_err(|seen| Mismatch { expected: format!("that `{}` can be done", step.text), seen }),
        Verb::See(expect) => {
            let negative = expect.is_negative();
            let limit = now() + step.within.unwrap_or(if negative { Duration::ZERO } else { WITHIN });
            let mut nobody = 0;
            loop {
                let seen = look(stage, till, expect, shown.get_mut(till).unwrap_or(&mut nobody)).await;
                if seen.is_ok() != negative || now() >= limit {
                    return seen;
                }
                if let Some(status) = stage.daemon.as_mut().and_then(|d| d.ended()) {
                    let seen = format!("the daemon ended by itself ({status})");
                    return Err(Mismatch { expected: step.text.clone(), seen });
                }
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

fn failure(stage: &Stage, till: usize, mismatch: Mismatch) -> Failure {
    fn tail<T>(all: Vec<T>) -> Vec<T> {
        let skip = all.len().saturating_sub(TAIL);
        all.into_iter().skip(skip).collect()
    }
    let frames = stage.till(till).map(|rig| rig.frames.from(0)).unwrap_or_default();
    Failure {
        mismatch,
        display: frames.last().map(|(_, rows)| draw(rows)),
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
    async fn a_daemon_that_cannot_start_is_the_first_line_that_went_wrong() {
        let scenario = parse("no-daemon.scenario", "drawer opened with key\n").unwrap();
        let options = RunOptions { program: "/bin/false".into(), keep: false };
        let report = play(&scenario, &options).await;
        assert!(!report.ok());
        let text = report.to_string();
        assert!(text.contains("✗") && text.contains("(daemon starts)") && text.contains("ended at its start"), "{text}");
        assert!(!text.contains("drawer opened with key"), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_simulated_till_alone_can_be_looked_at() {
        let bench = Bench::start(crate::bench::BenchSpec::default()).await.unwrap();
        let mut stage = Stage::new(bench, None);
        let mut shown = vec![0];
        for line in [
            "no session within 50ms",
            "drawer opened with key",
            "drawer stands open",
            "api session opened by someone else for 10.00",
            "sessions 1",
        ] {
            perform(&mut stage, &step(1, line).unwrap(), &mut shown).await.unwrap_or_else(|m| panic!("{line}: {m:?}"));
        }
        let wrong =
            perform(&mut stage, &step(1, "session open with 10.00 within 20ms").unwrap(), &mut shown).await.unwrap_err();
        assert!(wrong.seen.contains("elsewhere"), "{}", wrong.seen);
        let wrong =
            perform(&mut stage, &step(1, "second till: drawer opened with key").unwrap(), &mut shown).await.unwrap_err();
        assert!(wrong.seen.contains("till second till"), "{}", wrong.seen);
    }
}

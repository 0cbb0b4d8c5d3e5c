//! `drawerbridge run`: the daemon, until SIGTERM or SIGINT.
use std::{path::Path, process::ExitCode, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{error, warn};

use super::{BAD_CONFIG, TRY_LATER, complain, runtime, with_causes};
use crate::{
    config::{Settings, load_for_run},
    daemon::{self, recorder::Recorder},
};

pub(super) fn run(config: &Path) -> ExitCode {
    let settings = match load_for_run(config) {
        Ok(settings) => settings,
        Err(problems) => {
            complain(format!("the configuration cannot be used\n{problems}"));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    log_to_stderr();
    match runtime() {
        Ok(runtime) => runtime.block_on(supervise(settings)),
        Err(code) => code,
    }
}

/// Logs go to stderr; journald puts its own time before each line.
pub(super) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DRAWERBRIDGE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let of_journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let log = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second subscriber (the demo in tests) keeps the first.
    let result = if of_journald { log.without_time().try_init() } else { log.try_init() };
    drop(result);
}

async fn supervise(settings: Settings) -> ExitCode {
    let (tell, stop) = watch::channel(false);
    let (mut term, mut int) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(term), Ok(int)) => (term, int),
        (Err(e), _) | (_, Err(e)) => {
            complain(format!("signals cannot be heard: {e}"));
            return ExitCode::FAILURE;
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        notify(&[NotifyState::Stopping]);
        // A daemon that is gone already needs no signal.
        tell.send_replace(true);
    });
    let ready = |_, recorder: &Recorder| {
        notify(&[NotifyState::Ready]);
        feed_the_watchdog(recorder.clone());
    };
    match daemon::run(settings, stop, ready).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let code = if e.is_temporary() { ExitCode::from(TRY_LATER) } else { ExitCode::FAILURE };
            complain(with_causes(&e));
            code
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(states) {
        warn!(error = %e, "systemd was not told");
    }
}

/// The watchdog is fed only while this loop runs and the journal's thread answers.
fn feed_the_watchdog(recorder: Recorder) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    tokio::spawn(async move {
        let mut beat = tokio::time::interval((limit / 2).max(Duration::from_millis(100)));
        loop {
            beat.tick().await;
            match recorder.ask(|journal| Ok(journal.next_seq())).await {
                Ok(_) => notify(&[NotifyState::Watchdog]),
                Err(why) => error!(why, "the journal does not answer; the watchdog is not fed"),
            }
        }
    });
}

//! `drawerbridge run`: the daemon, until SIGTERM or SIGINT.
use std::{process::ExitCode, time::Duration};

use clap::Args;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{error, warn};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{ConfigArg, TRY_LATER, complain, runtime, unusable, with_causes};
use crate::{
    config::{Settings, load_for_run},
    daemon::{self, recorder::Recorder},
};

const LONG: &str = "\
Runs in the foreground and logs to stderr (to journald when systemd starts it).

Signals:  SIGTERM or SIGINT stops in order: the API, the tills, the journal. A second one ends it at once; what the
          display called SAVED is on disk all the same.
Files:    beside the journal (journal.db): journal.db-wal and journal.db-shm of SQLite, journal.db.lock (one daemon per
          journal), journal.db.reserve (room for what must not be lost when the disk is full), journal.db.addr (where the
          API listens, for `status` and `kick`), and api-token (made at the first start, mode 0600) unless [api] token_file
          names another place. journal.db.quarantine-TIME is a copy of a journal that was found damaged.
Settings: DRAWERBRIDGE_CONFIG names the configuration; DRAWERBRIDGE_LOG what is logged: error, warn, info (the default),
          debug, trace, off; or MODULE=LEVEL and a level for the rest, with commas between.

Exit codes: 0 stopped by a signal; 1 failed, for example a newer or damaged journal, or a second signal; 75 try again later: another
daemon holds the journal, or another program the API's port; 78 configuration.

Examples:
  drawerbridge run --config drawerbridge.toml
  DRAWERBRIDGE_LOG=debug drawerbridge run
  DRAWERBRIDGE_LOG=drawerbridge::shopify=debug,info drawerbridge run";

/// Run the daemon.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
}

/// Whatever still blocks a thread at the end (a name that is being looked up) gets this long, and is then left behind.
pub(super) const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);

pub(super) fn run(args: &RunArgs) -> ExitCode {
    let settings = match load_for_run(&args.config.config) {
        Ok(settings) => settings,
        Err(problems) => return unusable(&problems),
    };
    log_to_stderr();
    match runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(supervise(settings));
            runtime.shutdown_timeout(LEFT_BEHIND_AFTER);
            code
        }
        Err(code) => code,
    }
}

/// What chooses what is logged.
const LOG: &str = "DRAWERBRIDGE_LOG";

/// Logs go to stderr; journald puts its own time before each line.
pub(super) fn log_to_stderr() {
    let asked = std::env::var_os(LOG).unwrap_or_default();
    let filter = log_filter(&asked.to_string_lossy()).unwrap_or_else(|why| {
        complain(why);
        usual_log()
    });
    let of_journald = std::env::var_os("JOURNAL_STREAM").is_some();
    // Without colours, on a terminal too: a log is copied into mails, and escape codes would travel along.
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let filtered = tracing_subscriber::registry().with(filter);
    // A second subscriber (the demo in tests) keeps the first.
    let result = if of_journald { filtered.with(log.without_time()).try_init() } else { filtered.with(log).try_init() };
    drop(result);
}

fn usual_log() -> Targets {
    Targets::new().with_default(LevelFilter::INFO)
}

/// Reads `debug` or `drawerbridge::shopify=debug,info`. A word alone is a level: taken for a module, as the library would, a
/// misspelled one would silence everything.
fn log_filter(asked: &str) -> Result<Targets, String> {
    let parts: Vec<&str> = asked.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Ok(usual_log());
    }
    let levels = parts.iter().all(|part| part.rsplit('=').next().is_some_and(|level| level.parse::<LevelFilter>().is_ok()));
    let read = if levels { parts.join(",").parse().ok() } else { None };
    read.ok_or_else(|| {
        format!(
            "{LOG}={asked:?} is not understood, so info is logged: give error, warn, info, debug, trace or off, or for example \
             drawerbridge::shopify=debug,info"
        )
    })
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
        end_at_the_next_signal();
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

/// A thread and a runtime of their own: they hear the signal even while everything else is blocked.
fn end_at_the_next_signal() {
    let hear = || {
        let Ok(runtime) = runtime() else { return };
        runtime.block_on(async {
            let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
                return;
            };
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            complain("a second signal: ending at once; what was called SAVED is on disk");
            std::process::exit(1);
        });
    };
    if let Err(e) = std::thread::Builder::new().name("signals".to_owned()).spawn(hear) {
        warn!(error = %e, "a second signal will not be heard");
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_plain_level_holds_for_every_module_and_for_names_that_are_none() {
        for (asked, least) in [("", Level::INFO), ("info", Level::INFO), (" debug ,", Level::DEBUG), ("WARN", Level::WARN)] {
            let filter = log_filter(asked).unwrap();
            for target in ["drawerbridge::daemon::till", "printer", "hyper"] {
                assert!(filter.would_enable(target, &least), "{asked:?} {target}");
                assert!(!filter.would_enable(target, &Level::TRACE), "{asked:?} {target}");
            }
        }
        assert!(!log_filter("off").unwrap().would_enable("drawerbridge", &Level::ERROR));
    }

    #[test]
    fn one_module_can_say_more_than_the_rest() {
        let filter = log_filter("drawerbridge::shopify=debug, info").unwrap();
        assert!(filter.would_enable("drawerbridge::shopify::client", &Level::DEBUG));
        assert!(!filter.would_enable("drawerbridge::daemon", &Level::DEBUG));
        assert!(filter.would_enable("printer", &Level::INFO));
    }

    #[test]
    fn a_misspelled_level_is_said_and_not_taken_for_a_module() {
        for asked in ["inof", "debug,loud", "drawerbridge=loud", "a=b=debug", "a[{b=debug", "9"] {
            let why = log_filter(asked).unwrap_err();
            assert!(why.contains(asked) && why.contains("so info is logged"), "{why}");
        }
    }
}

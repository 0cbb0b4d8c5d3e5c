//! The real daemon as a child process: found, started, waited for, killed by its id, its log kept.
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{lock, now};

/// Names the program to test; used before the one beside the rig.
pub const PROGRAM_VARIABLE: &str = "DRAWERBRIDGE_BIN";
/// A start that takes longer has failed; the aim is 30 ms, this leaves room for a loaded machine.
const READY: Duration = Duration::from_secs(10);
/// The design's limit for a graceful stop.
const STOP: Duration = Duration::from_secs(5);
/// Lines of log that are kept.
const LOG_LINES: usize = 5_000;

/// The daemon's stderr, line by line; shared over restarts.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
    /// Adds a line of the rig's own, such as a restart.
    pub fn note(&self, line: String) {
        let mut lines = lock(&self.0);
        if lines.len() < LOG_LINES {
            lines.push(line);
        }
    }
}

/// A running daemon. Dropped, it is killed.
pub struct Daemon {
    child: Child,
    pid: Pid,
}

impl Daemon {
    /// Starts `program run --config DIR/config.toml` and waits until it has written where it listens.
    pub async fn start(program: &Path, dir: &Path, log: &Log) -> Result<Self, String> {
        let addr = dir.join("journal.db.addr");
        // A killed daemon leaves its address behind; only a fresh one may be believed.
        match fs::remove_file(&addr) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("{}: {e}", addr.display())),
        }
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(dir.join("config.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{} cannot be started: {e}", program.display()))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("the daemon has no process id")?;
        log.note(format!("-- daemon started, pid {}", pid.as_raw_nonzero()));
        if let Some(stderr) = child.stderr.take() {
            let log = log.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    log.note(line);
                }
            });
        }
        let mut daemon = Self { child, pid };
        let limit = now() + READY;
        while fs::read_to_string(&addr).map_or(true, |text| text.trim().is_empty()) {
            if let Some(status) = daemon.ended() {
                sleep(Duration::from_millis(50)).await; // its last words are still in the pipe
                return Err(format!("the daemon ended at its start ({status})"));
            }
            if now() > limit {
                return Err(format!("the daemon has not written {} within 10 s", addr.display()));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(daemon)
    }
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
    /// SIGKILL; returns when it is gone.
    pub async fn kill(mut self) -> Result<(), String> {
        self.child.kill().await.map_err(|e| format!("the daemon cannot be killed: {e}"))
    }
    /// SIGTERM; it must end with 0 within 5 s.
    pub async fn stop(mut self) -> Result<(), String> {
        kill_process(self.pid, Signal::TERM).map_err(|e| format!("SIGTERM cannot be sent: {e}"))?;
        match timeout(STOP, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("stopped by SIGTERM, the daemon ended with {status} instead of 0")),
            Ok(Err(e)) => Err(format!("the daemon cannot be waited for: {e}")),
            Err(_) => Err("the daemon has not stopped within 5 s of SIGTERM".into()),
        }
    }
}

/// `drawerbridge journal verify --config DIR/config.toml`.
pub async fn journal_verify(program: &Path, dir: &Path) -> Result<(), String> {
    let run = Command::new(program)
        .args(["journal", "verify", "--config"])
        .arg(dir.join("config.toml"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(READY, run)
        .await
        .map_err(|_| "journal verify has not ended within 10 s".to_owned())?
        .map_err(|e| format!("journal verify cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(format!("journal verify ended with {}: {}", output.status, String::from_utf8_lossy(&words).trim()))
}

/// The daemon's program: given, or named by `DRAWERBRIDGE_BIN`, or beside this program (or one folder above, for tests).
pub fn find_program(given: Option<PathBuf>) -> Result<PathBuf, String> {
    let named = given.or_else(|| std::env::var_os(PROGRAM_VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return if path.is_file() { Ok(path) } else { Err(format!("{} is not a program", path.display())) };
    }
    let own = std::env::current_exe().map_err(|e| format!("the rig cannot tell where it is: {e}"))?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("drawerbridge"));
    beside.into_iter().find(|p| p.is_file()).ok_or_else(|| {
        let folder = own.parent().map_or_else(String::new, |p| p.display().to_string());
        format!("there is no `drawerbridge` beside {folder}: run `cargo build` first, or name it with {PROGRAM_VARIABLE} or --daemon")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A shell script that behaves like a daemon as far as this file cares.
    fn script(dir: &Path, body: &str) -> PathBuf {
        let path = dir.join("daemon.sh");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_daemon_is_started_logged_and_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let body = "echo up >&2\ntrap 'exit 0' TERM\necho 127.0.0.1:1 > \"$(dirname \"$3\")/journal.db.addr\"\nwhile :; do sleep 0.05; done";
        let log = Log::default();
        let daemon = Daemon::start(&script(dir.path(), body), dir.path(), &log).await.unwrap();
        assert!(daemon.pid() > 1);
        daemon.stop().await.unwrap();
        assert!(log.lines().iter().any(|l| l == "up"), "{:?}", log.lines());
    }

    #[tokio::test]
    async fn an_old_address_is_not_believed_and_an_early_end_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal.db.addr"), "127.0.0.1:1").unwrap();
        let log = Log::default();
        let why =
            Daemon::start(&script(dir.path(), "echo no such port >&2; exit 78"), dir.path(), &log).await.err().unwrap();
        assert!(why.contains("78"), "{why}");
        assert!(log.lines().iter().any(|l| l == "no such port"), "{:?}", log.lines());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let why = find_program(Some("/no/such/drawerbridge".into())).unwrap_err();
        assert!(why.contains("/no/such/drawerbridge"), "{why}");
    }
}

//! The real daemon as a child process: found, started, waited for, killed by its id, its log kept.
use std::{
    ffi::OsString,
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
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{lock, now, patiently};

/// Names the program to test; used before the one beside the rig.
pub const PROGRAM_VARIABLE: &str = "DRAWERBRIDGE_BIN";
/// The end of stderr follows the end of the process; what a grandchild keeps open is not waited for longer than this.
const LAST_WORDS: Duration = Duration::from_secs(1);
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
    /// Where a thread of the daemon panicked, if one did.
    #[must_use]
    pub fn panic(&self) -> Option<String> {
        lock(&self.0).iter().find(|line| line.contains("panicked at")).cloned()
    }
}

/// A running daemon. Dropped, it is killed.
pub struct Daemon {
    child: Child,
    pid: Pid,
    /// Reads stderr until its end.
    words: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `program run --config DIR/config.toml` and waits until it has written where it listens.
    pub async fn start(program: &Path, dir: &Path, log: &Log) -> Result<Self, String> {
        let mut daemon = Self::launch(&[], program, dir, log)?;
        daemon.ready(dir).await?;
        Ok(daemon)
    }
    /// Starts it and waits for nothing. `before` is a program with its arguments that starts it, such as a tracer; then the
    /// process here is that program's.
    pub fn launch(before: &[OsString], program: &Path, dir: &Path, log: &Log) -> Result<Self, String> {
        let addr = addr_file(dir);
        // A killed daemon leaves its address behind; only a fresh one may be believed.
        match fs::remove_file(&addr) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("{}: {e}", addr.display())),
        }
        let mut words = before.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
        let first = words.next().unwrap_or_default();
        let mut child = Command::new(first)
            .args(words)
            .args(["run", "--config"])
            .arg(dir.join("config.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{} cannot be started: {e}", first.display()))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("the daemon has no process id")?;
        log.note(format!("-- daemon started, pid {}", pid.as_raw_nonzero()));
        let words = child.stderr.take().map(|stderr| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    log.note(line);
                }
            })
        });
        Ok(Self { child, pid, words })
    }
    /// Waits until it has written where it listens.
    pub async fn ready(&mut self, dir: &Path) -> Result<(), String> {
        let addr = addr_file(dir);
        let ready = patiently(READY);
        let limit = now() + ready;
        while fs::read_to_string(&addr).map_or(true, |text| text.trim().is_empty()) {
            if let Some(status) = self.ended() {
                self.last_words().await;
                return Err(format!("the daemon ended at its start ({status})"));
            }
            if now() > limit {
                return Err(format!("the daemon has not written {} within {} s", addr.display(), ready.as_secs()));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
    /// Waits until it is gone and its log is complete.
    pub async fn gone(mut self, limit: Duration) -> Result<ExitStatus, String> {
        let ended = timeout(limit, self.child.wait()).await;
        let status = ended
            .map_err(|_| format!("the daemon is not gone after {} s", limit.as_secs()))?
            .map_err(|e| format!("the daemon cannot be waited for: {e}"))?;
        self.last_words().await;
        Ok(status)
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
    /// Waits until all that an ended daemon wrote is in the log.
    pub async fn last_words(&mut self) {
        if let Some(words) = self.words.take() {
            // Late words of something that outlived the daemon are not worth more time, nor is a reader that failed.
            drop(timeout(patiently(LAST_WORDS), words).await);
        }
    }
    /// SIGKILL; returns when it is gone and its log is complete.
    pub async fn kill(mut self) -> Result<(), String> {
        self.child.kill().await.map_err(|e| format!("the daemon cannot be killed: {e}"))?;
        self.last_words().await;
        Ok(())
    }
    /// SIGTERM; it must end with 0 within 5 s.
    pub async fn stop(mut self) -> Result<(), String> {
        kill_process(self.pid, Signal::TERM).map_err(|e| format!("SIGTERM cannot be sent: {e}"))?;
        let ended = timeout(STOP, self.child.wait()).await;
        if ended.is_ok() {
            self.last_words().await;
        }
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("stopped by SIGTERM, the daemon ended with {status} instead of 0")),
            Ok(Err(e)) => Err(format!("the daemon cannot be waited for: {e}")),
            Err(_) => Err("the daemon has not stopped within 5 s of SIGTERM".into()),
        }
    }
}

fn addr_file(dir: &Path) -> PathBuf {
    dir.join("journal.db.addr")
}

/// `drawerbridge journal verify --config DIR/config.toml`.
pub async fn journal_verify(program: &Path, dir: &Path) -> Result<(), String> {
    let run = Command::new(program)
        .args(["journal", "verify", "--config"])
        .arg(dir.join("config.toml"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(patiently(READY), run)
        .await
        .map_err(|_| format!("journal verify has not ended within {} s", patiently(READY).as_secs()))?
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

/// Refuses a program of this workspace that is older than what it is made of. Cargo writes beside a program which files
/// those are; a program without such a list is somebody's own, and taken as it is. The rig's own files are in the program for
/// its demo only, and make no other daemon of it.
pub fn refuse_stale(program: &Path) -> Result<(), String> {
    let Ok(list) = fs::read_to_string(program.with_extension("d")) else { return Ok(()) };
    let built = fs::metadata(program).and_then(|m| m.modified()).map_err(|e| format!("{}: {e}", program.display()))?;
    let parts = list.split_once(": ").map_or("", |(_, parts)| parts);
    let parts = paths(parts).into_iter().filter(|part| !part.starts_with(env!("CARGO_MANIFEST_DIR")));
    let newer = parts.into_iter().find(|part| match fs::metadata(part).and_then(|m| m.modified()) {
        Ok(changed) => changed > built,
        // What it was built from is gone or has moved.
        Err(_) => true,
    });
    newer.map_or(Ok(()), |part| {
        let part = part.display();
        Err(format!(
            "{} is older than {part}: run `cargo build --workspace` first, or `cargo test --workspace`",
            program.display()
        ))
    })
}

/// The paths of a dep-info line; a blank inside a path has a backslash before it.
fn paths(line: &str) -> Vec<PathBuf> {
    let mut paths = vec![String::new()];
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek(), paths.last_mut()) {
            ('\\', Some(' '), Some(path)) => path.extend(chars.next()),
            (c, _, Some(path)) if !c.is_whitespace() => path.push(c),
            (_, _, _) => paths.push(String::new()),
        }
    }
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
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

    #[test]
    fn a_program_older_than_what_it_is_made_of_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let [program, source] = [dir.path().join("drawerbridge"), dir.path().join("a source.rs")];
        fs::write(&program, "").unwrap();
        refuse_stale(&program).expect("nobody says what it is made of");
        fs::write(&source, "").unwrap();
        let escaped = source.display().to_string().replace(' ', "\\ ");
        fs::write(dir.path().join("drawerbridge.d"), format!("{}: {escaped}\n", program.display())).unwrap();
        let time =
            |path: &Path, s| fs::File::open(path).unwrap().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(s));
        time(&source, 1_000).unwrap();
        time(&program, 1_001).unwrap();
        refuse_stale(&program).unwrap();
        time(&source, 1_002).unwrap();
        let why = refuse_stale(&program).unwrap_err();
        assert!(why.contains("a source.rs") && why.contains("cargo build --workspace"), "{why}");
        fs::remove_file(&source).unwrap();
        assert!(refuse_stale(&program).is_err());
    }

    #[tokio::test]
    async fn the_last_words_of_a_daemon_are_in_the_log_when_its_end_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::default();
        let body = "sleep 0.1; echo \"thread 'main' panicked at src/x.rs:1:1:\" >&2; exit 101";
        assert!(Daemon::start(&script(dir.path(), body), dir.path(), &log).await.is_err());
        assert!(log.panic().unwrap().contains("src/x.rs"), "{:?}", log.lines());
    }
}

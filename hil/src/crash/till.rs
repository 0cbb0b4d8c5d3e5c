//! One till whose daemon may die at any time: its devices, its shop, its daemon, its books.
use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;

use super::books::{Books, By, Tally, World};
use crate::bench::{
    Bench, BenchSpec, TillRig,
    client::{DaemonApi, EventLog},
    daemon::{Daemon, Log, journal_verify},
    now, patiently, slips,
};

/// Between two looks at something that changes by itself.
pub(super) const LOOK: Duration = Duration::from_millis(3);
/// The design's limit for a graceful stop, and for a killed process to be gone.
const GONE: Duration = Duration::from_secs(5);
/// What was sent to the display before a kill has settled after this.
const DRAWN: Duration = Duration::from_millis(500);
/// A count with all its faults is settled, and its slip is over, long before this.
const SETTLED: Duration = Duration::from_secs(40);

/// Waits that let ten thousand openings end in minutes.
pub(super) const TIMING: &[(&str, &str)] = &[
    ("quiet_period", "600ms"),
    ("read_every", "50ms"),
    ("retry_first", "40ms"),
    ("retry_max", "200ms"),
    ("request_timeout", "500ms"),
    ("reopen_first", "20ms"),
    ("reopen_max", "100ms"),
    ("print_proof", "2s"),
    ("kick_answer", "2s"),
    ("poll", "1s"),
    ("confirm_pause", "0ms"),
];

/// A poll that does not come in the seconds of an opening.
pub(super) const RARELY: &str = "5m";

/// The till.
pub(super) struct CrashTill {
    pub(super) bench: Bench,
    pub(super) program: PathBuf,
    pub(super) log: Log,
    pub(super) events: EventLog,
    pub(super) daemon: Option<Daemon>,
    pub(super) books: Books,
    /// The count that is being made, and from which drawing on the display may say that it is saved.
    pub(super) confirming: Option<Confirming>,
    heard: usize,
}

/// A count that was confirmed by key.
#[derive(Debug, Clone)]
pub(super) struct Confirming {
    pub(super) amount: String,
    pub(super) from: usize,
}

impl CrashTill {
    /// Brings the devices and the shop up; no daemon runs.
    pub(super) async fn new(mut spec: BenchSpec, program: &Path) -> Result<Self, String> {
        spec.paced = false;
        spec.bounce = 0;
        for (key, value) in TIMING {
            // Whoever asks for another poll has a reason.
            if *key == "poll" && spec.timing.iter().any(|(k, v)| k == key && v == RARELY) {
                continue;
            }
            spec.set(&format!("timing {key} {value}"))?;
        }
        let bench = Bench::start(spec).await.map_err(|e| format!("the till cannot be brought up: {e}"))?;
        Ok(Self {
            bench,
            program: program.to_path_buf(),
            log: Log::default(),
            events: EventLog::default(),
            daemon: None,
            books: Books::default(),
            confirming: None,
            heard: 0,
        })
    }

    pub(super) fn rig(&self) -> &TillRig {
        &self.bench.tills[0]
    }

    /// Starts the daemon and waits for nothing.
    pub(super) fn launch(&mut self, before: &[OsString]) -> Result<(), String> {
        self.daemon = Some(Daemon::launch(before, &self.program, self.bench.dir(), &self.log)?);
        Ok(())
    }

    /// Waits until it is ready, and looks whether everything that was acknowledged is still there.
    pub(super) async fn ready(&mut self) -> Result<(), String> {
        let daemon = self.daemon.as_mut().ok_or("no daemon runs")?;
        daemon.ready(self.bench.dir()).await.map_err(|why| format!("a start failed: {why}"))?;
        self.events.follow(self.api()?);
        self.look()?;
        self.books.check_counts(&self.bench.api.sessions())
    }

    /// Reads the journal.
    pub(super) fn look(&mut self) -> Result<(), String> {
        self.books.read(&self.bench.journal())
    }

    /// Reads the journal of a daemon that was killed, from a copy: what is left behind must be met by the next start.
    pub(super) fn autopsy(&mut self) -> Result<(), String> {
        let journal = self.bench.journal();
        let copy = self.bench.dir().join("autopsy.db");
        for end in ["", "-wal", "-shm"] {
            let [from, to] = [&journal, &copy].map(|path| PathBuf::from(format!("{}{end}", path.display())));
            let done = match end {
                // SQLite makes it anew from the others.
                "-shm" => std::fs::remove_file(&to),
                _ => std::fs::copy(&from, &to).map(drop),
            };
            match done {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(format!("{}: {e}", from.display())),
                Err(_) if end == "-wal" => drop(std::fs::remove_file(&to)),
                // Killed before it had made one.
                Err(_) if end.is_empty() => return Ok(()),
                Ok(()) | Err(_) => {}
            }
        }
        self.books.read_beginning(&copy)?;
        self.books.check_counts(&self.bench.api.sessions())
    }

    pub(super) fn api(&self) -> Result<DaemonApi, String> {
        DaemonApi::from_dir(self.bench.dir()).map_err(|e| format!("the daemon has not said where it listens: {e}"))
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        self.api()?.call(method, path, body).await.map_err(|e| format!("{method} {path}: {e}"))
    }

    /// What the daemon says of the till.
    pub(super) async fn status(&self) -> Result<Value, String> {
        match self.ask("GET", &format!("/v1/tills/{}", self.rig().name), None).await? {
            (200, status) => Ok(status),
            (status, body) => Err(format!("the till's status is answered by {status}: {body}")),
        }
    }

    /// The two rows of the display, blanks pressed together.
    pub(super) fn shows(&self) -> [String; 2] {
        let frame = self.rig().display.as_ref().map(crate::display::Display::frame).unwrap_or_default();
        frame.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// How its process ended, which must be over or about to be, and without a panic.
    async fn ended(&mut self) -> Result<ExitStatus, String> {
        let daemon = self.daemon.take().ok_or("no daemon runs")?;
        let status = daemon.gone(patiently(GONE)).await?;
        self.hear().await;
        match self.log.panic() {
            Some(line) => Err(format!("something panicked in the daemon: {line}")),
            None => Ok(status),
        }
    }

    /// True if SIGKILL ended it, false if it ended in order.
    pub(super) async fn ended_by_kill(&mut self) -> Result<bool, String> {
        let status = self.ended().await?;
        match (status.success(), status.signal() == Some(Signal::KILL.as_raw())) {
            (true, _) => Ok(false),
            (_, true) => Ok(true),
            _ => Err(format!("the daemon ended with {status}")),
        }
    }

    /// The exit code it ended with; no signal has ended it.
    pub(super) async fn ended_with_a_code(&mut self) -> Result<i32, String> {
        let status = self.ended().await?;
        status.code().ok_or_else(|| format!("the daemon ended with {status}"))
    }

    /// After its process was sent `signal`: it is gone, ended as such a signal ends it, and nothing panicked.
    pub(super) async fn bury(&mut self, signal: Signal, was_ready: bool) -> Result<(), String> {
        let status = self.ended().await?;
        let by = status.signal() == Some(signal.as_raw());
        // Before it listens to signals, SIGTERM ends it as it ends any program.
        let right = if signal == Signal::TERM { status.success() || (by && !was_ready) } else { by };
        if right { Ok(()) } else { Err(format!("sent {signal:?}, the daemon ended with {status}")) }
    }

    /// Ends it in order.
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        if let Some(daemon) = &self.daemon {
            send(daemon.pid(), Signal::TERM)?;
            self.bury(Signal::TERM, true).await?;
        }
        Ok(())
    }

    /// Takes down what display and event stream have said so far.
    pub(super) async fn hear(&mut self) {
        if let Some(display) = self.rig().display.clone() {
            let limit = now() + DRAWN;
            while !display.is_settled() && now() < limit {
                sleep(LOOK).await;
            }
        }
        if let Some(Confirming { amount, from }) = self.confirming.clone() {
            let saved = |rows: &[String; 2]| rows[0].trim() == "COUNT SAVED" || rows[1].trim() == "COUNT RECORDED";
            if self.rig().shown(from).iter().any(|shown| saved(&shown.rows)) {
                self.books.acknowledge(By::Display, &amount, None);
            }
        }
        let seen = self.events.all();
        for event in seen.iter().skip(self.heard).filter(|event| event.name == "opening.counted") {
            let amount = event.data["balance"]["amount"].as_str().unwrap_or_default();
            self.books.acknowledge(By::Stream, amount, event.data["opening"].as_str());
        }
        self.heard = seen.len();
    }

    /// Waits until nothing more happens by itself to the newest opening, its slip included.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        let limit = now() + patiently(SETTLED);
        loop {
            let status = self.status().await?;
            let opening = &status["opening"];
            let (state, slip) = (opening["state"].as_str().unwrap_or("none"), opening["slip"].as_str().unwrap_or("none"));
            let under_way = matches!(state, "started" | "counted" | "sending" | "waiting" | "unknown" | "reading");
            if !under_way && !matches!(slip, "owed" | "sending") {
                return Ok(());
            }
            if now() > limit {
                return Err(format!("the opening does not settle: {opening}"));
            }
            sleep(LOOK * 2).await;
        }
    }

    /// Holds everything against everything. A daemon must run.
    pub(super) async fn check(&mut self) -> Result<Tally, String> {
        self.hear().await;
        self.look()?;
        self.books.check(&self.world())
    }

    fn world(&self) -> World {
        let rig = self.rig();
        let mut papers = rig.printer.slip_texts();
        papers.push(rig.printer.uncut_text());
        let printer = rig.printer.warnings().into_iter().map(|w| format!("printer, byte {}: {}", w.offset, w.text));
        let display = rig.display.iter().flat_map(crate::display::Display::warnings);
        let display = display.map(|w| format!("display, byte {}: {}", w.offset, w.text));
        let (sessions, requests) = (self.bench.api.sessions(), self.bench.api.requests());
        World { sessions, requests, papers, warnings: printer.chain(display).collect() }
    }

    /// `drawerbridge journal verify`.
    pub(super) async fn verify(&self) -> Result<(), String> {
        journal_verify(&self.program, self.bench.dir()).await
    }

    /// Leaves everything that helps to understand a failure in a folder, and says which.
    pub(super) fn keep(mut self) -> PathBuf {
        let dir = self.bench.keep().to_path_buf();
        let text = self.log.lines().join("\n") + "\n";
        // What cannot be kept is missed by who looks; the failure itself is told in any case.
        drop(std::fs::write(dir.join("daemon.log"), text));
        drop(slips::save_all(&dir, self.rig()));
        let requests = self.bench.api.requests();
        let mut lines: Vec<String> = requests
            .iter()
            .map(|r| format!("{:?} {} {} {} {}", r.at, r.operation, r.status, r.executed, r.variables))
            .collect();
        lines.extend(self.bench.api.sessions().iter().map(|s| format!("{s:?}")));
        drop(std::fs::write(dir.join("shop.txt"), lines.join("\n") + "\n"));
        dir
    }
}

/// Sends a signal to a process of ours.
pub(super) fn send(pid: i32, signal: Signal) -> Result<(), String> {
    let pid = Pid::from_raw(pid).ok_or("there is no process 0")?;
    kill_process(pid, signal).map_err(|e| format!("{signal:?} cannot be sent: {e}"))
}

//! The daemon as a process: how soon it is ready, how much memory it holds, how often it wakes up.
use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Command, time::timeout};

use super::{
    stats::Distribution,
    table::{Aim, Measured, Row},
};
use crate::bench::now;

/// A start that takes longer is an error, not a measurement.
const LOST: Duration = Duration::from_secs(10);

/// Start of the process → `READY=1`, each time with an empty journal.
pub(super) async fn starts(program: &Path, dir: &Path, runs: usize) -> Result<Row, String> {
    let mut all = Vec::new();
    for _ in 0..runs {
        for file in ["journal.db", "journal.db-wal", "journal.db-shm", "journal.db.addr"] {
            match fs::remove_file(dir.join(file)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(format!("{file}: {e}")),
                Ok(()) | Err(_) => {}
            }
        }
        all.push(one_start(program, dir).await?);
    }
    let daemon = Distribution::new(all).ok_or("no start was measured")?;
    Ok(Row {
        order: 5,
        name: "start of the process → ready",
        aim: Aim { median: Some(Duration::from_millis(30)), ..Aim::default() },
        measured: Measured::Times { daemon, floor: None },
        remark: None,
    })
}

async fn one_start(program: &Path, dir: &Path) -> Result<Duration, String> {
    let wrong = |e: io::Error| format!("the readiness socket: {e}");
    let socket = dir.join("notify.sock");
    drop(fs::remove_file(&socket));
    let notify = UnixDatagram::bind(&socket).map_err(wrong)?;
    notify.set_read_timeout(Some(LOST)).map_err(wrong)?;
    // Reads on a thread of its own: what is measured is the daemon, not the rig's runtime.
    let ready = tokio::task::spawn_blocking(move || -> io::Result<Instant> {
        let mut buf = [0; 1024];
        loop {
            let n = notify.recv(&mut buf)?;
            if buf[..n].split(|b| *b == b'\n').any(|line| line == b"READY=1") {
                return Ok(now());
            }
        }
    });
    let start = now();
    let mut child = Command::new(program)
        .args(["run", "--config"])
        .arg(dir.join("config.toml"))
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("{} cannot be started: {e}", program.display()))?;
    let ready = tokio::select! {
        ready = ready => ready.map_err(|e| e.to_string())?.map_err(|e| format!("the daemon has not said READY=1: {e}"))?,
        status = child.wait() => return Err(format!("the daemon ended at its start ({status:?})")),
    };
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM).map_err(|e| format!("SIGTERM: {e}"))?;
    }
    let ended = timeout(LOST, child.wait()).await;
    if !matches!(ended, Ok(Ok(status)) if status.success()) {
        return Err(format!("stopped by SIGTERM, the daemon ended with {ended:?}"));
    }
    Ok(ready - start)
}

/// Resident memory and wake-ups of a daemon that nothing happens to.
pub(super) async fn idle(pid: i32, watch: Duration) -> Result<[Row; 2], String> {
    // What the last measurement began (a redraw, a slip's proof) is over by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = switches(pid).map_err(|e| e.to_string())?;
    let start = now();
    tokio::time::sleep(watch).await;
    let after = switches(pid).map_err(|e| e.to_string())?;
    let seconds = start.elapsed().as_secs().max(1);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    let resident = field(&status, "VmRSS").ok_or("the kernel tells no VmRSS")?;
    let memory = Row {
        order: 6,
        name: "resident memory, idle, one till",
        aim: Aim { at_most: Some(12 * 1024), ..Aim::default() },
        measured: Measured::Number { value: resident, unit: "KiB" },
        remark: None,
    };
    let wakes = Row {
        order: 7,
        name: "wake-ups, idle, one till",
        aim: Aim { at_most: Some(60), ..Aim::default() },
        measured: Measured::Number { value: after.saturating_sub(before) * 60 / seconds, unit: "a minute" },
        remark: Some(format!("context switches of all threads over {seconds} s")),
    };
    Ok([memory, wakes])
}

/// Voluntary and involuntary context switches of all threads.
fn switches(pid: i32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        if let Ok(status) = fs::read_to_string(task?.path().join("status")) {
            sum += field(&status, "voluntary_ctxt_switches").unwrap_or(0);
            sum += field(&status, "nonvoluntary_ctxt_switches").unwrap_or(0);
        }
    }
    Ok(sum)
}

/// `Name:   123 kB` → 123.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Processor, cores and kernel.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, m)| m.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!("{model}, {cores} cores, Linux {}, load {}", kernel.trim(), load.split_whitespace().next().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_fields_are_read() {
        let status = "VmPeak:\t 100 kB\nVmRSS:\t   9876 kB\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "VmRSS"), Some(9876));
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(12));
        assert_eq!(field(status, "VmSwap"), None);
        assert!(switches(std::process::id().cast_signed()).unwrap() > 0);
        assert!(machine().contains("cores"));
    }
}

//! A fault of the journal's disk that does not go away: this call and every one like it on the same file fails, until the
//! process ends, and in the next run from its first call on, on all the journal's files.
//!
//! As long as it lasts: nobody is told that a count is saved that is not on disk, nothing panics, and the daemon either stays
//! with its devices served and says what is wrong, or ends by itself with a message and an exit code that it documents.
use std::{path::PathBuf, time::Duration};

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::{
    CrashTill, DEAD, Done, LOOK, SyscallOptions, cashier, fs, is_dead, now, patiently, send, started, till,
    trace::{self, Lasting, Point, Target, Tracer},
    until_dead,
};
use crate::crash::hand::Count;

/// The journal's files. What is beside them (the lock, the address, the index in memory) holds no count.
pub(super) const FILES: [&str; 3] = ["journal.db", "journal.db-wal", RESERVE];
const RESERVE: &str = "journal.db.reserve";
/// In the place of a thread's name: the calls of a start, whoever makes them.
const THE_START: &str = "the start";
/// From the first refusal on, this long: a count is typed and confirmed within it, and tried again.
const LASTS: Duration = Duration::from_secs(3);
/// `drawerbridge run --help`: failed, and try again later.
const SAYS_WHY: [i32; 2] = [1, 75];
/// How the log begins to say it.
const SAID: [&str; 2] = ["the journal cannot be written", "the journal's disk is full"];

/// Whether this is not a point of a run, but the calls of a start.
pub(super) fn is_from_the_start(point: &Point) -> bool {
    point.thread == THE_START
}

/// Every kind of call on the journal's files in the life of a fresh till without an opening: the files are made there.
pub(super) async fn from_the_start(options: &SyscallOptions) -> Result<Vec<Point>, String> {
    let mut till = till(options).await?;
    let dir = till.bench.dir().to_path_buf();
    let output = dir.join("strace.txt");
    started(&mut till, &trace::from_the_start(&output)).await?;
    till.stop().await?;
    let text = fs::read_to_string(&output).map_err(|e| format!("{}: {e}", output.display()))?;
    let kinds = trace::kinds(&text, &dir, &FILES);
    if kinds.is_empty() {
        return Err("no call on the journal's files was seen".to_owned());
    }
    let point = |(call, name)| {
        let (thread, target) = (THE_START.to_owned(), Target::Named(name));
        Point { thread, call, target, number: 1, place: None, always: true }
    };
    Ok(kinds.into_iter().map(point).collect())
}

/// A run in which it begins, and a start with it; or only that start, on a till that never ran.
pub(super) async fn played(till: &mut CrashTill, count: &Count, errno: &str, point: &Point) -> Result<Done, String> {
    let folder = fs::canonicalize(till.bench.dir()).map_err(|e| format!("the till's folder: {e}"))?;
    let of_start = match &point.target {
        Target::Named(name) if is_from_the_start(point) => vec![folder.join(name)],
        Target::Named(_) | Target::Elsewhere(_) | Target::Log | Target::Socket => {
            FILES.map(|name| folder.join(name)).to_vec()
        }
    };
    let mut done = Done { reached: true, ..Done::default() };
    if !is_from_the_start(point) {
        done = begins(till, count, errno, point).await.map_err(|why| format!("while it lasts: {why}"))?;
    }
    if done.reached {
        let (struck, became) =
            starts(till, count, errno, &point.call, &of_start).await.map_err(|why| format!("started with it: {why}"))?;
        done.reached &= struck || !is_from_the_start(point);
        done.restart = Some(if struck { became } else { "without meeting it".to_owned() });
    }
    Ok(done)
}

/// It begins with this call, and lasts until the process has ended.
async fn begins(till: &mut CrashTill, count: &Count, errno: &str, point: &Point) -> Result<Done, String> {
    let pid = started(till, &[]).await?;
    let dir = till.bench.dir().to_path_buf();
    let what = format!("error={errno}");
    let tracer = Tracer::strike(pid, &dir, point, (&what, Lasting::On), &dir.join("strace.txt")).await?;
    let lasted = async {
        tracer.struck().await;
        sleep(LASTS).await;
    };
    let mut by_itself = tokio::select! {
        _ = cashier(till, count) => false,
        () = lasted => false,
        () = until_dead(pid) => true,
    };
    if tracer.has_struck() && !by_itself {
        by_itself = !serves(till, pid, Some(0)).await?;
    }
    let code = end(till, pid).await?;
    let reached = tracer.has_struck();
    tracer.detach().await?;
    if by_itself {
        says_why(till, code, 0)?;
    } else if code != 0 {
        return Err(format!("asked to end, it ended with exit code {code}"));
    }
    till.autopsy()?;
    let ended = by_itself.then(|| format!("exit code {code}"));
    Ok(Done { reached, ended, ..Done::default() })
}

/// Started with it: whether it was met, and what became of the start.
async fn starts(
    till: &mut CrashTill,
    count: &Count,
    errno: &str,
    call: &str,
    files: &[PathBuf],
) -> Result<(bool, String), String> {
    let dir = till.bench.dir().to_path_buf();
    let output = dir.join("strace-start.txt");
    let from = till.log.lines().len();
    till.launch(&trace::failing_from_the_start(call, errno, files, &output))?;
    let daemon = till.daemon.as_mut().ok_or("no daemon runs")?;
    let pid = daemon.pid();
    if let Err(why) = daemon.ready(&dir).await {
        if daemon.ended().is_none() {
            return Err(why);
        }
        let code = till.ended_with_a_code().await?;
        says_why(till, code, from)?;
        till.autopsy()?;
        return Ok((trace::has_struck(&output), format!("ended with exit code {code}")));
    }
    till.events.follow(till.api()?);
    till.books.read_beginning(&till.bench.journal())?;
    till.rig().printer.push_drawer_shut();
    if !till.books.has(&count.amount()) {
        // It may be refused at any step; what is shown is judged, not how far it comes.
        drop(timeout(LASTS, cashier(till, count)).await);
    }
    let mut by_itself = is_dead(pid);
    if !by_itself {
        // Without the reserve alone every count is on disk all the same.
        let only_reserve = files.iter().all(|file| file.ends_with(RESERVE));
        let must_say = trace::has_struck(&output) && !only_reserve;
        by_itself = !serves(till, pid, must_say.then_some(from)).await?;
    }
    let code = end(till, pid).await?;
    if by_itself {
        says_why(till, code, from)?;
    } else if code != 0 {
        return Err(format!("asked to end, it ended with exit code {code}"));
    }
    till.autopsy()?;
    let became = if by_itself { format!("ended with exit code {code}") } else { "served".to_owned() };
    Ok((trace::has_struck(&output), became))
}

/// The devices are served, nobody was told of a count that is not on disk, and the log says what is wrong, after
/// `must_say` lines. `false` when the daemon has ended meanwhile.
async fn serves(till: &mut CrashTill, pid: i32, must_say: Option<usize>) -> Result<bool, String> {
    let limit = now() + patiently(DEAD);
    till.rig().printer.push_drawer_shut();
    loop {
        let status = till.status().await;
        if is_dead(pid) {
            return Ok(false);
        }
        let status = status?;
        let up = [&status["printer"]["link"], &status["display"]["link"], &status["keypads"][0]["link"]];
        let served = up.iter().all(|link| *link == "up") && status["drawer"]["state"] == "closed";
        let said = must_say.is_none_or(|from| says(till, from, &SAID));
        if served && said {
            break;
        }
        if now() > limit && served {
            return Err("its journal fails, and its log says nothing of it".to_owned());
        }
        if now() > limit {
            return Err(format!("the devices are not served: {status}"));
        }
        sleep(LOOK).await;
    }
    till.hear().await;
    till.books.read_beginning(&till.bench.journal())?;
    till.books.check_counts(&till.bench.api.sessions())?;
    Ok(true)
}

/// Ends it in order, unless it has ended. Its exit code.
async fn end(till: &mut CrashTill, pid: i32) -> Result<i32, String> {
    if !is_dead(pid) {
        send(pid, Signal::TERM)?;
        timeout(patiently(DEAD), until_dead(pid)).await.map_err(|_| "it does not end".to_owned())?;
    }
    till.ended_with_a_code().await
}

/// Ended by itself with a code that the help explains, and with a word about the journal.
fn says_why(till: &CrashTill, code: i32, from: usize) -> Result<(), String> {
    if SAYS_WHY.contains(&code) && says(till, from, &["journal"]) {
        return Ok(());
    }
    let last = till.log.lines().pop().unwrap_or_default();
    Err(format!("it ended by itself with exit code {code}, and its last words are: {last}"))
}

/// One of its lines after so many has one of these words in it.
fn says(till: &CrashTill, from: usize, words: &[&str]) -> bool {
    // The rig's own lines begin with dashes.
    let lines = till.log.lines().into_iter().skip(from).filter(|line| !line.starts_with("--"));
    lines.into_iter().any(|line| words.iter().any(|word| line.contains(word)))
}

//! The daemon ends, or is refused, at every system call that leaves something behind, from the drawer's opening over the count,
//! the session and the proven slip to the ordered end of the process.
//!
//! Reference runs under `strace` list these calls: the points. Then each of them has a run of its own, on a fresh till, for each
//! of:
//! - **before**: SIGKILL when the call is entered. The kernel sees the signal before it begins: the call is not carried out.
//! - **after**: the call is carried out and its return is held back (`delay_exit`); then SIGKILL. The thread that called has
//!   not seen the result; the other threads had some milliseconds to go on.
//! - **EIO**, **ENOSPC**, **EINTR**: the call is not carried out and fails with this error, once.
//! - **EIO that stays**, **ENOSPC that stays**, for calls on the journal's files: this call and all like it on the same file
//!   fail until the process ends, and again in the run that follows ([`stays`]).
//! - **cut short**, for every write to the journal: the limit on the size of files (`RLIMIT_FSIZE`, with SIGXFSZ ignored) is
//!   put into the middle of the write. The kernel writes the first half and says so, refuses the rest with EFBIG, and goes on
//!   refusing until the limit is taken away: a disk that fills in the middle of a page, without a disk to fill.
//!
//! After each, the daemon is started again without a tracer, goes on until everything settles, and everything is held against
//! everything (`books`).
//!
//! ## Points that only some runs have
//! A picture is drawn once more, a connection is closed by whoever was quicker: not every reference run has the same calls.
//! What one of them has is struck at, too. A run that does not come to such a point has proven nothing about it, and failed
//! in nothing: it is counted, and named.
//!
//! ## What is left out
//! A faked short count (`retval=`) for terminals and connections would be a kernel that lies: it says "half" and has sent
//! nothing. Their buffers take all that a daemon sends in a run, so an honest half cannot be had. Writes through the shared
//! memory of `-shm` are no calls. Wake-ups between threads (eventfd) leave nothing behind.
mod stays;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Failure,
    books::{Standing, Tally},
    hand::{Count, Entry},
    kill::play,
    rng::Rng,
    till::{Confirming, CrashTill, LOOK, RARELY, send},
    trace::{self, Lasting, Point, Target, Tracer},
};
use crate::{
    bench::{BenchSpec, config::STAFF, daemon::Daemon, lock, now, patiently},
    progress::{Progress, grouped},
};

/// A step of the cashier that the display does not answer within this is given up; the rest is done over the API.
const ANSWERED: Duration = Duration::from_millis(1_500);
/// The first slip waits 4 s for Shopify's answer, and 2 s for its proof.
const PRINTED: Duration = Duration::from_secs(10);
/// A disk that refuses is told within this.
const TOLD: Duration = Duration::from_secs(2);
/// Device events reach the disk this much after they were told, at most.
const WRITTEN_BEHIND: Duration = Duration::from_millis(300);
/// Between two keys, as the cashier of `hand` types.
const KEY_GAP: Duration = Duration::from_millis(42);
/// A process that was ended is dead, and one that ends by itself is noticed, within this.
const DEAD: Duration = Duration::from_secs(5);
/// Longer than any look at the tracer's output.
const HELD_BACK: &str = "delay_exit=20000000";
/// A point that a run does not reach (a picture was drawn once less) is tried so often.
const TRIES: u32 = 4;
/// The same for a point that only some runs have.
const SOME_TRIES: u32 = 3;
/// With so many failures it is known that something is wrong.
const ENOUGH: usize = 6;
/// A shell that ignores SIGXFSZ and becomes the daemon.
const IGNORING_XFSZ: [&str; 3] = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

/// Reference runs: what any of them does is struck at.
const REFERENCES: usize = 3;

/// How much is struck.
#[derive(Debug, Clone)]
pub struct SyscallOptions {
    /// So many runs, spread over all that there are; all of them when `None`.
    pub runs: Option<usize>,
    /// Only those whose name has this in it.
    pub only: Option<String>,
    /// Chooses which, and what is counted.
    pub seed: u64,
    /// Tills at a time.
    pub jobs: usize,
    /// The daemon's program.
    pub program: PathBuf,
}

/// What is done at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strike {
    Before,
    After,
    Error(&'static str),
    /// A limit on the size of files in the middle of this write.
    Short,
    /// An error for this call and all that follow.
    Stays(&'static str),
}

const STRIKES: [Strike; 8] = [
    Strike::Before,
    Strike::After,
    Strike::Error("EIO"),
    Strike::Error("ENOSPC"),
    Strike::Error("EINTR"),
    Strike::Short,
    Strike::Stays("EIO"),
    Strike::Stays("ENOSPC"),
];

impl Strike {
    fn fits(self, point: &Point) -> bool {
        let on = |files: &[&str]| matches!(&point.target, Target::Named(name) if files.contains(&name.as_str()));
        match self {
            Self::Stays(_) => on(&stays::FILES),
            Self::Before | Self::After | Self::Error(_) | Self::Short if stays::is_from_the_start(point) => false,
            Self::Short => point.place.is_some() && on(&["journal.db-wal"]),
            Self::Before | Self::After | Self::Error(_) => true,
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("before"),
            Self::After => f.write_str("after"),
            Self::Error(errno) => f.write_str(errno),
            Self::Short => f.write_str("cut short"),
            Self::Stays(errno) => write!(f, "{errno} that stays"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct SyscallReport {
    seed: u64,
    /// Calls of the reference run, by thread, call and target.
    groups: BTreeMap<String, u64>,
    /// Of all reference runs.
    points: u64,
    /// Of only some.
    sometimes: u64,
    /// Kinds of calls on the journal's files from a start on.
    kinds: u64,
    runs: u64,
    /// Runs at points of all reference runs, and at others.
    strikes: BTreeMap<Strike, [Reached; 2]>,
    /// Ended by itself after an error, by its exit status.
    ended: BTreeMap<String, u64>,
    /// What a start became whose journal fails from its first call on.
    restarts: BTreeMap<String, u64>,
    unreached: BTreeSet<String>,
    /// The same for points of only some runs.
    unreached_sometimes: BTreeSet<String>,
    tally: Tally,
    took: Duration,
    /// What must not be.
    pub failures: Vec<Failure>,
}

/// Of so many runs, so many came to their point.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    reached: u64,
    all: u64,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.reached, self.all)
    }
}

impl SyscallReport {
    /// Nothing was wrong, and every point that all reference runs have was reached.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && self.unreached.is_empty() && self.runs > 0
    }

    /// The calls of the reference run, one group a line.
    #[must_use]
    pub fn list(&self) -> String {
        self.groups.iter().map(|(group, n)| format!("{n:>5}  {group}\n")).collect()
    }
}

impl fmt::Display for SyscallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.tally;
        write!(f, "syscalls: seed {}: {} points", self.seed, grouped(self.points))?;
        if self.sometimes > 0 {
            write!(f, " and {} that only some runs have", self.sometimes)?;
        }
        write!(f, ", {} kinds of calls of a start; reached", grouped(self.kinds))?;
        for (n, (strike, [always, sometimes])) in self.strikes.iter().enumerate() {
            write!(f, "{} {strike} {always}", if n == 0 { "" } else { "," })?;
            if sometimes.all > 0 {
                write!(f, " and {sometimes}")?;
            }
        }
        write!(f, ", {} s; ", self.took.as_secs())?;
        if !self.failures.is_empty() {
            write!(f, "FAILED {} times; ", self.failures.len())?;
        }
        if !self.unreached.is_empty() {
            let points: Vec<&str> = self.unreached.iter().map(String::as_str).collect();
            write!(f, "NOT REACHED: {}; ", points.join(", "))?;
        }
        let none = if self.failures.is_empty() { "none" } else { "SOME PERHAPS" };
        write!(
            f,
            "of {} acknowledged counts {none} lost, of {} sessions {none} doubled, of all starts {none} failed, {none} panicked; confirmed \
             {}, left to a person {}, slips proven {}, not proven {}; after an error it ended by itself",
            grouped(t.acknowledged),
            grouped(t.sessions),
            grouped(t.confirmed),
            grouped(t.attention),
            grouped(t.printed),
            grouped(t.not_proven),
        )?;
        if self.ended.is_empty() {
            f.write_str(" never")?;
        }
        for (n, (status, times)) in self.ended.iter().enumerate() {
            write!(f, "{} {times} times with {status}", if n == 0 { "" } else { "," })?;
        }
        if !self.restarts.is_empty() {
            f.write_str("; started with an error that stays")?;
        }
        for (n, (what, times)) in self.restarts.iter().enumerate() {
            write!(f, "{} {times} times {what}", if n == 0 { "" } else { "," })?;
        }
        if !self.unreached_sometimes.is_empty() {
            write!(f, "\n  {} were not reached, at points that only some runs have:", self.unreached_sometimes.len())?;
        }
        self.unreached_sometimes.iter().try_for_each(|point| write!(f, "\n    {point}"))
    }
}

/// Why nothing can be struck here, and what to do about it.
#[must_use]
pub fn missing() -> Option<String> {
    let there = Path::new(trace::PROGRAM).is_file();
    (!there).then(|| format!("{} is not there: install it with `apt install strace`", trace::PROGRAM))
}

/// Lists the points and strikes at them.
///
/// # Errors
/// When there is no `strace`, or the reference run does not go as it should.
pub async fn run(options: &SyscallOptions) -> Result<SyscallReport, String> {
    if let Some(why) = missing() {
        return Err(why);
    }
    let start = now();
    let mut runs = Vec::new();
    for _ in 0..REFERENCES {
        runs.push(reference(options).await.map_err(|why| format!("the reference run: {why}"))?);
    }
    let mut points = of_all_runs(&runs);
    let sometimes = points.iter().filter(|point| !point.always).count() as u64;
    let all = points.len() as u64;
    let mut report = SyscallReport { seed: options.seed, points: all - sometimes, sometimes, ..SyscallReport::default() };
    let kinds = stays::from_the_start(options).await.map_err(|why| format!("the reference start: {why}"))?;
    report.kinds = kinds.len() as u64;
    points.extend(kinds);
    for point in &points {
        let Point { thread, call, target, .. } = point;
        let about = match target {
            Target::Named(name) | Target::Elsewhere(name) => name.as_str(),
            Target::Log => "stderr",
            Target::Socket => "a connection",
        };
        *report.groups.entry(format!("{thread}: {call} on {about}")).or_default() += 1;
    }
    let pairs =
        |strike: Strike| points.iter().filter(move |point| strike.fits(point)).map(move |point| (strike, point.clone()));
    let all: Vec<(Strike, Point)> = STRIKES.into_iter().flat_map(pairs).collect();
    let chosen = spread(all, options);
    let progress = Progress::new("syscalls", chosen.len() as u64);
    let shared = Shared {
        options: options.clone(),
        queue: Mutex::new(VecDeque::from(chosen)),
        again: Mutex::default(),
        report: Mutex::new(report),
        progress,
    };
    let shared = Arc::new(shared);
    let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| tokio::spawn(work(Arc::clone(&shared), 1))).collect();
    for worker in workers {
        worker.await.map_err(|e| format!("a task of the rig failed: {e}"))?;
    }
    // What many tills at a time came too late for is reached by one alone, as in the reference run.
    *lock(&shared.queue) = std::mem::take(&mut *lock(&shared.again));
    work(Arc::clone(&shared), TRIES).await;
    shared.progress.finish();
    let mut report = lock(&shared.report).clone();
    report.took = now() - start;
    Ok(report)
}

/// What all workers share.
struct Shared {
    options: SyscallOptions,
    queue: Mutex<VecDeque<(Strike, Point)>>,
    /// Points that were not reached.
    again: Mutex<VecDeque<(Strike, Point)>>,
    report: Mutex<SyscallReport>,
    progress: Progress,
}

/// The points of all runs, in the order of the first that has them, with a word on whether every run has them.
fn of_all_runs(runs: &[Vec<Point>]) -> Vec<Point> {
    let same = |a: &Point, b: &Point| (&a.thread, &a.call, &a.target, a.number) == (&b.thread, &b.call, &b.target, b.number);
    let mut points: Vec<Point> = Vec::new();
    for point in runs.iter().flatten() {
        if !points.iter().any(|known| same(known, point)) {
            let always = runs.iter().all(|run| run.iter().any(|other| same(other, point)));
            points.push(Point { always, ..point.clone() });
        }
    }
    points
}

/// So many of them, in equal steps from a place that the seed chooses.
fn spread(mut all: Vec<(Strike, Point)>, options: &SyscallOptions) -> Vec<(Strike, Point)> {
    if let Some(only) = &options.only {
        all.retain(|(strike, point)| format!("{strike}, {point}").contains(only));
    }
    let Some(wanted) = options.runs.filter(|wanted| *wanted < all.len()) else { return all };
    let from = usize::try_from(Rng::new(options.seed, 0).below(all.len() as u64)).unwrap_or(0);
    (0..wanted).filter_map(|n| all.get((from + n * all.len() / wanted) % all.len()).cloned()).collect()
}

async fn work(shared: Arc<Shared>, tries: u32) {
    loop {
        let next = lock(&shared.queue).pop_front();
        let Some((strike, point)) = next else { return };
        let mut result = Ok(Done::default());
        for _ in 0..if point.always { tries } else { SOME_TRIES } {
            result = one(&shared.options, strike, &point).await;
            if result.as_ref().map_or(true, |done| done.reached) {
                break;
            }
        }
        if tries < TRIES && point.always && result.as_ref().is_ok_and(|done| !done.reached) {
            lock(&shared.again).push_back((strike, point));
            continue;
        }
        note(&shared, strike, &point, result);
        shared.progress.step(1);
    }
}

fn note(shared: &Shared, strike: Strike, point: &Point, result: Result<Done, (String, PathBuf)>) {
    let mut report = lock(&shared.report);
    report.runs += 1;
    let runs = &mut report.strikes.entry(strike).or_default()[usize::from(!point.always)];
    runs.all += 1;
    runs.reached += u64::from(result.as_ref().is_ok_and(|done| done.reached));
    let done = match result {
        Ok(done) => done,
        Err((what, folder)) => {
            let again = format!("drawerbridge-hil syscalls --seed {} --only '{strike}, {point}'", shared.options.seed);
            let failure = Failure { place: format!("{strike}, {point}"), what, folder, again };
            shared.progress.note(&failure);
            report.failures.push(failure);
            if report.failures.len() >= ENOUGH {
                lock(&shared.queue).clear();
            }
            return;
        }
    };
    if !done.reached {
        let unreached = if point.always { &mut report.unreached } else { &mut report.unreached_sometimes };
        unreached.insert(format!("{strike}, {point}"));
    }
    if let Some(status) = done.ended {
        *report.ended.entry(status).or_default() += 1;
    }
    if let Some(what) = done.restart {
        *report.restarts.entry(what).or_default() += 1;
    }
    report.tally = report.tally.and(done.tally);
}

/// What became of one run.
#[derive(Debug, Default)]
struct Done {
    reached: bool,
    ended: Option<String>,
    /// What became of the start with an error that stays.
    restart: Option<String>,
    tally: Tally,
}

fn count(seed: u64) -> Count {
    let mut rng = Rng::new(seed, 1);
    let staff = usize::try_from(rng.below(STAFF.len() as u64 - 1)).unwrap_or(0);
    // Five digits each time: every run has the same number of keys.
    Count { entry: Entry::Keys, cents: 10_000 + rng.below(89_999), staff }
}

async fn till(options: &SyscallOptions) -> Result<CrashTill, String> {
    let mut spec = BenchSpec::default();
    // Polls come by time, so that not every run would have the same ones.
    spec.set(&format!("timing poll {RARELY}"))?;
    CrashTill::new(spec, &options.program).await
}

/// Starts the daemon and waits until all its devices are there, so that what follows begins alike in every run.
async fn started(till: &mut CrashTill, before: &[OsString]) -> Result<i32, String> {
    till.launch(before)?;
    till.ready().await?;
    let limit = now() + patiently(DEAD);
    loop {
        let status = till.status().await?;
        let up = [&status["printer"]["link"], &status["display"]["link"], &status["keypads"][0]["link"]];
        if up.iter().all(|link| *link == "up") && status["drawer"]["state"] == "closed" && till.shows()[0] == "RIG STORE" {
            break;
        }
        if now() > limit {
            return Err(format!("the till does not become ready: {status}"));
        }
        sleep(LOOK).await;
    }
    till.daemon.as_ref().map(Daemon::pid).ok_or_else(|| "no daemon runs".to_owned())
}

async fn reference(options: &SyscallOptions) -> Result<Vec<Point>, String> {
    let mut till = till(options).await?;
    let pid = started(&mut till, &[]).await?;
    let threads = trace::threads(pid)?;
    let dir = till.bench.dir().to_path_buf();
    let devices = ["printer", "display", "keypad"]
        .into_iter()
        .filter_map(|name| Some((fs::canonicalize(dir.join(name)).ok()?, name.to_owned())))
        .collect();
    let tracer = Tracer::follow(pid, &dir.join("strace.txt")).await?;
    if !cashier(&mut till, &count(options.seed)).await {
        return Err(format!("the cashier comes no further than {:?}", till.shows()));
    }
    till.stop().await?;
    let text = tracer.detach().await?;
    trace::points(&text, &threads, &dir, &devices)
}

/// Opens the drawer and makes the count, led by the display alone, so that no request of the rig is among the daemon's calls.
/// True when a slip has come out for the settled opening.
async fn cashier(till: &mut CrashTill, count: &Count) -> bool {
    let amount = count.amount();
    let (_, number, _) = STAFF[count.staff];
    let keypad = till.rig().keypad.clone();
    till.rig().printer.key();
    let steps = [
        ("STAFF NUMBER".to_owned(), format!("{number} Enter")),
        ("COUNT THE FLOAT".to_owned(), format!("{} Enter", count.cents)),
        (format!("FLOAT {amount} USD"), "Enter".to_owned()),
    ];
    for (shown, keys) in steps {
        let limit = now() + patiently(ANSWERED);
        while till.shows()[0] != shown {
            if now() > limit {
                return false;
            }
            sleep(LOOK).await;
        }
        if keys == "Enter" {
            till.confirming = Some(Confirming { amount: amount.clone(), from: till.rig().drawings() });
        }
        // The question has stood for a moment before it is answered.
        sleep(KEY_GAP).await;
        keypad.type_keys(&keys, KEY_GAP).await;
    }
    let limit = now() + patiently(PRINTED);
    let mut refused = None;
    while now() < limit {
        // A journal in the middle of a fault may be unreadable for a moment.
        if till.look().is_ok() && till.books.standing(&amount) == Standing::Over {
            return true;
        }
        if till.shows()[1] == "ENTER=TRY AGAIN" && now() > *refused.get_or_insert_with(|| now() + TOLD) {
            return false;
        }
        sleep(LOOK * 2).await;
    }
    false
}

async fn one(options: &SyscallOptions, strike: Strike, point: &Point) -> Result<Done, (String, PathBuf)> {
    let mut till = till(options).await.map_err(|why| (why, PathBuf::new()))?;
    let count = count(options.seed);
    let result = match strike {
        Strike::Before | Strike::After => killed(&mut till, &count, strike, point).await,
        Strike::Error(errno) => refused(&mut till, &count, errno, point).await,
        Strike::Short => cut_short(&mut till, &count, point).await,
        Strike::Stays(errno) => stays::played(&mut till, &count, errno, point).await,
    };
    let result = match result {
        Ok(done) => afterwards(&mut till, &count).await.map(|tally| Done { tally, ..done }),
        Err(why) => Err(why),
    };
    result.map_err(|why| {
        drop(till.daemon.take());
        (why, till.keep())
    })
}

async fn killed(till: &mut CrashTill, count: &Count, strike: Strike, point: &Point) -> Result<Done, String> {
    let pid = started(till, &[]).await?;
    let dir = till.bench.dir().to_path_buf();
    let what = if strike == Strike::Before { "signal=KILL" } else { HELD_BACK };
    let tracer = Tracer::strike(pid, &dir, point, (what, Lasting::Once), &dir.join("strace.txt")).await?;
    {
        let held = async { if strike == Strike::Before { std::future::pending().await } else { tracer.struck().await } };
        tokio::pin!(held);
        let mut killed = tokio::select! {
            _ = cashier(till, count) => false,
            () = until_dead(pid) => true,
            () = &mut held => send(pid, Signal::KILL).map(|()| true)?,
        };
        if !killed {
            // Not yet: the point lies in the ordered end.
            send(pid, Signal::TERM)?;
            killed = tokio::select! {
                ended = timeout(patiently(DEAD), until_dead(pid)) => ended.is_ok(),
                () = &mut held => send(pid, Signal::KILL).map(|()| true)?,
            };
        }
        if !killed {
            return Err("it does not end".into());
        }
    }
    // A traced process is not gone before its tracer has let it go.
    tracer.detach().await?;
    let reached = till.ended_by_kill().await?;
    till.autopsy()?;
    Ok(Done { reached, ..Done::default() })
}

async fn refused(till: &mut CrashTill, count: &Count, errno: &str, point: &Point) -> Result<Done, String> {
    let pid = started(till, &[]).await?;
    let dir = till.bench.dir().to_path_buf();
    let what = format!("error={errno}");
    let tracer = Tracer::strike(pid, &dir, point, (&what, Lasting::Once), &dir.join("strace.txt")).await?;
    let mut ended = tokio::select! {
        _ = cashier(till, count) => false,
        () = until_dead(pid) => true,
    };
    let mut tracer = Some(tracer);
    if tracer.as_ref().is_some_and(Tracer::has_struck)
        && !ended
        && let Some(tracer) = tracer.take()
    {
        tracer.detach().await?;
        let played = play(till, count, &watch::channel(0).0).await;
        ended = is_dead(pid);
        if !ended {
            played?;
            till.check().await?;
        }
        return finish(till, pid, ended, true).await;
    }
    if !ended {
        send(pid, Signal::TERM)?;
        timeout(patiently(DEAD), until_dead(pid)).await.map_err(|_| "it does not end".to_owned())?;
    }
    let struck = tracer.as_ref().is_some_and(Tracer::has_struck);
    finish(till, pid, ended, struck).await
}

/// The daemon ends: by our SIGTERM, or it has done so by itself. Either way with a code and without a panic.
async fn finish(till: &mut CrashTill, pid: i32, by_itself: bool, reached: bool) -> Result<Done, String> {
    if !is_dead(pid) {
        send(pid, Signal::TERM)?;
    }
    let status = till.ended_with_a_code().await?;
    let ended = by_itself.then(|| format!("exit code {status}"));
    Ok(Done { reached, ended, ..Done::default() })
}

async fn cut_short(till: &mut CrashTill, count: &Count, point: &Point) -> Result<Done, String> {
    let pid = started(till, &IGNORING_XFSZ.map(OsString::from)).await?;
    let (offset, length) = point.place.ok_or("this call has no place in a file")?;
    let limit = offset + length / 2;
    limit_files(pid, Some(limit))?;
    let mut ended = tokio::select! {
        _ = cashier(till, count) => false,
        () = until_dead(pid) => true,
    };
    let wal = till.bench.dir().join("journal.db-wal");
    let full = || fs::metadata(&wal).is_ok_and(|m| m.len() == limit);
    // What is written behind comes a moment after the slip.
    let until = now() + WRITTEN_BEHIND;
    while !full() && now() < until {
        sleep(LOOK).await;
    }
    if full() && !ended {
        limit_files(pid, None)?;
        let played = play(till, count, &watch::channel(0).0).await;
        ended = is_dead(pid);
        if !ended {
            played?;
            till.check().await?;
        }
        return finish(till, pid, ended, true).await;
    }
    // Not yet: the write lies in the ordered end, with which the log of writes may go.
    if !ended {
        send(pid, Signal::TERM)?;
    }
    let mut reached = full();
    while !is_dead(pid) && now() < until + DEAD {
        reached |= full();
        tokio::task::yield_now().await;
    }
    let reached = reached || till.log.lines().iter().any(|line| line.contains("journal cannot be written"));
    finish(till, pid, ended, reached).await
}

/// Sets how large files may become for this process, or lets them be as large as before.
fn limit_files(pid: i32, limit: Option<u64>) -> Result<(), String> {
    let own = getrlimit(Resource::Fsize);
    let current = limit.or(own.current);
    let rlimit = Rlimit { current, maximum: own.maximum };
    prlimit(Pid::from_raw(pid), Resource::Fsize, rlimit).map(drop).map_err(|e| format!("the limit of files: {e}"))
}

/// Started again without a tracer: everything settles, and agrees.
async fn afterwards(till: &mut CrashTill, count: &Count) -> Result<Tally, String> {
    till.launch(&[])?;
    till.ready().await?;
    play(till, count, &watch::channel(0).0).await?;
    let tally = till.check().await?;
    till.stop().await?;
    till.verify().await?;
    Ok(tally)
}

fn is_dead(pid: i32) -> bool {
    // The name in parentheses may hold anything; the state follows it.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// The process has ended; nobody has asked for its status yet, so its number is still its own.
async fn until_dead(pid: i32) {
    while !is_dead(pid) {
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(call: &str, number: u32) -> Point {
        let (thread, target) = ("journal".to_owned(), Target::Named("journal.db-wal".to_owned()));
        Point { thread, call: call.to_owned(), target, number, place: None, always: true }
    }

    #[test]
    fn what_only_one_reference_run_has_is_struck_at_and_told_from_the_rest() {
        let runs = [vec![point("fsync", 1), point("write", 1)], vec![point("fsync", 1), point("fsync", 2)]];
        let all: Vec<_> = of_all_runs(&runs).into_iter().map(|p| (p.call, p.number, p.always)).collect();
        assert_eq!(all, [("fsync".into(), 1, true), ("write".into(), 1, false), ("fsync".into(), 2, false)]);
    }

    #[test]
    fn only_a_point_of_every_run_must_be_reached_and_the_others_are_named() {
        let shared = Shared {
            options: SyscallOptions { runs: None, only: None, seed: 7, jobs: 1, program: PathBuf::new() },
            queue: Mutex::default(),
            again: Mutex::default(),
            report: Mutex::default(),
            progress: Progress::new("test", 3),
        };
        let reached = Done { reached: true, ..Done::default() };
        note(&shared, Strike::Before, &point("fsync", 1), Ok(reached));
        note(&shared, Strike::Before, &Point { always: false, ..point("write", 9) }, Ok(Done::default()));
        let said = lock(&shared.report).to_string();
        assert!(lock(&shared.report).ok() && said.contains("before 1/1 and 0/1"), "{said}");
        assert!(
            said.contains("1 were not reached") && said.ends_with("before, journal: write 9 on journal.db-wal"),
            "{said}"
        );
        note(&shared, Strike::Before, &point("fsync", 2), Ok(Done::default()));
        assert!(!lock(&shared.report).ok() && lock(&shared.report).to_string().contains("before 1/2 and 0/1"));
    }
}

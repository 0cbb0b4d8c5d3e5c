//! `kill -9`, and now and then SIGTERM, at random moments of count → open → slip, over and over on the same journal.
//!
//! A cycle is one kill and the start after it. Several tills run at a time, each with its own shop; a till lives for some
//! dozens of openings. After each kill the journal is looked at as it was left; after each start, that nothing is missing;
//! and when an opening was left alone until it settled, everything is held against everything (`books`).
//!
//! ## Why moments and not only times
//! A count is on disk for milliseconds before its intent is, and an answer is on its way for less. A random time would hit
//! these once in a thousand kills. So most kills wait for something seen from outside (the confirming key, the request's
//! first byte, a line on the paper) and then for a random handful of microseconds.
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::sleep,
};

use super::{
    Failure,
    books::{Standing, Tally},
    hand::{Count, Entry},
    rng::Rng,
    till::{CrashTill, LOOK, send},
};
use crate::{
    admin::{AdminApi, AdminEvent, Fault, FaultRule, Operation},
    bench::{BenchSpec, config::STAFF, lock, now, patiently},
    printer::PrinterEvent,
    progress::{Progress, grouped},
    scenario::is_mutation,
};

/// Openings in the life of a till: enough for a journal of several pages and a shop with many old sessions.
const OPENINGS: u64 = 30;
/// Kills of one opening, at most.
const KILLS: u64 = 6;
/// Tills at a time for each core: most of an opening is waiting.
const JOBS_PER_CORE: usize = 8;
/// With so many failures it is known that something is wrong.
const ENOUGH: usize = 3;
/// From this many cycles on, a run must have killed in every phase, or it has proven less than it says.
const EVERY_PHASE: u64 = 500;
/// After its session was closed the shift is, as soon as Shopify was read. When that read fails (a busy machine is late), the
/// daemon reads again after half a minute.
const CLOSED: Duration = Duration::from_secs(45);
/// The phases that are told apart.
const PHASES: [&str; 9] =
    ["starting", "before counted", "counted", "sending", "unknown", "reading", "waiting", "printing", "settled"];

/// How much is killed.
#[derive(Debug, Clone)]
pub struct KillOptions {
    /// Kills, each with the start after it.
    pub cycles: u64,
    /// Where all choices come from.
    pub seed: u64,
    /// Tills at a time.
    pub jobs: usize,
    /// Only this till, to look at a failure again.
    pub till: Option<u64>,
    /// The daemon's program.
    pub program: PathBuf,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct KillReport {
    seed: u64,
    /// Kills, each with a start after it.
    pub cycles: u64,
    terms: u64,
    openings: u64,
    tills: u64,
    verified: u64,
    phases: BTreeMap<&'static str, u64>,
    tally: Tally,
    took: Duration,
    /// What must not be.
    pub failures: Vec<Failure>,
    /// Phases that no kill has hit.
    pub missed: Vec<&'static str>,
}

impl KillReport {
    /// Nothing was wrong, and every phase was hit.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && self.missed.is_empty()
    }
}

impl fmt::Display for KillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.tally;
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX).max(1);
        let tenths = self.cycles.saturating_mul(10_000) / ms;
        write!(
            f,
            "kill: seed {}: {} kills with a start after each ({} by SIGTERM) in {} openings at {} tills, {} s, {}.{} a second; ",
            self.seed,
            grouped(self.cycles),
            grouped(self.terms),
            grouped(self.openings),
            grouped(self.tills),
            ms / 1_000,
            tenths / 10,
            tenths % 10
        )?;
        if !self.failures.is_empty() {
            write!(f, "FAILED at {} tills; ", self.failures.len())?;
        }
        if !self.missed.is_empty() {
            write!(f, "FAILED: no kill while {}; ", self.missed.join(", "))?;
        }
        let none = if self.failures.is_empty() { "none" } else { "SOME PERHAPS" };
        write!(
            f,
            "of {} acknowledged counts {none} lost, of {} sessions {none} doubled, of all starts {none} failed; confirmed {}, recorded {}, refused {}, \
             left to a person {}; slips proven {}, not proven {}; {} rows unchanged, journal verify {} times; killed",
            grouped(t.acknowledged),
            grouped(t.sessions),
            grouped(t.confirmed),
            grouped(t.recorded),
            grouped(t.refused),
            grouped(t.attention),
            grouped(t.printed),
            grouped(t.not_proven),
            grouped(t.rows),
            grouped(self.verified),
        )?;
        for (n, phase) in PHASES.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma} {phase} {}", grouped(self.phases.get(phase).copied().unwrap_or(0)))?;
        }
        Ok(())
    }
}

/// What all tills share.
struct Run {
    options: KillOptions,
    next_till: AtomicU64,
    left: AtomicU64,
    stop: AtomicBool,
    progress: Progress,
    report: Mutex<KillReport>,
}

impl Run {
    /// One more kill may be done.
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.left.load(Ordering::Relaxed) == 0
    }
}

/// Tills at a time, unless somebody says otherwise.
#[must_use]
pub fn default_jobs() -> usize {
    JOBS_PER_CORE * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Kills until enough was killed.
pub async fn run(options: &KillOptions) -> KillReport {
    let start = now();
    let run = Arc::new(Run {
        options: options.clone(),
        next_till: AtomicU64::new(options.till.unwrap_or(0)),
        left: AtomicU64::new(options.cycles),
        stop: AtomicBool::new(false),
        progress: Progress::new("kill", options.cycles),
        report: Mutex::new(KillReport { seed: options.seed, ..KillReport::default() }),
    });
    let jobs = if options.till.is_some() { 1 } else { options.jobs.max(1) };
    let tasks: Vec<JoinHandle<()>> = (0..jobs).map(|_| tokio::spawn(tills(Arc::clone(&run)))).collect();
    for task in tasks {
        if let Err(e) = task.await {
            run.stop.store(true, Ordering::Relaxed);
            fail(&run, "the rig itself", &format!("a task of the rig failed: {e}"), Path::new("."), 0);
        }
    }
    run.progress.finish();
    let mut report = lock(&run.report).clone();
    report.took = now() - start;
    if report.cycles >= EVERY_PHASE {
        report.missed = PHASES.into_iter().filter(|phase| !report.phases.contains_key(phase)).collect();
    }
    report
}

async fn tills(run: Arc<Run>) {
    while !run.is_over() {
        let number = run.next_till.fetch_add(1, Ordering::Relaxed);
        let mut rng = Rng::new(run.options.seed, number);
        let spec = match spec(&mut rng) {
            Ok(spec) => spec,
            Err(why) => return fail(&run, "the rig itself", &why, Path::new("."), number),
        };
        let till = match CrashTill::new(spec, &run.options.program).await {
            Ok(till) => till,
            Err(why) => return fail(&run, "the rig itself", &why, Path::new("."), number),
        };
        let mut life = Life { till, run: Arc::clone(&run), rng, visitor: None };
        let mut opening = 0;
        let result = life.live(&mut opening).await;
        lock(&run.report).tills += 1;
        if let Err(why) = result {
            let last = life.till.books.rows().iter().rev().take(6).map(|row| row.name.as_str()).collect::<Vec<_>>();
            let why = format!("{why}\n  newest rows: {}", last.join(", "));
            drop(life.till.daemon.take());
            let folder = life.till.keep();
            fail(&run, &format!("till {number}, opening {opening}"), &why, &folder, number);
        }
        if run.options.till.is_some() {
            return;
        }
    }
}

fn fail(run: &Run, place: &str, what: &str, folder: &Path, till: u64) {
    let KillOptions { seed, cycles, .. } = run.options;
    let again = format!("drawerbridge-hil kill --seed {seed} --cycles {cycles} --till {till}");
    let failure = Failure { place: place.to_owned(), what: what.to_owned(), folder: folder.to_path_buf(), again };
    run.progress.note(&failure);
    let mut report = lock(&run.report);
    report.failures.push(failure);
    if report.failures.len() >= ENOUGH {
        run.stop.store(true, Ordering::Relaxed);
    }
}

/// A till of some kind.
fn spec(rng: &mut Rng) -> Result<BenchSpec, String> {
    let mut spec = BenchSpec::default();
    for (percent, option) in [
        (25, "printer tcp"),
        (25, "display cd5220"),
        (30, "client credentials"),
        (30, "second slip off"),
        (30, "sense high"),
        (30, "columns 48"),
        (50, "shop on_foreign_session \"record_count\""),
        (15, "printer without process id"),
    ] {
        if rng.chance(percent) {
            spec.set(option)?;
        }
    }
    Ok(spec)
}

/// When the process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While it starts.
    Starting(Duration),
    /// So long after it was ready.
    Ready(Duration),
    /// After the confirming key, or with the POS's count on its way.
    Confirming(Duration),
    /// After the first byte of something at the shop that is not a read of the watch.
    Asked(Duration),
    /// After the shop has opened the session, before its answer.
    Executed(Duration),
    /// With the answer on its way.
    Answered(Duration),
    /// With a read answered.
    Reading(Duration),
    /// After so many lines of a slip.
    Line(u64, Duration),
    /// After the cut.
    Cut(Duration),
}

impl Moment {
    fn choose(rng: &mut Rng, standing: Standing) -> Self {
        let mut within = |micros: u64| Duration::from_micros(rng.below(micros));
        let [short, middle, long] = [within(2_500), within(12_000), within(700_000)];
        let (lines, choice) = (rng.below(12), rng.below(100));
        match (standing, choice) {
            (_, 0..8) => Self::Starting(middle),
            (Standing::NotCounted, 8..28) => Self::Ready(long),
            (Standing::NotCounted, 28..56) => Self::Confirming(middle),
            (Standing::NotCounted, 56..66) => Self::Confirming(short),
            (Standing::NotCounted | Standing::Counted | Standing::Waiting, 66..74) => Self::Asked(short),
            (Standing::NotCounted | Standing::Counted | Standing::Waiting, 74..80) => Self::Executed(short),
            (Standing::NotCounted | Standing::Counted | Standing::Waiting, 80..86) => Self::Answered(middle),
            (Standing::Counted | Standing::Waiting, 8..40) => Self::Ready(middle),
            (Standing::Counted | Standing::Waiting, 40..66) => Self::Reading(short),
            (Standing::Sending | Standing::Unknown, 8..30) => Self::Ready(middle),
            (Standing::Sending | Standing::Unknown, 30..75) => Self::Reading(short),
            (Standing::Sending | Standing::Unknown, 75..86) => Self::Ready(long),
            (Standing::Settled | Standing::Printing, 8..40) => Self::Ready(middle),
            (Standing::Over, 8..) => Self::Ready(long),
            (_, 86..91) => Self::Cut(middle),
            (_, _) => Self::Line(lines, short),
        }
    }

    const fn delay(self) -> Duration {
        match self {
            Self::Starting(delay)
            | Self::Ready(delay)
            | Self::Confirming(delay)
            | Self::Asked(delay)
            | Self::Executed(delay)
            | Self::Answered(delay)
            | Self::Reading(delay)
            | Self::Line(_, delay)
            | Self::Cut(delay) => delay,
        }
    }
}

/// What a moment is seen by.
struct Watch {
    printer: broadcast::Receiver<PrinterEvent>,
    shop: broadcast::Receiver<AdminEvent>,
    confirming: watch::Receiver<u32>,
}

impl Watch {
    async fn wait(mut self, moment: Moment) {
        match moment {
            Moment::Starting(_) | Moment::Ready(_) => {}
            // The sender lives as long as the hand does.
            Moment::Confirming(_) => drop(self.confirming.changed().await),
            Moment::Asked(_) => self.shop(|event| matches!(event, AdminEvent::FirstByte(_))).await,
            Moment::Executed(_) => self.shop(|event| matches!(event, AdminEvent::Session(row) if row.by == "api")).await,
            Moment::Answered(_) => {
                let is =
                    |event: &AdminEvent| matches!(event, AdminEvent::Request(r) if is_mutation(&r.operation, &r.variables));
                self.shop(is).await;
            }
            Moment::Reading(_) => {
                let is = |event: &AdminEvent| matches!(event, AdminEvent::Request(r) if r.operation != "token" && !is_mutation(&r.operation, &r.variables));
                self.shop(is).await;
            }
            Moment::Line(lines, _) => {
                for _ in 0..=lines {
                    self.printer(|event| matches!(event, PrinterEvent::Line(_))).await;
                }
            }
            Moment::Cut(_) => self.printer(|event| matches!(event, PrinterEvent::Cut(_))).await,
        }
        pause(moment.delay()).await;
    }

    async fn shop(&mut self, is: impl Fn(&AdminEvent) -> bool) {
        until(&mut self.shop, is).await;
    }

    async fn printer(&mut self, is: impl Fn(&PrinterEvent) -> bool) {
        until(&mut self.printer, is).await;
    }
}

/// Until such a thing is heard. What was missed by being slow is waited for no more.
async fn until<T: Clone>(events: &mut broadcast::Receiver<T>, is: impl Fn(&T) -> bool) {
    while let Ok(event) = events.recv().await {
        if is(&event) {
            return;
        }
    }
}

/// Exact to microseconds where a sleep is exact to milliseconds: the rest is spent looking at the clock.
async fn pause(delay: Duration) {
    let end = now() + delay;
    let whole = Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(0).saturating_sub(1));
    if !whole.is_zero() {
        sleep(whole).await;
    }
    while now() < end {
        std::hint::spin_loop();
    }
}

/// One till from its first start to its last.
struct Life {
    till: CrashTill,
    run: Arc<Run>,
    rng: Rng,
    /// Faults are laid for this opening, and somebody is at the shop.
    visitor: Option<JoinHandle<()>>,
}

impl Life {
    async fn live(&mut self, opening: &mut u64) -> Result<(), String> {
        while *opening < OPENINGS && !self.run.is_over() {
            *opening += 1;
            self.till.log = crate::bench::daemon::Log::default();
            self.opening(*opening).await?;
            lock(&self.run.report).openings += 1;
        }
        if self.till.daemon.is_none() {
            self.till.launch(&[])?;
            self.till.ready().await?;
        }
        self.till.stop().await?;
        self.verify().await?;
        self.till.launch(&[])?;
        self.till.ready().await?;
        let tally = self.till.check().await?;
        self.till.stop().await?;
        let mut report = lock(&self.run.report);
        report.tally = report.tally.and(tally);
        Ok(())
    }

    async fn verify(&self) -> Result<(), String> {
        self.till.verify().await?;
        lock(&self.run.report).verified += 1;
        Ok(())
    }

    async fn opening(&mut self, number: u64) -> Result<(), String> {
        let entry = *self.rng.pick(&[Entry::Keys, Entry::Keys, Entry::Badge, Entry::Pos, Entry::Pos, Entry::Pos]);
        // 7919 and 89,999 have no common divisor: every amount of a till is another one.
        let cents = 1_000 + number * 7_919 % 89_999;
        let staff = usize::try_from(self.rng.below(STAFF.len() as u64)).unwrap_or(0);
        let count = Count { entry, cents, staff };
        self.till.confirming = None;
        self.visitor = None;
        let mut kills = 1 + self.rng.below(KILLS);
        loop {
            let standing = self.till.books.standing(&count.amount());
            // When all is over there is little left to be broken by another kill.
            let worth_it = standing != Standing::Over || self.rng.chance(25);
            let kill = worth_it && kills > 0 && self.run.take();
            if !kill {
                break;
            }
            kills -= 1;
            let moment = Moment::choose(&mut self.rng, standing);
            let signal = if self.rng.chance(10) { Signal::TERM } else { Signal::KILL };
            self.killed_at(&count, moment, signal).await?;
        }
        self.left_alone(&count).await
    }

    /// One cycle: started, and ended at that moment, or when there is nothing more to do.
    async fn killed_at(&mut self, count: &Count, moment: Moment, signal: Signal) -> Result<(), String> {
        self.till.launch(&[])?;
        let pid = self.till.daemon.as_ref().map(crate::bench::daemon::Daemon::pid).ok_or("no daemon runs")?;
        let starting = matches!(moment, Moment::Starting(_));
        if starting {
            pause(moment.delay()).await;
        } else {
            self.till.ready().await?;
            if self.rng.chance(2) {
                self.verify().await?;
            }
            self.ready_for(count).await?;
            let (tell, confirming) = watch::channel(0);
            let watch = Watch { printer: self.till.rig().printer.events(), shop: self.till.bench.api.events(), confirming };
            tokio::select! {
                biased;
                () = watch.wait(moment) => {}
                played = play(&mut self.till, count, &tell) => played?,
            }
        }
        send(pid, signal)?;
        self.till.bury(signal, !starting).await?;
        self.till.autopsy()?;
        let standing = self.till.books.standing(&count.amount());
        let phase = match (standing, moment) {
            (_, Moment::Starting(_)) => "starting",
            (Standing::NotCounted, _) => "before counted",
            (Standing::Counted, _) => "counted",
            (Standing::Sending, _) => "sending",
            (Standing::Unknown | Standing::Waiting, Moment::Reading(_)) => "reading",
            (Standing::Unknown, _) => "unknown",
            (Standing::Waiting, _) => "waiting",
            (Standing::Printing, _) => "printing",
            (Standing::Settled | Standing::Over, _) => "settled",
        };
        let mut report = lock(&self.run.report);
        report.cycles += 1;
        report.terms += u64::from(signal == Signal::TERM);
        *report.phases.entry(phase).or_default() += 1;
        self.run.progress.step(1);
        Ok(())
    }

    /// Nothing strikes any more: everything settles, and agrees.
    async fn left_alone(&mut self, count: &Count) -> Result<(), String> {
        self.till.launch(&[])?;
        self.till.ready().await?;
        self.ready_for(count).await?;
        // Aborted here, and gone before the shop is opened again.
        if let Some(mut visitor) = self.visitor.take() {
            visitor.abort();
            drop((&mut visitor).await);
        }
        self.till.bench.api.set_down(false);
        self.till.bench.api.clear_faults();
        play(&mut self.till, count, &watch::channel(0).0).await?;
        self.till.check().await?;
        self.till.bench.api.close_all();
        // The next start reads at once that the session is closed; a daemon that runs asks seldom.
        self.till.stop().await
    }

    /// Before a count begins, the shift of the one before must be over; then faults are laid for it.
    async fn ready_for(&mut self, count: &Count) -> Result<(), String> {
        if self.visitor.is_some() || self.till.books.has(&count.amount()) {
            return Ok(());
        }
        let limit = now() + patiently(CLOSED);
        loop {
            let status = self.till.status().await?;
            if status["shift"] == "closed" {
                break;
            }
            if now() > limit {
                return Err(format!("the session was closed, and the shift is not: {status}"));
            }
            sleep(LOOK).await;
        }
        let credentials = self.till.bench.spec.client_credentials;
        lay_faults(&mut self.rng, &self.till.bench.api, credentials);
        self.visitor = Some(self.visitor());
        Ok(())
    }

    /// Now and then somebody else does something at the shop meanwhile.
    fn visitor(&mut self) -> JoinHandle<()> {
        let api = self.till.bench.api.clone();
        let device = self.till.rig().device;
        let skew = [0, 0, 0, 0, 0, 45, -100, 150, -4_000, 90_000];
        api.set_clock_skew(*self.rng.pick(&skew));
        let (what, after) = (self.rng.below(100), Duration::from_millis(self.rng.below(400)));
        tokio::spawn(async move {
            match what {
                // Opened for the count and closed again, while the daemon may be dead.
                0..15 => {
                    until(&mut api.events(), |event| matches!(event, AdminEvent::Session(row) if row.by == "api")).await;
                    sleep(after / 4).await;
                    api.close_all();
                }
                15..24 => {
                    sleep(after).await;
                    api.open_elsewhere(device, "77.00", "opened by hand");
                }
                24..36 => {
                    sleep(after).await;
                    api.set_down(true);
                    sleep(after * 2).await;
                    api.set_down(false);
                }
                _ => {}
            }
        })
    }
}

/// Makes the count and waits until nothing more happens by itself.
pub(super) async fn play(till: &mut CrashTill, count: &Count, confirming: &watch::Sender<u32>) -> Result<(), String> {
    till.count(count, confirming).await?;
    till.settle().await
}

/// What the shop will do wrong.
fn lay_faults(rng: &mut Rng, api: &AdminApi, credentials: bool) {
    let mut lay = |on, percent, rules: u64| {
        if !rng.chance(percent) {
            return;
        }
        for _ in 0..=rng.below(rules) {
            let (name, _) = rng.pick(Fault::NAMES);
            let name = match *name {
                // A session's ledger has no fence: two lines would be there, and nobody could have prevented it.
                "twice" if on == Operation::Count => continue,
                // Longer than the daemon's patience with a request, and shorter than the rig's with the daemon.
                "stall-before" | "stall-after" => format!("{name}:{}ms", 100 + rng.below(900)),
                // Together shorter than the quiet period after a request that was waited for, as the design has it.
                "late" => format!("{name}:{}ms", 100 + rng.below(400)),
                "lag-reads" => format!("{name}:{}ms", 50 + rng.below(300)),
                "429" => format!("{name}:{}", rng.below(2)),
                other => other.to_owned(),
            };
            let times = 1 + u32::try_from(rng.below(3)).unwrap_or(0);
            if let Some(fault) = Fault::from_name(&name) {
                api.fault(FaultRule { on, fault, times });
            }
        }
    };
    lay(Operation::Open, 65, 3);
    lay(Operation::Read, 40, 3);
    lay(Operation::Count, 40, 2);
    if credentials {
        lay(Operation::Token, 40, 2);
        if rng.chance(30) {
            api.expire_tokens();
        }
    }
}

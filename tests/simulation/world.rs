//! One seed, one world: tills, their PCs and people, the network between, and Shopify, over virtual days. Events are taken in
//! the order of virtual time; what falls on one moment is ordered by the dice.
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    rc::Rc,
    time::{Duration, Instant},
};

use drawerbridge::{
    journal::Row,
    opening::{BusinessDay, Mutation, OnForeign, Outcome, Rules, SharedDrawer},
    shift::{
        self, Reply,
        event::{Decision, Event, Money, OpeningId},
    },
};
use jiff::{Timestamp, civil, tz};
use serde_json::Value;

use super::{
    assumptions::{HOUR, MIN, Ms, S},
    dice::Dice,
    journal::{Job, Journal},
    people::{self, Act, Cashier},
    rules::calls_a_person,
    server::Server,
    tally::Tally,
    till::{Answer, AppendFor, Ask, House, Note, Till, Wish},
};

/// Counts that come onto a disk in one world.
pub const OPENINGS: u32 = 20;
/// No world needs more events than this for its counts.
const STEPS: u64 = 60_000;
/// As in `src/daemon/till.rs`.
const LAST_ANSWER: Ms = 3 * S;
/// With all faults gone everything is settled within this.
const SETTLES_WITHIN: Ms = 15 * MIN;

/// An invariant that did not hold.
#[derive(Debug, Clone)]
pub struct Violation {
    pub world: u64,
    pub step: u64,
    pub rule: &'static str,
    pub what: String,
}

/// What one world came to.
#[derive(Debug)]
pub struct Ended {
    pub tally: Tally,
    pub hash: u64,
    pub steps: u64,
    pub violation: Option<Violation>,
    /// The last steps, where they were asked for.
    pub trace: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Happening {
    Wake,
    Written,
    Answer(Answer, Option<Timestamp>),
    /// A copy of a request reaches the server.
    Run {
        request: usize,
        copy: usize,
    },
    /// An outcome reaches the till.
    Reply {
        request: usize,
        outcome: Outcome,
        date: Option<Timestamp>,
    },
    /// A read reaches the server.
    Reads(Ask, super::network::ReadFate),
    Cashier,
    Manager,
    Logout {
        session: usize,
    },
    Crash,
    /// The end of an orderly stop.
    Stopped,
    Restart {
        new_boot: bool,
    },
}

#[derive(Debug)]
struct Entry {
    at: Ms,
    tie: u64,
    till: usize,
    /// Which run of the daemon it is about; 0 is any.
    run: u32,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.tie) == (other.at, other.tie)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.tie).cmp(&(other.at, other.tie))
    }
}

/// One sent mutation, and what is true of it.
#[derive(Debug)]
pub struct Request {
    pub till: usize,
    pub run: u32,
    pub opening: OpeningId,
    pub mutation: Mutation,
    pub variables: Value,
    pub sent: Ms,
    /// Copies that have not run yet and will.
    pub to_come: u32,
    /// Sessions that copies of it opened.
    pub opened: Vec<usize>,
    pub doubled: bool,
    pub(super) reply: super::network::ReplyPlan,
    pub answered: bool,
}

/// A till's PC with its people.
pub struct Pc {
    pub house: Rc<House>,
    pub till: Option<Till>,
    pub journal: Journal,
    writing: bool,
    run: u32,
    /// Of boot time, so that a new boot is another number.
    boot: Duration,
    clock_error: i64,
    pub full_until: Ms,
    slow_until: Ms,
    pub down_until: Ms,
    wake_at: Option<Ms>,
    pub cashier: Cashier,
    pub confirm_shown: Option<(OpeningId, String)>,
    /// The count that was last handed out to be written.
    pub handed_out: Option<(OpeningId, Money)>,
    /// What the display said before this step.
    pub rows_before: [String; 2],
    pub by_key: bool,
    pub hidden_at: Option<Ms>,
    pub silent_since: Option<Ms>,
    /// The API's count that waits for its reply.
    put: Vec<(u64, OpeningId)>,
}

/// Everything.
pub struct World {
    pub seed: u64,
    pub dice: Dice,
    pub now: Ms,
    base: Instant,
    queue: BinaryHeap<Reverse<Entry>>,
    pub tills: Vec<Pc>,
    pub server: Server,
    pub requests: Vec<Request>,
    pub tally: Tally,
    pub steps: u64,
    hash: u64,
    pub calm: bool,
    /// Reads lag as far as they may, most of the time.
    pub replica_lags: bool,
    /// A fault once in so many steps.
    fault_every: u64,
    pub saved: u32,
    pub violation: Option<Violation>,
    trace: Option<Vec<String>>,
}

impl World {
    fn new(seed: u64, base: Instant, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let count = if dice.one_in(3) { 2 } else { 1 };
        let mut tally = Tally::default();
        if count == 2 {
            tally.add("two tills");
        }
        let server = Server {
            sessions: Vec::new(),
            epoch: "2026-11-23T11:00:00Z".parse().expect("a time"),
            granted: dice.one_in(2),
            shared: dice.one_in(5),
            devices: count,
            own_time: dice.one_in(30),
            missing_until: 0,
            refuses: None,
        };
        if !server.granted {
            tally.add("devices not granted");
        }
        if server.own_time {
            tally.add("time of the server's own");
        }
        if server.granted && server.shared {
            tally.add("drawer shared");
        }
        let rules = Rules {
            shared_drawer: [SharedDrawer::Warn, SharedDrawer::Allow, SharedDrawer::Deny][dice.index(3)],
            on_foreign_session: if dice.one_in(2) { OnForeign::RecordCount } else { OnForeign::Ask },
            max_age: Duration::from_secs([4 * 3600, 1200][dice.index(2)]),
            business_day: BusinessDay { zone: tz::TimeZone::fixed(tz::offset(-5)), starts: civil::time(4, 0, 0, 0) },
        };
        let fault_every = [3000, 250, 120, 60][dice.index(4)];
        let replica_lags = dice.one_in(5);
        if replica_lags {
            tally.add("replica lags");
        }
        let mut world = Self {
            seed,
            dice,
            now: 0,
            base,
            queue: BinaryHeap::new(),
            tills: Vec::new(),
            server,
            requests: Vec::new(),
            tally,
            steps: 0,
            hash: seed,
            calm: false,
            replica_lags,
            fault_every,
            saved: 0,
            violation: None,
            trace: trace.then(Vec::new),
        };
        for till in 0..count {
            let settings = people::settings(till, &mut world.dice);
            if settings.echo == drawerbridge::config::Echo::Masked {
                world.tally.add("masked");
            }
            let cashier = Cashier::new(settings.clone());
            let house = Rc::new(House { settings, rules: rules.clone() });
            world.tills.push(Pc {
                house,
                till: None,
                journal: Journal::default(),
                writing: false,
                run: 0,
                boot: Duration::from_secs(30),
                clock_error: 0,
                full_until: 0,
                slow_until: 0,
                down_until: 0,
                wake_at: None,
                cashier,
                confirm_shown: None,
                handed_out: None,
                rows_before: <[String; 2]>::default(),
                by_key: false,
                hidden_at: None,
                silent_since: None,
                put: Vec::new(),
            });
            world.later(till, 0, 0, Happening::Restart { new_boot: false });
            let at = S + world.dice.below(MIN);
            world.later(till, at, 0, Happening::Cashier);
        }
        world
    }

    /// Lives through it.
    pub fn live(seed: u64, base: Instant, trace: bool) -> Ended {
        let mut world = Self::new(seed, base, trace);
        while world.violation.is_none() && world.saved < OPENINGS {
            if world.steps > STEPS {
                world.violated("a world goes on", format!("{} of {OPENINGS} counts in {STEPS} steps", world.saved));
            }
            world.step();
        }
        world.calm_down();
        let until = world.now + SETTLES_WITHIN;
        while world.violation.is_none() && world.now < until && !world.all_at_rest() {
            world.step();
        }
        if world.violation.is_none() {
            world.check_end();
        }
        let steps = world.steps;
        world.tally.add_many("steps", steps);
        Ended {
            tally: world.tally,
            hash: world.hash,
            steps,
            violation: world.violation,
            trace: world.trace.unwrap_or_default(),
        }
    }

    /// No more faults, no more wishes.
    fn calm_down(&mut self) {
        self.calm = true;
        self.server.missing_until = 0;
        self.server.refuses = None;
        for till in 0..self.tills.len() {
            let pc = &mut self.tills[till];
            (pc.full_until, pc.slow_until, pc.down_until) = (0, 0, 0);
            pc.cashier.stop();
            if pc.till.is_none() {
                self.later(till, self.now, 0, Happening::Restart { new_boot: false });
            }
        }
    }

    fn all_at_rest(&self) -> bool {
        let rests = |pc: &Pc| !pc.writing && pc.till.as_ref().is_some_and(|till| till.is_at_rest() && !till.is_running());
        self.tills.iter().all(rests) && self.requests.iter().all(|r| r.to_come == 0)
    }

    pub(super) fn later(&mut self, till: usize, at: Ms, run: u32, what: Happening) {
        let tie = self.dice.next();
        self.queue.push(Reverse(Entry { at, tie, till, run, what }));
    }

    pub(super) fn run_of(&self, till: usize) -> u32 {
        self.tills[till].run
    }

    fn instant(&self, till: usize) -> Instant {
        self.base + self.tills[till].boot + Duration::from_millis(self.now)
    }

    fn wall(&self, till: usize) -> Timestamp {
        let ms = i64::try_from(self.now).expect("a world is short") + self.tills[till].clock_error;
        Timestamp::from_millisecond(self.server.epoch.as_millisecond() + ms).expect("a world is short")
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let (ms, text) = (self.now, text());
            trace.push(format!(
                "{:>6} {:>4}:{:02}:{:02}.{:03}  {text}",
                self.steps,
                ms / HOUR,
                ms / MIN % 60,
                ms / S % 60,
                ms % S
            ));
        }
    }

    pub fn violated(&mut self, rule: &'static str, what: String) {
        self.note(|| format!("VIOLATION of \"{rule}\": {what}"));
        if self.violation.is_none() {
            self.violation = Some(Violation { world: self.seed, step: self.steps, rule, what });
        }
    }

    pub fn mix(&mut self, n: u64) {
        self.hash = (self.hash ^ n).wrapping_mul(0x0100_0000_01B3).rotate_left(23);
    }

    // ---- steps

    fn step(&mut self) {
        let Some(Reverse(Entry { at, till, run, what, .. })) = self.queue.pop() else {
            return self.violated("a world goes on", "nothing is to come".to_owned());
        };
        if run != 0 && run != self.tills[till].run {
            return;
        }
        // A till that meanwhile wanted to be woken sooner planned anew.
        if matches!(what, Happening::Wake) && self.tills[till].wake_at != Some(at) {
            return;
        }
        self.steps += 1;
        self.now = self.now.max(at);
        self.mix(self.now);
        match what {
            Happening::Wake => {
                self.tills[till].wake_at = None;
                if self.tills[till].till.as_ref().is_some_and(|machine| !machine.ending) {
                    self.with(till, Till::tick);
                }
            }
            Happening::Written => self.written(till),
            Happening::Answer(answer, date) => self.answer(till, answer, date),
            Happening::Run { request, copy } => self.run_request(request, copy),
            Happening::Reply { request, outcome, date } => self.reply(request, outcome, date),
            Happening::Reads(ask, fate) => self.reads(till, ask, fate),
            Happening::Cashier => self.cashier(till),
            Happening::Manager => self.manager(till),
            Happening::Logout { session } => self.close(session, "logout closed ours"),
            Happening::Crash => self.crash(till),
            Happening::Stopped => self.stopped(till),
            Happening::Restart { new_boot } => self.restart(till, new_boot),
        }
        if !self.calm && self.dice.one_in(self.fault_every) {
            self.fault();
        }
        if !self.calm && self.dice.one_in(170) {
            self.neighbour();
        }
        self.check_silence(till);
    }

    /// Hands something to a running till, and carries out what it wants.
    fn with(&mut self, till: usize, act: impl FnOnce(&mut Till)) {
        let (now, wall) = (self.instant(till), self.wall(till));
        let pc = &mut self.tills[till];
        let Some(machine) = pc.till.as_mut() else { return };
        machine.at(now, wall);
        pc.rows_before = machine.rows().map(str::to_owned);
        act(machine);
        let notes = std::mem::take(&mut machine.notes);
        let asks = std::mem::take(&mut machine.asks);
        let (display, phase) = (machine.rows().map(str::to_owned), machine.shift.phase());
        self.mix((notes.len() * 64 + asks.len()) as u64);
        if display != self.tills[till].rows_before {
            self.note(|| format!("till {till} shows {display:?} ({})", phase.name()));
        }
        for note in notes {
            self.noted(till, note);
        }
        for ask in asks {
            self.asked(till, ask);
        }
        self.sleep(till);
    }

    /// Wakes the till when it wants.
    fn sleep(&mut self, till: usize) {
        let now = self.instant(till);
        let pc = &self.tills[till];
        // While it stops, the daemon takes answers and keys, and no ticks.
        let Some(machine) = pc.till.as_ref().filter(|machine| !machine.ending) else { return };
        let wait = machine.next_wake().saturating_duration_since(now);
        // Upwards: a tick before its time would only be told the deadline again.
        let at = self.now + u64::try_from(wait.as_micros().div_ceil(1000)).expect("a world is short");
        if pc.wake_at.is_none_or(|planned| at < planned) {
            self.tills[till].wake_at = Some(at);
            self.later(till, at, self.tills[till].run, Happening::Wake);
        }
    }

    fn noted(&mut self, till: usize, note: Note) {
        match note {
            Note::Shown { frame, current } => self.check_shown(till, &frame, current),
            Note::Counted { opening, balance } => self.check_counted(till, &opening, &balance),
            Note::Replied(op, result) => {
                self.note(|| format!("till {till} answers op {op}: {result:?}"));
                let put = self.tills[till].put.iter().position(|(put, _)| *put == op);
                let put = put.map(|at| self.tills[till].put.swap_remove(at).1);
                match (result, put) {
                    (Ok(Reply::Started(id)), _) => self.tills[till].cashier.started(Some(id)),
                    (Ok(Reply::Counted), Some(opening)) => {
                        self.tally.add("counted over the API");
                        self.acknowledged(till, &opening, "the API's reply");
                    }
                    (Ok(Reply::Counted | Reply::Cancelled), _) => {}
                    (Err(_), _) => self.tills[till].cashier.started(None),
                }
            }
            Note::NotDecided => self.tally.add("resolve refused"),
            Note::Said => self.tally.add("said in the log"),
        }
    }

    /// Somebody was told that this count is saved.
    pub fn acknowledged(&mut self, till: usize, opening: &OpeningId, by: &str) {
        self.check_acknowledged(till, opening, by);
        let (now, pc) = (self.now, &mut self.tills[till]);
        pc.cashier.saved(now, &mut self.dice);
    }

    fn asked(&mut self, till: usize, ask: Ask) {
        match ask {
            Ask::Append { opening, event, why } => self.append(till, opening, event, why),
            Ask::Send { opening, mutation, variables } => {
                self.check_send(till, &opening, mutation, &variables);
                self.send(till, opening, mutation, variables);
                if !self.calm && self.dice.one_in(60) {
                    let at = self.now + self.dice.below(300);
                    self.later(till, at, self.tills[till].run, Happening::Crash);
                }
            }
            Ask::Read { .. } | Ask::Activities { .. } | Ask::Opener { .. } => self.read(till, ask),
        }
    }

    // ---- the disk

    fn append(&mut self, till: usize, opening: OpeningId, event: Event, why: AppendFor) {
        let at = self.wall(till);
        let pc = &mut self.tills[till];
        let seq = pc.journal.number();
        let asks = pc.till.as_ref().is_some_and(|machine| machine.records.attention().is_some());
        if asks && !self.calm && matches!(event, Event::OpeningCounted(_)) && self.dice.one_in(3) {
            // Two people, one moment.
            self.tally.add("decided while a count was written");
            let at = self.now + self.dice.below(30);
            self.later(till, at, 0, Happening::Manager);
        }
        let pc = &mut self.tills[till];
        let row = Row { seq, at, till: String::new(), opening: Some(opening), event };
        pc.journal.queue.push_back(Job { row, why });
        self.write_next(till);
        if !self.calm && self.dice.one_in(200) {
            let at = self.now + self.dice.below(40);
            self.later(till, at, self.tills[till].run, Happening::Crash);
        }
    }

    fn write_next(&mut self, till: usize) {
        let pc = &self.tills[till];
        if pc.writing || pc.journal.queue.is_empty() {
            return;
        }
        let slow = self.now < pc.slow_until;
        let takes = if slow { 500 + self.dice.below(8 * S) } else { 1 + self.dice.below(25) };
        self.tills[till].writing = true;
        self.later(till, self.now + takes, self.tills[till].run, Happening::Written);
    }

    fn written(&mut self, till: usize) {
        let now = self.now;
        let pc = &mut self.tills[till];
        pc.writing = false;
        let Some(Job { row, why }) = pc.journal.queue.pop_front() else { return };
        let full = now < pc.full_until;
        if !full {
            self.check_row(till, &row);
        }
        let result = self.tills[till].journal.write(&row, full);
        match &result {
            Ok(row) => self.on_disk(till, row),
            Err(why) => {
                self.tally.add("append failed");
                self.note(|| format!("till {till}: {} is not on disk: {why}", row.event.name()));
            }
        }
        let opening = row.opening.expect("every row here is of an opening");
        let answer = Answer::Append { opening, event: row.event, why, result };
        let at = self.now + self.dice.below(4);
        self.later(till, at, self.tills[till].run, Happening::Answer(answer, None));
        self.write_next(till);
    }

    fn on_disk(&mut self, till: usize, row: &Row) {
        self.note(|| {
            format!("till {till}: on disk: {} {}", row.opening.as_ref().map_or("", OpeningId::as_str), short(&row.event))
        });
        if matches!(row.event, Event::OpeningCounted(_)) {
            self.saved += 1;
            self.tally.add("openings");
            if let Event::OpeningCounted(counted) = &row.event
                && !counted.lines.is_empty()
            {
                self.tally.add("counted by denomination");
            }
        }
        self.count_event(&row.event);
    }

    fn answer(&mut self, till: usize, answer: Answer, date: Option<Timestamp>) {
        self.with(till, |machine| {
            if let Some(date) = date {
                machine.heard(date);
            }
            machine.answer(answer);
        });
    }

    fn reply(&mut self, request: usize, outcome: Outcome, date: Option<Timestamp>) {
        let of = &mut self.requests[request];
        if std::mem::replace(&mut of.answered, true) {
            return;
        }
        let (till, opening) = (of.till, of.opening.clone());
        if of.run != self.tills[till].run {
            return;
        }
        self.note(|| format!("till {till}: outcome of {opening}: {outcome:?}"));
        self.answer(till, Answer::Sent { opening, outcome }, date);
    }

    // ---- the PC

    fn crash(&mut self, till: usize) {
        if self.tills[till].till.is_none() || self.calm {
            return;
        }
        self.tally.add("crash");
        self.note(|| format!("till {till}: CRASH"));
        if self.requests.iter().any(|r| r.till == till && !r.answered && r.run == self.tills[till].run) {
            self.tally.add("crash while a request was on its way");
        }
        let (now, written) = (self.now, self.dice.one_in(2));
        let pc = &mut self.tills[till];
        pc.till = None;
        pc.run += 1;
        pc.wake_at = None;
        pc.silent_since = None;
        pc.put.clear();
        let writing = std::mem::take(&mut pc.writing);
        let first = pc.journal.queue.pop_front();
        pc.journal.queue.clear();
        if let Some(Job { row, .. }) = first.filter(|_| writing && now >= pc.full_until) {
            if written && let Ok(row) = self.tills[till].journal.write(&row, false) {
                self.tally.add("crash before an append was acknowledged: on disk");
                self.on_disk(till, &row);
            } else {
                self.tally.add("crash before an append was acknowledged: lost");
            }
        }
        let down = match self.dice.below(12) {
            0 => HOUR + self.dice.below(9 * HOUR),
            1..=3 => MIN + self.dice.below(4 * MIN),
            _ => 300 + self.dice.below(20 * S),
        };
        let new_boot = self.dice.one_in(3);
        self.later(till, self.now + down, 0, Happening::Restart { new_boot });
    }

    /// `systemctl stop`: answers are awaited for a while, and what was handed to the journal is written.
    fn stop(&mut self, till: usize) {
        let Some(machine) = self.tills[till].till.as_mut().filter(|machine| !machine.ending) else { return };
        self.tally.add("stopped in order");
        machine.ending = true;
        self.note(|| format!("till {till}: is told to stop"));
        let at = self.now + self.dice.below(2 * LAST_ANSWER);
        self.later(till, at, self.tills[till].run, Happening::Stopped);
    }

    fn stopped(&mut self, till: usize) {
        self.note(|| format!("till {till}: stopped"));
        let full = self.now < self.tills[till].full_until;
        while let Some(Job { row, .. }) = self.tills[till].journal.queue.pop_front() {
            self.check_row(till, &row);
            if let Ok(row) = self.tills[till].journal.write(&row, full) {
                self.on_disk(till, &row);
            }
        }
        let pc = &mut self.tills[till];
        (pc.till, pc.wake_at, pc.silent_since, pc.writing) = (None, None, None, false);
        pc.run += 1;
        pc.put.clear();
        let down = S + self.dice.below(30 * S);
        self.later(till, self.now + down, 0, Happening::Restart { new_boot: false });
    }

    fn restart(&mut self, till: usize, new_boot: bool) {
        if self.tills[till].till.is_some() {
            return;
        }
        self.tills[till].run += 1;
        if new_boot {
            self.tally.add("new boot");
            // Boot time begins anew; that it never goes back is what `Instant` can express.
            self.tills[till].boot += Duration::from_secs(self.dice.below(100_000));
        }
        self.note(|| format!("till {till}: starts"));
        let (now, wall, fresh) = (self.instant(till), self.wall(till), self.dice.next() >> 14);
        let pc = &mut self.tills[till];
        pc.till = Some(Till::new(Rc::clone(&pc.house), &pc.journal.history(), fresh, now, wall));
        (pc.confirm_shown, pc.handed_out) = (None, None);
        self.with(till, Till::begin);
    }

    fn fault(&mut self) {
        let till = self.dice.index(self.tills.len());
        let (now, run) = (self.now, self.tills[till].run);
        match self.dice.below(14) {
            0 | 1 => self.later(till, now, run, Happening::Crash),
            2 => self.stop(till),
            3 | 4 => self.clock_jump(till),
            5 => {
                self.tally.add("disk full");
                self.tills[till].full_until = now + 2 * S + self.dice.below(4 * MIN);
            }
            6 => {
                self.tally.add("disk slow");
                self.tills[till].slow_until = now + 2 * S + self.dice.below(MIN);
            }
            7..=9 => {
                self.tally.add("outage");
                let long = self.dice.one_in(8);
                if long {
                    self.tally.add("long outage");
                }
                let takes = if long { HOUR + self.dice.below(8 * HOUR) } else { 5 * S + self.dice.below(12 * MIN) };
                self.tills[till].down_until = now + takes;
                self.note(|| format!("till {till}: no network for {} s", takes / S));
            }
            10 => {
                self.tally.add("device missing");
                self.server.missing_until = now + 5 * S + self.dice.below(2 * MIN);
            }
            11 => {
                let codes = ["NOT_SAVED", "STAFF_MEMBER_NOT_FOUND", "NO_CASH_DRAWER_ASSOCIATED", "SOMETHING_NEW"];
                let code = codes[self.dice.index(4)];
                self.server.refuses = Some((code, now + 5 * S + self.dice.below(2 * MIN)));
            }
            _ => {
                self.tally.add("keys lost");
                let input =
                    [shift::Input::KeysLost, shift::Input::KeypadGone, shift::Input::KeypadBack][self.dice.index(3)].clone();
                self.with(till, |machine| machine.device(input));
                self.with(till, |machine| machine.device(shift::Input::KeypadBack));
            }
        }
    }

    fn clock_jump(&mut self, till: usize) {
        let (second, year) = (1000, 365 * 86_400_000);
        let by = [second, -second, 3600 * second, -3600 * second, 86_400 * second, -86_400 * second, 10 * year];
        let choice = self.dice.index(11);
        self.tally.add("clock jumped");
        self.tills[till].clock_error = match by.get(choice) {
            Some(by) => self.tills[till].clock_error.saturating_add(*by).min(30 * year),
            None if choice == 7 => {
                self.tally.add("clock in 1970");
                -self.server.epoch.as_millisecond()
            }
            // Set right.
            None => 0,
        };
        let off = self.tills[till].clock_error / 1000;
        self.note(|| format!("till {till}: the clock is off by {off} s"));
    }

    // ---- people

    fn cashier(&mut self, till: usize) {
        if self.calm {
            return;
        }
        let rows = self.tills[till].till.as_ref().map_or_else(Default::default, |t| t.rows().map(str::to_owned));
        let pc = &mut self.tills[till];
        let (act, next) = pc.cashier.act(self.now, [&rows[0], &rows[1]], &mut self.dice, &mut self.tally);
        if !matches!(act, Act::Look) {
            self.note(|| format!("cashier {till}: {act:?}"));
        }
        match act {
            Act::Look => {}
            Act::OpenDrawer => self.with(till, Till::drawer_opened),
            Act::CloseDrawer => self.with(till, |machine| machine.device(shift::Input::DrawerClosed)),
            Act::Press(key) => self.pressed(till, shift::Input::Key(key)),
            Act::Badge(number) => self.pressed(till, shift::Input::Badge(number.to_owned())),
            Act::Start => {
                let start = |op, fresh| shift::Input::Start {
                    op,
                    fresh,
                    staff_member_id: "gid://shopify/StaffMember/2".to_owned(),
                    note: "from the POS".to_owned(),
                    reason_code_id: None,
                };
                self.with(till, |machine| {
                    machine.command(start);
                });
            }
            Act::PutTotal(opening, total) => {
                let of = opening.clone();
                self.put(till, of, move |op, _| shift::Input::PutTotal { op, opening, total });
            }
            Act::PutLines(opening, lines) => {
                let of = opening.clone();
                self.put(till, of, move |op, _| shift::Input::PutLines { op, opening, lines });
            }
            Act::Cancel(opening) => {
                let why = "another time".to_owned();
                self.with(till, |machine| {
                    machine.command(|op, _| shift::Input::Cancel { op, opening, why });
                });
            }
            Act::EndShift => {
                if let Some(session) = self.server.open_one(till) {
                    self.close(session, "shift ended");
                }
            }
            Act::CallManager => {
                let at = self.now + 5 * S + self.dice.below(10 * MIN);
                self.later(till, at, 0, Happening::Manager);
            }
        }
        self.later(till, next, 0, Happening::Cashier);
    }

    fn put(&mut self, till: usize, opening: OpeningId, make: impl FnOnce(u64, OpeningId) -> shift::Input) {
        // Its number is known before its reply.
        let Some(op) = self.tills[till].till.as_ref().map(Till::next_op) else { return };
        self.tills[till].put.push((op, opening));
        self.with(till, |machine| {
            machine.command(make);
        });
    }

    fn pressed(&mut self, till: usize, input: shift::Input) {
        let pc = &mut self.tills[till];
        if pc.till.as_ref().is_some_and(|t| calls_a_person(t.rows()[1])) {
            pc.hidden_at = Some(self.now);
        }
        pc.by_key = true;
        self.with(till, |machine| machine.device(input));
        self.tills[till].by_key = false;
    }

    fn neighbour(&mut self) {
        let device = self.dice.index(self.tills.len());
        if let Some(session) = self.server.open_one(device) {
            if self.dice.one_in(3) {
                self.close(session, "colleague closed");
            }
            return;
        }
        if self.dice.one_in(3) {
            return;
        }
        let checkout = self.dice.one_in(2);
        self.tally.add(if checkout { "checkout opened" } else { "colleague opened" });
        let currency = self.tills[device].house.settings.currency;
        let amount = people::amount(currency, &mut self.dice);
        let counted = Money {
            amount: format!("{}.0", amount.minor() / 10_i64.pow(currency.exponent())),
            currency: currency.code().to_owned(),
        };
        let note = (!checkout && self.dice.one_in(2)).then(|| "Kim".to_owned());
        let session = self.server.make(self.now, device, counted, None, note, checkout);
        self.note(|| format!("somebody opens session {} on device {device}", session + 1));
        if self.dice.one_in(2) {
            let at = self.now + S + self.dice.below(3 * MIN);
            self.later(device, at, 0, Happening::Logout { session });
        }
    }

    pub(super) fn close(&mut self, session: usize, who: &'static str) {
        let of = &mut self.server.sessions[session];
        if of.closed.is_none() {
            of.closed = Some(self.now);
            let ours = of.of.is_some();
            self.tally.add(if who == "logout closed ours" && !ours { "logout closed another" } else { who });
            self.note(|| format!("session {} is closed: {who}", session + 1));
        }
    }

    /// Looks at Shopify before deciding, as the guide says.
    fn manager(&mut self, till: usize) {
        let pc = &self.tills[till];
        let Some(machine) = &pc.till else { return };
        let Some(record) = machine.records.attention().or(machine.records.current()) else { return };
        let opening = record.id.clone();
        let ours = self.server.sessions.iter().rposition(|s| s.of.as_ref() == Some(&opening));
        let counted_in = self.server.lines_of(&opening).next().is_some();
        let on_its_way = self.requests.iter().any(|r| r.opening == opening && r.to_come > 0);
        let in_the_way = self.server.open_one(till);
        let (decision, session) = match (self.dice.below(4), ours, in_the_way) {
            (0 | 1, Some(ours), _) => (Decision::Link, Some(ours)),
            (0..=2, None, Some(other)) if !counted_in && !on_its_way => (Decision::RecordCount, Some(other)),
            _ if on_its_way => return,
            _ => (Decision::GiveUp, None),
        };
        let session_id = session.map(|at| self.server.sessions[at].facts.id.clone());
        let history = pc.journal.of(&opening).map(|row| row.event.clone()).collect();
        self.note(|| format!("the manager of till {till} decides {decision:?} {session_id:?} about {opening}"));
        self.with(till, |machine| machine.resolve(Wish { opening, history, decision, session_id }));
    }
}

fn short(event: &Event) -> String {
    match event {
        Event::OpeningSending { attempt, into, .. } => {
            format!("opening.sending {attempt} into {:?}", into.as_ref().map(|s| &s.id))
        }
        Event::OpeningCounted(counted) => format!("opening.counted {} {}", counted.balance.amount, counted.time),
        Event::OpeningUnknown { .. }
        | Event::OpeningNotSent { .. }
        | Event::OpeningAbsent { .. }
        | Event::OpeningRefused { .. }
        | Event::OpeningConfirmed { .. }
        | Event::OpeningRecorded { .. }
        | Event::OpeningStale { .. }
        | Event::OpeningResolved { .. }
        | Event::OpeningNeedsAttention { .. }
        | Event::OpeningStarted { .. }
        | Event::OpeningCancelled { .. }
        | Event::DaemonStarted { .. }
        | Event::DrawerOpened { .. }
        | Event::DrawerClosed { .. }
        | Event::DrawerKicked { .. }
        | Event::DrawerLeftOpen {}
        | Event::PrinterStatus { .. }
        | Event::DisplayStatus { .. }
        | Event::KeypadStatus { .. }
        | Event::SlipSending { .. }
        | Event::SlipPrinted { .. }
        | Event::SlipNotProven { .. }
        | Event::ShiftClosed { .. } => format!("{event:?}"),
    }
}

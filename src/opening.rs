//! The submission machine: from a count on disk to a settled opening, exactly once. Pure: no clock, no I/O.
//!
//! Intent → sending → confirmed | refused | unknown → reading → confirmed | absent → intent again | a person is asked.
//! What each answer of Shopify means is classified by `shopify`; what follows from it is decided here and nowhere else.
//!
//! ## Why an unknown outcome is never simply sent again
//! Shopify takes no idempotency key for this mutation. `ALREADY_OPEN` stops a second session only while the first one is
//! still open; opened and closed in between, a blind resend opens another. So a resend needs proof of absence: the quiet
//! period on boot time, then several healthy reads, closed sessions included, that do not show ours.
//!
//! ## What a list of the newest sessions proves
//! It is in the order of creation, so ours can be missing from it only if it does not exist or if the whole page was created
//! after it. The page proves absence when there is nothing beyond it, or when its oldest entry was opened a day and more
//! before ours ([`OLD_ENOUGH`]): then it reaches back behind our attempt. Without a trusted time of our own the second
//! cannot be told, and a person is asked instead of a resend being risked.
mod ours;
pub mod record;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::shift::event::{Counted, Event, OpeningId, SessionFacts};

/// After this many attempts a person is asked.
pub const MAX_ATTEMPTS: u8 = 3;
/// Healthy reads without our session, after the quiet period, that prove absence.
pub const READS_FOR_ABSENCE: u32 = 3;
/// A session opened this long before our count was also created before it, wrong clocks and offline tills included.
pub const OLD_ENOUGH: SignedDuration = SignedDuration::from_hours(24);
/// A session opened earlier than this before our count is not ours; as much as clocks may differ (design, "Exactly once").
pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(120);

/// Waits; a rig may shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Boot time after an unknown outcome before absence can be believed.
    pub quiet_period: Duration,
    /// Between two reads.
    pub read_every: Duration,
    /// First wait after "certainly not executed"; doubles.
    pub retry_first: Duration,
    /// The upper end of every wait that doubles.
    pub retry_max: Duration,
}

/// How long to wait before Shopify is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Waiting helps: the usual back-off.
    Usual,
    /// Shopify asked for this wait.
    Asked(Duration),
    /// A person has to mend something first: tried seldom.
    Longest,
}

/// What became of one sent mutation. Three outcomes, not two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and this is the session.
    Executed(SessionFacts),
    /// It ran, and Shopify refused by a user error.
    Refused {
        /// The error's code, or `UNKNOWN_CODE`.
        code: String,
        /// Shopify's words.
        message: String,
    },
    /// It certainly did not run; it goes out later, unchanged.
    NotExecuted {
        /// In words, with what to mend where waiting alone does not help.
        why: String,
        /// When to try again.
        wait: Wait,
    },
    /// It certainly did not run, and this content never will.
    Rejected {
        /// `HTTP_404`, `undefinedField`.
        code: String,
        /// In words.
        message: String,
    },
    /// Nobody knows.
    Unknown {
        /// In words.
        why: String,
    },
}

/// The device's newest sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionList {
    /// In the order of creation, newest first, closed ones included.
    pub sessions: Vec<SessionFacts>,
    /// There are no older ones.
    pub complete: bool,
}

/// What a read of the device's newest sessions brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A healthy answer: no errors, no search warnings.
    Healthy(SessionList),
    /// Anything else proves nothing.
    Failed {
        /// In words.
        why: String,
        /// Shopify asked for this wait.
        retry_after: Option<Duration>,
    },
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Begin, or go on after a restart.
    Go,
    /// The event last asked for is on disk.
    Stored,
    /// The event last asked for could not be stored.
    StoreFailed,
    /// The mutation's outcome.
    Outcome(Outcome),
    /// A read's result.
    Read(Read),
    /// A deadline may have passed.
    Tick,
}

/// What goes out, in this order.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Put this on disk, then say `Stored` or `StoreFailed`.
    Store(Event),
    /// Send the mutation with exactly these variables, once.
    Send(Value),
    /// Read the newest sessions of the device that the count was made for, whatever the configuration says today.
    ReadSessions {
        /// `gid://shopify/PointOfSaleDevice/N`.
        device: String,
    },
    /// Say `Tick` then.
    WakeAt(Instant),
}

/// Why a mutation's `time` is sent or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallClock {
    /// Nothing has answered yet: `time` is sent, as long as nothing speaks against it.
    NeverCompared,
    /// Within two minutes of Shopify's `Date`.
    Trusted,
    /// Off by more: `time` is omitted.
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives per opening")]
enum State {
    Ready,
    Storing {
        then: Box<State>,
    },
    /// The disk refused `event`; it is offered again.
    StoreAgain {
        event: Event,
        then: Box<State>,
        at: Instant,
    },
    SendNow {
        attempt: u8,
    },
    Sending {
        attempt: u8,
    },
    /// Certainly not executed; a harmless read tells when Shopify can be reached again.
    Offline {
        attempt: u8,
        at: Instant,
    },
    Probing {
        attempt: u8,
    },
    /// Nobody knows since `since`; `negative` healthy reads after the quiet period did not show ours.
    Unknown {
        attempt: u8,
        since: Instant,
        negative: u32,
        at: Instant,
    },
    Reading {
        attempt: u8,
        since: Instant,
        negative: u32,
    },
    /// `ALREADY_OPEN`: whose?
    Fenced {
        attempt: u8,
        reads: u32,
        at: Instant,
    },
    ReadingFence {
        attempt: u8,
        reads: u32,
    },
    Settled,
}

/// One opening on its way to Shopify.
#[derive(Debug, Clone)]
pub struct Opening {
    id: OpeningId,
    counted: Counted,
    variables: Option<Value>,
    waits: Waits,
    state: State,
    storing: Option<Event>,
    clock: WallClock,
    /// An attempt may have run, so the content stays as it is for ever.
    in_doubt: bool,
    /// The same, before the attempt that is on its way.
    in_doubt_before: bool,
    /// The next wait after "not executed".
    retry_wait: Duration,
    /// The next wait after a failed read.
    read_wait: Duration,
    /// The next wait after the disk refused.
    store_wait: Duration,
}

impl Opening {
    /// A count that is on disk and was never sent.
    #[must_use]
    pub const fn new(id: OpeningId, counted: Counted, waits: Waits) -> Self {
        Self {
            id,
            counted,
            variables: None,
            waits,
            state: State::Ready,
            storing: None,
            clock: WallClock::NeverCompared,
            in_doubt: false,
            in_doubt_before: false,
            retry_wait: waits.retry_first,
            read_wait: waits.read_every,
            store_wait: waits.retry_first,
        }
    }

    /// What the journal says of one opening, oldest first; `None` when it was not counted or is settled.
    ///
    /// A new boot starts the quiet period anew: an attempt that was being sent is unknown since `now`.
    #[must_use]
    pub fn resume(id: OpeningId, history: &[Event], waits: Waits, now: Instant) -> Option<Self> {
        let mut found: Option<Self> = None;
        for event in history {
            if let Event::OpeningCounted(counted) = event {
                found = Some(Self::new(id.clone(), counted.clone(), waits));
            }
            if let Some(opening) = found.as_mut() {
                opening.replay(event, now);
            }
        }
        found.filter(|o| o.state != State::Settled)
    }

    fn replay(&mut self, event: &Event, now: Instant) {
        let unknown = |attempt: &u8| State::Unknown { attempt: *attempt, since: now, negative: 0, at: now };
        let next = match event {
            event if event.settles() => State::Settled,
            Event::OpeningSending { attempt, variables } => {
                self.variables = Some(variables.clone());
                self.is_on_its_way();
                unknown(attempt)
            }
            // Refused as `ALREADY_OPEN`: the attempt did not run, and it is not sent again.
            Event::OpeningUnknown { attempt, already_open: true, .. } => {
                self.did_not_run();
                State::Fenced { attempt: *attempt, reads: 0, at: now }
            }
            Event::OpeningUnknown { attempt, already_open: false, .. } => unknown(attempt),
            Event::OpeningNotSent { attempt, .. } => {
                self.did_not_run();
                State::Offline { attempt: *attempt, at: now }
            }
            Event::OpeningAbsent { attempt, .. } => match attempt + 1 {
                next if next > MAX_ATTEMPTS => unknown(attempt),
                next => State::Offline { attempt: next, at: now },
            },
            Event::OpeningConfirmed { .. }
            | Event::OpeningRefused { .. }
            | Event::OpeningNeedsAttention { .. }
            | Event::DaemonStarted { .. }
            | Event::DrawerOpened { .. }
            | Event::DrawerClosed { .. }
            | Event::DrawerKicked { .. }
            | Event::DrawerLeftOpen {}
            | Event::PrinterStatus { .. }
            | Event::DisplayStatus { .. }
            | Event::KeypadStatus { .. }
            | Event::OpeningStarted { .. }
            | Event::OpeningCancelled { .. }
            | Event::OpeningCounted(_)
            | Event::SlipSending { .. }
            | Event::SlipPrinted { .. }
            | Event::SlipNotProven { .. }
            | Event::ShiftClosed { .. } => return,
        };
        self.state = next;
    }

    /// Told whenever an answer's `Date` header was compared. An intent takes it up as long as no attempt can have run.
    pub const fn clock_is(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Confirmed, refused, or in a person's hands.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state == State::Settled
    }

    /// The only way in.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        use State as S;
        let state = std::mem::replace(&mut self.state, S::Settled);
        let (next, outputs) = match (state, input) {
            (S::Ready, Input::Go) => self.intend(1),
            (S::Storing { then }, Input::Stored) => {
                self.store_wait = self.waits.retry_first;
                self.enter(now, *then)
            }
            (S::Storing { then }, Input::StoreFailed) => {
                let at = now + self.store_wait;
                self.store_wait = (self.store_wait * 2).min(self.waits.retry_max);
                let event = self.storing.take().expect("Storing is entered with the event it stores");
                (S::StoreAgain { event, then, at }, vec![Output::WakeAt(at)])
            }
            (S::StoreAgain { event, then, at }, Input::Tick) if now >= at => self.store(event, *then),
            (S::Sending { attempt }, Input::Outcome(outcome)) => self.judge(now, attempt, outcome),
            (S::Offline { attempt, at }, Input::Tick | Input::Go) if now >= at => {
                (S::Probing { attempt }, self.read_sessions())
            }
            (S::Probing { attempt }, Input::Read(read)) => self.probed(now, attempt, read),
            (S::Unknown { attempt, since, negative, at }, Input::Tick | Input::Go) if now >= at => {
                (S::Reading { attempt, since, negative }, self.read_sessions())
            }
            (S::Reading { attempt, since, negative }, Input::Read(read)) => {
                self.reconcile(now, attempt, since, negative, read)
            }
            (S::Fenced { attempt, reads, at }, Input::Tick | Input::Go) if now >= at => {
                (S::ReadingFence { attempt, reads }, self.read_sessions())
            }
            (S::ReadingFence { attempt, reads }, Input::Read(read)) => self.fence(now, attempt, reads, read),
            // A deadline that is still ahead: say it again, so that a lost wake-up cannot end the story.
            (
                s @ (S::StoreAgain { at, .. } | S::Offline { at, .. } | S::Unknown { at, .. } | S::Fenced { at, .. }),
                Input::Tick | Input::Go,
            ) => (s, vec![Output::WakeAt(at)]),
            // Nothing follows: an answer nobody waits for, a repeated start, an early tick.
            (
                s @ (S::Ready
                | S::Storing { .. }
                | S::StoreAgain { .. }
                | S::SendNow { .. }
                | S::Sending { .. }
                | S::Offline { .. }
                | S::Probing { .. }
                | S::Unknown { .. }
                | S::Reading { .. }
                | S::Fenced { .. }
                | S::ReadingFence { .. }
                | S::Settled),
                Input::Go | Input::Stored | Input::StoreFailed | Input::Outcome(_) | Input::Read(_) | Input::Tick,
            ) => (s, vec![]),
        };
        self.state = next;
        outputs
    }

    fn read_sessions(&self) -> Vec<Output> {
        vec![Output::ReadSessions { device: self.counted.point_of_sale_device_id.clone() }]
    }

    const fn is_on_its_way(&mut self) {
        self.in_doubt_before = self.in_doubt;
        self.in_doubt = true;
    }

    /// The attempt that was on its way is proven not to have run.
    const fn did_not_run(&mut self) {
        self.in_doubt = self.in_doubt_before;
    }

    fn store(&mut self, event: Event, then: State) -> (State, Vec<Output>) {
        self.storing = Some(event.clone());
        (State::Storing { then: Box::new(then) }, vec![Output::Store(event)])
    }

    /// What a state does on entry, after the event that leads to it is on disk.
    fn enter(&mut self, now: Instant, state: State) -> (State, Vec<Output>) {
        match state {
            State::SendNow { attempt } => {
                let variables = self.variables.clone().expect("an intent names its variables");
                self.is_on_its_way();
                (State::Sending { attempt }, vec![Output::Send(variables)])
            }
            State::Ready => self.intend(1),
            s @ (State::Offline { at, .. } | State::Unknown { at, .. } | State::Fenced { at, .. }) => {
                (s, vec![Output::WakeAt(at.max(now))])
            }
            s @ State::ReadingFence { .. } => (s, self.read_sessions()),
            s @ (State::Storing { .. }
            | State::StoreAgain { .. }
            | State::Sending { .. }
            | State::Probing { .. }
            | State::Reading { .. }
            | State::Settled) => (s, vec![]),
        }
    }

    /// Writes the intent. The content is the same for all attempts from the first that may have run. Until then a `time`
    /// that proved wrong is taken out; it is never put back, because it was the wrong clock that gave it.
    fn intend(&mut self, attempt: u8) -> (State, Vec<Output>) {
        let variables = match self.variables.take() {
            Some(same) if self.in_doubt || same["time"].is_null() => same,
            Some(_) | None => variables(&self.id, &self.counted, self.clock),
        };
        self.variables = Some(variables.clone());
        self.store(Event::OpeningSending { attempt, variables }, State::SendNow { attempt })
    }

    fn judge(&mut self, now: Instant, attempt: u8, outcome: Outcome) -> (State, Vec<Output>) {
        match outcome {
            Outcome::Executed(session) if self.is_ours(&session) => self.confirm("answered", session),
            Outcome::Executed(session) => {
                let why = format!("Shopify answered with session {}, whose content is not what was sent", session.id);
                self.unknown(now, attempt, why)
            }
            // On disk first, so that a restart reads before anything else, too.
            Outcome::Refused { code, .. } if code == "ALREADY_OPEN" => {
                self.did_not_run();
                let why = "Shopify says that a session is already open: looking whose it is".to_owned();
                let event = Event::OpeningUnknown { attempt, why, already_open: true };
                self.store(event, State::ReadingFence { attempt, reads: 0 })
            }
            Outcome::Refused { code, message } | Outcome::Rejected { code, message } => {
                let prompt = refusal_prompt(&code);
                self.store(Event::OpeningRefused { code, message, prompt }, State::Settled)
            }
            Outcome::NotExecuted { why, wait } => {
                self.did_not_run();
                let at = now + self.back_off(wait);
                self.store(Event::OpeningNotSent { attempt, why }, State::Offline { attempt, at })
            }
            Outcome::Unknown { why } => self.unknown(now, attempt, why),
        }
    }

    /// The next wait before Shopify is tried again. It keeps growing over all attempts of this opening.
    fn back_off(&mut self, wait: Wait) -> Duration {
        let now = match wait {
            Wait::Usual => self.retry_wait,
            Wait::Asked(asked) => asked.max(self.retry_wait),
            Wait::Longest => self.waits.retry_max,
        };
        self.retry_wait = match wait {
            Wait::Usual | Wait::Asked(_) => (self.retry_wait * 2).min(self.waits.retry_max),
            Wait::Longest => self.waits.retry_max,
        };
        now
    }

    /// The next wait after a failed read.
    fn back_off_reads(&mut self, retry_after: Option<Duration>) -> Duration {
        let now = retry_after.unwrap_or_default().max(self.read_wait);
        self.read_wait = (self.read_wait * 2).min(self.waits.retry_max.max(self.waits.read_every));
        now
    }

    fn unknown(&mut self, now: Instant, attempt: u8, why: String) -> (State, Vec<Output>) {
        let then = State::Unknown { attempt, since: now, negative: 0, at: now };
        self.store(Event::OpeningUnknown { attempt, why, already_open: false }, then)
    }

    fn confirm(&mut self, how: &str, session: SessionFacts) -> (State, Vec<Output>) {
        self.store(Event::OpeningConfirmed { how: how.to_owned(), session }, State::Settled)
    }

    /// Shopify could not be reached before; can it now? The read also shows a session of ours that nobody expected.
    fn probed(&mut self, now: Instant, attempt: u8, read: Read) -> (State, Vec<Output>) {
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { retry_after, .. } => {
                let at = now + self.back_off(retry_after.map_or(Wait::Usual, Wait::Asked));
                return (State::Offline { attempt, at }, vec![Output::WakeAt(at)]);
            }
        };
        if let Some(ours) = self.ours_among(&list) {
            return self.confirm("found", ours);
        }
        if let Some(near) = self.near_among(&list) {
            return self.ambiguous(near);
        }
        self.intend(attempt)
    }

    fn reconcile(&mut self, now: Instant, attempt: u8, since: Instant, negative: u32, read: Read) -> (State, Vec<Output>) {
        let again = |wait, negative| {
            let at = now + wait;
            (State::Unknown { attempt, since, negative, at }, vec![Output::WakeAt(at)])
        };
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { retry_after, .. } => return again(self.back_off_reads(retry_after), negative),
        };
        self.read_wait = self.waits.read_every;
        if let Some(ours) = self.ours_among(&list) {
            return self.confirm("found", ours);
        }
        if now < since + self.waits.quiet_period {
            return again(self.waits.read_every, 0);
        }
        if let Some(near) = self.near_among(&list) {
            return self.ambiguous(near);
        }
        if let Some(foreign) = list.sessions.iter().find(|s| s.status == "OPEN") {
            return self.foreign(foreign.clone());
        }
        if negative + 1 < READS_FOR_ABSENCE {
            return again(self.waits.read_every, negative + 1);
        }
        if !self.reaches_back_behind_ours(&list) {
            let why = "the newest sessions at Shopify do not show this count, and do not go back far enough to prove that it \
                       is not there: look for it in Shopify";
            return self.ask("ambiguous", why.to_owned(), None);
        }
        if attempt >= MAX_ATTEMPTS {
            let why =
                format!("{MAX_ATTEMPTS} attempts were sent and none opened a session: open the register in Shopify POS");
            return self.ask("attempts_used_up", why, None);
        }
        self.retry_wait = self.waits.retry_first;
        let then = State::Offline { attempt: attempt + 1, at: now };
        self.store(Event::OpeningAbsent { attempt, reads: negative + 1 }, then)
    }

    fn fence(&mut self, now: Instant, attempt: u8, reads: u32, read: Read) -> (State, Vec<Output>) {
        let again = |wait, reads| {
            let at = now + wait;
            (State::Fenced { attempt, reads, at }, vec![Output::WakeAt(at)])
        };
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { retry_after, .. } => return again(self.back_off_reads(retry_after), reads),
        };
        self.read_wait = self.waits.read_every;
        if let Some(ours) = self.ours_among(&list) {
            return self.confirm("found", ours);
        }
        if let Some(near) = self.near_among(&list) {
            return self.ambiguous(near);
        }
        if let Some(foreign) = list.sessions.iter().find(|s| s.status == "OPEN") {
            return self.foreign(foreign.clone());
        }
        if reads + 1 < READS_FOR_ABSENCE {
            return again(self.waits.read_every, reads + 1);
        }
        let why = "Shopify says that a session is open on this device, and shows none: look at the register in Shopify POS";
        self.ask("hidden_session", why.to_owned(), None)
    }

    fn foreign(&mut self, session: SessionFacts) -> (State, Vec<Output>) {
        let why = format!(
            "the register was opened by someone else at {} with {} {}: the count is kept; record it as a mid-session count if needed",
            session.opening_time, session.counted.amount, session.counted.currency
        );
        let prompt = prompt("REGISTER IS OPEN", "NOT BY THIS COUNT");
        let kind = "foreign_session".to_owned();
        self.store(Event::OpeningNeedsAttention { kind, why, prompt, session: Some(session) }, State::Settled)
    }

    fn ambiguous(&mut self, near: SessionFacts) -> (State, Vec<Output>) {
        let why = format!(
            "a session looks like this count but is not the same in all points ({}): compare it with the slip in Shopify",
            near.id
        );
        self.ask("ambiguous", why, Some(near))
    }

    fn ask(&mut self, kind: &str, why: String, session: Option<SessionFacts>) -> (State, Vec<Output>) {
        let prompt = prompt("COUNT SAVED", "CALL THE MANAGER");
        self.store(Event::OpeningNeedsAttention { kind: kind.to_owned(), why, prompt, session }, State::Settled)
    }
}

/// The mutation's variables. The note ends in the reference; `time` is left out when the wall clock is wrong.
#[must_use]
pub fn variables(id: &OpeningId, counted: &Counted, clock: WallClock) -> Value {
    let reference = format!("[db:{id}]");
    let note = if counted.note.is_empty() { reference } else { format!("{} {reference}", counted.note) };
    let time = match clock {
        WallClock::Trusted | WallClock::NeverCompared => Value::from(counted.time.clone()),
        WallClock::Wrong => Value::Null,
    };
    json!({
        "deviceId": counted.point_of_sale_device_id,
        "staffId": counted.staff_member_id,
        "balance": { "amount": counted.balance.amount, "currencyCode": counted.balance.currency },
        "time": time,
        "reasonCodeId": counted.reason_code_id,
        "note": note,
    })
}

fn prompt(upper: &str, lower: &str) -> [String; 2] {
    [upper.to_owned(), lower.to_owned()]
}

/// What a cashier reads when Shopify refuses. At most 20 characters a row.
#[must_use]
pub fn refusal_prompt(code: &str) -> [String; 2] {
    match code {
        "POINT_OF_SALE_DEVICE_NOT_FOUND" => prompt("TILL NOT AT SHOPIFY", "CALL THE MANAGER"),
        "NO_CASH_DRAWER_ASSOCIATED" => prompt("NO DRAWER AT SHOPIFY", "CALL THE MANAGER"),
        "STAFF_MEMBER_NOT_FOUND" => prompt("STAFF NOT AT SHOPIFY", "CALL THE MANAGER"),
        "CURRENCY_MISMATCH" => prompt("WRONG CURRENCY", "CALL THE MANAGER"),
        "REASON_CODE_NOT_FOUND" => prompt("REASON NOT FOUND", "CALL THE MANAGER"),
        "NOT_SAVED" => prompt("SHOPIFY DECLINED", "CALL THE MANAGER"),
        _ => prompt("REGISTER NOT OPENED", "CALL THE MANAGER"),
    }
}

#[cfg(test)]
mod tests;

//! The submission machine: from a count on disk to a settled opening, exactly once. Pure: no clock, no I/O.
//!
//! Intent → sending → confirmed | refused | unknown → reading → confirmed | absent → intent again | a person is asked.
//! What each answer of Shopify means is classified by `shopify`; what follows from it is decided here and nowhere else.
//!
//! ## Why an unknown outcome is never simply sent again
//! Shopify takes no idempotency key for this mutation. `ALREADY_OPEN` stops a second session only while the first one is
//! still open; opened and closed in between, a blind resend opens another. So a resend needs proof of absence: the quiet
//! period on boot time, then several healthy reads, closed sessions included, that do not show ours.
pub mod record;

use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::shift::event::{Counted, Event, Money, OpeningId, SessionFacts};

/// After this many attempts a person is asked.
pub const MAX_ATTEMPTS: u8 = 3;
/// Healthy reads without our session, after the quiet period, that prove absence.
pub const READS_FOR_ABSENCE: u32 = 3;

/// Waits; a rig may shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Boot time after an unknown outcome before absence can be believed.
    pub quiet_period: Duration,
    /// Between two reads.
    pub read_every: Duration,
    /// First wait after "certainly not executed"; doubles.
    pub retry_first: Duration,
    /// Its upper end.
    pub retry_max: Duration,
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
    /// It certainly did not run; waiting helps.
    NotExecuted {
        /// In words.
        why: String,
        /// Shopify asked for this wait.
        retry_after: Option<Duration>,
    },
    /// It certainly did not run; only a person can help (configuration, scopes, a frozen shop).
    Rejected {
        /// `HTTP_403`, `undefinedField`.
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

/// What a read of the device's newest sessions brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A healthy answer: no errors, no search warnings; newest first.
    Healthy(Vec<SessionFacts>),
    /// Anything else proves nothing.
    Failed {
        /// In words.
        why: String,
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
    /// Read the device's newest sessions.
    ReadSessions,
    /// Say `Tick` then.
    WakeAt(Instant),
}

/// Why a mutation's `time` is sent or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallClock {
    /// Within two minutes of Shopify's `Date`, or never compared.
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
        wait: Duration,
        at: Instant,
    },
    Probing {
        attempt: u8,
        wait: Duration,
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
}

impl Opening {
    /// A count that is on disk and was never sent.
    #[must_use]
    pub const fn new(id: OpeningId, counted: Counted, waits: Waits) -> Self {
        Self { id, counted, variables: None, waits, state: State::Ready, storing: None, clock: WallClock::Trusted }
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
        let next = match event {
            Event::OpeningSending { attempt, variables } => {
                self.variables = Some(variables.clone());
                State::Unknown { attempt: *attempt, since: now, negative: 0, at: now }
            }
            Event::OpeningUnknown { attempt, .. } => State::Unknown { attempt: *attempt, since: now, negative: 0, at: now },
            Event::OpeningNotSent { attempt, .. } => {
                State::Offline { attempt: *attempt, wait: self.waits.retry_first, at: now }
            }
            Event::OpeningAbsent { attempt, .. } => match attempt + 1 {
                next if next > MAX_ATTEMPTS => State::Unknown { attempt: *attempt, since: now, negative: 0, at: now },
                next => State::Offline { attempt: next, wait: self.waits.retry_first, at: now },
            },
            Event::OpeningConfirmed { .. } | Event::OpeningRefused { .. } | Event::OpeningNeedsAttention { .. } => {
                State::Settled
            }
            Event::DaemonStarted { .. }
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

    /// Told whenever an answer's `Date` header was compared. Only an intent that is not yet written takes it up.
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
            (S::Storing { then }, Input::Stored) => self.enter(now, *then),
            (S::Storing { then }, Input::StoreFailed) => {
                let at = now + self.waits.retry_first;
                let event = self.storing.take().expect("Storing is entered with the event it stores");
                (S::StoreAgain { event, then, at }, vec![Output::WakeAt(at)])
            }
            (S::StoreAgain { event, then, at }, Input::Tick) if now >= at => self.store(event, *then),
            (S::Sending { attempt }, Input::Outcome(outcome)) => self.judge(now, attempt, outcome),
            (S::Offline { attempt, wait, at }, Input::Tick | Input::Go) if now >= at => {
                (S::Probing { attempt, wait }, vec![Output::ReadSessions])
            }
            (S::Probing { attempt, wait }, Input::Read(read)) => self.probed(now, attempt, wait, read),
            (S::Unknown { attempt, since, negative, at }, Input::Tick | Input::Go) if now >= at => {
                (S::Reading { attempt, since, negative }, vec![Output::ReadSessions])
            }
            (S::Reading { attempt, since, negative }, Input::Read(read)) => {
                self.reconcile(now, attempt, since, negative, read)
            }
            (S::Fenced { attempt, reads, at }, Input::Tick) if now >= at => {
                (S::ReadingFence { attempt, reads }, vec![Output::ReadSessions])
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

    fn store(&mut self, event: Event, then: State) -> (State, Vec<Output>) {
        self.storing = Some(event.clone());
        (State::Storing { then: Box::new(then) }, vec![Output::Store(event)])
    }

    /// What a state does on entry, after the event that leads to it is on disk.
    fn enter(&mut self, now: Instant, state: State) -> (State, Vec<Output>) {
        match state {
            State::SendNow { attempt } => {
                let variables = self.variables.clone().expect("an intent names its variables");
                (State::Sending { attempt }, vec![Output::Send(variables)])
            }
            State::Ready => self.intend(1),
            s @ (State::Offline { at, .. } | State::Unknown { at, .. } | State::Fenced { at, .. }) => {
                (s, vec![Output::WakeAt(at.max(now))])
            }
            s @ (State::Storing { .. }
            | State::StoreAgain { .. }
            | State::Sending { .. }
            | State::Probing { .. }
            | State::Reading { .. }
            | State::ReadingFence { .. }
            | State::Settled) => (s, vec![]),
        }
    }

    /// Writes the intent. The content is made once and is the same for all attempts.
    fn intend(&mut self, attempt: u8) -> (State, Vec<Output>) {
        let variables = match &self.variables {
            Some(same) => same.clone(),
            None => variables(&self.id, &self.counted, self.clock),
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
            Outcome::Refused { code, .. } if code == "ALREADY_OPEN" => {
                (State::ReadingFence { attempt, reads: 0 }, vec![Output::ReadSessions])
            }
            Outcome::Refused { code, message } | Outcome::Rejected { code, message } => {
                let prompt = refusal_prompt(&code);
                self.store(Event::OpeningRefused { code, message, prompt }, State::Settled)
            }
            Outcome::NotExecuted { why, retry_after } => {
                let wait = retry_after.unwrap_or(self.waits.retry_first);
                let then = State::Offline { attempt, wait: self.waits.retry_first, at: now + wait };
                self.store(Event::OpeningNotSent { attempt, why }, then)
            }
            Outcome::Unknown { why } => self.unknown(now, attempt, why),
        }
    }

    fn unknown(&mut self, now: Instant, attempt: u8, why: String) -> (State, Vec<Output>) {
        let then = State::Unknown { attempt, since: now, negative: 0, at: now };
        self.store(Event::OpeningUnknown { attempt, why }, then)
    }

    fn confirm(&mut self, how: &str, session: SessionFacts) -> (State, Vec<Output>) {
        self.store(Event::OpeningConfirmed { how: how.to_owned(), session }, State::Settled)
    }

    /// Shopify could not be reached before; can it now? The read also shows a session of ours that nobody expected.
    fn probed(&mut self, now: Instant, attempt: u8, wait: Duration, read: Read) -> (State, Vec<Output>) {
        match read {
            Read::Healthy(sessions) => match self.ours_among(&sessions) {
                Some(ours) => self.confirm("found", ours),
                None => self.intend(attempt),
            },
            Read::Failed { .. } => {
                let wait = (wait * 2).min(self.waits.retry_max);
                let at = now + wait;
                (State::Offline { attempt, wait, at }, vec![Output::WakeAt(at)])
            }
        }
    }

    fn reconcile(&mut self, now: Instant, attempt: u8, since: Instant, negative: u32, read: Read) -> (State, Vec<Output>) {
        let at = now + self.waits.read_every;
        let again = |negative| (State::Unknown { attempt, since, negative, at }, vec![Output::WakeAt(at)]);
        let Read::Healthy(sessions) = read else { return again(negative) };
        if let Some(ours) = self.ours_among(&sessions) {
            return self.confirm("found", ours);
        }
        if now < since + self.waits.quiet_period {
            return again(0);
        }
        if let Some(near) = sessions.iter().find(|s| self.is_near(s)) {
            return self.ask("ambiguous", "a session looks like this count but is not the same in all points", near.clone());
        }
        if let Some(foreign) = sessions.iter().find(|s| s.status == "OPEN") {
            return self.foreign(foreign.clone());
        }
        if negative + 1 < READS_FOR_ABSENCE {
            return again(negative + 1);
        }
        if attempt >= MAX_ATTEMPTS {
            let event = Event::OpeningNeedsAttention {
                kind: "attempts_used_up".to_owned(),
                why: format!(
                    "{MAX_ATTEMPTS} attempts were sent and none opened a session: open the register in Shopify POS"
                ),
                prompt: prompt("COUNT SAVED", "CALL THE MANAGER"),
                session: None,
            };
            return self.store(event, State::Settled);
        }
        let then = State::Offline { attempt: attempt + 1, wait: self.waits.retry_first, at: now };
        self.store(Event::OpeningAbsent { attempt, reads: negative + 1 }, then)
    }

    fn fence(&mut self, now: Instant, attempt: u8, reads: u32, read: Read) -> (State, Vec<Output>) {
        let at = now + self.waits.read_every;
        let again = |reads| (State::Fenced { attempt, reads, at }, vec![Output::WakeAt(at)]);
        let Read::Healthy(sessions) = read else { return again(reads) };
        if let Some(ours) = self.ours_among(&sessions) {
            return self.confirm("found", ours);
        }
        if let Some(foreign) = sessions.iter().find(|s| s.status == "OPEN") {
            return self.foreign(foreign.clone());
        }
        if reads + 1 < READS_FOR_ABSENCE {
            return again(reads + 1);
        }
        let event = Event::OpeningNeedsAttention {
            kind: "ambiguous".to_owned(),
            why: "Shopify says that a session is open on this device, and shows none: look at the register in Shopify POS"
                .to_owned(),
            prompt: prompt("COUNT SAVED", "CALL THE MANAGER"),
            session: None,
        };
        self.store(event, State::Settled)
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

    fn ask(&mut self, kind: &str, what: &str, session: SessionFacts) -> (State, Vec<Output>) {
        let why = format!("{what} ({}): compare it with the slip in Shopify", session.id);
        let prompt = prompt("COUNT SAVED", "CALL THE MANAGER");
        self.store(
            Event::OpeningNeedsAttention { kind: kind.to_owned(), why, prompt, session: Some(session) },
            State::Settled,
        )
    }

    fn ours_among(&self, sessions: &[SessionFacts]) -> Option<SessionFacts> {
        sessions.iter().find(|s| self.is_ours(s)).cloned()
    }

    /// Reference, amount and currency, and the time where it was sent.
    fn is_ours(&self, session: &SessionFacts) -> bool {
        self.has_reference(session) && self.same_money(session) && (self.sent_time().is_none() || self.same_time(session))
    }

    /// Two of three.
    fn is_near(&self, session: &SessionFacts) -> bool {
        let points = [self.has_reference(session), self.same_money(session), self.same_time(session)];
        points.iter().filter(|p| **p).count() == 2
    }

    fn has_reference(&self, session: &SessionFacts) -> bool {
        session.opening_note.as_deref().is_some_and(|n| n.contains(&format!("[db:{}]", self.id)))
    }

    /// Numerically: Shopify drops trailing zeros.
    fn same_money(&self, session: &SessionFacts) -> bool {
        let number = |m: &Money| m.amount.parse::<Decimal>().ok();
        session.counted.currency == self.counted.balance.currency
            && number(&session.counted).is_some_and(|n| Some(n) == number(&self.counted.balance))
    }

    fn sent_time(&self) -> Option<&str> {
        self.variables.as_ref()?.get("time")?.as_str()
    }

    fn same_time(&self, session: &SessionFacts) -> bool {
        self.sent_time().is_some_and(|t| t == session.opening_time)
    }
}

/// The mutation's variables. The note ends in the reference; `time` is left out when the wall clock is wrong.
#[must_use]
pub fn variables(id: &OpeningId, counted: &Counted, clock: WallClock) -> Value {
    let reference = format!("[db:{id}]");
    let note = if counted.note.is_empty() { reference } else { format!("{} {reference}", counted.note) };
    let time = match clock {
        WallClock::Trusted => Value::from(counted.time.clone()),
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

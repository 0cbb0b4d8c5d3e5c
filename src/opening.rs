//! The submission machine: from a count on disk to a settled opening, exactly once. Pure: no clock, no I/O.
//!
//! Counted → preflight → intent → sending → confirmed | refused | unknown → reading → confirmed | absent → preflight … | a
//! person is asked. What each answer of Shopify means is classified by `shopify`; what follows from it is decided here and
//! nowhere else.
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
//!
//! ## A register that somebody else opened
//! The count is kept. It can go into that session as a mid-session count ([`count`]): the same states, another mutation, and
//! the session's ledger is read instead of the device's sessions. Nothing fences a second count, so an unknown one that
//! cannot be recognised in the ledger is never sent again.
mod content;
mod count;
pub mod echo;
mod open;
mod ours;
pub mod record;
mod stale;
mod words;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::Value;

use self::stale::Born;
pub use self::{
    content::{count_variables, refusal_prompt, variables},
    words::{
        Activities, ActivityRead, BusinessDay, CountLineAt, Device, DrawerFacts, Input, Mutation, OnForeign, Outcome,
        Output, Read, Resolution, Rules, SessionList, SharedDrawer, Wait, Waits, WallClock,
    },
};
use crate::shift::event::{Counted, Decision, Event, OpeningId, Preflight, SessionFacts};

/// After this many attempts a person is asked.
pub const MAX_ATTEMPTS: u8 = 3;
/// Healthy reads without our session, after the quiet period, that prove absence.
pub const READS_FOR_ABSENCE: u32 = 3;
/// A session opened this long before our count was also created before it, wrong clocks and offline tills included.
pub const OLD_ENOUGH: SignedDuration = SignedDuration::from_hours(24);
/// A session opened earlier than this before our count is not ours; as much as clocks may differ (design, "Exactly once").
pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(120);
/// A preflight that was read while the person counted is good for this long. What changes after it meets the fence.
pub const AHEAD_FOR: Duration = Duration::from_secs(300);

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
    /// Before the next preflight: Shopify was not reached, or absence was just proven.
    Offline {
        attempt: u8,
        at: Instant,
    },
    /// A harmless read, before anything is sent.
    Preflight {
        attempt: u8,
    },
    SendNow {
        attempt: u8,
    },
    Sending {
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
    /// The register was opened by somebody else: by whom?
    ReadingOpener {
        session: SessionFacts,
    },
    /// In a person's hands.
    Asked,
    Settled,
}

/// What the journal says about why nothing is sent just now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// Nothing yet, for this attempt.
    Nothing,
    /// The attempt before was proven absent.
    Absence,
    /// Certainly not executed, and why.
    Why(String),
}

/// One opening on its way to Shopify.
#[derive(Debug, Clone)]
pub struct Opening {
    id: OpeningId,
    counted: Counted,
    variables: Option<Value>,
    /// The count goes into this session, which somebody else opened.
    into: Option<SessionFacts>,
    waits: Waits,
    rules: Rules,
    state: State,
    storing: Option<Event>,
    clock: WallClock,
    born: Born,
    /// Read while the person counted.
    ahead: Option<(SessionList, Instant)>,
    /// Read before the attempt that comes next.
    preflight: Option<Preflight>,
    /// A session that is open and not ours, seen by the last preflight. It counts when the next one sees it, too.
    stranger: Option<String>,
    /// What the journal says about a wait.
    told: Told,
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
    /// A count that came onto the disk now and was never sent.
    #[must_use]
    pub const fn new(id: OpeningId, counted: Counted, waits: Waits, rules: Rules, now: Instant) -> Self {
        Self::with(id, counted, waits, rules, Born::Now(now))
    }

    const fn with(id: OpeningId, counted: Counted, waits: Waits, rules: Rules, born: Born) -> Self {
        Self {
            id,
            counted,
            variables: None,
            into: None,
            waits,
            rules,
            state: State::Ready,
            storing: None,
            clock: WallClock::NeverCompared,
            born,
            ahead: None,
            preflight: None,
            stranger: None,
            told: Told::Nothing,
            in_doubt: false,
            in_doubt_before: false,
            retry_wait: waits.retry_first,
            read_wait: waits.read_every,
            store_wait: waits.retry_first,
        }
    }

    /// What the journal says of one opening, oldest first; `None` when it was not counted or is settled. One that is in a
    /// person's hands is there, and does nothing until [`Input::Resolve`].
    ///
    /// A new boot starts the quiet period anew: an attempt that was being sent is unknown since `now`.
    #[must_use]
    pub fn resume(id: OpeningId, history: &[Event], waits: Waits, rules: &Rules, now: Instant) -> Option<Self> {
        let mut found: Option<Self> = None;
        for event in history {
            if let Event::OpeningCounted(counted) = event {
                found = Some(Self::with(id.clone(), counted.clone(), waits, rules.clone(), Born::Before));
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
            Event::OpeningSending { attempt, variables, into, .. } => {
                self.variables = Some(variables.clone());
                self.into.clone_from(into);
                self.is_on_its_way();
                unknown(attempt)
            }
            // Refused as `ALREADY_OPEN`: the attempt did not run, and it is not sent again.
            Event::OpeningUnknown { attempt, already_open: true, .. } => {
                self.did_not_run();
                State::Fenced { attempt: *attempt, reads: 0, at: now }
            }
            Event::OpeningUnknown { attempt, already_open: false, .. } => {
                self.may_have_run();
                unknown(attempt)
            }
            Event::OpeningNotSent { attempt, why } => {
                self.did_not_run();
                self.told = Told::Why(why.clone());
                State::Offline { attempt: *attempt, at: now }
            }
            Event::OpeningAbsent { attempt, .. } => {
                self.may_have_run();
                self.told = Told::Absence;
                match attempt + 1 {
                    next if next > MAX_ATTEMPTS => unknown(attempt),
                    next => State::Offline { attempt: next, at: now },
                }
            }
            Event::OpeningNeedsAttention { .. } => State::Asked,
            Event::OpeningResolved { decision: Decision::RecordCount, session: Some(session), .. } => {
                self.record_into(session.clone());
                State::Offline { attempt: 1, at: now }
            }
            event if event.settles() => State::Settled,
            Event::OpeningConfirmed { .. }
            | Event::OpeningRefused { .. }
            | Event::OpeningRecorded { .. }
            | Event::OpeningStale { .. }
            | Event::OpeningResolved { .. }
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

    /// The PC slept for so long: boot time went on, and [`Instant`] stood still.
    pub fn slept(&mut self, gap: Duration) {
        self.born = self.born.earlier(gap);
    }

    /// Told whenever an answer's `Date` header was compared. An intent takes it up as long as no attempt can have run.
    pub const fn clock_is(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Confirmed, refused, or in a person's hands: nothing more happens by itself.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled | State::Asked)
    }

    /// Whether a person may decide this now.
    ///
    /// # Errors
    /// Why not, in words for that person.
    pub fn may_resolve(&self, resolution: &Resolution) -> Result<(), &'static str> {
        let needs_session = matches!(resolution.decision, Decision::Link | Decision::RecordCount);
        if needs_session && resolution.session.is_none() {
            return Err("name the session");
        }
        match (&self.state, resolution.decision) {
            (State::Settled, _) => Err("it is settled already"),
            (State::Storing { .. } | State::StoreAgain { .. } | State::SendNow { .. } | State::Sending { .. }, _) => {
                Err("a request is on its way: try again in half a minute, when its answer or its absence is known")
            }
            (State::Asked, Decision::RecordCount) if resolution.session.as_ref().is_some_and(|s| s.status != "OPEN") => {
                Err("that session is closed: nothing can be recorded in it")
            }
            (State::Asked, _) => Ok(()),
            (_, Decision::RecordCount) => Err("it is not known yet whether the count opened a session of its own"),
            (_, Decision::Link | Decision::GiveUp) => Ok(()),
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        use State as S;
        let state = std::mem::replace(&mut self.state, S::Settled);
        let (next, outputs) = match (state, input) {
            (S::Ready, Input::Ahead { list, taken }) => {
                self.ahead = Some((list, taken));
                (S::Ready, vec![])
            }
            (S::Ready, Input::Go) => match self.ahead.take().filter(|(_, taken)| now < *taken + AHEAD_FOR) {
                Some((mut list, taken)) => {
                    // Shopify's clock has gone on since.
                    list.date = list.date.and_then(|date| date.checked_add(now.saturating_duration_since(taken)).ok());
                    self.preflight(now, 1, Read::Healthy(list))
                }
                None => (S::Preflight { attempt: 1 }, self.look()),
            },
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
            (S::Sending { attempt }, Input::Outcome(outcome)) => match self.into.clone() {
                None => self.judge(now, attempt, outcome),
                Some(into) => self.judge_count(now, attempt, &into, outcome),
            },
            (S::Offline { attempt, at }, Input::Tick | Input::Go) if now >= at => (S::Preflight { attempt }, self.look()),
            (S::Preflight { attempt }, Input::Read(read)) => self.preflight(now, attempt, read),
            (S::Preflight { attempt }, Input::Activities(read)) => self.preflight_count(now, attempt, read),
            (S::Unknown { attempt, since, negative, at }, Input::Tick | Input::Go) if now >= at => {
                (S::Reading { attempt, since, negative }, self.look())
            }
            (S::Reading { attempt, since, negative }, Input::Read(read)) => {
                self.reconcile(now, attempt, since, negative, read)
            }
            (S::Reading { attempt, since, negative }, Input::Activities(read)) => {
                self.reconcile_count(now, attempt, since, negative, read)
            }
            (S::Fenced { attempt, reads, at }, Input::Tick | Input::Go) if now >= at => {
                (S::ReadingFence { attempt, reads }, self.look())
            }
            (S::ReadingFence { attempt, reads }, Input::Read(read)) => self.fence(now, attempt, reads, read),
            (S::ReadingOpener { session }, Input::Opener(who)) => self.foreign(now, session, who),
            (state, Input::Resolve(resolution)) => {
                self.state = state;
                match self.may_resolve(&resolution) {
                    Ok(()) => self.resolve(now, resolution),
                    Err(_) => (std::mem::replace(&mut self.state, S::Settled), vec![]),
                }
            }
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
                | S::Preflight { .. }
                | S::Unknown { .. }
                | S::Reading { .. }
                | S::Fenced { .. }
                | S::ReadingFence { .. }
                | S::ReadingOpener { .. }
                | S::Asked
                | S::Settled),
                Input::Ahead { .. }
                | Input::Go
                | Input::Stored
                | Input::StoreFailed
                | Input::Outcome(_)
                | Input::Read(_)
                | Input::Activities(_)
                | Input::Opener(_)
                | Input::Tick,
            ) => (s, vec![]),
        };
        self.state = next;
        outputs
    }

    /// Looks where the attempt would show: at the device's sessions, or in the ledger of the session that is counted into.
    fn look(&self) -> Vec<Output> {
        vec![match &self.into {
            None => Output::ReadSessions { device: self.counted.point_of_sale_device_id.clone() },
            Some(session) => Output::ReadActivities { session: session.id.clone() },
        }]
    }

    fn is_on_its_way(&mut self) {
        self.told = Told::Nothing;
        self.in_doubt_before = self.in_doubt;
        self.in_doubt = true;
    }

    /// The attempt that was on its way is proven not to have run.
    const fn did_not_run(&mut self) {
        self.in_doubt = self.in_doubt_before;
    }

    const fn may_have_run(&mut self) {
        self.in_doubt = true;
        self.in_doubt_before = true;
    }

    /// From now on the count goes into this session, with a content of its own.
    fn record_into(&mut self, session: SessionFacts) {
        self.into = Some(session);
        self.variables = None;
        self.in_doubt = false;
        self.in_doubt_before = false;
        self.told = Told::Nothing;
        self.retry_wait = self.waits.retry_first;
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
                let mutation = if self.into.is_some() { Mutation::Count } else { Mutation::Open };
                self.is_on_its_way();
                (State::Sending { attempt }, vec![Output::Send { mutation, variables }])
            }
            s @ (State::Offline { at, .. } | State::Unknown { at, .. } | State::Fenced { at, .. }) => {
                (s, vec![Output::WakeAt(at.max(now))])
            }
            s @ State::ReadingFence { .. } => (s, self.look()),
            s @ (State::Ready
            | State::Storing { .. }
            | State::StoreAgain { .. }
            | State::Sending { .. }
            | State::Preflight { .. }
            | State::Reading { .. }
            | State::ReadingOpener { .. }
            | State::Asked
            | State::Settled) => (s, vec![]),
        }
    }

    /// Writes the intent. The content is the same for all attempts from the first that may have run.
    fn intend(&mut self, attempt: u8, variables: Value) -> (State, Vec<Output>) {
        self.variables = Some(variables.clone());
        let (into, preflight) = (self.into.clone(), self.preflight.take());
        self.store(Event::OpeningSending { attempt, variables, into, preflight }, State::SendNow { attempt })
    }

    /// It certainly did not leave, or did not run. The journal says so once for each attempt, and again when the reason is
    /// another one after the longest wait: a network that is back must not hide a token that has expired since.
    fn waits(&mut self, now: Instant, attempt: u8, why: String, wait: Wait) -> (State, Vec<Output>) {
        let long = self.retry_wait >= self.waits.retry_max;
        let at = now + self.back_off(wait);
        let known = match &self.told {
            Told::Nothing => false,
            Told::Absence => true,
            Told::Why(told) => *told == why || !long,
        };
        if known {
            return (State::Offline { attempt, at }, vec![Output::WakeAt(at)]);
        }
        self.told = Told::Why(why.clone());
        self.store(Event::OpeningNotSent { attempt, why }, State::Offline { attempt, at })
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
        self.may_have_run();
        self.store(Event::OpeningUnknown { attempt, why, already_open: false }, then)
    }

    fn absent(&mut self, now: Instant, attempt: u8, reads: u32) -> (State, Vec<Output>) {
        self.retry_wait = self.waits.retry_first;
        self.told = Told::Absence;
        self.store(Event::OpeningAbsent { attempt, reads }, State::Offline { attempt: attempt + 1, at: now })
    }

    fn ask(&mut self, kind: &str, why: String, session: Option<SessionFacts>) -> (State, Vec<Output>) {
        self.ask_with(kind, why, session, content::prompt("COUNT SAVED", "CALL THE MANAGER"))
    }

    fn ask_with(
        &mut self,
        kind: &str,
        why: String,
        session: Option<SessionFacts>,
        prompt: [String; 2],
    ) -> (State, Vec<Output>) {
        self.store(Event::OpeningNeedsAttention { kind: kind.to_owned(), why, prompt, session }, State::Asked)
    }

    fn resolve(&mut self, now: Instant, resolution: Resolution) -> (State, Vec<Output>) {
        let Resolution { by, why, decision, session } = resolution;
        let then = match (decision, &session) {
            (Decision::RecordCount, Some(session)) => {
                self.record_into(session.clone());
                State::Offline { attempt: 1, at: now }
            }
            (Decision::Link | Decision::GiveUp | Decision::RecordCount, _) => State::Settled,
        };
        self.store(Event::OpeningResolved { by, why, decision, session }, then)
    }
}

#[cfg(test)]
mod tests;

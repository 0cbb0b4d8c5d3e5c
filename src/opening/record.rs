//! What the journal says of one opening, read from its events, oldest first. Pure.
use jiff::Timestamp;
use serde::Serialize;

use crate::shift::event::{Counted, Decision, Event, OpeningId, SessionFacts, StartedBy};

/// Where an opening stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Begun, not counted.
    Started,
    /// Given up before it was counted.
    Cancelled {
        /// In words.
        why: String,
    },
    /// On disk, not yet sent.
    Counted,
    /// The intent is on disk; the request may be on its way.
    Sending,
    /// Certainly not executed; it is sent again.
    Waiting {
        /// In words.
        why: String,
    },
    /// Nobody knows; Shopify is being read.
    Unknown {
        /// In words.
        why: String,
    },
    /// Shopify has it.
    Confirmed {
        /// The session.
        session: SessionFacts,
    },
    /// Shopify refused.
    Refused {
        /// The code.
        code: String,
        /// Shopify's words.
        message: String,
        /// For the display.
        prompt: [String; 2],
    },
    /// A person must decide.
    NeedsAttention {
        /// `foreign_session` and its like.
        kind: String,
        /// What happened and what to do.
        why: String,
        /// For the display.
        prompt: [String; 2],
        /// The session in the way.
        session: Option<SessionFacts>,
    },
    /// Shopify has it as a mid-session count of a session that somebody else opened.
    Recorded {
        /// That session.
        session: SessionFacts,
    },
    /// Never sent, and too old to be a float.
    Stale {
        /// In words.
        why: String,
    },
    /// A person gave it up.
    GivenUp {
        /// Who and why.
        why: String,
        /// The session that stood in the way.
        session: Option<SessionFacts>,
    },
}

impl Standing {
    /// One word for status and API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Cancelled { .. } => "cancelled",
            Self::Counted => "counted",
            Self::Sending => "sending",
            Self::Waiting { .. } => "waiting",
            Self::Unknown { .. } => "unknown",
            Self::Confirmed { .. } => "confirmed",
            Self::Refused { .. } => "refused",
            Self::NeedsAttention { .. } => "needs_attention",
            Self::Recorded { .. } => "recorded",
            Self::Stale { .. } => "stale",
            Self::GivenUp { .. } => "given_up",
        }
    }

    /// Nothing more happens by itself.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Cancelled { .. }
            | Self::Confirmed { .. }
            | Self::Refused { .. }
            | Self::NeedsAttention { .. }
            | Self::Recorded { .. }
            | Self::Stale { .. }
            | Self::GivenUp { .. } => true,
            Self::Started | Self::Counted | Self::Sending | Self::Waiting { .. } | Self::Unknown { .. } => false,
        }
    }

    /// What happened, for people.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Cancelled { why }
            | Self::Waiting { why }
            | Self::Unknown { why }
            | Self::NeedsAttention { why, .. }
            | Self::Stale { why }
            | Self::GivenUp { why, .. } => Some(why),
            Self::Refused { message, .. } => Some(message),
            Self::Started | Self::Counted | Self::Sending | Self::Confirmed { .. } | Self::Recorded { .. } => None,
        }
    }
}

/// A slip that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slip {
    kind: String,
    said_settled: bool,
    end: Option<SlipState>,
}

/// What became of the slip that people wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlipState {
    /// None is due.
    None,
    /// It waits for the printer, or for Shopify's answer.
    Owed,
    /// Its bytes may be on their way.
    Sending,
    /// The printer proved it.
    Printed,
    /// Nothing proves it, and it is not repeated by itself.
    NotProven,
}

/// Which slip is to be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlipOwed {
    /// The one at shift start.
    First,
    /// The one that follows Shopify's late answer.
    Confirmation,
}

impl SlipOwed {
    /// As the journal writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Confirmation => "confirmation",
        }
    }
}

/// One opening, as far as the journal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id, which is its reference at Shopify.
    pub id: OpeningId,
    /// When it began.
    pub at: Timestamp,
    /// What started it.
    pub by: Option<StartedBy>,
    /// The count, once confirmed.
    pub counted: Option<Counted>,
    /// Where it stands.
    pub standing: Standing,
    /// Shopify closed its session again.
    pub shift_closed: bool,
    /// Two sessions of it were seen, whatever was decided about them since.
    pub alarmed: bool,
    slips: Vec<Slip>,
}

impl Record {
    /// Reads one opening's events, oldest first; `None` when there is none.
    #[must_use]
    pub fn read<'a>(id: &OpeningId, events: impl IntoIterator<Item = (Timestamp, &'a Event)>) -> Option<Self> {
        let mut found: Option<Self> = None;
        for (at, event) in events {
            let record = found.get_or_insert_with(|| Self {
                id: id.clone(),
                at,
                by: None,
                counted: None,
                standing: Standing::Started,
                shift_closed: false,
                alarmed: false,
                slips: vec![],
            });
            record.take(event);
        }
        found
    }

    /// What one more event changes.
    pub fn take(&mut self, event: &Event) {
        let standing = match event {
            // What the disk refused at first is written later, behind what has happened since.
            Event::OpeningStarted { by } => {
                self.by = Some(*by);
                return;
            }
            Event::OpeningCancelled { .. } if self.counted.is_some() => return,
            Event::OpeningCancelled { why } => Standing::Cancelled { why: why.clone() },
            Event::OpeningCounted(counted) => {
                self.counted = Some(counted.clone());
                Standing::Counted
            }
            Event::OpeningSending { .. } => Standing::Sending,
            Event::OpeningNotSent { why, .. } => Standing::Waiting { why: why.clone() },
            Event::OpeningUnknown { why, .. } => Standing::Unknown { why: why.clone() },
            Event::OpeningAbsent { .. } => Standing::Waiting { why: "it did not arrive and is sent again".to_owned() },
            Event::OpeningConfirmed { session, .. } => Standing::Confirmed { session: session.clone() },
            Event::OpeningRefused { code, message, prompt } => {
                Standing::Refused { code: code.clone(), message: message.clone(), prompt: prompt.clone() }
            }
            Event::OpeningNeedsAttention { kind, why, prompt, session } => Standing::NeedsAttention {
                kind: kind.clone(),
                why: why.clone(),
                prompt: prompt.clone(),
                session: session.clone(),
            },
            Event::OpeningRecorded { session, .. } => Standing::Recorded { session: session.clone() },
            Event::OpeningStale { why, .. } => Standing::Stale { why: why.clone() },
            Event::OpeningResolved { by, why, decision, session } => self.resolved(by, why, *decision, session.as_ref()),
            Event::SlipSending { kind } => {
                let said_settled = self.standing.is_settled();
                self.slips.push(Slip { kind: kind.clone(), said_settled, end: None });
                return;
            }
            Event::SlipPrinted { kind, .. } => return self.slip_ended(kind, SlipState::Printed),
            Event::SlipNotProven { kind, .. } => return self.slip_ended(kind, SlipState::NotProven),
            Event::ShiftClosed { .. } => {
                self.shift_closed = true;
                return;
            }
            Event::DaemonStarted { .. }
            | Event::DrawerOpened { .. }
            | Event::DrawerClosed { .. }
            | Event::DrawerKicked { .. }
            | Event::DrawerLeftOpen {}
            | Event::PrinterStatus { .. }
            | Event::DisplayStatus { .. }
            | Event::KeypadStatus { .. } => return,
        };
        // What is asked, or decided to go on, is about a session that is open now, or may be: one that was closed before says
        // nothing about it.
        if matches!(standing, Standing::NeedsAttention { .. } | Standing::Waiting { .. } | Standing::Confirmed { .. }) {
            self.shift_closed = false;
        }
        self.alarmed |= is_duplicate(&standing);
        self.standing = standing;
    }

    fn resolved(&self, by: &str, why: &str, decision: Decision, session: Option<&SessionFacts>) -> Standing {
        match (decision, session) {
            (Decision::Link, Some(session)) => Standing::Confirmed { session: session.clone() },
            (Decision::RecordCount, _) => {
                Standing::Waiting { why: format!("{by} wants it recorded as a mid-session count: {why}") }
            }
            (Decision::GiveUp | Decision::Link, _) => {
                Standing::GivenUp { why: format!("given up by {by}: {why}"), session: self.session().cloned() }
            }
        }
    }

    fn slip_ended(&mut self, kind: &str, end: SlipState) {
        if let Some(slip) = self.slips.iter_mut().rev().find(|s| s.end.is_none() && s.kind == kind) {
            slip.end = Some(end);
        }
    }

    /// What became of the newest slip, copies included, or what is still to come.
    #[must_use]
    pub fn slip_state(&self, second_slip: bool) -> SlipState {
        match self.slips.last() {
            Some(Slip { end: None, .. }) => SlipState::Sending,
            _ if self.slip_owed(second_slip).is_some() => SlipState::Owed,
            Some(Slip { end: Some(end), .. }) => *end,
            None => SlipState::None,
        }
    }

    /// A person must do something about it: it is said until somebody did.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self.standing, Standing::NeedsAttention { .. }) && (!self.shift_closed || self.is_duplicate())
    }

    /// A person must look at two sessions of it.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        is_duplicate(&self.standing)
    }

    /// The shift counts as open: counted, and not refused or closed. Where Shopify says that a session is open which is not
    /// ours, or which it does not show, the shop sells: the drawer must not ask for a float at each sale. A session that only
    /// may be ours and is closed keeps nobody from counting again.
    #[must_use]
    pub fn holds_the_shift_open(&self) -> bool {
        let open = match &self.standing {
            Standing::Counted
            | Standing::Sending
            | Standing::Waiting { .. }
            | Standing::Unknown { .. }
            | Standing::Confirmed { .. }
            | Standing::Recorded { .. } => true,
            Standing::NeedsAttention { kind, session, .. } => match session {
                Some(session) => session.status == "OPEN",
                None => kind == "hidden_session",
            },
            Standing::GivenUp { session, .. } => session.as_ref().is_some_and(|session| session.status == "OPEN"),
            Standing::Started | Standing::Cancelled { .. } | Standing::Refused { .. } | Standing::Stale { .. } => false,
        };
        open && !self.shift_closed
    }

    /// The session that is open while the shift is.
    #[must_use]
    pub fn session(&self) -> Option<&SessionFacts> {
        match &self.standing {
            Standing::Confirmed { session } | Standing::Recorded { session } => Some(session),
            Standing::NeedsAttention { session, .. } | Standing::GivenUp { session, .. } => session.as_ref(),
            Standing::Stale { .. }
            | Standing::Started
            | Standing::Cancelled { .. }
            | Standing::Counted
            | Standing::Sending
            | Standing::Waiting { .. }
            | Standing::Unknown { .. }
            | Standing::Refused { .. } => None,
        }
    }

    /// A slip that has to be printed, by what was printed so far.
    #[must_use]
    pub fn slip_owed(&self, second_slip: bool) -> Option<SlipOwed> {
        self.counted.as_ref()?;
        let told: Vec<&Slip> = self.slips.iter().filter(|s| s.kind != "copy").collect();
        if told.is_empty() {
            return Some(SlipOwed::First);
        }
        let settled_since = self.standing.is_settled() && told.iter().all(|s| !s.said_settled);
        (second_slip && settled_since).then_some(SlipOwed::Confirmation)
    }

    /// The kinds of slips whose sending began and whose end is not in the journal.
    pub fn slips_interrupted(&self) -> impl Iterator<Item = &str> {
        self.slips.iter().filter(|s| s.end.is_none()).map(|s| s.kind.as_str())
    }
}

fn is_duplicate(standing: &Standing) -> bool {
    matches!(standing, Standing::NeedsAttention { kind, .. } if kind == "duplicate")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shift::event::sample::{self, confirmed};

    fn counted() -> Event {
        Event::OpeningCounted(sample::counted())
    }

    fn record(events: &[Event]) -> Record {
        let at = Timestamp::UNIX_EPOCH;
        Record::read(&OpeningId::from_bits(1), events.iter().map(|e| (at, e))).expect("events")
    }

    fn slip(kind: &str) -> Event {
        Event::SlipSending { kind: kind.into() }
    }

    #[test]
    fn one_slip_is_owed_for_a_count_and_a_second_only_when_the_first_could_not_say_the_end() {
        let start = Event::OpeningStarted { by: StartedBy::Drawer };
        assert_eq!(record(&[start]).slip_owed(true), None);
        assert_eq!(record(&[counted()]).slip_owed(true), Some(SlipOwed::First));
        assert_eq!(record(&[counted(), slip("first")]).slip_owed(true), None);
        assert_eq!(record(&[counted(), confirmed(), slip("first")]).slip_owed(true), None);
        let late = [counted(), slip("first"), confirmed()];
        assert_eq!(record(&late).slip_owed(true), Some(SlipOwed::Confirmation));
        assert_eq!(record(&late).slip_owed(false), None, "switched off");
        let told = [counted(), slip("first"), confirmed(), slip("confirmation")];
        assert_eq!(record(&told).slip_owed(true), None);
        let copied = [counted(), slip("first"), slip("copy"), confirmed(), slip("copy")];
        assert_eq!(record(&copied).slip_owed(true), Some(SlipOwed::Confirmation), "a copy is not the second slip");
    }

    #[test]
    fn a_session_that_was_closed_says_nothing_about_what_is_asked_or_decided_later() {
        let closed = || Event::ShiftClosed { session_id: "1".into() };
        let asked = |kind: &str, status| Event::OpeningNeedsAttention {
            kind: kind.into(),
            why: "x".into(),
            prompt: Default::default(),
            session: Some(sample::session(2, status)),
        };
        let decided = |decision| Event::OpeningResolved {
            by: "Kim".into(),
            why: "x".into(),
            decision,
            session: Some(sample::session(2, "OPEN")),
        };
        let over = [counted(), asked("foreign_session", "OPEN"), closed()];
        let then = |more: &[Event]| record(&[&over[..], more].concat());
        assert!(!then(&[]).needs_a_person() && !then(&[]).holds_the_shift_open());
        assert!(then(&[decided(Decision::RecordCount)]).holds_the_shift_open());
        let recorded = Event::OpeningRecorded { how: "answered".into(), session: sample::session(2, "OPEN") };
        assert!(then(&[decided(Decision::RecordCount), recorded]).holds_the_shift_open());
        assert!(then(&[decided(Decision::RecordCount), asked("count_refused", "OPEN")]).needs_a_person());
        assert!(!then(&[decided(Decision::GiveUp)]).holds_the_shift_open());
        // The alarm about two sessions comes whenever it comes, and stays until a person has said something.
        let alarm = [counted(), confirmed(), closed(), asked("duplicate", "CLOSED")];
        assert!(record(&alarm).needs_a_person());
        assert!(record(&[&alarm[..], &[closed()]].concat()).needs_a_person());
        let linked = record(&[&alarm[..], &[decided(Decision::Link)]].concat());
        assert!(!linked.needs_a_person() && linked.alarmed, "it is not told again");
    }

    #[test]
    fn what_was_given_up_before_it_was_counted_says_why_and_a_count_is_not_given_up_so() {
        let start = || Event::OpeningStarted { by: StartedBy::Drawer };
        let cancelled = || Event::OpeningCancelled { why: "no key".into() };
        let record_of = record(&[start(), cancelled()]);
        assert_eq!((record_of.standing.name(), record_of.standing.why()), ("cancelled", Some("no key")));
        assert_eq!(record(&[start(), counted(), cancelled()]).standing, Standing::Counted);
        assert_eq!(record(&[counted(), confirmed()]).standing.why(), None);
        let refused = Event::OpeningRefused { code: "X".into(), message: "no drawer".into(), prompt: Default::default() };
        assert_eq!(record(&[counted(), refused]).standing.why(), Some("no drawer"));
    }

    #[test]
    fn what_was_given_up_holds_the_shift_open_as_long_as_a_session_stands_in_its_way() {
        let given_up = |status| {
            let session = Some(sample::session(2, status));
            let (kind, why, prompt) = ("foreign_session".into(), "x".into(), Default::default());
            let asked = Event::OpeningNeedsAttention { kind, why, prompt, session };
            let (by, why, decision) = ("Kim".into(), "x".into(), Decision::GiveUp);
            record(&[counted(), asked, Event::OpeningResolved { by, why, decision, session: None }])
        };
        let open = given_up("OPEN");
        assert!(open.holds_the_shift_open());
        assert_eq!(open.session(), Some(&sample::session(2, "OPEN")));
        assert!(!given_up("CLOSED").holds_the_shift_open());
        assert_eq!(record(&[counted(), confirmed()]).session(), Some(&sample::session(1, "OPEN")));
        assert_eq!(record(&[counted()]).session(), None);
    }

    #[test]
    fn slips_are_named_as_the_journal_writes_them() {
        assert_eq!((SlipOwed::First.name(), SlipOwed::Confirmation.name()), ("first", "confirmation"));
    }

    #[test]
    fn a_slip_without_an_end_was_interrupted() {
        let interrupted = |events: &[Event]| record(events).slips_interrupted().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(interrupted(&[counted(), slip("first")]), ["first"]);
        let over = || Event::SlipNotProven { kind: "first".into(), why: "x".into() };
        assert!(interrupted(&[counted(), slip("first"), over()]).is_empty());
        assert_eq!(interrupted(&[counted(), slip("first"), slip("copy"), over()]), ["copy"], "each by its own kind");
    }

    #[test]
    fn what_is_written_late_changes_nothing_that_has_happened_since() {
        let started = || Event::OpeningStarted { by: StartedBy::Drawer };
        let late = record(&[counted(), confirmed(), started()]);
        assert_eq!((late.standing.name(), late.by), ("confirmed", Some(StartedBy::Drawer)));
        let cancelled = Event::OpeningCancelled { why: "x".into() };
        assert_eq!(record(&[started(), counted(), cancelled]).standing.name(), "counted");
    }

    #[test]
    fn the_newest_slip_is_told() {
        let not_proven = || Event::SlipNotProven { kind: "first".into(), why: "x".into() };
        let state = |events: &[Event]| record(events).slip_state(true);
        assert_eq!(state(&[Event::OpeningStarted { by: StartedBy::Drawer }]), SlipState::None);
        assert_eq!(state(&[counted()]), SlipState::Owed);
        assert_eq!(state(&[counted(), slip("first")]), SlipState::Sending);
        assert_eq!(state(&[counted(), confirmed(), slip("first"), not_proven()]), SlipState::NotProven);
        assert_eq!(state(&[counted(), slip("first"), not_proven(), confirmed()]), SlipState::Owed, "the second one");
        let copy = Event::SlipPrinted { kind: "copy".into(), proof: "GS r".into() };
        assert_eq!(state(&[counted(), confirmed(), slip("first"), not_proven(), slip("copy"), copy]), SlipState::Printed);
    }

    #[test]
    fn a_session_in_the_way_holds_the_shift_only_while_it_may_be_open() {
        let asked = |kind: &str, status: Option<&str>| {
            let session = status.map(|status| sample::session(9, status));
            let event =
                Event::OpeningNeedsAttention { kind: kind.into(), why: "x".into(), prompt: Default::default(), session };
            record(&[counted(), event]).holds_the_shift_open()
        };
        assert!(asked("foreign_session", Some("OPEN")) && asked("hidden_session", None) && asked("ambiguous", Some("OPEN")));
        assert!(!asked("ambiguous", Some("CLOSED")) && !asked("ambiguous", None) && !asked("attempts_used_up", None));
    }

    #[test]
    fn the_shift_is_open_from_the_count_until_shopify_closed_it_or_refused() {
        assert!(record(&[counted()]).holds_the_shift_open());
        assert!(record(&[counted(), confirmed()]).holds_the_shift_open());
        let closed = Event::ShiftClosed { session_id: "x".into() };
        assert!(!record(&[counted(), confirmed(), closed]).holds_the_shift_open());
        let refused = Event::OpeningRefused { code: "X".into(), message: "no".into(), prompt: Default::default() };
        assert!(!record(&[counted(), refused]).holds_the_shift_open());
    }
}

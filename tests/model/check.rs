//! What must hold in every world, at every row and at every read.
use drawerbridge::shift::event::Event;

use crate::{
    mind::opening_id,
    play::Play,
    shop::{self, Seen},
    world::{Waits, World},
};

pub const ONE_SESSION: &str = "one session at most for one count";
pub const ONE_LINE: &str = "one line at most in the ledgers for one count";
pub const ONE_OF_BOTH: &str = "a count opens a session or goes into one, never both";
pub const ONE_OPEN: &str = "delivered twice or copied: one open session at most for one count";
pub const CONFIRMED: &str = "a confirmed opening has a session with its reference and its money at Shopify";
pub const RECORDED: &str = "a recorded opening has its line in that session's ledger";
pub const ABSENT: &str = "what is called absent is not at Shopify and not on its way there";
pub const NOTHING: &str = "refused, stale and used up: nothing of the count is at Shopify or on its way there";
pub const NOT_SILENT: &str = "a read that shows two sessions with the reference never confirms";
pub const IN_DOUBT: &str = "one unresolved attempt at most for each count: a new one goes out only when none is on its way";
pub const SETTLES: &str = "without more faults every story ends: settled, or a person is asked";
pub const SAID: &str = "a story never ends with two sessions and a confirmation that nobody doubts";

impl Play<'_> {
    pub fn check(&mut self, w: &World) {
        for which in 0..self.setup.openings() {
            let (mut opened, mut open, mut counted) = (0, 0, 0);
            for session in w.tills.iter().flat_map(|till| till.sessions.as_slice()) {
                if self.minds.is_of(which, session.by) {
                    opened += 1;
                    open += usize::from(session.open);
                }
                counted += session.lines.iter().filter(|line| self.minds.is_of(which, **line)).count();
            }
            if self.once(w) {
                self.holds(ONE_SESSION, opened > 0, opened <= 1, || format!("{opened} sessions"));
                self.holds(ONE_LINE, counted > 0, counted <= 1, || format!("{counted} lines"));
                self.holds(ONE_OF_BOTH, opened + counted > 0, opened + counted <= 1, || {
                    format!("{opened} sessions and {counted} lines")
                });
            } else {
                self.holds(ONE_OPEN, opened > 1, open <= 1, || format!("{open} open sessions"));
            }
        }
    }

    /// Whatever is there twice, a daemon did it.
    fn once(&self, w: &World) -> bool {
        self.setup.once() && !w.doubled
    }

    fn holds(&mut self, property: &'static str, applies: bool, holds: bool, detail: impl FnOnce() -> String) {
        if applies {
            self.minds.tested(property);
        }
        if !holds {
            self.minds.complain(property, detail());
        }
    }

    /// Sessions or lines of this opening at Shopify, and its requests on their way.
    fn traces(&self, w: &World, which: u8) -> usize {
        let sessions = w.tills.iter().flat_map(|till| till.sessions.as_slice());
        let marks = sessions.flat_map(|s| s.lines.iter().chain([&s.by]));
        marks.chain(w.flights.iter().map(|f| &f.order)).filter(|mark| self.minds.is_of(which, **mark)).count()
    }

    /// A row has just come onto the disk: it must be true.
    pub fn check_event(&mut self, w: &World, d: u8, event: u16) {
        let which = self.setup.opening(d);
        let event = self.minds.event_of(event).clone();
        self.minds.reached.ends.insert(match &event {
            Event::OpeningNeedsAttention { kind, .. } => format!("asked: {kind}"),
            Event::OpeningConfirmed { how, .. } => format!("confirmed: {how}"),
            Event::OpeningRecorded { how, .. } => format!("recorded: {how}"),
            Event::OpeningResolved { decision, .. } => format!("a person: {decision:?}"),
            other => other.name().to_owned(),
        });
        let session_at_shopify = |id: &str| {
            let (device, at) = shop::session_of(id);
            let session = *w.tills.get(usize::from(device))?.sessions.as_slice().get(usize::from(at))?;
            Some((device, at, session))
        };
        match &event {
            Event::OpeningConfirmed { session, .. } => {
                let reference = format!("[db:{}]", opening_id(which));
                let is = session_at_shopify(&session.id).is_some_and(|(device, at, there)| {
                    let there = shop::facts(device, at, &there, &self.minds.orders);
                    there.counted == session.counted
                        && session.counted.amount == "150.0"
                        && there.opening_note.is_some_and(|note| note.ends_with(&reference))
                });
                self.holds(CONFIRMED, true, is, || format!("{session:?}"));
            }
            Event::OpeningRecorded { session, .. } => {
                let is = session_at_shopify(&session.id)
                    .is_some_and(|(_, _, there)| there.lines.iter().any(|line| self.minds.is_of(which, *line)));
                self.holds(RECORDED, true, is, || format!("{session:?}"));
            }
            Event::OpeningAbsent { .. } if self.once(w) => {
                let traces = self.traces(w, which);
                self.holds(ABSENT, true, traces == 0, || format!("{traces} of it"));
            }
            Event::OpeningSending { .. } if self.once(w) => {
                let traces = w.flights.iter().filter(|f| self.minds.is_of(which, f.order)).count();
                self.holds(IN_DOUBT, true, traces == 0, || format!("{traces} on their way"));
            }
            Event::OpeningRefused { .. } | Event::OpeningStale { .. } if self.once(w) => self.nothing(w, which, &event),
            Event::OpeningNeedsAttention { kind, .. } if self.once(w) && kind == "attempts_used_up" => {
                self.nothing(w, which, &event);
            }
            _ => {}
        }
    }

    fn nothing(&mut self, w: &World, which: u8, event: &Event) {
        let traces = self.traces(w, which);
        self.holds(NOTHING, true, traces == 0, || format!("{}: {traces} of it", event.name()));
    }

    /// A read was just heard.
    pub fn check_read(&mut self, w: &World, d: u8, seen: &Seen) {
        if self.minds.with_reference(self.setup.opening(d), &seen.sessions) < 2 {
            return;
        }
        let confirms = match w.daemons[usize::from(d)].waits {
            Waits::Disk(event) => matches!(self.minds.event_of(event), Event::OpeningConfirmed { .. }),
            _ => false,
        };
        self.holds(NOT_SILENT, true, !confirms, || "it confirms".to_owned());
    }

    /// Nothing more happens by itself.
    pub fn check_end(&mut self, w: &World) {
        let rest = (0..self.setup.daemons()).all(|d| w.daemons[usize::from(d)].waits == Waits::Rests);
        self.holds(SETTLES, true, rest, || "at rest, and not settled".to_owned());
        for d in 0..self.setup.daemons() {
            let (which, daemon) = (self.setup.opening(d), w.daemons[usize::from(d)]);
            let sessions = w.tills[usize::from(self.setup.device(which))].sessions;
            let two = self.minds.with_reference(which, &sessions) > 1;
            let silent = matches!(self.minds.last(daemon.journal), Event::OpeningConfirmed { .. });
            self.holds(SAID, two, !(two && silent), || format!("daemon {d}"));
        }
    }
}

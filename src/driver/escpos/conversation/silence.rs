//! Silence: when it begins, what it takes with it, and what a line may still keep for a printer that does not answer.
//!
//! ## Why bytes are thrown away
//! Behind flow control or a network, what is sent to a printer that is off is kept and delivered when it is switched on: a kick
//! from the evening would open the drawer in the morning.
use std::time::Instant;

use super::{Conversation, Kind, Output, Phase, SILENT_AFTER, Sending, say};
use crate::driver::escpos::{health::Health, requests::Requests};

impl Conversation {
    /// When the printer counts as silent, if nothing valid comes before. A slip under way is given the time of its proof:
    /// printers that print may answer late.
    pub(super) fn silent_at(&self) -> Option<Instant> {
        let after = if self.jobs.begun() { SILENT_AFTER.max(self.timing.print_proof) } else { SILENT_AFTER };
        match self.phase {
            // What is excused is that it does not answer; what it said of the drawer grows old all the same.
            Phase::Starting | Phase::Up if self.excused() && self.level.is_none() => None,
            Phase::Starting | Phase::Up => self.unanswered_since.map(|since| since + after),
            Phase::Silent { .. } | Phase::Unopened | Phase::Down { .. } => None,
        }
    }

    pub(super) fn fall_silent(&mut self, now: Instant, out: &mut Vec<Output>) {
        let why = self.silence();
        if self.excused() {
            return self.lose_level(&why, out);
        }
        // A connection is dropped only for what could do harm later: opening it anew would be in vain, and again and again.
        let harm = self.serial || self.jobs.begun() || self.unheard_pulse.is_some();
        self.break_off(&why, out);
        if self.keeps_bytes && harm {
            self.discard(&why, out);
        }
        self.requests = Requests::new(now);
        self.requests.stray(now);
        // Nothing has answered since the port was opened: whether it was cleaned up is not known.
        self.torn |= self.phase == Phase::Starting;
        self.phase = Phase::Silent { why };
        self.poll_at = now + self.poll_every();
    }

    /// A request was not answered in time. `GS a` is the other question that some models know.
    pub(super) fn unanswered(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Starting | Phase::Up if self.excused() => {}
            Phase::Starting | Phase::Up => {
                self.want(now, 1);
                self.refresh(now);
            }
            Phase::Silent { .. } => {
                // A second without an answer is one without noise, too.
                if self.noisy {
                    self.noisy = false;
                    self.phase = Phase::Silent { why: self.silence() };
                }
                // The questions must not pile up, to be answered all at once when it is switched on.
                if self.serial && self.keeps_bytes {
                    let why = self.silence();
                    self.discard(&why, out);
                }
            }
            Phase::Unopened | Phase::Down { .. } => {}
        }
    }

    /// A printer that is offline behind TCP or flow control may not be able to answer; it said why before.
    pub(super) fn excused(&self) -> bool {
        self.keeps_bytes && self.health.online == Some(false)
    }

    /// A wire that never brought a byte may well have no way back: then nothing is asked of it, and nothing waits for it.
    pub(super) fn mute(&self) -> bool {
        !self.keeps_bytes && !self.ever_answered && !self.noisy
    }

    pub(super) fn silence(&self) -> String {
        let port = &self.port;
        if self.noisy {
            format!(
                "{port} is open, but what comes back makes no sense: set the printer's own baud rate in the configuration"
            )
        } else if self.keeps_bytes {
            format!(
                "{port} is open, but the printer does not answer: another program may be using it, or it is switched off"
            )
        } else {
            format!("{port} is open, but the printer does not answer: check that it is on, then the cable and the baud rate")
        }
    }

    /// What was known is not known any more; a slip under way is over.
    pub(super) fn break_off(&mut self, why: &str, out: &mut Vec<Output>) {
        self.torn |= self.jobs.begun();
        if let Sending::Held { kind: Kind::Piece, bytes, .. } = &mut self.sending {
            bytes.clear();
        }
        self.health = Health::default();
        self.unanswered_since = None;
        self.lose_level(why, out);
        say(out, |events| self.jobs.broke(why, events));
    }

    pub(super) fn lose_level(&mut self, why: &str, out: &mut Vec<Output>) {
        self.level = None;
        self.candidate = None;
        out.push(Output::LevelLost(why.to_owned()));
    }

    /// The printer does not answer, and the line may keep bytes for it.
    pub(super) fn discard(&mut self, why: &str, out: &mut Vec<Output>) {
        self.drop_unsent(why, out);
        self.unheard_pulse = None;
        out.push(Output::Discard);
    }

    /// What was handed over and has not left never will.
    pub(super) fn drop_unsent(&mut self, why: &str, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.sending, Sending::Idle) {
            Sending::Unit { kind: Kind::Pulse, partly: true, .. } => {
                out.push(Output::PulseLeft { behind_slip: self.jobs.begun() });
            }
            Sending::Unit { kind: Kind::Pulse, .. } | Sending::Held { kind: Kind::Pulse, .. } => {
                out.push(Output::PulseFailed(why.to_owned()));
            }
            // One that had begun is over; the others wait, whole.
            Sending::Unit { kind: Kind::Piece, .. } | Sending::Held { kind: Kind::Piece, .. } => {
                self.torn |= self.jobs.begun();
                say(out, |events| self.jobs.broke(why, events));
            }
            Sending::Unit { .. } | Sending::Held { .. } | Sending::Idle => {}
        }
    }
}

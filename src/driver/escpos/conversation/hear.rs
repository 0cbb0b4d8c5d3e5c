//! The incoming half: what is believed, and what is asked again.
use std::time::Instant;

use super::{ASK_AGAIN_AFTER, Auto, Conversation, DOUBT, Output, Phase, say};
use crate::driver::escpos::status::{AutoStatus, Heard};

/// How a level came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// A plain block on a clean line.
    Sure,
    /// Anything else: it counts when it is said twice.
    SayAgain,
}

impl Conversation {
    /// What one read brought. Noise in it casts doubt on all of it, also on what came before the noise.
    pub(super) fn hear_all(&mut self, now: Instant, heard: Vec<Heard>, out: &mut Vec<Output>) {
        if heard.contains(&Heard::Noise) {
            self.doubt(now);
        }
        if heard.iter().filter(|heard| matches!(heard, Heard::RealTime(_))).count() > 1 {
            // One question is asked at a time: these are answers to earlier ones, which something held back.
            self.requests.noise(now);
        }
        for heard in heard {
            self.hear(now, heard, out);
        }
    }

    pub(super) fn hear(&mut self, now: Instant, heard: Heard, out: &mut Vec<Output>) {
        match heard {
            Heard::Noise => self.doubt(now),
            Heard::Auto(status) => self.auto(now, status, out),
            Heard::RealTime(byte) => self.real_time(now, byte, out),
            Heard::Xon if self.in_doubt(now) => {}
            Heard::Xon => self.restarted(now),
            Heard::Short(_) if self.in_doubt(now) => self.jobs.doubt(now + DOUBT),
            // GS r 1 answers with bits 0 to 3; more than those is the answer to something else.
            Heard::Short(byte) if byte & 0x60 != 0 => {}
            Heard::Short(byte) => {
                if self.jobs.owed_an_answer() {
                    self.alive(now);
                }
                // Bits 2 and 3 of the answer to GS r 1: paper end.
                let cause = if byte & 0x0C == 0 { self.health.cause() } else { Some("paper is out") };
                say(out, |events| self.jobs.short_answer(now, cause, events));
            }
            Heard::Text { header: 0x5F, text } => {
                if !self.in_doubt(now) {
                    self.alive(now);
                }
                self.identity.answer(&text);
            }
            // That noise says the very number that was asked for is no more likely than a printer that makes it up.
            Heard::Text { header: 0x37, text } => {
                if let Some((b'"', id)) = text.split_first() {
                    if !self.in_doubt(now) {
                        self.alive(now);
                    }
                    say(out, |events| self.jobs.id_answer(id, events));
                }
            }
            Heard::Text { .. } => {}
        }
    }

    /// Something valid came. The first sign of life after silence is like a port that was just opened.
    fn alive(&mut self, now: Instant) {
        self.requests.alive();
        self.ever_answered = true;
        self.unanswered_since = None;
        self.unheard_pulse = None;
        self.noisy = false;
        match self.phase {
            Phase::Starting => self.phase = Phase::Up,
            Phase::Silent { .. } => {
                self.phase = Phase::Up;
                self.begin(now);
            }
            Phase::Up | Phase::Unopened | Phase::Down { .. } => {}
        }
    }

    fn doubt(&mut self, now: Instant) {
        self.noisy = true;
        self.doubt_until = Some(now + DOUBT);
        self.candidate = None;
        self.requests.noise(now);
        self.jobs.doubt(now + DOUBT);
        self.want(now, 1);
    }

    /// It may have been off and on again behind an adapter that stayed: what it is set to is not known, and neither is how the
    /// drawer came to be what it is.
    fn restarted(&mut self, now: Instant) {
        if self.jobs.begun() {
            // Most likely the paper was changed amid the slip, which goes on.
            return self.refresh(now);
        }
        self.rebase = true;
        self.level = None;
        self.candidate = None;
        self.settings = Some(self.clean_line());
        for n in 1..=4 {
            self.want(now, n);
        }
    }

    fn in_doubt(&mut self, now: Instant) -> bool {
        self.doubt_until = self.doubt_until.filter(|until| now < *until);
        self.doubt_until.is_some()
    }

    fn auto(&mut self, now: Instant, status: AutoStatus, out: &mut Vec<Output>) {
        let in_doubt = self.in_doubt(now);
        if in_doubt || !status.plain() {
            for n in 1..=4 {
                self.want(now, n);
            }
        }
        if in_doubt {
            return;
        }
        let came_back = self.phase == Phase::Up && self.health.online == Some(false) && !status.offline();
        self.alive(now);
        let level = self.level;
        if came_back {
            self.restarted(now);
        }
        self.health.auto(status);
        let trust = if status.plain() { Trust::Sure } else { Trust::SayAgain };
        let high = status.sense_high();
        let unasked_change = level.is_some_and(|level| level != high);
        self.believe(now, high, trust, out);
        match self.auto {
            Auto::Unproven if self.auto_status => self.prove_auto(now),
            Auto::Missed { .. } if unasked_change && trust == Trust::Sure => self.prove_auto(now),
            Auto::Missed { .. } => self.auto = Auto::Missed { told: Some(high) },
            Auto::Unproven | Auto::Proven => {}
        }
    }

    fn prove_auto(&mut self, now: Instant) {
        self.auto = Auto::Proven;
        self.poll_at = now + self.timing.poll;
    }

    fn real_time(&mut self, now: Instant, byte: u8, out: &mut Vec<Output>) {
        let Some(n) = self.requests.answered() else {
            // Nobody asked: a late answer, or noise. While a slip keeps the printer busy, late is good enough a sign of life.
            self.requests.stray(now);
            if self.jobs.begun() && !self.in_doubt(now) {
                self.alive(now);
            }
            return;
        };
        let was_silent = matches!(self.phase, Phase::Silent { .. });
        self.alive(now);
        if was_silent {
            // Everything is asked anew, this too.
            return;
        }
        let online = self.health.online;
        self.health.real_time(n, byte);
        if n != 1 {
            return;
        }
        if self.health.online != online && online.is_some() {
            for n in 2..=4 {
                self.want(now, n);
            }
        }
        self.believe(now, byte & 0x04 != 0, Trust::SayAgain, out);
    }

    fn believe(&mut self, now: Instant, high: bool, trust: Trust, out: &mut Vec<Output>) {
        if self.level != Some(high) {
            if trust == Trust::SayAgain && self.candidate != Some(high) {
                self.candidate = Some(high);
                self.unanswered_since.get_or_insert(now);
                self.requests.want_next(1, now + ASK_AGAIN_AFTER);
                return;
            }
            if trust == Trust::SayAgain && self.level.is_some() && self.auto == Auto::Proven {
                // Automatic status should have said it before.
                self.auto = Auto::Missed { told: None };
                self.auto_misses = self.auto_misses.saturating_add(1);
                self.refresh(now);
                self.poll_at = self.poll_at.min(now + super::POLL_UNPROVEN);
            }
            self.level = Some(high);
        } else if trust == Trust::SayAgain && self.auto == (Auto::Missed { told: Some(high) }) && self.auto_misses == 1 {
            // Once may be a block lost on the wire. A model that tells only once will miss again, and then it is polled.
            self.prove_auto(now);
        }
        self.candidate = None;
        out.push(Output::Level { high, baseline: std::mem::take(&mut self.rebase) });
    }
}

//! The drawer behind a printer: what its sense line says, who opened it, and what came of a kick.
//!
//! Pure: the line's level, kicks and the time come in; events, answers and the wish for a pulse go out. How the level is read
//! and how a pulse is sent is `escpos`'s.
//!
//! ## Why the first edge is believed at once
//! A contact bounces for some ms, so usual debouncing waits before it says anything. But a bounce follows an edge, it does
//! not come out of nothing: the first one is reported at once, what follows for 150 ms is ignored, then the settled level
//! is adopted. A drawer that is slammed and springs open again is seen as that.
//!
//! ## When "jammed" is said
//! A line that stays "closed" is what a jammed drawer shows, and a drawer without a contact, and nothing plugged in at all.
//! So a jam is claimed only of a line that has moved since the daemon started, for a pulse that nothing stood in front of,
//! and by a level read after it. Otherwise the kick is not proven, which is the truth.
use std::time::{Duration, Instant};

use crate::{
    config::{self, Sense, Timing},
    device::{DrawerEvent, DrawerState, KickOutcome, KickRefused, OpenedBy, profile::PrinterProfile},
};

/// Contacts settle within 100 to 200 ms (fact sheet, quirk 24).
pub const SETTLE: Duration = Duration::from_millis(150);
/// The coil may be energised a fifth of the time (Epson TM-T81, appendix F): four times ON must follow each ON.
const REST_PER_ON: u32 = 4;
/// A level read earlier does not show that a drawer stays closed (fact sheet, quirk 3).
const JUDGE_AFTER: Duration = Duration::from_millis(300);
/// A pulse behind bytes of a slip comes when those are worked off: so long, an opening is still put down to it.
const LATE_BEHIND_SLIP: Duration = Duration::from_secs(5);
const NO_SENSOR: &str = "no sensor is configured";
const NOT_YET_READ: &str = "the drawer's line has not been read yet";

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The level of pin 3 as just reported.
    Level {
        /// HIGH.
        high: bool,
    },
    /// The level as just reported, of which it is not known what came before: no edge, whatever it was.
    Baseline {
        /// HIGH.
        high: bool,
    },
    /// The level is not known any more, and why. The next one is a baseline.
    Lost {
        /// In words.
        why: String,
    },
    /// Somebody wants the drawer open.
    Kick,
    /// The bytes of the pulse asked for have left.
    PulseLeft {
        /// Bytes of a slip may stand before it in the printer's buffer.
        behind_slip: bool,
    },
    /// The pulse asked for could not be sent.
    PulseFailed {
        /// In words.
        why: String,
    },
    /// Time passed.
    Tick,
}

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Something happened.
    Event(DrawerEvent),
    /// Send the kick's bytes; answer with [`Input::PulseLeft`] or [`Input::PulseFailed`].
    ///
    /// The pulse must have left, or failed, before the kick's answer is due.
    Pulse,
    /// The answer to the kick that is being answered.
    Answer(Result<KickOutcome, KickRefused>),
    /// The answer to a kick that came beside another one.
    Refuse(KickRefused),
}

/// One drawer. It starts [`DrawerState::Unknown`], which is not closed.
#[derive(Debug)]
pub struct Drawer {
    sense: Sense,
    left_open_after: Duration,
    on: Duration,
    rest: Duration,
    answer_within: Duration,
    state: State,
    kick: Option<Kick>,
    cool_at: Option<Instant>,
    /// A pulse that was answered as not proven may still open it until then.
    late_until: Option<Instant>,
    /// The line was seen to be open, so something hangs on it.
    line_works: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Unknown { why: String },
    Closed { jammed: bool, settling: Option<Settling> },
    Open { since: Instant, said_left_open: bool, settling: Option<Settling> },
}

/// Just after an edge: the level may bounce until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settling {
    until: Instant,
    open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kick {
    /// The pulse is on its way to the wire; the answer is due all the same.
    Asked { due: Instant },
    /// The pulse left.
    Left { due: Instant, judge_from: Instant, ours_until: Instant, sampled: bool, provable: bool },
}

impl Drawer {
    /// A drawer as configured, behind a printer with that pulse.
    #[must_use]
    pub fn new(drawer: &config::Drawer, profile: &PrinterProfile, timing: &Timing) -> Self {
        let on = profile.pulse_unit * u32::from(profile.pulse_on);
        let off = profile.pulse_unit * u32::from(profile.pulse_off);
        let why = if drawer.sense == Sense::NoSensor { NO_SENSOR } else { NOT_YET_READ };
        Self {
            sense: drawer.sense,
            left_open_after: drawer.left_open_after,
            on,
            rest: off.max(on * REST_PER_ON),
            answer_within: timing.kick_answer,
            state: State::Unknown { why: why.to_owned() },
            kick: None,
            cool_at: None,
            late_until: None,
            line_works: false,
        }
    }
    /// The only way in.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.pass_time(now, &mut out);
        match input {
            Input::Level { high } => {
                if let Some(open) = self.means_open(high) {
                    self.level(now, open, &mut out);
                }
            }
            Input::Baseline { high } => {
                if let Some(open) = self.means_open(high) {
                    self.baseline(now, open, &mut out);
                }
            }
            Input::Lost { why } => self.lost(why, &mut out),
            Input::Kick => self.kick(now, &mut out),
            Input::PulseLeft { behind_slip } => {
                if let Some(Kick::Asked { due }) = self.kick {
                    self.cool_at = Some(now + self.on + self.rest);
                    let due = if self.sense == Sense::NoSensor { due.min(now + self.on) } else { due };
                    let judge_from = now + JUDGE_AFTER.min(self.answer_within / 2);
                    let ours = if behind_slip { LATE_BEHIND_SLIP } else { self.answer_within };
                    self.kick =
                        Some(Kick::Left { due, judge_from, ours_until: now + ours, sampled: false, provable: !behind_slip });
                }
            }
            Input::PulseFailed { why } => {
                if matches!(self.kick, Some(Kick::Asked { .. })) {
                    self.kick = None;
                    out.push(Output::Answer(Err(KickRefused::Unreachable(why))));
                }
            }
            Input::Tick => {}
        }
        out
    }
    /// When [`Input::Tick`] is due, if at all.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        let settled = match &self.state {
            State::Closed { settling, .. } | State::Open { settling, .. } => settling.map(|s| s.until),
            State::Unknown { .. } => None,
        };
        let left = match &self.state {
            State::Open { since, said_left_open: false, .. } => Some(*since + self.left_open_after),
            State::Open { .. } | State::Closed { .. } | State::Unknown { .. } => None,
        };
        [settled, left, self.answer_due()].into_iter().flatten().min()
    }
    /// When the kick under way is answered at the latest: until then the line is worth a closer look.
    #[must_use]
    pub fn answer_due(&self) -> Option<Instant> {
        match self.kick {
            Some(Kick::Left { due, .. }) => Some(due),
            Some(Kick::Asked { .. }) | None => None,
        }
    }
    /// What is known.
    #[must_use]
    pub fn state(&self) -> DrawerState {
        match &self.state {
            State::Unknown { why } => DrawerState::Unknown { why: why.clone() },
            State::Closed { jammed: true, .. } => DrawerState::Jammed,
            State::Closed { jammed: false, .. } => DrawerState::Closed,
            State::Open { said_left_open: true, .. } => DrawerState::LeftOpen,
            State::Open { said_left_open: false, .. } => DrawerState::Open,
        }
    }

    fn kick(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.kick.is_some() {
            out.push(Output::Refuse(KickRefused::Busy));
        } else if matches!(self.state, State::Open { .. }) {
            out.push(Output::Answer(Ok(KickOutcome::AlreadyOpen)));
        } else if self.cool_at.is_some_and(|cool| now < cool) {
            out.push(Output::Refuse(KickRefused::Busy));
        } else {
            self.late_until = None;
            self.kick = Some(Kick::Asked { due: now + self.answer_within });
            out.push(Output::Pulse);
        }
    }

    fn means_open(&self, high: bool) -> Option<bool> {
        match self.sense {
            Sense::LowIsOpen => Some(!high),
            Sense::HighIsOpen => Some(high),
            Sense::NoSensor => None,
        }
    }

    fn baseline(&mut self, now: Instant, open: bool, out: &mut Vec<Output>) {
        match self.state {
            State::Unknown { .. } => {}
            State::Closed { settling: None, .. } if !open => return,
            State::Open { settling: None, .. } if open => return,
            State::Closed { .. } | State::Open { .. } => self.state = State::Unknown { why: NOT_YET_READ.to_owned() },
        }
        self.unprovable();
        self.level(now, open, out);
    }

    /// What is read from now on says nothing of what a pulse before did.
    fn unprovable(&mut self) {
        if let Some(Kick::Left { provable, .. }) = &mut self.kick {
            *provable = false;
        }
    }

    fn level(&mut self, now: Instant, open: bool, out: &mut Vec<Output>) {
        if let Some(Kick::Left { judge_from, sampled, .. }) = &mut self.kick {
            *sampled |= now >= *judge_from;
        }
        match &mut self.state {
            // A baseline: what was before is not known, so it is no edge and nobody opened it.
            State::Unknown { .. } => {
                self.line_works |= open;
                self.state = if open {
                    State::Open { since: now, said_left_open: false, settling: None }
                } else {
                    State::Closed { jammed: false, settling: None }
                };
                self.say_state(out);
            }
            State::Closed { settling: Some(settling), .. } | State::Open { settling: Some(settling), .. } => {
                settling.open = open
            }
            State::Closed { settling: None, .. } if open => self.opened(now, out),
            State::Open { settling: None, .. } if !open => self.closed(now, out),
            State::Closed { settling: None, .. } | State::Open { settling: None, .. } => {}
        }
    }

    fn opened(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.line_works = true;
        // A pulse that is on its way to the wire cannot have opened anything yet.
        let answered = self.kick.take_if(|kick| matches!(kick, Kick::Left { .. })).is_some();
        let late = self.late_until.take().is_some_and(|until| now < until);
        let by = if answered || late { OpenedBy::Command } else { OpenedBy::Key };
        out.push(Output::Event(DrawerEvent::Opened(by)));
        if answered {
            out.push(Output::Answer(Ok(KickOutcome::Opened)));
        }
        self.state =
            State::Open { since: now, said_left_open: false, settling: Some(Settling { until: now + SETTLE, open: true }) };
        self.say_state(out);
    }

    fn closed(&mut self, now: Instant, out: &mut Vec<Output>) {
        if let State::Open { since, .. } = self.state {
            out.push(Output::Event(DrawerEvent::Closed { after: now.saturating_duration_since(since) }));
        }
        self.state = State::Closed { jammed: false, settling: Some(Settling { until: now + SETTLE, open: false }) };
        self.say_state(out);
    }

    fn lost(&mut self, why: String, out: &mut Vec<Output>) {
        if self.sense == Sense::NoSensor {
            return;
        }
        self.unprovable();
        let next = State::Unknown { why };
        if self.state != next {
            self.state = next;
            self.say_state(out);
        }
    }

    /// Whatever became due between the last input and this one, in that order.
    fn pass_time(&mut self, now: Instant, out: &mut Vec<Output>) {
        match &mut self.state {
            State::Closed { settling, .. } | State::Open { settling, .. } => {
                if let Some(Settling { open, .. }) = settling.take_if(|s| now >= s.until) {
                    let was_open = matches!(self.state, State::Open { .. });
                    match (was_open, open) {
                        (false, true) => self.opened(now, out),
                        (true, false) => self.closed(now, out),
                        (false, false) | (true, true) => {}
                    }
                }
            }
            State::Unknown { .. } => {}
        }
        if let State::Open { since, said_left_open, .. } = &mut self.state
            && !*said_left_open
            && now >= *since + self.left_open_after
        {
            *said_left_open = true;
            out.push(Output::Event(DrawerEvent::LeftOpen));
            self.say_state(out);
        }
        if let Some(Kick::Left { due, ours_until, sampled, provable, .. }) = self.kick
            && now >= due
        {
            self.kick = None;
            self.late_until = Some(ours_until);
            self.answer_late(sampled && provable && self.line_works, out);
        }
    }

    /// The answer is due and the line has shown no opening.
    fn answer_late(&mut self, proven: bool, out: &mut Vec<Output>) {
        match &mut self.state {
            // Only a level read after the pulse proves that it stayed closed.
            State::Closed { jammed, .. } if proven => {
                self.late_until = None;
                let news = !*jammed;
                *jammed = true;
                out.push(Output::Answer(Ok(KickOutcome::Jammed)));
                if news {
                    self.say_state(out);
                }
            }
            // Open here means a baseline that came after the pulse: it may have been open before.
            State::Closed { .. } | State::Open { .. } | State::Unknown { .. } => {
                out.push(Output::Answer(Ok(KickOutcome::NotProven)));
            }
        }
    }

    fn say_state(&self, out: &mut Vec<Output>) {
        out.push(Output::Event(DrawerEvent::State(self.state())));
    }
}

#[cfg(test)]
mod tests;

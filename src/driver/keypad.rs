//! What a keypad says: a hand's keys, a scanned badge, or that something was lost. Pure; the port belongs to
//! `device::worker::keypad`, the two ways in are [`serial`] and [`keystrokes`].
//!
//! ## Why keys are held back
//! A badge scanner types like a hand, only faster. Whether a digit belongs to a badge is known when the next one comes
//! within `burst_gap` (about 30 ms) or does not. So a digit waits that long and no longer, unless it is in the middle of a
//! burst; nobody notices. Enter never waits: it ends the run, and what was held goes out before it, in order.
//!
//! ## Why a burst is never partly believed
//! A burst of four or more characters comes from a machine. Ended by Enter it is a badge, else it is nothing: a code whose
//! scanner ends with Tab, or half a card number, as a float would be worse than a "type again". Everything that is thrown away is said with [`Output::KeysLost`], except a
//! card's swipe, which nobody meant for us. Bursts appear in no log.

use std::time::{Duration, Instant};

use crate::device::{Key, profile::KeypadProfile};

pub mod keystrokes;
pub mod serial;

/// From so many characters on, a fast run is a machine's. Three can be a 000 key. So no badge is shorter.
pub const BURST: usize = 4;

/// The longest badge, and the longest staff number.
pub const BADGE_MAX: usize = 32;

/// Inside a card's swipe a reader may pause between tracks; what comes within this time still belongs to it.
const SWIPE_SILENCE: Duration = Duration::from_millis(250);

/// One stroke, whatever the way it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// A printable ASCII character. `.` and `,` are the decimal point.
    Char(char),
    /// The 00 key, where it has a code of its own.
    DoubleZero,
    /// The 000 key, where it has a code of its own.
    TripleZero,
    /// Accept.
    Enter,
    /// `0A` with no `0D` before it: accept, unless characters follow at once. Some badge readers begin with it.
    LineFeed,
    /// Start over.
    Clear,
    /// Delete the last.
    Backspace,
    /// Bytes that no keypad sends: wrong speed, a loose plug.
    Noise,
    /// The kernel's buffer ran over (`SYN_DROPPED`).
    Lost,
}

/// What a lone letter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strays {
    /// On a serial line: a digit with a wrong bit. Keys were lost.
    AreNoise,
    /// On a keyboard, whose reports carry a check sum: a finger beside the number pad. Nothing.
    AreIgnored,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A hand pressed this.
    Key(Key),
    /// A badge was scanned: 4 to 32 letters and digits.
    Badge(String),
    /// Keys were lost: a number being typed is void.
    KeysLost,
    /// Call [`Keypad::tick`] at this time. A later one replaces it.
    WakeAt(Instant),
}

/// Tells typing, badges and swipes apart by time.
#[derive(Debug)]
pub struct Keypad {
    burst_gap: Duration,
    zero_pair_gap: Duration,
    strays: Strays,
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet,
    /// A line feed out of nothing.
    LineFeed(Instant),
    /// Characters that came closer together than `burst_gap`. Never empty.
    Run(Vec<(Instant, char)>),
    /// Something that is thrown away until it is over.
    Dropping {
        what: Dropped,
        last: Instant,
        lost: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// A card, with the characters so far.
    Swipe(usize),
    /// A burst longer than any badge.
    TooLong,
    /// Bytes that make no sense, and all that is glued to them.
    Noise,
}

impl Keypad {
    /// Starts with nothing held. A `zero_pair_gap` longer than `burst_gap` counts as `burst_gap`.
    #[must_use]
    pub fn new(profile: &KeypadProfile, strays: Strays) -> Self {
        let burst_gap = profile.burst_gap;
        Self { burst_gap, zero_pair_gap: profile.zero_pair_gap.min(burst_gap), strays, state: State::Quiet }
    }

    /// A stroke came at `now`.
    pub fn handle(&mut self, now: Instant, stroke: Stroke) -> Vec<Output> {
        let mut outputs = self.expire(now);
        let state = std::mem::replace(&mut self.state, State::Quiet);
        self.state = match state {
            State::Quiet => self.in_run(now, vec![], stroke, &mut outputs),
            // The beginning of a badge: it accepts nothing.
            State::LineFeed(_) if matches!(stroke, Stroke::Char(_)) => self.in_run(now, vec![], stroke, &mut outputs),
            State::LineFeed(_) => {
                outputs.push(Output::Key(Key::Enter));
                self.in_run(now, vec![], stroke, &mut outputs)
            }
            State::Run(run) => self.in_run(now, run, stroke, &mut outputs),
            State::Dropping { what, last, lost } => self.in_drop(now, what, last, lost, stroke, &mut outputs),
        };
        outputs.extend(self.deadline().map(Output::WakeAt));
        outputs
    }

    /// Time passed. Early calls do nothing but say again when to come.
    pub fn tick(&mut self, now: Instant) -> Vec<Output> {
        let mut outputs = self.expire(now);
        outputs.extend(self.deadline().map(Output::WakeAt));
        outputs
    }

    fn in_run(&self, now: Instant, mut run: Vec<(Instant, char)>, stroke: Stroke, out: &mut Vec<Output>) -> State {
        match stroke {
            // Start sentinels of tracks 1, 2 and 3 of a magnetic card (ISO 7813; track 3 of some readers begins with +).
            Stroke::Char('%' | ';' | '+') => {
                return State::Dropping { what: Dropped::Swipe(1), last: now, lost: !run.is_empty() };
            }
            Stroke::Char(_) if run.len() == BADGE_MAX => {
                out.push(Output::KeysLost);
                return State::Dropping { what: Dropped::TooLong, last: now, lost: false };
            }
            Stroke::Char(c) => {
                run.push((now, c));
                return State::Run(run);
            }
            Stroke::LineFeed if run.is_empty() => return State::LineFeed(now),
            Stroke::Enter | Stroke::LineFeed if run.len() >= BURST => out.push(badge(&run)),
            Stroke::Enter | Stroke::LineFeed => self.typed(&run, Some(Key::Enter), out),
            Stroke::Clear => self.typed(&run, Some(Key::Clear), out),
            Stroke::Backspace => self.typed(&run, Some(Key::Backspace), out),
            Stroke::DoubleZero => self.typed(&run, Some(Key::DoubleZero), out),
            Stroke::TripleZero => self.typed(&run, Some(Key::TripleZero), out),
            Stroke::Noise => {
                out.push(Output::KeysLost);
                return State::Dropping { what: Dropped::Noise, last: now, lost: false };
            }
            Stroke::Lost => out.push(Output::KeysLost),
        }
        State::Quiet
    }

    fn in_drop(
        &self,
        now: Instant,
        what: Dropped,
        last: Instant,
        lost: bool,
        stroke: Stroke,
        out: &mut Vec<Output>,
    ) -> State {
        match (what, stroke) {
            (Dropped::Swipe(_) | Dropped::TooLong | Dropped::Noise, Stroke::Lost) => {
                out.push(Output::KeysLost);
                State::Quiet
            }
            // Enter belongs to the card or the burst. It must not confirm anything.
            (Dropped::Swipe(_) | Dropped::TooLong, Stroke::Enter | Stroke::LineFeed) => {
                out.extend(self.after_drop(what, lost));
                State::Quiet
            }
            // In the silence that a card gets, a hand may have typed: too slow for a card.
            (Dropped::Swipe(count), Stroke::Char(_)) => {
                let lost = lost || now - last >= self.burst_gap;
                State::Dropping { what: Dropped::Swipe(count.saturating_add(1)), last: now, lost }
            }
            (
                Dropped::Swipe(_),
                Stroke::Clear | Stroke::Backspace | Stroke::DoubleZero | Stroke::TripleZero | Stroke::Noise,
            ) => State::Dropping { what, last: now, lost: true },
            (
                Dropped::TooLong,
                Stroke::Char(_)
                | Stroke::Clear
                | Stroke::Backspace
                | Stroke::DoubleZero
                | Stroke::TripleZero
                | Stroke::Noise,
            )
            | (Dropped::Noise, Stroke::Noise) => State::Dropping { what, last: now, lost },
            // A key so close to noise cannot be trusted. It came after the first KeysLost, so there will be a second.
            (
                Dropped::Noise,
                Stroke::Char(_)
                | Stroke::Enter
                | Stroke::LineFeed
                | Stroke::Clear
                | Stroke::Backspace
                | Stroke::DoubleZero
                | Stroke::TripleZero,
            ) => State::Dropping { what, last: now, lost: true },
        }
    }

    /// Ends what the silence before `now` has ended.
    fn expire(&mut self, now: Instant) -> Vec<Output> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return vec![];
        }
        let mut out = vec![];
        match std::mem::replace(&mut self.state, State::Quiet) {
            State::Quiet => {}
            State::LineFeed(_) => out.push(Output::Key(Key::Enter)),
            State::Run(run) => self.typed(&run, None, &mut out),
            State::Dropping { what, lost, .. } => out.extend(self.after_drop(what, lost)),
        }
        out
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Quiet => None,
            State::LineFeed(at) => Some(*at + self.burst_gap),
            State::Run(run) => run.last().map(|(at, _)| *at + self.burst_gap),
            State::Dropping { what, last, .. } => Some(*last + self.silence(*what)),
        }
    }

    fn silence(&self, what: Dropped) -> Duration {
        match what {
            Dropped::Swipe(count) if count >= BURST => SWIPE_SILENCE.max(self.burst_gap),
            Dropped::Swipe(_) | Dropped::TooLong | Dropped::Noise => self.burst_gap,
        }
    }

    fn after_drop(&self, what: Dropped, lost: bool) -> Option<Output> {
        let lost = match what {
            // Too short for a card: a lone sign, or a sign and keys that are gone now.
            Dropped::Swipe(count) if count < BURST => lost || count > 1 || self.strays == Strays::AreNoise,
            Dropped::Swipe(_) | Dropped::TooLong | Dropped::Noise => lost,
        };
        lost.then_some(Output::KeysLost)
    }

    /// The run was a hand's, if it is short enough: its keys, then `last`.
    fn typed(&self, run: &[(Instant, char)], last: Option<Key>, out: &mut Vec<Output>) {
        let stray = run.iter().any(|(_, c)| !is_key(*c));
        if run.len() >= BURST || (stray && self.strays == Strays::AreNoise) {
            out.push(Output::KeysLost);
            return;
        }
        let mut keys = run.iter().filter(|(_, c)| is_key(*c)).peekable();
        while let Some((at, c)) = keys.next() {
            let mut zeros = 1;
            let mut before = *at;
            while *c == '0' && zeros < 3 {
                match keys.next_if(|(at, c)| *c == '0' && *at - before < self.zero_pair_gap) {
                    Some((at, _)) => before = *at,
                    None => break,
                }
                zeros += 1;
            }
            out.push(Output::Key(match (zeros, c.to_digit(10)) {
                (2, _) => Key::DoubleZero,
                (3, _) => Key::TripleZero,
                (_, Some(digit)) => Key::Digit(u8::try_from(digit).unwrap_or(0)),
                (_, None) => Key::Point,
            }));
        }
        out.extend(last.map(Output::Key));
    }
}

fn is_key(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == ','
}

/// A fast run that ended with Enter.
fn badge(run: &[(Instant, char)]) -> Output {
    let text: String = run.iter().map(|(_, c)| *c).collect();
    if text.chars().all(|c| c.is_ascii_alphanumeric()) { Output::Badge(text) } else { Output::KeysLost }
}

#[cfg(test)]
mod tests;

//! What a person's keys and badges do in each stage.
//!
//! ## Why wrong numbers slow down
//! A staff number is short and typed in public. The first two mistakes cost nothing; from the third on, keys are not heard
//! for a while that doubles each time, so that trying all numbers takes longer than the shop is open.
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{
    Ask, Note, Output, Prompt, Run, SEEN_FOR, Said, Shift, Stage,
    entry::{Entry, Heard, digits_of},
    event::StartedBy,
};
use crate::{config::Staff, device::Key, driver::keypad::BADGE_MAX};

/// The wait after the third wrong number; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait, so that a forgetful colleague can still open before noon.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wrong numbers that cost no wait.
const FREE_MISSES: u32 = 2;
/// What starts an opening while the drawer stands open is heard as the beginning of the staff number, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Early {
    Key(Key),
    Badge(String),
}

impl Shift {
    pub(super) fn key(&mut self, now: Instant, wall: Timestamp, key: Key, out: &mut Vec<Output>) {
        let confirming = matches!(self.stage, Stage::Confirm { .. });
        let hidden = confirming && (self.keypad_gone || self.says_drawer_closed());
        let asked_lately = |at: Instant| now.saturating_duration_since(at) < self.settings.confirm_pause;
        let too_soon = confirming && key == Key::Enter && self.asked_at.is_some_and(asked_lately);
        self.keypad_gone = false;
        if self.is_asking() {
            self.touch(now);
            self.note = None;
        }
        // Nobody answers what they do not see: the first key only brings the question back, and an Enter as quick as a
        // bouncing key is none.
        if hidden || too_soon {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Closed => self.key_while_closed(now, Early::Key(key)),
            Stage::Staff { run, typed } => self.key_for_staff(now, key, run, typed, out),
            Stage::Count { run, staff, entry } => self.key_for_count(now, key, run, staff, entry),
            Stage::Confirm { run, staff, draft, ask } => match (key, ask) {
                (Key::Enter, Ask::Check | Ask::Again { seen: false, .. }) => {
                    self.stage = Stage::Confirm { run, staff, draft, ask: Ask::Right };
                }
                (Key::Enter, Ask::Right | Ask::Again { seen: true, .. }) => self.save(wall, run, staff, draft, None, out),
                (Key::Clear, Ask::Check | Ask::Right | Ask::Again { .. }) => {
                    let entry = Entry::new(&self.settings);
                    self.stage = Stage::Count { run, staff, entry };
                }
                (
                    Key::Digit(_) | Key::DoubleZero | Key::TripleZero | Key::Point | Key::Backspace,
                    Ask::Check | Ask::Right,
                ) => {
                    self.stage = Stage::Confirm { run, staff, draft, ask };
                    self.say(now, Prompt::YesOrNo, super::NOTE_FOR);
                }
                // Why it is not saved stays to be read.
                (Key::Digit(_) | Key::DoubleZero | Key::TripleZero | Key::Point | Key::Backspace, Ask::Again { .. }) => {
                    self.stage = Stage::Confirm { run, staff, draft, ask };
                }
            },
            saving @ Stage::Saving { .. } => self.stage = saving,
            Stage::Open => {
                self.stage = Stage::Open;
                self.acknowledge(now);
            }
        }
    }

    pub(super) fn badge(&mut self, now: Instant, number: &str, out: &mut Vec<Output>) {
        self.keypad_gone = false;
        if self.is_asking() {
            self.touch(now);
        }
        match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Closed => self.key_while_closed(now, Early::Badge(number.to_owned())),
            Stage::Staff { run, typed } if self.locked_until.is_some() => self.stage = Stage::Staff { run, typed },
            Stage::Staff { run, .. } => self.identify(now, number, run, out),
            counting @ (Stage::Count { .. } | Stage::Confirm { .. }) => {
                let say = match counting {
                    Stage::Confirm { ask: Ask::Check | Ask::Right, .. } => Some(Prompt::StaffKnownAnswer),
                    // Why it is not saved stays to be read.
                    Stage::Confirm { ask: Ask::Again { .. }, .. } => None,
                    Stage::Closed | Stage::Staff { .. } | Stage::Count { .. } | Stage::Saving { .. } | Stage::Open => {
                        Some(Prompt::StaffKnown)
                    }
                };
                self.stage = counting;
                // A note that ends by itself must not bring back an amount that a closed drawer took away.
                if let Some(prompt) = say.filter(|_| !self.says_drawer_closed()) {
                    self.say(now, prompt, super::NOTE_FOR);
                }
            }
            saving @ Stage::Saving { .. } => self.stage = saving,
            Stage::Open => {
                self.stage = Stage::Open;
                if !self.acknowledge(now) && self.note.is_none() {
                    self.say(now, Prompt::NothingToKey, super::NOTE_FOR);
                }
            }
        }
    }

    /// The number being typed is void, and the display says so.
    pub(super) fn void_number(&mut self, say: Prompt) {
        match &mut self.stage {
            Stage::Staff { typed, .. } => typed.clear(),
            Stage::Count { entry, .. } => entry.void(),
            // Nothing is being typed. A lost Enter is pressed again; a count that was keyed whole is not lost.
            Stage::Closed | Stage::Confirm { .. } | Stage::Saving { .. } | Stage::Open => return,
        }
        self.note = Some(Note { prompt: say, until: None });
    }

    /// Somebody saw what the display asked people to see. Whether there was something.
    fn acknowledge(&mut self, now: Instant) -> bool {
        let Some(followed) = self.follows.as_mut().filter(|f| f.hidden_until.is_none()) else { return false };
        match followed.said {
            Said::Overdue | Said::Attention(_) if self.note.is_none() => {
                followed.hidden_until = now.checked_add(SEEN_FOR);
                true
            }
            Said::Overdue | Said::Attention(_) | Said::Sending | Said::WillSendLater | Said::Checking => false,
        }
    }

    /// Takes a refusal away, starts, or tells how to start.
    fn key_while_closed(&mut self, now: Instant, early: Early) {
        if self.note.as_ref().is_some_and(|note| matches!(note.prompt, Prompt::Text(_))) {
            self.note = None;
            return;
        }
        // A late key: what it came too late for is to be read first.
        let given_up = self.note.as_ref().is_some_and(|note| note.prompt == Prompt::GivenUp);
        if given_up && self.shown.as_ref() != Some(&Prompt::GivenUp.frame()) {
            return;
        }
        if self.acknowledge(now) {
            return;
        }
        if self.settings.sensor && self.drawer_open {
            // "Open the drawer" is no help before an open one: there will be no edge.
            self.early = Some(early);
        } else {
            let hint = if self.settings.sensor { Prompt::OpenTheDrawer } else { Prompt::StartAtPos };
            self.say(now, hint, super::NOTE_FOR);
        }
    }

    /// Asks who is there; what was keyed to get here may be the answer's beginning.
    pub(super) fn ask_for_staff(&mut self, now: Instant, run: Run, early: Option<Early>, out: &mut Vec<Output>) {
        let heard = early.filter(|_| self.locked_until.is_none());
        match heard {
            Some(Early::Badge(number)) => self.identify(now, &number, run, out),
            Some(Early::Key(key @ (Key::Digit(_) | Key::DoubleZero | Key::TripleZero))) => {
                self.key_for_staff(now, key, run, String::new(), out);
            }
            Some(Early::Key(Key::Point | Key::Enter | Key::Clear | Key::Backspace)) | None => {
                self.stage = Stage::Staff { run, typed: String::new() };
            }
        }
    }

    fn key_for_staff(&mut self, now: Instant, key: Key, run: Run, mut typed: String, out: &mut Vec<Output>) {
        let note = if self.locked_until.is_some() {
            None
        } else {
            match key {
                Key::Digit(_) | Key::DoubleZero | Key::TripleZero => {
                    let digits = digits_of(key).unwrap_or_default();
                    if typed.len() + digits.len() > BADGE_MAX {
                        Some(Prompt::TooMany)
                    } else {
                        typed.push_str(digits);
                        None
                    }
                }
                Key::Point => Some(Prompt::DigitsOnly),
                Key::Backspace => {
                    typed.pop();
                    None
                }
                Key::Clear if typed.is_empty() => {
                    self.stage = Stage::Staff { run, typed };
                    return self.give_up(now, "Clear was pressed at the staff number".into(), Prompt::Cancelled, out);
                }
                Key::Clear => {
                    typed.clear();
                    None
                }
                Key::Enter if typed.is_empty() => Some(Prompt::NoNumberKeyed),
                Key::Enter => return self.identify(now, &typed, run, out),
            }
        };
        self.stage = Stage::Staff { run, typed };
        if let Some(prompt) = note {
            self.say(now, prompt, super::NOTE_FOR);
        }
    }

    fn identify(&mut self, now: Instant, number: &str, run: Run, out: &mut Vec<Output>) {
        let found = self.settings.staff.iter().find(|staff| staff.number == number).cloned();
        let Some(staff) = found else {
            self.misses = self.misses.saturating_add(1);
            self.stage = Stage::Staff { run, typed: String::new() };
            self.say(now, Prompt::UnknownNumber, super::NOTE_FOR);
            self.locked_until = wait_after(self.misses).and_then(|wait| now.checked_add(wait));
            return;
        };
        self.misses = 0;
        self.note = None;
        self.count(run, staff, out);
    }

    /// Asks for the float.
    pub(super) fn count(&mut self, run: Run, staff: Staff, out: &mut Vec<Output>) {
        self.stage = Stage::Count { run, staff, entry: Entry::new(&self.settings) };
        out.push(Output::Warm);
    }

    fn key_for_count(&mut self, now: Instant, key: Key, run: Run, staff: Staff, mut entry: Entry) {
        let note = match entry.key(key) {
            Heard::Taken => None,
            Heard::Note(prompt) => Some(prompt),
            Heard::Back => match run.by {
                StartedBy::Drawer => {
                    self.stage = Stage::Staff { run, typed: String::new() };
                    return;
                }
                // Nobody keyed a number, so there is none to go back to.
                StartedBy::Api => Some(Prompt::NothingToClear),
            },
            Heard::Done(draft) => {
                let ask = if draft.odd { Ask::Check } else { Ask::Right };
                self.stage = Stage::Confirm { run, staff, draft, ask };
                return;
            }
        };
        self.stage = Stage::Count { run, staff, entry };
        if let Some(prompt) = note {
            self.say(now, prompt, super::NOTE_FOR);
        }
    }
}

/// How long keys are not heard after so many wrong numbers in a row.
fn wait_after(misses: u32) -> Option<Duration> {
    let paid = misses.checked_sub(FREE_MISSES + 1)?;
    let factor = 2_u32.checked_pow(paid).unwrap_or(u32::MAX);
    Some(FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT))
}

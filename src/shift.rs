//! The operator's machine of one till: idle → staff number → count → confirm → saved. Pure: inputs and the time go in, frames,
//! records and replies come out.
//!
//! It leaves to others: writing (`journal`), sending (`opening`), what the bytes of a frame are (`driver::display`).
//!
//! ## Why every frame is worked out anew
//! No step draws. After each input the whole frame follows from the state, and goes out if it differs from the last. So a
//! frame cannot be left over: when the state no longer holds an amount, no amount is on the display.
//!
//! ## Why an overdue moment is handled before the input that came late
//! A `Tick` may be late. A key that comes after the limit must not revive what the limit ended, whichever came first.
mod api;
mod entry;
pub mod event;
mod keys;
mod prompt;
mod words;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use self::words::{Input, Output, Phase, Progress, Refusal, Reply, ShiftSettings};
use self::{
    entry::{Draft, Entry},
    event::{Counted, Event, Money, OpeningId, Pieces, StartedBy},
    keys::Early,
    prompt::{Prompt, Trouble},
};
use crate::config::{Echo, Staff};

/// How long a note stands if no key comes: long enough to be read twice.
const NOTE_FOR: Duration = Duration::from_secs(3);
/// How long a result stands before the idle text: people look up after the last key.
const RESULT_FOR: Duration = Duration::from_secs(6);
/// How long a refusal stands. It asks for something to be done, and any key takes it away.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// A saved count that is unsettled for so long is shown until a key is pressed. Design, "What we promise".
const OVERDUE_AFTER: Duration = Duration::from_secs(600);
/// What a key took away is shown again after this long, or at the drawer's next edge: a key is pressed by anybody.
const SEEN_FOR: Duration = Duration::from_secs(3600);

/// The operator's machine of one till.
#[derive(Debug)]
pub struct Shift {
    settings: ShiftSettings,
    stage: Stage,
    /// The saved count whose way to Shopify is not settled. Not listened to for the display while a new opening runs.
    follows: Option<Followed>,
    /// The opening that ended last, and how, for a clear answer to someone late.
    ended: Option<(OpeningId, &'static str)>,
    /// What the display says for a while instead of what the state says.
    note: Option<Note>,
    /// No keypad is there.
    keypad_gone: bool,
    /// Wrong staff numbers since the last right one. Kept over openings: starting anew must not speed up guessing.
    misses: u32,
    /// Keys are not heard until then.
    locked_until: Option<Instant>,
    /// When somebody was last there for the running opening.
    touched: Option<Instant>,
    /// When what is asked in `Confirm` last appeared on the display.
    asked_at: Option<Instant>,
    /// The drawer is known to be open.
    drawer_open: bool,
    /// What was keyed to start an opening, until it has started.
    early: Option<Early>,
    shown: Option<crate::device::Frame>,
    wake: Option<Instant>,
}

/// Where the machine stands. A stage carries what is true only in it.
#[derive(Debug)]
enum Stage {
    /// The shift is closed.
    Closed,
    /// Asks who is there.
    Staff { run: Run, typed: String },
    /// The float is being counted.
    Count { run: Run, staff: Staff, entry: Entry },
    /// Asks whether it is right.
    Confirm { run: Run, staff: Staff, draft: Draft, ask: Ask },
    /// Handed out to be written. `op` waits for the answer.
    Saving { run: Run, staff: Staff, draft: Draft, op: Option<u64> },
    /// The shift is open.
    Open,
}

/// An opening under way.
#[derive(Debug)]
struct Run {
    id: OpeningId,
    by: StartedBy,
    note: String,
    reason_code_id: Option<String>,
}

/// What Enter is asked for.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// The amount is odd for a float.
    Check,
    /// Is this right?
    Right,
    /// The disk did not take it. Shows no amount.
    Again {
        /// What it said.
        trouble: Trouble,
        /// Enter has answered to the amount. A POS may have given it: then it is asked before it is saved again.
        seen: bool,
    },
}

/// A saved count on its way.
#[derive(Debug)]
struct Followed {
    id: OpeningId,
    /// `None` until the first input after a restart.
    overdue_at: Option<Instant>,
    said: Said,
    /// Nobody knows whether the last request ran.
    unknown: bool,
    /// Somebody pressed a key at what was shown: not shown until then.
    hidden_until: Option<Instant>,
}

impl Followed {
    const fn new(id: OpeningId, overdue_at: Option<Instant>, said: Said) -> Self {
        Self { id, overdue_at, said, unknown: false, hidden_until: None }
    }

    /// A person must decide about it. Else it is a count on its way.
    const fn is_asked(&self) -> bool {
        matches!(self.said, Said::Attention(_))
    }
}

/// What people were told of a saved count.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Sending,
    WillSendLater,
    Checking,
    /// Too long without a result.
    Overdue,
    /// A person must decide.
    Attention([String; 2]),
}

/// A text for a while.
#[derive(Debug)]
struct Note {
    prompt: Prompt,
    /// `None`: until a key.
    until: Option<Instant>,
}

impl Shift {
    /// `open`: whether the shift is known to be open.
    #[must_use]
    pub fn new(settings: ShiftSettings, open: bool) -> Self {
        Self {
            settings,
            stage: if open { Stage::Open } else { Stage::Closed },
            follows: None,
            ended: None,
            note: None,
            keypad_gone: false,
            misses: 0,
            locked_until: None,
            touched: None,
            asked_at: None,
            drawer_open: false,
            early: None,
            shown: None,
            wake: None,
        }
    }

    /// After a restart: the count of `opening` is on disk, and what Shopify made of it is not settled.
    #[must_use]
    pub fn resumed(settings: ShiftSettings, opening: OpeningId) -> Self {
        let follows = Some(Followed::new(opening, None, Said::Sending));
        Self { follows, ..Self::new(settings, true) }
    }

    /// After a restart: of `opening`, a person must decide. `open`: whether the shift is known to be open all the same.
    #[must_use]
    pub fn needs_attention(settings: ShiftSettings, opening: OpeningId, open: bool, prompt: [String; 2]) -> Self {
        let follows = Some(Followed::new(opening, None, Said::Attention(prompt)));
        Self { follows, ..Self::new(settings, open) }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Instant, wall: Timestamp, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if matches!(input, Input::Tick) {
            // The timer that was asked for is used up, even if it was early.
            self.wake = None;
        }
        self.expire(now, &mut out);
        self.take(now, wall, input, &mut out);
        let frame = self.prompt().frame();
        if self.shown.as_ref() != Some(&frame) {
            self.shown = Some(frame.clone());
            self.asked_at = if matches!(self.stage, Stage::Confirm { .. }) { Some(now) } else { None };
            out.insert(0, Output::Show(frame));
        }
        if let Some(at) = self.next_deadline().filter(|at| self.wake != Some(*at)) {
            self.wake = Some(at);
            out.push(Output::WakeAt(at));
        }
        if self.early.is_some() {
            out.push(Output::StartWanted);
        }
        out
    }

    /// The opening that runs; after that the saved one, until it is settled.
    #[must_use]
    pub fn current(&self) -> Option<&OpeningId> {
        let followed = self.follows.as_ref().map(|f| &f.id);
        self.run().map(|run| &run.id).or(followed)
    }

    /// Where the machine stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.stage {
            Stage::Closed => Phase::Idle,
            Stage::Staff { .. } => Phase::Staff,
            Stage::Count { .. } => Phase::Count,
            Stage::Confirm { .. } => Phase::Confirm,
            Stage::Saving { .. } => Phase::Saving,
            Stage::Open if self.follows.is_some() => Phase::Saved,
            Stage::Open => Phase::Open,
        }
    }

    /// Wrong staff numbers since the last right one.
    #[must_use]
    pub const fn wrong_numbers(&self) -> u32 {
        self.misses
    }

    fn take(&mut self, now: Instant, wall: Timestamp, input: Input, out: &mut Vec<Output>) {
        if !matches!(input, Input::DrawerOpened { .. }) {
            self.early = None;
        }
        match input {
            Input::DrawerOpened { fresh } => self.drawer_opened(now, fresh, out),
            Input::DrawerClosed => self.drawer_closed(now),
            Input::DrawerIs { open } => self.drawer_open = open,
            Input::Key(key) => self.key(now, wall, key, out),
            Input::Badge(number) => self.badge(now, &number, out),
            Input::KeysLost => self.void_number(Prompt::KeysLost),
            Input::KeypadGone => {
                self.keypad_gone = true;
                self.void_number(Prompt::KeysLost);
            }
            Input::KeypadBack => self.keypad_gone = false,
            Input::Start { op, fresh, staff_member_id, note, reason_code_id } => {
                let run = Run { id: fresh, by: StartedBy::Api, note, reason_code_id };
                self.start_by_api(now, op, run, staff_member_id, out);
            }
            Input::PutTotal { op, opening, total } => {
                let draft = self.draft_of_total(total);
                self.put(wall, op, &opening, draft, out);
            }
            Input::PutLines { op, opening, lines } => {
                let draft = self.draft_of_lines(lines);
                self.put(wall, op, &opening, draft, out);
            }
            Input::Cancel { op, opening, why } => self.cancel_by_api(now, op, &opening, why, out),
            Input::Saved { opening } => self.saved(now, &opening, out),
            Input::SaveFailed { opening, why } => self.save_failed(now, &opening, why, out),
            Input::ShiftOpen => self.shift_open(now, out),
            Input::ShiftClosed => self.shift_closed(),
            Input::Progress { opening, progress } => self.progress(now, &opening, progress),
            Input::Tick => {}
        }
    }

    // ---- the drawer -----------------------------------------------------------------------------------------------

    fn drawer_opened(&mut self, now: Instant, fresh: OpeningId, out: &mut Vec<Output>) {
        self.drawer_open = true;
        if let Some(followed) = &mut self.follows {
            followed.hidden_until = None;
        }
        let early = self.early.take();
        match self.stage {
            Stage::Closed => {
                let run = Run { id: fresh, by: StartedBy::Drawer, note: String::new(), reason_code_id: None };
                self.begin(now, &run, out);
                self.ask_for_staff(now, run, early, out);
            }
            Stage::Staff { .. } | Stage::Count { .. } | Stage::Confirm { .. } => {
                self.touch(now);
                if self.says_drawer_closed() {
                    self.note = None;
                }
            }
            Stage::Saving { .. } | Stage::Open => {}
        }
    }

    /// Counting goes on; the amount leaves the display until a key asks for it (fact sheet "displays and keypads", 5).
    fn drawer_closed(&mut self, now: Instant) {
        self.drawer_open = false;
        match self.stage {
            Stage::Count { .. } | Stage::Confirm { ask: Ask::Check | Ask::Right, .. } => {
                self.touch(now);
                self.note = Some(Note { prompt: Prompt::DrawerClosed, until: None });
            }
            // Why it is not saved has no amount in it, and stays to be read.
            Stage::Staff { .. } | Stage::Confirm { ask: Ask::Again { .. }, .. } => self.touch(now),
            Stage::Closed | Stage::Saving { .. } | Stage::Open => {}
        }
    }

    // ---- an opening's life ----------------------------------------------------------------------------------------

    fn begin(&mut self, now: Instant, run: &Run, out: &mut Vec<Output>) {
        self.note = None;
        self.touch(now);
        out.push(Output::Record { opening: run.id.clone(), event: Event::OpeningStarted { by: run.by } });
    }

    /// Gives the running opening up and says so. Not for one whose count is being written.
    fn give_up(&mut self, now: Instant, why: String, say: Prompt, out: &mut Vec<Output>) {
        let run = match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Staff { run, .. } | Stage::Count { run, .. } | Stage::Confirm { run, .. } => run,
            other @ (Stage::Closed | Stage::Saving { .. } | Stage::Open) => {
                self.stage = other;
                return;
            }
        };
        out.push(Output::Record { opening: run.id.clone(), event: Event::OpeningCancelled { why } });
        self.ended = Some((run.id, "given up before it was counted"));
        self.say(now, say, RESULT_FOR);
    }

    /// Hands the count out to be written. The stage holds it until the answer; the display no longer does.
    fn save(&mut self, wall: Timestamp, run: Run, staff: Staff, draft: Draft, op: Option<u64>, out: &mut Vec<Output>) {
        let money = |amount: crate::money::Amount| Money {
            amount: amount.to_string(),
            currency: amount.currency().code().to_owned(),
        };
        let lines = draft.lines.iter();
        let counted = Counted {
            staff_name: staff.name.clone(),
            staff_member_id: staff.id.clone(),
            point_of_sale_device_id: self.settings.device_id.clone(),
            reason_code_id: run.reason_code_id.clone().or_else(|| self.settings.reason_code_id.clone()),
            balance: money(draft.total),
            lines: lines.map(|l| Pieces { denomination: l.denomination.to_string(), pieces: l.pieces }).collect(),
            time: whole_seconds(wall),
            note: run.note.clone(),
        };
        out.push(Output::Record { opening: run.id.clone(), event: Event::OpeningCounted(counted) });
        self.note = None;
        self.stage = Stage::Saving { run, staff, draft, op };
    }

    fn saved(&mut self, now: Instant, opening: &OpeningId, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.stage, Stage::Open) {
            Stage::Saving { run, op, .. } if run.id == *opening => {
                if let Some(op) = op {
                    out.push(Output::Reply { op, result: Ok(Reply::Counted) });
                }
                self.ended = Some((run.id.clone(), "counted already"));
                self.follows = Some(Followed::new(run.id, now.checked_add(OVERDUE_AFTER), Said::Sending));
                self.say(now, Prompt::Saved, RESULT_FOR);
            }
            other @ (Stage::Closed
            | Stage::Staff { .. }
            | Stage::Count { .. }
            | Stage::Confirm { .. }
            | Stage::Saving { .. }
            | Stage::Open) => self.stage = other,
        }
    }

    fn save_failed(&mut self, now: Instant, opening: &OpeningId, why: String, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.stage, Stage::Open) {
            Stage::Saving { run, staff, draft, op } if run.id == *opening => {
                let ask = Ask::Again { trouble: Trouble::of(&why), seen: op.is_none() };
                self.stage = Stage::Confirm { run, staff, draft, ask };
                self.touch(now);
                if let Some(op) = op {
                    out.push(Output::Reply { op, result: Err(Refusal::NotSaved { why }) });
                }
            }
            other @ (Stage::Closed
            | Stage::Staff { .. }
            | Stage::Count { .. }
            | Stage::Confirm { .. }
            | Stage::Saving { .. }
            | Stage::Open) => self.stage = other,
        }
    }

    // ---- what Shopify says ----------------------------------------------------------------------------------------

    fn progress(&mut self, now: Instant, opening: &OpeningId, progress: Progress) {
        let running = self.run().is_some();
        if let (None, Progress::NeedsAttention(rows)) = (&self.follows, &progress) {
            // Of an opening that was settled already. It says nothing about the shift.
            self.follows = Some(Followed::new(opening.clone(), None, Said::Attention(rows.clone())));
            return;
        }
        if progress == Progress::Sending && self.follows.as_ref().is_none_or(Followed::is_asked) {
            // A person decided that a count goes out after all. What is on its way comes before what waits for somebody, which
            // is told again when this one is settled.
            self.follows = Some(Followed::new(opening.clone(), now.checked_add(OVERDUE_AFTER), Said::Sending));
            if !running {
                self.stage = Stage::Open;
            }
            return;
        }
        let Some(followed) = self.follows.as_mut().filter(|f| f.id == *opening) else { return };
        // What was said already is not said again: hours without a network must not flash at customers.
        let (said, prompt) = match progress {
            Progress::Confirmed => return self.settled(now, running, Stage::Open, Prompt::RegisterOpen, RESULT_FOR),
            Progress::Refused(rows) => return self.settled(now, running, Stage::Closed, Prompt::Text(rows), REFUSED_FOR),
            // Told again, because another question was settled: nothing is new.
            Progress::NeedsAttention(rows) if followed.said == Said::Attention(rows.clone()) => return,
            Progress::NeedsAttention(rows) => {
                followed.said = Said::Attention(rows);
                followed.hidden_until = None;
                if !running {
                    self.stage = Stage::Closed;
                    self.note = None;
                }
                return;
            }
            Progress::GivenUp => {
                self.follows = None;
                if !running {
                    self.stage = Stage::Closed;
                    self.note = None;
                }
                return;
            }
            Progress::Sending => return,
            Progress::WillSendLater => (Said::WillSendLater, Prompt::WillSendLater),
            Progress::Checking => (Said::Checking, Prompt::Checking),
        };
        followed.unknown = said == Said::Checking;
        let told = match &followed.said {
            Said::Sending | Said::WillSendLater | Said::Checking => followed.said == said,
            Said::Overdue | Said::Attention(_) => true,
        };
        if !told && !running {
            followed.said = said;
            self.say(now, prompt, RESULT_FOR);
        }
    }

    /// Nothing is open about the followed opening any more. A newer one that runs is not disturbed.
    fn settled(&mut self, now: Instant, running: bool, stage: Stage, prompt: Prompt, stands: Duration) {
        self.follows = None;
        if !running {
            self.stage = stage;
            self.say(now, prompt, stands);
        }
    }

    fn shift_open(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Closed => self.stage = Stage::Open,
            Stage::Staff { .. } | Stage::Count { .. } | Stage::Confirm { .. } => {
                let why = "the register was opened by someone else meanwhile".to_owned();
                self.give_up(now, why, Prompt::OpenedElsewhere, out);
                self.stage = Stage::Open;
            }
            // What is being written will meet the open session at Shopify, and `opening` sorts that out.
            Stage::Saving { .. } | Stage::Open => {}
        }
    }

    fn shift_closed(&mut self) {
        // Where a newer count is on its way, its own end says whether the register is open.
        if matches!(self.stage, Stage::Open) && self.follows.as_ref().is_none_or(Followed::is_asked) {
            self.stage = Stage::Closed;
            // The session that was in the way is gone.
            self.follows = None;
        }
    }

    // ---- time -----------------------------------------------------------------------------------------------------

    /// Somebody is there: the opening is not given up yet.
    fn touch(&mut self, now: Instant) {
        self.touched = Some(now);
    }

    /// How long the running opening waits for somebody. Coins are counted with both hands: a count waits longer.
    const fn patience(&self) -> Option<Duration> {
        match self.stage {
            Stage::Staff { .. } | Stage::Confirm { .. } => Some(self.settings.count.idle_timeout),
            Stage::Count { .. } => Some(self.settings.count.count_timeout),
            Stage::Closed | Stage::Saving { .. } | Stage::Open => None,
        }
    }

    fn give_up_at(&self) -> Option<Instant> {
        self.touched?.checked_add(self.patience()?)
    }

    fn expire(&mut self, now: Instant, out: &mut Vec<Output>) {
        let past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if past(self.locked_until) {
            self.locked_until = None;
        }
        if self.note.as_ref().is_some_and(|note| past(note.until)) {
            self.note = None;
        }
        if let Some(patience) = self.patience().filter(|_| past(self.give_up_at())) {
            let (what, say) = if self.settings.keypad {
                ("no key", Prompt::GivenUp)
            } else {
                ("no count from the POS", Prompt::GivenUpAtPos)
            };
            self.give_up(now, format!("{what} for {patience:?}"), say, out);
        }
        if let Some(followed) = &mut self.follows {
            if followed.overdue_at.is_none() {
                followed.overdue_at = now.checked_add(OVERDUE_AFTER);
            }
            match followed.said {
                Said::Sending | Said::WillSendLater | Said::Checking if past(followed.overdue_at) => {
                    followed.said = Said::Overdue;
                }
                Said::Sending | Said::WillSendLater | Said::Checking | Said::Overdue | Said::Attention(_) => {}
            }
            if past(followed.hidden_until) {
                followed.hidden_until = None;
            }
        }
    }

    /// The earliest moment at which `expire` would change something; always in the future after `expire`.
    fn next_deadline(&self) -> Option<Instant> {
        let give_up = self.give_up_at();
        let overdue = self.follows.as_ref().and_then(|f| match f.said {
            Said::Sending | Said::WillSendLater | Said::Checking => f.overdue_at,
            Said::Overdue | Said::Attention(_) => f.hidden_until,
        });
        let note = self.note.as_ref().and_then(|note| note.until);
        [give_up, overdue, note, self.locked_until].into_iter().flatten().min()
    }

    // ---- the display ----------------------------------------------------------------------------------------------

    fn say(&mut self, now: Instant, prompt: Prompt, stands: Duration) {
        self.note = Some(Note { prompt, until: now.checked_add(stands) });
    }

    fn prompt(&self) -> Prompt {
        if self.is_asking() && self.keypad_gone {
            return Prompt::KeypadGone;
        }
        if matches!(self.stage, Stage::Staff { .. }) && self.locked_until.is_some() {
            return Prompt::UnknownNumberWait;
        }
        if let Some(note) = &self.note {
            return note.prompt.clone();
        }
        match &self.stage {
            Stage::Closed | Stage::Open => self.resting_prompt(),
            // Nobody can key a number: the POS says who counts, and how much it is.
            Stage::Staff { .. } if !self.settings.keypad => Prompt::StartAtPos,
            Stage::Count { .. } if !self.settings.keypad => Prompt::CountAtPos,
            Stage::Staff { typed, .. } if typed.is_empty() => Prompt::Staff,
            Stage::Staff { typed, .. } => Prompt::StaffTyping { typed: typed.len() },
            Stage::Count { entry, .. } => entry.prompt(self.settings.echo),
            Stage::Confirm { ask: Ask::Check, .. } => Prompt::Check,
            Stage::Confirm { ask: Ask::Again { trouble, .. }, .. } => {
                Prompt::NotSaved { trouble: *trouble, keypad: self.settings.keypad }
            }
            Stage::Confirm { ask: Ask::Right, draft, .. } => match self.settings.echo {
                Echo::Digits => Prompt::Confirm { amount: draft.total },
                Echo::Masked => Prompt::ConfirmMasked,
            },
            Stage::Saving { .. } => Prompt::Saving,
        }
    }

    fn resting_prompt(&self) -> Prompt {
        match self.follows.as_ref().filter(|f| f.hidden_until.is_none()).map(|f| (&f.said, f.unknown)) {
            Some((Said::Attention(rows), _)) => Prompt::Text(rows.clone()),
            Some((Said::Overdue, unknown)) => Prompt::Overdue { unknown },
            Some((Said::Sending | Said::WillSendLater | Said::Checking, _)) | None => {
                Prompt::Text(self.settings.idle.clone())
            }
        }
    }

    fn says_drawer_closed(&self) -> bool {
        self.note.as_ref().is_some_and(|note| note.prompt == Prompt::DrawerClosed)
    }

    // ---- questions ------------------------------------------------------------------------------------------------

    /// Whether a person is being asked something.
    fn is_asking(&self) -> bool {
        match self.stage {
            Stage::Staff { .. } | Stage::Count { .. } | Stage::Confirm { .. } => true,
            Stage::Closed | Stage::Saving { .. } | Stage::Open => false,
        }
    }

    fn run(&self) -> Option<&Run> {
        match &self.stage {
            Stage::Staff { run, .. } | Stage::Count { run, .. } | Stage::Confirm { run, .. } | Stage::Saving { run, .. } => {
                Some(run)
            }
            Stage::Closed | Stage::Open => None,
        }
    }
}

/// `2026-11-23T07:00:00Z`: Shopify keeps whole seconds, and the read that looks for our session compares them.
fn whole_seconds(wall: Timestamp) -> String {
    wall.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

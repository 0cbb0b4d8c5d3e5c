//! What the local API may do to an opening. Each wish gets exactly one reply; a count's comes when the disk has answered.
//!
//! ## Why a count over the API is not confirmed on the display
//! Whoever sends it has shown it to a person already, who may stand nowhere near the pole display.
use std::time::Instant;

use jiff::Timestamp;

use super::{
    Output, Prompt, Refusal, Reply, Run, Shift, Stage,
    entry::{Draft, sum},
    event::{OpeningId, StartedBy},
};
use crate::money::{Amount, CountLine};

impl Shift {
    /// Starts an opening, or takes over the one that the drawer's edge started while nobody has said yet who counts: who
    /// opens the drawer with a key and then counts at the POS is one person with one wish.
    pub(super) fn start_by_api(&mut self, now: Instant, op: u64, run: Run, staff_id: String, out: &mut Vec<Output>) {
        let found = self.settings.staff.iter().find(|staff| staff.id == staff_id).cloned();
        let result = match (&self.stage, found) {
            (Stage::Open, _) => Err(Refusal::ShiftIsOpen),
            (Stage::Staff { run: waiting, .. }, Some(staff)) if waiting.by == StartedBy::Drawer => {
                let id = waiting.id.clone();
                self.note = None;
                self.touch(now);
                // By the API from here on: Clear does not lead back to a number that nobody keyed.
                self.count(Run { id: id.clone(), ..run }, staff, out);
                Ok(Reply::Started(id))
            }
            (Stage::Staff { run: waiting, .. }, Some(_)) => Err(Refusal::Busy(waiting.id.clone())),
            (Stage::Count { run, .. } | Stage::Confirm { run, .. } | Stage::Saving { run, .. }, _) => {
                Err(Refusal::Busy(run.id.clone()))
            }
            (Stage::Closed | Stage::Staff { .. }, None) => Err(Refusal::UnknownStaff { id: staff_id }),
            (Stage::Closed, Some(staff)) => {
                let id = run.id.clone();
                self.begin(now, &run, out);
                self.count(run, staff, out);
                Ok(Reply::Started(id))
            }
        };
        out.push(Output::Reply { op, result });
    }

    pub(super) fn put(
        &mut self,
        wall: Timestamp,
        op: u64,
        opening: &OpeningId,
        draft: Result<Draft, Refusal>,
        out: &mut Vec<Output>,
    ) {
        let refusal = match (self.refuse_unless_counting(opening, true), draft) {
            (Some(refusal), _) | (None, Err(refusal)) => refusal,
            (None, Ok(draft)) => match std::mem::replace(&mut self.stage, Stage::Closed) {
                Stage::Count { run, staff, .. } | Stage::Confirm { run, staff, .. } => {
                    return self.save(wall, run, staff, draft, Some(op), out);
                }
                other @ (Stage::Closed | Stage::Staff { .. } | Stage::Saving { .. } | Stage::Open) => {
                    self.stage = other;
                    Refusal::NoSuchOpening
                }
            },
        };
        out.push(Output::Reply { op, result: Err(refusal) });
    }

    pub(super) fn cancel_by_api(&mut self, now: Instant, op: u64, opening: &OpeningId, why: String, out: &mut Vec<Output>) {
        let result = match self.refuse_unless_counting(opening, false) {
            Some(refusal) => Err(refusal),
            None => {
                self.give_up(now, why, Prompt::Cancelled, out);
                Ok(Reply::Cancelled)
            }
        };
        out.push(Output::Reply { op, result });
    }

    /// `None` when this opening runs and nothing of it is written yet; with `staff_known` also when somebody is named.
    fn refuse_unless_counting(&self, opening: &OpeningId, staff_known: bool) -> Option<Refusal> {
        let not_now = |state: &str| Some(Refusal::NotInThisState { state: state.to_owned() });
        match &self.stage {
            Stage::Staff { run, .. } if run.id == *opening && staff_known => not_now("waiting for a staff number"),
            Stage::Staff { run, .. } | Stage::Count { run, .. } | Stage::Confirm { run, .. } if run.id == *opening => None,
            Stage::Saving { run, .. } if run.id == *opening => not_now("being saved"),
            Stage::Closed
            | Stage::Staff { .. }
            | Stage::Count { .. }
            | Stage::Confirm { .. }
            | Stage::Saving { .. }
            | Stage::Open => match &self.ended {
                Some((id, how)) if id == opening => not_now(how),
                Some(_) | None if self.follows.as_ref().is_some_and(|f| f.id == *opening) => not_now("counted already"),
                Some(_) | None => Some(Refusal::NoSuchOpening),
            },
        }
    }

    pub(super) fn draft_of_total(&self, total: Amount) -> Result<Draft, Refusal> {
        self.right_currency(total)?;
        if !(0..=Amount::MOST_MINOR).contains(&total.minor()) {
            return Err(Refusal::Absurd);
        }
        Ok(Draft { total, lines: Vec::new(), odd: false })
    }

    pub(super) fn draft_of_lines(&self, mut lines: Vec<CountLine>) -> Result<Draft, Refusal> {
        if lines.is_empty() {
            return Err(Refusal::NothingCounted);
        }
        let listed = &self.settings.count.denominations;
        for line in &lines {
            self.right_currency(line.denomination)?;
            if listed.is_empty() {
                return Err(Refusal::DenominationsUnknown { currency: self.settings.currency.code() });
            }
            if !listed.contains(&line.denomination) && !self.settings.currency.has_denomination(line.denomination) {
                let denomination = line.denomination.to_string();
                return Err(Refusal::DenominationUnknown { denomination, currency: self.settings.currency.code() });
            }
        }
        lines.sort_by_key(|line| std::cmp::Reverse(line.denomination.minor()));
        let twice = lines.windows(2).find(|pair| pair[0].denomination == pair[1].denomination);
        if let Some([line, _]) = twice {
            return Err(Refusal::DenominationTwice { denomination: line.denomination.to_string() });
        }
        let total = sum(&lines).ok_or(Refusal::Absurd)?;
        lines.retain(|line| line.pieces > 0);
        Ok(Draft { total, lines, odd: false })
    }

    fn right_currency(&self, given: Amount) -> Result<(), Refusal> {
        let (given, expected) = (given.currency().code(), self.settings.currency.code());
        if given == expected { Ok(()) } else { Err(Refusal::WrongCurrency { given, expected }) }
    }
}

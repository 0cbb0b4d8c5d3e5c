//! Recording a count in a session that somebody else opened: what is looked at before, and what answers and reads mean.
//!
//! ## Why it is stricter than opening
//! A second open meets `ALREADY_OPEN`; a second count is simply added. Lines of the ledger have no id and, in 2026-04, no
//! note; ours is recognised by its time and amount alone (Admin API fact sheet, 7). So before every attempt the ledger is
//! read, and without a time of its own an unknown attempt is never sent again.
use std::time::Instant;

use super::{
    Activities, ActivityRead, CLOCKS_DIFFER, CountLineAt, MAX_ATTEMPTS, Opening, Outcome, Output, READS_FOR_ABSENCE, State,
    Wait, content::count_variables,
};
use crate::shift::event::{Event, SessionFacts};

impl Opening {
    /// Looks into the ledger before anything is sent.
    pub(super) fn preflight_count(&mut self, now: Instant, attempt: u8, read: ActivityRead) -> (State, Vec<Output>) {
        let Some(into) = self.into.clone() else { return (State::Preflight { attempt }, vec![]) };
        let ledger = match read {
            ActivityRead::Healthy(ledger) => ledger,
            ActivityRead::Failed { why, retry_after } => {
                return self.waits(now, attempt, why, retry_after.map_or(Wait::Usual, Wait::Asked));
            }
        };
        if self.in_doubt && self.is_recorded(&ledger) {
            return self.recorded("found", into);
        }
        if !ledger.open {
            return self.closed_meanwhile(into);
        }
        let variables = match self.variables.take() {
            Some(same) if self.in_doubt => same,
            Some(_) | None => {
                count_variables(&self.id, &self.counted, &into, self.clock_at_count(now, ledger.date), ledger.date)
            }
        };
        self.variables = Some(variables.clone());
        if !self.in_doubt && self.is_recorded(&ledger) {
            let why = "a count with this time and amount stands in that session already: look whether it is this one";
            return self.ask("ambiguous", why.to_owned(), Some(into));
        }
        self.intend(attempt, variables)
    }

    pub(super) fn judge_count(
        &mut self,
        now: Instant,
        attempt: u8,
        into: &SessionFacts,
        outcome: Outcome,
    ) -> (State, Vec<Output>) {
        match outcome {
            Outcome::Executed(session) if session.id == into.id => self.recorded("answered", into.clone()),
            Outcome::Executed(session) => {
                let why = format!("Shopify answered with session {}, which is not the one counted into", session.id);
                self.unknown(now, attempt, why)
            }
            Outcome::Refused { code, message } | Outcome::Rejected { code, message } => {
                self.did_not_run();
                let why = format!("Shopify does not take the count into session {}: {code}: {message}", into.id);
                self.ask("count_refused", why, Some(into.clone()))
            }
            Outcome::NotExecuted { why, wait } => {
                self.did_not_run();
                self.waits(now, attempt, why, wait)
            }
            Outcome::Unknown { why } => self.unknown(now, attempt, why),
        }
    }

    pub(super) fn reconcile_count(
        &mut self,
        now: Instant,
        attempt: u8,
        since: Instant,
        negative: u32,
        read: ActivityRead,
    ) -> (State, Vec<Output>) {
        let Some(into) = self.into.clone() else { return (State::Reading { attempt, since, negative }, vec![]) };
        let again = |wait, negative| {
            let at = now + wait;
            (State::Unknown { attempt, since, negative, at }, vec![Output::WakeAt(at)])
        };
        let ledger = match read {
            ActivityRead::Healthy(ledger) => ledger,
            ActivityRead::Failed { retry_after, .. } => return again(self.back_off_reads(retry_after), negative),
        };
        self.read_wait = self.waits.read_every;
        if self.is_recorded(&ledger) {
            return self.recorded("found", into);
        }
        if now < since + self.waits.quiet_period {
            return again(self.waits.read_every, 0);
        }
        if negative + 1 < READS_FOR_ABSENCE {
            return again(self.waits.read_every, negative + 1);
        }
        let sent = self.sent_time();
        if sent.is_none() || self.resembles(&ledger) || !self.page_reaches_back(ledger.complete, ledger.oldest) {
            let why = format!(
                "nobody can tell whether the count was recorded in session {}: look at its activities in Shopify",
                into.id
            );
            return self.ask("ambiguous", why, Some(into));
        }
        if !ledger.open {
            return self.closed_meanwhile(into);
        }
        if attempt >= MAX_ATTEMPTS {
            let why = format!("{MAX_ATTEMPTS} attempts to record the count in session {} came to nothing", into.id);
            return self.ask("attempts_used_up", why, Some(into));
        }
        self.absent(now, attempt, negative + 1)
    }

    fn recorded(&mut self, how: &str, session: SessionFacts) -> (State, Vec<Output>) {
        self.store(Event::OpeningRecorded { how: how.to_owned(), session }, State::Settled)
    }

    fn closed_meanwhile(&mut self, into: SessionFacts) -> (State, Vec<Output>) {
        let why = format!("session {} was closed before the count could be recorded in it: the count is kept", into.id);
        let session = SessionFacts { status: "CLOSED".to_owned(), ..into };
        self.ask("count_refused", why, Some(session))
    }

    /// A line has our time and our amount. Without a time of ours none can be told from another.
    fn is_recorded(&self, ledger: &Activities) -> bool {
        self.sent_time().is_some_and(|sent| ledger.counts.iter().any(|line| line.time == sent && self.same_amount(line)))
    }

    /// A line has our amount and may have been given another time.
    fn resembles(&self, ledger: &Activities) -> bool {
        let since =
            |line: &CountLineAt| self.sent_time().is_none_or(|sent| line.time.duration_since(sent) >= -CLOCKS_DIFFER);
        ledger.counts.iter().any(|line| since(line) && self.same_amount(line))
    }

    fn same_amount(&self, line: &CountLineAt) -> bool {
        line.counted.equals(&self.counted.balance)
    }
}

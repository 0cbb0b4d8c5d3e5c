//! Which slip is printed when, and what it says: from journal facts only.
//!
//! A slip that is due asks the printer for its turn, which comes when the printer could begin at once. Then its intent goes to
//! the disk, and only then the slip is composed and sent. So a slip that still waits for paper is owed, not begun: a restart
//! forgets nothing, and it says what is known when it is printed.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{desk::ReprintRefused, records::Records};
use crate::{
    config,
    device::Piece,
    driver::escpos::command::CUT_AWAY,
    journal::chain,
    money::{Amount, CountLine, Currency},
    opening::record::{Record, SlipOwed, Standing},
    shift::{
        Refusal,
        event::{Counted, Money, OpeningId},
    },
    slip::{self, SlipFacts, SlipKind, SlipSession},
};

/// How long the first slip waits for Shopify's answer before it says "not yet confirmed".
const WAIT_FOR_ANSWER: Duration = Duration::from_secs(4);
/// When the journal could not take a slip's intent, it is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Copies that may wait; who wants more has time to look at the printer.
const COPIES: usize = 3;
/// A copy, as the journal writes it.
const COPY: &str = "copy";

/// A slip on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub opening: OpeningId,
    pub kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// None is due.
    Resting,
    /// The printer was asked for its turn.
    Asked,
    /// Its intent is on its way to the disk.
    Noting(Begun),
    /// Handed to the printer.
    Printing(Begun),
}

/// One till's slips. One at a time is on its way.
pub(super) struct SlipDesk {
    printer: Option<crate::device::profile::PrinterProfile>,
    shop: config::Shop,
    till: String,
    second_slip: bool,
    blind: bool,
    stage: Stage,
    /// Its number at the printer; rises with each slip that asks for its turn.
    job: u64,
    /// A first slip that waits for Shopify's answer, and until when.
    patient: Option<(OpeningId, Instant)>,
    not_before: Option<Instant>,
    copies: VecDeque<Record>,
    /// A slip before was not proven: half of it may hang out of the printer.
    torn: bool,
}

impl SlipDesk {
    pub(super) fn new(printer: Option<&config::Printer>, shop: &config::Shop, till: &config::Till) -> Self {
        Self {
            printer: printer.map(|p| p.profile.clone()),
            shop: shop.clone(),
            till: till.name.clone(),
            second_slip: till.count.second_slip,
            blind: till.count.blind,
            stage: Stage::Resting,
            job: 0,
            patient: None,
            not_before: None,
            copies: VecDeque::new(),
            torn: false,
        }
    }

    /// A slip is not proven: what may hang out of the printer is cut away before the next one.
    pub(super) const fn was_torn(&mut self) {
        self.torn = true;
    }

    /// The number to ask the printer's turn for, if a slip is due that has not asked yet.
    pub(super) fn ask(&mut self, now: Instant, records: &Records) -> Option<u64> {
        self.printer.as_ref()?;
        if self.stage != Stage::Resting || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.not_before = None;
        self.due(now, records)?;
        self.stage = Stage::Asked;
        self.job += 1;
        Some(self.job)
    }

    /// The printer could begin. What is due now is begun: its intent goes to the disk first.
    pub(super) fn turn(&mut self, now: Instant, job: u64, records: &Records) -> Option<Begun> {
        if self.stage != Stage::Asked || job != self.job {
            return None;
        }
        self.stage = self.due(now, records).map_or(Stage::Resting, Stage::Noting);
        match &self.stage {
            Stage::Noting(begun) => Some(begun.clone()),
            Stage::Resting | Stage::Asked | Stage::Printing(_) => None,
        }
    }

    /// The intent is on disk, `head` is its hash: the slip's number and bytes.
    ///
    /// # Errors
    /// Why there is nothing to print, in words; the slip is over.
    pub(super) fn compose(
        &mut self,
        begun: &Begun,
        records: &Records,
        head: &[u8; 32],
    ) -> Result<(u64, Vec<Piece>), String> {
        let copied = if begun.kind == COPY { self.copies.pop_front() } else { None };
        self.stage = Stage::Resting;
        let record = copied.as_ref().or_else(|| records.find(&begun.opening)).ok_or("the opening is gone")?;
        let profile = self.printer.as_ref().ok_or("no printer is configured")?;
        let facts = self.facts(record, begun.kind, head).ok_or("the journal's amounts or times cannot be read")?;
        let document = slip::lay_out(&facts, profile.columns, profile.code_page);
        let mut pieces = document.to_escpos(profile).map_err(|e| e.to_string())?;
        if std::mem::take(&mut self.torn)
            && profile.cutter
            && let Some(first) = pieces.first_mut()
        {
            first.splice(..0, CUT_AWAY);
        }
        self.stage = Stage::Printing(begun.clone());
        Ok((self.job, pieces))
    }

    /// The intent could not be stored: it is tried again.
    pub(super) fn not_noted(&mut self, now: Instant) {
        self.stage = Stage::Resting;
        self.not_before = Some(now + ASK_AGAIN);
    }

    /// The printer is done with a job: whose slip it was.
    pub(super) fn over(&mut self, job: u64) -> Option<Begun> {
        match &self.stage {
            Stage::Printing(begun) if job == self.job => {
                let begun = begun.clone();
                self.stage = Stage::Resting;
                Some(begun)
            }
            Stage::Printing(_) | Stage::Resting | Stage::Asked | Stage::Noting(_) => None,
        }
    }

    /// A slip is between its intent and the printer's answer.
    pub(super) const fn is_under_way(&self) -> bool {
        match self.stage {
            Stage::Noting(_) | Stage::Printing(_) => true,
            Stage::Resting | Stage::Asked => false,
        }
    }

    /// When [`SlipDesk::ask`] may have something new to say.
    pub(super) fn wake(&self) -> Option<Instant> {
        match self.stage {
            Stage::Resting if self.printer.is_some() => {
                self.not_before.or_else(|| self.patient.as_ref().map(|(_, until)| *until))
            }
            Stage::Resting | Stage::Asked | Stage::Noting(_) | Stage::Printing(_) => None,
        }
    }

    /// Asks for a copy of an old slip.
    pub(super) fn copy(&mut self, record: &Record) -> Result<crate::shift::Reply, Refusal> {
        let refused = |why: ReprintRefused| Err(Refusal::NotInThisState { state: why.to_string() });
        if self.printer.is_none() {
            return refused(ReprintRefused::NoPrinter);
        }
        if record.counted.is_none() {
            return refused(ReprintRefused::NotCounted);
        }
        if self.copies.len() >= COPIES {
            return refused(ReprintRefused::Busy);
        }
        self.copies.push_back(record.clone());
        Ok(crate::shift::Reply::Counted)
    }

    /// The slip that comes next: copies first, because somebody waits for them; then the oldest that is owed.
    fn due(&mut self, now: Instant, records: &Records) -> Option<Begun> {
        if let Some(copy) = self.copies.front() {
            return Some(Begun { opening: copy.id.clone(), kind: COPY });
        }
        for record in records.all() {
            let Some(owed) = record.slip_owed(self.second_slip) else { continue };
            if self.is_patient(now, record, owed) {
                return None;
            }
            return Some(Begun { opening: record.id.clone(), kind: owed.name() });
        }
        self.patient = None;
        None
    }

    /// Shopify mostly answers within a second: a first slip that waits for it a little can say so.
    fn is_patient(&mut self, now: Instant, record: &Record, owed: SlipOwed) -> bool {
        let outstanding = matches!(record.standing, Standing::Counted | Standing::Sending | Standing::Unknown { .. });
        if owed != SlipOwed::First || !outstanding {
            self.patient = None;
            return false;
        }
        match &self.patient {
            Some((id, until)) if *id == record.id => now < *until,
            Some(_) | None => {
                self.patient = Some((record.id.clone(), now + WAIT_FOR_ANSWER));
                true
            }
        }
    }

    fn facts(&self, record: &Record, kind: &str, head: &[u8; 32]) -> Option<SlipFacts> {
        let counted = record.counted.as_ref()?;
        let currency = Currency::from_code(&counted.balance.currency)?;
        let zone = |t: Timestamp| t.to_zoned_datetime(self.shop.time_zone.clone());
        let session = match &record.standing {
            Standing::Confirmed { session } => SlipSession::Confirmed {
                id: session.id.clone(),
                opened_at: zone(session.opening_time.parse().ok()?),
                // Blind: who counts must not learn what Shopify expected.
                expected: session.expected.as_ref().and_then(amount_of).filter(|_| !self.blind),
            },
            Standing::Refused { message, code, .. } => SlipSession::Refused { code: code.clone(), text: message.clone() },
            Standing::NeedsAttention { kind, session: Some(other), .. } if kind == "foreign_session" => {
                SlipSession::Foreign {
                    id: other.id.clone(),
                    opened_at: zone(other.opening_time.parse().ok()?),
                    // Blind: what a colleague counted is as good as what Shopify expected.
                    amount: amount_of(&other.counted).filter(|_| !self.blind),
                }
            }
            Standing::NeedsAttention { why, .. } => SlipSession::NeedsAttention { text: why.clone() },
            Standing::Recorded { session } => {
                SlipSession::Recorded { id: session.id.clone(), opened_at: zone(session.opening_time.parse().ok()?) }
            }
            Standing::Stale { why } => SlipSession::Over { title: "TOO OLD, COUNT AGAIN", text: why.clone() },
            Standing::GivenUp { why, .. } => SlipSession::GivenUp { text: why.clone() },
            Standing::Started
            | Standing::Cancelled { .. }
            | Standing::Counted
            | Standing::Sending
            | Standing::Waiting { .. }
            | Standing::Unknown { .. } => SlipSession::NotYet { second_follows: self.second_slip },
        };
        Some(SlipFacts {
            shop: self.shop.name.clone(),
            till: self.till.clone(),
            staff: counted.staff_name.clone(),
            counted_at: zone(counted.time.parse().ok()?),
            lines: lines_of(counted, currency)?,
            total: Amount::parse(&counted.balance.amount, currency).ok()?,
            reference: record.id.to_string(),
            head: chain::short(head),
            session,
            kind: if kind == "confirmation" { SlipKind::Confirmation } else { SlipKind::First },
            copy: kind == COPY,
            note: counted.note.clone(),
        })
    }
}

fn lines_of(counted: &Counted, currency: Currency) -> Option<Vec<CountLine>> {
    let line = |p: &crate::shift::event::Pieces| {
        let denomination = Amount::parse(&p.denomination, currency).ok()?;
        Some(CountLine { denomination, pieces: p.pieces })
    };
    counted.lines.iter().map(line).collect()
}

/// Shopify drops trailing zeros; the slip shows the currency's decimals.
fn amount_of(Money { amount, currency }: &Money) -> Option<Amount> {
    let currency = Currency::from_code(currency)?;
    let number: rust_decimal::Decimal = amount.parse().ok()?;
    Amount::parse(&number.round_dp(currency.exponent()).normalize().to_string(), currency).ok()
}

#[cfg(test)]
mod tests;

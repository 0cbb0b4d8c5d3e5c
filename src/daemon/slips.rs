//! Which slip is printed when, and what it says: from journal facts only.
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::desk::ReprintRefused;
use crate::{
    config,
    device::Piece,
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

/// What goes to the printer.
pub(super) struct PrintJobs {
    pub job: u64,
    pub pieces: Vec<Piece>,
}

/// One till's slips. One at a time is on its way.
pub(super) struct SlipDesk {
    printer: Option<crate::device::profile::PrinterProfile>,
    shop: config::Shop,
    till: String,
    second_slip: bool,
    blind: bool,
    next_job: u64,
    first_until: Option<(OpeningId, Instant)>,
    busy: Option<(OpeningId, &'static str)>,
    job: Option<u64>,
    copies: Vec<Record>,
    copying: Option<Record>,
}

impl SlipDesk {
    pub(super) fn new(printer: Option<&config::Printer>, shop: &config::Shop, till: &config::Till) -> Self {
        Self {
            printer: printer.map(|p| p.profile.clone()),
            shop: shop.clone(),
            till: till.name.clone(),
            second_slip: till.count.second_slip,
            blind: till.count.blind,
            next_job: 1,
            first_until: None,
            busy: None,
            job: None,
            copies: vec![],
            copying: None,
        }
    }

    /// The opening changed: a first slip may have to wait for Shopify's answer for a while.
    pub(super) fn consider(&mut self, now: Instant, record: Option<&Record>) {
        let waits_for = |r: &&Record| {
            let outstanding = matches!(r.standing, Standing::Counted | Standing::Sending);
            r.slip_owed(self.second_slip) == Some(SlipOwed::First) && outstanding
        };
        match record.filter(waits_for) {
            Some(record) if self.first_until.as_ref().is_none_or(|(id, _)| *id != record.id) => {
                self.first_until = Some((record.id.clone(), now + WAIT_FOR_ANSWER));
            }
            Some(_) => {}
            None => self.first_until = None,
        }
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        self.first_until.as_ref().filter(|_| self.busy.is_none()).map(|(_, at)| *at)
    }

    /// Which slip begins now, if any. Its intent must be on disk before [`SlipDesk::compose`].
    pub(super) fn begin(&mut self, now: Instant, record: Option<&Record>) -> Option<(OpeningId, &'static str)> {
        if self.printer.is_none() || self.busy.is_some() {
            return None;
        }
        if let Some(copy) = self.copies.pop() {
            let id = copy.id.clone();
            self.copying = Some(copy);
            self.busy = Some((id, "copy"));
            return self.busy.clone();
        }
        let record = record?;
        let kind = record.slip_owed(self.second_slip)?;
        if self.first_until.as_ref().is_some_and(|(id, at)| *id == record.id && now < *at) {
            return None;
        }
        self.first_until = None;
        self.busy = Some((record.id.clone(), kind.name()));
        self.busy.clone()
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
        if self.copies.len() >= 3 {
            return refused(ReprintRefused::Busy);
        }
        self.copies.insert(0, record.clone());
        Ok(crate::shift::Reply::Counted)
    }

    /// The slip's bytes. `record` is the till's newest opening.
    pub(super) fn compose(
        &mut self,
        opening: &OpeningId,
        kind: &'static str,
        record: Option<&Record>,
    ) -> Result<PrintJobs, String> {
        let copied = self.copying.take().filter(|_| kind == "copy");
        let record = copied.as_ref().or(record).filter(|r| r.id == *opening).ok_or("the opening is gone")?;
        let profile = self.printer.as_ref().ok_or("no printer is configured")?;
        let facts = self.facts(record, kind).ok_or("the journal's amounts cannot be read")?;
        let document = slip::lay_out(&facts, profile.columns, profile.code_page);
        let pieces = document.to_escpos(profile).map_err(|e| e.to_string())?;
        let job = self.next_job;
        self.next_job += 1;
        self.job = Some(job);
        Ok(PrintJobs { job, pieces })
    }

    /// The printer is done with a job: whose slip it was.
    pub(super) fn over(&mut self, job: u64) -> Option<(OpeningId, String)> {
        if self.job != Some(job) {
            return None;
        }
        self.job = None;
        self.busy.take().map(|(id, kind)| (id, kind.to_owned()))
    }

    /// The intent could not be stored, or the slip not composed.
    pub(super) fn not_begun(&mut self) {
        self.busy = None;
        self.job = None;
    }

    fn facts(&self, record: &Record, kind: &str) -> Option<SlipFacts> {
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
            session,
            kind: if kind == "confirmation" { SlipKind::Confirmation } else { SlipKind::First },
            copy: kind == "copy",
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

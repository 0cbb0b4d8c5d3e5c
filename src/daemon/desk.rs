//! What the local API may ask of a till, and what a till shows of itself.
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::recorder::Recorder;
use crate::{
    device::{DrawerState, KickOutcome, KickRefused, Link, Paper, PrinterStatus, worker::PrinterHandle},
    money::{Amount, CountLine, Currency},
    opening::record::{Record, SlipState, Standing},
    shift::{
        Phase, Refusal, Reply,
        event::{Decision, Event, OpeningId},
    },
};

/// Where an answer goes.
pub type Answer = oneshot::Sender<Result<Reply, Refusal>>;

/// A wish of the API.
#[derive(Debug)]
pub enum Command {
    /// Start an opening.
    Start {
        /// `gid://shopify/StaffMember/N`.
        staff_member_id: String,
        /// For Shopify.
        note: String,
        /// Instead of the configured one.
        reason_code_id: Option<String>,
        /// Answered at once.
        reply: Answer,
    },
    /// The count as one total.
    PutTotal {
        /// Which opening.
        opening: OpeningId,
        /// The float.
        total: Amount,
        /// Answered when it is on disk.
        reply: Answer,
    },
    /// The count by denomination.
    PutLines {
        /// Which opening.
        opening: OpeningId,
        /// Pieces.
        lines: Vec<CountLine>,
        /// Answered when it is on disk.
        reply: Answer,
    },
    /// Give up an opening that is not counted.
    Cancel {
        /// Which opening.
        opening: OpeningId,
        /// In words.
        why: String,
        /// Answered at once.
        reply: Answer,
    },
    /// A person decides about an opening.
    Resolve {
        /// What.
        wish: ResolveWish,
        /// Answered when it is on disk.
        reply: oneshot::Sender<Result<(), ResolveRefused>>,
    },
    /// Print a copy of a slip.
    Reprint {
        /// The opening.
        record: Box<Record>,
        /// Answered when the copy is queued.
        reply: Answer,
    },
}

/// What a person decides about an opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveWish {
    /// Which opening.
    pub opening: OpeningId,
    /// What the journal has of it, oldest first.
    pub history: Vec<Event>,
    /// Who decides.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// What.
    pub decision: Decision,
    /// `gid://shopify/PointOfSaleDevicePaymentSession/N`, for `Link` and `RecordCount`.
    pub session_id: Option<String>,
}

/// Why a decision was not taken. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveRefused {
    /// Not in this state.
    #[error("this cannot be decided now: {0}")]
    NotNow(String),
    /// The device has no such session.
    #[error("the device's newest sessions at Shopify do not show {0}: `drawerbridge openings show` names those in question")]
    NoSuchSession(String),
    /// Shopify could not be read, so the session could not be looked at.
    #[error("Shopify could not be asked for that session ({0}): try again when it answers")]
    Unread(String),
    /// The disk refused.
    #[error(
        "the decision is not saved yet ({0}): mend that; it is written as soon as the disk takes it, so look before you decide again"
    )]
    NotSaved(String),
}

/// Why no copy is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReprintRefused {
    /// No printer.
    #[error("without a printer: this till has none in its configuration")]
    NoPrinter,
    /// No count.
    #[error("not counted, so there is no slip")]
    NotCounted,
    /// Too many wait.
    #[error("in the printer's queue several times already")]
    Busy,
}

/// Something that is known, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<T> {
    what: T,
    since: Timestamp,
}

impl<T: PartialEq> Known<T> {
    /// Known from now on.
    pub const fn new(now: Timestamp, what: T) -> Self {
        Self { what, since: now }
    }
    /// What is known now. Knowing the same again changes nothing.
    pub fn set(&mut self, now: Timestamp, what: T) {
        if self.what != what {
            *self = Self { what, since: now };
        }
    }
    /// What is known.
    pub const fn get(&self) -> &T {
        &self.what
    }
    /// For the API: RFC 3339, UTC, whole seconds.
    fn since(&self) -> String {
        self.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// A till as the API reaches it.
#[derive(Debug, Clone)]
pub struct TillHandle {
    /// Its name.
    pub name: String,
    /// The shop's currency.
    pub currency: Currency,
    /// Whether a second slip follows a late answer.
    pub second_slip: bool,
    /// Wishes.
    pub commands: mpsc::Sender<Command>,
    /// What it shows of itself.
    pub view: watch::Receiver<TillView>,
    /// For kicks: they go to the printer without a detour.
    pub printer: Option<PrinterHandle>,
}

impl TillHandle {
    /// Opens the drawer and notes who wanted it and what came of it, also when who asked has stopped listening meanwhile.
    ///
    /// # Errors
    /// Why no pulse was sent.
    pub async fn kick(&self, recorder: &Recorder, reason: String) -> Result<KickOutcome, KickRefused> {
        let printer = self.printer.clone().ok_or(KickRefused::NoDrawer)?;
        let (recorder, till) = (recorder.clone(), self.name.clone());
        let kicked = tokio::spawn(async move {
            let outcome = printer.kick().await;
            let word = outcome.as_ref().map_or("refused", |outcome| kick_word(*outcome));
            recorder.note(&till, Event::DrawerKicked { reason, outcome: word.to_owned() });
            outcome
        });
        let failed = || KickRefused::Unreachable("the kick failed inside drawerbridge: see its log".to_owned());
        kicked.await.unwrap_or_else(|_| Err(failed()))
    }
}

/// As the API and the journal spell it.
#[must_use]
pub const fn kick_word(outcome: KickOutcome) -> &'static str {
    match outcome {
        KickOutcome::Opened => "opened",
        KickOutcome::NotProven => "not_proven",
        KickOutcome::AlreadyOpen => "already_open",
        KickOutcome::Jammed => "jammed",
    }
}

/// What `GET /v1/tills/{till}` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TillView {
    /// Its name.
    pub name: String,
    /// The drawer.
    pub drawer: DrawerView,
    /// The printer, if one is configured.
    pub printer: Option<PrinterView>,
    /// The display, if one is configured.
    pub display: Option<LinkView>,
    /// Keypads and scanners, in the configuration's order.
    pub keypads: Vec<LinkView>,
    /// `open` or `closed`.
    pub shift: &'static str,
    /// Where the operator's machine stands.
    pub phase: Phase,
    /// Wrong staff numbers since the last right one.
    pub wrong_numbers: u32,
    /// The newest opening.
    pub opening: Option<OpeningView>,
}

/// The drawer's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrawerView {
    /// `open`, `closed`, `left_open`, `jammed` or `unknown`.
    pub state: &'static str,
    /// Why it is unknown.
    pub why: Option<String>,
    /// Since when this is so; RFC 3339, UTC.
    pub since: String,
}

/// The printer's state; `null` is "not known".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrinterView {
    /// `starting`, `up` or `down`.
    pub link: &'static str,
    /// Why it is down, and what to do.
    pub why: Option<String>,
    /// Online.
    pub online: Option<bool>,
    /// `ok`, `near_end` or `out`.
    pub paper: Option<&'static str>,
    /// Cover open.
    pub cover_open: Option<bool>,
    /// An error a person must mend.
    pub error: Option<String>,
    /// Maker and model, as the printer says.
    pub identity: Option<String>,
    /// Since when all this is so; RFC 3339, UTC.
    pub since: String,
}

/// A display's or keypad's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// `starting`, `up` or `down`.
    pub link: &'static str,
    /// Why it is down, and what to do.
    pub why: Option<String>,
    /// Since when this is so; RFC 3339, UTC.
    pub since: String,
}

impl LinkView {
    /// From a link.
    #[must_use]
    pub fn of(known: &Known<Link>) -> Self {
        let (link, why) = link_words(known.get());
        Self { link, why, since: known.since() }
    }
}

/// An opening in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpeningView {
    /// Its id, which is its reference at Shopify.
    pub id: OpeningId,
    /// When it began.
    pub at: String,
    /// `started`, `cancelled`, `counted`, `sending`, `waiting`, `unknown`, `confirmed`, `refused`, `needs_attention`,
    /// `recorded`, `stale`, `given_up`.
    pub state: &'static str,
    /// What a person must decide about, as in `opening.needs_attention`; not once the session in the way was closed.
    pub attention: Option<String>,
    /// What happened, for people.
    pub why: Option<String>,
    /// Who counted.
    pub staff: Option<String>,
    /// The count as a decimal string.
    pub total: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// By denomination.
    pub denominations: Option<std::collections::BTreeMap<String, u32>>,
    /// Moment of confirmation.
    pub counted_at: Option<String>,
    /// Shopify's session.
    pub session_id: Option<String>,
    /// What became of its slip.
    pub slip: SlipState,
}

impl OpeningView {
    /// From the journal.
    #[must_use]
    pub fn of(record: &Record, second_slip: bool) -> Self {
        let counted = record.counted.as_ref();
        let pieces = |c: &crate::shift::event::Counted| {
            c.lines.iter().map(|l| (l.denomination.clone(), l.pieces)).collect::<std::collections::BTreeMap<_, _>>()
        };
        Self {
            id: record.id.clone(),
            at: record.at.to_string(),
            state: record.standing.name(),
            attention: attention(record).map(str::to_owned),
            why: record.standing.why().map(str::to_owned),
            staff: counted.map(|c| c.staff_name.clone()),
            total: counted.map(|c| c.balance.amount.clone()),
            currency: counted.map(|c| c.balance.currency.clone()),
            denominations: counted.filter(|c| !c.lines.is_empty()).map(pieces),
            counted_at: counted.map(|c| c.time.clone()),
            session_id: record.session().map(|s| s.id.clone()),
            slip: record.slip_state(second_slip),
        }
    }
}

fn attention(record: &Record) -> Option<&str> {
    let Standing::NeedsAttention { kind, .. } = &record.standing else { return None };
    record.needs_a_person().then_some(kind)
}

const fn drawer_word(state: &DrawerState) -> &'static str {
    match state {
        DrawerState::Unknown { .. } => "unknown",
        DrawerState::Closed => "closed",
        DrawerState::Open => "open",
        DrawerState::LeftOpen => "left_open",
        DrawerState::Jammed => "jammed",
    }
}

fn link_words(link: &Link) -> (&'static str, Option<String>) {
    match link {
        Link::Starting => ("starting", None),
        Link::Up => ("up", None),
        Link::Down { why } => ("down", Some(why.clone())),
    }
}

/// For people.
#[must_use]
pub const fn paper_text(paper: Paper) -> &'static str {
    match paper {
        Paper::Ok => "paper ok",
        Paper::NearEnd => "paper near its end",
        Paper::Out => "paper out",
    }
}

/// The drawer's state in one word, with the reason where it is not known.
#[must_use]
pub fn drawer_view(known: &Known<DrawerState>) -> DrawerView {
    let why = match known.get() {
        DrawerState::Unknown { why } => Some(why.clone()),
        DrawerState::Closed | DrawerState::Open | DrawerState::LeftOpen | DrawerState::Jammed => None,
    };
    DrawerView { state: drawer_word(known.get()), why, since: known.since() }
}

/// What the printer says of itself.
#[must_use]
pub fn printer_view(known: &Known<PrinterStatus>) -> PrinterView {
    let PrinterStatus { link, online, paper, cover_open, error, identity } = known.get();
    let (link, why) = link_words(link);
    let paper = paper.map(|p| match p {
        Paper::Ok => "ok",
        Paper::NearEnd => "near_end",
        Paper::Out => "out",
    });
    PrinterView {
        link,
        why,
        online: *online,
        paper,
        cover_open: *cover_open,
        error: error.clone(),
        identity: identity.clone(),
        since: known.since(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowing_the_same_again_keeps_the_moment_it_was_learned() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let mut link = Known::new(at(0), Link::Starting);
        link.set(at(5), Link::Up);
        link.set(at(9), Link::Up);
        assert_eq!(LinkView::of(&link), LinkView { link: "up", why: None, since: "1970-01-01T00:00:05Z".to_owned() });
    }
}

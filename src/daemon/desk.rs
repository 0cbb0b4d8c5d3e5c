//! What the local API may ask of a till, and what a till shows of itself.
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    device::{DrawerState, Link, Paper, PrinterStatus, worker::PrinterHandle},
    money::{Amount, CountLine, Currency},
    opening::record::Record,
    shift::{Phase, Refusal, Reply, Shift, event::OpeningId},
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
    /// Print a copy of a slip.
    Reprint {
        /// The opening.
        record: Box<Record>,
        /// Answered when the copy is queued.
        reply: Answer,
    },
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

/// A till as the API reaches it.
#[derive(Debug, Clone)]
pub struct TillHandle {
    /// Its name.
    pub name: String,
    /// The shop's currency.
    pub currency: Currency,
    /// Wishes.
    pub commands: mpsc::Sender<Command>,
    /// What it shows of itself.
    pub view: watch::Receiver<TillView>,
    /// For kicks: they go to the printer without a detour.
    pub printer: Option<PrinterHandle>,
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
    pub display: Option<KeypadView>,
    /// Keypads and scanners, in the configuration's order.
    pub keypads: Vec<KeypadView>,
    /// `open` or `closed`.
    pub shift: &'static str,
    /// Where the operator's machine stands.
    pub phase: Phase,
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
}

/// A display's or keypad's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeypadView {
    /// `starting`, `up` or `down`.
    pub link: &'static str,
    /// Why it is down, and what to do.
    pub why: Option<String>,
}

impl KeypadView {
    /// From a link.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        let (link, why) = link_words(link);
        Self { link, why }
    }
}

/// An opening in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpeningView {
    /// Its id, which is its reference at Shopify.
    pub id: OpeningId,
    /// When it began.
    pub at: String,
    /// `started`, `counted`, `sending`, `waiting`, `unknown`, `confirmed`, `refused`, `needs_attention`, `cancelled`.
    pub state: &'static str,
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
}

impl OpeningView {
    /// From the journal.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let counted = record.counted.as_ref();
        let pieces = |c: &crate::shift::event::Counted| {
            c.lines.iter().map(|l| (l.denomination.clone(), l.pieces)).collect::<std::collections::BTreeMap<_, _>>()
        };
        Self {
            id: record.id.clone(),
            at: record.at.to_string(),
            state: record.standing.name(),
            why: record.standing.why().map(str::to_owned),
            staff: counted.map(|c| c.staff_name.clone()),
            total: counted.map(|c| c.balance.amount.clone()),
            currency: counted.map(|c| c.balance.currency.clone()),
            denominations: counted.filter(|c| !c.lines.is_empty()).map(pieces),
            counted_at: counted.map(|c| c.time.clone()),
            session_id: record.session().map(|s| s.id.clone()),
        }
    }
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

impl TillView {
    /// Puts together what is known.
    #[must_use]
    pub fn of(
        name: &str,
        drawer: &DrawerState,
        printer: Option<&PrinterStatus>,
        display: Option<&Link>,
        keypads: Vec<KeypadView>,
        shift: &Shift,
        record: Option<&Record>,
    ) -> Self {
        let phase = shift.phase();
        Self {
            name: name.to_owned(),
            drawer: drawer_view(drawer),
            printer: printer.map(printer_view),
            display: display.map(KeypadView::of),
            keypads,
            shift: if matches!(phase, Phase::Saved | Phase::Open) { "open" } else { "closed" },
            phase,
            opening: record.map(OpeningView::of),
        }
    }
}

/// The drawer's state in one word, with the reason where it is not known.
#[must_use]
pub fn drawer_view(drawer: &DrawerState) -> DrawerView {
    let why = match drawer {
        DrawerState::Unknown { why } => Some(why.clone()),
        DrawerState::Closed | DrawerState::Open | DrawerState::LeftOpen | DrawerState::Jammed => None,
    };
    DrawerView { state: drawer_word(drawer), why }
}

fn printer_view(status: &PrinterStatus) -> PrinterView {
    let (link, why) = link_words(&status.link);
    let paper = status.paper.map(|p| match p {
        Paper::Ok => "ok",
        Paper::NearEnd => "near_end",
        Paper::Out => "out",
    });
    PrinterView {
        link,
        why,
        online: status.online,
        paper,
        cover_open: status.cover_open,
        error: status.error.clone(),
        identity: status.identity.clone(),
    }
}

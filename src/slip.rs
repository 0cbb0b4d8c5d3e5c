//! What the shift-start slip says, laid out for a paper width. Printed, it is what a person signs.
//!
//! [`lay_out`] turns facts into a [`Document`] of lines that fit; [`Document::to_text`] shows it in a terminal,
//! [`Document::to_escpos`] makes the bytes of a receipt printer. Sending them and proving that they are on paper is for the
//! printer's worker.
//!
//! ## Why the lines are placed with spaces
//! A line that fits font A's columns looks the same on every make. Centring, tabs and right alignment by command are read
//! differently (on Star's line mode `1B 61 n` is a line feed), so only the QR code uses them.
mod escpos;
mod lines;
mod printable;
mod session;

use jiff::ZonedDateTime;
use rust_decimal::Decimal;
use thiserror::Error;

use crate::device::profile::CodePage;
use crate::money::{Amount, CountLine};

pub(crate) use lines::wrap;
pub use printable::printable;

/// Everything a slip says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlipFacts {
    /// The shop's name.
    pub shop: String,
    /// The till's name.
    pub till: String,
    /// Who counted.
    pub staff: String,
    /// The moment of confirmation, in the shop's zone.
    pub counted_at: ZonedDateTime,
    /// By denomination; empty when one total was keyed.
    pub lines: Vec<CountLine>,
    /// The counted float.
    pub total: Amount,
    /// The ten characters that name the opening.
    pub reference: String,
    /// The journal's head when the slip was begun, in short: `journal verify --head` finds it. On paper it is out of reach
    /// of whoever could change the journal.
    pub head: String,
    /// What Shopify says.
    pub session: SlipSession,
    /// Which of the two slips.
    pub kind: SlipKind,
    /// A reprint.
    pub copy: bool,
    /// A person's or POS's note; may be empty.
    pub note: String,
}

/// What is known of Shopify's register session when the slip is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlipSession {
    /// Shopify has it.
    Confirmed {
        /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
        id: String,
        /// When it was opened, as Shopify says, in the shop's zone.
        opened_at: ZonedDateTime,
        /// What Shopify expected in the drawer, if it said so.
        expected: Option<Amount>,
    },
    /// No answer yet.
    NotYet {
        /// A second slip follows when there is one.
        second_follows: bool,
    },
    /// Shopify refused, and nothing was opened.
    Refused {
        /// `STAFF_MEMBER_NOT_FOUND`, `ACCESS_DENIED`, `HTTP_403` and their like: decides what to do about it.
        code: String,
        /// Shopify's words.
        text: String,
    },
    /// A session was open already, and not by this count.
    Foreign {
        /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
        id: String,
        /// When it was opened, as Shopify says, in the shop's zone.
        opened_at: ZonedDateTime,
        /// What it was opened with; `None` where who counts must not know.
        amount: Option<Amount>,
    },
    /// It is a mid-session count of a session that somebody else opened.
    Recorded {
        /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
        id: String,
        /// When it was opened, as Shopify says, in the shop's zone.
        opened_at: ZonedDateTime,
    },
    /// Nothing more happens with this count.
    Over {
        /// In capitals, what became of it.
        title: &'static str,
        /// Why.
        text: String,
    },
    /// A person settled it, and only that person knows how.
    GivenUp {
        /// Who and why.
        text: String,
    },
    /// A person must decide.
    NeedsAttention {
        /// What happened and what to do.
        text: String,
    },
}

/// Which slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlipKind {
    /// Printed at shift start and signed.
    First,
    /// Follows when Shopify's answer came after the first.
    Confirmation,
}

/// Why a document could not be made into printer bytes.
#[derive(Debug, Error)]
pub enum SlipError {
    /// The lines are longer than the paper is wide.
    #[error(
        "the slip is laid out for {document} columns and the printer has {printer}: lay it out for the printer's profile"
    )]
    TooWide {
        /// Columns of the document.
        document: usize,
        /// Columns of the printer.
        printer: u8,
    },
    /// The ESC/POS composer refused.
    #[error("the slip's ESC/POS commands could not be composed: {0}")]
    Compose(#[source] ::escpos::errors::PrinterError),
}

/// A slip laid out for one width and code page. Every line fits, every character is printable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    columns: usize,
    rows: Vec<Row>,
}

/// One row of a document, with nothing left to decide but how the output medium draws it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Row {
    /// A line of font A, blanks at its start included.
    Line(String),
    /// The same, emphasised.
    Strong(String),
    /// Twice as wide and high, centred: at most half the columns.
    Headline(String),
    /// A QR code, centred. ASCII.
    Qr(String),
}

/// Narrowest and widest paper that a layout is made for, in columns of font A.
const NARROWEST: u8 = 24;
const WIDEST: u8 = 64;
/// Longest name that is printed, in characters: five lines of the narrowest paper. More is no name.
const NAME_LIMIT: usize = 120;
/// Longest note or explanation that is printed, in characters: about 20 lines of 32 columns. It is in the journal whole.
const TEXT_LIMIT: usize = 640;
/// Longest text in a QR code, in characters: a reference and a session's id have less than 100.
const QR_LIMIT: usize = 200;

/// Lays a slip out. `columns` below 24 or above 64 are taken as those.
#[must_use]
pub fn lay_out(facts: &SlipFacts, columns: u8, code_page: CodePage) -> Document {
    let columns = usize::from(columns.clamp(NARROWEST, WIDEST));
    let mut page = lines::Page::new(columns, code_page);
    header(&mut page, facts);
    page.rule('-');
    count(&mut page, facts);
    page.rule('-');
    session::write(&mut page, facts);
    page.rule('-');
    page.field("Ref.", &facts.reference, NAME_LIMIT);
    page.field("Journal", &facts.head, NAME_LIMIT);
    if !printable(&facts.note, code_page).is_empty() {
        page.field("Note", &facts.note, TEXT_LIMIT);
    }
    page.blank();
    page.qr(&qr_text(facts));
    page.blank();
    signature(&mut page, facts);
    Document { columns, rows: page.into_rows() }
}

impl Document {
    /// The slip as lines for a terminal, none longer than the columns. The QR code is shown by what it holds.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            match row {
                Row::Line(line) | Row::Strong(line) => text.push_str(line),
                Row::Headline(line) => text.push_str(&lines::centred(line, self.columns)),
                Row::Qr(data) => text.push_str(&self.qr_shown(data)),
            }
            text.push('\n');
        }
        text
    }

    fn qr_shown(&self, data: &str) -> String {
        let mut shown = format!("[QR {data}]");
        if shown.len() > self.columns {
            shown = shown.replacen('?', " ?", 1);
        }
        let lines = lines::wrap(&shown, self.columns);
        lines.iter().map(|line| lines::centred(line, self.columns)).collect::<Vec<_>>().join("\n")
    }
}

fn header(page: &mut lines::Page, facts: &SlipFacts) {
    page.headline(title(facts));
    if facts.copy {
        page.headline("*** COPY ***");
    }
    page.blank();
    page.centre(&facts.shop, NAME_LIMIT);
    page.blank();
    page.field("Till", &facts.till, NAME_LIMIT);
    page.field("Staff", &facts.staff, NAME_LIMIT);
    page.field("Counted", &moment(&facts.counted_at), NAME_LIMIT);
}

/// A confirmation says what was settled, so that nobody files a refusal under "confirmed".
fn title(facts: &SlipFacts) -> &'static str {
    match (facts.kind, &facts.session) {
        (SlipKind::First, _) | (SlipKind::Confirmation, SlipSession::NotYet { .. }) => "SHIFT START",
        (SlipKind::Confirmation, SlipSession::Confirmed { .. }) => "SESSION CONFIRMED",
        (SlipKind::Confirmation, SlipSession::Refused { .. }) => "SESSION REFUSED",
        (SlipKind::Confirmation, SlipSession::Foreign { .. } | SlipSession::NeedsAttention { .. }) => "NEEDS ATTENTION",
        (SlipKind::Confirmation, SlipSession::Recorded { .. }) => "COUNT RECORDED",
        (SlipKind::Confirmation, SlipSession::GivenUp { .. }) => "GIVEN UP",
        (SlipKind::Confirmation, SlipSession::Over { title, .. }) => title,
    }
}

/// Pieces × face = sum, then the total.
fn count(page: &mut lines::Page, facts: &SlipFacts) {
    let pieces_width = facts.lines.iter().map(|l| l.pieces.to_string().len()).max().unwrap_or(0);
    let face_width = facts.lines.iter().map(|l| l.denomination.to_string().len()).max().unwrap_or(0);
    for line in &facts.lines {
        let (pieces, face) = (line.pieces, line.denomination.to_string());
        let left = format!("{pieces:>pieces_width$} x {face:>face_width$} =");
        page.amount(&left, &sum_text(*line));
    }
    if !facts.lines.is_empty() {
        page.blank();
    }
    page.strong_amount("TOTAL FLOAT", &with_code(facts.total));
    // A signature stands under both figures: if they ever differ, the slip says so.
    match Amount::from_lines(&facts.lines) {
        Some(sum) if sum != facts.total => page.strong_amount("BUT THE LINES GIVE", &with_code(sum)),
        Some(_) | None => {}
    }
}

/// A line's value. `i64 × u32` has at most 95 bits and always fits a `Decimal`'s 96.
fn sum_text(line: CountLine) -> String {
    let sum = i128::from(line.denomination.minor()) * i128::from(line.pieces);
    let exponent = line.denomination.currency().exponent();
    Decimal::try_from_i128_with_scale(sum, exponent).map_or_else(|_| "?".to_owned(), |d| d.to_string())
}

/// The first slip is signed; the confirmation is filed with it.
fn signature(page: &mut lines::Page, facts: &SlipFacts) {
    match facts.kind {
        SlipKind::First => {
            page.blank();
            page.blank();
            page.rule('_');
            page.centre(&format!("Signature {}", facts.staff), NAME_LIMIT);
        }
        SlipKind::Confirmation => page.text("Keep this with the signed slip of the same reference."),
    }
}

/// What the QR code holds: `drawerbridge:REFERENCE`, and the session's number once there is one. The number and not the
/// whole gid: the code stays small enough for a phone to read from thermal paper.
fn qr_text(facts: &SlipFacts) -> String {
    let mut text = format!("drawerbridge:{}", facts.reference);
    if let SlipSession::Confirmed { id, .. } = &facts.session {
        text.push_str("?session=");
        text.push_str(number_of(id));
    }
    text.chars().take(QR_LIMIT).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// `gid://shopify/PointOfSaleDevicePaymentSession/12` → `12`: what Shopify's admin shows.
fn number_of(gid: &str) -> &str {
    match gid.rsplit_once('/') {
        Some((_, number)) if !number.is_empty() => number,
        Some(_) | None => gid,
    }
}

/// Year first, so that nobody takes the day for the month. The zone is part of it: a shop's clocks change twice a year.
fn moment(at: &ZonedDateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn with_code(amount: Amount) -> String {
    format!("{} {amount}", amount.currency().code())
}

#[cfg(test)]
mod tests;

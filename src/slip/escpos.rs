//! A document as ESC/POS bytes, composed with the `escpos` crate and collected in pieces.
//!
//! ## Why pieces
//! A kick must not wait behind a whole slip on a slow line. A piece is never cut inside a command, so that the bytes of a
//! kick may go in between any two.
//!
//! ## What is not used of the crate
//! Its `cash_drawer` sends three of the five bytes of a kick. Its "partial" cut is `1D 56 41 01`, a full cut after one more
//! unit of feed. Its code page tables have faults (see [`code_page`](crate::code_page)). It gets finished bytes instead.
use std::cell::RefCell;

use ::escpos::{
    driver::Driver,
    errors::{PrinterError, Result as Composed},
    printer::Printer,
    utils::{CharacterSet, JustifyMode, PageCode, Protocol, QRCodeCorrectionLevel, QRCodeModel, QRCodeOption},
};

use super::{Document, Row, SlipError, lines::centred};
use crate::{
    code_page::encode,
    device::{
        Piece,
        profile::{CodePage, PrinterProfile},
    },
};

/// Most bytes of a piece, one long command excepted: 17 ms at 38,400 baud, 67 ms at 9600.
const PIECE_LIMIT: usize = 64;
/// `FS .` leaves Kanji mode: Chinese clones take pairs of bytes from 80 on for one character otherwise. Source: fact sheet
/// of printers 3.1. Checked on: simulator only.
const LEAVE_KANJI: [u8; 2] = [0x1C, 0x2E];
/// `GS V 66 0`: feed to the cutter, then a partial cut. Source: fact sheet of printers 3.1, "safe".
const CUT: [u8; 4] = [0x1D, 0x56, 0x42, 0x00];
/// Lines fed at the end where there is no cutter, so that the last one can be torn off.
const TEAR_OFF_LINES: u8 = 4;
/// Dots of a QR module: 0.5 mm at 203 dpi. Clones understand 2 to 5.
const QR_MODULE: u8 = 4;

impl Document {
    /// The slip's bytes for a printer, from `ESC @` to the cut, in pieces cut at command boundaries: at most 64 bytes each,
    /// only the QR code's store command may be longer.
    pub fn to_escpos(&self, profile: &PrinterProfile) -> Result<Vec<Piece>, SlipError> {
        if self.columns > usize::from(profile.columns) {
            return Err(SlipError::TooWide { document: self.columns, printer: profile.columns });
        }
        let mut printer = Printer::new(Pieces::default(), Protocol::default(), None);
        self.compose(&mut printer, profile).map_err(SlipError::Compose)?;
        Ok(printer.driver().0.into_inner())
    }

    fn compose(&self, printer: &mut Printer<Pieces>, profile: &PrinterProfile) -> Composed<()> {
        printer.init()?;
        if self.has_high_bytes(profile.code_page) {
            printer.custom(&LEAVE_KANJI)?;
        }
        // ASCII stays ASCII: a national set would change `#`, `$`, `@` and brackets.
        printer.character_set(CharacterSet::USA)?.page_code(page_code(profile.code_page))?;
        let mut style = Style::Plain;
        for row in &self.rows {
            match row {
                Row::Line(line) => print_line(printer, &mut style, Style::Plain, line, profile.code_page)?,
                Row::Strong(line) => print_line(printer, &mut style, Style::Strong, line, profile.code_page)?,
                Row::Headline(line) => {
                    let placed = centred(line, self.columns / 2);
                    print_line(printer, &mut style, Style::Headline, &placed, profile.code_page)?;
                }
                Row::Qr(data) if profile.qr => {
                    let option = QRCodeOption::new(QRCodeModel::Model2, QR_MODULE, QRCodeCorrectionLevel::M);
                    printer.justify(JustifyMode::CENTER)?.qrcode_option(data, option)?.justify(JustifyMode::LEFT)?;
                }
                // The reference is printed in letters too.
                Row::Qr(_) => {}
            }
        }
        change_style(printer, &mut style, Style::Plain)?;
        if profile.cutter {
            // A cut works at the start of a line only.
            printer.custom(b"\n")?.custom(&CUT)?;
        } else {
            printer.feeds(TEAR_OFF_LINES)?;
        }
        // The crate keeps everything back until here.
        printer.print()?;
        Ok(())
    }

    fn has_high_bytes(&self, page: CodePage) -> bool {
        self.rows.iter().any(|row| match row {
            Row::Line(line) | Row::Strong(line) | Row::Headline(line) => encode(line, page).iter().any(|&b| b >= 0x80),
            Row::Qr(_) => false,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Strong,
    Headline,
}

fn print_line(printer: &mut Printer<Pieces>, now: &mut Style, wanted: Style, line: &str, page: CodePage) -> Composed<()> {
    // A blank line looks the same in bold; large, it would be higher.
    let wanted = if line.is_empty() && *now == Style::Strong { Style::Strong } else { wanted };
    change_style(printer, now, wanted)?;
    if !line.is_empty() {
        printer.custom(&encode(line, page))?;
    }
    printer.custom(b"\n")?;
    Ok(())
}

fn change_style(printer: &mut Printer<Pieces>, now: &mut Style, wanted: Style) -> Composed<()> {
    let bold = |style| style != Style::Plain;
    if bold(*now) != bold(wanted) {
        printer.bold(bold(wanted))?;
    }
    match (*now == Style::Headline, wanted == Style::Headline) {
        (false, true) => {
            printer.size(2, 2)?;
        }
        (true, false) => {
            printer.reset_size()?;
        }
        (true, true) | (false, false) => {}
    }
    *now = wanted;
    Ok(())
}

fn page_code(page: CodePage) -> PageCode {
    match page {
        CodePage::Pc437 => PageCode::PC437,
        CodePage::Pc850 => PageCode::PC850,
        CodePage::Wpc1252 => PageCode::WPC1252,
        CodePage::Pc858 => PageCode::PC858,
    }
}

/// Takes what the crate writes, one instruction at a time, and packs it. The crate writes all five commands of a QR code
/// at once; they are taken apart again.
#[derive(Default)]
struct Pieces(RefCell<Vec<Piece>>);

impl Pieces {
    fn pack(&self, command: &[u8]) {
        let mut pieces = self.0.borrow_mut();
        match pieces.last_mut() {
            Some(last) if last.len() + command.len() <= PIECE_LIMIT => last.extend_from_slice(command),
            Some(_) | None => pieces.push(command.to_vec()),
        }
    }
}

impl Driver for Pieces {
    fn name(&self) -> String {
        "pieces".to_owned()
    }

    fn write(&self, data: &[u8]) -> Composed<()> {
        let mut rest = data;
        while let Some(length) = length_of_2d_command(rest) {
            let (command, after) = rest.split_at_checked(length).ok_or_else(cut_off)?;
            self.pack(command);
            rest = after;
        }
        if !rest.is_empty() {
            self.pack(rest);
        }
        Ok(())
    }

    fn read(&self, _: &mut [u8]) -> Composed<usize> {
        Ok(0)
    }

    fn flush(&self) -> Composed<()> {
        Ok(())
    }
}

/// Length of a `GS ( k pL pH …` at the start: five bytes and the pL + 256 pH that follow.
fn length_of_2d_command(data: &[u8]) -> Option<usize> {
    match data {
        [0x1D, 0x28, 0x6B, low, high, ..] => Some(5 + usize::from(*low) + 256 * usize::from(*high)),
        _ => None,
    }
}

fn cut_off() -> PrinterError {
    PrinterError::Input("a 2D code command is shorter than it says".to_owned())
}

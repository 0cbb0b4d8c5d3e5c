//! The facts about one device model, read from `devices/<model>/profile.toml`.
//!
//! What differs between models is data; what differs between languages is a driver. The profiles of this folder are built
//! in; a folder of the same shape overrides them or adds others, without a new program.
mod read;
mod store;

use std::time::Duration;

pub use self::{
    read::parse,
    store::{FindError, builtin, find, names},
};

/// A device model's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The folder's name: `epson-tm-t88`.
    pub name: String,
    /// Vendor and model for people.
    pub title: String,
    /// What kind of device, with its facts.
    pub kind: Kind,
}

impl Profile {
    /// The kind in words: "a printer".
    #[must_use]
    pub fn kind_in_words(&self) -> &'static str {
        match self.kind {
            Kind::Printer(_) => "a printer",
            Kind::Display(_) => "a pole display",
            Kind::Keypad(_) => "a keypad",
        }
    }
}

/// The kinds of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An ESC/POS receipt printer.
    Printer(PrinterProfile),
    /// A 2×20 pole display.
    Display(DisplayProfile),
    /// A numeric keypad.
    Keypad(KeypadProfile),
}

/// Facts of an ESC/POS printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterProfile {
    /// Font A columns: 32, 42 or 48 (any 24..=64).
    pub columns: u8,
    /// `ESC t n` and the encoding it selects.
    pub code_page: CodePage,
    /// ON time of the kick in units of 2 ms (t1), 1..=255.
    pub pulse_on: u8,
    /// OFF time of the kick in units of 2 ms (t2), 0..=255.
    pub pulse_off: u8,
    /// Length of one unit of `pulse_on` and `pulse_off`: 2 ms on nearly all models.
    pub pulse_unit: Duration,
    /// Answers `GS a` with automatic status back.
    pub asb: bool,
    /// Answers `GS ( H` (process id).
    pub process_id: bool,
    /// Answers `GS r`.
    pub transmit_status: bool,
    /// Answers `GS I` 65..67 with text.
    pub identity_text: bool,
    /// Understands `GS ( k` QR.
    pub qr: bool,
    /// Has a cutter.
    pub cutter: bool,
    /// Factory baud, used when the configuration names none.
    pub baud: u32,
    /// Send `ESC = 1` before jobs and kicks: a display is in front of it.
    pub pass_through: bool,
}

/// A code page by its `ESC t` number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePage {
    /// `ESC t 0`.
    Pc437,
    /// `ESC t 2`.
    Pc850,
    /// `ESC t 16`.
    Wpc1252,
    /// `ESC t 19`: PC850 with the euro sign at D5.
    Pc858,
}

/// Facts of a pole display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayProfile {
    /// The command set.
    pub dialect: DisplayDialect,
    /// The code page (ESC/POS dialect); CD5220 units are driven in ASCII.
    pub code_page: CodePage,
    /// Brightness 1..=4.
    pub brightness: u8,
    /// Factory baud.
    pub baud: u32,
}

/// Command sets of pole displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisplayDialect {
    /// Epson DM-D.
    EscPos,
    /// Partner Tech CD5220.
    Cd5220,
}

/// Facts of a keypad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeypadProfile {
    /// It hangs on a serial line, and not on an input device.
    pub serial: bool,
    /// Factory baud of a serial keypad.
    pub baud: u32,
    /// Keys closer together than this, four or more and an Enter, are a badge, not typing.
    pub burst_gap: Duration,
    /// Two zeros closer together than this come from the one 00 key.
    pub zero_pair_gap: Duration,
}

/// A printer that knows everything, for tests of several rooms.
#[cfg(test)]
pub(crate) fn sample_printer() -> PrinterProfile {
    PrinterProfile {
        columns: 42,
        code_page: CodePage::Pc437,
        pulse_on: 50,
        pulse_off: 250,
        pulse_unit: std::time::Duration::from_millis(2),
        asb: true,
        process_id: true,
        transmit_status: true,
        identity_text: true,
        qr: true,
        cutter: true,
        baud: 38_400,
        pass_through: false,
    }
}

//! What a printer sends, told apart by the fixed bits of each byte: never by "the next byte is my answer".
//!
//! The table is the same in all manuals read (Epson TM-U295, TM-T88III, TM-U230; Citizen): a `DLE EOT` answer is `0xx1xx10`,
//! the first byte of an automatic status block `0xx1xx00`, its other three and one-byte answers `0xx0xxxx`. Checked on:
//! simulator only.
//!
//! ## Why noise is an event
//! On a wrong baud rate, or when a plug is pulled, bytes arrive that mean nothing, and now and then four of them look like a
//! block. Whoever reads [`Heard::Noise`] asks again before believing a change of the drawer.
use std::time::{Duration, Instant};

use crate::device::Paper;

/// The four bytes of a block follow each other on the line; at 2400 baud a byte takes 4 ms.
const BLOCK_WITHIN: Duration = Duration::from_millis(200);
/// A text of 80 bytes takes 350 ms at 2400 baud.
const TEXT_WITHIN: Duration = Duration::from_millis(500);
/// The longest text seen in a manual is 80 bytes.
const TEXT_MAX: usize = 128;

/// One message from the printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The answer to a `DLE EOT`; it does not say to which one.
    RealTime(u8),
    /// Automatic status.
    Auto(AutoStatus),
    /// A one-byte answer, such as that to `GS r`.
    Short(u8),
    /// Header, text, NUL; without header and NUL.
    Text {
        /// `5F` for `GS I`, `37` for `GS ( H` and its like.
        header: u8,
        /// Printable ASCII.
        text: Vec<u8>,
    },
    /// XON that no XOFF came before: a printer on flow control by bytes says so when it was switched on.
    Xon,
    /// One or more bytes that fit nothing, or a message without its end.
    Noise,
}

/// The four bytes that `GS a` asks for, bit 0 lowest (Epson TM-T88III specification; Citizen CT-S2000).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoStatus(pub [u8; 4]);

impl AutoStatus {
    /// Pin 3 of the drawer connector reads HIGH: byte 1 bit 2.
    #[must_use]
    pub fn sense_high(self) -> bool {
        self.0[0] & 0x04 != 0
    }
    /// Byte 1 bit 3.
    #[must_use]
    pub fn offline(self) -> bool {
        self.0[0] & 0x08 != 0
    }
    /// Byte 1 bit 5.
    #[must_use]
    pub fn cover_open(self) -> bool {
        self.0[0] & 0x20 != 0
    }
    /// Byte 3: bits 2 and 3 end, bits 0 and 1 near-end.
    #[must_use]
    pub fn paper(self) -> Paper {
        match self.0[2] {
            end if end & 0x0C != 0 => Paper::Out,
            near if near & 0x03 != 0 => Paper::NearEnd,
            _ => Paper::Ok,
        }
    }
    /// Byte 2, whose bits 3, 5 and 6 are those of `DLE EOT 3`.
    #[must_use]
    pub fn errors(self) -> Errors {
        Errors::from_bits(self.0[1])
    }
    /// Has none of the bits that are reserved or undefined on common models, and both bits of a pair alike. A block that is
    /// not plain may be true all the same; it is just not taken for true alone.
    #[must_use]
    pub fn plain(self) -> bool {
        let [first, second, third, fourth] = self.0;
        let alike = |pair: u8| third & pair == 0 || third & pair == pair;
        first & 0x93 == 0x10
            && second & 0x97 == 0
            && third & 0xF0 == 0
            && alike(0x03)
            && alike(0x0C)
            // A Citizen CMP-10 sets bit 3 of the fourth byte.
            && fourth & !0x08 == 0
    }
}

/// Errors by `DLE EOT 3` or byte 2 of the automatic status: bit 3 cutter, bit 5 unrecoverable, bit 6 recovers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Errors {
    bits: u8,
}

impl Errors {
    /// Keeps the three bits that mean something.
    #[must_use]
    pub fn from_bits(byte: u8) -> Self {
        Self { bits: byte & 0x68 }
    }
    /// In words, the worst first.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        if self.bits & 0x20 != 0 {
            Some("the printer reports a fault it cannot mend: switch it off and on")
        } else if self.bits & 0x08 != 0 {
            Some("the cutter is jammed: free it, then close the cover")
        } else if self.bits & 0x40 != 0 {
            Some("the print head is too hot or the cover was opened: it goes on by itself")
        } else {
            None
        }
    }
}

/// Splits the stream into messages, at any split of the bytes into reads the same ones.
#[derive(Debug, Default)]
pub struct Parser {
    partial: Partial,
    held: bool,
}

#[derive(Debug, Default)]
enum Partial {
    #[default]
    None,
    Block {
        first: Instant,
        bytes: [u8; 4],
        len: usize,
    },
    Text {
        first: Instant,
        header: u8,
        text: Vec<u8>,
    },
}

impl Parser {
    /// Takes what was read at `now` and returns the messages that it completes.
    pub fn feed(&mut self, now: Instant, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.gives_up_at().is_some_and(|at| now >= at) {
            self.give_up(&mut heard);
        }
        for &byte in bytes {
            self.push(now, byte, &mut heard);
        }
        heard
    }
    /// When an unfinished message is noise.
    #[must_use]
    pub fn gives_up_at(&self) -> Option<Instant> {
        match self.partial {
            Partial::None => None,
            Partial::Block { first, .. } => Some(first + BLOCK_WITHIN),
            Partial::Text { first, .. } => Some(first + TEXT_WITHIN),
        }
    }
    fn give_up(&mut self, heard: &mut Vec<Heard>) {
        self.partial = Partial::None;
        heard.push(Heard::Noise);
    }
    fn push(&mut self, now: Instant, byte: u8, heard: &mut Vec<Heard>) {
        // XON and XOFF may slip in anywhere, even between the bytes of a block.
        if byte == 0x11 || byte == 0x13 {
            let resumed = std::mem::replace(&mut self.held, byte == 0x13);
            if byte == 0x11 && !resumed {
                heard.push(Heard::Xon);
            }
            return;
        }
        match &mut self.partial {
            Partial::None => {}
            Partial::Block { bytes, len, .. } if byte & 0x90 == 0 => {
                bytes[*len] = byte;
                *len += 1;
                if *len == 4 {
                    heard.push(Heard::Auto(AutoStatus(*bytes)));
                    self.partial = Partial::None;
                }
                return;
            }
            Partial::Text { header, text, .. } if byte == 0 => {
                heard.push(Heard::Text { header: *header, text: std::mem::take(text) });
                self.partial = Partial::None;
                return;
            }
            Partial::Text { text, .. } if (0x20..0x7F).contains(&byte) && text.len() < TEXT_MAX => {
                text.push(byte);
                return;
            }
            // What was begun is no message. What came of it is dropped whole: its tail would look like answers.
            Partial::Block { .. } | Partial::Text { .. } => self.give_up(heard),
        }
        match byte {
            b if b & 0x80 != 0 => noise(heard),
            header @ (0x35 | 0x37 | 0x3B | 0x3D | 0x5F) => {
                self.partial = Partial::Text { first: now, header, text: Vec::new() };
            }
            b if b & 0x93 == 0x12 => heard.push(Heard::RealTime(b)),
            b if b & 0x93 == 0x10 => self.partial = Partial::Block { first: now, bytes: [b, 0, 0, 0], len: 1 },
            b if b & 0x90 == 0 => heard.push(Heard::Short(b)),
            _ => noise(heard),
        }
    }
}

/// One word for a run of noise, however long.
fn noise(heard: &mut Vec<Heard>) {
    if heard.last() != Some(&Heard::Noise) {
        heard.push(Heard::Noise);
    }
}

#[cfg(test)]
mod tests;

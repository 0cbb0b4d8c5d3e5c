//! What the printer says about itself. Source of every bit: fact sheet 2.1 to 2.5 (Epson TM-T88III, PG).
use super::Paper;
use super::drawer::Drawer;
use super::machine::{Machine, hex};

/// Bit 2 of `DLE EOT 1` and of the first ASB byte; bit 0 of `GS r 2`.
const PIN_3_HIGH: u8 = 1 << 2;
const OFFLINE: u8 = 1 << 3;

impl Machine {
    /// Level of the sense line. All contacts sit in parallel; nothing connected reads HIGH.
    pub(super) fn sense_high(&self) -> bool {
        !self.drawers.iter().flatten().any(Drawer::pulls_low)
    }

    /// The buffer stands still: paper end, open cover, or switched off line.
    pub(super) fn is_offline(&self) -> bool {
        self.switched_off || self.cover_open || self.paper == Paper::Out
    }

    /// Near-end in bits 0 and 1, end in bits 2 and 3: `GS r 1` and the third ASB byte.
    fn paper_bits(&self) -> u8 {
        match self.paper {
            Paper::Ok => 0x00,
            Paper::NearEnd => 0x03,
            Paper::Out => 0x0F,
        }
    }

    /// The four bytes of automatic status.
    pub(super) fn asb_block(&self) -> [u8; 4] {
        let mut first = 0x10;
        for (is, bit) in [(self.sense_high(), PIN_3_HIGH), (self.is_offline(), OFFLINE), (self.cover_open, 1 << 5)] {
            first |= if is { bit } else { 0 };
        }
        [first, 0x00, self.paper_bits(), 0x00]
    }

    /// The bits of a block that the enabled items of `GS a` watch.
    pub(super) fn asb_mask(&self) -> [u8; 4] {
        let on = |item: u8| self.modes.asb & (1 << item) != 0;
        let mut mask = [0; 4];
        if on(0) {
            mask[0] |= PIN_3_HIGH;
        }
        if on(1) {
            mask[0] |= OFFLINE | (1 << 5);
        }
        if on(2) {
            mask[1] |= 0b0110_1000;
        }
        if on(3) {
            mask[2] |= 0x0F;
        }
        mask
    }

    /// `DLE EOT n`.
    pub(super) fn dle_eot(&mut self, at: u64, n: u8) {
        let bit = |is: bool, bits: u8| if is { bits } else { 0 };
        let reply = match n {
            1 => bit(self.sense_high(), PIN_3_HIGH) | bit(self.is_offline(), OFFLINE),
            2 => bit(self.cover_open, 1 << 2) | bit(self.paper == Paper::Out, 1 << 5),
            // No cutter jams and no hot heads here.
            3 => 0,
            4 => bit(self.paper != Paper::Ok, 0x0C) | bit(self.paper == Paper::Out, 0x60),
            _ => return self.warn(at, &format!("DLE EOT {n:02X} is not answered by this printer")),
        };
        self.answer(&[0b0001_0010 | reply]);
    }

    /// `GS r n`.
    pub(super) fn gs_r(&mut self, n: u8) {
        match n {
            1 | b'1' => self.answer(&[self.paper_bits()]),
            2 | b'2' => self.answer(&[u8::from(self.sense_high())]),
            4 | b'4' => self.answer(&[0]),
            _ => self.warn(self.cmd_at, &format!("GS r {n:02X} is not answered by this printer")),
        }
    }

    /// `GS I n`.
    pub(super) fn gs_i(&mut self, n: u8) {
        let block = |text: &str| [&[0x5F], text.as_bytes(), &[0]].concat();
        let reply = match n {
            1 | b'1' => vec![0x20],
            // Bit 1: autocutter. Bit 2: a display hangs on the printer.
            2 | b'2' => vec![0x02 | if self.display.is_some() { 0x04 } else { 0 }],
            3 | b'3' => vec![0x0A],
            65 => block("1.00 ESC/POS"),
            66 => block("EPSON"),
            67 => block("TM-T88"),
            68 => block("RIG0000001"),
            69 => block(""),
            _ => return self.warn(self.cmd_at, &format!("GS I {n:02X} is not answered by this printer")),
        };
        self.answer(&reply);
    }

    /// A real-time command, acted on as its last byte arrives.
    pub(super) fn execute_dle(&mut self, now: std::time::Instant, at: u64, cmd: &[u8]) {
        match *cmd {
            [0x10, 0x04, n] | [0x10, 0x04, n, _] => self.dle_eot(at, n),
            [0x10, 0x05, 0..=3] => {}
            [0x10, 0x14, 0x01, m @ (0 | 1), t @ 1..=8] => {
                let ms = u32::from(t) * 100;
                if self.dc4_kicks {
                    self.pulse(now, m, ms, ms, at, true);
                } else {
                    self.warn(at, "real-time kick ignored: switched off by GS ( D");
                }
            }
            [0x10, 0x14, 0x01, m, t] => {
                self.warn(at, &format!("real-time kick with pin {m:02X} and time {t:02X}: 00 or 01, and 01 to 08, exist"));
            }
            // Stops the buzzer; there is none, the answer comes all the same.
            [0x10, 0x14, 0x03, ..] => self.answer(&[0x37, 0x54, 0x40, 0x00]),
            [0x10, 0x14, 0x07, 1] => {
                let block = self.asb_block();
                self.answer(&block);
            }
            [0x10, 0x14, 0x08, 1, 3, 0x14, 1, 6, 2, 8] => {
                self.clear_buffers();
                self.answer(&[0x37, 0x25, 0x00]);
            }
            _ => self.warn(at, &format!("real-time command {} is not known here", hex(cmd))),
        }
    }
}

//! The printer's firmware as a machine without I/O: bytes and hands in, answers and events out.
//!
//! ## Why real-time commands are found twice
//! A printer scans the raw stream for `DLE` commands as it arrives and acts at once, also when the buffer stands still.
//! The same bytes then pass through the buffer, where they are skipped at a command boundary, and spoil the command they
//! stand in otherwise. Both happen on real printers (fact sheet 7, quirks 11 and 12), so both happen here.
use super::codepage::CodePage;
use super::drawer::Drawer;
use super::parse::{Step, progress};
use super::{Kick, Paper, Printed, PrinterEvent, PrinterSpec, Warning};
use crate::display::Display;
use crate::paper::Head;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The receive buffer. Source: fact sheet 3.4, the 4 KB setting of TM-T88 printers.
pub(super) const BUFFER: usize = 4096;

/// A kick whose last bytes do not come within this time, on an idle wire, was sent too short. Far longer than a busy
/// machine leaves a host without its turn between two writes.
const SHORT_KICK: Duration = Duration::from_secs(2);

/// A QR symbol as `GS ( k` stores it.
#[derive(Debug)]
pub(super) struct Qr {
    pub(super) module: u32,
    pub(super) level: qrcode::EcLevel,
    pub(super) data: Vec<u8>,
}

impl Default for Qr {
    fn default() -> Self {
        Self { module: 3, level: qrcode::EcLevel::L, data: Vec::new() }
    }
}

/// Settings that `ESC @` takes back.
#[derive(Debug)]
pub(super) struct Modes {
    pub(super) page: CodePage,
    pub(super) national: u8,
    /// Items of `GS a`.
    pub(super) asb: u8,
    pub(super) qr: Qr,
    /// A graphic stored by `GS ( L`.
    pub(super) graphic: Option<crate::paper::Bitmap>,
}

impl Default for Modes {
    fn default() -> Self {
        Self { page: CodePage::FIRST, national: 0, asb: 0, qr: Qr::default(), graphic: None }
    }
}

/// The printer.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) spec: PrinterSpec,
    // The mechanism.
    pub(super) drawers: [Option<Drawer>; 2],
    pub(super) jammed: bool,
    pub(super) paper: Paper,
    pub(super) lines_left: Option<u32>,
    pub(super) cover_open: bool,
    pub(super) switched_off: bool,
    pulse_until: Option<Instant>,
    rested_at: Option<Instant>,
    // The stream.
    received: u64,
    dle: Vec<u8>,
    dle_done: VecDeque<(u64, usize)>,
    /// Received bytes that wait, each with its position: bytes that found no room leave gaps.
    buffer: VecDeque<(u64, u8)>,
    /// The last byte found no room.
    losing: bool,
    cmd: Vec<u8>,
    pub(super) cmd_at: u64,
    short_kick_at: Option<Instant>,
    pub(super) unplug_after: Option<usize>,
    // The firmware.
    pub(super) head: Head,
    pub(super) modes: Modes,
    pub(super) dc4_kicks: bool,
    /// `ESC =`: bit 0 the printer, bit 1 the display.
    pub(super) selected: u8,
    esc_eq: Vec<u8>,
    asb_sent: Option<[u8; 4]>,
    pub(super) display: Option<Display>,
    for_display: Vec<u8>,
    // What came of it.
    pub(super) pieces: Vec<Arc<Printed>>,
    pub(super) warnings: Vec<Warning>,
    pub(super) kicks: Vec<Kick>,
    pub(super) answers: Vec<u8>,
    pub(super) events: Vec<PrinterEvent>,
    pub(super) cable_pulled: bool,
}

impl Machine {
    pub(super) fn new(spec: PrinterSpec) -> Self {
        let mut machine = Self {
            drawers: spec.drawers.clone().map(|d| d.map(Drawer::new)),
            jammed: false,
            paper: Paper::Ok,
            lines_left: None,
            cover_open: false,
            switched_off: false,
            pulse_until: None,
            rested_at: None,
            received: 0,
            dle: Vec::new(),
            dle_done: VecDeque::new(),
            buffer: VecDeque::new(),
            losing: false,
            cmd: Vec::new(),
            cmd_at: 0,
            short_kick_at: None,
            unplug_after: None,
            head: Head::new(spec.dots, spec.columns),
            modes: Modes::default(),
            dc4_kicks: true,
            selected: 1,
            esc_eq: Vec::new(),
            asb_sent: None,
            display: None,
            for_display: Vec::new(),
            pieces: Vec::new(),
            warnings: Vec::new(),
            kicks: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            cable_pulled: false,
            spec,
        };
        machine.power_on();
        machine
    }

    /// Power comes back: buffers and modes are gone, nothing is sent. Paper and drawers stay as they are.
    pub(super) fn power_on(&mut self) {
        self.dle.clear();
        self.dle_done.clear();
        self.buffer.clear();
        self.losing = false;
        self.cmd.clear();
        self.esc_eq.clear();
        self.short_kick_at = None;
        self.pulse_until = None;
        self.head.reset();
        self.modes = Modes::default();
        self.asb_sent = None;
        self.dc4_kicks = true;
        // A pass-through display starts with itself selected. Source: fact sheet 2.5, DM-D110.
        self.selected = if self.spec.quirks.pass_through_display { 2 } else { 1 };
    }

    /// Room in the receive buffer; with none the printer is BUSY.
    pub(super) fn room(&self) -> usize {
        BUFFER.saturating_sub(self.buffer.len())
    }

    /// Whether a kick has begun and not ended.
    pub(super) fn kick_is_short(&self) -> bool {
        self.short_kick_at.is_some()
    }

    /// Bytes arrived. Each is worked off before the next, so that it makes no difference in what pieces they come.
    ///
    /// With the buffer full, real-time commands in them are still executed and all else is lost: a serial line has no
    /// way to hold bytes back, unless the host heeds BUSY. Source: fact sheet 1.3, 2.1 and 3.4.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        for &byte in bytes {
            let at = self.received;
            self.received += 1;
            if self.room() > 0 {
                self.buffer.push_back((at, byte));
                self.losing = false;
            } else if !std::mem::replace(&mut self.losing, true) {
                self.warn(at, "the receive buffer is full: from here on bytes are lost until there is room again");
            }
            self.real_time(now, at, byte);
            self.work_off(now);
            // The moment the cable is pulled: not a byte more.
            if let Some(left) = &mut self.unplug_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.unplug_after = None;
                    self.cable_pulled = true;
                    break;
                }
            }
        }
        self.settle(now);
    }

    /// Watches the raw stream for real-time commands.
    fn real_time(&mut self, now: Instant, last: u64, byte: u8) {
        if self.dle.is_empty() && byte != 0x10 {
            return;
        }
        self.dle.push(byte);
        match progress(&self.dle) {
            Step::More => {}
            Step::Done => {
                let cmd = std::mem::take(&mut self.dle);
                let at = last + 1 - cmd.len() as u64;
                self.dle_done.push_back((at, cmd.len()));
                self.execute_dle(now, at, &cmd);
            }
            Step::Unknown => {
                self.dle.clear();
                if byte == 0x10 {
                    self.dle.push(byte);
                }
            }
        }
    }

    /// Goes on with what stands still, if it can.
    pub(super) fn run(&mut self, now: Instant) {
        self.work_off(now);
        self.settle(now);
    }

    /// Works off the buffer while the printer is online.
    fn work_off(&mut self, now: Instant) {
        while !self.is_offline() {
            let Some(&(at, byte)) = self.buffer.front() else { break };
            if self.cmd.is_empty() {
                // Commands that were executed and then found no room in the buffer.
                while self.dle_done.front().is_some_and(|(start, len)| *start + *len as u64 <= at) {
                    self.dle_done.pop_front();
                }
                if let Some(&(start, len)) = self.dle_done.front().filter(|(start, _)| *start == at) {
                    self.dle_done.pop_front();
                    while self.buffer.front().is_some_and(|(at, _)| *at < start + len as u64) {
                        self.buffer.pop_front();
                    }
                    continue;
                }
                if byte == 0x10 && !self.dle.is_empty() && at + self.dle.len() as u64 == self.received {
                    // The rest of a real-time command is still on its way.
                    break;
                }
                self.cmd_at = at;
            }
            self.buffer.pop_front();
            if self.selected & 1 == 0 {
                self.deselected(byte);
            } else if self.cmd.is_empty() && byte >= 0x20 {
                self.print_char(byte);
            } else {
                self.cmd.push(byte);
                self.advance(now, at);
            }
            self.changed();
        }
    }

    /// For now no more bytes: what only matters then.
    fn settle(&mut self, now: Instant) {
        let kick_is_short = matches!(self.cmd[..], [0x1B, b'p', ..]);
        self.short_kick_at = kick_is_short.then_some(now + SHORT_KICK);
        if !self.for_display.is_empty() {
            let bytes = std::mem::take(&mut self.for_display);
            if let Some(display) = &self.display {
                display.feed(&bytes);
            }
        }
    }

    /// One more byte of a command, the one at `last`.
    fn advance(&mut self, now: Instant, last: u64) {
        match progress(&self.cmd) {
            Step::More => {}
            Step::Done => {
                let cmd = std::mem::take(&mut self.cmd);
                while let Some((at, _)) = self.dle_done.front().copied().filter(|(at, _)| *at <= last) {
                    self.dle_done.pop_front();
                    if at > self.cmd_at {
                        self.warn(at, "a real-time command stands inside another command and is part of its data");
                    }
                }
                self.execute(now, &cmd);
            }
            Step::Unknown => {
                let cmd = std::mem::take(&mut self.cmd);
                let text = match cmd[..] {
                    [0x1B, b'p', m] => {
                        format!("kick of pin selector {m:02X}: only 00, 01, 30 and 31 exist; the times print as text")
                    }
                    _ => format!("unknown command {}", hex(&cmd)),
                };
                self.warn(self.cmd_at, &text);
            }
        }
    }

    /// `DLE DC4 8`: what is received and not worked off is gone.
    pub(super) fn forget_received(&mut self) {
        self.buffer.clear();
        self.cmd.clear();
        self.dle_done.clear();
        self.short_kick_at = None;
    }

    /// The printer is deselected: only `ESC =` concerns it, the rest is the display's. Source: fact sheet 2.5.
    fn deselected(&mut self, byte: u8) {
        self.esc_eq.push(byte);
        match self.esc_eq[..] {
            [0x1B] | [0x1B, b'='] => {}
            [0x1B, b'=', n] => {
                self.esc_eq.clear();
                self.select(n);
            }
            _ => {
                let bytes = std::mem::take(&mut self.esc_eq);
                if self.selected & 2 != 0 {
                    self.for_display.extend(bytes);
                }
            }
        }
    }

    /// `ESC = n`.
    pub(super) fn select(&mut self, n: u8) {
        // With neither bit the command is ignored, else nothing would listen any more.
        if n & 3 != 0 {
            self.selected = n & 3;
        }
    }

    /// Both are selected: the display gets what the printer gets.
    pub(super) fn also_display(&mut self, bytes: &[u8]) {
        if self.selected & 2 != 0 {
            self.for_display.extend(bytes);
        }
    }

    fn print_char(&mut self, byte: u8) {
        self.also_display(&[byte]);
        let c = self.modes.page.char(byte, self.modes.national);
        if let Some(line) = self.head.put(c) {
            self.printed(line);
        }
    }

    /// A line is on the paper.
    pub(super) fn printed(&mut self, line: String) {
        self.events.push(PrinterEvent::Line(line));
        self.paper_moved(1);
    }

    /// The roll is that many lines shorter.
    pub(super) fn paper_moved(&mut self, lines: u32) {
        let Some(left) = self.lines_left else { return };
        let left = left.saturating_sub(lines);
        self.lines_left = Some(left).filter(|left| *left > 0);
        if left == 0 {
            self.paper = Paper::Out;
        }
    }

    /// Time passed: drawers move, and a kick that stays short is reported, unless `unread` bytes may be its rest.
    pub(super) fn tick(&mut self, now: Instant, unread: u64) {
        self.move_drawers(now);
        if self.short_kick_at.is_some_and(|at| at <= now) {
            if unread > 0 {
                self.short_kick_at = Some(now + SHORT_KICK);
                return;
            }
            self.short_kick_at = None;
            let text = format!("kick of {} bytes instead of 5: the printer waits for the missing ones", self.cmd.len());
            self.warn(self.cmd_at, &text);
        }
    }

    fn move_drawers(&mut self, now: Instant) {
        for pin in 0..2 {
            while let Some(drawer) = &mut self.drawers[pin] {
                let was_open = drawer.is_open();
                if !drawer.step(now) {
                    break;
                }
                if !was_open {
                    self.events.push(PrinterEvent::Drawer { open: true });
                }
                // Each edge by itself: a bounce is seen as one even if the timer is late.
                self.changed();
            }
        }
    }

    /// When [`Machine::tick`] has something to do.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let edges = self.drawers.iter().flatten().filter_map(Drawer::next_edge);
        edges.chain(self.short_kick_at).min()
    }

    /// A host went away. What it left half-sent stays, as in a real printer.
    pub(super) fn host_left(&mut self) {
        if self.short_kick_at.take().is_some() {
            let text = format!("kick of {} bytes instead of 5, and the host is gone", self.cmd.len());
            self.warn(self.cmd_at, &text);
        }
    }

    /// Opens a drawer with its key: the one on that connector, or the first there is. A jammed latch does not hinder the
    /// key. Says whether there is such a drawer.
    pub(super) fn key(&mut self, now: Instant, connector: Option<usize>) -> bool {
        let mut drawers = self.drawers.iter_mut().enumerate().filter(|(at, _)| connector.is_none_or(|asked| asked == *at));
        let drawer = drawers.find_map(|(_, drawer)| drawer.as_mut());
        let found = drawer.map(|drawer| drawer.key(now)).is_some();
        self.move_drawers(now);
        found
    }

    /// Somebody shuts whatever is open.
    pub(super) fn push_shut(&mut self) {
        for drawer in self.drawers.iter_mut().flatten().filter(|d| d.is_open()) {
            drawer.push_shut();
            self.events.push(PrinterEvent::Drawer { open: false });
        }
        self.changed();
    }

    /// A pulse on one pin (0 is pin 2, 1 is pin 5).
    pub(super) fn pulse(&mut self, now: Instant, pin: u8, on_ms: u32, off_ms: u32, at: u64, realtime: bool) {
        if realtime && self.pulse_until.is_some_and(|until| now < until) {
            self.warn(at, "real-time kick ignored: another pulse is on");
            return;
        }
        if self.rested_at.is_some_and(|rested| now < rested) {
            self.warn(at, "kick too soon after the last one: the drawer coil is over 20 % duty");
        }
        let on = Duration::from_millis(u64::from(on_ms));
        self.pulse_until = Some(now + on);
        // ON / (ON + OFF + wait) <= 0.2. Source: Epson TM-T81 specification, appendix F.
        self.rested_at = Some(now + on * 5);
        let kick = Kick { at: now, pin: if pin == 0 { 2 } else { 5 }, on_ms, off_ms, offset: at, realtime };
        self.kicks.push(kick.clone());
        self.events.push(PrinterEvent::Kick(kick));
        if on_ms == 0 {
            self.warn(at, "kick with an ON time of 0: nothing moves");
        } else if !self.jammed
            && let Some(drawer) = &mut self.drawers[usize::from(pin & 1)]
        {
            drawer.pulse(now);
            self.move_drawers(now);
        }
    }

    pub(super) fn warn(&mut self, offset: u64, text: &str) {
        let warning = Warning { offset, text: text.to_owned() };
        self.warnings.push(warning.clone());
        self.events.push(PrinterEvent::Warning(warning));
    }

    /// Sends an answer, unless this printer has no way back.
    pub(super) fn answer(&mut self, bytes: &[u8]) {
        if !self.spec.quirks.no_status {
            self.answers.extend(bytes);
        }
    }

    /// Something may have changed: sends an ASB block if an enabled item did.
    pub(super) fn changed(&mut self) {
        if self.modes.asb == 0 || self.spec.quirks.no_asb {
            return;
        }
        let block = self.asb_block();
        let mask = self.asb_mask();
        let masked = |b: &[u8; 4]| [b[0] & mask[0], b[1] & mask[1], b[2] & mask[2], b[3] & mask[3]];
        if self.asb_sent.is_none_or(|sent| masked(&sent) != masked(&block)) {
            self.asb_sent = Some(block);
            self.answer(&block);
        }
    }

    /// `GS a n`: with any item on, a block goes out at once.
    pub(super) fn set_asb(&mut self, n: u8) {
        self.modes.asb = n;
        self.asb_sent = None;
        self.changed();
    }
}

/// Bytes as hex, for people.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

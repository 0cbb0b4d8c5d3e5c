//! What each buffered command does. Source: fact sheet 1.2, 2.2 to 2.5 and 3; command names as in Epson's manuals.
use super::codepage::CodePage;
use super::machine::{Machine, hex};
use super::parse::word;
use super::{Printed, PrinterEvent};
use crate::paper::{Bitmap, Justify, SPACING, Style};
use std::sync::Arc;
use std::time::Instant;

impl Machine {
    /// One whole command.
    pub(super) fn execute(&mut self, now: Instant, cmd: &[u8]) {
        if !matches!(cmd, [0x1B, b'=', _] | [0x10, ..]) {
            self.also_display(cmd);
        }
        match *cmd {
            // NUL pads, CR without LF does nothing at this setting, DLE was handled when it arrived.
            [0x00 | 0x0D] | [0x10, ..] => {}
            [0x09] => self.head.tab(),
            [0x0A] => self.line_feed(),
            // Page mode is not built in; in standard mode FF prints the line and CAN does nothing.
            [0x0C] => self.line_feed(),
            [0x18] => {}
            [0x1B, ref rest @ ..] => self.esc(now, rest),
            [0x1C, ref rest @ ..] => self.fs(rest),
            [0x1D, ref rest @ ..] => self.gs(rest),
            _ => self.warn(self.cmd_at, &format!("unknown command {}", hex(cmd))),
        }
    }

    fn line_feed(&mut self) {
        let line = self.head.print_line();
        self.printed(line);
    }

    /// Prints what is in the line, then feeds `dots`.
    fn feed(&mut self, dots: u32) {
        if self.head.at_line_start() {
            self.head.feed_blank(dots);
        } else {
            let line = self.head.print_and_feed(dots);
            self.printed(line);
        }
    }

    fn esc(&mut self, now: Instant, rest: &[u8]) {
        let on = |n: u8| n & 1 == 1;
        match *rest {
            [b'@'] => {
                self.head.reset();
                // Automatic status ends here. Source: Epson UB-E02, 4.4.
                self.modes = super::machine::Modes::default();
            }
            [b'!', n] => {
                self.head.style = Style {
                    font_b: on(n),
                    bold: on(n >> 3),
                    high: if on(n >> 4) { 2 } else { 1 },
                    wide: if on(n >> 5) { 2 } else { 1 },
                    underline: u32::from(n >> 7),
                    reverse: self.head.style.reverse,
                };
            }
            [b'-', n] => self.head.style.underline = u32::from(n & 3).min(2),
            [b'E' | b'G', n] => self.head.style.bold = on(n),
            [b'M', n] => self.head.style.font_b = matches!(n, 1 | b'1'),
            [b'a', n] => self.justify(n),
            [b't', n] => match CodePage::by_number(n) {
                Some(page) => self.modes.page = page,
                None => self.warn(self.cmd_at, &format!("code page {n} is not in this printer; the one before stays")),
            },
            [b'R', n] => self.modes.national = n,
            [b'2'] => self.head.spacing = SPACING,
            [b'3', n] => self.head.spacing = u32::from(n),
            [b' ', n] => self.head.gap = u32::from(n),
            [b'J', n] => self.feed(u32::from(n)),
            [b'd', n] => {
                self.feed(u32::from(n) * self.head.spacing);
                self.paper_moved(u32::from(n).saturating_sub(1));
            }
            [b'$', lo, hi] => self.head.move_to(u32::from(word(lo, hi))),
            [b'\\', lo, hi] => {
                let by = i16::from_le_bytes([lo, hi]);
                self.head.move_to(self.head.position().saturating_add_signed(i32::from(by)));
            }
            [b'D', ref stops @ ..] => self.head.tabs = stops.iter().filter(|s| **s > 0).map(|s| u32::from(*s)).collect(),
            [b'*', m, lo, hi, ref data @ ..] => self.column_image(m, word(lo, hi), data),
            [b'p', m, t1, t2] => self.esc_p(now, m, t1, t2),
            [b'=', n] => self.select(n),
            [b'u', _] => self.answer(&[u8::from(self.sense_high())]),
            [b'v'] => self.gs_r(1),
            [b'i' | b'm'] => self.cut(0),
            // Settings without effect on what this paper shows.
            [b'c' | b'r' | b'U' | b'{' | b'V' | b'<' | b'S' | b'%' | b'?' | b'&' | b'(' | b'K' | b'e', ..] => {}
            _ => self.warn(self.cmd_at, &format!("ESC {}: not built into this printer", hex(rest))),
        }
    }

    /// `ESC a n`, only at the beginning of a line.
    fn justify(&mut self, n: u8) {
        let to = match n {
            0 | b'0' => Justify::Left,
            1 | b'1' => Justify::Centre,
            2 | b'2' => Justify::Right,
            _ => return self.warn(self.cmd_at, &format!("ESC a {n:02X}: 0, 1 and 2 exist")),
        };
        if self.head.at_line_start() {
            self.head.justify = to;
        } else {
            self.warn(self.cmd_at, "ESC a in the middle of a line is ignored");
        }
    }

    /// `ESC p m t1 t2`: times in units of 2 ms; OFF is at least as long as ON.
    fn esc_p(&mut self, now: Instant, m: u8, t1: u8, t2: u8) {
        // Real kicks of 54, 58 or 32 ms would look the same; nobody was seen to send them.
        if let Some(prefix @ (0x1B | 0x1D | 0x10)) = [t1, t2].into_iter().find(|t| matches!(t, 0x1B | 0x1D | 0x10)) {
            let text = format!("kick without its times? {prefix:02X} begins a command and was taken as a time");
            self.warn(self.cmd_at, &text);
        }
        let (on, off) = (u32::from(t1) * 2, u32::from(t2.max(t1)) * 2);
        self.pulse(now, m & 1, on, off, self.cmd_at, false);
    }

    fn fs(&mut self, rest: &[u8]) {
        match *rest {
            [b'.'] | [b'!' | b'C' | b'-' | b'W' | b'S' | b'(', ..] => {}
            [b'&'] => self.warn(self.cmd_at, "Kanji mode is not built into this printer"),
            _ => self.warn(self.cmd_at, &format!("FS {}: not built into this printer", hex(rest))),
        }
    }

    fn gs(&mut self, rest: &[u8]) {
        match *rest {
            [b'!', n] => {
                self.head.style.wide = u32::from(n >> 4 & 7) + 1;
                self.head.style.high = u32::from(n & 7) + 1;
            }
            [b'B', n] => self.head.style.reverse = n & 1 == 1,
            [b'L', lo, hi] => self.head.margin = u32::from(word(lo, hi)),
            [b'W', lo, hi] => self.head.width = u32::from(word(lo, hi)),
            [b'V', m] => self.gs_v_cut(m, 0),
            [b'V', m, n] => self.gs_v_cut(m, n),
            [b'a', n] => self.set_asb(n),
            [b'r', n] => self.gs_r(n),
            [b'I', n] => self.gs_i(n),
            [b'v', b'0', m, xl, xh, yl, yh, ref data @ ..] => {
                self.raster(m, u32::from(word(xl, xh)) * 8, u32::from(word(yl, yh)), data);
            }
            [b'k', m, ref data @ ..] => self.bar_code(m, data),
            [b'(', b'k', _, _, ref data @ ..] => self.symbol(data),
            [b'(', b'H', _, _, ref data @ ..] => self.gs_h(data),
            [b'(', b'D', _, _, 0x14, ref switches @ ..] => {
                for pair in switches.chunks_exact(2) {
                    if pair[0] == 1 {
                        self.dc4_kicks = pair[1] & 1 == 1;
                    }
                }
            }
            [b'(', b'L', _, _, ref data @ ..] | [b'8', b'L', _, _, _, _, ref data @ ..] => self.graphic(data),
            [b'(', b'A', ..] => self.warn(self.cmd_at, "GS ( A would print a test page and reset the printer"),
            // Settings without effect on what this paper shows.
            [b'(' | b'H' | b'f' | b'h' | b'w' | b'P' | b'b' | b'T' | b'E' | b':' | b'^' | b'z' | b'c', ..] => {}
            _ => self.warn(self.cmd_at, &format!("GS {}: not built into this printer", hex(rest))),
        }
    }

    /// `GS V m` and `GS V m n`. Full and partial cuts end a slip alike.
    fn gs_v_cut(&mut self, m: u8, n: u8) {
        match m {
            // 61h and 62h set a cut for later, when the place has come to the cutter; this paper has no such way.
            0 | 1 | b'0' | b'1' | 0x61 | 0x62 => self.cut(0),
            _ => self.cut(u32::from(n)),
        }
    }

    /// Cuts after feeding `dots`; only at the beginning of a line.
    fn cut(&mut self, dots: u32) {
        if !self.head.at_line_start() {
            self.warn(self.cmd_at, "a cut in the middle of a line is ignored: send LF first");
            return;
        }
        self.head.feed_blank(dots);
        if let Some(piece) = self.head.cut() {
            self.pieces.push(Arc::new(Printed::new(piece)));
            self.events.push(PrinterEvent::Cut(self.pieces.len() - 1));
        }
    }

    /// `GS ( H`: fn 48 answers when everything before it is printed. Source: fact sheet 3.4.
    fn gs_h(&mut self, data: &[u8]) {
        match *data {
            [b'0', b'0', ref id @ ..] if id.len() == 4 && id.iter().all(|d| (0x20..=0x7E).contains(d)) => {
                if !self.spec.quirks.no_process_id {
                    self.answer(&[&[0x37, 0x22], id, &[0]].concat());
                }
            }
            // Offline response on or off; the layout of that answer is not known to us, so it is never sent.
            [b'1', b'0', _] => {}
            _ => self.warn(self.cmd_at, &format!("GS ( H {}: not a process id of four characters", hex(data))),
        }
    }

    /// `DLE DC4 8`: what is received and not printed is gone; process ids in it are never answered.
    pub(super) fn clear_buffers(&mut self) {
        self.forget_received();
        let (style, justify) = (self.head.style, self.head.justify);
        let keep = (self.head.spacing, self.head.margin, self.head.width, self.head.gap);
        self.head.reset();
        (self.head.style, self.head.justify) = (style, justify);
        (self.head.spacing, self.head.margin, self.head.width, self.head.gap) = keep;
    }

    /// `GS ( k` for QR (cn 31h); other symbols leave their name on the paper.
    fn symbol(&mut self, data: &[u8]) {
        use qrcode::EcLevel as L;
        match *data {
            [0x31, 0x41, ..] => {}
            [0x31, 0x43, n @ 1..=16] => self.modes.qr.module = u32::from(n),
            [0x31, 0x45, n @ 0x30..=0x33] => self.modes.qr.level = [L::L, L::M, L::Q, L::H][usize::from(n - 0x30)],
            [0x31, 0x50, 0x30, ref text @ ..] => self.modes.qr.data = text.to_vec(),
            [0x31, 0x51, 0x30] => self.print_qr(),
            [0x31, ..] => self.warn(self.cmd_at, &format!("GS ( k {}: not a QR function of this printer", hex(data))),
            [_, 0x51, ..] => self.text_mark("[two-dimensional symbol]"),
            _ => {}
        }
    }

    fn print_qr(&mut self) {
        let Ok(code) = qrcode::QrCode::with_error_correction_level(&self.modes.qr.data, self.modes.qr.level) else {
            return self.warn(self.cmd_at, "the stored data does not fit a QR symbol: nothing printed");
        };
        let side = code.width();
        let (module, wide) = (self.modes.qr.module, u32::try_from(side).unwrap_or(u32::MAX));
        if self.modes.qr.data.is_empty() || wide.saturating_mul(module) > self.head.dots() {
            return self.warn(self.cmd_at, "the QR symbol is empty or wider than the paper: nothing printed");
        }
        let mut bits = vec![0; side.div_ceil(8) * side];
        for (n, colour) in code.to_colors().into_iter().enumerate() {
            let (x, y) = (n % side, n / side);
            if colour == qrcode::Color::Dark {
                bits[y * side.div_ceil(8) + x / 8] |= 0x80 >> (x % 8);
            }
        }
        let bitmap = Bitmap { width: wide, height: wide, bits: Arc::new(bits), scale: (module, module) };
        let text = String::from_utf8_lossy(&self.modes.qr.data).into_owned();
        self.picture(bitmap, format!("[QR: {text}]"));
    }

    /// `GS k`: the bars are not drawn; their text is on the paper.
    fn bar_code(&mut self, m: u8, data: &[u8]) {
        const NAMES: [&str; 14] = [
            "UPC-A", "UPC-E", "EAN13", "EAN8", "CODE39", "ITF", "CODABAR", "CODE93", "CODE128", "GS1-128", "DATABAR",
            "DATABAR", "DATABAR", "DATABAR",
        ];
        let (kind, text) = match m {
            0..=6 => (m, data.strip_suffix(&[0]).unwrap_or(data)),
            _ => (m.saturating_sub(65), data.get(1..).unwrap_or_default()),
        };
        let name = NAMES.get(usize::from(kind)).unwrap_or(&"BAR CODE");
        // CODE128 begins with its code set: {A, {B or {C.
        let text = if kind == 8 && text.first() == Some(&b'{') { text.get(2..).unwrap_or_default() } else { text };
        self.text_mark(&format!("[{name}: {}]", String::from_utf8_lossy(text)));
    }

    /// A line of its own that stands for something that is not drawn.
    fn text_mark(&mut self, text: &str) {
        if !self.head.at_line_start() {
            self.line_feed();
        }
        for c in text.chars() {
            if let Some(line) = self.head.put(c) {
                self.printed(line);
            }
        }
        self.line_feed();
    }

    /// A picture on lines of its own.
    fn picture(&mut self, bitmap: Bitmap, marker: String) {
        if !self.head.at_line_start() {
            self.line_feed();
        }
        self.head.picture(bitmap, marker.clone());
        self.printed(marker);
    }

    /// `GS v 0`: m bit 0 doubles the width, bit 1 the height.
    fn raster(&mut self, m: u8, width: u32, height: u32, data: &[u8]) {
        if !self.head.at_line_start() {
            return self.warn(self.cmd_at, "GS v 0 in the middle of a line is ignored");
        }
        let scale = (u32::from(m & 1) + 1, u32::from(m >> 1 & 1) + 1);
        let bitmap = Bitmap { width, height, bits: Arc::new(data.to_vec()), scale };
        if bitmap.size().0 > self.head.dots() {
            self.warn(self.cmd_at, "the picture is wider than the paper and loses its right side");
        }
        self.picture(bitmap, format!("[image {width}x{height}]"));
    }

    /// `GS ( L` fn 112 stores, fn 2 or 50 prints.
    fn graphic(&mut self, data: &[u8]) {
        match *data {
            [0x30, 0x70, 0x30, bx @ (1 | 2), by @ (1 | 2), _, xl, xh, yl, yh, ref bits @ ..] => {
                let (width, height) = (u32::from(word(xl, xh)), u32::from(word(yl, yh)));
                let scale = (u32::from(bx), u32::from(by));
                self.modes.graphic = Some(Bitmap { width, height, bits: Arc::new(bits.to_vec()), scale });
            }
            [0x30, 2 | 0x32] => match self.modes.graphic.take() {
                Some(bitmap) => {
                    let marker = format!("[image {}x{}]", bitmap.width, bitmap.height);
                    self.picture(bitmap, marker);
                }
                None => self.warn(self.cmd_at, "GS ( L prints a graphic and none is stored"),
            },
            _ => self
                .warn(self.cmd_at, &format!("GS ( L {}: not built into this printer", hex(data.get(..4).unwrap_or(data)))),
        }
    }

    /// `ESC * m`: columns of 8 or 24 dots in the line, the highest bit on top.
    fn column_image(&mut self, m: u8, width: u16, data: &[u8]) {
        let bytes = if m >= 32 { 3 } else { 1 };
        let stride = usize::from(width).div_ceil(8);
        let mut bits = vec![0; stride * bytes * 8];
        for (n, byte) in data.iter().enumerate() {
            let (x, top) = (n / bytes, n % bytes * 8);
            for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                if let Some(cell) = bits.get_mut((top + bit) * stride + x / 8) {
                    *cell |= 0x80 >> (x % 8);
                }
            }
        }
        // Single density has half the dots across; 8-dot images have a third of them down.
        let scale = (if m & 1 == 1 { 1 } else { 2 }, if bytes == 3 { 1 } else { 3 });
        let height = if bytes == 3 { 24 } else { 8 };
        let bitmap = Bitmap { width: u32::from(width), height, bits: Arc::new(bits), scale };
        if let Some(line) = self.head.put_dots(bitmap) {
            self.printed(line);
        }
    }
}

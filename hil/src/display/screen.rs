//! The display's firmware: bytes in, forty cells out. Source: fact sheet on displays, 1.1 (Epson DM-D110) and 1.2 (CD5220).
//!
//! ## Why a short CD5220 string leaves the rest of the line
//! No manual says whether it blanks it. The rig takes the reading under which a careless host shows rubbish, and warns.
use super::Dialect;
use crate::printer::{CodePage, Warning};

/// Cells in a line.
pub(super) const COLUMNS: usize = 20;
const ROWS: usize = 2;
const BLANK: [[char; COLUMNS]; ROWS] = [[' '; COLUMNS]; ROWS];

/// The 128 characters from 80 on.
const BLANK_TABLE: &str = concat!(
    "                                                                ",
    "                                                                "
);

/// What happens behind the last cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Overwrite,
    Vertical,
    Horizontal,
}

/// The forty cells and what a host may set.
#[derive(Debug)]
pub(super) struct Screen {
    dialect: Dialect,
    cells: [[char; COLUMNS]; ROWS],
    column: usize,
    row: usize,
    mode: Mode,
    page: CodePage,
    national: u8,
    dark: bool,
    /// CD5220: after `ESC Q A` or `ESC Q B` only strings, 0C and 18 count.
    strings_only: bool,
    selected: bool,
    cmd: Vec<u8>,
    cmd_at: u64,
    received: u64,
    pub(super) warnings: Vec<Warning>,
}

/// What the collected bytes are.
enum Step {
    More,
    Done,
    Unknown,
}

fn need(have: &[u8], n: usize) -> Step {
    if have.len() >= n { Step::Done } else { Step::More }
}

impl Screen {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            cells: BLANK,
            column: 0,
            row: 0,
            mode: Mode::Overwrite,
            page: CodePage::FIRST,
            national: 0,
            dark: false,
            strings_only: false,
            selected: true,
            cmd: Vec::new(),
            cmd_at: 0,
            received: 0,
            warnings: Vec::new(),
        }
    }

    /// Power went and came: empty, in its factory modes. The count of received bytes goes on.
    pub(super) fn power_on(&mut self) {
        let fresh = Self::new(self.dialect);
        let old = std::mem::replace(self, fresh);
        (self.received, self.warnings) = (old.received, old.warnings);
    }

    /// What can be read on it.
    pub(super) fn frame(&self) -> [String; 2] {
        let cells = if self.dark { &BLANK } else { &self.cells };
        cells.map(|row| row.iter().collect())
    }

    /// Takes bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.cmd.is_empty() {
                self.cmd_at = self.received;
            }
            self.received += 1;
            if self.cmd.is_empty() && byte >= 0x20 {
                self.text(byte);
                continue;
            }
            self.cmd.push(byte);
            match self.progress() {
                Step::More => {}
                Step::Done => {
                    let cmd = std::mem::take(&mut self.cmd);
                    self.command(&cmd);
                }
                Step::Unknown => {
                    let cmd = std::mem::take(&mut self.cmd);
                    if self.selected {
                        let hex: Vec<String> = cmd.iter().map(|b| format!("{b:02X}")).collect();
                        self.warn(&format!("unknown command {}", hex.join(" ")));
                    }
                }
            }
        }
    }

    fn warn(&mut self, text: &str) {
        self.warnings.push(Warning { offset: self.cmd_at, text: text.to_owned() });
    }

    fn progress(&self) -> Step {
        match self.cmd[..] {
            [0x00 | 0x08..=0x0D | 0x18] => Step::Done,
            [0x1B] | [0x1F] => Step::More,
            [0x1B, ref rest @ ..] => match self.dialect {
                Dialect::EscPos => escpos_esc(rest),
                Dialect::Cd5220 => cd5220_esc(rest),
            },
            [0x1F, ref rest @ ..] => match self.dialect {
                Dialect::EscPos => escpos_us(rest),
                Dialect::Cd5220 => cd5220_us(rest),
            },
            _ => Step::Unknown,
        }
    }

    fn text(&mut self, byte: u8) {
        if !self.selected {
            return;
        }
        if self.strings_only {
            return self.warn("text after ESC Q is ignored until 0C");
        }
        self.put(self.page.char(byte, self.national));
    }

    /// One character at the cursor, which moves on.
    fn put(&mut self, c: char) {
        // A cursor behind the last cell only exists in the scrolling modes.
        if self.column == COLUMNS {
            match self.mode {
                Mode::Horizontal => {
                    self.cells[self.row].rotate_left(1);
                    self.column = COLUMNS - 1;
                }
                Mode::Vertical | Mode::Overwrite => {
                    self.column = 0;
                    self.down();
                }
            }
        }
        self.cells[self.row][self.column] = c;
        self.column += 1;
        if self.column == COLUMNS && self.mode == Mode::Overwrite {
            self.column = 0;
            self.down();
        }
    }

    fn down(&mut self) {
        if self.row + 1 < ROWS {
            self.row += 1;
        } else if self.mode == Mode::Vertical {
            self.cells = [self.cells[1], BLANK[1]];
        } else {
            self.row = 0;
        }
    }

    fn left(&mut self) {
        if self.column > 0 {
            self.column -= 1;
        } else {
            (self.column, self.row) = (COLUMNS - 1, (self.row + ROWS - 1) % ROWS);
        }
    }

    fn right(&mut self) {
        if self.column + 1 < COLUMNS {
            self.column += 1;
        } else {
            self.column = 0;
            self.down();
        }
    }

    fn clear(&mut self) {
        self.cells = BLANK;
        (self.column, self.row) = (0, 0);
    }

    fn initialise(&mut self) {
        self.clear();
        (self.mode, self.page, self.national, self.dark) = (Mode::Overwrite, CodePage::FIRST, 0, false);
    }

    fn set_mode(&mut self, n: u8) {
        self.mode = match n {
            1 => Mode::Overwrite,
            2 => Mode::Vertical,
            _ => Mode::Horizontal,
        };
        self.column = self.column.min(COLUMNS - 1);
    }

    fn move_to(&mut self, x: u8, y: u8) {
        let (column, row) = (usize::from(x), usize::from(y));
        if (1..=COLUMNS).contains(&column) && (1..=ROWS).contains(&row) {
            (self.column, self.row) = (column - 1, row - 1);
        } else {
            self.warn(&format!("cursor to column {x}, line {y}: there are 20 columns and 2 lines"));
        }
    }

    fn command(&mut self, cmd: &[u8]) {
        // Peripheral select works on a deselected display, nothing else does.
        if let [0x1B, b'=', n] = *cmd {
            self.selected = n & 2 != 0;
            return;
        }
        if !self.selected {
            return;
        }
        if self.strings_only && !matches!(cmd, [0x0C] | [0x18] | [0x1B, b'Q', ..]) {
            // Initialising again is what a host does at every open; it counts from the 0C on.
            return;
        }
        match *cmd {
            [0x08] => self.left(),
            [0x09] => self.right(),
            [0x0A] => {
                self.column = self.column.min(COLUMNS - 1);
                self.down();
            }
            [0x0B] => (self.column, self.row) = (0, 0),
            [0x0C] => {
                self.strings_only = false;
                self.clear();
            }
            [0x0D] => self.column = 0,
            [0x18] => {
                self.strings_only = false;
                self.cells[self.row] = BLANK[0];
                self.column = 0;
            }
            [0x1B, b'@'] | [0x1F, 0x40] => self.initialise(),
            [0x1F, 0x45, n] => self.dark = n == 0xFF,
            [0x1F, n @ 1..=3] => self.set_mode(n),
            _ => match self.dialect {
                Dialect::EscPos => self.escpos(cmd),
                Dialect::Cd5220 => self.cd5220(cmd),
            },
        }
    }

    fn escpos(&mut self, cmd: &[u8]) {
        match *cmd {
            [0x1F, 0x0A] => self.row = (self.row + ROWS - 1) % ROWS,
            [0x1F, 0x0D] => self.column = COLUMNS - 1,
            [0x1F, 0x42] => (self.column, self.row) = (COLUMNS - 1, ROWS - 1),
            [0x1F, 0x24, x, y] => self.move_to(x, y),
            [0x1F, 0x58, n] if !(1..=4).contains(&n) => self.warn(&format!("brightness {n}: 1 to 4 exist")),
            // The mark shares the cell of its character.
            [0x1F, 0x2E | 0x2C | 0x3B, c] => self.text(c),
            // The clock takes the lower right corner of an empty screen.
            [0x1F, 0x54, ..] | [0x1F, 0x55] => self.clear(),
            [0x1B, b't', n] => match code_table(n) {
                Some(page) => self.page = page,
                None => self.warn(&format!("code table {n} is not in this display; the one before stays")),
            },
            [0x1B, b'R', n] => self.national = n,
            // Cursor, brightness, windows, own characters: nothing that the two lines of text show.
            _ => {}
        }
    }

    fn cd5220(&mut self, cmd: &[u8]) {
        match *cmd {
            [0x1B, b'Q', line @ (b'A' | b'B'), ref text @ .., 0x0D] => self.string(usize::from(line - b'A'), text),
            [0x1B, b'Q', b'D', ref text @ .., 0x0D] => {
                // The marquee's first position stands for all of it.
                self.strings_only = true;
                self.cells[0] = BLANK[0];
                self.write_row(0, text.get(..text.len().min(COLUMNS)).unwrap_or_default());
            }
            [0x1B, n @ 0x11..=0x13] => self.set_mode(n - 0x10),
            [0x1B, b'[', b'A'] => self.row = (self.row + ROWS - 1) % ROWS,
            [0x1B, b'[', b'B'] => self.down(),
            [0x1B, b'[', b'C'] => self.right(),
            [0x1B, b'[', b'D'] => self.left(),
            [0x1B, b'[', b'H'] => (self.column, self.row) = (0, 0),
            [0x1B, b'[', b'L'] => self.column = 0,
            [0x1B, b'[', b'R'] => self.column = COLUMNS - 1,
            [0x1B, b'[', b'K'] => (self.column, self.row) = (COLUMNS - 1, ROWS - 1),
            [0x1B, b'l', x, y] => self.move_to(x, y),
            [0x1B, b'*', n] if !(1..=4).contains(&n) => self.warn(&format!("brightness {n}: 1 to 4 exist")),
            // Cursor, brightness, fonts, windows: nothing that the two lines of text show.
            _ => {}
        }
    }

    /// `ESC Q A` or `ESC Q B`.
    fn string(&mut self, row: usize, text: &[u8]) {
        self.strings_only = true;
        if text.len() != COLUMNS {
            self.warn(&format!("ESC Q with {} characters: exactly 20 are sure to show as meant", text.len()));
        }
        self.write_row(row, text);
    }

    fn write_row(&mut self, row: usize, text: &[u8]) {
        for (cell, byte) in self.cells[row].iter_mut().zip(text) {
            *cell = self.page.char(*byte, self.national);
        }
    }
}

/// The DM-D110 has 0 to 5, 16 to 19, 254 and 255 and no more of a printer's tables: fact sheet on displays, 1.1. What a
/// user's table (254) holds after power-on is not written; blanks, as in the blank table (255).
fn code_table(n: u8) -> Option<CodePage> {
    match n {
        0..=5 | 16..=19 => CodePage::by_number(n),
        254 | 255 => Some(CodePage::Table(BLANK_TABLE)),
        6..=15 | 20..=253 => None,
    }
}

/// `ESC &`: for each code a width a and then a bytes.
fn user_glyphs(first: u8, last: u8, mut glyphs: &[u8]) -> Step {
    for _ in first..=last {
        let Some((width, rest)) = glyphs.split_first() else { return Step::More };
        let Some(rest) = rest.get(usize::from(*width)..) else { return Step::More };
        glyphs = rest;
    }
    Step::Done
}

/// Commands after 1B that both sets share.
fn common_esc(rest: &[u8]) -> Step {
    match *rest {
        [b'@'] => Step::Done,
        [b'=' | b'?' | b'%', ..] => need(rest, 2),
        [b'&', _, first, last, ref glyphs @ ..] => user_glyphs(first, last, glyphs),
        [b'&', ..] => Step::More,
        _ => Step::Unknown,
    }
}

fn escpos_esc(rest: &[u8]) -> Step {
    match *rest {
        [b't' | b'R', ..] => need(rest, 2),
        [b'W', _, 1 | b'1', ..] => need(rest, 7),
        [b'W', ..] => need(rest, 3),
        _ => common_esc(rest),
    }
}

fn escpos_us(rest: &[u8]) -> Step {
    match *rest {
        [0x01..=0x03 | 0x0A | 0x0D | 0x42 | 0x55 | 0x3A | 0x40] => Step::Done,
        [0x43 | 0x58 | 0x45 | 0x72 | 0x76 | 0x2E | 0x2C | 0x3B, ..] => need(rest, 2),
        [0x24 | 0x23 | 0x54 | 0x5E, ..] => need(rest, 3),
        [0x28, _, lo, hi, ..] => need(rest, 4 + usize::from(u16::from_le_bytes([lo, hi]))),
        [0x28, ..] => Step::More,
        _ => Step::Unknown,
    }
}

fn cd5220_esc(rest: &[u8]) -> Step {
    match *rest {
        [0x11..=0x13] => Step::Done,
        [b'Q'] | [b'['] => Step::More,
        [b'Q', b'A' | b'B' | b'D', .., last] if rest.len() > 2 && last == 0x0D => Step::Done,
        // Strings hold at most 40 characters: an end that does not come must not eat everything after it.
        [b'Q', b'A' | b'B' | b'D', ..] => {
            if rest.len() < 43 {
                Step::More
            } else {
                Step::Unknown
            }
        }
        [b'[', b'A'..=b'D' | b'H' | b'L' | b'R' | b'K'] => Step::Done,
        [b'_' | b'*' | b'f' | b'c' | b's' | b'd', ..] => need(rest, 2),
        [b'l', ..] => need(rest, 3),
        [b'W', 0 | b'0', ..] => need(rest, 2),
        [b'W', ..] => need(rest, 5),
        [b'b', ..] => need(rest, 401),
        _ => common_esc(rest),
    }
}

fn cd5220_us(rest: &[u8]) -> Step {
    match *rest {
        [0x01..=0x03 | 0x40] => Step::Done,
        [0x45, ..] => need(rest, 2),
        _ => Step::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dialect: Dialect, bytes: &[u8]) -> Screen {
        let mut screen = Screen::new(dialect);
        screen.feed(bytes);
        screen
    }

    fn padded(text: &str) -> String {
        format!("{text:<20}")
    }

    #[test]
    fn the_escpos_frame_of_the_fact_sheet_shows_both_lines() {
        let mut bytes = b"\x1B@\x1F\x01\x1FC\x00\x1Bt\x13\x1FX\x04\x0C\x1F$\x01\x01".to_vec();
        bytes.extend(padded("COUNT FLOAT").bytes());
        bytes.extend(b"\x1F$\x01\x02");
        bytes.extend(padded("KEY AMOUNT + ENTER").bytes());
        let screen = shown(Dialect::EscPos, &bytes);
        assert_eq!(screen.frame(), [padded("COUNT FLOAT"), padded("KEY AMOUNT + ENTER")]);
        assert_eq!(screen.warnings, []);
    }

    #[test]
    fn the_cd5220_frame_of_the_fact_sheet_can_be_sent_again_and_again() {
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes.extend(b"\x1B@\x1B\x11\x1B_\x00\x1B*\x04\x0C\x1BQA");
            bytes.extend(padded("COUNT FLOAT").bytes());
            bytes.extend(b"\x0D\x1BQB");
            bytes.extend(padded("KEY AMOUNT").bytes());
            bytes.extend(b"\x0D");
        }
        let screen = shown(Dialect::Cd5220, &bytes);
        assert_eq!(screen.frame(), [padded("COUNT FLOAT"), padded("KEY AMOUNT")]);
        assert_eq!(screen.warnings, []);
    }

    #[test]
    fn after_a_cd5220_string_text_is_ignored_until_the_screen_is_cleared() {
        let screen = shown(Dialect::Cd5220, b"\x1BQA12345678901234567890\x0Dx");
        assert_eq!(screen.frame(), ["12345678901234567890".to_owned(), padded("")]);
        assert_eq!(screen.warnings[0].offset, 24);
        assert_eq!(shown(Dialect::Cd5220, b"\x1BQA12345678901234567890\x0D\x0Cx").frame()[0], padded("x"));
    }

    #[test]
    fn a_short_cd5220_string_leaves_the_rest_and_is_reported() {
        let screen = shown(Dialect::Cd5220, b"abcdefgh\x1BQAxy\x0D");
        assert_eq!(screen.frame()[0], padded("xycdefgh"));
        assert_eq!((screen.warnings.len(), screen.warnings[0].offset), (1, 8));
    }

    #[test]
    fn cell_forty_wraps_to_cell_one_only_in_overwrite_mode() {
        let forty = [b'a'; 40];
        let mut screen = shown(Dialect::EscPos, &forty);
        screen.feed(b"Z");
        assert_eq!(screen.frame(), [format!("Z{}", "a".repeat(19)), "a".repeat(20)]);
        let mut screen = shown(Dialect::EscPos, b"\x1F\x02");
        screen.feed(&forty);
        screen.feed(b"Z");
        assert_eq!(screen.frame(), ["a".repeat(20), padded("Z")]);
    }

    #[test]
    fn unknown_bytes_are_reported_with_their_place() {
        let screen = shown(Dialect::EscPos, b"ab\x1BQA");
        assert_eq!(screen.warnings, [Warning { offset: 2, text: "unknown command 1B 51".to_owned() }]);
        assert_eq!(screen.frame()[0], padded("abA"));
        assert_eq!(shown(Dialect::Cd5220, b"\x1F$\x01\x02").warnings[0].offset, 0);
        assert_eq!(shown(Dialect::EscPos, b"\x1F$\x15\x01").warnings.len(), 1);
    }

    #[test]
    fn a_deselected_display_only_listens_for_its_selection() {
        let screen = shown(Dialect::EscPos, b"a\x1B=\x01b\x0C\x1B=\x02c");
        assert_eq!(screen.frame()[0], padded("ac"));
    }

    #[test]
    fn accents_come_from_the_code_table() {
        assert_eq!(shown(Dialect::EscPos, b"\x1Bt\x13\xD5 \x81").frame()[0], padded("€ ü"));
    }

    #[test]
    fn only_the_tables_of_the_fact_sheet_are_in_it() {
        for n in [0, 5, 16, 19, 254, 255] {
            assert_eq!(shown(Dialect::EscPos, &[0x1B, b't', n]).warnings, [], "table {n}");
        }
        for n in [6, 15, 20, 39, 51, 253] {
            assert_eq!(shown(Dialect::EscPos, &[0x1B, b't', n]).warnings.len(), 1, "table {n}");
        }
        assert_eq!(shown(Dialect::EscPos, b"\x1Bt\xFFa\xD5b").frame()[0], padded("a b"));
        assert_eq!(BLANK_TABLE.len(), 128);
    }
}

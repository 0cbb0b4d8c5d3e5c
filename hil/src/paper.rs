//! What comes out of the printer: lines of text, and marks on paper that become a picture.
//!
//! ## Why marks and not pixels
//! A slip is typeset while the daemon waits for answers, and drawn only when somebody wants to look at it. Drawing would
//! otherwise be part of every latency that the rig measures.
pub mod font;
pub mod picture;

use std::sync::Arc;

/// Width of a font A cell in dots. Source: fact sheet 3.1, font A 12x24, font B 9x17.
pub const CELL_A: (u32, u32) = (12, 24);
/// Width and height of a font B cell in dots.
pub const CELL_B: (u32, u32) = (9, 17);
/// The line spacing after `ESC 2`: 1/6 inch at 180 dots an inch.
pub const SPACING: u32 = 30;

/// How characters are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Font B instead of font A.
    pub font_b: bool,
    /// Times as wide, 1 to 8.
    pub wide: u32,
    /// Times as high, 1 to 8.
    pub high: u32,
    /// Emphasis or double strike.
    pub bold: bool,
    /// Thickness of the underline, 0 to 2 dots.
    pub underline: u32,
    /// White on black.
    pub reverse: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { font_b: false, wide: 1, high: 1, bold: false, underline: 0, reverse: false }
    }
}

impl Style {
    /// The size of one cell in dots.
    pub fn cell(&self) -> (u32, u32) {
        let (w, h) = if self.font_b { CELL_B } else { CELL_A };
        (w * self.wide, h * self.high)
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Justify {
    /// At the left margin.
    #[default]
    Left,
    /// In the middle.
    Centre,
    /// At the right end.
    Right,
}

/// Black and white dots, eight to a byte, the highest bit leftmost.
#[derive(Debug, Clone)]
pub struct Bitmap {
    /// Dots in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width` rounded up to whole bytes for each row; missing bytes are white.
    pub bits: Arc<Vec<u8>>,
    /// Paper dots for one dot of it, horizontally and vertically.
    pub scale: (u32, u32),
}

impl Bitmap {
    /// Whether the dot is black.
    pub fn dot(&self, x: u32, y: u32) -> bool {
        let at = y as usize * self.width.div_ceil(8) as usize + (x / 8) as usize;
        self.bits.get(at).is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
    }

    /// Size on paper.
    pub fn size(&self) -> (u32, u32) {
        (self.width * self.scale.0, self.height * self.scale.1)
    }
}

/// Something drawn.
#[derive(Debug, Clone)]
pub enum Ink {
    /// One character.
    Glyph(char, Style),
    /// Dots.
    Dots(Bitmap),
}

impl Ink {
    fn size(&self) -> (u32, u32) {
        match self {
            Ink::Glyph(_, style) => style.cell(),
            Ink::Dots(bitmap) => bitmap.size(),
        }
    }
}

/// Something drawn, with its place on the paper in dots.
#[derive(Debug, Clone)]
pub struct Mark {
    /// From the left end of the print area.
    pub x: u32,
    /// From the top of this piece of paper.
    pub y: u32,
    /// What it is.
    pub ink: Ink,
}

/// One piece of paper.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Dots on a line.
    pub dots: u32,
    /// Length in dots.
    pub height: u32,
    /// What is drawn on it.
    pub marks: Vec<Mark>,
    /// The same as lines of text.
    pub lines: Vec<String>,
}

impl Piece {
    fn empty(dots: u32) -> Self {
        Self { dots, height: 0, marks: Vec::new(), lines: Vec::new() }
    }

    /// The lines as one text, each ended by a newline.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// The print head: the line being put together, and the paper below the cutter.
#[derive(Debug)]
pub struct Head {
    /// Dots that one line of font A cells takes.
    area: u32,
    piece: Piece,
    line: Vec<(u32, Ink)>,
    next_x: u32,
    /// Style of the next characters.
    pub style: Style,
    /// Place of the next line.
    pub justify: Justify,
    /// Dots from one line to the next.
    pub spacing: u32,
    /// Left margin in dots, `GS L`.
    pub margin: u32,
    /// Width of the print area in dots, `GS W`; 0 is all of it.
    pub width: u32,
    /// Extra dots to the right of each character, `ESC SP`.
    pub gap: u32,
    /// Columns of the tab stops, `ESC D`.
    pub tabs: Vec<u32>,
}

impl Head {
    /// A head of `dots` dots that puts `columns` font A cells on a line.
    pub fn new(dots: u32, columns: u8) -> Self {
        let area = dots.min(u32::from(columns) * CELL_A.0);
        let mut head = Self {
            area,
            piece: Piece::empty(dots),
            line: Vec::new(),
            next_x: 0,
            style: Style::default(),
            justify: Justify::Left,
            spacing: SPACING,
            margin: 0,
            width: 0,
            gap: 0,
            tabs: Vec::new(),
        };
        head.reset();
        head
    }

    /// `ESC @`: modes are as after power-on and the unprinted line is gone. The paper stays.
    pub fn reset(&mut self) {
        self.line.clear();
        self.next_x = 0;
        self.style = Style::default();
        self.justify = Justify::Left;
        (self.spacing, self.margin, self.width, self.gap) = (SPACING, 0, 0, 0);
        self.tabs = (1..32).map(|n| n * 8).collect();
    }

    /// Nothing stands in the line yet.
    pub fn at_line_start(&self) -> bool {
        self.line.is_empty() && self.next_x == 0
    }

    /// Dots that a line may take now.
    fn room(&self) -> u32 {
        let left = self.area.saturating_sub(self.margin);
        if self.width == 0 { left } else { self.width.min(left) }
    }

    /// One character. Gives the line that had to be printed to make room for it.
    pub fn put(&mut self, c: char) -> Option<String> {
        self.place(Ink::Glyph(c, self.style), self.gap * self.style.wide)
    }

    /// Dots in the line, as `ESC *` makes them.
    pub fn put_dots(&mut self, bitmap: Bitmap) -> Option<String> {
        self.place(Ink::Dots(bitmap), 0)
    }

    fn place(&mut self, ink: Ink, gap: u32) -> Option<String> {
        let width = ink.size().0;
        let full = self.next_x + width > self.room() && !self.at_line_start();
        let printed = full.then(|| self.print_line());
        self.line.push((self.next_x, ink));
        self.next_x += width + gap;
        printed
    }

    /// Moves to the next tab stop.
    pub fn tab(&mut self) {
        let cell = self.style.cell().0;
        if let Some(stop) = self.tabs.iter().map(|column| column * cell).find(|x| *x > self.next_x && *x < self.room()) {
            self.next_x = stop;
        }
    }

    /// Sets the place of the next character in dots from the left margin.
    pub fn move_to(&mut self, x: u32) {
        self.next_x = x.min(self.room());
    }

    /// Where the next character goes.
    pub fn position(&self) -> u32 {
        self.next_x
    }

    /// Prints the line and feeds by the line spacing; gives it as text.
    pub fn print_line(&mut self) -> String {
        self.print_and_feed(self.spacing)
    }

    /// Prints the line and feeds `feed` dots, at least the height of what is in the line.
    pub fn print_and_feed(&mut self, feed: u32) -> String {
        let text = self.line_text();
        let offset = self.offset(self.next_x);
        let height = self.line.iter().map(|(_, ink)| ink.size().1).max().unwrap_or(0);
        for (x, ink) in std::mem::take(&mut self.line) {
            // Characters of different heights stand on one base line.
            let y = self.piece.height + height - ink.size().1;
            self.piece.marks.push(Mark { x: offset + x, y, ink });
        }
        self.next_x = 0;
        self.piece.height += height.max(feed);
        self.piece.lines.push(text.clone());
        text
    }

    /// Feeds without printing a line of text: `ESC J` on an empty line.
    pub fn feed_blank(&mut self, dots: u32) {
        self.piece.height += dots;
    }

    /// Where a line of `width` dots begins.
    fn offset(&self, width: u32) -> u32 {
        let spare = self.room().saturating_sub(width);
        self.margin
            + match self.justify {
                Justify::Left => 0,
                Justify::Centre => spare / 2,
                Justify::Right => spare,
            }
    }

    /// The line as text: every character in its column, a double-width one counted as two.
    fn line_text(&self) -> String {
        let glyphs =
            || self.line.iter().filter_map(|(x, ink)| if let Ink::Glyph(c, s) = ink { Some((x, c, s)) } else { None });
        let cell = if glyphs().all(|(_, _, s)| s.font_b) { CELL_B.0 } else { CELL_A.0 };
        let offset = self.offset(self.next_x);
        let (mut text, mut used) = (String::new(), 0);
        for (x, c, style) in glyphs() {
            let column = (offset + x) / cell;
            while used < column {
                text.push(' ');
                used += 1;
            }
            text.push(*c);
            used += style.cell().0.div_ceil(cell);
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// A picture on lines of its own, with `marker` standing for it in the text.
    pub fn picture(&mut self, bitmap: Bitmap, marker: String) {
        let (width, height) = bitmap.size();
        let (x, y) = (self.offset(width), self.piece.height);
        self.piece.marks.push(Mark { x, y, ink: Ink::Dots(bitmap) });
        self.piece.height += height;
        self.piece.lines.push(marker);
    }

    /// The dots a line can take; wider pictures are cut off by the printer.
    pub fn dots(&self) -> u32 {
        self.piece.dots
    }

    /// What is printed and not cut yet.
    pub fn text(&self) -> String {
        self.piece.text()
    }

    /// Cuts. `None` if no paper has moved since the last cut.
    pub fn cut(&mut self) -> Option<Piece> {
        let dots = self.piece.dots;
        let piece = std::mem::replace(&mut self.piece, Piece::empty(dots));
        (piece.height > 0).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(head: &mut Head, text: &str) {
        for c in text.chars() {
            head.put(c);
        }
    }

    #[test]
    fn a_double_width_line_is_centred_by_its_real_width() {
        let mut head = Head::new(512, 42);
        head.justify = Justify::Centre;
        head.style.wide = 2;
        type_in(&mut head, "FLOAT");
        assert_eq!(head.print_line(), format!("{}FLOAT", " ".repeat(16)));
    }

    #[test]
    fn the_forty_third_character_goes_to_the_next_line() {
        let mut head = Head::new(512, 42);
        type_in(&mut head, &"x".repeat(42));
        assert_eq!(head.put('y'), Some("x".repeat(42)));
        assert_eq!(head.print_line(), "y");
        assert_eq!(Head::new(384, 32).room(), 384);
    }

    #[test]
    fn amounts_stand_at_the_right_end() {
        let mut head = Head::new(384, 32);
        head.justify = Justify::Right;
        type_in(&mut head, "150.00");
        assert_eq!(head.print_line(), format!("{}150.00", " ".repeat(26)));
    }

    #[test]
    fn a_cut_without_paper_gives_no_slip() {
        let mut head = Head::new(512, 42);
        assert!(head.cut().is_none());
        type_in(&mut head, "a");
        head.print_line();
        assert_eq!(head.cut().unwrap().text(), "a\n");
        assert!(head.cut().is_none());
    }
}

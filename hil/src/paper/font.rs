//! Characters for the picture of a slip, from the 8×8 font scaled to the printer's cells.
use font8x8::{BASIC_FONTS, BLOCK_FONTS, BOX_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts};

/// The euro sign, which the font lacks.
const EURO: [u8; 8] = [0x38, 0x4C, 0x06, 0x1F, 0x06, 0x4C, 0x38, 0x00];

/// What stands for a character that the font lacks: a hollow box, so that it is seen.
const MISSING: [u8; 8] = [0x7F, 0x41, 0x41, 0x41, 0x41, 0x41, 0x7F, 0x00];

/// Eight rows from the top; the lowest bit is the leftmost dot.
fn rows(c: char) -> [u8; 8] {
    match c {
        '€' => EURO,
        ' ' | '\u{A0}' => [0; 8],
        _ => BASIC_FONTS
            .get(c)
            .or_else(|| LATIN_FONTS.get(c))
            .or_else(|| BOX_FONTS.get(c))
            .or_else(|| BLOCK_FONTS.get(c))
            .or_else(|| GREEK_FONTS.get(c))
            .unwrap_or(MISSING),
    }
}

/// A glyph ready to be drawn at one size.
pub struct Glyph {
    rows: [u8; 8],
    width: u32,
    top: u32,
    height: u32,
}

impl Glyph {
    /// `c` in a cell of `width` × `height` dots.
    pub fn new(c: char, width: u32, height: u32) -> Self {
        // Lines and blocks reach the edges of the cell, so that they join; letters keep a little air above and below.
        let joins = matches!(c, '\u{2500}'..='\u{259F}');
        let air = if joins { 0 } else { height / 12 };
        Self { rows: rows(c), width, top: air, height: height - 2 * air }
    }

    /// How black the dot is, 0 to 255: the eight rows enlarged with smooth edges.
    pub fn ink(&self, x: u32, y: u32) -> u8 {
        let Some(y) = y.checked_sub(self.top).filter(|y| *y < self.height) else { return 0 };
        let (column, right) = split(x, self.width);
        let (row, below) = split(y, self.height);
        let at = |c: i64, r: i64| self.dot(c, r);
        let upper = at(column, row) * (256 - right) + at(column + 1, row) * right;
        let lower = at(column, row + 1) * (256 - right) + at(column + 1, row + 1) * right;
        // 0 to 255 * 65536; the middle is the edge, made three times as steep as plain smoothing.
        let level = (upper * (256 - below) + lower * below) / 65_536;
        u8::try_from(((level - 128) * 3 + 128).clamp(0, 255)).unwrap_or(255)
    }

    fn dot(&self, column: i64, row: i64) -> i64 {
        let (Ok(c), Ok(r)) = (u32::try_from(column), usize::try_from(row)) else { return 0 };
        match self.rows.get(r) {
            Some(bits) if c < 8 && bits >> c & 1 == 1 => 255,
            Some(_) | None => 0,
        }
    }
}

/// The place of dot `n` of `size` among eight source dots: the one to its left, and 1/256 parts towards the next.
fn split(n: u32, size: u32) -> (i64, i64) {
    let at = (i64::from(n) * 2 + 1) * 8 * 256 / (2 * i64::from(size.max(1))) - 128;
    (at.div_euclid(256), at.rem_euclid(256))
}

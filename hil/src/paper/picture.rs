//! A piece of paper as a PNG: off-white paper with its torn edges on a grey table.
use super::font::Glyph;
use super::{Bitmap, Ink, Piece, Style};

const TABLE: u8 = 0xA8;
const PAPER: u8 = 0xFA;
const INK: u8 = 0x1C;

/// Table around the paper.
const AROUND: u32 = 16;
/// Paper left and right of the print area, as on an 80 mm roll with a 72 mm head.
const MARGIN: u32 = 32;
/// Paper above the first and below the last line: the way from the head to the cutter.
const ENDS: u32 = 40;
/// Length of the cutter's teeth.
const TEETH: u32 = 6;

struct Canvas {
    width: u32,
    height: u32,
    dots: Vec<u8>,
}

impl Canvas {
    /// A blank slip for `piece`.
    fn of(piece: &Piece) -> Self {
        let width = piece.dots + 2 * (MARGIN + AROUND);
        let height = piece.height + 2 * (ENDS + AROUND);
        let mut canvas = Self { width, height, dots: vec![TABLE; width as usize * height as usize] };
        for y in 0..height {
            for x in AROUND..width - AROUND {
                let tooth = (x % (2 * TEETH)).abs_diff(TEETH);
                if y >= AROUND + tooth && y < height - AROUND - tooth {
                    canvas.set(x, y, PAPER);
                } else if y >= height - AROUND - tooth && y < height - AROUND - tooth + 3 {
                    canvas.set(x, y, TABLE - 0x20);
                }
            }
        }
        canvas
    }

    fn set(&mut self, x: u32, y: u32, level: u8) {
        if x < self.width && y < self.height {
            self.dots[y as usize * self.width as usize + x as usize] = level;
        }
    }

    /// Blackens a dot of the print area by `ink` of 255 parts. Ink outside the paper is lost.
    fn ink(&mut self, x: u32, y: u32, ink: u8) {
        let (x, y) = (x + AROUND + MARGIN, y + AROUND + ENDS);
        if x >= self.width - AROUND || y >= self.height - AROUND {
            return;
        }
        let dot = &mut self.dots[y as usize * self.width as usize + x as usize];
        let level = u32::from(PAPER) - u32::from(PAPER - INK) * u32::from(ink) / 255;
        *dot = (*dot).min(u8::try_from(level).unwrap_or(INK));
    }

    fn glyph(&mut self, left: u32, top: u32, c: char, style: Style) {
        let (width, height) = style.cell();
        let glyph = Glyph::new(c, width, height);
        let stroke = if style.bold { style.wide + 1 } else { 1 };
        for y in 0..height {
            let underlined = style.underline > 0 && y >= height - style.underline;
            for x in 0..width {
                let ink = (0..stroke).filter_map(|back| x.checked_sub(back)).map(|x| glyph.ink(x, y)).max().unwrap_or(0);
                let ink = if underlined { 255 } else { ink };
                self.ink(left + x, top + y, if style.reverse { 255 - ink } else { ink });
            }
        }
    }

    fn bitmap(&mut self, left: u32, top: u32, bitmap: &Bitmap, dots: u32) {
        let (width, height) = bitmap.size();
        for y in 0..height {
            for x in 0..width.min(dots.saturating_sub(left)) {
                if bitmap.dot(x / bitmap.scale.0, y / bitmap.scale.1) {
                    self.ink(left + x, top + y, 255);
                }
            }
        }
    }
}

/// Draws the piece. The PNG is 8-bit greyscale.
pub fn png(piece: &Piece) -> Vec<u8> {
    let mut canvas = Canvas::of(piece);
    for mark in &piece.marks {
        match &mark.ink {
            Ink::Glyph(c, style) => canvas.glyph(mark.x, mark.y, *c, *style),
            Ink::Dots(bitmap) => canvas.bitmap(mark.x, mark.y, bitmap, piece.dots),
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, canvas.width, canvas.height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&canvas.dots));
    written.expect("a Vec takes every byte, and the buffer has the size that the header says");
    file
}

#[cfg(test)]
mod tests {
    use super::super::Head;
    use super::*;

    #[test]
    fn the_picture_is_a_png_of_the_papers_size() {
        let mut head = Head::new(384, 32);
        head.put('A');
        head.print_line();
        let file = png(&head.cut().unwrap());
        let reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (384 + 96, 30 + 112));
    }
}

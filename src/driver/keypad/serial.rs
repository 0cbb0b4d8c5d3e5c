//! Bytes of a serial keypad or scanner → [`Stroke`]s: ASCII, as nearly all of them send it. Fact sheet 2.3, "serial keypads".

use super::Stroke;

/// Reads one byte at a time; it remembers only whether the last one was half of an Enter.
#[derive(Debug, Default)]
pub struct Bytes {
    line_end: Option<u8>,
}

impl Bytes {
    /// `0D` and `0A` are Enter, and the pair of them, in either order, is one. `1B` and `18` clear, `08` and `7F` delete.
    /// A lone `0A` is [`Stroke::LineFeed`], since some readers begin with it.
    /// The pair counts however late its second half comes: a USB adapter may hold it back for 16 ms and more.
    pub fn read(&mut self, byte: u8) -> Option<Stroke> {
        let before = self.line_end.take();
        Some(match byte {
            0x0d | 0x0a => {
                if before.is_some_and(|b| b != byte) {
                    return None;
                }
                self.line_end = Some(byte);
                if byte == 0x0a { Stroke::LineFeed } else { Stroke::Enter }
            }
            0x1b | 0x18 => Stroke::Clear,
            0x08 | 0x7f => Stroke::Backspace,
            0x20..=0x7e => Stroke::Char(char::from(byte)),
            0x00..=0x1f | 0x80..=0xff => Stroke::Noise,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strokes(bytes: &[u8]) -> Vec<Stroke> {
        let mut reader = Bytes::default();
        bytes.iter().filter_map(|b| reader.read(*b)).collect()
    }

    #[test]
    fn a_pair_of_line_ends_is_one_enter() {
        use Stroke::{Char, Enter, LineFeed};
        assert_eq!(strokes(b"1\r\n2\r\n"), [Char('1'), Enter, Char('2'), Enter]);
        assert_eq!(strokes(b"1\n\r"), [Char('1'), LineFeed]);
        assert_eq!(strokes(b"\r\r"), [Enter, Enter]);
        assert_eq!(strokes(b"\n\n"), [LineFeed, LineFeed]);
        assert_eq!(strokes(b"\r\n\r\n"), [Enter, Enter]);
        assert_eq!(strokes(b"\r1\n"), [Enter, Char('1'), LineFeed]);
    }

    #[test]
    fn keys_have_the_codes_of_the_fact_sheet() {
        use Stroke::{Backspace, Char, Clear, Noise};
        assert_eq!(strokes(&[0x1b, 0x18, 0x08, 0x7f]), [Clear, Clear, Backspace, Backspace]);
        assert_eq!(strokes(b".,"), [Char('.'), Char(',')]);
        assert_eq!(strokes(&[0x00, 0x80, 0xff, 0x13]), [Noise; 4]);
    }
}

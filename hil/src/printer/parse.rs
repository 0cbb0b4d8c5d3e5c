//! Where a command ends: ESC/POS has no framing, each command's length follows from its own bytes.
//! Source: Epson application programming guide; see the command list of the fact sheet.

/// What the bytes collected so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Parameters are missing.
    More,
    /// A whole command.
    Done,
    /// No command begins like this.
    Unknown,
}

/// Looks at `cmd`, which begins at a command boundary with a byte below 20.
pub(super) fn progress(cmd: &[u8]) -> Step {
    match cmd {
        [0x00 | 0x09 | 0x0A | 0x0C | 0x0D | 0x18] => Step::Done,
        [0x10, rest @ ..] => dle(rest),
        [0x1B, rest @ ..] => esc(rest),
        [0x1C, rest @ ..] => fs(rest),
        [0x1D, rest @ ..] => gs(rest),
        _ => Step::Unknown,
    }
}

/// `Done` once there are `n` bytes.
fn need(have: &[u8], n: usize) -> Step {
    if have.len() >= n { Step::Done } else { Step::More }
}

/// Two bytes, low one first.
pub(super) fn word(lo: u8, hi: u8) -> u16 {
    u16::from_le_bytes([lo, hi])
}

/// The same as a count of bytes.
fn count(lo: u8, hi: u8) -> usize {
    usize::from(word(lo, hi))
}

/// After 10: the real-time commands.
fn dle(rest: &[u8]) -> Step {
    match rest {
        [] => Step::More,
        [0x04 | 0x14] => Step::More,
        [0x04, 0x07 | 0x08 | 0x12, ..] => need(rest, 3),
        [0x04, ..] | [0x05, ..] => need(rest, 2),
        [0x14, 0x01 | 0x02, ..] => need(rest, 4),
        [0x14, 0x03, ..] => need(rest, 7),
        [0x14, 0x07, ..] => need(rest, 3),
        [0x14, 0x08, ..] => need(rest, 9),
        _ => Step::Unknown,
    }
}

/// After 1B.
fn esc(rest: &[u8]) -> Step {
    match rest {
        [] => Step::More,
        [b'@' | b'2' | b'<' | b'i' | b'm' | b'v' | b'L' | b'S' | 0x0C, ..] => Step::Done,
        [
            b'!' | b'-' | b'3' | b'=' | b'E' | b'G' | b'J' | b'K' | b'M' | b'R' | b'T' | b'U' | b'V' | b'a' | b'd' | b'e'
            | b't' | b'r' | b'{' | b' ' | b'u' | b'%' | b'?',
            ..,
        ] => need(rest, 2),
        [b'$' | b'\\' | b'c', ..] => need(rest, 3),
        // m outside the list: not a kick, and what follows is ordinary data.
        [b'p', m, ..] if !matches!(m, 0 | 1 | 0x30 | 0x31) => Step::Unknown,
        [b'p', ..] => need(rest, 4),
        [b'W', ..] => need(rest, 9),
        [b'D', .., 0] if rest.len() > 1 => Step::Done,
        [b'D', ..] => need(rest, 33),
        [b'*', m, lo, hi, ..] => need(rest, 4 + count(*lo, *hi) * if *m >= 32 { 3 } else { 1 }),
        [b'*', ..] => Step::More,
        [b'&', y, first, last, glyphs @ ..] => user_glyphs(*y, *first, *last, glyphs),
        [b'&', ..] => Step::More,
        [b'(', _, lo, hi, ..] => need(rest, 4 + count(*lo, *hi)),
        [b'(', ..] => Step::More,
        _ => Step::Unknown,
    }
}

/// `ESC &`: for each code a width x and then y × x bytes.
fn user_glyphs(y: u8, first: u8, last: u8, mut glyphs: &[u8]) -> Step {
    for _ in first..=last {
        let Some((x, rest)) = glyphs.split_first() else { return Step::More };
        let Some(rest) = rest.get(usize::from(*x) * usize::from(y)..) else { return Step::More };
        glyphs = rest;
    }
    Step::Done
}

/// After 1C.
fn fs(rest: &[u8]) -> Step {
    match rest {
        [] => Step::More,
        [b'.' | b'&', ..] => Step::Done,
        [b'!' | b'C' | b'-' | b'W', ..] => need(rest, 2),
        [b'S' | b'p', ..] => need(rest, 3),
        [b'(', _, lo, hi, ..] => need(rest, 4 + count(*lo, *hi)),
        [b'(', ..] => Step::More,
        _ => Step::Unknown,
    }
}

/// After 1D.
fn gs(rest: &[u8]) -> Step {
    match rest {
        [] => Step::More,
        [b':' | b'c', ..] => Step::Done,
        [b'!' | b'B' | b'E' | b'H' | b'I' | b'T' | b'a' | b'b' | b'f' | b'h' | b'w' | b'r' | b'/', ..] => need(rest, 2),
        [b'L' | b'P' | b'W' | b'$' | b'\\', ..] => need(rest, 3),
        [b'^', ..] => need(rest, 4),
        [b'V', 0 | 1 | 0x30 | 0x31, ..] => Step::Done,
        [b'V', 0x41 | 0x42 | 0x61 | 0x62 | 0x67 | 0x68, ..] => need(rest, 3),
        [b'V' | b'v' | b'8' | b'k' | b'*'] => Step::More,
        [b'v', b'0', _, xl, xh, yl, yh, ..] => need(rest, 7 + count(*xl, *xh) * count(*yl, *yh)),
        [b'v', b'0', ..] => Step::More,
        [b'(', _, lo, hi, ..] => need(rest, 4 + count(*lo, *hi)),
        [b'(', ..] => Step::More,
        [b'8', b'L', a, b, c, d, ..] => {
            need(rest, usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX).saturating_add(6))
        }
        [b'8', b'L', ..] => Step::More,
        [b'k', 0..=6, .., 0] if rest.len() > 2 => Step::Done,
        [b'k', 0..=6, ..] => need(rest, 258),
        [b'k', 65..=79, n, ..] => need(rest, 3 + usize::from(*n)),
        [b'k', 65..=79] => Step::More,
        [b'*', x, y, ..] => need(rest, 3 + usize::from(*x) * usize::from(*y) * 8),
        [b'*', ..] => Step::More,
        [b'g', b'0' | b'2', ..] | [b'z', b'0', ..] => need(rest, if rest[0] == b'g' { 5 } else { 4 }),
        [b'g' | b'z'] => Step::More,
        _ => Step::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length at which `bytes` stops needing more.
    fn length(bytes: &[u8]) -> Option<usize> {
        (1..=bytes.len()).find(|n| progress(&bytes[..*n]) == Step::Done)
    }

    #[test]
    fn commands_end_where_the_book_says() {
        for (name, bytes) in [
            ("ESC @", &b"\x1B@"[..]),
            ("ESC p", b"\x1Bp\x00\x32\xFA"),
            ("ESC c 5", b"\x1Bc5\x01"),
            ("ESC D", b"\x1BD\x08\x10\x00"),
            ("ESC * 24 dots", b"\x1B*\x21\x02\x00abcdef"),
            ("ESC &", b"\x1B&\x01AB\x02ab\x01c"),
            ("DLE EOT 1", b"\x10\x04\x01"),
            ("DLE EOT 7 1", b"\x10\x04\x07\x01"),
            ("DLE DC4 1", b"\x10\x14\x01\x00\x01"),
            ("DLE DC4 3", b"\x10\x14\x03\x00\x00\x00\x01\x00"),
            ("DLE DC4 8", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"),
            ("GS V 0", b"\x1DV\x00"),
            ("GS V 66", b"\x1DVB\x00"),
            ("GS v 0", b"\x1Dv0\x00\x02\x00\x02\x00abcd"),
            ("GS ( k", b"\x1D(k\x03\x001Q0"),
            ("GS k A", b"\x1Dk\x04ABC\x00"),
            ("GS k B", b"\x1Dk\x49\x03{AB"),
            ("GS 8 L", b"\x1D8L\x02\x00\x00\x0002"),
            ("FS .", b"\x1C."),
        ] {
            assert_eq!(length(bytes), Some(bytes.len()), "{name}");
        }
    }

    #[test]
    fn a_kick_of_an_unknown_pin_is_no_command() {
        assert_eq!(progress(b"\x1Bp\x02"), Step::Unknown);
        assert_eq!(progress(b"\x1BZ"), Step::Unknown);
        assert_eq!(progress(b"\x07"), Step::Unknown);
    }
}

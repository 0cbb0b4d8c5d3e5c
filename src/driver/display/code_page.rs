//! Text into the 20 bytes of a display row: the code page first, then plain letters that mean the same, then `?`.
use crate::{
    code_page::{byte_of, spelled},
    device::profile::CodePage,
};

/// Cells of one row. Every display that is driven here has 2 × 20.
pub const COLUMNS: usize = 20;

/// What is shown for a character that nothing else stands for.
const UNKNOWN: u8 = b'?';

/// One row, exactly [`COLUMNS`] bytes, none of them below 20 hex and none 7F. `None` is plain ASCII.
///
/// A character that becomes several (`€` → `EUR`) pushes the rest to the right; what does not fit is cut.
/// Source: fact sheet 1.13, "fallback order per character".
#[must_use]
pub fn row(text: &str, page: Option<CodePage>) -> [u8; COLUMNS] {
    let mut cells = [b' '; COLUMNS];
    let bytes = text.chars().flat_map(|c| encode(c, page));
    for (cell, byte) in cells.iter_mut().zip(bytes) {
        *cell = byte;
    }
    cells
}

/// The number after `ESC t`. Source: fact sheet 1.13; 0, 2, 16 and 19 agree between Epson and Aures.
#[must_use]
pub fn number(page: CodePage) -> u8 {
    match page {
        CodePage::Pc437 => 0,
        CodePage::Pc850 => 2,
        CodePage::Wpc1252 => 16,
        CodePage::Pc858 => 19,
    }
}

fn encode(c: char, page: Option<CodePage>) -> Vec<u8> {
    match c {
        ' '..='~' => return vec![u8::try_from(c).unwrap_or(UNKNOWN)],
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => return vec![b' '],
        // Soft hyphens, combining marks, joiners and direction marks have no cell of their own.
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => {
            return vec![];
        }
        _ => {}
    }
    if c.is_control() {
        return vec![b' '];
    }
    if let Some(byte) = page.and_then(|page| byte_of(c, page)) {
        return vec![byte];
    }
    spelled(c).map_or_else(|| vec![UNKNOWN], |text| text.bytes().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGES: [Option<CodePage>; 5] =
        [None, Some(CodePage::Pc437), Some(CodePage::Pc850), Some(CodePage::Wpc1252), Some(CodePage::Pc858)];

    fn text(bytes: [u8; COLUMNS]) -> String {
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }

    #[test]
    fn what_the_page_lacks_is_spelled_out_or_shown_as_a_question_mark() {
        assert_eq!(text(row("150 €", Some(CodePage::Pc437))), "150 EUR");
        assert_eq!(text(row("Jörg Müller", None)), "Joerg Mueller");
        assert_eq!(text(row("Søren", Some(CodePage::Pc437))), "Soren");
        assert_eq!(text(row("Žižek", Some(CodePage::Pc850))), "Zizek");
        assert_eq!(text(row("日本 ı", Some(CodePage::Pc858))), "?? i");
        assert_eq!(text(row("e\u{301}t\u{200b}e", None)), "ete");
    }

    #[test]
    fn a_row_that_grows_is_cut_at_twenty_cells() {
        assert_eq!(&row("ÄÄÄÄÄÄÄÄÄÄÄ", None), b"AeAeAeAeAeAeAeAeAeAe");
    }

    proptest! {
        #[test]
        fn no_text_puts_a_control_byte_on_the_line(s in any::<String>(), page in 0usize..5) {
            let cells = row(&s, PAGES[page]);
            prop_assert!(cells.iter().all(|b| *b >= 0x20 && *b != 0x7f));
            if PAGES[page].is_none() {
                prop_assert!(cells.is_ascii());
            }
        }
    }
}

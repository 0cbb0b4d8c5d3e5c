//! What is printed of a text whose characters the paper may not have.
//!
//! ## Why the text is encoded here and not by the `escpos` crate
//! Its tables have faults (see [`code_page`](crate::code_page)). It gets finished bytes.
use crate::{
    code_page::{byte_of, spelled},
    device::profile::CodePage,
};

/// What is printed for a character that has neither a byte nor a Latin spelling.
pub const UNPRINTABLE: char = '?';

/// The same text in characters that the page can print, words parted by single spaces.
///
/// White space of any kind is a space, so that a name or note cannot pose as a line of the slip. A character that the page
/// lacks is spelled in Latin letters where that is customary; any other, control characters included, becomes `?`.
#[must_use]
pub fn printable(text: &str, page: CodePage) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_letter = false;
    for c in text.chars() {
        if c.is_whitespace() {
            out.push(' ');
        } else if byte_of(c, page).is_some() {
            out.push(c);
        } else if let Some(letters) = spelled(c) {
            // Spellings are ASCII, which every page has.
            out.push_str(letters);
        } else if !(after_letter && is_combining(c)) {
            // An accent that stands after its letter (decomposed Unicode) is left out: the letter stays readable.
            out.push(UNPRINTABLE);
        }
        after_letter = c.is_alphabetic() || (after_letter && is_combining(c));
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Combining diacritical marks, U+0300 to U+036F.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::code_page::encode;

    const PAGES: [CodePage; 4] = [CodePage::Pc437, CodePage::Pc850, CodePage::Wpc1252, CodePage::Pc858];

    #[test]
    fn what_a_page_lacks_is_spelled_or_shown_as_a_question_mark() {
        assert_eq!(printable("Łukasz Żółć – “5 €”", CodePage::Pc437), "Lukasz Zólc - \"5 EUR\"");
        assert_eq!(printable("Łukasz Żółć – “5 €”", CodePage::Pc858), "Lukasz Zólc - \"5 €\"");
        assert_eq!(printable("李 Ann", CodePage::Pc858), "? Ann");
        assert_eq!(printable("Rene\u{301}e", CodePage::Pc437), "Renee");
        assert_eq!(printable("\u{301}", CodePage::Pc437), "?");
    }

    #[test]
    fn controls_are_shown_and_white_space_of_any_kind_is_one_space() {
        assert_eq!(printable("Ann\x1bp\0\x19\u{fa}", CodePage::Pc437), "Ann?p??ú");
        assert_eq!(printable("a\r\nTOTAL\t 9\u{a0}9\u{2028}b", CodePage::Pc437), "a TOTAL 9 9 b");
        assert_eq!(printable("a\u{202e}b\u{200b}c\u{7f}\u{9b}", CodePage::Wpc1252), "a?b?c??");
        assert_eq!(printable(" \n ", CodePage::Pc437), "");
    }

    proptest! {
        #[test]
        fn whatever_is_printable_has_a_byte_and_no_control(text in "\\PC*|.*|(?s:.*)") {
            for page in PAGES {
                let shown = printable(&text, page);
                prop_assert!(shown.chars().all(|c| byte_of(c, page).is_some()));
                prop_assert!(encode(&shown, page).iter().all(|&b| b >= 0x20 && b != 0x7F));
                prop_assert_eq!(printable(&shown, page), shown);
            }
        }
    }
}

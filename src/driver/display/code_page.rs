//! Text into the 20 bytes of a display row: the code page first, then plain letters that mean the same, then `?`.
//!
//! ## Why tables instead of a crate
//! A row is 20 cells and a cell is one byte that the unit shows. The four pages are 512 characters, they never change, and
//! a reader can hold them against the unit's manual. A crate that "encodes" also passes control characters, which here are
//! commands.

use crate::device::profile::CodePage;

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
    if let Some(byte) = page.and_then(|page| high_half(c, page)) {
        return vec![byte];
    }
    plain(c).map_or_else(|| vec![UNKNOWN], |text| text.bytes().collect())
}

/// The byte 80..FF that shows `c`, if the page has one.
fn high_half(c: char, page: CodePage) -> Option<u8> {
    let table = match page {
        CodePage::Pc437 => PC437,
        CodePage::Pc850 | CodePage::Pc858 => PC850,
        CodePage::Wpc1252 => WPC1252,
    };
    // PC858 is PC850 with the euro sign in the place of the dotless i.
    let sought = match (page, c) {
        (CodePage::Pc858, '€') => 'ı',
        (CodePage::Pc858, 'ı') => return None,
        (CodePage::Pc437 | CodePage::Pc850 | CodePage::Wpc1252 | CodePage::Pc858, _) => c,
    };
    // U+FFFD marks a hole of the table, and must not be found there.
    let place = table.chars().position(|t| t == sought && t != '\u{fffd}')?;
    u8::try_from(0x80 + place).ok()
}

/// ASCII that a reader takes for the same.
fn plain(c: char) -> Option<&'static str> {
    PLAIN.iter().find(|(from, _)| from.contains(c)).map(|(_, to)| *to)
}

/// Bytes 80..FF of PC437, as Python's `cp437` has them.
const PC437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Bytes 80..FF of PC850, as Python's `cp850` has them.
const PC850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Bytes 80..FF of Windows-1252, as Python's `cp1252` has them; U+FFFD where it has nothing.
const WPC1252: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ\
    \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
    àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";

/// Letters and signs of European shops, by what stands for them in ASCII.
const PLAIN: &[(&str, &str)] = &[
    ("ÀÁÂÃÅĀĂĄ", "A"),
    ("àáâãåāăąª", "a"),
    ("Ä", "AE"),
    ("ä", "ae"),
    ("Æ", "AE"),
    ("æ", "ae"),
    ("ÇĆĈĊČ", "C"),
    ("çćĉċč", "c"),
    ("ĎĐÐ", "D"),
    ("ďđð", "d"),
    ("ÈÉÊËĒĔĖĘĚ", "E"),
    ("èéêëēĕėęě", "e"),
    ("ĜĞĠĢ", "G"),
    ("ĝğġģ", "g"),
    ("ĤĦ", "H"),
    ("ĥħ", "h"),
    ("ÌÍÎÏĨĪĬĮİ", "I"),
    ("ìíîïĩīĭįı", "i"),
    ("Ĵ", "J"),
    ("ĵ", "j"),
    ("Ķ", "K"),
    ("ķ", "k"),
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("ÑŃŅŇŊ", "N"),
    ("ñńņňŋ", "n"),
    ("ÒÓÔÕØŌŎŐ", "O"),
    ("òóôõøōŏőº", "o"),
    ("Ö", "OE"),
    ("ö", "oe"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠȘ", "S"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ẞ", "SS"),
    ("ŢŤŦȚ", "T"),
    ("ţťŧț", "t"),
    ("ÙÚÛŨŪŬŮŰŲ", "U"),
    ("ùúûũūŭůűų", "u"),
    ("Ü", "UE"),
    ("ü", "ue"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ÝŶŸ", "Y"),
    ("ýŷÿ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
    ("Þ", "TH"),
    ("þ", "th"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "JPY"),
    ("¢", "c"),
    ("‘’‚‛′´", "'"),
    ("“”„″«»", "\""),
    ("‹", "<"),
    ("›", ">"),
    ("‐‑‒–—―−", "-"),
    ("…", "..."),
    ("•·∙", "*"),
    ("×", "x"),
    ("÷", "/"),
    ("¡", "!"),
    ("¿", "?"),
    ("№", "No"),
    ("¹", "1"),
    ("²", "2"),
    ("³", "3"),
    ("½", "1/2"),
    ("¼", "1/4"),
    ("¾", "3/4"),
    ("©", "(c)"),
    ("®", "(r)"),
    ("™", "tm"),
];

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
    fn every_page_has_128_places() {
        for table in [PC437, PC850, WPC1252] {
            assert_eq!(table.chars().count(), 128);
        }
    }

    #[test]
    fn signs_sit_where_the_fact_sheet_says() {
        // Fact sheet 1.13: CP858 EUR D5, pound 9C, yen BE, cent BD; CP1252 EUR 80, pound A3, yen A5, cent A2.
        let cases = [
            (CodePage::Pc858, '€', 0xd5),
            (CodePage::Pc858, '£', 0x9c),
            (CodePage::Pc858, '¥', 0xbe),
            (CodePage::Pc858, '¢', 0xbd),
            (CodePage::Pc437, '£', 0x9c),
            (CodePage::Pc437, '¥', 0x9d),
            (CodePage::Pc437, '¢', 0x9b),
            (CodePage::Pc850, 'ø', 0x9b),
            (CodePage::Pc850, 'Ø', 0x9d),
            (CodePage::Pc850, 'ı', 0xd5),
            (CodePage::Wpc1252, '€', 0x80),
            (CodePage::Wpc1252, '£', 0xa3),
            (CodePage::Wpc1252, '¥', 0xa5),
            (CodePage::Wpc1252, '¢', 0xa2),
        ];
        for (page, c, byte) in cases {
            assert_eq!(encode(c, Some(page)), [byte], "{c} in {page:?}");
        }
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
        assert_eq!(&row("ÄÄÄÄÄÄÄÄÄÄÄ", None), b"AEAEAEAEAEAEAEAEAEAE");
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

//! Which characters a code page has, and what is printed instead of those it lacks.
//!
//! ## Why the text is encoded here and not by the `escpos` crate
//! Held against the published mappings, the tables of `escpos` 0.20.1 are wrong for PC858 (`Ô` becomes `Ò`, `¿` and `Ò` are
//! missing) and send the ASCII hyphen as F0 (soft hyphen) in PC850 and PC858. Characters that a page lacks would go out as
//! UTF-8 bytes. So the crate gets finished bytes.
use crate::device::profile::CodePage;

/// What is printed for a character that has neither a byte nor a Latin spelling.
pub const UNPRINTABLE: char = '?';

/// Bytes 80 to FF of PC437. Source: the Unicode consortium's mapping CP437.TXT.
const PC437: &str = "\
    ÇüéâäàåçêëèïîìÄÅ\
    ÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»\
    ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧\
    ╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩\
    ≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Bytes 80 to FF of PC850. Source: CP850.TXT.
const PC850: &str = "\
    ÇüéâäàåçêëèïîìÄÅ\
    ÉæÆôöòûùÿÖÜø£Ø×ƒ\
    áíóúñÑªº¿®¬½¼¡«»\
    ░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤\
    ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
    ÓßÔÒõÕµþÞÚÛÙýÝ¯´\
    \u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Bytes 80 to FF of Windows-1252; NUL where the page has no character. Source: CP1252.TXT.
const WPC1252: &str = "\
    €\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\
    \0‘’“”•–—˜™š›œ\0žŸ\
    \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯\
    °±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ\
    ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
    àáâãäåæçèéêëìíîï\
    ðñòóôõö÷øùúûüýþÿ";

/// PC858 is PC850 with the euro sign in place of the dotless i.
const PC858_EURO: u8 = 0xD5;

/// The byte of `c`, if the page has one. Control characters have none, nor have the invisible NBSP and soft hyphen.
#[must_use]
pub fn byte_of(c: char, page: CodePage) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(c).ok().filter(|b| !b.is_ascii_control());
    }
    if c.is_control() || matches!(c, '\u{a0}' | '\u{ad}') {
        return None;
    }
    let high = |table: &str| {
        let place = table.chars().position(|t| t == c)?;
        u8::try_from(place + 0x80).ok()
    };
    match page {
        CodePage::Pc437 => high(PC437),
        CodePage::Pc850 => high(PC850),
        CodePage::Wpc1252 => high(WPC1252),
        CodePage::Pc858 if c == '€' => Some(PC858_EURO),
        CodePage::Pc858 => high(PC850).filter(|&b| b != PC858_EURO),
    }
}

/// The bytes of a text that [`printable`] has been through; anything else becomes `?`.
#[must_use]
pub fn encode(text: &str, page: CodePage) -> Vec<u8> {
    text.chars().map(|c| byte_of(c, page).unwrap_or(b'?')).collect()
}

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
        } else if let Some(spelled) = transliterated(c) {
            // Spellings are ASCII, which every page has.
            out.push_str(spelled);
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

/// A Latin spelling in ASCII.
fn transliterated(c: char) -> Option<&'static str> {
    LATIN.iter().find(|(letters, _)| letters.contains(c)).map(|&(_, spelled)| spelled)
}

/// Letters and signs, and how they are spelled in ASCII.
const LATIN: &[(&str, &str)] = &[
    ("ÀÁÂÃĀĂĄǍ", "A"),
    ("àáâãāăąǎ", "a"),
    ("Ä", "Ae"),
    ("ä", "ae"),
    ("Å", "A"),
    ("å", "a"),
    ("Æ", "AE"),
    ("æ", "ae"),
    ("ÇĆĈĊČ", "C"),
    ("çćĉċč", "c"),
    ("ĎĐÐ", "D"),
    ("ďđð", "d"),
    ("ÈÉÊËĒĔĖĘĚẼ", "E"),
    ("èéêëēĕėęěẽ", "e"),
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
    ("ĹĻĽŁ", "L"),
    ("ĺļľł", "l"),
    ("ÑŃŅŇ", "N"),
    ("ñńņň", "n"),
    ("ÒÓÔÕŌŎŐƠ", "O"),
    ("òóôõōŏőơ", "o"),
    ("Ö", "Oe"),
    ("ö", "oe"),
    ("Ø", "O"),
    ("ø", "o"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠȘ", "S"),
    ("śŝşšș", "s"),
    ("ẞ", "SS"),
    ("ß", "ss"),
    ("ŢŤŦȚ", "T"),
    ("ţťŧț", "t"),
    ("ÙÚÛŨŪŬŮŰŲƯ", "U"),
    ("ùúûũūŭůűųư", "u"),
    ("Ü", "Ue"),
    ("ü", "ue"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ÝŶŸ", "Y"),
    ("ýŷÿ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
    ("Þ", "Th"),
    ("þ", "th"),
    ("‘’‚‛′", "'"),
    ("“”„‟″", "\""),
    ("‐‑‒–—―−", "-"),
    ("…", "..."),
    ("•·", "*"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "JPY"),
    ("₹", "INR"),
    ("™", "(TM)"),
    ("©", "(c)"),
    ("®", "(R)"),
    ("×", "x"),
    ("№", "No."),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGES: [CodePage; 4] = [CodePage::Pc437, CodePage::Pc850, CodePage::Wpc1252, CodePage::Pc858];

    #[test]
    fn every_table_has_128_places() {
        for table in [PC437, PC850, WPC1252] {
            assert_eq!(table.chars().count(), 128);
        }
    }

    #[test]
    fn known_characters_have_the_bytes_of_the_published_mappings() {
        for (c, page, byte) in [
            ('é', CodePage::Pc437, 0x82),
            ('ß', CodePage::Pc437, 0xE1),
            ('Ô', CodePage::Pc850, 0xE2),
            ('Ò', CodePage::Pc858, 0xE3),
            ('¿', CodePage::Pc858, 0xA8),
            ('€', CodePage::Pc858, 0xD5),
            ('€', CodePage::Wpc1252, 0x80),
            ('Ÿ', CodePage::Wpc1252, 0x9F),
            ('ÿ', CodePage::Wpc1252, 0xFF),
            ('-', CodePage::Pc850, 0x2D),
            ('-', CodePage::Pc858, 0x2D),
        ] {
            assert_eq!(byte_of(c, page), Some(byte), "{c} in {page:?}");
        }
        assert_eq!(byte_of('ı', CodePage::Pc858), None);
        assert_eq!(byte_of('ı', CodePage::Pc850), Some(0xD5));
    }

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

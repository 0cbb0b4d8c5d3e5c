//! The code pages of receipt printers and pole displays: which characters they have, and how the others are spelled.
//!
//! ## Why tables instead of a crate
//! The four pages are 512 characters that never change, and a reader can hold them against a device's manual. The tables of
//! `escpos` 0.20.1, held against the published mappings, are wrong for PC858 (`Ô` becomes `Ò`, `¿` and `Ò` are missing) and
//! send the ASCII hyphen as F0 (soft hyphen) in PC850 and PC858; characters that a page lacks would go out as UTF-8 bytes.
//!
//! What becomes of white space, controls and characters nobody can spell is for who prints or shows a text: a name on a slip
//! must not pose as a line of it, a row of a display has no cell to waste.
use crate::device::profile::CodePage;

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

/// The bytes of a text whose every character the page has; anything else becomes `?`.
#[must_use]
pub fn encode(text: &str, page: CodePage) -> Vec<u8> {
    text.chars().map(|c| byte_of(c, page).unwrap_or(b'?')).collect()
}

/// What people write for `c` where there are only ASCII letters.
#[must_use]
pub fn spelled(c: char) -> Option<&'static str> {
    LATIN.iter().find(|(letters, _)| letters.contains(c)).map(|&(_, spelled)| spelled)
}

/// Letters and signs, and how they are spelled in ASCII.
const LATIN: &[(&str, &str)] = &[
    ("ÀÁÂÃĀĂĄǍ", "A"),
    ("àáâãāăąǎª", "a"),
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
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("ÑŃŅŇŊ", "N"),
    ("ñńņňŋ", "n"),
    ("ÒÓÔÕŌŎŐƠ", "O"),
    ("òóôõōŏőơº", "o"),
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
    ("‘’‚‛′´", "'"),
    ("‹", "<"),
    ("›", ">"),
    ("“”„‟″«»", "\""),
    ("‐‑‒–—―−", "-"),
    ("…", "..."),
    ("•·∙", "*"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¢", "c"),
    ("¥", "JPY"),
    ("₹", "INR"),
    ("™", "(TM)"),
    ("©", "(c)"),
    ("®", "(R)"),
    ("×", "x"),
    ("÷", "/"),
    ("¡", "!"),
    ("¿", "?"),
    ("¹", "1"),
    ("²", "2"),
    ("³", "3"),
    ("½", "1/2"),
    ("¼", "1/4"),
    ("¾", "3/4"),
    ("№", "No."),
];

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(byte_of(c, page), Some(byte), "{c} in {page:?}");
        }
    }

    #[test]
    fn every_character_is_spelled_once_and_in_ascii() {
        let mut seen = std::collections::BTreeSet::new();
        for (letters, spelling) in LATIN {
            assert!(spelling.bytes().all(|b| (0x20..0x7F).contains(&b)), "{spelling:?}");
            for letter in letters.chars() {
                assert!(!letter.is_ascii() && seen.insert(letter), "{letter:?} twice, or no need to spell it");
            }
        }
    }
}

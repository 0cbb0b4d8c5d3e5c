//! What a byte from 80 to FF means in each `ESC t` page, and the national characters of `ESC R`.
//! Source: Epson's page numbers and the vendors' mapping tables; pages that no till here needs are refused, visibly.
use encoding_rs::{Encoding, IBM866, ISO_8859_2, ISO_8859_7, ISO_8859_15};
use encoding_rs::{WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1257};

/// A selected code page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CodePage {
    /// The 128 characters from 80 on.
    Table(&'static str),
    /// One of the WHATWG single-byte encodings.
    Encoding(&'static Encoding),
    /// Half-width katakana, JIS X 0201, between Epson's box-drawing and other signs.
    Katakana,
}

impl CodePage {
    /// The page after power-on: PC437.
    pub(crate) const FIRST: CodePage = CodePage::Table(PC437);

    /// The page of `ESC t n`.
    pub(crate) fn by_number(n: u8) -> Option<CodePage> {
        Some(match n {
            0 => CodePage::Table(PC437),
            1 => CodePage::Katakana,
            2 => CodePage::Table(PC850),
            3 => CodePage::Table(PC860),
            4 => CodePage::Table(PC863),
            5 => CodePage::Table(PC865),
            15 => CodePage::Encoding(ISO_8859_7),
            16 => CodePage::Encoding(WINDOWS_1252),
            17 => CodePage::Encoding(IBM866),
            18 => CodePage::Table(PC852),
            19 => CodePage::Table(PC858),
            39 => CodePage::Encoding(ISO_8859_2),
            40 => CodePage::Encoding(ISO_8859_15),
            45 => CodePage::Encoding(WINDOWS_1250),
            46 => CodePage::Encoding(WINDOWS_1251),
            47 => CodePage::Encoding(WINDOWS_1253),
            48 => CodePage::Encoding(WINDOWS_1254),
            51 => CodePage::Encoding(WINDOWS_1257),
            _ => return None,
        })
    }

    /// The character that `byte` prints, with the national set of `ESC R`.
    pub(crate) fn char(self, byte: u8, national: u8) -> char {
        if byte < 0x80 {
            return national_char(byte, national);
        }
        match self {
            CodePage::Table(table) => nth(table, byte - 0x80),
            CodePage::Encoding(encoding) => {
                encoding.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or('\u{FFFD}')
            }
            CodePage::Katakana => match byte {
                0x80..=0x9F => nth(KATAKANA_BEFORE, byte - 0x80),
                0xE0..=0xFE => nth(KATAKANA_AFTER, byte - 0xE0),
                0xA1..=0xDF => char::from_u32(0xFF61 + u32::from(byte - 0xA1)).unwrap_or('\u{FFFD}'),
                _ => '\u{FFFD}',
            },
        }
    }
}

fn nth(signs: &str, n: u8) -> char {
    signs.chars().nth(usize::from(n)).unwrap_or('\u{FFFD}')
}

/// Page 1, 80 to 9F. Source, and the only one: the capability table of python-escpos (`KATAKANA`). It has a macron at 94; the
/// place beside the right eighth block is that of the upper one, which also joins where a macron does not.
const KATAKANA_BEFORE: &str = "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯";

/// Page 1, E0 to FE. Source: the same.
const KATAKANA_AFTER: &str = "═╞╪╡◢◣◥◤♠♥♦♣●○╱╲╳円年月日時分秒〒市区町村人▓";

/// The twelve places that `ESC R` changes, in this order.
const PLACES: &str = "#$@[\\]^`{|}~";

/// Their characters for n = 1..10, as in Epson's table of international character sets.
const NATIONAL: [&str; 10] = [
    "#$à°ç§^`éùè¨",
    "#$§ÄÖÜ^`äöüß",
    "£$@[\\]^`{|}~",
    "#$@ÆØÅ^`æøå~",
    "#¤ÉÄÖÅÜéäöåü",
    "#$@°\\é^ùàòèì",
    "₧$@¡Ñ¿^`¨ñ}~",
    "#$@[¥]^`{|}~",
    "#¤ÉÆØÅÜéæøåü",
    "#$ÉÆØÅÜéæøåü",
];

fn national_char(byte: u8, national: u8) -> char {
    let plain = char::from(byte);
    let Some(set) = usize::from(national).checked_sub(1).and_then(|n| NATIONAL.get(n)) else { return plain };
    let Some(place) = PLACES.chars().position(|c| c == plain) else { return plain };
    set.chars().nth(place).unwrap_or(plain)
}

const PC437: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}",
);
const PC850: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ",
    "áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐",
    "└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀",
    "ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{AD}±‗¾¶§÷¸°¨·¹³²■\u{A0}",
);
const PC860: &str = concat!(
    "ÇüéâãàÁçêÊèÍÔìÃÂÉÀÈôõòÚùÌÕÜ¢£Ù₧Ó",
    "áíóúñÑªº¿Ò¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}",
);
const PC863: &str = concat!(
    "ÇüéâÂà¶çêëèïî‗À§ÉÈÊôËÏûù¤ÔÜ¢£ÙÛƒ",
    "¦´óú¨¸³¯Î⌐¬½¼¾«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}",
);
const PC865: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«¤░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}",
);
const PC852: &str = concat!(
    "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×č",
    "áíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐",
    "└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀",
    "ÓßÔŃńňŠšŔÚŕŰýÝţ´\u{AD}˝˛ˇ˘§÷¸°¨˙űŘř■\u{A0}",
);
const PC858: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ",
    "áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐",
    "└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀",
    "ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{AD}±‗¾¶§÷¸°¨·¹³²■\u{A0}",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_128_characters() {
        for table in [PC437, PC850, PC852, PC858, PC860, PC863, PC865] {
            assert_eq!(table.chars().count(), 128);
        }
        assert_eq!((KATAKANA_BEFORE.chars().count(), KATAKANA_AFTER.chars().count()), (0x20, 0x1F));
        assert!(NATIONAL.iter().all(|set| set.chars().count() == PLACES.chars().count()));
    }

    #[test]
    fn page_1_has_signs_on_both_sides_of_the_katakana() {
        let page = CodePage::by_number(1).unwrap();
        let signs = [0x80, 0x8F, 0x94, 0x95, 0x9F, 0xA1, 0xB1, 0xDF, 0xE0, 0xEC, 0xF1, 0xFE].map(|byte| page.char(byte, 0));
        assert_eq!(signs, ['▁', '┼', '▔', '─', '╯', '｡', 'ｱ', 'ﾟ', '═', '●', '円', '▓']);
        // The tables leave these two empty.
        assert_eq!([0xA0, 0xFF].map(|byte| page.char(byte, 0)), ['\u{FFFD}'; 2]);
    }

    #[test]
    fn the_euro_is_where_the_fact_sheet_says() {
        let euro = |page: u8, byte: u8| CodePage::by_number(page).unwrap().char(byte, 0);
        assert_eq!((euro(19, 0xD5), euro(16, 0x80)), ('€', '€'));
        assert_eq!((euro(2, 0xD5), euro(0, 0x9C), euro(2, 0xBE)), ('ı', '£', '¥'));
        assert_eq!(CodePage::FIRST.char(b'[', 2), 'Ä');
        assert!(CodePage::by_number(99).is_none());
    }
}

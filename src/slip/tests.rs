use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::device::profile::PrinterProfile;
use crate::device::profile::sample_printer;
use crate::money::Currency;

const PAGES: [CodePage; 4] = [CodePage::Pc437, CodePage::Pc850, CodePage::Wpc1252, CodePage::Pc858];

fn usd(minor: i64) -> Amount {
    in_currency(minor, "USD")
}

fn in_currency(minor: i64, code: &str) -> Amount {
    Amount::from_minor(minor, Currency::from_code(code).unwrap())
}

/// New York by rule, so that the tests need no time zone files.
fn at(time: &str) -> ZonedDateTime {
    let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    time.parse::<Timestamp>().unwrap().to_zoned_datetime(zone)
}

fn line(face: Amount, pieces: u32) -> CountLine {
    CountLine { denomination: face, pieces }
}

fn confirmed(expected: Option<Amount>) -> SlipSession {
    SlipSession::Confirmed {
        id: "gid://shopify/PointOfSaleDevicePaymentSession/987654321".to_owned(),
        opened_at: at("2026-11-23T12:04:09Z"),
        expected,
    }
}

fn a_count() -> SlipFacts {
    SlipFacts {
        shop: "Harbour Street Books".to_owned(),
        till: "front-1".to_owned(),
        staff: "Robin".to_owned(),
        counted_at: at("2026-11-23T12:04:07Z"),
        lines: vec![line(usd(2_000), 5), line(usd(1_000), 4), line(usd(25), 40), line(usd(1), 0)],
        total: usd(15_000),
        reference: "7K2M9QX4TB".to_owned(),
        head: "3fa9-c1d2-77e0-a4b1".to_owned(),
        session: confirmed(Some(usd(15_000))),
        kind: SlipKind::First,
        copy: false,
        note: String::new(),
    }
}

fn text(facts: &SlipFacts, columns: u8) -> String {
    lay_out(facts, columns, CodePage::Pc437).to_text()
}

fn profile(columns: u8, code_page: CodePage) -> PrinterProfile {
    PrinterProfile { columns, code_page, ..sample_printer() }
}

/// What a printer does with the bytes: lines of cells, each with its width, and the contents of QR codes. Anything that a
/// slip has no business to send is a failure, controls first of all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Paper {
    lines: Vec<(Vec<u8>, usize)>,
    current: Vec<u8>,
    large: bool,
    code_page: Option<u8>,
    stored: Vec<u8>,
    qr: Vec<String>,
    cuts: usize,
}

impl Paper {
    fn feed(&mut self) {
        let cells = self.current.len() * if self.large { 2 } else { 1 };
        self.lines.push((std::mem::take(&mut self.current), cells));
    }
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            let at_line_start = self.current.is_empty();
            let length = match rest {
                [0x0A, ..] => {
                    self.feed();
                    1
                }
                [0x1B, 0x40, ..] | [0x1C, 0x2E, ..] => 2,
                [0x1B, 0x52, 0, ..] => 3,
                [0x1B, 0x45, 0 | 1, ..] => 3,
                [0x1B, 0x74, page, ..] => {
                    self.code_page = Some(*page);
                    3
                }
                [0x1D, 0x21, size @ (0x00 | 0x11), ..] => {
                    assert!(at_line_start, "one line has one size");
                    self.large = *size == 0x11;
                    3
                }
                [0x1B, 0x61, 0 | 1, ..] => {
                    assert!(at_line_start, "justification works at the start of a line only");
                    3
                }
                [0x1B, 0x64, lines, ..] => {
                    (0..*lines).for_each(|_| self.feed());
                    3
                }
                [0x1D, 0x56, 0x42, 0, ..] => {
                    assert!(at_line_start, "a cut works at the start of a line only");
                    self.cuts += 1;
                    4
                }
                [0x1D, 0x28, 0x6B, low, high, 0x31, function, data @ ..] => {
                    let body = usize::from(*low) + 256 * usize::from(*high);
                    match function {
                        0x41 | 0x43 | 0x45 => {}
                        0x50 => self.stored = data[1..body - 2].to_vec(),
                        0x51 => self.qr.push(String::from_utf8(self.stored.clone()).unwrap()),
                        other => panic!("QR function {other:02X}"),
                    }
                    5 + body
                }
                _ => {
                    assert!(first >= 0x20 && first != 0x7F, "control byte {first:02X} before {:02X?}", &rest[1..]);
                    self.current.push(first);
                    1
                }
            };
            rest = &rest[length..];
        }
    }
    fn of(pieces: &[Vec<u8>]) -> Self {
        let mut paper = Self::default();
        for piece in pieces {
            // A piece that ended inside a command would panic here: each is read as if it were alone.
            paper.take(piece);
        }
        paper
    }
}

#[test]
fn a_slip_fills_32_columns() {
    insta::assert_snapshot!(text(&a_count(), 32));
}

#[test]
fn a_slip_fills_42_columns() {
    insta::assert_snapshot!(text(&a_count(), 42));
}

#[test]
fn a_slip_fills_48_columns() {
    insta::assert_snapshot!(text(&a_count(), 48));
}

#[test]
fn without_an_answer_the_slip_says_so_and_what_follows() {
    let facts = SlipFacts {
        session: SlipSession::NotYet { second_follows: true },
        note: "Two rolls of quarters are unopened".to_owned(),
        ..a_count()
    };
    insta::assert_snapshot!(text(&facts, 32));
}

#[test]
fn where_no_second_slip_follows_none_is_promised() {
    let facts = SlipFacts { session: SlipSession::NotYet { second_follows: false }, ..a_count() };
    let shown = text(&facts, 48);
    assert!(!shown.contains("follows"), "{shown}");
    assert!(shown.contains("Ask the manager for the session number."), "{shown}");
}

#[test]
fn a_second_slip_says_that_the_session_is_confirmed_and_what_is_short() {
    let facts = SlipFacts { kind: SlipKind::Confirmation, session: confirmed(Some(usd(15_525))), ..a_count() };
    insta::assert_snapshot!(text(&facts, 32));
}

fn refused(code: &str, text: &str) -> SlipSession {
    SlipSession::Refused { code: code.to_owned(), text: text.to_owned() }
}

#[test]
fn a_refusal_is_told_in_shopifys_words() {
    let session = refused("STAFF_MEMBER_NOT_FOUND", "The staff member could not be found.");
    insta::assert_snapshot!(text(&SlipFacts { session, ..a_count() }, 42));
}

#[test]
fn every_refusal_says_that_nothing_was_opened_who_mends_it_and_to_count_again() {
    let mut remedies = std::collections::BTreeSet::new();
    for code in
        ["ACCESS_DENIED", "HTTP_401", "HTTP_402", "HTTP_404", "NO_CASH_DRAWER_ASSOCIATED", "CURRENCY_MISMATCH", "NEW"]
    {
        let shown = text(&SlipFacts { session: refused(code, "Raw words of an API."), ..a_count() }, 64);
        assert!(shown.contains("No register session was opened."), "{shown}");
        assert!(shown.contains("When this is mended, count again"), "{shown}");
        assert!(shown.contains(&format!("Shopify: Raw words of an API. ({code})")), "{shown}");
        let after = shown.split("not sent again.").nth(1).unwrap();
        remedies.insert(after.split("When this is mended").next().unwrap().trim().to_owned());
    }
    assert_eq!(remedies.len(), 7, "{remedies:?}");
}

#[test]
fn someone_elses_session_is_told_in_the_shops_zone_and_the_currencys_decimals() {
    let foreign = |amount| SlipSession::Foreign {
        id: "gid://shopify/PointOfSaleDevicePaymentSession/12".to_owned(),
        opened_at: at("2026-11-23T11:30:00Z"),
        amount,
    };
    insta::assert_snapshot!(text(&SlipFacts { session: foreign(Some(usd(10_000))), ..a_count() }, 42));
    let blind = text(&SlipFacts { session: foreign(None), ..a_count() }, 42);
    assert!(!blind.contains("With") && blind.contains("2026-11-23 06:30:00 EST"), "{blind}");
}

#[test]
fn what_a_person_must_decide_stands_on_a_copy_too() {
    let words = "Another session is open on this till since 06:58. Count it as a mid-session count, or close it.";
    let facts = SlipFacts { session: SlipSession::NeedsAttention { text: words.to_owned() }, copy: true, ..a_count() };
    insta::assert_snapshot!(text(&facts, 42));
}

#[test]
fn what_was_given_up_does_not_say_that_nothing_was_opened() {
    let words = "given up by Kim: the POS opened it again";
    let facts = SlipFacts { session: SlipSession::GivenUp { text: words.to_owned() }, copy: true, ..a_count() };
    insta::assert_snapshot!(text(&facts, 42));
}

#[test]
fn a_count_that_is_too_old_says_that_nothing_was_opened_by_it() {
    let (title, words) = ("TOO OLD, COUNT AGAIN", "it was counted 5 h 0 min ago and never sent");
    let facts = SlipFacts { session: SlipSession::Over { title, text: words.to_owned() }, ..a_count() };
    insta::assert_snapshot!(text(&facts, 32));
}

#[test]
fn yen_have_no_decimals() {
    let yen = |minor| in_currency(minor, "JPY");
    let lines = vec![line(yen(10_000), 3), line(yen(1_000), 60), line(yen(500), 20)];
    let facts = SlipFacts { lines, total: yen(100_000), session: confirmed(Some(yen(99_900))), ..a_count() };
    insta::assert_snapshot!(text(&facts, 42));
}

#[test]
fn dinars_have_three_decimals_and_one_keyed_total() {
    let total = in_currency(31_250, "KWD");
    let facts = SlipFacts { lines: vec![], total, session: confirmed(None), ..a_count() };
    insta::assert_snapshot!(text(&facts, 32));
}

#[test]
fn long_and_foreign_names_wrap_in_their_own_column() {
    let facts = SlipFacts {
        shop:
            "The Very Long Established Grocery & Delicatessen of Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
                .to_owned(),
        staff: "Łukasz Żółć-Wiśniewski de la Fuente y Ñandú 李".to_owned(),
        note: "TOTAL FLOAT\nUSD 999.00\u{1b}p\u{0}\u{19}\u{fa} \u{202e}evil".to_owned(),
        ..a_count()
    };
    insta::assert_snapshot!(text(&facts, 32));
}

#[test]
fn a_settled_refusal_is_not_headed_confirmed() {
    for (session, title) in [
        (confirmed(None), "SESSION CONFIRMED"),
        (SlipSession::NotYet { second_follows: true }, "SHIFT START"),
        (refused("NOT_SAVED", "no"), "SESSION REFUSED"),
        (
            SlipSession::Foreign { id: "12".to_owned(), opened_at: at("2026-11-23T11:30:00Z"), amount: None },
            "NEEDS ATTENTION",
        ),
        (SlipSession::NeedsAttention { text: "?".to_owned() }, "NEEDS ATTENTION"),
        (SlipSession::Over { title: "TOO OLD, COUNT AGAIN", text: "?".to_owned() }, "TOO OLD, COUNT AGAIN"),
        (SlipSession::GivenUp { text: "?".to_owned() }, "GIVEN UP"),
        (SlipSession::Recorded { id: "12".to_owned(), opened_at: at("2026-11-23T11:30:00Z") }, "COUNT RECORDED"),
    ] {
        let facts = SlipFacts { session, kind: SlipKind::Confirmation, ..a_count() };
        assert_eq!(text(&facts, 48).lines().next().unwrap().trim(), title);
    }
}

#[test]
fn figures_that_contradict_each_other_are_shown_as_such() {
    let facts = SlipFacts { total: usd(15_001), ..a_count() };
    let shown = text(&facts, 42);
    assert!(shown.contains("TOTAL FLOAT                     USD 150.01\n"), "{shown}");
    assert!(shown.contains("BUT THE LINES GIVE              USD 150.00\n"), "{shown}");
    assert!(!text(&a_count(), 42).contains("BUT"));
}

#[test]
fn an_expectation_in_another_currency_makes_no_difference_line() {
    let facts = SlipFacts { session: confirmed(Some(in_currency(15_000, "EUR"))), ..a_count() };
    let shown = text(&facts, 42);
    assert!(shown.contains("EUR 150.00"));
    assert!(!shown.contains("Short") && !shown.contains("Over") && !shown.contains("Difference"));
}

#[test]
fn texts_without_end_are_cut_visibly() {
    let facts = SlipFacts { note: "word ".repeat(100_000), staff: "ß".repeat(10_000), ..a_count() };
    let shown = text(&facts, 32);
    assert!(shown.lines().count() < 80, "{}", shown.lines().count());
    assert!(shown.contains("..."));
}

#[test]
fn the_bytes_begin_with_a_reset_and_end_with_a_cut() {
    let pieces = lay_out(&a_count(), 42, CodePage::Pc858).to_escpos(&profile(42, CodePage::Pc858)).unwrap();
    let bytes = pieces.concat();
    // ESC @, ESC R 0, ESC t 19.
    assert_eq!(&bytes[..8], [0x1B, 0x40, 0x1B, 0x52, 0x00, 0x1B, 0x74, 0x13]);
    // LF, GS V 66 0.
    assert_eq!(&bytes[bytes.len() - 5..], [0x0A, 0x1D, 0x56, 0x42, 0x00]);
}

#[test]
fn clones_are_taken_out_of_kanji_mode_when_a_name_needs_it() {
    let facts = SlipFacts { shop: "Café".to_owned(), ..a_count() };
    let bytes = lay_out(&facts, 42, CodePage::Pc858).to_escpos(&profile(42, CodePage::Pc858)).unwrap().concat();
    // ESC @, FS .
    assert_eq!(&bytes[..4], [0x1B, 0x40, 0x1C, 0x2E]);
    assert!(bytes.windows(4).any(|w| w == b"Caf\x82"));
}

#[test]
fn without_cutter_and_qr_neither_is_sent_and_the_paper_is_fed_to_tear() {
    let bare = PrinterProfile { qr: false, cutter: false, ..profile(32, CodePage::Pc437) };
    let bytes = lay_out(&a_count(), 32, CodePage::Pc437).to_escpos(&bare).unwrap().concat();
    assert!(!bytes.windows(2).any(|w| w == [0x1D, 0x56] || w == [0x1D, 0x28]));
    // ESC d 4.
    assert_eq!(&bytes[bytes.len() - 3..], [0x1B, 0x64, 0x04]);
}

#[test]
fn a_slip_that_is_wider_than_the_paper_is_refused() {
    let document = lay_out(&a_count(), 48, CodePage::Pc437);
    let refused = document.to_escpos(&profile(32, CodePage::Pc437)).unwrap_err();
    assert!(matches!(refused, SlipError::TooWide { document: 48, printer: 32 }));
    // Narrower than the paper is fine.
    assert!(lay_out(&a_count(), 32, CodePage::Pc437).to_escpos(&profile(48, CodePage::Pc437)).is_ok());
}

#[test]
fn a_printer_with_another_code_page_shows_what_it_lacks() {
    let facts = SlipFacts { note: "5 €".to_owned(), ..a_count() };
    let bytes = lay_out(&facts, 42, CodePage::Pc858).to_escpos(&profile(42, CodePage::Pc437)).unwrap().concat();
    // ESC t 0, and no byte that means something else there.
    assert!(bytes.windows(3).any(|w| w == [0x1B, 0x74, 0x00]));
    assert!(bytes.windows(4).any(|w| w == b"5 ?\n"));
}

#[test]
fn the_qr_code_holds_the_reference_and_the_session_once_known() {
    let qr = |facts: &SlipFacts| {
        Paper::of(&lay_out(facts, 42, CodePage::Pc437).to_escpos(&profile(42, CodePage::Pc437)).unwrap()).qr
    };
    assert_eq!(qr(&a_count()), ["drawerbridge:7K2M9QX4TB?session=987654321"]);
    assert_eq!(
        qr(&SlipFacts { session: SlipSession::NotYet { second_follows: true }, ..a_count() }),
        ["drawerbridge:7K2M9QX4TB"]
    );
}

#[test]
fn the_paper_says_what_the_text_says() {
    for columns in [32, 42, 48] {
        let document = lay_out(&a_count(), columns, CodePage::Pc437);
        let paper = Paper::of(&document.to_escpos(&profile(columns, CodePage::Pc437)).unwrap());
        let printed: Vec<_> = paper.lines.iter().map(|(l, _)| String::from_utf8(l.clone()).unwrap()).collect();
        let text = document.to_text();
        let mut shown: Vec<_> = text.lines().map(str::trim).collect();
        let qr = shown.iter().position(|l| l.starts_with("[QR")).unwrap();
        let after = shown[qr..].iter().position(|l| l.ends_with(']')).unwrap();
        shown.drain(qr..=qr + after);
        // The line feed before the cut.
        shown.push("");
        assert_eq!(printed.iter().map(|l| l.trim()).collect::<Vec<_>>(), shown);
    }
}

/// Texts as people, scanners and attackers write them.
fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9 .,-]{0,60}",
        "\\PC{0,60}",
        "(?s:.{0,60})",
        "[\\x00-\\x20\\x7f-\\u{9f}\u{202e}\u{200f}p@\\n\\r]{0,40}",
        "[A-Z]{100,700}",
    ]
}

fn a_session() -> impl Strategy<Value = SlipSession> {
    prop_oneof![
        (a_text(), prop::option::of(0_i64..=1_000_000_000_000)).prop_map(|(id, expected)| SlipSession::Confirmed {
            id,
            opened_at: at("2026-06-30T12:04:09Z"),
            expected: expected.map(usd),
        }),
        any::<bool>().prop_map(|second_follows| SlipSession::NotYet { second_follows }),
        (a_text(), a_text()).prop_map(|(code, text)| SlipSession::Refused { code, text }),
        (a_text(), prop::option::of(0_i64..=1_000_000_000_000)).prop_map(|(id, amount)| SlipSession::Foreign {
            id,
            opened_at: at("2026-06-30T12:04:09Z"),
            amount: amount.map(usd),
        }),
        a_text().prop_map(|text| SlipSession::NeedsAttention { text }),
        a_text().prop_map(|text| SlipSession::GivenUp { text }),
        a_text().prop_map(|text| SlipSession::Over { title: "TOO OLD, COUNT AGAIN", text }),
        a_text().prop_map(|id| SlipSession::Recorded { id, opened_at: at("2026-06-30T12:04:09Z") }),
    ]
}

prop_compose! {
    fn any_facts()(
        texts in prop::array::uniform5(a_text()),
        session in a_session(),
        lines in prop::collection::vec((0_usize..10, 0_u32..100_000), 0..14),
        keyed in 0_i64..=1_000_000_000_000,
        confirmation in any::<bool>(),
        copy in any::<bool>(),
    ) -> SlipFacts {
        let faces = Currency::from_code("USD").unwrap().denominations();
        let lines: Vec<_> = lines.into_iter().map(|(n, pieces)| line(faces[n], pieces)).collect();
        let [shop, till, staff, reference, note] = texts;
        let kind = if confirmation { SlipKind::Confirmation } else { SlipKind::First };
        let total = Amount::from_lines(&lines).unwrap_or(usd(keyed));
        SlipFacts { shop, till, staff, lines, total, reference, session, kind, copy, note, ..a_count() }
    }
}

proptest! {
    #[test]
    fn no_line_is_longer_than_the_paper_is_wide(facts in any_facts(), columns in any::<u8>(), page in 0_usize..4) {
        let width = usize::from(columns.clamp(24, 64));
        for line in lay_out(&facts, columns, PAGES[page]).to_text().lines() {
            prop_assert!(line.chars().count() <= width, "{line:?}");
        }
    }

    #[test]
    fn nothing_a_person_wrote_reaches_the_printer_as_a_command(facts in any_facts(), columns in 24_u8..=64, page in 0_usize..4) {
        let profile = profile(columns, PAGES[page]);
        let pieces = lay_out(&facts, columns, PAGES[page]).to_escpos(&profile).unwrap();
        let paper = Paper::of(&pieces);
        prop_assert_eq!(paper.cuts, 1);
        prop_assert_eq!(paper.qr.len(), 1);
        prop_assert_eq!(paper.code_page, Some([0, 2, 16, 19][page]));
        for (line, cells) in &paper.lines {
            prop_assert!(*cells <= usize::from(columns), "{line:?}");
        }
        prop_assert!(paper.qr[0].bytes().all(|b| b.is_ascii_graphic()));
    }

    #[test]
    fn pieces_are_short_whole_commands_and_make_one_whole(facts in any_facts(), columns in 24_u8..=64) {
        let pieces = lay_out(&facts, columns, CodePage::Pc850).to_escpos(&profile(columns, CodePage::Pc850)).unwrap();
        for piece in &pieces {
            // GS ( k, function 180: the store command of the QR code.
            let stores = piece.starts_with(&[0x1D, 0x28, 0x6B]) && piece[6] == 0x50;
            prop_assert!(!piece.is_empty() && (piece.len() <= 64 || stores), "{piece:02X?}");
        }
        prop_assert_eq!(Paper::of(&pieces), Paper::of(&[pieces.concat()]));
    }

    #[test]
    fn the_lines_add_up_to_the_total_and_no_amount_is_cut(facts in any_facts(), columns in 24_u8..=64) {
        let facts = SlipFacts { shop: String::new(), staff: String::new(), note: String::new(), ..facts };
        let shown = text(&facts, columns);
        let count = shown.split(&"-".repeat(usize::from(columns))).nth(1).unwrap();
        let (lines, total) = count.split_once("TOTAL FLOAT").unwrap();
        let currency = facts.total.currency();
        let mut sum = usd(0);
        for amount in lines.split('=').skip(1) {
            let amount = amount.split_whitespace().next().unwrap();
            sum = sum.checked_add(Amount::parse(amount, currency).unwrap()).unwrap();
        }
        let total = total.split_whitespace().nth(1).unwrap();
        prop_assert_eq!(total, facts.total.to_string());
        if !facts.lines.is_empty() {
            prop_assert_eq!(sum, facts.total);
        }
    }

    #[test]
    fn amounts_beyond_all_bounds_still_fit_the_paper(minor in any::<i64>(), pieces in any::<u32>(), columns in 24_u8..=64) {
        let facts = SlipFacts { lines: vec![line(usd(minor), pieces)], total: usd(minor), ..a_count() };
        for line in text(&facts, columns).lines() {
            prop_assert!(line.chars().count() <= usize::from(columns), "{line:?}");
        }
    }
}

//! Messages from the fact sheet's samples, and what must hold for any bytes.
use proptest::prelude::*;

use super::*;
use crate::clock;

fn heard(bytes: &[u8]) -> Vec<Heard> {
    Parser::default().feed(clock::now(), bytes)
}

/// What is heard, without how often noise was said: a run of noise may be cut by a read.
fn without_noise(heard: impl IntoIterator<Item = Heard>) -> Vec<Heard> {
    heard.into_iter().filter(|h| *h != Heard::Noise).collect()
}

#[test]
fn the_samples_of_the_fact_sheet_mean_what_it_says() {
    // DLE EOT 1: online LOW, online HIGH, offline LOW, offline HIGH.
    for byte in [0x12, 0x16, 0x1A, 0x1E] {
        assert_eq!(heard(&[byte]), [Heard::RealTime(byte)]);
    }
    // GS a: idle LOW, idle HIGH, cover open + offline, paper out.
    let idle_low = AutoStatus([0x10, 0, 0, 0]);
    let idle_high = AutoStatus([0x14, 0, 0, 0]);
    let cover = AutoStatus([0x38, 0, 0, 0]);
    let paper = AutoStatus([0x18, 0, 0x0F, 0]);
    for block in [idle_low, idle_high, cover, paper] {
        assert_eq!(heard(&block.0), [Heard::Auto(block)]);
        assert!(block.plain(), "{block:?}");
    }
    assert!(!idle_low.sense_high() && idle_high.sense_high());
    assert!(cover.cover_open() && cover.offline() && !idle_high.offline());
    assert_eq!((paper.paper(), idle_low.paper()), (Paper::Out, Paper::Ok));
    assert_eq!(AutoStatus([0x10, 0x08, 0, 0]).errors().words(), Some("the cutter is jammed: free it, then close the cover"));
}

#[test]
fn texts_and_short_answers_are_told_apart() {
    assert_eq!(heard(b"\x5FTM-T88IV\0"), [Heard::Text { header: 0x5F, text: b"TM-T88IV".to_vec() }]);
    assert_eq!(heard(b"\x37\x220042\0"), [Heard::Text { header: 0x37, text: b"\"0042".to_vec() }]);
    assert_eq!(heard(&[0x00]), [Heard::Short(0)]);
    assert_eq!(heard(&[0x0F]), [Heard::Short(0x0F)]);
}

#[test]
fn flow_control_may_slip_in_anywhere() {
    assert_eq!(heard(&[0x14, 0x13, 0x00, 0x00, 0x11, 0x00]), [Heard::Auto(AutoStatus([0x14, 0, 0, 0]))]);
    assert_eq!(heard(&[0x11, 0x12]), [Heard::Xon, Heard::RealTime(0x12)], "nothing was held: it was switched on");
}

#[test]
fn a_block_that_breaks_off_does_not_take_the_next_one_with_it() {
    assert_eq!(heard(&[0x10, 0x00, 0x14, 0x00, 0x00, 0x00]), [Heard::Noise, Heard::Auto(AutoStatus([0x14, 0, 0, 0]))]);
    assert_eq!(heard(&[0x5F, 0x14, 0x00, 0x00, 0x00]), [Heard::Noise, Heard::Auto(AutoStatus([0x14, 0, 0, 0]))]);
    assert_eq!(heard(&[0x10, 0xFF, 0x12]), [Heard::Noise, Heard::RealTime(0x12)]);
}

#[test]
fn a_message_without_its_end_is_noise_once_its_time_is_over() {
    let start = clock::now();
    let mut parser = Parser::default();
    assert_eq!(parser.feed(start, &[0x10, 0x00]), []);
    let at = parser.gives_up_at().unwrap();
    assert_eq!(at, start + BLOCK_WITHIN);
    assert_eq!(parser.feed(at, &[]), [Heard::Noise]);
    assert_eq!(parser.gives_up_at(), None);
    // The next byte is a message of its own.
    assert_eq!(parser.feed(at, &[0x00]), [Heard::Short(0)]);
}

#[test]
fn an_endless_text_ends() {
    let mut endless = vec![0x5F];
    endless.extend([b'A'; 1000]);
    assert!(heard(&endless).iter().all(|h| !matches!(h, Heard::Text { .. })));
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_messages(bytes in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(1_usize..9, 1..50)) {
        let now = clock::now();
        let whole = Parser::default().feed(now, &bytes);
        let mut parser = Parser::default();
        let mut rest = bytes.as_slice();
        let mut parts = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            parts.extend(parser.feed(now, head));
            rest = tail;
        }
        prop_assert_eq!(without_noise(parts), without_noise(whole));
    }

    #[test]
    fn after_any_noise_the_parser_finds_back(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut parser = Parser::default();
        let start = clock::now();
        parser.feed(start, &noise);
        let later = start + TEXT_WITHIN;
        let block = AutoStatus([0x14, 0, 0, 0]);
        prop_assert_eq!(without_noise(parser.feed(later, &block.0)), vec![Heard::Auto(block)]);
    }

    #[test]
    fn bytes_with_the_top_bit_are_never_a_message(bytes in prop::collection::vec(0x80_u8.., 1..100)) {
        prop_assert_eq!(heard(&bytes), vec![Heard::Noise]);
    }
}

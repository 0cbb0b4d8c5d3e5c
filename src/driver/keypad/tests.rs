use super::*;
use proptest::prelude::*;

fn profile() -> KeypadProfile {
    let (burst_gap, zero_pair_gap) = (Duration::from_millis(30), Duration::from_millis(20));
    KeypadProfile { serial: true, baud: 9_600, burst_gap, zero_pair_gap }
}

/// A keypad, a clock that only the test moves, and what was heard.
struct Pad {
    keypad: Keypad,
    start: Instant,
    ms: u64,
    wake_at: Option<Instant>,
}

impl Pad {
    fn serial() -> Self {
        Self::new(Strays::AreNoise)
    }
    fn keyboard() -> Self {
        Self::new(Strays::AreIgnored)
    }
    fn new(strays: Strays) -> Self {
        Self { keypad: Keypad::new(&profile(), strays), start: crate::clock::now(), ms: 0, wake_at: None }
    }
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms)
    }
    /// Waits, waking at every deadline that falls into the wait.
    fn wait(&mut self, ms: u64) -> Vec<Output> {
        self.ms += ms;
        let mut heard = vec![];
        while let Some(at) = self.wake_at.filter(|at| *at <= self.now()) {
            self.wake_at = None;
            let outputs = self.keypad.tick(at);
            heard.extend(self.sort(outputs));
        }
        heard
    }
    fn stroke(&mut self, stroke: Stroke) -> Vec<Output> {
        self.wake_at = None;
        let outputs = self.keypad.handle(self.now(), stroke);
        self.sort(outputs)
    }
    /// Characters `gap` ms apart; `\r` is Enter, `\u{8}` Backspace, `\u{1b}` Clear, `\0` noise.
    fn typed(&mut self, text: &str, gap: u64) -> Vec<Output> {
        let mut heard = vec![];
        for c in text.chars() {
            heard.extend(self.wait(gap));
            heard.extend(self.stroke(match c {
                '\r' => Stroke::Enter,
                '\n' => Stroke::LineFeed,
                '\u{8}' => Stroke::Backspace,
                '\u{1b}' => Stroke::Clear,
                '\0' => Stroke::Noise,
                c => Stroke::Char(c),
            }));
        }
        heard
    }
    fn sort(&mut self, outputs: Vec<Output>) -> Vec<Output> {
        let (wake, heard): (Vec<_>, Vec<_>) = outputs.into_iter().partition(|o| matches!(o, Output::WakeAt(_)));
        assert!(wake.len() <= 1);
        if let Some(Output::WakeAt(at)) = wake.first() {
            self.wake_at = Some(*at);
        }
        heard
    }
}

fn key(key: Key) -> Output {
    Output::Key(key)
}
fn digit(digit: u8) -> Output {
    Output::Key(Key::Digit(digit))
}
fn badge(text: &str) -> Output {
    Output::Badge(text.to_owned())
}
const NOTHING: [Output; 0] = [];

#[test]
fn a_hands_digit_waits_for_the_burst_gap_and_no_longer() {
    let mut pad = Pad::serial();
    assert_eq!(pad.stroke(Stroke::Char('5')), NOTHING);
    assert_eq!(pad.wait(29), NOTHING);
    assert_eq!(pad.wait(1), [digit(5)]);
    assert_eq!(pad.wait(60_000), NOTHING);
    assert_eq!(pad.wake_at, None, "nothing wakes an idle keypad");
}

#[test]
fn enter_does_not_wait_and_does_not_overtake() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("15", 100), [digit(1)]);
    assert_eq!(pad.wait(5), NOTHING);
    assert_eq!(pad.stroke(Stroke::Enter), [digit(5), key(Key::Enter)]);
    assert_eq!(pad.stroke(Stroke::Enter), [key(Key::Enter)]);
}

#[test]
fn a_staff_number_by_hand_is_keys_and_by_scanner_a_badge() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("1042\r", 80), [digit(1), digit(0), digit(4), digit(2), key(Key::Enter)]);
    assert_eq!(pad.wait(1_000), NOTHING);
    assert_eq!(pad.typed("1042\r", 1), [badge("1042")]);
    assert_eq!(pad.typed("1042\r", 0), [badge("1042")], "all in one read");
    assert_eq!(pad.typed("0A1b2C\r", 29), [badge("0A1b2C")], "just fast enough");
}

#[test]
fn three_fast_characters_can_be_fingers() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("104\r", 10), [digit(1), digit(0), digit(4), key(Key::Enter)]);
}

#[test]
fn a_scan_in_the_middle_of_a_number_does_not_take_its_digits() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("15", 200), [digit(1)]);
    assert_eq!(pad.wait(100), [digit(5)]);
    assert_eq!(pad.typed("A1042\r", 2), [badge("A1042")]);
}

#[test]
fn fast_digits_without_enter_are_no_hands_and_are_lost() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("1234", 5), NOTHING);
    assert_eq!(pad.wait(30), [Output::KeysLost], "a scanner that ends with Tab, or a block from a pad");
    assert_eq!(pad.typed("123", 5), NOTHING);
    assert_eq!(pad.wait(30), [digit(1), digit(2), digit(3)], "fingers can do that");
    assert_eq!(pad.typed("6\u{8}7\u{1b}", 5), [digit(6), key(Key::Backspace), digit(7), key(Key::Clear)]);
}

#[test]
fn zeros_back_to_back_come_from_one_key() {
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("500", 10), NOTHING);
    assert_eq!(pad.wait(30), [digit(5), key(Key::DoubleZero)]);
    assert_eq!(pad.typed("000", 8), NOTHING);
    assert_eq!(pad.wait(30), [key(Key::TripleZero)]);
    assert_eq!(pad.typed("00\r", 25), [digit(0), digit(0), key(Key::Enter)], "slower than one key does it");
    assert_eq!(pad.typed("00", 100), [digit(0)]);
    assert_eq!(pad.wait(30), [digit(0)]);
    assert_eq!(pad.typed("000", 5), NOTHING);
    assert_eq!(pad.wait(40), [key(Key::TripleZero)]);
    assert_eq!(pad.typed("00", 5), NOTHING);
    assert_eq!(pad.wait(30), [key(Key::DoubleZero)]);
}

#[test]
fn a_line_feed_in_front_of_a_badge_accepts_nothing_and_one_by_itself_does() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("\n0415AB\r", 1), [badge("0415AB")]);
    assert_eq!(pad.wait(1_000), NOTHING);
    assert_eq!(pad.stroke(Stroke::LineFeed), NOTHING);
    assert_eq!(pad.wait(29), NOTHING);
    assert_eq!(pad.wait(1), [key(Key::Enter)]);
    // A pad whose Enter is a line feed: behind a digit there is nothing to wait for.
    assert_eq!(pad.typed("5\n", 10), [digit(5), key(Key::Enter)]);
    assert_eq!(pad.typed("\n\n", 10), [key(Key::Enter)]);
    assert_eq!(pad.wait(30), [key(Key::Enter)]);
    assert_eq!(pad.typed("1042\n", 1), [badge("1042")]);
}

#[test]
fn zero_keys_with_codes_of_their_own_go_out_at_once_and_in_order() {
    let mut pad = Pad::keyboard();
    assert_eq!(pad.stroke(Stroke::Char('5')), NOTHING);
    assert_eq!(pad.stroke(Stroke::DoubleZero), [digit(5), key(Key::DoubleZero)]);
    assert_eq!(pad.stroke(Stroke::TripleZero), [key(Key::TripleZero)]);
}

#[test]
fn point_and_comma_are_the_point() {
    let mut pad = Pad::serial();
    let heard = pad.typed("1.5,\r", 100);
    assert_eq!(heard, [digit(1), key(Key::Point), digit(5), key(Key::Point), key(Key::Enter)]);
}

#[test]
fn a_card_is_dropped_to_its_last_character_without_a_word() {
    for card in [
        "%B4111111111111111^DOE/JANE^29011010000000000000?;4111111111111111=29011010000000000000?\r",
        ";1042?\r",
        "+1234567890123456=?\r",
        "%ABC?\r;4111111111111111=2901?\r",
    ] {
        let mut pad = Pad::serial();
        assert_eq!(pad.typed(card, 1), NOTHING, "{card:?}");
        assert_eq!(pad.wait(1_000), NOTHING);
        assert_eq!(pad.typed("1\r", 100), [digit(1), key(Key::Enter)], "and the keypad works on");
    }
}

#[test]
fn a_card_that_pauses_between_tracks_or_never_ends_gives_no_digit() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("%B4111111111?", 1), NOTHING);
    assert_eq!(pad.wait(200), NOTHING);
    assert_eq!(pad.typed(";4111111111=", 1), [], "still the card");
    // The gap may have been a hand's key, so it is said; no digit comes out.
    assert_eq!(pad.wait(249), NOTHING);
    assert_eq!(pad.wait(1), [Output::KeysLost]);
    assert_eq!(pad.typed("5\r", 100), [digit(5), key(Key::Enter)]);
}

#[test]
fn digits_glued_to_a_card_are_lost_and_that_is_said() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("12;4111111111111111?\r", 1), [Output::KeysLost]);
}

#[test]
fn a_lone_plus_swallows_nothing_that_follows() {
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("+5\r", 100), [digit(5), key(Key::Enter)]);
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("+5\r", 100), [Output::KeysLost, digit(5), key(Key::Enter)]);
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("+5", 10), NOTHING);
    assert_eq!(pad.wait(30), [Output::KeysLost], "too close to tell");
}

#[test]
fn a_burst_with_signs_is_no_badge_and_no_number() {
    for text in ["12.50\r", "STAFF-1042\r", "10 42\r"] {
        for mut pad in [Pad::serial(), Pad::keyboard()] {
            assert_eq!(pad.typed(text, 1), [Output::KeysLost], "{text:?}");
            assert_eq!(pad.wait(1_000), NOTHING);
        }
    }
}

#[test]
fn letters_without_enter_never_leave_digits_behind() {
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("0A1B2C", 1), NOTHING);
    assert_eq!(pad.wait(30), [Output::KeysLost]);
}

#[test]
fn a_lone_letter_is_noise_on_a_wire_and_nothing_on_a_keyboard() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("1U\r", 100), [digit(1), Output::KeysLost, key(Key::Enter)]);
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("1u2\r", 100), [digit(1), digit(2), key(Key::Enter)]);
}

#[test]
fn a_badge_has_at_most_32_characters() {
    let mut pad = Pad::serial();
    let longest = "A".repeat(32);
    assert_eq!(pad.typed(&format!("{longest}\r"), 1), [badge(&longest)]);
    assert_eq!(pad.typed(&format!("{longest}1\r"), 1), [Output::KeysLost]);
    assert_eq!(pad.typed("7\r", 100), [digit(7), key(Key::Enter)]);
}

#[test]
fn an_endless_burst_says_once_that_keys_are_lost() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed(&"1".repeat(10_000), 2), [Output::KeysLost]);
    assert_eq!(pad.wait(1_000), NOTHING);
}

#[test]
fn noise_takes_what_is_held_and_what_is_glued_to_it() {
    let mut pad = Pad::serial();
    assert_eq!(pad.typed("5\0\0\0", 5), [Output::KeysLost]);
    assert_eq!(pad.wait(30), NOTHING);
    assert_eq!(pad.typed("6\r", 100), [digit(6), key(Key::Enter)]);
    // A key within the noise came after the first word of it: said again, so that it voids the number after all.
    assert_eq!(pad.typed("\x007", 5), [Output::KeysLost]);
    assert_eq!(pad.wait(30), [Output::KeysLost]);
}

#[test]
fn an_overrun_voids_what_is_held() {
    let mut pad = Pad::keyboard();
    assert_eq!(pad.typed("12", 5), NOTHING);
    assert_eq!(pad.stroke(Stroke::Lost), [Output::KeysLost]);
    assert_eq!(pad.wait(1_000), NOTHING);
    assert_eq!(pad.typed(";411111", 1), NOTHING);
    assert_eq!(pad.stroke(Stroke::Lost), [Output::KeysLost]);
}

/// Bytes with the time since the one before.
fn stream() -> impl Strategy<Value = Vec<(u64, u8)>> {
    let gap = prop_oneof![Just(0u64), 0u64..40, 0u64..400];
    let byte = prop_oneof![
        6 => prop::sample::select(&b"0123456789"[..]),
        2 => prop::sample::select(&b"\r\n\r\n\x1b\x08.,"[..]),
        1 => prop::sample::select(&b"%;+?=AZaz"[..]),
        1 => any::<u8>(),
    ];
    prop::collection::vec((gap, byte), 0..120)
}

/// Feeds bytes one by one; before each, the clock also ticks at the given offsets into the gap.
fn hear(stream: &[(u64, u8)], ticks: impl Fn(u64) -> Vec<u64>) -> Vec<Output> {
    let (mut keypad, mut bytes) = (Keypad::new(&profile(), Strays::AreNoise), serial::Bytes::default());
    let start = crate::clock::now();
    let (mut ms, mut heard) = (0, vec![]);
    for (gap, byte) in stream.iter().copied().chain([(10_000, b'\r'), (10_000, b'\r')]) {
        for tick in ticks(gap) {
            heard.extend(keypad.tick(start + Duration::from_millis(ms + tick)));
        }
        ms += gap;
        if let Some(stroke) = bytes.read(byte) {
            heard.extend(keypad.handle(start + Duration::from_millis(ms), stroke));
        }
    }
    heard.retain(|o| !matches!(o, Output::WakeAt(_)));
    heard
}

proptest! {
    #[test]
    fn when_the_clock_ticks_changes_nothing(stream in stream(), every in 1u64..50) {
        let without = hear(&stream, |_| vec![]);
        prop_assert_eq!(&without, &hear(&stream, |gap| vec![gap]));
        prop_assert_eq!(&without, &hear(&stream, |gap| (0..=gap.min(600)).step_by(usize::try_from(every).unwrap()).collect()));
    }

    #[test]
    fn a_hands_keys_all_arrive_in_order(text in "[0-9\r.\u{8}]{0,60}", gap in 30u64..200) {
        let mut pad = Pad::serial();
        let mut heard = pad.typed(&text, gap);
        heard.extend(pad.wait(gap));
        let expected: Vec<_> = text.chars().map(|c| key(match c {
            '\r' => Key::Enter,
            '.' => Key::Point,
            '\u{8}' => Key::Backspace,
            c => Key::Digit(u8::try_from(c.to_digit(10).unwrap()).unwrap()),
        })).collect();
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn no_key_and_no_badge_comes_out_of_a_card(
        sentinel in "[%;+]", body in "[ -~]{0,100}", gap in 0u64..30, ended in any::<bool>(),
    ) {
        let mut pad = Pad::serial();
        let mut heard = pad.typed(&format!("{sentinel}{body}{}", if ended { "\r" } else { "" }), gap);
        heard.extend(pad.wait(1_000));
        prop_assert!(heard.iter().all(|o| *o == Output::KeysLost), "{:?}", heard);
    }

    #[test]
    fn a_badge_is_letters_and_digits_and_a_digit_is_below_ten(stream in stream()) {
        for output in hear(&stream, |_| vec![]) {
            match output {
                Output::Badge(text) => {
                    prop_assert!((BURST..=BADGE_MAX).contains(&text.len()));
                    prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));
                }
                Output::Key(Key::Digit(digit)) => prop_assert!(digit < 10),
                Output::Key(_) | Output::KeysLost | Output::WakeAt(_) => {}
            }
        }
    }
}

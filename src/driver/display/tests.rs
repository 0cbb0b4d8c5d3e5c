use super::*;
use crate::device::profile::CodePage;

fn profile(dialect: DisplayDialect) -> DisplayProfile {
    DisplayProfile { dialect, code_page: CodePage::Pc858, brightness: 4, baud: 9_600 }
}

/// A display and a clock that only the test moves.
struct Bench {
    screen: Screen,
    start: Instant,
}

impl Bench {
    fn new(dialect: DisplayDialect) -> Self {
        let idle = ["REGISTER CLOSED".to_owned(), String::new()];
        Self { screen: Screen::new(profile(dialect), &idle), start: crate::clock::now() }
    }
    fn ms(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }
    fn next_at(&self, ms: u64) -> Next {
        self.screen.next(self.ms(ms))
    }
    /// Sends what is to be sent at `ms`.
    fn sent_at(&mut self, ms: u64) -> Vec<u8> {
        let Next::Write(bytes) = self.next_at(ms) else { panic!("nothing to send: {:?}", self.next_at(ms)) };
        self.screen.written(self.ms(ms), bytes.len());
        bytes
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X} ")).collect::<String>().trim_end().to_owned()
}

const COUNT_FLOAT: &str = "43 4F 55 4E 54 20 46 4C 4F 41 54 20 20 20 20 20 20 20 20 20";
const KEY_AMOUNT: &str = "4B 45 59 20 41 4D 4F 55 4E 54 20 2B 20 45 4E 54 45 52 20 20";

#[test]
fn escpos_opens_with_settings_and_a_whole_frame_in_at_most_64_bytes() {
    let mut bench = Bench::new(DisplayDialect::EscPos);
    assert_eq!(bench.next_at(0), Next::Nothing);
    bench.screen.show(Frame::new("COUNT FLOAT", "KEY AMOUNT + ENTER"));
    bench.screen.opened(Some(960));
    let bytes = bench.sent_at(0);
    // ESC @ · US MD1 · US C 0 · ESC t 19 · US X 4 · CLR, then US $ 1 1 and US $ 1 2 (fact sheet 1.14)
    let golden = format!("1B 40 1F 01 1F 43 00 1B 74 13 1F 58 04 0C 1F 24 01 01 {COUNT_FLOAT} 1F 24 01 02 {KEY_AMOUNT}");
    assert_eq!(hex(&bytes), golden);
    assert!(bytes.len() <= 64, "{} bytes", bytes.len());
}

#[test]
fn cd5220_leaves_string_mode_before_it_is_set_up() {
    let mut bench = Bench::new(DisplayDialect::Cd5220);
    bench.screen.show(Frame::new("COUNT FLOAT", "KEY AMOUNT + ENTER"));
    bench.screen.opened(Some(960));
    // CLR · ESC @ · ESC DC1 · ESC _ 0 · ESC * 4 · CLR, then ESC Q A … CR and ESC Q B … CR (fact sheet 1.14)
    let golden = format!("0C 1B 40 1B 11 1B 5F 00 1B 2A 04 0C 1B 51 41 {COUNT_FLOAT} 0D 1B 51 42 {KEY_AMOUNT} 0D");
    assert_eq!(hex(&bench.sent_at(0)), golden);
}

#[test]
fn a_frame_that_is_shown_already_is_not_sent_again() {
    let mut bench = Bench::new(DisplayDialect::Cd5220);
    bench.screen.opened(None);
    bench.sent_at(0);
    bench.screen.show(Frame::new("REGISTER CLOSED", ""));
    assert_eq!(bench.next_at(1), Next::WakeAt(bench.ms(30_000)));
}

#[test]
fn on_a_slow_line_only_the_last_of_several_frames_is_sent() {
    let mut bench = Bench::new(DisplayDialect::EscPos);
    bench.screen.opened(Some(960));
    let first = bench.sent_at(0);
    let wire_us = u64::try_from(first.len()).unwrap() * 1_000_000 / 960;
    let free_at = bench.start + Duration::from_micros(wire_us);
    for stars in ["*", "**", "***"] {
        bench.screen.show(Frame::new("FLOAT TOTAL", stars));
        assert_eq!(bench.next_at(10), Next::WakeAt(free_at));
    }
    let bytes = bench.sent_at(100);
    assert_eq!(bytes.len(), 48);
    assert!(String::from_utf8_lossy(&bytes).contains("***                 "));
}

#[test]
fn the_picture_goes_out_again_every_thirty_seconds_without_clearing_the_glass() {
    for dialect in [DisplayDialect::EscPos, DisplayDialect::Cd5220] {
        let mut bench = Bench::new(dialect);
        bench.screen.opened(Some(960));
        bench.sent_at(0);
        assert_eq!(bench.next_at(29_999), Next::WakeAt(bench.ms(30_000)));
        let bytes = bench.sent_at(30_000);
        assert!(String::from_utf8_lossy(&bytes).contains("REGISTER CLOSED     "));
        assert!(!bytes.contains(&0x0c), "CLR would flicker");
        assert_eq!(bench.next_at(30_100), Next::WakeAt(bench.ms(60_000)));
    }
}

#[test]
fn a_picture_that_somebody_waits_for_goes_out_every_five_seconds() {
    let mut bench = Bench::new(DisplayDialect::EscPos);
    bench.screen.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    bench.screen.opened(None);
    bench.sent_at(0);
    assert_eq!(bench.next_at(1), Next::WakeAt(bench.ms(5_000)));
    assert!(String::from_utf8_lossy(&bench.sent_at(5_000)).contains("COUNT THE FLOAT"));
    bench.screen.blank();
    bench.sent_at(6_000);
    assert_eq!(bench.next_at(6_001), Next::WakeAt(bench.ms(36_000)), "nobody waits any more");
}

#[test]
fn after_a_reopen_everything_is_sent_again() {
    let mut bench = Bench::new(DisplayDialect::EscPos);
    bench.screen.opened(Some(960));
    let first = bench.sent_at(0);
    bench.screen.lost();
    assert_eq!(bench.next_at(5), Next::Nothing);
    bench.screen.written(bench.ms(6), 48); // a late word of the old line changes nothing
    assert_eq!(bench.next_at(7), Next::Nothing);
    bench.screen.opened(Some(960));
    assert_eq!(bench.sent_at(10), first);
}

#[test]
fn blanking_wants_the_idle_frame() {
    let mut bench = Bench::new(DisplayDialect::EscPos);
    bench.screen.show(Frame::new("CONFIRM FLOAT", "150.00"));
    bench.screen.opened(None);
    bench.sent_at(0);
    bench.screen.blank();
    let bytes = bench.sent_at(1);
    assert!(String::from_utf8_lossy(&bytes).contains("REGISTER CLOSED"));
    assert!(!String::from_utf8_lossy(&bytes).contains("150"));
}

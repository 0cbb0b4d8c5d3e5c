//! A till without devices: inputs by hand, the display as text, time by the second.
mod api;
mod counter;
mod disk;
mod properties;
mod walks;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{
    Input, Output, Phase, Refusal, Reply, Shift, ShiftSettings,
    event::{Counted, Event, OpeningId},
};
use crate::{
    clock,
    config::{Count, Echo, EntryMode, Staff},
    device::{Frame, Key},
    money::{Amount, Currency},
};

const WELCOME: &str = "WELCOME|OPEN UNTIL TEN";
const WALL: &str = "2026-11-23T07:00:00.9Z";

fn id(n: u64) -> OpeningId {
    OpeningId::from_bits(n)
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

fn amount(text: &str, code: &str) -> Amount {
    Amount::parse(text, currency(code)).unwrap()
}

fn staff(name: &str, number: &str, n: u32) -> Staff {
    Staff { name: name.into(), number: number.into(), id: format!("gid://shopify/StaffMember/{n}") }
}

fn settings(code: &str) -> ShiftSettings {
    ShiftSettings {
        staff: vec![staff("Robin", "1042", 1), staff("Sam", "A7XQ", 2), staff("Kim", "007", 3)],
        device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: Some("gid://shopify/PointOfSaleDeviceReasonCode/9".into()),
        currency: currency(code),
        count: Count {
            entry: EntryMode::Total,
            denominations: currency(code).denominations(),
            expected_float: None,
            blind: true,
            max_age: Duration::from_secs(4 * 3600),
            entry_exponent: currency(code).default_entry_exponent(),
            second_slip: true,
            idle_timeout: Duration::from_secs(120),
            count_timeout: Duration::from_secs(600),
        },
        echo: Echo::Digits,
        idle: ["WELCOME".into(), "OPEN UNTIL TEN".into()],
        sensor: true,
        keypad: true,
        // Fingers of tests take no time; what the pause is for has a test of its own.
        confirm_pause: Duration::ZERO,
    }
}

/// `1042E` and the like. E Enter, C Clear, B Backspace, P point, D the 00 key, T the 000 key; spaces mean nothing.
fn keys(text: &str) -> Vec<Key> {
    let key = |c| match c {
        'E' => Key::Enter,
        'C' => Key::Clear,
        'B' => Key::Backspace,
        'P' => Key::Point,
        'D' => Key::DoubleZero,
        'T' => Key::TripleZero,
        digit => Key::Digit(u8::try_from(digit.to_digit(10).unwrap()).unwrap()),
    };
    text.chars().filter(|c| *c != ' ').map(key).collect()
}

fn text(frame: &Frame) -> String {
    frame.rows().map(str::trim).join("|")
}

struct Till {
    shift: Shift,
    now: Instant,
    next: u64,
    frames: Vec<String>,
    wake: Option<Instant>,
    records: Vec<(OpeningId, Event)>,
    replies: Vec<(u64, Result<Reply, Refusal>)>,
    warmed: u32,
}

impl Till {
    fn new() -> Self {
        Self::with(settings("USD"))
    }
    fn with(settings: ShiftSettings) -> Self {
        Self::of(Shift::new(settings, false))
    }
    fn of(shift: Shift) -> Self {
        let mut till = Self {
            shift,
            now: clock::now(),
            next: 0,
            frames: Vec::new(),
            wake: None,
            records: Vec::new(),
            replies: Vec::new(),
            warmed: 0,
        };
        till.when(Input::Tick);
        till
    }
    /// Feeds one input, and the edge if a key asks for it.
    fn when(&mut self, input: Input) -> Vec<Output> {
        let mut out = self.feed(input);
        if out.contains(&Output::StartWanted) {
            self.next += 1;
            out.extend(self.feed(Input::DrawerOpened { fresh: id(self.next) }));
        }
        out
    }
    /// Feeds one input and holds what comes out against the rules that hold always.
    fn feed(&mut self, input: Input) -> Vec<Output> {
        let wall: Timestamp = WALL.parse().unwrap();
        let out = self.shift.handle(self.now, wall, input);
        for (n, output) in out.iter().enumerate() {
            match output {
                Output::Show(frame) => {
                    assert_eq!(n, 0, "the frame comes first");
                    assert!(frame.rows().iter().all(|row| row.chars().count() == 20));
                    assert_ne!(self.frames.last(), Some(&text(frame)), "only what changed is shown");
                    self.frames.push(text(frame));
                }
                Output::Record { opening, event } => self.records.push((opening.clone(), event.clone())),
                Output::Reply { op, result } => self.replies.push((*op, result.clone())),
                Output::Warm => self.warmed += 1,
                Output::StartWanted => assert_eq!(self.shift.phase(), Phase::Idle),
                Output::WakeAt(at) => {
                    assert!(*at > self.now, "a deadline lies ahead");
                    self.wake = Some(*at);
                }
            }
        }
        out
    }
    fn shows(&self) -> &str {
        self.frames.last().unwrap()
    }
    fn type_keys(&mut self, text: &str) -> &str {
        for key in keys(text) {
            self.when(Input::Key(key));
        }
        self.shows()
    }
    fn drawer_opens(&mut self) -> OpeningId {
        self.next += 1;
        let fresh = id(self.next);
        self.when(Input::DrawerOpened { fresh: fresh.clone() });
        fresh
    }
    fn seconds_pass(&mut self, seconds: u64) -> &str {
        self.now += Duration::from_secs(seconds);
        self.when(Input::Tick);
        self.shows()
    }
    /// Robin is there and counts.
    fn counting() -> (Self, OpeningId) {
        Self::counting_with(settings("USD"))
    }
    fn counting_with(settings: ShiftSettings) -> (Self, OpeningId) {
        let mut till = Self::with(settings);
        let opening = till.drawer_opens();
        till.type_keys("1042E");
        (till, opening)
    }
    fn saved(&mut self, opening: &OpeningId) -> Vec<Output> {
        self.when(Input::Saved { opening: opening.clone() })
    }
    fn save_fails(&mut self, opening: &OpeningId, why: &str) -> Vec<Output> {
        self.when(Input::SaveFailed { opening: opening.clone(), why: why.into() })
    }
    fn progress(&mut self, opening: &OpeningId, progress: super::Progress) -> &str {
        self.when(Input::Progress { opening: opening.clone(), progress });
        self.shows()
    }
    fn start(&mut self, op: u64, n: u64) -> OpeningId {
        self.when(Input::Start {
            op,
            fresh: id(n),
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            note: "Monday".into(),
            reason_code_id: None,
        });
        id(n)
    }
    fn put(&mut self, op: u64, opening: &OpeningId, total: &str) -> Vec<Output> {
        let total = amount(total, "USD");
        self.when(Input::PutTotal { op, opening: opening.clone(), total })
    }
    fn counts(&self) -> Vec<&Counted> {
        let counted = |(_, event): &'_ (OpeningId, Event)| matches!(event, Event::OpeningCounted(_));
        let found = self.records.iter().filter(|r| counted(r));
        found
            .filter_map(|(_, event)| if let Event::OpeningCounted(counted) = event { Some(counted) } else { None })
            .collect()
    }
    fn names(&self) -> Vec<&'static str> {
        self.records.iter().map(|(_, event)| event.name()).collect()
    }
    fn phase(&self) -> Phase {
        self.shift.phase()
    }
}

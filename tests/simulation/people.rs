//! The cashier: reads the display and presses keys, or counts at the POS over the API; with mistakes, doubts and walks.
use std::collections::VecDeque;

use drawerbridge::{
    config::EntryMode,
    device::Key,
    money::{Amount, CountLine, Currency},
    shift::{ShiftSettings, event::OpeningId},
};

use super::{
    assumptions::{HOUR, MIN, Ms, S},
    dice::Dice,
    tally::Tally,
};

/// What a cashier does next.
#[derive(Debug, Clone)]
pub enum Act {
    OpenDrawer,
    CloseDrawer,
    Press(Key),
    Badge(&'static str),
    /// Starts at the POS.
    Start,
    /// Counts at the POS.
    PutTotal(OpeningId, Amount),
    PutLines(OpeningId, Vec<CountLine>),
    Cancel(OpeningId),
    /// Closes the register at the POS.
    EndShift,
    /// Somebody is called.
    CallManager,
    Look,
}

/// What the cashier is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Away,
    /// Wants the register open; looked so often.
    Opening {
        looks: u32,
    },
    /// The same, at the POS.
    AtPos {
        looks: u32,
        opening: Option<OpeningId>,
    },
    Selling {
        until: Ms,
    },
}

/// One till's cashier.
#[derive(Debug)]
pub struct Cashier {
    mode: Mode,
    keys: VecDeque<Key>,
    drawer_open: bool,
    settings: ShiftSettings,
}

impl Cashier {
    pub const fn new(settings: ShiftSettings) -> Self {
        Self { mode: Mode::Away, keys: VecDeque::new(), drawer_open: false, settings }
    }

    /// What the POS was told.
    pub fn started(&mut self, id: Option<OpeningId>) {
        if let Mode::AtPos { opening, .. } = &mut self.mode {
            match id {
                Some(id) => *opening = Some(id),
                None => self.mode = Mode::Opening { looks: 0 },
            }
        }
    }

    /// The count is known to be saved.
    pub fn saved(&mut self, now: Ms, dice: &mut Dice) {
        if !matches!(self.mode, Mode::Selling { .. }) {
            self.keys.clear();
            self.mode = Mode::Selling { until: now + shift_length(dice) };
        }
    }

    /// Puts everything down.
    pub fn stop(&mut self) {
        self.mode = Mode::Away;
        self.keys.clear();
    }

    fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.keys.push_back(match c {
                'E' => Key::Enter,
                'C' => Key::Clear,
                'B' => Key::Backspace,
                'P' => Key::Point,
                'D' => Key::DoubleZero,
                digit => Key::Digit(u8::try_from(digit.to_digit(10).expect("a digit")).expect("a digit")),
            });
        }
    }

    /// One act, and when the next one comes.
    pub fn act(&mut self, now: Ms, rows: [&str; 2], dice: &mut Dice, tally: &mut Tally) -> (Act, Ms) {
        if let Some(key) = self.keys.pop_front() {
            return (Act::Press(key), now + 60 + dice.below(400));
        }
        let soon = now + 300 + dice.below(3 * S);
        match self.mode.clone() {
            Mode::Away => {
                if dice.one_in(4) {
                    self.mode = Mode::AtPos { looks: 0, opening: None };
                    return (Act::Start, soon);
                }
                self.mode = Mode::Opening { looks: 0 };
                (self.open_drawer(), soon)
            }
            Mode::Opening { looks } => {
                if looks > 40 || dice.one_in(150) {
                    tally.add("walked away");
                    self.mode = Mode::Selling { until: now + 20 * S + dice.below(3 * MIN) };
                    return (Act::CloseDrawer, soon);
                }
                self.mode = Mode::Opening { looks: looks + 1 };
                (self.read(rows, dice, tally), soon)
            }
            Mode::AtPos { looks, opening } => {
                let Some(id) = opening.filter(|_| looks < 12) else {
                    self.mode = Mode::Opening { looks: 0 };
                    return (self.open_drawer(), soon);
                };
                self.mode = Mode::AtPos { looks: looks + 1, opening: Some(id.clone()) };
                let act = match dice.below(10) {
                    0 => Act::Look,
                    1 => {
                        self.mode = Mode::Opening { looks: 0 };
                        Act::Cancel(id)
                    }
                    2..=4 if !self.settings.count.denominations.is_empty() => {
                        let faces = &self.settings.count.denominations;
                        let lines = faces.iter().map(|face| CountLine {
                            denomination: *face,
                            pieces: u32::try_from(dice.below(6)).expect("few"),
                        });
                        Act::PutLines(id, lines.collect())
                    }
                    _ => Act::PutTotal(id, amount(self.settings.currency, dice)),
                };
                (act, now + S + dice.below(20 * S))
            }
            Mode::Selling { until } if now >= until => {
                self.mode = Mode::Away;
                let pause = match dice.below(10) {
                    0 => 8 * HOUR + dice.below(8 * HOUR),
                    1..=3 => 5 * S + dice.below(MIN),
                    _ => 20 * S + dice.below(10 * MIN),
                };
                let act = if dice.one_in(12) { Act::Look } else { Act::EndShift };
                (act, now + pause)
            }
            Mode::Selling { until } => {
                let act = match dice.below(8) {
                    0..=2 => self.open_drawer(),
                    3..=5 => {
                        self.drawer_open = false;
                        Act::CloseDrawer
                    }
                    6 if rows[1].starts_with("CALL THE MANAGER") => Act::CallManager,
                    6 => Act::Press(Key::Digit(1)),
                    _ => Act::Badge("1042"),
                };
                (act, until.min(now + 5 * S + dice.below(3 * MIN)).max(now + S))
            }
        }
    }

    const fn open_drawer(&mut self) -> Act {
        // An open drawer has no edge: it is closed, and opened again at the next look.
        self.drawer_open = !self.drawer_open;
        if self.drawer_open { Act::OpenDrawer } else { Act::CloseDrawer }
    }

    /// Does what the display asks for; usually.
    fn read(&mut self, rows: [&str; 2], dice: &mut Dice, tally: &mut Tally) -> Act {
        let [upper, lower] = rows;
        match (upper, lower) {
            ("STAFF NUMBER", "KEY IT OR SCAN BADGE") => match dice.below(14) {
                0 => {
                    tally.add("wrong number");
                    self.type_text("777E");
                }
                1 => {
                    tally.add("badge");
                    return Act::Badge("A7XQ");
                }
                2 => self.type_text("10C1042E"),
                3 => self.type_text("P1BE"),
                _ => self.type_text("1042E"),
            },
            ("COUNT THE FLOAT", _) => {
                let amount = amount(self.settings.currency, dice).minor() / step(&self.settings);
                match dice.below(10) {
                    0 => {
                        tally.add("corrected");
                        self.type_text(&format!("4C{amount}E"));
                    }
                    1 => {
                        tally.add("corrected");
                        self.type_text(&format!("{amount}7BE"));
                    }
                    2 => self.type_text(&format!("P{amount}DE")),
                    3 => self.type_text("EC"),
                    _ => self.type_text(&format!("{amount}E")),
                }
            }
            ("FLOAT TOTAL", _) => self.type_text(if dice.one_in(3) { "C" } else { "E" }),
            (_, "KEY PIECES + ENTER") => {
                let pieces = dice.below(12);
                self.type_text(&if pieces < 4 { "E".to_owned() } else { format!("{pieces}E") });
            }
            (pieces, _) if pieces.ends_with(" x") => self.type_text("E"),
            ("CHECK THE AMOUNT", _) => self.type_text(if dice.one_in(5) { "C" } else { "E" }),
            (_, "ENTER=YES  CLEAR=NO") => match dice.below(12) {
                0 => {
                    tally.add("corrected");
                    self.type_text("C");
                }
                1 => self.type_text("5"),
                2 => self.type_text("EE"),
                _ => self.type_text("E"),
            },
            (_, "ENTER=TRY AGAIN") => self.type_text("E"),
            ("DRAWER IS CLOSED", _) | ("KEYS WERE LOST", _) | ("KEYPAD IS GONE", _) => self.type_text("B"),
            ("SAVING THE COUNT", _) | ("UNKNOWN NUMBER", _) => {}
            (_, "CALL THE MANAGER") if dice.one_in(2) => return Act::CallManager,
            (_, "CALL THE MANAGER") => self.type_text("1"),
            _ if dice.one_in(6) => self.type_text("1"),
            _ => return self.open_drawer(),
        }
        Act::Look
    }
}

fn step(settings: &ShiftSettings) -> i64 {
    10_i64.pow(settings.currency.exponent().saturating_sub(settings.count.entry_exponent))
}

fn shift_length(dice: &mut Dice) -> Ms {
    match dice.below(20) {
        0 => 4 * HOUR + dice.below(8 * HOUR),
        1..=3 => 10 * MIN + dice.below(90 * MIN),
        _ => 10 * S + dice.below(10 * MIN),
    }
}

/// A float; few values, so that two counts look alike now and then.
pub fn amount(currency: Currency, dice: &mut Dice) -> Amount {
    let unit = 10_i64.pow(currency.exponent());
    let whole = [150, 200, 100, 90, 12_345, 0, 3][dice.index(7)];
    let cents = if dice.one_in(4) && currency.exponent() == 2 { 25 } else { 0 };
    Amount::from_minor(whole * unit + cents, currency)
}

/// Settings of a till.
pub fn settings(till: usize, dice: &mut Dice) -> ShiftSettings {
    use drawerbridge::config::{Count, Echo, Staff};
    let currency = Currency::from_code(["USD", "USD", "JPY", "KWD"][dice.index(4)]).expect("it exists");
    let staff = |name: &str, number: &str, n: u32| Staff {
        name: name.into(),
        number: number.into(),
        id: format!("gid://shopify/StaffMember/{n}"),
    };
    let entry = if dice.one_in(4) { EntryMode::Denominations } else { EntryMode::Total };
    ShiftSettings {
        staff: vec![staff("Robin", "1042", 1), staff("Sam", "A7XQ", 2)],
        device_id: super::server::device_id(till),
        reason_code_id: None,
        currency,
        count: Count {
            entry,
            denominations: currency.denominations().into_iter().take(3).collect(),
            expected_float: None,
            blind: true,
            max_age: std::time::Duration::from_secs(4 * 3600),
            entry_exponent: currency.default_entry_exponent(),
            second_slip: true,
            idle_timeout: std::time::Duration::from_secs(120),
            count_timeout: std::time::Duration::from_secs(600),
        },
        echo: if dice.one_in(4) { Echo::Masked } else { Echo::Digits },
        idle: ["WELCOME".into(), "OPEN UNTIL TEN".into()],
        sensor: true,
        keypad: true,
        confirm_pause: std::time::Duration::from_millis(250),
    }
}

//! Keys become an amount: as one total with implied decimals, or as pieces of each denomination.
//!
//! ## Why the digits are kept, and not the number
//! Backspace must take back what the finger did, and a masked display shows one star per digit. So the entry is what was
//! typed; the amount is worked out from it, in integers, each time it is asked for.
use super::{prompt::Prompt, words::ShiftSettings};
use crate::{
    config::{Echo, EntryMode},
    device::Key,
    money::{Amount, CountLine, Currency},
};

/// Digits of a total: 99,999,999.99 of a currency with two decimals, and no product below overflows.
const MAX_TOTAL_DIGITS: usize = 10;
/// Digits of a number of pieces: nobody counts 100,000 coins into one drawer.
const MAX_PIECES_DIGITS: usize = 5;

/// What was counted, ready to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// The float.
    pub total: Amount,
    /// By denomination, largest first; without lines of no pieces. Empty when one total was given.
    pub lines: Vec<CountLine>,
    /// Odd for a float: one more Enter is asked for.
    pub odd: bool,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The entry changed, or there was nothing to change.
    Taken,
    /// Not taken; the display says why.
    Note(Prompt),
    /// Clear on an empty entry with nothing before it.
    Back,
    /// Enter: counted.
    Done(Draft),
}

/// A number being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Digits(String);

impl Digits {
    /// Appends, unless that makes more than `limit` digits. A leading zero gives way to what follows it.
    fn push(&mut self, digits: &str, limit: usize) -> bool {
        let joined = format!("{}{digits}", self.0);
        let trimmed = joined.trim_start_matches('0');
        let next = if trimmed.is_empty() { "0" } else { trimmed };
        if next.len() > limit {
            return false;
        }
        next.clone_into(&mut self.0);
        true
    }
    fn number(&self) -> i64 {
        // Empty is nothing; the limits above keep everything else far inside an i64.
        self.0.parse().unwrap_or(0)
    }
}

/// The digits of a key, if it has any.
pub(super) fn digits_of(key: Key) -> Option<&'static str> {
    const NAMES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match key {
        Key::Digit(n) => NAMES.get(usize::from(n)).copied(),
        Key::DoubleZero => Some("00"),
        Key::TripleZero => Some("000"),
        Key::Point | Key::Enter | Key::Clear | Key::Backspace => None,
    }
}

/// The float being counted.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// One total.
    Total(TotalEntry),
    /// Pieces of each denomination.
    Pieces(PiecesEntry),
}

impl Entry {
    /// Empty, as the settings want it counted.
    pub fn new(settings: &ShiftSettings) -> Self {
        let exponent = settings.currency.exponent();
        let check = Check::of(settings);
        let faces = settings.count.denominations.clone();
        match settings.count.entry {
            EntryMode::Denominations if !faces.is_empty() => {
                Self::Pieces(PiecesEntry { faces, counted: Vec::new(), typed: Digits::default(), void: false, check })
            }
            EntryMode::Denominations | EntryMode::Total => Self::Total(TotalEntry {
                typed: Digits::default(),
                decimals: settings.count.entry_exponent.min(exponent),
                check,
            }),
        }
    }
    /// One key. After `Heard::Done` the entry is used up.
    pub fn key(&mut self, key: Key) -> Heard {
        match self {
            Self::Total(entry) => entry.key(key),
            Self::Pieces(entry) => entry.key(key),
        }
    }
    /// What to show.
    pub fn prompt(&self, echo: Echo) -> Prompt {
        match self {
            Self::Total(entry) => entry.prompt(echo),
            Self::Pieces(entry) => entry.prompt(echo),
        }
    }
    /// Keys were lost: the number being typed is void.
    pub fn void(&mut self) {
        match self {
            Self::Total(entry) => entry.typed.0.clear(),
            Self::Pieces(entry) => {
                entry.typed.0.clear();
                entry.void = true;
            }
        }
    }
}

/// So many times the expected float, or its so-manieth part, was mistyped: 00 pressed twice, or not at all, is a factor of
/// 100. Fact sheet "displays and keypads", 4.5.
const FAR_OFF: i64 = 5;
/// So many of the largest coin or note listed in the settings, where the currency's own cash is not known.
const LARGEST_MAX: u32 = 20;

/// What makes an amount odd for a float.
#[derive(Debug, Clone, Copy)]
struct Check {
    step: i64,
    currency: Currency,
    expected: Option<i64>,
    /// Where no float is expected: above this it is unlikely.
    most: Option<i64>,
}

impl Check {
    fn of(settings: &ShiftSettings) -> Self {
        let largest = settings.count.denominations.first();
        let listed = || largest.and_then(|face| face.checked_mul(LARGEST_MAX));
        Self {
            step: settings.currency.cash_step_minor(),
            currency: settings.currency,
            expected: settings.count.expected_float.map(Amount::minor),
            most: settings.currency.unlikely_float_above().or_else(listed).map(Amount::minor),
        }
    }

    /// Nothing at all, an amount that no coins make (fact sheet "displays and keypads", 4.3), or far too much or little.
    fn odd(self, minor: i64) -> bool {
        let far_off = match self.expected {
            Some(expected) => minor.saturating_mul(FAR_OFF) < expected || minor > expected.saturating_mul(FAR_OFF),
            None => self.most.is_some_and(|most| minor > most),
        };
        minor == 0 || (self.step > 1 && minor % self.step != 0) || far_off
    }
}

/// One total, digits moving in from the right.
#[derive(Debug, Clone)]
pub(super) struct TotalEntry {
    typed: Digits,
    /// Decimals that the digits imply; never more than the currency has.
    decimals: u32,
    check: Check,
}

impl TotalEntry {
    fn key(&mut self, key: Key) -> Heard {
        match key {
            Key::Digit(_) | Key::DoubleZero | Key::TripleZero => {
                let before = self.typed.clone();
                let taken = digits_of(key).is_some_and(|digits| self.typed.push(digits, MAX_TOTAL_DIGITS));
                if taken && self.amount().is_some() {
                    return Heard::Taken;
                }
                self.typed = before;
                Heard::Note(Prompt::TooMany)
            }
            Key::Point => Heard::Note(Prompt::NoPoint { decimals: self.decimals }),
            Key::Backspace => {
                self.typed.0.pop();
                Heard::Taken
            }
            Key::Clear if self.typed.0.is_empty() => Heard::Back,
            Key::Clear => {
                self.typed.0.clear();
                Heard::Taken
            }
            Key::Enter => match self.amount() {
                Some(total) => Heard::Done(self.draft(total)),
                None => Heard::Note(Prompt::NothingKeyed),
            },
        }
    }
    /// `None` while nothing is keyed.
    fn amount(&self) -> Option<Amount> {
        Amount::from_keyed(&self.typed.0, self.decimals, self.check.currency).ok()
    }
    fn draft(&self, total: Amount) -> Draft {
        // 150 keyed for 150.00 is 1.50: below ten units no float is likely. Fact sheet, 4.4 and 4.5.
        let decimals = usize::try_from(self.decimals).unwrap_or(0);
        // Where the float is known, that says more.
        let short = self.check.expected.is_none() && decimals >= 2 && self.typed.0.len() <= decimals + 1;
        Draft { total, lines: Vec::new(), odd: short || self.check.odd(total.minor()) }
    }
    fn prompt(&self, echo: Echo) -> Prompt {
        match (self.amount(), echo) {
            (None, Echo::Digits | Echo::Masked) => Prompt::Total,
            (Some(amount), Echo::Digits) => Prompt::TotalTyping { amount },
            (Some(_), Echo::Masked) => Prompt::TotalMasked { digits: self.typed.0.len() },
        }
    }
}

/// Pieces of each denomination, the largest first.
#[derive(Debug, Clone)]
pub(super) struct PiecesEntry {
    /// Not empty.
    faces: Vec<Amount>,
    /// As many as are answered; never more than `faces`.
    counted: Vec<CountLine>,
    typed: Digits,
    /// Keys were lost. Until a digit or Clear comes, Enter on nothing is not taken for "none of these".
    void: bool,
    check: Check,
}

impl PiecesEntry {
    /// The denomination asked for; the last one once all are answered.
    fn face(&self) -> Amount {
        let last = self.faces.last().copied().unwrap_or(Amount::from_minor(0, self.check.currency));
        self.faces.get(self.counted.len()).copied().unwrap_or(last)
    }
    fn pieces(&self) -> u32 {
        u32::try_from(self.typed.number()).unwrap_or(0)
    }
    fn key(&mut self, key: Key) -> Heard {
        match key {
            Key::Digit(_) | Key::DoubleZero | Key::TripleZero => {
                let before = self.typed.clone();
                let taken = digits_of(key).is_some_and(|digits| self.typed.push(digits, MAX_PIECES_DIGITS));
                if taken && self.lines().is_some() {
                    self.void = false;
                    return Heard::Taken;
                }
                self.typed = before;
                Heard::Note(Prompt::TooMany)
            }
            Key::Point => Heard::Note(Prompt::WholePieces),
            Key::Backspace => {
                self.typed.0.pop();
                Heard::Taken
            }
            Key::Clear if self.void => {
                self.void = false;
                Heard::Taken
            }
            // On nothing: back to the denomination before, which is then asked again.
            Key::Clear if self.typed.0.is_empty() => self.counted.pop().map_or(Heard::Back, |_| Heard::Taken),
            Key::Clear => {
                self.typed.0.clear();
                Heard::Taken
            }
            Key::Enter if self.void => Heard::Note(Prompt::KeysLost),
            Key::Enter => self.enter(),
        }
    }
    /// On nothing: none of this denomination.
    fn enter(&mut self) -> Heard {
        let Some((lines, total)) = self.lines() else { return Heard::Note(Prompt::TooMany) };
        self.typed.0.clear();
        self.counted = lines;
        if self.counted.len() < self.faces.len() {
            return Heard::Taken;
        }
        let lines = self.counted.iter().copied().filter(|line| line.pieces > 0).collect();
        Heard::Done(Draft { total, lines, odd: self.check.odd(total.minor()) })
    }
    /// All lines with the one being typed, and their sum; `None` beyond what a till holds.
    fn lines(&self) -> Option<(Vec<CountLine>, Amount)> {
        let mut lines = self.counted.clone();
        if lines.len() < self.faces.len() {
            lines.push(CountLine { denomination: self.face(), pieces: self.pieces() });
        }
        let total = sum(&lines)?;
        Some((lines, total))
    }
    fn prompt(&self, echo: Echo) -> Prompt {
        let face = self.face();
        match echo {
            _ if self.typed.0.is_empty() => Prompt::Pieces { face },
            Echo::Digits => Prompt::PiecesTyping { face, pieces: self.pieces() },
            Echo::Masked => Prompt::PiecesMasked { face, digits: self.typed.0.len() },
        }
    }
}

/// What the lines come to; `None` beyond what a till holds, or without lines.
pub(super) fn sum(lines: &[CountLine]) -> Option<Amount> {
    Amount::from_lines(lines).filter(|total| (0..=Amount::MOST_MINOR).contains(&total.minor()))
}

//! Exact amounts of money: integers of minor units, ISO 4217 currencies, cash denominations.
//!
//! ## Why integers
//! A count is a whole number of smallest units. Nothing here rounds, and a sum that cannot be had is `None`, never a guess.
mod cash;

use std::fmt;

use rust_decimal::Decimal;
use thiserror::Error;

/// A currency that cash is counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Currency {
    /// Reads an ISO 4217 code such as `USD`.
    pub fn from_code(code: &str) -> Option<Self> {
        let found = iso_currency::Currency::from_code(code)?;
        found.exponent().map(|_| Self(found))
    }
    /// The ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }
    /// Decimals of the API's amounts: 0 (JPY), 2 (USD) or 3 (KWD).
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(2))
    }
}

/// An exact amount in minor units of its currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Not a plain decimal number.
    #[error("{text:?} is not an amount: write digits with an optional point, such as 150.00")]
    NotANumber {
        /// What was given.
        text: String,
    },
    /// More decimals than the currency has.
    #[error("{text} has more decimals than {currency} knows ({allowed})")]
    TooManyDecimals {
        /// What was given.
        text: String,
        /// ISO code.
        currency: &'static str,
        /// Decimals allowed.
        allowed: u32,
    },
    /// Below zero.
    #[error("{text} is negative: a drawer cannot hold less than nothing")]
    Negative {
        /// What was given.
        text: String,
    },
    /// Beyond what a till can hold (10^12 minor units).
    #[error("{text} is more than any till holds")]
    Absurd {
        /// What was given.
        text: String,
    },
}

impl Amount {
    /// Most minor units of an amount that is read: no till holds more, and sums of such amounts cannot overflow soon.
    pub const MOST_MINOR: i64 = 1_000_000_000_000;

    /// The amount of `minor` minor units (cents of USD, yen of JPY, fils of KWD).
    #[must_use]
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }
    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }
    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }
    /// As an exact decimal number with the currency's decimals.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }
    /// The sum; `None` if the currencies differ or it is beyond all bounds.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }
    /// The difference; `None` if the currencies differ or it is beyond all bounds.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_sub(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }
    /// So many pieces of this; `None` if it is beyond all bounds.
    #[must_use]
    pub fn checked_mul(self, pieces: u32) -> Option<Self> {
        Some(Self { minor: self.minor.checked_mul(i64::from(pieces))?, ..self })
    }
    /// What the lines of a count add up to. `None` without any line (which currency would it be?), if their currencies
    /// differ, or if the sum is beyond all bounds.
    #[must_use]
    pub fn from_lines(lines: &[CountLine]) -> Option<Self> {
        let nothing = Self { minor: 0, ..lines.first()?.denomination };
        lines.iter().try_fold(nothing, |sum, line| sum.checked_add(line.denomination.checked_mul(line.pieces)?))
    }
    /// Reads digits keyed with `entry_exponent` implied decimals: with 2, `15000` is 150.00. The result has the currency's own
    /// decimals, so that 1500 keyed for SEK (no implied decimals) is 1500.00.
    pub fn from_keyed(digits: &str, entry_exponent: u32, currency: Currency) -> Result<Self, AmountError> {
        let text = || digits.chars().take(40).collect::<String>();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotANumber { text: text() });
        }
        let absurd = || AmountError::Absurd { text: text() };
        let keyed: i64 = digits.parse().map_err(|_| absurd())?;
        let too_fine =
            || AmountError::TooManyDecimals { text: text(), currency: currency.code(), allowed: currency.exponent() };
        let power = |n| 10_i64.checked_pow(n);
        let minor = if entry_exponent <= currency.exponent() {
            let scale = power(currency.exponent() - entry_exponent).ok_or_else(absurd)?;
            keyed.checked_mul(scale).ok_or_else(absurd)?
        } else {
            // More implied decimals than the currency has: only zeros may stand there.
            let scale = power(entry_exponent - currency.exponent()).ok_or_else(too_fine)?;
            if keyed % scale != 0 {
                return Err(too_fine());
            }
            keyed / scale
        };
        if minor > Self::MOST_MINOR { Err(absurd()) } else { Ok(Self { minor, currency }) }
    }
    /// Reads `150.00`. Decimals beyond the currency's, signs and exponents are refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let not = || AmountError::NotANumber { text: text.chars().take(40).collect() };
        if text.starts_with('-') && text.len() > 1 && text[1..].chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(AmountError::Negative { text: text.chars().take(40).collect() });
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(not());
        }
        if whole.len() > 12 {
            return Err(AmountError::Absurd { text: text.chars().take(40).collect() });
        }
        let places = currency.exponent() as usize;
        if text.contains('.') && fraction.len() > places {
            return Err(AmountError::TooManyDecimals {
                text: text.chars().take(40).collect(),
                currency: currency.code(),
                allowed: currency.exponent(),
            });
        }
        let padded = if places == 0 {
            String::new()
        } else {
            format!("{:0<places$}", if text.contains('.') { fraction } else { "" })
        };
        let minor: i64 = format!("{whole}{padded}").parse().map_err(|_| not())?;
        if minor > Self::MOST_MINOR {
            return Err(AmountError::Absurd { text: text.to_owned() });
        }
        Ok(Self { minor, currency })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decimal())
    }
}

/// `150.00 USD`, with the currency's decimals: Shopify drops trailing zeros. What is no amount stays as it is.
#[must_use]
pub fn with_decimals(amount: &str, currency: &str) -> String {
    let exact = || {
        let number: Decimal = amount.parse().ok()?;
        Amount::parse(&number.normalize().to_string(), Currency::from_code(currency)?).ok()
    };
    exact().map_or_else(|| format!("{amount} {currency}"), |exact| format!("{exact} {currency}"))
}

/// One line of a count: how many pieces of one denomination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountLine {
    /// The face value.
    pub denomination: Amount,
    /// How many pieces.
    pub pieces: u32,
}

#[cfg(test)]
mod tests;

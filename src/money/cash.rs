//! Cash as it lies in a drawer: which coins and notes a currency has, and how finely it is counted.
//!
//! ## Why a table and not CLDR
//! CLDR has no cash rounding for AUD, NZD, EUR, SGD and MYR, and no table of coins at all. What is here comes from vendors'
//! manuals and central banks where they were found, from general knowledge where not (marked). A currency that is missing
//! has no denominations: its float is counted as one total, unless the settings list them.
use super::{Amount, Currency};

/// Coins and notes of one currency in minor units.
struct Cash {
    code: &'static str,
    /// What is asked for, largest first.
    usual: &'static [i64],
    /// What exists and is rarely seen in a till: accepted, never asked for.
    rare: &'static [i64],
    /// The largest note that floats are made of; notes above it come from customers.
    float_note: i64,
}

/// So many of the largest note in a float are one zero too many: public procedures start tills with 120 to 400 dollars, in
/// Japan with about 100,000 yen (fact sheet "displays and keypads", 4.2), and 00 pressed twice makes 15,000 of 150.
const FLOAT_NOTES_MAX: i64 = 20;

/// Central banks' and mints' lists. From general knowledge, to be checked with the merchant or replaced in the settings
/// (`[till.count] denominations`): NZD, DKK, NOK and all from HUF on.
const CASH: &[Cash] = &[
    Cash {
        code: "USD",
        usual: &[10_000, 5_000, 2_000, 1_000, 500, 100, 25, 10, 5, 1],
        rare: &[200, 50],
        float_note: 10_000,
    },
    Cash { code: "CAD", usual: &[10_000, 5_000, 2_000, 1_000, 500, 200, 100, 25, 10, 5], rare: &[], float_note: 10_000 },
    Cash {
        code: "EUR",
        usual: &[20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5, 2, 1],
        rare: &[50_000],
        float_note: 10_000,
    },
    Cash {
        code: "GBP",
        usual: &[5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5, 2, 1],
        // Scottish and Northern Irish.
        rare: &[10_000],
        float_note: 5_000,
    },
    Cash { code: "AUD", usual: &[10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5], rare: &[], float_note: 10_000 },
    Cash {
        code: "CHF",
        usual: &[100_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5],
        rare: &[],
        float_note: 10_000,
    },
    Cash { code: "JPY", usual: &[10_000, 5_000, 1_000, 500, 100, 50, 10, 5, 1], rare: &[2_000], float_note: 10_000 },
    Cash {
        code: "SEK",
        usual: &[100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100],
        rare: &[],
        float_note: 100_000,
    },
    Cash {
        code: "INR",
        usual: &[50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100],
        // The 2000 note is being withdrawn since 2023.
        rare: &[200_000, 50],
        float_note: 50_000,
    },
    Cash { code: "NZD", usual: &[10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10], rare: &[], float_note: 10_000 },
    Cash {
        code: "DKK",
        usual: &[50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50],
        rare: &[100_000],
        float_note: 50_000,
    },
    Cash {
        code: "NOK",
        usual: &[100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 100],
        rare: &[],
        float_note: 50_000,
    },
    Cash {
        code: "HUF",
        usual: &[2_000_000, 1_000_000, 500_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500],
        rare: &[],
        float_note: 2_000_000,
    },
    Cash {
        code: "CZK",
        usual: &[500_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100],
        rare: &[],
        float_note: 100_000,
    },
    Cash {
        code: "PLN",
        usual: &[20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5, 2, 1],
        rare: &[50_000],
        float_note: 10_000,
    },
    Cash {
        code: "RSD",
        usual: &[500_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100],
        rare: &[],
        float_note: 200_000,
    },
    Cash { code: "ISK", usual: &[10_000, 5_000, 1_000, 500, 100, 50, 10, 5, 1], rare: &[2_000], float_note: 10_000 },
    Cash {
        code: "ILS",
        usual: &[20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 10],
        rare: &[],
        float_note: 20_000,
    },
    Cash {
        code: "ZAR",
        usual: &[20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10],
        rare: &[5],
        float_note: 20_000,
    },
    Cash { code: "SGD", usual: &[10_000, 5_000, 1_000, 500, 200, 100, 50, 20, 10, 5], rare: &[100_000], float_note: 10_000 },
    Cash {
        code: "HKD",
        usual: &[100_000, 50_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10],
        rare: &[],
        float_note: 50_000,
    },
    Cash { code: "MYR", usual: &[10_000, 5_000, 2_000, 1_000, 500, 100, 50, 20, 10, 5], rare: &[], float_note: 10_000 },
    Cash {
        code: "TWD",
        usual: &[100_000, 50_000, 10_000, 5_000, 1_000, 500, 100],
        rare: &[200_000, 20_000, 2_000],
        float_note: 100_000,
    },
    Cash {
        code: "PHP",
        usual: &[100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 100, 25],
        rare: &[5, 1],
        float_note: 100_000,
    },
];

fn cash_of(currency: Currency) -> Option<&'static Cash> {
    CASH.iter().find(|c| c.code == currency.code())
}

impl Currency {
    /// The coins and notes that a till of this currency usually holds, largest first. Empty when they are not known: then
    /// the float is counted as one total.
    #[must_use]
    pub fn denominations(self) -> Vec<Amount> {
        let usual = cash_of(self).map_or(&[][..], |c| c.usual);
        usual.iter().map(|&minor| Amount::from_minor(minor, self)).collect()
    }

    /// Whether `face` is a coin or note of this currency, the rare ones (2 dollars, 500 euros) included. Always `false` when
    /// the currency's cash is not known.
    #[must_use]
    pub fn has_denomination(self, face: Amount) -> bool {
        let known = |c: &Cash| c.usual.contains(&face.minor()) || c.rare.contains(&face.minor());
        face.currency() == self && cash_of(self).is_some_and(known)
    }

    /// A float above this was probably mistyped: twenty of the largest note that floats are made of. `None` when the
    /// currency's cash is not known.
    #[must_use]
    pub fn unlikely_float_above(self) -> Option<Amount> {
        cash_of(self).map(|cash| Amount::from_minor(cash.float_note * FLOAT_NOTES_MAX, self))
    }

    /// The smallest step, in minor units, that cash of this currency is handled in: a total that is no multiple of it was
    /// probably mistyped. 1 where every minor unit counts.
    ///
    /// Sources: CLDR 48.2 cash rounding, Casio V-R manual page 81, Shopify's cash rounding; SGD, HKD and ILS from general
    /// knowledge. ZAR: sources name 0.05 and 0.10; the finer one asks less. EUR and USD: small coins stay legal tender.
    #[must_use]
    pub fn cash_step_minor(self) -> i64 {
        match self.code() {
            "CHF" | "CAD" | "AUD" | "MYR" | "ZAR" | "SGD" => 5,
            "NZD" | "HKD" | "ILS" => 10,
            "DKK" => 50,
            "HUF" => 500,
            // Whole units by CLDR's cash rounding, by rule (SEK, NOK), or because the smaller coins are gone.
            "SEK" | "NOK" | "CZK" | "RSD" | "TWD" | "AMD" | "CRC" | "GYD" | "MNT" | "MUR" | "TZS" | "UZS" | "VEF"
            | "AFN" | "ALL" | "COP" | "IDR" | "IQD" | "IRR" | "KPW" | "LAK" | "LBP" | "MGA" | "MMK" | "PKR" | "SOS"
            | "SYP" | "YER" => self.major(),
            _ => 1,
        }
    }

    /// How many decimals keyed digits imply: the currency's, but none where cash has no smaller step than a whole unit. A
    /// cashier in Stockholm keys 1500 for 1500 kronor. A wrong value here is a factor of 100: it can be configured.
    #[must_use]
    pub fn default_entry_exponent(self) -> u32 {
        if self.cash_step_minor() >= self.major() { 0 } else { self.exponent() }
    }

    /// Minor units in one major unit: 1, 100 or 1000.
    fn major(self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    #[test]
    fn every_table_is_of_a_known_currency_positive_and_largest_first() {
        for cash in CASH {
            let currency = currency(cash.code);
            assert!(cash.usual.windows(2).all(|w| w[0] > w[1]), "{}", cash.code);
            assert!(cash.usual.iter().chain(cash.rare).all(|&m| m > 0), "{}", cash.code);
            assert!(cash.rare.iter().all(|m| !cash.usual.contains(m)), "{}", cash.code);
            assert!(cash.usual.contains(&cash.float_note), "{}", cash.code);
            let smallest = currency.denominations().last().unwrap().minor();
            assert_eq!(smallest % currency.cash_step_minor(), 0, "{}: the smallest piece is on the step", cash.code);
        }
    }

    #[test]
    fn denominations_read_as_people_write_them() {
        let shown = |code: &str| currency(code).denominations().iter().map(Amount::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown("USD"), "100.00 50.00 20.00 10.00 5.00 1.00 0.25 0.10 0.05 0.01");
        assert_eq!(shown("JPY"), "10000 5000 1000 500 100 50 10 5 1");
        assert_eq!(shown("KWD"), "");
    }

    #[test]
    fn no_float_is_twenty_of_the_largest_note() {
        for (code, most) in
            [("USD", "2000.00"), ("CHF", "2000.00"), ("GBP", "1000.00"), ("JPY", "200000"), ("SEK", "20000.00")]
        {
            assert_eq!(currency(code).unlikely_float_above().unwrap().to_string(), most);
        }
        assert_eq!(currency("KWD").unlikely_float_above(), None);
    }

    #[test]
    fn rare_pieces_are_accepted_and_foreign_or_unknown_ones_are_not() {
        let usd = currency("USD");
        assert!(usd.has_denomination(Amount::from_minor(200, usd)));
        assert!(usd.has_denomination(Amount::from_minor(2_000, usd)));
        assert!(!usd.has_denomination(Amount::from_minor(300, usd)));
        assert!(!usd.has_denomination(Amount::from_minor(2_000, currency("EUR"))));
        assert!(!currency("KWD").has_denomination(Amount::from_minor(1_000, currency("KWD"))));
    }

    #[test]
    fn cash_steps_and_implied_decimals_follow_the_counter() {
        for (code, step, implied) in [
            ("USD", 1, 2),
            ("EUR", 1, 2),
            ("CHF", 5, 2),
            ("NZD", 10, 2),
            ("DKK", 50, 2),
            ("SEK", 100, 0),
            ("HUF", 500, 0),
            ("TWD", 100, 0),
            ("IDR", 100, 0),
            ("IQD", 1_000, 0),
            ("JPY", 1, 0),
            ("KWD", 1, 3),
        ] {
            assert_eq!(currency(code).cash_step_minor(), step, "{code}");
            assert_eq!(currency(code).default_entry_exponent(), implied, "{code}");
        }
    }
}

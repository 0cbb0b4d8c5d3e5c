use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

fn parse(text: &str, code: &str) -> Result<i64, AmountError> {
    Amount::parse(text, currency(code)).map(Amount::minor)
}

#[test]
fn amounts_are_read_with_the_decimals_of_their_currency() {
    assert_eq!(parse("150.00", "USD"), Ok(15_000));
    assert_eq!(parse("150", "USD"), Ok(15_000));
    assert_eq!(parse("150.5", "USD"), Ok(15_050));
    assert_eq!(parse("0", "USD"), Ok(0));
    assert_eq!(parse("100000", "JPY"), Ok(100_000));
    assert_eq!(parse("1.250", "KWD"), Ok(1_250));
    assert_eq!(parse("1.2", "KWD"), Ok(1_200));
}

#[test]
fn what_is_no_amount_is_refused_with_the_reason() {
    for text in ["", ".", "1.", ".5", "1,50", "1e3", "+1", " 1", "1 ", "１", "--1", "1.5.0", "NaN", "-", "1_000", "0x10"] {
        assert!(matches!(parse(text, "USD"), Err(AmountError::NotANumber { .. })), "{text:?}");
    }
    assert!(matches!(parse("-1.50", "USD"), Err(AmountError::Negative { .. })));
    assert!(matches!(parse("1.234", "USD"), Err(AmountError::TooManyDecimals { allowed: 2, .. })));
    assert!(matches!(parse("1.0", "JPY"), Err(AmountError::TooManyDecimals { allowed: 0, .. })));
    assert!(matches!(parse("9999999999999", "USD"), Err(AmountError::Absurd { .. })));
    assert!(matches!(parse("10000000000.01", "USD"), Err(AmountError::Absurd { .. })));
    assert_eq!(parse("10000000000.00", "USD"), Ok(1_000_000_000_000));
}

#[test]
fn currencies_without_minor_units_or_unknown_ones_are_no_currency_of_a_till() {
    assert!(Currency::from_code("XAU").is_none());
    assert!(Currency::from_code("ZZZ").is_none());
    assert!(Currency::from_code("").is_none());
}

#[test]
fn a_count_adds_up_exactly() {
    let usd = currency("USD");
    let line = |minor, pieces| CountLine { denomination: Amount::from_minor(minor, usd), pieces };
    assert_eq!(Amount::from_lines(&[line(2_000, 7), line(25, 40)]), Some(Amount::from_minor(15_000, usd)));
    assert_eq!(Amount::from_lines(&[line(2_000, 0)]), Some(Amount::from_minor(0, usd)));
}

#[test]
fn a_sum_without_lines_of_mixed_currencies_or_beyond_all_bounds_is_no_amount() {
    let (usd, eur) = (currency("USD"), currency("EUR"));
    let line = |minor, pieces, currency| CountLine { denomination: Amount::from_minor(minor, currency), pieces };
    assert_eq!(Amount::from_lines(&[]), None);
    assert_eq!(Amount::from_lines(&[line(100, 1, usd), line(100, 1, eur)]), None);
    assert_eq!(Amount::from_lines(&[line(i64::MAX, 2, usd)]), None);
    assert_eq!(Amount::from_lines(&[line(i64::MAX, 1, usd), line(1, 1, usd)]), None);
    assert_eq!(Amount::from_minor(1, usd).checked_add(Amount::from_minor(1, eur)), None);
    assert_eq!(Amount::from_minor(1, usd).checked_sub(Amount::from_minor(1, eur)), None);
    assert_eq!(Amount::from_minor(i64::MIN, usd).checked_sub(Amount::from_minor(1, usd)), None);
}

#[test]
fn keyed_digits_are_scaled_to_the_currency() {
    let keyed = |digits: &str, implied, code: &str| Amount::from_keyed(digits, implied, currency(code)).map(Amount::minor);
    assert_eq!(keyed("15000", 2, "USD"), Ok(15_000));
    assert_eq!(keyed("0", 2, "USD"), Ok(0));
    assert_eq!(keyed("0005", 2, "USD"), Ok(5));
    assert_eq!(keyed("1500", 0, "SEK"), Ok(150_000));
    assert_eq!(keyed("100000", 0, "JPY"), Ok(100_000));
    assert_eq!(keyed("1250", 3, "KWD"), Ok(1_250));
    assert_eq!(keyed("1250", 2, "KWD"), Ok(12_500));
}

#[test]
fn keyed_digits_that_are_no_amount_are_refused() {
    let keyed = |digits: &str, implied, code: &str| Amount::from_keyed(digits, implied, currency(code));
    for digits in ["", "-1", "1.5", " 1", "１"] {
        assert!(matches!(keyed(digits, 2, "USD"), Err(AmountError::NotANumber { .. })), "{digits:?}");
    }
    // Two implied decimals for yen: only whole yen pass.
    assert_eq!(keyed("150000", 2, "JPY").map(Amount::minor), Ok(1_500));
    assert!(matches!(keyed("150001", 2, "JPY"), Err(AmountError::TooManyDecimals { allowed: 0, .. })));
    assert!(matches!(keyed("1000000000001", 2, "USD"), Err(AmountError::Absurd { .. })));
    assert!(matches!(keyed("10000000001", 0, "USD"), Err(AmountError::Absurd { .. })));
    assert!(matches!(keyed(&"9".repeat(60), 2, "USD"), Err(AmountError::Absurd { .. })));
    assert!(matches!(keyed("1", u32::MAX, "USD"), Err(AmountError::TooManyDecimals { .. })));
}

proptest! {
    #[test]
    fn a_keyed_amount_is_what_the_display_shows_without_its_point(
        minor in 0_i64..=1_000_000_000_000,
        code in prop::sample::select(vec!["USD", "JPY", "KWD", "EUR"]),
    ) {
        let amount = Amount::from_minor(minor, currency(code));
        let digits = amount.to_string().replace('.', "");
        prop_assert_eq!(Amount::from_keyed(&digits, currency(code).exponent(), currency(code)), Ok(amount));
    }

    #[test]
    fn no_keys_make_it_panic_and_what_is_read_is_within_bounds(digits in "[0-9]{0,30}", implied in 0_u32..40) {
        for code in ["USD", "JPY", "KWD", "SEK"] {
            if let Ok(amount) = Amount::from_keyed(&digits, implied, currency(code)) {
                prop_assert!((0..=1_000_000_000_000).contains(&amount.minor()));
            }
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_amount(
        minor in 0_i64..=1_000_000_000_000,
        code in prop::sample::select(vec!["USD", "JPY", "KWD", "SEK"]),
    ) {
        let amount = Amount::from_minor(minor, currency(code));
        let shown = amount.to_string();
        prop_assert_eq!(Amount::parse(&shown, currency(code)), Ok(amount));
        let decimals = shown.split_once('.').map_or(0, |(_, d)| d.len());
        prop_assert_eq!(decimals, amount.currency().exponent() as usize);
    }

    #[test]
    fn no_text_makes_reading_panic_and_what_is_read_is_within_bounds(text in "(?s:.*)") {
        for code in ["USD", "JPY", "KWD"] {
            if let Ok(amount) = Amount::parse(&text, currency(code)) {
                prop_assert!((0..=1_000_000_000_000).contains(&amount.minor()));
            }
        }
    }

    #[test]
    fn a_sum_is_the_same_in_any_order(pieces in prop::collection::vec((0_usize..10, 0_u32..10_000), 1..20)) {
        let usd = currency("USD");
        let faces = usd.denominations();
        let mut lines: Vec<_> =
            pieces.iter().map(|&(n, pieces)| CountLine { denomination: faces[n], pieces }).collect();
        let sum = Amount::from_lines(&lines);
        let plain: i64 = lines.iter().map(|l| l.denomination.minor() * i64::from(l.pieces)).sum();
        prop_assert_eq!(sum, Some(Amount::from_minor(plain, usd)));
        lines.reverse();
        prop_assert_eq!(Amount::from_lines(&lines), sum);
    }
}

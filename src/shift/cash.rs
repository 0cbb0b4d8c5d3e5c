//! What cash looks like, until the money room says it.
use crate::money::{Amount, Currency};

pub(super) fn denominations(currency: Currency) -> Vec<Amount> {
    let usual: &[i64] = match currency.code() {
        "USD" => &[10_000, 5_000, 2_000, 1_000, 500, 100, 25, 10, 5, 1],
        "JPY" => &[10_000, 5_000, 1_000, 500, 100, 50, 10, 5, 1],
        _ => &[],
    };
    usual.iter().map(|&minor| Amount::from_minor(minor, currency)).collect()
}
pub(super) fn has_denomination(currency: Currency, face: Amount) -> bool {
    denominations(currency).contains(&face)
}
pub(super) fn step(currency: Currency) -> i64 {
    match currency.code() {
        "CHF" => 5,
        "SEK" => 100,
        _ => 1,
    }
}

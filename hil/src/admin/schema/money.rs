//! Amounts, currencies and times, as the API writes and reads them.
//! Source: fact sheet of the Admin API, "Scalars, exactly" (recorded answers).
use async_graphql::{
    Enum, InputObject, InputType, InputValueError, InputValueResult, Name, Scalar, ScalarType, SimpleObject, Value,
};
use rust_decimal::Decimal;

use crate::admin::store::stamp;

/// `Decimal`: trailing zeros go, one digit stays behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub Decimal);

#[Scalar(name = "Decimal")]
impl ScalarType for Amount {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Amount).map_err(|_| InputValueError::custom("invalid decimal")),
            Value::Null
            | Value::Number(_)
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::List(_)
            | Value::Object(_) => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(shown(self.0))
    }
}

fn shown(amount: Decimal) -> String {
    let amount = amount.normalize();
    if amount.scale() == 0 { format!("{amount}.0") } else { amount.to_string() }
}

/// `DateTime`: whole seconds in UTC; a fraction sent is cut off, not rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub i64);

#[Scalar(name = "DateTime")]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = if let Value::String(text) = &value { text.parse::<jiff::Timestamp>().ok() } else { None };
        parsed.map(|time| Time(time.as_second())).ok_or_else(|| InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::String(stamp(self.0))
    }
}

/// An amount with its currency, going out.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "MoneyV2")]
pub struct Money {
    amount: Amount,
    currency_code: CurrencyCode,
}

impl Money {
    pub fn new(amount: Decimal, currency_code: CurrencyCode) -> Money {
        Money { amount: Amount(amount), currency_code }
    }
}

/// An amount with its currency, coming in.
#[derive(Debug, Clone, InputObject)]
pub struct MoneyInput {
    pub amount: Amount,
    pub currency_code: CurrencyCode,
}

/// Every currency of the published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CurrencyCode {
    Usd,
    Eur,
    Gbp,
    Cad,
    Afn,
    All,
    Dzd,
    Aoa,
    Ars,
    Amd,
    Awg,
    Aud,
    Bbd,
    Azn,
    Bdt,
    Bsd,
    Bhd,
    Bif,
    Byn,
    Bzd,
    Bmd,
    Btn,
    Bam,
    Brl,
    Bob,
    Bwp,
    Bnd,
    Bgn,
    Mmk,
    Khr,
    Cve,
    Kyd,
    Xaf,
    Clp,
    Cny,
    Cop,
    Kmf,
    Cdf,
    Crc,
    Hrk,
    Czk,
    Dkk,
    Djf,
    Dop,
    Xcd,
    Egp,
    Ern,
    Etb,
    Fkp,
    Xpf,
    Fjd,
    Gip,
    Gmd,
    Ghs,
    Gtq,
    Gyd,
    Gel,
    Gnf,
    Htg,
    Hnl,
    Hkd,
    Huf,
    Isk,
    Inr,
    Idr,
    Ils,
    Irr,
    Iqd,
    Jmd,
    Jpy,
    Jep,
    Jod,
    Kzt,
    Kes,
    Kid,
    Kwd,
    Kgs,
    Lak,
    Lvl,
    Lbp,
    Lsl,
    Lrd,
    Lyd,
    Ltl,
    Mga,
    Mkd,
    Mop,
    Mwk,
    Mvr,
    Mru,
    Mxn,
    Myr,
    Mur,
    Mdl,
    Mad,
    Mnt,
    Mzn,
    Nad,
    Npr,
    Ang,
    Nzd,
    Nio,
    Ngn,
    Nok,
    Omr,
    Pab,
    Pkr,
    Pgk,
    Pyg,
    Pen,
    Php,
    Pln,
    Qar,
    Ron,
    Rub,
    Rwf,
    Wst,
    Shp,
    Sar,
    Rsd,
    Scr,
    Sll,
    Sgd,
    Sdg,
    Sos,
    Syp,
    Zar,
    Krw,
    Ssp,
    Sbd,
    Lkr,
    Srd,
    Szl,
    Sek,
    Chf,
    Twd,
    Thb,
    Tjs,
    Tzs,
    Top,
    Ttd,
    Tnd,
    Try,
    Tmt,
    Ugx,
    Uah,
    Aed,
    Uyu,
    Uzs,
    Vuv,
    Ves,
    Vnd,
    Xof,
    Yer,
    Zmw,
    Usdc,
    Byr,
    Std,
    Stn,
    Ved,
    Vef,
    Xxx,
}

impl CurrencyCode {
    /// Reads an ISO 4217 code.
    pub fn read(code: &str) -> Option<CurrencyCode> {
        <CurrencyCode as InputType>::parse(Some(Value::Enum(Name::new(code)))).ok()
    }

    /// Digits behind the point (ISO 4217).
    pub fn digits(self) -> u32 {
        use CurrencyCode as C;
        #[expect(clippy::wildcard_enum_match_arm, reason = "two digits are the rule, and new currencies follow it")]
        match self {
            C::Bif
            | C::Clp
            | C::Djf
            | C::Gnf
            | C::Isk
            | C::Jpy
            | C::Kmf
            | C::Krw
            | C::Pyg
            | C::Rwf
            | C::Ugx
            | C::Vnd
            | C::Vuv
            | C::Xaf
            | C::Xof
            | C::Xpf => 0,
            C::Bhd | C::Iqd | C::Jod | C::Kwd | C::Lyd | C::Omr | C::Tnd => 3,
            _ => 2,
        }
    }

    /// `USDC` and `XXX` exist in answers only.
    pub fn can_be_sent(self) -> bool {
        !matches!(self, CurrencyCode::Usdc | CurrencyCode::Xxx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_zeros_go_and_one_digit_stays() {
        for (sent, shows) in [
            ("200.00", "200.0"),
            ("12.50", "12.5"),
            ("12.34", "12.34"),
            ("0", "0.0"),
            ("-2.220", "-2.22"),
            ("20000", "20000.0"),
        ] {
            assert_eq!(shown(sent.parse().unwrap()), shows);
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_cut_off() {
        let time = Time::parse(Value::String("2026-07-14T12:22:11.690Z".into())).unwrap();
        assert_eq!(time.to_value(), Value::String("2026-07-14T12:22:11Z".into()));
    }

    #[test]
    fn a_currency_is_read_by_its_code() {
        assert_eq!(CurrencyCode::read("EUR"), Some(CurrencyCode::Eur));
        assert_eq!(CurrencyCode::read("eur"), None);
        assert_eq!(CurrencyCode::read("JPY").map(CurrencyCode::digits), Some(0));
    }
}

//! Request bodies, read strictly: JSON only, short, no unknown or doubled keys, amounts as decimal texts.
use std::{collections::BTreeMap, fmt};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};

use super::problem::Problem;
use crate::{
    money::{Amount, CountLine, Currency},
    shift::event::{Counted, OpeningId},
};

/// The longest body that makes sense here is a count by denomination: about 1 KB.
pub const LIMIT: usize = 16 << 10;
/// Shopify's note is not documented to take more; ours adds 16.
const LONGEST_NOTE: usize = 200;

/// `POST …/drawer/kick`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    /// Why, for the journal.
    #[serde(default)]
    pub reason: String,
}

/// `POST …/openings`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// `gid://shopify/StaffMember/N`.
    pub staff_member_id: String,
    /// For Shopify's session.
    #[serde(default)]
    pub note: String,
    /// `gid://shopify/…`.
    #[serde(default)]
    pub reason_code_id: Option<String>,
}

/// `PUT …/count`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountBody {
    total: Option<Decimals>,
    denominations: Option<Pieces>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// One total.
    Total(Amount),
    /// By denomination.
    Lines(Vec<CountLine>),
}

impl Count {
    /// It is the count that was saved: the same total, or the same pieces.
    #[must_use]
    pub fn is(&self, saved: &Counted) -> bool {
        let sum =
            |total: &Amount| saved.balance.amount == total.to_string() && saved.balance.currency == total.currency().code();
        match self {
            Self::Total(total) => saved.lines.is_empty() && sum(total),
            Self::Lines(lines) => {
                let some = lines.iter().filter(|line| line.pieces > 0);
                let given: BTreeMap<_, _> = some.map(|line| (line.denomination.to_string(), line.pieces)).collect();
                let kept = saved.lines.iter().map(|line| (line.denomination.clone(), line.pieces)).collect();
                given == kept && Amount::from_lines(lines).is_some_and(|total| sum(&total))
            }
        }
    }
}

/// A decimal as text. A JSON number is refused: it may have gone through a float.
#[derive(Debug)]
struct Decimals(String);

impl<'de> Deserialize<'de> for Decimals {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(input)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(_) => Err(D::Error::custom("write the amount as a text, such as \"150.00\"")),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => Err(D::Error::custom("an amount is a text, such as \"150.00\"")),
        }
    }
}

/// Denomination → pieces, each denomination once.
#[derive(Debug)]
struct Pieces(BTreeMap<String, u32>);

impl<'de> Deserialize<'de> for Pieces {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Pieces;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("denominations and their pieces, such as {\"20.00\": 5}")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pieces, M::Error> {
                let mut found = BTreeMap::new();
                while let Some((face, pieces)) = map.next_entry::<String, u32>()? {
                    if found.len() >= 64 {
                        return Err(M::Error::custom("more denominations than any currency has"));
                    }
                    if found.insert(face.clone(), pieces).is_some() {
                        return Err(M::Error::custom(format!("the denomination {face} is given twice")));
                    }
                }
                Ok(Pieces(found))
            }
        }
        input.deserialize_map(Once)
    }
}

/// Reads one body. serde's derive refuses doubled keys, and serde_json nesting beyond 128.
pub fn read<T: DeserializeOwned>(headers: &HeaderMap, bytes: &Bytes) -> Result<T, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "send the body as JSON with `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", detail));
    }
    serde_json::from_slice(bytes).map_err(|e| Problem::bad_request("body", format!("the body cannot be used: {e}")))
}

impl CountBody {
    /// Checks the amounts against the currency.
    pub fn count(self, currency: Currency) -> Result<Count, Problem> {
        match (self.total, self.denominations) {
            (Some(total), None) => Ok(Count::Total(Amount::parse(&total.0, currency)?)),
            (None, Some(pieces)) => {
                let line = |(face, pieces): (&String, &u32)| {
                    Ok::<_, Problem>(CountLine { denomination: Amount::parse(face, currency)?, pieces: *pieces })
                };
                Ok(Count::Lines(pieces.0.iter().map(line).collect::<Result<_, _>>()?))
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(Problem::bad_request("body", "give either `total` or `denominations`, not both and not neither"))
            }
        }
    }
}

impl Start {
    /// Checks ids and note.
    pub fn checked(self) -> Result<Self, Problem> {
        let number = self.staff_member_id.strip_prefix("gid://shopify/StaffMember/").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            let detail = format!("staff_member_id is {:?}: write gid://shopify/StaffMember/NUMBER", self.staff_member_id);
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "staff_member_id", detail));
        }
        if self.reason_code_id.as_ref().is_some_and(|id| !id.starts_with("gid://shopify/")) {
            let detail = "reason_code_id must be a gid://shopify/… id, or be left out";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "reason_code_id", detail));
        }
        if self.note.chars().count() > LONGEST_NOTE || self.note.chars().any(char::is_control) || self.note.contains("[db:")
        {
            let detail = format!("a note has at most {LONGEST_NOTE} characters on one line and no \"[db:\" in it");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "note", detail));
        }
        Ok(self)
    }
}

/// An opening's id from a path.
pub fn opening_id(text: &str) -> Result<OpeningId, Problem> {
    OpeningId::parse(text)
        .ok_or_else(|| Problem::not_found(&format!("the opening {:?}", text.chars().take(40).collect::<String>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap())])
    }

    fn count(text: &str) -> Result<Count, Problem> {
        let usd = Currency::from_code("USD").unwrap();
        read::<CountBody>(&json(), &Bytes::from(text.to_owned()))?.count(usd)
    }

    #[test]
    fn amounts_come_as_texts_with_the_currencys_decimals() {
        assert!(matches!(count(r#"{"total":"150.00"}"#), Ok(Count::Total(a)) if a.minor() == 15_000));
        assert!(matches!(count(r#"{"denominations":{"20.00":5,"0.25":40}}"#), Ok(Count::Lines(l)) if l.len() == 2));
        for bad in [
            r#"{"total":150.0}"#,
            r#"{"total":"150.001"}"#,
            r#"{"total":"-1.00"}"#,
            r#"{"total":"99999999999999999999"}"#,
            r#"{"total":"1e3"}"#,
            r#"{"total":"150.00","denominations":{}}"#,
            r#"{"total":"1.00","total":"2.00"}"#,
            r#"{"denominations":{"20.00":1,"20.00":2}}"#,
            r#"{"denominations":{"20.00":-1}}"#,
            r#"{"denominations":{"20.00":1.5}}"#,
            r#"{"sum":"1.00"}"#,
            "{}",
            "[]",
            "",
            "\u{0}",
        ] {
            assert!(count(bad).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(count(&deep).is_err());
    }

    #[test]
    fn only_json_is_read() {
        let form = HeaderMap::from_iter([(header::CONTENT_TYPE, "text/plain".parse().unwrap())]);
        assert!(read::<Kick>(&form, &Bytes::from_static(b"{}")).is_err(), "a form of a web page could send this");
        assert!(read::<Kick>(&HeaderMap::new(), &Bytes::from_static(b"{}")).is_err());
    }

    #[test]
    fn a_note_cannot_fake_a_reference() {
        let start = |note: &str| Start {
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            note: note.into(),
            reason_code_id: None,
        };
        assert!(start("from the safe").checked().is_ok());
        assert!(start("[db:0000000001]").checked().is_err());
        assert!(start("a\nb").checked().is_err());
        assert!(start(&"x".repeat(201)).checked().is_err());
    }
}

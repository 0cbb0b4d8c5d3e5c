//! Whether values fit their types: JSON from variables, and literals in a document.
//! Source of the wording: fact sheet of the Admin API, "Limits, errors, retrying" (recorded `INVALID_VARIABLE` answers).
use async_graphql::Value;
use async_graphql_parser::Pos;
use async_graphql_parser::types::{BaseType, OperationDefinition, Type};
use serde_json::{Map, Value as Json, json};

use super::{Sdl, TypeInfo};

/// A variable whose value does not fit.
#[derive(Debug, Clone)]
pub struct BadVariable {
    /// `Variable $x of type T was provided invalid value …`.
    pub message: String,
    /// What was sent.
    pub value: Json,
    /// `{path, explanation}` each.
    pub problems: Vec<Json>,
    /// Where the variable is declared.
    pub pos: Pos,
}

pub fn check(sdl: &Sdl, operation: &OperationDefinition, given: &Map<String, Json>) -> Vec<BadVariable> {
    let mut bad = Vec::new();
    for definition in &operation.variable_definitions {
        let (name, ty) = (definition.node.name.node.as_str(), &definition.node.var_type.node);
        let value = given.get(name);
        if value.is_none() && (ty.nullable || definition.node.default_value.is_some()) {
            continue;
        }
        let value = value.cloned().unwrap_or(Json::Null);
        let mut problems = Vec::new();
        json_fits(sdl, ty, &value, &mut Vec::new(), &mut problems);
        if !problems.is_empty() {
            let told: Vec<String> = problems.iter().map(|(path, why)| described(path, why)).collect();
            bad.push(BadVariable {
                message: format!("Variable ${name} of type {ty} was provided invalid value{}", told.join(", ")),
                value,
                problems: problems.iter().map(|(path, why)| json!({"path": path, "explanation": why})).collect(),
                pos: definition.pos,
            });
        }
    }
    bad
}

fn described(path: &[Json], why: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = path.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
    format!(" for {} ({why})", parts.join("."))
}

type Found = Vec<(Vec<Json>, String)>;

fn json_fits(sdl: &Sdl, ty: &Type, value: &Json, path: &mut Vec<Json>, found: &mut Found) {
    if value.is_null() {
        if !ty.nullable {
            found.push((path.clone(), "Expected value to not be null".into()));
        }
        return;
    }
    let name = match &ty.base {
        BaseType::List(inner) => {
            match value.as_array() {
                Some(items) => {
                    for (index, item) in items.iter().enumerate() {
                        path.push(json!(index));
                        json_fits(sdl, inner, item, path, found);
                        path.pop();
                    }
                }
                None => json_fits(sdl, inner, value, path, found),
            }
            return;
        }
        BaseType::Named(name) => name.as_str(),
    };
    match sdl.types.get(name) {
        Some(TypeInfo::Input { fields }) => {
            let Some(object) = value.as_object() else {
                found.push((path.clone(), format!("Expected {value} to be a key-value object.")));
                return;
            };
            for field in fields {
                path.push(json!(field.name));
                match object.get(&field.name) {
                    Some(value) => json_fits(sdl, &field.ty, value, path, found),
                    None if field.ty.nullable || field.default.is_some() => {}
                    None => found.push((path.clone(), "Expected value to not be null".into())),
                }
                path.pop();
            }
            for key in object.keys().filter(|key| !fields.iter().any(|field| field.name == **key)) {
                path.push(json!(key));
                found.push((path.clone(), format!("Field is not defined on {name}")));
                path.pop();
            }
        }
        Some(TypeInfo::Enum { values }) => {
            if !value.as_str().is_some_and(|text| values.iter().any(|value| value == text)) {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                found.push((path.clone(), format!("Expected \"{shown}\" to be one of: {}", values.join(", "))));
            }
        }
        Some(TypeInfo::Scalar) => {
            if let Err(why) = scalar(name, &Value::from_json(value.clone()).unwrap_or(Value::Null)) {
                found.push((path.clone(), why));
            }
        }
        Some(TypeInfo::Object { .. } | TypeInfo::Interface { .. } | TypeInfo::Union { .. }) | None => {
            found.push((path.clone(), format!("{name} isn't an input type")));
        }
    }
}

/// Whether a literal fits; `variable` is asked about each variable in it, with the type wanted there and whether a
/// default stands in for a missing value. A variable comes as bytes: see [`super::Literal`].
pub fn literal_fits(
    sdl: &Sdl,
    ty: &Type,
    has_default: bool,
    value: &Value,
    variable: &mut dyn FnMut(&str, &Type, bool),
) -> bool {
    match (value, &ty.base) {
        (Value::Binary(name), _) => {
            variable(&String::from_utf8_lossy(name), ty, has_default);
            true
        }
        (Value::Null, _) => ty.nullable,
        (Value::List(items), BaseType::List(inner)) => {
            // Every item is looked at, so that each variable in it is heard of.
            items.iter().filter(|item| literal_fits(sdl, inner.as_ref(), false, item, variable)).count() == items.len()
        }
        (single, BaseType::List(inner)) => literal_fits(sdl, inner.as_ref(), false, single, variable),
        (value, BaseType::Named(name)) => match (sdl.types.get(name.as_str()), value) {
            (Some(TypeInfo::Input { fields }), Value::Object(given)) => {
                let known = given.keys().all(|key| fields.iter().any(|field| field.name == key.as_str()));
                let fitting = fields.iter().filter(|field| match given.get(field.name.as_str()) {
                    Some(value) => literal_fits(sdl, &field.ty, field.default.is_some(), value, variable),
                    None => field.ty.nullable || field.default.is_some(),
                });
                fitting.count() == fields.len() && known
            }
            (Some(TypeInfo::Enum { values }), Value::Enum(chosen)) => values.iter().any(|value| value == chosen.as_str()),
            (Some(TypeInfo::Scalar), value) => scalar(name.as_str(), value).is_ok(),
            _ => false,
        },
    }
}

/// The scalars of the API, as strictly as recorded: decimals as strings, times with a `Z`, ids as gids.
/// Source: fact sheet of the Admin API, "Scalars, exactly". What is unconfirmed there (unquoted numbers, numeric
/// offsets, bare ids) is refused.
fn scalar(name: &str, value: &Value) -> Result<(), String> {
    let text = if let Value::String(text) = value { Some(text.as_str()) } else { None };
    let shown = match text {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let good = match name {
        "Int" => matches!(value, Value::Number(n) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok())),
        "Float" => matches!(value, Value::Number(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "String" => text.is_some(),
        "ID" => return text.filter(|id| is_gid(id)).map(drop).ok_or(format!("Invalid global id '{shown}'")),
        "Decimal" => return text.filter(|text| is_decimal(text)).map(drop).ok_or(format!("invalid decimal '{shown}'")),
        "DateTime" => return text.filter(|text| is_time(text)).map(drop).ok_or(format!("invalid DateTime '{shown}'")),
        // A scalar nothing is known about takes anything.
        _ => true,
    };
    if good { Ok(()) } else { Err(format!("Could not coerce value {shown} to {name}")) }
}

fn is_gid(text: &str) -> bool {
    let parts = text.strip_prefix("gid://shopify/").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty())
}

fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && unsigned.len() <= 28,
        None => digits(unsigned) && unsigned.len() <= 28,
    }
}

fn is_time(text: &str) -> bool {
    text.ends_with('Z') && text.contains('T') && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(name: &str, value: Json) -> bool {
        scalar(name, &Value::from_json(value).unwrap()).is_ok()
    }

    #[test]
    fn a_decimal_is_a_string_with_a_plain_number() {
        for good in ["200.00", "10", "-1.00", "0.0"] {
            assert!(fits("Decimal", json!(good)), "{good}");
        }
        for bad in [json!(10), json!(1.5), json!("1e3"), json!("1,5"), json!(""), json!("."), json!("+1"), json!(" 1")] {
            assert!(!fits("Decimal", bad.clone()), "{bad}");
        }
    }

    #[test]
    fn a_time_is_in_utc_with_a_z() {
        assert!(fits("DateTime", json!("2026-07-14T12:22:11Z")));
        assert!(fits("DateTime", json!("2026-07-14T12:22:11.690Z")));
        for bad in ["2026-07-14", "2026-07-14T12:22:11+02:00", "2026-07-14T12:22:11", "2026-13-14T12:22:11Z", "not-a-date"] {
            assert!(!fits("DateTime", json!(bad)), "{bad}");
        }
    }

    #[test]
    fn an_id_is_a_gid() {
        assert!(fits("ID", json!("gid://shopify/StaffMember/1")));
        for bad in [json!("1"), json!(1), json!("not-a-gid"), json!("gid://shopify/StaffMember")] {
            assert!(!fits("ID", bad.clone()), "{bad}");
        }
    }
}

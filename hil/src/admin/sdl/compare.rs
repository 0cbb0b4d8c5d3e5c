//! One schema inside another: whether everything the stand-in offers exists in Shopify's, with the same types.
use super::{FieldInfo, Input, Sdl, TypeInfo};

/// What `ours` has that `theirs` does not have, or has with another type, argument or default. One sentence each.
///
/// # Errors
/// When one of the two does not parse.
pub fn missing_from(theirs: &str, ours: &str) -> Result<Vec<String>, String> {
    let (theirs, ours) = (Sdl::parse(theirs)?, Sdl::parse(ours)?);
    let mut missing = Vec::new();
    if ours.query != theirs.query || ours.mutation != theirs.mutation {
        missing.push(format!("the roots are {} and {:?}", theirs.query, theirs.mutation));
    }
    for (name, info) in &ours.types {
        let Some(other) = theirs.types.get(name) else {
            missing.push(format!("type {name} does not exist"));
            continue;
        };
        match (info, other) {
            (TypeInfo::Scalar, TypeInfo::Scalar) => {}
            (TypeInfo::Object { fields, implements }, TypeInfo::Object { fields: others, implements: other_interfaces }) => {
                compare_fields(name, fields, others, &mut missing);
                for interface in implements.iter().filter(|interface| !other_interfaces.contains(interface)) {
                    missing.push(format!("{name} does not implement {interface}"));
                }
            }
            (TypeInfo::Interface { fields }, TypeInfo::Interface { fields: others }) => {
                compare_fields(name, fields, others, &mut missing);
            }
            (TypeInfo::Union { members }, TypeInfo::Union { members: others }) => {
                for member in members.iter().filter(|member| !others.contains(member)) {
                    missing.push(format!("{member} is not a member of {name}"));
                }
            }
            (TypeInfo::Enum { values }, TypeInfo::Enum { values: others }) => {
                for value in values.iter().filter(|value| !others.contains(value)) {
                    missing.push(format!("{name} has no value {value}"));
                }
            }
            (TypeInfo::Input { fields }, TypeInfo::Input { fields: others }) => {
                compare_inputs(name, fields, others, &mut missing);
            }
            (
                TypeInfo::Scalar
                | TypeInfo::Object { .. }
                | TypeInfo::Interface { .. }
                | TypeInfo::Union { .. }
                | TypeInfo::Enum { .. }
                | TypeInfo::Input { .. },
                _,
            ) => missing.push(format!("{name} is another kind of type")),
        }
    }
    Ok(missing)
}

fn compare_fields(on: &str, ours: &[FieldInfo], theirs: &[FieldInfo], missing: &mut Vec<String>) {
    for field in ours {
        let place = format!("{on}.{}", field.name);
        match theirs.iter().find(|other| other.name == field.name) {
            None => missing.push(format!("{place} does not exist")),
            Some(other) => {
                if other.ty != field.ty {
                    missing.push(format!("{place} is {}, not {}", other.ty, field.ty));
                }
                compare_inputs(&place, &field.arguments, &other.arguments, missing);
            }
        }
    }
}

/// Theirs may have more, unless it is required.
fn compare_inputs(place: &str, ours: &[Input], theirs: &[Input], missing: &mut Vec<String>) {
    for input in ours {
        match theirs.iter().find(|other| other.name == input.name) {
            None => missing.push(format!("{place} takes no {}", input.name)),
            Some(other) => {
                if other.ty != input.ty {
                    missing.push(format!("{place}: {} is {}, not {}", input.name, other.ty, input.ty));
                }
                if other.default != input.default {
                    missing.push(format!("{place}: {} defaults to {:?}", input.name, other.default));
                }
            }
        }
    }
    for other in theirs.iter().filter(|other| !other.ty.nullable && other.default.is_none()) {
        if !ours.iter().any(|input| input.name == other.name) {
            missing.push(format!("{place} requires {}", other.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "schema { query: Q } type Q { a(id: ID!, n: Int = 1): String! b: [Int!] } enum E { X Y }";

    #[test]
    fn a_part_of_a_schema_misses_nothing() {
        let ours = "schema { query: Q } type Q { a(id: ID!): String! } enum E { X }";
        assert_eq!(missing_from(THEIRS, ours), Ok(vec![]));
    }

    #[test]
    fn every_difference_is_told() {
        let ours = "schema { query: Q } type Q { a(n: Int): String b: [Int] c: Int } enum E { Z } type New { x: Int }";
        let told = missing_from(THEIRS, ours).unwrap();
        assert_eq!(
            told,
            [
                "E has no value Z",
                "type New does not exist",
                "Q.a is String!, not String",
                "Q.a: n defaults to Some(\"1\")",
                "Q.a requires id",
                "Q.b is [Int!], not [Int]",
                "Q.c does not exist",
            ]
        );
    }
}

//! What an operation asks for, in points.
//!
//! ## Why connections grow so slowly
//! The documentation says "by first and last" and gives no formula. Recorded were about 5 points for five entries and
//! about 13 for 250: a logarithm, and [`size`] meets both. What an entry holds beyond itself counts as often as the entry,
//! so only connections inside connections ever come near the limit.
//! Source: fact sheet of the Admin API, "Limits".
use async_graphql::Value;
use async_graphql_parser::types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet};
use serde_json::{Map, Value as Json};

use super::check::FRAGMENT_DEPTH;
use super::{Sdl, base_name, literal};

/// What a mutation costs before anything is selected of it.
const MUTATION: u64 = 10;

struct Cost<'a> {
    sdl: &'a Sdl,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Map<String, Json>,
}

/// See [`Sdl::cost_with`].
pub fn cost(
    sdl: &Sdl,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Map<String, Json>,
) -> u64 {
    let (root, own) = match operation.ty {
        OperationType::Query | OperationType::Subscription => (Some(sdl.query.as_str()), 0),
        OperationType::Mutation => (sdl.mutation.as_deref(), MUTATION),
    };
    let cost = Cost { sdl, document, operation, variables };
    root.map_or(0, |root| cost.of(root, &operation.selection_set.node, 0).all()).saturating_add(own)
}

/// Points of a selection.
#[derive(Debug, Default)]
struct Points {
    /// Of the entries, if it is a connection's.
    entries: u64,
    /// Of all else.
    rest: u64,
}

impl Points {
    fn all(&self) -> u64 {
        self.entries.saturating_add(self.rest)
    }

    fn add(&mut self, other: Points) {
        self.entries = self.entries.saturating_add(other.entries);
        self.rest = self.rest.saturating_add(other.rest);
    }
}

impl Cost<'_> {
    fn of(&self, on: &str, set: &SelectionSet, depth: usize) -> Points {
        let mut points = Points::default();
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let cost = self.field(on, &field.node, depth);
                    let entries = is_connection(on) && matches!(field.node.name.node.as_str(), "nodes" | "edges");
                    points.add(if entries { Points { entries: cost, rest: 0 } } else { Points { entries: 0, rest: cost } });
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map_or(on, |condition| condition.node.on.node.as_str());
                    points.add(self.of(on, &inline.node.selection_set.node, depth));
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(spread.node.fragment_name.node.as_str());
                    if let Some(fragment) = fragment.filter(|_| depth < FRAGMENT_DEPTH) {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        points.add(self.of(on, &fragment.node.selection_set.node, depth + 1));
                    }
                }
            }
        }
        points
    }

    fn field(&self, on: &str, field: &Field, depth: usize) -> u64 {
        let Some(info) = self.sdl.field(on, field.name.node.as_str()) else { return 0 };
        let ty = base_name(&info.ty);
        if self.sdl.is_leaf(ty) {
            return 0;
        }
        let inside = self.of(ty, &field.selection_set.node, depth);
        if is_connection(ty) {
            return size(self.asked_for(field)).saturating_mul(inside.entries.max(1)).saturating_add(inside.rest);
        }
        // An edge is no object of its own, and a mutation's payload is in the price of the mutation.
        let free = ty.ends_with("Edge") || Some(on) == self.sdl.mutation.as_deref();
        inside.all().saturating_add(u64::from(!free))
    }

    /// `first` or `last`, as it stands in the document or as the variable says.
    fn asked_for(&self, field: &Field) -> u64 {
        let given = field.arguments.iter().filter(|(name, _)| matches!(name.node.as_str(), "first" | "last"));
        given.filter_map(|(_, value)| self.number(&literal!(value.node))).max().unwrap_or(0)
    }

    fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) => number.as_u64(),
            Value::Binary(name) => {
                let name = String::from_utf8_lossy(name);
                let declared = self.operation.variable_definitions.iter().find(|one| one.node.name.node.as_str() == name);
                let default = declared.and_then(|one| one.node.default_value.as_ref()).map(|value| &value.node);
                match self.variables.get(name.as_ref()) {
                    Some(given) => given.as_u64(),
                    None => default.and_then(|default| self.number(default)),
                }
            }
            Value::Null | Value::String(_) | Value::Boolean(_) | Value::Enum(_) | Value::List(_) | Value::Object(_) => None,
        }
    }
}

fn is_connection(ty: &str) -> bool {
    ty.ends_with("Connection")
}

/// One and a half times the binary logarithm, rounded up, and one.
fn size(entries: u64) -> u64 {
    // 4^k >= n^3 is k >= 1.5 log2(n); more than 250 entries are refused elsewhere.
    let cube = entries.min(1_000).pow(3);
    1 + (0_u64..).find(|k| 1_u64 << (2 * k) >= cube).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = "schema { query: Q mutation: M }
        type Q { one: A many(first: Int, last: Int): AConnection! } type M { change: P }
        type P { one: A } type A { id: ID many(first: Int): AConnection! one: A }
        type AConnection { nodes: [A!]! edges: [AEdge!]! pageInfo: I! } type AEdge { node: A! } type I { more: Boolean }";

    fn points(document: &str, variables: Json) -> u64 {
        let sdl = Sdl::parse(SDL).unwrap();
        let document = sdl.read(document).unwrap();
        let (_, operation) = super::super::operation(&document, None).unwrap();
        sdl.cost_with(&document, operation, variables.as_object().unwrap())
    }

    #[test]
    fn a_connection_costs_what_was_recorded_for_its_size() {
        assert_eq!(size(5), 5);
        assert_eq!(size(250), 13);
        assert_eq!((size(0), size(1), size(2)), (1, 1, 3));
    }

    #[test]
    fn objects_count_and_scalars_do_not() {
        for (document, cost) in [
            ("{ one { id } }", 1),
            ("{ one { id one { id } } }", 2),
            ("mutation { change { one { id } } }", 11),
            ("{ many(first: 5) { nodes { id } } }", 5),
            ("{ many(last: 5) { edges { node { id } } } }", 5),
            ("{ many(first: 5) { nodes { one { id } } pageInfo { more } } }", 11),
            ("{ many(first: 5) { nodes { ...A } } } fragment A on A { one { id } }", 10),
        ] {
            assert_eq!(points(document, serde_json::json!({})), cost, "{document}");
        }
    }

    #[test]
    fn a_size_may_be_a_variable() {
        let document = "query ($n: Int = 5) { many(first: $n) { nodes { id } } }";
        assert_eq!(points(document, serde_json::json!({})), 5);
        assert_eq!(points(document, serde_json::json!({"n": 250})), 13);
    }

    #[test]
    fn connections_inside_connections_multiply() {
        let document = "{ many(first: 250) { nodes { many(first: 250) { nodes { many(first: 250) { nodes { id } } } } } } }";
        assert!(points(document, serde_json::json!({})) > 1_000);
    }
}

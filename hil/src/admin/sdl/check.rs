//! A document against a schema.
//! Source of codes and wording: fact sheet of the Admin API, "Limits, errors, retrying" (recorded answers); those the
//! sheet does not name are the ones of the Ruby library Shopify's server is built on.
use std::collections::BTreeMap;

use async_graphql::Value;
use async_graphql_parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
    Type,
};
use async_graphql_parser::{Pos, Positioned};

use super::values::literal_fits;
use super::{Input, Problem, Sdl, TypeInfo, base_name, literal};

/// Fragments inside fragments, deeper than any document of a till; a bound against ones that contain themselves.
pub(super) const FRAGMENT_DEPTH: usize = 16;

pub fn check(sdl: &Sdl, document: &ExecutableDocument) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut used_fragments = Vec::new();
    for (name, operation) in document.operations.iter() {
        let mut walk =
            Walk { sdl, document, path: Vec::new(), depth: 0, problems: Vec::new(), used: Vec::new(), spread: Vec::new() };
        walk.operation(name.map(|name| name.as_str()), operation);
        problems.append(&mut walk.problems);
        used_fragments.append(&mut walk.spread);
    }
    for (name, fragment) in &document.fragments {
        if !used_fragments.iter().any(|used| used == name.as_str()) {
            let mut problem =
                Problem::new("useAndDefineFragment", format!("Fragment {name} was defined, but not used"), fragment.pos);
            problem.path = vec![format!("fragment {name}")];
            problem.details = vec![("fragmentName", name.to_string())];
            problems.push(problem);
        }
    }
    problems
}

struct Walk<'a> {
    sdl: &'a Sdl,
    document: &'a ExecutableDocument,
    path: Vec<String>,
    depth: usize,
    problems: Vec<Problem>,
    /// Variables met: name, type wanted, whether a default stands in, argument, place.
    used: Vec<Use>,
    spread: Vec<String>,
}

/// An argument as it stands in the document.
struct Given {
    name: String,
    value: Value,
    pos: Pos,
}

/// The arguments of a field or a directive.
macro_rules! given {
    ($owner:expr) => {
        $owner
            .node
            .arguments
            .iter()
            .map(|(name, value)| Given { name: name.node.to_string(), value: literal!(value.node), pos: value.pos })
            .collect::<Vec<_>>()
    };
}

struct Use {
    variable: String,
    wanted: Type,
    has_default: bool,
    argument: String,
    path: Vec<String>,
    pos: Pos,
}

/// What a response key stands for; two fields with the same key must agree.
struct Key<'a> {
    parent: &'a str,
    field: &'a str,
    arguments: String,
    ty: String,
}

impl<'a> Walk<'a> {
    fn problem(&mut self, code: &'static str, message: String, pos: Pos, details: Vec<(&'static str, String)>) {
        self.problems.push(Problem { code, message, path: self.path.clone(), pos, details });
    }

    fn operation(&mut self, name: Option<&str>, operation: &'a Positioned<OperationDefinition>) {
        let kind = operation.node.ty.to_string();
        let shown = name.unwrap_or("anonymous operation").to_owned();
        self.path.push(name.map_or_else(|| kind.clone(), |name| format!("{kind} {name}")));
        let root = match operation.node.ty {
            OperationType::Query => Some(self.sdl.query.as_str()),
            OperationType::Mutation => self.sdl.mutation.as_deref(),
            OperationType::Subscription => None,
        };
        let Some(root) = root else {
            self.problem("missingOperation", format!("Schema is not configured for {kind}s"), operation.pos, Vec::new());
            return;
        };
        for definition in &operation.node.variable_definitions {
            let (variable, ty) = (&definition.node.name.node, &definition.node.var_type.node);
            let base = base_name(ty);
            if !self.sdl.is_input(base) {
                let what = if self.sdl.types.contains_key(base) { "a valid" } else { "a defined" };
                self.problem(
                    "variableRequiresValidType",
                    format!("{base} isn't {what} input type (on ${variable})"),
                    definition.pos,
                    vec![("typeName", base.to_owned()), ("variableName", variable.to_string())],
                );
            } else if let Some(default) = &definition.node.default_value
                && !literal_fits(self.sdl, ty, false, &default.node, &mut |_, _, _| ())
            {
                self.problem(
                    "defaultValueInvalidType",
                    format!("Default value for ${variable} doesn't match type {ty}"),
                    definition.pos,
                    vec![("variableName", variable.to_string()), ("typeName", ty.to_string())],
                );
            }
        }
        self.directives(&operation.node.directives);
        self.selections(root, &operation.node.selection_set.node, &mut BTreeMap::new());
        self.variables(&shown, operation);
    }

    fn variables(&mut self, operation_name: &str, operation: &'a Positioned<OperationDefinition>) {
        let definitions = &operation.node.variable_definitions;
        for definition in definitions {
            let variable = &definition.node.name.node;
            if !self.used.iter().any(|used| used.variable == variable.as_str()) {
                self.problem(
                    "variableNotUsed",
                    format!("Variable ${variable} is declared by {operation_name} but not used"),
                    definition.pos,
                    vec![("variableName", variable.to_string())],
                );
            }
        }
        for used in std::mem::take(&mut self.used) {
            let Use { variable, wanted, has_default, argument, path, pos } = used;
            let definition = definitions.iter().find(|definition| definition.node.name.node == variable);
            let Some(definition) = definition else {
                let message = format!("Variable ${variable} is used by {operation_name} but not declared");
                let details = vec![("variableName", variable)];
                self.problems.push(Problem { code: "variableNotDefined", message, path, pos, details });
                continue;
            };
            let given = &definition.node.var_type.node;
            // A nullable variable may stand where a value is required if a default catches it, on either side.
            let defaulted = has_default || definition.node.default_value.is_some();
            let mut loose = wanted.clone();
            loose.nullable |= defaulted;
            if !may_stand_for(given, &loose) {
                let message = format!("Type mismatch on variable ${variable} and argument {argument} ({given} / {wanted})");
                let details = vec![
                    ("variableName", variable),
                    ("typeName", given.to_string()),
                    ("argumentName", argument),
                    ("errorMessage", "Type mismatch".to_owned()),
                ];
                self.problems.push(Problem { code: "variableMismatch", message, path, pos, details });
            }
        }
    }

    fn selections(&mut self, on: &'a str, set: &'a SelectionSet, keys: &mut BTreeMap<&'a str, Key<'a>>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    self.path.push(field.node.response_key().node.to_string());
                    self.field(on, field, keys);
                    self.path.pop();
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.node.directives);
                    let on = match &inline.node.type_condition {
                        Some(condition) => {
                            let target = condition.node.on.node.as_str();
                            self.path.push(format!("... on {target}"));
                            let on = self.spread_onto(on, target, item.pos);
                            self.path.pop();
                            on
                        }
                        None => Some(on),
                    };
                    if let Some(on) = on {
                        self.selections(on, &inline.node.selection_set.node, keys);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives);
                    self.fragment(on, spread.node.fragment_name.node.as_str(), item.pos, keys);
                }
            }
        }
    }

    fn fragment(&mut self, on: &'a str, name: &'a str, pos: Pos, keys: &mut BTreeMap<&'a str, Key<'a>>) {
        let details = vec![("fragmentName", name.to_owned())];
        let Some(fragment) = self.document.fragments.get(name) else {
            self.problem("useAndDefineFragment", format!("Fragment {name} was used, but not defined"), pos, details);
            return;
        };
        if self.depth == FRAGMENT_DEPTH {
            self.problem("infiniteLoop", format!("Fragment {name} contains an infinite loop"), pos, details);
            return;
        }
        self.spread.push(name.to_owned());
        let FragmentDefinition { type_condition, directives, selection_set } = &fragment.node;
        self.directives(directives);
        if let Some(on) = self.spread_onto(on, type_condition.node.on.node.as_str(), pos) {
            self.depth += 1;
            self.selections(on, &selection_set.node, keys);
            self.depth -= 1;
        }
    }

    /// The type a fragment narrows to, if it exists and can be met here.
    fn spread_onto(&mut self, on: &str, target: &str, pos: Pos) -> Option<&'a str> {
        let sdl = self.sdl;
        let Some((target, _)) = sdl.types.get_key_value(target) else {
            let details = vec![("typeName", target.to_owned())];
            self.problem(
                "undefinedType",
                format!("No such type {target}, so it can't be a fragment condition"),
                pos,
                details,
            );
            return None;
        };
        let here = sdl.possible(on);
        if !sdl.possible(target).iter().any(|one| here.contains(one)) {
            let details = vec![("typeName", target.clone()), ("parentName", on.to_owned())];
            self.problem("cannotSpreadFragment", format!("Fragment on {target} can't be spread inside {on}"), pos, details);
            return None;
        }
        Some(target)
    }

    fn field(&mut self, on: &'a str, field: &'a Positioned<Field>, keys: &mut BTreeMap<&'a str, Key<'a>>) {
        let (sdl, name, pos) = (self.sdl, field.node.name.node.as_str(), field.pos);
        self.directives(&field.node.directives);
        if name == "__typename" {
            return;
        }
        // Introspection is the library's; the real API answers it too.
        if on == sdl.query && matches!(name, "__schema" | "__type") {
            self.introspection(field, 0);
            return;
        }
        let Some(info) = sdl.field(on, name) else {
            let details = vec![("typeName", on.to_owned()), ("fieldName", name.to_owned())];
            self.problem("undefinedField", format!("Field '{name}' doesn't exist on type '{on}'"), pos, details);
            return;
        };
        self.arguments("Field", name, &info.arguments, &given!(field), pos);
        let arguments = field.node.arguments.iter().map(|(name, value)| format!("{}:{}", name.node, value.node));
        let key =
            Key { parent: on, field: name, arguments: arguments.collect::<Vec<_>>().join(","), ty: info.ty.to_string() };
        self.same_key(field.node.response_key().node.as_str(), key, pos, keys);
        let (ty, chosen) = (base_name(&info.ty), &field.node.selection_set.node);
        match (sdl.is_leaf(ty), chosen.items.is_empty()) {
            (true, true) => {}
            (true, false) => {
                let details = vec![("nodeName", format!("field '{name}'")), ("typeName", ty.to_owned())];
                let message =
                    format!("Selections can't be made on scalars (field '{name}' returns {ty} but has selections)");
                self.problem("selectionMismatch", message, pos, details);
            }
            (false, true) => {
                let details = vec![("nodeName", format!("field '{name}'")), ("typeName", ty.to_owned())];
                let message = format!(
                    "Field must have selections (field '{name}' returns {ty} but has no selections. Did you mean '{name} {{ ... }}'?)"
                );
                self.problem("selectionMismatch", message, pos, details);
            }
            (false, false) => self.selections(ty, chosen, &mut BTreeMap::new()),
        }
    }

    /// Below `__schema` and `__type` only what is used is noted; the library refuses what is wrong.
    fn introspection(&mut self, field: &'a Positioned<Field>, depth: usize) {
        for Given { name: _, value, pos: _ } in given!(field) {
            if let Value::Binary(name) = value {
                self.used_untyped(&String::from_utf8_lossy(&name));
            }
        }
        self.introspected(&field.node.selection_set.node, depth);
    }

    fn introspected(&mut self, set: &'a SelectionSet, depth: usize) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.introspection(field, depth),
                Selection::InlineFragment(inline) => self.introspected(&inline.node.selection_set.node, depth),
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.spread.push(name.to_owned());
                    if let Some(fragment) = self.document.fragments.get(name).filter(|_| depth < FRAGMENT_DEPTH) {
                        self.introspected(&fragment.node.selection_set.node, depth + 1);
                    }
                }
            }
        }
    }

    /// Two fields under one response key: of one object they must be the same field; of different members of a union
    /// they must at least have the same type. Source: GraphQL specification, "Field Selection Merging".
    fn same_key(&mut self, key: &'a str, new: Key<'a>, pos: Pos, keys: &mut BTreeMap<&'a str, Key<'a>>) {
        if let Some(old) = keys.get(key) {
            let both_objects =
                [old.parent, new.parent].iter().all(|ty| matches!(self.sdl.types.get(*ty), Some(TypeInfo::Object { .. })));
            let never_together = both_objects && old.parent != new.parent;
            let differ =
                if never_together { old.ty != new.ty } else { old.field != new.field || old.arguments != new.arguments };
            if differ {
                let message = format!("Field '{key}' has a field conflict: {} or {}?", old.field, new.field);
                let details = vec![("fieldName", key.to_owned()), ("conflicts", format!("{} or {}", old.field, new.field))];
                self.problem("fieldConflict", message, pos, details);
            }
            return;
        }
        keys.insert(key, new);
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>]) {
        let sdl = self.sdl;
        for directive in directives {
            let name = directive.node.name.node.as_str();
            match sdl.directives.get(name) {
                Some(known) => self.arguments("Directive", name, known, &given!(directive), directive.pos),
                None => {
                    let details = vec![("directiveName", name.to_owned())];
                    self.problem("undefinedDirective", format!("Directive @{name} is not defined"), directive.pos, details);
                }
            }
        }
    }

    fn arguments(&mut self, owner: &'static str, name: &str, known: &'a [Input], given: &[Given], pos: Pos) {
        for Given { name: argument_name, value, pos: value_pos } in given {
            let argument_name = argument_name.as_str();
            self.path.push(argument_name.to_owned());
            match known.iter().find(|input| input.name == argument_name) {
                None => {
                    let details = vec![
                        ("name", name.to_owned()),
                        ("typeName", owner.to_owned()),
                        ("argumentName", argument_name.to_owned()),
                    ];
                    let message = format!("{owner} '{name}' doesn't accept argument '{argument_name}'");
                    self.problem("argumentNotAccepted", message, *value_pos, details);
                    // A variable in it counts as used: one mistake, one error.
                    if let Value::Binary(name) = value {
                        self.used_untyped(&String::from_utf8_lossy(name));
                    }
                }
                Some(input) => {
                    let (path, used) = (self.path.clone(), &mut self.used);
                    let fits = literal_fits(
                        self.sdl,
                        &input.ty,
                        input.default.is_some(),
                        value,
                        &mut |name, wanted, has_default| {
                            used.push(Use {
                                variable: name.to_string(),
                                wanted: wanted.clone(),
                                has_default,
                                argument: argument_name.to_owned(),
                                path: path.clone(),
                                pos: *value_pos,
                            });
                        },
                    );
                    if !fits {
                        let message = format!(
                            "Argument '{argument_name}' on {owner} '{name}' has an invalid value ({value}). Expected type '{}'.",
                            input.ty
                        );
                        let details = vec![("typeName", owner.to_owned()), ("argumentName", argument_name.to_owned())];
                        self.problem("argumentLiteralsIncompatible", message, *value_pos, details);
                    }
                }
            }
            self.path.pop();
        }
        let missing: Vec<&str> = known
            .iter()
            .filter(|input| !input.ty.nullable && input.default.is_none())
            .map(|input| input.name.as_str())
            .filter(|required| !given.iter().any(|given| given.name == *required))
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let message = format!("{owner} '{name}' is missing required arguments: {missing}");
            let details = vec![("className", owner.to_owned()), ("name", name.to_owned()), ("arguments", missing)];
            self.problem("missingRequiredArguments", message, pos, details);
        }
    }

    /// Marks a variable as used where no type is known: any type will do, so its own is taken.
    fn used_untyped(&mut self, name: &str) {
        let definitions = self.document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
        let mut own = definitions
            .filter(|definition| definition.node.name.node == name)
            .map(|definition| &definition.node.var_type.node);
        if let Some(wanted) = own.next().cloned() {
            let (argument, path) = (name.to_owned(), self.path.clone());
            self.used.push(Use {
                variable: name.to_owned(),
                wanted,
                has_default: true,
                argument,
                path,
                pos: Pos::default(),
            });
        }
    }
}

/// GraphQL specification, "All Variable Usages Are Allowed": equal types, or stricter than asked for.
fn may_stand_for(given: &Type, wanted: &Type) -> bool {
    use async_graphql_parser::types::BaseType as B;
    if given.nullable && !wanted.nullable {
        return false;
    }
    match (&given.base, &wanted.base) {
        (B::Named(given), B::Named(wanted)) => given == wanted,
        (B::List(given), B::List(wanted)) => may_stand_for(given, wanted),
        (B::Named(_), B::List(_)) | (B::List(_), B::Named(_)) => false,
    }
}

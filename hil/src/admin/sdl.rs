//! Schemas as text (SDL), and what can be held against one: a document, the values of its variables, another schema.
//!
//! Two uses. The stand-in checks every request against its own schema, so that a refusal has the code, the path and the
//! words the real API uses. And a test holds the daemon's documents against Shopify's published schema with
//! [`check_document`], and the stand-in's own schema with [`missing_from`].
//!
//! ## Why not leave it to the GraphQL library
//! The library refuses the same things, but with sentences only: no code, no path. A bridge decides by code.
use std::collections::{BTreeMap, HashMap};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, FieldDefinition, InputValueDefinition, ObjectType,
    OperationDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql_parser::{Pos, parse_query, parse_schema};

mod check;
mod compare;
mod cost;
mod values;

pub use compare::missing_from;

/// A schema that can be asked for its types.
#[derive(Debug)]
pub struct Sdl {
    types: BTreeMap<String, TypeInfo>,
    directives: HashMap<String, Vec<Input>>,
    query: String,
    mutation: Option<String>,
}

#[derive(Debug)]
enum TypeInfo {
    Scalar,
    Object { fields: Vec<FieldInfo>, implements: Vec<String> },
    Interface { fields: Vec<FieldInfo> },
    Union { members: Vec<String> },
    Enum { values: Vec<String> },
    Input { fields: Vec<Input> },
}

#[derive(Debug)]
struct FieldInfo {
    name: String,
    ty: Type,
    arguments: Vec<Input>,
}

/// An argument, or a field of an input object.
#[derive(Debug)]
struct Input {
    name: String,
    ty: Type,
    default: Option<String>,
}

/// Something in a document that the schema does not allow, in the words of the real API.
#[derive(Debug, Clone)]
pub struct Problem {
    /// `undefinedField`, `argumentNotAccepted`, …; `PARSE_ERROR` has no path.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// The operation, then field by field.
    pub path: Vec<String>,
    /// Where in the document.
    pub pos: Pos,
    /// What else the error's `extensions` say.
    pub details: Vec<(&'static str, String)>,
}

impl Problem {
    fn new(code: &'static str, message: String, pos: Pos) -> Problem {
        Problem { code, message, path: Vec::new(), pos, details: Vec::new() }
    }
}

/// Holds a GraphQL document against a schema: fields, arguments, types of variables, literals, fragments.
///
/// # Errors
/// One line per problem, with line, column and path in the document.
pub fn check_document(sdl: &str, document: &str) -> Result<(), String> {
    let sdl = Sdl::parse(sdl)?;
    let problems = match sdl.read(document) {
        Ok(document) => sdl.check(&document),
        Err(problem) => vec![problem],
    };
    if problems.is_empty() {
        return Ok(());
    }
    let lines = problems.iter().map(|problem| {
        let Problem { code, message, path, pos, details: _ } = problem;
        format!("{}:{} {}: {message} ({code})", pos.line, pos.column, path.join(" > "))
    });
    Err(lines.collect::<Vec<_>>().join("\n"))
}

impl Sdl {
    /// Reads a schema.
    ///
    /// # Errors
    /// When it does not parse, or names no type for queries.
    pub fn parse(sdl: &str) -> Result<Sdl, String> {
        let document = parse_schema(sdl).map_err(|why| format!("the schema does not parse: {why}"))?;
        let mut types: BTreeMap<String, TypeInfo> =
            ["Int", "Float", "String", "Boolean", "ID"].map(|name| (name.to_owned(), TypeInfo::Scalar)).into();
        let mut directives: HashMap<String, Vec<Input>> = HashMap::new();
        let (mut query, mut mutation) = (None, None);
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    query = schema.node.query.map(|name| name.node.to_string());
                    mutation = schema.node.mutation.map(|name| name.node.to_string());
                }
                TypeSystemDefinition::Type(ty) => {
                    types.insert(ty.node.name.node.to_string(), type_info(ty.node.kind));
                }
                TypeSystemDefinition::Directive(directive) => {
                    directives.insert(directive.node.name.node.to_string(), inputs(directive.node.arguments));
                }
            }
        }
        for name in ["include", "skip"] {
            let condition = Type { base: BaseType::Named(async_graphql::Name::new("Boolean")), nullable: false };
            let arguments = vec![Input { name: "if".into(), ty: condition, default: None }];
            directives.entry(name.into()).or_insert(arguments);
        }
        let query = query.ok_or("the schema has no line `schema { query: … }`")?;
        Ok(Sdl { types, directives, query, mutation })
    }

    /// Reads a document; what does not parse is a `PARSE_ERROR`.
    ///
    /// # Errors
    /// When it does not parse.
    pub fn read(&self, document: &str) -> Result<ExecutableDocument, Problem> {
        parse_query(document).map_err(|why| {
            let pos = why.positions().next().unwrap_or_default();
            Problem::new("PARSE_ERROR", format!("syntax error, unexpected input at [{}, {}]", pos.line, pos.column), pos)
        })
    }

    /// Everything in the document that the schema does not allow.
    pub fn check(&self, document: &ExecutableDocument) -> Vec<Problem> {
        check::check(self, document)
    }

    /// The variables of an operation that do not fit their types, as the `INVALID_VARIABLE` errors of the real API.
    pub fn check_variables(
        &self,
        operation: &OperationDefinition,
        given: &serde_json::Map<String, serde_json::Value>,
    ) -> Vec<values::BadVariable> {
        values::check(self, operation, given)
    }

    /// What an operation asks for, in points: a mutation 10, an object 1, a connection by its size.
    pub fn cost(&self, document: &ExecutableDocument, operation: &OperationDefinition) -> u64 {
        self.cost_with(document, operation, &serde_json::Map::new())
    }

    /// The same, where the size of a connection may be a variable.
    pub fn cost_with(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &serde_json::Map<String, serde_json::Value>,
    ) -> u64 {
        cost::cost(self, document, operation, variables)
    }

    fn field(&self, on: &str, name: &str) -> Option<&FieldInfo> {
        match self.types.get(on)? {
            TypeInfo::Object { fields, .. } | TypeInfo::Interface { fields } => {
                fields.iter().find(|field| field.name == name)
            }
            TypeInfo::Scalar | TypeInfo::Union { .. } | TypeInfo::Enum { .. } | TypeInfo::Input { .. } => None,
        }
    }

    /// The object types an object, interface or union can be.
    fn possible(&self, name: &str) -> Vec<&str> {
        match self.types.get(name) {
            Some(TypeInfo::Object { .. }) => {
                self.types.get_key_value(name).map(|(key, _)| key.as_str()).into_iter().collect()
            }
            Some(TypeInfo::Union { members }) => members.iter().map(String::as_str).collect(),
            Some(TypeInfo::Interface { .. }) => {
                let implementing = self.types.iter().filter(|(_, info)| match info {
                    TypeInfo::Object { implements, .. } => implements.iter().any(|interface| interface == name),
                    TypeInfo::Scalar
                    | TypeInfo::Interface { .. }
                    | TypeInfo::Union { .. }
                    | TypeInfo::Enum { .. }
                    | TypeInfo::Input { .. } => false,
                });
                implementing.map(|(key, _)| key.as_str()).collect()
            }
            Some(TypeInfo::Scalar | TypeInfo::Enum { .. } | TypeInfo::Input { .. }) | None => Vec::new(),
        }
    }

    fn is_leaf(&self, name: &str) -> bool {
        matches!(self.types.get(name), Some(TypeInfo::Scalar | TypeInfo::Enum { .. }))
    }

    fn is_input(&self, name: &str) -> bool {
        matches!(self.types.get(name), Some(TypeInfo::Scalar | TypeInfo::Enum { .. } | TypeInfo::Input { .. }))
    }
}

/// The operation a request means: the one named, or the only one.
pub fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a str>, &'a OperationDefinition)> {
    match (&document.operations, name) {
        (DocumentOperations::Single(only), _) => Some((None, &only.node)),
        (DocumentOperations::Multiple(several), None) if several.len() == 1 => {
            several.iter().next().map(|(name, operation)| (Some(name.as_str()), &operation.node))
        }
        (DocumentOperations::Multiple(several), Some(wanted)) => {
            several.iter().find(|(name, _)| name.as_str() == wanted).map(|(name, found)| (Some(name.as_str()), &found.node))
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// A literal of a document with its variables as bytes, which no literal can be. The parser's own type for "a value or
/// a variable" has no public name.
macro_rules! literal {
    ($value:expr) => {
        $value
            .clone()
            .into_const_with(|name| {
                Ok::<_, std::convert::Infallible>(async_graphql::Value::Binary(name.as_str().to_owned().into()))
            })
            .unwrap_or_else(|never| match never {})
    };
}
use literal;

fn type_info(kind: TypeKind) -> TypeInfo {
    match kind {
        TypeKind::Scalar => TypeInfo::Scalar,
        TypeKind::Object(ObjectType { implements, fields: defined }) => TypeInfo::Object {
            fields: fields(defined),
            implements: implements.into_iter().map(|name| name.node.to_string()).collect(),
        },
        TypeKind::Interface(interface) => TypeInfo::Interface { fields: fields(interface.fields) },
        TypeKind::Union(union) => {
            TypeInfo::Union { members: union.members.into_iter().map(|name| name.node.to_string()).collect() }
        }
        TypeKind::Enum(of) => {
            TypeInfo::Enum { values: of.values.into_iter().map(|value| value.node.value.node.to_string()).collect() }
        }
        TypeKind::InputObject(input) => TypeInfo::Input { fields: inputs(input.fields) },
    }
}

fn fields(defined: Vec<Positioned<FieldDefinition>>) -> Vec<FieldInfo> {
    let field = |field: Positioned<FieldDefinition>| FieldInfo {
        name: field.node.name.node.to_string(),
        ty: field.node.ty.node,
        arguments: inputs(field.node.arguments),
    };
    defined.into_iter().map(field).collect()
}

fn inputs(defined: Vec<Positioned<InputValueDefinition>>) -> Vec<Input> {
    let input = |input: Positioned<InputValueDefinition>| Input {
        name: input.node.name.node.to_string(),
        ty: input.node.ty.node,
        default: input.node.default_value.map(|value| value.node.to_string()),
    };
    defined.into_iter().map(input).collect()
}

/// The name inside lists and exclamation marks.
fn base_name(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base_name(inner),
    }
}

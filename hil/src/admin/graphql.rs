//! One request in, one outcome out: routing, token, faults, the schema's checks, the answer's shape.
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_graphql::Variables;
use async_graphql_parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection};
use serde_json::{Map, Value, json};

use super::access::{self, Granted};
use super::fault::{Fault, Kind};
use super::http::{Answer, Outcome, Request};
use super::schema::Scope;
use super::sdl::{self, Problem};
use super::store::{BUCKET, RESTORE};
use super::{API_VERSION, AdminEvent, RequestRow, Shared, clock, token};

/// A request as it will be remembered, while its answer is made.
struct Row {
    operation: String,
    variables: Value,
    executed: bool,
}

/// Answers a request. It is remembered, and told to listeners, before its answer is on its way.
pub async fn respond(shared: &Arc<Shared>, request: Request) -> Outcome {
    let mut row = Row { operation: request.path.clone(), variables: Value::Null, executed: false };
    let mut outcome = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/admin/oauth/access_token") => at_token_endpoint(shared, &request, &mut row),
        ("GET", "/admin/oauth/access_scopes.json") => access_scopes(shared, &request, &mut row),
        ("POST", path) if serves(path) => at_graphql(shared, &request, &mut row, true).await,
        _ => Outcome::Answer(Answer::json(404, &json!({"errors": "Not Found"}))),
    };
    let (status, body) = match &mut outcome {
        Outcome::Answer(answer) | Outcome::Cut(answer) => {
            answer.headers.push(("x-request-id", request_id()));
            (answer.status, answer.body.clone())
        }
        Outcome::Reset | Outcome::Close | Outcome::Silence(_) => (0, String::new()),
    };
    let Row { operation, variables, executed } = row;
    let row = RequestRow { at: request.at, operation, variables, status, executed, body };
    shared.store().note_request(row.clone());
    shared.tell(AdminEvent::Request(row));
    outcome
}

/// The version asked for, or an older one: those are answered by the oldest one served.
/// Source: fact sheet of the Admin API, "Endpoint, headers, versions".
fn serves(path: &str) -> bool {
    let version = path.strip_prefix("/admin/api/").and_then(|rest| rest.strip_suffix("/graphql.json"));
    version.is_some_and(|version| {
        let quarter = matches!(version.split_once('-'), Some((year, "01" | "04" | "07" | "10")) if year.len() == 4);
        quarter && version.bytes().all(|b| b.is_ascii_digit() || b == b'-') && version <= API_VERSION
    })
}

/// Looks like the ids of the real API, and is another one each time.
fn request_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let (a, b) = (RandomState::new().hash_one(1), RandomState::new().hash_one(2));
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn unauthorized() -> Answer {
    let why = "[API] Invalid API key or access token (unrecognized login or wrong password)";
    Answer::json(401, &json!({"errors": why}))
}

/// Whether the request's token is good.
fn admitted(shared: &Shared, request: &Request) -> bool {
    request.header("x-shopify-access-token").is_some_and(|token| shared.store().accepts(token))
}

fn access_scopes(shared: &Shared, request: &Request, row: &mut Row) -> Outcome {
    if !admitted(shared, request) {
        return Outcome::Answer(unauthorized());
    }
    row.executed = true;
    let scopes: Vec<Value> = shared.store().spec.scopes.iter().map(|scope| json!({"handle": scope})).collect();
    Outcome::Answer(Answer::json(200, &json!({"access_scopes": scopes})))
}

fn at_token_endpoint(shared: &Shared, request: &Request, row: &mut Row) -> Outcome {
    row.operation = "token".to_owned();
    let mut store = shared.store();
    let fault = store.take_fault(Kind::Token);
    let answer = match &fault {
        Some(Fault::Unauthorized) => token::invalid_client(),
        Some(Fault::AccessDenied) => token::not_permitted(),
        Some(fault) if !fault.executes() => Answer::json(200, &Value::Null),
        Some(_) | None => {
            let answer = token::grant(&mut store, request);
            row.executed = answer.status == 200;
            answer
        }
    };
    match fault {
        None | Some(Fault::Unauthorized | Fault::AccessDenied) => Outcome::Answer(answer),
        Some(fault) => spoiled(&fault, answer, None),
    }
}

/// A GraphQL request's body, read.
struct Asked {
    query: String,
    variables: Map<String, Value>,
    operation_name: Option<String>,
}

/// Carries the request out when its sender has long given up; what is remembered of it says so from then on.
fn carry_out_late(shared: Arc<Shared>, request: Request, after: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        tokio::time::sleep(after).await;
        let mut row = Row { operation: String::new(), variables: Value::Null, executed: false };
        drop(at_graphql(&shared, &request, &mut row, false).await);
        shared.store().executed_late(request.at, row.executed);
    })
}

/// `may_fail`: the rules for faults are looked at.
async fn at_graphql(shared: &Arc<Shared>, request: &Request, row: &mut Row, may_fail: bool) -> Outcome {
    let asked = read_body(request);
    if let Ok(asked) = &asked {
        row.variables = Value::Object(asked.variables.clone());
    }
    let document = asked.as_ref().ok().map(|asked| (asked, shared.sdl.read(&asked.query)));
    let parsed = document.as_ref().and_then(|(asked, document)| document.as_ref().ok().map(|document| (*asked, document)));
    let operation = parsed.and_then(|(asked, document)| sdl::operation(document, asked.operation_name.as_deref()));
    if let Some((name, _)) = operation {
        row.operation = name.unwrap_or("anonymous").to_owned();
    }
    if !admitted(shared, request) {
        return Outcome::Answer(versioned(unauthorized()));
    }
    let kind = operation.map_or(Kind::Read, |(_, operation)| kind_of(operation));
    let fault = if may_fail { shared.store().take_fault(kind) } else { None };
    if let Some(Fault::Late { for_ }) = fault {
        tokio::spawn(carry_out_late(Arc::clone(shared), request.clone(), for_));
        return Outcome::Silence(for_);
    }
    let root = operation.and_then(|(_, operation)| root_field(operation));
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.executes()) {
        return spoiled(fault, Answer::json(200, &Value::Null), root.as_ref());
    }
    let answer = match (&asked, &document) {
        (Err(refusal), _) => refusal.clone(),
        (Ok(_), Some((asked, Ok(document)))) => match operation {
            Some((_, operation)) => {
                let first = if fault == Some(Fault::Twice) {
                    drop(execute(shared, asked, document, operation, None, row).await);
                    row.executed
                } else {
                    false
                };
                let answer = execute(shared, asked, document, operation, fault.as_ref(), row).await;
                row.executed |= first;
                answer
            }
            None => failed(vec![json!({"message": "An operation name is required"})]),
        },
        (Ok(_), Some((_, Err(problem)))) => failed(vec![told(problem)]),
        (Ok(_), None) => failed(vec![json!({"message": "No query string was present"})]),
    };
    match fault {
        Some(fault) => spoiled(&fault, answer, root.as_ref()),
        None => Outcome::Answer(versioned(answer)),
    }
}

fn versioned(mut answer: Answer) -> Answer {
    answer.headers.push(("x-shopify-api-version", API_VERSION.to_owned()));
    answer
}

fn read_body(request: &Request) -> Result<Asked, Answer> {
    let bad = |why: &str| Answer::json(400, &json!({"errors": why}));
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(bad("Content-Type must be application/json"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| bad("Request body is not valid JSON"))?;
    let Some(query) = body.get("query").and_then(Value::as_str) else {
        return Err(bad("Required parameter missing or invalid: query"));
    };
    let variables = match body.get("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables.clone(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(bad("Parameter variables must be an object"));
        }
    };
    let operation_name = body.get("operationName").and_then(Value::as_str).map(str::to_owned);
    Ok(Asked { query: query.to_owned(), variables, operation_name })
}

fn kind_of(operation: &OperationDefinition) -> Kind {
    match operation.ty {
        OperationType::Query | OperationType::Subscription => Kind::Read,
        OperationType::Mutation => {
            let opens = operation.selection_set.node.items.iter().any(|item| {
                matches!(&item.node, Selection::Field(field) if field.node.name.node == "pointOfSaleDevicePaymentSessionOpen")
            });
            if opens { Kind::Open } else { Kind::OtherMutation }
        }
    }
}

/// The first root field: its name, the key it is answered under, and whether changing needs a scope of its own.
struct Root {
    name: String,
    key: String,
    mutation: bool,
}

fn root_field(operation: &OperationDefinition) -> Option<Root> {
    operation.selection_set.node.items.iter().find_map(|item| match &item.node {
        Selection::Field(field) => Some(Root {
            name: field.node.name.node.to_string(),
            key: field.node.response_key().node.to_string(),
            mutation: operation.ty == OperationType::Mutation,
        }),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
    })
}

/// Carries a request out that parses: checked, charged, resolved.
async fn execute(
    shared: &Arc<Shared>,
    asked: &Asked,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    fault: Option<&Fault>,
    row: &mut Row,
) -> Answer {
    let problems = shared.sdl.check(document);
    if !problems.is_empty() {
        return failed(problems.iter().map(told).collect());
    }
    let bad = shared.sdl.check_variables(operation, &asked.variables);
    if !bad.is_empty() {
        let errors = bad.iter().map(|bad| {
            let extensions = json!({"code": "INVALID_VARIABLE", "value": bad.value, "problems": bad.problems});
            json!({"message": bad.message, "locations": [{"line": bad.pos.line, "column": bad.pos.column}], "extensions": extensions})
        });
        return failed(errors.collect());
    }
    let cost = shared.sdl.cost_with(document, operation, &asked.variables);
    if cost > MAX_COST {
        return too_dear(cost);
    }
    let left = match shared.store().spend(cost) {
        Ok(left) => left,
        Err(left) => return throttled(cost, left),
    };
    let scope = Arc::new(scope_under(fault));
    let granted = Granted(shared.store().spec.scopes.clone());
    let mut request = async_graphql::Request::new(asked.query.as_str())
        .variables(Variables::from_json(Value::Object(asked.variables.clone())))
        .data(Arc::clone(shared))
        .data(Arc::clone(&scope))
        .data(granted);
    if let Some(name) = &asked.operation_name {
        request = request.operation_name(name);
    }
    let response = shared.schema.execute(request).await;
    row.executed = match operation.ty {
        OperationType::Mutation => scope.changed.load(Ordering::Acquire),
        OperationType::Query | OperationType::Subscription => true,
    };
    let mut body = json!({"data": response.data.into_json().unwrap_or(Value::Null)});
    if !response.errors.is_empty() {
        body["errors"] = response.errors.iter().map(|error| json!(error)).collect();
    }
    if let Some(Fault::UserError(code)) = fault {
        put_code(&mut body["data"], code);
    }
    if fault == Some(&Fault::SessionNull) {
        take_objects_out(&mut body["data"]);
    }
    if fault == Some(&Fault::AccessDeniedAfter) {
        let denied = deny_inside(&mut body["data"]);
        match body.get_mut("errors").and_then(Value::as_array_mut) {
            Some(errors) => errors.push(denied),
            None => body["errors"] = json!([denied]),
        }
    }
    body["extensions"] = json!({"cost": priced(cost, Some(cost), left)});
    let search = scope.search.lock().expect("no holder of the list panics");
    if !search.is_empty() {
        body["extensions"]["search"] = json!(*search);
    }
    Answer::json(200, &body)
}

fn scope_under(fault: Option<&Fault>) -> Scope {
    let mut scope = Scope::default();
    if let Some(Fault::LagReads { for_ }) = fault {
        scope.lag = Some(*for_);
    }
    scope.wrong_amount = matches!(fault, Some(Fault::WrongAmount));
    scope.refuse = matches!(fault, Some(Fault::UserError(_)));
    scope
}

/// The code of a fault may be one the schema does not list, as a later version of the real API could send.
fn put_code(data: &mut Value, code: &str) {
    for payload in data.as_object_mut().into_iter().flat_map(|roots| roots.values_mut()) {
        for error in payload.get_mut("userErrors").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(shown) = error.get_mut("code") {
                *shown = json!(code);
            }
        }
    }
}

/// In each payload only the list of user errors is left.
fn take_objects_out(data: &mut Value) {
    let payloads = data.as_object_mut().into_iter().flat_map(|roots| roots.values_mut()).filter_map(Value::as_object_mut);
    for (_, value) in payloads.flat_map(Map::iter_mut).filter(|(_, value)| value.is_object()) {
        *value = Value::Null;
    }
}

/// Fields that may be null, one of which a till is likely to select. A field that may not would take its whole object
/// along.
const NULLABLE: &[&str] = &["openingNote", "closingNote", "activePaymentSession", "cashDrawer", "endCursor"];

/// Takes one field inside the answer away; gives the error that says so.
/// Source: fact sheet of the Admin API, "ACCESS_DENIED" (a mutation that succeeded, with such an error).
fn deny_inside(data: &mut Value) -> Value {
    let mut path = Vec::new();
    let field = deny_first(data, 0, &mut path).unwrap_or_else(|| "location".to_owned());
    let denied = access::denied(&field, access::READ_LOCATIONS);
    json!({"message": denied.message, "path": path, "extensions": denied.extensions})
}

/// The first such field below the root fields is null from now on; its path and its name.
fn deny_first(value: &mut Value, depth: usize, path: &mut Vec<Value>) -> Option<String> {
    let children: Vec<(Value, &mut Value)> = match value {
        Value::Object(fields) => fields.iter_mut().map(|(key, child)| (json!(key), child)).collect(),
        Value::Array(items) => items.iter_mut().enumerate().map(|(at, child)| (json!(at), child)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (key, child) in children {
        path.push(key.clone());
        if let Some(name) = key.as_str().filter(|name| depth > 0 && NULLABLE.contains(name)) {
            *child = Value::Null;
            return Some(name.to_owned());
        }
        if let Some(name) = deny_first(child, depth + 1, path) {
            return Some(name);
        }
        path.pop();
    }
    None
}

/// The most one query may cost on any plan. Source: fact sheet of the Admin API, "Limits".
const MAX_COST: u64 = 1_000;

/// Source: fact sheet of the Admin API, "Limits" (a third party's sample): no data, both costs in the extensions.
fn too_dear(cost: u64) -> Answer {
    let extensions = json!({
        "code": "MAX_COST_EXCEEDED",
        "cost": cost,
        "maxCost": MAX_COST,
        "documentation": "https://shopify.dev/api/usage/rate-limits",
    });
    let message = format!("Query cost is {cost}, which exceeds the single query max cost limit ({MAX_COST}).");
    failed(vec![json!({"message": message, "extensions": extensions})])
}

/// Source: fact sheet of the Admin API, "Limits".
fn priced(requested: u64, actual: Option<u64>, available: u64) -> Value {
    json!({
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {"maximumAvailable": BUCKET, "currentlyAvailable": available, "restoreRate": RESTORE},
    })
}

fn throttled(cost: u64, left: u64) -> Answer {
    let documentation = "https://shopify.dev/api/usage/rate-limits";
    let error = json!({"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": documentation}});
    Answer::json(200, &json!({"errors": [error], "extensions": {"cost": priced(cost, None, left)}}))
}

/// Refused before anything was carried out: errors, and neither data nor cost.
fn failed(errors: Vec<Value>) -> Answer {
    Answer::json(200, &json!({"errors": errors}))
}

fn told(problem: &Problem) -> Value {
    let mut error = json!({
        "message": problem.message,
        "locations": [{"line": problem.pos.line, "column": problem.pos.column}],
    });
    if !problem.path.is_empty() {
        error["path"] = json!(problem.path);
    }
    let mut extensions = Map::new();
    extensions.insert("code".into(), json!(problem.code));
    for (key, value) in &problem.details {
        extensions.insert((*key).into(), json!(value));
    }
    error["extensions"] = Value::Object(extensions);
    error
}

/// What a fault makes of an answer; a fault that keeps the request from being carried out gets one it does not use.
fn spoiled(fault: &Fault, answer: Answer, root: Option<&Root>) -> Outcome {
    let page =
        |title: &str| format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{title}</body></html>\n");
    let answer = match fault {
        Fault::DropBefore => return Outcome::Reset,
        Fault::DropAfter => return Outcome::Close,
        Fault::Stall { after: _, for_ } | Fault::Late { for_ } => return Outcome::Silence(*for_),
        Fault::CutJson => return Outcome::Cut(versioned(answer)),
        Fault::Http { status: 402, after: _ } => Answer::json(402, &json!({"errors": "Unavailable Shop"})),
        Fault::Http { status: 403, after: _ } => {
            Answer::json(403, &json!({"errors": "[API] This action requires merchant approval for a scope."}))
        }
        Fault::Http { status: 423, after: _ } => Answer::json(423, &json!({"errors": "This shop is locked"})),
        Fault::Http { status: 500, after: _ } => Answer::json(500, &json!({"errors": "Internal Server Error"})),
        Fault::Http { status, after: _ } => Answer::text(*status, "text/html", page(&format!("{status} from the gateway"))),
        // A mutation costs about 10 points (fact sheet, "Limits").
        Fault::Throttled => throttled(10, 0),
        Fault::TooMany { retry_after_s } => {
            let mut answer = Answer::json(429, &json!({"errors": "Exceeded the rate limit. Reduce request rates."}));
            answer.headers.push(("retry-after", retry_after_s.to_string()));
            answer
        }
        Fault::Html => Answer::text(200, "text/html; charset=utf-8", page("Something went wrong")),
        Fault::DataNull => Answer::json(200, &json!({"data": null})),
        Fault::AccessDenied => access_denied(root),
        Fault::MaxCost => too_dear(MAX_COST + 1),
        Fault::Unauthorized => unauthorized(),
        Fault::InternalError | Fault::InternalErrorAfter => internal_error(),
        Fault::NotJson => Answer { body: "upstream connect error".into(), ..answer },
        Fault::UserError(_)
        | Fault::AccessDeniedAfter
        | Fault::SessionNull
        | Fault::WrongAmount
        | Fault::LagReads { .. }
        | Fault::Twice => answer,
    };
    Outcome::Answer(versioned(answer))
}

fn access_denied(root: Option<&Root>) -> Answer {
    let (name, key) = root.map_or(("root", "root"), |root| (root.name.as_str(), root.key.as_str()));
    let scopes = if root.is_some_and(|root| root.mutation) { access::WRITE_CASH } else { access::READ_CASH };
    let denied = access::denied(name, scopes);
    let error = json!({"message": denied.message, "path": [key], "extensions": denied.extensions});
    Answer::json(200, &json!({"errors": [error], "data": {key: null}, "extensions": {"cost": priced(10, Some(10), BUCKET)}}))
}

/// Source: fact sheet of the Admin API, "Limits, errors, retrying" (recorded): no path, no cost, data null.
fn internal_error() -> Answer {
    let id = format!("{}-{}", request_id(), clock::shop_seconds(0));
    let message = format!(
        "Internal error. Looks like something went wrong on our end.\nRequest ID: {id} (include this in support requests)."
    );
    let error = json!({"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": id}});
    Answer::json(200, &json!({"errors": [error], "data": null}))
}

//! The paths. Each reads its request, asks a till or the journal, and answers.
use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Doors,
    body::{self, Count, CountBody, Kick, Start, opening_id},
    evidence,
    extract::{Body, InPath, InQuery},
    metrics,
    problem::Problem,
    resolution, stream,
};
use crate::{
    daemon::desk::{Answer, Command, OpeningView, TillHandle, kick_word},
    journal::Row,
    opening::record::Record,
    shift::{Reply, event::OpeningId},
};

pub(super) type Shared = State<Arc<Doors>>;
/// Openings listed unless asked for more.
const LIST: u32 = 20;
/// And at most.
const LONGEST_LIST: u32 = 500;

pub(super) fn all() -> Router<Arc<Doors>> {
    Router::new()
        .route("/v1/tills", get(tills))
        .route("/v1/tills/{till}", get(till))
        .route("/v1/tills/{till}/drawer/kick", post(kick))
        .route("/v1/tills/{till}/openings", post(start).get(openings))
        .route("/v1/tills/{till}/openings/{id}", get(opening).delete(cancel))
        .route("/v1/tills/{till}/openings/{id}/count", put(count))
        .route("/v1/tills/{till}/openings/{id}/resolution", post(resolution::resolve))
        .route("/v1/openings/{id}/slip", post(reprint))
        .route("/v1/events", get(events))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/openapi.json", get(openapi))
        .fallback(|| async { Problem::not_found("this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not take that method: see /openapi.json")
        })
        .layer(DefaultBodyLimit::max(body::LIMIT))
}

pub(super) fn find<'a>(doors: &'a Doors, name: &str) -> Result<&'a TillHandle, Problem> {
    doors
        .tills
        .get(name)
        .ok_or_else(|| Problem::not_found(&format!("the till {:?}", name.chars().take(40).collect::<String>())))
}

/// The till is there no more.
pub(super) fn gone() -> Problem {
    Problem::unavailable("the daemon is stopping: try again when it runs")
}

/// Hands a wish to the till and waits for its answer.
async fn ask(till: &TillHandle, wish: impl FnOnce(Answer) -> Command) -> Result<Reply, Problem> {
    let (reply, answer) = oneshot::channel();
    till.commands.send(wish(reply)).await.map_err(|_| gone())?;
    Ok(answer.await.map_err(|_| gone())??)
}

async fn tills(State(doors): Shared) -> Json<Value> {
    let views: Vec<_> = doors.tills.values().map(|t| t.view.borrow().clone()).collect();
    Json(json!({ "tills": views }))
}

async fn till(State(doors): Shared, InPath(name): InPath<String>) -> Result<Response, Problem> {
    let view = find(&doors, &name)?.view.borrow().clone();
    Ok(Json(view).into_response())
}

async fn kick(
    State(doors): Shared,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    Body(bytes): Body,
) -> Result<Json<Value>, Problem> {
    let asked: Kick = body::read(&headers, &bytes)?;
    let till = find(&doors, &name)?;
    let reason: String = asked.reason.chars().filter(|c| !c.is_control()).take(100).collect();
    let outcome = kick_word(till.kick(&doors.recorder, reason).await?);
    let remedy = match outcome {
        "jammed" => Some("the pulse was sent and the drawer stayed shut: is it locked, or its cable loose?"),
        "not_proven" => Some("the pulse was sent; nothing tells whether the drawer opened: look at it"),
        _ => None,
    };
    Ok(Json(json!({ "outcome": outcome, "remedy": remedy })))
}

async fn start(
    State(doors): Shared,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    Body(bytes): Body,
) -> Result<Response, Problem> {
    let asked: Start = body::read::<Start>(&headers, &bytes)?.checked()?;
    let till = find(&doors, &name)?;
    let Start { staff_member_id, note, reason_code_id } = asked;
    let reply = ask(till, |reply| Command::Start { staff_member_id, note, reason_code_id, reply }).await?;
    match reply {
        Reply::Started(id) => {
            let place = format!("/v1/tills/{}/openings/{id}", till.name);
            Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(json!({ "id": id, "state": "started" })))
                .into_response())
        }
        Reply::Counted | Reply::Cancelled => Err(Problem::unavailable("the till gave another answer than was asked for")),
    }
}

async fn count(
    State(doors): Shared,
    InPath((name, id)): InPath<(String, String)>,
    headers: HeaderMap,
    Body(bytes): Body,
) -> Result<Response, Problem> {
    let till = find(&doors, &name)?;
    let opening = opening_id(&id)?;
    let count = body::read::<CountBody>(&headers, &bytes)?.count(till.currency)?;
    let given = count.clone();
    let wish = |reply| match count {
        Count::Total(total) => Command::PutTotal { opening: opening.clone(), total, reply },
        Count::Lines(lines) => Command::PutLines { opening: opening.clone(), lines, reply },
    };
    let refused = ask(till, wish).await.err();
    let record = of_opening(&doors, till, &opening).await.and_then(|rows| record_of(&opening, &rows));
    match (refused, record) {
        (None, record) => Ok(Json(OpeningView::of(&record?, till.second_slip)).into_response()),
        // A POS that did not get the answer asks once more: nothing new was counted, and nothing else is saved.
        (Some(_), Ok(record)) if record.counted.as_ref().is_some_and(|counted| given.is(counted)) => {
            Ok(Json(OpeningView::of(&record, till.second_slip)).into_response())
        }
        (Some(refused), _) => Err(refused),
    }
}

async fn cancel(State(doors): Shared, InPath((name, id)): InPath<(String, String)>) -> Result<StatusCode, Problem> {
    let till = find(&doors, &name)?;
    let opening = opening_id(&id)?;
    ask(till, |reply| Command::Cancel { opening, why: "given up over the API".to_owned(), reply }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn opening(State(doors): Shared, InPath((name, id)): InPath<(String, String)>) -> Result<Response, Problem> {
    let till = find(&doors, &name)?;
    let id = opening_id(&id)?;
    let rows = of_opening(&doors, till, &id).await?;
    let record = record_of(&id, &rows)?;
    let chain = evidence::read(&doors.recorder, &record, &rows).await?;
    let mut view = serde_json::to_value(OpeningView::of(&record, till.second_slip)).expect("plain fields");
    view["till"] = Value::from(till.name.as_str());
    view["evidence"] = serde_json::to_value(&chain.steps).expect("plain fields");
    view["missing"] = Value::from(chain.missing);
    view["events"] = rows.iter().map(stream::row_json).collect();
    Ok(Json(view).into_response())
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<u32>,
}

async fn openings(
    State(doors): Shared,
    InPath(name): InPath<String>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let till = find(&doors, &name)?;
    let (name, second_slip) = (till.name.clone(), till.second_slip);
    let limit = query.limit.unwrap_or(LIST).clamp(1, LONGEST_LIST);
    let found = doors
        .recorder
        .ask(move |j| {
            let ids = j.openings_of(&name, limit)?;
            ids.into_iter().map(|id| j.of_opening(&id).map(|rows| (id, rows))).collect::<Result<Vec<_>, _>>()
        })
        .await
        .map_err(Problem::unavailable)?;
    let views: Vec<_> = found
        .iter()
        .filter_map(|(id, rows)| Record::read(id, rows.iter().map(|r| (r.at, &r.event))))
        .map(|r| OpeningView::of(&r, second_slip))
        .collect();
    Ok(Json(json!({ "openings": views })))
}

/// The rows of one opening of this till, oldest first.
pub(super) async fn of_opening(doors: &Doors, till: &TillHandle, id: &OpeningId) -> Result<Vec<Row>, Problem> {
    let asked = id.clone();
    let rows = doors.recorder.ask(move |j| j.of_opening(&asked)).await.map_err(Problem::unavailable)?;
    if rows.first().is_some_and(|row| row.till == till.name) { Ok(rows) } else { Err(no_opening(id)) }
}

pub(super) fn record_of(id: &OpeningId, rows: &[Row]) -> Result<Record, Problem> {
    Record::read(id, rows.iter().map(|r| (r.at, &r.event))).ok_or_else(|| no_opening(id))
}

fn no_opening(id: &OpeningId) -> Problem {
    Problem::not_found(&format!("the opening {id}"))
}

async fn reprint(State(doors): Shared, InPath(id): InPath<String>) -> Result<Response, Problem> {
    let id = opening_id(&id)?;
    let asked = id.clone();
    let rows = doors.recorder.ask(move |j| j.of_opening(&asked)).await.map_err(Problem::unavailable)?;
    let till = rows.first().map(|r| r.till.clone()).unwrap_or_default();
    let record = record_of(&id, &rows)?;
    let till = find(&doors, &till)?;
    ask(till, |reply| Command::Reprint { record: Box::new(record), reply }).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "slip": "queued" }))).into_response())
}

async fn events(State(doors): Shared, headers: HeaderMap) -> Response {
    stream::events(doors, &headers).await
}

async fn healthz() -> &'static str {
    "alive\n"
}

async fn readyz(State(doors): Shared) -> Response {
    if doors.recorder.is_failing() {
        return Problem::unavailable("the journal cannot be written: free space on its disk").into_response();
    }
    "ready\n".into_response()
}

async fn metrics_page(State(doors): Shared) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::page(&doors).await).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

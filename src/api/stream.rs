//! `GET /v1/events`: Server-Sent Events, resumed by `Last-Event-ID` without a gap.
//!
//! ## Why it listens before it reads
//! Events told between reading the journal and beginning to listen would be lost. So: listen first, then read what is older,
//! then go on with what was told meanwhile, each `seq` once.
use std::{convert::Infallible, sync::Arc};

use axum::{
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{Doors, problem::Problem};
use crate::journal::Row;

/// Rows read from the journal at once.
const BATCH: u32 = 500;
/// A comment this often keeps proxies and clients from giving up; it is the stream's only idle wake-up.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(30);

/// Answers the request.
pub(super) async fn events(doors: Arc<Doors>, headers: &HeaderMap) -> Response {
    let last = match headers.get("last-event-id").map(|v| v.to_str().ok().and_then(|v| v.trim().parse::<i64>().ok())) {
        None => None,
        // Of another journal, or of one that was put back from a backup. Waiting for that number could last for years.
        Some(Some(seq)) if seq >= doors.recorder.next_seq() => {
            let detail = "Last-Event-ID is ahead of this journal, which has not sent that number: connect again without it, \
                          or with 0 for everything";
            return Problem::bad_request("last_event_id_ahead", detail).into_response();
        }
        Some(Some(seq)) if seq >= 0 => Some(seq),
        Some(_) => {
            return Problem::bad_request("last_event_id", "Last-Event-ID is a number that this stream sent before")
                .into_response();
        }
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    Sse::new(rows(doors, last).map(|row| Ok::<_, Infallible>(sse(&row)))).keep_alive(keep_alive).into_response()
}

struct Reading {
    doors: Arc<Doors>,
    live: tokio::sync::broadcast::Receiver<Arc<Row>>,
    /// The newest row that was sent.
    seq: i64,
    /// Reading the journal until it has nothing newer.
    behind: bool,
    batch: std::collections::VecDeque<Arc<Row>>,
}

fn rows(doors: Arc<Doors>, last: Option<i64>) -> impl Stream<Item = Arc<Row>> {
    let live = doors.recorder.listen();
    let start =
        Reading { live, seq: last.unwrap_or(-1), behind: last.is_some(), batch: std::collections::VecDeque::new(), doors };
    stream::unfold(start, |mut reading| async move {
        let row = reading.next().await?;
        reading.seq = row.seq;
        Some((row, reading))
    })
}

impl Reading {
    async fn next(&mut self) -> Option<Arc<Row>> {
        let mut stop = self.doors.stop.clone();
        loop {
            if let Some(row) = self.batch.pop_front() {
                return Some(row);
            }
            if self.behind {
                let after = self.seq;
                // Asked behind everything recorded so far, so nothing told before is missing.
                let rows = self.doors.recorder.ask(move |j| j.rows_after(after, BATCH)).await.ok()?;
                self.behind = !rows.is_empty();
                self.batch.extend(rows.into_iter().map(Arc::new));
                continue;
            }
            let told = tokio::select! {
                told = self.live.recv() => told,
                _ = stop.wait_for(|stop| *stop) => return None,
            };
            match told {
                Ok(row) if row.seq > self.seq => return Some(row),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.behind = self.seq >= 0,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn sse(row: &Row) -> SseEvent {
    SseEvent::default().id(row.seq.to_string()).event(row.event.name()).data(row_json(row).to_string())
}

/// One event as clients see it: `seq`, `at`, `till`, `opening`, `name` and the event's own fields.
#[must_use]
pub fn row_json(row: &Row) -> Value {
    let mut all = json!({ "seq": row.seq, "at": row.at.to_string(), "till": row.till });
    let own = serde_json::to_value(&row.event).expect("an event has no map keys but strings");
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        if let Some(opening) = &row.opening {
            all.insert("opening".to_owned(), Value::from(opening.as_str()));
        }
        all.extend(own);
    }
    all
}

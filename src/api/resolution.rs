//! `POST …/openings/{id}/resolution`: what a person decides about an opening that cannot be settled without one.
//!
//! ## Why one decision is taken after the other
//! The till is handed what the journal had of the opening when it was asked. Two decisions that are asked for at once must not
//! both be judged by the same history.
use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use tokio::sync::{Mutex, oneshot};

use super::{
    Doors,
    body::{self, opening_id},
    extract::{Body, InPath},
    problem::Problem,
    routes::{Shared, find, gone, of_opening, record_of},
};
use crate::{
    daemon::desk::{Command, OpeningView, ResolveWish, TillHandle},
    journal::Row,
    opening::record::Standing,
    shift::event::{Decision, Event, OpeningId},
};

/// A name, or a till's own word for somebody.
const LONGEST_BY: usize = 80;
/// One sentence or two; it stands in the journal for ever.
const LONGEST_WHY: usize = 300;
/// Decisions are rare: one at a time for all tills.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    decision: Decision,
    #[serde(default)]
    session_id: Option<String>,
    by: String,
    why: String,
}

impl Resolution {
    /// Checks who, why and the session.
    pub fn checked(self) -> Result<Self, Problem> {
        let wrong = |code, detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        for (code, text, longest) in [("by", &self.by, LONGEST_BY), ("why", &self.why, LONGEST_WHY)] {
            if text.trim().is_empty() || text.chars().count() > longest || text.chars().any(char::is_control) {
                return Err(wrong(
                    code,
                    format!("{code} has 1 to {longest} characters on one line: say who decides, and why"),
                ));
            }
        }
        match (self.decision, self.session_id.as_deref()) {
            (Decision::GiveUp, None) => Ok(self),
            (Decision::GiveUp, Some(_)) => {
                Err(wrong("session_id", "giving up is about no session: leave session_id out".to_owned()))
            }
            (Decision::Link | Decision::RecordCount, Some(id)) if is_session(id) => Ok(self),
            (Decision::Link | Decision::RecordCount, id) => {
                let found = id.map_or_else(|| "missing".to_owned(), |id| format!("{id:?}"));
                let detail = format!("session_id is {found}: write gid://shopify/PointOfSaleDevicePaymentSession/NUMBER");
                Err(wrong("session_id", detail))
            }
        }
    }
}

fn is_session(id: &str) -> bool {
    let number = id.strip_prefix("gid://shopify/PointOfSaleDevicePaymentSession/").unwrap_or_default();
    (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

/// The route.
pub(super) async fn resolve(
    State(doors): Shared,
    InPath((name, id)): InPath<(String, String)>,
    headers: HeaderMap,
    Body(bytes): Body,
) -> Result<Json<OpeningView>, Problem> {
    let asked = body::read::<Resolution>(&headers, &bytes)?.checked()?;
    let till = find(&doors, &name)?.clone();
    let opening = opening_id(&id)?;
    // On its own: who asked may hang up, and the next decision still comes after this one.
    let decided = tokio::spawn(decide(doors, till, opening, asked));
    decided
        .await
        .unwrap_or_else(|_| Err(Problem::unavailable("the decision failed inside drawerbridge: see its log")))
        .map(Json)
}

async fn decide(doors: Arc<Doors>, till: TillHandle, opening: OpeningId, asked: Resolution) -> Result<OpeningView, Problem> {
    let _one = ONE_AT_A_TIME.lock().await;
    let rows = of_opening(&doors, &till, &opening).await?;
    let record = record_of(&opening, &rows)?;
    if let Some(settled) = settled(&record.standing, &rows, asked.decision) {
        return Err(settled);
    }
    let Resolution { decision, session_id, by, why } = asked;
    let history = rows.into_iter().map(|row| row.event).collect();
    let [by, why] = [by, why].map(|text| text.trim().to_owned());
    let wish = ResolveWish { opening: opening.clone(), history, by, why, decision, session_id };
    let (reply, answer) = oneshot::channel();
    till.commands.send(Command::Resolve { wish, reply }).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())??;
    let rows = of_opening(&doors, &till, &opening).await?;
    Ok(OpeningView::of(&record_of(&opening, &rows)?, till.second_slip))
}

/// Why nothing is left to decide. The till has the last word; this one names what came before.
fn settled(standing: &Standing, rows: &[Row], wanted: Decision) -> Option<Problem> {
    let conflict = |code, detail: String| Some(Problem::new(StatusCode::CONFLICT, code, detail));
    match standing {
        Standing::NeedsAttention { .. } => None,
        Standing::Started | Standing::Cancelled { .. } => conflict(
            "not_counted",
            "it was never counted, so there is nothing to decide: open the drawer to count".to_owned(),
        ),
        // Where it hangs, it can be linked or given up; whether it may be now, the machine knows.
        Standing::Counted | Standing::Sending | Standing::Waiting { .. } | Standing::Unknown { .. }
            if wanted != Decision::RecordCount =>
        {
            None
        }
        Standing::Counted | Standing::Sending | Standing::Waiting { .. } | Standing::Unknown { .. } => {
            // What was asked again since is in a person's hands, and was met above.
            let by = rows.iter().rev().find_map(|row| {
                if let Event::OpeningResolved { by, decision: Decision::RecordCount, .. } = &row.event {
                    Some(by)
                } else {
                    None
                }
            })?;
            let detail = format!(
                "it is settled already, as far as a person can: {by} wants it recorded as a mid-session count, which is on \
                 its way"
            );
            conflict("settled_already", detail)
        }
        Standing::Confirmed { session } | Standing::Recorded { session } => {
            conflict("settled_already", format!("it is settled already: {}, {}", standing.name(), session.id))
        }
        Standing::Refused { .. } | Standing::Stale { .. } | Standing::GivenUp { .. } => {
            let why = standing.why().unwrap_or_default();
            conflict("settled_already", format!("it is settled already: {} ({why})", standing.name().replace('_', " ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Resolution, Problem> {
        serde_json::from_str::<Resolution>(text).map_err(|e| Problem::bad_request("body", e.to_string()))?.checked()
    }

    #[test]
    fn what_hangs_on_its_way_can_be_linked_or_given_up_and_not_recorded_twice() {
        let decided =
            Event::OpeningResolved { by: "Kim".into(), why: "x".into(), decision: Decision::RecordCount, session: None };
        let at = jiff::Timestamp::UNIX_EPOCH;
        let rows = [Row { seq: 1, at, till: "front-1".into(), opening: Some(OpeningId::from_bits(1)), event: decided }];
        for standing in [Standing::Waiting { why: "402".into() }, Standing::Unknown { why: "lost".into() }] {
            assert!(settled(&standing, &rows, Decision::RecordCount).is_some());
            assert!(settled(&standing, &rows, Decision::Link).is_none());
            assert!(settled(&standing, &rows, Decision::GiveUp).is_none());
            assert!(settled(&standing, &[], Decision::RecordCount).is_none());
        }
        assert!(settled(&Standing::Stale { why: "x".into() }, &rows, Decision::GiveUp).is_some());
    }

    #[test]
    fn a_decision_says_who_why_and_about_which_session() {
        let session = r#""session_id":"gid://shopify/PointOfSaleDevicePaymentSession/1002""#;
        for good in [
            format!(r#"{{"decision":"link",{session},"by":"Kim","why":"it is ours"}}"#),
            format!(r#"{{"decision":"record_count",{session},"by":"Kim","why":"it is ours"}}"#),
            r#"{"decision":"give_up","by":"Kim","why":"counted again"}"#.to_owned(),
            format!(r#"{{"decision":"give_up","by":"{}","why":"{}"}}"#, "é".repeat(80), "é".repeat(300)),
        ] {
            assert!(read(&good).is_ok(), "{good}");
        }
        for bad in [
            format!(r#"{{"decision":"give_up",{session},"by":"Kim","why":"x"}}"#),
            r#"{"decision":"link","by":"Kim","why":"x"}"#.to_owned(),
            r#"{"decision":"link","session_id":null,"by":"Kim","why":"x"}"#.to_owned(),
            r#"{"decision":"link","session_id":"1002","by":"Kim","why":"x"}"#.to_owned(),
            r#"{"decision":"link","session_id":"gid://shopify/CashDrawer/1","by":"Kim","why":"x"}"#.to_owned(),
            r#"{"decision":"link","session_id":"gid://shopify/PointOfSaleDevicePaymentSession/1x","by":"K","why":"x"}"#
                .to_owned(),
            r#"{"decision":"link","session_id":"gid://shopify/PointOfSaleDevicePaymentSession/","by":"K","why":"x"}"#
                .to_owned(),
            r#"{"decision":"forget","by":"Kim","why":"x"}"#.to_owned(),
            r#"{"decision":"give_up","why":"x"}"#.to_owned(),
            r#"{"decision":"give_up","by":"Kim"}"#.to_owned(),
            r#"{"decision":"give_up","by":" ","why":"x"}"#.to_owned(),
            r#"{"decision":"give_up","by":"Kim","why":""}"#.to_owned(),
            r#"{"decision":"give_up","by":"Kim","why":"a\nb"}"#.to_owned(),
            r#"{"decision":"give_up","by":"Kim","why":"\u001b[2J"}"#.to_owned(),
            format!(r#"{{"decision":"give_up","by":"{}","why":"x"}}"#, "x".repeat(81)),
            format!(r#"{{"decision":"give_up","by":"Kim","why":"{}"}}"#, "x".repeat(301)),
            r#"{"decision":"give_up","by":"Kim","why":"x","force":true}"#.to_owned(),
            r#"{"decision":"give_up","by":"Kim","by":"Lee","why":"x"}"#.to_owned(),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}

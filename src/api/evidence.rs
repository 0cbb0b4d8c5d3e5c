//! The chain of evidence of one opening: from the drawer's edge or the POS to Shopify's id and the slip, each link with its row
//! in the journal, and what is missing in it.
use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;

use super::problem::Problem;
use crate::{
    daemon::recorder::Recorder,
    journal::{Row, chain},
    money::with_decimals,
    opening::record::{Record, SlipState, Standing},
    shift::event::{Counted, Decision, Event, Money, Preflight, SessionFacts, StartedBy},
};

/// An edge of the drawer longer ago than this did not start the opening.
const STARTED_BY_EDGE: SignedDuration = SignedDuration::from_mins(10);

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// What kind: `drawer`, `started`, `counted`, `intent`, …
    step: &'static str,
    /// When; RFC 3339, UTC.
    at: String,
    /// What happened, for people.
    what: String,
    /// More of it, a line each.
    details: Vec<String>,
    /// What proves it, beside the row.
    proof: Option<&'static str>,
    /// The journal's row.
    seq: i64,
    /// Its hash, hexadecimal; `null` when its content does not fit it.
    hash: Option<String>,
}

/// The whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// Oldest first.
    pub steps: Vec<Step>,
    /// What is not proven, or not there.
    pub missing: Vec<String>,
}

/// Reads what the journal has beside the opening's own rows.
pub(super) async fn read(recorder: &Recorder, record: &Record, rows: &[Row]) -> Result<Chain, Problem> {
    let begin = rows.first().filter(|_| record.by == Some(StartedBy::Drawer));
    let before = begin.map(|row| (row.till.clone(), row.seq));
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let asked = recorder.ask(move |journal| {
        let edge = before.map(|(till, seq)| journal.drawer_before(&till, seq)).transpose()?.flatten();
        let mut hashes = BTreeMap::new();
        for seq in seqs.into_iter().chain(edge.as_ref().map(|row| row.seq)) {
            hashes.extend(journal.hash_of(seq)?.map(|hash| (seq, hash)));
        }
        Ok((edge, hashes))
    });
    let (edge, hashes) = asked.await.map_err(Problem::unavailable)?;
    Ok(chain(record, edge.as_ref(), rows, &hashes))
}

fn chain(record: &Record, edge: Option<&Row>, rows: &[Row], hashes: &BTreeMap<i64, [u8; 32]>) -> Chain {
    let edge = edge.filter(|edge| record.at.duration_since(edge.at) < STARTED_BY_EDGE);
    let hex = |seq: i64| hashes.get(&seq).map(|hash| chain::hex(hash));
    let link = |row: &Row| {
        let (step, what, details, proof) = told(record, &row.event)?;
        Some(Step { step, at: row.at.to_string(), what, details, proof, seq: row.seq, hash: hex(row.seq) })
    };
    let steps: Vec<Step> = edge.into_iter().chain(rows).filter(|row| !ended_later(row, rows)).filter_map(link).collect();
    let missing = missing(record, edge, rows, &steps);
    Chain { steps, missing }
}

/// The beginning of a slip tells nothing once its end is there.
fn ended_later(row: &Row, rows: &[Row]) -> bool {
    let Event::SlipSending { kind: begun } = &row.event else { return false };
    rows.iter().filter(|later| later.seq > row.seq).any(
        |later| matches!(&later.event, Event::SlipPrinted { kind, .. } | Event::SlipNotProven { kind, .. } if kind == begun),
    )
}

type Told = (&'static str, String, Vec<String>, Option<&'static str>);

/// One row in words; nothing for rows that belong to no opening.
fn told(record: &Record, event: &Event) -> Option<Told> {
    let plain = |step, what: String| Some((step, what, vec![], None));
    match event {
        Event::DrawerOpened { by } => {
            let what =
                if by == "command" { "the drawer was opened by a kick" } else { "the drawer was opened with its key" };
            Some(("drawer", what.to_owned(), vec![], Some("its sense line")))
        }
        Event::OpeningStarted { by: StartedBy::Drawer } => plain("started", "the opened drawer began it".to_owned()),
        Event::OpeningStarted { by: StartedBy::Api } => plain("started", "the POS or a script began it (API)".to_owned()),
        Event::OpeningCancelled { why } => plain("cancelled", why.clone()),
        Event::OpeningCounted(counted) => Some(count(counted)),
        Event::OpeningSending { attempt, variables, into, preflight } => {
            let what = match into {
                None => format!("attempt {attempt}: to open a session with it"),
                Some(into) => format!("attempt {attempt}: as a mid-session count into session {}", number(&into.id)),
            };
            let mut details = vec![];
            details.extend(variables.get("note").and_then(|n| n.as_str()).map(|note| format!("note at Shopify: {note}")));
            let time = variables.get("time").and_then(|t| t.as_str());
            details.push(
                time.map_or_else(
                    || "time sent: none, Shopify's clock counts".to_owned(),
                    |time| format!("time sent: {time}"),
                ),
            );
            details.extend(into.as_ref().map(|into| format!("that session: {}", session(into))));
            details.extend(preflight.iter().flat_map(seen_before));
            Some(("intent", what, details, Some("on disk before the first byte left")))
        }
        Event::OpeningNotSent { attempt, why } => {
            plain("not sent", format!("attempt {attempt} certainly did not run: {why}"))
        }
        Event::OpeningUnknown { attempt, why, already_open: false } => {
            plain("unknown", format!("nobody knows whether attempt {attempt} ran: {why}"))
        }
        Event::OpeningUnknown { attempt, why, already_open: true } => {
            plain("unknown", format!("attempt {attempt} did not run: {why}"))
        }
        Event::OpeningAbsent { attempt, reads } => {
            let what = format!("attempt {attempt} did not arrive: {reads} healthy reads do not show it");
            Some(("absent", what, vec![], Some("read at Shopify after the quiet period")))
        }
        Event::OpeningConfirmed { how, session: found } => {
            let proof =
                if how == "answered" { "Shopify's answer to the request" } else { "found by reading Shopify's sessions" };
            let mut details = vec![session(found)];
            details.extend(amounts_differ(record, found));
            Some(("confirmed", format!("Shopify has it: session {}", number(&found.id)), details, Some(proof)))
        }
        Event::OpeningRecorded { how, session: found } => {
            let proof =
                if how == "answered" { "Shopify's answer to the request" } else { "found by reading the session's ledger" };
            let what = format!("Shopify has it as a mid-session count of session {}", number(&found.id));
            Some(("recorded", what, vec![session(found)], Some(proof)))
        }
        Event::OpeningRefused { code, message, .. } => {
            Some(("refused", format!("Shopify refused: {code}: {message}"), vec![], Some("Shopify's answer")))
        }
        Event::OpeningNeedsAttention { kind, why, session: found, .. } => {
            let mut details = vec![format!("kind: {kind}")];
            details.extend(found.as_ref().map(|found| format!("session {}: {}", number(&found.id), session(found))));
            Some(("attention", format!("a person must decide: {why}"), details, None))
        }
        Event::OpeningStale { why, .. } => plain("stale", format!("not sent, to be counted again: {why}")),
        Event::OpeningResolved { by, why, decision, session: about } => {
            let which = about.as_ref().map(|about| number(&about.id)).unwrap_or_default();
            let what = match decision {
                Decision::Link => format!("{by} decided: session {which} is this count's"),
                Decision::RecordCount => format!("{by} decided: it goes as a mid-session count into session {which}"),
                Decision::GiveUp => format!("{by} gave it up"),
            };
            let mut details = vec![format!("why: {why}")];
            if *decision == Decision::Link {
                details.extend(about.as_ref().map(|about| format!("session {which}: {}", session(about))));
                details.extend(about.as_ref().and_then(|about| amounts_differ(record, about)));
            }
            Some(("decided", what, details, Some("a person's word")))
        }
        Event::SlipSending { kind } => plain("slip", format!("the {kind} slip goes to the printer")),
        Event::SlipPrinted { kind, proof } => {
            let details = vec![format!("the printer's answer: {proof}")];
            Some(("slip", format!("the {kind} slip is on paper"), details, Some("the printer's own word")))
        }
        Event::SlipNotProven { kind, why } => plain("slip", format!("nothing proves the {kind} slip: {why}")),
        Event::ShiftClosed { session_id } => {
            let what = format!("session {} was closed: the shift is over", number(session_id));
            Some(("closed", what, vec![], Some("read at Shopify")))
        }
        Event::DaemonStarted { .. }
        | Event::DrawerClosed { .. }
        | Event::DrawerKicked { .. }
        | Event::DrawerLeftOpen {}
        | Event::PrinterStatus { .. }
        | Event::DisplayStatus { .. }
        | Event::KeypadStatus { .. } => None,
    }
}

fn count(counted: &Counted) -> Told {
    let mut details = vec![];
    if !counted.lines.is_empty() {
        let pieces = counted.lines.iter().map(|line| format!("{} x {}", line.pieces, line.denomination));
        details.push(pieces.collect::<Vec<_>>().join(", "));
    }
    details.push(format!("staff: {} ({})", counted.staff_name, short(&counted.staff_member_id)));
    details.push(format!("register: {}", short(&counted.point_of_sale_device_id)));
    details.extend(counted.reason_code_id.as_ref().map(|id| format!("reason: {}", short(id))));
    details.extend(Some(&counted.note).filter(|note| !note.is_empty()).map(|note| format!("note: {note}")));
    let what = format!("{} counted {}", counted.staff_name, money(&counted.balance));
    ("counted", what, details, Some("on disk before the display said SAVED"))
}

/// What the harmless read before the attempt saw.
fn seen_before(preflight: &Preflight) -> Vec<String> {
    let Preflight { drawer, shared_with, skew_s, api_version, warnings } = preflight;
    let mut seen = vec![];
    seen.push(match drawer {
        Some(drawer) if shared_with.is_empty() => format!("before it: {}, used by this device only", short(drawer)),
        Some(drawer) => {
            let others: Vec<&str> = shared_with.iter().map(|id| short(id)).collect();
            format!("before it: {}, shared with {}", short(drawer), others.join(", "))
        }
        None => "before it: no drawer of this device was seen at Shopify".to_owned(),
    });
    let clock = skew_s.map(|s| match s {
        0 => "this PC's clock agrees with Shopify's".to_owned(),
        1.. => format!("this PC's clock is {s} s ahead of Shopify's"),
        ..0 => format!("this PC's clock is {} s behind Shopify's", s.unsigned_abs()),
    });
    let version = api_version.as_ref().map(|version| format!("API {version}"));
    let more: Vec<String> = clock.into_iter().chain(version).collect();
    seen.extend(Some(more.join(", ")).filter(|more| !more.is_empty()).map(|more| format!("before it: {more}")));
    seen.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    seen
}

fn missing(record: &Record, edge: Option<&Row>, rows: &[Row], steps: &[Step]) -> Vec<String> {
    let mut missing = vec![];
    let mut lacks = |is: bool, what: &str| {
        if is {
            missing.push(what.to_owned());
        }
    };
    lacks(record.by.is_none(), "no row says what began it");
    let by_drawer = record.by == Some(StartedBy::Drawer);
    lacks(by_drawer && edge.is_none(), "no row of the drawer's edge stands before it");
    let cancelled = matches!(record.standing, Standing::Cancelled { .. });
    lacks(record.counted.is_none() && !cancelled, "no count yet");
    if record.counted.is_some() {
        let sent = rows.iter().any(|row| matches!(row.event, Event::OpeningSending { .. }));
        let settled = record.standing.is_settled();
        let at_shopify = matches!(record.standing, Standing::Confirmed { .. } | Standing::Recorded { .. });
        lacks(!sent && settled, "nothing was ever sent to Shopify");
        lacks(!sent && !settled, "nothing was sent to Shopify yet");
        lacks(sent && !settled, "no answer of Shopify is certain yet");
        lacks(sent && settled && !at_shopify, "nothing shows this count at Shopify");
        let linked = |row: &Row| matches!(row.event, Event::OpeningResolved { decision: Decision::Link, .. });
        let answered = |row: &Row| matches!(row.event, Event::OpeningConfirmed { .. });
        lacks(
            rows.iter().any(linked) && !rows.iter().any(answered),
            "that the session is this count's is a person's word; Shopify did not answer so",
        );
        match record.slip_state(false) {
            SlipState::None | SlipState::Owed => lacks(true, "no slip was printed yet"),
            SlipState::Sending | SlipState::NotProven => lacks(true, "no proof of the slip: look at the paper"),
            SlipState::Printed => {}
        }
    }
    let torn: Vec<String> = steps.iter().filter(|s| s.hash.is_none()).map(|s| s.seq.to_string()).collect();
    if !torn.is_empty() {
        let which = torn.join(", ");
        missing.push(format!("row {which} does not fit its hash: run `drawerbridge journal verify`"));
    }
    missing
}

/// Two people should look when Shopify has another amount than was counted.
fn amounts_differ(record: &Record, session: &SessionFacts) -> Option<String> {
    let counted = &record.counted.as_ref()?.balance;
    (!counted.equals(&session.counted)).then(|| format!("not the amount that was counted: {}", money(counted)))
}

fn session(session: &SessionFacts) -> String {
    let SessionFacts { id: _, status, opening_time, opening_note, counted, expected } = session;
    let mut text = format!("{} since {opening_time}, opened with {}", status.to_ascii_lowercase(), money(counted));
    if status != "OPEN" {
        text = format!("{}, opened {opening_time} with {}", status.to_ascii_lowercase(), money(counted));
    }
    if let Some(expected) = expected {
        text.push_str(&format!(", {} expected", money(expected)));
    }
    match opening_note.as_deref() {
        Some(note) if !note.is_empty() => text.push_str(&format!(", note \"{note}\"")),
        Some(_) | None => {}
    }
    text
}

fn money(money: &Money) -> String {
    with_decimals(&money.amount, &money.currency)
}

fn short(id: &str) -> &str {
    id.strip_prefix("gid://shopify/").unwrap_or(id)
}

fn number(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::shift::event::{OpeningId, sample};

    fn rows(events: Vec<Event>) -> Vec<Row> {
        let row = |(seq, event)| {
            let opening = Some(OpeningId::from_bits(1));
            Row { seq, at: Timestamp::UNIX_EPOCH, till: "front-1".into(), opening, event }
        };
        (1..).zip(events).map(row).collect()
    }

    fn of(edge: Option<&Row>, events: Vec<Event>) -> Chain {
        let rows = rows(events);
        let record = Record::read(&OpeningId::from_bits(1), rows.iter().map(|r| (r.at, &r.event))).unwrap();
        let hashes = rows.iter().chain(edge).map(|row| (row.seq, [7; 32])).collect();
        chain(&record, edge, &rows, &hashes)
    }

    fn started() -> Event {
        Event::OpeningStarted { by: StartedBy::Drawer }
    }

    fn counted() -> Event {
        Event::OpeningCounted(sample::counted())
    }

    fn intent() -> Event {
        let variables = serde_json::json!({ "note": "[db:0000000001]" });
        let preflight = Preflight {
            drawer: Some("gid://shopify/CashDrawer/1".into()),
            shared_with: vec!["gid://shopify/PointOfSaleDevice/2".into()],
            skew_s: Some(-300),
            api_version: Some("2026-07".into()),
            warnings: vec!["look at it".into()],
        };
        Event::OpeningSending { attempt: 1, variables, into: None, preflight: Some(preflight) }
    }

    fn slip() -> [Event; 2] {
        let kind = || "first".to_owned();
        [Event::SlipSending { kind: kind() }, Event::SlipPrinted { kind: kind(), proof: "GS r".into() }]
    }

    #[test]
    fn a_whole_chain_lacks_nothing() {
        let edge = Row {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            till: "front-1".into(),
            opening: None,
            event: Event::DrawerOpened { by: "key".into() },
        };
        let [begun, printed] = slip();
        let whole = of(Some(&edge), vec![started(), counted(), intent(), sample::confirmed(), begun, printed]);
        assert_eq!(whole.missing, [] as [&str; 0]);
        let steps: Vec<_> = whole.steps.iter().map(|step| step.step).collect();
        assert_eq!(steps, ["drawer", "started", "counted", "intent", "confirmed", "slip"]);
        assert_eq!(
            whole.steps[3].details,
            [
                "note at Shopify: [db:0000000001]",
                "time sent: none, Shopify's clock counts",
                "before it: CashDrawer/1, shared with PointOfSaleDevice/2",
                "before it: this PC's clock is 300 s behind Shopify's, API 2026-07",
                "warning: look at it",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let missing = |events| of(None, events).missing.join("; ");
        assert_eq!(missing(vec![started()]), "no row of the drawer's edge stands before it; no count yet");
        let cancelled = Event::OpeningCancelled { why: "x".into() };
        assert_eq!(missing(vec![Event::OpeningStarted { by: StartedBy::Api }, cancelled]), "");
        let rest = "no row says what began it";
        assert_eq!(missing(vec![counted()]), format!("{rest}; nothing was sent to Shopify yet; no slip was printed yet"));
        let [begun, printed] = slip();
        let torn = vec![counted(), intent(), begun.clone()];
        let no_proof = "no proof of the slip: look at the paper";
        assert_eq!(missing(torn), format!("{rest}; no answer of Shopify is certain yet; {no_proof}"));
        let given_up =
            Event::OpeningResolved { by: "Kim".into(), why: "x".into(), decision: Decision::GiveUp, session: None };
        let gone = vec![counted(), intent(), begun.clone(), printed.clone(), given_up];
        assert_eq!(missing(gone), format!("{rest}; nothing shows this count at Shopify"));
        let Event::OpeningConfirmed { session, .. } = sample::confirmed() else { panic!("confirmed") };
        let linked = Event::OpeningResolved {
            by: "Kim".into(),
            why: "x".into(),
            decision: Decision::Link,
            session: Some(SessionFacts { counted: Money { amount: "90.0".into(), currency: "USD".into() }, ..session }),
        };
        let chain = of(None, vec![counted(), intent(), begun, printed, linked]);
        assert!(chain.missing[1].contains("is a person's word"), "{:?}", chain.missing);
        assert!(chain.steps[4 - 1].details.iter().any(|d| d == "not the amount that was counted: 150.00 USD"), "{chain:?}");
    }

    #[test]
    fn a_row_that_does_not_fit_its_hash_is_named() {
        let rows = rows(vec![counted()]);
        let record = Record::read(&OpeningId::from_bits(1), rows.iter().map(|r| (r.at, &r.event))).unwrap();
        let chain = chain(&record, None, &rows, &BTreeMap::new());
        assert!(chain.missing.iter().any(|what| what.starts_with("row 1 does not fit its hash")), "{:?}", chain.missing);
    }
}

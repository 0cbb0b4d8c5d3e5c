//! What must be true when a run is over, by what the shop itself has and saw.
use std::{collections::BTreeMap, time::Instant};

use drawerbridge::{
    journal::Row,
    opening::OnForeign,
    shift::event::{Counted, Decision, Event, Money, OpeningId, SessionFacts},
};
use drawerbridge_hil::admin::{RequestRow, SessionRow};
use serde_json::Value;

use super::{
    cells::{At, End},
    drive::Run,
};

/// Everything that is wrong with this run.
pub async fn check(run: &mut Run<'_>, end: &End) -> Vec<String> {
    let mut wrong = two_in_doubt(&run.rows());
    let run = &*run;
    let reference = format!("[db:{}]", run.id);
    let sessions = run.desk.api.sessions();
    let ours: Vec<&SessionRow> =
        sessions.iter().filter(|s| s.note.as_deref().is_some_and(|note| note.contains(&reference))).collect();
    if ours.len() > 1 {
        wrong.push(format!("DUPLICATE: {} sessions carry the reference", ours.len()));
    }
    confirmation(run, end, &ours, &mut wrong);
    requests(run, &mut wrong);
    ledger(run, end, &mut wrong).await;
    if let Err(why) = may_end(run, end, &ours) {
        wrong.push(why);
    }
    wrong
}

fn confirmation(run: &Run<'_>, end: &End, ours: &[&SessionRow], wrong: &mut Vec<String>) {
    match end {
        End::Confirmed => {
            let session = last_session(run).expect("a confirmation names its session");
            let there = ours.iter().any(|row| row.gid == session.id && same_money(&row.amount, &run.counted.balance.amount));
            if !there {
                wrong.push(format!("FALSE CONFIRMATION: {} is not at the shop with our reference and money", session.id));
            }
        }
        End::Refused(_) | End::Recorded | End::Stale | End::GivenUp if !ours.is_empty() => {
            wrong.push(format!("FALSE END: {end}, and the shop has the session {}", ours[0].gid));
        }
        End::Refused(_) | End::Recorded | End::Stale | End::GivenUp | End::Asked(_) => {}
    }
}

/// Two openings of one device must not be in doubt at once: the journal's rows, one after the other, say which are.
pub fn two_in_doubt(rows: &[Row]) -> Vec<String> {
    let (mut devices, mut in_doubt, mut wrong) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for row in rows {
        let Some(opening) = &row.opening else { continue };
        let begins = match &row.event {
            Event::OpeningCounted(counted) => {
                devices.insert(opening, &counted.point_of_sale_device_id);
                true
            }
            Event::OpeningSending { .. } | Event::OpeningResolved { decision: Decision::RecordCount, .. } => true,
            _ => false,
        };
        let Some(device) = devices.get(opening) else {
            wrong.push(format!("row {}: {} of {opening}, which was never counted", row.seq, row.event.name()));
            continue;
        };
        if begins {
            let first = *in_doubt.entry(*device).or_insert(opening);
            if first != opening {
                wrong.push(format!("TWO IN DOUBT: row {} begins {opening} for {device} before {first} is settled", row.seq));
            }
        } else if row.event.settles() && in_doubt.get(device) == Some(&opening) {
            in_doubt.remove(device);
        }
    }
    wrong
}

/// A journal that took two counts of one device is found out.
pub fn finds_two_in_doubt() -> bool {
    let money = Money { amount: "150.00".into(), currency: "USD".into() };
    let counted = |device: &str| {
        Event::OpeningCounted(Counted {
            staff_name: "Robin".into(),
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            point_of_sale_device_id: device.into(),
            reason_code_id: None,
            balance: money.clone(),
            lines: vec![],
            time: String::new(),
            note: String::new(),
        })
    };
    let row = |seq: i64, opening: u64, event: Event| {
        let (at, till, opening) = (jiff::Timestamp::UNIX_EPOCH, String::new(), Some(OpeningId::from_bits(opening)));
        Row { seq, at, till, opening, event }
    };
    let settled = || Event::OpeningStale { why: String::new(), prompt: [String::new(), String::new()] };
    let fine = [row(1, 1, counted("a")), row(2, 2, counted("b")), row(3, 1, settled()), row(4, 3, counted("a"))];
    let both = [row(1, 1, counted("a")), row(2, 2, counted("a")), row(3, 1, settled())];
    two_in_doubt(&fine).is_empty() && matches!(&two_in_doubt(&both)[..], [one] if one.starts_with("TWO IN DOUBT"))
}

/// Each mutation had its durable intent, and the next one the proof that the one before did not run.
fn requests(run: &Run<'_>, wrong: &mut Vec<String>) {
    let mark = format!("[db:{}", run.id);
    let is_ours = |row: &RequestRow| row.variables.get("note").and_then(Value::as_str).is_some_and(|n| n.contains(&mark));
    let mut sent: Vec<RequestRow> = run.desk.api.requests().into_iter().filter(is_ours).collect();
    sent.sort_by_key(|row| row.at);
    for row in &sent {
        let meant = |(at, event): &(Instant, Event)| {
            *at <= row.at && matches!(event, Event::OpeningSending { variables, .. } if *variables == row.variables)
        };
        if !run.durable.iter().any(meant) {
            wrong.push(format!("NO INTENT: {} was sent before its intent was durable", row.operation));
        }
    }
    for pair in sent.windows(2) {
        let (first, second) = (&pair[0], &pair[1]);
        // 401 proves that it did not run; the client sends it once more with a new token.
        if first.status == 401 {
            continue;
        }
        let proof = run.durable.iter().find(|(at, event)| first.at < *at && *at < second.at && is_proof(event));
        let from_open_to_count = first.operation == "OpenSession" && second.operation == "CountSession";
        match proof {
            None if from_open_to_count && !first.executed => {}
            None => wrong.push(format!("RESENT WITHOUT PROOF: {} after {}", second.operation, first.operation)),
            Some((_, event)) if first.executed && !is_beyond_the_promise(run) => {
                wrong.push(format!("WRONG PROOF: {} and the attempt had run", event.name()));
            }
            Some(_) => {}
        }
        if first.operation == "CountSession" && second.operation == "OpenSession" {
            wrong.push("SENT BOTH: an opening was sent after a count".to_owned());
        }
    }
}

const fn is_proof(event: &Event) -> bool {
    matches!(
        event,
        Event::OpeningAbsent { .. } | Event::OpeningNotSent { .. } | Event::OpeningUnknown { already_open: true, .. }
    )
}

/// Reads lag for longer than the quiet period, or a proxy sends twice: that cannot be told from absence. The fence holds.
fn is_beyond_the_promise(run: &Run<'_>) -> bool {
    (run.cell.at == At::FenceOurs && run.plan.by_lag) || sent_twice(run)
}

fn sent_twice(run: &Run<'_>) -> bool {
    run.troubles.iter().any(|t| t.is("twice"))
}

/// One line of ours at most, and one if it is called recorded.
async fn ledger(run: &Run<'_>, end: &End, wrong: &mut Vec<String>) {
    let into = |(_, event): &(Instant, Event)| match event {
        Event::OpeningSending { into: Some(session), .. } => Some(session.id.clone()),
        _ => None,
    };
    let Some(session) = run.durable.iter().find_map(into) else {
        if *end == End::Recorded {
            wrong.push("recorded without an intent".to_owned());
        }
        return;
    };
    match run.ledger(&session).await {
        Err(why) => wrong.push(why),
        Ok(ledger) => {
            let mine =
                ledger.counts.iter().filter(|line| same_money(&line.counted.amount, &run.counted.balance.amount)).count();
            if mine != ledger.counts.len() {
                wrong.push(format!("the ledger of {session} has another count than ours"));
            }
            // Nothing at Shopify fences a count that a proxy sends twice.
            if mine > 1 + usize::from(sent_twice(run)) {
                wrong.push(format!("DUPLICATE: {mine} counts of ours in {session}"));
            }
            if *end == End::Recorded && mine == 0 {
                wrong.push(format!("FALSE CONFIRMATION: recorded, and no count is in {session}"));
            }
        }
    }
}

/// Whether what happened can lead to this end at all.
fn may_end(run: &Run<'_>, end: &End, ours: &[&SessionRow]) -> Result<(), String> {
    let attempts = run.durable.iter().filter(|(_, e)| matches!(e, Event::OpeningSending { attempt: 3, .. })).count();
    let counted_into = run.durable.iter().any(|(_, e)| matches!(e, Event::OpeningSending { into: Some(_), .. }));
    let had = |name: &str| run.troubles.iter().any(|t| t.is(name));
    let refused = run.troubles.iter().any(|t| t.refusal().is_some());
    let may = match end {
        End::Confirmed => true,
        End::Refused(code) => run.troubles.iter().any(|t| t.refusal() == Some(code)),
        End::Recorded => run.strangers,
        End::Asked(kind) => match kind.as_str() {
            "foreign_session" => run.strangers && run.plan.on_foreign == OnForeign::Ask,
            "hidden_session" => had("user-error-ALREADY_OPEN") || had("lag-reads") || run.closed,
            "ambiguous" => had("wrong-amount") || counted_into || (run.plan.same_money && run.strangers),
            "attempts_used_up" => attempts > 0,
            "count_refused" => refused || had("user-error-ALREADY_OPEN") || run.closed,
            _ => false,
        },
        End::Stale | End::GivenUp => false,
    };
    if !may {
        return Err(format!("nothing that happened leads to this end: {end}"));
    }
    if let End::Asked(kind) = end
        && kind == "attempts_used_up"
        && !ours.is_empty()
        && !is_beyond_the_promise(run)
    {
        return Err("FALSE END: it is called absent three times, and the shop has it".to_owned());
    }
    Ok(())
}

fn last_session<'a>(run: &'a Run<'_>) -> Option<&'a SessionFacts> {
    match &run.durable.last()?.1 {
        Event::OpeningConfirmed { session, .. } => Some(session),
        _ => None,
    }
}

fn same_money(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<rust_decimal::Decimal>().ok();
    number(one).is_some_and(|n| number(other) == Some(n))
}

//! The invariants, each with a name. They are checked where they could break: at the display, at the disk, at the network and
//! at the server, which know what the machines do not.
use drawerbridge::{
    config::Echo,
    device::Frame,
    journal::Row,
    opening::{Mutation, record::Record},
    shift::event::{Decision, Event, Money, OpeningId, SessionFacts},
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    assumptions::{HOUR, MIN, Ms},
    world::World,
};

/// An answer of the display or the log is due after ten minutes; a note may stand for a minute before it.
const SILENT_FOR: Ms = 11 * MIN;

fn same(one: &Money, other: &Money) -> bool {
    let number = |m: &Money| m.amount.parse::<Decimal>().ok();
    one.currency == other.currency && number(one).is_some_and(|n| number(other) == Some(n))
}

fn balance_of(variables: &Value) -> Money {
    let text = |name: &str| variables["balance"][name].as_str().unwrap_or_default().to_owned();
    Money { amount: text("amount"), currency: text("currencyCode") }
}

impl World {
    // ---- the display

    pub(super) fn check_shown(&mut self, till: usize, frame: &Frame, current: Option<OpeningId>) {
        let [upper, lower] = frame.rows().map(str::trim_end);
        if lower == "ENTER=YES  CLEAR=NO" && (upper.starts_with("FLOAT") || upper.starts_with(' ')) {
            let amount = upper.trim_start_matches("FLOAT").trim().to_owned();
            self.tills[till].confirm_shown = current.clone().map(|opening| (opening, amount));
        }
        if upper.starts_with("COUNT NOT ") && lower == "CALL THE MANAGER" {
            self.tally.add("overdue shown");
        }
        if upper == "COUNT SAVED"
            && let Some(opening) = current
        {
            self.acknowledged(till, &opening, "the display");
        }
    }

    /// A count is handed out to be written.
    pub(super) fn check_counted(&mut self, till: usize, opening: &OpeningId, balance: &Money) {
        let pc = &mut self.tills[till];
        let handed_out = pc.handed_out.replace((opening.clone(), balance.clone()));
        if !pc.by_key {
            return;
        }
        let amount = format!("{} {}", balance.amount, balance.currency);
        let digits = pc.house.settings.echo == Echo::Digits;
        let shown = pc.confirm_shown.as_ref().is_some_and(|(of, shown)| of == opening && *shown == amount);
        let asked = pc.rows_before[1].clone();
        let right = match asked.as_str() {
            "ENTER=YES  CLEAR=NO" => shown || !digits,
            // What the disk refused, whoever counted it.
            "ENTER=TRY AGAIN" => handed_out.is_some_and(|(of, before)| of == *opening && before == *balance),
            _ => false,
        };
        if !right {
            let asked_for = &self.tills[till].confirm_shown;
            let what = format!("{opening} is counted as {amount} at {asked:?}, and the display asked for {asked_for:?}");
            self.violated("the amount on the display is the amount in the journal", what);
        }
    }

    pub(super) fn check_acknowledged(&mut self, till: usize, opening: &OpeningId, by: &str) {
        let counted = |row: &Row| matches!(row.event, Event::OpeningCounted(_));
        if !self.tills[till].journal.of(opening).any(|row| counted(row)) {
            self.violated("what is called saved is on disk", format!("{opening} was called saved by {by}"));
        }
    }

    /// Nothing stays unresolved and silent.
    pub(super) fn check_silence(&mut self, till: usize) {
        let now = self.now;
        let pc = &mut self.tills[till];
        let silent = pc.till.as_ref().is_some_and(|machine| {
            let on_its_way = |r: &Record| r.counted.is_some() && !r.standing.is_settled();
            let unresolved = machine.records.attention().is_some() || machine.records.all().any(on_its_way);
            let hidden = pc.hidden_at.is_some_and(|at| now < at + HOUR + MIN);
            unresolved && !hidden && !calls_a_person(machine.rows()[1]) && !machine.is_running()
        });
        if !silent {
            pc.silent_since = None;
            return;
        }
        let since = *pc.silent_since.get_or_insert(now);
        if now - since > SILENT_FOR {
            let rows = pc.till.as_ref().map(|machine| machine.rows().map(str::to_owned));
            let what = format!("till {till} has something unresolved and shows {rows:?} for {} s", (now - since) / 1000);
            self.violated("nothing is unresolved and silent", what);
        }
    }

    // ---- the network

    pub(super) fn check_send(&mut self, till: usize, opening: &OpeningId, mutation: Mutation, variables: &Value) {
        let journal = &self.tills[till].journal;
        let rows: Vec<&Event> = journal.of(opening).map(|row| &row.event).filter(|e| is_of_the_way(e)).collect();
        let intent = match rows.last() {
            Some(Event::OpeningSending { variables: stored, into, .. }) => {
                stored == variables && into.is_some() == (mutation == Mutation::Count)
            }
            _ => false,
        };
        let counted =
            rows.iter().find_map(|e| if let Event::OpeningCounted(c) = e { Some(c.balance.clone()) } else { None });
        let others: Vec<_> = journal.unresolved().filter(|other| *other != opening).cloned().collect();
        let holds = journal.unresolved().any(|holder| holder == opening);
        // The resend.
        let sendings = rows.iter().rposition(|e| matches!(e, Event::OpeningSending { .. }));
        let before = sendings.map_or(&[][..], |at| &rows[..at]);
        let previous = before.iter().rposition(|e| matches!(e, Event::OpeningSending { .. }));
        let resent = previous.is_some();
        let between = previous.map_or(&[][..], |at| &before[at + 1..]);
        let absent = between.iter().any(|e| matches!(e, Event::OpeningAbsent { .. }));
        let not_sent = between.iter().any(|e| matches!(e, Event::OpeningNotSent { .. }));
        let unknown = between.iter().any(|e| matches!(e, Event::OpeningUnknown { already_open: false, .. }));
        let decided = between.iter().any(|e| matches!(e, Event::OpeningResolved { decision: Decision::RecordCount, .. }));
        let allowed = !resent || absent || (not_sent && !unknown) || decided;
        let last = rows.last().map(|e| e.name());
        let names: Vec<_> = between.iter().map(|e| e.name()).collect();
        if resent {
            self.tally.add("resent");
        }
        if absent {
            self.tally.add("resent after absence");
        }
        if !intent {
            self.violated("nothing is sent before its intent is on disk", format!("{opening}: the last row is {last:?}"));
        }
        if !counted.is_some_and(|counted| counted == balance_of(variables)) {
            self.violated("the amount in the journal is the amount in the request", format!("{opening}: {variables}"));
        }
        // Shopify takes a `time` for the truth.
        let now = self.server.date(self.now);
        let from = self.server.epoch;
        let near = SignedDuration::from_secs(121);
        let told = variables["time"].as_str().map(|time| time.parse::<Timestamp>().expect("a time"));
        if mutation == Mutation::Open && told.is_some_and(|told| told < from - near || told > now + near) {
            self.violated("a time that a wrong clock gave is not sent", format!("{opening}: {variables} at {now}"));
        }
        if !holds || !others.is_empty() {
            let what = format!("{opening} is sent; it holds its device's place: {holds}; others do: {others:?}");
            self.violated("one unresolved attempt per device", what);
        }
        if !allowed {
            let what = format!("{opening} is sent again after {names:?}");
            self.violated("a resend follows a proof of absence", what);
        }
        // What only the world knows.
        let on_its_way = self.requests.iter().any(|r| r.opening == *opening && r.to_come > 0);
        let doubled = self.is_doubled(opening);
        if on_its_way && !doubled {
            self.violated("nothing is sent while an earlier copy may still run", format!("{opening}"));
        }
        let there = match mutation {
            Mutation::Open => self.server.of(opening).next().is_some(),
            Mutation::Count => self.server.of(opening).next().is_some() || self.server.lines_of(opening).next().is_some(),
        };
        if there && !doubled {
            self.violated("nothing is sent that is at Shopify already", format!("{opening}: {mutation:?}"));
        }
    }

    /// A proxy delivered one of its requests twice.
    fn is_doubled(&self, opening: &OpeningId) -> bool {
        self.requests.iter().any(|r| r.opening == *opening && r.doubled)
    }

    // ---- the server

    /// A request ran.
    pub(super) fn check_ran(&mut self, request: usize) {
        let (opening, balance) = (self.requests[request].opening.clone(), balance_of(&self.requests[request].variables));
        let sessions: Vec<String> = self.server.of(&opening).map(|s| s.facts.id.clone()).collect();
        let lines = self.server.lines_of(&opening).count();
        let amounts = self.server.of(&opening).map(|s| &s.facts.counted);
        let amounts = amounts.chain(self.server.lines_of(&opening).map(|l| &l.line.counted));
        let differ = amounts.filter(|m| !same(m, &balance)).count();
        let by_proxy = self.requests[request].opened.len() > 1;
        if by_proxy {
            self.tally.add("doubled: a second session");
        }
        if differ > 0 {
            self.violated("the amount in the request is the amount at Shopify", format!("{opening}"));
        }
        if self.is_doubled(&opening) {
            return;
        }
        if sessions.len() > 1 {
            self.violated("one session per opening", format!("{opening} has {sessions:?}"));
        }
        if lines > 1 || (lines == 1 && !sessions.is_empty()) {
            let what = format!("{opening} has {} sessions and {lines} mid-session counts", sessions.len());
            self.violated("one place per count", what);
        }
    }

    // ---- the disk

    /// A row is about to be written.
    pub(super) fn check_row(&mut self, till: usize, row: &Row) {
        let Some(opening) = row.opening.as_ref() else { return };
        let journal = &self.tills[till].journal;
        let holds = journal.unresolved().any(|holder| holder == opening);
        let goes_on = is_of_the_way(&row.event) && !matches!(row.event, Event::OpeningCounted(_));
        if goes_on && !holds && !may_follow_the_end(&row.event) {
            let what = format!("{opening}: {} after it was settled", row.event.name());
            self.violated("what is settled stays settled", what);
        }
        let doubled = self.is_doubled(opening);
        let exists = self.server.of(opening).next().is_some();
        let may_come = self.requests.iter().any(|r| r.opening == *opening && r.mutation == Mutation::Open && r.to_come > 0);
        let counted = self.server.lines_of(opening).next().is_some();
        let counting = |r: &super::world::Request| r.opening == *opening && r.mutation == Mutation::Count && r.to_come > 0;
        let may_count = self.requests.iter().any(counting);
        let intent = self.tills[till].journal.of(opening).rev_intent();
        let said_absent = match &row.event {
            Event::OpeningAbsent { .. } if intent == Some(Mutation::Count) => counted || may_count,
            Event::OpeningAbsent { .. } | Event::OpeningRefused { .. } | Event::OpeningStale { .. } => exists || may_come,
            Event::OpeningNeedsAttention { kind, .. } if intent == Some(Mutation::Open) => {
                let says_so = ["attempts_used_up", "foreign_session", "hidden_session", "shared_drawer"];
                says_so.contains(&kind.as_str()) && (exists || may_come)
            }
            _ => false,
        };
        if said_absent && !doubled {
            let what = format!("{opening}: {} while it is there ({exists}, {counted}) or may come", row.event.name());
            self.violated("absent is absent", what);
        }
        match &row.event {
            Event::OpeningConfirmed { session, .. } => self.check_there(till, opening, session, exists),
            Event::OpeningRecorded { .. } if !counted => {
                self.violated("what is recorded is in a ledger", format!("{opening}"));
            }
            _ => {}
        }
    }

    fn check_there(&mut self, till: usize, opening: &OpeningId, session: &SessionFacts, exists: bool) {
        let ours = self.server.find(&session.id).is_some_and(|at| self.server.sessions[at].of.as_ref() == Some(opening));
        let balance = self.tills[till].journal.of(opening).find_map(|row| match &row.event {
            Event::OpeningCounted(counted) => Some(counted.balance.clone()),
            _ => None,
        });
        if !exists || !ours || !balance.is_some_and(|balance| same(&balance, &session.counted)) {
            let what = format!("{opening} is confirmed by {session:?}");
            self.violated("what is confirmed is at Shopify with the counted amount", what);
        }
    }

    /// What a row means, for the summary.
    pub(super) fn count_event(&mut self, event: &Event) {
        let name = match event {
            Event::OpeningConfirmed { how, .. } if how == "answered" => "confirmed by the answer",
            Event::OpeningConfirmed { .. } => "confirmed by a read",
            Event::OpeningRefused { code, .. } if code.starts_with("HTTP_") => "rejected",
            Event::OpeningRefused { .. } => "refused",
            Event::OpeningRecorded { how, .. } if how == "answered" => "recorded by the answer",
            Event::OpeningRecorded { .. } => "recorded by a read",
            Event::OpeningStale { .. } => "stale",
            Event::OpeningCancelled { .. } => "cancelled",
            Event::OpeningNeedsAttention { kind, .. } => match kind.as_str() {
                "foreign_session" => "asked: foreign_session",
                "hidden_session" => "asked: hidden_session",
                "ambiguous" => "asked: ambiguous",
                "attempts_used_up" => "asked: attempts_used_up",
                "shared_drawer" => "asked: shared_drawer",
                "duplicate" => "asked: duplicate",
                "count_refused" => "asked: count_refused",
                _ => "asked: something else",
            },
            Event::OpeningResolved { decision: Decision::Link, .. } => "resolved: link",
            Event::OpeningResolved { decision: Decision::RecordCount, .. } => "resolved: record_count",
            Event::OpeningResolved { decision: Decision::GiveUp, .. } => "resolved: give_up",
            Event::OpeningNotSent { .. } => "not sent",
            Event::OpeningUnknown { already_open: true, .. } => "fenced",
            Event::OpeningUnknown { .. } => "unknown",
            Event::OpeningAbsent { .. } => "absent",
            Event::ShiftClosed { .. } => "shift closed",
            _ => return,
        };
        self.tally.add(name);
    }

    // ---- the end

    pub(super) fn check_end(&mut self) {
        for till in 0..self.tills.len() {
            let pc = &self.tills[till];
            let unresolved: Vec<_> = pc.journal.unresolved().cloned().collect();
            let at_rest = pc.till.as_ref().is_some_and(super::till::Till::is_at_rest);
            if !unresolved.is_empty() || !at_rest {
                let what = format!("till {till}: {unresolved:?} after the faults were gone for 15 minutes");
                self.violated("without faults everything is settled", what);
            }
            let rising = self.tills[till].journal.rows.windows(2).all(|pair| pair[0].seq < pair[1].seq);
            if !rising {
                self.violated("rows rise", format!("till {till}"));
            }
        }
    }
}

/// The display says that something is not resolved.
pub fn calls_a_person(lower: &str) -> bool {
    matches!(lower, "CALL THE MANAGER" | "NOT BY THIS COUNT")
}

/// What a submission is made of.
fn is_of_the_way(event: &Event) -> bool {
    matches!(
        event,
        Event::OpeningCounted(_)
            | Event::OpeningSending { .. }
            | Event::OpeningNotSent { .. }
            | Event::OpeningUnknown { .. }
            | Event::OpeningAbsent { .. }
            | Event::OpeningConfirmed { .. }
            | Event::OpeningRefused { .. }
            | Event::OpeningRecorded { .. }
            | Event::OpeningStale { .. }
            | Event::OpeningNeedsAttention { .. }
            | Event::OpeningResolved { .. }
    )
}

/// A person's decision, and the alarm about a second session.
fn may_follow_the_end(event: &Event) -> bool {
    match event {
        Event::OpeningResolved { .. } => true,
        Event::OpeningNeedsAttention { kind, .. } => kind == "duplicate",
        _ => false,
    }
}

/// Which mutation an opening's rows last meant to send.
trait Intent {
    fn rev_intent(self) -> Option<Mutation>;
}

impl<'a, I: Iterator<Item = &'a std::rc::Rc<Row>>> Intent for I {
    fn rev_intent(self) -> Option<Mutation> {
        self.filter_map(|row| match &row.event {
            Event::OpeningSending { into: None, .. } => Some(Mutation::Open),
            Event::OpeningSending { into: Some(_), .. } => Some(Mutation::Count),
            _ => None,
        })
        .last()
    }
}

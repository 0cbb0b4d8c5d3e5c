//! The books of one till: what people were told, and whether journal, shop, display and paper agree with it.
//!
//! The journal is read from its file, beside the running daemon, without the daemon's code.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::admin::{RequestRow, SessionRow};

/// Attempts that may be sent for one opening (design, "Exactly once").
const ATTEMPTS: u64 = 3;
/// A reader waits this long for a writer; a daemon's commit takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// One row, every byte of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: i64,
    at: String,
    till: String,
    pub(super) opening: Option<String>,
    pub(super) name: String,
    pub(super) body: String,
    prev: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Where a count stands, as the journal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Not counted yet.
    NotCounted,
    /// On disk, never sent.
    Counted,
    /// The intent is on disk.
    Sending,
    /// Nobody knows.
    Unknown,
    /// It certainly did not run and goes out again.
    Waiting,
    /// A slip is between its intent and its proof.
    Printing,
    /// Settled, and no slip said so yet.
    Settled,
    /// Settled, and a slip came out.
    Over,
}

/// How a person or a program learned that a count is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// The display said SAVED or RECORDED.
    Display,
    /// The local API answered 200.
    Api,
    /// `opening.counted` came over the event stream.
    Stream,
}

/// A count that must never get lost.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Acknowledged {
    by: By,
    amount: String,
    opening: Option<String>,
}

/// What stands outside the daemon.
pub(super) struct World {
    pub(super) sessions: Vec<SessionRow>,
    pub(super) requests: Vec<RequestRow>,
    /// The pieces of paper that were cut, then the one that hangs out.
    pub(super) papers: Vec<String>,
    /// What printer and display did not understand.
    pub(super) warnings: Vec<String>,
}

/// What the books say in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Openings with a count in the journal.
    pub counted: u64,
    /// Counts of which somebody was told that they are saved.
    pub acknowledged: u64,
    /// Confirmed with a session.
    pub confirmed: u64,
    /// Refused by Shopify.
    pub refused: u64,
    /// Recorded as a count in somebody else's session.
    pub recorded: u64,
    /// Left to a person.
    pub attention: u64,
    /// Slips that the printer proved.
    pub printed: u64,
    /// Slips that nothing proves.
    pub not_proven: u64,
    /// Rows of the journal, each compared at every look.
    pub rows: u64,
    /// Sessions that the shop opened for counts.
    pub sessions: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            counted: self.counted + other.counted,
            acknowledged: self.acknowledged + other.acknowledged,
            confirmed: self.confirmed + other.confirmed,
            refused: self.refused + other.refused,
            recorded: self.recorded + other.recorded,
            attention: self.attention + other.attention,
            printed: self.printed + other.printed,
            not_proven: self.not_proven + other.not_proven,
            rows: self.rows + other.rows,
            sessions: self.sessions + other.sessions,
        }
    }
}

/// One opening, as the journal has it.
#[derive(Debug, Default)]
struct Opening {
    counted: Vec<String>,
    sent: Vec<Value>,
    attempt: u64,
    confirmed: Option<Value>,
    refused: bool,
    recorded: bool,
    attention: bool,
    slips_begun: usize,
    first_begun: usize,
    first_printed: usize,
    printed: usize,
    not_proven: usize,
}

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    rows: Vec<Row>,
    acknowledged: Vec<Acknowledged>,
}

impl Books {
    /// Reads the journal again. Rows that were there before must be there still, byte by byte.
    pub(super) fn read(&mut self, journal: &Path) -> Result<(), String> {
        let rows = read(journal).map_err(|e| format!("{} cannot be read: {e}", journal.display()))?;
        for (n, old) in self.rows.iter().enumerate() {
            match rows.get(n) {
                Some(new) if new == old => {}
                Some(new) => return Err(format!("a row of the journal was changed: it was {old:?} and is {new:?}")),
                None => return Err(format!("a row of the journal is gone: {old:?}")),
            }
        }
        for pair in rows.windows(2) {
            if let [before, after] = pair
                && (after.seq <= before.seq || after.prev != before.hash)
            {
                return Err(format!("row {} does not continue row {}", after.seq, before.seq));
            }
        }
        self.rows = rows;
        Ok(())
    }

    /// The same, for a journal that may have been killed while it was made: then it has no rows.
    pub(super) fn read_beginning(&mut self, journal: &Path) -> Result<(), String> {
        if self.rows.is_empty() && read(journal).is_err() {
            return Ok(());
        }
        self.read(journal)
    }

    /// Where the count of this amount stands in the journal as last read.
    pub(super) fn standing(&self, amount: &str) -> Standing {
        let of_this = |row: &&Row| row.name == "opening.counted" && text(&row.json()["balance"]["amount"]) == amount;
        let Some(id) = self.rows.iter().find(of_this).and_then(|row| row.opening.as_deref()) else {
            return Standing::NotCounted;
        };
        let mut standing = Standing::Counted;
        let mut printing = false;
        for row in self.rows.iter().filter(|row| row.opening.as_deref() == Some(id)) {
            match row.name.as_str() {
                "slip.sending" => printing = true,
                "slip.printed" | "slip.not_proven" => {
                    printing = false;
                    if standing == Standing::Settled {
                        standing = Standing::Over;
                    }
                }
                "opening.sending" => standing = Standing::Sending,
                "opening.unknown" => standing = Standing::Unknown,
                "opening.not_sent" | "opening.absent" => standing = Standing::Waiting,
                "opening.confirmed"
                | "opening.refused"
                | "opening.needs_attention"
                | "opening.recorded"
                | "opening.stale"
                | "opening.resolved" => standing = Standing::Settled,
                _ => {}
            }
        }
        if printing { Standing::Printing } else { standing }
    }

    /// All rows as last read.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether a count of this amount is in the journal as last read.
    pub(super) fn has(&self, amount: &str) -> bool {
        self.counted().any(|(_, counted)| counted == amount)
    }

    fn counted(&self) -> impl Iterator<Item = (Option<&str>, String)> {
        let counted = self.rows.iter().filter(|row| row.name == "opening.counted");
        counted.map(|row| (row.opening.as_deref(), text(&row.json()["balance"]["amount"])))
    }

    /// Somebody was told that this count is saved.
    pub(super) fn acknowledge(&mut self, by: By, amount: &str, opening: Option<&str>) {
        let told = Acknowledged { by, amount: amount.to_owned(), opening: opening.map(str::to_owned) };
        if !self.acknowledged.contains(&told) {
            self.acknowledged.push(told);
        }
    }

    /// No acknowledged count is lost, and no count has two sessions.
    pub(super) fn check_counts(&self, sessions: &[SessionRow]) -> Result<(), String> {
        for told in &self.acknowledged {
            let kept = self.counted().any(|(opening, amount)| {
                amount == told.amount && told.opening.as_deref().is_none_or(|id| opening == Some(id))
            });
            if !kept {
                return Err(format!("a count that was acknowledged is not in the journal: {told:?}"));
            }
        }
        let mut seen: BTreeMap<String, &SessionRow> = BTreeMap::new();
        for session in sessions {
            let Some(reference) = session.note.as_deref().and_then(reference_in) else { continue };
            if let Some(first) = seen.insert(reference.clone(), session) {
                return Err(format!("two sessions for one count, {reference}: {first:?} and {session:?}"));
            }
        }
        Ok(())
    }

    /// Everything that must hold at any time, against what stands outside the daemon.
    pub(super) fn check(&self, world: &World) -> Result<Tally, String> {
        self.check_counts(&world.sessions)?;
        if let Some(warning) = world.warnings.first() {
            return Err(format!("a device was sent something malformed: {warning}"));
        }
        let openings = self.openings();
        for session in &world.sessions {
            let reference = session.note.as_deref().and_then(reference_in);
            match reference.as_ref().map(|reference| openings.get(reference)) {
                Some(Some(opening)) if !opening.sent.is_empty() => {}
                Some(_) => return Err(format!("a session was opened without an intent in the journal: {session:?}")),
                None if session.by == "api" => return Err(format!("a session was opened without a reference: {session:?}")),
                None => {}
            }
        }
        for (id, opening) in &openings {
            opening.check(world, id).map_err(|why| format!("opening {id}: {why}"))?;
        }
        self.check_devices()?;
        Ok(self.tally(&openings, world))
    }

    /// No device had two openings at a time with an attempt that may have run and was not resolved.
    fn check_devices(&self) -> Result<(), String> {
        let mut devices: BTreeMap<&str, String> = BTreeMap::new();
        let mut in_doubt: BTreeMap<String, &str> = BTreeMap::new();
        for row in &self.rows {
            let Some(id) = row.opening.as_deref() else { continue };
            match row.name.as_str() {
                "opening.counted" => {
                    devices.insert(id, text(&row.json()["point_of_sale_device_id"]));
                }
                // That a session is open already leaves open whose it is.
                "opening.sending" | "opening.unknown" => {
                    let device = devices.get(id).filter(|device| !device.is_empty());
                    let device = device.ok_or_else(|| format!("row {} is of opening {id}, which has no device", row.seq))?;
                    if let Some(other) = in_doubt.insert(device.clone(), id).filter(|other| *other != id) {
                        let seq = row.seq;
                        return Err(format!("row {seq} leaves opening {id} in doubt, and {other} of {device} is so still"));
                    }
                }
                "opening.not_sent"
                | "opening.absent"
                | "opening.confirmed"
                | "opening.refused"
                | "opening.recorded"
                | "opening.needs_attention"
                | "opening.stale"
                | "opening.resolved" => in_doubt.retain(|_, of| *of != id),
                _ => {}
            }
        }
        Ok(())
    }

    fn tally(&self, openings: &BTreeMap<String, Opening>, world: &World) -> Tally {
        let count = |what: &dyn Fn(&Opening) -> usize| openings.values().map(|o| what(o) as u64).sum::<u64>();
        let told: BTreeSet<&str> = self.acknowledged.iter().map(|told| told.amount.as_str()).collect();
        Tally {
            counted: count(&|o| o.counted.len()),
            acknowledged: told.len() as u64,
            confirmed: count(&|o| usize::from(o.confirmed.is_some())),
            refused: count(&|o| usize::from(o.refused)),
            recorded: count(&|o| usize::from(o.recorded)),
            attention: count(&|o| usize::from(o.attention)),
            printed: count(&|o| o.printed),
            not_proven: count(&|o| o.not_proven),
            rows: self.rows.len() as u64,
            sessions: world.sessions.iter().filter(|s| s.by == "api").count() as u64,
        }
    }

    fn openings(&self) -> BTreeMap<String, Opening> {
        let mut openings: BTreeMap<String, Opening> = BTreeMap::new();
        for row in &self.rows {
            let Some(id) = &row.opening else { continue };
            let opening = openings.entry(id.clone()).or_default();
            let body = row.json();
            let first = body["kind"] == "first";
            match row.name.as_str() {
                "opening.counted" => opening.counted.push(text(&body["balance"]["amount"])),
                "opening.sending" => {
                    opening.attempt = opening.attempt.max(body["attempt"].as_u64().unwrap_or(u64::MAX));
                    opening.sent.push(body["variables"].clone());
                }
                "opening.confirmed" => opening.confirmed = Some(body["session"].clone()),
                "opening.refused" => opening.refused = true,
                "opening.recorded" => opening.recorded = true,
                "opening.needs_attention" => opening.attention = true,
                "slip.sending" => {
                    opening.slips_begun += 1;
                    opening.first_begun += usize::from(first);
                }
                "slip.printed" => {
                    opening.printed += 1;
                    opening.first_printed += usize::from(first);
                }
                "slip.not_proven" => opening.not_proven += 1,
                _ => {}
            }
        }
        openings
    }
}

impl Opening {
    /// Display, journal, request and shop have one amount, or the opening is not confirmed; no slip is printed twice.
    fn check(&self, world: &World, id: &str) -> Result<(), String> {
        let [amount] = self.counted.as_slice() else {
            return match self.counted.len() {
                0 if self.sent.is_empty() && self.slips_begun == 0 => Ok(()),
                0 => Err("something was sent or printed that was never counted".into()),
                more => Err(format!("counted {more} times: {:?}", self.counted)),
            };
        };
        let number = decimal(amount).ok_or_else(|| format!("`{amount}` in the journal is no amount"))?;
        if self.attempt > ATTEMPTS {
            return Err(format!("attempt {} was sent; after {ATTEMPTS} a person is asked", self.attempt));
        }
        let of_this = |note: Option<&str>| note.and_then(reference_in).as_deref() == Some(id);
        if let Some(other) = self.sent.iter().find(|sent| decimal_of(&sent["balance"]["amount"]) != Some(number)) {
            return Err(format!("{amount} was counted, and the intent is {other}"));
        }
        // To open a session, or to record the count in one.
        let requests = || world.requests.iter().filter(|r| r.operation != "token" && !r.variables["balance"].is_null());
        let requests = || requests().filter(|r| of_this(r.variables["note"].as_str()));
        if let Some(other) = requests().find(|r| decimal_of(&r.variables["balance"]["amount"]) != Some(number)) {
            return Err(format!("{amount} was counted, and the request is {}", other.variables));
        }
        // A token that is refused (401) is fetched anew, and the same intent goes out once more: nothing has run.
        let arrived = requests().filter(|r| r.status != 401).count();
        if arrived > self.sent.len() {
            return Err(format!("{arrived} requests arrived for {} intents", self.sent.len()));
        }
        let executed = requests().filter(|r| r.executed).count();
        let session = world.sessions.iter().find(|s| of_this(s.note.as_deref()));
        if self.recorded && (executed == 0 || session.is_some()) {
            return Err(format!("called recorded; {executed} requests were carried out, and the shop has {session:?}"));
        }
        if executed > 1 {
            return Err(format!("{executed} requests were carried out"));
        }
        if let Some(session) = session
            && decimal(&session.amount) != Some(number)
        {
            return Err(format!("{amount} was counted, and the shop has {session:?}"));
        }
        if let Some(confirmed) = &self.confirmed {
            let there = session.is_some_and(|s| confirmed["id"] == s.gid.as_str());
            if !there || decimal_of(&confirmed["counted"]["amount"]) != Some(number) {
                return Err(format!("{amount} is confirmed by {confirmed}, and the shop has {session:?}"));
            }
        }
        if self.refused && session.is_some() {
            return Err(format!("refused, and the shop has {session:?}"));
        }
        self.check_slips(world, id, amount)
    }

    fn check_slips(&self, world: &World, id: &str, amount: &str) -> Result<(), String> {
        if self.first_begun > 1 || self.first_printed > 1 {
            return Err(format!("the first slip was begun {} and printed {} times", self.first_begun, self.first_printed));
        }
        let papers: Vec<&String> = world.papers.iter().filter(|paper| paper.contains(id)).collect();
        if papers.len() > self.slips_begun {
            return Err(format!("{} slips came out for {} in the journal", papers.len(), self.slips_begun));
        }
        if papers.len() < self.printed {
            return Err(format!("{} slips are called printed, and {} came out", self.printed, papers.len()));
        }
        match papers.iter().find(|paper| paper.contains("TOTAL") && !paper.contains(amount)) {
            Some(paper) => Err(format!("{amount} was counted, and the slip says otherwise:\n{paper}")),
            None => Ok(()),
        }
    }
}

fn read(journal: &Path) -> rusqlite::Result<Vec<Row>> {
    let db = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // The last one to close a journal tidies it up. That is the daemon's work, also at its next start.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.busy_timeout(BUSY)?;
    let mut query = db.prepare("SELECT seq, at, till, opening, name, body, prev, hash FROM event ORDER BY seq")?;
    let rows = query.query_map([], |r| {
        Ok(Row {
            seq: r.get(0)?,
            at: r.get(1)?,
            till: r.get(2)?,
            opening: r.get(3)?,
            name: r.get(4)?,
            body: r.get(5)?,
            prev: r.get(6)?,
            hash: r.get(7)?,
        })
    })?;
    rows.collect()
}

/// The opening's id in a note: `[db:…]`, or `[db:…/count]` where the count went into a session that was open already.
fn reference_in(note: &str) -> Option<String> {
    let (_, rest) = note.rsplit_once("[db:")?;
    let inside = rest.trim_end().strip_suffix(']')?;
    let id = inside.strip_suffix("/count").unwrap_or(inside);
    (id.len() == 10).then(|| id.to_owned())
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok()
}

fn decimal_of(value: &Value) -> Option<Decimal> {
    value.as_str().and_then(decimal)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "8R0NM4RDQ6";

    fn row(seq: i64, name: &str, body: Value) -> Row {
        Row {
            seq,
            at: "2026-11-24T07:00:00Z".into(),
            till: "front-1".into(),
            opening: Some(ID.into()),
            name: name.into(),
            body: body.to_string(),
            prev: vec![],
            hash: vec![],
        }
    }

    fn counted(amount: &str) -> Row {
        let balance = json!({"amount": amount, "currency": "USD"});
        row(1, "opening.counted", json!({"balance": balance, "point_of_sale_device_id": "gid/device/1"}))
    }

    fn sending(amount: &str) -> Row {
        let note = format!("[db:{ID}]");
        row(2, "opening.sending", json!({"attempt": 1, "variables": {"balance": {"amount": amount}, "note": note}}))
    }

    fn confirmed(amount: &str) -> Row {
        row(3, "opening.confirmed", json!({"session": {"id": "gid/1001", "counted": {"amount": amount}}}))
    }

    fn session(number: u64, amount: &str) -> SessionRow {
        SessionRow {
            gid: format!("gid/{number}"),
            device: 1,
            open: true,
            opening_time: "2026-11-24T07:00:00Z".into(),
            note: Some(format!("morning [db:{ID}]")),
            amount: amount.into(),
            currency: "USD".into(),
            staff: Some(1),
            by: "api",
        }
    }

    fn world(sessions: Vec<SessionRow>) -> World {
        World { sessions, requests: vec![], papers: vec![], warnings: vec![] }
    }

    fn books(rows: Vec<Row>) -> Books {
        Books { rows, acknowledged: vec![] }
    }

    #[test]
    fn what_agrees_is_counted() {
        let mut books = books(vec![counted("150.00"), sending("150.00"), confirmed("150.0")]);
        books.acknowledge(By::Display, "150.00", None);
        books.acknowledge(By::Api, "150.00", Some(ID));
        let tally = books.check(&world(vec![session(1001, "150.00")])).unwrap();
        assert_eq!((tally.counted, tally.acknowledged, tally.confirmed, tally.sessions), (1, 1, 1, 1));
    }

    #[test]
    fn a_lost_count_a_second_session_and_a_wrong_amount_are_found() {
        let wrong = |rows: &[Row], sessions: &[SessionRow], what: &str| {
            let why = books(rows.to_vec()).check(&world(sessions.to_vec())).unwrap_err();
            assert!(why.contains(what), "{why}");
        };
        let (count, intent, done) = (counted("150.00"), sending("150.00"), confirmed("150.00"));
        let mut lost = books(vec![]);
        lost.acknowledge(By::Display, "150.00", None);
        assert!(lost.check_counts(&[]).unwrap_err().contains("not in the journal"));
        let mut other = books(vec![count.clone()]);
        other.acknowledge(By::Api, "150.00", Some("0000000000"));
        assert!(other.check_counts(&[]).is_err(), "the amount alone is not the opening");
        wrong(&[count.clone(), intent.clone()], &[session(1, "150.00"), session(2, "150.00")], "two sessions");
        wrong(std::slice::from_ref(&count), &[session(1, "150.00")], "without an intent");
        wrong(&[count.clone(), sending("15.00")], &[], "the intent is");
        wrong(&[count.clone(), intent.clone()], &[session(1, "15.00")], "the shop has");
        wrong(&[count.clone(), intent.clone(), done.clone()], &[], "is confirmed by");
        wrong(&[count.clone(), intent.clone(), done], &[session(7, "150.00")], "is confirmed by");
        wrong(&[count.clone(), count.clone()], &[], "counted 2 times");
        wrong(std::slice::from_ref(&intent), &[], "never counted");
        let refused = row(4, "opening.refused", json!({}));
        wrong(&[count, intent, refused], &[session(1, "150.00")], "refused, and");
    }

    #[test]
    fn two_openings_of_one_device_in_doubt_at_once_are_found() {
        let of = |id: &str, name: &str, device: u64| {
            let body = json!({"attempt": 1, "point_of_sale_device_id": format!("gid/device/{device}")});
            Row { opening: Some(id.into()), ..row(1, name, body) }
        };
        let day = |second: u64, between: &[&str]| {
            let mut rows = vec![of(ID, "opening.counted", 1), of("0000000002", "opening.counted", second)];
            rows.extend(between.iter().map(|name| of(ID, name, 1)));
            rows.push(of("0000000002", "opening.sending", second));
            books(rows).check_devices()
        };
        for in_doubt in [
            &["opening.sending"][..],
            &["opening.sending", "opening.unknown"],
            &["opening.sending", "opening.not_sent", "opening.sending"],
            &["opening.sending", "opening.absent", "opening.sending", "opening.unknown"],
            &["opening.needs_attention", "opening.resolved", "opening.sending", "slip.sending", "slip.printed"],
        ] {
            let why = day(1, in_doubt).unwrap_err();
            assert!(why.contains("opening 0000000002 in doubt") && why.contains(ID), "{in_doubt:?}: {why}");
            day(2, in_doubt).expect("another device");
        }
        for end in ["confirmed", "refused", "recorded", "absent", "not_sent", "needs_attention", "resolved", "stale"] {
            day(1, &["opening.sending", "opening.unknown", &format!("opening.{end}")]).expect(end);
        }
        let mut whole = books(vec![of(ID, "opening.counted", 1), of(ID, "opening.sending", 1)]);
        whole.rows.extend([of("0000000002", "opening.counted", 1), of("0000000002", "opening.unknown", 1)]);
        for row in whole.rows.iter_mut().filter(|row| row.name == "opening.counted") {
            row.body = counted("150.00").body;
        }
        for row in whole.rows.iter_mut().filter(|row| row.name == "opening.sending") {
            row.body = sending("150.00").body;
        }
        assert!(whole.check(&world(vec![])).unwrap_err().contains("in doubt"), "it is one of the checks");
    }

    #[test]
    fn the_reference_of_a_count_in_a_foreign_session_is_its_openings() {
        for (note, id) in [
            ("morning [db:8R0NM4RDQ6]", Some(ID)),
            ("counted 2026-11-24T16:39:23Z [db:8R0NM4RDQ6/count]", Some(ID)),
            ("[db:8R0NM4RDQ6/other]", None),
            ("opened by hand", None),
        ] {
            assert_eq!(reference_in(note).as_deref(), id, "{note}");
        }
    }

    #[test]
    fn a_slip_too_many_is_found() {
        let slip = |seq, name, kind| row(seq, name, json!({"kind": kind}));
        let paper = format!("TOTAL FLOAT 150.00\n{ID}");
        let check = |rows: Vec<Row>, papers: Vec<String>| {
            let rows = [vec![counted("150.00")], rows].concat();
            books(rows).check(&World { papers, ..world(vec![]) })
        };
        let once = vec![slip(5, "slip.sending", "first"), slip(6, "slip.printed", "first")];
        assert_eq!(check(once.clone(), vec![paper.clone()]).unwrap().printed, 1);
        assert!(check(once.clone(), vec![]).unwrap_err().contains("called printed"));
        assert!(check(once.clone(), vec![paper.clone(), paper.clone()]).unwrap_err().contains("came out"));
        assert!(
            check([once.clone(), once.clone()].concat(), vec![paper.clone(), paper]).unwrap_err().contains("first slip")
        );
        assert!(check(once, vec![format!("TOTAL FLOAT 15.00\n{ID}")]).unwrap_err().contains("says otherwise"));
    }

    #[test]
    fn a_row_that_changes_or_goes_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "CREATE TABLE event (seq INTEGER PRIMARY KEY, at TEXT, till TEXT, opening TEXT, name TEXT, body TEXT, prev BLOB, hash BLOB);
             INSERT INTO event VALUES (1, 't', 'front-1', NULL, 'n', '{}', x'00', x'01'), (2, 't', 'front-1', NULL, 'n', '{}', x'01', x'02');",
        )
        .unwrap();
        let mut books = Books::default();
        books.read(&path).unwrap();
        books.read(&path).unwrap();
        db.execute_batch("UPDATE event SET body = '{ }' WHERE seq = 2").unwrap();
        assert!(books.read(&path).unwrap_err().contains("was changed"));
        db.execute_batch("DELETE FROM event WHERE seq = 2").unwrap();
        assert!(books.read(&path).unwrap_err().contains("is gone"));
        db.execute_batch("INSERT INTO event VALUES (2, 't', 'front-1', NULL, 'n', '{}', x'09', x'02')").unwrap();
        assert!(Books::default().read(&path).unwrap_err().contains("does not continue"));
    }
}

//! Follows the chain from the first row to the last, and names what does not fit: an edited row, a removed one, rows in
//! another order; pages that SQLite cannot read; a place held for an unsettled opening against what the rows say.
//!
//! ## What can be told, and what cannot
//! A row's number is part of its hash. So a row that fits its hash stands where it was written; one that fits under another
//! number was moved; any other was edited. A row that fits and names a hash that no row has follows a row that is gone. Who
//! edits a row and computes its hash anew breaks the row after it; who computes them all anew, or cuts rows off at the end,
//! leaves a chain that is whole: against that stands a head noted elsewhere, as on each slip.
use std::{collections::HashMap, fmt, path::Path};

use rusqlite::{Connection, ffi};

use super::{
    JournalError, SEQ_GAP, UNRESOLVED, chain, hold_place, open_to_read,
    stored::{COLUMNS, StoredRow},
};
use crate::shift::event::{Event, OpeningId};

/// More findings than a person reads; the rest is counted.
pub const FINDINGS: usize = 50;
/// For this many rows it is tried which number they had: each trial computes a hash per row of the file.
const NUMBERS_TRIED_FOR: u32 = 16;
/// How many numbers beside its neighbours' are tried for a moved row.
const NUMBERS_BESIDE: i64 = 64;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A row's content or its hash was changed.
    Edited,
    /// One row or more are missing.
    Removed,
    /// A row stands in another place than it was written.
    Moved,
    /// A row is whole, and this program cannot read its event.
    Unreadable,
    /// The table of unsettled openings does not say what the rows say.
    Unresolved,
    /// SQLite finds its file damaged.
    File,
}

impl Wrong {
    /// One word, as `verify --json` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::Moved => "moved",
            Self::Unreadable => "unreadable",
            Self::Unresolved => "unresolved",
            Self::File => "file",
        }
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub wrong: Wrong,
    /// The row, or the first row after what is missing; `None` where it is about no row.
    pub seq: Option<i64>,
    /// In words.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a journal is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows there are.
    pub rows: u64,
    /// The number of the newest.
    pub last: Option<i64>,
    /// The hash of the newest.
    pub head: [u8; 32],
    /// What does not fit: the file, rows by rising numbers, the table of unsettled openings; at most [`FINDINGS`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more: usize,
}

impl Report {
    fn add(&mut self, wrong: Wrong, seq: Option<i64>, text: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding { wrong, seq, text });
        } else {
            self.more += 1;
        }
    }
}

/// Follows the chain. Returns how many rows there are, and the head; the first thing that does not fit is the error.
pub fn verify(path: &Path) -> Result<(u64, [u8; 32]), JournalError> {
    let report = examine(path, |_, _| {})?;
    match report.findings.into_iter().next() {
        None => Ok((report.rows, report.head)),
        Some(first) => Err(JournalError::Broken { seq: first.seq.unwrap_or_default(), what: first.text }),
    }
}

/// Looks at everything. `each` is handed the number and the hash of every row that fits.
pub fn examine(path: &Path, each: impl FnMut(i64, &[u8])) -> Result<Report, JournalError> {
    let db = open_to_read(path)?;
    // One moment's rows and places, also beside a daemon that writes.
    db.execute_batch("BEGIN")?;
    examine_open(&db, each)
}

pub(super) fn examine_open(db: &Connection, mut each: impl FnMut(i64, &[u8])) -> Result<Report, JournalError> {
    let mut report = Report::default();
    for text in quick_check(db, FINDINGS)? {
        report.add(Wrong::File, None, format!("the file is damaged: {text}"));
    }
    let mut head = chain::GENESIS.to_vec();
    let mut whole = true;
    let mut places = Places::new()?;
    let followed = each_row(db, |row| {
        let fits = row.fits();
        whole &= fits && row.prev == head;
        if fits {
            each(row.fields.seq, &row.hash);
        }
        places.take(row, &mut report)?;
        report.rows += 1;
        report.last = Some(row.fields.seq);
        head.clone_from(&row.hash);
        Ok(())
    });
    if let Err(error) = followed {
        if !is_damage(&error) {
            return Err(error);
        }
        let after = report.last.map_or_else(|| "no row".to_owned(), |seq| format!("the rows after {seq}"));
        report.add(Wrong::File, report.last, format!("{after} can be read: the file is damaged there"));
        return Ok(report);
    }
    if let Ok(head) = head.try_into() {
        report.head = head;
    }
    if !whole {
        name_what_broke(db, &mut report)?;
    }
    report.findings.sort_by_key(|finding| finding.seq);
    places.compare(db, &mut report)?;
    Ok(report)
}

/// What SQLite says of its own file, at most `most` lines; nothing when it is fine.
pub(super) fn quick_check(db: &Connection, most: usize) -> Result<Vec<String>, JournalError> {
    let checked = db.prepare(&format!("PRAGMA quick_check({most})")).and_then(|mut query| {
        let lines = query.query_map([], |r| r.get::<_, String>(0))?;
        lines.collect::<Result<Vec<_>, _>>()
    });
    match checked.map_err(JournalError::from) {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
        Err(error) if is_damage(&error) => Ok(vec![error.cause_in_words()]),
        Err(error) => Err(error),
    }
}

/// The file, or the disk under it, does not give back what was written.
pub(super) fn is_damage(error: &JournalError) -> bool {
    use rusqlite::{Error as E, ErrorCode as C};
    let (JournalError::Read(cause) | JournalError::Write(cause)) = error else {
        return matches!(error, JournalError::BadRow { .. });
    };
    let by_code = cause.sqlite_error().is_some_and(|code| {
        let unread = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS];
        // `SQLITE_ERROR`: a table or a column is gone.
        matches!(code.code, C::DatabaseCorrupt | C::NotADatabase)
            || code.extended_code == ffi::SQLITE_ERROR
            || unread.contains(&code.extended_code)
    });
    // Something else than may be there.
    by_code || matches!(cause, E::InvalidColumnType(..) | E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..))
}

/// Every row in the order of the numbers.
pub(super) fn each_row(
    db: &Connection,
    mut each: impl FnMut(&StoredRow) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut query = db.prepare(&format!("{COLUMNS} ORDER BY seq"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        each(&StoredRow::read(row)?)?;
    }
    Ok(())
}

/// Who stands where, by hash.
#[derive(Default)]
struct Neighbours {
    /// All numbers, rising.
    numbers: Vec<i64>,
    /// The row that has this hash.
    having: HashMap<Vec<u8>, i64>,
    /// The row that continues this hash.
    continuing: HashMap<Vec<u8>, i64>,
    tried: u32,
}

impl Neighbours {
    fn of(db: &Connection) -> Result<Self, JournalError> {
        let mut all = Self::default();
        each_row(db, |row| {
            all.numbers.push(row.fields.seq);
            all.having.insert(row.hash.clone(), row.fields.seq);
            all.continuing.insert(row.prev.clone(), row.fields.seq);
            Ok(())
        })?;
        Ok(all)
    }

    /// The number under which the row fits its hash, if it is not its own.
    fn number_of(&mut self, row: &StoredRow) -> Option<i64> {
        self.tried += 1;
        if self.tried > NUMBERS_TRIED_FOR {
            return None;
        }
        let before = self.having.get(&row.prev).copied().unwrap_or(row.fields.seq - NUMBERS_BESIDE);
        let after = self.continuing.get(&row.hash).copied().unwrap_or(row.fields.seq + NUMBERS_BESIDE);
        let beside = (before + 1..=before + NUMBERS_BESIDE).chain(after - NUMBERS_BESIDE..after);
        let at_a_start = [(before / SEQ_GAP + 2) * SEQ_GAP];
        let mut trial = row.clone();
        self.numbers.iter().copied().chain(beside).chain(at_a_start).find(|seq| {
            trial.fields.seq = *seq;
            trial.fits()
        })
    }
}

/// The chain does not hold: what was done to which row.
fn name_what_broke(db: &Connection, report: &mut Report) -> Result<(), JournalError> {
    let mut all = Neighbours::of(db)?;
    let (found_before, more_before) = (report.findings.len(), report.more);
    let mut before: Option<StoredRow> = None;
    let mut first_break = None;
    // A row that is known to be wrong stands between: whatever does not follow it is explained.
    let mut explained = false;
    each_row(db, |row| {
        let seq = row.fields.seq;
        let last = before.as_ref().map_or(&chain::GENESIS[..], |b| &b.hash);
        let (follows, fits) = (row.prev == last, row.fits());
        let begins = row.prev == chain::GENESIS;
        let written_after = all.having.get(&row.prev).copied();
        if !follows || !fits {
            first_break.get_or_insert(seq);
        }
        if !fits {
            let number = if row.fits_after(last) { None } else { all.number_of(row) };
            let (wrong, text) = match number {
                Some(number) => (Wrong::Moved, format!("row {seq} was moved: it was written as row {number}")),
                None => (Wrong::Edited, format!("row {seq} was edited: its content does not fit its hash")),
            };
            if number.is_some() && !begins && written_after.is_none() {
                let (wrong, at, text) = what_is_missing(before.as_ref().map(|b| b.fields.seq), seq);
                report.add(wrong, Some(at), text);
            }
            report.add(wrong, Some(seq), text);
        } else if !follows {
            match written_after {
                None if begins => {
                    let text = format!("row {seq} begins a journal of its own: it was taken from another one");
                    report.add(Wrong::Moved, Some(seq), text);
                }
                // It continues the hash that the edited row before it had.
                None if explained && before.as_ref().is_some_and(|b| b.fields.seq + 1 == seq) => {}
                None => {
                    let (wrong, at, text) = what_is_missing(before.as_ref().map(|b| b.fields.seq), seq);
                    report.add(wrong, Some(at), text);
                }
                Some(at) if at < seq && !explained => {
                    let text =
                        format!("rows between {at} and {seq} do not belong there: row {seq} was written right after {at}");
                    report.add(Wrong::Moved, Some(seq), text);
                }
                Some(_) => {}
            }
        }
        explained = !fits;
        before = Some(row.clone());
        Ok(())
    })?;
    if let (true, Some(seq)) = ((found_before, more_before) == (report.findings.len(), report.more), first_break) {
        let text = format!("row {seq} does not continue the row before it: rows were moved, or taken from another journal");
        report.add(Wrong::Moved, Some(seq), text);
    }
    Ok(())
}

/// Row `seq` is as it was written, and the row that it continues is not there.
fn what_is_missing(before: Option<i64>, seq: i64) -> (Wrong, i64, String) {
    match before {
        // No number is free between the two: it is there, with another hash than it had.
        Some(before) if before + 1 == seq => {
            let text = format!("row {before} was edited and given a new hash: row {seq} still continues the one it had");
            (Wrong::Edited, before, text)
        }
        Some(before) if before + 2 == seq => (Wrong::Removed, before + 1, format!("row {} was removed", before + 1)),
        Some(before) => {
            let text = format!("one row or more between {before} and {seq} were removed");
            (Wrong::Removed, seq, text)
        }
        None if seq == 1 => (Wrong::Edited, 1, "row 1 does not begin a journal: it was taken from another one".to_owned()),
        None if seq == 2 => (Wrong::Removed, 1, "row 1 was removed".to_owned()),
        None => (Wrong::Removed, seq, format!("the rows before {seq} were removed")),
    }
}

/// Who holds a device's place, by what the rows say: the same rule as in `append`, on a table of its own.
pub(super) struct Places {
    table: Connection,
}

impl Places {
    pub(super) fn new() -> Result<Self, JournalError> {
        let table = Connection::open_in_memory()?;
        table.execute_batch(UNRESOLVED)?;
        table.execute_batch("CREATE TABLE event (opening TEXT, name TEXT, body TEXT); CREATE INDEX o ON event(opening)")?;
        Ok(Self { table })
    }

    /// What one more event changes. The counts are kept, because a later event may take the place of the device that they
    /// are for.
    pub(super) fn apply(&self, fields: &chain::Fields, event: &Event) -> Result<(), JournalError> {
        let opening = fields.opening.as_deref().and_then(OpeningId::parse);
        if let (Some(opening), Event::OpeningCounted(_)) = (&opening, event) {
            let mut kept = self.table.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3)")?;
            kept.execute([opening.as_str(), &fields.name, &fields.body])?;
        }
        hold_place(&self.table, opening.as_ref(), event)
    }

    /// What one more row changes. A row that cannot be read, or that took a place that was not free, is told.
    pub(super) fn take(&mut self, row: &StoredRow, report: &mut Report) -> Result<(), JournalError> {
        let seq = row.fields.seq;
        let event = match serde_json::from_str::<Event>(&row.fields.body) {
            Ok(event) => event,
            // One that was edited is told as such.
            Err(_) if !row.fits() => return Ok(()),
            Err(why) => {
                let text = format!("row {seq} cannot be read: a newer drawerbridge wrote it ({}, {why})", row.fields.name);
                report.add(Wrong::Unreadable, Some(seq), text);
                return Ok(());
            }
        };
        match self.apply(&row.fields, &event) {
            Err(JournalError::Unresolved { device, opening: holder }) => {
                let text = format!("row {seq} takes the place of {device}, which the opening {holder} still holds");
                report.add(Wrong::Unresolved, Some(seq), text);
                Ok(())
            }
            other => other,
        }
    }

    /// Who holds a place by a table: openings by device.
    pub(super) fn held(db: &Connection) -> Result<HashMap<String, String>, JournalError> {
        let mut query = db.prepare("SELECT device, opening FROM unresolved")?;
        let held = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(held)
    }

    /// Who holds a place by the rows taken so far: openings by device.
    pub(super) fn all(&self) -> Result<HashMap<String, String>, JournalError> {
        Self::held(&self.table)
    }

    /// The file's table beside this one.
    fn compare(&self, db: &Connection, report: &mut Report) -> Result<(), JournalError> {
        let (by_rows, by_table) = match (self.all(), Self::held(db)) {
            (Ok(by_rows), Ok(by_table)) => (by_rows, by_table),
            (Err(e), _) | (_, Err(e)) if !is_damage(&e) => return Err(e),
            (Err(_), _) | (_, Err(_)) => {
                report.add(Wrong::Unresolved, None, "the table of unsettled openings cannot be read".to_owned());
                return Ok(());
            }
        };
        let mut devices: Vec<_> = by_rows.keys().chain(by_table.keys()).collect();
        devices.sort();
        devices.dedup();
        for device in devices {
            let text = match (by_rows.get(device), by_table.get(device)) {
                (rows, table) if rows == table => continue,
                (Some(rows), None) => {
                    format!("the opening {rows} is not settled, and the table of unsettled openings lacks it")
                }
                (Some(rows), Some(table)) => {
                    format!("the rows leave {rows} unsettled, and the table of unsettled openings says {table}")
                }
                (None, Some(table)) => format!("the table of unsettled openings has {table}, which the rows do not"),
                (None, None) => continue,
            };
            report.add(Wrong::Unresolved, None, format!("{device}: {text}"));
        }
        Ok(())
    }
}

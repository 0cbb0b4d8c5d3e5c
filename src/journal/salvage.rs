//! The way out of a damaged journal: a new one of the rows that are whole.
//!
//! ## Why every unsettled opening is put in doubt
//! Among the rows that are lost may be one that says that a request left. Sent again on the word of what is left, the count
//! could open a second session. So each opening that is not settled gets one more row, [`Event::OpeningUnknown`]: nobody
//! knows whether an attempt ran, and Shopify is read before anything is sent.
//!
//! ## Why the rows keep their numbers
//! People and programs have noted them. Their hashes cannot stay: the new chain has none of the lost rows in it.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use thiserror::Error;

use super::{
    JournalError, Row, SEQ_GAP, chain,
    damage::{beside, quarantine},
    hold_place, insert, lock, make, open_to_read, set_and_read_back,
    stored::{COLUMNS, StoredRow, stored_after},
    verify::{Places, Report, examine_open, is_damage, verify},
};
use crate::{
    opening::MAX_ATTEMPTS,
    shift::event::{Event, OpeningId},
};

/// Why nothing was salvaged.
#[derive(Debug, Error)]
pub enum SalvageError {
    /// It is whole.
    #[error("{path} is whole: there is nothing to salvage, and it was not touched")]
    Whole {
        /// The journal.
        path: String,
    },
    /// Something is there already.
    #[error("{path} exists already: name a file that does not (--to)")]
    Exists {
        /// Where the new journal was to be.
        path: String,
    },
    /// Nothing of it can be read.
    #[error(
        "not one row of {path} can be read: look at the tills' sessions in Shopify, then move it and the files beside it (-wal, -shm) elsewhere; the next start begins a new journal, which knows of no count"
    )]
    Nothing {
        /// The journal.
        path: String,
    },
    /// Two openings claim the same place, and no row is missing between them.
    #[error("row {seq} takes the place that {opening} still holds, and no row is missing between them: call for help")]
    Contradiction {
        /// The later row.
        seq: i64,
        /// The earlier opening.
        opening: String,
    },
    /// A file.
    #[error("{path} could not be written: make room for the new journal, and let this user write there")]
    Io {
        /// Which.
        path: String,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What was salvaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Rows taken over.
    pub kept: u64,
    /// What is missing, in words.
    pub lost: Vec<String>,
    /// Openings that are counted and not settled: read at Shopify before anything is sent.
    pub unsettled: Vec<OpeningId>,
    /// Openings whose end is lost, and a later one of the same device is there: a person looks them up.
    pub ended_unknown: Vec<OpeningId>,
    /// Openings that were sent and whose count is lost: a person looks them up.
    pub without_count: Vec<OpeningId>,
    /// The new journal's newest row.
    pub head: [u8; 32],
    /// The old journal, as it was.
    pub copy: Option<PathBuf>,
}

/// What is left beside a journal while a salvaged one is about to take its place. The daemon does not start beside it.
pub(super) const SALVAGED: &str = ".salvaged";

/// Writes what is whole in `path` to a new journal `to`.
pub fn salvage_to(path: &Path, to: &Path, now: Timestamp) -> Result<Salvaged, SalvageError> {
    let path = real(path)?;
    let _lock = lock(&path, &path.display().to_string())?;
    if to.exists() {
        return Err(SalvageError::Exists { path: to.display().to_string() });
    }
    write_new(&path, to, now)
}

/// Puts a new journal of what is whole in the place of `path`, and keeps the old one beside it.
///
/// Cut short at any point, the old journal is still there, or the daemon refuses to start until this has been done again.
pub fn salvage(path: &Path, now: Timestamp) -> Result<Salvaged, SalvageError> {
    let path = real(path)?;
    let _lock = lock(&path, &path.display().to_string())?;
    let (part, whole) = (beside(&path, ".salvaged.part"), beside(&path, SALVAGED));
    if whole.exists() {
        // Begun before, and the new journal was finished; the old one may lack its log by now.
        let (rows, head) = verify(&whole)?;
        take_the_place(&path, &whole)?;
        let lost = vec!["a salvage that was cut short before was finished; it had said what is missing".to_owned()];
        let none = Vec::new;
        return Ok(Salvaged {
            kept: rows,
            lost,
            unsettled: none(),
            ended_unknown: none(),
            without_count: none(),
            head,
            copy: None,
        });
    }
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(beside(&part, end)));
    }
    let mut salvaged = write_new(&path, &part, now)?;
    salvaged.copy = Some(quarantine(&path).map_err(|cause| file(&path, cause))?);
    std::fs::rename(&part, &whole).map_err(|cause| file(&whole, cause))?;
    sync_folder_of(&whole)?;
    take_the_place(&path, &whole)?;
    Ok(salvaged)
}

fn take_the_place(path: &Path, whole: &Path) -> Result<(), SalvageError> {
    // The old log must be gone before: SQLite would read it into the new file.
    for end in ["-wal", "-shm"] {
        let old = beside(path, end);
        if old.exists() {
            std::fs::remove_file(&old).map_err(|cause| file(&old, cause))?;
        }
    }
    sync_folder_of(path)?;
    std::fs::rename(whole, path).map_err(|cause| file(path, cause))?;
    sync_folder_of(path)
}

fn real(path: &Path) -> Result<PathBuf, JournalError> {
    path.canonicalize().map_err(|_| JournalError::Missing { path: path.display().to_string() })
}

fn file(path: &Path, cause: std::io::Error) -> SalvageError {
    SalvageError::Io { path: path.display().to_string(), cause }
}

fn sync_folder_of(path: &Path) -> Result<(), SalvageError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|cause| file(folder, cause))
}

fn write_new(path: &Path, to: &Path, now: Timestamp) -> Result<Salvaged, SalvageError> {
    let name = path.display().to_string();
    let db = open_to_read(path)?;
    let mut lost = what_is_wrong(&db)?;
    let (rows, gaps) = readable(&db)?;
    if lost.is_empty() && gaps.is_empty() {
        return Err(SalvageError::Whole { path: name });
    }
    for (after, before) in gaps {
        lost.push(match before {
            Some(before) => format!("what stood between rows {after} and {before} cannot be read"),
            None => format!("what stood after row {after} cannot be read"),
        });
    }
    let mut kept = Kept::of(&rows)?;
    if kept.rows.is_empty() {
        return Err(SalvageError::Nothing { path: name });
    }
    let salvaged_rows = kept.rows.len() as u64;
    let ended_unknown = kept.free_the_places(now)?;
    let unsettled = kept.put_in_doubt(now)?;
    let without_count = kept.without_count();
    let head = write_rows(&kept.rows, to)?;
    verify(to)?;
    sync_folder_of(to)?;
    Ok(Salvaged { kept: salvaged_rows, lost, unsettled, ended_unknown, without_count, head, copy: None })
}

fn what_is_wrong(db: &Connection) -> Result<Vec<String>, JournalError> {
    let report: Report = examine_open(db, |_, _| {})?;
    let mut texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.more > 0 {
        texts.push(format!("and {} more", report.more));
    }
    Ok(texts)
}

/// Between which rows nothing can be read; `None`: to the end.
type Gap = (i64, Option<i64>);

/// Every row that SQLite can still read, and where it cannot.
fn readable(db: &Connection) -> Result<(Vec<StoredRow>, Vec<Gap>), JournalError> {
    let (mut rows, mut gaps): (Vec<StoredRow>, Vec<Gap>) = (vec![], vec![]);
    loop {
        let last = rows.last().map_or(i64::MIN, |row| row.fields.seq);
        match stored_after(db, last, 1) {
            Ok(more) if more.is_empty() => return Ok((rows, gaps)),
            Ok(more) => {
                rows.extend(more);
                // Many at once, as long as it goes well.
                while let Ok(more) = stored_after(db, rows.last().map_or(last, |row| row.fields.seq), 1000) {
                    if more.is_empty() {
                        return Ok((rows, gaps));
                    }
                    rows.extend(more);
                }
            }
            Err(error) if is_damage(&error) => {
                let last = last.max(0);
                let Some(beyond) = first_beyond(db, last) else {
                    gaps.push((last, None));
                    return Ok((rows, gaps));
                };
                // From there back to the damage.
                let mut back = vec![beyond];
                while let Ok(Some(row)) = last_before(db, back.last().map_or(last, |row| row.fields.seq), last) {
                    back.push(row);
                }
                gaps.push((last, back.last().map(|row| row.fields.seq)));
                rows.extend(back.into_iter().rev());
            }
            Err(error) => return Err(error),
        }
    }
}

/// A row behind the damage: in steps that double.
fn first_beyond(db: &Connection, last: i64) -> Option<StoredRow> {
    let mut step: i64 = 1;
    loop {
        if let Ok(found) = stored_after(db, last.checked_add(step)?, 1) {
            return found.into_iter().next();
        }
        step = step.checked_mul(2)?;
    }
}

fn last_before(db: &Connection, seq: i64, but_after: i64) -> Result<Option<StoredRow>, JournalError> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} WHERE seq < ?1 AND seq > ?2 ORDER BY seq DESC LIMIT 1"))?;
    Ok(query.query_map([seq, but_after], StoredRow::read)?.next().transpose()?)
}

/// The rows of the new journal, by rising numbers.
struct Kept {
    rows: Vec<(chain::Fields, Event)>,
}

impl Kept {
    /// Rows that fit their own hash, wherever the chain around them is broken.
    fn of(rows: &[StoredRow]) -> Result<Self, JournalError> {
        let mut kept: Vec<(chain::Fields, Event)> = Vec::new();
        for row in rows.iter().filter(|row| row.fits()) {
            let rises = kept.last().is_none_or(|(last, _)| last.seq < row.fields.seq);
            if let (true, Ok(event)) = (rises, serde_json::from_str(&row.fields.body)) {
                kept.push((row.fields.clone(), event));
            }
        }
        Ok(Self { rows: kept })
    }

    fn add(&mut self, seq: i64, now: Timestamp, opening: &OpeningId, event: Event) {
        let till = self.rows.iter().rev().find(|(f, _)| f.opening.as_deref() == Some(opening.as_str()));
        let till = till.map_or_else(String::new, |(fields, _)| fields.till.clone());
        let row = Row { seq, at: now, till, opening: Some(opening.clone()), event: event.clone() };
        let place = self.rows.partition_point(|(fields, _)| fields.seq < seq);
        self.rows.insert(place, (chain::Fields::of(&row), event));
    }

    /// Plays the rows through: who holds which place at the end, or the first row that takes a place that is not free.
    fn play(&self) -> Result<Result<Vec<OpeningId>, (i64, OpeningId)>, JournalError> {
        let places = Places::new()?;
        for (fields, event) in &self.rows {
            match places.apply(fields, event) {
                Err(JournalError::Unresolved { opening, .. }) => {
                    let Some(holder) = OpeningId::parse(&opening) else {
                        return Err(JournalError::BadRow { seq: fields.seq });
                    };
                    return Ok(Err((fields.seq, holder)));
                }
                other => other?,
            }
        }
        let held: BTreeSet<String> = places.all()?.into_values().collect();
        Ok(Ok(held.iter().filter_map(|id| OpeningId::parse(id)).collect()))
    }

    /// A later opening took a place, so the earlier one had ended, and how it ended is lost: a person looks it up. That is
    /// written where a row is missing between the two.
    fn free_the_places(&mut self, now: Timestamp) -> Result<Vec<OpeningId>, SalvageError> {
        let mut freed = Vec::new();
        while let Err((seq, holder)) = self.play()? {
            let contradiction = || SalvageError::Contradiction { seq, opening: holder.to_string() };
            let numbers: BTreeSet<i64> = self.rows.iter().map(|(fields, _)| fields.seq).collect();
            let of_holder = self.rows.iter().filter(|(f, _)| f.seq < seq && f.opening.as_deref() == Some(holder.as_str()));
            let from = of_holder.map(|(fields, _)| fields.seq).next_back().ok_or_else(contradiction)?;
            let free = (from + 1..seq).rev().find(|n| !numbers.contains(n)).ok_or_else(contradiction)?;
            let why = format!(
                "the journal was damaged, and the row that says how this opening ended is lost: look for [db:{holder}] in Shopify"
            );
            let prompt = ["COUNT SAVED".to_owned(), "CALL THE MANAGER".to_owned()];
            let event = Event::OpeningNeedsAttention { kind: "salvaged".to_owned(), why, prompt, session: None };
            self.add(free, now, &holder, event);
            freed.push(holder);
        }
        Ok(freed)
    }

    /// See the top of this file.
    fn put_in_doubt(&mut self, now: Timestamp) -> Result<Vec<OpeningId>, SalvageError> {
        let unsettled = match self.play()? {
            Ok(unsettled) => unsettled,
            Err((seq, opening)) => return Err(SalvageError::Contradiction { seq, opening: opening.to_string() }),
        };
        let last = self.rows.last().map_or(0, |(fields, _)| fields.seq);
        for (opening, seq) in unsettled.iter().zip((last / SEQ_GAP + 2) * SEQ_GAP..) {
            let of_it = self.rows.iter().filter(|(f, _)| f.opening.as_deref() == Some(opening.as_str()));
            let attempt = of_it.map(|(_, event)| attempt_that_may_have_run(event)).max().unwrap_or(1);
            let why = "the journal was damaged and rows of it are lost: an attempt may have run, so Shopify is read first";
            let event = Event::OpeningUnknown { attempt, why: why.to_owned(), already_open: false };
            self.add(seq, now, opening, event);
        }
        Ok(unsettled)
    }

    /// Openings of which something at Shopify is told, and no count.
    fn without_count(&self) -> Vec<OpeningId> {
        let mut counted: BTreeMap<&str, bool> = BTreeMap::new();
        for (fields, event) in &self.rows {
            let Some(opening) = fields.opening.as_deref() else { continue };
            let has_count = matches!(event, Event::OpeningCounted(_));
            let was_sent = matches!(
                event,
                Event::OpeningSending { .. }
                    | Event::OpeningNotSent { .. }
                    | Event::OpeningUnknown { .. }
                    | Event::OpeningAbsent { .. }
            );
            if event.settles() {
                counted.insert(opening, true);
            } else if has_count || was_sent {
                *counted.entry(opening).or_default() |= has_count;
            }
        }
        counted.into_iter().filter(|(_, has_count)| !has_count).filter_map(|(id, _)| OpeningId::parse(id)).collect()
    }
}

/// The attempt that the event tells of, or the one that may have followed it unseen.
fn attempt_that_may_have_run(event: &Event) -> u8 {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other event, a new one too, tells of no attempt")]
    match event {
        Event::OpeningSending { attempt, .. }
        | Event::OpeningNotSent { attempt, .. }
        | Event::OpeningUnknown { attempt, .. } => *attempt,
        Event::OpeningAbsent { attempt, .. } => (attempt + 1).min(MAX_ATTEMPTS),
        _ => 1,
    }
}

fn write_rows(rows: &[(chain::Fields, Event)], to: &Path) -> Result<[u8; 32], SalvageError> {
    let written = write_all(rows, to);
    if written.is_err() {
        // Half a journal must not be taken for one.
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(beside(to, end)));
        }
    }
    Ok(written?)
}

fn write_all(rows: &[(chain::Fields, Event)], to: &Path) -> Result<[u8; 32], JournalError> {
    let mut db = Connection::open(to).map_err(JournalError::writing)?;
    set_and_read_back(&db, &to.display().to_string())?;
    make(&mut db).map_err(JournalError::writing)?;
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(JournalError::writing)?;
    let mut head = chain::GENESIS;
    for (fields, event) in rows {
        let hash = chain::link(&head, fields);
        hold_place(&step, fields.opening.as_deref().and_then(OpeningId::parse).as_ref(), event)?;
        insert(&step, fields, &head, &hash).map_err(JournalError::writing)?;
        head = hash;
    }
    step.commit().map_err(JournalError::writing)?;
    // The last one to close it writes the log into the file.
    db.close().map_err(|(_, error)| JournalError::writing(error))?;
    Ok(head)
}

#[cfg(test)]
mod tests;

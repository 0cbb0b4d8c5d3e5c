//! What is looked at before the journal is written to, and what becomes of a file that is ours and damaged: it stays as it
//! is, a copy of it is put beside it, and the daemon does not start. So nothing is sent on the word of half a record.
//!
//! ## Why the start does not look at everything
//! A till must be there in a moment. What it goes on from is the newest rows and the unsettled openings: those are checked
//! whole, and of an older row nothing is sent. A small file is read whole all the same. `journal verify` looks at everything.
//!
//! Measured with 100,000 rows (28 MB, without optimisation, two cores): 27 ms at the start, 3.2 s for everything.
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    APPLICATION_ID, Index, JournalError, chain, first_start_was_cut_short, open_to_look,
    stored::{COLUMNS, StoredRow},
    verify::{Places, Report, is_damage, quick_check},
};
use crate::clock;

/// So many of the newest rows are followed at each start: some days of a till.
pub(super) const TAIL: usize = 1000;
/// A file of up to this many pages (of 4 KiB: 8 MiB, a month of a busy till) is checked by SQLite at each start.
const WHOLE: i64 = 2048;

/// Looks whether the file may be written to. Changes nothing, unless it is ours and damaged: then a copy is made.
pub(super) fn look_before_writing(file: &Path, name: &str, index: Index) -> Result<(), JournalError> {
    let Some(what) = what_is_damaged(file, index)? else { return Ok(()) };
    let copy = match quarantine(file) {
        Ok(copy) => format!("a copy of it is {}", copy.display()),
        Err(cause) => format!("a copy of it could not be made ({cause})"),
    };
    Err(JournalError::Damaged { path: name.to_owned(), what, copy })
}

fn what_is_damaged(file: &Path, index: Index) -> Result<Option<String>, JournalError> {
    if first_start_was_cut_short(file) {
        return Ok(None);
    }
    if is_empty(file) {
        // SQLite would take it for a new one and remove the log.
        let cut = !is_empty(&beside(file, "-wal"));
        return Ok(cut.then(|| "it is empty, and the log beside it is not".to_owned()));
    }
    let looked = open_to_look(file, index).and_then(|db| looks_wrong(&db));
    match looked {
        Ok(what) => Ok(what),
        Err(JournalError::Foreign { .. }) if has_our_mark(file) => Ok(Some("SQLite cannot read it".to_owned())),
        Err(error) if is_damage(&error) => Ok(Some(error.cause_in_words())),
        Err(error) => Err(error),
    }
}

/// `application_id` in the header of a file that SQLite does not read any more.
fn has_our_mark(file: &Path) -> bool {
    let mut header = [0; 72];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && i64::from(u32::from_be_bytes([header[68], header[69], header[70], header[71]])) == APPLICATION_ID
}

fn looks_wrong(db: &Connection) -> Result<Option<String>, JournalError> {
    db.execute_batch("BEGIN")?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let pages: i64 = db.query_row("PRAGMA page_count", [], |r| r.get(0))?;
    if pages <= WHOLE
        && let Some(first) = quick_check(db, 1)?.into_iter().next()
    {
        return Ok(Some(first));
    }
    let newest = newest_rows(db)?;
    if let Some(what) = breaks(&newest) {
        return Ok(Some(what));
    }
    unsettled_differ(db, &newest)
}

/// The newest rows and one before them, oldest first.
fn newest_rows(db: &Connection) -> Result<Vec<StoredRow>, JournalError> {
    let mut query = db.prepare(&format!("{COLUMNS} ORDER BY seq DESC LIMIT {}", TAIL + 1))?;
    let mut rows = query.query_map([], StoredRow::read)?.collect::<Result<Vec<_>, _>>()?;
    rows.reverse();
    Ok(rows)
}

fn breaks(rows: &[StoredRow]) -> Option<String> {
    if let Some(first) = rows.first()
        && rows.len() <= TAIL
        && first.prev != chain::GENESIS
    {
        return Some(format!("rows before {} are missing", first.fields.seq));
    }
    if let Some(edited) = rows.iter().find(|row| !row.fits()) {
        return Some(format!("row {} does not fit its hash", edited.fields.seq));
    }
    let torn = rows.windows(2).find(|pair| pair[1].prev != pair[0].hash)?;
    Some(format!("row {} does not continue the row before it", torn[1].fields.seq))
}

/// Whether the table of unsettled openings says what the rows say, for all that it has and all that the newest rows leave
/// unsettled.
fn unsettled_differ(db: &Connection, newest: &[StoredRow]) -> Result<Option<String>, JournalError> {
    let mut aside = Report::default();
    let mut places = Places::new()?;
    for row in newest {
        places.take(row, &mut aside)?;
    }
    let by_table = Places::held(db)?;
    let openings: BTreeSet<String> = places.all()?.into_values().chain(by_table.values().cloned()).collect();
    for opening in openings {
        let mut alone = Places::new()?;
        for row in of_opening(db, &opening)? {
            alone.take(&row, &mut aside)?;
        }
        let by_rows = alone.all()?;
        let fits = by_rows.iter().all(|(device, _)| by_table.get(device) == Some(&opening))
            && by_table.iter().all(|(device, holder)| *holder != opening || by_rows.contains_key(device));
        if !fits {
            return Ok(Some(format!("the table of unsettled openings does not say what the rows say of {opening}")));
        }
    }
    Ok(None)
}

fn of_opening(db: &Connection, opening: &str) -> Result<Vec<StoredRow>, JournalError> {
    let columns = COLUMNS.replace(" NOT INDEXED", "");
    let mut query = db.prepare_cached(&format!("{columns} WHERE opening = ?1 ORDER BY seq"))?;
    let rows = query.query_map([opening], StoredRow::read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Another file of the same journal: its name with something behind it.
pub(crate) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Copies the journal and its log beside it, `journal.db.quarantine-20261124T070000Z`, unless there is such a copy already:
/// a service that is started again and again must not fill the disk.
pub(super) fn quarantine(file: &Path) -> io::Result<PathBuf> {
    let mark = ".quarantine-";
    let name = beside(Path::new(file.file_name().unwrap_or_default()), mark);
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder)? {
        let there = entry?.path();
        let of_ours =
            there.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(name.as_os_str().as_encoded_bytes()));
        if of_ours && same(file, &there)? && same(&beside(file, "-wal"), &beside(&there, "-wal"))? {
            return Ok(there);
        }
    }
    let copy = beside(file, &format!("{mark}{}", clock::wall().strftime("%Y%m%dT%H%M%SZ")));
    let log = beside(file, "-wal");
    let copied = copy_to(file, &copy).and_then(|()| {
        // Reading leaves an empty one behind.
        if is_empty(&log) { Ok(()) } else { copy_to(&log, &beside(&copy, "-wal")) }
    });
    if let Err(cause) = copied {
        // Half a copy helps nobody, and takes the room.
        for part in [&copy, &beside(&copy, "-wal")] {
            drop(std::fs::remove_file(part));
        }
        return Err(cause);
    }
    Ok(copy)
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.len() == 0)
}

fn copy_to(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    if is_empty(one) || is_empty(other) {
        return Ok(is_empty(one) == is_empty(other));
    }
    if std::fs::metadata(one)?.len() != std::fs::metadata(other)?.len() {
        return Ok(false);
    }
    Ok(std::fs::read(one)? == std::fs::read(other)?)
}

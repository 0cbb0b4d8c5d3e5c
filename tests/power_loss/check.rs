//! What must be true of a journal after a power cut: it opens, it is whole, and every row that was called durable is there.
use std::{collections::BTreeMap, fs, path::Path};

use drawerbridge::{
    journal::{self, Journal},
    shift::event::Event,
};
use rusqlite::{Connection, OpenFlags};

use super::{
    disk::Image,
    writer::{Columns, JOURNAL},
};

/// Rows of one transaction.
pub type Batch = Vec<Columns>;

/// What a cut may have left of the batches.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// All that were tried until the cut, oldest first.
    pub tried: &'a [Batch],
    /// How many of them the journal had called durable.
    pub durable: usize,
}

/// Writes the image into an empty folder, with what may be left of the index.
pub fn lay_out(folder: &Path, image: &Image, index: Option<&[u8]>) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes)?;
    }
    index.map_or(Ok(()), |bytes| fs::write(folder.join(format!("{JOURNAL}-shm")), bytes))
}

/// Opens the journal as the daemon does and looks at everything. Returns how many batches are there.
pub fn check(folder: &Path, expected: &Expected<'_>) -> Result<usize, String> {
    let path = folder.join(JOURNAL);
    let mut journal = Journal::open(&path).map_err(|e| told("it does not open", &e))?;
    let (rows, unresolved) = look(&path)?;
    let batches = batches_of(&rows, expected)?;
    if batches < expected.durable {
        let rows = |n: usize| expected.tried[..n].iter().map(Vec::len).sum::<usize>();
        return Err(format!("{} rows were called durable, and {} are there", rows(expected.durable), rows(batches)));
    }
    if unresolved != unresolved_by(&rows)? {
        return Err(format!("the rows say that {:?} are unresolved, the table says {unresolved:?}", unresolved_by(&rows)?));
    }
    let seq = journal.next_seq();
    if rows.last().is_some_and(|last| seq <= last.0) {
        return Err(format!("the next row would be number {seq} again"));
    }
    let at = jiff::Timestamp::UNIX_EPOCH;
    let row = journal.append(at, "", None, &Event::DaemonStarted { version: "after the cut".into() });
    row.map_err(|e| told("nothing can be appended", &e))?;
    let (count, head) = journal::verify(&path).map_err(|e| told("the chain is broken afterwards", &e))?;
    if (count, head) != (rows.len() as u64 + 1, journal.head()) {
        return Err(format!("{count} rows afterwards, where {} and one more were expected", rows.len()));
    }
    // And after an end in order, which empties the log into the file.
    let head = journal.head();
    drop(journal);
    let again = Journal::open(&path).map_err(|e| told("it does not open a second time", &e))?;
    (again.head() == head).then_some(batches).ok_or_else(|| "the second start finds another newest row".to_owned())
}

type Unresolved = BTreeMap<String, String>;

fn look(path: &Path) -> Result<(Vec<Columns>, Unresolved), String> {
    let read = || -> rusqlite::Result<_> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let integrity: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
        let mut query = db.prepare("SELECT seq, at, till, opening, name, body FROM event ORDER BY seq")?;
        let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<Columns>>>()?;
        let mut query = db.prepare("SELECT device, opening FROM unresolved")?;
        let unresolved = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        Ok((integrity, rows, unresolved))
    };
    let (integrity, rows, unresolved) = read().map_err(|e| told("it cannot be read", &e))?;
    if integrity != "ok" {
        return Err(format!("integrity_check: {integrity}"));
    }
    Ok((rows, unresolved))
}

/// The rows are the first so many batches, byte by byte: none in part, none out of order, none that nobody wrote.
fn batches_of(rows: &[Columns], expected: &Expected<'_>) -> Result<usize, String> {
    let mut left = rows;
    let mut batches = 0;
    while let Some(first) = left.first() {
        let batch = expected.tried.get(batches).ok_or_else(|| format!("row {} was not written by anybody", first.0))?;
        left = left.strip_prefix(batch.as_slice()).ok_or_else(|| {
            let wrong = left.iter().zip(batch).find(|(there, tried)| there != tried).map_or(first, |(there, _)| there);
            format!("row {} is not what was written, or only a part of its transaction is there", wrong.0)
        })?;
        batches += 1;
    }
    Ok(batches)
}

/// The rows' own account of who is unresolved.
fn unresolved_by(rows: &[Columns]) -> Result<Unresolved, String> {
    let (mut unresolved, mut devices) = (Unresolved::new(), BTreeMap::new());
    for (seq, _, _, opening, name, body) in rows {
        let Some(opening) = opening else { continue };
        let body: serde_json::Value = serde_json::from_str(body).map_err(|e| format!("row {seq}: {e}"))?;
        let text = |field: &str| body[field].as_str().ok_or_else(|| format!("row {seq} has no {field}"));
        match name.as_str() {
            "opening.counted" => {
                let device = text("point_of_sale_device_id")?.to_owned();
                devices.insert(opening, device.clone());
                unresolved.insert(device, opening.clone());
            }
            // The count goes into another session: its opening is on its way again.
            "opening.resolved" if text("decision")? == "record_count" => {
                let device = devices.get(opening).ok_or_else(|| format!("row {seq} is about an opening without a count"))?;
                unresolved.insert(device.clone(), opening.clone());
            }
            "opening.confirmed"
            | "opening.refused"
            | "opening.needs_attention"
            | "opening.recorded"
            | "opening.stale"
            | "opening.resolved" => unresolved.retain(|_, o| o != opening),
            _ => {}
        }
    }
    Ok(unresolved)
}

/// An error with its causes.
fn told(what: &str, error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect::<Vec<_>>();
    format!("{what}: {}", causes.join(": "))
}

//! The record of what happened, in SQLite: `append` → [`Durable`]. A count is saved when this file says so, not before.
//!
//! Rows are added and never changed. Each carries the SHA-256 of the row before it, so that an edited, removed or
//! reordered row is found by [`verify`].
//!
//! ## Why the stream's numbers are the rows' numbers
//! `seq` is what an event-stream client resumes by, so it must rise across restarts even when the last few device events
//! were told but not yet written. Each start therefore skips ahead ([`SEQ_GAP`]); the chain, not the number, proves order.
pub mod chain;

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::shift::event::{Event, OpeningId};

/// The schema this program writes. A file with a higher number is refused untouched.
pub const SCHEMA: i64 = 1;
/// Marks the file as ours (SQLite's `application_id`): "drwb".
const APPLICATION_ID: i64 = 0x6472_7762;
/// How far `seq` jumps at each start; more than the device events that can be told before they are written.
pub const SEQ_GAP: i64 = 1000;

const STEP_1: &str = "
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        till TEXT NOT NULL,
        opening TEXT,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        prev BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX event_by_opening ON event(opening) WHERE opening IS NOT NULL;
    CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
    CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
    CREATE TABLE unresolved (device TEXT PRIMARY KEY, opening TEXT NOT NULL) STRICT;
";

/// Proof that a row is on disk: only the journal makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// What is on disk.
    pub const fn get(&self) -> &T {
        &self.0
    }
    /// Takes it out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Rises with every row, not always by one.
    pub seq: i64,
    /// Wall clock, UTC.
    pub at: Timestamp,
    /// The till's name; empty for the daemon itself.
    pub till: String,
    /// The opening it belongs to.
    pub opening: Option<OpeningId>,
    /// What happened.
    pub event: Event,
}

/// Why the journal cannot be used. A message says what happened, then what to do.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another daemon has it.
    #[error("{path} is in use by another drawerbridge: stop that one first (`fuser {path}` names it)")]
    Busy {
        /// The journal.
        path: String,
    },
    /// Written by a newer program.
    #[error(
        "{path} was written by a newer drawerbridge (schema {found}, this one knows {SCHEMA}): install that version again; the file was not touched"
    )]
    Newer {
        /// The journal.
        path: String,
        /// Its schema.
        found: i64,
    },
    /// Not ours.
    #[error("{path} is no drawerbridge journal: name another file in [journal] path; the file was not touched")]
    Foreign {
        /// The file.
        path: String,
    },
    /// SQLite does not do what was asked of it.
    #[error(
        "{path}: SQLite runs with {pragma} = {found}, not {wanted}: the file system cannot keep a journal safe; use a local disk"
    )]
    Unsafe {
        /// The journal.
        path: String,
        /// Which setting.
        pragma: &'static str,
        /// As read back.
        found: String,
        /// As set.
        wanted: &'static str,
    },
    /// This device has an unresolved attempt of another opening.
    #[error("{device} still has the unresolved opening {opening}: settle that one first")]
    Unresolved {
        /// The Shopify device.
        device: String,
        /// The opening in the way.
        opening: String,
    },
    /// A row that cannot be read.
    #[error("row {seq} of the journal cannot be read: run `drawerbridge journal verify`")]
    BadRow {
        /// Its number.
        seq: i64,
    },
    /// The chain is broken.
    #[error(
        "row {seq} of the journal was changed, moved, or a row before it is missing ({what}): keep the file and call for help"
    )]
    Broken {
        /// The first row that does not fit.
        seq: i64,
        /// Which check failed.
        what: &'static str,
    },
    /// The disk.
    #[error("the journal could not be written: free space on its disk and check that it is not read-only")]
    Sqlite(#[from] rusqlite::Error),
    /// Files.
    #[error("{path} could not be opened: create the folder and let the service's user write there")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
}

/// The open journal of a running daemon. Holds a lock on the file beside it for life.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    head: [u8; 32],
    next: i64,
    _lock: File,
}

impl Journal {
    /// Opens or makes the journal, brings it to this schema, and takes the lock.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let lock = lock(path)?;
        let mut db = Connection::open(path)?;
        check_ours(&db, &name)?;
        set_and_read_back(&db, &name)?;
        let fresh = user_version(&db)? == 0;
        if fresh {
            let step = db.transaction()?;
            step.execute_batch(STEP_1)?;
            step.pragma_update(None, "application_id", APPLICATION_ID)?;
            step.pragma_update(None, "user_version", SCHEMA)?;
            step.commit()?;
        }
        let last: Option<(i64, Vec<u8>)> = db
            .query_row("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let (head, next) = match last {
            None => (chain::GENESIS, 1),
            Some((seq, hash)) => (hash.try_into().map_err(|_| JournalError::BadRow { seq })?, (seq / SEQ_GAP + 2) * SEQ_GAP),
        };
        Ok(Self { db, head, next, _lock: lock })
    }

    /// Puts one event on disk. When this returns `Ok`, it survives power loss.
    ///
    /// `opening.sending` also takes the device's one place for an unresolved attempt; an event that settles the opening
    /// frees it, in the same transaction.
    pub fn append(
        &mut self,
        at: Timestamp,
        till: &str,
        opening: Option<&OpeningId>,
        event: &Event,
    ) -> Result<Durable<Row>, JournalError> {
        let row = Row { seq: self.next, at, till: till.to_owned(), opening: opening.cloned(), event: event.clone() };
        self.append_row(row)
    }

    /// As [`Journal::append`], for a row that was numbered before: `row.seq` is at least [`Journal::next_seq`].
    pub fn append_row(&mut self, row: Row) -> Result<Durable<Row>, JournalError> {
        if row.seq < self.next {
            return Err(JournalError::BadRow { seq: row.seq });
        }
        let fields = chain::Fields::of(&row);
        let hash = chain::link(&self.head, &fields);
        let step = self.db.transaction()?;
        hold_place(&step, row.opening.as_ref(), &row.event)?;
        step.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
            fields.seq,
            fields.at,
            fields.till,
            fields.opening,
            fields.name,
            fields.body,
            self.head,
            hash
        ])?;
        step.commit()?;
        self.head = hash;
        self.next = row.seq + 1;
        Ok(Durable(row))
    }

    /// The next row's number.
    #[must_use]
    pub const fn next_seq(&self) -> i64 {
        self.next
    }

    /// The openings of one till, newest first, at most `limit`.
    pub fn openings_of(&self, till: &str, limit: u32) -> Result<Vec<OpeningId>, JournalError> {
        let mut query = self.db.prepare_cached(
            "SELECT opening FROM event WHERE till = ?1 AND opening IS NOT NULL GROUP BY opening ORDER BY min(seq) DESC LIMIT ?2",
        )?;
        let names = query.query_map(params![till, limit], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|n| OpeningId::parse(n)).collect())
    }

    /// The hash of the newest row.
    #[must_use]
    pub const fn head(&self) -> [u8; 32] {
        self.head
    }

    /// Rows after `seq`, oldest first, at most `limit`.
    pub fn rows_after(&self, seq: i64, limit: u32) -> Result<Vec<Row>, JournalError> {
        rows_after(&self.db, seq, limit)
    }

    /// All rows of one opening, oldest first.
    pub fn of_opening(&self, opening: &OpeningId) -> Result<Vec<Row>, JournalError> {
        let mut query = self.db.prepare_cached(&format!("{COLUMNS} WHERE opening = ?1 ORDER BY seq"))?;
        collect(query.query_map([opening.as_str()], raw)?)
    }

    /// Openings that hold their device's place: resumed at start.
    pub fn unresolved(&self) -> Result<Vec<OpeningId>, JournalError> {
        let mut query = self.db.prepare("SELECT opening FROM unresolved ORDER BY opening")?;
        let names = query.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|n| OpeningId::parse(n)).collect())
    }
}

/// Opens for reading only, beside a running daemon, and hands out the rows after `seq`.
pub fn read(path: &Path, seq: i64, limit: u32) -> Result<Vec<Row>, JournalError> {
    rows_after(&open_to_read(path)?, seq, limit)
}

/// Follows the chain from the first row to the last. Returns how many rows there are, and the head.
pub fn verify(path: &Path) -> Result<(u64, [u8; 32]), JournalError> {
    verify_each(path, |_, _| {})
}

/// As [`verify`]; `each` is handed the number and the hash of every row that fits.
pub fn verify_each(path: &Path, mut each: impl FnMut(i64, &[u8; 32])) -> Result<(u64, [u8; 32]), JournalError> {
    let db = open_to_read(path)?;
    let mut query = db.prepare("SELECT seq, at, till, opening, name, body, prev, hash FROM event ORDER BY seq")?;
    let mut rows = query.query([])?;
    let (mut head, mut count) = (chain::GENESIS, 0);
    while let Some(r) = rows.next()? {
        let fields = chain::Fields {
            seq: r.get(0)?,
            at: r.get(1)?,
            till: r.get(2)?,
            opening: r.get(3)?,
            name: r.get(4)?,
            body: r.get(5)?,
        };
        let seq = fields.seq;
        let (prev, hash): (Vec<u8>, Vec<u8>) = (r.get(6)?, r.get(7)?);
        if prev != head {
            return Err(JournalError::Broken { seq, what: "it does not continue the row before it" });
        }
        let expected = chain::link(&head, &fields);
        if hash != expected {
            return Err(JournalError::Broken { seq, what: "its content does not fit its hash" });
        }
        head = expected;
        count += 1;
        each(seq, &head);
    }
    Ok((count, head))
}

const COLUMNS: &str = "SELECT seq, at, till, opening, body FROM event";
type Raw = (i64, String, String, Option<String>, String);

fn raw(r: &rusqlite::Row<'_>) -> rusqlite::Result<Raw> {
    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?))
}

fn collect(rows: impl Iterator<Item = rusqlite::Result<Raw>>) -> Result<Vec<Row>, JournalError> {
    rows.map(|r| {
        let (seq, at, till, opening, body) = r?;
        let bad = || JournalError::BadRow { seq };
        let opening = opening.map(|o| OpeningId::parse(&o).ok_or_else(bad)).transpose()?;
        let at = at.parse().map_err(|_| bad())?;
        Ok(Row { seq, at, till, opening, event: serde_json::from_str(&body).map_err(|_| bad())? })
    })
    .collect()
}

fn rows_after(db: &Connection, seq: i64, limit: u32) -> Result<Vec<Row>, JournalError> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?;
    collect(query.query_map(params![seq, limit], raw)?)
}

fn hold_place(step: &Connection, opening: Option<&OpeningId>, event: &Event) -> Result<(), JournalError> {
    let Some(opening) = opening else { return Ok(()) };
    match event {
        Event::OpeningCounted(counted) => {
            let device = &counted.point_of_sale_device_id;
            let holder: Option<String> =
                step.query_row("SELECT opening FROM unresolved WHERE device = ?1", [device], |r| r.get(0)).optional()?;
            if let Some(holder) = holder.filter(|h| h != opening.as_str()) {
                return Err(JournalError::Unresolved { device: device.clone(), opening: holder });
            }
            step.execute("INSERT OR IGNORE INTO unresolved VALUES (?1, ?2)", params![device, opening.as_str()])?;
        }
        Event::OpeningConfirmed { .. } | Event::OpeningRefused { .. } | Event::OpeningNeedsAttention { .. } => {
            step.execute("DELETE FROM unresolved WHERE opening = ?1", [opening.as_str()])?;
        }
        Event::DaemonStarted { .. }
        | Event::DrawerOpened { .. }
        | Event::DrawerClosed { .. }
        | Event::DrawerKicked { .. }
        | Event::DrawerLeftOpen {}
        | Event::PrinterStatus { .. }
        | Event::DisplayStatus { .. }
        | Event::KeypadStatus { .. }
        | Event::OpeningStarted { .. }
        | Event::OpeningCancelled { .. }
        | Event::OpeningSending { .. }
        | Event::OpeningNotSent { .. }
        | Event::OpeningUnknown { .. }
        | Event::OpeningAbsent { .. }
        | Event::SlipSending { .. }
        | Event::SlipPrinted { .. }
        | Event::SlipNotProven { .. }
        | Event::ShiftClosed { .. } => {}
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let beside: PathBuf = path.with_extension("lock");
    let io = |cause| JournalError::Io { path: beside.display().to_string(), cause };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Busy { path: path.display().to_string() }),
        Err(other) => Err(io(other.into())),
    }
}

fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    let name = path.display().to_string();
    if !path.exists() {
        let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(JournalError::Io { path: name, cause });
    }
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_ours(&db, &name)?;
    Ok(db)
}

fn user_version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |r| r.get(0))
}

/// Only reads: a file that is not ours, or newer than us, must stay as it is.
fn check_ours(db: &Connection, path: &str) -> Result<(), JournalError> {
    let foreign = |_| JournalError::Foreign { path: path.to_owned() };
    let found = user_version(db).map_err(foreign)?;
    let id: i64 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(foreign)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(foreign)?;
    if id != APPLICATION_ID && (id != 0 || found != 0 || tables != 0) {
        return Err(JournalError::Foreign { path: path.to_owned() });
    }
    if found > SCHEMA {
        return Err(JournalError::Newer { path: path.to_owned(), found });
    }
    Ok(())
}

fn set_and_read_back(db: &Connection, path: &str) -> Result<(), JournalError> {
    let not = |pragma, found: String, wanted| JournalError::Unsafe { path: path.to_owned(), pragma, found, wanted };
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode != "wal" {
        return Err(not("journal_mode", mode, "wal"));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    let level: i64 = db.query_row("PRAGMA synchronous", [], |r| r.get(0))?;
    if level != 2 {
        return Err(not("synchronous", level.to_string(), "2 (FULL)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

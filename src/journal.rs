//! The record of what happened, in SQLite: `append` → [`Durable`]. A count is saved when this file says so, not before.
//!
//! Rows are added and never changed. Each carries the SHA-256 of the row before it, so that an edited, removed or
//! reordered row is found by [`verify`].
//!
//! ## Why the stream's numbers are the rows' numbers
//! `seq` is what an event-stream client resumes by, so it must rise across restarts even when the last few device events
//! were told but not yet written. Each start therefore skips ahead ([`SEQ_GAP`]); the chain, not the number, proves order.
pub mod chain;
mod damage;
mod reserve;
mod salvage;
mod stored;
mod verify;

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, config::DbConfig, params};
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

pub(crate) use self::damage::beside;
use self::reserve::Reserve;
pub use self::{
    salvage::{SalvageError, Salvaged, salvage, salvage_to},
    stored::{StoredRow, stored},
    verify::{Finding, Report, Wrong, examine, verify},
};
use crate::{
    saboteur::{Saboteur, is_on},
    shift::event::{Decision, Event, OpeningId},
};

/// The schema this program writes. A file with a higher number is refused untouched.
pub const SCHEMA: i64 = 1;
/// Marks the file as ours (SQLite's `application_id`): "drwb".
const APPLICATION_ID: i64 = 0x6472_7762;
/// How far `seq` jumps at each start, at least: more than the events that can be told while the disk refuses them (a drawer
/// and a printer make a few a minute, so this is months), and little enough that numbers stay exact in JavaScript for ever.
pub const SEQ_GAP: i64 = 1_000_000;

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
";
/// Who holds a device's one place for an unsettled attempt. It follows from the rows ([`hold_place`]).
const UNRESOLVED: &str = "CREATE TABLE unresolved (device TEXT PRIMARY KEY, opening TEXT NOT NULL) STRICT;";

/// Proof that a row is on disk: only the journal makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable<T> {
    what: T,
    hash: [u8; 32],
}

impl<T> Durable<T> {
    /// What is on disk.
    pub const fn get(&self) -> &T {
        &self.what
    }
    /// Takes it out.
    pub fn into_inner(self) -> T {
        self.what
    }
    /// The row's hash: the journal's head when it was written.
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
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
        "the journal does not hold together: {what}; keep the file as it is, run `drawerbridge journal verify`, and call for help"
    )]
    Broken {
        /// The first row that does not fit.
        seq: i64,
        /// What does not fit, in words.
        what: String,
    },
    /// No space.
    #[error("the journal's disk is full: free space on it")]
    Full,
    /// No writing.
    #[error("the journal's disk, folder or file is read-only: make it writable for the service's user")]
    ReadOnly,
    /// Another fault while writing.
    #[error("the journal could not be written: check its disk and whether another program has the file open")]
    Write(#[source] rusqlite::Error),
    /// Another fault while reading.
    #[error("the journal could not be read: check its disk, then run `drawerbridge journal verify`")]
    Read(#[source] rusqlite::Error),
    /// There is none.
    #[error("{path} does not exist: name the journal that is meant (--journal, or [journal] path in the configuration)")]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// Ours, and damaged.
    #[error(
        "{path} is damaged: {what}; it was not touched, nothing is sent, and {copy}: `drawerbridge journal verify` says more, and `drawerbridge journal salvage` puts a new journal of what is whole in its place"
    )]
    Damaged {
        /// The journal.
        path: String,
        /// What is wrong.
        what: String,
        /// Where the copy is, or why there is none.
        copy: String,
    },
    /// Half-way through the way out.
    #[error("a salvage of {path} was cut short: run `drawerbridge journal salvage` again, it goes on where it stopped")]
    Salvaging {
        /// The journal.
        path: String,
    },
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

impl JournalError {
    /// Trying again later helps, without a change to the configuration.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Full | Self::ReadOnly => true,
            Self::Newer { .. }
            | Self::Foreign { .. }
            | Self::Unsafe { .. }
            | Self::Unresolved { .. }
            | Self::BadRow { .. }
            | Self::Broken { .. }
            | Self::Write(_)
            | Self::Read(_)
            | Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::Salvaging { .. }
            | Self::Io { .. } => false,
        }
    }

    /// What SQLite or the system said, else the message.
    fn cause_in_words(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), ToString::to_string)
    }

    fn writing(error: rusqlite::Error) -> Self {
        by_disk(&error).unwrap_or(Self::Write(error))
    }

    fn file(path: &Path, cause: std::io::Error) -> Self {
        let kind = cause.kind();
        if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Self::Full
        } else if kind == ErrorKind::ReadOnlyFilesystem {
            Self::ReadOnly
        } else {
            Self::Io { path: path.display().to_string(), cause }
        }
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        by_disk(&error).unwrap_or(Self::Read(error))
    }
}

/// Faults whose remedy is the disk. `IOERR_SHMSIZE`: the index beside a journal in WAL mode found no room.
fn by_disk(error: &rusqlite::Error) -> Option<JournalError> {
    let code = error.sqlite_error()?;
    if code.code == ErrorCode::DiskFull || code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
        return Some(JournalError::Full);
    }
    (code.code == ErrorCode::ReadOnly).then_some(JournalError::ReadOnly)
}

/// The open journal of a running daemon. Holds a lock on the file beside it for life.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    file: PathBuf,
    name: String,
    index: Index,
    head: [u8; 32],
    next: i64,
    reserve: Reserve,
    _lock: File,
}

/// Where SQLite keeps its index of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    /// In a file beside the journal, so that others can read it too.
    Shared,
    /// In memory, because the disk had no room for that file. The journal is read, and nothing is written to it.
    OwnMemory,
}

impl Journal {
    /// Opens or makes the journal, brings it to this schema, and takes the lock.
    ///
    /// A full disk does not keep a journal that is there from being read: it [takes nothing](Journal::takes_nothing) until
    /// there is room.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let file = real_path(path)?;
        let lock = lock(&file, &name)?;
        if beside(&file, salvage::SALVAGED).exists() {
            return Err(JournalError::Salvaging { path: name });
        }
        let (db, index) = match connect(&file, &name, Index::Shared) {
            Err(JournalError::Full) => (connect(&file, &name, Index::OwnMemory)?, Index::OwnMemory),
            opened => (opened?, Index::Shared),
        };
        let (head, next) = match newest(&db)? {
            None => (chain::GENESIS, 1),
            Some((seq, hash)) => (hash, (seq / SEQ_GAP + 2) * SEQ_GAP),
        };
        let reserve = Reserve::of(&file);
        Ok(Self { db, file, name, index, head, next, reserve, _lock: lock })
    }

    /// It was opened on a full disk, and only reading works until [`Journal::make_room`] finds room.
    #[must_use]
    pub const fn takes_nothing(&self) -> bool {
        matches!(self.index, Index::OwnMemory)
    }

    /// Keeps the reserve if there is room for it, and opens a journal that takes nothing anew if there is.
    ///
    /// # Errors
    /// The disk is still full.
    pub fn make_room(&mut self) -> Result<(), JournalError> {
        if !self.reserve.keep() {
            return Err(JournalError::Full);
        }
        if self.index == Index::Shared {
            return Ok(());
        }
        // It holds the whole file: it must be closed before another one can open it.
        drop(std::mem::replace(&mut self.db, Connection::open_in_memory()?));
        match connect(&self.file, &self.name, Index::Shared) {
            Ok(db) => {
                self.db = db;
                self.index = Index::Shared;
                Ok(())
            }
            Err(error) => {
                self.db = connect(&self.file, &self.name, Index::OwnMemory)?;
                Err(error)
            }
        }
    }

    /// Gives up the reserve, so that a row that something waits for can be written once more. `false`: there is none.
    pub fn give_up_reserve(&mut self) -> bool {
        !self.takes_nothing() && self.reserve.give_up()
    }

    /// The reserve is there.
    #[must_use]
    pub const fn has_reserve(&self) -> bool {
        self.reserve.is_kept()
    }

    /// The reserve was given up: what nobody waits for must leave its room alone.
    #[must_use]
    pub const fn lives_on_reserve(&self) -> bool {
        self.reserve.is_spent()
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
    ) -> Result<Durable<Arc<Row>>, JournalError> {
        let row = Row { seq: self.next, at, till: till.to_owned(), opening: opening.cloned(), event: event.clone() };
        let written = self.append_rows(&[Arc::new(row)])?;
        Ok(written.into_iter().next().expect("one row was written"))
    }

    /// As [`Journal::append`], for rows that were numbered before: their `seq` rises from at least [`Journal::next_seq`].
    /// All of them are on disk, or none.
    pub fn append_rows(&mut self, rows: &[Arc<Row>]) -> Result<Vec<Durable<Arc<Row>>>, JournalError> {
        if self.takes_nothing() {
            self.make_room()?;
        }
        // From the start a writing one, so that nothing can come between the look at the newest row and the new one.
        let step = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(JournalError::writing)?;
        let newest = newest(&step)?;
        if newest.map_or(chain::GENESIS, |(_, hash)| hash) != self.head {
            let seq = newest.map_or(0, |(seq, _)| seq);
            let what = format!("another program wrote row {seq} after this one had opened it");
            return Err(JournalError::Broken { seq, what });
        }
        let (mut head, mut next) = (self.head, self.next);
        let mut written = Vec::with_capacity(rows.len());
        for row in rows {
            if row.seq < next {
                return Err(JournalError::BadRow { seq: row.seq });
            }
            let fields = chain::Fields::of(row);
            let hash = chain::link(&head, &fields);
            hold_place(&step, row.opening.as_ref(), &row.event)?;
            insert(&step, &fields, &head, &hash).map_err(JournalError::writing)?;
            (head, next) = (hash, row.seq + 1);
            written.push(Durable { what: Arc::clone(row), hash });
        }
        step.commit().map_err(JournalError::writing)?;
        (self.head, self.next) = (head, next);
        Ok(written)
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

    /// As [`Journal::openings_of`], but only those that were counted, and with those that were counted for this device under
    /// another till's name.
    pub fn counted_of_device(&self, till: &str, device: &str, limit: u32) -> Result<Vec<OpeningId>, JournalError> {
        let mut query = self.db.prepare_cached(
            "SELECT opening FROM event WHERE opening IS NOT NULL AND (till = ?1 OR opening IN (
                SELECT opening FROM event WHERE name = 'opening.counted' AND body ->> '$.point_of_sale_device_id' = ?2
            )) GROUP BY opening HAVING max(name = 'opening.counted') ORDER BY min(seq) DESC LIMIT ?3",
        )?;
        let names =
            query.query_map(params![till, device, limit], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|n| OpeningId::parse(n)).collect())
    }

    /// The hash of the newest row.
    #[must_use]
    pub const fn head(&self) -> [u8; 32] {
        self.head
    }

    /// The number of the newest row, 0 when there is none.
    pub fn last_seq(&self) -> Result<i64, JournalError> {
        Ok(newest(&self.db)?.map_or(0, |(seq, _)| seq))
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

    /// The drawer's last opening before a row of this till.
    pub fn drawer_before(&self, till: &str, seq: i64) -> Result<Option<Row>, JournalError> {
        let of = format!("{COLUMNS} WHERE till = ?1 AND seq < ?2 AND name = 'drawer.opened' ORDER BY seq DESC LIMIT 1");
        let mut query = self.db.prepare_cached(&of)?;
        Ok(collect(query.query_map(params![till, seq], raw)?)?.pop())
    }

    /// A row's hash; `None` when there is no such row, or its content does not fit its hash.
    pub fn hash_of(&self, seq: i64) -> Result<Option<[u8; 32]>, JournalError> {
        let mut query = self.db.prepare_cached(&format!("{} WHERE seq = ?1", stored::COLUMNS))?;
        let found = query.query_row([seq], StoredRow::read).optional()?;
        Ok(found.filter(StoredRow::fits).and_then(|row| row.hash.try_into().ok()))
    }

    /// The till of each unresolved opening.
    pub fn unresolved_by_till(&self) -> Result<Vec<String>, JournalError> {
        let mut query = self.db.prepare_cached(
            "SELECT (SELECT till FROM event WHERE event.opening = unresolved.opening LIMIT 1) FROM unresolved",
        )?;
        let tills = query.query_map([], |r| r.get::<_, Option<String>>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(tills.into_iter().flatten().collect())
    }

    /// Openings that hold their device's place: resumed at start.
    pub fn unresolved(&self) -> Result<Vec<OpeningId>, JournalError> {
        let mut query = self.db.prepare("SELECT opening FROM unresolved ORDER BY opening")?;
        let names = query.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|n| OpeningId::parse(n)).collect())
    }
}

fn connect(file: &Path, name: &str, index: Index) -> Result<Connection, JournalError> {
    // A connection that may write would also tidy up on closing: it writes what a write-ahead log left behind into a
    // file that must not be touched, and removes the log. So another one looks first.
    damage::look_before_writing(file, name, index)?;
    let mut db = Connection::open(file).map_err(JournalError::writing)?;
    index.choose(&db)?;
    check_ours(&db, name)?;
    set_and_read_back(&db, name)?;
    if user_version(&db)? == 0 {
        make(&mut db).map_err(JournalError::writing)?;
    }
    Ok(db)
}

impl Index {
    /// Before anything is read: who is alone with the file needs no index beside it.
    fn choose(self, db: &Connection) -> Result<(), JournalError> {
        if self == Self::OwnMemory {
            db.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

/// Opens for reading only, beside a running daemon, and hands out the rows after `seq`.
pub fn read(path: &Path, seq: i64, limit: u32) -> Result<Vec<Row>, JournalError> {
    rows_after(&open_to_read(path)?, seq, limit)
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

fn make(db: &mut Connection) -> rusqlite::Result<()> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step.execute_batch(STEP_1)?;
    step.execute_batch(UNRESOLVED)?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", SCHEMA)?;
    step.commit()
}

/// Number and hash of the newest row.
fn newest(db: &Connection) -> Result<Option<(i64, [u8; 32])>, JournalError> {
    let mut query = db.prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")?;
    let last: Option<(i64, Vec<u8>)> = query.query_row([], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    last.map(|(seq, hash)| Ok((seq, hash.try_into().map_err(|_| JournalError::BadRow { seq })?))).transpose()
}

fn insert(step: &Connection, fields: &chain::Fields, prev: &[u8; 32], hash: &[u8; 32]) -> rusqlite::Result<usize> {
    step.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        fields.seq,
        fields.at,
        fields.till,
        fields.opening,
        fields.name,
        fields.body,
        prev,
        hash
    ])
}

fn hold_place(step: &Connection, opening: Option<&OpeningId>, event: &Event) -> Result<(), JournalError> {
    let Some(opening) = opening else { return Ok(()) };
    if event.settles() {
        step.execute("DELETE FROM unresolved WHERE opening = ?1", [opening.as_str()]).map_err(JournalError::writing)?;
    }
    let device = if let Event::OpeningCounted(counted) = event {
        counted.point_of_sale_device_id.clone()
    } else if let Event::OpeningResolved { decision: Decision::RecordCount, .. } = event {
        // It goes on: its device is the one it was counted for.
        let of = "SELECT body ->> '$.point_of_sale_device_id' FROM event WHERE opening = ?1 AND name = 'opening.counted'";
        let Some(device) = step.query_row(of, [opening.as_str()], |r| r.get(0)).optional()? else { return Ok(()) };
        device
    } else {
        return Ok(());
    };
    let holder: Option<String> =
        step.query_row("SELECT opening FROM unresolved WHERE device = ?1", [&device], |r| r.get(0)).optional()?;
    if let Some(holder) = holder.filter(|h| h != opening.as_str()) {
        return Err(JournalError::Unresolved { device, opening: holder });
    }
    step.execute("INSERT OR IGNORE INTO unresolved VALUES (?1, ?2)", params![device, opening.as_str()])
        .map_err(JournalError::writing)?;
    Ok(())
}

/// The file itself, whatever links and spellings lead to it. It is made first: an empty one is a journal without rows.
fn real_path(path: &Path) -> Result<PathBuf, JournalError> {
    let failed = |cause| JournalError::file(path, cause);
    OpenOptions::new().create(true).append(true).mode(0o640).open(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

/// `file` is the real path: two spellings of one journal must meet the same lock, and two journals must not.
fn lock(file: &Path, name: &str) -> Result<File, JournalError> {
    let beside = beside(file, ".lock");
    let failed = |cause| JournalError::file(&beside, cause);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Busy { path: name.to_owned() }),
        Err(other) => Err(failed(other.into())),
    }
}

/// The power failed while the file was made: it was empty, and SQLite's rollback journal says so (eight bytes of magic, then
/// from byte 16 the number of pages there were; see "Database File Format", section 3). Only a connection that may write can
/// make it empty again, and nothing in it is to be kept.
fn first_start_was_cut_short(file: &Path) -> bool {
    const MAGIC: [u8; 8] = [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7];
    std::fs::read(beside(file, "-journal"))
        .is_ok_and(|bytes| bytes.starts_with(&MAGIC) && bytes.get(16..20) == Some(&[0; 4]))
}

/// Changes nothing: neither the file nor a log beside it.
fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    if !path.exists() {
        return Err(JournalError::Missing { path: path.display().to_string() });
    }
    open_to_look(path, Index::Shared)
}

/// As [`open_to_read`]; an index in memory needs the file for itself, which SQLite grants only to who might write.
fn open_to_look(path: &Path, index: Index) -> Result<Connection, JournalError> {
    let flags = match index {
        Index::Shared => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Index::OwnMemory => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let db = Connection::open_with_flags(path, flags)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    index.choose(&db)?;
    check_ours(&db, &path.display().to_string())?;
    Ok(db)
}

fn user_version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |r| r.get(0))
}

/// Only reads: a file that is not ours, or newer than us, must stay as it is.
fn check_ours(db: &Connection, path: &str) -> Result<(), JournalError> {
    let foreign = |e: rusqlite::Error| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => JournalError::Foreign { path: path.to_owned() },
        _ => e.into(),
    };
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
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).map_err(JournalError::writing)?;
    if mode != "wal" {
        return Err(not("journal_mode", mode, "wal"));
    }
    let (asked, number) = if is_on(Saboteur::SynchronousOff) { ("OFF", 0) } else { ("FULL", 2) };
    db.pragma_update(None, "synchronous", asked).map_err(JournalError::writing)?;
    let level: i64 = db.query_row("PRAGMA synchronous", [], |r| r.get(0))?;
    if level != number {
        return Err(not("synchronous", level.to_string(), "2 (FULL)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

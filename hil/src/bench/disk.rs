//! The daemon's journal, made to refuse what is written to it, as a full or hung disk makes it refuse.
//!
//! ## Why a lock, and no full disk
//! Whoever holds SQLite's write lock keeps every other program from writing for as long as it likes, without a file system
//! of its own and without more rights than the daemon has. The daemon waits for its time-out (SQLite's through rusqlite, 5 s
//! for each event) and is then refused. Reading goes on, as it does on a full disk.
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// A journal that takes nothing. Dropped, it takes again.
#[derive(Debug)]
pub struct HeldJournal(Mutex<Connection>);

impl HeldJournal {
    /// Waits until the daemon has written what it is writing, and lets it write nothing more. The file must be there.
    pub async fn hold(path: &Path) -> Result<Self, String> {
        let path = path.to_path_buf();
        let held = tokio::task::spawn_blocking(move || {
            lock(&path).map_err(|e| format!("{}: its write lock cannot be had: {e}", path.display()))
        });
        let db = held.await.map_err(|e| format!("the journal's lock could not be waited for: {e}"))??;
        Ok(Self(Mutex::new(db)))
    }

    /// Lets the daemon write again.
    pub fn release(self) -> Result<(), String> {
        let db = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        db.execute_batch("ROLLBACK").map_err(|e| format!("the journal's write lock cannot be given back: {e}"))
    }
}

fn lock(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The last one to close a journal tidies it up. That is the daemon's work, also at its next start.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch("BEGIN IMMEDIATE")?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::ErrorCode;

    use super::*;

    /// A journal as far as this file cares, and somebody who writes to it without patience.
    fn journal(path: &Path) -> Connection {
        let db = Connection::open(path).unwrap();
        db.busy_timeout(Duration::ZERO).unwrap();
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).unwrap();
        assert_eq!(mode, "wal");
        db.execute_batch("CREATE TABLE event (seq INTEGER PRIMARY KEY)").unwrap();
        db
    }

    fn append(db: &Connection) -> Result<usize, Option<ErrorCode>> {
        db.execute("INSERT INTO event DEFAULT VALUES", []).map_err(|e| e.sqlite_error_code())
    }

    fn rows(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM event", [], |r| r.get(0)).unwrap()
    }

    #[tokio::test]
    async fn a_held_journal_can_be_read_and_not_written_until_it_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let daemon = journal(&path);
        assert_eq!(append(&daemon), Ok(1));
        let held = HeldJournal::hold(&path).await.unwrap();
        assert_eq!((append(&daemon), rows(&daemon)), (Err(Some(ErrorCode::DatabaseBusy)), 1));
        held.release().unwrap();
        assert_eq!((append(&daemon), rows(&daemon)), (Ok(1), 2));
        drop(HeldJournal::hold(&path).await.unwrap());
        assert_eq!(append(&daemon), Ok(1), "who forgets to let it go does so at the end");
    }

    #[tokio::test]
    async fn a_journal_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let why = HeldJournal::hold(&path).await.unwrap_err();
        assert!(why.contains("journal.db") && !path.exists(), "{why}");
    }
}

//! Rows exactly as they stand in the file, hash and all: what `export`, `verify` and `salvage` work on.
use std::path::Path;

use rusqlite::{Connection, params, types::ValueRef};

use super::{JournalError, chain, open_to_read};

/// One row of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// What the hash covers, besides the hash before it.
    pub fields: chain::Fields,
    /// The hash of the row before, as this row names it.
    pub prev: Vec<u8>,
    /// Its own hash.
    pub hash: Vec<u8>,
}

/// The columns in the order in which they are read here.
pub(super) const COLUMNS: &str = "SELECT seq, at, till, opening, name, body, prev, hash FROM event NOT INDEXED";

impl StoredRow {
    /// Reads a row of [`COLUMNS`]. What is no text or no hash (the file was damaged) becomes one that fits no hash.
    pub(super) fn read(r: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let text = |n| r.get_ref(n).map(|value| String::from_utf8_lossy(bytes_of(value)).into_owned());
        let opening = if r.get_ref(3)? == ValueRef::Null { None } else { Some(text(3)?) };
        let fields = chain::Fields { seq: r.get(0)?, at: text(1)?, till: text(2)?, opening, name: text(4)?, body: text(5)? };
        Ok(Self { fields, prev: bytes_of(r.get_ref(6)?).to_vec(), hash: bytes_of(r.get_ref(7)?).to_vec() })
    }

    /// Its content fits its hash.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.fits_after(&self.prev)
    }

    /// Its content fits its hash, if `prev` is the hash of the row before.
    pub(super) fn fits_after(&self, prev: &[u8]) -> bool {
        <&[u8; 32]>::try_from(prev).is_ok_and(|prev| chain::link(prev, &self.fields) == *self.hash)
    }
}

fn bytes_of(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

/// Rows after `seq` as they stand in the file, oldest first, at most `limit`. Reads beside a running daemon.
pub fn stored(path: &Path, seq: i64, limit: u32) -> Result<Vec<StoredRow>, JournalError> {
    stored_after(&open_to_read(path)?, seq, limit)
}

pub(super) fn stored_after(db: &Connection, seq: i64, limit: u32) -> Result<Vec<StoredRow>, JournalError> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?;
    let rows = query.query_map(params![seq, limit], StoredRow::read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

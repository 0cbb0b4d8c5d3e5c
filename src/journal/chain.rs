//! The hash chain over journal rows: SHA-256 over the hash before it and the row's canonical bytes.
//!
//! ## Why lengths are written before texts
//! Without them two different rows could have the same bytes (`"ab" + "c"` and `"a" + "bc"`).
use sha2::{Digest, Sha256};

use super::Row;

/// What the first row continues.
pub const GENESIS: [u8; 32] = [0; 32];

/// A row's columns as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Number.
    pub seq: i64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Till.
    pub till: String,
    /// Opening.
    pub opening: Option<String>,
    /// Event name.
    pub name: String,
    /// The event as JSON.
    pub body: String,
}

impl Fields {
    /// As `append` stores the row.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        Self {
            seq: row.seq,
            at: row.at.to_string(),
            till: row.till.clone(),
            opening: row.opening.as_ref().map(ToString::to_string),
            name: row.event.name().to_owned(),
            body: serde_json::to_string(&row.event).expect("an event has no map keys but strings"),
        }
    }
}

/// The hash of a row: SHA-256(prev ‖ seq as 8 bytes, big-endian ‖ for each text its length as 8 bytes, big-endian, and its
/// UTF-8 bytes; a missing opening counts as the empty text).
#[must_use]
pub fn link(prev: &[u8; 32], row: &Fields) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prev);
    hash.update(row.seq.to_be_bytes());
    for text in [&row.at, &row.till, row.opening.as_ref().unwrap_or(&String::new()), &row.name, &row.body] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// As people and other programs write a hash: 64 digits.
#[must_use]
pub fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As it is printed on a slip: the first 16 digits, in fours. `journal verify --head` takes it so.
#[must_use]
pub fn short(hash: &[u8; 32]) -> String {
    let fours: Vec<String> = hash.chunks(2).take(4).map(hex).collect();
    fours.join("-")
}

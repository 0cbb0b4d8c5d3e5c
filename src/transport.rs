//! Bytes, no meaning.

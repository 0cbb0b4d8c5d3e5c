//! Keypads and scanners.

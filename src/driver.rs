//! Device languages, pure.

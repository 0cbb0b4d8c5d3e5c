//! The operator's machine.
pub mod event;

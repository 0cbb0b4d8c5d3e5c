//! The submission machine.

//! The operator machine.

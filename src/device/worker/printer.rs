//! The printer task.

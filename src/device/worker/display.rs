//! The display task.

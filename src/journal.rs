//! SQLite: append → Durable.

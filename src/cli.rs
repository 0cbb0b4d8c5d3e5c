//! One short file per subcommand; the only place that prints.
pub mod config;

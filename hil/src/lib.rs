//! The firmware side of drawerbridge, written from the fact sheets; shares no code with the daemon.
pub mod admin;
pub mod bench;
pub mod crash;
pub mod display;
pub mod keypad;
pub mod latency;
pub mod line;
pub mod paper;
pub mod printer;
pub mod progress;
pub mod scenario;

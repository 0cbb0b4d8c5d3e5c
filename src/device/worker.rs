//! One task per device: opens the port, joins transport and driver, opens again. Decides nothing itself.
pub mod display;
pub mod keypad;
pub mod printer;

pub use printer::{PrinterHandle, spawn_printer};

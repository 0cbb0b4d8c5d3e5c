//! One task per device: opens the port, joins transport and driver, opens again. Decides nothing itself.
pub mod display;
pub mod keypad;
mod link;
pub mod printer;

pub use display::{DisplayHandle, display_via, spawn_display};
pub use keypad::{KeypadHandle, spawn_keypad};
pub use printer::{PrinterHandle, spawn_printer};

//! One task per device: opens the port, joins transport and driver, opens again. Decides nothing itself.
pub mod display;
pub mod keypad;
pub mod printer;

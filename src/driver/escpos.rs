//! ESC/POS receipt printers.
pub mod command;
pub mod requests;
pub mod status;

//! ESC/POS receipt printers.
pub mod command;
pub mod health;
pub mod identity;
pub mod jobs;
pub mod requests;
pub mod status;

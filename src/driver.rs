//! Device languages. Pure: bytes and times in, values out; no files, no tasks, no clock.
pub mod display;
pub mod drawer;
pub mod escpos;
pub mod keypad;

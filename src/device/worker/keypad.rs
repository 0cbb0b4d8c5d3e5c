//! The keypad task.

//! keypad

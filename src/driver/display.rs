//! Pole displays.

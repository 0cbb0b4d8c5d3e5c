//! Linux input devices.

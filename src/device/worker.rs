//! One task per device.

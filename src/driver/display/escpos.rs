//! The ESC/POS line display: Epson DM-D and every "Epson mode". Fact sheet 1.1 and 1.14.

use super::code_page::{self, COLUMNS};
use crate::device::profile::DisplayProfile;

/// What a unit gets when its port was just opened: everything it may remember is set, and the glass is clear.
///
/// `ESC @` · what [`settings`] sends · `CLR`. 14 bytes: with a frame it is one write of 62, and more than 64 without waiting
/// for the line is too much for some units (fact sheet 1.0). Checked on: simulator only.
#[must_use]
pub fn init(profile: &DisplayProfile) -> Vec<u8> {
    let mut bytes = vec![0x1b, 0x40]; // ESC @
    bytes.extend(settings(profile));
    bytes.push(0x0c); // CLR
    bytes
}

/// The settings alone. A unit with its own power supply loses them while the port stays open, so they go out again with
/// every redraw; without `ESC @` and `CLR` that does not flicker.
#[must_use]
pub fn settings(profile: &DisplayProfile) -> Vec<u8> {
    let mut bytes = vec![
        0x1f, 0x01, // US MD1: overwrite, never scroll
        0x1f, 0x43, 0x00, // US C 0: cursor off
    ];
    bytes.extend([0x1b, 0x74, code_page::number(profile.code_page)]); // ESC t n
    bytes.extend([0x1f, 0x58, profile.brightness.clamp(1, 4)]); // US X n, n = 1..4
    bytes
}

/// Both rows, each at its place: `US $ 1 y` and 20 cells. 48 bytes.
#[must_use]
pub fn frame(rows: [[u8; COLUMNS]; 2]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    for (y, row) in [0x01, 0x02].into_iter().zip(rows) {
        bytes.extend([0x1f, 0x24, 0x01, y]);
        bytes.extend(row);
    }
    bytes
}

//! CD5220, Partner Tech's own set, which most pole displays emulate. Fact sheet 1.2 and 1.14.

use super::code_page::COLUMNS;
use crate::device::profile::DisplayProfile;

/// What a unit gets when its port was just opened.
///
/// The first `CLR` is not in the sheet's ready-made frame: a unit that kept its power since our last frame is still in
/// string mode, and there it ignores everything but `CLR`. Checked on: simulator only.
#[must_use]
pub fn init(profile: &DisplayProfile) -> Vec<u8> {
    vec![
        0x0c, // CLR: leave string mode
        0x1b,
        0x40, // ESC @
        0x1b,
        0x11, // ESC DC1: overwrite, never scroll
        0x1b,
        0x5f,
        0x00, // ESC _ 0: cursor off
        0x1b,
        0x2a,
        profile.brightness.clamp(1, 4), // ESC * n, n = 1..4
        0x0c,                           // CLR
    ]
}

/// Both rows as strings: `ESC Q A`, 20 cells, `CR`, and the same with `B`. 48 bytes.
///
/// This puts the unit in string mode, where other commands are ignored until `CLR`: so a redraw is the frame alone.
#[must_use]
pub fn frame(rows: [[u8; COLUMNS]; 2]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    for (line, row) in [b'A', b'B'].into_iter().zip(rows) {
        bytes.extend([0x1b, 0x51, line]);
        bytes.extend(row);
        bytes.push(0x0d);
    }
    bytes
}

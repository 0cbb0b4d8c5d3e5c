//! The commands drawerbridge itself sends to a receipt printer. What a slip consists of is `slip`'s.
//!
//! ## Why the kick is composed here
//! `ESC p` is five bytes. Senders that leave out the two times make the printer swallow the next two bytes instead
//! (field reports: python-escpos 10, node-escpos 151); the `escpos` crate is one of them.
use crate::{config::Pin, device::profile::PrinterProfile};

/// `ESC @`: forgets modes and the unfinished line, and switches automatic status off.
pub const INITIALIZE: [u8; 2] = [0x1B, 0x40];
/// `ESC @`, line feed, `GS V 66 0`: what another slip left hanging out is cut away, so that the next one begins on clean paper.
pub const CUT_AWAY: [u8; 7] = [0x1B, 0x40, 0x0A, 0x1D, 0x56, 0x42, 0x00];
/// `ESC = 1`: the printer listens, the display in front of it does not (Epson DM-D110 specification).
pub const SELECT_PRINTER: [u8; 3] = [0x1B, 0x3D, 0x01];
/// `ESC = 2`: the display listens, the printer does not.
pub const SELECT_DISPLAY: [u8; 3] = [0x1B, 0x3D, 0x02];
/// `GS a 0F`: automatic status for drawer pin, online, errors and paper (Epson TM-T88III specification).
pub const AUTO_STATUS: [u8; 3] = [0x1D, 0x61, 0x0F];
/// `GS r 1`: paper status, answered in buffer order with one byte (Epson programming guide). Never answered while offline.
pub const TRANSMIT_PAPER: [u8; 3] = [0x1D, 0x72, 0x01];

/// `DLE EOT n`: answered at once with one byte (Epson TM-T88III specification).
#[must_use]
pub const fn real_time(n: u8) -> [u8; 3] {
    [0x10, 0x04, n]
}

/// `GS I n` with n 65..=67: firmware, maker, model; answered with `5F`, text, `00` (Epson programming guide).
#[must_use]
pub const fn identity(n: u8) -> [u8; 3] {
    [0x1D, 0x49, n]
}

/// `GS ( H`, function 48: `37 22 d1 d2 d3 d4 00` comes back once everything before it is on paper (Epson programming guide).
#[must_use]
pub fn process_id(digits: [u8; 4]) -> [u8; 11] {
    let [a, b, c, d] = digits;
    [0x1D, 0x28, 0x48, 0x06, 0x00, 0x30, 0x30, a, b, c, d]
}

/// `ESC p m t1 t2`, always all five bytes, behind `ESC = 1` when a display may have the line (quirks 1 and 17 of the sheet).
/// m is 0 or 1: some clones do not know the forms 30h and 31h.
#[must_use]
pub fn kick(profile: &PrinterProfile, pin: Pin, pass_through: bool) -> Vec<u8> {
    let m = match pin {
        Pin::Two => 0,
        Pin::Five => 1,
    };
    let mut bytes = Vec::with_capacity(8);
    if pass_through {
        bytes.extend_from_slice(&SELECT_PRINTER);
    }
    bytes.extend_from_slice(&[0x1B, 0x70, m, profile.pulse_on, profile.pulse_off]);
    bytes
}

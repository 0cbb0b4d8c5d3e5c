//! A serial port as a raw, locked, non-blocking file.
//!
//! ## Why two locks
//! `TIOCEXCL` makes a second `open` fail with EBUSY for everyone but root. `flock` binds those who ask, root included. A pty
//! gets `flock` only: its exclusive mark would outlive a killed daemon for as long as the other side keeps the slave open.
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, major},
    io::Errno,
    termios::{
        ControlModes, InputModes, OptionalActions, QueueSelector, Termios, ioctl_tiocexcl, isatty, tcflush, tcgetattr,
        tcsetattr,
    },
};

use super::LinkError;
use crate::config::Flow;

/// Opens and sets a port: raw 8N1, no hang-up on close, stale input thrown away. DTR and RTS go up by the opening itself and
/// stay up; a printer in DTR/DSR mode answers only then (Epson ESC/POS guide, "DTR/DSR"; checked on: ptys only).
pub(super) fn open(path: &Path, baud: u32, flow: Flow) -> Result<OwnedFd, LinkError> {
    let port = path.display().to_string();
    let other = |doing: &'static str| {
        let port = port.clone();
        move |cause: Errno| LinkError::Other { port, doing, cause: cause.to_string() }
    };
    // Without NONBLOCK the opening would wait for a carrier that a three-wire cable never gives.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|cause| match cause {
        Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR => LinkError::Absent { port: port.clone() },
        Errno::BUSY => LinkError::Busy { port: port.clone() },
        Errno::ACCESS | Errno::PERM => LinkError::NoPermission { port: port.clone() },
        Errno::ISDIR => LinkError::NotASerialPort { port: port.clone() },
        // An unplugged pty or adapter whose file is still there.
        Errno::IO => LinkError::Absent { port: port.clone() },
        cause => other("being opened")(cause),
    })?;
    if !isatty(&fd) {
        return Err(LinkError::NotASerialPort { port });
    }
    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(LinkError::Busy { port }),
        Err(cause) => return Err(other("being locked")(cause)),
    }
    if !is_pty(&fd) {
        ioctl_tiocexcl(&fd).map_err(other("being locked"))?;
    }
    let mut wanted = tcgetattr(&fd).map_err(other("being read for its settings"))?;
    settings(&mut wanted, flow);
    let asked = || format!("{baud} baud, flow control {flow:?}");
    wanted.set_speed(baud).map_err(|_| LinkError::Settings { port: port.clone(), asked: asked() })?;
    tcsetattr(&fd, OptionalActions::Now, &wanted).map_err(|_| LinkError::Settings { port: port.clone(), asked: asked() })?;
    // `tcsetattr` succeeds if any one of the changes could be made: read back the one that matters most.
    let got = tcgetattr(&fd).map_err(other("being read for its settings"))?;
    if !near(baud, got.output_speed()) {
        return Err(LinkError::Settings { port, asked: asked() });
    }
    // What came before belongs to questions that somebody else asked.
    tcflush(&fd, QueueSelector::IFlush).map_err(other("being emptied"))?;
    Ok(fd)
}

fn settings(termios: &mut Termios, flow: Flow) {
    termios.make_raw();
    termios.input_modes -= InputModes::IXON | InputModes::IXOFF | InputModes::IXANY;
    termios.control_modes -= ControlModes::HUPCL | ControlModes::CSTOPB | ControlModes::CRTSCTS;
    termios.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    match flow {
        Flow::None => {}
        Flow::Hardware => termios.control_modes |= ControlModes::CRTSCTS,
        Flow::Software => termios.input_modes |= InputModes::IXON | InputModes::IXOFF,
    }
}

/// Whether two ends with these speeds understand each other. Adapters round to what their clock can divide (a CP2102N gives
/// 115,385 for 115,200), and a byte of ten bits is read well up to some 5 % of difference in sum.
fn near(asked: u32, got: u32) -> bool {
    u64::from(asked.abs_diff(got)) * 100 <= u64::from(asked) * 3
}

/// Throws away what was written and has not left. On a port that is gone there is nothing to throw away.
pub(super) fn discard_unsent(fd: impl AsFd) {
    if let Err(cause) = tcflush(fd, QueueSelector::OFlush) {
        tracing::debug!("unsent bytes could not be thrown away: {cause}");
    }
}

/// Unix98 pty slaves have major numbers 136 to 143 (Linux, Documentation/admin-guide/devices.txt).
fn is_pty(fd: impl AsFd) -> bool {
    fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && (136..=143).contains(&major(stat.st_rdev))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_that_an_adapter_rounds_is_near_enough_and_another_one_is_not() {
        for (asked, got) in [(115_200, 115_385), (115_200, 115_200), (38_400, 38_462), (9_600, 9_600), (300, 300)] {
            assert!(near(asked, got), "{asked} {got}");
        }
        for (asked, got) in [(115_200, 9_600), (9_600, 19_200), (38_400, 0), (115_200, 128_000)] {
            assert!(!near(asked, got), "{asked} {got}");
        }
    }
}

//! A pole display of 2 × 20 cells: what to send, and when. The port belongs to `device::worker::display`.
//!
//! ## Why whole frames
//! The unit answers nothing and forgets at will (a plug of its own, a nudge of the cable). So every change is a complete
//! picture, at absolute positions, in one write that a line either takes or does not; and the picture goes out again every
//! [`REDRAW_EVERY`], which is how a unit that was switched off and on shows the right thing again. While nobody uses the till
//! that is as good every [`REDRAW_IDLE`].

use std::time::{Duration, Instant};

use crate::device::{
    Frame,
    profile::{DisplayDialect, DisplayProfile},
};

pub mod cd5220;
pub mod code_page;
pub mod escpos;

/// The picture is sent again this often even if nothing changed: somebody stands before it and waits.
pub const REDRAW_EVERY: Duration = Duration::from_secs(5);
/// The same for the idle picture. Two wake-ups a minute are the price.
pub const REDRAW_IDLE: Duration = Duration::from_secs(30);

/// The picture a display should show and the one it was sent.
#[derive(Debug)]
pub struct Screen {
    profile: DisplayProfile,
    idle: Frame,
    wanted: Frame,
    line: Line,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Closed,
    /// Open, and nothing was sent yet.
    Fresh {
        bytes_per_second: Option<u64>,
    },
    Drawn {
        bytes_per_second: Option<u64>,
        shown: Frame,
        free_at: Instant,
        redraw_at: Instant,
    },
}

/// What the worker has to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing before the line is open.
    Nothing,
    /// Send this, in one write, then say [`Screen::written`].
    Write(Vec<u8>),
    /// Ask again at this time, or when something changed.
    WakeAt(Instant),
}

impl Screen {
    /// Starts with the idle frame wanted and the line closed.
    #[must_use]
    pub fn new(profile: DisplayProfile, idle: &[String; 2]) -> Self {
        let idle = Frame::new(&idle[0], &idle[1]);
        Self { profile, wanted: idle.clone(), idle, line: Line::Closed }
    }

    /// The frame to show from now on. The last one wins.
    pub fn show(&mut self, frame: Frame) {
        self.wanted = frame;
    }

    /// Nothing of a shift may stay on the glass: the idle frame is wanted.
    pub fn blank(&mut self) {
        self.wanted = self.idle.clone();
    }

    /// The line is open (again): what the unit shows is not known. `bytes_per_second` of a serial line is used not to pile
    /// up frames in the kernel, where they could not be replaced by a newer one.
    pub fn opened(&mut self, bytes_per_second: Option<u64>) {
        self.line = Line::Fresh { bytes_per_second };
    }

    /// The line is closed.
    pub fn lost(&mut self) {
        self.line = Line::Closed;
    }

    /// What to do now.
    #[must_use]
    pub fn next(&self, now: Instant) -> Next {
        match &self.line {
            Line::Closed => Next::Nothing,
            Line::Fresh { .. } => Next::Write([init(&self.profile), self.frame()].concat()),
            Line::Drawn { free_at, .. } if now < *free_at => Next::WakeAt(*free_at),
            Line::Drawn { redraw_at, .. } if now >= *redraw_at => {
                Next::Write([refresh(&self.profile), self.frame()].concat())
            }
            Line::Drawn { shown, .. } if *shown != self.wanted => Next::Write(self.frame()),
            Line::Drawn { redraw_at, .. } => Next::WakeAt(*redraw_at),
        }
    }

    /// The line took `bytes` bytes, the last ones of [`Screen::next`], at `now`.
    pub fn written(&mut self, now: Instant, bytes: usize) {
        let bytes_per_second = match self.line {
            Line::Closed => return,
            Line::Fresh { bytes_per_second } | Line::Drawn { bytes_per_second, .. } => bytes_per_second,
        };
        let wire = bytes_per_second.map_or(Duration::ZERO, |rate| {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
        });
        let every = if self.wanted == self.idle { REDRAW_IDLE } else { REDRAW_EVERY };
        self.line =
            Line::Drawn { bytes_per_second, shown: self.wanted.clone(), free_at: now + wire, redraw_at: now + every };
    }

    /// When the last byte has left the wire, if something was sent.
    #[must_use]
    pub fn free_at(&self) -> Option<Instant> {
        match self.line {
            Line::Closed | Line::Fresh { .. } => None,
            Line::Drawn { free_at, .. } => Some(free_at),
        }
    }

    fn frame(&self) -> Vec<u8> {
        let [upper, lower] = self.wanted.rows();
        match self.profile.dialect {
            DisplayDialect::EscPos => {
                let page = Some(self.profile.code_page);
                escpos::frame([code_page::row(upper, page), code_page::row(lower, page)])
            }
            DisplayDialect::Cd5220 => cd5220::frame([code_page::row(upper, None), code_page::row(lower, None)]),
        }
    }
}

fn init(profile: &DisplayProfile) -> Vec<u8> {
    match profile.dialect {
        DisplayDialect::EscPos => escpos::init(profile),
        DisplayDialect::Cd5220 => cd5220::init(profile),
    }
}

fn refresh(profile: &DisplayProfile) -> Vec<u8> {
    match profile.dialect {
        DisplayDialect::EscPos => escpos::settings(profile),
        DisplayDialect::Cd5220 => vec![],
    }
}

#[cfg(test)]
mod tests;

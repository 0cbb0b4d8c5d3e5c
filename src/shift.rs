//! The operator's machine.
pub mod event;
mod words;

use std::time::Instant;

use jiff::Timestamp;

use self::event::OpeningId;
pub use self::words::{Input, Output, Phase, Progress, Refusal, Reply, ShiftSettings};

/// The operator's machine of one till.
#[derive(Debug)]
pub struct Shift {
    settings: ShiftSettings,
    open: bool,
}

impl Shift {
    /// `open`: whether the shift is known to be open.
    #[must_use]
    pub fn new(settings: ShiftSettings, open: bool) -> Self {
        Self { settings, open }
    }
    /// After a restart: the count of `opening` is on disk, and what Shopify made of it is not settled.
    #[must_use]
    pub fn resumed(settings: ShiftSettings, opening: OpeningId) -> Self {
        drop(opening);
        Self { settings, open: true }
    }
    /// The only way in.
    pub fn handle(&mut self, now: Instant, wall: Timestamp, input: Input) -> Vec<Output> {
        drop((now, wall, input, &self.settings));
        Vec::new()
    }
    /// The opening that runs, until its count is saved.
    #[must_use]
    pub fn current(&self) -> Option<&OpeningId> {
        None
    }
    /// Where the machine stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.open { Phase::Open } else { Phase::Idle }
    }
}

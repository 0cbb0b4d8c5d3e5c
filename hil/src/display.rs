//! A pole display of two lines with twenty characters.
use crate::line::{Attach, Line};
use crate::printer::Warning;
use std::io;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The command set a display speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Epson line display commands (DM-D family).
    EscPos,
    /// Partner CD5220.
    Cd5220,
}

/// A simulated pole display.
#[derive(Debug, Clone)]
pub struct Display(Arc<Option<Line>>);

impl Display {
    /// Starts a display on its own wire.
    pub async fn spawn(_dialect: Dialect, attach: Attach) -> io::Result<Display> {
        Ok(Display(Arc::new(Some(Line::open(attach).await?))))
    }
    /// A display without a wire, fed by the printer it hangs on.
    pub fn detached(_dialect: Dialect) -> Display {
        Display(Arc::new(None))
    }
    /// Takes bytes as if they came over a wire.
    pub fn feed(&self, _bytes: &[u8]) {}
    /// What is shown now.
    pub fn frame(&self) -> [String; 2] {
        [" ".repeat(20), " ".repeat(20)]
    }
    /// Frames that stood for 15 ms and differ from the one before.
    pub fn frames(&self) -> broadcast::Receiver<[String; 2]> {
        broadcast::channel(1).1
    }
    /// Bytes that the unit does not know.
    pub fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
    /// Its wire, unless detached.
    pub fn line(&self) -> Option<&Line> {
        self.0.as_ref().as_ref()
    }
    /// Pulls the cable.
    pub fn unplug(&self) {}
    /// Puts the cable back; the unit starts empty.
    pub async fn plug(&self) -> io::Result<()> {
        Ok(())
    }
}

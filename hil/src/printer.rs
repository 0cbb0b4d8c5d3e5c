//! A simulated ESC/POS receipt printer with a cash drawer behind each pin of its kick connector.
use crate::display::Display;
use crate::line::{Attach, Line};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// The level of the sense line (pin 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Contact closed, 0 to 0.8 V.
    Low,
    /// Contact open or nothing connected.
    High,
}

/// What a printer is.
#[derive(Debug, Clone)]
pub struct PrinterSpec {
    /// Font A cells on a line.
    pub columns: u8,
    /// Dots on a line: 384, 512 or 576.
    pub dots: u32,
    /// The drawers on pin 2 and pin 5.
    pub drawers: [Option<DrawerSpec>; 2],
    /// Where it differs from the book.
    pub quirks: Quirks,
}

impl Default for PrinterSpec {
    fn default() -> Self {
        Self { columns: 42, dots: 512, drawers: [Some(DrawerSpec::default()), None], quirks: Quirks::default() }
    }
}

/// What a drawer is.
#[derive(Debug, Clone)]
pub struct DrawerSpec {
    /// Sense level while it is open.
    pub open_level: Level,
    /// From the pulse to the open drawer.
    pub delay: Duration,
    /// Extra edges while the contact bounces at opening.
    pub bounce: u8,
    /// Whether a contact is wired at all.
    pub sensor: bool,
}

impl Default for DrawerSpec {
    fn default() -> Self {
        Self { open_level: Level::Low, delay: Duration::from_millis(30), bounce: 0, sensor: true }
    }
}

/// Where a printer differs from the book.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// Takes `GS a` and never sends a block.
    pub no_asb: bool,
    /// Takes `GS ( H` and never answers.
    pub no_process_id: bool,
    /// Answers nothing at all.
    pub no_status: bool,
    /// Sits behind a pass-through display: deselected after power-on until `ESC = 1`.
    pub pass_through_display: bool,
}

/// The paper roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// Enough.
    Ok,
    /// The near-end sensor sees the core.
    NearEnd,
    /// None left: the printer goes offline.
    Out,
}

/// One piece of paper, cut off.
#[derive(Debug, Clone)]
pub struct Slip {
    /// Lines as printed.
    pub text: String,
    /// The paper as a picture.
    pub png: Vec<u8>,
}

/// Bytes that a real device would not take as they were meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Position of the first byte, counted from the first byte ever received.
    pub offset: u64,
    /// What is wrong.
    pub text: String,
}

/// A pulse on the kick connector.
#[derive(Debug, Clone)]
pub struct Kick {
    /// When the pulse began.
    pub at: Instant,
    /// 2 or 5.
    pub pin: u8,
    /// ON time.
    pub on_ms: u32,
    /// OFF time.
    pub off_ms: u32,
    /// Position of the command's first byte.
    pub offset: u64,
    /// By `DLE DC4`, past the buffer.
    pub realtime: bool,
}

/// What happens at a printer.
#[derive(Debug, Clone)]
pub enum PrinterEvent {
    /// A pulse began.
    Kick(Kick),
    /// A drawer moved.
    Drawer {
        /// Open now.
        open: bool,
    },
    /// A line of text was printed.
    Line(String),
    /// Paper was cut; index into [`Printer::slips`].
    Cut(usize),
    /// The host sent something wrong.
    Warning(Warning),
    /// A host opened the line.
    Connected,
    /// The host went away.
    Disconnected,
}

/// A simulated receipt printer.
#[derive(Debug, Clone)]
pub struct Printer(Arc<Line>);

impl Printer {
    /// Starts a printer on its wire.
    pub async fn spawn(_spec: PrinterSpec, attach: Attach) -> io::Result<Printer> {
        Ok(Printer(Arc::new(Line::open(attach).await?)))
    }
    /// Its wire.
    pub fn line(&self) -> &Line {
        &self.0
    }
    /// Opens the drawer with the key.
    pub fn key(&self) {}
    /// Pushes every open drawer shut.
    pub fn push_drawer_shut(&self) {}
    /// Whether a drawer is open.
    pub fn drawer_is_open(&self) -> bool {
        false
    }
    /// A jammed drawer's latch does not give way to a pulse.
    pub fn jam(&self, _jammed: bool) {}
    /// Changes the paper.
    pub fn set_paper(&self, _paper: Paper) {}
    /// The paper runs out after that many more lines.
    pub fn out_of_paper_after(&self, _lines: u32) {}
    /// Opens or shuts the cover.
    pub fn set_cover(&self, _open: bool) {}
    /// Takes the printer offline, or back.
    pub fn set_offline(&self, _offline: bool) {}
    /// Pulls the cable.
    pub fn unplug(&self) {}
    /// Puts the cable back.
    pub async fn plug(&self) -> io::Result<()> {
        Ok(())
    }
    /// Off and on again.
    pub async fn power_cycle(&self) {}
    /// Pulls the cable after that many more bytes.
    pub fn unplug_after(&self, _bytes: usize) {}
    /// The pieces of paper cut so far.
    pub fn slips(&self) -> Vec<Slip> {
        Vec::new()
    }
    /// What is printed and not cut yet.
    pub fn uncut_text(&self) -> String {
        String::new()
    }
    /// What the host sent wrong.
    pub fn warnings(&self) -> Vec<Warning> {
        Vec::new()
    }
    /// The pulses so far.
    pub fn kicks(&self) -> Vec<Kick> {
        Vec::new()
    }
    /// What happens, as it happens.
    pub fn events(&self) -> broadcast::Receiver<PrinterEvent> {
        broadcast::channel(1).1
    }
    /// Puts a display behind the printer, selected with `ESC =`.
    pub fn attach_display(&self, _display: Display) {}
}

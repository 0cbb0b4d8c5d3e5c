//! The printer task: one port, one printer, its drawer, and whoever asks something of them.
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    config::{self, Timing},
    device::{DeviceEvent, KickOutcome, KickRefused, Piece},
};

const ENDED: &str = "the printer's task has ended";

/// What is asked of the task.
#[derive(Debug)]
enum Order {
    Kick(oneshot::Sender<Result<KickOutcome, KickRefused>>),
    Print { job: u64, pieces: Vec<Piece> },
    PassThrough(Vec<u8>),
    Close(oneshot::Sender<()>),
}

/// Asks things of a printer and the drawer behind it. Clones ask the same printer.
#[derive(Debug, Clone)]
pub struct PrinterHandle {
    // Unbounded on purpose: the task empties it at once and bounds what it keeps.
    orders: mpsc::UnboundedSender<Order>,
    up: watch::Receiver<bool>,
}

impl PrinterHandle {
    /// Opens the drawer. Answers as soon as the sense line proves it, at the latest after `timing.kick_answer`.
    ///
    /// # Errors
    /// When no pulse was sent, and why.
    pub async fn kick(&self) -> Result<KickOutcome, KickRefused> {
        let (answer, answered) = oneshot::channel();
        let ended = || KickRefused::Unreachable(ENDED.to_owned());
        self.orders.send(Order::Kick(answer)).map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
    /// Queues a slip. What became of it comes as [`DeviceEvent::Printed`]; it is never sent twice.
    pub fn print(&self, job: u64, pieces: Vec<Piece>) {
        self.order(Order::Print { job, pieces });
    }
    /// Sends bytes to the display in front of the printer, wrapped in `ESC = 2` … `ESC = 1`, between two pieces of a slip.
    /// While the link is down they are dropped: [`Self::link`] tells when to send anew.
    pub fn pass_through(&self, bytes: Vec<u8>) {
        self.order(Order::PassThrough(bytes));
    }
    /// Whether the port is open (not whether the printer answers), to be watched.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<bool> {
        self.up.clone()
    }
    /// Lets the slip under way finish if it does so soon, then releases the port.
    pub async fn close(self) {
        let (closed, done) = oneshot::channel();
        self.order(Order::Close(closed));
        // An error means that the task was gone before.
        drop(done.await);
    }
    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::warn!("{ENDED}");
        }
    }
}

/// Starts the task. It owns the port until [`PrinterHandle::close`], or until all handles are gone.
#[must_use]
pub fn spawn_printer(
    printer: config::Printer,
    drawer: Option<config::Drawer>,
    timing: Timing,
    events: mpsc::Sender<DeviceEvent>,
) -> PrinterHandle {
    let (orders, inbox) = mpsc::unbounded_channel();
    let (up, watched) = watch::channel(false);
    tokio::spawn(async move {
        let _ = (printer, drawer, timing, events, inbox, up);
        tokio::time::sleep(Duration::ZERO).await;
    });
    PrinterHandle { orders, up: watched }
}

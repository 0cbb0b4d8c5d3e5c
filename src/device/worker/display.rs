//! The display task: keeps the wanted picture on a pole display. What to send and when is `driver::display`.
//!
//! ## Why the link is up only after the first picture
//! A serial port opens whether or not anything hangs on it. A display whose flow control says "no" would be up and down in
//! turns for ever; so it is up when its line has taken a picture, and stays down, said once, while it does not.
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::{link::LinkReport, printer::PrinterHandle};
use crate::{
    clock,
    config::{self, Timing},
    device::{DeviceEvent, Frame},
    driver::display::{Next, Screen},
    transport::{Backoff, Connection, LinkError, Reader, Writer},
};

/// A picture is at most 64 bytes: 70 ms at 9600 baud, and still within this at 1200.
const WRITE_WITHIN: Duration = Duration::from_secs(1);

/// Shows frames. Clones show on the same display.
#[derive(Debug, Clone)]
pub struct DisplayHandle {
    wanted: watch::Sender<Wanted>,
}

#[derive(Debug, Default)]
struct Wanted {
    frame: Option<Frame>,
    closing: bool,
}

impl DisplayHandle {
    /// Shows this from now on, also after the display was gone. The last frame wins; an equal one is not sent again.
    pub fn show(&self, frame: Frame) {
        self.wanted.send_modify(|wanted| wanted.frame = Some(frame));
    }
    /// Shows the idle frame, if the display can be reached, and releases the port. Ends within about a second.
    pub async fn close(self) {
        self.wanted.send_modify(|wanted| wanted.closing = true);
        self.wanted.closed().await;
    }
}

/// Starts the task of a display with a port of its own. It ends with [`DisplayHandle::close`], or when all handles are gone.
#[must_use]
pub fn spawn_display(display: config::Display, timing: Timing, events: mpsc::Sender<DeviceEvent>) -> DisplayHandle {
    let (wanted, watched) = watch::channel(Wanted::default());
    tokio::spawn(async move {
        let mut task = Task { screen: Screen::new(display.profile, &display.idle), wanted: watched, closing: false };
        let mut report = LinkReport::new(events, DeviceEvent::Display);
        let mut backoff = Backoff::new(timing.reopen_first, timing.reopen_max);
        loop {
            let opened = tokio::select! {
                biased;
                () = closing(&mut task.wanted) => return,
                opened = Connection::open(&display.port) => opened,
            };
            let since = clock::now();
            let lost = match opened {
                Ok(connection) => task.serve(connection, &mut report).await,
                Err(why) => Err(why),
            };
            let Err(why) = lost else { return };
            task.screen.lost();
            tokio::select! {
                biased;
                () = report.down(&why) => {}
                () = closing(&mut task.wanted) => return,
            }
            // A link that held was a good one. One that breaks at once is tried less and less often.
            if clock::now() - since > timing.reopen_max {
                backoff.reset();
            }
            tokio::select! {
                biased;
                () = closing(&mut task.wanted) => return,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
    });
    DisplayHandle { wanted }
}

/// Starts the task of a display on the printer's line (`via = "printer"`). It has no link of its own: the printer's is its.
/// Close it before the printer.
#[must_use]
pub fn display_via(printer: &PrinterHandle, display: config::Display) -> DisplayHandle {
    let (wanted, watched) = watch::channel(Wanted::default());
    let task = Task { screen: Screen::new(display.profile, &display.idle), wanted: watched, closing: false };
    let rate = u64::from(display.profile.baud / 10).max(1);
    let mut link = printer.link();
    let printer = printer.clone();
    tokio::spawn(async move {
        let up = *link.borrow_and_update();
        task.serve_via(printer, link, up, rate).await;
    });
    DisplayHandle { wanted }
}

#[derive(Debug)]
struct Task {
    screen: Screen,
    wanted: watch::Receiver<Wanted>,
    /// Asked to close, or nobody is left who could ask for anything.
    closing: bool,
}

impl Task {
    /// Until closed (`Ok`) or until the link breaks.
    async fn serve(&mut self, connection: Connection, report: &mut LinkReport) -> Result<(), LinkError> {
        let rate = connection.bytes_per_second();
        self.screen.opened(rate);
        let (mut reader, mut writer) = connection.split();
        // Displays say next to nothing, and nothing that is needed. Reading shows the unplugged cable.
        let mut ignored = [0; 64];
        loop {
            self.adopt();
            let now = clock::now();
            let at = match self.screen.next(now) {
                Next::Write(bytes) => {
                    match writer.write(&bytes, WRITE_WITHIN).await {
                        Ok(()) => self.screen.written(clock::now(), bytes.len()),
                        Err(why @ LinkError::Stuck { .. }) => {
                            let mut asked = self.wanted.clone();
                            tokio::select! {
                                biased;
                                () = closing(&mut asked) => return Ok(()),
                                room = room(&mut reader, &mut writer, report, &why) => room?,
                            }
                            self.screen.opened(rate);
                            continue;
                        }
                        Err(why) => return Err(why),
                    }
                    // A till that closes its devices may take no more events: do not wait for it then.
                    let mut asked = self.wanted.clone();
                    tokio::select! {
                        biased;
                        () = report.up() => {}
                        () = closing(&mut asked) => {}
                    }
                    continue;
                }
                Next::WakeAt(_) if self.settled(now) => {
                    writer.drain_on_close();
                    return Ok(());
                }
                Next::WakeAt(at) => at,
                Next::Nothing => return Ok(()),
            };
            tokio::select! {
                biased;
                changed = self.wanted.changed(), if !self.closing => self.closing |= changed.is_err(),
                () = tokio::time::sleep_until(at.into()) => {}
                read = reader.read(&mut ignored) => {
                    read?;
                    // A peer that sends without end must not keep the rest of the daemon waiting.
                    tokio::task::coop::consume_budget().await;
                }
            }
        }
    }

    /// Until closed, or until the printer's task has ended.
    async fn serve_via(mut self, printer: PrinterHandle, mut link: watch::Receiver<bool>, up: bool, rate: u64) {
        if up {
            self.screen.opened(Some(rate));
        }
        loop {
            self.adopt();
            let now = clock::now();
            let at = match self.screen.next(now) {
                Next::Write(bytes) => {
                    self.screen.written(clock::now(), bytes.len());
                    printer.pass_through(bytes);
                    continue;
                }
                Next::WakeAt(_) if self.settled(now) => return,
                Next::Nothing if self.closing => return,
                Next::WakeAt(at) => Some(at),
                Next::Nothing => None,
            };
            tokio::select! {
                biased;
                changed = link.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Even if it is up again already: what was sent in between is lost.
                    if *link.borrow_and_update() { self.screen.opened(Some(rate)) } else { self.screen.lost() }
                }
                changed = self.wanted.changed(), if !self.closing => self.closing |= changed.is_err(),
                () = until(at) => {}
            }
        }
    }

    /// Takes over what is wanted now.
    fn adopt(&mut self) {
        let wanted = self.wanted.borrow_and_update();
        self.closing |= wanted.closing;
        if self.closing {
            self.screen.blank();
        } else if let Some(frame) = &wanted.frame {
            self.screen.show(frame.clone());
        }
    }

    /// Closing, with the idle frame sent and off the wire: closing a serial port may throw away what has not left it.
    fn settled(&self, now: Instant) -> bool {
        self.closing && self.screen.free_at().is_none_or(|at| at <= now)
    }
}

/// Waits until a display that took nothing takes bytes again. The port stays open: closed and opened anew it would take the
/// next picture into the kernel's buffer, and seem to be up.
async fn room(reader: &mut Reader, writer: &mut Writer, report: &mut LinkReport, why: &LinkError) -> Result<(), LinkError> {
    report.down(why).await;
    let mut ignored = [0; 64];
    loop {
        tokio::select! {
            biased;
            room = writer.writable() => return room,
            read = reader.read(&mut ignored) => {
                read?;
                tokio::task::coop::consume_budget().await;
            }
        }
    }
}

async fn closing(wanted: &mut watch::Receiver<Wanted>) {
    // An error means that all handles are gone, which is the same.
    drop(wanted.wait_for(|wanted| wanted.closing).await.map(drop));
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

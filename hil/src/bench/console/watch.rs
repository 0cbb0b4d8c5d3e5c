//! What happens at the devices and at the shop, as lines for a terminal. Holds none of the devices: with the last one who
//! does, the telling ends.
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, oneshot,
};

use crate::{
    admin::{AdminApi, AdminEvent},
    bench::TillRig,
    printer::{Printer, PrinterEvent},
    scenario,
};

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A line.
    Line(String),
    /// A slip was cut.
    Slip {
        /// Which till, from 0.
        till: usize,
        /// Which slip, from 0.
        index: usize,
    },
}

/// Somebody who tells what happens in one place. Without this handle he tells it all the same.
#[derive(Debug)]
pub struct Watcher(mpsc::UnboundedSender<oneshot::Sender<()>>);

impl Watcher {
    /// Returns when all that has happened so far is told. Somebody must take the news meanwhile.
    pub async fn caught_up(&self) {
        let (reply, answer) = oneshot::channel();
        if self.0.send(reply).is_ok() {
            // No answer: what was watched is gone, and everything is told.
            drop(answer.await);
        }
    }
}

pub(super) fn watch_till(till: &TillRig, number: usize, tell: &mpsc::Sender<News>) -> Vec<Watcher> {
    let mut watchers = vec![watch_printer(&till.printer, number, tell.clone())];
    if let Some(display) = &till.display {
        watchers.push(watch(display.frames(), tell.clone(), |rows| vec![News::Line(scenario::draw(&rows))]));
        watchers.push(watch(display.warned(), tell.clone(), |w| {
            vec![News::Line(format!("warning  display, byte {}: {}", w.offset, w.text))]
        }));
    }
    watchers
}

pub(super) fn watch_shop(api: &AdminApi, tell: mpsc::Sender<News>) -> Watcher {
    watch(api.events(), tell, |event| match event {
        AdminEvent::Request(row) => {
            let ran = if row.executed { "executed" } else { "not executed" };
            let status = if row.status == 0 { "dropped".to_owned() } else { row.status.to_string() };
            vec![News::Line(format!("shop     {} {} -> {status}, {ran}", row.operation, row.variables))]
        }
        AdminEvent::Session(s) => {
            let state = if s.open { "open" } else { "closed" };
            vec![News::Line(format!("shop     session {} by {} with {} {}, {state}", s.gid, s.by, s.amount, s.currency))]
        }
        AdminEvent::FirstByte(_) => Vec::new(),
    })
}

/// Tells a printer's life as lines, and of each slip; to the first who watches it, from its beginning.
pub fn watch_printer(printer: &Printer, till: usize, tell: mpsc::Sender<News>) -> Watcher {
    let mut lines = 0;
    watch(printer.events_from_the_first(), tell, move |event| {
        let line = match event {
            PrinterEvent::Kick(kick) => {
                format!("kick     pin {}, {} ms on, {} ms off, at byte {}", kick.pin, kick.on_ms, kick.off_ms, kick.offset)
            }
            PrinterEvent::Drawer { open } => format!("drawer   {}", if open { "open" } else { "closed" }),
            PrinterEvent::Line(line) => {
                lines += 1;
                format!("paper    {line}")
            }
            PrinterEvent::Cut(index) => {
                let cut = format!("paper    ✂ slip {} ({} lines)", index + 1, std::mem::take(&mut lines));
                return vec![News::Line(cut), News::Slip { till, index }];
            }
            PrinterEvent::Warning(w) => format!("warning  printer, byte {}: {}", w.offset, w.text),
            PrinterEvent::Connected => "printer  somebody opened the port".into(),
            PrinterEvent::Disconnected => "printer  nobody has the port open".into(),
        };
        vec![News::Line(line)]
    })
}

fn watch<T: Clone + Send + 'static>(
    mut events: broadcast::Receiver<T>,
    tell: mpsc::Sender<News>,
    mut words: impl FnMut(T) -> Vec<News> + Send + 'static,
) -> Watcher {
    let (ask, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                // Who asks is answered when nothing is left that happened before.
                biased;
                event = events.recv() => event,
                Some(reply) = asked.recv() => {
                    // He may have stopped waiting.
                    reply.send(()).ok();
                    continue;
                }
            };
            let news = match event {
                Ok(event) => words(event),
                Err(RecvError::Lagged(n)) => vec![News::Line(format!("(… {n} lines were too fast to be told)"))],
                Err(RecvError::Closed) => return,
            };
            for news in news {
                if tell.send(news).await.is_err() {
                    return;
                }
            }
        }
    });
    Watcher(ask)
}

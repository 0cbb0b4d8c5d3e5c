//! A simulated pole display of two lines with twenty characters.
mod screen;

use crate::line::{Attach, Line, lock, now};
use crate::printer::{Printer, Warning};
use screen::Screen;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;

/// A frame counts as shown when no byte came for this long and none is on its way. At 9600 baud a byte takes 1 ms; hosts
/// send a frame in one go.
const SETTLED: Duration = Duration::from_millis(15);

/// While bytes are still on their way, it is looked again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Frames and warnings that a slow listener may be behind.
const FRAME_DEPTH: usize = 1024;

/// The command set a display speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Epson line display commands (DM-D family).
    EscPos,
    /// Partner CD5220.
    Cd5220,
}

/// One drawing of a display: what stood on it when the bytes had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// When it had settled.
    pub at: Instant,
    /// Both rows. The same as before, if the host drew the same again.
    pub rows: [String; 2],
}

/// A simulated pole display. Clones are the same display; with the last one it is gone.
#[derive(Debug, Clone)]
pub struct Display(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
    line: Option<Line>,
    task: Option<AbortHandle>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        if let Some(line) = &self.line {
            line.shut_down();
        }
    }
}

#[derive(Debug)]
struct Core {
    unit: Mutex<Unit>,
    changed: Notify,
    frames: broadcast::Sender<[String; 2]>,
    warnings: broadcast::Sender<Warning>,
    shown: Mutex<Vec<Shown>>,
    /// The line whose bytes end up here: its own, or that of the printer it hangs on.
    source: Option<Line>,
}

#[derive(Debug)]
struct Unit {
    screen: Screen,
    /// The last change that is not in `shown` yet.
    unsettled: Option<Instant>,
    /// Without a cable it has no supply and hears nothing.
    plugged: bool,
    warned: usize,
}

impl Core {
    fn new(dialect: Dialect, source: Option<Line>) -> Arc<Self> {
        let screen = Screen::new(dialect);
        let shown = vec![Shown { at: now(), rows: screen.frame() }];
        Arc::new(Self {
            unit: Mutex::new(Unit { screen, unsettled: None, plugged: true, warned: 0 }),
            changed: Notify::new(),
            frames: broadcast::Sender::new(FRAME_DEPTH),
            warnings: broadcast::Sender::new(FRAME_DEPTH),
            shown: Mutex::new(shown),
            source,
        })
    }

    fn change(&self, f: impl FnOnce(&mut Unit)) {
        let mut unit = lock(&self.unit);
        f(&mut unit);
        unit.unsettled = Some(now());
        for warning in unit.screen.warnings.iter().skip(unit.warned) {
            // With nobody listening, nobody misses it; `Display::warnings` has them all.
            drop(self.warnings.send(warning.clone()));
        }
        unit.warned = unit.screen.warnings.len();
    }

    fn feed(&self, bytes: &[u8]) {
        if lock(&self.unit).plugged {
            self.change(|unit| unit.screen.feed(bytes));
        }
    }

    fn is_quiet(&self) -> bool {
        self.source.as_ref().is_none_or(Line::is_quiet)
    }

    /// Notes what stands now, and tells of it if it is another picture than before.
    fn settle(&self) {
        let mut unit = lock(&self.unit);
        unit.unsettled = None;
        let rows = unit.screen.frame();
        let mut shown = lock(&self.shown);
        let differs = shown.last().is_none_or(|last| last.rows != rows);
        shown.push(Shown { at: now(), rows: rows.clone() });
        drop((shown, unit));
        if differs {
            // With nobody listening, nobody misses it.
            drop(self.frames.send(rows));
        }
    }

    /// Takes bytes from its own wire, if it has one, and settles. One task does both, so that no byte is ever between the
    /// wire and the cells while it is judged whether the picture stands.
    async fn live(self: Arc<Self>, wire: Option<Line>) {
        let mut buf = [0; 1024];
        let mut look_at = None;
        loop {
            let due = lock(&self.unit).unsettled.map(|since| look_at.take().unwrap_or(since + SETTLED));
            tokio::select! {
                biased;
                got = read(wire.as_ref(), &mut buf) => match got {
                    Ok(n @ 1..) => self.feed(&buf[..n]),
                    Ok(0) | Err(_) => return,
                },
                () = self.changed.notified() => {}
                () = until(due) => {
                    if self.is_quiet() {
                        self.settle();
                    } else {
                        look_at = Some(now() + LOOK_AGAIN);
                    }
                }
            }
        }
    }
}

async fn read(wire: Option<&Line>, buf: &mut [u8]) -> io::Result<usize> {
    match wire {
        Some(line) => line.read(buf).await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

impl Display {
    /// Starts a display on its own wire.
    pub async fn spawn(dialect: Dialect, attach: Attach) -> io::Result<Display> {
        let line = Line::open(attach).await?;
        let core = Core::new(dialect, Some(line.clone()));
        let task = tokio::spawn(Arc::clone(&core).live(Some(line.clone()))).abort_handle();
        Ok(Display(Arc::new(Owner { core, line: Some(line), task: Some(task) })))
    }

    /// A display without a wire, fed by the printer it hangs on. Outside a tokio runtime it works, but nothing settles.
    pub fn detached(dialect: Dialect) -> Display {
        Self::without_wire(Core::new(dialect, None))
    }

    /// Hangs a display on this printer: it shows what comes through the printer's line, selected with `ESC =`.
    pub fn behind(printer: &Printer, dialect: Dialect) -> Display {
        let display = Self::without_wire(Core::new(dialect, Some(printer.line().clone())));
        printer.attach_display(display.clone());
        display
    }

    fn without_wire(core: Arc<Core>) -> Display {
        let task = Handle::try_current().map(|rt| rt.spawn(Arc::clone(&core).live(None)).abort_handle()).ok();
        Display(Arc::new(Owner { core, line: None, task }))
    }

    /// Takes bytes as if they came over a wire. Without its cable it hears nothing.
    pub fn feed(&self, bytes: &[u8]) {
        self.0.core.feed(bytes);
        self.0.core.changed.notify_one();
    }

    /// What is shown now: two lines of 20 characters.
    pub fn frame(&self) -> [String; 2] {
        lock(&self.0.core.unit).screen.frame()
    }

    /// Frames that stood for 15 ms with nothing more on the line, and differ from the one before.
    pub fn frames(&self) -> broadcast::Receiver<[String; 2]> {
        self.0.core.frames.subscribe()
    }

    /// Every drawing that settled, from the `from`th on; the first is the empty display.
    pub fn shown(&self, from: usize) -> Vec<Shown> {
        lock(&self.0.core.shown).iter().skip(from).cloned().collect()
    }

    /// How many drawings have settled.
    pub fn drawings(&self) -> usize {
        lock(&self.0.core.shown).len()
    }

    /// Whether the last of [`Display::shown`] is what stands there, and nothing more is on its way.
    pub fn is_settled(&self) -> bool {
        lock(&self.0.core.unit).unsettled.is_none() && self.0.core.is_quiet()
    }

    /// Bytes that the unit does not know, and commands it cannot follow.
    pub fn warnings(&self) -> Vec<Warning> {
        lock(&self.0.core.unit).screen.warnings.clone()
    }

    /// The same, as they come.
    pub fn warned(&self) -> broadcast::Receiver<Warning> {
        self.0.core.warnings.subscribe()
    }

    /// Its wire, unless it hangs on a printer.
    pub fn line(&self) -> Option<&Line> {
        self.0.line.as_ref()
    }

    /// Pulls the cable, which is also its supply: the unit goes dark and hears nothing.
    pub fn unplug(&self) {
        if let Some(line) = &self.0.line {
            line.unplug();
        }
        self.supply(false);
    }

    /// Puts the cable back; the unit starts empty.
    pub async fn plug(&self) -> io::Result<()> {
        self.supply(true);
        match &self.0.line {
            Some(line) => line.plug().await,
            None => Ok(()),
        }
    }

    fn supply(&self, plugged: bool) {
        self.0.core.change(|unit| {
            unit.plugged = plugged;
            unit.screen.power_on();
        });
        self.0.core.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unplugged_display_behind_a_printer_is_dark_and_hears_nothing() {
        let display = Display::detached(Dialect::EscPos);
        display.feed(b"\x0CHELLO");
        assert_eq!(display.frame()[0].trim(), "HELLO");
        display.unplug();
        assert_eq!(display.frame()[0].trim(), "");
        display.feed(b"\x0CLOST");
        assert_eq!(display.frame()[0].trim(), "", "no supply, no picture");
        display.plug().await.expect("there is no wire that could fail");
        display.feed(b"\x0CBACK");
        assert_eq!(display.frame()[0].trim(), "BACK");
    }

    #[tokio::test]
    async fn the_same_picture_drawn_again_is_a_drawing_and_no_new_frame() {
        let display = Display::detached(Dialect::EscPos);
        let mut frames = display.frames();
        for drawn in 2..=3 {
            display.feed(b"\x0CHELLO");
            while display.drawings() < drawn {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(display.shown(1).iter().filter(|s| s.rows[0].trim() == "HELLO").count(), 2);
        assert!(frames.try_recv().is_ok() && frames.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_frame_is_not_settled_while_its_rest_is_on_the_line() {
        use std::io::Write as _;
        let dir = tempfile::tempdir().expect("a folder");
        let attach = Attach::Pair { dir: dir.path().to_owned(), name: "display".into(), baud: Some(300) };
        let display = Display::spawn(Dialect::EscPos, attach).await.expect("a display");
        let mut port = std::fs::OpenOptions::new().write(true).open(dir.path().join("display")).expect("the link");
        // 33 ms a byte: each gap is longer than the time after which a frame counts as shown.
        port.write_all(b"\x0CHELLO").expect("the pair takes it");
        while display.shown(1).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(display.shown(1)[0].rows[0].trim(), "HELLO");
    }
}

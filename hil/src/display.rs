//! A simulated pole display of two lines with twenty characters.
mod screen;

use crate::line::{Attach, Line, lock, now};
use crate::printer::Warning;
use screen::{COLUMNS, Screen};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;

/// A frame counts as shown when no byte came for this long. At 9600 baud a byte takes 1 ms; hosts send a frame in one go.
const SETTLED: Duration = Duration::from_millis(15);

/// Frames that a slow listener may be behind.
const FRAME_DEPTH: usize = 1024;

/// The command set a display speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Epson line display commands (DM-D family).
    EscPos,
    /// Partner CD5220.
    Cd5220,
}

/// A simulated pole display. Clones are the same display; with the last one it is gone.
#[derive(Debug, Clone)]
pub struct Display(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
    line: Option<Line>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(line) = &self.line {
            line.shut_down();
        }
    }
}

#[derive(Debug)]
struct Core {
    screen: Mutex<(Screen, Instant)>,
    fed: Notify,
    frames: broadcast::Sender<[String; 2]>,
}

impl Core {
    fn new(dialect: Dialect) -> Arc<Self> {
        Arc::new(Self {
            screen: Mutex::new((Screen::new(dialect), now())),
            fed: Notify::new(),
            frames: broadcast::Sender::new(FRAME_DEPTH),
        })
    }

    fn change(&self, f: impl FnOnce(&mut Screen)) {
        let mut screen = lock(&self.screen);
        f(&mut screen.0);
        screen.1 = now();
        drop(screen);
        self.fed.notify_one();
    }

    /// Sends every frame that stands still and differs from the one before.
    async fn settle(self: Arc<Self>) {
        let mut shown = [" ".repeat(COLUMNS), " ".repeat(COLUMNS)];
        loop {
            self.fed.notified().await;
            loop {
                let due = lock(&self.screen).1 + SETTLED;
                if due <= now() {
                    break;
                }
                tokio::time::sleep_until(due.into()).await;
            }
            let frame = lock(&self.screen).0.frame();
            if frame != shown {
                shown.clone_from(&frame);
                // With nobody listening, nobody misses it.
                drop(self.frames.send(frame));
            }
        }
    }

    /// Takes bytes from the wire.
    async fn receive(self: Arc<Self>, line: Line) {
        let mut buf = [0; 1024];
        while let Ok(n @ 1..) = line.read(&mut buf).await {
            self.change(|screen| screen.feed(&buf[..n]));
        }
    }
}

impl Display {
    /// Starts a display on its own wire.
    pub async fn spawn(dialect: Dialect, attach: Attach) -> io::Result<Display> {
        let core = Core::new(dialect);
        let line = Line::open(attach).await?;
        let tasks = vec![
            tokio::spawn(Arc::clone(&core).settle()).abort_handle(),
            tokio::spawn(Arc::clone(&core).receive(line.clone())).abort_handle(),
        ];
        Ok(Display(Arc::new(Owner { core, line: Some(line), tasks })))
    }

    /// A display without a wire, fed by the printer it hangs on. Outside a tokio runtime it works, but sends no
    /// [`Display::frames`].
    pub fn detached(dialect: Dialect) -> Display {
        let core = Core::new(dialect);
        let tasks = Handle::try_current().map(|rt| rt.spawn(Arc::clone(&core).settle()).abort_handle());
        Display(Arc::new(Owner { core, line: None, tasks: tasks.into_iter().collect() }))
    }

    /// Takes bytes as if they came over a wire.
    pub fn feed(&self, bytes: &[u8]) {
        self.0.core.change(|screen| screen.feed(bytes));
    }

    /// What is shown now: two lines of 20 characters.
    pub fn frame(&self) -> [String; 2] {
        lock(&self.0.core.screen).0.frame()
    }

    /// Frames that stood for 15 ms and differ from the one before.
    pub fn frames(&self) -> broadcast::Receiver<[String; 2]> {
        self.0.core.frames.subscribe()
    }

    /// Bytes that the unit does not know, and commands it cannot follow.
    pub fn warnings(&self) -> Vec<Warning> {
        lock(&self.0.core.screen).0.warnings.clone()
    }

    /// Its wire, unless detached.
    pub fn line(&self) -> Option<&Line> {
        self.0.line.as_ref()
    }

    /// Pulls the cable, which is also its supply: the unit goes dark.
    pub fn unplug(&self) {
        if let Some(line) = &self.0.line {
            line.unplug();
        }
        self.0.core.change(Screen::power_on);
    }

    /// Puts the cable back; the unit starts empty.
    pub async fn plug(&self) -> io::Result<()> {
        self.0.core.change(Screen::power_on);
        match &self.0.line {
            Some(line) => line.plug().await,
            None => Ok(()),
        }
    }
}

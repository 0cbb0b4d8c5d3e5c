//! The printer task: one port, one printer, its drawer, and whoever asks something of them.
//!
//! It moves bytes, orders and the time into the driver and does what comes out; what to do is decided there.
//!
//! ## Why events may pile up here
//! A till that waits for the answer to a kick must not be waited for in turn. So the task never blocks on the event channel:
//! it keeps what has no room, and stops reading the port when that grows too much.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock,
    config::{self, Flow, Port, Timing},
    device::{DeviceEvent, KickOutcome, KickRefused, Piece},
    driver::escpos::{Input, Output, Printer},
    transport::{Backoff, Connection, LinkError, Reader, Writer},
};

const ENDED: &str = "the printer's task has ended";
/// A slip of 1.5 KB takes 1.6 s at 9600 baud; who stops a daemon does not want to wait for paper.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
/// A kick is answered within `timing.kick_answer`. Whoever asked is not kept waiting by a fault of ours either.
const KICK_WITHIN: Duration = Duration::from_secs(5);
/// Events kept for a till that does not take them; a drawer and a printer make a few a minute.
const BACKLOG_MAX: usize = 256;

/// What is asked of the task.
#[derive(Debug)]
enum Order {
    Kick(oneshot::Sender<Result<KickOutcome, KickRefused>>),
    AskTurn { job: u64 },
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
        match tokio::time::timeout(KICK_WITHIN, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(ended())),
            Err(_elapsed) => Err(KickRefused::Unreachable("the printer's task is stuck: look at the drawer".to_owned())),
        }
    }
    /// Asks to be told by [`DeviceEvent::PrintTurn`] when the printer could begin this slip at once: after a wait for paper or
    /// power, if need be, of which [`DeviceEvent::PrintWaits`] tells once.
    pub fn ask_turn(&self, job: u64) {
        self.order(Order::AskTurn { job });
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
    let task = Task {
        driver: Printer::new(clock::now(), &printer, drawer.as_ref(), timing, first_id()),
        keeps_bytes: match &printer.port {
            Port::Serial { flow, .. } => *flow != Flow::None,
            Port::Tcp(_) | Port::Evdev(_) | Port::ViaPrinter => true,
        },
        port: printer.port,
        backoff: Backoff::new(timing.reopen_first, timing.reopen_max),
        orders: inbox,
        events,
        backlog: VecDeque::new(),
        up,
        kick: None,
        closing: None,
        warned: None,
    };
    tokio::spawn(task.run());
    PrinterHandle { orders, up: watched }
}

/// `GS ( H` ids of different runs differ, so that a late answer proves nothing.
fn first_id() -> u16 {
    u16::try_from(clock::wall().as_millisecond().rem_euclid(9_999)).expect("it is below 9999")
}

struct Task {
    driver: Printer,
    port: Port,
    keeps_bytes: bool,
    backoff: Backoff,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::Sender<DeviceEvent>,
    /// Events that the till has not taken yet.
    backlog: VecDeque<DeviceEvent>,
    up: watch::Sender<bool>,
    kick: Option<oneshot::Sender<Result<KickOutcome, KickRefused>>>,
    closing: Option<Closing>,
    /// What the log was last told of the port.
    warned: Option<LinkError>,
}

struct Closing {
    by: Instant,
    done: Option<oneshot::Sender<()>>,
}

/// The open port, and what of a unit the kernel has not taken yet.
struct Wire {
    reader: Reader,
    writer: Writer,
    rest: Vec<u8>,
    refused: bool,
}

/// Why the port is left.
enum Left {
    Broken(LinkError),
    Closed,
}

impl Task {
    async fn run(mut self) {
        self.backlog.extend(self.driver.drawer_state());
        self.feed(Input::Tick, None);
        loop {
            let left = match self.open().await {
                Ok(connection) => self.talk(connection).await,
                Err(left) => left,
            };
            self.up.send_replace(false);
            match left {
                Left::Closed => break,
                Left::Broken(error) => {
                    self.warn(&error);
                    self.feed(Input::Lost(&error.to_string()), None);
                }
            }
            let again = clock::now() + self.backoff.next();
            if self.wait(again).await.is_none() {
                break;
            }
        }
        self.feed(Input::Lost("the daemon is stopping"), None);
        self.send_backlog();
        if let Some(done) = self.closing.and_then(|closing| closing.done) {
            // The closer may have stopped waiting.
            done.send(()).unwrap_or(());
        }
    }

    /// A port that is away over night is one line, not one for each attempt.
    fn warn(&mut self, error: &LinkError) {
        if self.warned.as_ref() == Some(error) {
            tracing::debug!(target: "printer", "{error}");
        } else {
            tracing::warn!(target: "printer", "{error}");
            self.warned = Some(error.clone());
        }
    }

    /// Opens the port while orders are still answered.
    async fn open(&mut self) -> Result<Connection, Left> {
        let port = self.port.clone();
        let opening = Connection::open(&port);
        tokio::pin!(opening);
        loop {
            // A connection may take seconds; the drawer may owe an answer to a kick that left just before.
            let wake = self.driver.wake_at();
            tokio::select! {
                biased;
                order = self.orders.recv() => {
                    self.take(order, None);
                    if self.closing.is_some() {
                        return Err(Left::Closed);
                    }
                }
                opened = &mut opening => return opened.map_err(Left::Broken),
                () = room(&self.events), if !self.backlog.is_empty() => self.send_backlog(),
                () = until(wake) => {
                    self.feed(Input::Tick, None);
                }
            }
        }
    }

    /// Waits while the port is closed. `None` when the task is to end.
    async fn wait(&mut self, until: Instant) -> Option<()> {
        loop {
            // The drawer may owe an answer to a kick that left just before.
            let wake = self.driver.wake_at().map_or(until, |at| at.min(until));
            tokio::select! {
                biased;
                order = self.orders.recv() => {
                    self.take(order, None);
                    if self.closing.is_some() {
                        return None;
                    }
                }
                () = room(&self.events), if !self.backlog.is_empty() => self.send_backlog(),
                () = tokio::time::sleep_until(wake.into()) => {
                    if clock::now() >= until {
                        return Some(());
                    }
                    self.feed(Input::Tick, None);
                }
            }
        }
    }

    /// Everything while the port is open.
    async fn talk(&mut self, connection: Connection) -> Left {
        let bytes_per_second = connection.bytes_per_second();
        let (reader, writer) = connection.split();
        let port = writer.port().to_owned();
        let mut wire = Wire { reader, writer, rest: Vec::new(), refused: false };
        let keeps_bytes = self.keeps_bytes;
        let opened = Input::Opened { port: &port, bytes_per_second, keeps_bytes };
        if let Some(left) = self.feed(opened, Some(&mut wire)) {
            return left;
        }
        self.up.send_replace(true);
        let mut inbox = [0; 256];
        loop {
            let now = clock::now();
            let close_at =
                self.closing.as_ref().map(|closing| self.driver.settled_at().unwrap_or(closing.by).min(closing.by));
            if close_at.is_some_and(|at| now >= at) {
                if self.driver.settled_at().is_some_and(|at| now >= at) {
                    wire.writer.drain_on_close();
                }
                return Left::Closed;
            }
            let wake = [self.driver.wake_at(), close_at].into_iter().flatten().min();
            let blocked = wire.refused || !wire.rest.is_empty();
            let left = tokio::select! {
                biased;
                // A device that sends without end must not keep us from what people want; time passes with its bytes too.
                order = self.orders.recv() => self.take(order, Some(&mut wire)),
                () = room(&self.events), if !self.backlog.is_empty() => {
                    self.send_backlog();
                    None
                }
                ready = wire.writer.writable(), if blocked => match ready {
                    Ok(()) => self.go_on(&mut wire),
                    Err(error) => Some(Left::Broken(error)),
                },
                // A till that does not take its events gets no more of them until it does.
                got = wire.reader.read(&mut inbox), if self.backlog.len() < BACKLOG_MAX => {
                    // Bytes that are there already are read without waiting: the rest of the daemon wants its turn as well.
                    tokio::task::coop::consume_budget().await;
                    match got {
                        Ok(n) => {
                            self.backoff.reset();
                            self.warned = None;
                            self.feed(Input::Bytes(&inbox[..n]), Some(&mut wire))
                        }
                        Err(error) => Some(Left::Broken(error)),
                    }
                }
                () = until(wake) => self.feed(Input::Tick, Some(&mut wire)),
            };
            if let Some(left) = left {
                return left;
            }
        }
    }

    /// The kernel takes bytes again.
    fn go_on(&mut self, wire: &mut Wire) -> Option<Left> {
        if wire.refused {
            wire.refused = false;
            return self.feed(Input::Writable, Some(wire));
        }
        match wire.writer.try_write(&wire.rest) {
            Err(error) => Some(Left::Broken(error)),
            Ok(took) => {
                wire.rest.drain(..took);
                if !wire.rest.is_empty() {
                    return if took > 0 { self.feed(Input::Partly, Some(wire)) } else { None };
                }
                self.feed(Input::Left, Some(wire))
            }
        }
    }

    fn take(&mut self, order: Option<Order>, wire: Option<&mut Wire>) -> Option<Left> {
        match order {
            Some(Order::Kick(answer)) => self.kick(answer, wire),
            Some(Order::AskTurn { job }) => self.feed(Input::AskTurn { job }, wire),
            Some(Order::Print { job, pieces }) => self.feed(Input::Print { job, pieces }, wire),
            Some(Order::PassThrough(bytes)) => self.feed(Input::PassThrough(bytes), wire),
            Some(Order::Close(done)) => {
                self.closing = Some(Closing { by: clock::now() + CLOSE_WITHIN, done: Some(done) });
                None
            }
            None => {
                self.closing.get_or_insert(Closing { by: clock::now() + CLOSE_WITHIN, done: None });
                Some(Left::Closed)
            }
        }
    }

    fn kick(&mut self, answer: oneshot::Sender<Result<KickOutcome, KickRefused>>, wire: Option<&mut Wire>) -> Option<Left> {
        let now = clock::now();
        // What is due to an earlier kick is answered first.
        let due = self.driver.handle(now, Input::Tick);
        let mut asked = self.driver.kick(now);
        let refused = asked.iter().position(|output| matches!(output, Output::Refuse(_)));
        if let Some(Output::Refuse(why)) = refused.map(|at| asked.remove(at)) {
            tell(answer, Err(why));
            return self.carry_out(now, due.into_iter().chain(asked).collect(), wire);
        }
        let mut wire = wire;
        if let Some(left) = self.carry_out(now, due, wire.as_deref_mut()) {
            let why = match &left {
                Left::Broken(error) => error.to_string(),
                Left::Closed => ENDED.to_owned(),
            };
            tell(answer, Err(KickRefused::Unreachable(why)));
            return Some(left);
        }
        self.kick = Some(answer);
        self.carry_out(now, asked, wire)
    }

    fn feed(&mut self, input: Input<'_>, wire: Option<&mut Wire>) -> Option<Left> {
        let now = clock::now();
        let outputs = self.driver.handle(now, input);
        self.carry_out(now, outputs, wire)
    }

    /// Does what the driver wants, and what it then wants, until it wants nothing more. When the port breaks, what is to be
    /// told is told all the same.
    fn carry_out(&mut self, now: Instant, outputs: Vec<Output>, mut wire: Option<&mut Wire>) -> Option<Left> {
        let mut todo = VecDeque::from(outputs);
        let mut broken = None;
        while let Some(output) = todo.pop_front() {
            match output {
                Output::Event(event) => self.tell_till(event),
                Output::Answer(answer) => {
                    if let Some(kick) = self.kick.take() {
                        tell(kick, answer);
                    }
                }
                Output::Refuse(_) => {}
                Output::Stuck => {
                    let Some(wire) = wire.take() else { continue };
                    broken = Some(LinkError::Stuck { port: wire.writer.port().to_owned() });
                }
                Output::Discard => {
                    let Some(open) = wire.take() else { continue };
                    open.rest.clear();
                    open.refused = false;
                    if open.writer.discard_unsent() {
                        wire = Some(open);
                    } else {
                        broken = Some(LinkError::Unanswered { port: open.writer.port().to_owned() });
                    }
                }
                Output::Write(bytes) => {
                    let Some(open) = wire.as_deref_mut() else { continue };
                    let next = match open.writer.try_write(&bytes) {
                        Err(error) => {
                            broken = Some(error);
                            wire = None;
                            continue;
                        }
                        Ok(took) if took == bytes.len() => Input::Left,
                        Ok(0) => {
                            open.refused = true;
                            Input::Refused(bytes)
                        }
                        Ok(took) => {
                            open.rest = bytes[took..].to_vec();
                            Input::Partly
                        }
                    };
                    todo.extend(self.driver.handle(now, next));
                }
            }
        }
        broken.map(Left::Broken)
    }

    /// At once if the till has room, else in order as soon as it has.
    fn tell_till(&mut self, event: DeviceEvent) {
        self.backlog.push_back(event);
        self.send_backlog();
    }

    fn send_backlog(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return;
                }
                // Nobody listens any more.
                Err(mpsc::error::TrySendError::Closed(_)) => self.backlog.clear(),
            }
        }
    }
}

/// Waits until the channel may have room, or nobody listens any more.
async fn room(events: &mpsc::Sender<DeviceEvent>) {
    drop(events.reserve().await);
}

/// Whoever asked may have stopped waiting.
fn tell(answer: oneshot::Sender<Result<KickOutcome, KickRefused>>, what: Result<KickOutcome, KickRefused>) {
    drop(answer.send(what));
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

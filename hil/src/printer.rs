//! A simulated ESC/POS receipt printer with a cash drawer behind each pin of its kick connector.
//!
//! This file joins the firmware ([`machine`]) with its wire and the clock, and is the hand that turns keys and changes paper.
mod codepage;
mod drawer;
mod execute;
mod machine;
mod parse;
mod status;

use crate::display::Display;
use crate::line::{Attach, Line, lock, now};
use crate::paper::{Piece, picture};
use machine::Machine;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::AbortHandle;

pub(crate) use codepage::CodePage;

/// Events that a slow listener may be behind.
const EVENT_DEPTH: usize = 4096;

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

impl Quirks {
    /// Every quirk by name, with what it means.
    pub const NAMES: &[(&str, &str)] = &[
        ("no-asb", "takes GS a and never sends a status block"),
        ("no-process-id", "takes GS ( H and never answers"),
        ("no-status", "answers nothing at all"),
        ("pass-through-display", "sits behind a display and is deselected after power-on until ESC = 1"),
    ];

    /// Switches one quirk on by its name. False if there is none of that name.
    pub fn add(&mut self, name: &str) -> bool {
        let quirk = match name {
            "no-asb" => &mut self.no_asb,
            "no-process-id" => &mut self.no_process_id,
            "no-status" => &mut self.no_status,
            "pass-through-display" => &mut self.pass_through_display,
            _ => return false,
        };
        *quirk = true;
        true
    }
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

/// A simulated receipt printer. Clones are the same printer; with the last one it is gone.
#[derive(Debug, Clone)]
pub struct Printer(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
    tasks: [AbortHandle; 3],
}

impl Drop for Owner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.core.line.shut_down();
    }
}

#[derive(Debug)]
struct Core {
    line: Line,
    machine: Mutex<Machine>,
    hosts: Mutex<Hosts>,
    events: broadcast::Sender<PrinterEvent>,
    /// Has heard everything from the beginning, for the first who asks.
    heard: Mutex<Option<broadcast::Receiver<PrinterEvent>>>,
    /// The machine's next deadline may have changed.
    wake: Notify,
    /// There may be room in the buffer again.
    room: Notify,
}

/// A piece that was cut, with its picture once somebody wanted it.
#[derive(Debug)]
struct Printed {
    piece: Piece,
    png: OnceLock<Vec<u8>>,
}

impl Printed {
    fn new(piece: Piece) -> Self {
        Self { piece, png: OnceLock::new() }
    }

    fn png(&self) -> &[u8] {
        self.png.get_or_init(|| picture::png(&self.piece))
    }
}

impl Core {
    /// The one way to the machine: what it says goes out before anybody else may touch it, so that answers keep their order.
    fn with<T>(&self, f: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let mut machine = lock(&self.machine);
        let (deadline, full) = (machine.next_wake(), machine.room() == 0);
        let result = f(&mut machine, now());
        let answers = std::mem::take(&mut machine.answers);
        if !answers.is_empty() {
            // Without a cable, answers go nowhere: so it is with a real printer.
            drop(self.line.send(&answers));
        }
        for event in machine.events.drain(..) {
            // With nobody listening, nobody misses it.
            drop(self.events.send(event));
        }
        if std::mem::take(&mut machine.cable_pulled) {
            self.line.unplug();
        }
        if machine.next_wake() != deadline {
            self.wake.notify_one();
        }
        if full && machine.room() > 0 {
            self.room.notify_one();
        }
        result
    }

    /// Takes bytes. Over TCP, without room in the buffer, the line is not read: that is BUSY. A serial line is always
    /// read, because real-time commands get through; what finds no room is lost.
    async fn receive(self: Arc<Self>) {
        let flow_controlled = self.line.addr().is_some();
        let mut buf = [0; machine::BUFFER];
        loop {
            let room = if flow_controlled { lock(&self.machine).room() } else { buf.len() };
            if room == 0 {
                self.room.notified().await;
                continue;
            }
            match self.line.read(&mut buf[..room]).await {
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    let came = lock(&self.hosts).came();
                    let short = self.with(|machine, now| {
                        if came {
                            machine.events.push(PrinterEvent::Connected);
                        }
                        machine.receive(now, &buf[..n]);
                        machine.kick_is_short()
                    });
                    // A host that writes and leaves at once may be told to have left before its bytes are read.
                    if short && self.line.unread() == 0 && !self.line.is_connected() {
                        self.with(|machine, _| machine.host_left());
                    }
                }
            }
        }
    }

    /// Moves what moves by time.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let deadline = lock(&self.machine).next_wake();
            match deadline {
                None => self.wake.notified().await,
                Some(at) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep_until(at.into()) => {
                        let unread = self.line.unread();
                        self.with(|machine, now| machine.tick(now, unread));
                    }
                },
            }
        }
    }

    /// Tells of hosts that come and go.
    async fn watch_hosts(self: Arc<Self>) {
        let mut connection = self.line.connection();
        // A host may have come before this task has begun.
        connection.mark_changed();
        while connection.changed().await.is_ok() {
            let changes = lock(&self.hosts).changes();
            self.with(|machine, _| {
                for there in changes {
                    machine.events.push(if there { PrinterEvent::Connected } else { PrinterEvent::Disconnected });
                    if !there {
                        machine.host_left();
                    }
                }
            });
        }
    }
}

/// Which changes of the connection were told.
#[derive(Debug)]
struct Hosts {
    connection: watch::Receiver<bool>,
    told: bool,
}

impl Hosts {
    fn new(mut connection: watch::Receiver<bool>) -> Self {
        if *connection.borrow() {
            connection.mark_changed();
        }
        Self { connection, told: false }
    }

    /// What is to be told now, in its order: `true` came, `false` left.
    fn changes(&mut self) -> Vec<bool> {
        // Without a line there are no changes any more.
        if !self.connection.has_changed().unwrap_or(false) {
            return Vec::new();
        }
        let there = *self.connection.borrow_and_update();
        // The same again: there was a change and one back, faster than we were told.
        let changes = if there == self.told { vec![!there, there] } else { vec![there] };
        self.told = there;
        changes
    }

    /// Bytes are here, so their host came before them. `true` when that is still to be told; that he may have left since is
    /// told when his bytes are read.
    fn came(&mut self) -> bool {
        if self.told || !self.connection.has_changed().unwrap_or(false) {
            return false;
        }
        self.told = true;
        if !*self.connection.borrow_and_update() {
            self.connection.mark_changed();
        }
        true
    }
}

impl Printer {
    /// Starts a printer on its wire.
    pub async fn spawn(spec: PrinterSpec, attach: Attach) -> io::Result<Printer> {
        // As soon as there is a line, there may be a host.
        let (events, heard) = broadcast::channel(EVENT_DEPTH);
        let line = Line::open(attach).await?;
        let core = Arc::new(Core {
            hosts: Mutex::new(Hosts::new(line.connection())),
            line,
            machine: Mutex::new(Machine::new(spec)),
            events,
            heard: Mutex::new(Some(heard)),
            wake: Notify::new(),
            room: Notify::new(),
        });
        let tasks = [
            tokio::spawn(Arc::clone(&core).receive()).abort_handle(),
            tokio::spawn(Arc::clone(&core).keep_time()).abort_handle(),
            tokio::spawn(Arc::clone(&core).watch_hosts()).abort_handle(),
        ];
        Ok(Printer(Arc::new(Owner { core, tasks })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        self.0.core.with(f)
    }

    /// Something about the printer changed by hand: work that stood still goes on, and changes are told.
    fn set(&self, f: impl FnOnce(&mut Machine)) {
        self.with(|machine, now| {
            f(machine);
            machine.changed();
            machine.run(now);
        });
    }

    /// Its wire.
    pub fn line(&self) -> &Line {
        &self.0.core.line
    }

    /// Opens the first drawer with its key, jammed or not.
    pub fn key(&self) {
        self.with(|machine, now| machine.key(now, None));
    }

    /// Opens the drawer behind that pin (2 or 5) with its key, jammed or not. False if there is none.
    pub fn key_of(&self, pin: u8) -> bool {
        connector(pin).is_some_and(|at| self.with(|machine, now| machine.key(now, Some(at))))
    }

    /// Whether the drawer behind that pin (2 or 5) is open.
    pub fn drawer_of_is_open(&self, pin: u8) -> bool {
        let machine = lock(&self.0.core.machine);
        connector(pin).and_then(|at| machine.drawers[at].as_ref()).is_some_and(drawer::Drawer::is_open)
    }

    /// Pushes every open drawer shut.
    pub fn push_drawer_shut(&self) {
        self.with(|machine, _| machine.push_shut());
    }

    /// Whether a drawer is open.
    pub fn drawer_is_open(&self) -> bool {
        lock(&self.0.core.machine).drawers.iter().flatten().any(drawer::Drawer::is_open)
    }

    /// A jammed drawer's latch does not give way to a pulse; the key still opens it.
    pub fn jam(&self, jammed: bool) {
        self.set(|machine| machine.jammed = jammed);
    }

    /// Changes the paper. A job that stood still for want of paper goes on.
    pub fn set_paper(&self, paper: Paper) {
        self.set(|machine| {
            machine.paper = paper;
            machine.lines_left = None;
        });
    }

    /// The paper runs out after that many more lines; with 0 it is out now.
    pub fn out_of_paper_after(&self, lines: u32) {
        self.set(|machine| {
            machine.lines_left = Some(lines);
            if lines == 0 {
                machine.paper_moved(0);
            }
        });
    }

    /// Opens or shuts the cover.
    pub fn set_cover(&self, open: bool) {
        self.set(|machine| machine.cover_open = open);
    }

    /// Takes the printer offline, or back.
    pub fn set_offline(&self, offline: bool) {
        self.set(|machine| machine.switched_off = offline);
    }

    /// Pulls the cable.
    pub fn unplug(&self) {
        self.line().unplug();
    }

    /// Puts the cable back.
    pub async fn plug(&self) -> io::Result<()> {
        self.line().plug().await
    }

    /// Off and on again: buffers and modes are gone and nothing is sent. Over TCP the connection is reset too.
    pub async fn power_cycle(&self) {
        self.with(|machine, _| machine.power_on());
        if self.line().addr().is_some() {
            self.line().unplug();
            // The port was ours a moment ago; if somebody took it, clients see a printer that is off.
            self.line().plug().await.ok();
        }
    }

    /// Pulls the cable after that many more bytes; the last of them still arrives.
    pub fn unplug_after(&self, bytes: usize) {
        if bytes == 0 {
            return self.unplug();
        }
        self.with(|machine, _| machine.unplug_after = Some(bytes));
    }

    /// How many pieces of paper were cut so far.
    pub fn slip_count(&self) -> usize {
        lock(&self.0.core.machine).pieces.len()
    }

    /// The text of the pieces cut so far.
    pub fn slip_texts(&self) -> Vec<String> {
        self.pieces().iter().map(|printed| printed.piece.text()).collect()
    }

    /// The picture of one piece, drawn at the first call: that takes some milliseconds, so not on a thread that
    /// others wait for.
    pub fn slip_png(&self, index: usize) -> Option<Vec<u8>> {
        self.pieces().get(index).map(|printed| printed.png().to_vec())
    }

    /// The pieces of paper cut so far, with their pictures: see [`Printer::slip_png`]. For the text alone there is
    /// [`Printer::slip_texts`].
    pub fn slips(&self) -> Vec<Slip> {
        self.pieces().iter().map(|printed| Slip { text: printed.piece.text(), png: printed.png().to_vec() }).collect()
    }

    fn pieces(&self) -> Vec<Arc<Printed>> {
        lock(&self.0.core.machine).pieces.clone()
    }

    /// What is printed and not cut yet.
    pub fn uncut_text(&self) -> String {
        lock(&self.0.core.machine).head.text()
    }

    /// What the host sent wrong.
    pub fn warnings(&self) -> Vec<Warning> {
        lock(&self.0.core.machine).warnings.clone()
    }

    /// The pulses so far.
    pub fn kicks(&self) -> Vec<Kick> {
        lock(&self.0.core.machine).kicks.clone()
    }

    /// What has happened since the printer was made, and what happens: for the first who asks, and with up to
    /// `EVENT_DEPTH` events that came before he did. For all others as [`Printer::events`].
    pub fn events_from_the_first(&self) -> broadcast::Receiver<PrinterEvent> {
        lock(&self.0.core.heard).take().unwrap_or_else(|| self.events())
    }

    /// What happens, as it happens.
    pub fn events(&self) -> broadcast::Receiver<PrinterEvent> {
        self.0.core.events.subscribe()
    }

    /// Puts a display behind the printer, selected with `ESC =`.
    pub fn attach_display(&self, display: Display) {
        self.with(|machine, _| machine.display = Some(display));
    }
}

/// The place of the drawer behind pin 2 or 5 of the kick connector.
fn connector(pin: u8) -> Option<usize> {
    match pin {
        2 => Some(0),
        5 => Some(1),
        _ => None,
    }
}

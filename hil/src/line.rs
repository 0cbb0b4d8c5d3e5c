//! One device's wire: a virtual serial pair, a TCP port or a real serial port. It carries bytes and knows nothing of them.
//!
//! ## Why `send` writes in the caller's thread
//! The rig measures the daemon in microseconds. Bytes of an unpaced line go to the kernel at once; a task (the pump) takes
//! over only what is paced, or what the kernel does not take.
mod pace;
mod pty;
mod tcp;
mod wire;

use pace::Pace;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::AbortHandle;
use wire::Wire;

/// The most bytes that wait for a host that does not read. A UART would lose them much earlier.
const OUT_LIMIT: usize = 64 * 1024;

/// Pieces of bytes that a slow listener of [`Line::tap`] may be behind.
const TAP_DEPTH: usize = 4096;

/// How often a real port that failed is tried again.
const REOPEN_EVERY: Duration = Duration::from_millis(500);

/// Where a device is attached.
#[derive(Debug, Clone)]
pub enum Attach {
    /// A virtual serial pair; `dir/name` is a link to the side that a host opens.
    Pair {
        /// Folder of the link; made if missing.
        dir: PathBuf,
        /// Name of the link.
        name: String,
        /// Paced to this speed at 10 bits a byte; `None` is as fast as the kernel.
        baud: Option<u32>,
    },
    /// A raw TCP port, as on network printers. One client is served, further ones wait unanswered.
    Tcp {
        /// Address to listen on; port 0 picks a free one.
        listen: SocketAddr,
    },
    /// A real serial port.
    Port {
        /// The port's node.
        path: PathBuf,
        /// Its speed, 8N1.
        baud: u32,
    },
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the device.
    ToDevice,
    /// From the device to the host.
    FromDevice,
}

/// The wire of one device. Clones are the same wire; the last one to go takes the link with it.
#[derive(Debug, Clone)]
pub struct Line(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    inner: Arc<Inner>,
    pump: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.pump.abort();
        self.inner.pull();
    }
}

#[derive(Debug)]
struct Inner {
    attach: Attach,
    wire: Mutex<Option<Arc<Wire>>>,
    /// Counts plugging, unplugging and the end.
    turns: watch::Sender<Turn>,
    coming: Mutex<Coming>,
    going: Mutex<Going>,
    more: Notify,
    connected: watch::Sender<bool>,
    /// Held while a look is taken in: one host's leaving is told, and its bytes are lost, before the next one is let in.
    looking: Mutex<()>,
    tap: broadcast::Sender<(Direction, Instant, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Plugged(u64),
    Unplugged(u64),
    Down,
}

/// Bytes on their way to the device.
#[derive(Debug)]
struct Coming {
    pace: Option<Pace>,
    /// Taken from the kernel; their last bit arrives at the given moment.
    held: VecDeque<u8>,
    due: Option<Instant>,
    /// The last group was full, so more was probably waiting behind it.
    full: bool,
}

/// Bytes on their way to the host.
#[derive(Debug)]
struct Going {
    pace: Option<Pace>,
    queue: VecDeque<u8>,
    taken: u64,
    done: watch::Sender<u64>,
}

impl Line {
    /// Puts the device on its wire.
    pub async fn open(attach: Attach) -> io::Result<Line> {
        let wire = Wire::open(&attach).await?;
        let attach = match (attach, wire.addr()) {
            (Attach::Tcp { .. }, Some(listen)) => Attach::Tcp { listen },
            (other, _) => other,
        };
        let baud = match &attach {
            Attach::Pair { baud, .. } => *baud,
            Attach::Tcp { .. } | Attach::Port { .. } => None,
        };
        let inner = Arc::new(Inner {
            attach,
            wire: Mutex::new(Some(Arc::new(wire))),
            turns: watch::Sender::new(Turn::Plugged(0)),
            coming: Mutex::new(Coming { pace: baud.map(Pace::new), held: VecDeque::new(), due: None, full: false }),
            going: Mutex::new(Going {
                pace: baud.map(Pace::new),
                queue: VecDeque::new(),
                taken: 0,
                done: watch::Sender::new(0),
            }),
            more: Notify::new(),
            connected: watch::Sender::new(false),
            looking: Mutex::default(),
            tap: broadcast::Sender::new(TAP_DEPTH),
        });
        let pump = tokio::spawn(pump(Arc::clone(&inner))).abort_handle();
        Ok(Line(Arc::new(Owner { inner, pump })))
    }

    /// The link a host opens, or the real port.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.0.inner.attach {
            Attach::Pair { dir, name, .. } => Some(dir.join(name)),
            Attach::Port { path, .. } => Some(path.clone()),
            Attach::Tcp { .. } => None,
        }
    }

    /// The TCP address, with the port that was really taken.
    pub fn addr(&self) -> Option<SocketAddr> {
        match self.0.inner.attach {
            Attach::Tcp { listen } => Some(listen),
            Attach::Pair { .. } | Attach::Port { .. } => None,
        }
    }

    /// Waits for bytes from the host, across hang-ups and re-opens. `Ok(0)` only after [`Line::shut_down`].
    /// Nothing is lost when the future is dropped. One reader at a time.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let inner = &self.0.inner;
        let mut turns = inner.turns.subscribe();
        loop {
            let turn = *turns.borrow_and_update();
            if turn == Turn::Down {
                return Ok(0);
            }
            let Some(wire) = inner.plugged() else {
                if turns.changed().await.is_err() {
                    return Ok(0);
                }
                continue;
            };
            tokio::select! {
                biased;
                _ = turns.changed() => {}
                got = inner.take(&wire, buf) => match got {
                    Ok(0) => {}
                    Ok(n) => {
                        inner.note(Direction::ToDevice, &buf[..n]);
                        // Before the device can answer: an answer is for the host that asked, not for the one before.
                        inner.look(&wire);
                        return Ok(n);
                    }
                    Err(_) => {
                        drop(wire);
                        self.reopen().await;
                    }
                }
            }
        }
    }

    /// Sends bytes to the host and waits until they are on the wire. With nobody there they are lost, as on a real wire.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let ticket = self.0.inner.send(bytes)?;
        let mut done = self.0.inner.lock_going().done.subscribe();
        // The sender lives in `inner`, which we hold.
        done.wait_for(|done| *done >= ticket).await.map(|_| ()).map_err(io::Error::other)
    }

    /// Sends without waiting; what the wire does not take now follows by itself, in order.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.inner.send(bytes).map(|_| ())
    }

    /// Pulls the cable: the link is gone and the other side sees a hang-up. TCP: reset, and the port is closed.
    pub fn unplug(&self) {
        self.0.inner.pull();
    }

    /// Puts the cable back: a fresh pair under the same name, or the same TCP port.
    pub async fn plug(&self) -> io::Result<()> {
        let inner = &self.0.inner;
        if inner.plugged().is_some() {
            return Ok(());
        }
        let wire = Wire::open(&inner.attach).await?;
        *inner.lock_wire() = Some(Arc::new(wire));
        inner.turn(Turn::Plugged);
        Ok(())
    }

    /// Ends the line for good: readers get `Ok(0)`.
    pub fn shut_down(&self) {
        self.0.inner.pull();
        self.0.inner.turns.send_replace(Turn::Down);
    }

    /// Whether a host has it open. A real port cannot tell and says yes.
    pub fn is_connected(&self) -> bool {
        self.0.inner.plugged().is_some_and(|wire| self.0.inner.look(&wire))
    }

    /// Whether no byte is on its way to the device: none held back by the pace, none unread in the kernel.
    pub fn is_quiet(&self) -> bool {
        let inner = &self.0.inner;
        lock(&inner.coming).held.is_empty() && inner.plugged().is_none_or(|wire| !wire.has_unread())
    }

    /// Changes of [`Line::is_connected`]. A host that follows another at once shows as a change from `true` to `true`.
    pub fn connection(&self) -> watch::Receiver<bool> {
        self.0.inner.connected.subscribe()
    }

    /// Bytes for the device that have arrived and were not read: in the kernel, or still on a paced wire.
    pub fn unread(&self) -> u64 {
        let held = lock(&self.0.inner.coming).held.len() as u64;
        held + self.0.inner.plugged().map_or(0, |wire| wire.unread())
    }

    /// Every piece of bytes with the moment it passed: read from the kernel, or just before it was given to the kernel.
    pub fn tap(&self) -> broadcast::Receiver<(Direction, Instant, Vec<u8>)> {
        self.0.inner.tap.subscribe()
    }

    /// A wire that failed by itself: only a real port does. It is tried again until it works or the cable is pulled.
    async fn reopen(&self) {
        self.unplug();
        let mut turns = self.0.inner.turns.subscribe();
        while self.0.inner.plugged().is_none() && *turns.borrow_and_update() != Turn::Down {
            tokio::time::sleep(REOPEN_EVERY).await;
            if self.plug().await.is_ok() {
                return;
            }
        }
    }
}

impl Inner {
    fn plugged(&self) -> Option<Arc<Wire>> {
        self.lock_wire().clone()
    }

    fn pull(&self) {
        let _one_at_a_time = lock(&self.looking);
        let Some(wire) = self.lock_wire().take() else { return };
        wire.pull();
        let mut coming = lock(&self.coming);
        coming.held.clear();
        coming.due = None;
        drop(coming);
        self.lose_queue();
        self.connected.send_if_modified(|was| std::mem::replace(was, false));
        self.turn(Turn::Unplugged);
    }

    fn turn(&self, to: fn(u64) -> Turn) {
        self.turns.send_if_modified(|turn| match *turn {
            Turn::Plugged(n) | Turn::Unplugged(n) => {
                *turn = to(n + 1);
                true
            }
            Turn::Down => false,
        });
    }

    /// Bytes for the device, no earlier than the wire brings them.
    async fn take(&self, wire: &Wire, buf: &mut [u8]) -> io::Result<usize> {
        let Some(group) = lock(&self.coming).pace.as_ref().map(Pace::group) else {
            return wire.read(buf).await;
        };
        if lock(&self.coming).held.is_empty() {
            let asked = now();
            let mut room = vec![0; group];
            let got = wire.read(&mut room).await?;
            let arrived = now();
            let mut coming = lock(&self.coming);
            let waited = coming.full && arrived - asked < Duration::from_millis(1);
            coming.full = got == group;
            coming.held.extend(&room[..got]);
            coming.due = coming.pace.as_mut().map(|pace| pace.pass(arrived, got, waited));
        }
        let due = lock(&self.coming).due;
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let mut coming = lock(&self.coming);
        let n = coming.held.len().min(buf.len());
        for (to, byte) in buf.iter_mut().zip(coming.held.drain(..n)) {
            *to = byte;
        }
        Ok(n)
    }

    /// Takes bytes for the host; gives the count at which they are on the wire.
    fn send(&self, bytes: &[u8]) -> io::Result<u64> {
        let wire = self.plugged().ok_or(io::ErrorKind::NotConnected)?;
        // A host that has just come is asked for only where none is known of: the question costs a system call.
        let there = wire.has_host() || self.look(&wire);
        let mut going = self.lock_going();
        if !there {
            return Ok(going.taken);
        }
        let mut rest = bytes;
        if going.pace.is_none() && going.queue.is_empty() {
            let at = now();
            match wire.try_write(bytes) {
                Ok(n) => {
                    self.note_at(Direction::FromDevice, at, &bytes[..n]);
                    going.passed(n);
                    rest = &bytes[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        let room = OUT_LIMIT.saturating_sub(going.queue.len());
        let fits = rest.len().min(room);
        going.queue.extend(&rest[..fits]);
        going.taken += u64::try_from(fits).unwrap_or(0);
        let ticket = going.taken;
        drop(going);
        if fits > 0 {
            self.more.notify_one();
        }
        Ok(ticket)
    }

    /// Hosts that came or went are told to whom it may concern. Says whether one is there.
    ///
    /// The only way to take events in: whoever took them in and told nobody would leave the pump asleep, because what is
    /// no longer there to be read wakes nobody.
    fn look(&self, wire: &Wire) -> bool {
        let _one_at_a_time = lock(&self.looking);
        // Pulled meanwhile: what is still open at the other end of it does not count.
        if !self.lock_wire().as_deref().is_some_and(|plugged| std::ptr::eq(plugged, wire)) {
            return false;
        }
        let there = wire.look();
        if wire.take_left() {
            self.lose_queue();
            self.connected.send_if_modified(|was| std::mem::replace(was, false));
        }
        let there = wire.admit() || there;
        self.connected.send_if_modified(|was| std::mem::replace(was, there) != there);
        if !there {
            self.lose_queue();
        }
        there
    }

    /// What was still to be sent is lost.
    fn lose_queue(&self) {
        let mut going = self.lock_going();
        going.queue.clear();
        let taken = going.taken;
        going.done.send_replace(taken);
    }

    fn note(&self, direction: Direction, bytes: &[u8]) {
        if self.tap.receiver_count() > 0 {
            self.note_at(direction, now(), bytes);
        }
    }

    fn note_at(&self, direction: Direction, at: Instant, bytes: &[u8]) {
        if self.tap.receiver_count() > 0 && !bytes.is_empty() {
            // A listener that went away meanwhile misses nothing.
            drop(self.tap.send((direction, at, bytes.to_vec())));
        }
    }

    fn lock_wire(&self) -> MutexGuard<'_, Option<Arc<Wire>>> {
        lock(&self.wire)
    }

    fn lock_going(&self) -> MutexGuard<'_, Going> {
        lock(&self.going)
    }
}

impl Going {
    /// How many bytes go next, at most.
    fn group(&self) -> usize {
        self.pace.as_ref().map_or(4096, Pace::group).min(self.queue.len())
    }

    /// `n` bytes went past the queue.
    fn passed(&mut self, n: usize) {
        self.taken += u64::try_from(n).unwrap_or(0);
        let taken = self.taken;
        self.done.send_replace(taken);
    }
}

/// Moves queued bytes at the wire's pace, and watches hosts come and go.
async fn pump(inner: Arc<Inner>) {
    let mut turns = inner.turns.subscribe();
    loop {
        if *turns.borrow_and_update() == Turn::Down {
            return;
        }
        let Some(wire) = inner.plugged() else {
            if turns.changed().await.is_err() {
                return;
            }
            continue;
        };
        inner.look(&wire);
        tokio::select! {
            biased;
            _ = turns.changed() => {}
            changed = wire.host_change() => if changed.is_err() {
                // Out of descriptors, for one: give others the time to close some.
                tokio::time::sleep(Duration::from_millis(10)).await;
            },
            moved = move_queue(&inner, &wire) => if moved.is_err() {
                inner.lose_queue();
            },
        }
    }
}

/// Sends the queue group by group, for ever. Dropped between groups it loses nothing.
async fn move_queue(inner: &Inner, wire: &Wire) -> io::Result<()> {
    let mut waited = false;
    loop {
        let due = {
            let mut going = inner.lock_going();
            let group = going.group();
            going.pace.as_mut().filter(|_| group > 0).map(|pace| pace.pass(now(), group, waited))
        };
        if inner.lock_going().queue.is_empty() {
            waited = false;
            inner.more.notified().await;
            continue;
        }
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        wire.writable().await?;
        let at = now();
        // Taken out of the queue only now, and under its lock: what was lost while we waited reaches nobody.
        let mut going = inner.lock_going();
        let group = going.group();
        let sent = match wire.try_write_ready(&going.queue.make_contiguous()[..group]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            other => other?,
        };
        let group: Vec<u8> = going.queue.drain(..sent).collect();
        inner.note_at(Direction::FromDevice, at, &group);
        let done = going.taken - u64::try_from(going.queue.len()).unwrap_or(0);
        going.done.send_replace(done);
        waited = true;
    }
}

/// The rig measures real devices in real time; this is where its devices read the clock.
#[expect(clippy::disallowed_methods, reason = "the one clock reading of the simulated devices")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A poisoned lock only means that some test's assertion failed while it was held.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A pipe of bytes to one device: serial ports and TCP. It knows nothing of what the bytes mean.
//!
//! What callers get: [`Connection::open`], a reader and a writer that can be used side by side, and [`LinkError`], whose text
//! says what happened and what to do. Opening again after a failure is the caller's, with [`Backoff`] for the waits.
//!
//! ## Why not `tokio-serial`
//! The port needs what only the file itself can give: no hang-up on close (a printer may reset when DTR drops), the lock, and
//! a pty that knows no modem lines. With the settings made here by `termios` directly, the layer between would add nothing.
pub mod evdev;
mod serial;
mod tcp;

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    net::TcpStream,
};

use crate::{clock, config::Port};

/// Why bytes do not pass. The text says what happened, then what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The port's file is not there.
    #[error("{port} is not there: plug the device in and check its cable; it is opened as soon as it appears")]
    Absent {
        /// The port.
        port: String,
    },
    /// Another program holds the port.
    #[error("{port} is held by another program: close it, or find it with `fuser {port}`")]
    Busy {
        /// The port.
        port: String,
    },
    /// The daemon's user may not open the port.
    #[error("no permission to open {port}: add the daemon's user to the group that owns it (often `dialout` or `input`)")]
    NoPermission {
        /// The port.
        port: String,
    },
    /// The network device refused the connection.
    #[error("{port} refused the connection: another program may be printing, or the device's network board is restarting")]
    Refused {
        /// The address.
        port: String,
    },
    /// Nothing answered at that address.
    #[error("{port} cannot be reached ({cause}): check the device's power, its network cable and the address")]
    Unreachable {
        /// The address.
        port: String,
        /// The system's words.
        cause: String,
    },
    /// It was open and is no more: unplugged, switched off, reset, end of stream.
    #[error("{port} is gone ({cause}): check cable and power; it is opened again as soon as it is back")]
    Gone {
        /// The port.
        port: String,
        /// The system's words.
        cause: String,
    },
    /// The device took no bytes for too long.
    #[error(
        "{port} takes no more bytes: check that the device is switched on and not waiting for paper, then its flow control"
    )]
    Stuck {
        /// The port.
        port: String,
    },
    /// It was open, and what it was given may still arrive when nobody wants it any more.
    #[error(
        "{port} does not answer: the connection was dropped, so that what waits in it cannot open the drawer later; check \
         that the device is on, and that no other program is using it"
    )]
    Unanswered {
        /// The address.
        port: String,
    },
    /// The file is something else.
    #[error("{port} is not a serial port: name a tty such as /dev/ttyUSB0, or a link in /dev/serial/by-id")]
    NotASerialPort {
        /// The port.
        port: String,
    },
    /// The port cannot do what the configuration asks for.
    #[error("{port} does not take {asked}: give the speed and flow control that the device is set to")]
    Settings {
        /// The port.
        port: String,
        /// What was asked for.
        asked: String,
    },
    /// Anything else, in the system's words.
    #[error("{port} failed while {doing}: {cause}")]
    Other {
        /// The port.
        port: String,
        /// What was tried.
        doing: &'static str,
        /// The system's words.
        cause: String,
    },
}

impl LinkError {
    /// A failure of an open link: all of them mean that the device is gone.
    fn lost(port: &str, cause: &io::Error) -> Self {
        Self::Gone { port: port.to_owned(), cause: cause.to_string() }
    }
    fn ended(port: &str) -> Self {
        Self::Gone { port: port.to_owned(), cause: "end of stream".to_owned() }
    }
}

/// An open link: a serial port or a TCP connection.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    bytes_per_second: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    port: String,
    wire: Wire,
    /// What was written and has not left may still leave when the port is closed.
    drain: AtomicBool,
}

/// Closing a serial port waits up to 30 s for bytes that flow control holds back, and the whole daemon with it; and what
/// leaves then, leaves at a time that nobody chose. So it is thrown away, unless [`Writer::drain_on_close`] was said.
impl Drop for Shared {
    fn drop(&mut self) {
        match &self.wire {
            Wire::Serial(fd) if !self.drain.load(Ordering::Relaxed) => serial::discard_unsent(fd.get_ref()),
            Wire::Serial(_) | Wire::Tcp(_) => {}
        }
    }
}

#[derive(Debug)]
enum Wire {
    Serial(AsyncFd<OwnedFd>),
    Tcp(TcpStream),
}

impl Connection {
    /// Opens the port; for TCP this waits at most a few seconds.
    ///
    /// # Errors
    /// Says what stands in the way. Ports that carry no bytes (`evdev`, `via = "printer"`) are [`LinkError::Other`].
    pub async fn open(port: &Port) -> Result<Self, LinkError> {
        let (name, wire, bytes_per_second) = match port {
            Port::Serial { path, baud, flow } => {
                let fd = serial::open(path, *baud, *flow)?;
                let name = path.display().to_string();
                let fd = watched(fd, Interest::READABLE).map_err(|cause| LinkError::Other {
                    port: name.clone(),
                    doing: "being watched",
                    cause: cause.to_string(),
                })?;
                // 8N1: a start bit, eight bits, a stop bit.
                (name, Wire::Serial(fd), Some(u64::from(*baud / 10).max(1)))
            }
            Port::Tcp(address) => (address.clone(), Wire::Tcp(tcp::open(address).await?), None),
            Port::Evdev(path) => return Err(not_a_pipe(&path.display().to_string())),
            Port::ViaPrinter => return Err(not_a_pipe("via = \"printer\"")),
        };
        Ok(Self { shared: Arc::new(Shared { port: name, wire, drain: AtomicBool::new(false) }), bytes_per_second })
    }
    /// The two directions; each may be used while the other waits.
    #[must_use]
    pub fn split(self) -> (Reader, Writer) {
        (Reader { shared: Arc::clone(&self.shared) }, Writer { shared: self.shared })
    }
    /// What the wire carries: a tenth of the baud rate on serial ports, unknown on TCP.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.bytes_per_second
    }
}

/// Watched for one direction only. Watched for room as well, a port would wake the daemon for every few bytes that leave it:
/// a picture on the display cost 50 wake-ups where it now costs one.
#[expect(deprecated, reason = "the named successor is an unsafe function; an OwnedFd keeps its promise of one owner")]
fn watched(fd: OwnedFd, direction: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, direction)
}

fn not_a_pipe(port: &str) -> LinkError {
    LinkError::Other { port: port.to_owned(), doing: "being opened", cause: "it carries no bytes of its own".to_owned() }
}

/// The receiving direction.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// Waits for bytes. Never `Ok(0)`: the end of the stream is [`LinkError::Gone`]. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        let Shared { port, wire, .. } = &*self.shared;
        let got = match wire {
            Wire::Serial(fd) => fd.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut *buf)?)).await,
            Wire::Tcp(stream) => loop {
                match stream.try_read(buf) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    got => break got,
                }
                if let Err(e) = stream.readable().await {
                    break Err(e);
                }
            },
        };
        match got {
            Ok(0) => Err(LinkError::ended(port)),
            Ok(n) => Ok(n),
            Err(e) => Err(LinkError::lost(port, &e)),
        }
    }
}

/// The sending direction.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// Hands all bytes to the kernel, or fails after `deadline`. `Ok` does not mean that the device has them.
    /// If the first attempt takes everything, that is one `write` system call.
    ///
    /// # Errors
    /// [`LinkError::Stuck`] after the deadline (some bytes may have left), [`LinkError::Gone`] when the device is gone.
    pub async fn write(&mut self, bytes: &[u8], deadline: Duration) -> Result<(), LinkError> {
        let mut rest = &bytes[self.try_write(bytes)?..];
        if rest.is_empty() {
            return Ok(());
        }
        let give_up: Instant = clock::now() + deadline;
        while !rest.is_empty() {
            match tokio::time::timeout_at(give_up.into(), self.writable()).await {
                Err(_elapsed) => return Err(LinkError::Stuck { port: self.shared.port.clone() }),
                Ok(ready) => ready?,
            }
            rest = &rest[self.try_write(rest)?..];
        }
        Ok(())
    }
    /// Hands over what the kernel takes at once, possibly nothing.
    ///
    /// # Errors
    /// When the device is gone.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, LinkError> {
        let Shared { port, wire, .. } = &*self.shared;
        if bytes.is_empty() {
            return Ok(0);
        }
        let took = match wire {
            Wire::Serial(fd) => rustix::io::write(fd.get_ref(), bytes).map_err(io::Error::from),
            Wire::Tcp(stream) => stream.try_write(bytes),
        };
        match took {
            Ok(n) => Ok(n),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(e) => Err(LinkError::lost(port, &e)),
        }
    }
    /// Waits until the kernel may take more. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn writable(&mut self) -> Result<(), LinkError> {
        let Shared { port, wire, .. } = &*self.shared;
        let ready = match wire {
            // A watch of its own, from now on: it tells at once if there is room already.
            Wire::Serial(fd) => match fd.get_ref().try_clone().and_then(|fd| watched(fd, Interest::WRITABLE)) {
                Ok(room) => room.writable().await.map(drop),
                Err(e) => Err(e),
            },
            Wire::Tcp(stream) => stream.writable().await,
        };
        ready.map_err(|e| LinkError::lost(port, &e))
    }
    /// Throws away what was written and has not left the kernel. False where that cannot be done: what a connection was given
    /// is withdrawn only by dropping it.
    #[must_use]
    pub fn discard_unsent(&mut self) -> bool {
        match &self.shared.wire {
            Wire::Serial(fd) => {
                serial::discard_unsent(fd.get_ref());
                true
            }
            Wire::Tcp(_) => false,
        }
    }
    /// Everything written had the time to leave: closing the port need not throw anything away.
    pub fn drain_on_close(&self) {
        self.shared.drain.store(true, Ordering::Relaxed);
    }
    /// The port's name, for messages.
    #[must_use]
    pub fn port(&self) -> &str {
        &self.shared.port
    }
}

/// The waits between attempts to open a port: `first`, doubling up to `max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max: max.max(first), next: first }
    }
    /// The wait before the next attempt.
    #[expect(clippy::should_implement_trait, reason = "waits never end, so this is no iterator")]
    pub fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        wait
    }
    /// After a success: the next wait is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

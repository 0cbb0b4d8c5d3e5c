//! A raw TCP port as network printers have it: the first client owns the device, the next ones wait.
//! Source: Epson UB-E02 (connect succeeds, data is blocked until the first client is gone).
//!
//! ## Why the next client is let in by hand
//! What was on its way to the one that left must not reach the next. So a place that became free stays free until the
//! line has cleared its queue and says [`Hub::admit`].
use super::lock;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long a listener waits for its own port to be free again after it was unplugged.
const REBIND_WITHIN: Duration = Duration::from_secs(2);

/// The listening port with its clients.
#[derive(Debug)]
pub(super) struct Hub {
    listener: TcpListener,
    clients: Mutex<Clients>,
    /// Somebody else is served, or nobody: for readers.
    changed: Notify,
    /// A client left: for the pump, also when it is busy elsewhere.
    gone: Notify,
}

#[derive(Debug, Default)]
struct Clients {
    served: Option<Arc<TcpStream>>,
    waiting: VecDeque<Arc<TcpStream>>,
    /// The one that was served left since somebody asked.
    left: bool,
}

impl Hub {
    /// Starts to listen.
    pub(super) async fn open(listen: SocketAddr) -> io::Result<Self> {
        let give_up = crate::line::now() + REBIND_WITHIN;
        let listener = loop {
            match TcpListener::bind(listen).await {
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && listen.port() != 0 && crate::line::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                other => break other?,
            }
        };
        Ok(Self { listener, clients: Mutex::default(), changed: Notify::new(), gone: Notify::new() })
    }

    /// The address with the port that was taken.
    pub(super) fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Resolves when a client came, who waits for [`Hub::admit`], or when the one that was served left.
    pub(super) async fn host_change(&self) -> io::Result<()> {
        tokio::select! {
            () = self.gone.notified() => Ok(()),
            accepted = self.listener.accept() => {
                let (stream, _from) = accepted?;
                stream.set_nodelay(true)?;
                lock(&self.clients).waiting.push_back(Arc::new(stream));
                Ok(())
            }
        }
    }

    /// Serves the next one that waits, if the place is free. Says whether a client is served now.
    pub(super) fn admit(&self) -> bool {
        let mut clients = lock(&self.clients);
        if clients.served.is_none() {
            clients.served = clients.waiting.pop_front();
            self.changed.notify_waiters();
        }
        clients.served.is_some()
    }

    /// Whether the client that was served left since this was asked before.
    pub(super) fn take_left(&self) -> bool {
        std::mem::take(&mut lock(&self.clients).left)
    }

    /// Whether a client is served now.
    pub(super) fn has_host(&self) -> bool {
        lock(&self.clients).served.is_some()
    }

    /// The client that is served.
    pub(super) fn current(&self) -> Option<Arc<TcpStream>> {
        lock(&self.clients).served.clone()
    }

    /// Waits for bytes of the client that is served.
    pub(super) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            // `notify_waiters` reaches a future from its making on, so nothing is missed between here and the wait.
            let changed = self.changed.notified();
            let Some(stream) = self.current() else {
                changed.await;
                continue;
            };
            let ready = tokio::select! {
                ready = stream.readable() => ready,
                // A reset takes the client away under a reader that waits.
                () = changed => continue,
            };
            let got = match ready {
                Ok(()) => stream.try_read(buf),
                Err(e) => Err(e),
            };
            match got {
                Ok(n) if n > 0 => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => self.hung_up(&stream),
            }
        }
    }

    /// `gone` has hung up.
    pub(super) fn hung_up(&self, gone: &Arc<TcpStream>) {
        let mut clients = lock(&self.clients);
        if clients.served.as_ref().is_some_and(|served| Arc::ptr_eq(served, gone)) {
            clients.served = None;
            clients.left = true;
            self.gone.notify_one();
        }
        drop(clients);
        self.changed.notify_waiters();
    }

    /// Every client gets a reset, as when the printer loses power.
    pub(super) fn reset(&self) {
        let mut clients = lock(&self.clients);
        let Clients { served, waiting, left: _ } = &mut *clients;
        for client in served.take().into_iter().chain(waiting.drain(..)) {
            // A client that is already gone needs no reset.
            drop(client.set_zero_linger());
        }
        drop(clients);
        self.changed.notify_waiters();
    }
}

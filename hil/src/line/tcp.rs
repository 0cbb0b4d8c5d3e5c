//! A raw TCP port as network printers have it: the first client owns the device, the next ones wait.
//! Source: Epson UB-E02 (connect succeeds, data is blocked until the first client is gone).
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long a listener waits for its own port to be free again after it was unplugged.
const REBIND_WITHIN: Duration = Duration::from_secs(2);

/// The listening port with its clients.
#[derive(Debug)]
pub(super) struct Hub {
    listener: TcpListener,
    clients: Mutex<VecDeque<Arc<TcpStream>>>,
    changed: Notify,
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
        Ok(Self { listener, clients: Mutex::default(), changed: Notify::new() })
    }

    /// The address with the port that was taken.
    pub(super) fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes the next client that connects; it is served when those before it are gone.
    pub(super) async fn accept(&self) -> io::Result<()> {
        let (stream, _from) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        self.lock().push_back(Arc::new(stream));
        self.changed.notify_waiters();
        Ok(())
    }

    /// Whether a client is served now.
    pub(super) fn has_host(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The client that is served.
    pub(super) fn current(&self) -> Option<Arc<TcpStream>> {
        self.lock().front().cloned()
    }

    /// Waits for bytes of the client that is served.
    pub(super) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let changed = self.changed.notified();
            let Some(stream) = self.current() else {
                changed.await;
                continue;
            };
            let got = match stream.readable().await {
                Ok(()) => stream.try_read(buf),
                Err(e) => Err(e),
            };
            match got {
                Ok(n) if n > 0 => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => self.next_after(&stream),
            }
        }
    }

    /// `gone` has hung up: the next one in the queue is served.
    pub(super) fn next_after(&self, gone: &Arc<TcpStream>) {
        let mut clients = self.lock();
        if clients.front().is_some_and(|c| Arc::ptr_eq(c, gone)) {
            clients.pop_front();
        }
        drop(clients);
        self.changed.notify_waiters();
    }

    /// Every client gets a reset, as when the printer loses power.
    pub(super) fn reset(&self) {
        for client in self.lock().drain(..) {
            // A client that is already gone needs no reset.
            drop(client.set_zero_linger());
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

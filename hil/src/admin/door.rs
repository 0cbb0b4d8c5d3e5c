//! The listening socket: opened, really closed, and opened again on the same port.
//!
//! ## Why a second handle to the listener, held as a stream
//! `set_down(true)` has to hold when it returns, while the socket itself belongs to a task that may be asleep. Shutting
//! down a listening socket makes Linux refuse connections at once and wakes the task, which then lets go of it; and the
//! standard library offers a shutdown for streams only.
//!
//! ## Why a third socket that never listens
//! It holds the port while the shop is down. Without it the kernel could hand the port to anybody who asks for a free one,
//! and the shop could not come back.
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};

use super::{Shared, http};

pub struct Door {
    addr: SocketAddr,
    /// Bound for as long as the door is there.
    _kept: TcpSocket,
    /// Shuts the listener in use down; `None` while the shop is down.
    handle: Mutex<Option<TcpStream>>,
    /// A fresh listener for the accept task with the count of downs it was made at; closed when the door is dropped,
    /// which ends the task.
    fresh: mpsc::UnboundedSender<(u64, TcpListener)>,
    /// Counts the times the shop went down: connections made before are reset.
    downs: watch::Sender<u64>,
}

impl Door {
    /// Binds and starts the accept task.
    pub fn open(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<Door> {
        let kept = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As the standard library does for a listener: it lets the two share the port, and a shop that was closed while
        // connections linger open again.
        kept.set_reuseaddr(true)?;
        kept.bind(listen)?;
        let addr = kept.local_addr()?;
        let (fresh, listeners) = mpsc::unbounded_channel();
        let (downs, seen) = watch::channel(0);
        let door = Door { addr, _kept: kept, handle: Mutex::new(None), fresh, downs };
        door.reopen()?;
        tokio::spawn(accept(listeners, seen, shared));
        Ok(door)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Refuses connections from now on and resets those there are.
    pub fn shut(&self) {
        if let Some(handle) = self.handle.lock().expect("no holder of the handle panics").take() {
            // Counted first: when the accept task sees its listener fail, it finds the reason.
            self.downs.send_modify(|downs| *downs += 1);
            // The only failure is a socket that is shut down already, which is what we want.
            drop(handle.shutdown(Shutdown::Both));
        }
    }

    /// Takes the port again; nothing happens if it is open.
    pub fn reopen(&self) -> io::Result<()> {
        let mut handle = self.handle.lock().expect("no holder of the handle panics");
        if handle.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.addr)?;
        listener.set_nonblocking(true)?;
        *handle = Some(TcpStream::from(OwnedFd::from(listener.try_clone()?)));
        let downs = *self.downs.borrow();
        self.fresh.send((downs, listener)).map_err(|_| io::Error::other("the accept task has ended"))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut();
    }
}

async fn accept(
    mut listeners: mpsc::UnboundedReceiver<(u64, TcpListener)>,
    mut downs: watch::Receiver<u64>,
    shared: Arc<Shared>,
) {
    while let Some((made_at, listener)) = listeners.recv().await {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
        // A listener that is older than the count was shut meanwhile; the next one is in the channel, or will be.
        while *downs.borrow_and_update() == made_at {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => { tokio::spawn(http::serve(stream, downs.clone(), Arc::clone(&shared))); }
                    // The peer was gone before it was accepted, or the door is shut: the next turn tells.
                    Err(_) => tokio::task::yield_now().await,
                },
                changed = downs.changed() => if changed.is_err() {
                    // The door is gone, and with it whoever could open another one.
                    return;
                },
            }
        }
    }
}

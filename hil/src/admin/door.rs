//! The listening socket: opened, really closed, and opened again on the same port.
//!
//! ## Why a second handle to the listener, held as a stream
//! `set_down(true)` has to hold when it returns, while the socket itself belongs to a task that may be asleep. Shutting
//! down a listening socket makes Linux refuse connections at once and wakes the task, which then lets go of it; and the
//! standard library offers a shutdown for streams only.
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use super::{Shared, http};

pub struct Door {
    addr: SocketAddr,
    /// Shuts the listener in use down; `None` while the shop is down.
    handle: Mutex<Option<TcpStream>>,
    /// A fresh listener for the accept task; closed when the door is dropped, which ends the task.
    /// With it, how often the shop had gone down before: the listener's life ends when that is no longer so.
    fresh: mpsc::UnboundedSender<(TcpListener, u64)>,
    /// Counts the times the shop went down: connections made before are reset.
    downs: watch::Sender<u64>,
}

impl Door {
    /// Binds and starts the accept task.
    pub fn open(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<Door> {
        let listener = TcpListener::bind(listen)?;
        let addr = listener.local_addr()?;
        let handle = Mutex::new(Some(second_handle(&listener)?));
        let (fresh, listeners) = mpsc::unbounded_channel();
        let (downs, seen) = watch::channel(0);
        let door = Door { addr, handle, fresh, downs };
        door.hand_over(listener)?;
        tokio::spawn(accept(listeners, seen, shared));
        Ok(door)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Refuses connections from now on and resets those there are.
    pub fn shut(&self) {
        if let Some(handle) = self.handle.lock().expect("no holder of the handle panics").take() {
            // The only failure is a socket that is shut down already, which is what we want.
            drop(handle.shutdown(Shutdown::Both));
            self.downs.send_modify(|downs| *downs += 1);
        }
    }

    /// Takes the port again; nothing happens if it is open.
    pub fn reopen(&self) -> io::Result<()> {
        let mut handle = self.handle.lock().expect("no holder of the handle panics");
        if handle.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.addr)?;
        *handle = Some(second_handle(&listener)?);
        self.hand_over(listener)
    }

    fn hand_over(&self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let downs = *self.downs.borrow();
        self.fresh.send((listener, downs)).map_err(|_| io::Error::other("the accept task has ended"))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut();
    }
}

fn second_handle(listener: &TcpListener) -> io::Result<TcpStream> {
    Ok(TcpStream::from(OwnedFd::from(listener.try_clone()?)))
}

async fn accept(
    mut listeners: mpsc::UnboundedReceiver<(TcpListener, u64)>,
    mut downs: watch::Receiver<u64>,
    shared: Arc<Shared>,
) {
    while let Some((listener, opened_after)) = listeners.recv().await {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
        loop {
            // First looked past, then asked: a shop that goes down before the look is seen in the count, one that goes down
            // after it resets the connection that is made meanwhile.
            downs.mark_unchanged();
            if listeners.is_closed() || *downs.borrow() != opened_after {
                break;
            }
            let seen = downs.clone();
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => { tokio::spawn(http::serve(stream, seen, Arc::clone(&shared))); }
                    // Shut down, or the peer was gone before it was accepted: the next turn tells.
                    Err(_) => tokio::task::yield_now().await,
                },
                _ = downs.changed() => {}
            }
        }
    }
}

//! The three kinds of wire behind one face.
use super::Attach;
use super::pty::{self, Pty};
use super::tcp::Hub;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A wire that is plugged in.
#[derive(Debug)]
pub(super) enum Wire {
    Pty(Pty),
    Tcp(Hub),
    Port(AsyncFd<OwnedFd>),
}

impl Wire {
    pub(super) async fn open(attach: &Attach) -> io::Result<Self> {
        match attach {
            Attach::Pair { dir, name, baud } => Ok(Self::Pty(Pty::open(&dir.join(name), *baud)?)),
            Attach::Tcp { listen } => Ok(Self::Tcp(Hub::open(*listen).await?)),
            Attach::Port { path, baud } => Ok(Self::Port(pty::open_port(path, *baud)?)),
        }
    }

    /// Waits for bytes. Nothing is lost when the future is dropped.
    pub(super) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pty(p) => p.master.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut *buf)?)).await,
            Self::Port(fd) => match fd.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut *buf)?)).await {
                // A port that hung up (an adapter pulled out, say) reads as empty for ever.
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other,
            },
            Self::Tcp(hub) => hub.read(buf).await,
        }
    }

    /// Gives the kernel what it takes at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(p) => Ok(rustix::io::write(p.master.get_ref(), bytes)?),
            Self::Port(fd) => Ok(rustix::io::write(fd.get_ref(), bytes)?),
            Self::Tcp(hub) => {
                let Some(stream) = hub.current() else { return Ok(bytes.len()) };
                match stream.try_write(bytes) {
                    Err(e) if e.kind() != io::ErrorKind::WouldBlock => {
                        hub.hung_up(&stream);
                        Ok(bytes.len())
                    }
                    other => other,
                }
            }
        }
    }

    /// The same for one who waits with [`Wire::writable`]: after a `WouldBlock`, that waits until there is room again.
    pub(super) fn try_write_ready(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(p) => p.master.try_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?)),
            Self::Port(fd) => fd.try_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?)),
            // A stream keeps account of its readiness by itself.
            Self::Tcp(_) => self.try_write(bytes),
        }
    }

    /// Resolves when the kernel may take bytes. Without a host it does: they are lost.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Pty(p) => p.master.writable().await.map(drop),
            Self::Port(fd) => fd.writable().await.map(drop),
            Self::Tcp(hub) => match hub.current() {
                Some(stream) => stream.writable().await,
                None => Ok(()),
            },
        }
    }

    /// Bytes that arrived and were not read yet.
    pub(super) fn unread(&self) -> u64 {
        let unread = match self {
            Self::Pty(p) => rustix::io::ioctl_fionread(p.master.get_ref()),
            Self::Port(fd) => rustix::io::ioctl_fionread(fd.get_ref()),
            Self::Tcp(hub) => hub.current().map_or(Ok(0), rustix::io::ioctl_fionread),
        };
        // A wire that cannot say has nothing.
        unread.unwrap_or(0)
    }

    /// Whether somebody is at the other end, as far as it is known; a real port cannot tell.
    pub(super) fn has_host(&self) -> bool {
        match self {
            Self::Pty(p) => p.has_host(),
            Self::Tcp(hub) => hub.has_host(),
            Self::Port(_) => true,
        }
    }

    /// The same, asked afresh.
    pub(super) fn look(&self) -> bool {
        match self {
            Self::Pty(p) => p.look(),
            Self::Tcp(hub) => hub.has_host(),
            Self::Port(_) => true,
        }
    }

    /// Whether the last host left since this was asked before.
    pub(super) fn take_left(&self) -> bool {
        match self {
            Self::Pty(p) => p.take_left(),
            Self::Tcp(hub) => hub.take_left(),
            Self::Port(_) => false,
        }
    }

    /// Lets the next host in, where one at a time is served. Says whether one is there now.
    pub(super) fn admit(&self) -> bool {
        match self {
            Self::Pty(p) => p.has_host(),
            Self::Tcp(hub) => hub.admit(),
            Self::Port(_) => true,
        }
    }

    /// Whether bytes for the device wait in the kernel.
    pub(super) fn has_unread(&self) -> bool {
        let waiting = match self {
            Self::Pty(p) => rustix::io::ioctl_fionread(p.master.get_ref()),
            Self::Port(fd) => rustix::io::ioctl_fionread(fd.get_ref()),
            Self::Tcp(hub) => hub.current().map_or(Ok(0), |stream| rustix::io::ioctl_fionread(&*stream)),
        };
        // A port that cannot tell is judged by time alone.
        waiting.is_ok_and(|n| n > 0)
    }

    /// Resolves when a host may have come or gone.
    pub(super) async fn host_change(&self) -> io::Result<()> {
        match self {
            Self::Pty(p) => p.host_change().await,
            Self::Tcp(hub) => hub.host_change().await,
            Self::Port(_) => std::future::pending().await,
        }
    }

    /// The cable is pulled: whoever is at the other end sees it once the last user of this wire lets go.
    pub(super) fn pull(&self) {
        match self {
            Self::Pty(p) => p.unlink(),
            Self::Tcp(hub) => hub.reset(),
            Self::Port(_) => {}
        }
    }

    pub(super) fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(hub) => hub.addr().ok(),
            Self::Pty(_) | Self::Port(_) => None,
        }
    }
}

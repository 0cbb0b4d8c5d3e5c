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
            Self::Port(fd) => fd.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut *buf)?)).await,
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
                        hub.next_after(&stream);
                        Ok(bytes.len())
                    }
                    other => other,
                }
            }
        }
    }

    /// Waits until the kernel takes some of `bytes`.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty(p) => p.master.async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?)).await,
            Self::Port(fd) => fd.async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?)).await,
            Self::Tcp(hub) => {
                let Some(stream) = hub.current() else { return Ok(bytes.len()) };
                loop {
                    stream.writable().await?;
                    match self.try_write(bytes) {
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                        other => return other,
                    }
                }
            }
        }
    }

    /// Whether somebody is at the other end; a real port cannot tell.
    pub(super) fn has_host(&self) -> bool {
        match self {
            Self::Pty(p) => p.has_host() || p.look(),
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
            Self::Tcp(hub) => hub.accept().await,
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

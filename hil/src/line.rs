//! One device's wire: a virtual serial pair, a TCP port or a real serial port.
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::broadcast;

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
    /// A raw TCP port, as on network printers.
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

/// The wire of one device.
#[derive(Debug, Clone)]
pub struct Line(Arc<Attach>);

impl Line {
    /// Puts the device on its wire.
    pub async fn open(attach: Attach) -> io::Result<Line> {
        Ok(Line(Arc::new(attach)))
    }
    /// The link a host opens, or the real port.
    pub fn path(&self) -> Option<PathBuf> {
        None
    }
    /// The TCP address, with the port that was really taken.
    pub fn addr(&self) -> Option<SocketAddr> {
        None
    }
    /// Waits for bytes from the host, across hang-ups and re-opens. `Ok(0)` only after [`Line::shut_down`].
    pub async fn read(&self, _buf: &mut [u8]) -> io::Result<usize> {
        std::future::pending().await
    }
    /// Sends bytes to the host and waits until they are on the wire.
    pub async fn write(&self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
    /// Sends without waiting; what the wire does not take now follows by itself.
    pub fn send(&self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
    /// Pulls the cable.
    pub fn unplug(&self) {}
    /// Puts the cable back: same name, fresh pair.
    pub async fn plug(&self) -> io::Result<()> {
        Ok(())
    }
    /// Ends the line for good: readers get `Ok(0)`.
    pub fn shut_down(&self) {}
    /// Whether a host has it open.
    pub fn is_connected(&self) -> bool {
        false
    }
    /// Every piece of bytes with the moment it passed.
    pub fn tap(&self) -> broadcast::Receiver<(Direction, Instant, Vec<u8>)> {
        broadcast::channel(1).1
    }
}

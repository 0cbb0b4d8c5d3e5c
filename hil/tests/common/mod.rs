//! A host at the other end of a virtual serial pair, and patience with an end.
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

/// Far longer than anything here takes on a busy machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: still waiting"))
}

/// A program that has the port open.
pub struct Host(File);

impl Host {
    pub fn open(link: &Path) -> Host {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Host(File::from(rustix::fs::open(link, flags, Mode::empty()).unwrap()))
    }

    pub fn write(&self, bytes: &[u8]) {
        (&self.0).write_all(bytes).unwrap();
    }

    /// Waits for exactly so many bytes.
    pub async fn read(&self, count: usize) -> Vec<u8> {
        let mut file = self.0.try_clone().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; count];
            file.read_exact(&mut bytes).map(|()| bytes)
        });
        soon("the host's read", read).await.unwrap().unwrap()
    }

    /// One read, whatever comes of it.
    pub async fn read_some(&self) -> io::Result<usize> {
        let mut file = self.0.try_clone().unwrap();
        soon("the host's read", tokio::task::spawn_blocking(move || file.read(&mut [0; 64]))).await.unwrap()
    }
}

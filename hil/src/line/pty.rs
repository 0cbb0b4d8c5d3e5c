//! A virtual serial pair: the device holds the master, a host opens the slave through a link with a stable name.
//!
//! ## Why the device keeps the slave open, and watches it with inotify
//! Without an open slave the master reports a hang-up for ever, which an edge-triggered reactor cannot wait out, and a host
//! that died with TIOCEXCL set would lock out the next one. So the device keeps one descriptor of its own and learns of
//! hosts coming and going from the open and close events of the node. A device must know: a UART with nobody at the other
//! end loses its bytes, while a pty would keep them for the next host.
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, QueueSelector, Termios};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::io::unix::AsyncFd;

/// The device's end of a virtual serial pair.
#[derive(Debug)]
pub(super) struct Pty {
    pub(super) master: AsyncFd<OwnedFd>,
    slave: OwnedFd,
    fresh: Termios,
    node: PathBuf,
    link: PathBuf,
    watch: AsyncFd<OwnedFd>,
    hosts: Mutex<Hosts>,
}

/// Who has the slave open. Behind one lock with the reading of the events: each event counts once and in order, however
/// many tasks look at the same time.
#[derive(Debug, Default)]
struct Hosts {
    open: usize,
    /// The last one left since somebody asked; another may be there again.
    left: bool,
}

impl Pty {
    /// Makes the pair in raw mode and points `link` at it, replacing what the link pointed at before.
    pub(super) fn open(link: &Path, baud: Option<u32>) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let node = rustix::pty::ptsname(&master, Vec::new())?;
        let node = PathBuf::from(node.into_string().map_err(io::Error::other)?);
        let slave = rustix::fs::open(&node, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut fresh = rustix::termios::tcgetattr(&slave)?;
        fresh.make_raw();
        if let Some(baud) = baud {
            fresh.set_speed(baud)?;
        }
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &fresh)?;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&watch, &node, WatchFlags::OPEN | WatchFlags::CLOSE_WRITE | WatchFlags::CLOSE_NOWRITE)?;
        point(link, &node)?;
        Ok(Self {
            master: watched(master)?,
            slave,
            fresh,
            node,
            link: link.to_owned(),
            watch: watched(watch)?,
            hosts: Mutex::default(),
        })
    }

    /// Whether a host has the slave open, as far as the events read so far tell.
    pub(super) fn has_host(&self) -> bool {
        super::lock(&self.hosts).open > 0
    }

    /// Takes in the open and close events that are there. Says whether a host is there now.
    pub(super) fn look(&self) -> bool {
        let mut room = [MaybeUninit::uninit(); 1024];
        let mut hosts = super::lock(&self.hosts);
        let mut reader = inotify::Reader::new(self.watch.get_ref(), &mut room);
        let mut left = false;
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::OPEN) {
                hosts.open += 1;
            } else if event.events().intersects(ReadFlags::CLOSE_WRITE | ReadFlags::CLOSE_NOWRITE) {
                hosts.open = hosts.open.saturating_sub(1);
                left |= hosts.open == 0;
            }
        }
        if left {
            hosts.left = true;
            // Cannot fail on an open pty; if it did, the next host would still set modes of its own.
            self.forget_host(hosts.open > 0).ok();
        }
        hosts.open > 0
    }

    /// Whether the last host left since this was asked before.
    pub(super) fn take_left(&self) -> bool {
        std::mem::take(&mut super::lock(&self.hosts).left)
    }

    /// Resolves when a host may have come or gone.
    pub(super) async fn host_change(&self) -> io::Result<()> {
        // `look` empties the queue, so the readiness may be cleared each time.
        let mut guard = self.watch.readable().await?;
        guard.clear_ready();
        Ok(())
    }

    /// The last host is gone: the bytes it did not read, its exclusive lock and its modes go with it. If the next one has
    /// come already, the lock and the modes may be its own and stay.
    fn forget_host(&self, next_is_here: bool) -> rustix::io::Result<()> {
        rustix::termios::tcflush(&self.slave, QueueSelector::IFlush)?;
        if next_is_here {
            return Ok(());
        }
        rustix::termios::ioctl_tiocnxcl(&self.slave)?;
        rustix::termios::tcsetattr(&self.slave, OptionalActions::Now, &self.fresh)
    }

    /// Takes the link away, unless it already points elsewhere.
    pub(super) fn unlink(&self) {
        if std::fs::read_link(&self.link).is_ok_and(|to| to == self.node) {
            // Somebody else removing it first is as good.
            drop(std::fs::remove_file(&self.link));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// Points `link` at `node` in one step, so that a host never finds it missing while it is replaced.
fn point(link: &Path, node: &Path) -> io::Result<()> {
    if let Some(dir) = link.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut fresh = link.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    if fresh.symlink_metadata().is_ok() {
        std::fs::remove_file(&fresh)?;
    }
    std::os::unix::fs::symlink(node, &fresh)?;
    std::fs::rename(&fresh, link)
}

/// A real port: raw, 8N1, no flow control, exclusive.
pub(super) fn open_port(path: &Path, baud: u32) -> io::Result<AsyncFd<OwnedFd>> {
    use rustix::termios::ControlModes as C;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let mut modes = rustix::termios::tcgetattr(fd.as_fd())?;
    modes.make_raw();
    modes.control_modes |= C::CLOCAL | C::CREAD;
    modes.control_modes -= C::CRTSCTS | C::CSTOPB | C::HUPCL;
    modes.set_speed(baud)?;
    rustix::termios::tcsetattr(&fd, OptionalActions::Now, &modes)?;
    rustix::termios::ioctl_tiocexcl(&fd)?;
    watched(fd)
}

/// Hands a descriptor to the reactor.
#[expect(deprecated, reason = "the replacement is `unsafe`; an `OwnedFd` stays the same open descriptor, as it demands")]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

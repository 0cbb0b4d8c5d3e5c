//! The floors: what the bare system calls cost on this machine, now. Blocking threads, no runtime, nothing in between.
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

use super::stats::Distribution;
use crate::bench::now;

/// Nothing on one machine takes longer; a floor that does is an error of the machine.
const LOST: Duration = Duration::from_secs(2);

/// Bytes into a pair → a blocking reader → an HTTP chunk → a blocking client.
pub(super) fn reader_and_chunk(runs: usize, pause: Duration) -> io::Result<Distribution> {
    let (master, slave) = pair()?;
    let (mut server, mut client) = connected()?;
    let (tell, told) = mpsc::channel();
    let mut reader = slave.try_clone()?;
    thread::spawn(move || -> io::Result<()> {
        let mut buf = [0; 256];
        while reader.read(&mut buf)? > 0 {
            server.write_all(CHUNK)?;
        }
        Ok(())
    });
    thread::spawn(move || {
        let mut buf = [0; 1024];
        while client.read(&mut buf).is_ok_and(|n| n > 0) && tell.send(now()).is_ok() {}
    });
    let mut master = File::from(master);
    collect(runs, pause, || {
        let start = now();
        // As long as an automatic status of the printer.
        master.write_all(&[0x14, 0x00, 0x00, 0x0F])?;
        Ok(receive(&told)? - start)
    })
}

/// An event as the daemon's stream carries it, about as long.
const CHUNK: &[u8] = b"70\r\nid: 1234\nevent: drawer.opened\ndata: {\"seq\":1234,\"at\":\"2026-11-23T07:00:00.000Z\",\"till\":\"front-1\",\"by\":\"key\"}\n\n\r\n";

/// A round trip on a warm connection, plus five bytes through a pair.
pub(super) fn http_and_write(runs: usize, pause: Duration) -> io::Result<Distribution> {
    let (master, mut slave) = pair()?;
    let (mut server, mut client) = connected()?;
    let (tell, told) = mpsc::channel();
    let mut printer = File::from(master);
    thread::spawn(move || {
        let mut buf = [0; 64];
        while printer.read(&mut buf).is_ok_and(|n| n > 0) && tell.send(now()).is_ok() {}
    });
    thread::spawn(move || -> io::Result<()> {
        let mut buf = [0; 1024];
        while server.read(&mut buf)? > 0 {
            server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"outcome\":\"opened\"}")?;
        }
        Ok(())
    });
    let request = b"POST /v1/tills/front-1/drawer/kick HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 20\r\n\r\n{\"reason\":\"latency\"}";
    let mut buf = [0; 1024];
    collect(runs, pause, || {
        let start = now();
        client.write_all(request)?;
        if client.read(&mut buf)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let round_trip = now() - start;
        let start = now();
        slave.write_all(&[0x1B, 0x70, 0x00, 0x32, 0x32])?;
        Ok(round_trip + (receive(&told)? - start))
    })
}

/// Two durable commits in this folder, then a fresh loopback connection and its first byte at the other side.
pub(super) fn commits_and_dial(runs: usize, dir: &Path, pause: Duration) -> io::Result<Distribution> {
    let db = rusqlite::Connection::open(dir.join("floor.db")).map_err(io::Error::other)?;
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b TEXT);",
    )
    .map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut buf = [0; 64];
        for stream in listener.incoming() {
            if !stream.is_ok_and(|mut s| s.read(&mut buf).is_ok()) || tell.send(now()).is_err() {
                return;
            }
        }
    });
    let row = "x".repeat(400);
    let mut insert = db.prepare("INSERT INTO t (b) VALUES (?1)").map_err(io::Error::other)?;
    collect(runs, pause, || {
        let start = now();
        for _ in 0..2 {
            insert.execute([&row]).map_err(io::Error::other)?;
        }
        TcpStream::connect(addr)?.write_all(b"P")?;
        Ok(receive(&told)? - start)
    })
}

/// 64 bytes at this speed, ten bits each.
pub(super) fn one_piece(baud: u32) -> Duration {
    Duration::from_nanos(64 * 10 * 1_000_000_000 / u64::from(baud.max(1)))
}

/// `pause` between two measurements: the rhythm of the row that the floor belongs to. Two milliseconds apart, the caches are
/// warm and the processor awake, and the floor would be one that no till ever sees.
fn collect(runs: usize, pause: Duration, mut one: impl FnMut() -> io::Result<Duration>) -> io::Result<Distribution> {
    let mut all = Vec::with_capacity(runs);
    // The first round pays for what is set up lazily.
    one()?;
    for _ in 0..runs.max(1) {
        rest(pause);
        all.push(one()?);
    }
    Distribution::new(all).ok_or_else(|| io::Error::other("nothing was measured"))
}

#[expect(clippy::disallowed_methods, reason = "a floor is taken on a thread of its own that must be idle before each run")]
fn rest(pause: Duration) {
    thread::sleep(pause);
}

fn receive(told: &mpsc::Receiver<Instant>) -> io::Result<Instant> {
    told.recv_timeout(LOST).map_err(|e| match e {
        RecvTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        RecvTimeoutError::Disconnected => io::ErrorKind::UnexpectedEof.into(),
    })
}

/// The simulator's end and the program's end, raw.
fn pair() -> io::Result<(OwnedFd, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = OpenOptions::new().read(true).write(true).open(name.to_str().map_err(io::Error::other)?)?;
    let mut attributes = tcgetattr(&slave)?;
    attributes.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &attributes)?;
    Ok((master, slave))
}

fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(LOST))?;
    Ok((server, client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_floor_can_be_measured() {
        let dir = tempfile::tempdir().unwrap();
        let pause = Duration::from_millis(2);
        for floor in [reader_and_chunk(3, pause), http_and_write(3, pause), commits_and_dial(3, dir.path(), pause)] {
            let floor = floor.unwrap();
            assert_eq!(floor.count(), 3);
            assert!(floor.max() < LOST);
        }
    }

    #[test]
    fn one_piece_takes_a_sixtieth_of_a_second_at_38400() {
        assert_eq!(one_piece(38_400).as_micros(), 16_666);
    }
}

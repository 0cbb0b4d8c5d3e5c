//! Wires over real pairs and sockets: who is there, who is gone, and whose bytes are lost.
mod common;

use std::io;
use std::path::Path;

use common::{Host, soon};
use drawerbridge_hil::line::{Attach, Line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn pair(dir: &Path) -> Attach {
    Attach::Pair { dir: dir.to_owned(), name: "device".to_owned(), baud: None }
}

async fn tcp() -> Line {
    Line::open(Attach::Tcp { listen: ([127, 0, 0, 1], 0).into() }).await.unwrap()
}

async fn received(line: &Line, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buf = [0; 64];
    while bytes.len() < count {
        let n = soon("the device's read", line.read(&mut buf)).await.unwrap();
        bytes.extend(&buf[..n]);
    }
    bytes
}

async fn connected(line: &Line, wanted: bool) {
    let mut connection = line.connection();
    soon("the host's coming or going", connection.wait_for(|is| *is == wanted)).await.unwrap();
}

/// Until a TCP client has sent the device something, it may be in the kernel's hands still.
async fn client(line: &Line) -> TcpStream {
    TcpStream::connect(line.addr().unwrap()).await.unwrap()
}

async fn answer(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    soon("the client's read", client.read_exact(&mut bytes)).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_pulled_cable_is_a_hang_up_and_the_link_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    let host = Host::open(&line.path().unwrap());
    host.write(b"x");
    assert_eq!(received(&line, 1).await, b"x");
    line.unplug();
    assert!(line.path().unwrap().symlink_metadata().is_err(), "the link");
    // A hang-up reads as the end or as an I/O error, never as bytes.
    assert_eq!(host.read_some().await.unwrap_or(0), 0);
    assert!(!line.is_connected());
    assert_eq!(line.send(b"lost").unwrap_err().kind(), io::ErrorKind::NotConnected);
}

#[tokio::test]
async fn a_cable_put_back_is_a_fresh_pair_under_the_same_name() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    let before = std::fs::read_link(line.path().unwrap()).unwrap();
    // Holds on to the first pair, so that the second is another one.
    let old = Host::open(&line.path().unwrap());
    line.unplug();
    line.plug().await.unwrap();
    assert_ne!(std::fs::read_link(line.path().unwrap()).unwrap(), before);
    let host = Host::open(&line.path().unwrap());
    host.write(b"back");
    assert_eq!(received(&line, 4).await, b"back");
    line.send(b"yes").unwrap();
    assert_eq!(host.read(3).await, b"yes");
    drop(old);
}

#[tokio::test]
async fn what_a_host_did_not_read_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    for _ in 0..50 {
        let first = Host::open(&line.path().unwrap());
        first.write(b"1");
        assert_eq!(received(&line, 1).await, b"1");
        line.send(b"for the first").unwrap();
        drop(first);
        // At once: the device learns of the leaving and the coming in one go.
        let second = Host::open(&line.path().unwrap());
        second.write(b"2");
        assert_eq!(received(&line, 1).await, b"2");
        line.send(b"for two").unwrap();
        assert_eq!(second.read(7).await, b"for two");
    }
}

#[tokio::test]
async fn with_nobody_there_bytes_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    line.write(b"lost").await.unwrap();
    let host = Host::open(&line.path().unwrap());
    connected(&line, true).await;
    line.send(b"seen").unwrap();
    assert_eq!(host.read(4).await, b"seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_come_and_go_are_counted_right_however_many_look() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    let lookers: Vec<_> = (0..2)
        .map(|_| {
            let line = line.clone();
            tokio::spawn(async move {
                loop {
                    line.is_connected();
                    line.send(b"?").unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..500 {
        let host = Host::open(&line.path().unwrap());
        host.write(b"x");
        received(&line, 1).await;
        drop(host);
    }
    for looker in lookers {
        looker.abort();
        assert!(looker.await.unwrap_err().is_cancelled());
    }
    assert!(!line.is_connected());
    connected(&line, false).await;
    let _host = Host::open(&line.path().unwrap());
    assert!(line.is_connected());
}

#[tokio::test]
async fn a_real_port_that_hangs_up_is_opened_again_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    // A pair stands for the adapter: to who opens it, pulling it out looks the same.
    let adapter = Line::open(pair(dir.path())).await.unwrap();
    let path = adapter.path().unwrap();
    let port = Line::open(Attach::Port { path, baud: 115_200 }).await.unwrap();
    adapter.send(b"a").unwrap();
    assert_eq!(received(&port, 1).await, b"a");
    adapter.unplug();
    let reader = tokio::spawn({
        let port = port.clone();
        async move { received(&port, 1).await }
    });
    let mut connection = port.connection();
    assert_eq!(adapter.send(b"lost").unwrap_err().kind(), io::ErrorKind::NotConnected);
    soon("the port's hang-up", connection.wait_for(|is| !*is)).await.unwrap();
    adapter.plug().await.unwrap();
    connected(&adapter, true).await;
    adapter.send(b"b").unwrap();
    assert_eq!(soon("the port's bytes", reader).await.unwrap(), b"b");
}

#[tokio::test]
async fn a_second_client_waits_until_the_first_leaves() {
    let line = tcp().await;
    let mut first = client(&line).await;
    first.write_all(b"1").await.unwrap();
    assert_eq!(received(&line, 1).await, b"1");
    let mut second = client(&line).await;
    second.write_all(b"2").await.unwrap();
    first.write_all(b"1").await.unwrap();
    assert_eq!(received(&line, 1).await, b"1");
    line.send(b"first").unwrap();
    assert_eq!(answer(&mut first, 5).await, b"first");
    let mut connection = line.connection();
    assert!(*connection.borrow_and_update());
    drop(first);
    assert_eq!(received(&line, 1).await, b"2");
    // Both at once: the leaving of the first and the coming of the second.
    assert!(connection.has_changed().unwrap() && *connection.borrow_and_update());
    line.send(b"second").unwrap();
    assert_eq!(answer(&mut second, 6).await, b"second");
    drop(second);
    let mut buf = [0];
    tokio::select! {
        read = line.read(&mut buf) => panic!("{read:?}: nobody is there to send anything"),
        () = connected(&line, false) => {}
    }
}

#[tokio::test]
async fn what_was_on_its_way_to_a_client_that_left_does_not_reach_the_next() {
    let line = tcp().await;
    let mut first = client(&line).await;
    first.write_all(b"1").await.unwrap();
    assert_eq!(received(&line, 1).await, b"1");
    // More than the kernel takes for somebody who does not read.
    for _ in 0..200 {
        line.send(&[b'x'; 64 * 1024]).unwrap();
    }
    let mut second = client(&line).await;
    second.write_all(b"2").await.unwrap();
    drop(first);
    assert_eq!(received(&line, 1).await, b"2");
    line.send(b"new").unwrap();
    assert_eq!(answer(&mut second, 3).await, b"new");
}

#[tokio::test]
async fn an_unplugged_network_printer_resets_its_clients_and_is_back_on_its_port() {
    let line = tcp().await;
    let addr = line.addr();
    let mut served = client(&line).await;
    served.write_all(b"1").await.unwrap();
    assert_eq!(received(&line, 1).await, b"1");
    line.unplug();
    let ended = soon("the reset", served.read(&mut [0])).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(!line.is_connected());
    line.plug().await.unwrap();
    assert_eq!(line.addr(), addr);
    let mut again = client(&line).await;
    again.write_all(b"2").await.unwrap();
    assert_eq!(received(&line, 1).await, b"2");
    line.send(b"ok").unwrap();
    assert_eq!(answer(&mut again, 2).await, b"ok");
}

#[tokio::test]
async fn a_line_that_is_shut_down_ends_its_reader() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(pair(dir.path())).await.unwrap();
    line.shut_down();
    assert_eq!(soon("the end", line.read(&mut [0; 8])).await.unwrap(), 0);
}

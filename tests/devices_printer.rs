//! The printer task against the rig's printer, and against wires that no printer would make: real ports, real bytes.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::Duration,
};

use drawerbridge::{
    config::{self, Flow, Pin, Port, Sense, Timing},
    device::{
        DeviceEvent, DrawerEvent, DrawerState, KickOutcome, KickRefused, Link, OpenedBy, Piece, PrintOutcome,
        profile::{CodePage, PrinterProfile},
        worker::{PrinterHandle, spawn_printer},
    },
    transport::Connection,
};
use drawerbridge_hil::{
    line::{Attach, Line},
    printer::{Printer, PrinterSpec},
};
use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock},
    termios::{ControlModes, tcgetattr},
};
use tokio::{sync::mpsc, time::timeout};

/// Nothing here takes that long by itself; a slow test machine may.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
const A_WHILE: Duration = Duration::from_millis(150);
/// Idle, drawer line HIGH: closed.
const CLOSED: [u8; 4] = [0x14, 0, 0, 0];
const BAUD: u32 = 38_400;

fn profile() -> PrinterProfile {
    PrinterProfile {
        columns: 42,
        code_page: CodePage::Pc437,
        pulse_on: 50,
        pulse_off: 250,
        pulse_unit: Duration::from_millis(2),
        asb: true,
        process_id: true,
        transmit_status: true,
        identity_text: true,
        qr: true,
        cutter: true,
        baud: BAUD,
        pass_through: false,
    }
}

fn timing() -> Timing {
    let (reopen_first, reopen_max) = (Duration::from_millis(10), Duration::from_millis(40));
    Timing { reopen_first, reopen_max, ..Timing::default() }
}

fn serial(path: &Path) -> Port {
    Port::Serial { path: path.to_owned(), baud: BAUD, flow: Flow::None }
}

fn start(port: Port, room: usize) -> (PrinterHandle, mpsc::Receiver<DeviceEvent>) {
    let (sender, events) = mpsc::channel(room);
    let drawer = config::Drawer { pin: Pin::Two, sense: Sense::LowIsOpen, left_open_after: Duration::from_secs(300) };
    let printer = config::Printer { profile: profile(), port };
    (spawn_printer(printer, Some(drawer), timing(), sender), events)
}

/// A till's printer and the task that drives it.
struct Counter {
    printer: Printer,
    task: PrinterHandle,
    events: mpsc::Receiver<DeviceEvent>,
    _dir: tempfile::TempDir,
}

impl Counter {
    /// On a pair with the speed of a real line; the drawer is known to be closed and the printer is up.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let attach = Attach::Pair { dir: dir.path().to_owned(), name: "printer".into(), baud: Some(BAUD) };
        let printer = Printer::spawn(PrinterSpec::default(), attach).await.unwrap();
        let (task, events) = start(serial(&dir.path().join("printer")), 256);
        let mut this = Self { printer, task, events, _dir: dir };
        this.is_ready().await;
        this
    }
    async fn is_ready(&mut self) {
        until(&mut self.events, is_closed).await;
        // The identity is asked once, and slips wait for it.
        until(&mut self.events, |event| matches!(event, DeviceEvent::Printer(status) if status.identity.is_some())).await;
    }
    async fn outcome(&mut self, job: u64) -> PrintOutcome {
        let over = |event: &DeviceEvent| matches!(event, DeviceEvent::Printed { job: over, .. } if *over == job);
        match until(&mut self.events, over).await.pop() {
            Some(DeviceEvent::Printed { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    }
}

/// Events up to the one that is waited for, which is the last.
async fn until(events: &mut mpsc::Receiver<DeviceEvent>, is_it: impl Fn(&DeviceEvent) -> bool) -> Vec<DeviceEvent> {
    let mut seen = Vec::new();
    let found = timeout(SOON, async {
        while seen.last().is_none_or(|event| !is_it(event)) {
            seen.push(events.recv().await.expect("the task has ended"));
        }
    });
    assert!(found.await.is_ok(), "it did not come: {seen:?}");
    seen
}

fn is_closed(event: &DeviceEvent) -> bool {
    *event == DeviceEvent::Drawer(DrawerEvent::State(DrawerState::Closed))
}
fn is_up(event: &DeviceEvent) -> bool {
    matches!(event, DeviceEvent::Printer(status) if status.link == Link::Up)
}
/// The printer's link is down for a reason that says this.
fn is_down_for(words: &'static str) -> impl Fn(&DeviceEvent) -> bool {
    move |event| {
        let DeviceEvent::Printer(status) = event else { return false };
        matches!(&status.link, Link::Down { why } if why.contains(words))
    }
}

/// A slip of 1.5 KB: 0.4 s at 38,400 baud. Each line names it.
fn slip(name: &str) -> Vec<Piece> {
    let mut pieces = vec![b"\x1b@".to_vec()];
    pieces.extend((0..36).map(|line| format!("{name} line {line:02} {}\n", "x".repeat(25)).into_bytes()));
    pieces.push(b"\x1dV\x42\x00".to_vec());
    pieces
}

fn lines_of(printer: &Printer, name: &str) -> usize {
    let paper: Vec<String> = printer.slips().into_iter().map(|slip| slip.text).chain([printer.uncut_text()]).collect();
    paper.concat().lines().filter(|line| line.contains(&format!("{name} line"))).count()
}

#[tokio::test]
async fn a_kick_goes_in_between_the_pieces_of_a_slip_and_the_slip_stays_whole() {
    let mut counter = Counter::new().await;
    counter.task.print(1, slip("first"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(counter.task.kick().await, Ok(KickOutcome::Opened));
    let kicks = counter.printer.kicks();
    assert_eq!(kicks.len(), 1);
    // One piece on the line, with some room for a busy test machine. Behind the slip it would be 300 ms.
    assert!(kicks[0].at - asked.into_std() < Duration::from_millis(150), "{:?}", kicks[0].at - asked.into_std());
    assert_eq!(counter.outcome(1).await, PrintOutcome::Printed { by: "GS ( H" });
    assert_eq!(lines_of(&counter.printer, "first"), 36);
    assert!(counter.printer.warnings().is_empty(), "{:?}", counter.printer.warnings());
}

#[tokio::test]
async fn a_slip_whose_cable_is_pulled_is_over_and_the_next_one_is_clean() {
    let mut counter = Counter::new().await;
    counter.printer.unplug_after(600);
    counter.task.print(1, slip("torn"));
    counter.task.print(2, slip("next"));
    let outcome = counter.outcome(1).await;
    assert!(matches!(&outcome, PrintOutcome::NotProven { why } if why.contains("gone")), "{outcome:?}");
    // By then the kick is told what is the matter, not that somebody is busy.
    let kick = counter.task.kick().await;
    assert!(matches!(&kick, Err(KickRefused::Unreachable(why)) if why.contains("printer")), "{kick:?}");
    counter.printer.plug().await.unwrap();
    let events = until(&mut counter.events, |event| matches!(event, DeviceEvent::Printed { job: 2, .. })).await;
    assert!(matches!(events.last(), Some(DeviceEvent::Printed { outcome: PrintOutcome::Printed { .. }, .. })), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, DeviceEvent::Drawer(DrawerEvent::Opened(_)))), "{events:?}");
    let torn = lines_of(&counter.printer, "torn");
    assert!((1..36).contains(&torn), "never twice: {torn}");
    assert_eq!(lines_of(&counter.printer, "next"), 36);
    let clean = counter.printer.slips().last().unwrap().text.clone();
    assert!(clean.lines().any(|line| line.trim_end() == format!("next line 00 {}", "x".repeat(25))), "{clean}");
}

#[tokio::test]
async fn a_kick_that_meets_a_pulled_cable_is_told_what_is_the_matter() {
    let mut counter = Counter::new().await;
    counter.printer.unplug();
    let kick = counter.task.kick().await;
    assert!(matches!(&kick, Err(KickRefused::Unreachable(why)) if why.contains("is gone")), "{kick:?}");
    until(&mut counter.events, |event| {
        matches!(event, DeviceEvent::Drawer(DrawerEvent::State(DrawerState::Unknown { .. })))
    })
    .await;
}

#[tokio::test]
async fn a_key_is_seen_at_once_and_a_port_that_hangs_up_on_close_would_reset_printers() {
    let mut counter = Counter::new().await;
    counter.printer.key();
    let opened = DeviceEvent::Drawer(DrawerEvent::Opened(OpenedBy::Key));
    until(&mut counter.events, |event| *event == opened).await;
    let path = counter.printer.line().path().unwrap();
    let fd = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let modes = tcgetattr(&fd).unwrap().control_modes;
    assert!(!modes.contains(ControlModes::HUPCL), "{modes:?}");
    assert!(modes.contains(ControlModes::CLOCAL | ControlModes::CREAD), "{modes:?}");
}

#[tokio::test]
async fn a_port_that_another_program_holds_is_said_and_taken_when_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let attach = Attach::Pair { dir: dir.path().to_owned(), name: "printer".into(), baud: None };
    let _printer = Printer::spawn(PrinterSpec::default(), attach).await.unwrap();
    let path = dir.path().join("printer");
    let holder = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    flock(&holder, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (task, mut events) = start(serial(&path), 256);
    until(&mut events, is_down_for("fuser")).await;
    let kick = task.kick().await;
    assert!(matches!(&kick, Err(KickRefused::Unreachable(why)) if why.contains("held by another program")), "{kick:?}");
    drop(holder);
    until(&mut events, is_up).await;
}

#[tokio::test]
async fn a_printer_that_is_not_there_is_said_once_and_taken_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (task, mut events) = start(serial(&dir.path().join("printer")), 256);
    until(&mut events, is_down_for("plug the device in")).await;
    task.print(1, slip("early"));
    let waits = until(&mut events, |event| matches!(event, DeviceEvent::PrintWaits { job: 1, .. })).await;
    assert!(waits.len() <= 3, "{waits:?}");
    let again = timeout(A_WHILE, events.recv()).await;
    assert!(again.is_err(), "each attempt fails alike, and is not told again: {again:?}");
    let attach = Attach::Pair { dir: dir.path().to_owned(), name: "printer".into(), baud: None };
    let printer = Printer::spawn(PrinterSpec::default(), attach).await.unwrap();
    let printed = until(&mut events, |event| matches!(event, DeviceEvent::Printed { .. })).await;
    assert!(printed.iter().any(is_closed), "{printed:?}");
    assert_eq!(lines_of(&printer, "early"), 36);
}

/// A peer that sends without end, from a thread of its own, until the connection is closed.
fn flood() -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Port::Tcp(listener.local_addr().unwrap().to_string());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(&[0x12; 65_536]).is_ok() {}
    });
    port
}

#[tokio::test]
async fn a_device_that_sends_without_end_keeps_nobody_waiting() {
    let (task, mut events) = start(flood(), 256);
    let listening = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut link = task.link();
    timeout(SOON, link.wait_for(|up| *up)).await.unwrap().unwrap();
    // The rest of the daemon lives on the same thread.
    timeout(SOON, tokio::time::sleep(A_WHILE)).await.expect("the clock stands still");
    timeout(SOON, task.kick()).await.expect("nobody answers").unwrap_err();
    timeout(SOON, task.close()).await.expect("it does not end");
    listening.abort();
}

#[tokio::test]
async fn a_display_that_sends_without_end_keeps_nobody_waiting() {
    use drawerbridge::device::{
        Frame,
        profile::{DisplayDialect, DisplayProfile},
        worker::spawn_display,
    };
    let profile = DisplayProfile { dialect: DisplayDialect::EscPos, code_page: CodePage::Pc437, brightness: 4, baud: 9_600 };
    let idle = ["CLOSED".to_owned(), String::new()];
    let display = config::Display { profile, port: flood(), echo: config::Echo::Digits, idle };
    let (sender, mut events) = mpsc::channel(16);
    let handle = spawn_display(display, timing(), sender);
    until(&mut events, |event| *event == DeviceEvent::Display(Link::Up)).await;
    handle.show(Frame::new("COUNT THE FLOAT", ""));
    timeout(SOON, tokio::time::sleep(A_WHILE)).await.expect("the clock stands still");
    timeout(SOON, handle.close()).await.expect("it does not end");
}

#[tokio::test]
async fn a_till_that_takes_no_events_gets_its_kick_answered_and_its_events_later_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let attach = Attach::Pair { dir: dir.path().to_owned(), name: "printer".into(), baud: None };
    let printer = Printer::spawn(PrinterSpec::default(), attach).await.unwrap();
    let (task, mut events) = start(serial(&dir.path().join("printer")), 1);
    let kicked = timeout(SOON, async {
        loop {
            match task.kick().await {
                Ok(outcome) => break outcome,
                // The port is not open yet.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    // Sent before the line was read for the first time, it proves nothing; but it is answered.
    let outcome = kicked.await.expect("the kick waits for the till");
    assert!(matches!(outcome, KickOutcome::Opened | KickOutcome::NotProven), "{outcome:?}");
    printer.push_drawer_shut();
    let seen = until(&mut events, is_closed).await;
    let states = seen.iter().filter(|event| matches!(event, DeviceEvent::Drawer(DrawerEvent::State(_)))).count();
    assert!(states >= 2, "unknown came first: {seen:?}");
    assert!(matches!(seen[0], DeviceEvent::Drawer(DrawerEvent::State(DrawerState::Unknown { .. }))), "{seen:?}");
}

#[tokio::test]
async fn a_connection_that_may_still_hold_a_kick_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // It is there, and then it is switched off: its network keeps what is sent to it.
        stream.write_all(&CLOSED).unwrap();
        let mut got = Vec::new();
        // An error is a connection that was reset, which is as good.
        drop(stream.read_to_end(&mut got));
        got
    });
    let (task, mut events) = start(Port::Tcp(address), 256);
    until(&mut events, is_closed).await;
    assert_eq!(task.kick().await, Ok(KickOutcome::NotProven));
    let why = until(&mut events, is_down_for("dropped")).await;
    let got = tokio::task::spawn_blocking(move || peer.join().unwrap()).await.unwrap();
    assert!(got.windows(5).any(|window| window == [0x1B, 0x70, 0, 50, 250]), "{why:?}");
}

/// All that comes until nothing comes any more.
async fn drain(line: &Line) -> usize {
    let mut room = vec![0; 65_536];
    let mut got = 0;
    while let Ok(n) = timeout(A_WHILE, line.read(&mut room)).await {
        got += n.unwrap();
    }
    got
}

#[tokio::test]
async fn what_has_not_left_a_port_is_thrown_away_when_it_is_closed_unless_it_had_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "port".into(), baud: None }).await.unwrap();
    let port = serial(&line.path().unwrap());
    // The other end takes 4 KB by itself; those have left.
    let bytes = [b'x'; 16_384];

    let (reader, mut writer) = Connection::open(&port).await.unwrap().split();
    let took = writer.try_write(&bytes).unwrap();
    assert!(took > 8_192, "{took}");
    writer.drain_on_close();
    drop((reader, writer));
    assert_eq!(drain(&line).await, took);

    let (reader, mut writer) = Connection::open(&port).await.unwrap().split();
    let took = writer.try_write(&bytes).unwrap();
    drop((reader, writer));
    let came = drain(&line).await;
    assert!(came <= 4_096 && came < took, "{came} of {took}");
}

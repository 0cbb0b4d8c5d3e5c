//! The display task against the other end of a virtual serial pair and a TCP port: real bytes, real unplugging.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "helpers of tests may stop the test")]
use std::{path::Path, time::Duration};

use drawerbridge::{
    config::{Display, Echo, Flow, Port, Printer, Timing},
    device::{
        DeviceEvent, Frame, Link,
        profile::{CodePage, DisplayDialect, DisplayProfile, PrinterProfile},
        worker::{
            display::{DisplayHandle, display_via, spawn_display},
            printer::spawn_printer,
        },
    },
};
use drawerbridge_hil::line::{Attach, Line};
use tokio::{sync::mpsc, time::timeout};

/// Nothing here takes a second by itself; a slow test machine gets ten.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
const A_WHILE: Duration = Duration::from_millis(150);

fn settings(dialect: DisplayDialect, port: Port) -> Display {
    Display {
        profile: DisplayProfile { dialect, code_page: CodePage::Pc858, brightness: 4, baud: 9_600 },
        port,
        echo: Echo::Masked,
        idle: ["REGISTER CLOSED".to_owned(), "NEXT TILL PLEASE".to_owned()],
    }
}

fn timing() -> Timing {
    let (reopen_first, reopen_max) = (Duration::from_millis(10), Duration::from_millis(40));
    Timing { reopen_first, reopen_max, ..Timing::default() }
}

fn serial(path: &Path) -> Port {
    Port::Serial { path: path.to_owned(), baud: 115_200, flow: Flow::None }
}

/// A display's wire with the bytes that came so far, and the task that drives it.
struct Counter {
    line: Line,
    display: DisplayHandle,
    events: mpsc::Receiver<DeviceEvent>,
    _dir: tempfile::TempDir,
}

impl Counter {
    async fn on_a_pair(dialect: DisplayDialect) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let line =
            Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "display".into(), baud: None }).await.unwrap();
        let port = serial(&line.path().unwrap());
        Self::start(dir, line, settings(dialect, port))
    }
    async fn on_tcp(dialect: DisplayDialect) -> Self {
        let line = Line::open(Attach::Tcp { listen: "127.0.0.1:0".parse().unwrap() }).await.unwrap();
        let port = Port::Tcp(line.addr().unwrap().to_string());
        Self::start(tempfile::tempdir().unwrap(), line, settings(dialect, port))
    }
    fn start(dir: tempfile::TempDir, line: Line, settings: Display) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { line, display: spawn_display(settings, timing(), sender), events, _dir: dir }
    }
    async fn link(&mut self) -> Link {
        match timeout(SOON, self.events.recv()).await.expect("no event in time") {
            Some(DeviceEvent::Display(link)) => link,
            other => panic!("{other:?}"),
        }
    }
    async fn down_because(&mut self) -> String {
        match self.link().await {
            Link::Down { why } => why,
            other => panic!("{other:?}"),
        }
    }
    /// Reads until the bytes end with `end`.
    async fn bytes_until(&self, end: &str) -> Vec<u8> {
        let mut got = vec![];
        let ends = |got: &[u8]| got.ends_with(end.as_bytes()) || got.ends_with(&[end.as_bytes(), b"\r"].concat());
        while !ends(&got) {
            let mut buffer = [0; 256];
            let n = timeout(SOON, self.line.read(&mut buffer))
                .await
                .unwrap_or_else(|_| panic!("{end:?} did not come; {:?} did", String::from_utf8_lossy(&got)))
                .unwrap();
            got.extend(&buffer[..n]);
        }
        got
    }
    async fn nothing_comes(&self) {
        let mut buffer = [0; 256];
        let got = timeout(A_WHILE, self.line.read(&mut buffer)).await;
        assert!(got.is_err(), "{:?}", String::from_utf8_lossy(&buffer));
    }
}

const IDLE_END: &str = "NEXT TILL PLEASE    ";

fn escpos_frame(upper: &str, lower: &str) -> Vec<u8> {
    [b"\x1f\x24\x01\x01", upper.as_bytes(), b"\x1f\x24\x01\x02", lower.as_bytes()].concat()
}

#[tokio::test]
async fn the_idle_frame_comes_first_then_only_what_changes() {
    let mut counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    let first = counter.bytes_until(IDLE_END).await;
    assert!(first.starts_with(b"\x1b\x40\x1f\x01\x1f\x43\x00\x1b\x74\x13\x1f\x58\x04\x0c"), "{first:02x?}");
    assert!(first.ends_with(&escpos_frame("REGISTER CLOSED     ", IDLE_END)), "{first:02x?}");
    assert_eq!(counter.link().await, Link::Up);

    counter.display.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    let change = counter.bytes_until("KEY TOTAL + ENTER   ").await;
    assert_eq!(change, escpos_frame("COUNT THE FLOAT     ", "KEY TOTAL + ENTER   "));

    counter.display.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    counter.nothing_comes().await;
}

#[tokio::test]
async fn a_cd5220_gets_its_own_frames() {
    let mut counter = Counter::on_a_pair(DisplayDialect::Cd5220).await;
    let first = counter.bytes_until(IDLE_END).await;
    assert!(
        first.starts_with(b"\x0c\x1b\x40\x1b\x11\x1b\x5f\x00\x1b\x2a\x04\x0c\x1b\x51\x41REGISTER CLOSED"),
        "{first:02x?}"
    );
    assert_eq!(counter.link().await, Link::Up);
    counter.display.show(Frame::new("FLOAT TOTAL", "***"));
    let change = counter.bytes_until("***                 ").await;
    assert_eq!(change, b"\x1b\x51\x41FLOAT TOTAL         \x0d\x1b\x51\x42***                 \x0d");
}

#[tokio::test]
async fn of_many_frames_the_last_one_stays() {
    let counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    for n in 0..500 {
        counter.display.show(Frame::new("FLOAT TOTAL", &format!("{n}")));
    }
    let bytes = counter.bytes_until("499                 ").await;
    assert!(bytes.len() < 500 * 48 / 4, "{} bytes for 500 frames", bytes.len());
    counter.nothing_comes().await;
}

#[tokio::test]
async fn an_unplugged_display_is_said_at_once_and_redrawn_when_it_is_back() {
    let mut counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    counter.bytes_until(IDLE_END).await;
    assert_eq!(counter.link().await, Link::Up);
    counter.line.unplug();
    let why = counter.down_because().await;
    assert!(why.contains("gone") && why.contains("check cable"), "{why}");
    counter.display.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    counter.line.plug().await.unwrap();
    let bytes = counter.bytes_until("KEY TOTAL + ENTER   ").await;
    assert!(bytes.starts_with(b"\x1b\x40"), "set up anew: {bytes:02x?}");
    loop {
        match counter.link().await {
            Link::Up => break,
            Link::Down { why } => assert!(why.contains("is not there"), "{why}"),
            Link::Starting => panic!("it has started before"),
        }
    }
}

#[tokio::test]
async fn a_display_that_is_absent_at_the_start_is_said_once_and_taken_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("display");
    let (sender, mut events) = mpsc::channel(64);
    let display = spawn_display(settings(DisplayDialect::EscPos, serial(&path)), timing(), sender);
    let first = timeout(SOON, events.recv()).await.unwrap();
    assert!(
        matches!(&first, Some(DeviceEvent::Display(Link::Down { why })) if why.contains("plug the device in")),
        "{first:?}"
    );
    assert!(timeout(A_WHILE, events.recv()).await.is_err(), "said once");
    let line = Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "display".into(), baud: None }).await.unwrap();
    assert_eq!(timeout(SOON, events.recv()).await.unwrap(), Some(DeviceEvent::Display(Link::Up)));
    display.close().await;
    drop(line);
}

#[tokio::test]
async fn closing_leaves_the_idle_frame_and_releases_the_port() {
    let counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    counter.display.show(Frame::new("CONFIRM FLOAT", "150.00"));
    counter.bytes_until("150.00              ").await;
    let Counter { line, display, events: _events, _dir } = counter;
    let reading = async {
        let mut got = vec![];
        while !got.ends_with(IDLE_END.as_bytes()) {
            let mut buffer = [0; 256];
            let n = line.read(&mut buffer).await.unwrap();
            got.extend(&buffer[..n]);
        }
    };
    timeout(SOON, async { tokio::join!(display.close(), reading) }).await.expect("no idle frame, or no end");
    let mut connected = line.connection();
    timeout(SOON, connected.wait_for(|connected| !connected)).await.expect("the port is still open").unwrap();
}

#[tokio::test]
async fn closing_a_display_that_is_not_there_does_not_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, _events) = mpsc::channel(64);
    let slow = Timing { reopen_first: Duration::from_secs(600), reopen_max: Duration::from_secs(600), ..timing() };
    let display = spawn_display(settings(DisplayDialect::EscPos, serial(&dir.path().join("none"))), slow, sender);
    tokio::time::sleep(A_WHILE).await;
    timeout(Duration::from_secs(1), display.close()).await.expect("it waited");
}

#[tokio::test]
async fn a_display_that_takes_nothing_is_down_after_a_second_and_stays_so() {
    // Nobody reads the pair, and every frame is a new one: the kernel's buffer fills.
    let mut counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    assert_eq!(counter.link().await, Link::Up);
    let display = counter.display.clone();
    let showing = tokio::spawn(async move {
        for n in 0u64.. {
            display.show(Frame::new("FLOAT TOTAL", &n.to_string()));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let why = timeout(Duration::from_secs(30), counter.down_because()).await.expect("it should be stuck");
    assert!(why.contains("takes no more bytes"), "{why}");
    let again = timeout(Duration::from_millis(2_500), counter.events.recv()).await;
    assert!(again.is_err(), "it opens, but it is not up: {again:?}");
    showing.abort();
}

#[tokio::test]
async fn a_display_on_a_network_port_comes_back_too() {
    let mut counter = Counter::on_tcp(DisplayDialect::Cd5220).await;
    counter.bytes_until(IDLE_END).await;
    assert_eq!(counter.link().await, Link::Up);
    counter.line.unplug();
    let why = counter.down_because().await;
    assert!(why.contains("gone"), "{why}");
    counter.line.plug().await.unwrap();
    counter.bytes_until(IDLE_END).await;
}

#[tokio::test]
async fn a_port_that_another_program_holds_is_said_with_a_way_to_find_it() {
    let counter = Counter::on_a_pair(DisplayDialect::EscPos).await;
    counter.bytes_until(IDLE_END).await;
    let (sender, mut events) = mpsc::channel(64);
    let port = serial(&counter.line.path().unwrap());
    let _second = spawn_display(settings(DisplayDialect::EscPos, port), timing(), sender);
    let event = timeout(SOON, events.recv()).await.unwrap();
    assert!(matches!(&event, Some(DeviceEvent::Display(Link::Down { why })) if why.contains("fuser")), "{event:?}");
}

/// A printer that answers nothing, with a display in front of it.
fn printer(port: Port) -> Printer {
    let profile = PrinterProfile {
        columns: 42,
        code_page: CodePage::Pc858,
        pulse_on: 50,
        pulse_off: 250,
        pulse_unit: Duration::from_millis(2),
        asb: false,
        process_id: false,
        transmit_status: false,
        identity_text: false,
        qr: false,
        cutter: true,
        baud: 38_400,
        pass_through: true,
    };
    Printer { profile, port }
}

/// Reads the printer's line until a whole passage to the display (`ESC = 2` … `ESC = 1`) contains `text`; gives the passage.
async fn passage_with(line: &Line, text: &str) -> Vec<u8> {
    let mut got = vec![];
    let find = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).position(|w| w == needle);
    timeout(SOON, async {
        loop {
            while let Some(start) = find(&got, b"\x1b\x3d\x02") {
                let Some(length) = find(&got[start..], b"\x1b\x3d\x01") else { break };
                let passage = got[start + 3..start + length].to_vec();
                got.drain(..start + length + 3);
                if find(&passage, text.as_bytes()).is_some() {
                    return passage;
                }
            }
            let mut buffer = [0; 256];
            let n = line.read(&mut buffer).await.unwrap();
            got.extend(&buffer[..n]);
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{text:?} did not come"))
}

#[tokio::test]
async fn a_display_on_the_printers_line_is_drawn_and_drawn_anew_when_the_printer_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "printer".into(), baud: None }).await.unwrap();
    // Room for all that the printer says: nobody listens here.
    let (sender, _events) = mpsc::channel(1_024);
    let printer = spawn_printer(printer(serial(&line.path().unwrap())), None, timing(), sender);
    let display = display_via(&printer, settings(DisplayDialect::EscPos, Port::ViaPrinter));
    let first = passage_with(&line, "REGISTER CLOSED").await;
    assert!(first.starts_with(b"\x1b\x40") && first.ends_with(IDLE_END.as_bytes()), "{first:02x?}");
    display.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    let change = passage_with(&line, "COUNT THE FLOAT").await;
    assert_eq!(change, escpos_frame("COUNT THE FLOAT     ", "KEY TOTAL + ENTER   "));

    line.unplug();
    display.show(Frame::new("FLOAT TOTAL", "***"));
    tokio::time::sleep(A_WHILE).await;
    line.plug().await.unwrap();
    let anew = passage_with(&line, "***").await;
    assert!(anew.starts_with(b"\x1b\x40"), "set up anew: {anew:02x?}");

    let closing = async {
        display.close().await;
        printer.close().await;
    };
    let ((), last) = timeout(SOON, async { tokio::join!(closing, passage_with(&line, "REGISTER CLOSED")) }).await.unwrap();
    assert_eq!(last, escpos_frame("REGISTER CLOSED     ", IDLE_END));
}

#[tokio::test]
async fn closing_does_not_wait_for_a_till_that_takes_no_events() {
    let dir = tempfile::tempdir().unwrap();
    let line = Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "display".into(), baud: None }).await.unwrap();
    let (sender, _events) = mpsc::channel(1);
    sender.try_send(DeviceEvent::KeysLost).unwrap();
    let display = spawn_display(settings(DisplayDialect::EscPos, serial(&line.path().unwrap())), timing(), sender);
    tokio::time::sleep(A_WHILE).await;
    timeout(SOON, display.close()).await.expect("it waited");
}

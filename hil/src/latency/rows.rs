//! The rows that are measured at the running daemon, from the simulated device's wire to the other end.
use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use tokio::{
    sync::{broadcast, mpsc},
    time::{sleep, timeout},
};

use super::{
    BAUD, floor,
    stats::Distribution,
    table::{Aim, Measured, Row},
};
use crate::{
    admin::{AdminEvent, Fault, FaultRule, Operation},
    bench::{client::DaemonApi, now, stage::Stage},
    line::Direction,
    scenario::{
        look,
        verb::{Action, Expect, Told},
    },
};

/// What takes longer is lost, not slow.
const LOST: Duration = Duration::from_secs(5);
/// The daemon ignores the bounces of the drawer's switch for 150 ms after an edge; the next edge comes after that.
const SETTLE: Duration = Duration::from_millis(250);
/// So many bytes in a row are a slip: requests and settings have a few each.
const SLIP_HAS_BEGUN: usize = 32;
/// A solenoid has to cool before the daemon kicks again; asked again this often, this many times.
const HOLD_OFF: (Duration, u32) = (Duration::from_millis(200), 50);

pub(super) const ENTER: &str = "Enter on the confirmation → first byte of the mutation at the API";
pub(super) const SWITCH: &str = "drawer sense flips at the simulated printer → event at an SSE client";
pub(super) const KICK: &str = "POST …/drawer/kick on a warm connection → last kick byte at the printer";
pub(super) const KICK_DURING_SLIP: &str = "the same while a slip is being sent at 38400 baud";

type Tap = broadcast::Receiver<(Direction, Instant, Vec<u8>)>;

/// The daemon runs and knows every device.
pub(super) async fn start(stage: &mut Stage) -> Result<(), String> {
    stage.act(0, &Action::DaemonStarts).await?;
    wait_for(stage, &Expect::Told(Told::TillReady)).await
}

async fn wait_for(stage: &Stage, expect: &Expect) -> Result<(), String> {
    let limit = now() + LOST;
    let mut shown = 0;
    loop {
        match look(stage, 0, expect, &mut shown).await {
            Ok(()) => return Ok(()),
            Err(m) if now() >= limit => return Err(format!("expected {}, seen {}", m.expected, m.seen)),
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Key, staff number, total: all but the last Enter.
async fn up_to_confirmation(stage: &mut Stage) -> Result<(), String> {
    stage.act(0, &Action::DrawerKey).await?;
    wait_for(stage, &Expect::Told(Told::Phase("staff".into()))).await?;
    stage.act(0, &Action::Type("1042 Enter".into())).await?;
    wait_for(stage, &Expect::Told(Told::Phase("count".into()))).await?;
    stage.act(0, &Action::Type("15000 Enter".into())).await?;
    wait_for(stage, &Expect::Told(Told::Phase("confirm".into()))).await?;
    // A quick hand needs this long to Enter; what the display and the token need is over by then.
    sleep(Duration::from_millis(150)).await;
    Ok(())
}

async fn push_shut(stage: &mut Stage) -> Result<(), String> {
    stage.act(0, &Action::DrawerShut).await?;
    wait_for(stage, &Expect::Told(Told::Drawer("closed".into()))).await?;
    sleep(SETTLE).await;
    Ok(())
}

/// A shift that is open, so that edges of the drawer start nothing any more.
pub(super) async fn open_a_shift(stage: &mut Stage) -> Result<(), String> {
    up_to_confirmation(stage).await?;
    stage.act(0, &Action::Type("Enter".into())).await?;
    wait_for(stage, &Expect::Told(Told::Shift { open: true })).await?;
    wait_for(stage, &Expect::Event("opening.confirmed".into())).await?;
    push_shut(stage).await?;
    wait_for(stage, &Expect::Event("slip.printed".into())).await
}

/// Enter on the confirmation → first byte of the mutation. Each is refused, so that the next count can follow.
pub(super) async fn enter_to_mutation(stage: &mut Stage, runs: usize) -> Result<Row, String> {
    let api = stage.bench.api.clone();
    let refusal = Fault::from_name("user-error-NOT_SAVED").ok_or("the API has no fault user-error-NOT_SAVED")?;
    api.fault(FaultRule { on: Operation::Open, fault: refusal, times: u32::MAX });
    let mut all = Vec::new();
    for _ in 0..runs {
        up_to_confirmation(stage).await?;
        let mut tap = stage.till(0)?.keypad.line().tap();
        let mut requests = api.events();
        stage.act(0, &Action::Type("Enter".into())).await?;
        let enter = tapped(&mut tap, |d, bytes| d == Direction::FromDevice && bytes.contains(&0x0D)).await?;
        let first_byte = timeout(LOST, async {
            loop {
                match requests.recv().await {
                    Ok(AdminEvent::Request(row)) if crate::scenario::is_mutation(&row.operation, &row.variables) => {
                        return Ok(row.at);
                    }
                    Ok(AdminEvent::Request(_) | AdminEvent::FirstByte(_) | AdminEvent::Session(_)) => {}
                    Err(e) => return Err(e.to_string()),
                }
            }
        });
        let first_byte = first_byte.await.map_err(|_| "no mutation came within 5 s of Enter".to_owned())??;
        all.push(first_byte.saturating_duration_since(enter));
        wait_for(stage, &Expect::Told(Told::Shift { open: false })).await?;
        push_shut(stage).await?;
        wait_for(stage, &Expect::Told(Told::Phase("idle".into()))).await?;
    }
    api.clear_faults();
    let dir = stage.bench.dir().to_path_buf();
    let floor = blocking(move || floor::commits_and_dial(runs, &dir, SETTLE)).await?;
    Ok(Row {
        order: 4,
        name: ENTER,
        aim: Aim { times_floor: Some(2), p99: Some(Duration::from_millis(10)), ..Aim::default() },
        measured: times(all, Some((floor, "commits + dial")))?,
        remark: None,
    })
}

/// The drawer's switch flips at the printer → the event is at a client of the stream.
pub(super) async fn switch_to_event(stage: &mut Stage, runs: usize) -> Result<Row, String> {
    let mut events = follow(stage.api()?).await?;
    let mut all = Vec::new();
    for _ in 0..runs {
        let open = stage.till(0)?.printer.drawer_is_open();
        let (action, name) = if open { (Action::DrawerShut, "drawer.closed") } else { (Action::DrawerKey, "drawer.opened") };
        let mut tap = stage.till(0)?.printer.line().tap();
        while events.told.try_recv().is_ok() {}
        stage.act(0, &action).await?;
        let sent = tapped(&mut tap, |d, _| d == Direction::FromDevice).await?;
        let seen = timeout(LOST, async {
            while let Some((at, block)) = events.told.recv().await {
                if block.contains(name) {
                    return Ok(at);
                }
            }
            Err("the event stream ended".to_owned())
        });
        let seen = seen.await.map_err(|_| format!("no {name} came within 5 s"))??;
        all.push(seen.saturating_duration_since(sent));
        sleep(SETTLE).await;
    }
    if stage.till(0)?.printer.drawer_is_open() {
        push_shut(stage).await?;
    }
    let floor = blocking(move || floor::reader_and_chunk(runs, SETTLE)).await?;
    Ok(Row {
        order: 1,
        name: SWITCH,
        aim: Aim { times_floor: Some(2), p99: Some(Duration::from_millis(2)), ..Aim::default() },
        measured: times(all, Some((floor, "reader + chunk")))?,
        remark: None,
    })
}

/// `POST …/drawer/kick` on a warm connection → last byte of the kick at the printer.
pub(super) async fn kick(stage: &mut Stage, runs: usize) -> Result<Row, String> {
    let mut client = Some(WarmClient::connect(stage.api()?).map_err(|e| e.to_string())?);
    let mut all = Vec::new();
    for _ in 0..runs {
        all.push(one_kick(stage, &mut client).await?);
        push_shut(stage).await?;
    }
    let floor = blocking(move || floor::http_and_write(runs, SETTLE)).await?;
    Ok(Row {
        order: 2,
        name: KICK,
        aim: Aim { times_floor: Some(2), p99: Some(Duration::from_millis(2)), ..Aim::default() },
        measured: times(all, Some((floor, "http + write")))?,
        remark: None,
    })
}

/// The same in the middle of a slip.
pub(super) async fn kick_during_slip(stage: &mut Stage, runs: usize) -> Result<Row, String> {
    let mut client = Some(WarmClient::connect(stage.api()?).map_err(|e| e.to_string())?);
    let mut all = Vec::new();
    let mut slip_bytes = 0;
    for run in 0..runs {
        let slips = stage.till(0)?.printer.slip_count();
        let mut tap = stage.till(0)?.printer.line().tap();
        stage.act(0, &Action::Reprint).await?;
        if let Some((status, body)) = stage.pos.as_ref().filter(|(status, _)| *status >= 300) {
            return Err(format!("the slip is not reprinted: {status} {body}"));
        }
        // The line is paced, so a slip comes in pieces of a few bytes; no status request is that long in sum.
        let mut arrived = 0;
        tapped(&mut tap, |d, bytes| {
            arrived += if d == Direction::ToDevice { bytes.len() } else { 0 };
            arrived > SLIP_HAS_BEGUN
        })
        .await?;
        // Spread over the slip, which takes about 0.4 s.
        sleep(Duration::from_millis(20 + 37 * (run as u64 % 6))).await;
        all.push(one_kick(stage, &mut client).await?);
        wait_for(stage, &Expect::Slips(slips + 1)).await?;
        push_shut(stage).await?;
        while let Ok((direction, _, bytes)) = tap.try_recv() {
            slip_bytes += if direction == Direction::ToDevice { bytes.len() } else { 0 };
        }
    }
    let piece = Distribution::new(vec![floor::one_piece(BAUD)]).ok_or("no floor")?;
    Ok(Row {
        order: 3,
        name: KICK_DURING_SLIP,
        aim: Aim { p99: Some(Duration::from_millis(60)), ..Aim::default() },
        measured: times(all, Some((piece, "one piece")))?,
        remark: Some(format!("a slip had {} bytes", slip_bytes / runs.max(1))),
    })
}

/// One kick on the warm connection; a solenoid that cools is waited for.
async fn one_kick(stage: &Stage, client: &mut Option<WarmClient>) -> Result<Duration, String> {
    let mut last = String::new();
    for _ in 0..HOLD_OFF.1 {
        let mut tap = stage.till(0)?.printer.line().tap();
        let mut warm = client.take().ok_or("the warm connection is lost")?;
        let (warm, answer) = tokio::task::spawn_blocking(move || {
            let answer = warm.kick();
            (warm, answer)
        })
        .await
        .map_err(|e| e.to_string())?;
        *client = Some(warm);
        let (asked, status, body) = answer.map_err(|e| format!("the kick's connection: {e}"))?;
        if status == 200 && body.contains("\"opened\"") {
            let mut tail = Vec::new();
            let at = tapped(&mut tap, |d, bytes| d == Direction::ToDevice && ends_a_kick(&mut tail, bytes)).await?;
            return Ok(at.saturating_duration_since(asked));
        }
        last = format!("{status} {body}");
        sleep(HOLD_OFF.0).await;
    }
    Err(format!("the drawer is not kicked open: {last}"))
}

/// Whether these bytes complete `ESC p m t1 t2` (1B 70 00|01 t1 t2) or `DLE DC4 1 m t` (10 14 01 m t).
/// Source: Epson ESC/POS reference, "ESC p" and "DLE DC4". Both have five bytes.
fn ends_a_kick(tail: &mut Vec<u8>, bytes: &[u8]) -> bool {
    tail.extend(bytes);
    let found = tail.windows(5).any(|w| matches!(w, [0x1B, 0x70, 0 | 1 | 0x30 | 0x31, _, _] | [0x10, 0x14, 1, 0 | 1, _]));
    let keep = tail.len().saturating_sub(4);
    tail.drain(..keep);
    found
}

/// When the first fitting bytes passed the simulator's end of the wire.
async fn tapped(tap: &mut Tap, mut fits: impl FnMut(Direction, &[u8]) -> bool) -> Result<Instant, String> {
    let first = timeout(LOST, async {
        loop {
            match tap.recv().await {
                Ok((direction, at, bytes)) if fits(direction, &bytes) => return Ok(at),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(e @ broadcast::error::RecvError::Closed) => return Err(e.to_string()),
            }
        }
    });
    first.await.map_err(|_| "nothing passed the simulated wire within 5 s".to_owned())?
}

/// Every block of the event stream, with the moment it could be read.
async fn follow(api: DaemonApi) -> Result<Followed, String> {
    let (tell, told) = mpsc::channel(1024);
    let stream = blocking(move || {
        let mut stream = TcpStream::connect(api.addr)?;
        stream.set_nodelay(true)?;
        let head = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n", api.addr, api.token);
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    });
    let mut stream = stream.await?;
    let connection = stream.try_clone().map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        let (mut pending, mut buf) = (String::new(), [0; 4096]);
        while let Ok(n @ 1..) = stream.read(&mut buf) {
            let at = now();
            pending.push_str(&String::from_utf8_lossy(&buf[..n]));
            while let Some((block, rest)) = pending.split_once("\n\n") {
                if tell.blocking_send((at, block.to_owned())).is_err() {
                    return;
                }
                pending = rest.to_owned();
            }
        }
    });
    // The stream is there when the answer's head is; events of before do not matter.
    sleep(SETTLE).await;
    Ok(Followed { told, connection })
}

/// A client of the event stream, until it is dropped.
struct Followed {
    told: mpsc::Receiver<(Instant, String)>,
    connection: TcpStream,
}

impl Drop for Followed {
    fn drop(&mut self) {
        // The daemon may have closed it before.
        drop(self.connection.shutdown(std::net::Shutdown::Both));
    }
}

/// A connection that stays, as a POS keeps one.
struct WarmClient {
    stream: TcpStream,
    request: String,
}

impl WarmClient {
    fn connect(api: DaemonApi) -> io::Result<Self> {
        let stream = TcpStream::connect(api.addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOST))?;
        let body = "{\"reason\":\"latency\"}";
        let request = format!(
            "POST /v1/tills/front-1/drawer/kick HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            api.addr,
            api.token,
            body.len()
        );
        Ok(Self { stream, request })
    }
    /// When it was asked, the status and the body.
    fn kick(&mut self) -> io::Result<(Instant, u16, String)> {
        let asked = now();
        self.stream.write_all(self.request.as_bytes())?;
        let (mut answer, mut buf) = (String::new(), [0; 4096]);
        loop {
            let n = self.stream.read(&mut buf)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.push_str(&String::from_utf8_lossy(&buf[..n]));
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length =
                    length.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|v| v.trim().parse().ok());
                if length.is_none_or(|length: usize| body.len() >= length) {
                    let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok());
                    return Ok((asked, status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()));
                }
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
    done.map_err(|e| format!("a floor cannot be measured: {e}"))
}

fn times(all: Vec<Duration>, floor: Option<(Distribution, &'static str)>) -> Result<Measured, String> {
    Ok(Measured::Times { daemon: Distribution::new(all).ok_or("nothing was measured")?, floor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kick_is_found_in_any_split_of_the_stream() {
        let stream = [b"text".as_slice(), &[0x1B, 0x70, 0x00, 0x32, 0xFA], b"more"].concat();
        for cut in 0..stream.len() {
            let mut tail = Vec::new();
            let (a, b) = (ends_a_kick(&mut tail, &stream[..cut]), ends_a_kick(&mut tail, &stream[cut..]));
            assert!(a || b, "cut at {cut}");
        }
        assert!(!ends_a_kick(&mut Vec::new(), b"\x1bpnothing of the kind"));
    }

    #[test]
    fn a_warm_connection_answers_again_and_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let api = DaemonApi { addr: listener.local_addr().unwrap(), token: "t".into() };
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut buf = [0; 1024];
            for _ in 0..2 {
                let n = socket.read(&mut buf).unwrap();
                assert!(buf[..n].starts_with(b"POST /v1/tills/front-1/drawer/kick"));
                socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"outcome\":").unwrap();
                socket.write_all(b"\"opened\"}").unwrap();
            }
        });
        let mut client = WarmClient::connect(api).unwrap();
        for _ in 0..2 {
            let (_, status, body) = client.kick().unwrap();
            assert_eq!((status, body.as_str()), (200, "{\"outcome\":\"opened\"}"));
        }
        server.join().unwrap();
    }
}

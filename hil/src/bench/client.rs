//! The rig's way to the daemon's local API: single requests, and the event stream kept up across restarts of the daemon.
use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use super::lock;

/// No answer of a local daemon takes longer; a kick's own limit is far below.
const ANSWER: Duration = Duration::from_secs(10);

/// Where the daemon listens, and its token.
#[derive(Debug, Clone)]
pub struct DaemonApi {
    /// `127.0.0.1:PORT`.
    pub addr: SocketAddr,
    /// The bearer token.
    pub token: String,
}

impl DaemonApi {
    /// Reads both from a bench's folder, where the daemon has left them.
    pub fn from_dir(dir: &Path) -> io::Result<Self> {
        let addr = std::fs::read_to_string(dir.join("journal.db.addr"))?;
        let addr = addr.trim().parse().map_err(|_| io::Error::other(format!("`{}` is not an address", addr.trim())))?;
        let token = std::fs::read_to_string(dir.join("api-token"))?.trim().to_owned();
        Ok(Self { addr, token })
    }

    /// One request on a connection of its own; status and JSON (`null` when the body is empty or no JSON).
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, Value)> {
        let exchange = async {
            let bytes = body.map_or_else(Bytes::new, |b| Bytes::from(b.to_string()));
            let response = self.send(method, path, bytes, &[]).await?;
            let status = response.status().as_u16();
            let bytes = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
            Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
        };
        timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err(io::Error::other("no answer within 10 s")))
    }

    async fn send(&self, method: &str, path: &str, body: Bytes, more: &[(&str, String)]) -> io::Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // The connection lives as long as the response's body is read; its end is that body's end.
        tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.addr.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        for (name, value) in more {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        sender.send_request(request).await.map_err(io::Error::other)
    }
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number in the journal.
    pub seq: u64,
    /// `opening.confirmed`.
    pub name: String,
    /// Everything.
    pub data: Value,
}

/// All events seen so far. Following ends when the last clone of the log is gone.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    seen: Arc<Mutex<Vec<Seen>>>,
    follower: Arc<Mutex<Option<Follower>>>,
}

#[derive(Debug)]
struct Follower {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl EventLog {
    /// Follows this daemon from the last event seen (from the first there is, at the start).
    pub fn follow(&self, api: DaemonApi) {
        let (addr, seen) = (api.addr, self.seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let last = lock(&seen).last().map_or(0, |s| s.seq);
                if let Err(cause) = read_stream(&api, last, &seen).await {
                    // The daemon is away, or not there yet; its next start brings a new follower.
                    if cause.kind() == io::ErrorKind::ConnectionRefused {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        *lock(&self.follower) = Some(Follower { addr, task });
    }
    /// The same, unless this very daemon is followed already. For a daemon that somebody else starts and stops.
    pub fn follow_if_new(&self, api: DaemonApi) {
        let known = lock(&self.follower).as_ref().is_some_and(|f| f.addr == api.addr && !f.task.is_finished());
        if !known {
            self.follow(api);
        }
    }
    /// What was seen, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
    /// How many were seen.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.seen).len()
    }
}

impl Seen {
    /// Whether it is of this till, or of the daemon as a whole.
    #[must_use]
    pub fn is_of(&self, till: &str) -> bool {
        self.data["till"].as_str().is_none_or(|of| of.is_empty() || of == till)
    }
    /// Whether this field of it has this value; texts without their quotation marks.
    #[must_use]
    pub fn has(&self, field: &str, value: &str) -> bool {
        let text = self.data.get(field).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        text.as_deref() == Some(value)
    }
}

async fn read_stream(api: &DaemonApi, last: u64, seen: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let mut response = api.send("GET", "/v1/events", Bytes::new(), &[("last-event-id", last.to_string())]).await?;
    let mut pending = String::new();
    while let Some(frame) = response.body_mut().frame().await {
        let frame = frame.map_err(io::Error::other)?;
        if let Some(bytes) = frame.data_ref() {
            pending.push_str(&String::from_utf8_lossy(bytes).replace("\r\n", "\n"));
        }
        while let Some((block, rest)) = pending.split_once("\n\n") {
            if let Some(event) = read_event(block) {
                let mut seen = lock(seen);
                if seen.last().is_none_or(|s| s.seq < event.seq) {
                    seen.push(event);
                }
            }
            pending = rest.to_owned();
        }
    }
    Ok(())
}

/// Reads one block of `field: value` lines; comments and keep-alives are `None`.
fn read_event(block: &str) -> Option<Seen> {
    let field = |name: &str| {
        let values: Vec<&str> =
            block.lines().filter_map(|l| l.strip_prefix(name)?.strip_prefix(':').map(str::trim_start)).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    let data: Value = serde_json::from_str(&field("data")?).ok()?;
    let seq = field("id").and_then(|id| id.parse().ok()).or_else(|| data["seq"].as_u64())?;
    let name = data["name"].as_str().map(str::to_owned).or_else(|| field("event"))?;
    Some(Seen { seq, name, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_from_its_block() {
        let seen = read_event("id: 7\nevent: drawer.opened\ndata: {\"seq\":7,\"till\":\"front-1\",\n data: \"by\":\"key\"}")
            .is_none();
        assert!(seen, "a broken line of data is no event");
        let seen = read_event("id: 7\nevent: drawer.opened\ndata: {\"seq\":7,\ndata: \"till\":\"front-1\"}").unwrap();
        assert_eq!((seen.seq, seen.name.as_str(), &seen.data["till"]), (7, "drawer.opened", &Value::from("front-1")));
        assert!(seen.is_of("front-1") && !seen.is_of("front-2"));
        assert!(seen.has("seq", "7") && !seen.has("seq", "8") && !seen.has("by", "key"));
        assert_eq!(read_event(": keep-alive"), None);
    }

    #[tokio::test]
    async fn the_stream_goes_on_where_it_broke() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = DaemonApi { addr: listener.local_addr().unwrap(), token: "t".into() };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = asked.clone();
        tokio::spawn(async move {
            for seq in 1..=2_u64 {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 2048];
                let n = socket.read(&mut head).await.unwrap();
                lock(&heads).push(String::from_utf8_lossy(&head[..n]).to_lowercase());
                let event = format!("id: {seq}\ndata: {{\"seq\":{seq},\"name\":\"n{seq}\"}}\n\n");
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{event}", event.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let log = EventLog::default();
        log.follow(api);
        for _ in 0..500 {
            if log.count() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(log.all().iter().map(|s| s.seq).collect::<Vec<_>>(), [1, 2]);
        let asked = lock(&asked);
        assert!(asked[0].contains("last-event-id: 0") && asked[0].contains("authorization: bearer t"), "{}", asked[0]);
        assert!(asked[1].contains("last-event-id: 1"), "{}", asked[1]);
    }
}

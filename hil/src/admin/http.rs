//! As much HTTP/1.1 as a client of the API speaks, and full power over how a connection ends.
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{AdminEvent, Shared, clock, graphql};
use crate::line;

/// Far above any request of a till (a few kilobytes); a bound so that a broken client cannot fill the memory.
const HEAD_LIMIT: usize = 32 * 1024;
const BODY_LIMIT: usize = 1024 * 1024;

/// A request, read to its last byte.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its first byte came.
    pub at: Instant,
    pub method: String,
    /// The path, without what follows a question mark.
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    keep_alive: bool,
}

impl Request {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// An answer, before it is on its way.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer::text(status, "application/json; charset=utf-8", body.to_string())
    }

    pub fn text(status: u16, content_type: &'static str, body: String) -> Answer {
        Answer { status, content_type, headers: Vec::new(), body }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The whole answer.
    Answer(Answer),
    /// Half the body, then the end of the connection.
    Cut(Answer),
    /// The connection is reset: the other side sees an error.
    Reset,
    /// The connection is closed in order: the other side sees its end.
    Close,
    /// Nothing for a while, then [`Outcome::Close`].
    Silence(Duration),
}

/// Serves one connection until either side ends it or the shop goes down.
pub async fn serve(mut stream: TcpStream, mut downs: watch::Receiver<u64>, shared: Arc<Shared>) {
    let reset = tokio::select! {
        ended = requests(&mut stream, &shared) => matches!(ended, Ok(End::Reset)),
        _ = downs.changed() => true,
    };
    if reset {
        // Failing here leaves an orderly close instead, on a connection that is gone either way.
        drop(stream.set_zero_linger());
    }
}

enum End {
    Reset,
    Close,
}

async fn requests(stream: &mut TcpStream, shared: &Arc<Shared>) -> io::Result<End> {
    stream.set_nodelay(true)?;
    let mut inbox = BytesMut::with_capacity(8 * 1024);
    loop {
        let Some(request) = (match read_request(stream, &mut inbox, shared).await {
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {
                let answer = Answer::text(400, "text/plain", fault.to_string());
                stream.write_all(&head_and_body(&answer, answer.body.len(), false, 0)).await?;
                return Ok(End::Close);
            }
            read => read?,
        }) else {
            return Ok(End::Close);
        };
        let keep_alive = request.keep_alive;
        let skew_s = shared.store().spec.clock_skew_s;
        match graphql::respond(shared, request).await {
            Outcome::Answer(answer) => {
                stream.write_all(&head_and_body(&answer, answer.body.len(), keep_alive, skew_s)).await?;
                if !keep_alive {
                    return Ok(End::Close);
                }
            }
            Outcome::Cut(mut answer) => {
                let whole = answer.body.len();
                let half = (0..=whole / 2).rev().find(|&at| answer.body.is_char_boundary(at)).unwrap_or(0);
                answer.body.truncate(half);
                stream.write_all(&head_and_body(&answer, whole, keep_alive, skew_s)).await?;
                return Ok(End::Close);
            }
            Outcome::Reset => return Ok(End::Reset),
            Outcome::Close => return Ok(End::Close),
            Outcome::Silence(for_) => {
                // Ends early when the client gives up: reading shows its close.
                let mut byte = [0];
                drop(tokio::time::timeout(for_, stream.read(&mut byte)).await);
                return Ok(End::Close);
            }
        }
    }
}

/// `None` when the client closed between two requests.
async fn read_request(stream: &mut TcpStream, inbox: &mut BytesMut, shared: &Shared) -> io::Result<Option<Request>> {
    if inbox.is_empty() && stream.read_buf(inbox).await? == 0 {
        return Ok(None);
    }
    let at = line::now();
    shared.tell(AdminEvent::FirstByte(at));
    let head_end = loop {
        if let Some(end) = find(inbox, b"\r\n\r\n") {
            break end;
        }
        if inbox.len() > HEAD_LIMIT {
            return Err(bad("the request's head is too long"));
        }
        more(stream, inbox).await?;
    };
    let head = inbox.split_to(head_end + 4);
    let head = std::str::from_utf8(&head).map_err(|_| bad("the request's head is not text"))?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (first.next(), first.next(), first.next()) else {
        return Err(bad("the request line needs a method, a path and a version"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(bad("only HTTP/1 is spoken here"));
    }
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header needs a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        at,
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        keep_alive: version != "HTTP/1.0",
    };
    if request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        request.keep_alive = false;
    }
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    request.body = if chunked {
        read_chunks(stream, inbox).await?
    } else {
        let length = request.header("content-length").unwrap_or("0");
        let length = length.parse().map_err(|_| bad("content-length is not a number"))?;
        read_exactly(stream, inbox, length).await?
    };
    Ok(Some(request))
}

async fn read_exactly(stream: &mut TcpStream, inbox: &mut BytesMut, length: usize) -> io::Result<Vec<u8>> {
    if length > BODY_LIMIT {
        return Err(bad("the request's body is too long"));
    }
    while inbox.len() < length {
        more(stream, inbox).await?;
    }
    Ok(inbox.split_to(length).to_vec())
}

async fn read_chunks(stream: &mut TcpStream, inbox: &mut BytesMut) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            if let Some(end) = find(inbox, b"\r\n") {
                break end;
            }
            more(stream, inbox).await?;
        };
        let size = std::str::from_utf8(&inbox[..line]).ok().and_then(|text| text.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or_else(|| bad("a chunk's size is not a number"))?;
        inbox.advance(line + 2);
        if body.len().saturating_add(size) > BODY_LIMIT {
            return Err(bad("the request's body is too long"));
        }
        body.extend(read_exactly(stream, inbox, size).await?);
        read_exactly(stream, inbox, 2).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}

async fn more(stream: &mut TcpStream, inbox: &mut BytesMut) -> io::Result<()> {
    if stream.read_buf(inbox).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

/// `length` is what the head claims, which a cut answer does not keep.
fn head_and_body(answer: &Answer, length: usize, keep_alive: bool, skew_s: i64) -> Vec<u8> {
    let reason = ::http::StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let mut text = format!(
        "HTTP/1.1 {} {}\r\ndate: {}\r\ncontent-type: {}\r\ncontent-length: {length}\r\nconnection: {}\r\n",
        answer.status,
        reason.unwrap_or("Unknown"),
        clock::http_date(clock::shop_seconds(skew_s)),
        answer.content_type,
        if keep_alive { "keep-alive" } else { "close" },
    );
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&answer.body);
    text.into_bytes()
}

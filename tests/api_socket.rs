//! The local API over a real socket, spoken to as any program on this computer could: by hand-written requests.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use drawerbridge::{
    api::{self, Doors, token::ApiToken},
    daemon::{
        desk::{Command, DrawerView, ResolveRefused, TillHandle, TillView},
        recorder::{self, Recorder, RecorderThread},
    },
    journal::Journal,
    money::Currency,
    shift::{
        Phase, Refusal,
        event::{Counted, Decision, Event, Money, OpeningId, Pieces},
    },
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

const PAGE: &str = "https://pos.example";

/// An API with one till that has no devices, and its journal.
struct Rig {
    address: SocketAddr,
    bearer: String,
    recorder: Recorder,
    stop: watch::Sender<bool>,
    _thread: RecorderThread,
    /// What the till is asked.
    inbox: mpsc::Receiver<Command>,
    _show: watch::Sender<TillView>,
    _folder: tempfile::TempDir,
}

async fn rig(listen: &str) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let (recorder, thread) = recorder::start(journal).unwrap();
    let token = ApiToken::load_or_make(&folder.path().join("api-token")).unwrap();
    let bearer = token.bearer();
    let (commands, inbox) = mpsc::channel(4);
    let view = TillView {
        name: "front-1".into(),
        drawer: DrawerView { state: "unknown", why: None, since: "2026-11-23T07:00:00Z".into() },
        printer: None,
        display: None,
        keypads: vec![],
        shift: "closed",
        phase: Phase::Idle,
        wrong_numbers: 0,
        opening: None,
    };
    let (show, view) = watch::channel(view);
    let currency = Currency::from_code("USD").unwrap();
    let till = TillHandle { name: "front-1".into(), currency, second_slip: true, commands, view, printer: None };
    let (stop, mut stopped) = watch::channel(false);
    let doors = Doors {
        tills: BTreeMap::from([("front-1".to_owned(), till)]),
        recorder: recorder.clone(),
        token,
        allowed_origins: vec![PAGE.to_owned()],
        stop: stopped.clone(),
    };
    let listener = TcpListener::bind((listen, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let until = async move { drop(stopped.wait_for(|s| *s).await) };
    tokio::spawn(api::serve::serve(listener, api::router(doors), until));
    Rig { address, bearer, recorder, stop, _thread: thread, inbox, _show: show, _folder: folder }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The code of a problem, which must be one in all respects.
    fn problem(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "no problem details: {self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let code = body["code"].as_str().unwrap().to_owned();
        assert_eq!(body["type"], format!("urn:drawerbridge:problem:{code}"));
        assert_eq!(body["status"], self.status);
        assert!(!body["detail"].as_str().unwrap().is_empty() && !body["title"].as_str().unwrap().is_empty());
        code
    }
}

/// Sends the text as it is and reads until the API closes.
async fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    Answer::of(&String::from_utf8(answer).unwrap())
}

async fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> Answer {
    let host = if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    raw(address, &format!("{line} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}")).await
}

impl Rig {
    async fn raw(&self, request: &str) -> Answer {
        raw(self.address, request).await
    }

    async fn ask(&self, line: &str, headers: &str, body: &str) -> Answer {
        ask(self.address, line, headers, body).await
    }

    /// With the token.
    async fn as_owner(&self, line: &str, headers: &str, body: &str) -> Answer {
        self.ask(line, &format!("Authorization: {}\r\n{headers}", self.bearer), body).await
    }

    async fn json(&self, line: &str, body: &str) -> Answer {
        self.as_owner(line, "Content-Type: application/json\r\n", body).await
    }
}

#[tokio::test]
async fn nobody_without_the_token_learns_even_whether_a_path_exists() {
    let rig = rig("127.0.0.1").await;
    for line in
        ["GET /v1/tills", "GET /nothing/here", "DELETE /v1/tills", "POST /v1/tills/front-1/drawer/kick", "GET /v1/events"]
    {
        let answer = rig.ask(line, "", "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "token"), "{line}");
        assert!(answer.head.contains("www-authenticate: bearer"));
        let wrong = rig.ask(line, "Authorization: Bearer 0123\r\n", "").await;
        assert_eq!(wrong.status, 401, "{line}");
    }
    for line in ["GET /healthz", "GET /readyz"] {
        assert_eq!(rig.ask(line, "", "").await.status, 200, "{line}");
    }
    let missing = rig.as_owner("GET /nothing/here", "", "").await;
    assert_eq!((missing.status, missing.problem().as_str()), (404, "not_found"));
    let method = rig.as_owner("DELETE /v1/tills", "", "").await;
    assert_eq!((method.status, method.problem().as_str()), (405, "method"));
    assert_eq!(rig.as_owner("GET /v1/tills", "", "").await.status, 200);
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_before_anything_else_token_or_not() {
    let rig = rig("127.0.0.1").await;
    for host in ["evil.example", "127.0.0.1.evil.example", "192.168.1.2:8765", ""] {
        for line in ["GET /v1/tills", "GET /healthz", "GET /nothing"] {
            let answer = rig.as_owner(line, &format!("Host: {host}\r\n"), "").await;
            assert_eq!((answer.status, answer.problem().as_str()), (421, "foreign_host"), "{host} {line}");
        }
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        for line in ["GET /v1/tills", "GET /healthz", "OPTIONS /v1/tills"] {
            let answer = rig.as_owner(line, &format!("Origin: {origin}\r\n"), "").await;
            assert_eq!((answer.status, answer.problem().as_str()), (403, "foreign_origin"), "{origin} {line}");
            assert!(!answer.head.contains("access-control-allow-origin"));
        }
    }
}

#[tokio::test]
async fn a_page_that_may_ask_can_read_every_answer_the_refusals_included() {
    let rig = rig("127.0.0.1").await;
    let origin = format!("Origin: {PAGE}\r\n");
    let asked = rig.ask("OPTIONS /v1/tills", &origin, "").await;
    assert_eq!(asked.status, 204);
    let refused = rig.ask("GET /v1/tills", &origin, "").await;
    let missing = rig.as_owner("GET /nothing", &origin, "").await;
    let found = rig.as_owner("GET /v1/tills", &origin, "").await;
    assert_eq!([refused.status, missing.status, found.status], [401, 404, 200]);
    for answer in [asked, refused, missing, found] {
        assert!(answer.head.contains(&format!("access-control-allow-origin: {PAGE}")), "{answer:?}");
    }
}

#[tokio::test]
async fn whatever_loopback_address_it_listens_on_is_its_host() {
    let rig = rig("127.0.0.2").await;
    let host = format!("Host: {}\r\n", rig.address);
    assert_eq!(rig.as_owner("GET /v1/tills", &host, "").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_as_a_problem_whatever_is_wrong_with_it() {
    let rig = rig("127.0.0.1").await;
    let openapi: Value = serde_json::from_str(&rig.as_owner("GET /openapi.json", "", "").await.body).unwrap();
    let count = "PUT /v1/tills/front-1/openings/0000000007/count";
    let long = format!("{{\"total\":\"{}\"}}", "9".repeat(20_000));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (line, body, status, code) in [
        (count, long.as_str(), 413, "body_too_long"),
        (count, deep.as_str(), 400, "body"),
        (count, r#"{"total":"1.00","total":"2.00"}"#, 400, "body"),
        (count, r#"{"denominations":{"20.00":1,"20.00":2}}"#, 400, "body"),
        (count, r#"{"total":150.00}"#, 400, "body"),
        (count, r#"{"total":"1.001"}"#, 422, "too_many_decimals"),
        (count, "", 400, "body"),
        ("POST /v1/tills/front-1/drawer/kick", r#"{"reason":"x","force":true}"#, 400, "body"),
        ("POST /v1/tills/front-1/drawer/kick", "{}", 404, "no_drawer"),
        ("PUT /v1/tills/front-1/openings/7/count", r#"{"total":"1.00"}"#, 404, "not_found"),
        ("GET /v1/tills/%FF", "", 400, "path"),
        ("GET /v1/tills/back-9", "", 404, "not_found"),
        ("GET /v1/tills/front-1/openings?limit=many", "", 400, "query"),
        ("GET /v1/tills/front-1/openings?limit=-1", "", 400, "query"),
    ] {
        let answer = rig.json(line, body).await;
        let short: String = body.chars().take(50).collect();
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{line} {short}");
        assert!(is_documented(&openapi, line, status, code), "{line} {status} {code}");
    }
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let answer = rig.as_owner("POST /v1/tills/front-1/drawer/kick", kind, "{}").await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "content_type"), "{kind}");
    }
}

fn counted() -> Counted {
    Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: None,
        balance: Money { amount: "150.00".into(), currency: "USD".into() },
        lines: vec![],
        time: "2026-11-23T07:00:00Z".into(),
        note: String::new(),
    }
}

/// Whether /openapi.json says that this request, such as `GET /v1/tills/front-1`, may be answered so.
fn is_documented(openapi: &Value, line: &str, status: u16, code: &str) -> bool {
    let (method, path) = line.split_once(' ').unwrap();
    let parts = |path: &str| path.split('?').next().unwrap().split('/').map(str::to_owned).collect::<Vec<_>>();
    let fits = |of: &str| {
        let (of, path) = (parts(of), parts(path));
        of.len() == path.len() && of.iter().zip(&path).all(|(of, part)| of.starts_with('{') || of == part)
    };
    let path = openapi["paths"].as_object().unwrap().keys().find(|of| fits(of)).unwrap();
    let answer = &openapi["paths"][path][method.to_lowercase()]["responses"][status.to_string()];
    let name = answer["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default();
    let schemas = &openapi["components"]["responses"][name]["content"]["application/problem+json"]["schema"]["allOf"];
    schemas[1]["properties"]["code"]["enum"].as_array().is_some_and(|codes| codes.iter().any(|c| c == code))
}

impl Rig {
    /// An opening that was counted and is in a person's hands.
    async fn asked(&self, bits: u64) -> OpeningId {
        let id = OpeningId::from_bits(bits);
        let asked = Event::OpeningNeedsAttention {
            kind: "attempts_used_up".into(),
            why: "x".into(),
            prompt: Default::default(),
            session: None,
        };
        for event in [Event::OpeningCounted(counted()), asked] {
            self.recorder.begin("front-1", Some(&id), event).await.unwrap().unwrap();
        }
        id
    }
}

#[tokio::test]
async fn every_reason_why_a_decision_is_not_taken_has_its_code_and_is_documented() {
    let mut rig = rig("127.0.0.1").await;
    let id = rig.asked(7).await;
    let openapi: Value = serde_json::from_str(&rig.as_owner("GET /openapi.json", "", "").await.body).unwrap();
    let line = format!("POST /v1/tills/front-1/openings/{id}/resolution");
    let body = r#"{"decision":"give_up","by":" Kim ","why":"counted again"}"#;
    let told = || "why".to_owned();
    for (refused, status, code) in [
        (ResolveRefused::NotNow(told()), 409, "cannot_be_decided_now"),
        (ResolveRefused::NoSuchSession(told()), 422, "no_such_session"),
        (ResolveRefused::Unread(told()), 503, "shopify_unreachable"),
        (ResolveRefused::NotSaved(told()), 507, "not_saved"),
    ] {
        let till = async {
            let Some(Command::Resolve { wish, reply }) = rig.inbox.recv().await else { panic!("no wish") };
            reply.send(Err(refused)).unwrap();
            wish
        };
        let (wish, answer) = {
            let (address, bearer) = (rig.address, rig.bearer.clone());
            let head = format!("Authorization: {bearer}\r\nContent-Type: application/json\r\n");
            tokio::join!(till, ask(address, &line, &head, body))
        };
        assert_eq!((wish.by.as_str(), wish.why.as_str(), wish.decision), ("Kim", "counted again", Decision::GiveUp));
        assert_eq!((wish.opening, wish.history.len(), wish.session_id), (id.clone(), 2, None));
        assert_eq!((answer.status, answer.problem().as_str()), (status, code));
        assert!(is_documented(&openapi, &line, status, code), "{status} {code}");
    }
    // What is settled, or was never counted, does not even reach the till.
    let resolved = Event::OpeningResolved { by: "Kim".into(), why: "x".into(), decision: Decision::GiveUp, session: None };
    rig.recorder.begin("front-1", Some(&id), resolved).await.unwrap().unwrap();
    let settled = rig.json(&line, body).await;
    assert_eq!((settled.status, settled.problem().as_str()), (409, "settled_already"));
    assert!(settled.body.contains("given up by Kim"), "{}", settled.body);
    let started = OpeningId::from_bits(8);
    let by = Event::OpeningStarted { by: drawerbridge::shift::event::StartedBy::Api };
    rig.recorder.begin("front-1", Some(&started), by).await.unwrap().unwrap();
    let early = rig.json(&format!("POST /v1/tills/front-1/openings/{started}/resolution"), body).await;
    assert_eq!((early.status, early.problem().as_str()), (409, "not_counted"));
    let nowhere = rig.json("POST /v1/tills/front-1/openings/0000000009/resolution", body).await;
    assert_eq!((nowhere.status, nowhere.problem().as_str()), (404, "not_found"));
    assert!(rig.inbox.try_recv().is_err());
}

#[tokio::test]
async fn the_very_same_count_once_more_is_no_conflict() {
    let mut rig = rig("127.0.0.1").await;
    let by_total = rig.asked(7).await;
    let by_pieces = OpeningId::from_bits(8);
    let lines = [("20.00", 5), ("0.25", 200)].map(|(face, pieces)| Pieces { denomination: face.into(), pieces }).to_vec();
    let pieces = Event::OpeningCounted(Counted { lines, ..counted() });
    rig.recorder.begin("front-1", Some(&by_pieces), pieces).await.unwrap().unwrap();
    for (id, body, status) in [
        (&by_total, r#"{"total":"150.00"}"#, 200),
        (&by_total, r#"{"total":"150"}"#, 200),
        (&by_total, r#"{"total":"150.01"}"#, 409),
        (&by_total, r#"{"denominations":{"50.00":3}}"#, 409),
        (&by_pieces, r#"{"denominations":{"0.25":200,"20.00":5}}"#, 200),
        (&by_pieces, r#"{"denominations":{"0.25":200,"20.00":5,"1.00":0}}"#, 200),
        (&by_pieces, r#"{"denominations":{"50.00":3}}"#, 409),
        (&by_pieces, r#"{"total":"150.00"}"#, 409),
    ] {
        let till = async {
            let refused = || Err(Refusal::NotInThisState { state: "counted already".into() });
            match rig.inbox.recv().await {
                Some(Command::PutTotal { reply, .. } | Command::PutLines { reply, .. }) => reply.send(refused()).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let head = format!("Authorization: {}\r\nContent-Type: application/json\r\n", rig.bearer);
        let line = format!("PUT /v1/tills/front-1/openings/{id}/count");
        let ((), answer) = tokio::join!(till, ask(rig.address, &line, &head, body));
        assert_eq!(answer.status, status, "{body} {}", answer.body);
        if status == 409 {
            assert_eq!(answer.problem(), "not_in_this_state");
        }
    }
}

fn drawer() -> Event {
    Event::DrawerLeftOpen {}
}

/// Reads events until there are `count`; their numbers.
async fn numbers(stream: &mut TcpStream, count: usize) -> Vec<i64> {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    loop {
        let found: Vec<i64> = text.lines().filter_map(|l| l.strip_prefix("id: ")?.trim().parse().ok()).collect();
        if found.len() >= count {
            return found;
        }
        let read =
            tokio::time::timeout(Duration::from_secs(10), stream.read(&mut bytes)).await.expect("events come").unwrap();
        assert!(read > 0, "the stream ended: {text}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
}

impl Rig {
    async fn events(&self, last: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let bearer = &self.bearer;
        let head = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }
}

#[tokio::test]
async fn the_event_stream_goes_on_behind_the_last_number_without_a_gap() {
    let rig = rig("127.0.0.1").await;
    for _ in 0..700 {
        rig.recorder.begin("front-1", None, drawer()).await.unwrap().unwrap();
    }
    let mut stream = rig.events("Last-Event-ID: 3\r\n").await;
    // More than one batch from the journal, then what is told meanwhile.
    assert_eq!(numbers(&mut stream, 697).await, (4..=700).collect::<Vec<_>>());
    rig.recorder.note("front-1", drawer());
    assert_eq!(numbers(&mut stream, 1).await, [701]);
    // Nothing newer yet: it waits, and misses nothing.
    let mut last = rig.events("Last-Event-ID: 701\r\n").await;
    rig.recorder.note("front-1", drawer());
    assert_eq!(numbers(&mut last, 1).await, [702]);
    rig.stop.send(true).unwrap();
    let mut rest = vec![];
    tokio::time::timeout(Duration::from_secs(10), last.read_to_end(&mut rest)).await.expect("a stop ends streams").unwrap();
}

#[tokio::test]
async fn a_number_that_this_journal_has_not_reached_is_refused_instead_of_silence() {
    let rig = rig("127.0.0.1").await;
    rig.recorder.begin("front-1", None, drawer()).await.unwrap().unwrap();
    for (id, code) in [
        ("2", "last_event_id_ahead"),
        ("9223372036854775807", "last_event_id_ahead"),
        ("-1", "last_event_id"),
        ("x", "last_event_id"),
    ] {
        let answer = rig.as_owner("GET /v1/events", &format!("Last-Event-ID: {id}\r\n"), "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, code), "{id}");
    }
    let mut newest = rig.events("Last-Event-ID: 1\r\n").await;
    rig.recorder.note("front-1", drawer());
    assert_eq!(numbers(&mut newest, 1).await, [2]);
}

#[tokio::test]
async fn an_unsettled_count_shows_in_the_figures_until_it_is_settled() {
    let rig = rig("127.0.0.1").await;
    let id = OpeningId::from_bits(7);
    let counted = counted();
    let figure = async |n: u8| {
        let line = format!("drawerbridge_opening_unresolved{{till=\"front-1\"}} {n}");
        let page = rig.as_owner("GET /metrics", "", "").await;
        assert!(page.body.contains(&line), "{line} in {}", page.body);
    };
    figure(0).await;
    rig.recorder.begin("front-1", Some(&id), Event::OpeningCounted(counted)).await.unwrap().unwrap();
    figure(1).await;
    let refused = Event::OpeningRefused { code: "X".into(), message: "no".into(), prompt: Default::default() };
    let written = rig.recorder.begin("front-1", Some(&id), refused).await.unwrap().unwrap();
    figure(0).await;
    let page = rig.as_owner("GET /metrics", "", "").await.body;
    let head = drawerbridge::journal::chain::hex(written.hash());
    for line in [format!("drawerbridge_journal_head_info{{head=\"{head}\"}} 1\n"), "drawerbridge_journal_seq 2\n".to_owned()]
    {
        assert!(page.contains(&line), "{line} in {page}");
    }
}

/// The clock jumps to the next deadline whenever everything waits.
#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_or_never_ends_loses_its_place() {
    let rig = rig("127.0.0.1").await;
    let silent = rig.raw("").await;
    assert!(silent.body.is_empty(), "closed without a word");
    let half = rig.raw("GET /healthz HTTP/1.1\r\nHost: local").await;
    assert_ne!(half.status, 200);
    let bearer = &rig.bearer;
    let head = format!(
        "POST /v1/tills/front-1/drawer/kick HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{\"reason\":"
    );
    let slow = rig.raw(&head).await;
    assert_eq!((slow.status, slow.problem().as_str()), (503, "timeout"));
    let endless_head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(40_000));
    assert_eq!(rig.raw(&endless_head).await.status, 431);
}

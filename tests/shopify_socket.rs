//! The Admin API's client over a real socket, against a server that says exactly what a test wants, and against the rig's.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{
    collections::VecDeque,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use drawerbridge::{
    clock,
    config::{Shop, TokenSource},
    money::Currency,
    opening::{Mutation, OnForeign, Outcome, Read, SharedDrawer, Wait, WallClock},
    shopify::{
        BODY_LIMIT, Shopify,
        auth::{TokenError, Tokens},
        headers::Skew,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const DEVICE: &str = "gid://shopify/PointOfSaleDevice/1";
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the server does with one request.
enum Say {
    /// Status, headers and body.
    Answer(u16, String, String),
    /// The connection is reset in the middle of the request.
    Reset,
    /// A body without an end.
    Endless,
    /// Nothing, until the test is over.
    Nothing,
}

/// Takes one connection after the other; each carries one request.
struct Server {
    url: String,
    /// Path and access token of each request.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with(name))?;
                line.split_once(": ").map(|(_, v)| v.to_owned())
            };
            let length: usize = header("content-length")?.parse().ok()?;
            if body.len() >= length {
                let path = head.split(' ').nth(1)?.to_owned();
                return Some((path, header("x-shopify-access-token").unwrap_or_default()));
            }
        }
        let read = stream.read(&mut bytes).await.ok().filter(|n| *n > 0)?;
        text.push_str(std::str::from_utf8(&bytes[..read]).ok()?);
    }
}

impl Server {
    async fn start(script: Vec<Say>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(vec![]));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut script = VecDeque::from(script);
            while let Ok((mut stream, _)) = listener.accept().await {
                let say = script.pop_front();
                if matches!(say, Some(Say::Reset)) {
                    // Closing with bytes unread resets.
                    drop(stream.read(&mut [0; 1]).await);
                    log.lock().unwrap().push(("reset".to_owned(), String::new()));
                    continue;
                }
                let Some(request) = read_request(&mut stream).await else { continue };
                log.lock().unwrap().push(request);
                tokio::spawn(async move {
                    match say {
                        Some(Say::Answer(status, headers, body)) => {
                            let head = format!(
                                "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                                body.len()
                            );
                            drop(stream.write_all(head.as_bytes()).await);
                            drop(stream.write_all(body.as_bytes()).await);
                        }
                        Some(Say::Endless) => {
                            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                            drop(stream.write_all(head.as_bytes()).await);
                            while stream.write_all(&[b' '; 65_536]).await.is_ok() {}
                        }
                        Some(Say::Nothing) => drop(stream.read_to_end(&mut vec![]).await),
                        // The script is over: whatever comes is one request too many.
                        Some(Say::Reset) | None => {}
                    }
                });
            }
        });
        Self { url, seen }
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(path, _)| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn tokens(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, token)| token.clone()).collect()
    }
}

fn answer(status: u16, body: &Value) -> Say {
    Say::Answer(status, String::new(), body.to_string())
}

fn granted(token: &str, expires_in: &Value) -> Say {
    answer(200, &json!({ "access_token": token, "scope": "x", "expires_in": expires_in }))
}

fn session() -> Value {
    json!({
        "id": "gid://shopify/PointOfSaleDevicePaymentSession/7", "status": "OPEN", "openingTime": "2026-11-23T07:00:00Z",
        "openingNote": "[db:0000000007]", "currency": "USD",
        "cashCountedAtOpen": { "amount": "150.0", "currencyCode": "USD" },
        "expectedCashAtOpen": { "amount": "120.0", "currencyCode": "USD" },
    })
}

fn opened() -> Say {
    answer(200, &json!({ "data": { "opened": { "pointOfSaleDevicePaymentSession": session(), "userErrors": [] } } }))
}

fn sessions(headers: &str) -> Say {
    let body = json!({ "data": { "sessions": { "nodes": [session()], "pageInfo": { "hasNextPage": false } } } });
    Say::Answer(200, headers.to_owned(), body.to_string())
}

struct Secrets {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn secret(text: &str) -> Secrets {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let mut open = std::fs::File::create(&file).unwrap();
    open.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    writeln!(open, "{text}").unwrap();
    Secrets { _folder: folder, file }
}

fn credentials(secret: &Secrets) -> TokenSource {
    TokenSource::ClientCredentials { client_id: "id".into(), secret_file: secret.file.clone() }
}

fn shopify(url: &str, token: TokenSource) -> Arc<Shopify> {
    let shop = Shop {
        domain: "example.myshopify.com".into(),
        name: "Shop".into(),
        api_version: "2026-04".into(),
        endpoint: url.to_owned(),
        currency: Currency::from_code("USD").unwrap(),
        time_zone: jiff::tz::TimeZone::UTC,
        token,
        shared_drawer: SharedDrawer::Warn,
        on_foreign_session: OnForeign::Ask,
        business_day_starts: jiff::civil::time(4, 0, 0, 0),
    };
    Shopify::new(shop, TIMEOUT)
}

fn is_for_a_person(outcome: &Outcome, word: &str) -> bool {
    matches!(outcome, Outcome::NotExecuted { why, wait: Wait::Longest } if why.contains(word))
}

#[tokio::test]
async fn a_token_that_is_refused_once_is_renewed_and_the_mutation_goes_out_once_more() {
    let secret = secret("s3cret");
    let unauthorized = || answer(401, &json!({ "errors": "[API] Invalid API key" }));
    let server =
        Server::start(vec![granted("one", &json!(86_399)), unauthorized(), granted("two", &json!(86_399)), opened()]).await;
    let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
    assert!(matches!(outcome, Outcome::Executed(_)), "{outcome:?}");
    assert_eq!(server.paths(), ["access_token", "graphql.json", "access_token", "graphql.json"]);
    assert_eq!(server.tokens(), ["", "one", "", "two"]);
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_a_persons_matter_and_leaves_the_count_waiting() {
    let secret = secret("shpat_x");
    let unauthorized = || answer(401, &json!({ "errors": "[API] Invalid API key" }));
    let server = Server::start(vec![unauthorized(), unauthorized(), unauthorized(), unauthorized()]).await;
    let shopify = shopify(&server.url, TokenSource::File(secret.file.clone()));
    let outcome = shopify.send(Mutation::Open, &json!({})).await;
    assert!(is_for_a_person(&outcome, "401"), "{outcome:?}");
    assert_eq!(server.paths().len(), 2, "not a third time");
    let read = shopify.sessions_of_device(DEVICE).await;
    assert!(matches!(&read, Read::Failed { why, .. } if why.contains("access token")), "{read:?}");
}

#[tokio::test]
async fn what_the_token_endpoint_refuses_and_what_the_shop_forbids_leaves_the_count_waiting() {
    let secret = secret("wrong");
    let denied = answer(400, &json!({ "error": "invalid_client", "error_description": "no such app" }));
    let text = Say::Answer(400, String::new(), "Oauth error shop_not_permitted: no".into());
    let server =
        Server::start(vec![denied, text, granted("t", &json!(86_399)), answer(403, &json!({})), answer(402, &json!({}))])
            .await;
    let shopify = shopify(&server.url, credentials(&secret));
    for word in ["invalid_client", "HTTP_400", "403", "402"] {
        let outcome = shopify.send(Mutation::Open, &json!({})).await;
        assert!(is_for_a_person(&outcome, word), "{word}: {outcome:?}");
    }
    assert_eq!(server.paths()[..3], ["access_token", "access_token", "access_token"]);
    let missing = self::shopify(&server.url, TokenSource::File("/nowhere/token".into()));
    let outcome = missing.send(Mutation::Open, &json!({})).await;
    assert!(is_for_a_person(&outcome, "/nowhere/token"), "{outcome:?}");
}

#[tokio::test]
async fn a_renewal_that_fails_or_lasts_does_not_hold_back_a_token_that_is_still_good() {
    let secret = secret("s3cret");
    let busy = answer(503, &json!({}));
    let denied = answer(400, &json!({ "error": "invalid_client" }));
    let server = Server::start(vec![granted("one", &json!(1000)), busy, Say::Nothing, denied]).await;
    let url = format!("{}/admin/oauth/access_token", server.url);
    let tokens = Arc::new(Tokens::new(credentials(&secret), url, Arc::new(Skew::default())));
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let start = clock::now();
    let at = move |seconds| start + Duration::from_secs(seconds);
    let one = tokens.get(&http, at(0)).await.unwrap();
    assert_eq!(tokens.get(&http, at(699)).await.unwrap(), one);
    assert_eq!(server.paths().len(), 1, "not yet due");
    assert_eq!(tokens.get(&http, at(700)).await.unwrap(), one, "due, and the endpoint is busy");
    assert_eq!(tokens.get(&http, at(759)).await.unwrap(), one);
    assert_eq!(server.paths().len(), 2, "nobody waits for it again within a minute");
    // One request waits for the endpoint; another one does not wait with it.
    let (waits, slow_http) = (Arc::clone(&tokens), http.clone());
    let waiting = tokio::spawn(async move { waits.get(&slow_http, at(760)).await });
    while server.paths().len() < 3 {
        tokio::task::yield_now().await;
    }
    let other = tokio::time::timeout(TIMEOUT, tokens.get(&http, at(761))).await.expect("it does not wait").unwrap();
    assert_eq!(other, one);
    waiting.abort();
    drop(waiting.await);
    let ended = tokens.get(&http, at(1000)).await;
    assert!(matches!(&ended, Err(TokenError::Refused { code, .. }) if code == "invalid_client"), "{ended:?}");
}

#[tokio::test]
async fn no_figure_for_a_tokens_life_stops_the_daemon() {
    let secret = secret("s3cret");
    for life in [json!(u64::MAX), json!(0), json!(-1), json!(1.5), json!("x"), json!(null)] {
        let server = Server::start(vec![granted("one", &life), opened()]).await;
        let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
        assert!(matches!(outcome, Outcome::Executed(_)), "{life}: {outcome:?}");
    }
    let server = Server::start(vec![granted("", &json!(86_399))]).await;
    let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
    assert!(matches!(outcome, Outcome::NotExecuted { wait: Wait::Usual, .. }), "{outcome:?}");
}

#[tokio::test]
async fn the_clock_is_compared_before_the_mutation_by_a_harmless_read_and_by_the_tokens_answer() {
    let secret = secret("s3cret");
    let skewed = "Date: Mon, 03 Jan 2000 12:00:00 GMT\r\n";
    let server = Server::start(vec![granted("one", &json!(86_399)), sessions(skewed)]).await;
    let shop = shopify(&server.url, credentials(&secret));
    assert_eq!(shop.wall_clock(), WallClock::NeverCompared);
    drop(shop.sessions_of_device(DEVICE).await);
    assert_eq!(shop.wall_clock(), WallClock::Wrong);
    assert_eq!(server.paths(), ["access_token", "graphql.json"]);

    let body = json!({ "access_token": "t", "expires_in": 86_399 }).to_string();
    let server = Server::start(vec![Say::Answer(200, skewed.into(), body)]).await;
    let shop = shopify(&server.url, credentials(&secret));
    drop(shop.sessions_of_device(DEVICE).await);
    assert_eq!(shop.wall_clock(), WallClock::Wrong, "the token's answer alone tells it");

    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&clock::wall()).unwrap();
    let server = Server::start(vec![granted("one", &json!(86_399)), sessions(&format!("Date: {now}\r\n"))]).await;
    let shop = shopify(&server.url, credentials(&secret));
    drop(shop.sessions_of_device(DEVICE).await);
    assert_eq!(shop.wall_clock(), WallClock::Trusted);
}

#[tokio::test]
async fn no_redirect_is_followed_neither_by_the_mutation_nor_by_the_token() {
    let secret = secret("s3cret");
    let elsewhere = Server::start(vec![opened()]).await;
    let moved = |status| Say::Answer(status, format!("Location: {}/x\r\n", elsewhere.url), String::new());
    for status in [301, 302, 307, 308] {
        let server = Server::start(vec![granted("one", &json!(86_399)), moved(status)]).await;
        let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{status}: {outcome:?}");
        assert_eq!(server.paths().len(), 2);
    }
    let server = Server::start(vec![moved(307)]).await;
    let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
    assert!(is_for_a_person(&outcome, "HTTP_307"), "{outcome:?}");
    assert_eq!(elsewhere.paths(), Vec::<String>::new(), "nothing of ours went there");
}

#[tokio::test]
async fn a_refused_connection_proves_that_nothing_ran_and_a_broken_one_proves_nothing() {
    let secret = secret("shpat_x");
    let token = || TokenSource::File(secret.file.clone());
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let outcome = shopify(&url, token()).send(Mutation::Open, &json!({})).await;
    let Outcome::NotExecuted { why, wait: Wait::Usual } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("cannot be reached"), "{why}");

    let server = Server::start(vec![Say::Reset]).await;
    let outcome = shopify(&server.url, token()).send(Mutation::Open, &json!({})).await;
    let Outcome::Unknown { why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("broke"), "{why}");
    assert_eq!(server.paths(), ["reset"], "and it is not sent a second time");

    let server = Server::start(vec![Say::Nothing]).await;
    let outcome = shopify(&server.url, token()).send(Mutation::Open, &json!({})).await;
    assert!(matches!(&outcome, Outcome::Unknown { why } if why.contains("in time")), "{outcome:?}");
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_for_ever() {
    let secret = secret("shpat_x");
    let server = Server::start(vec![Say::Endless, Say::Endless]).await;
    let shop = shopify(&server.url, TokenSource::File(secret.file.clone()));
    let outcome = tokio::time::timeout(TIMEOUT, shop.send(Mutation::Open, &json!({}))).await.expect("it gives up by length");
    assert!(matches!(&outcome, Outcome::Unknown { why } if why.contains("does not end")), "{outcome:?} {BODY_LIMIT}");
    let read = shop.sessions_of_device(DEVICE).await;
    assert!(matches!(read, Read::Failed { .. }), "{read:?}");

    let server = Server::start(vec![Say::Endless]).await;
    let outcome = shopify(&server.url, credentials(&secret)).send(Mutation::Open, &json!({})).await;
    assert!(matches!(outcome, Outcome::NotExecuted { wait: Wait::Usual, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_wait_that_shopify_asks_for_is_read_as_it_writes_it() {
    let secret = secret("shpat_x");
    let slow = || Say::Answer(429, "Retry-After: 2.0\r\n".into(), "{}".into());
    let server = Server::start(vec![slow(), slow()]).await;
    let shop = shopify(&server.url, TokenSource::File(secret.file.clone()));
    let two = Duration::from_secs(2);
    let outcome = shop.send(Mutation::Open, &json!({})).await;
    assert!(matches!(outcome, Outcome::NotExecuted { wait: Wait::Asked(d), .. } if d == two), "{outcome:?}");
    let read = shop.sessions_of_device(DEVICE).await;
    assert!(matches!(read, Read::Failed { retry_after: Some(d), .. } if d == two), "{read:?}");
}

#[cfg(feature = "demo")]
#[tokio::test]
async fn the_newest_sessions_come_by_creation_whatever_time_they_were_opened_with() {
    use drawerbridge_hil::admin::{AdminApi, AdminSpec};
    let api = AdminApi::spawn(AdminSpec::default()).await.unwrap();
    let secret = secret("shpat_rig");
    let shop = shopify(&api.url(), TokenSource::File(secret.file.clone()));
    let read = async || match shop.sessions_of_device(DEVICE).await {
        Read::Healthy(list) => list,
        failed @ Read::Failed { .. } => panic!("{failed:?}"),
    };
    assert!(read().await.complete);
    for _ in 0..25 {
        api.close_session(&api.open_elsewhere(1, "100.00", ""));
    }
    assert!(read().await.complete, "25 are a page");
    // A count that waited since yesterday: by opening time it would stand behind all the others.
    let yesterday = jiff::Timestamp::from_second(clock::wall().as_second() - 86_400).unwrap().to_string();
    let variables = json!({
        "deviceId": DEVICE, "staffId": "gid://shopify/StaffMember/1",
        "balance": { "amount": "150.00", "currencyCode": "USD" },
        "time": yesterday, "reasonCodeId": null, "note": "[db:0000000007]",
    });
    let outcome = shop.send(Mutation::Open, &variables).await;
    let Outcome::Executed(ours) = outcome else { panic!("{outcome:?}") };
    let list = read().await;
    assert!(!list.complete);
    assert_eq!(list.sessions.len(), 25);
    assert_eq!(list.sessions[0], ours);
}

#[cfg(feature = "demo")]
#[tokio::test]
async fn a_count_is_recorded_in_an_open_session_and_stands_in_its_ledger() {
    use drawerbridge::opening::{ActivityRead, Device};
    use drawerbridge_hil::admin::{AdminApi, AdminSpec};
    let api = AdminApi::spawn(AdminSpec::default()).await.unwrap();
    let secret = secret("shpat_rig");
    let shop = shopify(&api.url(), TokenSource::File(secret.file.clone()));
    let session = api.open_elsewhere(1, "100.00", "");
    let Read::Healthy(list) = shop.sessions_of_device(DEVICE).await else { panic!("healthy") };
    let Device::Known { drawer: Some(drawer), active: Some(active) } = &list.device else { panic!("{:?}", list.device) };
    assert_eq!((active.id.as_str(), drawer.devices.len()), (session.as_str(), 1));
    assert!(list.date.is_some() && list.skew_s.is_some());
    assert_eq!(list.api_version.as_deref(), Some("2026-04"));

    let time = jiff::Timestamp::from_second(clock::wall().as_second() + 5).unwrap();
    let variables = json!({
        "sessionId": session, "staffId": "gid://shopify/StaffMember/1",
        "balance": { "amount": "90.00", "currencyCode": "USD" },
        "time": time.to_string(), "reasonCodeId": null, "note": "[db:0000000007/count]",
    });
    let outcome = shop.send(Mutation::Count, &variables).await;
    assert!(matches!(&outcome, Outcome::Executed(counted) if counted.id == session), "{outcome:?}");
    let ActivityRead::Healthy(ledger) = shop.activities(&session).await else { panic!("healthy") };
    assert!(ledger.open && ledger.complete);
    assert_eq!(ledger.counts.len(), 1, "the opening count is none of ours");
    assert_eq!((ledger.counts[0].time, ledger.counts[0].counted.amount.as_str()), (time, "90.0"));
    assert!(shop.opener(&session).await.unwrap().contains("StaffMember/"));

    // The least an app can have: neither devices nor staff.
    let scopes = ["write_cash_tracking", "read_cash_tracking"].map(str::to_owned).to_vec();
    let api = AdminApi::spawn(AdminSpec { scopes, ..AdminSpec::default() }).await.unwrap();
    let shop = shopify(&api.url(), TokenSource::File(secret.file.clone()));
    let session = api.open_elsewhere(1, "100.00", "");
    let Read::Healthy(list) = shop.sessions_of_device(DEVICE).await else { panic!("healthy without the device") };
    assert_eq!((list.device, list.sessions.len()), (Device::NotGranted, 1));
    assert!(shop.opener(&session).await.unwrap_err().contains("Access denied"));
}

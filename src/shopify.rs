//! The Admin API: two documents, a token, and one HTTP request each. Asks, never decides.
//!
//! ## Why the mutation has its own rules
//! It must not be sent twice by anything below us: no redirect, no retry, HTTP/1.1, and a fresh connection each time, so that
//! a failure to connect proves that nothing was sent. Reads use the same client; one connection more costs nothing at a till.
pub mod auth;
pub mod classify;

use std::{
    error::Error as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{debug, warn};

use self::{
    auth::{TokenError, Tokens},
    classify::{Answer, Verdict},
};
use crate::{
    clock,
    config::Shop,
    opening::{Outcome, Read, WallClock},
};

/// The mutation, as sent.
pub const OPEN_SESSION: &str = include_str!("shopify/open_session.graphql");
/// The read, as sent.
pub const SESSIONS_OF_DEVICE: &str = include_str!("shopify/sessions_of_device.graphql");
/// No answer we ask for comes near this; more is not read.
pub const BODY_LIMIT: usize = 1 << 20;
/// A connection that is not there after this long counts as not reachable.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Beyond this the wall clock is wrong and `time` is left out (design, "Exactly once").
const SKEW_LIMIT_SECONDS: i64 = 120;

/// One shop's Admin API.
#[derive(Debug)]
pub struct Shopify {
    shop: Shop,
    timeout: Duration,
    http: OnceLock<reqwest::Client>,
    tokens: Tokens,
    clock_wrong: AtomicBool,
}

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// No byte of it left.
    NotSent(String),
    /// Bytes left; nobody knows what became of them.
    Lost(String),
}

impl Shopify {
    /// Nothing is sent, read or resolved yet. `timeout` limits one request.
    #[must_use]
    pub fn new(shop: Shop, timeout: Duration) -> Arc<Self> {
        let tokens = Tokens::new(shop.token.clone(), format!("{}/admin/oauth/access_token", shop.endpoint));
        Arc::new(Self { shop, timeout, http: OnceLock::new(), tokens, clock_wrong: AtomicBool::new(false) })
    }

    /// Builds the client and fetches a token ahead, so that a confirmed count does not wait for either.
    pub async fn warm(&self) {
        if let Err(e) = self.tokens.get(self.http(), clock::now()).await {
            debug!(error = %e, "no token yet");
        }
    }

    /// Sends the open mutation once. After 401 once more with a new token, because 401 proves that it did not run.
    pub async fn open_session(&self, variables: &Value) -> Outcome {
        for second_try in [false, true] {
            let answer = match self.ask("OpenSession", OPEN_SESSION, variables).await {
                Ok(answer) => answer,
                Err(outcome) => return outcome,
            };
            match classify::mutation(&answer) {
                Verdict::Is(outcome) => return outcome,
                Verdict::TokenRefused if second_try => break,
                Verdict::TokenRefused => self.tokens.forget().await,
            }
        }
        let message = "Shopify refuses the access token (401): put a valid one into its file".to_owned();
        Outcome::Rejected { code: "HTTP_401".to_owned(), message }
    }

    /// Reads the device's newest sessions, closed ones included.
    pub async fn sessions_of_device(&self, device_id: &str) -> Read {
        let number = device_id.rsplit('/').next().unwrap_or_default();
        let variables = json!({ "filter": format!("point_of_sale_device_id:{number}") });
        for second_try in [false, true] {
            match self.ask("SessionsOfDevice", SESSIONS_OF_DEVICE, &variables).await {
                Ok(answer) if answer.status == 401 && !second_try => self.tokens.forget().await,
                Ok(answer) => return classify::sessions(&answer),
                Err(Outcome::NotExecuted { why, .. } | Outcome::Unknown { why }) => return Read::Failed { why },
                Err(Outcome::Rejected { code, message } | Outcome::Refused { code, message }) => {
                    return Read::Failed { why: format!("{message} ({code})") };
                }
                Err(Outcome::Executed(_)) => return Read::Failed { why: "no answer".to_owned() },
            }
        }
        Read::Failed { why: "Shopify refuses the access token (401)".to_owned() }
    }

    /// Whether the wall clock agreed with Shopify's `Date` when it was last compared.
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        if self.clock_wrong.load(Ordering::Relaxed) { WallClock::Wrong } else { WallClock::Trusted }
    }

    fn http(&self) -> &reqwest::Client {
        self.http.get_or_init(|| {
            let builder = reqwest::Client::builder()
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .pool_max_idle_per_host(0)
                .tcp_nodelay(true)
                .connect_timeout(CONNECT_WITHIN)
                .timeout(self.timeout)
                .user_agent(concat!("drawerbridge/", env!("CARGO_PKG_VERSION")));
            let builder = if self.shop.endpoint.starts_with("http://") { builder.no_proxy() } else { builder };
            builder.build().expect("no option above can fail to build")
        })
    }

    async fn ask(&self, operation: &str, document: &str, variables: &Value) -> Result<Answer, Outcome> {
        let token = match self.tokens.get(self.http(), clock::now()).await {
            Ok(token) => token,
            Err(TokenError::Refused { code, message }) => return Err(Outcome::Rejected { code, message }),
            Err(waits @ (TokenError::Unreachable { .. } | TokenError::File { .. })) => {
                return Err(Outcome::NotExecuted { why: waits.to_string(), retry_after: None });
            }
        };
        let url = format!("{}/admin/api/{}/graphql.json", self.shop.endpoint, self.shop.api_version);
        let body = json!({ "query": document, "variables": variables, "operationName": operation });
        let request = self
            .http()
            .post(url)
            .header("X-Shopify-Access-Token", token.header())
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .body(body.to_string());
        match self.send(request, operation).await {
            Ok(answer) => Ok(answer),
            Err(Failure::NotSent(why)) => Err(Outcome::NotExecuted { why, retry_after: None }),
            Err(Failure::Lost(why)) => Err(Outcome::Unknown { why }),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder, operation: &str) -> Result<Answer, Failure> {
        let mut response = request.send().await.map_err(failure)?;
        self.compare_clocks(response.headers());
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let request_id = header("x-request-id").unwrap_or_default();
        let served = header("x-shopify-api-version").unwrap_or_default();
        if !served.is_empty() && served != self.shop.api_version {
            warn!(asked = self.shop.api_version, served, "Shopify answers with another API version: update drawerbridge");
        }
        let retry_after = header("retry-after").and_then(|s| s.trim().parse().ok());
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Failure::Lost("the answer does not end".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        debug!(operation, status, request_id, "Shopify answered");
        Ok(Answer { status, retry_after, body })
    }

    fn compare_clocks(&self, headers: &reqwest::header::HeaderMap) {
        let Some(date) = headers.get("date").and_then(|d| d.to_str().ok()) else { return };
        let Ok(theirs) = jiff::fmt::rfc2822::parse(date) else { return };
        let skew = skew_seconds(clock::wall(), theirs.timestamp());
        let wrong = skew.abs() > SKEW_LIMIT_SECONDS;
        if wrong && !self.clock_wrong.swap(wrong, Ordering::Relaxed) {
            warn!(skew_s = skew, "this PC's clock is wrong: set it; until then Shopify's own time is used");
        }
        self.clock_wrong.store(wrong, Ordering::Relaxed);
    }
}

fn skew_seconds(ours: Timestamp, theirs: Timestamp) -> i64 {
    ours.as_second() - theirs.as_second()
}

/// On a fresh connection a connect error (name, TCP, TLS) proves that no byte of the request left.
fn failure(error: reqwest::Error) -> Failure {
    let not_sent = error.is_connect() || error.is_builder();
    let doing = match (not_sent, error.is_timeout()) {
        (true, _) => "Shopify cannot be reached",
        (false, true) => "no answer in time",
        (false, false) => "the connection broke before the answer was complete",
    };
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    let why = cause.map_or_else(|| doing.to_owned(), |c| format!("{doing}: {c}"));
    if not_sent { Failure::NotSent(why) } else { Failure::Lost(why) }
}

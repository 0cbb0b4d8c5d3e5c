//! The Admin API: two documents, a token, and one HTTP request each. Asks, never decides.
//!
//! ## Why the mutation has its own rules
//! It must not be sent twice by anything below us: no redirect, no retry, HTTP/1.1, and a fresh connection each time, so that
//! a failure to connect proves that nothing was sent. Reads use the same client; one connection more costs nothing at a till.
pub mod auth;
pub mod classify;
pub mod headers;
pub mod outcomes;

use std::{
    error::Error as _,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use tracing::{debug, warn};

use self::{
    auth::{Token, TokenError, Tokens},
    classify::{Answer, Verdict},
    headers::Skew,
};
use crate::{
    clock,
    config::Shop,
    opening::{ActivityRead, Mutation, Outcome, Read, Wait, WallClock},
};

/// The mutation, as sent.
pub const OPEN_SESSION: &str = include_str!("shopify/open_session.graphql");
/// The read, as sent.
pub const SESSIONS_OF_DEVICE: &str = include_str!("shopify/sessions_of_device.graphql");
/// Recording a count in a session, as sent.
pub const COUNT_SESSION: &str = include_str!("shopify/count_session.graphql");
/// The ledger's newest lines, as asked for.
pub const SESSION_ACTIVITIES: &str = include_str!("shopify/session_activities.graphql");
/// Who opened a session, as asked for.
pub const SESSION_OPENER: &str = include_str!("shopify/session_opener.graphql");
/// No answer we ask for comes near this; more is not read.
pub const BODY_LIMIT: usize = 1 << 20;
/// A connection that is not there after this long counts as not reachable.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What a person reads when the token is refused twice.
const TOKEN_REFUSED: &str =
    "Shopify refuses the access token (401): put a valid one into its file, or look after the app in the Dev Dashboard";

/// One shop's Admin API.
#[derive(Debug)]
pub struct Shopify {
    shop: Shop,
    timeout: Duration,
    http: OnceLock<reqwest::Client>,
    tokens: Tokens,
    skew: Arc<Skew>,
}

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// There is no token to send it with.
    NoToken(TokenError),
    /// No byte of it left.
    NotSent(String),
    /// Bytes left; nobody knows what became of them.
    Lost(String),
}

impl Shopify {
    /// Nothing is sent, read or resolved yet. `timeout` limits one request.
    #[must_use]
    pub fn new(shop: Shop, timeout: Duration) -> Arc<Self> {
        let skew = Arc::new(Skew::default());
        let url = format!("{}/admin/oauth/access_token", shop.endpoint);
        let tokens = Tokens::new(shop.token.clone(), url, Arc::clone(&skew));
        Arc::new(Self { shop, timeout, http: OnceLock::new(), tokens, skew })
    }

    /// Sends the mutation once. After 401 once more with a new token, because 401 proves that it did not run.
    pub async fn send(&self, mutation: Mutation, variables: &Value) -> Outcome {
        let (operation, document, root) = match mutation {
            Mutation::Open => ("OpenSession", OPEN_SESSION, "opened"),
            Mutation::Count => ("CountSession", COUNT_SESSION, "counted"),
        };
        for second_try in [false, true] {
            let (answer, token) = match self.ask(operation, document, variables).await {
                Ok(answered) => answered,
                Err(Failure::NoToken(why)) => {
                    let wait = if why.is_for_a_person() { Wait::Longest } else { Wait::Usual };
                    return Outcome::NotExecuted { why: why.to_string(), wait };
                }
                Err(Failure::NotSent(why)) => return Outcome::NotExecuted { why, wait: Wait::Usual },
                Err(Failure::Lost(why)) => return Outcome::Unknown { why },
            };
            match classify::mutation(&answer, root) {
                Verdict::Is(outcome) => return outcome,
                Verdict::TokenRefused if second_try => break,
                Verdict::TokenRefused => self.tokens.forget(&token),
            }
        }
        Outcome::NotExecuted { why: TOKEN_REFUSED.to_owned(), wait: Wait::Longest }
    }

    /// Reads the device's newest sessions, closed ones included, and the device itself where the app may.
    pub async fn sessions_of_device(&self, device_id: &str) -> Read {
        let number = device_id.rsplit('/').next().unwrap_or_default();
        let variables = json!({ "filter": format!("point_of_sale_device_id:{number}"), "deviceId": device_id });
        match self.read("SessionsOfDevice", SESSIONS_OF_DEVICE, &variables).await {
            Ok(answer) => classify::sessions(&answer),
            Err(why) => Read::Failed { why, retry_after: None },
        }
    }

    /// Reads the newest lines of a session's ledger.
    pub async fn activities(&self, session_id: &str) -> ActivityRead {
        match self.read("SessionActivities", SESSION_ACTIVITIES, &json!({ "sessionId": session_id })).await {
            Ok(answer) => classify::activities(&answer),
            Err(why) => ActivityRead::Failed { why, retry_after: None },
        }
    }

    /// Asks who opened a session.
    ///
    /// # Errors
    /// Why nobody knows, in words.
    pub async fn opener(&self, session_id: &str) -> Result<String, String> {
        let answer = self.read("SessionOpener", SESSION_OPENER, &json!({ "sessionId": session_id })).await?;
        classify::opener(&answer)
    }

    async fn read(&self, operation: &str, document: &str, variables: &Value) -> Result<Answer, String> {
        for second_try in [false, true] {
            match self.ask(operation, document, variables).await {
                Ok((answer, token)) if answer.status == 401 && !second_try => self.tokens.forget(&token),
                Ok((answer, _)) if answer.status == 401 => break,
                Ok((answer, _)) => return Ok(answer),
                Err(Failure::NoToken(why)) => return Err(why.to_string()),
                Err(Failure::NotSent(why) | Failure::Lost(why)) => return Err(why),
            }
        }
        Err(TOKEN_REFUSED.to_owned())
    }

    /// Whether the wall clock agreed with Shopify's `Date` when it was last compared.
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        self.skew.wall_clock()
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

    async fn ask(&self, operation: &str, document: &str, variables: &Value) -> Result<(Answer, Token), Failure> {
        let token = self.tokens.get(self.http(), clock::now()).await.map_err(Failure::NoToken)?;
        let url = format!("{}/admin/api/{}/graphql.json", self.shop.endpoint, self.shop.api_version);
        let body = json!({ "query": document, "variables": variables, "operationName": operation });
        let request = self
            .http()
            .post(url)
            .header("X-Shopify-Access-Token", token.header())
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .body(body.to_string());
        Ok((self.answer(request, operation).await?, token))
    }

    async fn answer(&self, request: reqwest::RequestBuilder, operation: &str) -> Result<Answer, Failure> {
        let mut response = request.send().await.map_err(failure)?;
        let skew_s = self.skew.compare(response.headers(), clock::wall());
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let request_id = header("x-request-id").unwrap_or_default();
        let served = header("x-shopify-api-version").unwrap_or_default();
        if !served.is_empty() && served != self.shop.api_version {
            warn!(asked = self.shop.api_version, served, "Shopify answers with another API version: update drawerbridge");
        }
        let retry_after = headers::retry_after(response.headers(), clock::wall());
        let date = headers::date(response.headers());
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Failure::Lost("the answer does not end".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        debug!(operation, status, request_id, "Shopify answered");
        let api_version = Some(served).filter(|served| !served.is_empty());
        Ok(Answer { status, retry_after, api_version, date, skew_s, body })
    }
}

/// On a fresh connection a connect error (name, TCP, TLS) proves that no byte of the request left.
fn failure(error: reqwest::Error) -> Failure {
    let (not_sent, why) = in_words(&error);
    if not_sent { Failure::NotSent(why) } else { Failure::Lost(why) }
}

/// Whether no byte of the request left, and what to say.
fn in_words(error: &reqwest::Error) -> (bool, String) {
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
    (not_sent, cause.map_or_else(|| doing.to_owned(), |c| format!("{doing}: {c}")))
}

//! The access token: from a file, or by client credentials, renewed before it ends. Secrets are read when needed.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tracing::warn;

use super::{headers::Skew, in_words};
use crate::{
    clock,
    config::{Secret, TokenSource, read_secret},
};

/// A token is renewed this long before its end. Shopify's own samples use a minute; a shift start must not meet the edge.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After a renewal that failed while the old token is still good, the next one waits this long: no request should have to
/// wait for an endpoint that is down.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// A token without a sensible life is taken to live this long.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// Shopify's tokens live a day. What claims to live for ever is asked for again once a month.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// What claims to have ended is tried all the same, and not asked for with every request.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// Answers of the token endpoint are short.
const BODY_LIMIT: usize = 64 << 10;

/// An access token; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The value of `X-Shopify-Access-Token`, marked so that no log shows it.
    #[must_use]
    pub fn header(&self) -> reqwest::header::HeaderValue {
        let mut value =
            reqwest::header::HeaderValue::from_str(&self.0).unwrap_or(reqwest::header::HeaderValue::from_static("unusable"));
        value.set_sensitive(true);
        value
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Shopify could not be reached, or failed: waiting helps.
    #[error("no access token yet: {why}")]
    Unreachable {
        /// In words.
        why: String,
    },
    /// The file cannot be used as it is; it is read again at the next attempt.
    #[error("{why}")]
    File {
        /// What happened and what to do.
        why: String,
    },
    /// Shopify does not give one: a person must look at the app.
    #[error("Shopify gives no access token ({code}): {message}")]
    Refused {
        /// `invalid_client`, `shop_not_permitted`, `HTTP_400`.
        code: String,
        /// Shopify's words and what to do.
        message: String,
    },
}

impl TokenError {
    /// Waiting alone does not help.
    #[must_use]
    pub const fn is_for_a_person(&self) -> bool {
        match self {
            Self::Unreachable { .. } => false,
            Self::File { .. } | Self::Refused { .. } => true,
        }
    }
}

/// Without instants for a token from a file, which ends when Shopify says so.
#[derive(Debug)]
struct Cached {
    token: Token,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

/// A token in hand.
enum InHand {
    Fresh(Token),
    /// Still good, and near its end.
    Due(Token),
    None,
}

/// Hands out tokens; asks for a new one when the old one is near its end.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    url: String,
    skew: Arc<Skew>,
    cached: Mutex<Option<Cached>>,
    /// Held while one is asked for.
    renewing: tokio::sync::Mutex<()>,
}

impl Tokens {
    /// `url` is the token endpoint.
    #[must_use]
    pub fn new(source: TokenSource, url: String, skew: Arc<Skew>) -> Self {
        Self { source, url, skew, cached: Mutex::new(None), renewing: tokio::sync::Mutex::new(()) }
    }

    /// The token in hand, or a new one. A token that is still good is never held back by a renewal that fails or lasts.
    pub async fn get(&self, http: &reqwest::Client, now: Instant) -> Result<Token, TokenError> {
        let renewing = match self.in_hand(now) {
            InHand::Fresh(token) => return Ok(token),
            InHand::Due(token) => match self.renewing.try_lock() {
                Ok(renewing) => renewing,
                Err(_) => return Ok(token),
            },
            InHand::None => self.renewing.lock().await,
        };
        // Another request may have brought one while this one waited.
        if let InHand::Fresh(token) = self.in_hand(now) {
            return Ok(token);
        }
        let fetched = self.fetch(http, now).await;
        let answer = match (fetched, self.in_hand(now)) {
            (Ok(fresh), _) => {
                let token = fresh.token.clone();
                *self.cached() = Some(fresh);
                Ok(token)
            }
            (Err(why), InHand::Fresh(token) | InHand::Due(token)) => {
                warn!(%why, "the access token could not be renewed; the old one is used until it ends");
                if let Some(cached) = self.cached().as_mut() {
                    cached.renew_at = Some(now + RENEW_AGAIN);
                }
                Ok(token)
            }
            (Err(why), InHand::None) => Err(why),
        };
        drop(renewing);
        answer
    }

    /// After 401: the next `get` reads the file again or asks for a new token. Only the one that was refused is forgotten.
    pub fn forget(&self, refused: &Token) {
        let mut cached = self.cached();
        if cached.as_ref().is_some_and(|c| c.token == *refused) {
            *cached = None;
        }
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Option<Cached>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_hand(&self, now: Instant) -> InHand {
        match &*self.cached() {
            Some(c) if c.renew_at.is_none_or(|at| now < at) && c.ends_at.is_none_or(|at| now < at) => {
                InHand::Fresh(c.token.clone())
            }
            Some(c) if c.ends_at.is_none_or(|at| now < at) => InHand::Due(c.token.clone()),
            Some(_) | None => InHand::None,
        }
    }

    async fn fetch(&self, http: &reqwest::Client, now: Instant) -> Result<Cached, TokenError> {
        match &self.source {
            TokenSource::File(path) => Ok(Cached { token: from_file(path)?, renew_at: None, ends_at: None }),
            TokenSource::ClientCredentials { client_id, secret_file } => {
                let secret = read_secret(secret_file).map_err(|e| TokenError::File { why: e.to_string() })?;
                self.ask(http, client_id, &secret, now).await
            }
        }
    }

    async fn ask(&self, http: &reqwest::Client, id: &str, secret: &Secret, now: Instant) -> Result<Cached, TokenError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
            /// Any JSON: a figure that cannot be used must not cost the token.
            #[serde(default)]
            expires_in: Value,
        }
        #[derive(Deserialize, Default)]
        struct Denied {
            #[serde(default)]
            error: String,
            #[serde(default)]
            error_description: String,
        }
        let unreachable = |why: String| TokenError::Unreachable { why };
        let form =
            serde_json::json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret.reveal() });
        let request = http.post(&self.url).json(&form).header("Accept", "application/json");
        let mut response = request.send().await.map_err(|e| unreachable(in_words(&e).1))?;
        self.skew.compare(response.headers(), clock::wall());
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(in_words(&e).1))? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(unreachable("the token endpoint's answer does not end".to_owned()));
            }
        }
        if status.is_success() {
            let granted: Granted = serde_json::from_slice(&body)
                .ok()
                .filter(|g: &Granted| !g.access_token.is_empty())
                .ok_or_else(|| unreachable("the token endpoint's answer is not what is documented".to_owned()))?;
            let life = life(&granted.expires_in);
            // A short life is halved, so that a token is never asked for in a loop.
            let renew_at = now + life.saturating_sub(RENEW_BEFORE).max(life / 2);
            return Ok(Cached { token: Token(granted.access_token), renew_at: Some(renew_at), ends_at: Some(now + life) });
        }
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(unreachable(format!("the token endpoint answered with HTTP {}", status.as_u16())));
        }
        let denied: Denied = serde_json::from_slice(&body).unwrap_or_default();
        let code = if denied.error.is_empty() { format!("HTTP_{}", status.as_u16()) } else { denied.error };
        let message = match code.as_str() {
            "invalid_client" => "client id or secret is wrong: copy both again from the Dev Dashboard",
            "app_not_installed" => "install the app on this shop",
            "shop_not_permitted" => "app and shop must belong to the same Dev Dashboard organization",
            _ => "check [shop.client_credentials] and the app in the Dev Dashboard",
        };
        let said: String = denied.error_description.chars().take(200).collect();
        Err(TokenError::Refused {
            code,
            message: if said.is_empty() { message.to_owned() } else { format!("{message} ({said})") },
        })
    }
}

/// How long a token lives. The figure is only advice: a 401 ends it at once.
fn life(expires_in: &Value) -> Duration {
    let seconds = expires_in.as_u64().or_else(|| expires_in.as_str()?.trim().parse().ok());
    seconds.map_or(USUAL_LIFE, |s| Duration::from_secs(s).clamp(SHORTEST_LIFE, LONGEST_LIFE))
}

fn from_file(path: &std::path::Path) -> Result<Token, TokenError> {
    let secret = read_secret(path).map_err(|e| TokenError::File { why: e.to_string() })?;
    Ok(Token(secret.reveal().to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_figure_for_a_tokens_life_can_hurt() {
        assert_eq!(life(&json!(86_399)), Duration::from_secs(86_399));
        assert_eq!(life(&json!("86399")), Duration::from_secs(86_399));
        assert_eq!(life(&json!(u64::MAX)), LONGEST_LIFE);
        assert_eq!(life(&json!(0)), SHORTEST_LIFE);
        for odd in [json!(null), json!(-5), json!(1.5), json!("soon"), json!([]), json!(true)] {
            assert_eq!(life(&odd), USUAL_LIFE, "{odd}");
        }
    }
}

//! The access token: from a file, or by client credentials, renewed before it ends. Secrets are read when needed.
use std::time::{Duration, Instant};

use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::config::{Secret, TokenSource, read_secret};

/// A token is renewed this long before its end. Shopify's own samples use a minute; a shift start must not meet the edge.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Answers of the token endpoint are short.
const BODY_LIMIT: usize = 64 << 10;

/// An access token; never printed.
#[derive(Clone)]
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

#[derive(Debug)]
struct Cached {
    token: Token,
    renew_at: Option<Instant>,
}

/// Hands out tokens; asks for a new one when the old one is near its end.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    url: String,
    cached: Mutex<Option<Cached>>,
}

impl Tokens {
    /// `url` is the token endpoint.
    #[must_use]
    pub fn new(source: TokenSource, url: String) -> Self {
        Self { source, url, cached: Mutex::new(None) }
    }

    /// The token in hand, or a new one.
    pub async fn get(&self, http: &reqwest::Client, now: Instant) -> Result<Token, TokenError> {
        let mut cached = self.cached.lock().await;
        if let Some(c) = cached.as_ref().filter(|c| c.renew_at.is_none_or(|at| now < at)) {
            return Ok(c.token.clone());
        }
        let fresh = match &self.source {
            TokenSource::File(path) => Cached { token: from_file(path)?, renew_at: None },
            TokenSource::ClientCredentials { client_id, secret_file } => {
                let secret = read_secret(secret_file).map_err(|e| TokenError::File { why: e.to_string() })?;
                self.ask(http, client_id, &secret, now).await?
            }
        };
        let token = fresh.token.clone();
        *cached = Some(fresh);
        Ok(token)
    }

    /// After 401: the next `get` reads the file again or asks for a new token.
    pub async fn forget(&self) {
        *self.cached.lock().await = None;
    }

    async fn ask(&self, http: &reqwest::Client, id: &str, secret: &Secret, now: Instant) -> Result<Cached, TokenError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
            expires_in: Option<u64>,
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
        let mut response = request.send().await.map_err(|e| unreachable(e.without_url().to_string()))?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(e.without_url().to_string()))? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(unreachable("the token endpoint's answer does not end".to_owned()));
            }
        }
        if status.is_success() {
            let granted: Granted = serde_json::from_slice(&body)
                .map_err(|_| unreachable("the token endpoint's answer is not what is documented".to_owned()))?;
            let good_for = Duration::from_secs(granted.expires_in.unwrap_or(3600));
            // A short life is halved, so that a token is never asked for in a loop.
            let renew_at = now + good_for.saturating_sub(RENEW_BEFORE).max(good_for / 2);
            return Ok(Cached { token: Token(granted.access_token), renew_at: Some(renew_at) });
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

fn from_file(path: &std::path::Path) -> Result<Token, TokenError> {
    let secret = read_secret(path).map_err(|e| TokenError::File { why: e.to_string() })?;
    Ok(Token(secret.reveal().to_owned()))
}

//! Talks to the running daemon over its local API.
use std::process::ExitCode;

use serde_json::Value;

use super::{BAD_CONFIG, ConfigArg, TRY_LATER, complain, settings, with_causes};
use crate::{api::token::ApiToken, daemon::address_file};

/// One daemon, found by its configuration.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    bearer: String,
    /// The tills of the configuration.
    pub tills: Vec<String>,
}

impl Client {
    /// Reads where the daemon listens and its token.
    pub(super) fn new(config: &ConfigArg) -> Result<Self, ExitCode> {
        let settings = settings(&config.config)?;
        let written = std::fs::read_to_string(address_file(&settings.journal)).ok();
        let address = written.map_or_else(|| settings.api.listen.to_string(), |text| text.trim().to_owned());
        if !settings.api.token_file.exists() {
            complain(format!(
                "{} is not there yet, so the daemon has never run with this configuration: start it with `drawerbridge run`",
                settings.api.token_file.display()
            ));
            return Err(ExitCode::from(TRY_LATER));
        }
        let token = ApiToken::load_or_make(&settings.api.token_file).map_err(|e| {
            complain(with_causes(&e));
            ExitCode::from(BAD_CONFIG)
        })?;
        let http = reqwest::Client::builder().no_proxy().build().map_err(|e| {
            complain(with_causes(&e));
            ExitCode::FAILURE
        })?;
        let tills = settings.tills.iter().map(|t| t.name.clone()).collect();
        Ok(Self { http, base: format!("http://{address}"), bearer: token.bearer(), tills })
    }

    /// The till that was named, or the only one.
    pub(super) fn till<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, ExitCode> {
        match (named, self.tills.as_slice()) {
            (Some(name), tills) if tills.iter().any(|t| t == name) => Ok(name),
            (None, [only]) => Ok(only),
            (_, tills) => {
                complain(format!("name one of the tills: {}", tills.join(", ")));
                Err(ExitCode::from(2))
            }
        }
    }

    /// Sends one request; a problem is printed with the daemon's own words.
    pub(super) async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<Value, ExitCode> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("Authorization", &self.bearer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|_| {
            complain(format!("nothing answers at {}: is the daemon running? Start it with `drawerbridge run`", self.base));
            ExitCode::from(TRY_LATER)
        })?;
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let detail = answer.get("detail").and_then(Value::as_str).unwrap_or("the daemon gave no reason");
        complain(detail);
        Err(if status.as_u16() == 503 { ExitCode::from(TRY_LATER) } else { ExitCode::FAILURE })
    }
}

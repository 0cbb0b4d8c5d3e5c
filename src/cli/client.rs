//! Talks to the running daemon over its local API.
use std::{io, net::SocketAddr, path::Path, process::ExitCode, time::Duration};

use reqwest::{Method, redirect::Policy};
use serde_json::Value;

use super::{BAD_CONFIG, ConfigArg, TRY_LATER, USAGE, complain, runtime, settings, with_causes};
use crate::{
    config::{SecretError, Settings, read_secret},
    daemon::address_file,
};

/// A daemon answers within milliseconds, and a kick within a second or two. What takes longer hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Five hundred openings with all they hold are far below this.
const LONGEST_ANSWER: usize = 16 << 20;
/// How much of a stranger's answer is shown.
const STRANGER: usize = 60;

/// One daemon, found by its configuration.
pub(super) struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    base: String,
    bearer: String,
    /// The tills of the configuration.
    pub tills: Vec<String>,
}

/// What came back.
pub(super) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    pub(super) const fn is_good(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The reason in the daemon's own words (RFC 9457).
    pub(super) fn detail(&self) -> String {
        let problem: Option<Value> = serde_json::from_str(&self.text).ok();
        let detail = problem.as_ref().and_then(|p| p.get("detail")).and_then(Value::as_str);
        detail.map_or_else(|| format!("HTTP {}, without a reason: {}", self.status, self.beginning()), str::to_owned)
    }

    fn code(&self) -> Option<String> {
        let problem: Value = serde_json::from_str(&self.text).ok()?;
        problem.get("code").and_then(Value::as_str).map(str::to_owned)
    }

    /// One short line of whatever it is.
    fn beginning(&self) -> String {
        let line: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{:?}", line.chars().take(STRANGER).collect::<String>())
    }
}

impl Client {
    /// Reads where the daemon listens and its token.
    pub(super) fn new(config: &ConfigArg) -> Result<Self, ExitCode> {
        let settings = settings(&config.config)?;
        let bearer = bearer(&settings.api.token_file)?;
        let base = format!("http://{}", address(&settings)?);
        // A kick may take its own limit from the configuration before it is answered.
        let limit = ANSWERS_WITHIN + settings.timing.kick_answer;
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(limit).build().map_err(|e| {
            complain(with_causes(&e));
            ExitCode::FAILURE
        })?;
        let tills = settings.tills.iter().map(|t| t.name.clone()).collect();
        Ok(Self { runtime: runtime()?, http, base, bearer, tills })
    }

    /// The till that was named, or the only one.
    pub(super) fn till<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, ExitCode> {
        match (named, self.tills.as_slice()) {
            (Some(name), tills) if tills.iter().any(|t| t == name) => Ok(name),
            (None, [only]) => Ok(only),
            (Some(name), tills) => {
                complain(format!("there is no till {name:?}: name one of {}", tills.join(", ")));
                Err(ExitCode::from(USAGE))
            }
            (None, tills) => {
                complain(format!("there are several tills: name one of {}", tills.join(", ")));
                Err(ExitCode::from(USAGE))
            }
        }
    }

    /// Sends one request that is answered with JSON; a problem is printed with the daemon's own words.
    pub(super) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ExitCode> {
        let answer = self.send_within(None, method, path, body)?;
        if answer.is_good() { self.json(&answer) } else { Err(Self::refused(&answer)) }
    }

    /// As [`Client::ask`], for what takes longer.
    pub(super) fn ask_within(
        &self,
        limit: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ExitCode> {
        let answer = self.send_within(Some(limit), method, path, body)?;
        if answer.is_good() { self.json(&answer) } else { Err(Self::refused(&answer)) }
    }

    /// As [`Client::ask`]; `None` when the daemon says that there is no such thing.
    pub(super) fn find(&self, path: &str) -> Result<Option<Value>, ExitCode> {
        let answer = self.send(Method::GET, path, None)?;
        match answer.status {
            404 => Ok(None),
            _ if answer.is_good() => self.json(&answer).map(Some),
            _ => Err(Self::refused(&answer)),
        }
    }

    fn json(&self, answer: &Answer) -> Result<Value, ExitCode> {
        serde_json::from_str(&answer.text).map_err(|_| {
            complain(format!(
                "what answers at {} is not drawerbridge (it says {}): another program has this port, see [api] listen",
                self.base,
                answer.beginning()
            ));
            ExitCode::FAILURE
        })
    }

    /// Says why the daemon did not do it. Busy and unreachable pass by themselves.
    fn refused(answer: &Answer) -> ExitCode {
        complain(answer.detail());
        let later = answer.status == 503 || answer.code().as_deref() == Some("kick_busy");
        if later { ExitCode::from(TRY_LATER) } else { ExitCode::FAILURE }
    }

    /// Sends one request and takes whatever comes.
    pub(super) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ExitCode> {
        self.send_within(None, method, path, body)
    }

    fn send_within(
        &self,
        limit: Option<Duration>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ExitCode> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("Authorization", &self.bearer);
        if let Some(limit) = limit {
            request = request.timeout(limit);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let asked = self.runtime.block_on(async {
            let mut response = request.send().await?;
            let (status, mut bytes) = (response.status().as_u16(), Vec::new());
            while let Some(piece) = response.chunk().await? {
                bytes.extend_from_slice(&piece);
                if bytes.len() > LONGEST_ANSWER {
                    break;
                }
            }
            Ok::<_, reqwest::Error>(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() })
        });
        asked.map_err(|e| {
            complain(self.why(&e, limit.unwrap_or(ANSWERS_WITHIN)));
            ExitCode::from(TRY_LATER)
        })
    }

    fn why(&self, error: &reqwest::Error, limit: Duration) -> String {
        let base = &self.base;
        if error.is_connect() {
            format!("nothing answers at {base}: is the daemon running? Start it with `drawerbridge run`")
        } else if error.is_timeout() {
            format!(
                "{base} takes the connection and does not answer within {} s: the daemon hangs, or another program has this \
                 port (`ss -ltnp` names it)",
                limit.as_secs()
            )
        } else {
            format!("{base} broke off in the middle of its answer ({}): try again", with_causes(error))
        }
    }
}

/// Where the daemon says it listens; without a daemon, where the configuration wants it.
fn address(settings: &Settings) -> Result<SocketAddr, ExitCode> {
    let file = address_file(&settings.journal);
    match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map_err(|_| {
            complain(format!("{} holds no address: restart the daemon, which writes it", file.display()));
            ExitCode::FAILURE
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound && settings.api.listen.port() == 0 => {
            complain(format!(
                "no daemon runs with this configuration ({} is not there): start it with `drawerbridge run`",
                file.display()
            ));
            Err(ExitCode::from(TRY_LATER))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(settings.api.listen),
        Err(e) => Err(out_of_reach(&file, &e)),
    }
}

/// The header's value. The token is only read here: the daemon makes it.
fn bearer(file: &Path) -> Result<String, ExitCode> {
    match file.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            complain(format!(
                "{} is not there yet, so the daemon has never run with this configuration: start it with `drawerbridge run`",
                file.display()
            ));
            return Err(ExitCode::from(TRY_LATER));
        }
        Err(e) => return Err(out_of_reach(file, &e)),
    }
    match read_secret(file) {
        Ok(token) => Ok(format!("Bearer {}", token.reveal())),
        Err(SecretError::Io { cause, .. }) => Err(out_of_reach(file, &cause)),
        Err(unusable) => {
            complain(format!("{unusable}: {}", unusable.remedy()));
            Err(ExitCode::from(BAD_CONFIG))
        }
    }
}

/// The daemon's files belong to the daemon's user.
fn out_of_reach(file: &Path, cause: &io::Error) -> ExitCode {
    complain(format!(
        "{} cannot be read ({cause}): run this as the user that the daemon runs as, for example \
         `sudo -u drawerbridge drawerbridge status`",
        file.display()
    ));
    ExitCode::FAILURE
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_slashes_stays_one_segment() {
        assert_eq!(segment("front-1"), "front-1");
        assert_eq!(segment("back room/2 é"), "back%20room%2F2%20%C3%A9");
    }

    #[test]
    fn a_refusal_is_told_in_the_daemons_words_and_anything_else_is_shown() {
        let problem = Answer { status: 404, text: r#"{"code":"no_drawer","detail":"this till has no drawer"}"#.to_owned() };
        assert_eq!(problem.detail(), "this till has no drawer");
        let page = Answer { status: 500, text: "<html>\n<b>oops</b>".to_owned() };
        assert_eq!(page.detail(), "HTTP 500, without a reason: \"<html> <b>oops</b>\"");
    }
}

//! A bench with its daemon, on which actions are done. Scenarios and the terminal of `serve` play on the same stage.
use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{
    Bench, TillRig,
    client::{DaemonApi, EventLog},
    config::STAFF,
    daemon::{Daemon, Log},
};
use crate::{
    admin::{Fault, FaultRule, Operation},
    printer::Paper,
    scenario::verb::{Action, Device, On, PaperIs},
};

/// Between two keys of a quick hand. Slower than any scanner: the daemon tells a badge by gaps of a few milliseconds.
const KEY_GAP: Duration = Duration::from_millis(40);

/// The bench, the daemon and what was last asked of it.
pub struct Stage {
    /// The devices and the API.
    pub bench: Bench,
    /// The daemon, while one runs as our child.
    pub daemon: Option<Daemon>,
    /// Its program; without one, `daemon …` verbs are refused.
    pub program: Option<PathBuf>,
    /// What it logged.
    pub log: Log,
    /// What it told over the event stream.
    pub events: EventLog,
    /// `opened` and so on, or `refused`.
    pub kick: Option<String>,
    /// Status and body of the last request of the POS.
    pub pos: Option<(u16, Value)>,
    /// Frames that were settled when the last key was pressed, per till.
    pub frames_at_key: Vec<usize>,
}

impl Stage {
    /// An empty stage: devices are up, no daemon runs.
    #[must_use]
    pub fn new(bench: Bench, program: Option<PathBuf>) -> Self {
        let frames_at_key = vec![0; bench.tills.len()];
        Self {
            bench,
            daemon: None,
            program,
            log: Log::default(),
            events: EventLog::default(),
            kick: None,
            pos: None,
            frames_at_key,
        }
    }
    /// The till's devices.
    pub fn till(&self, till: usize) -> Result<&TillRig, String> {
        self.bench.tills.get(till).ok_or_else(|| "this bench has no second till: add the line `till second till`".to_owned())
    }
    /// The way to the daemon that runs now.
    pub fn api(&self) -> Result<DaemonApi, String> {
        DaemonApi::from_dir(self.bench.dir()).map_err(|e| format!("the daemon has not said where it listens: {e}"))
    }
    /// Asks the daemon; errors are in words.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        self.api()?.call(method, path, body).await.map_err(|e| format!("{method} {path}: {e}"))
    }
    /// What the daemon says of a till.
    pub async fn status(&self, till: usize) -> Result<Value, String> {
        let path = format!("/v1/tills/{}", self.till(till)?.name);
        match self.ask("GET", &path, None).await? {
            (200, status) => Ok(status),
            (status, body) => Err(format!("GET {path} answered {status}: {body}")),
        }
    }

    /// Does it.
    pub async fn act(&mut self, till: usize, action: &Action) -> Result<(), String> {
        let rig = self.till(till)?.clone();
        let wire = |result: std::io::Result<()>| result.map_err(|e| format!("the cable cannot be plugged in: {e}"));
        match action {
            Action::DrawerKey => rig.printer.key(),
            Action::DrawerShut => rig.printer.push_drawer_shut(),
            Action::DrawerJam(jam) => rig.printer.jam(*jam),
            Action::Unplug(Device::Printer) => rig.printer.unplug(),
            Action::Unplug(Device::Display) => rig.display.ok_or(NO_DISPLAY)?.unplug(),
            Action::Unplug(Device::Keypad) => rig.keypad.unplug(),
            Action::Plug(Device::Printer) => wire(rig.printer.plug().await)?,
            Action::Plug(Device::Display) => wire(rig.display.ok_or(NO_DISPLAY)?.plug().await)?,
            Action::Plug(Device::Keypad) => wire(rig.keypad.plug().await)?,
            Action::UnplugAfter(bytes) => rig.printer.unplug_after(*bytes),
            Action::PowerCycle => rig.printer.power_cycle().await,
            Action::Paper(paper) => rig.printer.set_paper(match paper {
                PaperIs::Loaded => Paper::Ok,
                PaperIs::NearEnd => Paper::NearEnd,
                PaperIs::Out => Paper::Out,
            }),
            Action::PaperOutAfter(lines) => rig.printer.out_of_paper_after(*lines),
            Action::Cover(open) => rig.printer.set_cover(*open),
            Action::Offline(offline) => rig.printer.set_offline(*offline),
            Action::Type(keys) => self.keys(till, &rig, Input::Keys(keys)).await?,
            Action::Badge(code) => self.keys(till, &rig, Input::Badge(code)).await?,
            Action::Fault { name, times, on } => {
                let fault = Fault::from_name(name).ok_or_else(|| format!("there is no fault `{name}`"))?;
                let on = match on {
                    On::Open => Operation::Open,
                    On::Read => Operation::Read,
                    On::Token => Operation::Token,
                    On::Any => Operation::Any,
                };
                self.bench.api.fault(FaultRule { on, fault, times: *times });
            }
            Action::ApiDown(down) => self.bench.api.set_down(*down),
            Action::ApiHealthy => self.bench.api.clear_faults(),
            Action::OpenedElsewhere { amount } => {
                self.bench.api.open_elsewhere(rig.device, amount, "opened by hand");
            }
            Action::CheckoutStarts => {
                self.bench.api.checkout_starts(rig.device);
            }
            Action::SessionsClosed => self.bench.api.close_all(),
            Action::TokensExpire => self.bench.api.expire_tokens(),
            Action::DaemonKilled => self.daemon.take().ok_or(NO_DAEMON)?.kill().await?,
            Action::DaemonStopped => self.daemon.take().ok_or(NO_DAEMON)?.stop().await?,
            Action::DaemonStarts => self.start_daemon().await?,
            Action::Kick => {
                let path = format!("/v1/tills/{}/drawer/kick", rig.name);
                let (status, body) = self.ask("POST", &path, Some(&json!({ "reason": "scenario" }))).await?;
                let outcome = body["outcome"].as_str().filter(|_| status == 200).unwrap_or("refused");
                self.kick = Some(outcome.to_owned());
            }
            Action::PosStarts { staff } => {
                let number = STAFF.iter().find(|(name, ..)| name == staff);
                let (_, _, id) = number.ok_or_else(|| format!("the rig has no {staff}: there are Robin, Sam and Kim"))?;
                let body = json!({ "staff_member_id": format!("gid://shopify/StaffMember/{id}"), "note": "from the POS" });
                self.pos("POST", &format!("/v1/tills/{}/openings", rig.name), Some(&body)).await?;
            }
            Action::PosCounts { total } => {
                let path = self.opening_path(till, "/count").await?;
                self.pos("PUT", &path, Some(&json!({ "total": total }))).await?;
            }
            Action::PosCountsPieces { pieces } => {
                let path = self.opening_path(till, "/count").await?;
                let pieces: serde_json::Map<String, Value> =
                    pieces.iter().map(|(face, n)| (face.clone(), json!(n))).collect();
                self.pos("PUT", &path, Some(&json!({ "denominations": pieces }))).await?;
            }
            Action::PosCancels => {
                let path = self.opening_path(till, "").await?;
                self.pos("DELETE", &path, None).await?;
            }
            Action::Reprint => {
                let id = self.opening_id(till).await?;
                self.pos("POST", &format!("/v1/openings/{id}/slip"), None).await?;
            }
            Action::Wait(time) => tokio::time::sleep(*time).await,
        }
        Ok(())
    }

    async fn keys(&mut self, till: usize, rig: &TillRig, input: Input<'_>) -> Result<(), String> {
        match input {
            // All keys but the last may still bring frames that show digits; what counts is what is shown after the last.
            Input::Keys(keys) => {
                let words: Vec<&str> = keys.split_whitespace().collect();
                let (last, first) = words.split_last().ok_or("no key is named")?;
                if !first.is_empty() {
                    rig.keypad.type_keys(&first.join(" "), KEY_GAP).await;
                    tokio::time::sleep(KEY_GAP).await;
                }
                self.frames_at_key[till] = rig.frames.count();
                rig.keypad.type_keys(last, KEY_GAP).await;
            }
            Input::Badge(code) => {
                self.frames_at_key[till] = rig.frames.count();
                rig.keypad.badge(code).await;
            }
        }
        Ok(())
    }

    async fn start_daemon(&mut self) -> Result<(), String> {
        if self.daemon.is_some() {
            return Err("the daemon runs already".into());
        }
        let program =
            self.program.as_ref().ok_or("no program `drawerbridge` is known here: start it in another terminal")?;
        self.daemon = Some(Daemon::start(program, self.bench.dir(), &self.log).await?);
        self.events.follow(self.api()?);
        Ok(())
    }

    async fn pos(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(), String> {
        self.pos = Some(self.ask(method, path, body).await?);
        Ok(())
    }

    /// The opening that runs, or the last one there was.
    async fn opening_id(&self, till: usize) -> Result<String, String> {
        let status = self.status(till).await?;
        if let Some(id) = status["opening"]["id"].as_str() {
            return Ok(id.to_owned());
        }
        let events = self.events.all();
        let last = events.iter().rev().find_map(|e| e.data["opening"].as_str().or(e.data["opening_id"].as_str()));
        last.map(str::to_owned).ok_or_else(|| "the daemon knows of no opening at this till".into())
    }

    async fn opening_path(&self, till: usize, tail: &str) -> Result<String, String> {
        Ok(format!("/v1/tills/{}/openings/{}{tail}", self.till(till)?.name, self.opening_id(till).await?))
    }
}

enum Input<'a> {
    Keys(&'a str),
    Badge(&'a str),
}

const NO_DISPLAY: &str = "this till has no display";
const NO_DAEMON: &str = "no daemon of this rig runs";

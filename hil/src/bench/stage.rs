//! A bench with its daemon, on which actions are done. Scenarios and the terminal of `serve` play on the same stage.
use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{
    Bench, TillRig,
    client::{DaemonApi, EventLog},
    config::STAFF,
    daemon::{Daemon, Log},
    disk::HeldJournal,
};
use crate::{
    admin::{Fault, FaultRule, Operation},
    printer::{Paper, Printer},
    scenario::verb::{Action, Decision, Device, On, PaperIs},
};

/// Between two keys of a quick hand. Slower than any scanner: the daemon tells a badge by gaps below 30 ms, and a loaded
/// machine may bring one key late and the next on time.
const KEY_GAP: Duration = Duration::from_millis(100);

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
    /// Drawings that had settled when the last key was pressed, per till.
    pub frames_at_key: Vec<usize>,
    /// Events that were seen before something was last done, per till.
    pub events_at: Vec<usize>,
    /// Somebody else's connection to a printer.
    other_client: Option<TcpStream>,
    /// The journal, while it takes nothing.
    held_journal: Option<HeldJournal>,
}

impl Stage {
    /// An empty stage: devices are up, no daemon runs.
    #[must_use]
    pub fn new(bench: Bench, program: Option<PathBuf>) -> Self {
        let (frames_at_key, events_at) = (vec![0; bench.tills.len()], vec![0; bench.tills.len()]);
        Self {
            bench,
            daemon: None,
            program,
            log: Log::default(),
            events: EventLog::default(),
            kick: None,
            pos: None,
            frames_at_key,
            events_at,
            other_client: None,
            held_journal: None,
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

    /// Follows the events of the daemon in this folder, also of one that somebody else has started.
    pub fn follow_daemon(&self) {
        if let Ok(api) = self.api() {
            self.events.follow_if_new(api);
        }
    }
    /// A daemon of ours that ended by itself, or in which something panicked, is nothing to play on with.
    pub fn daemon_lives(&mut self) -> Result<(), String> {
        if let Some(status) = self.daemon.as_mut().and_then(Daemon::ended) {
            return Err(format!("the daemon ended by itself ({status})"));
        }
        self.log.panic().map_or(Ok(()), |line| Err(format!("something panicked in the daemon: {line}")))
    }

    /// Does it.
    pub async fn act(&mut self, till: usize, action: &Action) -> Result<(), String> {
        let rig = self.till(till)?.clone();
        match action {
            Action::DrawerKey
            | Action::DrawerShut
            | Action::DrawerJam(_)
            | Action::Unplug(Device::Printer)
            | Action::Plug(Device::Printer)
            | Action::UnplugAfter(_)
            | Action::PowerCycle
            | Action::Paper(_)
            | Action::PaperOutAfter(_)
            | Action::Cover(_)
            | Action::Offline(_)
            | Action::Noise(_) => at_printer(&rig.printer, action).await?,
            Action::Unplug(Device::Display) => rig.display.ok_or(NO_DISPLAY)?.unplug(),
            Action::Unplug(Device::Keypad) => rig.keypad.unplug(),
            Action::Plug(Device::Display) => rig.display.ok_or(NO_DISPLAY)?.plug().await.map_err(no_cable)?,
            Action::Plug(Device::Keypad) => rig.keypad.plug().await.map_err(no_cable)?,
            Action::OtherClient(true) => {
                let addr = rig.printer.line().addr().ok_or("the printer is not on TCP: add the line `till printer tcp`")?;
                let client = TcpStream::connect(addr).await;
                self.other_client = Some(client.map_err(|e| format!("nobody can connect to the printer: {e}"))?);
            }
            Action::OtherClient(false) => drop(self.other_client.take().ok_or("no other client is connected")?),
            Action::Type(keys) => self.keys(till, &rig, Input::Keys(keys)).await?,
            Action::Badge(code) => self.keys(till, &rig, Input::Badge(code)).await?,
            Action::Fault { name, times, on } => {
                let fault = Fault::from_name(name).ok_or_else(|| format!("there is no fault `{name}`"))?;
                let on = match on {
                    On::Open => Operation::Open,
                    On::Count => Operation::Count,
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
            Action::ApiClock(ahead_s) => self.bench.api.update(|shop| shop.clock_skew_s = *ahead_s),
            Action::ApiLacks(scope) => self.bench.api.update(|shop| shop.scopes.retain(|granted| granted != scope)),
            Action::OneDrawer => {
                let [first, second] = [self.till(0)?.device, self.till(1)?.device];
                self.bench.api.share_drawer(second, first);
            }
            Action::DaemonKilled => self.daemon.take().ok_or(NO_DAEMON)?.kill().await?,
            Action::DaemonStopped => self.daemon.take().ok_or(NO_DAEMON)?.stop().await?,
            Action::DaemonStarts => self.start_daemon().await?,
            Action::JournalRefuses(true) => {
                if self.held_journal.is_some() {
                    return Err("the journal refuses already".into());
                }
                self.held_journal = Some(HeldJournal::hold(&self.bench.journal()).await?);
            }
            Action::JournalRefuses(false) => {
                self.held_journal.take().ok_or("the journal does not refuse anything")?.release()?;
            }
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
            Action::Resolve(decision) => {
                let path = self.opening_path(till, "/resolution").await?;
                let mut body = json!({ "by": "Kim", "why": "decided in a scenario" });
                body["decision"] = Value::from(match decision {
                    Decision::Link => "link",
                    Decision::RecordCount => "record_count",
                    Decision::GiveUp => "give_up",
                });
                if *decision != Decision::GiveUp {
                    let open = self.bench.api.sessions().into_iter().rfind(|s| s.open && s.device == rig.device);
                    body["session_id"] = Value::from(open.ok_or("no session is open at the shop")?.gid);
                }
                self.pos("POST", &path, Some(&body)).await?;
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
                self.frames_at_key[till] = rig.drawings();
                rig.keypad.type_keys(last, KEY_GAP).await;
            }
            Input::Badge(code) => {
                self.frames_at_key[till] = rig.drawings();
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

    /// The newest opening, as the daemon names it.
    async fn opening_id(&self, till: usize) -> Result<String, String> {
        let status = self.status(till).await?;
        let id = status["opening"]["id"].as_str();
        id.map(str::to_owned).ok_or_else(|| "the daemon knows of no opening at this till".into())
    }

    async fn opening_path(&self, till: usize, tail: &str) -> Result<String, String> {
        Ok(format!("/v1/tills/{}/openings/{}{tail}", self.till(till)?.name, self.opening_id(till).await?))
    }
}

/// Does what is done at a printer; of anything else it says that it is not.
pub async fn at_printer(printer: &Printer, action: &Action) -> Result<(), String> {
    match action {
        Action::DrawerKey => printer.key(),
        Action::DrawerShut => printer.push_drawer_shut(),
        Action::DrawerJam(jam) => printer.jam(*jam),
        Action::Unplug(Device::Printer) => printer.unplug(),
        Action::Plug(Device::Printer) => printer.plug().await.map_err(no_cable)?,
        Action::UnplugAfter(bytes) => printer.unplug_after(*bytes),
        Action::PowerCycle => printer.power_cycle().await,
        Action::Paper(PaperIs::Loaded) => printer.set_paper(Paper::Ok),
        Action::Paper(PaperIs::NearEnd) => printer.set_paper(Paper::NearEnd),
        Action::Paper(PaperIs::Out) => printer.set_paper(Paper::Out),
        Action::PaperOutAfter(lines) => printer.out_of_paper_after(*lines),
        Action::Cover(open) => printer.set_cover(*open),
        Action::Offline(offline) => printer.set_offline(*offline),
        Action::Noise(bytes) => printer.line().send(bytes).map_err(|e| format!("the printer cannot send: {e}"))?,
        Action::Wait(time) => tokio::time::sleep(*time).await,
        Action::Unplug(Device::Display | Device::Keypad)
        | Action::Plug(Device::Display | Device::Keypad)
        | Action::OtherClient(_)
        | Action::Type(_)
        | Action::Badge(_)
        | Action::Fault { .. }
        | Action::ApiDown(_)
        | Action::ApiHealthy
        | Action::OpenedElsewhere { .. }
        | Action::CheckoutStarts
        | Action::SessionsClosed
        | Action::TokensExpire
        | Action::ApiClock(_)
        | Action::ApiLacks(_)
        | Action::OneDrawer
        | Action::DaemonKilled
        | Action::DaemonStopped
        | Action::DaemonStarts
        | Action::JournalRefuses(_)
        | Action::Kick
        | Action::PosStarts { .. }
        | Action::PosCounts { .. }
        | Action::PosCountsPieces { .. }
        | Action::PosCancels
        | Action::Resolve(_)
        | Action::Reprint => return Err("here is only a printer with its drawer".into()),
    }
    Ok(())
}

fn no_cable(e: std::io::Error) -> String {
    format!("the cable cannot be plugged in: {e}")
}

enum Input<'a> {
    Keys(&'a str),
    Badge(&'a str),
}

const NO_DISPLAY: &str = "this till has no display";
const NO_DAEMON: &str = "no daemon of this rig runs";

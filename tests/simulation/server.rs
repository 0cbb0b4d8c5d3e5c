//! A model of Shopify, from the API fact sheet, sections 3, 6 and 7: sessions of a device by rising numbers, at most one of
//! them open, ledgers, and reads that show the past.
use drawerbridge::{
    opening::{Activities, CountLineAt, Device, DrawerFacts, SessionList},
    shift::event::{Money, OpeningId, SessionFacts},
};
use jiff::Timestamp;
use serde_json::Value;

use super::assumptions::Ms;

/// Sessions on a page, as the document asks for.
const PAGE: usize = 25;

/// A session.
#[derive(Debug)]
pub struct Session {
    pub device: usize,
    pub opened: Ms,
    pub closed: Option<Ms>,
    pub facts: SessionFacts,
    /// Whose reference its note carries.
    pub of: Option<OpeningId>,
    pub lines: Vec<Line>,
}

/// A mid-session count.
#[derive(Debug)]
pub struct Line {
    pub at: Ms,
    pub line: CountLineAt,
    pub of: Option<OpeningId>,
}

/// What the shop is like, and what it holds.
#[derive(Debug)]
pub struct Server {
    pub sessions: Vec<Session>,
    /// When the world began, by Shopify's clock.
    pub epoch: Timestamp,
    /// The app may see devices.
    pub granted: bool,
    /// All devices count into one drawer.
    pub shared: bool,
    pub devices: usize,
    /// `openingTime` is the server's own, whatever was sent.
    pub own_time: bool,
    /// The device is gone until then.
    pub missing_until: Ms,
    /// Every open is refused until then, with this code.
    pub refuses: Option<(&'static str, Ms)>,
}

/// `gid://shopify/PointOfSaleDevice/N` of a till.
pub fn device_id(till: usize) -> String {
    format!("gid://shopify/PointOfSaleDevice/{}", till + 1)
}

/// As Shopify writes amounts: trailing zeros go, one digit stays.
fn as_shopify(amount: &str) -> String {
    match amount.split_once('.') {
        None => format!("{amount}.0"),
        Some((whole, cents)) => {
            let cents = cents.trim_end_matches('0');
            format!("{whole}.{}", if cents.is_empty() { "0" } else { cents })
        }
    }
}

fn reference(note: &str, end: &str) -> Option<OpeningId> {
    let (_, rest) = note.rsplit_once("[db:")?;
    OpeningId::parse(rest.strip_suffix(end)?)
}

impl Server {
    /// Shopify's clock, whole seconds.
    pub fn date(&self, now: Ms) -> Timestamp {
        let seconds = i64::try_from(now / 1000).expect("a world is short");
        Timestamp::from_second(self.epoch.as_second() + seconds).expect("a world is short")
    }

    /// The one open session of a device.
    pub fn open_one(&self, device: usize) -> Option<usize> {
        self.sessions.iter().rposition(|s| s.device == device && s.closed.is_none())
    }

    /// Opens one, whoever asks.
    pub fn make(
        &mut self,
        now: Ms,
        device: usize,
        counted: Money,
        time: Option<Timestamp>,
        note: Option<String>,
        by_checkout: bool,
    ) -> usize {
        let date = self.date(now);
        let time = time.filter(|_| !self.own_time).unwrap_or(date);
        let number = self.sessions.len() + 1;
        let facts = SessionFacts {
            id: format!("gid://shopify/PointOfSaleDevicePaymentSession/{number}"),
            status: "OPEN".to_owned(),
            opening_time: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            opening_note: note.clone(),
            expected: by_checkout.then(|| counted.clone()),
            counted,
        };
        let of = note.and_then(|note| reference(&note, "]"));
        self.sessions.push(Session { device, opened: now, closed: None, facts, of, lines: Vec::new() });
        number - 1
    }

    /// The open mutation. `Err` is the user error's code.
    pub fn open(&mut self, now: Ms, device: usize, variables: &Value) -> Result<usize, &'static str> {
        if now < self.missing_until {
            return Err("POINT_OF_SALE_DEVICE_NOT_FOUND");
        }
        if let Some((code, _)) = self.refuses.filter(|(_, until)| now < *until) {
            return Err(code);
        }
        if self.open_one(device).is_some() {
            return Err("ALREADY_OPEN");
        }
        let text = |name: &str| variables[name].as_str().map(str::to_owned);
        let time = text("time").map(|t| t.parse().expect("a time that Shopify can read"));
        Ok(self.make(now, device, money(variables), time, text("note"), false))
    }

    /// The count mutation.
    pub fn count(&mut self, now: Ms, variables: &Value) -> Result<usize, &'static str> {
        let id = variables["sessionId"].as_str().unwrap_or_default();
        let at = self.find(id).ok_or("PAYMENT_SESSION_NOT_FOUND")?;
        let date = self.date(now);
        let session = &mut self.sessions[at];
        if session.closed.is_some() {
            return Err("SESSION_ALREADY_CLOSED");
        }
        let time = variables["time"].as_str().map_or(date, |t| t.parse().expect("a time that Shopify can read"));
        if time < session.facts.opening_time.parse::<Timestamp>().expect("ours") {
            return Err("TIME_BEFORE_SESSION_OPEN");
        }
        let of = variables["note"].as_str().and_then(|note| reference(note, "/count]"));
        session.lines.push(Line { at: now, line: CountLineAt { time, counted: money(variables) }, of });
        Ok(at)
    }

    /// By its id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.sessions.iter().position(|s| s.facts.id == id)
    }

    /// As the mutation's answer has it.
    pub fn facts(&self, at: usize, as_of: Ms) -> SessionFacts {
        let session = &self.sessions[at];
        let mut facts = session.facts.clone();
        if session.closed.is_some_and(|closed| closed <= as_of) {
            "CLOSED".clone_into(&mut facts.status);
        }
        facts
    }

    /// The newest sessions as they were then; the device itself as it was at another time.
    pub fn list(&self, now: Ms, device: usize, as_of: Ms, device_as_of: Ms) -> SessionList {
        let listed = |as_of: Ms| {
            let of_device = move |(_, s): &(usize, &Session)| s.device == device && s.opened <= as_of;
            self.sessions.iter().enumerate().rev().filter(of_device).map(|(at, _)| at)
        };
        let sessions = listed(as_of).take(PAGE).map(|at| self.facts(at, as_of)).collect();
        let complete = listed(as_of).nth(PAGE).is_none();
        let view = if !self.granted {
            Device::NotGranted
        } else if now < self.missing_until {
            Device::Missing
        } else {
            let active = listed(device_as_of).map(|at| self.facts(at, device_as_of)).find(|s| s.status == "OPEN");
            let devices =
                if self.shared { (0..self.devices.max(2)).map(device_id).collect() } else { vec![device_id(device)] };
            Device::Known { drawer: Some(DrawerFacts { id: "gid://shopify/CashDrawer/1".to_owned(), devices }), active }
        };
        SessionList { sessions, complete, device: view, date: Some(self.date(now)), skew_s: None, api_version: None }
    }

    /// A session's ledger as it was then.
    pub fn ledger(&self, now: Ms, id: &str, as_of: Ms) -> Option<Activities> {
        let session = &self.sessions[self.find(id)?];
        let counts: Vec<_> =
            session.lines.iter().rev().filter(|line| line.at <= as_of).map(|line| line.line.clone()).collect();
        let oldest = session.facts.opening_time.parse().ok();
        let open = session.closed.is_none_or(|closed| closed > as_of);
        Some(Activities { counts, oldest, complete: true, open, date: Some(self.date(now)) })
    }

    /// Sessions that carry this reference.
    pub fn of<'a>(&'a self, opening: &'a OpeningId) -> impl Iterator<Item = &'a Session> {
        self.sessions.iter().filter(move |s| s.of.as_ref() == Some(opening))
    }

    /// Counts in ledgers that carry this reference.
    pub fn lines_of<'a>(&'a self, opening: &'a OpeningId) -> impl Iterator<Item = &'a Line> {
        self.sessions.iter().flat_map(|s| &s.lines).filter(move |line| line.of.as_ref() == Some(opening))
    }
}

fn money(variables: &Value) -> Money {
    let text = |name: &str| variables["balance"][name].as_str().unwrap_or_default();
    Money { amount: as_shopify(text("amount")), currency: text("currencyCode").to_owned() }
}

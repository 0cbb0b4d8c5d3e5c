//! Shopify's side of the model: at most one open session for each device, `ALREADY_OPEN`, a ledger of counts, and reads that
//! may lag. It knows nothing of a request but its variables.
use drawerbridge::{
    opening::{Activities, CountLineAt, Device, DrawerFacts, Mutation, SessionList},
    shift::event::{Money, SessionFacts},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::few::Few;

/// Shopify's time where a request names none.
pub const SHOPIFYS_TIME: &str = "2026-11-23T07:05:00Z";
/// What a session or a line that is nobody's of ours is marked with, instead of a request's number.
pub const FOREIGN: u8 = 254;
/// The same, with the money of our count and a time after it.
pub const ALIKE: u8 = 255;

/// A session at Shopify. `by`: the request that opened it, or [`FOREIGN`] or [`ALIKE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Session {
    pub by: u8,
    pub open: bool,
    /// Mid-session counts, oldest first, marked like `by`.
    pub lines: Few<u8, 3>,
}

/// What happened to a device's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Change {
    #[default]
    Opened,
    Closed(u8),
    Counted(u8),
}

pub type Sessions = Few<Session, 5>;

/// A device at Shopify: its sessions in the order of creation, and what has changed since a quiet period last passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Till {
    pub sessions: Sessions,
    pub fresh: Few<Change, 8>,
}

/// What a read shows: the list, and what the device itself calls its open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    pub device: u8,
    pub sessions: Sessions,
    pub active: Active,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Active {
    NotGranted,
    None,
    Is(u8, Session),
}

/// A request as Shopify reads it from its variables.
#[derive(Debug, Clone)]
pub struct Order {
    pub mutation: Mutation,
    pub variables: Value,
    /// The opening whose reference the note carries.
    pub opening: u8,
    pub device: u8,
    /// The session that is counted into.
    pub into: Option<(u8, u8)>,
}

/// What Shopify answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ran {
    Opened(u8, u8, Session),
    AlreadyOpen,
    Counted(u8, u8, Session),
    SessionClosed,
}

impl Till {
    /// The sessions as they were `back` changes ago.
    pub fn before(&self, back: usize) -> Sessions {
        let mut sessions = self.sessions;
        for change in self.fresh.as_slice().iter().rev().take(back) {
            match *change {
                Change::Opened => drop(sessions.pop()),
                Change::Closed(at) => sessions.as_mut_slice()[usize::from(at)].open = true,
                Change::Counted(at) => drop(sessions.as_mut_slice()[usize::from(at)].lines.pop()),
            }
        }
        sessions
    }

    pub fn open(&self) -> Option<u8> {
        open_of(&self.sessions)
    }

    pub fn open_one(&mut self, by: u8) -> (u8, Session) {
        let session = Session { by, open: true, lines: Few::default() };
        self.sessions.push(session);
        self.fresh.push(Change::Opened);
        (index(self.sessions.len() - 1), session)
    }

    pub fn close(&mut self, at: u8) {
        self.sessions.as_mut_slice()[usize::from(at)].open = false;
        self.fresh.push(Change::Closed(at));
    }

    pub fn count(&mut self, at: u8, by: u8) -> Session {
        self.sessions.as_mut_slice()[usize::from(at)].lines.push(by);
        self.fresh.push(Change::Counted(at));
        self.sessions.as_slice()[usize::from(at)]
    }
}

pub fn open_of(sessions: &Sessions) -> Option<u8> {
    sessions.iter().position(|s| s.open).map(index)
}

pub fn index(at: usize) -> u8 {
    u8::try_from(at).expect("a few")
}

/// A request runs, now.
pub fn run(tills: &mut [Till; 2], number: u8, order: &Order) -> Ran {
    match order.into {
        None => {
            let till = &mut tills[usize::from(order.device)];
            if till.open().is_some() {
                return Ran::AlreadyOpen;
            }
            let (at, session) = till.open_one(number);
            Ran::Opened(order.device, at, session)
        }
        Some((device, at)) => {
            let till = &mut tills[usize::from(device)];
            if !till.sessions.as_slice()[usize::from(at)].open {
                return Ran::SessionClosed;
            }
            Ran::Counted(device, at, till.count(at, number))
        }
    }
}

pub fn device_gid(device: u8) -> String {
    format!("gid://shopify/PointOfSaleDevice/{}", device + 1)
}

fn session_gid(device: u8, at: u8) -> String {
    format!("gid://shopify/PointOfSaleDevicePaymentSession/{}{}", device + 1, at)
}

/// The session that a gid names.
pub fn session_of(gid: &str) -> (u8, u8) {
    let digits = gid.rsplit('/').next().expect("a gid");
    let number: u8 = digits.parse().expect("a session's number");
    (number / 10 - 1, number % 10)
}

pub fn device_of(gid: &str) -> u8 {
    gid.rsplit('/').next().and_then(|n| n.parse::<u8>().ok()).expect("a device's number") - 1
}

/// A session as Shopify tells it. Trailing zeros are dropped.
pub fn facts(device: u8, at: u8, session: &Session, orders: &[Order]) -> SessionFacts {
    let (amount, time, note) = match session.by {
        FOREIGN => ("90.0".to_owned(), "2026-11-23T06:30:00Z".to_owned(), None),
        ALIKE => ("150.0".to_owned(), SHOPIFYS_TIME.to_owned(), None),
        ours => {
            let variables = &orders[usize::from(ours)].variables;
            let amount = variables["balance"]["amount"].as_str().expect("an amount").trim_end_matches('0');
            let time = variables["time"].as_str().unwrap_or(SHOPIFYS_TIME);
            let zero = if amount.ends_with('.') { "0" } else { "" };
            (format!("{amount}{zero}"), time.to_owned(), variables["note"].as_str().map(str::to_owned))
        }
    };
    SessionFacts {
        id: session_gid(device, at),
        status: if session.open { "OPEN" } else { "CLOSED" }.to_owned(),
        opening_time: time,
        opening_note: note,
        counted: Money { amount, currency: "USD".to_owned() },
        expected: None,
    }
}

impl Seen {
    /// As the daemon is handed it. `drawer`: both devices are on one drawer. `complete`: there are no older sessions.
    pub fn list(&self, orders: &[Order], drawer: bool, complete: bool, date: Option<Timestamp>) -> SessionList {
        let told = |(at, session)| facts(self.device, index(at), session, orders);
        let sessions = self.sessions.iter().enumerate().map(told).rev().collect();
        let drawer = drawer.then(|| DrawerFacts {
            id: "gid://shopify/CashDrawer/1".to_owned(),
            devices: vec![device_gid(0), device_gid(1)],
        });
        let device = match self.active {
            Active::NotGranted => Device::NotGranted,
            Active::None => Device::Known { drawer, active: None },
            Active::Is(at, session) => Device::Known { drawer, active: Some(facts(self.device, at, &session, orders)) },
        };
        SessionList { device, date, ..SessionList::of(sessions, complete) }
    }
}

/// A session's ledger as the daemon is handed it.
pub fn ledger(session: &Session, orders: &[Order], date: Option<Timestamp>) -> Activities {
    let line = |by: &u8| {
        let time = match *by {
            FOREIGN | ALIKE => SHOPIFYS_TIME,
            ours => orders[usize::from(ours)].variables["time"].as_str().unwrap_or(SHOPIFYS_TIME),
        };
        let time = time.parse().expect("a time");
        CountLineAt { time, counted: Money { amount: "150.0".to_owned(), currency: "USD".to_owned() } }
    };
    let counts = session.lines.iter().rev().map(line).collect();
    Activities { counts, oldest: None, complete: true, open: session.open, date }
}

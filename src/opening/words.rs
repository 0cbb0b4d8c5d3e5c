//! What goes into the submission machine and what comes out of it. Values only.
use std::time::{Duration, Instant};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

use crate::shift::event::{Decision, Event, Money, SessionFacts};

/// Waits; a rig may shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Boot time after an unknown outcome before absence can be believed.
    pub quiet_period: Duration,
    /// Between two reads.
    pub read_every: Duration,
    /// First wait after "certainly not executed"; doubles.
    pub retry_first: Duration,
    /// The upper end of every wait that doubles.
    pub retry_max: Duration,
}

/// What the shop wants where the answer is not a matter of exactly-once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Other devices count into the same drawer.
    pub shared_drawer: SharedDrawer,
    /// The register was opened by somebody else.
    pub on_foreign_session: OnForeign,
    /// A count that was never sent is too old after this long.
    pub max_age: Duration,
    /// And when the shop's next business day has begun.
    pub business_day: BusinessDay,
}

/// `shared_drawer`: what to do when other devices are on the same drawer at Shopify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedDrawer {
    /// A person is asked, and nothing is sent.
    Deny,
    /// It is written down with the intent, and logged.
    Warn,
    /// It is meant so.
    Allow,
}

/// `on_foreign_session`: what to do with a count when the register is open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnForeign {
    /// A person is asked.
    Ask,
    /// It is recorded as a mid-session count.
    RecordCount,
}

/// When one business day ends and the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessDay {
    /// The shop's time zone.
    pub zone: TimeZone,
    /// Sales before this time of day belong to the day before.
    pub starts: civil::Time,
}

impl BusinessDay {
    /// The business day of a moment.
    #[must_use]
    pub fn of(&self, at: Timestamp) -> civil::Date {
        let local = at.to_zoned_datetime(self.zone.clone()).datetime();
        if local.time() < self.starts { local.date().yesterday().unwrap_or(local.date()) } else { local.date() }
    }
}

/// How long to wait before Shopify is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Waiting helps: the usual back-off.
    Usual,
    /// Shopify asked for this wait.
    Asked(Duration),
    /// A person has to mend something first: tried seldom.
    Longest,
}

/// What became of one sent mutation. Three outcomes, not two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and this is the session.
    Executed(SessionFacts),
    /// It ran, and Shopify refused by a user error.
    Refused {
        /// The error's code, or `UNKNOWN_CODE`.
        code: String,
        /// Shopify's words.
        message: String,
    },
    /// It certainly did not run; it goes out later, unchanged.
    NotExecuted {
        /// In words, with what to mend where waiting alone does not help.
        why: String,
        /// When to try again.
        wait: Wait,
    },
    /// It certainly did not run, and this content never will.
    Rejected {
        /// `HTTP_404`, `undefinedField`.
        code: String,
        /// In words.
        message: String,
    },
    /// Nobody knows.
    Unknown {
        /// In words.
        why: String,
    },
}

/// What Shopify tells of a device besides its sessions; it needs a scope that not every app is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub enum Device {
    /// The app may not see devices, so nothing follows.
    NotGranted,
    /// There is no such device.
    Missing,
    /// It is there.
    Known {
        /// Its drawer, if Shopify shows one. None proves nothing: without POS Pro it is not shown either.
        drawer: Option<DrawerFacts>,
        /// Its open session, if Shopify shows one. None proves nothing, for the same reason.
        active: Option<SessionFacts>,
    },
}

/// A drawer at Shopify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawerFacts {
    /// `gid://shopify/CashDrawer/N`.
    pub id: String,
    /// All devices on it, ours among them.
    pub devices: Vec<String>,
}

/// The device's newest sessions, and what else the same answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionList {
    /// In the order of creation, newest first, closed ones included.
    pub sessions: Vec<SessionFacts>,
    /// There are no older ones.
    pub complete: bool,
    /// The second way of reading: the device itself.
    pub device: Device,
    /// Shopify's clock.
    pub date: Option<Timestamp>,
    /// This PC's clock less Shopify's, in seconds.
    pub skew_s: Option<i64>,
    /// The API version that answered.
    pub api_version: Option<String>,
}

impl SessionList {
    /// Only sessions.
    #[must_use]
    pub const fn of(sessions: Vec<SessionFacts>, complete: bool) -> Self {
        Self { sessions, complete, device: Device::NotGranted, date: None, skew_s: None, api_version: None }
    }

    /// The session that the device itself calls its open one.
    #[must_use]
    pub const fn active(&self) -> Option<&SessionFacts> {
        match &self.device {
            Device::Known { active, .. } => active.as_ref(),
            Device::NotGranted | Device::Missing => None,
        }
    }

    /// On both ways.
    pub fn all(&self) -> impl Iterator<Item = &SessionFacts> {
        let active = self.active().filter(|active| !self.sessions.iter().any(|s| s.id == active.id));
        self.sessions.iter().chain(active)
    }

    /// The open one, if any.
    #[must_use]
    pub fn open(&self) -> Option<&SessionFacts> {
        self.sessions.iter().find(|s| s.status == "OPEN").or_else(|| self.active())
    }

    /// Both ways of reading show the same; else one of them lags, and neither proves that something is not there.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.active().is_none_or(|active| self.sessions.iter().any(|s| s.id == active.id && s.status == "OPEN"))
    }
}

/// What a read of the device's newest sessions brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub enum Read {
    /// A healthy answer: no errors but a scope that is missing for the device, no search warnings.
    Healthy(SessionList),
    /// Anything else proves nothing.
    Failed {
        /// In words.
        why: String,
        /// Shopify asked for this wait.
        retry_after: Option<Duration>,
    },
}

/// One count in a session's ledger. It has no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountLineAt {
    /// When it was counted, as Shopify says.
    pub time: Timestamp,
    /// What was counted.
    pub counted: Money,
}

/// The newest lines of a session's ledger, as far as they are mid-session counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activities {
    /// Newest first.
    pub counts: Vec<CountLineAt>,
    /// The time of the oldest line of any kind that was read.
    pub oldest: Option<Timestamp>,
    /// There are no older ones.
    pub complete: bool,
    /// The session is open.
    pub open: bool,
    /// Shopify's clock, whole seconds.
    pub date: Option<Timestamp>,
}

/// What a read of a session's ledger brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivityRead {
    /// A healthy answer.
    Healthy(Activities),
    /// Anything else proves nothing.
    Failed {
        /// In words.
        why: String,
        /// Shopify asked for this wait.
        retry_after: Option<Duration>,
    },
}

/// What a person decided, and who and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// What.
    pub decision: Decision,
    /// The session it is about; read at Shopify just now. For `Link` and `RecordCount`.
    pub session: Option<SessionFacts>,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A preflight that was read while the person counted. Only before the first `Go`.
    Ahead {
        /// What it brought.
        list: SessionList,
        /// When.
        taken: Instant,
    },
    /// Begin, or go on after a restart.
    Go,
    /// The event last asked for is on disk.
    Stored,
    /// The event last asked for could not be stored.
    StoreFailed,
    /// The mutation's outcome.
    Outcome(Outcome),
    /// A result of `ReadSessions`.
    Read(Read),
    /// A result of `ReadActivities`.
    Activities(ActivityRead),
    /// A result of `ReadOpener`: name and id of who opened the session, or why nobody knows.
    Opener(Result<String, String>),
    /// A person decided. Only where [`super::Opening::may_resolve`] says so.
    Resolve(Resolution),
    /// A deadline may have passed.
    Tick,
}

/// Which mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// `pointOfSaleDevicePaymentSessionOpen`.
    Open,
    /// `pointOfSaleDevicePaymentSessionCount`.
    Count,
}

/// What goes out, in this order.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Put this on disk, then say `Stored` or `StoreFailed`.
    Store(Event),
    /// Send the mutation with exactly these variables, once.
    Send {
        /// Which.
        mutation: Mutation,
        /// Its variables.
        variables: Value,
    },
    /// Read the newest sessions of the device that the count was made for, whatever the configuration says today.
    ReadSessions {
        /// `gid://shopify/PointOfSaleDevice/N`.
        device: String,
    },
    /// Read the newest lines of this session's ledger.
    ReadActivities {
        /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
        session: String,
    },
    /// Ask who opened this session.
    ReadOpener {
        /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
        session: String,
    },
    /// Say `Tick` then.
    WakeAt(Instant),
}

/// Why a mutation's `time` is sent or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallClock {
    /// Nothing has answered yet: `time` is sent, as long as nothing speaks against it.
    NeverCompared,
    /// Within two minutes of Shopify's `Date`.
    Trusted,
    /// Off by more: `time` is omitted.
    Wrong,
}

//! What the shop remembers: sessions with their cash lines, tokens, rules for faults, requests.
//!
//! ## Why a vector under one lock
//! A till has a handful of sessions and one request at a time. Nothing here is worth a database.
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::clock;
use super::fault::{Fault, FaultRule, Kind};
use super::schema::CurrencyCode;
use super::{AdminSpec, RequestRow, SessionRow};
use crate::line;

/// Requests kept for looking at: hours of a busy scenario.
pub const REQUESTS: usize = 10_000;

/// Points a bucket holds and how many come back each second, on the Standard plan.
/// Source: fact sheet of the Admin API, "Limits" (recorded answers).
pub const BUCKET: u64 = 2_000;
/// See [`BUCKET`].
pub const RESTORE: u64 = 100;

/// A client-credentials token lives this long. Source: fact sheet of the Admin API, "Authentication".
pub const TOKEN_LIFE_S: u64 = 86_399;

/// A bound against lives that no clock can count.
const LONGEST_TOKEN_LIFE_S: u64 = 10 * 365 * 86_400;

/// A session of a device.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: u64,
    pub device: u64,
    pub staff: u64,
    pub opening_time: i64,
    pub opening_note: Option<String>,
    pub counted: Decimal,
    pub expected: Decimal,
    pub by: &'static str,
    pub closing: Option<Closing>,
    pub lines: Vec<CashLine>,
    /// When it was stored, for reads that lag.
    pub created: Instant,
}

/// The end of a session.
#[derive(Debug, Clone)]
pub struct Closing {
    pub time: i64,
    pub staff: u64,
    pub note: Option<String>,
    pub counted: Decimal,
    pub expected: Decimal,
}

/// One line of a session's ledger.
#[derive(Debug, Clone)]
pub struct CashLine {
    pub what: LineKind,
    pub cash: Decimal,
    pub expected: Decimal,
    pub staff: u64,
    pub time: i64,
    /// When it was stored, for reads that lag.
    pub created: Instant,
}

/// What kind of line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    OpeningCount,
    MidCount,
    ClosingCount,
    Adjustment { note: Option<String>, reason: Option<u64> },
}

/// A session about to be opened; everything was checked before.
pub struct Opening {
    pub device: u64,
    pub staff: u64,
    pub amount: Decimal,
    pub time: i64,
    pub note: Option<String>,
    pub by: &'static str,
}

pub struct Issued {
    pub token: String,
    pub until: Instant,
}

pub struct Store {
    pub spec: AdminSpec,
    pub currency: CurrencyCode,
    pub expected: Decimal,
    pub sessions: Vec<Session>,
    pub faults: Vec<FaultRule>,
    pub tokens: Vec<Issued>,
    pub requests: VecDeque<RequestRow>,
    bucket: Bucket,
    /// Drawers of devices that were moved from their own one.
    moved: BTreeMap<u64, u64>,
    /// Drawers that were made or named.
    named: BTreeMap<u64, String>,
}

impl Session {
    pub fn gid(&self) -> String {
        gid("PointOfSaleDevicePaymentSession", self.id)
    }

    /// What the drawer should hold now, as far as this session knows.
    pub fn expected_now(&self) -> Decimal {
        self.counted + self.adjustments()
    }

    pub fn adjustments(&self) -> Decimal {
        let adjusted = |line: &&CashLine| matches!(line.what, LineKind::Adjustment { .. });
        self.lines.iter().filter(adjusted).map(|line| line.cash).sum()
    }

    /// Counted less expected, over the opening and the closing count.
    pub fn discrepancy(&self) -> Decimal {
        let at_close = self.closing.as_ref().map_or(Decimal::ZERO, |end| end.counted - end.expected);
        self.counted - self.expected + at_close
    }

    pub fn row(&self, currency: &str) -> SessionRow {
        SessionRow {
            gid: self.gid(),
            device: self.device,
            open: self.closing.is_none(),
            opening_time: stamp(self.opening_time),
            note: self.opening_note.clone(),
            amount: self.counted.to_string(),
            currency: currency.to_owned(),
            staff: Some(self.staff),
            by: self.by,
        }
    }
}

impl Store {
    pub fn new(spec: AdminSpec) -> Result<Store, String> {
        let currency = CurrencyCode::read(&spec.currency)
            .ok_or_else(|| format!("{} is not a currency Shopify lists", spec.currency))?;
        let expected = spec.expected.parse().map_err(|_| format!("{} is not a decimal", spec.expected))?;
        Ok(Store {
            spec,
            currency,
            expected,
            sessions: Vec::new(),
            faults: Vec::new(),
            tokens: Vec::new(),
            requests: VecDeque::new(),
            bucket: Bucket { thousandths: BUCKET * 1_000, since: line::now() },
            moved: BTreeMap::new(),
            named: BTreeMap::new(),
        })
    }

    pub fn change_spec(&mut self, mut spec: AdminSpec) {
        match CurrencyCode::read(&spec.currency) {
            Some(currency) => self.currency = currency,
            None => spec.currency.clone_from(&self.spec.currency),
        }
        match spec.expected.parse() {
            Ok(expected) => self.expected = expected,
            Err(_) => spec.expected.clone_from(&self.spec.expected),
        }
        self.spec = spec;
    }

    /// Seconds since 1970, by the shop's clock.
    pub fn now(&self) -> i64 {
        clock::shop_seconds(self.spec.clock_skew_s)
    }

    pub fn rows(&self) -> Vec<SessionRow> {
        self.sessions.iter().map(|session| session.row(&self.spec.currency)).collect()
    }

    /// The drawer a device feeds: with its own number, unless it was moved.
    pub fn drawer_of(&self, device: u64) -> Option<u64> {
        self.spec.drawer.then(|| self.moved.get(&device).copied().unwrap_or(device))
    }

    /// Every drawer there is.
    pub fn drawers(&self) -> Vec<u64> {
        let own = self.spec.device_ids.iter().filter(|_| self.spec.drawer);
        let mut all: Vec<u64> = own.chain(self.named.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub fn drawer_name(&self, drawer: u64) -> String {
        self.named.get(&drawer).cloned().unwrap_or_else(|| format!("Drawer {drawer}"))
    }

    pub fn devices_of(&self, drawer: u64) -> Vec<u64> {
        self.spec.device_ids.iter().copied().filter(|device| self.drawer_of(*device) == Some(drawer)).collect()
    }

    /// Puts a device on a drawer. A shop whose devices had none has one for each of them from now on.
    pub fn assign(&mut self, device: u64, drawer: u64) {
        self.spec.drawer = true;
        self.moved.insert(device, drawer);
    }

    /// The drawer of that name, made if there is none, with the device on it.
    pub fn drawer_named(&mut self, name: &str, device: u64) -> u64 {
        let drawers = self.drawers();
        let found = drawers.iter().copied().find(|drawer| self.drawer_name(*drawer) == name);
        let drawer = found.unwrap_or_else(|| {
            let highest = drawers.iter().chain(&self.spec.device_ids).max().copied().unwrap_or(0);
            self.named.insert(highest + 1, name.to_owned());
            highest + 1
        });
        self.assign(device, drawer);
        drawer
    }

    pub fn open_session_of(&self, device: u64) -> Option<&Session> {
        self.sessions.iter().find(|session| session.device == device && session.closing.is_none())
    }

    pub fn session_mut(&mut self, id: u64) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// Stores a session. The first one is number 1001, so that it looks like no other id.
    pub fn open(&mut self, opening: Opening) -> SessionRow {
        let Opening { device, staff, amount, time, note, by } = opening;
        let id = 1_001 + u64::try_from(self.sessions.len()).unwrap_or(u64::MAX - 1_001);
        let expected = self.expected;
        let created = line::now();
        let line = CashLine { what: LineKind::OpeningCount, cash: amount, expected, staff, time, created };
        let session = Session {
            id,
            device,
            staff,
            opening_time: time,
            opening_note: note,
            counted: amount,
            expected,
            by,
            closing: None,
            lines: vec![line],
            created,
        };
        let row = session.row(&self.spec.currency);
        self.sessions.push(session);
        row
    }

    /// Ends an open session with a closing count.
    pub fn close(&mut self, id: u64, staff: u64, counted: Decimal, time: i64, note: Option<String>) -> Option<SessionRow> {
        let currency = self.spec.currency.clone();
        let session = self.session_mut(id).filter(|session| session.closing.is_none())?;
        let expected = session.expected_now();
        let created = line::now();
        session.lines.push(CashLine { what: LineKind::ClosingCount, cash: counted, expected, staff, time, created });
        session.closing = Some(Closing { time, staff, note, counted, expected });
        Some(session.row(&currency))
    }

    /// A person ends it at the till, with what should be there.
    pub fn close_elsewhere(&mut self, id: u64, time: i64) -> Option<SessionRow> {
        let session = self.session_mut(id)?;
        let (staff, expected, time) = (session.staff, session.expected_now(), time.max(session.opening_time));
        self.close(id, staff, expected, time, None)
    }

    /// The oldest rule for such a request; it is used up by one.
    pub fn take_fault(&mut self, kind: Kind) -> Option<Fault> {
        let rule = self.faults.iter_mut().find(|rule| rule.matches(kind))?;
        let fault = rule.fault.clone();
        if rule.times != u32::MAX {
            rule.times -= 1;
        }
        self.faults.retain(|rule| rule.times > 0);
        Some(fault)
    }

    pub fn accepts(&self, token: &str) -> bool {
        let now = line::now();
        self.spec.shop_token.as_deref() == Some(token)
            || self.tokens.iter().any(|issued| issued.token == token && now < issued.until)
    }

    /// Gives out a token that is unlike any other of this process.
    pub fn issue_token(&mut self) -> String {
        use std::hash::{BuildHasher, RandomState};
        let token = format!("shpca_{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2));
        let until = line::now() + Duration::from_secs(self.spec.token_life_s.min(LONGEST_TOKEN_LIFE_S));
        self.tokens.push(Issued { token: token.clone(), until });
        token
    }

    /// Takes `cost` points; what is left, or the error with what is there.
    pub fn spend(&mut self, cost: u64) -> Result<u64, u64> {
        self.bucket.spend(cost, line::now())
    }

    /// What came then is carried out only now.
    pub fn executed_late(&mut self, at: Instant, executed: bool) {
        if let Some(row) = self.requests.iter_mut().find(|row| row.at == at) {
            row.executed = executed;
        }
    }

    pub fn note_request(&mut self, row: RequestRow) {
        if self.requests.len() == REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(row);
    }
}

/// A leaky bucket, in thousandths of a point.
struct Bucket {
    thousandths: u64,
    since: Instant,
}

impl Bucket {
    fn spend(&mut self, cost: u64, now: Instant) -> Result<u64, u64> {
        let elapsed = u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        self.thousandths = self.thousandths.saturating_add(elapsed.saturating_mul(RESTORE)).min(BUCKET * 1_000);
        self.since = now;
        if cost * 1_000 > self.thousandths {
            return Err(self.thousandths / 1_000);
        }
        self.thousandths -= cost * 1_000;
        Ok(self.thousandths / 1_000)
    }
}

/// `gid://shopify/Type/number`.
pub fn gid(kind: &str, number: u64) -> String {
    format!("gid://shopify/{kind}/{number}")
}

/// The number in a gid of that type.
pub fn number_in(gid: &str, kind: &str) -> Option<u64> {
    let number = gid.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?;
    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())?
}

/// `YYYY-MM-DDTHH:MM:SSZ`: no fraction, no offset. Source: fact sheet of the Admin API, "Scalars" (recorded answers).
pub fn stamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_whole_seconds_and_a_z() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(1_784_031_731), "2026-07-14T12:22:11Z");
    }

    #[test]
    fn a_gid_of_another_type_has_no_number() {
        assert_eq!(number_in("gid://shopify/PointOfSaleDevice/12", "PointOfSaleDevice"), Some(12));
        assert_eq!(number_in("gid://shopify/StaffMember/12", "PointOfSaleDevice"), None);
        assert_eq!(number_in("gid://shopify/PointOfSaleDevice/+2", "PointOfSaleDevice"), None);
        assert_eq!(number_in("12", "PointOfSaleDevice"), None);
    }

    #[test]
    fn an_empty_bucket_fills_with_time() {
        let start = line::now();
        let mut bucket = Bucket { thousandths: 20_000, since: start };
        assert_eq!(bucket.spend(20, start), Ok(0));
        assert_eq!(bucket.spend(20, start), Err(0));
        assert_eq!(bucket.spend(20, start + Duration::from_millis(200)), Ok(0));
        assert_eq!(bucket.spend(1, start + Duration::from_secs(3_600)), Ok(1_999));
    }
}

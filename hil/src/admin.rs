//! A strict stand-in for Shopify's Admin GraphQL API 2026-04, on loopback: what a till bridge asks of a shop, the
//! rules that are written down, and every way an answer can get lost. It says nothing about what a daemon should do.
//!
//! ## Why strict where the documentation is silent
//! Where nobody has recorded what the real API does, this one takes the harder of the plausible behaviours: a number
//! that is not a string is refused, an offset in a time is refused, `ALREADY_OPEN` brings no session object, and a
//! scope for writing does not let one read. A bridge that lives with this one lives with a kinder one too. One thing is
//! deliberately *not* refused: a session opened with a time before the last one's end. Refusing it would hide a bridge
//! that resends blindly.
//!
//! ## Why its own HTTP
//! A test has to decide between "reset before a byte was answered", "closed after the work was done" and "half a body".
//! A web framework's business is to keep these from happening.
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::broadcast;

mod access;
mod clock;
mod door;
mod fault;
mod graphql;
mod http;
mod schema;
pub mod sdl;
mod search;
mod store;
mod token;

pub use fault::{Fault, FaultRule, Operation};

use door::Door;
use store::Store;

/// Events kept for a listener that lags: a scenario makes a few hundred.
const EVENTS: usize = 4_096;

/// The one API version this stand-in serves; older ones fall forward to it, newer ones are not found.
/// Source: fact sheet of the Admin API, "Endpoint, headers, versions".
pub const API_VERSION: &str = "2026-04";

/// The shop behind the stand-in. A change by [`AdminApi::update`] holds from the next request on (`listen` excepted).
#[derive(Debug, Clone)]
pub struct AdminSpec {
    /// ISO 4217 code of the shop's and every drawer's currency.
    pub currency: String,
    /// Numbers of the known point of sale devices (`gid://shopify/PointOfSaleDevice/N`).
    pub device_ids: Vec<u64>,
    /// Numbers of the known staff members (`gid://shopify/StaffMember/N`).
    pub staff_ids: Vec<u64>,
    /// Numbers of the known reason codes (`gid://shopify/CashManagementCustomReasonCode/N`): in lists the first shows as a
    /// system code and the second as a default one.
    pub reason_code_ids: Vec<u64>,
    /// What a drawer should hold when a session opens, as a decimal.
    pub expected: String,
    /// A permanent token that is accepted.
    pub shop_token: Option<String>,
    /// Client id and secret of an app that may ask for tokens.
    pub client: Option<(String, String)>,
    /// Whether the devices are assigned to a cash drawer.
    pub drawer: bool,
    /// Scopes granted to every token.
    pub scopes: Vec<String>,
    /// Where to listen; `127.0.0.1` and a free port if not given.
    pub listen: Option<SocketAddr>,
    /// Seconds the shop's clock is ahead of this machine's.
    pub clock_skew_s: i64,
    /// Seconds a token from the token endpoint is good for; a change holds for tokens given out later.
    pub token_life_s: u64,
}

impl Default for AdminSpec {
    fn default() -> Self {
        Self {
            currency: "USD".into(),
            device_ids: vec![1],
            staff_ids: vec![1, 2, 3],
            reason_code_ids: vec![1],
            expected: "100.00".into(),
            shop_token: Some("shpat_rig".into()),
            client: Some(("rig-client".into(), "rig-secret".into())),
            drawer: true,
            scopes: access::ALL.iter().map(|scope| (*scope).to_owned()).collect(),
            listen: None,
            clock_skew_s: 0,
            token_life_s: store::TOKEN_LIFE_S,
        }
    }
}

/// One session as the shop has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// `gid://shopify/PointOfSaleDevicePaymentSession/N`.
    pub gid: String,
    /// Number of the device.
    pub device: u64,
    /// Whether it is still open.
    pub open: bool,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub opening_time: String,
    /// The note of the opening, verbatim.
    pub note: Option<String>,
    /// Cash counted at opening, with the digits it was sent with (`200.00`).
    pub amount: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Number of the staff member who opened it.
    pub staff: Option<u64>,
    /// Who opened it: `api`, `elsewhere` or `checkout`.
    pub by: &'static str,
}

/// One request as the shop saw it.
#[derive(Debug, Clone)]
pub struct RequestRow {
    /// When its first byte arrived.
    pub at: Instant,
    /// Name of the GraphQL operation; `token` at the token endpoint; else the path.
    pub operation: String,
    /// The variables sent; null at the token endpoint.
    pub variables: serde_json::Value,
    /// HTTP status of the answer; 0 if the connection ended without one.
    pub status: u16,
    /// A mutation: it changed something; one that is carried out late has not yet. Anything else: it was carried out.
    pub executed: bool,
    /// The answer's body, as sent.
    pub body: String,
}

/// What happened at the shop, as it happens.
#[derive(Debug, Clone)]
pub enum AdminEvent {
    /// The first bytes of a request arrived.
    FirstByte(Instant),
    /// A session was opened or closed.
    Session(SessionRow),
    /// A request was answered, or dropped. Sent before the answer's first byte.
    Request(RequestRow),
}

/// The stand-in's own schema, as text.
pub fn sdl() -> String {
    schema::build().sdl()
}

/// What all parts of the stand-in share.
struct Shared {
    store: Mutex<Store>,
    events: broadcast::Sender<AdminEvent>,
    schema: schema::AdminSchema,
    sdl: sdl::Sdl,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("no holder of the store panics")
    }

    /// Listeners are optional: no receiver is no error.
    fn tell(&self, event: AdminEvent) {
        drop(self.events.send(event));
    }
}

/// The running stand-in; cheap to clone. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct AdminApi {
    shared: Arc<Shared>,
    door: Arc<Door>,
}

impl AdminApi {
    /// Starts listening.
    ///
    /// # Errors
    /// When the address cannot be bound, or the spec's currency or amount cannot be read.
    pub async fn spawn(spec: AdminSpec) -> io::Result<AdminApi> {
        let listen = spec.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let schema = schema::build();
        let sdl = sdl::Sdl::parse(&schema.sdl()).map_err(io::Error::other)?;
        let store = Mutex::new(Store::new(spec).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?);
        let shared = Arc::new(Shared { store, events: broadcast::channel(EVENTS).0, schema, sdl });
        let door = Arc::new(Door::open(listen, Arc::clone(&shared))?);
        Ok(AdminApi { shared, door })
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.door.addr())
    }

    /// Adds a rule; of several that fit, the oldest one is used up first.
    pub fn fault(&self, rule: FaultRule) {
        self.shared.store().faults.push(rule);
    }

    /// Takes all rules away. A stall that has begun goes on.
    pub fn clear_faults(&self) {
        self.shared.store().faults.clear();
    }

    /// `true`: connections are refused and the ones there are reset, from this call's return on. `false`: the same
    /// port is served again.
    ///
    /// # Panics
    /// When this process has no file descriptor left for the listener; the port itself is kept while the shop is down.
    pub fn set_down(&self, down: bool) {
        if down {
            self.door.shut();
        } else {
            self.door.reopen().expect("the port was kept for us, and a descriptor for its listener is left");
        }
    }

    /// Somebody opens a session at the till itself. If one is open there already, nothing happens and its gid comes back.
    ///
    /// # Panics
    /// When `amount` is not a decimal.
    pub fn open_elsewhere(&self, device: u64, amount: &str, note: &str) -> String {
        let amount = amount.parse().expect("the amount is a decimal");
        self.open_by(device, amount, Some(note.to_owned()), "elsewhere")
    }

    /// A cash sale starts a session by itself, with the expected sum as float (`AUTO_START_SESSION_CHECKOUT`).
    /// If one is open on the device already, nothing happens and its gid comes back.
    pub fn checkout_starts(&self, device: u64) -> String {
        let expected = self.shared.store().expected;
        self.open_by(device, expected, None, "checkout")
    }

    fn open_by(&self, device: u64, amount: rust_decimal::Decimal, note: Option<String>, by: &'static str) -> String {
        let row = {
            let mut store = self.shared.store();
            if let Some(open) = store.open_session_of(device) {
                return open.row(&store.spec.currency).gid;
            }
            let staff = store.spec.staff_ids.first().copied().unwrap_or(1);
            let time = store.now();
            store.open(store::Opening { device, staff, amount, time, note, by })
        };
        self.shared.tell(AdminEvent::Session(row.clone()));
        row.gid
    }

    /// Somebody ends a session at the till itself, with the expected sum as count. An unknown or ended one stays as it is.
    pub fn close_session(&self, gid: &str) {
        let row = {
            let mut store = self.shared.store();
            let time = store.now();
            store::number_in(gid, "PointOfSaleDevicePaymentSession").and_then(|id| store.close_elsewhere(id, time))
        };
        if let Some(row) = row {
            self.shared.tell(AdminEvent::Session(row));
        }
    }

    /// Ends every open session.
    pub fn close_all(&self) {
        for row in self.sessions().into_iter().filter(|row| row.open) {
            self.close_session(&row.gid);
        }
    }

    /// Tokens given out at the token endpoint are refused from now on; the permanent one stays good.
    pub fn expire_tokens(&self) {
        self.shared.store().tokens.clear();
    }

    /// Every session, oldest first.
    pub fn sessions(&self) -> Vec<SessionRow> {
        self.shared.store().rows()
    }

    /// The newest requests, oldest first; the last [`store::REQUESTS`] are kept.
    pub fn requests(&self) -> Vec<RequestRow> {
        self.shared.store().requests.iter().cloned().collect()
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> broadcast::Receiver<AdminEvent> {
        self.shared.events.subscribe()
    }

    /// Assigns the devices to a cash drawer, or takes them off it.
    pub fn set_drawer(&self, drawer: bool) {
        self.shared.store().spec.drawer = drawer;
    }

    /// Puts a device on another one's drawer: both count the same cash.
    pub fn share_drawer(&self, device: u64, with: u64) {
        let mut store = self.shared.store();
        let drawer = store.drawer_of(with).unwrap_or(with);
        store.assign(device, drawer);
    }

    /// From the next request on, the shop's clock is so many seconds ahead of this machine's, or behind it.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.shared.store().spec.clock_skew_s = seconds;
    }

    /// From the next request on, every token has these scopes and no others.
    pub fn set_scopes(&self, scopes: Vec<String>) {
        self.shared.store().spec.scopes = scopes;
    }

    /// Tokens given out from now on are good for so many seconds.
    pub fn set_token_life(&self, seconds: u64) {
        self.shared.store().spec.token_life_s = seconds;
    }

    /// Begins anew as another shop on the same port: no session, no request, no token, no rule.
    ///
    /// # Errors
    /// When the spec's currency or amount cannot be read; then nothing has changed.
    pub fn start_over(&self, spec: AdminSpec) -> Result<(), String> {
        *self.shared.store() = Store::new(spec)?;
        Ok(())
    }

    /// Changes the shop. A currency or expected amount that cannot be read leaves those two as they were.
    pub fn update(&self, change: impl FnOnce(&mut AdminSpec)) {
        let mut store = self.shared.store();
        let mut spec = store.spec.clone();
        change(&mut spec);
        store.change_spec(spec);
    }
}

//! `drawerbridge.toml` → checked settings. Line and column in every error.
//!
//! Read once, at start; what comes out cannot be wrong. Secrets stay in their files and are read when they are needed.
//!
//! ## Why all mistakes at once
//! An installer mends a file on a till PC, often by phone. One list of places and remedies is one call; a list that
//! grows back after every correction is ten.
mod disk;
mod load;
pub(crate) mod reader;
pub(crate) mod report;
mod secret;
mod tills;
mod used;
pub(crate) mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    device::profile::{DisplayProfile, KeypadProfile, PrinterProfile},
    money::{Amount, Currency},
    opening::{OnForeign, SharedDrawer},
};

pub use self::{
    load::{load, load_for_check, load_for_run, load_text},
    report::{Problem, Problems},
    secret::{Secret, SecretError, read_secret},
};

/// A whole settings file with every key, its default and a comment. `drawerbridge config example` prints it.
pub const EXAMPLE: &str = include_str!("config/example.toml");

/// Everything `drawerbridge run` needs, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shop.
    pub shop: Shop,
    /// The journal's file.
    pub journal: PathBuf,
    /// The local API.
    pub api: ApiSettings,
    /// The staff, at least one.
    pub staff: Vec<Staff>,
    /// The tills, at least one.
    pub tills: Vec<Till>,
    /// Waits that a rig may shorten.
    pub timing: Timing,
}

/// `[shop]`.
#[derive(Debug, Clone)]
pub struct Shop {
    /// `example.myshopify.com`.
    pub domain: String,
    /// Printed on the slip; the domain when not set.
    pub name: String,
    /// `2026-04`.
    pub api_version: String,
    /// Where requests go: `https://{domain}` or a loopback `http://127.0.0.1:PORT`. No trailing slash.
    pub endpoint: String,
    /// The shop's currency.
    pub currency: Currency,
    /// The shop's time zone.
    pub time_zone: jiff::tz::TimeZone,
    /// How a token is had.
    pub token: TokenSource,
    /// Other devices count into a till's drawer. Default: warn.
    pub shared_drawer: SharedDrawer,
    /// The register was opened by somebody else. Default: ask.
    pub on_foreign_session: OnForeign,
    /// Sales before this time of day belong to the day before. Default 04:00.
    pub business_day_starts: jiff::civil::Time,
}

/// How an access token is had. Secrets are read when needed, never kept in settings.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// `access_token_file`.
    File(PathBuf),
    /// `[shop.client_credentials]`.
    ClientCredentials {
        /// The app's client id.
        client_id: String,
        /// The file that holds the secret.
        secret_file: PathBuf,
    },
}

/// `[api]`.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Loopback only; port 0 lets the system pick.
    pub listen: SocketAddr,
    /// Used if it is there, else made at first start, 0600.
    pub token_file: PathBuf,
    /// Origins (`https://pos.example`) whose pages may call besides none.
    pub allowed_origins: Vec<String>,
}

/// One of `[[staff]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// Printed on the slip.
    pub name: String,
    /// Typed (digits alone) or scanned (four characters or more); letters and digits, up to a badge's length.
    pub number: String,
    /// `gid://shopify/StaffMember/N`.
    pub id: String,
}

/// One of `[[till]]`.
#[derive(Debug, Clone)]
pub struct Till {
    /// `front-1`.
    pub name: String,
    /// `gid://shopify/PointOfSaleDevice/N`.
    pub device_id: String,
    /// `gid://shopify/…`.
    pub reason_code_id: Option<String>,
    /// The receipt printer, if any.
    pub printer: Option<Printer>,
    /// The drawer, if any.
    pub drawer: Option<Drawer>,
    /// The pole display, if any.
    pub display: Option<Display>,
    /// Keypads and scanners.
    pub keypads: Vec<Keypad>,
    /// How the float is counted.
    pub count: Count,
}

/// Where a device is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// A serial port.
    Serial {
        /// `/dev/ttyUSB0`, or a by-id or by-path link.
        path: PathBuf,
        /// Bits per second; the profile's when not given.
        baud: u32,
        /// Flow control.
        flow: Flow,
    },
    /// `host:9100`.
    Tcp(String),
    /// An input device, `/dev/input/by-id/…`.
    Evdev(PathBuf),
    /// A display in front of or behind the printer, on the printer's own line (`via = "printer"`).
    ViaPrinter,
}

/// Flow control of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// None.
    None,
    /// RTS/CTS.
    Hardware,
    /// XON/XOFF.
    Software,
}

/// `[till.printer]`.
#[derive(Debug, Clone)]
pub struct Printer {
    /// Model facts.
    pub profile: PrinterProfile,
    /// Where it is.
    pub port: Port,
}

/// `[till.drawer]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawer {
    /// Connector pin of the printer's kick port.
    pub pin: Pin,
    /// What the sense line means.
    pub sense: Sense,
    /// Open for longer than this is said once. Default 5 min.
    pub left_open_after: Duration,
}

/// The drive pin of the kick port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Pin 2, drawer 1, m = 00.
    Two,
    /// Pin 5, drawer 2, m = 01.
    Five,
}

/// What the level of pin 3 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// `open_when = "low"`, the default.
    LowIsOpen,
    /// `open_when = "high"`.
    HighIsOpen,
    /// `open_when = "no_sensor"`: the level means nothing.
    NoSensor,
}

/// `[till.display]`.
#[derive(Debug, Clone)]
pub struct Display {
    /// Model facts.
    pub profile: DisplayProfile,
    /// Where it is.
    pub port: Port,
    /// What of the amount may be seen.
    pub echo: Echo,
    /// Shown when nothing happens; two rows.
    pub idle: [String; 2],
}

/// What of the amount the display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Digits.
    Digits,
    /// One `*` per digit.
    Masked,
}

/// `[till.keypad]` or one of `[[till.keypad]]`.
#[derive(Debug, Clone)]
pub struct Keypad {
    /// Model facts.
    pub profile: KeypadProfile,
    /// Where it is.
    pub port: Port,
}

/// `[till.count]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// How the amount is entered.
    pub entry: EntryMode,
    /// Coins and notes that are asked for, largest first; the currency's usual ones when not set. Empty when none are
    /// known: the float is then one total.
    pub denominations: Vec<Amount>,
    /// What the float usually is. A count far from it asks once more.
    pub expected_float: Option<Amount>,
    /// Expected amounts are never shown.
    pub blind: bool,
    /// A count that was never sent is asked for again when it is older than this. Default 4 h.
    pub max_age: Duration,
    /// Decimals that keyed digits imply; default the currency's exponent.
    pub entry_exponent: u32,
    /// A second slip when Shopify's answer arrives after the first.
    pub second_slip: bool,
    /// A question (who is there, is this right) without a key for this long is given up. Default 120 s.
    pub idle_timeout: Duration,
    /// A count without a key for this long is given up: coins are counted with both hands. Default 10 min.
    pub count_timeout: Duration,
}

/// How the amount is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryMode {
    /// One total.
    Total,
    /// Pieces per denomination.
    Denominations,
}

/// `[timing]`: waits that a rig may shorten. Defaults are for a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Boot time after an unknown outcome before "absent" can be believed. Default 120 s.
    pub quiet_period: Duration,
    /// Between two reads while reconciling. Default 5 s.
    pub read_every: Duration,
    /// First wait after a failed connection; doubles up to `retry_max`. Default 2 s.
    pub retry_first: Duration,
    /// Default 60 s.
    pub retry_max: Duration,
    /// A request without an answer for this long is unknown. Default 20 s.
    pub request_timeout: Duration,
    /// Wait before a failed port is tried again: first 500 ms here, doubling to `reopen_max`.
    pub reopen_first: Duration,
    /// Default 5 s.
    pub reopen_max: Duration,
    /// How long a printed proof is awaited once the printer is ready. Default 10 s.
    pub print_proof: Duration,
    /// Limit of a kick's answer. Default 1 s.
    pub kick_answer: Duration,
    /// The first look for a second session after a confirmation. Default 5 min.
    pub echo_first: Duration,
    /// The second one, after the same confirmation. Default 1 h.
    pub echo_second: Duration,
    /// Slow poll of `DLE EOT 1` when ASB is proven. Default 15 s.
    pub poll: Duration,
    /// Enter is not heard for this long after it was asked for: a key that bounces answers nothing. Default 250 ms.
    pub confirm_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet_period: Duration::from_secs(120),
            read_every: Duration::from_secs(5),
            retry_first: Duration::from_secs(2),
            retry_max: Duration::from_secs(60),
            request_timeout: Duration::from_secs(20),
            reopen_first: Duration::from_millis(500),
            reopen_max: Duration::from_secs(5),
            print_proof: Duration::from_secs(10),
            kick_answer: Duration::from_secs(1),
            echo_first: Duration::from_secs(300),
            echo_second: Duration::from_secs(3600),
            poll: Duration::from_secs(15),
            confirm_pause: Duration::from_millis(250),
        }
    }
}

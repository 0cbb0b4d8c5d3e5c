//! What the proof assumes of the world, each with a name. A world that breaks one of these need not hold the invariants, so
//! none is generated that does.
//!
//! Three more have no number. The manager looks at Shopify before he decides, and does not decide while a request is on its
//! way. What is called "certainly not executed" never runs. A proxy may deliver an open request twice, but
//! not a count: nothing at Shopify fences the second copy, and nothing at the till could tell (fact sheet 7).
use drawerbridge::opening::Waits;

/// Virtual time since a world began, in milliseconds.
pub type Ms = u64;

/// A second.
pub const S: Ms = 1000;
/// A minute.
pub const MIN: Ms = 60 * S;
/// An hour.
pub const HOUR: Ms = 60 * MIN;

/// The waits of a shop: the proof is about these.
pub const WAITS: Waits = Waits {
    quiet_period: std::time::Duration::from_secs(120),
    read_every: std::time::Duration::from_secs(5),
    retry_first: std::time::Duration::from_secs(2),
    retry_max: std::time::Duration::from_secs(60),
};

/// The daemon gives a request up after this long (`request_timeout`).
pub const CLIENT_GIVES_UP: Ms = 20 * S;
/// Shopify gives up after ten seconds and says 504 (fact sheet 3).
pub const SHOPIFY_GIVES_UP: Ms = 10 * S;
/// However long the network holds a request: it has run this long after it was sent, or never will. Every copy of it, too.
/// So the third read after the quiet period, the one that proves absence, shows it even if it lags as far as it may.
pub const RUNS_WITHIN: Ms = 100 * S;
/// A read shows what was true at most this long ago. Each way of reading lags by itself.
pub const READ_LAG: Ms = 20 * S;
const _: () = assert!(RUNS_WITHIN + READ_LAG <= 120 * S, "the quiet period covers both");

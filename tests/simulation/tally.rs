//! What happened, counted by name. A case that never happened proves nothing, so every name of [`MUST`] has to.
use std::collections::BTreeMap;

/// How often each thing happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, u64>);

/// Without each of these a run of 10,000 openings has not shown what it should.
pub const MUST: &[&str] = &[
    // Endings.
    "confirmed by the answer",
    "confirmed by a read",
    "refused",
    "rejected",
    "recorded by the answer",
    "recorded by a read",
    "stale",
    "cancelled",
    "asked: foreign_session",
    "asked: hidden_session",
    "asked: ambiguous",
    "asked: attempts_used_up",
    "asked: shared_drawer",
    "asked: duplicate",
    "asked: count_refused",
    "resolved: link",
    "resolved: record_count",
    "resolved: give_up",
    "resolve refused",
    "decided while a count was written",
    // On the way.
    "sent",
    "sent counts",
    "sent without time",
    "resent",
    "resent after absence",
    "not sent",
    "unknown",
    "fenced",
    "absent",
    "shift closed",
    // The network and the server.
    "request lost",
    "answer lost",
    "ran late",
    "ran after the client gave up",
    "doubled",
    "doubled: a second session",
    "doubled: fenced",
    "5xx before",
    "5xx after",
    "not reachable",
    "throttled",
    "forbidden",
    "read failed",
    "read lagged",
    "replica lags",
    "outage",
    "long outage",
    "devices not granted",
    "device missing",
    "drawer shared",
    "time of the server's own",
    // People.
    "colleague opened",
    "colleague closed",
    "checkout opened",
    "logout closed ours",
    "counted over the API",
    "counted by denomination",
    "corrected",
    "walked away",
    "wrong number",
    "badge",
    "keys lost",
    // The PC.
    "crash",
    "crash before an append was acknowledged: on disk",
    "crash before an append was acknowledged: lost",
    "crash while a request was on its way",
    "stopped in order",
    "new boot",
    "disk full",
    "append failed",
    "disk slow",
    "clock jumped",
    "clock in 1970",
    "two tills",
    "masked",
    "overdue shown",
    "said in the log",
];

impl Tally {
    /// It happened once more.
    pub fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    /// So many times more.
    pub fn add_many(&mut self, name: &'static str, n: u64) {
        *self.0.entry(name).or_default() += n;
    }

    /// How often it happened.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Both together.
    pub fn merge(&mut self, other: &Self) {
        for (name, n) in &other.0 {
            self.add_many(name, *n);
        }
    }

    /// What should have happened and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        MUST.iter().copied().filter(|name| self.of(name) == 0).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(name, n)| format!("{name} {n}")).collect();
        f.write_str(&all.join(", "))
    }
}

//! What goes wrong in a run of the demo: how it is set up, how it is told, and how the run must end.
use std::{ops::RangeInclusive, time::Duration};

use drawerbridge_hil::admin::{AdminApi, Fault, FaultRule, Operation};

/// The network is away for the whole count, then comes back.
const API_DOWN: &str = "api-down";
/// A lost answer whose session reads do not show for a while.
const LAG_READS: &str = "lag-reads";
/// How much longer than the lag the quiet period is: what a read does not show then is not there, and will not be.
const BEYOND_THE_LAG: Duration = Duration::from_secs(2);
/// Longer than the worst fault takes with the demo's waits, a lag and a wait that Shopify asks for aside.
const LONGEST: Duration = Duration::from_secs(60);

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plot {
    /// Nothing.
    Smooth,
    /// Shopify cannot be reached until the count is saved.
    ApiDown,
    /// The first opening meets this.
    Fault(Fault),
    /// The first opening's answer is lost, and reads do not show sessions younger than this.
    Lag(Duration),
}

/// How a run must end. Anything else is a mistake of the daemon, or of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Must {
    /// The event that settles the opening.
    pub how: &'static str,
    /// Sessions at the shop.
    pub sessions: usize,
    /// Mutations that arrived there.
    pub mutations: usize,
    /// Slips on paper. A second one follows when the first could not say how it ended; whether it could is a matter of
    /// who is quicker, the shop's second answer or the printer.
    pub slips: RangeInclusive<usize>,
}

impl Plot {
    /// Reads a name as `--fault` takes it.
    pub(super) fn from_name(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Smooth) };
        if name == API_DOWN {
            return Some(Self::ApiDown);
        }
        let fault = Fault::from_name(name)?;
        Some(if let Fault::LagReads { for_ } = fault { Self::Lag(for_) } else { Self::Fault(fault) })
    }

    /// Every name with what it means.
    pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        let listed = Fault::NAMES.iter().map(|(name, what)| match *name {
            LAG_READS => (LAG_READS, "drop-after, and reads do not show sessions younger than 5 seconds"),
            name => (name, *what),
        });
        std::iter::once((API_DOWN, "Shopify cannot be reached until the cashier is done")).chain(listed)
    }

    /// Settings of `[timing]` that this needs.
    pub(super) fn timing(&self) -> Option<(String, String)> {
        let lag = match self {
            Self::Lag(lag) | Self::Fault(Fault::Late { for_: lag }) => *lag,
            Self::Smooth | Self::ApiDown | Self::Fault(_) => return None,
        };
        Some(("quiet_period".to_owned(), format!("{}ms", (lag + BEYOND_THE_LAG).as_millis())))
    }

    /// Sets the simulated shop up.
    pub(super) fn prepare(&self, api: &AdminApi) {
        match self {
            Self::Smooth => {}
            Self::ApiDown => api.set_down(true),
            Self::Fault(fault) => api.fault(FaultRule { on: Operation::Open, fault: fault.clone(), times: 1 }),
            Self::Lag(lag) => {
                api.fault(FaultRule { on: Operation::Open, fault: Fault::DropAfter, times: 1 });
                api.fault(FaultRule { on: Operation::Read, fault: Fault::LagReads { for_: *lag }, times: u32::MAX });
            }
        }
    }

    /// What will go wrong, for the beginning.
    pub(super) fn announcement(&self) -> Option<String> {
        match self {
            Self::Smooth => None,
            Self::ApiDown => Some("is away: nothing reaches the shop".to_owned()),
            Self::Fault(fault) => Some(format!("will do its worst once: {}", did(fault))),
            Self::Lag(lag) => {
                let shows = format!("reads show it only when it is {} ms old", lag.as_millis());
                Some(format!("will do its worst once: {}; and {shows}", did(&Fault::DropAfter)))
            }
        }
    }

    /// What happened to the first opening that arrived, if anything out of the ordinary.
    pub(super) fn happened(&self) -> Option<String> {
        match self {
            Self::Smooth | Self::ApiDown => None,
            Self::Fault(fault) => Some(did(fault)),
            Self::Lag(_) => Some(did(&Fault::DropAfter)),
        }
    }

    /// What the daemon makes of it, where no event of the journal says so.
    pub(super) fn answered_by(&self) -> Option<&'static str> {
        match self {
            Self::Fault(Fault::Unauthorized) => Some("the token is fetched anew, and the same request goes out once more"),
            Self::Smooth | Self::ApiDown | Self::Fault(_) | Self::Lag(_) => None,
        }
    }

    /// How the run must end.
    pub(super) fn must(&self) -> Must {
        let confirmed = |mutations, slips| Must { how: "opening.confirmed", sessions: 1, mutations, slips };
        let refused = |sessions| Must { how: "opening.refused", sessions, mutations: 1, slips: 1..=1 };
        match self {
            Self::Smooth => confirmed(1, 1..=1),
            Self::ApiDown | Self::Lag(_) => confirmed(1, 1..=2),
            Self::Fault(fault) => match fault {
                Fault::UserError(code) if code == "ALREADY_OPEN" => {
                    Must { how: "opening.needs_attention", sessions: 0, mutations: 1, slips: 1..=2 }
                }
                Fault::UserError(_) | Fault::AccessDenied | Fault::MaxCost => refused(0),
                // Not implemented: the daemon is told that the shop's plan has no such API.
                Fault::Http { status: 501, after } => refused(usize::from(*after)),
                // Another token is asked for, and the request goes out again at once.
                Fault::Unauthorized => confirmed(2, 1..=1),
                // What was asked for besides is denied; the session is in the answer.
                Fault::AccessDeniedAfter => confirmed(1, 1..=1),
                Fault::DropAfter
                | Fault::Http { after: true, .. }
                | Fault::Stall { after: true, .. }
                | Fault::Html
                | Fault::CutJson
                | Fault::DataNull
                | Fault::SessionNull
                | Fault::InternalErrorAfter
                | Fault::WrongAmount
                | Fault::NotJson
                | Fault::LagReads { .. }
                | Fault::Late { .. }
                | Fault::Twice => confirmed(1, 1..=2),
                Fault::DropBefore
                | Fault::Http { after: false, .. }
                | Fault::Stall { after: false, .. }
                | Fault::Throttled
                | Fault::TooMany { .. }
                | Fault::InternalError => confirmed(2, 1..=2),
            },
        }
    }

    /// What takes longer than this hangs.
    pub(super) fn patience(&self) -> Duration {
        LONGEST
            + match self {
                Self::Lag(lag) | Self::Fault(Fault::Late { for_: lag }) => *lag,
                Self::Fault(Fault::TooMany { retry_after_s }) => Duration::from_secs(u64::from(*retry_after_s)),
                Self::Smooth | Self::ApiDown | Self::Fault(_) => Duration::ZERO,
            }
    }
}

/// One short line: what the shop did, and what became of its answer.
fn did(fault: &Fault) -> String {
    let text = match fault {
        Fault::DropBefore => "the connection breaks before the shop has done anything",
        Fault::DropAfter => "the shop opens the session, and its answer is lost on the way",
        Fault::Http { status, after: false } => return format!("HTTP {status} comes back; no session was opened"),
        Fault::Http { status, after: true } => return format!("the shop opens the session, and HTTP {status} comes back"),
        Fault::Stall { after: false, .. } => "silence; no session was opened",
        Fault::Stall { after: true, .. } => "the shop opens the session, and then there is silence",
        Fault::Throttled => "the shop asks to slow down (THROTTLED); no session was opened",
        Fault::TooMany { retry_after_s } => {
            return format!(
                "the shop asks to slow down (HTTP 429, try again after {retry_after_s} s); no session was opened"
            );
        }
        Fault::Html => "the shop opens the session, and a web page comes back instead of its answer",
        Fault::CutJson => "the shop opens the session, and its answer is cut off in the middle",
        Fault::DataNull => "the shop opens the session, and its answer says `data: null` and nothing else",
        Fault::AccessDeniedAfter => "the shop opens the session, and its answer complains of ACCESS_DENIED for a part of it",
        Fault::SessionNull => "the shop opens the session, and its answer names neither a session nor a reason",
        Fault::MaxCost => "the shop says that the request costs too much (MAX_COST_EXCEEDED); no session was opened",
        Fault::AccessDenied => "the shop says that this app may not do that (ACCESS_DENIED)",
        Fault::Unauthorized => "the shop does not take the token (HTTP 401); no session was opened",
        Fault::InternalError => "the shop says INTERNAL_SERVER_ERROR; no session was opened",
        Fault::InternalErrorAfter => "the shop opens the session, and says INTERNAL_SERVER_ERROR",
        Fault::UserError(code) if code == "ALREADY_OPEN" => "the shop says ALREADY_OPEN, although no session is open",
        Fault::UserError(code) => return format!("the shop refuses: {code}"),
        Fault::WrongAmount => "the shop opens the session, and its answer shows another amount",
        Fault::NotJson => "the shop opens the session, and something that is not JSON comes back",
        Fault::LagReads { .. } => "the shop opens the session, and reads do not show it at once",
        Fault::Late { .. } => "silence; the shop opens the session when nobody waits for its answer any more",
        Fault::Twice => "the request comes twice; the shop opens the session, and answers the second one",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_fault_has_a_story_and_an_end() {
        for (name, meaning) in Plot::names() {
            let plot = Plot::from_name(Some(name)).expect(name);
            let (must, told) = (plot.must(), plot.announcement().expect(name));
            assert!(!meaning.is_empty() && !told.is_empty(), "{name}");
            assert_eq!(must.sessions == 1, must.how == "opening.confirmed", "{name}: {must:?}");
            assert!(must.sessions <= must.mutations && *must.slips.start() >= 1, "{name}: {must:?}");
            let runs = told.contains("opens the session");
            assert_eq!(plot.happened().is_some_and(|t| t.contains("opens the session")), runs, "{name}");
            assert_eq!(runs, must.sessions == 1 && must.mutations == 1 && plot != Plot::ApiDown, "{name}: {told}");
        }
        assert_eq!(Plot::from_name(None).unwrap().must().slips, 1..=1);
        assert_eq!(Plot::from_name(Some("drop")), None);
    }

    #[test]
    fn a_lag_is_shorter_than_the_quiet_period_it_is_played_with() {
        let plot = Plot::from_name(Some("lag-reads:3")).unwrap();
        assert_eq!(plot.timing().unwrap(), ("quiet_period".to_owned(), "5000ms".to_owned()));
    }
}

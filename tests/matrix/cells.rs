//! Which fault strikes which request, and how a run may end.
use std::{fmt, time::Duration};

use drawerbridge_hil::admin::{Fault, Operation};

/// One request of the client is given up after this.
pub const TIMEOUT: Duration = Duration::from_millis(500);
/// What is carried out late is carried out this much after its sender gave up: well within the quiet period.
const AFTER_GIVING_UP: Duration = Duration::from_millis(20);

/// The request that the fault strikes; each belongs to one state of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The read before the first attempt.
    Preflight,
    /// The first attempt.
    Open1,
    /// The second, after the first was proven absent.
    Open2,
    /// The third.
    Open3,
    /// The first read after an unknown outcome.
    Unknown,
    /// The first read after the quiet period that does not show it.
    Negative,
    /// The read after `ALREADY_OPEN` by an earlier attempt of our own.
    FenceOurs,
    /// The read after `ALREADY_OPEN` by somebody else.
    FenceForeign,
    /// Who opened it?
    Opener,
    /// The preflight of the second attempt.
    PreflightAgain,
    /// The ledger before a count goes into somebody else's session.
    LedgerBefore,
    /// That count.
    Count1,
    /// The same again, after it was proven absent.
    Count2,
    /// The ledger after an unknown outcome of it.
    LedgerAfter,
    /// The token endpoint.
    Token,
    /// The second look after a confirmation.
    Echo,
}

impl At {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Preflight,
        Self::Open1,
        Self::Open2,
        Self::Open3,
        Self::Unknown,
        Self::Negative,
        Self::FenceOurs,
        Self::FenceForeign,
        Self::Opener,
        Self::PreflightAgain,
        Self::LedgerBefore,
        Self::Count1,
        Self::Count2,
        Self::LedgerAfter,
        Self::Token,
        Self::Echo,
    ];

    /// As `--one` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Open1 => "open-1",
            Self::Open2 => "open-2",
            Self::Open3 => "open-3",
            Self::Unknown => "unknown-read",
            Self::Negative => "quiet-read",
            Self::FenceOurs => "fence-ours",
            Self::FenceForeign => "fence-foreign",
            Self::Opener => "opener",
            Self::PreflightAgain => "preflight-again",
            Self::LedgerBefore => "ledger-before",
            Self::Count1 => "count-1",
            Self::Count2 => "count-2",
            Self::LedgerAfter => "ledger-after",
            Self::Token => "token",
            Self::Echo => "echo",
        }
    }

    /// What the rig calls such a request.
    pub const fn operation(self) -> Operation {
        match self {
            Self::Open1 | Self::Open2 | Self::Open3 => Operation::Open,
            Self::Count1 | Self::Count2 => Operation::Count,
            Self::Token => Operation::Token,
            Self::Preflight
            | Self::Unknown
            | Self::Negative
            | Self::FenceOurs
            | Self::FenceForeign
            | Self::Opener
            | Self::PreflightAgain
            | Self::LedgerBefore
            | Self::LedgerAfter
            | Self::Echo => Operation::Read,
        }
    }

    /// Somebody else has the register open.
    pub const fn needs_a_stranger(self) -> bool {
        matches!(self, Self::FenceForeign | Self::Opener) || self.counts()
    }

    /// The count goes into somebody else's session.
    pub const fn counts(self) -> bool {
        matches!(self, Self::LedgerBefore | Self::Count1 | Self::Count2 | Self::LedgerAfter)
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// As the rig does it.
    Rig(&'static str, Fault),
    /// Nobody listens.
    Down,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Trouble {
    /// As the rig's list has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rig(name, _) => name,
            Self::Down => "api-down",
        }
    }

    /// Every fault of the rig's list, and a shop that is not there.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Fault::NAMES.iter().map(|(name, _)| Self::of(name)).collect();
        all.push(Self::Down);
        all
    }

    /// One of the rig's list.
    pub fn of(name: &'static str) -> Self {
        let fault = match Fault::from_name(name).expect("a name of the rig's list") {
            Fault::Late { .. } => Fault::Late { for_: TIMEOUT + AFTER_GIVING_UP },
            other => other,
        };
        Self::Rig(name, fault)
    }

    /// It means something for such a request.
    pub fn strikes(&self, on: Operation) -> bool {
        match self {
            Self::Rig(_, fault) => fault.strikes(on),
            Self::Down => true,
        }
    }

    /// The code with which Shopify says no for good to an opening.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Rig(_, Fault::UserError(code)) => Some(code).filter(|code| *code != "ALREADY_OPEN").map(String::as_str),
            Self::Rig(_, Fault::AccessDenied) => Some("ACCESS_DENIED"),
            Self::Rig(_, Fault::MaxCost) => Some("MAX_COST_EXCEEDED"),
            Self::Rig(..) | Self::Down => None,
        }
    }

    /// This one by name.
    pub fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    /// The mutation does not run, and its sender cannot know.
    pub fn leaves_doubt_and_nothing_else(&self) -> bool {
        const NAMES: [&str; 6] = ["drop-before", "500-before", "502-before", "504-before", "stall-before", "internal-error"];
        NAMES.contains(&self.name())
    }

    /// One of those, by a throw.
    pub fn lost_before(throw: u64) -> Self {
        const NAMES: [&str; 4] = ["drop-before", "502-before", "500-before", "internal-error"];
        Self::of(NAMES[usize::try_from(throw % 4).expect("below four")])
    }

    /// The mutation runs, and its sender cannot know.
    pub fn lost_after(throw: u64) -> Self {
        const NAMES: [&str; 5] = ["drop-after", "502-after", "html", "cut-json", "session-null"];
        Self::of(NAMES[usize::try_from(throw % 5).expect("below five")])
    }
}

/// One place of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What goes wrong.
    pub trouble: Trouble,
    /// With which request.
    pub at: At,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.trouble, self.at.name())
    }
}

impl Cell {
    /// Every fault with every request that it means something for.
    pub fn all() -> Vec<Self> {
        let of = |at: At| {
            Trouble::all().into_iter().filter(move |t| t.strikes(at.operation())).map(move |trouble| Self { trouble, at })
        };
        At::ALL.into_iter().flat_map(of).collect()
    }

    /// How it ends when nothing else happens: the table of what each fault means in each state.
    pub fn ends(&self) -> End {
        let (t, asked) = (&self.trouble, |kind: &str| End::Asked(kind.to_owned()));
        match self.at {
            At::Open1 | At::Open2 | At::Open3 if t.is("user-error-ALREADY_OPEN") => asked("hidden_session"),
            At::Open1 | At::Open2 | At::Open3 => match t.refusal() {
                Some(code) => End::Refused(code.to_owned()),
                None if self.at == At::Open3 && t.leaves_doubt_and_nothing_else() => asked("attempts_used_up"),
                None => End::Confirmed,
            },
            At::Count1 | At::Count2 if t.refusal().is_some() || t.is("user-error-ALREADY_OPEN") => asked("count_refused"),
            At::LedgerBefore | At::Count1 | At::Count2 | At::LedgerAfter => End::Recorded,
            // Ours, and not the same in all points: nobody but a person can tell.
            At::FenceOurs if t.is("wrong-amount") => asked("ambiguous"),
            At::FenceForeign | At::Opener => asked("foreign_session"),
            At::Preflight | At::Unknown | At::Negative | At::FenceOurs | At::PreflightAgain | At::Token | At::Echo => {
                End::Confirmed
            }
        }
    }
}

/// How an opening ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Shopify has the session.
    Confirmed,
    /// Shopify said no, by this code.
    Refused(String),
    /// A person is asked, for this kind of reason.
    Asked(String),
    /// Shopify has it as a mid-session count.
    Recorded,
    /// A person gave it up.
    GivenUp,
    /// It was too old.
    Stale,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed => f.write_str("confirmed"),
            Self::Refused(code) => write!(f, "refused: {code}"),
            Self::Asked(kind) => write!(f, "a person is asked: {kind}"),
            Self::Recorded => f.write_str("recorded"),
            Self::GivenUp => f.write_str("given up"),
            Self::Stale => f.write_str("stale"),
        }
    }
}

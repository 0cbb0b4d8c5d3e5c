//! What can be said in a scenario, as values: things people and the world do, and things that must then be seen.
use std::time::Duration;

/// One line's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Somebody does something, or something breaks.
    Do(Action),
    /// Something must be seen, within the step's limit.
    See(Expect),
}

/// What happens at the counter, at Shopify or to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The drawer's key is turned.
    DrawerKey,
    /// The drawer is pushed shut.
    DrawerShut,
    /// The drawer does not open any more (`true`), or does again.
    DrawerJam(bool),
    /// A cable is pulled.
    Unplug(Device),
    /// A cable is plugged in again.
    Plug(Device),
    /// The printer's cable is pulled after that many more bytes.
    UnplugAfter(usize),
    /// The printer is switched off and on.
    PowerCycle,
    /// The paper is out, near its end, or loaded.
    Paper(PaperIs),
    /// The paper runs out after that many more lines.
    PaperOutAfter(u32),
    /// The cover is opened or closed.
    Cover(bool),
    /// The printer is taken offline with its button, or back online.
    Offline(bool),
    /// Bytes come from the printer that it was not asked for.
    Noise(Vec<u8>),
    /// Another client takes the printer's TCP port (`true`), or lets it go.
    OtherClient(bool),
    /// Keys, as words: `1042 Enter`.
    Type(String),
    /// A badge is scanned.
    Badge(String),
    /// A fault at the API, by its name.
    Fault {
        /// As `drawerbridge-hil faults` lists them.
        name: String,
        /// How often; `u32::MAX` is for ever.
        times: u32,
        /// `open`, `count`, `read`, `token` or `any`.
        on: On,
    },
    /// The API refuses connections (`true`), or is there again.
    ApiDown(bool),
    /// No fault is waiting any more.
    ApiHealthy,
    /// A colleague opens a session by hand.
    OpenedElsewhere {
        /// Decimal.
        amount: String,
    },
    /// A cash sale at checkout opens a session by itself.
    CheckoutStarts,
    /// All sessions are closed at Shopify.
    SessionsClosed,
    /// All tokens expire.
    TokensExpire,
    /// The shop's clock is that many seconds ahead of this machine's.
    ApiClock(i64),
    /// No token has this scope any more.
    ApiLacks(String),
    /// At Shopify, both tills' devices are on one drawer.
    OneDrawer,
    /// SIGKILL.
    DaemonKilled,
    /// SIGTERM; it must end with 0 within 5 s.
    DaemonStopped,
    /// The daemon is started, and is ready.
    DaemonStarts,
    /// The journal takes nothing that the daemon writes (`true`), or takes it again.
    JournalRefuses(bool),
    /// `POST …/drawer/kick`.
    Kick,
    /// `POST …/openings` for this member of staff.
    PosStarts {
        /// A name of the configuration.
        staff: String,
    },
    /// `PUT …/count` with a total.
    PosCounts {
        /// Decimal.
        total: String,
    },
    /// `PUT …/count` by denomination.
    PosCountsPieces {
        /// Denomination and pieces.
        pieces: Vec<(String, u32)>,
    },
    /// `DELETE …/openings/{id}`.
    PosCancels,
    /// `POST …/openings/{id}/resolution`, about the session that is open at the shop.
    Resolve(Decision),
    /// `POST …/slip`.
    Reprint,
    /// Nothing happens for a while.
    Wait(Duration),
}

/// Where something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At one till: its marks move.
    Till,
    /// At the shop, or with the daemon: the marks of all tills move.
    Everywhere,
    /// Nowhere: time passes.
    Nowhere,
}

impl Action {
    /// Where it is done; that says from where on events are new.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Self::DrawerKey
            | Self::DrawerShut
            | Self::DrawerJam(_)
            | Self::Unplug(_)
            | Self::Plug(_)
            | Self::UnplugAfter(_)
            | Self::PowerCycle
            | Self::Paper(_)
            | Self::PaperOutAfter(_)
            | Self::Cover(_)
            | Self::Offline(_)
            | Self::Noise(_)
            | Self::OtherClient(_)
            | Self::Type(_)
            | Self::Badge(_)
            | Self::Kick
            | Self::PosStarts { .. }
            | Self::PosCounts { .. }
            | Self::PosCountsPieces { .. }
            | Self::PosCancels
            | Self::Resolve(_)
            | Self::Reprint => Place::Till,
            Self::Fault { .. }
            | Self::ApiDown(_)
            | Self::ApiHealthy
            | Self::OpenedElsewhere { .. }
            | Self::CheckoutStarts
            | Self::SessionsClosed
            | Self::TokensExpire
            | Self::ApiClock(_)
            | Self::ApiLacks(_)
            | Self::OneDrawer
            | Self::DaemonKilled
            | Self::DaemonStopped
            | Self::DaemonStarts
            | Self::JournalRefuses(_) => Place::Everywhere,
            Self::Wait(_) => Place::Nowhere,
        }
    }
    /// Whether the display has to answer it: what was drawn before is no answer.
    #[must_use]
    pub const fn asks_the_display(&self) -> bool {
        match self {
            Self::DrawerKey
            | Self::DrawerShut
            | Self::Plug(Device::Display)
            | Self::Type(_)
            | Self::Badge(_)
            | Self::Kick
            | Self::PosStarts { .. }
            | Self::PosCounts { .. }
            | Self::PosCountsPieces { .. }
            | Self::PosCancels
            | Self::Resolve(_)
            | Self::DaemonStarts => true,
            Self::DrawerJam(_)
            | Self::Unplug(_)
            | Self::Plug(Device::Printer | Device::Keypad)
            | Self::UnplugAfter(_)
            | Self::PowerCycle
            | Self::Paper(_)
            | Self::PaperOutAfter(_)
            | Self::Cover(_)
            | Self::Offline(_)
            | Self::Noise(_)
            | Self::OtherClient(_)
            | Self::Reprint
            | Self::Fault { .. }
            | Self::ApiDown(_)
            | Self::ApiHealthy
            | Self::OpenedElsewhere { .. }
            | Self::CheckoutStarts
            | Self::SessionsClosed
            | Self::TokensExpire
            | Self::ApiClock(_)
            | Self::ApiLacks(_)
            | Self::OneDrawer
            | Self::DaemonKilled
            | Self::DaemonStopped
            | Self::JournalRefuses(_)
            | Self::Wait(_) => false,
        }
    }
}

/// What must be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Two rows, or one of them where only one is given.
    Display {
        /// The upper row, or either row when `lower` is `None`.
        upper: String,
        /// The lower row.
        lower: Option<String>,
    },
    /// In no frame since the last key that stood long enough to be read.
    DisplayNever(String),
    /// What stands on the display now, rows as in `Display`.
    DisplayNow {
        /// The upper row, or either row when `lower` is `None`.
        upper: String,
        /// The lower row.
        lower: Option<String>,
    },
    /// Not in what stands on the display now.
    DisplayNowNot(String),
    /// Text on a slip: the numbered one, or any.
    SlipSays {
        /// Counted from 1.
        slip: Option<usize>,
        /// Part of its text.
        text: String,
    },
    /// Text on no slip.
    SlipNever(String),
    /// That many slips were cut.
    Slips(usize),
    /// What the drawer itself is, simulator's truth.
    DrawerStands {
        /// Open or closed.
        open: bool,
    },
    /// That many kicks reached the printer.
    Kicks(usize),
    /// The devices found nothing wrong with what they were sent.
    NoWarnings(Device),
    /// At the simulated shop.
    Shop(Shop),
    /// In the daemon's status of the till.
    Told(Told),
    /// An event of this till with this name came over the event stream since something was last done.
    Event(String),
    /// The same, and a field of it has this value.
    EventWith {
        /// The event's name.
        name: String,
        /// One of its fields.
        field: String,
        /// What is in it.
        value: String,
    },
    /// None did since the beginning.
    NoEvent(String),
    /// None did since something was last done.
    NoNewEvent(String),
    /// `drawerbridge journal verify` accepts the file.
    JournalVerifies,
    /// The outcome of the last kick.
    KickAnswers(String),
    /// The HTTP status of the last request of the POS.
    PosAnswers(u16),
    /// A line of the daemon's log has this in it.
    LogSays(String),
    /// No line of the daemon's log so far has this in it.
    LogNever(String),
}

/// What the simulated shop has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shop {
    /// Exactly one session was opened by the API, it is open and has this amount.
    SessionWith(String),
    /// Nothing opened a session.
    NoSession,
    /// That many sessions, whoever opened them.
    Sessions(usize),
    /// The API got that many opening mutations.
    Mutations(usize),
    /// The API got that many counts for a session that is open already.
    Counts(usize),
    /// The last opening mutation brought this variable with a value, or did not.
    Variable {
        /// Its name.
        name: String,
        /// Brought, or not.
        there: bool,
    },
}

/// What the daemon says of the till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The drawer.
    Drawer(String),
    /// The shift is open or closed.
    Shift {
        /// Open or closed.
        open: bool,
    },
    /// The machine's phase.
    Phase(String),
    /// The opening's state.
    Opening(String),
    /// A device's link.
    Link {
        /// Which.
        device: Device,
        /// Up or down.
        up: bool,
    },
    /// The printer's paper.
    PaperIs(String),
    /// All links are up and the drawer's position is known (where it has a sensor).
    TillReady,
}

/// A device of the till.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The receipt printer.
    Printer,
    /// The pole display.
    Display,
    /// The keypad.
    Keypad,
}

/// What a person decides about an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The open session is the count's.
    Link,
    /// The count goes into the open session as a mid-session count.
    RecordCount,
    /// Nothing more happens with it.
    GiveUp,
}

/// How the paper is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperIs {
    /// Enough.
    Loaded,
    /// Near its end.
    NearEnd,
    /// Out.
    Out,
}

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The opening mutation.
    Open,
    /// The other mutations: a count in a session that is open already.
    Count,
    /// Reads.
    Read,
    /// The token endpoint.
    Token,
    /// Any.
    Any,
}

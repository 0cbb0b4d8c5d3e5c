//! What is known of devices, in words of the counter: statuses, commands and events. No bytes here.
pub mod profile;
pub mod worker;

use std::time::Duration;

/// Whether a device's link is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet tried.
    Starting,
    /// The port is open (for a printer: and something answered).
    Up,
    /// No link, with what happened and what to do about it.
    Down {
        /// Says what happened, then what to do.
        why: String,
    },
}

/// Paper, as the sensors see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// Enough.
    Ok,
    /// Near-end sensor: change the roll soon.
    NearEnd,
    /// Out: printing stops.
    Out,
}

/// What a printer says of itself; `None` is "not known", never "fine".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterStatus {
    /// The link.
    pub link: Link,
    /// Online, if known.
    pub online: Option<bool>,
    /// Paper, if known.
    pub paper: Option<Paper>,
    /// Cover open, if known.
    pub cover_open: Option<bool>,
    /// An error a person must mend, in words ("cutter jammed"), if any.
    pub error: Option<String>,
    /// Maker, model and firmware by `GS I`, if it answered.
    pub identity: Option<String>,
}

/// What the drawer is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrawerState {
    /// Nothing is known, and why ("printer is unplugged", "no sensor configured").
    Unknown {
        /// In words.
        why: String,
    },
    /// The sense line says closed.
    Closed,
    /// The sense line says open.
    Open,
    /// Open for longer than the configured limit.
    LeftOpen,
    /// Kicked, and it did not open.
    Jammed,
}

/// Who opened the drawer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy {
    /// Our kick did.
    Command,
    /// Nobody asked us: a key, or another program.
    Key,
}

/// What happened at the drawer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrawerEvent {
    /// The sense line went to open.
    Opened(OpenedBy),
    /// The sense line went to closed, this long after it opened.
    Closed {
        /// How long it stood open.
        after: Duration,
    },
    /// Open for longer than the limit; said once.
    LeftOpen,
    /// What is known changed (also at the baseline, which is no edge).
    State(DrawerState),
}

/// What came of a kick. Said with evidence only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KickOutcome {
    /// The sense line proved it.
    Opened,
    /// The pulse was sent; nothing proves that the drawer opened.
    NotProven,
    /// It was open before; no pulse was sent.
    AlreadyOpen,
    /// The pulse was sent, and the sense line, which has been seen to move before, stayed closed.
    Jammed,
}

/// Why no kick was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KickRefused {
    /// The printer's link is down; with the reason.
    Unreachable(String),
    /// The till has no drawer.
    NoDrawer,
    /// Another kick is still being answered, or the solenoid is cooling (duty hold-off).
    Busy,
}

/// What became of a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrintOutcome {
    /// The printer confirmed it, by what.
    Printed {
        /// `GS ( H` or `GS r`.
        by: &'static str,
    },
    /// Bytes left, nothing proves that they are on paper; with the reason.
    NotProven {
        /// In words.
        why: String,
    },
}

/// A piece of a print job: whole commands, never cut inside one; at most about 64 bytes where commands allow.
pub type Piece = Vec<u8>;

/// A key of the numeric keypad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// 0 to 9.
    Digit(u8),
    /// The 00 key.
    DoubleZero,
    /// The 000 key.
    TripleZero,
    /// Decimal point or comma.
    Point,
    /// Accept.
    Enter,
    /// Start over.
    Clear,
    /// Delete the last.
    Backspace,
}

/// Two rows of exactly 20 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    rows: [String; 2],
}

impl Frame {
    /// Pads or cuts each row to 20 characters; control characters become spaces.
    #[must_use]
    pub fn new(upper: &str, lower: &str) -> Self {
        let row = |s: &str| {
            let cleaned = s.chars().map(|c| if c.is_control() { ' ' } else { c });
            cleaned.chain(std::iter::repeat(' ')).take(20).collect::<String>()
        };
        Self { rows: [row(upper), row(lower)] }
    }
    /// The rows, 20 characters each.
    #[must_use]
    pub fn rows(&self) -> [&str; 2] {
        [&self.rows[0], &self.rows[1]]
    }
}

/// What a device worker tells the till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The printer's status changed.
    Printer(PrinterStatus),
    /// Something happened at the drawer.
    Drawer(DrawerEvent),
    /// The display's link changed.
    Display(Link),
    /// The keypad's link changed. On `Down` a number being typed is void.
    Keypad(Link),
    /// A key was pressed.
    Key(Key),
    /// A badge was scanned: a burst faster than a hand, ended by Enter. Digits and letters only, at most 32.
    Badge(String),
    /// Keys were lost (`SYN_DROPPED`, noise): a number being typed is void.
    KeysLost,
    /// The printer could begin this slip at once: now it is worth making.
    PrintTurn {
        /// The job's number as given to `PrinterHandle::ask_turn`.
        job: u64,
    },
    /// A print job is over.
    Printed {
        /// The job's number as given to `PrinterHandle::print`.
        job: u64,
        /// What became of it.
        outcome: PrintOutcome,
    },
    /// A print job waits for a person, in words ("paper is out"); it goes on by itself.
    PrintWaits {
        /// The job's number.
        job: u64,
        /// In words.
        why: String,
    },
}

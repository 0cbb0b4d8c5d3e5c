//! The worlds that are explored: who takes part, and how much may go wrong.
use drawerbridge::opening::SharedDrawer;

/// What may go wrong, each so many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A daemon dies; what it was writing is on disk or is not.
    Crash,
    /// Nobody learns what became of a request: it or its answer is lost, or comes too late, or a 5xx came instead.
    Lost,
    /// A proxy delivers a request twice.
    Twice,
    /// A request certainly does not run.
    NotRun,
    /// Shopify refuses for a reason of its own, or knows no such device.
    Refused,
    /// An answer names a session whose content is not what was sent.
    Mangled,
    /// A read fails.
    BadRead,
    /// A read shows what was, since the quiet period before.
    Lag,
    /// The disk refuses a row.
    Disk,
    /// Somebody else opens a session.
    Opens,
    /// Somebody else closes one.
    Closes,
    /// Somebody else counts in one.
    Counts,
    /// The clock of a PC proves wrong.
    Clock,
    /// A look ahead of the count's confirmation.
    Ahead,
    /// A person decides.
    Person,
}

impl Fault {
    /// A look ahead and a person's decision are part of a good day; what is bounded together is the rest.
    pub const fn is_one(self) -> bool {
        !matches!(self, Self::Ahead | Self::Person)
    }
}

pub const FAULTS: [(Fault, &str); 15] = [
    (Fault::Crash, "crash"),
    (Fault::Lost, "lost"),
    (Fault::Twice, "twice"),
    (Fault::NotRun, "not run"),
    (Fault::Refused, "refused"),
    (Fault::Mangled, "mangled"),
    (Fault::BadRead, "bad read"),
    (Fault::Lag, "lag"),
    (Fault::Disk, "disk"),
    (Fault::Opens, "foreign open"),
    (Fault::Closes, "foreign close"),
    (Fault::Counts, "foreign count"),
    (Fault::Clock, "clock"),
    (Fault::Ahead, "look ahead"),
    (Fault::Person, "person"),
];

/// Two tills, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// One daemon at one device.
    One,
    /// Two daemons at two devices.
    Two,
    /// Two daemons with two counts at one device.
    OneDevice,
    /// Two daemons with copies of one journal: one count, one reference, one device.
    Clones,
}

/// One world.
#[derive(Debug, Clone)]
pub struct Setup {
    pub name: &'static str,
    pub cast: Cast,
    /// Both devices are on one drawer at Shopify, and this is the rule for it.
    pub shared: Option<SharedDrawer>,
    /// A count goes into a session that somebody else opened.
    pub record: bool,
    /// Shopify shows the device, too, with its open session.
    pub second_way: bool,
    /// Counts grow old: after two quiet periods.
    pub grows_old: bool,
    /// A list of sessions does not go back to the first.
    pub older_sessions: bool,
    /// Sessions of somebody else have the money of our count.
    pub alike: bool,
    /// A person may decide while the machine is still at work, too.
    pub person_early: bool,
    pub bounds: Vec<(Fault, u8)>,
    /// So many faults of all kinds together.
    pub together: u8,
}

impl Setup {
    fn of(name: &'static str, cast: Cast, together: u8, bounds: &[(Fault, u8)]) -> Self {
        Self {
            name,
            cast,
            shared: None,
            record: false,
            second_way: false,
            grows_old: false,
            older_sessions: false,
            alike: false,
            person_early: false,
            bounds: bounds.to_vec(),
            together,
        }
    }

    pub fn daemons(&self) -> u8 {
        if self.cast == Cast::One { 1 } else { 2 }
    }

    /// How many counts there are.
    pub fn openings(&self) -> u8 {
        if self.cast == Cast::Clones { 1 } else { self.daemons() }
    }

    /// Whose count a daemon has.
    pub fn opening(&self, daemon: u8) -> u8 {
        if self.cast == Cast::Clones { 0 } else { daemon }
    }

    /// Where that is counted for.
    pub fn device(&self, opening: u8) -> u8 {
        if self.cast == Cast::OneDevice { 0 } else { opening }
    }

    pub fn bound(&self, fault: Fault) -> u8 {
        self.bounds.iter().find(|(f, _)| *f == fault).map_or(0, |(_, n)| *n)
    }

    /// One daemon has each count, so nothing but the network can bring it to Shopify twice.
    pub fn once(&self) -> bool {
        self.cast != Cast::Clones
    }
}

/// What is explored. The short version has the same worlds with fewer faults.
pub fn runs(full: bool) -> Vec<Setup> {
    use Cast as C;
    use Fault as F;
    let n = |short, long| if full { long } else { short };
    let network = [(F::Crash, 2), (F::Lost, 3), (F::NotRun, 1), (F::BadRead, 1), (F::Lag, 2), (F::Opens, 2), (F::Closes, 2)];
    let with = |more: &[(F, u8)]| [&network[..], more].concat();
    let own = with(&[(F::Refused, 1), (F::Mangled, 1), (F::Disk, 1), (F::Clock, 1), (F::Ahead, 1), (F::Person, 1)]);
    let one = |name, short, long| Setup::of(name, C::One, n(short, long), &own);
    let counting = with(&[(F::Counts, 1), (F::Disk, 1), (F::Clock, 1), (F::Person, 1)]);
    vec![
        // The largest first: two workers share them.
        Setup::of("two daemons, two counts, one device", C::OneDevice, n(1, 3), &with(&[(F::Person, n(0, 1))])),
        Setup { record: true, ..Setup::of("one daemon, counts into foreign sessions", C::One, n(2, 6), &counting) },
        Setup::of("two daemons, two devices", C::Two, n(1, 3), &with(&[(F::Twice, 1), (F::Disk, 1), (F::Person, 1)])),
        Setup::of("two daemons, copies of one journal", C::Clones, n(1, 3), &with(&[(F::Ahead, 1), (F::Person, n(0, 1))])),
        one("one daemon", 2, 5),
        Setup { alike: true, person_early: true, ..one("one daemon, sessions that look like ours", 2, 5) },
        Setup { second_way: true, ..one("one daemon, two ways of reading", 1, 4) },
        Setup { older_sessions: true, ..one("one daemon, a list that does not go back to the first", 1, 4) },
        Setup { grows_old: true, ..one("one daemon, counts grow old", 1, 4) },
        Setup::of("one daemon, a request delivered twice", C::One, n(2, 5), &with(&[(F::Twice, 1), (F::Person, 1)])),
        Setup::of("one daemon, every attempt lost", C::One, 4, &[(F::Lost, 3), (F::Disk, 1)]),
        Setup {
            record: true,
            ..Setup::of(
                "one daemon, a count delivered twice",
                C::One,
                n(4, 6),
                &[(F::Crash, n(0, 2)), (F::Lost, n(1, 3)), (F::Twice, 1), (F::NotRun, 1), (F::Opens, 1), (F::Closes, 1)],
            )
        },
        Setup {
            record: true,
            ..Setup::of(
                "one daemon, a foreign session comes and goes",
                C::One,
                n(5, 6),
                &[(F::Crash, 1), (F::Lost, n(1, 2)), (F::BadRead, 1), (F::Opens, 1), (F::Closes, 1)],
            )
        },
        Setup {
            shared: Some(SharedDrawer::Warn),
            second_way: true,
            ..Setup::of("two tills on one drawer, warned", C::Two, n(1, 2), &network)
        },
        Setup {
            shared: Some(SharedDrawer::Deny),
            second_way: true,
            ..Setup::of("two tills on one drawer, denied", C::Two, n(1, 2), &with(&[(F::Ahead, 1), (F::Person, 2)]))
        },
    ]
}

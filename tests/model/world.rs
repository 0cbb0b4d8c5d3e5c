//! The world at one moment, and everything that can happen in it.
//!
//! ## What is assumed of the network, and of nothing else
//! A request runs before a quiet period has passed since it was sent, or never; and what a read shows is what was at some
//! moment since the quiet period before it passed. [`Action::QuietPasses`] is the only way in which time passes: requests that
//! are on their way then are lost for ever, and reads show all that was before. Within a quiet period a request may wait as
//! long as it likes, and everything else may happen before it.
use crate::{
    few::Few,
    mind::{Choice, DONE, Minds, Said},
    runs::{FAULTS, Fault, Setup},
    shop::{self, Till},
};

/// What a daemon waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waits {
    /// Nothing: its opening is settled, or in a person's hands.
    Rests,
    /// It has just started.
    Go,
    Disk(u16),
    /// A request is sent, and no answer has come.
    Answer,
    /// An answer is on its way back.
    Reply(Said),
    Sessions,
    Ledger(u8, u8),
    Opener,
    Tick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Daemon {
    pub machine: u32,
    pub journal: u32,
    pub waits: Waits,
}

/// A request on its way. `awaited`: its daemon still listens for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Flight {
    pub daemon: u8,
    pub order: u8,
    pub awaited: bool,
}

/// Everything there is. Two worlds that are equal have the same futures; nothing is left out and nothing is hashed away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub daemons: [Daemon; 2],
    pub tills: [Till; 2],
    pub flights: Few<Flight, 4>,
    /// A request was delivered twice: from here on there may be two of what it makes.
    pub doubled: bool,
    /// Faults of each kind that may still come, and of all kinds together.
    left: [u8; FAULTS.len()],
    together: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Go(u8),
    LookAhead(u8, u8),
    LookAheadMissing(u8),
    Stored(u8),
    DiskRefuses(u8),
    Tick(u8),
    Runs { flight: Flight, answered: bool },
    DeliveredTwice(Flight),
    NeverAnswered(u8),
    CertainlyNotRun(u8),
    Refused(u8),
    AnswerArrives(u8),
    AnswerMangled(u8),
    Read { daemon: u8, lag: u8, lag_of_device: u8 },
    DeviceMissing(u8),
    ReadFails(u8),
    OpenerTold(u8),
    Crash { daemon: u8, row_is_on_disk: bool },
    ClockWrong(u8),
    Person { daemon: u8, choice: Choice, session: Option<u8> },
    SecondLook(u8),
    ForeignOpens(u8),
    ForeignCloses(u8),
    ForeignCounts(u8),
    QuietPasses,
}

impl World {
    pub fn first(setup: &Setup, minds: &mut Minds) -> Self {
        let idle = Daemon { machine: DONE, journal: 0, waits: Waits::Rests };
        let mut daemons = [idle; 2];
        for (at, daemon) in daemons.iter_mut().enumerate().take(usize::from(setup.daemons())) {
            let (machine, journal) = minds.born(setup.opening(shop::index(at)));
            *daemon = Daemon { machine, journal, waits: Waits::Go };
        }
        let left = FAULTS.map(|(fault, _)| setup.bound(fault));
        Self {
            daemons,
            tills: [Till::default(); 2],
            flights: Few::default(),
            doubled: false,
            left,
            together: setup.together,
        }
    }

    pub fn may(&self, fault: Fault) -> bool {
        self.left[fault as usize] > 0
    }

    pub fn spend(&mut self, fault: Fault) {
        self.left[fault as usize] -= 1;
        if !fault.is_one() {
            return;
        }
        self.together -= 1;
        if self.together == 0 {
            // None can come any more: how many of each kind there were is no matter.
            for (fault, _) in FAULTS.iter().filter(|(fault, _)| fault.is_one()) {
                self.left[*fault as usize] = 0;
            }
        }
    }

    pub fn rests(&self) -> bool {
        self.daemons.iter().all(|d| d.machine == DONE)
    }

    pub fn awaited(&self, daemon: u8) -> Option<Flight> {
        self.flights.iter().find(|f| f.daemon == daemon && f.awaited).copied()
    }
}

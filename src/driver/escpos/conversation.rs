//! What is said on one printer's line: which bytes go out next, and what is believed of those that come in.
//!
//! Outgoing, most urgent first: a kick, a status request, settings, bytes for the display in front, pieces of slips. Only whole
//! commands are handed over, so everything can go in between two pieces. Incoming, [`Heard`](super::status::Heard) becomes the drawer line's level,
//! the printer's health and the proof of slips.
//!
//! ## Why a level is sometimes asked for twice
//! A block of automatic status on a clean line is believed at once. After noise, or when the level comes from a `DLE EOT`
//! answer, which noise can look like, it counts when it was said twice. That costs some ms and never opens a shift by noise.
mod hear;
mod send;
mod silence;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    command,
    health::Health,
    identity::Identity,
    jobs::{Jobs, Ready},
    pace::{NETWORK_BYTES_PER_SECOND, Pace},
    requests::Requests,
    status::Parser,
};
use crate::{
    config::{Pin, Timing},
    device::{DeviceEvent, Piece, PrinterStatus, profile::PrinterProfile},
};

/// A foreign job's `ESC @` switches automatic status off in silence (Epson UB-E02 guide, 4.4); this switches it on again.
const REFRESH: Duration = Duration::from_secs(60);
/// Poll while automatic status is not proven: with two wake-ups each, and the paper asked about as seldom as
/// [`Timing::poll`] says, a till stays below 60 wake-ups a minute.
const POLL_UNPROVEN: Duration = Duration::from_secs(3);
/// The same while a slip is under way: paper that ran out must be known before the proof is overdue.
const POLL_SLIP: Duration = Duration::from_secs(1);
/// Poll of a printer that answers nothing: it is mostly switched off, overnight too.
const POLL_SILENT: Duration = Duration::from_secs(5);
/// Poll while a kick is being answered, without and with proven automatic status.
const POLL_KICK: Duration = Duration::from_millis(100);
const POLL_KICK_PROVEN: Duration = Duration::from_millis(250);
/// Requests in a row without an answer, until the printer counts as silent (fact sheet, quirk 6).
const MISSES: u32 = 3;
/// The same when noise keeps requests from being sent at all.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// A port that takes nothing for this long, without a reason said, is opened anew: some USB adapters need it.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// After noise, what looks like a message is not believed alone for this long.
const DOUBT: Duration = Duration::from_secs(1);
/// Between the two answers that prove a level: noise rarely comes as one byte.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Frames for the display; a newer one matters more than an older one.
const PASSES_MAX: usize = 8;
/// NULs finish a command that somebody left half-sent, and are ignored otherwise (fact sheet, 3.4). The longest command of
/// a slip stores a QR code: its data is below 200 bytes.
const PADDING: usize = 8;
const PADDING_AFTER_A_TORN_SLIP: usize = 256;

/// What comes in.
#[derive(Debug)]
pub enum Input<'a> {
    /// The port is open.
    Opened {
        /// For messages.
        port: &'a str,
        /// The wire's speed, if it has one.
        bytes_per_second: Option<u64>,
        /// Bytes sent to a printer that is off or taken are kept and delivered later (TCP, flow control).
        keeps_bytes: bool,
    },
    /// The port could not be opened, or broke; in words.
    Lost(&'a str),
    /// Bytes were read.
    Bytes(&'a [u8]),
    /// The last [`Output::Write`] has left.
    Left,
    /// Some bytes of it have left; the rest follows by itself.
    Partly,
    /// No byte of it could leave; here it is back.
    Refused(Vec<u8>),
    /// The kernel takes bytes again after [`Input::Refused`].
    Writable,
    /// Send the pulse.
    Pulse,
    /// A kick is being answered until then: look closely.
    Watch(Option<Instant>),
    /// Say when this job could begin.
    AskTurn {
        /// Its number.
        job: u64,
    },
    /// Print.
    Print {
        /// Its number.
        job: u64,
        /// Whole commands each.
        pieces: Vec<Piece>,
    },
    /// Bytes for the display in front of the printer.
    PassThrough(Vec<u8>),
    /// Time passed.
    Tick,
}

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Hand this to the kernel in one write. No other comes before [`Input::Left`] or [`Input::Refused`].
    Write(Vec<u8>),
    /// The drawer line's level.
    Level {
        /// HIGH.
        high: bool,
        /// What it was before is not known: whatever it is, it is no edge.
        baseline: bool,
    },
    /// The level is not known any more, and why.
    LevelLost(String),
    /// The pulse has left.
    PulseLeft {
        /// Bytes of a slip may stand before it in the printer's buffer.
        behind_slip: bool,
    },
    /// The pulse was not sent, and why.
    PulseFailed(String),
    /// News of the printer or of a job.
    Event(DeviceEvent),
    /// Throw away what the kernel has not sent, or close the port if that is the only way: the printer does not answer, and
    /// what is kept would open the drawer when it is switched on. Nothing of the last [`Output::Write`] is under way any more.
    Discard,
    /// Nothing leaves: close the port and open it again.
    Stuck,
}

/// One printer's line.
#[derive(Debug)]
pub struct Conversation {
    timing: Timing,
    kick: Vec<u8>,
    answers: bool,
    /// The drawer's level matters to somebody.
    senses: bool,
    auto_status: bool,
    identity_text: bool,
    pass_through: bool,
    phase: Phase,
    port: String,
    keeps_bytes: bool,
    /// What the kernel has not sent can be thrown away without closing the port.
    serial: bool,
    pace: Pace,
    parser: Parser,
    requests: Requests,
    health: Health,
    identity: Identity,
    jobs: Jobs,
    level: Option<bool>,
    candidate: Option<bool>,
    doubt_until: Option<Instant>,
    noisy: bool,
    /// Since the start of the process: a wire that never brought anything may have no way back.
    ever_answered: bool,
    unanswered_since: Option<Instant>,
    auto: Auto,
    /// Changes that automatic status did not tell of, on this link.
    auto_misses: u32,
    /// The next level is a baseline.
    rebase: bool,
    poll_at: Instant,
    paper_at: Instant,
    refresh_at: Instant,
    watch: Option<Instant>,
    /// A pulse is wanted, until then.
    pulse: Option<Instant>,
    /// The last pulse is given up, or counts as left, then.
    pulse_by: Instant,
    /// A pulse left, and nothing was heard since: what is kept of it is thrown away then.
    unheard_pulse: Option<Instant>,
    settings: Option<Vec<u8>>,
    passes: VecDeque<Vec<u8>>,
    /// Something may be waiting for the wire, until then.
    paced_until: Option<Instant>,
    sending: Sending,
    torn: bool,
    said: Option<PrinterStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Nobody has tried yet.
    Unopened,
    Down {
        why: String,
    },
    Starting,
    Up,
    Silent {
        why: String,
    },
}

/// What is known of automatic status on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auto {
    /// Not asked for, or not answered.
    Unproven,
    /// A block came.
    Proven,
    /// A change came by poll and by no block: it was switched off, or the model tells only once. With the level that a block
    /// told of since.
    Missed { told: Option<bool> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pulse,
    Request,
    Identity,
    Settings,
    PassThrough,
    Piece,
}

#[derive(Debug)]
enum Sending {
    Idle,
    /// Handed over; `since` counts while the kernel does not take all of it.
    Unit {
        kind: Kind,
        len: usize,
        partly: bool,
        since: Instant,
    },
    /// Came back untouched.
    Held {
        kind: Kind,
        bytes: Vec<u8>,
        since: Instant,
    },
}

impl Conversation {
    /// A line that is not open yet. `first_id`: see [`Jobs::new`].
    #[must_use]
    ///
    /// `senses`: the level of the drawer's line matters.
    pub fn new(now: Instant, profile: &PrinterProfile, pin: Pin, senses: bool, timing: Timing, first_id: u16) -> Self {
        Self {
            timing,
            kick: command::kick(profile, pin, profile.pass_through),
            answers: profile.asb || profile.process_id || profile.transmit_status,
            senses,
            auto_status: profile.asb,
            identity_text: profile.identity_text,
            pass_through: profile.pass_through,
            phase: Phase::Unopened,
            port: String::new(),
            keeps_bytes: false,
            serial: false,
            pace: Pace::new(now, NETWORK_BYTES_PER_SECOND),
            parser: Parser::default(),
            requests: Requests::new(now),
            health: Health::default(),
            identity: Identity::new(false),
            jobs: Jobs::new(profile, timing.print_proof, first_id),
            level: None,
            candidate: None,
            doubt_until: None,
            noisy: false,
            ever_answered: false,
            unanswered_since: None,
            auto: Auto::Unproven,
            auto_misses: 0,
            rebase: false,
            poll_at: now,
            paper_at: now,
            refresh_at: now,
            watch: None,
            pulse: None,
            pulse_by: now,
            unheard_pulse: None,
            settings: None,
            passes: VecDeque::new(),
            paced_until: None,
            sending: Sending::Idle,
            // The run before may have been killed amid a slip.
            torn: true,
            said: None,
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Opened { port, bytes_per_second, keeps_bytes } => self.opened(now, port, bytes_per_second, keeps_bytes),
            Input::Lost(why) => self.lost(now, why, &mut out),
            Input::Bytes(bytes) => {
                let heard = self.parser.feed(now, bytes);
                self.hear_all(now, heard, &mut out);
            }
            Input::Left => self.left(now, &mut out),
            Input::Partly => self.partly(now),
            Input::Refused(bytes) => {
                if let Sending::Unit { kind, since, .. } = self.sending {
                    self.sending = Sending::Held { kind, bytes, since };
                }
            }
            Input::Writable => self.writable(now, &mut out),
            Input::Pulse => match self.no_pulse() {
                Some(why) => out.push(Output::PulseFailed(why)),
                None => {
                    self.pulse_by = now + self.timing.kick_answer;
                    self.pulse = Some(self.pulse_by);
                }
            },
            Input::Watch(until) => {
                if until.is_some() && self.watch != until {
                    self.poll_at = self.poll_at.min(now + POLL_KICK);
                }
                self.watch = until;
            }
            Input::AskTurn { job } => self.jobs.ask_turn(job),
            Input::Print { job, pieces } => say(&mut out, |events| self.jobs.add(job, pieces, events)),
            Input::PassThrough(bytes) => self.pass_through(bytes),
            Input::Tick => {}
        }
        self.advance(now, &mut out);
        out
    }

    /// When [`Input::Tick`] is due, if at all.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        if !self.is_open() {
            return None;
        }
        let idle = matches!(self.sending, Sending::Idle);
        let wants_wire =
            !self.passes.is_empty() || (self.ready() == Ready::Yes && !(self.jobs.idle() && self.identity.finished()));
        [
            self.parser.gives_up_at(),
            self.requests.wake_at().filter(|_| idle),
            self.identity.wake_at(),
            self.jobs.wake_at(),
            self.jobs.ask_at().filter(|_| wants_wire && idle).map(|at| self.paced_until.map_or(at, |due| due.max(at))),
            Some(self.poll_at),
            (self.auto_status && self.phase == Phase::Up).then_some(self.refresh_at),
            self.paced_until.filter(|_| wants_wire && idle),
            self.pulse,
            self.held_pulse_until(),
            self.unheard_pulse,
            self.stuck_at(),
            self.silent_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When everything handed over is off the wire, if no slip is under way and nothing else waits for it.
    #[must_use]
    pub fn settled_at(&self) -> Option<Instant> {
        let idle = !self.jobs.begun() && self.passes.is_empty() && matches!(self.sending, Sending::Idle);
        idle.then(|| self.pace.free_at())
    }
}

/// Lets a helper that speaks in events add to outputs.
fn say(out: &mut Vec<Output>, tell: impl FnOnce(&mut Vec<DeviceEvent>)) {
    let mut events = Vec::new();
    tell(&mut events);
    out.extend(events.into_iter().map(Output::Event));
}

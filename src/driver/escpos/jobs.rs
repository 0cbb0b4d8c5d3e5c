//! Print jobs: pieces in order, then the questions whose answers prove that they were printed.
//!
//! ## Why nothing is ever sent twice
//! A slip of which one byte may have left can be on paper, in the printer's buffer, or nowhere: no printer tells. So it ends
//! as not proven and a person looks. A slip of which no byte left simply waits.
//!
//! ## Why one asks for a turn
//! Who prints a slip writes down that it is being sent before its first byte can leave. While the printer is off or without
//! paper, nothing is being sent, and what the slip has to say may change: so it is made when its turn comes, not before.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::command;
use crate::device::{DeviceEvent, Piece, PrintOutcome, profile::PrinterProfile};

/// A till prints a slip or two per opening: more than this wait only when a printer is off for days.
const QUEUE_MAX: usize = 32;

/// `GS r` and automatic status may contradict each other for as long as they like: one question a second settles it.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Whether pieces may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready<'a> {
    /// Yes.
    Yes,
    /// Not yet, for reasons that pass by themselves.
    Soon,
    /// No: a person must do something.
    No(&'a str),
}

/// The jobs of one printer.
#[derive(Debug)]
pub struct Jobs {
    auto_status: bool,
    process_id: bool,
    transmit_status: bool,
    proof_within: Duration,
    queue: VecDeque<Job>,
    turn: Option<Turn>,
    stage: Stage,
    /// 1..=9999, rising; the current job's while there is one.
    id: u16,
    /// Whether `GS ( H` is answered at all, once seen.
    ids_answered: Option<bool>,
    /// `GS r` sent and not answered.
    owed: u32,
}

#[derive(Debug)]
struct Job {
    number: u64,
    pieces: Vec<Piece>,
    said_waits: bool,
}

/// Somebody has a slip for when the printer is ready.
#[derive(Debug)]
struct Turn {
    job: u64,
    said_waits: bool,
}

/// How far the first job of the queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No byte has left.
    Waiting,
    /// Pieces up to this one have been handed out; `begun` when bytes of them have left.
    Sending { next: usize, begun: bool },
    /// The questions have been handed out.
    Asking,
    /// The questions left; time-out while the printer is ready.
    Proving { give_up: Option<Instant>, processed: bool, ask_at: Option<Instant>, doubted: bool },
}

impl Jobs {
    /// No jobs. `first_id` differs from run to run, so that a late answer to an earlier run proves nothing.
    #[must_use]
    pub fn new(profile: &PrinterProfile, proof_within: Duration, first_id: u16) -> Self {
        Self {
            auto_status: profile.asb,
            process_id: profile.process_id,
            transmit_status: profile.transmit_status,
            proof_within,
            queue: VecDeque::new(),
            turn: None,
            stage: Stage::Waiting,
            id: first_id % 9999 + 1,
            ids_answered: None,
            owed: 0,
        }
    }
    /// Asks to be told by [`DeviceEvent::PrintTurn`] when the printer could begin this job at once. A later one replaces it.
    pub fn ask_turn(&mut self, job: u64) {
        self.turn = Some(Turn { job, said_waits: false });
    }
    /// Queues a job.
    pub fn add(&mut self, number: u64, pieces: Vec<Piece>, out: &mut Vec<DeviceEvent>) {
        if self.queue.len() >= QUEUE_MAX {
            let why = "too many slips wait for this printer; this one was not sent".to_owned();
            out.push(DeviceEvent::Printed { job: number, outcome: PrintOutcome::NotProven { why } });
            return;
        }
        self.queue.push_back(Job { number, pieces, said_waits: false });
    }
    /// No job waits or is under way.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.queue.is_empty()
    }
    /// Bytes of a job may have left, and it is not over.
    #[must_use]
    pub fn begun(&self) -> bool {
        match self.stage {
            Stage::Waiting => false,
            Stage::Sending { begun, .. } => begun,
            Stage::Asking | Stage::Proving { .. } => true,
        }
    }
    /// The next bytes to send, if any are due: a piece, or the questions after the last one.
    pub fn next(&mut self, now: Instant, pass_through: bool) -> Option<Vec<u8>> {
        let job = self.queue.front()?;
        match &mut self.stage {
            Stage::Waiting => {
                let mut unit = Vec::new();
                if pass_through {
                    unit.extend_from_slice(&command::SELECT_PRINTER);
                }
                unit.extend_from_slice(job.pieces.first().map_or(&[], Vec::as_slice));
                if self.auto_status {
                    // The ESC @ that a slip begins with has just switched it off.
                    unit.extend_from_slice(&command::AUTO_STATUS);
                }
                self.stage = Stage::Sending { next: 1, begun: false };
                Some(unit)
            }
            Stage::Sending { next, .. } if *next < job.pieces.len() => {
                *next += 1;
                Some(job.pieces[*next - 1].clone())
            }
            Stage::Sending { .. } => {
                self.stage = Stage::Asking;
                Some(self.questions())
            }
            Stage::Proving { ask_at, .. } if ask_at.is_some_and(|at| now >= at) => {
                *ask_at = None;
                // Whatever was owed before had its time.
                self.owed = 1;
                Some(command::TRANSMIT_PAPER.to_vec())
            }
            Stage::Asking | Stage::Proving { .. } => None,
        }
    }
    fn questions(&self) -> Vec<u8> {
        let mut unit = Vec::new();
        if self.auto_status {
            unit.extend_from_slice(&command::AUTO_STATUS);
        }
        if self.process_id {
            unit.extend_from_slice(&command::process_id(digits(self.id)));
        }
        if self.transmit_status {
            unit.extend_from_slice(&command::TRANSMIT_PAPER);
        }
        unit
    }
    /// Some bytes of what [`Self::next`] gave have left.
    pub fn partly_left(&mut self) {
        if let Stage::Sending { begun, .. } = &mut self.stage {
            *begun = true;
        }
    }
    /// All bytes of what [`Self::next`] gave have left, and are off the wire at `wire_free`. A printer that never answered
    /// anything (`mute`) is not waited for.
    pub fn left(&mut self, wire_free: Instant, mute: bool) {
        self.partly_left();
        if self.stage == Stage::Asking {
            let provable = (self.process_id || self.transmit_status) && !mute;
            self.owed += u32::from(self.transmit_status);
            let give_up = Some(if provable { wire_free + self.proof_within } else { wire_free });
            self.stage = Stage::Proving { give_up, processed: false, ask_at: None, doubted: false };
        }
    }
    /// All of a slip has left, and its proof is awaited.
    #[must_use]
    pub fn proving(&self) -> bool {
        matches!(self.stage, Stage::Proving { .. })
    }
    /// An answer to `GS r` is awaited.
    #[must_use]
    pub fn owed_an_answer(&self) -> bool {
        self.owed > 0
    }
    /// Noise, or an answer amid noise: it proves nothing, and may have spoiled the true one. So the question is put again at
    /// `at`, when the line is clean; once, since a line that stays noisy proves nothing however often it is asked.
    pub fn doubt(&mut self, at: Instant) {
        if let Stage::Proving { ask_at, doubted: doubted @ false, .. } = &mut self.stage
            && self.transmit_status
        {
            *doubted = true;
            *ask_at = Some(at);
        }
    }
    /// The answer to `GS r`, with what the printer is known to suffer from.
    pub fn short_answer(&mut self, now: Instant, cause: Option<&str>, out: &mut Vec<DeviceEvent>) {
        self.owed = self.owed.saturating_sub(1);
        let Stage::Proving { processed, ask_at, .. } = &mut self.stage else { return };
        if self.owed > 0 {
            return; // It belongs to an earlier job.
        }
        if cause.is_some() {
            // Processed, but it may stand in the line buffer of a printer that just stopped.
            *ask_at = Some(now + ASK_AGAIN);
        } else if self.process_id && self.ids_answered != Some(false) {
            // The better proof is on its way.
            *processed = true;
        } else {
            self.over(PrintOutcome::Printed { by: "GS r" }, out);
        }
    }
    /// The answer to `GS ( H`: everything before it is on paper.
    pub fn id_answer(&mut self, answered: &[u8], out: &mut Vec<DeviceEvent>) {
        self.ids_answered = Some(true);
        if matches!(self.stage, Stage::Proving { .. }) && answered == digits(self.id) {
            self.over(PrintOutcome::Printed { by: "GS ( H" }, out);
        }
    }
    /// Says once why the first job or turn waits, gives the turn, and keeps a time-out from running meanwhile.
    pub fn readiness(&mut self, now: Instant, ready: Ready<'_>, out: &mut Vec<DeviceEvent>) {
        let waits = match (self.queue.front_mut(), &mut self.turn) {
            (Some(job), _) => Some((job.number, &mut job.said_waits)),
            (None, Some(turn)) => Some((turn.job, &mut turn.said_waits)),
            (None, None) => None,
        };
        if let Ready::No(why) = ready
            && let Some((job, said @ false)) = waits
        {
            *said = true;
            out.push(DeviceEvent::PrintWaits { job, why: why.to_owned() });
        }
        if self.queue.is_empty()
            && ready == Ready::Yes
            && let Some(turn) = self.turn.take()
        {
            out.push(DeviceEvent::PrintTurn { job: turn.job });
        }
        if let Stage::Proving { give_up, .. } = &mut self.stage {
            match ready {
                Ready::Yes if give_up.is_none() => *give_up = Some(now + self.proof_within),
                Ready::Yes | Ready::Soon => {}
                Ready::No(_) => *give_up = None,
            }
        }
    }
    /// Ends a job whose proof is overdue.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<DeviceEvent>) {
        let Stage::Proving { give_up: Some(at), processed, .. } = self.stage else { return };
        if now < at {
            return;
        }
        self.owed = 0;
        let outcome = if processed {
            self.ids_answered = Some(false);
            PrintOutcome::Printed { by: "GS r" }
        } else if self.process_id || self.transmit_status {
            let why = "the printer is ready but did not confirm the slip: look at the paper".to_owned();
            PrintOutcome::NotProven { why }
        } else {
            PrintOutcome::NotProven { why: "this printer cannot confirm: look at the paper".to_owned() }
        };
        self.over(outcome, out);
    }
    /// The line broke, or the printer fell silent. A job that had begun is over; others wait.
    pub fn broke(&mut self, why: &str, out: &mut Vec<DeviceEvent>) {
        self.owed = 0;
        if self.begun() {
            let why = format!("{why}; part of the slip had been sent: look at the paper");
            self.over(PrintOutcome::NotProven { why }, out);
        } else {
            self.stage = Stage::Waiting;
        }
    }
    /// When a question is put again, if the printer is ready by then.
    #[must_use]
    pub fn ask_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Proving { ask_at, .. } => ask_at,
            Stage::Waiting | Stage::Sending { .. } | Stage::Asking => None,
        }
    }
    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Proving { give_up, .. } => give_up,
            Stage::Waiting | Stage::Sending { .. } | Stage::Asking => None,
        }
    }
    fn over(&mut self, outcome: PrintOutcome, out: &mut Vec<DeviceEvent>) {
        if let Some(job) = self.queue.pop_front() {
            out.push(DeviceEvent::Printed { job: job.number, outcome });
        }
        self.stage = Stage::Waiting;
        self.id = self.id % 9999 + 1;
    }
}

fn digits(id: u16) -> [u8; 4] {
    [1000, 100, 10, 1].map(|place| b'0' + u8::try_from(id / place % 10).expect("a digit is below ten"))
}

#[cfg(test)]
mod tests;

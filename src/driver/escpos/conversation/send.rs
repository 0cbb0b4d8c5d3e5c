//! The outgoing half: what is due, and which of it goes next.
use std::time::Instant;

use super::{
    Auto, Conversation, Kind, MISSES, NETWORK_BYTES_PER_SECOND, Output, PADDING, PADDING_AFTER_A_TORN_SLIP, PASSES_MAX,
    POLL_KICK, POLL_KICK_PROVEN, POLL_SILENT, POLL_SLIP, POLL_UNPROVEN, Pace, Phase, REFRESH, STUCK_AFTER, Sending, command,
};
use crate::{
    device::{DeviceEvent, Link, PrinterStatus},
    driver::escpos::{health::Health, identity::Identity, jobs::Ready, requests::Requests, status::Parser},
};

impl Conversation {
    pub(super) fn opened(&mut self, now: Instant, port: &str, bytes_per_second: Option<u64>, keeps_bytes: bool) {
        port.clone_into(&mut self.port);
        self.keeps_bytes = keeps_bytes;
        self.serial = bytes_per_second.is_some();
        self.pace = Pace::new(now, bytes_per_second.unwrap_or(NETWORK_BYTES_PER_SECOND));
        self.parser = Parser::default();
        self.sending = Sending::Idle;
        self.noisy = false;
        self.phase = Phase::Starting;
        self.begin(now);
    }

    /// Asks everything anew: after the port was opened, and when a silent printer speaks again.
    pub(super) fn begin(&mut self, now: Instant) {
        self.requests = Requests::new(now);
        self.health = Health::default();
        self.identity = Identity::new(self.identity_text);
        self.level = None;
        self.candidate = None;
        self.doubt_until = None;
        self.unanswered_since = None;
        self.auto = Auto::Unproven;
        self.auto_misses = 0;
        self.rebase = false;
        if self.jobs.begun() {
            // A wire that seemed to have no way back speaks amid a slip, which must not be reset.
            self.refresh(now);
        } else {
            self.settings = Some(self.clean_line());
        }
        self.refresh_at = now + REFRESH;
        self.poll_at = now + self.poll_every();
        self.paper_at = now + self.timing.poll;
        for n in 1..=4 {
            self.want(now, n);
        }
    }

    /// Finishes what somebody left half-sent, then sets what we need.
    pub(super) fn clean_line(&mut self) -> Vec<u8> {
        let torn = std::mem::take(&mut self.torn);
        let mut settings = vec![0; if torn { PADDING_AFTER_A_TORN_SLIP } else { PADDING }];
        if self.pass_through {
            settings.extend_from_slice(&command::SELECT_PRINTER);
        }
        if torn {
            // The unfinished line of the torn slip must not become the first line of the next one.
            settings.extend_from_slice(&command::INITIALIZE);
        }
        if self.auto_status {
            settings.extend_from_slice(&command::AUTO_STATUS);
        }
        settings
    }

    pub(super) fn lost(&mut self, now: Instant, why: &str, out: &mut Vec<Output>) {
        self.drop_unsent(why, out);
        if self.pulse.take().is_some() {
            out.push(Output::PulseFailed(why.to_owned()));
        }
        self.unheard_pulse = None;
        self.passes.clear();
        self.settings = None;
        self.break_off(why, out);
        self.requests = Requests::new(now);
        self.phase = Phase::Down { why: why.to_owned() };
    }

    pub(super) fn want(&mut self, now: Instant, n: u8) {
        self.unanswered_since.get_or_insert(now);
        self.requests.want(n);
    }

    pub(super) fn pass_through(&mut self, bytes: Vec<u8>) {
        if !self.is_open() || bytes.is_empty() {
            return;
        }
        // From now on the line is known to be shared.
        self.pass_through = true;
        if self.passes.len() >= PASSES_MAX {
            // The first may be the one that sets the display up; each of the others is a whole picture.
            self.passes.remove(1);
        }
        self.passes.push_back([&command::SELECT_DISPLAY, bytes.as_slice(), &command::SELECT_PRINTER].concat());
    }

    /// Why no pulse may be sent now. A pulse that a buffer keeps would open the drawer when nobody expects it.
    pub(super) fn no_pulse(&self) -> Option<String> {
        match &self.phase {
            Phase::Unopened => Some("the printer's port has not been opened yet: try again in a moment".to_owned()),
            Phase::Down { why } => Some(why.clone()),
            Phase::Starting if self.keeps_bytes => {
                Some(format!("{} is open, but the printer has not answered yet: try again in a moment", self.port))
            }
            Phase::Silent { why } if self.keeps_bytes && self.answers => Some(why.clone()),
            Phase::Starting | Phase::Silent { .. } => None,
            Phase::Up if self.health.online == Some(false) => {
                Some(self.health.cause().unwrap_or("the printer is offline").to_owned())
            }
            Phase::Up => None,
        }
    }

    pub(super) fn ready(&self) -> Ready<'_> {
        match &self.phase {
            Phase::Down { why } => Ready::No(why),
            Phase::Silent { why } if self.answers && !self.mute() => Ready::No(why),
            Phase::Silent { .. } => Ready::Yes,
            Phase::Unopened | Phase::Starting => Ready::Soon,
            Phase::Up => match self.health.cause() {
                // Offline comes first, the reason with the next answers: one sentence is better than two.
                Some(_) if !self.requests.idle() && self.auto != Auto::Proven => Ready::Soon,
                Some(why) => Ready::No(why),
                None if self.health.online.is_none() && !self.requests.idle() => Ready::Soon,
                None if self.identity.asking() && !self.jobs.begun() => Ready::Soon,
                None => Ready::Yes,
            },
        }
    }

    /// Does what is due, then hands over the most urgent unit.
    pub(super) fn advance(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.is_open() {
            self.pass_time(now, out);
        }
        let mut events = Vec::new();
        // `ready` borrows words of self: they are few and rarely change, so they are copied.
        let words = match self.ready() {
            Ready::No(why) => Some(why.to_owned()),
            Ready::Yes | Ready::Soon => None,
        };
        let ready = words.as_deref().map_or_else(|| self.ready_word(), Ready::No);
        self.jobs.readiness(now, ready, &mut events);
        self.jobs.tick(now, &mut events);
        out.extend(events.into_iter().map(Output::Event));
        if self.is_open() {
            self.hand_over(now, out);
        }
        self.say_status(out);
    }

    fn ready_word(&self) -> Ready<'static> {
        match self.ready() {
            Ready::Yes => Ready::Yes,
            Ready::Soon | Ready::No(_) => Ready::Soon,
        }
    }

    fn pass_time(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.parser.gives_up_at().is_some_and(|at| now >= at) {
            for heard in self.parser.feed(now, &[]) {
                self.hear(now, heard, out);
            }
        }
        if self.requests.time_out(now) {
            self.unanswered(now, out);
        }
        let starved = self.silent_at().is_some_and(|at| now >= at);
        let missed = self.silent_at().is_some() && self.requests.missed() >= MISSES && !self.jobs.begun();
        if starved || missed {
            self.fall_silent(now, out);
        }
        self.watch = self.watch.filter(|until| now < *until);
        if now >= self.poll_at {
            self.poll_at = now + self.poll_every();
            self.want(now, 1);
            let slip = self.jobs.begun();
            let paper = self.phase == Phase::Up && self.auto != Auto::Proven && self.watch.is_none();
            if paper && (slip || now >= self.paper_at) {
                self.paper_at = now + self.timing.poll;
                self.want(now, 4);
            }
        }
        if self.auto_status && self.phase == Phase::Up && now >= self.refresh_at {
            self.refresh(now);
        }
        self.identity.tick(now);
        if self.pulse.is_some_and(|give_up| now >= give_up) {
            self.pulse = None;
            out.push(Output::PulseFailed(format!("{} takes no bytes: the pulse was not sent", self.port)));
        }
        if self.held_pulse_until().is_some_and(|give_up| now >= give_up) {
            self.give_up_pulse(now, out);
        }
        if self.unheard_pulse.is_some_and(|due| now >= due) {
            self.unheard_pulse = None;
            // Behind a slip it is late rather than lost; and if the printer is gone, the slip's end will tell.
            if !self.jobs.begun() {
                let why = self.silence();
                self.discard(&why, out);
                self.settings = Some(self.clean_line());
            }
        }
        if self.stuck_at().is_some_and(|at| now >= at) {
            out.push(Output::Stuck);
        }
    }

    /// The pulse could not leave, or not whole, until its answer is due.
    fn give_up_pulse(&mut self, now: Instant, out: &mut Vec<Output>) {
        match &mut self.sending {
            // Some bytes are on their way, and the rest may follow: it counts as sent.
            Sending::Unit { kind: kind @ Kind::Pulse, .. } => {
                *kind = Kind::Settings;
                self.pulse_left(now, out);
            }
            Sending::Held { kind: Kind::Pulse, .. } => {
                self.sending = Sending::Held { kind: Kind::Settings, bytes: Vec::new(), since: now };
                out.push(Output::PulseFailed(format!("{} takes no bytes: the pulse was not sent", self.port)));
            }
            Sending::Unit { .. } | Sending::Held { .. } | Sending::Idle => {}
        }
    }

    fn pulse_left(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.keeps_bytes && (self.answers || self.serial) {
            self.unheard_pulse = Some(now + self.timing.kick_answer);
            self.want(now, 1);
        }
        out.push(Output::PulseLeft { behind_slip: self.jobs.begun() });
    }

    pub(super) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Unopened | Phase::Down { .. } => false,
            Phase::Starting | Phase::Up | Phase::Silent { .. } => true,
        }
    }

    /// Switches automatic status on again.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.refresh_at = now + REFRESH;
        if self.auto_status && self.settings.is_none() {
            let mut settings = Vec::new();
            if self.pass_through {
                settings.extend_from_slice(&command::SELECT_PRINTER);
            }
            settings.extend_from_slice(&command::AUTO_STATUS);
            self.settings = Some(settings);
        }
    }

    pub(super) fn poll_every(&self) -> std::time::Duration {
        let unproven = POLL_UNPROVEN.min(self.timing.poll);
        match (&self.phase, self.auto) {
            (Phase::Silent { .. }, _) if !self.answers => self.timing.poll,
            (Phase::Silent { .. }, _) => POLL_SILENT.min(self.timing.poll),
            (_, Auto::Proven) if self.watch.is_some() => POLL_KICK_PROVEN,
            (_, Auto::Unproven | Auto::Missed { .. }) if self.watch.is_some() => POLL_KICK,
            (_, Auto::Proven) => self.timing.poll,
            (_, Auto::Unproven | Auto::Missed { .. }) if self.jobs.begun() => POLL_SLIP.min(self.timing.poll),
            (_, Auto::Unproven | Auto::Missed { .. }) if !self.senses => self.timing.poll,
            (_, Auto::Unproven | Auto::Missed { .. }) => unproven,
        }
    }

    fn hand_over(&mut self, now: Instant, out: &mut Vec<Output>) {
        // An empty unit (a job without questions) has left as soon as it is taken.
        while matches!(self.sending, Sending::Idle) {
            let Some((kind, bytes)) = self.next_unit(now) else { return };
            let empty = bytes.is_empty();
            self.sending = Sending::Unit { kind, len: bytes.len(), partly: false, since: now };
            if empty {
                self.left(now, out);
            } else {
                out.push(Output::Write(bytes));
            }
        }
    }

    fn next_unit(&mut self, now: Instant) -> Option<(Kind, Vec<u8>)> {
        if self.pulse.take().is_some() {
            return Some((Kind::Pulse, self.kick.clone()));
        }
        // Settings before the first request: they finish what somebody left half-sent.
        if self.phase == Phase::Starting
            && let Some(settings) = self.settings.take()
        {
            return Some((Kind::Settings, settings));
        }
        if let Some(n) = self.requests.next(now) {
            return Some((Kind::Request, command::real_time(n).to_vec()));
        }
        if let Some(settings) = self.settings.take() {
            return Some((Kind::Settings, settings));
        }
        // Kept as a time: whoever asks later when to come must not hear "never" because it is past by then.
        self.paced_until = self.pace.wait(now);
        if self.paced_until.is_some() {
            return None;
        }
        if let Some(pass) = self.passes.pop_front() {
            return Some((Kind::PassThrough, pass));
        }
        if self.ready() != Ready::Yes {
            return None;
        }
        // Between jobs only: `GS I` and `GS r` are answered in buffer order.
        if self.phase == Phase::Up
            && !self.jobs.begun()
            && let Some(question) = self.identity.next(now)
        {
            return Some((Kind::Identity, question.to_vec()));
        }
        if self.identity.asking() {
            return None;
        }
        self.jobs.next(now, self.pass_through).map(|piece| (Kind::Piece, piece))
    }

    pub(super) fn left(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Sending::Unit { kind, len, .. } = std::mem::replace(&mut self.sending, Sending::Idle) else { return };
        self.pace.sent(now, len);
        match kind {
            Kind::Pulse => self.pulse_left(now, out),
            Kind::Piece => {
                let mute = matches!(self.phase, Phase::Silent { .. }) && self.mute();
                self.jobs.left(self.pace.free_at(), mute);
                if self.jobs.proving() && !mute {
                    // When the proof does not come, it must be known whether the printer is there at all.
                    self.want(now, 1);
                }
                if self.auto != Auto::Proven {
                    self.poll_at = self.poll_at.min(now + POLL_SLIP);
                }
            }
            // The time to answer begins when the question is out, not when it is behind a hundred NULs.
            Kind::Settings => self.requests.not_before(self.pace.free_at()),
            Kind::Request | Kind::Identity | Kind::PassThrough => {}
        }
    }

    pub(super) fn partly(&mut self, now: Instant) {
        if let Sending::Unit { kind, partly, since, .. } = &mut self.sending {
            *partly = true;
            *since = now;
            if *kind == Kind::Piece {
                self.jobs.partly_left();
            }
        }
    }

    pub(super) fn writable(&mut self, now: Instant, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.sending, Sending::Idle) {
            Sending::Held { bytes, .. } if bytes.is_empty() => {}
            Sending::Held { kind, bytes, since } => {
                self.sending = Sending::Unit { kind, len: bytes.len(), partly: false, since: since.min(now) };
                out.push(Output::Write(bytes));
            }
            other @ (Sending::Idle | Sending::Unit { .. }) => self.sending = other,
        }
    }

    /// Until when a pulse that could not leave, or not whole, is waited for.
    pub(super) fn held_pulse_until(&self) -> Option<Instant> {
        match self.sending {
            Sending::Held { kind: Kind::Pulse, .. } | Sending::Unit { kind: Kind::Pulse, partly: true, .. } => {
                Some(self.pulse_by)
            }
            Sending::Held { .. } | Sending::Unit { .. } | Sending::Idle => None,
        }
    }

    /// When the port counts as stuck: nothing leaves and nothing explains it.
    pub(super) fn stuck_at(&self) -> Option<Instant> {
        match self.sending {
            Sending::Unit { since, .. } | Sending::Held { since, .. } if self.health.cause().is_none() => {
                Some(since + STUCK_AFTER)
            }
            Sending::Unit { .. } | Sending::Held { .. } | Sending::Idle => None,
        }
    }

    fn say_status(&mut self, out: &mut Vec<Output>) {
        let link = match &self.phase {
            Phase::Down { why } => Link::Down { why: why.clone() },
            // Also on a wire without a way back: that it is one is a guess, and the words help who did not mean it to be.
            Phase::Silent { why } if self.answers => Link::Down { why: why.clone() },
            Phase::Silent { .. } | Phase::Up => Link::Up,
            Phase::Unopened | Phase::Starting => Link::Starting,
        };
        let Health { online, paper, cover_open, errors } = self.health;
        let error = errors.and_then(|errors| errors.words()).map(str::to_owned);
        let status = PrinterStatus { link, online, paper, cover_open, error, identity: self.identity.words() };
        if self.said.as_ref() != Some(&status) {
            self.said = Some(status.clone());
            out.push(Output::Event(DeviceEvent::Printer(status)));
        }
    }
}

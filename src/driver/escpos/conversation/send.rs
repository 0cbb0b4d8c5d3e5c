//! The outgoing half: what is due, and which of it goes next.
use std::time::Instant;

use super::{
    Auto, Conversation, Kind, MISSES, Output, PADDING, PADDING_AFTER_A_TORN_SLIP, PASSES_MAX, POLL_KICK, POLL_KICK_PROVEN,
    POLL_SILENT, POLL_UNPROVEN, Pace, Phase, REFRESH, SILENT_AFTER, STUCK_AFTER, Sending, command, say,
};
use crate::{
    device::{DeviceEvent, Link, PrinterStatus},
    driver::escpos::{health::Health, identity::Identity, jobs::Ready, requests::Requests, status::Parser},
};

impl Conversation {
    pub(super) fn opened(&mut self, now: Instant, port: &str, bytes_per_second: Option<u64>, keeps_bytes: bool) {
        port.clone_into(&mut self.port);
        self.keeps_bytes = keeps_bytes;
        self.pace = Pace::new(now, bytes_per_second);
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
        let mut settings = vec![0; if self.torn { PADDING_AFTER_A_TORN_SLIP } else { PADDING }];
        if self.torn {
            // The unfinished line of the torn slip must not become the first line of the next one.
            settings.extend_from_slice(&command::INITIALIZE);
        }
        self.torn = false;
        if self.pass_through {
            settings.extend_from_slice(&command::SELECT_PRINTER);
        }
        if self.auto_status {
            settings.extend_from_slice(&command::AUTO_STATUS);
        }
        self.settings = Some(settings);
        self.refresh_at = now + REFRESH;
        self.poll_at = now + self.poll_every();
        for n in 1..=4 {
            self.want(now, n);
        }
    }

    pub(super) fn lost(&mut self, now: Instant, why: &str, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.sending, Sending::Idle) {
            Sending::Unit { kind: Kind::Pulse, partly: true, .. } => out.push(Output::PulseLeft),
            Sending::Unit { kind: Kind::Pulse, .. } | Sending::Held { kind: Kind::Pulse, .. } => {
                out.push(Output::PulseFailed(why.to_owned()));
            }
            Sending::Unit { .. } | Sending::Held { .. } | Sending::Idle => {}
        }
        if self.pulse.take().is_some() {
            out.push(Output::PulseFailed(why.to_owned()));
        }
        self.passes.clear();
        self.settings = None;
        self.break_off(why, out);
        self.requests = Requests::new(now);
        self.phase = Phase::Down { why: why.to_owned() };
    }

    /// What was known is not known any more; a slip under way is over.
    fn break_off(&mut self, why: &str, out: &mut Vec<Output>) {
        self.torn |= self.jobs.begun();
        if let Sending::Held { kind: Kind::Piece, bytes, .. } = &mut self.sending {
            bytes.clear();
        }
        say(out, |events| self.jobs.broke(why, events));
        self.health = Health::default();
        self.level = None;
        self.candidate = None;
        self.unanswered_since = None;
        out.push(Output::LevelLost(why.to_owned()));
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
            self.passes.pop_front();
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
            Phase::Silent { why } if self.answers => Ready::No(why),
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
            self.unanswered(now);
        }
        let starved =
            self.phase == Phase::Starting && self.unanswered_since.is_some_and(|since| now >= since + SILENT_AFTER);
        // A printer that is offline behind TCP or flow control may not be able to answer; it said why before.
        let excused = self.keeps_bytes && self.health.online == Some(false);
        let silent = matches!(self.phase, Phase::Silent { .. });
        if !silent && !excused && (self.requests.missed() >= MISSES || starved) {
            let why = self.silence();
            self.break_off(&why, out);
            self.phase = Phase::Silent { why };
            self.poll_at = now + self.poll_every();
        }
        self.watch = self.watch.filter(|until| now < *until);
        if now >= self.poll_at {
            self.poll_at = now + self.poll_every();
            self.want(now, 1);
            if self.phase == Phase::Up && self.auto != Auto::Proven && self.watch.is_none() {
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
            self.sending = Sending::Held { kind: Kind::Settings, bytes: Vec::new(), since: now };
            out.push(Output::PulseFailed(format!("{} takes no bytes: the pulse was not sent", self.port)));
        }
        if self.stuck_at().is_some_and(|at| now >= at) {
            out.push(Output::Stuck);
        }
    }

    /// A request was not answered in time. `GS a` is the other question that some models know.
    fn unanswered(&mut self, now: Instant) {
        self.want(now, 1);
        match self.phase {
            Phase::Starting | Phase::Up => self.refresh(now),
            Phase::Silent { .. } | Phase::Unopened | Phase::Down { .. } => {}
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Unopened | Phase::Down { .. } => false,
            Phase::Starting | Phase::Up | Phase::Silent { .. } => true,
        }
    }

    /// A printer that is offline behind TCP or flow control may not be able to answer; it said why before.
    pub(super) fn excused(&self) -> bool {
        self.keeps_bytes && self.health.online == Some(false)
    }

    fn silence(&self) -> String {
        let port = &self.port;
        if self.noisy {
            format!(
                "{port} is open, but what comes back makes no sense: set the printer's own baud rate in the configuration"
            )
        } else if self.keeps_bytes {
            format!(
                "{port} is open, but the printer does not answer: another program may be using it, or it is switched off"
            )
        } else {
            format!("{port} is open, but the printer does not answer: check that it is on, then the cable and the baud rate")
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

    fn poll_every(&self) -> std::time::Duration {
        let unproven = POLL_UNPROVEN.min(self.timing.poll);
        match (&self.phase, self.auto) {
            (Phase::Silent { .. }, _) if !self.answers => self.timing.poll,
            (Phase::Silent { .. }, _) => POLL_SILENT.min(self.timing.poll),
            (_, Auto::Proven) if self.watch.is_some() => POLL_KICK_PROVEN,
            (_, Auto::Unproven | Auto::Missed) if self.watch.is_some() => POLL_KICK,
            (_, Auto::Proven) => self.timing.poll,
            (_, Auto::Unproven | Auto::Missed) => unproven,
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
        if self.pace.wait(now).is_some() {
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
        self.jobs.next(self.pass_through).map(|piece| (Kind::Piece, piece))
    }

    pub(super) fn left(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Sending::Unit { kind, len, .. } = std::mem::replace(&mut self.sending, Sending::Idle) else { return };
        self.pace.sent(now, len);
        match kind {
            Kind::Pulse => out.push(Output::PulseLeft),
            Kind::Piece => self.jobs.left(self.pace.free_at()),
            Kind::Request | Kind::Identity | Kind::Settings | Kind::PassThrough => {}
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

    /// Until when a pulse that could not leave is kept.
    pub(super) fn held_pulse_until(&self) -> Option<Instant> {
        match self.sending {
            Sending::Held { kind: Kind::Pulse, since, .. } => Some(since + self.timing.kick_answer),
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

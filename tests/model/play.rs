//! What can happen in a world, and what the world is after it: the daemons' side is the wiring of the real daemon in short.
use drawerbridge::shift::event::Event;

use crate::{
    attempts::INTENT,
    few::Few,
    mind::{Choice, Cue, DONE, Minds, Said, Wants},
    runs::{Cast, Fault, Setup},
    shop::{self, ALIKE, Active, FOREIGN, Ran, Seen, Session, Sessions},
    world::{Action, Daemon, Flight, Waits, World},
};

/// One run: the setup, and the real machines that take part in it.
pub struct Play<'a> {
    pub setup: &'a Setup,
    pub minds: Minds<'a>,
}

impl Play<'_> {
    fn till_of(&self, daemon: u8) -> u8 {
        self.setup.device(self.setup.opening(daemon))
    }

    /// Everything that can happen now.
    pub fn actions(&mut self, w: &World) -> Vec<Action> {
        use Action as A;
        let mut all = Vec::with_capacity(16);
        let daemons = 0..self.setup.daemons();
        for d in daemons.clone() {
            let daemon = &w.daemons[usize::from(d)];
            match daemon.waits {
                Waits::Rests => {}
                Waits::Go => {
                    all.push(A::Go(d));
                    if w.may(Fault::Ahead) && self.minds.state(daemon.machine) == "Ready" {
                        all.extend(self.lags(w, d).map(|lag| A::LookAhead(d, lag)));
                        if w.may(Fault::Refused) {
                            all.push(A::LookAheadMissing(d));
                        }
                    }
                }
                Waits::Disk(_) => {
                    all.push(A::Stored(d));
                    if w.may(Fault::Disk) {
                        all.push(A::DiskRefuses(d));
                    }
                }
                Waits::Answer => {
                    let awaited = w.awaited(d).is_some();
                    if !awaited || w.may(Fault::Lost) {
                        all.push(A::NeverAnswered(d));
                    }
                    if awaited && w.may(Fault::NotRun) {
                        all.push(A::CertainlyNotRun(d));
                    }
                    if awaited && w.may(Fault::Refused) {
                        all.push(A::Refused(d));
                    }
                }
                Waits::Reply(said) => {
                    all.push(A::AnswerArrives(d));
                    if w.may(Fault::Mangled) && matches!(said, Said::Ran(Ran::Opened(..) | Ran::Counted(..))) {
                        all.push(A::AnswerMangled(d));
                    }
                }
                Waits::Sessions => {
                    for lag in self.lags(w, d) {
                        if !self.setup.second_way {
                            all.push(A::Read { daemon: d, lag, lag_of_device: 0 });
                            continue;
                        }
                        all.extend(self.lags(w, d).map(|lag_of_device| A::Read { daemon: d, lag, lag_of_device }));
                    }
                    if w.may(Fault::BadRead) {
                        all.push(A::ReadFails(d));
                    }
                    if w.may(Fault::Refused) {
                        all.push(A::DeviceMissing(d));
                    }
                }
                Waits::Ledger(..) => {
                    all.extend(self.lags(w, d).map(|lag| A::Read { daemon: d, lag, lag_of_device: 0 }));
                    if w.may(Fault::BadRead) {
                        all.push(A::ReadFails(d));
                    }
                }
                Waits::Opener => {
                    all.push(A::OpenerTold(d));
                    if w.may(Fault::BadRead) {
                        all.push(A::ReadFails(d));
                    }
                }
                Waits::Tick => all.push(A::Tick(d)),
            }
            if self.second_look(w, d).is_some() {
                all.push(A::SecondLook(d));
            }
            if daemon.machine == DONE {
                continue;
            }
            if w.may(Fault::Crash) && daemon.waits != Waits::Rests {
                all.push(A::Crash { daemon: d, row_is_on_disk: false });
                if matches!(daemon.waits, Waits::Disk(_)) {
                    all.push(A::Crash { daemon: d, row_is_on_disk: true });
                }
            }
            if w.may(Fault::Clock) && self.minds.hear(daemon.machine, Cue::ClockWrong).0 != daemon.machine {
                all.push(A::ClockWrong(d));
            }
            self.decisions(w, d, &mut all);
        }
        if w.rests() && w.flights.is_empty() {
            // Nothing of ours can change any more.
            return all;
        }
        for (at, flight) in w.flights.iter().enumerate() {
            if w.flights.as_slice()[..at].contains(flight) {
                continue;
            }
            let listens = flight.awaited && w.daemons[usize::from(flight.daemon)].waits == Waits::Answer;
            if listens {
                all.push(A::Runs { flight: *flight, answered: true });
            }
            let other_answer = w.flights.iter().filter(|f| f.daemon == flight.daemon && f.awaited).count() > 1;
            if !listens || other_answer || w.may(Fault::Lost) {
                all.push(A::Runs { flight: *flight, answered: false });
            }
            if w.may(Fault::Twice) {
                all.push(A::DeliveredTwice(*flight));
            }
        }
        let devices = if self.setup.cast == Cast::Two { 2 } else { 1 };
        for device in 0..devices {
            match w.tills[usize::from(device)].open() {
                None if w.may(Fault::Opens) => all.push(A::ForeignOpens(device)),
                Some(_) => {
                    if w.may(Fault::Closes) {
                        all.push(A::ForeignCloses(device));
                    }
                    if w.may(Fault::Counts) {
                        all.push(A::ForeignCounts(device));
                    }
                }
                None => {}
            }
        }
        let awaited = daemons.filter(|d| w.awaited(*d).is_some()).count();
        if awaited == 0 || (awaited == 1 && w.may(Fault::Lost)) {
            all.push(A::QuietPasses);
        }
        all
    }

    /// How many changes a read may lag behind, by what may still go wrong.
    fn lags(&self, w: &World, daemon: u8) -> std::ops::RangeInclusive<u8> {
        let fresh = w.tills[usize::from(self.till_of(daemon))].fresh.len();
        0..=if w.may(Fault::Lag) { shop::index(fresh) } else { 0 }
    }

    /// A person looks at Shopify before they decide, and links what may be ours, or records what is nowhere. One who records
    /// a count that is there already can do harm: without a time of its own it is not recognised.
    fn decisions(&self, w: &World, d: u8, all: &mut Vec<Action>) {
        let daemon = &w.daemons[usize::from(d)];
        if !w.may(Fault::Person) || !(self.setup.person_early || daemon.waits == Waits::Rests) {
            return;
        }
        let (device, which) = (self.till_of(d), self.setup.opening(d));
        let sessions = w.tills[usize::from(device)].sessions;
        let mut marks = sessions.iter().flat_map(|s| s.lines.iter().chain([&s.by]));
        let at_shopify = marks.any(|mark| self.minds.is_of(which, *mark));
        let mut offer = |choice, at: Option<u8>| {
            let session = at.map(|at| (device, at, sessions.as_slice()[usize::from(at)]));
            if self.minds.may_resolve(daemon.machine, choice, session) {
                all.push(Action::Person { daemon: d, choice, session: at });
            }
        };
        offer(Choice::GiveUp, None);
        for (at, session) in sessions.iter().enumerate() {
            let ours = self.minds.is_of(which, session.by);
            if ours || session.by == ALIKE {
                offer(Choice::Link, Some(shop::index(at)));
            }
            if !at_shopify && session.open {
                offer(Choice::RecordCount, Some(shop::index(at)));
            }
        }
    }

    /// The alarm that a second look at the sessions would raise now, by the real watch.
    fn second_look(&mut self, w: &World, d: u8) -> Option<Event> {
        let daemon = &w.daemons[usize::from(d)];
        let which = self.setup.opening(d);
        if daemon.machine != DONE || d >= self.setup.daemons() {
            return None;
        }
        let device = self.till_of(d);
        let sessions = w.tills[usize::from(device)].sessions;
        if self.minds.with_reference(which, &sessions) < 2 {
            return None;
        }
        if !matches!(self.minds.last(daemon.journal), Event::OpeningConfirmed { .. }) {
            return None;
        }
        let alarm = self.minds.alarm(which, &Seen { device, sessions, active: Active::NotGranted });
        self.minds.tested(ALARM);
        if alarm.is_none() {
            self.minds.complain(ALARM, "two sessions carry the reference and the second look says nothing".to_owned());
        }
        alarm
    }

    /// The world after this has happened.
    pub fn after(&mut self, w: &World, action: Action) -> World {
        use Action as A;
        let mut next = *w;
        match action {
            A::Go(d) => self.hear(&mut next, d, Cue::Go),
            A::LookAhead(d, lag) => {
                next.spend(Fault::Ahead);
                if lag > 0 {
                    next.spend(Fault::Lag);
                }
                self.ahead(&mut next, d, Cue::Ahead(self.seen(w, d, lag, 0)));
            }
            A::LookAheadMissing(d) => {
                next.spend(Fault::Ahead);
                next.spend(Fault::Refused);
                self.ahead(&mut next, d, Cue::AheadMissing);
            }
            A::Stored(d) => {
                self.append(&mut next, d);
                self.hear(&mut next, d, Cue::Stored);
            }
            A::DiskRefuses(d) => {
                next.spend(Fault::Disk);
                self.hear(&mut next, d, Cue::StoreFailed);
            }
            A::Tick(d) => self.hear(&mut next, d, Cue::Tick),
            A::Runs { flight, answered } => self.run(&mut next, flight, answered),
            A::DeliveredTwice(flight) => {
                next.spend(Fault::Twice);
                next.doubled = true;
                next.flights.push(flight);
            }
            A::NeverAnswered(d) => {
                if next.awaited(d).is_some() {
                    next.spend(Fault::Lost);
                }
                self.told(&mut next, d, Said::Unknown);
            }
            A::CertainlyNotRun(d) | A::Refused(d) => {
                let (fault, said) = match action {
                    A::Refused(_) => (Fault::Refused, Said::Refused),
                    _ => (Fault::NotRun, Said::NotExecuted),
                };
                next.spend(fault);
                let at = next.flights.iter().position(|f| f.daemon == d && f.awaited).expect("it was on its way");
                next.flights.remove(at);
                self.told(&mut next, d, said);
            }
            A::AnswerArrives(d) | A::AnswerMangled(d) => {
                let Waits::Reply(mut said) = next.daemons[usize::from(d)].waits else { unreachable!("a reply was there") };
                if let (A::AnswerMangled(_), Said::Ran(Ran::Opened(device, at, s) | Ran::Counted(device, at, s))) =
                    (action, said)
                {
                    next.spend(Fault::Mangled);
                    said = Said::Mangled(device, at, s);
                }
                self.told(&mut next, d, said);
            }
            A::Read { daemon: d, lag, lag_of_device } => {
                for _ in 0..u8::from(lag > 0) + u8::from(lag_of_device > 0) {
                    if next.may(Fault::Lag) {
                        next.spend(Fault::Lag);
                    }
                }
                self.reads(w, &mut next, d, lag, lag_of_device);
            }
            A::DeviceMissing(d) => {
                next.spend(Fault::Refused);
                self.hear(&mut next, d, Cue::DeviceMissing);
            }
            A::ReadFails(d) => {
                next.spend(Fault::BadRead);
                let cue = match next.daemons[usize::from(d)].waits {
                    Waits::Ledger(..) => Cue::LedgerFailed,
                    Waits::Opener => Cue::Opener(false),
                    _ => Cue::ReadFailed,
                };
                self.hear(&mut next, d, cue);
            }
            A::OpenerTold(d) => self.hear(&mut next, d, Cue::Opener(true)),
            A::Crash { daemon: d, row_is_on_disk } => {
                next.spend(Fault::Crash);
                if row_is_on_disk {
                    self.append(&mut next, d);
                }
                let journal = next.daemons[usize::from(d)].journal;
                let machine = self.minds.resume(self.setup.opening(d), journal);
                next.daemons[usize::from(d)] = Daemon { machine, journal, waits: Waits::Go };
                nobody_listens(&mut next, d);
                self.settle(&mut next, d);
            }
            A::ClockWrong(d) => {
                next.spend(Fault::Clock);
                self.ahead(&mut next, d, Cue::ClockWrong);
            }
            A::Person { daemon: d, choice, session } => {
                next.spend(Fault::Person);
                let device = self.till_of(d);
                let sessions = next.tills[usize::from(device)].sessions;
                let session = session.map(|at| (device, at, sessions.as_slice()[usize::from(at)]));
                self.hear(&mut next, d, Cue::Resolve(choice, session));
                // Where nobody is left to decide, nothing is left to be decided.
                (0..self.setup.daemons()).for_each(|d| self.settle(&mut next, d));
            }
            A::SecondLook(d) => {
                let alarm = self.second_look(w, d).expect("there was one");
                let event = self.minds.event(alarm);
                self.store(&mut next, d, event);
                let daemon = &mut next.daemons[usize::from(d)];
                daemon.machine = self.minds.resume(self.setup.opening(d), daemon.journal);
                self.settle(&mut next, d);
            }
            A::ForeignOpens(device) => {
                next.spend(Fault::Opens);
                next.tills[usize::from(device)].open_one(if self.setup.alike { ALIKE } else { FOREIGN });
            }
            A::ForeignCloses(device) => {
                next.spend(Fault::Closes);
                let till = &mut next.tills[usize::from(device)];
                till.close(till.open().expect("one was open"));
            }
            A::ForeignCounts(device) => {
                next.spend(Fault::Counts);
                let till = &mut next.tills[usize::from(device)];
                till.count(till.open().expect("one was open"), ALIKE);
            }
            A::QuietPasses => {
                if next.flights.iter().any(|f| f.awaited) {
                    next.spend(Fault::Lost);
                }
                self.quiet_passes(&mut next);
            }
        }
        if !next.may(Fault::Lag) {
            // Nobody will look back any more.
            next.tills.iter_mut().for_each(|till| till.fresh = Few::default());
        }
        next.flights.as_mut_slice().sort_unstable();
        self.check(&next);
        next
    }

    /// What an undisturbed world does next: no fault, no person, nobody else; `None` when it is at rest.
    pub fn calm(&mut self, w: &World) -> Option<Action> {
        use Action as A;
        let daemons = 0..self.setup.daemons();
        for d in daemons.clone() {
            match w.daemons[usize::from(d)].waits {
                Waits::Rests | Waits::Tick => {}
                Waits::Go => return Some(A::Go(d)),
                Waits::Disk(_) => return Some(A::Stored(d)),
                Waits::Answer => {
                    return Some(match w.awaited(d) {
                        Some(flight) => A::Runs { flight, answered: true },
                        None => A::NeverAnswered(d),
                    });
                }
                Waits::Reply(_) => return Some(A::AnswerArrives(d)),
                Waits::Sessions | Waits::Ledger(..) => return Some(A::Read { daemon: d, lag: 0, lag_of_device: 0 }),
                Waits::Opener => return Some(A::OpenerTold(d)),
            }
        }
        if let Some(flight) = w.flights.iter().next() {
            return Some(A::Runs { flight: *flight, answered: false });
        }
        if let Some(d) = daemons.clone().find(|d| self.second_look(w, *d).is_some()) {
            return Some(A::SecondLook(d));
        }
        let waiting = daemons.into_iter().find(|d| w.daemons[usize::from(*d)].waits == Waits::Tick)?;
        let mut older = *w;
        self.quiet_passes(&mut older);
        Some(if older == *w { A::Tick(waiting) } else { A::QuietPasses })
    }

    fn quiet_passes(&mut self, w: &mut World) {
        w.flights = Few::default();
        for till in &mut w.tills {
            till.fresh = Few::default();
        }
        for daemon in &mut w.daemons {
            daemon.machine = self.minds.older(daemon.machine);
        }
    }

    // --- what a daemon does

    fn hear(&mut self, w: &mut World, d: u8, cue: Cue) {
        let daemon = &mut w.daemons[usize::from(d)];
        let (machine, wants) = self.minds.hear(daemon.machine, cue);
        daemon.machine = machine;
        daemon.waits = match wants {
            Wants::Nothing => Waits::Rests,
            Wants::Store(event) => Waits::Disk(event),
            Wants::Send(_) => Waits::Answer,
            Wants::Sessions => Waits::Sessions,
            Wants::Ledger(device, at) => Waits::Ledger(device, at),
            Wants::Opener => Waits::Opener,
            Wants::Wake => Waits::Tick,
        };
        if let Wants::Send(order) = wants {
            self.sends(w, d, order);
        }
        self.settle(w, d);
    }

    /// It is told, and goes on waiting for what it waits for.
    fn ahead(&mut self, w: &mut World, d: u8, cue: Cue) {
        let daemon = &mut w.daemons[usize::from(d)];
        daemon.machine = self.minds.hear(daemon.machine, cue).0;
    }

    fn sends(&mut self, w: &mut World, d: u8, order: u8) {
        self.minds.tested(INTENT);
        if !self.minds.is_intended(w.daemons[usize::from(d)].journal, order) {
            let sent = format!("{:?}", self.minds.orders[usize::from(order)]);
            self.minds.complain(INTENT, sent);
        }
        w.flights.push(Flight { daemon: d, order, awaited: true });
    }

    /// An opening that is settled leaves nothing but its end. One in a person's hands is read from the journal when that person
    /// decides; it leaves nothing either when nobody can decide any more.
    fn settle(&mut self, w: &mut World, d: u8) {
        let person = w.may(Fault::Person);
        let daemon = &mut w.daemons[usize::from(d)];
        if daemon.machine == DONE {
            *daemon = Daemon { machine: DONE, journal: self.minds.shorten(daemon.journal), waits: Waits::Rests };
        } else if self.minds.state(daemon.machine) == "Asked" {
            let machine = self.minds.resume(self.setup.opening(d), daemon.journal);
            *daemon = match person {
                true => Daemon { machine, journal: daemon.journal, waits: Waits::Rests },
                false => Daemon { machine: DONE, journal: self.minds.shorten(daemon.journal), waits: Waits::Rests },
            };
        }
    }

    fn append(&mut self, w: &mut World, d: u8) {
        let Waits::Disk(event) = w.daemons[usize::from(d)].waits else { unreachable!("a row was to be written") };
        self.store(w, d, event);
    }

    fn store(&mut self, w: &mut World, d: u8, event: u16) {
        let daemon = &mut w.daemons[usize::from(d)];
        daemon.journal = self.minds.append(daemon.journal, event);
        self.check_event(w, d, event);
    }

    fn told(&mut self, w: &mut World, d: u8, said: Said) {
        nobody_listens(w, d);
        self.hear(w, d, Cue::Answered(said));
    }

    fn run(&mut self, w: &mut World, flight: Flight, answered: bool) {
        let at = w.flights.iter().position(|f| *f == flight).expect("it was on its way");
        w.flights.remove(at);
        if !answered && flight.awaited && w.awaited(flight.daemon).is_none() {
            w.spend(Fault::Lost);
        }
        let order = self.minds.orders[usize::from(flight.order)].clone();
        let ran = shop::run(&mut w.tills, flight.order, &order);
        if answered {
            nobody_listens(w, flight.daemon);
            w.daemons[usize::from(flight.daemon)].waits = Waits::Reply(Said::Ran(ran));
        }
    }

    fn seen(&self, w: &World, d: u8, lag: u8, lag_of_device: u8) -> Seen {
        let device = self.till_of(d);
        let till = &w.tills[usize::from(device)];
        let by_device = till.before(usize::from(lag_of_device));
        let active = match (self.setup.second_way, shop::open_of(&by_device)) {
            (false, _) => Active::NotGranted,
            (true, None) => Active::None,
            (true, Some(at)) => Active::Is(at, by_device.as_slice()[usize::from(at)]),
        };
        Seen { device, sessions: till.before(usize::from(lag)), active }
    }

    fn reads(&mut self, before: &World, w: &mut World, d: u8, lag: u8, lag_of_device: u8) {
        let cue = match before.daemons[usize::from(d)].waits {
            Waits::Ledger(device, at) => {
                let sessions: Sessions = before.tills[usize::from(device)].before(usize::from(lag));
                // A session that was not there yet: such a read fails.
                let shown: Option<&Session> = sessions.as_slice().get(usize::from(at));
                shown.map_or(Cue::LedgerFailed, |session| Cue::Ledger(*session))
            }
            _ => Cue::Read(self.seen(before, d, lag, lag_of_device)),
        };
        self.hear(w, d, cue);
        if let Cue::Read(seen) = cue {
            self.check_read(w, d, &seen);
        }
    }
}

pub const ALARM: &str = "a second session with the reference raises an alarm at the next look";

/// The daemon has its answer, or gave up, or is gone.
fn nobody_listens(w: &mut World, d: u8) {
    for flight in w.flights.as_mut_slice().iter_mut().filter(|f| f.daemon == d) {
        flight.awaited = false;
    }
}

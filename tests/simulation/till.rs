//! One till's wiring: `src/daemon/till.rs`, `till/machines.rs`, `till/resolve.rs`, `till/devices.rs` without
//! tokio, devices and slips. What a future would do there is an [`Ask`] here, and its answer comes as an [`Answer`]. The order
//! of effects is the daemon's. The machines, the echo watch, the records and the session watch are the real ones.
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use drawerbridge::{
    device::Frame,
    journal::Row,
    opening::{
        self, ActivityRead, Mutation, Opening, Outcome, Read, Resolution, Rules, SessionList, WallClock,
        echo::EchoWatch,
        record::{Record, Standing},
    },
    shift::{
        self, Phase, Progress, Refusal, Reply, Shift, ShiftSettings,
        event::{Decision, Event, Money, OpeningId, SessionFacts, StartedBy},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    assumptions::WAITS,
    records::Records,
    session_watch::{self, SessionWatch},
};

const STILL_THERE: SignedDuration = SignedDuration::from_mins(10);
const KEEP_AGAIN: Duration = Duration::from_secs(5);
const SAY_AGAIN: Duration = Duration::from_secs(600);
const ECHO: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(3600)];

/// Who waits for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFor {
    CountSaved,
    Stored,
    Kept,
}

/// Who waits for the device's sessions.
#[derive(Debug, Clone)]
pub enum ReadFor {
    Opening(OpeningId),
    SessionChecked(OpeningId),
    Echo,
    Ahead,
    Resolve(Wish),
}

/// What a person decides.
#[derive(Debug, Clone)]
pub struct Wish {
    pub opening: OpeningId,
    pub history: Vec<Event>,
    pub decision: Decision,
    pub session_id: Option<String>,
}

/// What the till wants of the world.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
#[derive(Debug, Clone)]
pub enum Ask {
    Append { opening: OpeningId, event: Event, why: AppendFor },
    Send { opening: OpeningId, mutation: Mutation, variables: Value },
    Read { device: String, why: ReadFor },
    Activities { opening: OpeningId, session: String },
    Opener { opening: OpeningId },
}

/// What the world answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Append { opening: OpeningId, event: Event, why: AppendFor, result: Result<Rc<Row>, String> },
    Sent { opening: OpeningId, outcome: Outcome },
    Read { device: String, why: ReadFor, read: Read },
    Activities { opening: OpeningId, read: ActivityRead },
    Opener { opening: OpeningId, who: Result<String, String> },
}

/// Of what happened in one step, what the invariants are about.
#[derive(Debug, Clone)]
pub enum Note {
    /// The display changed, while this opening was the current one.
    Shown {
        frame: Frame,
        current: Option<OpeningId>,
    },
    /// A count was handed out to be written.
    Counted {
        opening: OpeningId,
        balance: Money,
    },
    Replied(u64, Result<Reply, Refusal>),
    /// A person's decision was refused.
    NotDecided,
    /// The log says that something is not resolved.
    Said,
}

/// What stays the same over a crash.
#[derive(Debug, Clone)]
pub struct House {
    pub settings: ShiftSettings,
    pub rules: Rules,
}

/// Nothing is printed here: the slip is out as soon as the count is on disk.
const SLIP: &str = "first";

fn printed(row: &Row) -> [Row; 2] {
    let about = |event| Row { event, ..row.clone() };
    let (kind, proof) = (SLIP.to_owned(), SLIP.to_owned());
    [about(Event::SlipSending { kind: kind.clone() }), about(Event::SlipPrinted { kind, proof })]
}

fn is_counted(row: &Row) -> bool {
    matches!(row.event, Event::OpeningCounted(_))
}

/// A running daemon's till.
pub struct Till {
    house: Rc<House>,
    pub shift: Shift,
    opening: Option<(OpeningId, Opening)>,
    pub(super) records: Records,
    session: SessionWatch,
    echo: EchoWatch,
    ahead: Option<(SessionList, Instant)>,
    unkept: Vec<(OpeningId, Event)>,
    keep_again: Option<Instant>,
    /// The daemon stops: nothing new is begun.
    pub ending: bool,
    next_op: u64,
    wake_shift: Option<Instant>,
    wake_opening: Option<Instant>,
    say_again: Instant,
    skew: WallClock,
    fresh: u64,
    now: Instant,
    wall: Timestamp,
    pub asks: Vec<Ask>,
    pub notes: Vec<Note>,
    pub display: Option<Frame>,
}

/// `progress_of` of `src/daemon/words.rs`.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others tell the operator's machine nothing")]
fn progress_of(event: &Event) -> Option<Progress> {
    match event {
        Event::OpeningSending { .. } | Event::OpeningResolved { decision: Decision::RecordCount, .. } => {
            Some(Progress::Sending)
        }
        Event::OpeningNotSent { .. } => Some(Progress::WillSendLater),
        Event::OpeningUnknown { .. } | Event::OpeningAbsent { .. } => Some(Progress::Checking),
        Event::OpeningConfirmed { .. } | Event::OpeningRecorded { .. } => Some(Progress::Confirmed),
        Event::OpeningResolved { decision: Decision::Link, session: Some(session), .. } if session.status == "OPEN" => {
            Some(Progress::Confirmed)
        }
        Event::OpeningRefused { prompt, .. } | Event::OpeningStale { prompt, .. } => Some(Progress::Refused(prompt.clone())),
        Event::OpeningNeedsAttention { prompt, .. } => Some(Progress::NeedsAttention(prompt.clone())),
        Event::OpeningResolved { .. } => Some(Progress::GivenUp),
        _ => None,
    }
}

impl Till {
    /// `Till::new`: from what the journal says. `fresh` names openings.
    pub fn new(house: Rc<House>, history: &[(OpeningId, Vec<Rc<Row>>)], fresh: u64, now: Instant, wall: Timestamp) -> Self {
        let opening = history.first().and_then(|(id, rows)| {
            let events: Vec<Event> = rows.iter().map(|r| r.event.clone()).collect();
            let opening = Opening::resume(id.clone(), &events, WAITS, &house.rules, now);
            Some((id.clone(), opening.filter(|opening| !opening.is_settled())?))
        });
        let read = |(id, rows): &(OpeningId, Vec<Rc<Row>>)| {
            let slip = rows.iter().find(|row| is_counted(row)).map(|row| printed(row));
            let rows = rows.iter().map(Rc::as_ref).chain(slip.iter().flatten());
            Record::read(id, rows.map(|r| (r.at, &r.event)))
        };
        let records = Records::new(history.iter().filter_map(read), false);
        let day = |at: Timestamp| house.rules.business_day.of(at);
        let of_another_day = |record: &Record| {
            let counted = record.counted.as_ref().and_then(|counted| counted.time.parse().ok());
            counted.is_some_and(|at: Timestamp| day(at) != day(wall))
        };
        let settings = house.settings.clone();
        let shift = match &opening {
            Some((id, _)) => Shift::resumed(settings, id.clone()),
            None => {
                let open = records.watched().is_some_and(|r| !of_another_day(r));
                match records.attention().map(|r| (r.id.clone(), &r.standing)) {
                    Some((id, Standing::NeedsAttention { prompt, .. })) => {
                        Shift::needs_attention(settings, id, open, prompt.clone())
                    }
                    Some(_) | None => Shift::new(settings, open),
                }
            }
        };
        let mut echo = EchoWatch::new(ECHO);
        for record in records.all().filter(|r| matches!(r.standing, Standing::Confirmed { .. }) && !r.alarmed) {
            if let Some(counted) = &record.counted {
                echo.confirmed(now, &record.id, &counted.point_of_sale_device_id);
            }
        }
        Self {
            house,
            shift,
            opening,
            records,
            session: SessionWatch::new(now),
            echo,
            ahead: None,
            unkept: Vec::new(),
            keep_again: None,
            ending: false,
            next_op: 1,
            wake_shift: None,
            wake_opening: None,
            say_again: now + SAY_AGAIN,
            skew: WallClock::NeverCompared,
            fresh,
            now,
            wall,
            asks: Vec::new(),
            notes: Vec::new(),
            display: None,
        }
    }

    /// The clocks, before anything else is called.
    pub const fn at(&mut self, now: Instant, wall: Timestamp) {
        self.now = now;
        self.wall = wall;
    }

    /// `Skew::compare`.
    pub fn heard(&mut self, date: Timestamp) {
        let skew_s = self.wall.as_second() - date.as_second();
        self.skew = if skew_s.abs() > 120 { WallClock::Wrong } else { WallClock::Trusted };
    }

    fn fresh_id(&mut self) -> OpeningId {
        self.fresh += 1;
        OpeningId::from_bits(self.fresh)
    }

    /// The first frame, and whatever a restart left to do.
    pub fn begin(&mut self) {
        self.shift_input(shift::Input::Tick);
        if self.opening.is_some() {
            let unknown = |r: &&Record| matches!(r.standing, Standing::Sending | Standing::Unknown { .. });
            if let Some(opening) = self.records.current().filter(unknown).map(|r| r.id.clone()) {
                self.shift_input(shift::Input::Progress { opening, progress: Progress::Checking });
            }
            self.opening_input(opening::Input::Go);
        }
        let unfinished = self.records.current().filter(|r| r.standing == Standing::Started);
        if let Some((id, by, at)) = unfinished.map(|r| (r.id.clone(), r.by, r.at)) {
            self.keep(id, Event::OpeningCancelled { why: "drawerbridge was restarted".to_owned() });
            if by == Some(StartedBy::Drawer) && self.wall.duration_since(at).abs() < STILL_THERE {
                let fresh = self.fresh_id();
                self.shift_input(shift::Input::DrawerOpened { fresh });
            }
        }
        self.check_session();
    }

    pub fn next_wake(&self) -> Instant {
        [self.wake_shift, self.wake_opening, self.session.wake(), self.echo.wake(), self.keep_again]
            .into_iter()
            .flatten()
            .fold(self.say_again, Instant::min)
    }

    pub fn tick(&mut self) {
        let now = self.now;
        if self.wake_shift.is_some_and(|at| now >= at) {
            self.wake_shift = None;
            self.shift_input(shift::Input::Tick);
        }
        if self.wake_opening.is_some_and(|at| now >= at) {
            self.wake_opening = None;
            self.opening_input(opening::Input::Tick);
        }
        if self.keep_again.is_some_and(|at| now >= at) {
            self.offer_again();
        }
        self.check_session();
        self.check_echo();
        if now >= self.say_again {
            self.say_again = now + SAY_AGAIN;
            // `say_what_is_unresolved`.
            let unresolved = |r: &Record| r.counted.is_some() && (r.needs_a_person() || !r.standing.is_settled());
            if self.records.all().any(unresolved) {
                self.notes.push(Note::Said);
            }
        }
    }

    fn offer_again(&mut self) {
        self.keep_again = None;
        for (opening, event) in std::mem::take(&mut self.unkept) {
            self.hand_over(opening, event);
        }
    }

    fn keep(&mut self, opening: OpeningId, event: Event) {
        self.offer_again();
        self.hand_over(opening, event);
    }

    fn hand_over(&mut self, opening: OpeningId, event: Event) {
        self.asks.push(Ask::Append { opening, event, why: AppendFor::Kept });
    }

    fn kept(&mut self, row: &Row) {
        self.records.take(row);
        self.decided(row);
        let closed = matches!(row.event, Event::ShiftClosed { .. });
        if closed {
            self.shift_input(shift::Input::ShiftClosed);
        }
        self.show_what_is_asked();
        if closed && self.session.over(self.now) {
            let fresh = self.fresh_id();
            self.shift_input(shift::Input::DrawerOpened { fresh });
        }
    }

    // --- the operator's machine

    fn shift_input(&mut self, input: shift::Input) {
        for output in self.shift.handle(self.now, self.wall, input) {
            match output {
                shift::Output::Show(frame) => {
                    self.display = Some(frame.clone());
                    self.notes.push(Note::Shown { frame, current: self.shift.current().cloned() });
                }
                shift::Output::Record { opening, event: Event::OpeningCounted(counted) } => {
                    self.offer_again();
                    self.notes.push(Note::Counted { opening: opening.clone(), balance: counted.balance.clone() });
                    let event = Event::OpeningCounted(counted);
                    self.asks.push(Ask::Append { opening, event, why: AppendFor::CountSaved });
                }
                shift::Output::Record { opening, event } => self.keep(opening, event),
                shift::Output::Reply { op, result } => self.notes.push(Note::Replied(op, result)),
                shift::Output::Warm => {
                    let device = self.house.settings.device_id.clone();
                    self.asks.push(Ask::Read { device, why: ReadFor::Ahead });
                }
                shift::Output::StartWanted => {
                    let fresh = self.fresh_id();
                    self.shift_input(shift::Input::DrawerOpened { fresh });
                }
                shift::Output::WakeAt(at) => self.wake_shift = Some(at),
            }
        }
    }

    /// A wish of the API. `make` gets its number and an id that was not used before.
    pub fn command(&mut self, make: impl FnOnce(u64, OpeningId) -> shift::Input) -> u64 {
        let op = self.next_op;
        self.next_op += 1;
        let input = make(op, OpeningId::from_bits(self.fresh + 1));
        if matches!(input, shift::Input::Start { .. }) {
            self.fresh += 1;
            self.doubt_the_session();
        }
        self.shift_input(input);
        op
    }

    /// The number that the API's next wish gets.
    pub const fn next_op(&self) -> u64 {
        self.next_op
    }

    /// What a device tells.
    pub fn device(&mut self, input: shift::Input) {
        if matches!(input, shift::Input::Key(_) | shift::Input::Badge(_)) {
            self.doubt_the_session();
        }
        self.shift_input(input);
    }

    pub fn drawer_opened(&mut self) {
        if self.records.watched().is_some() {
            self.session.edge(self.now);
        }
        let fresh = self.fresh_id();
        self.shift_input(shift::Input::DrawerOpened { fresh });
        self.check_session();
    }

    // --- the submission machine

    fn opening_input(&mut self, input: opening::Input) {
        let Some((id, machine)) = self.opening.as_mut() else { return };
        let opening = id.clone();
        machine.clock_is(self.skew);
        for output in machine.handle(self.now, input) {
            let opening = opening.clone();
            match output {
                // Nothing of it has left: the next start goes on from what the journal says, without a quiet period.
                opening::Output::Store(Event::OpeningSending { .. })
                | opening::Output::ReadSessions { .. }
                | opening::Output::ReadActivities { .. }
                | opening::Output::ReadOpener { .. }
                    if self.ending => {}
                opening::Output::Store(event) => self.asks.push(Ask::Append { opening, event, why: AppendFor::Stored }),
                opening::Output::Send { mutation, variables } => {
                    self.asks.push(Ask::Send { opening, mutation, variables });
                }
                opening::Output::ReadSessions { device } => {
                    self.asks.push(Ask::Read { device, why: ReadFor::Opening(opening) });
                }
                opening::Output::ReadActivities { session } => self.asks.push(Ask::Activities { opening, session }),
                opening::Output::ReadOpener { .. } => self.asks.push(Ask::Opener { opening }),
                opening::Output::WakeAt(at) => self.wake_opening = Some(at),
            }
        }
    }

    fn stored(&mut self, opening: OpeningId, result: Result<Rc<Row>, String>) {
        // Only its own machine may hear of it: a count may have been saved, and its machine put here, meanwhile.
        let Ok(row) = result else { return self.if_current(&opening, opening::Input::StoreFailed) };
        self.records.take(&row);
        self.decided(&row);
        self.look_after(&row);
        self.if_current(&opening, opening::Input::Stored);
        if let Some(progress) = progress_of(&row.event) {
            self.shift_input(shift::Input::Progress { opening: opening.clone(), progress });
        }
        let in_the_way = |r: &Record| r.needs_a_person() || matches!(r.standing, Standing::GivenUp { .. });
        if self.records.find(&opening).is_some_and(|r| in_the_way(r) && r.holds_the_shift_open()) {
            self.shift_input(shift::Input::ShiftOpen);
        }
        if self.opening.as_ref().is_some_and(|(_, o)| o.is_settled()) {
            self.opening = None;
            self.show_what_is_asked();
            self.wake_opening = None;
        }
    }

    // --- answers

    pub fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Append { opening, why: AppendFor::CountSaved, result, event: _ } => self.count_saved(opening, result),
            Answer::Append { opening, why: AppendFor::Stored, result, event: _ } => self.stored(opening, result),
            Answer::Append { why: AppendFor::Kept, result: Ok(row), .. } => self.kept(&row),
            Answer::Append { opening, event, why: AppendFor::Kept, result: Err(_) } => {
                self.unkept.push((opening, event));
                self.keep_again.get_or_insert(self.now + KEEP_AGAIN);
            }
            Answer::Sent { opening, outcome } => self.if_current(&opening, opening::Input::Outcome(outcome)),
            Answer::Read { device, why, read } => self.read(&device, why, read),
            Answer::Activities { opening, read } => self.if_current(&opening, opening::Input::Activities(read)),
            Answer::Opener { opening, who } => self.if_current(&opening, opening::Input::Opener(who)),
        }
    }

    fn read(&mut self, device: &str, why: ReadFor, read: Read) {
        match why {
            ReadFor::Opening(opening) => {
                if let Read::Healthy(list) = &read {
                    self.look_for_a_second(device, list);
                }
                self.if_current(&opening, opening::Input::Read(read));
            }
            ReadFor::SessionChecked(opening) => self.session_checked(&opening, device, &read),
            ReadFor::Echo => match &read {
                Read::Healthy(list) => self.look_for_a_second(device, list),
                Read::Failed { .. } => self.echo.failed(self.now, device, WAITS.retry_max),
            },
            ReadFor::Ahead => {
                if let Read::Healthy(list) = read {
                    self.look_for_a_second(device, &list);
                    self.ahead = Some((list, self.now));
                }
            }
            ReadFor::Resolve(wish) => self.resolve_with(wish, read),
        }
    }

    fn count_saved(&mut self, opening: OpeningId, result: Result<Rc<Row>, String>) {
        match result {
            Ok(row) => {
                self.records.take(&row);
                printed(&row).iter().for_each(|row| self.records.take(row));
                self.say_again = self.now + SAY_AGAIN;
                if let Event::OpeningCounted(counted) = &row.event {
                    let rules = self.house.rules.clone();
                    let machine = Opening::new(opening.clone(), counted.clone(), WAITS, rules, self.now);
                    self.opening = Some((opening.clone(), machine));
                    if let Some((list, taken)) = self.ahead.take() {
                        self.opening_input(opening::Input::Ahead { list, taken });
                    }
                    self.opening_input(opening::Input::Go);
                }
                self.shift_input(shift::Input::Saved { opening });
            }
            Err(why) => self.shift_input(shift::Input::SaveFailed { opening, why }),
        }
    }

    fn if_current(&mut self, opening: &OpeningId, input: opening::Input) {
        if self.opening.as_ref().is_some_and(|(id, _)| id == opening) {
            self.opening_input(input);
        }
    }

    // --- is the session still open?

    fn doubt_the_session(&mut self) {
        if self.records.watched().is_some() {
            self.session.doubt(self.now);
            self.check_session();
        }
    }

    fn check_session(&mut self) {
        let watched = self.records.watched().and_then(|r| Some((r.id.clone(), r.counted.as_ref()?)));
        let watched = watched.map(|(id, counted)| (id, counted.point_of_sale_device_id.clone()));
        if !self.session.ask(self.now, watched.is_some() && !self.ending) {
            return;
        }
        let Some((opening, device)) = watched else { return };
        self.asks.push(Ask::Read { device, why: ReadFor::SessionChecked(opening) });
    }

    fn session_checked(&mut self, opening: &OpeningId, device: &str, read: &Read) {
        self.session.answered(self.now, matches!(read, Read::Healthy(_)));
        let Read::Healthy(sessions) = read else { return };
        self.look_for_a_second(device, sessions);
        let Some(record) = self.records.watched().filter(|r| r.id == *opening) else { return };
        if session_watch::is_over(record, sessions) {
            let session_id = record.session().map_or_else(|| "unknown".to_owned(), |s| s.id.clone());
            let again = |(id, event): &(OpeningId, Event)| id == opening && matches!(event, Event::ShiftClosed { .. });
            if !self.unkept.iter().any(again) {
                self.keep(opening.clone(), Event::ShiftClosed { session_id });
            }
        } else if sessions.sessions.iter().any(|s| s.status == "OPEN") {
            self.shift_input(shift::Input::ShiftOpen);
        }
    }

    // --- is it the only one?

    fn look_after(&mut self, row: &Row) {
        let (Some(id), Event::OpeningConfirmed { .. }) = (&row.opening, &row.event) else { return };
        let counted = self.records.find(id).and_then(|record| record.counted.as_ref());
        if let Some(device) = counted.map(|counted| counted.point_of_sale_device_id.clone()) {
            self.echo.confirmed(self.now, id, &device);
        }
    }

    fn check_echo(&mut self) {
        if self.ending {
            return;
        }
        if let Some(device) = self.echo.ask(self.now) {
            self.asks.push(Ask::Read { device, why: ReadFor::Echo });
        }
    }

    fn look_for_a_second(&mut self, device: &str, list: &SessionList) {
        let Some((opening, event)) = self.echo.seen(device, list) else { return };
        self.keep(opening.clone(), event.clone());
        if let Some(progress) = progress_of(&event) {
            self.shift_input(shift::Input::Progress { opening, progress });
        }
    }

    // --- a person's decision

    pub fn resolve(&mut self, wish: Wish) {
        if wish.decision == Decision::GiveUp {
            return self.decide(wish, None);
        }
        let device = self.house.settings.device_id.clone();
        self.asks.push(Ask::Read { device, why: ReadFor::Resolve(wish) });
    }

    fn resolve_with(&mut self, wish: Wish, read: Read) {
        let Read::Healthy(list) = read else { return self.notes.push(Note::NotDecided) };
        let wanted = wish.session_id.clone().unwrap_or_default();
        match list.all().find(|session| session.id == wanted).cloned() {
            Some(session) => self.decide(wish, Some(session)),
            None => self.notes.push(Note::NotDecided),
        }
    }

    fn decide(&mut self, wish: Wish, session: Option<SessionFacts>) {
        let Wish { opening, history, decision, session_id: _ } = wish;
        let resolution = Resolution { by: "Kim".to_owned(), why: "looked".to_owned(), decision, session };
        if let Some((_, machine)) = self.opening.as_ref().filter(|(id, _)| *id == opening) {
            if machine.may_resolve(&resolution).is_err() {
                return self.notes.push(Note::NotDecided);
            }
            return self.opening_input(opening::Input::Resolve(resolution));
        }
        let since = self.records.find(&opening).map(|record| &record.standing);
        let is_asked = |s: &Standing| matches!(s, Standing::NeedsAttention { .. });
        if since.is_some_and(|s| *s == Standing::Started || (s.is_settled() && !is_asked(s))) {
            return self.notes.push(Note::NotDecided);
        }
        let machine = Opening::resume(opening.clone(), &history, WAITS, &self.house.rules, self.now);
        let Some(mut machine) = machine.filter(|machine| machine.may_resolve(&resolution).is_ok()) else {
            return self.notes.push(Note::NotDecided);
        };
        if self.opening.is_none() {
            self.opening = Some((opening, machine));
            return self.opening_input(opening::Input::Resolve(resolution));
        }
        if decision == Decision::RecordCount {
            return self.notes.push(Note::NotDecided);
        }
        for output in machine.handle(self.now, opening::Input::Resolve(resolution)) {
            if let opening::Output::Store(event) = output {
                self.keep(opening.clone(), event);
            }
        }
    }

    fn decided(&mut self, row: &Row) {
        let (Some(opening), Event::OpeningResolved { .. }) = (&row.opening, &row.event) else { return };
        if let Some(progress) = progress_of(&row.event) {
            self.shift_input(shift::Input::Progress { opening: opening.clone(), progress });
        }
    }

    fn show_what_is_asked(&mut self) {
        let next = self.records.attention().map(|record| (record.id.clone(), record.standing.clone()));
        if let Some((opening, Standing::NeedsAttention { prompt, .. })) = next {
            self.shift_input(shift::Input::Progress { opening, progress: Progress::NeedsAttention(prompt) });
        }
    }

    // --- questions of the world

    /// Nothing is on its way and nothing waits for the disk.
    pub fn is_at_rest(&self) -> bool {
        self.opening.is_none() && self.unkept.is_empty() && !matches!(self.shift.phase(), Phase::Saving)
    }

    /// An opening runs at the display.
    pub fn is_running(&self) -> bool {
        matches!(self.shift.phase(), Phase::Staff | Phase::Count | Phase::Confirm | Phase::Saving)
    }

    /// The display's rows, without padding.
    pub fn rows(&self) -> [&str; 2] {
        self.display.as_ref().map_or(["", ""], |frame| frame.rows().map(str::trim_end))
    }
}

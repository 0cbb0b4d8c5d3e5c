//! One till at work: device events, API commands, the journal's and Shopify's answers go into the machines; what comes out
//! is carried out. Decides nothing.
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::SignedDuration;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::{
    desk::{Command, Known, LinkView, OpeningView, TillView, drawer_view, printer_view},
    recorder::Recorder,
    records::Records,
    said::{SAY_AGAIN, Said},
    session_watch::{self, SessionWatch},
    slips::{Begun, SlipDesk},
    words::{link_text, outcome_text, progress_of, status_text},
};
use crate::{
    clock, config,
    device::{
        DeviceEvent, DrawerEvent, DrawerState, Link, OpenedBy, PrintOutcome, PrinterStatus,
        worker::{DisplayHandle, KeypadHandle, PrinterHandle},
    },
    journal::Row,
    opening::{
        self, Opening, Outcome, Read, Wait, Waits,
        record::{Record, Standing},
    },
    shift::{
        self, Phase, Progress, Refusal, Reply, Shift, ShiftSettings,
        event::{Event, OpeningId, StartedBy},
    },
    shopify::Shopify,
};

/// An opening that was under way when the daemon stopped is asked for again if it began this recently: somebody is there.
const STILL_THERE: SignedDuration = SignedDuration::from_mins(10);
/// What the journal could not take is offered again after this long.
const KEEP_AGAIN: Duration = Duration::from_secs(5);
/// On stop, a request that is on its way gets this long for its answer; after it the journal says "sending" and the next
/// start reads first. A slip under way gets it too, for its proof.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// The devices of one till.
pub(super) struct Devices {
    pub printer: Option<PrinterHandle>,
    pub display: Option<DisplayHandle>,
    pub keypads: Vec<KeypadHandle>,
    /// Of printer, drawer and display.
    pub events: mpsc::Receiver<DeviceEvent>,
    /// Of each keypad, with its place in the configuration.
    pub keys: mpsc::Receiver<(usize, DeviceEvent)>,
}

/// What one till needs from the house.
pub(super) struct House {
    pub till: config::Till,
    pub shop: config::Shop,
    pub staff: Vec<config::Staff>,
    pub timing: config::Timing,
    pub recorder: Recorder,
    pub shopify: Arc<Shopify>,
    pub commands: mpsc::Receiver<Command>,
    pub stop: watch::Receiver<bool>,
}

/// What a past operation brought.
enum Answer {
    CountSaved { opening: OpeningId, result: Result<Arc<Row>, String> },
    Stored { opening: OpeningId, result: Result<Arc<Row>, String> },
    Sent { opening: OpeningId, outcome: Outcome },
    Read { opening: OpeningId, read: Read },
    SessionChecked { opening: OpeningId, read: Read },
    SlipIntent { begun: Begun, result: Result<Arc<Row>, String> },
    Kept { opening: OpeningId, event: Event, result: Result<Arc<Row>, String> },
    Warmed,
}

type Pending = FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + Send>>>;
type Waiter = oneshot::Sender<Result<Reply, Refusal>>;

/// Openings of one till with their rows, oldest row first: the unsettled opening if there is one, then the newest ones.
pub(super) type History = Vec<(OpeningId, Vec<Row>)>;

pub(super) struct Till {
    house: House,
    devices: Devices,
    shift: Shift,
    opening: Option<(OpeningId, Opening)>,
    records: Records,
    slips: SlipDesk,
    session: SessionWatch,
    /// What the journal could not take, and when it is offered again.
    unkept: Vec<(OpeningId, Event)>,
    keep_again: Option<Instant>,
    /// The daemon stops: nothing new is begun.
    ending: bool,
    pending: Pending,
    waiters: HashMap<u64, Waiter>,
    next_op: u64,
    wake_shift: Option<Instant>,
    wake_opening: Option<Instant>,
    say_again: Instant,
    view: watch::Sender<TillView>,
    drawer: Known<DrawerState>,
    printer: Known<PrinterStatus>,
    display: Option<Known<Link>>,
    keypads: Vec<Known<Link>>,
    said_store: Said,
    said_answer: Said,
    said_read: Said,
}

fn waits(timing: &config::Timing) -> Waits {
    Waits {
        quiet_period: timing.quiet_period,
        read_every: timing.read_every,
        retry_first: timing.retry_first,
        retry_max: timing.retry_max,
    }
}

fn fresh_id() -> OpeningId {
    let bits = getrandom::u64().unwrap_or_else(|_| {
        // No random source at all: time is unique enough on one till, and the journal refuses a second use.
        u64::try_from(clock::wall().as_nanosecond() & i128::from(i64::MAX)).unwrap_or_default()
    });
    OpeningId::from_bits(bits)
}

impl Till {
    /// `history`: what the journal has of the till's openings, see [`History`].
    /// Gives what the till shows of itself, too.
    pub(super) fn new(house: House, devices: Devices, history: History) -> (Self, watch::Receiver<TillView>) {
        let (now, wall) = (clock::now(), clock::wall());
        let settings = shift_settings(&house);
        let opening = history.first().and_then(|(id, rows)| {
            let events: Vec<Event> = rows.iter().map(|r| r.event.clone()).collect();
            Some((id.clone(), Opening::resume(id.clone(), &events, waits(&house.timing), now)?))
        });
        let read = |(id, rows): &(OpeningId, Vec<Row>)| Record::read(id, rows.iter().map(|r| (r.at, &r.event)));
        let records = Records::new(history.iter().filter_map(read), house.till.count.second_slip);
        let shift = match (&opening, records.current()) {
            (Some((id, _)), _) => Shift::resumed(settings, id.clone()),
            (None, Some(record)) => match &record.standing {
                Standing::NeedsAttention { prompt, .. } if record.needs_a_person() => {
                    let open = record.holds_the_shift_open();
                    Shift::needs_attention(settings, record.id.clone(), open, prompt.clone())
                }
                Standing::Started
                | Standing::Cancelled { .. }
                | Standing::Counted
                | Standing::Sending
                | Standing::Waiting { .. }
                | Standing::Unknown { .. }
                | Standing::Confirmed { .. }
                | Standing::Refused { .. }
                | Standing::NeedsAttention { .. } => Shift::new(settings, record.holds_the_shift_open()),
            },
            (None, None) => Shift::new(settings, false),
        };
        let why = |what: &str| format!("{what} has not answered yet");
        let drawer = match (&house.till.drawer, &house.till.printer) {
            (Some(_), Some(_)) => DrawerState::Unknown { why: why("the printer") },
            (None, _) | (_, None) => DrawerState::Unknown { why: "no drawer is configured".to_owned() },
        };
        let printer =
            PrinterStatus { link: Link::Starting, online: None, paper: None, cover_open: None, error: None, identity: None };
        let slips = SlipDesk::new(house.till.printer.as_ref(), &house.shop, &house.till);
        let drawer = Known::new(wall, drawer);
        let view = TillView {
            name: house.till.name.clone(),
            drawer: drawer_view(&drawer),
            printer: None,
            display: None,
            keypads: vec![],
            shift: "closed",
            phase: shift.phase(),
            wrong_numbers: 0,
            opening: None,
        };
        let (view, shown) = watch::channel(view);
        let till = Self {
            shift,
            opening,
            records,
            slips,
            session: SessionWatch::new(now),
            unkept: Vec::new(),
            keep_again: None,
            ending: false,
            pending: FuturesUnordered::new(),
            waiters: HashMap::new(),
            next_op: 1,
            wake_shift: None,
            wake_opening: None,
            say_again: now + SAY_AGAIN,
            view,
            said_store: Said::default(),
            said_answer: Said::default(),
            said_read: Said::default(),
            drawer,
            printer: Known::new(wall, printer),
            display: devices.display.as_ref().map(|_| Known::new(wall, Link::Starting)),
            keypads: devices.keypads.iter().map(|_| Known::new(wall, Link::Starting)).collect(),
            house,
            devices,
        };
        till.publish();
        (till, shown)
    }

    /// Works until told to stop.
    pub(super) async fn run(mut self) {
        self.begin();
        loop {
            self.publish();
            let wake = self.next_wake();
            tokio::select! {
                Some(event) = self.devices.events.recv() => self.device(0, event),
                Some((from, event)) = self.devices.keys.recv() => self.device(from, event),
                Some(command) = self.house.commands.recv() => self.command(command),
                Some(answer) = self.pending.next() => self.answer(answer),
                () = tokio::time::sleep_until(wake.into()) => self.tick(),
                changed = self.house.stop.changed() => {
                    if changed.is_err() || *self.house.stop.borrow() {
                        break;
                    }
                }
            }
        }
        self.end().await;
    }

    /// The first frame, and whatever a restart left to do.
    fn begin(&mut self) {
        self.shift_input(shift::Input::Tick);
        let interrupted = self.records.all().flat_map(|r| r.slips_interrupted().map(|kind| (r.id.clone(), kind.to_owned())));
        for (id, kind) in interrupted.collect::<Vec<_>>() {
            let why = "drawerbridge was restarted while the slip was printed: look whether it is there, else reprint it";
            self.keep(id, Event::SlipNotProven { kind, why: why.to_owned() });
        }
        if self.opening.is_some() {
            let unknown = |r: &&Record| matches!(r.standing, Standing::Sending | Standing::Unknown { .. });
            if let Some(opening) = self.records.current().filter(unknown).map(|r| r.id.clone()) {
                self.shift_input(shift::Input::Progress { opening, progress: Progress::Checking });
            }
            self.opening_input(opening::Input::Go);
        }
        let unfinished = self.records.current().filter(|r| r.standing == Standing::Started);
        if let Some((id, by, at)) = unfinished.map(|r| (r.id.clone(), r.by, r.at)) {
            self.keep(id.clone(), Event::OpeningCancelled { why: "drawerbridge was restarted".to_owned() });
            if by == Some(StartedBy::Drawer) && clock::wall().duration_since(at).abs() < STILL_THERE {
                info!(opening = %id, "an opening was under way when drawerbridge stopped: it is asked for again");
                self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
            }
        }
        self.check_session();
        self.slip_due();
    }

    fn next_wake(&self) -> Instant {
        [self.wake_shift, self.wake_opening, self.slips.wake(), self.session.wake(), self.keep_again]
            .into_iter()
            .flatten()
            .fold(self.say_again, Instant::min)
    }

    fn tick(&mut self) {
        let now = clock::now();
        if self.wake_shift.is_some_and(|at| now >= at) {
            self.wake_shift = None;
            self.shift_input(shift::Input::Tick);
        }
        if self.wake_opening.is_some_and(|at| now >= at) {
            self.wake_opening = None;
            self.opening_input(opening::Input::Tick);
        }
        if self.keep_again.is_some_and(|at| now >= at) {
            self.keep_again = None;
            for (opening, event) in std::mem::take(&mut self.unkept) {
                self.keep(opening, event);
            }
        }
        self.check_session();
        if now >= self.say_again {
            self.say_again = now + SAY_AGAIN;
            self.say_what_is_unresolved();
        }
        self.slip_due();
    }

    /// Design, "What we promise": whatever is unresolved for ten minutes is shown and logged.
    fn say_what_is_unresolved(&self) {
        let Some(record) = self.records.current().filter(|r| r.counted.is_some()) else { return };
        let (opening, state, why) = (&record.id, record.standing.name(), record.standing.why());
        if record.needs_a_person() {
            warn!(%opening, state, why, "a person must decide: see `drawerbridge openings show`");
        } else if !record.standing.is_settled() {
            warn!(%opening, state, why, "the count is safe, and Shopify has not confirmed it for ten minutes");
        }
    }

    // --- devices

    fn device(&mut self, from: usize, event: DeviceEvent) {
        match event {
            DeviceEvent::Drawer(event) => self.drawer(event),
            DeviceEvent::Printer(status) => {
                let (before, after) = (status_text(self.printer.get()), status_text(&status));
                if self.house.till.display.as_ref().is_some_and(|d| d.port == config::Port::ViaPrinter)
                    && let Some(display) = &mut self.display
                {
                    display.set(clock::wall(), status.link.clone());
                }
                self.printer.set(clock::wall(), status);
                if before != after {
                    self.note(Event::PrinterStatus { status: after });
                }
            }
            DeviceEvent::Display(link) => {
                self.note(Event::DisplayStatus { status: link_text(&link) });
                if let Some(display) = &mut self.display {
                    display.set(clock::wall(), link);
                }
            }
            DeviceEvent::Keypad(link) => self.keypad(from, link),
            DeviceEvent::Key(key) => self.shift_input(shift::Input::Key(key)),
            DeviceEvent::Badge(number) => self.shift_input(shift::Input::Badge(number)),
            DeviceEvent::KeysLost => self.shift_input(shift::Input::KeysLost),
            DeviceEvent::Printed { job, outcome } => {
                if let Some(Begun { opening, kind }) = self.slips.over(job) {
                    let kind = kind.to_owned();
                    let event = match outcome {
                        PrintOutcome::Printed { by } => Event::SlipPrinted { kind, proof: by.to_owned() },
                        PrintOutcome::NotProven { why } => Event::SlipNotProven { kind, why },
                    };
                    self.keep(opening, event);
                }
            }
            DeviceEvent::PrintTurn { job } => self.begin_slip(job),
            DeviceEvent::PrintWaits { job, why } => warn!(till = self.house.till.name, job, why, "the slip waits"),
        }
    }

    fn drawer(&mut self, event: DrawerEvent) {
        match event {
            DrawerEvent::Opened(by) => {
                self.drawer.set(clock::wall(), DrawerState::Open);
                let by = match by {
                    OpenedBy::Command => "command",
                    OpenedBy::Key => "key",
                };
                self.note(Event::DrawerOpened { by: by.to_owned() });
                let now = clock::now();
                if self.session_to_watch().is_some() {
                    self.session.edge(now);
                }
                self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
                self.check_session();
            }
            DrawerEvent::Closed { after } => {
                self.drawer.set(clock::wall(), DrawerState::Closed);
                let open_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.note(Event::DrawerClosed { open_ms });
                self.shift_input(shift::Input::DrawerClosed);
            }
            DrawerEvent::LeftOpen => {
                self.drawer.set(clock::wall(), DrawerState::LeftOpen);
                self.note(Event::DrawerLeftOpen {});
            }
            DrawerEvent::State(state) => {
                let open = matches!(state, DrawerState::Open | DrawerState::LeftOpen);
                self.drawer.set(clock::wall(), state);
                self.shift_input(shift::Input::DrawerIs { open });
            }
        }
    }

    fn keypad(&mut self, from: usize, link: Link) {
        self.note(Event::KeypadStatus { status: link_text(&link) });
        let up = |links: &[Known<Link>]| links.iter().filter(|l| *l.get() == Link::Up).count();
        let before = up(&self.keypads);
        if let Some(slot) = self.keypads.get_mut(from) {
            slot.set(clock::wall(), link);
        }
        match (before, up(&self.keypads)) {
            (0, 0) | (1.., 0) => self.shift_input(shift::Input::KeypadGone),
            (0, 1..) => self.shift_input(shift::Input::KeypadBack),
            (before, after) if after < before => self.shift_input(shift::Input::KeysLost),
            (_, _) => {}
        }
    }

    // --- the operator's machine

    fn shift_input(&mut self, input: shift::Input) {
        for output in self.shift.handle(clock::now(), clock::wall(), input) {
            match output {
                shift::Output::Show(frame) => {
                    if let Some(display) = &self.devices.display {
                        display.show(frame);
                    }
                }
                shift::Output::Record { opening, event: event @ Event::OpeningCounted(_) } => {
                    let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event);
                    self.push(async move { Answer::CountSaved { opening, result: settled(answer).await } });
                }
                shift::Output::Record { opening, event } => self.keep(opening, event),
                shift::Output::Reply { op, result } => {
                    if let Some(waiter) = self.waiters.remove(&op) {
                        // The client may have hung up; the answer stands in the journal.
                        drop(waiter.send(result));
                    }
                }
                shift::Output::Warm => {
                    let (shopify, device) = (Arc::clone(&self.house.shopify), self.house.till.device_id.clone());
                    self.push(async move {
                        shopify.warm(&device).await;
                        Answer::Warmed
                    });
                }
                shift::Output::StartWanted => self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() }),
                shift::Output::WakeAt(at) => self.wake_shift = Some(at),
            }
        }
    }

    fn command(&mut self, command: Command) {
        let op = self.next_op;
        self.next_op += 1;
        let (input, reply) = match command {
            Command::Start { staff_member_id, note, reason_code_id, reply } => {
                (shift::Input::Start { op, fresh: fresh_id(), staff_member_id, note, reason_code_id }, reply)
            }
            Command::PutTotal { opening, total, reply } => (shift::Input::PutTotal { op, opening, total }, reply),
            Command::PutLines { opening, lines, reply } => (shift::Input::PutLines { op, opening, lines }, reply),
            Command::Cancel { opening, why, reply } => (shift::Input::Cancel { op, opening, why }, reply),
            Command::Reprint { record, reply } => {
                let result = self.slips.copy(&record);
                if result.is_ok() {
                    self.slip_due();
                }
                drop(reply.send(result));
                return;
            }
        };
        self.waiters.insert(op, reply);
        self.shift_input(input);
    }

    // --- the submission machine

    fn opening_input(&mut self, input: opening::Input) {
        let Some((id, machine)) = self.opening.as_mut() else { return };
        let id = id.clone();
        machine.clock_is(self.house.shopify.wall_clock());
        for output in machine.handle(clock::now(), input) {
            match output {
                // Nothing of it has left: the next start goes on from what the journal says, without a quiet period.
                opening::Output::Store(Event::OpeningSending { .. }) | opening::Output::ReadSessions { .. }
                    if self.ending => {}
                opening::Output::Store(event) => {
                    let opening = id.clone();
                    let answer = self.house.recorder.begin(&self.house.till.name, Some(&id), event);
                    self.pending.push(Box::pin(async move { Answer::Stored { opening, result: settled(answer).await } }));
                }
                opening::Output::Send(variables) => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending.push(Box::pin(async move {
                        Answer::Sent { opening, outcome: shopify.open_session(&variables).await }
                    }));
                }
                opening::Output::ReadSessions { device } => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending.push(Box::pin(async move {
                        Answer::Read { opening, read: shopify.sessions_of_device(&device).await }
                    }));
                }
                opening::Output::WakeAt(at) => self.wake_opening = Some(at),
            }
        }
    }

    /// An event of the opening is on disk: the machines go on, the display says it, a slip may be due.
    fn stored(&mut self, opening: OpeningId, result: Result<Arc<Row>, String>) {
        let row = match result {
            Ok(row) => row,
            Err(why) => {
                if self.said_store.is_news(clock::now(), &why) {
                    warn!(%opening, why, "the journal did not take an event of the opening: it is tried again");
                }
                self.opening_input(opening::Input::StoreFailed);
                return;
            }
        };
        self.records.take(&row);
        self.said_store.over();
        self.opening_input(opening::Input::Stored);
        if let Some(progress) = progress_of(&row.event) {
            self.shift_input(shift::Input::Progress { opening: opening.clone(), progress });
        }
        if self.records.find(&opening).is_some_and(|r| r.needs_a_person() && r.holds_the_shift_open()) {
            self.shift_input(shift::Input::ShiftOpen);
        }
        if self.opening.as_ref().is_some_and(|(_, o)| o.is_settled()) {
            self.opening = None;
            self.wake_opening = None;
        }
        self.slip_due();
    }

    // --- answers

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::CountSaved { opening, result } => self.count_saved(opening, result),
            Answer::Stored { opening, result } => self.stored(opening, result),
            Answer::Sent { opening, outcome } => {
                self.say_answer(&opening, &outcome);
                self.if_current(&opening, opening::Input::Outcome(outcome));
            }
            Answer::Read { opening, read } => {
                match &read {
                    Read::Healthy(_) => self.said_read.over(),
                    Read::Failed { why, .. } if self.said_read.is_news(clock::now(), why) => {
                        info!(%opening, why, "Shopify's sessions could not be read");
                    }
                    Read::Failed { .. } => {}
                }
                self.if_current(&opening, opening::Input::Read(read));
            }
            Answer::SessionChecked { opening, read } => self.session_checked(&opening, &read),
            Answer::SlipIntent { begun, result: Ok(row) } => {
                self.records.take(&row);
                self.print(begun);
            }
            Answer::SlipIntent { begun, result: Err(why) } => {
                warn!(opening = %begun.opening, kind = begun.kind, why, "the slip waits, because the journal cannot note it");
                self.slips.not_noted(clock::now());
            }
            Answer::Kept { result: Ok(row), opening: _, event: _ } => self.kept(&row),
            Answer::Kept { opening, event, result: Err(why) } => {
                warn!(%opening, event = event.name(), why, "an event could not be kept in the journal: it is tried again");
                self.unkept.push((opening, event));
                self.keep_again.get_or_insert(clock::now() + KEEP_AGAIN);
            }
            Answer::Warmed => {}
        }
    }

    fn say_answer(&mut self, opening: &OpeningId, outcome: &Outcome) {
        let text = outcome_text(outcome);
        if !self.said_answer.is_news(clock::now(), &format!("{opening} {text}")) {
            return;
        }
        if matches!(outcome, Outcome::NotExecuted { wait: Wait::Longest, .. }) {
            warn!(%opening, outcome = text, "the count is safe and is sent as soon as this is mended");
        } else {
            info!(%opening, outcome = text, "Shopify's answer to the opening");
        }
    }

    fn count_saved(&mut self, opening: OpeningId, result: Result<Arc<Row>, String>) {
        match result {
            Ok(row) => {
                self.records.take(&row);
                self.say_again = clock::now() + SAY_AGAIN;
                if let Event::OpeningCounted(counted) = &row.event {
                    let machine = Opening::new(opening.clone(), counted.clone(), waits(&self.house.timing));
                    self.opening = Some((opening.clone(), machine));
                    self.opening_input(opening::Input::Go);
                }
                self.shift_input(shift::Input::Saved { opening });
                self.slip_due();
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

    /// The opening whose session is open as far as we know.
    fn session_to_watch(&self) -> Option<&Record> {
        let settled = |r: &&Record| r.holds_the_shift_open() && r.standing.is_settled();
        self.records.current().filter(settled)
    }

    fn check_session(&mut self) {
        let watched = self.session_to_watch().and_then(|r| Some((r.id.clone(), r.counted.as_ref()?)));
        let watched = watched.map(|(id, counted)| (id, counted.point_of_sale_device_id.clone()));
        if !self.session.ask(clock::now(), watched.is_some() && !self.ending) {
            return;
        }
        let Some((opening, device)) = watched else { return };
        let shopify = Arc::clone(&self.house.shopify);
        self.push(async move { Answer::SessionChecked { opening, read: shopify.sessions_of_device(&device).await } });
    }

    fn session_checked(&mut self, opening: &OpeningId, read: &Read) {
        self.session.answered(clock::now(), matches!(read, Read::Healthy(_)));
        let Read::Healthy(sessions) = read else { return };
        let Some(record) = self.session_to_watch().filter(|r| r.id == *opening) else { return };
        if session_watch::is_over(record, sessions) {
            let session_id = record.session().map_or_else(|| "unknown".to_owned(), |s| s.id.clone());
            self.keep(opening.clone(), Event::ShiftClosed { session_id });
        }
    }

    // --- slips

    fn slip_due(&mut self) {
        if self.ending {
            return;
        }
        let Some(printer) = &self.devices.printer else { return };
        if let Some(job) = self.slips.ask(clock::now(), &self.records) {
            printer.ask_turn(job);
        }
    }

    fn begin_slip(&mut self, job: u64) {
        if self.ending {
            return;
        }
        let Some(begun) = self.slips.turn(clock::now(), job, &self.records) else { return };
        let event = Event::SlipSending { kind: begun.kind.to_owned() };
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&begun.opening), event);
        self.push(async move { Answer::SlipIntent { begun, result: settled(answer).await } });
    }

    fn print(&mut self, begun: Begun) {
        let Some(printer) = &self.devices.printer else { return };
        match self.slips.compose(&begun, &self.records) {
            Ok((job, pieces)) => printer.print(job, pieces),
            Err(why) => {
                warn!(opening = %begun.opening, why, "the slip could not be composed");
                self.keep(begun.opening, Event::SlipNotProven { kind: begun.kind.to_owned(), why });
            }
        }
    }

    // --- small things

    fn push(&self, future: impl Future<Output = Answer> + Send + 'static) {
        self.pending.push(Box::pin(future));
    }

    fn note(&self, event: Event) {
        self.house.recorder.note(&self.house.till.name, event);
    }

    /// A fact for the journal. It is offered again until the journal takes it.
    fn keep(&self, opening: OpeningId, event: Event) {
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event.clone());
        self.push(async move { Answer::Kept { opening, event, result: settled(answer).await } });
    }

    /// It is on disk: what follows from it.
    fn kept(&mut self, row: &Row) {
        self.records.take(row);
        if let Event::ShiftClosed { .. } = row.event {
            self.shift_input(shift::Input::ShiftClosed);
            if self.session.over(clock::now()) {
                self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
            }
        }
        self.slip_due();
    }

    fn publish(&self) {
        let phase = self.shift.phase();
        let view = TillView {
            name: self.house.till.name.clone(),
            drawer: drawer_view(&self.drawer),
            printer: self.devices.printer.as_ref().map(|_| printer_view(&self.printer)),
            display: self.display.as_ref().map(LinkView::of),
            keypads: self.keypads.iter().map(LinkView::of).collect(),
            shift: if matches!(phase, Phase::Saved | Phase::Open) { "open" } else { "closed" },
            phase,
            wrong_numbers: self.shift.wrong_numbers(),
            opening: self.records.current().map(OpeningView::of),
        };
        self.view.send_if_modified(|old| {
            let changed = *old != view;
            if changed {
                *old = view;
            }
            changed
        });
    }

    /// Nothing new is begun; what is on its way gets a moment for its answer, and the devices are left in order.
    async fn end(mut self) {
        self.ending = true;
        self.settle_within(LAST_ANSWER, |till| till.pending.is_empty() && !till.slips.is_under_way()).await;
        let (printer, display) = (self.devices.printer.take(), self.devices.display.take());
        let keypads = std::mem::take(&mut self.devices.keypads);
        let close = async move {
            for keypad in keypads {
                keypad.close().await;
            }
            if let Some(display) = display {
                display.close().await;
            }
            if let Some(printer) = printer {
                printer.close().await;
            }
        };
        // A printer that finishes its slip while it is closed proves it with its last words.
        tokio::pin!(close);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.devices.events.recv() => self.device(0, event),
                Some(answer) = self.pending.next() => self.answer(answer),
                () = &mut close => break,
            }
        }
        while let Ok(event) = self.devices.events.try_recv() {
            self.device(0, event);
        }
        self.settle_within(LAST_ANSWER, |till| till.pending.is_empty()).await;
    }

    async fn settle_within(&mut self, limit: Duration, settled: impl Fn(&Self) -> bool) {
        let until = clock::now() + limit;
        while !settled(self) && clock::now() < until {
            tokio::select! {
                Some(event) = self.devices.events.recv() => self.device(0, event),
                Some(answer) = self.pending.next() => self.answer(answer),
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
    }
}

async fn settled(answer: oneshot::Receiver<Result<Arc<Row>, String>>) -> Result<Arc<Row>, String> {
    answer.await.unwrap_or_else(|_| Err("the journal has been closed".to_owned()))
}

fn shift_settings(house: &House) -> ShiftSettings {
    let till = &house.till;
    ShiftSettings {
        staff: house.staff.clone(),
        device_id: till.device_id.clone(),
        reason_code_id: till.reason_code_id.clone(),
        currency: house.shop.currency,
        count: till.count.clone(),
        echo: till.display.as_ref().map_or(config::Echo::Digits, |d| d.echo),
        idle: till.display.as_ref().map_or_else(Default::default, |d| d.idle.clone()),
        sensor: till.drawer.is_some_and(|d| d.sense != config::Sense::NoSensor),
        keypad: !till.keypads.is_empty(),
        confirm_pause: house.timing.confirm_pause,
    }
}

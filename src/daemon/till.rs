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
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use super::{
    desk::{Command, KeypadView, TillView},
    recorder::Recorder,
    slips::{PrintJobs, SlipDesk},
};
use crate::{
    clock, config,
    device::{
        DeviceEvent, DrawerEvent, DrawerState, Link, OpenedBy, PrintOutcome, PrinterStatus,
        worker::{DisplayHandle, KeypadHandle, PrinterHandle},
    },
    journal::Row,
    opening::{self, Opening, Outcome, Read, Waits, record::Record, record::Standing},
    shift::{
        self, Phase, Progress, Refusal, Reply, Shift, ShiftSettings,
        event::{Event, OpeningId},
    },
    shopify::Shopify,
};

/// While the shift is open, Shopify is asked this often whether its session still is.
const SESSION_CHECK: Duration = Duration::from_secs(300);
/// Edges closer together than this ask once.
const SESSION_CHECK_PAUSE: Duration = Duration::from_secs(10);
/// When Shopify could not be asked, for example because the network is up later than this PC.
const SESSION_CHECK_AGAIN: Duration = Duration::from_secs(30);
/// An edge this recent starts an opening when the answer says that the session was closed.
const EDGE_STILL_MEANT: Duration = Duration::from_secs(30);
/// Whatever is unresolved is said again this often (design, "What we promise").
const SAY_AGAIN: Duration = Duration::from_secs(600);
/// On stop, a request that is on its way gets this long for its answer; after it the journal says "sending" and the next
/// start reads first.
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
    pub view: watch::Sender<TillView>,
    pub stop: watch::Receiver<bool>,
}

/// What a past operation brought.
enum Answer {
    CountSaved { opening: OpeningId, result: Result<Arc<Row>, String> },
    Stored { opening: OpeningId, result: Result<Arc<Row>, String> },
    Sent { opening: OpeningId, outcome: Outcome },
    Read { opening: OpeningId, read: Read },
    SessionChecked { read: Read, edge: Option<Instant> },
    ShiftClosedStored { result: Result<Arc<Row>, String>, edge: Option<Instant> },
    SlipIntent { opening: OpeningId, kind: &'static str, result: Result<Arc<Row>, String> },
    SlipResult { result: Result<Arc<Row>, String>, event: Event },
    Kept { result: Result<Arc<Row>, String> },
    Warmed,
}

type Pending = FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + Send>>>;
type Waiter = oneshot::Sender<Result<Reply, Refusal>>;

pub(super) struct Till {
    house: House,
    devices: Devices,
    shift: Shift,
    opening: Option<(OpeningId, Opening)>,
    record: Option<Record>,
    slips: SlipDesk,
    pending: Pending,
    waiters: HashMap<u64, Waiter>,
    next_op: u64,
    wake_shift: Option<Instant>,
    wake_opening: Option<Instant>,
    wake_session: Instant,
    say_again: Instant,
    session_checked: Option<Instant>,
    drawer: DrawerState,
    printer: PrinterStatus,
    display: Option<Link>,
    keypads: Vec<Link>,
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
    /// `history`: the till's newest opening, if any, as the journal has it.
    pub(super) fn new(house: House, devices: Devices, history: Option<(OpeningId, Vec<Row>)>) -> Self {
        let now = clock::now();
        let settings = shift_settings(&house);
        let record = history.as_ref().and_then(|(id, rows)| Record::read(id, rows.iter().map(|r| (r.at, &r.event))));
        let opening = history.as_ref().and_then(|(id, rows)| {
            let events: Vec<Event> = rows.iter().map(|r| r.event.clone()).collect();
            Some((id.clone(), Opening::resume(id.clone(), &events, waits(&house.timing), now)?))
        });
        let shift = match (&opening, &record) {
            (Some((id, _)), _) => Shift::resumed(settings, id.clone()),
            (None, record) => Shift::new(settings, record.as_ref().is_some_and(Record::holds_the_shift_open)),
        };
        let why = |what: &str| format!("{what} has not answered yet");
        let drawer = match (&house.till.drawer, &house.till.printer) {
            (Some(_), Some(_)) => DrawerState::Unknown { why: why("the printer") },
            (None, _) | (_, None) => DrawerState::Unknown { why: "no drawer is configured".to_owned() },
        };
        let keypads = devices.keypads.iter().map(|_| Link::Starting).collect();
        let display = devices.display.as_ref().map(|_| Link::Starting);
        let printer =
            PrinterStatus { link: Link::Starting, online: None, paper: None, cover_open: None, error: None, identity: None };
        let slips = SlipDesk::new(house.till.printer.as_ref(), &house.shop, &house.till);
        Self {
            shift,
            opening,
            record,
            slips,
            pending: FuturesUnordered::new(),
            waiters: HashMap::new(),
            next_op: 1,
            wake_shift: None,
            wake_opening: None,
            wake_session: now + SESSION_CHECK,
            say_again: now + SAY_AGAIN,
            session_checked: None,
            drawer,
            printer,
            display,
            keypads,
            house,
            devices,
        }
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
        let now = clock::now();
        self.shift_input(shift::Input::Tick);
        let interrupted = self.record.as_ref().and_then(|r| Some((r.id.clone(), r.slip_interrupted()?.to_owned())));
        if let Some((id, kind)) = interrupted {
            let why = "drawerbridge was restarted while the slip was printed: look whether it is there, else reprint it";
            self.keep(Some(id), Event::SlipNotProven { kind, why: why.to_owned() });
        }
        if self.opening.is_some() {
            self.opening_input(opening::Input::Go);
        }
        let unfinished = self.record.as_ref().filter(|r| r.standing == Standing::Started).map(|r| r.id.clone());
        if let Some(id) = unfinished {
            info!(opening = %id, "an opening was under way when drawerbridge stopped: it is asked for again");
            self.keep(Some(id), Event::OpeningCancelled { why: "drawerbridge was restarted".to_owned() });
            self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
        }
        // Over night somebody may have closed the session.
        self.check_session(None);
        self.slips.consider(now, self.record.as_ref());
        self.slip_due();
    }

    fn next_wake(&self) -> Instant {
        [self.wake_shift, self.wake_opening, self.slips.wake()]
            .into_iter()
            .flatten()
            .fold(self.wake_session.min(self.say_again), Instant::min)
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
        if now >= self.wake_session {
            self.wake_session = now + SESSION_CHECK;
            self.check_session(None);
        }
        if now >= self.say_again {
            self.say_again = now + SAY_AGAIN;
            if let Some(record) = self.record.as_ref().filter(|r| r.counted.is_some() && !r.standing.is_settled()) {
                warn!(opening = %record.id, state = record.standing.name(), why = record.standing.why(),
                    "the count is safe, and Shopify has not confirmed it for ten minutes");
            }
        }
        self.slip_due();
    }

    // --- devices

    fn device(&mut self, from: usize, event: DeviceEvent) {
        match event {
            DeviceEvent::Drawer(event) => self.drawer(event),
            DeviceEvent::Printer(status) => {
                let (before, after) = (status_text(&self.printer), status_text(&status));
                self.printer = status;
                if self.house.till.display.as_ref().is_some_and(|d| d.port == config::Port::ViaPrinter) {
                    self.display = Some(self.printer.link.clone());
                }
                if before != after {
                    self.note(Event::PrinterStatus { status: after });
                }
            }
            DeviceEvent::Display(link) => {
                self.note(Event::DisplayStatus { status: link_text(&link) });
                self.display = Some(link);
            }
            DeviceEvent::Keypad(link) => self.keypad(from, link),
            DeviceEvent::Key(key) => self.shift_input(shift::Input::Key(key)),
            DeviceEvent::Badge(number) => self.shift_input(shift::Input::Badge(number)),
            DeviceEvent::KeysLost => self.shift_input(shift::Input::KeysLost),
            DeviceEvent::Printed { job, outcome } => {
                if let Some((opening, kind)) = self.slips.over(job) {
                    let event = match outcome {
                        PrintOutcome::Printed { by } => Event::SlipPrinted { kind, proof: by.to_owned() },
                        PrintOutcome::NotProven { why } => Event::SlipNotProven { kind, why },
                    };
                    self.slip_result(opening, event);
                }
            }
            DeviceEvent::PrintWaits { job, why } => warn!(till = self.house.till.name, job, why, "the slip waits"),
        }
    }

    fn drawer(&mut self, event: DrawerEvent) {
        match event {
            DrawerEvent::Opened(by) => {
                self.drawer = DrawerState::Open;
                let by = match by {
                    OpenedBy::Command => "command",
                    OpenedBy::Key => "key",
                };
                self.note(Event::DrawerOpened { by: by.to_owned() });
                let was_open = self.shift.phase() == Phase::Open;
                self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
                if was_open {
                    self.check_session(Some(clock::now()));
                }
            }
            DrawerEvent::Closed { after } => {
                self.drawer = DrawerState::Closed;
                let open_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.note(Event::DrawerClosed { open_ms });
                self.shift_input(shift::Input::DrawerClosed);
            }
            DrawerEvent::LeftOpen => {
                self.drawer = DrawerState::LeftOpen;
                self.note(Event::DrawerLeftOpen {});
            }
            DrawerEvent::State(state) => {
                let open = matches!(state, DrawerState::Open | DrawerState::LeftOpen);
                self.drawer = state;
                self.shift_input(shift::Input::DrawerIs { open });
            }
        }
    }

    fn keypad(&mut self, from: usize, link: Link) {
        self.note(Event::KeypadStatus { status: link_text(&link) });
        let up = |links: &[Link]| links.iter().filter(|l| **l == Link::Up).count();
        let before = up(&self.keypads);
        if let Some(slot) = self.keypads.get_mut(from) {
            *slot = link;
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
                shift::Output::Record { opening, event } => self.keep(Some(opening), event),
                shift::Output::Reply { op, result } => {
                    if let Some(waiter) = self.waiters.remove(&op) {
                        // The client may have hung up; the answer stands in the journal.
                        drop(waiter.send(result));
                    }
                }
                shift::Output::Warm => {
                    let shopify = Arc::clone(&self.house.shopify);
                    self.push(async move {
                        shopify.warm().await;
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
                opening::Output::ReadSessions => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    let device = self.house.till.device_id.clone();
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
                warn!(%opening, why, "the journal did not take an event of the opening: it is tried again");
                self.opening_input(opening::Input::StoreFailed);
                return;
            }
        };
        self.take(&row);
        self.opening_input(opening::Input::Stored);
        if let Some(progress) = progress_of(&row.event) {
            self.shift_input(shift::Input::Progress { opening, progress });
        }
        if matches!(&row.event, Event::OpeningNeedsAttention { kind, .. } if kind == "foreign_session") {
            self.shift_input(shift::Input::ShiftOpen);
        }
        if self.opening.as_ref().is_some_and(|(_, o)| o.is_settled()) {
            self.opening = None;
            self.wake_opening = None;
        }
        self.slips.consider(clock::now(), self.record.as_ref());
        self.slip_due();
    }

    fn take(&mut self, row: &Row) {
        let Some(id) = &row.opening else { return };
        match self.record.as_mut() {
            Some(record) if record.id == *id => record.take(&row.event),
            Some(_) | None => self.record = Record::read(id, [(row.at, &row.event)]),
        }
    }

    // --- answers

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::CountSaved { opening, result } => self.count_saved(opening, result),
            Answer::Stored { opening, result } => self.stored(opening, result),
            Answer::Sent { opening, outcome } => {
                info!(%opening, outcome = outcome_text(&outcome), "Shopify's answer to the opening");
                self.if_current(&opening, opening::Input::Outcome(outcome));
            }
            Answer::Read { opening, read } => {
                if let Read::Failed { why } = &read {
                    info!(%opening, why, "Shopify's sessions could not be read");
                }
                self.if_current(&opening, opening::Input::Read(read));
            }
            Answer::SessionChecked { read, edge } => self.session_checked(&read, edge),
            Answer::ShiftClosedStored { result: Ok(row), edge } => {
                self.take(&row);
                self.shift_input(shift::Input::ShiftClosed);
                if edge.is_some_and(|at| clock::now() < at + EDGE_STILL_MEANT) {
                    self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
                }
            }
            Answer::SlipIntent { opening, kind, result: Ok(row) } => {
                self.take(&row);
                self.print(&opening, kind);
            }
            Answer::SlipIntent { kind, result: Err(why), .. } => {
                warn!(kind, why, "no slip is printed, because the journal cannot note it");
                self.slips.not_begun();
            }
            Answer::SlipResult { result, event } => match result {
                Ok(row) => {
                    self.take(&row);
                    self.slips.consider(clock::now(), self.record.as_ref());
                    self.slip_due();
                }
                Err(why) => warn!(event = event.name(), why, "not kept in the journal"),
            },
            Answer::Kept { result: Ok(row) } => self.take(&row),
            Answer::ShiftClosedStored { result: Err(why), .. } | Answer::Kept { result: Err(why) } => {
                warn!(why, "an event could not be kept in the journal");
            }
            Answer::Warmed => {}
        }
    }

    fn count_saved(&mut self, opening: OpeningId, result: Result<Arc<Row>, String>) {
        match result {
            Ok(row) => {
                self.take(&row);
                self.say_again = clock::now() + SAY_AGAIN;
                if let Event::OpeningCounted(counted) = &row.event {
                    let machine = Opening::new(opening.clone(), counted.clone(), waits(&self.house.timing));
                    self.opening = Some((opening.clone(), machine));
                    self.opening_input(opening::Input::Go);
                }
                self.shift_input(shift::Input::Saved { opening });
                self.slips.consider(clock::now(), self.record.as_ref());
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

    fn check_session(&mut self, edge: Option<Instant>) {
        let now = clock::now();
        let open = self.shift.phase() == Phase::Open && self.record.as_ref().is_some_and(|r| r.session().is_some());
        let lately = self.session_checked.is_some_and(|at| now < at + SESSION_CHECK_PAUSE);
        if !open || (lately && edge.is_some()) {
            return;
        }
        self.session_checked = Some(now);
        let (shopify, device) = (Arc::clone(&self.house.shopify), self.house.till.device_id.clone());
        self.push(async move { Answer::SessionChecked { read: shopify.sessions_of_device(&device).await, edge } });
    }

    fn session_checked(&mut self, read: &Read, edge: Option<Instant>) {
        let Read::Healthy(sessions) = read else {
            self.wake_session = self.wake_session.min(clock::now() + SESSION_CHECK_AGAIN);
            return;
        };
        let Some(record) = self.record.as_ref().filter(|r| r.holds_the_shift_open()) else { return };
        let Some(ours) = record.session() else { return };
        let any_open = sessions.iter().any(|s| s.status == "OPEN");
        let ours_seen_closed = sessions.iter().any(|s| s.id == ours.id && s.status == "CLOSED");
        if ours_seen_closed && !any_open {
            let (id, session_id) = (record.id.clone(), ours.id.clone());
            let answer = self.house.recorder.begin(&self.house.till.name, Some(&id), Event::ShiftClosed { session_id });
            self.push(async move { Answer::ShiftClosedStored { result: settled(answer).await, edge } });
        }
    }

    // --- slips

    fn slip_due(&mut self) {
        let Some((opening, kind)) = self.slips.begin(clock::now(), self.record.as_ref()) else { return };
        let event = Event::SlipSending { kind: kind.to_owned() };
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event);
        self.push(async move { Answer::SlipIntent { opening, kind, result: settled(answer).await } });
    }

    fn print(&mut self, opening: &OpeningId, kind: &'static str) {
        let Some(printer) = &self.devices.printer else { return };
        match self.slips.compose(opening, kind, self.record.as_ref()) {
            Ok(PrintJobs { job, pieces }) => printer.print(job, pieces),
            Err(why) => {
                warn!(why, "the slip could not be composed");
                self.slips.not_begun();
                self.slip_result(opening.clone(), Event::SlipNotProven { kind: kind.to_owned(), why });
            }
        }
    }

    fn slip_result(&mut self, opening: OpeningId, event: Event) {
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event.clone());
        self.push(async move { Answer::SlipResult { result: settled(answer).await, event } });
    }

    // --- small things

    fn push(&self, future: impl Future<Output = Answer> + Send + 'static) {
        self.pending.push(Box::pin(future));
    }

    fn note(&self, event: Event) {
        self.house.recorder.note(&self.house.till.name, event);
    }

    fn keep(&self, opening: Option<OpeningId>, event: Event) {
        let answer = self.house.recorder.begin(&self.house.till.name, opening.as_ref(), event);
        self.push(async move { Answer::Kept { result: settled(answer).await } });
    }

    fn publish(&self) {
        let view = TillView::of(
            &self.house.till.name,
            &self.drawer,
            self.devices.printer.as_ref().map(|_| &self.printer),
            self.display.as_ref(),
            self.keypads.iter().map(KeypadView::of).collect(),
            &self.shift,
            self.record.as_ref(),
        );
        self.house.view.send_if_modified(|old| {
            let changed = *old != view;
            if changed {
                *old = view;
            }
            changed
        });
    }

    async fn end(mut self) {
        let until = clock::now() + LAST_ANSWER;
        while !self.pending.is_empty() && clock::now() < until {
            match tokio::time::timeout_at(until.into(), self.pending.next()).await {
                Ok(Some(answer)) => self.answer(answer),
                Ok(None) | Err(_) => break,
            }
        }
        for keypad in std::mem::take(&mut self.devices.keypads) {
            keypad.close().await;
        }
        if let Some(display) = self.devices.display.take() {
            display.close().await;
        }
        if let Some(printer) = self.devices.printer.take() {
            printer.close().await;
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

fn progress_of(event: &Event) -> Option<Progress> {
    match event {
        Event::OpeningSending { .. } => Some(Progress::Sending),
        Event::OpeningNotSent { .. } => Some(Progress::WillSendLater),
        Event::OpeningUnknown { .. } | Event::OpeningAbsent { .. } => Some(Progress::Checking),
        Event::OpeningConfirmed { .. } => Some(Progress::Confirmed),
        Event::OpeningRefused { prompt, .. } => Some(Progress::Refused(prompt.clone())),
        Event::OpeningNeedsAttention { prompt, .. } => Some(Progress::NeedsAttention(prompt.clone())),
        Event::DaemonStarted { .. }
        | Event::DrawerOpened { .. }
        | Event::DrawerClosed { .. }
        | Event::DrawerKicked { .. }
        | Event::DrawerLeftOpen {}
        | Event::PrinterStatus { .. }
        | Event::DisplayStatus { .. }
        | Event::KeypadStatus { .. }
        | Event::OpeningStarted { .. }
        | Event::OpeningCancelled { .. }
        | Event::OpeningCounted(_)
        | Event::SlipSending { .. }
        | Event::SlipPrinted { .. }
        | Event::SlipNotProven { .. }
        | Event::ShiftClosed { .. } => None,
    }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Executed(session) => format!("opened {}", session.id),
        Outcome::Refused { code, message } => format!("refused: {code}: {message}"),
        Outcome::NotExecuted { why, .. } => format!("not sent: {why}"),
        Outcome::Rejected { code, message } => format!("rejected: {code}: {message}"),
        Outcome::Unknown { why } => format!("unknown: {why}"),
    }
}

fn link_text(link: &Link) -> String {
    match link {
        Link::Starting => "starting".to_owned(),
        Link::Up => "up".to_owned(),
        Link::Down { why } => format!("down: {why}"),
    }
}

/// One line for people: `up, online, paper ok`.
fn status_text(status: &PrinterStatus) -> String {
    let mut parts = vec![link_text(&status.link)];
    match status.online {
        Some(true) => parts.push("online".to_owned()),
        Some(false) => parts.push("offline".to_owned()),
        None => {}
    }
    if let Some(paper) = status.paper {
        parts.push(super::desk::paper_text(paper).to_owned());
    }
    if status.cover_open == Some(true) {
        parts.push("cover open".to_owned());
    }
    parts.extend(status.error.clone());
    parts.join(", ")
}

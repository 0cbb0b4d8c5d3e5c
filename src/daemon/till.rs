//! One till at work: device events, API commands, the journal's and Shopify's answers go into the machines; what comes out
//! is carried out. Decides nothing.
mod devices;
mod machines;
mod resolve;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use self::resolve::{Decided, Resolving};
use super::{
    desk::{Command, Known, LinkView, OpeningView, TillView, drawer_view, printer_view},
    recorder::{Recorder, Stored},
    records::Records,
    said::{SAY_AGAIN, Said},
    session_watch::SessionWatch,
    slips::{Begun, SlipDesk},
};
use crate::{
    clock, config,
    device::{
        DeviceEvent, DrawerState, Link, PrinterStatus,
        worker::{DisplayHandle, KeypadHandle, PrinterHandle},
    },
    journal::Row,
    opening::{
        self, ActivityRead, BusinessDay, Opening, Outcome, Read, Rules, SessionList, Waits,
        echo::EchoWatch,
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
    CountSaved { opening: OpeningId, result: Stored },
    Stored { opening: OpeningId, result: Stored },
    Sent { opening: OpeningId, outcome: Outcome },
    Read { opening: OpeningId, device: String, read: Read },
    Activities { opening: OpeningId, read: ActivityRead },
    Opener { opening: OpeningId, who: Result<String, String> },
    SessionChecked { opening: OpeningId, device: String, read: Read },
    Echo { device: String, read: Read },
    Ahead { device: String, read: Read },
    SessionForResolve { wish: Resolving, read: Read },
    SlipIntent { begun: Begun, result: Stored },
    Kept { opening: OpeningId, event: Event, result: Stored },
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
    echo: EchoWatch,
    /// Read when the opening began, so that a confirmed count does not wait for it.
    ahead: Option<(SessionList, Instant)>,
    /// Who waits for a person's decision to be on disk.
    resolving: Vec<Decided>,
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
    /// How long this PC has slept, as far as the opening on its way knows.
    slept: Duration,
    view: watch::Sender<TillView>,
    drawer: Known<DrawerState>,
    printer: Known<PrinterStatus>,
    display: Option<Known<Link>>,
    keypads: Vec<Known<Link>>,
    said_store: Said,
    said_answer: Said,
    said_read: Said,
}

fn rules(house: &House) -> Rules {
    let shop = &house.shop;
    Rules {
        shared_drawer: shop.shared_drawer,
        on_foreign_session: shop.on_foreign_session,
        max_age: house.till.count.max_age,
        business_day: BusinessDay { zone: shop.time_zone.clone(), starts: shop.business_day_starts },
    }
}

fn waits(timing: &config::Timing) -> Waits {
    Waits {
        quiet_period: timing.quiet_period,
        read_every: timing.read_every,
        retry_first: timing.retry_first,
        retry_max: timing.retry_max,
    }
}

/// Counted on another business day than today's, by this PC's clock. What was open then may have been closed since while this
/// PC was off, so the drawer may ask; should Shopify say that it is still open, the question is taken back.
fn is_of_another_day(record: &Record, day: &BusinessDay) -> bool {
    let counted = record.counted.as_ref().and_then(|counted| counted.time.parse().ok());
    counted.is_some_and(|at: Timestamp| day.of(at) != day.of(clock::wall()))
}

fn fresh_id() -> OpeningId {
    let bits = getrandom::u64().unwrap_or_else(|_| {
        // No random source at all: time is unique enough on one till.
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
            let opening = Opening::resume(id.clone(), &events, waits(&house.timing), &rules(&house), now);
            Some((id.clone(), opening.filter(|opening| !opening.is_settled())?))
        });
        let read = |(id, rows): &(OpeningId, Vec<Row>)| Record::read(id, rows.iter().map(|r| (r.at, &r.event)));
        let records = Records::new(history.iter().filter_map(read), house.till.count.second_slip);
        let shift = match &opening {
            Some((id, _)) => Shift::resumed(settings, id.clone()),
            None => {
                let open = records.watched().is_some_and(|r| !is_of_another_day(r, &rules(&house).business_day));
                match records.attention().map(|r| (r.id.clone(), &r.standing)) {
                    Some((id, Standing::NeedsAttention { prompt, .. })) => {
                        Shift::needs_attention(settings, id, open, prompt.clone())
                    }
                    Some(_) | None => Shift::new(settings, open),
                }
            }
        };
        let why = |what: &str| format!("{what} has not answered yet");
        let drawer = match (&house.till.drawer, &house.till.printer) {
            (Some(_), Some(_)) => DrawerState::Unknown { why: why("the printer") },
            (None, _) | (_, None) => DrawerState::Unknown { why: "no drawer is configured".to_owned() },
        };
        let printer =
            PrinterStatus { link: Link::Starting, online: None, paper: None, cover_open: None, error: None, identity: None };
        let mut echo = EchoWatch::new([house.timing.echo_first, house.timing.echo_second]);
        for record in records.all().filter(|r| matches!(r.standing, Standing::Confirmed { .. }) && !r.alarmed) {
            if let Some(counted) = &record.counted {
                echo.confirmed(now, &record.id, &counted.point_of_sale_device_id);
            }
        }
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
            echo,
            ahead: None,
            resolving: Vec::new(),
            unkept: Vec::new(),
            keep_again: None,
            ending: false,
            pending: FuturesUnordered::new(),
            waiters: HashMap::new(),
            next_op: 1,
            wake_shift: None,
            wake_opening: None,
            say_again: now + SAY_AGAIN,
            slept: clock::slept(),
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
            warn!(opening = %id, kind, why, "the slip is not proven");
            self.slips.was_torn();
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
        [self.wake_shift, self.wake_opening, self.slips.wake(), self.session.wake(), self.echo.wake(), self.keep_again]
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
            self.offer_again();
        }
        self.check_session();
        self.check_echo();
        if now >= self.say_again {
            self.say_again = now + SAY_AGAIN;
            self.say_what_is_unresolved();
        }
        self.slip_due();
    }

    /// Design, "What we promise": whatever is unresolved for ten minutes is shown and logged.
    fn say_what_is_unresolved(&self) {
        for record in self.records.all().filter(|r| r.counted.is_some() || r.needs_a_person()) {
            let (opening, state, why) = (&record.id, record.standing.name(), record.standing.why());
            if record.needs_a_person() {
                warn!(%opening, state, why, "a person must decide: see `drawerbridge openings show`");
            } else if !record.standing.is_settled() {
                warn!(%opening, state, why, "the count is safe, and Shopify has not confirmed it for ten minutes");
            }
        }
    }

    fn push(&self, future: impl Future<Output = Answer> + Send + 'static) {
        self.pending.push(Box::pin(future));
    }

    fn note(&self, event: Event) {
        self.house.recorder.note(&self.house.till.name, event);
    }

    /// What the journal could not take, in its order and before anything newer.
    fn offer_again(&mut self) {
        self.keep_again = None;
        for (opening, event) in std::mem::take(&mut self.unkept) {
            self.hand_over(opening, event);
        }
    }

    /// A fact for the journal. It is offered again until the journal takes it.
    fn keep(&mut self, opening: OpeningId, event: Event) {
        self.offer_again();
        self.hand_over(opening, event);
    }

    fn hand_over(&self, opening: OpeningId, event: Event) {
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event.clone());
        self.push(async move { Answer::Kept { opening, event, result: settled(answer).await } });
    }

    /// It is on disk: what follows from it.
    fn kept(&mut self, row: &Row) {
        self.records.take(row);
        if let (Some(opening), Event::OpeningResolved { .. }) = (&row.opening, &row.event) {
            self.tell_progress(opening, &row.event);
        }
        self.decided(row);
        let closed = matches!(row.event, Event::ShiftClosed { .. });
        if closed {
            self.shift_input(shift::Input::ShiftClosed);
        }
        // Rows may be told of in another order than they were written in: a question behind the closing is still asked.
        self.show_what_is_asked();
        if closed && self.session.over(clock::now()) {
            self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() });
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
            opening: self.records.current().map(|r| OpeningView::of(r, self.house.till.count.second_slip)),
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

async fn settled(answer: oneshot::Receiver<Stored>) -> Stored {
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

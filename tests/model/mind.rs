//! The real machines of a run, each kept once and named by a number, with what each does at each input.
//!
//! ## Why a machine can be told by its text
//! `Debug` of [`Opening`] is derived: it shows every field. Two machines with one text are equal in all they can do. Only
//! moments are written as their age, in quiet periods: a machine compares moments with `now` and with nothing else, so it does
//! the same earlier and later. Ages beyond [`OLD`] are one age: no limit of the run is longer. That keeps the number of states
//! finite without leaving anything out, and time needs no counter.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use drawerbridge::{
    clock,
    opening::{
        ActivityRead, BusinessDay, Device, Input, MAX_ATTEMPTS, Mutation, OnForeign, Opening, Outcome, Output, Read,
        Resolution, Rules, SessionList, SharedDrawer, Wait, Waits, WallClock, echo::EchoWatch,
    },
    shift::event::{Counted, Decision, Event, Money, OpeningId},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    runs::Setup,
    shop::{self, Order, Seen, Session, Sessions},
};

/// A quiet period; longer than a look ahead is good for, so that one of them ends that, too.
const QUIET: Duration = Duration::from_secs(400);
/// In quiet periods: beyond the quiet period (1), the age of a look ahead (less than 1) and the count's greatest age (2).
const OLD: u64 = 4;
/// The machine of an opening that is settled: it does nothing any more, whatever it remembers.
pub const DONE: u32 = u32::MAX;

/// What is put into a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cue {
    Go,
    Tick,
    Ahead(Seen),
    AheadMissing,
    ClockWrong,
    Stored,
    StoreFailed,
    Answered(Said),
    Read(Seen),
    DeviceMissing,
    ReadFailed,
    Ledger(Session),
    LedgerFailed,
    Opener(bool),
    Resolve(Choice, Option<(u8, u8, Session)>),
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    Link,
    RecordCount,
    GiveUp,
}

/// What the daemon is told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    Ran(shop::Ran),
    /// A session whose content is not what was sent.
    Mangled(u8, u8, Session),
    Refused,
    NotExecuted,
    Unknown,
}

/// What a machine wants next. It never wants two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wants {
    Nothing,
    Store(u16),
    Send(u8),
    Sessions,
    Ledger(u8, u8),
    Opener,
    Wake,
}

struct Kept {
    opening: Opening,
    which: u8,
    /// Its `now`, in quiet periods since the base.
    now: u32,
    state: String,
}

/// One journal of one opening, and what its events tell by themselves.
struct Journal {
    events: Vec<u16>,
    fault: Option<(&'static str, String)>,
}

/// What was reached, over all runs.
#[derive(Default)]
pub struct Reached {
    pub states: BTreeMap<String, u64>,
    pub edges: BTreeMap<(String, String), u64>,
    /// Kinds of events, of questions, of decisions: what a story can come to.
    pub ends: BTreeSet<String>,
    /// How often each property was put to the test.
    pub tested: BTreeMap<&'static str, u64>,
}

pub struct Minds<'a> {
    setup: &'a Setup,
    base: Instant,
    base_text: i128,
    kept: Vec<Kept>,
    by_text: HashMap<String, u32>,
    does: HashMap<(u32, Cue), (u32, Wants)>,
    aged: HashMap<u32, u32>,
    events: Vec<Event>,
    event_by_text: HashMap<String, u16>,
    journals: Vec<Journal>,
    journal_by_events: HashMap<Vec<u16>, u32>,
    resumed: HashMap<(u8, u32), u32>,
    pub orders: Vec<Order>,
    pub reached: Reached,
    /// Found while machines were asked; the search takes it from here.
    pub complaint: Option<(&'static str, String)>,
}

/// The references of the two openings.
pub fn opening_id(which: u8) -> OpeningId {
    OpeningId::from_bits(u64::from(which) + 1)
}

impl<'a> Minds<'a> {
    pub fn new(setup: &'a Setup) -> Self {
        let base = clock::now();
        Self {
            setup,
            base,
            base_text: seconds(&format!("{base:?}")).expect("Debug of an Instant names its seconds").0,
            kept: vec![],
            by_text: HashMap::new(),
            does: HashMap::new(),
            aged: HashMap::new(),
            events: vec![],
            event_by_text: HashMap::new(),
            journals: vec![],
            journal_by_events: HashMap::new(),
            resumed: HashMap::new(),
            orders: vec![],
            reached: Reached::default(),
            complaint: None,
        }
    }

    fn waits() -> Waits {
        let no = Duration::ZERO;
        Waits { quiet_period: QUIET, read_every: no, retry_first: no, retry_max: no }
    }

    fn rules(&self) -> Rules {
        let on_foreign_session = if self.setup.record { OnForeign::RecordCount } else { OnForeign::Ask };
        let max_age = if self.setup.grows_old { 2 * QUIET } else { Duration::from_secs(1 << 40) };
        let business_day = BusinessDay { zone: jiff::tz::TimeZone::UTC, starts: jiff::civil::time(4, 0, 0, 0) };
        let shared_drawer = self.setup.shared.unwrap_or(SharedDrawer::Allow);
        Rules { shared_drawer, on_foreign_session, max_age, business_day }
    }

    fn counted(&self, which: u8) -> Counted {
        Counted {
            staff_name: "Robin".to_owned(),
            staff_member_id: "gid://shopify/StaffMember/1".to_owned(),
            point_of_sale_device_id: shop::device_gid(self.setup.device(which)),
            reason_code_id: None,
            balance: Money { amount: "150.00".to_owned(), currency: "USD".to_owned() },
            lines: vec![],
            time: format!("2026-11-23T07:0{which}:00Z"),
            note: String::new(),
        }
    }

    /// Shopify's clock. It is behind the greatest age where counts grow old in this run.
    fn date(&self) -> Option<Timestamp> {
        self.setup.grows_old.then(|| "2026-11-23T12:00:00Z".parse().expect("a time"))
    }

    /// A count that came onto the disk just now: its machine and its journal.
    pub fn born(&mut self, which: u8) -> (u32, u32) {
        let counted = self.counted(which);
        let event = self.event(Event::OpeningCounted(counted.clone()));
        let mut opening = Opening::new(opening_id(which), counted, Self::waits(), self.rules(), self.base);
        self.compare_clocks(&mut opening);
        (self.keep(which, opening, 0, None), self.journal(vec![event]))
    }

    fn compare_clocks(&self, opening: &mut Opening) {
        if self.setup.grows_old {
            opening.clock_is(WallClock::Trusted);
        }
    }

    fn at(&self, now: u32) -> Instant {
        self.base + QUIET * now
    }

    fn keep(&mut self, which: u8, opening: Opening, now: u32, stored: Option<u16>) -> u32 {
        let state = self.state_of(&self.text(&opening, now), stored);
        self.keep_as(which, opening, now, state)
    }

    fn keep_as(&mut self, which: u8, opening: Opening, now: u32, state: String) -> u32 {
        let text = self.text(&opening, now);
        *self.reached.states.entry(state.clone()).or_default() += 0;
        if state == "Settled" {
            return DONE;
        }
        if text.contains("then: SendNow") {
            *self.reached.states.entry("SendNow".to_owned()).or_default() += 0;
        }
        if let Some(known) = self.by_text.get(&text) {
            return *known;
        }
        let id = u32::try_from(self.kept.len()).expect("not so many");
        self.listens_only_to_what_it_waits_for(&opening, now, &text, &state);
        self.kept.push(Kept { opening, which, now, state });
        self.by_text.insert(text, id);
        id
    }

    /// The text of a machine, with ages for moments.
    fn text(&self, opening: &Opening, now: u32) -> String {
        let raw = format!("{opening:?}");
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some(at) = rest.find("Instant {") {
            text.push_str(&rest[..at]);
            let (moment, length) = seconds(&rest[at..]).expect("Debug of an Instant names its seconds");
            let quiet = i128::from(QUIET.as_secs());
            let since_base = moment - self.base_text;
            assert!(since_base % quiet == 0, "all waits are nothing or a quiet period");
            let age = i128::from(now) - since_base / quiet;
            let age = u64::try_from(age).expect("no moment of a machine is ahead of it");
            text.push('~');
            text.push_str(&age.min(OLD).to_string());
            rest = &rest[at + length..];
        }
        text.push_str(rest);
        text
    }

    fn state_of(&self, text: &str, stored: Option<u16>) -> String {
        let (_, tail) = text.split_once(" state: ").expect("Opening has a state");
        let name: String = tail.chars().take_while(char::is_ascii_alphanumeric).collect();
        match (name.as_str(), stored) {
            ("Storing", Some(event)) => self.events[usize::from(event)].name().replace("opening.", "store "),
            _ => name,
        }
    }

    /// An input that a state does not wait for changes nothing and asks for nothing.
    fn listens_only_to_what_it_waits_for(&mut self, opening: &Opening, now: u32, text: &str, state: &str) {
        let unknown = || Outcome::Unknown { why: "lost".to_owned() };
        let all = [
            (Input::Stored, "store"),
            (Input::StoreFailed, "store"),
            (Input::Outcome(unknown()), "Sending"),
            (Input::Opener(Err("nobody knows".to_owned())), "ReadingOpener"),
            (Input::Go, "Ready Offline Unknown Fenced"),
            (Input::Tick, "StoreAgain Offline Unknown Fenced"),
            (Input::Read(failed_read()), "Preflight Reading ReadingFence"),
            (Input::Activities(failed_ledger()), "Preflight Reading"),
            (Input::Ahead { list: SessionList::of(vec![], true), taken: self.at(now) }, "Ready"),
        ];
        let name = state.split(' ').next().unwrap_or_default();
        for (input, waiting) in all {
            if waiting.split(' ').any(|w| w == name) {
                continue;
            }
            let mut other = opening.clone();
            let what = format!("{input:?}");
            let outputs = other.handle(self.at(now), input);
            self.tested(DEAF);
            let quiet = outputs.iter().all(|output| matches!(output, Output::WakeAt(_)));
            if !quiet || self.text(&other, now) != text {
                self.complain(DEAF, format!("{state}: {what}: {outputs:?}"));
            }
        }
    }

    pub fn tested(&mut self, property: &'static str) {
        *self.reached.tested.entry(property).or_default() += 1;
    }

    pub fn complain(&mut self, property: &'static str, detail: String) {
        if self.complaint.is_none() {
            self.complaint = Some((property, detail));
        }
    }

    pub fn event(&mut self, event: Event) -> u16 {
        let text = serde_json::to_string(&event).expect("an event is JSON");
        if let Some(known) = self.event_by_text.get(&text) {
            return *known;
        }
        let id = u16::try_from(self.events.len()).expect("not so many");
        self.events.push(event);
        self.event_by_text.insert(text, id);
        id
    }

    pub fn event_of(&self, id: u16) -> &Event {
        &self.events[usize::from(id)]
    }

    fn order(&mut self, mutation: Mutation, variables: Value) -> u8 {
        let known = self.orders.iter().position(|o| o.mutation == mutation && o.variables == variables);
        let at = known.unwrap_or_else(|| {
            let note = variables["note"].as_str().expect("a note");
            let opening = (0..2).find(|which| note.contains(opening_id(*which).as_str())).expect("a reference of ours");
            let into = variables["sessionId"].as_str().map(shop::session_of);
            let device = match variables["deviceId"].as_str() {
                Some(device) => shop::device_of(device),
                None => into.expect("a session").0,
            };
            self.orders.push(Order { mutation, variables, opening, device, into });
            self.orders.len() - 1
        });
        shop::index(at)
    }

    // --- what machines do

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// The state's name.
    pub fn state(&self, machine: u32) -> &str {
        if machine == DONE { "Settled" } else { &self.kept[machine as usize].state }
    }

    /// One input. The same machine does the same at the same input, so it is asked once.
    pub fn hear(&mut self, machine: u32, cue: Cue) -> (u32, Wants) {
        if let Some(known) = self.does.get(&(machine, cue)) {
            return *known;
        }
        let kept = &self.kept[machine as usize];
        let (which, k, before) = (kept.which, kept.now, kept.state.clone());
        let (now, mut opening) = (self.at(k), kept.opening.clone());
        let outputs = match cue {
            Cue::ClockWrong => {
                opening.clock_is(WallClock::Wrong);
                vec![]
            }
            _ => opening.handle(now, self.input(cue, now)),
        };
        let wants = self.wants(which, now, outputs);
        let stored = if let Wants::Store(event) = wants { Some(event) } else { None };
        let then = match cue {
            Cue::ClockWrong => self.keep_as(which, opening, k, before.clone()),
            _ => self.keep(which, opening, k, stored),
        };
        if !matches!(cue, Cue::ClockWrong | Cue::Ahead(_) | Cue::AheadMissing) {
            let edge = (before, self.state(then).to_owned());
            *self.reached.edges.entry(edge).or_default() += 1;
        }
        self.does.insert((machine, cue), (then, wants));
        (then, wants)
    }

    fn wants(&mut self, which: u8, now: Instant, outputs: Vec<Output>) -> Wants {
        let mut outputs = outputs.into_iter();
        let wants = match outputs.next() {
            None => Wants::Nothing,
            Some(Output::Store(event)) => Wants::Store(self.event(event)),
            Some(Output::Send { mutation, variables }) => Wants::Send(self.order(mutation, variables)),
            Some(Output::ReadSessions { device }) => {
                self.tested(OWN_DEVICE);
                if shop::device_of(&device) != self.setup.device(which) {
                    self.complain(OWN_DEVICE, device);
                }
                Wants::Sessions
            }
            Some(Output::ReadActivities { session }) => {
                let (device, at) = shop::session_of(&session);
                Wants::Ledger(device, at)
            }
            Some(Output::ReadOpener { .. }) => Wants::Opener,
            Some(Output::WakeAt(at)) => {
                assert!(at <= now, "all waits are nothing");
                Wants::Wake
            }
        };
        assert!(outputs.next().is_none(), "a machine wants one thing at a time");
        wants
    }

    fn input(&self, cue: Cue, now: Instant) -> Input {
        let list =
            |seen: Seen| seen.list(&self.orders, self.setup.shared.is_some(), !self.setup.older_sessions, self.date());
        let facts = |device, at, session: &Session| shop::facts(device, at, session, &self.orders);
        match cue {
            Cue::Go => Input::Go,
            Cue::Tick | Cue::ClockWrong => Input::Tick,
            Cue::Ahead(seen) => Input::Ahead { list: list(seen), taken: now },
            Cue::Stored => Input::Stored,
            Cue::StoreFailed => Input::StoreFailed,
            Cue::Read(seen) => Input::Read(Read::Healthy(list(seen))),
            Cue::AheadMissing => Input::Ahead { list: missing(), taken: now },
            Cue::DeviceMissing => Input::Read(Read::Healthy(missing())),
            Cue::ReadFailed => Input::Read(failed_read()),
            Cue::Ledger(session) => {
                Input::Activities(ActivityRead::Healthy(shop::ledger(&session, &self.orders, self.date())))
            }
            Cue::LedgerFailed => Input::Activities(failed_ledger()),
            Cue::Opener(true) => Input::Opener(Ok("Kim".to_owned())),
            Cue::Opener(false) => Input::Opener(Err("hidden".to_owned())),
            Cue::Resolve(choice, session) => Input::Resolve(Resolution {
                by: "Kim".to_owned(),
                why: "I looked".to_owned(),
                decision: match choice {
                    Choice::Link => Decision::Link,
                    Choice::RecordCount => Decision::RecordCount,
                    Choice::GiveUp => Decision::GiveUp,
                },
                session: session.map(|(device, at, session)| facts(device, at, &session)),
            }),
            Cue::Answered(said) => Input::Outcome(match said {
                Said::Ran(shop::Ran::Opened(device, at, session) | shop::Ran::Counted(device, at, session)) => {
                    Outcome::Executed(facts(device, at, &session))
                }
                Said::Ran(shop::Ran::AlreadyOpen) => refused("ALREADY_OPEN"),
                Said::Ran(shop::Ran::SessionClosed) => refused("SESSION_CLOSED"),
                Said::Refused => refused("STAFF_MEMBER_NOT_FOUND"),
                Said::Mangled(device, at, session) => {
                    let counted = Money { amount: "1.0".to_owned(), currency: "USD".to_owned() };
                    let id = "gid://shopify/PointOfSaleDevicePaymentSession/99".to_owned();
                    Outcome::Executed(drawerbridge::shift::event::SessionFacts {
                        id,
                        counted,
                        ..facts(device, at, &session)
                    })
                }
                Said::NotExecuted => Outcome::NotExecuted { why: "not reachable".to_owned(), wait: Wait::Usual },
                Said::Unknown => Outcome::Unknown { why: "lost".to_owned() },
            }),
        }
    }

    /// Whether a person may decide this now.
    pub fn may_resolve(&self, machine: u32, choice: Choice, session: Option<(u8, u8, Session)>) -> bool {
        let Input::Resolve(resolution) = self.input(Cue::Resolve(choice, session), self.base) else { return false };
        self.kept[machine as usize].opening.may_resolve(&resolution).is_ok()
    }

    /// The same machine, a quiet period later.
    pub fn older(&mut self, machine: u32) -> u32 {
        if machine == DONE {
            return DONE;
        }
        if let Some(known) = self.aged.get(&machine) {
            return *known;
        }
        let kept = &self.kept[machine as usize];
        let (which, opening, now, state) = (kept.which, kept.opening.clone(), kept.now + 1, kept.state.clone());
        // Its state stays as it is, and so does its name.
        let then = self.keep_as(which, opening, now, state);
        self.aged.insert(machine, then);
        then
    }

    /// What the real watch says of these sessions after a confirmation.
    pub fn alarm(&self, which: u8, seen: &Seen) -> Option<Event> {
        let device = shop::device_gid(seen.device);
        let mut watch = EchoWatch::new([QUIET, QUIET]);
        watch.confirmed(self.base, &opening_id(which), &device);
        let list = seen.list(&self.orders, false, true, None);
        watch.seen(&device, &list).map(|(_, event)| event)
    }

    // --- journals

    fn journal(&mut self, events: Vec<u16>) -> u32 {
        if let Some(known) = self.journal_by_events.get(&events) {
            return *known;
        }
        let id = u32::try_from(self.journals.len()).expect("not so many");
        let fault = self.read(&events).err();
        self.journals.push(Journal { events: events.clone(), fault });
        self.journal_by_events.insert(events, id);
        id
    }

    /// The journal with one more event.
    pub fn append(&mut self, journal: u32, event: u16) -> u32 {
        let mut events = self.journals[journal as usize].events.clone();
        events.push(event);
        let then = self.journal(events);
        if let Some((property, detail)) = self.journals[then as usize].fault.clone() {
            self.complain(property, detail);
        }
        then
    }

    /// The journal of a settled opening, as far as it can still matter: the count, and its end.
    pub fn shorten(&mut self, journal: u32) -> u32 {
        let events = &self.journals[journal as usize].events;
        let short = vec![events[0], *events.last().expect("it was counted")];
        self.journal(short)
    }

    pub fn last(&self, journal: u32) -> &Event {
        let last = self.journals[journal as usize].events.last().expect("it was counted");
        self.event_of(*last)
    }

    /// Names of the events, for people.
    pub fn names(&self, journal: u32) -> String {
        let names: Vec<_> = self.journals[journal as usize].events.iter().map(|e| self.event_of(*e).name()).collect();
        names.join(", ")
    }

    /// A start of the daemon on this journal.
    pub fn resume(&mut self, which: u8, journal: u32) -> u32 {
        if let Some(known) = self.resumed.get(&(which, journal)) {
            return *known;
        }
        let events: Vec<Event> = self.journals[journal as usize].events.iter().map(|e| self.event_of(*e).clone()).collect();
        let resumed = Opening::resume(opening_id(which), &events, Self::waits(), &self.rules(), self.base);
        let machine = match resumed {
            None => DONE,
            Some(mut opening) => {
                self.compare_clocks(&mut opening);
                self.keep(which, opening, 0, None)
            }
        };
        let edge = ("(restart)".to_owned(), self.state(machine).to_owned());
        *self.reached.edges.entry(edge).or_default() += 1;
        self.resumed.insert((which, journal), machine);
        machine
    }

    /// What the events of one journal must keep to, whatever happened around them.
    fn read(&mut self, events: &[u16]) -> Result<(), (&'static str, String)> {
        let events: Vec<Event> = events.iter().map(|e| self.event_of(*e).clone()).collect();
        // The attempt that nobody knows of, if any; and the content that stays for ever.
        let mut doubt = false;
        let mut same: Option<(&Value, &Option<_>)> = None;
        let mut may_have_run: BTreeSet<u8> = BTreeSet::new();
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::OpeningSending { attempt, variables, into, .. } => {
                    if events.get(at + 1).is_none() && at > 1 {
                        for property in [RESEND, SAME, THREE] {
                            *self.reached.tested.entry(property).or_default() += 1;
                        }
                    }
                    let another = same.as_ref().is_some_and(|(_, before)| before.is_some() != into.is_some());
                    if doubt && !another {
                        return Err((RESEND, format!("attempt {attempt} is meant to be sent after one that is in doubt")));
                    }
                    if !(1..=MAX_ATTEMPTS).contains(attempt) {
                        return Err((THREE, format!("attempt {attempt}")));
                    }
                    if same.as_ref().is_some_and(|(before, _)| !another && *before != variables) {
                        return Err((SAME, format!("attempt {attempt}: {variables}")));
                    }
                    if another {
                        same = None;
                        may_have_run.clear();
                    }
                    doubt = true;
                    let certain = match events.get(at + 1) {
                        Some(Event::OpeningNotSent { .. } | Event::OpeningUnknown { already_open: true, .. }) => true,
                        Some(_) => false,
                        None => continue,
                    };
                    if !certain {
                        same = same.or(Some((variables, into)));
                        if !may_have_run.insert(*attempt) {
                            return Err((THREE, format!("attempt {attempt} twice")));
                        }
                    }
                }
                Event::OpeningNotSent { .. } | Event::OpeningUnknown { already_open: true, .. } => doubt = false,
                Event::OpeningAbsent { .. } => doubt = false,
                Event::OpeningUnknown { already_open: false, .. } => {
                    if !doubt {
                        return Err((INTENT, "an unknown outcome of nothing".to_owned()));
                    }
                }
                Event::OpeningResolved { .. } => {
                    (doubt, same) = (false, None);
                    may_have_run.clear();
                }
                #[expect(clippy::wildcard_enum_match_arm, reason = "the others say nothing of attempts")]
                _ => {}
            }
        }
        Ok(())
    }

    /// The last word of a journal is the intent with exactly this content.
    pub fn is_intended(&self, journal: u32, order: u8) -> bool {
        let order = &self.orders[usize::from(order)];
        match self.last(journal) {
            Event::OpeningSending { variables, into, .. } => {
                *variables == order.variables && into.as_ref().map(|s| shop::session_of(&s.id)) == order.into
            }
            #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is an intent")]
            _ => false,
        }
    }

    /// Whether a session, a line or a request is marked as this opening's.
    pub fn is_of(&self, which: u8, mark: u8) -> bool {
        self.orders.get(usize::from(mark)).is_some_and(|order| order.opening == which)
    }

    /// Sessions of these with this opening's reference.
    pub fn with_reference(&self, which: u8, sessions: &Sessions) -> usize {
        sessions.iter().filter(|s| self.is_of(which, s.by)).count()
    }
}

pub const INTENT: &str = "nothing is sent without the same content on disk before";
pub const DEAF: &str = "an input that nobody waits for changes nothing";
pub const OWN_DEVICE: &str = "a count is looked for on its own device";
pub const RESEND: &str = "an attempt in doubt is sent again only after a durable opening.absent";
pub const SAME: &str = "all attempts from the first that may have run carry the same content";
pub const THREE: &str = "three attempts at most";

/// Shopify knows no such device.
fn missing() -> SessionList {
    SessionList { device: Device::Missing, ..SessionList::of(vec![], true) }
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused { code: code.to_owned(), message: "no".to_owned() }
}

fn failed_read() -> Read {
    Read::Failed { why: "502".to_owned(), retry_after: None }
}

fn failed_ledger() -> ActivityRead {
    ActivityRead::Failed { why: "502".to_owned(), retry_after: None }
}

/// The seconds of an `Instant { tv_sec: …, tv_nsec: … }` at the start of a text, and how long that text is.
fn seconds(text: &str) -> Option<(i128, usize)> {
    let end = text.find('}')? + 1;
    let (_, tail) = text[..end].split_once("tv_sec: ")?;
    Some((tail.split_once(',')?.0.parse().ok()?, end))
}

//! Stories of one opening, as inputs one after the other: every state of the submission machine is a prefix of one of them.
#![allow(dead_code, reason = "each proof uses what it needs")]
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use drawerbridge::{
    clock,
    opening::{
        Activities, ActivityRead, BusinessDay, CountLineAt, Input, OnForeign, Opening, Outcome, Output, Read, Resolution,
        Rules, SessionList, SharedDrawer, Wait, Waits, WallClock,
    },
    shift::event::{Counted, Decision, Event, Money, OpeningId, SessionFacts},
};
use jiff::Timestamp;
use serde_json::Value;

pub const WAITS: Waits = Waits {
    quiet_period: Duration::from_secs(120),
    read_every: Duration::from_secs(5),
    retry_first: Duration::from_secs(2),
    retry_max: Duration::from_secs(60),
};
/// Shopify's clock while the stories are told: half a minute after the count.
pub const DATE: &str = "2026-11-23T07:00:30Z";
const COUNTED_AT: &str = "2026-11-23T07:00:00Z";
/// Longer than any wait of the machine: every deadline has passed after it.
const LATER: Duration = Duration::from_secs(130);

pub fn id() -> OpeningId {
    OpeningId::from_bits(7)
}

pub fn rules(on_foreign_session: OnForeign) -> Rules {
    Rules {
        shared_drawer: SharedDrawer::Warn,
        on_foreign_session,
        max_age: Duration::from_secs(4 * 3600),
        business_day: BusinessDay { zone: jiff::tz::TimeZone::UTC, starts: jiff::civil::time(4, 0, 0, 0) },
    }
}

fn usd(amount: &str) -> Money {
    Money { amount: amount.into(), currency: "USD".into() }
}

pub fn counted() -> Counted {
    Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: None,
        balance: usd("150.00"),
        lines: vec![],
        time: COUNTED_AT.into(),
        note: String::new(),
    }
}

pub fn stranger(status: &str) -> SessionFacts {
    SessionFacts {
        id: "gid://shopify/PointOfSaleDevicePaymentSession/900".into(),
        status: status.into(),
        opening_time: "2026-11-23T06:00:00Z".into(),
        opening_note: None,
        counted: usd("90.0"),
        expected: None,
    }
}

/// What has been sent so far, and which clocks Shopify's answers are compared with.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub variables: Option<Value>,
    /// This PC's clock less Shopify's.
    pub skew_s: i64,
}

impl Sent {
    fn time(&self) -> Timestamp {
        let sent = self.variables.as_ref().and_then(|v| v["time"].as_str()).and_then(|t| t.parse().ok());
        sent.unwrap_or_else(|| DATE.parse().unwrap())
    }

    /// Our session, as Shopify has it: with the time that was sent, or its own.
    pub fn ours(&self) -> SessionFacts {
        SessionFacts {
            id: "gid://shopify/PointOfSaleDevicePaymentSession/1001".into(),
            status: "OPEN".into(),
            opening_time: self.time().to_string(),
            opening_note: Some(format!("[db:{}]", id())),
            counted: usd("150.0"),
            expected: None,
        }
    }

    pub fn list(&self, sessions: Vec<SessionFacts>) -> SessionList {
        let list = SessionList::of(sessions, true);
        SessionList { date: Some(DATE.parse().unwrap()), skew_s: Some(self.skew_s), ..list }
    }

    pub fn sees(&self, sessions: Vec<SessionFacts>) -> Input {
        Input::Read(Read::Healthy(self.list(sessions)))
    }

    fn ledger(&self, open: bool, found: bool) -> Input {
        let line = CountLineAt { time: self.time(), counted: usd("150.0") };
        let oldest = Some("2026-11-23T06:00:00Z".parse().unwrap());
        let counts = if found { vec![line] } else { vec![] };
        let date = Some(DATE.parse().unwrap());
        Input::Activities(ActivityRead::Healthy(Activities { counts, oldest, complete: true, open, date }))
    }
}

type Make = Arc<dyn Fn(&Sent) -> Input + Send + Sync>;

/// One input, this long after the one before.
#[derive(Clone)]
pub struct Step {
    pub after: Duration,
    pub make: Make,
}

fn now(make: impl Fn(&Sent) -> Input + Send + Sync + 'static) -> Step {
    Step { after: Duration::ZERO, make: Arc::new(make) }
}

fn go() -> Step {
    now(|_| Input::Go)
}
fn stored() -> Step {
    now(|_| Input::Stored)
}
fn tick() -> Step {
    Step { after: LATER, make: Arc::new(|_| Input::Tick) }
}
fn early_tick() -> Step {
    now(|_| Input::Tick)
}
fn none() -> Step {
    now(|sent| sent.sees(vec![]))
}
fn strange() -> Step {
    now(|sent| sent.sees(vec![stranger("OPEN")]))
}
fn found() -> Step {
    now(|sent| sent.sees(vec![sent.ours()]))
}
fn unread() -> Step {
    now(|_| Input::Read(Read::Failed { why: "502".into(), retry_after: None }))
}
fn outcome(outcome: Outcome) -> Step {
    now(move |_| Input::Outcome(outcome.clone()))
}
fn lost() -> Step {
    outcome(Outcome::Unknown { why: "the answer was lost".into() })
}
fn refused(code: &str) -> Step {
    outcome(Outcome::Refused { code: code.into(), message: "no".into() })
}
fn not_executed(wait: Wait) -> Step {
    outcome(Outcome::NotExecuted { why: "not reachable".into(), wait })
}
fn executed() -> Step {
    now(|sent| Input::Outcome(Outcome::Executed(sent.ours())))
}
fn counted_into() -> Step {
    outcome(Outcome::Executed(stranger("OPEN")))
}
fn opener() -> Step {
    now(|_| Input::Opener(Ok("Kim (StaffMember/2)".into())))
}
fn empty_ledger() -> Step {
    now(|sent| sent.ledger(true, false))
}
fn found_in_ledger() -> Step {
    now(|sent| sent.ledger(true, true))
}
fn closed_ledger() -> Step {
    now(|sent| sent.ledger(false, false))
}
fn unread_ledger() -> Step {
    now(|_| Input::Activities(ActivityRead::Failed { why: "502".into(), retry_after: None }))
}

/// What a person wants.
pub fn resolution(decision: Decision) -> Resolution {
    let session = match decision {
        Decision::GiveUp => None,
        Decision::Link | Decision::RecordCount => Some(stranger("OPEN")),
    };
    Resolution { by: "Kim".into(), why: "it is one drawer".into(), decision, session }
}
fn resolve(decision: Decision) -> Step {
    now(move |_| Input::Resolve(resolution(decision)))
}

/// A story and the shop's rule in it.
#[derive(Clone)]
pub struct Story {
    pub name: &'static str,
    pub rule: OnForeign,
    pub steps: Vec<Step>,
}

/// Sent, and its answer is awaited.
fn sent() -> Vec<Step> {
    vec![go(), none(), stored()]
}
/// Unknown, and three reads after the quiet period: absent.
fn absent() -> Vec<Step> {
    let mut steps = vec![lost(), stored(), early_tick(), none()];
    (0..3).for_each(|_| steps.extend([tick(), none()]));
    steps.extend([stored(), tick()]);
    steps
}
/// The same, after the last attempt: a person is asked.
fn used_up() -> Vec<Step> {
    let mut steps = absent();
    steps.truncate(steps.len() - 1);
    steps
}
fn absent_from_ledger() -> Vec<Step> {
    let mut steps = vec![lost(), stored(), early_tick(), empty_ledger()];
    (0..3).for_each(|_| steps.extend([tick(), empty_ledger()]));
    steps.extend([stored(), tick()]);
    steps
}

/// Every story.
pub fn stories() -> Vec<Story> {
    let story = |name, rule, parts: Vec<Vec<Step>>| Story { name, rule, steps: parts.concat() };
    let (ask, record) = (OnForeign::Ask, OnForeign::RecordCount);
    let fence = || [sent(), vec![refused("ALREADY_OPEN"), stored()]].concat();
    let asked = || [fence(), vec![unread(), tick(), strange(), opener(), stored()]].concat();
    let counting = || vec![empty_ledger(), stored()];
    let ahead = now(|sent| Input::Ahead { list: sent.list(vec![]), taken: clock::now() });
    vec![
        story("answered", ask, vec![sent(), vec![executed(), stored()]]),
        story("read ahead, then answered", ask, vec![vec![ahead, go(), stored(), executed(), stored()]]),
        story(
            "the disk refuses the intent",
            ask,
            vec![vec![
                go(),
                none(),
                now(|_| Input::StoreFailed),
                early_tick(),
                tick(),
                stored(),
                executed(),
                now(|_| Input::StoreFailed),
                tick(),
                stored(),
            ]],
        ),
        story(
            "not reachable, then answered",
            ask,
            vec![
                vec![go(), unread(), stored(), tick(), unread(), tick(), none(), stored()],
                vec![
                    not_executed(Wait::Usual),
                    stored(),
                    tick(),
                    none(),
                    stored(),
                    not_executed(Wait::Longest),
                    stored(),
                    tick(),
                    none(),
                    stored(),
                    executed(),
                    stored(),
                ],
            ],
        ),
        story("lost and found", ask, vec![sent(), vec![lost(), stored(), tick(), unread(), tick(), found(), stored()]]),
        story("lost, absent, sent again", ask, vec![sent(), absent(), vec![none(), stored(), executed(), stored()]]),
        story(
            "lost three times",
            ask,
            vec![sent(), absent(), vec![none(), stored()], absent(), vec![none(), stored()], used_up()],
        ),
        story("refused", ask, vec![sent(), vec![refused("NOT_SAVED"), stored()]]),
        story("open already, by ourselves", ask, vec![fence(), vec![unread(), tick(), found(), stored()]]),
        story("open already, and not shown", ask, vec![fence(), vec![none(), tick(), none(), tick(), none(), stored()]]),
        story("open already, a person gives up", ask, vec![asked(), vec![resolve(Decision::GiveUp), stored()]]),
        story("open already, a person links", ask, vec![asked(), vec![resolve(Decision::Link), stored()]]),
        story(
            "open already, a person has it recorded",
            ask,
            vec![
                asked(),
                vec![resolve(Decision::RecordCount), stored(), tick()],
                counting(),
                vec![counted_into(), stored()],
            ],
        ),
        story("given up while nobody knows", ask, vec![sent(), vec![lost(), stored(), resolve(Decision::GiveUp), stored()]]),
        story(
            "a stranger is seen before, and it is recorded",
            record,
            vec![
                vec![go(), strange(), tick(), strange(), opener(), stored(), tick(), unread_ledger(), stored(), tick()],
                counting(),
                vec![counted_into(), stored()],
            ],
        ),
        story(
            "a count is lost and found",
            record,
            vec![
                fence(),
                vec![strange(), opener(), stored(), tick()],
                counting(),
                vec![lost(), stored(), tick(), unread_ledger(), tick(), found_in_ledger(), stored()],
            ],
        ),
        story(
            "a count is lost, absent, sent again",
            record,
            vec![
                fence(),
                vec![strange(), opener(), stored(), tick()],
                counting(),
                absent_from_ledger(),
                counting(),
                vec![not_executed(Wait::Usual), stored(), tick()],
                counting(),
                vec![counted_into(), stored()],
            ],
        ),
        story(
            "a count is refused",
            record,
            vec![
                fence(),
                vec![strange(), opener(), stored(), tick()],
                counting(),
                vec![refused("FAILED_TO_RECORD_COUNT"), stored()],
            ],
        ),
        story(
            "closed before it was counted",
            record,
            vec![fence(), vec![strange(), opener(), stored(), tick(), closed_ledger(), stored()]],
        ),
    ]
}

/// A machine on its way through a story.
#[derive(Clone)]
pub struct Walk {
    pub machine: Opening,
    pub now: Instant,
    pub sent: Sent,
    /// What this PC's clock is called.
    pub clock: WallClock,
    /// On disk.
    pub history: Vec<Event>,
    storing: Option<Event>,
}

impl Walk {
    pub fn begin(story: &Story, start: Instant) -> Self {
        let machine = Opening::new(id(), counted(), WAITS, rules(story.rule), start);
        let history = vec![Event::OpeningCounted(counted())];
        Self { machine, now: start, sent: Sent::default(), clock: WallClock::Trusted, history, storing: None }
    }

    /// The wall clock jumps by so much against Shopify's; answers are compared with it from now on.
    pub fn jump(&mut self, seconds: i64) {
        self.sent.skew_s = seconds;
        // As `shopify::headers` compares the two.
        self.clock = if seconds.abs() > 120 { WallClock::Wrong } else { WallClock::Trusted };
    }

    /// Goes on by one step; what came out.
    pub fn step(&mut self, step: &Step) -> Vec<Output> {
        self.now += step.after;
        let input = (step.make)(&self.sent);
        self.feed(input)
    }

    /// One input, now.
    pub fn feed(&mut self, input: Input) -> Vec<Output> {
        if matches!(input, Input::Stored) {
            self.history.extend(self.storing.take());
        }
        self.machine.clock_is(self.clock);
        let outputs = self.machine.handle(self.now, input);
        for output in &outputs {
            match output {
                Output::Store(event) => self.storing = Some(event.clone()),
                Output::Send { variables, .. } => self.sent.variables = Some(variables.clone()),
                Output::ReadSessions { .. }
                | Output::ReadActivities { .. }
                | Output::ReadOpener { .. }
                | Output::WakeAt(_) => {}
            }
        }
        outputs
    }

    /// The daemon dies here, and is started again; `None` when the opening is settled on disk.
    pub fn restarted(&self, rule: OnForeign) -> Option<Self> {
        let machine = Opening::resume(id(), &self.history, WAITS, &rules(rule), self.now)?;
        Some(Self { machine, storing: None, ..self.clone() })
    }

    /// What follows by itself when everything from now on goes well, and nothing that was sent has run.
    pub fn goes_on(&mut self) -> Vec<Output> {
        let mut all = self.feed(Input::Go);
        let mut todo = all.clone();
        for _ in 0..200 {
            let Some(output) = todo.pop() else { return all };
            let input = match output {
                Output::Store(_) => Input::Stored,
                Output::Send { .. }
                    if self.history.iter().any(|e| matches!(e, Event::OpeningSending { into: Some(_), .. })) =>
                {
                    Input::Outcome(Outcome::Executed(stranger("OPEN")))
                }
                Output::Send { .. } => Input::Outcome(Outcome::Executed(self.sent.ours())),
                Output::ReadSessions { .. } => self.sent.sees(vec![]),
                Output::ReadActivities { .. } => self.sent.ledger(true, false),
                Output::ReadOpener { .. } => Input::Opener(Err("nobody says".into())),
                Output::WakeAt(at) => {
                    self.now = self.now.max(at);
                    Input::Tick
                }
            };
            let out = self.feed(input);
            all.extend(out.clone());
            todo.extend(out);
        }
        panic!("it does not come to an end")
    }
}

/// Every state that a story leads to: the walk, the story, and how many steps were taken.
pub fn states() -> Vec<(Walk, Story, usize)> {
    let start = clock::now();
    let mut all = Vec::new();
    for story in stories() {
        let mut walk = Walk::begin(&story, start);
        all.push((walk.clone(), story.clone(), 0));
        for (n, step) in story.steps.iter().enumerate() {
            let before = format!("{:?}", walk.machine);
            let said = walk.step(step);
            let heard = !said.is_empty() || format!("{:?}", walk.machine) != before;
            assert!(heard, "story “{}”: input {n} comes where nobody waits for it", story.name);
            all.push((walk.clone(), story.clone(), n + 1));
        }
        assert!(walk.machine.is_settled(), "story “{}” has no end", story.name);
    }
    all
}

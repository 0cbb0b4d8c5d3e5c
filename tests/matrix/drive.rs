//! One opening: the real machine, driven as the daemon's till drives it, with the real client over real loopback sockets
//! and the real journal.
use std::{
    collections::VecDeque,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use drawerbridge::{
    clock,
    config::{Shop, TokenSource},
    journal::{Journal, Row},
    money::Currency,
    opening::{
        Activities, ActivityRead, BusinessDay, Input, Mutation, OnForeign, Opening, Outcome, Output, Read, Resolution,
        Rules, SharedDrawer, Waits, echo::EchoWatch,
    },
    shift::event::{Counted, Decision, Event, Money, OpeningId},
    shopify::Shopify,
};
use drawerbridge_hil::admin::{AdminApi, AdminSpec, Fault, FaultRule, Operation};

use super::{
    cells::{At, Cell, End, TIMEOUT, Trouble},
    plan::{Meddling, Plan, money},
};

/// After an unknown outcome. What is carried out late comes within it.
const QUIET: Duration = Duration::from_millis(100);
const WAITS: Waits = Waits {
    quiet_period: QUIET,
    read_every: Duration::from_millis(5),
    retry_first: Duration::from_millis(5),
    retry_max: Duration::from_millis(20),
};
/// Faults are over by then, waits that Shopify asked for included: it must have been settled, or a person asked.
const BOUND: Duration = Duration::from_secs(60);
const TILL: &str = "front-1";
const TOKEN: &str = "shpat_rig";
const CLIENT: (&str, &str) = ("rig-client", "rig-secret");

/// A place to run openings at, one after the other: a shop, a journal, and the files with the secrets.
pub struct Desk {
    pub api: AdminApi,
    pub folder: tempfile::TempDir,
    /// In a lock only because a task may move between threads.
    journal: Mutex<Option<Journal>>,
    runs: u64,
}

impl Desk {
    pub async fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let mut builder = tempfile::Builder::new();
        builder.prefix("drawerbridge-matrix-");
        let folder = if memory.is_dir() { builder.tempdir_in(memory)? } else { builder.tempdir()? };
        for (name, secret) in [("token", TOKEN), ("secret", CLIENT.1)] {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.path().join(name))?;
            file.write_all(secret.as_bytes())?;
        }
        Ok(Self { api: AdminApi::spawn(AdminSpec::default()).await?, folder, journal: Mutex::new(None), runs: 0 })
    }

    pub fn journal_file(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    fn journal(&mut self) -> &mut Journal {
        let file = self.journal_file();
        self.journal
            .get_mut()
            .expect("nobody else holds it")
            .get_or_insert_with(|| Journal::open(&file).expect("a journal in memory can be opened"))
    }
}

/// One run, and what it left.
pub struct Run<'a> {
    pub desk: &'a mut Desk,
    pub cell: &'a Cell,
    pub plan: Plan,
    pub id: OpeningId,
    pub device: u64,
    pub counted: Counted,
    /// What is durable, and since when.
    pub durable: Vec<(Instant, Event)>,
    /// The request under test is made, and the fault in it.
    struck: bool,
    /// It has struck for sure: the daemon did not die before that request came to its end.
    pub hit: bool,
    /// All that went wrong so far.
    pub troubles: Vec<Trouble>,
    /// Answers that came too late although nothing kept them: this machine is busy.
    pub slow: u32,
    /// Somebody else had the register.
    pub strangers: bool,
    /// Somebody closed what was open.
    pub closed: bool,
    pub trace: Option<Vec<String>>,
    shopify: Arc<Shopify>,
    /// `None`: it is settled on disk, and a restart has nothing to do.
    machine: Option<Opening>,
    queue: VecDeque<Output>,
    wake: Option<Instant>,
    /// Since when nobody knows.
    unknown_since: Option<Instant>,
    first_read: bool,
    second: Option<Trouble>,
    crash_at: Option<u32>,
    step: u32,
    start: Instant,
    /// Of the journal.
    first_row: i64,
}

/// A place where the daemon may die.
enum Lives {
    On,
    Dead,
}

impl<'a> Run<'a> {
    pub fn new(desk: &'a mut Desk, cell: &'a Cell, seed: u64, traced: bool) -> Self {
        let plan = Plan::of(cell, seed);
        desk.runs += 1;
        let device = desk.runs;
        let first_row = desk.journal().next_seq();
        let scopes = AdminSpec::default().scopes.into_iter().filter(|scope| !plan.lacks.contains(&scope.as_str()));
        let spec = AdminSpec {
            device_ids: vec![device],
            clock_skew_s: plan.skew_s,
            scopes: scopes.collect(),
            shop_token: (!plan.credentials).then(|| TOKEN.to_owned()),
            client: plan.credentials.then(|| (CLIENT.0.to_owned(), CLIENT.1.to_owned())),
            ..AdminSpec::default()
        };
        desk.api.start_over(spec).expect("the default spec can be read");
        let mut dice = plan.dice.clone();
        let id = OpeningId::from_bits(dice.next());
        let start = clock::now();
        let counted = Counted {
            staff_name: "Robin".into(),
            staff_member_id: "gid://shopify/StaffMember/1".into(),
            point_of_sale_device_id: format!("gid://shopify/PointOfSaleDevice/{device}"),
            reason_code_id: None,
            balance: Money { amount: money(plan.cents), currency: "USD".into() },
            lines: vec![],
            time: clock::wall().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            note: if plan.plain || dice.one_in(2) { String::new() } else { "from the safe".into() },
        };
        let machine = Some(Opening::new(id.clone(), counted.clone(), WAITS, rules(&plan), start));
        let shopify = client(desk, &plan);
        Self {
            second: plan.second.clone(),
            crash_at: plan.crash_at,
            desk,
            cell,
            plan,
            id,
            device,
            counted,
            durable: vec![],
            struck: false,
            hit: false,
            troubles: vec![],
            slow: 0,
            strangers: false,
            closed: false,
            trace: traced.then(Vec::new),
            shopify,
            machine,
            queue: VecDeque::new(),
            wake: None,
            unknown_since: None,
            first_read: false,
            step: 0,
            start,
            first_row,
        }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let since = clock::now().duration_since(self.start).as_millis();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{since:>6} ms  {}", what()));
        }
    }

    /// From the count to its end.
    pub async fn play(&mut self) -> Result<End, String> {
        if self.plan.has_past {
            let past = self.desk.api.open_elsewhere(self.device, "80.00", "yesterday");
            self.desk.api.close_session(&past);
        }
        if self.cell.at.needs_a_stranger() && self.plan.stranger_first {
            self.stranger_opens();
        }
        self.append(Event::OpeningCounted(self.counted.clone()));
        self.input(Input::Go);
        loop {
            self.until_settled().await?;
            let Some(decision) = self.decision().await else { break };
            self.input(Input::Resolve(decision));
        }
        self.end()
    }

    async fn until_settled(&mut self) -> Result<(), String> {
        while self.machine.as_ref().is_some_and(|machine| !machine.is_settled()) || !self.queue.is_empty() {
            if clock::now().duration_since(self.start) > BOUND {
                return Err(format!("neither settled nor asked after {} s", BOUND.as_secs()));
            }
            self.meddle();
            match self.queue.pop_front() {
                Some(output) => self.carry_out(output).await,
                None => match self.wake.take() {
                    Some(at) => {
                        tokio::time::sleep_until(at.into()).await;
                        if matches!(self.lives(), Lives::On) {
                            self.input(Input::Tick);
                        }
                    }
                    None => return Err("the machine waits for nothing".to_owned()),
                },
            }
        }
        Ok(())
    }

    fn input(&mut self, input: Input) {
        self.say(|| format!("      → {}", short(&format!("{input:?}"))));
        let Some(machine) = &mut self.machine else { return };
        machine.clock_is(self.shopify.wall_clock());
        self.queue.extend(machine.handle(clock::now(), input));
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::Store(event) => {
                if matches!(self.lives(), Lives::Dead) {
                    return;
                }
                self.append(event);
                if matches!(self.lives(), Lives::On) {
                    self.input(Input::Stored);
                }
            }
            Output::Send { mutation, variables } => {
                let at = self.attempt_at(mutation);
                let shopify = Arc::clone(&self.shopify);
                let sent = async move { shopify.send(mutation, &variables).await };
                if let Some(outcome) = self.request(at, sent).await {
                    let late = matches!(&outcome, Outcome::Unknown { why } if why.contains("in time"));
                    self.note_slow(late);
                    if matches!(outcome, Outcome::Unknown { .. }) {
                        (self.unknown_since, self.first_read) = (Some(clock::now()), true);
                    }
                    self.input(Input::Outcome(outcome));
                }
            }
            Output::ReadSessions { device } => {
                let at = self.read_at();
                let shopify = Arc::clone(&self.shopify);
                if let Some(read) = self.request(at, async move { shopify.sessions_of_device(&device).await }).await {
                    let late =
                        at == Some(At::Unknown) && self.unknown_since.is_some_and(|since| clock::now() >= since + QUIET);
                    self.note_slow(late || matches!(&read, Read::Failed { why, .. } if why.contains("in time")));
                    self.input(Input::Read(read));
                }
            }
            Output::ReadActivities { session } => {
                let at = self.ledger_at();
                let shopify = Arc::clone(&self.shopify);
                if let Some(read) = self.request(at, async move { shopify.activities(&session).await }).await {
                    self.note_slow(matches!(&read, ActivityRead::Failed { why, .. } if why.contains("in time")));
                    self.input(Input::Activities(read));
                }
            }
            Output::ReadOpener { session } => {
                let shopify = Arc::clone(&self.shopify);
                let who = async move { shopify.opener(&session).await };
                if let Some(who) = self.request(Some(At::Opener), who).await {
                    self.input(Input::Opener(who));
                }
            }
            Output::WakeAt(at) => self.wake = Some(at),
        }
    }

    fn note_slow(&mut self, late: bool) {
        let meant = |t: &Trouble| ["stall-before", "stall-after", "late"].contains(&t.name());
        self.slow += u32::from(late && !self.troubles.last().is_some_and(meant));
    }

    /// Makes a request with what goes wrong in it; `None` when the daemon died over it.
    async fn request<T>(&mut self, at: Option<At>, asking: impl Future<Output = T>) -> Option<T> {
        let (dies_at, struck_before) = (self.step, self.struck);
        self.step += 1;
        let on = at.map_or(Operation::Any, At::operation);
        let trouble = self.trouble_for(at, on);
        if let Some((trouble, on)) = &trouble {
            self.say(|| format!("{} strikes", trouble.name()));
            self.troubles.push(trouble.clone());
            match trouble {
                Trouble::Down => self.desk.api.set_down(true),
                Trouble::Rig(_, fault) => {
                    let fault = match fault {
                        Fault::LagReads { .. } => Fault::LagReads { for_: self.plan.lag },
                        other => other.clone(),
                    };
                    let times = if fault == Fault::Unauthorized && self.plan.twice_refused { 2 } else { 1 };
                    self.desk.api.fault(FaultRule { on: *on, fault, times });
                }
            }
        }
        let dies = self.crash_at == Some(dies_at);
        let (answer, over) = if dies {
            let after = Duration::from_micros(self.plan.dice.below(6_000));
            tokio::select! {
                biased;
                answer = asking => { drop(answer); (None, true) }
                () = tokio::time::sleep(after) => (None, false),
            }
        } else {
            (Some(asking.await), true)
        };
        self.hit |= over && self.struck && !struck_before;
        if trouble.is_some() {
            self.desk.api.clear_faults();
            self.desk.api.set_down(false);
        }
        if dies {
            self.crash();
        }
        answer
    }

    /// What goes wrong with the request that is about to be made.
    fn trouble_for(&mut self, at: Option<At>, on: Operation) -> Option<(Trouble, Operation)> {
        let cell = self.cell;
        if !self.struck {
            let token_now = cell.at == At::Token && (!self.plan.token_expires || at == Some(At::Open1));
            if token_now {
                if self.plan.token_expires {
                    self.desk.api.expire_tokens();
                }
                self.struck = true;
                return Some((cell.trouble.clone(), Operation::Token));
            }
            if at == Some(cell.at) {
                self.struck = true;
                return Some((cell.trouble.clone(), on));
            }
            if at == Some(At::Open1) && cell.at.needs_a_stranger() && !self.plan.stranger_first {
                self.stranger_opens();
                return None;
            }
            return at.and_then(|at| self.leads_there(at)).map(|trouble| (trouble, on));
        }
        let second = self.second.take_if(|second| second.strikes(on))?;
        Some((second, on))
    }

    /// What has to go wrong first, so that the machine comes into the state under test.
    fn leads_there(&mut self, at: At) -> Option<Trouble> {
        let throw = self.plan.dice.next();
        match (self.cell.at, at) {
            (At::Open2 | At::Open3 | At::Negative | At::PreflightAgain, At::Open1)
            | (At::Open3, At::Open2)
            | (At::Count2, At::Count1) => Some(Trouble::lost_before(throw)),
            (At::Unknown, At::Open1) | (At::LedgerAfter, At::Count1) => {
                Some(if self.plan.ran { Trouble::lost_after(throw) } else { Trouble::lost_before(throw) })
            }
            (At::FenceOurs, At::Open1) if self.plan.by_lag => Some(Trouble::lost_after(throw)),
            (At::FenceOurs, At::Open1) => Some(Trouble::of("twice")),
            (At::FenceOurs, At::Unknown | At::Negative | At::PreflightAgain) if self.plan.by_lag => {
                // For as long as it takes, whatever this run's lag is.
                Some(Trouble::Rig("lag-reads", Fault::LagReads { for_: Duration::from_secs(60) })).inspect(|_| {
                    self.plan.lag = Duration::from_secs(60);
                })
            }
            _ => None,
        }
    }

    /// The state in which the mutation is sent.
    fn attempt_at(&self, mutation: Mutation) -> Option<At> {
        let attempt = self.durable.iter().rev().find_map(|(_, event)| match event {
            Event::OpeningSending { attempt, .. } => Some(*attempt),
            _ => None,
        });
        match (mutation, attempt) {
            (Mutation::Open, Some(1)) => Some(At::Open1),
            (Mutation::Open, Some(2)) => Some(At::Open2),
            (Mutation::Open, _) => Some(At::Open3),
            (Mutation::Count, Some(1)) => Some(At::Count1),
            (Mutation::Count, _) => Some(At::Count2),
        }
    }

    /// The state in which the device's sessions are read.
    fn read_at(&mut self) -> Option<At> {
        let first = std::mem::take(&mut self.first_read);
        match &self.durable.last()?.1 {
            Event::OpeningAbsent { .. } => Some(At::PreflightAgain),
            Event::OpeningUnknown { already_open: true, .. } if self.cell.at == At::FenceOurs => Some(At::FenceOurs),
            Event::OpeningUnknown { already_open: true, .. } => Some(At::FenceForeign),
            Event::OpeningUnknown { .. } | Event::OpeningSending { .. } => {
                let quiet = self.unknown_since.is_some_and(|since| clock::now() >= since + QUIET);
                // The first read comes at once, unless this machine is busy.
                self.slow += u32::from(first && quiet);
                let quiet = quiet && !first;
                Some(if quiet { At::Negative } else { At::Unknown })
            }
            _ => Some(At::Preflight),
        }
    }

    /// The state in which the ledger is read.
    fn ledger_at(&self) -> Option<At> {
        let (_, last) = self.durable.last()?;
        let after =
            matches!(last, Event::OpeningSending { into: Some(_), .. } | Event::OpeningUnknown { already_open: false, .. });
        Some(if after { At::LedgerAfter } else { At::LedgerBefore })
    }

    fn append(&mut self, event: Event) {
        self.say(|| format!("durable: {}", short(&serde_json::to_string(&event).unwrap_or_default())));
        let id = self.id.clone();
        let written = self.desk.journal().append(clock::wall(), TILL, Some(&id), &event);
        written.expect("a journal in memory takes every row of a machine that behaves");
        let in_doubt = matches!(event, Event::OpeningSending { .. });
        self.durable.push((clock::now(), event));
        if in_doubt {
            self.rival();
        }
    }

    /// Somebody counts for the same device while this opening is in doubt. The journal has to refuse it, and `check.rs` looks
    /// whether it did.
    fn rival(&mut self) {
        let (id, event) = (OpeningId::from_bits(!self.device), Event::OpeningCounted(self.counted.clone()));
        let refused = self.desk.journal().append(clock::wall(), TILL, Some(&id), &event).is_err();
        self.say(|| format!("a second count for this device: {}", if refused { "refused" } else { "taken" }));
    }

    /// All rows of the journal that this run left.
    pub fn rows(&mut self) -> Vec<Row> {
        let after = self.first_row - 1;
        self.desk.journal().rows_after(after, u32::MAX).expect("the journal can be read")
    }

    // --- what others do

    fn stranger_opens(&mut self) {
        let amount = self.plan.strangers_amount();
        let gid = self.desk.api.open_elsewhere(self.device, &amount, "by hand");
        self.strangers = true;
        self.say(|| format!("somebody opens the register with {amount}: {gid}"));
    }

    fn meddle(&mut self) {
        let Some((_, what)) = self.plan.meddling.take_if(|(at, _)| *at <= self.step) else { return };
        if what != Meddling::Opens {
            self.say(|| "somebody closes the register".to_owned());
            self.desk.api.close_all();
            self.closed = true;
        }
        if what != Meddling::Closes {
            self.stranger_opens();
        }
    }

    fn lives(&mut self) -> Lives {
        let here = self.step;
        self.step += 1;
        if self.crash_at != Some(here) {
            return Lives::On;
        }
        self.crash();
        Lives::Dead
    }

    /// The daemon dies, and is started again: what it knows is what the journal says.
    fn crash(&mut self) {
        self.say(|| "the daemon dies and is started again".to_owned());
        self.crash_at = None;
        self.queue.clear();
        (self.wake, self.unknown_since, self.first_read) = (None, Some(clock::now()), true);
        *self.desk.journal.get_mut().expect("nobody else holds it") = None;
        let id = self.id.clone();
        let rows = self.desk.journal().of_opening(&id).expect("the journal can be read");
        let history: Vec<Event> = rows.into_iter().map(|row| row.event).collect();
        self.shopify = client(self.desk, &self.plan);
        self.machine = Opening::resume(id, &history, WAITS, &rules(&self.plan), clock::now());
        self.input(Input::Go);
    }

    /// What a person decides, who is asked.
    async fn decision(&mut self) -> Option<Resolution> {
        let (_, Event::OpeningNeedsAttention { kind, .. }) = self.durable.last()? else { return None };
        if kind != "foreign_session" || !self.plan.person_records {
            return None;
        }
        self.plan.person_records = false;
        let device = self.counted.point_of_sale_device_id.clone();
        let Read::Healthy(list) = self.shopify.sessions_of_device(&device).await else { return None };
        let session = Some(list.open()?.clone());
        let resolution =
            Resolution { by: "Kim".into(), why: "it is one drawer".into(), decision: Decision::RecordCount, session };
        self.machine.as_ref()?.may_resolve(&resolution).ok()?;
        Some(resolution)
    }

    fn end(&self) -> Result<End, String> {
        let (_, last) = self.durable.last().expect("the count is durable");
        Ok(match last {
            Event::OpeningConfirmed { .. } => End::Confirmed,
            Event::OpeningRefused { code, .. } => End::Refused(code.clone()),
            Event::OpeningNeedsAttention { kind, .. } => End::Asked(kind.clone()),
            Event::OpeningRecorded { .. } => End::Recorded,
            Event::OpeningStale { .. } => End::Stale,
            Event::OpeningResolved { decision: Decision::GiveUp | Decision::Link, .. } => End::GivenUp,
            other => return Err(format!("the machine calls it settled after {}", other.name())),
        })
    }

    // --- looks at the shop that nothing disturbs

    /// The ledger's counts of this session; nothing goes wrong any more.
    pub async fn ledger(&self, session: &str) -> Result<Activities, String> {
        let mut why = String::new();
        for _ in 0..20 {
            match client(self.desk, &self.plan).activities(session).await {
                ActivityRead::Healthy(ledger) => return Ok(ledger),
                ActivityRead::Failed { why: because, .. } => why = because,
            }
        }
        Err(format!("the ledger cannot be read: {why}"))
    }

    /// The second look after a confirmation, with the fault under test in it: it raises one alarm if there is a second
    /// session, and none if there is not.
    pub async fn echo(&mut self) -> Result<(), String> {
        self.crash_at = None;
        for planted in [false, true] {
            let mut watch = EchoWatch::new([Duration::ZERO, Duration::ZERO]);
            let device = self.counted.point_of_sale_device_id.clone();
            watch.confirmed(clock::now(), &self.id, &device);
            if planted {
                self.desk.api.close_all();
                let (amount, note) = (self.counted.balance.amount.clone(), format!("[db:{}]", self.id));
                self.desk.api.open_elsewhere(self.device, &amount, &note);
            }
            self.struck = self.cell.at != At::Echo;
            let (mut alarms, mut looks) = (0, 0);
            let until = clock::now() + BOUND;
            // Twice more than it has to, so that a second alarm would be heard.
            while looks < 3 {
                if clock::now() > until {
                    return Err("the second look never succeeds".to_owned());
                }
                if looks > 0 || watch.ask(clock::now()).as_ref() == Some(&device) {
                    let (shopify, of) = (Arc::clone(&self.shopify), device.clone());
                    let read = self.request(Some(At::Echo), async move { shopify.sessions_of_device(&of).await }).await;
                    match read {
                        Some(Read::Healthy(list)) => {
                            looks += 1;
                            alarms += u32::from(watch.seen(&device, &list).is_some());
                        }
                        Some(Read::Failed { .. }) => watch.failed(clock::now(), &device, Duration::from_millis(5)),
                        None => return Err("the daemon died where no crash is planned".to_owned()),
                    }
                } else if let Some(at) = watch.wake() {
                    tokio::time::sleep_until(at.into()).await;
                } else {
                    return Err("the second look was forgotten".to_owned());
                }
            }
            if alarms != u32::from(planted) {
                return Err(format!("{alarms} alarms with {} sessions of ours", if planted { "two" } else { "one" }));
            }
        }
        Ok(())
    }
}

fn rules(plan: &Plan) -> Rules {
    // The business day begins half a day from now, so that no run lies at its edge.
    let away =
        clock::wall().to_zoned_datetime(jiff::tz::TimeZone::UTC).time().wrapping_add(jiff::SignedDuration::from_hours(12));
    Rules {
        shared_drawer: SharedDrawer::Warn,
        on_foreign_session: plan.on_foreign,
        max_age: Duration::from_secs(4 * 3600),
        business_day: BusinessDay { zone: jiff::tz::TimeZone::UTC, starts: away },
    }
}

fn client(desk: &Desk, plan: &Plan) -> Arc<Shopify> {
    let file = |name: &str| desk.folder.path().join(name);
    let token = if plan.credentials {
        TokenSource::ClientCredentials { client_id: CLIENT.0.to_owned(), secret_file: file("secret") }
    } else {
        TokenSource::File(file("token"))
    };
    let shop = Shop {
        domain: "rig.myshopify.com".to_owned(),
        name: "Rig".to_owned(),
        api_version: "2026-04".to_owned(),
        endpoint: desk.api.url(),
        currency: Currency::from_code("USD").expect("a currency"),
        time_zone: jiff::tz::TimeZone::UTC,
        token,
        shared_drawer: SharedDrawer::Warn,
        on_foreign_session: OnForeign::Ask,
        business_day_starts: jiff::civil::time(4, 0, 0, 0),
    };
    Shopify::new(shop, TIMEOUT)
}

fn short(text: &str) -> String {
    if text.chars().count() > 240 { format!("{}…", text.chars().take(240).collect::<String>()) } else { text.to_owned() }
}

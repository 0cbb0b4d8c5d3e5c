//! Draws what happens on the simulated till as it happens.
//!
//! ## Why frames wait
//! A display that echoes every key would fill the screen. A frame that a key changed is drawn when the hand rests, or when
//! something else happens; so an entry is one frame, and the order of things stays true.
use std::{
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use drawerbridge_hil::{
    admin::{AdminEvent, RequestRow},
    bench::Bench,
    printer::{Printer, PrinterEvent},
};
use serde_json::Value;

use super::{
    cashier::Told,
    ending::{Ending, Progress, mutations, sessions},
    plot::Plot,
};
use crate::{
    cli::{say, words::visible},
    clock,
    journal::Row,
    shift::event::Event,
};

/// What the demo is.
pub(super) const OPENING_WORDS: &str = "
   drawerbridge demo: a shift opening, whole, on a simulated till

   simulated: printer with drawer, pole display, keypad (virtual serial pairs), Shopify's Admin API (loopback)
   real:      the daemon, every byte between it and them, the journal on disk";

/// A hand that types is back at the next key before this is over.
const HAND_RESTS: Duration = Duration::from_millis(250);

/// What the display showed and is not drawn yet.
struct Held {
    rows: [String; 2],
    at: Instant,
}

/// The narrator.
pub(super) struct Story {
    start: Instant,
    plot: Plot,
    shown: [String; 2],
    held: Option<Held>,
    /// The last read's answer, and how often it came again.
    read: Option<(String, u32)>,
    opens: usize,
    /// Nobody listens any more: the exit code to end with.
    pub(super) lost: Option<ExitCode>,
}

impl Story {
    pub(super) fn new(plot: Plot) -> Self {
        let shown = [String::new(), String::new()];
        Self { start: clock::now(), plot, shown, held: None, read: None, opens: 0, lost: None }
    }

    /// A line without a time.
    pub(super) fn plain(&mut self, text: &str) {
        if self.lost.is_none() {
            self.lost = say(text).err();
        }
    }

    fn line_at(&mut self, at: Instant, who: &str, what: &str) {
        let ms = at.duration_since(self.start).as_millis();
        self.plain(&format!("{:>3}.{:03}  {who:<8} {what}", ms / 1000, ms % 1000));
    }

    /// A line; what waited to be told comes first.
    fn line(&mut self, who: &str, what: &str) {
        self.flush();
        self.line_at(clock::now(), who, what);
    }

    fn more(&mut self, what: &str) {
        self.plain(&format!("{:17} {what}", ""));
    }

    /// Tells what waited.
    pub(super) fn flush(&mut self) {
        if let Some((_, again @ 1..)) = self.read.take() {
            let times = if again == 1 { "once".to_owned() } else { format!("{again} times") };
            self.more(&format!("… and reads {times} more, with the same answer"));
        }
        if let Some(Held { rows, at }) = self.held.take() {
            self.draw(at, &rows);
        }
    }

    /// When a held frame is to be drawn.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.at + HAND_RESTS)
    }

    pub(super) fn begins(&mut self, address: SocketAddr) {
        self.line("daemon", &format!("ready; its local API is at http://{address}"));
        if let Some(what) = self.plot.announcement() {
            self.line("network", &what);
        }
    }

    pub(super) fn trouble(&mut self, what: &str) {
        self.line("demo", &format!("TROUBLE: {what}"));
    }

    pub(super) fn told(&mut self, (who, what): &Told) {
        self.line(who, what);
    }

    pub(super) fn frame(&mut self, rows: &[String; 2]) {
        let before = self.held.as_ref().map_or(&self.shown, |held| &held.rows);
        if before == rows {
            return;
        }
        let same_entry = before[0] == rows[0];
        if !same_entry {
            self.flush();
        }
        if same_entry || is_echo(rows) {
            self.held = Some(Held { rows: rows.clone(), at: clock::now() });
        } else {
            self.draw(clock::now(), rows);
        }
    }

    fn draw(&mut self, at: Instant, rows: &[String; 2]) {
        self.shown.clone_from(rows);
        if rows[0].trim_end().ends_with(" x") {
            let line = format!("│ {} │ {} │", rows[0], rows[1]);
            return self.line_at(at, "display", &line);
        }
        self.line_at(at, "display", "┌──────────────────────┐");
        for row in rows {
            self.more(&format!("│ {row:<20} │"));
        }
        self.more("└──────────────────────┘");
    }

    pub(super) fn printer(&mut self, event: &PrinterEvent, printer: &Printer) {
        match event {
            PrinterEvent::Kick(kick) => {
                self.line("printer", &format!("kick on pin {}, {} ms", kick.pin, kick.on_ms));
            }
            PrinterEvent::Cut(index) => {
                let Some(text) = printer.slip_texts().get(*index).cloned() else { return };
                self.line("printer", "cuts the slip:");
                let width = text.lines().map(|l| l.chars().count()).max().unwrap_or(0).max(32);
                self.more(&format!("╭{}╮", "─".repeat(width + 2)));
                for row in text.lines() {
                    self.more(&format!("│ {row:<width$} │"));
                }
                self.more(&format!("╰{}╯", "╌".repeat(width + 2)));
            }
            PrinterEvent::Warning(warning) => {
                self.line("printer", &format!("protocol warning at byte {}: {}", warning.offset, warning.text));
            }
            PrinterEvent::Connected | PrinterEvent::Disconnected | PrinterEvent::Drawer { .. } | PrinterEvent::Line(_) => {}
        }
    }

    pub(super) fn api(&mut self, event: &AdminEvent) {
        let AdminEvent::Request(request) = event else { return };
        match request.operation.as_str() {
            "OpenSession" => {
                self.opens += 1;
                self.line("→ shop", &format!("open a session: {}", wish(request)));
                let fault = if self.opens == 1 { self.plot.happened() } else { None };
                self.line("← shop", &fault.unwrap_or_else(|| opened(request)));
                if let Some(then) = self.plot.answered_by().filter(|_| self.opens == 1) {
                    self.more(&format!("⇒ {then}"));
                }
            }
            "SessionsOfDevice" => {
                let answer = read(request);
                match &mut self.read {
                    Some((last, again)) if *last == answer => *again += 1,
                    Some(_) | None => {
                        self.line("→ shop", "which sessions does this device have, closed ones included?");
                        self.line("← shop", &answer);
                        self.read = Some((answer, 0));
                    }
                }
            }
            other => self.line("→ shop", &format!("{other}: HTTP {}", request.status)),
        }
    }

    pub(super) fn row(&mut self, row: &Row) {
        let (who, what, then) = tale(row);
        if what.is_empty() {
            return;
        }
        self.line(who, &what);
        if !then.is_empty() {
            self.more(&format!("⇒ {then}"));
        }
    }

    /// What there is to see afterwards, and how to be rid of it.
    pub(super) fn summary(&mut self, ending: &Ending, bench: &Bench, rows: u64, journal: &Path, ours: bool) {
        let count = ending.counted.as_ref().map_or("none was confirmed".to_owned(), |c| {
            format!("{} {}, counted by {}", c.balance.amount, c.balance.currency, c.staff_name)
        });
        self.plain(&format!("   count     {count}"));
        let settled =
            ending.settled.as_ref().map_or("not settled".to_owned(), |(name, what)| format!("{name}: {}", visible(what)));
        self.plain(&format!("   opening   {settled}"));
        let (sessions, opens) = (sessions(&bench.api), mutations(&bench.api));
        let at_shop: Vec<String> =
            sessions.iter().map(|s| format!("{} with {} {}", number(&s.gid), s.amount, s.currency)).collect();
        let at_shop = if at_shop.is_empty() { String::new() } else { format!(": {}", at_shop.join(", ")) };
        let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        self.plain(&format!(
            "   shop      {} arrived, {}{at_shop}",
            plural(opens, "mutation"),
            plural(sessions.len(), "session")
        ));
        for (n, (_, how)) in ending.slips_over.iter().enumerate() {
            self.plain(&format!("   slip {}    {how}", n + 1));
        }
        self.plain(&format!("   journal   {rows} events; check their chain yourself:"));
        self.plain(&format!("             drawerbridge journal verify --journal {}", journal.display()));
        let slips = if ending.slips_over.is_empty() { "" } else { "slip.txt, slip.png, " };
        self.plain(&format!("   folder    {} ({slips}journal.db, config.toml)", bench.dir().display()));
        if ours {
            self.plain(&format!("             remove it with: rm -r {}", bench.dir().display()));
        }
        self.plain("");
    }

    /// The verdict on a scripted run.
    pub(super) fn verdict(&mut self, faults: &[String]) {
        self.flush();
        if faults.is_empty() {
            return self.plain("\n   It ended as it must.");
        }
        self.plain("\n   It did NOT end as it must:");
        for fault in faults {
            self.plain(&format!("   - {fault}"));
        }
    }

    /// The same for a person who left.
    pub(super) fn farewell(&mut self, progress: Progress) {
        self.flush();
        self.plain(match progress {
            Progress::Nothing => "\n   You left before a count was confirmed: nothing was sent.",
            Progress::Counted => {
                "\n   You left before it was settled: the count is on disk, and the daemon would go on with it when started again."
            }
            Progress::Settled => "\n   It is settled; you left before the slip that says so was out.",
            Progress::Over => "\n   It is settled, and the slip says how.",
        });
    }
}

/// What the keys make is on the display.
fn is_echo(rows: &[String; 2]) -> bool {
    rows[0].starts_with("FLOAT TOTAL") || rows[0].trim_end().ends_with(" x")
}

fn number(gid: &str) -> &str {
    gid.rsplit('/').next().unwrap_or(gid)
}

/// Who, what, and what the daemon makes of it; nothing for what the story leaves out.
fn tale(row: &Row) -> (&'static str, String, &'static str) {
    let own = str::to_owned;
    match &row.event {
        Event::DrawerOpened { by } => ("drawer", format!("opened by {by}"), ""),
        Event::DrawerClosed { open_ms } => {
            ("drawer", format!("closed after {}.{} s", open_ms / 1000, open_ms % 1000 / 100), "")
        }
        Event::DrawerKicked { outcome, .. } => ("drawer", format!("kicked: {outcome}"), ""),
        Event::DrawerLeftOpen {} => ("drawer", own("stands open for too long"), ""),
        Event::PrinterStatus { status } => ("printer", status.clone(), ""),
        Event::DisplayStatus { status } => ("display", status.clone(), ""),
        Event::KeypadStatus { status } => ("keypad", status.clone(), ""),
        Event::OpeningStarted { .. } => {
            let id = row.opening.as_ref().map(ToString::to_string).unwrap_or_default();
            ("opening", format!("{id} begins, because the shift is closed"), "")
        }
        Event::OpeningCancelled { why } => ("opening", format!("given up: {why}"), ""),
        Event::OpeningCounted(c) => (
            "journal",
            format!("the count of {} {} by {} is on disk", c.balance.amount, c.balance.currency, c.staff_name),
            "",
        ),
        Event::OpeningSending { attempt, .. } => {
            ("journal", format!("what is about to be sent is on disk too (attempt {attempt})"), "")
        }
        Event::OpeningNotSent { why, .. } => (
            "opening",
            format!("NOT SENT: {}", visible(why)),
            "certainly no session was opened: the count waits, and is sent again",
        ),
        Event::OpeningUnknown { why, already_open: true, .. } => (
            "opening",
            format!("NOT OPENED: {}", visible(why)),
            "whose session is that, ours or another one? The shop's sessions are read",
        ),
        Event::OpeningUnknown { why, .. } => (
            "opening",
            format!("UNKNOWN: {}", visible(why)),
            "nobody knows whether a session was opened: the shop's sessions are read before anything is sent again",
        ),
        Event::OpeningAbsent { reads, .. } => (
            "opening",
            format!("ABSENT: {reads} reads after the quiet period show nothing of it"),
            "so no session was opened: the same request goes out once more, with the same reference",
        ),
        Event::OpeningConfirmed { how, session } if how == "found" => (
            "opening",
            format!("CONFIRMED: session {} carries our reference, amount and time", number(&session.id)),
            "it is ours: nothing is sent again",
        ),
        Event::OpeningConfirmed { session, .. } => {
            ("opening", format!("CONFIRMED by the shop's answer: session {}", number(&session.id)), "")
        }
        Event::OpeningRefused { code, message, .. } => (
            "opening",
            format!("REFUSED: {} ({code})", visible(message)),
            "sending it again would change nothing: display and slip say what is wrong, and a person mends it",
        ),
        Event::OpeningNeedsAttention { why, .. } => {
            ("opening", format!("A PERSON MUST LOOK: {}", visible(why)), "the count is kept; nothing more is sent by itself")
        }
        Event::OpeningRecorded { session, .. } => (
            "opening",
            format!("RECORDED: session {} has it as a mid-session count", number(&session.id)),
            "somebody else opened that session: the count is in it, and no second session was opened",
        ),
        Event::OpeningStale { why, .. } => ("opening", format!("TOO OLD: {}", visible(why)), "both counts are kept"),
        Event::OpeningResolved { by, why, .. } => ("opening", format!("DECIDED by {}: {}", visible(by), visible(why)), ""),
        Event::SlipPrinted { proof, .. } => ("slip", format!("is on paper, proven by {proof}"), ""),
        Event::SlipNotProven { why, .. } => ("slip", format!("is not proven: {why}"), ""),
        Event::ShiftClosed { .. } => ("shift", own("closed at Shopify"), ""),
        Event::DaemonStarted { .. } | Event::SlipSending { .. } => ("", String::new(), ""),
    }
}

/// The mutation's variables, in short.
fn wish(request: &RequestRow) -> String {
    let text = |path: &str| match request.variables.pointer(path) {
        Some(Value::String(s)) => visible(s.trim_start_matches("gid://shopify/")),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let (amount, currency) = (text("/balance/amount"), text("/balance/currencyCode"));
    format!("balance {amount} {currency}, {}, time {}, note {}", text("/staffId"), text("/time"), text("/note"))
}

/// The answer to a mutation that no fault met.
fn opened(request: &RequestRow) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let session = body.pointer("/data/opened/pointOfSaleDevicePaymentSession/id").and_then(Value::as_str);
    match (session, body.pointer("/data/opened/userErrors/0/code").and_then(Value::as_str)) {
        (Some(gid), _) => format!("session {} is open", number(gid)),
        (None, Some(code)) => format!("refused: {}", visible(code)),
        (None, None) => format!("HTTP {}, without a session", request.status),
    }
}

/// The answer to a read.
fn read(request: &RequestRow) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let Some(nodes) = body.pointer("/data/sessions/nodes").and_then(Value::as_array) else {
        return format!("HTTP {}, without sessions", request.status);
    };
    let one = |node: &Value| {
        let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or("-");
        format!("session {} ({}), note {}", number(text("id")), text("status"), visible(text("openingNote")))
    };
    if nodes.is_empty() { "none".to_owned() } else { nodes.iter().map(one).collect::<Vec<_>>().join("; ") }
}

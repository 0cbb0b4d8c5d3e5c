//! Draws what happens on the simulated till as it happens.
use std::{net::SocketAddr, path::Path, path::PathBuf, time::Instant};

use drawerbridge_hil::{
    admin::{AdminApi, AdminEvent, RequestRow},
    bench::Bench,
    printer::{Printer, PrinterEvent},
};
use serde_json::Value;

use super::say;
use crate::{
    clock,
    journal::Row,
    shift::event::{Counted, Event, OpeningId},
};

/// What the demo is.
pub(super) const OPENING_WORDS: &str = "
   drawerbridge demo: a shift opening, whole, on a simulated till

   simulated: printer with drawer, pole display, keypad (virtual serial pairs), Shopify's Admin API (loopback)
   real:      the daemon, every byte between it and them, the journal on disk";

/// What became of the opening.
#[derive(Default)]
pub(super) struct Ending {
    pub id: Option<OpeningId>,
    pub counted: Option<Counted>,
    /// Event name and what it said.
    pub settled: Option<(&'static str, String)>,
    /// For each slip begun: whether it could say how the opening ended.
    pub slips_begun: Vec<bool>,
    /// For each slip over: how.
    pub slips_over: Vec<String>,
}

impl Ending {
    /// Settled, and a slip that says so is on paper.
    pub(super) fn is_over(&self) -> bool {
        self.settled.is_some() && self.slips_begun.last() == Some(&true) && self.slips_over.len() == self.slips_begun.len()
    }
}

/// The narrator.
pub(super) struct Story {
    start: Instant,
    api: AdminApi,
    last_frame: Option<[String; 2]>,
}

impl Story {
    pub(super) fn new(bench: &Bench, address: SocketAddr, fault: Option<&str>) -> Self {
        let story = Self { start: clock::now(), api: bench.api.clone(), last_frame: None };
        story.line("daemon", &format!("ready; its local API is at http://{address}"));
        if let Some(fault) = fault {
            story.line("network", &format!("will do its worst once: {fault}"));
        }
        story
    }

    fn line(&self, who: &str, what: &str) {
        let ms = clock::now().duration_since(self.start).as_millis();
        say(format!("{:>3}.{:03}  {who:<8} {what}", ms / 1000, ms % 1000));
    }

    fn more(what: &str) {
        say(format!("{:17} {what}", ""));
    }

    pub(super) fn trouble(&self, what: &str) {
        self.line("demo", what);
    }

    pub(super) fn frame(&mut self, rows: &[String; 2]) {
        if self.last_frame.as_ref() == Some(rows) {
            return;
        }
        self.last_frame = Some(rows.clone());
        self.line("display", "┌──────────────────────┐");
        for row in rows {
            Self::more(&format!("│ {row:<20} │"));
        }
        Self::more("└──────────────────────┘");
    }

    pub(super) fn printer(&self, event: &PrinterEvent, printer: &Printer) {
        match event {
            PrinterEvent::Kick(kick) => {
                self.line("printer", &format!("kick on pin {}, {} ms", kick.pin, kick.on_ms));
            }
            PrinterEvent::Cut(index) => {
                let Some(slip) = printer.slips().get(*index).cloned() else { return };
                self.line("printer", "cuts the slip:");
                let width = slip.text.lines().map(|l| l.chars().count()).max().unwrap_or(0).max(32);
                Self::more(&format!("╭{}╮", "─".repeat(width + 2)));
                for row in slip.text.lines() {
                    Self::more(&format!("│ {row:<width$} │"));
                }
                Self::more(&format!("╰{}╯", "╌".repeat(width + 2)));
            }
            PrinterEvent::Warning(warning) => {
                self.line("printer", &format!("protocol warning at byte {}: {}", warning.offset, warning.text));
            }
            PrinterEvent::Connected => self.line("printer", "the daemon has its port open"),
            PrinterEvent::Disconnected => self.line("printer", "its port is closed"),
            PrinterEvent::Drawer { .. } | PrinterEvent::Line(_) => {}
        }
    }

    pub(super) fn api(&self, event: &AdminEvent) {
        let AdminEvent::Request(request) = event else { return };
        self.line("→ shop", &asked(request));
        self.line("← shop", &answered(request));
    }

    pub(super) fn row(&self, row: &Row) {
        let (who, what) = match &row.event {
            Event::DrawerOpened { by } => ("drawer", format!("opened by {by}")),
            Event::DrawerClosed { open_ms } => {
                ("drawer", format!("closed after {}.{} s", open_ms / 1000, open_ms % 1000 / 100))
            }
            Event::DrawerKicked { outcome, .. } => ("drawer", format!("kicked: {outcome}")),
            Event::DrawerLeftOpen {} => ("drawer", "stands open for too long".to_owned()),
            Event::OpeningStarted { .. } => ("opening", format!("{} begins", id(row))),
            Event::OpeningCancelled { why } => ("opening", format!("given up: {why}")),
            Event::OpeningCounted(c) => (
                "journal",
                format!("the count of {} {} by {} is on disk", c.balance.amount, c.balance.currency, c.staff_name),
            ),
            Event::OpeningSending { attempt, .. } => {
                ("journal", format!("the intent to send is on disk (attempt {attempt})"))
            }
            Event::OpeningNotSent { why, .. } => ("opening", format!("certainly not executed: {why}; it is sent again")),
            Event::OpeningUnknown { why, .. } => {
                ("opening", format!("nobody knows whether it ran: {why}; Shopify is read first"))
            }
            Event::OpeningAbsent { reads, .. } => {
                ("opening", format!("proven absent by {reads} reads after the quiet period; it is sent again"))
            }
            Event::OpeningConfirmed { how, session } => ("opening", format!("CONFIRMED ({how}): {}", session.id)),
            Event::OpeningRefused { code, message, .. } => ("opening", format!("REFUSED: {message} ({code})")),
            Event::OpeningNeedsAttention { why, .. } => ("opening", format!("NEEDS A PERSON: {why}")),
            Event::SlipPrinted { proof, .. } => ("slip", format!("is on paper, proven by {proof}")),
            Event::SlipNotProven { why, .. } => ("slip", format!("is not proven: {why}")),
            Event::ShiftClosed { .. } => ("shift", "closed at Shopify".to_owned()),
            Event::DaemonStarted { .. }
            | Event::PrinterStatus { .. }
            | Event::DisplayStatus { .. }
            | Event::KeypadStatus { .. }
            | Event::SlipSending { .. } => return,
        };
        self.line(who, &what);
    }

    /// Says how it ended; true when it ended as it must.
    pub(super) fn summary(&self, ending: &Ending, picture: &Option<PathBuf>, journal: &Path, rows: u64) -> bool {
        let sessions: Vec<_> = self.api.sessions().into_iter().filter(|s| s.by == "api").collect();
        let opens = self.api.requests().iter().filter(|r| r.operation == "OpenSession").count();
        let confirmed = ending.settled.as_ref().is_some_and(|(name, _)| *name == "opening.confirmed");
        let right = ending.is_over() && sessions.len() <= 1 && (!confirmed || sessions.len() == 1);
        say(format!("\n   {}", if right { "It ended as it must." } else { "It did not end as it must." }));
        let count = ending.counted.as_ref().map_or("no count was confirmed".to_owned(), |c| {
            format!("{} {}, counted by {}", c.balance.amount, c.balance.currency, c.staff_name)
        });
        say(format!("   count     {count}"));
        let settled = ending.settled.as_ref().map_or("not settled".to_owned(), |(name, what)| format!("{name}: {what}"));
        say(format!("   opening   {}", settled));
        let plural = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        let at_shop =
            sessions.iter().map(|s| format!("{} with {} {}", s.gid, s.amount, s.currency)).collect::<Vec<_>>().join(", ");
        say(format!(
            "   shop      {}, {} {}",
            plural(opens, "mutation arrived", "mutations arrived"),
            plural(sessions.len(), "session", "sessions"),
            if at_shop.is_empty() { String::new() } else { format!("({at_shop})") }
        ));
        for (n, how) in ending.slips_over.iter().enumerate() {
            say(format!("   slip {}    {how}", n + 1));
        }
        if let Some(picture) = picture {
            say(format!("   picture   {}", picture.display()));
        }
        say(format!("   journal   {rows} events, their chain unbroken; check it yourself:"));
        say(format!("             drawerbridge journal verify --journal {}\n", journal.display()));
        right
    }
}

fn id(row: &Row) -> String {
    row.opening.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn asked(request: &RequestRow) -> String {
    let text = |path: &str| match request.variables.pointer(path) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    match request.operation.as_str() {
        "OpenSession" => format!(
            "OpenSession: balance {} {}, {}, time {}, note {:?}",
            text("/balance/amount"),
            text("/balance/currencyCode"),
            text("/staffId").trim_start_matches("gid://shopify/"),
            text("/time"),
            text("/note")
        ),
        "SessionsOfDevice" => "reads the device's newest sessions, closed ones included".to_owned(),
        other => other.to_owned(),
    }
}

fn answered(request: &RequestRow) -> String {
    let ran = if request.operation == "OpenSession" {
        if request.executed { " (it ran)" } else { " (it did not run)" }
    } else {
        ""
    };
    if request.status == 0 {
        return format!("no answer{ran}");
    }
    let body = request.body.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = body.chars().take(110).collect();
    let dots = if body.chars().count() > 110 { "…" } else { "" };
    format!("{}{ran} {short}{dots}", request.status)
}

//! One look at the stage: is what a scenario expects there now, and if not, what is seen instead?
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::Value;

use super::verb::{Device, Expect, Shop, Told};
use crate::{
    admin::RequestRow,
    bench::{Rows, SenseKind, TillRig, client::Seen, daemon::journal_verify, now, patiently, stage::Stage},
    display::{Display, Shown},
};

/// What stands for less cannot be read: a person needs longer, and half of a frame is over sooner.
const READABLE: Duration = Duration::from_millis(60);
/// A display that is drawn on all the time never stands.
const STANDS_WITHIN: Duration = Duration::from_secs(5);
/// An event is told this soon after what caused it; `no event` is looked for that long.
const EVENT_ON_ITS_WAY: Duration = Duration::from_millis(100);

/// What was expected, and what was seen instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// In words.
    pub expected: String,
    /// In words.
    pub seen: String,
}

type Look = Result<(), Mismatch>;

impl Expect {
    /// Whether it says that something must not be seen: such a thing is true until it is not.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        match self {
            Self::DisplayNever(_)
            | Self::DisplayNowNot(_)
            | Self::SlipNever(_)
            | Self::NoEvent(_)
            | Self::NoNewEvent(_)
            | Self::LogNever(_)
            | Self::Shop(Shop::NoSession) => true,
            Self::Display { .. }
            | Self::DisplayNow { .. }
            | Self::SlipSays { .. }
            | Self::Slips(_)
            | Self::DrawerStands { .. }
            | Self::Kicks(_)
            | Self::NoWarnings(_)
            | Self::Shop(
                Shop::SessionWith(_) | Shop::Sessions(_) | Shop::Mutations(_) | Shop::Counts(_) | Shop::Variable { .. },
            )
            | Self::Told(_)
            | Self::Event(_)
            | Self::EventWith { .. }
            | Self::JournalVerifies
            | Self::KickAnswers(_)
            | Self::PosAnswers(_)
            | Self::LogSays(_) => false,
        }
    }
    /// How long it is looked for what must not be seen, where the line does not say.
    #[must_use]
    pub const fn watched_for(&self) -> Duration {
        if matches!(self, Self::NoEvent(_) | Self::NoNewEvent(_)) { EVENT_ON_ITS_WAY } else { Duration::ZERO }
    }
}

/// Looks once. `shown` is the first drawing of the display that may match; a match moves it. Where it is asked what stands
/// on the display, the look waits until something does.
pub async fn look(stage: &Stage, till: usize, expect: &Expect, shown: &mut usize) -> Look {
    let rig = stage.till(till).map_err(|why| is("a second till", why))?;
    match expect {
        Expect::Display { upper, lower } => display(&rig.shown(*shown), upper, lower.as_deref(), shown),
        Expect::DisplayNever(text) => {
            stands(rig).await?;
            let frames = readable(&rig.shown(stage.frames_at_key[till]), now());
            let wrong = frames.iter().find(|rows| has(rows, text));
            wrong.map_or(Ok(()), |rows| Err(is(&format!("no {text:?} since the last key"), draw(rows))))
        }
        Expect::DisplayNow { upper, lower } => {
            let frame = stands(rig).await?;
            display(&[frame], upper, lower.as_deref(), &mut 0)
        }
        Expect::DisplayNowNot(text) => {
            let frame = stands(rig).await?;
            same(!has(&frame.rows, text), || is(&format!("no {text:?} now"), draw(&frame.rows)))
        }
        Expect::SlipSays { slip, text } => {
            let slips = rig.slip_texts(stage.bench.spec.has_cutter());
            let wanted = blanks(text);
            let looked_at: Vec<&str> = slips
                .iter()
                .enumerate()
                .filter(|(n, _)| slip.is_none_or(|s| s == n + 1))
                .map(|(_, text)| text.as_str())
                .collect();
            let found = looked_at.iter().any(|slip| blanks(slip).contains(&wanted));
            let which = slip.map_or_else(|| "a slip".to_owned(), |n| format!("slip {n}"));
            same(found, || is(&format!("{which} that says {text:?}"), all_slips(&looked_at, &rig.printer.uncut_text())))
        }
        Expect::SlipNever(text) => {
            let slips = rig.slip_texts(stage.bench.spec.has_cutter());
            let wrong = slips.iter().find(|slip| blanks(slip).contains(&blanks(text)));
            wrong.map_or(Ok(()), |slip| Err(is(&format!("no slip that says {text:?}"), slip.clone())))
        }
        Expect::Slips(number) => {
            let slips = rig.slip_texts(stage.bench.spec.has_cutter());
            let texts: Vec<&str> = slips.iter().map(String::as_str).collect();
            same(slips.len() == *number, || is(&format!("{number} slips"), all_slips(&texts, &rig.printer.uncut_text())))
        }
        Expect::DrawerStands { open } => {
            let stands = |open| if open { "the drawer stands open" } else { "the drawer stands closed" };
            same(rig.printer.drawer_is_open() == *open, || is(stands(*open), stands(!*open).into()))
        }
        Expect::Kicks(number) => {
            let kicks = rig.printer.kicks().len();
            same(kicks == *number, || is(&format!("{number} kicks"), format!("{kicks} kicks")))
        }
        Expect::NoWarnings(device) => {
            let warnings = match device {
                Device::Printer => rig.printer.warnings(),
                Device::Display | Device::Keypad => rig.display.as_ref().map(Display::warnings).unwrap_or_default(),
            };
            let texts: Vec<String> = warnings.iter().map(|w| format!("byte {}: {}", w.offset, w.text)).collect();
            same(warnings.is_empty(), || is("nothing malformed was sent", texts.join("\n")))
        }
        Expect::Shop(shop) => at_shopify(stage, shop),
        Expect::Event(name) => told_of(stage, rig, stage.events_at[till], name, None),
        Expect::EventWith { name, field, value } => {
            told_of(stage, rig, stage.events_at[till], name, Some((field.as_str(), value.as_str())))
        }
        Expect::NoEvent(name) => not_told_of(stage, rig, 0, name),
        Expect::NoNewEvent(name) => not_told_of(stage, rig, stage.events_at[till], name),
        Expect::JournalVerifies => {
            let program = stage.program.as_ref().ok_or_else(|| is("the program `drawerbridge`", "none".into()))?;
            journal_verify(program, stage.bench.dir()).await.map_err(|why| is("a journal that verifies", why))
        }
        Expect::KickAnswers(outcome) => {
            let seen = stage.kick.clone().unwrap_or_else(|| "no kick was asked for".into());
            same(seen == *outcome, || is(outcome, seen.clone()))
        }
        Expect::PosAnswers(status) => match &stage.pos {
            Some((seen, body)) => same(seen == status, || is(&status.to_string(), format!("{seen} {body}"))),
            None => Err(is(&status.to_string(), "nothing was asked".into())),
        },
        Expect::LogSays(text) => {
            let found = stage.log.lines().iter().any(|l| l.contains(text.as_str()));
            same(found, || is(&format!("a line of the log with {text:?}"), "none".into()))
        }
        Expect::LogNever(text) => {
            let lines = stage.log.lines();
            let wrong = lines.iter().find(|l| l.contains(text.as_str()));
            wrong.map_or(Ok(()), |l| Err(is(&format!("no line of the log with {text:?}"), l.clone())))
        }
        Expect::Told(what) => {
            let status = stage.status(till).await.map_err(|why| is("an answer of the daemon", why))?;
            told(stage, &status, what)
        }
    }
}

fn told_of(stage: &Stage, rig: &TillRig, from: usize, name: &str, field: Option<(&str, &str)>) -> Look {
    let events = events_of(stage, rig, from);
    let is_it = |e: &Seen| e.name == name && field.is_none_or(|(field, value)| e.has(field, value));
    same(events.iter().any(is_it), || {
        let wanted = field.map_or_else(String::new, |(field, value)| format!(" with {field} {value}"));
        let alike = events.iter().rev().find(|e| e.name == name).map(|e| format!("\n{}", e.data));
        is(&format!("a new event {name}{wanted}"), last_events(&events) + &alike.unwrap_or_default())
    })
}

fn not_told_of(stage: &Stage, rig: &TillRig, from: usize, name: &str) -> Look {
    let events = events_of(stage, rig, from);
    same(!events.iter().any(|e| e.name == name), || is(&format!("no event {name}"), last_events(&events)))
}

fn events_of(stage: &Stage, rig: &TillRig, from: usize) -> Vec<Seen> {
    stage.events.all().into_iter().skip(from).filter(|e| e.is_of(&rig.name)).collect()
}

/// What stands on the display, once something does.
async fn stands(rig: &TillRig) -> Result<Shown, Mismatch> {
    let display = rig.display.as_ref().ok_or_else(|| is("a display", "this till has none".into()))?;
    let limit = now() + patiently(STANDS_WITHIN);
    loop {
        let last = rig.shown(0).pop().filter(|last| display.is_settled() && now() >= last.at + READABLE);
        match last {
            Some(last) => return Ok(last),
            None if now() >= limit => return Err(is("a display that stands still", draw(&display.frame()))),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// The pictures that stood long enough to be read; drawn again is not another picture.
fn readable(drawings: &[Shown], now: Instant) -> Vec<Rows> {
    let mut frames = Vec::new();
    for frame in drawings.chunk_by(|a, b| a.rows == b.rows) {
        // The next picture begins where this chunk ends in `drawings`.
        let (Some(first), Some(last)) = (frame.first(), frame.last()) else { continue };
        let next = drawings.iter().find(|d| d.at > last.at).map_or(now, |d| d.at);
        if next.saturating_duration_since(first.at) >= READABLE {
            frames.push(first.rows.clone());
        }
    }
    frames
}

fn has(rows: &Rows, text: &str) -> bool {
    rows.iter().any(|row| blanks(row).contains(&blanks(text)))
}

fn display(frames: &[Shown], upper: &str, lower: Option<&str>, shown: &mut usize) -> Look {
    let is_it = |rows: &Rows| match lower {
        Some(lower) => blanks(&rows[0]) == blanks(upper) && blanks(&rows[1]) == blanks(lower),
        None => rows.iter().any(|row| blanks(row) == blanks(upper)),
    };
    if let Some(at) = frames.iter().position(|frame| is_it(&frame.rows)) {
        *shown += at;
        return Ok(());
    }
    let expected = match lower {
        Some(lower) => draw(&[upper.to_owned(), lower.to_owned()]),
        None => format!("a row {upper:?}"),
    };
    let mut seen: Vec<String> = frames.iter().map(|frame| draw(&frame.rows)).collect();
    seen.dedup();
    let seen = &seen[seen.len().saturating_sub(4)..];
    Err(is(&expected, if seen.is_empty() { "no new frame".into() } else { seen.join("\n") }))
}

/// What the simulated shop knows.
fn at_shopify(stage: &Stage, expect: &Shop) -> Look {
    let sessions = stage.bench.api.sessions();
    let listed = || {
        let rows = sessions.iter().map(|s| {
            format!("{} by {} with {} {}, {}", s.gid, s.by, s.amount, s.currency, if s.open { "open" } else { "closed" })
        });
        let rows: Vec<String> = rows.collect();
        if rows.is_empty() { "no session".to_owned() } else { rows.join("\n") }
    };
    match expect {
        Shop::SessionWith(amount) => {
            let ours: Vec<_> = sessions.iter().filter(|s| s.by == "api").collect();
            let equal = |text: &str| text.parse::<Decimal>().ok() == amount.parse::<Decimal>().ok();
            let right = matches!(ours.as_slice(), [one] if one.open && equal(&one.amount));
            same(right, || is(&format!("one session by the API, open with {amount}"), listed()))
        }
        Shop::Variable { name, there } => {
            let requests = stage.bench.api.requests();
            let last = requests.iter().rev().find(|r| is_mutation(&r.operation, &r.variables));
            let value = last.and_then(|r| r.variables.get(name)).filter(|v| !v.is_null());
            let right = last.is_some() && value.is_some() == *there;
            let wanted = if *there { format!("a mutation with {name}") } else { format!("a mutation without {name}") };
            same(right, || is(&wanted, last.map_or_else(|| "no mutation".to_owned(), |r| r.variables.to_string())))
        }
        Shop::NoSession => same(sessions.is_empty(), || is("no session", listed())),
        Shop::Sessions(number) => same(sessions.len() == *number, || is(&format!("{number} sessions"), listed())),
        Shop::Mutations(number) => came(stage, "opening mutations", *number, |r| is_mutation(&r.operation, &r.variables)),
        Shop::Counts(number) => came(stage, "counts", *number, |r| r.operation == "CountSession"),
    }
}

/// That many requests of a kind came, executed or not.
fn came(stage: &Stage, what: &str, number: usize, is_one: impl Fn(&RequestRow) -> bool) -> Look {
    let requests = stage.bench.api.requests();
    let seen = requests.iter().filter(|row| is_one(row)).count();
    same(seen == number, || {
        let rows = requests.iter().rev().take(12).rev();
        let rows = rows
            .map(|r| format!("{} -> {} {}", r.operation, r.status, if r.executed { "executed" } else { "not executed" }));
        is(&format!("{number} {what}"), format!("{seen} of\n{}", rows.collect::<Vec<_>>().join("\n")))
    })
}

/// An opening mutation brings a balance and no session; a count names the session it goes into.
pub(crate) fn is_mutation(operation: &str, variables: &Value) -> bool {
    let has = |name: &str| variables.get(name).is_some_and(|value| !value.is_null());
    operation != "token" && has("balance") && !has("sessionId")
}

/// What the daemon says of the till.
fn told(stage: &Stage, status: &Value, expect: &Told) -> Look {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let equal = |what: &str, seen: &Value, want: &str| {
        same(seen.as_str() == Some(want), || is(&format!("{what} is {want}"), format!("{what} is {}", text(seen))))
    };
    match expect {
        Told::Drawer(want) => equal("drawer", &status["drawer"]["state"], want),
        Told::Shift { open } => equal("shift", &status["shift"], if *open { "open" } else { "closed" }),
        Told::Phase(want) => equal("phase", &status["phase"], want),
        Told::PaperIs(want) => equal("paper", &status["printer"]["paper"], want),
        Told::Opening(want) => equal("opening", &status["opening"]["state"], want),
        Told::Link { device, up } => {
            let (name, value) = link(status, *device);
            let words = |up| if up { "up" } else { "down" };
            same(is_up(value) == *up, || is(&format!("{name} is {}", words(*up)), format!("{name} is {}", text(value))))
        }
        Told::TillReady => {
            let down: Vec<String> = [Device::Printer, Device::Display, Device::Keypad]
                .into_iter()
                .map(|device| link(status, device))
                .filter(|(_, value)| !value.is_null() && !is_up(value))
                .map(|(name, value)| format!("{name} is {}", text(value)))
                .collect();
            let spec = &stage.bench.spec;
            let sensor = spec.sense != SenseKind::None && !spec.quirks.no_status;
            let unknown = sensor && !matches!(status["drawer"]["state"].as_str(), Some("open" | "closed" | "left_open"));
            same(down.is_empty() && !unknown, || {
                is("links up and the drawer known", format!("{down:?}, drawer {}", status["drawer"]))
            })
        }
    }
}

fn link(status: &Value, device: Device) -> (&'static str, &Value) {
    match device {
        Device::Printer => ("printer", &status["printer"]["link"]),
        Device::Display => ("display", &status["display"]["link"]),
        Device::Keypad => ("keypad", &status["keypads"][0]["link"]),
    }
}

fn is_up(link: &Value) -> bool {
    link == "up"
}

/// Runs of blanks count as one; none at the ends.
pub(super) fn blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A display as a frame.
#[must_use]
pub fn draw(rows: &Rows) -> String {
    let edge = "─".repeat(20);
    format!("┌{edge}┐\n│{:<20}│\n│{:<20}│\n└{edge}┘", rows[0], rows[1])
}

fn last_events(events: &[Seen]) -> String {
    let names: Vec<&str> = events.iter().rev().take(12).rev().map(|e| e.name.as_str()).collect();
    if names.is_empty() { "no event".into() } else { names.join(", ") }
}

fn all_slips(slips: &[&str], uncut: &str) -> String {
    let mut out: Vec<String> =
        slips.iter().enumerate().map(|(n, text)| format!("-- slip {} --\n{}", n + 1, text.trim_end())).collect();
    if !uncut.trim().is_empty() {
        out.push(format!("-- not cut --\n{}", uncut.trim_end()));
    }
    if out.is_empty() { "no slip".into() } else { out.join("\n") }
}

fn same(right: bool, wrong: impl FnOnce() -> Mismatch) -> Look {
    if right { Ok(()) } else { Err(wrong()) }
}

fn is(expected: &str, seen: String) -> Mismatch {
    Mismatch { expected: expected.to_owned(), seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drawings, each `ms` after the one before.
    fn drawings(rows: &[(&str, &str, u64)]) -> Vec<Shown> {
        let mut at = now();
        let drawing = |(upper, lower, ms): &(&str, &str, u64)| {
            at += Duration::from_millis(*ms);
            Shown { at, rows: [(*upper).to_owned(), (*lower).to_owned()] }
        };
        rows.iter().map(drawing).collect()
    }

    #[test]
    fn a_frame_that_has_passed_since_the_last_match_still_counts() {
        let history = drawings(&[
            ("STAFF NUMBER", "", 100),
            ("FLOAT     150.00 USD", "ENTER=YES  CLEAR=NO", 100),
            ("COUNT SAVED", "OPENING REGISTER", 100),
        ]);
        let mut shown = 0;
        display(&history, "FLOAT 150.00 USD", Some("ENTER=YES CLEAR=NO"), &mut shown).unwrap();
        assert_eq!(shown, 1);
        display(&history[1..], "OPENING REGISTER", None, &mut shown).unwrap();
        assert_eq!(shown, 2);
        let wrong = display(&history[2..], "STAFF NUMBER", None, &mut shown).unwrap_err();
        assert!(wrong.seen.contains("COUNT SAVED") && !wrong.seen.contains("150.00"), "{}", wrong.seen);
    }

    #[test]
    fn what_stood_too_short_to_be_read_was_never_shown() {
        let history = drawings(&[("A", "", 100), ("torn", "", 100), ("B", "", 30), ("B", "", 30), ("C", "", 40)]);
        let end = history[4].at + Duration::from_millis(10);
        let read: Vec<String> = readable(&history, end).into_iter().map(|[upper, _]| upper).collect();
        assert_eq!(read, ["A", "B"], "B was drawn twice and stood for 70 ms, C stands for 10 ms so far");
        assert_eq!(readable(&history, end + READABLE).len(), 3);
    }

    #[test]
    fn a_link_is_up_in_the_daemons_own_word_only() {
        assert!(is_up(&"up".into()));
        assert!(!is_up(&"starting".into()) && !is_up(&"down".into()) && !is_up(&Value::Null));
    }

    #[test]
    fn a_frame_is_drawn_with_its_edges() {
        let drawn = draw(&["COUNT THE FLOAT".into(), "KEY TOTAL + ENTER".into()]);
        assert_eq!(drawn.lines().nth(1), Some("│COUNT THE FLOAT     │"));
        assert!(drawn.lines().all(|l| l.chars().count() == 22));
    }

    #[test]
    fn only_the_opening_mutation_brings_a_balance() {
        assert!(is_mutation("OpenSession", &serde_json::json!({"balance": {"amount": "1.00"}})));
        assert!(!is_mutation("CountSession", &serde_json::json!({"balance": {"amount": "1.00"}, "sessionId": "x"})));
        assert!(!is_mutation("SessionsOfDevice", &serde_json::json!({"query": "point_of_sale_device_id:1"})));
    }
}

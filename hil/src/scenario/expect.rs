//! One look at the stage: is what a scenario expects there now, and if not, what is seen instead?
use rust_decimal::Decimal;
use serde_json::Value;

use super::verb::{Device, Expect, Shop, Told};
use crate::{
    bench::{Rows, SenseKind, TillRig, daemon::journal_verify, stage::Stage},
    display::Display,
};

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
        matches!(
            self,
            Self::DisplayNever(_) | Self::SlipNever(_) | Self::NoEvent(_) | Self::LogNever(_) | Self::Shop(Shop::NoSession)
        )
    }
}

/// Looks once. `shown` is the first frame of the display that may match; a match moves it.
pub async fn look(stage: &Stage, till: usize, expect: &Expect, shown: &mut usize) -> Look {
    let rig = stage.till(till).map_err(|why| is("a second till", why))?;
    match expect {
        Expect::Display { upper, lower } => display(rig.frames.from(*shown), upper, lower.as_deref(), shown),
        Expect::DisplayNever(text) => {
            let frames = rig.frames.from(stage.frames_at_key[till]);
            let wrong = frames.iter().find(|(_, rows)| rows.iter().any(|row| blanks(row).contains(&blanks(text))));
            wrong.map_or(Ok(()), |(_, rows)| Err(is(&format!("no {text:?} since the last key"), draw(rows))))
        }
        Expect::SlipSays { slip, text } => {
            let slips = slips(stage, rig);
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
            let slips = slips(stage, rig);
            let wrong = slips.iter().find(|slip| blanks(slip).contains(&blanks(text)));
            wrong.map_or(Ok(()), |slip| Err(is(&format!("no slip that says {text:?}"), slip.clone())))
        }
        Expect::Slips(number) => {
            let slips = slips(stage, rig);
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
        Expect::Event(name) => same(stage.events.has(name), || is(&format!("event {name}"), last_events(stage))),
        Expect::NoEvent(name) => same(!stage.events.has(name), || is(&format!("no event {name}"), last_events(stage))),
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

/// The slips that came out. A printer without a cutter has one: what hangs out of it and is torn off by hand.
fn slips(stage: &Stage, rig: &TillRig) -> Vec<String> {
    let mut texts: Vec<String> = rig.printer.slips().into_iter().map(|slip| slip.text).collect();
    let hangs_out = rig.printer.uncut_text();
    if !stage.bench.spec.has_cutter() && !hangs_out.trim().is_empty() {
        texts.push(hangs_out);
    }
    texts
}

fn display(frames: Vec<(std::time::Instant, Rows)>, upper: &str, lower: Option<&str>, shown: &mut usize) -> Look {
    let is_it = |rows: &Rows| match lower {
        Some(lower) => blanks(&rows[0]) == blanks(upper) && blanks(&rows[1]) == blanks(lower),
        None => rows.iter().any(|row| blanks(row) == blanks(upper)),
    };
    if let Some(at) = frames.iter().position(|(_, rows)| is_it(rows)) {
        *shown += at;
        return Ok(());
    }
    let expected = match lower {
        Some(lower) => draw(&[upper.to_owned(), lower.to_owned()]),
        None => format!("a row {upper:?}"),
    };
    let seen: Vec<String> = frames.iter().rev().take(4).rev().map(|(_, rows)| draw(rows)).collect();
    Err(is(&expected, if seen.is_empty() { "no frame".into() } else { seen.join("\n") }))
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
        Shop::NoSession => same(sessions.is_empty(), || is("no session", listed())),
        Shop::Sessions(number) => same(sessions.len() == *number, || is(&format!("{number} sessions"), listed())),
        Shop::Mutations(number) => {
            let requests = stage.bench.api.requests();
            let mutations: Vec<_> = requests.iter().filter(|r| is_mutation(&r.operation, &r.variables)).collect();
            same(mutations.len() == *number, || {
                let rows = requests.iter().rev().take(12).rev();
                let rows = rows.map(|r| {
                    format!("{} -> {} {}", r.operation, r.status, if r.executed { "executed" } else { "not executed" })
                });
                is(
                    &format!("{number} opening mutations"),
                    format!("{} of\n{}", mutations.len(), rows.collect::<Vec<_>>().join("\n")),
                )
            })
        }
    }
}

/// Only the opening mutation brings a balance.
pub(crate) fn is_mutation(operation: &str, variables: &Value) -> bool {
    operation.contains("SessionOpen") || variables.get("balance").is_some_and(|b| !b.is_null())
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
        Told::Opening(want) => {
            let seen = opening_state(stage, status);
            same(states(want).contains(&seen.as_str()), || is(&format!("opening is {want}"), format!("opening is {seen}")))
        }
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
            let sensor = stage.bench.spec.sense != SenseKind::None;
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
    link == "up" || link["state"] == "up"
}

/// As the till's status says; where it names none any more, as the last event about an opening says.
fn opening_state(stage: &Stage, status: &Value) -> String {
    if let Some(state) = status["opening"]["state"].as_str() {
        return state.to_owned();
    }
    let events = stage.events.all();
    let last = events.iter().rev().find_map(|e| e.name.strip_prefix("opening."));
    last.unwrap_or("none").to_owned()
}

/// The daemon's words for a state that a scenario names.
fn states(want: &str) -> &[&str] {
    match want {
        "waiting" => &["waiting", "will_send_later", "not_sent", "offline"],
        "counted" => &["counted", "sending", "saved"],
        "unknown" => &["unknown", "checking", "reconciling"],
        "confirmed" => &["confirmed"],
        "refused" => &["refused"],
        "needs_attention" => &["needs_attention"],
        _ => &["cancelled"],
    }
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

fn last_events(stage: &Stage) -> String {
    let events = stage.events.all();
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
    use std::time::Instant;

    use super::*;

    fn frames(rows: &[[&str; 2]]) -> Vec<(Instant, Rows)> {
        rows.iter().map(|[a, b]| (crate::bench::now(), [(*a).to_owned(), (*b).to_owned()])).collect()
    }

    #[test]
    fn a_frame_that_has_passed_since_the_last_match_still_counts() {
        let history = frames(&[
            ["STAFF NUMBER", ""],
            ["FLOAT     150.00 USD", "ENTER=YES  CLEAR=NO"],
            ["COUNT SAVED", "OPENING REGISTER"],
        ]);
        let mut shown = 0;
        display(history.clone(), "FLOAT 150.00 USD", Some("ENTER=YES CLEAR=NO"), &mut shown).unwrap();
        assert_eq!(shown, 1);
        display(history[1..].to_vec(), "OPENING REGISTER", None, &mut shown).unwrap();
        assert_eq!(shown, 2);
        let wrong = display(history[2..].to_vec(), "STAFF NUMBER", None, &mut shown).unwrap_err();
        assert!(wrong.seen.contains("COUNT SAVED") && !wrong.seen.contains("150.00"), "{}", wrong.seen);
    }

    #[test]
    fn a_status_is_read_as_the_daemon_spells_it() {
        assert!(is_up(&"up".into()) && is_up(&serde_json::json!({"state": "up"})));
        assert!(
            !is_up(&"down".into()) && !is_up(&Value::Null) && !is_up(&serde_json::json!({"state": "down", "why": "gone"}))
        );
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
        assert!(!is_mutation("SessionsOfDevice", &serde_json::json!({"query": "point_of_sale_device_id:1"})));
    }
}

//! `[[till]]` and what belongs to it: ports, profiles, drawer, display, keypads, the way of counting.
use std::{path::PathBuf, time::Duration};

use super::{
    Count, Display, Drawer, Echo, EntryMode, Flow, Keypad, Pin, Port, Printer, Sense, Till,
    reader::{At, Section, suggest},
    used::Used,
    values,
};
use crate::{
    device::profile::{self, DisplayProfile, FindError, KeypadProfile, Kind, PrinterProfile, Profile},
    money::Currency,
};

/// Characters in a row of the display.
const ROW: usize = 20;

/// What tills share while they are read.
pub(crate) struct Shared {
    pub(crate) used: Used,
    /// Profiles that override the built-in ones.
    pub(crate) folder: Option<PathBuf>,
    /// The shop's, if it is known.
    pub(crate) currency: Option<Currency>,
    /// An `endpoint` is set: waits may be as short as a test wants them.
    pub(crate) rig: bool,
}

/// One till. `None` when something is missing; the rest is checked all the same.
pub(crate) fn till(mut section: Section<'_>, shared: &mut Shared) -> Option<Till> {
    let name = values::till_name(&mut section);
    if let Some(name) = &name {
        shared.used.once(section.notes, "the till", name.value.clone(), name, "give every till a name of its own");
    }
    let device_id = values::gid(&mut section, "point_of_sale_device_id", "PointOfSaleDevice", true);
    if let Some(id) = &device_id {
        let remedy = "one register of Shopify is one till here; copy the other register's id";
        shared.used.once(section.notes, "the point of sale device", id.value.clone(), id, remedy);
    }
    let has_reason = section.has("reason_code_id");
    let reason = has_reason.then(|| values::gid(&mut section, "reason_code_id", "ReasonCode*", false));
    section.known("reason_code_id");
    let printer = section.section("printer", "[till.printer]").map(|section| printer(section, shared));
    let drawer = section.section("drawer", "[till.drawer]").map(|drawer_section| drawer(drawer_section, printer.is_some()));
    let display = section.section("display", "[till.display]").map(|section| display(section, shared, printer.is_some()));
    let keypads = section.sections("keypad", "[[till.keypad]]", true);
    let keypads: Vec<Option<Keypad>> = keypads.into_iter().map(|section| keypad(section, shared)).collect();
    let count = section.section("count", "[till.count]");
    let count = count.map_or_else(|| Some(defaults(shared.currency)), |section| count_of(section, shared));
    section.finish();
    let mut printer = given(printer)?;
    let mut drawer = given(drawer)?;
    let display = given(display)?;
    if let Some(printer) = &mut printer {
        // A display on the printer's line may have the line switched to itself: ESC = 1 takes it back.
        // Source: fact sheet of printers, section 2.5, after the DM-D110 specification. Checked on: simulator only.
        printer.profile.pass_through = display.as_ref().is_some_and(|display| display.port == Port::ViaPrinter);
        if let Some((on, off)) = drawer.as_mut().and_then(|drawer| drawer.pulse.take()) {
            let unit = printer.profile.pulse_unit.as_millis().max(1);
            let steps = |ms: u32| u8::try_from(u128::from(ms) / unit).unwrap_or(u8::MAX);
            (printer.profile.pulse_on, printer.profile.pulse_off) = (steps(on).max(1), steps(off));
        }
    }
    Some(Till {
        name: name?.value,
        device_id: device_id?.value,
        reason_code_id: given(reason)?.map(|id| id.value),
        printer,
        drawer: drawer.map(|drawer| drawer.drawer),
        display,
        keypads: keypads.into_iter().collect::<Option<_>>()?,
        count: count?,
    })
}

/// Not there is fine; there and wrong is not.
fn given<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(None) => None,
        Some(Some(part)) => Some(Some(part)),
    }
}

fn printer(mut section: Section<'_>, shared: &mut Shared) -> Option<Printer> {
    let wanted = |kind: &Kind| match kind {
        Kind::Printer(facts) => Some(facts.clone()),
        Kind::Display(_) | Kind::Keypad(_) => None,
    };
    let facts: Option<PrinterProfile> = model(&mut section, shared, "a printer", None, wanted);
    let columns = section.number("columns", 24, 64).and_then(|columns| u8::try_from(columns.value).ok());
    let port = port(&mut section, shared, &["serial", "tcp"], facts.as_ref().map_or(9600, |facts| facts.baud));
    section.finish();
    let mut facts = facts?;
    facts.columns = columns.unwrap_or(facts.columns);
    Some(Printer { profile: facts, port: port? })
}

/// A drawer, and the kick's ON and OFF in ms if the drawer wants others than the printer's profile has.
struct DrawerAndPulse {
    drawer: Drawer,
    pulse: Option<(u32, u32)>,
}

fn drawer(mut section: Section<'_>, printer: bool) -> Option<DrawerAndPulse> {
    let kick = section.choice("kick", &[("printer", ())]);
    if !printer {
        let what = "the drawer is kicked by the printer, and this till has none";
        section.notes.add(&section.place("kick"), what, "add [till.printer], or remove [till.drawer]");
    }
    for key in ["serial", "hid", "usb", "profile"] {
        let remedy = "connect it to the printer's drawer port and write kick = \"printer\"";
        section.not_yet(key, "a drawer with a port of its own is not in this version", remedy);
    }
    let pin = if section.has("connector_pin") { pin(&mut section) } else { Some(Pin::Two) };
    section.known("connector_pin");
    let senses = [("low", Sense::LowIsOpen), ("high", Sense::HighIsOpen), ("no_sensor", Sense::NoSensor)];
    let sense = section.has("open_when").then(|| section.choice("open_when", &senses).map(|sense| sense.value));
    section.known("open_when");
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let left_open_after = section.duration("left_open_after", second, day);
    let pulse = pulse(&mut section);
    let wrong_kick = section.has("kick") && kick.is_none();
    section.finish();
    if !printer || wrong_kick {
        return None;
    }
    Some(DrawerAndPulse {
        drawer: Drawer {
            pin: pin?,
            sense: sense.unwrap_or(Some(Sense::LowIsOpen))?,
            left_open_after: left_open_after.map_or(Duration::from_secs(300), |found| found.value),
        },
        pulse,
    })
}

fn pin(section: &mut Section<'_>) -> Option<Pin> {
    let pin = section.number("connector_pin", 1, 6)?;
    match pin.value {
        2 => Some(Pin::Two),
        5 => Some(Pin::Five),
        other => {
            let what = format!("`connector_pin` is {other}, and no drawer is kicked by that pin");
            section.notes.add(&pin.at, what, "write 2, or 5 for the second drawer on a splitter cable");
            None
        }
    }
}

/// `pulse_on_ms`, `pulse_off_ms`. ESC p counts both in steps of 2 ms on nearly all printers, up to 255 of them.
/// Source: TM-T88III specification. Checked on: simulator only.
fn pulse(section: &mut Section<'_>) -> Option<(u32, u32)> {
    let at = section.place("pulse_on_ms");
    let on = section.number("pulse_on_ms", 2, 510).map(|on| on.value);
    let off = section.number("pulse_off_ms", 2, 510).map(|off| off.value);
    match (on, off) {
        (Some(on), Some(off)) => Some((on, off)),
        // Four times the ON time keeps the solenoid's duty at 20 %; what is missing above 510 ms the driver waits for.
        (Some(on), None) => Some((on, on.saturating_mul(4))),
        (None, Some(_)) if !section.has("pulse_on_ms") => {
            section.notes.add(
                &at,
                "`pulse_off_ms` is there without `pulse_on_ms`",
                "write both: 100 and 500 fit most drawers",
            );
            None
        }
        (None, Some(_) | None) => None,
    }
}

fn display(mut section: Section<'_>, shared: &mut Shared, printer: bool) -> Option<Display> {
    let wanted = |kind: &Kind| match kind {
        Kind::Display(facts) => Some(*facts),
        Kind::Printer(_) | Kind::Keypad(_) => None,
    };
    let facts: Option<DisplayProfile> = model(&mut section, shared, "a pole display", None, wanted);
    let port = port(&mut section, shared, &["serial", "tcp", "via"], facts.map_or(9600, |facts| facts.baud));
    if port == Some(Port::ViaPrinter) && !printer {
        let what = "the display hangs on the printer's line, and this till has no printer";
        section.notes.add(&section.place("via"), what, "add [till.printer], or write serial = { path = \"/dev/ttyUSB1\" }");
        return None;
    }
    let echo = section.has("echo").then(|| section.choice("echo", &[("masked", Echo::Masked), ("digits", Echo::Digits)]));
    section.known("echo");
    let idle = if section.has("idle") { idle(&mut section) } else { Some(["WELCOME".to_owned(), String::new()]) };
    section.known("idle");
    section.finish();
    // Masked unless told otherwise: the display faces the shop.
    let echo = given(echo)?.map_or(Echo::Masked, |echo| echo.value);
    Some(Display { profile: facts?, port: port?, echo, idle: idle? })
}

fn idle(section: &mut Section<'_>) -> Option<[String; 2]> {
    let texts = section.texts("idle", "[\"WELCOME\", \"\"]")?;
    let too_long = texts.value.iter().find(|text| text.value.chars().count() > ROW);
    if let Some(text) = too_long {
        let letters = text.value.chars().count();
        let what = format!("{:?} has {letters} characters, and a row of the display has {ROW}", text.value);
        section.notes.add(&text.at, what, "shorten it, or go on in the second row");
        return None;
    }
    if texts.value.len() > 2 {
        let what = format!("`idle` has {} rows, and the display has 2", texts.value.len());
        section.notes.add(&texts.at, what, "write idle = [\"upper row\", \"lower row\"]");
        return None;
    }
    let mut rows = texts.value.into_iter().map(|text| text.value);
    Some([rows.next().unwrap_or_default(), rows.next().unwrap_or_default()])
}

fn keypad(mut section: Section<'_>, shared: &mut Shared) -> Option<Keypad> {
    let default = if section.has("evdev") { "usb-number-pad" } else { "serial-keypad" };
    let wanted = |kind: &Kind| match kind {
        Kind::Keypad(facts) => Some(facts.clone()),
        Kind::Printer(_) | Kind::Display(_) => None,
    };
    let facts: Option<KeypadProfile> = model(&mut section, shared, "a keypad", Some(default), wanted);
    let port = port(&mut section, shared, &["evdev", "serial"], facts.as_ref().map_or(9600, |facts| facts.baud));
    match (&facts, &port) {
        (Some(KeypadProfile { serial: false, .. }), Some(Port::Serial { .. })) => {
            let what = "this profile is that of a pad on USB, and the port is a serial one";
            section.notes.add(&section.at, what, "write profile = \"serial-keypad\", or evdev = \"/dev/input/by-id/…\"");
        }
        (Some(KeypadProfile { serial: true, .. }), Some(Port::Evdev(_))) => {
            let what = "this profile is that of a serial keypad, and the port is an input device";
            section.notes.add(&section.at, what, "write profile = \"usb-number-pad\", or serial = { path = \"/dev/…\" }");
        }
        (_, _) => {}
    }
    section.finish();
    Some(Keypad { profile: facts?, port: port? })
}

/// The facts of the profile named by `profile`, if it is of the wanted kind.
fn model<T>(
    section: &mut Section<'_>,
    shared: &Shared,
    kind: &str,
    default: Option<&str>,
    wanted: impl Fn(&Kind) -> Option<T>,
) -> Option<T> {
    let folder = shared.folder.as_deref();
    let fitting = || {
        let all = profile::names(folder).into_iter().filter_map(|name| profile::find(&name, folder).ok());
        all.filter(|profile| wanted(&profile.kind).is_some()).map(|profile| profile.name).collect::<Vec<_>>()
    };
    let name = match default {
        Some(default) if !section.has("profile") => {
            section.known("profile");
            At { value: default.to_owned(), at: section.at.clone() }
        }
        _ if !section.has("profile") => {
            section.known("profile");
            section.missing("profile", &format!("profile = with one of: {}", fitting().join(", ")));
            return None;
        }
        Some(_) | None => section.text("profile", "generic-80mm")?,
    };
    match profile::find(&name.value, folder) {
        Ok(Profile { kind: found, .. }) if wanted(&found).is_some() => wanted(&found),
        Ok(other) => {
            let what = format!("the profile {:?} is that of {}, and {kind} is wanted", name.value, other.kind_in_words());
            section.notes.add(&name.at, what, format!("known here: {}", fitting().join(", ")));
            None
        }
        Err(error @ FindError::Unknown { .. }) => {
            let fitting = fitting();
            let fitting: Vec<&str> = fitting.iter().map(String::as_str).collect();
            section.notes.add(&name.at, error.to_string(), suggest(&name.value, &fitting));
            None
        }
        Err(FindError::Broken(problems)) => {
            section.notes.adopt(&name.at, &problems);
            None
        }
    }
}

/// Where a device is: exactly one of the allowed keys.
fn port(section: &mut Section<'_>, shared: &mut Shared, allowed: &[&'static str], baud: u32) -> Option<Port> {
    const SAMPLES: [(&str, &str); 4] = [
        ("serial", "serial = { path = \"/dev/ttyUSB0\" }"),
        ("tcp", "tcp = \"192.168.1.50:9100\""),
        ("evdev", "evdev = \"/dev/input/by-id/…-event-kbd\""),
        ("via", "via = \"printer\""),
    ];
    let before = section.notes.count();
    let others: Vec<String> = allowed.iter().map(|key| format!("`{key}`")).collect();
    for (key, what) in [
        ("usb", "devices on USB without a serial port are not in this version"),
        ("hid", "devices on USB without a serial port are not in this version"),
        ("evdev", "only keypads and scanners are input devices"),
        ("tcp", "keypads and scanners are not read over the network"),
        ("via", "only a display hangs on the printer's line"),
    ] {
        if !allowed.contains(&key) {
            section.not_yet(key, what, &format!("use {}", others.join(" or ")));
        }
    }
    let named: Vec<&'static str> = allowed.iter().copied().filter(|key| section.has(key)).collect();
    let port = match named.as_slice() {
        ["serial"] => serial(section, shared, baud),
        ["tcp"] => values::host_port(section, "tcp").map(|address| {
            shared.used.address(section.notes, &address, REMEDY_USED);
            Port::Tcp(address.value)
        }),
        ["evdev"] => values::device_path(section, "evdev", "/dev/input/by-id/…-event-kbd").map(|path| {
            shared.used.path(section.notes, "the device", &path, REMEDY_USED);
            Port::Evdev(path.value)
        }),
        ["via"] => section.choice("via", &[("printer", ())]).map(|_| Port::ViaPrinter),
        [] if section.notes.count() > before => None,
        [] => {
            let samples: Vec<&str> =
                SAMPLES.iter().filter(|(key, _)| allowed.contains(key)).map(|(_, sample)| *sample).collect();
            section.nowhere(&samples.join(" or "));
            None
        }
        [first, second, ..] => {
            let what = format!("the device is in two places: `{first}` and `{second}`");
            section.notes.add(&section.place(second), what, "keep the one that it is connected to");
            None
        }
        [_] => None,
    };
    for key in allowed {
        section.known(key);
    }
    port
}

const REMEDY_USED: &str = "every device has a port of its own: correct one of the two lines";

fn serial(section: &mut Section<'_>, shared: &mut Shared, default_baud: u32) -> Option<Port> {
    if let Some(path) = section.bare_text("serial") {
        let what = "`serial` is a text, and a table is wanted";
        section.notes.add(&path.at, what, format!("write serial = {{ path = {:?} }}", path.value));
        return None;
    }
    let mut serial = section.section("serial", "`serial`")?;
    let path = values::device_path(&mut serial, "path", "/dev/ttyUSB0");
    if let Some(path) = &path {
        shared.used.path(serial.notes, "the device", path, REMEDY_USED);
    }
    let has_baud = serial.has("baud");
    let baud = values::baud(&mut serial, false);
    let flows = [("none", Flow::None), ("hardware", Flow::Hardware), ("software", Flow::Software)];
    let flow = serial.has("flow_control").then(|| serial.choice("flow_control", &flows).map(|flow| flow.value));
    serial.known("flow_control");
    serial.finish();
    let baud = if has_baud { baud? } else { default_baud };
    Some(Port::Serial { path: path?.value, baud, flow: given(flow)?.unwrap_or(Flow::None) })
}

fn defaults(currency: Option<Currency>) -> Count {
    Count {
        entry: EntryMode::Total,
        denominations: currency.map(Currency::denominations).unwrap_or_default(),
        expected_float: None,
        blind: true,
        max_age: Duration::from_secs(4 * 3600),
        entry_exponent: currency.map_or(2, Currency::default_entry_exponent),
        second_slip: true,
        idle_timeout: Duration::from_secs(120),
        count_timeout: Duration::from_secs(600),
    }
}

/// A question that is gone before it is read cannot be answered.
const IDLE_SHOP_MIN: Duration = Duration::from_secs(10);

fn count_of(mut section: Section<'_>, shared: &Shared) -> Option<Count> {
    let currency = shared.currency;
    let defaults = defaults(currency);
    let entries = [("total", EntryMode::Total), ("denominations", EntryMode::Denominations)];
    let entry = section.choice("entry", &entries).map(|entry| entry.value);
    let (second, hour, day) = (Duration::from_secs(1), Duration::from_secs(3600), Duration::from_secs(86_400));
    let blind = section.flag("blind");
    let max_age = section.duration("max_age", second, 7 * day).map(|found| found.value);
    // Without a currency nothing is known of its decimals; the currency's own mistake is noted already.
    let entry_exponent = section.number("entry_exponent", 0, currency.map_or(4, Currency::exponent));
    let listed = section.has("denominations");
    let denominations = currency.and_then(|currency| values::denominations(&mut section, currency));
    let expected_float = currency.and_then(|currency| values::amount(&mut section, "expected_float", currency));
    section.known("denominations");
    section.known("expected_float");
    let second_slip = section.flag("second_slip");
    let shortest = if shared.rig { second } else { IDLE_SHOP_MIN };
    let idle_timeout = section.duration("idle_timeout", shortest, hour).map(|found| found.value);
    let count_timeout = section.duration("count_timeout", shortest, 4 * hour).map(|found| found.value);
    let denominations = denominations.unwrap_or(defaults.denominations);
    match currency {
        Some(currency) if entry == Some(EntryMode::Denominations) && denominations.is_empty() && !listed => {
            let what = format!("the coins and notes of {} are not known here", currency.code());
            let remedy = "write entry = \"total\", or list them: denominations = [\"10.00\", \"5.00\", …]";
            section.notes.add(&section.place("entry"), what, remedy);
        }
        Some(_) | None => {}
    }
    section.finish();
    // A value that was there and wrong has been noted: the defaults below are then not used by anyone.
    Some(Count {
        entry: entry.unwrap_or(defaults.entry),
        denominations,
        expected_float: expected_float.map(|found| found.value),
        blind: blind.unwrap_or(defaults.blind),
        max_age: max_age.unwrap_or(defaults.max_age),
        entry_exponent: entry_exponent.map_or(defaults.entry_exponent, |found| found.value),
        second_slip: second_slip.unwrap_or(defaults.second_slip),
        idle_timeout: idle_timeout.unwrap_or(defaults.idle_timeout),
        count_timeout: count_timeout.unwrap_or(defaults.count_timeout),
    })
}

//! `profile.toml` → [`Profile`]. Mistakes are named like those of the settings: file, line, column, remedy.
use std::{path::Path, time::Duration};

use super::{CodePage, DisplayDialect, DisplayProfile, KeypadProfile, Kind, PrinterProfile, Profile};
use crate::config::{
    Problems,
    reader::{Section, parse as parse_toml},
    report::Notes,
    values::baud,
};

/// Code pages by the name that profiles use.
const CODE_PAGES: [(&str, CodePage); 4] =
    [("pc437", CodePage::Pc437), ("pc850", CodePage::Pc850), ("wpc1252", CodePage::Wpc1252), ("pc858", CodePage::Pc858)];

/// Reads one profile. `file` is what mistakes are reported under; `name` is the name of the profile's folder.
pub fn parse(file: &str, name: &str, text: &str) -> Result<Profile, Problems> {
    let notes = Notes::new(file, text, Path::new(""));
    let profile = parse_toml(text, &notes).and_then(|root| profile(Section::root(&root, &notes), name));
    notes.finish(profile)
}

fn profile(mut root: Section<'_>, name: &str) -> Option<Profile> {
    let title = root.required("title", "Maker and model");
    let printer = root.section("printer", "[printer]").map(|section| printer(section).map(Kind::Printer));
    let display = root.section("display", "[display]").map(|section| display(section).map(Kind::Display));
    let keypad = root.section("keypad", "[keypad]").map(|section| keypad(section).map(Kind::Keypad));
    let mut kinds: Vec<Option<Kind>> = [printer, display, keypad].into_iter().flatten().collect();
    if kinds.len() != 1 {
        let what = if kinds.is_empty() { "the profile is of no kind" } else { "the profile is of several kinds" };
        root.notes.add(&root.at, what, "write exactly one of [printer], [display] and [keypad], with the model's facts");
        root.finish();
        return None;
    }
    root.finish();
    Some(Profile { name: name.to_owned(), title: title?.value, kind: kinds.pop()?? })
}

fn printer(mut section: Section<'_>) -> Option<PrinterProfile> {
    // One language so far; the key is there so that a profile of another one is refused and not misread.
    let language = section.choice("language", &[("escpos", ())]);
    let columns = section.needed_number("columns", 24, 64);
    let code_page = section.needed_choice("code_page", &CODE_PAGES);
    let baud = baud(&mut section, true);
    let pulse = pulse(&mut section);
    let mut flag = |key| section.needed_flag(key);
    let (asb, process_id, transmit_status) = (flag("asb"), flag("process_id"), flag("transmit_status"));
    let (identity_text, qr, cutter) = (flag("identity_text"), flag("qr"), flag("cutter"));
    if !section.has("language") {
        section.missing("language", "language = \"escpos\"");
    }
    section.finish();
    let (pulse_on, pulse_off, pulse_unit) = pulse?;
    language?;
    Some(PrinterProfile {
        columns: u8::try_from(columns?).ok()?,
        code_page: code_page?,
        pulse_on,
        pulse_off,
        pulse_unit,
        asb: asb?,
        process_id: process_id?,
        transmit_status: transmit_status?,
        identity_text: identity_text?,
        qr: qr?,
        cutter: cutter?,
        baud: baud?,
        // Wiring, not a fact of the model: set when the till's display hangs on the printer's line.
        pass_through: false,
    })
}

/// ON and OFF in units, and the unit. ON is 1..=255 units and OFF 0..=255; both must be whole units.
/// Source: TM-T88III, TM-T81 and TM-U950 specifications, `ESC p`. Checked on: simulator only.
fn pulse(section: &mut Section<'_>) -> Option<(u8, u8, Duration)> {
    let at = section.place("pulse_on_ms");
    let unit = section.number("pulse_unit_ms", 1, 100).map(|unit| unit.value);
    let unit_ms = unit.or_else(|| (!section.has("pulse_unit_ms")).then_some(2));
    // 510 ms is the longest that two-millisecond units allow, and the longest that Citizen permits at all.
    let on = section.needed_number("pulse_on_ms", 1, 510);
    let off = section.needed_number("pulse_off_ms", 0, 2550);
    let (unit_ms, on, off) = (unit_ms?, on?, off?);
    let units = |ms: u32| u8::try_from(ms / unit_ms).ok().filter(|_| ms.is_multiple_of(unit_ms));
    match (units(on).filter(|on| *on > 0), units(off)) {
        (Some(on), Some(off)) => Some((on, off, Duration::from_millis(u64::from(unit_ms)))),
        (_, _) => {
            let what = format!("a kick of {on} ms on and {off} ms off cannot be written in steps of {unit_ms} ms");
            let remedy = format!("use whole multiples of {unit_ms} ms, at most {} ms", unit_ms * 255);
            section.notes.add(&at, what, remedy);
            None
        }
    }
}

fn display(mut section: Section<'_>) -> Option<DisplayProfile> {
    let dialects = [("escpos", DisplayDialect::EscPos), ("cd5220", DisplayDialect::Cd5220)];
    let dialect = section.needed_choice("dialect", &dialects);
    let code_page = section.needed_choice("code_page", &CODE_PAGES);
    let brightness = section.needed_number("brightness", 1, 4);
    let baud = baud(&mut section, true);
    section.finish();
    Some(DisplayProfile {
        dialect: dialect?,
        code_page: code_page?,
        brightness: u8::try_from(brightness?).ok()?,
        baud: baud?,
    })
}

fn keypad(mut section: Section<'_>) -> Option<KeypadProfile> {
    // A pad on USB has none; 9600 is what serial ones are shipped with.
    let serial = section.has("baud");
    let baud = if serial { baud(&mut section, true) } else { Some(9600) };
    section.known("baud");
    // A hand needs about 80 ms from key to key; a gap above a fifth of a second would make badges of fast typing.
    let burst_gap = section.needed_duration("burst_gap", Duration::from_millis(1), Duration::from_millis(200));
    let zero_pair_gap = section.needed_duration("zero_pair_gap", Duration::from_millis(1), Duration::from_millis(200));
    section.finish();
    Some(KeypadProfile { serial, baud: baud?, burst_gap: burst_gap?, zero_pair_gap: zero_pair_gap? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTER: &str = "title = \"X\"\n[printer]\nlanguage = \"escpos\"\ncolumns = 42\ncode_page = \"pc437\"\nbaud = 9600\n\
        pulse_on_ms = 100\npulse_off_ms = 500\nasb = true\nprocess_id = false\ntransmit_status = true\n\
        identity_text = false\nqr = true\ncutter = true\n";

    #[test]
    fn a_printer_counts_its_pulse_in_its_own_units() {
        let of = |text: &str| match parse("p", "x", text).unwrap().kind {
            Kind::Printer(printer) => (printer.pulse_on, printer.pulse_off, printer.pulse_unit.as_millis()),
            Kind::Display(_) | Kind::Keypad(_) => panic!("a printer"),
        };
        assert_eq!(of(PRINTER), (50, 250, 2));
        // TM-U950 counts in 10 ms.
        assert_eq!(of(&PRINTER.replace("asb", "pulse_unit_ms = 10\nasb")), (10, 50, 10));
        let refused = parse("p", "x", &PRINTER.replace("= 500", "= 501")).unwrap_err().to_string();
        assert!(refused.starts_with("p:7:"), "{refused}");
        assert!(refused.contains("whole multiples of 2 ms, at most 510 ms"), "{refused}");
    }

    #[test]
    fn every_fact_of_a_printer_must_be_there() {
        let mut missing = 0;
        for line in PRINTER.lines().filter(|line| line.contains(" = ")) {
            let text = PRINTER.replace(&format!("{line}\n"), "");
            let problems = parse("p", "x", &text).unwrap_err();
            let key = line.split(' ').next().unwrap();
            assert!(problems.iter().any(|p| p.what.contains(key)), "{key}: {problems}");
            missing += 1;
        }
        assert_eq!(missing, 13);
    }

    #[test]
    fn a_profile_is_of_one_kind() {
        for text in
            ["title = \"X\"\n", &format!("{PRINTER}[keypad]\nbaud = 9600\nburst_gap = \"30ms\"\nzero_pair_gap = \"20ms\"\n")]
        {
            let refused = parse("p", "x", text).unwrap_err().to_string();
            assert!(refused.contains("exactly one of [printer], [display] and [keypad]"), "{refused}");
        }
    }
}

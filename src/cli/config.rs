//! `drawerbridge config check` and `drawerbridge config example`.
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use serde_json::json;

use crate::config::{self, EXAMPLE, Problem, Problems, Settings};

/// Exit code for a wrong configuration, `EX_CONFIG` of sysexits.h.
pub const EXIT_CONFIG: u8 = 78;

/// Reads the settings and says that they are fine, or all that is wrong with them.
#[must_use]
pub fn check(path: &Path, json: bool) -> ExitCode {
    let loaded = config::load_for_check(path);
    let code = if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
    let text = match (&loaded, json) {
        (Ok((settings, remarks)), false) => {
            let fine = format!("{} is fine: {}", path.display(), summary(settings));
            remarks.iter().fold(fine, |text, remark| format!("{text}\nremark: {remark}"))
        }
        (Err(problems), false) => problems.to_string(),
        (Ok((settings, remarks)), true) => fine_as_json(path, settings, remarks),
        (Err(problems), true) => problems_as_json(path, problems),
    };
    say(&text, code)
}

/// Prints a whole settings file to fill in.
#[must_use]
pub fn example() -> ExitCode {
    say(EXAMPLE.trim_end(), ExitCode::SUCCESS)
}

/// `1 till, 2 staff, 1 printer, …`: only what is there.
fn summary(settings: &Settings) -> String {
    let mut parts: Vec<String> = counts(settings)
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(thing, number)| match thing {
            "staff" => format!("{number} staff"),
            _ => format!("{number} {thing}{}", if number == 1 { "" } else { "s" }),
        })
        .collect();
    parts.push(format!("journal {}", settings.journal.display()));
    parts.push(format!("shop {}", settings.shop.domain));
    parts.join(", ")
}

fn counts(settings: &Settings) -> [(&'static str, usize); 6] {
    let tills = &settings.tills;
    [
        ("till", tills.len()),
        ("staff", settings.staff.len()),
        ("printer", tills.iter().filter(|till| till.printer.is_some()).count()),
        ("drawer", tills.iter().filter(|till| till.drawer.is_some()).count()),
        ("display", tills.iter().filter(|till| till.display.is_some()).count()),
        ("keypad", tills.iter().map(|till| till.keypads.len()).sum()),
    ]
}

fn fine_as_json(path: &Path, settings: &Settings, remarks: &[Problem]) -> String {
    let counts: serde_json::Map<String, serde_json::Value> =
        counts(settings).into_iter().map(|(thing, number)| (thing.to_owned(), json!(number))).collect();
    let names: Vec<&str> = settings.tills.iter().map(|till| till.name.as_str()).collect();
    json!({
        "file": path.display().to_string(), "fine": true, "counts": counts, "tills": names,
        "shop": settings.shop.domain, "journal": settings.journal.display().to_string(),
        "listen": settings.api.listen.to_string(), "problems": [], "remarks": remarks,
    })
    .to_string()
}

fn problems_as_json(path: &Path, problems: &Problems) -> String {
    json!({ "file": path.display().to_string(), "fine": false, "problems": problems }).to_string()
}

/// Writes a line to stdout. A reader that has gone (`| head`) is no failure of ours; a full disk is.
fn say(text: &str, code: ExitCode) -> ExitCode {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Ok(()) | Err(_) => code,
    }
}

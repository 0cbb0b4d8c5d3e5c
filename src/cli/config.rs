//! `drawerbridge config check` and `drawerbridge config example`.
use std::{path::Path, process::ExitCode};

use serde_json::json;

use super::{BAD_CONFIG, say_last};
use crate::config::{self, EXAMPLE, Problem, Problems, Settings};

pub(super) const LONG: &str = "\
Examples:
  drawerbridge config example > drawerbridge.toml
  drawerbridge config check --config drawerbridge.toml";

pub(super) const LONG_CHECK: &str = "\
Reads the file and the secrets it names, as `run` does, and opens no device and no connection. Every mistake is
told with its line, its column and what to do. Exit code 78 when there is one. Credentials that systemd hands to the
running service alone cannot be seen from here: they are remarked on, and are no mistake.

Examples:
  drawerbridge config check --config drawerbridge.toml
  drawerbridge config check --json | jq '.problems'";

/// Reads the settings and says that they are fine, or all that is wrong with them.
#[must_use]
pub fn check(path: &Path, json: bool) -> ExitCode {
    let loaded = config::load_for_check(path);
    let code = if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(BAD_CONFIG) };
    let text = match (&loaded, json) {
        (Ok((settings, remarks)), false) => {
            let fine = format!("{} is fine: {}", path.display(), summary(settings));
            remarks.iter().fold(fine, |text, remark| format!("{text}\nremark: {remark}"))
        }
        (Err(problems), false) => problems.to_string(),
        (Ok((settings, remarks)), true) => fine_as_json(path, settings, remarks),
        (Err(problems), true) => problems_as_json(path, problems),
    };
    say_last(text, code)
}

/// Prints a whole settings file to fill in.
#[must_use]
pub fn example() -> ExitCode {
    say_last(EXAMPLE.trim_end(), ExitCode::SUCCESS)
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

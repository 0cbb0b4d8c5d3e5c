//! Scenarios: short text files that read like what happens at a counter, played against the real daemon process.
//!
//! ```text
//! title the float is counted as one total
//! drawer opened with key
//! display shows "STAFF NUMBER"
//! type 1042 Enter
//! display shows "COUNT THE FLOAT" / "KEY TOTAL + ENTER"
//! type 15000 Enter
//! display shows "FLOAT 150.00 USD"
//! press Enter
//! session open with 150.00
//! slip says "150.00"
//! ```
//! Steps run in order. `at 3.0 …` waits until that many seconds after the start; an expectation holds as soon as it is
//! seen, and fails after 5 s, or what `within 10s` says (both times `DRAWERBRIDGE_HIL_PATIENCE`, where that is set). What must
//! not be seen is looked for once, or for as long as `within` says. The daemon is started before the first step, unless a
//! step starts it. `drawerbridge-hil verbs` lists every sentence.
//!
//! ## What counts as seen
//! Doing something makes what came before it old. `event` is about this till's events since something was last done at it, at
//! the shop or with the daemon; `display shows` about what was drawn since the last thing that the display has to answer: a
//! key, a badge, the drawer, a kick, the POS, its own plug, a start of the daemon. A picture that is drawn again is new.
//! `display now …` is about what stands there, whenever it was drawn. `no event` looks back to the beginning, `no new event`
//! does not.
mod expect;
mod grammar;
mod parse;
mod perform;
pub mod report;
mod run;
pub mod verb;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use expect::is_mutation;
pub use expect::{Mismatch, draw, look};
pub use grammar::list as sentences;
pub use parse::{ParseErrors, Scenario, Step, parse, step};
pub use perform::{Manner, Play};
pub use report::Report;
pub use run::{RunOptions, play, play_all};

/// Reads files, and every `*.scenario` of folders, in the order of their names.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Scenario>, ParseErrors> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match files_of(path) {
            Ok(found) => files.extend(found),
            Err(why) => errors.push(why),
        }
    }
    let mut scenarios = Vec::new();
    for file in files {
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) => {
                errors.push(format!("{}: {e}", file.display()));
                continue;
            }
        };
        match parse(&file.display().to_string(), &text) {
            Ok(scenario) => scenarios.push(scenario),
            Err(more) => errors.extend(more.0),
        }
    }
    if errors.is_empty() { Ok(scenarios) } else { Err(ParseErrors(errors)) }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(wrong)? {
        let file = entry.map_err(wrong)?.path();
        if file.extension().is_some_and(|e| e == "scenario") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: no *.scenario file is in it", path.display())) } else { Ok(files) }
}

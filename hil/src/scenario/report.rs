//! What came of a scenario, as text: every step with its time, and the first line that went wrong with what was seen.
use std::{fmt, path::PathBuf, time::Duration};

use super::{expect::Mismatch, parse::Scenario};

/// One step that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The file's line; 0 for what the runner does by itself.
    pub line: usize,
    /// As written.
    pub text: String,
    /// When it was over, since the start.
    pub at: Duration,
    /// Whether it went well.
    pub ok: bool,
}

/// The first thing that went wrong, and how it looked around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Expected and seen.
    pub mismatch: Mismatch,
    /// The display, drawn.
    pub display: Option<String>,
    /// The last events.
    pub events: Vec<String>,
    /// The daemon's last lines.
    pub log: Vec<String>,
}

impl Failure {
    /// Before anything was up.
    pub(super) const fn bare(mismatch: Mismatch) -> Self {
        Self { mismatch, display: None, events: Vec::new(), log: Vec::new() }
    }
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file's name without its ending.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The steps that were tried.
    pub steps: Vec<StepReport>,
    /// How many there are in the file.
    pub of: usize,
    /// All in all.
    pub took: Duration,
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// The folder, where it was kept.
    pub dir: Option<PathBuf>,
}

impl Report {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            steps: Vec::new(),
            of: scenario.steps.len(),
            took: Duration::ZERO,
            failure: None,
            dir: None,
        }
    }
    /// Whether all went well.
    #[must_use]
    pub const fn ok(&self) -> bool {
        self.failure.is_none()
    }
    /// One line.
    #[must_use]
    pub fn line(&self) -> String {
        let mark = if self.ok() { '✓' } else { '✗' };
        let seconds = seconds(self.took);
        match self.steps.last().filter(|_| !self.ok()) {
            Some(step) => format!("{mark} {:<32} {seconds:>7}  line {}: {}", self.name, step.line, step.text),
            None => format!("{mark} {:<32} {seconds:>7}  {}", self.name, self.title),
        }
    }
}

/// The last line of a run: how many, and how many went wrong.
#[must_use]
pub fn summary(reports: &[Report], took: Duration) -> String {
    let wrong: Vec<&str> = reports.iter().filter(|r| !r.ok()).map(|r| r.name.as_str()).collect();
    let all = reports.len();
    if wrong.is_empty() {
        return format!("{all} scenarios, all as they should be, in {}", seconds(took));
    }
    format!("{all} scenarios in {}, {} went wrong: {}", seconds(took), wrong.len(), wrong.join(", "))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.title)?;
        for step in &self.steps {
            let mark = if step.ok { '✓' } else { '✗' };
            let line = if step.line == 0 { String::new() } else { step.line.to_string() };
            writeln!(f, "  {mark} {:>8} {line:>4}  {}", seconds(step.at), step.text)?;
        }
        if let Some(failure) = &self.failure {
            writeln!(f, "    expected {}", indented(&failure.mismatch.expected))?;
            writeln!(f, "    seen     {}", indented(&failure.mismatch.seen))?;
            if let Some(display) = &failure.display {
                writeln!(f, "    display  {}", indented(display))?;
            }
            block(f, "last events", &failure.events)?;
            block(f, "the daemon's last lines", &failure.log)?;
        }
        if let Some(dir) = &self.dir {
            writeln!(f, "    folder   {}", dir.display())?;
        }
        Ok(())
    }
}

fn block(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return writeln!(f, "    {title}: none");
    }
    writeln!(f, "    {title}:")?;
    lines.iter().try_for_each(|line| writeln!(f, "      {line}"))
}

/// Lines after the first stand under it.
fn indented(text: &str) -> String {
    text.replace('\n', "\n             ")
}

/// `3.042 s`.
fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failure: Option<Failure>) -> Report {
        let step = |line, text: &str, ms, ok| StepReport { line, text: text.into(), at: Duration::from_millis(ms), ok };
        let last = failure.is_none();
        Report {
            name: "wrong-number".into(),
            title: "a wrong staff number".into(),
            steps: vec![
                step(0, "(daemon starts)", 31, true),
                step(3, "type 9999 Enter", 90, true),
                step(4, "display shows \"X\"", 5090, last),
            ],
            of: 2,
            took: Duration::from_millis(5_100),
            failure,
            dir: None,
        }
    }

    #[test]
    fn a_failure_shows_the_line_what_was_expected_and_what_was_seen() {
        let display = super::super::expect::draw(&["STAFF NUMBER".into(), String::new()]);
        let mismatch = Mismatch { expected: "a row \"X\"".into(), seen: display.clone() };
        let failure = Failure { mismatch, display: Some(display), events: vec!["{\"seq\":1}".into()], log: vec![] };
        let text = report(Some(failure)).to_string();
        let expected = "\
wrong-number: a wrong staff number
  ✓  0.031 s       (daemon starts)
  ✓  0.090 s    3  type 9999 Enter
  ✗  5.090 s    4  display shows \"X\"
    expected a row \"X\"
    seen     ┌────────────────────┐
             │STAFF NUMBER        │
             │                    │
             └────────────────────┘
    display  ┌────────────────────┐
             │STAFF NUMBER        │
             │                    │
             └────────────────────┘
    last events:
      {\"seq\":1}
    the daemon's last lines: none
";
        assert_eq!(text, expected);
    }

    #[test]
    fn one_line_and_the_summary_say_how_it_went() {
        let good = report(None);
        let bad = report(Some(Failure::bare(Mismatch { expected: "a".into(), seen: "b".into() })));
        assert!(good.line().starts_with('✓') && good.line().ends_with("a wrong staff number"), "{}", good.line());
        assert!(bad.line().contains("line 4: display shows"), "{}", bad.line());
        assert!(summary(std::slice::from_ref(&good), Duration::from_secs(2)).contains("1 scenarios, all"));
        assert!(summary(&[good, bad], Duration::from_secs(2)).contains("1 went wrong: wrong-number"));
    }
}

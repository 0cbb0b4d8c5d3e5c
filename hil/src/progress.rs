//! A progress bar for what takes minutes: how much is done, how quick it goes, how long it still takes.
//!
//! It writes to stderr, results go to stdout. On a terminal one line is drawn again in place, at most ten times a second;
//! elsewhere, in a log say, a line of its own is written every half minute.
use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::line::now;

/// Oftener nobody can read it.
const REDRAW: Duration = Duration::from_millis(100);
/// Long enough to keep a log short, short enough to see that something is still being done.
const LOG_LINE: Duration = Duration::from_secs(30);
/// Cells of the bar itself.
const CELLS: u64 = 24;

/// The bar. Steps may be reported from several tasks and threads.
pub struct Progress {
    label: String,
    total: u64,
    done: AtomicU64,
    start: Instant,
    terminal: bool,
    drawn: Mutex<Instant>,
}

impl Progress {
    /// Begins at nothing done. A `total` of 0 is not known: there is a count and a rate, but no end.
    #[must_use]
    pub fn new(label: &str, total: u64) -> Self {
        let start = now();
        let terminal = io::stderr().is_terminal();
        Self { label: label.to_owned(), total, done: AtomicU64::new(0), start, terminal, drawn: Mutex::new(start) }
    }

    /// So much more is done.
    pub fn step(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed).saturating_add(n);
        let every = if self.terminal { REDRAW } else { LOG_LINE };
        // Somebody else draws just now: the next step shows this one, too.
        let Ok(mut drawn) = self.drawn.try_lock() else { return };
        let at = now();
        if at.duration_since(*drawn) >= every {
            *drawn = at;
            self.draw(&self.line(done, at), false);
        }
    }

    /// How much is done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How long it has taken so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        now().duration_since(self.start)
    }

    /// A line about something that happened meanwhile, above the bar.
    pub fn note(&self, text: &dyn fmt::Display) {
        let _drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        // Without a stderr there is nobody to tell.
        drop(writeln!(io::stderr(), "{clear}{text}"));
    }

    /// Draws the last state and leaves the line.
    pub fn finish(&self) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        *drawn = now();
        self.draw(&self.line(self.done(), *drawn), true);
    }

    fn line(&self, done: u64, at: Instant) -> String {
        line(&self.label, done, self.total, at.duration_since(self.start), self.terminal)
    }

    fn draw(&self, line: &str, last: bool) {
        let mut err = io::stderr().lock();
        let end = if last || !self.terminal { "\n" } else { "" };
        let begin = if self.terminal { "\r" } else { "" };
        let clear = if self.terminal { "\x1b[K" } else { "" };
        // Without a stderr there is nobody to show it to.
        drop(write!(err, "{begin}{line}{clear}{end}").and_then(|()| err.flush()));
    }
}

/// `kill 1,200/10,000 [===>      ] 12 %, 61/s, 2 min 24 s left`
fn line(label: &str, done: u64, total: u64, took: Duration, bar: bool) -> String {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    // Tenths of what is done in a second.
    let tenths = done.saturating_mul(10_000) / ms;
    let rate =
        if tenths < 100 { format!("{}.{}/s", tenths / 10, tenths % 10) } else { format!("{}/s", grouped(tenths / 10)) };
    if total == 0 {
        return format!("{label} {}, {rate}, {}", grouped(done), span(ms / 1_000));
    }
    let done = done.min(total);
    let percent = done.saturating_mul(100) / total;
    let left = match done {
        0 => "time left not known yet".to_owned(),
        _ if done == total => format!("took {}", span(ms / 1_000)),
        _ => format!("{} left", span(ms.saturating_mul(total - done) / done / 1_000)),
    };
    let cells = if bar {
        let full = usize::try_from(done.saturating_mul(CELLS) / total).unwrap_or(0);
        let width = usize::try_from(CELLS).unwrap_or(0);
        format!("[{:<width$}] ", "=".repeat(full))
    } else {
        String::new()
    };
    format!("{label} {}/{} {cells}{percent} %, {rate}, {left}", grouped(done), grouped(total))
}

/// `1,234,567`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_quick_and_how_long() {
        let secs = Duration::from_secs;
        assert_eq!(line("kill", 0, 100, secs(0), false), "kill 0/100 0 %, 0.0/s, time left not known yet");
        assert_eq!(line("kill", 1_200, 10_000, secs(20), false), "kill 1,200/10,000 12 %, 60/s, 2 min 26 s left");
        assert_eq!(line("kill", 50, 100, secs(20), true), "kill 50/100 [============            ] 50 %, 2.5/s, 20 s left");
        assert_eq!(line("kill", 100, 100, secs(7_500), false), "kill 100/100 100 %, 0.0/s, took 2 h 5 min");
        assert_eq!(line("model", 1_234_567, 0, secs(2), false), "model 1,234,567, 617,283/s, 2 s");
    }

    #[test]
    fn steps_of_all_threads_are_counted() {
        let progress = Progress::new("test", 400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.step(1)));
            }
        });
        assert_eq!(progress.done(), 400);
    }
}

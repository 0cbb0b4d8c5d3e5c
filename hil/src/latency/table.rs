//! The table that `latency` prints: each row with its aim, its floor and a verdict.
use std::{fmt, time::Duration};

use super::stats::Distribution;

/// What a row should reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aim {
    /// The median is at most this many times the floor's median.
    pub times_floor: Option<u32>,
    /// The median is at most this.
    pub median: Option<Duration>,
    /// The 99th percentile is at most this.
    pub p99: Option<Duration>,
    /// The number is at most this, for rows that count.
    pub at_most: Option<u64>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measured {
    /// Times.
    Times {
        /// The daemon's.
        daemon: Distribution,
        /// The floor's, where there is one, with its name.
        floor: Option<(Distribution, &'static str)>,
    },
    /// Nothing, and why.
    Failed(String),
    /// One number with its unit.
    Number {
        /// How much.
        value: u64,
        /// Of what.
        unit: &'static str,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Place in the table.
    pub order: u8,
    /// From → to.
    pub name: &'static str,
    /// What it should reach.
    pub aim: Aim,
    /// What it did reach.
    pub measured: Measured,
    /// Something to know about this run, if anything.
    pub remark: Option<String>,
}

/// How a row stands to its aim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Reached.
    Ok,
    /// Not reached, and by what.
    Short(Vec<String>),
}

impl Row {
    /// Compares with the aim.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut short = Vec::new();
        match &self.measured {
            Measured::Times { daemon, floor } => {
                let median = daemon.percentile(50);
                if let (Some(times), Some((floor, _))) = (self.aim.times_floor, floor)
                    && median > floor.percentile(50) * times
                {
                    short.push(format!("median is {} × floor", tenths(median, floor.percentile(50))));
                }
                if let Some(limit) = self.aim.median.filter(|limit| median > *limit) {
                    short.push(format!("median {} > {}", time(median), time(limit)));
                }
                let p99 = daemon.percentile(99);
                if let Some(limit) = self.aim.p99.filter(|limit| p99 > *limit) {
                    short.push(format!("p99 {} > {}", time(p99), time(limit)));
                }
            }
            Measured::Failed(why) => short.push(format!("not measured: {why}")),
            Measured::Number { value, unit } => {
                if let Some(limit) = self.aim.at_most.filter(|limit| value > limit) {
                    short.push(format!("{value} > {limit} {unit}"));
                }
            }
        }
        if short.is_empty() { Verdict::Ok } else { Verdict::Short(short) }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.times_floor.map(|n| format!("median ≤ {n}× floor")),
            self.median.map(|t| format!("median ≤ {}", time(t))),
            self.p99.map(|t| format!("p99 ≤ {}", time(t))),
            self.at_most.map(|n| format!("≤ {n}")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// All rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// In the order they are shown.
    pub rows: Vec<Row>,
    /// What it ran on.
    pub machine: String,
    /// The daemon that was measured.
    pub program: String,
}

impl Table {
    /// Takes a row, or why it could not be measured.
    pub(super) fn take(&mut self, order: u8, name: &'static str, row: Result<Row, String>) {
        let failed = |why| Row { order, name, aim: Aim::default(), measured: Measured::Failed(why), remark: None };
        self.rows.push(row.unwrap_or_else(failed));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("{:<28} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "runs", "min", "p50", "p90", "p99", "max");
        writeln!(f, "{head}")?;
        for row in &self.rows {
            writeln!(f, "{}", row.name)?;
            match &row.measured {
                Measured::Times { daemon, floor } => {
                    writeln!(f, "{}", line("  drawerbridge", daemon))?;
                    if let Some((floor, name)) = floor {
                        writeln!(f, "{}", line(&format!("  {name}"), floor))?;
                    }
                }
                Measured::Failed(_) => {}
                Measured::Number { value, unit } => writeln!(f, "  {value} {unit}")?,
            }
            match row.verdict() {
                Verdict::Ok => writeln!(f, "  aim {}: ok", row.aim)?,
                Verdict::Short(why) => writeln!(f, "  aim {}: short ({})", row.aim, why.join("; "))?,
            }
            if let Some(remark) = &row.remark {
                writeln!(f, "  {remark}")?;
            }
        }
        writeln!(
            f,
            "\nEach floor was measured in this run, at the rhythm of the row it belongs to: a processor that slept is slow to\n\
             wake, for a bare reader too. Percentiles are measured values (nearest rank)."
        )?;
        writeln!(
            f,
            "reader + chunk: the same bytes through a blocking reader of a pty and a chunk on a loopback connection."
        )?;
        writeln!(
            f,
            "http + write:   a round trip on a warm loopback connection, plus five bytes written to a pair and read."
        )?;
        writeln!(f, "one piece:      computed: 64 bytes at the line's speed; a kick can wait for no less.")?;
        writeln!(f, "commits + dial: two durable SQLite commits in the same folder, plus a fresh loopback connection.")?;
        writeln!(f, "daemon:  {}\nmachine: {}", self.program, self.machine)
    }
}

fn line(name: &str, d: &Distribution) -> String {
    let [min, p50, p90, p99, max] = [d.min(), d.percentile(50), d.percentile(90), d.percentile(99), d.max()].map(time);
    format!("{name:<28} {:>5} {min:>9} {p50:>9} {p90:>9} {p99:>9} {max:>9}", d.count())
}

/// Microseconds below ten milliseconds, else milliseconds with one digit.
fn time(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        return format!("{} µs", time.as_micros());
    }
    format!("{}.{} ms", time.as_millis(), time.subsec_micros() / 100 % 10)
}

/// `a / b` with one decimal.
fn tenths(a: Duration, b: Duration) -> String {
    let tenths = a.as_nanos() * 10 / b.as_nanos().max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(daemon_us: &[u64], floor_us: &[u64]) -> Measured {
        let of = |all: &[u64]| Distribution::new(all.iter().map(|n| Duration::from_micros(*n)).collect()).unwrap();
        Measured::Times { daemon: of(daemon_us), floor: Some((of(floor_us), "reader + chunk")) }
    }

    fn row(aim: Aim, measured: Measured) -> Row {
        Row { order: 1, name: "from → to", aim, measured, remark: None }
    }

    #[test]
    fn a_row_is_held_against_every_part_of_its_aim() {
        let aim = Aim { times_floor: Some(2), p99: Some(Duration::from_millis(2)), ..Aim::default() };
        assert_eq!(row(aim, times(&[100, 190, 200], &[100])).verdict(), Verdict::Ok);
        let slow = row(aim, times(&[100, 250, 3000], &[100])).verdict();
        assert_eq!(slow, Verdict::Short(vec!["median is 2.5 × floor".into(), "p99 3000 µs > 2000 µs".into()]));
        let count = Aim { at_most: Some(60), ..Aim::default() };
        assert_eq!(row(count, Measured::Number { value: 60, unit: "wake-ups" }).verdict(), Verdict::Ok);
        assert!(matches!(row(count, Measured::Number { value: 61, unit: "wake-ups" }).verdict(), Verdict::Short(_)));
    }

    #[test]
    fn the_table_shows_daemon_floor_aim_and_verdict() {
        let aim = Aim { times_floor: Some(2), ..Aim::default() };
        let table = Table {
            rows: vec![row(aim, times(&[100, 150], &[100]))],
            machine: "two cores".into(),
            program: "x/drawerbridge".into(),
        };
        let text = table.to_string();
        for part in
            ["from → to", "  drawerbridge", "reader + chunk", "100 µs", "aim median ≤ 2× floor: ok", "machine: two cores"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(time(Duration::from_micros(16_666)), "16.6 ms");
        assert_eq!(time(Duration::from_micros(9_999)), "9999 µs");
    }
}

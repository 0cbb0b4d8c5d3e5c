//! How a run went, from the daemon's own events, and whether that is how it must go.
use drawerbridge_hil::{
    admin::{AdminApi, SessionRow},
    bench::Bench,
};

use super::plot::Must;
use crate::{
    journal::Row,
    shift::event::{Counted, Event},
};

/// What became of the opening.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub counted: Option<Counted>,
    /// Event name and what it said.
    pub settled: Option<(&'static str, String)>,
    /// For each slip begun: whether it could say how the opening ended.
    slips_begun: Vec<bool>,
    /// For each slip over: how, and whether that is proven.
    pub slips_over: Vec<(bool, String)>,
    /// Where the drawer is, once it moved.
    drawer_open: Option<bool>,
    /// What went wrong with the demo itself.
    pub troubles: Vec<String>,
}

/// How far it has come, for who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// No count is confirmed.
    Nothing,
    /// The count is on disk.
    Counted,
    /// The opening is settled.
    Settled,
    /// And a slip that says so is over.
    Over,
}

impl Ending {
    pub(super) fn progress(&self) -> Progress {
        match (&self.counted, &self.settled) {
            (_, Some(_)) if self.slips_begun.last() == Some(&true) && self.slips_over.len() == self.slips_begun.len() => {
                Progress::Over
            }
            (_, Some(_)) => Progress::Settled,
            (Some(_), None) => Progress::Counted,
            (None, None) => Progress::Nothing,
        }
    }

    /// Nothing of it is left to be seen.
    pub(super) fn is_over(&self) -> bool {
        self.progress() == Progress::Over && self.drawer_open == Some(false)
    }

    pub(super) fn take(&mut self, row: &Row) {
        let name = row.event.name();
        // Only what the end is judged by; the story tells all of them.
        if let Event::DrawerOpened { .. } | Event::DrawerClosed { .. } = &row.event {
            self.drawer_open = Some(matches!(row.event, Event::DrawerOpened { .. }));
        } else if let Event::OpeningCounted(counted) = &row.event {
            // A later opening of the same run (at the terminal) is a story of its own.
            *self = Self {
                counted: Some(counted.clone()),
                drawer_open: self.drawer_open,
                troubles: std::mem::take(&mut self.troubles),
                ..Self::default()
            };
        } else if let Event::OpeningConfirmed { session, .. } = &row.event {
            self.settled = Some((name, session.id.clone()));
        } else if let Event::OpeningRefused { message, code, .. } = &row.event {
            self.settled = Some((name, format!("{code}: {message}")));
        } else if let Event::OpeningNeedsAttention { why, .. } = &row.event {
            self.settled = Some((name, why.clone()));
        } else if let Event::SlipSending { .. } = &row.event {
            self.slips_begun.push(self.settled.is_some());
        } else if let Event::SlipPrinted { proof, .. } = &row.event {
            self.slips_over.push((true, format!("on paper, proven by {proof}")));
        } else if let Event::SlipNotProven { why, .. } = &row.event {
            self.slips_over.push((false, format!("not proven: {why}")));
        }
    }

    /// Everything that is not as it must be; empty when the run is right.
    pub(super) fn faults(&self, must: &Must, bench: &Bench) -> Vec<String> {
        let mut faults = self.troubles.clone();
        let mut check = |good: bool, what: String| {
            if !good {
                faults.push(what);
            }
        };
        let how = self.settled.as_ref().map_or("not settled", |(name, _)| name);
        check(how == must.how, format!("the opening must end with {}, and is {how}", must.how));
        let (sessions, opens) = (sessions(&bench.api), mutations(&bench.api));
        check(opens == must.mutations, format!("{} mutations must arrive at the shop, and {opens} did", must.mutations));
        check(
            sessions.len() == must.sessions,
            format!("the shop must have {} sessions, and has {}", must.sessions, sessions.len()),
        );
        for session in &sessions {
            let same = self
                .counted
                .as_ref()
                .is_some_and(|c| c.balance.amount == session.amount && c.balance.currency == session.currency);
            check(same, format!("the session holds {} {}, which was not counted", session.amount, session.currency));
        }
        let slips = bench.tills[0].printer.slip_texts();
        check(
            must.slips.contains(&slips.len()),
            format!("{} to {} slips must be cut, and {} were", must.slips.start(), must.slips.end(), slips.len()),
        );
        check(self.slips_over.iter().all(|(proven, _)| *proven), "a slip is not proven to be on paper".to_owned());
        check(self.is_over(), "the last slip does not say how it ended, or the drawer is open".to_owned());
        let number = sessions.first().and_then(|s| s.gid.rsplit('/').next());
        let last = slips.last().cloned().unwrap_or_default();
        let names_it = last.lines().any(|l| l.trim_start().starts_with("Session") && number.is_some_and(|n| l.contains(n)));
        check(
            names_it == (must.sessions == 1),
            "the last slip says something else about the session than the shop".to_owned(),
        );
        let till = &bench.tills[0];
        let warnings = till.printer.warnings().len() + till.display.as_ref().map_or(0, |d| d.warnings().len());
        check(warnings == 0, format!("{warnings} commands were not as the devices' books have them"));
        let shown = till.display.as_ref().map(|d| d.frame().concat()).unwrap_or_default();
        check(
            !shown.contains(|c: char| c.is_ascii_digit()),
            format!("something of the amount stays on the display: {shown:?}"),
        );
        faults
    }
}

/// Sessions that the daemon opened.
pub(super) fn sessions(api: &AdminApi) -> Vec<SessionRow> {
    api.sessions().into_iter().filter(|s| s.by == "api").collect()
}

/// Requests to open one that arrived.
pub(super) fn mutations(api: &AdminApi) -> usize {
    api.requests().iter().filter(|r| r.operation == "OpenSession").count()
}

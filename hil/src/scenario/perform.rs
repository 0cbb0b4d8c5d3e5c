//! Plays one sentence on a stage: does it and moves the marks, or looks until it is seen. The same for a file of sentences
//! and for a person at a terminal.
//!
//! ## Why marks
//! What was on the display, or was told, before something was done is no answer to it. Doing something therefore marks where
//! the display's drawings and the events are; only what comes later is seen as new.
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    expect::{Mismatch, look},
    parse::Step,
    verb::{Action, Place, Verb},
};
use crate::bench::{now, patiently, stage::Stage};

/// An expectation without `within` is given up after this.
const WITHIN: Duration = Duration::from_secs(5);
/// Between two looks. A look is a read of lists, or one request to the daemon.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Who says the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// A file: what it expects may take a while, and is looked for in all that is new.
    Scenario,
    /// A person, who means what is there now.
    Terminal,
}

/// Sentences on a stage, from a common start.
#[derive(Debug)]
pub struct Play {
    manner: Manner,
    start: Instant,
    /// The first drawing of each till's display that may still match.
    shown: Vec<usize>,
}

impl Play {
    /// Time starts now.
    #[must_use]
    pub fn new(stage: &Stage, manner: Manner) -> Self {
        Self { manner, start: now(), shown: vec![0; stage.bench.tills.len()] }
    }

    /// When it began; `at` counts from here.
    #[must_use]
    pub const fn start(&self) -> Instant {
        self.start
    }

    /// Does what the step says, or looks for it.
    pub async fn perform(&mut self, stage: &mut Stage, step: &Step) -> Result<(), Mismatch> {
        if let Some(wait) = step.at.and_then(|at| at.checked_sub(self.start.elapsed())) {
            sleep(wait).await;
        }
        stage.follow_daemon();
        let till = usize::from(step.second_till);
        match &step.verb {
            Verb::Do(action) => {
                let before = stage.events.count();
                let drawn = stage.bench.tills.iter().map(|rig| rig.drawings()).collect::<Vec<_>>();
                stage
                    .act(till, action)
                    .await
                    .map_err(|seen| Mismatch { expected: format!("that `{}` can be done", step.text), seen })?;
                self.mark(stage, till, action, before, &drawn);
                Ok(())
            }
            Verb::See(_) => self.see(stage, step, till).await,
        }
    }

    fn mark(&mut self, stage: &mut Stage, till: usize, action: &Action, events: usize, drawn: &[usize]) {
        for (n, shown) in self.shown.iter_mut().enumerate() {
            let here = match action.place() {
                Place::Till => n == till,
                Place::Everywhere => true,
                Place::Nowhere => false,
            };
            if !here {
                continue;
            }
            stage.events_at[n] = events;
            if action.asks_the_display() {
                // Of several keys only the last one's answer counts; the others have brought digits of their own.
                let keys = matches!(action, Action::Type(_) | Action::Badge(_));
                *shown = if keys { stage.frames_at_key[n] } else { drawn.get(n).copied().unwrap_or(*shown) };
            }
        }
    }

    async fn see(&mut self, stage: &mut Stage, step: &Step, till: usize) -> Result<(), Mismatch> {
        let Verb::See(expect) = &step.verb else { return Ok(()) };
        let negative = expect.is_negative();
        let limit = match (step.within, negative, self.manner) {
            (Some(within), true, _) => within,
            (None, true, _) => expect.watched_for(),
            (Some(within), false, _) => patiently(within),
            (None, false, Manner::Scenario) => patiently(WITHIN),
            (None, false, Manner::Terminal) => Duration::ZERO,
        };
        let limit = now() + limit;
        let mut nobody = 0;
        loop {
            let shown = self.shown.get_mut(till).unwrap_or(&mut nobody);
            if self.manner == Manner::Terminal
                && let Ok(rig) = stage.till(till)
            {
                *shown = rig.drawings().saturating_sub(1);
            }
            let seen = look(stage, till, expect, shown).await;
            if seen.is_ok() != negative || now() >= limit {
                return seen;
            }
            stage.daemon_lives().map_err(|seen| Mismatch { expected: step.text.clone(), seen })?;
            sleep(LOOK_EVERY.min(limit.saturating_duration_since(now()))).await;
            stage.follow_daemon();
        }
    }
}

//! When Shopify is asked whether the shift's session is still open. Pure: the time comes in.
use std::time::{Duration, Instant};

use crate::opening::{
    SessionList,
    record::{Record, Standing},
};

/// While the shift is open, Shopify is asked this often.
const EVERY: Duration = Duration::from_secs(300);
/// Edges of the drawer ask sooner, but not more often than this.
const PAUSE: Duration = Duration::from_secs(10);
/// When Shopify could not be asked, for example because the network is up later than this PC.
const AGAIN: Duration = Duration::from_secs(30);
/// An edge this recent starts an opening when the answer says that the session was closed.
const EDGE_STILL_MEANT: Duration = Duration::from_secs(30);

/// One till's watch on its session.
#[derive(Debug)]
pub(super) struct SessionWatch {
    next: Instant,
    asked: Option<Instant>,
    asking: bool,
    edge: Option<Instant>,
}

impl SessionWatch {
    /// Asks at once: over night somebody may have closed the session.
    pub(super) const fn new(now: Instant) -> Self {
        Self { next: now, asked: None, asking: false, edge: None }
    }

    /// The drawer was opened while the shift is open: perhaps it is the next morning.
    pub(super) fn edge(&mut self, now: Instant) {
        self.edge = Some(now);
        self.doubt(now);
    }

    /// Somebody acts as if the shift were over: a key, or a POS that starts an opening.
    pub(super) fn doubt(&mut self, now: Instant) {
        let soon = self.asked.map_or(now, |asked| now.max(asked + PAUSE));
        self.next = self.next.min(soon);
    }

    /// Whether Shopify is to be asked now. `open`: there is a session to ask for.
    pub(super) fn ask(&mut self, now: Instant, open: bool) -> bool {
        if self.asking || now < self.next {
            return false;
        }
        self.next = now + EVERY;
        self.asking = open;
        self.asked = if open { Some(now) } else { self.asked };
        open
    }

    /// The answer came; whether it can be believed.
    pub(super) fn answered(&mut self, now: Instant, healthy: bool) {
        self.asking = false;
        if !healthy {
            self.next = self.next.min(now + AGAIN);
        }
    }

    /// The shift is over. Whether the drawer was opened for the next one.
    pub(super) fn over(&mut self, now: Instant) -> bool {
        self.edge.take().is_some_and(|edge| now < edge + EDGE_STILL_MEANT)
    }

    /// When [`SessionWatch::ask`] is due.
    pub(super) const fn wake(&self) -> Option<Instant> {
        if self.asking { None } else { Some(self.next) }
    }
}

/// Whether a healthy read says that the session of this opening is open no more.
///
/// A session that is not listed at all has been pushed out by newer ones, or reads lag behind; only where the list is cut off
/// it is the first of these.
pub(super) fn is_over(record: &Record, list: &SessionList) -> bool {
    if list.sessions.iter().any(|session| session.status == "OPEN") {
        return false;
    }
    match record.session() {
        Some(ours) => match list.sessions.iter().find(|session| session.id == ours.id) {
            Some(listed) => listed.status == "CLOSED",
            None => !list.complete,
        },
        // Shopify said that one is open and never showed it: now it shows that none is.
        None => matches!(&record.standing, Standing::NeedsAttention { .. }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn an_open_session_is_asked_for_at_once_and_then_every_five_minutes() {
        let start = clock::now();
        let mut watch = SessionWatch::new(start);
        assert!(watch.ask(start, true));
        assert!(!watch.ask(start + EVERY, true), "the answer is outstanding");
        watch.answered(start + S, true);
        assert!(!watch.ask(start + S, true));
        assert_eq!(watch.wake(), Some(start + EVERY));
        assert!(watch.ask(start + EVERY, true));
    }

    #[test]
    fn an_edge_just_after_a_check_is_not_forgotten() {
        let start = clock::now();
        let mut watch = SessionWatch::new(start);
        assert!(watch.ask(start, true));
        watch.edge(start + 3 * S);
        watch.answered(start + 4 * S, true);
        assert!(!watch.ask(start + 9 * S, true), "not more often than the pause allows");
        assert!(watch.ask(start + PAUSE, true));
        assert!(watch.over(start + PAUSE + S), "the drawer was opened for the next shift");
        assert!(!watch.over(start + PAUSE + S), "once");
    }

    #[test]
    fn an_edge_before_a_failed_check_still_counts_when_the_next_one_answers() {
        let start = clock::now();
        let mut watch = SessionWatch::new(start);
        watch.edge(start);
        assert!(watch.ask(start, true));
        watch.answered(start + S, false);
        assert_eq!(watch.wake(), Some(start + S + AGAIN));
        watch.edge(start + 20 * S);
        assert!(watch.ask(start + 20 * S, true));
        watch.answered(start + 21 * S, true);
        assert!(watch.over(start + 21 * S));
    }

    #[test]
    fn an_old_edge_starts_nothing() {
        let start = clock::now();
        let mut watch = SessionWatch::new(start);
        watch.edge(start);
        assert!(!watch.over(start + EDGE_STILL_MEANT));
    }

    #[test]
    fn without_a_session_nothing_is_asked() {
        let start = clock::now();
        let mut watch = SessionWatch::new(start);
        assert!(!watch.ask(start, false));
        assert_eq!(watch.wake(), Some(start + EVERY));
    }
}

//! A second look after a confirmation: does a second session carry the same reference? Pure: the time comes in.
//!
//! Nothing here can send anything. It is the alarm for a case that must not happen: a proxy that delivers a request twice, a
//! copied journal, a mistake of ours.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{SessionList, ours::with_reference};
use crate::shift::event::{Event, OpeningId, SessionFacts};

/// Confirmed openings that are looked after: the shift's, and the one before it.
const KEPT: usize = 2;

/// When a till's confirmed openings are looked after. Every healthy read of the device's sessions looks, too.
#[derive(Debug)]
pub struct EchoWatch {
    waits: [Duration; 2],
    openings: VecDeque<Confirmed>,
}

#[derive(Debug)]
struct Confirmed {
    id: OpeningId,
    /// `gid://shopify/PointOfSaleDevice/N`.
    device: String,
    due: VecDeque<Instant>,
    alarmed: bool,
}

impl EchoWatch {
    /// `waits`: how long after a confirmation, usually 5 minutes and an hour.
    #[must_use]
    pub const fn new(waits: [Duration; 2]) -> Self {
        Self { waits, openings: VecDeque::new() }
    }

    /// Confirmed now, or before this start.
    pub fn confirmed(&mut self, now: Instant, id: &OpeningId, device: &str) {
        if self.openings.iter().any(|o| o.id == *id) {
            return;
        }
        if self.openings.len() >= KEPT {
            self.openings.pop_front();
        }
        let due = self.waits.iter().map(|wait| now + *wait).collect();
        self.openings.push_back(Confirmed { id: id.clone(), device: device.to_owned(), due, alarmed: false });
    }

    /// The device to read now, if one is due.
    pub fn ask(&mut self, now: Instant) -> Option<String> {
        let due = self.openings.iter_mut().find(|o| o.due.front().is_some_and(|at| now >= *at))?;
        while due.due.front().is_some_and(|at| now >= *at) {
            due.due.pop_front();
        }
        Some(due.device.clone())
    }

    /// The read that was asked for failed: once more after this long.
    pub fn failed(&mut self, now: Instant, device: &str, again: Duration) {
        for opening in self.openings.iter_mut().filter(|o| o.device == device) {
            opening.due.push_front(now + again);
        }
    }

    /// When [`EchoWatch::ask`] is due.
    #[must_use]
    pub fn wake(&self) -> Option<Instant> {
        self.openings.iter().filter_map(|o| o.due.front()).min().copied()
    }

    /// A healthy read of the device's sessions: the alarm, once for an opening.
    pub fn seen(&mut self, device: &str, list: &SessionList) -> Option<(OpeningId, Event)> {
        let opening = self.openings.iter_mut().find(|o| o.device == device && !o.alarmed && two(&o.id, list).is_some())?;
        let (first, second) = two(&opening.id, list)?;
        opening.alarmed = true;
        let why = format!(
            "two sessions at Shopify carry this count's reference: {} and {}. Close one of them in Shopify POS, and look for a \
             second drawerbridge with a copy of this journal",
            first.id, second.id
        );
        let prompt = super::content::prompt("TWO SESSIONS OPENED", "CALL THE MANAGER");
        let open = if second.status == "OPEN" { second } else { first };
        let event = Event::OpeningNeedsAttention { kind: "duplicate".to_owned(), why, prompt, session: Some(open.clone()) };
        Some((opening.id.clone(), event))
    }
}

/// The first two sessions with this reference.
fn two<'a>(id: &OpeningId, list: &'a SessionList) -> Option<(&'a SessionFacts, &'a SessionFacts)> {
    let mut ours = with_reference(id, list);
    Some((ours.next()?, ours.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, shift::event::sample};

    const MIN: Duration = Duration::from_secs(60);

    fn ours(number: u32, id: u64) -> SessionFacts {
        let note = format!("float [db:{}]", OpeningId::from_bits(id));
        SessionFacts { opening_note: Some(note), ..sample::session(number, "OPEN") }
    }

    fn list(sessions: Vec<SessionFacts>) -> SessionList {
        SessionList::of(sessions, true)
    }

    fn watch(start: Instant) -> EchoWatch {
        let mut watch = EchoWatch::new([5 * MIN, 60 * MIN]);
        watch.confirmed(start, &OpeningId::from_bits(1), "d1");
        watch
    }

    #[test]
    fn it_looks_after_five_minutes_and_after_an_hour() {
        let start = clock::now();
        let mut watch = watch(start);
        assert_eq!(watch.ask(start + 4 * MIN), None);
        assert_eq!(watch.ask(start + 5 * MIN).as_deref(), Some("d1"));
        assert_eq!(watch.wake(), Some(start + 60 * MIN));
        assert_eq!(watch.ask(start + 61 * MIN).as_deref(), Some("d1"));
        assert_eq!(watch.wake(), None);
    }

    #[test]
    fn a_look_that_failed_is_made_again() {
        let start = clock::now();
        let mut watch = watch(start);
        watch.ask(start + 5 * MIN);
        watch.failed(start + 5 * MIN, "d1", MIN);
        assert_eq!(watch.ask(start + 6 * MIN - Duration::from_millis(1)), None);
        assert_eq!(watch.ask(start + 6 * MIN).as_deref(), Some("d1"));
    }

    #[test]
    fn two_sessions_with_one_reference_raise_one_alarm() {
        let mut watch = watch(clock::now());
        assert_eq!(watch.seen("d1", &list(vec![ours(2, 7), ours(1, 1)])), None, "another count's");
        let closed = |session: SessionFacts| SessionFacts { status: "CLOSED".into(), ..session };
        let twice = list(vec![ours(2, 1), closed(ours(1, 1))]);
        assert_eq!(watch.seen("d2", &twice), None, "another device's");
        let (id, event) = watch.seen("d1", &twice).expect("an alarm");
        assert_eq!(id, OpeningId::from_bits(1));
        assert!(matches!(event, Event::OpeningNeedsAttention { kind, session: Some(open), .. }
            if kind == "duplicate" && open == ours(2, 1)));
        assert_eq!(watch.seen("d1", &twice), None, "once");
    }

    #[test]
    fn the_shift_before_is_still_looked_after_at_the_next_preflight() {
        let start = clock::now();
        let mut watch = watch(start);
        watch.confirmed(start, &OpeningId::from_bits(2), "d1");
        watch.confirmed(start, &OpeningId::from_bits(2), "d1");
        assert!(watch.seen("d1", &list(vec![ours(3, 2), ours(2, 1), ours(1, 1)])).is_some());
        watch.confirmed(start, &OpeningId::from_bits(3), "d1");
        assert_eq!(watch.openings.len(), KEPT);
    }
}

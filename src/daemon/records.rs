//! The openings a till still has to do with: the newest one, and earlier ones that are owed a slip or need a person.
use std::collections::VecDeque;

use crate::{
    journal::Row,
    opening::record::{Record, Standing},
    shift::event::{Event, OpeningId},
};

/// Earlier openings that are kept. More of them pile up only at a printer that is off for days.
const EARLIER: usize = 8;

/// What the journal says of a till's openings, as far as something follows from it.
#[derive(Debug, Default)]
pub(super) struct Records {
    current: Option<Record>,
    /// Oldest first.
    earlier: VecDeque<Record>,
    second_slip: bool,
}

impl Records {
    /// From the journal, newest first.
    pub(super) fn new(newest_first: impl IntoIterator<Item = Record>, second_slip: bool) -> Self {
        let mut all = newest_first.into_iter();
        let mut records = Self { current: all.next(), earlier: VecDeque::new(), second_slip };
        let mut open = records.current.as_ref().is_some_and(is_confirmed);
        for record in all {
            let keep = matters(&record, second_slip, open);
            open |= is_confirmed(&record);
            if keep {
                records.earlier.push_front(record);
            }
        }
        records
    }

    /// The newest opening.
    pub(super) fn current(&self) -> Option<&Record> {
        self.current.as_ref()
    }

    /// One of them.
    pub(super) fn find(&self, id: &OpeningId) -> Option<&Record> {
        self.all().find(|record| record.id == *id)
    }

    /// The oldest first, so that slips come out in the order of the counts.
    pub(super) fn all(&self) -> impl Iterator<Item = &Record> {
        self.earlier.iter().chain(&self.current)
    }

    /// One more row is on disk. A row about an old opening, such as a copy of its slip, changes nothing here.
    pub(super) fn take(&mut self, row: &Row) {
        let Some(id) = &row.opening else { return };
        if let Some(record) = self.earlier.iter_mut().chain(&mut self.current).find(|record| record.id == *id) {
            record.take(&row.event);
            let (open, second_slip) = (self.current.as_ref().is_some_and(is_confirmed), self.second_slip);
            self.earlier.retain(|record| matters(record, second_slip, open));
            return;
        }
        if !matches!(row.event, Event::OpeningStarted { .. } | Event::OpeningCounted(_)) {
            return;
        }
        let new = Record::read(id, [(row.at, &row.event)]);
        let before = std::mem::replace(&mut self.current, new);
        if let Some(before) = before.filter(|record| matters(record, self.second_slip, false)) {
            if self.earlier.len() >= EARLIER {
                self.earlier.pop_front();
            }
            self.earlier.push_back(before);
        }
    }

    /// The newest one that a person must do something about.
    pub(super) fn attention(&self) -> Option<&Record> {
        self.current.iter().chain(self.earlier.iter().rev()).find(|record| record.needs_a_person())
    }
}

fn is_confirmed(record: &Record) -> bool {
    matches!(record.standing, Standing::Confirmed { .. } | Standing::Recorded { .. })
}

/// Whether something still follows from an earlier opening: a slip, what a person must do, or a session that is watched.
/// `open`: a later count was confirmed; with the register open, what stood in the way of an earlier count is over.
fn matters(record: &Record, second_slip: bool, open: bool) -> bool {
    let owed = record.slip_owed(second_slip).is_some() || record.slips_interrupted().next().is_some();
    let watched = record.standing.is_settled() && record.holds_the_shift_open();
    owed || ((record.needs_a_person() || watched) && !open)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::shift::event::{Decision, StartedBy, sample};

    fn row(id: u64, event: Event) -> Row {
        let opening = Some(OpeningId::from_bits(id));
        Row { seq: 1, at: Timestamp::UNIX_EPOCH, till: "front-1".into(), opening, event }
    }

    fn started() -> Event {
        Event::OpeningStarted { by: StartedBy::Drawer }
    }

    fn slip(kind: &str) -> Event {
        Event::SlipSending { kind: kind.into() }
    }

    fn printed(kind: &str) -> Event {
        Event::SlipPrinted { kind: kind.into(), proof: "GS r".into() }
    }

    fn ids(records: &Records) -> Vec<OpeningId> {
        records.all().map(|record| record.id.clone()).collect()
    }

    #[test]
    fn a_copy_of_an_old_slip_leaves_the_newest_opening_alone() {
        let mut records = Records::new([], true);
        records.take(&row(2, started()));
        records.take(&row(2, Event::OpeningCounted(sample::counted())));
        records.take(&row(1, slip("copy")));
        records.take(&row(1, printed("copy")));
        let current = records.current().expect("opening 2");
        assert_eq!(current.id, OpeningId::from_bits(2));
        assert!(current.counted.is_some());
    }

    #[test]
    fn a_slip_that_waits_for_paper_is_still_owed_when_the_next_opening_begins() {
        let mut records = Records::new([], false);
        records.take(&row(1, Event::OpeningCounted(sample::counted())));
        records.take(&row(2, started()));
        assert_eq!(ids(&records), [OpeningId::from_bits(1), OpeningId::from_bits(2)]);
        records.take(&row(1, slip("first")));
        records.take(&row(1, printed("first")));
        assert_eq!(ids(&records), [OpeningId::from_bits(2)], "its slip is over, so nothing follows from it any more");
    }

    #[test]
    fn what_needs_a_person_is_kept_behind_later_openings_until_one_is_confirmed() {
        let asked = Event::OpeningNeedsAttention {
            kind: "attempts_used_up".into(),
            why: "x".into(),
            prompt: Default::default(),
            session: None,
        };
        let mut records = Records::new([], false);
        for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), asked] {
            records.take(&row(1, event));
        }
        records.take(&row(2, started()));
        records.take(&row(2, Event::OpeningCancelled { why: "x".into() }));
        assert_eq!(records.attention().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
        records.take(&row(3, Event::OpeningCounted(sample::counted())));
        records.take(&row(3, sample::confirmed()));
        assert_eq!(records.attention(), None);
    }

    #[test]
    fn a_session_that_a_person_linked_is_kept_to_be_watched_until_a_later_count_is_confirmed() {
        let asked = Event::OpeningNeedsAttention {
            kind: "foreign_session".into(),
            why: "x".into(),
            prompt: Default::default(),
            session: Some(sample::session(9, "OPEN")),
        };
        let linked = Event::OpeningResolved {
            by: "Kim".into(),
            why: "x".into(),
            decision: Decision::Link,
            session: Some(sample::session(9, "OPEN")),
        };
        let mut records = Records::new([], false);
        for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), asked] {
            records.take(&row(1, event));
        }
        records.take(&row(2, started()));
        records.take(&row(2, Event::OpeningCancelled { why: "x".into() }));
        records.take(&row(1, linked));
        let watched = records.all().filter(|r| r.holds_the_shift_open()).last().map(|r| r.id.clone());
        assert_eq!(watched, Some(OpeningId::from_bits(1)));
        records.take(&row(3, Event::OpeningCounted(sample::counted())));
        records.take(&row(3, sample::confirmed()));
        assert_eq!(ids(&records), [OpeningId::from_bits(3)]);
    }

    #[test]
    fn an_opening_without_a_slip_to_come_is_let_go() {
        let mut records = Records::new([], true);
        records.take(&row(1, started()));
        records.take(&row(2, started()));
        assert_eq!(ids(&records), [OpeningId::from_bits(2)]);
    }
}

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
        let new = Record::read(id, [(row.at, &row.event)]);
        if new.as_ref().is_some_and(Record::is_duplicate) {
            // Its session was over and nothing followed from it any more: now a second one was seen.
            self.keep_earlier(new);
        } else if matches!(row.event, Event::OpeningStarted { .. } | Event::OpeningCounted(_)) {
            let before = std::mem::replace(&mut self.current, new);
            self.keep_earlier(before.filter(|record| matters(record, self.second_slip, false)));
        }
    }

    fn keep_earlier(&mut self, record: Option<Record>) {
        if record.is_some() && self.earlier.len() >= EARLIER {
            // What only owes a slip goes before what a person must look at.
            let slip = self.earlier.iter().position(|earlier| !earlier.needs_a_person());
            self.earlier.remove(slip.unwrap_or_default());
        }
        self.earlier.extend(record);
    }

    /// The newest one whose session is open as far as we know. One that was given up since does not close it.
    pub(super) fn watched(&self) -> Option<&Record> {
        self.all().filter(|record| is_watched(record)).last()
    }

    /// The newest one that a person must do something about.
    pub(super) fn attention(&self) -> Option<&Record> {
        self.current.iter().chain(self.earlier.iter().rev()).find(|record| record.needs_a_person())
    }
}

fn is_confirmed(record: &Record) -> bool {
    matches!(record.standing, Standing::Confirmed { .. } | Standing::Recorded { .. })
}

fn is_watched(record: &Record) -> bool {
    record.standing.is_settled() && record.holds_the_shift_open()
}

/// Whether something still follows from an earlier opening: it is on its way again (a person had its count recorded), a slip,
/// what a person must do, or a session that is watched. `open`: a later count was confirmed; with the register open, what
/// stood in the way of an earlier count is over, and two sessions of one count are not.
fn matters(record: &Record, second_slip: bool, open: bool) -> bool {
    let on_its_way = record.counted.is_some() && !record.standing.is_settled();
    let owed = record.slip_owed(second_slip).is_some() || record.slips_interrupted().next().is_some();
    on_its_way || owed || record.is_duplicate() || ((record.needs_a_person() || is_watched(record)) && !open)
}

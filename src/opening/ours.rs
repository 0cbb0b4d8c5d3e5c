//! Which of the sessions at Shopify is ours, which only looks like it, and what a list can prove at all.
use jiff::Timestamp;

use super::{CLOCKS_DIFFER, OLD_ENOUGH, Opening, SessionList};
use crate::shift::event::{OpeningId, SessionFacts};

impl Opening {
    pub(super) fn ours_among(&self, list: &SessionList) -> Option<SessionFacts> {
        list.all().find(|s| self.is_ours(s)).cloned()
    }

    pub(super) fn near_among(&self, list: &SessionList) -> Option<SessionFacts> {
        list.all().find(|s| self.is_near(s)).cloned()
    }

    /// Of two sessions with our reference, the one that a person must look at: the open one, if any is.
    pub(super) fn second_of_ours(&self, list: &SessionList) -> Option<SessionFacts> {
        let second = with_reference(&self.id, list).nth(1)?;
        Some(with_reference(&self.id, list).find(|session| session.status == "OPEN").unwrap_or(second).clone())
    }

    /// Reference, amount and currency, and the time where it was sent.
    pub(super) fn is_ours(&self, session: &SessionFacts) -> bool {
        self.has_reference(session) && self.same_money(session) && (self.sent_time().is_none() || self.same_time(session))
    }

    /// Something of ours is recognisable: the reference, which nobody else has; or the money, together with the time that
    /// was sent. Where an attempt may have run, Shopify may have set a time of its own: the money and any time since the
    /// count, or any time at all if none was sent. Another opening's reference speaks against it.
    pub(super) fn is_near(&self, session: &SessionFacts) -> bool {
        if self.has_reference(session) {
            return true;
        }
        let fitting_time = if self.in_doubt { self.not_before_ours(session) } else { self.same_time(session) };
        reference_of(session).is_none() && self.same_money(session) && fitting_time
    }

    pub(super) fn has_reference(&self, session: &SessionFacts) -> bool {
        reference_of(session).as_ref() == Some(&self.id)
    }

    fn same_money(&self, session: &SessionFacts) -> bool {
        session.counted.equals(&self.counted.balance)
    }

    pub(super) fn sent_time(&self) -> Option<Timestamp> {
        self.variables.as_ref()?.get("time")?.as_str()?.parse().ok()
    }

    pub(super) fn same_time(&self, session: &SessionFacts) -> bool {
        self.sent_time().is_some_and(|sent| opening_time(session) == Some(sent))
    }

    pub(super) fn not_before_ours(&self, session: &SessionFacts) -> bool {
        match (self.sent_time(), opening_time(session)) {
            (Some(sent), Some(opened)) => opened.duration_since(sent) >= -CLOCKS_DIFFER,
            (None, _) | (_, None) => true,
        }
    }

    /// The list cannot have left ours out (see the top of this file).
    pub(super) fn reaches_back_behind_ours(&self, list: &SessionList) -> bool {
        self.page_reaches_back(list.complete, list.sessions.last().and_then(opening_time))
    }

    /// A page cannot have left ours out: there is nothing beyond it, or its oldest entry is a day and more older than ours.
    pub(super) fn page_reaches_back(&self, complete: bool, oldest: Option<Timestamp>) -> bool {
        let far_enough = |(sent, oldest): (Timestamp, Timestamp)| sent.duration_since(oldest) >= OLD_ENOUGH;
        complete || self.sent_time().zip(oldest).is_some_and(far_enough)
    }
}

/// The sessions with this opening's reference.
pub(super) fn with_reference<'a>(id: &OpeningId, list: &'a SessionList) -> impl Iterator<Item = &'a SessionFacts> {
    list.all().filter(move |session| reference_of(session).as_ref() == Some(id))
}

fn opening_time(session: &SessionFacts) -> Option<Timestamp> {
    session.opening_time.parse().ok()
}

/// The opening whose reference stands last in its note.
pub(super) fn reference_of(session: &SessionFacts) -> Option<OpeningId> {
    let (_, rest) = session.opening_note.as_deref()?.rsplit_once("[db:")?;
    OpeningId::parse(rest.split_once(']')?.0)
}

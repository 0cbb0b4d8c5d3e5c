//! A person's decision about an opening: the session it names is read at Shopify, the submission machine says whether it may
//! be, and who asked hears of it when it is on disk.
use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::info;

use super::{Answer, Till, is_of_another_day, rules, waits};
use crate::{
    clock,
    daemon::desk::{ResolveRefused, ResolveWish},
    journal::Row,
    opening::{
        self, Opening, Read, Resolution,
        record::{Record, Standing},
    },
    shift::{
        self, Progress,
        event::{Decision, Event, OpeningId, SessionFacts},
    },
};

type Waiter = oneshot::Sender<Result<(), ResolveRefused>>;

/// A decision that is being looked at.
pub(super) struct Resolving {
    pub wish: ResolveWish,
    pub reply: Waiter,
}

/// A decision that is being written.
pub(super) struct Decided {
    opening: OpeningId,
    reply: Waiter,
}

impl Till {
    pub(super) fn resolve(&mut self, wish: Resolving) {
        if wish.wish.decision == Decision::GiveUp {
            return self.decide(wish, None);
        }
        let counted = wish
            .wish
            .history
            .iter()
            .find_map(|event| if let Event::OpeningCounted(counted) = event { Some(counted) } else { None });
        let Some(device) = counted.map(|counted| counted.point_of_sale_device_id.clone()) else {
            return refuse(wish.reply, ResolveRefused::NotNow("it was never counted".to_owned()));
        };
        let shopify = Arc::clone(&self.house.shopify);
        self.push(async move { Answer::SessionForResolve { wish, read: shopify.sessions_of_device(&device).await } });
    }

    /// The sessions of its device are known.
    pub(super) fn resolve_with(&mut self, wish: Resolving, read: Read) {
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { why, .. } => return refuse(wish.reply, ResolveRefused::Unread(why)),
        };
        let wanted = wish.wish.session_id.clone().unwrap_or_default();
        match list.all().find(|session| session.id == wanted).cloned() {
            Some(session) => self.decide(wish, Some(session)),
            None => refuse(wish.reply, ResolveRefused::NoSuchSession(wanted)),
        }
    }

    fn decide(&mut self, Resolving { wish, reply }: Resolving, session: Option<SessionFacts>) {
        let ResolveWish { opening, history, by, why, decision, session_id: _ } = wish;
        let resolution = Resolution { by, why, decision, session };
        let not_now = |why: &str| ResolveRefused::NotNow(why.to_owned());
        if let Some((_, machine)) = self.opening.as_ref().filter(|(id, _)| *id == opening) {
            if let Err(why) = machine.may_resolve(&resolution) {
                return refuse(reply, not_now(why));
            }
            self.resolving.push(Decided { opening, reply });
            return self.opening_input(opening::Input::Resolve(resolution));
        }
        // The history was read before Shopify was: the opening may have been settled since.
        let since = self.records.find(&opening).map(|record| &record.standing);
        if since.is_some_and(|standing| *standing == Standing::Started) {
            // On disk, and this till has not heard of it: what is decided now would be overtaken by its first attempt.
            return refuse(reply, not_now("its count is being saved: try again"));
        }
        if since.is_some_and(|s| s.is_settled() && !matches!(s, Standing::NeedsAttention { .. })) {
            return refuse(reply, not_now("it is settled already"));
        }
        let (waits, rules) = (waits(&self.house.timing), rules(&self.house));
        let Some(mut machine) = Opening::resume(opening.clone(), &history, waits, &rules, clock::now()) else {
            return refuse(reply, not_now("it is settled already, or was never counted"));
        };
        if let Err(why) = machine.may_resolve(&resolution) {
            return refuse(reply, not_now(why));
        }
        if self.opening.is_none() {
            self.resolving.push(Decided { opening: opening.clone(), reply });
            self.opening = Some((opening, machine));
            return self.opening_input(opening::Input::Resolve(resolution));
        }
        if decision == Decision::RecordCount {
            return refuse(reply, not_now("another count of this till is on its way to Shopify: wait until it is settled"));
        }
        // Nothing follows from it but its row, so the count that is on its way is not disturbed.
        self.resolving.push(Decided { opening: opening.clone(), reply });
        for output in machine.handle(clock::now(), opening::Input::Resolve(resolution)) {
            if let opening::Output::Store(event) = output {
                self.keep(opening.clone(), event);
            }
        }
    }

    /// A row is on disk: if it is a decision, who waits for it hears so, and the shift is open if it says so.
    pub(super) fn decided(&mut self, row: &Row) {
        let (Some(opening), Event::OpeningResolved { by, why, .. }) = (&row.opening, &row.event) else { return };
        info!(%opening, by, why, "it was decided about an opening");
        for reply in self.waiting_for(opening) {
            // Who asked may have hung up; the decision stands.
            drop(reply.send(Ok(())));
        }
        // A decision about an earlier opening closes nothing that is open today.
        let today = &rules(&self.house).business_day;
        let open_today = self.records.watched().is_some_and(|record| !is_of_another_day(record, today));
        if open_today || self.records.find(opening).is_some_and(Record::holds_the_shift_open) {
            self.shift_input(shift::Input::ShiftOpen);
            // The person may have named one that is closed again.
            self.doubt_the_session();
        }
    }

    /// Nothing is asked about one opening any more: another one may be waiting for a person behind it.
    pub(super) fn show_what_is_asked(&mut self) {
        let next = self.records.attention().map(|record| (record.id.clone(), record.standing.clone()));
        if let Some((opening, Standing::NeedsAttention { prompt, .. })) = next {
            self.shift_input(shift::Input::Progress { opening, progress: Progress::NeedsAttention(prompt) });
        }
    }

    /// The disk refused a decision. It is offered again by itself; who asked need not wait for it.
    pub(super) fn not_decided(&mut self, opening: &OpeningId, why: &str) {
        for reply in self.waiting_for(opening) {
            refuse(reply, ResolveRefused::NotSaved(why.to_owned()));
        }
    }

    fn waiting_for(&mut self, opening: &OpeningId) -> Vec<Waiter> {
        self.resolving.extract_if(.., |decided| decided.opening == *opening).map(|decided| decided.reply).collect()
    }
}

fn refuse(reply: Waiter, why: ResolveRefused) {
    drop(reply.send(Err(why)));
}

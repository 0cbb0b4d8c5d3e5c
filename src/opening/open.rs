//! Opening a session: what is looked at before, and what answers and reads mean.
use std::time::Instant;

use super::{
    Device, MAX_ATTEMPTS, OnForeign, Opening, Outcome, Output, READS_FOR_ABSENCE, Read, Resolution, SessionList,
    SharedDrawer, State, Wait,
    content::{prompt, refusal_prompt, variables},
};
use crate::{
    money::with_decimals,
    saboteur::{self, Saboteur},
    shift::event::{Decision, Event, Preflight, SessionFacts},
};

impl Opening {
    /// Looks before anything is sent. It also shows a session of ours that nobody expected: from a copy of this journal, or
    /// from an attempt that came after all.
    pub(super) fn preflight(&mut self, now: Instant, attempt: u8, read: Read) -> (State, Vec<Output>) {
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { why, retry_after } => {
                return self.waits(now, attempt, why, retry_after.map_or(Wait::Usual, Wait::Asked));
            }
        };
        if let Some(found) = self.found(&list) {
            return found;
        }
        if list.device == Device::Missing {
            let code = "POINT_OF_SALE_DEVICE_NOT_FOUND";
            let message = format!(
                "Shopify knows no device {}: check point_of_sale_device_id in the configuration",
                self.counted.point_of_sale_device_id
            );
            let prompt = refusal_prompt(code);
            return self.store(Event::OpeningRefused { code: code.to_owned(), message, prompt }, State::Settled);
        }
        // What may have been sent is settled as it is, however old it has become.
        let too_old = self.too_old(now, list.date).filter(|_| !self.in_doubt);
        if let Some(open) = list.open() {
            return match too_old {
                // Nobody is asked, so nobody sees that it is yesterday's.
                Some(why) if self.rules.on_foreign_session == OnForeign::RecordCount => self.stale(why),
                Some(_) | None => self.stranger_seen(now, attempt, open.clone()),
            };
        }
        self.stranger = None;
        let facts = self.facts(&list);
        if self.rules.shared_drawer == SharedDrawer::Deny && !facts.shared_with.is_empty() {
            let why = format!(
                "{} also counts into this till's drawer at Shopify: give each its own drawer there, or set shared_drawer in the \
                 configuration, then count again",
                facts.shared_with.join(", ")
            );
            return self.ask("shared_drawer", why, None);
        }
        if let Some(why) = too_old {
            return self.stale(why);
        }
        self.preflight = Some(facts);
        let variables = match self.variables.take() {
            // A `time` that proved wrong is taken out; it is never put back, because it was the wrong clock that gave it.
            Some(same) if self.in_doubt || same["time"].is_null() => same,
            Some(_) | None => variables(&self.id, &self.counted, self.clock_at_count(now, list.date)),
        };
        self.intend(attempt, variables)
    }

    fn stale(&mut self, why: String) -> (State, Vec<Output>) {
        let prompt = prompt("COUNT IS TOO OLD", "PLEASE COUNT AGAIN");
        self.store(Event::OpeningStale { why, prompt }, State::Settled)
    }

    /// A read that lags shows a session that was closed a moment ago; so one look is not enough to keep a count back.
    fn stranger_seen(&mut self, now: Instant, attempt: u8, open: SessionFacts) -> (State, Vec<Output>) {
        if self.stranger.replace(open.id.clone()) == Some(open.id.clone()) {
            return self.who(open);
        }
        let at = now + self.waits.read_every;
        (State::Offline { attempt, at }, vec![Output::WakeAt(at)])
    }

    fn facts(&self, list: &SessionList) -> Preflight {
        let drawer = match &list.device {
            Device::Known { drawer, .. } => drawer.as_ref(),
            Device::NotGranted | Device::Missing => None,
        };
        let granted = matches!(&list.device, Device::Known { .. });
        let ours = &self.counted.point_of_sale_device_id;
        let shared_with: Vec<String> =
            drawer.iter().flat_map(|d| &d.devices).filter(|device| *device != ours).cloned().collect();
        let mut warnings = Vec::new();
        if !granted && self.rules.shared_drawer != SharedDrawer::Allow {
            warnings.push(
                "Shopify does not let this token read the device: whether another one counts into its drawer is not known \
                 (grant read_point_of_sale_devices, or set shared_drawer = \"allow\")"
                    .to_owned(),
            );
        }
        if !shared_with.is_empty() && self.rules.shared_drawer == SharedDrawer::Warn {
            warnings.push(format!("{} also counts into this drawer", shared_with.join(", ")));
        }
        if matches!(&list.device, Device::Known { drawer: None, .. }) {
            warnings.push("Shopify shows no cash drawer for this device".to_owned());
        }
        let currency = &self.counted.balance.currency;
        if let Some(before) = list.sessions.first().filter(|s| s.counted.currency != *currency) {
            warnings.push(format!(
                "the device's last session was in {}, and this count is in {currency}",
                before.counted.currency
            ));
        }
        Preflight {
            drawer: drawer.map(|d| d.id.clone()),
            shared_with,
            skew_s: list.skew_s,
            api_version: list.api_version.clone(),
            warnings,
        }
    }

    pub(super) fn judge(&mut self, now: Instant, attempt: u8, outcome: Outcome) -> (State, Vec<Output>) {
        match outcome {
            Outcome::Executed(session) if self.is_ours(&session) => self.confirm("answered", session),
            Outcome::Executed(session) => {
                let why = format!("Shopify answered with session {}, whose content is not what was sent", session.id);
                self.unknown(now, attempt, why)
            }
            // On disk first, so that a restart reads before anything else, too.
            Outcome::Refused { code, .. } if code == "ALREADY_OPEN" => {
                self.did_not_run();
                let why = "Shopify says that a session is already open: looking whose it is".to_owned();
                let event = Event::OpeningUnknown { attempt, why, already_open: true };
                self.store(event, State::ReadingFence { attempt, reads: 0 })
            }
            Outcome::Refused { code, message } | Outcome::Rejected { code, message } => {
                let prompt = refusal_prompt(&code);
                self.store(Event::OpeningRefused { code, message, prompt }, State::Settled)
            }
            Outcome::NotExecuted { why, wait } => {
                self.did_not_run();
                self.waits(now, attempt, why, wait)
            }
            Outcome::Unknown { .. } if saboteur::is_on(Saboteur::ResendWithoutReading) && attempt < MAX_ATTEMPTS => {
                let same = self.variables.clone().expect("an intent names its variables");
                self.intend(attempt + 1, same)
            }
            Outcome::Unknown { why } => self.unknown(now, attempt, why),
        }
    }

    /// Something of ours is in the list: confirmed, or a question for a person.
    fn found(&mut self, list: &SessionList) -> Option<(State, Vec<Output>)> {
        if let Some(second) = self.second_of_ours(list) {
            let why =
                format!("two sessions at Shopify carry this count's reference, the second is {}: close one", second.id);
            return Some(self.ask("duplicate", why, Some(second)));
        }
        if let Some(ours) = self.ours_among(list) {
            return Some(self.confirm("found", ours));
        }
        self.near_among(list).map(|near| {
            let why = format!(
                "a session looks like this count but is not the same in all points ({}): compare it with the slip in Shopify",
                near.id
            );
            self.ask("ambiguous", why, Some(near))
        })
    }

    pub(super) fn reconcile(
        &mut self,
        now: Instant,
        attempt: u8,
        since: Instant,
        negative: u32,
        read: Read,
    ) -> (State, Vec<Output>) {
        let again = |wait, negative| {
            let at = now + wait;
            (State::Unknown { attempt, since, negative, at }, vec![Output::WakeAt(at)])
        };
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { retry_after, .. } => return again(self.back_off_reads(retry_after), negative),
        };
        self.read_wait = self.waits.read_every;
        let quiet = now < since + self.waits.quiet_period;
        // What only looks like ours may still become it; a question to a person waits until then.
        if (!quiet || self.ours_among(&list).is_some())
            && let Some(found) = self.found(&list)
        {
            return found;
        }
        if quiet {
            return again(self.waits.read_every, 0);
        }
        if !list.agrees() {
            return again(self.waits.read_every, negative);
        }
        if negative + 1 < READS_FOR_ABSENCE {
            return again(self.waits.read_every, negative + 1);
        }
        if !self.reaches_back_behind_ours(&list) {
            let why = "the newest sessions at Shopify do not show this count, and do not go back far enough to prove that it \
                       is not there: look for it in Shopify";
            return self.ask("ambiguous", why.to_owned(), list.open().cloned());
        }
        if let Some(foreign) = list.open() {
            return self.who(foreign.clone());
        }
        if attempt >= MAX_ATTEMPTS {
            let why =
                format!("{MAX_ATTEMPTS} attempts were sent and none opened a session: open the register in Shopify POS");
            return self.ask("attempts_used_up", why, None);
        }
        self.absent(now, attempt, negative + 1)
    }

    pub(super) fn fence(&mut self, now: Instant, attempt: u8, reads: u32, read: Read) -> (State, Vec<Output>) {
        let again = |wait, reads| {
            let at = now + wait;
            (State::Fenced { attempt, reads, at }, vec![Output::WakeAt(at)])
        };
        let list = match read {
            Read::Healthy(list) => list,
            Read::Failed { retry_after, .. } => return again(self.back_off_reads(retry_after), reads),
        };
        self.read_wait = self.waits.read_every;
        if let Some(found) = self.found(&list) {
            return found;
        }
        if let Some(foreign) = list.open() {
            return self.who(foreign.clone());
        }
        if reads + 1 < READS_FOR_ABSENCE {
            return again(self.waits.read_every, reads + 1);
        }
        let why = "Shopify says that a session is open on this device, and shows none: look at the register in Shopify POS";
        self.ask("hidden_session", why.to_owned(), None)
    }

    fn who(&mut self, session: SessionFacts) -> (State, Vec<Output>) {
        let ask = Output::ReadOpener { session: session.id.clone() };
        (State::ReadingOpener { session }, vec![ask])
    }

    /// The register was opened by somebody else. The count goes into that session if the shop wants it so; else a person is
    /// asked.
    pub(super) fn foreign(
        &mut self,
        now: Instant,
        session: SessionFacts,
        who: Result<String, String>,
    ) -> (State, Vec<Output>) {
        if self.rules.on_foreign_session == OnForeign::RecordCount {
            // On disk first: a restart must not take what follows for another attempt to open.
            let (by, why) = ("the configuration".to_owned(), "on_foreign_session = \"record_count\"".to_owned());
            return self.resolve(now, Resolution { by, why, decision: Decision::RecordCount, session: Some(session) });
        }
        let who = who.unwrap_or_else(|unknown| format!("somebody ({unknown})"));
        let taken_over = session.opening_note.is_none() && session.expected.as_ref() == Some(&session.counted);
        let how = if taken_over {
            "without a count of its own, as a sale at the checkout does"
        } else {
            "with a count of its own, as a person does"
        };
        let why = format!(
            "the register was opened by {who} at {} with {}, {how}: the count is kept; record it there as a mid-session count \
             (`drawerbridge openings resolve`) if needed",
            session.opening_time,
            with_decimals(&session.counted.amount, &session.counted.currency)
        );
        self.ask_with("foreign_session", why, Some(session), prompt("REGISTER IS OPEN", "NOT BY THIS COUNT"))
    }

    fn confirm(&mut self, how: &str, session: SessionFacts) -> (State, Vec<Output>) {
        self.store(Event::OpeningConfirmed { how: how.to_owned(), session }, State::Settled)
    }
}

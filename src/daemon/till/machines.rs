//! What the machines want of a till, and what came of it: the operator's machine, the submission machine, the watch on the
//! session, and the slips.
use std::{sync::Arc, time::Duration};

use tracing::{debug, error, info, warn};

use super::{Answer, KEEP_AGAIN, Till, fresh_id, resolve::Resolving, rules, settled, waits};
use crate::{
    clock,
    daemon::{
        desk::Command,
        recorder::Stored,
        said::SAY_AGAIN,
        session_watch,
        slips::Begun,
        words::{outcome_text, progress_of},
    },
    journal::{Durable, Row},
    opening::{self, ActivityRead, Opening, Outcome, Read, SessionList, Wait},
    saboteur::{self, Saboteur},
    shift::{
        self,
        event::{Event, OpeningId},
    },
};

/// Shorter gaps between boot time and the clock that stands still in sleep are noise.
const SLEEP: Duration = Duration::from_secs(1);

impl Till {
    // --- the operator's machine

    pub(super) fn shift_input(&mut self, input: shift::Input) {
        for output in self.shift.handle(clock::now(), clock::wall(), input) {
            match output {
                shift::Output::Show(frame) => {
                    if let Some(display) = &self.devices.display {
                        display.show(frame);
                    }
                }
                shift::Output::Record { opening, event: event @ Event::OpeningCounted(_) } => {
                    self.offer_again();
                    let answer = self.house.recorder.begin(&self.house.till.name, Some(&opening), event);
                    if saboteur::is_on(Saboteur::SavedBeforeCommit) {
                        self.shift_input(shift::Input::Saved { opening: opening.clone() });
                    }
                    self.push(async move { Answer::CountSaved { opening, result: settled(answer).await } });
                }
                shift::Output::Record { opening, event } => self.keep(opening, event),
                shift::Output::Reply { op, result } => {
                    if let Some(waiter) = self.waiters.remove(&op) {
                        // The client may have hung up; the answer stands in the journal.
                        drop(waiter.send(result));
                    }
                }
                shift::Output::Warm => {
                    let (shopify, device) = (Arc::clone(&self.house.shopify), self.house.till.device_id.clone());
                    self.push(async move {
                        let read = shopify.sessions_of_device(&device).await;
                        Answer::Ahead { device, read }
                    });
                }
                shift::Output::StartWanted => self.shift_input(shift::Input::DrawerOpened { fresh: fresh_id() }),
                shift::Output::WakeAt(at) => self.wake_shift = Some(at),
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        let op = self.next_op;
        self.next_op += 1;
        if matches!(command, Command::Start { .. }) {
            self.doubt_the_session();
        }
        let (input, reply) = match command {
            Command::Start { staff_member_id, note, reason_code_id, reply } => {
                (shift::Input::Start { op, fresh: fresh_id(), staff_member_id, note, reason_code_id }, reply)
            }
            Command::PutTotal { opening, total, reply } => (shift::Input::PutTotal { op, opening, total }, reply),
            Command::PutLines { opening, lines, reply } => (shift::Input::PutLines { op, opening, lines }, reply),
            Command::Cancel { opening, why, reply } => (shift::Input::Cancel { op, opening, why }, reply),
            Command::Resolve { wish, reply } => {
                self.resolve(Resolving { wish, reply });
                return;
            }
            Command::Reprint { record, reply } => {
                let result = self.slips.copy(&record);
                if result.is_ok() {
                    self.slip_due();
                }
                drop(reply.send(result));
                return;
            }
        };
        self.waiters.insert(op, reply);
        self.shift_input(input);
    }

    // --- the submission machine

    pub(super) fn opening_input(&mut self, input: opening::Input) {
        let Some((id, machine)) = self.opening.as_mut() else { return };
        let id = id.clone();
        machine.clock_is(self.house.shopify.wall_clock());
        let slept = clock::slept();
        if let Some(gap) = slept.checked_sub(self.slept).filter(|gap| *gap > SLEEP) {
            machine.slept(gap);
            self.slept = slept;
        }
        for output in machine.handle(clock::now(), input) {
            match output {
                // Nothing of it has left: the next start goes on from what the journal says, without a quiet period.
                opening::Output::Store(Event::OpeningSending { .. })
                | opening::Output::ReadSessions { .. }
                | opening::Output::ReadActivities { .. }
                | opening::Output::ReadOpener { .. }
                    if self.ending => {}
                opening::Output::Store(event) => {
                    let opening = id.clone();
                    let answer = self.house.recorder.begin(&self.house.till.name, Some(&id), event);
                    self.pending.push(Box::pin(async move { Answer::Stored { opening, result: settled(answer).await } }));
                }
                opening::Output::Send { mutation, variables } => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending.push(Box::pin(async move {
                        Answer::Sent { opening, outcome: shopify.send(mutation, &variables).await }
                    }));
                }
                opening::Output::ReadSessions { device } => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending.push(Box::pin(async move {
                        let read = shopify.sessions_of_device(&device).await;
                        Answer::Read { opening, device, read }
                    }));
                }
                opening::Output::ReadActivities { session } => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending.push(Box::pin(async move {
                        Answer::Activities { opening, read: shopify.activities(&session).await }
                    }));
                }
                opening::Output::ReadOpener { session } => {
                    let (opening, shopify) = (id.clone(), Arc::clone(&self.house.shopify));
                    self.pending
                        .push(Box::pin(async move { Answer::Opener { opening, who: shopify.opener(&session).await } }));
                }
                opening::Output::WakeAt(at) => self.wake_opening = Some(at),
            }
        }
    }

    /// An event of the opening is on disk: the machines go on, the display says it, a slip may be due.
    pub(super) fn stored(&mut self, opening: OpeningId, result: Stored) {
        let row = match result {
            Ok(row) => row,
            Err(why) => {
                if self.said_store.is_news(clock::now(), &why) {
                    warn!(%opening, why, "the journal did not take an event of the opening: it is tried again");
                }
                self.not_decided(&opening, &why);
                self.if_current(&opening, opening::Input::StoreFailed);
                return;
            }
        };
        self.records.take(row.get());
        self.look_after(row.get());
        self.say_preflight(&opening, &row.get().event);
        self.said_store.over();
        // Of another one's machine: a decision about an earlier opening may be on its way while the next count is saved.
        self.if_current(&opening, opening::Input::Stored);
        self.tell_progress(&opening, &row.get().event);
        self.decided(row.get());
        if self.records.find(&opening).is_some_and(|r| r.needs_a_person() && r.holds_the_shift_open()) {
            self.shift_input(shift::Input::ShiftOpen);
        }
        if self.opening.as_ref().is_some_and(|(id, o)| *id == opening && o.is_settled()) {
            self.opening = None;
            self.wake_opening = None;
            self.show_what_is_asked();
        }
        self.slip_due();
    }

    // --- answers

    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::CountSaved { opening, result } => self.count_saved(opening, result),
            Answer::Stored { opening, result } => self.stored(opening, result),
            Answer::Sent { opening, outcome } => {
                self.say_answer(&opening, &outcome);
                self.if_current(&opening, opening::Input::Outcome(outcome));
            }
            Answer::Read { opening, device, read } => {
                match &read {
                    Read::Healthy(list) => {
                        self.said_read.over();
                        self.look_for_a_second(&device, list);
                    }
                    Read::Failed { why, .. } => self.say_unread(&opening, why),
                }
                self.if_current(&opening, opening::Input::Read(read));
            }
            Answer::Activities { opening, read } => {
                match &read {
                    ActivityRead::Healthy(_) => self.said_read.over(),
                    ActivityRead::Failed { why, .. } => self.say_unread(&opening, why),
                }
                self.if_current(&opening, opening::Input::Activities(read));
            }
            Answer::Opener { opening, who } => self.if_current(&opening, opening::Input::Opener(who)),
            Answer::SessionChecked { opening, device, read } => self.session_checked(&opening, &device, &read),
            Answer::Echo { device, read } => self.echo_heard(&device, &read),
            Answer::Ahead { device, read } => self.seen_ahead(&device, read),
            Answer::SessionForResolve { wish, read } => self.resolve_with(wish, read),
            Answer::SlipIntent { begun, result: Ok(row) } => {
                self.records.take(row.get());
                self.print(begun, &row);
            }
            Answer::SlipIntent { begun, result: Err(why) } => {
                warn!(opening = %begun.opening, kind = begun.kind, why, "the slip waits, because the journal cannot note it");
                self.slips.not_noted(clock::now());
            }
            Answer::Kept { result: Ok(row), opening: _, event: _ } => self.kept(row.get()),
            Answer::Kept { opening, event, result: Err(why) } => {
                self.not_decided(&opening, &why);
                warn!(%opening, event = event.name(), why, "an event could not be kept in the journal: it is tried again");
                self.unkept.push((opening, event));
                self.keep_again.get_or_insert(clock::now() + KEEP_AGAIN);
            }
        }
    }

    fn say_unread(&mut self, opening: &OpeningId, why: &str) {
        if self.said_read.is_news(clock::now(), why) {
            info!(%opening, why, "Shopify could not be read");
        }
    }

    pub(super) fn say_answer(&mut self, opening: &OpeningId, outcome: &Outcome) {
        let text = outcome_text(outcome);
        if !self.said_answer.is_news(clock::now(), &format!("{opening} {text}")) {
            return;
        }
        if matches!(outcome, Outcome::NotExecuted { wait: Wait::Longest, .. }) {
            warn!(%opening, outcome = text, "the count is safe and is sent as soon as this is mended");
        } else {
            info!(%opening, outcome = text, "Shopify's answer to the opening");
        }
    }

    pub(super) fn count_saved(&mut self, opening: OpeningId, result: Stored) {
        match result {
            Ok(row) => {
                self.records.take(row.get());
                self.say_again = clock::now() + SAY_AGAIN;
                if let Event::OpeningCounted(counted) = &row.get().event {
                    let (waits, rules) = (waits(&self.house.timing), rules(&self.house));
                    self.slept = clock::slept();
                    let machine = Opening::new(opening.clone(), counted.clone(), waits, rules, clock::now());
                    self.opening = Some((opening.clone(), machine));
                    if let Some((list, taken)) = self.ahead.take() {
                        self.opening_input(opening::Input::Ahead { list, taken });
                    }
                    self.opening_input(opening::Input::Go);
                }
                self.shift_input(shift::Input::Saved { opening });
                self.slip_due();
            }
            Err(why) => self.shift_input(shift::Input::SaveFailed { opening, why }),
        }
    }

    pub(super) fn if_current(&mut self, opening: &OpeningId, input: opening::Input) {
        if self.opening.as_ref().is_some_and(|(id, _)| id == opening) {
            self.opening_input(input);
        }
    }

    // --- is the session still open?

    /// Somebody acts as if the shift were over.
    pub(super) fn doubt_the_session(&mut self) {
        if self.records.watched().is_some() {
            self.session.doubt(clock::now());
            self.check_session();
        }
    }

    pub(super) fn check_session(&mut self) {
        let watched = self.records.watched().and_then(|r| Some((r.id.clone(), r.counted.as_ref()?)));
        let watched = watched.map(|(id, counted)| (id, counted.point_of_sale_device_id.clone()));
        if !self.session.ask(clock::now(), watched.is_some() && !self.ending) {
            return;
        }
        let Some((opening, device)) = watched else { return };
        let shopify = Arc::clone(&self.house.shopify);
        self.push(async move {
            let read = shopify.sessions_of_device(&device).await;
            Answer::SessionChecked { opening, device, read }
        });
    }

    pub(super) fn session_checked(&mut self, opening: &OpeningId, device: &str, read: &Read) {
        self.session.answered(clock::now(), matches!(read, Read::Healthy(_)));
        let Read::Healthy(sessions) = read else { return };
        self.look_for_a_second(device, sessions);
        let Some(record) = self.records.watched().filter(|r| r.id == *opening) else { return };
        if session_watch::is_over(record, sessions) {
            let session_id = record.session().map_or_else(|| "unknown".to_owned(), |s| s.id.clone());
            let again = |(id, event): &(OpeningId, Event)| id == opening && matches!(event, Event::ShiftClosed { .. });
            if !self.unkept.iter().any(again) {
                self.keep(opening.clone(), Event::ShiftClosed { session_id });
            }
        } else if sessions.sessions.iter().any(|s| s.status == "OPEN") {
            self.shift_input(shift::Input::ShiftOpen);
        }
    }

    // --- is it the only one?

    /// A confirmed opening is looked after from now on.
    fn look_after(&mut self, row: &Row) {
        let (Some(id), Event::OpeningConfirmed { .. }) = (&row.opening, &row.event) else { return };
        let counted = self.records.find(id).and_then(|record| record.counted.as_ref());
        if let Some(device) = counted.map(|counted| counted.point_of_sale_device_id.clone()) {
            self.echo.confirmed(clock::now(), id, &device);
        }
    }

    pub(super) fn check_echo(&mut self) {
        if self.ending {
            return;
        }
        let Some(device) = self.echo.ask(clock::now()) else { return };
        let shopify = Arc::clone(&self.house.shopify);
        self.push(async move {
            let read = shopify.sessions_of_device(&device).await;
            Answer::Echo { device, read }
        });
    }

    fn echo_heard(&mut self, device: &str, read: &Read) {
        match read {
            Read::Healthy(list) => self.look_for_a_second(device, list),
            Read::Failed { .. } => self.echo.failed(clock::now(), device, self.house.timing.retry_max),
        }
    }

    fn look_for_a_second(&mut self, device: &str, list: &SessionList) {
        let Some((opening, event)) = self.echo.seen(device, list) else { return };
        error!(%opening, "two sessions at Shopify carry the reference of one count: see `drawerbridge openings show`");
        self.keep(opening.clone(), event.clone());
        self.tell_progress(&opening, &event);
    }

    /// The people at the counter hear of it, if it concerns them.
    pub(super) fn tell_progress(&mut self, opening: &OpeningId, event: &Event) {
        if let Some(progress) = progress_of(event) {
            self.shift_input(shift::Input::Progress { opening: opening.clone(), progress });
        }
    }

    // --- before it is sent

    fn seen_ahead(&mut self, device: &str, read: Read) {
        match read {
            Read::Healthy(list) => {
                self.look_for_a_second(device, &list);
                self.ahead = Some((list, clock::now()));
            }
            Read::Failed { why, .. } => debug!(why, "Shopify cannot be asked yet"),
        }
    }

    /// What the preflight saw and a person should know, beside the intent that has it.
    fn say_preflight(&self, opening: &OpeningId, event: &Event) {
        let Event::OpeningSending { preflight: Some(preflight), .. } = event else { return };
        for warning in &preflight.warnings {
            warn!(%opening, warning, "seen before the count was sent");
        }
    }

    // --- slips

    pub(super) fn slip_due(&mut self) {
        if self.ending {
            return;
        }
        let Some(printer) = &self.devices.printer else { return };
        if let Some(job) = self.slips.ask(clock::now(), &self.records) {
            printer.ask_turn(job);
        }
    }

    pub(super) fn begin_slip(&mut self, job: u64) {
        if self.ending {
            return;
        }
        let Some(begun) = self.slips.turn(clock::now(), job, &self.records) else { return };
        let event = Event::SlipSending { kind: begun.kind.to_owned() };
        let answer = self.house.recorder.begin(&self.house.till.name, Some(&begun.opening), event);
        self.push(async move { Answer::SlipIntent { begun, result: settled(answer).await } });
    }

    /// `intent`: proof that a restart knows of it.
    pub(super) fn print(&mut self, begun: Begun, intent: &Durable<Arc<Row>>) {
        let Some(printer) = &self.devices.printer else { return };
        match self.slips.compose(&begun, &self.records, intent.hash()) {
            Ok((job, pieces)) => printer.print(job, pieces),
            Err(why) => {
                warn!(opening = %begun.opening, why, "the slip could not be composed");
                self.keep(begun.opening, Event::SlipNotProven { kind: begun.kind.to_owned(), why });
            }
        }
    }
}

//! Every step of recovery, taken twice, comes to the same as once: inputs that are delivered again, restarts after restarts, a
//! journal that is opened again and again, slips that were cut short twice, decisions and second looks made twice.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]
#![allow(clippy::print_stdout, reason = "a proof says what it did twice")]
mod walk;

use std::time::Duration;

use drawerbridge::{
    clock,
    journal::{self, Journal},
    opening::{
        Activities, ActivityRead, Input, OnForeign, Opening, Outcome, Output, Read, SessionList, Wait,
        echo::EchoWatch,
        record::{Record, SlipOwed, SlipState},
    },
    shift::event::{Decision, Event, Money, SessionFacts},
};
use jiff::Timestamp;
use walk::{Sent, WAITS, Walk, counted, id, resolution, rules, states, stories, stranger};

/// Something leaves the machine: a row, a request. A deadline that is told again is none.
fn effects(outputs: &[Output]) -> Vec<&Output> {
    outputs.iter().filter(|output| !matches!(output, Output::WakeAt(_))).collect()
}

/// Every kind of input, good and bad.
fn every_input(sent: &Sent) -> Vec<Input> {
    let ledger = |counts| {
        Input::Activities(ActivityRead::Healthy(Activities { counts, oldest: None, complete: true, open: true, date: None }))
    };
    let lost = || "lost".to_owned();
    let no = |code: &str| Input::Outcome(Outcome::Refused { code: code.into(), message: "no".into() });
    vec![
        Input::Go,
        Input::Tick,
        Input::Stored,
        Input::StoreFailed,
        Input::Ahead { list: sent.list(vec![]), taken: clock::now() },
        sent.sees(vec![]),
        sent.sees(vec![sent.ours()]),
        sent.sees(vec![
            sent.ours(),
            SessionFacts { id: "gid://shopify/PointOfSaleDevicePaymentSession/1002".into(), ..sent.ours() },
        ]),
        sent.sees(vec![stranger("OPEN")]),
        Input::Read(Read::Healthy(SessionList { complete: false, ..sent.list(vec![]) })),
        Input::Read(Read::Failed { why: lost(), retry_after: None }),
        ledger(vec![]),
        Input::Activities(ActivityRead::Failed { why: lost(), retry_after: None }),
        Input::Outcome(Outcome::Executed(sent.ours())),
        Input::Outcome(Outcome::Executed(stranger("OPEN"))),
        Input::Outcome(Outcome::Unknown { why: lost() }),
        Input::Outcome(Outcome::NotExecuted { why: lost(), wait: Wait::Usual }),
        Input::Outcome(Outcome::Rejected { code: "HTTP_404".into(), message: "no".into() }),
        no("ALREADY_OPEN"),
        no("NOT_SAVED"),
        Input::Opener(Ok("Kim".into())),
        Input::Opener(Err("nobody says".into())),
        Input::Resolve(resolution(Decision::Link)),
        Input::Resolve(resolution(Decision::GiveUp)),
        Input::Resolve(resolution(Decision::RecordCount)),
    ]
}

#[test]
fn in_every_state_every_input_that_is_delivered_twice_has_one_effect() {
    let (mut tried, mut effective) = (0, 0);
    for (state, story, at) in states() {
        for later in [Duration::ZERO, Duration::from_secs(130)] {
            for input in every_input(&state.sent) {
                let mut walk = state.clone();
                walk.now += later;
                let once = walk.feed(input.clone());
                let twice = walk.feed(input.clone());
                let second = effects(&twice);
                assert!(second.is_empty(), "“{}”, after {at} inputs: {input:?} again leads to {second:?}", story.name);
                tried += 1;
                effective += usize::from(!effects(&once).is_empty());
            }
        }
    }
    println!("twice: {} states, {tried} inputs delivered twice, {effective} with an effect, each once", states().len());
    assert!(tried > 10_000 && effective > 1_000, "{tried} tried, {effective} with an effect");
}

#[test]
fn a_story_in_which_every_input_comes_twice_goes_as_if_it_came_once() {
    for story in stories() {
        let start = clock::now();
        let (mut once, mut twice) = (Walk::begin(&story, start), Walk::begin(&story, start));
        for (n, step) in story.steps.iter().enumerate() {
            let plain = once.step(step);
            let again = (step.make)(&twice.sent);
            let doubled = twice.step(step);
            assert_eq!(plain, doubled, "“{}”, input {n}", story.name);
            twice.feed(again);
        }
        assert_eq!(once.history, twice.history, "“{}”", story.name);
    }
}

#[test]
fn a_restart_after_a_restart_goes_on_as_one_restart_does() {
    let mut restarted = 0;
    for (state, story, at) in states() {
        let Some(first) = state.restarted(story.rule) else {
            assert!(state.restarted(story.rule).is_none());
            continue;
        };
        let once = first.clone().goes_on();
        // Started, asked Shopify something, and died before anything was written.
        let mut died = first;
        died.feed(Input::Go);
        assert_eq!(died.history, state.history, "“{}”, after {at}: a restart alone writes nothing", story.name);
        let again = died.restarted(story.rule).unwrap();
        assert_eq!(once, again.clone().goes_on(), "“{}”, after {at} inputs", story.name);
        // A third time, and with `Go` twice.
        let mut third = again.restarted(story.rule).unwrap();
        third.feed(Input::Go);
        let mut fourth = third.restarted(story.rule).unwrap();
        assert_eq!(once, fourth.goes_on(), "“{}”, after {at} inputs", story.name);
        restarted += 1;
    }
    println!("twice: {restarted} unsettled states started two and four times, each goes on as after one start");
    assert!(restarted > 100, "{restarted}");
}

#[test]
fn a_restart_at_every_step_of_a_recovery_never_leads_to_a_second_mutation_without_proof() {
    for (state, story, at) in states() {
        let mut walk = state.clone();
        for _ in 0..10 {
            let Some(mut next) = walk.restarted(story.rule) else { break };
            next.feed(Input::Go);
            walk = next;
        }
        if let Some(mut walk) = walk.restarted(story.rule) {
            walk.goes_on();
            let (mut on_its_way, mut counting) = (false, false);
            for event in &walk.history {
                match event {
                    Event::OpeningSending { into, .. } => {
                        let another = into.is_some() != counting;
                        assert!(!on_its_way || another, "“{}”, after {at} inputs: {:?}", story.name, walk.history);
                        (on_its_way, counting) = (true, into.is_some());
                    }
                    Event::OpeningAbsent { .. }
                    | Event::OpeningNotSent { .. }
                    | Event::OpeningUnknown { already_open: true, .. } => on_its_way = false,
                    _ => {}
                }
            }
        }
    }
}

// --- the journal

fn row(n: u64) -> Event {
    Event::DrawerOpened { by: format!("key {n}") }
}

#[test]
fn a_journal_that_is_opened_twice_is_as_if_it_was_opened_once() {
    for story in stories() {
        let mut walk = Walk::begin(&story, clock::now());
        for step in &story.steps {
            walk.step(step);
        }
        let folder = tempfile::tempdir().unwrap();
        let (once, twice) = (folder.path().join("once.db"), folder.path().join("twice.db"));
        let at: Timestamp = walk::DATE.parse().unwrap();
        for (file, times) in [(&once, 1), (&twice, 3)] {
            for event in &walk.history {
                let mut journal = Journal::open(file).unwrap();
                for _ in 1..times {
                    drop(journal);
                    journal = Journal::open(file).unwrap();
                }
                journal.append(at, "front-1", Some(&id()), event).unwrap();
            }
        }
        let read = |file| {
            let journal = Journal::open(file).unwrap();
            let rows = journal.of_opening(&id()).unwrap();
            let events: Vec<Event> = rows.into_iter().map(|row| row.event).collect();
            (events, journal.unresolved().unwrap(), journal.openings_of("front-1", 9).unwrap())
        };
        assert_eq!(read(&once), read(&twice), "{}", story.name);
        let count = |file| journal::verify(file).unwrap().0;
        assert_eq!(count(&once), count(&twice), "{}", story.name);
    }
}

#[test]
fn opening_a_journal_writes_no_row_and_its_numbers_only_rise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let at: Timestamp = walk::DATE.parse().unwrap();
    let mut seen = 0;
    for n in 0..5 {
        let (head, next) = {
            let journal = Journal::open(&file).unwrap();
            (journal.head(), journal.next_seq())
        };
        let mut journal = Journal::open(&file).unwrap();
        assert_eq!(journal.head(), head, "nothing was added");
        assert_eq!(journal.next_seq(), next, "a start without a row takes no number");
        let written = journal.append(at, "front-1", None, &row(n)).unwrap();
        assert!(written.get().seq > seen);
        seen = written.get().seq;
    }
    assert_eq!(journal::verify(&file).unwrap().0, 5);
}

#[test]
fn a_second_daemon_on_the_same_journal_is_refused_however_often_it_tries() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let first = Journal::open(&file).unwrap();
    for _ in 0..3 {
        let refused = Journal::open(&file).unwrap_err();
        assert!(refused.is_temporary(), "{refused}");
    }
    drop(first);
    drop(Journal::open(&file).unwrap());
}

// --- slips

fn record(events: &[Event]) -> Record {
    Record::read(&id(), events.iter().map(|event| (Timestamp::UNIX_EPOCH, event))).unwrap()
}

/// What a start does about slips that were cut short: it says so, once for each.
fn restart(events: &mut Vec<Event>) -> usize {
    let interrupted: Vec<String> = record(events).slips_interrupted().map(str::to_owned).collect();
    for kind in &interrupted {
        events.push(Event::SlipNotProven { kind: kind.clone(), why: "the daemon ended".into() });
    }
    interrupted.len()
}

#[test]
fn a_slip_that_was_cut_short_is_said_once_and_never_printed_again_by_itself() {
    for confirmed_first in [true, false] {
        let session = Sent::default().ours();
        let confirmed = Event::OpeningConfirmed { how: "answered".into(), session };
        let mut events = vec![Event::OpeningCounted(counted())];
        if confirmed_first {
            events.push(confirmed.clone());
        }
        assert_eq!(record(&events).slip_owed(true), Some(SlipOwed::First));
        events.push(Event::SlipSending { kind: "first".into() });
        // Started, and dead again before it could write anything.
        assert_eq!(record(&events).slips_interrupted().count(), 1);
        assert_eq!(restart(&mut events), 1);
        assert_eq!(restart(&mut events), 0, "the second start has nothing to say");
        assert_eq!((record(&events).slip_owed(true), record(&events).slip_state(true)), (None, SlipState::NotProven));
        if confirmed_first {
            continue;
        }
        // The second slip, cut short as well.
        events.push(confirmed.clone());
        assert_eq!(record(&events).slip_owed(true), Some(SlipOwed::Confirmation));
        events.push(Event::SlipSending { kind: "confirmation".into() });
        assert_eq!((restart(&mut events), restart(&mut events)), (1, 0));
        assert_eq!(record(&events).slip_owed(true), None, "neither comes again by itself");
    }
}

// --- a person, and the second look

#[test]
fn a_decision_that_is_made_twice_counts_once() {
    for decision in [Decision::Link, Decision::GiveUp, Decision::RecordCount] {
        let asked = Event::OpeningNeedsAttention {
            kind: "foreign_session".into(),
            why: "open already".into(),
            prompt: ["A".into(), "B".into()],
            session: Some(stranger("OPEN")),
        };
        let resolution = resolution(decision);
        let resolved = Event::OpeningResolved {
            by: resolution.by.clone(),
            why: resolution.why.clone(),
            decision,
            session: resolution.session.clone(),
        };
        let once = vec![Event::OpeningCounted(counted()), asked, resolved.clone()];
        let twice = [once.clone(), vec![resolved]].concat();
        let resume = |history: &[Event]| Opening::resume(id(), history, WAITS, &rules(OnForeign::Ask), clock::now());
        match decision {
            Decision::Link | Decision::GiveUp => assert!(resume(&once).is_none() && resume(&twice).is_none()),
            Decision::RecordCount => {
                for history in [&once, &twice] {
                    let mut machine = resume(history).unwrap();
                    assert!(machine.may_resolve(&resolution).is_err(), "it is on its way");
                    let session = stranger("OPEN").id;
                    assert_eq!(machine.handle(clock::now(), Input::Go), [Output::ReadActivities { session }]);
                }
            }
        }
        assert_eq!(record(&once).standing, record(&twice).standing);
        assert_eq!(record(&once).holds_the_shift_open(), record(&twice).holds_the_shift_open());
    }
}

#[test]
fn a_second_look_that_is_taken_twice_raises_one_alarm() {
    let now = clock::now();
    let mut watch = EchoWatch::new([Duration::from_secs(300), Duration::from_secs(3_600)]);
    let device = counted().point_of_sale_device_id;
    watch.confirmed(now, &id(), &device);
    watch.confirmed(now, &id(), &device);
    let ours = Sent::default().ours();
    let second = SessionFacts {
        id: "gid://shopify/PointOfSaleDevicePaymentSession/1002".into(),
        counted: Money { amount: "150.0".into(), currency: "USD".into() },
        ..ours.clone()
    };
    assert!(watch.seen(&device, &Sent::default().list(vec![ours.clone()])).is_none());
    assert_eq!(watch.ask(now + Duration::from_secs(300)).as_ref(), Some(&device));
    assert_eq!(watch.ask(now + Duration::from_secs(300)), None, "one look is due, not two");
    let list = Sent::default().list(vec![second, ours]);
    let alarms = (0..3).filter(|_| watch.seen(&device, &list).is_some()).count();
    assert_eq!(alarms, 1);
}

//! What `records.rs` keeps and lets go. Here, because that file is compiled into the simulation as well.
use jiff::Timestamp;

use super::records::Records;
use crate::{
    journal::Row,
    opening::record::Record,
    shift::event::{Decision, Event, OpeningId, SessionFacts, StartedBy, sample},
};

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

fn asked(kind: &str, session: Option<SessionFacts>) -> Event {
    Event::OpeningNeedsAttention { kind: kind.into(), why: "x".into(), prompt: Default::default(), session }
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
    for event in
        [Event::OpeningCounted(sample::counted()), sample::confirmed(), Event::ShiftClosed { session_id: "x".into() }]
    {
        records.take(&row(1, event));
    }
    records.take(&row(2, started()));
    assert_eq!(ids(&records), [OpeningId::from_bits(1), OpeningId::from_bits(2)]);
    records.take(&row(1, slip("first")));
    records.take(&row(1, printed("first")));
    assert_eq!(ids(&records), [OpeningId::from_bits(2)], "its slip is over, so nothing follows from it any more");
}

#[test]
fn what_needs_a_person_is_kept_behind_later_openings_until_one_is_confirmed() {
    let question = asked("attempts_used_up", None);
    let mut records = Records::new([], false);
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), question] {
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
    let question = asked("foreign_session", Some(sample::session(9, "OPEN")));
    let linked = Event::OpeningResolved {
        by: "Kim".into(),
        why: "x".into(),
        decision: Decision::Link,
        session: Some(sample::session(9, "OPEN")),
    };
    let mut records = Records::new([], false);
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), question] {
        records.take(&row(1, event));
    }
    records.take(&row(2, started()));
    records.take(&row(2, Event::OpeningCancelled { why: "x".into() }));
    records.take(&row(1, linked));
    assert_eq!(records.watched().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
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

#[test]
fn an_opening_that_was_given_up_since_does_not_close_the_session_of_the_one_before_it() {
    let record = |id, events: &[Event]| {
        let at = Timestamp::UNIX_EPOCH;
        Record::read(&OpeningId::from_bits(id), events.iter().map(|event| (at, event))).expect("events")
    };
    let counted = Event::OpeningCounted(sample::counted());
    let open = record(1, &[counted, slip("first"), printed("first"), sample::confirmed()]);
    let given_up = record(2, &[started(), Event::OpeningCancelled { why: "x".into() }]);
    let records = Records::new([given_up, open], false);
    assert_eq!(records.watched().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
}

#[test]
fn an_earlier_count_that_is_sent_again_is_kept_until_its_session_is_closed() {
    let question = asked("ambiguous", Some(sample::session(8, "CLOSED")));
    let session = sample::session(9, "OPEN");
    let decided = Event::OpeningResolved {
        by: "Kim".into(),
        why: "x".into(),
        decision: Decision::RecordCount,
        session: Some(session.clone()),
    };
    let mut records = Records::new([], false);
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), question] {
        records.take(&row(1, event));
    }
    records.take(&row(2, started()));
    records.take(&row(2, Event::OpeningCancelled { why: "x".into() }));
    records.take(&row(1, decided));
    assert_eq!(records.find(&OpeningId::from_bits(1)).map(|r| r.standing.name()), Some("waiting"));
    records.take(&row(1, Event::OpeningRecorded { how: "answered".into(), session }));
    assert_eq!(records.watched().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
    records.take(&row(1, Event::ShiftClosed { session_id: "9".into() }));
    assert_eq!(ids(&records), [OpeningId::from_bits(2)]);
}

#[test]
fn two_sessions_of_one_count_are_not_over_with_the_next_confirmed_count() {
    let alarm = asked("duplicate", Some(sample::session(8, "CLOSED")));
    let mut records = Records::new([], false);
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), sample::confirmed(), alarm] {
        records.take(&row(1, event));
    }
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), sample::confirmed()] {
        records.take(&row(2, event));
    }
    assert_eq!(records.attention().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
}

#[test]
fn an_alarm_about_a_session_that_was_over_is_asked_behind_the_opening_that_began_since() {
    let mut records = Records::new([], false);
    let over = Event::ShiftClosed { session_id: "1".into() };
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), sample::confirmed(), over] {
        records.take(&row(1, event));
    }
    records.take(&row(2, started()));
    assert_eq!(ids(&records), [OpeningId::from_bits(2)]);
    records.take(&row(1, asked("duplicate", Some(sample::session(8, "CLOSED")))));
    assert_eq!(records.current().map(|r| r.id.clone()), Some(OpeningId::from_bits(2)));
    assert_eq!(records.attention().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
    for event in [Event::OpeningCounted(sample::counted()), slip("first"), printed("first"), sample::confirmed()] {
        records.take(&row(2, event));
    }
    assert_eq!(records.attention().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)), "not over with the next count");
    let (by, why, decision) = ("Kim".into(), "x".into(), Decision::GiveUp);
    records.take(&row(1, Event::OpeningResolved { by, why, decision, session: None }));
    assert_eq!(ids(&records), [OpeningId::from_bits(2)]);
}

#[test]
fn many_slips_that_are_owed_push_no_question_out_of_sight() {
    let mut records = Records::new([], false);
    records.take(&row(1, Event::OpeningCounted(sample::counted())));
    records.take(&row(1, asked("attempts_used_up", None)));
    for id in 2..=20 {
        records.take(&row(id, Event::OpeningCounted(sample::counted())));
        let refused = Event::OpeningRefused { code: "X".into(), message: "no".into(), prompt: Default::default() };
        records.take(&row(id, refused));
    }
    assert_eq!(records.attention().map(|r| r.id.clone()), Some(OpeningId::from_bits(1)));
}

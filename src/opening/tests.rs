#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::shift::event::{
    Money,
    sample::{self, counted},
};

const WAITS: Waits = Waits {
    quiet_period: Duration::from_secs(120),
    read_every: Duration::from_secs(5),
    retry_first: Duration::from_secs(2),
    retry_max: Duration::from_secs(60),
};

fn rules() -> Rules {
    Rules {
        shared_drawer: SharedDrawer::Warn,
        on_foreign_session: OnForeign::Ask,
        max_age: Duration::from_secs(4 * 3600),
        business_day: BusinessDay { zone: jiff::tz::TimeZone::UTC, starts: jiff::civil::time(4, 0, 0, 0) },
    }
}

fn t0() -> Instant {
    crate::clock::now()
}

fn id() -> OpeningId {
    OpeningId::from_bits(7)
}

fn session(number: u32, status: &str) -> SessionFacts {
    SessionFacts { opening_note: Some(format!("[db:{}]", id())), ..sample::session(number, status) }
}

fn foreign(status: &str) -> SessionFacts {
    let counted = Money { amount: "90.0".into(), currency: "USD".into() };
    SessionFacts { opening_note: None, counted, opening_time: "2026-11-23T06:00:00Z".into(), ..session(900, status) }
}

/// Everything the device ever had.
fn all(sessions: Vec<SessionFacts>) -> Read {
    Read::Healthy(SessionList::of(sessions, true))
}

/// A page of the newest, with older ones behind it.
fn page(sessions: Vec<SessionFacts>) -> Read {
    Read::Healthy(SessionList::of(sessions, false))
}

fn failed() -> Read {
    Read::Failed { why: "502".into(), retry_after: None }
}

fn look() -> Vec<Output> {
    vec![Output::ReadSessions { device: "gid://shopify/PointOfSaleDevice/1".into() }]
}

fn already_open() -> Outcome {
    Outcome::Refused { code: "ALREADY_OPEN".into(), message: "already open".into() }
}

fn not_executed(wait: Wait) -> Outcome {
    Outcome::NotExecuted { why: "not reachable".into(), wait }
}

fn intent(attempt: u8) -> Event {
    sent(attempt, WallClock::Trusted)
}

/// What a preflight says that may not read the device.
const UNREAD: &str = "Shopify does not let this token read the device: whether another one counts into its drawer is not known \
                      (grant read_point_of_sale_devices, or set shared_drawer = \"allow\")";

/// An intent whose preflight saw nothing.
fn sent(attempt: u8, clock: WallClock) -> Event {
    let variables = variables(&id(), &counted(), clock);
    Event::OpeningSending {
        attempt,
        variables,
        into: None,
        preflight: Some(Preflight { warnings: vec![UNREAD.into()], ..Preflight::default() }),
    }
}

fn unknown_event(attempt: u8, already_open: bool) -> Event {
    Event::OpeningUnknown { attempt, why: "lost".into(), already_open }
}

fn resumed(now: Instant, history: &[Event]) -> Opening {
    let mut events = vec![Event::OpeningCounted(counted())];
    events.extend_from_slice(history);
    Opening::resume(id(), &events, WAITS, &rules(), now).expect("not settled")
}

/// The next deadline, from outputs that are nothing but one.
fn wake(outputs: &[Output]) -> Instant {
    match outputs {
        [Output::WakeAt(at)] => *at,
        other => panic!("not a wait: {other:?}"),
    }
}

fn fresh(now: Instant) -> Opening {
    Opening::new(id(), counted(), WAITS, rules(), now)
}

/// The preflight is read and shows nothing in the way.
fn clear(o: &mut Opening, now: Instant) -> Vec<Output> {
    assert_eq!(o.handle(now, Input::Go), look());
    o.handle(now, Input::Read(all(vec![])))
}

/// Up to the moment the first mutation is on its way.
fn sending(now: Instant) -> Opening {
    let mut o = fresh(now);
    assert!(matches!(clear(&mut o, now)[..], [Output::Store(Event::OpeningSending { attempt: 1, .. })]));
    assert!(matches!(o.handle(now, Input::Stored)[..], [Output::Send { mutation: Mutation::Open, .. }]));
    o
}

fn unknown(now: Instant) -> Opening {
    let mut o = sending(now);
    let outs = o.handle(now, Input::Outcome(Outcome::Unknown { why: "the answer was lost".into() }));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningUnknown { attempt: 1, .. })]));
    o.handle(now, Input::Stored);
    o
}

/// `ALREADY_OPEN` was answered, is on disk, and the first look is under way.
fn fenced(o: &mut Opening, now: Instant) {
    let outs = o.handle(now, Input::Outcome(already_open()));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningUnknown { attempt: 1, already_open: true, why })]
        if why.contains("already open")));
    assert_eq!(o.handle(now, Input::Stored), look());
}

#[test]
fn nothing_is_sent_before_the_intent_is_on_disk() {
    let now = t0();
    let mut o = fresh(now);
    let outs = clear(&mut o, now);
    assert!(!outs.iter().any(|x| matches!(x, Output::Send { .. })));
    let outs = o.handle(now, Input::StoreFailed);
    assert_eq!(outs, [Output::WakeAt(now + WAITS.retry_first)]);
    assert!(matches!(o.handle(now + WAITS.retry_first, Input::Tick)[..], [Output::Store(Event::OpeningSending { .. })]));
}

#[test]
fn all_six_arguments_are_named_and_the_note_ends_in_the_reference() {
    let mut c = counted();
    c.note = "float from safe".into();
    let v = variables(&id(), &c, WallClock::Trusted);
    assert_eq!(v["balance"], json!({"amount": "150.00", "currencyCode": "USD"}));
    assert_eq!(v["note"], "float from safe [db:0000000007]");
    assert_eq!(v["time"], "2026-11-23T07:00:00Z");
    assert_eq!(v["deviceId"], "gid://shopify/PointOfSaleDevice/1");
    assert_eq!(v["staffId"], "gid://shopify/StaffMember/1");
    assert!(v["reasonCodeId"].is_null());
    assert!(variables(&id(), &c, WallClock::Wrong)["time"].is_null());
}

#[test]
fn an_answer_with_our_session_confirms() {
    let now = t0();
    let mut o = sending(now);
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(session(1, "OPEN"))));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningConfirmed { how, .. })] if how == "answered"));
    o.handle(now, Input::Stored);
    assert!(o.is_settled());
}

#[test]
fn an_answer_with_another_amount_is_not_believed() {
    let now = t0();
    let mut o = sending(now);
    let other = SessionFacts { counted: Money { amount: "15.0".into(), currency: "USD".into() }, ..session(1, "OPEN") };
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(other)));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningUnknown { .. })]));
}

#[test]
fn an_unknown_outcome_is_read_and_never_sent_again_before_the_quiet_period() {
    let now = t0();
    let mut o = unknown(now);
    let mut t = now;
    while t < now + WAITS.quiet_period {
        assert_eq!(o.handle(t, Input::Tick), look());
        assert!(matches!(o.handle(t, Input::Read(all(vec![])))[..], [Output::WakeAt(_)]));
        t += WAITS.read_every;
    }
}

#[test]
fn absence_needs_three_healthy_reads_after_the_quiet_period() {
    let now = t0();
    let mut o = unknown(now);
    let mut t = now + WAITS.quiet_period;
    for read in 1..=3 {
        assert_eq!(o.handle(t, Input::Tick), look());
        t = wake(&o.handle(t, Input::Read(failed())));
        assert_eq!(o.handle(t, Input::Tick), look());
        let outs = o.handle(t, Input::Read(all(vec![foreign("CLOSED")])));
        match read {
            3 => assert!(matches!(outs[..], [Output::Store(Event::OpeningAbsent { attempt: 1, reads: 3 })])),
            _ => t = wake(&outs),
        }
    }
}

#[test]
fn a_session_found_closed_again_is_still_ours() {
    let now = t0();
    let mut o = unknown(now);
    o.handle(now, Input::Tick);
    let outs = o.handle(now, Input::Read(all(vec![foreign("OPEN"), session(5, "CLOSED")])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningConfirmed { how, .. })] if how == "found"));
}

#[test]
fn already_open_by_someone_else_keeps_the_count_and_asks() {
    let now = t0();
    let mut o = sending(now);
    fenced(&mut o, now);
    let outs = o.handle(now, Input::Read(all(vec![foreign("OPEN")])));
    assert_eq!(outs, [Output::ReadOpener { session: foreign("OPEN").id }]);
    let outs = o.handle(now, Input::Opener(Ok("Kim".into())));
    assert!(
        matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, why, .. })] if kind == "foreign_session" && why.contains("90.00 USD"))
    );
}

#[test]
fn two_points_of_three_ask_a_person() {
    let now = t0();
    let mut o = unknown(now);
    let t = now + WAITS.quiet_period;
    o.handle(t, Input::Tick);
    let near = SessionFacts { opening_note: None, ..session(3, "OPEN") };
    let outs = o.handle(t, Input::Read(all(vec![near])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, .. })] if kind == "ambiguous"));
}

#[test]
fn every_user_error_has_a_text_that_fits_the_display() {
    for code in [
        "POINT_OF_SALE_DEVICE_NOT_FOUND",
        "NO_CASH_DRAWER_ASSOCIATED",
        "NOT_SAVED",
        "STAFF_MEMBER_NOT_FOUND",
        "CURRENCY_MISMATCH",
        "REASON_CODE_NOT_FOUND",
        "HTTP_403",
        "a code of next year",
    ] {
        for row in refusal_prompt(code) {
            assert!(row.len() <= 20 && row.is_ascii(), "{code}: {row}");
        }
        let now = t0();
        let mut o = sending(now);
        let outs = o.handle(now, Input::Outcome(Outcome::Refused { code: code.into(), message: "no".into() }));
        assert!(matches!(outs[..], [Output::Store(Event::OpeningRefused { .. })]));
    }
}

#[test]
fn a_restart_in_any_state_goes_on_by_what_the_journal_says() {
    let now = t0();
    let counted_only = [Event::OpeningCounted(counted())];
    let mut o = Opening::resume(id(), &counted_only, WAITS, &rules(), now).expect("a count is resumed");
    assert!(matches!(clear(&mut o, now)[..], [Output::Store(Event::OpeningSending { attempt: 1, .. })]));

    let intent = intent(1);
    let mut o =
        Opening::resume(id(), &[Event::OpeningCounted(counted()), intent.clone()], WAITS, &rules(), now).expect("resumed");
    assert_eq!(o.handle(now, Input::Go), look(), "an intent may have been sent: read first");

    let not_sent = Event::OpeningNotSent { attempt: 1, why: "refused".into() };
    let history = [Event::OpeningCounted(counted()), intent.clone(), not_sent];
    let mut o = Opening::resume(id(), &history, WAITS, &rules(), now).expect("resumed");
    assert_eq!(o.handle(now, Input::Go), look());
    assert!(matches!(
        o.handle(now, Input::Read(all(vec![])))[..],
        [Output::Store(Event::OpeningSending { attempt: 1, .. })]
    ));

    let settled = Event::OpeningConfirmed { how: "answered".into(), session: session(1, "OPEN") };
    assert!(Opening::resume(id(), &[Event::OpeningCounted(counted()), intent, settled], WAITS, &rules(), now).is_none());
}

#[test]
fn a_restart_reads_the_device_that_was_counted_for_and_not_the_one_of_todays_configuration() {
    let now = t0();
    let mut counted = counted();
    counted.point_of_sale_device_id = "gid://shopify/PointOfSaleDevice/77".into();
    let history = [Event::OpeningCounted(counted), intent(1)];
    let mut o = Opening::resume(id(), &history, WAITS, &rules(), now).expect("resumed");
    let device = "gid://shopify/PointOfSaleDevice/77".to_owned();
    assert_eq!(o.handle(now, Input::Go), [Output::ReadSessions { device }]);
}

/// Reads this answer over and over from the end of the quiet period on, until something is stored.
fn outcome_of_reading(o: &mut Opening, now: Instant, answer: &Read) -> Event {
    let mut t = now + WAITS.quiet_period;
    for _ in 0..20 {
        assert_eq!(o.handle(t, Input::Tick), look());
        match &o.handle(t, Input::Read(answer.clone()))[..] {
            [Output::Store(event)] => return event.clone(),
            outs => t = wake(outs),
        }
    }
    panic!("reading leads to nothing");
}

fn opened_at(time: &str) -> SessionFacts {
    SessionFacts { opening_time: time.into(), ..foreign("CLOSED") }
}

#[test]
fn a_page_proves_absence_only_when_it_reaches_back_behind_the_count() {
    let now = t0();
    let reaches = page(vec![opened_at("2026-11-23T06:00:00Z"), opened_at("2026-11-22T06:59:59Z")]);
    assert!(matches!(outcome_of_reading(&mut unknown(now), now, &reaches), Event::OpeningAbsent { reads: 3, .. }));

    for short in ["2026-11-22T07:00:01Z", "2026-11-30T07:00:00Z"] {
        let short = page(vec![opened_at("2026-11-20T07:00:00Z"), opened_at(short)]);
        let event = outcome_of_reading(&mut unknown(now), now, &short);
        assert!(
            matches!(&event, Event::OpeningNeedsAttention { kind, .. } if kind == "ambiguous"),
            "only the oldest created entry counts: {event:?}"
        );
    }
    let none = outcome_of_reading(&mut unknown(now), now, &page(vec![]));
    assert!(matches!(none, Event::OpeningNeedsAttention { .. }), "an empty page with more behind it proves nothing");
}

/// Like [`unknown`], with a clock that was known to be wrong when the intent was written.
fn unknown_without_time(now: Instant) -> Opening {
    let mut o = fresh(now);
    o.clock_is(WallClock::Wrong);
    clear(&mut o, now);
    assert!(matches!(&o.handle(now, Input::Stored)[..], [Output::Send { variables, .. }] if variables["time"].is_null()));
    o.handle(now, Input::Outcome(Outcome::Unknown { why: "lost".into() }));
    o.handle(now, Input::Stored);
    o
}

#[test]
fn without_a_time_of_our_own_only_the_whole_list_proves_absence() {
    let now = t0();
    let old = vec![opened_at("2020-01-01T00:00:00Z")];
    let event = outcome_of_reading(&mut unknown_without_time(now), now, &page(old.clone()));
    assert!(matches!(event, Event::OpeningNeedsAttention { .. }), "{event:?}");
    let event = outcome_of_reading(&mut unknown_without_time(now), now, &all(old));
    assert!(matches!(event, Event::OpeningAbsent { .. }), "{event:?}");
}

#[test]
fn a_session_with_anything_of_ours_is_never_taken_for_absence() {
    let now = t0();
    let ambiguous = |o: &mut Opening, session: SessionFacts| {
        let event = outcome_of_reading(o, now, &all(vec![session]));
        matches!(&event, Event::OpeningNeedsAttention { kind, session: Some(_), .. } if kind == "ambiguous")
    };
    let other_money = Money { amount: "15.0".into(), currency: "USD".into() };
    let other_time = "2026-11-23T09:30:00Z".to_owned();
    let reference_alone = SessionFacts { counted: other_money, opening_time: other_time.clone(), ..session(3, "CLOSED") };
    assert!(ambiguous(&mut unknown(now), reference_alone.clone()), "the reference, and neither amount nor time");
    assert!(ambiguous(&mut unknown_without_time(now), reference_alone));

    let plain = |time: &str| SessionFacts { opening_note: None, opening_time: time.into(), ..session(3, "CLOSED") };
    assert!(ambiguous(&mut unknown(now), plain("2026-11-23T07:00:00Z")), "amount and time");
    assert!(ambiguous(&mut unknown(now), plain(&other_time)), "the amount, opened since: Shopify took a time of its own");
    assert!(ambiguous(&mut unknown_without_time(now), plain("2026-11-22T07:00:00Z")), "the amount, and no time was sent");
    assert!(!ambiguous(&mut unknown(now), plain("2026-11-22T07:00:00Z")), "yesterday's float is the same every day");

    let of_another = |time: &str| SessionFacts { opening_note: Some("x [db:00000000ZZ]".into()), ..plain(time) };
    assert!(!ambiguous(&mut unknown(now), of_another("2026-11-23T07:00:00Z")), "another opening's reference");
    assert!(!ambiguous(&mut unknown_without_time(now), of_another("2026-11-22T07:00:00Z")));
}

#[test]
fn times_are_compared_as_times() {
    let now = t0();
    let mut o = sending(now);
    let written = SessionFacts { opening_time: "2026-11-23T08:00:00+01:00".into(), ..session(1, "OPEN") };
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(written)));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningConfirmed { .. })]));
}

#[test]
fn the_fence_asks_when_the_open_session_carries_our_reference_but_another_amount() {
    let now = t0();
    let mut o = sending(now);
    fenced(&mut o, now);
    let near = SessionFacts { counted: Money { amount: "15.0".into(), currency: "USD".into() }, ..session(3, "OPEN") };
    let outs = o.handle(now, Input::Read(all(vec![near])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, .. })] if kind == "ambiguous"));
}

#[test]
fn the_same_float_opened_by_hand_before_our_first_attempt_is_somebody_elses() {
    let now = t0();
    let mut o = sending(now);
    fenced(&mut o, now);
    let by_hand = SessionFacts { opening_note: None, opening_time: "2026-11-23T07:00:30Z".into(), ..session(3, "OPEN") };
    let outs = o.handle(now, Input::Read(all(vec![by_hand.clone()])));
    assert_eq!(outs, [Output::ReadOpener { session: by_hand.id }]);
}

#[test]
fn a_restart_at_the_fence_reads_and_decides_as_the_fence_and_sends_nothing_again() {
    let now = t0();
    let history = [intent(1), unknown_event(1, true)];
    let mut o = resumed(now, &history);
    assert_eq!(o.handle(now, Input::Go), look());
    let outs = o.handle(now, Input::Read(all(vec![session(1, "OPEN")])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningConfirmed { .. })]));

    let mut o = resumed(now, &history);
    o.handle(now, Input::Go);
    let outs = o.handle(now, Input::Read(all(vec![foreign("OPEN")])));
    assert!(matches!(outs[..], [Output::ReadOpener { .. }]));

    let mut o = resumed(now, &history);
    let mut t = now;
    for _ in 0..READS_FOR_ABSENCE - 1 {
        assert_eq!(o.handle(t, Input::Go), look());
        t = wake(&o.handle(t, Input::Read(all(vec![]))));
    }
    assert_eq!(o.handle(t, Input::Tick), look());
    let outs = o.handle(t, Input::Read(all(vec![])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, .. })] if kind == "hidden_session"));
}

#[test]
fn a_restart_with_an_unknown_outcome_waits_out_a_quiet_period_of_its_own() {
    let now = t0();
    let mut o = resumed(now, &[intent(1), unknown_event(1, false)]);
    assert_eq!(o.handle(now, Input::Go), look());
    let mut t = wake(&o.handle(now, Input::Read(all(vec![]))));
    while t < now + WAITS.quiet_period {
        assert_eq!(o.handle(t, Input::Tick), look());
        t = wake(&o.handle(t, Input::Read(all(vec![]))));
    }
    assert!(matches!(
        outcome_of_reading(&mut o, t - WAITS.quiet_period, &all(vec![])),
        Event::OpeningAbsent { attempt: 1, .. }
    ));
}

#[test]
fn a_restart_after_the_last_proven_absence_reads_on_and_sends_nothing_more() {
    let now = t0();
    let absent = |attempt| Event::OpeningAbsent { attempt, reads: 3 };
    let mut o = resumed(now, &[intent(1), absent(1), intent(2), absent(2)]);
    assert_eq!(o.handle(now, Input::Go), look());
    assert_eq!(o.handle(now, Input::Read(all(vec![]))), [Output::Store(intent(3))], "the third is allowed");
    let history = [intent(1), absent(1), intent(2), absent(2), intent(3), absent(3)];
    let mut o = resumed(now, &history);
    let read = outcome_of_reading(&mut o, now, &all(vec![]));
    assert!(matches!(&read, Event::OpeningNeedsAttention { kind, .. } if kind == "attempts_used_up"), "{read:?}");
}

#[test]
fn nothing_is_done_before_its_time_however_often_the_clock_ticks() {
    let now = t0();
    let mut refused = fresh(now);
    clear(&mut refused, now);
    let mut offline = sending(now);
    offline.handle(now, Input::Outcome(not_executed(Wait::Usual)));
    let mut read_again = unknown(now);
    read_again.handle(now, Input::Tick);
    let mut fenced_again = sending(now);
    fenced(&mut fenced_again, now);
    let waiting = [
        ("the disk refused", refused.handle(now, Input::StoreFailed), refused),
        ("not executed", offline.handle(now, Input::Stored), offline),
        ("unknown", read_again.handle(now, Input::Read(all(vec![]))), read_again),
        ("fenced", fenced_again.handle(now, Input::Read(all(vec![]))), fenced_again),
    ];
    for (what, outs, mut o) in waiting {
        let at = wake(&outs);
        assert!(at > now, "{what}");
        for early in [now, at - Duration::from_millis(1)] {
            assert_eq!(o.handle(early, Input::Tick), [Output::WakeAt(at)], "{what}");
            assert!(!o.is_settled(), "{what}");
        }
        assert!(!o.handle(at, Input::Tick).is_empty(), "{what}");
    }
}

#[test]
fn a_restart_after_proven_absence_looks_once_more_and_then_sends_the_same_content_again() {
    let now = t0();
    let absent = |attempt| Event::OpeningAbsent { attempt, reads: 3 };
    let mut o = resumed(now, &[intent(1), unknown_event(1, false), absent(1)]);
    o.clock_is(WallClock::Wrong);
    assert_eq!(o.handle(now, Input::Go), look());
    let outs = o.handle(now, Input::Read(all(vec![])));
    assert_eq!(outs, [Output::Store(intent(2))], "the first attempt may have run: not a letter changes");

    let mut o = resumed(now, &[intent(1), absent(1)]);
    o.handle(now, Input::Go);
    let outs = o.handle(now, Input::Read(all(vec![session(1, "CLOSED")])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningConfirmed { .. })]), "it came late");

    let mut o = resumed(now, &[intent(1), absent(1)]);
    o.handle(now, Input::Go);
    let late = SessionFacts { counted: Money { amount: "1.0".into(), currency: "USD".into() }, ..session(1, "CLOSED") };
    let outs = o.handle(now, Input::Read(all(vec![late])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningNeedsAttention { .. })]), "something of ours came late");
}

#[test]
fn a_time_that_proves_wrong_before_anything_can_have_run_is_taken_out_and_never_put_back() {
    let now = t0();
    let mut o = sending(now);
    o.handle(now, Input::Outcome(not_executed(Wait::Usual)));
    let mut t = wake(&o.handle(now, Input::Stored));
    assert_eq!(o.handle(t, Input::Tick), look());
    // The read's `Date` told.
    o.clock_is(WallClock::Wrong);
    let outs = o.handle(t, Input::Read(all(vec![])));
    let [Output::Store(Event::OpeningSending { attempt: 1, variables: second, .. })] = &outs[..] else { panic!("{outs:?}") };
    assert!(second["time"].is_null());
    o.handle(t, Input::Stored);
    o.handle(t, Input::Outcome(not_executed(Wait::Usual)));
    t = wake(&o.handle(t, Input::Stored));
    o.handle(t, Input::Tick);
    o.clock_is(WallClock::Trusted);
    let outs = o.handle(t, Input::Read(all(vec![])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningSending { variables, .. })] if variables["time"].is_null()));
}

#[test]
fn once_an_attempt_may_have_run_its_content_stays_even_when_the_next_one_certainly_does_not_run() {
    let now = t0();
    let mut o = unknown(now);
    assert!(matches!(outcome_of_reading(&mut o, now, &all(vec![])), Event::OpeningAbsent { .. }));
    let mut t = wake(&o.handle(now + WAITS.quiet_period, Input::Stored));
    for _ in 0..2 {
        assert_eq!(o.handle(t, Input::Tick), look());
        o.clock_is(WallClock::Wrong);
        assert_eq!(o.handle(t, Input::Read(all(vec![]))), [Output::Store(intent(2))]);
        o.handle(t, Input::Stored);
        o.handle(t, Input::Outcome(not_executed(Wait::Usual)));
        t = wake(&o.handle(t, Input::Stored));
    }
    // The same after a restart in the middle of an attempt.
    let not_sent = Event::OpeningNotSent { attempt: 2, why: "x".into() };
    let mut o = resumed(now, &[intent(1), Event::OpeningAbsent { attempt: 1, reads: 3 }, intent(2), not_sent]);
    o.clock_is(WallClock::Wrong);
    o.handle(now, Input::Go);
    assert_eq!(o.handle(now, Input::Read(all(vec![]))), [Output::Store(intent(2))]);
}

#[test]
fn what_cannot_be_sent_is_tried_less_and_less_often() {
    let now = t0();
    let mut o = sending(now);
    let (mut t, mut gaps) = (now, vec![]);
    for _ in 0..7 {
        o.handle(t, Input::Outcome(not_executed(Wait::Usual)));
        let at = wake(&o.handle(t, Input::Stored));
        gaps.push((at - t).as_secs());
        t = at;
        o.handle(t, Input::Tick);
        o.handle(t, Input::Read(all(vec![])));
        o.handle(t, Input::Stored);
    }
    assert_eq!(gaps, [2, 4, 8, 16, 32, 60, 60], "although every look between succeeded");
}

#[test]
fn what_a_person_has_to_mend_keeps_the_count_and_is_tried_seldom() {
    let now = t0();
    let mut o = sending(now);
    let outs = o.handle(now, Input::Outcome(not_executed(Wait::Longest)));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningNotSent { attempt: 1, .. })]), "not settled");
    let mut t = wake(&o.handle(now, Input::Stored));
    assert_eq!(t, now + WAITS.retry_max);
    assert_eq!(o.handle(t, Input::Tick), look());
    let outs = o.handle(t, Input::Read(failed()));
    assert!(
        matches!(&outs[..], [Output::Store(Event::OpeningNotSent { why, .. })] if why == "502"),
        "another reason is told"
    );
    let next = wake(&o.handle(t, Input::Stored));
    assert_eq!(next, t + WAITS.retry_max);
    t = next;
    o.handle(t, Input::Tick);
    t = wake(&o.handle(t, Input::Read(failed())));
    assert_eq!(t, next + WAITS.retry_max, "the same is not told again");
    o.handle(t, Input::Tick);
    let outs = o.handle(t, Input::Read(all(vec![])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningSending { attempt: 1, .. })]), "mended: it goes out");
}

#[test]
fn failing_reads_come_less_and_less_often_and_a_wait_that_shopify_asks_for_is_kept() {
    let now = t0();
    let mut o = unknown(now);
    let (mut t, mut gaps) = (now, vec![]);
    let mut step = |o: &mut Opening, answer: Read| {
        assert_eq!(o.handle(t, Input::Tick), look());
        let at = wake(&o.handle(t, Input::Read(answer)));
        gaps.push((at - t).as_secs());
        t = at;
    };
    for _ in 0..5 {
        step(&mut o, failed());
    }
    step(&mut o, all(vec![]));
    step(&mut o, failed());
    step(&mut o, Read::Failed { why: "429".into(), retry_after: Some(Duration::from_secs(90)) });
    assert_eq!(gaps, [5, 10, 20, 40, 60, 5, 5, 90]);

    let mut o = sending(now);
    fenced(&mut o, now);
    let first = wake(&o.handle(now, Input::Read(failed())));
    o.handle(first, Input::Tick);
    assert_eq!(wake(&o.handle(first, Input::Read(failed()))), first + WAITS.read_every * 2);

    let mut o = sending(now);
    o.handle(now, Input::Outcome(not_executed(Wait::Asked(Duration::from_secs(30)))));
    let t = wake(&o.handle(now, Input::Stored));
    assert_eq!(t, now + Duration::from_secs(30));
    o.handle(t, Input::Tick);
    let asked = Read::Failed { why: "429".into(), retry_after: Some(Duration::from_secs(45)) };
    assert_eq!(wake(&o.handle(t, Input::Read(asked))), t + Duration::from_secs(45));
}

#[test]
fn a_disk_that_refuses_is_asked_less_and_less_often_with_the_same_event() {
    let now = t0();
    let mut o = fresh(now);
    let first = clear(&mut o, now);
    let (mut t, mut gaps) = (now, vec![]);
    for _ in 0..7 {
        let at = wake(&o.handle(t, Input::StoreFailed));
        gaps.push((at - t).as_secs());
        t = at;
        assert_eq!(o.handle(t, Input::Tick), first);
    }
    assert_eq!(gaps, [2, 4, 8, 16, 32, 60, 60]);
    assert!(matches!(o.handle(t, Input::Stored)[..], [Output::Send { .. }]));
    o.handle(t, Input::Outcome(Outcome::Unknown { why: "lost".into() }));
    assert_eq!(wake(&o.handle(t, Input::StoreFailed)), t + WAITS.retry_first, "it had recovered");
}

// ---- before it is sent -------------------------------------------------------------------------------------------------

fn with(change: impl FnOnce(&mut Rules)) -> Opening {
    let mut rules = rules();
    change(&mut rules);
    Opening::new(id(), counted(), WAITS, rules, t0())
}

fn at_device(device: Device) -> Read {
    Read::Healthy(SessionList { device, ..SessionList::of(vec![], true) })
}

fn drawer_with(others: &[&str]) -> Device {
    let devices = ["1"].iter().chain(others).map(|n| format!("gid://shopify/PointOfSaleDevice/{n}")).collect();
    Device::Known { drawer: Some(DrawerFacts { id: "gid://shopify/CashDrawer/1".into(), devices }), active: None }
}

fn asks(outs: &[Output]) -> &str {
    match outs {
        [Output::Store(Event::OpeningNeedsAttention { kind, .. })] => kind,
        other => panic!("nobody is asked: {other:?}"),
    }
}

#[test]
fn what_was_read_while_the_person_counted_saves_the_look_for_five_minutes() {
    let now = t0();
    let list = SessionList::of(vec![], true);
    let mut o = fresh(now);
    o.handle(now, Input::Ahead { list: list.clone(), taken: now });
    let late = now + AHEAD_FOR - Duration::from_secs(1);
    assert!(matches!(o.handle(late, Input::Go)[..], [Output::Store(Event::OpeningSending { .. })]));
    let mut o = fresh(now);
    o.handle(now, Input::Ahead { list, taken: now });
    assert_eq!(o.handle(now + AHEAD_FOR, Input::Go), look(), "too old");
}

#[test]
fn a_preflight_that_fails_is_said_once_and_nothing_is_sent() {
    let now = t0();
    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let outs = o.handle(now, Input::Read(failed()));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningNotSent { attempt: 1, .. })]));
    let at = wake(&o.handle(now, Input::Stored));
    assert_eq!(at, now + WAITS.retry_first);
    assert_eq!(o.handle(at, Input::Tick), look());
    assert_eq!(wake(&o.handle(at, Input::Read(failed()))), at + WAITS.retry_first * 2, "no second row");
}

#[test]
fn a_preflight_that_fails_before_a_second_attempt_leaves_the_content_as_it_is() {
    let now = t0();
    let absent = Event::OpeningAbsent { attempt: 1, reads: 3 };
    let not_sent = Event::OpeningNotSent { attempt: 2, why: "offline".into() };
    let mut o = resumed(now, &[intent(1), unknown_event(1, false), absent, not_sent]);
    o.clock_is(WallClock::Wrong);
    assert_eq!(clear(&mut o, now), [Output::Store(intent(2))]);
}

#[test]
fn what_the_preflight_saw_stands_in_the_intent() {
    let now = t0();
    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let list = SessionList {
        device: drawer_with(&["2"]),
        skew_s: Some(3),
        api_version: Some("2026-07".into()),
        ..SessionList::of(
            vec![SessionFacts { counted: Money { amount: "1".into(), currency: "EUR".into() }, ..foreign("CLOSED") }],
            true,
        )
    };
    let outs = o.handle(now, Input::Read(Read::Healthy(list)));
    let [Output::Store(Event::OpeningSending { preflight: Some(facts), .. })] = &outs[..] else { panic!("{outs:?}") };
    assert_eq!(facts.drawer.as_deref(), Some("gid://shopify/CashDrawer/1"));
    assert_eq!(facts.shared_with, ["gid://shopify/PointOfSaleDevice/2"]);
    assert_eq!((facts.skew_s, facts.api_version.as_deref()), (Some(3), Some("2026-07")));
    assert_eq!(facts.warnings.len(), 2, "{facts:?}");
}

#[test]
fn a_device_that_shopify_does_not_know_is_refused_without_sending() {
    let now = t0();
    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let outs = o.handle(now, Input::Read(at_device(Device::Missing)));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningRefused { code, message, .. })]
        if code == "POINT_OF_SALE_DEVICE_NOT_FOUND" && message.contains("PointOfSaleDevice/1")));
}

#[test]
fn a_drawer_that_another_device_counts_into_is_denied_warned_of_or_allowed() {
    let now = t0();
    let outs = |rule: SharedDrawer, others: &[&str]| {
        let mut o = with(|r| r.shared_drawer = rule);
        o.handle(now, Input::Go);
        o.handle(now, Input::Read(at_device(drawer_with(others))))
    };
    assert_eq!(asks(&outs(SharedDrawer::Deny, &["2"])), "shared_drawer");
    for (rule, others, warnings) in
        [(SharedDrawer::Deny, &[][..], 0), (SharedDrawer::Warn, &["2"], 1), (SharedDrawer::Allow, &["2"], 0)]
    {
        let outs = outs(rule, others);
        let [Output::Store(Event::OpeningSending { preflight: Some(facts), .. })] = &outs[..] else { panic!("{outs:?}") };
        assert_eq!(facts.warnings.len(), warnings, "{rule:?}");
    }
}

#[test]
fn an_open_session_of_somebody_else_is_believed_when_two_looks_see_it() {
    let now = t0();
    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let t = wake(&o.handle(now, Input::Read(all(vec![foreign("OPEN")]))));
    assert_eq!(t, now + WAITS.read_every, "it may have been closed a moment ago");
    assert_eq!(o.handle(t, Input::Tick), look());
    let outs = o.handle(t, Input::Read(all(vec![foreign("OPEN")])));
    assert_eq!(outs, [Output::ReadOpener { session: foreign("OPEN").id }]);
    let outs = o.handle(t, Input::Opener(Ok("Kim".into())));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, why, .. })]
        if kind == "foreign_session" && why.contains("by Kim at 2026-11-23T06:00:00Z with 90.00 USD, with a count of its own")));

    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let t = wake(&o.handle(now, Input::Read(all(vec![foreign("OPEN")]))));
    o.handle(t, Input::Tick);
    let outs = o.handle(t, Input::Read(all(vec![foreign("CLOSED")])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningSending { .. })]), "the first look lagged");
    let other = SessionFacts { id: "gid://shopify/PointOfSaleDevicePaymentSession/901".into(), ..foreign("OPEN") };
    let mut o = fresh(now);
    o.handle(now, Input::Go);
    let t = wake(&o.handle(now, Input::Read(all(vec![foreign("OPEN")]))));
    o.handle(t, Input::Tick);
    assert_eq!(wake(&o.handle(t, Input::Read(all(vec![other])))), t + WAITS.read_every, "another one: seen once");
}

#[test]
fn a_session_that_took_over_the_expected_sum_is_called_a_checkouts() {
    let now = t0();
    let mut o = sending(now);
    fenced(&mut o, now);
    let sum = Money { amount: "90.0".into(), currency: "USD".into() };
    let outs = o.handle(now, Input::Read(all(vec![SessionFacts { expected: Some(sum), ..foreign("OPEN") }])));
    assert!(matches!(outs[..], [Output::ReadOpener { .. }]));
    let outs = o.handle(now, Input::Opener(Err("staff are hidden".into())));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { why, .. })]
        if why.contains("as a sale at the checkout does") && why.contains("somebody (staff are hidden)")));
}

#[test]
fn the_device_itself_is_a_second_witness() {
    let now = t0();
    let active = |session| Device::Known { drawer: None, active: Some(session) };
    let mut o = unknown(now);
    o.handle(now, Input::Tick);
    let outs = o.handle(now, Input::Read(at_device(active(session(5, "OPEN")))));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningConfirmed { .. })]), "ours, and the list lags");

    let mut o = unknown(now);
    let mut t = now + WAITS.quiet_period;
    for _ in 0..10 {
        o.handle(t, Input::Tick);
        t = wake(&o.handle(t, Input::Read(at_device(active(foreign("OPEN"))))));
    }
    for negative in 1..=3 {
        o.handle(t, Input::Tick);
        let outs = o.handle(t, Input::Read(all(vec![])));
        match negative {
            3 => assert!(
                matches!(outs[..], [Output::Store(Event::OpeningAbsent { reads: 3, .. })]),
                "the ten counted for nothing"
            ),
            _ => t = wake(&outs),
        }
    }
}

#[test]
fn two_sessions_with_our_reference_are_a_question_and_not_a_confirmation() {
    let now = t0();
    let mut o = unknown(now);
    o.handle(now, Input::Tick);
    let outs = o.handle(now, Input::Read(all(vec![session(6, "OPEN"), session(5, "CLOSED")])));
    assert_eq!(asks(&outs), "duplicate");
}

// ---- too old -----------------------------------------------------------------------------------------------------------

fn dated(date: &str) -> Read {
    Read::Healthy(SessionList { date: date.parse().ok(), ..SessionList::of(vec![], true) })
}

/// The first preflight that succeeds comes `late`, when Shopify's clock says `date`.
fn after(o: &mut Opening, late: Duration, date: &str) -> Vec<Output> {
    let t = t0() + late;
    o.handle(t, Input::Go);
    o.handle(t, Input::Read(dated(date)))
}

fn is_stale(outs: &[Output]) -> bool {
    match outs {
        [Output::Store(Event::OpeningStale { prompt, .. })] => prompt.iter().all(|row| row.len() <= 20),
        [Output::Store(Event::OpeningSending { .. })] => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_count_that_was_never_sent_grows_too_old_by_boot_time_or_with_the_business_day() {
    let (hour, day) = (Duration::from_secs(3600), "2026-11-23");
    let late = |late, date: &str| is_stale(&after(&mut fresh(t0()), late, date));
    assert!(!late(3 * hour, &format!("{day}T10:00:00Z")));
    assert!(late(5 * hour, &format!("{day}T12:00:00Z")), "older than max_age");
    assert!(late(2 * hour, "2026-11-24T05:00:00Z"), "counted at three, and at four the day begins");
    assert!(!late(2 * hour, "2026-11-24T03:30:00Z"), "the same night");
}

#[test]
fn how_old_is_told_in_hours_and_minutes() {
    let told = |max_age: u64, seconds: u64| {
        let mut o = with(|r| r.max_age = Duration::from_secs(max_age));
        match &after(&mut o, Duration::from_secs(seconds), "2026-11-23T10:00:00Z")[..] {
            [Output::Store(Event::OpeningStale { why, .. })] => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        told(3 * 3600, 3 * 3600 + 17 * 60).contains("counted 3 h 17 min ago and never sent, and 3 h 0 min is the limit")
    );
    assert!(told(59 * 60 + 59, 60 * 60).contains("counted 1 h 0 min ago and never sent, and 59 min is the limit"));
}

#[test]
fn time_that_the_pc_slept_counts_as_well() {
    let now = t0();
    let told = |hours: u64, date: &str| {
        let mut o = fresh(now);
        o.slept(Duration::from_secs(hours * 3600));
        o.clock_is(WallClock::Trusted);
        o.handle(now, Input::Go);
        o.handle(now, Input::Read(dated(date)))
    };
    assert!(is_stale(&told(5, "2026-11-23T12:00:00Z")));
    let outs = told(3, "2026-11-23T10:00:00Z");
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningSending { variables, .. })] if !variables["time"].is_null()));
}

#[test]
fn where_counts_are_recorded_unasked_yesterdays_is_not() {
    let now = t0();
    let later = now + Duration::from_secs(5 * 3600);
    let page = SessionList { date: "2026-11-23T12:00:00Z".parse().ok(), ..SessionList::of(vec![foreign("OPEN")], true) };
    let mut policy = with(|r| r.on_foreign_session = OnForeign::RecordCount);
    policy.handle(later, Input::Go);
    assert!(is_stale(&policy.handle(later, Input::Read(Read::Healthy(page.clone())))));
    // Where a person is asked, that person sees when it was counted.
    let mut asks = fresh(now);
    asks.handle(later, Input::Go);
    wake(&asks.handle(later, Input::Read(Read::Healthy(page))));
}

#[test]
fn of_two_sessions_of_ours_the_open_one_is_shown() {
    let now = t0();
    for list in [[session(2, "OPEN"), session(1, "CLOSED")], [session(2, "CLOSED"), session(1, "OPEN")]] {
        let open = list.iter().find(|s| s.status == "OPEN").cloned();
        let outs = {
            let mut o = unknown(now);
            o.handle(now, Input::Tick);
            o.handle(now, Input::Read(all(list.to_vec())))
        };
        assert!(
            matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, session, .. })]
            if kind == "duplicate" && *session == open),
            "{outs:?}"
        );
    }
}

#[test]
fn this_pcs_clock_makes_no_count_old() {
    let mut o = fresh(t0());
    o.clock_is(WallClock::Wrong);
    assert!(!is_stale(&after(&mut o, Duration::from_secs(60), "2031-01-01T12:00:00Z")), "boot time says a minute");
}

#[test]
fn after_a_restart_the_age_is_shopifys_time_less_the_counts_if_the_clock_can_be_believed() {
    let now = t0();
    let resumed_at = |clock, date: &str| {
        let mut o = resumed(now, &[]);
        o.clock_is(clock);
        o.handle(now, Input::Go);
        is_stale(&o.handle(now, Input::Read(dated(date))))
    };
    assert!(resumed_at(WallClock::Trusted, "2026-11-23T11:00:01Z"));
    assert!(!resumed_at(WallClock::Trusted, "2026-11-23T11:00:00Z"), "four hours are not more than four");
    assert!(!resumed_at(WallClock::Wrong, "2026-11-25T11:00:01Z"));
}

#[test]
fn a_time_that_a_wrong_clock_gave_is_left_out_although_the_clock_is_right_by_now() {
    // Counted at 07:00 by this PC. What is sent two hours later, when Shopify's clock says `date`?
    let now = t0();
    let sent = |o: &mut Opening, late: u64, date: &str| {
        o.clock_is(WallClock::Trusted);
        let at = now + Duration::from_secs(late);
        o.handle(at, Input::Go);
        let outs = o.handle(at, Input::Read(dated(date)));
        let [Output::Store(Event::OpeningSending { variables, .. })] = &outs[..] else { panic!("{outs:?}") };
        !variables["time"].is_null()
    };
    assert!(sent(&mut fresh(now), 7200, "2026-11-23T09:00:00Z"));
    assert!(sent(&mut fresh(now), 7200, "2026-11-23T09:02:00Z"));
    assert!(!sent(&mut fresh(now), 7200, "2026-11-23T09:02:01Z"), "it was two minutes slow");
    assert!(sent(&mut fresh(now), 7200, "2026-11-23T08:58:00Z"));
    assert!(!sent(&mut fresh(now), 7200, "2026-11-23T08:57:59Z"), "it was two minutes fast");
    // After a restart, only what lies in the future is known to be wrong.
    assert!(sent(&mut resumed(now, &[]), 7200, "2026-11-23T09:00:00Z"));
    assert!(sent(&mut resumed(now, &[]), 0, "2026-11-23T06:58:00Z"));
    assert!(!sent(&mut resumed(now, &[]), 0, "2026-11-23T06:57:59Z"));
}

#[test]
fn a_look_ahead_is_as_old_as_it_is_when_the_time_of_the_count_is_judged() {
    let now = t0();
    let taken = now - Duration::from_secs(240);
    let mut o = fresh(now);
    o.clock_is(WallClock::Trusted);
    let Read::Healthy(list) = dated("2026-11-23T06:56:00Z") else { panic!("a list") };
    o.handle(now, Input::Ahead { list, taken });
    let outs = o.handle(now, Input::Go);
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningSending { variables, .. })] if !variables["time"].is_null()));
}

#[test]
fn what_may_have_been_sent_is_settled_however_old_it_is() {
    let now = t0();
    let mut o = resumed(now, &[intent(1), unknown_event(1, false), Event::OpeningAbsent { attempt: 1, reads: 3 }]);
    o.clock_is(WallClock::Trusted);
    o.handle(now, Input::Go);
    assert!(!is_stale(&o.handle(now, Input::Read(dated("2026-12-24T11:00:01Z")))));
}

// ---- a count in somebody else's session ----------------------------------------------------------------------------------

fn ledger(counts: &[(&str, &str)]) -> Activities {
    let line = |(time, amount): &(&str, &str)| CountLineAt {
        time: time.parse().expect("a time"),
        counted: Money { amount: (*amount).into(), currency: "USD".into() },
    };
    Activities {
        counts: counts.iter().map(line).collect(),
        oldest: "2026-11-23T06:00:00Z".parse().ok(),
        complete: true,
        open: true,
        date: "2026-11-23T07:01:00Z".parse().ok(),
    }
}

fn lines(ledger: &Activities) -> Input {
    Input::Activities(ActivityRead::Healthy(ledger.clone()))
}

fn into_ledger() -> Vec<Output> {
    vec![Output::ReadActivities { session: foreign("OPEN").id }]
}

/// The policy is to record: up to the moment the ledger is read first.
fn recording(now: Instant) -> Opening {
    let mut o = with(|r| r.on_foreign_session = OnForeign::RecordCount);
    clear(&mut o, now);
    o.handle(now, Input::Stored);
    fenced(&mut o, now);
    o.handle(now, Input::Read(all(vec![foreign("OPEN")])));
    let outs = o.handle(now, Input::Opener(Err("hidden".into())));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningResolved { by, decision: Decision::RecordCount, .. })]
        if by == "the configuration"));
    let at = wake(&o.handle(now, Input::Stored));
    assert_eq!(o.handle(at, Input::Tick), into_ledger());
    o
}

/// The count's first attempt is on its way.
fn counting(now: Instant) -> (Opening, Value) {
    let mut o = recording(now);
    let outs = o.handle(now, lines(&ledger(&[])));
    let [Output::Store(Event::OpeningSending { attempt: 1, variables, into: Some(into), .. })] = &outs[..] else {
        panic!("{outs:?}")
    };
    assert_eq!(into.id, foreign("OPEN").id);
    let variables = variables.clone();
    let sent = o.handle(now, Input::Stored);
    assert!(matches!(&sent[..], [Output::Send { mutation: Mutation::Count, variables: same }] if *same == variables));
    (o, variables)
}

#[test]
fn a_count_goes_into_the_open_session_with_a_reference_of_its_own() {
    let now = t0();
    let (mut o, variables) = counting(now);
    assert_eq!(variables["sessionId"], foreign("OPEN").id);
    assert_eq!(variables["note"], "[db:0000000007/count]");
    assert_eq!(variables["time"], "2026-11-23T07:00:00Z");
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(foreign("OPEN"))));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningRecorded { how, .. })] if how == "answered"));
    o.handle(now, Input::Stored);
    assert!(o.is_settled());
}

#[test]
fn a_count_is_never_told_for_a_time_before_its_session() {
    let later = SessionFacts { opening_time: "2026-11-23T08:00:00Z".into(), ..foreign("OPEN") };
    let at = "2026-11-23T09:00:00Z".parse().ok();
    let v = count_variables(&id(), &counted(), &later, WallClock::Trusted, at);
    assert_eq!(v["time"], "2026-11-23T09:00:00Z");
    assert_eq!(v["note"], "counted 2026-11-23T07:00:00Z [db:0000000007/count]");
    let v = count_variables(&id(), &counted(), &foreign("OPEN"), WallClock::Wrong, at);
    assert_eq!(v["time"], "2026-11-23T09:00:00Z", "Shopify's time instead of a wrong one");
    assert!(count_variables(&id(), &counted(), &later, WallClock::Trusted, None)["time"].is_null());
}

/// An unknown count is read for, from the end of the quiet period on, until something is stored.
fn outcome_of_ledger(o: &mut Opening, now: Instant, ledger: &Activities) -> Event {
    let mut t = now + WAITS.quiet_period;
    for _ in 0..20 {
        assert_eq!(o.handle(t, Input::Tick), into_ledger());
        match &o.handle(t, lines(ledger))[..] {
            [Output::Store(event)] => return event.clone(),
            outs => t = wake(outs),
        }
    }
    panic!("reading leads to nothing");
}

fn unknown_count(now: Instant) -> Opening {
    let (mut o, _) = counting(now);
    let outs = o.handle(now, Input::Outcome(Outcome::Unknown { why: "lost".into() }));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningUnknown { attempt: 1, already_open: false, .. })]));
    o.handle(now, Input::Stored);
    o
}

#[test]
fn an_unknown_count_is_found_or_absent_or_a_question_and_never_sent_again_before() {
    let now = t0();
    let mut o = unknown_count(now);
    assert_eq!(o.handle(now, Input::Tick), into_ledger());
    wake(&o.handle(now, lines(&ledger(&[]))));
    let found = outcome_of_ledger(&mut o, now, &ledger(&[("2026-11-23T07:00:00Z", "150.0")]));
    assert!(matches!(found, Event::OpeningRecorded { how, .. } if how == "found"));

    let other = ledger(&[("2026-11-23T07:00:00Z", "15.0"), ("2026-11-23T06:30:00Z", "150.0")]);
    let absent = outcome_of_ledger(&mut unknown_count(now), now, &other);
    assert!(matches!(absent, Event::OpeningAbsent { attempt: 1, reads: 3 }), "{absent:?}");

    let asked = |ledger: &Activities| match outcome_of_ledger(&mut unknown_count(now), now, ledger) {
        Event::OpeningNeedsAttention { kind, .. } => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&ledger(&[("2026-11-23T07:05:00Z", "150.0")])), "ambiguous", "our amount, another time");
    assert_eq!(asked(&Activities { complete: false, ..ledger(&[]) }), "ambiguous", "the page may leave ours out");
    assert_eq!(asked(&Activities { open: false, ..ledger(&[]) }), "count_refused");
}

#[test]
fn an_absent_count_goes_out_again_unchanged_and_three_times_at_most() {
    let now = t0();
    let (mut o, first) = counting(now);
    for attempt in 1..=MAX_ATTEMPTS {
        o.handle(now, Input::Outcome(Outcome::Unknown { why: "lost".into() }));
        o.handle(now, Input::Stored);
        let event = outcome_of_ledger(&mut o, now, &ledger(&[]));
        if attempt == MAX_ATTEMPTS {
            assert!(matches!(&event, Event::OpeningNeedsAttention { kind, .. } if kind == "attempts_used_up"));
            return;
        }
        assert_eq!(event, Event::OpeningAbsent { attempt, reads: 3 });
        let t = wake(&o.handle(now + WAITS.quiet_period, Input::Stored));
        assert_eq!(o.handle(t, Input::Tick), into_ledger(), "it is looked for once more");
        let outs = o.handle(t, lines(&ledger(&[])));
        assert!(matches!(&outs[..], [Output::Store(Event::OpeningSending { attempt: next, variables, .. })]
            if *next == attempt + 1 && *variables == first));
        o.handle(now, Input::Stored);
    }
}

#[test]
fn a_count_without_a_time_of_its_own_is_never_sent_twice() {
    let now = t0();
    let mut o = recording(now);
    o.clock_is(WallClock::Wrong);
    o.handle(now, lines(&Activities { date: None, ..ledger(&[]) }));
    o.handle(now, Input::Stored);
    o.handle(now, Input::Outcome(Outcome::Unknown { why: "lost".into() }));
    o.handle(now, Input::Stored);
    let event = outcome_of_ledger(&mut o, now, &ledger(&[]));
    assert!(matches!(event, Event::OpeningNeedsAttention { kind, .. } if kind == "ambiguous"));
}

#[test]
fn a_count_that_shopify_refuses_or_whose_session_is_closed_goes_to_a_person() {
    let now = t0();
    let (mut o, _) = counting(now);
    let outs =
        o.handle(now, Input::Outcome(Outcome::Refused { code: "TIME_BEFORE_SESSION_OPEN".into(), message: "no".into() }));
    assert_eq!(asks(&outs), "count_refused");
    let mut o = recording(now);
    assert_eq!(asks(&o.handle(now, lines(&Activities { open: false, ..ledger(&[]) }))), "count_refused");
    let mut o = recording(now);
    let same = ledger(&[("2026-11-23T07:00:00Z", "150.00")]);
    assert_eq!(asks(&o.handle(now, lines(&same))), "ambiguous", "nothing was sent, and it is there");
    let (mut o, _) = counting(now);
    let other = SessionFacts { id: "gid://shopify/PointOfSaleDevicePaymentSession/1".into(), ..foreign("OPEN") };
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(other)));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningUnknown { .. })]));
}

#[test]
fn a_restart_in_the_middle_of_recording_goes_on_with_the_ledger() {
    let now = t0();
    let (_, variables) = counting(now);
    let sending = Event::OpeningSending { attempt: 1, variables, into: Some(foreign("OPEN")), preflight: None };
    let fence = [intent(1), unknown_event(1, true)];
    let mut o = resumed(now, &[&fence[..], std::slice::from_ref(&sending)].concat());
    assert_eq!(o.handle(now, Input::Go), into_ledger(), "it may have been sent: read first");
    let outs = o.handle(now, lines(&ledger(&[("2026-11-23T07:00:00Z", "150.0")])));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningRecorded { .. })]));

    let not_sent = Event::OpeningNotSent { attempt: 1, why: "offline".into() };
    let mut o = resumed(now, &[&fence[..], &[sending.clone(), not_sent]].concat());
    assert_eq!(o.handle(now, Input::Go), into_ledger());
    assert!(matches!(
        o.handle(now, lines(&ledger(&[])))[..],
        [Output::Store(Event::OpeningSending { attempt: 1, into: Some(_), .. })]
    ));
}

// ---- a person decides ------------------------------------------------------------------------------------------------------

fn decide(decision: Decision, session: Option<SessionFacts>) -> Resolution {
    Resolution { by: "Kim".into(), why: "I looked".into(), decision, session }
}

fn asked(now: Instant) -> Opening {
    let event = Event::OpeningNeedsAttention {
        kind: "foreign_session".into(),
        why: "x".into(),
        prompt: Default::default(),
        session: Some(foreign("OPEN")),
    };
    let o = resumed(now, &[intent(1), unknown_event(1, true), event]);
    assert!(o.is_settled(), "nothing happens by itself");
    o
}

#[test]
fn a_person_links_gives_up_or_records() {
    let now = t0();
    for (decision, session) in [(Decision::Link, Some(foreign("CLOSED"))), (Decision::GiveUp, None)] {
        let mut o = asked(now);
        let outs = o.handle(now, Input::Resolve(decide(decision, session.clone())));
        let stored = Event::OpeningResolved { by: "Kim".into(), why: "I looked".into(), decision, session };
        assert_eq!(outs, [Output::Store(stored.clone())]);
        assert_eq!(o.handle(now, Input::Stored), []);
        assert!(o.is_settled());
        assert!(o.may_resolve(&decide(Decision::GiveUp, None)).is_err(), "once");
        let mut history = vec![Event::OpeningCounted(counted()), intent(1)];
        history.push(stored);
        assert!(Opening::resume(id(), &history, WAITS, &rules(), now).is_none());
    }
    let mut o = asked(now);
    o.handle(now, Input::Resolve(decide(Decision::RecordCount, Some(foreign("OPEN")))));
    let at = wake(&o.handle(now, Input::Stored));
    assert_eq!(o.handle(at, Input::Tick), into_ledger());
    assert!(matches!(
        o.handle(at, lines(&ledger(&[])))[..],
        [Output::Store(Event::OpeningSending { attempt: 1, into: Some(_), .. })]
    ));

    let decided = Event::OpeningResolved {
        by: "Kim".into(),
        why: "x".into(),
        decision: Decision::RecordCount,
        session: Some(foreign("OPEN")),
    };
    let mut o = resumed(now, &[intent(1), unknown_event(1, true), decided]);
    assert_eq!(o.handle(now, Input::Go), into_ledger(), "and a restart goes on with it");
}

#[test]
fn a_decision_waits_while_a_request_is_on_its_way_and_names_what_it_needs() {
    let now = t0();
    let give_up = decide(Decision::GiveUp, None);
    let mut o = sending(now);
    assert!(o.may_resolve(&give_up).is_err());
    assert_eq!(o.handle(now, Input::Resolve(give_up.clone())), []);
    let outs = o.handle(now, Input::Outcome(Outcome::Executed(session(1, "OPEN"))));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningConfirmed { .. })]), "it goes on as if nobody had asked");

    assert!(unknown(now).may_resolve(&give_up).is_ok());
    assert!(unknown(now).may_resolve(&decide(Decision::RecordCount, Some(foreign("OPEN")))).is_err());
    assert!(asked(now).may_resolve(&decide(Decision::RecordCount, Some(foreign("CLOSED")))).is_err());
    assert!(asked(now).may_resolve(&decide(Decision::Link, None)).is_err());

    let mut o = unknown(now);
    o.handle(now, Input::Tick);
    assert!(matches!(o.handle(now, Input::Resolve(give_up))[..], [Output::Store(Event::OpeningResolved { .. })]));
    assert_eq!(o.handle(now, Input::Read(all(vec![session(1, "OPEN")]))), [], "what was read meanwhile changes nothing");
}

/// A model of Shopify: one open session per device, answers that get lost, requests that arrive late.
struct Shop {
    sessions: Vec<SessionFacts>,
    late: Vec<Instant>,
}

impl Shop {
    fn execute(&mut self) -> Outcome {
        if self.sessions.iter().any(|s| s.status == "OPEN") {
            return already_open();
        }
        let number = u32::try_from(self.sessions.len()).expect("few") + 1;
        self.sessions.insert(0, session(number, "OPEN"));
        Outcome::Executed(self.sessions[0].clone())
    }
    fn arrive(&mut self, now: Instant) {
        let due = self.late.iter().filter(|t| **t <= now).count();
        self.late.retain(|t| *t > now);
        for _ in 0..due {
            self.execute();
        }
    }
    fn ours(&self) -> usize {
        self.sessions.iter().filter(|s| s.opening_note.is_some()).count()
    }
}

/// What the world does at one step.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    AnswerLost,
    RequestLost,
    RequestLate,
    Refused429,
    Crash,
    DiskFull,
    ClosedByLogout,
    SomeoneElse,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    use Fate as F;
    let one = prop::sample::select(vec![
        F::Answered,
        F::Answered,
        F::AnswerLost,
        F::RequestLost,
        F::RequestLate,
        F::Refused429,
        F::Crash,
        F::DiskFull,
        F::ClosedByLogout,
        F::SomeoneElse,
    ]);
    prop::collection::vec(one, 1..40)
}

/// Plays one opening against the model until it is settled or two hours are over.
fn play(fates: &[Fate]) -> (Vec<Event>, Shop, bool) {
    let start = t0();
    let (mut now, mut shop) = (start, Shop { sessions: vec![], late: vec![] });
    let mut journal = vec![Event::OpeningCounted(counted())];
    let mut fates = fates.iter().copied();
    let mut opening = fresh(now);
    let mut inbox = std::collections::VecDeque::from([Input::Go]);
    let mut wake = now;
    while now < start + Duration::from_secs(7200) {
        shop.arrive(now);
        let input = inbox.pop_front().unwrap_or_else(|| {
            now = wake.max(now + Duration::from_millis(1));
            Input::Tick
        });
        for output in opening.handle(now, input) {
            match output {
                Output::Store(event) => match fates.next() {
                    Some(Fate::DiskFull) => inbox.push_back(Input::StoreFailed),
                    Some(Fate::Crash) => {
                        journal.push(event);
                        match Opening::resume(id(), &journal, WAITS, &rules(), now) {
                            None => return (journal, shop, true),
                            Some(again) => opening = again,
                        }
                        inbox.clear();
                        inbox.push_back(Input::Go);
                        break;
                    }
                    _ => {
                        journal.push(event);
                        inbox.push_back(Input::Stored);
                    }
                },
                Output::Send { .. } => {
                    let outcome = match fates.next().unwrap_or(Fate::Answered) {
                        Fate::Answered | Fate::DiskFull => shop.execute(),
                        Fate::AnswerLost | Fate::Crash => {
                            shop.execute();
                            Outcome::Unknown { why: "lost".into() }
                        }
                        Fate::RequestLost => Outcome::Unknown { why: "lost".into() },
                        Fate::RequestLate => {
                            shop.late.push(now + Duration::from_secs(9));
                            Outcome::Unknown { why: "late".into() }
                        }
                        Fate::Refused429 => not_executed(Wait::Usual),
                        Fate::ClosedByLogout => {
                            shop.execute();
                            shop.sessions.iter_mut().for_each(|s| "CLOSED".clone_into(&mut s.status));
                            Outcome::Unknown { why: "lost".into() }
                        }
                        Fate::SomeoneElse => {
                            if !shop.sessions.iter().any(|s| s.status == "OPEN") {
                                shop.sessions.insert(0, foreign("OPEN"));
                            }
                            shop.execute()
                        }
                    };
                    inbox.push_back(Input::Outcome(outcome));
                }
                Output::ReadSessions { .. } => inbox.push_back(Input::Read(match fates.next().unwrap_or(Fate::Answered) {
                    Fate::RequestLost | Fate::AnswerLost => failed(),
                    _ => all(shop.sessions.clone()),
                })),
                Output::ReadOpener { .. } => inbox.push_back(Input::Opener(Err("hidden".into()))),
                Output::ReadActivities { .. } => panic!("the policy is to ask"),
                Output::WakeAt(at) => wake = at,
            }
        }
        if opening.is_settled() && inbox.is_empty() {
            return (journal, shop, true);
        }
    }
    (journal, shop, false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_breaks_there_is_at_most_one_session_and_the_story_ends(fates in fates()) {
        let (journal, shop, ended) = play(&fates);
        prop_assert!(ended, "still unsettled after two hours: {journal:?}");
        prop_assert!(shop.ours() <= 1, "{} sessions: {journal:?}", shop.ours());
        let confirmed = journal.iter().any(|e| matches!(e, Event::OpeningConfirmed { .. }));
        prop_assert!(!confirmed || shop.ours() == 1, "confirmed without a session: {journal:?}");
        let attempts = journal.iter().filter(|e| matches!(e, Event::OpeningAbsent { .. })).count();
        prop_assert!(attempts < usize::from(MAX_ATTEMPTS));
        let contents: Vec<_> = journal.iter().filter_map(|e| match e {
            Event::OpeningSending { variables, .. } => Some(variables),
            _ => None,
        }).collect();
        prop_assert!(contents.windows(2).all(|w| w[0] == w[1]), "an attempt changed its content");
    }
}

#[test]
fn what_may_have_been_recorded_is_sent_again_to_the_letter_and_what_was_not_follows_the_clock() {
    let now = t0();
    let again = |mut o: Opening, t: Instant| {
        o.clock_is(WallClock::Wrong);
        o.handle(t, Input::Tick);
        let outs = o.handle(t, lines(&ledger(&[])));
        let [Output::Store(Event::OpeningSending { variables, .. })] = &outs[..] else { panic!("{outs:?}") };
        variables["time"].clone()
    };
    let mut absent = unknown_count(now);
    outcome_of_ledger(&mut absent, now, &ledger(&[]));
    let t = wake(&absent.handle(now + WAITS.quiet_period, Input::Stored));
    assert_eq!(again(absent, t), "2026-11-23T07:00:00Z", "it may have run");

    let (mut not_sent, _) = counting(now);
    not_sent.handle(now, Input::Outcome(not_executed(Wait::Usual)));
    let t = wake(&not_sent.handle(now, Input::Stored));
    assert_eq!(again(not_sent, t), "2026-11-23T07:01:00Z", "Shopify's time instead of a wrong one");
}

#[test]
fn what_is_read_within_the_quiet_period_proves_no_absence() {
    let now = t0();
    let before = now + WAITS.quiet_period - WAITS.read_every;
    let (mut open, mut count) = (unknown(now), unknown_count(now));
    for t in [now, now + WAITS.read_every, now + WAITS.read_every * 2, before] {
        assert_eq!(open.handle(t, Input::Tick), look());
        wake(&open.handle(t, Input::Read(all(vec![]))));
        assert_eq!(count.handle(t, Input::Tick), into_ledger());
        wake(&count.handle(t, lines(&ledger(&[]))));
    }
    // Three from its very end on do, and not one less or more.
    let mut t = before + WAITS.read_every;
    for _ in 1..READS_FOR_ABSENCE {
        open.handle(t, Input::Tick);
        let next = wake(&open.handle(t, Input::Read(all(vec![]))));
        count.handle(t, Input::Tick);
        assert_eq!(wake(&count.handle(t, lines(&ledger(&[])))), next);
        t = next;
    }
    open.handle(t, Input::Tick);
    count.handle(t, Input::Tick);
    assert!(matches!(open.handle(t, Input::Read(all(vec![])))[..], [Output::Store(Event::OpeningAbsent { reads: 3, .. })]));
    assert!(matches!(count.handle(t, lines(&ledger(&[])))[..], [Output::Store(Event::OpeningAbsent { reads: 3, .. })]));
}

#[test]
fn a_line_of_the_ledger_may_be_ours_from_two_minutes_before_the_count_on() {
    let now = t0();
    let event = |time: &str| outcome_of_ledger(&mut unknown_count(now), now, &ledger(&[(time, "150.0")]));
    assert!(matches!(event("2026-11-23T06:58:00Z"), Event::OpeningNeedsAttention { .. }), "clocks may differ by so much");
    assert!(matches!(event("2026-11-23T06:57:59Z"), Event::OpeningAbsent { .. }));
}

#[test]
fn a_session_that_was_closed_before_the_count_came_is_told_as_closed() {
    let now = t0();
    let outs = recording(now).handle(now, lines(&Activities { open: false, ..ledger(&[]) }));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { session: Some(into), .. })]
        if into.status == "CLOSED"));
}

#[test]
fn a_count_of_the_very_second_in_which_its_session_was_opened_takes_shopifys_time() {
    let same = SessionFacts { opening_time: counted().time, ..foreign("OPEN") };
    let v = count_variables(&id(), &counted(), &same, WallClock::Trusted, "2026-11-23T09:00:00Z".parse().ok());
    assert_eq!(v["time"], "2026-11-23T09:00:00Z");
}

#[test]
fn each_refusal_has_its_own_words_at_the_counter() {
    let upper = |code: &str| {
        let [upper, lower] = refusal_prompt(code);
        assert_eq!(lower, "CALL THE MANAGER");
        upper
    };
    assert_eq!(upper("POINT_OF_SALE_DEVICE_NOT_FOUND"), "TILL NOT AT SHOPIFY");
    assert_eq!(upper("NO_CASH_DRAWER_ASSOCIATED"), "NO DRAWER AT SHOPIFY");
    assert_eq!(upper("STAFF_MEMBER_NOT_FOUND"), "STAFF NOT AT SHOPIFY");
    assert_eq!(upper("CURRENCY_MISMATCH"), "WRONG CURRENCY");
    assert_eq!(upper("REASON_CODE_NOT_FOUND"), "REASON NOT FOUND");
    assert_eq!(upper("NOT_SAVED"), "SHOPIFY DECLINED");
    assert_eq!(upper("ANYTHING_ELSE"), "REGISTER NOT OPENED");
}

#[test]
fn a_business_day_begins_with_its_first_minute() {
    let day = rules().business_day;
    let at = |time: &str| day.of(time.parse().expect("a time")).to_string();
    let first = day.starts.hour();
    assert_eq!(at(&format!("2026-11-24T{first:02}:00:00Z")), "2026-11-24");
    assert_eq!(at(&format!("2026-11-24T{:02}:59:59Z", first - 1)), "2026-11-23");
}

#[test]
fn both_ways_of_reading_are_one_list_and_agree_only_on_the_same_open_session() {
    let read = |sessions: Vec<SessionFacts>, active: Option<SessionFacts>| SessionList {
        device: Device::Known { drawer: None, active },
        ..SessionList::of(sessions, true)
    };
    let ids = |list: &SessionList| list.all().map(|s| s.id.clone()).collect::<Vec<_>>();
    let (one, two) = (session(1, "OPEN"), session(2, "OPEN"));
    let same = read(vec![one.clone()], Some(one.clone()));
    assert_eq!((ids(&same), same.agrees()), (vec![one.id.clone()], true));
    let other = read(vec![one.clone()], Some(two.clone()));
    assert_eq!((ids(&other), other.agrees()), (vec![one.id.clone(), two.id.clone()], false));
    assert!(!read(vec![session(1, "CLOSED")], Some(one.clone())).agrees(), "the list says closed");
    assert!(!read(vec![], Some(one)).agrees());
    assert!(read(vec![two], None).agrees(), "the device says nothing");
}

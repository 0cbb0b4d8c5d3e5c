#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const WAITS: Waits = Waits {
    quiet_period: Duration::from_secs(120),
    read_every: Duration::from_secs(5),
    retry_first: Duration::from_secs(2),
    retry_max: Duration::from_secs(60),
};

fn t0() -> Instant {
    crate::clock::now()
}

fn id() -> OpeningId {
    OpeningId::from_bits(7)
}

fn counted() -> Counted {
    Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: None,
        balance: Money { amount: "150.00".into(), currency: "USD".into() },
        lines: vec![],
        time: "2026-11-23T07:00:00Z".into(),
        note: String::new(),
    }
}

fn session(number: u32, status: &str) -> SessionFacts {
    SessionFacts {
        id: format!("gid://shopify/PointOfSaleDevicePaymentSession/{number}"),
        status: status.into(),
        opening_time: "2026-11-23T07:00:00Z".into(),
        opening_note: Some(format!("[db:{}]", id())),
        counted: Money { amount: "150.0".into(), currency: "USD".into() },
        expected: None,
    }
}

fn foreign(status: &str) -> SessionFacts {
    let counted = Money { amount: "90.0".into(), currency: "USD".into() };
    SessionFacts { opening_note: None, counted, opening_time: "2026-11-23T06:00:00Z".into(), ..session(900, status) }
}

fn fresh() -> Opening {
    Opening::new(id(), counted(), WAITS)
}

/// Up to the moment the first mutation is on its way.
fn sending(now: Instant) -> Opening {
    let mut o = fresh();
    assert!(matches!(o.handle(now, Input::Go)[..], [Output::Store(Event::OpeningSending { attempt: 1, .. })]));
    assert!(matches!(o.handle(now, Input::Stored)[..], [Output::Send(_)]));
    o
}

fn unknown(now: Instant) -> Opening {
    let mut o = sending(now);
    let outs = o.handle(now, Input::Outcome(Outcome::Unknown { why: "the answer was lost".into() }));
    assert!(matches!(outs[..], [Output::Store(Event::OpeningUnknown { attempt: 1, .. })]));
    o.handle(now, Input::Stored);
    o
}

#[test]
fn nothing_is_sent_before_the_intent_is_on_disk() {
    let now = t0();
    let mut o = fresh();
    let outs = o.handle(now, Input::Go);
    assert!(!outs.iter().any(|x| matches!(x, Output::Send(_))));
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
        assert_eq!(o.handle(t, Input::Tick), [Output::ReadSessions]);
        assert!(matches!(o.handle(t, Input::Read(Read::Healthy(vec![])))[..], [Output::WakeAt(_)]));
        t += WAITS.read_every;
    }
}

#[test]
fn absence_needs_three_healthy_reads_after_the_quiet_period() {
    let now = t0();
    let mut o = unknown(now);
    let mut t = now + WAITS.quiet_period;
    for read in 1..=3 {
        assert_eq!(o.handle(t, Input::Tick), [Output::ReadSessions]);
        let failed = o.handle(t, Input::Read(Read::Failed { why: "502".into() }));
        assert!(matches!(failed[..], [Output::WakeAt(_)]), "a failed read proves nothing");
        t += WAITS.read_every;
        assert_eq!(o.handle(t, Input::Tick), [Output::ReadSessions]);
        let outs = o.handle(t, Input::Read(Read::Healthy(vec![foreign("CLOSED")])));
        match read {
            3 => assert!(matches!(outs[..], [Output::Store(Event::OpeningAbsent { attempt: 1, reads: 3 })])),
            _ => assert!(matches!(outs[..], [Output::WakeAt(_)])),
        }
        t += WAITS.read_every;
    }
}

#[test]
fn a_session_found_closed_again_is_still_ours() {
    let now = t0();
    let mut o = unknown(now);
    o.handle(now, Input::Tick);
    let outs = o.handle(now, Input::Read(Read::Healthy(vec![foreign("OPEN"), session(5, "CLOSED")])));
    assert!(matches!(&outs[..], [Output::Store(Event::OpeningConfirmed { how, .. })] if how == "found"));
}

#[test]
fn already_open_by_someone_else_keeps_the_count_and_asks() {
    let now = t0();
    let mut o = sending(now);
    let already = Outcome::Refused { code: "ALREADY_OPEN".into(), message: "already open".into() };
    assert_eq!(o.handle(now, Input::Outcome(already)), [Output::ReadSessions]);
    let outs = o.handle(now, Input::Read(Read::Healthy(vec![foreign("OPEN")])));
    assert!(
        matches!(&outs[..], [Output::Store(Event::OpeningNeedsAttention { kind, why, .. })] if kind == "foreign_session" && why.contains("90.0 USD"))
    );
}

#[test]
fn two_points_of_three_ask_a_person() {
    let now = t0();
    let mut o = unknown(now);
    let t = now + WAITS.quiet_period;
    o.handle(t, Input::Tick);
    let near = SessionFacts { opening_note: None, ..session(3, "OPEN") };
    let outs = o.handle(t, Input::Read(Read::Healthy(vec![near])));
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
    let mut o = Opening::resume(id(), &counted_only, WAITS, now).expect("a count is resumed");
    assert!(matches!(o.handle(now, Input::Go)[..], [Output::Store(Event::OpeningSending { attempt: 1, .. })]));

    let intent = Event::OpeningSending { attempt: 1, variables: variables(&id(), &counted(), WallClock::Trusted) };
    let mut o = Opening::resume(id(), &[Event::OpeningCounted(counted()), intent.clone()], WAITS, now).expect("resumed");
    assert_eq!(o.handle(now, Input::Go), [Output::ReadSessions], "an intent may have been sent: read first");

    let not_sent = Event::OpeningNotSent { attempt: 1, why: "refused".into() };
    let history = [Event::OpeningCounted(counted()), intent.clone(), not_sent];
    let mut o = Opening::resume(id(), &history, WAITS, now).expect("resumed");
    assert_eq!(o.handle(now, Input::Go), [Output::ReadSessions]);
    assert!(matches!(
        o.handle(now, Input::Read(Read::Healthy(vec![])))[..],
        [Output::Store(Event::OpeningSending { attempt: 1, .. })]
    ));

    let settled = Event::OpeningConfirmed { how: "answered".into(), session: session(1, "OPEN") };
    assert!(Opening::resume(id(), &[Event::OpeningCounted(counted()), intent, settled], WAITS, now).is_none());
}

/// A model of Shopify: one open session per device, answers that get lost, requests that arrive late.
struct Shop {
    sessions: Vec<SessionFacts>,
    late: Vec<Instant>,
}

impl Shop {
    fn execute(&mut self) -> Outcome {
        if self.sessions.iter().any(|s| s.status == "OPEN") {
            return Outcome::Refused { code: "ALREADY_OPEN".into(), message: "already open".into() };
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
    let mut opening = fresh();
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
                        match Opening::resume(id(), &journal, WAITS, now) {
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
                Output::Send(_) => {
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
                        Fate::Refused429 => Outcome::NotExecuted { why: "429".into(), retry_after: None },
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
                Output::ReadSessions => inbox.push_back(Input::Read(match fates.next().unwrap_or(Fate::Answered) {
                    Fate::RequestLost | Fate::AnswerLost => Read::Failed { why: "502".into() },
                    _ => Read::Healthy(shop.sessions.clone()),
                })),
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

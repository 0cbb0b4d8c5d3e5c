//! The wall clock jumps, and nothing is decided otherwise: in every state of the submission machine and of the operator's
//! machine, by ±1 s, ±1 h, ±1 day, to 1970 and by ten years. What is left out by design is the request's `time`, which is
//! Shopify's to give when this PC's clock is wrong; the three decisions that do need a right clock are pinned at the end.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]
#![allow(clippy::print_stdout, reason = "a proof says what it walked")]
mod walk;

use std::time::Duration;

use drawerbridge::{
    clock,
    config::{Count, Echo, EntryMode, Staff},
    device::Key,
    money::{Amount, Currency},
    opening::{Input, OnForeign, Opening, Output, Read, SessionList, WallClock},
    shift::{
        self, Progress, Shift, ShiftSettings,
        event::{Event, OpeningId},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use walk::{Sent, Story, WAITS, Walk, counted, id, rules, states, stories, stranger};

const DAY: i64 = 86_400;

/// Every jump with its name, as seconds against Shopify's clock.
fn jumps() -> Vec<(&'static str, i64)> {
    let to_1970 = -walk::DATE.parse::<Timestamp>().unwrap().as_second();
    vec![
        ("+1 s", 1),
        ("-1 s", -1),
        ("+1 h", 3_600),
        ("-1 h", -3_600),
        ("+1 day", DAY),
        ("-1 day", -DAY),
        ("1970", to_1970),
        ("+10 years", 3_652 * DAY),
    ]
}

/// Without what follows from the wall clock by design: the `time` that is sent, the note that says it instead, the skew that
/// is written down.
fn decision(output: &Output) -> String {
    let mut output = output.clone();
    let blank = |variables: &mut Value| {
        variables["time"] = Value::Null;
        let note = variables["note"].as_str().unwrap_or_default();
        let without = if note.starts_with("counted ") { &note[note.find('[').unwrap()..] } else { note };
        variables["note"] = without.into();
    };
    match &mut output {
        Output::Send { variables, .. } => blank(variables),
        Output::Store(Event::OpeningSending { variables, preflight, .. }) => {
            blank(variables);
            if let Some(preflight) = preflight {
                preflight.skew_s = None;
            }
        }
        // Shopify's session has the time that was sent, or Shopify's own.
        Output::Store(Event::OpeningConfirmed { session, .. }) => session.opening_time.clear(),
        _ => {}
    }
    format!("{output:?}")
}

fn decisions(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(decision).collect()
}

fn same(plain: &[String], jumped: &[String], story: &Story, at: usize, jump: &str) {
    assert_eq!(plain, jumped, "story “{}”, after {at} inputs, the clock jumps {jump}", story.name);
}

#[test]
fn a_jump_in_any_state_of_the_submission_changes_no_decision() {
    let mut walked = 0;
    for (state, story, at) in states() {
        let rest = |walk: &mut Walk| story.steps[at..].iter().flat_map(|step| walk.step(step)).collect::<Vec<_>>();
        let plain = decisions(&rest(&mut state.clone()));
        for (name, seconds) in jumps() {
            let mut jumped = state.clone();
            jumped.jump(seconds);
            same(&plain, &decisions(&rest(&mut jumped)), &story, at, name);
            walked += 1;
        }
    }
    println!(
        "clock_jumps: {} states × {} jumps = {walked} walks, each with the decisions of a right clock",
        states().len(),
        jumps().len()
    );
    assert!(walked > 1_500, "{walked}");
}

#[test]
fn a_jump_while_the_daemon_is_down_changes_no_decision_after_the_restart() {
    let mut restarts = 0;
    for (state, story, at) in states() {
        let Some(mut plain) = state.restarted(story.rule) else { continue };
        let plain = decisions(&plain.goes_on());
        for (name, seconds) in jumps() {
            let mut jumped = state.restarted(story.rule).unwrap();
            jumped.jump(seconds);
            same(&plain, &decisions(&jumped.goes_on()), &story, at, name);
            restarts += 1;
        }
    }
    println!("clock_jumps: {restarts} restarts after a jump, each with the decisions of a right clock");
    assert!(restarts > 1_000, "{restarts}");
}

#[test]
fn a_clock_that_was_never_compared_decides_as_a_right_one() {
    for story in stories() {
        let walked = |clock| {
            let mut walk = Walk::begin(&story, clock::now());
            walk.clock = clock;
            story
                .steps
                .iter()
                .flat_map(|step| walk.step(step))
                .map(|o| match o {
                    // Deadlines are told from the start of each walk.
                    Output::WakeAt(_) => "wake".to_owned(),
                    other => decision(&other),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(walked(WallClock::Trusted), walked(WallClock::NeverCompared), "{}", story.name);
    }
}

#[test]
fn what_may_have_run_keeps_its_time_whatever_the_clock_says_later() {
    for (_, seconds) in jumps() {
        let story = stories().into_iter().find(|s| s.name == "lost, absent, sent again").unwrap();
        let mut walk = Walk::begin(&story, clock::now());
        let mut sent = Vec::new();
        for step in &story.steps {
            for output in walk.step(step) {
                if let Output::Send { variables, .. } = output {
                    sent.push(variables);
                    walk.jump(seconds);
                }
            }
        }
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], sent[1], "the same content for all attempts");
    }
}

// --- the operator's machine

fn settings() -> ShiftSettings {
    let currency = Currency::from_code("USD").unwrap();
    ShiftSettings {
        staff: vec![Staff { name: "Robin".into(), number: "1042".into(), id: "gid://shopify/StaffMember/1".into() }],
        device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: None,
        currency,
        count: Count {
            entry: EntryMode::Total,
            denominations: currency.denominations(),
            expected_float: None,
            blind: true,
            max_age: Duration::from_secs(4 * 3600),
            entry_exponent: currency.default_entry_exponent(),
            second_slip: true,
            idle_timeout: Duration::from_secs(120),
            count_timeout: Duration::from_secs(600),
        },
        echo: Echo::Digits,
        idle: ["WELCOME".into(), "OPEN UNTIL TEN".into()],
        sensor: true,
        keypad: true,
        confirm_pause: Duration::ZERO,
    }
}

fn keys(text: &str) -> Vec<(u64, shift::Input)> {
    let key = |c| match c {
        'E' => Key::Enter,
        'C' => Key::Clear,
        digit => Key::Digit(u8::try_from(char::to_digit(digit, 10).unwrap()).unwrap()),
    };
    text.chars().map(|c| (1, shift::Input::Key(key(c)))).collect()
}

/// A day at the counter: every stage, each way out of it. Seconds after the input before.
fn day() -> Vec<(u64, shift::Input)> {
    use shift::Input as I;
    let (one, two, three, four) =
        (OpeningId::from_bits(1), OpeningId::from_bits(2), OpeningId::from_bits(3), OpeningId::from_bits(4));
    let told = |opening: &OpeningId, progress| (1, I::Progress { opening: opening.clone(), progress });
    let edge = |fresh: &OpeningId| (1, I::DrawerOpened { fresh: fresh.clone() });
    let start = |op, fresh: &OpeningId| {
        let (staff_member_id, fresh) = ("gid://shopify/StaffMember/1".to_owned(), fresh.clone());
        (1, I::Start { op, fresh, staff_member_id, note: String::new(), reason_code_id: None })
    };
    let total = Amount::parse("150.00", Currency::from_code("USD").unwrap()).unwrap();
    let saved = |opening: &OpeningId| (1, I::Saved { opening: opening.clone() });
    [
        vec![(0, I::Tick), edge(&one)],
        keys("1111E2222E3333E"),
        vec![(2, I::Tick), (1, I::DrawerClosed), edge(&one)],
        keys("1042E15000E"),
        vec![(1, I::DrawerClosed), edge(&one)],
        keys("EE"),
        vec![(1, I::SaveFailed { opening: one.clone(), why: "the disk is full".into() })],
        keys("E"),
        vec![saved(&one), told(&one, Progress::Sending), told(&one, Progress::Checking), (700, I::Tick)],
        keys("1"),
        vec![(3_700, I::Tick), told(&one, Progress::Confirmed), (10, I::Tick), (1, I::ShiftClosed), edge(&two)],
        keys("1042E200"),
        vec![(700, I::Tick), start(1, &three), (1, I::PutTotal { op: 2, opening: three.clone(), total }), saved(&three)],
        vec![told(&three, Progress::Refused(["NO".into(), "CALL".into()])), (70, I::Tick), edge(&four)],
        keys("1042E"),
        vec![(1, I::KeypadGone), (1, I::KeypadBack), (1, I::ShiftOpen), (1, I::Tick)],
    ]
    .concat()
}

/// Without the moment of confirmation, which is the wall clock's to tell.
fn counter(output: shift::Output) -> String {
    match output {
        shift::Output::Record { opening, event: Event::OpeningCounted(mut counted) } => {
            counted.time.clear();
            format!("{opening} {counted:?}")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_jump_in_any_state_of_the_operators_machine_changes_nothing_but_the_counts_time() {
    let day = day();
    let begin = clock::now();
    let wall: Timestamp = walk::DATE.parse().unwrap();
    let lived = |jump_at: usize, seconds: i64| {
        let mut machine = Shift::new(settings(), false);
        let (mut now, mut times, mut out) = (begin, Vec::new(), Vec::new());
        for (n, (after, input)) in day.iter().enumerate() {
            now += Duration::from_secs(*after);
            let jumped = if n >= jump_at { SignedDuration::from_secs(seconds) } else { SignedDuration::ZERO };
            let wall = wall + SignedDuration::try_from(now.duration_since(begin)).unwrap() + jumped;
            for output in machine.handle(now, wall, input.clone()) {
                if let shift::Output::Record { event: Event::OpeningCounted(counted), .. } = &output {
                    times.push(counted.time.clone());
                }
                out.push(counter(output));
            }
            out.push(format!("{:?}", machine.phase()));
        }
        (out, times)
    };
    let (plain, times) = lived(usize::MAX, 0);
    assert_eq!(times.len(), 3, "two counts, one of them offered to the disk twice: {plain:?}");
    for phase in ["Idle", "Staff", "Count", "Confirm", "Saving", "Saved", "Open"] {
        assert!(plain.iter().any(|p| p == phase), "the day has no {phase}");
    }
    for (at, (_, input)) in day.iter().enumerate() {
        for (name, seconds) in jumps() {
            let (jumped, _) = lived(at, seconds);
            assert_eq!(plain, jumped, "before input {at} ({input:?}) the clock jumps {name}");
        }
    }
    println!("clock_jumps: operator's machine: {} inputs × {} jumps, the same day", day.len(), jumps().len());
}

// --- what does need a right clock, by design

/// A count from yesterday evening that was never sent, after a restart this morning.
fn old_count(clock: WallClock, date: &str) -> Vec<Output> {
    let now = clock::now();
    let history = [Event::OpeningCounted(counted())];
    let mut machine = Opening::resume(id(), &history, WAITS, &rules(OnForeign::Ask), now).unwrap();
    machine.clock_is(clock);
    machine.handle(now, Input::Go);
    let list = SessionList { date: Some(date.parse().unwrap()), ..SessionList::of(vec![], true) };
    machine.handle(now, Input::Read(Read::Healthy(list)))
}

#[test]
fn by_design_after_a_restart_only_a_clock_that_can_be_believed_makes_a_count_too_old() {
    let stale = |outputs: &[Output]| matches!(outputs, [Output::Store(Event::OpeningStale { .. })]);
    for date in ["2026-11-23T11:00:01Z", "2026-11-24T07:00:00Z"] {
        assert!(stale(&old_count(WallClock::Trusted, date)), "{date}: older than max_age, or another business day");
        for unproven in [WallClock::Wrong, WallClock::NeverCompared] {
            let outputs = old_count(unproven, date);
            assert!(matches!(outputs[..], [Output::Store(Event::OpeningSending { .. })]), "{date}: its age is not known");
        }
    }
    assert!(!stale(&old_count(WallClock::Trusted, "2026-11-23T10:59:59Z")));
}

#[test]
fn by_design_a_page_that_is_cut_off_proves_absence_only_with_a_time_of_our_own() {
    let read = |jump: i64| {
        let mut walk = Walk::begin(&stories()[0], clock::now());
        walk.jump(jump);
        walk.feed(Input::Go);
        let none = walk.sent.sees(vec![]);
        walk.feed(none);
        walk.feed(Input::Stored);
        walk.feed(Input::Outcome(drawerbridge::opening::Outcome::Unknown { why: "lost".into() }));
        walk.feed(Input::Stored);
        let long_ago =
            drawerbridge::shift::event::SessionFacts { opening_time: "2026-11-20T06:00:00Z".into(), ..stranger("CLOSED") };
        let page = SessionList { complete: false, ..Sent::default().list(vec![long_ago]) };
        let mut last = vec![];
        for _ in 0..3 {
            walk.now += Duration::from_secs(130);
            walk.feed(Input::Tick);
            last = walk.feed(Input::Read(Read::Healthy(page.clone())));
        }
        match &last[..] {
            [Output::Store(event)] => event.name(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(1), "opening.absent");
    assert_eq!(read(3_600), "opening.needs_attention", "a person is asked, instead of a resend being risked");
}

#[test]
fn by_design_a_count_told_of_a_strangers_session_has_shopifys_time_when_ours_is_wrong() {
    let story = stories().into_iter().find(|s| s.name == "a count is lost and found").unwrap();
    let times = |jump: i64| {
        let mut walk = Walk::begin(&story, clock::now());
        walk.jump(jump);
        let outputs = story.steps.iter().flat_map(|step| walk.step(step)).collect::<Vec<_>>();
        outputs
            .iter()
            .filter_map(|o| match o {
                Output::Send { variables, .. } => Some(variables["time"].as_str().map(str::to_owned)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let counted_at = Some(counted().time);
    assert_eq!(times(-1), [counted_at.clone(), counted_at]);
    assert_eq!(times(-DAY), [None, Some(walk::DATE.to_owned())], "an opening without, a count with Shopify's");
}

//! After the confirmation: the disk, the network, and what people see of it.
use super::*;
use crate::shift::Progress;

fn saved_count() -> (Till, OpeningId) {
    let (mut till, opening) = Till::counting();
    till.type_keys("15000EE");
    till.saved(&opening);
    (till, opening)
}

fn rows(upper: &str, lower: &str) -> [String; 2] {
    [upper.into(), lower.into()]
}

#[test]
fn a_disk_that_does_not_take_the_count_is_named_and_enter_tries_again() {
    for (why, shown) in [
        ("database or disk is full", "NOT SAVED: DISK FULL|ENTER=TRY AGAIN"),
        ("No space left on device (os error 28)", "NOT SAVED: DISK FULL|ENTER=TRY AGAIN"),
        ("attempt to write a readonly database", "NOT SAVED: READ ONLY|ENTER=TRY AGAIN"),
        ("disk I/O error", "COUNT NOT SAVED|ENTER=TRY AGAIN"),
    ] {
        let (mut till, opening) = Till::counting();
        till.type_keys("15000EE");
        till.save_fails(&opening, why);
        assert_eq!((till.shows(), till.phase()), (shown, Phase::Confirm));
        assert_eq!(till.type_keys("1P"), shown, "why it is not saved stays to be read");
        assert_eq!(till.counts().len(), 1);
        assert_eq!(till.type_keys("E"), "SAVING THE COUNT|PLEASE WAIT");
        assert_eq!(till.counts().len(), 2);
        assert_eq!(till.counts()[0], till.counts()[1]);
        till.saved(&opening);
        assert_eq!((till.shows(), till.phase()), ("COUNT SAVED|OPENING REGISTER", Phase::Saved));
    }
}

#[test]
fn a_count_that_is_not_saved_can_be_counted_again_or_is_given_up_in_time() {
    let (mut till, opening) = Till::counting();
    till.type_keys("15000EE");
    till.save_fails(&opening, "disk full");
    assert_eq!(till.type_keys("C"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    till.type_keys("16000EE");
    till.save_fails(&opening, "disk full");
    assert_eq!(till.seconds_pass(120), "NO KEY FOR TOO LONG|REGISTER CLOSED");
    assert_eq!(till.names().last(), Some(&"opening.cancelled"));
}

#[test]
fn while_the_count_is_being_saved_nothing_else_is_heard() {
    let (mut till, opening) = Till::counting();
    till.type_keys("15000EE");
    till.type_keys("E C 5");
    till.when(Input::Badge("A7XQ".into()));
    till.drawer_opens();
    till.when(Input::DrawerClosed);
    till.when(Input::ShiftOpen);
    till.when(Input::ShiftClosed);
    till.when(Input::KeysLost);
    till.when(Input::KeypadGone);
    till.saved(&id(99));
    till.save_fails(&id(99), "not ours");
    assert_eq!(till.seconds_pass(100_000), "SAVING THE COUNT|PLEASE WAIT");
    assert_eq!((till.counts().len(), till.phase()), (1, Phase::Saving));
    till.saved(&opening);
    assert_eq!(till.shows(), "COUNT SAVED|OPENING REGISTER");
    till.saved(&opening);
    till.save_fails(&opening, "late");
    assert_eq!((till.phase(), till.counts().len()), (Phase::Saved, 1));
}

#[test]
fn without_a_network_the_count_waits_and_the_display_says_it_once() {
    let (mut till, opening) = saved_count();
    assert_eq!(till.progress(&opening, Progress::WillSendLater), "COUNT SAVED|WILL SEND LATER");
    assert_eq!(till.seconds_pass(6), WELCOME);
    till.progress(&opening, Progress::Sending);
    assert_eq!(till.progress(&opening, Progress::WillSendLater), WELCOME, "customers see no flashing");
    assert_eq!((till.phase(), till.shift.current()), (Phase::Saved, Some(&opening)));
    till.drawer_opens();
    assert_eq!(till.phase(), Phase::Saved, "the shift has begun: the drawer opens for sales");
    assert_eq!(till.progress(&opening, Progress::Checking), "COUNT SAVED|CHECKING REGISTER");
    assert_eq!(till.progress(&opening, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
}

#[test]
fn what_is_unsettled_for_ten_minutes_is_shown_until_a_key_is_pressed() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::WillSendLater);
    assert_eq!(till.seconds_pass(599), WELCOME);
    assert_eq!(till.wake, Some(till.now + Duration::from_secs(1)));
    assert_eq!(till.seconds_pass(1), "COUNT NOT SENT YET|CALL THE MANAGER");
    assert_eq!(till.type_keys("E"), WELCOME);
    assert_eq!(till.progress(&opening, Progress::Checking), WELCOME);
    assert_eq!(till.progress(&opening, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
}

#[test]
fn a_refusal_closes_the_shift_again_and_the_next_edge_starts_a_new_opening() {
    let (mut till, opening) = saved_count();
    let refused = Progress::Refused(rows("STAFF NOT KNOWN", "CALL THE MANAGER"));
    assert_eq!(till.progress(&opening, refused), "STAFF NOT KNOWN|CALL THE MANAGER");
    assert_eq!((till.phase(), till.shift.current()), (Phase::Idle, None));
    let second = till.drawer_opens();
    assert_eq!((till.shows(), till.shift.current()), ("STAFF NUMBER|KEY IT OR SCAN BADGE", Some(&second)));
    assert_eq!(till.progress(&opening, Progress::Confirmed), "STAFF NUMBER|KEY IT OR SCAN BADGE", "too late");
    assert_eq!(till.phase(), Phase::Staff);
}

#[test]
fn a_refusal_stands_until_a_key_is_pressed_or_a_minute_is_over() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::Refused(rows("NO", "WAY")));
    assert_eq!(till.seconds_pass(59), "NO|WAY");
    assert_eq!(till.seconds_pass(1), WELCOME);
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::Refused(rows("NO", "WAY")));
    till.when(Input::DrawerClosed);
    assert_eq!(till.type_keys("E"), WELCOME);
    assert_eq!(till.type_keys("E"), "REGISTER CLOSED|OPEN DRAWER TO START");
}

#[test]
fn a_question_about_an_earlier_count_does_not_take_the_next_one_away() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::NeedsAttention(rows("ONE", "QUESTION")));
    till.drawer_opens();
    assert_eq!(till.phase(), Phase::Staff);
    till.progress(&opening, Progress::NeedsAttention(rows("ANOTHER", "QUESTION")));
    assert_eq!((till.shows(), till.phase()), ("STAFF NUMBER|KEY IT OR SCAN BADGE", Phase::Staff));
    till.progress(&opening, Progress::GivenUp);
    assert_eq!(till.phase(), Phase::Staff);
}

#[test]
fn an_earlier_count_that_goes_out_after_all_is_waited_for_and_said_when_it_does_not_get_there() {
    let (mut till, newer) = saved_count();
    till.progress(&newer, Progress::NeedsAttention(rows("ANOTHER", "QUESTION")));
    let earlier = id(1 << 30);
    till.progress(&earlier, Progress::Sending);
    assert_eq!((till.phase(), till.shift.current()), (Phase::Saved, Some(&earlier)));
    till.progress(&newer, Progress::GivenUp);
    assert_eq!(till.seconds_pass(600), "COUNT NOT SENT YET|CALL THE MANAGER");
    assert_eq!(till.progress(&earlier, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
    till.progress(&newer, Progress::Sending);
    assert_eq!(till.shift.current(), Some(&newer), "nothing else was followed");
}

#[test]
fn a_badge_at_an_open_register_says_that_what_is_asked_was_seen() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::Confirmed);
    till.seconds_pass(300);
    till.progress(&opening, Progress::NeedsAttention(rows("TWO SESSIONS OPENED", "CALL THE MANAGER")));
    till.when(Input::Badge("1042".into()));
    assert_eq!(till.shows(), WELCOME);
    till.when(Input::Badge("1042".into()));
    assert_eq!(till.shows(), "REGISTER IS OPEN|NO NUMBER NEEDED");
}

#[test]
fn a_question_that_is_told_again_does_not_close_a_register_that_is_open() {
    let (mut till, opening) = saved_count();
    let asked = || Progress::NeedsAttention(rows("REGISTER IS OPEN", "NOT BY THIS COUNT"));
    till.progress(&opening, asked());
    till.when(Input::ShiftOpen);
    assert_eq!(till.phase(), Phase::Saved);
    assert_eq!(till.progress(&opening, asked()), "REGISTER IS OPEN|NOT BY THIS COUNT");
    assert_eq!(till.phase(), Phase::Saved);
}

#[test]
fn what_needs_a_person_is_shown_until_one_presses_a_key_and_closes_the_shift() {
    let (mut till, opening) = saved_count();
    let attention = Progress::NeedsAttention(rows("TRIED THREE TIMES", "CALL THE MANAGER"));
    assert_eq!(till.progress(&opening, attention), "TRIED THREE TIMES|CALL THE MANAGER");
    assert_eq!(till.phase(), Phase::Idle);
    assert_eq!(till.seconds_pass(3600), "TRIED THREE TIMES|CALL THE MANAGER");
    assert_eq!(till.type_keys("E"), WELCOME);
    // It can still turn out well.
    assert_eq!(till.progress(&opening, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
    assert_eq!(till.phase(), Phase::Open);
}

#[test]
fn someone_elses_session_leaves_the_shift_open_with_the_text_on_the_display() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::NeedsAttention(rows("OPENED BY SAM", "CALL THE MANAGER")));
    till.when(Input::ShiftOpen);
    assert_eq!((till.shows(), till.phase()), ("OPENED BY SAM|CALL THE MANAGER", Phase::Saved));
    till.drawer_opens();
    assert_eq!(till.phase(), Phase::Saved);
    till.when(Input::ShiftClosed);
    assert_eq!((till.shows(), till.phase(), till.shift.current()), (WELCOME, Phase::Idle, None));
}

#[test]
fn a_question_to_a_person_outlives_a_newer_opening_that_was_given_up() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::NeedsAttention(rows("ASK", "SOMEONE")));
    till.drawer_opens();
    assert_eq!(till.type_keys("C"), "OPENING CANCELLED|REGISTER CLOSED");
    assert_eq!(till.seconds_pass(6), "ASK|SOMEONE");
    let newer = till.drawer_opens();
    till.type_keys("1042E 20000EE");
    till.saved(&newer);
    assert_eq!(
        till.progress(&opening, Progress::Refused(rows("X", "Y"))),
        "COUNT SAVED|OPENING REGISTER",
        "no longer current"
    );
    assert_eq!(till.phase(), Phase::Saved);
}

#[test]
fn after_a_restart_a_saved_count_goes_on_where_it_was() {
    let mut till = Till::of(Shift::resumed(settings("USD"), id(7)));
    assert_eq!((till.shows(), till.phase(), till.shift.current()), (WELCOME, Phase::Saved, Some(&id(7))));
    assert_eq!(till.progress(&id(7), Progress::Checking), "COUNT SAVED|CHECKING REGISTER");
    assert_eq!(till.seconds_pass(600), "COUNT NOT CONFIRMED|CALL THE MANAGER", "it may be at Shopify");
    assert_eq!(till.progress(&id(7), Progress::WillSendLater), "COUNT NOT SENT YET|CALL THE MANAGER");
    assert_eq!(till.progress(&id(7), Progress::Refused(rows("NO", "WAY"))), "NO|WAY");
    assert_eq!(till.phase(), Phase::Idle);
}

#[test]
fn what_a_key_took_away_is_shown_again_at_the_next_edge_or_after_an_hour() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::WillSendLater);
    let overdue = "COUNT NOT SENT YET|CALL THE MANAGER";
    assert_eq!(till.seconds_pass(600), overdue);
    assert_eq!(till.type_keys("E"), WELCOME);
    assert_eq!(till.seconds_pass(3599), WELCOME);
    assert_eq!(till.wake, Some(till.now + Duration::from_secs(1)));
    assert_eq!(till.seconds_pass(1), overdue);
    assert_eq!(till.type_keys("E"), WELCOME);
    till.when(Input::DrawerClosed);
    assert_eq!(till.shows(), WELCOME);
    till.drawer_opens();
    assert_eq!((till.shows(), till.phase()), (overdue, Phase::Saved));
    // A session that is gone ends a question to a person, not a count that is merely late.
    till.type_keys("E");
    till.when(Input::ShiftClosed);
    assert_eq!(
        (till.shift.current(), till.phase()),
        (Some(&opening), Phase::Saved),
        "its own end says what the register is"
    );
}

#[test]
fn after_a_restart_a_question_to_a_person_is_shown_again() {
    let ask = || rows("TRIED THREE TIMES", "CALL THE MANAGER");
    let mut till = Till::of(Shift::needs_attention(settings("USD"), id(7), false, ask()));
    assert_eq!((till.shows(), till.phase()), ("TRIED THREE TIMES|CALL THE MANAGER", Phase::Idle));
    assert_eq!(till.type_keys("E"), WELCOME);
    assert_eq!(till.seconds_pass(3600), "TRIED THREE TIMES|CALL THE MANAGER");
    till.drawer_opens();
    assert_eq!(till.phase(), Phase::Staff, "a new opening may be started");
    let mut till = Till::of(Shift::needs_attention(settings("USD"), id(7), true, ask()));
    assert_eq!((till.phase(), till.shift.current()), (Phase::Saved, Some(&id(7))));
    till.when(Input::ShiftClosed);
    assert_eq!((till.shows(), till.phase()), (WELCOME, Phase::Idle));
}

#[test]
fn a_phase_is_written_as_it_is_named() {
    use Phase as P;
    for phase in [P::Idle, P::Staff, P::Count, P::Confirm, P::Saving, P::Saved, P::Open] {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
    }
}

#[test]
fn a_second_session_that_is_found_later_is_said_while_the_shift_stays_open() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::Confirmed);
    till.seconds_pass(300);
    let alarm = Progress::NeedsAttention(rows("TWO SESSIONS OPENED", "CALL THE MANAGER"));
    assert_eq!(till.progress(&opening, alarm), "TWO SESSIONS OPENED|CALL THE MANAGER");
    assert_eq!(till.phase(), Phase::Saved, "open, with something to be said");
    till.progress(&opening, Progress::GivenUp);
    till.when(Input::ShiftOpen);
    assert_eq!(till.phase(), Phase::Open);
}

#[test]
fn a_decision_to_record_the_count_is_waited_for_like_any_sending() {
    let (mut till, opening) = saved_count();
    till.progress(&opening, Progress::NeedsAttention(rows("ASK", "SOMEONE")));
    // Somebody decides only when the ten minutes of the count itself are long over.
    till.seconds_pass(3600);
    till.progress(&opening, Progress::Sending);
    assert_eq!((till.phase(), till.shows() == "ASK|SOMEONE"), (Phase::Saved, false));
    assert_eq!(till.progress(&opening, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
}

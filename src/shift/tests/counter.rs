//! What goes wrong at a counter: bouncing keys, zeros too many, a drawer that is open or shut, a till without a keypad.
use super::*;
use crate::{
    money::CountLine,
    shift::{Progress, event::StartedBy},
};

const STAFF: &str = "STAFF NUMBER|KEY IT OR SCAN BADGE";
const RIGHT: &str = "FLOAT     150.00 USD|ENTER=YES  CLEAR=NO";

impl Till {
    fn millis_pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }
}

// ---- the point --------------------------------------------------------------------------------------------------------

#[test]
fn a_point_where_no_decimals_are_implied_does_not_ask_for_more_digits() {
    for code in ["SEK", "HUF", "NOK", "JPY"] {
        let (mut till, _) = Till::counting_with(settings(code));
        assert_eq!(till.type_keys("1500P"), "NO POINT NEEDED|KEY WHOLE AMOUNT", "{code}");
    }
    let (mut till, _) = Till::counting_with(settings("KWD"));
    assert_eq!(till.type_keys("1500P"), "NO POINT NEEDED|KEY ALL DIGITS");
}

// ---- Enter twice ------------------------------------------------------------------------------------------------------

#[test]
fn a_doubled_enter_confirms_nothing() {
    let mut bouncing = settings("USD");
    bouncing.confirm_pause = Duration::from_millis(250);
    let (mut till, _) = Till::counting_with(bouncing.clone());
    assert_eq!(till.type_keys("15000EEE"), RIGHT);
    till.millis_pass(249);
    assert_eq!(till.type_keys("E"), RIGHT);
    assert!(till.counts().is_empty());
    till.millis_pass(1);
    till.type_keys("E");
    assert_eq!((till.phase(), till.counts().len()), (Phase::Saving, 1));
    // An odd amount has two questions, and each wants an Enter of its own.
    let (mut till, _) = Till::counting_with(bouncing);
    assert_eq!(till.type_keys("150EE"), "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR");
    till.millis_pass(250);
    assert_eq!(till.type_keys("EE"), "FLOAT       1.50 USD|ENTER=YES  CLEAR=NO");
    till.millis_pass(100);
    assert_eq!(till.type_keys("C"), "COUNT THE FLOAT|KEY TOTAL + ENTER", "Clear waits for nothing");
}

#[test]
fn a_badge_at_the_question_is_told_what_is_asked() {
    let (mut till, _) = Till::counting();
    till.type_keys("15000E");
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.shows(), "STAFF IS KNOWN|ENTER=YES  CLEAR=NO");
    assert_eq!(till.seconds_pass(3), RIGHT);
}

// ---- far too much -----------------------------------------------------------------------------------------------------

#[test]
fn a_float_with_two_zeros_too_many_asks_once_more() {
    for (code, typed, odd) in [
        ("USD", "15000DE", true),
        ("USD", "200000E", false),
        ("USD", "200001E", true),
        ("CHF", "15000DE", true),
        ("SEK", "1500DE", true),
        ("SEK", "2000E", false),
        ("JPY", "100000E", false),
        ("JPY", "10000000E", true),
    ] {
        let (mut till, _) = Till::counting_with(settings(code));
        let asks = till.type_keys(typed) == "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR";
        assert_eq!(asks, odd, "{code} {typed}: {}", till.shows());
    }
    let mut by_pieces = settings("USD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, _) = Till::counting_with(by_pieces);
    assert_eq!(till.type_keys("E E 500E EEEEEEE"), "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR");
}

#[test]
fn far_from_the_expected_float_is_odd_and_near_it_is_not() {
    for (expected, typed, odd) in [
        ("150.00", "15000E", false),
        ("150.00", "75000E", false),
        ("150.00", "75001E", true),
        ("150.00", "3000E", false),
        ("150.00", "2999E", true),
        ("150.00", "150E", true),
        // A small float is no typing error where it is usual, and neither is a large one.
        ("5.00", "500E", false),
        ("5000.00", "500000E", false),
        ("5.00", "0E", true),
    ] {
        let mut expecting = settings("USD");
        expecting.count.expected_float = Some(amount(expected, "USD"));
        let (mut till, _) = Till::counting_with(expecting);
        let asks = till.type_keys(typed) == "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR";
        assert_eq!(asks, odd, "{expected} {typed}: {}", till.shows());
    }
}

#[test]
fn where_only_the_settings_know_the_coins_they_say_what_is_too_much() {
    let mut listed = settings("KWD");
    let (mut till, _) = Till::counting_with(listed.clone());
    assert!(till.type_keys("99999999E").starts_with("FLOAT"), "nothing is known of these coins");
    listed.count.denominations = vec![amount("20.000", "KWD"), amount("0.250", "KWD")];
    let (mut till, _) = Till::counting_with(listed);
    assert_eq!(till.type_keys("400001E"), "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR");
}

// ---- the drawer -------------------------------------------------------------------------------------------------------

#[test]
fn a_drawer_shut_at_the_question_takes_the_amount_away_and_the_first_key_only_brings_it_back() {
    for typed in ["E", "C", "5"] {
        let (mut till, opening) = Till::counting();
        till.type_keys("15000E");
        till.when(Input::DrawerClosed);
        assert_eq!(till.shows(), "DRAWER IS CLOSED|GO ON COUNTING");
        till.when(Input::Badge("A7XQ".into()));
        assert_eq!(till.seconds_pass(10), "DRAWER IS CLOSED|GO ON COUNTING", "a badge does not bring it back");
        assert_eq!(till.type_keys(typed), RIGHT);
        assert_eq!((till.phase(), till.counts().len()), (Phase::Confirm, 0));
        till.type_keys("E");
        till.saved(&opening);
        assert_eq!(till.counts()[0].balance.amount, "150.00");
    }
    let (mut till, _) = Till::counting();
    till.type_keys("15000");
    till.when(Input::DrawerClosed);
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.seconds_pass(10), "DRAWER IS CLOSED|GO ON COUNTING");
}

#[test]
fn the_enter_that_brings_the_amount_back_is_not_doubled_into_a_yes() {
    let mut bouncing = settings("USD");
    bouncing.confirm_pause = Duration::from_millis(250);
    let (mut till, _) = Till::counting_with(bouncing);
    till.type_keys("15000E");
    till.seconds_pass(1);
    till.when(Input::DrawerClosed);
    till.seconds_pass(1);
    assert_eq!(till.type_keys("EE"), RIGHT);
    assert!(till.counts().is_empty());
}

#[test]
fn an_enter_while_the_keypad_is_said_to_be_gone_confirms_nothing() {
    let (mut till, _) = Till::counting();
    till.type_keys("15000E");
    till.when(Input::KeypadGone);
    assert_eq!(till.type_keys("E"), RIGHT);
    assert!(till.counts().is_empty());
}

#[test]
fn why_a_count_is_not_saved_stays_when_the_drawer_is_shut() {
    let (mut till, opening) = Till::counting();
    till.type_keys("15000EE");
    till.save_fails(&opening, "disk full");
    till.when(Input::DrawerClosed);
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.shows(), "NOT SAVED: DISK FULL|ENTER=TRY AGAIN");
}

#[test]
fn before_an_open_drawer_a_key_starts_the_opening() {
    // Known from the baseline at start, which is no edge.
    let mut till = Till::new();
    till.when(Input::DrawerIs { open: true });
    assert_eq!((till.shows(), till.phase(), till.records.len()), (WELCOME, Phase::Idle, 0));
    assert_eq!(till.type_keys("1042"), "STAFF NUMBER|****        ENTER=OK", "the first key is one of the number's");
    assert_eq!(till.records, [(id(1), Event::OpeningStarted { by: StartedBy::Drawer })]);
    assert_eq!(till.type_keys("E"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    // After an opening that was given up while the drawer stood open.
    assert_eq!(till.seconds_pass(600), "NO KEY FOR TOO LONG|REGISTER CLOSED");
    assert_eq!(till.type_keys("E"), STAFF, "Enter is no number");
    assert_eq!(till.shift.current(), Some(&id(2)));
    till.type_keys("C");
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.shows(), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    till.seconds_pass(600);
    till.when(Input::DrawerClosed);
    assert_eq!(till.type_keys("1"), "REGISTER CLOSED|OPEN DRAWER TO START");
    till.when(Input::DrawerIs { open: true });
    till.when(Input::DrawerIs { open: false });
    assert_eq!(till.type_keys("1"), "REGISTER CLOSED|OPEN DRAWER TO START");
}

#[test]
fn a_key_before_an_open_drawer_does_not_get_around_the_wait_after_wrong_numbers() {
    let mut till = Till::new();
    till.drawer_opens();
    till.type_keys("1E 2E 3E");
    till.seconds_pass(2);
    till.type_keys("4E");
    till.when(Input::Cancel { op: 1, opening: id(1), why: "no".into() });
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!((till.shows(), till.phase()), ("UNKNOWN NUMBER|PLEASE WAIT", Phase::Staff));
}

#[test]
fn a_key_that_was_not_answered_with_an_edge_is_forgotten() {
    let mut till = Till::new();
    till.when(Input::DrawerIs { open: true });
    assert_eq!(till.feed(Input::Key(Key::Digit(1))), [Output::StartWanted]);
    assert_eq!(till.feed(Input::Tick), []);
    till.drawer_opens();
    assert_eq!(till.shows(), STAFF);
}

// ---- the POS ----------------------------------------------------------------------------------------------------------

#[test]
fn the_pos_takes_over_an_opening_that_waits_for_a_staff_number() {
    let mut till = Till::new();
    let opening = till.drawer_opens();
    till.type_keys("10");
    till.start(1, 50);
    assert_eq!(till.replies, [(1, Ok(Reply::Started(opening.clone())))]);
    assert_eq!((till.shows(), till.phase(), till.warmed), ("COUNT THE FLOAT|KEY TOTAL + ENTER", Phase::Count, 1));
    assert_eq!(till.names(), ["opening.started"], "it has started already");
    assert_eq!(till.type_keys("C"), "NOTHING TO CLEAR|TO STOP, USE THE POS");
    till.start(2, 51);
    assert_eq!(till.replies[1], (2, Err(Refusal::Busy(opening.clone()))));
    till.put(3, &opening, "150.00");
    till.saved(&opening);
    let counted = till.counts()[0];
    assert_eq!((counted.staff_name.as_str(), counted.note.as_str()), ("Robin", "Monday"));
}

#[test]
fn the_pos_takes_nothing_over_for_somebody_who_is_not_configured() {
    let mut till = Till::new();
    let opening = till.drawer_opens();
    let (note, reason_code_id) = (String::new(), None);
    till.when(Input::Start { op: 1, fresh: id(9), staff_member_id: "x".into(), note, reason_code_id });
    assert_eq!(till.replies, [(1, Err(Refusal::UnknownStaff { id: "x".into() }))]);
    assert_eq!((till.shows(), till.shift.current()), (STAFF, Some(&opening)));
}

#[test]
fn without_a_keypad_the_drawer_sends_people_to_the_pos() {
    let mut bare = settings("USD");
    bare.keypad = false;
    let mut till = Till::with(bare);
    let opening = till.drawer_opens();
    assert_eq!((till.shows(), till.phase()), ("REGISTER CLOSED|START AT THE POS", Phase::Staff));
    assert_eq!(till.records, [(opening.clone(), Event::OpeningStarted { by: StartedBy::Drawer })]);
    till.start(1, 50);
    assert_eq!(till.replies, [(1, Ok(Reply::Started(opening.clone())))]);
    assert_eq!(till.shows(), "COUNT THE FLOAT|KEY IT AT THE POS");
    till.put(2, &opening, "150.00");
    till.save_fails(&opening, "disk full");
    assert_eq!(till.shows(), "NOT SAVED: DISK FULL|TRY AGAIN AT THE POS");
    till.put(3, &opening, "150.00");
    till.saved(&opening);
    till.progress(&opening, Progress::Confirmed);
    assert_eq!(till.phase(), Phase::Open);
}

#[test]
fn without_a_keypad_an_opening_that_the_pos_does_not_want_ends_in_time() {
    let mut bare = settings("USD");
    bare.keypad = false;
    let mut till = Till::with(bare);
    let opening = till.drawer_opens();
    assert_eq!(till.seconds_pass(120), "NO COUNT CAME|REGISTER CLOSED");
    let why = "no count from the POS for 120s".to_owned();
    assert_eq!(till.records[1], (opening, Event::OpeningCancelled { why }));
    assert_eq!(till.seconds_pass(6), WELCOME);
}

#[test]
fn a_count_by_denomination_in_a_currency_nobody_knows_the_coins_of_is_refused_as_that() {
    let mut till = Till::with(settings("KWD"));
    let opening = till.start(1, 5);
    let lines = || vec![CountLine { denomination: amount("20.000", "KWD"), pieces: 1 }];
    till.when(Input::PutLines { op: 2, opening: opening.clone(), lines: lines() });
    assert_eq!(till.replies[1], (2, Err(Refusal::DenominationsUnknown { currency: "KWD" })));
    let mut listed = settings("KWD");
    listed.count.denominations = vec![amount("20.000", "KWD")];
    let mut till = Till::with(listed);
    let opening = till.start(1, 5);
    till.when(Input::PutLines { op: 2, opening, lines: lines() });
    assert_eq!(till.phase(), Phase::Saving);
}

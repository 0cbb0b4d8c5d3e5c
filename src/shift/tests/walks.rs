//! What a person at the counter does, and what the display answers.
use super::*;
use crate::shift::{Progress, event::StartedBy};

#[test]
fn a_total_is_keyed_confirmed_saved_and_the_register_opens() {
    let mut till = Till::new();
    assert_eq!((till.shows(), till.phase(), till.shift.current()), (WELCOME, Phase::Idle, None));

    let opening = till.drawer_opens();
    assert_eq!((till.shows(), till.phase()), ("STAFF NUMBER|KEY IT OR SCAN BADGE", Phase::Staff));
    assert_eq!(till.records, [(opening.clone(), Event::OpeningStarted { by: StartedBy::Drawer })]);
    assert_eq!(till.shift.current(), Some(&opening));

    assert_eq!(till.type_keys("1042"), "STAFF NUMBER|****        ENTER=OK");
    assert_eq!(till.warmed, 0);
    assert_eq!(till.type_keys("E"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    assert_eq!((till.warmed, till.phase()), (1, Phase::Count));

    assert_eq!(till.type_keys("15"), "FLOAT TOTAL|0.15 USD");
    assert_eq!(till.type_keys("T"), "FLOAT TOTAL|150.00 USD");
    assert_eq!(till.type_keys("E"), "FLOAT     150.00 USD|ENTER=YES  CLEAR=NO");
    assert_eq!(till.phase(), Phase::Confirm);

    let out = till.when(Input::Key(Key::Enter));
    assert_eq!(out[0], Output::Show(Frame::new("SAVING THE COUNT", "PLEASE WAIT")), "the amount leaves first");
    let counted = Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".into(),
        reason_code_id: Some("gid://shopify/PointOfSaleDeviceReasonCode/9".into()),
        balance: crate::shift::event::Money { amount: "150.00".into(), currency: "USD".into() },
        lines: vec![],
        time: "2026-11-23T07:00:00Z".into(),
        note: String::new(),
    };
    assert_eq!(out[1], Output::Record { opening: opening.clone(), event: Event::OpeningCounted(counted) });
    assert_eq!(till.phase(), Phase::Saving);
    assert!(!till.frames.iter().any(|frame| frame.contains("SAVED")), "nothing says SAVED before it is");

    till.saved(&opening);
    assert_eq!((till.shows(), till.phase()), ("COUNT SAVED|OPENING REGISTER", Phase::Saved));
    assert_eq!(till.progress(&opening, Progress::Sending), "COUNT SAVED|OPENING REGISTER");
    assert_eq!(till.progress(&opening, Progress::Confirmed), "REGISTER IS OPEN|COUNT RECORDED");
    assert_eq!((till.phase(), till.shift.current()), (Phase::Open, None));
    assert_eq!(till.seconds_pass(6), WELCOME);
}

#[test]
fn pieces_are_asked_for_from_the_largest_and_the_sum_is_confirmed() {
    let mut by_pieces = settings("USD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, opening) = Till::counting_with(by_pieces);
    assert_eq!(till.shows(), "100.00 USD x|KEY PIECES + ENTER");
    assert_eq!(till.type_keys("EE"), "20.00 USD x|KEY PIECES + ENTER", "Enter on nothing is none");
    assert_eq!(till.type_keys("5"), "20.00 USD x|5");
    // 10.00, 5.00, 1.00, then forty quarters, then 0.10, 0.05 and 0.01.
    assert_eq!(till.type_keys("E EEE 40E"), "0.10 USD x|KEY PIECES + ENTER");
    assert_eq!(till.type_keys("EEE"), "FLOAT     110.00 USD|ENTER=YES  CLEAR=NO");
    till.type_keys("E");
    till.saved(&opening);
    let counted = till.counts()[0];
    let lines: Vec<_> = counted.lines.iter().map(|l| (l.denomination.as_str(), l.pieces)).collect();
    assert_eq!((counted.balance.amount.as_str(), lines), ("110.00", vec![("20.00", 5), ("0.25", 40)]));
}

#[test]
fn clear_on_nothing_goes_back_to_the_denomination_before_then_to_the_staff_number_then_out() {
    let mut by_pieces = settings("USD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, opening) = Till::counting_with(by_pieces);
    assert_eq!(till.type_keys("2E 3"), "50.00 USD x|3");
    assert_eq!(till.type_keys("C"), "50.00 USD x|KEY PIECES + ENTER");
    assert_eq!(till.type_keys("C"), "100.00 USD x|KEY PIECES + ENTER");
    assert_eq!(till.type_keys("C"), "STAFF NUMBER|KEY IT OR SCAN BADGE");
    assert_eq!(till.type_keys("9C"), "STAFF NUMBER|KEY IT OR SCAN BADGE");
    assert_eq!(till.type_keys("C"), "OPENING CANCELLED|REGISTER CLOSED");
    let why = "Clear was pressed at the staff number".to_owned();
    assert_eq!(till.records[1], (opening, Event::OpeningCancelled { why }));
    assert_eq!(till.seconds_pass(6), WELCOME);
    assert_eq!(till.phase(), Phase::Idle);
}

#[test]
fn clear_at_the_question_means_count_again_from_the_start() {
    let (mut till, _) = Till::counting();
    assert_eq!(till.type_keys("15000E C"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    assert_eq!(till.type_keys("16000E"), "FLOAT     160.00 USD|ENTER=YES  CLEAR=NO");
    till.type_keys("E");
    assert_eq!(till.counts()[0].balance.amount, "160.00");
}

#[test]
fn a_wrong_number_is_refused_and_from_the_third_on_keys_are_not_heard_for_a_while() {
    let mut till = Till::new();
    till.drawer_opens();
    assert_eq!(till.type_keys("1E"), "UNKNOWN NUMBER|TRY AGAIN");
    assert_eq!(till.seconds_pass(3), "STAFF NUMBER|KEY IT OR SCAN BADGE");
    assert_eq!(till.type_keys("2E"), "UNKNOWN NUMBER|TRY AGAIN");
    assert_eq!(till.type_keys("3E"), "UNKNOWN NUMBER|PLEASE WAIT");
    assert_eq!(till.type_keys("1042E"), "UNKNOWN NUMBER|PLEASE WAIT");
    assert_eq!(till.shift.wrong_numbers(), 3);
    assert_eq!(till.seconds_pass(1), "UNKNOWN NUMBER|PLEASE WAIT");
    assert_eq!(till.seconds_pass(1), "STAFF NUMBER|KEY IT OR SCAN BADGE", "what was typed meanwhile was not heard");
    // Starting anew does not make it faster: the fourth costs four seconds, and a badge is not heard either.
    till.type_keys("C");
    till.drawer_opens();
    assert_eq!(till.type_keys("4E"), "UNKNOWN NUMBER|PLEASE WAIT");
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.seconds_pass(3), "UNKNOWN NUMBER|PLEASE WAIT");
    till.seconds_pass(1);
    assert_eq!(till.type_keys("1042E"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    assert_eq!(till.shift.wrong_numbers(), 0);
}

#[test]
fn the_wait_after_wrong_numbers_doubles_and_is_never_longer_than_a_minute() {
    let mut patient = settings("USD");
    patient.count.idle_timeout = Duration::from_secs(3600);
    let mut till = Till::with(patient);
    till.drawer_opens();
    till.type_keys("1E 1E");
    for seconds in [2, 4, 8, 16, 32, 60, 60, 60] {
        till.type_keys("1E");
        assert_eq!(till.seconds_pass(seconds - 1), "UNKNOWN NUMBER|PLEASE WAIT");
        till.seconds_pass(1);
        assert_ne!(till.shows(), "UNKNOWN NUMBER|PLEASE WAIT", "{seconds} s");
    }
}

#[test]
fn a_badge_is_a_staff_number_and_elsewhere_a_note() {
    let mut till = Till::new();
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!((till.shows(), till.phase()), ("REGISTER CLOSED|OPEN DRAWER TO START", Phase::Idle));
    let opening = till.drawer_opens();
    till.type_keys("10");
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.shows(), "COUNT THE FLOAT|KEY TOTAL + ENTER", "what was typed before does not count");
    till.type_keys("150");
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!(till.shows(), "STAFF IS KNOWN|GO ON COUNTING");
    assert_eq!(till.type_keys("D"), "FLOAT TOTAL|150.00 USD");
    till.type_keys("EE");
    till.saved(&opening);
    till.progress(&opening, Progress::Confirmed);
    till.seconds_pass(6);
    till.when(Input::Badge("A7XQ".into()));
    assert_eq!((till.shows(), till.phase()), ("REGISTER IS OPEN|NO NUMBER NEEDED", Phase::Open));
    assert_eq!(till.counts()[0].staff_name, "Sam");
    assert_eq!(till.seconds_pass(3), WELCOME);
}

#[test]
fn leading_zeros_of_a_staff_number_count_and_a_point_or_nothing_does_not() {
    let mut till = Till::new();
    till.drawer_opens();
    assert_eq!(till.type_keys("E"), "NOTHING KEYED YET|KEY IT OR SCAN BADGE");
    assert_eq!(till.type_keys("P"), "STAFF NUMBER|DIGITS ONLY");
    assert_eq!(till.type_keys("7E"), "UNKNOWN NUMBER|TRY AGAIN");
    assert_eq!(till.type_keys("D6B7E"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
}

#[test]
fn a_staff_number_longer_than_any_is_not_taken() {
    let mut till = Till::new();
    till.drawer_opens();
    assert_eq!(till.type_keys(&"1".repeat(32)), "STAFF NUMBER|*********** ENTER=OK", "as long as a badge may be");
    assert_eq!(till.type_keys("1"), "TOO MANY DIGITS|ENTER OR CLEAR");
    assert_eq!(till.seconds_pass(3), "STAFF NUMBER|*********** ENTER=OK");
}

#[test]
fn an_opening_without_a_key_is_given_up_wherever_it_stands() {
    for (typed, phase, patience) in [
        ("", Phase::Staff, 120),
        ("1042E", Phase::Count, 600),
        ("1042E 15000E", Phase::Confirm, 120),
        ("1042E 150E", Phase::Confirm, 120),
    ] {
        let mut till = Till::new();
        let opening = till.drawer_opens();
        till.seconds_pass(100);
        till.type_keys(typed);
        if typed.is_empty() {
            till.type_keys("1B");
        }
        assert_eq!(till.phase(), phase);
        assert_eq!(till.wake, Some(till.now + Duration::from_secs(patience)), "a key starts the wait anew");
        till.seconds_pass(patience - 1);
        assert_eq!(till.phase(), phase);
        assert_eq!(till.seconds_pass(1), "NO KEY FOR TOO LONG|REGISTER CLOSED");
        assert_eq!(till.records[1], (opening, Event::OpeningCancelled { why: format!("no key for {patience}s") }));
        assert_eq!((till.phase(), till.shift.current()), (Phase::Idle, None));
        assert_eq!(till.seconds_pass(6), WELCOME);
    }
}

#[test]
fn a_key_after_the_limit_does_not_revive_an_opening_even_when_the_tick_is_late() {
    let (mut till, _) = Till::counting();
    till.type_keys("15000E");
    till.now += Duration::from_secs(120);
    till.type_keys("E");
    assert_eq!(till.names(), ["opening.started", "opening.cancelled"]);
    assert_eq!(till.shows(), "NO KEY FOR TOO LONG|REGISTER CLOSED", "and says so before it starts anew");
}

#[test]
fn more_than_any_till_holds_is_not_taken_and_enter_on_nothing_or_a_point_is_explained() {
    let (mut till, _) = Till::counting();
    assert_eq!(till.type_keys("E"), "NOTHING KEYED YET|KEY TOTAL + ENTER");
    assert_eq!(till.type_keys("12P"), "NO POINT NEEDED|KEY ALL DIGITS");
    assert_eq!(till.seconds_pass(3), "FLOAT TOTAL|0.12 USD");
    assert_eq!(till.type_keys("34567890"), "FLOAT TOTAL|12345678.90 USD");
    assert_eq!(till.type_keys("1"), "TOO MANY DIGITS|ENTER OR CLEAR");
    assert_eq!(till.type_keys("B"), "FLOAT TOTAL|1234567.89 USD");
    assert_eq!(till.type_keys("D"), "TOO MANY DIGITS|ENTER OR CLEAR", "a 00 that does not fit is not halved");
    assert_eq!(till.type_keys("C"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
}

#[test]
fn pieces_have_a_limit_too() {
    let mut by_pieces = settings("USD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, _) = Till::counting_with(by_pieces);
    assert_eq!(till.type_keys("99999"), "100.00 USD x|99999");
    assert_eq!(till.type_keys("9"), "TOO MANY DIGITS|ENTER OR CLEAR");
    assert_eq!(till.type_keys("P"), "NO POINT NEEDED|KEY WHOLE PIECES");
    assert_eq!(till.type_keys("BBBB E"), "50.00 USD x|KEY PIECES + ENTER");
}

#[test]
fn an_odd_float_asks_once_more() {
    for (code, typed, total) in [
        ("USD", "0", "0.00"),
        ("USD", "150", "1.50"),
        ("USD", "00150", "1.50"),
        ("CHF", "15001", "150.01"),
        ("JPY", "0", "0"),
        ("KWD", "1500", "1.500"),
        ("SEK", "0", "0.00"),
    ] {
        let (mut till, _) = Till::counting_with(settings(code));
        assert_eq!(till.type_keys(&format!("{typed}E")), "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR", "{code} {typed}");
        assert_eq!(till.type_keys("5"), "PLEASE ANSWER|ENTER=YES  CLEAR=NO");
        assert!(till.type_keys("E").contains(&format!("{total} {code}")), "{}", till.shows());
        assert!(till.counts().is_empty());
        till.type_keys("E");
        assert_eq!(till.counts()[0].balance.amount, total);
    }
    for (code, typed) in [("USD", "1001"), ("CHF", "15005"), ("JPY", "1"), ("SEK", "7"), ("KWD", "15000")] {
        let (mut till, _) = Till::counting_with(settings(code));
        assert!(till.type_keys(&format!("{typed}E")).ends_with("ENTER=YES  CLEAR=NO"), "{code} {typed}");
    }
}

#[test]
fn an_odd_float_can_be_counted_again() {
    let (mut till, _) = Till::counting();
    assert_eq!(till.type_keys("150E C"), "COUNT THE FLOAT|KEY TOTAL + ENTER");
}

#[test]
fn nothing_in_any_denomination_is_a_float_of_nothing_and_asks_once_more() {
    let mut by_pieces = settings("JPY");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, _) = Till::counting_with(by_pieces);
    assert_eq!(till.type_keys("EEEEEEEEE"), "CHECK THE AMOUNT|ENTER AGAIN OR CLEAR");
    assert_eq!(till.type_keys("E"), "FLOAT          0 JPY|ENTER=YES  CLEAR=NO");
    till.type_keys("E");
    assert!(till.counts()[0].lines.is_empty());
}

#[test]
fn decimals_follow_the_currency() {
    for (code, typed, total) in [
        ("JPY", "100T", "100000"),
        ("KWD", "45500", "45.500"),
        ("USD", "15000", "150.00"),
        // Cash in Sweden has no smaller step than a krona: 1500 is 1500 kronor.
        ("SEK", "1500", "1500.00"),
    ] {
        let (mut till, _) = Till::counting_with(settings(code));
        till.type_keys(&format!("{typed}EE"));
        let balance = &till.counts()[0].balance;
        assert_eq!((balance.amount.as_str(), balance.currency.as_str()), (total, code));
    }
}

#[test]
fn a_currency_whose_coins_are_not_known_is_counted_as_one_total() {
    let mut by_pieces = settings("KWD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (till, _) = Till::counting_with(by_pieces.clone());
    assert_eq!(till.shows(), "COUNT THE FLOAT|KEY TOTAL + ENTER");
    by_pieces.count.denominations = vec![amount("20.000", "KWD"), amount("0.250", "KWD")];
    let (mut till, _) = Till::counting_with(by_pieces);
    assert_eq!(till.shows(), "20.000 KWD x|KEY PIECES + ENTER", "unless the settings list them");
    assert_eq!(till.type_keys("2E 4E"), "FLOAT     41.000 KWD|ENTER=YES  CLEAR=NO");
}

#[test]
fn a_masked_display_shows_keys_and_never_a_digit_of_the_amount() {
    let mut masked = settings("USD");
    masked.echo = Echo::Masked;
    let (mut till, opening) = Till::counting_with(masked.clone());
    assert_eq!(till.type_keys("98765"), "FLOAT TOTAL|*****       ENTER=OK");
    assert_eq!(till.type_keys("E"), "CONFIRM FLOAT|ENTER=YES  CLEAR=NO");
    till.type_keys("E");
    till.save_fails(&opening, "disk full");
    till.type_keys("E");
    till.saved(&opening);
    assert!(till.frames.iter().all(|frame| !frame.contains(|c: char| c.is_ascii_digit())), "{:?}", till.frames);
    assert_eq!(till.counts()[1].balance.amount, "987.65");

    masked.count.entry = EntryMode::Denominations;
    let (mut till, _) = Till::counting_with(masked);
    assert_eq!(till.type_keys("17"), "100.00 USD x|**          ENTER=OK");
    assert_eq!(till.type_keys("E EEEEE EEEE"), "CONFIRM FLOAT|ENTER=YES  CLEAR=NO");
    assert!(till.frames.iter().all(|frame| !frame.contains("17")), "{:?}", till.frames);
}

#[test]
fn a_second_drawer_edge_while_an_opening_runs_changes_nothing() {
    let (mut till, opening) = Till::counting();
    till.type_keys("150");
    till.when(Input::DrawerClosed);
    assert_eq!(till.shows(), "DRAWER IS CLOSED|GO ON COUNTING", "and the amount leaves the display");
    till.drawer_opens();
    assert_eq!((till.shows(), till.shift.current()), ("FLOAT TOTAL|1.50 USD", Some(&opening)));
    till.when(Input::DrawerClosed);
    assert_eq!(till.type_keys("D"), "FLOAT TOTAL|150.00 USD");
    till.type_keys("E");
    till.when(Input::DrawerClosed);
    till.drawer_opens();
    assert_eq!(till.shows(), "FLOAT     150.00 USD|ENTER=YES  CLEAR=NO");
    assert_eq!(till.names(), ["opening.started"]);
}

#[test]
fn lost_keys_void_the_number_and_the_display_says_so() {
    let (mut till, _) = Till::counting();
    till.type_keys("150");
    till.when(Input::KeysLost);
    assert_eq!(till.shows(), "KEYS WERE LOST|KEY THE NUMBER AGAIN");
    assert_eq!(till.type_keys("9"), "FLOAT TOTAL|0.09 USD");
    let mut till = Till::new();
    till.drawer_opens();
    till.type_keys("10");
    till.when(Input::KeysLost);
    assert_eq!(till.shows(), "KEYS WERE LOST|KEY THE NUMBER AGAIN");
    assert_eq!(till.type_keys("42E"), "UNKNOWN NUMBER|TRY AGAIN");
}

#[test]
fn after_lost_keys_enter_is_not_taken_for_none_of_these() {
    let mut by_pieces = settings("USD");
    by_pieces.count.entry = EntryMode::Denominations;
    let (mut till, _) = Till::counting_with(by_pieces);
    till.type_keys("3E 12");
    till.when(Input::KeysLost);
    assert_eq!(till.type_keys("E"), "KEYS WERE LOST|KEY THE NUMBER AGAIN");
    assert_eq!(till.type_keys("4"), "50.00 USD x|4", "the denominations before stay");
    till.when(Input::KeysLost);
    assert_eq!(till.type_keys("C"), "50.00 USD x|KEY PIECES + ENTER");
    assert_eq!(till.type_keys("E"), "20.00 USD x|KEY PIECES + ENTER");
}

#[test]
fn an_unplugged_keypad_voids_the_number_and_is_asked_for_until_it_is_back() {
    let (mut till, _) = Till::counting();
    till.type_keys("150");
    till.when(Input::KeypadGone);
    assert_eq!(till.shows(), "KEYPAD IS GONE|PLUG IT IN AGAIN");
    till.when(Input::KeypadBack);
    assert_eq!(till.shows(), "KEYS WERE LOST|KEY THE NUMBER AGAIN");
    assert_eq!(till.type_keys("2"), "FLOAT TOTAL|0.02 USD");
    // At the question nothing is being typed: the count stays, out of sight.
    till.type_keys("C 15000E");
    till.when(Input::KeypadGone);
    assert_eq!(till.shows(), "KEYPAD IS GONE|PLUG IT IN AGAIN");
    till.when(Input::KeypadBack);
    assert_eq!(till.shows(), "FLOAT     150.00 USD|ENTER=YES  CLEAR=NO");
}

#[test]
fn a_keypad_that_is_absent_is_asked_for_only_when_it_is_needed() {
    let mut till = Till::new();
    till.when(Input::KeypadGone);
    assert_eq!(till.shows(), WELCOME);
    till.drawer_opens();
    assert_eq!(till.shows(), "KEYPAD IS GONE|PLUG IT IN AGAIN");
    till.when(Input::KeypadBack);
    assert_eq!(till.shows(), "STAFF NUMBER|KEY IT OR SCAN BADGE");
}

#[test]
fn a_key_while_the_shift_is_closed_tells_how_to_start() {
    let mut till = Till::new();
    assert_eq!(till.type_keys("5"), "REGISTER CLOSED|OPEN DRAWER TO START");
    assert_eq!(till.seconds_pass(3), WELCOME);
    let mut blind = settings("USD");
    blind.sensor = false;
    assert_eq!(Till::with(blind).type_keys("E"), "REGISTER CLOSED|START AT THE POS");
}

#[test]
fn an_open_shift_ignores_the_drawer_and_keys_until_it_is_closed() {
    let mut till = Till::of(Shift::new(settings("USD"), true));
    till.drawer_opens();
    till.when(Input::DrawerClosed);
    till.when(Input::ShiftOpen);
    assert_eq!(till.type_keys("1042E"), WELCOME);
    assert_eq!((till.phase(), till.records.len()), (Phase::Open, 0));
    till.when(Input::ShiftClosed);
    till.drawer_opens();
    assert_eq!(till.phase(), Phase::Staff);
}

#[test]
fn a_count_that_someone_else_made_needless_is_given_up() {
    for typed in ["", "1042E 150", "1042E 15000E"] {
        let mut till = Till::new();
        till.drawer_opens();
        till.type_keys(typed);
        till.when(Input::ShiftOpen);
        assert_eq!((till.shows(), till.phase()), ("REGISTER IS OPEN|COUNT NOT NEEDED", Phase::Open));
        assert_eq!(till.names(), ["opening.started", "opening.cancelled"]);
        assert_eq!(till.seconds_pass(6), WELCOME);
    }
}

#[test]
fn an_early_tick_is_told_the_same_moment_again() {
    let (mut till, _) = Till::counting();
    let at = till.wake.unwrap();
    till.now += Duration::from_secs(1);
    assert_eq!(till.when(Input::Tick), [Output::WakeAt(at)]);
    assert_eq!(till.when(Input::KeypadBack), [], "and nobody is told twice");
}

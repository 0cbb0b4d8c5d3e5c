//! What the local API asks for, in each phase.
use super::*;
use crate::{money::CountLine, shift::event::StartedBy};

fn lines(given: &[(&str, u32)], code: &str) -> Vec<CountLine> {
    given.iter().map(|(face, pieces)| CountLine { denomination: amount(face, code), pieces: *pieces }).collect()
}

impl Till {
    fn put_lines(&mut self, op: u64, opening: &OpeningId, lines: Vec<CountLine>) -> Option<&Result<Reply, Refusal>> {
        self.when(Input::PutLines { op, opening: opening.clone(), lines });
        self.reply(op)
    }
    fn cancel(&mut self, op: u64, opening: &OpeningId) -> &Result<Reply, Refusal> {
        self.when(Input::Cancel { op, opening: opening.clone(), why: "the POS gave up".into() });
        self.reply(op).unwrap()
    }
    fn reply(&self, op: u64) -> Option<&Result<Reply, Refusal>> {
        let mut found = self.replies.iter().filter(|(to, _)| *to == op);
        let first = found.next().map(|(_, result)| result);
        assert!(found.next().is_none(), "one reply for each wish");
        first
    }
}

fn not_now(state: &str) -> Result<Reply, Refusal> {
    Err(Refusal::NotInThisState { state: state.into() })
}

#[test]
fn a_start_goes_straight_to_the_count_and_the_keypad_may_count() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    assert_eq!(till.replies, [(1, Ok(Reply::Started(id(5))))]);
    assert_eq!(till.records, [(id(5), Event::OpeningStarted { by: StartedBy::Api })]);
    assert_eq!((till.shows(), till.phase(), till.warmed), ("COUNT THE FLOAT|KEY TOTAL + ENTER", Phase::Count, 1));
    assert_eq!(till.type_keys("C"), "NOTHING TO CLEAR|TO STOP, USE THE POS");
    till.type_keys("15000EE");
    till.saved(&opening);
    let counted = till.counts()[0];
    assert_eq!((counted.staff_name.as_str(), counted.note.as_str()), ("Robin", "Monday"));
    assert_eq!(till.replies.len(), 1);
}

#[test]
fn a_reason_given_replaces_the_configured_one() {
    let mut till = Till::new();
    let reason_code_id = Some("gid://shopify/PointOfSaleDeviceReasonCode/2".to_owned());
    till.when(Input::Start {
        op: 1,
        fresh: id(5),
        staff_member_id: "gid://shopify/StaffMember/3".into(),
        note: String::new(),
        reason_code_id: reason_code_id.clone(),
    });
    till.put(2, &id(5), "100.00");
    assert_eq!((&till.counts()[0].reason_code_id, till.counts()[0].staff_name.as_str()), (&reason_code_id, "Kim"));
}

#[test]
fn a_start_is_refused_while_an_opening_runs_or_the_shift_is_open() {
    for (typed, phase) in [("1042E", Phase::Count), ("1042E 15000E", Phase::Confirm), ("1042E 15000EE", Phase::Saving)] {
        let mut till = Till::new();
        let opening = till.drawer_opens();
        till.type_keys(typed);
        let shown = till.shows().to_owned();
        till.start(1, 50);
        assert_eq!(till.reply(1), Some(&Err(Refusal::Busy(opening.clone()))));
        assert_eq!((till.phase(), till.shows(), till.shift.current()), (phase, shown.as_str(), Some(&opening)));
    }
    let (mut till, opening) = Till::counting();
    till.type_keys("15000EE");
    till.saved(&opening);
    till.start(1, 50);
    assert_eq!(till.reply(1), Some(&Err(Refusal::ShiftIsOpen)));
    till.progress(&opening, crate::shift::Progress::Confirmed);
    till.start(2, 51);
    assert_eq!(till.reply(2), Some(&Err(Refusal::ShiftIsOpen)));
}

#[test]
fn a_start_for_someone_who_is_not_configured_is_refused() {
    let mut till = Till::new();
    let staff_member_id = "gid://shopify/StaffMember/99".to_owned();
    till.when(Input::Start {
        op: 1,
        fresh: id(5),
        staff_member_id: staff_member_id.clone(),
        note: String::new(),
        reason_code_id: None,
    });
    assert_eq!(till.reply(1), Some(&Err(Refusal::UnknownStaff { id: staff_member_id })));
    assert_eq!((till.phase(), till.records.len()), (Phase::Idle, 0));
}

#[test]
fn a_total_is_answered_when_it_is_on_disk_and_not_before() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    let out = till.put(2, &opening, "150.00");
    assert_eq!(out[0], Output::Show(Frame::new("SAVING THE COUNT", "PLEASE WAIT")));
    assert_eq!((till.reply(2), till.phase()), (None, Phase::Saving));
    till.put(3, &opening, "160.00");
    assert_eq!(till.reply(3), Some(&not_now("being saved")));
    assert_eq!(till.cancel(4, &opening), &not_now("being saved"));
    till.saved(&opening);
    assert_eq!((till.reply(2), till.phase()), (Some(&Ok(Reply::Counted)), Phase::Saved));
    till.put(5, &opening, "160.00");
    assert_eq!(till.reply(5), Some(&not_now("counted already")));
    assert_eq!(till.cancel(6, &opening), &not_now("counted already"));
    assert_eq!(till.counts().len(), 1);
}

#[test]
fn another_opening_is_not_known_whatever_this_one_is_at() {
    let unknown = Err(Refusal::NoSuchOpening);
    let other = id(77);
    let mut till = Till::new();
    till.drawer_opens();
    till.put(1, &other, "150.00");
    assert_eq!((till.reply(1), till.phase()), (Some(&unknown), Phase::Staff));
    till.type_keys("1042E");
    till.put(2, &other, "150.00");
    assert_eq!((till.reply(2), till.phase()), (Some(&unknown), Phase::Count));
    till.type_keys("15000E");
    till.put(3, &other, "150.00");
    assert_eq!((till.reply(3), till.phase()), (Some(&unknown), Phase::Confirm));
    till.type_keys("E");
    assert_eq!(till.phase(), Phase::Saving);
    till.put(4, &other, "150.00");
    assert_eq!((till.reply(4), till.phase()), (Some(&unknown), Phase::Saving));

    let mut ended = Till::new();
    let opening = ended.start(1, 5);
    ended.cancel(2, &opening);
    ended.put(3, &other, "150.00");
    assert_eq!(ended.reply(3), Some(&unknown));

    let opening = id(5);
    let mut resumed = Till::of(Shift::resumed(settings("USD"), opening.clone()));
    resumed.put(1, &opening, "150.00");
    assert_eq!(resumed.reply(1), Some(&not_now("counted already")), "after a restart");
    resumed.put(2, &other, "150.00");
    assert_eq!(resumed.reply(2), Some(&unknown));
}

#[test]
fn a_total_over_the_api_replaces_what_the_keypad_was_at() {
    for typed in ["1042E", "1042E 77", "1042E 7700E", "1042E 0E"] {
        let mut till = Till::new();
        let opening = till.drawer_opens();
        till.type_keys(typed);
        till.put(1, &opening, "0.00");
        till.saved(&opening);
        assert_eq!(till.reply(1), Some(&Ok(Reply::Counted)));
        assert_eq!(till.counts()[0].balance.amount, "0.00");
    }
}

#[test]
fn a_count_that_the_disk_does_not_take_is_answered_so_and_can_be_tried_both_ways() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    till.put(2, &opening, "150.00");
    till.save_fails(&opening, "database or disk is full");
    assert_eq!(till.reply(2), Some(&Err(Refusal::NotSaved { why: "database or disk is full".into() })));
    assert_eq!((till.shows(), till.phase()), ("NOT SAVED: DISK FULL|ENTER=TRY AGAIN", Phase::Confirm));
    till.put(3, &opening, "160.00");
    till.save_fails(&opening, "database or disk is full");
    assert_eq!(till.type_keys("E"), "FLOAT     160.00 USD|ENTER=YES  CLEAR=NO", "nobody at the till has seen it");
    till.type_keys("E");
    till.saved(&opening);
    assert_eq!(till.replies.len(), 3, "the keypad's try answers nobody");
    let totals: Vec<_> = till.counts().iter().map(|c| c.balance.amount.as_str()).collect();
    assert_eq!(totals, ["150.00", "160.00", "160.00"]);
}

#[test]
fn lines_are_summed_sorted_and_kept_without_empty_ones() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    let given = lines(&[("0.25", 40), ("5.00", 0), ("20.00", 5), ("2.00", 1)], "USD");
    assert_eq!(till.put_lines(2, &opening, given), None);
    till.saved(&opening);
    let counted = till.counts()[0];
    let kept: Vec<_> = counted.lines.iter().map(|l| (l.denomination.as_str(), l.pieces)).collect();
    assert_eq!(counted.balance.amount, "112.00");
    assert_eq!(kept, [("20.00", 5), ("2.00", 1), ("0.25", 40)], "a rare note is taken too");
}

#[test]
fn a_count_that_cannot_be_right_is_refused_and_the_opening_goes_on() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    let usd = "USD";
    let wrong = Refusal::WrongCurrency { given: "EUR", expected: usd };
    assert_eq!(till.put_lines(2, &opening, lines(&[("20.00", 1)], "EUR")), Some(&Err(wrong.clone())));
    till.when(Input::PutTotal { op: 3, opening: opening.clone(), total: amount("1.00", "EUR") });
    assert_eq!(till.reply(3), Some(&Err(wrong)));
    let unknown = Refusal::DenominationUnknown { denomination: "3.00".into(), currency: usd };
    assert_eq!(till.put_lines(4, &opening, lines(&[("3.00", 1)], usd)), Some(&Err(unknown)));
    let twice = Refusal::DenominationTwice { denomination: "5.00".into() };
    assert_eq!(till.put_lines(5, &opening, lines(&[("5.00", 1), ("1.00", 1), ("5.00", 2)], usd)), Some(&Err(twice)));
    assert_eq!(till.put_lines(6, &opening, vec![]), Some(&Err(Refusal::NothingCounted)));
    assert_eq!(till.put_lines(7, &opening, lines(&[("100.00", u32::MAX)], usd)), Some(&Err(Refusal::Absurd)));
    for (op, minor) in [(8, -1), (9, 1_000_000_000_001), (10, i64::MAX)] {
        let total = Amount::from_minor(minor, currency(usd));
        till.when(Input::PutTotal { op, opening: opening.clone(), total });
        assert_eq!(till.reply(op), Some(&Err(Refusal::Absurd)));
    }
    assert_eq!((till.phase(), till.counts().len()), (Phase::Count, 0));
    till.put(11, &opening, "1.00");
    assert_eq!(till.phase(), Phase::Saving);
}

#[test]
fn a_count_needs_a_known_person_and_the_right_opening() {
    let mut till = Till::new();
    till.put(1, &id(9), "1.00");
    assert_eq!(till.reply(1), Some(&Err(Refusal::NoSuchOpening)));
    let opening = till.drawer_opens();
    till.put(2, &opening, "1.00");
    assert_eq!(till.reply(2), Some(&not_now("waiting for a staff number")));
    till.put(3, &id(9), "1.00");
    assert_eq!(till.reply(3), Some(&Err(Refusal::NoSuchOpening)));
    assert_eq!(till.cancel(4, &id(9)), &Err(Refusal::NoSuchOpening));
}

#[test]
fn a_cancelled_opening_is_over() {
    for typed in ["", "1042E", "1042E 15000E"] {
        let mut till = Till::new();
        let opening = till.drawer_opens();
        till.type_keys(typed);
        assert_eq!(till.cancel(1, &opening), &Ok(Reply::Cancelled));
        assert_eq!(till.records[1], (opening.clone(), Event::OpeningCancelled { why: "the POS gave up".into() }));
        assert_eq!((till.shows(), till.phase()), ("OPENING CANCELLED|REGISTER CLOSED", Phase::Idle));
        assert_eq!(till.cancel(2, &opening), &not_now("given up before it was counted"));
        till.put(3, &opening, "1.00");
        assert_eq!(till.reply(3), Some(&not_now("given up before it was counted")));
    }
}

#[test]
fn an_opening_of_the_api_is_given_up_in_time_as_well() {
    let mut till = Till::new();
    let opening = till.start(1, 5);
    till.seconds_pass(599);
    assert_eq!(till.phase(), Phase::Count);
    till.now += Duration::from_secs(1);
    till.put(2, &opening, "150.00");
    assert_eq!(till.reply(2), Some(&not_now("given up before it was counted")));
    assert_eq!(till.names(), ["opening.started", "opening.cancelled"]);
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_a_text_that_says_what_to_do() {
    let all = [
        Refusal::ShiftIsOpen,
        Refusal::Busy(id(1)),
        Refusal::NoSuchOpening,
        Refusal::NotInThisState { state: "being saved".into() },
        Refusal::UnknownStaff { id: "x".into() },
        Refusal::DenominationUnknown { denomination: "3.00".into(), currency: "USD" },
        Refusal::DenominationTwice { denomination: "5.00".into() },
        Refusal::NothingCounted,
        Refusal::WrongCurrency { given: "EUR", expected: "USD" },
        Refusal::Absurd,
        Refusal::DenominationsUnknown { currency: "KWD" },
        Refusal::NotSaved { why: "disk full".into() },
    ];
    let mut codes: Vec<_> = all.iter().map(Refusal::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all.len());
    assert!(all.iter().all(|refusal| refusal.to_string().contains(": ")));
}

//! What becomes of a slip.
use super::*;
use crate::device::profile::sample_printer;
use crate::{clock, config::Timing};

fn profile() -> PrinterProfile {
    sample_printer()
}

fn jobs(profile: &PrinterProfile) -> Jobs {
    Jobs::new(profile, Timing::default().print_proof, 6)
}

fn slip() -> Vec<Piece> {
    vec![b"\x1B@SHIFT START\n".to_vec(), b"TOTAL 200.00\n".to_vec()]
}

/// Adds a slip and hands out everything until its questions have left.
fn sent(jobs: &mut Jobs, number: u64, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    jobs.add(number, slip(), &mut out);
    assert_eq!(out, []);
    let mut bytes = Vec::new();
    while let Some(unit) = jobs.next(clock::now(), false) {
        bytes.extend(unit);
        jobs.left(now, false);
    }
    bytes
}

fn printed(job: u64, by: &'static str) -> DeviceEvent {
    DeviceEvent::Printed { job, outcome: PrintOutcome::Printed { by } }
}

fn not_proven(events: &[DeviceEvent]) -> bool {
    matches!(events, [DeviceEvent::Printed { outcome: PrintOutcome::NotProven { .. }, .. }])
}

#[test]
fn automatic_status_is_restored_behind_the_reset_and_the_questions_come_last() {
    let now = clock::now();
    let bytes = sent(&mut jobs(&profile()), 1, now);
    let mut expected = b"\x1B@SHIFT START\n\x1D\x61\x0FTOTAL 200.00\n\x1D\x61\x0F".to_vec();
    expected.extend_from_slice(b"\x1D(H\x06\x00000007"); // GS ( H, id 0007
    expected.extend_from_slice(b"\x1Dr\x01"); // GS r 1
    assert_eq!(bytes, expected);
}

#[test]
fn the_id_proves_it_and_the_earlier_short_answer_waits_for_it() {
    let mut jobs = jobs(&profile());
    sent(&mut jobs, 1, clock::now());
    let mut out = Vec::new();
    jobs.short_answer(clock::now(), None, &mut out);
    assert_eq!(out, []);
    jobs.id_answer(b"0006", &mut out);
    assert_eq!(out, [], "somebody else's id");
    jobs.id_answer(b"0007", &mut out);
    assert_eq!(out, [printed(1, "GS ( H")]);
    assert!(jobs.idle());
}

#[test]
fn a_printer_that_never_answers_ids_is_believed_by_its_short_answers() {
    let now = clock::now();
    let mut jobs = jobs(&profile());
    let mut out = Vec::new();
    sent(&mut jobs, 1, now);
    jobs.short_answer(clock::now(), None, &mut out);
    jobs.tick(now + Timing::default().print_proof, &mut out);
    assert_eq!(out, [printed(1, "GS r")]);
    // From now on at once.
    sent(&mut jobs, 2, now);
    jobs.short_answer(clock::now(), None, &mut out);
    assert_eq!(out[1..], [printed(2, "GS r")]);
}

#[test]
fn an_answer_that_is_owed_to_an_earlier_question_proves_nothing() {
    let no_ids = PrinterProfile { process_id: false, ..profile() };
    let mut jobs = jobs(&no_ids);
    let (now, hour) = (clock::now(), Duration::from_secs(3600));
    let mut out = Vec::new();
    sent(&mut jobs, 1, now);
    jobs.short_answer(clock::now(), Some("paper is out"), &mut out);
    assert_eq!(out, [], "processed is not printed while it stands still");
    assert_eq!(jobs.next(now, false), None, "not in a loop");
    assert_eq!(jobs.next(now + hour, false), Some(command::TRANSMIT_PAPER.to_vec()));
    jobs.short_answer(clock::now(), None, &mut out);
    assert_eq!(out, [printed(1, "GS r")]);
}

#[test]
fn no_time_out_runs_while_a_cause_is_reported_and_the_wait_is_said_once() {
    let mut jobs = jobs(&profile());
    let now = clock::now();
    let hour = Duration::from_secs(3600);
    let mut out = Vec::new();
    sent(&mut jobs, 1, now);
    jobs.readiness(now, Ready::No("paper is out"), &mut out);
    jobs.readiness(now, Ready::No("the cover is open"), &mut out);
    assert_eq!(out, [DeviceEvent::PrintWaits { job: 1, why: "paper is out".to_owned() }]);
    jobs.tick(now + hour, &mut out);
    assert_eq!((out.len(), jobs.wake_at()), (1, None));
    jobs.readiness(now + hour, Ready::Yes, &mut out);
    let due = now + hour + Timing::default().print_proof;
    assert_eq!(jobs.wake_at(), Some(due));
    jobs.tick(due, &mut out);
    assert!(not_proven(&out[1..]), "{out:?}");
}

#[test]
fn a_turn_comes_once_when_the_printer_is_ready_and_no_slip_is_under_way() {
    let now = clock::now();
    let mut jobs = jobs(&profile());
    let mut out = Vec::new();
    jobs.ask_turn(3);
    jobs.readiness(now, Ready::Soon, &mut out);
    assert_eq!(out, []);
    jobs.readiness(now, Ready::No("paper is out"), &mut out);
    jobs.readiness(now, Ready::No("the cover is open"), &mut out);
    assert_eq!(out, [DeviceEvent::PrintWaits { job: 3, why: "paper is out".to_owned() }], "said once");
    jobs.broke("unplugged", &mut out);
    jobs.readiness(now, Ready::Yes, &mut out);
    jobs.readiness(now, Ready::Yes, &mut out);
    assert_eq!(out[1..], [DeviceEvent::PrintTurn { job: 3 }]);

    sent(&mut jobs, 3, now);
    out.clear();
    jobs.ask_turn(4);
    jobs.readiness(now, Ready::Yes, &mut out);
    assert_eq!(out, [], "the one before is not over");
    jobs.id_answer(b"0007", &mut out);
    jobs.readiness(now, Ready::Yes, &mut out);
    assert_eq!(out, [printed(3, "GS ( H"), DeviceEvent::PrintTurn { job: 4 }]);
}

#[test]
fn a_slip_of_which_no_byte_left_waits_and_is_whole_later() {
    let mut jobs = jobs(&profile());
    let mut out = Vec::new();
    jobs.add(1, slip(), &mut out);
    let first = jobs.next(clock::now(), false);
    jobs.broke("unplugged", &mut out);
    assert_eq!(out, []);
    assert_eq!(jobs.next(clock::now(), false), first);
}

#[test]
fn a_slip_of_which_a_byte_left_is_never_sent_again() {
    for units in 1..=3 {
        let mut jobs = jobs(&profile());
        let mut out = Vec::new();
        jobs.add(1, slip(), &mut out);
        jobs.add(2, slip(), &mut out);
        for _ in 0..units {
            jobs.next(clock::now(), false);
            jobs.partly_left();
        }
        jobs.broke("unplugged", &mut out);
        assert!(not_proven(&out), "{out:?}");
        assert!(!jobs.begun(), "the next one waits from its beginning");
    }
}

#[test]
fn a_printer_that_cannot_confirm_is_not_waited_for() {
    let mute = PrinterProfile { asb: false, process_id: false, transmit_status: false, ..profile() };
    let mut jobs = jobs(&mute);
    let now = clock::now();
    assert_eq!(sent(&mut jobs, 1, now), b"\x1B@SHIFT START\nTOTAL 200.00\n");
    let mut out = Vec::new();
    jobs.tick(now, &mut out);
    assert!(not_proven(&out), "{out:?}");
}

#[test]
fn the_queue_has_an_end() {
    let mut jobs = jobs(&profile());
    let mut out = Vec::new();
    for number in 0..=32 {
        jobs.add(number, slip(), &mut out);
    }
    assert!(not_proven(&out), "{out:?}");
}

#[test]
fn ids_rise_and_start_over_after_9999() {
    assert_eq!((digits(7), digits(9999)), (*b"0007", *b"9999"));
    assert_eq!(Jobs::new(&profile(), Duration::ZERO, 9999).id, 1);
}

#[test]
fn a_contradiction_between_answer_and_status_is_asked_about_once_a_second() {
    let now = clock::now();
    let mut jobs = jobs(&PrinterProfile { process_id: false, ..profile() });
    let mut out = Vec::new();
    sent(&mut jobs, 1, now);
    jobs.short_answer(now, Some("paper is out"), &mut out);
    assert_eq!((jobs.next(now, false), jobs.ask_at()), (None, Some(now + ASK_AGAIN)));
    assert_eq!(jobs.next(now + ASK_AGAIN, false), Some(command::TRANSMIT_PAPER.to_vec()));
    assert_eq!(jobs.next(now + ASK_AGAIN, false), None);
    jobs.short_answer(now + ASK_AGAIN, None, &mut out);
    assert_eq!(out, [printed(1, "GS r")]);
}

#[test]
fn an_answer_amid_noise_is_asked_for_again_once() {
    let now = clock::now();
    let later = now + Duration::from_secs(1);
    let mut jobs = jobs(&PrinterProfile { process_id: false, ..profile() });
    sent(&mut jobs, 1, now);
    jobs.doubt(later);
    assert_eq!(jobs.next(now, false), None, "once the line is clean");
    assert_eq!(jobs.next(later, false), Some(command::TRANSMIT_PAPER.to_vec()));
    jobs.doubt(later);
    assert_eq!(jobs.next(later, false), None);
    let mut out = Vec::new();
    jobs.short_answer(later, None, &mut out);
    assert_eq!(out, [printed(1, "GS r")]);
}

#[test]
fn a_printer_that_never_said_anything_is_not_waited_for() {
    let now = clock::now();
    let mut jobs = jobs(&profile());
    let mut out = Vec::new();
    jobs.add(1, slip(), &mut out);
    while jobs.next(now, false).is_some() {
        jobs.left(now, true);
    }
    jobs.tick(now, &mut out);
    assert!(not_proven(&out), "{out:?}");
}

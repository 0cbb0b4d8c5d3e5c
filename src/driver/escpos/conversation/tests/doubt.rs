//! What is not believed, what proves nothing, and what is not waited for. Times are ms after the first question.
use super::*;

#[test]
fn noise_behind_a_block_in_the_same_read_casts_doubt_on_the_block() {
    let mut scene = Scene::ready();
    scene.at_ms(10).bytes(&[0x10, 0, 0, 0, 0xFE]);
    assert_eq!((scene.edges(), scene.drawer()), (vec![], DrawerState::Closed));
}

#[test]
fn a_printer_without_a_way_back_gets_its_slips_and_they_are_not_proven() {
    let mut scene = Scene::opened();
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(10_000);
    let bytes = scene.sent.concat();
    for piece in slip() {
        assert_eq!(bytes.windows(piece.len()).filter(|window| *window == piece).count(), 1, "whole and once");
    }
    assert!(matches!(scene.last_outcome(), Some(PrintOutcome::NotProven { .. })), "{:?}", scene.last_outcome());

    // One that did answer is only off, and one whose bytes make no sense has the wrong speed.
    for before in [&CLOSED[..], &[0xFF, 0xFE]] {
        let mut scene = Scene::opened();
        scene.bytes(before);
        scene.run_to_ms(4_500);
        if before == [0xFF, 0xFE] {
            scene.bytes(before);
        }
        scene.input(Input::Print { job: 1, pieces: slip() });
        scene.run_to_ms(5_100);
        assert_eq!(scene.last_outcome(), None);
        assert_eq!(scene.sent.concat().windows(11).filter(|w| *w == b"SHIFT START").count(), 0);
    }
}

#[test]
fn a_wire_that_speaks_up_amid_a_slip_does_not_reset_it() {
    let mut scene = Scene::opened();
    scene.run_to_ms(10_000);
    scene.sent.clear();
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(10_050);
    scene.bytes(&CLOSED);
    scene.run_to_ms(12_000);
    let text = scene.sent.concat();
    assert_eq!(text.windows(2).filter(|window| window == b"\x1B@").count(), 1, "the slip's own");
    assert!(!text.windows(8).any(|window| window == [0; 8]));
}

#[test]
fn lasting_noise_takes_the_level_with_it_and_does_not_spin() {
    let mut scene = Scene::ready();
    for ms in (100..6_000).step_by(100) {
        scene.run_to_ms(ms);
        scene.bytes(&[0xFF]);
    }
    assert!(matches!(scene.drawer(), DrawerState::Unknown { why } if why.contains("no sense")), "{:?}", scene.drawer());
    assert_eq!(scene.edges(), []);
}

#[test]
fn a_kick_whose_bytes_may_be_kept_is_withdrawn_when_nothing_is_heard() {
    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, Some(3_840), true);
    scene.bytes(&CLOSED);
    for answer in [0x16, 0x12, 0x12, 0x12] {
        scene.bytes(&[answer]);
    }
    // Switched off just now.
    scene.at_ms(5_000).kick();
    scene.run_to_ms(6_000);
    assert_eq!(scene.answers, [Ok(KickOutcome::NotProven)]);
    assert_eq!(scene.discarded, 1, "it must not open when the printer is switched on");
    // Nor may what is asked meanwhile pile up.
    scene.run_to_ms(30_000);
    assert!(scene.discarded > 3, "{}", scene.discarded);

    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, Some(3_840), true);
    scene.bytes(&CLOSED);
    for answer in [0x16, 0x12, 0x12, 0x12] {
        scene.bytes(&[answer]);
    }
    scene.at_ms(5_000).kick();
    scene.at_ms(5_100).bytes(&[0x16]);
    scene.run_to_ms(6_050);
    assert_eq!(scene.discarded, 0, "it was heard: the bytes have left");
}

#[test]
fn a_silent_connection_is_dropped_only_for_what_could_come_late() {
    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, None, true);
    scene.run_to_ms(60_000);
    assert_eq!(scene.discarded, 0, "another program may have it: opening it anew would be in vain");
    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, None, true);
    scene.bytes(&CLOSED);
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(60_000);
    assert_eq!(scene.discarded, 1);
    assert!(matches!(scene.last_outcome(), Some(PrintOutcome::NotProven { .. })), "{:?}", scene.last_outcome());
}

#[test]
fn a_network_gets_a_slip_in_pieces_too_so_a_kick_is_not_far_behind() {
    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, None, true);
    scene.bytes(&CLOSED);
    for answer in [0x16, 0x12, 0x12, 0x12] {
        scene.bytes(&[answer]);
    }
    scene.run_to_ms(100);
    scene.sent.clear();
    scene.input(Input::Print { job: 1, pieces: slip() });
    let before = scene.sent.concat().len();
    assert!(before < 200, "not whole at once: {before}");
    scene.kick();
    assert!(scene.sent.contains(&KICK.to_vec()));
}

#[test]
fn a_kick_amid_a_slip_is_never_called_jammed_and_what_opens_later_is_its_doing() {
    let mut scene = Scene::used();
    scene.run_to_ms(100);
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(110);
    scene.kick();
    for ms in [300, 500, 700, 900] {
        scene.run_to_ms(ms);
        scene.bytes(&CLOSED);
    }
    scene.run_to_ms(1_200);
    assert_eq!(scene.answers, [Ok(KickOutcome::NotProven)]);
    scene.bytes(&OPEN);
    assert_eq!(scene.edges(), [DrawerEvent::Opened(OpenedBy::Command)]);
}

#[test]
fn a_slow_printer_is_not_silent_amid_a_slip_before_its_proof_is_overdue() {
    let mut scene = Scene::ready();
    scene.run_to_ms(14_900);
    scene.input(Input::Print { job: 1, pieces: slip() });
    // The poll at 15 s and the next ones are not answered: it prints.
    scene.run_to_ms(20_000);
    assert_eq!(scene.last_outcome(), None);
    assert_eq!(scene.drawer(), DrawerState::Closed);
    scene.bytes(&[0x37, 0x22, b'0', b'0', b'0', b'1', 0]);
    assert_eq!(scene.last_outcome(), Some(&PrintOutcome::Printed { by: "GS ( H" }));
}

#[test]
fn noise_proves_no_slip_and_the_question_is_put_again() {
    let no_ids = PrinterProfile { process_id: false, ..profile() };
    let mut scene = Scene::opened_with(no_ids, Sense::LowIsOpen, Some(3_840), false);
    scene.bytes(&CLOSED);
    for answer in [0x16, 0x12, 0x12, 0x12] {
        scene.bytes(&[answer]);
    }
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(2_000);
    scene.bytes(&[0x60]);
    assert_eq!(scene.last_outcome(), None, "no answer to GS r has these bits");
    scene.bytes(&[0x00, 0xFF]);
    scene.bytes(&[0x00]);
    assert_eq!(scene.last_outcome(), None, "noise");
    let asked = scene.count(&[0x1D, 0x72, 1]);
    scene.run_to_ms(3_100);
    assert_eq!(scene.count(&[0x1D, 0x72, 1]), asked + 1);
    scene.bytes(&[0x00]);
    assert_eq!(scene.last_outcome(), Some(&PrintOutcome::Printed { by: "GS r" }));
}

#[test]
fn answers_that_were_held_back_are_not_taken_for_later_questions() {
    let mut scene = Scene::opened();
    // Paper near its end would be 1E; these are three answers to DLE EOT 1 that came at once.
    scene.bytes(&[0x16]);
    scene.run_to_ms(5);
    scene.bytes(&[0x16, 0x16, 0x16]);
    assert_eq!(scene.sent.last(), Some(&ASK_LEVEL.to_vec()), "nothing new is asked before the line is quiet");
    assert_eq!(scene.sent.len(), 3);
    scene.run_to_ms(100);
    scene.bytes(&[0x1E]);
    scene.run_to_ms(250);
    assert_eq!((scene.status().paper, scene.sent.len()), (None, 4), "and then the same once more");
    assert_eq!(scene.sent.last(), Some(&ASK_LEVEL.to_vec()));
}

#[test]
fn what_an_offline_printer_said_of_the_drawer_grows_old_but_its_slip_waits() {
    let mut scene = Scene::opened_with(profile(), Sense::LowIsOpen, Some(3_840), true);
    scene.bytes(&CLOSED);
    for answer in [0x16, 0x12, 0x12, 0x12] {
        scene.bytes(&[answer]);
    }
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.run_to_ms(30);
    scene.bytes(&PAPER_OUT);
    scene.run_to_ms(60_000);
    assert!(matches!(scene.drawer(), DrawerState::Unknown { .. }), "nothing answers: {:?}", scene.drawer());
    assert_eq!((scene.status().paper, scene.last_outcome()), (Some(Paper::Out), None));
    scene.bytes(&CLOSED);
    scene.run_to_ms(62_000);
    scene.bytes(&[0x37, 0x22, b'0', b'0', b'0', b'1', 0]);
    assert_eq!(scene.last_outcome(), Some(&PrintOutcome::Printed { by: "GS ( H" }));
    assert_eq!(scene.edges(), []);
}

#[test]
fn a_printer_that_was_off_and_on_behind_its_adapter_gets_a_new_baseline_and_automatic_status() {
    // Its XON, or that it is online again, tells; and the drawer's line may have jumped meanwhile.
    for sign in [&[0x11][..], &[0x1C, 0, 0, 0]] {
        let mut scene = Scene::ready();
        scene.at_ms(1_000).bytes(sign);
        scene.bytes(&OPEN);
        assert_eq!((scene.edges(), scene.drawer()), (vec![], DrawerState::Open), "{sign:02X?}");
        assert_eq!(scene.count(&[0, 0, 0, 0, 0, 0, 0, 0, 0x1D, 0x61, 0x0F]), 1, "{sign:02X?}");
        scene.at_ms(2_000).bytes(&CLOSED);
        assert_eq!(scene.edges().len(), 1, "and from there on edges are edges");
    }
}

#[test]
fn automatic_status_that_failed_once_is_trusted_again_and_polled_if_it_fails_twice() {
    let mut scene = Scene::ready();
    let miss = |scene: &mut Scene, level: u8| {
        let (before, start) = (scene.edges().len(), scene.start);
        while scene.edges().len() == before {
            scene.now = scene.printer.wake_at().unwrap().max(scene.now);
            scene.input(Input::Tick);
            if scene.sent.pop() == Some(ASK_LEVEL.to_vec()) {
                scene.bytes(&[level]);
            }
        }
        scene.start = start;
    };
    miss(&mut scene, 0x12);
    scene.bytes(&OPEN);
    wakes_in_a_minute(&mut scene, true, 0x12);
    assert!(wakes_in_a_minute(&mut scene, true, 0x12) < 20, "a block lost on the wire");
    miss(&mut scene, 0x16);
    scene.bytes(&CLOSED);
    wakes_in_a_minute(&mut scene, true, 0x16);
    assert!(wakes_in_a_minute(&mut scene, true, 0x16) > 30, "it tells only once");
}

#[test]
fn a_pulse_of_which_a_part_left_counts_as_left_when_its_answer_is_due() {
    let mut scene = Scene::ready();
    let out = scene.printer.kick(scene.now);
    assert!(out.contains(&Does::Write(KICK.to_vec())));
    scene.input(Input::Partly);
    scene.run_to_ms(1_000);
    assert_eq!(scene.answers, [Ok(KickOutcome::NotProven)]);
    // The rest of it is nobody's pulse any more.
    scene.input(Input::Left);
    assert_eq!(scene.answers.len(), 1);
}

#[test]
fn when_frames_pile_up_the_one_that_sets_the_display_up_and_the_last_one_stay() {
    let mut scene = Scene::ready();
    scene.run_to_ms(100);
    scene.blocked = true;
    scene.input(Input::PassThrough(b"held".to_vec()));
    for frame in 0..20_u8 {
        scene.input(Input::PassThrough(vec![b'A' + frame]));
    }
    scene.blocked = false;
    let held = scene.returned.take().unwrap();
    scene.input(Input::Writable);
    scene.run_to_ms(1_000);
    let text = scene.sent.concat();
    assert!(held.windows(4).any(|window| window == b"held"));
    for (frame, shown) in [(b'A', true), (b'B', false), (b'T', true)] {
        assert_eq!(text.windows(4).any(|w| w == [b'=', 2, frame, 0x1B]), shown, "{}", char::from(frame));
    }
}

#[test]
fn whoever_asks_late_when_to_come_is_told_all_the_same() {
    let mut scene = Scene::ready();
    scene.run_to_ms(100);
    scene.input(Input::Print { job: 1, pieces: slip() });
    let due = scene.printer.wake_at().expect("the wire is busy");
    assert!(due < scene.now + Duration::from_millis(50));
    scene.now = due + Duration::from_secs(1);
    assert_eq!(scene.printer.wake_at(), Some(due), "the rest of the slip waits");
}

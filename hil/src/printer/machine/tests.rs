use super::*;
use proptest::prelude::*;

/// What a host could see or hold in its hands.
#[derive(Debug, PartialEq)]
struct Outcome {
    paper: String,
    answers: Vec<u8>,
    warnings: Vec<Warning>,
    kicks: Vec<(u8, u64, bool)>,
    lost_at_the_end: bool,
}

/// Runs a stream through a printer whose paper ends after some lines and is changed when the stream is over.
fn outcome(lines_left: Option<u32>, pieces: &[&[u8]], now: Instant) -> Outcome {
    let mut machine = Machine::new(PrinterSpec::default());
    machine.lines_left = lines_left;
    for piece in pieces {
        machine.receive(now, piece);
    }
    machine.paper = Paper::Ok;
    machine.lines_left = None;
    machine.changed();
    machine.run(now);
    let cut: String = machine.pieces.iter().map(|printed| printed.piece.text() + "----\n").collect();
    Outcome {
        paper: cut + &machine.head.text(),
        answers: machine.answers,
        warnings: machine.warnings,
        kicks: machine.kicks.iter().map(|kick| (kick.pin, kick.offset, kick.realtime)).collect(),
        lost_at_the_end: machine.losing,
    }
}

/// Whole commands, halves of commands, text and noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: &[&[u8]] = &[
        b"FLOAT 200.00\n",
        b"\n",
        b"\x1B@",
        b"\x1Da\x0F",
        b"\x1Da\x00",
        b"\x10\x04\x01",
        b"\x10\x04\x04",
        b"\x10\x14\x01\x00\x01",
        b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
        b"\x1Dr\x01",
        b"\x1Dr\x02",
        b"\x1D(H\x06\x00000001",
        b"\x1Bp\x00\x19\xFA",
        b"\x1Bp\x00",
        b"\x1Bp\x02\x19\xFA",
        b"\x1Dv0\x00\x01\x00\x04\x00\x10\x04\x01\xFF",
        b"\x1D(k\x05\x001P0ab",
        b"\x1D(k\x03\x001Q0",
        b"\x1DVB\x00",
        b"\x1B=\x02",
        b"\x1B=\x01",
        b"\x10",
        b"\x10\x04",
        b"\x1D",
        b"\x1BZ",
    ];
    prop_oneof![
        8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..12),
        // More than the buffer takes, so that bytes are lost while the paper is out.
        1 => Just(b"0123456\n".repeat(300)),
    ]
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_paper_answers_and_warnings(
        stream in prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        lines_left in prop::option::of(1_u32..6),
    ) {
        let now = crate::line::now();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let split: Vec<&[u8]> = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        let whole = outcome(lines_left, &[&stream], now);
        prop_assert_eq!(&outcome(lines_left, &split, now), &whole);
        prop_assert_eq!(&outcome(lines_left, &bytewise, now), &whole);
    }
}

#[test]
fn a_short_kick_is_reported_after_two_seconds_on_an_idle_wire_and_not_before() {
    let start = crate::line::now();
    let mut machine = Machine::new(PrinterSpec::default());
    machine.receive(start, b"\x1Bp\x00");
    machine.tick(start + SHORT_KICK - Duration::from_millis(1), 0);
    assert_eq!(machine.warnings, []);
    // Its rest may be among the bytes that were not read yet.
    machine.tick(start + SHORT_KICK, 2);
    assert_eq!(machine.warnings, []);
    machine.tick(start + SHORT_KICK * 2, 0);
    machine.tick(start + SHORT_KICK * 3, 0);
    assert_eq!(machine.warnings.len(), 1);
    assert_eq!(machine.next_wake(), None);
}

#[test]
fn a_kick_whose_rest_comes_late_is_a_kick() {
    let start = crate::line::now();
    let mut machine = Machine::new(PrinterSpec::default());
    machine.receive(start, b"\x1Bp\x00");
    machine.receive(start + Duration::from_millis(1_900), b"\x19\xFA");
    machine.tick(start + SHORT_KICK, 0);
    assert_eq!((machine.kicks.len(), machine.warnings.len()), (1, 0));
}

#[test]
fn a_real_time_command_that_found_no_room_leaves_no_trace_in_what_follows() {
    let now = crate::line::now();
    let mut machine = Machine::new(PrinterSpec::default());
    machine.paper = Paper::Out;
    // Two of its three bytes fit.
    machine.receive(now, &b"x".repeat(BUFFER - 2));
    machine.receive(now, b"\x10\x04\x01\x10\x04\x01");
    assert_eq!(machine.answers, [0x1E, 0x1E]);
    machine.paper = Paper::Ok;
    machine.run(now);
    machine.receive(now, b"\ny\n\x10\x04\x01");
    let lost: Vec<u64> = machine.warnings.iter().map(|warning| warning.offset).collect();
    assert_eq!(lost, [BUFFER as u64], "{:?}", machine.warnings);
    assert!(machine.head.text().ends_with("x\ny\n"));
    assert!(machine.dle_done.is_empty() || machine.buffer.is_empty());
}

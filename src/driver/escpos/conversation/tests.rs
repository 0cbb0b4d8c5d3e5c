//! Scenes on a printer's line, byte by byte. Times are ms after the port was opened.
mod doubt;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::device::profile::sample_printer;
use crate::{
    clock,
    config::{self, Flow, Port, Sense},
    device::{DrawerEvent, DrawerState, KickOutcome, KickRefused, Link, OpenedBy, Paper, PrintOutcome},
    driver::escpos::{Output as Does, Printer},
};

/// Idle, drawer line HIGH (closed) and LOW (open).
const CLOSED: [u8; 4] = [0x14, 0, 0, 0];
const OPEN: [u8; 4] = [0x10, 0, 0, 0];
/// Offline, paper end.
const PAPER_OUT: [u8; 4] = [0x1C, 0, 0x0F, 0];
const ASK_LEVEL: [u8; 3] = [0x10, 0x04, 1];
const KICK: [u8; 5] = [0x1B, 0x70, 0, 50, 250];

fn profile() -> PrinterProfile {
    PrinterProfile { identity_text: false, ..sample_printer() }
}

struct Scene {
    printer: Printer,
    start: Instant,
    now: Instant,
    /// What was handed to the kernel, unit by unit.
    sent: Vec<Vec<u8>>,
    events: Vec<DeviceEvent>,
    answers: Vec<Result<KickOutcome, KickRefused>>,
    /// The kernel takes nothing.
    blocked: bool,
    returned: Option<Vec<u8>>,
    /// How often the kernel was told to throw away what it had not sent.
    discarded: usize,
}

impl Scene {
    fn unopened(profile: PrinterProfile, sense: Sense) -> Self {
        let port = Port::Serial { path: "/dev/ttyUSB0".into(), baud: 38_400, flow: Flow::None };
        let printer = config::Printer { profile, port };
        let drawer = config::Drawer { pin: Pin::Two, sense, left_open_after: Duration::from_secs(300) };
        let start = clock::now();
        Self {
            printer: Printer::new(start, &printer, Some(&drawer), Timing::default(), 0),
            start,
            now: start,
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            blocked: false,
            returned: None,
            discarded: 0,
        }
    }
    fn opened() -> Self {
        Self::opened_with(profile(), Sense::LowIsOpen, Some(3_840), false)
    }
    /// The port is open, and the first question just went out: that is when times begin.
    fn opened_with(profile: PrinterProfile, sense: Sense, bytes_per_second: Option<u64>, keeps_bytes: bool) -> Self {
        let mut scene = Self::unopened(profile, sense);
        scene.plug(bytes_per_second, keeps_bytes);
        scene.until_asked();
        scene
    }
    fn until_asked(&mut self) {
        while self.sent.last() != Some(&ASK_LEVEL.to_vec()) {
            self.now = self.printer.wake_at().expect("it wants to ask").max(self.now);
            self.input(Input::Tick);
        }
        self.start = self.now;
    }
    /// As [`Self::ready`], and the drawer's line was seen to move.
    fn used() -> Self {
        let mut scene = Self::ready();
        scene.bytes(&OPEN);
        scene.at_ms(200).bytes(&CLOSED);
        scene.at_ms(400).input(Input::Tick);
        scene.start = scene.now;
        scene.sent.clear();
        scene.events.clear();
        scene
    }
    /// Everything was asked and answered: closed, fine, automatic status proven.
    fn ready() -> Self {
        let mut scene = Self::opened();
        scene.bytes(&CLOSED);
        for answer in [0x16, 0x12, 0x12, 0x12] {
            scene.bytes(&[answer]);
        }
        scene.sent.clear();
        scene.events.clear();
        scene
    }
    fn plug(&mut self, bytes_per_second: Option<u64>, keeps_bytes: bool) {
        self.input(Input::Opened { port: "/dev/ttyUSB0", bytes_per_second, keeps_bytes });
    }
    fn at_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.start + Duration::from_millis(ms);
        self
    }
    fn input(&mut self, input: Input<'_>) {
        let out = self.printer.handle(self.now, input);
        self.carry_out(out);
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }
    fn kick(&mut self) {
        let out = self.printer.kick(self.now);
        self.carry_out(out);
    }
    fn carry_out(&mut self, out: Vec<Does>) {
        for does in out {
            match does {
                Does::Write(bytes) if self.blocked => {
                    self.returned = Some(bytes.clone());
                    self.input(Input::Refused(bytes));
                }
                Does::Write(bytes) => {
                    self.sent.push(bytes);
                    self.input(Input::Left);
                }
                Does::Event(event) => self.events.push(event),
                Does::Answer(answer) => self.answers.push(answer),
                Does::Refuse(why) => self.answers.push(Err(why)),
                Does::Discard => {
                    self.discarded += 1;
                    self.returned = None;
                }
                Does::Stuck => self.input(Input::Lost("stuck")),
            }
        }
    }
    /// Time passes in the steps that the machine asks for, until `ms`.
    fn run_to_ms(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        let mut steps = 0;
        while let Some(wake) = self.printer.wake_at().filter(|wake| *wake <= end) {
            self.now = wake.max(self.now);
            self.input(Input::Tick);
            steps += 1;
            assert!(steps < 100_000, "it wakes up without end");
        }
        self.now = end;
    }
    fn edges(&self) -> Vec<DrawerEvent> {
        let edge = |event: &DeviceEvent| {
            let DeviceEvent::Drawer(edge @ (DrawerEvent::Opened(_) | DrawerEvent::Closed { .. })) = event else {
                return None;
            };
            Some(edge.clone())
        };
        self.events.iter().filter_map(edge).collect()
    }
    fn drawer(&self) -> DrawerState {
        match self.printer.drawer_state() {
            Some(DeviceEvent::Drawer(DrawerEvent::State(state))) => state,
            other => panic!("{other:?}"),
        }
    }
    fn status(&self) -> &PrinterStatus {
        let status = |event: &'_ DeviceEvent| matches!(event, DeviceEvent::Printer(_));
        match self.events.iter().rfind(|event| status(event)) {
            Some(DeviceEvent::Printer(status)) => status,
            _ => panic!("no status was said"),
        }
    }
    fn count(&self, unit: &[u8]) -> usize {
        self.sent.iter().filter(|sent| *sent == unit).count()
    }
    fn last_outcome(&self) -> Option<&PrintOutcome> {
        let outcome = |event: &'_ DeviceEvent| matches!(event, DeviceEvent::Printed { .. });
        match self.events.iter().rfind(|event| outcome(event)) {
            Some(DeviceEvent::Printed { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }
}

fn slip() -> Vec<Piece> {
    (0..10).map(|n| if n == 0 { b"\x1B@SHIFT START\n".to_vec() } else { vec![b'a' + n; 64] }).collect()
}

#[test]
fn at_the_beginning_leftovers_are_flushed_and_one_question_is_asked_at_a_time() {
    // The run before may have been killed amid a slip: a command may be half-sent, and a line half-printed.
    let mut scene = Scene::opened();
    let first = [vec![0; 256], b"\x1B@".to_vec(), vec![0x1D, 0x61, 0x0F]].concat();
    assert_eq!(scene.sent, [first, vec![0x10, 0x04, 1]]);
    scene.bytes(&[0x16]);
    scene.run_to_ms(5);
    assert_eq!(scene.sent.last(), Some(&vec![0x10, 0x04, 1]), "the level is asked for twice");
    scene.bytes(&[0x16]);
    assert_eq!(scene.sent.last(), Some(&vec![0x10, 0x04, 2]));
}

#[test]
fn the_first_block_is_a_baseline_and_changes_are_edges_at_once() {
    let mut scene = Scene::opened();
    scene.bytes(&OPEN);
    assert_eq!((scene.drawer(), scene.edges()), (DrawerState::Open, vec![]));
    scene.at_ms(1_000).bytes(&CLOSED);
    scene.at_ms(2_000).bytes(&OPEN);
    let closed = DrawerEvent::Closed { after: Duration::from_secs(1) };
    assert_eq!(scene.edges(), [closed, DrawerEvent::Opened(OpenedBy::Key)]);
}

#[test]
fn a_polled_level_counts_when_it_was_said_twice() {
    let mut scene = Scene::opened_with(PrinterProfile { asb: false, ..profile() }, Sense::LowIsOpen, Some(3_840), false);
    scene.bytes(&[0x16]);
    assert!(matches!(scene.drawer(), DrawerState::Unknown { .. }));
    scene.run_to_ms(5);
    scene.bytes(&[0x16]);
    assert_eq!(scene.drawer(), DrawerState::Closed);
}

#[test]
fn silence_is_unknown_and_never_closed() {
    let mut scene = Scene::opened();
    scene.run_to_ms(60_000);
    assert!(matches!(scene.drawer(), DrawerState::Unknown { why } if why.contains("does not answer")));
    assert!(matches!(&scene.status().link, Link::Down { why } if why.contains("baud")));
    // It is switched on: everything is asked anew, and the first level is a baseline.
    scene.sent.clear();
    scene.bytes(&OPEN);
    assert_eq!((scene.drawer(), scene.edges()), (DrawerState::Open, vec![]));
    assert!(scene.sent.iter().any(|unit| unit.ends_with(&[0x1D, 0x61, 0x0F])));
    assert_eq!(scene.status().link, Link::Up);
}

#[test]
fn a_printer_that_falls_silent_takes_what_was_known_with_it() {
    let mut scene = Scene::ready();
    scene.run_to_ms(30_000);
    assert!(matches!(scene.drawer(), DrawerState::Unknown { .. }));
    assert_eq!(scene.edges(), []);
    scene.bytes(&OPEN);
    assert_eq!((scene.drawer(), scene.edges()), (DrawerState::Open, vec![]), "it was opened while nobody could see");
}

/// Wake-ups within a minute: for timers, and for answers, if there are any. The level stays where it is.
fn wakes_in_a_minute(scene: &mut Scene, answers: bool, level: u8) -> u32 {
    let end = scene.now + Duration::from_secs(60);
    let mut wakes = 0;
    while let Some(wake) = scene.printer.wake_at().filter(|wake| *wake <= end) {
        scene.now = wake.max(scene.now);
        scene.input(Input::Tick);
        wakes += 1;
        while let Some(n) = scene.sent.pop() {
            if let [0x10, 0x04, n] = n[..]
                && answers
            {
                scene.bytes(&[if n == 1 { level } else { 0x12 }]);
                wakes += 1;
            }
        }
        assert!(wakes < 1_000, "it spins");
    }
    wakes
}

#[test]
fn an_idle_till_wakes_up_rarely() {
    let wakes = wakes_in_a_minute(&mut Scene::ready(), true, 0x16);
    assert!((8..=12).contains(&wakes), "it polls all the same: {wakes}");
}

#[test]
fn a_printer_that_must_be_polled_or_is_off_wakes_the_daemon_less_than_once_a_second() {
    let polled = || Scene::opened_with(PrinterProfile { asb: false, ..profile() }, Sense::LowIsOpen, Some(3_840), false);
    let mut scene = polled();
    wakes_in_a_minute(&mut scene, true, 0x16);
    assert_eq!(scene.drawer(), DrawerState::Closed);
    let wakes = wakes_in_a_minute(&mut scene, true, 0x16);
    assert!((30..=54).contains(&wakes), "{wakes}");

    let mut scene = polled();
    wakes_in_a_minute(&mut scene, false, 0);
    let wakes = wakes_in_a_minute(&mut scene, false, 0);
    assert!((12..=40).contains(&wakes), "off: {wakes}");

    let no_asb = PrinterProfile { asb: false, ..profile() };
    let mut scene = Scene::opened_with(no_asb, Sense::NoSensor, Some(3_840), false);
    wakes_in_a_minute(&mut scene, true, 0x16);
    let wakes = wakes_in_a_minute(&mut scene, true, 0x16);
    assert!((8..=24).contains(&wakes), "nobody asks for its level: {wakes}");
}

#[test]
fn a_kick_is_five_bytes_in_one_write_and_is_answered_by_the_line() {
    let mut scene = Scene::ready();
    scene.kick();
    assert_eq!(scene.sent, [vec![0x1B, 0x70, 0x00, 50, 250]]);
    scene.at_ms(30).bytes(&OPEN);
    assert_eq!(scene.answers, [Ok(KickOutcome::Opened)]);
    assert_eq!(scene.edges(), [DrawerEvent::Opened(OpenedBy::Command)]);
}

#[test]
fn a_display_in_front_is_deselected_in_the_same_write() {
    let mut scene = Scene::unopened(PrinterProfile { pass_through: true, ..profile() }, Sense::LowIsOpen);
    scene.plug(Some(3_840), false);
    scene.bytes(&CLOSED);
    scene.kick();
    assert_eq!(scene.sent.last(), Some(&vec![0x1B, 0x3D, 0x01, 0x1B, 0x70, 0x00, 50, 250]));
}

#[test]
fn a_jammed_drawer_is_looked_at_until_the_answer_is_due() {
    let mut scene = Scene::used();
    scene.kick();
    let due = 1_000;
    for ms in (50..due).step_by(50) {
        let asked = scene.count(&[0x10, 0x04, 1]);
        scene.run_to_ms(ms);
        if scene.count(&[0x10, 0x04, 1]) > asked {
            scene.bytes(&[0x16]);
        }
    }
    scene.run_to_ms(due);
    assert_eq!(scene.answers, [Ok(KickOutcome::Jammed)]);
    assert_eq!(scene.drawer(), DrawerState::Jammed);
}

#[test]
fn a_kick_that_nobody_answers_is_not_proven_on_a_plain_wire_and_refused_where_bytes_are_kept() {
    let mut scene = Scene::opened();
    scene.run_to_ms(10_000);
    scene.kick();
    scene.run_to_ms(11_000);
    assert_eq!(scene.answers, [Ok(KickOutcome::NotProven)]);

    let mut scene = Scene::unopened(profile(), Sense::LowIsOpen);
    scene.plug(None, true);
    scene.kick();
    scene.run_to_ms(10_000);
    scene.kick();
    assert!(scene.answers.iter().all(|answer| matches!(answer, Err(KickRefused::Unreachable(_)))), "{:?}", scene.answers);
    assert_eq!((scene.answers.len(), scene.count(&[0x1B, 0x70, 0, 50, 250])), (2, 0));
}

#[test]
fn a_printer_that_is_offline_would_open_the_drawer_later_so_it_is_not_kicked() {
    let mut scene = Scene::ready();
    scene.bytes(&PAPER_OUT);
    scene.kick();
    assert!(matches!(&scene.answers[..], [Err(KickRefused::Unreachable(why))] if why.contains("paper")));
    assert_eq!(scene.count(&[0x1B, 0x70, 0, 50, 250]), 0);
}

#[test]
fn a_pulse_that_cannot_leave_is_withdrawn_and_never_comes_late() {
    let mut scene = Scene::ready();
    scene.blocked = true;
    scene.kick();
    assert_eq!(scene.returned.as_deref(), Some(&[0x1B, 0x70, 0, 50, 250][..]));
    scene.run_to_ms(1_000);
    assert!(matches!(&scene.answers[..], [Err(KickRefused::Unreachable(_))]));
    scene.blocked = false;
    scene.input(Input::Writable);
    assert_eq!(scene.count(&[0x1B, 0x70, 0, 50, 250]), 0);
}

#[test]
fn a_slip_keeps_at_most_a_piece_ahead_of_the_wire_and_a_kick_goes_in_between() {
    let mut scene = Scene::ready();
    scene.run_to_ms(100);
    scene.input(Input::Print { job: 1, pieces: slip() });
    assert_eq!(scene.sent.len(), 1, "one piece, the wire is busy now");
    scene.run_to_ms(120);
    let before = scene.sent.len();
    assert!(before < 5);
    scene.kick();
    assert_eq!(scene.sent.last(), Some(&vec![0x1B, 0x70, 0, 50, 250]));
    scene.run_to_ms(1_000);
    let bytes = scene.sent.concat();
    for piece in slip() {
        assert_eq!(bytes.windows(piece.len()).filter(|window| *window == piece).count(), 1, "whole and once");
    }
    scene.bytes(&[0x37, 0x22, b'0', b'0', b'0', b'1', 0]);
    assert_eq!(scene.last_outcome(), Some(&PrintOutcome::Printed { by: "GS ( H" }));
}

#[test]
fn bytes_for_the_display_go_in_between_too_and_select_the_printer_again() {
    let mut scene = Scene::ready();
    scene.run_to_ms(100);
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.input(Input::PassThrough(b"HELLO".to_vec()));
    scene.run_to_ms(130);
    assert_eq!(scene.sent[1], b"\x1B=\x02HELLO\x1B=\x01");
}

#[test]
fn paper_out_amid_a_slip_waits_and_goes_on_by_itself() {
    let mut scene = Scene::ready();
    scene.run_to_ms(100);
    scene.input(Input::Print { job: 7, pieces: slip() });
    scene.run_to_ms(110);
    scene.bytes(&PAPER_OUT);
    let before = scene.sent.concat().len();
    // A day without anybody: the polls are answered (offline, cover fine, no error, paper end).
    scene.now = scene.start + Duration::from_secs(86_400);
    scene.bytes(&PAPER_OUT);
    let waits: Vec<_> = scene.events.iter().filter(|event| matches!(event, DeviceEvent::PrintWaits { .. })).collect();
    assert!(matches!(waits[..], [DeviceEvent::PrintWaits { job: 7, why }] if why.contains("paper")), "{waits:?}");
    assert_eq!((scene.status().paper, scene.last_outcome()), (Some(Paper::Out), None));
    assert!(scene.sent.concat().len() < before + 64, "no piece was sent meanwhile");
    scene.bytes(&CLOSED);
    scene.run_to_ms(86_400_000 + 1_000);
    scene.bytes(&[0x37, 0x22, b'0', b'0', b'0', b'1', 0]);
    assert_eq!(scene.last_outcome(), Some(&PrintOutcome::Printed { by: "GS ( H" }));
    let bytes = scene.sent.concat();
    for piece in slip() {
        assert_eq!(bytes.windows(piece.len()).filter(|window| *window == piece).count(), 1, "whole and once");
    }
}

#[test]
fn an_unplugged_slip_is_over_the_next_one_waits_and_the_printer_is_cleaned_up_first() {
    let mut scene = Scene::ready();
    scene.input(Input::Print { job: 1, pieces: slip() });
    scene.input(Input::Print { job: 2, pieces: slip() });
    scene.run_to_ms(50);
    scene.input(Input::Lost("unplugged"));
    assert!(matches!(scene.last_outcome(), Some(PrintOutcome::NotProven { why }) if why.contains("unplugged")));
    assert!(matches!(scene.drawer(), DrawerState::Unknown { .. }));
    scene.sent.clear();
    scene.plug(Some(3_840), false);
    let first = &scene.sent[0];
    assert!(first.starts_with(&[0; 256]) && first[256..].starts_with(b"\x1B@"));
    scene.run_to_ms(100);
    scene.bytes(&CLOSED);
    scene.run_to_ms(2_000);
    let text = scene.sent.concat();
    assert_eq!(text.windows(11).filter(|window| *window == b"SHIFT START").count(), 1, "only the second slip");
}

#[test]
fn automatic_status_that_was_switched_off_is_noticed_by_the_poll() {
    let mut scene = Scene::ready();
    scene.run_to_ms(15_000);
    assert_eq!(scene.sent.last(), Some(&vec![0x10, 0x04, 1]));
    scene.bytes(&[0x12]);
    assert_eq!(scene.edges(), [], "asked twice");
    scene.run_to_ms(15_005);
    scene.bytes(&[0x12]);
    assert_eq!(scene.edges(), [DrawerEvent::Opened(OpenedBy::Key)]);
    assert_eq!(scene.count(&[0x1D, 0x61, 0x0F]), 1, "and it is switched on again");
}

#[test]
fn a_block_after_noise_is_asked_about_before_it_is_believed() {
    let mut scene = Scene::ready();
    scene.at_ms(10).bytes(&[0xFF]);
    scene.bytes(&OPEN);
    assert_eq!(scene.edges(), []);
    for _ in 0..4 {
        scene.run_to_ms(u64::try_from(scene.now.duration_since(scene.start).as_millis()).unwrap() + 200);
        match scene.sent.pop() {
            Some(unit) if unit == [0x10, 0x04, 1] => scene.bytes(&[0x12]),
            Some(_) | None => {}
        }
    }
    assert_eq!(scene.edges(), [DrawerEvent::Opened(OpenedBy::Key)]);
}

proptest! {
    #[test]
    fn noise_never_becomes_an_edge(bursts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_u64..5), 1..30)) {
        let mut scene = Scene::ready();
        let mut ms = 5;
        for (mut burst, pause) in bursts {
            ms += pause;
            scene.run_to_ms(ms);
            burst.push(0xFE);
            scene.bytes(&burst);
        }
        prop_assert_eq!(scene.edges(), vec![]);
    }

    #[test]
    fn any_split_of_the_line_tells_the_same_story(cuts in prop::collection::vec(1_usize..6, 1..20)) {
        let stream = [CLOSED, OPEN, OPEN, PAPER_OUT, CLOSED].concat();
        let mut whole = Scene::ready();
        whole.at_ms(200).bytes(&stream);
        let mut parts = Scene::ready();
        parts.at_ms(200);
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            parts.bytes(head);
            rest = tail;
        }
        prop_assert_eq!(parts.edges(), whole.edges());
        prop_assert_eq!(parts.drawer(), whole.drawer());
    }
}

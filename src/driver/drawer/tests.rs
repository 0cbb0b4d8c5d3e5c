//! Scenes at a drawer.
use super::*;
use crate::device::profile::sample_printer;
use crate::{clock, config::Pin};

struct Scene {
    drawer: Drawer,
    start: Instant,
    now: Instant,
}

fn profile() -> PrinterProfile {
    sample_printer()
}

impl Scene {
    fn with(sense: Sense) -> Self {
        let drawer = config::Drawer { pin: Pin::Two, sense, left_open_after: Duration::from_secs(300) };
        let start = clock::now();
        Self { drawer: Drawer::new(&drawer, &profile(), &Timing::default()), start, now: start }
    }
    /// Wired so that LOW is open, and read as closed.
    fn closed() -> Self {
        let mut scene = Self::with(Sense::LowIsOpen);
        assert_eq!(scene.high(), [state(DrawerState::Closed)]);
        scene
    }
    /// The same, and the line was seen to move before.
    fn used() -> Self {
        let mut scene = Self::closed();
        assert_eq!(scene.low(), opened(OpenedBy::Key));
        scene.at_ms(1_000).when(Input::Tick);
        assert_eq!(scene.high(), closed_after_ms(1_000));
        scene.at_ms(2_000).when(Input::Tick);
        scene.start = scene.now;
        scene
    }
    fn at_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.start + Duration::from_millis(ms);
        self
    }
    fn when(&mut self, input: Input) -> Vec<Output> {
        self.drawer.handle(self.now, input)
    }
    fn high(&mut self) -> Vec<Output> {
        self.when(Input::Level { high: true })
    }
    fn low(&mut self) -> Vec<Output> {
        self.when(Input::Level { high: false })
    }
    fn wakes_at_ms(&self) -> Option<u128> {
        self.drawer.wake_at().map(|at| at.duration_since(self.start).as_millis())
    }
}

const LEFT: Input = Input::PulseLeft { behind_slip: false };

fn state(state: DrawerState) -> Output {
    Output::Event(DrawerEvent::State(state))
}
fn opened(by: OpenedBy) -> [Output; 2] {
    [Output::Event(DrawerEvent::Opened(by)), state(DrawerState::Open)]
}
fn closed_after_ms(ms: u64) -> [Output; 2] {
    [Output::Event(DrawerEvent::Closed { after: Duration::from_millis(ms) }), state(DrawerState::Closed)]
}

#[test]
fn the_first_level_is_a_baseline_and_no_edge() {
    let mut scene = Scene::with(Sense::LowIsOpen);
    assert_eq!(scene.drawer.state(), DrawerState::Unknown { why: NOT_YET_READ.to_owned() });
    assert_eq!(scene.low(), [state(DrawerState::Open)]);
    assert_eq!(scene.low(), []);
    assert_eq!(scene.at_ms(1_000).high(), closed_after_ms(1_000));
}

#[test]
fn a_key_opens_it_and_the_first_edge_is_said_at_once() {
    let mut scene = Scene::closed();
    assert_eq!(scene.at_ms(10).low(), opened(OpenedBy::Key));
    assert_eq!(scene.wakes_at_ms(), Some(160));
}

#[test]
fn bounces_are_not_edges_and_the_settled_level_is_adopted() {
    let mut scene = Scene::closed();
    assert_eq!(scene.at_ms(10).low(), opened(OpenedBy::Key));
    assert_eq!(scene.at_ms(12).high(), []);
    assert_eq!(scene.at_ms(14).low(), []);
    assert_eq!(scene.at_ms(160).when(Input::Tick), []);
    // Slammed, and it springs open again while it settles: reported when it has settled.
    assert_eq!(scene.at_ms(500).high(), closed_after_ms(490));
    assert_eq!(scene.at_ms(540).low(), []);
    assert_eq!(scene.at_ms(650).when(Input::Tick), opened(OpenedBy::Key));
}

#[test]
fn a_kick_is_answered_as_soon_as_the_line_proves_it() {
    let mut scene = Scene::closed();
    assert_eq!(scene.at_ms(100).when(Input::Kick), [Output::Pulse]);
    assert_eq!(scene.at_ms(101).when(LEFT), []);
    assert_eq!(
        scene.at_ms(140).low(),
        [
            Output::Event(DrawerEvent::Opened(OpenedBy::Command)),
            Output::Answer(Ok(KickOutcome::Opened)),
            state(DrawerState::Open)
        ]
    );
    assert_eq!(scene.at_ms(5_000).when(Input::Tick), [], "answered once");
}

#[test]
fn an_open_drawer_gets_no_pulse() {
    let mut scene = Scene::closed();
    scene.at_ms(10).low();
    assert_eq!(scene.at_ms(20).when(Input::Kick), [Output::Answer(Ok(KickOutcome::AlreadyOpen))]);
}

#[test]
fn a_jammed_drawer_is_proven_by_a_level_read_after_the_pulse() {
    let mut scene = Scene::used();
    scene.when(Input::Kick);
    scene.when(LEFT);
    assert_eq!(scene.at_ms(999).high(), []);
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::Jammed)), state(DrawerState::Jammed)]);
    // Said once; a later opening by hand is a key's, and it can be kicked again.
    assert_eq!(scene.at_ms(2_000).when(Input::Kick), [Output::Pulse]);
    scene.when(LEFT);
    scene.at_ms(2_500).high();
    assert_eq!(scene.at_ms(3_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::Jammed))]);
    assert_eq!(scene.at_ms(3_001).low(), opened(OpenedBy::Key));
}

#[test]
fn a_kick_whose_line_nobody_read_afterwards_proves_nothing() {
    let mut scene = Scene::used();
    scene.when(Input::Kick);
    scene.when(LEFT);
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
}

#[test]
fn a_second_kick_waits_for_the_first_answer_and_for_the_coil() {
    let mut scene = Scene::closed();
    scene.when(Input::Kick);
    assert_eq!(scene.when(Input::Kick), [Output::Refuse(KickRefused::Busy)]);
    scene.when(LEFT);
    assert_eq!(scene.at_ms(30).when(Input::Kick), [Output::Refuse(KickRefused::Busy)]);
    scene.at_ms(40).low();
    scene.at_ms(300).high();
    // 100 ms ON and 500 ms OFF.
    assert_eq!(scene.at_ms(599).when(Input::Kick), [Output::Refuse(KickRefused::Busy)]);
    assert_eq!(scene.at_ms(600).when(Input::Kick), [Output::Pulse]);
}

#[test]
fn a_long_pulse_with_a_short_rest_is_held_off_until_a_fifth() {
    let long = PrinterProfile { pulse_on: 100, pulse_off: 100, ..profile() };
    let drawer = config::Drawer { pin: Pin::Five, sense: Sense::NoSensor, left_open_after: Duration::from_secs(300) };
    let mut drawer = Drawer::new(&drawer, &long, &Timing::default());
    let now = clock::now();
    let at = |ms| now + Duration::from_millis(ms);
    assert_eq!(drawer.handle(now, Input::Kick), [Output::Pulse]);
    drawer.handle(now, LEFT);
    assert_eq!(drawer.handle(at(200), Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
    assert_eq!(drawer.handle(at(999), Input::Kick), [Output::Refuse(KickRefused::Busy)]);
    assert_eq!(drawer.handle(at(1_000), Input::Kick), [Output::Pulse]);
}

#[test]
fn without_a_sensor_the_level_means_nothing_and_a_kick_proves_nothing() {
    let mut scene = Scene::with(Sense::NoSensor);
    assert_eq!(scene.low(), []);
    assert_eq!(scene.high(), []);
    assert_eq!(scene.when(Input::Lost { why: "unplugged".to_owned() }), []);
    assert_eq!(scene.drawer.state(), DrawerState::Unknown { why: NO_SENSOR.to_owned() });
    assert_eq!(scene.when(Input::Kick), [Output::Pulse]);
    scene.when(LEFT);
    assert_eq!(scene.wakes_at_ms(), Some(100), "right after the ON time");
    assert_eq!(scene.at_ms(100).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
}

#[test]
fn inverted_wiring_is_the_mirror_image() {
    let mut scene = Scene::with(Sense::HighIsOpen);
    assert_eq!(scene.low(), [state(DrawerState::Closed)]);
    assert_eq!(scene.at_ms(10).high(), opened(OpenedBy::Key));
}

#[test]
fn left_open_is_said_once() {
    let mut scene = Scene::closed();
    scene.low();
    scene.at_ms(150).when(Input::Tick);
    assert_eq!(scene.wakes_at_ms(), Some(300_000));
    assert_eq!(scene.at_ms(300_000).when(Input::Tick), [Output::Event(DrawerEvent::LeftOpen), state(DrawerState::LeftOpen)]);
    assert_eq!(scene.at_ms(900_000).when(Input::Tick), []);
    assert_eq!(scene.wakes_at_ms(), None);
    assert_eq!(scene.at_ms(900_001).high(), closed_after_ms(900_001));
}

#[test]
fn a_lost_line_is_unknown_and_what_follows_is_a_baseline() {
    let mut scene = Scene::closed();
    let why = "the printer is unplugged".to_owned();
    assert_eq!(scene.when(Input::Lost { why: why.clone() }), [state(DrawerState::Unknown { why: why.clone() })]);
    assert_eq!(scene.when(Input::Lost { why }), []);
    assert_eq!(scene.at_ms(9_000).low(), [state(DrawerState::Open)], "it was opened meanwhile: not an edge that we saw");
}

#[test]
fn the_line_lost_while_a_kick_is_answered_proves_nothing() {
    let mut scene = Scene::closed();
    scene.when(Input::Kick);
    scene.when(LEFT);
    scene.at_ms(20).when(Input::Lost { why: "unplugged".to_owned() });
    assert_eq!(scene.at_ms(500).low(), [state(DrawerState::Open)], "a baseline, not our opening");
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
}

#[test]
fn a_pulse_that_could_not_be_sent_is_no_kick() {
    let mut scene = Scene::closed();
    scene.when(Input::Kick);
    let gone = "the printer is gone".to_owned();
    assert_eq!(scene.when(Input::PulseFailed { why: gone.clone() }), [Output::Answer(Err(KickRefused::Unreachable(gone)))]);
    assert_eq!(scene.when(Input::Kick), [Output::Pulse], "no coil was warmed");
}

#[test]
fn a_key_that_turns_before_the_pulse_left_is_a_key() {
    let mut scene = Scene::closed();
    scene.when(Input::Kick);
    assert_eq!(scene.at_ms(1).low(), opened(OpenedBy::Key));
    scene.when(LEFT);
    assert_eq!(scene.at_ms(1_001).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
}

#[test]
fn a_line_that_never_moved_proves_no_jam_since_nothing_may_hang_on_it() {
    let mut scene = Scene::closed();
    scene.when(Input::Kick);
    scene.when(LEFT);
    scene.at_ms(900).high();
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
    assert_eq!(scene.drawer.state(), DrawerState::Closed);
    // A drawer that stood open at the start has shown that its line works.
    let mut scene = Scene::with(Sense::LowIsOpen);
    scene.low();
    scene.at_ms(500).high();
    scene.at_ms(1_000).when(Input::Kick);
    scene.when(LEFT);
    scene.at_ms(1_900).high();
    assert!(scene.at_ms(2_000).when(Input::Tick).contains(&Output::Answer(Ok(KickOutcome::Jammed))));
}

#[test]
fn a_pulse_behind_a_slip_proves_no_jam_and_is_given_time_to_open() {
    let mut scene = Scene::used();
    scene.when(Input::Kick);
    scene.when(Input::PulseLeft { behind_slip: true });
    scene.at_ms(900).high();
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
    assert_eq!(scene.at_ms(4_999).low(), opened(OpenedBy::Command), "the slip came first");

    let mut scene = Scene::used();
    scene.when(Input::Kick);
    scene.when(Input::PulseLeft { behind_slip: true });
    scene.at_ms(1_000).when(Input::Tick);
    assert_eq!(scene.at_ms(5_000).low(), opened(OpenedBy::Key), "by then it is somebody else's");
}

#[test]
fn a_baseline_after_a_lost_line_proves_no_jam() {
    let mut scene = Scene::used();
    scene.when(Input::Kick);
    scene.when(LEFT);
    scene.at_ms(20).when(Input::Lost { why: "unplugged".to_owned() });
    assert_eq!(scene.at_ms(500).high(), [state(DrawerState::Closed)], "it may have opened and been shut meanwhile");
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))]);
}

#[test]
fn a_baseline_is_no_edge_whatever_was_known_before() {
    let mut scene = Scene::used();
    assert_eq!(scene.when(Input::Baseline { high: true }), [], "nothing new");
    assert_eq!(scene.when(Input::Baseline { high: false }), [state(DrawerState::Open)]);
    assert_eq!(scene.when(Input::Baseline { high: true }), [state(DrawerState::Closed)]);
}

#[test]
fn the_answer_is_due_from_the_request_on_however_late_the_pulse_left() {
    let mut scene = Scene::used();
    assert_eq!(scene.when(Input::Kick), [Output::Pulse]);
    assert_eq!(scene.at_ms(900).when(LEFT), []);
    assert_eq!(scene.wakes_at_ms(), Some(1_000));
    scene.at_ms(990).high();
    assert_eq!(scene.at_ms(1_000).when(Input::Tick), [Output::Answer(Ok(KickOutcome::NotProven))], "too early to judge");
    assert_eq!(scene.at_ms(1_200).low(), opened(OpenedBy::Command), "our pulse all the same");
}

//! The keypad task against the other end of a virtual serial pair: keys as a hand presses them, badges, cards, noise.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{path::Path, time::Duration};

use drawerbridge::{
    config::{Flow, Keypad, Port, Timing},
    device::{
        DeviceEvent, Key, Link,
        profile::KeypadProfile,
        worker::keypad::{KeypadHandle, spawn_keypad},
    },
};
use drawerbridge_hil::line::{Attach, Line};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

const SOON: Duration = Duration::from_secs(10);
/// Between two keys of a hand: well above the gap of a burst, also on a busy test machine.
const HAND: Duration = Duration::from_millis(120);
const BURST_GAP: Duration = Duration::from_millis(30);

fn settings(port: Port) -> Keypad {
    let profile =
        KeypadProfile { serial: true, baud: 9_600, burst_gap: BURST_GAP, zero_pair_gap: Duration::from_millis(20) };
    Keypad { profile, port }
}

fn timing() -> Timing {
    let (reopen_first, reopen_max) = (Duration::from_millis(10), Duration::from_millis(40));
    Timing { reopen_first, reopen_max, ..Timing::default() }
}

fn serial(path: &Path) -> Port {
    Port::Serial { path: path.to_owned(), baud: 9_600, flow: Flow::None }
}

struct Counter {
    line: Line,
    keypad: KeypadHandle,
    events: mpsc::Receiver<DeviceEvent>,
    _dir: tempfile::TempDir,
}

impl Counter {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let line = Line::open(Attach::Pair { dir: dir.path().to_owned(), name: "keypad".into(), baud: None }).await.unwrap();
        let (sender, events) = mpsc::channel(64);
        let keypad = spawn_keypad(settings(serial(&line.path().unwrap())), timing(), sender);
        let mut counter = Self { line, keypad, events, _dir: dir };
        assert_eq!(counter.next().await, DeviceEvent::Keypad(Link::Up));
        counter
    }
    async fn next(&mut self) -> DeviceEvent {
        timeout(SOON, self.events.recv()).await.expect("no event in time").expect("the task has ended")
    }
    /// The events up to `last`.
    async fn until(&mut self, last: &DeviceEvent) -> Vec<DeviceEvent> {
        let mut events = vec![];
        while events.last() != Some(last) {
            events.push(self.next().await);
        }
        events
    }
    async fn nothing_comes(&mut self) {
        let event = timeout(Duration::from_millis(400), self.events.recv()).await;
        assert!(event.is_err(), "{event:?}");
    }
    async fn by_hand(&self, keys: &[u8]) {
        for key in keys {
            self.line.write(&[*key]).await.unwrap();
            tokio::time::sleep(HAND).await;
        }
    }
}

fn key(key: Key) -> DeviceEvent {
    DeviceEvent::Key(key)
}
fn digits(digits: &[u8]) -> Vec<DeviceEvent> {
    digits.iter().map(|d| key(Key::Digit(*d))).collect()
}

#[tokio::test]
async fn a_number_by_hand_is_its_keys_and_crlf_is_one_enter() {
    let mut counter = Counter::new().await;
    counter.by_hand(b"150").await;
    counter.line.write(b"\r\n").await.unwrap();
    let mut expected = digits(&[1, 5, 0]);
    expected.push(key(Key::Enter));
    assert_eq!(counter.until(&key(Key::Enter)).await, expected);
    counter.by_hand(b"\x1b\x08.").await;
    assert_eq!(counter.next().await, key(Key::Clear));
    assert_eq!(counter.next().await, key(Key::Backspace));
    assert_eq!(counter.next().await, key(Key::Point));
    counter.nothing_comes().await;
}

#[tokio::test]
async fn a_digit_is_there_about_one_burst_gap_after_its_key() {
    let mut counter = Counter::new().await;
    let pressed = Instant::now();
    counter.line.send(b"7").unwrap();
    assert_eq!(counter.next().await, key(Key::Digit(7)));
    assert!(pressed.elapsed() >= BURST_GAP, "it could still have been a badge");
    assert!(pressed.elapsed() < BURST_GAP + Duration::from_secs(1));
}

#[tokio::test]
async fn a_badge_is_one_event_however_its_bytes_are_cut() {
    let mut counter = Counter::new().await;
    counter.line.write(b"A1042\r\n").await.unwrap();
    assert_eq!(counter.next().await, DeviceEvent::Badge("A1042".into()));
    for piece in [&b"A1"[..], b"04", b"2\r"] {
        counter.line.send(piece).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(counter.next().await, DeviceEvent::Badge("A1042".into()));
    counter.nothing_comes().await;
}

#[tokio::test]
async fn a_double_zero_key_that_sends_two_zeros_is_one_key() {
    let mut counter = Counter::new().await;
    counter.by_hand(b"5").await;
    counter.line.write(b"00").await.unwrap();
    tokio::time::sleep(HAND).await;
    counter.line.write(b"\r").await.unwrap();
    let heard = counter.until(&key(Key::Enter)).await;
    assert_eq!(heard, [key(Key::Digit(5)), key(Key::DoubleZero), key(Key::Enter)]);
}

#[tokio::test]
async fn nothing_of_a_card_reaches_the_till() {
    let mut counter = Counter::new().await;
    counter.line.write(b"%B4111111111111111^DOE/JANE^29011010000?;4111111111111111=29011010000?\r\n").await.unwrap();
    counter.nothing_comes().await;
    counter.by_hand(b"3\r").await;
    assert_eq!(counter.until(&key(Key::Enter)).await, [key(Key::Digit(3)), key(Key::Enter)]);
}

#[tokio::test]
async fn noise_says_that_keys_are_lost_and_the_keypad_works_on() {
    let mut counter = Counter::new().await;
    counter.line.write(&[0x00, 0xff, 0x80, 0xfe]).await.unwrap();
    assert_eq!(counter.next().await, DeviceEvent::KeysLost);
    tokio::time::sleep(HAND).await;
    counter.by_hand(b"4\r").await;
    assert_eq!(counter.until(&key(Key::Enter)).await, [key(Key::Digit(4)), key(Key::Enter)]);
}

#[tokio::test]
async fn a_keypad_unplugged_in_the_middle_of_a_number_is_said_and_comes_back_empty() {
    let mut counter = Counter::new().await;
    counter.by_hand(b"12").await;
    assert_eq!([counter.next().await, counter.next().await].to_vec(), digits(&[1, 2]));
    counter.line.unplug();
    let event = counter.next().await;
    assert!(matches!(&event, DeviceEvent::Keypad(Link::Down { why }) if why.contains("gone")), "{event:?}");
    counter.line.plug().await.unwrap();
    let events = counter.until(&DeviceEvent::Keypad(Link::Up)).await;
    assert!(events.iter().all(|e| matches!(e, DeviceEvent::Keypad(_))), "{events:?}");
    counter.by_hand(b"9\r").await;
    assert_eq!(counter.until(&key(Key::Enter)).await, [key(Key::Digit(9)), key(Key::Enter)]);
}

#[tokio::test]
async fn an_input_device_that_is_not_there_is_down_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, mut events) = mpsc::channel(64);
    let keypad = spawn_keypad(settings(Port::Evdev(dir.path().join("event-kbd"))), timing(), sender);
    let event = timeout(SOON, events.recv()).await.unwrap();
    assert!(
        matches!(&event, Some(DeviceEvent::Keypad(Link::Down { why })) if why.contains("plug the device in")),
        "{event:?}"
    );
    timeout(SOON, keypad.close()).await.expect("closing waits for no device");
}

#[tokio::test]
async fn closing_releases_the_port() {
    let counter = Counter::new().await;
    let mut connected = counter.line.connection();
    timeout(SOON, connected.wait_for(|connected| *connected)).await.unwrap().unwrap();
    timeout(SOON, counter.keypad.close()).await.unwrap();
    timeout(SOON, connected.wait_for(|connected| !connected)).await.expect("the port is still open").unwrap();
}

#[tokio::test]
async fn the_task_ends_when_nobody_listens_any_more() {
    let Counter { line, keypad: _keypad, events, _dir } = Counter::new().await;
    let mut connected = line.connection();
    timeout(SOON, connected.wait_for(|connected| *connected)).await.unwrap().unwrap();
    drop(events);
    timeout(SOON, connected.wait_for(|connected| !connected)).await.expect("the port is still open").unwrap();
}

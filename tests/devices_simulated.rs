//! The display task and the keypad task against the rig's devices, whose command sets were written from the manuals by
//! other hands: both sides must mean the same bytes.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::time::Duration;

use drawerbridge::{
    config::{self, Echo, Flow, Port, Timing},
    device::{
        DeviceEvent, Frame, Key,
        profile::{CodePage, DisplayDialect, DisplayProfile, KeypadProfile},
        worker::{display::spawn_display, keypad::spawn_keypad},
    },
};
use drawerbridge_hil::{display, keypad, line::Attach};
use tokio::{sync::mpsc, time::timeout};

const SOON: Duration = Duration::from_secs(10);

fn pair(dir: &tempfile::TempDir) -> Attach {
    Attach::Pair { dir: dir.path().to_owned(), name: "device".into(), baud: Some(9_600) }
}

fn port(dir: &tempfile::TempDir) -> Port {
    Port::Serial { path: dir.path().join("device"), baud: 9_600, flow: Flow::None }
}

fn timing() -> Timing {
    let (reopen_first, reopen_max) = (Duration::from_millis(10), Duration::from_millis(40));
    Timing { reopen_first, reopen_max, ..Timing::default() }
}

fn settings(dialect: DisplayDialect, port: Port) -> config::Display {
    config::Display {
        profile: DisplayProfile { dialect, code_page: CodePage::Pc858, brightness: 4, baud: 9_600 },
        port,
        echo: Echo::Masked,
        idle: ["REGISTER CLOSED".to_owned(), String::new()],
    }
}

async fn shows(display: &display::Display, upper: &str, lower: &str) {
    let wanted = [format!("{upper:<20}"), format!("{lower:<20}")];
    let mut frames = display.frames();
    let seen = timeout(SOON, async {
        while display.frame() != wanted {
            // Lagging behind is no harm: the frame itself is looked at.
            drop(frames.recv().await);
        }
    });
    assert!(seen.await.is_ok(), "it shows {:?}, not {wanted:?}", display.frame());
}

async fn is_understood(simulated: display::Dialect, dialect: DisplayDialect) {
    let dir = tempfile::tempdir().unwrap();
    let unit = display::Display::spawn(simulated, pair(&dir)).await.unwrap();
    let (sender, mut events) = mpsc::channel(64);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let handle = spawn_display(settings(dialect, port(&dir)), timing(), sender);
    shows(&unit, "REGISTER CLOSED", "").await;
    handle.show(Frame::new("COUNT THE FLOAT", "KEY TOTAL + ENTER"));
    shows(&unit, "COUNT THE FLOAT", "KEY TOTAL + ENTER").await;
    // The last cell of both rows is used: nothing may wrap or scroll.
    handle.show(Frame::new("ABCDEFGHIJKLMNOPQRST", "12345678901234567890"));
    shows(&unit, "ABCDEFGHIJKLMNOPQRST", "12345678901234567890").await;
    handle.show(Frame::new("\u{1b}@\u{c}\r\nA", "日"));
    shows(&unit, " @   A", "?").await;

    unit.unplug();
    handle.show(Frame::new("FLOAT TOTAL", "***       ENTER=OK"));
    assert_eq!(unit.frame(), [" ".repeat(20), " ".repeat(20)], "dark");
    unit.plug().await.unwrap();
    shows(&unit, "FLOAT TOTAL", "***       ENTER=OK").await;

    timeout(SOON, handle.close()).await.unwrap();
    shows(&unit, "REGISTER CLOSED", "").await;

    // The next daemon finds the unit as this one left it: in string mode, if it is a CD5220.
    let (sender, _events) = mpsc::channel(64);
    let handle = spawn_display(settings(dialect, port(&dir)), timing(), sender);
    handle.show(Frame::new("PLEASE RECOUNT", "ATTEMPT 2 OF 3"));
    shows(&unit, "PLEASE RECOUNT", "ATTEMPT 2 OF 3").await;
    assert!(unit.warnings().is_empty(), "{:?}", unit.warnings());
}

#[tokio::test]
async fn an_escpos_display_shows_what_it_is_sent_and_complains_of_nothing() {
    is_understood(display::Dialect::EscPos, DisplayDialect::EscPos).await;
}

#[tokio::test]
async fn a_cd5220_display_shows_what_it_is_sent_and_complains_of_nothing() {
    is_understood(display::Dialect::Cd5220, DisplayDialect::Cd5220).await;
}

#[tokio::test]
async fn letters_of_the_code_page_are_the_same_letters_on_the_glass() {
    let dir = tempfile::tempdir().unwrap();
    let unit = display::Display::spawn(display::Dialect::EscPos, pair(&dir)).await.unwrap();
    let (sender, _events) = mpsc::channel(64);
    let handle = spawn_display(settings(DisplayDialect::EscPos, port(&dir)), timing(), sender);
    handle.show(Frame::new("Jörg Møller, Zoë", "150.00 €  £ ñ ß"));
    shows(&unit, "Jörg Møller, Zoë", "150.00 €  £ ñ ß").await;
}

#[tokio::test]
async fn a_keypads_keys_and_a_scanners_badge_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let pad = keypad::Keypad::spawn(pair(&dir)).await.unwrap();
    let (sender, mut events) = mpsc::channel(64);
    let profile = KeypadProfile {
        serial: true,
        baud: 9_600,
        burst_gap: Duration::from_millis(30),
        zero_pair_gap: Duration::from_millis(20),
    };
    let _handle = spawn_keypad(config::Keypad { profile, port: port(&dir) }, timing(), sender);
    let mut next = async || timeout(SOON, events.recv()).await.expect("no event in time").unwrap();
    assert!(matches!(next().await, DeviceEvent::Keypad(_)));
    pad.badge("1042").await;
    assert_eq!(next().await, DeviceEvent::Badge("1042".into()));
    pad.type_keys("1042 Backspace Enter Clear", Duration::from_millis(120)).await;
    let digits = [1, 0, 4, 2].map(Key::Digit);
    for key in digits.into_iter().chain([Key::Backspace, Key::Enter, Key::Clear]) {
        assert_eq!(next().await, DeviceEvent::Key(key));
    }
}

//! Who works the simulated till: a script, or a person at the terminal.
use std::{io::Read as _, sync::Arc, time::Duration};

use drawerbridge_hil::bench::Bench;
use tokio::sync::mpsc;

use super::say;

/// Between two keys: a quick hand, and slow enough to watch.
const KEY_GAP: Duration = Duration::from_millis(90);
/// Between reading the display and acting.
const THINKS: Duration = Duration::from_millis(500);
/// A prompt that does not come within this is a fault of the demo.
const PATIENCE: Duration = Duration::from_secs(10);

/// A drawer of 150.00 USD: pieces per denomination, largest first, as the display asks for them.
const PIECES: [(&str, u32); 3] = [("20.00", 5), ("5.00", 6), ("0.25", 80)];

/// Robin opens the drawer with the key and counts 150.00.
pub(super) async fn scripted(bench: Arc<Bench>, denominations: bool, down: bool) -> Result<(), String> {
    let till = &bench.tills[0];
    tokio::time::sleep(THINKS).await;
    till.printer.key();
    shows(&bench, |rows| rows[0].starts_with("STAFF NUMBER")).await?;
    tokio::time::sleep(THINKS).await;
    till.keypad.type_keys("1042 Enter", KEY_GAP).await;
    if denominations {
        count_pieces(&bench).await?;
    } else {
        shows(&bench, |rows| rows[0].starts_with("COUNT THE FLOAT")).await?;
        tokio::time::sleep(THINKS).await;
        till.keypad.type_keys("15000 Enter", KEY_GAP).await;
    }
    shows(&bench, |rows| rows[1].starts_with("ENTER=YES")).await?;
    tokio::time::sleep(THINKS).await;
    till.keypad.type_keys("Enter", KEY_GAP).await;
    shows(&bench, |rows| rows[0].starts_with("COUNT SAVED") || rows[0].starts_with("REGISTER")).await?;
    tokio::time::sleep(THINKS).await;
    till.printer.push_drawer_shut();
    if down {
        shows(&bench, |rows| rows[1].starts_with("WILL SEND LATER")).await?;
        tokio::time::sleep(THINKS * 2).await;
        bench.api.set_down(false);
    }
    Ok(())
}

async fn count_pieces(bench: &Bench) -> Result<(), String> {
    let mut asked = String::new();
    loop {
        let last = asked.clone();
        let rows =
            shows(bench, move |rows| rows[1].starts_with("ENTER=YES") || (rows[0].ends_with(" x") && rows[0] != last))
                .await?;
        if !rows[0].ends_with(" x") {
            return Ok(());
        }
        asked = rows[0].clone();
        let pieces = PIECES.iter().find(|(face, _)| asked.starts_with(&format!("{face} "))).map_or(0, |(_, n)| *n);
        tokio::time::sleep(THINKS / 2).await;
        let keys = if pieces == 0 { "Enter".to_owned() } else { format!("{pieces} Enter") };
        bench.tills[0].keypad.type_keys(&keys, KEY_GAP).await;
    }
}

/// Waits until the display shows it; rows come without the padding.
async fn shows(bench: &Bench, wanted: impl Fn(&[String; 2]) -> bool) -> Result<[String; 2], String> {
    let display = bench.tills[0].display.as_ref().ok_or("the till has no display")?;
    let mut frames = display.frames();
    let trimmed = |rows: [String; 2]| rows.map(|row| row.trim_end().to_owned());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut rows = trimmed(display.frame());
    while !wanted(&rows) {
        match tokio::time::timeout_at(deadline, frames.recv()).await {
            Ok(Ok(next)) => rows = trimmed(next),
            Ok(Err(_)) => rows = trimmed(display.frame()),
            Err(_) => return Err(format!("the display does not go on; it shows {:?} / {:?}", rows[0], rows[1])),
        }
    }
    Ok(rows)
}

/// What the keys of the terminal mean.
const KEYS: &str = "   keys: 0-9, Enter, Backspace, Esc or c = Clear, o = open the drawer with the key, s = push it shut,
         b = scan Robin's badge, p = paper out/in, u = pull/plug the printer's cable, q = quit
   Robin's number is 1042.\n";

/// A person at the terminal is keypad and key. Works from a pipe as well: one character is one key, a line end is Enter.
pub(super) async fn from_terminal(bench: Arc<Bench>) -> Result<(), String> {
    say(KEYS);
    let _raw = RawTerminal::enter();
    let (to_us, mut keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut byte = [0];
        while std::io::stdin().lock().read(&mut byte).is_ok_and(|n| n == 1) && to_us.blocking_send(byte[0]).is_ok() {}
    });
    let till = &bench.tills[0];
    let (mut paper_out, mut unplugged) = (false, false);
    loop {
        let key = tokio::select! {
            key = keys.recv() => key,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match key {
            None | Some(b'q' | 4) => return Ok(()),
            Some(digit @ b'0'..=b'9') => till.keypad.raw(&[digit]).await,
            Some(b'\r' | b'\n') => till.keypad.raw(b"\r").await,
            Some(8 | 0x7F) => till.keypad.raw(&[8]).await,
            Some(0x1B | b'c') => till.keypad.raw(&[0x1B]).await,
            Some(b'o') => till.printer.key(),
            Some(b's') => till.printer.push_drawer_shut(),
            Some(b'b') => till.keypad.badge("1042").await,
            Some(b'p') => {
                paper_out = !paper_out;
                till.printer.set_paper(if paper_out {
                    drawerbridge_hil::printer::Paper::Out
                } else {
                    drawerbridge_hil::printer::Paper::Ok
                });
            }
            Some(b'u') => {
                unplugged = !unplugged;
                if unplugged {
                    till.printer.unplug();
                } else {
                    till.printer.plug().await.map_err(|e| e.to_string())?;
                }
            }
            Some(_) => {}
        }
    }
}

/// Keys come one by one and unseen; Ctrl-C still works. Put back when dropped.
struct RawTerminal(rustix::termios::Termios);

impl RawTerminal {
    fn enter() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Err(e) = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0) {
            super::complain(format!("the terminal stays as it is ({e}): `reset` mends it"));
        }
    }
}

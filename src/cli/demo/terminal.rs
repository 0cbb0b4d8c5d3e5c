//! A person at the terminal is keypad and key. A pipe works as well: one character is one key, a line end is Enter.
use std::{io::Read as _, sync::Arc, time::Duration};

use drawerbridge_hil::printer::Paper;
use tokio::sync::mpsc;

use super::{
    cashier::{Cashier, KEY_GAP, THINKS},
    ending::Progress,
};

/// What the keys of the terminal mean.
pub(super) const KEYS: &str = "
   you are the cashier; these keys are the till:
     o = open the drawer with its key    s = push it shut        0-9, Enter, Backspace = the keypad
     c or Esc = Clear                    b = scan Robin's badge  (Robin's number is 1042)
     n = network away / back             p = paper out / in      u = printer's cable out / in     q = quit
   try: o 1042 Enter 15000 Enter Enter s";

/// After the end of the input, this long for a count that was begun, before it counts as given up.
const LAST_KEY_COUNTS: Duration = Duration::from_secs(2);
/// And this long for a count to be settled.
const LINGER: Duration = Duration::from_secs(30);

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    Digit(u8),
    Enter,
    Backspace,
    Clear,
    DrawerKey,
    Shut,
    Badge,
    Paper,
    Cable,
    Network,
    Quit,
}

/// The keys in what the terminal sent at once. An escape sequence (an arrow key) is no key, and not Clear.
fn presses(bytes: &[u8]) -> Vec<Press> {
    let mut keys = Vec::new();
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let key = match byte {
            0x1B if matches!(rest.peek(), Some(b'[' | b'O')) => {
                rest.next();
                // Parameters, then one final byte.
                while rest.next().is_some_and(|b| !(0x40..=0x7E).contains(&b)) {}
                continue;
            }
            b'\r' => {
                rest.next_if_eq(&b'\n');
                Press::Enter
            }
            b'\n' => Press::Enter,
            b'0'..=b'9' => Press::Digit(byte),
            8 | 0x7F => Press::Backspace,
            0x1B | b'c' => Press::Clear,
            b'o' => Press::DrawerKey,
            b's' => Press::Shut,
            b'b' => Press::Badge,
            b'p' => Press::Paper,
            b'u' => Press::Cable,
            b'n' => Press::Network,
            b'q' | 4 => Press::Quit,
            _ => continue,
        };
        keys.push(key);
    }
    keys
}

/// Takes keys until `q`, or until the input has ended and nothing is left to be seen. `away`: the network is.
pub(super) async fn work(mut cashier: Cashier, mut away: bool) -> Result<(), String> {
    let (to_us, mut chunks) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut chunk = [0; 64];
        while let Ok(n @ 1..) = std::io::stdin().lock().read(&mut chunk) {
            if to_us.blocking_send(chunk[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    // Keys before the daemon listens would be lost.
    cashier.idle().await?;
    tokio::time::sleep(THINKS).await;
    let bench = Arc::clone(&cashier.bench);
    let till = &bench.tills[0];
    let piped = !std::io::IsTerminal::is_terminal(&std::io::stdin());
    let (mut paper_out, mut unplugged, mut typing) = (false, false, false);
    while let Some(chunk) = chunks.recv().await {
        for press in presses(&chunk) {
            // Who types ahead into a pipe reads no display: an entry stands for a moment, and a prompt needs its time.
            let digit = matches!(press, Press::Digit(_) | Press::Backspace);
            if piped && typing && !digit {
                tokio::time::sleep(THINKS / 2).await;
            }
            typing = digit;
            match press {
                Press::Digit(digit) => till.keypad.raw(&[digit]).await,
                Press::Enter => till.keypad.raw(b"\r").await,
                Press::Backspace => till.keypad.raw(&[8]).await,
                Press::Clear => till.keypad.raw(&[0x1B]).await,
                Press::DrawerKey => {
                    cashier.tells("you", "open the drawer with its key").await;
                    till.printer.key();
                }
                Press::Shut => {
                    cashier.tells("you", "push the drawer shut").await;
                    till.printer.push_drawer_shut();
                }
                Press::Badge => {
                    cashier.tells("you", "scan Robin's badge").await;
                    till.keypad.badge("1042").await;
                }
                Press::Paper => {
                    paper_out = !paper_out;
                    cashier.tells("you", if paper_out { "take the paper out" } else { "put paper in" }).await;
                    till.printer.set_paper(if paper_out { Paper::Out } else { Paper::Ok });
                }
                Press::Cable => {
                    unplugged = !unplugged;
                    cashier.tells("you", if unplugged { "pull the printer's cable" } else { "plug the printer in" }).await;
                    if unplugged {
                        till.printer.unplug();
                    } else {
                        till.printer.plug().await.map_err(|e| format!("the printer's cable cannot be plugged in: {e}"))?;
                    }
                }
                Press::Network => {
                    away = !away;
                    bench.api.set_down(away);
                    cashier.tells("network", if away { "is away: nothing reaches the shop" } else { "is back" }).await;
                }
                Press::Quit => return Ok(()),
            }
            // Faster than this would be a badge scanner.
            tokio::time::sleep(if piped && !digit { THINKS } else { KEY_GAP }).await;
        }
    }
    // Whether it got that far or not: what there is to see was seen.
    let counted = cashier.progress.wait_for(|p| *p >= Progress::Counted);
    if tokio::time::timeout(LAST_KEY_COUNTS, counted).await.is_ok() {
        drop(tokio::time::timeout(LINGER, cashier.progress.wait_for(|p| *p == Progress::Over)).await);
    }
    Ok(())
}

/// Keys come one by one and unseen; Ctrl-C still works. Put back when dropped.
pub(super) struct RawTerminal(rustix::termios::Termios);

impl RawTerminal {
    /// `None` when stdin is no terminal.
    pub(super) fn enter() -> Option<Self> {
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
            crate::cli::complain(format!("the terminal stays as it is ({e}): `reset` mends it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_key_is_no_key_and_escape_alone_is_clear() {
        assert_eq!(presses(b"\x1b[A\x1b[1;5C\x1bOPo"), [Press::DrawerKey]);
        assert_eq!(presses(b"\x1b"), [Press::Clear]);
        assert_eq!(presses(b"\x1b7"), [Press::Clear, Press::Digit(b'7')]);
        assert_eq!(presses(b"\x1b["), []);
    }

    #[test]
    fn a_line_end_is_one_enter_however_it_is_written() {
        assert_eq!(
            presses(b"1\n2\r\n\r"),
            [Press::Digit(b'1'), Press::Enter, Press::Digit(b'2'), Press::Enter, Press::Enter]
        );
    }
}

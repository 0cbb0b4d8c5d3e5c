//! Who the printer is, by `GS I` 66, 67 and 65: maker, model, firmware. Silence is tolerated: many clones know one or none.
//!
//! ## Why only the forms that answer with text
//! `GS I 1` to `3` answer with one byte that looks like the answer to `GS r`, and so would prove a slip that is not printed.
use std::time::{Duration, Instant};

use super::command;

/// An online printer answers in some ms; one that does not know the command never does.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Longer names are cut: they are for a status line.
const NAME_MAX: usize = 40;
/// Maker, model, firmware.
const QUESTIONS: [u8; 3] = [66, 67, 65];

/// The questions and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    answers: [Option<String>; 3],
    next: usize,
    asked: Option<Instant>,
}

impl Identity {
    /// Asks nothing if the model does not answer.
    #[must_use]
    pub fn new(supported: bool) -> Self {
        Self { answers: [None, None, None], next: if supported { 0 } else { QUESTIONS.len() }, asked: None }
    }
    /// The next question to send; it counts as asked.
    pub fn next(&mut self, now: Instant) -> Option<[u8; 3]> {
        if self.asked.is_some() {
            return None;
        }
        let n = *QUESTIONS.get(self.next)?;
        self.asked = Some(now + ANSWER_WITHIN);
        Some(command::identity(n))
    }
    /// A text with header `5F`. Late ones answer nothing.
    pub fn answer(&mut self, text: &[u8]) {
        if self.asked.take().is_some() {
            let name = String::from_utf8_lossy(text).trim().chars().take(NAME_MAX).collect::<String>();
            self.answers[self.next] = (!name.is_empty()).then_some(name);
            self.next += 1;
        }
    }
    /// After a time-out no more is asked: a late answer could not be told from the next one.
    pub fn tick(&mut self, now: Instant) {
        if self.asked.is_some_and(|deadline| now >= deadline) {
            self.asked = None;
            self.next = QUESTIONS.len();
        }
    }
    /// A question is on its way.
    #[must_use]
    pub fn asking(&self) -> bool {
        self.asked.is_some()
    }
    /// Nothing is left to ask.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.next >= QUESTIONS.len()
    }
    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.asked
    }
    /// `EPSON TM-T88IV, firmware 1.23`, as far as known.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let [maker, model, firmware] = &self.answers;
        let name: Vec<&str> = [maker, model].into_iter().flatten().map(String::as_str).collect();
        let name = name.join(" ");
        match (name.is_empty(), firmware) {
            (false, Some(firmware)) => Some(format!("{name}, firmware {firmware}")),
            (false, None) => Some(name),
            (true, Some(firmware)) => Some(format!("firmware {firmware}")),
            (true, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn three_questions_make_a_name() {
        let now = clock::now();
        let mut identity = Identity::new(true);
        assert_eq!(identity.next(now), Some([0x1D, 0x49, 66]));
        assert_eq!(identity.next(now), None, "one at a time");
        identity.answer(b"EPSON");
        assert_eq!(identity.next(now), Some([0x1D, 0x49, 67]));
        identity.answer(b"TM-T88IV");
        assert_eq!(identity.next(now), Some([0x1D, 0x49, 65]));
        identity.answer(b"1.23");
        assert_eq!((identity.next(now), identity.words()), (None, Some("EPSON TM-T88IV, firmware 1.23".to_owned())));
    }

    #[test]
    fn silence_ends_the_questions_and_a_late_answer_is_nobodys() {
        let now = clock::now();
        let mut identity = Identity::new(true);
        identity.next(now);
        identity.tick(now + ANSWER_WITHIN);
        identity.answer(b"EPSON");
        assert_eq!((identity.next(now), identity.words(), identity.asking()), (None, None, false));
        assert_eq!(Identity::new(false).next(now), None);
    }
}

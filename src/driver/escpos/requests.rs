//! The queue of `DLE EOT` requests. An answer does not say to which request it belongs, so one is asked at a time.
//!
//! ## Why an answer can come too late
//! After a time-out the line must be quiet for a while before the next request: the late answer would be taken for the next
//! one's, and `1E` means "drawer line HIGH" to one request and "paper near its end" to another. A line that held requests back
//! (flow control, a network) gives all their answers at once: while answers come that nobody asked for, nothing is asked.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A serial printer answers in a few ms; a network board behind a switch in some tens.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Quiet after a time-out or after noise.
const QUIET: Duration = Duration::from_millis(150);

/// Requests waiting, and the one asked.
#[derive(Debug)]
pub struct Requests {
    waiting: VecDeque<u8>,
    asked: Option<(u8, Instant)>,
    not_before: Instant,
    missed: u32,
}

impl Requests {
    /// Nothing asked.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), asked: None, not_before: now, missed: 0 }
    }
    /// Wants `DLE EOT n`; a request already waiting is not doubled.
    pub fn want(&mut self, n: u8) {
        if !self.waiting.contains(&n) {
            self.waiting.push_back(n);
        }
    }
    /// Wants `DLE EOT n` before all others, not before `at`.
    pub fn want_next(&mut self, n: u8, at: Instant) {
        self.waiting.retain(|&waiting| waiting != n);
        self.waiting.push_front(n);
        self.not_before = self.not_before.max(at);
    }
    /// The request to send now, if any; it counts as asked.
    pub fn next(&mut self, now: Instant) -> Option<u8> {
        if self.asked.is_some() || now < self.not_before {
            return None;
        }
        let n = self.waiting.pop_front()?;
        self.asked = Some((n, now + ANSWER_WITHIN));
        Some(n)
    }
    /// An answer arrived: to this request, or to none.
    pub fn answered(&mut self) -> Option<u8> {
        self.asked.take().map(|(n, _)| n)
    }
    /// An answer arrived that nobody waits for: more of its kind may follow.
    pub fn stray(&mut self, now: Instant) {
        self.not_before = self.not_before.max(now + QUIET);
    }
    /// Nothing is asked before `at`: what was handed over last is on the wire until then.
    pub fn not_before(&mut self, at: Instant) {
        self.not_before = self.not_before.max(at);
    }
    /// Something valid arrived: the printer is alive.
    pub fn alive(&mut self) {
        self.missed = 0;
    }
    /// Noise: the next answer-like byte may be noise as well. What was asked is asked again once the line is quiet.
    pub fn noise(&mut self, now: Instant) {
        if let Some((n, _)) = self.asked.take() {
            self.want_next(n, now);
        }
        self.not_before = self.not_before.max(now + QUIET);
    }
    /// True when a request was not answered in time.
    pub fn time_out(&mut self, now: Instant) -> bool {
        match self.asked {
            Some((_, deadline)) if now >= deadline => {
                self.asked = None;
                self.missed = self.missed.saturating_add(1);
                self.not_before = now + QUIET;
                true
            }
            Some(_) | None => false,
        }
    }
    /// Requests in a row without an answer.
    #[must_use]
    pub fn missed(&self) -> u32 {
        self.missed
    }
    /// Nothing asked and nothing waiting.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.asked.is_none() && self.waiting.is_empty()
    }
    /// When to look again.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match self.asked {
            Some((_, deadline)) => Some(deadline),
            None if self.waiting.is_empty() => None,
            None => Some(self.not_before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn one_request_is_asked_at_a_time_and_none_is_doubled() {
        let now = clock::now();
        let mut requests = Requests::new(now);
        for n in [1, 4, 4, 1] {
            requests.want(n);
        }
        assert_eq!(requests.next(now), Some(1));
        assert_eq!(requests.next(now), None);
        assert_eq!(requests.answered(), Some(1));
        assert_eq!(requests.answered(), None, "nothing is outstanding now");
        assert_eq!(requests.next(now), Some(4));
        assert_eq!(requests.answered(), Some(4));
        assert!(requests.idle());
    }

    #[test]
    fn a_late_answer_belongs_to_nobody() {
        let now = clock::now();
        let mut requests = Requests::new(now);
        requests.want(4);
        requests.want(1);
        assert_eq!(requests.next(now), Some(4));
        let late = now + ANSWER_WITHIN;
        assert!(!requests.time_out(late.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(requests.time_out(late));
        assert_eq!((requests.next(late), requests.missed()), (None, 1), "the line must be quiet first");
        assert_eq!(requests.answered(), None);
        assert_eq!(requests.wake_at(), Some(late + QUIET));
        assert_eq!(requests.next(late + QUIET), Some(1));
        assert_eq!(requests.answered(), Some(1));
        requests.alive();
        assert_eq!(requests.missed(), 0);
    }

    #[test]
    fn after_noise_the_question_is_put_again() {
        let now = clock::now();
        let mut requests = Requests::new(now);
        requests.want(1);
        assert_eq!(requests.next(now), Some(1));
        requests.noise(now);
        assert_eq!(requests.answered(), None, "it might have been noise");
        assert_eq!(requests.next(now), None);
        assert_eq!(requests.next(now + QUIET), Some(1));
    }
}

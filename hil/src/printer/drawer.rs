//! A cash drawer on the kick connector: latch, key, and the contact on the sense line.

use super::{DrawerSpec, Level};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time between two edges of a bouncing contact.
const BOUNCE_EVERY: Duration = Duration::from_millis(3);

/// One drawer.
#[derive(Debug)]
pub(super) struct Drawer {
    spec: DrawerSpec,
    open: bool,
    /// What the contact shows; differs from `open` only while it bounces.
    shows_open: bool,
    /// Edges still to come, in order.
    edges: VecDeque<(Instant, bool)>,
}

impl Drawer {
    pub(super) fn new(spec: DrawerSpec) -> Self {
        Self { spec, open: false, shows_open: false, edges: VecDeque::new() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The solenoid was energised: the drawer opens after its delay.
    pub(super) fn pulse(&mut self, now: Instant) {
        self.opens_at(now + self.spec.delay);
    }

    /// The key was turned.
    pub(super) fn key(&mut self, now: Instant) {
        self.edges.clear();
        self.opens_at(now);
    }

    fn opens_at(&mut self, at: Instant) {
        if self.open || !self.edges.is_empty() {
            return;
        }
        // Opening is one edge; each bounce goes back and forth, so that it ends open.
        let extra = u32::from(self.spec.bounce).div_ceil(2) * 2;
        self.edges = (0..=extra).map(|n| (at + BOUNCE_EVERY * n, n % 2 == 0)).collect();
    }

    /// Somebody pushes it shut. A latch that is just being pulled opens it all the same, later.
    pub(super) fn push_shut(&mut self) {
        if self.open {
            self.edges.clear();
            self.open = false;
            self.shows_open = false;
        }
    }

    /// When the next edge is due.
    pub(super) fn next_edge(&self) -> Option<Instant> {
        self.edges.front().map(|(at, _)| *at)
    }

    /// Takes one edge that is due. True if there was one.
    pub(super) fn step(&mut self, now: Instant) -> bool {
        match self.edges.front() {
            Some(&(at, shows_open)) if at <= now => {
                self.edges.pop_front();
                self.shows_open = shows_open;
                self.open = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether the contact pulls the sense line down.
    pub(super) fn pulls_low(&self) -> bool {
        self.spec.sensor && (self.shows_open == (self.spec.open_level == Level::Low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bouncing_contact_ends_open_and_each_edge_is_seen() {
        let t0 = crate::line::now();
        let mut drawer = Drawer::new(DrawerSpec { bounce: 3, ..DrawerSpec::default() });
        drawer.pulse(t0);
        assert!(!drawer.step(t0 + Duration::from_millis(29)));
        let mut levels = vec![];
        while drawer.step(t0 + Duration::from_secs(1)) {
            levels.push(drawer.pulls_low());
        }
        assert_eq!(levels, [true, false, true, false, true]);
        assert!(drawer.is_open());
        drawer.push_shut();
        assert!(!drawer.is_open() && !drawer.pulls_low());
    }

    #[test]
    fn without_a_contact_the_line_never_moves() {
        let t0 = crate::line::now();
        let mut drawer = Drawer::new(DrawerSpec { sensor: false, ..DrawerSpec::default() });
        drawer.key(t0);
        assert!(drawer.step(t0) && drawer.is_open() && !drawer.pulls_low());
    }
}

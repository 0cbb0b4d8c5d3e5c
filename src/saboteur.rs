//! Deliberate mistakes that prove the proofs: with one of them switched on, a proof must find violations.
//!
//! They exist only with the cargo feature `saboteurs`, which is never part of a package. Without it [`is_on`] is `false` at
//! compile time, so the places that ask need no `cfg` and cost nothing.
//!
//! ## Why also through the environment
//! Some proofs run the real process. `DRAWERBRIDGE_SABOTEUR` names the mistake there; it is read once, when the first
//! place asks. [`switch_on`] and [`off`] go before it.

/// A mistake the program can make on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Saboteur {
    /// An attempt whose outcome is unknown is sent again without reading Shopify first.
    ResendWithoutReading = 1,
    /// The display says SAVED before the count is on disk.
    SavedBeforeCommit = 2,
    /// The journal runs with `synchronous = OFF`.
    SynchronousOff = 3,
}

impl Saboteur {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ResendWithoutReading, Self::SavedBeforeCommit, Self::SynchronousOff];

    /// What `DRAWERBRIDGE_SABOTEUR` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResendWithoutReading => "resend-without-reading",
            Self::SavedBeforeCommit => "saved-before-commit",
            Self::SynchronousOff => "synchronous-off",
        }
    }
}

/// The environment variable that names one for a process.
pub const VARIABLE: &str = "DRAWERBRIDGE_SABOTEUR";

#[cfg(feature = "saboteurs")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

    use super::{Saboteur, VARIABLE};

    const OFF: u8 = 0;
    const NOT_ASKED_YET: u8 = u8::MAX;
    static ON: AtomicU8 = AtomicU8::new(NOT_ASKED_YET);

    /// From now on this process makes this mistake, and no other one.
    pub fn switch_on(saboteur: Saboteur) {
        ON.store(saboteur as u8, SeqCst);
    }

    /// From now on this process makes none.
    pub fn off() {
        ON.store(OFF, SeqCst);
    }

    /// This process makes this mistake.
    ///
    /// # Panics
    /// When the environment names one that does not exist: a proof must not run with a saboteur that is not there.
    #[must_use]
    pub fn is_on(saboteur: Saboteur) -> bool {
        if ON.load(SeqCst) == NOT_ASKED_YET {
            // Who switched one on meanwhile wins.
            let found = ON.compare_exchange(NOT_ASKED_YET, by_environment(), SeqCst, SeqCst);
            if let (Ok(_), Some(on)) = (found, Saboteur::ALL.into_iter().find(|s| *s as u8 == ON.load(SeqCst))) {
                tracing::warn!("{VARIABLE}: this process makes a mistake on purpose: {}", on.name());
            }
        }
        ON.load(SeqCst) == saboteur as u8
    }

    fn by_environment() -> u8 {
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return OFF };
        match Saboteur::ALL.into_iter().find(|s| name == s.name()) {
            Some(saboteur) => saboteur as u8,
            None => panic!("{VARIABLE} = {}: there is {}", name.display(), Saboteur::ALL.map(Saboteur::name).join(", ")),
        }
    }
}

#[cfg(feature = "saboteurs")]
pub use switch::{is_on, off, switch_on};

/// This process makes this mistake: never, since it was built without them.
#[cfg(not(feature = "saboteurs"))]
#[must_use]
pub const fn is_on(_: Saboteur) -> bool {
    false
}

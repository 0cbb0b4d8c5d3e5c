//! A log line that would come with every attempt is said at first, when it changes, and then every ten minutes.
use std::time::{Duration, Instant};

/// Whatever is unresolved is said again this often (design, "What we promise").
pub(super) const SAY_AGAIN: Duration = Duration::from_secs(600);

/// What was said last, and when.
#[derive(Debug, Default)]
pub(super) struct Said(Option<(String, Instant)>);

impl Said {
    /// Whether to say it.
    pub(super) fn is_news(&mut self, now: Instant, text: &str) -> bool {
        let old = self.0.as_ref().is_some_and(|(last, at)| last == text && now < *at + SAY_AGAIN);
        if !old {
            self.0 = Some((text.to_owned(), now));
        }
        !old
    }

    /// It is over: should it come again, it is news.
    pub(super) fn over(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_in_ten_minutes_and_anything_new_at_once() {
        let (mut said, now) = (Said::default(), crate::clock::now());
        assert!(said.is_news(now, "no route"));
        assert!(!said.is_news(now + SAY_AGAIN - Duration::from_secs(1), "no route"));
        assert!(said.is_news(now + SAY_AGAIN, "no route"));
        assert!(said.is_news(now + SAY_AGAIN, "no name"));
        said.over();
        assert!(said.is_news(now + SAY_AGAIN, "no name"));
    }
}

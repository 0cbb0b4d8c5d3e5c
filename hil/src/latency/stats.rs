//! A list of durations as its distribution.
use std::time::Duration;

/// Sorted; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution(Vec<Duration>);

impl Distribution {
    /// `None` without a single measurement.
    #[must_use]
    pub fn new(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        (!all.is_empty()).then_some(Self(all))
    }
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
    /// The shortest.
    #[must_use]
    pub fn min(&self) -> Duration {
        self.0[0]
    }
    /// The longest.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
    /// The smallest one that `percent` of all do not exceed (nearest rank: never a value that was not measured).
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).clamp(1, self.0.len());
        self.0[rank - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let ms = Duration::from_millis;
        let hundred = Distribution::new((1..=100).rev().map(ms).collect()).unwrap();
        assert_eq!(
            (hundred.min(), hundred.percentile(50), hundred.percentile(90), hundred.percentile(99), hundred.max()),
            (ms(1), ms(50), ms(90), ms(99), ms(100))
        );
        let one = Distribution::new(vec![ms(7)]).unwrap();
        assert_eq!((one.percentile(50), one.percentile(99), one.count()), (ms(7), ms(7), 1));
        assert_eq!(Distribution::new(vec![]), None);
    }
}

//! Choices that one number repeats: SplitMix64 (Steele, Lea, Flood, 2014), small enough to be read.

/// Throws that follow from the seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed, the same throws.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `limit` − 1. The bias of the remainder is of no account here.
    pub const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// As `below`, for a place in a list of `len`.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// True once in `n` throws.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

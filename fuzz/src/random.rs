//! Where chance comes from: a generator with a seed, and the bytes of an input read as decisions.
//!
//! Everything that happens in this crate follows from one number or from one input.

/// A small generator (splitmix64): the same seed makes the same numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator of its own for this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number() as u8).collect()
    }
}

/// An input read as a row of decisions. When it is used up every decision is 0, so that a longer
/// input only ever adds to a shorter one.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    /// Reads `data` from its start.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether it is used up.
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// A number below `end`, which is at most 65536; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let number = match end {
            0 | 1 => 0,
            2..=256 => usize::from(self.byte()),
            _ => usize::from(self.byte()) << 8 | usize::from(self.byte()),
        };
        number % end.max(1)
    }

    /// True about `percent` times of a hundred; never where the input is used up.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(256) >= 256 - percent * 256 / 100
    }

    /// One of these, or none where there are none.
    pub fn pick<'b, T: ?Sized>(&mut self, from: &'b [&'b T]) -> Option<&'b T> {
        from.get(self.below(from.len())).copied()
    }

    /// The next bytes, fewer where the input ends.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// A generator whose seed is the next bytes.
    pub fn random(&mut self) -> Random {
        let seed = self.bytes(8).iter();
        Random::new(seed.fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }
}

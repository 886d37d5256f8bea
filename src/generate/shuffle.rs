//! Random permutation, computed instead of stored.
//!
//! A Feistel network over a rectangle (Black and Rogaway, "Ciphers with arbitrary finite domains",
//! 2002) whose sides are near the square root of the length. Cells beyond the length are resolved
//! by cycle walking.

use super::random::Random;

const ROUNDS: usize = 6;

/// Permutation of `0..len`.
#[derive(Debug)]
pub struct Shuffle {
    len: u64,
    rows: u64,
    columns: u64,
    keys: [Random; ROUNDS],
}

impl Shuffle {
    /// `len` must be below 2^63, so that the area of the rectangle fits.
    pub fn new(random: Random, len: u64) -> Shuffle {
        debug_assert!(len < 1 << 63);
        let columns = len.saturating_sub(1).isqrt() + 1;
        let rows = len.div_ceil(columns);
        let keys = std::array::from_fn(|round| random.with(round as u64));
        Shuffle { len, rows, columns, keys }
    }

    /// All numbers in `0..len`, once each, in random order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len).map(|index| self.at(index))
    }

    /// Image of `index`, which must be below `len`.
    pub fn at(&self, index: u64) -> u64 {
        debug_assert!(index < self.len);
        let mut place = self.pass(index);
        while place >= self.len {
            place = self.pass(place);
        }
        place
    }

    fn pass(&self, place: u64) -> u64 {
        let (mut row, mut column) = (place / self.columns, place % self.columns);
        for keys in self.keys.chunks_exact(2) {
            row = rotate(row, keys[0].with(column).below(self.rows), self.rows);
            column = rotate(column, keys[1].with(row).below(self.columns), self.columns);
        }
        row * self.columns + column
    }
}

/// `(place + by) mod size`; both must be below `size`.
fn rotate(place: u64, by: u64, size: u64) -> u64 {
    let place = place + by;
    if place < size { place } else { place - size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation() {
        for len in (0..70).chain([1000, 1023, 1024, 1025]) {
            let mut numbers: Vec<u64> = Shuffle::new(Random::new(len), len).iter().collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..len));
        }
    }
}

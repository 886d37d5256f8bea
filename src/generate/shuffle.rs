//! A shuffled order that is computed, not stored.
//!
//! A Feistel network over a rectangle of rows and columns (Black and Rogaway, "Ciphers with
//! arbitrary finite domains", 2002), its sides near the square root of the length. The few cells
//! beyond the length are walked through until the path is back inside.

use super::dice::Dice;

const ROUNDS: usize = 6;

/// A permutation of `0..len`.
#[derive(Debug)]
pub struct Shuffle {
    len: u64,
    rows: u64,
    columns: u64,
    keys: [Dice; ROUNDS],
}

impl Shuffle {
    /// `len` is below 2^63, so that the rectangle's area fits.
    pub fn new(dice: Dice, len: u64) -> Shuffle {
        debug_assert!(len < 1 << 63);
        let columns = len.saturating_sub(1).isqrt() + 1;
        let rows = len.div_ceil(columns);
        let keys = std::array::from_fn(|round| dice.with(round as u64));
        Shuffle { len, rows, columns, keys }
    }

    /// All of `0..len`, each once, in shuffled order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len).map(|index| self.at(index))
    }

    /// Where `index`, below `len`, goes.
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
            row = turn(row, keys[0].with(column).below(self.rows), self.rows);
            column = turn(column, keys[1].with(row).below(self.columns), self.columns);
        }
        row * self.columns + column
    }
}

/// `place + by` around a circle of `size`; both are below it.
fn turn(place: u64, by: u64, size: u64) -> u64 {
    let place = place + by;
    if place < size { place } else { place - size }
}

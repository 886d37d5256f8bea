//! Values of answers about a store.

use crate::rules::rounding::percent_hundredths;

/// Percentage with two decimals; `None` if the whole is zero.
pub fn percent(part_us: i64, whole_us: i64) -> Option<f64> {
    percent_hundredths(part_us, whole_us).map(|share| share as f64 / 100.0)
}

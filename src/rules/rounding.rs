//! Rounding of figures for output; numbers are rounded nowhere else.

use super::calendar::{HOUR_US, MINUTE_US};
use super::window::Window;

/// Unit of a window's figures, in microseconds: minutes for the last hour, hours for the others.
pub fn unit_us(window: Window) -> i64 {
    match window {
        Window::Hour => MINUTE_US,
        Window::Day | Window::Week => HOUR_US,
    }
}

/// Converts a duration to hundredths of the unit, rounded half up.
pub fn hundredths(total_us: i64, unit_us: i64) -> i64 {
    // Fast path without 128-bit division: even units, and durations of up to centuries.
    if unit_us % 2 == 0
        && let Some(total) = total_us.checked_mul(100)
        && let Some(total) = total.checked_add(unit_us / 2)
    {
        return total.div_euclid(unit_us);
    }
    rounded_half_up(i128::from(total_us) * 100, i128::from(unit_us))
}

/// Share in hundredths of a percent, rounded half up; `None` if the whole is not positive.
pub fn percent_hundredths(part_us: i64, whole_us: i64) -> Option<i64> {
    (whole_us > 0).then(|| rounded_half_up(i128::from(part_us) * 10_000, i128::from(whole_us)))
}

fn rounded_half_up(dividend: i128, divisor: i128) -> i64 {
    ((dividend * 2 + divisor).div_euclid(divisor * 2)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_hundredth_rounds_up_and_a_microsecond_less_does_not() {
        // 0.005 minutes are 300,000 microseconds; 0.005 hours 18,000,000.
        assert_eq!(hundredths(300_000, MINUTE_US), 1);
        assert_eq!(hundredths(299_999, MINUTE_US), 0);
        assert_eq!(hundredths(18_000_000, HOUR_US), 1);
        assert_eq!(hundredths(17_999_999, HOUR_US), 0);
        assert_eq!(hundredths(604_800_000_000, HOUR_US), 16_800);
        assert_eq!(hundredths(-300_000, MINUTE_US), 0);
        assert_eq!(hundredths(-300_001, MINUTE_US), -1);
        // Odd units and very long durations take the 128-bit path.
        assert_eq!((hundredths(1, 3), hundredths(1, 7)), (33, 14));
        assert_eq!(hundredths(i64::MAX, HOUR_US), 256_204_778_802);
    }

    #[test]
    fn a_share_of_nothing_is_empty() {
        assert_eq!(percent_hundredths(0, 0), None);
        assert_eq!(percent_hundredths(1, 3), Some(3_333));
        assert_eq!(percent_hundredths(2, 3), Some(6_667));
        assert_eq!(percent_hundredths(3, 3), Some(10_000));
    }
}

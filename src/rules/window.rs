//! The windows of a report.

use super::calendar::HOUR_US;
use super::span::Span;

/// Half-open span of elapsed time that ends at *now*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    LastHour,
    LastDay,
    LastWeek,
}

impl Window {
    pub const ALL: [Window; 3] = [Window::LastHour, Window::LastDay, Window::LastWeek];
    /// Longest window, which contains the others.
    pub const LONGEST: Window = Window::LastWeek;

    /// Suffix of the names of columns.
    pub fn name(self) -> &'static str {
        match self {
            Window::LastHour => "last_hour",
            Window::LastDay => "last_day",
            Window::LastWeek => "last_week",
        }
    }

    /// Length in microseconds of elapsed time.
    pub fn length_us(self) -> i64 {
        match self {
            Window::LastHour => HOUR_US,
            Window::LastDay => 24 * HOUR_US,
            Window::LastWeek => 168 * HOUR_US,
        }
    }

    pub fn before(self, now: i64) -> Span {
        Span::new(now - self.length_us(), now).expect("a window has a positive length")
    }
}

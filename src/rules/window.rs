//! The windows of a report.

use super::calendar::HOUR_US;
use super::span::Span;

/// Half-open span of elapsed time that ends at *now*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Hour,
    Day,
    Week,
}

impl Window {
    pub const ALL: [Window; 3] = [Window::Hour, Window::Day, Window::Week];
    /// Longest window, which contains the others.
    pub const LONGEST: Window = Window::Week;

    /// Suffix of the names of columns.
    pub fn name(self) -> &'static str {
        match self {
            Window::Hour => "last_hour",
            Window::Day => "last_day",
            Window::Week => "last_week",
        }
    }

    /// Length in microseconds of elapsed time.
    pub fn length_us(self) -> i64 {
        match self {
            Window::Hour => HOUR_US,
            Window::Day => 24 * HOUR_US,
            Window::Week => 168 * HOUR_US,
        }
    }

    pub fn before(self, now: i64) -> Span {
        Span::new(now - self.length_us(), now).expect("a window has a positive length")
    }
}

//! The stretches of time that a report looks back over.

use super::calendar::HOUR_US;
use super::span::Span;

/// Half-open, in elapsed (UTC) time, ending at *now*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    LastHour,
    LastDay,
    LastWeek,
}

impl Window {
    pub const ALL: [Window; 3] = [Window::LastHour, Window::LastDay, Window::LastWeek];
    /// The one that holds the others: what a report has to read.
    pub const LONGEST: Window = Window::LastWeek;

    /// As it ends the names of columns.
    pub fn name(self) -> &'static str {
        match self {
            Window::LastHour => "last_hour",
            Window::LastDay => "last_day",
            Window::LastWeek => "last_week",
        }
    }

    /// Microseconds before *now* at which it starts.
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

//! The report as it is handed out: figures laid out in columns, and written in a format.
//!
//! Knows nothing of the engines: whoever gives the same figures gets the same bytes.

mod format;
mod layout;

pub use format::{Format, render};
pub use layout::{Layout, lay_out};

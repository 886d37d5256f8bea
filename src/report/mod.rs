//! The report as it is handed out: figures laid out in columns, and written in a format.
//!
//! Knows nothing of the engines: whoever gives the same figures gets the same bytes. Rows of other
//! questions are written in the same formats, batch by batch.

mod format;
mod layout;
mod text;
mod writer;

pub use format::{Format, kept, print, render};
pub use layout::{Layout, lay_out, widest, widest_schema};
pub use writer::Writer;

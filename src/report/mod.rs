//! Report: lays figures out in columns and encodes them.
//!
//! Knows nothing of the engines: equal figures give equal bytes. The rows of any other query are
//! encoded in the same formats, batch by batch.

mod encoding;
mod format;
mod layout;
mod text_encoding;
mod writer;

pub use encoding::{render, render_figures, to_arrow_file};
pub use format::Format;
pub use layout::{Layout, full_schema, lay_out, with_all_columns};
pub use writer::Writer;

//! Arrow and packed encodings of timelines, polls, spans, openings and business hours.

pub mod integer_lists;
pub mod lists;
pub mod packed;

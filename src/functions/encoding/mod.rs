//! Arrow and packed encodings of timelines, heartbeats, polls, spans, openings and business hours.

pub mod heartbeats;
pub mod integer_lists;
pub mod lists;
pub mod packed;

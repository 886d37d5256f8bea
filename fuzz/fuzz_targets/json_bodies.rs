//! Bodies of requests are read without harm, and options of a report are described as they are read.
//!
//! The first byte chooses the type of the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::{report_options, sql_text};

const CONTENT_TYPES: [&str; 3] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=X"];

fuzz_target!(|input: &[u8]| {
    let Some((content_type, body)) = input.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(*content_type) % CONTENT_TYPES.len()];
    if let Some((described, again)) = report_options(body, content_type) {
        assert_eq!(described, again);
    }
    if let Some(statement) = sql_text(body) {
        assert!(!statement.trim().is_empty());
    }
});

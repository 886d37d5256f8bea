//! See `uptally::fuzzing::sql_depth`, where tests run it as well.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| uptally::fuzzing::sql_depth(input));

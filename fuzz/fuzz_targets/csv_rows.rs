//! See `uptally::fuzzing::csv_rows`, where tests run it as well.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| uptally::fuzzing::csv_rows(input));

//! See `uptally::fuzzing::flight_handles`, where tests run it as well.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| uptally::fuzzing::flight_handles(input));

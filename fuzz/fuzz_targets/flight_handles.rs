//! What is signed of a handle of a prepared statement is decoded without harm, whatever it is, and
//! encodes to the same statement again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::handle_is_same_again;

fuzz_target!(|signed: &[u8]| {
    assert_ne!(handle_is_same_again(signed), Some(false));
});

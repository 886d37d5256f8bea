//! Any instant is shown by any format, and a quoted format as it is.
//!
//! The first eight bytes are the instant, in microseconds UTC.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::to_char;

fuzz_target!(|input: (i64, &str)| {
    let (at_us, format) = input;
    let _ = to_char(at_us, format);
    // Of an instant that has a year. Formats with % are those of the engine's own function.
    if !format.contains(['"', '%']) {
        assert_eq!(to_char(0, &format!("\"{format}\"")).as_deref(), Some(format));
    }
});

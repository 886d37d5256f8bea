//! An instant is read from its text, and the text that is made of it is read as the same one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::{instant_text, parse_instant, parse_instant_field};

fuzz_target!(|text: &[u8]| {
    let field = parse_instant_field(text);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let argument = parse_instant(text);
    if field.is_ok() {
        assert_eq!(field, argument, "{text:?}");
    }
    if let Ok(instant) = argument {
        assert_eq!(parse_instant(&instant_text(instant)), Ok(instant), "{text:?}");
    }
});

//! A statement that the check of the depth accepts is no deeper once it is parsed, and does not
//! overflow the stack of the threads that parse it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::{STACK_BYTES, STATEMENT_DEPTH_MAX, statement_depth};

/// Repetitions of a part, for chains that are longer than inputs.
const REPETITIONS: usize = 2_000;

/// The text, or if it has three lines: the first, many times the second, then the rest.
fn statement(text: &str) -> String {
    let mut lines = text.splitn(3, '\n');
    match (lines.next(), lines.next(), lines.next()) {
        (Some(start), Some(part), Some(end)) if part.len() <= 32 => {
            format!("{start} {} {end}", part.repeat(REPETITIONS))
        }
        _ => text.to_owned(),
    }
}

fuzz_target!(|text: &str| {
    let statement = statement(text);
    // Instrumented frames are larger.
    let thread = std::thread::Builder::new().stack_size(2 * STACK_BYTES);
    let depth = thread.spawn(move || statement_depth(&statement)).unwrap().join().unwrap();
    assert!(depth.is_none_or(|depth| depth <= STATEMENT_DEPTH_MAX), "{depth:?}: {text:?}");
});

//! The `uptally` binary and its allocator.

use mimalloc::MiMalloc;

/// mimalloc, which uses large pages: a report needs much memory for a short time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    uptally::run()
}

//! The `uptally` command, and the allocator that it runs on.

use mimalloc::MiMalloc;

/// Takes large pages, and gives memory back late: a report needs much of it for a tenth of a second,
/// a tenth of which went into faults of single pages.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    uptally::cli::run()
}

//! The `uptally` command, and the allocator that it runs on.

use mimalloc::MiMalloc;

/// Takes large pages where the system has them: a report needs much memory for a short time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    uptally::cli::run()
}

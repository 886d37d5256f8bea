//! The `uptally` command.

fn main() -> std::process::ExitCode {
    uptally::cli::run()
}

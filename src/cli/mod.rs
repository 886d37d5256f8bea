//! The command line: parses what was asked, hands it on, and words the answer.
//!
//! Figures go to stdout, everything else to stderr. Exit code 0 is success, 1 a failure that the
//! last line on stderr explains, 2 a wrong flag, 130 an interruption.

mod arguments;
mod generate;
mod ingest;
mod keys;
mod output;
mod report;
mod serve;
mod signals;
mod sql;
mod zones;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result};
use crate::rules::ZoneRules;
use crate::sql::STACK_BYTES;

/// Says exactly how long each store of a chain was up, and how long down, while it should have
/// been open.
#[derive(Debug, Parser)]
#[command(name = "uptally", version = version(), arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Generate(generate::Arguments),
    Ingest(ingest::Arguments),
    Report(Box<report::Arguments>),
    Sql(Box<sql::Arguments>),
    Serve(Box<serve::Arguments>),
    Keys(keys::Arguments),
    Zones(zones::Arguments),
}

/// Of the program, and of the time-zone rules that it brings.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (program, rules) = (env!("CARGO_PKG_VERSION"), ZoneRules::bundled());
        format!("{program} (zone rules {})", rules.edition())
    });
    &VERSION
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let command = Command::parse();
    log_to_stderr(&command.action);
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    // What is said to the service or at the prompt passes through them.
    let runtime = match threads.enable_all().thread_stack_size(STACK_BYTES).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("uptally: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(act(command.action));
    // What nobody waits for any more, as a query that was stopped, holds nothing up.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("uptally: {}", error.sentence());
            match error {
                Error::Interrupted => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn act(action: Action) -> Result<()> {
    match action {
        Action::Generate(arguments) => generate::run(&arguments),
        Action::Ingest(arguments) => ingest::run(&arguments).await,
        Action::Report(arguments) => report::run(&arguments).await,
        Action::Sql(arguments) => sql::run(&arguments).await,
        Action::Serve(arguments) => serve::run(&arguments).await,
        Action::Keys(arguments) => keys::run(&arguments),
        Action::Zones(arguments) => zones::run(&arguments).await,
    }
}

/// Warnings, and of the service every request; or what `UPTALLY_LOG` asks for, in the syntax of
/// `RUST_LOG`.
fn log_to_stderr(action: &Action) {
    let usual = match action {
        Action::Serve(_) => "warn,uptally::server=info,buoyant_kernel=off",
        _ => "warn,buoyant_kernel=off",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("UPTALLY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
}

//! Command line: parses flags, calls the library, and prints results and messages.
//!
//! Results go to stdout, everything else to stderr. Exit code 0 is success, 1 a failure that the
//! last line on stderr explains, 2 a wrong flag, 130 an interruption.

mod addresses;
mod arguments;
mod completions;
mod generate;
mod ingest;
mod keys;
mod logging;
mod man;
mod output;
mod report;
mod report_options;
mod retention;
mod serve;
mod signals;
mod sql;
#[cfg(unix)]
mod worker;
mod zones;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Result};
use crate::limits::STACK_BYTES;
use crate::rules::ZoneRules;

const AFTER_HELP: &str = "\
Start with `uptally generate --stores 200 --days 10 --seed 7 chain`, or CSV files of your own:
`uptally report FOLDER` reports on them, `uptally ingest FOLDER` keeps them for report, sql and serve.

Environment:
  UPTALLY_DATA  folder of the tables, unless --data is given
  UPTALLY_LOG   log filter, like warn,uptally::server=debug; else RUST_LOG
  NO_COLOR      disables colours at the prompt

Exit codes: 0 success, 1 a failure that the last line on stderr explains, 2 a wrong flag,
130 interrupted.";

/// Reports exactly how long each store of a chain was up and down during its business hours.
#[derive(Debug, Parser)]
#[command(
    name = "uptally",
    version = version(),
    arg_required_else_help = true,
    after_help = AFTER_HELP
)]
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
    Completions(completions::Arguments),
    Man(man::Arguments),
    #[cfg(unix)]
    #[command(hide = true)]
    Worker(worker::Arguments),
}

impl Action {
    /// Checks flags against each other.
    ///
    /// # Errors
    /// The name of the subcommand and the conflict.
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        match self {
            Action::Ingest(arguments) => arguments.check().map_err(|wrong| ("ingest", wrong)),
            Action::Report(arguments) => arguments.check().map_err(|wrong| ("report", wrong)),
            Action::Sql(arguments) => arguments.check().map_err(|wrong| ("sql", wrong)),
            _ => Ok(()),
        }
    }

    /// Returns true if the command starts its own threads, after restricting their privileges.
    fn starts_threads(&self) -> bool {
        match self {
            #[cfg(unix)]
            Action::Worker(_) => true,
            _ => false,
        }
    }
}

/// Version of the program and of its bundled time-zone rules.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (program, rules) = (env!("CARGO_PKG_VERSION"), ZoneRules::bundled());
        format!("{program} (zone rules {})", rules.edition())
    });
    &VERSION
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let command = parse();
    logging::to_stderr(&command.action);
    if command.action.starts_threads() {
        return exit_code(futures::executor::block_on(execute(command.action)));
    }
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    // These threads parse and plan SQL of clients and the prompt, which nests deeply.
    let runtime = match threads.enable_all().thread_stack_size(STACK_BYTES).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("uptally: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(execute(command.action));
    // Does not wait for abandoned work, such as a cancelled query.
    runtime.shutdown_background();
    exit_code(result)
}

/// Parses and checks the arguments of the process; exits if they are wrong.
fn parse() -> Command {
    let matches = Command::command().get_matches();
    if let Some(("report", matches)) = matches.subcommand()
        && let Err(wrong) = report::Arguments::check_sources(matches)
    {
        exit_with_usage("report", &wrong);
    }
    let command = Command::from_arg_matches(&matches)
        .unwrap_or_else(|error| error.format(&mut Command::command()).exit());
    if let Err((name, wrong)) = command.action.check() {
        exit_with_usage(name, &wrong);
    }
    command
}

/// Prints the error, if any, and maps it to an exit code.
fn exit_code(result: Result<()>) -> ExitCode {
    match result {
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

async fn execute(action: Action) -> Result<()> {
    match action {
        Action::Generate(arguments) => generate::run(&arguments),
        Action::Ingest(arguments) => ingest::run(&arguments).await,
        Action::Report(arguments) => report::run(&arguments).await,
        Action::Sql(arguments) => sql::run(&arguments).await,
        Action::Serve(arguments) => serve::run(&arguments).await,
        Action::Keys(arguments) => keys::run(&arguments),
        Action::Zones(arguments) => zones::run(&arguments).await,
        Action::Completions(arguments) => completions::run(&arguments),
        Action::Man(arguments) => man::run(&arguments),
        #[cfg(unix)]
        Action::Worker(arguments) => worker::run(&arguments),
    }
}

/// Exits with a usage error, as clap does for an invalid flag.
fn exit_with_usage(name: &str, wrong: &str) -> ! {
    let mut command = Command::command();
    command.build();
    match command.find_subcommand_mut(name) {
        Some(command) => command.error(ErrorKind::ArgumentConflict, wrong).exit(),
        None => command.error(ErrorKind::ArgumentConflict, wrong).exit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_definition_is_valid() {
        Command::command().debug_assert();
    }
}

//! `uptally worker`: a process that answers questions for the service, which alone starts it.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::server::worker;

/// Answers questions in SQL for `uptally serve`, which starts it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the tables
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Blocks until the service ends it; no other thread may have been started before.
pub fn run(arguments: &Arguments) -> Result<()> {
    worker::run(&arguments.folder)
}

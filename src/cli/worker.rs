//! `uptally worker`: worker process, started by the service only.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::server::worker;

/// Plans and runs SQL for `uptally serve`, which starts it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the tables
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Blocks until the service ends the process. Must run before any other thread starts, because it
/// restricts privileges of all of them.
pub fn run(arguments: &Arguments) -> Result<()> {
    worker::run(&arguments.folder)
}

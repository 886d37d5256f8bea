//! `uptally keys`: who may ask the service.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::one_of;
use super::output;
use crate::error::Result;
use crate::server::{ROLES, Role, keys};

/// Makes the keys of `uptally serve --keys`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Adds a key to a file, which keeps its hash alone, and prints it once
    Add {
        /// What the holder may do: read; run reports as well; admin, forget them as well
        #[arg(long, value_parser = one_of(ROLES))]
        role: Role,
        /// File of hashes, made where there is none
        file: PathBuf,
    },
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::Add { role, file } => {
            let key = keys::add(&output::regular_file(file)?, *role)?;
            eprintln!("note: this is the only time that the key is shown");
            output::write(format!("{key}\n").as_bytes(), None)?;
        }
    }
    Ok(())
}

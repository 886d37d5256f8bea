//! `uptally man`: manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::{Command, output};
use crate::error::{Error, Result};

/// Prints the manual page, or writes one for each command into a folder.
///
/// Read it with `uptally man | man -l -`. To install all pages, use
/// `uptally man ~/.local/share/man/man1`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder for uptally.1, uptally-report.1 and the others, created if missing
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut command = Command::command().disable_help_subcommand(true);
    command.build();
    match &arguments.folder {
        None => output::write(&page(&command)?, None),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, error))?;
            write_all(&command, folder)
        }
    }
}

/// Writes the page of a command and of its subcommands.
fn write_all(command: &clap::Command, folder: &Path) -> Result<()> {
    let name = Man::new(command.clone()).get_filename();
    output::write(&page(command)?, Some(&folder.join(name)))?;
    let mut shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.try_for_each(|below| write_all(below, folder))
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).manual("uptally").render(&mut page);
    rendered.map_err(|error| Error::bug(format!("the manual page cannot be made: {error}")))?;
    Ok(page)
}

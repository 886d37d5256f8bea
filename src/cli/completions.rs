//! `uptally completions`: shell completion scripts.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Command, output};
use crate::error::Result;

/// Prints a shell completion script for commands, flags and their values.
///
/// Try it with `source <(uptally completions bash)`; to install it, write it to:
///
///   bash        ~/.local/share/bash-completion/completions/uptally
///   zsh         _uptally, in a folder of $fpath
///   fish        ~/.config/fish/completions/uptally.fish
///   elvish      ~/.config/elvish/rc.elv, at its end
///   powershell  $PROFILE, at its end
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Command::command(), "uptally", &mut script);
    output::write(&script, None)
}

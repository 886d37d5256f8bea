//! `uptally sql`: any question in SQL, once, from a file or a pipe, or at a prompt.
//!
//! [`statement_reader`] cuts text into statements and [`commands`]; the [`shell`] does them one after another,
//! and [`query`] writes the rows of each query. The [`prompt`] reads from a terminal, helped by
//! [`completion`] and [`highlight`]; nothing else here needs one. What may be asked is for
//! [`crate::sql`] to say.

mod commands;
mod completion;
mod function_help;
mod highlight;
mod limits;
mod prompt;
mod query;
mod shell;
mod statement_reader;

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::sync::mpsc;

pub use self::limits::ServiceLimits;
use self::shell::{Next, Shell};
use self::statement_reader::StatementReader;
use super::arguments;
use super::output;
use super::signals::StopSignal;
use crate::error::{Error, Result};
use crate::report::Format;

/// Answers questions in SQL; without any, asks for them at a prompt.
///
/// Reads the tables and changes nothing. What is not a terminal is read as SQL from stdin. A
/// statement ends with `;`; where one fails, those behind it do not run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One statement, or several with `;` between them
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// What stands behind a question that was not put in quotes.
    #[arg(hide = true)]
    unquoted: Vec<String>,
    /// File of statements and of commands of the prompt
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data")]
    data: PathBuf,
    /// Gives $NAME of the statements a value; the numbers of $1 and on are names too
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// Asks the tables as they were at an earlier version
    #[arg(long, value_name = "VERSION")]
    as_of: Option<u64>,
    /// What rows look like [default: what the name of the file ends in, else table on a terminal,
    /// csv elsewhere]
    #[arg(long, value_parser = arguments::format())]
    format: Option<Format>,
    /// File to write the rows of the one query to, whole or not at all; compressed by .gz or .zst;
    /// - is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    limits: limits::CommandLimits,
}

fn param(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let name = name.trim().trim_start_matches('$');
    match name.is_empty() || !text.contains('=') {
        true => Err("expected NAME=VALUE, like store_id=7".to_owned()),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

impl Arguments {
    /// Checks flags against each other, before any work.
    ///
    /// # Errors
    /// Where the query is more than one argument, or the format does not fit the name of the output.
    pub fn check(&self) -> std::result::Result<(), String> {
        if !self.unquoted.is_empty() {
            return Err("a query is one argument, in quotes: uptally sql \"SELECT 1\"".to_owned());
        }
        self.format().map(drop)
    }

    /// File that rows go to; `None` where they go to stdout.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|file| *file != Path::new("-"))
    }

    /// The format that was asked for, or that the name of the file tells; else the usual one.
    fn format(&self) -> std::result::Result<Format, String> {
        match self.file() {
            Some(file) => output::format_for(file, self.format, Format::Csv),
            // A table is for people.
            None if std::io::stdout().is_terminal() => Ok(self.format.unwrap_or(Format::Table)),
            None => Ok(self.format.unwrap_or(Format::Csv)),
        }
    }
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    if let Some(file) = arguments.file() {
        output::check_writable(file)?;
    }
    let has_query = arguments.query.is_some() || arguments.file.is_some();
    if !has_query && std::io::stdin().is_terminal() {
        if arguments.file().is_some() {
            return Err(Error::Argument(
                "--output takes the rows of one query; at the prompt, use .once FILE".into(),
            ));
        }
        return prompt::run(Shell::open(arguments).await?).await;
    }
    let stop = StopSignal::on_signals()?;
    let mut shell = stop.or_interrupted(Shell::open(arguments)).await?;
    match (&arguments.query, &arguments.file) {
        (Some(query), _) => stop.or_interrupted(shell.run_text(query, None)).await.map(drop),
        (None, Some(file)) => stop.or_interrupted(shell.run_file(file)).await.map(drop),
        (None, None) => stop.or_interrupted(run_lines(&mut shell)).await,
    }?;
    shell.close()
}

/// What comes through stdin, done as it comes.
async fn run_lines(shell: &mut Shell) -> Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    // A thread of its own: whoever stops must not wait for what was never typed.
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        lines.map(|line| sender.send(line)).take_while(std::result::Result::is_ok).for_each(drop);
    });
    let mut input = StatementReader::default();
    while let Some(line) = lines.recv().await {
        let line = line.map_err(|error| Error::io("read", Path::new("stdin"), error))?;
        for step in input.line(&line) {
            if shell.run(&step.action).await? == Next::End {
                return Ok(());
            }
        }
    }
    match input.end() {
        Some(step) => shell.run(&step.action).await.map(drop),
        None => Ok(()),
    }
}

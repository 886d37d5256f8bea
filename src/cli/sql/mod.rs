//! `uptally sql`: runs SQL given as an argument, file or pipe, or typed at a prompt.
//!
//! [`statement_reader`] splits text into statements and [`commands`]; the [`shell`] runs them in
//! sequence, and [`query`] writes the rows of each query. Only the [`prompt`], with [`completion`]
//! and [`highlight`], requires a terminal. [`crate::sql`] defines what SQL is allowed.

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
use super::arguments::one_of;
use super::output;
use super::signals::StopSignal;
use crate::error::{Error, Result};
use crate::report::Format;

/// Runs SQL queries over the tables; without a query, starts a prompt.
///
/// `uptally sql "SELECT * FROM stores LIMIT 5"` prints rows; at the prompt, `\d` lists the tables
/// and `help` the commands. The dialect is PostgreSQL's, and queries only read. If stdin is not a
/// terminal, SQL is read from it. Statements end with `;`; after a failure the following ones do
/// not run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Statement, or several separated by `;`, quoted as one argument
    #[arg(conflicts_with = "file")]
    query: Option<String>,
    /// Rest of a query that was not quoted; rejected with a hint.
    #[arg(hide = true)]
    unquoted: Vec<String>,
    /// File of statements, and of commands of the prompt, to run
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data")]
    data: PathBuf,
    /// Value of the parameter $NAME of the statements; 1=VALUE is that of $1. May be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// Version of the tables to query [default: the newest]
    #[arg(long, value_name = "VERSION")]
    as_of: Option<u64>,
    /// Output format [default: by the ending of the file's name, else table on a terminal, csv
    /// elsewhere]
    #[arg(long, value_parser = one_of(Format::KEYWORDS))]
    format: Option<Format>,
    /// File to write the rows of the only query to, whole or not at all, in the format that its
    /// name ends in, compressed for .gz and .zst; - is stdout [default: stdout]
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
    /// When the query is not one argument, or the output's extension contradicts the format.
    pub fn check(&self) -> std::result::Result<(), String> {
        if !self.unquoted.is_empty() {
            return Err("quote the query as one argument: uptally sql \"SELECT 1\"".to_owned());
        }
        self.format().map(drop)
    }

    /// Output file; `None` for stdout.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|file| *file != Path::new("-"))
    }

    /// Requested format, else that of the file's extension, else the default.
    fn format(&self) -> std::result::Result<Format, String> {
        match self.file() {
            Some(file) => output::format_for(file, self.format, Format::Csv),
            // Readable by people.
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

/// Runs statements from stdin as they arrive.
async fn run_lines(shell: &mut Shell) -> Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    // A separate thread, because a blocking read of stdin would delay a stop.
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

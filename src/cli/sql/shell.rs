//! Runs steps in sequence: queries in a session, commands itself.
//!
//! Shared by the prompt, files and pipes; does not require a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::Arguments;
use super::commands::{Command, help, parse};
use super::function_help;
use super::limits::CommandLimits;
use super::query::{ParameterizedQuery, QueryOutcome, Target, run_query};
use super::statement_reader::{Action, StatementReader, Step};
use crate::cli::output;
use crate::error::{Error, QueryError, Result, counted};
use crate::limits::Limits;
use crate::report::{Format, Writer};
use crate::server;
use crate::sql::{Database, Session, columns_of as columns_of_function, types_in_sql};
use crate::tables::{Dataset, outdated_zone_rules};

/// Limit on nested `.read`.
const FILE_DEPTH_MAX: usize = 16;

const TABLES: &str = "SELECT table_name FROM information_schema.tables \
    WHERE table_schema = 'public' ORDER BY table_name";
const COLUMNS: &str = "SELECT columns.table_name, columns.column_name, data_type, is_nullable, \
        description \
    FROM information_schema.columns \
    LEFT JOIN internal.descriptions \
        ON descriptions.table_name = columns.table_name \
        AND descriptions.column_name = columns.column_name \
    WHERE table_schema = 'public'";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    More,
    End,
}

pub struct Shell {
    database: Database,
    dataset: Dataset,
    session: Session,
    /// True if `--as-of` fixes the version.
    is_pinned: bool,
    limits: CommandLimits,
    format: Format,
    /// File of `--output`, for the rows of the only query.
    output: Option<PathBuf>,
    output_is_used: bool,
    once: Option<PathBuf>,
    is_timed: bool,
    file_depth: usize,
    /// Values of parameters, by name.
    params: BTreeMap<String, String>,
    /// Names from `--param` that no statement has used yet.
    params_unused: BTreeSet<String>,
}

impl Shell {
    pub async fn open(arguments: &Arguments) -> Result<Self> {
        let dataset = Dataset::open(&arguments.data, arguments.as_of).await?.ok_or_else(|| {
            let data = &arguments.data;
            Error::Argument(format!(
                "no data in {data:?}; run `uptally ingest` first, or name its folder with --data"
            ))
        })?;
        if let Some(warning) = outdated_zone_rules(&dataset) {
            eprintln!("warning: {warning}");
        }
        let database = Database::new(arguments.limits.limits(Format::Table))
            .with_tables(server::report_tables(&arguments.data));
        let session = database.session(&dataset)?;
        Ok(Self {
            database,
            dataset,
            session,
            is_pinned: arguments.as_of.is_some(),
            limits: arguments.limits,
            format: arguments.format().map_err(Error::Argument)?,
            output: arguments.file().map(Path::to_owned),
            output_is_used: false,
            once: None,
            is_timed: false,
            file_depth: 0,
            params: arguments.params.iter().cloned().collect(),
            params_unused: arguments.params.iter().map(|(name, _)| name.clone()).collect(),
        })
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn version(&self) -> u64 {
        self.dataset.version()
    }

    /// Ends the session.
    ///
    /// # Errors
    /// When `--output` or a `--param` was given and no query used it.
    pub fn close(self) -> Result<()> {
        if let Some(name) = self.params_unused.first() {
            return Err(Error::Argument(format!("--param {name}: no statement uses ${name}")));
        }
        match (&self.output, self.output_is_used) {
            (Some(_), false) => {
                Err(Error::Argument("--output takes the rows of one query; there was none".into()))
            }
            _ => Ok(()),
        }
    }

    pub async fn run(&mut self, action: &Action) -> Result<Next> {
        match action {
            Action::Query(sql) => self.query(sql).await.map(|()| Next::More),
            Action::Command(line) => {
                let command = parse(line).map_err(Error::Argument)?;
                self.command(command).await
            }
        }
    }

    /// Runs every step of the text; errors name the line of the file.
    pub async fn run_text(&mut self, text: &str, file: Option<&Path>) -> Result<Next> {
        let mut input = StatementReader::default();
        let mut steps: Vec<Step> = text.lines().flat_map(|line| input.line(line)).collect();
        steps.extend(input.end());
        for Step { line, action } in steps {
            let done = Box::pin(self.run(&action)).await;
            let placed = |error| match (error, file) {
                (Error::Query(wrong), Some(file)) => {
                    let sentence = format!("{file:?}, line {line}: {wrong}");
                    Error::Query(QueryError { sentence, ..wrong })
                }
                (Error::Argument(wrong), Some(file)) => {
                    Error::Argument(format!("{file:?}, line {line}: {wrong}"))
                }
                (error, _) => error,
            };
            if done.map_err(placed)? == Next::End {
                return Ok(Next::End);
            }
        }
        Ok(Next::More)
    }

    pub async fn run_file(&mut self, file: &Path) -> Result<Next> {
        if self.file_depth == FILE_DEPTH_MAX {
            return Err(Error::Argument(format!(
                "{file:?}: files read each other more than {FILE_DEPTH_MAX} deep"
            )));
        }
        let text = std::fs::read_to_string(file).map_err(|error| Error::io("read", file, error))?;
        self.file_depth += 1;
        let done = self.run_text(&text, Some(file)).await;
        self.file_depth -= 1;
        done
    }

    async fn query(&mut self, sql: &str) -> Result<()> {
        self.refresh().await?;
        let begun_at = Instant::now();
        let once = self.once.clone();
        let file = match (&once, &self.output) {
            (Some(once), _) => Some(once.as_path()),
            (None, Some(_)) if self.output_is_used => {
                return Err(Error::Argument(
                    "--output takes the rows of one query; use .once FILE before each of several"
                        .into(),
                ));
            }
            (None, output) => {
                self.output_is_used = true;
                output.as_deref()
            }
        };
        let format = match &once {
            Some(file) => once_format(file, self.format).map_err(Error::Argument)?,
            None => self.format,
        };
        let limits = self.limits.limits(format);
        let target = Target { format, file };
        let query = ParameterizedQuery { sql, params: &self.params };
        let outcome = run_query(&self.session, &query, limits, &target).await?;
        self.params_unused.retain(|name| !outcome.params.contains(name));
        // A failed query does not use up `.once`.
        self.once = None;
        self.print_notes(&outcome, limits, begun_at);
        Ok(())
    }

    /// Switches to the newest version, unless one is pinned.
    async fn refresh(&mut self) -> Result<()> {
        if self.is_pinned || self.dataset.is_newest() {
            return Ok(());
        }
        if let Some(dataset) = Dataset::open(self.dataset.folder(), None).await? {
            self.session = self.database.session(&dataset)?;
            self.dataset = dataset;
            eprintln!("note: switched to version {}, the newest", self.dataset.version());
        }
        Ok(())
    }

    fn print_notes(&self, outcome: &QueryOutcome, limits: Limits, begun_at: Instant) {
        if outcome.is_cut {
            let rows = counted(limits.rows, "row", "rows");
            eprintln!("warning: the result was cut off after {rows}, the limit (--sql-rows)");
        }
        if self.is_timed {
            let took_ms = begun_at.elapsed().as_secs_f64() * 1000.0;
            let rows = if outcome.rows == 1 { "row" } else { "rows" };
            eprintln!("{} {rows} in {took_ms:.1} ms", outcome.rows);
        }
    }

    async fn command(&mut self, command: Command) -> Result<Next> {
        match command {
            Command::Quit => return Ok(Next::End),
            Command::Help(name) => {
                let function_page =
                    |_| function_help::help(&self.session.context().state(), name.as_deref());
                let unknown = |_| {
                    let name = name.as_deref().unwrap_or_default();
                    format!("there is no command or function {name:?}; .help and \\h list them")
                };
                let text = help(name.as_deref()).or_else(function_page).map_err(unknown);
                output::write(text.map_err(Error::Argument)?.as_bytes(), None)?;
            }
            Command::Tables => self.print_table(TABLES).await?,
            // The page of a table function lists its columns.
            Command::Schema(Some(name)) if columns_of_function(&name).next().is_some() => {
                let text = function_help::help(&self.session.context().state(), Some(&name));
                output::write(text.map_err(Error::Argument)?.as_bytes(), None)?;
            }
            Command::Schema(table) => {
                let columns = columns_query(table.as_deref());
                self.print_table(&columns).await?;
            }
            Command::Mode(None) => eprintln!("mode {}", self.format),
            Command::Mode(Some(format)) => self.format = format,
            Command::Once(file) => {
                output::check_writable(&file)?;
                once_format(&file, self.format).map_err(Error::Argument)?;
                self.once = Some(file);
            }
            Command::Timer(is_timed) => {
                self.is_timed = is_timed.unwrap_or(!self.is_timed);
                if is_timed.is_none() {
                    eprintln!("timer {}", if self.is_timed { "on" } else { "off" });
                }
            }
            Command::Param(None) => {
                self.params.iter().for_each(|(name, value)| eprintln!("${name} = {value}"));
            }
            Command::Param(Some((name, Some(value)))) => drop(self.params.insert(name, value)),
            Command::Param(Some((name, None))) => drop(self.params.remove(&name)),
            Command::Read(file) => return Box::pin(self.run_file(&file)).await,
            Command::Function(name) => {
                let text = function_help::help(&self.session.context().state(), name.as_deref());
                output::write(text.map_err(Error::Argument)?.as_bytes(), None)?;
            }
        }
        Ok(Next::More)
    }

    /// Runs a catalog query and prints it as a table.
    async fn print_table(&mut self, sql: &str) -> Result<()> {
        self.refresh().await?;
        let plan = self.session.plan(sql).await?;
        let rows = self.session.run(plan, self.limits.limits(Format::Table)).await?;
        let mut table = Writer::new(Format::Table, &rows.schema())?;
        let (batches, _) = rows.collect().await?;
        if batches.is_empty() {
            let sentence = "there is no such table; .tables lists them";
            return Err(Error::Argument(sentence.to_owned()));
        }
        batches.iter().try_for_each(|batch| table.write(&with_sql_types(batch)?))?;
        table.finish()?;
        output::write(&table.take(), None)
    }
}

/// Replaces the engine's names in a column `data_type`, if there is one, by those of SQL.
fn with_sql_types(rows: &RecordBatch) -> Result<RecordBatch> {
    let schema = rows.schema();
    let Some((place, field)) = schema.column_with_name("data_type") else {
        return Ok(rows.clone());
    };
    let names = cast(rows.column(place), &DataType::Utf8)?;
    let names = names.as_string::<i32>().iter().map(|name| name.map(types_in_sql));
    let names: ArrayRef = Arc::new(names.collect::<StringArray>());
    let mut columns = rows.columns().to_vec();
    columns[place] = cast(&names, field.data_type())?;
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
}

/// Format of a `.once` file: the mode if the extension allows it and it is not table, else that of
/// the extension.
fn once_format(file: &Path, mode: Format) -> std::result::Result<Format, String> {
    let of_name = output::format_of_name(file, mode)?;
    Ok(match output::format_for(file, Some(mode), mode) {
        // A table is meant for the screen.
        Ok(_) if mode != Format::Table => mode,
        _ => of_name,
    })
}

fn columns_query(table: Option<&str>) -> String {
    let filter = table.map(|table| {
        let table = table.strip_prefix("public.").unwrap_or(table);
        format!(" AND columns.table_name = '{}'", table.replace('\'', "''"))
    });
    format!("{COLUMNS}{} ORDER BY columns.table_name, ordinal_position", filter.unwrap_or_default())
}

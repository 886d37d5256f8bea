//! Runs one query and streams its rows to an output, with a progress bar.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use futures::StreamExt;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::super::output::Output;
use crate::error::{Error, Result, counted};
use crate::limits::Limits;
use crate::report::{Format, Writer};
use crate::sql::{ColumnDescriptions, FilesRead, Progress, Session, coerce_parameter, query_error};

/// Delay before the progress bar appears.
const BAR_AFTER: Duration = Duration::from_secs(2);
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Format and destination of the rows.
pub struct Target<'a> {
    pub format: Format,
    /// `None` for stdout.
    pub file: Option<&'a Path>,
}

/// Query with the values of its parameters, by name.
pub struct ParameterizedQuery<'a> {
    pub sql: &'a str,
    pub params: &'a BTreeMap<String, String>,
}

impl ParameterizedQuery<'_> {
    /// Returns the plan with values bound, and the names of the parameters used.
    async fn plan(&self, session: &Session) -> Result<(LogicalPlan, Vec<String>)> {
        let plan = session.plan(self.sql).await?;
        let types = plan.get_parameter_types().map_err(query_error)?;
        let mut values = HashMap::new();
        for (name, wanted) in types {
            let name = name.trim_start_matches('$');
            if let Some(text) = self.params.get(name) {
                let value = ScalarValue::from(text.as_str());
                values.insert(
                    name.to_owned(),
                    coerce_parameter(session.zones(), name, value, wanted.as_ref())?.into(),
                );
            } else {
                return Err(Error::Argument(format!(
                    "no value is given for ${name}; set it with --param {name}=VALUE, or .param {name} VALUE before it"
                )));
            }
        }
        let names = values.keys().cloned().collect();
        match values.is_empty() {
            true => Ok((plan, names)),
            false => Ok((Session::bind(plan, ParamValues::Map(values))?, names)),
        }
    }
}

/// Result of a query.
#[derive(Debug, PartialEq, Eq)]
pub struct QueryOutcome {
    pub rows: usize,
    pub is_cut: bool,
    /// Names of the parameters used.
    pub params: Vec<String>,
}

/// Runs the query and writes its rows.
///
/// # Errors
/// When the query fails or the output cannot be written; a file is then left unchanged.
pub async fn run_query(
    session: &Session,
    query: &ParameterizedQuery<'_>,
    limits: Limits,
    target: &Target<'_>,
) -> Result<QueryOutcome> {
    let mut output = Output::for_format(target.format, target.file)?;
    let is_on_terminal = output.is_terminal();
    let mut bar = QueryProgress::new();
    let (plan, params) = bar.during(query.plan(session)).await?;
    let described = ColumnDescriptions::from_plan(&plan);
    let mut rows = bar.during(session.run(plan, limits)).await?;
    let cut = rows.cut();
    bar.watch(rows.progress());
    let mut writer = Writer::new(target.format, &described.schema(&rows.schema()))?;
    let mut outcome = QueryOutcome { rows: 0, is_cut: false, params };
    let mut is_open = true;
    while is_open && let Some(batch) = bar.during(rows.next()).await {
        let batch = batch?;
        outcome.rows += batch.num_rows();
        bar.set_rows(outcome.rows);
        writer.write(&batch)?;
        is_open = flush(&mut writer, &mut output, is_on_terminal.then_some(&mut bar))?;
    }
    drop(rows);
    bar.clear();
    writer.finish()?;
    flush(&mut writer, &mut output, None)?;
    output.finish()?;
    outcome.is_cut = cut.is_cut();
    Ok(outcome)
}

/// Writes what is formatted so far, removing the bar from a terminal first. Returns false once the
/// reader of a pipe has closed it.
fn flush(
    writer: &mut Writer,
    output: &mut Output,
    bar: Option<&mut QueryProgress>,
) -> Result<bool> {
    let bytes = writer.take();
    if bytes.is_empty() {
        return Ok(true);
    }
    bar.into_iter().for_each(QueryProgress::clear);
    output.write(&bytes)
}

/// Progress bar of a long query on stderr, if that is a terminal.
struct QueryProgress {
    begun_at: Instant,
    shown: Option<ProgressBar>,
    is_wanted: bool,
    progress: Option<Progress>,
    rows: usize,
}

impl QueryProgress {
    fn new() -> Self {
        let is_wanted = std::io::stderr().is_terminal();
        Self { begun_at: Instant::now(), shown: None, is_wanted, progress: None, rows: 0 }
    }

    fn watch(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    /// Awaits `work`, showing and updating the bar once it takes long.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        while self.is_wanted {
            let until_shown = BAR_AFTER.saturating_sub(self.begun_at.elapsed());
            match tokio::time::timeout(until_shown.max(BAR_EVERY), &mut work).await {
                Ok(made) => return made,
                Err(_) => self.show(),
            }
        }
        work.await
    }

    fn show(&mut self) {
        let bar = self.shown.get_or_insert_with(|| {
            let style = "{spinner} {elapsed} {wide_bar} {msg}";
            let style = ProgressStyle::with_template(style);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(0).with_style(style);
            bar.with_elapsed(self.begun_at.elapsed())
        });
        let FilesRead { read, of } =
            self.progress.as_ref().map_or_else(FilesRead::default, Progress::files);
        bar.set_length(of as u64);
        bar.set_position(read as u64);
        let files = counted(of, "file", "files");
        let (rows, noun) =
            (HumanCount(self.rows as u64), if self.rows == 1 { "row" } else { "rows" });
        bar.set_message(format!("{read} of {files} read, {rows} {noun}"));
        bar.tick();
    }

    fn set_rows(&mut self, rows: usize) {
        self.rows = rows;
    }

    /// Removes the bar for good.
    fn clear(&mut self) {
        self.is_wanted = false;
        self.shown.take().iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl Drop for QueryProgress {
    /// Removes the bar of a cancelled query.
    fn drop(&mut self) {
        self.clear();
    }
}

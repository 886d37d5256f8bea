//! Describes and runs questions, in the process that it is in.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "postgres")]
use arrow::datatypes::Schema;
use datafusion::logical_expr::LogicalPlan;
use tokio::sync::Mutex;

use super::{Described, Failure, Form, Head, Question, binding, messages};
#[cfg(feature = "postgres")]
use crate::server::postgres;
use crate::sql::{Database, Described as Descriptions, Limits, NamedTable, Rows, Session};
use crate::tables::Dataset;

/// Versions of the data whose sessions are kept, by each way of asking.
const SESSIONS_MAX: usize = 4;

pub struct Answerer {
    folder: PathBuf,
    database: Database,
    /// Those asked for last first.
    sessions: Mutex<VecDeque<Kept>>,
    #[cfg(feature = "postgres")]
    postgres: postgres::WorkerPlanner,
}

struct Kept {
    version: u64,
    is_postgres: bool,
    session: Arc<Session>,
}

/// The plan of a question, and the session that it is over.
struct Planned {
    session: Arc<Session>,
    plan: LogicalPlan,
}

type Answer<T> = Result<T, Failure>;

impl Answerer {
    /// Over the tables of a folder, and those beside them.
    pub fn over(folder: PathBuf, tables: Vec<NamedTable>, limits: Limits) -> Self {
        Self {
            folder,
            database: Database::new(limits).with_tables(tables),
            sessions: Mutex::default(),
            #[cfg(feature = "postgres")]
            postgres: postgres::WorkerPlanner::new(),
        }
    }

    /// Over a version of the data; those who ask one version share a session.
    ///
    /// # Errors
    /// Where the tables cannot be read, or never had the version.
    pub async fn session(&self, version: u64, is_postgres: bool) -> Answer<Arc<Session>> {
        // Held while one is opened, so that many who ask open it once.
        let mut sessions = self.sessions.lock().await;
        let is_asked = |kept: &Kept| (kept.version, kept.is_postgres) == (version, is_postgres);
        if let Some(at) = sessions.iter().position(is_asked)
            && let Some(kept) = sessions.remove(at)
        {
            let session = Arc::clone(&kept.session);
            sessions.push_front(kept);
            return Ok(session);
        }
        let dataset = Dataset::open(&self.folder, Some(version)).await?;
        let dataset = dataset.ok_or_else(|| Failure::Bug("a version that is not there".into()))?;
        let session = self.database.session(&dataset)?;
        #[cfg(feature = "postgres")]
        if is_postgres {
            self.postgres.equip(&session).await?;
        }
        let session = Arc::new(session);
        sessions.truncate(2 * SESSIONS_MAX - 1);
        let kept = Arc::clone(&session);
        sessions.push_front(Kept { version, is_postgres, session: kept });
        Ok(session)
    }

    /// As of [`super::Questions::read`].
    ///
    /// # Errors
    /// As those of [`super::Questions::read`].
    #[cfg(feature = "postgres")]
    pub fn read(&self, text: &str) -> Answer<Vec<postgres::Outline>> {
        self.postgres.read(text)
    }

    /// # Errors
    /// Where it cannot be planned, or takes too long.
    pub async fn describe(&self, question: &Question) -> Answer<Described> {
        let open = self.planned(question).await?;
        #[cfg(feature = "postgres")]
        if let Form::Postgres(form) = &question.form {
            let is_repeatable = Session::is_repeatable(&open.plan);
            let typed = postgres::WorkerPlanner::typed(open.plan, form, &question.sql)?;
            let columns = open.session.columns(typed.plan);
            let (parameters, sent_as) = (Arc::new(Schema::empty()), typed.sent_as);
            return Ok(Described { columns, parameters, sent_as, is_repeatable });
        }
        let parameters = Arc::new(binding::parameters(&open.plan)?);
        let Planned { session, plan } = self.bound(open, question)?;
        let is_repeatable = Session::is_repeatable(&plan);
        Ok(Described { columns: session.columns(plan), parameters, sent_as: vec![], is_repeatable })
    }

    /// Ends when nothing of a question goes on that has ended: rows may have been enough before all that
    /// computes them knew.
    #[cfg(unix)]
    pub async fn at_rest(&self) {
        self.database.turns_are_free().await;
    }

    /// # Errors
    /// Where it cannot be planned or carried out, or meets a limit before the first row.
    pub async fn run(&self, question: &Question) -> Answer<(Head, Rows)> {
        let open = self.planned(question).await?;
        let Planned { session, plan } = self.bound(open, question)?;
        let head = Head {
            descriptions: Descriptions::from_plan(&plan).texts(),
            is_plan: matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)),
            is_repeatable: Session::is_repeatable(&plan),
        };
        let rows = session.run(plan, question.limits(session.limits())).await?;
        Ok((head, rows))
    }

    /// The plan, its parameters open.
    async fn planned(&self, question: &Question) -> Answer<Planned> {
        let session = self.session(question.version, question.is_postgres()).await?;
        let limits = question.limits(session.limits());
        let plan = match &question.form {
            #[cfg(feature = "postgres")]
            Form::Postgres(form) => {
                self.postgres.plan(&session, question.version, &question.sql, form).await?
            }
            _ => session.plan_within(&question.sql, limits).await?,
        };
        Ok(Planned { session, plan })
    }

    fn bound(&self, open: Planned, question: &Question) -> Answer<Planned> {
        let Planned { session, plan } = open;
        let plan = match &question.form {
            Form::Open => plan,
            Form::Json(values) => binding::with_json(&session, plan, values)?,
            Form::Row => binding::with_row(&session, plan, &messages::row(&question.bytes)?)?,
            #[cfg(feature = "postgres")]
            Form::Postgres(form) => {
                let (text, bytes) = (&question.sql, &question.bytes);
                postgres::WorkerPlanner::bind(&session, plan, form, text, bytes)?
            }
        };
        Ok(Planned { session, plan })
    }
}

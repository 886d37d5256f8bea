//! Executor of queries in this process.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "postgres")]
use arrow::datatypes::Schema;
use datafusion::logical_expr::LogicalPlan;
use lru::LruCache;
use tokio::sync::Mutex;

use super::{Described, Failure, Form, Head, SqlQuery, binding};
use crate::limits::Limits;
#[cfg(feature = "postgres")]
use crate::server::postgres::{Outline, WorkerPlanner};
use crate::sql::spool::decode;
use crate::sql::{ColumnDescriptions as Descriptions, Database, NamedTable, Rows, Session};
use crate::tables::Dataset;

/// Sessions that are cached: four versions of the data, each for both SQL dialects.
const SESSIONS_MAX: NonZeroUsize = NonZeroUsize::new(8).unwrap();

pub struct LocalExecutor {
    folder: PathBuf,
    database: Database,
    /// By version, and whether for PostgreSQL clients.
    sessions: Mutex<LruCache<(u64, bool), Arc<Session>>>,
    #[cfg(feature = "postgres")]
    postgres: WorkerPlanner,
}

/// Plan of a query, and its session.
struct Planned {
    session: Arc<Session>,
    plan: LogicalPlan,
}

type Answer<T> = Result<T, Failure>;

impl LocalExecutor {
    /// Executes queries over the tables of a folder, and the given ones.
    pub fn new(folder: PathBuf, tables: Vec<NamedTable>, limits: Limits) -> Self {
        Self {
            folder,
            database: Database::new(limits).with_tables(tables),
            sessions: Mutex::new(LruCache::new(SESSIONS_MAX)),
            #[cfg(feature = "postgres")]
            postgres: WorkerPlanner::new(),
        }
    }

    /// Session at a version of the data; queries at the same version share it.
    ///
    /// # Errors
    /// If the tables cannot be read, or never had the version.
    pub async fn session(&self, version: u64, is_postgres: bool) -> Answer<Arc<Session>> {
        // Held while a session is opened, so that concurrent queries open it once.
        let mut sessions = self.sessions.lock().await;
        if let Some(session) = sessions.get(&(version, is_postgres)) {
            return Ok(Arc::clone(session));
        }
        let dataset = Dataset::open(&self.folder, Some(version)).await?;
        let dataset = dataset.ok_or_else(|| Failure::Bug("the version does not exist".into()))?;
        let session = self.database.session(&dataset)?;
        #[cfg(feature = "postgres")]
        if is_postgres {
            self.postgres.equip(&session)?;
        }
        let session = Arc::new(session);
        sessions.put((version, is_postgres), Arc::clone(&session));
        Ok(session)
    }

    /// Like [`super::QueryService::read`].
    ///
    /// # Errors
    /// For the same reasons.
    #[cfg(feature = "postgres")]
    pub fn read(&self, text: &str) -> Answer<Vec<Outline>> {
        self.postgres.read(text)
    }

    /// # Errors
    /// If the query cannot be planned, or not in time.
    pub async fn describe(&self, query: &SqlQuery) -> Answer<Described> {
        let open = self.planned(query).await?;
        #[cfg(feature = "postgres")]
        if let Form::Postgres(form) = &query.form {
            let is_repeatable = Session::is_repeatable(&open.plan);
            let typed = WorkerPlanner::typed(open.plan, form, &query.sql)?;
            let columns = open.session.columns(typed.plan);
            let (parameters, sent_as) = (Arc::new(Schema::empty()), typed.sent_as);
            return Ok(Described { columns, parameters, sent_as, is_repeatable });
        }
        let parameters = Arc::new(binding::parameters(&open.plan)?);
        let Planned { session, plan } = self.bound(open, query)?;
        let is_repeatable = Session::is_repeatable(&plan);
        Ok(Described { columns: session.columns(plan), parameters, sent_as: vec![], is_repeatable })
    }

    /// Completes when nothing of a finished query runs any more: producers may notice late that
    /// enough rows were read.
    #[cfg(unix)]
    pub async fn wait_until_idle(&self) {
        self.database.permits_available().await;
    }

    /// # Errors
    /// If the query cannot be planned or run, or exceeds a limit before the first row.
    pub async fn run(&self, query: &SqlQuery) -> Answer<(Head, Rows)> {
        let open = self.planned(query).await?;
        let Planned { session, plan } = self.bound(open, query)?;
        let head = Head {
            descriptions: Descriptions::from_plan(&plan).texts(),
            is_plan: matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)),
            is_repeatable: Session::is_repeatable(&plan),
        };
        let rows = session.run(plan, query.limits(session.limits())).await?;
        Ok((head, rows))
    }

    /// Plan with its parameters unbound.
    async fn planned(&self, query: &SqlQuery) -> Answer<Planned> {
        let session = self.session(query.version, query.is_postgres()).await?;
        let limits = query.limits(session.limits());
        let plan = match &query.form {
            #[cfg(feature = "postgres")]
            Form::Postgres(form) => {
                self.postgres.plan(&session, query.version, &query.sql, form).await?
            }
            _ => session.plan_within(&query.sql, limits).await?,
        };
        Ok(Planned { session, plan })
    }

    fn bound(&self, open: Planned, query: &SqlQuery) -> Answer<Planned> {
        let Planned { session, plan } = open;
        let plan = match &query.form {
            Form::Open => plan,
            Form::Json(values) => binding::with_json(&session, plan, values)?,
            Form::Row => binding::with_row(&session, plan, &decode(query.bytes.clone())?)?,
            #[cfg(feature = "postgres")]
            Form::Postgres(form) => {
                let (text, bytes) = (&query.sql, &query.bytes);
                WorkerPlanner::bind(&session, plan, form, text, bytes)?
            }
        };
        Ok(Planned { session, plan })
    }
}

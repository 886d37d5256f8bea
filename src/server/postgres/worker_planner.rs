//! Parses, plans and binds statements in a worker process, on behalf of the server.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::api::{ClientInfo, Type};
use datafusion_postgres::pgwire::error::PgWireResult;
use serde::{Deserialize, Serialize};

use super::super::queries::Failure;
use super::failure::{self, error, from_planning_error, to_failure};
use super::parameters::{self, Parameter};
use super::rewrite::ClientContext;
use super::session_setup::{self, SessionSetup};
use super::statement::{Outline, ParsedStatement, StatementParser, readings_for};
use crate::sql::{PlanCache, PlannedStatement, Session};

/// Everything but the text that planning a statement depends on, and its bound values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementContext {
    /// Index among the statements of the text.
    index: usize,
    /// Session settings, including the user.
    settings: HashMap<String, String>,
    /// OIDs of the types that the client declared for `$1` and so on.
    types: Vec<Option<u32>>,
    values: Option<Values>,
}

/// Lengths and formats of bound values; their bytes travel separately, concatenated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Values {
    /// `None` for a null.
    lengths: Vec<Option<usize>>,
    formats: Formats,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Formats {
    Text,
    Binary,
    Each(Vec<i16>),
}

impl StatementContext {
    pub fn new(index: usize, client: &impl ClientInfo, types: &[Option<Type>]) -> Self {
        let types = types.iter().map(|hint| hint.as_ref().map(Type::oid)).collect();
        Self { index, settings: client.metadata().clone(), types, values: None }
    }

    /// Adds the values of a portal; returns their bytes separately.
    pub fn bind<S>(&self, portal: &Portal<S>) -> (Self, Bytes)
    where
        S: Clone,
    {
        let lengths = portal.parameters.iter().map(|value| value.as_ref().map(Bytes::len));
        let formats = match &portal.parameter_format {
            Format::UnifiedText => Formats::Text,
            Format::UnifiedBinary => Formats::Binary,
            Format::Individual(each) => Formats::Each(each.clone()),
        };
        let values = Some(Values { lengths: lengths.collect(), formats });
        let bytes: Vec<_> = portal.parameters.iter().flatten().flatten().copied().collect();
        (Self { values, ..self.clone() }, bytes.into())
    }

    fn types(&self) -> Vec<Option<Type>> {
        self.types.iter().map(|hint| hint.and_then(Type::from_oid)).collect()
    }
}

impl Values {
    /// Restores the portal from the bytes.
    ///
    /// # Errors
    /// When there are fewer bytes than the lengths add up to.
    fn portal(&self, mut bytes: Bytes) -> PgWireResult<Portal<()>> {
        let statement = Arc::new(StoredStatement::default());
        let mut portal = Portal::new_cursor(String::new(), statement);
        portal.parameter_format = match &self.formats {
            Formats::Text => Format::UnifiedText,
            Formats::Binary => Format::UnifiedBinary,
            Formats::Each(each) => Format::Individual(each.clone()),
        };
        for length in &self.lengths {
            portal.parameters.push(match length {
                None => None,
                Some(length) if *length <= bytes.len() => Some(bytes.split_to(*length)),
                Some(_) => return Err(error("XX000", "values are shorter than their lengths")),
            });
        }
        Ok(portal)
    }
}

/// Plan of a query with typed nulls as values, and the OIDs of the parameter types.
pub struct TypedPlan {
    pub plan: LogicalPlan,
    pub sent_as: Vec<u32>,
}

/// Parsed text and its statements.
type Statements = (String, Arc<Vec<ParsedStatement>>);

pub struct WorkerPlanner {
    parser: StatementParser,
    setup: SessionSetup,
    /// The last text: it is parsed first, and then each of its statements runs.
    last_read: Mutex<Option<Statements>>,
    plans: PlanCache<PlanKey>,
}

/// Cache key of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PlanKey {
    version: u64,
    text: String,
    /// Context without values.
    context: StatementContext,
}

/// Hashes all but the context, whose settings have no order.
impl Hash for PlanKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.version, &self.text).hash(hasher);
    }
}

/// Longest text that is cached; longer ones are rarely written by hand or repeated.
const CACHED_TEXT_BYTES_MAX: usize = 16 << 10;

impl WorkerPlanner {
    pub fn new() -> Self {
        Self {
            parser: StatementParser::new(),
            setup: SessionSetup::default(),
            last_read: Mutex::default(),
            plans: PlanCache::default(),
        }
    }

    /// Adds the system tables and functions to a session.
    ///
    /// # Errors
    /// When its catalog cannot be extended.
    pub fn equip(&self, session: &Session) -> Result<(), Failure> {
        Ok(self.setup.equip(session.context()).map_err(crate::Error::from)?)
    }

    /// Parses the statements of a text.
    ///
    /// # Errors
    /// On a syntax error, with its position, or when nesting exceeds the limit.
    pub fn read(&self, text: &str) -> Result<Vec<Outline>, Failure> {
        let statements = self.statements(text).map_err(to_failure)?;
        Ok(statements.iter().map(Outline::from_parsed).collect())
    }

    fn statements(&self, text: &str) -> PgWireResult<Arc<Vec<ParsedStatement>>> {
        let last = lock(&self.last_read).clone();
        if let Some((_, statements)) = last.filter(|(read, _)| read == text) {
            return Ok(statements);
        }
        let statements = Arc::new(self.parser.read(text)?);
        if text.len() <= CACHED_TEXT_BYTES_MAX {
            *lock(&self.last_read) = Some((text.to_owned(), Arc::clone(&statements)));
        }
        Ok(statements)
    }

    /// Plans a statement over a session of that version; parameters stay placeholders. Cached.
    ///
    /// # Errors
    /// When planning fails; the error refers to the text as the client wrote it.
    pub async fn plan(
        &self,
        session: &Session,
        version: u64,
        text: &str,
        context: &StatementContext,
    ) -> Result<LogicalPlan, Failure> {
        let context = StatementContext { values: None, ..context.clone() };
        let key = PlanKey { version, text: text.to_owned(), context };
        if let Some(plan) = self.plans.find(&key) {
            return Ok(plan);
        }
        let PlannedStatement { plan, is_cacheable } =
            self.plan_uncached(session, &key).await.map_err(to_failure)?;
        if text.len() <= CACHED_TEXT_BYTES_MAX && is_cacheable {
            self.plans.insert(key, plan.clone());
        }
        Ok(plan)
    }

    async fn plan_uncached(
        &self,
        session: &Session,
        key: &PlanKey,
    ) -> PgWireResult<PlannedStatement> {
        let parsed = self.statements(&key.text)?.get(key.context.index).cloned();
        let parsed = parsed.ok_or_else(|| error("XX000", "a statement is not in its text"))?;
        let types = key.context.types();
        let client_context = ClientContext { settings: &key.context.settings, types: &types };
        let readings = readings_for(parsed, &client_context)?;
        let readings = readings.ok_or_else(|| error("XX000", "a command does not return rows"))?;
        session_setup::plan(session, &readings, &key.text).await
    }

    /// Resolves parameter types, so that the plan's columns are known.
    ///
    /// # Errors
    /// When a parameter is not numbered, or needs two types.
    pub fn typed(
        plan: LogicalPlan,
        context: &StatementContext,
        text: &str,
    ) -> Result<TypedPlan, Failure> {
        let typed = || -> PgWireResult<TypedPlan> {
            let parameters = parameters::from_plan(&plan, &context.types(), text)?;
            let typed = plan.clone().with_param_values(parameters::nulls(&parameters)?);
            let plan = typed.map_err(|wrong| from_planning_error(wrong, text))?;
            let number = |parameter: &Parameter| parameter.sent_as.oid();
            Ok(TypedPlan { plan, sent_as: parameters.iter().map(number).collect() })
        };
        typed().map_err(to_failure)
    }

    /// Replaces the placeholders by the bound values, if any.
    ///
    /// # Errors
    /// When the number of values differs, or one cannot be decoded as its type.
    pub fn bind(
        session: &Session,
        plan: LogicalPlan,
        context: &StatementContext,
        text: &str,
        bytes: &Bytes,
    ) -> Result<LogicalPlan, Failure> {
        let Some(values) = &context.values else { return Ok(plan) };
        let given = || -> PgWireResult<ParamValues> {
            let parameters = parameters::from_plan(&plan, &context.types(), text)?;
            let portal = values.portal(bytes.clone())?;
            parameters::bind_values(&portal, &parameters, session.zones())
        };
        let given = given().map_err(to_failure)?;
        Session::bind(plan, given).map_err(|wrong| to_failure(failure::from_error(wrong)))
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> StatementContext {
        StatementContext {
            index: 0,
            settings: HashMap::new(),
            types: vec![Some(25), None],
            values: None,
        }
    }

    #[test]
    fn values_survive_a_round_trip() {
        for (formats, parameters) in [
            (Format::UnifiedText, vec![Some("a"), None, Some(""), Some("bc")]),
            (Format::UnifiedBinary, vec![]),
            (Format::Individual(vec![0, 1]), vec![None, Some("é")]),
        ] {
            let mut portal =
                Portal::<()>::new_cursor(String::new(), Arc::new(StoredStatement::default()));
            portal.parameter_format = formats;
            portal.parameters = parameters.iter().map(|value| value.map(Bytes::from)).collect();
            let (context, bytes) = context().bind(&portal);
            let text = serde_json::to_string(&context).unwrap();
            let context: StatementContext = serde_json::from_str(&text).unwrap();
            let values = context.values.unwrap();
            let read = values.portal(bytes.clone()).unwrap();
            assert_eq!(read.parameters, portal.parameters);
            for at in 0..parameters.len() {
                let is_text = portal.parameter_format.is_text(at);
                assert_eq!(read.parameter_format.is_text(at), is_text);
            }
            if !bytes.is_empty() {
                assert!(values.portal(bytes.slice(1..)).is_err());
            }
        }
    }
}

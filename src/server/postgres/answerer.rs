//! Reads, plans and binds what clients of PostgreSQL ask; the server itself does none of that.

use std::collections::{HashMap, VecDeque};
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
use super::dialect::Client;
use super::failure::{self, error, of_planning, to_failure};
use super::parameters::{self, Parameter};
use super::sessions::{self, Sessions};
use super::statement::{Outline, Reader, Said, asked};
use crate::sql::{PlannedStatement, Session};

/// One statement of a text, who asks it, and the values that it is bound to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// Its place among the statements of the text.
    place: usize,
    /// What the client has set, with its user.
    set: HashMap<String, String>,
    /// Numbers of the types of `$1` and so on that the client says.
    types: Vec<Option<u32>>,
    values: Option<Values>,
}

/// Values as the client sent them; their bytes stand one after another beside this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// None of nulls.
    lengths: Vec<Option<usize>>,
    formats: Formats,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Formats {
    Text,
    Binary,
    Each(Vec<i16>),
}

impl Form {
    pub fn new(place: usize, client: &impl ClientInfo, types: &[Option<Type>]) -> Self {
        let types = types.iter().map(|said| said.as_ref().map(Type::oid)).collect();
        Self { place, set: client.metadata().clone(), types, values: None }
    }

    /// The same with the values of a portal, and their bytes.
    pub fn bound<S>(&self, portal: &Portal<S>) -> (Self, Bytes)
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
        self.types.iter().map(|said| said.and_then(Type::from_oid)).collect()
    }
}

impl Values {
    /// # Errors
    /// Where there are not as many bytes as the values have.
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
                Some(_) => return Err(error("XX000", "values are shorter than they are")),
            });
        }
        Ok(portal)
    }
}

/// What is described of a question: its plan with a null for each value, and the numbers of the types
/// as which they are sent.
pub struct Typed {
    pub plan: LogicalPlan,
    pub sent_as: Vec<u32>,
}

/// A text that was read, and its statements.
type Statements = (String, Arc<Vec<Said>>);

pub struct Answerer {
    reader: Reader,
    sessions: Sessions,
    /// The last one: a text is asked for its statements first, and then for the rows of each.
    read: Mutex<Option<Statements>>,
    plans: Mutex<VecDeque<(Asked, LogicalPlan)>>,
}

/// What a plan depends on.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    version: u64,
    text: String,
    /// Without values.
    form: Form,
}

/// Of texts whose statements or plans are kept: longer ones were rarely written by hand.
const KEPT_BYTES_MAX: usize = 16 << 10;
/// Plans that are kept, those asked for last: statements are prepared once and run often.
const PLANS_MAX: usize = 32;

impl Answerer {
    pub fn new() -> Self {
        Self {
            reader: Reader::new(),
            sessions: Sessions::default(),
            read: Mutex::default(),
            plans: Mutex::default(),
        }
    }

    /// Adds what clients of PostgreSQL look into.
    ///
    /// # Errors
    /// Where that cannot be planned.
    pub async fn equip(&self, session: &Session) -> Result<(), Failure> {
        Ok(self.sessions.equip(session).await.map_err(crate::Error::from)?)
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// Where it is not SQL, says where; where it is too deep.
    pub fn read(&self, text: &str) -> Result<Vec<Outline>, Failure> {
        let statements = self.statements(text).map_err(to_failure)?;
        Ok(statements.iter().map(Outline::from_said).collect())
    }

    fn statements(&self, text: &str) -> PgWireResult<Arc<Vec<Said>>> {
        let last = locked(&self.read).clone();
        if let Some((_, statements)) = last.filter(|(read, _)| read == text) {
            return Ok(statements);
        }
        let statements = Arc::new(self.reader.read(text)?);
        if text.len() <= KEPT_BYTES_MAX {
            *locked(&self.read) = Some((text.to_owned(), Arc::clone(&statements)));
        }
        Ok(statements)
    }

    /// The plan of a statement, its parameters open, over a session of that version.
    ///
    /// # Errors
    /// Where it cannot be planned, says what is wrong with the text as it was written.
    pub async fn plan(
        &self,
        session: &Session,
        version: u64,
        text: &str,
        form: &Form,
    ) -> Result<LogicalPlan, Failure> {
        let form = Form { values: None, ..form.clone() };
        let asked = Asked { version, text: text.to_owned(), form };
        if let Some(plan) = self.kept(&asked) {
            return Ok(plan);
        }
        let PlannedStatement { plan, is_cacheable } =
            self.planned(session, &asked).await.map_err(to_failure)?;
        if text.len() <= KEPT_BYTES_MAX && is_cacheable {
            let mut plans = locked(&self.plans);
            // Two that planned it at the same time have the same.
            plans.retain(|(of, _)| *of != asked);
            plans.truncate(PLANS_MAX - 1);
            plans.push_front((asked, plan.clone()));
        }
        Ok(plan)
    }

    fn kept(&self, asked: &Asked) -> Option<LogicalPlan> {
        let mut plans = locked(&self.plans);
        let at = plans.iter().position(|(of, _)| of == asked)?;
        let kept = plans.remove(at)?;
        let plan = kept.1.clone();
        plans.push_front(kept);
        Some(plan)
    }

    async fn planned(&self, session: &Session, question: &Asked) -> PgWireResult<PlannedStatement> {
        let said = self.statements(&question.text)?.get(question.form.place).cloned();
        let said = said.ok_or_else(|| error("XX000", "a statement is not in its text"))?;
        let types = question.form.types();
        let who = Client { set: &question.form.set, types: &types };
        let readings = asked(said, &who)?;
        let readings = readings.ok_or_else(|| error("XX000", "a command is asked for rows"))?;
        sessions::plan(session, &readings, &question.text).await
    }

    /// The plan as far as its columns depend on parameters.
    ///
    /// # Errors
    /// Where one is named otherwise than `$1`, or would have to be of two types.
    pub fn typed(plan: LogicalPlan, form: &Form, text: &str) -> Result<Typed, Failure> {
        let typed = || -> PgWireResult<Typed> {
            let parameters = parameters::of(&plan, &form.types(), text)?;
            let typed = plan.clone().with_param_values(parameters::nulls(&parameters)?);
            let plan = typed.map_err(|wrong| of_planning(wrong, text))?;
            let number = |parameter: &Parameter| parameter.sent_as.oid();
            Ok(Typed { plan, sent_as: parameters.iter().map(number).collect() })
        };
        typed().map_err(to_failure)
    }

    /// The plan with the values that are bound, if there are any.
    ///
    /// # Errors
    /// Where there are too many or too few, or one cannot be of its type.
    pub fn bound(
        session: &Session,
        plan: LogicalPlan,
        form: &Form,
        text: &str,
        bytes: &Bytes,
    ) -> Result<LogicalPlan, Failure> {
        let Some(values) = &form.values else { return Ok(plan) };
        let given = || -> PgWireResult<ParamValues> {
            let parameters = parameters::of(&plan, &form.types(), text)?;
            let portal = values.portal(bytes.clone())?;
            parameters::bound(&portal, &parameters, session.zones())
        };
        let given = given().map_err(to_failure)?;
        Session::bind(plan, given).map_err(|wrong| to_failure(failure::of(wrong)))
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form { place: 0, set: HashMap::new(), types: vec![Some(25), None], values: None }
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        for (formats, parameters) in [
            (Format::UnifiedText, vec![Some("a"), None, Some(""), Some("bc")]),
            (Format::UnifiedBinary, vec![]),
            (Format::Individual(vec![0, 1]), vec![None, Some("é")]),
        ] {
            let mut portal =
                Portal::<()>::new_cursor(String::new(), Arc::new(StoredStatement::default()));
            portal.parameter_format = formats;
            portal.parameters = parameters.iter().map(|value| value.map(Bytes::from)).collect();
            let (form, bytes) = form().bound(&portal);
            let text = serde_json::to_string(&form).unwrap();
            let form: Form = serde_json::from_str(&text).unwrap();
            let values = form.values.unwrap();
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

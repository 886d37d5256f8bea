//! Cache of plans of recent statements. Tools plan a statement to describe its columns, again to
//! execute it, and again to fetch rows.

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, Volatility};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Expr, ObjectNamePart, visit_expressions};
use lru::LruCache;

use super::read_only;

/// Maximum length of a statement whose plan is cached. Longer ones are rarely written by hand, and
/// their planning is small beside their execution.
pub const CACHED_TEXT_BYTES_MAX: usize = 4 << 10;
const PLANS_MAX: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// The plans used last, by all that they depend on.
pub struct PlanCache<K>(Mutex<LruCache<K, LogicalPlan>>);

impl<K: Eq + Hash> Default for PlanCache<K> {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(PLANS_MAX)))
    }
}

impl<K: Eq + Hash> PlanCache<K> {
    pub fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<LogicalPlan>
    where
        K: Borrow<Q>,
    {
        self.lock().get(key).cloned()
    }

    /// Two concurrent calls may have planned the same statement: the later plan stays.
    pub fn insert(&self, key: K, plan: LogicalPlan) {
        self.lock().put(key, plan);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, LogicalPlan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the statement always has this plan over the same data. The statement is examined
/// as well as the plan: arguments of table functions are already evaluated in the plan.
pub fn is_cacheable(statement: &Statement, plan: &LogicalPlan, state: &SessionState) -> bool {
    let Statement::Statement(plain) = statement else { return false };
    if !matches!(**plain, ast::Statement::Query(_)) || !read_only::is_repeatable(plan) {
        return false;
    }
    let asked = visit_expressions(plain, |expr| match expr {
        Expr::Function(call) if !is_immutable(call, state) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    asked.is_continue()
}

fn is_immutable(call: &ast::Function, state: &SessionState) -> bool {
    let name = call.name.0.last().and_then(ObjectNamePart::as_ident);
    let Some(name) = name.map(|name| name.value.to_lowercase()) else { return false };
    let scalar = state.scalar_functions().get(&name).map(|function| function.signature());
    let aggregate = || state.aggregate_functions().get(&name).map(|function| function.signature());
    let window = || state.window_functions().get(&name).map(|function| function.signature());
    let signature = scalar.or_else(aggregate).or_else(window);
    signature.is_some_and(|signature| signature.volatility == Volatility::Immutable)
}

#[cfg(test)]
mod tests {
    use super::super::tests::session;
    use crate::limits::Limits;

    #[track_caller]
    fn check(kept: bool, sql: &str) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_folder, session) = session(Limits::default()).await;
            let plan = session.plan(sql).await.unwrap();
            let held = session.cached_plan(sql);
            assert_eq!(held.is_some(), kept, "{sql}");
            assert!(held.is_none_or(|held| held == plan), "{sql}");
        });
    }

    #[test]
    fn plans_that_stay_the_same_are_kept() {
        check(true, "SELECT count(*) FROM polls WHERE store_id = $1");
        check(true, "SELECT lag(polled_at) OVER (ORDER BY polled_at), Lower(store_id) FROM polls");
        check(
            true,
            "SELECT date_trunc('day', starts_at) FROM uptime_by('hour', '2023-01-24', '2023-01-25')",
        );
    }

    #[test]
    fn plans_that_depend_on_the_time_are_not() {
        check(false, "SELECT now()");
        check(false, "SELECT CURRENT_DATE");
        check(false, "SELECT age('2023-01-24')");
        check(false, "SELECT random()");
        let until = "timestamptz '2023-01-24' + age('2023-01-24')";
        check(false, &format!("SELECT * FROM uptime('2023-01-23', {until})"));
        check(false, "SELECT * FROM uptime('2023-01-24', now())");
        check(false, "SELECT * FROM uptime('2023-01-24', \"now\"())");
        check(
            false,
            "SELECT * FROM uptime(current_timestamp - INTERVAL '1 hour', current_timestamp)",
        );
        check(false, "SELECT count(*) FROM polls WHERE polled_at > (SELECT Now())");
        check(false, "EXPLAIN SELECT now()");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_as_many_are_kept() {
        let (_folder, session) = session(Limits::default()).await;
        for at in 0..=super::PLANS_MAX.get() {
            session.plan(&format!("SELECT {at}")).await.unwrap();
        }
        assert!(session.cached_plan("SELECT 0").is_none());
        assert!(session.cached_plan("SELECT 1").is_some());
        let long = format!("SELECT '{}'", "x".repeat(super::CACHED_TEXT_BYTES_MAX));
        session.plan(&long).await.unwrap();
        assert!(session.cached_plan(&long).is_none());
    }
}

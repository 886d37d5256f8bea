//! Rewrites grouping by store id into grouping by store number: four bytes a row are hashed and
//! copied instead of a text. Ids are restored from the numbers of the groups.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::logical_plan::{Aggregate, Projection};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::planner::{STORE_ID, STORE_NO, StoreDirectory, TableFiles};

/// Replaces store ids by store numbers in `GROUP BY` and `count(DISTINCT …)`.
pub fn group_by_store_number(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
    Ok(by_number(aggregate)?.map_or(Transformed::no(plan), Transformed::yes))
}

/// Returns an equivalent plan that groups by numbers; `None` if no id is grouped by or counted.
fn by_number(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    if aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
        return Ok(None);
    }
    let input = &aggregate.input;
    let mut groups = Vec::new();
    // Output expression for each column of the aggregate.
    let mut outputs = Vec::new();
    for expr in &aggregate.group_expr {
        let number = match expr {
            Expr::Column(id) => number_of(input, id),
            _ => None,
        };
        let (group, stores) = match number {
            Some((number, stores)) => (Expr::Column(number), Some(stores)),
            None => (expr.clone(), None),
        };
        let place = groups.iter().position(|other| *other == group).unwrap_or(groups.len());
        if place == groups.len() {
            groups.push(group);
        }
        outputs.push((place, stores));
    }
    let mut folds = Vec::new();
    for expr in &aggregate.aggr_expr {
        outputs.push((groups.len() + folds.len(), None));
        folds.push(counted(expr.clone(), input)?);
    }
    if groups == aggregate.group_expr && folds == aggregate.aggr_expr {
        return Ok(None);
    }
    let made = LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(input), groups, folds)?);
    let named = outputs.into_iter().zip(aggregate.schema.iter());
    let columns = named.map(|((place, stores), (table, field))| {
        let made = Expr::Column(Column::from(made.schema().qualified_field(place)));
        let value = match stores {
            Some(stores) => ScalarUDF::from(StoreId::new(stores)).call(vec![made]),
            None => made,
        };
        value.alias_qualified(table.cloned(), field.name())
    });
    let columns = columns.collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(made))?)))
}

/// A column of store numbers, with the directory that maps them to ids.
type Number = (Column, Arc<StoreDirectory>);

/// Rewrites `count(DISTINCT id)` to count numbers; other expressions are returned unchanged.
fn counted(fold: Expr, input: &LogicalPlan) -> Result<Expr> {
    let name = fold.schema_name().to_string();
    let counted = fold.transform_up(|expr| {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let [Expr::Column(id)] = params.args.as_slice() else { return Ok(Transformed::no(expr)) };
        if !(func.name() == "count" && params.distinct) {
            return Ok(Transformed::no(expr));
        }
        let Some((number, _)) = number_of(input, id) else { return Ok(Transformed::no(expr)) };
        let args = vec![Expr::Column(number)];
        let params = AggregateFunctionParams { args, ..params.clone() };
        let func = Arc::clone(func);
        Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
    });
    // The numbers may already be counted under their own name.
    counted?.data.alias_if_changed(name)
}

/// Returns the column of store numbers that corresponds to a column of ids. `None` if the plan has
/// none, or if the ids do not come unchanged from a table with a store directory.
///
/// Columns are traced by position: below an alias, two may have one name.
fn number_of(plan: &LogicalPlan, id: &Column) -> Option<Number> {
    let place = plan.schema().maybe_index_of_column(id)?;
    let at = |place: usize| Column::from(plan.schema().qualified_field(place));
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            let stores = provider.downcast_ref::<TableFiles>()?.stores()?;
            let number = Column::new(Some(scan.table_name.clone()), STORE_NO);
            let gives_both = id.name == STORE_ID && plan.schema().has_column(&number);
            gives_both.then(|| (number, Arc::clone(stores)))
        }
        LogicalPlan::Filter(filter) => number_of(&filter.input, id),
        LogicalPlan::Sort(sort) => number_of(&sort.input, id),
        LogicalPlan::Limit(limit) => number_of(&limit.input, id),
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = alias.input.schema();
            let (number, stores) =
                number_of(&alias.input, &Column::from(inner.qualified_field(place)))?;
            Some((at(inner.maybe_index_of_column(&number)?), stores))
        }
        LogicalPlan::Projection(projection) => {
            let of = |expr: &Expr| match expr.clone().unalias_nested().data {
                Expr::Column(column) => Some(column),
                _ => None,
            };
            let (number, stores) = number_of(&projection.input, &of(&projection.expr[place])?)?;
            let given = projection.expr.iter().position(|expr| of(expr).as_ref() == Some(&number));
            Some((at(given?), stores))
        }
        LogicalPlan::Join(join) => {
            let mut sides = [&join.left, &join.right].into_iter();
            let side = sides.find(|side| side.schema().has_column(id))?;
            let (number, stores) = number_of(side, id)?;
            plan.schema().has_column(&number).then_some((number, stores))
        }
        _ => None,
    }
}

/// Scalar function from store number to store id, for one version of the data.
#[derive(Debug)]
struct StoreId {
    stores: Arc<StoreDirectory>,
    signature: Signature,
}

impl StoreId {
    fn new(stores: Arc<StoreDirectory>) -> Self {
        let signature = Signature::exact(vec![DataType::Int32], Volatility::Immutable);
        Self { stores, signature }
    }
}

impl PartialEq for StoreId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stores, &other.stores)
    }
}

impl Eq for StoreId {}

impl Hash for StoreId {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        Arc::as_ptr(&self.stores).hash(hasher);
    }
}

impl ScalarUDFImpl for StoreId {
    fn name(&self) -> &str {
        STORE_ID
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields[0].is_nullable();
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(self.stores.ids_of(numbers[0].as_primitive::<Int32Type>())?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::util::pretty::pretty_format_batches;

    use super::super::Session;
    use super::super::tests::session;
    use crate::limits::Limits;

    async fn answer(session: &Session, sql: &str) -> Vec<RecordBatch> {
        let plan = session.plan(sql).await.unwrap();
        session.run(plan, Limits::default()).await.unwrap().collect().await.unwrap().0
    }

    /// Queries by the number of id columns that the optimised plan restores from numbers.
    const QUERIES: &[(usize, &[&str])] = &[
        (
            1,
            &[
                "SELECT ID AS id, count(*) FROM polls GROUP BY ID ORDER BY 1",
                "SELECT ID AS id, polled_on, max(polled_at) FROM polls GROUP BY 1, 2 ORDER BY 1, 2",
                "SELECT p.ID AS id, count(*) FROM polls p WHERE p.active GROUP BY p.ID ORDER BY 1",
                "SELECT ID AS id, store_no, count(*) FROM polls GROUP BY ID, 2 ORDER BY 1",
                "SELECT ID AS id FROM polls GROUP BY ID HAVING count(*) > 40 ORDER BY 1",
                "SELECT id, count(*) FROM (SELECT ID AS id, store_no, active FROM polls) \
                 WHERE active GROUP BY id ORDER BY 1",
                "SELECT x.id, count(*) FROM (SELECT store_no AS n, ID AS id FROM polls) AS x \
                 GROUP BY x.id ORDER BY 1",
                "SELECT s.ID AS id, count(p.polled_at) FROM stores s \
                 LEFT JOIN polls p ON p.store_no = s.store_no AND p.active GROUP BY s.ID ORDER BY 1",
                "SELECT p.ID AS id, count(*) FROM stores s \
                 LEFT JOIN polls p ON p.store_no = s.store_no AND s.store_no < 3 \
                 GROUP BY p.ID ORDER BY 1",
                "SELECT store_id FROM stores WHERE store_id IN \
                 (SELECT ID AS id FROM polls GROUP BY ID HAVING count(*) > 40) ORDER BY 1",
            ],
        ),
        (
            2,
            &[
                "SELECT p.ID AS id, h.ID AS other, count(*) FROM polls p \
               JOIN business_hours h ON h.store_no = p.store_no + 1 GROUP BY 1, 2 ORDER BY 1, 2",
                "SELECT a, b, count(*) FROM (SELECT ID AS a, store_no AS n FROM polls), \
                 (SELECT ID AS b, store_no AS m FROM polls) WHERE n = m AND n < 3 \
                 GROUP BY a, b ORDER BY 1, 2",
            ],
        ),
        (
            1,
            &[
                "SELECT p.ID AS id, count(*) FROM stores s JOIN stores p \
                 ON p.store_no = s.store_no + 1 GROUP BY p.ID ORDER BY 1",
                "SELECT x.id, max(x.n), max(x.m) FROM (SELECT p.ID AS id, s.store_no AS n, \
                 p.store_no AS m FROM stores s JOIN stores p ON p.store_no = s.store_no + 1) x \
                 GROUP BY x.id ORDER BY 1",
                "SELECT x.id, max(x.store_no) FROM ((SELECT ID AS id, store_no AS n FROM stores) l \
                 JOIN stores p ON p.store_no = l.n + 1 AND l.n < 4) AS x GROUP BY x.id ORDER BY 1",
                "SELECT x.other, count(*) FROM (SELECT *, p.ID AS other FROM stores s \
                 JOIN business_hours p ON p.store_no = s.store_no + 1 AND s.store_no < 3) x \
                 GROUP BY x.other ORDER BY 1",
            ],
        ),
        (
            0,
            &[
                "WITH pairs AS (SELECT s.ID AS a, t.ID AS b FROM stores s \
                 JOIN stores t ON t.store_no > s.store_no WHERE t.store_no < 4) \
                 SELECT a, b, count(*) FROM pairs GROUP BY a, b ORDER BY 1, 2",
                "SELECT x.id, count(*) FROM (SELECT p.ID AS id, s.store_no FROM stores s \
                 JOIN stores p ON p.store_no = s.store_no + 1 WHERE s.store_no < 4) x \
                 GROUP BY x.id ORDER BY 1",
                "SELECT count(DISTINCT a) AS n, count(DISTINCT b) AS m FROM (SELECT s.ID AS a, \
                 t.ID AS b FROM stores s JOIN stores t ON t.store_no = s.store_no % 10) x",
                "SELECT a, count(*) FROM (SELECT ID AS a FROM polls WHERE store_no < 3) \
                 JOIN (SELECT 7 AS store_no) ON true GROUP BY a ORDER BY 1",
                "SELECT polled_on, count(DISTINCT ID) AS n FROM polls GROUP BY 1 ORDER BY 1",
                "SELECT count(DISTINCT ID) FILTER (WHERE active) AS n, min(ID) AS id FROM polls",
                "SELECT count(DISTINCT ID) AS n, count(DISTINCT store_no) AS m FROM polls",
                "SELECT polled_on, sum(n) FROM (SELECT ID AS id, polled_on, count(*) AS n \
                 FROM polls GROUP BY 1, 2) GROUP BY 1 ORDER BY 1",
                "SELECT ID AS id, active, count(*) FROM polls GROUP BY ROLLUP (ID, active) ORDER BY 1, 2",
                "SELECT id, count(*) FROM (SELECT ID AS id, 7 AS store_no FROM polls) AS p \
                 GROUP BY id ORDER BY 1",
                "SELECT upper(ID) AS id, count(*) FROM polls GROUP BY 1 ORDER BY 1",
            ],
        ),
    ];

    /// A query has the same answer over ids as over texts computed from them, which have no
    /// numbers.
    #[tokio::test(flavor = "multi_thread")]
    async fn ids_come_back() {
        let (_folder, session) = session(Limits::default()).await;
        let queries =
            QUERIES.iter().flat_map(|(ids, queries)| queries.iter().map(|sql| (*ids, sql)));
        for (ids, sql) in queries {
            let named = sql.replace("ID", "store_id");
            let made = sql.replace("ID", "store_id || ''");
            let plan = session.plan(&named).await.unwrap();
            let plan = session.context().state().optimize(&plan).unwrap();
            let found = plan.display_indent().to_string().matches("store_id(").count();
            assert_eq!(found, ids, "{sql}\n{plan}");
            let [named, made] = [answer(&session, &named).await, answer(&session, &made).await];
            let shown = [&named, &made].map(|rows| {
                let shown = pretty_format_batches(rows).unwrap().to_string();
                shown.lines().skip(3).collect::<Vec<_>>().join("\n")
            });
            assert_eq!(shown[0], shown[1], "{sql}");
            assert!(named.iter().any(|rows| rows.num_rows() > 0), "{sql}");
        }
    }
}

//! Groups by the ids of stores as groups by their numbers: four bytes a row are hashed and moved in
//! place of a text. Ids come back once the groups are made.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::logical_plan::{Aggregate, Projection, SubqueryAlias, TableScan};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::engine::{STORE_ID, STORE_NO, Stores, TableFiles};

/// Puts numbers in the place of ids wherever rows are grouped by ids, or ids counted.
#[derive(Debug)]
pub struct ByNumber;

impl AnalyzerRule for ByNumber {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
            Ok(match by_number(aggregate)? {
                Some(same) => Transformed::yes(same),
                None => Transformed::no(plan),
            })
        });
        rewritten.map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "by_number"
    }
}

/// The same rows, made by numbers; `None` where no id is grouped by or counted.
fn by_number(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    if aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
        return Ok(None);
    }
    let mut numbers = Numbers { input: Arc::clone(&aggregate.input), found: HashMap::new() };
    let mut groups = Vec::new();
    // What each column of the aggregate is now.
    let mut outputs = Vec::new();
    for expr in &aggregate.group_expr {
        let number = match expr {
            Expr::Column(id) => numbers.of(id)?,
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
        folds.push(numbers.counted(expr.clone())?);
    }
    if numbers.found.values().all(Option::is_none) {
        return Ok(None);
    }
    let made = LogicalPlan::Aggregate(Aggregate::try_new(numbers.input, groups, folds)?);
    let named = outputs.into_iter().zip(aggregate.schema.iter());
    let columns = named.map(|((place, stores), (table, field))| {
        let made = Expr::Column(Column::from(made.schema().qualified_field(place)));
        let value = match stores {
            Some(stores) => ScalarUDF::from(StoreId::of(stores)).call(vec![made]),
            None => made,
        };
        value.alias_qualified(table.cloned(), field.name())
    });
    let columns = columns.collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(made))?)))
}

/// Column of numbers, and the stores that have them.
type Number = (Column, Arc<Stores>);

/// The input of an aggregate, which gives numbers beside the ids that were asked for.
struct Numbers {
    input: Arc<LogicalPlan>,
    found: HashMap<Column, Option<Number>>,
}

impl Numbers {
    fn of(&mut self, id: &Column) -> Result<Option<Number>> {
        if let Some(found) = self.found.get(id) {
            return Ok(found.clone());
        }
        let found = numbered(&self.input, id)?.map(|(input, number)| {
            self.input = Arc::new(input);
            number
        });
        self.found.insert(id.clone(), found.clone());
        Ok(found)
    }

    /// `count(DISTINCT id)` as the count of numbers; anything else as it is.
    fn counted(&mut self, fold: Expr) -> Result<Expr> {
        let name = fold.schema_name().to_string();
        let counted = fold.transform_up(|expr| {
            let Expr::AggregateFunction(AggregateFunction { func, params }) = &expr else {
                return Ok(Transformed::no(expr));
            };
            let [Expr::Column(id)] = params.args.as_slice() else {
                return Ok(Transformed::no(expr));
            };
            if !(func.name() == "count" && params.distinct) {
                return Ok(Transformed::no(expr));
            }
            let Some((number, _)) = self.of(id)? else { return Ok(Transformed::no(expr)) };
            let args = vec![Expr::Column(number)];
            let params = AggregateFunctionParams { args, ..params.clone() };
            let func = Arc::clone(func);
            Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
        });
        // The numbers may be counted already, under their own name.
        counted?.data.alias_if_changed(name)
    }
}

/// The plan with a column of the numbers that belong to the ids; `None` where the ids are not simply
/// those of a table that knows its stores.
fn numbered(plan: &LogicalPlan, id: &Column) -> Result<Option<(LogicalPlan, Number)>> {
    let of_input = |input: &LogicalPlan| -> Result<Option<(LogicalPlan, Number)>> {
        let Some((input, number)) = numbered(input, id)? else { return Ok(None) };
        Ok(Some((plan.with_new_exprs(plan.expressions(), vec![input])?, number)))
    };
    match plan {
        LogicalPlan::TableScan(scan) => Ok(number_of_scan(plan, scan, id)),
        LogicalPlan::Filter(filter) => of_input(&filter.input),
        LogicalPlan::Sort(sort) => of_input(&sort.input),
        LogicalPlan::Limit(limit) => of_input(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => numbered_alias(alias, id),
        LogicalPlan::Projection(projection) => numbered_projection(projection, id),
        LogicalPlan::Join(join) => {
            let sides = [&join.left, &join.right];
            for (place, side) in sides.into_iter().enumerate() {
                if !(side.schema().has_column(id) && plan.schema().has_column(id)) {
                    continue;
                }
                let Some((side, number)) = numbered(side, id)? else { return Ok(None) };
                let mut inputs = sides.map(|side| side.as_ref().clone());
                inputs[place] = side;
                let joined = plan.with_new_exprs(plan.expressions(), inputs.to_vec())?;
                return Ok(joined.schema().has_column(&number.0).then_some((joined, number)));
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn number_of_scan(
    plan: &LogicalPlan,
    scan: &TableScan,
    id: &Column,
) -> Option<(LogicalPlan, Number)> {
    let provider = source_as_provider(&scan.source).ok()?;
    let stores = provider.downcast_ref::<TableFiles>()?.stores()?;
    let number = Column::new(Some(scan.table_name.clone()), STORE_NO);
    let gives_both = id.name == STORE_ID && scan.projected_schema.has_column(&number);
    gives_both.then(|| (plan.clone(), (number, Arc::clone(stores))))
}

fn numbered_alias(alias: &SubqueryAlias, id: &Column) -> Result<Option<(LogicalPlan, Number)>> {
    let Some(inner) = same_place(&alias.schema, id, alias.input.schema()) else { return Ok(None) };
    let Some((input, (number, stores))) = numbered(&alias.input, &inner)? else { return Ok(None) };
    // A name that two columns have would name neither.
    let Ok(aliased) = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone()) else {
        return Ok(None);
    };
    let number = Column::new(Some(alias.alias.clone()), number.name);
    Ok(Some((LogicalPlan::SubqueryAlias(aliased), (number, stores))))
}

fn numbered_projection(
    projection: &Projection,
    id: &Column,
) -> Result<Option<(LogicalPlan, Number)>> {
    let Some(place) = projection.schema.maybe_index_of_column(id) else { return Ok(None) };
    let Expr::Column(inner) = projection.expr[place].clone().unalias_nested().data else {
        return Ok(None);
    };
    let Some((input, (number, stores))) = numbered(&projection.input, &inner)? else {
        return Ok(None);
    };
    let mut columns = projection.expr.clone();
    let number = Expr::Column(number);
    let given = columns.iter().position(|column| *column == number);
    if given.is_none() {
        columns.push(number);
    }
    // A name that two columns have would name neither.
    let Ok(projected) = Projection::try_new(columns, Arc::new(input)) else { return Ok(None) };
    let place = given.unwrap_or(projection.expr.len());
    let number = Column::from(projected.schema.qualified_field(place));
    Ok(Some((LogicalPlan::Projection(projected), (number, stores))))
}

/// The column that lies in the one schema where the other column lies in its own.
fn same_place(outer: &DFSchema, column: &Column, inner: &DFSchema) -> Option<Column> {
    let place = outer.maybe_index_of_column(column)?;
    Some(Column::from(inner.qualified_field(place)))
}

/// The id of a store by its number, of one version of the data.
#[derive(Debug)]
struct StoreId {
    stores: Arc<Stores>,
    signature: Signature,
}

impl StoreId {
    fn of(stores: Arc<Stores>) -> Self {
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

    use super::super::Limits;
    use super::super::Session;
    use super::super::rows::tests::session;

    async fn answer(session: &Session, sql: &str) -> Vec<RecordBatch> {
        let plan = session.plan(sql).await.unwrap();
        session.run(plan, Limits::default()).await.unwrap().collect().await.unwrap().0
    }

    /// By how many columns of ids the optimised plan finds by numbers.
    const QUERIES: &[(usize, &[&str])] = &[
        (
            1,
            &[
                "SELECT ID AS id, count(*) FROM polls GROUP BY ID ORDER BY 1",
                "SELECT ID AS id, polled_on, max(polled_at) FROM polls GROUP BY 1, 2 ORDER BY 1, 2",
                "SELECT p.ID AS id, count(*) FROM polls p WHERE p.active GROUP BY p.ID ORDER BY 1",
                "SELECT ID AS id, store_no, count(*) FROM polls GROUP BY ID, 2 ORDER BY 1",
                "SELECT ID AS id FROM polls GROUP BY ID HAVING count(*) > 40 ORDER BY 1",
                "SELECT id, count(*) FROM (SELECT ID AS id, active FROM polls) WHERE active \
                 GROUP BY id ORDER BY 1",
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
            &["SELECT p.ID AS id, h.ID AS other, count(*) FROM polls p \
               JOIN business_hours h ON h.store_no = p.store_no GROUP BY 1, 2 ORDER BY 1, 2"],
        ),
        (
            0,
            &[
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

    /// Each query gives the same whether it names ids or texts that are made of them, which have no
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

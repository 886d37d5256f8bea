//! Descriptions of columns, with units: columns of table functions and of query results.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::logical_expr::LogicalPlan;

use super::table_descriptions;

/// Metadata key of a field under which its description stands.
const DESCRIPTION: &str = "description";

/// Function, column, description.
const COLUMNS: [(&str, &str, &str); 45] = [
    ("uptime", "store_id", STORE_ID),
    ("uptime", "open", OPEN),
    ("uptime", "up", UP),
    ("uptime", "down", DOWN),
    ("uptime", "unknown", UNKNOWN),
    ("uptime", "uptime_pct", UPTIME_PCT),
    ("uptime", "coverage_pct", COVERAGE_PCT),
    ("uptime", "polls", "number of polls in the range"),
    ("uptime", "incidents", "number of outages with open time in the range"),
    ("uptime", "longest", LONGEST),
    ("uptime_by", "store_id", STORE_ID),
    ("uptime_by", "bucket", "local time at which the bucket starts"),
    ("uptime_by", "starts_at", "its start within the range, UTC"),
    ("uptime_by", "ends_at", "its end within the range, UTC, exclusive"),
    ("uptime_by", "open", OPEN),
    ("uptime_by", "up", UP),
    ("uptime_by", "down", DOWN),
    ("uptime_by", "unknown", UNKNOWN),
    ("uptime_by", "uptime_pct", UPTIME_PCT),
    ("uptime_by", "coverage_pct", COVERAGE_PCT),
    ("uptime_by", "polls", "number of polls in the bucket"),
    ("uptime_by", "incidents", "number of outages with open time in the bucket"),
    ("uptime_by", "longest", LONGEST),
    ("uptime_by", "utc_offset", "offset of the clock at starts_at, as -06:00"),
    ("states", "store_id", STORE_ID),
    ("states", "starts_at", "start of the state, UTC"),
    ("states", "ends_at", "end of the state, UTC, exclusive"),
    ("states", "state", "up, down, unknown or closed"),
    (
        "states",
        "origin",
        "observed, carried or backfilled; null if closed, or without evidence from polls",
    ),
    ("incidents", "store_id", STORE_ID),
    ("incidents", "starts_at", "start of the outage, UTC"),
    ("incidents", "ends_at", "end of the outage, UTC, exclusive"),
    ("incidents", "starts_local", "start by the clock of the store, with its offset"),
    ("incidents", "ends_local", "end by the clock of the store, with its offset"),
    ("incidents", "downtime", "scheduled open time in the outage, microseconds"),
    ("incidents", "is_open", "true if the outage continues at the end of the range"),
    ("openings", "store_id", STORE_ID),
    ("openings", "starts_at", "opening, UTC"),
    ("openings", "ends_at", "closing, UTC, exclusive"),
    ("uptime", "", "how long each store was up, down and unknown while it should have been open"),
    ("uptime_by", "", "the same for each store and bucket of the clock, like day or 5 minutes"),
    ("states", "", "the state of each store, segment by segment and without gaps"),
    ("incidents", "", "the outages of each store; closed hours do not split one"),
    ("openings", "", "when each store should be open, united"),
    ("as_of", "", "a table as it was at a version of the data, or at an instant"),
];

const STORE_ID: &str = "the store, as its files name it";
const OPEN: &str = "scheduled open time, microseconds; up + down + unknown, exactly";
const UP: &str = "open time in which the store was up, microseconds";
const DOWN: &str = "open time in which the store was down, microseconds";
const UNKNOWN: &str = "open time not covered by any poll, microseconds";
const UPTIME_PCT: &str = "up / (up + down), percent with two decimals; null where both are 0";
const COVERAGE_PCT: &str = "(up + down) / open, percent with two decimals; null where open is 0";
const LONGEST: &str = "downtime of the longest outage, microseconds; null without one";

/// Rows of `internal.descriptions` for table functions. An empty column name describes the function
/// itself.
pub fn descriptions() -> impl Iterator<Item = [String; 3]> {
    COLUMNS.into_iter().map(|row| <[&str; 3]>::from(row).map(str::to_owned))
}

/// Columns of a table function with their descriptions, in output order.
pub fn columns_of(function: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_it = COLUMNS.into_iter().filter(move |(name, ..)| *name == function);
    of_it.filter(|(_, column, _)| !column.is_empty()).map(|(_, column, told)| (column, told))
}

/// Description of each result column, in order; `None` for columns that are computed or renamed.
pub struct ColumnDescriptions(Vec<Option<Cow<'static, str>>>);

impl ColumnDescriptions {
    /// Takes the descriptions from the tables and table functions whose columns the plan passes
    /// through.
    pub fn from_plan(plan: &LogicalPlan) -> Self {
        let column = |(table, field): (Option<&TableReference>, &Arc<Field>)| {
            let (table, name) = (table?.table(), field.name());
            let unknown_function = COLUMNS.into_iter().find(|row| (row.0, row.1) == (table, name));
            unknown_function
                .map(|row| row.2)
                .or_else(|| table_descriptions::description(table, name))
        };
        let columns = plan.schema().iter().map(column);
        Self(columns.map(|told| told.map(Cow::Borrowed)).collect())
    }

    /// Inverse of [`Self::texts`].
    pub fn from_texts(texts: Vec<Option<String>>) -> Self {
        Self(texts.into_iter().map(|told| told.map(Cow::Owned)).collect())
    }

    pub fn texts(self) -> Vec<Option<String>> {
        self.0.into_iter().map(|told| told.map(Cow::into_owned)).collect()
    }

    /// Returns the schema with the descriptions in the metadata of its fields.
    pub fn schema(&self, schema: &Schema) -> SchemaRef {
        let field = |(field, told): (&Arc<Field>, Option<&Option<Cow<'static, str>>>)| {
            let Some(Some(told)) = told else { return Arc::clone(field) };
            let mut metadata = field.metadata().clone();
            metadata.insert(DESCRIPTION.to_owned(), told.to_string());
            Arc::new(field.as_ref().clone().with_metadata(metadata))
        };
        let told = self.0.iter().map(Some).chain(std::iter::repeat(None));
        let fields: Vec<_> = schema.fields().iter().zip(told).map(field).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::function_docs::documented;
    use super::super::tests::session;
    use super::*;
    use crate::functions::documented::Kind;
    use crate::limits::Limits;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_column_of_a_table_function_is_described_in_its_order() {
        let limits = Limits::default();
        let (_folder, session) = session(limits).await;
        for function in documented().filter(|function| function.kind == Kind::Table) {
            let name = function.name;
            let arguments = match name {
                // Its columns are those of the table.
                "as_of" => continue,
                "uptime_by" => "'day'",
                _ => "",
            };
            let plan = session.plan(&format!("SELECT * FROM {name}({arguments})")).await.unwrap();
            let columns: Vec<_> =
                plan.schema().fields().iter().map(|field| field.name().clone()).collect();
            let described: Vec<_> = columns_of(name).map(|(column, _)| column).collect();
            assert_eq!(described, columns, "{name}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_tells_what_its_columns_hold() {
        let (_folder, session) = session(Limits::default()).await;
        for (sql, expected) in [
            (
                "SELECT up, up / 2 AS half, up AS other FROM uptime()",
                [true, false, false].as_slice(),
            ),
            ("SELECT polled_at, store_id FROM polls ORDER BY 1 LIMIT 1", &[true, true]),
            ("SELECT count(*) FROM polls", &[false]),
        ] {
            let plan = session.plan(sql).await.unwrap();
            let described = ColumnDescriptions::from_plan(&plan);
            let rows = session.run(plan, Limits::default()).await.unwrap();
            let schema = described.schema(&rows.schema());
            let found: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.metadata().contains_key(DESCRIPTION))
                .collect();
            assert_eq!(found, expected, "{sql}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        for (function, column, told) in COLUMNS {
            if ["open", "up", "down", "unknown", "longest", "downtime"].contains(&column) {
                assert!(told.contains("microseconds"), "{function}.{column}");
            }
            if column.ends_with("_pct") {
                assert!(told.contains("percent"), "{function}.{column}");
            }
            if column.ends_with("_at") {
                assert!(told.contains("UTC"), "{function}.{column}");
            }
        }
    }
}

//! In-process script connection: a session as every entry point uses it.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput};
use uptally::{Database, Dataset, Limits, Session};

use super::value::{Kind, Value};

pub struct SessionConnection(Session);

impl SessionConnection {
    pub async fn open(dataset: &Dataset) -> uptally::Result<Self> {
        let database = Database::new(Limits::default());
        database.session(dataset).map(Self)
    }
}

#[async_trait]
impl AsyncDB for SessionConnection {
    type Error = uptally::Error;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> uptally::Result<DBOutput<Kind>> {
        let plan = self.0.plan(sql).await?;
        let rows = self.0.run(plan, self.0.limits()).await?;
        let kinds =
            rows.schema().fields().iter().map(|f| Kind::from_arrow(f.data_type())).collect();
        let (batches, is_cut) = rows.collect().await?;
        assert!(!is_cut, "{sql}: more rows than the limit");
        let of_batch = |batch: &arrow::array::RecordBatch| {
            let columns = batch.columns();
            let of_row =
                |row| columns.iter().map(|c| Value::from_arrow(c, row).to_string()).collect();
            (0..batch.num_rows()).map(of_row).collect::<Vec<_>>()
        };
        Ok(DBOutput::Rows { types: kinds, rows: batches.iter().flat_map(of_batch).collect() })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "session"
    }
}

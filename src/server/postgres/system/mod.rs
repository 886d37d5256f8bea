//! PostgreSQL's system schemas, `pg_catalog` and `information_schema`, and system functions.
//!
//! A hidden schema holds static tables and those derived from the newest session's catalogs. The
//! two visible schemas are SQL views over it. All are built when a query first names one of them:
//! most queries do not, and decoding and planning would delay each process that starts.

mod constant_functions;
mod introspection;
mod newest_catalogs;
mod session_functions;
mod static_tables;
mod system_schema;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int16Array, Int32Array, RecordBatch, StringArray};
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, MemTable, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider,
};

use self::newest_catalogs::{NamedSchemas, NewestCatalogs};
pub use self::system_schema::SystemTables;
use super::settings;
use crate::sql::{CATALOG, SCHEMA, descriptions_of_tables};

const STORED: &str = "stored";
const INFORMATION_SCHEMA: &str = "information_schema";

/// Visible schemas with the SQL of their views.
const SCHEMAS: [(&str, &str); 2] = [
    ("pg_catalog", include_str!("pg_catalog.sql")),
    (INFORMATION_SCHEMA, include_str!("information_schema.sql")),
];

/// Tables behind `SHOW FUNCTIONS`, in [`INFORMATION_SCHEMA`].
const FUNCTION_TABLES: [&str; 2] = ["parameters", "routines"];

/// System tables once built; they reflect the catalogs at the time of reading.
struct BuiltTables {
    /// Context in which the views were planned.
    context: SessionContext,
    /// Tables that assign OIDs, in the order in which they must be read.
    numbering: Vec<Arc<dyn TableProvider>>,
    schemas: NamedSchemas,
}

impl BuiltTables {
    async fn new(
        newest: &NewestCatalogs,
        functions: &Arc<introspection::Functions>,
    ) -> Result<Self> {
        let tables = functions.static_tables.decoded()?;
        let stored =
            PgCatalogSchemaProvider::try_new(newest.clone(), tables, EmptyContextProvider)?;
        let context = planner(functions);
        let catalog: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
        context.register_catalog(CATALOG, Arc::clone(&catalog));
        let visible = Arc::new(MemorySchemaProvider::new());
        let hidden = Arc::new(MemorySchemaProvider::new());
        for name in PG_CATALOG_TABLES {
            if let Some(table) = stored.table(name).await? {
                visible.register_table((*name).to_owned(), Arc::clone(&table))?;
                hidden.register_table((*name).to_owned(), table)?;
            }
        }
        let mut numbering = Vec::new();
        for name in ["pg_database", "pg_namespace", "pg_class"] {
            numbering.extend(stored.table(name).await?);
        }
        hidden.register_table("settings".to_owned(), table(settings_rows()?)?)?;
        hidden.register_table("functions".to_owned(), table(functions_rows(functions)?)?)?;
        hidden.register_table("descriptions".to_owned(), table(descriptions_rows()?)?)?;
        catalog.register_schema(STORED, hidden)?;
        let mut schemas = NamedSchemas::new();
        for (name, views) in SCHEMAS {
            let schema = match name {
                "pg_catalog" => Arc::clone(&visible),
                _ => Arc::new(MemorySchemaProvider::new()),
            };
            catalog.register_schema(name, Arc::clone(&schema) as _)?;
            add_views(&context, &schema, views).await?;
            if name == INFORMATION_SCHEMA {
                add_functions(&schema).await?;
            }
            schemas.push((name, schema));
        }
        newest.set_system(schemas.clone());
        Ok(Self { context, numbering, schemas })
    }

    fn schema(&self, name: &str) -> Option<&Arc<dyn SchemaProvider>> {
        self.schemas.iter().find(|(of, _)| *of == name).map(|(_, schema)| schema)
    }

    /// Assigns OIDs to all current objects. OIDs follow the order of first use, so the fixed order
    /// here makes them equal in all processes.
    async fn number(&self) -> Result<()> {
        for table in &self.numbering {
            self.context.read_table(Arc::clone(table))?.collect().await?;
        }
        Ok(())
    }
}

/// Names of the tables of a visible schema, without building them.
fn table_names(schema: &str, views: &str) -> Vec<String> {
    let tables =
        if schema == INFORMATION_SCHEMA { &FUNCTION_TABLES[..] } else { PG_CATALOG_TABLES };
    let views = views.lines().filter_map(|line| line.strip_prefix("CREATE VIEW "));
    let views = views.filter_map(|rest| rest.split_whitespace().next());
    let mut names: Vec<_> = tables.iter().copied().chain(views).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Creates the context in which the views are planned.
fn planner(functions: &Arc<introspection::Functions>) -> SessionContext {
    let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, SCHEMA);
    let config = config.set_str("datafusion.execution.time_zone", settings::TIME_ZONE);
    let context = SessionContext::new_with_config(config);
    session_functions::register(&context, functions);
    context
}

/// Adds the views of a text; each may refer to earlier ones.
async fn add_views(
    context: &SessionContext,
    schema: &MemorySchemaProvider,
    text: &str,
) -> Result<()> {
    for statement in DFParser::parse_sql(text)? {
        let Statement::Statement(statement) = statement else { continue };
        let ast::Statement::CreateView(view) = *statement else { continue };
        let name = view.name.to_string();
        let query = ast::Statement::Query(view.query);
        let state = context.state();
        let planned = state.statement_to_plan(Statement::Statement(Box::new(query))).await;
        let plan = planned.map_err(|error| error.context(name.clone()))?;
        if schema.table_exist(&name) {
            schema.deregister_table(&name)?;
        }
        schema.register_table(name, Arc::new(ViewTable::new(plan, None)))?;
    }
    Ok(())
}

/// Adds the [`FUNCTION_TABLES`], which list the functions of the current session.
async fn add_functions(schema: &MemorySchemaProvider) -> Result<()> {
    let information_schema =
        InformationSchemaProvider::new(Arc::new(MemoryCatalogProviderList::new()));
    for name in FUNCTION_TABLES {
        if let Some(table) = information_schema.table(name).await? {
            schema.register_table(name.to_owned(), table)?;
        }
    }
    Ok(())
}

fn table(rows: RecordBatch) -> Result<Arc<MemTable>> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}

fn settings_rows() -> Result<RecordBatch> {
    let all: Vec<_> = settings::all().collect();
    let column = |of: fn(&(&'static str, &'static str, bool)) -> &'static str| -> ArrayRef {
        Arc::new(all.iter().map(|setting| Some(of(setting))).collect::<StringArray>())
    };
    let context = |setting: &(_, _, bool)| if setting.2 { "user" } else { "internal" };
    Ok(RecordBatch::try_from_iter([
        ("name", column(|setting| setting.0)),
        ("setting", column(|setting| setting.1)),
        ("context", column(context)),
    ])?)
}

fn descriptions_rows() -> Result<RecordBatch> {
    let rows: Vec<_> = descriptions_of_tables().collect();
    let column = |place: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row[place].as_str())).collect::<StringArray>())
    };
    Ok(RecordBatch::try_from_iter([
        ("table_name", column(0)),
        ("column_name", column(1)),
        ("description", column(2)),
    ])?)
}

fn functions_rows(functions: &introspection::Functions) -> Result<RecordBatch> {
    let own = &functions.own;
    let text = |of: fn(&introspection::OwnFunction) -> String| -> ArrayRef {
        Arc::new(own.iter().map(|function| Some(of(function))).collect::<StringArray>())
    };
    let number = |of: fn(&introspection::OwnFunction) -> i32| -> ArrayRef {
        Arc::new(own.iter().map(of).collect::<Int32Array>())
    };
    let returns_rows: BooleanArray = own.iter().map(|own| Some(own.returns_rows)).collect();
    let arguments: Int16Array =
        own.iter().map(|own| i16::try_from(own.arguments.len()).ok()).collect();
    Ok(RecordBatch::try_from_iter([
        ("oid", number(|own| own.oid)),
        ("name", text(|own| own.name.to_owned())),
        ("kind", text(|own| own.kind.to_owned())),
        ("returns_rows", Arc::new(returns_rows) as _),
        ("arguments", Arc::new(arguments) as _),
        ("return_type", number(|own| own.returns)),
        ("argument_types", text(introspection::OwnFunction::argument_types)),
    ])?)
}
